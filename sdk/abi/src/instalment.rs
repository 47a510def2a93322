//! Equal instalments of a loan and the plan of their interest and principal, in integers only.

use crate::date::Date;
use crate::daycount::Fraction;
use crate::rate::Rounding;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// The most instalments of a loan.
pub const INSTALMENTS_MAX: u32 = 10_000;

/// Why there is no instalment or plan.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InstalmentError {
    /// Nothing is lent.
    #[error("the principal is 1 minor unit or more, {given} given")]
    Principal {
        /// Minor units given.
        given: i128,
    },
    /// The number of instalments is 0 or too large.
    #[error("{given} instalments given, 1 to 10000 are allowed")]
    Count {
        /// Number given.
        given: u32,
    },
    /// The rate of a period is below 0 or above 10, which is 1000%.
    #[error("the rate of one period is 0 to 10, {given} given")]
    Rate {
        /// Rate given.
        given: Fraction,
    },
    /// The principal or the terms of the rate are beyond what is computed.
    #[error("the principal or the terms of the rate are too large to be computed with")]
    TooLarge,
    /// A due date is not after the one before it.
    #[error("due dates rise strictly, but {next} comes after {previous}")]
    Order {
        /// The earlier entry.
        previous: Date,
        /// The entry after it.
        next: Date,
    },
}

/// One instalment of a plan, amounts in minor units.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Instalment {
    /// Day it is due.
    pub due: Date,
    /// Its part that pays back.
    pub principal: i128,
    /// Its part that is interest.
    pub interest: i128,
    /// What is owed after it, without interest.
    pub balance: i128,
}

impl Instalment {
    /// Principal and interest together, in minor units.
    pub const fn total(&self) -> i128 {
        self.principal + self.interest
    }
}

/// Largest terms of a rate and largest principal: what is computed below stays within 128 bits.
const TERM_MAX: i128 = 1 << 110;
/// 1 as a fixed-point number with 127 bits after the point.
const ONE: u128 = 1 << 127;
/// Bits after the point of the annuity factor, which is at most 10 000.
const ANNUITY_BITS: u32 = 112;

/// The product as high and low half.
const fn wide_mul(a: u128, b: u128) -> (u128, u128) {
    const LOW: u128 = u64::MAX as u128;
    let (a1, a0, b1, b0) = (a >> 64, a & LOW, b >> 64, b & LOW);
    let low = a0 * b0;
    let middle = a1 * b0 + (low >> 64);
    let other = a0 * b1 + (middle & LOW);
    (a1 * b1 + (middle >> 64) + (other >> 64), (other << 64) | (low & LOW))
}

/// `a * b / c` rounded down, and the remainder; none when it is 2^128 or more, or `c` is 0.
const fn mul_div(a: u128, b: u128, c: u128) -> Option<(u128, u128)> {
    let (mut rest, mut low) = wide_mul(a, b);
    if rest >= c {
        return None;
    }
    if rest == 0 {
        return Some((low / c, low % c));
    }
    let (mut quotient, mut bit) = (0u128, 0);
    while bit < 128 {
        let carry = rest >> 127 == 1;
        rest = (rest << 1) | (low >> 127);
        low <<= 1;
        quotient <<= 1;
        if carry || rest >= c {
            rest = rest.wrapping_sub(c);
            quotient |= 1;
        }
        bit += 1;
    }
    Some((quotient, rest))
}

/// `a * b / c` to the nearest whole, a half to the even one; all of them 0 or above and `c` above.
fn mul_div_nearest(a: i128, b: i128, c: i128) -> Option<i128> {
    let (below, rest) = mul_div(a.unsigned_abs(), b.unsigned_abs(), c.unsigned_abs())?;
    // The rest is below c.
    let below = i128::try_from(below).ok()?;
    below.checked_add(Rounding::HalfEven.takes_above(below, rest as i128, c).into())
}

