//! `tenor invoke`: invokes a call of an agreement.

use super::{Data, desk, receipt_json, spends, submit, submit_signed};
use crate::desk::{Desk, GAS_LIMIT};
use crate::once::Once;
use crate::output::Output;
use crate::remote::{Node, Remote};
use crate::words::{self, Arguments};
use crate::{near, reading};
use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;
use tenor_abi::codec;
use tenor_abi::date::{DAY_MS, Timestamp};
use tenor_abi::id::ProposalId;
use tenor_abi::refusal::Refusal;
use tenor_abi::spec::{CallDef, CallKind, Spec};
use tenor_node::view::find::find_agreement;
use tenor_wire::op::{InvokeOp, Operation, ProposeOp, Seen, Spend};
use tenor_wire::receipt::{Fate, FullReceipt};

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
    #[command(flatten)]
    remote: Remote,
    /// Key of who invokes it.
    #[arg(long = "as")]
    by: String,
    /// The most that an account of the signer may lose, as account=amount; may be given several times.
    #[arg(long)]
    spend: Vec<String>,
    #[command(flatten)]
    once: Once,
}

impl Invoke {
    /// Invokes the call, or proposes it where a second person must approve.
    ///
    /// # Errors
    /// When an argument does not fit, or the chain says no.
    pub fn run(self, output: &mut Output<'_>) -> Result<()> {
        if let Some(node) = self.remote.open()? {
            return self.over(&node, output);
        }
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
        let receipt = submit_signed(&mut desk, tx, Some(&spec))?;
        let (record, spec) = reading::agreement(&desk.folder().chain, &id)?;
        report(&receipt, spec.state_name(record.state), output)
    }
}

impl Invoke {
    fn over(&self, node: &Node, output: &mut Output<'_>) -> Result<()> {
        let (seen, spec) = node.agreement(&self.agreement)?;
        let callable = |def: &&CallDef| matches!(def.kind, CallKind::Action | CallKind::Sign);
        let number = spec.calls.iter().position(|def| def.name == self.call && callable(&def));
        let Some((number, def)) = number.and_then(|number| Some((number, spec.calls.get(number)?))) else {
            let known = spec.calls.iter().filter(callable).map(|def| def.name.as_str());
            bail!("`{}` is no call of {}{}", self.call, spec.name, near::hint(&self.call, known));
        };
        let given = Arguments::parse(&self.arguments)?;
        let arguments = words::arguments(&spec, def, &given, &|asked| node.lookup(&self.data.data, asked))?;
        let op = InvokeOp { seen, call: number as u16, arguments };
        let operation = if def.kind == CallKind::Sign { Operation::Sign(op) } else { Operation::Invoke(op) };
        let spend = node.spends(&self.spend)?;
        let signer = node.signer(&self.data.data, &self.by)?;
        let mut receipt = node.submit(&signer, operation, spend, self.once.choice()?)?;
        let state = node.document(&format!("/v1/agreements/{}", seen.agreement))?["state"].clone();
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_string();
        let shown =
            format!("done   {}\nstate  {}\ngas    {}", text(&receipt["item"]), text(&state), receipt["gas"]);
        receipt["state"] = state;
        output.result(&receipt, &shown)
    }
}

fn report(receipt: &FullReceipt, state: &str, output: &mut Output<'_>) -> Result<()> {
    let mut document = receipt_json(receipt);
    document["state"] = json!(state);
    output.result(
        &document,
        &format!("done   {}\nstate  {state}\ngas    {}", receipt.receipt.item, receipt.receipt.gas),
    )
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
