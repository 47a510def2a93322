//! Verifies the proof of a receipt, or of what state held, against a checkpoint alone.
//!
//! It opens neither log nor state and takes no lock: what it trusts is the document whose hash is the chain's
//! id, from which block 0 is made, or the checkpoint that it is given.

use crate::command::receipt_json;
use crate::output::Output;
use anyhow::{Context, Result};
use serde_json::json;
use std::path::Path;
use tenor_wire::hexadecimal::hex;
use tenor_wire::proof::{Bundle, Checkpoint, STATE_BUNDLE_VERSION, StateBundle};

/// Checks everything, from the receipt or record up to the chain's first header.
pub(super) fn check(file: &Path, trusted: &Checkpoint, output: &mut Output<'_>) -> Result<()> {
    let bytes = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let shown = match bytes.first() {
        Some(&STATE_BUNDLE_VERSION) => state(&bytes, trusted, output),
        _ => receipt(&bytes, trusted, output),
    };
    shown.with_context(|| format!("{} shows nothing", file.display()))
}

fn receipt(bytes: &[u8], trusted: &Checkpoint, output: &mut Output<'_>) -> Result<()> {
    let bundle = Bundle::from_bytes(bytes)?;
    let shown = bundle.verify(trusted)?;
    let index = bundle.receipt_proof.index;
    let document = json!({
        "shown": true, "chain": trusted.header.chain.to_string(), "height": shown.height, "index": index,
        "time": shown.time.to_string(), "receipt": receipt_json(&bundle.receipt),
    });
    let fate = format!("{:?}", bundle.receipt.receipt.fate).to_lowercase();
    output.result(
        &document,
        &format!(
            "holds: {} is {fate}\nblock  {}, item {index}\ntime   {}\nchain  {}",
            shown.item, shown.height, shown.time, trusted.header.chain
        ),
    )
}

fn state(bytes: &[u8], trusted: &Checkpoint, output: &mut Output<'_>) -> Result<()> {
    let bundle = StateBundle::from_bytes(bytes)?;
    let shown = bundle.verify(trusted)?;
    let key = hex(&bundle.key);
    let document = json!({
        "shown": true, "chain": trusted.header.chain.to_string(), "height": shown.height,
        "time": shown.time.to_string(), "key": key, "record": shown.record.map(hex),
    });
    let found = shown.record.map_or_else(|| "nothing".to_string(), hex);
    let text = format!(
        "holds: at {key} there was {found}\nblock  {}\ntime   {}\nchain  {}",
        shown.height, shown.time, trusted.header.chain
    );
    output.result(&document, &text)
}
