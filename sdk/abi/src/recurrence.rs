//! When something happens again and again: a rule, a first day and an end.
//!
//! Every occurrence is counted from the anchor, never from the occurrence before, so that the 31st falls on
//! 28 February and on 31 March again, and a date moved for a holiday moves no later one.
//!
//! ```
//! use tenor_abi::date::{Date, DayOfMonth};
//! use tenor_abi::recurrence::Monthly;
//!
//! let rent = Monthly::on(DayOfMonth::of(31)).from(Date::of(2026, 1, 15)).count(3);
//! let days: Vec<_> = (0..).map_while(|n| rent.nth(n)).collect();
//! assert_eq!(days, [Date::of(2026, 1, 31), Date::of(2026, 2, 28), Date::of(2026, 3, 31)]);
//! ```

use crate::calendar::{BusinessDayConvention, Calendar, CalendarError};
use crate::date::{Date, DayOfMonth};
use crate::id::CalendarId;
use serde::{Deserialize, Serialize};

/// The most occurrences a recurrence with a count has.
pub const OCCURRENCES_MAX: u32 = 10_000;
/// Minutes of a day.
const DAY_MINUTES: u16 = 1440;

/// Why a recurrence is none.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RecurrenceError {
    /// The spacing is 0.
    #[error("every 0 days, weeks, months or years would never move on; give 1 or more")]
    EveryZero,
    /// The last day comes before the first occurrence.
    #[error("the end {until} comes before the first occurrence {first}")]
    EndBeforeStart {
        /// First occurrence, unadjusted.
        first: Date,
        /// Last day given.
        until: Date,
    },
    /// The count is 0 or too large.
    #[error("{given} occurrences given, 1 to 10000 are allowed; leave the count out for no end")]
    Count {
        /// Count given.
        given: u32,
    },
    /// The time of day lies after the day.
    #[error("{given} minutes after the start of the day given, at most 1439 allowed")]
    Minutes {
        /// Minutes given.
        given: u16,
    },
    /// A convention that moves days, and no calendar to move them by.
    #[error("the convention {0} needs a calendar, and none is named")]
    CalendarNeeded(BusinessDayConvention),
    /// There is no occurrence up to the year 9999.
    #[error("there is no occurrence from {first} to the end of the year 9999")]
    Never {
        /// First day given.
        first: Date,
    },
}

/// How far occurrences lie apart. Append only.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// Every so many days.
    Daily {
        /// Days, 1 or more.
        every: u16,
    },
    /// Every so many weeks, on the weekday of the first day.
    Weekly {
        /// Weeks, 1 or more.
        every: u16,
    },
    /// Every so many months on a day of the month; the last day in months without it.
    Monthly {
        /// Months, 1 or more.
        every: u16,
        /// Day of the month.
        day: DayOfMonth,
    },
    /// Every so many years on the day of the first; 29 February is 28 February in other years.
    Yearly {
        /// Years, 1 or more.
        every: u16,
    },
}

/// When it stops. Append only.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// Not at all.
    Never,
    /// After this day, which may have the last occurrence; compared before moving to business days.
    Until(Date),
    /// After so many occurrences, 1 to [`OCCURRENCES_MAX`].
    Count(u32),
}

/// When something happens again and again. Made by [`Daily`], [`Weekly`], [`Monthly`] or [`Yearly`].
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Recurrence {
    /// The day from which on: the first occurrence is the first day of the rule on or after it.
    pub first: Date,
    /// Spacing.
    pub rule: Rule,
    /// End.
    pub end: End,
    /// Where an occurrence goes that is not a business day.
    pub convention: BusinessDayConvention,
    /// The calendar that says so.
    pub calendar: Option<CalendarId>,
    /// Minutes after the start of the business day, 0 to 1439; the start when not given.
    pub minutes: Option<u16>,
}

impl Recurrence {
    const fn new(first: Date, rule: Rule) -> Recurrence {
        Recurrence {
            first,
            rule,
            end: End::Never,
            convention: BusinessDayConvention::Unadjusted,
            calendar: None,
            minutes: None,
        }
    }

