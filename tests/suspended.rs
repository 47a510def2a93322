//! Nothing that a contract or a customer brings about in an occurrence stops the chain: the schedule is suspended, those
//! whom it concerns are told, and everything else goes on.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as the tests do")]

mod modules;

use modules::{Module, call};
use tenor_abi::calendar::Calendar;
use tenor_abi::codec;
use tenor_abi::date::Date;
use tenor_abi::event::EventBody;
use tenor_abi::id::{AgreementId, CalendarId, CodeHash};
use tenor_abi::money::Code;
use tenor_abi::recurrence::{Daily, Recurrence};
use tenor_abi::refusal::{Failure, Refusal};
use tenor_abi::spec::{CallKind, Missed};
use tenor_cli::products;
use tenor_cli::words::{self, Arguments};
use tenor_testing::wire::op::{CalendarOp, HookMoment, HookOf, OpenOp, Operation};
use tenor_testing::{Bank, Outcome, Person};

/// More bytes of events than an item may report, then the end of the call.
const FLOOD: &str = "(local $left i32) (local.set $left (i32.const 70)) \
     (loop $more (call $emit (i32.const 0) (i32.const 0) (i32.const 4096)) \
       (local.set $left (i32.sub (local.get $left) (i32.const 1))) (br_if $more (local.get $left))) i32.const 0";

/// The bank publishes a calendar of some years.
fn publish(bank: &mut Bank, first_year: i32, last_year: i32) -> Outcome {
    let calendar = Calendar::named("TARGET", first_year, last_year).unwrap();
    let officer = bank.officer.clone();
    let op = CalendarOp { publisher: bank.bank.party, code: Code::of("SHORT"), calendar };
    bank.run(&officer, Operation::Calendar(op), vec![])
}

fn order(
    bank: &mut Bank,
    code: CodeHash,
    [by, to]: [&Person; 2],
    first: &str,
    calendar: CalendarId,
) -> Outcome {
    let module = products::find("recurring").unwrap().wasm;
    let terms = [
        ("payer", by.account.to_string()),
        ("payee", to.account.to_string()),
        ("amount", "10.00 EUR".into()),
        ("rhythm", "monthly".into()),
        ("first", first.into()),
        ("day", "15".into()),
        ("calendar", calendar.to_string()),
    ];
    let decimals = |word: &str| (word == "decimals:EUR").then(|| "2".to_string());
    let terms = words::terms(&words::spec_of(module).unwrap(), &Arguments::of(&terms), &decimals).unwrap();
    bank.run(by, Operation::Open(OpenOp { code, terms, arguments: vec![0] }), vec![])
}

/// Number and code of each suspension of an agreement's schedules.
fn suspended(bank: &Bank, agreement: AgreementId) -> Vec<(u32, u16)> {
    let blocks = bank.blocks();
    let events = blocks.iter().flat_map(|block| &block.receipts).flat_map(|receipt| &receipt.events);
    events
        .filter(|event| event.agreement == agreement)
        .filter_map(|event| match event.body {
            EventBody::ScheduleSuspended { number, code, .. } => Some((number, code)),
            _ => None,
        })
        .collect()
}

#[test]
fn an_order_whose_calendar_ends_is_suspended_and_what_was_paid_stays_paid() {
    let mut bank = Bank::new();
    let (ada, bob) = (bank.customer("ada", "1000.00"), bank.customer("bob", "0.00"));
    let calendar: CalendarId = codec::decode(&publish(&mut bank, 2026, 2026).done().data, 64).unwrap();
    let code = bank.publish(products::find("recurring").unwrap().wasm);
    let said = order(&mut bank, code, [&ada, &bob], "2027-01-02", calendar).refusal();
    assert!(matches!(said, Refusal::CalendarShort { .. }), "{said}");
    let opened = order(&mut bank, code, [&ada, &bob], "2026-02-02", calendar).done();
    let agreement = codec::decode(&opened.data, 64).unwrap();
    bank.run_until(Date::of(2027, 2, 1));
    assert_eq!(bank.balance(bob.account), "110.00", "eleven payments in 2026");
    let code = Refusal::CalendarShort { rule: String::new() }.code();
    assert_eq!(suspended(&bank, agreement), [(11, code)]);
    bank.transfer(&ada, bob.account, "1.00").done();
    // A calendar that has ended is published longer: what it told stays as it was.
    assert_eq!(publish(&mut bank, 2027, 2030).refusal().name(), "BadValue");
    publish(&mut bank, 2026, 2030).done();
    assert_eq!(bank.replayed(), bank.root());
}

#[test]
fn a_flood_of_events_fails_its_occurrence_and_nothing_else() {
    let mut bank = Bank::new();
    let ada = bank.customer("ada", "10.00");
    let recurrence: Recurrence = Daily::from(Date::of(2026, 1, 5));
    let bytes = codec::encode(&(0u16, recurrence));
    let start = format!("(call $schedule_start (i32.const 1024) (i32.const {})) i32.const 0", bytes.len());
    let mut begin = call("begin", CallKind::Action);
    begin.by = vec![tenor_abi::spec::Authority::Anyone];
    let due = CallKind::Due { schedule: 0, retry: None, catch_up: Missed::Each, missed: Missed::Each };
    let module = Module::new("flood")
        .schedule("Tick")
        .data(1024, &bytes)
        .call(begin, &start)
        .call(call("tick", due), FLOOD);
    let code = bank.publish(&module.build());
    let agreement = bank.opened(&ada, code, &0u8);
    bank.invoke(&ada, agreement, "begin", &[]).done();
    bank.run_until(Date::of(2026, 1, 10));
    assert_eq!(suspended(&bank, agreement), [(0, Failure::HostRule.code())]);
    assert_eq!(bank.replayed(), bank.root());
}

#[test]
fn a_flood_of_events_in_a_hook_that_is_told_ends_the_hook() {
    let mut bank = Bank::new();
    let (ada, bob) = (bank.customer("ada", "10.00"), bank.customer("bob", "0.00"));
    let module = Module::new("flood").call(call("after", CallKind::AfterEntries), FLOOD);
    let code = bank.publish(&module.build());
    let hook = bank.opened(&ada, code, &0u8);
    bank.attach(&ada, ada.account, HookOf::Owner, HookMoment::After, hook).done();
    bank.transfer(&ada, bob.account, "1.00").done();
    bank.run_for(5_000);
    assert_eq!(suspended(&bank, hook), [(0, Failure::HostRule.code())]);
    bank.transfer(&ada, bob.account, "1.00").done();
    assert_eq!((bank.balance(bob.account), bank.replayed()), ("2.00".into(), bank.root()));
}
