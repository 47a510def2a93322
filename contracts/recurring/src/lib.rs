//! A standing order: pays the same amount on a rhythm until it is ended, or its last payment was made.
#![cfg_attr(target_family = "wasm", no_std)]

extern crate alloc;

use tenor_sdk::abi::recurrence::{Daily, Monthly, Weekly};
use tenor_sdk::prelude::*;

/// How often the order pays.
#[choice]
pub enum Rhythm {
    Daily,
    Weekly,
    Monthly,
}

/// What payer and bank agree on.
#[terms]
pub struct Terms {
    /// Account that pays.
    #[fixed]
    #[debit(max = amount, per = Day)]
    pub payer: Account,
    /// Account that receives.
    #[fixed]
    pub payee: Account,
    /// Amount of each payment.
    #[customer]
    pub amount: Money,
    /// How often.
    #[customer]
    pub rhythm: Rhythm,
    /// Every how many days, weeks or months.
    #[product(default = 1)]
    pub every: u16,
    /// First day it may pay on.
    #[customer]
    pub first: Date,
    /// Day of the month, for a monthly order.
    #[customer]
    pub day: Option<DayOfMonth>,
    /// Last day it may pay on.
    #[customer]
    pub until: Option<Date>,
    /// Number of payments.
    #[customer]
    pub count: Option<u32>,
    /// How a day that is no business day is moved.
    #[product(default = "following")]
    pub convention: BusinessDayConvention,
    /// Which days are business days; every day where no calendar is named.
    #[customer]
    pub calendar: Option<CalendarId>,
    /// How often a payment is tried again on the following business days.
    #[product(default = 3)]
    pub retries_max: u8,
}

/// Where an order stands.
#[lifecycle]
pub enum State {
    /// Pays.
    #[initial]
    Active,
    /// Stopped by the payer.
    Paused,
    /// Stopped because payments failed.
    Suspended,
    /// Over.
    #[terminal]
    Ended,
}

/// What falls due.
#[schedules]
pub enum Due {
    /// A payment.
    Collect,
}

/// What entries are for.
#[purposes]
pub enum Purpose {
    /// A payment of the order.
    Payment,
}

/// Why an order says no.
#[errors]
pub enum Refusal {
    /// The amount must be above zero.
    AmountNotPositive,
    /// A monthly order needs its day of the month, and only a monthly one.
    DayMismatch,
    /// An order ends on a day or after a number of payments, not both.
    TwoEnds,
    /// The payer's account cannot pay: there is not enough money, or the order's own limit is reached.
    NotCovered {
        /// What was there, in minor units.
        available: u128,
        /// What was needed, in minor units.
        needed: u128,
    },
    /// A daily order pays every day: it takes no calendar, by which several payments would fall on one day.
    DailyWithCalendar,
}

/// What an order reports.
#[events]
pub enum Event {
    /// A payment was made.
    Collected {
        /// Its number, from 1.
        number: u32,
        /// How much.
        amount: Money,
    },
}

/// A payment that was made.
#[record]
pub struct Collection {
    /// Number of the occurrence, from 0.
    pub number: u32,
    /// The day it was due.
    pub due: Date,
    /// The day it was made.
    pub paid: Date,
    /// How much.
    pub amount: Money,
}

/// Pays an amount from one account to another on a rhythm.
#[contract(
    id = "standing-order",
    version = "1.0.0",
    terms = Terms,
    state = State,
    schedules = Due,
    purposes = Purpose,
    errors = Refusal,
    events = Event
)]
pub struct StandingOrder {
    history: Log<Collection>,
}

#[actions]
impl StandingOrder {
    /// The payer sets up the order.
    #[on(open, by = owner(terms.payer))]
    fn open(&mut self, cx: &mut Cx) -> Result<(), Refusal> {
        let t = cx.terms();
        if !t.amount.is_positive() {
            return Err(Refusal::AmountNotPositive);
        }
        if t.until.is_some() && t.count.is_some() {
            return Err(Refusal::TwoEnds);
        }
        if t.rhythm == Rhythm::Daily && t.calendar.is_some() {
            return Err(Refusal::DailyWithCalendar);
        }
        let recurrence = t.recurrence()?;
        cx.every(Due::Collect, recurrence);
        Ok(())
    }

    /// Makes the payment that is due; the order ends with its last one.
    #[on(due = Collect, in_state(Active), retry(terms.retries_max, every = BusinessDays(1), then = Suspended),
        catch_up = each, missed = skip, may_enter(Ended))]
    fn collect(&mut self, cx: &mut Cx, occurrence: Occurrence) -> Result<(), Refusal> {
        let (payer, payee, amount) = (cx.terms().payer, cx.terms().payee, cx.terms().amount);
        cx.try_post(Entry::new(Purpose::Payment).debit(payer, amount).credit(payee, amount))
            .map_err(|short| Refusal::NotCovered { available: short.available, needed: short.needed })?;
        let (number, due, paid) = (occurrence.number, occurrence.date, cx.date());
        self.history.push(&Collection { number, due, paid, amount });
        cx.emit(Event::Collected { number: self.history.len(), amount });
        if cx.terms().recurrence()?.nth(occurrence.number + 1).is_none() {
            cx.enter(State::Ended);
        }
        Ok(())
    }

    /// Stops paying until resumed; payments that fall due meanwhile are not made up for.
    #[exit]
    #[action(by = owner(terms.payer), from(Active), to = Paused)]
    fn pause(&mut self, cx: &mut Cx) {
        cx.hold_schedule(Due::Collect);
    }

    /// Pays again, from the next day that falls due.
    #[action(by = owner(terms.payer), from(Paused, Suspended), to = Active)]
    fn resume(&mut self, cx: &mut Cx) {
        cx.resume_schedule(Due::Collect);
    }

    /// Ends the order for good.
    #[exit]
    #[action(by = owner(terms.payer), from(Active, Paused, Suspended), to = Ended)]
    fn end(&mut self, _cx: &mut Cx) {}

    /// The day of the next payment.
    #[view]
    fn next(&self, cx: &View) -> Option<Date> {
        cx.next_due(Due::Collect)
    }

    /// Every payment that was made.
    #[view]
    fn history(&self, _cx: &View) -> Vec<Collection> {
        self.history.iter().collect()
    }
}

impl Terms {
    /// The rhythm as the host keeps it.
    fn recurrence(&self) -> Result<Recurrence, Refusal> {
        let rule = match (self.rhythm, self.day) {
            (Rhythm::Daily, None) => Daily::from(self.first),
            (Rhythm::Weekly, None) => Weekly::from(self.first),
            (Rhythm::Monthly, Some(day)) => Monthly::on(day).from(self.first),
            _ => return Err(Refusal::DayMismatch),
        };
        let mut rule = rule.every(self.every);
        if let Some(until) = self.until {
            rule = rule.until(until);
        }
        if let Some(count) = self.count {
            rule = rule.count(count);
        }
        Ok(match self.calendar {
            Some(calendar) => rule.adjust(self.convention, calendar),
            None => rule,
        })
    }
}
