//! Hooks of accounts: who may set one, what it can do, what it costs, and whom it does not bind.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as the tests do")]

mod modules;

use modules::{Module, call};
use tenor_abi::codec;
use tenor_abi::date::{Date, Timestamp};
use tenor_abi::entry::{AccountRef, EntryRequest, Mode, Posting, Side};
use tenor_abi::event::EventBody;
use tenor_abi::id::{AccountId, AgreementId};
use tenor_abi::refusal::{Failure, Refusal};
use tenor_abi::spec::{Authority, CallKind, Period};
use tenor_runtime::params::Limits;
use tenor_runtime::state::record::CursorRecord;
use tenor_testing::wire::op::{
    AccountChange, AccountChangeOp, AccountKind, AccountOp, BatchOp, CaptureOp, CorrectLineOp, CorrectOp,
    GrantOp, HoldLineOp, HoldOp, HookMoment, HookOf, HookOp, Operation, Seen, Spend, TransferOp, account_id,
};
use tenor_testing::wire::receipt::{Fate, FullReceipt};
use tenor_testing::{Bank, Outcome, Person, money};

const BEFORE: HookMoment = HookMoment::Before;
const AFTER: HookMoment = HookMoment::After;

/// A module whose hooks do what is said, in the text format.
fn hooks(before: &str, after: &str) -> Vec<u8> {
    // Each module is a contract of its own name.
    let [a, b, ..] = tenor_testing::wire::crypto::plain_hash(&[before.as_bytes(), b"/", after.as_bytes()]).0;
    Module::new(&format!("hostile-{a}-{b}"))
        .call(call("before", CallKind::BeforeEntry), before)
        .call(call("after", CallKind::AfterEntries), after)
        .build()
}

/// What a hook can come to.
const AGREE: &str = "i32.const 0";
const TRAP: &str = "unreachable";
const ENDLESS: &str = "(loop $l (br $l)) i32.const 0";
/// Refuses with its own code 1 and no data.
const REFUSE: &str = "i32.const 0x8001 i32.const 0 i32.const 0 call $refuse i32.const 1";
/// Stores a byte under a key of a byte.
const STORE: &str = "i32.const 0 i32.const 1 i32.const 0 i32.const 1 call $storage_set i32.const 0";

/// Ada with 1,000.00 and Bob with nothing.
struct Desk {
    bank: Bank,
    ada: Person,
    bob: Person,
}

impl Desk {
    fn new() -> Desk {
        Desk::of(Bank::new())
    }

    fn of(mut bank: Bank) -> Desk {
        let (ada, bob) = (bank.customer("ada", "1000.00"), bank.customer("bob", "0.00"));
        Desk { bank, ada, bob }
    }

    fn agreement(&mut self, wasm: &[u8]) -> AgreementId {
        let code = self.bank.publish(wasm);
        let ada = self.ada.clone();
        self.bank.opened(&ada, code, &0u8)
    }

    /// Ada's account gets a hook.
    fn attached(&mut self, of: HookOf, moment: HookMoment, wasm: &[u8]) -> AgreementId {
        let (hook, ada) = (self.agreement(wasm), self.ada.clone());
        self.bank.attach(&ada, ada.account, of, moment, hook).done();
        hook
    }

    fn pay(&mut self, euros: &str) -> Outcome {
        let (ada, bob) = (self.ada.clone(), self.bob.account);
        self.bank.transfer(&ada, bob, euros)
    }

    fn hold(&mut self, euros: &str) -> Outcome {
        let (ada, amount) = (self.ada.clone(), money(euros).minor.unsigned_abs());
        let lines = vec![HoldLineOp { from: ada.account, to: self.bob.account, amount }];
        let expires_at = Date::of(2026, 1, 10).midnight();
        let op = HoldOp { lines, expires_at, narrative: None, reference: None };
        self.bank.run(&ada, Operation::Hold(op), vec![Spend { account: ada.account, amount }])
    }
}

fn gas(receipt: &FullReceipt) -> u64 {
    receipt.receipt.gas
}

