//! Overlays against a plain map, and what they remember.

use super::*;
use crate::state::record::{
    AgreementRecord, Counters, HistoryRecord, Holder, HookSet, PurposeCode, to_bytes,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use tenor_abi::codec;
use tenor_abi::date::{Date, Timestamp};
use tenor_abi::entry::EntryId;
use tenor_abi::id::{AssetId, CodeHash, Hash, PartyId};
use tenor_abi::money::Currency;
use tenor_wire::op::AccountKind;

struct Rows(BTreeMap<Vec<u8>, Vec<u8>>);

impl Base for Rows {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.0.get(key).cloned())
    }
    fn next(&self, from: &[u8], end: &[u8]) -> Result<Option<Row>, Fault> {
        let mut range = self.0.range::<[u8], _>((Bound::Included(from), Bound::Excluded(end)));
        Ok(range.next().map(|(k, v)| (k.clone(), v.clone())))
    }
}

fn all(overlay: &Overlay<'_>) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let (mut rows, mut from) = (BTreeMap::new(), vec![]);
    while let Some((key, value)) = overlay.next_row(&from, &[255]).unwrap() {
        from = key.clone();
        from.push(0);
        rows.insert(key, value);
    }
    rows
}

fn posting(account: u8, sequence: u64) -> Vec<u8> {
    Kind::History.full_key(&[&[account; 32][..], &sequence.to_be_bytes()].concat())
}

fn account(history_count: u64) -> AccountRecord {
    AccountRecord {
        owner: Holder::Party(PartyId([1; 32])),
        asset: AssetId([2; 32]),
        purpose: PurposeCode::of("main").unwrap(),
        currency: Currency::of("EUR", 2),
        kind: AccountKind::Plain,
        code: 0,
        control: None,
        counters: Counters { debits_posted: 5, credits_posted: 7, ..Counters::default() },
        floor: 0,
        ceiling: None,
        holds_overdraft: false,
        frozen_in: None,
        frozen_out: None,
        closed: false,
        hooks: HookSet::default(),
        history_count,
        history_root: Hash::ZERO,
    }
}

fn head(of: u8) -> PostingHead {
    (EntryId { item: Hash([of; 32]), index: 0 }, 9, Timestamp(3), Date::of(2026, 1, 2))
}

/// The stored bytes of a posting, with what the account counts after it.
fn posted(of: u8, side: Side, amount: u128, (debits_posted, credits_posted): (u128, u128)) -> Vec<u8> {
    let (entry, height, booked_at, value_date) = head(of);
    to_bytes(&HistoryRecord {
        entry,
        height,
        booked_at,
        value_date,
        side,
        amount,
        debits_posted,
        credits_posted,
    })
}

/// Books one posting on an account.
fn book(overlay: &mut Overlay<'_>, head: PostingHead, of: u8, side: Side, amount: u128) {
    let account = AccountId([of; 32]);
    let (seen, ..) = overlay.accounts().find(&account).unwrap().unwrap();
    let mut booking = overlay.book(head);
    let seen = booking.open(seen, &account).unwrap();
    booking.post(seen, side, amount);
}

