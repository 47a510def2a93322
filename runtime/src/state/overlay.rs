//! The overlay: every write of a block in the making, over a base that does not change.
//!
//! It is the one place where state is written. A mark can be taken before anything that may have to be rolled
//! back; forks of state (a proposal, a simulation) are overlays over the same base.
//!
//! A record that is read or written many times in a block is decoded once and encoded once: a cell holds it as
//! what it is until the block's writes are taken out. An account that is booked on is counted where it lies; its
//! postings are only ever added, to one list of the block.

use super::accounts::{Accounts, Few, Guess, Seen};
use super::base::Base;
use super::cells::{Below, Bytes, Cell, Cells, Now, Undo, in_order, own, with_full_key};
use super::namespace::Kind;
use super::record::{AccountRecord, Counters, PostingHead, Record};
use crate::fault::Fault;
use crate::store::Row;
use std::any::Any;
use std::cell::RefCell;
use std::ops::Bound;
use std::sync::Arc;
use tenor_abi::entry::Side;
use tenor_abi::id::{AccountId, Hash};

/// Most rows of the base that are read together where some of them were written over.
const TOGETHER: usize = 256;

/// A point that an overlay can be rolled back to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mark(usize);

/// Where the cell of a key lies, so that it is looked for once. It is no longer believed when the overlay has begun
/// anew since.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    pub(super) cell: usize,
    pub(super) generation: u32,
}

/// Writes over a base.
pub struct Overlay<'b> {
    pub(super) base: &'b dyn Base,
    pub(super) cells: RefCell<Cells>,
    journal: Vec<Undo>,
    /// Writes before the journal's, which are not taken back.
    kept: usize,
}

impl<'b> Overlay<'b> {
    /// An overlay without writes.
    pub fn new(base: &'b dyn Base) -> Overlay<'b> {
        Overlay { base, cells: RefCell::default(), journal: Vec::new(), kept: 0 }
    }

    /// A row that was read is not what a leaf says: the base is not believed at the next opening.
    pub fn distrust(&self) {
        self.base.distrust();
    }

    /// The value at a full key.
    ///
    /// # Errors
    /// [`Fault`] of the base.
    pub fn get_row(&self, full_key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        self.look(full_key, |_, cell, accounts| Ok(cell.value(accounts, own)))
    }

    /// Whether there is a value at a full key.
    ///
    /// # Errors
    /// [`Fault`] of the base.
    pub fn has_row(&self, full_key: &[u8]) -> Result<bool, Fault> {
        self.look(full_key, |_, cell, _| {
            Ok(match cell.now {
                Now::Unwritten => matches!(cell.below, Below::Value(..)),
                Now::Deleted => false,
                Now::Value(_) | Now::Record(_) | Now::Account(_) => true,
            })
        })
    }

    /// Whether there is a record of an id.
    ///
    /// # Errors
    /// [`Fault`] of the base.
    pub fn has(&self, kind: Kind, key: &[u8]) -> Result<bool, Fault> {
        with_full_key(kind, key, |full| self.has_row(full))
    }

    /// Makes room for so many rows more, read or written.
    pub fn reserve(&mut self, rows: usize) {
        self.cells.get_mut().reserve(rows);
        self.journal.reserve(rows);
    }

    /// Asks the base about many keys at once, which is quicker than one by one when they are needed.
    ///
    /// # Errors
    /// [`Fault`] of the base.
    pub fn ask_ahead(&self, full_keys: &[Vec<u8>]) -> Result<(), Fault> {
        let mut cells = self.cells.borrow_mut();
        cells.bound();
        let mut places: Vec<usize> = full_keys.iter().map(|full_key| cells.place(full_key)).collect();
        places.sort_unstable();
        places.dedup();
        places.retain(|place| matches!(cells.list[*place].below, Below::Unasked));
        let keys: Vec<&[u8]> = places.iter().map(|place| &*cells.list[*place].key).collect();
        let values = self.base.get_all(&keys)?;
        cells.remember_all(&places, &values);
        Ok(())
    }

    /// An overlay without writes, over the same base, that can be taken in.
    pub fn beside(&self) -> Overlay<'b> {
        Overlay { cells: RefCell::new(self.cells.borrow().alike()), ..Overlay::new(self.base) }
    }

