//! Days and instants: integers, the proleptic Gregorian calendar, no zone and no clock.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

/// Why a date is none.
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
    /// Not the text of a date or time.
    #[error("`{0}` is not a date like 2026-01-31")]
    Text(String),
}

/// A day: days since 1970-01-01.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Date(i32);

impl Date {
    /// The day of a number of days since 1970-01-01.
    pub const fn from_days(days: i32) -> Date {
        Date(days)
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
    /// The day of year, month and day.
    ///
    /// # Errors
    /// [`DateError`].
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
    const fn civil(self) -> (i32, u8, u8) {
        let z = self.0 + 719_468;
        let era = z.div_euclid(146_097);
        let doe = z.rem_euclid(146_097);
        let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let d = (doy - (153 * mp + 2) / 5 + 1) as u8;
        let m = (if mp < 10 { mp + 3 } else { mp - 9 }) as u8;
        (yoe + era * 400 + (if m <= 2 { 1 } else { 0 }), m, d)
    }
    /// Year.
    pub const fn year(self) -> i32 {
        self.civil().0
    }
    /// Month, 1..=12.
    pub const fn month(self) -> u8 {
        self.civil().1
    }
    /// Day of the month, 1..=31.
    pub const fn day(self) -> u8 {
        self.civil().2
    }
    /// Weekday.
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
    /// This many days later.
    pub const fn add_days(self, days: i32) -> Date {
        Date(self.0 + days)
    }
}

/// Days of a month.
pub const fn days_in_month(year: i32, month: u8) -> u8 {
    match month {
        2 => {
            if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) {
                29
            } else {
                28
            }
        }
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (y, m, d) = self.civil();
        f.pad(&alloc::format!("{y:04}-{m:02}-{d:02}"))
    }
}
impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A weekday.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
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
    /// 0 for Monday.
    pub const fn days_from_monday(self) -> u8 {
        self as u8
    }
}
/// A day of the month.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DayOfMonth(pub u8);

/// An instant: UTC milliseconds since 1970.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(pub u64);
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}
impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
