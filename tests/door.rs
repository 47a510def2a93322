//! What the chain does not let in, and what it says: each rejection with a text that helps, no receipt, the
//! money where it was.

use tenor_runtime::execute::Rejection;
use tenor_runtime::state::record::{IdempotencyRecord, KeyDayRecord};
use tenor_testing::abi::date::{DAY_MS, Date, Timestamp};
use tenor_testing::abi::id::ChainId;
use tenor_testing::wire::op::{Operation, Spend, TransferOp};
use tenor_testing::wire::tx::{Body, IdempotencyKey, Transaction};
use tenor_testing::{Bank, Person};

/// A transfer of 1.00 from ada, as a good client would make it.
fn payment(bank: &mut Bank, ada: &Person, to: &Person) -> Transaction {
    let op = TransferOp { from: ada.account, to: to.account, amount: 100, narrative: None, reference: None };
    bank.signed(ada, Operation::Transfer(op), vec![Spend { account: ada.account, amount: 100 }])
}

/// The order of the curve less a number: turns the s of a signature into its other half.
fn other_half(s: [u8; 32]) -> [u8; 32] {
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xba,
        0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
    ];
    let (mut other, mut borrow) = ([0; 32], 0i16);
    for at in (0..32).rev() {
        let difference = i16::from(ORDER[at]) - i16::from(s[at]) - borrow;
        borrow = i16::from(difference < 0);
        other[at] = difference.rem_euclid(256) as u8;
    }
    other
}

#[test]
fn what_is_wrong_with_the_bytes_is_rejected_and_named() {
    let mut bank = Bank::new();
    let (ada, bob) = (bank.customer("ada", "10.00"), bank.customer("bob", "10.00"));
    type Change = fn(&mut Body);
    // What is changed before it is signed.
    let bodies: [(Change, &str); 9] = [
        (|b| b.version = 9, "transaction version 9 is not known, 1 is"),
        (|b| b.chain = ChainId([7; 32]), "signed for chain1"),
        (|b| b.authorisers.clear(), "0 authorisers given, 1 to 8 allowed"),
        (|b| b.valid_until = Timestamp(b.valid_from.0 + DAY_MS + 1), "must be positive and at most 24 hours"),
        (|b| b.gas_limit = u64::MAX, "gas limit 18446744073709551615 is above 1000000000"),
        (|b| b.operation = Operation::Halt, "Halt does not work on this chain"),
        (|b| b.authorisers[0].key = 3, "has no key 3"),
        (
            |b| b.key = IdempotencyKey::new(b.key.day() + 2, [1; 12]),
            "days 20419 to 20455 (since 1970) are accepted",
        ),
        (
            |b| b.key = IdempotencyKey::new(b.key.day() - 36, [1; 12]),
            "the idempotency key is of day 20418; days 20419",
        ),
    ];
    for (change, text) in bodies {
        let mut body = payment(&mut bank, &ada, &bob).body;
        change(&mut body);
        let said = bank.submit(ada.sign(body)).rejection().to_string();
        assert!(said.contains(text), "{text}: {said}");
    }
    // What is changed afterwards.
    type Tamper = fn(&mut Transaction);
    let signed: [(Tamper, &str); 5] = [
        (|tx| tx.body.gas_limit -= 1, "signature 0 (from 0): the signature does not match key and digest"),
        (|tx| tx.signatures[0].r = [0; 32], "the signature's numbers are out of range"),
        (
            |tx| tx.signatures[0].s = other_half(tx.signatures[0].s),
            "the signature has a high s; normalise it to the lower half of the order",
        ),
        (|tx| tx.signatures[0].algorithm = 9, "signature algorithm 9 is not known; 0 (secp256k1) is"),
        (|tx| tx.signatures.clear(), "0 signatures given for 1 authorisers"),
    ];
    for (tamper, text) in signed {
        let mut tx = payment(&mut bank, &ada, &bob);
        tamper(&mut tx);
        let said = bank.submit(tx).rejection().to_string();
        assert!(said.contains(text), "{text}: {said}");
    }
    let body = payment(&mut bank, &ada, &bob).body;
    let said = bank.submit(bob.sign(body)).rejection().to_string();
    assert!(
        said.contains("signature 0 (from 0): the signature does not match"),
        "somebody else's key: {said}"
    );
    assert_eq!((bank.balance(ada.account), bank.balance(bob.account)), ("10.00".into(), "10.00".into()));
}

