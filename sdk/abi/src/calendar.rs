//! Holiday calendars and the moving of dates to business days.
//!
//! A calendar knows a span of years and answers with an error outside them: a date nobody has published
//! holidays for is never silently a business day.

use crate::date::{Date, Weekday};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

/// The most years a calendar covers.
pub const YEARS_MAX: i32 = 200;
/// The most holidays of a calendar.
pub const HOLIDAYS_MAX: usize = 10_000;
/// The most days in a row without business: who looks for a business day need not look further.
pub const CLOSED_DAYS_MAX: i32 = 60;

/// Why a calendar is none, or has no answer.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CalendarError {
    /// The answer lies outside the years the calendar covers.
    #[error("the calendar covers {first_year} to {last_year}, asked about {date}")]
    Outside {
        /// Day asked about, or reached while looking for a business day.
        date: Date,
        /// First year covered.
        first_year: i32,
        /// Last year covered.
        last_year: i32,
    },
    /// The years are none, or too many.
    #[error("years 1 to 9999 in order and at most 200 of them are needed, {first_year} to {last_year} given")]
    Years {
        /// First year given.
        first_year: i32,
        /// Last year given.
        last_year: i32,
    },
    /// The weekend is the whole week, or has a bit that is no weekday.
    #[error(
        "weekend mask {0:#04x} leaves no business day or names no weekday; bit 0 is monday, bit 6 sunday"
    )]
    Weekend(u8),
    /// A holiday is not after the one before it.
    #[error("holidays rise strictly, but {next} comes after {previous}")]
    Order {
        /// The earlier entry.
        previous: Date,
        /// The entry after it.
        next: Date,
    },
    /// A holiday falls on the weekend, where it says nothing.
    #[error("{0} is a holiday on the weekend; leave it out")]
    Redundant(Date),
    /// Too long without a business day.
    #[error("no business day in more than {CLOSED_DAYS_MAX} days from {0} on; at most so many are allowed")]
    Closed(Date),
    /// Too many holidays.
    #[error("{given} holidays given, at most 10000 allowed")]
    TooMany {
        /// Holidays given.
        given: u32,
    },
    /// A recurrence names a calendar and none was handed over.
    #[error("{date} has to be moved to a business day and there is no calendar")]
    Missing {
        /// Day to be moved.
        date: Date,
    },
    /// Not the text of a convention.
    #[error(
        "`{0}` is not a business day convention: unadjusted, following, modified-following, \
         modified-following-bi-monthly, preceding, modified-preceding or nearest"
    )]
    Text(String),
}

/// Where a date goes that is not a business day. Append only.
///
/// Source: the names and rules are those of OpenGamma Strata; following, modified following and preceding
/// are ISDA 2006 section 4.12.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BusinessDayConvention {
    /// Stays where it is.
    Unadjusted,
    /// The next business day.
    Following,
    /// The next business day, or the one before when the next lies in another month.
    ModifiedFollowing,
    /// As modified following, and neither passes the 15th of the month.
    ModifiedFollowingBiMonthly,
    /// The business day before.
    Preceding,
    /// The business day before, or the next one when that lies in another month.
    ModifiedPreceding,
    /// The next business day from Sunday and Monday, else the one before.
    Nearest,
}

impl BusinessDayConvention {
    /// All of them.
    pub const ALL: [BusinessDayConvention; 7] = [
        BusinessDayConvention::Unadjusted,
        BusinessDayConvention::Following,
        BusinessDayConvention::ModifiedFollowing,
        BusinessDayConvention::ModifiedFollowingBiMonthly,
        BusinessDayConvention::Preceding,
        BusinessDayConvention::ModifiedPreceding,
        BusinessDayConvention::Nearest,
    ];

    /// Its text.
    pub const fn name(self) -> &'static str {
        match self {
            BusinessDayConvention::Unadjusted => "unadjusted",
            BusinessDayConvention::Following => "following",
            BusinessDayConvention::ModifiedFollowing => "modified-following",
            BusinessDayConvention::ModifiedFollowingBiMonthly => "modified-following-bi-monthly",
            BusinessDayConvention::Preceding => "preceding",
            BusinessDayConvention::ModifiedPreceding => "modified-preceding",
            BusinessDayConvention::Nearest => "nearest",
        }
    }
}

