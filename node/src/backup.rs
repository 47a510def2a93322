//! Backups: a folder that holds everything a data folder can be made from again.
//!
//! `backup.json` lists every file with its length and hash; beside it lie what the data folder has in files
//! (genesis, names, keys), the segments of the log, and a snapshot of the state at the log's newest block.

use crate::folder::{Folder, GENESIS, make_whole, sync, write_synced};
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{Read, Seek};
use std::path::{Component, Path, PathBuf};
use tenor_abi::id::{ChainId, Hash};
use tenor_runtime::chain::{Genesis, LOG_FOLDER, Opened, SNAPSHOT_FOLDER, Still, Stored, peek_block};
use tenor_runtime::fault::Fault;
use tenor_runtime::log::{Extent, Log, LogError, Survey};
use tenor_runtime::snapshot::{Snapshot, SnapshotError};
use tenor_runtime::state::{Room, State};
use tenor_wire::crypto::plain_hash;
use tenor_wire::hexadecimal::hex;

/// Version of a backup's form.
pub const FORMAT: u32 = 1;

const LIST: &str = "backup.json";
const SNAPSHOT: &str = "snapshot";
const KEYS: &str = "keys";

/// Why a backup cannot be used, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The folder is no backup.
    #[error("{0} holds no backup: {LIST} is missing; name a folder that `tenor backup create` made")]
    Nothing(String),
    /// A newer build made it.
    #[error("the backup has format {given}, this build reads {FORMAT}; use the newer build that made it")]
    Newer {
        /// Its format.
        given: u32,
    },
    /// The list cannot be read.
    #[error("{LIST} is damaged: {0}; copy the backup again, or take another one")]
    List(String),
    /// Parts of two chains.
    #[error(
        "{part} is of another chain than the backup's {chain}; files of two backups were mixed, take another one"
    )]
    OtherChain {
        /// What is of another chain.
        part: &'static str,
        /// The chain of the list.
        chain: String,
    },
    /// A segment of the log is not there.
    #[error("log segment {0} is missing; copy it again from where the backup was made")]
    MissingSegment(String),
    /// A file is not there, or has another length.
    #[error(
        "{file} has {given} bytes, {expected} were backed up: it was copied in part; copy the backup again"
    )]
    HalfCopied {
        /// Its path in the backup.
        file: String,
        /// Bytes it has.
        given: u64,
        /// Bytes it should have.
        expected: u64,
    },
    /// A file has other bytes.
    #[error("{0} is not what was backed up; copy it again, or take another backup")]
    Damaged(String),
    /// The log is whole and ends before the snapshot.
    #[error(
        "the log ends at block {tip}, the snapshot is of block {height}, which is its future: log and snapshot are of two backups; take both from one"
    )]
    Future {
        /// Newest block of the log.
        tip: u64,
        /// Block of the snapshot.
        height: u64,
    },
    /// The list is of another block than log and snapshot.
    #[error(
        "{LIST} says block {listed}, log and snapshot end at block {height}; copy {LIST} again, or take another backup"
    )]
    Height {
        /// Height in the list.
        listed: u64,
        /// Height of log and snapshot.
        height: u64,
    },
    /// The log is damaged.
    #[error("{0}; copy the log again, or take another backup")]
    Log(#[from] LogError),
    /// The snapshot is damaged.
    #[error("{0}; copy the snapshot again, or take another backup")]
    Snapshot(SnapshotError),
}

/// A file of a backup.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Listed {
    path: String,
    bytes: u64,
    sha3_256: String,
}

/// What `backup.json` holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct List {
    format: u32,
    chain: String,
    height: u64,
    files: Vec<Listed>,
}

/// A backup in a folder.
#[derive(Debug)]
pub struct Backup {
    folder: PathBuf,
    list: List,
    chain: ChainId,
    snapshot: Snapshot,
}

/// Is told which step is how far: its name, what is done, of how much.
pub type Steps<'t> = &'t mut dyn FnMut(&str, u64, u64);

