//! `tenor correct`: takes back an entry, or a part of it.

use super::{Data, desk, receipt_json, submit_signed};
use crate::output::Output;
use anyhow::{Context, Result, bail};
use clap::Args;
use tenor_abi::date::Date;
use tenor_abi::entry::{EntryId, Side};
use tenor_runtime::chain::{Chain, Replica};
use tenor_wire::op::{CorrectLineOp, CorrectOp, Operation, Spend};
use tenor_wire::receipt::Entry;

/// `tenor correct`.
#[derive(Debug, Args)]
pub struct Correct {
    /// The entry, as `tenor entries` names it: item/index.
    entry: String,
    /// The day that it counts from; today where it is not given. Earlier days need staff of every bank concerned.
    #[arg(long)]
    value_date: Option<Date>,
    /// Key of the owner of the accounts that give back.
    #[arg(long = "as")]
    by: String,
    /// Key of another who signs.
    #[arg(long)]
    with: Vec<String>,
    #[command(flatten)]
    data: Data,
}

impl Correct {
    /// Takes back all postings of the entry.
    ///
    /// # Errors
    /// When there is no such entry, or the chain says no.
    pub fn run(self, output: &mut Output<'_>) -> Result<()> {
        let mut desk = desk(&self.data)?;
        let chain = &desk.folder().chain;
        let wrong = || format!("an entry is named item/index, `{}` given", self.entry);
        let (item, index) = self.entry.split_once('/').with_context(wrong)?;
        let id =
            EntryId { item: item.parse().with_context(wrong)?, index: index.parse().with_context(wrong)? };
        let entry = find(chain, &id)?;
        let mut lines = vec![];
        for account in entry.postings.iter().map(|posting| posting.account) {
            if lines.iter().any(|line: &CorrectLineOp| line.account == account) {
                continue;
            }
            let rows = chain.history(&account)?.into_iter().zip(0u64..);
            let own = rows.filter(|(row, _)| row.entry == id);
            lines.extend(own.map(|(row, sequence)| CorrectLineOp { account, sequence, amount: row.amount }));
        }
        if lines.is_empty() {
            bail!("entry {id} booked nothing that could be taken back");
        }
        let credited = entry.postings.iter().filter(|posting| posting.side == Side::Credit);
        let spend = credited.map(|posting| Spend { account: posting.account, amount: posting.amount });
        let spend = spend.collect();
        let op = CorrectOp { entry: id, lines, value_date: self.value_date, narrative: None };
        let (with, choice) = (&self.with, super::random()?);
        let tx = desk.sign_together(&self.by, with, Operation::Correct(op), spend, choice)?;
        let receipt = submit_signed(&mut desk, tx, None)?;
        output.result(&receipt_json(&receipt), &format!("taken back\n{}", receipt.receipt.item))
    }
}

fn find(chain: &Chain, id: &EntryId) -> Result<Entry> {
    for height in (0..=chain.tip().height).rev() {
        let block = chain.block(height)?.with_context(|| format!("there is no block {height}"))?;
        let receipt = block.receipts.into_iter().find(|full| full.receipt.item == id.item);
        if let Some(receipt) = receipt {
            let entry = receipt.entries.into_iter().nth(id.index as usize);
            return entry.with_context(|| format!("{} booked no entry {}", id.item, id.index));
        }
    }
    bail!("there is no item {}", id.item)
}
