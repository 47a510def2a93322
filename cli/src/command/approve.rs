//! `tenor approve`: approves a proposal.

use super::{Data, desk, receipt_json, submit};
use crate::output::Output;
use crate::reading;
use anyhow::{Context, Result};
use clap::Args;
use tenor_abi::id::ProposalId;
use tenor_runtime::state::record::ProposalRecord;
use tenor_wire::op::Operation;

/// `tenor approve`.
#[derive(Debug, Args)]
pub struct Approve {
    /// Proposal.
    proposal: String,
    #[command(flatten)]
    data: Data,
    /// Key of who approves.
    #[arg(long = "as")]
    by: String,
}

impl Approve {
    /// Approves the proposal, which carries it out.
    ///
    /// # Errors
    /// When the chain says no.
    pub fn run(self, output: &mut Output<'_>) -> Result<()> {
        let id: ProposalId = self.proposal.parse().with_context(|| {
            format!("a proposal's id expected, `{}` given; `tenor list proposals` shows them", self.proposal)
        })?;
        let mut desk = desk(&self.data)?;
        let proposed: Option<ProposalRecord> = desk.folder().chain.record(&id.0)?;
        let spec = match proposed.map(|record| record.operation) {
            Some(Operation::Invoke(op) | Operation::Sign(op)) => {
                Some(reading::agreement(&desk.folder().chain, &op.seen.agreement)?.1)
            }
            _ => None,
        };
        let receipt = submit(&mut desk, &self.by, Operation::Approve(id), vec![], spec.as_ref())?;
        output.result(
            &receipt_json(&receipt),
            &format!(
                "approved and done  {}\ngas                {}",
                receipt.receipt.item, receipt.receipt.gas
            ),
        )
    }
}