/// The `count`-th power of a fixed-point number from 0 to 1, at most 2^-110 too low.
const fn power(mut base: u128, mut count: u32) -> u128 {
    let mut product = ONE;
    while count > 0 {
        if count & 1 == 1 {
            let (high, low) = wide_mul(product, base);
            product = (high << 1) | (low >> 127);
        }
        let (high, low) = wide_mul(base, base);
        base = (high << 1) | (low >> 127);
        count >>= 1;
    }
    product
}

/// Interest of one period on a balance, to the nearest minor unit, a half to the even one.
fn period_interest(balance: i128, periodic: Fraction) -> Result<i128, InstalmentError> {
    mul_div_nearest(balance, periodic.numerator(), periodic.denominator()).ok_or(InstalmentError::TooLarge)
}

/// The equal instalment, in minor units, that pays back a principal in minor units with interest.
///
/// `periodic` is the rate of one period, like [`crate::rate::Rate::periodic`] of 12 for months. The
/// instalment is P r / (1 - (1 + r)^-n) to the nearest minor unit, a half to the even one. It is computed
/// with 127 bits after the point, to a relative error below 2^-80: the nearest minor unit up to 1e15 of
/// them, unless the exact value lies within a billionth of a half.
///
/// # Errors
/// [`InstalmentError`] but [`InstalmentError::Order`].
///
/// Source: the annuity formula, e.g. Regulation Z appendix J; compared with Apache Fineract and numpy.
pub fn instalment(principal_minor: i128, periodic: Fraction, count: u32) -> Result<i128, InstalmentError> {
    let (over, under) = (periodic.numerator(), periodic.denominator());
    if principal_minor < 1 {
        return Err(InstalmentError::Principal { given: principal_minor });
    }
    if !(1..=INSTALMENTS_MAX).contains(&count) {
        return Err(InstalmentError::Count { given: count });
    }
    if over < 0 || over / 10 > under || (over / 10 == under && over % 10 > 0) {
        return Err(InstalmentError::Rate { given: periodic });
    }
    if over > TERM_MAX || under > TERM_MAX || principal_minor > TERM_MAX {
        return Err(InstalmentError::TooLarge);
    }
    if over == 0 {
        return mul_div_nearest(principal_minor, 1, i128::from(count)).ok_or(InstalmentError::TooLarge);
    }
    let annuity = || {
        let (over, under) = (over.unsigned_abs(), under.unsigned_abs());
        // 1 / (1 + r), and 1 less its power over r: what one minor unit each period is worth today.
        let (discount, _) = mul_div(ONE, under, under + over)?;
        let (factor, _) = mul_div(ONE - power(discount, count), under, over << (127 - ANNUITY_BITS))?;
        i128::try_from(factor).ok().filter(|factor| *factor > 0)
    };
    let annuity = annuity().ok_or(InstalmentError::TooLarge)?;
    mul_div_nearest(principal_minor, 1 << ANNUITY_BITS, annuity).ok_or(InstalmentError::TooLarge)
}

/// The equal instalment of periods whose rates differ, like months by their days.
///
/// P / sum of the discounts, each 1 / (1 + r) times the one before, to the nearest minor unit, a half to the
/// even one; to a relative error below 2^-80.
///
/// # Errors
/// [`InstalmentError`] but [`InstalmentError::Order`].
pub fn instalment_varying(principal_minor: i128, periodic: &[Fraction]) -> Result<i128, InstalmentError> {
    let count = u32::try_from(periodic.len()).unwrap_or(u32::MAX);
    let (mut discount, mut annuity) = (ONE, 0i128);
    for rate in periodic {
        // Checks the principal, the number and each rate.
        instalment(principal_minor, *rate, count)?;
        let (over, under) = (rate.numerator().unsigned_abs(), rate.denominator().unsigned_abs());
        (discount, _) = mul_div(discount, under, under + over).ok_or(InstalmentError::TooLarge)?;
        annuity += (discount >> (127 - ANNUITY_BITS)) as i128;
    }
    match annuity {
        0 if count == 0 => Err(InstalmentError::Count { given: count }),
        0 => Err(InstalmentError::TooLarge),
        _ => mul_div_nearest(principal_minor, 1 << ANNUITY_BITS, annuity).ok_or(InstalmentError::TooLarge),
    }
}

