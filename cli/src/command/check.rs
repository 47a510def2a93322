//! `tenor check`: says whether a module would be admitted, or whether a proof holds.
//!
//! A file whose name ends in `.proof`, or one that comes with a genesis document, is a proof; any other is
//! looked at as a module.

pub(super) mod module;
mod proof;

use super::Data;
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
    #[command(flatten)]
    data: Data,
}

impl Check {
    /// Checks a module or a proof.
    ///
    /// # Errors
    /// [`Found`](super::Found) when a module is not admitted; the first link of a proof that does not hold.
    pub fn run(self, output: &mut Output<'_>) -> Result<()> {
        let is_proof = self.genesis.is_some() || self.file.extension().is_some_and(|end| end == "proof");
        self.data
            .remote
            .none("a proof is checked against a genesis document that you trust: --genesis FILE")?;
        if is_proof && !self.bare && self.run.is_none() {
            return proof::check(&self.file, self.genesis.as_deref(), &self.data, output);
        }
        module::check(&self.file, self.bare, self.run.as_deref(), self.gas, output)
    }
}
