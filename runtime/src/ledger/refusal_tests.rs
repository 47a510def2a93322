//! Every refusal that the ledger knows, each reached, with the values in it.

use super::test_world::*;
use super::{
    Capture, Correction, DatedBy, Draft, Line, Opening, Signed, change_account, correction, find_keyed,
    keep_keyed, open_account, plan, plan_capture, plan_release, set_books,
};
use crate::state::record::{
    AccountCodeRecord, AccountRecord, ClosedBooksRecord, ExposureRecord, Holder, key,
};
use std::collections::BTreeSet;
use tenor_abi::date::{DAY_MS, Timestamp};
use tenor_abi::entry::{EntryId, EntryKey, EntryRequest, FreezeReason, Side};
use tenor_abi::id::{AccountId, AssetId, Hash, HoldId};
use tenor_abi::limit::{AMOUNT_MAX, COUNTER_MAX};
use tenor_abi::money::{Code, Currency};
use tenor_abi::refusal::Refusal;
use tenor_abi::role::Role;
use tenor_abi::spec::BookSide;
use tenor_wire::op::{AccountChange, AccountKind, BooksChange, CorrectLineOp, ExposureLimit, Spend};
use tenor_wire::receipt::EntrySource;

use Side::{Credit, Debit};

/// What other floors refuse with: authority of an item, agreements, terms, schedules, proposals, publishing; and a
/// batch and a value-dated question that are too large, which `execute` and `vm` judge; keys' limits (`tests/keys.rs`).
const OTHERS: [&str; 33] = [
    "Stale",
    "NotAuthorised",
    "WrongState",
    "FourEyes",
    "SamePerson",
    "UnknownParty",
    "UnknownContract",
    "UnknownAgreement",
    "UnknownCall",
    "UnknownProposal",
    "ProposalExpired",
    "BadTerms",
    "BadArguments",
    "NotAdmitted",
    "UnknownBook",
    "AccountNotNamed",
    "BadSchedule",
    "KeysMax",
    "CalendarShort",
    "BehindSchedule",
    "NotYourTerm",
    "BadBatch",
    "TooManyPostings",
    "HookRefused",
    "HookFailed",
    "HooksMax",
    "NoHook",
    "NotAHook",
    "Reentered",
    "NoSuchCall",
    "CallsTooDeep",
    "KeyLimit",
    "KeyBeyond",
];

/// What was seen so far.
#[derive(Default)]
struct Walk {
    seen: BTreeSet<&'static str>,
}

impl Walk {
    #[track_caller]
    fn sees<T: std::fmt::Debug>(&mut self, said: Result<T, Refusal>, expected: Refusal) {
        match said {
            Ok(value) => panic!("{value:?} instead of {expected}"),
            Err(refusal) => assert_eq!(refusal, expected),
        }
        assert_eq!(Refusal::from_data(&expected.data()), Some(expected.clone()));
        let name = Refusal::NAMES.iter().find(|name| **name == expected.name());
        self.seen.extend(name);
    }
}

/// A world in which the customer has 100 on an account, and a second one without anything.
struct Two {
    world: World,
    from: AccountId,
    to: AccountId,
}

impl Two {
    fn new() -> Two {
        let mut world = World::new();
        let from = world.customer(100);
        let to = world.open(Holder::Party(OWNER), "second", 0);
        Two { world, from, to }
    }

    fn signed(&self) -> Signed {
        let most = |account| Spend { account, amount: u128::MAX };
        Signed::by([&OWNER], &[most(self.from), most(self.to)], None)
    }

    fn books(&mut self, lines: Vec<Line>) -> Result<(), Refusal> {
        let (draft, signed) = (self.world.draft(EntrySource::Party, lines), self.signed());
        refused(plan(&self.world.state, &draft, &signed).map(|_| ()))
    }

    fn pays(&mut self, minor: i128) -> Result<(), Refusal> {
        self.books(vec![line(self.from, Debit, minor), line(self.to, Credit, minor)])
    }

    /// The second account's record in another form.
    fn with(&mut self, account: AccountId, change: impl FnOnce(&mut AccountRecord)) {
        let mut record: AccountRecord = self.world.state.get(&account.0).unwrap().unwrap();
        change(&mut record);
        self.world.state.put(&account.0, &record);
    }

    fn dated(&mut self, days: i32, dated_by: DatedBy) -> Result<(), Refusal> {
        let lines = vec![line(self.from, Debit, 1), line(self.to, Credit, 1)];
        let value_date = TODAY.add_days(days);
        let draft = Draft { value_date, dated_by, ..self.world.draft(EntrySource::Party, lines) };
        refused(plan(&self.world.state, &draft, &self.signed()).map(|_| ()))
    }
}

