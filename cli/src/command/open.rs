//! `tenor open`: opens an agreement.

use super::{Data, desk, random, submit_signed};
use crate::output::Output;
use crate::words::{self, Arguments};
use crate::{near, reading};
use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::json;
use tenor_abi::codec;
use tenor_abi::id::{AgreementId, CodeHash};
use tenor_runtime::chain::Chain;
use tenor_runtime::state::record::ContractRecord;
use tenor_wire::op::{OpenOp, Operation};

/// `tenor open`.
#[derive(Debug, Args)]
pub struct Open {
    /// Contract: name, name@version, or code.
    contract: String,
    /// Terms, as name=value.
    terms: Vec<String>,
    #[command(flatten)]
    data: Data,
    /// Key of who opens it.
    #[arg(long = "as")]
    by: String,
    /// Key of somebody who signs it as well; may be given several times.
    #[arg(long)]
    with: Vec<String>,
    /// Name for the agreement at this bank.
    #[arg(long)]
    name: Option<String>,
}

/// The code of a contract by name, name@version or code; the newest version where none is named.
pub(super) fn contract(chain: &Chain, asked: &str) -> Result<CodeHash> {
    if let Ok(code) = asked.parse() {
        return Ok(code);
    }
    let mut all = vec![];
    for (code, record) in chain.records::<ContractRecord>(&[])? {
        let code = CodeHash(code.as_slice().try_into().context("a contract's key is its code")?);
        all.push((record.name.clone(), record.version, code));
    }
    all.sort();
    let found =
        all.iter().rev().find(|(name, version, _)| name == asked || format!("{name}@{version}") == asked);
    match found {
        Some((_, _, code)) => Ok(*code),
        None => bail!(
            "there is no contract `{asked}`{}",
            near::hint(asked, all.iter().map(|(name, _, _)| name.as_str()))
        ),
    }
}

impl Open {
    /// Opens the agreement.
    ///
    /// # Errors
    /// When a term does not fit, or the chain says no.
    pub fn run(self, output: &mut Output<'_>) -> Result<()> {
        let mut desk = desk(&self.data)?;
        let code = contract(&desk.folder().chain, &self.contract)?;
        let spec = reading::spec(&desk.folder().chain, &code)?;
        let folder = desk.folder();
        let terms = words::terms(&spec, &Arguments::parse(&self.terms)?, &|word| folder.lookup(word))
            .map_err(|error| folder.names.hint(error))?;
        let operation = Operation::Open(OpenOp { code, terms, arguments: vec![0] });
        let tx = desk.sign_together(&self.by, &self.with, operation, vec![], random()?)?;
        let receipt = submit_signed(&mut desk, tx, Some(&spec))?;
        let id: AgreementId = codec::decode(&receipt.data, 64)?;
        let state = spec.state_name(reading::agreement(&desk.folder().chain, &id)?.0.state).to_string();
        if let Some(name) = &self.name {
            desk.folder_mut().names.agreements.insert(name.clone(), id.to_string());
            desk.folder().save_names()?;
        }
        let document = json!({ "agreement": id.to_string(), "contract": format!("{}@{}", spec.name, spec.version), "state": state });
        output.result(
            &document,
            &format!("agreement  {id}\ncontract   {}@{}\nstate      {state}", spec.name, spec.version),
        )
    }
}
