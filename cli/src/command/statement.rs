//! `tenor statement`: every posting of an account with the balance after it.

use super::{Data, desk, find_account};
use crate::output::Output;
use crate::reading;
use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;
use tenor_abi::money::Decimal;
use tenor_runtime::state::record::AccountRecord;

/// `tenor statement`.
#[derive(Debug, Args)]
pub struct Statement {
    /// Account: name, name/purpose, or id.
    account: String,
    /// Shows only this many of the newest lines.
    #[arg(long)]
    newest: Option<usize>,
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
}
