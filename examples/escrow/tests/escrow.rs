//! A purchase through its life, on wasm and natively.

use escrow::{TWIN, Terms};
use tenor_testing::abi::codec::encode;
use tenor_testing::abi::date::Date;
use tenor_testing::abi::id::AgreementId;
use tenor_testing::wire::receipt::Act;
use tenor_testing::{Bank, Outcome, Person, both, money};

/// A purchase for 60.00 from Ada, who has 100.00.
struct Purchase<'b> {
    bank: &'b mut Bank,
    id: AgreementId,
    ada: Person,
    shop: Person,
}

impl Purchase<'_> {
    fn reserve(&mut self) -> Outcome {
        let ada = self.ada.clone();
        self.bank.invoke_spending(&ada, self.id, "reserve", &[], vec![(ada.account, "60.00")])
    }

    fn accept(&mut self, part: &str) -> Outcome {
        let ada = self.ada.clone();
        self.bank.invoke(&ada, self.id, "accept", &[encode(&money(part))])
    }

    fn tip(&mut self, most: &str, choice: u64) -> Outcome {
        let (ada, day) = (self.ada.clone(), self.bank.today().days() as u32);
        let arguments = [encode(&money(most)), encode(&day), encode(&choice)];
        self.bank.invoke_spending(&ada, self.id, "tip", &arguments, vec![(ada.account, "1000.00")])
    }

    fn balances(&self) -> [String; 2] {
        [&self.ada, &self.shop].map(|person| self.bank.balance(person.account))
    }
}

fn check(scenario: impl Fn(Purchase<'_>)) {
    both(&tenor_testing::wasm(env!("CARGO_MANIFEST_DIR")), &TWIN, |bank, code| {
        let (ada, shop) = (bank.customer("ada", "100.00"), bank.customer("shop", "0.00"));
        let terms = Terms { buyer: ada.account, seller: shop.account, price: money("60.00"), days: 10 };
        let id = bank.opened(&ada, code, &terms);
        scenario(Purchase { bank, id, ada, shop });
    });
}

#[test]
fn goods_are_paid_as_they_come() {
    check(|mut p| {
        let (ada, shop) = (p.ada.clone(), p.shop.clone());
        p.reserve().done();
        assert_eq!(p.bank.transfer(&ada, shop.account, "40.01").refusal().name(), "InsufficientFunds");
        p.accept("15.00").done();
        assert_eq!(p.balances(), ["85.00", "15.00"]);
        assert_eq!(p.accept("45.01").refusal().name(), "AboveHold");
        p.bank.invoke(&ada, p.id, "complete", &[]).done();
        assert_eq!(p.balances(), ["40.00", "60.00"]);
        assert_eq!(p.bank.view::<Vec<u128>>(p.id, "received"), [1_500, 4_500]);
        let today = p.bank.today();
        let held = |day: Date| p.bank.view_with::<i128>(p.id, "held_on", &[encode(&day)]);
        assert_eq!((held(today.add_days(-1)), held(today)), (0, 6_000));
    });
}

#[test]
fn a_seller_who_cannot_deliver_frees_the_money() {
    check(|mut p| {
        let (ada, shop) = (p.ada.clone(), p.shop.clone());
        p.reserve().done();
        p.accept("15.00").done();
        assert_eq!(p.bank.invoke(&ada, p.id, "cancel", &[]).refusal().name(), "NotAuthorised");
        let freed = p.bank.invoke(&shop, p.id, "cancel", &[]).done();
        assert!(matches!(freed.entries[0].act, Act::Release { .. }));
        p.bank.transfer(&ada, shop.account, "85.00").done();
    });
}

#[test]
fn time_frees_the_money_without_the_contract() {
    check(|mut p| {
        let ada = p.ada.clone();
        p.reserve().done();
        p.bank.run_until(Date::of(2026, 1, 20));
        assert_eq!(p.accept("15.00").refusal().name(), "UnknownHold");
        p.bank.transfer(&ada, p.shop.account, "100.00").done();
    });
}

#[test]
fn a_tip_is_what_is_there_and_is_given_once() {
    check(|mut p| {
        p.reserve().done();
        // 40.00 is free: what is held is not there for a tip.
        let first = p.tip("50.00", 7).done();
        assert_eq!((first.data, first.entries.len()), (encode(&true), 1));
        assert_eq!(p.balances(), ["60.00", "40.00"]);
        let again = p.tip("50.00", 7).done();
        assert_eq!((again.data, again.entries.len()), (encode(&false), 0));
        let other = p.tip("50.01", 7).refusal();
        assert!(other.to_string().contains("postings differ"), "{other}");
        // Under another key there is nothing left to give, which is no mistake.
        assert_eq!(p.tip("50.00", 8).done().entries.len(), 0);
    });
}