impl fmt::Display for BusinessDayConvention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for BusinessDayConvention {
    type Err = CalendarError;
    fn from_str(text: &str) -> Result<BusinessDayConvention, CalendarError> {
        BusinessDayConvention::ALL
            .into_iter()
            .find(|convention| convention.name() == text)
            .ok_or_else(|| CalendarError::Text(text.into()))
    }
}

/// The business days of a span of years.
///
/// The fields are open so that a publisher can fill them; [`Calendar::validate`] is asked at the border.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Calendar {
    /// Days of the week without business: bit 0 Monday to bit 6 Sunday.
    pub weekend: u8,
    /// Further days without business, strictly rising, none on the weekend.
    pub holidays: Vec<Date>,
    /// First year covered.
    pub first_year: i32,
    /// Last year covered.
    pub last_year: i32,
}

/// The weekend mask of Saturday and Sunday.
pub const SATURDAY_SUNDAY: u8 = 0b110_0000;

impl Calendar {
    /// Whether the calendar is one: years, weekend, order and number of holidays.
    ///
    /// # Errors
    /// [`CalendarError`], naming the first thing wrong.
    pub fn validate(&self) -> Result<(), CalendarError> {
        let (first_year, last_year) = (self.first_year, self.last_year);
        if first_year < 1 || last_year > 9999 || first_year > last_year || last_year - first_year >= YEARS_MAX
        {
            return Err(CalendarError::Years { first_year, last_year });
        }
        if self.weekend >= 0b111_1111 {
            return Err(CalendarError::Weekend(self.weekend));
        }
        if self.holidays.len() > HOLIDAYS_MAX {
            let given = u32::try_from(self.holidays.len()).unwrap_or(u32::MAX);
            return Err(CalendarError::TooMany { given });
        }
        for (at, next) in self.holidays.iter().copied().enumerate() {
            self.covers(next)?;
            if self.is_weekend(next) {
                return Err(CalendarError::Redundant(next));
            }
            match at.checked_sub(1).and_then(|at| self.holidays.get(at)).copied() {
                Some(previous) if previous >= next => return Err(CalendarError::Order { previous, next }),
                _ => {}
            }
        }
        self.check_open()
    }

    /// Business days come often enough: behind each holiday, and so everywhere, for without one there is one every week.
    fn check_open(&self) -> Result<(), CalendarError> {
        let mut open = Date::of(self.first_year, 1, 1);
        for holiday in &self.holidays {
            if *holiday < open {
                continue;
            }
            let mut since = *holiday;
            while let Some(before) =
                since.checked_add_days(-1).filter(|day| self.is_business_day(*day) == Ok(false))
            {
                since = before;
            }
            open = *holiday;
            while self.is_business_day(open) == Ok(false) {
                open = self.step(open, 1)?;
                if open.days() - since.days() > CLOSED_DAYS_MAX {
                    return Err(CalendarError::Closed(since));
                }
            }
        }
        Ok(())
    }

    fn covers(&self, date: Date) -> Result<(), CalendarError> {
        if (self.first_year..=self.last_year).contains(&date.year()) {
            return Ok(());
        }
        Err(CalendarError::Outside { date, first_year: self.first_year, last_year: self.last_year })
    }

    fn is_weekend(&self, date: Date) -> bool {
        self.weekend >> date.weekday().days_from_monday() & 1 == 1
    }

    /// Whether business is done on a day.
    ///
    /// # Errors
    /// [`CalendarError::Outside`] the years covered.
    pub fn is_business_day(&self, date: Date) -> Result<bool, CalendarError> {
        self.covers(date)?;
        Ok(!self.is_weekend(date) && self.holidays.binary_search(&date).is_err())
    }

    /// The first business day at or after (`step` 1), or at or before (`step` -1) a day.
    fn seek(&self, mut date: Date, step: i32) -> Result<Date, CalendarError> {
        while !self.is_business_day(date)? {
            date = self.step(date, step)?;
        }
        Ok(date)
    }

    fn step(&self, date: Date, step: i32) -> Result<Date, CalendarError> {
        date.checked_add_days(step).ok_or(CalendarError::Outside {
            date,
            first_year: self.first_year,
            last_year: self.last_year,
        })
    }

