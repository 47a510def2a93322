//! Who takes part: everybody's ids, keys and names, from the seed alone.

use crate::folder::Names;
use crate::keys::VALIDATOR;
use tenor_abi::calendar::Calendar;
use tenor_abi::date::Date;
use tenor_abi::id::{AccountId, AssetId, CalendarId, Hash, PartyId};
use tenor_abi::money::{Code, Currency};
use tenor_abi::role::Role;
use tenor_abi::tag;
use tenor_runtime::chain::{GENESIS_VERSION, Genesis};
use tenor_runtime::params::Parameters;
use tenor_runtime::vm;
use tenor_wire::block::{Validator, ValidatorSet};
use tenor_wire::crypto::{SecretKey, hash};
use tenor_wire::op::{
    AccountKind, AccountOp, AssetKind, AssetOp, CalendarOp, KeyDef, KeyRole, Operation, PartyKind, PartyOp,
    RoleOp, account_id, calendar_id,
};

/// Customers of the demo.
pub const CUSTOMERS: usize = 50;
/// The euro.
pub const EUR: Currency = Currency::of("EUR", 2);
/// Most that the bank puts into circulation, minor units.
const FUNDING: i128 = 10i128.pow(15);

/// Everybody in the demo.
#[derive(Clone, Debug)]
pub struct Cast {
    /// What everything is derived from.
    pub seed: u64,
    /// The bank's euro.
    pub eur: AssetId,
    /// The programme's points.
    pub points: AssetId,
    /// Who takes part besides the bank and its staff.
    pub people: Vec<String>,
}

impl Cast {
    /// The cast of a seed: fifty customers and a merchant.
    pub fn new(seed: u64) -> Cast {
        let mut cast = Cast::of(seed, &["merchant"]);
        cast.people.extend(cast.customers());
        cast
    }

    /// The cast of a seed with these people.
    pub fn of(seed: u64, people: &[&str]) -> Cast {
        let issuer = party_of(seed, "bank");
        let asset = |code| tenor_wire::op::asset_id(&issuer, Code::of(code));
        let people = people.iter().map(|name| name.to_string()).collect();
        Cast { seed, eur: asset("EUR"), points: asset("PTS"), people }
    }

    /// The party of a name.
    pub fn party(&self, name: &str) -> PartyId {
        party_of(self.seed, name)
    }

    /// The euro account of a name.
    pub fn account(&self, name: &str) -> AccountId {
        account_id(&self.party(name).0, &self.eur, "main")
    }

    /// The bank's account that money is put into circulation from.
    pub fn funding(&self) -> AccountId {
        account_id(&self.party("bank").0, &self.eur, "funding")
    }

    /// The bank's calendar.
    pub fn calendar(&self) -> CalendarId {
        calendar_id(&self.party("bank"), Code::of("TARGET"))
    }

    /// A number below `below` that depends on the seed and on what it is for.
    pub fn pick(&self, what: &str, number: usize, below: u64) -> u64 {
        let drawn = derived(self.seed, &format!("{what}/{number}"));
        u64::from_le_bytes([
            drawn.0[0], drawn.0[1], drawn.0[2], drawn.0[3], drawn.0[4], drawn.0[5], drawn.0[6], 0,
        ]) % below
    }

    /// The chosen part of an idempotency key.
    pub fn choice(&self, what: &str) -> [u8; 12] {
        let drawn = derived(self.seed, &format!("key/{what}"));
        let mut choice = [0; 12];
        choice.copy_from_slice(&drawn.0[..12]);
        choice
    }

    /// Names of the customers.
    pub fn customers(&self) -> Vec<String> {
        (1..=CUSTOMERS).map(|number| format!("customer-{number:02}")).collect()
    }

    fn everybody(&self) -> Vec<String> {
        let staff = ["bank", "officer", "manager"].map(String::from);
        staff.into_iter().chain(self.people.iter().cloned()).collect()
    }

