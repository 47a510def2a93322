//! The state as of the newest block: the trie of leaves, the index, and rows that a leaf's hash covers.

use super::base::{Base, one_by_one};
use super::namespace::{Kind, Standing, kind_of, owner_of};
use super::past::Past;
use super::window::{Known, Replaced, Window};
use super::{Fork, State};
use crate::fault::Fault;
use crate::index::{Index, IndexTop};
use crate::lanes::in_shares;
use crate::log::Position;
use crate::params::PROOF_WINDOW_BLOCKS;
use crate::store::{Behind, ChangeRef, Changes, Checkpoint, Disk, Mark, PageNumber, PagesMemory, Row, Rows};
use crate::trie::{self, Content, Trie, TrieTop, Undo};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tenor_abi::codec;
use tenor_abi::id::Hash;
use tenor_wire::crypto::plain_hash;
use tenor_wire::hexadecimal::hex;
use tenor_wire::merkle::Mmr;
use tenor_wire::multiproof::MultiProof;
use tenor_wire::trie::{Path, StateProof, value_hash};

/// Bytes of memory that pages may take unless told otherwise.
pub const CACHE_BYTES: usize = 256 * 1024 * 1024;
/// The least that they may be given. What a block uses stays in memory until it is over, however little there is.
pub const CACHE_BYTES_MIN: usize = 1024 * 1024;
/// Bytes of memory that past states may take unless told otherwise.
pub const HISTORY_BYTES: usize = 64 * 1024 * 1024;
/// Bytes of rows that a walk reads together.
const WALK_BYTES: usize = 1 << 20;
/// Rows that are read ahead together.
const AHEAD: usize = 2048;
/// What lies above the pages, at most: a defence against a mark that says nonsense.
const TOP_BYTES_MAX: usize = 4 << 30;

/// The memory that a state may take besides what lies above its pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Room {
    /// Bytes of pages.
    pub cache_bytes: usize,
    /// Bytes of what the newest [`PROOF_WINDOW_BLOCKS`] blocks replaced; with none, past states are at hand only
    /// while somebody reads them.
    pub history_bytes: usize,
}

impl Default for Room {
    fn default() -> Room {
        Room { cache_bytes: CACHE_BYTES, history_bytes: HISTORY_BYTES }
    }
}

impl Room {
    /// Room for pages, with none for past states.
    pub const fn for_pages(cache_bytes: usize) -> Room {
        Room { cache_bytes, history_bytes: 0 }
    }
}

/// What lies above the pages, as a checkpoint keeps it.
#[derive(Serialize, Deserialize)]
struct Top {
    trie: TrieTop,
    index: IndexTop,
    ancestry: Mmr,
}

/// What opening goes on from besides the state.
#[derive(Clone, Debug, Default)]
pub struct Resume {
    /// Where the log goes on behind the newest block; none in memory.
    pub log: Option<Position>,
    /// Hashes of all headers before the newest one.
    pub ancestry: Mmr,
}

/// A block's leaves in the trie that is not committed yet.
struct Stashed {
    /// The rows of the write set that are leaves, by their place in it, and their place in what undoes them.
    leaves: Vec<(usize, usize)>,
    undo: Undo,
}

pub(super) struct Parts {
    pub(super) trie: Trie,
    index: Index,
    rows: Rows,
    stashed: Option<Stashed>,
    pub(super) window: Window,
    height: u64,
    resume: Resume,
    disk: Option<Arc<Disk>>,
    behind: Option<Behind>,
    cache_bytes: usize,
    /// Blocks that waited for the disk.
    waits: u64,
    /// The owner of the row that was read last, and its hash: rows of one owner are read one after the other.
    owner: (Vec<u8>, Hash),
}

/// What the state takes in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StateMemory {
    /// Leaves there are.
    pub leaves: u64,
    /// Of the trie.
    pub trie: PagesMemory,
    /// Of the index.
    pub index: PagesMemory,
    /// Bytes that changed and are in no checkpoint.
    pub dirty_bytes: usize,
    /// Bytes written to the store since opening.
    pub written_bytes: u64,
    /// Bytes of the file that pages are spilled to.
    pub spilled_bytes: u64,
    /// Blocks since opening that waited for a checkpoint, because what it had to write took the memory.
    pub waits: u64,
    /// Past states that are at hand.
    pub past_blocks: usize,
    /// Bytes that they take.
    pub past_bytes: usize,
}

