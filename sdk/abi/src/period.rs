//! Periods between two days: regular steps with a roll convention, and stubs where they do not fit.
//!
//! A recurrence goes on from an anchor; periods divide a span whose both ends are given, like the term of a
//! loan. What does not divide becomes a shorter or longer period at one end, the stub.

use crate::calendar::{BusinessDayConvention, Calendar, CalendarError};
use crate::date::{Date, Weekday, days_in_month};
use crate::recurrence::{EVERY_MAX, OCCURRENCES_MAX};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Why there are no periods.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PeriodError {
    /// The days are not in order.
    #[error("start, first and last regular day and end have to rise, {later} comes after {earlier}")]
    Order {
        /// The day that should be the earlier.
        earlier: Date,
        /// The day that should be the later.
        later: Date,
    },
    /// The step is zero or too long.
    #[error("a step of {0} given, 1 to {EVERY_MAX} allowed")]
    Step(u16),
    /// The roll convention names no day.
    #[error("a roll on day {0} given, 1 to 31 allowed")]
    RollDay(u8),
    /// A stub is left that the stub convention does not allow.
    #[error("{start} to {end} does not divide into whole periods and no stub is allowed")]
    Stub {
        /// Where the regular periods begin.
        start: Date,
        /// Where they end.
        end: Date,
    },
    /// The stub convention and the regular days given contradict each other.
    #[error("the stub convention {0:?} contradicts the first or last regular day given")]
    Explicit(Stub),
    /// The day stepped from is none of the roll convention.
    #[error("{0} is no day of the roll convention that the steps start from")]
    Roll(Date),
    /// Two days of the periods are the same.
    #[error("two periods meet on {0}")]
    Same(Date),
    /// Too many periods.
    #[error("more than {OCCURRENCES_MAX} periods")]
    TooMany,
    /// The calendar does not reach.
    #[error(transparent)]
    Calendar(#[from] CalendarError),
}

/// How long a regular period is. Append only.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Step {
    /// So many days; a week is 7.
    Days(u16),
    /// So many months; a year is 12.
    Months(u16),
}

impl Step {
    const fn size(self) -> u16 {
        match self {
            Step::Days(size) | Step::Months(size) => size,
        }
    }

    /// One step from a day, forwards with 1 and backwards with -1.
    const fn from(self, date: Date, direction: i32) -> Date {
        match self {
            Step::Days(days) => date.add_days(direction * days as i32),
            Step::Months(months) => date.add_months(direction * months as i32),
        }
    }
}

/// On which day of a month or week steps land. Append only.
///
/// Source: ISDA 2006 section 4.12 and FpML roll conventions; names as OpenGamma Strata.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Roll {
    /// Wherever the step lands.
    None,
    /// The last day of the month.
    EndOfMonth,
    /// A day of the month, 1 to 31, or the last where the month has no such day.
    Day(u8),
    /// A day of the week.
    Weekday(Weekday),
    /// The third Wednesday.
    Imm,
    /// The Thursday before the second Friday.
    ImmAud,
    /// The Wednesday on or after the 9th.
    ImmNzd,
    /// The second Friday.
    Sfe,
}

/// The first such weekday at or after a day.
fn on_or_after(date: Date, weekday: Weekday) -> Date {
    let ahead = i32::from(weekday.days_from_monday()) - i32::from(date.weekday().days_from_monday());
    date.add_days(ahead.rem_euclid(7))
}

/// A day of the month that a date lies in, at most its last.
fn day_of_month(date: Date, day: u8) -> Date {
    let (year, month, _) = date.ymd();
    Date::of(year, month, day.clamp(1, days_in_month(year, month)))
}

impl Roll {
    /// The day of the convention in the month of a date, or in the seven days from it.
    pub fn adjust(self, date: Date) -> Date {
        match self {
            Roll::None => date,
            Roll::EndOfMonth => date.month_end(),
            Roll::Day(day) => day_of_month(date, day),
            Roll::Weekday(weekday) => on_or_after(date, weekday),
            Roll::Imm => on_or_after(day_of_month(date, 15), Weekday::Wednesday),
            Roll::ImmAud => on_or_after(day_of_month(date, 8), Weekday::Friday).add_days(-1),
            Roll::ImmNzd => on_or_after(day_of_month(date, 9), Weekday::Wednesday),
            Roll::Sfe => on_or_after(day_of_month(date, 8), Weekday::Friday),
        }
    }

    /// Whether a date is a day of the convention.
    pub fn matches(self, date: Date) -> bool {
        self.adjust(date) == date
    }

