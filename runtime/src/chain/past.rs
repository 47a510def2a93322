//! Earlier states of a chain, and forks of it: what would happen, without its happening.

use super::open::{PAST_FOLDER, Told, redo_up_to, remove, snapshots};
use super::{Chain, Replica};
use crate::fault::Fault;
use crate::snapshot::Snapshot;
use crate::state::{Committed, Fork, Past, Room};
use crate::store::Disk;
use std::path::Path;
use std::sync::Arc;
use tenor_abi::tag;
use tenor_wire::merkle::Mmr;

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
            genesis: Arc::clone(&self.genesis),
            base: Box::new(base),
            journal,
            ancestry: self.ancestry.clone(),
            tip: self.tip.clone(),
            guest: Arc::clone(&self.guest),
            contracts: Arc::default(),
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
        self.fork_of(self.past(height)?, height)
    }

    /// As [`Chain::fork_at`], for a state that is no longer at hand: it is made from the nearest snapshot before it in
    /// the chain's folder, or from the first block, and the log's write sets. Nothing is executed.
    ///
    /// # Errors
    /// [`Fault::Log`] when the log does not reach back so far, and as [`Chain::fork`].
    pub fn fork_from_log(
        &self,
        folder: &Path,
        height: u64,
        room: Room,
        progress: Told<'_>,
    ) -> Result<Chain, Fault> {
        let making = folder.join(PAST_FOLDER);
        remove(&making)?;
        let room = Room { history_bytes: 0, ..room };
        let mut state = Committed::begin(Arc::new(Disk::scratch(&making)?), room);
        let mut newest_first = snapshots(folder)?.into_iter().filter_map(|path| Snapshot::open(&path).ok());
        let (from, mut ancestry) = match newest_first.find(|snapshot| snapshot.header().height <= height) {
            None => (None, Mmr::default()),
            Some(snapshot) => {
                let log = self.journal.position_behind(snapshot.header().height)?;
                snapshot.restore(&mut state, log, &mut *progress)?;
                (Some(snapshot.header().clone()), snapshot.manifest().ancestry.clone())
            }
        };
        if from.as_ref().is_none_or(|header| header.height < height) {
            redo_up_to(&mut state, self.journal.as_ref(), from, &mut ancestry, height, progress)?;
        }
        self.fork_of(state.now()?, height)
    }

    /// A fork that stands on a past state of this chain.
    fn fork_of(&self, past: Past, height: u64) -> Result<Chain, Fault> {
        let block = self.block(height)?.ok_or_else(|| Fault::Log(format!("block {height} is missing")))?;
        let ancestry = past.ancestry().clone();
        if (block.header.state, block.header.ancestry) != (past.root(), ancestry.root(tag::ANCESTRY)) {
            return Err(Fault::State(format!(
                "the state at hand of block {height} is another one than its own"
            )));
        }
        Ok(Chain {
            genesis: Arc::clone(&self.genesis),
            base: Box::new(Fork::of(past)),
            journal: Box::new(self.journal.fork(height)),
            ancestry,
            tip: block.header,
            guest: Arc::clone(&self.guest),
            contracts: Arc::default(),
            stash: None,
        })
    }
}
