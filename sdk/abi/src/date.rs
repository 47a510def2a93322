//! Days and instants: integers, the proleptic Gregorian calendar, no zone and no clock.
//!
//! Every [`Date`] lies in the years 1 to 9999; arithmetic that would leave them stops at the ends, and has
//! a `checked_` form that says so. An instant is a count of UTC milliseconds; leap seconds do not exist.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

/// Milliseconds of a day.
pub const DAY_MS: u64 = 86_400_000;

/// Why something is not a date, a time, a weekday or a day of the month.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DateError {
    /// The month has no such day.
    #[error("{year:04}-{month:02} has {days} days, day {day} given")]
    Day {
        /// Year.
        year: i32,
        /// Month.
        month: u8,
        /// Day given.
        day: u8,
        /// Days of the month.
        days: u8,
    },
    /// No such month or year.
    #[error("year 1 to 9999 and month 1 to 12 are needed, {year} and {month} given")]
    Month {
        /// Year.
        year: i32,
        /// Month.
        month: u8,
    },
    /// A number of days since 1970-01-01 outside the years 1 to 9999.
    #[error("{0} days from 1970-01-01 lies outside the years 1 to 9999")]
    Range(i32),
    /// Not the text of a date.
    #[error("`{0}` is not a date like 2026-01-31")]
    Text(String),
    /// Not the text of an instant.
    #[error("`{0}` is not a UTC time from 1970 on, like 2026-01-31T00:00:00.000Z")]
    Time(String),
    /// Not the text of a weekday.
    #[error("`{0}` is not a weekday, monday to sunday")]
    Weekday(String),
    /// No day of a month.
    #[error("a day of the month is 1 to 31, {0} given")]
    DayOfMonth(u8),
    /// Not the text of a day of the month.
    #[error("`{0}` is not a day of the month, 1 to 31 or last")]
    DayOfMonthText(String),
}

/// A day, in the years 1 to 9999; stored as days since 1970-01-01.
///
/// Source: the civil-day formulas are Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i32")]
pub struct Date(i32);

/// Year, month and day of a number of days since 1970-01-01, whatever the year.
const fn civil(days: i64) -> (i64, u8, u8) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = (doy - (153 * mp + 2) / 5 + 1) as u8;
    let month = (if mp < 10 { mp + 3 } else { mp - 9 }) as u8;
    (yoe + era * 400 + (if month <= 2 { 1 } else { 0 }), month, day)
}

impl Date {
    /// The first day there is, 0001-01-01.
    pub const MIN: Date = Date::of(1, 1, 1);
    /// The last day there is, 9999-12-31.
    pub const MAX: Date = Date::of(9999, 12, 31);

    /// The day of a number of days since 1970-01-01; the nearest end of the years 1 to 9999 when outside.
    pub const fn from_days(days: i32) -> Date {
        if days < Date::MIN.0 {
            Date::MIN
        } else if days > Date::MAX.0 {
            Date::MAX
        } else {
            Date(days)
        }
    }

    /// The day of a number of days since 1970-01-01, unless outside the years 1 to 9999.
    pub const fn checked_from_days(days: i32) -> Option<Date> {
        if days < Date::MIN.0 || days > Date::MAX.0 { None } else { Some(Date(days)) }
    }

    /// Days since 1970-01-01.
    pub const fn days(self) -> i32 {
        self.0
    }

    const fn try_of(year: i32, month: u8, day: u8) -> Option<Date> {
        if year < 1 || year > 9999 || month < 1 || month > 12 {
            return None;
        }
        if day < 1 || day > days_in_month(year, month) {
            return None;
        }
        let y = if month <= 2 { year - 1 } else { year };
        let era = y.div_euclid(400);
        let yoe = y.rem_euclid(400);
        let m = month as i32;
        let doy = (153 * (if m > 2 { m - 3 } else { m + 9 }) + 2) / 5 + day as i32 - 1;
        let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
        Some(Date(era * 146_097 + doe - 719_468))
    }

    /// The day of year (1 to 9999), month (1 to 12) and day (1 to 31).
    ///
    /// # Errors
    /// [`DateError::Month`], [`DateError::Day`].
    pub fn new(year: i32, month: u8, day: u8) -> Result<Date, DateError> {
        match Date::try_of(year, month, day) {
            Some(date) => Ok(date),
            None if !(1..=9999).contains(&year) || !(1..=12).contains(&month) => {
                Err(DateError::Month { year, month })
            }
            None => Err(DateError::Day { year, month, day, days: days_in_month(year, month) }),
        }
    }

