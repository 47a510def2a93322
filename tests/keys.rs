//! Keys of a party: what a device may move, and who enrols, ends and recovers one.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as the tests do")]

use tenor_abi::date::{DAY_MS, Timestamp};
use tenor_abi::id::{AccountId, PartyId, ProposalId};
use tenor_abi::refusal::Refusal;
use tenor_abi::role::Role;
use tenor_abi::spec::Period;
use tenor_cli::products;
use tenor_cli::words::{self, Arguments};
use tenor_runtime::execute::Rejection;
use tenor_testing::wire::op::{
    BatchOp, GrantOp, HoldLineOp, HoldOp, KeyChange, KeyLimit, KeyNumber, KeyOp, OpenOp, Operation,
    ProposeOp, Seen, Spend, TransferOp,
};
use tenor_testing::{Bank, Outcome, Person};

fn limit(bank: &Bank, per_payment: u128, per_day: u128) -> Option<Vec<KeyLimit>> {
    Some(vec![KeyLimit { asset: bank.eur, per_payment, per_day }])
}

fn change(party: PartyId, number: KeyNumber, change: KeyChange) -> Operation {
    Operation::Key(KeyOp { party, number, change })
}

fn add(
    bank: &mut Bank,
    by: &Person,
    device: &Person,
    number: KeyNumber,
    limits: Option<Vec<KeyLimit>>,
) -> Outcome {
    let op = change(by.party, number, KeyChange::Add(device.key(limits)));
    bank.run(by, op, vec![])
}

/// What a key said: how much it may move, how much was asked.
#[track_caller]
fn limited(outcome: Outcome) -> (u128, u128) {
    match outcome.refusal() {
        Refusal::KeyLimit { allowed, asked, .. } => (allowed, asked),
        other => panic!("{other}"),
    }
}

/// Ada with 1,000.00 and a phone that may move 5.00 a payment and 8.00 a day.
fn ada() -> (Bank, Person, Person, Person) {
    let mut bank = Bank::new();
    let (ada, bob) = (bank.customer("ada", "1000.00"), bank.customer("bob", "0.00"));
    let phone = ada.device("phone", 1);
    let limits = limit(&bank, 500, 800);
    add(&mut bank, &ada, &phone, 1, limits).done();
    (bank, ada, phone, bob)
}

#[test]
fn a_device_moves_so_much_a_payment_and_so_much_a_day() {
    let (mut bank, ada, phone, bob) = ada();
    assert_eq!(limited(bank.transfer(&phone, bob.account, "5.01")), (500, 501));
    bank.transfer(&phone, bob.account, "5.00").done();
    assert_eq!(limited(bank.transfer(&phone, bob.account, "3.01")), (300, 301));
    bank.transfer(&phone, bob.account, "3.00").done();
    assert_eq!(limited(bank.transfer(&phone, bob.account, "0.01")), (0, 1));
    // The other key of the same account is not concerned, and the next day is another one.
    bank.transfer(&ada, bob.account, "100.00").done();
    bank.run_for(DAY_MS);
    bank.transfer(&phone, bob.account, "5.00").done();
    assert_eq!(limited(bank.transfer(&phone, bob.account, "5.00")), (300, 500));
    assert_eq!(bank.balance(bob.account), "113.00");
}

