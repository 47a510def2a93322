//! All that a sequencer sees of a replica.

use super::Chain;
use super::build::{BlockBytes, Built, Invalid, beside};
use crate::execute::Candidate;
use crate::fault::Fault;
use crate::state::{Fork, Resume};
use crate::store::WriteSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use tenor_abi::date::Timestamp;
use tenor_abi::id::Hash;
use tenor_wire::block::{Block, Certificate, Header, Item};
use tenor_wire::merkle::Mmr;

/// A block that was executed and waits for its certificate.
#[derive(Debug)]
pub struct Stashed {
    pub(super) hash: Hash,
    pub(super) block: Block,
    /// The block's canonical bytes.
    pub(super) bytes: BlockBytes,
    pub(super) writes: WriteSet,
    pub(super) ancestry: Mmr,
    /// Whether who reads the state has it already.
    pub(super) is_taken_in: bool,
}

/// What a sequencer (one signer, or consensus among banks) needs of a replica.
pub trait Replica {
    /// Header of the newest committed block.
    fn tip(&self) -> &Header;
    /// Builds and stashes the next block.
    ///
    /// # Errors
    /// [`Fault`]: the replica is broken.
    fn build(&mut self, time: Timestamp, candidates: Vec<Candidate>) -> Result<Built, Fault>;
    /// Executes somebody else's block and stashes it when it is valid.
    ///
    /// # Errors
    /// [`Fault`] outside, [`Invalid`] inside.
    fn validate(&mut self, header: &Header, items: &[Item]) -> Result<Result<(), Invalid>, Fault>;
    /// Writes the stashed block durably; nobody is told of it before.
    ///
    /// # Errors
    /// [`Fault`] when storage fails or another block is stashed.
    fn persist(&mut self, hash: &Hash) -> Result<(), Fault>;
    /// Makes the persisted block the newest one, under its certificate.
    ///
    /// # Errors
    /// As [`Replica::persist`].
    fn commit(&mut self, certificate: Certificate) -> Result<Block, Fault>;
    /// Hands in the newest block's certificate again, where the process ended before it was written.
    ///
    /// # Errors
    /// As [`Replica::persist`].
    fn recertify(&mut self, sign: &dyn Fn(&Header) -> Certificate) -> Result<(), Fault>;
    /// A committed block.
    ///
    /// # Errors
    /// [`Fault`] when it cannot be read.
    fn block(&self, height: u64) -> Result<Option<Block>, Fault>;
}

impl Chain {
    /// Writes the stashed block durably while who reads the state is given it already, and calls `taken_in` once that is done:
    /// nobody but who makes the next block may be told of it before it is committed. Where it cannot be written or taken in, the state
    /// is as it was before the block, or says that it is not to be had.
    ///
    /// # Errors
    /// [`Fault`]: the replica is broken.
    pub(super) fn persist_beside(&mut self, taken_in: impl FnOnce()) -> Result<(), Fault> {
        let Chain { base, journal, stash, tip, .. } = self;
        let stash = stash.as_mut().ok_or_else(|| Fault::Storage("no block is stashed".into()))?;
        let before = base.past(tip.height)?;
        let height = stash.block.header.height;
        let append = || journal.append(&stash.block, stash.bytes.get(), &stash.writes);
        let take_in = || base.take_in(stash.writes.rows(), height, &stash.ancestry).map(|()| taken_in());
        let both = || {
            let (durable, taken) = beside(stash.block.items.len(), append, take_in);
            durable.and(taken)
        };
        // A panic on either side leaves as little behind as an error does, and then goes on.
        let done = catch_unwind(AssertUnwindSafe(both));
        if !matches!(done, Ok(Ok(()))) {
            *base = Box::new(Fork::of(before));
        }
        done.unwrap_or_else(|panic| resume_unwind(panic))?;
        stash.is_taken_in = true;
        Ok(())
    }
}

impl Replica for Chain {
    fn tip(&self) -> &Header {
        Chain::tip(self)
    }

    fn build(&mut self, time: Timestamp, candidates: Vec<Candidate>) -> Result<Built, Fault> {
        Chain::build(self, time, candidates)
    }

    fn validate(&mut self, header: &Header, items: &[Item]) -> Result<Result<(), Invalid>, Fault> {
        Chain::validate(self, header, items)
    }

    fn persist(&mut self, hash: &Hash) -> Result<(), Fault> {
        let stash = self.stash.as_ref().filter(|stash| stash.hash == *hash);
        let stash = stash.ok_or_else(|| Fault::Storage(format!("no block {hash} is stashed")))?;
        self.journal.append(&stash.block, stash.bytes.get(), &stash.writes)
    }

