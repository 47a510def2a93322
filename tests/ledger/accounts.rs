//! What happens to accounts: limits, freezing, closing, control accounts, issuing, clawback, four eyes.

use crate::World;
use tenor_abi::entry::{FreezeReason, Side};
use tenor_abi::money::Code;
use tenor_abi::refusal::Refusal;
use tenor_abi::role::Role;
use tenor_abi::spec::BookSide;
use tenor_runtime::ledger;
use tenor_testing::Bank;
use tenor_testing::wire::op::{
    AccountChange, AccountChangeOp, AccountKind, AccountOp, AssetKind, AssetOp, BooksChange, Operation,
    account_id,
};

#[test]
fn a_limit_below_todays_balance_only_blocks_further_use() {
    let mut world = World::new();
    let (ada, bob) = (world.ada.clone(), world.bob.clone());
    world.limits(ada.account, -1_000, Some(5_000)).done();
    let above = world.bank.transfer(&bob, ada.account, "0.01").refusal();
    assert_eq!(above, Refusal::AboveCeiling { account: ada.account, ceiling: 5_000, would_be: 10_001 });
    world.bank.transfer(&ada, bob.account, "110.00").done();
    world.limits(ada.account, 0, None).done();
    let short = world.bank.transfer(&ada, bob.account, "0.01").refusal();
    assert_eq!(short, Refusal::InsufficientFunds { account: ada.account, available: 0, needed: 1 });
    world.bank.transfer(&bob, ada.account, "5.00").done();
    assert_eq!(world.bank.transfer(&ada, bob.account, "0.01").refusal().name(), "InsufficientFunds");
    // The owner does not set the limits.
    let change = AccountChange::Limits { floor: -1, ceiling: None, holds_overdraft: false };
    let own = Operation::AccountChange(AccountChangeOp { account: ada.account, change });
    assert_eq!(world.run(&[&ada], own, vec![]).refusal().name(), "RoleMissing");
}

#[test]
fn freezing_takes_two_roles_by_two_persons_and_names_its_reason() {
    let mut world = World::at(Bank::with_four_eyes());
    let (ada, bob, officer) = (world.ada.clone(), world.bob.clone(), world.bank.officer.clone());
    let (account, reason) = (ada.account, FreezeReason::Fraud);
    let change = AccountChange::Freeze { incoming: false, outgoing: true, reason };
    let op = Operation::AccountChange(AccountChangeOp { account, change: change.clone() });
    let alone = world.run(&[&officer], op, vec![]).refusal();
    assert_eq!(alone, Refusal::FourEyes { role: Role::Compliance });
    world.change(account, change).done();
    let frozen = world.bank.transfer(&ada, bob.account, "1.00").refusal();
    assert_eq!(frozen, Refusal::Frozen { account, outgoing: true, reason });
    world.bank.transfer(&bob, account, "1.00").done();
    let change = AccountChange::Freeze { incoming: true, outgoing: false, reason: FreezeReason::Order };
    world.change(account, change).done();
    assert_eq!(world.bank.transfer(&bob, account, "1.00").refusal().name(), "Frozen");
    assert_eq!(world.account(account).frozen_out, Some(reason), "the first reason stays");
    world.change(account, AccountChange::Unfreeze).done();
    world.bank.transfer(&ada, bob.account, "1.00").done();
    world.replays();
}

#[test]
fn limits_take_two_persons_outside_a_sandbox() {
    let mut world = World::at(Bank::with_four_eyes());
    let (ada, officer) = (world.ada.clone(), world.bank.officer.clone());
    let change = AccountChange::Limits { floor: -1_000, ceiling: None, holds_overdraft: false };
    let op = Operation::AccountChange(AccountChangeOp { account: ada.account, change: change.clone() });
    let alone = world.run(&[&officer], op, vec![]).refusal();
    assert_eq!(alone, Refusal::FourEyes { role: Role::Operations });
    world.change(ada.account, change).done();
    assert_eq!(world.account(ada.account).floor, -1_000);
}

#[test]
fn an_account_closes_at_zero_and_for_good() {
    let mut world = World::new();
    let (ada, bob, shop) = (world.ada.clone(), world.bob.clone(), world.shop.clone());
    let close = |account| Operation::AccountChange(AccountChangeOp { account, change: AccountChange::Close });
    let full = world.run(&[&ada], close(ada.account), vec![]).refusal();
    assert_eq!(full, Refusal::NotEmpty { account: ada.account, balance: 10_000, pending: 0 });
    world.held(&ada, &shop, 1_000);
    let awaited = world.run(&[&shop], close(shop.account), vec![]).refusal();
    assert_eq!(awaited, Refusal::NotEmpty { account: shop.account, balance: 0, pending: 1_000 });
    world.bank.transfer(&bob, ada.account, "20.00").done();
    world.run(&[&bob], close(bob.account), vec![]).done();
    let closed = world.bank.transfer(&ada, bob.account, "1.00").refusal();
    assert_eq!(closed, Refusal::Closed { account: bob.account });
    assert_eq!(world.limits(bob.account, 0, None).refusal(), Refusal::Closed { account: bob.account });
}

