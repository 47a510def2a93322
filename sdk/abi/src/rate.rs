//! Yearly rates, exact interest, and the carrying of what is less than a minor unit.

use crate::daycount::{Fraction, gcd};
use alloc::string::String;
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

/// Billionths of one.
pub const BILLIONTHS: i64 = 1_000_000_000;

/// Why something is no rate, or interest cannot be told.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RateError {
    /// Outside 0% to 1000%.
    #[error("a rate is 0% to 1000% a year, {0} billionths given")]
    Range(i64),
    /// Not the text of a rate.
    #[error("`{0}` is not a yearly rate like 4.25%, 0% to 1000% with at most 7 decimals")]
    Text(String),
    /// Not the text of a rounding.
    #[error("`{0}` is not a rounding: floor, ceiling, down, up, half-down, half-up or half-even")]
    Rounding(String),
    /// The amount is beyond what can be counted.
    #[error("the interest is too large to be counted exactly")]
    TooLarge,
    /// The exact amount has a denominator that an accrual cannot carry.
    #[error("an accrual carries interest of the day counts and rates here, not parts of 1/{denominator}")]
    Denominator {
        /// Denominator in lowest terms.
        denominator: i128,
    },
    /// The bytes of an accrual hold a whole unit too much.
    #[error("the rest of an accrual is less than one minor unit")]
    Rest,
}

/// A yearly rate in billionths, 0% to 1000%: 4.25% is 42 500 000.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64")]
pub struct Rate(i64);

impl Rate {
    /// 0%.
    pub const ZERO: Rate = Rate(0);
    /// 1000%.
    pub const MAX: Rate = Rate(10 * BILLIONTHS);

    /// The rate of a number of billionths; none outside 0 to 10 000 000 000.
    pub const fn from_billionths(billionths: i64) -> Option<Rate> {
        if billionths < 0 || billionths > Rate::MAX.0 { None } else { Some(Rate(billionths)) }
    }

    /// Billionths, 0 to 10 000 000 000.
    pub const fn billionths(self) -> i64 {
        self.0
    }

    /// The rate of a text like `4.25%`: 0 to 1000, at most 7 decimals, no sign, no leading zero.
    pub const fn parse(text: &str) -> Option<Rate> {
        let [digits @ .., b'%'] = text.as_bytes() else { return None };
        // A billionth is 1e-7 of a percent.
        let (mut value, mut at, mut decimals) = (0i64, 0, 0u32);
        let mut point = None;
        while at < digits.len() {
            match digits[at] {
                b'.' if point.is_none() && at > 0 => point = Some(at),
                digit @ b'0'..=b'9' => {
                    if point.is_some() {
                        decimals += 1;
                    }
                    value = value * 10 + (digit - b'0') as i64;
                    if decimals > 7 || value > Rate::MAX.0 {
                        return None;
                    }
                }
                _ => return None,
            }
            at += 1;
        }
        let whole = match point {
            Some(point) => point,
            None => digits.len(),
        };
        let bare_point = point.is_some() && decimals == 0;
        let leading_zero = whole > 1 && digits[0] == b'0';
        if whole == 0 || bare_point || leading_zero {
            return None;
        }
        Rate::from_billionths(value * 10i64.pow(7 - decimals))
    }

    /// As a fraction of one, exact.
    pub fn fraction(self) -> Fraction {
        Fraction::new(i128::from(self.0), i128::from(BILLIONTHS)).unwrap_or(Fraction::ZERO)
    }

    /// The rate of one of `periods` equal parts of a year, exact; none for 0 periods.
    pub fn periodic(self, periods: u16) -> Option<Fraction> {
        Fraction::new(i128::from(self.0), i128::from(BILLIONTHS) * i128::from(periods))
    }
}

impl TryFrom<i64> for Rate {
    type Error = RateError;
    fn try_from(billionths: i64) -> Result<Rate, RateError> {
        Rate::from_billionths(billionths).ok_or(RateError::Range(billionths))
    }
}

/// `4.25%`, without trailing zeros.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 10_000_000, self.0 % 10_000_000);
        if rest == 0 {
            return f.pad(&alloc::format!("{whole}%"));
        }
        let decimals = alloc::format!("{rest:07}");
        f.pad(&alloc::format!("{whole}.{}%", decimals.trim_end_matches('0')))
    }
}
impl fmt::Debug for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Rate {
    type Err = RateError;
    fn from_str(text: &str) -> Result<Rate, RateError> {
        Rate::parse(text).ok_or_else(|| RateError::Text(text.into()))
    }
}

