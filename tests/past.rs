//! Balances of earlier blocks are what they were then.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as the tests do")]

use tenor_runtime::chain::{Chain, FileJournal, Journal, LOG_FOLDER};
use tenor_runtime::ledger::{self, TrialRow};
use tenor_runtime::log::Log;
use tenor_runtime::state::record::AccountRecord;
use tenor_runtime::state::{Kind, Room};
use tenor_runtime::store::WriteSet;
use tenor_testing::Bank;
use tenor_wire::hexadecimal::hex;

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
            record.counters.posted()
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

#[test]
fn a_fork_lives_the_life_of_its_bank_from_any_height() {
    let mut bank = Bank::new();
    let (ada, bob) = (bank.customer("ada", "100.00"), bank.customer("bob", "0.00"));
    for _ in 0..6 {
        bank.transfer(&ada, bob.account, "1.00").done();
    }
    let (blocks, balance) = (bank.blocks(), bank.balance(bob.account));
    let tip = bank.chain().tip().height;
    for height in [0, 3, tip - 4, tip] {
        let mut fork = bank.fork_at(height);
        assert_eq!(fork.chain().tip(), &blocks[height as usize].header);
        let state = bank.chain().past(height).unwrap();
        let key = Kind::Account.full_key(&bob.account.0);
        let proof = state.prove(&key).unwrap().unwrap();
        let shown = proof.verify(&blocks[height as usize].header.state, &bob.account.0, &key).unwrap();
        assert_eq!(shown, fork.chain().state().get_row(&key).unwrap().as_deref());
        // What is paid on it is not paid at the bank, and a fork of it begins with that.
        if height >= tip - 4 {
            fork.transfer(&ada, bob.account, "50.00").done();
            assert_eq!(fork.fork().balance(bob.account), fork.balance(bob.account));
            assert_eq!(fork.replayed(), fork.root(), "its blocks are blocks");
            assert_eq!(fork.blocks()[..=height as usize], blocks[..=height as usize]);
        }
        // Its own blocks are the bank's where the same happens.
        let mut again = bank.fork_at(height);
        for block in &blocks[height as usize + 1..] {
            again.follow(block);
        }
        assert_eq!((again.root(), again.balance(bob.account)), (bank.root(), balance.clone()));
    }
    assert_eq!((bank.balance(bob.account), bank.blocks() == blocks), (balance, true));
}

#[test]
fn a_log_whose_writes_are_wrong_is_told_by_the_first_wrong_key() {
    let mut bank = Bank::new();
    let (ada, bob) = (bank.customer("ada", "100.00"), bank.customer("bob", "0.00"));
    for _ in 0..4 {
        bank.transfer(&ada, bob.account, "1.00").done();
    }
    let (chain, wrong) = (bank.chain(), bank.chain().tip().height);
    let key = Kind::Account.full_key(&bob.account.0);
    let written = |folder: &std::path::Path, is_wrong: bool| {
        let mut journal = FileJournal::new(Log::create(&folder.join(LOG_FOLDER), chain.id()).unwrap());
        for mut block in bank.blocks() {
            let height = block.header.height;
            let mut rows = chain.journal().writes(height).unwrap().unwrap().rows().to_vec();
            if is_wrong && height == wrong {
                let row = rows.iter_mut().find(|row| row.0 == key).unwrap();
                row.1.as_mut().unwrap()[40] ^= 1;
            }
            let writes = WriteSet::new(rows);
            block.writes = writes.hash();
            journal.append(&block, &tenor_abi::codec::encode(&block), &writes).unwrap();
        }
        let engine = std::sync::Arc::clone(chain.guest());
        Chain::open(folder, chain.genesis().clone(), engine, Room::default())
            .map(|(chain, _)| chain.tip().state)
    };
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(written(&folder.path().join("right"), false).unwrap(), bank.root(), "made again from the log");
    let said = written(&folder.path().join("wrong"), true).unwrap_err().to_string();
    let named = format!("block {wrong} is not what its items give");
    assert!(said.contains(&named) && said.ends_with(&format!("first at the key {}", hex(&key))), "{said}");
}
