//! A standing order through its life, on wasm and natively.

use recurring::{Collection, Rhythm, TWIN, Terms};
use tenor_testing::abi::calendar::{BusinessDayConvention, Calendar};
use tenor_testing::abi::date::{Date, DayOfMonth};
use tenor_testing::abi::event::EventBody;
use tenor_testing::abi::id::CodeHash;
use tenor_testing::abi::money::Code;
use tenor_testing::abi::refusal::Refusal;
use tenor_testing::abi::role::Role;
use tenor_testing::wire::op::{CalendarOp, Operation};
use tenor_testing::{Bank, Person, both, money};

fn terms(payer: &Person, payee: &Person, amount: &str) -> Terms {
    Terms {
        payer: payer.account,
        payee: payee.account,
        amount: money(amount),
        rhythm: Rhythm::Monthly,
        every: 1,
        first: Date::of(2026, 1, 31),
        day: Some(DayOfMonth::of(31)),
        until: None,
        count: None,
        convention: BusinessDayConvention::Following,
        calendar: None,
        retries_max: 3,
    }
}

fn check(scenario: impl Fn(&mut Bank, CodeHash)) {
    both(&tenor_testing::wasm(env!("CARGO_MANIFEST_DIR")), &TWIN, scenario);
}

#[test]
fn it_pays_on_the_last_day_of_short_months() {
    check(|bank, code| {
        let (ada, landlord) = (bank.customer("ada", "1000.00"), bank.customer("landlord", "0.00"));
        let order = bank.opened(&ada, code, &terms(&ada, &landlord, "100.00"));
        assert_eq!(bank.view::<Option<Date>>(order, "next"), Some(Date::of(2026, 1, 31)));
        bank.run_until(Date::of(2026, 4, 30));
        let paid: Vec<Date> = bank.view::<Vec<Collection>>(order, "history").iter().map(|c| c.paid).collect();
        assert_eq!(
            paid,
            [Date::of(2026, 1, 31), Date::of(2026, 2, 28), Date::of(2026, 3, 31), Date::of(2026, 4, 30)]
        );
        assert_eq!(
            (bank.balance(ada.account), bank.balance(landlord.account)),
            ("600.00".into(), "400.00".into())
        );
    });
}

#[test]
fn every_payment_of_a_month_is_made() {
    check(|bank, code| {
        let (ada, landlord) = (bank.customer("ada", "1000.00"), bank.customer("landlord", "0.00"));
        let base = Terms { first: Date::of(2026, 1, 5), ..terms(&ada, &landlord, "10.00") };
        let weekly = Terms { rhythm: Rhythm::Weekly, day: None, ..base.clone() };
        let daily = Terms { rhythm: Rhythm::Daily, day: None, count: Some(20), ..base.clone() };
        // 31 January and 28 February are Saturdays: February's is paid on 2 March, March's on the 31st.
        let moved = Terms { calendar: Some(bank.calendar), ..base.clone() };
        let orders = [weekly, daily, moved].map(|terms| bank.opened(&ada, code, &terms));
        bank.run_until(Date::of(2026, 3, 31));
        let paid = orders.map(|order| {
            let all: Vec<Collection> = bank.view(order, "history");
            assert!(all.is_sorted_by(|a, b| a.paid < b.paid && a.due == a.paid && a.number + 1 == b.number));
            all.len()
        });
        assert_eq!(paid, [13, 20, 3]);
        let closed = Terms { rhythm: Rhythm::Daily, day: None, calendar: Some(bank.calendar), ..base };
        assert_eq!(bank.open(&ada, code, &closed).contract_refusal(), 4);
    });
}

#[test]
fn a_holiday_moves_the_payment() {
    check(|bank, code| {
        let (ada, landlord) = (bank.customer("ada", "1000.00"), bank.customer("landlord", "0.00"));
        let terms = Terms {
            first: Date::of(2026, 4, 1),
            day: Some(DayOfMonth::of(3)),
            calendar: Some(bank.calendar),
            ..terms(&ada, &landlord, "100.00")
        };
        let order = bank.opened(&ada, code, &terms);
        // 3 April 2026 is Good Friday, 6 April Easter Monday.
        assert_eq!(bank.view::<Option<Date>>(order, "next"), Some(Date::of(2026, 4, 7)));
        bank.run_until(Date::of(2026, 4, 7));
        assert_eq!(bank.balance(landlord.account), "100.00");
    });
}