    /// The day a date is moved to; itself when it is a business day or the convention moves nothing.
    ///
    /// # Errors
    /// [`CalendarError::Outside`] the years covered; never for [`BusinessDayConvention::Unadjusted`].
    pub fn adjust(&self, date: Date, convention: BusinessDayConvention) -> Result<Date, CalendarError> {
        use BusinessDayConvention as C;
        if convention == C::Unadjusted || self.is_business_day(date)? {
            return Ok(date);
        }
        match convention {
            C::Unadjusted => Ok(date),
            C::Following => self.seek(date, 1),
            C::Preceding => self.seek(date, -1),
            C::ModifiedFollowing => self.seek_within(date, 1, |day| day.month() == date.month()),
            C::ModifiedFollowingBiMonthly => self.seek_within(date, 1, |day| {
                day.month() == date.month() && (day.day() > 15) == (date.day() > 15)
            }),
            C::ModifiedPreceding => self.seek_within(date, -1, |day| day.month() == date.month()),
            C::Nearest if matches!(date.weekday(), Weekday::Sunday | Weekday::Monday) => self.seek(date, 1),
            C::Nearest => self.seek(date, -1),
        }
    }

    /// As `seek`, in the other direction when that leaves the part of the month. Leaving the years covered
    /// leaves the month too, so the last days of the last year have an answer.
    fn seek_within(&self, date: Date, step: i32, same: impl Fn(Date) -> bool) -> Result<Date, CalendarError> {
        match self.seek(date, step) {
            Ok(found) if same(found) => Ok(found),
            _ => self.seek(date, -step),
        }
    }

    /// The `count`-th business day after a day, before it when negative, itself when 0.
    ///
    /// # Errors
    /// [`CalendarError::Outside`] the years covered.
    pub fn add_business_days(&self, mut date: Date, count: i32) -> Result<Date, CalendarError> {
        let step = count.signum();
        for _ in 0..count.unsigned_abs() {
            date = self.seek(self.step(date, step)?, step)?;
        }
        Ok(date)
    }

    /// The first day two calendars answer differently about; one that does not cover it answers differently.
    pub fn first_difference(&self, other: &Calendar) -> Option<Date> {
        if self == other {
            return None;
        }
        let first = self.first_year.min(other.first_year).clamp(1, 9999);
        let last = self.last_year.max(other.last_year).clamp(1, 9999);
        let mut date = Date::of(first, 1, 1);
        let end = Date::of(last, 12, 31);
        while date <= end {
            if self.is_business_day(date).ok() != other.is_business_day(date).ok() {
                return Some(date);
            }
            date = date.checked_add_days(1)?;
        }
        None
    }

    /// A published calendar made by rule, for the years `first_year` to `last_year`.
    ///
    /// | code | days |
    /// |---|---|
    /// | `TARGET`, `EUTA` | Eurosystem T2 (TARGET2), 1997 on |
    /// | `GBLO` | England bank holidays, 1950 on |
    /// | `USNY`, `NYFD` | New York banks, Federal Reserve Bank of New York, 1950 on |
    /// | `USGS` | United States government bonds (SIFMA), 1950 on |
    /// | `FRPA` | Paris, 1950 on |
    /// | `DEFR` | Frankfurt, 24 and 31 December included, 1990 on |
    /// | `CHZU` | Zurich, 1950 on |
    /// | `JPTO` | Tokyo, 1980 to 2099 |
    /// | `WEEKENDS` | Saturday and Sunday, no holidays |
    ///
    /// A rule cannot know what is decided later: a bank publishes its calendars and corrects them. None for
    /// another code, for years the rules are not made for (all end in 2199), and for more than 200 years.
    ///
    /// Source: OpenGamma Strata `GlobalHolidayCalendarsTest` (Apache-2.0) for all but `DEFR`, whose days are
    /// the public holidays of Hesse.
    pub fn named(code: &str, first_year: i32, last_year: i32) -> Option<Calendar> {
        let (rule, from, to): (Rule, i32, i32) = match code {
            "TARGET" | "EUTA" => (target, 1997, 2199),
            "GBLO" => (london, 1950, 2199),
            "USNY" | "NYFD" => (new_york, 1950, 2199),
            "USGS" => (government_bonds, 1950, 2199),
            "FRPA" => (paris, 1950, 2199),
            "DEFR" => (frankfurt, 1990, 2199),
            "CHZU" => (zurich, 1950, 2199),
            "JPTO" => (tokyo, 1980, 2099),
            "WEEKENDS" => (|_, _| (), 1, 9999),
            _ => return None,
        };
        if first_year < from || last_year > to {
            return None;
        }
        let mut calendar = Calendar { weekend: SATURDAY_SUNDAY, holidays: Vec::new(), first_year, last_year };
        calendar.validate().ok()?;
        let mut days = Vec::new();
        for year in first_year..=last_year {
            rule(year, &mut days);
        }
        days.retain(|day| !calendar.is_weekend(*day) && calendar.covers(*day).is_ok());
        days.sort_unstable();
        days.dedup();
        calendar.holidays = days;
        Some(calendar)
    }
}