    /// Takes in what an overlay that was made beside it read of the base and did not write.
    pub fn take_in(&mut self, read: Overlay<'_>) {
        let cells = self.cells.get_mut();
        cells.bound();
        cells.take_in(read.cells.into_inner());
    }

    /// What it lies over.
    pub fn base(&self) -> &'b dyn Base {
        self.base
    }

    /// What is made of the cell of a full key, its place, and the accounts.
    fn look<T>(
        &self,
        full_key: &[u8],
        make: impl FnOnce(usize, &mut Cell, &mut Accounts) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut cells = self.cells.borrow_mut();
        cells.bound();
        if let Some(posting) = cells.posting(full_key) {
            // It is shown like a row that the base has.
            let below = Below::Value(posting.into(), None);
            return make(0, &mut Cell { below, ..Cell::new(full_key) }, &mut Accounts::default());
        }
        let place = cells.asked(full_key, |key| self.base.get(key))?;
        let Cells { list, accounts, .. } = &mut *cells;
        make(place, &mut list[place], accounts)
    }

    /// Writes a value, or deletes.
    pub fn set_row(&mut self, full_key: &[u8], value: Option<Vec<u8>>) {
        self.write(full_key, value.map_or(Now::Deleted, Now::Value));
    }

    fn write(&mut self, full_key: &[u8], now: Now) {
        let cells = self.cells.get_mut();
        let place = cells.place(full_key);
        self.journal.push(cells.write(place, now));
    }

    /// The first row at or after `from` and before `end`, writes included.
    ///
    /// # Errors
    /// [`Fault`] of the base.
    pub fn next_row(&self, from: &[u8], end: &[u8]) -> Result<Option<Row>, Fault> {
        Ok(self.rows(from, end, 1, &mut |_| true)?.pop())
    }

    /// As [`Overlay::next_row`], where each deleted row that is passed over is paid for, with the bytes that the base has
    /// of its value: what is passed follows from the writes alone. None, where it is not paid for.
    ///
    /// # Errors
    /// [`Fault`] of the base.
    pub fn next_row_paid(
        &self,
        from: &[u8],
        end: &[u8],
        pay: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Option<Row>, Fault> {
        Ok(self.rows(from, end, 1, pay)?.pop())
    }

    fn rows(
        &self,
        from: &[u8],
        end: &[u8],
        count_max: usize,
        pay: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Vec<Row>, Fault> {
        if from >= end {
            return Ok(vec![]);
        }
        let mut hidden_bytes = 0;
        let mut cells = self.cells.borrow_mut();
        let mut written = cells.next_written_between(Bound::Included(from), end);
        let (mut rows, mut from, mut count) = (vec![], from.to_vec(), count_max);
        loop {
            let below = self.base.next_rows(&from, end, count)?;
            let is_last = below.len() < count;
            if let Some((key, _)) = below.last() {
                from.clone_from(key);
                from.push(0);
            }
            let below = below.into_iter().map(Some).chain(is_last.then_some(None));
            for row in below {
                // A written row in front of the base's next row wins; a deleted one is passed over.
                while rows.len() < count_max
                    && let Some((key, value)) =
                        written.take_if(|found| row.as_ref().is_none_or(|row| found.0 < row.0))
                {
                    let bytes = std::mem::take(&mut hidden_bytes);
                    if value.is_none() && !pay(bytes) {
                        return Ok(vec![]);
                    }
                    written = cells.next_written_between(Bound::Excluded(&key), end);
                    rows.extend(value.map(|value| (key, value)));
                }
                let is_hidden = written.as_ref().zip(row.as_ref()).is_some_and(|(own, row)| own.0 == row.0);
                if let Some((_, value)) = row.as_ref().filter(|_| is_hidden) {
                    hidden_bytes = value.len();
                }
                rows.extend(row.filter(|_| !is_hidden && rows.len() < count_max));
                if rows.len() == count_max {
                    return Ok(rows);
                }
            }
            if is_last {
                return Ok(rows);
            }
            // What was read was written over: more of it may have been. No more is read than about what was passed.
            count = (count * 2).min(count_max.max(TOGETHER));
        }
    }

    /// The keys of the rows at or after `from` and before `end`, writes included, at most so many, and the places of their
    /// cells; what the base said is remembered.
    ///
    /// # Errors
    /// [`Fault`] of the base.
    pub fn next_rows(
        &self,
        from: &[u8],
        end: &[u8],
        count_max: usize,
    ) -> Result<Vec<(Vec<u8>, Place)>, Fault> {
        let rows = self.rows(from, end, count_max, &mut |_| true)?;
        let mut cells = self.cells.borrow_mut();
        let (mut keys, mut places, mut values) = (Vec::with_capacity(rows.len()), vec![], vec![]);
        for (key, value) in rows {
            let place = cells.place(&key);
            if matches!((&cells.list[place].now, &cells.list[place].below), (Now::Unwritten, Below::Unasked))
            {
                places.push(place);
                values.push(Some(value));
            }
            keys.push((key, cells.named(place)));
        }
        cells.remember_all(&places, &values);
        Ok(keys)
    }

    /// Whether a row was deleted here. Where its cell lies may be known.
    pub fn is_deleted(&self, full_key: &[u8], known: Option<Place>) -> bool {
        let cells = self.cells.borrow();
        let known = known.filter(|known| known.generation == cells.generation).map(|known| known.cell);
        let place = known.or_else(|| cells.find(full_key));
        place.is_some_and(|place| matches!(cells.list[place].now, Now::Deleted))
    }

    /// The record of an id.
    ///
    /// # Errors
    /// [`Fault::State`] when the stored bytes are not such a record.
    pub fn get<R: Record>(&self, key: &[u8]) -> Result<Option<R>, Fault> {
        self.read(key, |record: Option<&R>| record.cloned())
    }

    /// What is made of the record of an id, where it lies.
    ///
    /// # Errors
    /// As [`Overlay::get`].
    pub fn read<R: Record, T>(&self, key: &[u8], make: impl FnOnce(Option<&R>) -> T) -> Result<T, Fault> {
        with_full_key(R::KIND, key, |full| {
            self.look(full, |place, cell, accounts| Ok(make(cell.record(place, accounts)?)))
        })
    }

    /// The record of an id, shared with whoever else asks for it, and the place of its cell.
    ///
    /// # Errors
    /// As [`Overlay::get`].
    pub fn shared<R: Record>(&self, key: &[u8]) -> Result<Option<(Place, Arc<R>)>, Fault> {
        with_full_key(R::KIND, key, |full| {
            let mut cells = self.cells.borrow_mut();
            cells.bound();
            let cell = cells.asked(full, |key| self.base.get(key))?;
            let place = cells.named(cell);
            let Cells { list, accounts, .. } = &mut *cells;
            Ok(list[cell].shared(cell, accounts)?.map(|record| (place, record)))
        })
    }

    /// Where the first few of some accounts lie, if they were read before. Memory is asked for all of them before the
    /// first is waited for.
    pub fn find_few<'i>(&self, accounts: impl Iterator<Item = &'i AccountId> + Clone) -> Few {
        let cells = self.cells.borrow();
        Few { at: cells.accounts.find_few(accounts), generation: cells.generation }
    }

    /// What is made of an account, and where it was seen. Where it may lie is looked at first.
    ///
    /// # Errors
    /// As [`Overlay::get`].
    pub fn account<T>(
        &self,
        account: &AccountId,
        guess: Option<Guess>,
        make: impl FnOnce(Seen, &AccountRecord) -> T,
    ) -> Result<Option<T>, Fault> {
        let mut cells = self.cells.borrow_mut();
        cells.bound();
        let at = match guess.filter(|guess| guess.generation == cells.generation) {
            Some(guess) => Some(guess.at),
            None => cells.account(account, |key| self.base.get(key))?,
        };
        let generation = cells.generation;
        let Cells { accounts, .. } = &*cells;
        Ok(at.map(|at| make(accounts.seen(at, generation), &accounts.at(at).record)))
    }

    /// What is made of an account that was seen, as it is now.
    ///
    /// # Errors
    /// As [`Overlay::get`].
    pub fn account_at<T>(
        &self,
        seen: Seen,
        account: &AccountId,
        make: impl FnOnce(&AccountRecord) -> T,
    ) -> Result<T, Fault> {
        let mut cells = self.cells.borrow_mut();
        let mut at = Some(seen.at);
        if seen.generation != cells.generation {
            at = cells.account(account, |key| self.base.get(key))?;
        }
        let at = at.ok_or_else(|| Fault::State(format!("{account} was there and is gone")))?;
        Ok(make(&cells.accounts.at(at).record))
    }

    /// Begins to book on an account, if it still is what it was when it was seen; where it is seen now.
    ///
    /// # Errors
    /// As [`Overlay::get`].
    #[inline(always)]
    pub fn open(&mut self, seen: Seen, account: &AccountId) -> Result<Option<Seen>, Fault> {
        let opened = self.cells.get_mut().open(seen, account, |key| self.base.get(key))?;
        let Some((now, was_read)) = opened else { return Ok(None) };
        if was_read {
            self.journal.push(Undo::Opened(now.at));
        }
        Ok(Some(now))
    }

    /// The place of the cell of a full key, after the base was asked. Where it may lie is looked at first.
    ///
    /// # Errors
    /// [`Fault`] of the base.
    pub fn place(&mut self, full_key: &[u8], guess: Option<Place>) -> Result<Place, Fault> {
        let cells = self.cells.get_mut();
        cells.bound();
        if let Some(place) = guess.filter(|guess| guess.generation == cells.generation) {
            let Cell { key, below, now, .. } = &cells.list[place.cell];
            if **key == *full_key && !matches!((now, below), (Now::Unwritten, Below::Unasked)) {
                return Ok(cells.named(place.cell));
            }
        }
        let cell = cells.asked(full_key, |key| self.base.get(key))?;
        Ok(cells.named(cell))
    }

    /// The value whose cell lies at a place that was just asked for.
    ///
    /// # Panics
    /// As [`Overlay::post`].
    pub fn bytes_at(&mut self, place: Place) -> Option<&[u8]> {
        let cells = self.cells.get_mut();
        assert_eq!(place.generation, cells.generation, "a place is used as long as its cell lies there");
        cells.list[place.cell].bytes()
    }

    /// Writes a value whose cell lies at a place, or deletes.
    ///
    /// # Panics
    /// As [`Overlay::post`].
    pub fn set_row_at(&mut self, place: Place, value: Option<Vec<u8>>) {
        let cells = self.cells.get_mut();
        assert_eq!(place.generation, cells.generation, "a place is used as long as its cell lies there");
        self.journal.push(cells.write(place.cell, value.map_or(Now::Deleted, Now::Value)));
    }

    /// The place of the cell of a record, after the base was asked.
    ///
    /// # Errors
    /// [`Fault`] of the base.
    pub fn record_place<R: Record>(&mut self, key: &[u8]) -> Result<Place, Fault> {
        with_full_key(R::KIND, key, |full| self.place(full, None))
    }

    /// The record whose cell lies at a place.
    ///
    /// # Errors
    /// As [`Overlay::get`].
    ///
    /// # Panics
    /// As [`Overlay::post`].
    pub fn record_at<R: Record>(&mut self, place: Place) -> Result<Option<&R>, Fault> {
        let cells = self.cells.get_mut();
        assert_eq!(place.generation, cells.generation, "a place is used as long as its cell lies there");
        let Cell { key, below, now, .. } = &cells.list[place.cell];
        if matches!((now, below), (Now::Unwritten, Below::Unasked)) {
            let value = self.base.get(key)?;
            cells.remember(place.cell, value.map(Bytes::from));
        }
        let Cells { list, accounts, .. } = cells;
        list[place.cell].record(place.cell, accounts)
    }

    /// Writes a record, which is no account, whose cell lies at a place.
    ///
    /// # Panics
    /// As [`Overlay::post`].
    pub fn set_record_at<R: Record>(&mut self, place: Place, value: R) {
        let cells = self.cells.get_mut();
        assert_eq!(place.generation, cells.generation, "a place is used as long as its cell lies there");
        assert!(R::KIND != Kind::Account, "accounts lie among the accounts");
        self.journal.push(cells.write(place.cell, Now::Record(Arc::new(value))));
    }

    /// Begins to book an entry: what its postings have in common.
    #[inline(always)]
    pub fn begin_entry(&mut self, head: PostingHead) {
        self.cells.get_mut().postings.begin(&head);
    }

    /// Books a posting of the entry on an account that was opened: counters and history.
    ///
    /// # Panics
    /// When the overlay has begun anew since the account was opened.
    #[inline(always)]
    pub fn post(&mut self, opened: Seen, side: Side, amount: u128) {
        let cells = self.cells.get_mut();
        assert_eq!(opened.generation, cells.generation, "a place is used as long as its account lies there");
        self.journal.push(cells.post(opened.at, side, amount));
    }

    /// Sets what is pending on an account that was opened, and says whether it then counts what was planned.
    ///
    /// # Panics
    /// As [`Overlay::post`].
    #[inline(always)]
    pub fn set_pending(&mut self, opened: Seen, planned: &Counters) -> bool {
        let cells = self.cells.get_mut();
        assert_eq!(opened.generation, cells.generation, "a place is used as long as its account lies there");
        let counters = &cells.accounts.at(opened.at).record.counters;
        if counters == planned {
            return true;
        }
        self.journal.push(cells.set_pending(opened.at, planned.pending()));
        cells.accounts.at(opened.at).record.counters == *planned
    }

    /// Brings an account that was posted on up to the root of its history, at the end of a block: nothing takes it back.
    /// How many postings it counts.
    ///
    /// # Panics
    /// When nothing was posted on it, or as [`Overlay::post`].
    pub fn set_history_root(&mut self, posted: Seen, root: Hash) -> u64 {
        let cells = self.cells.get_mut();
        assert_eq!(posted.generation, cells.generation, "a place is used as long as its account lies there");
        cells.set_history_root(posted.at, root)
    }

    /// Writes a record.
    pub fn put<R: Record>(&mut self, key: &[u8], value: &R) {
        self.set(key, value.clone());
    }

    /// Writes a record that nobody else needs.
    pub fn set<R: Record>(&mut self, key: &[u8], value: R) {
        let as_account = (&value as &dyn Any).downcast_ref::<AccountRecord>().copied();
        match as_account.and_then(|record| Some((AccountId(key.try_into().ok()?), record))) {
            Some((id, record)) => with_full_key(Kind::Account, key, |full| {
                let cells = self.cells.get_mut();
                let place = cells.place(full);
                let now = Now::Account(cells.accounts.write(id, place, record));
                self.journal.push(cells.write(place, now));
            }),
            None => with_full_key(R::KIND, key, |full| self.write(full, Now::Record(Arc::new(value)))),
        }
    }

    /// Deletes a record.
    pub fn delete(&mut self, kind: Kind, key: &[u8]) {
        with_full_key(kind, key, |full| self.write(full, Now::Deleted));
    }

    /// Key and value of every row of a kind that is written, in key order; no value for a deleted one.
    pub fn written<T>(&self, kind: Kind, mut make: impl FnMut(&[u8], Option<&[u8]>) -> T) -> Vec<T> {
        let mut cells = self.cells.borrow_mut();
        let is_written = |_, cell: &Cell| cell.is_written() && cell.key.first() == Some(&(kind as u8));
        let places = in_order(&cells.list, is_written);
        let Cells { list, accounts, .. } = &mut *cells;
        let row = |place: usize| {
            let cell = &mut list[place];
            cell.settle();
            cell.value(accounts, |value| make(&cell.key, value))
        };
        places.into_iter().map(row).collect()
    }

    /// A point to roll back to.
    pub fn mark(&self) -> Mark {
        Mark(self.kept + self.journal.len())
    }

    /// Takes back every write since a mark.
    ///
    /// # Panics
    /// When what was written since has been kept.
    pub fn roll_back(&mut self, mark: Mark) {
        let at = mark.0.checked_sub(self.kept).expect("what was kept is not taken back");
        let cells = self.cells.get_mut();
        for undo in self.journal.drain(at.min(self.journal.len())..).rev() {
            cells.undo(undo);
        }
    }

    /// What was written so far stays: an item is over, and no mark before this point is gone back to.
    pub fn keep(&mut self) {
        self.kept += self.journal.len();
        self.journal.clear();
    }
}

