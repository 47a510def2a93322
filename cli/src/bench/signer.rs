//! Somebody with a key in memory, who signs what is measured.

use crate::demo::cast::Cast;
use crate::desk::GAS_LIMIT;
use anyhow::{Context, Result};
use tenor_abi::date::{DAY_MS, Timestamp};
use tenor_abi::id::{ChainId, Hash, PartyId};
use tenor_abi::tag;
use tenor_wire::crypto::{SecretKey, hash};
use tenor_wire::op::{AccountKind, AccountOp, KeyDef, KeyRole, Operation, PartyKind, PartyOp, Spend};
use tenor_wire::tx::{Authoriser, BODY_VERSION, Body, IdempotencyKey, Transaction};

/// A party and its key.
pub(super) struct Signer {
    pub(super) party: PartyId,
    key: SecretKey,
}

impl Signer {
    /// Somebody of the demo's cast.
    pub(super) fn of(cast: &Cast, name: &str) -> Signer {
        Signer { party: cast.party(name), key: cast.key(name) }
    }

    /// One of any number of customers.
    pub(super) fn numbered(number: usize) -> Result<Signer> {
        let derived = |what: u8| hash(tag::SEED, &[&[what], &(number as u64).to_le_bytes()]).0;
        let key = SecretKey::from_bytes(&derived(b'k')).context("a hash is a key")?;
        Ok(Signer { party: PartyId(derived(b'p')), key })
    }

    /// What makes the customer known to the bank.
    pub(super) fn enrolment(&self, cast: &Cast) -> Operation {
        Operation::Party(PartyOp {
            party: self.party,
            home: cast.party("bank"),
            kind: PartyKind::Person,
            person: Hash(self.party.0),
            name: Hash(self.party.0),
            key: KeyDef { public: self.key.public(), role: KeyRole::Device, expires_at: None, limits: None },
        })
    }

    /// What opens an account of the customer in the bank's currency; floor in minor units.
    pub(super) fn account(&self, cast: &Cast, purpose: &str, floor: i128) -> Operation {
        Operation::Account(AccountOp {
            owner: self.party,
            asset: cast.eur,
            purpose: purpose.into(),
            floor,
            ceiling: None,
            kind: AccountKind::Plain,
        })
    }

    /// A signed operation, its idempotency key made of a number.
    pub(super) fn sign(
        &self,
        chain: ChainId,
        time: Timestamp,
        number: u64,
        spend_max: Vec<Spend>,
        operation: Operation,
    ) -> Transaction {
        let mut choice = [0; 12];
        choice[..8].copy_from_slice(&number.to_le_bytes());
        let body = Body {
            version: BODY_VERSION,
            chain,
            authorisers: vec![Authoriser { party: self.party, key: 0 }],
            key: IdempotencyKey::new((time.0 / DAY_MS) as u32, choice),
            valid_from: time,
            valid_until: Timestamp(time.0 + DAY_MS),
            gas_limit: GAS_LIMIT,
            spend_max,
            operation,
        };
        body.sign(&[&self.key])
    }
}
