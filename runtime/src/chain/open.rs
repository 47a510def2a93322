//! Beginning a chain, and opening one again: load the store, redo the log after its mark, compare the root.

use super::journal::{FileJournal, Journal, MemoryJournal, peek_block};
use super::replay::first_wrong_key;
use super::{Chain, Genesis};
use crate::fault::{Fault, Stop};
use crate::log::{Log, LogError, TornTail, begin_behind_gaps, check_complete};
use crate::snapshot::Snapshot;
use crate::state::{Committed, Overlay, Resume, Room, State};
use crate::store::{ChangeRef, Changes, Disk, Mark, StoreError, WriteSet};
use crate::vm::Guest;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tenor_abi::id::{ChainId, Hash};
use tenor_abi::refusal::Refusal;
use tenor_abi::tag;
use tenor_wire::block::{Block, HEADER_VERSION, Header};
use tenor_wire::hexadecimal::hex;
use tenor_wire::merkle::Mmr;

/// Name of the block log's folder in a data folder.
pub const LOG_FOLDER: &str = "log";
/// Name of sled's folder in a data folder.
pub const STATE_FOLDER: &str = "state";
/// Name of the folder of snapshots in a data folder; each lies there under its height.
pub const SNAPSHOT_FOLDER: &str = "snapshots";
/// Name of the folder in which the state is made again, until it is whole.
const MAKING_FOLDER: &str = "state.making";
/// Name of the folder in which an older state is made to be read.
pub(super) const PAST_FOLDER: &str = "state.past";

/// Bytes of writes that opening takes together.
const REDO_BYTES: usize = 64 * 1024 * 1024;

/// Blocks behind the mark that are redone at every opening before the mark is brought up to them.
const TAIL_BLOCKS: u64 = 64;

/// Why a chain cannot be begun or opened.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OpenError {
    /// The genesis document breaks a rule.
    #[error("the genesis document breaks a rule: {0}")]
    Genesis(#[from] Refusal),
    /// The folder or what is in it is broken.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<Stop> for OpenError {
    fn from(stop: Stop) -> OpenError {
        match stop {
            Stop::Refused(refusal) => refusal.into(),
            Stop::Fault(fault) => fault.into(),
        }
    }
}

/// What opening did.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Opened {
    /// Bytes cut off the end of the log.
    pub torn: TornTail,
    /// Blocks whose writes were redone into the store.
    pub redone: u64,
    /// Whether the store had to be made again.
    pub rebuilt: bool,
    /// Height of the snapshot that it was made again from; none where the log alone gave it.
    pub snapshot: Option<u64>,
}

impl Opened {
    /// What whoever opened the folder should hear of: that the log's end was cut.
    pub fn warning(&self) -> Option<String> {
        let cut = "it was cut there: after a crash nobody was told of these bytes, else bring the segment back from a backup";
        (self.torn.bytes > 0).then(|| format!("{}; {cut}", self.torn))
    }
}

/// Is told how much of how much is done.
pub type Told<'p> = &'p mut dyn FnMut(u64, u64);

fn storage(error: &dyn std::fmt::Display) -> Fault {
    Fault::Storage(error.to_string())
}