impl Backup {
    /// Backs the data folder up into a new folder, and reads snapshot and log back from there. `hear` is told first what
    /// opening the data folder did: what that cut off its log is in no backup.
    ///
    /// # Errors
    /// When something is there already, another process has the data folder, what is backed up is damaged, or the disk
    /// says no.
    pub fn create(
        data: &Path,
        to: &Path,
        room: Room,
        told: Steps<'_>,
        hear: impl FnOnce(&Opened),
    ) -> Result<Backup> {
        let (_lock, genesis) = Folder::lock(data)?;
        let stored = Stored::open(data, genesis.chain_id(), room)?;
        hear(&stored.opened);
        Backup::write(&stored.still()?, data, to, told)
    }

    /// As [`Backup::create`], for a folder that this process has open and may go on with meanwhile: what is backed up
    /// is the chain as it stood.
    ///
    /// # Errors
    /// When something is there already, what is backed up is damaged, or the disk says no.
    pub fn write(still: &Still, data: &Path, to: &Path, told: Steps<'_>) -> Result<Backup> {
        make_whole(to, |making| {
            let snapshot =
                still.snapshot(&making.join(SNAPSHOT), |done, of| told("writing the snapshot", done, of))?;
            snapshot.check(|done, of| told("reading the snapshot", done, of))?;
            for path in files_of(data)? {
                copy_synced(&data.join(&path), &making.join(&path))?;
            }
            fs::create_dir_all(making.join(LOG_FOLDER)).context("making the folder of the log")?;
            for segment in still.log() {
                copy_segment(segment, &making.join(LOG_FOLDER))?;
            }
            check_copied(still, &making.join(LOG_FOLDER), &mut *told)?;
            for folder in [LOG_FOLDER, KEYS] {
                sync(&making.join(folder))?;
            }
            let (chain, height) = (still.origin(), still.header().height);
            let mut list = List { format: FORMAT, chain: chain.to_string(), height, files: vec![] };
            for path in files_below(making)? {
                let bytes = fs::read(making.join(&path)).with_context(|| format!("reading {path}"))?;
                let sha3_256 = hex(&plain_hash(&[&bytes]).0);
                list.files.push(Listed { path, bytes: bytes.len() as u64, sha3_256 });
            }
            write_synced(&making.join(LIST), serde_json::to_string_pretty(&list)?.as_bytes())
        })?;
        Ok(Backup::open(to)?)
    }

    /// Reads the list of a backup and the manifest of its snapshot.
    ///
    /// # Errors
    /// [`BackupError`].
    pub fn open(folder: &Path) -> Result<Backup, BackupError> {
        let text = fs::read(folder.join(LIST));
        let text = text.map_err(|_| BackupError::Nothing(folder.display().to_string()))?;
        let damaged = |error: serde_json::Error| BackupError::List(error.to_string());
        let document: serde_json::Value = serde_json::from_slice(&text).map_err(damaged)?;
        if let Some(given) = document["format"].as_u64().filter(|given| *given > u64::from(FORMAT)) {
            return Err(BackupError::Newer { given: u32::try_from(given).unwrap_or(u32::MAX) });
        }
        let list: List = serde_json::from_value(document).map_err(damaged)?;
        // Whatever a list says, nothing outside the two folders is read or written.
        let is_inside = |part: Component<'_>| matches!(part, Component::Normal(_));
        if let Some(listed) =
            list.files.iter().find(|listed| !Path::new(&listed.path).components().all(is_inside))
        {
            return Err(BackupError::List(format!(
                "`{}` lies outside the backup",
                listed.path.escape_debug()
            )));
        }
        let chain = list.chain.parse().map_err(|_| BackupError::List("it names no chain".into()))?;
        let snapshot = match Snapshot::open(&folder.join(SNAPSHOT)) {
            Err(SnapshotError::Nothing(_)) => {
                let file = format!("{SNAPSHOT}/manifest");
                let expected =
                    list.files.iter().find(|listed| listed.path == file).map_or(0, |file| file.bytes);
                return Err(BackupError::HalfCopied { file, given: 0, expected });
            }
            opened => opened.map_err(BackupError::Snapshot)?,
        };
        Ok(Backup { folder: folder.into(), list, chain, snapshot })
    }

