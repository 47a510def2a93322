//! An instalment loan: offered, accepted, paid out, accrued daily, collected monthly, settled.
//!
//! What the borrower owes is what the agreement's books say: principal, interest and fees are asset books
//! that grow when something becomes due and shrink when it is paid.
#![cfg_attr(target_family = "wasm", no_std)]

extern crate alloc;

mod plan;

pub use plan::{INSTALMENTS_MAX, Instalment};

use plan::{Plan, dates};
use tenor_sdk::abi::rate::{Accrual, Rounding};
use tenor_sdk::abi::recurrence::Daily;
use tenor_sdk::prelude::*;

/// What bank and borrower agree on.
#[terms]
pub struct Terms {
    /// The borrower's account: the loan is paid out to it and collected from it.
    #[fixed]
    #[debit(max = collection_max, per = Month)]
    pub borrower: Account,
    /// What is lent.
    #[fixed]
    pub principal: Money,
    /// Yearly interest.
    #[fixed]
    pub rate: Rate,
    /// How days become parts of a year.
    #[product(default = "30/360")]
    pub day_count: DayCount,
    /// Number of monthly instalments.
    #[fixed]
    pub instalments: u32,
    /// Day of the first instalment; the others fall on the same day of the months after it.
    #[fixed]
    pub first_due: Date,
    /// The most that is collected in one month, early repayments apart.
    #[fixed]
    pub collection_max: Money,
    /// Days after a due day before a late fee is charged.
    #[product(default = 5)]
    pub grace_days: u16,
    /// Fee for an instalment that is not paid within the days of grace.
    #[product(default = "10.00 EUR")]
    pub late_fee: Money,
    /// Loans above this are paid out only when a second person approves.
    #[product(default = "50000.00 EUR")]
    pub four_eyes_above: Money,
    /// Which days are business days; an instalment due on another day is collected on the next one.
    #[product]
    pub calendar: Option<CalendarId>,
}

/// Where a loan stands.
#[lifecycle]
pub enum State {
    /// The bank offers it.
    #[initial]
    Offered,
    /// The borrower has signed.
    Accepted,
    /// Paid out, nothing overdue.
    Active,
    /// Something is overdue.
    Arrears,
    /// Repaid.
    #[terminal]
    Settled,
    /// Not taken up.
    #[terminal]
    Declined,
    /// Given up by the bank.
    #[terminal]
    WrittenOff,
}

/// What falls due.
#[schedules]
pub enum Due {
    /// Interest of a day.
    Accrue,
    /// An instalment.
    Instalment,
    /// Another look at an overdue amount.
    Chase,
}

/// The loan's own accounts.
#[books]
pub enum Book {
    /// Principal owed.
    #[book(side = Asset, gl = "1410", asset = borrower, negative)]
    Principal,
    /// Interest owed.
    #[book(side = Asset, gl = "1420", asset = borrower, negative)]
    InterestDue,
    /// Fees owed.
    #[book(side = Asset, gl = "1430", asset = borrower, negative)]
    FeesDue,
    /// Interest earned.
    #[book(side = Income, gl = "4110", asset = borrower)]
    InterestIncome,
    /// Fees earned.
    #[book(side = Income, gl = "4120", asset = borrower)]
    FeeIncome,
    /// What was given up.
    #[book(side = Expense, gl = "5210", asset = borrower, negative)]
    Losses,
}

/// What entries are for.
#[purposes]
pub enum Purpose {
    /// The loan is paid out.
    Disbursement,
    /// Interest of a day.
    Interest,
    /// Something owed is paid.
    Repayment,
    /// A late fee.
    LateFee,
    /// The loan is given up.
    WriteOff,
}

/// Why a loan says no.
#[errors]
pub enum Refusal {
    /// Principal, collection limit and fee must be above zero (a fee may be zero) and of one currency.
    BadAmount,
    /// A loan has 1 to 600 instalments.
    BadCount {
        /// Instalments given.
        given: u32,
    },
    /// The first instalment falls due after today.
    FirstDueTooEarly,
    /// Interest is counted by 30/360, act/365f or act/360.
    DayCountNotOffered,
    /// More than is owed.
    TooMuch {
        /// What is owed.
        owed: Money,
    },
    /// The account does not hold that much.
    NotCovered {
        /// What was there, in minor units.
        available: u128,
        /// What was needed, in minor units.
        needed: u128,
    },
    /// The interest of these terms is beyond what can be counted.
    InterestTooLarge,
}

