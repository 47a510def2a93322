//! `tenor transfer`: moves money.

use super::{Data, desk, receipt_json, submit_once};
use crate::once::Once;
use crate::output::Output;
use crate::{near, words};
use anyhow::{Context, Result, bail};
use clap::Args;
use tenor_abi::id::AccountId;
use tenor_runtime::state::record::AccountRecord;
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
        let money = words::money(&self.amount, &|word| desk.folder().lookup(word))?;
        if !money.is_positive() {
            bail!("an amount above zero is needed, {money} given");
        }
        let names = desk.folder().names.clone();
        let account = |asked: &str| -> Result<AccountId> {
            let id = names.lookup(&format!("account:{asked}")).unwrap_or_else(|| asked.to_string());
            id.parse().with_context(|| {
                format!(
                    "there is no account `{asked}`{}",
                    near::hint(asked, names.accounts.keys().map(String::as_str))
                )
            })
        };
        let (from, to) = (account(&self.from)?, account(&self.to)?);
        let record: AccountRecord =
            desk.folder().chain.record(&from.0)?.with_context(|| format!("there is no {from}"))?;
        if record.currency.code != money.currency.code {
            bail!("{} holds {}, {money} given", self.from, record.currency.code);
        }
        let amount = money.minor.unsigned_abs();
        let op = TransferOp { from, to, amount, narrative: None, reference: None };
        let by = self.by.as_deref().unwrap_or(&self.from);
        let spend = vec![Spend { account: from, amount }];
        let tx = desk.sign(by, Operation::Transfer(op), spend, self.once.choice()?)?;
        let receipt = submit_once(&mut desk, &self.once, tx, None)?;
        output.result(&receipt_json(&receipt), &format!("paid {money}\n{}", receipt.receipt.item))
    }
}
