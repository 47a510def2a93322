//! Beginning a chain, and opening one again: load the store, redo the log after its mark, compare the root.

use super::journal::{FileJournal, Journal, MemoryJournal};
use super::{Chain, Genesis};
use crate::execute::Contracts;
use crate::fault::{Fault, Stop};
use crate::log::{Log, TornTail};
use crate::state::{CACHE_BYTES, Committed, Overlay};
use crate::store::{Disk, StoreError, WriteSet};
use crate::vm::Guest;
use std::collections::BTreeMap;
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
        let log =
            Log::create(&folder.join(LOG_FOLDER), genesis.chain_id()).map_err(|error| storage(&error))?;
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
        base.commit(&writes, 0)?;
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
        // What the store has seen was synced in the log before: a log that ends below it has lost blocks.
        let disk = Disk::open(&folder.join(STATE_FOLDER));
        let mark = disk.as_ref().ok().and_then(|disk| disk.mark().ok().flatten());
        let (log, torn) = Log::open(&folder.join(LOG_FOLDER), id, mark.map(|mark| mark.height))
            .map_err(|error| Fault::Log(error.to_string()))?;
        let journal = FileJournal::new(log);
        let tip = journal.tip().ok_or_else(|| Fault::Log("the log holds no block".into()))?;
        let header = |height| -> Result<Header, Fault> {
            Ok(journal.block(height)?.ok_or_else(|| Fault::Log(format!("block {height} is missing")))?.header)
        };
        let mut ancestry = Mmr::default();
        for height in 0..tip {
            ancestry.push(tag::ANCESTRY, &header(height)?.hash().0);
        }
        let tip = header(tip)?;
        let (base, redone, rebuilt) = open_state(disk, &folder.join(STATE_FOLDER), &journal, &tip)?;
        let contracts = Contracts::default();
        let chain = Chain {
            genesis,
            id,
            base,
            journal: Box::new(journal),
            ancestry,
            tip,
            guest,
            contracts,
            stash: None,
        };
        Ok((chain, Opened { torn, redone, rebuilt }))
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

/// The state at the log's tip: from the disk's mark and the log's tail where that gives the header's root, else
/// from the whole log.
fn open_state(
    disk: Result<Disk, StoreError>,
    folder: &Path,
    journal: &FileJournal,
    tip: &Header,
) -> Result<(Committed, u64, bool), Fault> {
    if let Ok(disk) = disk
        && let Ok((base, redone)) = from_mark(Arc::new(disk), journal, tip)
    {
        return Ok((base, redone, false));
    }
    // Whatever is wrong with the disk, the log can make the state again.
    if folder.exists() {
        std::fs::remove_dir_all(folder).map_err(|error| storage(&error))?;
    }
    let mut base = Committed::begin(Arc::new(Disk::open(folder)?), CACHE_BYTES);
    redo(&mut base, journal, 0, tip)?;
    base.flush()?;
    Ok((base, tip.height + 1, true))
}

fn from_mark(disk: Arc<Disk>, journal: &FileJournal, tip: &Header) -> Result<(Committed, u64), Fault> {
    let mark = disk.mark()?.ok_or_else(|| Fault::State("the state store has no mark".into()))?;
    if mark.height > tip.height {
        return Err(Fault::State("the state store is ahead of the log".into()));
    }
    let marked = journal.block(mark.height)?.map(|block| block.header.state);
    if marked != Some(mark.root) {
        return Err(Fault::State("the state store's mark is of another block than the log's".into()));
    }
    let mut base = Committed::open(disk, &mark, CACHE_BYTES)?;
    redo(&mut base, journal, mark.height + 1, tip)?;
    Ok((base, tip.height - mark.height))
}

/// Applies the write sets of the log from a height to the tip, many blocks at a time: of each key the last
/// write counts, and each node is hashed once.
fn redo(base: &mut Committed, journal: &FileJournal, from: u64, tip: &Header) -> Result<(), Fault> {
    let (mut rows, mut bytes) = (BTreeMap::new(), 0);
    for height in from..=tip.height {
        let writes = journal.writes(height)?;
        let writes = writes.ok_or_else(|| Fault::Log(format!("the writes of block {height} are missing")))?;
        let block = journal.block(height)?.ok_or_else(|| Fault::Log(format!("block {height} is missing")))?;
        if writes.hash() != block.writes {
            return Err(Fault::Log(format!("the writes of block {height} are not those that the block names")));
        }
        for (key, value) in writes.into_rows() {
            bytes += key.len() + value.as_ref().map_or(0, Vec::len);
            rows.insert(key, value);
        }
        if bytes < REDO_BYTES && height < tip.height {
            continue;
        }
        bytes = 0;
        let writes = WriteSet::new(std::mem::take(&mut rows).into_iter().collect());
        let root = base.redo(&writes, height)?;
        if root != block.header.state {
            return Err(Fault::State(format!(
                "the log's writes up to height {height} give another root than its header"
            )));
        }
    }
    Ok(())
}
