//! The bank of a test: people with keys and accounts, one block per step, books checked after each.

mod acts;
mod look;

use crate::people::{Person, party_id, party_op, person, secret};
use std::sync::Arc;
use tenor_abi::calendar::Calendar;
use tenor_abi::codec;
use tenor_abi::date::{Date, Timestamp};
use tenor_abi::id::{AccountId, AssetId, CalendarId, Hash};
use tenor_abi::money::{Code, Currency, Money};
use tenor_abi::role::Role;
use tenor_abi::spec::{CallDef, Spec, TypeDef};
use tenor_runtime::chain::{Chain, GENESIS_VERSION, Genesis, Replica, Solo, replay};
use tenor_runtime::ledger;
use tenor_runtime::params::{Limits, Parameters};
use tenor_runtime::vm::{self, Guest};
use tenor_wire::block::{Block, Certificate, Validator, ValidatorSet};
use tenor_wire::op::{
    AccountKind, AccountOp, AssetKind, AssetOp, CalendarOp, Operation, PartyKind, RoleOp, account_id,
    calendar_id,
};

/// The most a product of the test bank may have outstanding, minor units.
const EXPOSURE: u128 = 10u128.pow(15);

/// The euro of the test bank.
pub const EUR: Currency = Currency::of("EUR", 2);

/// A bank in memory.
pub struct Bank {
    chain: Chain,
    solo: Solo,
    keys: u64,
    /// The bank itself.
    pub bank: Person,
    /// Loan officer, operations, product manager.
    pub officer: Person,
    /// Credit manager, operations.
    pub manager: Person,
    /// The euro that the bank issues.
    pub eur: AssetId,
    /// A TARGET calendar.
    pub calendar: CalendarId,
    funding: AccountId,
}

impl Bank {
    /// A bank on the wasm engine, on 1 January 2026.
    pub fn new() -> Bank {
        Bank::on(crate::engine())
    }

    /// A bank on any engine.
    ///
    /// # Panics
    /// When its genesis is refused, which it never is.
    pub fn on(guest: Arc<dyn Guest>) -> Bank {
        Bank::begin(guest, true)
    }

    /// A bank that is no sandbox: acts of its staff take two persons.
    ///
    /// # Panics
    /// As [`Bank::on`].
    pub fn with_four_eyes() -> Bank {
        Bank::begin(crate::engine(), false)
    }

    /// A bank whose chain has other limits.
    ///
    /// # Panics
    /// As [`Bank::on`].
    pub fn with_limits(limits: Limits) -> Bank {
        Bank::begin_with(crate::engine(), true, limits)
    }

    fn begin(guest: Arc<dyn Guest>, sandbox: bool) -> Bank {
        Bank::begin_with(guest, sandbox, Limits::sandbox())
    }

    fn begin_with(guest: Arc<dyn Guest>, sandbox: bool, limits: Limits) -> Bank {
        let bank_party = party_id("bank");
        let asset = AssetOp {
            issuer: bank_party,
            code: Code::of("EUR"),
            scale: 2,
            kind: AssetKind::Money,
            freezable: true,
            clawback: false,
        };
        let eur = asset.id();
        let (bank, officer, manager) =
            (person("bank", &eur), person("officer", &eur), person("manager", &eur));
        let role = |party, role| Operation::Role(RoleOp { bank: bank_party, party, role, granted: true });
        let account = |purpose: &str, floor| {
            Operation::Account(AccountOp {
                owner: bank_party,
                asset: eur,
                purpose: purpose.into(),
                floor,
                ceiling: None,
                kind: AccountKind::Plain,
            })
        };
        let calendar = Calendar::named("TARGET", 2020, 2070).unwrap_or_else(|| panic!("TARGET is known"));
        let code = Code::of("TARGET");
        let genesis = Genesis {
            version: GENESIS_VERSION,
            time: Date::of(2026, 1, 1).midnight(),
            parameters: Parameters {
                sandbox,
                limits,
                ..Parameters::sandbox(vm::admission_hash(), vm::prices_hash(), vm::INSTRUMENTER_VERSION)
            },
            validators: ValidatorSet {
                validators: vec![Validator { bank: bank_party, key: secret("validator").public() }],
                quorum: 1,
            },
            zones: vec![],
            operations: vec![
                Operation::Party(party_op(&bank, bank_party, PartyKind::Bank)),
                Operation::Party(party_op(&officer, bank_party, PartyKind::Person)),
                Operation::Party(party_op(&manager, bank_party, PartyKind::Person)),
                role(officer.party, Role::LoanOfficer),
                role(officer.party, Role::Operations),
                role(officer.party, Role::ProductManager),
                role(manager.party, Role::CreditManager),
                role(manager.party, Role::Operations),
                role(manager.party, Role::Compliance),
                Operation::Asset(asset),
                account("main", 0),
                account("funding", -(EXPOSURE as i128) * 1000),
                Operation::Calendar(CalendarOp { publisher: bank_party, code, calendar }),
            ],
        };
        let chain = Chain::in_memory(genesis, guest).unwrap_or_else(|error| panic!("{error}"));
        let funding = account_id(&bank_party.0, &eur, "funding");
        let calendar = calendar_id(&bank_party, code);
        Bank {
            chain,
            solo: Solo::new(secret("validator")),
            keys: 0,
            bank,
            officer,
            manager,
            eur,
            calendar,
            funding,
        }
    }

    /// A bank of its own that stands where this one does: what happens to it does not happen here.
    ///
    /// # Panics
    /// When a replica is broken.
    pub fn fork(&self) -> Bank {
        self.on_chain(self.chain.fork().unwrap_or_else(|fault| panic!("{fault}")))
    }

