//! The overlay: every write of a block in the making, over a base that does not change.
//!
//! It is the one place where state is written. A mark can be taken before anything that may have to be rolled
//! back; forks of state (a proposal, a simulation) are overlays over the same base.
//!
//! A record that is read or written many times in a block is decoded once and encoded once: a cell holds it as
//! what it is until the block's writes are taken out. An account that is booked on is counted where it lies; its
//! postings are only ever added, to one list of the block.

use super::accounts::{Accounts, Seen, Traits};
use super::base::Base;
use super::cells::{Below, Bytes, Cell, Cells, Now, in_order, own, with_full_key};
use super::journal::Journal;
use super::namespace::Kind;
use super::record::{AccountRecord, PostingHead, Record, from_bytes};
use crate::fault::Fault;
use crate::prefetch::prefetch;
use crate::store::Row;
use std::any::Any;
use std::cell::{RefCell, RefMut};
use std::ops::Bound;
use std::sync::Arc;
use tenor_abi::entry::Side;
use tenor_abi::id::{AccountId, AssetId, Hash};

/// Most rows of the base that are read together where some of them were written over.
const TOGETHER: usize = 256;

/// A point that an overlay can be rolled back to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mark(usize);

/// A moment in the making of a block: between two that are the same nothing was written that was not taken back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moment(u64);

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
    journal: Journal,
    /// Writes before the journal's, which are not taken back.
    kept: usize,
}