fn shape(walk: &mut Walk) {
    let mut two = Two::new();
    let (from, to, asset) = (two.from, two.to, EUR);
    for minor in [0, -1, i128::MIN, AMOUNT_MAX as i128 + 1, i128::MAX] {
        walk.sees(two.pays(minor), Refusal::BadAmount { minor });
    }
    for given in [0, 1, 8_191] {
        let lines = vec![line(from, Debit, 1); given];
        walk.sees(two.books(lines), Refusal::BadPostings { given: given as u32 });
    }
    let both = vec![line(from, Debit, 1), line(from, Credit, 1)];
    walk.sees(two.books(both), Refusal::SameAccount { account: from });
    let uneven = vec![line(from, Debit, 2), line(to, Credit, 1)];
    walk.sees(two.books(uneven), Refusal::Unbalanced { asset, debits: 2, credits: 1 });
    let account = AccountId([99; 32]);
    let nobody = vec![line(from, Debit, 1), line(account, Credit, 1)];
    walk.sees(two.books(nobody), Refusal::UnknownAccount { account });
    let meant = |code, scale| Line {
        currency: Some(Currency { code: Code::of(code), scale }),
        ..line(from, Debit, 1)
    };
    let (given, needed) = (Code::of("USD"), Code::of("EUR"));
    let other = vec![meant("USD", 2), line(to, Credit, 1)];
    walk.sees(two.books(other), Refusal::WrongCurrency { account: from, given, needed });
    let finer = vec![meant("EUR", 3), line(to, Credit, 1)];
    walk.sees(two.books(finer), Refusal::WrongScale { account: from, given: 3, needed: 2 });
    // Sums of what is as large as can be: each addition has its bound.
    let mut largest = vec![line(from, Debit, AMOUNT_MAX as i128); 4_095];
    largest.extend(vec![line(to, Credit, AMOUNT_MAX as i128); 4_095]);
    let needed = 4_095 * AMOUNT_MAX;
    walk.sees(two.books(largest), Refusal::InsufficientFunds { account: from, available: 100, needed });
    for side in [Debit, Credit] {
        let (account, mut two) = (if side == Debit { from } else { to }, Two::new());
        two.with(account, |record| {
            (record.counters.debits_posted, record.counters.credits_posted) = (COUNTER_MAX, COUNTER_MAX)
        });
        walk.sees(two.pays(1), Refusal::CounterFull { account });
    }
}

fn accounts(walk: &mut Walk) {
    let mut two = Two::new();
    let (from, to, reason) = (two.from, two.to, FreezeReason::Order);
    walk.sees(two.pays(101), Refusal::InsufficientFunds { account: from, available: 100, needed: 101 });
    two.with(to, |record| record.ceiling = Some(10));
    walk.sees(two.pays(11), Refusal::AboveCeiling { account: to, ceiling: 10, would_be: 11 });
    two.with(to, |record| record.frozen_in = Some(reason));
    walk.sees(two.pays(1), Refusal::Frozen { account: to, outgoing: false, reason });
    two.with(from, |record| record.frozen_out = Some(reason));
    let frozen = two.pays(1);
    assert!(matches!(frozen, Err(Refusal::Frozen { .. })));
    two.with(from, |record| record.closed = true);
    two.with(to, |record| record.closed = true);
    let first = from.min(to);
    walk.sees(two.pays(1), Refusal::Closed { account: first });
    let mut two = Two::new();
    two.with(two.to, |record| record.kind = AccountKind::Control);
    walk.sees(two.pays(1), Refusal::ControlAccount { account: two.to });
    two.with(two.to, |record| record.kind = AccountKind::Issuance);
    walk.sees(two.pays(1), Refusal::IssuerOnly { account: two.to, issuer: BANK });
    let close = change_account(&mut two.world.state, two.from, &AccountChange::Close);
    walk.sees(refused(close), Refusal::NotEmpty { account: two.from, balance: 100, pending: 0 });
    let asset = AssetId([77; 32]);
    let opening = Opening {
        owner: Holder::Party(OWNER),
        asset,
        purpose: "main",
        floor: 0,
        ceiling: None,
        kind: AccountKind::Plain,
    };
    walk.sees(refused(open_account(&mut two.world.state, opening)), Refusal::UnknownAsset { asset });
    let again = open_account(&mut two.world.state, Opening { asset: EUR, ..opening });
    walk.sees(refused(again), Refusal::Exists { what: Hash(two.from.0) });
    let rule = "a floor is at most 0, a ceiling at least 0, both within 10^36".to_string();
    let beyond = open_account(&mut two.world.state, Opening { asset: EUR, floor: 1, ..opening });
    walk.sees(refused(beyond), Refusal::BadValue { rule });
}

