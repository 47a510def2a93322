//! `tenor open`: opens an agreement.

use super::{Data, Refused, desk, submit_signed};
use crate::desk::Desk;
use crate::once::Once;
use crate::output::Output;
use crate::reading;
use crate::words::{self, Arguments};
use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;
use tenor_abi::codec;
use tenor_abi::id::AgreementId;
use tenor_abi::spec::Spec;
use tenor_abi::tag;
use tenor_node::view::find::find_contract;
use tenor_runtime::state::record::AgreementRecord;
use tenor_wire::crypto::hash;
use tenor_wire::op::{OpenOp, Operation};
use tenor_wire::tx::Transaction;

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
    #[command(flatten)]
    once: Once,
}

impl Open {
    /// Opens the agreement.
    ///
    /// # Errors
    /// When a term does not fit, or the chain says no.
    pub fn run(self, output: &mut Output<'_>) -> Result<()> {
        let mut desk = desk(&self.data)?;
        let code = find_contract(&desk.folder().chain, &self.contract)?;
        let spec = reading::spec(&desk.folder().chain, &code)?;
        let folder = desk.folder();
        let terms = words::terms(&spec, &Arguments::parse(&self.terms)?, &|word| folder.lookup(word))
            .map_err(|error| folder.names.hint(error))?;
        let operation = Operation::Open(OpenOp { code, terms, arguments: vec![0] });
        let tx = desk.sign_together(&self.by, &self.with, operation, vec![], self.once.choice()?)?;
        let id = match self.once.earlier(&desk, &tx, Some(&spec))? {
            Some(receipt) => codec::decode(&receipt.data, 64)?,
            None => self.open(&mut desk, tx, &spec)?,
        };
        let state = spec.state_name(reading::agreement(&desk.folder().chain, &id)?.0.state).to_string();
        let document = json!({ "agreement": id.to_string(), "contract": format!("{}@{}", spec.name, spec.version), "state": state });
        output.result(
            &document,
            &format!("agreement  {id}\ncontract   {}@{}\nstate      {state}", spec.name, spec.version),
        )
    }

    /// Opens it under its name. The name is written down before the chain hears of it: typed again after a crash,
    /// the command finds the agreement and opens no second one.
    fn open(&self, desk: &mut Desk, tx: Transaction, spec: &Spec) -> Result<AgreementId> {
        let id = AgreementId(hash(tag::AGREEMENT, &[&tx.id().0, &codec::encode(&0u32)]).0);
        let Some(name) = &self.name else {
            return submit_signed(desk, tx, Some(spec)).map(|_| id);
        };
        let folder = desk.folder_mut();
        let taken: Option<AgreementId> =
            folder.names.agreements.get(name).map(|id| id.parse()).transpose()?;
        if let Some(taken) = taken
            && folder.chain.record::<AgreementRecord>(&taken.0)?.is_some()
        {
            bail!("`{name}` names {taken} already; choose another name");
        }
        folder.name(|names| {
            let now = names.agreements.insert(name.clone(), id.to_string());
            match now == taken.map(|taken| taken.to_string()) {
                true => Ok(()),
                false => bail!("another command has just given the name `{name}`; choose another one"),
            }
        })?;
        let submitted = submit_signed(desk, tx, Some(spec));
        if submitted.as_ref().is_err_and(|error| error.downcast_ref::<Refused>().is_some()) {
            let ours = |_: &String, named: &mut String| *named == id.to_string();
            desk.folder_mut().name(|names| {
                names.agreements.extract_if(name.clone()..=name.clone(), ours).for_each(drop);
                Ok(())
            })?;
        }
        submitted.map(|_| id)
    }
}
