//! `tenor advance`: moves a sandbox's time on.

use super::{Data, desk};
use crate::output::Output;
use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;
use tenor_abi::date::Date;
use tenor_wire::receipt::Fate;

/// `tenor advance`.
#[derive(Debug, Args)]
pub struct Advance {
    /// Day to move on to.
    #[arg(long)]
    to: String,
    #[command(flatten)]
    data: Data,
}

impl Advance {
    /// Lives on until the day.
    ///
    /// # Errors
    /// When the day has passed.
    pub fn run(self, output: &mut Output<'_>) -> Result<()> {
        let to: Date = self.to.parse()?;
        let mut desk = desk(&self.data)?;
        if to.midnight() < desk.time() {
            bail!("time does not go back: it is {}, {to} given", desk.time());
        }
        let (mut blocks, mut occurrences, mut refused) = (0u64, 0u64, 0u64);
        desk.advance(to.midnight(), |block| {
            blocks += 1;
            occurrences += block.items.len() as u64;
            refused += block.receipts.iter().filter(|full| full.receipt.fate != Fate::Done).count() as u64;
        })?;
        let document = json!({ "today": to.to_string(), "blocks": blocks, "occurrences": occurrences, "not_done": refused });
        output.result(&document, &format!("today        {to}\nblocks       {blocks}\noccurrences  {occurrences}, {refused} of them refused or failed"))
    }
}
