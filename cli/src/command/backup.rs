//! `tenor backup`: makes, checks and restores backups.

use super::{Data, warn_of};
use crate::output::{Output, Progress};
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tenor_node::{backup, socket};
use tenor_runtime::chain::Opened;
use tenor_runtime::state::Room;
use tenor_runtime::store::StoreError;

/// `tenor backup`.
#[derive(Debug, Subcommand)]
pub enum Backup {
    /// Backs a data folder up into a new folder, also while a node runs on it.
    Create(Create),
    /// Reads a backup through and builds its state root.
    Check(Check),
    /// Makes a data folder from a backup.
    Restore(Restore),
}

/// `tenor backup create`.
#[derive(Debug, Args)]
pub struct Create {
    /// Folder to make.
    to: PathBuf,
    #[command(flatten)]
    data: Data,
}

/// `tenor backup check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Folder of the backup.
    from: PathBuf,
}

/// `tenor backup restore`.
#[derive(Debug, Args)]
pub struct Restore {
    /// Folder of the backup.
    from: PathBuf,
    #[command(flatten)]
    data: Data,
}

impl Backup {
    /// Runs the command.
    ///
    /// # Errors
    /// What is wrong with the backup, and what to do about it.
    pub fn run(self, output: &mut Output<'_>) -> Result<()> {
        if let Backup::Create(Create { data, .. }) | Backup::Restore(Restore { data, .. }) = &self {
            data.remote
                .none("run it where the folder is: it asks a running node through the folder's socket")?;
        }
        let mut progress = Progress::new();
        let mut told = |step: &str, done, of| progress.at(step, done, of);
        match self {
            Backup::Create(Create { to, data }) => {
                let (made, cut_bytes) = create(&data.data, &to, data.memory.room(), &mut told)?;
                progress.end();
                let keys = match made.has_keys() {
                    true => "\nkeys are in it, those of a sandbox unencrypted: keep it as you keep them",
                    false => "",
                };
                let text = format!("backed up to {}\n{}{keys}", to.display(), text(&made));
                output.result(&with_cut(document(&made), cut_bytes), &text)
            }
            Backup::Check(Check { from }) => {
                let found = backup::Backup::open(&from)?;
                found.check(&mut told)?;
                progress.end();
                output.result(&document(&found), &format!("{} is whole\n{}", from.display(), text(&found)))
            }
            Backup::Restore(Restore { from, data }) => {
                let found = backup::Backup::open(&from)?;
                let opened = found.restore(&data.data, data.memory.room(), &mut told)?;
                progress.end();
                warn_of(&opened);
                let text = format!("restored to {}\n{}", data.data.display(), text(&found));
                output.result(&with_cut(document(&found), opened.torn.bytes), &text)
            }
        }
    }
}

/// Makes a backup, or has the process make it that has the folder; and the bytes that opening the folder cut off its log.
fn create(data: &Path, to: &Path, room: Room, told: backup::Steps<'_>) -> Result<(backup::Backup, u64)> {
    let mut cut_bytes = 0;
    let hear = |opened: &Opened| {
        cut_bytes = opened.torn.bytes;
        warn_of(opened);
    };
    let made = match backup::Backup::create(data, to, room, told, hear) {
        Err(error) if matches!(error.downcast_ref(), Some(StoreError::InUse { .. })) => {
            socket::ask_for_backup(data, to, told).with_context(|| error.to_string())?;
            backup::Backup::open(to)?
        }
        made => made?,
    };
    Ok((made, cut_bytes))
}

fn with_cut(mut document: Value, cut_bytes: u64) -> Value {
    document["cut_bytes"] = cut_bytes.into();
    document
}

fn document(backup: &backup::Backup) -> Value {
    let (files, bytes) = backup.size();
    json!({
        "chain": backup.chain().to_string(), "height": backup.height(), "state_root": backup.root().to_string(),
        "files": files, "bytes": bytes, "keys": backup.has_keys(),
    })
}

fn text(backup: &backup::Backup) -> String {
    let (files, bytes) = backup.size();
    format!(
        "chain       {}\nheight      {}\nstate root  {}\nfiles       {files}, {bytes} bytes",
        backup.chain(),
        backup.height(),
        backup.root()
    )
}
