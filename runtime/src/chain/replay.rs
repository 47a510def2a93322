//! Replaying a chain: every item executed again in an empty memory, never using a stored write set.

use super::{Chain, Genesis, Replica};
use crate::fault::Fault;
use crate::ledger;
use crate::vm::Guest;
use std::sync::Arc;
use tenor_abi::id::Hash;
use tenor_wire::block::{Block, Certificate};

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
    mut progress: impl FnMut(u64),
) -> Result<Replayed, Fault> {
    let mut chain =
        Chain::in_memory(genesis.clone(), guest).map_err(|error| Fault::State(error.to_string()))?;
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