#[test]
fn what_a_device_promises_counts_as_spent() {
    let (mut bank, _, phone, bob) = ada();
    let spend = |amount| vec![Spend { account: phone.account, amount }];
    let line = |amount| HoldLineOp { from: phone.account, to: bob.account, amount };
    let hold = |bank: &Bank, amount| {
        let expires_at = Timestamp(bank.chain().tip().time.0 + DAY_MS);
        let (narrative, reference) = (None, None);
        Operation::Hold(HoldOp { lines: vec![line(amount)], expires_at, narrative, reference })
    };
    let op = hold(&bank, 501);
    assert_eq!(limited(bank.run(&phone, op, spend(501))), (500, 501));
    let op = hold(&bank, 400);
    bank.run(&phone, op, spend(400)).done();
    // A batch is one payment of its sum.
    let transfer = |amount| TransferOp {
        from: phone.account,
        to: bob.account,
        amount,
        narrative: None,
        reference: None,
    };
    let batch = |amounts: &[u128]| {
        Operation::Batch(BatchOp { transfers: amounts.iter().map(|amount| transfer(*amount)).collect() })
    };
    assert_eq!(limited(bank.run(&phone, batch(&[300, 101]), spend(401))), (400, 401));
    bank.run(&phone, batch(&[100, 100]), spend(200)).done();
    // A grant counts with all of a period, by itself and by the terms of an agreement.
    let module = products::find("recurring").unwrap().wasm;
    let code = bank.publish(module);
    let spec = words::spec_of(module).unwrap();
    let order = |amount: &str| {
        let terms = [
            ("payer", phone.account.to_string()),
            ("payee", bob.account.to_string()),
            ("amount", format!("{amount} EUR")),
            ("rhythm", "weekly".into()),
            ("first", "2026-01-05".into()),
        ];
        let decimals = |word: &str| (word == "decimals:EUR").then(|| "2".to_string());
        let terms = words::terms(&spec, &Arguments::of(&terms), &decimals).unwrap();
        Operation::Open(OpenOp { code, terms, arguments: vec![0] })
    };
    assert_eq!(limited(bank.run(&phone, order("2.01"), vec![])), (200, 201));
    let opened = bank.run(&phone, order("1.50"), vec![]).done();
    let agreement = tenor_abi::codec::decode(&opened.data, 64).unwrap();
    let grant = |per_period| {
        Operation::Grant(GrantOp {
            seen: Seen { agreement, code, terms_version: 0 },
            account: phone.account,
            per_entry: 1,
            per_period,
            period: Period::Month,
            expires_at: None,
        })
    };
    assert_eq!(limited(bank.run(&phone, grant(51), vec![])), (50, 51));
    bank.run(&phone, grant(50), vec![]).done();
    assert_eq!(limited(bank.transfer(&phone, bob.account, "0.01")), (0, 1));
    // What was promised is taken all the same.
    bank.run_until(tenor_abi::date::Date::of(2026, 1, 20));
}

#[test]
fn an_asset_that_a_device_does_not_name_it_does_not_move() {
    let (mut bank, ada, _, bob) = ada();
    let watch = ada.device("watch", 2);
    add(&mut bank, &ada, &watch, 2, Some(vec![])).done();
    assert_eq!(limited(bank.transfer(&watch, bob.account, "0.01")), (0, 1));
    // What it signs together with a key of somebody else is theirs to move.
    let mut spend = vec![Spend { account: bob.account, amount: 1 }];
    bank.transfer(&ada, bob.account, "1.00").done();
    let op = TransferOp { from: bob.account, to: ada.account, amount: 1, narrative: None, reference: None };
    let tx = bank.signed_together(&bob, &[&watch], Operation::Transfer(op), std::mem::take(&mut spend));
    bank.submit(tx).done();
}

#[test]
fn a_device_makes_and_ends_no_key_beyond_itself() {
    let (mut bank, ada, phone, bob) = ada();
    let third = ada.device("third", 2);
    for limits in [None, limit(&bank, 501, 800), limit(&bank, 500, 801)] {
        assert_eq!(add(&mut bank, &phone, &third, 2, limits).refusal(), Refusal::KeyBeyond { key: 1 });
    }
    let end = |number| change(ada.party, number, KeyChange::Revoke);
    assert_eq!(bank.run(&phone, end(0), vec![]).refusal(), Refusal::KeyBeyond { key: 1 });
    let small = limit(&bank, 1, 2);
    add(&mut bank, &phone, &third, 2, small).done();
    bank.run(&phone, end(2), vec![]).done();
    assert!(matches!(bank.transfer(&third, bob.account, "0.01").rejection(), Rejection::KeyEnded { .. }));
    bank.run(&phone, end(1), vec![]).done();
    assert!(matches!(bank.transfer(&phone, bob.account, "0.01").rejection(), Rejection::KeyEnded { .. }));
    // Forms that are none: a payment above its day, an asset twice, a number that is taken or too high.
    let fourth = ada.device("fourth", 3);
    let twice = limit(&bank, 1, 1).map(|limits| [limits.clone(), limits].concat());
    let above = limit(&bank, 2, 1);
    let sound = limit(&bank, 1, 1);
    for (number, limits) in [(3, above), (3, twice), (64, sound)] {
        assert!(matches!(add(&mut bank, &ada, &fourth, number, limits).refusal(), Refusal::BadValue { .. }));
    }
    assert!(matches!(add(&mut bank, &ada, &fourth, 1, None).refusal(), Refusal::Exists { .. }));
}

