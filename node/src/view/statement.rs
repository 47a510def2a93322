//! Postings of an account with the balance after each, as booked or by value date.

use super::names::Names;
use super::table::Table;
use super::{Missing, Shown, check_made, reading};
use anyhow::{Result, ensure};
use serde_json::json;
use tenor_abi::date::Date;
use tenor_abi::entry::Side;
use tenor_abi::id::AccountId;
use tenor_abi::money::Decimal;
use tenor_runtime::chain::Chain;
use tenor_runtime::ledger;
use tenor_runtime::state::record::AccountRecord;

/// As booked, the oldest line first; where `newest` is given, only so many of the newest lines.
///
/// # Errors
/// [`Missing`] when there is no such account.
pub fn booked(chain: &Chain, names: &Names, id: AccountId, newest: Option<usize>) -> Result<Shown> {
    let record: AccountRecord = chain.record(&id.0)?.ok_or_else(|| Missing::of(&id))?;
    let lines = reading::statement(chain, &id)?;
    let shown = &lines[lines.len().saturating_sub(newest.unwrap_or(usize::MAX))..];
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
        "lines_in_all": lines.len(), "lines": rows,
    });
    let text = format!(
        "{id}\n{balance} {} after {} postings\n\n{}",
        record.currency.code,
        lines.len(),
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
}

/// Between two days, with what was there before and after; also as lines with commas between.
///
/// # Errors
/// [`Missing`] when there is no such account, or no such block yet; when there is no day between the two.
pub fn by_value_date(chain: &Chain, id: AccountId, asked: Asked) -> Result<(Shown, String)> {
    let record: AccountRecord = chain.record(&id.0)?.ok_or_else(|| Missing::of(&id))?;
    let from = asked.from.unwrap_or(Date::of(1970, 1, 1));
    let to = asked.to.unwrap_or_else(|| chain.tip().time.date());
    ensure!(from <= to, "a statement from {from} to {to} has no day");
    let height = asked.at.unwrap_or(chain.tip().height);
    check_made(chain, height)?;
    let ahead_days = chain.genesis().parameters.limits.value_date_ahead_days;
    let statement = ledger::statement(&chain.state(), &id, from, to, height, ahead_days)?;
    let decimal = |minor: i128| Decimal(minor, record.currency.scale).to_string();
    let (opening, closing) = (decimal(statement.opening), decimal(statement.closing));
    let currency = record.currency.code.to_string();
    let columns = ["value date", "booked", "amount", "balance", "currency", "entry"];
    let mut table = Table::new(&columns);
    let (mut rows, mut csv) = (vec![], vec![columns.join(",").replace(' ', "_")]);
    let shown = &statement.lines[statement.lines.len().saturating_sub(asked.newest.unwrap_or(usize::MAX))..];
    for line in shown {
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
        "height": height, "opening": opening, "closing": closing, "lines": rows,
    });
    let text = format!(
        "{id}\nfrom {from} to {to}, as of block {height}\n\nopening  {opening} {currency}\n\n{table}\nclosing  {closing} {currency}"
    );
    Ok((Shown { document, text }, csv.join("\n")))
}
