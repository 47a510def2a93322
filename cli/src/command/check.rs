//! `tenor check`: says whether a module would be admitted, or whether a proof holds.
//!
//! A file whose name ends in `.proof`, or one that comes with a genesis document, is a proof; any other is
//! looked at as a module.

pub(super) mod module;
mod proof;

use super::{Data, checkpoint};
use crate::output::Output;
use anyhow::Result;
use clap::Args;
use std::path::PathBuf;

/// `tenor check`.
#[derive(Debug, Args)]
pub struct Check {
    /// A module, or the proof of a receipt: a name that ends in `.proof` is one, unless `--bare` or `--run` is given.
    /// It must be a regular file.
    file: PathBuf,
    /// Looks at a module as wasm only: no spec and none of a contract's export types are asked for.
    #[arg(long)]
    bare: bool,
    /// Runs one export without arguments in an empty world, where the module is admitted. Whatever the run comes to, the
    /// exit code says only whether the module is admitted; an export that is no such function ends as `host_rule`.
    #[arg(long, value_name = "EXPORT")]
    run: Option<String>,
    /// Gas for `--run`, at most what a transaction may sign for.
    #[arg(long, default_value_t = module::GAS, requires = "run")]
    gas: u64,
    /// Genesis document for a proof; the data folder's where none is given.
    #[arg(long, conflicts_with_all = ["bare", "run"])]
    genesis: Option<PathBuf>,
    /// Checkpoint for a proof instead of a genesis document, as `tenor checkpoint` and a restart print it.
    #[arg(long, value_name = "HEX", conflicts_with_all = ["bare", "run", "genesis"])]
    checkpoint: Option<String>,
    #[command(flatten)]
    data: Data,
}

impl Check {
    /// Checks a module or a proof.
    ///
    /// # Errors
    /// [`Found`](super::Found) when a module is not admitted; the first link of a proof that does not hold.
    pub fn run(self, output: &mut Output<'_>) -> Result<()> {
        let is_trusted = self.genesis.is_some() || self.checkpoint.is_some();
        let is_proof = is_trusted || self.file.extension().is_some_and(|end| end == "proof");
        self.data
            .remote
            .none("a proof is checked against what you trust: --genesis FILE or --checkpoint HEX")?;
        if is_proof && !self.bare && self.run.is_none() {
            let trusted = match &self.checkpoint {
                Some(text) => checkpoint::read(text)?,
                None => checkpoint::first(self.genesis.as_deref(), &self.data)?,
            };
            return proof::check(&self.file, &trusted, output);
        }
        module::check(&self.file, self.bare, self.run.as_deref(), self.gas, output)
    }
}
