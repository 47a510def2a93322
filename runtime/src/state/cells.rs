//! Cells: what an overlay knows of each key. What its base has there, what is written there, and the postings that
//! were added to an account.

use super::accounts::{Accounts, Kept, Seen};
use super::base::Base;
use super::namespace::Kind;
use super::overlay::Place;
use super::posted::{Posted, Postings};
use super::record::{self, AccountRecord, Record};
use crate::fault::Fault;
use crate::prefetch::prefetch;
use crate::store::Row;
use hashbrown::{DefaultHashBuilder, HashTable};
use std::any::Any;
use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::mem;
use std::ops::{Bound, Deref, Range, RangeBounds};
use std::sync::Arc;
use tenor_abi::entry::Side;
use tenor_abi::id::{AccountId, Hash};
use tenor_wire::hexadecimal::hex;

/// Bytes of values that an overlay remembers from its base; when there are more it begins anew.
const REMEMBERED_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Rows of which one is an account, more or less, where room is made for rows.
const ROWS_OF_ACCOUNT: usize = 6;

/// A record as it is held until its bytes are asked for.
pub(super) trait Held: Any + Send + Sync {
    fn bytes(&self) -> Vec<u8>;
    fn append(&self, bytes: &mut Vec<u8>);
    fn as_any(&self) -> &dyn Any;
}

impl<R: Record> Held for R {
    fn bytes(&self) -> Vec<u8> {
        record::to_bytes(self)
    }
    fn append(&self, bytes: &mut Vec<u8>) {
        record::append(bytes, self);
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// What the base has at a key.
pub(super) enum Below {
    /// It was not asked, or what it said was forgotten.
    Unasked,
    Nothing,
    /// The value, and the record that it is once it was read as one.
    Value(Bytes, Option<Arc<dyn Held>>),
    /// The account that the cell has, as which it was read: its bytes follow from that, as long as it is not booked on.
    Account,
}

/// A value of the base, among those of the keys that were asked for with its own: they lie in one piece of memory, which is
/// asked for once and given back once.
pub(super) struct Bytes {
    all: Arc<Vec<u8>>,
    own: Range<usize>,
}

impl From<Vec<u8>> for Bytes {
    fn from(value: Vec<u8>) -> Bytes {
        Bytes { own: 0..value.len(), all: Arc::new(value) }
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.all[self.own.clone()]
    }
}

/// What is written at a key.
pub(super) enum Now {
    /// Nothing: what the base has holds.
    Unwritten,
    Deleted,
    Value(Vec<u8>),
    Record(Arc<dyn Held>),
    /// An account, which lies among the accounts.
    Account(u32),
}

/// A key that mostly lies in its cell.
pub(super) enum Key {
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
}

impl Deref for Key {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Key::Short(length, bytes) => &bytes[..usize::from(*length)],
            Key::Long(bytes) => bytes,
        }
    }
}

pub(super) struct Cell {
    pub key: Key,
    pub below: Below,
    pub now: Now,
    /// Where among the accounts the value lies as a record, if it was read or written as one.
    pub account: Option<u32>,
    /// Of its key.
    pub hash: u32,
}

/// Where the cell of a key lies. Slots are small, so that all of them stay near the processor.
pub(super) struct Slot {
    hash: u32,
    cell: u32,
}

impl Slot {
    /// What the table goes by.
    pub fn spread(&self) -> u64 {
        spread(self.hash)
    }
}

fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

/// Cells by key. They stay where they are: the journal names them by their place.
#[derive(Default)]
pub(super) struct Cells {
    pub list: Vec<Cell>,
    places: HashTable<Slot>,
    /// With a seed of its own, for keys are chosen outside; no outcome depends on it.
    hasher: DefaultHashBuilder,
    /// Values of cells that are accounts.
    pub accounts: Accounts,
    /// How often the cells were thrown away.
    pub generation: u32,
    /// How often they were, or another record took an account's place.
    pub turn: u32,
    remembered_bytes: usize,
    /// Cells that were written at some time, by kind.
    written: BTreeMap<u8, Written>,
    pub postings: Postings,
    /// Cells of accounts with postings that were filed, under the first bytes of their histories' keys.
    posted: Written,
}