/// The state of one replica as of its newest block.
pub struct Committed {
    parts: Arc<Mutex<Parts>>,
}

impl Committed {
    /// An empty state that stays in memory.
    pub fn in_memory() -> Committed {
        Committed::new(None, Room { cache_bytes: usize::MAX, history_bytes: HISTORY_BYTES })
    }

    /// An empty state over an empty disk.
    pub fn begin(disk: Arc<Disk>, room: Room) -> Committed {
        Committed::new(Some(disk), room)
    }

    /// The state at the disk's mark, and the hashes of all headers before the mark's; no leaf is read, the nodes
    /// above the buckets are hashed.
    ///
    /// # Errors
    /// [`Fault::State`] when they do not give the mark's root.
    pub fn open(disk: Arc<Disk>, mark: &Mark, room: Room) -> Result<(Committed, Mmr), Fault> {
        let damaged = || Fault::State("what lies above the pages cannot be read".into());
        let top: Top = codec::decode(&disk.top(mark)?, TOP_BYTES_MAX).map_err(|_| damaged())?;
        let state = Committed::new(Some(Arc::clone(&disk)), room);
        let mut parts = state.parts();
        parts.trie = Trie::restore(top.trie, Some(Arc::clone(&disk)), leaves_share(room.cache_bytes))?;
        parts.index = Index::restore(top.index, Some(disk), index_share(room.cache_bytes))?;
        parts.height = mark.height;
        parts.resume = Resume { log: Some(mark.log), ancestry: top.ancestry.clone() };
        if parts.trie.root() != mark.root {
            return Err(Fault::State("the nodes above the buckets do not give the mark's root".into()));
        }
        parts.enter(None);
        drop(parts);
        Ok((state, top.ancestry))
    }

    fn new(disk: Option<Arc<Disk>>, room: Room) -> Committed {
        let parts = Parts {
            trie: Trie::new(disk.clone(), leaves_share(room.cache_bytes)),
            index: Index::new(disk.clone(), index_share(room.cache_bytes)),
            rows: Rows::new(disk.clone(), together),
            stashed: None,
            window: Window::new(PROOF_WINDOW_BLOCKS, room.history_bytes),
            height: 0,
            resume: Resume::default(),
            behind: disk.clone().map(Behind::start),
            disk,
            cache_bytes: room.cache_bytes,
            waits: 0,
            owner: (vec![], plain_hash(&[])),
        };
        Committed { parts: Arc::new(Mutex::new(parts)) }
    }

    /// The state as it is now, to be read while blocks go on.
    ///
    /// # Errors
    /// [`Fault::Gone`] when no block was committed yet.
    pub fn now(&self) -> Result<Past, Fault> {
        Past::of(&self.parts, None)
    }

    /// Takes in writes that were committed before, and returns the root.
    ///
    /// # Errors
    /// As [`State::stash`] and [`State::commit`].
    pub fn redo(&mut self, rows: &Changes, height: u64, resume: Resume) -> Result<Hash, Fault> {
        let root = self.stash(rows)?;
        let mut parts = self.parts();
        // These may be the rows of many blocks: the states in between are not to be had.
        let is_read = parts.window.is_read();
        parts.take_in(rows, height, &resume.ancestry, is_read)?;
        parts.settle(resume)?;
        Ok(root)
    }

    /// Rows from a key on and before another, in key order, until they take so many bytes; at least one where
    /// there is one. What was read before them may leave memory.
    ///
    /// # Errors
    /// As [`Base::get`].
    pub fn scan(&self, from: &[u8], end: &[u8], bytes_max: usize) -> Result<Vec<Row>, Fault> {
        self.parts().scan(from, end, bytes_max)
    }

