//! Entries with their postings.

use super::Shown;
use super::names::Names;
use super::table::Table;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tenor_abi::entry::Side;
use tenor_abi::id::AccountId;
use tenor_abi::money::{Currency, Decimal};
use tenor_runtime::chain::{Chain, Replica};
use tenor_runtime::state::record::AccountRecord;
use tenor_wire::receipt::{Act, Entry};

/// The newest entries of the blocks from one height up to another, the newest last; of one account where it is named.
///
/// # Errors
/// When the chain cannot be read.
pub fn entries(
    chain: &Chain,
    names: &Names,
    account: Option<AccountId>,
    from: u64,
    last: u64,
    newest: usize,
) -> Result<Shown> {
    let mut found: Vec<(u64, Entry)> = vec![];
    for height in (from..=last).rev() {
        let block = chain.block(height)?.with_context(|| format!("there is no block {height}"))?;
        let entries = block.receipts.into_iter().flat_map(|full| full.entries).collect::<Vec<_>>();
        let touches = |entry: &Entry| {
            account.is_none_or(|id| entry.postings.iter().any(|posting| posting.account == id))
        };
        found.extend(entries.into_iter().rev().filter(touches).map(|entry| (height, entry)));
        if found.len() >= newest {
            break;
        }
    }
    found.truncate(newest);
    found.reverse();
    let mut shown = Telling { chain, names, currencies: BTreeMap::new() };
    let mut table = Table::new(&["entry", "block", "value date", "what", "account", "debit", "credit", ""]);
    let mut documents = vec![];
    for (height, entry) in &found {
        documents.push(shown.entry(*height, entry, &mut table)?);
    }
    let document = json!({ "height": last, "entries": documents });
    Ok(Shown { document, text: format!("as of block {last}\n\n{table}") })
}

struct Telling<'s> {
    chain: &'s Chain,
    names: &'s Names,
    currencies: BTreeMap<AccountId, Currency>,
}

impl Telling<'_> {
    fn entry(&mut self, height: u64, entry: &Entry, table: &mut Table) -> Result<Value> {
        let mut postings = vec![];
        for (place, posting) in entry.postings.iter().enumerate() {
            let currency = self.currency(&posting.account)?;
            let amount = Decimal(posting.amount as i128, currency.scale).to_string();
            let account = self.names.named(posting.account.to_string());
            let (debit, credit) = match posting.side {
                Side::Debit => (amount.clone(), String::new()),
                Side::Credit => (String::new(), amount.clone()),
            };
            let head = match place {
                0 => [
                    entry.id.to_string(),
                    height.to_string(),
                    entry.value_date.to_string(),
                    act(&entry.act).to_string(),
                ],
                _ => Default::default(),
            };
            let code = currency.code.to_string();
            let side = if posting.side == Side::Debit { "debit" } else { "credit" };
            postings.push(json!({
                "account": posting.account.to_string(), "side": side, "amount": amount, "currency": code,
            }));
            table.row(head.into_iter().chain([account, debit, credit, code]).collect());
        }
        Ok(json!({
            "entry": entry.id.to_string(), "height": height, "value_date": entry.value_date.to_string(),
            "booked_at": entry.booked_at.to_string(), "act": act(&entry.act), "postings": postings,
        }))
    }

    fn currency(&mut self, account: &AccountId) -> Result<Currency> {
        if let Some(known) = self.currencies.get(account) {
            return Ok(*known);
        }
        let record: Option<AccountRecord> = self.chain.record(&account.0)?;
        let currency = record.with_context(|| format!("there is no {account}"))?.currency;
        self.currencies.insert(*account, currency);
        Ok(currency)
    }
}

/// An entry's act in a word.
pub fn act(act: &Act) -> &'static str {
    match act {
        Act::Post => "post",
        Act::Correct(_) => "correct",
        Act::Hold { .. } => "hold",
        Act::Capture { .. } => "capture",
        Act::Release { .. } => "release",
        Act::Expire { .. } => "expire",
    }
}
