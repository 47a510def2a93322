//! The door: what must hold before a transaction may stand in a block.
//!
//! A rejected transaction leaves nothing: no receipt, no used key. The order is signature, key look-up,
//! ends of keys and window, so that a late retry of something done is told so and not that it came too late.

use super::{BlockContext, Candidate, UsedKey, control};
use crate::fault::Fault;
use crate::state::Overlay;
use crate::state::record::{IdempotencyRecord, KeyRecord, KeyWindowRecord, key};
use tenor_abi::date::Timestamp;
use tenor_abi::id::{ChainId, Hash, PartyId, TxId};
use tenor_wire::crypto::{PublicKey, SECP256K1, Signature, SignatureError};
use tenor_wire::op::KeyNumber;
use tenor_wire::tx::{Body, FormError, Transaction};

/// Milliseconds of a UTC day.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Why a transaction is not admitted. Nothing happened.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Rejection {
    /// Its form is wrong.
    #[error(transparent)]
    Form(#[from] FormError),
    /// The operation does not work on this chain.
    #[error("operation_not_admitted: {0} does not work on this chain")]
    OperationNotAdmitted(&'static str),
    /// A signer has no such key.
    #[error("{party} has no key {number}")]
    UnknownKey {
        /// The signer.
        party: PartyId,
        /// The key named.
        number: KeyNumber,
    },
    /// A key was revoked or has expired.
    #[error("key {number} of {party} ended at {ended_at}")]
    KeyEnded {
        /// The signer.
        party: PartyId,
        /// The key.
        number: KeyNumber,
        /// When it ended.
        ended_at: Timestamp,
    },
    /// A signature does not hold.
    #[error("signature {place} (from 0): {error}")]
    Signature {
        /// Place of the signer.
        place: usize,
        /// Why.
        error: SignatureError,
    },
    /// The same operation under the same key has its outcome already.
    #[error("already done: the receipt stands in block {height} at {index}")]
    Done {
        /// Block of the receipt.
        height: u64,
        /// Place in the block.
        index: u32,
    },
    /// The key stands for another operation.
    #[error(
        "the idempotency key stands for another operation, in block {height} at {index}; {given} was sent now: use a new key"
    )]
    KeyTaken {
        /// Block of the other operation's receipt.
        height: u64,
        /// Place in the block.
        index: u32,
        /// Name of the operation sent now.
        given: &'static str,
    },
    /// The key's day is too old or not yet.
    #[error("the idempotency key is of day {given}; days {oldest} to {latest} (since 1970) are accepted")]
    KeyDay {
        /// Day of the key.
        given: u32,
        /// Oldest accepted.
        oldest: u32,
        /// Latest accepted: tomorrow.
        latest: u32,
    },
    /// Too late or too early.
    #[error("valid from {from} until {until}; block time is {now}")]
    Window {
        /// Valid from.
        from: Timestamp,
        /// Valid until.
        until: Timestamp,
        /// Block time.
        now: Timestamp,
    },
    /// It stands first in a block of its own, or in none.
    #[error("control transaction: {0}")]
    Control(String),
    /// The module that it publishes was not compiled within this machine's bounds.
    #[error("the module is within the limits, but was not compiled: {0}")]
    Uncompiled(String),
    /// More gas than a transaction may sign for.
    #[error("gas limit {given} is above {limit}")]
    GasLimit {
        /// Limit signed.
        given: u64,
        /// The most there may be.
        limit: u64,
    },
}

/// A transaction that may stand in the next block, as long as state does not change before it.
#[derive(Clone, Debug)]
pub struct CheckedTransaction {
    candidate: Candidate,
    bytes: Vec<u8>,
    operation: Hash,
    /// Whether one of the keys is limited.
    limited: bool,
}

impl CheckedTransaction {
    fn of(candidate: Candidate, limited: bool) -> CheckedTransaction {
        let (bytes, operation) =
            (candidate.transaction().to_bytes(), candidate.transaction().body.operation_hash());
        CheckedTransaction { candidate, bytes, operation, limited }
    }

    /// The transaction.
    pub fn transaction(&self) -> &Transaction {
        self.candidate.transaction()
    }

    /// Its id.
    pub fn id(&self) -> TxId {
        self.candidate.id()
    }

    /// Its canonical bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether what one of its keys may move is limited.
    pub fn is_limited(&self) -> bool {
        self.limited
    }

    /// The idempotency key that it uses at a place of the block.
    pub fn used(&self, index: u32) -> UsedKey {
        let body = &self.transaction().body;
        UsedKey { party: body.actor(), key: body.key, operation: self.operation, index }
    }

    /// The candidate that it was.
    pub fn into_candidate(self) -> Candidate {
        self.candidate
    }
}

/// Lets a transaction in, or says why not.
///
/// # Errors
/// The outer one is a [`Fault`], the inner one the [`Rejection`].
pub fn check(
    state: &Overlay<'_>,
    block: &BlockContext<'_>,
    candidate: Candidate,
) -> Result<Result<CheckedTransaction, Rejection>, Fault> {
    if let Err(rejection) = check_handed_in(block, candidate.transaction()) {
        return Ok(Err(rejection));
    }
    check_for(block.chain, state, block, candidate)
}

/// As [`check`] of a transaction that is signed for a chain, whatever its operation.
pub(super) fn check_for(
    chain: ChainId,
    state: &Overlay<'_>,
    block: &BlockContext<'_>,
    candidate: Candidate,
) -> Result<Result<CheckedTransaction, Rejection>, Fault> {
    if let Err(rejection) = check_form(chain, block, candidate.transaction()) {
        return Ok(Err(rejection));
    }
    let signing = match signing_keys(state, block, candidate.transaction())? {
        Ok(signing) => signing,
        Err(rejection) => return Ok(Err(rejection)),
    };
    if let Err(rejection) = check_signatures(&candidate, &signing.keys) {
        return Ok(Err(rejection));
    }
    let fresh = check_fresh(state, block, candidate.transaction())?;
    Ok(signing.and(fresh).map(|limited| CheckedTransaction::of(candidate, limited)))
}

