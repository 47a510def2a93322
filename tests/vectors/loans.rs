//! Loans: equal instalments, bullets, and the schedules of both.

use crate::{Outcome, date, text};
use serde_json::Value;
use tenor_abi::calendar::{BusinessDayConvention, Calendar};
use tenor_abi::date::{Date, DayOfMonth};
use tenor_abi::daycount::{DayCount, Fraction};
use tenor_abi::instalment::{self, Instalment};
use tenor_abi::period::{Periods, Roll, Step, Stub};
use tenor_abi::rate::{Rate, Rounding, interest};
use tenor_abi::recurrence::{Daily, Monthly};

/// Parts of a unit that unrounded amounts are compared in.
pub const SCALE: i128 = 1_000_000_000_000;

/// A decimal number in parts of [`SCALE`], further digits cut off.
pub fn scaled(text: &str) -> Option<i128> {
    if text.contains('e') {
        let number: f64 = text.parse().ok()?;
        return scaled(&format!("{number:.15}"));
    }
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{whole}{:0<12.12}", part);
    digits.parse().ok()
}

/// Whether an amount in parts of [`SCALE`] is the expected one, to its last digit or a billionth.
pub fn close(given: i128, expected: &str) -> Outcome {
    let Some(wanted) = scaled(expected) else { return Outcome::of(given.to_string(), expected.into()) };
    let places = expected.split_once('.').map_or(0, |(_, part)| part.len() as u32);
    let last = SCALE / 10i128.pow(places.min(12)) / 2;
    let billionth = SCALE / 1_000_000_000 * 10;
    // A number printed short, like 250.0, is exact.
    let slack = if places > 4 { last.max(billionth) } else { billionth };
    if (given - wanted).abs() <= slack { Outcome::Same } else { Outcome::of(given, wanted) }
}

/// An amount in cents.
fn cents(text: &str) -> i128 {
    scaled(text).unwrap() / (SCALE / 100)
}

fn percent(text: &str) -> Rate {
    format!("{text}%").parse().unwrap()
}

type Row = (Date, i128, i128, i128);

fn row(row: &Instalment) -> Row {
    (row.due, row.principal, row.interest, row.balance)
}

pub fn equal_instalments(_: &Value, case: &Value) -> Outcome {
    const CHANGES: Outcome = Outcome::Beyond("further disbursements, changes of the rate, payments");
    let inputs = &case["inputs"];
    let [disburse, expect] = &case["steps"].as_array().unwrap()[..] else { return CHANGES };
    if text(disburse, "op") != "disburse" || text(expect, "op") != "expect_schedule" {
        return CHANGES;
    }
    let every = inputs["repay_every"].as_u64().unwrap() as u16;
    let step = match text(inputs, "repay_unit") {
        "months" => Step::Months(every),
        "weeks" => Step::Days(7 * every),
        _ => Step::Days(every),
    };
    let rate = percent(text(inputs, "annual_rate_pct"));
    let thirty = inputs["days_in_month"].as_i64() == Some(30);
    let mut periods = Vec::new();
    for period in inputs["periods"].as_array().unwrap() {
        let from = date(period, "from");
        // A period is one step long, also where its due date was moved.
        let until = Roll::None.next(from, step);
        let days = i128::from(until.days() - from.days());
        let part = match (inputs["days_in_year"].as_i64(), step) {
            (Some(year), Step::Months(months)) if thirty => {
                Fraction::new(30 * i128::from(months), year.into())
            }
            (Some(year), _) => Fraction::new(days, year.into()),
            (None, _) if thirty => return Outcome::Beyond("months of 30 days in actual years"),
            (None, _) => Some(DayCount::ActActIsda.fraction(from, until, None)),
        };
        periods.push((date(period, "due"), part.and_then(|part| part.checked_mul(rate.fraction())).unwrap()));
    }
    if date(disburse, "date") != date(&inputs["periods"][0], "from") {
        return CHANGES;
    }
    let principal = cents(text(disburse, "amount"));
    let rates: Vec<_> = periods.iter().map(|(_, periodic)| *periodic).collect();
    let equal = instalment::instalment_varying(principal, &rates).unwrap();
    let plan = instalment::plan_levelled(principal, equal, &periods).unwrap();
    let mut expected: Vec<(i64, [i128; 4])> = Vec::new();
    for row in expect["rows"].as_array().unwrap() {
        let amounts =
            ["installment", "principal", "interest", "balance_after"].map(|name| cents(text(row, name)));
        let number = row["period"].as_i64().unwrap();
        expected.retain(|(other, _)| *other != number);
        expected.push((number, amounts));
    }
    let expected: Vec<_> = expected.into_iter().map(|(_, amounts)| amounts).collect();
    Outcome::of(
        plan.iter().map(|row| [row.total(), row.principal, row.interest, row.balance]).collect(),
        expected,
    )
}

