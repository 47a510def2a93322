//! The repayment plan: equal instalments, the last one exact.

use tenor_sdk::abi::rate::{Accrual, Rounding};
use tenor_sdk::abi::recurrence::{Monthly, Recurrence};
use tenor_sdk::prelude::*;

/// Most instalments of a loan.
pub const INSTALMENTS_MAX: u32 = 600;

/// One instalment as planned.
#[record]
pub struct Instalment {
    /// Day it falls due, before it is moved to a business day.
    pub due: Date,
    /// What is paid.
    pub amount: Money,
    /// Interest in it.
    pub interest: Money,
    /// Principal in it.
    pub principal: Money,
    /// Principal owed after it.
    pub balance: Money,
}

/// What a plan is made from.
pub struct Plan {
    /// Principal.
    pub principal: Money,
    /// Yearly rate.
    pub rate: Rate,
    /// How days become parts of a year.
    pub day_count: DayCount,
    /// First day of interest.
    pub start: Date,
    /// When instalments fall due.
    pub recurrence: Recurrence,
    /// How many.
    pub count: u32,
}

/// When the instalments of a loan fall due: monthly on the day of the first one.
pub fn dates(first: Date, count: u32) -> Recurrence {
    let day = if first.is_month_end() { DayOfMonth::LAST } else { DayOfMonth::of(first.day()) };
    Monthly::on(day).from(first).count(count)
}

impl Plan {
    /// The smallest equal instalment that repays the loan in time, in minor units.
    ///
    /// Found by halving the range it lies in and living through the plan with exact interest, so that no
    /// formula's rounding is in it. None when interest alone is beyond what can be counted.
    pub fn equal_instalment(&self) -> Option<i128> {
        let fractions: Vec<_> = self.periods().collect();
        let (mut low, mut high) = (self.principal.minor / i128::from(self.count), self.principal.minor);
        high += self.balance_after(&fractions, 0)? - self.principal.minor;
        while low < high {
            let middle = low + (high - low) / 2;
            if self.balance_after(&fractions, middle)? > 0 { low = middle + 1 } else { high = middle }
        }
        Some(low)
    }

    /// The instalments one by one; the last one pays what is left.
    pub fn instalments(&self, equal: i128) -> Vec<Instalment> {
        let (mut balance, mut accrual) = (self.principal.minor, Accrual::ZERO);
        let mut list = Vec::new();
        for (number, part) in self.periods().enumerate() {
            let Some(due) = self.recurrence.nth(number as u32) else { break };
            if accrual.add_interest(balance, self.rate, part).is_err() || balance == 0 {
                break;
            }
            let interest = accrual.take(Rounding::Floor);
            let last = number as u32 + 1 == self.count;
            let amount = if last { balance + interest } else { equal.min(balance + interest) };
            balance -= amount - interest;
            let money = |minor| self.principal.with_minor(minor);
            list.push(Instalment {
                due,
                amount: money(amount),
                interest: money(interest),
                principal: money(amount - interest),
                balance: money(balance),
            });
        }
        list
    }

    fn periods(&self) -> impl Iterator<Item = tenor_sdk::abi::daycount::Fraction> {
        let mut before = self.start;
        (0..self.count).map_while(move |number| {
            let due = self.recurrence.nth(number)?;
            let part = self.day_count.fraction(before, due, None);
            before = due;
            Some(part)
        })
    }

    /// What is owed after all instalments of an amount.
    fn balance_after(&self, periods: &[tenor_sdk::abi::daycount::Fraction], amount: i128) -> Option<i128> {
        let (mut balance, mut accrual) = (self.principal.minor, Accrual::ZERO);
        for part in periods {
            accrual.add_interest(balance, self.rate, *part).ok()?;
            balance += accrual.take(Rounding::Floor) - amount;
            if balance <= 0 {
                break;
            }
        }
        Some(balance)
    }
}
