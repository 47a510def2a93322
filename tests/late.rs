//! A chain that was away and runs late what fell due meanwhile comes to where one comes that ran on time.
//!
//! The rule (within one bank's queue, under catch-up `each`, without refusals and without transactions in between)
//! is compared row by row of the state; only when and in which block something was booked may differ.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as the tests do")]

use proptest::prelude::*;
use std::collections::BTreeMap;
use tenor_abi::codec;
use tenor_abi::date::{Date, Timestamp};
use tenor_abi::id::{AgreementId, Hash};
use tenor_cli::products;
use tenor_cli::words::{self, Arguments};
use tenor_runtime::state::Kind;
use tenor_runtime::state::record::{AccountRecord, HistoryRecord, from_bytes, to_bytes};
use tenor_testing::wire::op::{OpenOp, Operation};
use tenor_testing::{Bank, Person};

fn end() -> Date {
    Date::of(2027, 2, 20)
}

fn open(bank: &mut Bank, product: &str, by: &Person, terms: &[(&str, String)]) -> AgreementId {
    let module = products::find(product).unwrap().wasm;
    let code = bank.publish(module);
    let decimals = |word: &str| (word == "decimals:EUR").then(|| "2".to_string());
    let terms = words::terms(&words::spec_of(module).unwrap(), &Arguments::of(terms), &decimals).unwrap();
    let op = Operation::Open(OpenOp { code, terms, arguments: vec![0] });
    codec::decode(&bank.run(by, op, vec![]).done().data, 64).unwrap()
}

/// A bank with a loan that is paid out and a standing order between its two customers.
fn town() -> Bank {
    let mut bank = Bank::new();
    let (ada, bob) = (bank.customer("ada", "500.00"), bank.customer("bob", "5000.00"));
    let (officer, calendar) = (bank.officer.clone(), bank.calendar.to_string());
    let loan = [
        ("borrower", ada.account.to_string()),
        ("principal", "1200.00 EUR".into()),
        ("rate", "7.25%".into()),
        ("instalments", "12".into()),
        ("first_due", "2026-01-31".into()),
        ("collection_max", "300.00 EUR".into()),
    ];
    let loan = open(&mut bank, "loan", &officer, &loan);
    bank.invoke(&ada, loan, "accept", &[]).done();
    bank.invoke(&officer, loan, "disburse", &[]).done();
    // Of the same day as the instalments, and from the account that pays them.
    let order = [
        ("payer", bob.account.to_string()),
        ("payee", ada.account.to_string()),
        ("amount", "45.67 EUR".into()),
        ("rhythm", "monthly".into()),
        ("first", "2026-01-02".into()),
        ("day", "last".into()),
        ("calendar", calendar),
    ];
    open(&mut bank, "recurring", &bob, &order);
    bank
}

/// Every row of the state, without what says when and in which block it was booked.
fn rows(bank: &Bank) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let (state, mut rows, mut from) = (bank.chain().state(), BTreeMap::new(), vec![]);
    while let Some((key, value)) = state.next_row(&from, &[255]).unwrap() {
        from = key.clone();
        from.push(0);
        let value = match Kind::of(key[0]).unwrap() {
            Kind::HistoryPeaks => continue,
            Kind::Account => {
                let account: AccountRecord = from_bytes(&key, &value).unwrap();
                to_bytes(&AccountRecord { history_root: Hash::ZERO, ..account })
            }
            Kind::History => {
                let posting: HistoryRecord = from_bytes(&key, &value).unwrap();
                to_bytes(&HistoryRecord { height: 0, booked_at: Timestamp(0), ..posting })
            }
            _ => value,
        };
        rows.insert(key, value);
    }
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]
    #[test]
    fn late_is_where_on_time_is(outages in prop::collection::vec(1i32..90, 1..12)) {
        let mut late = town();
        let mut on_time = late.fork();
        let before = rows(&late);
        on_time.run_until(end());
        let mut day = late.today();
        for days in outages {
            day = day.add_days(days).min(end());
            late.run_late(day);
        }
        late.run_late(end());
        prop_assert_ne!(&before, &rows(&on_time));
        let (late, on_time) = (rows(&late), rows(&on_time));
        for (key, value) in &on_time {
            prop_assert_eq!(late.get(key), Some(value), "{:?} {:02x?}", Kind::of(key[0]), key);
        }
        prop_assert_eq!(late.len(), on_time.len());
    }
}

#[test]
fn blocks_that_are_executed_ahead_are_those_that_are_made_one_by_one() {
    let mut ahead = town();
    let (mut one_by_one, mut fork) = (town(), ahead.fork());
    ahead.run_ahead_until(end());
    one_by_one.run_until(end());
    let tip = ahead.chain().tip();
    assert!(tip.height > 20, "{tip:?}");
    assert_eq!(one_by_one.chain().tip(), tip);
    // What nobody else may read goes on one by one.
    fork.run_ahead_until(end());
    assert_eq!(fork.chain().tip(), tip);
    ahead.run_until(Date::of(2027, 4, 1));
    one_by_one.run_ahead_until(Date::of(2027, 4, 1));
    assert_eq!(ahead.chain().tip(), one_by_one.chain().tip(), "they go on in the same way");
}