#[test]
fn control_accounts_hold_the_totals_of_what_they_mirror() {
    let mut world = World::new();
    let (bank, eur) = (world.bank.bank.party, world.bank.eur);
    let open = |world: &mut World, purpose: &str| {
        let op = AccountOp {
            owner: bank,
            asset: eur,
            purpose: purpose.into(),
            floor: 0,
            ceiling: None,
            kind: AccountKind::Control,
        };
        world.bank.staff(Operation::Account(op)).done();
        account_id(&bank.0, &eur, purpose)
    };
    let (product, branch) = (open(&mut world, "giro-total"), open(&mut world, "branch-total"));
    world.change(product, AccountChange::Control(Some(branch))).done();
    let cyclic = world.change(branch, AccountChange::Control(Some(product))).refusal();
    assert_eq!(cyclic.name(), "BadValue");
    let carl = world.bank.customer("carl", "0.00");
    let full = world.change(world.ada.account, AccountChange::Control(Some(product))).refusal();
    assert_eq!(full.name(), "NotEmpty");
    for account in [carl.account, world.shop.account] {
        world.change(account, AccountChange::Control(Some(product))).done();
    }
    let (ada, shop) = (world.ada.clone(), world.shop.clone());
    world.bank.transfer(&ada, carl.account, "30.00").done();
    let passed_on = world.bank.transfer(&carl, shop.account, "10.00").done();
    let linked: Vec<_> = passed_on.entries[0].linked.iter().map(|line| (line.account, line.side)).collect();
    assert_eq!(linked.len(), 4, "both sides, on both levels");
    assert!(linked.is_sorted());
    assert_eq!(passed_on.entries[0].postings.len(), 2);
    assert_eq!(world.account(product).balance(), 3_000);
    assert_eq!(world.account(branch).balance(), 3_000);
    world.bank.transfer(&shop, ada.account, "4.00").done();
    assert_eq!(world.account(branch).balance(), 2_600);
    let direct = world.bank.transfer(&ada, product, "1.00").refusal();
    assert_eq!(direct, Refusal::ControlAccount { account: product });
    world.replays();
}

#[test]
fn only_the_issuer_issues_and_redeems_and_the_supply_is_what_is_outstanding() {
    let mut world = World::new();
    let (bank, ada, eur) = (world.bank.bank.clone(), world.ada.clone(), world.bank.eur);
    let op = |owner, purpose: &str| AccountOp {
        owner,
        asset: eur,
        purpose: purpose.into(),
        floor: -1_000_000,
        ceiling: None,
        kind: AccountKind::Issuance,
    };
    let foreign = world.bank.staff(Operation::Account(op(ada.party, "mint"))).refusal();
    let mint = account_id(&ada.party.0, &eur, "mint");
    assert_eq!(foreign, Refusal::IssuerOnly { account: mint, issuer: bank.party });
    world.bank.staff(Operation::Account(op(bank.party, "mint"))).done();
    let mint = account_id(&bank.party.0, &eur, "mint");
    let supply = |world: &World| ledger::supply(&world.bank.chain().state()).unwrap()[&eur];
    world.entry(&[&bank], &[(mint, Side::Debit, 700), (ada.account, Side::Credit, 700)]).done();
    assert_eq!(supply(&world), 700);
    let back = [(ada.account, Side::Debit, 200), (mint, Side::Credit, 200)];
    assert_eq!(world.entry(&[&ada], &back).refusal().name(), "IssuerOnly");
    world.entry(&[&ada, &bank], &back).done();
    assert_eq!(supply(&world), 500);
    let others: i128 = -world.account(mint).balance();
    assert_eq!(others, 500);
    world.replays();
}

#[test]
fn clawback_and_freezing_follow_the_assets_terms_of_creation() {
    let mut world = World::new();
    let (bank, ada, bob) = (world.bank.bank.clone(), world.ada.clone(), world.bob.clone());
    let take = |asset_account, to| [(asset_account, Side::Debit, 100), (to, Side::Credit, 100)];
    // The euro may be frozen, and not be taken back.
    let refused = world.entry(&[&bank], &take(ada.account, bob.account)).refusal();
    let what = "clawback".to_string();
    assert_eq!(refused, Refusal::NotInAssetTerms { asset: world.bank.eur, what });
    let op = AssetOp {
        issuer: bank.party,
        code: Code::of("VOU"),
        scale: 2,
        kind: AssetKind::Token,
        freezable: false,
        clawback: true,
    };
    let asset = op.id();
    world.bank.staff(Operation::Asset(op)).done();
    let mint = AccountOp {
        owner: bank.party,
        asset,
        purpose: "mint".into(),
        floor: -10_000,
        ceiling: None,
        kind: AccountKind::Issuance,
    };
    world.bank.staff(Operation::Account(mint)).done();
    let mint = account_id(&bank.party.0, &asset, "mint");
    let voucher = world.bank.account(&ada, asset, "main");
    world.entry(&[&bank], &[(mint, Side::Debit, 500), (voucher, Side::Credit, 500)]).done();
    assert_eq!(world.entry(&[&bob], &take(voucher, mint)).refusal().name(), "IssuerOnly");
    world.entry(&[&bank], &take(voucher, mint)).done();
    assert_eq!(world.account(voucher).balance(), 400);
    let reason = FreezeReason::Request;
    let freeze = AccountChange::Freeze { incoming: true, outgoing: true, reason };
    let refused = world.change(voucher, freeze).refusal();
    assert_eq!(refused, Refusal::NotInAssetTerms { asset, what: "freeze".into() });
}

#[test]
fn account_codes_are_the_banks() {
    let mut world = World::new();
    let account = world.ada.account;
    assert_eq!(world.change(account, AccountChange::Code(7)).refusal().name(), "BadValue");
    let (gl, side) = ("2100".to_string(), BookSide::Liability);
    world.books(BooksChange::Code { code: 7, gl, side, back_days: 30 }).done();
    world.change(account, AccountChange::Code(7)).done();
    assert_eq!(world.account(account).code, 7);
}
