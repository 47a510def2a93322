//! A receipt: what became of an item, why, what it booked and what it reported.

use super::names::Names;
use super::refusal::{HIDDEN, explain};
use super::{Missing, Shown, no_block, render};
use anyhow::Result;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};
use std::borrow::Cow;
use tenor_abi::codec;
use tenor_abi::date::Timestamp;
use tenor_abi::id::{AccountId, AgreementId, AssetId, CalendarId, PartyId, ProposalId};
use tenor_runtime::chain::{Chain, Replica};
use tenor_wire::block::{Block, Item};
use tenor_wire::op::Operation;
use tenor_wire::receipt::{Act, Fate, FullReceipt};

/// What somebody may see of an item and its receipt.
#[derive(Clone, Debug)]
pub struct Sight<'b> {
    /// The item.
    pub item: &'b Item,
    /// The receipt, with the entries, postings and events that may be seen.
    pub full: Cow<'b, FullReceipt>,
    /// Whether it may be told why it says no.
    pub why: bool,
    /// Whether nothing of item and receipt is left out, so that they may be proved as they are.
    pub is_whole: bool,
}

impl<'b> Sight<'b> {
    /// All of it.
    pub fn whole(item: &'b Item, full: &'b FullReceipt) -> Sight<'b> {
        Sight { item, full: Cow::Borrowed(full), why: true, is_whole: true }
    }
}

/// A receipt's figures as a document.
pub fn summary(receipt: &FullReceipt) -> Json {
    json!({
        "item": receipt.receipt.item.to_string(),
        "fate": format!("{:?}", receipt.receipt.fate).to_lowercase(),
        "code": receipt.receipt.code,
        "gas": receipt.receipt.gas,
        "entries": receipt.entries.len(),
        "events": receipt.events.len(),
    })
}

/// Id of what a transaction made, where it makes one thing and was done.
fn made(item: &Item, full: &FullReceipt) -> Option<String> {
    fn id<T: DeserializeOwned + Serialize + ToString>(data: &[u8]) -> Option<String> {
        codec::decode::<T>(data, data.len()).ok().map(|id| id.to_string())
    }
    let Item::Tx(tx) = item else { return None };
    if full.receipt.fate != Fate::Done {
        return None;
    }
    match tx.body.operation {
        Operation::Propose(_) => id::<ProposalId>(&full.data),
        Operation::Party(_) => id::<PartyId>(&full.data),
        Operation::Account(_) => id::<AccountId>(&full.data),
        Operation::Asset(_) => id::<AssetId>(&full.data),
        Operation::Calendar(_) => id::<CalendarId>(&full.data),
        Operation::Open(_) => id::<AgreementId>(&full.data),
        Operation::Hold(_) => full.entries.iter().find_map(|entry| match entry.act {
            Act::Hold { hold, .. } => Some(hold.to_string()),
            _ => None,
        }),
        _ => None,
    }
}

/// The receipt at a place of a block.
///
/// # Errors
/// [`Missing`] when there is none.
pub fn receipt(chain: &Chain, names: &Names, height: u64, index: u32) -> Result<Shown> {
    let block = chain.block(height)?.ok_or_else(|| no_block(chain, height))?;
    of_block(chain, names, &block, index)
}

/// The receipt at a place of a block that is at hand.
///
/// # Errors
/// [`Missing`] when there is none.
pub fn of_block(chain: &Chain, names: &Names, block: &Block, index: u32) -> Result<Shown> {
    let height = block.header.height;
    let found = block.items.get(index as usize).zip(block.receipts.get(index as usize));
    let (item, full) = found.ok_or_else(|| {
        Missing(format!(
            "block {height} has {} items, counted from 0; there is no {index}",
            block.items.len()
        ))
    })?;
    seen(chain, names, block.header.time, &Sight::whole(item, full))
}

/// What may be seen of a receipt of a block of this time.
///
/// # Errors
/// When the chain cannot be read.
pub fn seen(chain: &Chain, names: &Names, time: Timestamp, sight: &Sight<'_>) -> Result<Shown> {
    let (item, full) = (sight.item, sight.full.as_ref());
    let why = match (full.receipt.code, sight.why) {
        (0, _) => String::from("done"),
        (_, true) => explain(chain, names, full, render::spec_of(chain, item)?.as_ref()),
        (_, false) => HIDDEN.into(),
    };
    let (postings, entries) = render::postings(chain, &full.entries)?;
    let events = full.events.iter().map(|event| render::event(chain, event)).collect::<Result<Vec<_>>>()?;
    let mut document = summary(full);
    if !sight.why {
        document["code"] = Json::Null;
    }
    document["text"] = json!(why);
    if let Some(made) = made(item, full) {
        document["made"] = json!(made);
    }
    document["time"] = json!(time.to_string());
    document["postings"] = json!(entries);
    document["reported"] = events.iter().map(render::Told::json).collect();
    let mut text = format!("{}\n{why}\ngas {}, booked at {}\n", full.receipt.item, full.receipt.gas, time);
    if !entries.is_empty() {
        text += &format!("\n{postings}");
    }
    if !events.is_empty() {
        text += &format!("\n{}\n", events.iter().map(render::Told::text).collect::<Vec<_>>().join("\n"));
    }
    Ok(Shown { document, text })
}
