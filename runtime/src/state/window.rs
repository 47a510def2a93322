//! The window: of the newest blocks what stood before at each key that they changed.
//!
//! With it the state as it was after any of them is read from the state as it is. A block costs the bytes of what it
//! replaced; blocks are put together in groups, so that a reader of an old state looks in few places. What lies
//! behind the window's end goes a group at a time.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use tenor_abi::id::Hash;
use tenor_wire::merkle::Mmr;

/// Blocks that are put together.
const GROUP: usize = 32;
/// Groups with more bytes are left apart, so that putting them together takes no long time.
const GROUP_BYTES_MAX: usize = 16 * 1024 * 1024;
/// A state that somebody reads is kept beyond the window's end, until there is so much more than the window may have.
const HELD_FACTOR: usize = 16;

/// Bytes of what a block replaces that is told of a row, more or less: leaves are mostly told of where they lie.
const ROW_BYTES: usize = 48;

/// No value.
const NOTHING: u32 = u32::MAX;

/// What is known of a state besides its rows.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub height: u64,
    pub root: Hash,
    /// Hashes of all headers before its block's.
    pub ancestry: Mmr,
    pub leaves: u64,
}

/// A key that the block of a height changed, and what stood there before.
#[derive(Clone, Copy, Debug)]
struct Row {
    height: u64,
    /// Which run of bytes it lies in, and where it begins there.
    run: u32,
    start: usize,
    key_bytes: u32,
    value_bytes: u32,
}

/// What some blocks that follow one another replaced, ascending by key and height.
#[derive(Clone, Debug, Default)]
pub(super) struct Replaced {
    /// Height of the newest of them.
    last: u64,
    blocks: usize,
    rows: Vec<Row>,
    /// Bytes of the rows, in runs; to the last one some are added.
    runs: Vec<Vec<u8>>,
}

impl Replaced {
    /// Nothing yet of the block of a height; rows may be told of that lie in these runs of bytes.
    pub fn by(height: u64, rows: usize, mut runs: Vec<Vec<u8>>) -> Replaced {
        runs.push(Vec::with_capacity(rows * ROW_BYTES));
        Replaced { last: height, blocks: 1, rows: Vec::with_capacity(rows), runs }
    }

    /// Enters what stood at a key, where both lie in a run of bytes, one behind the other; keys ascend.
    pub fn push_there(&mut self, run: usize, key: Range<usize>, before_bytes: usize) {
        let (run, key_bytes, value_bytes) = (run as u32, key.len() as u32, before_bytes as u32);
        self.rows.push(Row { height: self.last, run, start: key.start, key_bytes, value_bytes });
    }

    /// Enters what stood at a key; keys ascend.
    pub fn push(&mut self, key: &[u8], before: Option<&[u8]>) {
        self.enter(self.last, key, before);
    }

    fn enter(&mut self, height: u64, key: &[u8], before: Option<&[u8]>) {
        let Some((bytes, others)) = self.runs.split_last_mut() else {
            self.runs.push(vec![]);
            return self.enter(height, key, before);
        };
        let (run, start) = (others.len() as u32, bytes.len());
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(before.unwrap_or_default());
        let value_bytes = before.map_or(NOTHING, |before| before.len() as u32);
        self.rows.push(Row { height, run, start, key_bytes: key.len() as u32, value_bytes });
    }

    fn bytes(&self) -> usize {
        self.runs.iter().map(Vec::len).sum()
    }

    fn memory_bytes(&self) -> usize {
        self.bytes() + self.rows.len() * size_of::<Row>()
    }

    fn key(&self, row: &Row) -> &[u8] {
        &self.runs[row.run as usize][row.start..row.start + row.key_bytes as usize]
    }

    fn before(&self, row: &Row) -> Option<&[u8]> {
        let (run, start) = (&self.runs[row.run as usize], row.start + row.key_bytes as usize);
        (row.value_bytes != NOTHING).then(|| &run[start..start + row.value_bytes as usize])
    }

