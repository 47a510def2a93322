//! The overlay: every write of a block in the making, over a base that does not change.
//!
//! It is the one place where state is written. A mark can be taken before anything that may have to be rolled
//! back; forks of state (a proposal, a simulation) are overlays over the same base.
//!
//! A record that is read or written many times in a block is decoded once and encoded once: a cell holds it as
//! what it is until the block's writes are taken out. Postings are only ever added: they lie in one run for each
//! account, beside the account's cell.

use super::cells::{Below, Cell, Cells, Now, Undo, as_slice, in_order, own, with_full_key};
use super::namespace::Kind;
use super::record::Record;
use crate::fault::Fault;
use crate::store::{Change, Row};
use std::cell::RefCell;
use std::mem;
use std::ops::Bound;
use std::sync::Arc;
use tenor_abi::id::AccountId;

/// State as it was after a block.
pub trait Base {
    /// The value at a full key.
    ///
    /// # Errors
    /// [`Fault`] when the store fails or the value is not what the trie says.
    fn get(&self, full_key: &[u8]) -> Result<Option<Vec<u8>>, Fault>;

    /// The values at many full keys, in order.
    ///
    /// # Errors
    /// As [`Base::get`].
    fn get_all(&self, full_keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, Fault> {
        full_keys.iter().map(|full_key| self.get(full_key)).collect()
    }

    /// The first row at or after `from` and before `end`.
    ///
    /// # Errors
    /// As [`Base::get`].
    fn next(&self, from: &[u8], end: &[u8]) -> Result<Option<Row>, Fault>;

    /// A row that was read is not what a leaf says: what the disk has is not believed at the next opening.
    fn distrust(&self) {}
}

/// A point that an overlay can be rolled back to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mark(usize);

/// Where the cell of a key lies, so that it is looked for once. It is no longer believed when the overlay has begun
/// anew since.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    cell: usize,
    generation: u32,
}