    /// The day of the convention one step later, in any case after the date unless the calendar ends.
    pub fn next(self, date: Date, step: Step) -> Date {
        match self.adjust(step.from(date, 1)) {
            next if next > date => next,
            _ => self.adjust(date.add_months(1)),
        }
    }

    /// The day of the convention one step earlier, in any case before the date unless the calendar ends.
    pub fn previous(self, date: Date, step: Step) -> Date {
        let stepped = step.from(date, -1);
        if let Roll::Weekday(weekday) = self {
            return on_or_after(stepped.add_days(-6), weekday);
        }
        match self.adjust(stepped) {
            previous if previous < date => previous,
            _ => self.adjust(date.add_months(-1)),
        }
    }

    /// The day of the month it stands for, 31 for the last.
    const fn day(self) -> Option<u8> {
        match self {
            Roll::EndOfMonth => Some(31),
            Roll::Day(day) => Some(day),
            _ => None,
        }
    }

    const fn of_day(day: u8) -> Roll {
        if day == 31 { Roll::EndOfMonth } else { Roll::Day(day) }
    }
}

/// Where the days go that make no whole period. Append only.
///
/// Source: names and rules as OpenGamma Strata `StubConvention`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Stub {
    /// There are no such days; a span shorter than one step is one period.
    None,
    /// A shorter first period.
    ShortInitial,
    /// A longer first period.
    LongInitial,
    /// A shorter first period, or a longer one when the shorter had less than 7 days.
    SmartInitial,
    /// A shorter last period.
    ShortFinal,
    /// A longer last period.
    LongFinal,
    /// A shorter last period, or a longer one when the shorter had less than 7 days.
    SmartFinal,
    /// Both ends have one; the first and last regular day are given.
    Both,
}

impl Stub {
    const fn is_backwards(self) -> bool {
        matches!(self, Stub::ShortInitial | Stub::LongInitial | Stub::SmartInitial)
    }

    /// Whether the days between are joined to the period beside them.
    fn joins(self, from: Date, to: Date) -> bool {
        match self {
            Stub::LongInitial | Stub::LongFinal => true,
            Stub::SmartInitial | Stub::SmartFinal => to.days() - from.days() < 7,
            _ => false,
        }
    }

    /// What is left of the convention where regular days are given; an error where they contradict it.
    fn implicit(self, initial: bool, last: bool) -> Result<Stub, PeriodError> {
        let contradicts = match self {
            Stub::None => initial || last,
            Stub::ShortInitial | Stub::LongInitial => last,
            Stub::ShortFinal | Stub::LongFinal => initial,
            Stub::SmartInitial | Stub::SmartFinal => false,
            Stub::Both => !(initial && last),
        };
        if contradicts {
            return Err(PeriodError::Explicit(self));
        }
        let given = if self.is_backwards() { initial } else { last };
        Ok(if given || self == Stub::Both { Stub::None } else { self })
    }
}

/// A span and how it is divided.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Periods {
    /// First day.
    pub start: Date,
    /// Last day.
    pub end: Date,
    /// Length of a regular period.
    pub step: Step,
    /// What happens to days that make no whole period; none where regular days or the roll say it.
    pub stub: Option<Stub>,
    /// Where steps land; none for the day that the stepping starts from.
    pub roll: Option<Roll>,
    /// Where the regular periods begin when not at the start.
    pub first_regular: Option<Date>,
    /// Where the regular periods end when not at the end.
    pub last_regular: Option<Date>,
    /// How days between are moved to business days, and the first and the last.
    pub convention: BusinessDayConvention,
    /// How the first day is moved when otherwise; [`BusinessDayConvention::Unadjusted`] when it was already.
    pub start_convention: Option<BusinessDayConvention>,
}

impl Periods {
    /// Periods of a length, without a stub or another convention.
    pub const fn new(start: Date, end: Date, step: Step) -> Periods {
        Periods {
            start,
            end,
            step,
            stub: None,
            roll: None,
            first_regular: None,
            last_regular: None,
            convention: BusinessDayConvention::Unadjusted,
            start_convention: None,
        }
    }

    /// The days where periods begin and end, before they are moved to business days.
    ///
    /// With a roll convention, a day that is a moved one of the convention counts as the day before it was
    /// moved: the first only when it is said to have been moved, or for the end of the month.
    ///
    /// # Errors
    /// [`PeriodError`].
    pub fn unadjusted(&self, calendar: Option<&Calendar>) -> Result<Vec<Date>, PeriodError> {
        let [start, first, last, end] = self.corners(calendar)?;
        let days = if first == end || last == start {
            Vec::from([start, end])
        } else {
            self.divide(start, first, last, end)?
        };
        rising(days)
    }