    /// As [`Date::new`], for constants.
    ///
    /// # Panics
    /// When there is no such day.
    pub const fn of(year: i32, month: u8, day: u8) -> Date {
        match Date::try_of(year, month, day) {
            Some(date) => date,
            None => panic!("there is no such day"),
        }
    }

    /// Year, month and day.
    pub const fn ymd(self) -> (i32, u8, u8) {
        let (year, month, day) = civil(self.0 as i64);
        (year as i32, month, day)
    }

    /// Year, 1 to 9999.
    pub const fn year(self) -> i32 {
        self.ymd().0
    }

    /// Month, 1 to 12.
    pub const fn month(self) -> u8 {
        self.ymd().1
    }

    /// Day of the month, 1 to 31.
    pub const fn day(self) -> u8 {
        self.ymd().2
    }

    /// The weekday.
    pub const fn weekday(self) -> Weekday {
        match (self.0 + 3).rem_euclid(7) {
            0 => Weekday::Monday,
            1 => Weekday::Tuesday,
            2 => Weekday::Wednesday,
            3 => Weekday::Thursday,
            4 => Weekday::Friday,
            5 => Weekday::Saturday,
            _ => Weekday::Sunday,
        }
    }

    /// This many days later; the end of the years 1 to 9999 when that is passed.
    pub const fn add_days(self, days: i32) -> Date {
        Date::from_days(self.0.saturating_add(days))
    }

    /// This many days later, unless that leaves the years 1 to 9999.
    pub const fn checked_add_days(self, days: i32) -> Option<Date> {
        match self.0.checked_add(days) {
            Some(sum) => Date::checked_from_days(sum),
            None => None,
        }
    }

    /// This many months later on the same day of the month, or on the month's last day when it has no such
    /// day; the end of the years 1 to 9999 when that is passed.
    ///
    /// 2026-01-31 plus one month is 2026-02-28. Not additive: count from one anchor, not from step to step.
    pub const fn add_months(self, months: i32) -> Date {
        match self.checked_add_months(months) {
            Some(date) => date,
            None if months < 0 => Date::MIN,
            None => Date::MAX,
        }
    }

    /// As [`Date::add_months`], unless that leaves the years 1 to 9999.
    pub const fn checked_add_months(self, months: i32) -> Option<Date> {
        let (year, month, day) = self.ymd();
        let index = year as i64 * 12 + month as i64 - 1 + months as i64;
        let year = index.div_euclid(12);
        if year < 1 || year > 9999 {
            return None;
        }
        let (year, month) = (year as i32, (index.rem_euclid(12) + 1) as u8);
        let last = days_in_month(year, month);
        Date::try_of(year, month, if day < last { day } else { last })
    }

    /// Whether this is the last day of its month.
    pub const fn is_month_end(self) -> bool {
        let (year, month, day) = self.ymd();
        day == days_in_month(year, month)
    }

    /// The last day of its month.
    pub const fn month_end(self) -> Date {
        let (year, month, day) = self.ymd();
        Date(self.0 + days_in_month(year, month) as i32 - day as i32)
    }

    /// The instant at which this day starts in UTC; 1970-01-01T00:00:00.000Z for earlier days.
    pub const fn midnight(self) -> Timestamp {
        Timestamp(if self.0 < 0 { 0 } else { self.0 as u64 * DAY_MS })
    }
}

impl TryFrom<i32> for Date {
    type Error = DateError;
    fn try_from(days: i32) -> Result<Date, DateError> {
        Date::checked_from_days(days).ok_or(DateError::Range(days))
    }
}

