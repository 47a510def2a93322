//! `tenor db`: what lies on the disk.

use super::Data;
use crate::folder::Folder;
use crate::output::{Output, Progress, Table};
use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use tenor_runtime::chain::{LOG_FOLDER, Retention, STATE_FOLDER, Stored};
use tenor_runtime::log::LetGo;
use tenor_runtime::state::namespace::kind_of;
use tenor_runtime::state::{Kind, State};
use tenor_runtime::store::PagesMemory;

/// `tenor db`.
#[derive(Debug, Subcommand)]
pub enum Db {
    /// Keys and bytes by kind of record, log, store, memory.
    Stat(Data),
    /// Lets go of old parts of the log, below a snapshot that is read back first.
    Retain(Retain),
}

/// `tenor db retain`: without a term everything is kept.
#[derive(Debug, Args)]
pub struct Retain {
    /// Days for which the write sets of blocks are kept, from which older states are made.
    #[arg(long, value_name = "DAYS")]
    writes: Option<u32>,
    /// Days for which blocks are kept, with receipts and certificates.
    #[arg(long, value_name = "DAYS")]
    blocks: Option<u32>,
    #[command(flatten)]
    data: Data,
}

impl Retain {
    fn run(self, output: &mut Output<'_>) -> Result<()> {
        let (_lock, genesis) = Folder::lock(&self.data.data)?;
        let retention = Retention { writes_days: self.writes, blocks_days: self.blocks };
        retention.check(&genesis.parameters.limits, genesis.parameters.sandbox)?;
        if retention == Retention::default() {
            bail!("everything is kept; name a term with --writes or --blocks");
        }
        let stored = Stored::open(&self.data.data, genesis.chain_id(), self.data.memory.room())?;
        super::warn_of(&stored.opened);
        let mut progress = Progress::new();
        let told = &mut |done, of| progress.at("reading the snapshot", done, of);
        let done = stored.retain(&self.data.data, retention, told)?;
        progress.end();
        let gone = |gone: LetGo| json!({ "segments": gone.segments, "bytes": gone.bytes });
        let document =
            json!({ "snapshot": done.snapshot, "writes": gone(done.writes), "blocks": gone(done.blocks) });
        let text = format!(
            "snapshot  of block {}, read back\nwrites    {} bytes of {} segments let go\nblocks    {} bytes in {} segments let go",
            done.snapshot, done.writes.bytes, done.writes.segments, done.blocks.bytes, done.blocks.segments
        );
        output.result(&document, &text)
    }
}

/// What there is of a kind.
#[derive(Clone, Copy, Default)]
struct Count {
    rows: u64,
    key_bytes: u64,
    value_bytes: u64,
}

impl Db {
    /// Runs the command.
    ///
    /// # Errors
    /// When the folder cannot be opened or read.
    pub fn run(self, output: &mut Output<'_>) -> Result<()> {
        let (Db::Stat(data) | Db::Retain(Retain { data, .. })) = &self;
        data.remote
            .none("run it where the folder is; a node's figures are at /metrics of its operator's address")?;
        let (data, memory) = match self {
            Db::Stat(Data { data, memory, .. }) => (data, memory),
            Db::Retain(retain) => return retain.run(output),
        };
        let (_lock, genesis) = Folder::lock(&data)?;
        let Stored { mut base, tip, opened, .. } = Stored::open(&data, genesis.chain_id(), memory.room())?;
        super::warn_of(&opened);
        base.flush()?;
        let mut counts = BTreeMap::<Kind, Count>::new();
        base.walk(|full_key, value| {
            let Some(kind) = kind_of(full_key) else { return Ok(()) };
            let count = counts.entry(kind).or_default();
            count.rows += 1;
            count.key_bytes += full_key.len() as u64;
            count.value_bytes += value.len() as u64;
            Ok(())
        })?;
        let memory = base.memory();
        let mark = base.mark()?.map(|mark| mark.height);
        let (segments, log_bytes) = files(&data.join(LOG_FOLDER))?;
        let (_, state_bytes) = files(&data.join(STATE_FOLDER))?;
        let pages = |pages: PagesMemory| json!({ "pages": pages.pages, "cached": pages.cached, "cached_bytes": pages.cached_bytes, "known_bytes": pages.known_bytes });
        let document = json!({
            "tip": tip.height, "mark": mark, "leaves": memory.leaves,
            "kinds": counts.iter().map(|(kind, count)| (format!("{kind:?}"), count.json())).collect::<BTreeMap<_, _>>(),
            "log": { "segments": segments, "bytes": log_bytes }, "state": { "bytes": state_bytes },
            "past": { "blocks": memory.past_blocks, "bytes": memory.past_bytes },
            "memory": { "leaves": pages(memory.trie), "index": pages(memory.index) },
        });
        let mut table = Table::new(&["kind", "standing", "rows", "key bytes", "value bytes"]);
        for (kind, count) in &counts {
            let numbers = [count.rows, count.key_bytes, count.value_bytes].map(|number| number.to_string());
            let names = [format!("{kind:?}"), format!("{:?}", kind.standing()).to_lowercase()];
            table.row(names.into_iter().chain(numbers).collect());
        }
        let page_line = |name: &str, pages: PagesMemory| {
            let PagesMemory { pages, cached, cached_bytes, known_bytes } = pages;
            format!(
                "{name} {pages} pages, {cached} in memory ({cached_bytes} bytes), {known_bytes} bytes above them"
            )
        };
        let mark = mark.map_or_else(|| "none".to_string(), |height| height.to_string());
        let text = format!(
            "{table}\ntip      {}\nmark     {mark}\nlog      {segments} segments, {log_bytes} bytes\nstate    {state_bytes} bytes\npast     {} states before it at hand, {} bytes\n{}\n{}",
            tip.height,
            memory.past_blocks,
            memory.past_bytes,
            page_line("leaves  ", memory.trie),
            page_line("index   ", memory.index),
        );
        output.result(&document, &text)
    }
}

impl Count {
    fn json(&self) -> Value {
        json!({ "rows": self.rows, "key_bytes": self.key_bytes, "value_bytes": self.value_bytes })
    }
}

/// Files of a folder and their bytes, folders in it included.
fn files(folder: &Path) -> Result<(u64, u64)> {
    let (mut count, mut bytes) = (0, 0);
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let entry = entry?;
        let (more, more_bytes) = match entry.file_type()?.is_dir() {
            true => files(&entry.path())?,
            false => (1, entry.metadata()?.len()),
        };
        (count, bytes) = (count + more, bytes + more_bytes);
    }
    Ok((count, bytes))
}
