//! Recurrence: when a schedule falls due, as data that the host owns.
//!
//! The days follow from the rule and its anchor alone: the n-th day is computed, not stepped to, so a monthly
//! rule on the 31st comes back to the 31st after a short month.

use crate::calendar::{BusinessDayConvention, Calendar, CalendarError};
use crate::date::{Date, DayOfMonth};
use crate::id::CalendarId;
use serde::{Deserialize, Serialize};

/// Most occurrences of a counted recurrence.
pub const OCCURRENCES_MAX: u32 = 10_000;
/// Longest step of a rule, in days, weeks, months or years.
pub const EVERY_MAX: u16 = 1_000;

/// How days follow each other. Append only.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Rule {
    /// Every so many days.
    Daily {
        /// Days.
        every: u16,
    },
    /// Every so many weeks, on the weekday of the first day.
    Weekly {
        /// Weeks.
        every: u16,
    },
    /// Every so many months, on a day of the month; a day that a month lacks is its last.
    Monthly {
        /// Months.
        every: u16,
        /// Day of the month.
        day: DayOfMonth,
    },
    /// Every so many years, on the month and day of the first day; 29 February is the 28th in other years.
    Yearly {
        /// Years.
        every: u16,
    },
}

/// When a recurrence ends. Append only.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum End {
    /// Not by itself.
    Never,
    /// After this day, before it is moved to a business day.
    Until(Date),
    /// After so many occurrences, 1..=[`OCCURRENCES_MAX`].
    Count(u32),
}

/// Why a recurrence is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RecurrenceError {
    /// The step is zero or too long.
    #[error("a step of {0} given, 1 to {EVERY_MAX} allowed")]
    Every(u16),
    /// It ends before its first day.
    #[error("it would end on {until}, before its first day {first}")]
    EndBeforeStart {
        /// Last day given.
        until: Date,
        /// First occurrence.
        first: Date,
    },
    /// No occurrence, or too many.
    #[error("{0} occurrences given, 1 to {OCCURRENCES_MAX} allowed")]
    Count(u32),
    /// Minutes outside a day.
    #[error("{0} minutes after the start of the day given, 0 to 1439 allowed")]
    Minutes(u16),
    /// A business-day convention without a calendar, or a calendar without one.
    #[error("a business-day convention and a calendar go together")]
    Calendar,
}

/// When something falls due.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Recurrence {
    /// How days follow each other.
    pub rule: Rule,
    /// Where it begins: the first occurrence is the first day of the rule on or after it.
    pub first: Date,
    /// When it ends.
    pub end: End,
    /// How a day that is no business day is moved.
    pub convention: BusinessDayConvention,
    /// Which days are business days.
    pub calendar: Option<CalendarId>,
    /// Minutes after the start of the business date; none means at its start.
    pub minutes: Option<u16>,
}

/// A daily recurrence: `Daily::from(date).every(2).count(10)`.
#[derive(Clone, Copy, Debug)]
pub struct Daily;
/// A weekly recurrence: `Weekly::from(date).until(end)`.
#[derive(Clone, Copy, Debug)]
pub struct Weekly;
/// A monthly recurrence: `Monthly::on(DayOfMonth::LAST).from(date)`.
#[derive(Clone, Copy, Debug)]
pub struct Monthly(DayOfMonth);
/// A yearly recurrence: `Yearly::from(date)`.
#[derive(Clone, Copy, Debug)]
pub struct Yearly;

impl Daily {
    /// Every day from one on.
    pub const fn from(first: Date) -> Recurrence {
        Recurrence::new(Rule::Daily { every: 1 }, first)
    }
}

impl Weekly {
    /// Every week from a day on, on its weekday.
    pub const fn from(first: Date) -> Recurrence {
        Recurrence::new(Rule::Weekly { every: 1 }, first)
    }
}

impl Monthly {
    /// Every month on a day.
    pub const fn on(day: DayOfMonth) -> Monthly {
        Monthly(day)
    }
    /// From the first such day on or after this one.
    pub const fn from(self, first: Date) -> Recurrence {
        Recurrence::new(Rule::Monthly { every: 1, day: self.0 }, first)
    }
}

impl Yearly {
    /// Every year from a day on.
    pub const fn from(first: Date) -> Recurrence {
        Recurrence::new(Rule::Yearly { every: 1 }, first)
    }
}

impl Recurrence {
    /// A rule from a day on, without an end, on every calendar day.
    pub const fn new(rule: Rule, first: Date) -> Recurrence {
        let convention = BusinessDayConvention::Unadjusted;
        Recurrence { rule, first, end: End::Never, convention, calendar: None, minutes: None }
    }

    /// Another step.
    pub const fn every(mut self, step: u16) -> Recurrence {
        self.rule = match self.rule {
            Rule::Daily { .. } => Rule::Daily { every: step },
            Rule::Weekly { .. } => Rule::Weekly { every: step },
            Rule::Monthly { day, .. } => Rule::Monthly { every: step, day },
            Rule::Yearly { .. } => Rule::Yearly { every: step },
        };
        self
    }

    /// Ends after a day.
    pub const fn until(mut self, last: Date) -> Recurrence {
        self.end = End::Until(last);
        self
    }

    /// Ends after so many occurrences.
    pub const fn count(mut self, count: u32) -> Recurrence {
        self.end = End::Count(count);
        self
    }

    /// Moves days that are no business days of a calendar.
    pub const fn adjust(mut self, convention: BusinessDayConvention, calendar: CalendarId) -> Recurrence {
        self.convention = convention;
        self.calendar = Some(calendar);
        self
    }

    /// Falls due so many minutes after the start of the business date.
    pub const fn at_minutes(mut self, minutes: u16) -> Recurrence {
        self.minutes = Some(minutes);
        self
    }

