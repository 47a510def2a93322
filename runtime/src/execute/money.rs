//! Operations that move money by the word of its owners: transfers, batches, entries, corrections.

use super::run::{Run, Trouble, party as party_of};
use crate::fault::{Fault, Stop};
use crate::ledger::{self, Correction, DatedBy, Draft, Line, Lines, bank_of};
use crate::state::Overlay;
use crate::state::record::{AccountRecord, AssetRecord, Holder};
use std::collections::BTreeSet;
use tenor_abi::codec;
use tenor_abi::date::Date;
use tenor_abi::entry::Side;
use tenor_abi::id::{AccountId, AssetId};
use tenor_abi::refusal::Refusal;
use tenor_abi::tag;
use tenor_wire::op::{AccountKind, BatchOp, CorrectOp, EntryOp, TransferOp};
use tenor_wire::receipt::{Act, BatchOutcome, EntrySource, Fate, SubReceipt, list_root};

type Ran = Result<Vec<u8>, Trouble>;

/// Moves money from an account whose owner signs, or back to the issuer where the asset's terms allow clawback.
/// Value-dated by the asset issuer's bank.
pub(super) fn transfer(state: &mut Overlay<'_>, run: &mut Run<'_>, op: &TransferOp) -> Ran {
    run.check_entries()?;
    Ok(codec::encode(&move_money(state, run, op)?))
}

/// Many transfers, each on a savepoint of its own. By whoever may make each of them.
pub(super) fn batch(state: &mut Overlay<'_>, run: &mut Run<'_>, op: &BatchOp) -> Ran {
    let (limit, given) = (run.block.parameters.limits.batch_transfers_max, op.transfers.len());
    if given == 0 || given > limit as usize {
        return Err(Refusal::BadBatch { given: given as u32, limit }.into());
    }
    charge(run, given * 2)?;
    let mut transfers = Vec::with_capacity(given);
    for transfer in &op.transfers {
        let mark = state.mark();
        let outcome = match move_money(state, run, transfer) {
            Ok(entry) => SubReceipt { fate: Fate::Done, code: 0, data: vec![], entry: Some(entry) },
            Err(Stop::Refused(refusal)) => {
                state.roll_back(mark);
                let (code, data) = (refusal.code(), refusal.data());
                SubReceipt { fate: Fate::Refused, code, data, entry: None }
            }
            Err(Stop::Fault(fault)) => return Err(fault.into()),
        };
        transfers.push(outcome);
    }
    Ok(codec::encode(&BatchOutcome { root: list_root(tag::BATCH, &transfers), transfers }))
}

/// An entry over accounts of those who sign, dated back under a role of every bank concerned.
pub(super) fn entry(state: &mut Overlay<'_>, run: &mut Run<'_>, op: &EntryOp) -> Ran {
    charge(run, op.lines.len())?;
    note_staff(state, run, op.lines.iter().map(|line| line.account))?;
    let minor = |amount| i128::try_from(amount).unwrap_or(i128::MAX);
    let lines = op.lines.iter().map(|line| Line {
        account: line.account,
        side: line.side,
        minor: minor(line.amount),
        currency: None,
    });
    let first = op.lines.first().ok_or(Refusal::BadPostings { given: 0 })?.account;
    let mut draft = draft(state, run, first, op.value_date)?;
    draft.lines = lines.collect();
    (draft.narrative, draft.reference) = (op.narrative, op.reference);
    Ok(codec::encode(&run.book(state, draft)?))
}

/// Takes back postings of an entry. By the owners of the accounts that are debited; where the asset's terms allow
/// clawback also by staff of the issuer.
pub(super) fn correct(state: &mut Overlay<'_>, run: &mut Run<'_>, op: &CorrectOp) -> Ran {
    charge(run, op.lines.len())?;
    run.check_entries()?;
    note_staff(state, run, op.lines.iter().map(|line| line.account))?;
    let first = op.lines.first().ok_or(Refusal::BadPostings { given: 0 })?.account;
    let mut draft = draft(state, run, first, op.value_date)?;
    draft.narrative = op.narrative;
    let asked = Correction { entry: op.entry, lines: &op.lines };
    let plan = ledger::correction(state, &mut draft, asked, &run.signed)?;
    Ok(codec::encode(&run.book_plan(state, plan)?))
}

/// Gas of postings beyond the two that every operation pays for.
fn charge(run: &mut Run<'_>, postings: usize) -> Result<(), Trouble> {
    run.charge(run.block.parameters.limits.posting_gas * postings.saturating_sub(2) as u64)
}

fn move_money(state: &mut Overlay<'_>, run: &mut Run<'_>, op: &TransferOp) -> Result<u32, Stop> {
    let minor = i128::try_from(op.amount).unwrap_or(i128::MAX);
    let from = account(state, &op.from)?;
    let to = account(state, &op.to)?;
    let own = matches!(from.owner, Holder::Party(owner) if run.has(&owner));
    if !own || to.kind == AccountKind::Issuance {
        note_staff(state, run, [op.from, op.to].into_iter())?;
    }
    let mut draft = draft(state, run, op.from, None)?;
    let line = |account, side| Line { account, side, minor, currency: None };
    draft.lines = Lines::from([line(op.from, Side::Debit), line(op.to, Side::Credit)]);
    (draft.narrative, draft.reference) = (op.narrative, op.reference);
    let plan = ledger::plan(state, &draft, &run.signed)?;
    run.book_plan(state, plan)
}

/// A draft without lines by a party, on the business date of the bank that issues the asset of an account.
pub(super) fn draft(
    state: &Overlay<'_>,
    run: &Run<'_>,
    first: AccountId,
    value_date: Option<Date>,
) -> Result<Draft, Stop> {
    let today = issuers_date(state, run, &account(state, &first)?.asset)?;
    let ahead_days = run.block.parameters.limits.value_date_ahead_days;
    let dated_by = match run.signed.staff.as_slice() {
        [] => DatedBy::Asker { ahead_days },
        banks => DatedBy::Staff { ahead_days, banks: banks.to_vec() },
    };
    Ok(Draft {
        id: run.next_entry(),
        source: EntrySource::Party,
        act: Act::Post,
        booked_at: run.time(),
        today,
        value_date: value_date.unwrap_or(today),
        dated_by,
        lines: Lines::new(),
        narrative: None,
        reference: None,
    })
}

fn issuers_date(state: &Overlay<'_>, run: &Run<'_>, asset: &AssetId) -> Result<Date, Stop> {
    let record: Option<AssetRecord> = state.get(&asset.0)?;
    let issuer = record.ok_or_else(|| Fault::State(format!("{asset} is missing")))?.issuer;
    let bank = party_of(state, &issuer)?.home;
    Ok(run.business_date(state, &bank)?)
}

fn account(state: &Overlay<'_>, account: &AccountId) -> Result<AccountRecord, Stop> {
    Ok(state.get(&account.0)?.ok_or(Refusal::UnknownAccount { account: *account })?)
}

/// Finds out whose staff signed among the banks of accounts and the issuers of their assets.
fn note_staff(
    state: &Overlay<'_>,
    run: &mut Run<'_>,
    accounts: impl Iterator<Item = AccountId>,
) -> Result<(), Stop> {
    let mut banks = BTreeSet::new();
    for id in accounts {
        let record = account(state, &id)?;
        banks.insert(bank_of(state, &record.owner)?);
        if let Some(asset) = state.get::<AssetRecord>(&record.asset.0)? {
            banks.insert(asset.issuer);
        }
    }
    banks.retain(|bank| !run.signed.staff.contains(bank));
    Ok(run.note_staff(state, banks)?)
}