#[test]
fn a_refusal_names_account_hook_and_code() {
    let mut desk = Desk::new();
    let hook = desk.attached(HookOf::Owner, BEFORE, &hooks(REFUSE, AGREE));
    let account = desk.ada.account;
    assert_eq!(
        desk.pay("1.00").refusal(),
        Refusal::HookRefused { account, hook, code: 0x8001, data: vec![] }
    );
    assert_eq!(
        desk.hold("1.00").refusal(),
        Refusal::HookRefused { account, hook, code: 0x8001, data: vec![] }
    );
    // It is asked of what comes in, too.
    let bank = desk.bank.bank.clone();
    let bob = desk.bob.clone();
    desk.bank.transfer(&bank, bob.account, "0.01").refusal();
    let ada = desk.ada.clone();
    desk.bank.detach(&ada, account, HookOf::Owner, BEFORE).done();
    desk.pay("1.00").done();
    desk.bank.attach(&ada, account, HookOf::Owner, BEFORE, hook).done();
    assert_eq!(desk.bank.transfer(&bob, account, "0.50").refusal().name(), "HookRefused");
}

#[test]
fn what_breaks_in_a_hook_refuses_the_entry_and_the_owner_detaches_it_all_the_same() {
    for (body, failure) in
        [(TRAP, Failure::Trapped), (ENDLESS, Failure::OutOfGas), (STORE, Failure::HostRule)]
    {
        let mut desk = Desk::new();
        let plain = gas(&desk.pay("1.00").done());
        let hook = desk.attached(HookOf::Owner, BEFORE, &hooks(body, AGREE));
        let (ada, account) = (desk.ada.clone(), desk.ada.account);
        let receipt = desk.pay("1.00").receipt.unwrap();
        let said = Refusal::HookFailed { account, hook, code: failure.code() };
        assert_eq!(Refusal::from_data(&receipt.data), Some(said), "{body}");
        assert_eq!(receipt.receipt.fate, Fate::Refused);
        let limits = &desk.bank.chain().genesis().parameters.limits;
        assert_eq!(gas(&receipt), plain + limits.hook_gas, "charged in full, on top");
        desk.bank.detach(&ada, account, HookOf::Owner, BEFORE).done();
        desk.pay("1.00").done();
    }
}

#[test]
fn a_hook_pays_for_its_terms_out_of_what_it_has() {
    let limits = Limits::sandbox();
    // So many bytes beyond those that a call reads at its own price would use up all that there is.
    let most = 1_024 + (limits.hook_gas / limits.tx_gas_per_byte) as usize;
    for (length, is_asked) in [(1_000, true), (most / 2, true), (most + 1, false)] {
        let mut desk = Desk::new();
        let module =
            Module::new("long").bytes_term("text").call(call("before", CallKind::BeforeEntry), AGREE);
        let code = desk.bank.publish(&module.build());
        let (ada, account) = (desk.ada.clone(), desk.ada.account);
        let hook = desk.bank.opened(&ada, code, &(1u16, vec![7u8; length]));
        desk.bank.attach(&ada, account, HookOf::Owner, BEFORE, hook).done();
        if is_asked {
            desk.pay("1.00").done();
        } else {
            let code = Failure::OutOfGas.code();
            assert_eq!(desk.pay("1.00").refusal(), Refusal::HookFailed { account, hook, code });
        }
    }
}

#[test]
fn a_hook_costs_the_same_whatever_it_says_and_leaves_nothing() {
    let mut desk = Desk::new();
    let plain = gas(&desk.pay("1.00").done());
    desk.attached(HookOf::Owner, BEFORE, &hooks(AGREE, AGREE));
    let asked = desk.pay("1.00").done();
    let limits = desk.bank.chain().genesis().parameters.limits.clone();
    assert_eq!(gas(&asked), plain + limits.hook_gas);
    desk.attached(HookOf::Bank, BEFORE, &hooks(REFUSE, AGREE));
    let refused = desk.pay("1.00").receipt.unwrap();
    // The bank's is asked first; the owner's is not asked any more.
    assert_eq!(gas(&refused), plain + limits.hook_gas);
    // On top of the limit: a transaction whose limit is used up without hooks still has them paid.
    assert_eq!(desk.bank.replayed(), desk.bank.root());
}

#[test]
fn the_banks_hook_is_asked_before_the_owners() {
    let mut desk = Desk::new();
    let banks = desk.attached(HookOf::Bank, BEFORE, &hooks(TRAP, REFUSE));
    let owners = desk.attached(HookOf::Owner, BEFORE, &hooks(REFUSE, AGREE));
    let said = |refusal: Refusal| match refusal {
        Refusal::HookFailed { hook, .. } | Refusal::HookRefused { hook, .. } => hook,
        other => panic!("{other}"),
    };
    assert_eq!(said(desk.pay("1.00").refusal()), banks);
    let ada = desk.ada.clone();
    desk.bank.detach(&ada, ada.account, HookOf::Bank, BEFORE).done();
    assert_eq!(said(desk.pay("1.00").refusal()), owners);
}

