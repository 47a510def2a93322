//! The overlay: every write of a block in the making, over a base that does not change.
//!
//! It is the one place where state is written. A mark can be taken before anything that may have to be rolled
//! back; forks of state (a proposal, a simulation) are overlays over the same base.
//!
//! A record that is read or written many times in a block is decoded once and encoded once: a cell holds it as
//! what it is until the block's writes are taken out. Postings are only ever added: they lie in one run for each
//! account, beside the account's cell.

use super::namespace::Kind;
use super::posted::Posted;
use super::record::{self, Record};
use crate::fault::Fault;
use crate::store::{Change, Row};
use hashbrown::{DefaultHashBuilder, HashTable};
use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::mem;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;
use tenor_abi::id::AccountId;

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

/// What takes a write back.
enum Undo {
    /// What a cell held before.
    Cell(usize, Now),
    /// The last posting of the account in a cell was added.
    Posting(usize),
}

/// A record as it is held until its bytes are asked for.
trait Held: Any + Send + Sync {
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
    Value(Vec<u8>, Option<Arc<dyn Held>>),
}

/// What is written at a key.
enum Now {
    /// Nothing: what the base has holds.
    Unwritten,
    Deleted,
    Value(Vec<u8>),
    Record(Arc<dyn Held>),
}

/// A key that mostly lies in its cell.
enum Key {
    Short(u8, [u8; Key::SHORT_BYTES]),
    Long(Box<[u8]>),
}

impl Key {
    /// Keys of accounts, agreements, schedules and parties are no longer.
    const SHORT_BYTES: usize = 38;

    fn of(key: &[u8]) -> Key {
        let mut short = [0; Key::SHORT_BYTES];
        match short.get_mut(..key.len()) {
            None => Key::Long(key.into()),
            Some(to) => {
                to.copy_from_slice(key);
                Key::Short(key.len() as u8, short)
            }
        }
    }

    fn into_vec(self) -> Vec<u8> {
        match self {
            Key::Short(length, bytes) => bytes[..usize::from(length)].to_vec(),
            Key::Long(bytes) => bytes.into_vec(),
        }
    }
}

impl std::ops::Deref for Key {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Key::Short(length, bytes) => &bytes[..usize::from(*length)],
            Key::Long(bytes) => bytes,
        }
    }
}

struct Cell {
    key: Key,
    below: Below,
    now: Now,
    /// Postings that were added to the account of this cell.
    posted: Option<Box<Posted>>,
}