    /// Whether the recurrence is one.
    ///
    /// # Errors
    /// [`RecurrenceError`], naming the first thing wrong.
    pub fn validate(&self) -> Result<(), RecurrenceError> {
        let (Rule::Daily { every }
        | Rule::Weekly { every }
        | Rule::Monthly { every, .. }
        | Rule::Yearly { every }) = self.rule;
        if every == 0 {
            return Err(RecurrenceError::EveryZero);
        }
        let first = self.occurrence(0).ok_or(RecurrenceError::Never { first: self.first })?;
        match self.end {
            End::Until(until) if until < first => {
                return Err(RecurrenceError::EndBeforeStart { first, until });
            }
            End::Count(given) if !(1..=OCCURRENCES_MAX).contains(&given) => {
                return Err(RecurrenceError::Count { given });
            }
            _ => {}
        }
        if let Some(given) = self.minutes.filter(|minutes| *minutes >= DAY_MINUTES) {
            return Err(RecurrenceError::Minutes { given });
        }
        if self.convention != BusinessDayConvention::Unadjusted && self.calendar.is_none() {
            return Err(RecurrenceError::CalendarNeeded(self.convention));
        }
        Ok(())
    }

    /// The day of occurrence `n`, from 0, whatever the end; none after the year 9999.
    fn occurrence(&self, n: u32) -> Option<Date> {
        let steps = |every: u16, unit: i64| i32::try_from(i64::from(n) * i64::from(every) * unit).ok();
        match self.rule {
            Rule::Daily { every } => self.first.checked_add_days(steps(every, 1)?),
            Rule::Weekly { every } => self.first.checked_add_days(steps(every, 7)?),
            Rule::Yearly { every } => self.first.checked_add_months(steps(every, 12)?),
            Rule::Monthly { every, day } => {
                let (year, month, _) = self.first.ymd();
                let passed = day.in_month(year, month) < self.first;
                let start = Date::of(year, month, 1).checked_add_months(i32::from(passed))?;
                let (year, month, _) = start.checked_add_months(steps(every, 1)?)?.ymd();
                Some(day.in_month(year, month))
            }
        }
    }

    /// The day of occurrence `n`, from 0, before moving to a business day; none after the end.
    ///
    /// Strictly rising in `n`. A valid recurrence has occurrence 0.
    pub fn nth(&self, n: u32) -> Option<Date> {
        match self.end {
            End::Count(count) if n >= count => None,
            End::Until(until) => self.occurrence(n).filter(|date| *date <= until),
            _ => self.occurrence(n),
        }
    }

    /// The day of occurrence `n`, moved to a business day; none after the end.
    ///
    /// Never falling in `n`, but two occurrences may meet on one day, as a daily one does after a weekend.
    ///
    /// # Errors
    /// [`CalendarError::Missing`] when a convention needs a calendar and none is given,
    /// [`CalendarError::Outside`] the years it covers.
    pub fn adjusted(&self, n: u32, calendar: Option<&Calendar>) -> Result<Option<Date>, CalendarError> {
        let Some(date) = self.nth(n) else { return Ok(None) };
        match calendar {
            _ if self.convention == BusinessDayConvention::Unadjusted => Ok(Some(date)),
            Some(calendar) => calendar.adjust(date, self.convention).map(Some),
            None => Err(CalendarError::Missing { date }),
        }
    }

    /// With this spacing, in the unit of the rule.
    #[must_use]
    pub const fn every(mut self, count: u16) -> Recurrence {
        self.rule = match self.rule {
            Rule::Daily { .. } => Rule::Daily { every: count },
            Rule::Weekly { .. } => Rule::Weekly { every: count },
            Rule::Monthly { day, .. } => Rule::Monthly { every: count, day },
            Rule::Yearly { .. } => Rule::Yearly { every: count },
        };
        self
    }

    /// Ending after this day, which may have the last occurrence; in place of any other end.
    #[must_use]
    pub const fn until(mut self, last: Date) -> Recurrence {
        self.end = End::Until(last);
        self
    }

