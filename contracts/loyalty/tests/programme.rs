//! A programme through its life, on wasm and natively.

use loyalty::{Lot, TWIN, Terms};
use tenor_testing::abi::codec::encode;
use tenor_testing::abi::date::Date;
use tenor_testing::abi::id::{AgreementId, Hash};
use tenor_testing::wire::op::AssetKind;
use tenor_testing::{Bank, Outcome, Person, money, twins};

struct Programme {
    id: AgreementId,
    points: tenor_testing::abi::id::AssetId,
    shop: Person,
    sponsor: Person,
}

fn check(scenario: impl Fn(&mut Bank, &Programme)) {
    let wasm = tenor_testing::wasm(env!("CARGO_MANIFEST_DIR"));
    twins(&TWIN, |bank| {
        let points = bank.asset("PTS", 0, AssetKind::Points);
        let code = bank.publish_with(&wasm, &[points]);
        let (shop, sponsor) = (bank.customer("shop", "0.00"), bank.customer("sponsor", "5.00"));
        let terms = Terms {
            merchant: shop.account,
            funding: sponsor.account,
            funding_max: money("100.00"),
            points,
            points_per_unit: 2,
            point_value: money("0.01"),
            lot_days: 30,
            redeem_min: 10,
        };
        let id = bank.opened(&sponsor, code, &terms);
        scenario(bank, &Programme { id, points, shop, sponsor });
    });
}

impl Programme {
    fn member(&self, bank: &mut Bank, name: &str) -> Person {
        let person = bank.customer(name, "0.00");
        bank.invoke(&person, self.id, "join", &[]).done();
        person
    }

    fn buy(&self, bank: &mut Bank, member: &Person, euros: &str, reference: u8) -> Outcome {
        let arguments = [encode(&member.party), encode(&money(euros)), encode(&Hash([reference; 32]))];
        bank.invoke(&self.shop, self.id, "purchase", &arguments)
    }

    fn points(&self, bank: &Bank, member: &Person) -> u64 {
        let points = bank.view_with(self.id, "balance", &[encode(&member.party)]);
        let lots: Vec<Lot> = bank.view_with(self.id, "lots", &[encode(&member.party)]);
        assert_eq!(lots.iter().map(|lot| lot.points).sum::<u64>(), points, "lots are the balance");
        points
    }

    fn check_books(&self, bank: &Bank, members: &[&Person]) {
        let held: u64 = members.iter().map(|member| self.points(bank, member)).sum();
        assert_eq!(bank.book(self.id, self.points, "outstanding"), held.to_string());
        assert_eq!(
            bank.book(self.id, self.points, "issued"),
            if held == 0 { "0".into() } else { format!("-{held}") }
        );
    }
}

#[test]
fn points_are_earned_rounded_down_and_redeemed_for_money() {
    check(|bank, programme| {
        let ada = programme.member(bank, "ada");
        programme.buy(bank, &ada, "10.99", 1).done();
        assert_eq!(programme.points(bank, &ada), 21);
        bank.invoke(&ada, programme.id, "redeem", &[encode(&15u64)]).done();
        assert_eq!(
            (bank.balance(programme.shop.account), bank.balance(programme.sponsor.account)),
            ("0.15".into(), "4.85".into())
        );
        programme.check_books(bank, &[&ada]);
        assert_eq!(bank.invoke(&ada, programme.id, "redeem", &[encode(&9u64)]).contract_refusal(), 6);
        assert_eq!(bank.invoke(&ada, programme.id, "redeem", &[encode(&10u64)]).contract_refusal(), 7);
    });
}

#[test]
fn lots_expire_on_their_day_and_the_soonest_goes_first() {
    check(|bank, programme| {
        let ada = programme.member(bank, "ada");
        programme.buy(bank, &ada, "10.00", 1).done();
        bank.run_until(Date::of(2026, 1, 11));
        programme.buy(bank, &ada, "20.00", 2).done();
        bank.invoke(&ada, programme.id, "redeem", &[encode(&15u64)]).done();
        let lots: Vec<Lot> = bank.view_with(programme.id, "lots", &[encode(&ada.party)]);
        let expected = [
            Lot { until: Date::of(2026, 1, 31), points: 5 },
            Lot { until: Date::of(2026, 2, 10), points: 40 },
        ];
        assert_eq!(lots, expected);
        bank.run_until(Date::of(2026, 1, 31));
        assert_eq!(programme.points(bank, &ada), 45, "the last day still counts");
        bank.run_until(Date::of(2026, 2, 1));
        assert_eq!(programme.points(bank, &ada), 40);
        bank.run_until(Date::of(2026, 2, 11));
        assert_eq!(programme.points(bank, &ada), 0);
        programme.check_books(bank, &[&ada]);
    });
}

