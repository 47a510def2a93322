//! Entries: many lines and assets, batches, value dates, corrections, statements.

use crate::{World, newest_entry};
use tenor_abi::codec;
use tenor_abi::date::Date;
use tenor_abi::entry::Side;
use tenor_abi::id::AccountId;
use tenor_abi::refusal::Refusal;
use tenor_abi::spec::BookSide;
use tenor_abi::tag;
use tenor_runtime::ledger;
use tenor_testing::wire::op::{
    AccountChange, BatchOp, BooksChange, CorrectLineOp, CorrectOp, EntryOp, Operation, TransferOp,
};
use tenor_testing::wire::receipt::{Act, BatchOutcome, Fate, list_root};
use tenor_testing::{Bank, Outcome, Person};

const DEBIT: Side = Side::Debit;
const CREDIT: Side = Side::Credit;

#[test]
fn an_entry_moves_several_assets_of_several_owners_or_nothing() {
    let mut world = World::new();
    let (ada, bob) = (world.ada.clone(), world.bob.clone());
    let lines =
        [(ada.account, DEBIT, 3_000), (bob.account, DEBIT, 1_000), (world.shop.account, CREDIT, 4_000)];
    assert_eq!(
        world.entry(&[&ada], &lines).refusal(),
        Refusal::DebitNotAllowed { account: bob.account },
        "both owners must sign"
    );
    world.entry(&[&ada, &bob], &lines).done();
    assert_eq!((world.counters(&ada).0, world.counters(&bob).0), (7_000, 1_000));
    world.replays();
}

#[test]
fn the_largest_entry_books_in_one_piece() {
    let mut world = World::new();
    let (ada, shop) = (world.ada.clone(), world.shop.clone());
    let lines = |count: usize| {
        let pays = std::iter::repeat_n((ada.account, DEBIT, 1), count - 1);
        pays.chain([(shop.account, CREDIT, count as u128 - 1)]).collect::<Vec<_>>()
    };
    let allowed = vec![(ada.account, 10_000)];
    let op = Operation::Entry(world.entry_op(&lines(8_191)));
    assert_eq!(world.run(&[&ada], op, allowed.clone()).refusal(), Refusal::BadPostings { given: 8_191 });
    let op = Operation::Entry(world.entry_op(&lines(8_190)));
    let done = world.run(&[&ada], op, allowed).done();
    assert_eq!(done.entries[0].postings.len(), 8_190);
    assert_eq!(world.counters(&shop).0, 8_189);
}

#[test]
fn each_transfer_of_a_batch_stands_alone() {
    let mut world = World::new();
    let (ada, bob, shop) = (world.ada.clone(), world.bob.clone(), world.shop.clone());
    let transfer =
        |to, amount| TransferOp { from: ada.account, to, amount, narrative: None, reference: None };
    let transfers = vec![
        transfer(shop.account, 4_000),
        transfer(crate::nobody(), 1),
        transfer(bob.account, 7_000),
        transfer(bob.account, 6_000),
    ];
    let op = Operation::Batch(BatchOp { transfers: transfers.clone() });
    let done = world.run(&[&ada], op, vec![(ada.account, 10_000)]).done();
    let outcome: BatchOutcome = codec::decode(&done.data, 1 << 20).unwrap();
    let fates: Vec<_> = outcome.transfers.iter().map(|sub| (sub.fate, sub.entry)).collect();
    let (did, not) = (Fate::Done, Fate::Refused);
    assert_eq!(fates, [(did, Some(0)), (not, None), (not, None), (did, Some(1))]);
    assert_eq!(outcome.root, list_root(tag::BATCH, &outcome.transfers));
    let said = Refusal::from_data(&outcome.transfers[2].data);
    assert_eq!(said.map(|refusal| refusal.name()), Some("SpendMax"), "over the whole item");
    assert_eq!((world.counters(&ada).0, world.counters(&bob).0), (0, 8_000));
    let many = Operation::Batch(BatchOp { transfers: vec![transfer(bob.account, 1); 10_001] });
    let (given, limit) = (10_001, 10_000);
    assert_eq!(world.run(&[&ada], many, vec![]).refusal(), Refusal::BadBatch { given, limit });
    world.replays();
}