/// Whether the year has a 29 February.
pub const fn is_leap_year(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days of a month, 28 to 31.
pub const fn days_in_month(year: i32, month: u8) -> u8 {
    match month {
        2 if is_leap_year(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The number of a text of exactly `len` decimal digits.
fn digits(text: &str, len: usize) -> Option<u32> {
    if text.len() != len || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// ISO 8601: `2026-01-31`.
impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (y, m, d) = self.ymd();
        f.pad(&alloc::format!("{y:04}-{m:02}-{d:02}"))
    }
}
impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// ISO 8601, `2026-01-31` and no other form.
impl FromStr for Date {
    type Err = DateError;
    fn from_str(text: &str) -> Result<Date, DateError> {
        let part = |from: usize, to: usize| digits(text.get(from..to)?, to - from);
        let hyphen = |at: usize| text.as_bytes().get(at) == Some(&b'-');
        let fields = || Some((part(0, 4)?, part(5, 7)?, part(8, 10)?));
        match fields() {
            Some((year, month, day)) if text.len() == 10 && hyphen(4) && hyphen(7) => {
                Date::new(year as i32, month as u8, day as u8)
            }
            _ => Err(DateError::Text(text.into())),
        }
    }
}

/// A weekday.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Weekday {
    /// All seven, Monday first.
    pub const ALL: [Weekday; 7] = [
        Weekday::Monday,
        Weekday::Tuesday,
        Weekday::Wednesday,
        Weekday::Thursday,
        Weekday::Friday,
        Weekday::Saturday,
        Weekday::Sunday,
    ];

    /// 0 for Monday to 6 for Sunday.
    pub const fn days_from_monday(self) -> u8 {
        self as u8
    }

    /// Its name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Weekday::Monday => "monday",
            Weekday::Tuesday => "tuesday",
            Weekday::Wednesday => "wednesday",
            Weekday::Thursday => "thursday",
            Weekday::Friday => "friday",
            Weekday::Saturday => "saturday",
            Weekday::Sunday => "sunday",
        }
    }
}

impl fmt::Display for Weekday {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Weekday {
    type Err = DateError;
    fn from_str(text: &str) -> Result<Weekday, DateError> {
        Weekday::ALL.into_iter().find(|day| day.name() == text).ok_or_else(|| DateError::Weekday(text.into()))
    }
}

/// A day of every month: 1 to 31, or the last; a month without the day has it on its last day.
///
/// Stored as one byte, 0 for the last day. `31` and `last` fall on the same days but stay two values.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8")]
pub struct DayOfMonth(u8);

impl DayOfMonth {
    /// The last day of every month.
    pub const LAST: DayOfMonth = DayOfMonth(0);

    /// The day 1 to 31 of every month.
    ///
    /// # Errors
    /// [`DateError::DayOfMonth`] for 0 and above 31.
    pub fn new(day: u8) -> Result<DayOfMonth, DateError> {
        if (1..=31).contains(&day) { Ok(DayOfMonth(day)) } else { Err(DateError::DayOfMonth(day)) }
    }

    /// As [`DayOfMonth::new`], for constants.
    ///
    /// # Panics
    /// When there is no such day.
    pub const fn of(day: u8) -> DayOfMonth {
        assert!(day >= 1 && day <= 31, "a day of the month is 1 to 31");
        DayOfMonth(day)
    }

    /// The number 1 to 31; none for the last day.
    pub const fn number(self) -> Option<u8> {
        if self.0 == 0 { None } else { Some(self.0) }
    }

    /// The day it is in a month; year and month outside 1 to 9999 and 1 to 12 count as the nearest inside.
    pub const fn in_month(self, year: i32, month: u8) -> Date {
        let year = if year < 1 {
            1
        } else if year > 9999 {
            9999
        } else {
            year
        };
        let month = if month < 1 {
            1
        } else if month > 12 {
            12
        } else {
            month
        };
        let last = days_in_month(year, month);
        Date::of(year, month, if self.0 == 0 || self.0 > last { last } else { self.0 })
    }
}

/// From the stored byte, 0 for the last day.
impl TryFrom<u8> for DayOfMonth {
    type Error = DateError;
    fn try_from(byte: u8) -> Result<DayOfMonth, DateError> {
        if byte <= 31 { Ok(DayOfMonth(byte)) } else { Err(DateError::DayOfMonth(byte)) }
    }
}

impl fmt::Display for DayOfMonth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.pad("last"),
            day => fmt::Display::fmt(&day, f),
        }
    }
}
impl fmt::Debug for DayOfMonth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `1` to `31` without leading zero, or `last`.
impl FromStr for DayOfMonth {
    type Err = DateError;
    fn from_str(text: &str) -> Result<DayOfMonth, DateError> {
        if text == "last" {
            return Ok(DayOfMonth::LAST);
        }
        digits(text, text.len().clamp(1, 2))
            .filter(|_| !text.starts_with('0'))
            .and_then(|day| DayOfMonth::new(day as u8).ok())
            .ok_or_else(|| DateError::DayOfMonthText(text.into()))
    }
}