fn authority(walk: &mut Walk) {
    let mut two = Two::new();
    let (from, asset) = (two.from, EUR);
    let pay = |two: &mut Two, signed: Signed| {
        let draft =
            two.world.draft(EntrySource::Party, vec![line(two.from, Debit, 5), line(two.to, Credit, 5)]);
        refused(plan(&two.world.state, &draft, &signed).map(|_| ()))
    };
    let little = Signed::by([&OWNER], &[Spend { account: from, amount: 4 }], None);
    walk.sees(pay(&mut two, little), Refusal::SpendMax { account: from, bound: 4, asked: 5 });
    let nobody = Signed::default();
    walk.sees(pay(&mut two, nobody), Refusal::DebitNotAllowed { account: from });
    let issuer = Signed::by([&BANK], &[], None);
    walk.sees(pay(&mut two, issuer), Refusal::NotInAssetTerms { asset, what: "clawback".into() });
    two.world.grant(from, 10);
    let take = two.world.draft(agreement(), vec![line(from, Debit, 11), line(two.to, Credit, 11)]);
    let taken = refused(plan(&two.world.state, &take, &Signed::default()).map(|_| ()));
    walk.sees(taken, Refusal::GrantExceeded { account: from, max: 10, used: 0, asked: 11 });
    let row = key::exposure(&BANK, &EUR, "loan");
    two.world.state.put(&row, &ExposureRecord { limit: 7, used: 0 });
    let owed = two.world.open(Holder::Agreement(LOAN), "owed", -1_000);
    let lend = two.world.draft(agreement(), vec![line(owed, Debit, 8), line(two.to, Credit, 8)]);
    let lent = refused(plan(&two.world.state, &lend, &Signed::default()).map(|_| ()));
    walk.sees(lent, Refusal::ExposureExceeded { asset, limit: 7, would_be: 8 });
}

fn holds(walk: &mut Walk) {
    let mut two = Two::new();
    let (account, hold) = (two.from, HOLD);
    let book = two.world.open(Holder::Agreement(LOAN), "book", 0);
    two.world.grant(account, 100);
    let capture = |two: &mut Two, parts: &[(AccountId, u128)], later: u64| {
        let mut draft = two.world.draft(agreement(), vec![]);
        draft.booked_at = Timestamp(draft.booked_at.0 + later);
        let asked = Capture { hold: HOLD, parts, last: true };
        refused(plan_capture(&two.world.state, &mut draft, &asked, &Signed::default()).map(|_| ()))
    };
    walk.sees(capture(&mut two, &[], 0), Refusal::UnknownHold { hold });
    two.world.hold(account, book, 50).unwrap();
    let expired_at = Timestamp(TODAY.midnight().0 + DAY_MS);
    assert_eq!(capture(&mut two, &[], DAY_MS), Ok(()), "at its last instant");
    walk.sees(capture(&mut two, &[], DAY_MS + 1), Refusal::HoldExpired { hold, expired_at });
    for asked in [51, u128::MAX] {
        let above = capture(&mut two, &[(account, asked)], 0);
        walk.sees(above, Refusal::AboveHold { hold, account, left: 50, asked });
    }
    let twice = capture(&mut two, &[(account, 30), (account, 21)], 0);
    walk.sees(twice, Refusal::AboveHold { hold, account, left: 50, asked: 51 });
    walk.sees(capture(&mut two, &[(account, 0)], 0), Refusal::BadAmount { minor: 0 });
    two.world.release();
    walk.sees(capture(&mut two, &[], 0), Refusal::HoldResolved { hold });
    let mut draft = two.world.draft(agreement(), vec![]);
    let again = plan_release(&two.world.state, &mut draft, HOLD, &Signed::default());
    walk.sees(refused(again), Refusal::HoldResolved { hold });
    // Too long, and not at all.
    let given = two.world.hold_for(account, book, 1, 6 * DAY_MS);
    let (now, latest) = (TODAY.midnight().0, Timestamp(TODAY.midnight().0 + 5 * DAY_MS));
    let earliest = Timestamp(now + 1);
    walk.sees(given, Refusal::BadExpiry { given: Timestamp(now + 6 * DAY_MS), earliest, latest });
    let none = two.world.hold_for(account, book, 1, 0);
    walk.sees(none, Refusal::BadExpiry { given: Timestamp(now), earliest, latest });
    assert_eq!(HOLD, HoldId([7; 32]));
}

