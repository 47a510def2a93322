//! `tenor checkpoint`: what a client trusts to begin with.
//!
//! It is made from the genesis document alone, whose hash is the chain's id; neither log nor state is opened. A node is
//! believed about it.

use super::Data;
use crate::folder::{Folder, engine};
use crate::output::Output;
use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};
use tenor_abi::codec;
use tenor_runtime::chain::{Chain, Genesis};
use tenor_wire::hexadecimal::hex;
use tenor_wire::proof::Checkpoint as Trusted;

/// `tenor checkpoint`.
#[derive(Debug, Args)]
pub struct Checkpoint {
    /// Genesis document; the data folder's where none is given.
    #[arg(long)]
    genesis: Option<PathBuf>,
    #[command(flatten)]
    data: Data,
}

impl Checkpoint {
    /// Shows the first checkpoint of a chain, as apps are built with it.
    ///
    /// # Errors
    /// When there is no genesis document, or it is none.
    pub fn run(self, output: &mut Output<'_>) -> Result<()> {
        let trusted = first(self.genesis.as_deref(), &self.data)?;
        let (chain, bytes) = (trusted.header.chain.to_string(), hex(&codec::encode(&trusted)));
        output.result(&json!({ "chain": chain, "height": 0, "checkpoint": bytes }), &bytes)
    }
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
