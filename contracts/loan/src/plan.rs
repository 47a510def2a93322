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
#[derive(Debug)]
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plans() -> impl Strategy<Value = Plan> {
        let day_count =
            prop_oneof![Just(DayCount::Thirty360), Just(DayCount::Act365F), Just(DayCount::Act360)];
        let money = |minor| Money::new(minor, Currency::of("EUR", 2));
        let rate = (0i64..=400_000_000).prop_map(|billionths| Rate::from_billionths(billionths).unwrap());
        let parts = (1i128..=10i128.pow(12), rate, day_count, 1u32..=INSTALMENTS_MAX, 0i32..400, 1i32..60);
        parts.prop_map(move |(principal, rate, day_count, count, start, ahead)| {
            let start = Date::of(2026, 1, 1).add_days(start);
            let recurrence = dates(start.add_days(ahead), count);
            Plan { principal: money(principal), rate, day_count, start, recurrence, count }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn instalments_come_to_principal_and_interest_to_the_cent(plan in plans()) {
            let equal = plan.equal_instalment().unwrap();
            let rows = plan.instalments(equal);
            let sum = |of: fn(&Instalment) -> Money| rows.iter().map(|row| of(row).minor).sum::<i128>();
            prop_assert_eq!(sum(|row| row.principal), plan.principal.minor);
            prop_assert_eq!(sum(|row| row.amount), plan.principal.minor + sum(|row| row.interest));
            // The interest is what exact interest on each balance comes to, no cent lost or made on the way.
            let (mut accrual, mut balance, mut before, mut interest) = (Accrual::ZERO, plan.principal.minor, plan.start, 0);
            for row in &rows {
                accrual.add_interest(balance, plan.rate, plan.day_count.fraction(before, row.due, None)).unwrap();
                interest += accrual.take(Rounding::Floor);
                (balance, before) = (row.balance.minor, row.due);
            }
            prop_assert_eq!(sum(|row| row.interest), interest);
            prop_assert_eq!(balance, 0);
            // All are equal but the last, which is no larger, and a cent less would not do.
            let (last, others) = rows.split_last().unwrap();
            prop_assert!(others.iter().all(|row| row.amount.minor == equal));
            prop_assert!(last.amount.minor <= equal);
            if equal > plan.principal.minor / i128::from(plan.count) {
                let less = plan.instalments(equal - 1);
                prop_assert!(less.len() == plan.count as usize && less[less.len() - 1].amount.minor >= equal);
            }
            prop_assert!(rows.is_sorted_by(|a, b| a.due < b.due));
        }
    }
}
