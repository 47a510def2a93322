//! `tenor invoke`: invokes a call of an agreement.

use super::{Data, desk, receipt_json, spends, submit, submit_signed};
use crate::desk::{Desk, GAS_LIMIT};
use crate::once::Once;
use crate::output::Output;
use crate::words::{self, Arguments};
use crate::{near, profile, reading};
use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;
use tenor_abi::codec;
use tenor_abi::date::{DAY_MS, Timestamp};
use tenor_abi::id::ProposalId;
use tenor_abi::refusal::Refusal;
use tenor_abi::spec::{CallKind, Spec};
use tenor_node::view::find::find_agreement;
use tenor_runtime::vm::{Engine, Profile};
use tenor_wire::op::{InvokeOp, Operation, ProposeOp, Seen, Spend};
use tenor_wire::receipt::{Fate, FullReceipt};
use tenor_wire::tx::Transaction;

/// Days that a proposal waits for its approval.
const PROPOSAL_DAYS: u64 = 7;

/// `tenor invoke`.
#[derive(Debug, Args)]
pub struct Invoke {
    /// Agreement: id or name.
    agreement: String,
    /// Call of its contract.
    call: String,
    /// Arguments, as name=value.
    arguments: Vec<String>,
    #[command(flatten)]
    data: Data,
    /// Key of who invokes it.
    #[arg(long = "as")]
    by: String,
    /// The most that an account of the signer may lose, as account=amount; may be given several times.
    #[arg(long)]
    spend: Vec<String>,
    #[command(flatten)]
    once: Once,
    /// Runs the call once more beside the chain and writes where its gas went, as a flame graph (SVG).
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
    /// A build with names of a module that has none, for the profile; may be given several times.
    #[arg(long, value_name = "FILE", requires = "profile")]
    names: Vec<PathBuf>,
}

impl Invoke {
    /// Invokes the call, or proposes it where a second person must approve.
    ///
    /// # Errors
    /// When an argument does not fit, or the chain says no.
    pub fn run(self, output: &mut Output<'_>) -> Result<()> {
        let mut desk = desk(&self.data)?;
        let id = find_agreement(&desk.folder().names, &self.agreement)?;
        let (record, spec) = reading::agreement(&desk.folder().chain, &id)?;
        let callable = spec.calls.iter().filter(|def| matches!(def.kind, CallKind::Action | CallKind::Sign));
        let Some(number) = spec
            .calls
            .iter()
            .position(|def| def.name == self.call && matches!(def.kind, CallKind::Action | CallKind::Sign))
        else {
            bail!(
                "`{}` is no call of {}{}",
                self.call,
                spec.name,
                near::hint(&self.call, callable.map(|def| def.name.as_str()))
            );
        };
        let def = &spec.calls[number];
        let folder = desk.folder();
        let arguments =
            words::arguments(&spec, def, &Arguments::parse(&self.arguments)?, &|word| folder.lookup(word))
                .map_err(|error| folder.names.hint(error))?;
        let seen = Seen { agreement: id, code: record.code, terms_version: record.terms_version };
        let op = InvokeOp { seen, call: number as u16, arguments };
        let operation = if def.kind == CallKind::Sign { Operation::Sign(op) } else { Operation::Invoke(op) };
        let spend = spends(&desk, &self.spend)?;
        let tx = desk.sign(&self.by, operation.clone(), spend.clone(), self.once.choice()?)?;
        if let Some(receipt) = self.once.earlier(&desk, &tx, Some(&spec))? {
            return report(&receipt, spec.state_name(record.state), output);
        }
        // Whether a second person is needed is the host's to say; asking costs nothing.
        let trial = desk.folder().chain.prepare(Timestamp(desk.time().0 + 1), tx.clone())??;
        if matches!(Refusal::from_data(&trial.data), Some(Refusal::FourEyes { .. }))
            && trial.receipt.fate == Fate::Refused
        {
            return propose(&mut desk, &self.by, operation, spend, Some(&spec), output);
        }
        let profile = self.profile(&desk, &tx)?;
        let receipt = submit_signed(&mut desk, tx, Some(&spec))?;
        let (record, spec) = reading::agreement(&desk.folder().chain, &id)?;
        let (mut document, mut text) = told(&receipt, spec.state_name(record.state));
        if let Some(profile) = profile {
            document["profile"] = profile::document(&profile);
            text += &format!("\n\n{}", profile::table(&profile));
        }
        output.result(&document, &text)
    }

    /// Where the gas of the call goes, on the state as it stands; nothing of this run is kept.
    fn profile(&self, desk: &Desk, tx: &Transaction) -> Result<Option<Profile>> {
        let Some(file) = &self.profile else { return Ok(None) };
        let read =
            |file: &PathBuf| std::fs::read(file).with_context(|| format!("reading {}", file.display()));
        let named = self.names.iter().map(read).collect::<Result<Vec<_>>>()?;
        let engine = Engine::profiling(named)?;
        let time = Timestamp(desk.time().0 + 1);
        desk.folder().chain.prepare_on(&engine, time, tx.clone())??;
        let profile = engine.take_profile();
        profile::write_svg(&profile, &format!("{} {}", self.agreement, self.call), file)?;
        Ok(Some(profile))
    }
}

fn report(receipt: &FullReceipt, state: &str, output: &mut Output<'_>) -> Result<()> {
    let (document, text) = told(receipt, state);
    output.result(&document, &text)
}

fn told(receipt: &FullReceipt, state: &str) -> (Value, String) {
    let mut document = receipt_json(receipt);
    document["state"] = json!(state);
    let text = format!("done   {}\nstate  {state}\ngas    {}", receipt.receipt.item, receipt.receipt.gas);
    (document, text)
}

/// Proposes what a second person must approve, and says how.
pub(super) fn propose(
    desk: &mut Desk,
    by: &str,
    operation: Operation,
    spend_max: Vec<Spend>,
    spec: Option<&Spec>,
    output: &mut Output<'_>,
) -> Result<()> {
    let expires_at = Timestamp(desk.time().0 + PROPOSAL_DAYS * DAY_MS);
    let op = ProposeOp { operation: Box::new(operation), gas_limit: GAS_LIMIT, spend_max, expires_at };
    let receipt = submit(desk, by, Operation::Propose(op), vec![], spec)?;
    let id: ProposalId = codec::decode(&receipt.data, 64)?;
    let document = json!({ "proposal": id.to_string(), "expires_at": expires_at.to_string() });
    output.result(&document, &format!("a second person must approve this\nproposal  {id}\nuntil     {expires_at}\napprove   tenor approve {id} --as KEY"))
}
