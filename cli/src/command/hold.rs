//! `tenor hold`: money set aside, paid out, given back.

use super::{Data, desk, find_account, payment_on, receipt_json, submit_once};
use crate::desk::Desk;
use crate::once::Once;
use crate::output::Output;
use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use serde_json::json;
use tenor_abi::codec;
use tenor_abi::date::{DAY_MS, Timestamp};
use tenor_abi::id::{AccountId, HoldId};
use tenor_runtime::ledger;
use tenor_wire::op::{CaptureOp, HoldLineOp, HoldOp, Operation, Spend};

/// `tenor hold`.
#[derive(Debug, Subcommand)]
pub enum Hold {
    /// Sets money aside for a payee.
    Place(Place),
    /// Pays out of a hold.
    Capture(Capture),
    /// Gives back what is left of a hold.
    Release(Release),
}

/// `tenor hold place`.
#[derive(Debug, Args)]
pub struct Place {
    /// Account that will pay: name or id.
    from: String,
    /// Account that will receive: name or id.
    to: String,
    /// Amount, like "12.50 EUR".
    #[arg(allow_hyphen_values = true)]
    amount: String,
    /// Days until it ends by itself.
    #[arg(long, default_value_t = 7)]
    days: u64,
    /// Key of the payer; the account's name where it is not given.
    #[arg(long = "as")]
    by: Option<String>,
    #[command(flatten)]
    data: Data,
    #[command(flatten)]
    once: Once,
}

/// `tenor hold capture`.
#[derive(Debug, Args)]
pub struct Capture {
    /// The hold.
    hold: String,
    /// How much; all that is left where it is not given.
    #[arg(allow_hyphen_values = true)]
    amount: Option<String>,
    /// Gives back what is left after it.
    #[arg(long)]
    last: bool,
    /// Key of the payee.
    #[arg(long = "as")]
    by: String,
    #[command(flatten)]
    data: Data,
    #[command(flatten)]
    once: Once,
}

/// `tenor hold release`.
#[derive(Debug, Args)]
pub struct Release {
    /// The hold.
    hold: String,
    /// Key of the payee.
    #[arg(long = "as")]
    by: String,
    #[command(flatten)]
    data: Data,
    #[command(flatten)]
    once: Once,
}

impl Hold {
    /// Runs the command.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub fn run(self, output: &mut Output<'_>) -> Result<()> {
        match self {
            Hold::Place(command) => command.run(output),
            Hold::Capture(command) => command.run(output),
            Hold::Release(command) => command.run(output),
        }
    }
}

impl Place {
    fn run(self, output: &mut Output<'_>) -> Result<()> {
        let mut desk = desk(&self.data)?;
        let names = &desk.folder().names;
        let (from, to) = (find_account(names, &self.from)?, find_account(names, &self.to)?);
        let (money, amount) = payment_on(desk.folder(), &self.from, &from, &self.amount)?;
        let (now, days) = (desk.time(), self.days);
        let expires_at = days.checked_mul(DAY_MS).and_then(|ms| now.0.checked_add(ms)).map(Timestamp);
        let days_max = desk.folder().chain.genesis().parameters.limits.hold_days_max;
        let expires_at =
            expires_at.with_context(|| format!("a hold lasts at most {days_max} days, {days} given"))?;
        let lines = vec![HoldLineOp { from, to, amount }];
        let op = HoldOp { lines, expires_at, narrative: None, reference: None };
        let by = self.by.as_deref().unwrap_or(&self.from);
        let spend = vec![Spend { account: from, amount }];
        let tx = desk.sign(by, Operation::Hold(op), spend, self.once.choice()?)?;
        let receipt = submit_once(&mut desk, &self.once, tx, None)?;
        let hold: HoldId = codec::decode(&receipt.data, 64)?;
        let mut document = receipt_json(&receipt);
        document["hold"] = json!(hold.to_string());
        document["expires_at"] = json!(expires_at.to_string());
        output.result(&document, &format!("held    {money}\nuntil   {expires_at}\nhold    {hold}"))
    }
}

fn parse(asked: &str) -> Result<HoldId> {
    asked.parse().with_context(|| format!("a hold's id expected, `{asked}` given"))
}

/// The account that pays, of a hold with one line.
fn payer(desk: &Desk, hold: &HoldId) -> Result<AccountId> {
    let lines = ledger::hold_lines(&desk.folder().chain.state(), hold)?;
    match lines.as_slice() {
        [(account, _)] => Ok(*account),
        [] => bail!("there is no open hold {hold}"),
        _ => bail!("{hold} has {} lines; leave the amount out to pay all of them", lines.len()),
    }
}

impl Capture {
    fn run(self, output: &mut Output<'_>) -> Result<()> {
        let mut desk = desk(&self.data)?;
        let hold = parse(&self.hold)?;
        let parts = match &self.amount {
            None => vec![],
            Some(text) => {
                let account = payer(&desk, &hold)?;
                let (_, amount) = payment_on(desk.folder(), &account.to_string(), &account, text)?;
                vec![(account, amount)]
            }
        };
        let op = CaptureOp { hold, parts, last: self.last || self.amount.is_none() };
        let tx = desk.sign(&self.by, Operation::Capture(op), vec![], self.once.choice()?)?;
        let receipt = submit_once(&mut desk, &self.once, tx, None)?;
        output.result(&receipt_json(&receipt), &format!("captured\n{}", receipt.receipt.item))
    }
}

impl Release {
    fn run(self, output: &mut Output<'_>) -> Result<()> {
        let mut desk = desk(&self.data)?;
        let hold = parse(&self.hold)?;
        let tx = desk.sign(&self.by, Operation::Release(hold), vec![], self.once.choice()?)?;
        let receipt = submit_once(&mut desk, &self.once, tx, None)?;
        output.result(&receipt_json(&receipt), &format!("released\n{}", receipt.receipt.item))
    }
}
