//! Published cases: compares what the library says with cases from outside the project.
//!
//! The cases are not part of the project. They are read from the folder in `TENOR_VECTORS`, else from
//! `../shared/vectors`; without them only own cases run. `docs/vectors.md` says what is claimed.

#![allow(clippy::unwrap_used)] // A test: what is not there fails it.

mod days;
mod flows;
mod loans;
mod recurrences;
mod spreadsheet;
mod transfers;

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use tenor_abi::date::Date;

/// What became of a case.
pub enum Outcome {
    /// As published.
    Same,
    /// Not as published.
    Other(String),
    /// Beyond what is claimed, and why.
    Beyond(&'static str),
}

impl Outcome {
    /// Compares two values.
    pub fn of<T: PartialEq + std::fmt::Debug>(given: T, expected: T) -> Outcome {
        if given == expected {
            return Outcome::Same;
        }
        Outcome::Other(format!("{given:?} given, {expected:?} expected"))
    }
}

/// A text field, empty when there is none.
pub fn text<'a>(case: &'a Value, name: &str) -> &'a str {
    case[name].as_str().unwrap_or_default()
}

/// A date at the start of a text field.
pub fn date(case: &Value, name: &str) -> Date {
    let text = text(case, name);
    text.get(..10).unwrap_or(text).parse().unwrap_or_else(|error| panic!("{name} of {case}: {error}"))
}

/// The dates of a list, without their times.
pub fn dates(list: &Value) -> Vec<Date> {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(|day| day.as_str()?.get(..10)?.parse().ok()).collect()
}

type Answer = fn(&Value, &Value) -> Outcome;

/// The files answered and what answers them.
const ANSWERS: [(&str, Answer); 16] = [
    ("strata_day_counts", days::day_count),
    ("strata_business_day_conventions", days::convention),
    ("strata_holiday_calendars", days::holidays),
    ("strata_roll_conventions", days::roll),
    ("strata_periodic_schedules", days::periods),
    ("rrule_sequences", recurrences::sequence),
    ("fineract_due_dates", recurrences::due_date),
    ("fineract_emi_schedules", loans::equal_instalments),
    ("fineract_schedule_pure", loans::schedule),
    ("actus_ann", loans::annuity),
    ("actus_pam", loans::bullet),
    ("excel_date_functions", spreadsheet::date_function),
    ("excel_financial_functions", spreadsheet::excel),
    ("numpy_financial", spreadsheet::numpy),
    ("numscript_specs", flows::numscript),
    ("tigerbeetle_state_machine", transfers::tigerbeetle),
];

/// The lists of a file that hold cases.
const LISTS: [&str; 2] = ["cases", "rfc5545_doc_examples"];

fn folder() -> Option<PathBuf> {
    let default = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/vectors"));
    let folder = std::env::var_os("TENOR_VECTORS").map_or_else(default, PathBuf::from);
    folder.is_dir().then_some(folder)
}

/// Cases and claimed cases of each file, from the table in `docs/vectors.md`.
fn claims() -> BTreeMap<String, (usize, usize)> {
    let table = include_str!("../../docs/vectors.md");
    let rows = table.lines().filter_map(|line| {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let [_, file, cases, claimed, ..] = cells[..] else { return None };
        Some((file.to_owned(), (cases.parse().ok()?, claimed.parse().ok()?)))
    });
    rows.collect()
}

#[test]
fn published_cases() {
    let Some(folder) = folder() else {
        println!("no published cases here: own cases only");
        return;
    };
    let claims = claims();
    let mut wrong = Vec::new();
    for (name, answer) in ANSWERS {
        let path = folder.join(name).with_extension("json");
        let Ok(content) = std::fs::read(&path) else {
            println!("{name} is not there");
            continue;
        };
        let file: Value = serde_json::from_slice(&content).unwrap();
        let (mut passed, mut total, mut beyond) = (0, 0, BTreeMap::<_, Vec<_>>::new());
        for case in LISTS.iter().filter_map(|list| file[list].as_array()).flatten() {
            total += 1;
            match answer(&file, case) {
                Outcome::Same => passed += 1,
                Outcome::Other(how) => wrong.push(format!("{}: {how}", text(case, "id"))),
                Outcome::Beyond(why) => beyond.entry(why).or_default().push(text(case, "id").to_owned()),
            }
        }
        println!("{name} {passed}/{total}");
        for (why, ids) in beyond {
            println!("    {why}: {}", ids.join(" "));
        }
        match claims.get(name) {
            // Another edition of the file has other numbers; each answer is compared all the same.
            Some((cases, claimed)) if *cases == total && *claimed != passed => {
                wrong.push(format!("{name}: docs/vectors.md claims {claimed}, {passed} are right"));
            }
            Some(_) => {}
            None => wrong.push(format!("{name} is not in docs/vectors.md")),
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_table_names_every_file_answered() {
    let claims = claims();
    let answered: BTreeSet<_> = ANSWERS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let claimed: BTreeSet<_> =
        claims.iter().filter(|(_, (_, claimed))| *claimed > 0).map(|(name, _)| name.clone()).collect();
    assert_eq!(claimed.difference(&answered).collect::<Vec<_>>(), Vec::<&String>::new());
    assert!(answered.iter().all(|name| claims.contains_key(name)));
}

/// Own cases in the form of the published ones, for where those are not.
#[test]
fn own_cases() {
    let own = include_str!("own.json");
    let own: Value = serde_json::from_str(own).unwrap();
    for (name, answer) in ANSWERS {
        for case in own[name].as_array().unwrap_or_else(|| panic!("no own case of {name}")) {
            match answer(&own, case) {
                Outcome::Same => {}
                Outcome::Other(how) => panic!("{name} {case}: {how}"),
                Outcome::Beyond(why) => panic!("{name} {case} is beyond: {why}"),
            }
        }
    }
}