/// How an exact amount becomes whole. Append only.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rounding {
    /// To the whole below.
    Floor,
    /// To the whole above.
    Ceiling,
    /// Towards zero.
    Down,
    /// Away from zero.
    Up,
    /// To the nearest, a half towards zero.
    HalfDown,
    /// To the nearest, a half away from zero: what is taught in school.
    HalfUp,
    /// To the nearest, a half to the even one.
    HalfEven,
}

impl Rounding {
    /// All of them.
    pub const ALL: [Rounding; 7] = [
        Rounding::Floor,
        Rounding::Ceiling,
        Rounding::Down,
        Rounding::Up,
        Rounding::HalfDown,
        Rounding::HalfUp,
        Rounding::HalfEven,
    ];

    /// Its text.
    pub const fn name(self) -> &'static str {
        match self {
            Rounding::Floor => "floor",
            Rounding::Ceiling => "ceiling",
            Rounding::Down => "down",
            Rounding::Up => "up",
            Rounding::HalfDown => "half-down",
            Rounding::HalfUp => "half-up",
            Rounding::HalfEven => "half-even",
        }
    }

    /// Whether the whole above is taken, given the whole below and how the part above it compares to a half.
    pub(crate) const fn takes_above(self, below: i128, part: i128, denominator: i128) -> bool {
        if part == 0 {
            return false;
        }
        let positive = below >= 0;
        let (more, half) = (part > denominator - part, part == denominator - part);
        match self {
            Rounding::Floor => false,
            Rounding::Ceiling => true,
            Rounding::Down => !positive,
            Rounding::Up => positive,
            Rounding::HalfDown => more || half && !positive,
            Rounding::HalfUp => more || half && positive,
            Rounding::HalfEven => more || half && below % 2 != 0,
        }
    }
}

impl fmt::Display for Rounding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Rounding {
    type Err = RateError;
    fn from_str(text: &str) -> Result<Rounding, RateError> {
        let found = Rounding::ALL.into_iter().find(|rounding| rounding.name() == text);
        found.ok_or_else(|| RateError::Rounding(text.into()))
    }
}

/// An exact amount in minor units: a numerator over a denominator above 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Exact {
    /// Numerator, with the sign.
    pub numerator: i128,
    /// Denominator, above 0.
    pub denominator: i128,
}

impl Exact {
    /// The whole minor units, by this rounding.
    ///
    /// # Panics
    /// When the denominator is 0, which no function here makes.
    pub const fn round(self, rounding: Rounding) -> i128 {
        let below = self.numerator.div_euclid(self.denominator);
        let part = self.numerator.rem_euclid(self.denominator);
        below + rounding.takes_above(below, part, self.denominator) as i128
    }
}

/// The exact interest, in minor units, of a principal in minor units for a part of a year.
///
/// # Errors
/// [`RateError::TooLarge`]; not for principals to 1e20 minor units and parts to 100 years. An accrual goes
/// further, see [`Accrual::add_interest`].
pub fn interest(principal_minor: i128, rate: Rate, part: Fraction) -> Result<Exact, RateError> {
    let exact = part.checked_mul(rate.fraction()).and_then(|factor| {
        let common = gcd(principal_minor, factor.denominator()) as i128;
        let numerator = (principal_minor / common).checked_mul(factor.numerator())?;
        Some(Exact { numerator, denominator: factor.denominator() / common })
    });
    exact.ok_or(RateError::TooLarge)
}

/// The parts of a minor unit that an accrual counts: 1e9 for the rate times the least common multiple of
/// every denominator of the day counts, 360, 364, 365, 365 * 366 and 1461.
pub const ACCRUAL_PARTS: i128 = 71_043_696_360 * BILLIONTHS as i128;

/// Interest as it accrues, exact to the last part of a minor unit. Stored by contracts between calls.
///
/// What was taken out and what is still in add up to exactly what was put in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "(i128, i128)", into = "(i128, i128)")]
pub struct Accrual {
    /// Whole minor units, rounded down.
    whole: i128,
    /// Parts above them, of [`ACCRUAL_PARTS`].
    parts: i128,
}

impl Accrual {
    /// Nothing accrued.
    pub const ZERO: Accrual = Accrual { whole: 0, parts: 0 };