#[test]
fn ten_thousand_transfers_go_under_one_signature() {
    let mut world = World::new();
    let (ada, shop) = (world.ada.clone(), world.shop.clone());
    let transfer =
        TransferOp { from: ada.account, to: shop.account, amount: 1, narrative: None, reference: None };
    let op = Operation::Batch(BatchOp { transfers: vec![transfer; 10_000] });
    let done = world.run(&[&ada], op, vec![(ada.account, 10_000)]).done();
    assert_eq!((done.entries.len(), world.counters(&shop).0), (10_000, 10_000));
}

impl World {
    fn correct(&mut self, by: &[&Person], op: CorrectOp) -> Outcome {
        let spend = by.iter().map(|person| (person.account, 100_000)).collect();
        self.run(by, Operation::Correct(op), spend)
    }

    /// Takes back an amount of the newest transfer to an account, by the place of its two postings.
    fn take_back(&self, from: AccountId, to: AccountId, amount: u128) -> CorrectOp {
        let last = |account: AccountId| self.account(account).history_count - 1;
        let line = |account| CorrectLineOp { account, sequence: last(account), amount };
        let entry = newest_entry(&self.bank);
        CorrectOp { entry, lines: vec![line(to), line(from)], value_date: None, narrative: None }
    }
}

#[test]
fn corrections_together_never_exceed_the_exact_reverse() {
    let mut world = World::new();
    let (ada, bob) = (world.ada.clone(), world.bob.clone());
    world.bank.transfer(&ada, bob.account, "30.00").done();
    let mut op = world.take_back(ada.account, bob.account, 1_000);
    let unsigned = world.correct(&[&ada], op.clone()).refusal();
    assert_eq!(unsigned, Refusal::DebitNotAllowed { account: bob.account }, "like any entry");
    let done = world.correct(&[&bob], op.clone()).done();
    assert_eq!(done.entries[0].act, Act::Correct(op.entry));
    assert_eq!((world.counters(&ada).0, world.counters(&bob).0), (8_000, 4_000));
    op.lines.iter_mut().for_each(|line| line.amount = 2_001);
    let (account, sequence) = (bob.account, op.lines[0].sequence);
    let above = world.correct(&[&bob], op.clone()).refusal();
    assert_eq!(above, Refusal::AboveReverse { account, sequence, left: 2_000, asked: 2_001 });
    op.lines.iter_mut().for_each(|line| line.amount = 2_000);
    world.correct(&[&bob], op.clone()).done();
    assert_eq!((world.counters(&ada).0, world.counters(&bob).0), (10_000, 2_000));
    // What took back can itself be taken back; other postings of the accounts cannot.
    let again = world.take_back(bob.account, ada.account, 500);
    world.correct(&[&ada], again).done();
    op.lines.iter_mut().for_each(|line| line.sequence = 0);
    let unknown = world.correct(&[&bob], op).refusal();
    assert_eq!(unknown, Refusal::UnknownPosting { account, sequence: 0 });
    world.replays();
}