#[test]
fn no_hook_binds_captures_and_corrections() {
    let mut desk = Desk::new();
    let hold = codec::decode(&desk.hold("10.00").done().data, 64).unwrap();
    let paid = desk.pay("5.00").done();
    desk.attached(HookOf::Owner, BEFORE, &hooks(REFUSE, AGREE));
    desk.attached(HookOf::Bank, BEFORE, &hooks(TRAP, AGREE));
    let (ada, bob) = (desk.ada.clone(), desk.bob.clone());
    let capture = CaptureOp { hold, parts: vec![], last: true };
    desk.bank.run(&bob, Operation::Capture(capture), vec![]).done();
    let line = |account, sequence| CorrectLineOp { account, sequence, amount: 500 };
    let op = CorrectOp {
        entry: paid.entries[0].id,
        lines: vec![line(ada.account, 1), line(bob.account, 0)],
        value_date: None,
        narrative: None,
    };
    desk.bank.run(&bob, Operation::Correct(op), vec![Spend { account: bob.account, amount: 500 }]).done();
    assert_eq!(desk.bank.balance(ada.account), "990.00");
}

/// A module whose action posts a cent from one account to another.
fn payer(from: AccountId, to: AccountId) -> Vec<u8> {
    let posting = |account, side| Posting {
        account: AccountRef::Account(account),
        side,
        mode: Mode::Exact,
        money: money("0.01"),
    };
    let request = EntryRequest {
        postings: vec![posting(from, Side::Debit), posting(to, Side::Credit)],
        purpose: 0,
        narrative: None,
        reference: None,
        value_date: None,
        key: None,
    };
    let bytes = codec::encode(&request);
    let body = format!("i32.const 1024 i32.const {} call $post drop i32.const 0", bytes.len());
    let mut pay = call("pay", CallKind::Action);
    pay.by = vec![Authority::Anyone];
    Module::new("payer")
        .data(1024, &bytes)
        .call(call("before", CallKind::BeforeEntry), AGREE)
        .call(pay, &body)
        .build()
}

#[test]
fn an_agreement_at_work_is_not_entered_again_as_a_hook() {
    let mut desk = Desk::new();
    let (ada, bank_account) = (desk.ada.clone(), desk.ada.account);
    let second = desk.bank.account(&ada, desk.bank.eur, "second");
    let agreement = desk.agreement(&payer(bank_account, second));
    let pay = |desk: &mut Desk| {
        let ada = desk.ada.clone();
        desk.bank.invoke_spending(&ada, agreement, "pay", &[], vec![(ada.account, "1.00")])
    };
    pay(&mut desk).done();
    desk.bank.attach(&ada, second, HookOf::Owner, BEFORE, agreement).done();
    assert_eq!(pay(&mut desk).refusal(), Refusal::Reentered { agreement });
    // Whoever else asks for an entry has the hook asked.
    let op = TransferOp { from: ada.account, to: second, amount: 1, narrative: None, reference: None };
    desk.bank.run(&ada, Operation::Transfer(op), vec![Spend { account: ada.account, amount: 1 }]).done();
}

#[test]
fn an_owners_hook_does_not_bind_who_had_a_grant_before_but_the_banks_does() {
    let mut desk = Desk::new();
    let (ada, bob) = (desk.ada.clone(), desk.bob.clone());
    let (from, to) = (ada.account, desk.bank.account(&ada, desk.bank.eur, "second"));
    let code = desk.bank.publish(&payer(from, to));
    let payer = desk.bank.opened(&ada, code, &0u8);
    let grant = |desk: &mut Desk| {
        let op = GrantOp {
            seen: Seen { agreement: payer, code, terms_version: 0 },
            account: ada.account,
            per_entry: 100,
            per_period: 1_000,
            period: Period::Month,
            expires_at: None,
        };
        desk.bank.run(&ada, Operation::Grant(op), vec![]).done();
    };
    // Bob calls, so the grant alone counts. Ada's second account is not named: a grant on it lets it be credited.
    let pay = |desk: &mut Desk| desk.bank.invoke(&bob, payer, "pay", &[]);
    grant(&mut desk);
    let op = GrantOp {
        seen: Seen { agreement: payer, code, terms_version: 0 },
        account: to,
        per_entry: 1,
        per_period: 1,
        period: Period::Month,
        expires_at: None,
    };
    desk.bank.run(&ada, Operation::Grant(op), vec![]).done();
    pay(&mut desk).done();
    desk.attached(HookOf::Owner, BEFORE, &hooks(REFUSE, AGREE));
    assert_eq!(desk.pay("1.00").refusal().name(), "HookRefused");
    pay(&mut desk).done();
    // Given anew, the grant is younger than the hook.
    grant(&mut desk);
    assert_eq!(pay(&mut desk).refusal().name(), "HookRefused");
    desk.bank.detach(&ada, ada.account, HookOf::Owner, BEFORE).done();
    desk.attached(HookOf::Bank, BEFORE, &hooks(REFUSE, TRAP));
    assert_eq!(pay(&mut desk).refusal().name(), "HookRefused");
}

