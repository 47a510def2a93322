//! Blocks: items in executed order, a header over them, a certificate beside them.

use crate::crypto::{self, PublicKey, SecretKey, Signature, SignatureError};
use crate::op::{Operation, RestartOp};
use crate::receipt::FullReceipt;
use crate::tx::Transaction;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};
use tenor_abi::codec;
use tenor_abi::date::Timestamp;
use tenor_abi::id::{AgreementId, ChainId, Hash, HoldId, OccurrenceId, PartyId};
use tenor_abi::tag;

/// Version of the header's form.
pub const HEADER_VERSION: u8 = 1;

/// One attempt at one occurrence.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct DueItem {
    /// Whose schedule.
    pub agreement: AgreementId,
    /// Which schedule.
    pub kind: u16,
    /// Number of the occurrence.
    pub number: u32,
    /// Attempt, from 0.
    pub attempt: u8,
}

impl DueItem {
    /// The id under which its receipt stands.
    pub fn id(&self) -> OccurrenceId {
        OccurrenceId(crypto::hash(tag::OCCURRENCE, &[&codec::encode(self)]).0)
    }
}

/// The end of a hold whose time is over.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct ExpiryItem {
    /// The hold.
    pub hold: HoldId,
}

impl ExpiryItem {
    /// The id under which its receipt stands: a hold expires once.
    pub fn id(&self) -> OccurrenceId {
        OccurrenceId(crypto::hash(tag::EXPIRY, &[&self.hold.0]).0)
    }
}

/// One thing that a block does. Append only.
// Nearly all items are transactions; a box for each would cost more than the room that occurrences waste.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Item {
    /// An occurrence that was due.
    Due(DueItem),
    /// A transaction.
    Tx(Transaction),
    /// A hold whose time is over.
    Expiry(ExpiryItem),
}

impl Item {
    /// The number in front of a transaction's bytes.
    pub const TX: u8 = 1;

    /// The id under which its receipt stands.
    pub fn id(&self) -> Hash {
        match self {
            Item::Due(due) => Hash(due.id().0),
            Item::Tx(tx) => Hash(tx.id().0),
            Item::Expiry(expiry) => Hash(expiry.id().0),
        }
    }
}

/// What a block's signers sign, by its hash.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Header {
    /// [`HEADER_VERSION`].
    pub version: u8,
    /// Number of the protocol in force.
    pub protocol: u16,
    /// The chain.
    pub chain: ChainId,
    /// 0 for genesis, then without gaps.
    pub height: u64,
    /// UTC milliseconds, strictly rising.
    pub time: Timestamp,
    /// Hash of the header before; zero for genesis.
    pub parent: Hash,
    /// Root over the hashes of all earlier headers.
    pub ancestry: Hash,
    /// Root of the items.
    pub items: Hash,
    /// How many.
    pub items_count: u32,
    /// Root of the receipts, under the same indexes.
    pub receipts: Hash,
    /// How many.
    pub receipts_count: u32,
    /// Root of the state after the last item.
    pub state: Hash,
    /// Messages to other chains; zero for now.
    pub outbox: Hash,
    /// Hash of the validator set that signs this block.
    pub validators: Hash,
    /// Hash of the parameters in force.
    pub parameters: Hash,
    /// The validator that made the block.
    pub proposer: PartyId,
}

impl Header {
    /// The header's hash.
    pub fn hash(&self) -> Hash {
        crypto::hash(tag::HEADER, &[&codec::encode(self)])
    }
}

/// What the log keeps of a block, the write set apart.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Block {
    /// Header.
    pub header: Header,
    /// Items in executed order.
    pub items: Vec<Item>,
    /// Receipts under the same indexes.
    pub receipts: Vec<FullReceipt>,
    /// Hash of the write set.
    pub writes: Hash,
}

impl Block {
    /// What it says where it begins a chain again.
    pub fn restart(&self) -> Option<&RestartOp> {
        match self.items.first() {
            Some(Item::Tx(Transaction { body, .. })) => match &body.operation {
                Operation::Restart(op) => Some(op),
                _ => None,
            },
            _ => None,
        }
    }
}

/// One signer of blocks.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Validator {
    /// The bank.
    pub bank: PartyId,
    /// Its block key.
    pub key: PublicKey,
}

