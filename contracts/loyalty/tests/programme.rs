//! A loyalty programme through its life, on wasm and natively.

use loyalty::{EXPIRY_MAX, Lot, TWIN, Terms};
use proptest::prelude::*;
use std::sync::OnceLock;
use tenor_testing::abi::codec::{decode, encode};
use tenor_testing::abi::date::Date;
use tenor_testing::abi::id::{AgreementId, AssetId, CodeHash, Hash};
use tenor_testing::abi::money::{Currency, Decimal, Money};
use tenor_testing::abi::refusal::Refusal;
use tenor_testing::runtime::state::record::AgreementRecord;
use tenor_testing::wire::op::AssetKind;
use tenor_testing::wire::receipt::Fate;
use tenor_testing::{Bank, Outcome, Person, both_with, money};

// Places in the contract's list of refusals.
const TERM_NOT_POSITIVE: u16 = 0;
const POINTS_WITH_DECIMALS: u16 = 1;
const WRONG_CURRENCY: u16 = 2;
const SAME_ACCOUNT: u16 = 3;
const ALREADY_MEMBER: u16 = 4;
const NOT_MEMBER: u16 = 5;
const AMOUNT_NOT_POSITIVE: u16 = 6;
const DUPLICATE_PURCHASE: u16 = 7;
const UNKNOWN_PURCHASE: u16 = 8;
const NO_POINTS: u16 = 9;
const BELOW_MINIMUM: u16 = 10;
const NOT_ENOUGH_POINTS: u16 = 11;
const GIFT_TO_SELF: u16 = 12;
const FUNDING_SHORT: u16 = 13;
const TOO_LARGE: u16 = 14;
const STILL_OUTSTANDING: u16 = 15;

/// A bank with a code and points, before a programme is opened.
fn prepared(scenario: impl Fn(&mut Bank, CodeHash, AssetId)) {
    static WASM: OnceLock<Vec<u8>> = OnceLock::new();
    let wasm = WASM.get_or_init(|| tenor_testing::wasm(env!("CARGO_MANIFEST_DIR")));
    let prepare = |bank: &mut Bank| {
        let points = bank.asset("PTS", 0, AssetKind::Points);
        (bank.publish_with(wasm, &[points]), points)
    };
    both_with(&TWIN, prepare, |bank, (code, points)| scenario(bank, code, points));
}

fn terms(shop: &Person, sponsor: &Person, points: AssetId) -> Terms {
    Terms {
        merchant: shop.account,
        funding: sponsor.account,
        funding_max: money("50.00"),
        points,
        points_unit: Currency::of("PTS", 0),
        points_per_unit: 2,
        point_value: money("0.01"),
        lot_days: 30,
        redeem_min: 10,
    }
}

/// A running programme with two members.
struct Programme<'b> {
    bank: &'b mut Bank,
    id: AgreementId,
    asset: AssetId,
    shop: Person,
    sponsor: Person,
    ada: Person,
    bob: Person,
    purchases: u32,
}

