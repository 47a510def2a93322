//! Postings that a block adds: stored bytes one behind the other, in the order in which they were booked.
//!
//! Booking only appends. Which postings are an account's is found out when somebody asks: at the block's end, or
//! when a history is read before.

use super::namespace::Kind;
use super::record::{Counters, HistoryRecord, PostingHead};
use std::hint::black_box;
use tenor_abi::entry::Side;
use tenor_abi::id::AccountId;

/// Bytes of a run.
const RUN_BYTES: usize = 256 * 1024;
/// Bytes of a posting's key, and those of its row in front of the value.
const KEY_BYTES: usize = 41;
const VALUE_START: usize = 1 + KEY_BYTES + 2;
/// Longest bytes of a posting: the lengths of key and value take a byte each.
const VALUE_BYTES_MAX: usize = 0x7f;
const ROW_BYTES_MAX: usize = VALUE_START + VALUE_BYTES_MAX;

/// Rows that are asked for together, and bytes that come together from memory.
const NEAR: usize = 16;
const LINE_BYTES: usize = 64;

/// One of them.
#[derive(Clone, Copy)]
struct Posting {
    /// Place of its account's cell.
    cell: u32,
    /// Its place in the account's history.
    sequence: u64,
    /// In which run its row lies, and where in it.
    run: u32,
    start: u32,
    /// Bytes of the posting itself.
    length: u8,
}

/// What a block adds to histories.
pub(super) struct Postings {
    /// Their rows, as they will stand in the write set, in runs that never move.
    runs: Vec<Vec<u8>>,
    /// The row in the making: the length of its key, the key, that there is a value, its length, and the value, which
    /// begins with what the postings of an entry have in common.
    row: [u8; ROW_BYTES_MAX],
    /// Where what they have in common ends.
    head_end: usize,
    list: Vec<Posting>,
    /// The first `filed` postings by the cell of their account.
    by_cell: Vec<Vec<Posting>>,
    filed: usize,
}

impl Default for Postings {
    fn default() -> Postings {
        let mut row = [0; ROW_BYTES_MAX];
        (row[0], row[1], row[VALUE_START - 2]) = (KEY_BYTES as u8, Kind::History as u8, 1);
        let (runs, list, by_cell) = (vec![], vec![], vec![]);
        Postings { runs, row, head_end: VALUE_START, list, by_cell, filed: 0 }
    }
}

impl Postings {
    /// The postings that follow are an entry's.
    pub fn begin(&mut self, head: &PostingHead) {
        self.head_end = HistoryRecord::write_head(&mut self.row, VALUE_START, head);
    }

    /// Adds the posting of a sequence to an account, which lies in a cell: so much on a side, after which the account
    /// counts so much.
    pub fn push(
        &mut self,
        cell: u32,
        account: &AccountId,
        sequence: u64,
        posted: (Side, u128),
        after: &Counters,
    ) {
        let Postings { runs, row, head_end, list, .. } = self;
        row[2..34].copy_from_slice(&account.0);
        row[34..42].copy_from_slice(&sequence.to_be_bytes());
        let end = HistoryRecord::write_tail(row, *head_end, posted, after);
        let length = (end - VALUE_START) as u8;
        row[VALUE_START - 1] = length;
        if runs.last().is_none_or(|run| run.len() + end > run.capacity()) {
            runs.push(Vec::with_capacity(RUN_BYTES));
        }
        let number = runs.len() - 1;
        let run = &mut runs[number];
        let start = run.len() as u32;
        run.extend_from_slice(&row[..end]);
        list.push(Posting { cell, sequence, run: number as u32, start, length });
    }

    /// Takes the last one back.
    pub fn pop(&mut self) {
        let Some(last) = self.list.pop() else { return };
        self.runs.truncate(last.run as usize + 1);
        self.runs[last.run as usize].truncate(last.start as usize);
        if self.filed > self.list.len() {
            self.filed = self.list.len();
            self.by_cell[last.cell as usize].pop();
        }
    }

