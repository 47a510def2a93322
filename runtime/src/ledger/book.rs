//! Booking a plan: counters, history, grants, exposure. The one place where a balance changes.

use super::authority::Signed;
use super::hold;
use super::plan::{Beside, Draft, Plan};
use crate::fault::Fault;
use crate::state::{Booking, Overlay};
use std::iter;
use tenor_abi::entry::Side;
use tenor_wire::receipt::{Act, BookedPosting, BookedPostings, Entry};

/// Books a plan at a block height and adds its entry to others.
///
/// # Errors
/// [`Fault`] when the store fails, or when state is not what it was when the plan was made.
pub fn commit(
    state: &mut Overlay<'_>,
    mut plan: Plan<'_>,
    signed: &mut Signed,
    height: u64,
    entries: &mut Vec<Entry>,
) -> Result<(), Fault> {
    let draft = plan.draft;
    if state.moment() != plan.made_at {
        return Err(Fault::Books("state changed between plan and booking".into()));
    }
    signed.count(&plan.effects);
    let mut booking = state.book((draft.id, height, draft.booked_at, plan.value_date));
    plan.effects.open(&mut booking)?;
    let linked = plan.beside.as_mut().map_or(vec![], |beside| std::mem::take(&mut beside.linked));
    // It is made where it stays, and so are its postings: what was just written is waited for by who copies it.
    entries.extend(iter::once_with(|| Entry {
        id: draft.id,
        source: draft.source,
        booked_at: draft.booked_at,
        value_date: plan.value_date,
        postings: BookedPostings::new(),
        narrative: draft.narrative,
        reference: draft.reference,
        act: draft.act,
        linked,
    }));
    let Entry { postings, linked, .. } = entries.last_mut().expect("it was just added");
    postings.reserve(draft.lines.len());
    for (line, effect) in plan.lines() {
        // What is set aside or freed moves no balance: the entry says so, and the counters follow the plan below.
        if draft.act.books() {
            booking.post(effect.seen, line.side, line.amount());
        }
        postings.push(line.booked(booking.asset(effect.seen)));
    }
    if let Some(beside) = &plan.beside {
        book_accounts_beside(&mut booking, &plan, linked)?;
        put_beside(state, draft, beside);
    }
    Ok(())
}

/// Books what control accounts mirror, and what is set aside and freed: whose holds stand beside it.
fn book_accounts_beside(
    booking: &mut Booking<'_>,
    plan: &Plan<'_>,
    linked: &[BookedPosting],
) -> Result<(), Fault> {
    if plan.draft.act.books() {
        for posting in linked {
            let unplanned = || Fault::Books(format!("{} is not in the plan", posting.account));
            let place = plan.effects.place(&posting.account).ok_or_else(unplanned)?;
            booking.post(plan.effects.at(place).seen, posting.side, posting.amount);
        }
    }
    for effect in plan.effects.iter().filter(|effect| effect.pending != 0) {
        let pending = (effect.pending_on(Side::Debit), effect.pending_on(Side::Credit));
        booking.pend(effect.seen, pending)?;
    }
    Ok(())
}

fn put_beside(state: &mut Overlay<'_>, draft: &Draft, beside: &Beside) {
    let Beside { grants, exposures, holds, corrections, .. } = beside;
    grants.iter().for_each(|(row, grant)| state.put(row, grant));
    exposures.iter().for_each(|(row, exposure)| state.put(row, exposure));
    holds.iter().for_each(|(row, hold)| state.put(row, hold));
    corrections.iter().for_each(|(row, correction)| state.put(row, correction));
    match draft.act {
        Act::Hold { hold, expires_at } => hold::index(state, &hold, &draft.lines, expires_at),
        Act::Expire { hold } => hold::forget(state, &hold, holds),
        Act::Post | Act::Correct(_) | Act::Capture { .. } | Act::Release { .. } => {}
    }
}
