//! Postings that a block adds: stored bytes one behind the other, in the order in which they were booked.
//!
//! Booking only appends. Which postings are an account's is found out when somebody asks: at the block's end, or
//! when a history is read before.

use super::namespace::Kind;
use crate::store::append_short_row;
use std::hint::black_box;

/// Bytes of a run.
const RUN_BYTES: usize = 256 * 1024;
/// Longest bytes of a posting's row, more or less; a longer one makes its run grow.
const ROW_BYTES_MAX: usize = 192;

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
    /// Bytes of the row in front of the posting's own, and of those.
    front: u8,
    length: u8,
}

/// What a block adds to histories.
#[derive(Default)]
pub(super) struct Postings {
    /// Their rows, as they will stand in the write set, in runs that never move.
    runs: Vec<Vec<u8>>,
    /// The bytes with which the next ones begin.
    head: Vec<u8>,
    list: Vec<Posting>,
    /// The first `filed` postings by the cell of their account.
    by_cell: Vec<Vec<Posting>>,
    filed: usize,
}

impl Postings {
    /// The postings that follow begin with the same bytes, which are written here.
    pub fn begin(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.head.clear();
        write(&mut self.head);
    }

    /// Adds the posting of a sequence to an account, which lies in a cell; what comes behind its first bytes is
    /// written here.
    pub fn push(&mut self, cell: usize, account: &[u8; 32], sequence: u64, write: impl FnOnce(&mut Vec<u8>)) {
        let Postings { runs, head, list, .. } = self;
        if runs.last().is_none_or(|run| run.len() + ROW_BYTES_MAX > run.capacity()) {
            runs.push(Vec::with_capacity(RUN_BYTES));
        }
        let number = runs.len() - 1;
        let run = &mut runs[number];
        let start = run.len();
        let mut key = [Kind::History as u8; 41];
        key[1..33].copy_from_slice(account);
        key[33..].copy_from_slice(&sequence.to_be_bytes());
        let value = append_short_row(run, &key, |row| {
            row.extend_from_slice(head);
            write(row);
        });
        list.push(Posting {
            cell: cell as u32,
            sequence,
            run: number as u32,
            start: start as u32,
            front: (value - start) as u8,
            length: (run.len() - value) as u8,
        });
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
        let length = usize::from(posting.front) + usize::from(posting.length);
        &self.runs[posting.run as usize][posting.start as usize..][..length]
    }

    fn bytes(&self, posting: &Posting) -> &[u8] {
        &self.row(posting)[usize::from(posting.front)..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(postings: &mut Postings, cell: usize, sequence: u64, bytes: &[u8]) {
        postings.push(cell, &[1; 32], sequence, |to| to.extend_from_slice(bytes));
    }

    fn of(postings: &mut Postings, cell: usize) -> Vec<(u64, Vec<u8>)> {
        postings.file(|_| ());
        postings.of(cell).map(|(sequence, bytes)| (sequence, bytes.to_vec())).collect()
    }

    #[test]
    fn postings_are_kept_in_order_and_taken_back() {
        let mut postings = Postings::default();
        assert_eq!((of(&mut postings, 3), postings.get(3, 7)), (vec![], None));
        push(&mut postings, 3, 7, b"abc");
        push(&mut postings, 1, 0, b"");
        push(&mut postings, 3, 8, b"de");
        let mut cells = vec![];
        postings.file(|cell| cells.push(cell));
        assert_eq!(cells, [3, 1]);
        assert_eq!(of(&mut postings, 3), [(7, b"abc".to_vec()), (8, b"de".to_vec())]);
        assert_eq!(of(&mut postings, 1), [(0, vec![])]);
        assert_eq!(
            (postings.get(3, 6), postings.get(3, 8), postings.get(3, 9)),
            (None, Some(&b"de"[..]), None)
        );
        postings.pop();
        push(&mut postings, 3, 8, b"f");
        postings.pop();
        postings.pop();
        push(&mut postings, 3, 8, b"g");
        assert_eq!(of(&mut postings, 3), [(7, b"abc".to_vec()), (8, b"g".to_vec())]);
        assert_eq!(of(&mut postings, 1), []);
    }

    #[test]
    #[should_panic(expected = "one by one")]
    fn a_gap_is_not_made() {
        let mut postings = Postings::default();
        push(&mut postings, 0, 0, b"a");
        push(&mut postings, 0, 2, b"b");
        postings.file(|_| ());
    }
}
