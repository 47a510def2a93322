//! Money: an integer of minor units and the currency it counts.
//!
//! There is no division. What must be shared is shared by [`Money::split`], [`Money::allocate`] or
//! [`Money::waterfall`], which return every part, so no cent is lost or made.

use crate::limit::AMOUNT_MAX;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Why an amount of money is not one.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MoneyError {
    /// A code is 1..=12 of `A-Z 0-9`.
    #[error("`{0}` is not a currency code: 1 to 12 of A-Z and 0-9 are needed")]
    Code(String),
    /// Not a decimal number.
    #[error("`{0}` is not an amount: digits with at most one point are needed, like 12.50")]
    Number(String),
    /// More decimals than the currency has.
    #[error("`{text}` has {given} decimals, {code} has {scale}")]
    Decimals {
        /// The text given.
        text: String,
        /// Decimals given.
        given: usize,
        /// The currency's code.
        code: Code,
        /// Decimals that the currency has.
        scale: u8,
    },
    /// Above [`AMOUNT_MAX`].
    #[error("`{0}` is more than the largest amount, 10^30 minor units")]
    TooLarge(String),
    /// Another currency than the one needed.
    #[error("{given} given, {needed} needed")]
    Currency {
        /// Code given.
        given: Code,
        /// Code needed.
        needed: Code,
    },
}

/// The code of an asset, 1..=12 characters of `A-Z 0-9`, such as `EUR`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code {
    length: u8,
    bytes: [u8; Code::LENGTH_MAX],
}

impl Code {
    /// Longest code in characters.
    pub const LENGTH_MAX: usize = 12;

    /// The code of a text, if it is one; usable in constants.
    pub const fn parse(text: &str) -> Option<Code> {
        let given = text.as_bytes();
        if given.is_empty() || given.len() > Code::LENGTH_MAX {
            return None;
        }
        let mut bytes = [0; Code::LENGTH_MAX];
        let mut at = 0;
        while at < given.len() {
            if !(given[at].is_ascii_uppercase() || given[at].is_ascii_digit()) {
                return None;
            }
            bytes[at] = given[at];
            at += 1;
        }
        Some(Code { length: given.len() as u8, bytes })
    }

    /// The code of a text, if it is one; stops the compiler or traps where it is not.
    ///
    /// # Panics
    /// When the text is no code.
    pub const fn of(text: &str) -> Code {
        match Code::parse(text) {
            Some(code) => code,
            None => panic!("a currency code is 1 to 12 of A-Z and 0-9"),
        }
    }

    /// The characters.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..self.length as usize]).unwrap_or_default()
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Code {
    type Err = MoneyError;
    fn from_str(text: &str) -> Result<Code, MoneyError> {
        Code::parse(text).ok_or_else(|| MoneyError::Code(shorten(text)))
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Code, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Code;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a currency code")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Code, E> {
                Code::parse(text).ok_or_else(|| E::custom("not a currency code"))
            }
        }
        from.deserialize_str(Visitor)
    }
}

/// What money counts: a code and the number of decimals of its minor unit (0..=18).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Currency {
    /// Such as `EUR`.
    pub code: Code,
    /// Decimals of the minor unit: 2 for euro and cent.
    pub scale: u8,
}

/// Most decimals that a currency may have.
pub const SCALE_MAX: u8 = 18;

impl Currency {
    /// A currency of a code and a number of decimals.
    ///
    /// # Panics
    /// When the text is no code or the scale is above [`SCALE_MAX`].
    pub const fn of(code: &str, scale: u8) -> Currency {
        assert!(scale <= SCALE_MAX, "a currency has at most 18 decimals");
        Currency { code: Code::of(code), scale }
    }

    /// The amount that a decimal text means, such as `12.50` or `-3`.
    ///
    /// # Errors
    /// [`MoneyError::Number`], [`MoneyError::Decimals`], [`MoneyError::TooLarge`].
    pub fn parse(self, text: &str) -> Result<Money, MoneyError> {
        let wrong = || MoneyError::Number(shorten(text));
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(part) || digits.ends_with('.') {
            return Err(wrong());
        }
        if part.len() > self.scale as usize {
            let (code, scale) = (self.code, self.scale);
            return Err(MoneyError::Decimals { text: shorten(text), given: part.len(), code, scale });
        }
        let padding = core::iter::repeat_n(b'0', self.scale as usize - part.len());
        let mut minor: u128 = 0;
        for digit in whole.bytes().chain(part.bytes()).chain(padding) {
            minor = minor * 10 + u128::from(digit - b'0');
            if minor > AMOUNT_MAX {
                return Err(MoneyError::TooLarge(shorten(text)));
            }
        }
        let minor = minor as i128;
        Ok(Money { minor: if negative { -minor } else { minor }, currency: self })
    }
}

