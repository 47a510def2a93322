//! Postings that a block adds, in the order in which they were booked.
//!
//! Booking only appends. Which postings are an account's is found out when somebody asks: when a history is read in the
//! making of the block, or at its end, when all of them are brought into the order of their rows. Then their stored bytes
//! are written, too: what an entry's postings have in common lies here once.

use super::accounts::Seen;
use super::namespace::Kind;
use super::record::PostingHead;
use super::stored::{HEAD_BYTES_MAX, WHEN_BYTES_MAX, write_entry, write_tail, write_when};
use crate::prefetch::prefetch;
use tenor_abi::date::{Date, Timestamp};
use tenor_abi::entry::Side;
use tenor_abi::id::AccountId;

/// Bytes of a posting's key, and those of its row in front of the value: two lengths take a byte each.
const KEY_BYTES: usize = 41;
const VALUE_START: usize = 1 + KEY_BYTES + 2;
/// Longest stored bytes of a posting: their length takes a byte.
pub const POSTING_BYTES_MAX: usize = 0x7f;
/// Longest row.
pub(super) const ROW_BYTES_MAX: usize = VALUE_START + POSTING_BYTES_MAX;
/// Postings that are asked for together.
const NEAR: usize = 16;

/// One of them. It comes from memory at once.
#[derive(Clone, Copy, Default)]
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

impl Default for Head {
    fn default() -> Head {
        Head { bytes: [0; HEAD_BYTES_MAX], length: 0 }
    }
}

/// A posting of an account, which writes itself where it is to lie: it is nowhere copied from.
pub struct PostingRow<'p> {
    posting: &'p Posting,
    head: &'p Head,
    account: &'p AccountId,
}

impl PostingRow<'_> {
    /// Writes its stored bytes from a place on, where there is room for the longest, and says where they end.
    #[inline(always)]
    pub fn write_value<const ROOM: usize>(&self, to: &mut [u8; ROOM], place: usize) -> usize {
        let PostingRow { posting, head: Head { bytes, length }, .. } = self;
        to[place..place + HEAD_BYTES_MAX].copy_from_slice(bytes);
        let tail = place + usize::from(*length);
        write_tail(to, tail, (posting.side(), posting.amount), posting.posted)
    }

    /// Writes it as it stands in a write set: the length of its key, the key, that there is a value, its length, and the
    /// value. Where it ends.
    #[inline(always)]
    pub(super) fn write(&self, row: &mut [u8; ROW_BYTES_MAX]) -> usize {
        (row[0], row[1], row[VALUE_START - 2]) = (KEY_BYTES as u8, Kind::History as u8, 1);
        row[2..34].copy_from_slice(&self.account.0);
        row[34..42].copy_from_slice(&self.posting.sequence.to_be_bytes());
        let end = self.write_value(row, VALUE_START);
        row[VALUE_START - 1] = (end - VALUE_START) as u8;
        end
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
    order: Order,
}

/// An account that has postings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Posted {
    /// Which.
    pub account: AccountId,
    /// Where it lies.
    pub seen: Seen,
    /// How many.
    pub count: u32,
}