    /// The days where periods begin and end, moved to business days.
    ///
    /// # Errors
    /// [`PeriodError`]; also when two days are moved to the same.
    pub fn adjusted(&self, calendar: Option<&Calendar>) -> Result<Vec<Date>, PeriodError> {
        let mut days = self.unadjusted(calendar)?;
        let ends = days.len().saturating_sub(1);
        for (at, day) in days.iter_mut().enumerate() {
            let (given, convention) = match at {
                0 => (self.start, self.start_convention.unwrap_or(self.convention)),
                at if at == ends => (self.end, self.convention),
                _ => (*day, self.convention),
            };
            *day = move_day(given, convention, calendar)?;
        }
        rising(days)
    }

    /// The roll convention that the steps follow.
    ///
    /// # Errors
    /// [`PeriodError`].
    pub fn effective_roll(&self, calendar: Option<&Calendar>) -> Result<Roll, PeriodError> {
        let [_, first, last, _] = self.corners(calendar)?;
        Ok(self.roll_between(first, last))
    }

    /// Start, first and last regular day and end, before they were moved.
    fn corners(&self, calendar: Option<&Calendar>) -> Result<[Date; 4], PeriodError> {
        self.validate()?;
        let moved = self.start_convention == Some(BusinessDayConvention::Unadjusted);
        let start = match self.roll {
            Some(Roll::EndOfMonth) => self.before_move(self.start, calendar)?,
            _ if moved => self.before_move(self.start, calendar)?,
            _ => self.start,
        };
        let end = self.before_move(self.end, calendar)?;
        let regular = |given: Option<Date>, other: Date| {
            given.map_or(Ok(other), |given| self.before_move(given, calendar))
        };
        let (first, last) = (regular(self.first_regular, start)?, regular(self.last_regular, end)?);
        Ok([start, first, last, end])
    }

    fn validate(&self) -> Result<(), PeriodError> {
        if !(1..=EVERY_MAX).contains(&self.step.size()) {
            return Err(PeriodError::Step(self.step.size()));
        }
        if let Some(Roll::Day(day)) = self.roll.filter(|roll| matches!(roll, Roll::Day(0 | 32..))) {
            return Err(PeriodError::RollDay(day));
        }
        let first = self.first_regular.unwrap_or(self.start);
        let last = self.last_regular.unwrap_or(self.end);
        for (earlier, later) in [(self.start, first), (first, last), (last, self.end)] {
            if earlier > later {
                return Err(PeriodError::Order { earlier, later });
            }
        }
        if self.start == self.end {
            return Err(PeriodError::Same(self.start));
        }
        Ok(())
    }

    /// The day of the roll convention that a day was moved from; itself when it was not.
    fn before_move(&self, day: Date, calendar: Option<&Calendar>) -> Result<Date, PeriodError> {
        let Some(roll) = self.roll else { return Ok(day) };
        let rolled = roll.adjust(day);
        let moved = rolled != day && move_day(rolled, self.convention, calendar)? == day;
        Ok(if moved { rolled } else { day })
    }

    fn roll_between(&self, first: Date, last: Date) -> Roll {
        let month_end = match self.roll {
            Some(Roll::EndOfMonth) => true,
            None | Some(Roll::None) => false,
            Some(roll) => return roll,
        };
        let stub = self.stub.unwrap_or(Stub::None);
        match self.step {
            Step::Days(days) if days % 7 == 0 => {
                Roll::Weekday(if stub.is_backwards() { last } else { first }.weekday())
            }
            Step::Days(_) if month_end => Roll::EndOfMonth,
            Step::Days(_) => Roll::None,
            Step::Months(_) => {
                let same_month = first.month_end() == last.month_end();
                let ends = first.is_month_end() || last.is_month_end();
                if stub == Stub::None && first.day() != last.day() && !same_month && ends {
                    return if month_end {
                        Roll::EndOfMonth
                    } else {
                        Roll::of_day(first.day().max(last.day()))
                    };
                }
                let from = if stub.is_backwards() { last } else { first };
                if month_end && from.is_month_end() { Roll::EndOfMonth } else { Roll::of_day(from.day()) }
            }
        }
    }

    /// What the roll convention says of stubs when nothing else does: the end on its day is stepped from.
    fn stub_of_roll(&self, first: Date, last: Date) -> Stub {
        match self.roll.and_then(Roll::day) {
            Some(day) if day == last.day() => Stub::SmartInitial,
            Some(day) if day == first.day() => Stub::SmartFinal,
            _ => Stub::None,
        }
    }