    /// Shows every row in key order; memory stays bounded.
    ///
    /// # Errors
    /// As [`Base::get`], and what `visit` says.
    pub fn walk(&self, mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), Fault>) -> Result<(), Fault> {
        let mut from = vec![];
        loop {
            let rows = self.scan(&from, &[u8::MAX], WALK_BYTES)?;
            let Some((last, _)) = rows.last() else { return Ok(()) };
            from = [last.as_slice(), &[0]].concat();
            rows.iter().try_for_each(|(key, value)| visit(key, value))?;
        }
    }

    /// Reads every page against its hash and says which are not what it says.
    pub fn check_pages(&self) -> Vec<Fault> {
        let mut parts = self.parts();
        let mut found = parts.trie.check_pages();
        found.extend(parts.index.check_pages());
        found
    }

    /// How far the disk has come; none in memory.
    ///
    /// # Errors
    /// [`Fault::Storage`] when it cannot be read.
    pub fn mark(&self) -> Result<Option<Mark>, Fault> {
        match &self.parts().disk {
            Some(disk) => Ok(disk.mark()?),
            None => Ok(None),
        }
    }

    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leaves whose buckets are asked for together.
const NEAR: usize = 32;

fn leaves_share(cache_bytes: usize) -> usize {
    cache_bytes / 4 * 3
}

fn index_share(cache_bytes: usize) -> usize {
    cache_bytes / 4
}

fn is_leaf(full_key: &[u8]) -> bool {
    kind_of(full_key).is_some_and(|kind| kind.standing() == Standing::Leaf)
}

/// Whether a row lies in no page: an account's history, which only ever grows and is covered by its leaf.
fn lies_in_rows(full_key: &[u8]) -> bool {
    kind_of(full_key) == Some(Kind::History)
}

/// An account's history lies together: kind and account.
fn together(full_key: &[u8]) -> Option<usize> {
    lies_in_rows(full_key).then_some(33)
}

impl Parts {
    /// Makes the stashed block the newest one; what it replaced is entered into the window where it is asked for.
    fn take_in(
        &mut self,
        rows: &Changes,
        height: u64,
        ancestry: &Mmr,
        is_entered: bool,
    ) -> Result<(), Fault> {
        let Some(Stashed { leaves, undo }) = self.stashed.take() else {
            return Err(Fault::State(format!("block {height} is committed without having been stashed")));
        };
        let (undone, runs): (Vec<_>, Vec<_>) =
            undo.into_runs().into_iter().map(|run| (run.leaves, run.bytes)).unzip();
        // What stood at a leaf by its place among all of them, and in which run its bytes are.
        let before = |mut place: usize| {
            undone.iter().enumerate().find_map(|(run, leaves)| {
                let found = leaves.get(place).map(|(_, before)| (run, before.as_ref()));
                place = place.saturating_sub(leaves.len());
                found
            })
        };
        let mut replaced = is_entered.then(|| Replaced::by(height, rows.len(), runs));
        self.index.begin_batch();
        let mut leaves = leaves.into_iter().peekable();
        // Changes of the index that wait for those behind them, which mostly lie in the same pages.
        let mut waiting: Vec<ChangeRef<'_>> = vec![];
        for (place, (key, value)) in rows.iter().enumerate() {
            match leaves.next_if(|leaf| leaf.0 == place) {
                Some((_, place)) => {
                    let (run, before) = before(place).expect("what undoes a block has each of its leaves");
                    if let Some(replaced) = &mut replaced {
                        self.enter_leaf(replaced, key, run, before)?;
                    }
                    // Of a leaf the index holds the key alone.
                    if before.is_some() != value.is_some() {
                        waiting.push((key, value.map(|_| &[][..])));
                    }
                    self.commit_long(key, value, before);
                }
                // What lies in the rows is only ever added.
                None if lies_in_rows(key) => {
                    self.set_index(&mut waiting, &mut replaced)?;
                    self.rows.set(key, value);
                    replaced.iter_mut().for_each(|replaced| replaced.push(key, None));
                }
                None => waiting.push((key, value)),
            }
        }
        self.set_index(&mut waiting, &mut replaced)?;
        // Where the log goes on is not known before the block is durable, and no checkpoint begins until it is.
        (self.height, self.resume) = (height, Resume { log: None, ancestry: ancestry.clone() });
        self.enter(replaced);
        Ok(())
    }