fn check(scenario: impl Fn(Programme<'_>)) {
    check_with(|terms| terms, scenario);
}

fn check_with(change: impl Fn(Terms) -> Terms, scenario: impl Fn(Programme<'_>)) {
    prepared(|bank, code, asset| {
        let (shop, sponsor) = (bank.customer("shop", "0.00"), bank.customer("sponsor", "100.00"));
        let (ada, bob) = (bank.customer("ada", "0.00"), bank.customer("bob", "0.00"));
        // The worth of a point is the product's to set: sponsor and product manager sign it together.
        let officer = bank.officer.clone();
        let agreed = change(terms(&shop, &sponsor, asset));
        let opened = bank.open_together(&sponsor, &[&officer], code, &agreed).done();
        let id = decode(&opened.data, 64).unwrap_or_else(|error| panic!("{error}"));
        let mut programme = Programme { bank, id, asset, shop, sponsor, ada, bob, purchases: 0 };
        for member in [programme.ada.clone(), programme.bob.clone()] {
            programme.call(&member, "join", &[]).done();
        }
        scenario(programme);
    });
}

fn reference(number: u32) -> Hash {
    let mut bytes = [7; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    Hash(bytes)
}

impl Programme<'_> {
    /// Makes a call; afterwards the lots must still add up to the books.
    #[track_caller]
    fn call(&mut self, by: &Person, call: &str, arguments: &[Vec<u8>]) -> Outcome {
        let outcome = self.bank.invoke(by, self.id, call, arguments);
        self.check();
        outcome
    }

    fn purchase(&mut self, member: &Person, amount: Money, reference: Hash) -> Outcome {
        let shop = self.shop.clone();
        self.call(&shop, "purchase", &[encode(&member.party), encode(&amount), encode(&reference)])
    }

    /// A purchase under a fresh reference.
    #[track_caller]
    fn buy(&mut self, member: &Person, euros: &str) -> Hash {
        self.purchases += 1;
        let reference = reference(self.purchases);
        self.purchase(member, money(euros), reference).done();
        reference
    }

    fn reverse(&mut self, reference: Hash) -> Outcome {
        let shop = self.shop.clone();
        self.call(&shop, "reverse", &[encode(&reference)])
    }

    fn redeem(&mut self, member: &Person, points: u64) -> Outcome {
        self.call(member, "redeem", &[encode(&points)])
    }

    fn give(&mut self, from: &Person, to: &Person, points: u64) -> Outcome {
        self.call(from, "give", &[encode(&to.party), encode(&points)])
    }

    #[track_caller]
    fn run_until(&mut self, date: Date) {
        self.bank.run_until(date);
        self.check();
    }

    fn points(&self, member: &Person) -> u64 {
        self.bank.view_with(self.id, "points", &[encode(&member.party)])
    }

    fn owed(&self, member: &Person) -> u64 {
        self.bank.view_with(self.id, "owed", &[encode(&member.party)])
    }

    /// Last day and points of each lot.
    fn lots(&self, member: &Person) -> Vec<(Date, u64)> {
        let lots: Vec<Lot> = self.bank.view_with(self.id, "lots", &[encode(&member.party)]);
        lots.iter().map(|lot| (lot.expires, lot.points)).collect()
    }

    fn outstanding(&self) -> u64 {
        self.bank.view(self.id, "outstanding")
    }

    /// How many keys the programme keeps.
    fn keys(&self) -> u32 {
        let record: Option<AgreementRecord> =
            self.bank.chain().record(&self.id.0).expect("memory does not fail");
        record.expect("the programme is there").keys
    }

    /// How often an event of a name was reported.
    fn events(&self, name: &str) -> usize {
        self.bank.events(self.id).iter().filter(|event| *event == name).count()
    }

    /// What members hold is what the books and the views say.
    #[track_caller]
    fn check(&self) {
        let today = self.bank.today();
        let mut sum = 0;
        for member in [&self.ada, &self.bob, &self.sponsor] {
            let lots = self.lots(member);
            assert!(
                lots.is_sorted_by_key(|(expires, _)| *expires) && lots.iter().all(|(_, points)| *points > 0)
            );
            let usable: u64 =
                lots.iter().filter(|(expires, _)| *expires >= today).map(|(_, points)| points).sum();
            assert_eq!(self.points(member), usable);
            sum += lots.iter().map(|(_, points)| points).sum::<u64>();
        }
        assert_eq!(self.outstanding(), sum);
        assert_eq!(self.bank.view::<Money>(self.id, "liability"), money("0.01").with_minor(i128::from(sum)));
        assert_eq!(self.bank.book(self.id, self.asset, "outstanding"), sum.to_string());
        let issued = if sum == 0 { "0".into() } else { format!("-{sum}") };
        assert_eq!(self.bank.book(self.id, self.asset, "issued"), issued);
    }
}

#[test]
fn points_are_earned_and_rounded_down() {
    check(|mut p| {
        let ada = p.ada.clone();
        p.buy(&ada, "10.00");
        assert_eq!(p.lots(&ada), [(Date::of(2026, 1, 31), 20)]);
        p.buy(&ada, "0.99");
        p.buy(&ada, "0.49");
        assert_eq!(p.lots(&ada), [(Date::of(2026, 1, 31), 20), (Date::of(2026, 1, 31), 1)]);
        assert_eq!((p.points(&ada), p.outstanding(), p.events("Earned")), (21, 21, 3));
        assert_eq!(p.purchase(&ada, money("0.00"), reference(90)).contract_refusal(), AMOUNT_NOT_POSITIVE);
        assert_eq!(p.purchase(&ada, money("-1.00"), reference(90)).contract_refusal(), AMOUNT_NOT_POSITIVE);
        let francs = Money::new(100, Currency::of("CHF", 2));
        assert_eq!(p.purchase(&ada, francs, reference(90)).contract_refusal(), WRONG_CURRENCY);
        let most = money("1.00").with_minor(10i128.pow(30));
        assert_eq!(p.purchase(&ada, most, reference(90)).contract_refusal(), TOO_LARGE);
    });
}

#[test]
fn all_members_together_cannot_hold_more_than_can_be_counted() {
    check(|mut p| {
        let (ada, bob) = (p.ada.clone(), p.bob.clone());
        let half = money("1.00").with_minor(i128::from(u64::MAX / 2) * 50);
        p.purchase(&ada, half, reference(1)).done();
        p.purchase(&bob, half, reference(2)).done();
        assert_eq!(p.outstanding(), u64::MAX - 1);
        assert_eq!(p.purchase(&bob, money("1.00"), reference(3)).contract_refusal(), TOO_LARGE);
        p.purchase(&bob, money("0.50"), reference(3)).done();
        p.give(&ada, &bob, u64::MAX / 2).done();
        assert_eq!(p.points(&bob), u64::MAX);
    });
}

#[test]
fn points_expire_after_their_last_day() {
    check(|mut p| {
        let ada = p.ada.clone();
        p.buy(&ada, "10.00");
        p.run_until(Date::of(2026, 1, 11));
        p.buy(&ada, "20.00");
        p.run_until(Date::of(2026, 1, 31));
        assert_eq!((p.points(&ada), p.events("Expired")), (60, 0));
        p.redeem(&ada, 10).done();
        assert_eq!(p.lots(&ada), [(Date::of(2026, 1, 31), 10), (Date::of(2026, 2, 10), 40)]);
        p.run_until(Date::of(2026, 2, 1));
        assert_eq!(p.lots(&ada), [(Date::of(2026, 2, 10), 40)]);
        assert_eq!((p.points(&ada), p.events("Expired")), (40, 1));
        p.run_until(Date::of(2026, 2, 10));
        assert_eq!(p.points(&ada), 40);
        p.run_until(Date::of(2026, 2, 11));
        assert_eq!((p.points(&ada), p.outstanding(), p.events("Expired")), (0, 0, 2));
    });
}

#[test]
fn the_soonest_to_expire_goes_first() {
    check(|mut p| {
        let (ada, bob) = (p.ada.clone(), p.bob.clone());
        p.buy(&bob, "10.00");
        p.run_until(Date::of(2026, 1, 5));
        p.buy(&ada, "10.00");
        // The gift is newer than the purchase and expires sooner.
        p.give(&bob, &ada, 20).done();
        assert_eq!(p.lots(&ada), [(Date::of(2026, 1, 31), 20), (Date::of(2026, 2, 4), 20)]);
        p.redeem(&ada, 25).done();
        assert_eq!(p.lots(&ada), [(Date::of(2026, 2, 4), 15)]);
    });
}

#[test]
fn much_expiry_is_spread_over_days_and_what_waits_cannot_be_used() {
    check(|mut p| {
        let (ada, bob) = (p.ada.clone(), p.bob.clone());
        let mut last = Hash([0; 32]);
        for _ in 0..EXPIRY_MAX + 3 {
            p.purchases += 1;
            last = reference(p.purchases);
            let arguments = [encode(&ada.party), encode(&money("10.00")), encode(&last)];
            p.bank.invoke(&p.shop.clone(), p.id, "purchase", &arguments).done();
        }
        p.run_until(Date::of(2026, 2, 1));
        // A full day's work stays well below what an occurrence may use.
        let gas = p.bank.blocks().iter().flat_map(|block| &block.receipts).map(|full| full.receipt.gas).max();
        assert!(gas < Some(10_000_000), "{gas:?}");
        assert_eq!((p.events("Expired"), p.outstanding(), p.points(&ada)), (EXPIRY_MAX, 60, 0));
        assert_eq!(p.redeem(&ada, 10).contract_refusal(), NOT_ENOUGH_POINTS);
        assert_eq!(p.give(&ada, &bob, 1).contract_refusal(), NOT_ENOUGH_POINTS);
        assert_eq!(p.reverse(last).contract_refusal(), UNKNOWN_PURCHASE);
        p.run_until(Date::of(2026, 2, 2));
        assert_eq!((p.events("Expired"), p.outstanding()), (EXPIRY_MAX + 3, 0));
    });
}

#[test]
fn a_redemption_pays_the_merchant() {
    check(|mut p| {
        let ada = p.ada.clone();
        p.buy(&ada, "100.00");
        let receipt = p.redeem(&ada, 150).done();
        assert_eq!((receipt.entries.len(), receipt.entries[0].postings.len()), (1, 4));
        assert_eq!((p.points(&ada), p.bank.balance(p.shop.account)), (50, "1.50".into()));
        assert_eq!((p.bank.balance(p.sponsor.account), p.events("Redeemed")), ("98.50".into(), 1));
        assert_eq!(p.redeem(&ada, 9).contract_refusal(), BELOW_MINIMUM);
        assert_eq!(p.redeem(&ada, 51).contract_refusal(), NOT_ENOUGH_POINTS);
        p.redeem(&ada, 50).done();
        assert_eq!(p.bank.balance(p.shop.account), "2.00");
        // A sponsor that is a member signs for what its account pays.
        let sponsor = p.sponsor.clone();
        p.call(&sponsor, "join", &[]).done();
        p.buy(&ada, "5.00");
        p.give(&ada, &sponsor, 10).done();
        p.bank
            .invoke_spending(&sponsor, p.id, "redeem", &[encode(&10u64)], vec![(sponsor.account, "0.10")])
            .done();
        p.check();
    });
}

#[test]
fn a_redemption_needs_funding() {
    check(|mut p| {
        let (ada, sponsor) = (p.ada.clone(), p.sponsor.clone());
        p.buy(&ada, "10000.00");
        // The limit of the month, then the money.
        p.redeem(&ada, 4_000).done();
        assert_eq!(p.redeem(&ada, 1_001).contract_refusal(), FUNDING_SHORT);
        p.redeem(&ada, 1_000).done();
        assert_eq!((p.points(&ada), p.bank.balance(sponsor.account)), (15_000, "50.00".into()));
        let away = p.ada.account;
        p.bank.transfer(&sponsor, away, "49.00").done();
        p.run_until(Date::of(2026, 1, 31));
        p.buy(&ada, "1.00");
        assert_eq!(p.redeem(&ada, 10).contract_refusal(), FUNDING_SHORT);
        p.run_until(Date::of(2026, 2, 1));
        p.buy(&ada, "1000.00");
        assert_eq!(p.redeem(&ada, 101).contract_refusal(), FUNDING_SHORT);
        p.redeem(&ada, 100).done();
        assert_eq!(
            (p.bank.balance(sponsor.account), p.bank.balance(p.shop.account)),
            ("0.00".into(), "51.00".into())
        );
    });
}

#[test]
fn a_reversal_takes_the_purchase_back() {
    check(|mut p| {
        let ada = p.ada.clone();
        let first = p.buy(&ada, "10.00");
        p.run_until(Date::of(2026, 1, 5));
        let second = p.buy(&ada, "10.00");
        // Its own points go first, although others expire sooner.
        p.reverse(second).done();
        assert_eq!(p.lots(&ada), [(Date::of(2026, 1, 31), 20)]);
        assert_eq!(p.reverse(second).contract_refusal(), UNKNOWN_PURCHASE);
        p.purchase(&ada, money("10.00"), second).done();
        // Fifteen of the first are gone: five of it and fifteen of the second go.
        p.redeem(&ada, 15).done();
        p.reverse(first).done();
        assert_eq!((p.lots(&ada), p.owed(&ada)), (vec![(Date::of(2026, 2, 4), 5)], 0));
        assert_eq!((p.events("Reversed"), p.bank.balance(p.shop.account)), (2, "0.15".into()));
        p.run_until(Date::of(2026, 2, 5));
        assert_eq!(p.reverse(second).contract_refusal(), UNKNOWN_PURCHASE);
    });
}

#[test]
fn what_a_reversal_cannot_take_is_owed() {
    check(|mut p| {
        let (ada, bob) = (p.ada.clone(), p.bob.clone());
        let gone = p.buy(&ada, "10.00");
        p.give(&ada, &bob, 20).done();
        p.reverse(gone).done();
        assert_eq!((p.points(&ada), p.owed(&ada), p.points(&bob)), (0, 20, 20));
        let partly = p.buy(&ada, "3.00");
        assert_eq!((p.lots(&ada), p.owed(&ada)), (vec![], 14));
        p.buy(&ada, "10.00");
        assert_eq!((p.points(&ada), p.owed(&ada)), (6, 0));
        // Reversing a purchase that went into what was owed takes all that it had earned.
        p.reverse(partly).done();
        assert_eq!((p.points(&ada), p.owed(&ada)), (0, 0));
    });
}

#[test]
fn a_gift_keeps_its_last_days() {
    check(|mut p| {
        let (ada, bob) = (p.ada.clone(), p.bob.clone());
        p.buy(&ada, "5.00");
        p.run_until(Date::of(2026, 1, 3));
        p.buy(&ada, "5.00");
        p.give(&ada, &bob, 13).done();
        assert_eq!(p.lots(&bob), [(Date::of(2026, 1, 31), 10), (Date::of(2026, 2, 2), 3)]);
        assert_eq!((p.lots(&ada), p.events("Given")), (vec![(Date::of(2026, 2, 2), 7)], 1));
        assert_eq!(p.give(&ada, &bob, 8).contract_refusal(), NOT_ENOUGH_POINTS);
        assert_eq!(p.give(&ada, &bob, 0).contract_refusal(), NO_POINTS);
        assert_eq!(p.give(&ada, &ada, 1).contract_refusal(), GIFT_TO_SELF);
        p.redeem(&bob, 13).done();
        p.run_until(Date::of(2026, 2, 3));
        assert_eq!((p.points(&ada), p.events("Expired")), (0, 1));
    });
}

#[test]
fn only_members_take_part() {
    check(|mut p| {
        let (ada, shop, carl) = (p.ada.clone(), p.shop.clone(), p.bank.customer("carl", "0.00"));
        p.buy(&ada, "10.00");
        assert_eq!(p.call(&ada, "join", &[]).contract_refusal(), ALREADY_MEMBER);
        assert_eq!(p.purchase(&carl, money("1.00"), reference(90)).contract_refusal(), NOT_MEMBER);
        assert_eq!(p.give(&ada, &carl, 1).contract_refusal(), NOT_MEMBER);
        assert_eq!(p.give(&carl, &ada, 1).contract_refusal(), NOT_MEMBER);
        assert_eq!(p.redeem(&carl, 10).contract_refusal(), NOT_MEMBER);
        let arguments = [encode(&ada.party), encode(&money("1.00")), encode(&reference(90))];
        assert_eq!(p.call(&ada, "purchase", &arguments).refusal().name(), "NotAuthorised");
        assert_eq!(p.call(&ada, "reverse", &[encode(&reference(1))]).refusal().name(), "NotAuthorised");
        assert_eq!(p.call(&shop, "close", &[]).refusal().name(), "NotAuthorised");
    });
}

#[test]
fn a_purchase_is_reported_once() {
    check(|mut p| {
        let (ada, bob) = (p.ada.clone(), p.bob.clone());
        let first = p.buy(&ada, "10.00");
        assert_eq!(p.purchase(&bob, money("1.00"), first).contract_refusal(), DUPLICATE_PURCHASE);
        // Also when nothing of it is left, and when it earned nothing.
        p.redeem(&ada, 20).done();
        let small = p.buy(&ada, "0.10");
        assert_eq!(p.purchase(&ada, money("1.00"), first).contract_refusal(), DUPLICATE_PURCHASE);
        assert_eq!(p.purchase(&ada, money("1.00"), small).contract_refusal(), DUPLICATE_PURCHASE);
        // One that was reversed can be reported again; its first report leaves nothing behind that ends it early.
        p.reverse(small).done();
        p.run_until(Date::of(2026, 1, 5));
        p.purchase(&ada, money("1.00"), small).done();
        p.run_until(Date::of(2026, 2, 4));
        assert_eq!(p.purchase(&ada, money("1.00"), small).contract_refusal(), DUPLICATE_PURCHASE);
        p.run_until(Date::of(2026, 2, 5));
        p.purchase(&ada, money("1.00"), small).done();
    });
}

#[test]
fn a_programme_closes_when_no_points_are_left() {
    check(|mut p| {
        let (ada, sponsor, carl) = (p.ada.clone(), p.sponsor.clone(), p.bank.customer("carl", "0.00"));
        let first = p.buy(&ada, "10.00");
        p.buy(&ada, "20.00");
        assert_eq!(p.call(&sponsor, "finish", &[]).refusal().name(), "WrongState");
        p.call(&sponsor, "close", &[]).done();
        assert_eq!(p.purchase(&ada, money("1.00"), reference(90)).refusal().name(), "WrongState");
        assert_eq!(p.call(&carl, "join", &[]).refusal().name(), "WrongState");
        assert_eq!(p.call(&sponsor, "finish", &[]).contract_refusal(), STILL_OUTSTANDING);
        p.reverse(first).done();
        p.redeem(&ada, 30).done();
        assert_eq!((p.points(&ada), p.bank.balance(p.shop.account)), (10, "0.30".into()));
        p.run_until(Date::of(2026, 2, 1));
        p.call(&sponsor, "finish", &[]).done();
        assert_eq!((p.bank.state(p.id).as_str(), p.outstanding()), ("Closed", 0));
        assert_eq!(p.redeem(&ada, 10).refusal().name(), "WrongState");
    });
}

#[test]
fn terms_that_make_no_sense_are_refused() {
    prepared(|bank, code, points| {
        let (shop, sponsor) = (bank.customer("shop", "0.00"), bank.customer("sponsor", "100.00"));
        let base = terms(&shop, &sponsor, points);
        let (francs, eur) = (Currency::of("CHF", 2), bank.eur);
        let wrong = [
            (Terms { points_per_unit: 0, ..base.clone() }, TERM_NOT_POSITIVE),
            (Terms { redeem_min: 0, ..base.clone() }, TERM_NOT_POSITIVE),
            (Terms { point_value: money("0.00"), ..base.clone() }, TERM_NOT_POSITIVE),
            (Terms { points_unit: Currency::of("PTS", 2), ..base.clone() }, POINTS_WITH_DECIMALS),
            (Terms { point_value: Money::new(1, francs), ..base.clone() }, WRONG_CURRENCY),
            (Terms { merchant: sponsor.account, ..base.clone() }, SAME_ACCOUNT),
        ];
        let officer = bank.officer.clone();
        let mut open = |terms: &Terms| bank.open_together(&sponsor, &[&officer], code, terms);
        for (terms, refusal) in wrong {
            assert_eq!(open(&terms).contract_refusal(), refusal);
        }
        let other = Terms { points_unit: Currency::of("MILES", 0), ..base.clone() };
        assert_eq!(open(&other).refusal().name(), "WrongCurrency");
        let euros = Terms { points: eur, ..base.clone() };
        assert_eq!(open(&euros).refusal().name(), "ExposureExceeded");
        let alone = bank.open(&sponsor, code, &base).refusal();
        assert!(
            matches!(alone, Refusal::NotYourTerm { ref term, .. } if term == "points_per_unit"),
            "{alone}"
        );
        let at_defaults = Terms { points_per_unit: 1, lot_days: 365, redeem_min: 1, ..base.clone() };
        let alone = bank.open(&sponsor, code, &at_defaults).refusal();
        assert!(
            matches!(alone, Refusal::NotYourTerm { ref term, .. } if term == "point_value"),
            "no default: {alone}"
        );
        assert_eq!(bank.open(&shop, code, &base).refusal().name(), "NotAuthorised");
    });
}

/// Something that happens; people and purchases by number.
#[derive(Clone, Debug)]
enum Step {
    Buy(bool, u16, u8),
    Reverse(u8),
    Redeem(bool, u8),
    Give(bool, u8),
    Days(u8),
    Close,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (any::<bool>(), 0..2_000u16, 0..20u8).prop_map(|(who, cents, number)| Step::Buy(who, cents, number)),
        3 => (0..20u8).prop_map(Step::Reverse),
        3 => (any::<bool>(), 0..40u8).prop_map(|(who, points)| Step::Redeem(who, points)),
        3 => (any::<bool>(), 0..40u8).prop_map(|(who, points)| Step::Give(who, points)),
        4 => (1..5u8).prop_map(Step::Days),
        1 => Just(Step::Close),
    ];
    prop::collection::vec(step, 1..40)
}

/// Whether it was done; it must be that or refused.
fn is_done(outcome: &Outcome) -> bool {
    let fate = outcome.receipt.as_ref().expect("nothing is wrong with the transaction").receipt.fate;
    assert!(matches!(fate, Fate::Done | Fate::Refused), "{outcome:?}");
    fate == Fate::Done
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn lots_books_and_views_agree_whatever_happens(steps in steps()) {
        let short = |terms: Terms| Terms { lot_days: 5, redeem_min: 1, funding_max: money("0.40"), ..terms };
        check_with(short, |mut p| {
            let mut redeemed = 0;
            for step in &steps {
                let people = |first: bool| {
                    if first { (p.ada.clone(), p.bob.clone()) } else { (p.bob.clone(), p.ada.clone()) }
                };
                match *step {
                    Step::Buy(first, cents, number) => {
                        let (member, amount) = (people(first).0, money("0.00").with_minor(i128::from(cents)));
                        is_done(&p.purchase(&member, amount, reference(u32::from(number))));
                    }
                    Step::Reverse(number) => {
                        is_done(&p.reverse(reference(u32::from(number))));
                    }
                    Step::Redeem(first, points) => {
                        let member = people(first).0;
                        if is_done(&p.redeem(&member, u64::from(points))) {
                            redeemed += i128::from(points);
                        }
                    }
                    Step::Give(first, points) => {
                        let (from, to) = people(first);
                        is_done(&p.give(&from, &to, u64::from(points)));
                    }
                    Step::Days(days) => p.run_until(p.bank.today().add_days(i32::from(days))),
                    Step::Close => {
                        let sponsor = p.sponsor.clone();
                        is_done(&p.call(&sponsor, "close", &[]));
                    }
                }
                assert_eq!(p.bank.balance(p.shop.account), Decimal(redeemed, 2).to_string());
            }
            p.run_until(p.bank.today().add_days(6));
            // Two members and the count of lots: no purchase or last day is left behind.
            assert!(p.outstanding() == 0 && p.keys() <= 3, "{} keys", p.keys());
        });
    }
}
