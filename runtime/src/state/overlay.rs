//! The overlay: every write of a block in the making, over a base that does not change.
//!
//! It is the one place where state is written. A mark can be taken before anything that may have to be rolled
//! back; forks of state (a proposal, a simulation) are overlays over the same base.
//!
//! A record that is read or written many times in a block is decoded once and encoded once: a cell holds it as
//! what it is until the block's writes are taken out.

use super::namespace::Kind;
use super::record::{self, Record};
use crate::fault::Fault;
use crate::store::{Change, Row};
use hashbrown::HashTable;
use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::mem;
use std::ops::Bound;

/// Bytes of values that an overlay remembers from its base; when there are more it begins anew.
const REMEMBERED_BYTES_MAX: usize = 16 * 1024 * 1024;

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

/// Writes over a base.
pub struct Overlay<'b> {
    base: &'b dyn Base,
    cells: RefCell<Cells>,
    /// The cell of each write, and what it held before.
    journal: Vec<(usize, Now)>,
}

/// A record as it is held until its bytes are asked for.
trait Held: Any + Send {
    fn bytes(&self) -> Vec<u8>;
    fn as_any(&self) -> &dyn Any;
}

impl<R: Record> Held for R {
    fn bytes(&self) -> Vec<u8> {
        record::to_bytes(self)
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// What the base has at a key.
enum Below {
    /// It was not asked, or what it said was forgotten.
    Unasked,
    Nothing,
    /// The value, and the record that it is once it was read as one.
    Value(Vec<u8>, Option<Box<dyn Held>>),
}

/// What is written at a key.
enum Now {
    /// Nothing: what the base has holds.
    Unwritten,
    Deleted,
    Value(Vec<u8>),
    Record(Box<dyn Held>),
}

struct Cell {
    key: Vec<u8>,
    below: Below,
    now: Now,
}

/// Cells by key. They stay where they are: the journal names them by their place.
#[derive(Default)]
struct Cells {
    list: Vec<Cell>,
    /// Hash of a key and the place of its cell.
    places: HashTable<(u64, usize)>,
    hasher: RandomState,
    remembered_bytes: usize,
    /// Cells that were written at some time, by kind; brought in order when rows of the kind are walked over.
    written: BTreeMap<u8, Written>,
}

#[derive(Default)]
struct Written {
    fresh: Vec<usize>,
    ordered: BTreeMap<Vec<u8>, usize>,
}

impl Cells {
    /// The cell of a key, made when there is none.
    fn place(&mut self, full_key: &[u8]) -> usize {
        let Cells { list, places, hasher, .. } = self;
        let hash = hasher.hash_one(full_key);
        let entry = places.entry(
            hash,
            |(other, place)| *other == hash && list[*place].key == full_key,
            |(hash, _)| *hash,
        );
        let made = entry.or_insert_with(|| {
            list.push(Cell { key: full_key.to_vec(), below: Below::Unasked, now: Now::Unwritten });
            (hash, list.len() - 1)
        });
        made.get().1
    }

    /// The cell of a key, after the base was asked unless the cell is written.
    fn asked(&mut self, base: &dyn Base, full_key: &[u8]) -> Result<&mut Cell, Fault> {
        let place = self.place(full_key);
        let cell = &mut self.list[place];
        if matches!((&cell.now, &cell.below), (Now::Unwritten, Below::Unasked)) {
            let value = base.get(full_key)?;
            self.remember(place, value);
        }
        Ok(&mut self.list[place])
    }

    fn remember(&mut self, place: usize, value: Option<Vec<u8>>) {
        let cell = &mut self.list[place];
        self.remembered_bytes += value.as_ref().map_or(0, Vec::len) + cell.key.len();
        cell.below = value.map_or(Below::Nothing, |value| Below::Value(value, None));
    }

    /// Forgets what the base said, when that is much.
    fn bound(&mut self, is_written: bool) {
        if self.remembered_bytes <= REMEMBERED_BYTES_MAX {
            return;
        }
        if is_written {
            self.list.iter_mut().for_each(|cell| cell.below = Below::Unasked);
            self.remembered_bytes = 0;
        } else {
            *self = Cells::default();
        }
    }

    /// Writes a cell and returns what it held.
    fn write(&mut self, full_key: &[u8], now: Now) -> (usize, Now) {
        let place = self.place(full_key);
        let before = mem::replace(&mut self.list[place].now, now);
        if matches!(before, Now::Unwritten) {
            self.written.entry(full_key[0]).or_default().fresh.push(place);
        }
        (place, before)
    }

    /// The first cell that is written, from a key on and before another.
    fn next_written_between(&mut self, from: Bound<&[u8]>, end: &[u8]) -> Option<usize> {
        let (Bound::Included(first) | Bound::Excluded(first)) = from else { return None };
        let kinds = first.first().copied().unwrap_or(0)..=end.first().copied().unwrap_or(0);
        let kinds: Vec<u8> = self.written.range(kinds).map(|(kind, _)| *kind).collect();
        kinds.into_iter().find_map(|kind| self.next_written(kind, from, end))
    }

    /// The first cell of a kind that is written, from a key on and before another.
    fn next_written(&mut self, kind: u8, from: Bound<&[u8]>, end: &[u8]) -> Option<usize> {
        let Written { fresh, ordered } = self.written.get_mut(&kind)?;
        ordered.extend(fresh.drain(..).map(|place| (self.list[place].key.clone(), place)));
        let mut range = ordered.range::<[u8], _>((from, Bound::Excluded(end)));
        // A write that was rolled back left its cell in the order.
        range.find(|(_, place)| !matches!(self.list[**place].now, Now::Unwritten)).map(|(_, place)| *place)
    }
}

impl Cell {
    /// The value, as bytes.
    fn value<T>(&self, make: impl FnOnce(Option<&[u8]>) -> T) -> T {
        match (&self.now, &self.below) {
            (Now::Value(bytes), _) => make(Some(bytes)),
            (Now::Record(record), _) => make(Some(&record.bytes())),
            (Now::Unwritten, Below::Value(bytes, _)) => make(Some(bytes)),
            (Now::Deleted, _) | (Now::Unwritten, _) => make(None),
        }
    }

    /// The value, as a record.
    fn record<R: Record>(&mut self) -> Result<Option<&R>, Fault> {
        match &mut self.now {
            Now::Deleted => return Ok(None),
            Now::Value(bytes) => self.now = Now::Record(Box::new(record::from_bytes::<R>(&self.key, bytes)?)),
            Now::Record(_) => {}
            Now::Unwritten => {
                let Below::Value(bytes, decoded) = &mut self.below else { return Ok(None) };
                if decoded.is_none() {
                    *decoded = Some(Box::new(record::from_bytes::<R>(&self.key, bytes)?));
                }
            }
        }
        let held = match (&self.now, &self.below) {
            (Now::Record(held), _) | (_, Below::Value(_, Some(held))) => held,
            _ => return Ok(None),
        };
        let other =
            || Fault::State(format!("{:?} record at {} is read as another", R::KIND, record::hex(&self.key)));
        held.as_any().downcast_ref().ok_or_else(other).map(Some)
    }

    /// Turns a record into its bytes, which are asked for more than once.
    fn settle(&mut self) {
        if let Now::Record(record) = &self.now {
            self.now = Now::Value(record.bytes());
        }
    }

    fn is_written(&self) -> bool {
        !matches!(self.now, Now::Unwritten)
    }
}

/// Longest full key that needs no memory of its own to be looked up.
const SHORT_KEY_BYTES: usize = 112;

/// What is made of a record's full key.
fn with_full_key<T>(kind: Kind, key: &[u8], make: impl FnOnce(&[u8]) -> T) -> T {
    let length = 1 + key.len();
    if length > SHORT_KEY_BYTES {
        return make(&kind.full_key(key));
    }
    let mut full = [0; SHORT_KEY_BYTES];
    full[0] = kind as u8;
    full[1..length].copy_from_slice(key);
    make(&full[..length])
}

impl<'b> Overlay<'b> {
    /// An overlay without writes.
    pub fn new(base: &'b dyn Base) -> Overlay<'b> {
        Overlay { base, cells: RefCell::default(), journal: Vec::new() }
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
        self.look(full_key, |cell| Ok(cell.value(|value| value.map(<[u8]>::to_vec))))
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
        cells.bound(!self.journal.is_empty());
        let mut places: Vec<usize> = full_keys.iter().map(|full_key| cells.place(full_key)).collect();
        places.sort_unstable();
        places.dedup();
        places.retain(|place| matches!(cells.list[*place].below, Below::Unasked));
        let keys: Vec<&[u8]> = places.iter().map(|place| cells.list[*place].key.as_slice()).collect();
        let values = self.base.get_all(&keys)?;
        places.into_iter().zip(values).for_each(|(place, value)| cells.remember(place, value));
        Ok(())
    }

    /// What is made of the cell of a full key.
    fn look<T>(&self, full_key: &[u8], make: impl FnOnce(&mut Cell) -> Result<T, Fault>) -> Result<T, Fault> {
        let mut cells = self.cells.borrow_mut();
        cells.bound(!self.journal.is_empty());
        make(cells.asked(self.base, full_key)?)
    }

    /// Writes a value, or deletes.
    pub fn set_row(&mut self, full_key: Vec<u8>, value: Option<Vec<u8>>) {
        self.write(&full_key, value.map_or(Now::Deleted, Now::Value));
    }

    fn write(&mut self, full_key: &[u8], now: Now) {
        self.journal.push(self.cells.get_mut().write(full_key, now));
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
            let cell = found.map(|place| &cells.list[place]);
            // A written row in front of the base's next row wins; a deleted one is passed over.
            match (below.take(), cell) {
                (Some(row), None) => return Ok(Some(row)),
                (Some(row), Some(cell)) if row.0 < cell.key => return Ok(Some(row)),
                (None, None) => return Ok(None),
                (row, Some(cell)) => {
                    let covered = row.as_ref().is_some_and(|row| row.0 == cell.key);
                    if let Some(value) = cell.value(|value| value.map(<[u8]>::to_vec)) {
                        return Ok(Some((cell.key.clone(), value)));
                    }
                    written_from = Bound::Excluded(cell.key.clone());
                    below = row;
                    if covered {
                        base_from.clone_from(&cell.key);
                        base_from.push(0);
                        below = self.base.next(&base_from, end)?;
                    }
                }
            }
        }
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

    /// Writes a record.
    pub fn put<R: Record>(&mut self, key: &[u8], value: &R) {
        self.set(key, value.clone());
    }

    /// Writes a record that nobody else needs.
    pub fn set<R: Record>(&mut self, key: &[u8], value: R) {
        let now = Now::Record(Box::new(value));
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
        Mark(self.journal.len())
    }

    /// Takes back every write since a mark.
    pub fn roll_back(&mut self, mark: Mark) {
        let cells = self.cells.get_mut();
        for (place, before) in self.journal.drain(mark.0.min(self.journal.len())..).rev() {
            cells.list[place].now = before;
        }
    }

    /// Every key written, with its value, in key order; a value equal to the base's is left out.
    ///
    /// # Errors
    /// [`Fault`] of the base.
    pub fn into_writes(self) -> Result<Vec<Change>, Fault> {
        let mut list = self.cells.into_inner().list;
        let places = in_order(&list, Cell::is_written);
        let mut changed = Vec::with_capacity(places.len());
        for place in places {
            let gone = Cell { key: vec![], below: Below::Unasked, now: Now::Unwritten };
            let Cell { key, below, now } = mem::replace(&mut list[place], gone);
            let value = match now {
                Now::Value(bytes) => Some(bytes),
                Now::Record(record) => Some(record.bytes()),
                Now::Deleted | Now::Unwritten => None,
            };
            let is_same = match below {
                Below::Value(bytes, _) => value.as_ref() == Some(&bytes),
                Below::Nothing => value.is_none(),
                // A posting is only ever added: the base need not be asked whether it has it.
                Below::Unasked if Kind::of(key[0]) == Some(Kind::History) => false,
                Below::Unasked => self.base.get(&key)? == value,
            };
            if !is_same {
                changed.push((key, value));
            }
        }
        Ok(changed)
    }
}

/// Places of cells in the order of their keys. Most keys differ in their first bytes, which are compared at once.
fn in_order(list: &[Cell], is_meant: impl Fn(&Cell) -> bool) -> Vec<usize> {
    let first = |key: &[u8]| {
        let mut bytes = [0; 16];
        let length = key.len().min(bytes.len());
        bytes[..length].copy_from_slice(&key[..length]);
        u128::from_be_bytes(bytes)
    };
    let meant = list.iter().enumerate().filter(|(_, cell)| is_meant(cell));
    let mut places: Vec<(u128, usize)> = meant.map(|(place, cell)| (first(&cell.key), place)).collect();
    places.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| list[a.1].key.cmp(&list[b.1].key)));
    places.into_iter().map(|(_, place)| place).collect()
}

fn as_slice(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    bound.as_ref().map(Vec::as_slice)
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
                    overlay.set_row(key.clone(), value.map(|v| vec![v]));
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