/// The plan of a loan in equal instalments, one each due date; the last pays exactly what is left.
///
/// Interest of a period is the balance times `periodic` to the nearest minor unit, a half to the even one.
/// The principal parts add up to the principal and the last balance is 0; the last instalment differs from
/// the others by what their rounding left.
///
/// # Errors
/// [`InstalmentError`].
pub fn plan(
    principal_minor: i128,
    periodic: Fraction,
    due: &[Date],
) -> Result<Vec<Instalment>, InstalmentError> {
    let count = u32::try_from(due.len()).unwrap_or(u32::MAX);
    let equal = instalment(principal_minor, periodic, count)?;
    let periods: Vec<_> = due.iter().map(|due| (*due, periodic)).collect();
    plan_of(principal_minor, equal, &periods)
}

/// The plan of a loan whose instalment is given, with the due date and the rate of each period.
///
/// What an instalment does not need for interest pays back; one below the interest pays back nothing, and the
/// plan is of use only to show it. The last instalment pays what is left.
///
/// # Errors
/// [`InstalmentError`] but [`InstalmentError::Count`].
pub fn plan_of(
    principal_minor: i128,
    equal: i128,
    periods: &[(Date, Fraction)],
) -> Result<Vec<Instalment>, InstalmentError> {
    if principal_minor < 1 {
        return Err(InstalmentError::Principal { given: principal_minor });
    }
    for pair in periods.windows(2) {
        match *pair {
            [(previous, _), (next, _)] if previous >= next => {
                return Err(InstalmentError::Order { previous, next });
            }
            _ => {}
        }
    }
    if let Some((_, given)) = periods.iter().find(|(_, periodic)| periodic.numerator() < 0) {
        return Err(InstalmentError::Rate { given: *given });
    }
    let mut balance = principal_minor;
    let mut plan = Vec::with_capacity(periods.len());
    for (number, (due, periodic)) in (1..=periods.len()).zip(periods.iter().copied()) {
        let interest = period_interest(balance, periodic)?;
        // The equal part of a plan in equal instalments is never below the interest: both are rounded alike.
        let part = equal.checked_sub(interest).ok_or(InstalmentError::TooLarge)?;
        let principal = if number == periods.len() { balance } else { part.clamp(0, balance) };
        balance -= principal;
        plan.push(Instalment { due, principal, interest, balance });
    }
    Ok(plan)
}

