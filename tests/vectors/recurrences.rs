//! Recurrence sequences and due dates.

use crate::{Outcome, date, dates, text};
use serde_json::Value;
use std::collections::BTreeMap;
use tenor_abi::date::{Date, DayOfMonth, Weekday};
use tenor_abi::recurrence::{Daily, Monthly, Recurrence, Weekly, Yearly};

/// The parts of a rule by their small names, lists separated by commas.
type Parts = BTreeMap<String, String>;

const BEYOND: &str = "weekday positions, days of the year, week numbers, set positions or times of day";

/// `RRULE:FREQ=YEARLY;COUNT=3`, with lines of its own for the start.
fn of_string(rule: &str) -> Option<Parts> {
    let mut parts = Parts::new();
    for line in rule.replace("\n ", "").lines() {
        match line.split_once(':').unwrap_or(("RRULE", line)) {
            ("RRULE", rule) => {
                for part in rule.split(';') {
                    let (name, value) = part.split_once('=')?;
                    let name = name.to_lowercase().replace("byday", "byweekday");
                    parts.insert(name, value.into());
                }
            }
            ("DTSTART", start) => drop(parts.insert("dtstart".into(), start.into())),
            _ => return None,
        }
    }
    Some(parts)
}

/// `rrule(DAILY, interval=2, dtstart=parse("19970902T090000"))`.
fn of_expression(expression: &str) -> Option<Parts> {
    let inner = expression.strip_prefix("rrule(")?.strip_suffix(')')?;
    let (frequency, inner) = inner.split_once(", ")?;
    let mut parts = Parts::from([("freq".to_owned(), frequency.to_owned())]);
    let mut rest = inner;
    while let Some((name, after)) = rest.split_once('=') {
        // A value ends at a comma outside parentheses.
        let mut depth = 0;
        let end = after.find(|c| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            c == ',' && depth == 0
        });
        let (value, tail) = after.split_at(end.unwrap_or(after.len()));
        rest = tail.trim_start_matches([',', ' ']);
        let value = match value.strip_prefix("range(").and_then(|range| range.strip_suffix(')')) {
            Some(range) => {
                let (from, to) = range.split_once(',').unwrap_or(("0", range));
                let (from, to): (u8, u8) = (from.parse().ok()?, to.parse().ok()?);
                let numbers = (from..to).map(|number| number.to_string());
                numbers.collect::<Vec<_>>().join(",")
            }
            None if value.starts_with("parse(") => value.replace("parse(", "").replace(['"', ')'], ""),
            // FR(1) keeps its parentheses and is beyond.
            None if value.starts_with('(') => value[1..value.len() - 1].trim_end_matches(',').into(),
            None => value.into(),
        };
        parts.insert(name.into(), value);
    }
    Some(parts)
}

fn of_fields(case: &Value) -> Parts {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    let fields = case.as_object().into_iter().flatten();
    let fields = fields.filter(|(name, _)| !["id", "expected", "recomputed"].contains(&name.as_str()));
    let joined = fields.map(|(name, value)| {
        let list = value.as_array().map(|list| list.iter().map(text).collect::<Vec<_>>().join(","));
        (name.clone(), list.unwrap_or_else(|| text(value)))
    });
    joined.collect()
}

/// `19970902T090000` and `1997-09-02T09:00:00`.
fn day(text: &str) -> Option<Date> {
    let digits: String = text.split('T').next()?.chars().filter(char::is_ascii_digit).collect();
    format!("{}-{}-{}", digits.get(..4)?, digits.get(4..6)?, digits.get(6..8)?).parse().ok()
}

