//! Booking a plan: counters, history, grants, exposure. The one place where a balance changes.

use super::authority::Signed;
use super::hold;
use super::plan::Plan;
use crate::fault::Fault;
use crate::state::Overlay;
use crate::state::record::HistoryRecord;
use tenor_wire::receipt::{Act, BookedPosting, Entry};

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
    let accounts = std::mem::take(&mut plan.effects).open(state)?;
    // What is set aside or freed moves no balance: the entry says so, and the counters follow the plan below.
    let books = plan.draft.act.books();
    let draft = &plan.draft;
    let head = HistoryRecord::head_of(draft.id, height, draft.booked_at, draft.value_date);
    let mut postings = Vec::with_capacity(draft.lines.len() + plan.linked.len());
    for (number, line) in draft.lines.iter().chain(&plan.linked).enumerate() {
        let (account, side, amount) = (line.account, line.side, line.minor.unsigned_abs());
        let Some(at) = accounts.at_line(number, &account) else {
            return Err(Fault::Books(format!("{account} is not in the plan")));
        };
        postings.push(BookedPosting { account, asset: at.asset, side, amount });
        if books {
            state.post(at.place, &head, side, amount);
        }
    }
    for (account, opened) in accounts.iter() {
        if state.set_pending(opened.place, opened.after.pending()) != opened.after {
            return Err(Fault::Books(format!("{account} was booked otherwise than planned")));
        }
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
