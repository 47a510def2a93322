//! A loan through its life, on wasm and natively.

use loan::{Instalment, Owed, Payment, TWIN, Terms};
use tenor_testing::abi::codec::encode;
use tenor_testing::abi::date::Date;
use tenor_testing::abi::daycount::DayCount;
use tenor_testing::abi::id::{AgreementId, CodeHash};
use tenor_testing::abi::money::Money;
use tenor_testing::abi::rate::Rate;
use tenor_testing::abi::refusal::Refusal;
use tenor_testing::abi::role::Role;
use tenor_testing::wire::op::{Operation, RoleOp};
use tenor_testing::{Bank, Person, both, money};

fn terms(borrower: &Person) -> Terms {
    Terms {
        borrower: borrower.account,
        principal: money("1200.00"),
        rate: Rate::parse("6%").unwrap_or(Rate::ZERO),
        day_count: DayCount::Thirty360,
        instalments: 12,
        first_due: Date::of(2026, 2, 1),
        collection_max: money("500.00"),
        grace_days: 5,
        late_fee: money("10.00"),
        four_eyes_above: money("50000.00"),
        calendar: None,
    }
}

fn check(scenario: impl Fn(&mut Bank, CodeHash)) {
    both(&tenor_testing::wasm(env!("CARGO_MANIFEST_DIR")), &TWIN, scenario);
}

/// A loan that is offered, accepted and paid out.
fn paid_out(bank: &mut Bank, code: CodeHash, borrower: &Person, terms: &Terms) -> AgreementId {
    let officer = bank.officer.clone();
    let loan = bank.opened(&officer, code, terms);
    bank.invoke(borrower, loan, "accept", &[]).done();
    bank.invoke(&officer, loan, "disburse", &[]).done();
    loan
}

#[test]
fn it_is_repaid_to_the_cent_by_its_plan() {
    check(|bank, code| {
        let ada = bank.customer("ada", "100.00");
        let loan = paid_out(bank, code, &ada, &terms(&ada));
        assert_eq!(bank.balance(ada.account), "1300.00");
        let plan: Vec<Instalment> = bank.view(loan, "schedule");
        assert_eq!(plan.len(), 12);
        assert_eq!((plan[0].amount, plan[0].interest), (money("103.28"), money("6.00")));
        let total: i128 = plan.iter().map(|i| i.principal.minor).sum();
        assert_eq!((total, plan[11].balance), (120_000, money("0.00")));
        bank.run_until(Date::of(2027, 1, 1));
        assert_eq!(bank.state(loan), "Settled");
        let paid: Vec<Payment> = bank.view(loan, "payments");
        let as_planned: Vec<(Date, Money, Money)> =
            plan.iter().map(|i| (i.due, i.interest, i.principal)).collect();
        let as_paid: Vec<(Date, Money, Money)> =
            paid.iter().map(|p| (p.date, p.interest, p.principal)).collect();
        assert_eq!(as_paid, as_planned);
        assert_eq!(bank.book(loan, bank.eur, "principal"), "0.00");
        assert_eq!(bank.book(loan, bank.eur, "interest-due"), "0.00");
    });
}

#[test]
fn every_day_count_on_offer_ends_exactly() {
    for day_count in [DayCount::Act365F, DayCount::Act360] {
        check(|bank, code| {
            let ada = bank.customer("ada", "500.00");
            let terms = Terms { day_count, instalments: 6, first_due: Date::of(2026, 1, 31), ..terms(&ada) };
            let loan = paid_out(bank, code, &ada, &terms);
            bank.run_until(Date::of(2026, 6, 30));
            assert_eq!(bank.state(loan), "Settled");
            let paid: Vec<Payment> = bank.view(loan, "payments");
            assert_eq!(paid.iter().map(|p| p.principal.minor).sum::<i128>(), 120_000);
            let due: Vec<u8> = paid.iter().map(|p| p.date.day()).collect();
            assert_eq!(due, [31, 28, 31, 30, 31, 30]);
        });
    }
}

