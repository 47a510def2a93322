//! `tenor prove`: writes the proof of a receipt or of what state held, for somebody who has only the genesis document.

use super::{Data, desk, find_account};
use crate::desk::Desk;
use crate::folder::write_synced;
use crate::output::Output;
use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use tenor_node::view::find::find_agreement;
use tenor_runtime::chain::Replica;
use tenor_runtime::state::Kind;
use tenor_wire::hexadecimal::{hex, unhex};

/// `tenor prove`.
#[derive(Debug, Args)]
pub struct Prove {
    /// Of a receipt: height of the block.
    #[arg(requires = "index", required_unless_present_any = ["account", "agreement", "key"])]
    height: Option<u64>,
    /// Of a receipt: place of the item in the block, from 0.
    index: Option<u32>,
    /// Of an account: its name or id.
    #[arg(long, conflicts_with_all = ["height", "agreement", "key"])]
    account: Option<String>,
    /// Of an agreement: its name or id.
    #[arg(long, conflicts_with_all = ["height", "key"])]
    agreement: Option<String>,
    /// Of any record of the state: its full key in hexadecimal.
    #[arg(long, conflicts_with = "height")]
    key: Option<String>,
    /// Of what state held: after the block of this height; the newest where none is given.
    #[arg(long, conflicts_with = "height")]
    at: Option<u64>,
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
    /// When there is no such thing, or the file is there already.
    pub fn run(self, output: &mut Output<'_>) -> Result<()> {
        let desk = desk(&self.data)?;
        if self.out.exists() {
            bail!("{} exists already; name another file with --out", self.out.display());
        }
        match (self.height, self.index) {
            (Some(height), Some(index)) => self.receipt(&desk, height, index, output),
            _ => self.state(&desk, output),
        }
    }

    fn receipt(&self, desk: &Desk, height: u64, index: u32, output: &mut Output<'_>) -> Result<()> {
        let chain = &desk.folder().chain;
        let tip = chain.tip().height;
        let block = chain
            .block(height)?
            .with_context(|| format!("there is no block {height}; the newest is {tip}"))?;
        if index as usize >= block.items.len() {
            bail!("block {height} has {} items, counted from 0; {index} given", block.items.len());
        }
        // Only the newest block's certificate may still be on its way into the log.
        let key = if height == tip { desk.block_key()? } else { None };
        let bundle = chain
            .prove_receipt(height, index, key)?
            .with_context(|| format!("block {height} has no certificate"))?;
        let bytes = bundle.to_bytes();
        write_synced(&self.out, &bytes)?;
        let item = bundle.receipt.receipt.item.to_string();
        let file = self.out.display().to_string();
        output.result(
            &json!({
                "file": file, "bytes": bytes.len(), "item": item, "height": height, "index": index,
                "chain": chain.id().to_string(),
            }),
            &format!("proof  {file}\nitem   {item}\nbytes  {}", bytes.len()),
        )
    }

    fn state(&self, desk: &Desk, output: &mut Output<'_>) -> Result<()> {
        let full_key = self.full_key(desk)?;
        let tip = desk.folder().chain.tip().height;
        let height = self.at.unwrap_or(tip);
        let chain = desk.chain_at(height)?;
        let key = if height == tip { desk.block_key()? } else { None };
        let bundle = chain.prove_offline(&full_key, key)?;
        let bundle = bundle.with_context(|| format!("block {height} has no certificate"))?;
        let is_there = chain.state().has_row(&full_key)?;
        let bytes = bundle.to_bytes();
        write_synced(&self.out, &bytes)?;
        let file = self.out.display().to_string();
        let found = if is_there { "is there" } else { "is not there" };
        output.result(
            &json!({
                "file": file, "bytes": bytes.len(), "key": hex(&full_key), "height": height, "found": is_there,
                "state_root": chain.tip().state.to_string(), "chain": chain.id().to_string(),
            }),
            &format!("proof  {file}\nkey    {} {found}\nblock  {height}\nbytes  {}", hex(&full_key), bytes.len()),
        )
    }

    fn full_key(&self, desk: &Desk) -> Result<Vec<u8>> {
        match (&self.account, &self.agreement, &self.key) {
            (Some(asked), _, _) => Ok(Kind::Account.full_key(&find_account(&desk.folder().names, asked)?.0)),
            (_, Some(asked), _) => {
                Ok(Kind::Agreement.full_key(&find_agreement(&desk.folder().names, asked)?.0))
            }
            (_, _, Some(text)) => unhex(text)
                .filter(|key| !key.is_empty())
                .with_context(|| format!("a full key is bytes in hexadecimal, `{text}` given")),
            _ => bail!("name what to prove: HEIGHT INDEX, --account, --agreement or --key"),
        }
    }
}