/// Cells that are brought in order when their rows are walked over.
#[derive(Default)]
struct Written {
    fresh: Vec<usize>,
    ordered: BTreeMap<Vec<u8>, usize>,
}

impl Cells {
    /// The cell of a key, made when there is none.
    pub fn place(&mut self, full_key: &[u8]) -> usize {
        let hash = self.hash(full_key);
        if let Some(place) = self.find_hashed(hash, full_key) {
            return place;
        }
        self.add(Cell { hash, ..Cell::new(full_key) })
    }

    fn add(&mut self, cell: Cell) -> usize {
        let (place, hash) = (self.list.len(), cell.hash);
        self.list.push(cell);
        self.places.insert_unique(spread(hash), Slot { hash, cell: place as u32 }, Slot::spread);
        place
    }

    fn hash(&self, full_key: &[u8]) -> u32 {
        self.hasher.hash_one(full_key) as u32
    }

    fn find_hashed(&self, hash: u32, full_key: &[u8]) -> Option<usize> {
        let is_meant = |slot: &Slot| slot.hash == hash && *self.list[slot.cell as usize].key == *full_key;
        self.places.find(spread(hash), is_meant).map(|slot| slot.cell as usize)
    }

    /// Makes room for so many more.
    pub fn reserve(&mut self, count: usize) {
        self.list.reserve(count);
        self.places.reserve(count, Slot::spread);
        self.accounts.reserve(count / ROWS_OF_ACCOUNT);
    }

    /// Asks memory for the cell of a key, if there is one.
    pub fn prefetch(&self, full_key: &[u8]) {
        self.approach(self.hash(full_key));
    }

    /// Asks memory for the way to the cell of a key by its hash, and for the cell, if there is one.
    fn approach(&self, hash: u32) {
        if let Some(slot) = self.places.find(spread(hash), |slot| slot.hash == hash) {
            prefetch(&self.list[slot.cell as usize]);
        }
    }

    /// Asks memory for the cell that lies at a place; where it is near already, for its key and the way to it.
    pub fn prefetch_at(&self, place: usize, is_near: bool) {
        let cell = &self.list[place];
        match is_near {
            false => prefetch(cell),
            true => {
                self.approach(cell.hash);
                prefetch(&*cell.key);
            }
        }
    }

    /// The place of a key, after the base was asked unless the cell is written.
    pub fn asked(
        &mut self,
        full_key: &[u8],
        ask: impl FnOnce(&[u8]) -> Result<Option<Vec<u8>>, Fault>,
    ) -> Result<usize, Fault> {
        let place = self.place(full_key);
        let cell = &self.list[place];
        if matches!((&cell.now, &cell.below), (Now::Unwritten, Below::Unasked)) {
            self.remember(place, ask(full_key)?.map(Bytes::from));
        }
        Ok(place)
    }

    /// What the base said of cells that it was asked about together.
    pub fn remember_all(&mut self, places: &[usize], values: &[Option<Vec<u8>>]) {
        let there = || values.iter().flatten();
        let mut all = Vec::with_capacity(there().map(Vec::len).sum());
        there().for_each(|value| all.extend_from_slice(value));
        let (all, mut start) = (Arc::new(all), 0);
        for (place, value) in places.iter().zip(values) {
            let value = value.as_ref().map(|value| {
                let own = start..start + value.len();
                start = own.end;
                Bytes { all: Arc::clone(&all), own }
            });
            self.remember(*place, value);
        }
    }

