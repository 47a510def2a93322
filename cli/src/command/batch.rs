//! `tenor batch`: many transfers under one signature.

use super::{Data, Refused, desk, find_account, payment_on, receipt_json, submit_once};
use crate::once::Once;
use crate::output::{Output, Table};
use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use tenor_abi::codec;
use tenor_abi::refusal::Refusal;
use tenor_wire::op::{BatchOp, Operation, Spend, TransferOp};
use tenor_wire::receipt::{BatchOutcome, Fate};

/// Most bytes of a batch's answer.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// `tenor batch`.
#[derive(Debug, Args)]
pub struct Batch {
    /// Account that pays: name or id.
    from: String,
    /// File of lines `account,12.50 EUR`; `#` begins a comment.
    file: PathBuf,
    /// Key of the payer; the account's name where it is not given.
    #[arg(long = "as")]
    by: Option<String>,
    #[command(flatten)]
    once: Once,
    #[command(flatten)]
    data: Data,
}

impl Batch {
    /// Moves the money; a transfer that is refused leaves the others.
    ///
    /// # Errors
    /// When a line does not fit, or the chain refuses the batch as a whole.
    pub fn run(self, output: &mut Output<'_>) -> Result<()> {
        let mut desk = desk(&self.data)?;
        let text = std::fs::read_to_string(&self.file)
            .with_context(|| format!("{} cannot be read", self.file.display()))?;
        let names = &desk.folder().names;
        let from = find_account(names, &self.from)?;
        let (mut transfers, mut shown) = (vec![], vec![]);
        let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
        for (number, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            let wrong = || format!("line {number}: `account,12.50 EUR` expected, `{line}` given");
            let (to, amount) = line.split_once(',').with_context(wrong)?;
            let account = find_account(names, to.trim()).with_context(wrong)?;
            let paid = payment_on(desk.folder(), &self.from, &from, amount.trim());
            let (money, amount) = paid.with_context(wrong)?;
            transfers.push(TransferOp { from, to: account, amount, narrative: None, reference: None });
            shown.push((to.trim().to_string(), money));
        }
        let amount = transfers.iter().map(|transfer| transfer.amount).sum();
        let by = self.by.as_deref().unwrap_or(&self.from);
        let spend = vec![Spend { account: from, amount }];
        let tx = desk.sign(by, Operation::Batch(BatchOp { transfers }), spend, self.once.choice()?)?;
        let receipt = submit_once(&mut desk, &self.once, tx, None)?;
        let outcome: BatchOutcome = codec::decode(&receipt.data, ANSWER_BYTES_MAX)?;
        let mut table = Table::new(&["to", "amount", "fate", "why"]);
        let mut document = receipt_json(&receipt);
        let done = outcome.transfers.iter().filter(|sub| sub.fate == Fate::Done).count();
        document["done"] = json!(done);
        document["refused"] = json!(outcome.transfers.len() - done);
        for ((to, money), sub) in shown.into_iter().zip(&outcome.transfers) {
            let why = Refusal::from_data(&sub.data).map(|refusal| refusal.to_string()).unwrap_or_default();
            let fate = format!("{:?}", sub.fate).to_lowercase();
            table.row(vec![to, money.to_string(), fate, desk.folder().names.named(why)]);
        }
        output.result(&document, &format!("{}\n\n{table}", receipt.receipt.item))?;
        match outcome.transfers.len() - done {
            0 => Ok(()),
            refused => {
                Err(Refused(format!("{refused} of {} transfers were refused", outcome.transfers.len()))
                    .into())
            }
        }
    }
}