#[test]
fn a_retry_pays_once_and_is_told_where() {
    let mut bank = Bank::new();
    let (ada, bob) = (bank.customer("ada", "10.00"), bank.customer("bob", "0.00"));
    let tx = payment(&mut bank, &ada, &bob);
    bank.submit(tx.clone()).done();
    let height = bank.blocks().len() - 1;
    let done = format!("already done: the receipt stands in block {height} at 0");
    assert_eq!(bank.submit(tx.clone()).rejection().to_string(), done);
    // The same operation signed anew, with other limits.
    let again = Body { gas_limit: 100_000_000, ..tx.body.clone() };
    assert_eq!(bank.submit(ada.sign(again)).rejection().to_string(), done);
    let other = Body { key: tx.body.key, ..payment(&mut bank, &ada, &ada).body };
    let said = bank.submit(ada.sign(other)).rejection().to_string();
    assert!(said.contains("stands for another operation") && said.contains("use a new key"), "{said}");
    // Long after its window a retry is told its outcome, not that it came too late.
    bank.run_until(Date::of(2026, 1, 20));
    assert_eq!(bank.submit(tx.clone()).rejection().to_string(), done);
    assert_eq!((bank.balance(ada.account), bank.balance(bob.account)), ("9.00".into(), "1.00".into()));
}

#[test]
fn a_forgotten_key_is_out_of_the_state_and_never_runs_again() {
    let mut bank = Bank::new();
    let (ada, bob) = (bank.customer("ada", "10.00"), bank.customer("bob", "0.00"));
    let tx = payment(&mut bank, &ada, &bob);
    bank.submit(tx.clone()).done();
    let days = |bank: &Bank| bank.chain().records::<KeyDayRecord>(&[]).map(|days| days.len());
    let used = |bank: &Bank| bank.chain().records::<IdempotencyRecord>(&[]).map(|rows| rows.len());
    let (before, leaves) = (used(&bank), days(&bank));
    assert!(before.as_ref().is_ok_and(|rows| *rows > 4));
    // 35 days later the key is still known, a day later it is not.
    bank.run_until(Date::of(2026, 2, 5));
    assert!(matches!(bank.submit(tx.clone()).rejection(), Rejection::Done { .. }));
    bank.run_until(Date::of(2026, 2, 6));
    assert!(matches!(bank.submit(tx.clone()).rejection(), Rejection::KeyDay { .. }));
    assert_eq!(used(&bank), Ok(0));
    assert_eq!(days(&bank), leaves, "what the root says of the day stays");
    let fresh = payment(&mut bank, &ada, &bob);
    bank.submit(fresh).done();
    assert_eq!((used(&bank), bank.balance(bob.account).as_str()), (Ok(1), "2.00"));
    assert_eq!(bank.replayed(), bank.root());
}

#[test]
fn what_comes_too_late_or_too_early_is_told_the_time() {
    let mut bank = Bank::new();
    let (ada, bob) = (bank.customer("ada", "10.00"), bank.customer("bob", "0.00"));
    let late = payment(&mut bank, &ada, &bob);
    let mut early = payment(&mut bank, &ada, &bob).body;
    early.valid_from = Timestamp(early.valid_from.0 + DAY_MS / 2);
    let said = bank.submit(ada.sign(early)).rejection().to_string();
    assert!(
        said.contains("valid from 2026-01-01T12:00") && said.contains("block time is 2026-01-01T00:00"),
        "{said}"
    );
    bank.run_until(Date::of(2026, 1, 3));
    let said = bank.submit(late).rejection().to_string();
    assert!(
        said.contains("until 2026-01-02T00:00") && said.contains("block time is 2026-01-03T00:00"),
        "{said}"
    );
    assert_eq!(bank.balance(bob.account), "0.00");
}