/// What a loan reports.
#[events]
pub enum Event {
    /// The loan was paid out.
    Disbursed {
        /// How much.
        principal: Money,
        /// Each instalment but the last.
        instalment: Money,
    },
    /// Something was paid.
    Paid {
        /// All of it.
        amount: Money,
        /// Of it fees.
        fees: Money,
        /// Of it interest.
        interest: Money,
        /// Of it principal.
        principal: Money,
    },
    /// An instalment was not covered in full.
    Overdue {
        /// What is missing.
        missing: Money,
    },
    /// A late fee was charged.
    LateFee {
        /// How much.
        fee: Money,
    },
    /// Nothing is overdue any more.
    Cured,
    /// Everything is repaid.
    Settled,
    /// The bank has given up what was owed.
    WrittenOff {
        /// How much.
        amount: Money,
    },
}

/// What is owed.
#[record]
pub struct Owed {
    /// Principal.
    pub principal: Money,
    /// Interest up to today.
    pub interest: Money,
    /// Fees.
    pub fees: Money,
    /// Instalments that fell due and were not paid.
    pub overdue: Money,
    /// Everything.
    pub total: Money,
}

/// A payment that was made.
#[record]
pub struct Payment {
    /// When.
    pub date: Date,
    /// All of it.
    pub amount: Money,
    /// Of it fees.
    pub fees: Money,
    /// Of it interest.
    pub interest: Money,
    /// Of it principal.
    pub principal: Money,
}

/// A loan in equal monthly instalments.
#[contract(
    id = "loan",
    version = "1.0.0",
    terms = Terms,
    state = State,
    schedules = Due,
    books = Book,
    purposes = Purpose,
    errors = Refusal,
    events = Event
)]
pub struct Loan {
    /// The equal instalment.
    instalment: Item<Money>,
    /// First day of interest.
    start: Item<Date>,
    /// Day up to which interest is booked.
    accrued_to: Item<Date>,
    /// What has accrued and is less than a minor unit.
    accrual: Item<Rest>,
    /// Instalments that fell due and were not paid.
    overdue: Item<Money>,
    /// Days on which the instalments that are overdue fell due, and are not yet charged a fee for.
    unpaid_since: Index<Date>,
    /// Instalments that fell due so far.
    billed: Item<u32>,
    /// Every payment.
    payments: Log<Payment>,
}

/// Interest below a minor unit, as it is kept between days.
#[record]
pub struct Rest {
    /// Whole minor units, not yet booked.
    pub whole: i128,
    /// Parts of one.
    pub parts: i128,
}

#[actions]
impl Loan {
    /// A loan officer offers the loan.
    #[on(open, by = role(LoanOfficer))]
    fn offer(&mut self, cx: &mut Cx) -> Result<(), Refusal> {
        let t = cx.terms();
        let same = |money: &Money| money.currency == t.principal.currency;
        if !t.principal.is_positive() || !t.collection_max.is_positive() || t.late_fee.minor < 0 {
            return Err(Refusal::BadAmount);
        }
        if ![&t.collection_max, &t.late_fee, &t.four_eyes_above].into_iter().all(same) {
            return Err(Refusal::BadAmount);
        }
        if t.instalments == 0 || t.instalments > INSTALMENTS_MAX {
            return Err(Refusal::BadCount { given: t.instalments });
        }
        if t.first_due <= cx.date() {
            return Err(Refusal::FirstDueTooEarly);
        }
        if !matches!(t.day_count, DayCount::Thirty360 | DayCount::Act365F | DayCount::Act360) {
            return Err(Refusal::DayCountNotOffered);
        }
        Ok(())
    }

    /// The borrower signs the loan, which lets it be collected from the account.
    #[on(sign, by = owner(terms.borrower), from(Offered), to = Accepted)]
    fn accept(&mut self, _cx: &mut Cx) {}

    /// The borrower does not take the loan up.
    #[exit]
    #[action(by = owner(terms.borrower), from(Offered, Accepted), to = Declined)]
    fn decline(&mut self, _cx: &mut Cx) {}