/// Who signs blocks.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ValidatorSet {
    /// In order; a certificate names them by place.
    pub validators: Vec<Validator>,
    /// How many must sign.
    pub quorum: u16,
}

impl ValidatorSet {
    /// The hash in headers.
    pub fn hash(&self) -> Hash {
        crypto::hash(tag::VALIDATORS, &[&codec::encode(self)])
    }
}

/// One signature under a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Vote {
    /// Place of the signer in the validator set.
    pub validator: u16,
    /// Over [`certificate_digest`].
    pub signature: Signature,
}

/// Shows that a quorum of the validators signed a header.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Certificate {
    /// Height of the block.
    pub height: u64,
    /// Round of the vote; one signer uses 0.
    pub round: u32,
    /// The header.
    pub header: Hash,
    /// Ascending by validator.
    pub votes: Vec<Vote>,
}

/// What a validator signs: tag ‖ chain id ‖ height u64 ‖ round u32 ‖ header hash, integers little-endian.
pub fn certificate_digest(chain: &ChainId, height: u64, round: u32, header: &Hash) -> Hash {
    crypto::hash(tag::CERTIFICATE, &[&chain.0, &height.to_le_bytes(), &round.to_le_bytes(), &header.0])
}

/// Why a certificate does not show what it should.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CertificateError {
    /// For a block of another height.
    #[error("the certificate is for block {given}, the header is that of block {needed}")]
    OtherHeight {
        /// Height in the certificate.
        given: u64,
        /// Height of the header.
        needed: u64,
    },
    /// For another header of the height.
    #[error("the certificate is for the header {given}, the hash of this one is {needed}")]
    OtherHeader {
        /// Hash in the certificate.
        given: Hash,
        /// Hash of the header.
        needed: Hash,
    },
    /// The header names another set of validators.
    #[error("the header is signed by validator set {given}, {needed} is trusted")]
    OtherValidators {
        /// Hash in the header.
        given: Hash,
        /// Hash of the trusted set.
        needed: Hash,
    },
    /// Votes do not ascend, or a signer is not in the set.
    #[error("votes must ascend by validator and name members of the set")]
    Votes,
    /// Too few votes.
    #[error("{given} valid votes, {needed} needed")]
    Quorum {
        /// Votes given.
        given: usize,
        /// Votes needed.
        needed: u16,
    },
    /// A signature does not hold.
    #[error("vote of validator {validator}: {error}")]
    Signature {
        /// Place of the validator.
        validator: u16,
        /// Why.
        error: SignatureError,
    },
}

impl Certificate {
    /// The certificate of a chain with one signer.
    pub fn solo(header: &Header, key: &SecretKey) -> Certificate {
        let hash = header.hash();
        let signature = key.sign(&certificate_digest(&header.chain, header.height, 0, &hash));
        Certificate {
            height: header.height,
            round: 0,
            header: hash,
            votes: [Vote { validator: 0, signature }].into(),
        }
    }

    /// Checks that a quorum of a trusted set signed the header.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn verify(&self, header: &Header, trusted: &ValidatorSet) -> Result<(), CertificateError> {
        if self.height != header.height {
            return Err(CertificateError::OtherHeight { given: self.height, needed: header.height });
        }
        let hash = header.hash();
        if self.header != hash {
            return Err(CertificateError::OtherHeader { given: self.header, needed: hash });
        }
        if header.validators != trusted.hash() {
            return Err(CertificateError::OtherValidators {
                given: header.validators,
                needed: trusted.hash(),
            });
        }
        if !self.votes.is_sorted_by(|a, b| a.validator < b.validator) {
            return Err(CertificateError::Votes);
        }
        let digest = certificate_digest(&header.chain, self.height, self.round, &self.header);
        for vote in &self.votes {
            let member = trusted.validators.get(vote.validator as usize).ok_or(CertificateError::Votes)?;
            let checked =
                member.key.verifier().and_then(|verifier| verifier.verify(&digest, &vote.signature));
            checked.map_err(|error| CertificateError::Signature { validator: vote.validator, error })?;
        }
        if self.votes.len() < usize::from(trusted.quorum.max(1)) {
            return Err(CertificateError::Quorum { given: self.votes.len(), needed: trusted.quorum });
        }
        Ok(())
    }
}
