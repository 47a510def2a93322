//! `tenor statement`: postings of an account with the balance after each, as booked or by value date.

use super::{Data, desk, find_account};
use crate::desk::Desk;
use crate::output::{Output, Table};
use crate::reading;
use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::json;
use tenor_abi::date::Date;
use tenor_abi::entry::Side;
use tenor_abi::id::AccountId;
use tenor_abi::money::Decimal;
use tenor_runtime::ledger;
use tenor_runtime::state::record::AccountRecord;

/// `tenor statement`.
#[derive(Debug, Args)]
pub struct Statement {
    /// Account: name, name/purpose, or id.
    account: String,
    /// Shows only this many of the newest lines.
    #[arg(long)]
    newest: Option<usize>,
    /// By value date: from this day on, like 2026-01-01.
    #[arg(long)]
    from: Option<Date>,
    /// By value date: up to and with this day.
    #[arg(long)]
    to: Option<Date>,
    /// Of what was booked up to the block of this height; a statement that names the same height stays the same.
    #[arg(long)]
    at: Option<u64>,
    /// Prints lines with commas between.
    #[arg(long)]
    csv: bool,
    #[command(flatten)]
    data: Data,
}

impl Statement {
    /// Prints the statement, oldest line first.
    ///
    /// # Errors
    /// When there is no such account.
    pub fn run(self, output: &mut Output<'_>) -> Result<()> {
        let desk = desk(&self.data)?;
        if self.from.is_some() || self.to.is_some() || self.at.is_some() || self.csv {
            return self.by_value_date(&desk, output);
        }
        let (chain, names) = (&desk.folder().chain, &desk.folder().names);
        let id = find_account(names, &self.account)?;
        let record: AccountRecord = chain.record(&id.0)?.with_context(|| format!("there is no {id}"))?;
        let lines = reading::statement(chain, &id)?;
        let shown = &lines[lines.len().saturating_sub(self.newest.unwrap_or(usize::MAX))..];
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
        output.result(&document, &text)
    }

    /// Between two days, with what was there before and after.
    fn by_value_date(&self, desk: &Desk, output: &mut Output<'_>) -> Result<()> {
        let chain = &desk.folder().chain;
        let id: AccountId = find_account(&desk.folder().names, &self.account)?;
        let record: AccountRecord = chain.record(&id.0)?.with_context(|| format!("there is no {id}"))?;
        let from = self.from.unwrap_or(Date::of(1970, 1, 1));
        let to = self.to.unwrap_or_else(|| chain.tip().time.date());
        ensure!(from <= to, "a statement from {from} to {to} has no day");
        let tip = chain.tip().height;
        let height = self.at.unwrap_or(tip);
        ensure!(height <= tip, "block {height} is not made yet; the newest is {tip}");
        let ahead_days = chain.genesis().parameters.limits.value_date_ahead_days;
        let statement = ledger::statement(&chain.state(), &id, from, to, height, ahead_days)?;
        let decimal = |minor: i128| Decimal(minor, record.currency.scale).to_string();
        let (opening, closing) = (decimal(statement.opening), decimal(statement.closing));
        let currency = record.currency.code.to_string();
        let columns = ["value date", "booked", "amount", "balance", "currency", "entry"];
        let mut table = Table::new(&columns);
        let (mut rows, mut csv) = (vec![], vec![columns.join(",").replace(' ', "_")]);
        let shown =
            &statement.lines[statement.lines.len().saturating_sub(self.newest.unwrap_or(usize::MAX))..];
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
        if self.csv {
            return output.result(&document, &csv.join("\n"));
        }
        let text = format!(
            "{id}\nfrom {from} to {to}, as of block {height}\n\nopening  {opening} {currency}\n\n{table}\nclosing  {closing} {currency}"
        );
        output.result(&document, &text)
    }
}
