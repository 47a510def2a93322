//! The due queue: per bank, in order of due time, agreement, kind, number, attempt.

use crate::fault::Fault;
use crate::state::{Kind, Overlay, Place};
use std::collections::VecDeque;
use tenor_abi::date::Timestamp;
use tenor_abi::id::{AgreementId, PartyId};
use tenor_wire::block::DueItem;
use tenor_wire::hexadecimal::hex;

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
    /// Where the cell of the head's row lies, if it was read ahead.
    place: Option<Place>,
    head: Option<Head>,
    /// Whether the head was returned by [`Queues::read_ahead`].
    is_read: bool,
    /// What stands behind the head, as far as it was read ahead.
    ahead: VecDeque<Next>,
}

/// An occurrence that was read ahead, its row, and where the row's cell lies.
#[derive(Debug)]
struct Next {
    head: Head,
    row: Vec<u8>,
    place: Place,
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
            let (bank, head, ahead) = (head.bank, Some(head), VecDeque::new());
            queues.push(Queue { bank, from: row, place: None, head, is_read: false, ahead });
        }
        Ok(Queues(queues))
    }

    /// The instant at which the first occurrence is due, if there is one.
    pub fn next_wake(&self) -> Option<Timestamp> {
        self.0.iter().filter_map(|queue| queue.head).map(|head| head.due).min()
    }

    /// The heads that are due at a time, in order of bank.
    pub fn due(&self, time: Timestamp) -> Vec<Head> {
        let heads = self.0.iter().filter_map(|queue| queue.head);
        heads.filter(|head| head.due <= time).collect()
    }

    /// Reads what is due up to a time, at most so many of each bank, and returns what was read now, heads included, as
    /// banks take turns; a head that no longer waits makes room for the next. Nothing comes to stand among what was read: what an occurrence starts
    /// is due `ahead_ms` after itself at the earliest.
    ///
    /// # Errors
    /// As [`heads`].
    pub fn read_ahead(
        &mut self,
        state: &Overlay<'_>,
        time: Timestamp,
        ahead_ms: u64,
        count_max: usize,
    ) -> Result<Vec<DueItem>, Fault> {
        let mut read: Vec<Vec<DueItem>> = vec![];
        for queue in &mut self.0 {
            // An occurrence of another queue may have taken out what stood here.
            while queue.head.is_some() && state.is_deleted(&queue.from, queue.place) {
                queue.go_on(state)?;
            }
            // Behind a head that has the only room there is nobody looks.
            let is_enough = queue.is_read && count_max == 1;
            let Some(head) =
                queue.head.filter(|head| queue.ahead.is_empty() && !is_enough && head.due <= time)
            else {
                continue;
            };
            let mut rows = state.next_rows(&queue.from, &end_of(&queue.bank), count_max)?.into_iter();
            queue.place = rows.next().map(|(_, place)| place);
            for (row, place) in rows {
                let next = parse(&row)?;
                if next.due > time || next.due.0 >= head.due.0 + ahead_ms {
                    break;
                }
                queue.ahead.push_back(Next { head: next, row, place });
            }
            queue.is_read = true;
            let behind = queue.ahead.iter().map(|next| next.head.item);
            read.push([head.item].into_iter().chain(behind).collect());
        }
        let turns = read.iter().map(Vec::len).max().unwrap_or(0);
        let turn = |place: usize| read.iter().filter_map(move |items| items.get(place).copied());
        Ok((0..turns).flat_map(turn).collect())
    }

    /// Looks for the head of a bank's queue again, after its occurrence ran.
    ///
    /// # Errors
    /// As [`heads`].
    pub fn go_on(&mut self, state: &Overlay<'_>, bank: &PartyId) -> Result<(), Fault> {
        self.0.iter_mut().filter(|queue| queue.bank == *bank).try_for_each(|queue| queue.go_on(state))
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
    /// The next one that was read ahead and still waits, or whatever waits then.
    fn go_on(&mut self, state: &Overlay<'_>) -> Result<(), Fault> {
        while let Some(Next { head, row, place }) = self.ahead.pop_front() {
            let place_of = |ahead: usize| self.ahead.get(ahead).map(|next| next.place);
            state.prefetch_rows(place_of(0), place_of(1));
            if !state.is_deleted(&row, Some(place)) {
                (self.head, self.from, self.place) = (Some(head), row, Some(place));
                return Ok(());
            }
        }
        self.look(state)
    }

    fn look(&mut self, state: &Overlay<'_>) -> Result<(), Fault> {
        self.ahead.clear();
        let row = state.next_row(&self.from, &end_of(&self.bank))?.map(|(row, _)| row);
        (self.head, self.place, self.is_read) = (row.as_deref().map(parse).transpose()?, None, false);
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
    Ok(Queues::of(state)?.next_wake())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Nothing;
    use crate::state::record::{DueRow, key};

    const BANK: PartyId = PartyId([3; 32]);

    fn row(agreement: u8, due: u64) -> Vec<u8> {
        key::due(&BANK, Timestamp(due), &item(agreement))
    }

    fn item(agreement: u8) -> DueItem {
        DueItem { agreement: AgreementId([agreement; 32]), kind: 0, number: 0, attempt: 0 }
    }

    #[test]
    fn what_is_read_ahead_is_run_unless_it_was_taken_out() {
        let mut state = Overlay::new(&Nothing);
        for (agreement, due) in [(1, 1_000), (2, 1_000), (3, 1_999), (4, 2_000), (5, 9_000)] {
            state.put(&row(agreement, due), &DueRow {});
        }
        let mut queues = Queues::of(&state).unwrap();
        let read = |queues: &mut Queues, state: &Overlay<'_>| {
            let read = queues.read_ahead(state, Timestamp(5_000), 1_000, 9).unwrap();
            read.into_iter().map(|item| item.agreement.0[0]).collect::<Vec<_>>()
        };
        let head =
            |queues: &Queues| queues.due(Timestamp(5_000)).first().map(|head| head.item.agreement.0[0]);
        assert_eq!(
            read(&mut queues, &state),
            [1, 2, 3],
            "what is due a second later may have company by then"
        );
        assert_eq!(read(&mut queues, &state), [0u8; 0], "nothing is read twice");
        // The first one runs, and takes out the second.
        state.delete(Kind::Due, &row(1, 1_000));
        state.delete(Kind::Due, &row(2, 1_000));
        queues.go_on(&state, &BANK).unwrap();
        assert_eq!(head(&queues), Some(3));
        state.delete(Kind::Due, &row(3, 1_999));
        queues.go_on(&state, &BANK).unwrap();
        assert_eq!((head(&queues), read(&mut queues, &state)), (Some(4), vec![4]));
        // An occurrence of another bank takes out the head.
        state.delete(Kind::Due, &row(4, 2_000));
        assert_eq!((read(&mut queues, &state), head(&queues)), (vec![], None));
    }
}
