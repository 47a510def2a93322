//! Each thing that can be wrong has a code of its own, with the values in it.

use crate::{World, no_entry, no_hold, nobody};
use std::collections::BTreeMap;
use tenor_abi::date::Timestamp;
use tenor_abi::entry::Side;
use tenor_abi::limit::AMOUNT_MAX;
use tenor_abi::refusal::Refusal;
use tenor_testing::wire::op::{CaptureOp, CorrectLineOp, CorrectOp, Operation};

#[test]
fn each_bad_input_has_its_own_code_and_says_its_values() {
    let mut world = World::new();
    let (ada, bob, shop) = (world.ada.clone(), world.bob.clone(), world.shop.clone());
    let (a, b) = (ada.account, bob.account);
    let (debit, credit) = (Side::Debit, Side::Credit);
    let points = world.bank.asset("PTS", 0, tenor_testing::wire::op::AssetKind::Points);
    let other_asset = world.bank.account(&bob, points, "points");
    let eur = world.bank.eur;
    let too_large = AMOUNT_MAX + 1;
    let hold = world.held(&ada, &shop, 100);
    let now = world.now();
    let mut seen: BTreeMap<u16, &str> = BTreeMap::new();
    let mut check = |what: &'static str, given: Refusal, expected: Refusal| {
        assert_eq!(given, expected, "{what}");
        if let Some(before) = seen.insert(given.code(), what) {
            panic!("{what} and {before} have one code");
        }
    };

    let entry = |world: &mut World, lines: &[_]| world.entry(&[&ada], lines).refusal();
    check("zero", entry(&mut world, &[(a, debit, 0), (b, credit, 0)]), Refusal::BadAmount { minor: 0 });
    let above = entry(&mut world, &[(a, debit, too_large), (b, credit, too_large)]);
    assert_eq!(above, Refusal::BadAmount { minor: too_large as i128 }, "above the largest amount");
    check(
        "unknown account",
        entry(&mut world, &[(a, debit, 1), (nobody(), credit, 1)]),
        Refusal::UnknownAccount { account: nobody() },
    );
    check(
        "same account on both sides",
        entry(&mut world, &[(a, debit, 1), (a, credit, 1)]),
        Refusal::SameAccount { account: a },
    );
    check(
        "an asset that does not balance",
        entry(&mut world, &[(a, debit, 2), (b, credit, 1)]),
        Refusal::Unbalanced { asset: eur, debits: 2, credits: 1 },
    );
    let across = entry(&mut world, &[(a, debit, 1), (other_asset, credit, 1)]);
    assert_eq!(across.name(), "Unbalanced", "assets do not mix");
    check("one posting", entry(&mut world, &[(a, debit, 1)]), Refusal::BadPostings { given: 1 });
    check(
        "more than there is",
        entry(&mut world, &[(a, debit, 10_000), (b, credit, 10_000)]),
        Refusal::InsufficientFunds { account: a, available: 9_900, needed: 10_000 },
    );
    let capture = |world: &mut World, hold, amount| {
        let op = CaptureOp { hold, parts: vec![(a, amount)], last: false };
        world.run(&[&shop], Operation::Capture(op), vec![]).refusal()
    };
    check("unknown hold", capture(&mut world, no_hold(), 1), Refusal::UnknownHold { hold: no_hold() });
    check(
        "capture above the hold",
        capture(&mut world, hold, 101),
        Refusal::AboveHold { hold, account: a, left: 100, asked: 101 },
    );
    let long = Timestamp(now.0 + 61 * 24 * 60 * 60 * 1000);
    let given = world.hold_until(&[&ada], &[(&ada, &shop, 1)], long).refusal();
    let booked = world.now();
    let latest = Timestamp(booked.0 + 60 * 24 * 60 * 60 * 1000);
    let earliest = Timestamp(booked.0 + 1);
    check("a hold that lasts too long", given, Refusal::BadExpiry { given: long, earliest, latest });
    world.run(&[&shop], Operation::Release(hold), vec![]).done();
    check("resolved hold", capture(&mut world, hold, 1), Refusal::HoldResolved { hold });
    let lines = vec![CorrectLineOp { account: a, sequence: 0, amount: 1 }];
    let op = CorrectOp { entry: no_entry(), lines, value_date: None, narrative: None };
    let unknown = world.run(&[&ada], Operation::Correct(op), vec![]).refusal();
    check("a posting of another entry", unknown, Refusal::UnknownPosting { account: a, sequence: 0 });
    // The others are reached in the ledger's own tests (`runtime/src/ledger/refusal_tests.rs`).
    assert_eq!(seen.len(), 11);
}
