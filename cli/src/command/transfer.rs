//! `tenor transfer`: moves money.

use super::{Data, desk, find_account, payment_on, receipt_json, submit_once};
use crate::once::Once;
use crate::output::Output;
use anyhow::Result;
use clap::Args;
use tenor_wire::op::{Operation, Spend, TransferOp};

/// `tenor transfer`.
#[derive(Debug, Args)]
pub struct Transfer {
    /// Account that pays: name or id.
    from: String,
    /// Account that receives: name or id.
    to: String,
    /// Amount, like "12.50 EUR".
    #[arg(allow_hyphen_values = true)]
    amount: String,
    #[command(flatten)]
    data: Data,
    /// Key of the payer; the account's name where it is not given.
    #[arg(long = "as")]
    by: Option<String>,
    #[command(flatten)]
    once: Once,
}

impl Transfer {
    /// Moves the money.
    ///
    /// # Errors
    /// When the amount does not fit, or the chain says no.
    pub fn run(self, output: &mut Output<'_>) -> Result<()> {
        let mut desk = desk(&self.data)?;
        let names = &desk.folder().names;
        let (from, to) = (find_account(names, &self.from)?, find_account(names, &self.to)?);
        let (money, amount) = payment_on(desk.folder(), &self.from, &from, &self.amount)?;
        let op = TransferOp { from, to, amount, narrative: None, reference: None };
        let by = self.by.as_deref().unwrap_or(&self.from);
        let spend = vec![Spend { account: from, amount }];
        let tx = desk.sign(by, Operation::Transfer(op), spend, self.once.choice()?)?;
        let receipt = submit_once(&mut desk, &self.once, tx, None)?;
        output.result(&receipt_json(&receipt), &format!("paid {money}\n{}", receipt.receipt.item))
    }
}
