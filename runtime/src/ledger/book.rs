//! Booking a plan: counters, history, grants, exposure. The one place where a balance changes.

use super::authority::Signed;
use super::effect::Effect;
use super::hold;
use super::plan::{Beside, Line, Plan};
use crate::fault::Fault;
use crate::state::Overlay;
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
    signed.count(&plan.effects);
    plan.effects.open(state)?;
    let (Plan { draft, value_date, effects, .. }, beside) = (&plan, plan.beside());
    let Beside { linked, grants, exposures, holds, corrections } = beside;
    // What is set aside or freed moves no balance: the entry says so, and the counters follow the plan below.
    let books = draft.act.books();
    state.begin_entry((draft.id, height, draft.booked_at, *value_date));
    let mut postings = Vec::with_capacity(draft.lines.len());
    for (number, line) in draft.lines.iter().enumerate() {
        postings.push(book(state, effects.at_line(number, &line.account), line, books)?);
    }
    let mut mirrored = Vec::with_capacity(linked.len());
    for line in linked {
        mirrored.push(book(state, effects.get(&line.account), line, books)?);
    }
    for (account, effect) in effects.iter() {
        if !state.set_pending(effect.seen, &effect.after) {
            return Err(Fault::Books(format!("{account} was booked otherwise than planned")));
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
    Ok(Entry {
        id: draft.id,
        source: draft.source,
        booked_at: draft.booked_at,
        value_date: *value_date,
        postings,
        narrative: draft.narrative,
        reference: draft.reference,
        act: draft.act,
        linked: mirrored,
    })
}

/// Books a line, unless it only is set aside or freed.
#[inline(always)]
fn book(
    state: &mut Overlay<'_>,
    effect: Option<&Effect>,
    line: &Line,
    books: bool,
) -> Result<BookedPosting, Fault> {
    let Line { account, side, .. } = *line;
    let amount = line.minor.unsigned_abs();
    let effect = effect.ok_or_else(|| Fault::Books(format!("{account} is not in the plan")))?;
    if books {
        state.post(effect.seen, side, amount);
    }
    Ok(BookedPosting { account, asset: effect.asset, side, amount })
}