    fn divide(&self, start: Date, first: Date, last: Date, end: Date) -> Result<Vec<Date>, PeriodError> {
        let (initial_given, final_given) = (start != first, last != end);
        let roll = self.roll_between(first, last);
        let stub = match self.stub {
            Some(stub) => stub.implicit(initial_given, final_given)?,
            None if initial_given || final_given => Stub::None,
            None => self.stub_of_roll(first, last),
        };
        let mut days = if stub.is_backwards() {
            self.backwards(first, last, roll, stub)?
        } else {
            self.forwards(first, last, roll, stub, final_given)?
        };
        if initial_given {
            days.insert(0, start);
        }
        if final_given {
            days.push(end);
        }
        Ok(days)
    }

    fn backwards(&self, first: Date, last: Date, roll: Roll, stub: Stub) -> Result<Vec<Date>, PeriodError> {
        if !roll.matches(last) {
            return Err(PeriodError::Roll(last));
        }
        let mut days = Vec::from([last]);
        let mut day = roll.previous(last, self.step);
        while day > first {
            days.push(day);
            day = stepped(roll.previous(day, self.step), day, days.len())?;
        }
        if day != first && days.len() > 1 && days.last().is_some_and(|next| stub.joins(first, *next)) {
            days.pop();
        }
        days.push(first);
        days.reverse();
        Ok(days)
    }

    fn forwards(
        &self,
        first: Date,
        last: Date,
        roll: Roll,
        stub: Stub,
        final_given: bool,
    ) -> Result<Vec<Date>, PeriodError> {
        if !roll.matches(first) {
            return Err(PeriodError::Roll(first));
        }
        let mut days = Vec::from([first]);
        if first == last {
            return Ok(days);
        }
        let mut day = roll.next(first, self.step);
        while day < last {
            days.push(day);
            day = stepped(roll.next(day, self.step), day, days.len())?;
        }
        if day != last && days.len() > 1 {
            // A month end that is not the end of the last month may end what begins on the same day.
            let same_day = roll == Roll::EndOfMonth && !final_given && first.day() == last.day();
            let stub = match stub {
                Stub::None if same_day && matches!(self.step, Step::Months(_)) => Stub::SmartFinal,
                Stub::None => return Err(PeriodError::Stub { start: first, end: last }),
                stub => stub,
            };
            if days.last().is_some_and(|previous| stub.joins(*previous, last)) {
                days.pop();
            }
        }
        days.push(last);
        Ok(days)
    }
}

/// The next day of a stepping, unless it stands still or there are too many.
fn stepped(next: Date, day: Date, count: usize) -> Result<Date, PeriodError> {
    if next == day || count > OCCURRENCES_MAX as usize {
        return Err(PeriodError::TooMany);
    }
    Ok(next)
}

fn move_day(
    day: Date,
    convention: BusinessDayConvention,
    calendar: Option<&Calendar>,
) -> Result<Date, PeriodError> {
    match calendar {
        Some(calendar) => Ok(calendar.adjust(day, convention)?),
        None if convention == BusinessDayConvention::Unadjusted => Ok(day),
        None => Err(CalendarError::Missing { date: day }.into()),
    }
}

