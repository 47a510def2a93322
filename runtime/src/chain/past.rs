//! Earlier states of a chain, and forks of it: what would happen, without its happening.

use super::{Chain, Replica};
use crate::execute::Contracts;
use crate::fault::Fault;
use crate::state::{Fork, Past};
use std::sync::Arc;
use tenor_abi::tag;

impl Chain {
    /// The state as it was after the block of a height, to be read and proved from while blocks go on.
    ///
    /// # Errors
    /// [`Fault::Gone`] when it is no longer at hand.
    pub fn past(&self, height: u64) -> Result<Past, Fault> {
        self.base.past(height)
    }

    /// A chain of its own in memory that stands where this one does: what happens to it does not happen here. It
    /// costs what is written on it, its blocks have the roots that this chain's would have, and this chain may go on
    /// meanwhile.
    ///
    /// # Errors
    /// [`Fault`] of the store.
    pub fn fork(&self) -> Result<Chain, Fault> {
        let base = self.base.fork()?;
        let journal = Box::new(self.journal.fork(self.tip.height));
        Ok(Chain {
            genesis: self.genesis.clone(),
            id: self.id,
            base: Box::new(base),
            journal,
            ancestry: self.ancestry.clone(),
            tip: self.tip.clone(),
            guest: Arc::clone(&self.guest),
            contracts: Contracts::default(),
            stash: None,
        })
    }

    /// As [`Chain::fork`], standing where this chain stood after the block of a height.
    ///
    /// # Errors
    /// [`Fault::Gone`] when that state is no longer at hand, and as [`Chain::fork`].
    pub fn fork_at(&self, height: u64) -> Result<Chain, Fault> {
        if height == self.tip.height {
            return self.fork();
        }
        let past = self.past(height)?;
        let block = self.block(height)?.ok_or_else(|| Fault::Log(format!("block {height} is missing")))?;
        let ancestry = past.ancestry().clone();
        if (block.header.state, block.header.ancestry) != (past.root(), ancestry.root(tag::ANCESTRY)) {
            return Err(Fault::State(format!(
                "the state at hand of block {height} is another one than its own"
            )));
        }
        Ok(Chain {
            genesis: self.genesis.clone(),
            id: self.id,
            base: Box::new(Fork::of(past)),
            journal: Box::new(self.journal.fork(height)),
            ancestry,
            tip: block.header,
            guest: Arc::clone(&self.guest),
            contracts: Contracts::default(),
            stash: None,
        })
    }
}