/// An instant: UTC milliseconds since 1970-01-01T00:00:00Z, without leap seconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The UTC day it lies in; 9999-12-31 for anything later.
    pub const fn date(self) -> Date {
        let days = self.0 / DAY_MS;
        if days > Date::MAX.0 as u64 { Date::MAX } else { Date(days as i32) }
    }
}

/// RFC 3339 with milliseconds: `2026-01-31T00:00:00.000Z`; after the year 9999 the bare count, `…ms`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, ms) = (self.0 / DAY_MS, self.0 % DAY_MS);
        if days > Date::MAX.0 as u64 {
            return f.pad(&alloc::format!("{}ms", self.0));
        }
        let (h, m, s, ms) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000);
        f.pad(&alloc::format!("{}T{h:02}:{m:02}:{s:02}.{ms:03}Z", self.date()))
    }
}
impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// RFC 3339 in UTC, from 1970 on: `2026-01-31T00:00:00Z`, with a fraction of three digits or none.
impl FromStr for Timestamp {
    type Err = DateError;
    fn from_str(text: &str) -> Result<Timestamp, DateError> {
        let no_time = || DateError::Time(text.into());
        let bytes = text.as_bytes();
        let (len, at) = (bytes.len(), |i: usize| bytes.get(i).copied());
        let shape = at(10) == Some(b'T')
            && at(13) == Some(b':')
            && at(16) == Some(b':')
            && ((len == 20 && at(19) == Some(b'Z'))
                || (len == 24 && at(19) == Some(b'.') && at(23) == Some(b'Z')));
        if !shape {
            return Err(no_time());
        }
        let date: Date = text.get(..10).ok_or_else(no_time)?.parse()?;
        let part = |from: usize, to: usize, below: u32| {
            text.get(from..to).and_then(|t| digits(t, to - from)).filter(|n| *n < below).ok_or_else(no_time)
        };
        let (h, m, s) = (part(11, 13, 24)?, part(14, 16, 60)?, part(17, 19, 60)?);
        let ms = if len == 24 { part(20, 23, 1000)? } else { 0 };
        let days = u64::try_from(date.0).map_err(|_| no_time())?;
        Ok(Timestamp(days * DAY_MS + u64::from(h * 3600 + m * 60 + s) * 1000 + u64::from(ms)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{decode, encode};
    use alloc::string::ToString;
    use proptest::prelude::*;

    #[test]
    fn every_day_of_ten_thousand_years() {
        let mut date = Date::MIN;
        let mut days = 0u32;
        for year in 1..=9999 {
            for month in 1..=12 {
                for day in 1..=days_in_month(year, month) {
                    assert_eq!(date.ymd(), (year, month, day));
                    assert_eq!(Date::new(year, month, day), Ok(date));
                    assert_eq!(u32::from(date.weekday().days_from_monday()), days % 7);
                    date = Date(date.0 + 1);
                    days += 1;
                }
            }
        }
        assert_eq!(date.0, Date::MAX.0 + 1);
        assert_eq!(Date::of(2026, 7, 31).weekday(), Weekday::Friday);
    }

    #[test]
    fn no_such_day() {
        let error = Date::new(2026, 2, 29).unwrap_err();
        assert_eq!(error.to_string(), "2026-02 has 28 days, day 29 given");
        assert_eq!(Date::new(2026, 13, 1), Err(DateError::Month { year: 2026, month: 13 }));
        assert_eq!(Date::new(0, 1, 1), Err(DateError::Month { year: 0, month: 1 }));
        assert_eq!("2026-02-29".parse::<Date>(), Err(error));
        for text in ["2026-1-31", "26-01-31", "2026/01/31", "+026-01-31", "2026-01-31 ", "", "２026-01-3"] {
            assert_eq!(text.parse::<Date>(), Err(DateError::Text(text.into())));
        }
    }

    #[test]
    fn months_clamp_and_the_ends_hold() {
        assert_eq!(Date::of(2026, 1, 31).add_months(1), Date::of(2026, 2, 28));
        assert_eq!(Date::of(2024, 2, 29).add_months(12), Date::of(2025, 2, 28));
        assert_eq!(Date::of(2026, 3, 31).add_months(-13), Date::of(2025, 2, 28));
        assert_eq!(Date::MAX.add_months(1), Date::MAX);
        assert_eq!(Date::MIN.add_months(i32::MIN), Date::MIN);
        assert_eq!(Date::MAX.add_days(i32::MAX), Date::MAX);
        assert_eq!(Date::MIN.checked_add_days(-1), None);
        assert_eq!(Date::of(2024, 2, 1).month_end(), Date::of(2024, 2, 29));
        assert!(Date::of(2024, 2, 29).is_month_end() && !Date::of(2024, 2, 28).is_month_end());
    }

    #[test]
    fn bytes_outside_the_years_are_refused() {
        assert_eq!(decode::<Date>(&encode(&Date::MAX), 8), Ok(Date::MAX));
        assert!(decode::<Date>(&encode(&(Date::MAX.0 + 1)), 8).is_err());
        assert!(decode::<Date>(&encode(&(Date::MIN.0 - 1)), 8).is_err());
        assert_eq!(decode::<DayOfMonth>(&[0], 8), Ok(DayOfMonth::LAST));
        assert!(decode::<DayOfMonth>(&[32], 8).is_err());
        assert_eq!(decode::<Weekday>(&[6], 8), Ok(Weekday::Sunday));
        assert!(decode::<Weekday>(&[7], 8).is_err());
    }

    #[test]
    fn days_of_the_month() {
        assert_eq!(DayOfMonth::of(31).in_month(2026, 2), Date::of(2026, 2, 28));
        assert_eq!(DayOfMonth::LAST.in_month(2024, 2), Date::of(2024, 2, 29));
        assert_eq!(DayOfMonth::of(15).in_month(2026, 4), Date::of(2026, 4, 15));
        assert_eq!(DayOfMonth::new(0), Err(DateError::DayOfMonth(0)));
        for text in ["0", "01", "32", "100", "", "Last", "+1"] {
            assert!(text.parse::<DayOfMonth>().is_err(), "{text}");
        }
        for byte in 0..=31 {
            let day = DayOfMonth(byte);
            assert_eq!(day.to_string().parse(), Ok(day));
        }
        for day in Weekday::ALL {
            assert_eq!(day.to_string().parse(), Ok(day));
        }
        assert!("Monday".parse::<Weekday>().is_err());
    }

    #[test]
    fn instants() {
        let start = Date::of(2026, 1, 31).midnight();
        assert_eq!(start.to_string(), "2026-01-31T00:00:00.000Z");
        assert_eq!(Timestamp(start.0 + 86_399_999).to_string(), "2026-01-31T23:59:59.999Z");
        assert_eq!("2026-01-31T00:00:00Z".parse(), Ok(start));
        assert_eq!(Timestamp(start.0 - 1).date(), Date::of(2026, 1, 30));
        assert_eq!(Timestamp(u64::MAX).date(), Date::MAX);
        assert_eq!(Timestamp(u64::MAX).to_string(), "18446744073709551615ms");
        for text in [
            "1969-12-31T00:00:00.000Z",
            "2026-01-31T24:00:00.000Z",
            "2026-01-31T00:60:00.000Z",
            "2026-01-31T00:00:60.000Z",
            "2026-01-31T00:00:00.00Z",
            "2026-01-31T00:00:00.000",
            "2026-01-31 00:00:00.000Z",
            "2026-02-30T00:00:00.000Z",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_and_back(days in Date::MIN.0..=Date::MAX.0, ms in 0..253_402_300_800_000u64) {
            let date = Date::from_days(days);
            prop_assert_eq!(date.to_string().parse(), Ok(date));
            prop_assert_eq!(Timestamp(ms).to_string().parse(), Ok(Timestamp(ms)));
        }

        #[test]
        fn any_text_is_safe(text: String) {
            let _ = (text.parse::<Date>(), text.parse::<Timestamp>(), text.parse::<DayOfMonth>());
        }

        #[test]
        fn months_go_back_when_nothing_was_clamped(days in -200_000..200_000i32, months in -500..500i32) {
            let date = Date::from_days(days);
            let moved = date.add_months(months);
            prop_assert!(moved.day() == date.day() || (moved.day() < date.day() && moved.is_month_end()));
            if moved.day() == date.day() {
                prop_assert_eq!(moved.add_months(-months), date);
            }
        }
    }
}