/// Adds the holidays of a year; those on a weekend may be among them.
type Rule = fn(i32, &mut Vec<Date>);

/// Easter Sunday of a year, 1 to 9999, of the Gregorian calendar.
///
/// Source: the anonymous Gregorian algorithm, Nature 20 April 1876.
pub const fn easter(year: i32) -> Date {
    let (a, b, c) = (year % 19, year / 100, year % 100);
    let (d, e) = (b / 4, b % 4);
    let g = (b - (b + 8) / 25 + 1) / 3;
    let h = (19 * a + b - d - g + 15) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    let n = h + l - 7 * m + 114;
    Date::of(year, (n / 31) as u8, (n % 31 + 1) as u8)
}

/// The first such weekday at or after a day.
fn on_or_after(date: Date, weekday: Weekday) -> Date {
    let ahead = i32::from(weekday.days_from_monday()) - i32::from(date.weekday().days_from_monday());
    date.add_days(ahead.rem_euclid(7))
}

/// The `nth` (1 to 4) weekday of a month.
fn nth(year: i32, month: u8, nth: i32, weekday: Weekday) -> Date {
    on_or_after(Date::of(year, month, 1), weekday).add_days(7 * (nth - 1))
}

/// The last weekday of a month.
fn last(year: i32, month: u8, weekday: Weekday) -> Date {
    on_or_after(Date::of(year, month, 1).month_end().add_days(-6), weekday)
}

/// Sunday moves to Monday.
fn sunday_on(date: Date) -> Date {
    if date.weekday() == Weekday::Sunday { date.add_days(1) } else { date }
}

/// Saturday moves back to Friday, Sunday on to Monday.
fn to_friday_or_monday(date: Date) -> Date {
    if date.weekday() == Weekday::Saturday { date.add_days(-1) } else { sunday_on(date) }
}

/// Saturday and Sunday move to the Monday after.
fn weekend_on(date: Date) -> Date {
    match date.weekday() {
        Weekday::Saturday => date.add_days(2),
        _ => sunday_on(date),
    }
}

fn fixed(year: i32, days: &[(u8, u8)], out: &mut Vec<Date>) {
    out.extend(days.iter().map(|(month, day)| Date::of(year, *month, *day)));
}

/// Days counted from Easter Sunday.
fn from_easter(year: i32, days: &[i32], out: &mut Vec<Date>) {
    out.extend(days.iter().map(|ahead| easter(year).add_days(*ahead)));
}

const GOOD_FRIDAY: i32 = -2;
const EASTER_MONDAY: i32 = 1;
const ASCENSION: i32 = 39;
const WHIT_MONDAY: i32 = 50;
const CORPUS_CHRISTI: i32 = 60;

fn target(year: i32, out: &mut Vec<Date>) {
    fixed(year, &[(1, 1), (12, 25)], out);
    if year >= 2000 {
        from_easter(year, &[GOOD_FRIDAY, EASTER_MONDAY], out);
        fixed(year, &[(5, 1), (12, 26)], out);
    }
    if matches!(year, 1999 | 2001) {
        fixed(year, &[(12, 31)], out);
    }
}