#[test]
fn an_account_is_booked_on_where_it_lies() {
    let full_key = |of: u8| Kind::Account.full_key(&[of; 32]);
    let rows = [
        (full_key(1), to_bytes(&account(1))),
        (full_key(2), to_bytes(&account(1))),
        (posting(1, 0), vec![10]),
        (posting(2, 0), vec![20]),
    ];
    let base = Rows(rows.clone().into());
    let mut overlay = Overlay::new(&base);
    overlay.set_row(&[200], Some(vec![]));
    let start = overlay.moment();
    book(&mut overlay, head(2), 2, Side::Debit, 3);
    book(&mut overlay, head(1), 1, Side::Credit, 1);
    assert_ne!(overlay.moment(), start);
    let (mark, marked, kept) = (overlay.mark(), overlay.moment(), all(&overlay));
    let read: AccountRecord = overlay.get(&[1; 32]).unwrap().unwrap();
    assert_eq!((read.counters.posted(), read.history_count), ((5, 8), 2));

    // Whoever read an account keeps what it read.
    let (_, shared) = overlay.shared::<AccountRecord>(&[1; 32]).unwrap().unwrap();
    let (first, second) = (AccountId([1; 32]), AccountId([2; 32]));
    let seen =
        [first, second].map(|account| (overlay.accounts().find(&account).unwrap().unwrap().0, account));
    let mut booking = overlay.book(head(1));
    let opened = seen.map(|(seen, account)| booking.open(seen, &account).unwrap());
    booking.post(opened[0], Side::Credit, 2);
    assert!(booking.pend(opened[1], (-1, 0)).is_err());
    booking.pend(opened[1], (4, 0)).unwrap();
    assert_eq!(*shared, read);
    assert_eq!(overlay.get_row(&posting(1, 2)).unwrap(), Some(posted(1, Side::Credit, 2, (5, 10))));
    assert_eq!(overlay.get::<AccountRecord>(&[2; 32]).unwrap().unwrap().counters.pending(), (4, 0));
    let moment = overlay.moment();
    overlay.roll_back(mark);
    assert_eq!(overlay.moment(), marked, "what was written is taken back");
    assert_eq!(all(&overlay), kept);
    assert_eq!(overlay.get_row(&posting(1, 2)).unwrap(), None);

    for _ in 0..2 {
        overlay.set_row(&[201], Some(vec![]));
    }
    assert_ne!(overlay.moment(), moment, "as much was written since, and something else");
    overlay.roll_back(mark);
    book(&mut overlay, head(3), 1, Side::Credit, 4);
    let booked = overlay.moment();
    overlay.keep();
    assert_eq!(overlay.moment(), booked);
    let changed = |posted: (u128, u128), history_count| {
        let (debits_posted, credits_posted) = posted;
        let counters = Counters { debits_posted, credits_posted, ..Counters::default() };
        to_bytes(&AccountRecord { counters, ..account(history_count) })
    };
    let written = [
        (full_key(1), changed((5, 12), 3)),
        (full_key(2), changed((8, 7), 2)),
        (posting(1, 1), posted(1, Side::Credit, 1, (5, 8))),
        (posting(1, 2), posted(3, Side::Credit, 4, (5, 12))),
        (posting(2, 1), posted(2, Side::Debit, 3, (8, 7))),
        (vec![200], vec![]),
    ];
    for (key, value) in &written {
        assert_eq!(overlay.get_row(key).unwrap().as_ref(), Some(value));
        assert!(overlay.has_row(key).unwrap());
    }
    assert_eq!(all(&overlay), rows.into_iter().chain(written.clone()).collect());
    let mut shown = 0;
    let by_account = overlay.posted(|_| shown += 1);
    let by_account: Vec<_> = by_account.iter().map(|posted| (posted.account, posted.count)).collect();
    assert_eq!((by_account, shown), (vec![(AccountId([1; 32]), 2), (AccountId([2; 32]), 1)], 3));
    // It may be written once more before the block is over.
    let limited = AccountRecord { floor: -7, ..overlay.get(&[1; 32]).unwrap().unwrap() };
    overlay.put(&[1; 32], &limited);
    let mut expected = written.map(|(key, value)| (key, Some(value)));
    expected[0].1 = Some(to_bytes(&limited));
    assert_eq!(overlay.into_writes().unwrap().to_vec(), expected);
}

