//! State: what the chain knows after the last item, as typed records over canonical bytes.

pub mod namespace;
pub mod record;
mod base;
mod stored;
mod posted;
mod accounts;
mod cells;
mod overlay;
mod written;
mod window;
mod committed;
mod past;
mod fork;
mod journal;

pub use accounts::{FEW, Seen, Traits};
pub use base::Base;
pub(crate) use cells::joined;
pub use committed::{CACHE_BYTES, CACHE_BYTES_MIN, Committed, HISTORY_BYTES, Resume, Room, StateMemory};
pub use fork::Fork;
pub use namespace::Kind;
#[cfg(test)]
pub(crate) use overlay::Nothing;
pub use overlay::{AccountsView, Booking, Mark, Moment, Overlay, Place};
pub use past::Past;
pub use posted::{POSTING_BYTES_MAX, Posted, PostingRow};
pub use record::Record;
pub use written::known_rows;

use crate::fault::Fault;
use crate::store::Changes;
use tenor_abi::id::Hash;
use tenor_wire::merkle::Mmr;
use tenor_wire::multiproof::MultiProof;
use tenor_wire::trie::StateProof;

/// A state that blocks are committed to: a replica's own, or a fork of it.
pub trait State: Base + Send + Sync {
    /// The root, with whatever is stashed.
    fn root(&self) -> Hash;
    /// The state to be read by another thread while blocks go on: what is read is as of the newest block when it is
    /// read. None where there is no such reader.
    fn reader(&self) -> Option<Box<dyn Base>> {
        None
    }
    /// Puts the leaves of a block's write set into the trie and returns the root; what is read stays as it was.
    ///
    /// # Errors
    /// [`Fault::State`] when what was read is not what its hash says.
    fn stash(&mut self, rows: &Changes) -> Result<Hash, Fault> {
        self.stash_when(rows, &|| ())
    }
    /// As [`State::stash`]. Who reads while leaves are put into the trie waits, so `ready` is called before and returns
    /// when it may begin.
    ///
    /// # Errors
    /// As [`State::stash`].
    fn stash_when(&mut self, rows: &Changes, ready: &dyn Fn()) -> Result<Hash, Fault>;
    /// Takes the stashed leaves back.
    ///
    /// # Errors
    /// As [`State::stash`].
    fn unstash(&mut self) -> Result<(), Fault>;
    /// Makes the stashed block, whose writes these are, the newest one.
    ///
    /// # Errors
    /// [`Fault::Storage`] when the disk no longer takes checkpoints.
    fn commit(&mut self, rows: &Changes, height: u64, resume: Resume) -> Result<(), Fault> {
        self.take_in(rows, height, &resume.ancestry)?;
        self.settle(resume)
    }
    /// Makes the stashed block, whose writes these are and before whose header these are all others, the newest one to who
    /// reads, though it need not be durable: no checkpoint has it before it is settled.
    ///
    /// # Errors
    /// As [`State::stash`].
    fn take_in(&mut self, rows: &Changes, height: u64, ancestry: &Mmr) -> Result<(), Fault>;
    /// The block that was taken in is durable.
    ///
    /// # Errors
    /// As [`State::commit`].
    fn settle(&mut self, _: Resume) -> Result<(), Fault> {
        Ok(())
    }
    /// Begins to write what changed to the disk, where there is one; false when that is still going on for earlier
    /// blocks.
    ///
    /// # Errors
    /// As [`State::commit`].
    fn checkpoint(&mut self) -> Result<bool, Fault> {
        Ok(true)
    }
    /// Returns when everything committed is on the disk, where there is one.
    ///
    /// # Errors
    /// As [`State::commit`].
    fn flush(&mut self) -> Result<(), Fault> {
        Ok(())
    }
    /// The proof of what is at a key under the root; nothing may be stashed.
    ///
    /// # Errors
    /// As [`Base::get`].
    fn prove(&self, full_key: &[u8]) -> Result<Option<StateProof>, Fault>;
    /// One proof of what is at several keys, as [`State::prove`].
    ///
    /// # Errors
    /// As [`Base::get`].
    fn prove_all(&self, full_keys: &[Vec<u8>]) -> Result<Option<MultiProof>, Fault>;
    /// What of it was found damaged on the disk since it was opened, and what becomes of it; none where nothing was.
    fn damage(&self) -> Option<String> {
        None
    }
    /// The state as it was after the block of a height.
    ///
    /// # Errors
    /// [`Fault::Gone`] when it is no longer at hand.
    fn past(&self, height: u64) -> Result<Past, Fault>;
    /// A state of its own that stands where this one does.
    ///
    /// # Errors
    /// [`Fault`].
    fn fork(&self) -> Result<Fork, Fault>;
    /// What it takes in memory.
    fn memory(&self) -> StateMemory;
}