/// As [`plan_of`], with the instalment moved by an equal part of what the last one differs, when that brings
/// the last one closer.
///
/// Nothing is moved when the last instalment differs by no more minor units than half the number of periods.
///
/// Source: the rule of Apache Fineract's progressive loans.
///
/// # Errors
/// [`InstalmentError`].
pub fn plan_levelled(
    principal_minor: i128,
    equal: i128,
    periods: &[(Date, Fraction)],
) -> Result<Vec<Instalment>, InstalmentError> {
    let plan = plan_of(principal_minor, equal, periods)?;
    let off = |plan: &[Instalment]| match *plan {
        [.., before, last] => last.total() - before.total(),
        _ => 0,
    };
    let (given, count) = (off(&plan), periods.len() as i128);
    if given.abs() <= count / 2 || count < 2 {
        return Ok(plan);
    }
    let part = mul_div_nearest(given.abs(), 1, count).ok_or(InstalmentError::TooLarge)?;
    let moved = plan_of(principal_minor, equal + part * given.signum(), periods)?;
    Ok(if off(&moved).abs() < given.abs() { moved } else { plan })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::date::DayOfMonth;
    use crate::rate::Rate;
    use crate::recurrence::Monthly;
    use alloc::vec;
    use proptest::prelude::*;

    fn months(count: u32) -> Vec<Date> {
        let days = Monthly::on(DayOfMonth::of(1)).from(Date::of(2024, 2, 1)).count(count);
        (0..).map_while(|n| days.nth(n)).collect()
    }

    fn periodic(rate: &str, periods: u16) -> Fraction {
        rate.parse::<Rate>().unwrap().periodic(periods).unwrap()
    }

    /// Source: fineract_emi_schedules 04 (360/30, months), 14 (0%), 15 (weeks of 364), 16 (fortnights).
    #[test]
    fn fineract() {
        let due_of = months;
        let rows = |rate: &str, periods, principal, count| {
            let plan = plan(principal, periodic(rate, periods), &months(count)).unwrap();
            plan.iter().map(|row| (row.total(), row.interest, row.principal, row.balance)).collect::<Vec<_>>()
        };
        let months = vec![
            (1713, 79, 1634, 8366),
            (1713, 66, 1647, 6719),
            (1713, 53, 1660, 5059),
            (1713, 40, 1673, 3386),
            (1713, 27, 1686, 1700),
            (1713, 13, 1700, 0),
        ];
        assert_eq!(rows("9.4822%", 12, 10_000, 6), months);
        let weeks = vec![
            (1677, 18, 1659, 8341),
            (1677, 15, 1662, 6679),
            (1677, 12, 1665, 5014),
            (1677, 9, 1668, 3346),
            (1677, 6, 1671, 1675),
            (1678, 3, 1675, 0),
        ];
        assert_eq!(rows("9.4822%", 52, 10_000, 6), weeks);
        // Fineract takes 33.57 here and 33.58 at the end, though the formula gives 33.5766...: it moves the
        // instalment when that brings the last one closer. We keep to the formula.
        let fortnights = vec![(3358, 36, 3322, 6678), (3358, 24, 3334, 3344), (3356, 12, 3344, 0)];
        assert_eq!(rows("9.4822%", 26, 10_000, 3), fortnights);
        let periods: Vec<_> = due_of(3).into_iter().map(|due| (due, periodic("9.4822%", 26))).collect();
        let levelled = plan_levelled(10_000, 3358, &periods).unwrap();
        assert_eq!(levelled.iter().map(Instalment::total).collect::<Vec<_>>(), [3357, 3357, 3358]);
        let free = vec![(250, 0, 250, 750), (250, 0, 250, 500), (250, 0, 250, 250), (250, 0, 250, 0)];
        assert_eq!(rows("0%", 12, 1000, 4), free);
    }

    /// Source: numpy-financial `pmt`, 304.1459143262052370338701494 and 1854.0247200054619.
    #[test]
    fn numpy() {
        assert_eq!(instalment(1_500_000, periodic("8%", 12), 60), Ok(30_415));
        assert_eq!(
            instalment(15_000 * 10i128.pow(21), periodic("8%", 12), 60),
            Ok(304_145_914_326_205_237_033_870)
        );
        assert_eq!(instalment(1_500_000, Fraction::ZERO, 60), Ok(25_000));
        assert_eq!(instalment(20_000_000, periodic("7.5%", 12), 180), Ok(185_402));
    }

    #[test]
    fn periods_that_differ() {
        let rate = periodic("8%", 12);
        assert_eq!(instalment_varying(1_500_000, &[rate; 60]), Ok(30_415));
        assert_eq!(instalment_varying(1000, &[Fraction::ZERO; 4]), Ok(250));
        assert_eq!(instalment_varying(1000, &[]), Err(InstalmentError::Count { given: 0 }));
        // 1000 = x / 1.1 + x / 1.1 / 1.2, so x = 1000 * 1.32 / 2.2.
        let rates = [Fraction::new(1, 10).unwrap(), Fraction::new(1, 5).unwrap()];
        assert_eq!(instalment_varying(1000, &rates), Ok(600));
        let periods: Vec<_> = months(2).into_iter().zip(rates).collect();
        let rows = plan_of(1000, 600, &periods).unwrap();
        let parts: Vec<_> = rows.iter().map(|row| (row.principal, row.interest, row.balance)).collect();
        assert_eq!(parts, [(500, 100, 500), (500, 100, 0)]);
        assert_eq!(plan_of(1000, 50, &periods).unwrap()[0].principal, 0, "less than the interest");
    }

    #[test]
    fn ends() {
        let smallest = periodic("0.0000001%", 365);
        assert_eq!(instalment(10_000_000, smallest, 10_000), Ok(1000), "next to nothing");
        let largest = Rate::MAX.periodic(1).unwrap();
        assert_eq!(instalment(1000, largest, 10_000), Ok(10_000), "interest alone");
        assert_eq!(instalment(1000, largest, 1), Ok(11_000));
        assert!(instalment(1 << 110, largest, 10_000).is_ok());
        assert_eq!(instalment((1 << 110) + 1, largest, 1), Err(InstalmentError::TooLarge));
        assert_eq!(instalment(0, largest, 1), Err(InstalmentError::Principal { given: 0 }));
        assert_eq!(instalment(1, largest, 0), Err(InstalmentError::Count { given: 0 }));
        assert_eq!(instalment(1, largest, 10_001), Err(InstalmentError::Count { given: 10_001 }));
        for given in [Fraction::new(-1, 12).unwrap(), Fraction::new(101, 10).unwrap()] {
            assert_eq!(instalment(1, given, 1), Err(InstalmentError::Rate { given }));
        }
        let day = Date::of(2026, 1, 1);
        assert!(matches!(plan(1, smallest, &[day, day]), Err(InstalmentError::Order { .. })));
        let totals: Vec<_> =
            plan(2, Fraction::ZERO, &months(3)).unwrap().iter().map(|row| row.total()).collect();
        assert_eq!(totals, [1, 1, 0]);
    }

    proptest! {
        #[test]
        fn wide_products(a: u128, b: u128, c in 1..u128::MAX) {
            let (high, low) = wide_mul(a, b);
            prop_assert_eq!(low, a.wrapping_mul(b));
            // Modulo 2^61 - 1, where 2^128 is 64.
            let m = (1u128 << 61) - 1;
            prop_assert_eq!(((high % m) * 64 + low % m) % m, (a % m) * (b % m) % m);
            if let Some((quotient, rest)) = mul_div(a, b, c) {
                let (high2, low2) = wide_mul(quotient, c);
                let (sum, carry) = low2.overflowing_add(rest);
                prop_assert!(rest < c);
                prop_assert_eq!((high2 + u128::from(carry), sum), (high, low));
            } else {
                prop_assert!(high >= c);
            }
        }

        #[test]
        fn half_a_unit_less_does_not_pay_and_half_more_does(
            principal in 1..1_000_000_000_000i128, billionths in 1..1_000_000_000i64, count in 1..120u32,
        ) {
            let periodic = Rate::from_billionths(billionths).unwrap().periodic(12).unwrap();
            let equal = instalment(principal, periodic, count).unwrap();
            // In billionths of a minor unit, interest rounded against what is to be shown.
            let scale = 1_000_000_000;
            let left = |pay: i128, up: i128| (0..count).fold(principal * scale, |balance, _| {
                let interest = (balance * periodic.numerator()).div_euclid(periodic.denominator()) + up;
                balance + interest - pay
            });
            prop_assert!(left(equal * scale - scale / 2, 1) >= 0, "too high");
            prop_assert!(left(equal * scale + scale / 2, 0) <= 0, "too low");
        }

        #[test]
        fn a_plan_pays_everything(
            principal in 1..1_000_000_000_000i128, billionths in 0..=Rate::MAX.billionths(), count in 1..400u32,
        ) {
            let periodic = Rate::from_billionths(billionths).unwrap().periodic(12).unwrap();
            let plan = plan(principal, periodic, &months(count)).unwrap();
            let equal = instalment(principal, periodic, count).unwrap();
            prop_assert_eq!(plan.len(), count as usize);
            prop_assert_eq!(plan.iter().map(|row| row.principal).sum::<i128>(), principal);
            let mut before = principal;
            for (at, row) in plan.iter().enumerate() {
                prop_assert!(row.principal >= 0 && row.interest >= 0 && row.balance >= 0);
                prop_assert_eq!(before - row.principal, row.balance);
                if at + 1 < plan.len() && row.balance > 0 {
                    prop_assert_eq!(row.total(), equal);
                }
                before = row.balance;
            }
            prop_assert_eq!(before, 0);
        }
    }
}