    /// Checks that it means something.
    ///
    /// # Errors
    /// [`RecurrenceError`]: the first rule that is broken.
    pub fn validate(&self) -> Result<(), RecurrenceError> {
        let (Rule::Daily { every }
        | Rule::Weekly { every }
        | Rule::Monthly { every, .. }
        | Rule::Yearly { every }) = self.rule;
        if every == 0 || every > EVERY_MAX {
            return Err(RecurrenceError::Every(every));
        }
        if let Some(minutes) = self.minutes.filter(|minutes| *minutes > 1439) {
            return Err(RecurrenceError::Minutes(minutes));
        }
        if (self.convention == BusinessDayConvention::Unadjusted) != self.calendar.is_none() {
            return Err(RecurrenceError::Calendar);
        }
        match self.end {
            End::Count(count) if count == 0 || count > OCCURRENCES_MAX => Err(RecurrenceError::Count(count)),
            End::Until(until) if until < self.unbounded(0) => {
                Err(RecurrenceError::EndBeforeStart { until, first: self.unbounded(0) })
            }
            _ => Ok(()),
        }
    }

    /// The day of an occurrence, counted from 0 and before it is moved; none after the end.
    pub fn nth(&self, number: u32) -> Option<Date> {
        let day = self.unbounded(number);
        match self.end {
            End::Never => Some(day),
            End::Until(last) => (day <= last).then_some(day),
            End::Count(count) => (number < count).then_some(day),
        }
    }

    /// The day of an occurrence, moved to a business day; none after the end.
    ///
    /// # Errors
    /// [`CalendarError`] where the calendar does not reach.
    pub fn adjusted(&self, number: u32, calendar: Option<&Calendar>) -> Result<Option<Date>, CalendarError> {
        match (self.nth(number), calendar) {
            (Some(day), Some(calendar)) => calendar.adjust(day, self.convention).map(Some),
            (day, _) => Ok(day),
        }
    }

    fn unbounded(&self, number: u32) -> Date {
        let steps = |every: u16| i64::from(number) * i64::from(every);
        match self.rule {
            Rule::Daily { every } => later(self.first, steps(every)),
            Rule::Weekly { every } => later(self.first, 7 * steps(every)),
            Rule::Monthly { every, day } => {
                let here = month_day(self.first, 0, day);
                let skip = i64::from(here < self.first);
                month_day(self.first, skip + steps(every), day)
            }
            Rule::Yearly { every } => month_day(self.first, 12 * steps(every), day_of(self.first)),
        }
    }
}

fn later(day: Date, days: i64) -> Date {
    Date::from_days((i64::from(day.days()) + days).min(i64::from(Date::MAX.days())) as i32)
}

fn day_of(date: Date) -> DayOfMonth {
    DayOfMonth::new(date.day()).unwrap_or(DayOfMonth::LAST)
}

/// A day of the month so many months after that of a date.
fn month_day(from: Date, months: i64, day: DayOfMonth) -> Date {
    let month = i64::from(from.year()) * 12 + i64::from(from.month()) - 1 + months;
    let (year, month) = (month.div_euclid(12), month.rem_euclid(12) + 1);
    if year > 9999 { Date::MAX } else { day.in_month(year as i32, month as u8) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn days(recurrence: Recurrence, count: u32) -> Vec<alloc::string::String> {
        (0..count).filter_map(|number| recurrence.nth(number)).map(|day| alloc::format!("{day}")).collect()
    }

    #[test]
    fn the_31st_comes_back_after_a_short_month() {
        let monthly = Monthly::on(DayOfMonth::new(31).unwrap()).from(Date::of(2028, 1, 31));
        assert_eq!(days(monthly, 4), ["2028-01-31", "2028-02-29", "2028-03-31", "2028-04-30"]);
        let last = Monthly::on(DayOfMonth::LAST).from(Date::of(2027, 2, 1)).count(2);
        assert_eq!(days(last, 4), ["2027-02-28", "2027-03-31"]);
    }

    #[test]
    fn the_first_day_is_on_or_after_the_start() {
        let monthly = Monthly::on(DayOfMonth::new(10).unwrap())
            .from(Date::of(2026, 1, 11))
            .until(Date::of(2026, 3, 10));
        assert_eq!(days(monthly, 9), ["2026-02-10", "2026-03-10"]);
    }

    #[test]
    fn what_makes_no_sense_is_explained() {
        let base = Daily::from(Date::of(2026, 1, 1));
        let text = |r: Recurrence| alloc::format!("{}", r.validate().unwrap_err());
        assert_eq!(text(base.every(0)), "a step of 0 given, 1 to 1000 allowed");
        assert_eq!(text(base.count(10_001)), "10001 occurrences given, 1 to 10000 allowed");
        assert_eq!(
            text(base.until(Date::of(2025, 12, 31))),
            "it would end on 2025-12-31, before its first day 2026-01-01"
        );
    }

    proptest! {
        #[test]
        fn days_rise_strictly(rule in 0u8..4, every in 1u16..40, start in 10_000i32..30_000, day in 1u8..32, count in 2u32..200) {
            let first = Date::from_days(start);
            let rule = match rule {
                0 => Daily::from(first),
                1 => Weekly::from(first),
                2 => Monthly::on(DayOfMonth::new(day).unwrap()).from(first),
                _ => Yearly::from(first),
            };
            let recurrence = rule.every(every).count(count);
            let all: Vec<Date> = (0..=count).map_while(|number| recurrence.nth(number)).collect();
            prop_assert_eq!(all.len(), count as usize);
            prop_assert!(all[0] >= first);
            prop_assert!(all.is_sorted_by(|a, b| a < b));
        }
    }
}
