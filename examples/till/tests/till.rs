//! A till and its cards, on wasm and natively.

use tenor_testing::abi::codec::{decode, encode};
use tenor_testing::abi::id::AgreementId;
use tenor_testing::abi::interface;
use tenor_testing::abi::refusal::Refusal;
use tenor_testing::abi::spec::{CODE_OWN, Spec};
use tenor_testing::wire::receipt::FullReceipt;
use tenor_testing::{Bank, Outcome, Person, both_of_each, money};

/// Places in the till's list of refusals.
const NO_STAMP: u16 = 1;

/// A till with cards of three stamps, and Ada with 100.00.
struct Shop<'b> {
    bank: &'b mut Bank,
    till: AgreementId,
    cards: AgreementId,
    shop: Person,
    ada: Person,
}

impl Shop<'_> {
    fn buy(&mut self, call: &str, euros: &str) -> Outcome {
        let ada = self.ada.clone();
        let arguments = [encode(&ada.account), encode(&money(euros))];
        self.bank.invoke_spending(&ada, self.till, call, &arguments, vec![(ada.account, euros)])
    }

    fn stamps(&self) -> u32 {
        self.bank.view_with(self.till, "stamps_of", &[encode(&self.ada.party)])
    }
}

fn answer<T: serde::Serialize + serde::de::DeserializeOwned>(receipt: &FullReceipt) -> T {
    decode(&receipt.data, 1024).unwrap_or_else(|error| panic!("{error}"))
}

fn check(scenario: impl Fn(Shop<'_>)) {
    let folder = env!("CARGO_MANIFEST_DIR");
    let (till, stamps) = (tenor_testing::wasm(folder), tenor_testing::wasm(&format!("{folder}/../stamps")));
    let prepare = |bank: &mut Bank| (bank.publish(&till), bank.publish(&stamps));
    both_of_each(&[&till::TWIN, &stamps::TWIN], prepare, |bank, (till, stamps)| {
        let (shop, ada) = (bank.customer("shop", "0.00"), bank.customer("ada", "100.00"));
        let till = bank.opened(&shop, till, &till::Terms { shop: shop.account });
        let cards = bank.opened(&shop, stamps, &stamps::Terms { shop: shop.party, till, full: 3 });
        scenario(Shop { bank, till, cards, shop, ada });
    });
}

#[test]
fn a_purchase_earns_a_stamp_until_the_card_is_full() {
    check(|mut s| {
        let shop = s.shop.clone();
        assert_eq!(answer::<Option<u32>>(&s.buy("buy", "1.00").done()), None, "no cards yet");
        s.bank.invoke(&shop, s.till, "use_cards", &[encode(&s.cards)]).done();
        for stamps in 1..=3 {
            let receipt = s.buy("buy", "1.00").done();
            assert_eq!(answer::<Option<u32>>(&receipt), Some(stamps));
            assert_eq!((receipt.entries.len(), receipt.events.len()), (1, 1), "entry and stamp in one item");
        }
        // The card is full: the inner call has left nothing, the sale stands.
        let receipt = s.buy("buy", "1.00").done();
        assert_eq!((receipt.entries.len(), receipt.events.len()), (1, 0));
        assert_eq!((s.stamps(), s.bank.balance(shop.account)), (3, "5.00".into()));
        // Or the caller refuses, and nothing at all stands.
        assert_eq!(s.buy("buy_for_stamp", "1.00").contract_refusal(), NO_STAMP);
        assert_eq!(s.bank.balance(shop.account), "5.00");
        let ada = s.ada.clone();
        s.bank.invoke(&ada, s.cards, "hand_in", &[]).done();
        s.buy("buy_for_stamp", "1.00").done();
        assert_eq!((s.stamps(), s.bank.balance(shop.account)), (1, "6.00".into()));
    });
}

#[test]
fn nobody_stands_in_for_the_till() {
    check(|s| {
        let (shop, ada) = (s.shop.clone(), s.ada.clone());
        for person in [&shop, &ada] {
            let said = s.bank.invoke(person, s.cards, "stamp", &[encode(&ada.party)]).refusal();
            assert_eq!(said, Refusal::NotAuthorised);
        }
        // Another till is not the one that the terms name.
        let second = s.bank.opened(&shop, code_of(s.bank, s.till), &till::Terms { shop: shop.account });
        s.bank.invoke(&shop, second, "use_cards", &[encode(&s.cards)]).done();
        let mut other = Shop { till: second, ..s };
        assert_eq!(answer::<Option<u32>>(&other.buy("buy", "1.00").done()), None);
        assert_eq!(other.stamps(), 0);
    });
}

#[test]
fn cards_that_have_ended_or_are_none_give_no_stamp() {
    check(|mut s| {
        let shop = s.shop.clone();
        // The till itself has a call of that name, but is at work.
        s.bank.invoke(&shop, s.till, "use_cards", &[encode(&s.till)]).done();
        s.buy("buy", "1.00").done();
        let unknown = AgreementId([9; 32]);
        s.bank.invoke(&shop, s.till, "use_cards", &[encode(&unknown)]).done();
        s.buy("buy", "1.00").done();
        s.bank.invoke(&shop, s.till, "use_cards", &[encode(&s.cards)]).done();
        s.bank.invoke(&shop, s.cards, "close", &[]).done();
        assert_eq!(answer::<Option<u32>>(&s.buy("buy", "1.00").done()), None);
        assert_eq!(s.stamps(), 0, "a view answers all the same");
    });
}

fn code_of(bank: &Bank, agreement: AgreementId) -> tenor_testing::abi::id::CodeHash {
    let record: Option<tenor_testing::runtime::state::record::AgreementRecord> =
        bank.chain().record(&agreement.0).unwrap_or_else(|fault| panic!("{fault}"));
    record.unwrap_or_else(|| panic!("there is no {agreement}")).code
}

#[test]
fn an_interface_is_what_the_spec_says() {
    let spec = Spec::from_section(stamps::TWIN.section).unwrap_or_else(|error| panic!("{error}"));
    let found: Vec<_> =
        till::Cards::SIGNATURES.iter().map(|signature| interface::find(&spec, signature)).collect();
    let place = |name| spec.calls.iter().position(|call| call.name == name).map(|place| place as u16);
    assert_eq!(found, [place("stamp"), place("stamps_of")]);
    let own = Spec::from_section(till::TWIN.section).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(interface::find(&own, till::Cards::SIGNATURES[0]), None);
    assert_eq!(CODE_OWN, 0x8000);
}
