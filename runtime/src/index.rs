//! The index: rows in the order of their keys, in pages that are checked like the trie's buckets.
//!
//! Whatever execution finds by walking in key order, or finds missing, is read here: the due queue, names,
//! lists, used idempotency keys, and the keys of all leaves (whose values lie in the trie). A row that the
//! disk lost is noticed like one that it changed, because a page without it has another hash.

use crate::fault::Fault;
use crate::prefetch::prefetch;
use crate::store::{ChangeRef, DirtyPage, Disk, Page, PageNumber, Pages, PagesMemory, Row, Side, Table};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::{Bound, Range};
use std::sync::Arc;
use tenor_abi::id::Hash;
use tenor_wire::crypto::plain_hash;

/// A page with more bytes is cut.
const PAGE_BYTES_MAX: usize = 4096;
/// A page with fewer joins the next one when both fit.
const PAGE_BYTES_LOW: usize = 1024;
/// Changes whose pages memory is asked for together.
const NEAR: usize = 64;

/// A key that separates two pages: most are short, and lie side by side in the directory.
type Separator = SmallVec<[u8; 22]>;

/// Rows of a page, ascending by key, in the form in which they are stored: of each row the length of its key
/// (u16 little-endian), the key, the length of its value, the value.
#[derive(Clone, Debug, Default)]
struct Run {
    bytes: Vec<u8>,
    /// Where each row begins.
    starts: Vec<u32>,
}

/// A part of a row and what lies behind it.
fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))
}

fn encode(key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4 + key.len() + value.len());
    append(&mut bytes, key, value);
    bytes
}

fn append(bytes: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    for part in [key, value] {
        let length = u16::try_from(part.len()).expect("what lies in the index is short");
        bytes.extend(length.to_le_bytes());
        bytes.extend_from_slice(part);
    }
}

impl Run {
    fn one(key: &[u8], value: &[u8]) -> Run {
        Run { bytes: encode(key, value), starts: vec![0] }
    }

    fn len(&self) -> usize {
        self.starts.len()
    }

    fn row(&self, place: usize) -> (&[u8], &[u8]) {
        let parts = part(&self.bytes[self.starts[place] as usize..])
            .and_then(|(key, rest)| Some((key, part(rest)?.0)));
        parts.expect("a page was read whole")
    }

    fn key(&self, place: usize) -> &[u8] {
        self.row(place).0
    }

    fn last_key(&self) -> Option<&[u8]> {
        self.len().checked_sub(1).map(|last| self.key(last))
    }

    /// The shortest key that lies behind its rows and not behind those of the next page.
    fn separator(&self, behind: &Run) -> Separator {
        let (last, first) = (self.last_key().unwrap_or_default(), behind.key(0));
        let alike = last.iter().zip(first).take_while(|(a, b)| a == b).count();
        first[..first.len().min(alike + 1)].into()
    }