/// Cells by key. They stay where they are: the journal names them by their place.
#[derive(Default)]
struct Cells {
    list: Vec<Cell>,
    /// Hash of a key and the place of its cell.
    places: HashTable<(u64, usize)>,
    /// With a seed of its own, for keys are chosen outside; no outcome depends on it.
    hasher: DefaultHashBuilder,
    /// How often the cells were thrown away.
    generation: u32,
    remembered_bytes: usize,
    /// Cells that were written at some time, by kind; brought in order when rows of the kind are walked over.
    written: BTreeMap<u8, Written>,
    /// Cells of accounts with postings that were added, under their accounts' keys.
    posted: Written,
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
            |(other, place)| *other == hash && *list[*place].key == *full_key,
            |(hash, _)| *hash,
        );
        let made = entry.or_insert_with(|| {
            list.push(Cell::new(full_key));
            (hash, list.len() - 1)
        });
        made.get().1
    }

    /// The place of a key, after the base was asked unless the cell is written.
    fn asked(&mut self, base: &dyn Base, full_key: &[u8]) -> Result<usize, Fault> {
        let place = self.place(full_key);
        let cell = &mut self.list[place];
        if matches!((&cell.now, &cell.below), (Now::Unwritten, Below::Unasked)) {
            let value = base.get(full_key)?;
            self.remember(place, value);
        }
        Ok(place)
    }

    fn remember(&mut self, place: usize, value: Option<Vec<u8>>) {
        let cell = &mut self.list[place];
        self.remembered_bytes += value.as_ref().map_or(0, Vec::len) + cell.key.len();
        cell.below = value.map_or(Below::Nothing, |value| Below::Value(value, None));
    }

    /// Forgets what the base said, when that is much.
    fn bound(&mut self) {
        if self.remembered_bytes <= REMEMBERED_BYTES_MAX {
            return;
        }
        if self.written.is_empty() {
            *self = Cells { generation: self.generation + 1, ..Cells::default() };
        } else {
            // Of what is written it is asked once more, at the end.
            let unwritten = self.list.iter_mut().filter(|cell| matches!(cell.now, Now::Unwritten));
            unwritten.for_each(|cell| cell.below = Below::Unasked);
            self.remembered_bytes = 0;
        }
    }

    /// Writes a cell and returns what it held.
    fn write(&mut self, place: usize, now: Now) -> Undo {
        let cell = &mut self.list[place];
        let before = mem::replace(&mut cell.now, now);
        if matches!(before, Now::Unwritten) {
            self.written.entry(cell.key[0]).or_default().fresh.push(place);
        }
        Undo::Cell(place, before)
    }

    /// Adds a posting to the account of a cell.
    fn post(&mut self, place: usize, sequence: u64, parts: [&[u8]; 2]) -> Undo {
        let cell = &mut self.list[place];
        if cell.posted.is_none() {
            self.posted.fresh.push(place);
        }
        cell.posted.get_or_insert_with(|| Box::new(Posted::from(sequence))).push(sequence, parts);
        Undo::Posting(place)
    }

    /// The posting of a full key, where it was added here.
    fn posting(&self, full_key: &[u8]) -> Option<&[u8]> {
        let (account, sequence) = posting_of(full_key)?;
        let place = with_full_key(Kind::Account, &account.0, |full| self.find(full))?;
        self.list[place].posted.as_ref()?.get(sequence)
    }

    /// The place of a key's cell, when there is one.
    fn find(&self, full_key: &[u8]) -> Option<usize> {
        let hash = self.hasher.hash_one(full_key);
        let is_meant = |(other, place): &(u64, usize)| *other == hash && *self.list[*place].key == *full_key;
        self.places.find(hash, is_meant).map(|(_, place)| *place)
    }

    /// The first row that was written, from a key on and before another; no value where it was deleted.
    fn next_written_between(&mut self, from: Bound<&[u8]>, end: &[u8]) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
        let (Bound::Included(first) | Bound::Excluded(first)) = from else { return None };
        let kinds = first.first().copied().unwrap_or(0)..=end.first().copied().unwrap_or(0);
        let of_cells: Vec<u8> = self.written.range(kinds.clone()).map(|(kind, _)| *kind).collect();
        let cell = of_cells.into_iter().find_map(|kind| self.next_written(kind, from, end));
        let row = cell.map(|place| (self.list[place].key.to_vec(), self.list[place].value(own)));
        if !kinds.contains(&(Kind::History as u8)) {
            return row;
        }
        let posting = self.next_posting(from, end).map(|(key, posting)| (key, Some(posting)));
        [row, posting].into_iter().flatten().min_by(|a, b| a.0.cmp(&b.0))
    }

    /// The first cell of a kind that is written, from a key on and before another.
    fn next_written(&mut self, kind: u8, from: Bound<&[u8]>, end: &[u8]) -> Option<usize> {
        let Written { fresh, ordered } = self.written.get_mut(&kind)?;
        ordered.extend(fresh.drain(..).map(|place| (self.list[place].key.to_vec(), place)));
        let mut range = ordered.range::<[u8], _>((from, Bound::Excluded(end)));
        // A write that was rolled back left its cell in the order.
        range.find(|(_, place)| !matches!(self.list[**place].now, Now::Unwritten)).map(|(_, place)| *place)
    }

    /// The first posting that was added, from a key on and before another.
    fn next_posting(&mut self, from: Bound<&[u8]>, end: &[u8]) -> Option<Row> {
        let Written { fresh, ordered } = &mut self.posted;
        // In the order of their accounts, as their rows would be.
        let of_account = |place: usize| Kind::History.full_key(&self.list[place].key[1..]);
        ordered.extend(fresh.drain(..).map(|place| (of_account(place), place)));
        let (Bound::Included(first) | Bound::Excluded(first)) = from else { return None };
        let accounts =
            ordered.range::<[u8], _>((Bound::Included(&first[..first.len().min(33)]), Bound::Excluded(end)));
        for (account, place) in accounts {
            let Some(posted) = &self.list[*place].posted else { continue };
            for sequence in posted.sequences() {
                let key = [account.as_slice(), &sequence.to_be_bytes()].concat();
                if (from, Bound::Excluded(end)).contains(key.as_slice()) {
                    return posted.get(sequence).map(|posting| (key, posting.to_vec()));
                }
            }
        }
        None
    }
}