/// Writes over a base.
pub struct Overlay<'b> {
    base: &'b dyn Base,
    cells: RefCell<Cells>,
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
        self.look(full_key, |cell| Ok(cell.value(own)))
    }

    /// Whether there is a value at a full key.
    ///
    /// # Errors
    /// [`Fault`] of the base.
    pub fn has_row(&self, full_key: &[u8]) -> Result<bool, Fault> {
        self.look(full_key, |cell| {
            Ok(match cell.now {
                Now::Unwritten => matches!(cell.below, Below::Value(..)),
                Now::Deleted => false,
                Now::Value(_) | Now::Record(_) => true,
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
        let Cells { list, places, .. } = self.cells.get_mut();
        list.reserve(rows);
        places.reserve(rows, |(hash, _)| *hash);
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
        places.into_iter().zip(values).for_each(|(place, value)| cells.remember(place, value));
        Ok(())
    }

    /// What is made of the cell of a full key.
    fn look<T>(&self, full_key: &[u8], make: impl FnOnce(&mut Cell) -> Result<T, Fault>) -> Result<T, Fault> {
        let mut cells = self.cells.borrow_mut();
        cells.bound();
        if let Some(posting) = cells.posting(full_key) {
            // It is shown like a row that the base has.
            let below = Below::Value(posting.to_vec(), None);
            return make(&mut Cell { below, ..Cell::new(full_key) });
        }
        let place = cells.asked(full_key, |key| self.base.get(key))?;
        make(&mut cells.list[place])
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
        if from >= end {
            return Ok(None);
        }
        let mut cells = self.cells.borrow_mut();
        let mut base_from = from.to_vec();
        let mut written_from = Bound::Included(from.to_vec());
        let mut below = self.base.next(&base_from, end)?;
        loop {
            let found = cells.next_written_between(as_slice(&written_from), end);
            // A written row in front of the base's next row wins; a deleted one is passed over.
            match (below.take(), found) {
                (Some(row), None) => return Ok(Some(row)),
                (Some(row), Some((key, _))) if row.0 < key => return Ok(Some(row)),
                (None, None) => return Ok(None),
                (_, Some((key, Some(value)))) => return Ok(Some((key, value))),
                (row, Some((key, None))) => {
                    let covered = row.as_ref().is_some_and(|row| row.0 == key);
                    below = row;
                    if covered {
                        base_from.clone_from(&key);
                        base_from.push(0);
                        below = self.base.next(&base_from, end)?;
                    }
                    written_from = Bound::Excluded(key);
                }
            }
        }
    }

    /// The keys of the rows at or after `from` and before `end`, writes included, at most so many; what the base said
    /// is remembered.
    ///
    /// # Errors
    /// [`Fault`] of the base.
    pub fn next_rows(&self, from: &[u8], end: &[u8], count_max: usize) -> Result<Vec<Vec<u8>>, Fault> {
        let (mut keys, mut from) = (vec![], from.to_vec());
        while keys.len() < count_max {
            let Some((key, value)) = self.next_row(&from, end)? else { break };
            let mut cells = self.cells.borrow_mut();
            let place = cells.place(&key);
            if matches!((&cells.list[place].now, &cells.list[place].below), (Now::Unwritten, Below::Unasked))
            {
                cells.remember(place, Some(value));
            }
            from.clone_from(&key);
            from.push(0);
            keys.push(key);
        }
        Ok(keys)
    }

    /// Whether a row was deleted here.
    pub fn is_deleted(&self, full_key: &[u8]) -> bool {
        let cells = self.cells.borrow();
        cells.find(full_key).is_some_and(|place| matches!(cells.list[place].now, Now::Deleted))
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
        with_full_key(R::KIND, key, |full| self.look(full, |cell| Ok(make(cell.record()?))))
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
            let place = Place { cell, generation: cells.generation };
            Ok(cells.list[cell].shared()?.map(|record| (place, record)))
        })
    }

    /// The place of a record's cell, if the record still is what it was when it was read.
    ///
    /// # Errors
    /// As [`Overlay::get`].
    pub fn still<R: Record + PartialEq>(
        &self,
        place: Place,
        key: &[u8],
        before: &Arc<R>,
    ) -> Result<Option<Place>, Fault> {
        let mut cells = self.cells.borrow_mut();
        let generation = cells.generation;
        let cell = match place.generation == generation {
            true => place.cell,
            false => with_full_key(R::KIND, key, |full| cells.asked(full, |key| self.base.get(key)))?,
        };
        let now = cells.list[cell].record::<R>()?;
        let is_same = now.is_some_and(|now| std::ptr::eq(now, &**before) || *now == **before);
        Ok(is_same.then_some(Place { cell, generation }))
    }

    /// The place of the cell of a full key, after the base was asked. Where it may lie is looked at first.
    ///
    /// # Errors
    /// [`Fault`] of the base.
    pub fn place(&self, full_key: &[u8], guess: Option<Place>) -> Result<Place, Fault> {
        let mut cells = self.cells.borrow_mut();
        cells.bound();
        let generation = cells.generation;
        if let Some(place) = guess.filter(|guess| guess.generation == generation) {
            let Cell { key, below, now, .. } = &cells.list[place.cell];
            if **key == *full_key && !matches!((now, below), (Now::Unwritten, Below::Unasked)) {
                return Ok(place);
            }
        }
        Ok(Place { cell: cells.asked(full_key, |key| self.base.get(key))?, generation })
    }

    /// What is made of the value whose cell lies at a place that was just asked for.
    ///
    /// # Panics
    /// As [`Overlay::set_at`].
    pub fn value_at<T>(&self, place: Place, make: impl FnOnce(Option<&[u8]>) -> T) -> T {
        let cells = self.cells.borrow();
        assert_eq!(place.generation, cells.generation, "a place is used as long as its cell lies there");
        cells.list[place.cell].value(make)
    }

    /// Writes a value whose cell lies at a place, or deletes.
    ///
    /// # Panics
    /// As [`Overlay::set_at`].
    pub fn set_row_at(&mut self, place: Place, value: Option<Vec<u8>>) {
        let cells = self.cells.get_mut();
        assert_eq!(place.generation, cells.generation, "a place is used as long as its cell lies there");
        self.journal.push(cells.write(place.cell, value.map_or(Now::Deleted, Now::Value)));
    }

    /// Writes a record whose cell lies at a place.
    ///
    /// # Panics
    /// When the place is from before the overlay began anew.
    pub fn set_at<R: Record>(&mut self, place: Place, value: Arc<R>) {
        let cells = self.cells.get_mut();
        assert_eq!(place.generation, cells.generation, "a place is used as long as its cell lies there");
        self.journal.push(cells.write(place.cell, Now::Record(value)));
    }

    /// Adds a posting, whose stored bytes come in two parts, to the account whose cell lies at a place.
    ///
    /// # Panics
    /// When postings between it and the account's last one are missing, or as [`Overlay::set_at`].
    pub fn post(&mut self, place: Place, sequence: u64, parts: [&[u8]; 2]) {
        let cells = self.cells.get_mut();
        assert_eq!(place.generation, cells.generation, "a place is used as long as its cell lies there");
        self.journal.push(cells.post(place.cell, sequence, parts));
    }

    /// Writes a record.
    pub fn put<R: Record>(&mut self, key: &[u8], value: &R) {
        self.set(key, value.clone());
    }

    /// Writes a record that nobody else needs.
    pub fn set<R: Record>(&mut self, key: &[u8], value: R) {
        let now = Now::Record(Arc::new(value));
        with_full_key(R::KIND, key, |full| self.write(full, now));
    }

    /// Deletes a record.
    pub fn delete(&mut self, kind: Kind, key: &[u8]) {
        with_full_key(kind, key, |full| self.write(full, Now::Deleted));
    }

    /// Key and value of every row of a kind that is written, in key order; no value for a deleted one.
    pub fn written<T>(&self, kind: Kind, mut make: impl FnMut(&[u8], Option<&[u8]>) -> T) -> Vec<T> {
        let mut cells = self.cells.borrow_mut();
        let is_written = |cell: &Cell| cell.is_written() && cell.key.first() == Some(&(kind as u8));
        let places = in_order(&cells.list, is_written);
        let row = |place: usize| {
            let cell = &mut cells.list[place];
            cell.settle();
            cell.value(|value| make(&cell.key, value))
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
            match undo {
                Undo::Cell(place, before) => cells.list[place].now = before,
                Undo::Posting(place) => cells.list[place].posted.iter_mut().for_each(|posted| posted.pop()),
            }
        }
    }

    /// What was written so far stays: an item is over, and no mark before this point is gone back to.
    pub fn keep(&mut self) {
        self.kept += self.journal.len();
        self.journal.clear();
    }

    /// Accounts to which postings were added, ascending, and what is made of each and its stored postings.
    pub fn posted<T>(&self, mut make: impl FnMut(AccountId, &mut dyn Iterator<Item = &[u8]>) -> T) -> Vec<T> {
        let cells = self.cells.borrow();
        let each = |place: usize| {
            let cell = &cells.list[place];
            let account = cell.key[1..].first_chunk().copied().map(AccountId)?;
            Some(make(account, &mut cell.posted.as_ref()?.iter()))
        };
        in_order(&cells.list, Cell::has_postings).into_iter().filter_map(each).collect()
    }

    /// Every key written, with its value, in key order; a value equal to the base's is left out.
    ///
    /// # Errors
    /// [`Fault`] of the base.
    pub fn into_writes(self) -> Result<Vec<Change>, Fault> {
        let mut list = self.cells.into_inner().list;
        let places = in_order(&list, |cell| cell.is_written() || cell.has_postings());
        let mut changed = Vec::with_capacity(places.len());
        let mut postings = vec![];
        for place in places {
            let Cell { key, below, now, posted } = mem::replace(&mut list[place], Cell::new(&[]));
            if let Some(posted) = posted {
                let rows = posted.sequences().zip(posted.iter());
                let row = |(sequence, posting): (u64, &[u8])| {
                    let parts = [&[Kind::History as u8], &key[1..], &sequence.to_be_bytes()[..]];
                    (parts.concat(), Some(posting.to_vec()))
                };
                postings.extend(rows.map(row));
            }
            let value = match now {
                Now::Unwritten => continue,
                Now::Value(bytes) => Some(bytes),
                Now::Record(record) => Some(record.bytes()),
                Now::Deleted => None,
            };
            let is_same = match below {
                Below::Value(bytes, _) => value.as_ref() == Some(&bytes),
                Below::Nothing => value.is_none(),
                Below::Unasked => self.base.get(&key)? == value,
            };
            if !is_same {
                changed.push((key.into_vec(), value));
            }
        }
        // The postings are in the order of their accounts' rows.
        let behind = changed.partition_point(|(key, _)| key[0] < Kind::History as u8);
        changed.splice(behind..behind, postings);
        Ok(changed)
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
    use proptest::prelude::*;
    use std::collections::BTreeMap;

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

    #[test]
    fn postings_read_like_rows() {
        let account = |of: u8| Kind::Account.full_key(&[of; 32]);
        let below = [(account(1), vec![1]), (posting(1, 0), vec![10]), (posting(2, 0), vec![20])];
        let rows = Rows(below.clone().into());
        let mut overlay = Overlay::new(&rows);
        let place = |overlay: &Overlay<'_>, of: u8| {
            let mut cells = overlay.cells.borrow_mut();
            Place { cell: cells.place(&account(of)), generation: cells.generation }
        };
        let (second, first) = (place(&overlay, 2), place(&overlay, 1));
        overlay.set_row(&[200], Some(vec![]));
        overlay.post(second, 1, [&[2], &[1]]);
        overlay.post(first, 1, [&[1], &[1]]);
        let mark = overlay.mark();
        overlay.post(first, 2, [&[1], &[2]]);
        assert_eq!(overlay.get_row(&posting(1, 2)).unwrap(), Some(vec![1, 2]));
        overlay.roll_back(mark);
        assert_eq!(overlay.get_row(&posting(1, 2)).unwrap(), None);
        overlay.post(first, 2, [&[3], &[]]);
        overlay.keep();
        let added = [(posting(1, 1), vec![1, 1]), (posting(1, 2), vec![3]), (posting(2, 1), vec![2, 1])];
        for (key, value) in &added {
            assert_eq!(overlay.get_row(key).unwrap().as_ref(), Some(value));
            assert!(overlay.has_row(key).unwrap());
        }
        let mut model: BTreeMap<_, _> = below.into_iter().chain(added.clone()).collect();
        model.insert(vec![200], vec![]);
        assert_eq!(all(&overlay), model);
        let by_account = overlay.posted(|account, postings| (account.0[0], postings.count()));
        assert_eq!(by_account, [(1, 2), (2, 1)]);
        let expected: Vec<Change> =
            added.into_iter().chain([(vec![200], vec![])]).map(|(key, value)| (key, Some(value))).collect();
        assert_eq!(overlay.into_writes().unwrap(), expected);
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
            for (key, value) in overlay.into_writes().unwrap() {
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
