//! Replaying a chain: every item executed again in an empty memory, never using a stored write set.

use super::journal::Journal;
use super::{Chain, Genesis, Replica};
use crate::fault::Fault;
use crate::ledger;
use crate::store::WriteSet;
use crate::vm::Guest;
use std::sync::Arc;
use tenor_abi::id::Hash;
use tenor_wire::block::{Block, Certificate, Item};

/// What a replay came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Replayed {
    /// Blocks executed, genesis apart.
    pub blocks: u64,
    /// Items executed.
    pub items: u64,
    /// State root after the last one.
    pub root: Hash,
}

/// Executes blocks from 1 on in an empty chain of the same genesis.
///
/// # Errors
/// [`Fault::Diverged`] naming the first block that is not what its items give; [`Fault::Books`] when at the end
/// the books do not hold.
pub fn replay(
    genesis: &Genesis,
    guest: Arc<dyn Guest>,
    blocks: impl Iterator<Item = Result<Block, Fault>>,
    progress: impl FnMut(u64),
) -> Result<Replayed, Fault> {
    let chain = Chain::in_memory(genesis.clone(), guest).map_err(|error| Fault::State(error.to_string()))?;
    replay_on(chain, blocks, progress)
}

/// As [`replay`], on a chain that stands before the first of the blocks.
///
/// # Errors
/// As [`replay`].
pub fn replay_on(
    mut chain: Chain,
    blocks: impl Iterator<Item = Result<Block, Fault>>,
    mut progress: impl FnMut(u64),
) -> Result<Replayed, Fault> {
    let mut done = Replayed { blocks: 0, items: 0, root: chain.tip().state };
    for block in blocks {
        let block = block?;
        let header = &block.header;
        let diverged = |what: String| Fault::Diverged { height: header.height, what };
        chain.validate(header, &block.items)?.map_err(|invalid| diverged(invalid.to_string()))?;
        // The certificate is checked by whoever holds the validator set; what counts here is the execution.
        let certificate =
            Certificate { height: header.height, round: 0, header: header.hash(), votes: vec![] };
        let committed = chain.commit(certificate)?;
        if committed.receipts != block.receipts {
            return Err(diverged("receipts".into()));
        }
        done = Replayed {
            blocks: done.blocks + 1,
            items: done.items + committed.items.len() as u64,
            root: header.state,
        };
        progress(header.height);
    }
    ledger::check(&chain.state())?;
    Ok(done)
}

/// Executes blocks until one writes something else than the log has of it; height and key of the first difference.
///
/// # Errors
/// [`Fault`] when a block cannot be read or executed.
pub(super) fn first_wrong_key(
    genesis: &Genesis,
    guest: Arc<dyn Guest>,
    journal: &dyn Journal,
) -> Result<Option<(u64, Vec<u8>)>, Fault> {
    let mut chain =
        Chain::in_memory(genesis.clone(), guest).map_err(|error| Fault::State(error.to_string()))?;
    let first = chain.journal().writes(0)?;
    if let Some(key) = first_difference(journal, 0, first.as_ref())? {
        return Ok(Some((0, key)));
    }
    for height in 1..=journal.tip().unwrap_or(0) {
        let Some(block) = journal.block(height)? else { return Ok(None) };
        let transactions = block.items.into_iter().filter_map(|item| match item {
            Item::Tx(tx) => Some(tx.into()),
            Item::Due(_) | Item::Expiry(_) => None,
        });
        let header = chain.build_again(block.header.time, transactions.collect())?.header;
        let made = chain.stash.as_ref().map(|stash| &stash.writes);
        if let Some(key) = first_difference(journal, height, made)? {
            return Ok(Some((height, key)));
        }
        chain.persist(&header.hash())?;
        let hash = header.hash();
        chain.commit(Certificate { height, round: 0, header: hash, votes: vec![] })?;
    }
    Ok(None)
}

fn first_difference(
    journal: &dyn Journal,
    height: u64,
    made: Option<&WriteSet>,
) -> Result<Option<Vec<u8>>, Fault> {
    let logged = journal.writes(height)?;
    let mut rows = [made, logged.as_ref()].map(|writes| writes.into_iter().flat_map(|set| set.rows().iter()));
    loop {
        let [ours, theirs] = rows.each_mut().map(Iterator::next);
        if ours != theirs {
            return Ok([ours, theirs].into_iter().flatten().map(|row| row.0.to_vec()).min());
        }
        if ours.is_none() {
            return Ok(None);
        }
    }
}
