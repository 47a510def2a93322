//! Ways to make or take money that were tried: what each would gain, and what stops it.

use super::test_world::*;
use super::{DatedBy, Draft, HoldPart, Signed, change_account, commit, plan, plan_hold};
use crate::state::record::{AccountRecord, ClosedBooksRecord, ExposureRecord, Holder, key};
use tenor_abi::date::{DAY_MS, Date, Timestamp};
use tenor_abi::entry::Side;
use tenor_abi::limit::{AMOUNT_MAX, COUNTER_MAX};
use tenor_abi::refusal::Refusal;
use tenor_wire::op::{AccountChange, AccountKind, Spend};
use tenor_wire::receipt::{Act, EntrySource};

#[test]
fn an_exposure_limit_is_not_passed_by_a_hold() {
    let mut world = World::new();
    let own = world.customer(10);
    let limit = ExposureRecord { limit: 500, used: 0 };
    world.state.put(&key::exposure(&BANK, &EUR, "loan"), &limit);
    let owed = world.open(Holder::Agreement(LOAN), "owed", -(COUNTER_MAX as i128));
    let cash = world.open(Holder::Agreement(LOAN), "cash", 0);
    // Between the agreement's own books nothing is on loan, whatever they hold.
    let fill = vec![line(owed, Side::Debit, 1_000), line(cash, Side::Credit, 1_000)];
    let draft = world.draft(agreement(), fill);
    world.book(draft, &Signed::default()).unwrap();
    // Paying out of one of them puts it on loan, at once or by way of a hold.
    let (asset, limit) = (EUR, 500);
    let would_be = 501;
    let pay = world.draft(agreement(), vec![line(cash, Side::Debit, 501), line(own, Side::Credit, 501)]);
    assert_eq!(
        world.book(pay, &Signed::default()),
        Err(Refusal::ExposureExceeded { asset, limit, would_be })
    );
    assert_eq!(world.hold(cash, own, 501), Err(Refusal::ExposureExceeded { asset, limit, would_be }));
    world.hold(cash, own, 400).unwrap();
    assert_eq!(world.exposure(), 400);
    let pay = world.draft(agreement(), vec![line(cash, Side::Debit, 101), line(own, Side::Credit, 101)]);
    assert_eq!(
        world.book(pay, &Signed::default()),
        Err(Refusal::ExposureExceeded { asset, limit, would_be })
    );
    world.capture(&[(cash, 150)]).unwrap();
    assert_eq!(world.exposure(), 400);
    world.release();
    assert_eq!(world.exposure(), 150);
}

#[test]
fn a_grant_is_not_stretched_by_dating_ahead() {
    let mut world = World::new();
    let own = world.customer(10_000);
    let book = world.open(Holder::Agreement(LOAN), "book", 0);
    world.grant(own, 100);
    let mut take = |days: i32, minor| {
        let lines = vec![line(own, Side::Debit, minor), line(book, Side::Credit, minor)];
        let draft = Draft { value_date: TODAY.add_days(days), ..world.draft(agreement(), lines) };
        world.book(draft, &Signed::default())
    };
    take(1, 60).unwrap();
    let full = |asked| Err(Refusal::GrantExceeded { account: own, max: 100, used: 60, asked });
    assert_eq!([take(0, 50), take(1, 50), take(200, 50)], [full(50), full(50), full(50)]);
    take(366, 40).unwrap();
}

