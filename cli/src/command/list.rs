//! `tenor list`: lists things of a kind.

use super::{Data, desk};
use crate::output::Output;
use anyhow::Result;
use clap::{Args, ValueEnum};
use tenor_node::view::list;

/// What can be listed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum What {
    /// Agreements with their states.
    Agreements,
    /// Accounts with their balances.
    Accounts,
    /// Published contracts.
    Contracts,
    /// Parties.
    Parties,
    /// Open proposals.
    Proposals,
    /// Schedules and when they next fall due.
    Schedules,
    /// Money set aside.
    Holds,
}

/// `tenor list`.
#[derive(Debug, Args)]
pub struct List {
    /// What to list.
    what: What,
    #[command(flatten)]
    data: Data,
}

impl List {
    /// Prints the list.
    ///
    /// # Errors
    /// When the chain cannot be read.
    pub fn run(self, output: &mut Output<'_>) -> Result<()> {
        let desk = desk(&self.data)?;
        let what = match self.what {
            What::Agreements => list::What::Agreements,
            What::Accounts => list::What::Accounts,
            What::Contracts => list::What::Contracts,
            What::Parties => list::What::Parties,
            What::Proposals => list::What::Proposals,
            What::Schedules => list::What::Schedules,
            What::Holds => list::What::Holds,
        };
        let shown = list::list(&desk.folder().chain, &desk.folder().names, what)?;
        output.result(&shown.document, &shown.text)
    }
}