    pub fn remember(&mut self, place: usize, value: Option<Bytes>) {
        let cell = &mut self.list[place];
        self.remembered_bytes += value.as_ref().map_or(0, |value| value.len()) + cell.key.len();
        cell.below = value.map_or(Below::Nothing, |value| Below::Value(value, None));
    }

    /// None, whose keys go by the same hashes.
    pub fn alike(&self) -> Cells {
        Cells { hasher: self.hasher.clone(), ..Cells::default() }
    }

    /// Takes in what the base said to the cells of another one whose keys go by the same hashes.
    pub fn take_in(&mut self, read: Cells) {
        let Cells { list, accounts, remembered_bytes, .. } = read;
        self.remembered_bytes += remembered_bytes;
        let mut cells = list.into_iter();
        let mut near = 0;
        while let Some(mut cell) = cells.next() {
            if near == 0 {
                cells.as_slice().iter().take(NEAR).for_each(|soon| self.approach(soon.hash));
                near = NEAR;
            }
            near -= 1;
            let account = cell.account.take().map(|at| accounts.at(at));
            let place = match self.find_hashed(cell.hash, &cell.key) {
                None => self.add(cell),
                Some(place) => {
                    let own = &mut self.list[place];
                    // An account that is known or written here stays what it is.
                    let is_taken = account.is_none() || own.account.is_none() && !own.is_written();
                    if !matches!(own.below, Below::Unasked) || !is_taken {
                        continue;
                    }
                    own.below = cell.below;
                    place
                }
            };
            if let Some(account) = account {
                let at = self.accounts.read(*account.id(), place, account.record);
                self.list[place].account = Some(at);
            }
        }
    }

    /// Forgets what the base said, when that is much.
    #[inline]
    pub fn bound(&mut self) {
        if self.remembered_bytes > REMEMBERED_BYTES_MAX {
            self.forget();
        }
    }

    /// Forgets what the base said, and begins anew where nothing was written.
    #[cold]
    pub fn forget(&mut self) {
        if self.written.is_empty() {
            let (generation, turn) = (self.generation + 1, self.turn + 1);
            *self = Cells { generation, turn, ..self.alike() };
        } else {
            // Of what is written it is asked once more, at the end.
            let unwritten = self.list.iter_mut().filter(|cell| matches!(cell.now, Now::Unwritten));
            unwritten.for_each(|cell| cell.below = Below::Unasked);
            self.remembered_bytes = 0;
        }
    }

    /// Writes a cell and returns what it held.
    pub fn write(&mut self, place: usize, now: Now) -> Now {
        let before = self.replace(place, now);
        if matches!(before, Now::Unwritten) {
            self.note_written(self.list[place].key[0], place);
        }
        before
    }

    /// Puts back what a cell held.
    pub fn put_back(&mut self, place: usize, before: Now) {
        self.replace(place, before);
    }

    #[cold]
    fn note_written(&mut self, kind: u8, place: usize) {
        self.written.entry(kind).or_default().fresh.push(place);
    }

    /// What a cell held, after something else was put there.
    fn replace(&mut self, place: usize, now: Now) -> Now {
        let Cells { list, accounts, postings, turn, .. } = self;
        let cell = &mut list[place];
        if let Some(at) = cell.account.take() {
            accounts.leave(at);
            *turn += 1;
            postings.disorder();
            if let Below::Account = cell.below {
                cell.below = Below::Unasked;
            }
        }
        if let Now::Account(at) = now {
            accounts.come_back(at);
            cell.account = Some(at);
        }
        mem::replace(&mut cell.now, now)
    }

    /// Where an account that was seen lies now.
    #[inline(always)]
    pub fn place_of(&mut self, seen: Seen, id: &AccountId, base: &dyn Base) -> Result<u32, Fault> {
        if seen.turn == self.turn { Ok(seen.at) } else { self.found_again(id, base) }
    }

    #[cold]
    fn found_again(&mut self, id: &AccountId, base: &dyn Base) -> Result<u32, Fault> {
        let at = self.account(id, |key| base.get(key))?;
        at.ok_or_else(|| Fault::State(format!("{id} was there and is gone")))
    }