    fn find(&self, key: &[u8]) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = (low + high) / 2;
            match self.key(middle).cmp(key) {
                Ordering::Equal => return Ok(middle),
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    fn start(&self, place: usize) -> usize {
        self.starts.get(place).map_or(self.bytes.len(), |start| *start as usize)
    }

    /// Writes a row or takes it away, where its key was found or would be.
    fn set(&mut self, key: &[u8], value: Option<&[u8]>, found: Result<usize, usize>) {
        let (Ok(place) | Err(place)) = found;
        let old = self.start(place)..self.start(place + usize::from(found.is_ok()));
        let new = value.map(|value| encode(key, value)).unwrap_or_default();
        let (gained, lost) = (new.len() as u32, old.len() as u32);
        let start = old.start as u32;
        self.bytes.splice(old, new);
        match (found.is_ok(), value.is_some()) {
            (true, false) => drop(self.starts.remove(place)),
            (false, true) => self.starts.insert(place, start),
            _ => {}
        }
        let behind = place + usize::from(value.is_some());
        self.starts[behind..].iter_mut().for_each(|start| *start = *start + gained - lost);
    }

    /// The page with changes made in it, which ascend by key; `before` is told what was there.
    fn with(&self, changes: &[ChangeRef<'_>], before: &mut impl FnMut(&[u8], Option<&[u8]>)) -> Run {
        let gained: usize =
            changes.iter().map(|(key, value)| 4 + key.len() + value.map_or(0, <[u8]>::len)).sum();
        let mut run = Run {
            bytes: Vec::with_capacity(self.bytes.len() + gained),
            starts: Vec::with_capacity(self.len() + changes.len()),
        };
        let mut next = 0;
        for (key, value) in changes {
            let found = self.find(key);
            let (Ok(place) | Err(place)) = found;
            before(key, found.ok().map(|place| self.row(place).1));
            run.copy(self, next..place);
            if let Some(value) = value {
                run.starts.push(run.bytes.len() as u32);
                append(&mut run.bytes, key, value);
            }
            next = place + usize::from(found.is_ok());
        }
        run.copy(self, next..self.len());
        run
    }

    /// Adds rows of another page behind its own.
    fn copy(&mut self, from: &Run, places: Range<usize>) {
        let (start, end) = (from.start(places.start), from.start(places.end));
        let shift = self.bytes.len() as u32;
        self.starts.extend(from.starts[places].iter().map(|at| at + shift - start as u32));
        self.bytes.extend_from_slice(&from.bytes[start..end]);
    }

    /// The pages of at most so many bytes, unless a row is longer, that a page which is too large becomes.
    fn cut_up(self, bytes_max: usize) -> Vec<Run> {
        if self.bytes.len() <= PAGE_BYTES_MAX {
            return vec![self];
        }
        let (mut pages, mut next) = (vec![], 0);
        while next < self.len() {
            let end = self.start(next) + bytes_max;
            // Rows that end by then: the one that begins last before may go on behind it.
            let within = self.starts.partition_point(|start| *start as usize <= end);
            let within = if self.bytes.len() <= end { self.len() } else { (within - 1).max(next + 1) };
            let mut page = Run::default();
            page.copy(&self, next..within);
            pages.push(page);
            next = within;
        }
        pages
    }

    /// Cuts a page that is too large: in the middle, or in front of its last row where rows only ever come
    /// behind, so that those pages are filled.
    fn cut(&mut self, at_end: bool) -> Run {
        let last = self.len() - 1;
        let half = self.bytes.len() as u32 / 2;
        let place = if at_end { last } else { self.starts.partition_point(|start| *start < half) };
        let mut starts = self.starts.split_off(place.clamp(1, last));
        let first = starts[0];
        starts.iter_mut().for_each(|start| *start -= first);
        Run { bytes: self.bytes.split_off(first as usize), starts }
    }

    /// Takes in the rows of the page behind.
    fn join(&mut self, behind: Run) {
        let shift = self.bytes.len() as u32;
        self.bytes.extend(behind.bytes);
        self.starts.extend(behind.starts.iter().map(|start| start + shift));
    }
}

impl Page for Run {
    fn read(bytes: &[u8]) -> Option<Run> {
        let (mut starts, mut at) = (vec![], 0);
        let mut before: Option<&[u8]> = None;
        while at < bytes.len() {
            let (key, rest) = part(&bytes[at..])?;
            let (_, rest) = part(rest)?;
            if before.is_some_and(|before| before >= key) {
                return None;
            }
            starts.push(at as u32);
            (before, at) = (Some(key), bytes.len() - rest.len());
        }
        (!starts.is_empty()).then(|| Run { bytes: bytes.to_vec(), starts })
    }

    fn bytes(&self) -> Arc<[u8]> {
        self.bytes.as_slice().into()
    }

    fn beside(&self) -> Vec<u8> {
        vec![]
    }

    fn restore(bytes: &[u8], _beside: &[u8]) -> Option<Run> {
        Run::read(bytes)
    }

    fn memory_bytes(&self) -> usize {
        self.bytes.capacity() + self.starts.capacity() * 4 + size_of::<Run>()
    }

    /// Where rows begin, and those that a search meets first.
    fn prefetch(&self) {
        prefetch(self.starts.as_slice());
        (1..8).for_each(|part| self.bytes.get(self.bytes.len() * part / 8).into_iter().for_each(prefetch));
    }

    fn hash_all(pages: &mut [Run]) -> Vec<Hash> {
        pages.iter().map(|run| plain_hash(&[&run.bytes])).collect()
    }
}

/// The directory of an index, as a checkpoint keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IndexTop {
    directory: Vec<(Vec<u8>, PageNumber)>,
    pages: Vec<(Hash, Side)>,
}

/// Rows by key.
#[derive(Debug)]
pub struct Index {
    /// The lowest key that may lie in each page; the empty one for the first.
    directory: BTreeMap<Separator, PageNumber>,
    pages: Pages<Run>,
}

impl Index {
    /// An empty index; without a disk all of it stays in memory.
    pub fn new(disk: Option<Arc<Disk>>, memory_bytes_max: usize) -> Index {
        Index { directory: BTreeMap::new(), pages: Pages::new(Table::Index, disk, memory_bytes_max) }
    }

