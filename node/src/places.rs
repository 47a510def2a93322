//! Where the receipt of each transaction stands, by the transaction's id: an index over the whole log, in files beside it.
//!
//! What is young is in memory. When there is enough of it, it becomes a run: a file of entries in the order of their ids,
//! over the blocks from one height to another. Neighbours that are as large are merged into one, so that there are few
//! files however long the chain is. Nothing here is the truth: a folder without runs has them made again from the log, and
//! whoever finds a place looks whether the transaction stands there.

use anyhow::{Context, Result, ensure};
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read, Write};
use std::iter::Peekable;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use tenor_abi::id::TxId;
use tenor_runtime::chain::{Chain, Replica};
use tenor_wire::block::{Block, Item};

/// Folder of the runs in a data folder.
pub const PLACES: &str = "places";
/// Transactions after which what is young becomes a run.
const YOUNG_MAX: usize = 32_768;
/// Blocks after which it does, however few transactions they have.
const YOUNG_BLOCKS_MAX: u64 = 50_000;
/// Transactions of a run that is not merged any more.
const RUN_MAX: u64 = 16 * 1024 * 1024;
/// Blocks that are read before anybody is answered; where there are more, they are read meanwhile.
const AT_ONCE_MAX: u64 = 2_000;
/// Bytes of an entry: id, height, place.
const ENTRY: usize = 32 + 8 + 4;

/// Height of a block and place in it.
type Place = (u64, u32);

/// What is known of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Known {
    /// It stands there.
    At(Place),
    /// It is in no block.
    Nowhere,
    /// The log is still read.
    NotYet,
}

/// Transactions of the blocks from one height to another.
#[derive(Default)]
struct Young {
    from: u64,
    to: u64,
    by_id: HashMap<TxId, Place>,
}

impl Young {
    fn note(&mut self, block: &Block) {
        self.to = block.header.height;
        for (item, index) in block.items.iter().zip(0u32..) {
            if let Item::Tx(tx) = item {
                self.by_id.insert(tx.id(), (block.header.height, index));
            }
        }
    }

    fn is_full(&self) -> bool {
        self.by_id.len() >= YOUNG_MAX || self.to - self.from >= YOUNG_BLOCKS_MAX
    }

    fn entries(&self) -> Vec<[u8; ENTRY]> {
        let mut entries: Vec<[u8; ENTRY]> = self
            .by_id
            .iter()
            .map(|(id, (height, index))| {
                let mut entry = [0; ENTRY];
                entry[..32].copy_from_slice(&id.0);
                entry[32..40].copy_from_slice(&height.to_be_bytes());
                entry[40..].copy_from_slice(&index.to_be_bytes());
                entry
            })
            .collect();
        entries.sort_unstable();
        entries
    }
}

/// A file of entries in the order of their ids.
struct Run {
    from: u64,
    to: u64,
    count: u64,
    file: File,
    path: PathBuf,
}

impl Run {
    fn name(from: u64, to: u64) -> String {
        format!("{from:020}-{to:020}")
    }

    fn open(path: &Path) -> Result<Run> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let (from, to) = name.split_once('-').context("no run has this name")?;
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        ensure!(length % ENTRY as u64 == 0, "a run is cut");
        let (from, to, count) = (from.parse()?, to.parse()?, length / ENTRY as u64);
        Ok(Run { from, to, count, file, path: path.into() })
    }

    fn write(
        folder: &Path,
        (from, to): (u64, u64),
        entries: impl Iterator<Item = Result<[u8; ENTRY]>>,
    ) -> Result<Run> {
        let (path, making) = (folder.join(Run::name(from, to)), folder.join("making"));
        let mut file = BufWriter::new(File::create(&making)?);
        for entry in entries {
            file.write_all(&entry?)?;
        }
        file.into_inner().context("writing a run")?.sync_all()?;
        fs::rename(&making, &path)?;
        crate::folder::sync(folder)?;
        Run::open(&path)
    }

    fn find(&self, id: &TxId) -> Result<Option<Place>> {
        let (mut low, mut high, mut entry) = (0, self.count, [0; ENTRY]);
        while low < high {
            let middle = low + (high - low) / 2;
            self.file.read_exact_at(&mut entry, middle * ENTRY as u64)?;
            match entry[..32].cmp(&id.0[..]) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => {
                    let (mut height, mut index) = ([0; 8], [0; 4]);
                    height.copy_from_slice(&entry[32..40]);
                    index.copy_from_slice(&entry[40..]);
                    return Ok(Some((u64::from_be_bytes(height), u32::from_be_bytes(index))));
                }
            }
        }
        Ok(None)
    }

    fn entries(&self) -> Result<impl Iterator<Item = Result<[u8; ENTRY]>>> {
        let (mut file, mut left) = (BufReader::new(File::open(&self.path)?), self.count);
        Ok(std::iter::from_fn(move || {
            left = left.checked_sub(1)?;
            let mut entry = [0; ENTRY];
            Some(file.read_exact(&mut entry).map(|()| entry).map_err(Into::into))
        }))
    }

    /// One run in place of two neighbours.
    fn merged(folder: &Path, older: &Run, newer: &Run) -> Result<Run> {
        fn first<I: Iterator<Item = Result<[u8; ENTRY]>>>(of: &mut Peekable<I>) -> Option<[u8; ENTRY]> {
            of.peek().and_then(|entry| entry.as_ref().ok().copied())
        }
        let (mut a, mut b) = (older.entries()?.peekable(), newer.entries()?.peekable());
        let entries = std::iter::from_fn(move || match (first(&mut a), first(&mut b)) {
            (Some(one), Some(other)) if other < one => b.next(),
            (None, Some(_)) if a.peek().is_none() => b.next(),
            (_, None) if b.peek().is_some() => b.next(),
            _ => a.next(),
        });
        Run::write(folder, (older.from, newer.to), entries)
    }
}