#[test]
fn what_is_missing_is_chased_charged_and_cured() {
    check(|bank, code| {
        let (ada, uncle) = (bank.customer("ada", "0.00"), bank.customer("uncle", "5000.00"));
        let loan = paid_out(bank, code, &ada, &terms(&ada));
        bank.transfer(&ada, uncle.account, "1150.00").done();
        bank.run_until(Date::of(2026, 2, 1));
        assert_eq!((bank.state(loan).as_str(), bank.balance(ada.account).as_str()), ("Arrears", "0.00"));
        bank.run_until(Date::of(2026, 2, 6));
        assert!(!bank.events(loan).contains(&"LateFee".to_string()), "within the days of grace");
        bank.run_until(Date::of(2026, 2, 8));
        let owed: Owed = bank.view(loan, "owed");
        assert_eq!((owed.overdue, owed.fees), (money("53.28"), money("10.00")));
        assert_eq!(bank.events(loan).iter().filter(|e| *e == "LateFee").count(), 1);
        bank.transfer(&uncle, ada.account, "100.00").done();
        bank.run_until(Date::of(2026, 2, 9));
        assert_eq!((bank.state(loan).as_str(), bank.balance(ada.account).as_str()), ("Active", "36.72"));
        let owed: Owed = bank.view(loan, "owed");
        assert_eq!((owed.overdue, owed.fees), (money("0.00"), money("0.00")));
    });
}

#[test]
fn a_last_instalment_that_is_late_is_collected_with_the_interest_since() {
    check(|bank, code| {
        let (ada, uncle) = (bank.customer("ada", "0.00"), bank.customer("uncle", "5000.00"));
        let terms = Terms { instalments: 2, collection_max: money("5000.00"), ..terms(&ada) };
        let loan = paid_out(bank, code, &ada, &terms);
        bank.transfer(&ada, uncle.account, "590.00").done();
        bank.run_until(Date::of(2026, 3, 1));
        let owed: Owed = bank.view(loan, "owed");
        assert_eq!((bank.state(loan).as_str(), owed.overdue), ("Arrears", owed.total));
        bank.run_until(Date::of(2026, 3, 20));
        let later: Owed = bank.view(loan, "owed");
        assert!(later.interest > owed.interest && later.fees == money("10.00"));
        assert_eq!(later.overdue + later.fees, later.total);
        // A part of it repaid leaves the rest overdue.
        bank.transfer(&uncle, ada.account, "1000.00").done();
        let part = encode(&Some(money("100.00")));
        bank.invoke_spending(&ada, loan, "repay", &[part], vec![(ada.account, "100.00")]).done();
        assert_eq!(bank.state(loan), "Arrears");
        bank.run_until(Date::of(2026, 3, 21));
        assert_eq!(bank.state(loan), "Settled");
        for book in ["principal", "interest-due", "fees-due"] {
            assert_eq!(bank.book(loan, bank.eur, book), "0.00");
        }
    });
}

#[test]
fn it_can_be_repaid_early_in_part_and_in_full() {
    check(|bank, code| {
        let ada = bank.customer("ada", "1000.00");
        let loan = paid_out(bank, code, &ada, &terms(&ada));
        bank.run_until(Date::of(2026, 1, 16));
        let part = encode(&Some(money("500.00")));
        let unsigned = bank.invoke(&ada, loan, "repay", std::slice::from_ref(&part)).refusal();
        assert_eq!(unsigned.name(), "SpendMax");
        bank.invoke_spending(&ada, loan, "repay", &[part], vec![(ada.account, "500.00")]).done();
        let owed: Owed = bank.view(loan, "owed");
        assert_eq!((owed.principal, owed.interest), (money("703.00"), money("0.00")));
        let too_much = encode(&Some(money("703.01")));
        bank.invoke_spending(&ada, loan, "repay", &[too_much], vec![(ada.account, "2000.00")])
            .contract_refusal();
        bank.run_until(Date::of(2026, 1, 20));
        bank.invoke_spending(&ada, loan, "repay", &[], vec![(ada.account, "2000.00")]).done();
        assert_eq!(bank.state(loan), "Settled");
        assert_eq!(bank.book(loan, bank.eur, "principal"), "0.00");
        bank.run_until(Date::of(2026, 6, 1));
        assert_eq!(bank.balance(ada.account), "996.54");
    });
}

