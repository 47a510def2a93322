//! Day counts, calendars, conventions and periods.

use crate::{Outcome, date, dates, text};
use serde_json::Value;
use tenor_abi::calendar::{BusinessDayConvention, Calendar, easter};
use tenor_abi::date::{Date, Weekday};
use tenor_abi::daycount::{DayCount, Fraction, ScheduleInfo};
use tenor_abi::period::{Periods, Roll, Step, Stub};

pub fn day_count(_: &Value, case: &Value) -> Outcome {
    let (start, end) = (date(case, "start"), date(case, "end"));
    let schedule = |maturity, end_of_month| Some(ScheduleInfo { maturity, end_of_month });
    let published = text(case, "day_count");
    let (name, schedule) = match published {
        "30/360 ISDA" => ("30/360", None),
        "30U/360 EOM" => ("30u/360", schedule(None, true)),
        "30E/360 ISDA (end is maturity)" => ("30e/360-isda", schedule(Some(end), true)),
        name if name.starts_with("30E/360 ISDA") => ("30e/360-isda", schedule(None, true)),
        name if name.starts_with("30U/360 (EOM flag false)") => ("30u/360", schedule(None, false)),
        name => (name, None),
    };
    let same = |day_count: &&DayCount| {
        day_count.name().replace('-', " ").eq_ignore_ascii_case(&name.replace('-', " "))
    };
    let Some(day_count) = DayCount::ALL.iter().find(same) else {
        return Outcome::Beyond("another day count");
    };
    match case["days"].as_i64() {
        Some(days) => Outcome::of(i64::from(day_count.days(start, end, schedule)), days),
        None => {
            let fraction = text(&case["year_fraction"], "fraction");
            let fraction = if fraction.contains('/') { fraction.into() } else { format!("{fraction}/1") };
            let given = day_count.fraction(start, end, schedule);
            // The published fractions of this one are those of 30E/360 over 365 again; its days are as ours.
            let again = Fraction::new(given.numerator(), given.denominator() * 360);
            if *day_count == DayCount::Thirty365E && again.is_some_and(|again| again.to_string() == fraction)
            {
                return Outcome::Beyond("published as days over 360 over 365");
            }
            Outcome::of(given.to_string(), fraction)
        }
    }
}

/// `MODIFIED_FOLLOWING` as we write it.
fn convention_of(name: &str) -> Option<BusinessDayConvention> {
    match name {
        "NO_ADJUST" => Some(BusinessDayConvention::Unadjusted),
        name => name.to_lowercase().replace('_', "-").parse().ok(),
    }
}

pub fn convention(_: &Value, case: &Value) -> Outcome {
    let Some(convention) = convention_of(text(case, "convention")) else {
        return Outcome::Beyond("another convention");
    };
    let given = date(case, "input");
    let mut calendar = Calendar::named("WEEKENDS", given.year() - 1, given.year() + 1).unwrap();
    let (weekend, added) = text(case, "calendar").split_once(" + ").unwrap_or((text(case, "calendar"), ""));
    if weekend != "Sat/Sun" {
        return Outcome::Beyond("another weekend");
    }
    calendar.holidays = added.split([',', ' ']).filter_map(|day| day.parse().ok()).collect();
    Outcome::of(calendar.adjust(given, convention).unwrap(), date(case, "expected"))
}

pub fn holidays(file: &Value, case: &Value) -> Outcome {
    let sundays = &file["easter_sundays_1900_2099"];
    if let Some(wrong) = dates(sundays).into_iter().find(|day| easter(day.year()) != *day) {
        return Outcome::Other(format!("Easter is {}, {wrong} expected", easter(wrong.year())));
    }
    let code = text(case, "calendar").split(' ').next().unwrap();
    let year = case["year"].as_i64().unwrap() as i32;
    if text(case, "weekend") != "Sat/Sun" {
        return Outcome::Beyond("another weekend");
    }
    let Some(calendar) = Calendar::named(code, year, year) else {
        return Outcome::Beyond("another calendar, or outside its years");
    };
    let listed = dates(&case["holidays"]);
    let days = (0..366).map(|ahead| Date::of(year, 1, 1).add_days(ahead)).filter(|day| day.year() == year);
    let expected = |day: &Date| listed.contains(day) || day.weekday() >= Weekday::Saturday;
    let wrong: Vec<_> = days.filter(|day| calendar.is_business_day(*day).unwrap() == expected(day)).collect();
    Outcome::of(wrong, Vec::new())
}

