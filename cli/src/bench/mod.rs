//! `tenor bench`: measures, each ratio's two sides in the same run.

mod commit;
mod due;
mod gas;
mod gas_block;
mod gas_module;
mod http;
mod invoke;
pub mod ledger;
mod payments;
mod points;
mod signer;
mod verify;

use crate::output::Output;
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tenor_runtime::state::{HISTORY_BYTES, Room};

/// What can be measured.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Name {
    /// Signature checks.
    Verify,
    /// Calls of a contract, in memory.
    Invoke,
    /// Entries judged and booked, in memory.
    Ledger,
    /// Signed transfers, durable.
    Payments,
    /// Standing orders that are all due in the same second, durable.
    Due,
    /// Each operator and host call against its price.
    Gas,
    /// Blocks of 1,000 random updates of the state, durable.
    Commit,
    /// Signed transfers and readings through a node of its own process, over TCP.
    Http,
}

/// `tenor bench`.
#[derive(Debug, Args)]
pub struct Bench {
    /// What to measure.
    name: Name,
    /// Seconds for each figure.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Keys in the state, for `commit`.
    #[arg(long, default_value_t = 1_000_000)]
    keys: u64,
    /// Blocks a second, for `commit`: at once after each other where it is not given.
    #[arg(long)]
    blocks_per_second: Option<u32>,
    /// Megabytes of memory for pages of the state, for `commit`, `payments` and `due`.
    #[arg(long, default_value_t = 8192)]
    cache_mb: usize,
    /// Accounts that pay each other, for `payments`.
    #[arg(long, default_value_t = 100_000)]
    accounts: usize,
    /// Standing orders, for `due`.
    #[arg(long, default_value_t = 100_000)]
    orders: usize,
}

/// A measured figure.
pub(crate) struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
}

/// A ratio of two figures.
pub(crate) struct Ratio {
    name: &'static str,
    value: f64,
    of: &'static str,
    to: &'static str,
}

/// What a benchmark came to.
pub(crate) struct Measured {
    figures: Vec<Figure>,
    ratios: Vec<Ratio>,
}

impl Bench {
    /// Measures and prints.
    ///
    /// # Errors
    /// When what is measured fails.
    pub fn run(self, output: &mut Output<'_>) -> Result<()> {
        let room = Room { cache_bytes: self.cache_mb * 1024 * 1024, history_bytes: HISTORY_BYTES };
        let (name, measured) = match self.name {
            Name::Verify => ("verify", verify::measure(self.seconds)?),
            Name::Invoke => ("invoke", invoke::measure(self.seconds)?),
            Name::Commit => {
                ("commit", commit::measure(self.seconds, self.keys, room, self.blocks_per_second)?)
            }
            Name::Ledger => ("ledger", ledger::measure(self.seconds)?),
            Name::Due => ("due", due::measure(self.orders, room)?),
            Name::Gas => ("gas", gas::measure(self.seconds)?),
            Name::Http => ("http", http::measure(self.seconds)?),
            Name::Payments => ("payments", payments::measure(self.seconds, self.accounts, room)?),
        };
        let figures: Vec<Value> = measured
            .figures
            .iter()
            .map(|f| json!({ "name": f.name, "value": f.value, "unit": f.unit }))
            .collect();
        let ratios: Vec<Value> = measured
            .ratios
            .iter()
            .map(|r| json!({ "name": r.name, "value": r.value, "of": r.of, "to": r.to }))
            .collect();
        let names = measured.figures.iter().map(|figure| figure.name.as_str());
        let names = names.chain(measured.ratios.iter().map(|ratio| ratio.name));
        let width = names.map(str::len).max().unwrap_or(0);
        let mut text = String::new();
        for figure in &measured.figures {
            text += &format!("{:<width$} {:>14.3} {}\n", figure.name, figure.value, figure.unit);
        }
        for ratio in &measured.ratios {
            text += &format!("{:<width$} {:>14.3} {} : {}\n", ratio.name, ratio.value, ratio.of, ratio.to);
        }
        output.result(&json!({ "bench": name, "figures": figures, "ratios": ratios }), &text)
    }
}

/// Processors that this process may use.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Bytes that a process, by its number or `self`, takes in memory.
fn memory_bytes(process: &str) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("reading memory")?;
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kilobytes * 1024.0)
}

/// Processor time of this thread so far.
pub(crate) fn thread_cpu() -> Duration {
    used(ClockId::ThreadCPUTime)
}

/// Processor time of all threads so far.
pub(crate) fn process_cpu() -> Duration {
    used(ClockId::ProcessCPUTime)
}

fn used(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// A folder of its own, gone when this is dropped.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Scratch> {
        let path = std::env::temp_dir().join(format!("tenor-bench-{}", std::process::id()));
        std::fs::create_dir_all(&path).with_context(|| format!("making {}", path.display()))?;
        Ok(Scratch(path))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be cleared away is the system's to clear: it lies in its folder for such things.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Bytes of the files of a folder.
fn folder_bytes(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let about = entry.metadata()?;
        bytes += if about.is_dir() { folder_bytes(&entry.path())? } else { about.len() };
    }
    Ok(bytes)
}