#[test]
fn an_item_asks_so_many_hooks_and_no_more() {
    let mut desk = Desk::new();
    desk.attached(HookOf::Owner, BEFORE, &hooks(AGREE, AGREE));
    let limits = desk.bank.chain().genesis().parameters.limits.clone();
    let (ada, bob) = (desk.ada.clone(), desk.bob.account);
    let transfer = TransferOp { from: ada.account, to: bob, amount: 1, narrative: None, reference: None };
    let op = BatchOp { transfers: vec![transfer; limits.item_hooks as usize + 1] };
    let spend = vec![Spend { account: ada.account, amount: 100 }];
    let receipt = desk.bank.run(&ada, Operation::Batch(op), spend).done();
    let outcome: tenor_testing::wire::receipt::BatchOutcome = codec::decode(&receipt.data, 1 << 20).unwrap();
    let (last, rest) = outcome.transfers.split_last().unwrap();
    assert!(rest.iter().all(|transfer| transfer.fate == Fate::Done));
    let said = Refusal::HooksMax { limit: limits.item_hooks };
    assert_eq!(Refusal::from_data(&last.data), Some(said));
    assert!(gas(&receipt) > u64::from(limits.item_hooks) * limits.hook_gas);
}

#[test]
fn a_block_sets_gas_apart_for_hooks() {
    let limits = Limits { item_hooks: 2, block_hook_gas: 1_000_000, ..Limits::sandbox() };
    let mut desk = Desk::of(Bank::with_limits(limits));
    let (ada, bob) = (desk.ada.clone(), desk.bob.account);
    let pay = |desk: &mut Desk| {
        let op = TransferOp { from: ada.account, to: bob, amount: 1, narrative: None, reference: None };
        let spend = vec![Spend { account: ada.account, amount: 1 }];
        desk.bank.signed(&ada, Operation::Transfer(op), spend)
    };
    let block = |desk: &mut Desk| {
        let transfers = (0..8).map(|_| pay(desk)).collect();
        let time = Timestamp(desk.bank.chain().tip().time.0 + 1);
        desk.bank.block_of(time, transfers).len()
    };
    assert_eq!(block(&mut desk), 8);
    desk.attached(HookOf::Owner, BEFORE, &hooks(AGREE, AGREE));
    // Each could ask two hooks and asks one: the fifth could come to more than is left, 200,000 of 1,000,000.
    assert_eq!(block(&mut desk), 4);
    assert_eq!(desk.bank.replayed(), desk.bank.root());
}