/// Postings in the order of their rows.
#[derive(Default)]
struct Order {
    /// Those of an account one behind the other.
    numbers: Vec<u32>,
    /// In their order.
    accounts: Vec<Posted>,
    /// How many the account in each cell has.
    counts: Vec<u32>,
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
        // An entry that was taken back has left its own behind.
        let in_use = self.list.len().checked_sub(1).map_or(0, |last| self.list.at(last).head() + 1);
        self.heads.truncate(in_use);
        let Head { bytes, length } = self.heads.add();
        let start = write_entry(bytes, &entry);
        bytes[start..start + WHEN_BYTES_MAX].copy_from_slice(&self.when.bytes);
        *length = (start + self.when.length) as u8;
    }

    /// Adds the posting of a sequence to an account, which lies in a cell: so much on a side, after which the account
    /// counts so much.
    #[inline(always)]
    pub fn push(&mut self, cell: u32, sequence: u64, (side, amount): (Side, u128), posted: (u128, u128)) {
        let head_and_side = 2 * (self.heads.len() as u32 - 1) + side as u32;
        let next = self.list.add();
        (next.amount, next.posted) = (amount, posted);
        (next.sequence, next.cell, next.head_and_side) = (sequence, cell, head_and_side);
    }

    /// Takes the last one back: its side and amount.
    pub fn pop(&mut self) -> Option<(Side, u128)> {
        let last = self.list.pop()?;
        if self.filed > self.list.len() {
            self.filed = self.list.len();
            self.by_cell[last.cell as usize].pop();
        }
        self.disorder();
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
        let posting = self.list.at(*number as usize);
        let row = PostingRow { posting, head: self.heads.at(posting.head()), account: &AccountId([0; 32]) };
        let mut value = [0; POSTING_BYTES_MAX];
        let end = row.write_value(&mut value, 0);
        Some(value[..end].to_vec())
    }

    /// The sequences of the filed postings of the account in a cell.
    pub fn sequences_of(&self, cell: usize) -> std::ops::Range<u64> {
        let of_account = self.filed_of(cell);
        let first = of_account.first().map_or(0, |first| self.list.at(*first as usize).sequence);
        first..first + of_account.len() as u64
    }

    /// An account is no longer what it was when they were brought in order, or one of them is gone.
    pub fn disorder(&mut self) {
        self.order = Order::default();
    }

    /// Brings all of them into the order of their rows. Told how many the account in each cell has, `accounts` says which
    /// cells those are, and which accounts, in their order.
    pub fn bring_in_order(&mut self, accounts: impl FnOnce(&[u32]) -> Vec<(usize, Posted)>) {
        let Postings { list, order, .. } = self;
        if order.numbers.len() == list.len() {
            return;
        }
        let mut counts = vec![];
        for number in 0..list.len() {
            let cell = list.at(number).cell as usize;
            if counts.len() <= cell {
                counts.resize(cell + 1, 0);
            }
            counts[cell] += 1;
        }
        let (mut next, mut start) = (vec![0; counts.len()], 0);
        let in_order = accounts(&counts).into_iter().map(|(cell, posted)| {
            next[cell] = start;
            start += posted.count as usize;
            posted
        });
        let accounts = in_order.collect();
        let mut numbers = vec![0; list.len()];
        for number in 0..list.len() {
            let next = &mut next[list.at(number).cell as usize];
            numbers[*next] = number as u32;
            *next += 1;
        }
        *order = Order { numbers, accounts, counts };
    }

    /// The accounts of those that were brought in order, in their order.
    pub fn accounts(&self) -> &[Posted] {
        &self.order.accounts
    }

    /// Whether the account in a cell has some of those that were brought in order.
    pub fn has(&self, cell: usize) -> bool {
        self.order.counts.get(cell).is_some_and(|count| *count > 0)
    }

    /// Shows the row of each posting that was brought in order.
    ///
    /// # Panics
    /// When postings between an account's are missing: what follows from its count comes in its order.
    pub fn show(&self, mut show: impl FnMut(&PostingRow<'_>)) {
        let mut number = 0;
        for Posted { account, count, .. } in &self.order.accounts {
            let mut before = None;
            for _ in 0..*count {
                self.prefetch(number);
                let posting = self.list.at(self.order.numbers[number] as usize);
                let follows = before.is_none_or(|before: u64| before + 1 == posting.sequence);
                assert!(follows, "postings are added one by one");
                before = Some(posting.sequence);
                show(&PostingRow { posting, head: self.heads.at(posting.head()), account });
                number += 1;
            }
        }
    }

    /// Asks memory for postings that come soon, and for the heads of those that come before them: they lie far apart.
    fn prefetch(&self, next: usize) {
        if !next.is_multiple_of(NEAR) {
            return;
        }
        let numbers = &self.order.numbers;
        let from = |place: usize| {
            let some = numbers[place.min(numbers.len())..].iter().take(NEAR);
            some.map(|number| self.list.at(*number as usize))
        };
        if next == 0 {
            from(0).chain(from(NEAR)).for_each(prefetch);
        }
        from(next + 2 * NEAR).for_each(prefetch);
        from(next + NEAR).for_each(|posting| prefetch(self.heads.at(posting.head())));
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    fn filed_of(&self, cell: usize) -> &[u32] {
        self.by_cell.get(cell).map_or(&[], Vec::as_slice)
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

impl<T: Copy + Default> Run<T> {
    fn len(&self) -> usize {
        self.length
    }

    /// Adds one, to be filled where it lies.
    #[inline(always)]
    fn add(&mut self) -> &mut T {
        if self.length == self.pieces.len() * PIECE {
            self.add_piece();
        }
        let place = self.length;
        self.length += 1;
        &mut self.pieces[place / PIECE][place % PIECE]
    }

    #[cold]
    fn add_piece(&mut self) {
        let Ok(piece) = vec![T::default(); PIECE].try_into() else {
            unreachable!("a piece has so many values")
        };
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
        let entry = EntryId { item: Hash([9; 32]), index: 7 };
        postings.begin(&(entry, 1 << 20, Timestamp(1 << 40), Date::of(2026, 1, 2)));
        postings.push(cell, sequence, (Side::Credit, 1), (0, credits_posted.into()));
    }

    fn account(cell: usize) -> AccountId {
        AccountId([cell as u8; 32])
    }

    /// Brings them in order, the highest cell first.
    fn bring_in_order(postings: &mut Postings) {
        postings.bring_in_order(|counts| {
            let posted = (0..counts.len()).rev().filter(|cell| counts[*cell] > 0);
            let seen = |cell| Seen { at: cell as u32, turn: 0 };
            let posted = posted
                .map(|cell| (cell, Posted { account: account(cell), seen: seen(cell), count: counts[cell] }));
            posted.collect()
        });
    }

    fn of(postings: &mut Postings, cell: usize) -> Vec<(u64, u8)> {
        postings.file(|_| ());
        bring_in_order(postings);
        let (mut shown, mut of_cell) = (vec![], vec![]);
        postings.show(|posting| {
            let mut row = [0; ROW_BYTES_MAX];
            let end = posting.write(&mut row);
            assert_eq!(row[..2], [41, Kind::History as u8]);
            let sequence = u64::from_be_bytes(*row[34..].first_chunk().unwrap());
            assert_eq!(row[42..44], [1, end as u8 - 44]);
            shown.push((std::cmp::Reverse(row[2]), sequence));
            if row[2..34] == account(cell).0 {
                of_cell.push((sequence, row[end - 1]));
            }
        });
        assert!(shown.is_sorted() && shown.len() == postings.len());
        assert_eq!(postings.has(cell), !of_cell.is_empty());
        let sequences: Vec<_> = of_cell.iter().map(|(sequence, _)| *sequence).collect();
        assert_eq!(sequences, postings.sequences_of(cell).collect::<Vec<_>>());
        of_cell
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

    fn with_a_gap() -> Postings {
        let mut postings = Postings::default();
        push(&mut postings, 0, 0, 0);
        push(&mut postings, 0, 2, 0);
        postings
    }

    #[test]
    #[should_panic(expected = "one by one")]
    fn a_gap_is_not_filed() {
        with_a_gap().file(|_| ());
    }

    #[test]
    #[should_panic(expected = "one by one")]
    fn a_gap_is_not_shown() {
        let mut postings = with_a_gap();
        bring_in_order(&mut postings);
        postings.show(|_| ());
    }
}