#[test]
fn an_account_that_was_seen_is_found_again_where_it_lies_by_now() {
    let base = Rows([(Kind::Account.full_key(&[1; 32]), to_bytes(&account(1)))].into());
    let meanwhile: [fn(&mut Overlay<'_>); 2] = [
        |overlay| {
            let mark = overlay.mark();
            overlay.put(&[1; 32], &account(3));
            overlay.roll_back(mark);
        },
        |overlay| overlay.cells.get_mut().forget(),
    ];
    for meanwhile in meanwhile {
        let mut overlay = Overlay::new(&base);
        let (id, start) = (AccountId([1; 32]), overlay.moment());
        let (seen, ..) = overlay.accounts().find(&id).unwrap().unwrap();
        meanwhile(&mut overlay);
        assert_eq!(overlay.moment(), start);
        let mut booking = overlay.book(head(1));
        let opened = booking.open(seen, &id).unwrap();
        booking.post(opened, Side::Debit, 4);
        let booked: AccountRecord = overlay.get(&id.0).unwrap().unwrap();
        assert_eq!((booked.counters.posted(), booked.history_count), ((9, 7), 2));
    }
}

#[test]
fn a_deleted_row_that_is_passed_is_paid_for() {
    let rows: BTreeMap<Vec<u8>, Vec<u8>> = (0..100).map(|n| (vec![7, n], vec![n; 3])).collect();
    let base = Rows(rows);
    let mut overlay = Overlay::new(&base);
    // What was written and taken back, or only read, is not passed.
    let mark = overlay.mark();
    (0..60).for_each(|n| overlay.set_row(&[7, n, 1], Some(vec![])));
    overlay.set_row(&[7, 5], None);
    overlay.roll_back(mark);
    overlay.next_rows(&[7], &[8], 50).unwrap();
    let walk = |overlay: &Overlay<'_>, from: u8, paid_max: usize| {
        let (mut passed, mut bytes) = (0, 0);
        let found = overlay.next_row_paid(&[7, from], &[8], &mut |value| {
            (passed, bytes) = (passed + 1, bytes + value);
            passed <= paid_max
        });
        (found.unwrap().map(|(key, _)| key[1]), passed, bytes)
    };
    assert_eq!(walk(&overlay, 0, 1000), (Some(0), 0, 0));
    (0..40).for_each(|n| overlay.set_row(&[7, n], None));
    overlay.set_row(&[7, 20, 1], Some(vec![1; 9]));
    overlay.set_row(&[7, 20, 1], None);
    overlay.set_row(&[7, 40], Some(vec![1; 5]));
    assert_eq!(walk(&overlay, 0, 1000), (Some(40), 41, 120));
    assert_eq!(walk(&overlay, 38, 1000), (Some(40), 2, 6));
    assert_eq!(walk(&overlay, 40, 1000), (Some(40), 0, 0));
    assert_eq!(walk(&overlay, 0, 10), (None, 11, 33), "it ends where it is not paid for");
    // What is behind the row is not paid for.
    (50..100).for_each(|n| overlay.set_row(&[7, n], None));
    assert_eq!(walk(&overlay, 49, 1000), (Some(49), 0, 0));
    assert_eq!(walk(&overlay, 50, 1000), (None, 50, 150));
}

#[test]
fn versions_of_an_agreement_share_its_terms() {
    let record = AgreementRecord {
        code: CodeHash([1; 32]),
        bank: PartyId([2; 32]),
        opened_by: PartyId([3; 32]),
        opened_at: Timestamp(4),
        terms_version: 0,
        terms: vec![5; 1000].into(),
        state: 0,
        signers: vec![],
        keys: 0,
    };
    let mut overlay = Overlay::new(&Nothing);
    overlay.put(&[9; 32], &record);
    let mark = overlay.mark();
    for keys in 1..=100 {
        let counted: AgreementRecord = overlay.get(&[9; 32]).unwrap().unwrap();
        assert!(std::ptr::eq(&*counted.terms, &*record.terms));
        overlay.set(&[9; 32], AgreementRecord { keys, ..counted });
    }
    overlay.roll_back(mark);
    assert_eq!(overlay.get::<AgreementRecord>(&[9; 32]).unwrap(), Some(record.clone()));
    assert_eq!(codec::encode(&record.terms), codec::encode(&vec![5u8; 1000]), "no byte is another");
}