    /// Where an account lies among the accounts, after the base was asked.
    #[inline(always)]
    pub fn account(
        &mut self,
        id: &AccountId,
        ask: impl FnOnce(&[u8]) -> Result<Option<Vec<u8>>, Fault>,
    ) -> Result<Option<u32>, Fault> {
        match self.accounts.find(id) {
            Some(at) => Ok(Some(at)),
            None => self.account_below(id, ask),
        }
    }

    #[cold]
    fn account_below(
        &mut self,
        id: &AccountId,
        ask: impl FnOnce(&[u8]) -> Result<Option<Vec<u8>>, Fault>,
    ) -> Result<Option<u32>, Fault> {
        let place = with_full_key(Kind::Account, &id.0, |full| self.asked(full, ask))?;
        self.list[place].account(place, &mut self.accounts)
    }

    /// What is said of an account outside.
    #[inline(always)]
    pub fn seen(&self, at: u32) -> Seen {
        Seen { at, turn: self.turn }
    }

    /// Begins to book on an account; whether it was only read before.
    #[inline(always)]
    pub fn open(&mut self, at: u32) -> bool {
        let was_read = self.accounts.open(at);
        if was_read {
            let place = self.accounts.at(at).cell as usize;
            // It held nothing, and is not looked at, so that nobody waits for the cell.
            mem::forget(mem::replace(&mut self.list[place].now, Now::Account(at)));
            self.note_written(Kind::Account as u8, place);
        }
        was_read
    }

    /// Counts a posting on an account that is booked on, and adds it to its history.
    #[inline(always)]
    pub fn post(&mut self, at: u32, side: Side, amount: u128) {
        let Cells { accounts, postings, .. } = self;
        let Kept { record, cell, .. } = accounts.change(at);
        // It is counted before it is written: what was just written is not there yet for who copies it.
        let (mut debits, mut credits) = record.counters.posted();
        match side {
            Side::Debit => debits += amount,
            Side::Credit => credits += amount,
        }
        postings.push(*cell, record.history_count, (side, amount), (debits, credits));
        (record.counters.debits_posted, record.counters.credits_posted) = (debits, credits);
        record.history_count += 1;
    }

    /// Sets what is pending on an account that is booked on, and says what was.
    pub fn set_pending(&mut self, at: u32, pending: (u128, u128)) -> (u128, u128) {
        let counters = &mut self.accounts.change(at).record.counters;
        let before = counters.pending();
        (counters.debits_pending, counters.credits_pending) = pending;
        before
    }

    /// Sets the root of the history of an account that is booked on; nothing takes it back. How many postings it counts.
    pub fn set_history_root(&mut self, at: u32, root: Hash) -> u64 {
        let record = &mut self.accounts.change(at).record;
        record.history_root = root;
        record.history_count
    }

    /// An account is only read again, after all that was counted on it was taken back.
    pub fn close(&mut self, at: u32) {
        self.accounts.close(at);
        self.list[self.accounts.at(at).cell as usize].now = Now::Unwritten;
    }

    /// Takes the last posting back, which was added to an account.
    pub fn take_posting_back(&mut self, at: u32) {
        let last = self.postings.pop().expect("a posting is there until it is taken back");
        self.accounts.take_back(at, last);
    }

    /// Brings the postings into the order of their rows.
    pub fn order_postings(&mut self) {
        let Cells { list, postings, turn, .. } = self;
        postings.bring_in_order(|counts| {
            let are_there = counts.iter().enumerate().filter(|(_, count)| **count > 0);
            let places = in_order(list, are_there.map(|(place, _)| place));
            let posted = |(number, &place): (usize, &usize)| {
                prefetch_cells(list, &places, number);
                let (account, at) = list[place].as_account().expect("what is posted on is an account");
                let seen = Seen { at, turn: *turn };
                (place, Posted { account, seen, count: counts[place] })
            };
            places.iter().enumerate().map(posted).collect()
        });
    }

