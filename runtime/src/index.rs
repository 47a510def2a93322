//! The index: rows in the order of their keys, in pages that are checked like the trie's buckets.
//!
//! Whatever execution finds by walking in key order, or finds missing, is read here: the due queue, names,
//! lists, used idempotency keys, and the keys of all leaves (whose values lie in the trie). A row that the
//! disk lost is noticed like one that it changed, because a page without it has another hash.

use crate::fault::Fault;
use crate::store::{DirtyPage, Disk, Page, PageNumber, Pages, PagesMemory, Row, Side, Table};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use tenor_abi::id::Hash;
use tenor_wire::crypto::plain_hash;

/// A page with more bytes is cut.
const PAGE_BYTES_MAX: usize = 4096;
/// A page with fewer joins the next one when both fit.
const PAGE_BYTES_LOW: usize = 1024;

/// Key and value.
type Kept = (Box<[u8]>, Box<[u8]>);

/// Rows of a page, ascending by key.
#[derive(Clone, Debug, Default)]
struct Run {
    rows: Vec<Kept>,
    stored_bytes: usize,
}

fn stored_bytes(key: &[u8], value: &[u8]) -> usize {
    4 + key.len() + value.len()
}

impl Run {
    fn of(rows: Vec<Kept>) -> Run {
        let stored_bytes = rows.iter().map(|(key, value)| stored_bytes(key, value)).sum();
        Run { rows, stored_bytes }
    }

    fn find(&self, key: &[u8]) -> Result<usize, usize> {
        self.rows.binary_search_by(|row| (*row.0).cmp(key))
    }

    fn set(&mut self, key: &[u8], value: Option<&[u8]>) {
        match (self.find(key), value) {
            (Ok(place), Some(value)) => {
                self.stored_bytes = self.stored_bytes + value.len() - self.rows[place].1.len();
                self.rows[place].1 = value.into();
            }
            (Err(place), Some(value)) => {
                self.stored_bytes += stored_bytes(key, value);
                self.rows.insert(place, (key.into(), value.into()));
            }
            (Ok(place), None) => {
                let (key, value) = self.rows.remove(place);
                self.stored_bytes -= stored_bytes(&key, &value);
            }
            (Err(_), None) => {}
        }
    }

    /// Cuts a page that is too large: in the middle, or in front of its last row where rows only ever come
    /// behind, so that those pages are filled.
    fn cut(&mut self, at_end: bool) -> Run {
        let mut place = self.rows.len() - 1;
        if !at_end {
            let mut bytes = 0;
            let half = |(key, value): &Kept| {
                bytes += stored_bytes(key, value);
                bytes * 2 > self.stored_bytes
            };
            place = self.rows.iter().position(half).unwrap_or(place).clamp(1, place);
        }
        let behind = Run::of(self.rows.split_off(place));
        self.stored_bytes -= behind.stored_bytes;
        behind
    }
}

impl Page for Run {
    fn read(bytes: Vec<u8>) -> Option<Run> {
        let (mut rows, mut rest): (Vec<Kept>, _) = (vec![], &bytes[..]);
        while !rest.is_empty() {
            let mut part = || {
                let (length, behind) = rest.split_first_chunk::<2>()?;
                let (part, behind) = behind.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
                rest = behind;
                Some(Box::from(part))
            };
            rows.push((part()?, part()?));
        }
        (!rows.is_empty() && rows.is_sorted_by(|a, b| a.0 < b.0)).then(|| Run::of(rows))
    }

    fn bytes(&self) -> Arc<[u8]> {
        let mut bytes = Vec::with_capacity(self.stored_bytes);
        for (key, value) in &self.rows {
            for part in [key, value] {
                bytes.extend((part.len() as u16).to_le_bytes());
                bytes.extend(&part[..]);
            }
        }
        bytes.into()
    }

    fn memory_bytes(&self) -> usize {
        // Two boxes and their allocations for each row.
        self.stored_bytes + self.rows.len() * 64 + size_of::<Run>()
    }

    fn hash_all(pages: &mut [Run]) -> Vec<Hash> {
        pages.iter().map(|run| plain_hash(&[&run.bytes()])).collect()
    }
}

/// The directory of an index, as a checkpoint keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IndexTop {
    directory: Vec<(Vec<u8>, PageNumber)>,
    pages: Vec<(Hash, Side)>,
}