#[test]
fn value_dates_go_back_under_a_role_within_the_window_and_into_open_books_only() {
    let mut world = World::at(Bank::with_four_eyes());
    world.bank.run_until(Date::of(2026, 3, 20));
    let (ada, bob, officer) = (world.ada.clone(), world.bob.clone(), world.bank.officer.clone());
    let today = world.bank.today();
    let dated = |days: i32| EntryOp {
        value_date: Some(today.add_days(days)),
        ..World::new().entry_op(&[(ada.account, DEBIT, 100), (bob.account, CREDIT, 100)])
    };
    let spend = || vec![(ada.account, 100)];
    // The owner alone dates from today on, at most a year ahead.
    let past = world.run(&[&ada], Operation::Entry(dated(-1)), spend()).refusal();
    assert_eq!(past, Refusal::ValueDatePast { given: today.add_days(-1), earliest: today });
    let ahead = world.run(&[&ada], Operation::Entry(dated(367)), spend()).refusal();
    assert_eq!(ahead, Refusal::ValueDateAhead { given: today.add_days(367), latest: today.add_days(366) });
    world.run(&[&ada], Operation::Entry(dated(366)), spend()).done();
    // One person of the staff beside the owner is not enough outside a sandbox.
    let one = world.run(&[&ada, &officer], Operation::Entry(dated(-1)), spend()).refusal();
    assert_eq!(one.name(), "ValueDatePast");

    let mut world = World::new();
    world.bank.run_until(Date::of(2026, 3, 20));
    let (ada, bob, officer) = (world.ada.clone(), world.bob.clone(), world.bank.officer.clone());
    let both = [&ada, &officer];
    let earliest = today;
    let shut = world.run(&both, Operation::Entry(dated(-1)), spend()).refusal();
    let given = today.add_days(-1);
    assert!(
        matches!(shut, Refusal::BeforeWindow { given: g, earliest: e, .. } if (g, e) == (given, earliest))
    );
    let (gl, side) = ("2100".to_string(), BookSide::Liability);
    world.books(BooksChange::Code { code: 1, gl, side, back_days: 30 }).done();
    for account in [ada.account, bob.account] {
        world.change(account, AccountChange::Code(1)).done();
    }
    world.run(&both, Operation::Entry(dated(-30)), spend()).done();
    let early = world.run(&both, Operation::Entry(dated(-31)), spend()).refusal();
    assert_eq!(early.name(), "BeforeWindow");
    let closed_until = Date::of(2026, 2, 28);
    world.books(BooksChange::Close { until: closed_until }).done();
    let closed = world.run(&both, Operation::Entry(dated(-20)), spend()).refusal();
    let (bank, given) = (world.bank.bank.party, closed_until);
    assert_eq!(closed, Refusal::PeriodClosed { bank, given, closed_until });
    world.run(&both, Operation::Entry(dated(-19)), spend()).done();
    // What is closed stays closed, and today's books are open.
    for until in [closed_until, today] {
        assert_eq!(world.books(BooksChange::Close { until }).refusal().name(), "BadValue");
    }
    world.replays();
}

#[test]
fn statements_and_balances_go_by_value_date() {
    let mut world = World::new();
    let (ada, bob) = (world.ada.clone(), world.bob.clone());
    world.bank.run_until(Date::of(2026, 2, 1));
    world.bank.transfer(&ada, bob.account, "10.00").done();
    let op = EntryOp {
        value_date: Some(Date::of(2026, 3, 15)),
        ..world.entry_op(&[(ada.account, DEBIT, 700), (bob.account, CREDIT, 700)])
    };
    world.run(&[&ada], Operation::Entry(op), vec![(ada.account, 700)]).done();
    let middle = world.bank.chain().tip().height;
    world.bank.run_until(Date::of(2026, 3, 1));
    world.bank.transfer(&bob, ada.account, "2.00").done();
    let state = world.bank.chain().state();
    let ahead = world.bank.chain().genesis().parameters.limits.value_date_ahead_days;
    let on =
        |month, day| ledger::balance_on(&state, &ada.account, Date::of(2026, month, day), ahead).unwrap();
    assert_eq!((on(1, 31), on(2, 1), on(3, 1), on(3, 14), on(3, 15)), (10_000, 9_000, 9_200, 9_200, 8_500));
    assert_eq!(world.account(ada.account).balance(), 8_500, "booked is booked");
    let (from, to) = (Date::of(2026, 2, 2), Date::of(2026, 3, 31));
    let height = world.bank.chain().tip().height;
    let statement = ledger::statement(&state, &ada.account, from, to, height, ahead).unwrap();
    let lines: Vec<_> = statement.lines.iter().map(|line| (line.value_date, line.balance)).collect();
    assert_eq!((statement.opening, statement.closing), (9_000, 8_500));
    assert_eq!(lines, [(Date::of(2026, 3, 1), 9_200), (Date::of(2026, 3, 15), 8_500)]);
    // Pinned to a height it is what it was.
    let pinned = ledger::statement(&state, &ada.account, from, to, middle, ahead).unwrap();
    assert_eq!((pinned.opening, pinned.closing, pinned.lines.len()), (9_000, 8_300, 1));
}