#[test]
fn a_large_loan_needs_a_second_person() {
    check(|bank, code| {
        let ada = bank.customer("ada", "0.00");
        let (officer, manager) = (bank.officer.clone(), bank.manager.clone());
        let large = Terms { principal: money("60000.00"), ..terms(&ada) };
        let loan = bank.opened(&officer, code, &large);
        bank.invoke(&ada, loan, "accept", &[]).done();
        assert_eq!(bank.invoke(&officer, loan, "disburse", &[]).refusal().name(), "FourEyes");
        let proposal = bank.propose(&officer, loan, "disburse", &[]);
        assert_eq!(bank.approve(&officer, proposal).refusal().name(), "SamePerson");
        assert_eq!(bank.approve(&ada, proposal).refusal().name(), "RoleMissing");
        bank.approve(&manager, proposal).done();
        assert_eq!((bank.state(loan).as_str(), bank.balance(ada.account).as_str()), ("Active", "60000.00"));
        assert_eq!(bank.approve(&manager, proposal).refusal().name(), "UnknownProposal");
    });
}

#[test]
fn a_write_off_takes_two_and_balances() {
    check(|bank, code| {
        let ada = bank.customer("ada", "0.00");
        let uncle = bank.customer("uncle", "0.00");
        let loan = paid_out(bank, code, &ada, &terms(&ada));
        bank.transfer(&ada, uncle.account, "1200.00").done();
        bank.run_until(Date::of(2026, 3, 10));
        let (officer, manager) = (bank.officer.clone(), bank.manager.clone());
        assert_eq!(bank.invoke(&officer, loan, "write_off", &[]).refusal().name(), "FourEyes");
        let owed: Owed = bank.view(loan, "owed");
        let proposal = bank.propose(&officer, loan, "write_off", &[]);
        bank.approve(&manager, proposal).done();
        assert_eq!(bank.state(loan), "WrittenOff");
        assert_eq!(bank.book(loan, bank.eur, "losses"), format!("-{}", owed.total).replace(" EUR", ""));
        bank.run_until(Date::of(2026, 6, 1));
        assert_eq!(bank.state(loan), "WrittenOff");
    });
}

#[test]
fn a_loan_officer_does_not_loosen_the_product() {
    check(|bank, code| {
        let (ada, clerk) = (bank.customer("ada", "0.00"), bank.customer("clerk", "0.00"));
        let (officer, at) = (bank.officer.clone(), bank.bank.party);
        let hired = RoleOp { bank: at, party: clerk.party, role: Role::LoanOfficer, granted: true };
        bank.run(&officer, Operation::Role(hired), vec![]).done();
        bank.open(&clerk, code, &terms(&ada)).done();
        let loose = [
            ("four_eyes_above", Terms { four_eyes_above: money("90000.00"), ..terms(&ada) }),
            ("late_fee", Terms { late_fee: money("0.00"), ..terms(&ada) }),
            ("calendar", Terms { calendar: Some(bank.calendar), ..terms(&ada) }),
        ];
        for (name, terms) in loose {
            let refused = bank.open(&clerk, code, &terms).refusal();
            let named = matches!(&refused, Refusal::NotYourTerm { term, .. } if term == name);
            assert!(named, "{name}: {refused}");
            bank.open_together(&clerk, &[&officer], code, &terms).done();
        }
    });
}

#[test]
fn wrong_people_states_and_terms_are_refused() {
    check(|bank, code| {
        let ada = bank.customer("ada", "0.00");
        let officer = bank.officer.clone();
        assert_eq!(bank.open(&ada, code, &terms(&ada)).refusal().name(), "RoleMissing");
        let refused = |bank: &mut Bank, terms: Terms| bank.open(&officer, code, &terms).contract_refusal();
        assert_eq!(refused(bank, Terms { principal: money("0.00"), ..terms(&ada) }), 0);
        assert_eq!(refused(bank, Terms { instalments: 10_001, ..terms(&ada) }), 1);
        assert_eq!(refused(bank, Terms { first_due: Date::of(2026, 1, 1), ..terms(&ada) }), 2);
        assert_eq!(refused(bank, Terms { day_count: DayCount::One, ..terms(&ada) }), 3);
        let loan = bank.opened(&officer, code, &terms(&ada));
        assert_eq!(bank.invoke(&officer, loan, "disburse", &[]).refusal().name(), "WrongState");
        assert_eq!(bank.invoke(&officer, loan, "accept", &[]).refusal().name(), "NotAuthorised");
        bank.invoke(&ada, loan, "decline", &[]).done();
        assert_eq!(bank.invoke(&ada, loan, "accept", &[]).refusal().name(), "WrongState");
    });
}