    /// Files what was added since; `first` is told of a cell that got its first one.
    ///
    /// # Panics
    /// When postings between an account's are missing: what follows from its count comes in its order.
    pub fn file(&mut self, mut first: impl FnMut(usize)) {
        let Postings { list, by_cell, filed, .. } = self;
        for posting in &list[*filed..] {
            let cell = posting.cell as usize;
            if by_cell.len() <= cell {
                by_cell.resize_with(cell + 1, Vec::new);
            }
            let of_account = &mut by_cell[cell];
            match of_account.last() {
                None => first(cell),
                Some(before) => {
                    assert_eq!(posting.sequence, before.sequence + 1, "postings are added one by one");
                }
            }
            of_account.push(*posting);
        }
        *filed = list.len();
    }

    /// The filed posting of a sequence of the account in a cell.
    pub fn get(&self, cell: usize, sequence: u64) -> Option<&[u8]> {
        let of_account = self.by_cell.get(cell)?;
        let place = sequence.checked_sub(of_account.first()?.sequence)?;
        of_account.get(usize::try_from(place).ok()?).map(|posting| self.bytes(posting))
    }

    /// Sequence and bytes of each filed posting of the account in a cell, in order.
    pub fn of(&self, cell: usize) -> impl ExactSizeIterator<Item = (u64, &[u8])> {
        self.filed_of(cell).iter().map(|posting| (posting.sequence, self.bytes(posting)))
    }

    /// Shows the row of each filed posting of the account in a cell, in order.
    pub fn rows_of(&self, cell: usize, mut show: impl FnMut(&[u8])) {
        for few in self.filed_of(cell).chunks(NEAR) {
            // They lie far apart: all of them are asked for before the first is waited for.
            for row in few.iter().map(|posting| self.row(posting)) {
                black_box((row.first().copied(), row.get(LINE_BYTES).copied(), row.last().copied()));
            }
            few.iter().for_each(|posting| show(self.row(posting)));
        }
    }

    /// So many bytes are the rows of all of them.
    pub fn bytes_of_rows(&self) -> usize {
        self.runs.iter().map(Vec::len).sum()
    }

    fn filed_of(&self, cell: usize) -> &[Posting] {
        self.by_cell.get(cell).map_or(&[], Vec::as_slice)
    }

    fn row(&self, posting: &Posting) -> &[u8] {
        let length = VALUE_START + usize::from(posting.length);
        &self.runs[posting.run as usize][posting.start as usize..][..length]
    }

    fn bytes(&self, posting: &Posting) -> &[u8] {
        &self.row(posting)[VALUE_START..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an account counts after a posting tells the postings apart here.
    fn push(postings: &mut Postings, cell: u32, sequence: u64, credits_posted: u8) {
        let after = Counters { credits_posted: credits_posted.into(), ..Counters::default() };
        postings.push(cell, &AccountId([1; 32]), sequence, (Side::Credit, 1), &after);
    }

    fn of(postings: &mut Postings, cell: usize) -> Vec<(u64, u8)> {
        postings.file(|_| ());
        postings.of(cell).map(|(sequence, bytes)| (sequence, *bytes.last().unwrap())).collect()
    }

    #[test]
    fn postings_are_kept_in_order_and_taken_back() {
        let mut postings = Postings::default();
        assert_eq!((of(&mut postings, 3), postings.get(3, 7)), (vec![], None));
        push(&mut postings, 3, 7, 1);
        push(&mut postings, 1, 0, 2);
        push(&mut postings, 3, 8, 3);
        let mut cells = vec![];
        postings.file(|cell| cells.push(cell));
        assert_eq!(cells, [3, 1]);
        assert_eq!(of(&mut postings, 3), [(7, 1), (8, 3)]);
        assert_eq!(of(&mut postings, 1), [(0, 2)]);
        let got = |sequence| postings.get(3, sequence).map(<[u8]>::to_vec);
        assert_eq!((got(6), got(8), got(9)), (None, Some(vec![1, 1, 0, 3]), None));
        postings.pop();
        push(&mut postings, 3, 8, 4);
        postings.pop();
        postings.pop();
        push(&mut postings, 3, 8, 5);
        assert_eq!(of(&mut postings, 3), [(7, 1), (8, 5)]);
        assert_eq!(of(&mut postings, 1), []);
    }

    #[test]
    #[should_panic(expected = "one by one")]
    fn a_gap_is_not_made() {
        let mut postings = Postings::default();
        push(&mut postings, 0, 0, 0);
        push(&mut postings, 0, 2, 0);
        postings.file(|_| ());
    }
}