impl<'b> Overlay<'b> {
    /// An overlay without writes.
    pub fn new(base: &'b dyn Base) -> Overlay<'b> {
        Overlay { base, cells: RefCell::default(), journal: Journal::default(), kept: 0 }
    }

    /// A row that was read is not what a leaf says, as `what` tells: the base is not believed at the next opening.
    pub fn distrust(&self, what: &str) -> Fault {
        self.base.distrust(what)
    }

    /// The value at a full key.
    ///
    /// # Errors
    /// [`Fault`] of the base.
    pub fn get_row(&self, full_key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        self.look(full_key, |_, cell, accounts| Ok(cell.value(accounts, own)))
    }

    /// How many bytes the value at a full key has, of a row that never changes once it is there: it may be long, and is
    /// not kept as others are that were asked for.
    ///
    /// # Errors
    /// [`Fault`] of the base.
    pub fn row_bytes(&self, full_key: &[u8]) -> Result<Option<usize>, Fault> {
        let value = match self.base.get(full_key)? {
            Some(value) => Some(value),
            None => self.get_row(full_key)?,
        };
        Ok(value.map(|value| value.len()))
    }

    /// Whether there is a value at a full key.
    ///
    /// # Errors
    /// [`Fault`] of the base.
    pub fn has_row(&self, full_key: &[u8]) -> Result<bool, Fault> {
        self.look(full_key, |_, cell, _| {
            Ok(match cell.now {
                Now::Unwritten => matches!(cell.below, Below::Value(..) | Below::Account),
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
        if places.is_empty() {
            // Whoever changes the base is not waited for.
            return Ok(());
        }
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
        self.journal.cell(place, cells.write(place, now));
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

    /// Asks memory for accounts that are needed after the next ones, where they were read or asked for before: for the way
    /// to them now, and for themselves when it is asked for others.
    pub fn prefetch_accounts<'i>(&self, accounts: impl Iterator<Item = &'i AccountId>) {
        let mut cells = self.cells.borrow_mut();
        cells.accounts.reach();
        for account in accounts {
            if !cells.accounts.approach(account) {
                with_full_key(Kind::Account, &account.0, |full| cells.prefetch(full));
            }
        }
    }

    /// Asks memory for accounts that were seen.
    pub fn prefetch_seen(&self, seen: impl Iterator<Item = Seen>) {
        let cells = self.cells.borrow();
        seen.filter(|seen| seen.turn == cells.turn).for_each(|seen| cells.accounts.prefetch_at(seen.at));
    }

    /// Asks memory for the cells of records that are needed soon, where they were read or asked for before.
    pub fn prefetch_records<'i, R: Record>(&self, ids: impl Iterator<Item = &'i [u8; 32]>) {
        let cells = self.cells.borrow();
        ids.for_each(|id| with_full_key(R::KIND, id, |full| cells.prefetch(full)));
    }

    /// Asks memory for a row that is needed soon and then for one that is needed later, whose cells lie at places.
    pub fn prefetch_rows(&self, soon: Option<Place>, later: Option<Place>) {
        let cells = self.cells.borrow();
        for (place, is_near) in [(soon, true), (later, false)] {
            let place = place.filter(|place| place.generation == cells.generation);
            place.into_iter().for_each(|place| cells.prefetch_at(place.cell, is_near));
        }
    }

    /// Accounts, to be looked at one after the other. Nothing else is read or written meanwhile.
    #[inline(always)]
    pub fn accounts(&self) -> AccountsView<'_> {
        let mut cells = self.cells.borrow_mut();
        cells.bound();
        AccountsView { cells, base: self.base }
    }

    /// What is made of an account that was seen, as it is now.
    ///
    /// # Errors
    /// As [`AccountsView::at`].
    pub fn account_at<T>(
        &self,
        seen: Seen,
        account: &AccountId,
        make: impl FnOnce(&AccountRecord) -> T,
    ) -> Result<T, Fault> {
        self.accounts().at(seen, account).map(make)
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
        self.journal.cell(place.cell, cells.write(place.cell, value.map_or(Now::Deleted, Now::Value)));
    }

    /// The place of the cell of a record, after the base was asked.
    ///
    /// # Errors
    /// [`Fault`] of the base.
    pub fn record_place<R: Record>(&mut self, key: &[u8]) -> Result<Place, Fault> {
        with_full_key(R::KIND, key, |full| self.place(full, None))
    }

    /// The record whose cell lies at a place, made of its bytes: nobody else needs it.
    ///
    /// # Errors
    /// As [`Overlay::get`].
    ///
    /// # Panics
    /// As [`Overlay::post`].
    pub fn record_at<R: Record>(&mut self, place: Place) -> Result<Option<R>, Fault> {
        let cells = self.cells.get_mut();
        assert_eq!(place.generation, cells.generation, "a place is used as long as its cell lies there");
        let Cell { key, below, now, .. } = &cells.list[place.cell];
        if matches!((now, below), (Now::Unwritten, Below::Unasked)) {
            let value = self.base.get(key)?;
            cells.remember(place.cell, value.map(Bytes::from));
        }
        let cell = &cells.list[place.cell];
        cell.value(&cells.accounts, |bytes| bytes.map(|bytes| from_bytes(&cell.key, bytes)).transpose())
    }

    /// Begins to book an entry: what its postings have in common.
    #[inline(always)]
    pub fn book(&mut self, head: PostingHead) -> Booking<'_> {
        let cells = self.cells.get_mut();
        cells.postings.begin(&head);
        Booking { cells, journal: &mut self.journal, base: self.base }
    }

    /// Brings an account that was posted on up to the root of its history, at the end of a block: nothing takes it back.
    /// How many postings it counts.
    ///
    /// # Panics
    /// When nothing was posted on it, or as [`Overlay::post`].
    pub fn set_history_root(&mut self, posted: Seen, root: Hash) -> u64 {
        let cells = self.cells.get_mut();
        assert_eq!(posted.turn, cells.turn, "a place is used as long as its account lies there");
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
                self.journal.cell(place, cells.write(place, now));
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
        let is_meant = |cell: &Cell| cell.is_written() && cell.key.first() == Some(&(kind as u8));
        let meant = cells.list.iter().enumerate().filter(|(_, cell)| is_meant(cell));
        let places = in_order(&cells.list, meant.map(|(place, _)| place));
        let Cells { list, accounts, .. } = &mut *cells;
        let row = |place: usize| {
            let cell = &mut list[place];
            cell.settle();
            cell.value(accounts, |value| make(&cell.key, value))
        };
        places.into_iter().map(row).collect()
    }

    /// The moment that it is now.
    pub fn moment(&self) -> Moment {
        Moment(self.journal.last())
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
        while self.journal.len() > at {
            self.journal.take_back(self.cells.get_mut());
        }
    }

    /// What was written so far stays: an item is over, and no mark before this point is gone back to.
    #[inline]
    pub fn keep(&mut self) {
        self.kept += self.journal.len();
        self.journal.clear();
    }
}

/// Accounts of an overlay that are looked at one after the other, where they lie.
pub struct AccountsView<'o> {
    cells: RefMut<'o, Cells>,
    base: &'o dyn Base,
}

impl AccountsView<'_> {
    /// Where an account lies, its traits, and its record.
    ///
    /// # Errors
    /// As [`Overlay::get`].
    #[inline(always)]
    pub fn find(&mut self, account: &AccountId) -> Result<Option<(Seen, Traits, &AccountRecord)>, Fault> {
        let at = self.cells.account(account, |key| self.base.get(key))?;
        Ok(at.map(|at| {
            let kept = self.cells.accounts.at(at);
            if !kept.is_written() {
                // It is mostly looked at to be booked on.
                prefetch(&self.cells.list[kept.cell as usize]);
            }
            (self.cells.seen(at), kept.traits, &kept.record)
        }))
    }