    fn find(&self, key: &[u8], height: u64) -> Option<Option<&[u8]>> {
        let at = self.rows.partition_point(|row| (self.key(row), row.height) <= (key, height));
        self.rows.get(at).filter(|row| self.key(row) == key).map(|row| self.before(row))
    }

    /// Rows of keys from one on and before another.
    fn range(&self, from: &[u8], end: &[u8]) -> &[Row] {
        let at = |key: &[u8]| self.rows.partition_point(|row| self.key(row) < key);
        let (first, last) = (at(from), at(end));
        self.rows.get(first..last).unwrap_or_default()
    }

    fn together(parts: &[Replaced]) -> Replaced {
        let mut all: Vec<(&Replaced, &Row)> =
            parts.iter().flat_map(|part| part.rows.iter().map(move |row| (part, row))).collect();
        all.sort_by(|(a, x), (b, y)| (a.key(x), x.height).cmp(&(b.key(y), y.height)));
        let mut together = Replaced {
            last: parts.last().map_or(0, |part| part.last),
            blocks: parts.iter().map(|part| part.blocks).sum(),
            rows: Vec::with_capacity(all.len()),
            runs: vec![Vec::with_capacity(parts.iter().map(Replaced::bytes).sum())],
        };
        for (part, row) in all {
            together.enter(row.height, part.key(row), part.before(row));
        }
        together
    }
}

/// The newest blocks, the oldest first.
#[derive(Debug)]
pub(super) struct Window {
    blocks_max: usize,
    bytes_max: usize,
    known: VecDeque<Known>,
    parts: VecDeque<Replaced>,
    bytes: usize,
    /// Readers of states, by height.
    held: BTreeMap<u64, usize>,
}

impl Window {
    /// Nothing yet, to be kept for so many blocks and so many bytes.
    pub fn new(blocks_max: usize, bytes_max: usize) -> Window {
        let (known, parts) = (VecDeque::new(), VecDeque::new());
        Window { blocks_max, bytes_max, known, parts, bytes: 0, held: BTreeMap::new() }
    }

    /// Whether what the next block replaces is to be entered.
    pub fn is_open(&self) -> bool {
        self.bytes_max > 0 || self.is_read()
    }

    /// Whether somebody reads a state.
    pub fn is_read(&self) -> bool {
        !self.held.is_empty()
    }

    /// Takes in a block; `replaced` is none where nobody asked for it.
    pub fn push(&mut self, known: Known, replaced: Option<Replaced>) {
        // A state that is being filled is of one height until it is whole.
        let is_next = self.known.back().is_none_or(|newest| newest.height < known.height);
        match replaced.filter(|_| is_next) {
            Some(replaced) => {
                self.bytes += replaced.memory_bytes();
                self.parts.push_back(replaced);
                self.put_together();
            }
            // The states before it can no longer be read.
            None => self.clear(),
        }
        self.known.push_back(known);
        self.prune();
    }

    /// Lets go of everything: no past state is told from here any more.
    pub fn clear(&mut self) {
        self.known.clear();
        self.parts.clear();
        self.bytes = 0;
    }

    fn put_together(&mut self) {
        let single = self.parts.iter().rev().take_while(|part| part.blocks < GROUP).count();
        if single < GROUP {
            return;
        }
        let parts: Vec<Replaced> = self.parts.drain(self.parts.len() - single..).collect();
        let bytes: usize = parts.iter().map(Replaced::memory_bytes).sum();
        if bytes > GROUP_BYTES_MAX {
            // Each counts as a group from here on.
            self.parts.extend(parts.into_iter().map(|part| Replaced { blocks: GROUP, ..part }));
            return;
        }
        let together = Replaced::together(&parts);
        self.bytes = self.bytes - bytes + together.memory_bytes();
        self.parts.push_back(together);
    }