#[derive(Default)]
struct Inner {
    /// The oldest first, without gaps.
    runs: Vec<Arc<Run>>,
    /// What is full and not yet a run, by the height that it begins at.
    full: BTreeMap<u64, Arc<Young>>,
    young: Young,
    /// Whether every block of the log is in one of them.
    whole: bool,
}

/// The index.
pub struct Places {
    folder: PathBuf,
    inner: Mutex<Inner>,
    wake: Mutex<Option<Sender<()>>>,
}

impl Places {
    /// The index of a data folder's chain: what is not in it yet is read from the log, at once where that is little.
    ///
    /// # Errors
    /// When the disk says no.
    pub fn open(data: &Path, chain: &Chain) -> Result<Arc<Places>> {
        let (folder, tip) = (data.join(PLACES), chain.tip().height);
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        let runs = runs(&folder, tip)?;
        let from = runs.last().map_or(0, |run| run.to + 1);
        let inner = Inner { runs, young: Young { from: tip + 1, ..Young::default() }, ..Inner::default() };
        let places = Arc::new(Places { folder, inner: Mutex::new(inner), wake: Mutex::default() });
        let (wake, woken) = channel();
        *places.wake.lock().unwrap_or_else(PoisonError::into_inner) = Some(wake);
        let (reader, reading) = (Arc::downgrade(&places), chain.fork()?);
        let little = tip.saturating_sub(from) < AT_ONCE_MAX;
        if little {
            places.catch_up(&reading, from, tip)?;
        }
        let thread = thread::Builder::new().name("places".into());
        thread.spawn(move || {
            if let Some(places) = reader.upgrade().filter(|_| !little)
                && let Err(error) = places.catch_up(&reading, from, tip)
            {
                tracing::error!(%error, "the index of transactions is not whole");
            }
            drop(reading);
            // It ends with the index.
            while woken.recv().is_ok() {
                let Some(places) = reader.upgrade() else { return };
                if let Err(error) = places.settle() {
                    tracing::warn!(%error, "a run of the index of transactions was not written");
                }
            }
        })?;
        Ok(places)
    }