/// An amount of one currency, in minor units; may be negative where it is a difference.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Minor units.
    pub minor: i128,
    /// What is counted.
    pub currency: Currency,
}

impl Money {
    /// An amount in minor units.
    pub const fn new(minor: i128, currency: Currency) -> Money {
        Money { minor, currency }
    }

    /// Nothing, of a currency.
    pub const fn zero(currency: Currency) -> Money {
        Money { minor: 0, currency }
    }

    /// Whether there is nothing.
    pub const fn is_zero(&self) -> bool {
        self.minor == 0
    }

    /// Whether there is more than nothing.
    pub const fn is_positive(&self) -> bool {
        self.minor > 0
    }

    /// The same currency with another number of minor units.
    pub const fn with_minor(&self, minor: i128) -> Money {
        Money { minor, currency: self.currency }
    }

    /// The sum, or nothing when the currencies differ or the result is out of range.
    pub fn checked_add(self, other: Money) -> Option<Money> {
        let minor = self.minor.checked_add(other.minor)?;
        (self.currency == other.currency && minor.unsigned_abs() <= AMOUNT_MAX)
            .then_some(self.with_minor(minor))
    }

    /// The difference, or nothing when the currencies differ or the result is out of range.
    pub fn checked_sub(self, other: Money) -> Option<Money> {
        self.checked_add(self.with_minor(other.minor.checked_neg()?).also(other.currency)?)
    }

    /// The product with a whole number, or nothing when out of range.
    pub fn checked_mul(self, factor: i128) -> Option<Money> {
        let minor = self.minor.checked_mul(factor)?;
        (minor.unsigned_abs() <= AMOUNT_MAX).then_some(self.with_minor(minor))
    }

    fn also(self, currency: Currency) -> Option<Money> {
        (self.currency == currency).then_some(self)
    }

    /// The smaller of two amounts of one currency.
    pub fn min(self, other: Money) -> Money {
        assert_eq!(self.currency, other.currency, "two currencies have no smaller one");
        self.with_minor(self.minor.min(other.minor))
    }

    /// `count` parts that differ by at most one minor unit, the larger ones first; their sum is the whole.
    ///
    /// ```
    /// use tenor_abi::money::{Currency, Money};
    /// const EUR: Currency = Currency::of("EUR", 2);
    /// let parts: Vec<i128> = Money::new(100, EUR).split(3).iter().map(|m| m.minor).collect();
    /// assert_eq!(parts, [34, 33, 33]);
    /// ```
    pub fn split(self, count: u32) -> Vec<Money> {
        self.allocate(&alloc::vec![1; count as usize])
    }

    /// Parts in the ratio of the weights; their sum is the whole, exactly.
    ///
    /// Largest-remainder method, ties to the earlier part. No parts when all weights are zero.
    pub fn allocate(self, weights: &[u64]) -> Vec<Money> {
        let total: u128 = weights.iter().map(|&w| u128::from(w)).sum();
        if total == 0 {
            return Vec::new();
        }
        let whole = self.minor.unsigned_abs();
        // Amounts of up to 10^30 and weights of up to 2^64 do not fit a product of 128 bits, so the whole is
        // divided first and only its remainder, below the total, is multiplied.
        let (each, rest) = (whole / total, whole % total);
        let mut parts: Vec<u128> = Vec::with_capacity(weights.len());
        let mut order: Vec<(u128, usize)> = Vec::with_capacity(weights.len());
        for (index, &weight) in weights.iter().enumerate() {
            let (share, remainder) = mul_div(rest, u128::from(weight), total);
            parts.push(each * u128::from(weight) + share);
            order.push((remainder, index));
        }
        let mut left = whole - parts.iter().sum::<u128>();
        order.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        for &(_, index) in &order {
            if left == 0 {
                break;
            }
            parts[index] += 1;
            left -= 1;
        }
        let sign = self.minor.signum();
        parts.into_iter().map(|part| self.with_minor(sign * part as i128)).collect()
    }

    /// Fills each need in turn from this amount; returns what each got and what is left over.
    ///
    /// A need below zero counts as nothing. The parts and the rest sum to the whole.
    pub fn waterfall(self, needs: &[Money]) -> (Vec<Money>, Money) {
        let mut left = self;
        let parts = needs
            .iter()
            .map(|need| {
                let part = left.min(*need).clamp_positive();
                left -= part;
                part
            })
            .collect();
        (parts, left)
    }

    /// This amount, or zero when it is below zero.
    pub fn clamp_positive(self) -> Money {
        self.with_minor(self.minor.max(0))
    }
}