#[test]
fn what_is_late_counts_in_a_grant_where_it_was_due_and_never_in_closed_books() {
    let mut world = World::new();
    let own = world.customer(10_000);
    let book = world.open(Holder::Agreement(LOAN), "book", 0);
    world.grant(own, 100);
    let closed = TODAY.add_days(-3);
    world.state.put(&BANK.0, &ClosedBooksRecord { until: closed });
    let mut take = |due: Date, dated: Option<Date>| {
        let lines = vec![line(own, Side::Debit, 100), line(book, Side::Credit, 100)];
        let dated_by = dated.map_or(DatedBy::Chain, |_| DatedBy::Late { due, ahead_days: 366 });
        let draft = Draft { value_date: dated.unwrap_or(due), dated_by, ..world.draft(agreement(), lines) };
        let planned = refused(plan(&world.state, &draft, &Signed::default()))?;
        let mut entries = vec![];
        commit(&mut world.state, planned, &mut Signed::default(), 1, &mut entries).unwrap();
        Ok(entries[0].value_date)
    };
    // Two days of a month that is closed: each has its own part of the grant, both count from the first open day.
    assert_eq!(take(TODAY.add_days(-30), None), Ok(closed.add_days(1)));
    assert_eq!(take(TODAY.add_days(-29), None), Ok(closed.add_days(1)));
    // A date of its own choice does not lead into closed books either, and opens no other day of the grant.
    let due = TODAY.add_days(-28);
    let earliest = due;
    let given = due.add_days(-1);
    assert_eq!(take(due, Some(given)), Err(Refusal::ValueDatePast { given, earliest }));
    assert_eq!(take(due, Some(due.add_days(5))), Ok(closed.add_days(1)));
    let used = Refusal::GrantExceeded { account: own, max: 100, used: 100, asked: 100 };
    assert_eq!(take(due, Some(due.add_days(6))), Err(used));
    let (given, latest) = (due.add_days(367), due.add_days(366));
    assert_eq!(take(due, Some(given)), Err(Refusal::ValueDateAhead { given, latest }));
}

#[test]
fn a_capture_has_its_room_below_every_counter() {
    let mut world = World::new();
    let own = world.customer(10);
    let limit = ExposureRecord { limit: u128::MAX, used: 0 };
    world.state.put(&key::exposure(&BANK, &EUR, "loan"), &limit);
    let book = world.open(Holder::Agreement(LOAN), "book", 0);
    // An account that has moved nearly all that a counter holds, in and out.
    let nearly = COUNTER_MAX - 150;
    let mut record: AccountRecord = world.state.get(&book.0).unwrap().unwrap();
    (record.counters.debits_posted, record.counters.credits_posted) = (nearly - 200, nearly);
    world.state.put(&book.0, &record);
    let mut hold = |minor| {
        let mut draft = world.draft(agreement(), vec![]);
        draft.act = Act::Hold { hold: HOLD, expires_at: Timestamp(draft.booked_at.0 + DAY_MS) };
        let parts = [HoldPart { from: own, to: book, line: line(own, Side::Debit, minor) }];
        let signed = Signed::by([&OWNER], &[Spend { account: own, amount: AMOUNT_MAX }], Some(LOAN));
        refused(plan_hold(&world.state, &mut draft, &parts, 5, &signed).map(|_| ()))
    };
    assert_eq!(hold(151), Err(Refusal::CounterFull { account: book }));
    assert_eq!(hold(10), Ok(()));
}

#[test]
fn no_bank_writes_into_the_totals_of_another() {
    let mut world = World::new();
    let own = world.customer(1);
    let total = world.open_as(Holder::Party(OTHER_BANK), "total", 0, AccountKind::Control);
    let second = world.open(Holder::Party(OWNER), "second", 0);
    let asked = AccountChange::Control(Some(total));
    let said = refused(change_account(&mut world.state, second, &asked));
    assert!(matches!(said, Err(Refusal::BadValue { rule }) if rule.contains("of the same bank")));
    let own_total = world.open_as(Holder::Party(BANK), "total", 0, AccountKind::Control);
    change_account(&mut world.state, second, &AccountChange::Control(Some(own_total))).unwrap();
    let signed = Signed::by([&OWNER], &[Spend { account: own, amount: 1 }], None);
    let draft =
        world.draft(EntrySource::Party, vec![line(own, Side::Debit, 1), line(second, Side::Credit, 1)]);
    world.book(draft, &signed).unwrap();
    let counted: AccountRecord = world.state.get(&own_total.0).unwrap().unwrap();
    assert_eq!(counted.balance(), 1);
}
