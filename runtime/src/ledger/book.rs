//! Booking a plan: counters, history, grants, exposure. The one place where a balance changes.

use super::authority::Signed;
use super::hold;
use super::plan::Plan;
use crate::fault::Fault;
use crate::state::Overlay;
use crate::state::record::{AccountRecord, HistoryRecord, key};
use std::collections::BTreeMap;
use tenor_abi::entry::Side;
use tenor_abi::id::{AccountId, AssetId};
use tenor_wire::receipt::{Act, BookedPosting, Entry};

/// The counters of an account from line to line.
struct Running {
    asset: AssetId,
    debits_posted: u128,
    credits_posted: u128,
    history_count: u64,
}

impl Running {
    fn of(record: &AccountRecord) -> Running {
        let AccountRecord { asset, debits_posted, credits_posted, history_count, .. } = *record;
        Running { asset, debits_posted, credits_posted, history_count }
    }
}

/// Books a plan at a block height and returns the entry.
///
/// # Errors
/// [`Fault`] when the store fails, or when state is not what it was when the plan was made.
pub fn commit(
    state: &mut Overlay<'_>,
    mut plan: Plan,
    signed: &mut Signed,
    height: u64,
) -> Result<Entry, Fault> {
    signed.count(&plan);
    let mut running: BTreeMap<AccountId, Running> = BTreeMap::new();
    for (account, effect) in &plan.effects {
        if !state.read(&account.0, |now: Option<&AccountRecord>| now == Some(&effect.before))? {
            return Err(Fault::Books(format!("{account} changed between plan and booking")));
        }
        running.insert(*account, Running::of(&effect.before));
    }
    // What is set aside or freed moves no balance: the entry says so, and the counters follow the plan below.
    let books = plan.draft.act.books();
    let mut postings = Vec::with_capacity(plan.draft.lines.len() + plan.linked.len());
    for line in plan.draft.lines.iter().chain(&plan.linked) {
        let (account, amount) = (line.account, line.minor.unsigned_abs());
        let Some(record) = running.get_mut(&account) else {
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
        state.set(&key::history(&account, record.history_count), posting);
        record.history_count += 1;
    }
    for ((account, effect), booked) in
        std::mem::take(&mut plan.effects).into_iter().zip(running.into_values())
    {
        let mut record = effect.after;
        if (booked.debits_posted, booked.credits_posted) != (record.debits_posted, record.credits_posted) {
            return Err(Fault::Books(format!("{account} was booked otherwise than planned")));
        }
        record.history_count = booked.history_count;
        state.set(&account.0, record);
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