pub fn schedule(file: &Value, case: &Value) -> Outcome {
    let (loan, product) = (&case["loan"], &file["products"][text(case, "product")]);
    let number = |name: &str| text(loan, name).parse::<u32>().unwrap_or(0);
    if text(loan, "amortization type") != "EQUAL_INSTALLMENTS" {
        return Outcome::Beyond("equal principal");
    }
    if number("graceOnInterestPayment") > 0 || number("interest free period") > 0 {
        return Outcome::Beyond("periods free of interest");
    }
    let mut tranches: Vec<(Date, i128)> = case["disbursements"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tranche| (date(tranche, "date"), cents(text(tranche, "amount"))))
        .collect();
    if tranches.is_empty() {
        tranches.push((date(loan, "submitted on date"), cents(text(loan, "with Principal"))));
    }
    // Instalments are whole multiples of so many cents.
    let unit = product["installmentAmountInMultiplesOf"]
        .as_i64()
        .filter(|of| *of > 0)
        .map_or(1, |of| i128::from(of) * 100);
    let down = if product["enableDownPayment"].as_bool() == Some(true) {
        let percent = text(product, "disbursedAmountPercentageForDownPayment");
        percent.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0)
    } else {
        0
    };
    let to_unit = |amount: i128, of: i128| {
        let exact = interest(amount, percent("100"), Fraction::new(1, of * unit).unwrap()).unwrap();
        exact.round(Rounding::HalfEven) * unit
    };
    let (start, count) = (tranches[0].0, number("numberOfRepayments"));
    let every = number("repaymentEvery") as u16;
    let monthly = text(loan, "repaymentFrequencyType") == "MONTHS";
    let days = if monthly {
        Monthly::on(DayOfMonth::of(start.day())).from(start).every(every)
    } else {
        Daily::from(start).every(every)
    };
    let due: Vec<Date> = (1..=count).filter_map(|at| days.nth(at)).collect();
    let rate = percent(text(loan, "ANNUAL interest rate %"));
    let free = rate.billionths() == 0;
    let same_period = text(loan, "interest calculation period") == "SAME_AS_REPAYMENT_PERIOD"
        || (text(product, "daysInYearType"), text(product, "daysInMonthType")) == ("DAYS360", "DAYS30");
    if !(free || monthly && same_period) {
        return Outcome::Beyond("interest by actual days");
    }
    if !free && (tranches.len() > 1 || down > 0) {
        return Outcome::Beyond("tranches and down payments with interest");
    }
    let periodic =
        Fraction::new(every.into(), 12).and_then(|part| part.checked_mul(rate.fraction())).unwrap();
    let downs: Vec<(Date, i128)> = tranches
        .iter()
        .filter(|_| down > 0)
        .map(|(day, amount)| (*day, to_unit(amount * down, 100)))
        .collect();
    let mut rows: Vec<Row> = downs.iter().map(|(day, amount)| (*day, *amount, 0, 0)).collect();
    if free || text(loan, "interest type") == "FLAT" {
        // The principal in equal parts, interest on all of it.
        let lent: Vec<(Date, i128)> = tranches
            .iter()
            .enumerate()
            .map(|(at, (day, amount))| (*day, amount - downs.get(at).map_or(0, |down| down.1)))
            .collect();
        let total: i128 = lent.iter().map(|(_, amount)| amount).sum();
        let flat = interest(total, percent("100"), periodic).unwrap().round(Rounding::HalfEven);
        let mut paid = 0;
        for (at, day) in due.iter().enumerate() {
            let so_far: i128 = lent.iter().filter(|(given, _)| given < day).map(|(_, amount)| amount).sum();
            let part = instalment::instalment(so_far, Fraction::ZERO, count).unwrap();
            let part = if at + 1 == due.len() { total - paid } else { to_unit(part, 1) };
            paid += part;
            rows.push((*day, part, flat, 0));
        }
    } else {
        let grace = number("graceOnPrincipalPayment") as usize;
        let (idle, paying) = due.split_at(grace);
        let principal = tranches[0].1;
        let only = interest(principal, percent("100"), periodic).unwrap().round(Rounding::HalfEven);
        rows.extend(idle.iter().map(|day| (*day, 0, only, 0)));
        let periods: Vec<_> = paying.iter().map(|day| (*day, periodic)).collect();
        let equal = to_unit(instalment::instalment(principal, periodic, paying.len() as u32).unwrap(), 1);
        let plan = if text(product, "loanScheduleType") == "PROGRESSIVE" {
            instalment::plan_levelled(principal, equal, &periods)
        } else {
            instalment::plan_of(principal, equal, &periods)
        };
        rows.extend(plan.unwrap().iter().map(row));
    }
    rows.sort_by_key(|row| row.0);
    let rows: Vec<_> = rows
        .into_iter()
        .map(|(day, principal, interest, _)| (day, principal, interest, principal + interest))
        .collect();
    let expected =
        case["expected_schedule"].as_array().unwrap().iter().filter(|row| !text(row, "Nr").is_empty());
    let expected = expected.map(|row| {
        let amount = |name: &str| cents(&text(row, name).replace(',', ""));
        (date(row, "Date"), amount("Principal due"), amount("Interest"), amount("Due"))
    });
    Outcome::of(rows, expected.collect())
}