    /// The index of a checkpoint. No page is read.
    ///
    /// # Errors
    /// [`Fault::State`] when the directory names a page twice, or one that there is not.
    pub fn restore(top: IndexTop, disk: Option<Arc<Disk>>, memory_bytes_max: usize) -> Result<Index, Fault> {
        let mut index = Index::new(disk, memory_bytes_max);
        let mut used = vec![false; top.pages.len()];
        for (first, number) in top.directory {
            match used.get_mut(number as usize) {
                Some(seen) if !*seen => *seen = true,
                _ => return Err(Fault::State(format!("the index's directory is wrong about page {number}"))),
            }
            index.directory.insert(first.as_slice().into(), number);
        }
        index.pages.restore(top.pages, |number| used[number as usize]);
        Ok(index)
    }

    /// The value at a key.
    ///
    /// # Errors
    /// [`Fault::State`] when what was read is not what its hash says.
    pub fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        let Some(number) = self.page_of(key) else { return Ok(None) };
        let run = self.pages.get(number)?;
        Ok(run.find(key).ok().map(|place| run.row(place).1.to_vec()))
    }

    /// The first row at or after `from` and before `end`.
    ///
    /// # Errors
    /// As [`Index::get`].
    pub fn next(&mut self, from: &[u8], end: &[u8]) -> Result<Option<Row>, Fault> {
        let Some(mut number) = self.page_of(from) else { return Ok(None) };
        let mut place = match self.pages.get(number)?.find(from) {
            Ok(place) | Err(place) => place,
        };
        loop {
            let run = self.pages.get(number)?;
            if place < run.len() {
                let (key, value) = run.row(place);
                return Ok((key < end).then(|| (key.to_vec(), value.to_vec())));
            }
            let empty = || Fault::State(format!("index page {number} is empty"));
            let last = run.last_key().ok_or_else(empty)?;
            if last >= end {
                return Ok(None);
            }
            let behind = (Bound::Excluded(last), Bound::Excluded(end));
            match self.directory.range::<[u8], _>(behind).next() {
                Some((_, next)) => (number, place) = (*next, 0),
                None => return Ok(None),
            }
        }
    }

    /// The first rows at or after `from` and before `end`, at most so many.
    ///
    /// # Errors
    /// As [`Index::get`].
    pub fn next_rows(&mut self, from: &[u8], end: &[u8], count_max: usize) -> Result<Vec<Row>, Fault> {
        let mut rows: Vec<Row> = vec![];
        let mut from = Cow::Borrowed(from);
        while rows.len() < count_max
            && let Some(row) = self.next(&from, end)?
        {
            // Those behind it in its page need no search.
            let number = self.page_of(&row.0);
            let place = match number {
                Some(number) => self.pages.get(number)?.find(&row.0).map_or(0, |place| place + 1),
                None => 0,
            };
            rows.push(row);
            if let Some(number) = number {
                let run = self.pages.get(number)?;
                let there = (place..run.len()).map(|place| run.row(place)).take_while(|row| row.0 < end);
                let there = there.take(count_max - rows.len());
                rows.extend(there.map(|(key, value)| (key.to_vec(), value.to_vec())));
            }
            from = Cow::Owned(rows.last().map_or_else(Vec::new, |(key, _)| [key.as_slice(), &[0]].concat()));
        }
        Ok(rows)
    }

    /// Begins a batch of changes: pages used in it stay in memory until it is over.
    pub fn begin_batch(&mut self) {
        self.pages.begin_batch();
    }