    /// Pays the loan out and starts interest and instalments.
    #[action(by = role(LoanOfficer), from(Accepted), to = Active,
        four_eyes(role = CreditManager, amount = terms.principal, above = terms.four_eyes_above))]
    fn disburse(&mut self, cx: &mut Cx) -> Result<(), Refusal> {
        let today = cx.date();
        let t = cx.terms();
        let (borrower, principal, calendar) = (t.borrower, t.principal, t.calendar);
        if t.first_due <= today {
            return Err(Refusal::FirstDueTooEarly);
        }
        let plan = t.plan(today);
        let instalment = principal.with_minor(plan.equal_instalment().ok_or(Refusal::InterestTooLarge)?);
        cx.post(
            Entry::new(Purpose::Disbursement).debit(Book::Principal, principal).credit(borrower, principal),
        );
        self.instalment.set(&instalment);
        self.start.set(&today);
        self.accrued_to.set(&today);
        cx.every(Due::Accrue, Daily::from(today.add_days(1)));
        let due = plan.recurrence;
        let due = match calendar {
            Some(calendar) => due.adjust(BusinessDayConvention::Following, calendar),
            None => due,
        };
        cx.every(Due::Instalment, due);
        cx.emit(Event::Disbursed { principal, instalment });
        Ok(())
    }

    /// Books the interest of a day.
    #[on(due = Accrue, in_state(Active, Arrears), catch_up = each, missed = each)]
    fn accrue(&mut self, cx: &mut Cx) -> Result<(), Refusal> {
        let today = cx.date();
        let (rate, day_count) = (cx.terms().rate, cx.terms().day_count);
        let from = self.accrued_to.get().unwrap_or(today);
        let kept = self.accrual.get().unwrap_or(Rest { whole: 0, parts: 0 });
        let mut accrual =
            Accrual::try_from((kept.whole, kept.parts)).map_err(|_| Refusal::InterestTooLarge)?;
        let part = day_count.fraction(from, today, None);
        accrual.add_interest(self.principal(cx).minor, rate, part).map_err(|_| Refusal::InterestTooLarge)?;
        let interest = cx.terms().principal.with_minor(accrual.take(Rounding::Floor));
        if interest.is_positive() {
            cx.post(
                Entry::new(Purpose::Interest)
                    .debit(Book::InterestDue, interest)
                    .credit(Book::InterestIncome, interest),
            );
        }
        let (whole, parts) = accrual.into();
        self.accrual.set(&Rest { whole, parts });
        self.accrued_to.set(&today);
        Ok(())
    }

    /// Collects an instalment; with the last one everything that is owed is due.
    #[on(due = Instalment, in_state(Active, Arrears), catch_up = each, missed = each, may_enter(Arrears, Settled))]
    fn collect(&mut self, cx: &mut Cx, occurrence: Occurrence) {
        let owed = self.owed_now(cx);
        let not_yet_due = owed.principal + owed.interest - owed.overdue;
        let instalment = self.instalment.get().unwrap_or(not_yet_due);
        self.billed.set(&(occurrence.number + 1));
        self.overdue.set(&(owed.overdue + instalment.min(not_yet_due)));
        let missing = self.take(cx);
        if missing.is_positive() {
            self.unpaid_since.add(&occurrence.date);
            cx.emit(Event::Overdue { missing });
            if cx.next_due(Due::Chase).is_none() {
                cx.every(Due::Chase, Daily::from(cx.date().add_days(1)));
            }
            cx.enter(State::Arrears);
        }
    }

    /// Tries again to collect what is overdue, and charges a fee once the days of grace are over.
    #[on(due = Chase, in_state(Active, Arrears), catch_up = latest, missed = skip, may_enter(Active, Settled))]
    fn chase(&mut self, cx: &mut Cx) {
        let missing = self.take(cx);
        if !missing.is_positive() {
            self.cure(cx);
            return;
        }
        let (fee, grace) = (cx.terms().late_fee, cx.terms().grace_days);
        let today = cx.date();
        let charged: Vec<Date> =
            self.unpaid_since.iter().filter(|due| due.add_days(i32::from(grace)) < today).collect();
        for due in charged {
            self.unpaid_since.remove(&due);
            if fee.is_positive() {
                cx.post(Entry::new(Purpose::LateFee).debit(Book::FeesDue, fee).credit(Book::FeeIncome, fee));
                cx.emit(Event::LateFee { fee });
            }
        }
    }

    /// Repays a part early, or everything that is owed.
    #[exit]
    #[action(by = owner(terms.borrower), from(Active, Arrears), may_enter(Active, Settled))]
    fn repay(&mut self, cx: &mut Cx, amount: Option<Money>) -> Result<(), Refusal> {
        let owed = self.owed_now(cx);
        let amount = amount.unwrap_or(owed.total);
        if !amount.is_positive() || amount.currency != owed.total.currency {
            return Err(Refusal::BadAmount);
        }
        if amount > owed.total {
            return Err(Refusal::TooMuch { owed: owed.total });
        }
        self.pay(cx, amount)
            .map_err(|short| Refusal::NotCovered { available: short.available, needed: short.needed })?;
        if !self.owed_now(cx).overdue.is_positive() && cx.next_due(Due::Chase).is_some() {
            self.cure(cx);
        }
        Ok(())
    }

    /// Gives up what is owed.
    #[action(by = role(LoanOfficer), from(Active, Arrears), to = WrittenOff, four_eyes(role = CreditManager))]
    fn write_off(&mut self, cx: &mut Cx) {
        let owed = self.owed_now(cx);
        let entry = Entry::new(Purpose::WriteOff)
            .debit(Book::Losses, owed.total)
            .credit(Book::Principal, owed.principal)
            .credit(Book::InterestDue, owed.interest)
            .credit(Book::FeesDue, owed.fees);
        cx.post(entry);
        cx.emit(Event::WrittenOff { amount: owed.total });
    }

    /// What is owed as of the last interest day.
    #[view]
    fn owed(&self, cx: &View) -> Owed {
        self.owed_now(cx)
    }

    /// The plan as of the day the loan was paid out, or of today before that.
    #[view]
    fn schedule(&self, cx: &View) -> Vec<Instalment> {
        let plan = cx.terms().plan(self.start.get().unwrap_or(cx.date()));
        let equal = self.instalment.get().map(|money| money.minor).or_else(|| plan.equal_instalment());
        plan.instalments(equal.unwrap_or(0))
    }

    /// Every payment.
    #[view]
    fn payments(&self, _cx: &View) -> Vec<Payment> {
        self.payments.iter().collect()
    }
}

