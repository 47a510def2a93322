//! One signer makes the blocks alone, in the same form as a quorum would.

use super::Replica;
use super::build::Built;
use crate::execute::Candidate;
use crate::fault::Fault;
use tenor_abi::date::Timestamp;
use tenor_wire::block::{Block, Certificate};
use tenor_wire::crypto::SecretKey;

/// The sequencer of a chain with one validator.
#[derive(Debug)]
pub struct Solo {
    key: SecretKey,
}

impl Solo {
    /// The sequencer that signs with the validator's key.
    pub fn new(key: SecretKey) -> Solo {
        Solo { key }
    }

    /// Makes, writes durably, signs and commits the next block.
    ///
    /// The block and its writes are synced before the signature is made, so what the signer has signed is
    /// always in its log.
    ///
    /// # Errors
    /// [`Fault`]: the replica is broken.
    pub fn produce(
        &self,
        replica: &mut impl Replica,
        time: Timestamp,
        candidates: Vec<Candidate>,
    ) -> Result<(Built, Block), Fault> {
        // The log holds every block that was signed, so signing its newest one again signs nothing new.
        replica.recertify(&|header| Certificate::solo(header, &self.key))?;
        let built = replica.build(time, candidates)?;
        replica.persist(&built.header.hash())?;
        let block = replica.commit(Certificate::solo(&built.header, &self.key))?;
        Ok((built, block))
    }

    /// The key that certificates are signed with.
    pub fn key(&self) -> &SecretKey {
        &self.key
    }
}
