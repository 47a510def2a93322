//! External keys of entries: one agreement books one entry under a key, for as long as keys of that day count.

use crate::fault::{Fault, Stop};
use crate::state::Overlay;
use crate::state::record::{EntryKeyRecord, key};
use tenor_abi::codec;
use tenor_abi::date::{DAY_MS, Timestamp};
use tenor_abi::entry::{EntryId, EntryRequest};
use tenor_abi::id::AgreementId;
use tenor_abi::refusal::Refusal;
use tenor_abi::tag;
use tenor_wire::crypto::hash;

/// What stands under a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyedEntry {
    /// The entry; none where there was nothing to book.
    pub entry: Option<EntryId>,
}

/// The entry that an agreement booked under the key of a request, if it did.
///
/// # Errors
/// Refused when the key's day is too old or later than tomorrow, or the key stands for another request: the first
/// field that differs is named.
pub fn find_keyed(
    state: &Overlay<'_>,
    agreement: &AgreementId,
    request: &EntryRequest,
    now: Timestamp,
    days: u32,
) -> Result<Option<KeyedEntry>, Stop> {
    let Some(own) = request.key else { return Ok(None) };
    let today = (now.0 / DAY_MS) as u32;
    let (given, oldest, latest) = (own.day(), today.saturating_sub(days), today + 1);
    if given < oldest || given > latest {
        return Err(Refusal::EntryKeyDay { given, oldest, latest }.into());
    }
    let Some(kept) = state.get::<EntryKeyRecord>(&key::entry_key(agreement, &own))? else { return Ok(None) };
    let asked = record(request, kept.entry);
    let fields = [
        ("postings", kept.postings == asked.postings),
        ("purpose", kept.purpose == asked.purpose),
        ("value date", kept.value_date == asked.value_date),
        ("narrative", kept.narrative == asked.narrative),
        ("reference", kept.reference == asked.reference),
    ];
    match fields.into_iter().find(|(_, same)| !same) {
        None => Ok(Some(KeyedEntry { entry: kept.entry })),
        Some((field, _)) => match kept.entry {
            Some(entry) => Err(Refusal::EntryKeyTaken { entry, field: field.into() }.into()),
            None => {
                let rule =
                    format!("the external key stands for a request that booked nothing: {field} differ");
                Err(Refusal::BadValue { rule }.into())
            }
        },
    }
}

/// Remembers what was booked under the key of a request, if it has one.
///
/// # Errors
/// [`Fault`] of the store.
pub fn keep_keyed(
    state: &mut Overlay<'_>,
    agreement: &AgreementId,
    request: &EntryRequest,
    entry: Option<EntryId>,
) -> Result<(), Fault> {
    if let Some(own) = request.key {
        state.put(&key::entry_key(agreement, &own), &record(request, entry));
    }
    Ok(())
}

fn record(request: &EntryRequest, entry: Option<EntryId>) -> EntryKeyRecord {
    EntryKeyRecord {
        entry,
        postings: hash(tag::DATA, &[&codec::encode(&request.postings)]),
        purpose: request.purpose,
        value_date: request.value_date,
        narrative: request.narrative,
        reference: request.reference,
    }
}
