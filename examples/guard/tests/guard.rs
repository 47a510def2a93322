//! A guard through its life, on wasm and natively.

use guard::{TWIN, Terms};
use tenor_testing::abi::codec::encode;
use tenor_testing::abi::date::Date;
use tenor_testing::abi::id::AgreementId;
use tenor_testing::abi::refusal::Refusal;
use tenor_testing::abi::spec::CODE_OWN;
use tenor_testing::wire::op::{HookMoment, HookOf};
use tenor_testing::{Bank, Person, both, money};

/// Ada's account with 500.00, of which 100.00 may leave on a day.
struct Guarded<'b> {
    bank: &'b mut Bank,
    id: AgreementId,
    ada: Person,
    bob: Person,
}

impl Guarded<'_> {
    #[track_caller]
    fn pay(&mut self, euros: &str) {
        let (ada, bob) = (self.ada.clone(), self.bob.account);
        self.bank.transfer(&ada, bob, euros).done();
    }

    #[track_caller]
    fn refused(&mut self, euros: &str) {
        let (ada, bob) = (self.ada.clone(), self.bob.account);
        let said = self.bank.transfer(&ada, bob, euros).refusal();
        let Refusal::HookRefused { account, hook, code, data } = said else { panic!("{said}") };
        assert_eq!((account, hook, code), (ada.account, self.id, CODE_OWN));
        assert!(!data.is_empty(), "the guard's own words go on to who asked");
    }

    fn gone(&self) -> i128 {
        self.bank.view_with(self.id, "left_on", &[encode(&self.bank.today())])
    }
}

fn check(scenario: impl Fn(Guarded<'_>)) {
    both(&tenor_testing::wasm(env!("CARGO_MANIFEST_DIR")), &TWIN, |bank, code| {
        let (ada, bob) = (bank.customer("ada", "500.00"), bank.customer("bob", "0.00"));
        let id = bank.opened(&ada, code, &Terms { account: ada.account, daily: money("100.00") });
        for moment in [HookMoment::Before, HookMoment::After] {
            bank.attach(&ada, ada.account, HookOf::Owner, moment, id).done();
        }
        scenario(Guarded { bank, id, ada, bob });
    });
}

#[test]
fn no_more_leaves_on_a_day_than_the_owner_allowed() {
    check(|mut g| {
        g.refused("100.01");
        g.pay("60.00");
        assert_eq!(g.gone(), 0, "it is told in an occurrence of its own, a second later");
        g.bank.run_for(1_000);
        assert_eq!(g.gone(), 6_000);
        g.refused("40.01");
        g.pay("40.00");
        g.bank.run_until(Date::of(2026, 1, 2));
        assert_eq!(g.gone(), 0, "another day");
        g.pay("100.00");
        assert_eq!(g.bank.balance(g.ada.account), "300.00");
    });
}

#[test]
fn what_comes_in_is_never_judged_wrongly() {
    check(|mut g| {
        g.pay("100.00");
        g.bank.run_for(1_000);
        let (ada, bob) = (g.ada.clone(), g.bob.clone());
        g.bank.transfer(&bob, ada.account, "70.00").done();
        g.refused("0.01");
        g.bank.run_for(1_000);
        assert_eq!(g.gone(), 10_000);
    });
}

#[test]
fn a_guard_that_rests_or_has_ended_lets_pass() {
    check(|mut g| {
        let ada = g.ada.clone();
        g.bank.invoke(&ada, g.id, "rest", &[]).done();
        g.pay("150.00");
        g.bank.run_for(1_000);
        assert_eq!(g.gone(), 15_000, "it counts while it rests");
        g.bank.invoke(&ada, g.id, "watch", &[]).done();
        g.refused("0.01");
        g.bank.invoke(&ada, g.id, "end", &[]).done();
        g.pay("150.00");
        g.bank.run_for(5_000);
        assert_eq!(g.gone(), 15_000, "it is told of nothing more");
    });
}