impl Cell {
    fn new(key: &[u8]) -> Cell {
        Cell { key: Key::of(key), below: Below::Unasked, now: Now::Unwritten, posted: None }
    }

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
        let Some(held) = decoded::<R>(&self.key, &mut self.now, &mut self.below)? else { return Ok(None) };
        held.as_any().downcast_ref().ok_or_else(|| unlike::<R>(&self.key)).map(Some)
    }

    /// The value, as a record that is shared with whoever asks.
    fn shared<R: Record>(&mut self) -> Result<Option<Arc<R>>, Fault> {
        let Some(held) = decoded::<R>(&self.key, &mut self.now, &mut self.below)? else { return Ok(None) };
        let any: Arc<dyn Any + Send + Sync> = held.clone();
        any.downcast().map_err(|_| unlike::<R>(&self.key)).map(Some)
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

    fn has_postings(&self) -> bool {
        self.posted.as_ref().is_some_and(|posted| !posted.sequences().is_empty())
    }
}

/// What a cell holds as a record, decoded now where it was not before.
fn decoded<'c, R: Record>(
    key: &[u8],
    now: &'c mut Now,
    below: &'c mut Below,
) -> Result<Option<&'c Arc<dyn Held>>, Fault> {
    if let Now::Value(bytes) = now {
        *now = Now::Record(Arc::new(record::from_bytes::<R>(key, bytes)?));
    }
    match (now, below) {
        (Now::Record(held), _) => Ok(Some(held)),
        (Now::Unwritten, Below::Value(bytes, held)) => {
            if held.is_none() {
                *held = Some(Arc::new(record::from_bytes::<R>(key, bytes)?));
            }
            Ok(held.as_ref())
        }
        _ => Ok(None),
    }
}

fn unlike<R: Record>(key: &[u8]) -> Fault {
    Fault::State(format!("{:?} record at {} is read as another", R::KIND, record::hex(key)))
}

/// The account and the sequence of a posting's full key.
fn posting_of(full_key: &[u8]) -> Option<(AccountId, u64)> {
    let (account, sequence) = full_key.strip_prefix(&[Kind::History as u8])?.split_first_chunk::<32>()?;
    Some((AccountId(*account), u64::from_be_bytes(sequence.try_into().ok()?)))
}

fn own(value: Option<&[u8]>) -> Option<Vec<u8>> {
    value.map(<[u8]>::to_vec)
}

/// Longest full key that needs no memory of its own to be looked up.
const SHORT_KEY_BYTES: usize = 112;

/// What is made of a record's full key.
fn with_full_key<T>(kind: Kind, key: &[u8], make: impl FnOnce(&[u8]) -> T) -> T {
    joined([&[kind as u8], key, &[]], make)
}

/// What is made of a key that comes in parts; a short one needs no memory of its own.
pub(crate) fn joined<T>(parts: [&[u8]; 3], make: impl FnOnce(&[u8]) -> T) -> T {
    let mut whole = [0; SHORT_KEY_BYTES];
    let mut length = 0;
    for part in parts {
        let Some(to) = whole.get_mut(length..length + part.len()) else { return make(&parts.concat()) };
        to.copy_from_slice(part);
        length += part.len();
    }
    make(&whole[..length])
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
        let place = cells.asked(self.base, full_key)?;
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
            let cell = cells.asked(self.base, full)?;
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
            false => with_full_key(R::KIND, key, |full| cells.asked(self.base, full))?,
        };
        let now = cells.list[cell].record::<R>()?;
        let is_same = now.is_some_and(|now| std::ptr::eq(now, &**before) || *now == **before);
        Ok(is_same.then_some(Place { cell, generation }))
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
    places.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| (*list[a.1].key).cmp(&*list[b.1].key)));
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
