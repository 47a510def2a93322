//! The bank of a test: people with keys and accounts, one block per step, books checked after each.

use std::sync::Arc;
use tenor_abi::calendar::Calendar;
use tenor_abi::codec;
use tenor_abi::date::{Date, Timestamp};
use tenor_abi::event::{Event, EventBody};
use tenor_abi::id::{AccountId, AgreementId, AssetId, CalendarId, CodeHash, Hash, PartyId, ProposalId};
use tenor_abi::money::{Code, Currency, Decimal, Money};
use tenor_abi::refusal::Refusal;
use tenor_abi::role::Role;
use tenor_abi::spec::{CODE_OWN, CallKind, Spec};
use tenor_abi::tag;
use tenor_runtime::chain::{Chain, GENESIS_VERSION, Genesis, Replica, Solo, replay};
use tenor_runtime::execute::Rejection;
use tenor_runtime::ledger;
use tenor_runtime::params::{Limits, Parameters};
use tenor_runtime::state::record::{AccountRecord, AgreementRecord, ContractRecord};
use tenor_runtime::vm::{self, Guest};
use tenor_wire::block::{Block, Certificate, Validator, ValidatorSet};
use tenor_wire::crypto::{SecretKey, hash};
use tenor_wire::op::{
    AccountKind, AccountOp, AssetKind, AssetOp, CalendarOp, ExposureLimit, HookMoment, HookOf, HookOp,
    InvokeOp, KeyDef, KeyLimit, KeyNumber, KeyRole, OpenOp, Operation, PartyKind, PartyOp, ProposeOp,
    PublishOp, RoleOp, Seen, Spend, TransferOp, account_id, calendar_id,
};
use tenor_wire::receipt::{Entry, Fate, FullReceipt};
use tenor_wire::tx::{Authoriser, BODY_VERSION, Body, IdempotencyKey, Transaction};

/// Gas that a test signs for.
const GAS: u64 = 200_000_000;
/// The most a product of the test bank may have outstanding, minor units.
const EXPOSURE: u128 = 10u128.pow(15);
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// The euro of the test bank.
pub const EUR: Currency = Currency::of("EUR", 2);

/// Somebody with a key and an account in euro.
#[derive(Clone, Debug)]
pub struct Person {
    /// The name in the test.
    pub name: String,
    /// The party.
    pub party: PartyId,
    /// The euro account with purpose `main`.
    pub account: AccountId,
    key: Arc<SecretKey>,
    /// Number of the key.
    number: KeyNumber,
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

/// What became of a step.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The receipt, or why there is none.
    pub receipt: Result<FullReceipt, Rejection>,
}

impl Outcome {
    /// The receipt of what was done.
    ///
    /// # Panics
    /// When it was refused, failed or rejected, saying why.
    #[track_caller]
    pub fn done(self) -> FullReceipt {
        let receipt = self.receipt.unwrap_or_else(|rejection| panic!("rejected: {rejection}"));
        let why = Refusal::from_data(&receipt.data).map_or_else(String::new, |refusal| refusal.to_string());
        assert_eq!(receipt.receipt.fate, Fate::Done, "code {:#x} {why}", receipt.receipt.code);
        receipt
    }

    /// The host's refusal.
    ///
    /// # Panics
    /// When it was not refused by the host.
    #[track_caller]
    pub fn refusal(self) -> Refusal {
        let receipt = self.receipt.unwrap_or_else(|rejection| panic!("rejected: {rejection}"));
        assert_eq!(receipt.receipt.fate, Fate::Refused, "{receipt:?}");
        Refusal::from_data(&receipt.data)
            .unwrap_or_else(|| panic!("refused by the contract: {:#x}", receipt.receipt.code))
    }

    /// The place of the contract's own refusal in its list.
    ///
    /// # Panics
    /// When it was not refused by the contract.
    #[track_caller]
    pub fn contract_refusal(self) -> u16 {
        let receipt = self.receipt.unwrap_or_else(|rejection| panic!("rejected: {rejection}"));
        assert!(
            receipt.receipt.fate == Fate::Refused && receipt.receipt.code >= CODE_OWN,
            "{:?}",
            receipt.receipt
        );
        receipt.receipt.code - CODE_OWN
    }

