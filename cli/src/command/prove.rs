//! `tenor prove`: writes the proof of a receipt, for somebody who has only the genesis document.

use super::{Data, desk};
use crate::folder::write_synced;
use crate::output::Output;
use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use tenor_runtime::chain::Replica;

/// `tenor prove`.
#[derive(Debug, Args)]
pub struct Prove {
    /// Height of the block.
    height: u64,
    /// Place of the item in it, from 0.
    index: u32,
    /// File to write; it must not be there yet.
    #[arg(long)]
    out: PathBuf,
    #[command(flatten)]
    data: Data,
}

impl Prove {
    /// Writes the bundle.
    ///
    /// # Errors
    /// When there is no such receipt, or the file is there already.
    pub fn run(self, output: &mut Output<'_>) -> Result<()> {
        let desk = desk(&self.data)?;
        let chain = &desk.folder().chain;
        let tip = chain.tip().height;
        let block = chain
            .block(self.height)?
            .with_context(|| format!("there is no block {}; the newest is {tip}", self.height))?;
        if self.index as usize >= block.items.len() {
            bail!(
                "block {} has {} items, counted from 0; {} given",
                self.height,
                block.items.len(),
                self.index
            );
        }
        if self.out.exists() {
            bail!("{} exists already; name another file with --out", self.out.display());
        }
        // Only the newest block's certificate may still be on its way into the log.
        let key = (self.height == tip).then(|| desk.block_key());
        let bundle = chain
            .prove_receipt(self.height, self.index, key)?
            .with_context(|| format!("block {} has no certificate", self.height))?;
        let bytes = bundle.to_bytes();
        write_synced(&self.out, &bytes)?;
        let item = bundle.receipt.receipt.item.to_string();
        let file = self.out.display().to_string();
        output.result(
            &json!({
                "file": file, "bytes": bytes.len(), "item": item, "height": self.height, "index": self.index,
                "chain": chain.id().to_string(),
            }),
            &format!("proof  {file}\nitem   {item}\nbytes  {}", bytes.len()),
        )
    }
}
