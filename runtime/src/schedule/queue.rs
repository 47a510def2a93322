//! The due queue: per bank, in order of due time, agreement, kind, number, attempt.

use crate::fault::Fault;
use crate::state::record::hex;
use crate::state::{Kind, Overlay};
use tenor_abi::date::Timestamp;
use tenor_abi::id::{AgreementId, PartyId};
use tenor_wire::block::DueItem;

/// The first occurrence of a bank's queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// The bank.
    pub bank: PartyId,
    /// When it is due.
    pub due: Timestamp,
    /// What is due.
    pub item: DueItem,
}

/// The head of each bank's queue, in order of bank.
///
/// # Errors
/// [`Fault`] of the store or of a row that cannot be read.
pub fn heads(state: &Overlay<'_>) -> Result<Vec<Head>, Fault> {
    let mut heads = Vec::new();
    let (mut from, end) = (vec![Kind::Due as u8], vec![Kind::Due as u8 + 1]);
    while let Some((row, _)) = state.next_row(&from, &end)? {
        let head = parse(&row)?;
        from = Kind::Due.full_key(&head.bank.0);
        from.extend([0xff; 64]);
        heads.push(head);
    }
    Ok(heads)
}

/// The instant at which the next occurrence is due, if there is one.
///
/// # Errors
/// As [`heads`].
pub fn next_wake(state: &Overlay<'_>) -> Result<Option<Timestamp>, Fault> {
    Ok(heads(state)?.iter().map(|head| head.due).min())
}

fn parse(row: &[u8]) -> Result<Head, Fault> {
    let read = || {
        let (bank, rest) = row.get(1..)?.split_first_chunk::<32>()?;
        let (due, rest) = rest.split_first_chunk::<8>()?;
        let (agreement, rest) = rest.split_first_chunk::<32>()?;
        let (kind, rest) = rest.split_first_chunk::<2>()?;
        let (number, rest) = rest.split_first_chunk::<4>()?;
        let [attempt] = rest else { return None };
        let item = DueItem {
            agreement: AgreementId(*agreement),
            kind: u16::from_be_bytes(*kind),
            number: u32::from_be_bytes(*number),
            attempt: *attempt,
        };
        Some(Head { bank: PartyId(*bank), due: Timestamp(u64::from_be_bytes(*due)), item })
    };
    read().ok_or_else(|| Fault::State(format!("due queue row {} cannot be read", hex(row))))
}