    /// Asks memory for accounts that are looked for soon, where they were read before.
    pub fn prefetch<'i>(&mut self, accounts: impl Iterator<Item = &'i AccountId>) {
        accounts.for_each(|account| _ = self.cells.accounts.approach(account));
        self.cells.accounts.reach();
    }

    /// An account that was seen, as it is now.
    ///
    /// # Errors
    /// As [`Overlay::get`].
    #[inline(always)]
    pub fn at(&mut self, seen: Seen, account: &AccountId) -> Result<&AccountRecord, Fault> {
        let at = self.cells.place_of(seen, account, self.base)?;
        Ok(&self.cells.accounts.at(at).record)
    }
}

/// An entry that is being booked: its accounts are opened before they are posted on.
pub struct Booking<'o> {
    cells: &'o mut Cells,
    journal: &'o mut Journal,
    base: &'o dyn Base,
}

impl Booking<'_> {
    /// Opens an account that was seen before anything was written since; where it is seen now.
    ///
    /// # Errors
    /// As [`AccountsView::at`].
    #[inline(always)]
    pub fn open(&mut self, seen: Seen, account: &AccountId) -> Result<Seen, Fault> {
        let at = self.cells.place_of(seen, account, self.base)?;
        if self.cells.open(at) {
            self.journal.opened(at);
        }
        Ok(self.cells.seen(at))
    }

    /// In what an account is that was opened.
    #[inline(always)]
    pub fn asset(&self, opened: Seen) -> AssetId {
        self.cells.accounts.at(opened.at).record.asset
    }

    /// Books a posting on an account that was opened: counters and history.
    #[inline(always)]
    pub fn post(&mut self, opened: Seen, side: Side, amount: u128) {
        self.cells.post(opened.at, side, amount);
        self.journal.posted(opened.at);
    }

    /// Changes what is pending on an account that was opened, by so much.
    ///
    /// # Errors
    /// [`Fault::Books`] when less is pending than is taken away.
    pub fn pend(&mut self, opened: Seen, (debits, credits): (i128, i128)) -> Result<(), Fault> {
        let kept = self.cells.accounts.at(opened.at);
        let (debits_before, credits_before) = kept.record.counters.pending();
        let after = debits_before.checked_add_signed(debits).zip(credits_before.checked_add_signed(credits));
        let short = || Fault::Books(format!("less is pending on {} than is taken away", kept.id()));
        let after = after.ok_or_else(short)?;
        self.journal.pending(opened.at, self.cells.set_pending(opened.at, after));
        Ok(())
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
mod tests;