    /// Height of the newest block in it.
    pub fn height(&self) -> u64 {
        self.list.height
    }

    /// The chain that it is of, as that began.
    pub fn chain(&self) -> ChainId {
        self.chain
    }

    /// State root at that height.
    pub fn root(&self) -> Hash {
        self.snapshot.header().state
    }

    /// Files and bytes in it.
    pub fn size(&self) -> (usize, u64) {
        (self.list.files.len(), self.list.files.iter().map(|file| file.bytes).sum())
    }

    /// Whether keys are in it.
    pub fn has_keys(&self) -> bool {
        self.list.files.iter().any(|file| file.path.starts_with("keys/"))
    }

    /// Reads everything, and builds the state root from the snapshot.
    ///
    /// # Errors
    /// [`BackupError`].
    pub fn check(&self, told: Steps<'_>) -> Result<(), BackupError> {
        self.check_files()?;
        self.snapshot.check(|done, of| told("reading the snapshot", done, of)).map_err(BackupError::Snapshot)
    }

    /// Makes a data folder from it, and opens that once to compare the state root. Returns what making its state did: what
    /// that cut off the log is left out of the folder.
    ///
    /// # Errors
    /// [`BackupError`]; also when something is there already or the disk says no.
    pub fn restore(&self, data: &Path, room: Room, told: Steps<'_>) -> Result<Opened> {
        self.check_files()?;
        let height = self.height();
        make_whole(data, |making| {
            for listed in &self.list.files {
                let to = match listed.path.strip_prefix("snapshot/") {
                    Some(file) => format!("{SNAPSHOT_FOLDER}/{height}/{file}"),
                    None => listed.path.clone(),
                };
                copy_synced(&self.folder.join(&listed.path), &making.join(to))?;
            }
            let snapshots = making.join(SNAPSHOT_FOLDER);
            for folder in
                [making.join(LOG_FOLDER), making.join(KEYS), snapshots.join(height.to_string()), snapshots]
            {
                if folder.exists() {
                    sync(&folder)?;
                }
            }
            let mut told = |done, of| told("making the state", done, of);
            let made = Stored::from_snapshot(making, self.chain, &self.snapshot, room, &mut told)?.opened;
            let stored = Stored::open(making, self.chain, room)?;
            if stored.base.root() != self.root() || stored.opened.rebuilt {
                bail!("the restored state does not open at {}; take another backup", self.root());
            }
            Ok(made)
        })
    }

    /// Everything but the chunks of the snapshot.
    fn check_files(&self) -> Result<(), BackupError> {
        let other = |part| BackupError::OtherChain { part, chain: self.list.chain.clone() };
        let genesis =
            fs::read(self.folder.join(GENESIS)).ok().and_then(|bytes| Genesis::from_bytes(&bytes).ok());
        if genesis.is_some_and(|genesis| genesis.chain_id() != self.chain) {
            return Err(other("the genesis document"));
        }
        self.check_log()?;
        let (listed, height) = (self.height(), self.snapshot.header().height);
        if listed != height {
            return Err(BackupError::Height { listed, height });
        }
        for listed in &self.list.files {
            self.check_length(listed)?;
            let path = self.folder.join(&listed.path);
            let is_chunk = listed.path.starts_with("snapshot/");
            let same = |bytes: Vec<u8>| hex(&plain_hash(&[&bytes]).0) == listed.sha3_256;
            if !is_chunk && !fs::read(path).is_ok_and(same) {
                return Err(BackupError::Damaged(listed.path.clone()));
            }
        }
        Ok(())
    }

    fn check_length(&self, listed: &Listed) -> Result<(), BackupError> {
        let given = fs::metadata(self.folder.join(&listed.path)).map_or(0, |file| file.len());
        match given == listed.bytes {
            true => Ok(()),
            false => {
                let (file, expected) = (listed.path.clone(), listed.bytes);
                Err(BackupError::HalfCopied { file, given, expected })
            }
        }
    }