    /// The newest block is durable.
    fn settle(&mut self, resume: Resume) -> Result<(), Fault> {
        self.resume = resume;
        self.bound_backlog()
    }

    /// Enters the newest block into the window.
    fn enter(&mut self, replaced: Option<Replaced>) {
        let (root, ancestry, leaves) = (self.trie.root(), self.resume.ancestry.clone(), self.trie.len());
        self.window.push(Known { height: self.height, root, ancestry, leaves }, replaced);
    }

    /// Makes the changes of the index that wait, and enters what stood at those that are no leaves'.
    fn set_index(
        &mut self,
        waiting: &mut Vec<ChangeRef<'_>>,
        replaced: &mut Option<Replaced>,
    ) -> Result<(), Fault> {
        self.index.set_all(waiting, |key, before| {
            if let Some(replaced) = replaced.as_mut().filter(|_| !is_leaf(key)) {
                replaced.push(key, before);
            }
        })?;
        waiting.clear();
        Ok(())
    }

    /// Enters what a leaf held; what lies in it lies in a run of bytes.
    fn enter_leaf(
        &self,
        replaced: &mut Replaced,
        key: &[u8],
        run: usize,
        before: Option<&Content<Range<usize>>>,
    ) -> Result<(), Fault> {
        match before {
            None => replaced.push(key, None),
            Some(Content::Elsewhere(_)) => replaced.push(key, self.rows.get(key)?.as_deref()),
            // Length of the key, key and record, as the leaf had them.
            Some(Content::Inline(range)) => {
                let start = range.start + 2;
                let record_bytes = (range.end - start).checked_sub(key.len());
                let unreadable = || Fault::State(format!("the leaf of {} cannot be read", hex(key)));
                replaced.push_there(run, start..start + key.len(), record_bytes.ok_or_else(unreadable)?);
            }
        }
        Ok(())
    }

    /// What stood at the paths of the stashed block, by the hashes of the values.
    pub(super) fn stashed_before(&self) -> BTreeMap<Path, Option<Hash>> {
        let value = |content: Content<&[u8]>| match content {
            Content::Inline(bytes) => plain_hash(&[bytes]),
            Content::Elsewhere(hash) => hash,
        };
        let leaves = self.stashed.iter().flat_map(|stashed| stashed.undo.leaves());
        leaves.map(|(path, before)| (path, before.map(value))).collect()
    }

    /// What the disk has is damaged, as `what` says, and is not believed at the next opening; in memory it is damaged all
    /// the same.
    pub(super) fn distrust(&self, what: &str) -> Fault {
        Fault::State(self.disk.as_ref().map_or_else(|| what.into(), |disk| disk.distrust(what)))
    }

    /// What was found damaged on the disk.
    pub(super) fn damage(&self) -> Option<String> {
        self.disk.as_ref()?.damage().map(String::from)
    }

    /// A leaf's value that is too long for a bucket lies in the rows.
    fn commit_long(&mut self, key: &[u8], value: Option<&[u8]>, before: Option<&Content<Range<usize>>>) {
        let is_long = value.is_some_and(|value| trie::is_long(key, value));
        match (is_long, before) {
            (true, _) => self.rows.set(key, value),
            (false, Some(Content::Elsewhere(_))) => self.rows.set(key, None),
            (false, _) => {}
        }
    }

    pub(super) fn get(&mut self, full_key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        match full_key {
            _ if is_leaf(full_key) => self.leaf(full_key),
            _ if lies_in_rows(full_key) => Ok(self.rows.get(full_key)?),
            _ => self.index.get(full_key),
        }
    }