#[test]
fn who_may_attach_and_detach_what() {
    let mut desk = Desk::new();
    let hook = desk.agreement(&hooks(AGREE, AGREE));
    let mute = desk.agreement(&Module::new("mute").build());
    let (ada, bob, account) = (desk.ada.clone(), desk.bob.clone(), desk.ada.account);
    let mut attach = |by: &Person, account, of, agreement| {
        desk.bank.attach(by, account, of, BEFORE, agreement).refusal().name()
    };
    assert_eq!(attach(&bob, account, HookOf::Owner, hook), "NotAuthorised");
    assert_eq!(attach(&ada, AccountId([7; 32]), HookOf::Owner, hook), "UnknownAccount");
    assert_eq!(attach(&ada, account, HookOf::Owner, mute), "NotAHook");
    let seen = |agreement, terms_version| {
        let code = tenor_abi::id::CodeHash([9; 32]);
        Some(Seen { agreement, code, terms_version })
    };
    let op = |of, hook| Operation::Hook(HookOp { account, of, moment: BEFORE, hook });
    let said = |desk: &mut Desk, by: &Person, op| desk.bank.run(by, op, vec![]).refusal().name();
    let unknown = AgreementId([5; 32]);
    assert_eq!(said(&mut desk, &ada, op(HookOf::Owner, seen(unknown, 0))), "UnknownAgreement");
    assert_eq!(said(&mut desk, &ada, op(HookOf::Owner, seen(hook, 0))), "Stale");
    assert_eq!(said(&mut desk, &ada, op(HookOf::Bank, seen(hook, 0))), "RoleMissing");
    assert_eq!(said(&mut desk, &ada, op(HookOf::Owner, None)), "NoHook");
    desk.bank.attach(&ada, account, HookOf::Owner, BEFORE, hook).done();
    let again = desk.bank.attach(&ada, account, HookOf::Owner, BEFORE, hook).refusal();
    assert_eq!(again.name(), "Exists");
    desk.bank.attach(&ada, account, HookOf::Bank, BEFORE, hook).done();
    // The owner cannot take the bank's away, nor the bank the owner's.
    assert_eq!(said(&mut desk, &ada, op(HookOf::Bank, None)), "RoleMissing");
    let officer = desk.bank.officer.clone();
    assert_eq!(said(&mut desk, &officer, op(HookOf::Owner, None)), "NotAuthorised");
    // One that has ended cannot be attached, and binds no more.
    desk.bank.invoke(&ada, hook, "end", &[]).done();
    desk.bank.detach(&ada, account, HookOf::Owner, BEFORE).done();
    let ended = desk.bank.attach(&ada, account, HookOf::Owner, BEFORE, hook).refusal();
    assert_eq!(ended.name(), "WrongState");
    desk.pay("1.00").done();
}

#[test]
fn a_closed_account_and_one_that_mirrors_get_no_hook() {
    let mut desk = Desk::new();
    let hook = desk.agreement(&hooks(AGREE, AGREE));
    let (bank, eur) = (desk.bank.bank.clone(), desk.bank.eur);
    let control = AccountOp {
        owner: bank.party,
        asset: eur,
        purpose: "total".into(),
        floor: 0,
        ceiling: None,
        kind: AccountKind::Control,
    };
    desk.bank.staff(Operation::Account(control)).done();
    let control = account_id(&bank.party.0, &eur, "total");
    assert_eq!(
        desk.bank.attach(&bank, control, HookOf::Bank, BEFORE, hook).refusal().name(),
        "ControlAccount"
    );
    let bob = desk.bob.clone();
    let op = AccountChangeOp { account: bob.account, change: AccountChange::Close };
    desk.bank.run(&bob, Operation::AccountChange(op), vec![]).done();
    assert_eq!(desk.bank.attach(&bob, bob.account, HookOf::Owner, AFTER, hook).refusal().name(), "Closed");
}

#[test]
fn outside_a_sandbox_the_banks_hook_takes_two_persons() {
    let mut desk = Desk::of(Bank::with_four_eyes());
    let officer = desk.bank.officer.clone();
    let wasm = hooks(REFUSE, AGREE);
    let op = tenor_testing::wire::op::PublishOp { bank: desk.bank.bank.party, wasm, exposure: vec![] };
    let manager = desk.bank.manager.clone();
    let role = |party| tenor_testing::wire::op::RoleOp {
        bank: desk.bank.bank.party,
        party,
        role: tenor_abi::role::Role::ProductManager,
        granted: true,
    };
    let role = role(manager.party);
    desk.bank.staff(Operation::Role(role)).done();
    let code = codec::decode(&desk.bank.staff(Operation::Publish(op)).done().data, 64).unwrap();
    let ada = desk.ada.clone();
    let hook = desk.bank.opened(&ada, code, &0u8);
    let seen = Some(Seen { agreement: hook, code, terms_version: 0 });
    let alone = HookOp { account: ada.account, of: HookOf::Bank, moment: BEFORE, hook: seen };
    assert_eq!(desk.bank.run(&officer, Operation::Hook(alone), vec![]).refusal().name(), "FourEyes");
    desk.bank.attach(&ada, ada.account, HookOf::Bank, BEFORE, hook).done();
    assert_eq!(desk.pay("1.00").refusal().name(), "HookRefused");
    let detach = HookOp { account: ada.account, of: HookOf::Bank, moment: BEFORE, hook: None };
    assert_eq!(desk.bank.run(&officer, Operation::Hook(detach), vec![]).refusal().name(), "FourEyes");
    desk.bank.detach(&ada, ada.account, HookOf::Bank, BEFORE).done();
    desk.pay("1.00").done();
}

