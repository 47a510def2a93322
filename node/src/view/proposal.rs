//! A proposal: what would be done, who proposed it, until when it waits.

use super::names::Names;
use super::said::said;
use super::table::Table;
use super::{Missing, Shown, render, words};
use anyhow::Result;
use serde_json::{Value as Json, json};
use tenor_abi::id::ProposalId;
use tenor_abi::value;
use tenor_client::json::to_json;
use tenor_runtime::chain::Chain;
use tenor_runtime::state::record::ProposalRecord;
use tenor_wire::op::Operation;

/// An open proposal: what would be done, who proposed it, until when it waits.
///
/// # Errors
/// [`Missing`] when there is none.
pub fn proposal(chain: &Chain, names: &Names, id: ProposalId) -> Result<Shown> {
    let record: Option<ProposalRecord> = chain.record(&id.0)?;
    let gone = || Missing(format!("there is no open {id}; it was approved, withdrawn or never made"));
    let record = record.ok_or_else(gone)?;
    let spec = render::spec_of_operation(chain, &record.operation)?;
    let what = render::operation(spec.as_ref(), &record.operation);
    let effects: Vec<String> =
        said(chain, &record.operation)?.into_iter().map(|line| names.named(line)).collect();
    let mut table = Table::new(&["argument", "value"]);
    let (mut agreement, mut documents) = (None, serde_json::Map::<String, Json>::new());
    if let (Operation::Invoke(op) | Operation::Sign(op), Some(spec)) = (&record.operation, &spec) {
        agreement = Some(op.seen.agreement.to_string());
        if let Some(def) = spec.calls.get(usize::from(op.call)) {
            let told = words::told_fields(spec, value::fields_of(&def.arguments), &op.arguments)?;
            for (name, text, document) in told {
                table.row(vec![name.clone(), text]);
                documents.insert(name, document);
            }
        }
    }
    let arguments = if documents.is_empty() { String::new() } else { format!("\n{table}") };
    let document = json!({
        "proposal": id.to_string(), "operation": what, "effects": effects,
        // Everything in it, as a client reads it in what it signs.
        "proposed": serde_json::from_str::<Json>(&to_json(&record.operation)?)?,
        "agreement": agreement, "arguments": documents,
        "proposer": record.proposer.to_string(), "expires_at": record.expires_at.to_string(),
    });
    let about = agreement.map_or_else(String::new, |agreement| format!("agreement  {agreement}\n"));
    let text = format!(
        "{id}\noperation  {what}\n{about}proposer   {}\nuntil      {}\n\n{}\n{arguments}",
        record.proposer,
        record.expires_at,
        effects.join("\n")
    );
    Ok(Shown { document, text })
}
