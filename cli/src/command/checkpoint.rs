//! `tenor checkpoint`: what a client trusts to begin with.
//!
//! That of block 0 is made from the genesis document alone, whose hash is the chain's id; neither log nor state is opened. A
//! node is believed about it, and so is the log about that of another block.

use super::Data;
use crate::folder::{Folder, engine};
use crate::output::Output;
use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};
use tenor_abi::codec;
use tenor_node::view::check_made;
use tenor_runtime::chain::{Chain, Genesis, Replica};
use tenor_wire::hexadecimal::{hex, unhex};
use tenor_wire::proof::Checkpoint as Trusted;

/// Most bytes of a checkpoint.
const CHECKPOINT_BYTES_MAX: usize = 1 << 16;

/// `tenor checkpoint`.
#[derive(Debug, Args)]
pub struct Checkpoint {
    /// Genesis document; the data folder's where none is given.
    #[arg(long)]
    genesis: Option<PathBuf>,
    /// The block that it is of instead: whoever takes it believes the folder or the node about that block. A chain that
    /// was begun again has its first one there.
    #[arg(long, conflicts_with = "genesis")]
    at: Option<u64>,
    #[command(flatten)]
    data: Data,
}

impl Checkpoint {
    /// Shows the first checkpoint of a chain, as apps are built with it.
    ///
    /// # Errors
    /// When there is no genesis document, or it is none.
    pub fn run(self, output: &mut Output<'_>) -> Result<()> {
        let trusted = match self.at {
            None => first(self.genesis.as_deref(), &self.data)?,
            Some(height) => of_block(height, &self.data)?,
        };
        let (chain, bytes) = (trusted.header.chain.to_string(), hex(&codec::encode(&trusted)));
        output
            .result(&json!({ "chain": chain, "height": trusted.header.height, "checkpoint": bytes }), &bytes)
    }
}

fn of_block(height: u64, data: &Data) -> Result<Trusted> {
    if let Some(node) = data.remote.open()? {
        return node.checkpoint(height);
    }
    let folder = data.open()?;
    check_made(&folder.chain, height)?;
    let block =
        folder.chain.block(height)?.with_context(|| format!("block {height} is no longer in the log"))?;
    Ok(Trusted { header: block.header, validators: folder.chain.genesis().validators.clone() })
}

/// The checkpoint of block 0, which is made anew from the genesis document.
pub(super) fn first(genesis: Option<&Path>, data: &Data) -> Result<Trusted> {
    let genesis = match genesis {
        None => {
            if let Some(node) = data.remote.open()? {
                return node.checkpoint(0);
            }
            Folder::genesis(&data.data)?
        }
        Some(path) => {
            let bytes = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
            Genesis::from_bytes(&bytes)
                .with_context(|| format!("{} is no genesis document", path.display()))?
        }
    };
    Ok(Chain::in_memory(genesis, engine()?)?.first_checkpoint()?)
}

/// A checkpoint as it is printed.
pub(super) fn read(text: &str) -> Result<Trusted> {
    let bytes = unhex(text.trim()).context("a checkpoint is hexadecimal, as `tenor checkpoint` prints it")?;
    codec::decode(&bytes, CHECKPOINT_BYTES_MAX).context("this is no checkpoint")
}