#[test]
fn it_ends_after_its_last_payment() {
    check(|bank, code| {
        let (ada, landlord) = (bank.customer("ada", "1000.00"), bank.customer("landlord", "0.00"));
        let order = bank.opened(&ada, code, &Terms { count: Some(2), ..terms(&ada, &landlord, "10.00") });
        bank.run_until(Date::of(2026, 6, 1));
        assert_eq!((bank.state(order).as_str(), bank.balance(landlord.account).as_str()), ("Ended", "20.00"));
    });
}

#[test]
fn it_tries_again_and_then_is_suspended() {
    check(|bank, code| {
        let (ada, landlord) = (bank.customer("ada", "50.00"), bank.customer("landlord", "0.00"));
        let order = bank.opened(&ada, code, &terms(&ada, &landlord, "100.00"));
        bank.run_until(Date::of(2026, 2, 2));
        assert_eq!(bank.state(order), "Active");
        bank.run_until(Date::of(2026, 2, 4));
        assert_eq!((bank.state(order).as_str(), bank.balance(ada.account).as_str()), ("Suspended", "50.00"));
        bank.transfer(&bank_person(bank), ada.account, "0.01").refusal();
        bank.invoke(&ada, order, "resume", &[]).done();
        assert_eq!(bank.view::<Option<Date>>(order, "next"), Some(Date::of(2026, 2, 28)));
    });
}

fn bank_person(bank: &Bank) -> Person {
    bank.manager.clone()
}

#[test]
fn a_retry_pays_once_money_is_there() {
    check(|bank, code| {
        let (ada, landlord) = (bank.customer("ada", "50.00"), bank.customer("landlord", "0.00"));
        let uncle = bank.customer("uncle", "70.00");
        let order = bank.opened(&ada, code, &terms(&ada, &landlord, "100.00"));
        bank.run_until(Date::of(2026, 2, 1));
        bank.transfer(&uncle, ada.account, "60.00").done();
        bank.run_until(Date::of(2026, 2, 3));
        assert_eq!((bank.state(order).as_str(), bank.balance(ada.account).as_str()), ("Active", "10.00"));
    });
}

#[test]
fn an_outage_burns_no_retries() {
    check(|bank, code| {
        let (ada, landlord) = (bank.customer("ada", "50.00"), bank.customer("landlord", "0.00"));
        let uncle = bank.customer("uncle", "70.00");
        let order = bank.opened(&ada, code, &terms(&ada, &landlord, "100.00"));
        // Due on 31 January, tried on 10 February for the first time; the next days are left to try again.
        bank.run_late(Date::of(2026, 2, 10));
        assert_eq!((bank.state(order).as_str(), bank.balance(ada.account).as_str()), ("Active", "50.00"));
        bank.run_until(Date::of(2026, 2, 12));
        assert_eq!(bank.state(order), "Active");
        bank.transfer(&uncle, ada.account, "60.00").done();
        bank.run_until(Date::of(2026, 2, 13));
        assert_eq!((bank.state(order).as_str(), bank.balance(ada.account).as_str()), ("Active", "10.00"));
        let paid: Vec<Collection> = bank.view(order, "history");
        assert_eq!((paid[0].due, paid[0].paid), (Date::of(2026, 1, 31), Date::of(2026, 2, 13)));
    });
}

#[test]
fn a_day_that_becomes_a_holiday_moves_its_payment_once() {
    check(|bank, code| {
        let (ada, landlord) = (bank.customer("ada", "1000.00"), bank.customer("landlord", "0.00"));
        let terms = Terms {
            first: Date::of(2026, 2, 2),
            day: Some(DayOfMonth::of(2)),
            calendar: Some(bank.calendar),
            ..terms(&ada, &landlord, "100.00")
        };
        let order = bank.opened(&ada, code, &terms);
        let close = |bank: &mut Bank, days: &[u8]| {
            let mut calendar = Calendar::named("TARGET", 2020, 2070).expect("TARGET is known");
            calendar.holidays.extend(days.iter().map(|day| Date::of(2026, 2, *day)));
            calendar.holidays.sort();
            let op = CalendarOp { publisher: bank.bank.party, code: Code::of("TARGET"), calendar };
            let officer = bank.officer.clone();
            bank.run(&officer, Operation::Calendar(op), vec![])
        };
        let balance = |bank: &Bank| bank.balance(landlord.account);
        close(bank, &[2, 3]).done();
        bank.run_until(Date::of(2026, 2, 2));
        assert_eq!(bank.view::<Option<Date>>(order, "next"), Some(Date::of(2026, 2, 4)));
        let said = bank.blocks().into_iter().flat_map(|block| block.receipts).flat_map(|full| full.events);
        let moved = EventBody::Moved { kind: 0, number: 0 };
        assert_eq!(said.filter(|event| event.body == moved).count(), 1);
        // Tomorrow is too near to change; the day after is not, but the payment moves once only.
        assert_eq!(close(bank, &[2]).refusal().name(), "BadValue");
        close(bank, &[2, 3, 4]).done();
        bank.run_until(Date::of(2026, 2, 3));
        assert_eq!(balance(bank), "0.00");
        bank.run_until(Date::of(2026, 2, 4));
        assert_eq!(balance(bank), "100.00");
        assert_eq!(bank.view::<Option<Date>>(order, "next"), Some(Date::of(2026, 3, 2)));
    });
}

