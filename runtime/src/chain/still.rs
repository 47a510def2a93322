//! A chain as it stands, to be copied while it goes on.

use super::journal::Journal;
use super::{Chain, Stored};
use crate::fault::Fault;
use crate::log::Extent;
use crate::snapshot::{Snapshot, SnapshotError};
use crate::state::{Past, State};
use std::path::Path;
use tenor_abi::id::ChainId;
use tenor_wire::block::Header;

/// Everything that a chain has after a block: state and log. It takes no part in what happens to the chain, and may be
/// handed to another thread.
pub struct Still {
    /// The chain that it began as.
    origin: ChainId,
    past: Past,
    header: Header,
    log: Vec<Extent>,
}

impl Still {
    fn of(
        origin: ChainId,
        state: &dyn State,
        journal: &dyn Journal,
        header: &Header,
    ) -> Result<Still, Fault> {
        Ok(Still { origin, past: state.past(header.height)?, header: header.clone(), log: journal.extent()? })
    }

    /// The chain that it began as: that of the genesis document, also behind a restart.
    pub fn origin(&self) -> ChainId {
        self.origin
    }

    /// Header of the block.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The state after it.
    pub fn state(&self) -> &Past {
        &self.past
    }

    /// The log up to it; nothing where the chain is in memory.
    pub fn log(&self) -> &[Extent] {
        &self.log
    }

    /// Writes the state into a new folder.
    ///
    /// # Errors
    /// As [`Snapshot::create`].
    pub fn snapshot(&self, folder: &Path, progress: impl FnMut(u64, u64)) -> Result<Snapshot, SnapshotError> {
        Snapshot::create(folder, &self.past, &self.header, progress)
    }
}

impl Chain {
    /// The chain as it stands after its newest block.
    ///
    /// # Errors
    /// [`Fault`] when the log's files cannot be opened.
    pub fn still(&self) -> Result<Still, Fault> {
        Still::of(self.genesis.chain_id(), self.base.as_ref(), self.journal.as_ref(), &self.tip)
    }
}

impl Stored {
    /// As [`Chain::still`].
    ///
    /// # Errors
    /// As [`Chain::still`].
    pub fn still(&self) -> Result<Still, Fault> {
        Still::of(self.journal.chain(), &self.base, &self.journal, &self.tip)
    }
}