    /// As [`Bank::fork`], standing where this bank stood after the block of a height.
    ///
    /// # Panics
    /// When that state is no longer at hand, or a replica is broken.
    pub fn fork_at(&self, height: u64) -> Bank {
        self.on_chain(self.chain.fork_at(height).unwrap_or_else(|fault| panic!("{fault}")))
    }

    fn on_chain(&self, chain: Chain) -> Bank {
        Bank {
            chain,
            solo: Solo::new(secret("validator")),
            keys: self.keys,
            bank: self.bank.clone(),
            officer: self.officer.clone(),
            manager: self.manager.clone(),
            eur: self.eur,
            calendar: self.calendar,
            funding: self.funding,
        }
    }

    /// Takes in a block that another bank of this chain made.
    ///
    /// # Panics
    /// When it is not the next one, or not what its items give.
    pub fn follow(&mut self, block: &Block) {
        let certificate = Certificate::solo(&block.header, self.solo.key());
        let followed = self.chain.validate(&block.header, &block.items).and_then(|valid| {
            valid.unwrap_or_else(|invalid| panic!("block {}: {invalid}", block.header.height));
            self.chain.persist(&certificate.header)?;
            self.chain.commit(certificate)
        });
        followed.unwrap_or_else(|fault| panic!("{fault}"));
    }

    /// Executes every block again in an empty memory, and returns the root that comes of it.
    ///
    /// # Panics
    /// When a block is not what its items give.
    pub fn replayed(&self) -> Hash {
        let blocks = self.blocks().into_iter().skip(1).map(Ok);
        let replayed = replay(self.chain.genesis(), Arc::clone(self.chain.guest()), blocks, |_| {});
        replayed.unwrap_or_else(|fault| panic!("{fault}")).root
    }

    /// The chain under the bank.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The state root.
    pub fn root(&self) -> Hash {
        self.chain.tip().state
    }

    /// Today.
    pub fn today(&self) -> Date {
        self.chain.tip().time.date()
    }

    /// Lives on for so many milliseconds; everything due by then runs.
    ///
    /// # Panics
    /// When the replica is broken.
    pub fn run_for(&mut self, ms: u64) {
        self.run_to(Timestamp(self.chain.tip().time.0 + ms));
    }

    /// Lives on until a day has begun and everything due by then has run.
    ///
    /// # Panics
    /// When the replica is broken.
    pub fn run_until(&mut self, date: Date) {
        self.run_to(date.midnight());
    }

    fn run_to(&mut self, end: Timestamp) {
        loop {
            let wake = self.chain.next_wake().unwrap_or_else(|fault| panic!("{fault}"));
            let Some(wake) = wake.filter(|wake| *wake <= end) else { break };
            self.block_at(wake);
        }
        if self.chain.tip().time < end {
            self.block_at(end);
        }
    }

    /// As [`Bank::run_until`], each block of what falls due executed while the one before it is settled.
    ///
    /// # Panics
    /// When the replica is broken.
    pub fn run_ahead_until(&mut self, date: Date) {
        let made = self.solo.produce_due(&mut self.chain, date.midnight(), |_| {});
        made.unwrap_or_else(|fault| panic!("{fault}"));
        self.run_until(date);
        self.check_books();
    }

    /// Lives through an outage: no block is made until a day has begun, then everything that fell due meanwhile
    /// runs late.
    ///
    /// # Panics
    /// When the replica is broken.
    pub fn run_late(&mut self, date: Date) {
        self.block_at(date.midnight());
        loop {
            let now = self.chain.tip().time;
            let wake = self.chain.next_wake().unwrap_or_else(|fault| panic!("{fault}"));
            if wake.is_none_or(|wake| wake > now) {
                break;
            }
            self.block_at(now);
        }
    }

    fn block_at(&mut self, time: Timestamp) {
        let time = time.max(Timestamp(self.chain.tip().time.0 + 1));
        self.solo.produce(&mut self.chain, time, vec![]).unwrap_or_else(|fault| panic!("{fault}"));
        self.check_books();
    }

    /// Debits equal credits in every asset, after every block.
    fn check_books(&self) {
        let state = self.chain.state();
        ledger::check(&state).unwrap_or_else(|fault| panic!("{fault}"));
        let rows = ledger::trial_balance(&state).unwrap_or_else(|fault| panic!("{fault}"));
        for (asset, row) in rows {
            assert_eq!(row.debits, row.credits, "{asset} is out of balance at {}", self.chain.tip().height);
        }
    }
}

impl Default for Bank {
    fn default() -> Bank {
        Bank::new()
    }
}

/// Euros as money.
///
/// # Panics
/// When the text is no amount.
#[track_caller]
pub fn money(euros: &str) -> Money {
    EUR.parse(euros).unwrap_or_else(|error| panic!("{error}"))
}

fn decoded<T: serde::Serialize + serde::de::DeserializeOwned>(bytes: &[u8]) -> T {
    codec::decode(bytes, 1 << 20).unwrap_or_else(|error| panic!("{error}"))
}

/// Arguments as a call takes them: their count, then each, where options that are none at the end are left out.
fn fields(spec: &Spec, call: &CallDef, arguments: &[Vec<u8>]) -> Vec<u8> {
    let is_none = |(place, argument): &(usize, &Vec<u8>)| {
        let known = call.arguments.get(*place).and_then(|field| spec.own_type(field.ty));
        **argument == codec::encode(&None::<()>) && matches!(known, Some(TypeDef::Option(_)))
    };
    let cut = arguments.iter().enumerate().rev().take_while(is_none).count();
    let arguments = &arguments[..arguments.len() - cut];
    let mut bytes = codec::encode(&(arguments.len() as u16));
    arguments.iter().for_each(|argument| bytes.extend(argument));
    bytes
}
