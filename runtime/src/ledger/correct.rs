//! Corrections: postings of an entry are taken back, never more than its exact reverse.

use super::authority::Signed;
use super::plan::{self, Draft, Line, Lines, Plan};
use crate::fault::{Fault, Stop};
use crate::state::Overlay;
use crate::state::record::{AccountRecord, CorrectionRecord, HistoryRecord, key};
use std::collections::BTreeMap;
use tenor_abi::entry::EntryId;
use tenor_abi::refusal::Refusal;
use tenor_wire::op::CorrectLineOp;
use tenor_wire::receipt::Act;

/// What is taken back of an entry.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Correction<'c> {
    /// The entry.
    pub entry: EntryId,
    /// Its postings, by their places in the histories of their accounts.
    pub lines: &'c [CorrectLineOp],
}

/// Judges a correction; `draft` has its lines filled in here.
///
/// # Errors
/// Refused when a posting is not one of the entry, when all corrections of it together would exceed it, and as any
/// entry is; exposure limits do not bind it.
pub fn correction<'d>(
    state: &Overlay<'_>,
    draft: &'d mut Draft,
    asked: Correction<'_>,
    signed: &Signed,
) -> Result<Plan<'d>, Stop> {
    let mut taken: BTreeMap<Vec<u8>, CorrectionRecord> = BTreeMap::new();
    draft.act = Act::Correct(asked.entry);
    draft.lines = Lines::with_capacity(asked.lines.len());
    for line in asked.lines {
        let CorrectLineOp { account, sequence, amount } = *line;
        let unknown = Refusal::UnknownPosting { account, sequence };
        let record: Option<AccountRecord> = state.get(&account.0)?;
        let count = record.ok_or(Refusal::UnknownAccount { account })?.history_count;
        if sequence >= count {
            return Err(unknown.into());
        }
        let row = key::history(&account, sequence);
        let missing = || Fault::State(format!("posting {sequence} of {account} is missing"));
        let posting: HistoryRecord = state.get(&row)?.ok_or_else(missing)?;
        if posting.entry != asked.entry {
            return Err(unknown.into());
        }
        let before = match taken.get(&row) {
            Some(before) => before.taken_back,
            None => state.get::<CorrectionRecord>(&row)?.map_or(0, |before| before.taken_back),
        };
        let left = posting.amount.saturating_sub(before);
        if amount > left {
            return Err(Refusal::AboveReverse { account, sequence, left, asked: amount }.into());
        }
        taken.insert(row, CorrectionRecord { taken_back: before + amount });
        draft.lines.push(Line { account, side: posting.side.other(), minor: amount as i128, currency: None });
    }
    let mut plan = plan::plan(state, draft, signed)?;
    plan.beside_mut().corrections = taken.into_iter().collect();
    Ok(plan)
}
