//! The date and loan functions of spreadsheets.

use crate::Outcome;
use crate::loans::{SCALE, close, scaled};
use serde_json::Value;
use tenor_abi::calendar::Calendar;
use tenor_abi::date::Date;
use tenor_abi::daycount::{DayCount, Fraction};
use tenor_abi::instalment::{self, Instalment};

/// `2007-01-01`, `1/31/2001` and `new Date(2011, 0, 23)` with months from 0.
fn day(text: &str) -> Option<Date> {
    let numbers = |text: &str, separator: char| -> Option<Vec<i32>> {
        text.split(separator).map(|number| number.trim().parse().ok()).collect()
    };
    if let Some(inner) = text.trim().strip_prefix("new Date(") {
        let [year, month, day] = numbers(inner.strip_suffix(')')?, ',')?[..] else { return None };
        return Date::new(year, u8::try_from(month + 1).ok()?, u8::try_from(day).ok()?).ok();
    }
    if let Some([month, day, year]) = numbers(text, '/').as_deref() {
        return Date::new(*year, u8::try_from(*month).ok()?, u8::try_from(*day).ok()?).ok();
    }
    text.trim().trim_matches(['"', '\'']).parse().ok()
}

/// The number a spreadsheet has for a day, from March 1900 on; it believes in a 29 February 1900.
fn serial(day: Date) -> i64 {
    i64::from(day.days() - Date::of(1899, 12, 30).days())
}

/// Whole months from a day to another.
fn months(start: Date, end: Date) -> i32 {
    let between = (end.year() - start.year()) * 12 + i32::from(end.month()) - i32::from(start.month());
    if start.add_months(between) > end || end.day() < start.day() { between - 1 } else { between }
}

/// Arguments as JSON, those in JavaScript turned into it.
fn arguments(case: &Value) -> Vec<Value> {
    let Some(script) = case["args_js"].as_str() else {
        return case["args"].as_array().cloned().unwrap_or_default();
    };
    let mut depth = 0;
    let parts = script.split(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ',' && depth == 0
    });
    parts.map(|part| serde_json::from_str(part.trim()).unwrap_or_else(|_| part.trim().into())).collect()
}

pub fn date_function(_: &Value, case: &Value) -> Outcome {
    const FORM: Outcome = Outcome::Beyond("arguments that are no dates");
    let arguments = arguments(case);
    let expected = case["expect_js"].as_str().map_or_else(
        || case["expect"].clone(),
        |script| serde_json::from_str(script).unwrap_or_else(|_| script.into()),
    );
    let at = |place: usize| arguments.get(place).and_then(Value::as_str).and_then(day);
    let function = case["fn"].as_str().unwrap_or_default();
    if let ("DAYS", Some([end, start])) =
        (function, arguments.iter().map(Value::as_i64).collect::<Option<Vec<_>>>().as_deref())
    {
        return Outcome::of(Some(end - start), expected.as_i64());
    }
    let Some(first) = at(0) else { return FORM };
    let moved = |given: Date| match expected.as_str().and_then(day) {
        Some(expected) => Outcome::of(given, expected),
        None => Outcome::of(Some(serial(given)), expected.as_i64()),
    };
    let number = arguments.get(1).and_then(Value::as_i64).and_then(|number| i32::try_from(number).ok());
    match (function, number) {
        ("EDATE", Some(number)) => return moved(first.add_months(number)),
        ("EOMONTH", Some(number)) => {
            return moved(Date::of(first.year(), first.month(), 1).add_months(number).month_end());
        }
        _ => {}
    }
    let Some(second) = at(1) else { return FORM };
    let days = i64::from(second.days() - first.days());
    let found = match function {
        "DAYS" => -days,
        "DAYS360" => {
            let european = arguments.get(2).and_then(Value::as_bool) == Some(true);
            let day_count = if european { DayCount::Thirty360E } else { DayCount::Thirty360Psa };
            i64::from(day_count.days(first, second, None))
        }
        "DATEDIF" => {
            let months = months(first, second);
            let rest = |from: Date| i64::from(second.days() - from.days());
            match arguments.get(2).and_then(Value::as_str).unwrap_or_default().to_lowercase().as_str() {
                "d" => days,
                "m" => i64::from(months),
                "y" => i64::from(months / 12),
                "ym" => i64::from(months % 12),
                "yd" => rest(first.add_months(months / 12 * 12)),
                "md" => rest(first.add_months(months)),
                _ => return FORM,
            }
        }
        "NETWORKDAYS" => {
            let mut calendar = Calendar::named("WEEKENDS", first.year() - 1, second.year() + 1).unwrap();
            let listed = match arguments.get(2) {
                Some(Value::Array(list)) => list.clone(),
                Some(one) => vec![one.clone()],
                None => Vec::new(),
            };
            let holidays: Option<Vec<_>> = listed.iter().map(|text| text.as_str().and_then(day)).collect();
            let Some(holidays) = holidays else { return FORM };
            calendar.holidays = holidays;
            calendar.holidays.sort_unstable();
            let days = (0..=days as i32).map(|ahead| first.add_days(ahead));
            days.filter(|day| calendar.is_business_day(*day).unwrap()).count() as i64
        }
        "YEARFRAC" => {
            let one_year = first.year() == second.year();
            let day_count = match arguments.get(2).and_then(Value::as_i64).unwrap_or(0) {
                0 => DayCount::Thirty360U,
                // Actual days over 366 in a leap year, or when the year between has a 29 February.
                1 if one_year => DayCount::ActActIsda,
                1 if first.add_months(12) >= second => DayCount::Act365A,
                2 => DayCount::Act360,
                3 => DayCount::Act365F,
                4 => DayCount::Thirty360E,
                _ => return Outcome::Beyond("the average length of several years"),
            };
            let part = day_count.fraction(first, second, None);
            let given = part.numerator() * SCALE / part.denominator();
            return close(given, &expected.to_string());
        }
        _ => return Outcome::Beyond("another function"),
    };
    Outcome::of(Some(found), expected.as_i64())
}

