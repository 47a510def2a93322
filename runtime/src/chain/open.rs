//! Beginning a chain, and opening one again: load the store, redo the log after its mark, compare the root.

use super::journal::{FileJournal, Journal, MemoryJournal};
use super::{Chain, Genesis};
use crate::execute::Contracts;
use crate::fault::{Fault, Stop};
use crate::log::{Log, TornTail};
use crate::state::{CACHE_BYTES, Committed, Overlay, Resume};
use crate::store::{Change, Disk, Mark, StoreError, WriteSet};
use crate::vm::Guest;
use std::path::Path;
use std::sync::Arc;
use tenor_abi::id::{ChainId, Hash};
use tenor_abi::refusal::Refusal;
use tenor_abi::tag;
use tenor_wire::block::{Block, HEADER_VERSION, Header};
use tenor_wire::merkle::Mmr;

/// Name of the block log's folder in a data folder.
pub const LOG_FOLDER: &str = "log";
/// Name of sled's folder in a data folder.
pub const STATE_FOLDER: &str = "state";

/// Bytes of writes that opening takes together.
const REDO_BYTES: usize = 64 * 1024 * 1024;

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
    /// Whether the store had to be made again from the log.
    pub rebuilt: bool,
}

fn storage(error: &dyn std::fmt::Display) -> Fault {
    Fault::Storage(error.to_string())
}

impl Chain {
    /// Begins a chain in memory.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn in_memory(genesis: Genesis, guest: Arc<dyn Guest>) -> Result<Chain, OpenError> {
        Chain::begin(genesis, guest, Committed::in_memory(), Box::new(MemoryJournal::default()))
    }

    /// Begins a chain in a folder that has none; durable when this returns.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn create(folder: &Path, genesis: Genesis, guest: Arc<dyn Guest>) -> Result<Chain, OpenError> {
        let log = Log::create(&folder.join(LOG_FOLDER), genesis.chain_id()).map_err(Fault::from)?;
        let disk = Disk::open(&folder.join(STATE_FOLDER)).map_err(Fault::from)?;
        let base = Committed::begin(Arc::new(disk), CACHE_BYTES);
        let mut chain = Chain::begin(genesis, guest, base, Box::new(FileJournal::new(log)))?;
        chain.flush()?;
        Ok(chain)
    }

    fn begin(
        genesis: Genesis,
        guest: Arc<dyn Guest>,
        mut base: Committed,
        mut journal: Box<dyn Journal>,
    ) -> Result<Chain, OpenError> {
        let id = genesis.chain_id();
        let mut overlay = Overlay::new(&base);
        genesis.apply(&mut overlay)?;
        let writes = WriteSet::new(overlay.into_writes()?);
        let header = first_header(&genesis, id, base.stash(&writes)?);
        let block = Block { header: header.clone(), items: vec![], receipts: vec![], writes: writes.hash() };
        journal.append(&block, &writes)?;
        let resume = journal.position_behind(0)?.map(|log| Resume { log, ancestry: Mmr::default() });
        base.commit(&writes, 0, resume)?;
        let contracts = Contracts::default();
        Ok(Chain {
            genesis,
            id,
            base,
            journal,
            ancestry: Mmr::default(),
            tip: header,
            guest,
            contracts,
            stash: None,
        })
    }

    /// Opens the chain of a folder.
    ///
    /// # Errors
    /// [`OpenError`]: what is broken; damage that the log can heal is healed and reported in [`Opened`].
    pub fn open(
        folder: &Path,
        genesis: Genesis,
        guest: Arc<dyn Guest>,
    ) -> Result<(Chain, Opened), OpenError> {
        let id = genesis.chain_id();
        let Stored { base, journal, ancestry, tip, opened } = Stored::open(folder, id, CACHE_BYTES)?;
        let (journal, contracts) = (Box::new(journal), Contracts::default());
        let chain = Chain { genesis, id, base, journal, ancestry, tip, guest, contracts, stash: None };
        Ok((chain, opened))
    }

    /// Begins to bring the state on disk up to the tip, unless that is going on already. Whoever has a clock does
    /// this now and then, so that the next opening has less to redo.
    ///
    /// # Errors
    /// [`Fault`] when it cannot be written.
    pub fn checkpoint(&mut self) -> Result<(), Fault> {
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
    /// root, else from the whole log. `cache_bytes` bounds the memory that pages take.
    ///
    /// # Errors
    /// [`Fault`]: what is broken and the log cannot heal.
    pub fn open(folder: &Path, chain: ChainId, cache_bytes: usize) -> Result<Stored, Fault> {
        let (log_folder, state_folder) = (folder.join(LOG_FOLDER), folder.join(STATE_FOLDER));
        let disk = match Disk::open(&state_folder) {
            Err(full @ StoreError::Full(_)) => return Err(full.into()),
            opened => opened,
        };
        let mark = disk.as_ref().ok().and_then(|disk| disk.mark().ok().flatten());
        if let (Ok(disk), Some(mark)) = (disk, &mark) {
            let (log, torn) = Log::open_at(&log_folder, chain, &mark.log)?;
            let resumed = from_mark(Arc::new(disk), mark, FileJournal::new(log), torn, cache_bytes);
            if let Ok(stored) = resumed {
                return Ok(stored);
            }
        }
        // Whatever is wrong with the disk, the log can make the state again. What the store has seen was synced
        // in the log before: a log that ends below it has lost blocks.
        let keep = mark.map(|mark| mark.height);
        let (log, torn) = Log::open(&log_folder, chain, keep)?;
        if state_folder.exists() {
            std::fs::remove_dir_all(&state_folder).map_err(|error| storage(&error))?;
        }
        let base = Committed::begin(Arc::new(Disk::open(&state_folder)?), cache_bytes);
        let mut stored = redo(base, FileJournal::new(log), None, Mmr::default())?;
        stored.base.flush()?;
        stored.opened = Opened { torn, rebuilt: true, ..stored.opened };
        Ok(stored)
    }
}