    /// Adds an exact amount; nothing changes on an error.
    ///
    /// # Errors
    /// [`RateError::Denominator`] when the denominator does not divide [`ACCRUAL_PARTS`], which that of
    /// [`interest`] by a [`crate::daycount::DayCount`] does; [`RateError::TooLarge`].
    pub fn add(&mut self, exact: Exact) -> Result<(), RateError> {
        let exact = Fraction::new(exact.numerator, exact.denominator).ok_or(RateError::TooLarge)?;
        let denominator = exact.denominator();
        if ACCRUAL_PARTS % denominator != 0 {
            return Err(RateError::Denominator { denominator });
        }
        // Both below ACCRUAL_PARTS, which is below 2^67.
        let parts = self.parts + exact.numerator().rem_euclid(denominator) * (ACCRUAL_PARTS / denominator);
        let whole = self.whole.checked_add(exact.numerator().div_euclid(denominator));
        let whole = whole.and_then(|whole| whole.checked_add(parts / ACCRUAL_PARTS));
        *self = Accrual { whole: whole.ok_or(RateError::TooLarge)?, parts: parts % ACCRUAL_PARTS };
        Ok(())
    }

    /// Adds the interest on a principal in minor units for a part of a year.
    ///
    /// As by [`interest`] and [`Accrual::add`], but for any principal whose interest can be counted; nothing
    /// changes on an error.
    ///
    /// # Errors
    /// [`RateError::TooLarge`], [`RateError::Denominator`].
    pub fn add_interest(
        &mut self,
        principal_minor: i128,
        rate: Rate,
        part: Fraction,
    ) -> Result<(), RateError> {
        // The principal in two: what the denominator divides, and a rest whose product is small.
        let factor = part.checked_mul(rate.fraction()).ok_or(RateError::TooLarge)?;
        let (numerator, denominator) = (factor.numerator(), factor.denominator());
        let piece = |share: i128, denominator| match share.checked_mul(numerator) {
            Some(numerator) => Ok(Exact { numerator, denominator }),
            None => Err(RateError::TooLarge),
        };
        let mut sum = *self;
        sum.add(piece(principal_minor.div_euclid(denominator), 1)?)?;
        sum.add(piece(principal_minor.rem_euclid(denominator), denominator)?)?;
        *self = sum;
        Ok(())
    }

    /// The whole minor units accrued, by this rounding; nothing is taken.
    pub const fn rounded(&self, rounding: Rounding) -> i128 {
        let above = rounding.takes_above(self.whole, self.parts, ACCRUAL_PARTS);
        self.whole.saturating_add(above as i128)
    }

    /// Takes the whole minor units accrued, by this rounding, and keeps the rest, which is below 0 when
    /// that rounded up.
    pub const fn take(&mut self, rounding: Rounding) -> i128 {
        let taken = self.rounded(rounding);
        self.whole -= taken;
        taken
    }
}

impl From<Accrual> for (i128, i128) {
    fn from(accrual: Accrual) -> (i128, i128) {
        (accrual.whole, accrual.parts)
    }
}