impl Loan {
    fn principal(&self, cx: &View) -> Money {
        cx.terms().principal.with_minor(-cx.balance(Book::Principal).posted)
    }

    fn owed_now(&self, cx: &View) -> Owed {
        let base = cx.terms().principal;
        let book = |book| base.with_minor(-cx.balance(book).posted);
        let (principal, interest, fees) =
            (book(Book::Principal), book(Book::InterestDue), book(Book::FeesDue));
        let open = principal + interest;
        // Once the last instalment fell due, nothing is left for a later day: not the interest of the days since.
        let overdue = if self.billed.get().unwrap_or(0) >= cx.terms().instalments {
            open
        } else {
            self.overdue.get().unwrap_or(base.with_minor(0)).min(open)
        };
        Owed { principal, interest, fees, overdue, total: open + fees }
    }

    /// Takes what is due and what the account gives; returns what is missing.
    fn take(&mut self, cx: &mut Cx) -> Money {
        let owed = self.owed_now(cx);
        let due = owed.overdue + owed.fees;
        let mut amount = due;
        // The account, or the month's limit, may give less: one more try with what it says it gives.
        for _ in 0..2 {
            if !amount.is_positive() {
                break;
            }
            match self.pay(cx, amount) {
                Ok(()) => return due - amount,
                Err(short) => amount = amount.with_minor(amount.minor.min(short.available as i128)),
            }
        }
        due
    }

    /// Pays an amount: fees first, then interest, then principal.
    fn pay(&mut self, cx: &mut Cx, amount: Money) -> Result<(), Shortfall> {
        let owed = self.owed_now(cx);
        let (parts, _) = amount.waterfall(&[owed.fees, owed.interest, owed.principal]);
        let [fees, interest, principal] = parts.as_slice() else { return Ok(()) };
        let (fees, interest, principal) = (*fees, *interest, *principal);
        let entry = Entry::new(Purpose::Repayment)
            .debit(cx.terms().borrower, amount)
            .credit(Book::FeesDue, fees)
            .credit(Book::InterestDue, interest)
            .credit(Book::Principal, principal);
        cx.try_post(entry)?;
        self.overdue.set(&(owed.overdue - owed.overdue.min(interest + principal)));
        self.payments.push(&Payment { date: cx.date(), amount, fees, interest, principal });
        cx.emit(Event::Paid { amount, fees, interest, principal });
        if owed.total == amount {
            cx.emit(Event::Settled);
            cx.enter(State::Settled);
        }
        Ok(())
    }

    /// Nothing is overdue any more.
    fn cure(&mut self, cx: &mut Cx) {
        let charged: Vec<Date> = self.unpaid_since.iter().collect();
        charged.iter().for_each(|due| {
            self.unpaid_since.remove(due);
        });
        cx.end_schedule(Due::Chase);
        if self.owed_now(cx).total.is_positive() {
            cx.emit(Event::Cured);
            cx.enter(State::Active);
        }
    }
}

impl Terms {
    fn plan(&self, start: Date) -> Plan {
        Plan {
            principal: self.principal,
            rate: self.rate,
            day_count: self.day_count,
            start,
            recurrence: dates(self.first_due, self.instalments),
            count: self.instalments,
        }
    }
}