#[test]
#[should_panic(expected = "what was kept")]
fn what_was_kept_is_not_taken_back() {
    let mut overlay = Overlay::new(&Nothing);
    let mark = overlay.mark();
    overlay.set_row(&[1], None);
    overlay.keep();
    overlay.roll_back(mark);
}

/// What is done to an overlay; accounts and other rows go by numbers.
#[derive(Clone, Debug)]
enum Step {
    Put(u8, i8),
    PutBytes(u8, i8),
    Delete(u8),
    /// Lines of an entry: on which account, on which side, and how much.
    Book(Vec<(u8, bool, u8)>),
    Pend(u8, u8),
    SetRow(u8, Option<u8>),
    Mark,
    RollBack,
    Keep,
    Read(u8),
    Walk,
    Order,
    Prefetch,
    TakeIn(u8),
    BeginAnew,
}

fn step() -> impl Strategy<Value = Step> {
    let of = || 0..6u8;
    prop_oneof![
        2 => (of(), any::<i8>()).prop_map(|(of, floor)| Step::Put(of, floor)),
        1 => (of(), any::<i8>()).prop_map(|(of, floor)| Step::PutBytes(of, floor)),
        1 => of().prop_map(Step::Delete),
        5 => prop::collection::vec((of(), any::<bool>(), any::<u8>()), 0..4).prop_map(Step::Book),
        1 => (of(), any::<u8>()).prop_map(|(of, amount)| Step::Pend(of, amount)),
        1 => (0..12u8, any::<Option<u8>>()).prop_map(|(of, value)| Step::SetRow(of, value)),
        3 => Just(Step::Mark),
        2 => Just(Step::RollBack),
        1 => Just(Step::Keep),
        1 => of().prop_map(Step::Read),
        1 => Just(Step::Walk),
        3 => Just(Step::Order),
        1 => Just(Step::Prefetch),
        1 => of().prop_map(Step::TakeIn),
        1 => Just(Step::BeginAnew),
    ]
}

/// The rows that an overlay should have.
#[derive(Clone)]
struct Model(BTreeMap<Vec<u8>, Vec<u8>>);

impl Model {
    fn account(&self, of: u8) -> Option<AccountRecord> {
        let full_key = Kind::Account.full_key(&[of; 32]);
        self.0.get(&full_key).map(|bytes| from_bytes(&full_key, bytes).unwrap())
    }

    fn set(&mut self, full_key: &[u8], value: Option<Vec<u8>>) {
        match value {
            Some(value) => self.0.insert(full_key.to_vec(), value),
            None => self.0.remove(full_key),
        };
    }

    fn set_account(&mut self, of: u8, record: Option<&AccountRecord>) {
        self.set(&Kind::Account.full_key(&[of; 32]), record.map(to_bytes));
    }

    /// Accounts that have postings which a base has not, and how many.
    fn posted(&self, base: &Rows) -> Vec<(AccountId, u32)> {
        let mut counts = BTreeMap::new();
        let rows = self.0.keys().filter(|key| key[0] == Kind::History as u8 && !base.0.contains_key(*key));
        rows.for_each(|key| *counts.entry(AccountId(key[1..33].try_into().unwrap())).or_default() += 1);
        counts.into_iter().collect()
    }
}

