//! Holds by parties: money set aside, paid out, given back; and the end that time makes of it.

use super::money::draft;
use super::run::{Run, Trouble};
use crate::ledger::{self, Capture, HoldPart, Line};
use crate::state::{Kind, Overlay};
use tenor_abi::codec;
use tenor_abi::entry::Side;
use tenor_abi::id::{AccountId, HoldId};
use tenor_abi::refusal::Refusal;
use tenor_wire::block::ExpiryItem;
use tenor_wire::op::{CaptureOp, HoldOp, hold_id};
use tenor_wire::receipt::Act;

type Ran = Result<Vec<u8>, Trouble>;

/// Sets money aside for payees. By the owners of the accounts that will pay.
pub(super) fn hold(state: &mut Overlay<'_>, run: &mut Run<'_>, op: &HoldOp) -> Ran {
    run.charge(run.block.parameters.limits.posting_gas * (2 * op.lines.len()).saturating_sub(2) as u64)?;
    run.check_entries()?;
    let first = op.lines.first().ok_or(Refusal::BadPostings { given: 0 })?.from;
    let id = hold_id(&run.item, run.entries.len() as u32);
    let mut draft = draft(state, run, first, None)?;
    draft.act = Act::Hold { hold: id, expires_at: op.expires_at };
    (draft.narrative, draft.reference) = (op.narrative, op.reference);
    let part = |line: &tenor_wire::op::HoldLineOp| {
        let minor = i128::try_from(line.amount).unwrap_or(i128::MAX);
        let own = Line { account: line.from, side: Side::Debit, minor, currency: None };
        HoldPart { from: line.from, to: line.to, line: own }
    };
    let parts: Vec<HoldPart> = op.lines.iter().map(part).collect();
    let days_max = run.block.parameters.limits.hold_days_max;
    let plan = ledger::plan_hold(state, &mut draft, &parts, days_max, &run.signed)?;
    run.book_plan(state, plan)?;
    Ok(codec::encode(&id))
}

/// Pays out of a hold that a party placed. By the owners of the accounts that receive.
pub(super) fn capture(state: &mut Overlay<'_>, run: &mut Run<'_>, op: &CaptureOp) -> Ran {
    run.check_entries()?;
    let mut draft = draft(state, run, first_account(state, &op.hold)?, None)?;
    let asked = Capture { hold: op.hold, parts: &op.parts, last: op.last };
    let plan = ledger::plan_capture(state, &mut draft, &asked, &run.signed)?;
    Ok(codec::encode(&run.book_plan(state, plan)?))
}

/// Gives back what is left of a hold that a party placed. By the owners of the accounts that would receive.
pub(super) fn release(state: &mut Overlay<'_>, run: &mut Run<'_>, hold: &HoldId) -> Ran {
    run.check_entries()?;
    let mut draft = draft(state, run, first_account(state, hold)?, None)?;
    let plan = ledger::plan_release(state, &mut draft, *hold, &run.signed)?;
    Ok(codec::encode(&run.book_plan(state, plan)?))
}

/// Ends a hold whose time is over.
pub(super) fn expire(state: &mut Overlay<'_>, run: &mut Run<'_>, item: &ExpiryItem) -> Ran {
    run.charge(run.block.parameters.limits.expiry_gas)?;
    let mut draft = draft(state, run, first_account(state, &item.hold)?, None)?;
    let plan = ledger::expire(state, &mut draft, item.hold)?;
    Ok(codec::encode(&run.book_plan(state, plan)?))
}

/// An account that pays out of a hold.
fn first_account(state: &Overlay<'_>, hold: &HoldId) -> Result<AccountId, Trouble> {
    let from = Kind::HoldOf.full_key(&hold.0);
    let end = [from.as_slice(), &[0xff; 33]].concat();
    let row = state.next_row(&from, &end)?.map(|(row, _)| row);
    let account = row.and_then(|row| Some(AccountId(*row.get(33..)?.first_chunk()?)));
    account.ok_or_else(|| Refusal::UnknownHold { hold: *hold }.into())
}