fn step_of(text: &str) -> Option<Step> {
    let (number, unit) = text.strip_prefix('P')?.split_at(text.len() - 2);
    let number: u16 = number.parse().ok()?;
    match unit {
        "D" => Some(Step::Days(number)),
        "W" => Some(Step::Days(number * 7)),
        "M" => Some(Step::Months(number)),
        "Y" => Some(Step::Months(number * 12)),
        _ => None,
    }
}

fn roll_of(name: &str) -> Option<Roll> {
    Some(match name {
        "NONE" => Roll::None,
        "EOM" => Roll::EndOfMonth,
        "IMM" => Roll::Imm,
        "IMMAUD" => Roll::ImmAud,
        "IMMNZD" => Roll::ImmNzd,
        "SFE" => Roll::Sfe,
        name => {
            let day = name.strip_prefix("DAY_")?;
            match day.parse() {
                Ok(31) => Roll::EndOfMonth,
                Ok(day) => Roll::Day(day),
                Err(_) => {
                    let day = day.to_lowercase();
                    Roll::Weekday(Weekday::ALL.into_iter().find(|weekday| weekday.name().starts_with(&day))?)
                }
            }
        }
    })
}

pub fn roll(_: &Value, case: &Value) -> Outcome {
    let (Some(roll), given) = (roll_of(text(case, "roll")), date(case, "input")) else {
        return Outcome::Beyond("another roll convention");
    };
    let rolled = match (text(case, "fn"), step_of(text(case, "frequency"))) {
        ("adjust", _) => roll.adjust(given),
        ("next", Some(step)) => roll.next(given, step),
        ("previous", Some(step)) => roll.previous(given, step),
        ("matches", _) => {
            return Outcome::of(Some(roll.matches(given)), case["expected"].as_bool());
        }
        _ => return Outcome::Beyond("another function"),
    };
    Outcome::of(rolled, date(case, "expected"))
}

fn stub_of(name: &str) -> Option<Stub> {
    Some(match name {
        "STUB_NONE" => Stub::None,
        "SHORT_INITIAL" => Stub::ShortInitial,
        "LONG_INITIAL" => Stub::LongInitial,
        "SMART_INITIAL" => Stub::SmartInitial,
        "SHORT_FINAL" => Stub::ShortFinal,
        "LONG_FINAL" => Stub::LongFinal,
        "SMART_FINAL" => Stub::SmartFinal,
        "STUB_BOTH" => Stub::Both,
        _ => return None,
    })
}

/// Convention and calendar code of `BusinessDayAdjustment.of(PRECEDING, SAT_SUN)`.
fn adjustment(file: &Value, name: &str) -> Option<(BusinessDayConvention, &'static str)> {
    let definition = text(&file["definitions"], name).strip_prefix("BusinessDayAdjustment.")?;
    if definition == "NONE" {
        return Some((BusinessDayConvention::Unadjusted, "WEEKENDS"));
    }
    let (convention, calendar) = definition.strip_prefix("of(")?.strip_suffix(')')?.split_once(", ")?;
    let calendar = if calendar == "SAT_SUN" {
        "WEEKENDS"
    } else {
        ["JPTO", "GBLO"].into_iter().find(|code| *code == calendar)?
    };
    Some((convention_of(convention)?, calendar))
}

pub fn periods(file: &Value, case: &Value) -> Outcome {
    let given = |name: &str| case[name].is_string();
    let Some(step) = step_of(text(case, "frequency")) else { return Outcome::Beyond("another frequency") };
    let (stub, roll) = (stub_of(text(case, "stub")), roll_of(text(case, "roll")));
    let Some((convention, calendar)) = adjustment(file, text(case, "business_day_adjustment")) else {
        return Outcome::Beyond("another adjustment");
    };
    let start_convention = adjustment(file, text(case, "start_date_adjustment"));
    if given("stub") != stub.is_some()
        || given("roll") != roll.is_some()
        || given("start_date_adjustment") != start_convention.is_some()
    {
        return Outcome::Beyond("another convention");
    }
    let periods = Periods {
        start: date(case, "start"),
        end: date(case, "end"),
        step,
        stub,
        roll,
        first_regular: given("first_regular").then(|| date(case, "first_regular")),
        last_regular: given("last_regular").then(|| date(case, "last_regular")),
        convention,
        start_convention: start_convention.map(|(convention, _)| convention),
    };
    let calendar = Calendar::named(calendar, periods.start.year() - 1, periods.end.year() + 1);
    let (calendar, expected) = (calendar.as_ref(), roll_of(text(case, "expected_roll")).unwrap());
    Outcome::of(
        (periods.unadjusted(calendar), periods.adjusted(calendar), periods.effective_roll(calendar)),
        (Ok(dates(&case["expected_unadjusted"])), Ok(dates(&case["expected_adjusted"])), Ok(expected)),
    )
}