/// Takes a step with both; what was marked lies beside them.
fn take(
    step: &Step,
    base: &Rows,
    overlay: &mut Overlay<'_>,
    model: &mut Model,
    marks: &mut Vec<(Mark, Model)>,
) {
    let is_posted =
        |model: &Model, of: u8| model.posted(base).iter().any(|(account, _)| *account == AccountId([of; 32]));
    match *step {
        Step::Put(of, floor) => {
            let record = AccountRecord { floor: floor.into(), ..model.account(of).unwrap_or(account(1)) };
            overlay.put(&[of; 32], &record);
            model.set_account(of, Some(&record));
        }
        // An account that was posted on stays one.
        Step::PutBytes(of, _) | Step::Delete(of) if is_posted(model, of) => {}
        Step::PutBytes(of, floor) => {
            let record = AccountRecord { floor: floor.into(), ..model.account(of).unwrap_or(account(1)) };
            overlay.set_row(&Kind::Account.full_key(&[of; 32]), Some(to_bytes(&record)));
            model.set_account(of, Some(&record));
        }
        Step::Delete(of) => {
            overlay.delete(Kind::Account, &[of; 32]);
            model.set_account(of, None);
        }
        Step::Book(ref lines) => {
            let lines = lines.iter().filter(|(of, ..)| model.account(*of).is_some());
            let lines: Vec<_> = lines.copied().collect();
            let ids = lines.iter().map(|(of, ..)| AccountId([*of; 32]));
            let seen: Vec<_> = ids.map(|id| (overlay.accounts().find(&id).unwrap().unwrap().0, id)).collect();
            let mut booking = overlay.book(head(1));
            let opened = seen.into_iter().map(|(seen, id)| booking.open(seen, &id).unwrap());
            let opened: Vec<_> = opened.collect();
            for ((of, is_debit, amount), opened) in lines.into_iter().zip(opened) {
                let (side, amount) = (if is_debit { Side::Debit } else { Side::Credit }, amount.into());
                booking.post(opened, side, amount);
                let mut record = model.account(of).unwrap();
                *record.counters.posted_mut(side) += amount;
                let row = posting(of, record.history_count);
                model.set(&row, Some(posted(1, side, amount, record.counters.posted())));
                record.history_count += 1;
                model.set_account(of, Some(&record));
            }
        }
        Step::Pend(of, amount) => {
            if let Some(mut record) = model.account(of) {
                let (seen, ..) = overlay.accounts().find(&AccountId([of; 32])).unwrap().unwrap();
                let mut booking = overlay.book(head(1));
                let opened = booking.open(seen, &AccountId([of; 32])).unwrap();
                booking.pend(opened, (amount.into(), 0)).unwrap();
                record.counters.debits_pending += u128::from(amount);
                model.set_account(of, Some(&record));
            }
        }
        Step::SetRow(of, value) => {
            let row = row(of);
            overlay.set_row(&row, value.map(|value| vec![value]));
            model.set(&row, value.map(|value| vec![value]));
        }
        Step::Mark => marks.push((overlay.mark(), model.clone())),
        Step::RollBack => {
            if let Some((mark, marked)) = marks.pop() {
                overlay.roll_back(mark);
                *model = marked;
            }
        }
        Step::Keep => {
            overlay.keep();
            marks.clear();
        }
        Step::Read(of) => assert_eq!(overlay.get(&[of; 32]).unwrap(), model.account(of)),
        Step::Walk => {
            assert_eq!(all(overlay), model.0);
            for (key, value) in &model.0 {
                assert_eq!(overlay.get_row(key).unwrap().as_ref(), Some(value));
            }
        }
        Step::Order => drop(in_order(overlay)),
        Step::Prefetch => overlay.prefetch_accounts([0, 3, 5].map(|of| AccountId([of; 32])).iter()),
        Step::TakeIn(of) => {
            let beside = overlay.beside();
            beside.get::<AccountRecord>(&[of; 32]).unwrap();
            beside.get_row(&row(of)).unwrap();
            overlay.take_in(beside);
        }
        Step::BeginAnew => overlay.cells.get_mut().forget(),
    }
}

/// A row that is no account, in front of those or behind.
fn row(of: u8) -> Vec<u8> {
    let kinds = [Kind::Asset, Kind::Hold, Kind::HistoryPeaks, Kind::Due];
    kinds[usize::from(of) % 4].full_key(&[of; 32])
}

