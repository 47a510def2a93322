//! A chain that is somewhere else: its rows, blocks and certificates are asked for, and nothing is committed here.

use super::journal::{Journal, MemoryJournal};
use super::{Chain, Genesis};
use crate::fault::Fault;
use crate::log::{Extent, Position};
use crate::state::{Base, Fork, Past, State, StateMemory};
use crate::store::{Changes, Row, WriteSet};
use crate::vm::Guest;
use std::sync::Arc;
use tenor_abi::id::Hash;
use tenor_wire::block::{Block, Certificate, Header};
use tenor_wire::merkle::Mmr;
use tenor_wire::multiproof::MultiProof;
use tenor_wire::trie::StateProof;

/// Whoever has the chain, asked as it stood after one block.
pub trait Source: Send + Sync {
    /// As [`Base::get`].
    ///
    /// # Errors
    /// [`Fault::Elsewhere`] when it does not answer, or says no.
    fn get(&self, full_key: &[u8]) -> Result<Option<Vec<u8>>, Fault>;
    /// As [`Base::next`].
    ///
    /// # Errors
    /// As [`Source::get`].
    fn next(&self, from: &[u8], end: &[u8]) -> Result<Option<Row>, Fault>;
    /// As [`State::prove`].
    ///
    /// # Errors
    /// As [`Source::get`].
    fn prove(&self, full_key: &[u8]) -> Result<Option<StateProof>, Fault>;
    /// As [`Journal::block`].
    ///
    /// # Errors
    /// As [`Source::get`].
    fn block(&self, height: u64) -> Result<Option<Block>, Fault>;
    /// As [`Journal::certificate`].
    ///
    /// # Errors
    /// As [`Source::get`].
    fn certificate(&self, height: u64) -> Result<Option<Certificate>, Fault>;
}

impl Chain {
    /// A chain that somebody else has, to be read and tried out as it stood after a block.
    pub fn mirror(genesis: Genesis, tip: Header, source: Arc<dyn Source>, guest: Arc<dyn Guest>) -> Chain {
        let mirror = |source| Mirror { source, root: tip.state, height: tip.height };
        Chain {
            genesis: Arc::new(genesis),
            base: Box::new(mirror(Arc::clone(&source))),
            journal: Box::new(mirror(source)),
            ancestry: Mmr::default(),
            tip,
            guest,
            contracts: Arc::default(),
            stash: None,
        }
    }
}

struct Mirror {
    source: Arc<dyn Source>,
    root: Hash,
    height: u64,
}

fn elsewhere() -> Fault {
    Fault::Elsewhere("the chain is elsewhere; it is only read here".into())
}

impl Base for Mirror {
    fn get(&self, full_key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        self.source.get(full_key)
    }

    fn next(&self, from: &[u8], end: &[u8]) -> Result<Option<Row>, Fault> {
        self.source.next(from, end)
    }
}

impl State for Mirror {
    fn root(&self) -> Hash {
        self.root
    }

    fn stash_when(&mut self, _: &Changes, _: &dyn Fn()) -> Result<Hash, Fault> {
        Err(elsewhere())
    }

    fn unstash(&mut self) -> Result<(), Fault> {
        Err(elsewhere())
    }

    fn take_in(&mut self, _: &Changes, _: u64, _: &Mmr) -> Result<(), Fault> {
        Err(elsewhere())
    }

    fn prove(&self, full_key: &[u8]) -> Result<Option<StateProof>, Fault> {
        self.source.prove(full_key)
    }

    fn prove_all(&self, _: &[Vec<u8>]) -> Result<Option<MultiProof>, Fault> {
        Err(elsewhere())
    }

    fn past(&self, _: u64) -> Result<Past, Fault> {
        Err(elsewhere())
    }

    fn fork(&self) -> Result<Fork, Fault> {
        Err(elsewhere())
    }

    fn memory(&self) -> StateMemory {
        StateMemory::default()
    }
}

impl Journal for Mirror {
    fn append(&mut self, _: &Block, _: &[u8], _: &WriteSet) -> Result<(), Fault> {
        Err(elsewhere())
    }

    fn certify(&mut self, _: Certificate) -> Result<(), Fault> {
        Err(elsewhere())
    }

    fn block(&self, height: u64) -> Result<Option<Block>, Fault> {
        self.source.block(height)
    }

    fn writes(&self, _: u64) -> Result<Option<WriteSet>, Fault> {
        Err(elsewhere())
    }

    fn certificate(&self, height: u64) -> Result<Option<Certificate>, Fault> {
        self.source.certificate(height)
    }

    fn tip(&self) -> Option<u64> {
        Some(self.height)
    }

    fn position_behind(&self, _: u64) -> Result<Option<Position>, Fault> {
        Ok(None)
    }

    fn extent(&self) -> Result<Vec<Extent>, Fault> {
        Ok(vec![])
    }

    fn fork(&self, _: u64) -> MemoryJournal {
        MemoryJournal::default()
    }
}