    /// Values of many keys: the buckets of leaves are read in one go.
    pub(super) fn get_all(&mut self, full_keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, Fault> {
        let leaves = || full_keys.iter().filter(|key| is_leaf(key));
        let paths = trie::paths(leaves().map(|key| (owner_of(key), *key)));
        let numbers = self.trie.load(&paths)?;
        let mut places = paths.iter().zip(&numbers).enumerate();
        let mut values = Vec::with_capacity(full_keys.len());
        for some in full_keys.chunks(NEAR) {
            let in_index = |key: &&&[u8]| !is_leaf(key) && !lies_in_rows(key);
            self.index.prefetch(some.iter().filter(in_index).copied());
            for key in some {
                let Some((place, (path, number))) = is_leaf(key).then(|| places.next()).flatten() else {
                    values.push(self.get(key)?);
                    continue;
                };
                if place % NEAR == 0 {
                    self.trie.prefetch(&numbers[place..numbers.len().min(place + NEAR)]);
                }
                values.push(self.leaf_at(path, *number, key)?);
            }
        }
        Ok(values)
    }

    fn leaf(&mut self, full_key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        let owner = owner_of(full_key);
        if self.owner.0 != owner {
            self.owner = (owner.to_vec(), plain_hash(&[owner]));
        }
        let path = Path::of_hashes(&self.owner.1, &plain_hash(&[full_key]));
        let number = self.trie.find(&path);
        self.leaf_at(&path, number, full_key)
    }

    /// The leaf of a path that leads into a bucket.
    fn leaf_at(
        &mut self,
        path: &Path,
        bucket: Option<PageNumber>,
        full_key: &[u8],
    ) -> Result<Option<Vec<u8>>, Fault> {
        let stashed = self.stashed.as_ref().and_then(|stashed| stashed.undo.before(path));
        let found = match stashed {
            Some(before) => before,
            None => self.trie.get_in(bucket, path)?,
        };
        let unreadable = || Fault::State(format!("the leaf of {} cannot be read", hex(full_key)));
        match found {
            None => Ok(None),
            Some(Content::Elsewhere(hash)) => {
                let record = self.rows.get(full_key)?.filter(|record| value_hash(full_key, record) == hash);
                let lost =
                    || self.distrust(&format!("the value of {} is not what its leaf says", hex(full_key)));
                record.map(Some).ok_or_else(lost)
            }
            Some(inline) => Ok(Some(inline.record().ok_or_else(unreadable)?.to_vec())),
        }
    }

    pub(super) fn next(&mut self, from: &[u8], end: &[u8]) -> Result<Option<Row>, Fault> {
        let mut first = self.index.next(from, end)?;
        if let Some((key, value)) = &mut first
            && kind_of(key).is_some_and(|kind| kind.standing() == Standing::Leaf)
        {
            let missing = || Fault::State(format!("the index has {}, the trie does not", hex(key)));
            *value = self.leaf(key)?.ok_or_else(missing)?;
        }
        // History lies between these two keys, and nothing else of the rows does.
        let (low, high) = ([Kind::History as u8], [Kind::History as u8 + 1]);
        let row = self.rows.next(from.max(&low), end.min(&high))?;
        Ok([first, row].into_iter().flatten().min_by(|a, b| a.0.cmp(&b.0)))
    }

    /// As [`Base::next_rows`].
    fn next_rows(&mut self, from: &[u8], end: &[u8], count_max: usize) -> Result<Vec<Row>, Fault> {
        match from.first() {
            // Behind the histories every row lies in the index, with its value.
            Some(kind) if *kind > Kind::History as u8 => self.index.next_rows(from, end, count_max),
            _ => one_by_one(from, count_max, |from| self.next(from, end)),
        }
    }

    /// As [`Committed::scan`].
    pub(super) fn scan(&mut self, from: &[u8], end: &[u8], bytes_max: usize) -> Result<Vec<Row>, Fault> {
        let (mut rows, mut bytes, mut from) = (vec![], 0, from.to_vec());
        while bytes < bytes_max {
            if rows.len() % AHEAD == 0 {
                self.read_ahead(&from, end)?;
            }
            let Some((key, value)) = self.next(&from, end)? else { break };
            bytes += key.len() + value.len();
            from.clone_from(&key);
            from.push(0);
            rows.push((key, value));
        }
        Ok(rows)
    }

    /// Reads the buckets of the leaves that come next in one go; what was read before may leave memory.
    fn read_ahead(&mut self, from: &[u8], end: &[u8]) -> Result<(), Fault> {
        self.index.begin_batch();
        let (mut keys, mut from) = (vec![], from.to_vec());
        while keys.len() < AHEAD
            && let Some((key, _)) = self.index.next(&from, end)?
            && kind_of(&key).is_some_and(|kind| kind.standing() == Standing::Leaf)
        {
            from.clone_from(&key);
            from.push(0);
            keys.push(key);
        }
        let paths = trie::paths(keys.iter().map(|key| (owner_of(key), key.as_slice())));
        self.trie.load(&paths).map(drop)
    }

    fn dirty_bytes(&self) -> usize {
        self.trie.dirty_bytes() + self.index.dirty_bytes() + self.rows.waiting_bytes()
    }

    fn is_idle(&self) -> Result<bool, Fault> {
        Ok(self.behind.as_ref().map_or(Ok(false), Behind::is_idle)?)
    }

    /// Begins a checkpoint when half of the cache is held by what must stay in memory until one has it, and waits
    /// for the one before when three quarters are: a page that changes often is written the seldomer the later a
    /// checkpoint begins.
    fn bound_backlog(&mut self) -> Result<(), Fault> {
        let held_bytes = self.trie.held_bytes() + self.index.held_bytes() + self.rows.waiting_bytes();
        if held_bytes <= self.cache_bytes / 2 {
            return Ok(());
        }
        if let Some(behind) = &self.behind
            && held_bytes > self.cache_bytes / 4 * 3
        {
            self.waits += u64::from(!behind.is_idle()?);
            behind.wait()?;
        }
        if self.is_idle()? { self.begin_checkpoint() } else { Ok(()) }
    }

    fn begin_checkpoint(&mut self) -> Result<(), Fault> {
        assert!(self.stashed.is_none(), "a checkpoint is of what is committed");
        let dirty_bytes = self.dirty_bytes();
        let (Some(behind), Resume { log: Some(log), ancestry }) = (&mut self.behind, self.resume.clone())
        else {
            return Ok(());
        };
        if dirty_bytes == 0 {
            return Ok(());
        }
        let sequence = behind.next_sequence();
        let mut pages = vec![];
        let top = Top {
            trie: self.trie.checkpoint(sequence, &mut pages),
            index: self.index.checkpoint(sequence, &mut pages)?,
            ancestry,
        };
        let checkpoint = Checkpoint {
            sequence,
            height: self.height,
            root: self.trie.root(),
            log,
            pages,
            rows: self.rows.checkpoint(),
            together,
            top: Box::new(move || codec::encode(&top)),
        };
        Ok(behind.send(checkpoint)?)
    }
}

impl State for Committed {
    fn root(&self) -> Hash {
        self.parts().trie.root()
    }