/// Rows by key.
#[derive(Clone, Debug)]
pub struct Index {
    /// The lowest key that may lie in each page; the empty one for the first.
    directory: BTreeMap<Box<[u8]>, PageNumber>,
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
            index.directory.insert(first.into(), number);
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
        Ok(run.find(key).ok().map(|place| run.rows[place].1.to_vec()))
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
            if let Some((key, value)) = run.rows.get(place) {
                return Ok((&key[..] < end).then(|| (key.to_vec(), value.to_vec())));
            }
            let last = run.rows.last().map(|row| row.0.clone());
            let last = last.ok_or_else(|| Fault::State(format!("index page {number} is empty")))?;
            if &last[..] >= end {
                return Ok(None);
            }
            let behind = (Bound::Excluded(&last[..]), Bound::Excluded(end));
            match self.directory.range::<[u8], _>(behind).next() {
                Some((_, next)) => (number, place) = (*next, 0),
                None => return Ok(None),
            }
        }
    }

    /// Begins a batch of changes: pages used in it stay in memory until it is over.
    pub fn begin_batch(&mut self) {
        self.pages.begin_batch();
    }

    /// Writes a row, or takes it away.
    ///
    /// # Errors
    /// As [`Index::get`].
    pub fn set(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), Fault> {
        let Some(number) = self.page_of(key) else {
            if let Some(value) = value {
                let first = self.pages.add(Run::of(vec![(key.into(), value.into())]));
                self.directory.insert(Box::default(), first);
            }
            return Ok(());
        };
        if value.is_none() && self.pages.get(number)?.find(key).is_err() {
            return Ok(());
        }
        let run = self.pages.change(number)?;
        run.set(key, value);
        let is_last = run.rows.last().is_some_and(|row| *row.0 == *key);
        let behind = (run.stored_bytes > PAGE_BYTES_MAX && run.rows.len() > 1).then(|| run.cut(is_last));
        let is_low = run.stored_bytes < PAGE_BYTES_LOW;
        self.pages.changed(number);
        if let Some(behind) = behind {
            let first = behind.rows[0].0.clone();
            let added = self.pages.add(behind);
            self.directory.insert(first, added);
        } else if is_low && value.is_none() {
            self.shrink(key, number)?;
        }
        Ok(())
    }

    /// Bytes of the pages that changed since the last checkpoint.
    pub fn dirty_bytes(&self) -> usize {
        self.pages.dirty_bytes()
    }

    /// Takes what changed since the last checkpoint, and the directory.
    ///
    /// # Errors
    /// [`Fault`] when a changed page is not in memory.
    pub fn checkpoint(&mut self, sequence: u32, into: &mut Vec<DirtyPage>) -> Result<IndexTop, Fault> {
        let dirty = self.pages.dirty();
        self.pages.rehash(&dirty)?;
        self.pages.checkpoint(sequence, into);
        let directory = self.directory.iter().map(|(first, number)| (first.to_vec(), *number)).collect();
        Ok(IndexTop { directory, pages: self.pages.known() })
    }

    /// How much memory it takes.
    pub fn memory(&self) -> PagesMemory {
        let mut memory = self.pages.memory();
        memory.known_bytes += self.directory.keys().map(|first| first.len() + 64).sum::<usize>();
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
        let lowest: Box<[u8]> = lowest.into();
        let behind = (Bound::Excluded(&lowest[..]), Bound::Unbounded);
        let next = self.directory.range::<[u8], _>(behind).next();
        let next = next.map(|(lowest, number)| (lowest.clone(), *number));
        let own_bytes = self.pages.get(number)?.stored_bytes;
        if own_bytes == 0 {
            self.pages.remove(number)?;
            self.directory.remove(&lowest);
            if let Some((old, first)) = next.filter(|_| lowest.is_empty()) {
                self.directory.remove(&old);
                self.directory.insert(lowest, first);
            }
        } else if let Some((old, next)) = next
            && self.pages.get(next)?.stored_bytes + own_bytes <= PAGE_BYTES_MAX / 2
        {
            let theirs = self.pages.remove(next)?;
            self.directory.remove(&old);
            let run = self.pages.change(number)?;
            run.stored_bytes += theirs.stored_bytes;
            run.rows.extend(theirs.rows);
            self.pages.changed(number);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        fn an_index_is_a_sorted_map(steps in prop::collection::vec(prop::collection::vec(change(), 0..200), 1..6), reopen in any::<bool>()) {
            let folder = tempfile::tempdir().unwrap();
            let disk = Arc::new(Disk::open(folder.path()).unwrap());
            let (mut index, mut model) = (Index::new(Some(Arc::clone(&disk)), 20_000), Model::new());
            for (sequence, step) in (1u32..).zip(&steps) {
                index.begin_batch();
                for (key, value) in step {
                    index.set(key, value.as_deref()).unwrap();
                    match value {
                        Some(value) => model.insert(key.clone(), value.clone()),
                        None => model.remove(key),
                    };
                }
                prop_assert_eq!(&rows(&mut index), &model);
                for (key, _) in step {
                    let expected = model.iter().find(|row| row.0 > key && row.0[..] < [9][..]);
                    let from = [&key[..], &[0]].concat();
                    let found = index.next(&from, &[9]).unwrap();
                    prop_assert_eq!(found, expected.map(|(k, v)| (k.clone(), v.clone())));
                }
                let mut pages = vec![];
                let top = index.checkpoint(sequence, &mut pages).unwrap();
                disk.write_parts(&mut pages, &[], &[], sequence).unwrap();
                if reopen {
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
        (0..100u8).for_each(|key| index.set(&[key], Some(&[key; 200])).unwrap());
        let mut pages = vec![];
        let top = index.checkpoint(1, &mut pages).unwrap();
        let mut less = Run::read(pages[0].bytes.to_vec()).unwrap();
        let lost = less.rows.remove(3).0;
        pages[0].bytes = less.bytes();
        disk.write_parts(&mut pages, &[], &[], 1).unwrap();
        let mut index = Index::restore(top, Some(disk), 0).unwrap();
        let fault = index.get(&lost).unwrap_err().to_string();
        assert!(fault.contains("of the index is not what its hash says"), "{fault}");
    }
}