/// `a * b / c` and the remainder, for `a < c` and `c` up to 2^96, without overflow.
fn mul_div(a: u128, b: u128, c: u128) -> (u128, u128) {
    match a.checked_mul(b) {
        Some(product) => (product / c, product % c),
        None => {
            // b in two halves of 32 bits: a < c <= 2^96, so every product stays below 2^128.
            let (high, low) = (b >> 32, b & 0xffff_ffff);
            let (q1, r1) = (a * high / c, a * high % c);
            let rest = (r1 << 32) + a * low;
            ((q1 << 32) + rest / c, rest % c)
        }
    }
}

impl core::ops::Add for Money {
    type Output = Money;
    /// # Panics
    /// When the currencies differ or the sum is out of range: in a contract that is a trap.
    fn add(self, other: Money) -> Money {
        self.checked_add(other).expect("amounts of one currency below 10^30")
    }
}

impl core::ops::Sub for Money {
    type Output = Money;
    /// # Panics
    /// When the currencies differ or the difference is out of range: in a contract that is a trap.
    fn sub(self, other: Money) -> Money {
        self.checked_sub(other).expect("amounts of one currency below 10^30")
    }
}

impl core::ops::AddAssign for Money {
    fn add_assign(&mut self, other: Money) {
        *self = *self + other;
    }
}

impl core::ops::SubAssign for Money {
    fn sub_assign(&mut self, other: Money) {
        *self = *self - other;
    }
}

impl core::ops::Neg for Money {
    type Output = Money;
    fn neg(self) -> Money {
        self.with_minor(-self.minor)
    }
}

impl PartialOrd for Money {
    /// Amounts of two currencies have no order.
    fn partial_cmp(&self, other: &Money) -> Option<core::cmp::Ordering> {
        (self.currency == other.currency).then(|| self.minor.cmp(&other.minor))
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&alloc::format!("{} {}", Decimal(self.minor, self.currency.scale), self.currency.code))
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Minor units written as a decimal number with a number of decimals.
pub struct Decimal(pub i128, pub u8);

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = self.1 as usize;
        let digits = alloc::format!("{:0>width$}", self.0.unsigned_abs(), width = scale + 1);
        let (whole, part) = digits.split_at(digits.len() - scale);
        let sign = if self.0 < 0 { "-" } else { "" };
        let point = if scale == 0 { "" } else { "." };
        f.pad(&alloc::format!("{sign}{whole}{point}{part}"))
    }
}

fn shorten(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    const EUR: Currency = Currency::of("EUR", 2);
    const JPY: Currency = Currency::of("JPY", 0);

    #[test]
    fn text_and_back() {
        for (text, minor) in [("12.50", 1250), ("0.05", 5), ("-3.00", -300), ("1000000.00", 100_000_000)] {
            let money = EUR.parse(text).unwrap();
            assert_eq!(money.minor, minor);
            assert_eq!(money.to_string(), alloc::format!("{text} EUR"));
        }
        assert_eq!(EUR.parse("7").unwrap().minor, 700);
        assert_eq!(JPY.parse("7").unwrap().to_string(), "7 JPY");
    }

    #[test]
    fn wrong_amounts_are_explained() {
        let text = |t: &str| EUR.parse(t).unwrap_err().to_string();
        assert_eq!(text("1.234"), "`1.234` has 3 decimals, EUR has 2");
        assert!(text("12,50").contains("is not an amount"));
        assert!(text("").contains("is not an amount"));
        assert!(text("1.").contains("is not an amount"));
        assert!(text("--1").contains("is not an amount"));
        assert!(text("99999999999999999999999999999999999999999").contains("largest amount"));
    }

    #[test]
    fn currencies_do_not_mix() {
        assert_eq!(Money::new(1, EUR).checked_add(Money::new(1, JPY)), None);
        assert_eq!(Money::new(1, EUR).checked_sub(Money::new(1, JPY)), None);
        assert_eq!(Money::new(1, EUR).partial_cmp(&Money::new(1, JPY)), None);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_in_sharing(minor in -(10i128.pow(30))..10i128.pow(30), weights in prop::collection::vec(any::<u64>(), 1..40)) {
            prop_assume!(weights.iter().any(|&w| w > 0));
            let parts = Money::new(minor, EUR).allocate(&weights);
            prop_assert_eq!(parts.iter().map(|p| p.minor).sum::<i128>(), minor);
            prop_assert_eq!(parts.len(), weights.len());
        }

        #[test]
        fn a_waterfall_gives_each_at_most_its_need(minor in 0i128..10_000, needs in prop::collection::vec(-50i128..5_000, 0..8)) {
            let needs: Vec<Money> = needs.into_iter().map(|n| Money::new(n, EUR)).collect();
            let (parts, rest) = Money::new(minor, EUR).waterfall(&needs);
            prop_assert_eq!(parts.iter().map(|p| p.minor).sum::<i128>() + rest.minor, minor);
            for (part, need) in parts.iter().zip(&needs) {
                prop_assert!(part.minor >= 0 && part.minor <= need.minor.max(0));
            }
        }
    }
}
