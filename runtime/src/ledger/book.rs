//! Booking a plan: counters, history, grants, exposure. The one place where a balance changes.

use super::authority::Signed;
use super::hold;
use super::plan::Plan;
use crate::fault::Fault;
use crate::state::Overlay;
use crate::state::record::{AccountRecord, HistoryPeaksRecord, HistoryRecord, key, to_bytes};
use std::collections::BTreeMap;
use tenor_abi::entry::Side;
use tenor_abi::id::AccountId;
use tenor_abi::tag;
use tenor_wire::receipt::{Act, BookedPosting, Entry};

/// Books a plan at a block height and returns the entry.
///
/// # Errors
/// [`Fault`] when the store fails, or when state is not what it was when the plan was made.
pub fn commit(state: &mut Overlay<'_>, plan: Plan, signed: &mut Signed, height: u64) -> Result<Entry, Fault> {
    signed.count(&plan);
    let mut running: BTreeMap<AccountId, (AccountRecord, HistoryPeaksRecord)> = BTreeMap::new();
    for (account, effect) in &plan.effects {
        let now: Option<AccountRecord> = state.get(&account.0)?;
        if now.as_ref() != Some(&effect.before) {
            return Err(Fault::Books(format!("{account} changed between plan and booking")));
        }
        let peaks: HistoryPeaksRecord = state.get(&account.0)?.unwrap_or_else(HistoryPeaksRecord::empty);
        if peaks.tree.root(tag::HISTORY) != effect.before.history_root {
            state.distrust();
            return Err(Fault::State(format!(
                "the history of {account} is not what its leaf says; the next start makes the state again"
            )));
        }
        running.insert(*account, (effect.before.clone(), peaks));
    }
    // What is set aside or freed moves no balance: the entry says so, and the counters follow the plan below.
    let books = plan.draft.act.books();
    let mut postings = Vec::with_capacity(plan.draft.lines.len() + plan.linked.len());
    for line in plan.draft.lines.iter().chain(&plan.linked) {
        let (account, amount) = (line.account, line.minor.unsigned_abs());
        let Some((record, peaks)) = running.get_mut(&account) else {
            return Err(Fault::Books(format!("{account} is not in the plan")));
        };
        postings.push(BookedPosting { account, asset: record.asset, side: line.side, amount });
        if !books {
            continue;
        }
        match line.side {
            Side::Debit => record.debits_posted += amount,
            Side::Credit => record.credits_posted += amount,
        }
        let posting = HistoryRecord {
            entry: plan.draft.id,
            height,
            booked_at: plan.draft.booked_at,
            value_date: plan.draft.value_date,
            side: line.side,
            amount,
            debits_posted: record.debits_posted,
            credits_posted: record.credits_posted,
        };
        state.put(&key::history(&account, record.history_count), &posting);
        record.history_count += 1;
        peaks.tree.push(tag::HISTORY, &to_bytes(&posting));
    }
    for (account, (mut record, peaks)) in running {
        let planned = &plan.effects[&account].after;
        if (record.debits_posted, record.credits_posted) != (planned.debits_posted, planned.credits_posted) {
            return Err(Fault::Books(format!("{account} was booked otherwise than planned")));
        }
        record.debits_pending = planned.debits_pending;
        record.credits_pending = planned.credits_pending;
        record.history_root = peaks.tree.root(tag::HISTORY);
        state.put(&account.0, &record);
        state.put(&account.0, &peaks);
    }
    for (row, grant) in &plan.grants {
        state.put(row, grant);
    }
    for (row, exposure) in &plan.exposures {
        state.put(row, exposure);
    }
    for (row, hold) in &plan.holds {
        state.put(row, hold);
    }
    for (row, correction) in &plan.corrections {
        state.put(row, correction);
    }
    match plan.draft.act {
        Act::Hold { hold, expires_at } => hold::index(state, &hold, &plan, expires_at),
        Act::Expire { hold } => hold::forget(state, &hold, &plan),
        _ => {}
    }
    let linked = postings.split_off(plan.draft.lines.len());
    let draft = plan.draft;
    Ok(Entry {
        id: draft.id,
        source: draft.source,
        booked_at: draft.booked_at,
        value_date: draft.value_date,
        postings,
        narrative: draft.narrative,
        reference: draft.reference,
        act: draft.act,
        linked,
    })
}
