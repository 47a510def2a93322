//! Booking a plan: counters, history, grants, exposure. The one place where a balance changes.

use super::authority::Signed;
use super::hold;
use super::plan::Plan;
use crate::fault::Fault;
use crate::state::Overlay;
use tenor_wire::receipt::{Act, BookedPosting, Entry};

/// Books a plan at a block height and returns the entry.
///
/// # Errors
/// [`Fault`] when the store fails, or when state is not what it was when the plan was made.
pub fn commit(state: &mut Overlay<'_>, plan: Plan, signed: &mut Signed, height: u64) -> Result<Entry, Fault> {
    let Plan { draft, mut effects, linked, grants, exposures, holds, corrections } = plan;
    signed.count(&effects);
    effects.open(state)?;
    // What is set aside or freed moves no balance: the entry says so, and the counters follow the plan below.
    let books = draft.act.books();
    state.begin_entry((draft.id, height, draft.booked_at, draft.value_date));
    let mut postings = Vec::with_capacity(draft.lines.len());
    let mut mirrored = Vec::with_capacity(linked.len());
    for (number, line) in draft.lines.iter().chain(&linked).enumerate() {
        let (account, side, amount) = (line.account, line.side, line.minor.unsigned_abs());
        let Some(effect) = effects.at_line(number, &account) else {
            return Err(Fault::Books(format!("{account} is not in the plan")));
        };
        let of = if number < draft.lines.len() { &mut postings } else { &mut mirrored };
        of.push(BookedPosting { account, asset: effect.asset, side, amount });
        if books {
            state.post(effect.seen, side, amount);
        }
    }
    for (account, effect) in effects.iter() {
        if state.set_pending(effect.seen, effect.after.pending()) != effect.after {
            return Err(Fault::Books(format!("{account} was booked otherwise than planned")));
        }
    }
    grants.iter().for_each(|(row, grant)| state.put(row, grant));
    exposures.iter().for_each(|(row, exposure)| state.put(row, exposure));
    holds.iter().for_each(|(row, hold)| state.put(row, hold));
    corrections.iter().for_each(|(row, correction)| state.put(row, correction));
    match draft.act {
        Act::Hold { hold, expires_at } => hold::index(state, &hold, &draft.lines, expires_at),
        Act::Expire { hold } => hold::forget(state, &hold, &holds),
        Act::Post | Act::Correct(_) | Act::Capture { .. } | Act::Release { .. } => {}
    }
    Ok(Entry {
        id: draft.id,
        source: draft.source,
        booked_at: draft.booked_at,
        value_date: draft.value_date,
        postings,
        narrative: draft.narrative,
        reference: draft.reference,
        act: draft.act,
        linked: mirrored,
    })
}
