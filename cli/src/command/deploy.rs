//! `tenor deploy`: publishes a contract.

use super::check::module;
use super::{Data, desk, exposure_limit, submit};
use crate::output::Output;
use crate::{products, words};
use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::json;
use std::path::Path;
use tenor_abi::codec;
use tenor_abi::id::CodeHash;
use tenor_wire::op::{Operation, PublishOp};

/// `tenor deploy`.
#[derive(Debug, Args)]
pub struct Deploy {
    /// A wasm file, or a product that the command carries: recurring, loan, loyalty.
    module: String,
    #[command(flatten)]
    data: Data,
    /// Key of a product manager.
    #[arg(long = "as", default_value = "officer")]
    by: String,
    /// The most that the product may have outstanding in an asset of the bank.
    #[arg(long, allow_hyphen_values = true, default_value = "1000000.00 EUR")]
    exposure: Vec<String>,
}

impl Deploy {
    /// Publishes the module.
    ///
    /// # Errors
    /// [`Refused`](super::Refused) with all findings when it is not admitted; when the chain says no.
    pub fn run(self, output: &mut Output<'_>) -> Result<()> {
        let (wasm, spec) = match products::find(&self.module) {
            Some(product) => (product.wasm.to_vec(), words::spec_of(product.wasm)?),
            None => {
                let file = Path::new(&self.module);
                ensure!(
                    file.exists(),
                    "`{}` is neither a file nor a product{}",
                    self.module,
                    crate::near::hint(&self.module, products::ALL.iter().map(|p| p.name))
                );
                module::contract(file)?
            }
        };
        let mut desk = desk(&self.data)?;
        let names = &desk.folder().names;
        let mut exposure = self
            .exposure
            .iter()
            .map(|text| exposure_limit(desk.folder(), text))
            .collect::<Result<Vec<_>>>()?;
        exposure.sort_by_key(|limit| limit.asset);
        let bank = names.lookup("party:bank").context("this folder has no bank")?.parse()?;
        let bytes = wasm.len();
        let receipt = submit(
            &mut desk,
            &self.by,
            Operation::Publish(PublishOp { bank, wasm, exposure }),
            vec![],
            None,
        )?;
        let code: CodeHash = codec::decode(&receipt.data, 64)?;
        let name = format!("{}@{}", spec.name, spec.version);
        let document = json!({ "name": name, "code": code.to_string(), "wasm_bytes": bytes, "gas": receipt.receipt.gas });
        output.result(&document, &format!("published {name}\ncode      {code}\nbytes     {bytes}"))
    }
}
