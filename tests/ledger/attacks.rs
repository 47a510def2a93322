//! Ways to take money by signed transactions that were tried, and what stops them.

use crate::World;
use tenor_abi::codec;
use tenor_abi::date::{DAY_MS, Timestamp};
use tenor_abi::entry::Side;
use tenor_abi::id::ProposalId;
use tenor_abi::refusal::Refusal;
use tenor_testing::Bank;
use tenor_testing::wire::op::{
    AccountKind, AccountOp, AssetKind, AssetOp, CaptureOp, EntryOp, Operation, ProposeOp, Spend, TransferOp,
    account_id,
};
use tenor_testing::wire::tx::FormError;
use tenor_testing::wire::tx::Transaction;

#[test]
fn whoever_approves_pays_nothing() {
    for bank in [Bank::new(), Bank::with_four_eyes()] {
        let mut world = World::at(bank);
        let (ada, bob, shop) = (world.ada.clone(), world.bob.clone(), world.shop.clone());
        // Bob proposes what takes from ada, in the hope that she approves without a look.
        let (from, amount) = (ada.account, 5_000);
        let take = TransferOp { from, to: shop.account, amount, narrative: None, reference: None };
        let op = ProposeOp {
            operation: Box::new(Operation::Transfer(take)),
            gas_limit: 1_000_000,
            spend_max: vec![Spend { account: from, amount }],
            expires_at: world.in_days(1),
        };
        let proposed = world.run(&[&bob], Operation::Propose(op), vec![]).done();
        let proposal: ProposalId = codec::decode(&proposed.data, 64).unwrap();
        let refused = world.run(&[&ada], Operation::Approve(proposal), vec![(from, amount)]).refusal();
        assert_eq!(refused, Refusal::DebitNotAllowed { account: from });
        assert_eq!(world.counters(&ada).0, 10_000);
        world.replays();
    }
}

#[test]
fn a_proposal_in_a_proposal_is_no_transaction() {
    let mut world = World::new();
    let ada = world.ada.clone();
    let propose = |operation| {
        let (spend_max, expires_at) = (vec![], Timestamp(u64::MAX));
        Operation::Propose(ProposeOp { operation: Box::new(operation), gas_limit: 1, spend_max, expires_at })
    };
    let nested = propose(propose(Operation::Release(crate::no_hold())));
    let bytes = world.bank.signed(&ada, nested, vec![]).to_bytes();
    assert!(matches!(Transaction::from_bytes(&bytes), Err(FormError::Codec(_))));
}

#[test]
fn a_clawback_reaches_only_what_its_asset_is_and_not_what_is_held() {
    let mut world = World::new();
    let (bank, ada, shop) = (world.bank.bank.clone(), world.ada.clone(), world.shop.clone());
    let asset = AssetOp {
        issuer: bank.party,
        code: tenor_abi::money::Code::of("VOU"),
        scale: 0,
        kind: AssetKind::Token,
        freezable: false,
        clawback: true,
    };
    let vou = asset.id();
    world.bank.staff(Operation::Asset(asset)).done();
    let mint = AccountOp {
        owner: bank.party,
        asset: vou,
        purpose: "mint".into(),
        floor: -1_000,
        ceiling: None,
        kind: AccountKind::Issuance,
    };
    world.bank.staff(Operation::Account(mint)).done();
    let mint = account_id(&bank.party.0, &vou, "mint");
    let (own, theirs) = (world.bank.account(&ada, vou, "main"), world.bank.account(&shop, vou, "main"));
    world.entry(&[&bank], &[(mint, Side::Debit, 100), (own, Side::Credit, 100)]).done();
    let line = tenor_testing::wire::op::HoldLineOp { from: own, to: theirs, amount: 80 };
    let (expires_at, narrative, reference) = (world.in_days(1), None, None);
    let op = tenor_testing::wire::op::HoldOp { lines: vec![line], expires_at, narrative, reference };
    let placed = world.run(&[&ada], Operation::Hold(op), vec![(own, 80)]).done();
    let hold = codec::decode(&placed.data, 64).unwrap();
    // What is promised to a payee is not there for the issuer either.
    let take = [(own, Side::Debit, 100), (mint, Side::Credit, 100)];
    let short = world.entry(&[&bank], &take).refusal();
    assert_eq!(short, Refusal::InsufficientFunds { account: own, available: 20, needed: 100 });
    // Together with money of another asset nothing of either moves.
    let both = [
        (own, Side::Debit, 20),
        (mint, Side::Credit, 20),
        (ada.account, Side::Debit, 1),
        (shop.account, Side::Credit, 1),
    ];
    let what = "clawback".to_string();
    let refused = world.entry(&[&bank], &both).refusal();
    assert_eq!(refused, Refusal::NotInAssetTerms { asset: world.bank.eur, what });
    world.run(&[&shop], Operation::Capture(CaptureOp { hold, parts: vec![], last: true }), vec![]).done();
    assert_eq!(world.account(own).balance(), 20);
    world.replays();
}

#[test]
fn a_line_that_gives_back_does_not_hide_what_another_takes() {
    let mut world = World::new();
    let (ada, bob, shop) = (world.ada.clone(), world.bob.clone(), world.shop.clone());
    // Net effects count per account, and one account stands on one side only: bob cannot take from ada by giving
    // it to her in the same entry.
    let lines = [
        (ada.account, Side::Debit, 5_000),
        (shop.account, Side::Credit, 5_000),
        (bob.account, Side::Debit, 1),
        (ada.account, Side::Credit, 1),
    ];
    let refused = world.entry(&[&bob], &lines).refusal();
    assert_eq!(refused, Refusal::SameAccount { account: ada.account });
    let lines = [(bob.account, Side::Debit, 100), (shop.account, Side::Credit, 100)];
    // Signed for less than it takes, over all of its lines together.
    let split: Vec<_> =
        lines.iter().flat_map(|(account, side, _)| [(*account, *side, 60), (*account, *side, 60)]).collect();
    let op = Operation::Entry(world.entry_op(&split));
    let bound = world.run(&[&bob], op, vec![(bob.account, 100)]).refusal();
    assert_eq!(bound, Refusal::SpendMax { account: bob.account, bound: 100, asked: 120 });
}

#[test]
fn the_same_transaction_runs_once_whatever_is_done_with_its_bytes() {
    let mut world = World::new();
    let (ada, shop) = (world.ada.clone(), world.shop.clone());
    let op: EntryOp = world.entry_op(&[(ada.account, Side::Debit, 100), (shop.account, Side::Credit, 100)]);
    let spend = vec![Spend { account: ada.account, amount: 100 }];
    let tx = world.bank.signed(&ada, Operation::Entry(op), spend);
    world.bank.submit(tx.clone()).done();
    world.bank.submit(tx.clone()).rejection();
    // Signed anew with another window and another bound, it is the same operation under the same key.
    let mut body = tx.body.clone();
    body.valid_until = Timestamp(body.valid_until.0 - DAY_MS / 2);
    body.spend_max[0].amount = 200;
    let again = ada.sign(body.clone());
    world.bank.submit(again).rejection();
    assert_eq!((world.counters(&ada).0, world.counters(&shop).0), (9_900, 100));
    // Under the same key another operation is none.
    body.operation = Operation::Entry(EntryOp {
        value_date: Some(world.bank.today().add_days(1)),
        ..world.entry_op(&[(ada.account, Side::Debit, 100), (shop.account, Side::Credit, 100)])
    });
    world.bank.submit(ada.sign(body)).rejection();
    assert_eq!(world.counters(&shop).0, 100);
}