    /// Files the postings that were added since it was done last.
    pub fn file_postings(&mut self) {
        let Cells { postings, posted, .. } = self;
        postings.file(|place| posted.fresh.push(place));
    }

    /// The posting of a full key, where it was added here.
    pub fn posting(&mut self, full_key: &[u8]) -> Option<Vec<u8>> {
        let (account, sequence) = posting_of(full_key)?;
        self.file_postings();
        let place = with_full_key(Kind::Account, &account.0, |full| self.find(full))?;
        self.postings.get(place, sequence)
    }

    /// What is said of a cell outside, so that it need not be looked for again.
    pub fn named(&self, cell: usize) -> Place {
        Place { cell, generation: self.generation }
    }

    /// The place of a key's cell, when there is one.
    pub fn find(&self, full_key: &[u8]) -> Option<usize> {
        self.find_hashed(self.hash(full_key), full_key)
    }

    /// The first row that was written, from a key on and before another; no value where it was deleted.
    pub fn next_written_between(
        &mut self,
        from: Bound<&[u8]>,
        end: &[u8],
    ) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
        let (Bound::Included(first) | Bound::Excluded(first)) = from else { return None };
        let kinds = first.first().copied().unwrap_or(0)..=end.first().copied().unwrap_or(0);
        let of_cells: Vec<u8> = self.written.range(kinds.clone()).map(|(kind, _)| *kind).collect();
        let cell = of_cells.into_iter().find_map(|kind| self.next_written(kind, from, end));
        let row = cell.map(|place| {
            let cell = &self.list[place];
            (cell.key.to_vec(), cell.value(&self.accounts, own))
        });
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
        let list = &self.list;
        let is_written = |place: usize| !matches!(list[place].now, Now::Unwritten);
        // A write that was rolled back left its cell in the order: it is met once, and leaves.
        let mut left = vec![];
        let range = ordered.range::<[u8], _>((from, Bound::Excluded(end)));
        let found = range.map(|(key, place)| (key, *place)).find(|(key, place)| {
            is_written(*place) || {
                left.push((*key).clone());
                false
            }
        });
        let found = found.map(|(_, place)| place);
        left.iter().for_each(|key| _ = ordered.remove(key));
        found
    }

    /// The first posting that was added, from a key on and before another.
    fn next_posting(&mut self, from: Bound<&[u8]>, end: &[u8]) -> Option<Row> {
        self.file_postings();
        let Cells { list, postings, posted: Written { fresh, ordered }, .. } = self;
        // In the order of their accounts, as their rows would be.
        let history = |place: usize| Kind::History.full_key(&list[place].key[1..]);
        ordered.extend(fresh.drain(..).map(|place| (history(place), place)));
        let (Bound::Included(first) | Bound::Excluded(first)) = from else { return None };
        let first = Bound::Included(&first[..first.len().min(33)]);
        for (account, place) in ordered.range::<[u8], _>((first, Bound::Excluded(end))) {
            for sequence in postings.sequences_of(*place) {
                let key = [account.as_slice(), &sequence.to_be_bytes()].concat();
                if (from, Bound::Excluded(end)).contains(key.as_slice()) {
                    return postings.get(*place, sequence).map(|posting| (key, posting));
                }
            }
        }
        None
    }
}

impl Cell {
    pub fn new(key: &[u8]) -> Cell {
        Cell { key: Key::of(key), below: Below::Unasked, now: Now::Unwritten, account: None, hash: 0 }
    }

    /// The account that it has, and where that lies.
    pub fn as_account(&self) -> Option<(AccountId, u32)> {
        Some((AccountId(*self.key.get(1..)?.first_chunk()?), self.account?))
    }

