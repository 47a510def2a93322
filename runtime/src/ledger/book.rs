//! Booking a plan: counters, history, grants, exposure. The one place where a balance changes.

use super::authority::Signed;
use super::hold;
use super::plan::{Draft, Plan};
use crate::fault::Fault;
use crate::state::record::{AccountRecord, RECORD_VERSION};
use crate::state::{Overlay, Place};
use tenor_abi::codec;
use tenor_abi::entry::Side;
use tenor_abi::id::AssetId;
use tenor_wire::receipt::{Act, BookedPosting, Entry};

/// An account from line to line: its counters, and how many postings it has.
struct Running {
    place: Place,
    asset: AssetId,
    debits_posted: u128,
    credits_posted: u128,
    history_count: u64,
}

impl Running {
    fn of(place: Place, record: &AccountRecord) -> Running {
        let AccountRecord { asset, debits_posted, credits_posted, history_count, .. } = *record;
        Running { place, asset, debits_posted, credits_posted, history_count }
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
    let mut running = Vec::with_capacity(plan.effects.len());
    for (account, effect) in plan.effects.iter() {
        let place = state.still(effect.place, &account.0, &effect.before)?;
        let place =
            place.ok_or_else(|| Fault::Books(format!("{account} changed between plan and booking")))?;
        running.push(Running::of(place, &effect.before));
    }
    // What is set aside or freed moves no balance: the entry says so, and the counters follow the plan below.
    let books = plan.draft.act.books();
    let head = posting_head(&plan.draft, height);
    let mut tail = Vec::with_capacity(TAIL_BYTES);
    let mut postings = Vec::with_capacity(plan.draft.lines.len() + plan.linked.len());
    for (number, line) in plan.draft.lines.iter().chain(&plan.linked).enumerate() {
        let (account, amount) = (line.account, line.minor.unsigned_abs());
        let Some(record) = plan.effects.place_of_line(number, &account).map(|at| &mut running[at]) else {
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
        tail.clear();
        codec::append(&mut tail, &(line.side, amount, record.debits_posted, record.credits_posted));
        state.post(record.place, record.history_count, [&head, &tail]);
        record.history_count += 1;
    }
    for ((account, mut effect), booked) in std::mem::take(&mut plan.effects).into_iter().zip(running) {
        let record = effect.after_mut();
        if (booked.debits_posted, booked.credits_posted) != (record.debits_posted, record.credits_posted) {
            return Err(Fault::Books(format!("{account} was booked otherwise than planned")));
        }
        record.history_count = booked.history_count;
        state.set_at(booked.place, effect.after);
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

/// Room for the bytes of a posting behind [`posting_head`]: a side and three amounts.
const TAIL_BYTES: usize = 64;

/// The bytes with which every posting of an entry begins in a history: those of a
/// [`HistoryRecord`](crate::state::record::HistoryRecord) up to its side, made once for all of them.
fn posting_head(draft: &Draft, height: u64) -> Vec<u8> {
    codec::encode(&(RECORD_VERSION, draft.id, height, draft.booked_at, draft.value_date))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::DatedBy;
    use crate::state::record::{HistoryRecord, to_bytes};
    use tenor_abi::date::{Date, Timestamp};
    use tenor_abi::entry::EntryId;
    use tenor_abi::id::Hash;
    use tenor_wire::receipt::EntrySource;

    #[test]
    fn a_posting_is_stored_as_the_record_that_it_is() {
        let (booked_at, day) = (Timestamp(1 << 40), Date::of(2026, 2, 28));
        let draft = Draft {
            id: EntryId { item: Hash([7; 32]), index: 300 },
            source: EntrySource::Party,
            act: Act::Post,
            booked_at,
            today: day,
            value_date: day,
            dated_by: DatedBy::Chain,
            lines: vec![],
            narrative: None,
            reference: None,
        };
        let (side, amount, debits_posted, credits_posted) = (Side::Credit, 1u128 << 90, 5u128, 1u128 << 100);
        let (entry, height) = (draft.id, 1 << 33);
        let record = HistoryRecord {
            entry,
            height,
            booked_at,
            value_date: day,
            side,
            amount,
            debits_posted,
            credits_posted,
        };
        let tail = codec::encode(&(side, amount, debits_posted, credits_posted));
        assert_eq!([posting_head(&draft, height), tail].concat(), to_bytes(&record));
    }
}