fn dates(walk: &mut Walk) {
    let mut two = Two::new();
    let (given, bank, first) = (TODAY.add_days(-1), BANK, two.from.min(two.to));
    let asker = || DatedBy::Asker { ahead_days: 30 };
    let staff = |banks| DatedBy::Staff { ahead_days: 30, banks };
    walk.sees(two.dated(-1, asker()), Refusal::ValueDatePast { given, earliest: TODAY });
    let (ahead, latest) = (TODAY.add_days(31), TODAY.add_days(30));
    walk.sees(two.dated(31, asker()), Refusal::ValueDateAhead { given: ahead, latest });
    walk.sees(two.dated(-1, staff(vec![OTHER_BANK])), Refusal::RoleMissing { role: Role::Operations, bank });
    let shut = two.dated(-1, staff(vec![BANK]));
    walk.sees(shut, Refusal::BeforeWindow { account: first, given, earliest: TODAY });
    let code = AccountCodeRecord { gl: "2100".into(), side: BookSide::Liability, back_days: 10 };
    two.world.state.put(&key::account_code(&BANK, 0), &code);
    let closed_until = given;
    two.world.state.put(&BANK.0, &ClosedBooksRecord { until: closed_until });
    walk.sees(two.dated(-1, staff(vec![BANK])), Refusal::PeriodClosed { bank, given, closed_until });
    let close = BooksChange::Close { until: TODAY };
    let rule = format!("books close on a day after {closed_until} and before {TODAY}, {TODAY} given");
    walk.sees(refused(set_books(&mut two.world.state, BANK, &close, TODAY)), Refusal::BadValue { rule });
    let limit = ExposureLimit { asset: AssetId([88; 32]), limit: 1 };
    let unknown = BooksChange::Exposure { product: "loan".into(), limit };
    let said = refused(set_books(&mut two.world.state, BANK, &unknown, TODAY));
    walk.sees(said, Refusal::UnknownAsset { asset: limit.asset });
}

fn keys(walk: &mut Walk) {
    let mut two = Two::new();
    let now = Timestamp(TODAY.midnight().0 + 5);
    let today = (now.0 / DAY_MS) as u32;
    let request = |day, purpose| EntryRequest {
        postings: vec![],
        purpose,
        narrative: None,
        reference: None,
        value_date: None,
        key: Some(EntryKey::new(day, [1; 12])),
    };
    let (oldest, latest) = (today - 35, today + 1);
    for given in [oldest - 1, latest + 1, 0, u32::MAX] {
        let found = find_keyed(&two.world.state, &LOAN, &request(given, 0), now, 35);
        walk.sees(refused(found), Refusal::EntryKeyDay { given, oldest, latest });
    }
    for day in [oldest, latest] {
        assert_eq!(refused(find_keyed(&two.world.state, &LOAN, &request(day, 0), now, 35)), Ok(None));
    }
    let entry = EntryId { item: Hash([3; 32]), index: 2 };
    keep_keyed(&mut two.world.state, &LOAN, &request(today, 0), Some(entry)).unwrap();
    let found = find_keyed(&two.world.state, &LOAN, &request(today, 1), now, 35);
    walk.sees(refused(found), Refusal::EntryKeyTaken { entry, field: "purpose".into() });
    // Another agreement's key is another key.
    let other = tenor_abi::id::AgreementId([0x42; 32]);
    assert_eq!(refused(find_keyed(&two.world.state, &other, &request(today, 1), now, 35)), Ok(None));
}

fn corrections(walk: &mut Walk) {
    let mut two = Two::new();
    let (account, signed) = (two.from, two.signed());
    let draft =
        two.world.draft(EntrySource::Party, vec![line(two.from, Debit, 40), line(two.to, Credit, 40)]);
    let entry = draft.id;
    two.world.book(draft, &signed).unwrap();
    let mut correct = |entry, lines: &[CorrectLineOp]| {
        let mut draft = two.world.draft(EntrySource::Party, vec![]);
        refused(correction(&two.world.state, &mut draft, Correction { entry, lines }, &signed).map(|_| ()))
    };
    let of = |sequence, amount| CorrectLineOp { account, sequence, amount };
    for sequence in [0, 2, u64::MAX] {
        walk.sees(correct(entry, &[of(sequence, 1)]), Refusal::UnknownPosting { account, sequence });
    }
    let above = |asked| Refusal::AboveReverse { account, sequence: 1, left: 40, asked };
    walk.sees(correct(entry, &[of(1, 41)]), above(41));
    walk.sees(correct(entry, &[of(1, u128::MAX)]), above(u128::MAX));
    // One posting twice: what the first line takes back is not there for the second.
    let (sequence, left, asked) = (1, 10, 11);
    let twice = correct(entry, &[of(1, 30), of(1, 11)]);
    walk.sees(twice, Refusal::AboveReverse { account, sequence, left, asked });
}

#[test]
fn every_refusal_of_the_ledger_is_reached_and_says_its_values() {
    let mut walk = Walk::default();
    for part in [shape, accounts, authority, holds, dates, keys, corrections] {
        part(&mut walk);
    }
    let others: BTreeSet<&str> = OTHERS.into_iter().collect();
    let missing: Vec<_> =
        Refusal::NAMES.iter().filter(|name| !walk.seen.contains(*name) && !others.contains(*name)).collect();
    assert!(missing.is_empty(), "not reached: {missing:?}");
}
