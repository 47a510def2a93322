//! Transactions: what is signed, by whom, and the check at the door.

use crate::crypto::{self, PublicKey, Signature, SignatureError, Verifier};
use crate::op::{KeyNumber, Operation, Spend};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};
use tenor_abi::codec::{self, CodecError};
use tenor_abi::date::Timestamp;
use tenor_abi::id::{ChainId, Hash, PartyId, TxId};
use tenor_abi::tag;

/// Version of the body's form.
pub const BODY_VERSION: u8 = 1;
/// Most signers of one transaction.
pub const AUTHORISERS_MAX: usize = 8;
/// Longest time between valid-from and valid-until.
pub const VALIDITY_MS_MAX: u64 = 24 * 60 * 60 * 1000;
/// Most bytes of an encoded transaction; a batch of 10,000 transfers is the largest thing in one.
pub const TRANSACTION_BYTES_MAX: usize = 1024 * 1024;
/// Most accounts in `spend_max`.
pub const SPENDS_MAX: usize = 64;

/// Someone who signs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Authoriser {
    /// The party.
    pub party: PartyId,
    /// Which of its keys.
    pub key: KeyNumber,
}

/// Makes a retry harmless: four bytes of creation day (big-endian days since 1970, UTC), twelve of the
/// client's choice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct IdempotencyKey(#[serde(with = "tenor_abi::codec::raw")] pub [u8; 16]);

impl IdempotencyKey {
    /// The key of a creation day (days since 1970) and twelve bytes of choice.
    pub fn new(day: u32, choice: [u8; 12]) -> IdempotencyKey {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&day.to_be_bytes());
        bytes[4..].copy_from_slice(&choice);
        IdempotencyKey(bytes)
    }

    /// Creation day in days since 1970, UTC.
    pub fn day(&self) -> u32 {
        let [a, b, c, d, ..] = self.0;
        u32::from_be_bytes([a, b, c, d])
    }
}

/// What is signed.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Body {
    /// [`BODY_VERSION`].
    pub version: u8,
    /// The chain.
    pub chain: ChainId,
    /// 1..=8; the first acts, the others ascend.
    pub authorisers: Vec<Authoriser>,
    /// Makes a retry harmless.
    pub key: IdempotencyKey,
    /// First block time that it may run at.
    pub valid_from: Timestamp,
    /// Last block time that it may run at, at most a day later.
    pub valid_until: Timestamp,
    /// Most gas that it may use.
    pub gas_limit: u64,
    /// Ascending by account; an account of a signer that is not listed has bound 0.
    pub spend_max: Vec<Spend>,
    /// What to do.
    pub operation: Operation,
}

/// A signed body.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Transaction {
    /// What is signed.
    pub body: Body,
    /// One for each authoriser, in their order.
    pub signatures: Vec<Signature>,
}

/// Why bytes are no transaction that could ever run on this chain. Nothing happened; there is no receipt.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FormError {
    /// Not the bytes of a transaction.
    #[error("the bytes are not a transaction: {0}")]
    Codec(#[from] CodecError),
    /// A version from another time.
    #[error("transaction version {0} is not known, {BODY_VERSION} is")]
    Version(u8),
    /// Signed for another chain.
    #[error("signed for {given}, this is {here}")]
    Chain {
        /// Chain in the body.
        given: ChainId,
        /// This chain.
        here: ChainId,
    },
    /// None or too many signers.
    #[error("{0} authorisers given, 1 to {AUTHORISERS_MAX} allowed")]
    Authorisers(usize),
    /// Signers after the first do not ascend, or one stands twice.
    #[error("authorisers after the first must ascend, and no party may stand twice")]
    AuthorisersOrder,
    /// Not one signature for each signer.
    #[error("{given} signatures given for {needed} authorisers")]
    Signatures {
        /// Signatures given.
        given: usize,
        /// Authorisers named.
        needed: usize,
    },
    /// The validity window is empty or too long.
    #[error("valid from {from} until {until}: the window must be positive and at most 24 hours")]
    Window {
        /// Valid from.
        from: Timestamp,
        /// Valid until.
        until: Timestamp,
    },
    /// Accounts of `spend_max` do not ascend or are too many.
    #[error("spend_max must list at most {SPENDS_MAX} accounts, ascending, each once")]
    SpendMax,
}

