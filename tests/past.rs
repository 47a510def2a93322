//! Balances of earlier blocks are what they were then.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as the tests do")]

use tenor_runtime::ledger::{self, TrialRow};
use tenor_runtime::state::record::AccountRecord;
use tenor_testing::Bank;

#[test]
fn every_height_gives_the_balances_that_it_had() {
    let mut bank = Bank::new();
    let people: Vec<_> = ["ada", "bob", "cleo"].map(|name| bank.customer(name, "100.00")).into();
    let mut seen = vec![];
    for round in 0..24usize {
        let (from, to) = (&people[round % 3], &people[(round * 7 + 1) % 3]);
        // A payment to oneself is refused: that block books nothing.
        drop(bank.transfer(from, to.account, &format!("{}.0{}", round % 4, round % 10)));
        let state = bank.chain().state();
        let counters = |account: &tenor_abi::id::AccountId| {
            let record: AccountRecord = state.get(&account.0).unwrap().unwrap();
            (record.debits_posted, record.credits_posted)
        };
        let balances: Vec<_> = people.iter().map(|person| counters(&person.account)).collect();
        seen.push((bank.chain().tip().height, balances, ledger::trial_balance(&state).unwrap()));
    }
    let state = bank.chain().state();
    for (height, balances, trial) in seen {
        for (person, expected) in people.iter().zip(balances) {
            let posting = ledger::posting_at(&state, &person.account, height).unwrap().unwrap();
            assert!(posting.height <= height);
            assert_eq!((posting.debits_posted, posting.credits_posted), expected, "at {height}");
        }
        assert_eq!(ledger::trial_balance_at(&state, height).unwrap(), trial, "at {height}");
    }
    assert_eq!(ledger::posting_at(&state, &people[0].account, 0).unwrap(), None);
    assert!(ledger::trial_balance_at(&state, 0).unwrap().values().all(|row| *row == TrialRow::default()));
}
