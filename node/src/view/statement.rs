//! Postings of an account with the balance after each, as booked or by value date.

use super::names::Names;
use super::reading::{self, Line};
use super::table::Table;
use super::{Missing, Shown, check_made};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use tenor_abi::date::Date;
use tenor_abi::entry::Side;
use tenor_abi::id::AccountId;
use tenor_abi::money::Decimal;
use tenor_runtime::chain::Chain;
use tenor_runtime::ledger;
use tenor_runtime::state::record::{AccountRecord, HistoryRecord, key};

/// As booked, the oldest line first; where `newest` is given, only so many of the newest lines.
///
/// # Errors
/// [`Missing`] when there is no such account.
pub fn booked(chain: &Chain, names: &Names, id: AccountId, newest: Option<usize>) -> Result<Shown> {
    let record: AccountRecord = chain.record(&id.0)?.ok_or_else(|| Missing::of(&id))?;
    let lines = reading::statement(chain, &id)?;
    let shown = &lines[lines.len().saturating_sub(newest.unwrap_or(usize::MAX))..];
    booked_lines(chain, names, id, &record, shown)
}

/// Some of the lines as booked: those in front of a place among all of them, at most so many; also the place that the
/// page before them ends at, where there is one. No others are read.
///
/// # Errors
/// [`Missing`] when there is no such account.
pub fn booked_page(
    chain: &Chain,
    names: &Names,
    id: AccountId,
    (end, most): (Option<u64>, u64),
) -> Result<(Shown, Option<u64>)> {
    let record: AccountRecord = chain.record(&id.0)?.ok_or_else(|| Missing::of(&id))?;
    let end = end.unwrap_or(u64::MAX).min(record.history_count);
    let first = end.saturating_sub(most);
    let lines = reading::lines(chain, &id, &record, first..end)?;
    Ok((booked_lines(chain, names, id, &record, &lines)?, (first > 0).then_some(first)))
}

fn booked_lines(
    chain: &Chain,
    names: &Names,
    id: AccountId,
    record: &AccountRecord,
    shown: &[Line],
) -> Result<Shown> {
    let balance = Decimal(record.balance(), record.currency.scale).to_string();
    let rows: Vec<_> = shown
        .iter()
        .map(|line| {
            Ok(json!({
                "value_date": line.value_date, "booked": line.booked, "amount": line.amount,
                "balance": line.balance, "entry": format!("{}/{}", line.entry.item, line.entry.index),
                "for": reading::reason(chain, names, &id, line)?,
            }))
        })
        .collect::<Result<_>>()?;
    let document = json!({
        "account": id.to_string(), "currency": record.currency.code.to_string(), "balance": balance,
        "lines_in_all": record.history_count, "lines": rows,
    });
    let text = format!(
        "{id}\n{balance} {} after {} postings\n\n{}",
        record.currency.code,
        record.history_count,
        reading::statement_table(chain, names, &id, shown, shown.len())?
    );
    Ok(Shown { document, text })
}

/// What a statement by value date is about.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    /// First day.
    pub from: Option<Date>,
    /// Last day; that of the newest block where none is given.
    pub to: Option<Date>,
    /// Only what was booked up to the block of this height.
    pub at: Option<u64>,
    /// Only so many of the newest lines.
    pub newest: Option<usize>,
    /// Only lines in front of this place among all of them.
    pub end: Option<usize>,
}

/// Postings that are looked through for a statement from a day on, of what was booked up to a height.
///
/// # Errors
/// [`Missing`] when there is no such account.
pub fn looked_through(chain: &Chain, id: AccountId, from: Date, height: u64) -> Result<u64> {
    let ahead_days = chain.genesis().parameters.limits.value_date_ahead_days;
    let (first, mut high) = ledger::rows_since(&chain.state(), &id, from, ahead_days)?;
    let mut low = first;
    while low < high {
        let middle = low + (high - low) / 2;
        let row: Option<HistoryRecord> = chain.record(&key::history(&id, middle))?;
        match row.context("a posting is missing")?.height <= height {
            true => low = middle + 1,
            false => high = middle,
        }
    }
    Ok(low - first)
}

/// Between two days, with what was there before and after; also as lines with commas between.
///
/// # Errors
/// [`Missing`] when there is no such account, or no such block yet; when there is no day between the two.
pub fn by_value_date(chain: &Chain, id: AccountId, asked: Asked) -> Result<(Shown, String)> {
    let record: AccountRecord = chain.record(&id.0)?.ok_or_else(|| Missing::of(&id))?;
    let from = asked.from.unwrap_or(Date::of(1970, 1, 1));
    let height = asked.at.unwrap_or(chain.tip().height);
    check_made(chain, height)?;
    let to = asked.to.unwrap_or_else(|| chain.tip().time.date());
    ensure!(from <= to, "a statement from {from} to {to} has no day");
    let ahead_days = chain.genesis().parameters.limits.value_date_ahead_days;
    let statement = ledger::statement(&chain.state(), &id, from, to, height, ahead_days)?;
    let decimal = |minor: i128| Decimal(minor, record.currency.scale).to_string();
    let (opening, closing) = (decimal(statement.opening), decimal(statement.closing));
    let currency = record.currency.code.to_string();
    let columns = ["value date", "booked", "amount", "balance", "currency", "entry"];
    let mut table = Table::new(&columns);
    let (mut rows, mut csv) = (vec![], vec![columns.join(",").replace(' ', "_")]);
    let end = asked.end.unwrap_or(usize::MAX).min(statement.lines.len());
    let first = end.saturating_sub(asked.newest.unwrap_or(usize::MAX));
    for line in &statement.lines[first..end] {
        let amount = decimal(match line.side {
            Side::Debit => -(line.amount as i128),
            Side::Credit => line.amount as i128,
        });
        let cells = vec![
            line.value_date.to_string(),
            line.booked_at.date().to_string(),
            amount,
            decimal(line.balance),
            currency.clone(),
            line.entry.to_string(),
        ];
        rows.push(json!({
            "value_date": cells[0], "booked": cells[1], "amount": cells[2], "balance": cells[3],
            "entry": cells[5], "sequence": line.sequence,
        }));
        csv.push(cells.join(","));
        table.row(cells);
    }
    let document = json!({
        "account": id.to_string(), "currency": currency, "from": from.to_string(), "to": to.to_string(),
        "height": height, "opening": opening, "closing": closing, "lines_in_all": statement.lines.len(), "lines": rows,
    });
    let left_out = match statement.lines.len() - (end - first) {
        0 => String::new(),
        lines => format!("{lines} of {} lines are not shown\n", statement.lines.len()),
    };
    let text = format!(
        "{id}\nfrom {from} to {to}, as of block {height}\n\nopening  {opening} {currency}\n\n{left_out}{table}\nclosing  {closing} {currency}"
    );
    Ok((Shown { document, text }, csv.join("\n")))
}
