//! Holds: placed, captured in parts, released, expired; what they reserve and what they never touch.

use crate::World;
use tenor_abi::codec;
use tenor_abi::date::{DAY_MS, Date, Timestamp};
use tenor_abi::id::HoldId;
use tenor_abi::refusal::Refusal;
use tenor_testing::Outcome;
use tenor_testing::wire::block::Item;
use tenor_testing::wire::op::{AccountChange, CaptureOp, Operation};
use tenor_testing::wire::receipt::Act;

impl World {
    fn capture(&mut self, hold: HoldId, amount: Option<u128>, last: bool) -> Outcome {
        let (ada, shop) = (self.ada.account, self.shop.clone());
        let parts = amount.map(|amount| (ada, amount)).into_iter().collect();
        self.run(&[&shop], Operation::Capture(CaptureOp { hold, parts, last }), vec![])
    }

    fn release(&mut self, hold: HoldId) -> Outcome {
        let shop = self.shop.clone();
        self.run(&[&shop], Operation::Release(hold), vec![])
    }
}

#[test]
fn what_is_held_is_there_for_nobody_else_and_is_captured_in_parts() {
    let mut world = World::new();
    let (ada, bob, shop) = (world.ada.clone(), world.bob.clone(), world.shop.clone());
    let hold = world.held(&ada, &shop, 6_000);
    assert_eq!((world.counters(&ada), world.counters(&shop)), ((10_000, 6_000, 0), (0, 0, 6_000)));
    let short = world.bank.transfer(&ada, bob.account, "40.01").refusal();
    assert_eq!(short, Refusal::InsufficientFunds { account: ada.account, available: 4_000, needed: 4_001 });
    // Pending credits count for nothing.
    assert_eq!(world.bank.transfer(&shop, bob.account, "0.01").refusal().name(), "InsufficientFunds");
    world.bank.transfer(&ada, bob.account, "40.00").done();

    let booked = world.capture(hold, Some(2_500), false).done();
    assert_eq!(booked.entries[0].act, Act::Capture { hold, last: false });
    assert_eq!((world.counters(&ada), world.counters(&shop)), ((3_500, 3_500, 0), (2_500, 0, 3_500)));
    let above = world.capture(hold, Some(3_501), true).refusal();
    assert_eq!(above, Refusal::AboveHold { hold, account: ada.account, left: 3_500, asked: 3_501 });
    world.capture(hold, Some(500), false).done();
    world.capture(hold, Some(1_000), true).done();
    assert_eq!((world.counters(&ada), world.counters(&shop)), ((2_000, 0, 0), (4_000, 0, 0)));
    assert_eq!(world.capture(hold, None, true).refusal(), Refusal::HoldResolved { hold });
    assert_eq!(world.release(hold).refusal(), Refusal::HoldResolved { hold });
    world.replays();
}

#[test]
fn only_the_payee_resolves_a_hold_and_a_release_frees_all_that_is_left() {
    let mut world = World::new();
    let (ada, shop) = (world.ada.clone(), world.shop.clone());
    let hold = world.held(&ada, &shop, 6_000);
    assert_eq!(world.run(&[&ada], Operation::Release(hold), vec![]).refusal(), Refusal::NotAuthorised);
    world.capture(hold, Some(1_000), false).done();
    let freed = world.release(hold).done();
    assert_eq!((freed.entries[0].act, freed.entries[0].postings[0].amount), (Act::Release { hold }, 5_000));
    assert_eq!((world.counters(&ada), world.counters(&shop)), ((9_000, 0, 0), (1_000, 0, 0)));
    world.replays();
}

#[test]
fn the_lines_of_a_hold_stand_and_fall_together() {
    let mut world = World::new();
    let (ada, bob, shop) = (world.ada.clone(), world.bob.clone(), world.shop.clone());
    let lines = [(&ada, &shop, 5_000), (&bob, &shop, 2_001)];
    assert_eq!(world.hold(&[&ada, &bob], &lines).refusal().name(), "InsufficientFunds");
    assert_eq!(world.counters(&ada), (10_000, 0, 0));
    let lines = [(&ada, &shop, 5_000), (&bob, &shop, 2_000)];
    let hold: HoldId = codec::decode(&world.hold(&[&ada, &bob], &lines).done().data, 64).unwrap();
    // One call pays part of one line and all of another, and frees what is left.
    let parts = vec![(ada.account, 1_500), (bob.account, 2_000)];
    let op = CaptureOp { hold, parts, last: true };
    let booked = world.run(&[&shop], Operation::Capture(op), vec![]).done();
    assert_eq!(booked.entries[0].postings.len(), 4);
    assert_eq!((world.counters(&ada), world.counters(&bob)), ((8_500, 0, 0), (0, 0, 0)));
    assert_eq!(world.counters(&shop), (3_500, 0, 0));
    world.replays();
}

