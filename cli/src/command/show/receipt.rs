//! A receipt: what became of an item, why, what it booked and what it reported.

use crate::command::receipt_json;
use crate::desk::Desk;
use crate::output::Output;
use crate::refusal::explain;
use crate::render;
use anyhow::{Context, Result, bail};
use serde_json::json;
use tenor_runtime::chain::Replica;

/// Shows the receipt at `height/index`.
pub(super) fn show(desk: &Desk, asked: &str, output: &mut Output<'_>) -> Result<()> {
    let place = asked
        .split_once('/')
        .and_then(|(height, index)| Some((height.parse::<u64>().ok()?, index.parse::<u32>().ok()?)));
    let Some((height, index)) = place else { bail!("a receipt is named height/index, `{asked}` given") };
    let chain = &desk.folder().chain;
    let block = chain.block(height)?.with_context(|| format!("there is no block {height}"))?;
    let found = block.items.get(index as usize).zip(block.receipts.get(index as usize));
    let (item, full) = found.with_context(|| {
        format!("block {height} has {} items, counted from 0; there is no {index}", block.items.len())
    })?;
    let spec = render::spec_of(chain, item)?;
    let why = if full.receipt.code == 0 {
        String::from("done")
    } else {
        explain(desk.folder(), full, spec.as_ref())
    };
    let (postings, entries) = render::postings(chain, &full.entries)?;
    let events = full.events.iter().map(|event| render::event(chain, event)).collect::<Result<Vec<_>>>()?;
    let mut document = receipt_json(full);
    document["text"] = json!(why);
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
    output.result(&document, &text)
}