    /// The value, as bytes.
    pub fn value<T>(&self, accounts: &Accounts, make: impl FnOnce(Option<&[u8]>) -> T) -> T {
        match (&self.now, &self.below) {
            (Now::Value(bytes), _) => make(Some(bytes)),
            (Now::Record(record), _) => make(Some(&record.bytes())),
            (Now::Account(at), _) => make(Some(&record::to_bytes(&accounts.at(*at).record))),
            (Now::Unwritten, Below::Value(bytes, _)) => make(Some(&**bytes)),
            (Now::Unwritten, Below::Account) => {
                let at = self.account.expect("an account that was read lies among the accounts");
                make(Some(&record::to_bytes(&accounts.at(at).record)))
            }
            (Now::Deleted, _) | (Now::Unwritten, _) => make(None),
        }
    }

    /// The value, as a record; the cell lies at a place.
    pub fn record<'c, R: Record>(
        &'c mut self,
        place: usize,
        accounts: &'c mut Accounts,
    ) -> Result<Option<&'c R>, Fault> {
        let record: &dyn Any = if R::KIND == Kind::Account {
            match self.account(place, accounts)? {
                Some(at) => &accounts.at(at).record,
                None => return Ok(None),
            }
        } else {
            match decoded::<R>(&self.key, &mut self.now, &mut self.below)? {
                Some(held) => held.as_any(),
                None => return Ok(None),
            }
        };
        record.downcast_ref().ok_or_else(|| unlike::<R>(&self.key)).map(Some)
    }

    /// Where the account that is the value lies, decoded now where it was not before.
    fn account(&mut self, place: usize, accounts: &mut Accounts) -> Result<Option<u32>, Fault> {
        if self.account.is_some() {
            return Ok(self.account);
        }
        let bytes: &[u8] = match (&self.now, &self.below) {
            (Now::Value(bytes), _) => bytes,
            (Now::Unwritten, Below::Value(bytes, _)) => bytes,
            (Now::Record(_), _) => return Err(unlike::<AccountRecord>(&self.key)),
            _ => return Ok(None),
        };
        let id = self.key.get(1..).and_then(|id| id.try_into().ok()).map(AccountId);
        let id = id.ok_or_else(|| unlike::<AccountRecord>(&self.key))?;
        let record = record::from_bytes(&self.key, bytes)?;
        let at = match self.is_written() {
            true => accounts.write(id, place, record),
            false => accounts.read(id, place, record),
        };
        match self.is_written() {
            true => self.now = Now::Account(at),
            false => self.below = Below::Account,
        }
        self.account = Some(at);
        Ok(Some(at))
    }

    /// The value, as a record that is shared with whoever asks.
    pub fn shared<R: Record>(
        &mut self,
        place: usize,
        accounts: &mut Accounts,
    ) -> Result<Option<Arc<R>>, Fault> {
        if R::KIND == Kind::Account {
            return Ok(self.record::<R>(place, accounts)?.cloned().map(Arc::new));
        }
        let Some(held) = decoded::<R>(&self.key, &mut self.now, &mut self.below)? else { return Ok(None) };
        let any: Arc<dyn Any + Send + Sync> = held.clone();
        any.downcast().map_err(|_| unlike::<R>(&self.key)).map(Some)
    }

    /// The value, as bytes that lie here; none of an account.
    pub fn bytes(&mut self) -> Option<&[u8]> {
        self.settle();
        match (&self.now, &self.below) {
            (Now::Value(bytes), _) => Some(bytes),
            (Now::Unwritten, Below::Value(bytes, _)) => Some(&**bytes),
            _ => None,
        }
    }

    /// Turns a record into its bytes, which are asked for more than once.
    pub fn settle(&mut self) {
        if let Now::Record(record) = &self.now {
            self.now = Now::Value(record.bytes());
        }
    }

    pub fn is_written(&self) -> bool {
        !matches!(self.now, Now::Unwritten)
    }

    /// Whether its key comes before one, which is a kind and what follows.
    pub fn is_before(&self, (kind, rest): (u8, &[u8])) -> bool {
        self.key.split_first() < Some((&kind, rest))
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
        (Now::Account(_), _) | (Now::Unwritten, Below::Account) => Err(unlike::<R>(key)),
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
    Fault::State(format!("{:?} record at {} is read as another", R::KIND, hex(key)))
}