    /// Lets go of what lies behind the window's end and nobody reads, at most two groups for a block.
    fn prune(&mut self) {
        for _ in 0..2 {
            let Some(oldest) = self.parts.front() else { return };
            let behind = self.known.partition_point(|known| known.height < oldest.last);
            let is_old = self.known.len() - behind > self.blocks_max || self.bytes > self.bytes_max;
            let is_read = self.held.first_key_value().is_some_and(|(height, _)| *height < oldest.last);
            let is_too_much = self.bytes > self.bytes_max.max(GROUP_BYTES_MAX).saturating_mul(HELD_FACTOR);
            if !is_old || is_read && !is_too_much {
                return;
            }
            self.bytes -= oldest.memory_bytes();
            self.parts.pop_front();
            self.known.drain(..behind);
        }
    }

    /// Height of the oldest state that can be read.
    pub fn oldest(&self) -> u64 {
        self.known.front().map_or(0, |known| known.height)
    }

    /// What is known of the newest state.
    pub fn newest(&self) -> Option<&Known> {
        self.known.back()
    }

    /// What is known of the state of a height, where it can be read.
    pub fn at(&self, height: u64) -> Option<&Known> {
        let place = self.known.binary_search_by_key(&height, |known| known.height).ok()?;
        self.known.get(place)
    }

    /// Blocks and bytes.
    pub fn size(&self) -> (usize, usize) {
        (self.known.len().saturating_sub(1), self.bytes)
    }

    /// Somebody reads the state of a height from here on.
    pub fn hold(&mut self, height: u64) {
        *self.held.entry(height).or_default() += 1;
    }

    /// Somebody no longer does.
    pub fn release(&mut self, height: u64) {
        if let Some(readers) = self.held.get_mut(&height) {
            *readers -= 1;
            if *readers == 0 {
                self.held.remove(&height);
            }
        }
    }

    fn after(&self, height: u64) -> impl DoubleEndedIterator<Item = &Replaced> {
        self.parts.range(self.parts.partition_point(|part| part.last <= height)..)
    }

    /// What stood at a key after the block of a height; the outer one is none where it stands there still.
    pub fn value(&self, key: &[u8], height: u64) -> Option<Option<&[u8]>> {
        self.after(height).find_map(|part| part.find(key, height))
    }