/// As [`check`] of a body that nobody has signed yet: what would be said if all did. What it gives is for a state that
/// nobody keeps; a block asks [`check`].
///
/// # Errors
/// As [`check`].
pub fn rehearse(
    state: &Overlay<'_>,
    block: &BlockContext<'_>,
    body: Body,
) -> Result<Result<CheckedTransaction, Rejection>, Fault> {
    let unsigned = Signature { algorithm: SECP256K1, r: [0; 32], s: [0; 32] };
    let tx = Transaction { signatures: vec![unsigned; body.authorisers.len()], body };
    let form = check_handed_in(block, &tx).and_then(|()| check_form(block.chain, block, &tx));
    if let Err(rejection) = form {
        return Ok(Err(rejection));
    }
    let signing = match signing_keys(state, block, &tx)? {
        Ok(signing) => signing,
        Err(rejection) => return Ok(Err(rejection)),
    };
    let fresh = check_fresh(state, block, &tx)?;
    Ok(signing.and(fresh).map(|limited| CheckedTransaction::of(tx.into(), limited)))
}

/// What an operator makes a block around is not handed in.
fn check_handed_in(block: &BlockContext<'_>, tx: &Transaction) -> Result<(), Rejection> {
    match control::named(&tx.body.operation, block.chain) {
        None => Ok(()),
        Some(_) => {
            let rule = "an operator makes its block, `tenor node restart` and `tenor node clock`; it is not handed in";
            Err(Rejection::Control(rule.into()))
        }
    }
}

fn check_form(chain: ChainId, block: &BlockContext<'_>, tx: &Transaction) -> Result<(), Rejection> {
    tx.check_form(chain)?;
    if !block.parameters.admits(&tx.body.operation) {
        return Err(Rejection::OperationNotAdmitted(tx.body.operation.name()));
    }
    let limit = block.parameters.limits.item_gas_max;
    if tx.body.gas_limit > limit {
        return Err(Rejection::GasLimit { given: tx.body.gas_limit, limit });
    }
    Ok(())
}

fn check_signatures(candidate: &Candidate, keys: &[PublicKey]) -> Result<(), Rejection> {
    if candidate.holds_under(keys) {
        return Ok(());
    }
    let checked = candidate.transaction().check_signatures(keys);
    checked.map_err(|(place, error)| Rejection::Signature { place, error })
}

/// What the signers sign with.
struct Signing {
    keys: Vec<PublicKey>,
    /// Whether one of the keys is limited.
    limited: bool,
    /// That one of them is in force no longer.
    ended: Option<Rejection>,
}

impl Signing {
    /// Whether one of the keys is limited, where the transaction is let in. What is done is told whatever became of its
    /// keys; nothing else is let in under one that has ended.
    fn and(self, fresh: Result<(), Rejection>) -> Result<bool, Rejection> {
        match (fresh, self.ended) {
            (Err(done @ Rejection::Done { .. }), _) => Err(done),
            (_, Some(ended)) => Err(ended),
            (fresh, None) => fresh.map(|()| self.limited),
        }
    }
}

/// The keys that the signers sign with.
fn signing_keys(
    state: &Overlay<'_>,
    block: &BlockContext<'_>,
    tx: &Transaction,
) -> Result<Result<Signing, Rejection>, Fault> {
    let keys = Vec::with_capacity(tx.body.authorisers.len());
    let mut signing = Signing { keys, limited: false, ended: None };
    for authoriser in &tx.body.authorisers {
        let (party, number) = (authoriser.party, authoriser.key);
        let Some(record) = state.get::<KeyRecord>(&key::key(&party, number))? else {
            return Ok(Err(Rejection::UnknownKey { party, number }));
        };
        let expired = record.expires_at.filter(|end| *end < block.time);
        let ended = record.revoked_at.or(expired);
        let ended = ended.map(|ended_at| Rejection::KeyEnded { party, number, ended_at });
        signing.ended = signing.ended.or(ended);
        signing.limited |= record.limits.is_some();
        signing.keys.push(record.public);
    }
    Ok(Ok(signing))
}

/// Whether key and window are fresh: the part that must be asked again when state has moved on.
///
/// # Errors
/// As [`check`].
pub fn check_fresh(
    state: &Overlay<'_>,
    block: &BlockContext<'_>,
    tx: &Transaction,
) -> Result<Result<(), Rejection>, Fault> {
    let body = &tx.body;
    if let Some(used) = state.get::<IdempotencyRecord>(&key::idempotency(&body.actor(), &body.key))? {
        let IdempotencyRecord { height, index, operation } = used;
        let same = operation == body.operation_hash();
        let taken = Rejection::KeyTaken { height, index, given: body.operation.name() };
        return Ok(Err(if same { Rejection::Done { height, index } } else { taken }));
    }
    let today = (block.time.0 / DAY_MS) as u32;
    let kept = state.get::<KeyWindowRecord>(&[])?.map_or(0, |window| window.oldest_day);
    let oldest = kept.max(today.saturating_sub(block.parameters.limits.idempotency_days));
    let (given, latest) = (body.key.day(), today + 1);
    if given < oldest || given > latest {
        return Ok(Err(Rejection::KeyDay { given, oldest, latest }));
    }
    if block.time < body.valid_from || block.time > body.valid_until {
        let (from, until) = (body.valid_from, body.valid_until);
        return Ok(Err(Rejection::Window { from, until, now: block.time }));
    }
    Ok(Ok(()))
}