/// The account and the sequence of a posting's full key.
fn posting_of(full_key: &[u8]) -> Option<(AccountId, u64)> {
    let (account, sequence) = full_key.strip_prefix(&[Kind::History as u8])?.split_first_chunk::<32>()?;
    Some((AccountId(*account), u64::from_be_bytes(sequence.try_into().ok()?)))
}

pub(super) fn own(value: Option<&[u8]>) -> Option<Vec<u8>> {
    value.map(<[u8]>::to_vec)
}

/// Longest full key that needs no memory of its own to be looked up.
const SHORT_KEY_BYTES: usize = 112;

/// What is made of a record's full key.
pub(super) fn with_full_key<T>(kind: Kind, key: &[u8], make: impl FnOnce(&[u8]) -> T) -> T {
    match key.first_chunk::<32>() {
        // Most are one id, and those are looked up most.
        Some(id) if key.len() == id.len() => {
            let mut full = [kind as u8; 33];
            full[1..].copy_from_slice(id);
            make(&full)
        }
        _ => joined([&[kind as u8], key, &[]], make),
    }
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

/// Cells that are asked for together where they are taken out.
const NEAR: usize = 32;

/// Of what is taken out one by one that which memory is asked for at the next one's turn.
pub(super) fn soon<T>(all: &[T], next: usize) -> &[T] {
    let start = (next + NEAR).min(all.len());
    let end = if next.is_multiple_of(NEAR) { (start + NEAR).min(all.len()) } else { start };
    &all[start..end]
}

/// Asks memory for the cells at places that come soon.
fn prefetch_cells(list: &[Cell], places: &[usize], next: usize) {
    soon(places, next).iter().for_each(|place| prefetch(&list[*place]));
}

/// Asks memory for the cells at places that come soon, and for what those hold that come next.
pub(super) fn prefetch_next(list: &[Cell], accounts: &Accounts, places: &[usize], next: usize) {
    prefetch_cells(list, places, next);
    if !next.is_multiple_of(NEAR) {
        return;
    }
    for Cell { below, now, .. } in places[next..].iter().take(NEAR).map(|place| &list[*place]) {
        if let Below::Value(bytes, _) = below {
            prefetch(&**bytes);
        }
        match now {
            Now::Value(bytes) => prefetch(bytes.as_slice()),
            Now::Record(held) => prefetch(&**held),
            Now::Account(at) => accounts.prefetch_at(*at),
            Now::Unwritten | Now::Deleted => {}
        }
    }
}

/// Places of cells in the order of their keys. Most keys differ in their first bytes, which are compared at once.
pub(super) fn in_order(list: &[Cell], places: impl Iterator<Item = usize>) -> Vec<usize> {
    let first = |key: &[u8]| {
        let mut bytes = [0; 8];
        let length = key.len().min(bytes.len());
        bytes[..length].copy_from_slice(&key[..length]);
        u64::from_be_bytes(bytes)
    };
    let mut places: Vec<(u64, u32)> = places.map(|place| (first(&list[place].key), place as u32)).collect();
    let key = |place: &(u64, u32)| &*list[place.1 as usize].key;
    places.sort_unstable();
    for alike in places.chunk_by_mut(|a, b| a.0 == b.0) {
        // Where many begin alike, as in a bank's due queue, they mostly were read and written in order, which costs the sort
        // no more than a look.
        alike.sort_by(|a, b| key(a).cmp(key(b)));
    }
    places.into_iter().map(|(_, place)| place as usize).collect()
}