fn rising(days: Vec<Date>) -> Result<Vec<Date>, PeriodError> {
    for pair in days.windows(2) {
        match *pair {
            [previous, next] if previous == next => return Err(PeriodError::Same(next)),
            [earlier, later] if earlier > later => return Err(PeriodError::Order { earlier, later }),
            _ => {}
        }
    }
    Ok(days)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::{String, ToString};
    use proptest::prelude::*;

    fn texts(days: Result<Vec<Date>, PeriodError>) -> Vec<String> {
        days.unwrap().iter().map(Date::to_string).collect()
    }

    fn monthly(start: (u8, u8), end: (u8, u8), stub: Stub) -> Periods {
        let (start, end) = (Date::of(2026, start.0, start.1), Date::of(2026, end.0, end.1));
        Periods { stub: Some(stub), ..Periods::new(start, end, Step::Months(1)) }
    }

    #[test]
    fn stubs() {
        let days = |stub| texts(monthly((1, 15), (3, 20), stub).unadjusted(None));
        assert_eq!(days(Stub::ShortInitial), ["2026-01-15", "2026-01-20", "2026-02-20", "2026-03-20"]);
        assert_eq!(days(Stub::LongInitial), ["2026-01-15", "2026-02-20", "2026-03-20"]);
        assert_eq!(days(Stub::SmartInitial), days(Stub::LongInitial), "5 days");
        assert_eq!(days(Stub::ShortFinal), ["2026-01-15", "2026-02-15", "2026-03-15", "2026-03-20"]);
        assert_eq!(days(Stub::LongFinal), ["2026-01-15", "2026-02-15", "2026-03-20"]);
        assert_eq!(days(Stub::SmartFinal), days(Stub::LongFinal));
        let error = monthly((1, 15), (3, 20), Stub::None).unadjusted(None).unwrap_err();
        let text = "2026-01-15 to 2026-03-20 does not divide into whole periods and no stub is allowed";
        assert_eq!(error.to_string(), text);
    }

    #[test]
    fn month_ends() {
        let mut periods = monthly((1, 31), (4, 30), Stub::None);
        let ends = ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"];
        assert_eq!(texts(periods.unadjusted(None)), ends);
        periods.start = Date::of(2026, 1, 30);
        assert_eq!(periods.effective_roll(None), Ok(Roll::Day(30)));
        assert_eq!(texts(periods.unadjusted(None)), ["2026-01-30", "2026-02-28", "2026-03-30", "2026-04-30"]);
        // 31 January 2026 is a Saturday: the Friday before counts as the month end it was moved from.
        periods.roll = Some(Roll::EndOfMonth);
        periods.convention = BusinessDayConvention::ModifiedFollowing;
        let calendar = Calendar::named("WEEKENDS", 2026, 2026);
        assert_eq!(texts(periods.unadjusted(calendar.as_ref())), ends);
        let moved = ["2026-01-30", "2026-02-27", "2026-03-31", "2026-04-30"];
        assert_eq!(texts(periods.adjusted(calendar.as_ref())), moved);
        assert!(matches!(periods.adjusted(None), Err(PeriodError::Calendar(_))));
    }

    #[test]
    fn rolls() {
        let day = Date::of(2026, 6, 30);
        let adjusted = |roll: Roll| roll.adjust(day).to_string();
        assert_eq!(adjusted(Roll::Imm), "2026-06-17");
        assert_eq!(adjusted(Roll::ImmAud), "2026-06-11");
        assert_eq!(adjusted(Roll::ImmNzd), "2026-06-10");
        assert_eq!(adjusted(Roll::Sfe), "2026-06-12");
        let monday = Roll::Weekday(Weekday::Monday);
        assert_eq!(monday.next(day, Step::Days(7)), Date::of(2026, 7, 13));
        assert_eq!(monday.previous(day, Step::Days(7)), Date::of(2026, 6, 22));
    }

    #[test]
    fn what_makes_no_sense() {
        let good = monthly((1, 15), (3, 15), Stub::None);
        let error = |periods: Periods| periods.unadjusted(None).unwrap_err();
        assert_eq!(error(Periods { step: Step::Days(0), ..good }), PeriodError::Step(0));
        assert_eq!(error(Periods { roll: Some(Roll::Day(32)), ..good }), PeriodError::RollDay(32));
        assert_eq!(error(Periods { end: good.start, ..good }), PeriodError::Same(good.start));
        let first_regular = Some(Date::of(2026, 1, 20));
        assert_eq!(error(Periods { first_regular, ..good }), PeriodError::Explicit(Stub::None));
        let last_regular = Some(Date::of(2026, 4, 1));
        assert!(matches!(error(Periods { last_regular, ..good }), PeriodError::Order { .. }));
        assert_eq!(error(Periods { roll: Some(Roll::Day(9)), ..good }), PeriodError::Roll(good.start));
    }

    proptest! {
        #[test]
        fn periods_cover_the_span(
            start in 0..30_000i32, length in 1..3000i32, step in 1..25u16, months: bool, stub in 0..6usize,
        ) {
            let (start, end) = (Date::from_days(start), Date::from_days(start + length));
            let step = if months { Step::Months(step) } else { Step::Days(step) };
            let stubs = [
                Stub::ShortInitial, Stub::LongInitial, Stub::SmartInitial,
                Stub::ShortFinal, Stub::LongFinal, Stub::SmartFinal,
            ];
            let stub = stubs.get(stub).copied();
            let days = Periods { stub, ..Periods::new(start, end, step) }.unadjusted(None).unwrap();
            prop_assert_eq!((days[0], days[days.len() - 1]), (start, end));
            prop_assert!(days.is_sorted_by(|a, b| a < b));
        }
    }
}