#[test]
fn outside_a_sandbox_bank_and_customer_enrol_a_device_together() {
    let mut bank = Bank::with_four_eyes();
    let (ada, bob) = (bank.customer("ada", "1000.00"), bank.customer("bob", "0.00"));
    let phone = ada.device("phone", 1);
    let op = change(ada.party, 1, KeyChange::Add(phone.key(limit(&bank, 500, 800))));
    let alone = bank.run(&ada, op.clone(), vec![]).refusal();
    assert_eq!(alone, Refusal::RoleMissing { role: Role::Operations, bank: bank.bank.party });
    let officer = bank.officer.clone();
    assert_eq!(
        bank.run(&officer, op.clone(), vec![]).refusal(),
        Refusal::FourEyes { role: Role::Operations }
    );
    let tx = bank.signed_together(&ada, &[&officer], op, vec![]);
    bank.submit(tx).done();
    assert_eq!(limited(bank.transfer(&phone, bob.account, "5.01")), (500, 501));
    bank.transfer(&phone, bob.account, "5.00").done();
    // The customer ends a device alone. What it did stays done and is told so; nothing else is done with it.
    let op = TransferOp { from: ada.account, to: bob.account, amount: 1, narrative: None, reference: None };
    let spend = vec![Spend { account: ada.account, amount: 1 }];
    let paid = bank.signed_together(&phone, &[], Operation::Transfer(op), spend);
    bank.submit(paid.clone()).done();
    bank.run(&ada, change(ada.party, 1, KeyChange::Revoke), vec![]).done();
    assert!(matches!(bank.submit(paid.clone()).rejection(), Rejection::Done { .. }));
    let mut forged = paid;
    forged.signatures[0].r[0] ^= 1;
    assert!(matches!(bank.submit(forged).rejection(), Rejection::Signature { .. }));
    assert!(matches!(bank.transfer(&phone, bob.account, "0.01").rejection(), Rejection::KeyEnded { .. }));
}

#[test]
fn a_lost_device_is_recovered_by_two_of_the_bank() {
    let mut bank = Bank::with_four_eyes();
    let (ada, bob) = (bank.customer("ada", "1000.00"), bank.customer("bob", "0.00"));
    let (phone, found) = (ada.device("phone", 1), ada.device("found", 2));
    let officer = bank.officer.clone();
    let op = change(ada.party, 1, KeyChange::Add(phone.key(None)));
    let tx = bank.signed_together(&ada, &[&officer], op, vec![]);
    bank.submit(tx).done();
    let recover = change(ada.party, 2, KeyChange::Recover(found.key(None)));
    // Neither the party nor one of the bank's staff alone, nor both of them.
    assert!(matches!(bank.run(&ada, recover.clone(), vec![]).refusal(), Refusal::RoleMissing { .. }));
    let tx = bank.signed_together(&ada, &[&officer], recover.clone(), vec![]);
    assert!(matches!(bank.submit(tx).refusal(), Refusal::FourEyes { .. }));
    bank.staff(recover).done();
    for lost in [&ada, &phone] {
        assert!(matches!(bank.transfer(lost, bob.account, "0.01").rejection(), Rejection::KeyEnded { .. }));
    }
    bank.transfer(&found, bob.account, "900.00").done();
}

#[test]
fn what_a_device_proposes_is_bound_by_it() {
    let (mut bank, ada, phone, bob) = ada();
    let manager = bank.manager.clone();
    let propose = |bank: &mut Bank, amount: u128, to: AccountId| -> ProposalId {
        let op = TransferOp { from: phone.account, to, amount, narrative: None, reference: None };
        let spend_max = vec![Spend { account: phone.account, amount }];
        let expires_at = Timestamp(bank.chain().tip().time.0 + DAY_MS);
        let operation = Box::new(Operation::Transfer(op));
        let op = ProposeOp { operation, gas_limit: 1_000_000, spend_max, expires_at };
        let told = bank.run(&phone, Operation::Propose(op), vec![]).done();
        tenor_abi::codec::decode(&told.data, 64).unwrap()
    };
    let much = propose(&mut bank, 501, bob.account);
    assert_eq!(limited(bank.approve(&manager, much)), (500, 501));
    let little = propose(&mut bank, 500, bob.account);
    bank.approve(&manager, little).done();
    // A key that was ended since carries nothing out.
    let late = propose(&mut bank, 1, bob.account);
    bank.run(&ada, change(ada.party, 1, KeyChange::Revoke), vec![]).done();
    assert_eq!(bank.approve(&manager, late).refusal(), Refusal::NotAuthorised);
    assert_eq!(bank.approve(&manager, late).refusal(), Refusal::UnknownProposal { proposal: late });
}
