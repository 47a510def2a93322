//! Postings that a block adds, in the order in which they were booked.
//!
//! Booking only appends. Which postings are an account's is found out when somebody asks: at the block's end, or
//! when a history is read before. Then their stored bytes are written, too: what an entry's postings have in common
//! lies here once.

use super::namespace::Kind;
use super::record::{Counters, PostingHead};
use super::stored::{HEAD_BYTES_MAX, WHEN_BYTES_MAX, write_entry, write_tail, write_when};
use crate::prefetch::prefetch;
use tenor_abi::date::{Date, Timestamp};
use tenor_abi::entry::Side;
use tenor_abi::id::AccountId;

/// Bytes of a posting's key, and those of its row in front of the value: two lengths take a byte each.
const KEY_BYTES: usize = 41;
const VALUE_START: usize = 1 + KEY_BYTES + 2;
/// Longest stored bytes of a posting: their length takes a byte.
const POSTING_BYTES_MAX: usize = 0x7f;
/// Longest row.
const ROW_BYTES_MAX: usize = VALUE_START + POSTING_BYTES_MAX;
/// Postings that are asked for together.
const NEAR: usize = 16;

/// One of them. It comes from memory at once.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Posting {
    amount: u128,
    /// What its account counts after it.
    posted: (u128, u128),
    /// Its place in the account's history.
    sequence: u64,
    /// Place of its account's cell.
    cell: u32,
    /// Which head it has; twice that, and one more for a credit.
    head_and_side: u32,
}

impl Posting {
    fn head(&self) -> usize {
        (self.head_and_side >> 1) as usize
    }

    fn side(&self) -> Side {
        if self.head_and_side & 1 == 0 { Side::Debit } else { Side::Credit }
    }
}

/// The stored bytes with which the postings of an entry begin.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Head {
    bytes: [u8; HEAD_BYTES_MAX],
    length: u8,
}

/// The row of a posting.
pub(super) struct PostingRow {
    /// The length of its key, the key, that there is a value, its length, and the value.
    row: [u8; ROW_BYTES_MAX],
    end: usize,
}

impl PostingRow {
    fn of(account: &AccountId) -> PostingRow {
        let mut row = [0; ROW_BYTES_MAX];
        (row[0], row[1], row[VALUE_START - 2]) = (KEY_BYTES as u8, Kind::History as u8, 1);
        row[2..34].copy_from_slice(&account.0);
        PostingRow { row, end: VALUE_START }
    }

    /// The room in which it stands.
    pub fn room(&self) -> &[u8; ROW_BYTES_MAX] {
        &self.row
    }

    /// As it stands in a write set.
    pub fn row(&self) -> &[u8] {
        &self.row[..self.end]
    }

    /// The stored bytes of the posting.
    pub fn bytes(&self) -> &[u8] {
        &self.row[VALUE_START..self.end]
    }
}

/// Height, time and value date of an entry, as its postings hold them.
#[derive(Default)]
struct When {
    of: Option<(u64, Timestamp, Date)>,
    bytes: [u8; WHEN_BYTES_MAX],
    length: usize,
}

/// What a block adds to histories.
#[derive(Default)]
pub(super) struct Postings {
    heads: Run<Head>,
    /// Of the entry before: most of a block have the same.
    when: When,
    list: Run<Posting>,
    /// The first `filed` postings by the cell of their account.
    by_cell: Vec<Vec<u32>>,
    filed: usize,
}

impl Postings {
    /// The postings that follow are an entry's.
    #[inline(always)]
    pub fn begin(&mut self, head: &PostingHead) {
        let (entry, height, booked_at, value_date) = *head;
        let of = Some((height, booked_at, value_date));
        if self.when.of != of {
            self.when.length = write_when(&mut self.when.bytes, (height, booked_at, value_date));
            self.when.of = of;
        }
        let mut bytes = [0; HEAD_BYTES_MAX];
        let start = write_entry(&mut bytes, &entry);
        bytes[start..start + WHEN_BYTES_MAX].copy_from_slice(&self.when.bytes);
        let length = (start + self.when.length) as u8;
        // An entry that was taken back has left its own behind.
        let in_use = self.list.len().checked_sub(1).map_or(0, |last| self.list.at(last).head() + 1);
        self.heads.truncate(in_use);
        self.heads.push(Head { bytes, length });
    }

