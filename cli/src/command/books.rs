//! `tenor books`: what a bank decides about its books.

use super::{Data, act_of_staff, desk, exposure_limit};
use crate::output::{Output, say};
use anyhow::{Context, Result};
use clap::{Args, Subcommand, ValueEnum};
use tenor_abi::date::Date;
use tenor_abi::id::PartyId;
use tenor_abi::spec::BookSide;
use tenor_node::view::find::find_contract;
use tenor_wire::op::{BooksChange, BooksOp, Operation};

/// `tenor books`.
#[derive(Debug, Subcommand)]
pub enum Books {
    /// Says what an account code means.
    Code(Code),
    /// Closes the books up to and with a day; they never open again.
    Close(Close),
    /// Changes what a product may have outstanding.
    Exposure(Exposure),
}

/// Side on paper.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Side {
    /// What the bank has.
    Asset,
    /// What the bank owes.
    Liability,
    /// What it earns.
    Income,
    /// What it spends.
    Expense,
}

/// On whose word.
#[derive(Debug, Args)]
pub struct By {
    /// Key of staff.
    #[arg(long = "as", default_value = "officer")]
    by: String,
    #[command(flatten)]
    data: Data,
}

/// `tenor books code`.
#[derive(Debug, Args)]
pub struct Code {
    /// The code; 0 is that of accounts which have no other.
    code: u16,
    /// General-ledger key: 1 to 16 of a-z, 0-9 and -.
    #[arg(long)]
    gl: String,
    /// Side on paper.
    #[arg(long)]
    side: Side,
    /// Days that staff may date entries back.
    #[arg(long, default_value_t = 0)]
    back_days: u16,
    #[command(flatten)]
    by: By,
}

/// `tenor books close`.
#[derive(Debug, Args)]
pub struct Close {
    /// The last closed day, like 2026-01-31.
    #[arg(long)]
    until: Date,
    #[command(flatten)]
    by: By,
}

/// `tenor books exposure`.
#[derive(Debug, Args)]
pub struct Exposure {
    /// Name of the product.
    product: String,
    /// The most, like "1000000.00 EUR".
    limit: String,
    #[command(flatten)]
    by: By,
}

impl Books {
    /// Runs the command.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub fn run(self, output: &mut Output<'_>) -> Result<()> {
        match self {
            Books::Code(Code { code, gl, side, back_days, by }) => {
                let side = match side {
                    Side::Asset => BookSide::Asset,
                    Side::Liability => BookSide::Liability,
                    Side::Income => BookSide::Income,
                    Side::Expense => BookSide::Expense,
                };
                let done = format!("code {code} is {gl}");
                by.run(BooksChange::Code { code, gl, side, back_days }, &done, output)
            }
            Books::Close(Close { until, by }) => {
                by.run(BooksChange::Close { until }, &format!("closed until {until}"), output)
            }
            Books::Exposure(command) => command.run(output),
        }
    }
}

impl By {
    fn run(self, change: BooksChange, done: &str, output: &mut Output<'_>) -> Result<()> {
        let mut desk = desk(&self.data)?;
        let bank = desk.folder().names.lookup("party:bank").context("this folder has no bank")?;
        let bank: PartyId = bank.parse()?;
        act_of_staff(&mut desk, &self.by, Operation::Books(BooksOp { bank, change }), done, output)
    }
}

impl Exposure {
    fn run(self, output: &mut Output<'_>) -> Result<()> {
        let desk = desk(&self.by.data)?;
        if let Err(missing) = find_contract(&desk.folder().chain, &self.product) {
            say(&format!("warning: {missing}; the limit waits for one"));
        }
        let limit = exposure_limit(desk.folder(), &self.limit)?;
        drop(desk);
        let done = format!("{} may have {} outstanding", self.product, self.limit);
        self.by.run(BooksChange::Exposure { product: self.product, limit }, &done, output)
    }
}
