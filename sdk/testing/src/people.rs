//! People of a test: parties with keys and an account.

use std::sync::Arc;
use tenor_abi::id::{AccountId, AssetId, PartyId};
use tenor_abi::tag;
use tenor_wire::crypto::{SecretKey, hash};
use tenor_wire::op::{KeyDef, KeyLimit, KeyNumber, KeyRole, PartyKind, PartyOp, account_id};
use tenor_wire::tx::{Body, Transaction};

/// Somebody with a key and an account in euro.
#[derive(Clone, Debug)]
pub struct Person {
    /// The name in the test.
    pub name: String,
    /// The party.
    pub party: PartyId,
    /// The euro account with purpose `main`.
    pub account: AccountId,
    pub(crate) key: Arc<SecretKey>,
    /// Number of the key.
    pub(crate) number: KeyNumber,
}

impl Person {
    /// The same person with another key, which is derived from a seed; it signs once it is enrolled under its number.
    pub fn device(&self, seed: &str, number: KeyNumber) -> Person {
        Person { key: Arc::new(secret(seed)), number, ..self.clone() }
    }

    /// The key that this person signs with, to be enrolled.
    pub fn key(&self, limits: Option<Vec<KeyLimit>>) -> KeyDef {
        KeyDef { public: self.key.public(), role: KeyRole::Device, expires_at: None, limits }
    }

    /// A body signed by this person alone, as it stands.
    pub fn sign(&self, body: Body) -> Transaction {
        body.sign(&[&self.key])
    }
}

pub(crate) fn secret(seed: &str) -> SecretKey {
    let bytes = hash(tag::SEED, &[b"key", seed.as_bytes()]).0;
    SecretKey::from_bytes(&bytes).unwrap_or_else(|| panic!("the seed `{seed}` gives no key"))
}

pub(crate) fn party_id(name: &str) -> PartyId {
    PartyId(hash(tag::SEED, &[b"party", name.as_bytes()]).0)
}

pub(crate) fn person(name: &str, eur: &AssetId) -> Person {
    let party = party_id(name);
    Person {
        name: name.into(),
        party,
        account: account_id(&party.0, eur, "main"),
        key: Arc::new(secret(name)),
        number: 0,
    }
}

pub(crate) fn party_op(person: &Person, home: PartyId, kind: PartyKind) -> PartyOp {
    let commitment = |what: &[u8]| hash(tag::SEED, &[what, person.name.as_bytes()]);
    let key = person.key(None);
    PartyOp { party: person.party, home, kind, person: commitment(b"person"), name: commitment(b"name"), key }
}