impl Body {
    /// The transaction's id: the tagged hash of the body, which is what is signed.
    pub fn id(&self) -> TxId {
        TxId(crypto::hash(tag::TRANSACTION, &[&codec::encode(self)]).0)
    }

    /// The bytes that are hashed and signed.
    pub fn signing_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// The party that acts.
    ///
    /// # Panics
    /// When there is no authoriser; [`Transaction::check_form`] comes first.
    pub fn actor(&self) -> PartyId {
        self.authorisers[0].party
    }

    /// What tells two transactions under one idempotency key apart.
    pub fn operation_hash(&self) -> Hash {
        crypto::hash(tag::OPERATION, &[&codec::encode(&self.operation)])
    }

    /// Signs with each authoriser's key, in their order.
    pub fn sign(self, keys: &[&crypto::SecretKey]) -> Transaction {
        let digest = Hash(self.id().0);
        let signatures = keys.iter().map(|key| key.sign(&digest)).collect();
        Transaction { body: self, signatures }
    }
}

impl Transaction {
    /// The transaction that bytes from outside hold.
    ///
    /// # Errors
    /// [`FormError::Codec`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Transaction, FormError> {
        Ok(codec::decode(bytes, TRANSACTION_BYTES_MAX)?)
    }

    /// Canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// The body's id.
    pub fn id(&self) -> TxId {
        self.body.id()
    }

    /// Checks everything that needs neither state nor time.
    ///
    /// # Errors
    /// [`FormError`]: the first rule that is broken.
    pub fn check_form(&self, chain: ChainId) -> Result<(), FormError> {
        let body = &self.body;
        if body.version != BODY_VERSION {
            return Err(FormError::Version(body.version));
        }
        if body.chain != chain {
            return Err(FormError::Chain { given: body.chain, here: chain });
        }
        let signers = &body.authorisers;
        if signers.is_empty() || signers.len() > AUTHORISERS_MAX {
            return Err(FormError::Authorisers(signers.len()));
        }
        let others = &signers[1..];
        if !others.is_sorted_by(|a, b| a.party < b.party)
            || others.iter().any(|o| o.party == signers[0].party)
        {
            return Err(FormError::AuthorisersOrder);
        }
        if self.signatures.len() != signers.len() {
            return Err(FormError::Signatures { given: self.signatures.len(), needed: signers.len() });
        }
        let window = body.valid_until.0.checked_sub(body.valid_from.0);
        if !window.is_some_and(|ms| ms > 0 && ms <= VALIDITY_MS_MAX) {
            return Err(FormError::Window { from: body.valid_from, until: body.valid_until });
        }
        if body.spend_max.len() > SPENDS_MAX || !body.spend_max.is_sorted_by(|a, b| a.account < b.account) {
            return Err(FormError::SpendMax);
        }
        Ok(())
    }

    /// Checks one signature of each authoriser against the keys that state holds for them.
    ///
    /// # Errors
    /// [`SignatureError`] of the first authoriser whose signature does not hold, with its place.
    pub fn check_signatures(&self, keys: &[PublicKey]) -> Result<(), (usize, SignatureError)> {
        assert_eq!(keys.len(), self.signatures.len(), "the caller has looked up one key for each authoriser");
        let digest = Hash(self.id().0);
        for (place, (key, signature)) in keys.iter().zip(&self.signatures).enumerate() {
            let checked = key.verifier().and_then(|verifier: Verifier| verifier.verify(&digest, signature));
            checked.map_err(|error| (place, error))?;
        }
        Ok(())
    }
}
