//! Day counts: the part of a year between two days, as an exact fraction.

use crate::date::{Date, is_leap_year};
use alloc::string::String;
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

/// An exact fraction in lowest terms, its denominator above 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fraction {
    numerator: i128,
    denominator: i128,
}

/// The greatest common divisor; 0 only of 0 and 0.
pub(crate) const fn gcd(a: i128, b: i128) -> u128 {
    let (mut a, mut b) = (a.unsigned_abs(), b.unsigned_abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

impl Fraction {
    /// Nothing.
    pub const ZERO: Fraction = Fraction { numerator: 0, denominator: 1 };
    /// One.
    pub const ONE: Fraction = Fraction { numerator: 1, denominator: 1 };

    /// The fraction in lowest terms; none for a denominator of 0 or below, or a numerator of `i128::MIN`.
    pub const fn new(numerator: i128, denominator: i128) -> Option<Fraction> {
        if denominator <= 0 || numerator == i128::MIN {
            return None;
        }
        // At most the denominator, so it fits.
        let common = gcd(numerator, denominator) as i128;
        Some(Fraction { numerator: numerator / common, denominator: denominator / common })
    }

    /// A number of days over a number above 0; both small.
    const fn days(days: i128, over: i128) -> Fraction {
        match Fraction::new(days, over) {
            Some(fraction) => fraction,
            None => Fraction::ZERO,
        }
    }

    /// Numerator, with the sign.
    pub const fn numerator(self) -> i128 {
        self.numerator
    }

    /// Denominator, above 0.
    pub const fn denominator(self) -> i128 {
        self.denominator
    }

    /// The sum, unless too large.
    pub fn checked_add(self, other: Fraction) -> Option<Fraction> {
        let common = gcd(self.denominator, other.denominator) as i128;
        let (left, right) = (other.denominator / common, self.denominator / common);
        let sum = self.numerator.checked_mul(left)?.checked_add(other.numerator.checked_mul(right)?)?;
        Fraction::new(sum, self.denominator.checked_mul(left)?)
    }

    /// The product, unless too large.
    pub fn checked_mul(self, other: Fraction) -> Option<Fraction> {
        // Shortened crosswise first, the product is in lowest terms.
        let (a, b) = (gcd(self.numerator, other.denominator), gcd(other.numerator, self.denominator));
        let (a, b) = (a as i128, b as i128);
        let numerator = (self.numerator / a).checked_mul(other.numerator / b)?;
        Fraction::new(numerator, (self.denominator / b).checked_mul(other.denominator / a)?)
    }

    const fn negated(self) -> Fraction {
        Fraction { numerator: -self.numerator, denominator: self.denominator }
    }
}

/// `31/360`.
impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&alloc::format!("{}/{}", self.numerator, self.denominator))
    }
}
impl fmt::Debug for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is no day count.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` is not a day count like act/365f, act/360 or 30e/360")]
pub struct DayCountError(pub String);

/// What some day counts want to know of the schedule that two days belong to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ScheduleInfo {
    /// The last day of the whole agreement, which `30e/360-isda` treats apart; none when open.
    pub maturity: Option<Date>,
    /// Whether dates keep to the end of the month, as `30u/360` takes for granted without a schedule.
    pub end_of_month: bool,
}

macro_rules! day_counts {
    ($($(#[$doc:meta])* $name:ident = $text:literal),* $(,)?) => {
        /// How days become a part of a year. Append only.
        ///
        /// Source: ISDA 2006 section 4.16 where it has them; names and all rules as OpenGamma Strata
        /// `StandardDayCounts`, with whose test values all are compared.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        pub enum DayCount {
            $($(#[$doc])* #[serde(rename = $text)] $name),*
        }

        impl DayCount {
            /// All of them.
            pub const ALL: &[DayCount] = &[$(DayCount::$name),*];

            /// Its text.
            pub const fn name(self) -> &'static str {
                match self {
                    $(DayCount::$name => $text),*
                }
            }
        }
    };
}

day_counts! {
    /// Days over 360.
    Act360 = "act/360",
    /// Days over 365, the English way.
    Act365F = "act/365f",
    /// Days in leap years over 366 and in others over 365.
    ActActIsda = "act/act-isda",
    /// Whole years back from the end, and days over 366 when the rest has a 29 February, else over 365.
    ActActAfb = "act/act-afb",
    /// Whole years from the start, and days over the length of the year that follows.
    ActActYear = "act/act-year",
    /// Days over 366 when a 29 February lies after the start and not after the end, else over 365.
    Act365A = "act/365a",
    /// Days over 364.
    Act364 = "act/364",
    /// Days over 365.25.
    Act36525 = "act/365.25",
    /// Days but 29 February over 360.
    Nl360 = "nl/360",
    /// Days but 29 February over 365.
    Nl365 = "nl/365",
    /// The bond basis: months of 30 days, the 31st as the 30th, at the end only after a 30th.
    Thirty360 = "30/360",
    /// As the bond basis, with the end of February at the start as the 30th.
    Thirty360Psa = "30/360-psa",
    /// As the bond basis, with the end of February as the 30th when dates keep to the end of the month.
    Thirty360U = "30u/360",
    /// The Eurobond basis: months of 30 days, the 31st as the 30th.
    Thirty360E = "30e/360",
    /// As the Eurobond basis, with the end of February as the 30th, except at maturity.
    Thirty360EIsda = "30e/360-isda",
    /// As the Eurobond basis, with the 31st at the end as the first of the next month.
    Thirty360EPlus = "30e+/360",
    /// Months of 30 days, every end of month as the 30th, over 365.
    Thirty365E = "30e/365",
    /// Every period is one year.
    One = "1/1",
}

/// Days between with months of 30 days.
fn thirty(start: (i32, u8, i32), end: (i32, u8, i32)) -> i32 {
    (end.0 - start.0) * 360 + (i32::from(end.1) - i32::from(start.1)) * 30 + end.2 - start.2
}

/// How many 29 Februaries lie after a day and not after another.
fn leap_days(start: Date, end: Date) -> i32 {
    let up_to = |date: Date| {
        let years = date.year() - 1;
        let this = is_leap_year(years + 1) && date >= Date::of(years + 1, 2, 29);
        years / 4 - years / 100 + years / 400 + i32::from(this)
    };
    up_to(end) - up_to(start)
}

impl DayCount {
    /// The days between two days as this day count counts them; 1 for [`DayCount::One`].
    ///
    /// Negative when `end` lies before `start`.
    pub fn days(self, start: Date, end: Date, schedule: Option<ScheduleInfo>) -> i32 {
        if end < start {
            return -self.days(end, start, schedule);
        }
        let ((y1, m1, d1), (y2, m2, d2)) = (start.ymd(), end.ymd());
        let (d1, d2) = (i32::from(d1), i32::from(d2));
        let february_end = |date: Date| date.month() == 2 && date.is_month_end();
        let to_30 = |day: i32| day.min(30);
        // The bond basis, after the start was settled.
        let bond = |d1: i32, d2: i32| {
            let d1 = to_30(d1);
            thirty((y1, m1, d1), (y2, m2, if d1 == 30 { to_30(d2) } else { d2 }))
        };
        let month_end = |date: Date, day: i32| if date.is_month_end() { 30 } else { day };
        match self {
            DayCount::One => 1,
            DayCount::Nl360 | DayCount::Nl365 => end.days() - start.days() - leap_days(start, end),
            DayCount::Thirty360 => bond(d1, d2),
            DayCount::Thirty360Psa => bond(if february_end(start) { 30 } else { d1 }, d2),
            DayCount::Thirty360U => {
                if february_end(start) && schedule.is_none_or(|schedule| schedule.end_of_month) {
                    bond(30, if february_end(end) { 30 } else { d2 })
                } else {
                    bond(d1, d2)
                }
            }
            DayCount::Thirty360E => thirty((y1, m1, to_30(d1)), (y2, m2, to_30(d2))),
            DayCount::Thirty360EIsda => {
                let matures = schedule.is_some_and(|schedule| schedule.maturity == Some(end));
                let d2 = if february_end(end) && matures { d2 } else { month_end(end, d2) };
                thirty((y1, m1, month_end(start, d1)), (y2, m2, to_30(d2)))
            }
            DayCount::Thirty360EPlus => {
                let d2 = if d2 == 31 { (y2, m2 + 1, 1) } else { (y2, m2, d2) };
                thirty((y1, m1, to_30(d1)), d2)
            }
            DayCount::Thirty365E => thirty((y1, m1, month_end(start, d1)), (y2, m2, month_end(end, d2))),
            _ => end.days() - start.days(),
        }
    }

    /// The part of a year from `start` to `end`, exact; negative when `end` lies before `start`.
    ///
    /// Interest of a period runs from its first day to the first day of the next. Only `30e/360-isda` and
    /// `30u/360` look at the schedule: without one, `end` is no maturity and dates keep to the end of month.
    pub fn fraction(self, start: Date, end: Date, schedule: Option<ScheduleInfo>) -> Fraction {
        if end < start {
            return self.fraction(end, start, schedule).negated();
        }
        let days = i128::from(self.days(start, end, schedule));
        let whole_and = |years: i32, days: i32, over: i128| {
            Fraction::days(i128::from(years) * over + i128::from(days), over)
        };
        match self {
            DayCount::One => Fraction::ONE,
            DayCount::Act365F | DayCount::Nl365 | DayCount::Thirty365E => Fraction::days(days, 365),
            DayCount::Act364 => Fraction::days(days, 364),
            DayCount::Act36525 => Fraction::days(days * 4, 1461),
            DayCount::Act365A => Fraction::days(days, if leap_days(start, end) > 0 { 366 } else { 365 }),
            DayCount::ActActIsda => {
                let (mut leap, mut common) = (0, 0);
                let mut add =
                    |year: i32, days: i32| *if is_leap_year(year) { &mut leap } else { &mut common } += days;
                let (first, last) = (start.year(), end.year());
                let new_year = |year: i32| Date::of(year, 1, 1).days();
                add(last, end.days() - new_year(last));
                add(first, new_year(first) - start.days());
                // Whole years are 1 each; those that the two lines above count over are first..last.
                let years = last - first;
                Fraction::days(
                    i128::from(years) * 365 * 366 + i128::from(leap) * 365 + i128::from(common) * 366,
                    365 * 366,
                )
            }
            DayCount::ActActAfb => {
                let back = |years: i32| end.add_months(-12 * years);
                let mut years = end.year() - start.year();
                if back(years) < start {
                    years -= 1;
                }
                let rest = back(years);
                // Here 29 February counts at the start and not at the end.
                let leap = leap_days(start.add_days(-1), rest.add_days(-1)) > 0 && rest > start;
                whole_and(years, rest.days() - start.days(), if leap { 366 } else { 365 })
            }
            DayCount::ActActYear => {
                let ahead = |years: i32| start.add_months(12 * years);
                let mut years = end.year() - start.year();
                if ahead(years) > end {
                    years -= 1;
                }
                let rest = ahead(years);
                // At the end of the years there is no year that follows; the one before is as long or 366.
                let length = match start.checked_add_months(12 * (years + 1)) {
                    Some(next) => next.days() - rest.days(),
                    None => 365,
                };
                whole_and(years, end.days() - rest.days(), i128::from(length))
            }
            _ => Fraction::days(days, 360),
        }
    }
}

impl fmt::Display for DayCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for DayCount {
    type Err = DayCountError;
    fn from_str(text: &str) -> Result<DayCount, DayCountError> {
        let found = DayCount::ALL.iter().find(|day_count| day_count.name() == text);
        found.copied().ok_or_else(|| DayCountError(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    #[test]
    fn values() {
        let own = [
            ("act/360", "2026-01-01", "2026-02-01", "31/360"),
            ("act/365f", "2024-01-01", "2025-01-01", "366/365"),
            // 184 days of 2023 over 365 and 183 of 2024 over 366, which is a half.
            ("act/act-isda", "2023-07-01", "2024-07-02", "733/730"),
            ("30e/360", "2026-01-31", "2026-03-31", "1/6"),
            ("30/360", "2026-01-29", "2026-03-31", "31/180"),
            ("nl/365", "2024-02-28", "2024-03-01", "1/365"),
            ("act/act-afb", "2024-02-29", "2025-02-28", "365/366"),
            ("1/1", "2026-01-01", "2026-01-02", "1/1"),
        ];
        for (name, start, end, expected) in own {
            let day_count: DayCount = name.parse().unwrap();
            let (start, end): (Date, Date) = (start.parse().unwrap(), end.parse().unwrap());
            assert_eq!(day_count.fraction(start, end, None).to_string(), expected, "{name} {start} {end}");
        }
        let (start, end) = (Date::of(2026, 1, 31), Date::of(2026, 2, 28));
        let days = |maturity| {
            let schedule = ScheduleInfo { maturity, end_of_month: true };
            DayCount::Thirty360EIsda.days(start, end, Some(schedule))
        };
        assert_eq!((days(None), days(Some(end))), (30, 28), "February ends apart at maturity");
    }

    #[test]
    fn text_and_back() {
        for day_count in DayCount::ALL {
            assert_eq!(day_count.to_string().parse(), Ok(*day_count));
        }
        assert_eq!(
            "ACT/360".parse::<DayCount>().unwrap_err().to_string(),
            "`ACT/360` is not a day count like act/365f, act/360 or 30e/360"
        );
    }

    #[test]
    fn fractions() {
        let half = Fraction::new(2, 4).unwrap();
        assert_eq!(half.to_string(), "1/2");
        assert_eq!(half.checked_add(half), Some(Fraction::ONE));
        assert_eq!(half.checked_mul(Fraction::new(-2, 3).unwrap()), Fraction::new(-1, 3));
        assert_eq!(half.checked_mul(Fraction::ZERO), Some(Fraction::ZERO));
        assert_eq!(Fraction::new(1, 0), None);
        assert_eq!(Fraction::new(1, -1), None);
        assert_eq!(Fraction::new(i128::MAX, 1).unwrap().checked_add(Fraction::ONE), None);
        assert_eq!(Fraction::new(i128::MIN, 1), None);
    }

    #[test]
    fn the_ends_of_the_years() {
        for day_count in DayCount::ALL {
            for (start, end) in [(Date::MIN, Date::MAX), (Date::MIN, Date::MIN), (Date::MAX, Date::MAX)] {
                let fraction = day_count.fraction(start, end, None);
                assert!(fraction.numerator() >= 0 && fraction.denominator() > 0);
            }
        }
    }

    proptest! {
        #[test]
        fn near_the_days_and_odd(start in 0..60_000i32, length in 1..6000i32, at in 0..17usize) {
            let (start, end) = (Date::from_days(start), Date::from_days(start + length));
            let day_count = DayCount::ALL[at];
            let fraction = day_count.fraction(start, end, None);
            // Within four days and a 60th of days / 365.
            let (n, d) = (fraction.numerator() * 365, fraction.denominator() * i128::from(length));
            let off = (n - d).abs();
            prop_assert!(off * 60 <= d + 240 * fraction.denominator(), "{} {} {} {}", day_count, start, end, fraction);
            let back = day_count.fraction(end, start, None);
            prop_assert_eq!((back.numerator(), back.denominator()), (-fraction.numerator(), fraction.denominator()));
        }

        #[test]
        fn adds_up(start in 0..60_000i32, a in 0..6000i32, b in 0..6000i32, at in 0..3usize) {
            let day_count = DayCount::ALL[at];
            let (start, middle, end) = (start, start + a, start + a + b);
            let part = |from, to| day_count.fraction(Date::from_days(from), Date::from_days(to), None);
            prop_assert_eq!(part(start, middle).checked_add(part(middle, end)), Some(part(start, end)));
        }
    }
}
