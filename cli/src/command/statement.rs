//! `tenor statement`: postings of an account with the balance after each, as booked or by value date.

use super::{Data, desk, find_account};
use crate::output::Output;
use crate::remote::{Node, Remote, part};
use anyhow::{Result, ensure};
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
    #[command(flatten)]
    remote: Remote,
}

impl Statement {
    /// Prints the statement, oldest line first.
    ///
    /// # Errors
    /// When there is no such account.
    pub fn run(self, output: &mut Output<'_>) -> Result<()> {
        if let Some(node) = self.remote.open()? {
            return self.over(&node, output);
        }
        let desk = desk(&self.data)?;
        let (chain, names) = (&desk.folder().chain, &desk.folder().names);
        let id = find_account(names, &self.account)?;
        let Statement { newest, from, to, at, .. } = self;
        if from.is_none() && to.is_none() && at.is_none() && !self.csv {
            let shown = statement::booked(chain, names, id, newest)?;
            return output.result(&shown.document, &shown.text);
        }
        let (shown, csv) = statement::by_value_date(chain, id, statement::Asked { from, to, at, newest })?;
        output.result(&shown.document, if self.csv { &csv } else { &shown.text })
    }
    fn over(&self, node: &Node, output: &mut Output<'_>) -> Result<()> {
        ensure!(!self.csv, "lines with commas are made from a data folder; over a network there is --json");
        let asked = [
            ("from", self.from.map(|day| day.to_string())),
            ("to", self.to.map(|day| day.to_string())),
            ("at", self.at.map(|height| height.to_string())),
            ("newest", self.newest.map(|count| count.to_string())),
        ];
        let asked: Vec<String> =
            asked.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", value?))).collect();
        node.show(&format!("/v1/accounts/{}/statement?{}", part(&self.account), asked.join("&")), output)
    }
}
