//! Candidates: transactions on their way to a block, their signatures checked ahead on every core.
//!
//! Checking a signature costs more than everything else about a payment and needs no state but the signers'
//! public keys. So it may be done early, by anybody, in any order: what was found is believed at the door only
//! under the very keys that state holds there.

use crate::fault::Fault;
use crate::lanes::cores;
use crate::state::record::{KeyRecord, key};
use crate::state::{Kind, Overlay};
use std::thread;
use tenor_abi::id::{AccountId, TxId};
use tenor_wire::crypto::PublicKey;
use tenor_wire::op::Operation;
use tenor_wire::tx::Transaction;

/// Fewer than this many signatures are not worth a thread.
const THREAD_MIN: usize = 8;

/// A transaction that may become an item of a block.
#[derive(Clone, Debug)]
pub struct Candidate {
    tx: Transaction,
    id: TxId,
    /// Keys under which its signatures were found to hold.
    held_under: Option<Vec<PublicKey>>,
}

impl From<Transaction> for Candidate {
    fn from(tx: Transaction) -> Candidate {
        Candidate { id: tx.id(), tx, held_under: None }
    }
}

impl Candidate {
    /// The transaction.
    pub fn transaction(&self) -> &Transaction {
        &self.tx
    }

    /// Its id.
    pub fn id(&self) -> TxId {
        self.id
    }

    /// The transaction, taken out.
    pub fn into_transaction(self) -> Transaction {
        self.tx
    }

    /// The keys that its signers have in state; none when its form is wrong or one of them has no such key,
    /// which the door says.
    ///
    /// # Errors
    /// [`Fault`] of the store.
    pub fn keys(&self, state: &Overlay<'_>) -> Result<Option<Vec<PublicKey>>, Fault> {
        let body = &self.tx.body;
        if self.tx.check_form(body.chain).is_err() {
            return Ok(None);
        }
        let of = |authoriser: &tenor_wire::tx::Authoriser| {
            let record: Option<KeyRecord> = state.get(&key::key(&authoriser.party, authoriser.key))?;
            Ok(record.map(|record| record.public))
        };
        body.authorisers.iter().map(of).collect()
    }

    /// Full keys of the rows that it will surely ask for; none while its signatures are not found to hold, so that
    /// nobody has rows read without a key.
    pub fn rows(&self) -> Vec<Vec<u8>> {
        if self.held_under.is_none() {
            return vec![];
        }
        let body = &self.tx.body;
        let keys = body.authorisers.iter().map(|by| Kind::Key.full_key(&key::key(&by.party, by.key)));
        let agreement = match &body.operation {
            Operation::Invoke(op) => Some(op.seen.agreement),
            _ => None,
        };
        let actor = body.authorisers.first();
        let used = actor.map(|actor| Kind::Idempotency.full_key(&key::idempotency(&actor.party, &body.key)));
        keys.chain(self.accounts().map(|account| Kind::Account.full_key(&account.0)))
            .chain(agreement.map(|agreement| Kind::Agreement.full_key(&agreement.0)))
            .chain(used)
            .collect()
    }

    /// Accounts that it names.
    pub fn accounts(&self) -> impl Iterator<Item = &AccountId> {
        let body = &self.tx.body;
        let payee = match &body.operation {
            Operation::Transfer(op) => Some(&op.to),
            _ => None,
        };
        body.spend_max.iter().map(|spend| &spend.account).chain(payee)
    }

    /// Checks its signatures under keys. Signatures that do not hold are left to the door, which says so.
    pub fn check_under(&mut self, keys: Vec<PublicKey>) {
        if self.tx.check_signatures(&keys).is_ok() {
            self.held_under = Some(keys);
        }
    }

    /// Whether its signatures were found to hold under these keys.
    pub(super) fn holds_under(&self, keys: &[PublicKey]) -> bool {
        self.held_under.as_deref() == Some(keys)
    }
}

/// Checks the signatures of those that were not checked yet, on every core.
///
/// # Errors
/// [`Fault`] of the store.
pub fn check_ahead(state: &Overlay<'_>, candidates: &mut [Candidate]) -> Result<(), Fault> {
    let mut work = vec![];
    for candidate in candidates.iter_mut().filter(|candidate| candidate.held_under.is_none()) {
        if let Some(keys) = candidate.keys(state)? {
            work.push((candidate, keys));
        }
    }
    let share = work.len().div_ceil(cores()).max(THREAD_MIN);
    thread::scope(|scope| {
        while !work.is_empty() {
            let rest = work.split_off(share.min(work.len()));
            let part = std::mem::replace(&mut work, rest);
            let check = move || part.into_iter().for_each(|(candidate, keys)| candidate.check_under(keys));
            // The last share is this thread's own.
            if work.is_empty() { check() } else { drop(scope.spawn(check)) }
        }
    });
    Ok(())
}