    /// Writes a row, or takes it away; what was there.
    ///
    /// # Errors
    /// As [`Index::get`].
    pub fn set(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<Option<Vec<u8>>, Fault> {
        let Some(number) = self.page_of(key) else {
            if let Some(value) = value {
                let first = self.pages.add(Run::one(key, value));
                self.directory.insert(Separator::new(), first);
            }
            return Ok(None);
        };
        self.set_in(number, key, value)
    }

    /// Writes a row of a page, or takes it away; what was there.
    fn set_in(
        &mut self,
        number: PageNumber,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<Option<Vec<u8>>, Fault> {
        let run = self.pages.get(number)?;
        let found = run.find(key);
        let before = found.ok().map(|place| run.row(place).1.to_vec());
        if value.is_none() && before.is_none() {
            return Ok(None);
        }
        let run = self.pages.change(number)?;
        run.set(key, value, found);
        let is_last = run.last_key() == Some(key);
        let behind = (run.bytes.len() > PAGE_BYTES_MAX && run.len() > 1).then(|| run.cut(is_last));
        let behind = behind.map(|behind| (run.separator(&behind), behind));
        let is_low = run.bytes.len() < PAGE_BYTES_LOW;
        self.pages.changed(number);
        if let Some((first, behind)) = behind {
            let added = self.pages.add(behind);
            self.directory.insert(first, added);
        } else if is_low && value.is_none() {
            self.shrink(key, number)?;
        }
        Ok(before)
    }

    /// Writes rows or takes them away, ascending by key; `before` is told what was there. Those of one page are made
    /// together.
    ///
    /// # Errors
    /// As [`Index::get`].
    pub fn set_all(
        &mut self,
        changes: &[ChangeRef<'_>],
        mut before: impl FnMut(&[u8], Option<&[u8]>),
    ) -> Result<(), Fault> {
        let (mut next, mut asked) = (0, 0);
        while let [(key, value), behind @ ..] = &changes[next..] {
            if next >= asked {
                asked = changes.len().min(next + NEAR);
                self.prefetch(changes[next..asked].iter().map(|(key, _)| *key));
            }
            let (number, count) = self.together(key, behind);
            match number {
                Some(number) if count == 1 => before(key, self.set_in(number, key, *value)?.as_deref()),
                None => before(key, self.set(key, *value)?.as_deref()),
                Some(number) => self.merge(number, &changes[next..next + count], &mut before)?,
            }
            next += count;
        }
        Ok(())
    }

    /// Asks memory for the pages of keys that are looked for next, all of them before the first is waited for.
    pub fn prefetch<'k>(&self, keys: impl Iterator<Item = &'k [u8]>) {
        self.pages.prefetch(&keys.filter_map(|key| self.page_of(key)).collect::<Vec<_>>());
    }

    /// The page of a key, and how many changes lie in it: that of the key and those behind it.
    fn together(&self, key: &[u8], behind: &[ChangeRef<'_>]) -> (Option<PageNumber>, usize) {
        let Some((lowest, number)) = self.place_of(key) else { return (None, 1) };
        let next = || {
            let behind_it = (Bound::Excluded(lowest), Bound::Unbounded);
            self.directory.range::<[u8], _>(behind_it).next().map(|(lowest, _)| &lowest[..])
        };
        let next = if behind.is_empty() { None } else { next() };
        let is_in = |(key, _): &&ChangeRef<'_>| next.is_none_or(|next| *key < next);
        (Some(*number), 1 + behind.iter().take_while(is_in).count())
    }

    /// Makes changes that lie in one page.
    fn merge(
        &mut self,
        number: PageNumber,
        changes: &[ChangeRef<'_>],
        before: &mut impl FnMut(&[u8], Option<&[u8]>),
    ) -> Result<(), Fault> {
        let (Some((first, _)), Some((last, _))) = (changes.first(), changes.last()) else { return Ok(()) };
        let run = self.pages.get(number)?.with(changes, before);
        // Where rows only ever come behind, pages are filled.
        let bytes_max = if run.last_key() == Some(last) { PAGE_BYTES_MAX } else { PAGE_BYTES_MAX / 2 };
        let is_low = run.bytes.len() < PAGE_BYTES_LOW;
        let pages = run.cut_up(bytes_max);
        let lowest: Vec<_> = pages.windows(2).map(|pair| pair[0].separator(&pair[1])).collect();
        let mut pages = pages.into_iter();
        if let Some(own) = pages.next() {
            *self.pages.change(number)? = own;
            self.pages.changed(number);
        }
        for (lowest, page) in lowest.into_iter().zip(pages) {
            let number = self.pages.add(page);
            self.directory.insert(lowest, number);
        }
        if is_low { self.shrink(first, number) } else { Ok(()) }
    }

    /// Bytes of the pages that changed since the last checkpoint.
    pub fn dirty_bytes(&self) -> usize {
        self.pages.dirty_bytes()
    }

    /// As [`Pages::held_bytes`].
    pub fn held_bytes(&self) -> usize {
        self.pages.held_bytes()
    }

    /// Takes what changed since the last checkpoint, and the directory.
    ///
    /// # Errors
    /// [`Fault`] when a changed page is not in memory.
    pub fn checkpoint(&mut self, sequence: u32, into: &mut Vec<DirtyPage>) -> Result<IndexTop, Fault> {
        // Of a page that was spilled the hash was made then.
        let mut dirty = self.pages.dirty();
        dirty.retain(|number| self.pages.is_cached(*number));
        self.pages.rehash(&dirty)?;
        self.pages.checkpoint(sequence, into);
        let directory = self.directory.iter().map(|(first, number)| (first.to_vec(), *number)).collect();
        Ok(IndexTop { directory, pages: self.pages.known() })
    }

    /// Reads every page against its hash.
    pub fn check_pages(&mut self) -> Vec<Fault> {
        self.pages.check()
    }

    /// How much memory it takes.
    pub fn memory(&self) -> PagesMemory {
        let mut memory = self.pages.memory();
        let apart = |key: &Separator| if key.spilled() { key.len() } else { 0 };
        memory.known_bytes += self.directory.keys().map(|key| 64 + apart(key)).sum::<usize>();
        memory
    }

    /// The page that holds a key, or would.
    fn page_of(&self, key: &[u8]) -> Option<PageNumber> {
        self.place_of(key).map(|(_, number)| *number)
    }

    fn place_of(&self, key: &[u8]) -> Option<(&[u8], &PageNumber)> {
        let upto = (Bound::Unbounded, Bound::Included(key));
        self.directory.range::<[u8], _>(upto).next_back().map(|(lowest, number)| (&lowest[..], number))
    }

    /// Takes an empty page away, or joins a small one with the next where both fit.
    fn shrink(&mut self, key: &[u8], number: PageNumber) -> Result<(), Fault> {
        let Some((lowest, _)) = self.place_of(key) else { return Ok(()) };
        let lowest: Separator = lowest.into();
        let behind = (Bound::Excluded(&lowest[..]), Bound::Unbounded);
        let next = self.directory.range::<[u8], _>(behind).next();
        let next = next.map(|(lowest, number)| (lowest.clone(), *number));
        let own_bytes = self.pages.get(number)?.bytes.len();
        if own_bytes == 0 {
            self.pages.remove(number)?;
            self.directory.remove(&lowest);
            if let Some((old, first)) = next.filter(|_| lowest.is_empty()) {
                self.directory.remove(&old);
                self.directory.insert(lowest, first);
            }
        } else if let Some((old, next)) = next
            && self.pages.get(next)?.bytes.len() + own_bytes <= PAGE_BYTES_MAX / 2
        {
            let theirs = self.pages.remove(next)?;
            self.directory.remove(&old);
            self.pages.change(number)?.join(theirs);
            self.pages.changed(number);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::fail_at;
    use crate::store::PageBytes;
    use proptest::prelude::*;

    type Model = BTreeMap<Vec<u8>, Vec<u8>>;

    fn rows(index: &mut Index) -> Model {
        let (mut rows, mut from) = (Model::new(), vec![]);
        while let Some((key, value)) = index.next(&from, &[255; 9]).unwrap() {
            assert_eq!(index.get(&key).unwrap(), Some(value.clone()));
            from = [&key[..], &[0]].concat();
            rows.insert(key, value);
        }
        rows
    }

    /// Keys that are often neighbours, values that fill pages quickly.
    fn change() -> impl Strategy<Value = (Vec<u8>, Option<Vec<u8>>)> {
        let key = prop::collection::vec(0u8..12, 1..4);
        (key, prop::option::weighted(0.6, (any::<u8>(), 0usize..400)))
            .prop_map(|(key, value)| (key, value.map(|(byte, length)| vec![byte; length])))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn an_index_is_a_sorted_map(
            steps in prop::collection::vec((prop::collection::vec(change(), 0..200), any::<bool>(), 0u8..3, prop::option::of(0u32..9)), 1..6),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let disk = Arc::new(Disk::open(folder.path()).unwrap());
            let (mut index, mut model) = (Index::new(Some(Arc::clone(&disk)), 20_000), Model::new());
            for (sequence, (step, at_once, then, failing)) in (1u32..).zip(&steps) {
                fail_at(*failing);
                index.begin_batch();
                let sorted: BTreeMap<_, _> = step.iter().cloned().collect();
                if *at_once {
                    let changes: Vec<ChangeRef<'_>> =
                        sorted.iter().map(|(key, value)| (key.as_slice(), value.as_deref())).collect();
                    let mut told = vec![];
                    let tell = |key: &[u8], before: Option<&[u8]>| told.push((key.to_vec(), before.map(<[u8]>::to_vec)));
                    index.set_all(&changes, tell).unwrap();
                    let before = sorted.keys().map(|key| (key.clone(), model.get(key).cloned()));
                    prop_assert_eq!(told, before.collect::<Vec<_>>());
                }
                for (key, value) in if *at_once { sorted.into_iter().collect() } else { step.clone() } {
                    let before = match &value {
                        Some(value) => model.insert(key.clone(), value.clone()),
                        None => model.remove(&key),
                    };
                    if !*at_once {
                        prop_assert_eq!(index.set(&key, value.as_deref()).unwrap(), before);
                    }
                }
                prop_assert_eq!(&rows(&mut index), &model);
                let some: Vec<Row> = model.range(vec![2]..vec![9]).take(40).map(|(k, v)| (k.clone(), v.clone())).collect();
                prop_assert_eq!(index.next_rows(&[2], &[9], 40).unwrap(), some);
                for (key, _) in step {
                    let expected = model.iter().find(|row| row.0 > key && row.0[..] < [9][..]);
                    let from = [&key[..], &[0]].concat();
                    let found = index.next(&from, &[9]).unwrap();
                    prop_assert_eq!(found, expected.map(|(k, v)| (k.clone(), v.clone())));
                }
                fail_at(None);
                if *then == 0 {
                    continue;
                }
                let mut pages = vec![];
                let top = index.checkpoint(sequence, &mut pages).unwrap();
                disk.write_parts(&mut pages, &[], &[], sequence).unwrap();
                if *then == 2 {
                    index = Index::restore(top, Some(Arc::clone(&disk)), 20_000).unwrap();
                    prop_assert_eq!(&rows(&mut index), &model);
                }
            }
            for key in model.keys() {
                index.set(key, None).unwrap();
            }
            prop_assert!(rows(&mut index).is_empty());
            prop_assert_eq!(index.memory().pages, 0);
        }
    }

    #[test]
    fn a_row_that_the_disk_lost_is_a_fault() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Arc::new(Disk::open(folder.path()).unwrap());
        let mut index = Index::new(Some(Arc::clone(&disk)), 0);
        (0..100u8).for_each(|key| assert_eq!(index.set(&[key], Some(&[key; 200])).unwrap(), None));
        let mut pages = vec![];
        let top = index.checkpoint(1, &mut pages).unwrap();
        let PageBytes::Here(bytes) = &mut pages[0].bytes else { panic!("it is in memory") };
        let mut less = Run::read(bytes).unwrap();
        let lost = less.key(3).to_vec();
        less.set(&lost, None, less.find(&lost));
        *bytes = Page::bytes(&less);
        disk.write_parts(&mut pages, &[], &[], 1).unwrap();
        let mut index = Index::restore(top, Some(disk), 0).unwrap();
        let fault = index.get(&lost).unwrap_err().to_string();
        assert!(fault.contains("of the index is not what its hash says"), "{fault}");
    }
}