    /// Adds the posting of a sequence to an account, which lies in a cell: so much on a side, after which the account
    /// counts so much.
    #[inline(always)]
    pub fn push(&mut self, cell: u32, sequence: u64, (side, amount): (Side, u128), after: &Counters) {
        let head_and_side = 2 * (self.heads.len() as u32 - 1) + side as u32;
        self.list.push(Posting { amount, posted: after.posted(), sequence, cell, head_and_side });
    }

    /// Takes the last one back: its side and amount.
    pub fn pop(&mut self) -> Option<(Side, u128)> {
        let last = self.list.pop()?;
        if self.filed > self.list.len() {
            self.filed = self.list.len();
            self.by_cell[last.cell as usize].pop();
        }
        Some((last.side(), last.amount))
    }

    /// Files what was added since; `first` is told of a cell that got its first one.
    ///
    /// # Panics
    /// When postings between an account's are missing: what follows from its count comes in its order.
    pub fn file(&mut self, mut first: impl FnMut(usize)) {
        let Postings { list, by_cell, filed, .. } = self;
        for number in *filed..list.len() {
            let posting = list.at(number);
            let cell = posting.cell as usize;
            if by_cell.len() <= cell {
                by_cell.resize_with(cell + 1, Vec::new);
            }
            let of_account = &mut by_cell[cell];
            match of_account.last() {
                None => first(cell),
                Some(before) => {
                    let before = list.at(*before as usize).sequence;
                    assert_eq!(posting.sequence, before + 1, "postings are added one by one");
                }
            }
            of_account.push(number as u32);
        }
        *filed = list.len();
    }

    /// The stored bytes of the filed posting of a sequence of the account in a cell.
    pub fn get(&self, cell: usize, sequence: u64) -> Option<Vec<u8>> {
        let of_account = self.by_cell.get(cell)?;
        let place = sequence.checked_sub(self.list.at(*of_account.first()? as usize).sequence)?;
        let number = of_account.get(usize::try_from(place).ok()?)?;
        let mut row = PostingRow::of(&AccountId([0; 32]));
        self.write(self.list.at(*number as usize), &mut row);
        Some(row.bytes().to_vec())
    }

    /// How many postings of the account in a cell are filed.
    pub fn count_of(&self, cell: usize) -> usize {
        self.filed_of(cell).len()
    }

    /// The sequences of the filed postings of the account in a cell.
    pub fn sequences_of(&self, cell: usize) -> std::ops::Range<u64> {
        let of_account = self.filed_of(cell);
        let first = of_account.first().map_or(0, |first| self.list.at(*first as usize).sequence);
        first..first + of_account.len() as u64
    }

    /// Shows the row of each filed posting of accounts, which lie in cells, account by account and in order.
    pub fn show(&self, accounts: &[(usize, AccountId)], mut show: impl FnMut(&PostingRow)) {
        let mut postings = Vec::with_capacity(self.filed);
        let of = |cell| self.filed_of(cell).iter().map(|number| self.list.at(*number as usize));
        accounts.iter().for_each(|(cell, _)| postings.extend(of(*cell)));
        let mut next = 0;
        for (cell, account) in accounts {
            let mut row = PostingRow::of(account);
            for _ in 0..self.count_of(*cell) {
                self.prefetch(&postings, next);
                self.write(postings[next], &mut row);
                show(&row);
                next += 1;
            }
        }
    }