impl TryFrom<(i128, i128)> for Accrual {
    type Error = RateError;
    fn try_from((whole, parts): (i128, i128)) -> Result<Accrual, RateError> {
        if (0..ACCRUAL_PARTS).contains(&parts) { Ok(Accrual { whole, parts }) } else { Err(RateError::Rest) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{decode, encode};
    use crate::date::Date;
    use crate::daycount::DayCount;
    use alloc::string::ToString;
    use proptest::prelude::*;

    #[test]
    fn text_of_rates() {
        const RATE: Rate = Rate::parse("4.25%").unwrap();
        assert_eq!(RATE.billionths(), 42_500_000);
        for text in ["0%", "4.25%", "1000%", "0.0000001%", "12.3456789%", "100%"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
        assert_eq!("4.250%".parse(), Ok(RATE));
        for text in [
            "",
            "%",
            "4.25",
            "-1%",
            "+1%",
            ".5%",
            "5.%",
            "1000.0000001%",
            "1.23456789%",
            "04%",
            "1.2.3%",
            "4 %",
            "99999999999999999999999%",
            "1%%",
        ] {
            assert_eq!(text.parse::<Rate>(), Err(RateError::Text(text.into())), "{text}");
        }
        assert_eq!(Rate::try_from(-1), Err(RateError::Range(-1)));
        assert!(decode::<Rate>(&encode(&(Rate::MAX.0 + 1)), 16).is_err());
        assert_eq!(decode::<Rate>(&encode(&RATE), 16), Ok(RATE));
    }

    #[test]
    fn roundings() {
        let halves = [-5i128, -3, -1, 1, 3, 5];
        let expected = |rounding| match rounding {
            Rounding::Floor => [-3, -2, -1, 0, 1, 2],
            Rounding::Ceiling => [-2, -1, 0, 1, 2, 3],
            Rounding::Down | Rounding::HalfDown => [-2, -1, 0, 0, 1, 2],
            Rounding::Up | Rounding::HalfUp => [-3, -2, -1, 1, 2, 3],
            Rounding::HalfEven => [-2, -2, 0, 0, 2, 2],
        };
        for rounding in Rounding::ALL {
            let rounded = halves.map(|numerator| Exact { numerator, denominator: 2 }.round(rounding));
            assert_eq!(rounded, expected(rounding), "{rounding}");
            assert_eq!(rounding.to_string().parse(), Ok(rounding));
        }
    }

    #[test]
    fn a_month_by_hand() {
        // 1000.00 at 4.25% for 31 days of 360: 3.65972...
        let part = DayCount::Act360.fraction(Date::of(2026, 1, 1), Date::of(2026, 2, 1), None);
        let exact = interest(100_000, Rate::parse("4.25%").unwrap(), part).unwrap();
        assert_eq!((exact.numerator * 144) / exact.denominator, 52_700, "365.972... is 52 700 / 144");
        assert_eq!(exact.round(Rounding::HalfEven), 366);
        assert_eq!(exact.round(Rounding::Floor), 365);
        assert_eq!(interest(i128::MAX, Rate::MAX, Fraction::ONE), Err(RateError::TooLarge));
        assert_eq!(interest(0, Rate::MAX, part).unwrap().round(Rounding::Up), 0);
    }

    #[test]
    fn thirty_years_of_days_add_up() {
        let (start, end) = (Date::of(2000, 2, 29), Date::of(2030, 2, 28));
        let rate = Rate::parse("3.7654321%").unwrap();
        for day_count in [DayCount::Act360, DayCount::Act365F, DayCount::ActActIsda, DayCount::Act36525] {
            for rounding in Rounding::ALL {
                let mut accrual = Accrual::ZERO;
                let mut taken = 0;
                let mut day = start;
                while day < end {
                    let part = day_count.fraction(day, day.add_days(1), None);
                    accrual.add_interest(123_456_789, rate, part).unwrap();
                    taken += accrual.take(rounding);
                    day = day.add_days(1);
                }
                let mut once = Accrual::ZERO;
                once.add_interest(123_456_789, rate, day_count.fraction(start, end, None)).unwrap();
                assert_eq!(taken + accrual.rounded(Rounding::Floor), once.rounded(Rounding::Floor));
                assert_eq!(accrual.parts, once.parts, "{day_count} {rounding}");
            }
        }
    }

    #[test]
    fn bytes_of_accruals() {
        let mut accrual = Accrual { whole: -1, parts: ACCRUAL_PARTS - 1 };
        assert_eq!(decode::<Accrual>(&encode(&accrual), 64), Ok(accrual));
        assert!(decode::<Accrual>(&encode(&(0i128, ACCRUAL_PARTS)), 64).is_err());
        assert!(decode::<Accrual>(&encode(&(0i128, -1i128)), 64).is_err());
        assert_eq!(
            accrual.add(Exact { numerator: 1, denominator: 11 }),
            Err(RateError::Denominator { denominator: 11 })
        );
        assert_eq!(accrual.add(Exact { numerator: 1, denominator: 0 }), Err(RateError::TooLarge));
        assert_eq!(accrual.add(Exact { numerator: 1, denominator: ACCRUAL_PARTS }), Ok(()));
        assert_eq!(accrual, Accrual::ZERO);
    }

    proptest! {
        #[test]
        fn nothing_is_lost(
            principals in proptest::collection::vec((-10i128.pow(24)..10i128.pow(24), 0..1000i32), 1..40),
            billionths in 0..=Rate::MAX.0, at in 0..DayCount::ALL.len(), rounding in 0..7usize,
        ) {
            let rate = Rate::from_billionths(billionths).unwrap();
            let (mut many, mut once, mut taken) = (Accrual::ZERO, Accrual::ZERO, 0);
            let mut day = Date::of(2026, 1, 1);
            for (principal, days) in principals {
                let next = day.add_days(days);
                let part = DayCount::ALL[at].fraction(day, next, None);
                many.add_interest(principal, rate, part).unwrap();
                once.add_interest(principal, rate, part).unwrap();
                let mut split = Accrual::ZERO;
                split.add_interest(principal, rate, part).unwrap();
                if let Ok(exact) = interest(principal, rate, part) {
                    for rounding in Rounding::ALL {
                        prop_assert_eq!(split.rounded(rounding), exact.round(rounding));
                    }
                }
                taken += many.take(Rounding::ALL[rounding]);
                day = next;
            }
            prop_assert_eq!((many.whole + taken, many.parts), (once.whole, once.parts));
            prop_assert!(many.whole == 0 || many.whole == -1);
        }

        #[test]
        fn rates_and_back(billionths in 0..=Rate::MAX.0) {
            let rate = Rate::from_billionths(billionths).unwrap();
            prop_assert_eq!(rate.to_string().parse(), Ok(rate));
        }
    }
}