impl Chain {
    /// Begins a chain in memory.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn in_memory(genesis: Genesis, guest: Arc<dyn Guest>) -> Result<Chain, OpenError> {
        Chain::begin(genesis, guest, Box::new(Committed::in_memory()), Box::new(MemoryJournal::default()))
    }

    /// Begins a chain in a folder that has none, with room in memory for its state; durable when this returns.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn create(
        folder: &Path,
        genesis: Genesis,
        guest: Arc<dyn Guest>,
        room: Room,
    ) -> Result<Chain, OpenError> {
        let log = Log::create(&folder.join(LOG_FOLDER), genesis.chain_id()).map_err(Fault::from)?;
        let disk = Disk::open(&folder.join(STATE_FOLDER)).map_err(Fault::from)?;
        let base = Committed::begin(Arc::new(disk), room);
        let mut chain = Chain::begin(genesis, guest, Box::new(base), Box::new(FileJournal::new(log)))?;
        chain.flush()?;
        Ok(chain)
    }

    pub(super) fn begin(
        genesis: Genesis,
        guest: Arc<dyn Guest>,
        mut base: Box<dyn State>,
        mut journal: Box<dyn Journal>,
    ) -> Result<Chain, OpenError> {
        let id = genesis.chain_id();
        let mut overlay = Overlay::new(base.as_ref());
        genesis.apply(&mut overlay)?;
        let writes = WriteSet::new(overlay.into_writes()?);
        let header = first_header(&genesis, id, base.stash(writes.rows())?);
        let block = Block { header: header.clone(), items: vec![], receipts: vec![], writes: writes.hash() };
        journal.append(&block, &tenor_abi::codec::encode(&block), &writes)?;
        let resume = Resume { log: journal.position_behind(0)?, ancestry: Mmr::default() };
        base.commit(writes.rows(), 0, resume)?;
        let contracts = Arc::default();
        Ok(Chain {
            genesis: Arc::new(genesis),
            base,
            journal,
            ancestry: Mmr::default(),
            tip: header,
            guest,
            contracts,
            stash: None,
        })
    }

    /// Opens the chain of a folder, with room in memory for its state.
    ///
    /// # Errors
    /// [`OpenError`]: what is broken; damage that the log can heal is healed and reported in [`Opened`].
    pub fn open(
        folder: &Path,
        genesis: Genesis,
        guest: Arc<dyn Guest>,
        room: Room,
    ) -> Result<(Chain, Opened), OpenError> {
        let id = genesis.chain_id();
        let stored = Stored::open(folder, id, room).map_err(|fault| match fault {
            Fault::Diverged { height, what } => explained(folder, &genesis, &guest, height, what),
            other => other,
        })?;
        let Stored { base, journal, ancestry, tip, opened } = stored;
        let (base, journal, contracts) = (Box::new(base), Box::new(journal), Arc::default());
        let genesis = Arc::new(genesis);
        let chain = Chain { genesis, base, journal, ancestry, tip, guest, contracts, stash: None };
        Ok((chain, opened))
    }

    /// Begins to bring the state on disk up to the tip; false when that is still going on for an earlier one. Whoever
    /// has a clock does this now and then, so that the next opening has less to redo.
    ///
    /// # Errors
    /// [`Fault`] when it cannot be written.
    pub fn checkpoint(&mut self) -> Result<bool, Fault> {
        self.base.checkpoint()
    }

    /// Makes everything that was committed durable in the store as well, before a clean stop.
    ///
    /// # Errors
    /// [`Fault`] when it cannot be written.
    pub fn flush(&mut self) -> Result<(), Fault> {
        self.base.flush()
    }
}

/// Says which key it is that the log's writes have wrong, where executing the blocks again finds one.
fn explained(folder: &Path, genesis: &Genesis, guest: &Arc<dyn Guest>, height: u64, what: String) -> Fault {
    let found = Log::open(&folder.join(LOG_FOLDER), genesis.chain_id(), None)
        .map_err(Fault::from)
        .and_then(|(log, _)| first_wrong_key(genesis, Arc::clone(guest), &FileJournal::new(log)));
    match found {
        Ok(Some((height, key))) => {
            let key = hex(&key);
            Fault::Diverged { height, what: format!("the log's writes are wrong, first at the key {key}") }
        }
        Ok(None) => Fault::Diverged { height, what },
        Err(fault) => Fault::Diverged { height, what: format!("{what}; looking for the key: {fault}") },
    }
}

fn first_header(genesis: &Genesis, id: ChainId, state: Hash) -> Header {
    Header {
        version: HEADER_VERSION,
        protocol: genesis.parameters.protocol,
        chain: id,
        height: 0,
        time: genesis.time,
        parent: Hash::ZERO,
        ancestry: Hash::ZERO,
        items: Hash::ZERO,
        items_count: 0,
        receipts: Hash::ZERO,
        receipts_count: 0,
        state,
        outbox: Hash::ZERO,
        validators: genesis.validators.hash(),
        parameters: genesis.parameters.hash(),
        proposer: genesis.validators.validators[0].bank,
    }
}

/// A chain as it is stored: log and state, without what executes.
pub struct Stored {
    /// The state at the tip.
    pub base: Committed,
    /// The log.
    pub journal: FileJournal,
    /// Hashes of all headers before the tip's.
    pub ancestry: Mmr,
    /// Header of the newest block.
    pub tip: Header,
    /// What opening did.
    pub opened: Opened,
}