    /// The rejection.
    ///
    /// # Panics
    /// When there is a receipt.
    #[track_caller]
    pub fn rejection(self) -> Rejection {
        match self.receipt {
            Err(rejection) => rejection,
            Ok(receipt) => panic!("{:?}", receipt.receipt),
        }
    }
}

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

fn secret(seed: &str) -> SecretKey {
    let bytes = hash(tag::SEED, &[b"key", seed.as_bytes()]).0;
    SecretKey::from_bytes(&bytes).unwrap_or_else(|| panic!("the seed `{seed}` gives no key"))
}

fn party_id(name: &str) -> PartyId {
    PartyId(hash(tag::SEED, &[b"party", name.as_bytes()]).0)
}

fn person(name: &str, eur: &AssetId) -> Person {
    let party = party_id(name);
    Person {
        name: name.into(),
        party,
        account: account_id(&party.0, eur, "main"),
        key: Arc::new(secret(name)),
        number: 0,
    }
}

fn party_op(person: &Person, home: PartyId, kind: PartyKind) -> PartyOp {
    let commitment = |what: &[u8]| hash(tag::SEED, &[what, person.name.as_bytes()]);
    let key = person.key(None);
    PartyOp { party: person.party, home, kind, person: commitment(b"person"), name: commitment(b"name"), key }
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

    /// Makes a customer with a key and a euro account with money in it.
    pub fn customer(&mut self, name: &str, euros: &str) -> Person {
        let customer = person(name, &self.eur);
        self.staff(Operation::Party(party_op(&customer, self.bank.party, PartyKind::Person))).done();
        self.account(&customer, self.eur, "main");
        let amount = money(euros).minor.unsigned_abs();
        if amount > 0 {
            let op = TransferOp {
                from: self.funding,
                to: customer.account,
                amount,
                narrative: None,
                reference: None,
            };
            let (bank, spend) = (self.bank.clone(), Spend { account: self.funding, amount });
            self.run(&bank, Operation::Transfer(op), vec![spend]).done();
        }
        customer
    }

    /// Opens an account.
    pub fn account(&mut self, owner: &Person, asset: AssetId, purpose: &str) -> AccountId {
        let kind = AccountKind::Plain;
        let op =
            AccountOp { owner: owner.party, asset, purpose: purpose.into(), floor: 0, ceiling: None, kind };
        self.staff(Operation::Account(op)).done();
        account_id(&owner.party.0, &asset, purpose)
    }

    /// Makes an asset that the bank issues.
    pub fn asset(&mut self, code: &str, scale: u8, kind: AssetKind) -> AssetId {
        let op = AssetOp {
            issuer: self.bank.party,
            code: Code::of(code),
            scale,
            kind,
            freezable: false,
            clawback: false,
        };
        let id = op.id();
        self.staff(Operation::Asset(op)).done();
        id
    }

    /// Publishes a module, with an exposure limit in euro.
    pub fn publish(&mut self, wasm: &[u8]) -> CodeHash {
        self.publish_with(wasm, &[self.eur])
    }

    /// Publishes a module, with an exposure limit in some assets.
    pub fn publish_with(&mut self, wasm: &[u8], assets: &[AssetId]) -> CodeHash {
        let mut exposure: Vec<ExposureLimit> =
            assets.iter().map(|asset| ExposureLimit { asset: *asset, limit: EXPOSURE }).collect();
        exposure.sort_by_key(|limit| limit.asset);
        let op = PublishOp { bank: self.bank.party, wasm: wasm.to_vec(), exposure };
        let officer = self.officer.clone();
        let receipt = self.run(&officer, Operation::Publish(op), vec![]).done();
        decoded(&receipt.data)
    }

    /// Opens an agreement.
    pub fn open(&mut self, by: &Person, code: CodeHash, terms: &impl serde::Serialize) -> Outcome {
        let op = OpenOp { code, terms: codec::encode(terms), arguments: vec![0] };
        self.run(by, Operation::Open(op), vec![])
    }

    /// As [`Bank::open`], signed by others as well.
    pub fn open_together(
        &mut self,
        by: &Person,
        with: &[&Person],
        code: CodeHash,
        terms: &impl serde::Serialize,
    ) -> Outcome {
        let op = OpenOp { code, terms: codec::encode(terms), arguments: vec![0] };
        let tx = self.signed_together(by, with, Operation::Open(op), vec![]);
        self.submit(tx)
    }

    /// Opens an agreement that is not refused.
    #[track_caller]
    pub fn opened(&mut self, by: &Person, code: CodeHash, terms: &impl serde::Serialize) -> AgreementId {
        decoded(&self.open(by, code, terms).done().data)
    }

    /// Invokes a call with arguments given one by one in canonical bytes.
    pub fn invoke(
        &mut self,
        by: &Person,
        agreement: AgreementId,
        call: &str,
        arguments: &[Vec<u8>],
    ) -> Outcome {
        self.invoke_spending(by, agreement, call, arguments, vec![])
    }

    /// As [`Bank::invoke`], allowing what the signer's accounts may lose.
    pub fn invoke_spending(
        &mut self,
        by: &Person,
        agreement: AgreementId,
        call: &str,
        arguments: &[Vec<u8>],
        spend: Vec<(AccountId, &str)>,
    ) -> Outcome {
        let operation = self.calling(agreement, call, arguments);
        let mut spend: Vec<Spend> = spend
            .into_iter()
            .map(|(account, amount)| Spend { account, amount: money(amount).minor.unsigned_abs() })
            .collect();
        spend.sort();
        self.run(by, operation, spend)
    }

    /// An invocation signed by a person, to be run in a block with others.
    pub fn invocation(
        &mut self,
        by: &Person,
        agreement: AgreementId,
        call: &str,
        arguments: &[Vec<u8>],
    ) -> Transaction {
        let operation = self.calling(agreement, call, arguments);
        self.signed(by, operation, vec![])
    }

    /// Makes one block of transactions at a time, and returns its receipts; what has no room in it is left out.
    ///
    /// # Panics
    /// When the replica is broken, or a transaction is rejected.
    pub fn block_of(&mut self, time: Timestamp, transactions: Vec<Transaction>) -> Vec<FullReceipt> {
        let candidates = transactions.into_iter().map(Into::into).collect();
        let (built, block) =
            self.solo.produce(&mut self.chain, time, candidates).unwrap_or_else(|fault| panic!("{fault}"));
        assert!(built.rejected.is_empty(), "{built:?}");
        self.check_books();
        block.receipts
    }

    /// Proposes a call that needs a second person.
    pub fn propose(
        &mut self,
        by: &Person,
        agreement: AgreementId,
        call: &str,
        arguments: &[Vec<u8>],
    ) -> ProposalId {
        let operation = Box::new(self.calling(agreement, call, arguments));
        let expires_at = Timestamp(self.chain.tip().time.0 + 7 * DAY_MS);
        let op = ProposeOp { operation, gas_limit: GAS, spend_max: vec![], expires_at };
        decoded(&self.run(by, Operation::Propose(op), vec![]).done().data)
    }

    /// An act of the bank's staff: by the officer, and where that takes two persons approved by the manager.
    pub fn staff(&mut self, operation: Operation) -> Outcome {
        let (officer, manager) = (self.officer.clone(), self.manager.clone());
        if self.chain.genesis().parameters.sandbox {
            return self.run(&officer, operation, vec![]);
        }
        let expires_at = Timestamp(self.chain.tip().time.0 + 7 * DAY_MS);
        let op = ProposeOp { operation: Box::new(operation), gas_limit: GAS, spend_max: vec![], expires_at };
        let proposal = decoded(&self.run(&officer, Operation::Propose(op), vec![]).done().data);
        self.approve(&manager, proposal)
    }

    /// Approves a proposal, which runs it.
    pub fn approve(&mut self, by: &Person, proposal: ProposalId) -> Outcome {
        self.run(by, Operation::Approve(proposal), vec![])
    }

    /// Moves money.
    pub fn transfer(&mut self, from: &Person, to: AccountId, euros: &str) -> Outcome {
        let amount = money(euros).minor.unsigned_abs();
        let op = TransferOp { from: from.account, to, amount, narrative: None, reference: None };
        self.run(from, Operation::Transfer(op), vec![Spend { account: from.account, amount }])
    }

    /// Signs and runs an operation in a block of its own.
    pub fn run(&mut self, by: &Person, operation: Operation, spend_max: Vec<Spend>) -> Outcome {
        let tx = self.signed(by, operation, spend_max);
        self.submit(tx)
    }

    /// An operation signed by a person, with a fresh key.
    pub fn signed(&mut self, by: &Person, operation: Operation, spend_max: Vec<Spend>) -> Transaction {
        self.signed_together(by, &[], operation, spend_max)
    }

    /// As [`Bank::signed`], by others as well: the first acts.
    pub fn signed_together(
        &mut self,
        by: &Person,
        with: &[&Person],
        operation: Operation,
        spend_max: Vec<Spend>,
    ) -> Transaction {
        let mut others = with.to_vec();
        others.sort_by_key(|person| person.party);
        let signers: Vec<&Person> = [by].into_iter().chain(others).collect();
        self.keys += 1;
        let mut choice = [0; 12];
        choice[4..].copy_from_slice(&self.keys.to_be_bytes());
        let now = self.chain.tip().time;
        let body = Body {
            version: BODY_VERSION,
            chain: self.chain.id(),
            authorisers: signers
                .iter()
                .map(|person| Authoriser { party: person.party, key: person.number })
                .collect(),
            key: IdempotencyKey::new((now.0 / DAY_MS) as u32, choice),
            valid_from: now,
            valid_until: Timestamp(now.0 + DAY_MS),
            gas_limit: GAS,
            spend_max,
            operation,
        };
        body.sign(&signers.iter().map(|person| person.key.as_ref()).collect::<Vec<_>>())
    }

    /// Runs a transaction in a block of its own, a millisecond after the last one.
    ///
    /// # Panics
    /// When the replica is broken.
    pub fn submit(&mut self, tx: Transaction) -> Outcome {
        let (id, time) = (tx.id(), Timestamp(self.chain.tip().time.0 + 1));
        let (built, block) = self
            .solo
            .produce(&mut self.chain, time, vec![tx.into()])
            .unwrap_or_else(|fault| panic!("{fault}"));
        self.check_books();
        if let Some((_, rejection)) = built.rejected.into_iter().find(|(rejected, _)| *rejected == id) {
            return Outcome { receipt: Err(rejection) };
        }
        let receipt = block.receipts.into_iter().find(|full| full.receipt.item.0 == id.0);
        Outcome { receipt: Ok(receipt.unwrap_or_else(|| panic!("{id} left no receipt"))) }
    }

    /// Attaches an agreement to an account as a hook: the owner's signed by `by`, the bank's by its staff.
    pub fn attach(
        &mut self,
        by: &Person,
        account: AccountId,
        of: HookOf,
        moment: HookMoment,
        agreement: AgreementId,
    ) -> Outcome {
        let record = self.agreement(agreement);
        let seen = Seen { agreement, code: record.code, terms_version: record.terms_version };
        self.hook(by, HookOp { account, of, moment, hook: Some(seen) })
    }

    /// Detaches the hook that is there.
    pub fn detach(&mut self, by: &Person, account: AccountId, of: HookOf, moment: HookMoment) -> Outcome {
        self.hook(by, HookOp { account, of, moment, hook: None })
    }

    fn hook(&mut self, by: &Person, op: HookOp) -> Outcome {
        match op.of {
            HookOf::Owner => self.run(by, Operation::Hook(op), vec![]),
            HookOf::Bank => self.staff(Operation::Hook(op)),
        }
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

    /// What an account holds, as a decimal number.
    pub fn balance(&self, account: AccountId) -> String {
        let record = self.account_record(account);
        Decimal(record.balance(), record.currency.scale).to_string()
    }

    /// What a book of an agreement holds, as a decimal number.
    pub fn book(&self, agreement: AgreementId, asset: AssetId, name: &str) -> String {
        self.balance(account_id(&agreement.0, &asset, name))
    }

    fn account_record(&self, account: AccountId) -> AccountRecord {
        let record = self.chain.record(&account.0).unwrap_or_else(|fault| panic!("{fault}"));
        record.unwrap_or_else(|| panic!("there is no {account}"))
    }

    /// The name of an agreement's lifecycle state.
    pub fn state(&self, agreement: AgreementId) -> String {
        let record = self.agreement(agreement);
        self.spec(&record.code).state_name(record.state).to_string()
    }

    /// The names of the contract's own events of an agreement, in order.
    pub fn events(&self, agreement: AgreementId) -> Vec<String> {
        let spec = self.spec(&self.agreement(agreement).code);
        let all =
            self.blocks().into_iter().flat_map(|block| block.receipts).flat_map(|receipt| receipt.events);
        all.filter(|event| event.agreement == agreement)
            .filter_map(|event| match event.body {
                EventBody::Contract { number, .. } => {
                    spec.events.get(usize::from(number)).map(|def| def.name.clone())
                }
                _ => None,
            })
            .collect()
    }

    /// Asks a view without arguments; the answer's type is the view's.
    ///
    /// # Panics
    /// When the view refuses or fails.
    #[track_caller]
    pub fn view<T: serde::Serialize + serde::de::DeserializeOwned>(
        &self,
        agreement: AgreementId,
        name: &str,
    ) -> T {
        self.view_with(agreement, name, &[])
    }

    /// Asks a view with arguments given one by one in canonical bytes.
    ///
    /// # Panics
    /// When the view refuses or fails.
    #[track_caller]
    pub fn view_with<T: serde::Serialize + serde::de::DeserializeOwned>(
        &self,
        agreement: AgreementId,
        name: &str,
        arguments: &[Vec<u8>],
    ) -> T {
        let answer = self
            .chain
            .view(agreement, name, &fields(arguments))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        decoded(&answer)
    }

    /// Every block so far.
    pub fn blocks(&self) -> Vec<Block> {
        (0..=self.chain.tip().height)
            .filter_map(|height| self.chain.block(height).unwrap_or_else(|fault| panic!("{fault}")))
            .collect()
    }

    /// What every item came to, gas apart: fate, code, data, entries, events.
    #[allow(clippy::type_complexity)]
    pub fn trace(&self) -> Vec<(Fate, u16, Vec<u8>, Vec<Entry>, Vec<Event>)> {
        let receipts = self.blocks().into_iter().flat_map(|block| block.receipts);
        receipts
            .map(|full| (full.receipt.fate, full.receipt.code, full.data, full.entries, full.events))
            .collect()
    }

    fn agreement(&self, id: AgreementId) -> AgreementRecord {
        let record = self.chain.record(&id.0).unwrap_or_else(|fault| panic!("{fault}"));
        record.unwrap_or_else(|| panic!("there is no {id}"))
    }

    fn spec(&self, code: &CodeHash) -> Spec {
        let record: Option<ContractRecord> =
            self.chain.record(&code.0).unwrap_or_else(|fault| panic!("{fault}"));
        decoded(&record.unwrap_or_else(|| panic!("there is no {code}")).spec)
    }

    fn calling(&self, agreement: AgreementId, call: &str, arguments: &[Vec<u8>]) -> Operation {
        let record = self.agreement(agreement);
        let spec = self.spec(&record.code);
        let number = spec
            .calls
            .iter()
            .position(|def| def.name == call)
            .unwrap_or_else(|| panic!("there is no call `{call}`"));
        let seen = Seen { agreement, code: record.code, terms_version: record.terms_version };
        let op = InvokeOp { seen, call: number as u16, arguments: fields(arguments) };
        if spec.calls[number].kind == CallKind::Sign { Operation::Sign(op) } else { Operation::Invoke(op) }
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

/// Arguments as a call takes them: their count, then each.
fn fields(arguments: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = codec::encode(&(arguments.len() as u16));
    arguments.iter().for_each(|argument| bytes.extend(argument));
    bytes
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