    /// The first key from one on and before another that was changed after the block of a height.
    pub fn next_key(&self, from: &[u8], end: &[u8], height: u64) -> Option<&[u8]> {
        let first = |part: &'_ Replaced| -> Option<usize> {
            part.range(from, end).iter().position(|row| row.height > height)
        };
        let keys = self.after(height).filter_map(|part| {
            let place = first(part)?;
            part.range(from, end).get(place).map(|row| part.key(row))
        });
        keys.min()
    }

    /// The keys from one on and before another that were changed after the block of a height, and what stood there
    /// then.
    pub fn changed(&self, from: &[u8], end: &[u8], height: u64) -> BTreeMap<&[u8], Option<&[u8]>> {
        let mut changed = BTreeMap::new();
        // The oldest change after that block is entered last.
        for part in self.after(height).rev() {
            for row in part.range(from, end).iter().rev().filter(|row| row.height > height) {
                changed.insert(part.key(row), part.before(row));
            }
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Rows = BTreeMap<Vec<u8>, Vec<u8>>;
    type Block = BTreeMap<Vec<u8>, Option<u8>>;

    fn known(height: u64) -> Known {
        Known { height, root: Hash::ZERO, ancestry: Mmr::default(), leaves: 0 }
    }

    fn block() -> impl Strategy<Value = Block> {
        prop::collection::btree_map(prop::collection::vec(0u8..6, 1..3), any::<Option<u8>>(), 0..6)
    }

    fn commit(window: &mut Window, rows: &mut Rows, height: u64, block: &Block) {
        let old = rows.clone();
        let there: Vec<u8> = old.iter().flat_map(|(key, value)| key.iter().chain(value)).copied().collect();
        let mut replaced = Replaced::by(height, block.len(), vec![vec![7], there]);
        for (key, value) in block {
            let before = old.range(..key.clone()).map(|(key, value)| key.len() + value.len()).sum();
            match rows.get(key) {
                // Some lie there, others are entered.
                Some(value) if height.is_multiple_of(2) => {
                    replaced.push_there(1, before..before + key.len(), value.len())
                }
                value => replaced.push(key, value.map(Vec::as_slice)),
            }
            match value {
                Some(value) => rows.insert(key.clone(), vec![*value]),
                None => rows.remove(key),
            };
        }
        window.push(known(height), Some(replaced));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn what_stood_at_every_height_is_known(blocks in prop::collection::vec(block(), 1..150)) {
            let (mut window, mut rows) = (Window::new(60, 1 << 20), Rows::new());
            window.push(known(0), None);
            let mut states = vec![rows.clone()];
            for (height, block) in (1u64..).zip(&blocks) {
                commit(&mut window, &mut rows, height, block);
                states.push(rows.clone());
            }
            let tip = blocks.len() as u64;
            prop_assert!(window.oldest() <= tip.saturating_sub(60), "as many as it says are kept");
            prop_assert!(window.size().0 <= 60 + 2 * GROUP, "and not many more");
            for height in window.oldest()..=tip {
                let state = &states[height as usize];
                for key in (0u8..6).flat_map(|a| [vec![a], vec![a, 3], vec![a, 5]]) {
                    let now = rows.get(&key).map(Vec::as_slice);
                    let then = window.value(&key, height).unwrap_or(now);
                    prop_assert_eq!(then, state.get(&key).map(Vec::as_slice));
                }
                let mut then = rows.clone();
                for (key, value) in window.changed(&[2], &[4, 2], height) {
                    prop_assert!(key >= &[2][..] && key < &[4, 2][..]);
                    match value {
                        Some(value) => then.insert(key.to_vec(), value.to_vec()),
                        None => then.remove(key),
                    };
                }
                let inside = |rows: &Rows| rows.range(vec![2]..vec![4, 2]).map(|row| row.0.clone()).collect::<Vec<_>>();
                prop_assert_eq!(inside(&then), inside(state));
                let first = window.changed(&[2], &[4, 2], height).keys().next().map(|key| key.to_vec());
                prop_assert_eq!(window.next_key(&[2], &[4, 2], height).map(<[u8]>::to_vec), first);
            }
        }
    }

    #[test]
    fn what_is_read_stays_and_what_nobody_reads_goes() {
        let (mut window, mut rows) = (Window::new(usize::MAX, 20_000), Rows::new());
        window.push(known(0), None);
        window.hold(0);
        let block = |n: u64| Block::from([(n.to_be_bytes().to_vec(), Some(1))]);
        (1..1000).for_each(|height| commit(&mut window, &mut rows, height, &block(height)));
        assert_eq!(window.oldest(), 0, "somebody reads it");
        window.release(0);
        (1000..1100).for_each(|height| commit(&mut window, &mut rows, height, &block(height)));
        assert!(window.oldest() > 400 && window.size().1 <= 20_000, "{:?}", window.size());
    }

    #[test]
    fn no_reader_makes_it_grow_without_end() {
        let mut window = Window::new(usize::MAX, 1);
        window.push(known(0), None);
        window.hold(0);
        let large = vec![7; GROUP_BYTES_MAX];
        for height in 1..20 {
            let mut replaced = Replaced::by(height, 1, vec![]);
            replaced.push(&[1], Some(&large));
            window.push(known(height), Some(replaced));
        }
        assert!(window.size().1 <= (HELD_FACTOR + 1) * GROUP_BYTES_MAX, "{:?}", window.size());
        assert!(window.at(0).is_none(), "who reads it is told that it is gone");
    }

    #[test]
    fn without_room_and_readers_nothing_is_entered() {
        let mut window = Window::new(10, 0);
        window.push(known(3), None);
        assert!(!window.is_open());
        assert!((window.oldest(), window.at(3).is_some(), window.at(2).is_none()) == (3, true, true));
        window.hold(3);
        assert!(window.is_open());
    }
}