fn london(year: i32, out: &mut Vec<Date>) {
    use Weekday::{Monday, Saturday, Sunday};
    if year >= 1974 {
        out.push(weekend_on(Date::of(year, 1, 1)));
    }
    from_easter(year, &[GOOD_FRIDAY, EASTER_MONDAY], out);
    match year {
        1995 | 2020 => fixed(year, &[(5, 8)], out),
        1978.. => out.push(nth(year, 5, 1, Monday)),
        _ => {}
    }
    match year {
        2002 => fixed(year, &[(6, 3), (6, 4)], out),
        2012 => fixed(year, &[(6, 4), (6, 5)], out),
        2022 => fixed(year, &[(6, 2), (6, 3)], out),
        1967 | 1970.. => out.push(last(year, 5, Monday)),
        _ => from_easter(year, &[WHIT_MONDAY], out),
    }
    out.push(match year {
        ..1965 => nth(year, 8, 1, Monday),
        1965..=1970 => last(year, 8, Saturday).add_days(2),
        _ => last(year, 8, Monday),
    });
    // Christmas and Boxing Day: what falls on the weekend is made up for on the 27th and 28th.
    let (christmas, boxing) = (Date::of(year, 12, 25), Date::of(year, 12, 26));
    for day in [christmas, boxing] {
        let off = matches!(day.weekday(), Saturday | Sunday);
        out.push(if off { day.add_days(2) } else { day });
    }
    match year {
        1973 => fixed(year, &[(11, 14)], out),
        1977 => fixed(year, &[(6, 7)], out),
        1981 => fixed(year, &[(7, 29)], out),
        1999 => fixed(year, &[(12, 31)], out),
        2011 => fixed(year, &[(4, 29)], out),
        2022 => fixed(year, &[(9, 19)], out),
        2023 => fixed(year, &[(5, 8)], out),
        _ => {}
    }
}

/// The federal holidays but New Year, Independence Day, Juneteenth and Christmas.
fn united_states(year: i32, out: &mut Vec<Date>) {
    use Weekday::{Monday, Thursday};
    if year >= 1986 {
        out.push(nth(year, 1, 3, Monday));
    }
    if year < 1971 {
        out.extend([(2, 22), (5, 30), (10, 12)].map(|(month, day)| sunday_on(Date::of(year, month, day))));
    } else {
        out.extend([nth(year, 2, 3, Monday), last(year, 5, Monday), nth(year, 10, 2, Monday)]);
    }
    out.push(nth(year, 9, 1, Monday));
    out.push(match year {
        1971..=1977 => nth(year, 10, 4, Monday),
        _ => sunday_on(Date::of(year, 11, 11)),
    });
    out.push(nth(year, 11, 4, Thursday));
}

fn new_york(year: i32, out: &mut Vec<Date>) {
    united_states(year, out);
    out.extend([(1, 1), (7, 4), (12, 25)].map(|(month, day)| sunday_on(Date::of(year, month, day))));
    if year >= 2021 {
        out.push(sunday_on(Date::of(year, 6, 19)));
    }
}

fn government_bonds(year: i32, out: &mut Vec<Date>) {
    united_states(year, out);
    from_easter(year, &[GOOD_FRIDAY], out);
    out.push(sunday_on(Date::of(year, 1, 1)));
    out.extend([(7, 4), (12, 25)].map(|(month, day)| to_friday_or_monday(Date::of(year, month, day))));
    if year >= 2022 {
        out.push(to_friday_or_monday(Date::of(year, 6, 19)));
    }
    if year == 2012 {
        fixed(year, &[(10, 30)], out);
    }
}

fn paris(year: i32, out: &mut Vec<Date>) {
    from_easter(year, &[GOOD_FRIDAY, EASTER_MONDAY, ASCENSION], out);
    if !(2005..=2007).contains(&year) {
        from_easter(year, &[WHIT_MONDAY], out);
    }
    fixed(year, &[(1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25), (12, 26)], out);
}

fn frankfurt(year: i32, out: &mut Vec<Date>) {
    from_easter(year, &[GOOD_FRIDAY, EASTER_MONDAY, ASCENSION, WHIT_MONDAY, CORPUS_CHRISTI], out);
    fixed(year, &[(1, 1), (5, 1), (10, 3), (12, 24), (12, 25), (12, 26), (12, 31)], out);
    match year {
        // Day of Repentance: the Wednesday before 23 November.
        ..1995 => out.push(on_or_after(Date::of(year, 11, 16), Weekday::Wednesday)),
        2017 => fixed(year, &[(10, 31)], out),
        _ => {}
    }
}