    /// Asks memory for postings that come soon, and for the heads of those that come before them: they lie far apart.
    fn prefetch(&self, postings: &[&Posting], next: usize) {
        if !next.is_multiple_of(NEAR) {
            return;
        }
        let from = |place: usize| postings[place.min(postings.len())..].iter().take(NEAR);
        if next == 0 {
            from(0).chain(from(NEAR)).for_each(|posting| prefetch(*posting));
        }
        from(next + 2 * NEAR).for_each(|posting| prefetch(*posting));
        from(next + NEAR).for_each(|posting| prefetch(self.heads.at(posting.head())));
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    fn filed_of(&self, cell: usize) -> &[u32] {
        self.by_cell.get(cell).map_or(&[], Vec::as_slice)
    }

    /// Writes a posting into a row of its account.
    fn write(&self, posting: &Posting, to: &mut PostingRow) {
        let PostingRow { row, end } = to;
        let Head { bytes, length } = self.heads.at(posting.head());
        row[VALUE_START - 10..VALUE_START - 2].copy_from_slice(&posting.sequence.to_be_bytes());
        row[VALUE_START..VALUE_START + HEAD_BYTES_MAX].copy_from_slice(bytes);
        let tail = VALUE_START + usize::from(*length);
        *end = write_tail(row, tail, (posting.side(), posting.amount), posting.posted);
        row[VALUE_START - 1] = (*end - VALUE_START) as u8;
    }
}

/// Values one behind the other in pieces that never move.
struct Run<T> {
    /// The last values of the last one may be none yet.
    pieces: Vec<Box<[T; PIECE]>>,
    length: usize,
}

/// Values of a piece.
const PIECE: usize = 256;

impl<T: Copy> Run<T> {
    fn len(&self) -> usize {
        self.length
    }

    #[inline(always)]
    fn push(&mut self, value: T) {
        match self.pieces.get_mut(self.length / PIECE) {
            Some(piece) => piece[self.length % PIECE] = value,
            None => self.begin_piece(value),
        }
        self.length += 1;
    }

    #[cold]
    fn begin_piece(&mut self, value: T) {
        let Ok(piece) = vec![value; PIECE].try_into() else { unreachable!("a piece has so many values") };
        self.pieces.push(piece);
    }

    fn pop(&mut self) -> Option<T> {
        self.length = self.length.checked_sub(1)?;
        Some(*self.at(self.length))
    }

    /// Keeps the first of them.
    fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }

    fn at(&self, place: usize) -> &T {
        &self.pieces[place / PIECE][place % PIECE]
    }
}

impl<T> Default for Run<T> {
    fn default() -> Run<T> {
        Run { pieces: vec![], length: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenor_abi::entry::EntryId;
    use tenor_abi::id::Hash;

    /// What an account counts after a posting tells the postings apart here.
    fn push(postings: &mut Postings, cell: u32, sequence: u64, credits_posted: u8) {
        let after = Counters { credits_posted: credits_posted.into(), ..Counters::default() };
        let entry = EntryId { item: Hash([9; 32]), index: 7 };
        postings.begin(&(entry, 1 << 20, Timestamp(1 << 40), Date::of(2026, 1, 2)));
        postings.push(cell, sequence, (Side::Credit, 1), &after);
    }

    fn of(postings: &mut Postings, cell: usize) -> Vec<(u64, u8)> {
        postings.file(|_| ());
        let mut shown = vec![];
        postings.show(&[(cell, AccountId([5; 32]))], |posting| {
            assert_eq!(posting.row()[..34], [&[41, Kind::History as u8], &[5; 32][..]].concat());
            let sequence = u64::from_be_bytes(*posting.row()[34..].first_chunk().unwrap());
            assert_eq!(posting.row()[42..44], [1, posting.bytes().len() as u8]);
            shown.push((sequence, *posting.bytes().last().unwrap()));
        });
        let sequences: Vec<_> = shown.iter().map(|(sequence, _)| *sequence).collect();
        assert_eq!(sequences, postings.sequences_of(cell).collect::<Vec<_>>());
        shown
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
        let got = |sequence| postings.get(3, sequence).map(|bytes| bytes[bytes.len() - 4..].to_vec());
        assert_eq!((got(6), got(8), got(9)), (None, Some(vec![1, 1, 0, 3]), None));
        postings.pop();
        push(&mut postings, 3, 8, 4);
        postings.pop();
        postings.pop();
        push(&mut postings, 3, 8, 5);
        assert_eq!(of(&mut postings, 3), [(7, 1), (8, 5)]);
        assert_eq!(of(&mut postings, 1), []);
        assert_eq!((postings.len(), postings.heads.len()), (2, 2));
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