/// A number that may be written as a text.
fn term(terms: &Value, name: &str) -> Option<String> {
    match &terms[name] {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The days of `P1ML0` from an anchor to the end, with a long (0) or short (1) last period.
fn cycle(terms: &Value, of: &str, end: Date) -> Option<Vec<Date>> {
    let cycle = text(terms, &format!("cycleOf{of}")).strip_prefix('P')?.split_once('L')?;
    let (number, unit) = cycle.0.split_at(cycle.0.len() - 1);
    let number: u16 = number.parse().ok()?;
    let step = match unit {
        "D" => Step::Days(number),
        "W" => Step::Days(7 * number),
        "M" => Step::Months(number),
        "Y" => Step::Months(12 * number),
        _ => return None,
    };
    let anchor = date(terms, &format!("cycleAnchorDateOf{of}"));
    if anchor == end {
        return Some(vec![end]);
    }
    let ends = text(terms, "endOfMonthConvention") == "EOM" && anchor.is_month_end();
    let stub = Some(if cycle.1 == "0" { Stub::LongFinal } else { Stub::ShortFinal });
    let roll = ends.then_some(Roll::EndOfMonth);
    Periods { stub, roll, ..Periods::new(anchor, end, step) }.unadjusted(None).ok()
}

const KNOWN: [&str; 27] = [
    "contractType",
    "contractID",
    "contractRole",
    "contractDealDate",
    "initialExchangeDate",
    "statusDate",
    "notionalPrincipal",
    "dayCountConvention",
    "nominalInterestRate",
    "currency",
    "maturityDate",
    "amortizationDate",
    "rateMultiplier",
    "rateSpread",
    "fixingDays",
    "cycleAnchorDateOfInterestPayment",
    "cycleOfInterestPayment",
    "cycleAnchorDateOfPrincipalRedemption",
    "cycleOfPrincipalRedemption",
    "nextPrincipalRedemptionPayment",
    "endOfMonthConvention",
    "premiumDiscountAtIED",
    "accruedInterest",
    "businessDayConvention",
    "calendar",
    "creatorID",
    "counterpartyID",
];

/// Events of a loan until its end: day, kind, amount in parts of [`SCALE`].
fn events(terms: &Value) -> Result<Vec<(Date, &'static str, i128)>, &'static str> {
    if terms.as_object().unwrap().keys().any(|name| !KNOWN.contains(&name.as_str())) {
        return Err("rate resets, capitalisation, purchase, termination, fees, prepayment");
    }
    let day_count = match text(terms, "dayCountConvention") {
        "A365" => DayCount::Act365F,
        "A360" => DayCount::Act360,
        "AA" => DayCount::ActActIsda,
        "30E360" => DayCount::Thirty360E,
        "30E360ISDA" => DayCount::Thirty360EIsda,
        _ => return Err("another day count"),
    };
    let amount = |name: &str| term(terms, name).and_then(|text| scaled(&text)).unwrap_or(0);
    let rate = Rate::from_billionths((amount("nominalInterestRate") / 1000) as i64).ok_or("another rate")?;
    let principal = amount("notionalPrincipal");
    let given = |name: &str| terms[name].is_string().then(|| date(terms, name));
    let end = given("maturityDate").or_else(|| given("amortizationDate")).ok_or("no end")?;
    let within_day =
        |name: &str| !matches!(text(terms, name).get(10..), None | Some("" | "T00:00" | "T00:00:00"));
    if within_day("maturityDate") || within_day("amortizationDate") {
        return Err("an end within a day");
    }
    let ied = date(terms, "initialExchangeDate");
    let (convention, shifts_first) = match text(terms, "businessDayConvention") {
        "" | "NULL" | "NOS" => (BusinessDayConvention::Unadjusted, false),
        _ if text(terms, "calendar") != "MF" => return Err("another calendar"),
        "SCF" => (BusinessDayConvention::Following, true),
        "SCMF" => (BusinessDayConvention::ModifiedFollowing, true),
        "CSF" => (BusinessDayConvention::Following, false),
        "CSMF" => (BusinessDayConvention::ModifiedFollowing, false),
        "SCP" => (BusinessDayConvention::Preceding, true),
        "CSP" => (BusinessDayConvention::Preceding, false),
        _ => return Err("another convention"),
    };
    let weekdays = Calendar::named("WEEKENDS", ied.year(), end.year() + 1).unwrap();
    let moved = |day: Date| if day == end { day } else { weekdays.adjust(day, convention).unwrap() };
    let pays_interest = cycle(terms, "InterestPayment", end).ok_or("another cycle")?;
    let redeems = match text(terms, "contractType") {
        "PAM" => Vec::new(),
        _ => cycle(terms, "PrincipalRedemption", end).ok_or("another cycle")?,
    };
    let status = date(terms, "statusDate");
    let mut days: Vec<Date> = [&pays_interest[..], &redeems[..], &[end]].concat();
    days.sort_unstable();
    days.dedup();
    let counted = |day: Date| if shifts_first { moved(day) } else { day };
    let first = ied.max(status);
    // The rate of each period between events; interest is rounded to parts of SCALE only.
    let mut from = first;
    let mut periods = Vec::new();
    for day in days.iter().copied() {
        let part =
            if counted(day) > from { day_count.fraction(from, counted(day), None) } else { Fraction::ZERO };
        periods.push(part);
        from = counted(day);
    }
    let sign = if text(terms, "contractRole") == "RPL" { -1 } else { 1 };
    let mut events = Vec::new();
    if ied > status {
        events.push((ied, "IED", -sign * (principal + amount("premiumDiscountAtIED"))));
    }
    let paid = match (terms["nextPrincipalRedemptionPayment"].is_null(), redeems.is_empty()) {
        (_, true) => 0,
        (false, _) => amount("nextPrincipalRedemptionPayment"),
        (true, _) => {
            let rates = days.iter().zip(&periods).filter(|(day, _)| redeems.contains(day));
            let rates: Option<Vec<_>> = rates.map(|(_, part)| part.checked_mul(rate.fraction())).collect();
            instalment::instalment_varying(principal, &rates.ok_or("another rate")?)
                .map_err(|_| "no instalment")?
        }
    };
    let (mut balance, mut accrued) = (principal, amount("accruedInterest"));
    for (day, part) in days.into_iter().zip(periods) {
        accrued += interest(balance, rate, part).unwrap().round(Rounding::HalfEven);
        let at = moved(day);
        if day == end {
            if pays_interest.contains(&day) {
                events.push((at, "IP", sign * accrued));
            }
            events.push((at, "MD", sign * balance));
            break;
        }
        if redeems.contains(&day) {
            let part = (paid - accrued).min(balance);
            balance -= part;
            events.push((at, "PR", sign * part));
        }
        if pays_interest.contains(&day) {
            events.push((at, "IP", sign * accrued));
            accrued = 0;
        }
    }
    Ok(events)
}

fn actus(case: &Value) -> Outcome {
    let observed = case["eventsObserved"].as_array().is_some_and(|events| !events.is_empty());
    if observed {
        return Outcome::Beyond("observed events");
    }
    let events = match events(&case["terms"]) {
        Ok(events) => events,
        Err(why) => return Outcome::Beyond(why),
    };
    let until = case["to"].as_str().and_then(|to| to.get(..10)?.parse().ok()).unwrap_or(Date::MAX);
    let given: Vec<_> = events.into_iter().filter(|(day, _, amount)| *day <= until && *amount != 0).collect();
    // Events that pay nothing say nothing of money.
    let published = case["results"].as_array().unwrap().iter().filter_map(|result| {
        let payoff = scaled(&term(result, "payoff")?)?;
        (payoff.abs() > SCALE / 1_000_000)
            .then(|| (date(result, "eventDate"), text(result, "eventType"), payoff))
    });
    let mut published: Vec<_> = published.collect();
    let mut given: Vec<_> = given;
    published.sort_by_key(|(day, kind, _)| (*day, *kind));
    given.sort_by_key(|(day, kind, _)| (*day, *kind));
    let near = published.len() == given.len()
        && published.iter().zip(&given).all(|(published, given)| {
            (published.0, published.1) == (given.0, given.1)
                && (published.2 - given.2).abs() <= SCALE / 100_000_000
        });
    if near { Outcome::Same } else { Outcome::of(given, published) }
}

pub fn annuity(_: &Value, case: &Value) -> Outcome {
    actus(case)
}

pub fn bullet(_: &Value, case: &Value) -> Outcome {
    actus(case)
}