    /// Name and secret of every key.
    pub fn keys(&self) -> Vec<(String, [u8; 32])> {
        let names = self.everybody().into_iter().chain([VALIDATOR.to_string()]);
        names.map(|name| (name.clone(), self.secret(&name))).collect()
    }

    fn secret(&self, name: &str) -> [u8; 32] {
        derived(self.seed, &format!("secret/{name}")).0
    }

    /// Party ids by name.
    pub fn names(&self) -> Names {
        let parties =
            self.everybody().into_iter().map(|name| (name.clone(), self.party(&name).to_string())).collect();
        let mut accounts: std::collections::BTreeMap<String, String> = self
            .everybody()
            .into_iter()
            .map(|name| (name.clone(), self.account(&name).to_string()))
            .collect();
        accounts.insert("funding".into(), self.funding().to_string());
        let assets = [("EUR", self.eur), ("PTS", self.points)]
            .map(|(code, id)| (code.to_string(), id.to_string()))
            .into();
        let calendars = [("TARGET".to_string(), self.calendar().to_string())].into();
        Names { parties, accounts, assets, calendars, agreements: std::collections::BTreeMap::new() }
    }

    /// The key of a name.
    pub fn key(&self, name: &str) -> SecretKey {
        SecretKey::from_bytes(&self.secret(name)).expect("a hash is a key but for one in 2^128")
    }

    /// What makes a party.
    pub fn party_op(&self, name: &str, kind: PartyKind) -> PartyOp {
        let key =
            KeyDef { public: self.key(name).public(), role: KeyRole::Device, expires_at: None, limits: None };
        let commitment = |what: &str| derived(self.seed, &format!("{what}/{name}"));
        PartyOp {
            party: self.party(name),
            home: self.party("bank"),
            kind,
            person: commitment("person"),
            name: commitment("name"),
            key,
        }
    }

    /// The document that the demo's chain begins with.
    pub fn genesis(&self) -> Genesis {
        let bank = self.party("bank");
        let role =
            |name: &str, role| Operation::Role(RoleOp { bank, party: self.party(name), role, granted: true });
        let account = |purpose: &str, floor| {
            Operation::Account(AccountOp {
                owner: bank,
                asset: self.eur,
                purpose: purpose.into(),
                floor,
                ceiling: None,
                kind: AccountKind::Plain,
            })
        };
        let asset = |code: &str, scale, kind| {
            Operation::Asset(AssetOp {
                issuer: bank,
                code: Code::of(code),
                scale,
                kind,
                freezable: false,
                clawback: false,
            })
        };
        let calendar = Calendar::named("TARGET", 2020, 2069).expect("TARGET is a known calendar");
        Genesis {
            version: GENESIS_VERSION,
            time: Date::of(2026, 1, 1).midnight(),
            parameters: Parameters::sandbox(
                vm::admission_hash(),
                vm::prices_hash(),
                vm::INSTRUMENTER_VERSION,
            ),
            validators: ValidatorSet {
                validators: vec![Validator { bank, key: self.key(VALIDATOR).public() }],
                quorum: 1,
            },
            zones: vec![],
            operations: vec![
                Operation::Party(self.party_op("bank", PartyKind::Bank)),
                Operation::Party(self.party_op("officer", PartyKind::Person)),
                Operation::Party(self.party_op("manager", PartyKind::Person)),
                role("officer", Role::LoanOfficer),
                role("officer", Role::Operations),
                role("officer", Role::ProductManager),
                role("manager", Role::CreditManager),
                role("manager", Role::Operations),
                asset("EUR", 2, AssetKind::Money),
                asset("PTS", 0, AssetKind::Points),
                account("main", 0),
                account("funding", -FUNDING),
                Operation::Calendar(CalendarOp { publisher: bank, code: Code::of("TARGET"), calendar }),
            ],
        }
    }
}

fn derived(seed: u64, what: &str) -> Hash {
    hash(tag::SEED, &[&seed.to_le_bytes(), what.as_bytes()])
}

fn party_of(seed: u64, name: &str) -> PartyId {
    PartyId(derived(seed, &format!("party/{name}")).0)
}