    fn commit(&mut self, certificate: Certificate) -> Result<Block, Fault> {
        let stash = self.stash.take_if(|stash| stash.hash == certificate.header);
        let stash =
            stash.ok_or_else(|| Fault::Storage(format!("no block {} is stashed", certificate.header)))?;
        let header = &stash.block.header;
        self.journal.certify(certificate)?;
        let resume =
            Resume { log: self.journal.position_behind(header.height)?, ancestry: stash.ancestry.clone() };
        match stash.is_taken_in {
            true => self.base.settle(resume)?,
            false => self.base.commit(stash.writes.rows(), header.height, resume)?,
        }
        self.ancestry = stash.ancestry;
        self.tip = header.clone();
        Ok(stash.block)
    }

    fn recertify(&mut self, sign: &dyn Fn(&Header) -> Certificate) -> Result<(), Fault> {
        if self.tip.height == 0 || self.journal.certificate(self.tip.height)?.is_some() {
            return Ok(());
        }
        self.journal.certify(sign(&self.tip))
    }

    fn block(&self, height: u64) -> Result<Option<Block>, Fault> {
        self.journal.block(height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::{GENESIS_VERSION, Genesis};
    use crate::log::fail_at;
    use crate::params::Parameters;
    use crate::state::Room;
    use crate::vm::{self, Bounds, CallReport, Context, Guest, Session};
    use std::sync::Arc;
    use tenor_abi::id::{CodeHash, HoldId, PartyId};
    use tenor_wire::block::{ExpiryItem, Item, Validator, ValidatorSet};
    use tenor_wire::crypto::SecretKey;

    /// Runs nothing.
    struct Nobody;

    impl Guest for Nobody {
        fn load(&self, _: &CodeHash, _: &[u8], _: Bounds) -> Result<(), Fault> {
            Err(Fault::Engine("nothing is loaded".into()))
        }

        fn call(
            &self,
            _: &CodeHash,
            _: &str,
            _: Context,
            _: &[u8],
            _: u64,
            _: &mut dyn Session,
        ) -> Result<CallReport, Fault> {
            Err(Fault::Engine("nothing is called".into()))
        }
    }

    fn genesis() -> Genesis {
        let key = SecretKey::from_bytes(&[7; 32]).unwrap().public();
        Genesis {
            version: GENESIS_VERSION,
            time: Timestamp(1),
            parameters: Parameters::sandbox(
                vm::admission_hash(),
                vm::prices_hash(),
                vm::INSTRUMENTER_VERSION,
            ),
            validators: ValidatorSet {
                validators: vec![Validator { bank: PartyId([1; 32]), key }],
                quorum: 1,
            },
            zones: vec![],
            operations: vec![],
        }
    }

    #[test]
    fn a_block_that_was_shown_and_could_not_be_written_is_gone_from_the_state() {
        let folder = tempfile::tempdir().unwrap();
        let mut chain = Chain::create(folder.path(), genesis(), Arc::new(Nobody), Room::default()).unwrap();
        let certificate = |header: &Header| Certificate {
            height: header.height,
            round: 0,
            header: header.hash(),
            votes: vec![],
        };
        // Each begins a day, which is what it writes.
        let day = |number: u64| Timestamp(number * 400 * tenor_abi::date::DAY_MS);
        let first = chain.build(day(1), vec![]).unwrap().header;
        let mut shown = 0;
        chain.persist_beside(|| shown += 1).unwrap();
        chain.commit(certificate(&first)).unwrap();
        assert_eq!((chain.base.root(), shown), (first.state, 1));
        let second = chain.build(day(2), vec![]).unwrap().header;
        assert_ne!(second.state, first.state);
        fail_at(Some(0));
        let told = chain.persist_beside(|| shown += 1).unwrap_err();
        fail_at(None);
        assert!(matches!(&told, Fault::Storage(text) if text.contains("the disk is full")), "{told}");
        assert_eq!((chain.base.root(), shown, chain.tip()), (first.state, 2, &first));
        // The same block could be made again, and is not written either.
        let again = chain.build(day(2), vec![]).unwrap().header;
        assert_eq!(again, second);
        let told = chain.persist(&again.hash()).unwrap_err().to_string();
        assert!(told.contains("an earlier write to the log failed"), "{told}");
    }

    #[test]
    fn so_is_one_that_another_core_could_not_write() {
        let folder = tempfile::tempdir().unwrap();
        let mut chain = Chain::create(folder.path(), genesis(), Arc::new(Nobody), Room::default()).unwrap();
        let before = chain.tip().clone();
        let first = chain.build(Timestamp(400 * tenor_abi::date::DAY_MS), vec![]).unwrap().header;
        fail_at(Some(0));
        chain.persist(&first.hash()).unwrap_err();
        fail_at(None);
        assert_eq!(chain.base.root(), first.state);
        // As many items as are worth a thread.
        let item = Item::Expiry(ExpiryItem { hold: HoldId([0; 32]) });
        chain.stash.as_mut().unwrap().block.items = vec![item; 1_000];
        let mut shown = 0;
        let told = chain.persist_beside(|| shown += 1).unwrap_err().to_string();
        assert!(told.contains("an earlier write to the log failed"), "{told}");
        assert_eq!((chain.base.root(), shown, chain.tip()), (before.state, 1, &before));
    }
}