    /// Ending after so many occurrences; in place of any other end.
    #[must_use]
    pub const fn count(mut self, occurrences: u32) -> Recurrence {
        self.end = End::Count(occurrences);
        self
    }

    /// Moving occurrences to business days of a calendar.
    #[must_use]
    pub const fn adjust(mut self, convention: BusinessDayConvention, calendar: CalendarId) -> Recurrence {
        self.convention = convention;
        self.calendar = Some(calendar);
        self
    }

    /// At this time of the business day, in minutes after its start.
    #[must_use]
    pub const fn at_minutes(mut self, minutes: u16) -> Recurrence {
        self.minutes = Some(minutes);
        self
    }
}

/// Every day, from a day on.
pub struct Daily;
impl Daily {
    /// Every day from this one on.
    pub const fn from(first: Date) -> Recurrence {
        Recurrence::new(first, Rule::Daily { every: 1 })
    }
}

/// Every week on one weekday, from a day on.
pub struct Weekly;
impl Weekly {
    /// Every week on the weekday of this day, from it on.
    pub const fn from(first: Date) -> Recurrence {
        Recurrence::new(first, Rule::Weekly { every: 1 })
    }
}

/// Every month on a day, from a day on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Monthly(DayOfMonth);
impl Monthly {
    /// Every month on this day.
    pub const fn on(day: DayOfMonth) -> Monthly {
        Monthly(day)
    }

    /// From this day on: the first occurrence is the first such day on or after it.
    pub const fn from(self, first: Date) -> Recurrence {
        Recurrence::new(first, Rule::Monthly { every: 1, day: self.0 })
    }
}