#[test]
fn time_ends_a_hold_as_an_occurrence_of_the_chain() {
    let mut world = World::new();
    let (ada, shop) = (world.ada.clone(), world.shop.clone());
    let end = Timestamp(Date::of(2026, 1, 5).midnight().0 + 1_000);
    let hold = |world: &mut World, amount, end| -> HoldId {
        let done = world.hold_until(&[&ada], &[(&ada, &shop, amount)], end).done();
        codec::decode(&done.data, 64).unwrap()
    };
    let (open, captured) = (hold(&mut world, 4_000, end), hold(&mut world, 1_000, end));
    let later = hold(&mut world, 500, Timestamp(end.0 + DAY_MS));
    world.capture(captured, None, true).done();
    assert_eq!(world.bank.chain().next_wake().unwrap(), Some(Timestamp(end.0 + 1)));
    world.bank.run_until(Date::of(2026, 1, 6));
    assert_eq!((world.counters(&ada), world.counters(&shop)), ((9_000, 500, 0), (1_000, 0, 500)));
    let expiries: Vec<_> = world
        .bank
        .blocks()
        .iter()
        .flat_map(|block| block.items.iter().zip(block.receipts.clone()).collect::<Vec<_>>())
        .filter_map(|(item, full)| match item {
            Item::Expiry(item) => Some((item.hold, full.entries[0].act)),
            _ => None,
        })
        .collect();
    assert_eq!(expiries, [(open, Act::Expire { hold: open })], "what was captured ends without an item");
    // Nothing of either is left, so nobody can tell a hold that ended from one that never was.
    for ended in [open, captured] {
        assert_eq!(world.capture(ended, None, true).refusal(), Refusal::UnknownHold { hold: ended });
    }
    world.capture(later, None, true).done();
    world.replays();
}

#[test]
fn a_hold_that_no_block_has_ended_yet_is_over_all_the_same() {
    let mut world = World::new();
    let (ada, shop) = (world.ada.clone(), world.shop.clone());
    let expired_at = Timestamp(world.now().0 + 2);
    let done = world.hold_until(&[&ada], &[(&ada, &shop, 4_000)], expired_at).done();
    let hold: HoldId = codec::decode(&done.data, 64).unwrap();
    // Asked without a block in between: nothing has run yet that ends it.
    let parts = vec![];
    let tx = world.bank.signed(&shop, Operation::Capture(CaptureOp { hold, parts, last: true }), vec![]);
    let late = Timestamp(expired_at.0 + 1);
    let refused = world.bank.chain().prepare(late, tx).unwrap().unwrap();
    assert_eq!(Refusal::from_data(&refused.data), Some(Refusal::HoldExpired { hold, expired_at }));
    let at_last = world.capture(hold, None, true);
    at_last.done();
}

#[test]
fn a_hold_uses_the_overdraft_only_where_the_account_says_so() {
    let mut world = World::new();
    let (ada, shop) = (world.ada.clone(), world.shop.clone());
    world.limits(ada.account, -5_000, None).done();
    let short = world.hold(&[&ada], &[(&ada, &shop, 10_001)]).refusal();
    assert_eq!(short, Refusal::InsufficientFunds { account: ada.account, available: 10_000, needed: 10_001 });
    let limits = AccountChange::Limits { floor: -5_000, ceiling: None, holds_overdraft: true };
    world.change(ada.account, limits).done();
    world.hold(&[&ada], &[(&ada, &shop, 15_000)]).done();
    assert_eq!(world.hold(&[&ada], &[(&ada, &shop, 1)]).refusal().name(), "InsufficientFunds");
}

#[test]
fn a_capture_never_fails_on_what_was_judged_when_it_was_placed() {
    let mut world = World::new();
    let (ada, shop) = (world.ada.clone(), world.shop.clone());
    world.limits(shop.account, 0, Some(5_000)).done();
    assert_eq!(world.hold(&[&ada], &[(&ada, &shop, 5_001)]).refusal().name(), "AboveCeiling");
    let hold = world.held(&ada, &shop, 5_000);
    // The room below the ceiling is taken, though nothing has come yet.
    let above = world.bank.transfer(&ada, shop.account, "0.01").refusal();
    assert_eq!(above, Refusal::AboveCeiling { account: shop.account, ceiling: 5_000, would_be: 5_001 });
    world.limits(shop.account, 0, Some(10)).done();
    let reason = tenor_abi::entry::FreezeReason::Order;
    for account in [ada.account, shop.account] {
        world.change(account, AccountChange::Freeze { incoming: true, outgoing: true, reason }).done();
    }
    world.capture(hold, None, true).done();
    assert_eq!((world.counters(&ada), world.counters(&shop)), ((5_000, 0, 0), (5_000, 0, 0)));
}

#[test]
fn a_hold_is_bounded_by_what_the_signer_allowed() {
    let mut world = World::new();
    let (ada, shop) = (world.ada.clone(), world.shop.clone());
    let op = tenor_testing::wire::op::HoldOp {
        lines: vec![tenor_testing::wire::op::HoldLineOp { from: ada.account, to: shop.account, amount: 100 }],
        expires_at: world.in_days(1),
        narrative: None,
        reference: None,
    };
    let refused = world.run(&[&ada], Operation::Hold(op.clone()), vec![(ada.account, 99)]).refusal();
    assert_eq!(refused, Refusal::SpendMax { account: ada.account, bound: 99, asked: 100 });
    let other = world.run(&[&shop], Operation::Hold(op), vec![(ada.account, 100)]).refusal();
    assert_eq!(other, Refusal::DebitNotAllowed { account: ada.account });
}