impl Stored {
    /// Opens log and state of a folder: from the disk's mark and the log behind it where that gives the header's
    /// root, else as [`Stored::rebuild`] does. `room` bounds the memory that pages and past states take.
    ///
    /// # Errors
    /// [`Fault`]: what is broken and neither the log nor a snapshot can heal.
    pub fn open(folder: &Path, chain: ChainId, room: Room) -> Result<Stored, Fault> {
        let (log_folder, state_folder) = (folder.join(LOG_FOLDER), folder.join(STATE_FOLDER));
        check_complete(&log_folder)?;
        let disk = match Disk::open(&state_folder) {
            Err(full @ StoreError::Full(_)) => return Err(full.into()),
            opened => opened,
        };
        let mark = disk.as_ref().ok().and_then(|disk| disk.mark().ok().flatten());
        let keep = had(folder, mark.as_ref())?;
        if let (Ok(disk), Some(mark)) = (disk, &mark) {
            match Log::open_at(&log_folder, chain, &mark.log, keep) {
                Ok((log, torn)) => {
                    let resumed = from_mark(Arc::new(disk), mark, FileJournal::new(log), torn, room);
                    if let Ok(stored) = resumed {
                        return Ok(stored);
                    }
                }
                Err(damaged @ LogError::Damaged { .. }) => {
                    let survey = Log::survey(&log_folder, chain, |_, _| {})?;
                    match survey.tip.filter(|tip| *tip >= mark.height) {
                        _ if !survey.damage.is_empty() => return Err(damaged.into()),
                        None => {
                            let (tip, had) = (survey.tip.unwrap_or(0), mark.height);
                            return Err(LogError::Short { tip, had }.into());
                        }
                        Some(_) if !is_outdated(&log_folder, chain, mark)? => return Err(damaged.into()),
                        Some(_) => {}
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        // Whatever is wrong with the disk, the state can be made again.
        make_again(folder, chain, room, keep, &mut |_, _| {})
    }

    /// Throws the state away and makes it again: from the log alone, or, where the log does not reach back to
    /// block 0 or is damaged there, from the newest snapshot in the folder and the log behind it. What is missing of
    /// the log before that is taken to be gone from here on.
    ///
    /// # Errors
    /// As [`Stored::open`].
    pub fn rebuild(folder: &Path, chain: ChainId, room: Room, progress: Told<'_>) -> Result<Stored, Fault> {
        let disk = Disk::open(&folder.join(STATE_FOLDER));
        let mark = disk.ok().and_then(|disk| disk.mark().ok().flatten());
        let made = make_again(folder, chain, room, had(folder, mark.as_ref())?, progress)?;
        begin_behind_gaps(&folder.join(LOG_FOLDER))?;
        Ok(made)
    }

    /// Makes the state of a folder from a snapshot and the log behind it.
    ///
    /// # Errors
    /// [`Fault`] when the snapshot is damaged or is not of a block of this log.
    pub fn from_snapshot(
        folder: &Path,
        chain: ChainId,
        snapshot: &Snapshot,
        room: Room,
        progress: Told<'_>,
    ) -> Result<Stored, Fault> {
        from_snapshot(folder, chain, snapshot, room, None, progress)
    }
}

/// `keep` is a height that the log must reach, where one is known.
fn from_snapshot(
    folder: &Path,
    chain: ChainId,
    snapshot: &Snapshot,
    room: Room,
    keep: Option<u64>,
    progress: Told<'_>,
) -> Result<Stored, Fault> {
    let header = snapshot.header();
    let (log, torn) = Log::open_from(&folder.join(LOG_FOLDER), chain, header.height, keep)?;
    let journal = FileJournal::new(log);
    if block(&journal, header.height)?.header != *header {
        let text = format!("the snapshot is of another block {} than the log's", header.height);
        return Err(Fault::State(text));
    }
    let mut stored = put_in_place(folder, room, |mut base| {
        snapshot.restore(&mut base, journal.position_behind(header.height)?, &mut *progress)?;
        let ancestry = snapshot.manifest().ancestry.clone();
        redo(base, journal, Some(header.clone()), ancestry, progress)
    })?;
    stored.opened = Opened { torn, rebuilt: true, snapshot: Some(header.height), ..stored.opened };
    Ok(stored)
}

/// Makes the state beside what is there, and puts it in its place when it is whole: a log that turns out not to
/// give all of it has then cost nothing.
fn put_in_place(
    folder: &Path,
    room: Room,
    fill: impl FnOnce(Committed) -> Result<Stored, Fault>,
) -> Result<Stored, Fault> {
    let (state, making) = (folder.join(STATE_FOLDER), folder.join(MAKING_FOLDER));
    remove(&making)?;
    let mut stored = fill(Committed::begin(Arc::new(Disk::open(&making)?), room))?;
    stored.base.flush()?;
    // sled must not be open while its folder gets another name.
    stored.base = Committed::in_memory();
    remove(&state)?;
    std::fs::rename(&making, &state).map_err(|error| storage(&error))?;
    let disk = Disk::open(&state)?;
    let lost = || Fault::State("the state that was made again cannot be read back".into());
    let mark = disk.mark()?.ok_or_else(lost)?;
    let (base, _) = Committed::open(Arc::new(disk), &mark, room)?;
    if base.root() != stored.tip.state {
        return Err(lost());
    }
    Ok(Stored { base, ..stored })
}

pub(super) fn remove(folder: &Path) -> Result<(), Fault> {
    match folder.exists() {
        true => std::fs::remove_dir_all(folder).map_err(|error| storage(&error)),
        false => Ok(()),
    }
}

/// `keep` is a height that the log must reach, where one is known.
fn make_again(
    folder: &Path,
    chain: ChainId,
    room: Room,
    keep: Option<u64>,
    progress: Told<'_>,
) -> Result<Stored, Fault> {
    let mut why = match from_log(folder, chain, room, keep, progress) {
        Err(Fault::Log(why)) => why,
        made => return made,
    };
    for path in snapshots(folder)? {
        let made = Snapshot::open(&path)
            .map_err(Fault::from)
            .and_then(|snapshot| from_snapshot(folder, chain, &snapshot, room, keep, &mut *progress));
        match made {
            Ok(stored) => return Ok(stored),
            // Every snapshot meets it.
            Err(Fault::Log(same)) if same == why => break,
            Err(error) => why = format!("{why}; {}: {error}", path.display()),
        }
    }
    Err(Fault::Log(why))
}

fn from_log(
    folder: &Path,
    chain: ChainId,
    room: Room,
    keep: Option<u64>,
    progress: Told<'_>,
) -> Result<Stored, Fault> {
    let (log, torn) = Log::open(&folder.join(LOG_FOLDER), chain, keep)?;
    let mut stored =
        put_in_place(folder, room, |base| redo(base, FileJournal::new(log), None, Mmr::default(), progress))?;
    stored.opened = Opened { torn, rebuilt: true, ..stored.opened };
    Ok(stored)
}

/// Whether a mark that does not fit a log that is whole and goes beyond it says nothing against that: its block was let
/// go, or has another state there, as another chain's.
fn is_outdated(log: &Path, chain: ChainId, mark: &Mark) -> Result<bool, Fault> {
    Ok(peek_block(log, chain, mark.height)?.is_none_or(|block| block.header.state != mark.root))
}

/// The highest block that the log of a folder has had, as far as state store and snapshots know: it was synced there
/// before they were made, and a log that ends below it has lost blocks.
fn had(folder: &Path, mark: Option<&Mark>) -> Result<Option<u64>, Fault> {
    Ok(mark.map(|mark| mark.height).max(newest_snapshot(folder)?))
}

/// Height of the newest snapshot in a folder whose manifest is whole.
pub(super) fn newest_snapshot(folder: &Path) -> Result<Option<u64>, Fault> {
    let mut whole = snapshots(folder)?.into_iter().filter_map(|path| Snapshot::open(&path).ok());
    Ok(whole.next().map(|snapshot| snapshot.header().height))
}

/// The heights of a data folder's snapshots, the newest first.
///
/// # Errors
/// [`Fault`] when the folder cannot be read.
pub fn snapshot_heights(folder: &Path) -> Result<Vec<u64>, Fault> {
    let whole = snapshots(folder)?.into_iter().filter_map(|path| Snapshot::open(&path).ok());
    Ok(whole.map(|snapshot| snapshot.header().height).collect())
}

/// The folders of a data folder's snapshots, the newest first.
pub(super) fn snapshots(folder: &Path) -> Result<Vec<PathBuf>, Fault> {
    let folder = folder.join(SNAPSHOT_FOLDER);
    if !folder.exists() {
        return Ok(vec![]);
    }
    let mut found = vec![];
    for entry in std::fs::read_dir(&folder).map_err(|error| storage(&error))? {
        let path = entry.map_err(|error| storage(&error))?.path();
        let height = path.file_name().and_then(|name| name.to_str()?.parse::<u64>().ok());
        found.extend(height.map(|height| (height, path)));
    }
    found.sort();
    Ok(found.into_iter().rev().map(|(_, path)| path).collect())
}

fn from_mark(
    disk: Arc<Disk>,
    mark: &Mark,
    journal: FileJournal,
    torn: TornTail,
    room: Room,
) -> Result<Stored, Fault> {
    let (base, ancestry) = Committed::open(disk, mark, room)?;
    let marked = block(&journal, mark.height)?.header;
    if marked.state != mark.root {
        return Err(Fault::State("the state store's mark is of another block than the log's".into()));
    }
    let mut stored = redo(base, journal, Some(marked), ancestry, &mut |_, _| {})?;
    stored.opened.torn = torn;
    if stored.opened.redone > TAIL_BLOCKS {
        stored.base.checkpoint()?;
    }
    Ok(stored)
}

pub(super) fn block(journal: &dyn Journal, height: u64) -> Result<Block, Fault> {
    journal.block(height)?.ok_or_else(|| Fault::Log(format!("block {height} is missing")))
}

/// Brings a state up to the tip with the log's write sets; `ancestry` has the headers before the block that it is of.
fn redo(
    mut base: Committed,
    journal: FileJournal,
    from: Option<Header>,
    mut ancestry: Mmr,
    progress: Told<'_>,
) -> Result<Stored, Fault> {
    let tip = journal.tip().ok_or_else(|| Fault::Log("the log holds no block".into()))?;
    let first = from.as_ref().map_or(0, |header| header.height + 1);
    let tip = redo_up_to(&mut base, &journal, from, &mut ancestry, tip, progress)?;
    let opened = Opened { redone: tip.height + 1 - first, ..Opened::default() };
    Ok(Stored { base, journal, ancestry, tip, opened })
}

/// Applies the write sets of the log behind a block up to another one, many blocks at a time: of each key the last
/// write counts, and each node is hashed once. The header of the last block.
pub(super) fn redo_up_to(
    base: &mut Committed,
    journal: &dyn Journal,
    from: Option<Header>,
    ancestry: &mut Mmr,
    last: u64,
    progress: Told<'_>,
) -> Result<Header, Fault> {
    let first = from.as_ref().map_or(0, |header| header.height + 1);
    let (mut sets, mut bytes, mut newest) = (vec![], 0, from);
    for height in first..=last {
        let block = block(journal, height)?;
        let writes = journal.writes(height)?;
        let writes = writes.ok_or_else(|| Fault::Log(format!("the writes of block {height} are missing")))?;
        if writes.hash() != block.writes {
            return Err(Fault::Log(format!(
                "the writes of block {height} are not those that the block names"
            )));
        }
        if let Some(parent) = newest.replace(block.header) {
            ancestry.push(tag::ANCESTRY, &parent.hash().0);
        }
        bytes += writes.bytes().len();
        sets.push(writes);
        if bytes < REDO_BYTES && height < last {
            continue;
        }
        bytes = 0;
        let resume = Resume { log: journal.position_behind(height)?, ancestry: ancestry.clone() };
        let rows: Changes =
            last_of_each(sets.iter().flat_map(|set| set.rows().iter()).collect()).into_iter().collect();
        sets.clear();
        let root = base.redo(&rows, height, resume)?;
        if newest.as_ref().is_some_and(|header| header.state != root) {
            return Err(Fault::Diverged {
                height,
                what: "the log's writes up to it give another state root than its header".into(),
            });
        }
        progress(height + 1 - first, last + 1 - first);
    }
    newest.ok_or_else(|| Fault::Log("the log holds no block".into()))
}

/// The last write of each key, ascending by key.
fn last_of_each(mut rows: Vec<ChangeRef<'_>>) -> Vec<ChangeRef<'_>> {
    // A stable sort keeps the order of the blocks; of equal keys the last one stays.
    rows.sort_by(|a, b| a.0.cmp(b.0));
    rows.dedup_by(|later, kept| {
        let same = later.0 == kept.0;
        if same {
            std::mem::swap(later, kept);
        }
        same
    });
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_key_the_last_write_counts() {
        let rows: Vec<ChangeRef<'_>> =
            vec![(b"2", Some(b"a")), (b"1", Some(b"a")), (b"2", None), (b"3", None), (b"2", Some(b"c"))];
        let last: [ChangeRef<'_>; 3] = [(b"1", Some(b"a")), (b"2", Some(b"c")), (b"3", None)];
        assert_eq!(last_of_each(rows), last);
    }
}