/// The recurrences that make the rule together; none when there are none.
fn recurrences(parts: &Parts) -> Option<Vec<Recurrence>> {
    const KNOWN: [&str; 9] =
        ["freq", "interval", "count", "until", "dtstart", "bymonth", "bymonthday", "byweekday", "wkst"];
    if parts.keys().any(|name| !KNOWN.contains(&name.as_str())) {
        return None;
    }
    let start = day(parts.get("dtstart")?)?;
    let interval: u16 = parts.get("interval").map_or(Ok(1), |text| text.parse()).ok()?;
    let frequency = parts.get("freq")?.as_str();
    let numbers = |name: &str| -> Option<Option<Vec<i32>>> {
        let Some(list) = parts.get(name) else { return Some(None) };
        list.split(',').map(|number| number.trim().parse().ok()).collect::<Option<_>>().map(Some)
    };
    let weekday = |text: &str| {
        let name = text.trim().to_lowercase();
        Weekday::ALL.into_iter().find(|day| name.len() == 2 && day.name().starts_with(&name))
    };
    let short = |text: &str| -> Option<Weekday> {
        text.trim()
            .parse::<usize>()
            .ok()
            .and_then(|at| Weekday::ALL.get(at).copied())
            .or_else(|| weekday(text))
    };
    let (months, days) = (numbers("bymonth")?, numbers("bymonthday")?);
    let weekdays: Option<Vec<Weekday>> = match parts.get("byweekday") {
        Some(list) => Some(list.split(',').map(short).collect::<Option<_>>()?),
        None => None,
    };
    // A day that not every month or year has is skipped there, which we do not.
    let always = |day: i32| (1..=28).contains(&day);
    let on = |day: i32| match day {
        -1 => Some(DayOfMonth::LAST),
        day if always(day) => DayOfMonth::new(day as u8).ok(),
        _ => None,
    };
    let from = |first: Date, step: i32| if first < start { first.add_months(step) } else { first };
    match (months, days, weekdays) {
        (None, None, None) => {
            let every = match frequency {
                "DAILY" => Daily::from(start),
                "WEEKLY" => Weekly::from(start),
                "MONTHLY" if always(i32::from(start.day())) => {
                    Monthly::on(on(i32::from(start.day()))?).from(start)
                }
                "YEARLY" if (start.month(), start.day()) != (2, 29) => Yearly::from(start),
                _ => return None,
            };
            Some(vec![every.every(interval)])
        }
        (None, Some(days), None) if frequency == "MONTHLY" || interval == 1 => {
            let (year, month, _) = start.ymd();
            let each = days.into_iter().map(|day| {
                let day = on(day)?;
                let first = from(day.in_month(year, month), i32::from(interval));
                Some(Monthly::on(day).from(first).every(interval))
            });
            each.collect()
        }
        (Some(months), days, None)
            if interval == 1 && (days.is_some() || matches!(frequency, "MONTHLY" | "YEARLY")) =>
        {
            let days = days.unwrap_or_else(|| vec![i32::from(start.day())]);
            let pairs = months.into_iter().flat_map(|month| days.iter().map(move |day| (month, *day)));
            let mut all = Vec::new();
            for (month, day) in pairs {
                // A day no year has leaves no recurrence; one that some years have cannot be expressed.
                let month = u8::try_from(month).ok().filter(|month| (1..=12).contains(month))?;
                if day > i32::from(Date::of(2024, month, 1).month_end().day()) {
                    continue;
                }
                if !always(day) {
                    return None;
                }
                all.push(Yearly::from(from(Date::of(start.year(), month, day as u8), 12)));
            }
            Some(all)
        }
        (None, None, Some(weekdays)) if frequency == "WEEKLY" || interval == 1 => {
            let week = parts.get("wkst").map_or(Some(Weekday::Monday), |text| weekday(text))?;
            let after = |weekday: Weekday, other: Weekday| {
                (i32::from(weekday.days_from_monday()) - i32::from(other.days_from_monday())).rem_euclid(7)
            };
            let monday = start.add_days(-after(start.weekday(), week));
            let each = weekdays.into_iter().map(|weekday| {
                let first = monday.add_days(after(weekday, week));
                let first = if first < start { first.add_days(7 * i32::from(interval)) } else { first };
                Weekly::from(first).every(interval)
            });
            Some(each.collect())
        }
        _ => None,
    }
}

pub fn sequence(_: &Value, case: &Value) -> Outcome {
    let parts = match (text(case, "rrulestr"), text(case, "expression")) {
        ("", "") => Some(of_fields(case)),
        ("", expression) => of_expression(expression),
        (rule, _) => of_string(rule).map(|mut parts| {
            if let Some(start) = case["dtstart"].as_str() {
                parts.entry("dtstart".into()).or_insert_with(|| start.into());
            }
            parts
        }),
    };
    let Some(parts) = parts else { return Outcome::Beyond("a set of rules and dates") };
    let Some(recurrences) = recurrences(&parts) else { return Outcome::Beyond(BEYOND) };
    let until = parts.get("until").and_then(|until| day(until)).unwrap_or(Date::MAX);
    let count = parts.get("count").map_or(1000, |count| count.parse().unwrap());
    let mut days: Vec<Date> = recurrences
        .iter()
        .flat_map(|recurrence| (0..1000).map_while(|number| recurrence.until(until).nth(number)))
        .collect();
    days.sort_unstable();
    days.dedup();
    days.truncate(count);
    let listed = case["expected"].as_array().unwrap();
    match listed.iter().position(|day| day == "...") {
        None => Outcome::of(days, dates(&case["expected"])),
        Some(at) => {
            let expected = dates(&case["expected"]);
            let (start, end) = expected.split_at(at);
            Outcome::of((days.starts_with(start), days.ends_with(end)), (true, true))
        }
    }
}

pub fn due_date(_: &Value, case: &Value) -> Outcome {
    let (given, frequency) = if case["due"].is_string() {
        (date(case, "due"), text(case, "frequency"))
    } else {
        (date(case, "date"), text(case, "frequency"))
    };
    let on = |day: Date| Monthly::on(DayOfMonth::of(day.day()));
    let found = match text(case, "fn") {
        // After a short month the day of the seed comes back; other steps keep the day they found.
        "adjust_to_seed_day" if frequency == "months" => {
            let (year, month, _) = given.ymd();
            on(date(case, "seed")).from(Date::of(year, month, 1)).nth(0)
        }
        "adjust_to_seed_day" => Some(given),
        "next_due" if text(case, "working_days") != "all 7" => return Outcome::Beyond("working days"),
        "next_due" => match frequency {
            "days" => Daily::from(given).nth(1),
            "weeks" => Weekly::from(given).nth(1),
            "months" => on(given).from(given).nth(1),
            "years" => Yearly::from(given).nth(1),
            _ => return Outcome::Beyond("another frequency"),
        },
        _ => return Outcome::Beyond("another function"),
    };
    Outcome::of(found, Some(date(case, "expected")))
}
