//! `tenor account hook` and `unhook`: agreements that judge what happens to an account, or are told of it.

use super::{Data, act_of_staff, desk, find_account, receipt_json, submit};
use crate::desk::Desk;
use crate::output::Output;
use crate::reading;
use anyhow::Result;
use clap::Args;
use tenor_node::view::find::find_agreement;
use tenor_wire::op::{HookMoment, HookOf, HookOp, Operation, Seen};

/// Which hook of which account, and on whose word.
#[derive(Debug, Args)]
pub struct Place {
    /// Account: name, name/purpose, or id.
    account: String,
    /// The hook that is told afterwards; without it the one that judges before.
    #[arg(long)]
    after: bool,
    /// The bank's hook, set by its operations staff; without it the owner's.
    #[arg(long)]
    bank: bool,
    /// Key of the owner, or of operations staff.
    #[arg(long = "as")]
    by: String,
    #[command(flatten)]
    data: Data,
}

/// `tenor account hook`.
#[derive(Debug, Args)]
pub struct Hook {
    #[command(flatten)]
    place: Place,
    /// Agreement that is the hook: id or name.
    #[arg(long)]
    agreement: String,
}

impl Hook {
    /// Attaches the hook, or proposes it where a second person must approve.
    ///
    /// # Errors
    /// When the chain says no.
    pub fn run(self, output: &mut Output<'_>) -> Result<()> {
        let mut desk = desk(&self.place.data)?;
        let id = find_agreement(&desk.folder().names, &self.agreement)?;
        let (record, _) = reading::agreement(&desk.folder().chain, &id)?;
        let seen = Seen { agreement: id, code: record.code, terms_version: record.terms_version };
        let done = format!("{} is a hook of {}", self.agreement, self.place.account);
        self.place.run(&mut desk, Some(seen), &done, output)
    }
}

impl Place {
    /// Detaches the hook that is there; its contract is not asked.
    ///
    /// # Errors
    /// When the chain says no.
    pub fn detach(self, output: &mut Output<'_>) -> Result<()> {
        let mut desk = desk(&self.data)?;
        let done = format!("the hook of {} is detached", self.account);
        self.run(&mut desk, None, &done, output)
    }

    fn run(self, desk: &mut Desk, hook: Option<Seen>, done: &str, output: &mut Output<'_>) -> Result<()> {
        let account = find_account(&desk.folder().names, &self.account)?;
        let of = if self.bank { HookOf::Bank } else { HookOf::Owner };
        let moment = if self.after { HookMoment::After } else { HookMoment::Before };
        let operation = Operation::Hook(HookOp { account, of, moment, hook });
        if self.bank {
            return act_of_staff(desk, &self.by, operation, done, output);
        }
        let receipt = submit(desk, &self.by, operation, vec![], None)?;
        output.result(&receipt_json(&receipt), &format!("{done}\n{}", receipt.receipt.item))
    }
}