fn zurich(year: i32, out: &mut Vec<Date>) {
    from_easter(year, &[GOOD_FRIDAY, EASTER_MONDAY, ASCENSION, WHIT_MONDAY], out);
    fixed(year, &[(1, 1), (1, 2), (5, 1), (8, 1), (12, 25), (12, 26)], out);
}

/// The equinox of a month, from its day in 1980 in millionths; 1980 to 2099.
fn equinox(year: i32, month: u8, day_of_1980: i32) -> Date {
    let ahead = year - 1980;
    Date::of(year, month, ((day_of_1980 + 242_194 * ahead) / 1_000_000 - ahead / 4) as u8)
}

fn tokyo(year: i32, out: &mut Vec<Date>) {
    use Weekday::{Monday, Tuesday, Wednesday};
    fixed(year, &[(1, 1), (1, 2), (1, 3), (5, 3), (5, 5), (12, 31)], out);
    let mut substituted = |month, day| out.push(sunday_on(Date::of(year, month, day)));
    for (month, day) in [(2, 11), (4, 29), (11, 3), (11, 23)] {
        substituted(month, day);
    }
    match year {
        1989..=2018 => substituted(12, 23),
        2020.. => substituted(2, 23),
        _ => {}
    }
    match year {
        2020 => substituted(8, 10),
        2021 => substituted(8, 8),
        2016.. => substituted(8, 11),
        _ => {}
    }
    match year {
        1996..=2002 => substituted(7, 20),
        2020 => substituted(7, 23),
        2021 => substituted(7, 22),
        2003.. => out.push(nth(year, 7, 3, Monday)),
        _ => {}
    }
    out.push(match year {
        ..2000 => sunday_on(Date::of(year, 1, 15)),
        _ => nth(year, 1, 2, Monday),
    });
    out.push(match year {
        ..2000 => sunday_on(Date::of(year, 10, 10)),
        2020 => Date::of(year, 7, 24),
        2021 => Date::of(year, 7, 23),
        _ => nth(year, 10, 2, Monday),
    });
    // 4 May is a holiday between two since 1986; 6 May makes up for a Sunday among the three since 2007.
    let sixth = Date::of(year, 5, 6);
    if year >= 1986 || Date::of(year, 5, 4).weekday() == Monday {
        fixed(year, &[(5, 4)], out);
    }
    let makes_up = if year >= 2007 { &[Monday, Tuesday, Wednesday][..] } else { &[Monday][..] };
    if makes_up.contains(&sixth.weekday()) {
        out.push(sixth);
    }
    out.push(sunday_on(equinox(year, 3, 20_843_100)));
    let autumn = equinox(year, 9, 23_248_800);
    out.push(sunday_on(autumn));
    if year < 2003 {
        out.push(sunday_on(Date::of(year, 9, 15)));
    } else {
        // A day between Respect for the Aged Day and the equinox is one too.
        let aged = nth(year, 9, 3, Monday);
        out.push(aged);
        if autumn == aged.add_days(2) {
            out.push(aged.add_days(1));
        }
    }
    match year {
        1989 => fixed(year, &[(2, 24)], out),
        1990 => fixed(year, &[(11, 12)], out),
        1993 => fixed(year, &[(6, 9)], out),
        2019 => fixed(year, &[(4, 30), (5, 1), (5, 2), (10, 22)], out),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{decode, encode};
    use alloc::string::ToString;
    use alloc::vec;
    use proptest::prelude::*;

    const CODES: [&str; 10] =
        ["TARGET", "EUTA", "GBLO", "USNY", "NYFD", "USGS", "FRPA", "DEFR", "CHZU", "JPTO"];

    /// Source: church calendars; 22 March and 25 April are the earliest and the latest there can be.
    #[test]
    fn easter_of_some_years() {
        for (year, month, day) in [(1818, 3, 22), (1943, 4, 25), (2008, 3, 23), (2025, 4, 20), (2026, 4, 5)] {
            assert_eq!(easter(year), Date::of(year, month, day));
        }
    }

    /// Source: European Central Bank, the closing days of T2.
    #[test]
    fn target_of_2026_and_what_stays_in_a_longer_span() {
        let calendar = Calendar::named("TARGET", 2026, 2026).unwrap();
        let days = [(1, 1), (4, 3), (4, 6), (5, 1), (12, 25)].map(|(month, day)| Date::of(2026, month, day));
        assert_eq!(calendar.holidays, days, "26 December is a Saturday");
        for code in CODES {
            let calendar = Calendar::named(code, 2026, 2026).unwrap();
            let longer = Calendar::named(code, 2026, 2046).unwrap();
            assert_eq!(longer.validate(), Ok(()));
            assert!(calendar.holidays.iter().all(|day| longer.is_business_day(*day) == Ok(false)));
        }
    }

    #[test]
    fn conventions_move_a_saturday_and_a_sunday() {
        // 2026-01-31, 02-01, 05-16 and 11-15: a Saturday at the end, a Sunday at the start, a Saturday and a
        // Sunday about the middle of a month.
        let expected = [
            ("unadjusted", ["2026-01-31", "2026-02-01", "2026-05-16", "2026-11-15"]),
            ("following", ["2026-02-02", "2026-02-02", "2026-05-18", "2026-11-16"]),
            ("modified-following", ["2026-01-30", "2026-02-02", "2026-05-18", "2026-11-16"]),
            ("modified-following-bi-monthly", ["2026-01-30", "2026-02-02", "2026-05-18", "2026-11-13"]),
            ("preceding", ["2026-01-30", "2026-01-30", "2026-05-15", "2026-11-13"]),
            ("modified-preceding", ["2026-01-30", "2026-02-02", "2026-05-15", "2026-11-13"]),
            ("nearest", ["2026-01-30", "2026-02-02", "2026-05-15", "2026-11-16"]),
        ];
        let calendar = Calendar::named("WEEKENDS", 2026, 2026).unwrap();
        for (convention, expected) in expected {
            let given = ["2026-01-31", "2026-02-01", "2026-05-16", "2026-11-15"];
            for (given, expected) in given.iter().zip(expected) {
                let moved = calendar.adjust(given.parse().unwrap(), convention.parse().unwrap());
                assert_eq!(moved.unwrap().to_string(), expected, "{convention} {given}");
            }
        }
    }

    #[test]
    fn days_of_repentance_and_of_silver_week() {
        for day in [Date::of(1994, 11, 16), Date::of(1990, 11, 21), Date::of(1993, 11, 17)] {
            assert!(Calendar::named("DEFR", day.year(), day.year()).unwrap().holidays.contains(&day));
        }
        let day = Date::of(2026, 9, 22);
        assert!(Calendar::named("JPTO", 2026, 2026).unwrap().holidays.contains(&day));
    }

    #[test]
    fn outside_the_years_there_is_no_answer() {
        let calendar = Calendar::named("TARGET", 2026, 2027).unwrap();
        let date = Date::of(2028, 1, 3);
        let error = calendar.is_business_day(date).unwrap_err();
        assert_eq!(error, CalendarError::Outside { date, first_year: 2026, last_year: 2027 });
        assert_eq!(error.to_string(), "the calendar covers 2026 to 2027, asked about 2028-01-03");
        assert!(calendar.add_business_days(Date::of(2027, 12, 31), 1).is_err());
        assert!(calendar.add_business_days(Date::MAX, i32::MAX).is_err());
        assert!(calendar.adjust(Date::MIN, BusinessDayConvention::Preceding).is_err());
        assert_eq!(calendar.adjust(date, BusinessDayConvention::Unadjusted), Ok(date));
    }

    #[test]
    fn the_last_weekend_of_the_years() {
        let calendar = Calendar::named("WEEKENDS", 2022, 2022).unwrap();
        let last = Date::of(2022, 12, 31);
        let friday = Ok(Date::of(2022, 12, 30));
        assert_eq!(calendar.adjust(last, BusinessDayConvention::ModifiedFollowing), friday);
        assert!(calendar.adjust(last, BusinessDayConvention::Following).is_err());
    }

    #[test]
    fn what_is_no_calendar() {
        let good = Calendar::named("TARGET", 2026, 2027).unwrap();
        assert_eq!(good.validate(), Ok(()));
        assert_eq!(decode::<Calendar>(&encode(&good), 1000), Ok(good.clone()));
        let bad = |change: fn(&mut Calendar)| {
            let mut calendar = good.clone();
            change(&mut calendar);
            calendar.validate().unwrap_err()
        };
        assert_eq!(bad(|c| c.weekend = 127), CalendarError::Weekend(127));
        assert_eq!(bad(|c| c.weekend = 0x81), CalendarError::Weekend(0x81));
        assert!(matches!(bad(|c| c.last_year = 2025), CalendarError::Years { .. }));
        assert!(matches!(bad(|c| c.last_year = 2226), CalendarError::Years { .. }));
        assert!(matches!(bad(|c| c.first_year = i32::MIN), CalendarError::Years { .. }));
        assert!(matches!(bad(|c| c.holidays.swap(0, 1)), CalendarError::Order { .. }));
        assert!(matches!(bad(|c| c.last_year = 2026), CalendarError::Outside { .. }));
        assert_eq!(
            bad(|c| c.holidays = vec![Date::of(2026, 1, 3)]),
            CalendarError::Redundant(Date::of(2026, 1, 3))
        );
        let closed = |until: Date| {
            let mut calendar = good.clone();
            let days = (Date::of(2026, 3, 2).days()..=until.days()).map(Date::from_days);
            calendar.holidays.extend(days.filter(|day| !good.is_weekend(*day)));
            calendar.holidays.sort();
            calendar.holidays.dedup();
            calendar.validate()
        };
        // From Saturday 28 February, 60 days.
        assert_eq!(closed(Date::of(2026, 4, 28)), Ok(()));
        assert_eq!(closed(Date::of(2026, 4, 29)), Err(CalendarError::Closed(Date::of(2026, 2, 28))));
        assert_eq!(Calendar::named("XXXX", 2026, 2026), None);
        assert_eq!(Calendar::named("JPTO", 2026, 2100), None);
        assert_eq!(Calendar::named("TARGET", 2026, 2025), None);
    }

    #[test]
    fn differences() {
        let calendar = |first, last| Calendar::named("TARGET", first, last).unwrap();
        assert_eq!(calendar(2026, 2027).first_difference(&calendar(2026, 2027)), None);
        assert_eq!(
            calendar(2026, 2027).first_difference(&calendar(2026, 2028)),
            Some(Date::of(2028, 1, 1)),
            "longer"
        );
        let mut other = calendar(2026, 2027);
        other.holidays.push(Date::of(2027, 12, 28));
        assert_eq!(calendar(2026, 2027).first_difference(&other), Some(Date::of(2027, 12, 28)));
    }

    #[test]
    fn text_and_back() {
        for (place, convention) in BusinessDayConvention::ALL.into_iter().enumerate() {
            assert_eq!(convention.to_string().parse(), Ok(convention));
            assert_eq!(encode(&convention), [place as u8]);
        }
        assert!("Following".parse::<BusinessDayConvention>().is_err());
    }

    proptest! {
        #[test]
        fn adjusted_days_are_business_days(
            code in 0..CODES.len(), days in 0..7300i32, convention in 1..7usize, count in -300..300i32,
        ) {
            let calendar = Calendar::named(CODES[code], 1999, 2099).unwrap();
            let date = Date::of(2010, 1, 1).add_days(days);
            let convention = BusinessDayConvention::ALL[convention];
            let adjusted = calendar.adjust(date, convention).unwrap();
            prop_assert!(calendar.is_business_day(adjusted).unwrap());
            prop_assert!((adjusted.days() - date.days()).abs() <= 11);
            prop_assert_eq!(calendar.adjust(adjusted, convention), Ok(adjusted));
            let there = calendar.add_business_days(adjusted, count).unwrap();
            prop_assert_eq!(calendar.add_business_days(there, -count), Ok(adjusted));
            let between = (adjusted.min(there).days()..adjusted.max(there).days())
                .filter(|day| calendar.is_business_day(Date::from_days(*day)).unwrap())
                .count();
            prop_assert_eq!(between as u32, count.unsigned_abs());
        }
    }
}
