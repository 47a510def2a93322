//! `tenor doctor`: reads everything that is stored, says what is wrong and what to do about it.

use super::{Data, Found};
use crate::folder::Folder;
use crate::keys::Keys;
use crate::output::{Output, Progress};
use anyhow::{Context, Result};
use clap::Args;
use rustix::fs::{Access, access, statvfs};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tenor_abi::id::ChainId;
use tenor_node::modes::{self, Open, open_to_others};
use tenor_runtime::chain::{Opened, Stored, examine};
use tenor_runtime::state::Room;

/// Less free space than this is a finding: a segment of the log, a checkpoint, and room to make the state again.
const FREE_BYTES_MIN: u64 = 256 * 1024 * 1024;

/// `tenor doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    #[command(flatten)]
    data: Data,
    /// Makes the state again first, from the log or a snapshot.
    #[arg(long)]
    rebuild: bool,
}

/// One finding as it is told.
struct Line {
    code: &'static str,
    what: String,
    remedy: String,
}

impl Doctor {
    /// Examines the folder; exit code 0 when nothing is found, 3 when something is.
    ///
    /// # Errors
    /// When the folder cannot be examined, and [`Found`].
    pub fn run(self, output: &mut Output<'_>) -> Result<()> {
        self.data.remote.none("run it where the folder is; `tenor verify --node` checks a node's chain, `tenor node status` says how the node is")?;
        let data = &self.data.data;
        if let Some(line) = read_only(data) {
            return told(output, &[line], None);
        }
        let (_lock, genesis) = Folder::lock(data)?;
        let rebuilt = if self.rebuild {
            Some(rebuild(data, genesis.chain_id(), self.data.memory.room())?)
        } else {
            None
        };
        let mut lines = permissions(data)?;
        lines.extend(free_space(data)?);
        let mut progress = Progress::new();
        let found = examine(data, genesis.chain_id(), self.data.memory.room(), |done, of| {
            progress.at("reading the log", done, of)
        })?;
        progress.end();
        lines.extend(found.iter().map(|finding| Line {
            code: finding.code(),
            what: finding.to_string(),
            remedy: finding.remedy().into(),
        }));
        told(output, &lines, rebuilt.as_ref())
    }
}

/// Says what was found.
fn told(output: &mut Output<'_>, lines: &[Line], rebuilt: Option<&Opened>) -> Result<()> {
    let document = json!({
        "findings": lines.iter().map(Line::json).collect::<Vec<_>>(),
        "rebuilt": rebuilt.map(|opened| json!({ "blocks": opened.redone, "snapshot": opened.snapshot })),
    });
    let mut text = rebuilt.map_or_else(String::new, |opened| match opened.snapshot {
        None => format!("the state was made again from {} blocks of the log\n", opened.redone),
        Some(height) => {
            let blocks = opened.redone;
            format!(
                "the state was made again from the snapshot of block {height} and {blocks} blocks behind it\n"
            )
        }
    });
    match lines.is_empty() {
        true => text += "nothing found",
        false => lines.iter().for_each(|line| text += &line.text()),
    }
    output.result(&document, &text)?;
    if lines.is_empty() { Ok(()) } else { Err(Found(lines.len()).into()) }
}

impl Line {
    fn json(&self) -> Value {
        json!({ "code": self.code, "what": self.what, "remedy": self.remedy })
    }

    fn text(&self) -> String {
        format!("{}: {}; {}\n", self.code, self.what, self.remedy)
    }
}

fn rebuild(data: &Path, chain: ChainId, room: Room) -> Result<Opened> {
    let mut progress = Progress::new();
    let stored =
        Stored::rebuild(data, chain, room, &mut |done, of| progress.at("making the state", done, of))?;
    progress.end();
    super::warn_of(&stored.opened);
    Ok(stored.opened)
}

/// Nothing more can be said of a folder in which this user cannot take the lock.
fn read_only(data: &Path) -> Option<Line> {
    let is_read_only = data.exists() && access(data, Access::WRITE_OK).is_err();
    is_read_only.then(|| Line {
        code: "folder-read-only",
        what: format!("{} cannot be written by this user", data.display()),
        remedy: format!(
            "run as its owner, or `chown -R` it to this user and `chmod u+rwX` {}",
            data.display()
        ),
    })
}

fn permissions(data: &Path) -> Result<Vec<Line>> {
    let mut lines = vec![];
    for name in Keys::of(data).names()? {
        let path = data.join("keys").join(format!("{name}.key"));
        let mode =
            fs::metadata(&path).with_context(|| format!("reading {}", path.display()))?.permissions().mode();
        if mode & 0o077 != 0 {
            lines.push(Line {
                code: "key-readable",
                what: format!("the key {name} can be read by others than its owner"),
                remedy: format!(
                    "`chmod 600 {}`, and make another key if somebody may have read it",
                    path.display()
                ),
            });
        }
    }
    let is_key = |path: &Path| path.extension().is_some_and(|end| end == "key");
    let open: Vec<Open> = open_to_others(data)?.into_iter().filter(|open| !is_key(&open.path)).collect();
    for (writable, code, may) in [(true, "folder-writable", "write"), (false, "folder-readable", "read")] {
        let names = modes::names(data, open.iter().filter(|open| open.writable == writable));
        if !names.is_empty() {
            lines.push(Line {
                code,
                what: format!("others than its owner may {may} {names}"),
                remedy: modes::remedy([data]),
            });
        }
    }
    Ok(lines)
}

fn free_space(data: &Path) -> Result<Option<Line>> {
    let disk = statvfs(data).with_context(|| format!("asking for the free space of {}", data.display()))?;
    let free_bytes = disk.f_bavail.saturating_mul(disk.f_frsize);
    Ok((free_bytes < FREE_BYTES_MIN).then(|| Line {
        code: "disk-low",
        what: format!("{free_bytes} bytes are free under {}, {FREE_BYTES_MIN} are wanted", data.display()),
        remedy: "make space before the disk is full: a full disk stops the chain".into(),
    }))
}
