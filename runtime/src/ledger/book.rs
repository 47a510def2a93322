//! Booking a plan: counters, history, grants, exposure. The one place where a balance changes.

use super::authority::Signed;
use super::hold;
use super::plan::{Beside, Draft, Plan};
use crate::fault::Fault;
use crate::state::Overlay;
use tenor_abi::date::Date;
use tenor_abi::entry::Side;
use tenor_wire::receipt::{Act, BookedPosting, Entry};

/// Books a plan at a block height and returns the entry.
///
/// # Errors
/// [`Fault`] when the store fails, or when state is not what it was when the plan was made.
pub fn commit(
    state: &mut Overlay<'_>,
    mut plan: Plan<'_>,
    signed: &mut Signed,
    height: u64,
) -> Result<Entry, Fault> {
    let draft = plan.draft;
    if state.moment() != plan.made_at {
        return Err(Fault::Books("state changed between plan and booking".into()));
    }
    signed.count(&plan.effects);
    let mut booking = state.book((draft.id, height, draft.booked_at, plan.value_date));
    plan.effects.open(&mut booking)?;
    let (effects, beside) = (&plan.effects, plan.beside());
    let Beside { linked, grants, exposures, holds, corrections } = beside;
    // What is set aside or freed moves no balance: the entry says so, and the counters follow the plan below.
    if draft.act.books() {
        for (posting, effect) in plan.posted() {
            booking.post(effect.seen, posting.side, posting.amount);
        }
        for posting in linked {
            let unplanned = || Fault::Books(format!("{} is not in the plan", posting.account));
            let place = effects.place(&posting.account).ok_or_else(unplanned)?;
            booking.post(effects.at(place).seen, posting.side, posting.amount);
        }
    }
    for effect in effects.iter() {
        if effect.pending != 0 {
            let pending = (effect.pending_on(Side::Debit), effect.pending_on(Side::Credit));
            booking.pend(effect.seen, pending)?;
        }
    }
    grants.iter().for_each(|(row, grant)| state.put(row, grant));
    exposures.iter().for_each(|(row, exposure)| state.put(row, exposure));
    holds.iter().for_each(|(row, hold)| state.put(row, hold));
    corrections.iter().for_each(|(row, correction)| state.put(row, correction));
    match draft.act {
        Act::Hold { hold, expires_at } => hold::index(state, &hold, &draft.lines, expires_at),
        Act::Expire { hold } => hold::forget(state, &hold, holds),
        Act::Post | Act::Correct(_) | Act::Capture { .. } | Act::Release { .. } => {}
    }
    let Plan { value_date, postings, beside, .. } = plan;
    // Most have nothing beside: an empty list is written where the entry lies, and one that was moved would be waited for.
    match beside {
        None => Ok(entry(draft, value_date, postings, vec![])),
        Some(beside) => Ok(entry(draft, value_date, postings, beside.linked)),
    }
}

#[inline(always)]
fn entry(draft: &Draft, value_date: Date, postings: Vec<BookedPosting>, linked: Vec<BookedPosting>) -> Entry {
    Entry {
        id: draft.id,
        source: draft.source,
        booked_at: draft.booked_at,
        value_date,
        postings,
        narrative: draft.narrative,
        reference: draft.reference,
        act: draft.act,
        linked,
    }
}