#[test]
fn a_reversal_takes_its_lot_back_and_leaves_a_debt() {
    check(|bank, programme| {
        let ada = programme.member(bank, "ada");
        programme.buy(bank, &ada, "10.00", 1).done();
        programme.buy(bank, &ada, "5.00", 2).done();
        bank.invoke(&ada, programme.id, "redeem", &[encode(&25u64)]).done();
        bank.invoke(&programme.shop, programme.id, "reverse", &[encode(&Hash([1; 32]))]).done();
        assert_eq!(programme.points(bank, &ada), 0);
        programme.check_books(bank, &[&ada]);
        programme.buy(bank, &ada, "10.00", 3).done();
        assert_eq!(programme.points(bank, &ada), 5, "20 earned, 15 owed");
        programme.check_books(bank, &[&ada]);
        assert_eq!(
            bank.invoke(&programme.shop, programme.id, "reverse", &[encode(&Hash([1; 32]))])
                .contract_refusal(),
            5
        );
    });
}

#[test]
fn points_are_given_with_their_last_day() {
    check(|bank, programme| {
        let (ada, bob) = (programme.member(bank, "ada"), programme.member(bank, "bob"));
        programme.buy(bank, &ada, "10.00", 1).done();
        bank.run_until(Date::of(2026, 1, 5));
        bank.invoke(&ada, programme.id, "give", &[encode(&bob.party), encode(&8u64)]).done();
        let lots: Vec<Lot> = bank.view_with(programme.id, "lots", &[encode(&bob.party)]);
        assert_eq!(lots, [Lot { until: Date::of(2026, 1, 31), points: 8 }]);
        programme.check_books(bank, &[&ada, &bob]);
        assert_eq!(
            bank.invoke(&ada, programme.id, "give", &[encode(&bob.party), encode(&13u64)]).contract_refusal(),
            7
        );
    });
}

#[test]
fn who_may_not_is_told_so_and_money_must_be_there() {
    check(|bank, programme| {
        let (ada, eve) = (programme.member(bank, "ada"), bank.customer("eve", "0.00"));
        assert_eq!(bank.invoke(&ada, programme.id, "join", &[]).contract_refusal(), 1);
        assert_eq!(programme.buy(bank, &eve, "1.00", 1).contract_refusal(), 2);
        assert_eq!(programme.buy(bank, &ada, "0.00", 1).contract_refusal(), 3);
        programme.buy(bank, &ada, "400.00", 1).done();
        assert_eq!(programme.buy(bank, &ada, "1.00", 1).contract_refusal(), 4);
        let by_herself = [encode(&ada.party), encode(&money("1.00")), encode(&Hash([9; 32]))];
        assert_eq!(
            bank.invoke(&ada, programme.id, "purchase", &by_herself).refusal().name(),
            "NotAuthorised"
        );
        assert_eq!(
            bank.invoke(&ada, programme.id, "redeem", &[encode(&501u64)]).contract_refusal(),
            8,
            "the sponsor has 5.00"
        );
        programme.check_books(bank, &[&ada]);
    });
}

#[test]
fn it_closes_when_no_points_are_left() {
    check(|bank, programme| {
        let ada = programme.member(bank, "ada");
        programme.buy(bank, &ada, "10.00", 1).done();
        bank.invoke(&programme.sponsor, programme.id, "close", &[]).done();
        assert_eq!(programme.buy(bank, &ada, "10.00", 2).refusal().name(), "WrongState");
        assert_eq!(bank.invoke(&programme.sponsor, programme.id, "finish", &[]).contract_refusal(), 9);
        bank.invoke(&ada, programme.id, "redeem", &[encode(&20u64)]).done();
        bank.invoke(&programme.sponsor, programme.id, "finish", &[]).done();
        assert_eq!(bank.state(programme.id), "Closed");
    });
}