    fn reader(&self) -> Option<Box<dyn Base>> {
        Some(Box::new(Committed { parts: Arc::clone(&self.parts) }))
    }

    fn stash_when(&mut self, rows: &Changes, ready: &dyn Fn()) -> Result<Hash, Fault> {
        let mut leaves = Vec::with_capacity(rows.len());
        leaves.extend(rows.iter().enumerate().filter(|row| is_leaf(row.1.0)));
        let paths = in_shares(leaves.len(), |share| {
            trie::paths(leaves[share].iter().map(|(_, (key, _))| (owner_of(key), *key)))
        });
        // Most paths differ in their first bytes, which are compared at once.
        let first = |path: &Path| path.0.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        let path = |leaf: u32| &paths[leaf as usize];
        let mut by_path: Vec<(u64, u32)> =
            (0..).zip(&paths).map(|(leaf, path)| (first(path), leaf)).collect();
        by_path.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| path(a.1).cmp(path(b.1))));
        let change = |(_, leaf): &(u64, u32)| {
            let (key, value) = leaves[*leaf as usize].1;
            (*path(*leaf), value.map(|value| Content::of(key, value)))
        };
        let changes = by_path.iter().map(change).collect();
        ready();
        // Whoever reads waits from here on alone.
        let mut guard = self.parts();
        let parts = &mut *guard;
        assert!(parts.stashed.is_none(), "one block is stashed at a time");
        let undo = parts.trie.update(changes)?;
        let mut leaves: Vec<(usize, usize)> = leaves.iter().map(|(place, _)| (*place, 0)).collect();
        by_path.iter().enumerate().for_each(|(undone, (_, leaf))| leaves[*leaf as usize].1 = undone);
        parts.stashed = Some(Stashed { leaves, undo });
        Ok(parts.trie.root())
    }

    fn unstash(&mut self) -> Result<(), Fault> {
        let mut guard = self.parts();
        let parts = &mut *guard;
        parts.stashed.take().map_or(Ok(()), |stashed| parts.trie.undo(stashed.undo))
    }

    fn take_in(&mut self, rows: &Changes, height: u64, ancestry: &Mmr) -> Result<(), Fault> {
        let mut guard = self.parts();
        let parts = &mut *guard;
        let is_entered = parts.window.is_open();
        let take_in = || parts.take_in(rows, height, ancestry, is_entered);
        let taken = catch_unwind(AssertUnwindSafe(take_in));
        if !matches!(taken, Ok(Ok(()))) {
            // The leaves are changed, and what they replaced is not all known: past states would be told wrong.
            parts.window.clear();
        }
        taken.unwrap_or_else(|panic| resume_unwind(panic))
    }

    fn settle(&mut self, resume: Resume) -> Result<(), Fault> {
        self.parts().settle(resume)
    }

    fn checkpoint(&mut self) -> Result<bool, Fault> {
        let mut guard = self.parts();
        let parts = &mut *guard;
        let is_idle = parts.is_idle()?;
        if is_idle {
            parts.begin_checkpoint()?;
        }
        Ok(is_idle)
    }

    fn flush(&mut self) -> Result<(), Fault> {
        let mut guard = self.parts();
        let parts = &mut *guard;
        let Some(behind) = &parts.behind else { return Ok(()) };
        behind.wait()?;
        parts.begin_checkpoint()?;
        match &parts.behind {
            Some(behind) => Ok(behind.wait()?),
            None => Ok(()),
        }
    }

    fn prove(&self, full_key: &[u8]) -> Result<Option<StateProof>, Fault> {
        let mut parts = self.parts();
        assert!(parts.stashed.is_none(), "a proof is made of what is committed");
        let record = parts.get(full_key)?;
        parts.trie.prove(owner_of(full_key), full_key, record.as_deref())
    }

    fn prove_all(&self, full_keys: &[Vec<u8>]) -> Result<Option<MultiProof>, Fault> {
        let mut parts = self.parts();
        assert!(parts.stashed.is_none(), "a proof is made of what is committed");
        let records = full_keys.iter().map(|key| parts.get(key)).collect::<Result<Vec<_>, Fault>>()?;
        let asked = full_keys.iter().zip(&records);
        let asked: Vec<_> =
            asked.map(|(key, record)| (owner_of(key), key.as_slice(), record.as_deref())).collect();
        parts.trie.prove_all(&asked)
    }

    fn memory(&self) -> StateMemory {
        let parts = self.parts();
        StateMemory {
            leaves: parts.trie.len(),
            trie: parts.trie.memory(),
            index: parts.index.memory(),
            dirty_bytes: parts.dirty_bytes(),
            written_bytes: parts.disk.as_ref().map_or(0, |disk| disk.written_bytes()),
            spilled_bytes: parts.disk.as_ref().map_or(0, |disk| disk.spilled_bytes()),
            waits: parts.waits,
            past_blocks: parts.window.size().0,
            past_bytes: parts.window.size().1,
        }
    }

    fn damage(&self) -> Option<String> {
        self.parts().damage()
    }

    fn past(&self, height: u64) -> Result<Past, Fault> {
        Past::of(&self.parts, Some(height))
    }

    fn fork(&self) -> Result<Fork, Fault> {
        Ok(Fork::of(self.now()?))
    }
}

impl Base for Committed {
    fn get(&self, full_key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        self.parts().get(full_key)
    }

    fn get_all(&self, full_keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, Fault> {
        self.parts().get_all(full_keys)
    }

    fn next(&self, from: &[u8], end: &[u8]) -> Result<Option<Row>, Fault> {
        self.parts().next(from, end)
    }

    fn next_rows(&self, from: &[u8], end: &[u8], count_max: usize) -> Result<Vec<Row>, Fault> {
        self.parts().next_rows(from, end, count_max)
    }

    fn distrust(&self, what: &str) -> Fault {
        self.parts().distrust(what)
    }
}