/// Every year on one day, from a day on.
pub struct Yearly;
impl Yearly {
    /// Every year on the day of this one, from it on.
    pub const fn from(first: Date) -> Recurrence {
        Recurrence::new(first, Rule::Yearly { every: 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{decode, encode};
    use alloc::string::ToString;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn all(recurrence: &Recurrence) -> Vec<Date> {
        (0..).map_while(|n| recurrence.nth(n)).collect()
    }

    #[test]
    fn a_month_keeps_its_day() {
        let recurrence = Monthly::on(DayOfMonth::of(30)).from(Date::of(2024, 1, 30)).count(4);
        let days = [(1, 30), (2, 29), (3, 30), (4, 30)].map(|(m, d)| Date::of(2024, m, d));
        assert_eq!(all(&recurrence), days);
        let quarter = Monthly::on(DayOfMonth::LAST).from(Date::of(2025, 11, 30)).every(3).count(3);
        let days = [Date::of(2025, 11, 30), Date::of(2026, 2, 28), Date::of(2026, 5, 31)];
        assert_eq!(all(&quarter), days);
        let later = Monthly::on(DayOfMonth::of(5)).from(Date::of(2025, 12, 6)).every(2);
        assert_eq!(later.nth(0), Some(Date::of(2026, 1, 5)), "the next fifth, not two months on");
        assert_eq!(later.nth(1), Some(Date::of(2026, 3, 5)));
    }

    #[test]
    fn days_weeks_and_years() {
        let first = Date::of(2024, 2, 29);
        assert_eq!(all(&Daily::from(first).every(10).until(Date::of(2024, 3, 20))).len(), 3);
        assert_eq!(Weekly::from(first).every(2).nth(1), Some(Date::of(2024, 3, 14)));
        let days = [(2024, 29), (2025, 28), (2026, 28), (2027, 28), (2028, 29)];
        assert_eq!(all(&Yearly::from(first).count(5)), days.map(|(y, d)| Date::of(y, 2, d)));
    }

    #[test]
    fn moving_for_a_holiday_moves_nothing_later() {
        let calendar = Calendar::named("TARGET", 2026, 2026).unwrap();
        let id = CalendarId([1; 32]);
        let recurrence = Monthly::on(DayOfMonth::LAST)
            .from(Date::of(2026, 1, 1))
            .adjust(BusinessDayConvention::ModifiedFollowing, id);
        let moved = |n| recurrence.adjusted(n, Some(&calendar)).unwrap();
        assert_eq!(moved(0), Some(Date::of(2026, 1, 30)));
        assert_eq!(moved(1), Some(Date::of(2026, 2, 27)));
        assert_eq!(moved(2), Some(Date::of(2026, 3, 31)));
        assert!(matches!(recurrence.adjusted(12, Some(&calendar)), Err(CalendarError::Outside { .. })));
        assert!(matches!(recurrence.adjusted(0, None), Err(CalendarError::Missing { .. })));
        assert_eq!(recurrence.clone().count(1).adjusted(1, None), Ok(None));
        assert_eq!(decode::<Recurrence>(&encode(&recurrence), 100), Ok(recurrence));
    }

    #[test]
    fn what_is_no_recurrence() {
        let first = Date::of(2026, 1, 31);
        let error = |recurrence: Recurrence| recurrence.validate().unwrap_err();
        assert_eq!(Daily::from(first).validate(), Ok(()));
        assert_eq!(error(Daily::from(first).every(0)), RecurrenceError::EveryZero);
        assert_eq!(error(Daily::from(first).count(0)), RecurrenceError::Count { given: 0 });
        assert_eq!(error(Daily::from(first).count(10_001)), RecurrenceError::Count { given: 10_001 });
        let until = Date::of(2026, 2, 14);
        let short = Monthly::on(DayOfMonth::of(15)).from(first).until(until);
        assert_eq!(
            error(short).to_string(),
            "the end 2026-02-14 comes before the first occurrence 2026-02-15"
        );
        assert_eq!(error(Daily::from(first).at_minutes(1440)), RecurrenceError::Minutes { given: 1440 });
        let mut lost = Daily::from(first);
        lost.convention = BusinessDayConvention::Following;
        assert_eq!(error(lost).to_string(), "the convention following needs a calendar, and none is named");
        let never = Monthly::on(DayOfMonth::of(1)).from(Date::MAX);
        assert_eq!(error(never), RecurrenceError::Never { first: Date::MAX });
        assert_eq!(Yearly::from(first).every(u16::MAX).nth(u32::MAX), None);
    }

    proptest! {
        #[test]
        fn rises_and_never_repeats_or_skips(
            days in 0..40_000i32, every in 1..20u16, kind in 0..4u8, day in 0..=31u8, n in 0..300u32,
        ) {
            let first = Date::from_days(days);
            let day = DayOfMonth::try_from(day).unwrap();
            let recurrence = match kind {
                0 => Daily::from(first),
                1 => Weekly::from(first),
                2 => Monthly::on(day).from(first),
                _ => Yearly::from(first),
            }
            .every(every);
            prop_assert_eq!(recurrence.validate(), Ok(()));
            prop_assert!(recurrence.nth(0).unwrap() >= first);
            let (a, b) = (recurrence.nth(n).unwrap(), recurrence.nth(n + 1).unwrap());
            prop_assert!(a < b);
            let (gap, every) = (b.days() - a.days(), i32::from(every));
            let (least, most) = [(1, 1), (7, 7), (28, 31), (365, 366)][usize::from(kind)];
            prop_assert!(gap >= least * every && gap <= most * every);
            if kind >= 2 {
                let month = |date: Date| date.year() * 12 + i32::from(date.month());
                prop_assert_eq!(month(b) - month(a), every * if kind == 2 { 1 } else { 12 });
            }
            if kind == 2 {
                prop_assert_eq!(b, day.in_month(b.year(), b.month()));
                prop_assert!(month_before_is_before(&recurrence, day));
            }
            prop_assert_eq!(recurrence.clone().until(a).nth(n), Some(a));
            prop_assert_eq!(recurrence.clone().until(b.add_days(-1)).nth(n + 1), None);
            prop_assert_eq!(recurrence.clone().count(n + 1).nth(n), Some(a));
            prop_assert_eq!(recurrence.count(n + 1).nth(n + 1), None);
        }
    }

    /// No such day lies between the day given and the first occurrence.
    fn month_before_is_before(recurrence: &Recurrence, day: DayOfMonth) -> bool {
        let before = recurrence.nth(0).unwrap().add_months(-1);
        day.in_month(before.year(), before.month()) < recurrence.first
    }
}