/// The accounts that were posted on, after they were compared with the postings that are shown.
fn in_order(overlay: &Overlay<'_>) -> Vec<crate::state::Posted> {
    let mut shown = 0;
    let posted = overlay.posted(|_| shown += 1);
    assert_eq!(posted.iter().map(|posted| posted.count).sum::<u32>(), shown);
    posted
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, ..ProptestConfig::default() })]

    #[test]
    fn an_overlay_books_like_a_map_and_writes_what_it_says(
        steps in prop::collection::vec(step(), 0..40),
        settled in prop::collection::vec((0..6u8, any::<i8>()), 0..3),
    ) {
        let accounts = (0..4).map(|of| (Kind::Account.full_key(&[of; 32]), to_bytes(&account(1))));
        let base = Rows(accounts.chain((0..8).map(|of| (row(of), vec![of]))).collect());
        let (mut overlay, mut model, mut marks) = (Overlay::new(&base), Model(base.0.clone()), vec![]);
        for step in &steps {
            take(step, &base, &mut overlay, &mut model, &mut marks);
        }
        // As at the end of a block, whose accounts may be written once more.
        let posted = in_order(&overlay);
        let counts: Vec<_> = posted.iter().map(|posted| (posted.account, posted.count)).collect();
        prop_assert_eq!(counts, model.posted(&base));
        for posted in posted {
            let of = posted.account.0[0];
            let record = AccountRecord { history_root: Hash([of; 32]), ..model.account(of).unwrap() };
            prop_assert_eq!(overlay.set_history_root(posted.seen, record.history_root), record.history_count);
            model.set_account(of, Some(&record));
        }
        for (of, floor) in settled {
            take(&Step::Put(of, floor), &base, &mut overlay, &mut model, &mut vec![]);
        }
        let keys = base.0.keys().chain(model.0.keys().filter(|key| !base.0.contains_key(*key)));
        let changed = keys.filter(|key| base.0.get(*key) != model.0.get(*key));
        let mut changed: Vec<_> = changed.map(|key| (key.clone(), model.0.get(key).cloned())).collect();
        changed.sort();
        prop_assert_eq!(overlay.into_writes().unwrap().to_vec(), changed);
    }
}

proptest! {
    #[test]
    fn an_overlay_reads_like_a_map_and_rolls_back(
        base in prop::collection::btree_map(prop::collection::vec(0u8..4, 1..3), prop::collection::vec(any::<u8>(), 0..3), 0..12),
        first in prop::collection::vec((prop::collection::vec(0u8..4, 1..3), any::<Option<u8>>()), 0..20),
        second in prop::collection::vec((prop::collection::vec(0u8..4, 1..3), any::<Option<u8>>()), 0..20),
    ) {
        let rows = Rows(base.clone());
        let (mut overlay, mut model) = (Overlay::new(&rows), base);
        let write = |overlay: &mut Overlay<'_>, model: &mut BTreeMap<Vec<u8>, Vec<u8>>, list: &[(Vec<u8>, Option<u8>)]| {
            for (key, value) in list {
                overlay.set_row(key, value.map(|v| vec![v]));
                match value {
                    Some(v) => model.insert(key.clone(), vec![*v]),
                    None => model.remove(key),
                };
            }
        };
        write(&mut overlay, &mut model, &first);
        prop_assert_eq!(&all(&overlay), &model);
        let (mark, kept) = (overlay.mark(), model.clone());
        write(&mut overlay, &mut model, &second);
        prop_assert_eq!(&all(&overlay), &model);
        overlay.roll_back(mark);
        prop_assert_eq!(&all(&overlay), &kept);
        let mut result = rows.0.clone();
        for (key, value) in overlay.into_writes().unwrap().to_vec() {
            prop_assert_ne!(rows.0.get(&key), value.as_ref());
            match value {
                Some(value) => result.insert(key, value),
                None => result.remove(&key),
            };
        }
        prop_assert_eq!(result, kept);
    }
}
