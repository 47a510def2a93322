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
    Ok(Queues::of(state)?.0.into_iter().filter_map(|queue| queue.head).collect())
}

/// The queues while a block takes from them. Each is looked at from where its head stood: what stood before is
/// taken out, and nothing comes to stand there, because what an occurrence starts is due later than itself, and
/// what a transaction starts later than the block. So no row that the block took out is passed over twice.
#[derive(Debug)]
pub struct Queues(Vec<Queue>);

#[derive(Debug)]
struct Queue {
    bank: PartyId,
    /// Where to look for the head.
    from: Vec<u8>,
    head: Option<Head>,
}

impl Queues {
    /// The queues in which something waits, in order of bank.
    ///
    /// # Errors
    /// As [`heads`].
    pub fn of(state: &Overlay<'_>) -> Result<Queues, Fault> {
        let mut queues = vec![];
        let (mut from, end) = (vec![Kind::Due as u8], vec![Kind::Due as u8 + 1]);
        while let Some((row, _)) = state.next_row(&from, &end)? {
            let head = parse(&row)?;
            from = end_of(&head.bank);
            queues.push(Queue { bank: head.bank, from: row, head: Some(head) });
        }
        Ok(Queues(queues))
    }

    /// The heads that are due at a time, in order of bank.
    pub fn due(&self, time: Timestamp) -> Vec<Head> {
        let heads = self.0.iter().filter_map(|queue| queue.head);
        heads.filter(|head| head.due <= time).collect()
    }

    /// Looks for the head of a bank's queue again, after its occurrence ran.
    ///
    /// # Errors
    /// As [`heads`].
    pub fn go_on(&mut self, state: &Overlay<'_>, bank: &PartyId) -> Result<(), Fault> {
        self.0.iter_mut().filter(|queue| queue.bank == *bank).try_for_each(|queue| queue.look(state))
    }

    /// Looks behind the head of a bank's queue: it stays there, for the next block.
    ///
    /// # Errors
    /// As [`heads`].
    pub fn pass_over(&mut self, state: &Overlay<'_>, bank: &PartyId) -> Result<(), Fault> {
        self.0.iter_mut().filter(|queue| queue.bank == *bank).try_for_each(|queue| {
            queue.from.push(0);
            queue.look(state)
        })
    }

    /// Looks for all heads again, after transactions ran.
    ///
    /// # Errors
    /// As [`heads`].
    pub fn look_again(&mut self, state: &Overlay<'_>) -> Result<(), Fault> {
        self.0.iter_mut().try_for_each(|queue| queue.look(state))
    }
}

impl Queue {
    fn look(&mut self, state: &Overlay<'_>) -> Result<(), Fault> {
        let row = state.next_row(&self.from, &end_of(&self.bank))?.map(|(row, _)| row);
        self.head = row.as_deref().map(parse).transpose()?;
        self.from = row.unwrap_or_else(|| end_of(&self.bank));
        Ok(())
    }
}

/// What stands behind every row of a bank.
fn end_of(bank: &PartyId) -> Vec<u8> {
    let mut end = Kind::Due.full_key(&bank.0);
    end.extend([0xff; 64]);
    end
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