    /// Notes a block that was just committed; each in its turn.
    pub fn note(&self, block: &Block) {
        let mut inner = self.inner();
        inner.young.note(block);
        if inner.young.is_full() {
            let next = Young { from: block.header.height + 1, ..Young::default() };
            let full = std::mem::replace(&mut inner.young, next);
            inner.full.insert(full.from, Arc::new(full));
            drop(inner);
            if let Some(wake) = self.wake.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
                // Nobody listens where the thread is gone; then it stays in memory.
                let _ = wake.send(());
            }
        }
    }

    /// Where a transaction stands. Blocks on the disk.
    ///
    /// # Errors
    /// When the disk says no.
    pub fn find(&self, id: &TxId) -> Result<Known> {
        let (runs, whole) = {
            let inner = self.inner();
            let mut young = std::iter::once(&inner.young).chain(inner.full.values().map(Arc::as_ref));
            if let Some(place) = young.find_map(|young| young.by_id.get(id)) {
                return Ok(Known::At(*place));
            }
            (inner.runs.clone(), inner.whole)
        };
        for run in runs.iter().rev() {
            if let Some(place) = run.find(id)? {
                return Ok(Known::At(place));
            }
        }
        Ok(if whole { Known::Nowhere } else { Known::NotYet })
    }

    fn catch_up(&self, chain: &Chain, from: u64, tip: u64) -> Result<()> {
        let mut young = Young { from, to: from, ..Young::default() };
        for height in from..=tip {
            // What retention let go of has no receipts any more.
            match chain.block(height)? {
                Some(block) => young.note(&block),
                None => young.to = height,
            }
            if young.is_full() {
                let full = std::mem::replace(&mut young, Young { from: height + 1, ..Young::default() });
                self.inner().full.insert(full.from, Arc::new(full));
                self.settle()?;
            }
        }
        let mut inner = self.inner();
        // What is left is put before what came meanwhile, or is a run of its own where that is full already.
        if inner.young.from == tip + 1 {
            inner.young.from = young.from;
            inner.young.to = inner.young.to.max(young.to);
            inner.young.by_id.extend(young.by_id);
        } else {
            inner.full.insert(young.from, Arc::new(young));
        }
        inner.whole = true;
        Ok(())
    }

    /// Writes what is full, the oldest first and without gaps, and merges neighbours that are as large.
    fn settle(&self) -> Result<()> {
        loop {
            let (next, full) = {
                let inner = self.inner();
                let next = inner.runs.last().map_or(0, |run| run.to + 1);
                (next, inner.full.get(&next).cloned())
            };
            let Some(full) = full else { return Ok(()) };
            let entries = full.entries().into_iter().map(Ok);
            let run = Run::write(&self.folder, (full.from, full.to), entries)?;
            let mut inner = self.inner();
            inner.runs.push(Arc::new(run));
            inner.full.remove(&next);
            drop(inner);
            self.merge()?;
        }
    }

    fn merge(&self) -> Result<()> {
        loop {
            let pair = match self.inner().runs.as_slice() {
                [.., older, newer] => (Arc::clone(older), Arc::clone(newer)),
                _ => return Ok(()),
            };
            let (older, newer) = pair;
            if older.count > newer.count * 2 || older.count + newer.count > RUN_MAX {
                return Ok(());
            }
            let run = Run::merged(&self.folder, &older, &newer)?;
            let mut inner = self.inner();
            let kept = inner.runs.len() - 2;
            inner.runs.truncate(kept);
            inner.runs.push(Arc::new(run));
            drop(inner);
            // Whoever reads them has them open; left over, they are cleared by the next opening.
            let _ = (fs::remove_file(&older.path), fs::remove_file(&newer.path));
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The runs that are there, from block 0 without gaps; others, and what was begun, are cleared.
fn runs(folder: &Path, tip: u64) -> Result<Vec<Arc<Run>>> {
    let mut found = vec![];
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        match Run::open(&path) {
            Ok(run) => found.push(run),
            Err(_) => fs::remove_file(&path)?,
        }
    }
    // Of two that begin at one height the longer one was made of the other.
    found.sort_by_key(|run| (run.from, std::cmp::Reverse(run.to)));
    let (mut runs, mut next) = (Vec::<Arc<Run>>::new(), 0);
    for run in found {
        if run.from == next && run.to <= tip {
            next = run.to + 1;
            runs.push(Arc::new(run));
        } else {
            fs::remove_file(&run.path)?;
        }
    }
    Ok(runs)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    fn id(number: u64) -> TxId {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        TxId(bytes)
    }

    fn filled(from: u64, blocks: u64, each: u64) -> Young {
        let mut young = Young { from, to: from + blocks - 1, ..Young::default() };
        for height in from..from + blocks {
            for index in 0..each {
                young.by_id.insert(id(height * each + index), (height, index as u32));
            }
        }
        young
    }

    fn places(folder: &Path, tip: u64) -> Places {
        let inner = Inner { runs: runs(folder, tip).unwrap(), whole: true, ..Inner::default() };
        Places { folder: folder.into(), inner: Mutex::new(inner), wake: Mutex::default() }
    }

    #[test]
    fn every_transaction_is_found_whatever_was_merged_and_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let (mut next, mut places) = (0, places(folder.path(), 0));
        let each = 7;
        for round in 0..40u64 {
            let blocks = 1 + round % 5;
            let full = filled(next, blocks, each);
            next += blocks;
            places.inner().full.insert(full.from, Arc::new(full));
            places.settle().unwrap();
            if round % 7 == 0 {
                places = super::tests::places(folder.path(), next - 1);
            }
        }
        for height in 0..next {
            for index in 0..each {
                let found = places.find(&id(height * each + index)).unwrap();
                assert_eq!(found, Known::At((height, index as u32)));
            }
        }
        assert_eq!(places.find(&id(next * each)).unwrap(), Known::Nowhere);
        let count = places.inner().runs.len();
        assert!(count <= 12, "{count} runs");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), count);
    }

    #[test]
    fn what_is_cut_begun_or_beyond_the_chain_is_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        for (from, blocks) in [(0, 10), (10, 4), (20, 5)] {
            let full = filled(from, blocks, 3);
            Run::write(at, (full.from, full.to), full.entries().into_iter().map(Ok)).unwrap();
        }
        fs::write(at.join("making"), [1, 2, 3]).unwrap();
        let heights = |tip| runs(at, tip).unwrap().iter().map(|run| (run.from, run.to)).collect::<Vec<_>>();
        // The gap before 20 is nobody's.
        assert_eq!(heights(30), [(0, 9), (10, 13)]);
        // A chain that ends earlier than the index is another one's.
        assert_eq!(heights(12), [(0, 9)]);
        let path = at.join(Run::name(0, 9));
        File::options().write(true).open(&path).unwrap().set_len(ENTRY as u64 + 1).unwrap();
        assert_eq!(heights(30), []);
        assert_eq!(fs::read_dir(at).unwrap().count(), 0);
    }
}
