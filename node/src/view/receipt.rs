//! A receipt: what became of an item, why, what it booked and what it reported.

use super::names::Names;
use super::refusal::explain;
use super::{Missing, Shown, render};
use anyhow::Result;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};
use tenor_abi::codec;
use tenor_abi::id::{AccountId, AgreementId, AssetId, CalendarId, PartyId, ProposalId};
use tenor_runtime::chain::{Chain, Replica};
use tenor_wire::block::{Block, Item};
use tenor_wire::op::Operation;
use tenor_wire::receipt::{Act, Fate, FullReceipt};

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
    let block = chain.block(height)?.ok_or_else(|| Missing(format!("there is no block {height}")))?;
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
    let spec = render::spec_of(chain, item)?;
    let why = if full.receipt.code == 0 {
        String::from("done")
    } else {
        explain(chain, names, full, spec.as_ref())
    };
    let (postings, entries) = render::postings(chain, &full.entries)?;
    let events = full.events.iter().map(|event| render::event(chain, event)).collect::<Result<Vec<_>>>()?;
    let mut document = summary(full);
    document["text"] = json!(why);
    if let Some(made) = made(item, full) {
        document["made"] = json!(made);
    }
    document["time"] = json!(block.header.time.to_string());
    document["postings"] = json!(entries);
    document["reported"] = events.iter().map(render::Told::json).collect();
    let mut text =
        format!("{}\n{why}\ngas {}, booked at {}\n", full.receipt.item, full.receipt.gas, block.header.time);
    if !entries.is_empty() {
        text += &format!("\n{postings}");
    }
    if !events.is_empty() {
        text += &format!("\n{}\n", events.iter().map(render::Told::text).collect::<Vec<_>>().join("\n"));
    }
    Ok(Shown { document, text })
}
