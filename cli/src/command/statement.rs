//! `tenor statement`: postings of an account with the balance after each, as booked or by value date.

use super::{Data, desk, find_account};
use crate::output::Output;
use anyhow::Result;
use clap::Args;
use tenor_abi::date::Date;
use tenor_node::view::statement;

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
        let (chain, names) = (&desk.folder().chain, &desk.folder().names);
        let id = find_account(names, &self.account)?;
        let Statement { newest, from, to, at, .. } = self;
        if from.is_none() && to.is_none() && at.is_none() && !self.csv {
            let shown = statement::booked(chain, names, id, newest)?;
            return output.result(&shown.document, &shown.text);
        }
        let (shown, csv) =
            statement::by_value_date(chain, id, statement::Asked { from, to, at, newest, end: None })?;
        output.result(&shown.document, if self.csv { &csv } else { &shown.text })
    }
}