/// A base without a row.
#[cfg(test)]
pub(crate) struct Nothing;

#[cfg(test)]
impl Base for Nothing {
    fn get(&self, _: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        Ok(None)
    }
    fn next(&self, _: &[u8], _: &[u8]) -> Result<Option<Row>, Fault> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::record::{AgreementRecord, HistoryRecord, Holder, HookSet, PurposeCode, to_bytes};
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use tenor_abi::codec;
    use tenor_abi::date::{Date, Timestamp};
    use tenor_abi::entry::EntryId;
    use tenor_abi::id::{AssetId, CodeHash, Hash, PartyId};
    use tenor_abi::money::Currency;
    use tenor_wire::op::AccountKind;

    struct Rows(BTreeMap<Vec<u8>, Vec<u8>>);

    impl Base for Rows {
        fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
            Ok(self.0.get(key).cloned())
        }
        fn next(&self, from: &[u8], end: &[u8]) -> Result<Option<Row>, Fault> {
            let mut range = self.0.range::<[u8], _>((Bound::Included(from), Bound::Excluded(end)));
            Ok(range.next().map(|(k, v)| (k.clone(), v.clone())))
        }
    }

    fn all(overlay: &Overlay<'_>) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let (mut rows, mut from) = (BTreeMap::new(), vec![]);
        while let Some((key, value)) = overlay.next_row(&from, &[255]).unwrap() {
            from = key.clone();
            from.push(0);
            rows.insert(key, value);
        }
        rows
    }

    fn posting(account: u8, sequence: u64) -> Vec<u8> {
        Kind::History.full_key(&[&[account; 32][..], &sequence.to_be_bytes()].concat())
    }

    fn account(history_count: u64) -> AccountRecord {
        AccountRecord {
            owner: Holder::Party(PartyId([1; 32])),
            asset: AssetId([2; 32]),
            purpose: PurposeCode::of("main").unwrap(),
            currency: Currency::of("EUR", 2),
            kind: AccountKind::Plain,
            code: 0,
            control: None,
            counters: Counters { debits_posted: 5, credits_posted: 7, ..Counters::default() },
            floor: 0,
            ceiling: None,
            holds_overdraft: false,
            frozen_in: None,
            frozen_out: None,
            closed: false,
            hooks: HookSet::default(),
            history_count,
            history_root: Hash::ZERO,
        }
    }

    fn head(of: u8) -> PostingHead {
        (EntryId { item: Hash([of; 32]), index: 0 }, 9, Timestamp(3), Date::of(2026, 1, 2))
    }

    /// The stored bytes of a posting, with what the account counts after it.
    fn posted(of: u8, side: Side, amount: u128, (debits_posted, credits_posted): (u128, u128)) -> Vec<u8> {
        let (entry, height, booked_at, value_date) = head(of);
        to_bytes(&HistoryRecord {
            entry,
            height,
            booked_at,
            value_date,
            side,
            amount,
            debits_posted,
            credits_posted,
        })
    }

    fn open(overlay: &mut Overlay<'_>, of: u8) -> Seen {
        let account = AccountId([of; 32]);
        let seen = overlay.account(&account, None, |seen, _| seen).unwrap().unwrap();
        overlay.open(seen, &account).unwrap().unwrap()
    }

    #[test]
    fn an_account_is_booked_on_where_it_lies() {
        let full_key = |of: u8| Kind::Account.full_key(&[of; 32]);
        let rows = [
            (full_key(1), to_bytes(&account(1))),
            (full_key(2), to_bytes(&account(1))),
            (posting(1, 0), vec![10]),
            (posting(2, 0), vec![20]),
        ];
        let base = Rows(rows.clone().into());
        let mut overlay = Overlay::new(&base);
        overlay.set_row(&[200], Some(vec![]));
        let second = open(&mut overlay, 2);
        overlay.begin_entry(head(2));
        overlay.post(second, Side::Debit, 3);
        let first = open(&mut overlay, 1);
        overlay.begin_entry(head(1));
        overlay.post(first, Side::Credit, 1);
        let (mark, kept) = (overlay.mark(), all(&overlay));
        let read: AccountRecord = overlay.get(&[1; 32]).unwrap().unwrap();
        assert_eq!((read.counters.posted(), read.history_count), ((5, 8), 2));

        // Whoever read an account keeps what it read.
        let (_, shared) = overlay.shared::<AccountRecord>(&[1; 32]).unwrap().unwrap();
        overlay.post(first, Side::Credit, 2);
        let counters = overlay.get::<AccountRecord>(&[2; 32]).unwrap().unwrap().counters;
        assert!(overlay.set_pending(second, &Counters { debits_pending: 4, ..counters }));
        assert_eq!(*shared, read);
        assert_eq!(overlay.get_row(&posting(1, 2)).unwrap(), Some(posted(1, Side::Credit, 2, (5, 10))));
        assert_eq!(overlay.get::<AccountRecord>(&[2; 32]).unwrap().unwrap().counters.pending(), (4, 0));
        assert!(overlay.open(first, &AccountId([1; 32])).unwrap().is_none(), "it has changed");
        overlay.roll_back(mark);
        assert_eq!(all(&overlay), kept);
        assert_eq!(overlay.get_row(&posting(1, 2)).unwrap(), None);

        let first = open(&mut overlay, 1);
        overlay.begin_entry(head(3));
        overlay.post(first, Side::Credit, 4);
        overlay.keep();
        let changed = |posted: (u128, u128), history_count| {
            let (debits_posted, credits_posted) = posted;
            let counters = Counters { debits_posted, credits_posted, ..Counters::default() };
            to_bytes(&AccountRecord { counters, ..account(history_count) })
        };
        let written = [
            (full_key(1), changed((5, 12), 3)),
            (full_key(2), changed((8, 7), 2)),
            (posting(1, 1), posted(1, Side::Credit, 1, (5, 8))),
            (posting(1, 2), posted(3, Side::Credit, 4, (5, 12))),
            (posting(2, 1), posted(2, Side::Debit, 3, (8, 7))),
            (vec![200], vec![]),
        ];
        for (key, value) in &written {
            assert_eq!(overlay.get_row(key).unwrap().as_ref(), Some(value));
            assert!(overlay.has_row(key).unwrap());
        }
        assert_eq!(all(&overlay), rows.into_iter().chain(written.clone()).collect());
        let mut shown = 0;
        let by_account = overlay.posted(|_| shown += 1);
        assert_eq!((by_account, shown), (vec![(AccountId([1; 32]), 2), (AccountId([2; 32]), 1)], 3));
        let expected = written.map(|(key, value)| (key, Some(value)));
        assert_eq!(overlay.into_writes().unwrap().to_vec(), expected);
    }

    #[test]
    fn a_deleted_row_that_is_passed_is_paid_for() {
        let rows: BTreeMap<Vec<u8>, Vec<u8>> = (0..100).map(|n| (vec![7, n], vec![n; 3])).collect();
        let base = Rows(rows);
        let mut overlay = Overlay::new(&base);
        // What was written and taken back, or only read, is not passed.
        let mark = overlay.mark();
        (0..60).for_each(|n| overlay.set_row(&[7, n, 1], Some(vec![])));
        overlay.set_row(&[7, 5], None);
        overlay.roll_back(mark);
        overlay.next_rows(&[7], &[8], 50).unwrap();
        let walk = |overlay: &Overlay<'_>, from: u8, paid_max: usize| {
            let (mut passed, mut bytes) = (0, 0);
            let found = overlay.next_row_paid(&[7, from], &[8], &mut |value| {
                (passed, bytes) = (passed + 1, bytes + value);
                passed <= paid_max
            });
            (found.unwrap().map(|(key, _)| key[1]), passed, bytes)
        };
        assert_eq!(walk(&overlay, 0, 1000), (Some(0), 0, 0));
        (0..40).for_each(|n| overlay.set_row(&[7, n], None));
        overlay.set_row(&[7, 20, 1], Some(vec![1; 9]));
        overlay.set_row(&[7, 20, 1], None);
        overlay.set_row(&[7, 40], Some(vec![1; 5]));
        assert_eq!(walk(&overlay, 0, 1000), (Some(40), 41, 120));
        assert_eq!(walk(&overlay, 38, 1000), (Some(40), 2, 6));
        assert_eq!(walk(&overlay, 40, 1000), (Some(40), 0, 0));
        assert_eq!(walk(&overlay, 0, 10), (None, 11, 33), "it ends where it is not paid for");
        // What is behind the row is not paid for.
        (50..100).for_each(|n| overlay.set_row(&[7, n], None));
        assert_eq!(walk(&overlay, 49, 1000), (Some(49), 0, 0));
        assert_eq!(walk(&overlay, 50, 1000), (None, 50, 150));
    }

    #[test]
    fn versions_of_an_agreement_share_its_terms() {
        let record = AgreementRecord {
            code: CodeHash([1; 32]),
            bank: PartyId([2; 32]),
            opened_by: PartyId([3; 32]),
            opened_at: Timestamp(4),
            terms_version: 0,
            terms: vec![5; 1000].into(),
            state: 0,
            signers: vec![],
            keys: 0,
        };
        let mut overlay = Overlay::new(&Nothing);
        overlay.put(&[9; 32], &record);
        let mark = overlay.mark();
        for keys in 1..=100 {
            let counted: AgreementRecord = overlay.get(&[9; 32]).unwrap().unwrap();
            assert!(std::ptr::eq(&*counted.terms, &*record.terms));
            overlay.set(&[9; 32], AgreementRecord { keys, ..counted });
        }
        overlay.roll_back(mark);
        assert_eq!(overlay.get::<AgreementRecord>(&[9; 32]).unwrap(), Some(record.clone()));
        assert_eq!(codec::encode(&record.terms), codec::encode(&vec![5u8; 1000]), "no byte is another");
    }

    #[test]
    #[should_panic(expected = "what was kept")]
    fn what_was_kept_is_not_taken_back() {
        let mut overlay = Overlay::new(&Nothing);
        let mark = overlay.mark();
        overlay.set_row(&[1], None);
        overlay.keep();
        overlay.roll_back(mark);
    }

    proptest! {
        #[test]
        fn an_overlay_reads_like_a_map_and_rolls_back(
            base in prop::collection::btree_map(prop::collection::vec(0u8..4, 1..3), prop::collection::vec(any::<u8>(), 0..3), 0..12),
            first in prop::collection::vec((prop::collection::vec(0u8..4, 1..3), any::<Option<u8>>()), 0..20),
            second in prop::collection::vec((prop::collection::vec(0u8..4, 1..3), any::<Option<u8>>()), 0..20),
        ) {
            let rows = Rows(base.clone());
            let (mut overlay, mut model) = (Overlay::new(&rows), base);
            let write = |overlay: &mut Overlay<'_>, model: &mut BTreeMap<Vec<u8>, Vec<u8>>, list: &[(Vec<u8>, Option<u8>)]| {
                for (key, value) in list {
                    overlay.set_row(key, value.map(|v| vec![v]));
                    match value {
                        Some(v) => model.insert(key.clone(), vec![*v]),
                        None => model.remove(key),
                    };
                }
            };
            write(&mut overlay, &mut model, &first);
            prop_assert_eq!(&all(&overlay), &model);
            let (mark, kept) = (overlay.mark(), model.clone());
            write(&mut overlay, &mut model, &second);
            prop_assert_eq!(&all(&overlay), &model);
            overlay.roll_back(mark);
            prop_assert_eq!(&all(&overlay), &kept);
            let mut result = rows.0.clone();
            for (key, value) in overlay.into_writes().unwrap().to_vec() {
                prop_assert_ne!(rows.0.get(&key), value.as_ref());
                match value {
                    Some(value) => result.insert(key, value),
                    None => result.remove(&key),
                };
            }
            prop_assert_eq!(result, kept);
        }
    }
}