    /// The log holds the block of the snapshot, and nothing of it is missing or damaged.
    fn check_log(&self) -> Result<(), BackupError> {
        let segments = || self.list.files.iter().filter(|listed| listed.path.starts_with("log/"));
        if let Some(missing) = segments().find(|listed| !self.folder.join(&listed.path).exists()) {
            return Err(BackupError::MissingSegment(missing.path.clone()));
        }
        let (folder, header) = (self.folder.join(LOG_FOLDER), self.snapshot.header());
        let Survey { damage, tip, torn, .. } = Log::survey(&folder, self.chain, |_, _| {})?;
        if let Some(tip) = tip.filter(|tip| *tip < header.height && damage.is_empty() && torn.bytes == 0) {
            return Err(BackupError::Future { tip, height: header.height });
        }
        segments().try_for_each(|listed| self.check_length(listed))?;
        if let Some(damage) = damage.into_iter().next() {
            return Err(damage.into());
        }
        let block = peek_block(&folder, self.chain, header.height);
        match block.ok().flatten().is_some_and(|block| block.header == *header) {
            true => Ok(()),
            false => Err(BackupError::OtherChain { part: "the snapshot", chain: self.list.chain.clone() }),
        }
    }
}

/// What a data folder has in files besides its log: those at its top but locks, and its keys.
fn files_of(data: &Path) -> Result<Vec<String>> {
    let all = files_below(data)?;
    let is_kept = |path: &String| match path.split_once('/') {
        None => path != "lock" && !path.ends_with(".lock") && !path.ends_with(".new"),
        Some((folder, name)) => folder == KEYS && name.ends_with(".key"),
    };
    Ok(all.into_iter().filter(is_kept).collect())
}

/// Every file below a folder, as paths from there, in order.
fn files_below(folder: &Path) -> Result<Vec<String>> {
    let (mut found, mut folders) = (vec![], vec![PathBuf::new()]);
    while let Some(inside) = folders.pop() {
        let here = folder.join(&inside);
        for entry in fs::read_dir(&here).with_context(|| format!("reading {}", here.display()))? {
            let entry = entry?;
            let path = inside.join(entry.file_name());
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                found.push(path.to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Reads the log of a backup back: what is damaged where it was copied from makes no backup.
fn check_copied(still: &Still, log: &Path, told: Steps<'_>) -> Result<()> {
    let survey = Log::survey(log, still.origin(), |done, of| told("reading the log", done, of));
    let survey = survey.map_err(Fault::from)?;
    if let Some(damage) = survey.damage.into_iter().next() {
        return Err(Fault::from(damage)).context("nothing was backed up");
    }
    let (tip, height) = (survey.tip, still.header().height);
    if survey.torn.bytes > 0 || tip.is_none_or(|tip| tip < height) {
        let tip = tip.unwrap_or(0);
        bail!(
            "nothing was backed up: what is whole of the log ends at block {tip}, the chain at {height}; run `tenor doctor`"
        );
    }
    Ok(())
}

/// Copies what counts of a segment that may go on.
fn copy_segment(segment: &Extent, to: &Path) -> Result<()> {
    let to = to.join(&segment.name);
    let copy = || -> std::io::Result<()> {
        let mut copied = File::create(&to)?;
        let mut from = &segment.file;
        from.rewind()?;
        std::io::copy(&mut from.take(segment.bytes), &mut copied)?;
        copied.sync_all()
    };
    copy().with_context(|| format!("copying segment {} to {}", segment.name, to.display()))
}

fn copy_synced(from: &Path, to: &Path) -> Result<()> {
    let copy = || -> std::io::Result<()> {
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder)?;
        }
        // Not with the mode that it has there: a copy is its owner's alone.
        let mut copied = File::create(to)?;
        std::io::copy(&mut File::open(from)?, &mut copied)?;
        copied.sync_all()
    };
    copy().with_context(|| format!("copying {} to {}", from.display(), to.display()))
}