fn from_mark(
    disk: Arc<Disk>,
    mark: &Mark,
    journal: FileJournal,
    torn: TornTail,
    cache_bytes: usize,
) -> Result<Stored, Fault> {
    let (base, ancestry) = Committed::open(disk, mark, cache_bytes)?;
    let marked = block(&journal, mark.height)?.header;
    if marked.state != mark.root {
        return Err(Fault::State("the state store's mark is of another block than the log's".into()));
    }
    let mut stored = redo(base, journal, Some(marked), ancestry)?;
    stored.opened.torn = torn;
    Ok(stored)
}

fn block(journal: &FileJournal, height: u64) -> Result<Block, Fault> {
    journal.block(height)?.ok_or_else(|| Fault::Log(format!("block {height} is missing")))
}

/// Applies the write sets of the log behind a block to the tip, many blocks at a time: of each key the last
/// write counts, and each node is hashed once. `ancestry` has the headers before that block.
fn redo(
    mut base: Committed,
    journal: FileJournal,
    from: Option<Header>,
    mut ancestry: Mmr,
) -> Result<Stored, Fault> {
    let tip = journal.tip().ok_or_else(|| Fault::Log("the log holds no block".into()))?;
    let first = from.as_ref().map_or(0, |header| header.height + 1);
    let (mut rows, mut bytes, mut newest) = (vec![], 0, from);
    for height in first..=tip {
        let block = block(&journal, height)?;
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
        rows.extend(writes.into_rows());
        if bytes < REDO_BYTES && height < tip {
            continue;
        }
        bytes = 0;
        let writes = WriteSet::new(last_of_each(std::mem::take(&mut rows)));
        let log = journal.position_behind(height)?;
        let resume = log.map(|log| Resume { log, ancestry: ancestry.clone() });
        let root = base.redo(&writes, height, resume)?;
        if newest.as_ref().is_some_and(|header| header.state != root) {
            return Err(Fault::State(format!(
                "the log's writes up to height {height} give another root than its header"
            )));
        }
    }
    let tip = newest.ok_or_else(|| Fault::Log("the log holds no block".into()))?;
    let opened = Opened { redone: tip.height + 1 - first, ..Opened::default() };
    Ok(Stored { base, journal, ancestry, tip, opened })
}

/// The last write of each key, ascending by key.
fn last_of_each(mut rows: Vec<Change>) -> Vec<Change> {
    // A stable sort keeps the order of the blocks; of equal keys the last one stays.
    rows.sort_by(|a, b| a.0.cmp(&b.0));
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
        let write = |key: u8, value: Option<u8>| (vec![key], value.map(|value| vec![value]));
        let rows =
            vec![write(2, Some(1)), write(1, Some(1)), write(2, None), write(3, None), write(2, Some(3))];
        assert_eq!(last_of_each(rows), [write(1, Some(1)), write(2, Some(3)), write(3, None)]);
    }
}