/// How many occurrences of a cursor ran, by fate.
fn occurrences(desk: &Desk, agreement: AgreementId) -> Vec<Fate> {
    let blocks = desk.bank.blocks();
    let items = blocks.iter().flat_map(|block| block.items.iter().zip(&block.receipts));
    let due = |item: &tenor_testing::wire::block::Item| matches!(item, tenor_testing::wire::block::Item::Due(due) if due.agreement == agreement);
    items.filter(|(item, _)| due(item)).map(|(_, receipt)| receipt.receipt.fate).collect()
}

fn cursor(desk: &Desk, agreement: AgreementId) -> CursorRecord {
    desk.bank.chain().record(&agreement.0).unwrap().unwrap()
}

#[test]
fn a_hook_is_told_once_a_second_and_of_everything() {
    let mut desk = Desk::new();
    let hook = desk.attached(HookOf::Owner, AFTER, &hooks(AGREE, AGREE));
    assert_eq!(
        desk.bank.attach(&desk.ada.clone(), desk.ada.account, HookOf::Bank, AFTER, hook).refusal().name(),
        "Exists"
    );
    let bob = desk.bob.clone();
    desk.bank.attach(&bob, bob.account, HookOf::Owner, AFTER, hook).done();
    for _ in 0..120 {
        desk.pay("0.01").done();
    }
    // Two accounts, 120 postings each, at most 100 at once: four occurrences, one a second.
    assert_eq!(occurrences(&desk, hook).len(), 0);
    desk.bank.run_for(10_000);
    assert_eq!(occurrences(&desk, hook), [Fate::Done; 4]);
    let read = cursor(&desk, hook);
    assert_eq!((read.number, read.due), (4, None));
    assert!(read.accounts.iter().all(|(_, next)| *next >= 120), "{read:?}");
    desk.pay("0.01").done();
    desk.bank.run_for(3_000);
    assert_eq!(occurrences(&desk, hook).len(), 6);
    assert_eq!(desk.bank.replayed(), desk.bank.root());
}

#[test]
fn a_hook_that_refuses_misses_and_one_that_fails_is_told_nothing_more() {
    let mut desk = Desk::new();
    let refuses = desk.attached(HookOf::Owner, AFTER, &hooks(AGREE, REFUSE));
    let fails = desk.attached(HookOf::Bank, AFTER, &hooks(AGREE, TRAP));
    desk.pay("1.00").done();
    desk.bank.run_for(5_000);
    desk.pay("1.00").done();
    desk.bank.run_for(5_000);
    assert_eq!(occurrences(&desk, refuses), [Fate::Refused; 2]);
    assert_eq!(occurrences(&desk, fails), [Fate::Failed]);
    assert!(cursor(&desk, fails).stopped);
    let blocks = desk.bank.blocks();
    let suspended = |event: &tenor_abi::event::Event| {
        event.agreement == fails && matches!(event.body, EventBody::ScheduleSuspended { .. })
    };
    assert_eq!(
        blocks.iter().flat_map(|b| &b.receipts).flat_map(|r| &r.events).filter(|e| suspended(e)).count(),
        1
    );
    // Attached anew it is told again, of what is booked from then on.
    let ada = desk.ada.clone();
    desk.bank.detach(&ada, ada.account, HookOf::Bank, AFTER).done();
    desk.bank.attach(&ada, ada.account, HookOf::Bank, AFTER, fails).done();
    assert!(!cursor(&desk, fails).stopped);
    desk.bank.run_for(5_000);
    assert_eq!(occurrences(&desk, fails).len(), 1);
    desk.pay("1.00").done();
    desk.bank.run_for(5_000);
    assert_eq!(occurrences(&desk, fails).len(), 2);
}

#[test]
fn nobody_is_told_once_the_hook_is_detached_or_its_agreement_has_ended() {
    let mut desk = Desk::new();
    let hook = desk.attached(HookOf::Owner, AFTER, &hooks(AGREE, AGREE));
    let ada = desk.ada.clone();
    desk.pay("1.00").done();
    desk.bank.detach(&ada, ada.account, HookOf::Owner, AFTER).done();
    desk.bank.run_for(5_000);
    assert_eq!(occurrences(&desk, hook), []);
    desk.bank.attach(&ada, ada.account, HookOf::Owner, AFTER, hook).done();
    desk.pay("1.00").done();
    desk.bank.invoke(&ada, hook, "end", &[]).done();
    desk.bank.run_for(5_000);
    assert_eq!(occurrences(&desk, hook), []);
    assert!(cursor(&desk, hook).stopped);
}
