//! Points through their life, on wasm and natively.

use points::{TWIN, Terms};
use tenor_testing::abi::codec::encode;
use tenor_testing::abi::id::AgreementId;
use tenor_testing::{Bank, Outcome, Person, both};

/// Places in the contract's list of refusals.
const NOT_HOLDER: u16 = 0;
const NOT_ENOUGH: u16 = 1;

/// Points that a shop has issued a hundred of to Ada.
struct Points<'b> {
    bank: &'b mut Bank,
    id: AgreementId,
    shop: Person,
    ada: Person,
    bob: Person,
}

impl Points<'_> {
    fn transfer(&mut self, by: &Person, from: &Person, to: &Person, amount: u64) -> Outcome {
        let arguments = [encode(&from.party), encode(&to.party), encode(&amount)];
        self.bank.invoke(by, self.id, "transfer", &arguments)
    }

    fn held(&self) -> [u128; 2] {
        [&self.ada, &self.bob].map(|holder| self.bank.view_with(self.id, "balance", &[encode(&holder.party)]))
    }
}

fn check(scenario: impl Fn(Points<'_>)) {
    both(&tenor_testing::wasm(env!("CARGO_MANIFEST_DIR")), &TWIN, |bank, code| {
        let [shop, ada, bob] = ["shop", "ada", "bob"].map(|name| bank.customer(name, "0.00"));
        let id = bank.opened(&shop, code, &Terms { issuer: shop.party });
        bank.invoke(&shop, id, "issue", &[encode(&ada.party), encode(&100u64)]).done();
        scenario(Points { bank, id, shop, ada, bob });
    });
}

#[test]
fn points_are_passed_on() {
    check(|mut p| {
        let (ada, bob) = (p.ada.clone(), p.bob.clone());
        p.transfer(&ada, &ada, &bob, 30).done();
        assert_eq!((p.held(), p.bank.events(p.id)), ([70, 30], vec!["Transferred".to_string()]));
        // To oneself nothing changes; the last one can go.
        p.transfer(&ada, &ada, &ada, 70).done();
        p.transfer(&ada, &ada, &bob, 70).done();
        assert_eq!(p.held(), [0, 100]);
    });
}

#[test]
fn what_is_refused_leaves_everything_as_it_was() {
    check(|mut p| {
        let (ada, bob, shop) = (p.ada.clone(), p.bob.clone(), p.shop.clone());
        assert_eq!(p.transfer(&ada, &ada, &bob, 101).contract_refusal(), NOT_ENOUGH);
        assert_eq!(p.transfer(&bob, &ada, &bob, 1).contract_refusal(), NOT_HOLDER);
        let arguments = [encode(&ada.party), encode(&1u64)];
        assert_eq!(p.bank.invoke(&ada, p.id, "issue", &arguments).refusal().name(), "NotAuthorised");
        p.bank.invoke(&shop, p.id, "close", &[]).done();
        assert_eq!(p.transfer(&ada, &ada, &bob, 1).refusal().name(), "WrongState");
        assert_eq!(p.held(), [100, 0]);
    });
}
