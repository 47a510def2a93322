//! `tenor entries`: entries with their postings.

use super::{Data, desk, find_account};
use crate::output::Output;
use anyhow::{Result, ensure};
use clap::Args;
use tenor_node::view::{check_made, entries};

/// `tenor entries`.
#[derive(Debug, Args)]
pub struct Entries {
    /// Only those that touch this account: name, name/purpose, or id.
    #[arg(long)]
    account: Option<String>,
    /// From the block of this height on.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Up to the block of this height; a list that names the same height stays the same.
    #[arg(long)]
    at: Option<u64>,
    /// Shows only this many of the newest.
    #[arg(long, default_value_t = 20)]
    newest: usize,
    #[command(flatten)]
    data: Data,
}

impl Entries {
    /// Prints the entries, the newest last.
    ///
    /// # Errors
    /// When there is no such account, or the chain cannot be read.
    pub fn run(self, output: &mut Output<'_>) -> Result<()> {
        let desk = desk(&self.data)?;
        let (chain, names) = (&desk.folder().chain, &desk.folder().names);
        let account = self.account.as_ref().map(|asked| find_account(names, asked)).transpose()?;
        let last = self.at.unwrap_or(chain.tip().height);
        check_made(chain, last)?;
        check_made(chain, self.from)?;
        ensure!(self.from <= last, "there is no block from {} to {last}", self.from);
        let shown = entries::entries(chain, names, account, self.from, last, self.newest)?;
        output.result(&shown.document, &shown.text)
    }
}