#[test]
fn a_pause_is_not_made_up_for() {
    check(|bank, code| {
        let (ada, landlord) = (bank.customer("ada", "1000.00"), bank.customer("landlord", "0.00"));
        let order = bank.opened(&ada, code, &terms(&ada, &landlord, "100.00"));
        bank.invoke(&ada, order, "pause", &[]).done();
        bank.run_until(Date::of(2026, 3, 15));
        assert_eq!(bank.balance(landlord.account), "0.00");
        bank.invoke(&ada, order, "resume", &[]).done();
        bank.run_until(Date::of(2026, 3, 31));
        assert_eq!(bank.balance(landlord.account), "100.00");
    });
}

#[test]
fn only_the_payer_acts_and_only_in_the_right_state() {
    check(|bank, code| {
        let (ada, landlord) = (bank.customer("ada", "1000.00"), bank.customer("landlord", "0.00"));
        let order = bank.opened(&ada, code, &terms(&ada, &landlord, "100.00"));
        assert_eq!(bank.invoke(&landlord, order, "end", &[]).refusal().name(), "NotAuthorised");
        assert_eq!(bank.invoke(&ada, order, "resume", &[]).refusal().name(), "WrongState");
        bank.invoke(&ada, order, "end", &[]).done();
        assert_eq!(bank.invoke(&ada, order, "pause", &[]).refusal().name(), "WrongState");
        assert_eq!(
            bank.open(&landlord, code, &terms(&ada, &landlord, "1.00")).refusal().name(),
            "NotAuthorised"
        );
    });
}

#[test]
fn the_products_terms_are_the_banks_to_set() {
    check(|bank, code| {
        let (ada, landlord) = (bank.customer("ada", "1000.00"), bank.customer("landlord", "0.00"));
        let (officer, manager) = (bank.officer.clone(), bank.manager.clone());
        let tenacious = Terms { retries_max: 200, ..terms(&ada, &landlord, "10.00") };
        let role = Role::ProductManager;
        let refusal = Refusal::NotYourTerm { term: "retries_max".into(), role, bank: bank.bank.party };
        assert_eq!(bank.open(&ada, code, &tenacious).refusal(), refusal);
        // A credit manager is staff, but not who answers for the product.
        assert_eq!(bank.open_together(&ada, &[&manager], code, &tenacious).refusal(), refusal);
        assert_eq!(bank.open_together(&ada, &[&landlord], code, &tenacious).refusal(), refusal);
        bank.open_together(&ada, &[&officer], code, &tenacious).done();
        let itself = bank.bank.clone();
        bank.open_together(&ada, &[&manager, &itself], code, &tenacious).done();
        // The bank alone opens nothing in the payer's name.
        assert_eq!(bank.open(&officer, code, &tenacious).refusal().name(), "NotAuthorised");
    });
}

#[test]
fn terms_that_make_no_sense_are_refused() {
    check(|bank, code| {
        let (ada, landlord) = (bank.customer("ada", "1000.00"), bank.customer("landlord", "0.00"));
        let base = terms(&ada, &landlord, "100.00");
        let negative = Terms { amount: money("-1.00"), ..base.clone() };
        assert_eq!(bank.open(&ada, code, &negative).refusal().name(), "BadTerms");
        assert_eq!(bank.open(&ada, code, &Terms { day: None, ..base.clone() }).contract_refusal(), 1);
        let both = Terms { count: Some(1), until: Some(Date::of(2027, 1, 1)), ..base.clone() };
        assert_eq!(bank.open(&ada, code, &both).contract_refusal(), 2);
        let past = Terms { first: Date::of(2025, 1, 31), ..base.clone() };
        assert_eq!(bank.open(&ada, code, &past).refusal().name(), "BadSchedule");
        let ends_first = Terms { until: Some(Date::of(2026, 1, 1)), ..base.clone() };
        assert_eq!(bank.open(&ada, code, &ends_first).refusal().name(), "BadSchedule");
        let many = Terms { count: Some(10_001), ..base };
        assert_eq!(bank.open(&ada, code, &many).refusal().name(), "BadSchedule");
    });
}