/// A number, or `0.08/12`, as a fraction.
fn fraction(text: &str) -> Option<Fraction> {
    let (over, under) = text.split_once('/').unwrap_or((text, "1"));
    let (digits, exponent) = over.split_once('e').unwrap_or((over, "0"));
    let places =
        digits.split_once('.').map_or(0, |(_, part)| part.len() as i32) - exponent.parse::<i32>().ok()?;
    let digits: i128 = digits.replace('.', "").parse().ok()?;
    let power = |places: i32| 10i128.checked_pow(u32::try_from(places.max(0)).ok()?);
    Fraction::new(digits.checked_mul(power(-places)?)?, power(places)?.checked_mul(under.parse().ok()?)?)
}

/// What a loan function gives, in millionths of millionths; none for arguments it has no answer to.
///
/// A future value is a part of the principal that is never paid back: the plan is that of both together, and
/// the interest on the future value comes off. Paid at the start of periods, all is one period less worth.
fn loan(function: &str, arguments: &[String]) -> Option<i128> {
    let number = |place: usize| arguments.get(place).and_then(|text| fraction(text));
    let whole = |place: usize| number(place).filter(|it| it.denominator() == 1).map(Fraction::numerator);
    let periodic = number(0)?;
    let cumulated = function.starts_with("CUM");
    // rate, [period,] periods, principal, future value or first period, [last period,] when paid
    let at = usize::from(matches!(function, "IPMT" | "PPMT"));
    let count = u32::try_from(whole(1 + at)?).ok()?;
    let principal = scaled(arguments.get(2 + at)?)?;
    let optional = |place: usize| arguments.get(place).filter(|text| *text != "null");
    let future = if cumulated { 0 } else { optional(3 + at).map_or(Some(0), |text| scaled(text))? };
    let begins = match optional(if cumulated { 5 } else { 4 + at }).map(String::as_str) {
        None | Some("0" | "end") => false,
        Some("1" | "begin") => true,
        _ => return None,
    };
    let together = principal + future;
    let equal = instalment::instalment(together, periodic, count).ok()?;
    let multiple = |amount: i128, by: Fraction| amount * by.numerator() / by.denominator();
    let of_future = multiple(future, periodic);
    let one_less = |amount: i128| {
        let (over, under) = (periodic.numerator(), periodic.denominator());
        if begins {
            amount / (under + over) * under + amount % (under + over) * under / (under + over)
        } else {
            amount
        }
    };
    let payment = one_less(equal - of_future);
    let (first, last) = match function {
        "PMT" => return Some(-payment),
        "IPMT" | "PPMT" => (whole(1)?, whole(1)?),
        _ => (whole(3)?, whole(4)?),
    };
    if first < 1 || last < first || last > i128::from(count) {
        return None;
    }
    let days = (0..count as i32).map(|ahead| (Date::of(2000, 1, 1).add_days(ahead), periodic));
    let plan = instalment::plan_of(together, equal, &days.collect::<Vec<_>>()).ok()?;
    let part = |number: i128, row: &Instalment| match (function, begins && number == 1) {
        ("IPMT" | "CUMIPMT", true) => 0,
        ("IPMT" | "CUMIPMT", false) => one_less(row.interest - of_future),
        (_, true) => payment,
        (_, false) => one_less(equal - row.interest),
    };
    let rows = (1..).zip(&plan).filter(|(number, _)| (first..=last).contains(number));
    Some(-rows.map(|(number, row)| part(number, row)).sum::<i128>())
}

fn compare(function: &str, arguments: &[String], expected: Option<String>) -> Outcome {
    if !["PMT", "IPMT", "PPMT", "CUMIPMT", "CUMPRINC"].contains(&function) {
        return Outcome::Beyond("present and future value, rate of return, depreciation");
    }
    match (loan(function, arguments), expected) {
        (Some(given), Some(expected)) => close(given, &expected),
        (given, expected) => Outcome::of(given.map(|given| given.to_string()), expected),
    }
}

pub fn excel(_: &Value, case: &Value) -> Outcome {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let arguments: Vec<_> = case["args"].as_array().unwrap().iter().map(text).collect();
    let expected = &case["expect"]["value"];
    compare(case["fn"].as_str().unwrap(), &arguments, expected.is_number().then(|| expected.to_string()))
}

pub fn numpy(_: &Value, case: &Value) -> Outcome {
    let arguments: Vec<_> =
        case["args"].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect();
    let function = case["fn"].as_str().unwrap().to_uppercase();
    compare(&function, &arguments, case["expect"].as_str().map(str::to_owned))
}
