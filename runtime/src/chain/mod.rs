//! The chain: blocks built, validated, committed and read back.
//!
//! [`Chain`] is one replica. It builds a block from candidates or validates one it is given, and commits what
//! it stashed once a certificate says so; who decides that is a sequencer's matter ([`Solo`] decides alone).

mod genesis;
mod journal;
mod ahead;
mod load;
mod build;
mod replica;
mod open;
mod solo;
mod above;
mod read;
mod replay;
mod past;
mod mirror;
mod still;
mod retain;
mod examine;

pub use build::{Built, Invalid};
pub use examine::{Finding, examine};
pub use genesis::{GENESIS_VERSION, Genesis};
pub use journal::{FileJournal, Journal, MemoryJournal, peek_block};
pub use mirror::Source;
pub use open::{
    LOG_FOLDER, OpenError, Opened, SNAPSHOT_FOLDER, STATE_FOLDER, Stored, Told, snapshot_heights,
};
pub use replay::{Replayed, replay, replay_on};
pub use replica::{Replica, Stashed};
pub use retain::{Retained, Retention, RetentionError};
pub use solo::Solo;
pub use still::Still;

use crate::execute::{BlockContext, Contracts};
use crate::fault::Fault;
use crate::ledger;
use crate::schedule;
use crate::state::{Overlay, State, StateMemory};
use crate::vm::Guest;
use std::sync::Arc;
use tenor_abi::date::Timestamp;
use tenor_abi::id::ChainId;
use tenor_wire::block::Header;
use tenor_wire::merkle::Mmr;

/// One replica of a chain.
pub struct Chain {
    /// Shared with every fork: it may name every customer there was at the beginning.
    genesis: Arc<Genesis>,
    base: Box<dyn State>,
    journal: Box<dyn Journal>,
    /// Hashes of all headers before the tip.
    ancestry: Mmr,
    tip: Header,
    guest: Arc<dyn Guest>,
    contracts: Arc<Contracts>,
    stash: Option<Stashed>,
}

impl Chain {
    /// The chain's id: the hash of the genesis document, until a restart makes it another one.
    pub fn id(&self) -> ChainId {
        self.tip.chain
    }

    /// The document the chain began with.
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// Header of the newest block.
    pub fn tip(&self) -> &Header {
        &self.tip
    }

    /// The engine that runs contracts.
    pub fn guest(&self) -> &Arc<dyn Guest> {
        &self.guest
    }

    /// Blocks and receipts.
    pub fn journal(&self) -> &dyn Journal {
        self.journal.as_ref()
    }

    /// The instant at which the chain next has something to do by itself.
    ///
    /// # Errors
    /// [`Fault`] of the store.
    pub fn next_wake(&self) -> Result<Option<Timestamp>, Fault> {
        next_wake(&Overlay::new(self.base.as_ref()))
    }

    /// What the state takes in memory.
    pub fn state_memory(&self) -> StateMemory {
        self.base.memory()
    }

    /// What of the state was found damaged on the disk since it was opened, by whoever reads it here or in a fork, and what
    /// becomes of it; none where nothing was.
    pub fn state_damage(&self) -> Option<String> {
        self.base.damage()
    }

    /// State as of the newest block, to read or to try things on; nothing written to it is kept.
    pub fn state(&self) -> Overlay<'_> {
        Overlay::new(self.base.as_ref())
    }

    /// The context of a block after the newest one.
    pub fn context(&self, time: Timestamp) -> BlockContext<'_> {
        BlockContext {
            chain: self.tip.chain,
            before: self.tip.chain,
            parent: self.tip.hash(),
            validators: &self.genesis.validators,
            height: self.tip.height + 1,
            time,
            parameters: &self.genesis.parameters,
            guest: self.guest.as_ref(),
            contracts: &self.contracts,
            is_new: true,
        }
    }
}

/// The instant at which a chain with this state next has something to do by itself.
fn next_wake(state: &Overlay<'_>) -> Result<Option<Timestamp>, Fault> {
    let wakes = [schedule::next_wake(state)?, ledger::next_expiry(state)?];
    Ok(wakes.into_iter().flatten().min())
}

#[cfg(test)]
mod grown;
#[cfg(test)]
mod storage_tests;
#[cfg(test)]
mod disk_tests;
#[cfg(test)]
mod due_tests;
#[cfg(test)]
mod retain_tests;
#[cfg(test)]
mod examine_tests;
#[cfg(test)]
mod past_tests;
