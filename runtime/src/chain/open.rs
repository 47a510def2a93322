//! Beginning a chain, and opening one again: load the store, redo the log after its mark, compare the root.

use super::base::{ChainBase, leaf};
use super::journal::{FileJournal, Journal, MemoryJournal};
use super::{Chain, Genesis};
use crate::execute::Contracts;
use crate::fault::{Fault, Stop};
use crate::log::{Log, TornTail};
use crate::state::{Kind, Overlay};
use crate::store::{Mark, MemoryStore, SledStore, Store, StoreError, WriteSet};
use crate::trie::Trie;
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
        Chain::begin(genesis, guest, Box::new(MemoryStore::default()), Box::new(MemoryJournal::default()))
    }

    /// Begins a chain in a folder that has none; durable when this returns.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn create(folder: &Path, genesis: Genesis, guest: Arc<dyn Guest>) -> Result<Chain, OpenError> {
        let log =
            Log::create(&folder.join(LOG_FOLDER), genesis.chain_id()).map_err(|error| storage(&error))?;
        let store = SledStore::open(&folder.join(STATE_FOLDER)).map_err(|error| storage(&error))?;
        let mut chain = Chain::begin(genesis, guest, Box::new(store), Box::new(FileJournal::new(log)))?;
        chain.base.store.flush().map_err(|error| storage(&error))?;
        Ok(chain)
    }

    fn begin(
        genesis: Genesis,
        guest: Arc<dyn Guest>,
        store: Box<dyn Store>,
        journal: Box<dyn Journal>,
    ) -> Result<Chain, OpenError> {
        let id = genesis.chain_id();
        let mut base = ChainBase { store, trie: Trie::default() };
        let mut overlay = Overlay::new(&base);
        genesis.apply(&mut overlay)?;
        let writes = WriteSet::new(overlay.into_writes()?);
        let root = base.begin(&writes);
        let header = first_header(&genesis, id, root);
        base.apply(&writes, Mark { height: 0, root })?;
        let block = Block { header: header.clone(), items: vec![], receipts: vec![], writes: writes.hash() };
        let mut journal = journal;
        journal.append(&block, &writes)?;
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
        let store = SledStore::open(&folder.join(STATE_FOLDER));
        let mark = store.as_ref().ok().and_then(|store| store.mark().ok().flatten());
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
        let (base, redone, rebuilt) = open_state(store, &folder.join(STATE_FOLDER), &journal, &tip)?;
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
        self.base.store.flush().map_err(|error| storage(&error))
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

/// The state at the log's tip: from the store and the log's tail where that gives the header's root, else
/// from the whole log.
fn open_state(
    store: Result<SledStore, StoreError>,
    folder: &Path,
    journal: &FileJournal,
    tip: &Header,
) -> Result<(ChainBase, u64, bool), Fault> {
    if let Ok(store) = store
        && let Ok((base, redone)) = redo(store, journal, tip)
        && base.trie.root() == tip.state
    {
        return Ok((base, redone, false));
    }
    // Whatever is wrong with the store, the log can make it again.
    if folder.exists() {
        std::fs::remove_dir_all(folder).map_err(|error| storage(&error))?;
    }
    let store = SledStore::open(folder).map_err(|error| storage(&error))?;
    let (base, redone) = redo(store, journal, tip)?;
    if base.trie.root() != tip.state {
        return Err(Fault::State(format!(
            "the log's writes up to height {} give another root than its header",
            tip.height
        )));
    }
    Ok((base, redone, true))
}

fn redo(mut store: SledStore, journal: &FileJournal, tip: &Header) -> Result<(ChainBase, u64), Fault> {
    let mark = store.mark().map_err(|error| storage(&error))?;
    if mark.is_some_and(|mark| mark.height > tip.height) {
        return Err(Fault::State("the store is ahead of the log".into()));
    }
    let first = mark.map_or(0, |mark| mark.height + 1);
    for height in first..=tip.height {
        let writes = journal
            .writes(height)?
            .ok_or_else(|| Fault::Log(format!("the writes of block {height} are missing")))?;
        let block = journal.block(height)?.ok_or_else(|| Fault::Log(format!("block {height} is missing")))?;
        if writes.hash() != block.writes {
            return Err(Fault::Log(format!(
                "the writes of block {height} are not those that the block names"
            )));
        }
        store.apply(&writes, Mark { height, root: block.header.state }).map_err(|error| storage(&error))?;
    }
    store.flush().map_err(|error| storage(&error))?;
    let trie = load(&store)?;
    Ok((ChainBase { store: Box::new(store), trie }, tip.height + 1 - first))
}

/// The trie of a store's leaves; and every occurrence that a schedule waits for must be in the due queue.
fn load(store: &SledStore) -> Result<Trie, Fault> {
    let mut leaves = Vec::new();
    let mut from = vec![1];
    while let Some((key, value)) =
        store.next(&from, &[Kind::Idempotency as u8]).map_err(|error| storage(&error))?
    {
        leaves.extend(leaf(&key, Some(&value)));
        from = key;
        from.push(0);
    }
    let mut trie = Trie::default();
    let _ = trie.update(&leaves);
    Ok(trie)
}
