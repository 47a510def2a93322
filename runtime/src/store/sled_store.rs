//! The store on disk: sled, written behind the log in bounded batches.
//!
//! sled loses acknowledged writes at power loss and may refuse to open afterwards; both are harmless here,
//! because the log is ahead of it. Applied blocks are kept in memory until they are flushed together; the
//! mark is written after their rows, so that a crash in between is redone from the log, which changes
//! nothing that is there already.

use super::{Mark, Row, Store, StoreError, WriteSet};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use tenor_abi::codec;

/// Bytes of sled's page cache.
const CACHE_BYTES: u64 = 64 * 1024 * 1024;
/// Rows, and bytes of them, that may wait in memory before they are written.
const WAITING_ROWS_MAX: usize = 20_000;
const WAITING_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Rows, and bytes of them, after which a batch is cut.
const BATCH_ROWS: usize = 2_000;
const BATCH_BYTES: usize = 1024 * 1024;
/// How often and how long opening waits for a lock that is being given back.
const LOCK_TRIES: u32 = 400;
const LOCK_WAIT: std::time::Duration = std::time::Duration::from_millis(5);
/// The sled tree and the key that hold the mark, apart from the rows.
const MARK: &str = "mark";

/// Rows in a sled tree.
pub struct SledStore {
    db: sled::Db,
    marks: sled::Tree,
    /// Applied and not yet written; kept until it is durable, so that a failed write takes nothing away.
    waiting: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    waiting_bytes: usize,
    waiting_mark: Option<Mark>,
}

fn bytes_of(key: &[u8], value: Option<&Vec<u8>>) -> usize {
    key.len() + value.map_or(0, Vec::len)
}

impl std::fmt::Debug for SledStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SledStore").field("waiting", &self.waiting.len()).finish()
    }
}

/// sled panics on some damage; at this border a panic is an answer.
fn guarded<T>(what: &str, work: impl FnOnce() -> sled::Result<T>) -> Result<T, StoreError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(sled::Error::Io(error))) => Err(match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreError::Full(error.to_string()),
            _ => StoreError::Io(format!("{what}: {error}")),
        }),
        Ok(Err(error)) => Err(StoreError::Damaged(format!("{what}: {error}"))),
        Err(_) => Err(StoreError::Damaged(format!("{what}: the database gave up"))),
    }
}

impl SledStore {
    /// Opens or makes the store in a folder.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when sled cannot read what is there.
    pub fn open(folder: &Path) -> Result<SledStore, StoreError> {
        let config = sled::Config::new().path(folder).cache_capacity(CACHE_BYTES).flush_every_ms(None);
        let mut tries = 0;
        let db = loop {
            // A sled that was just dropped in this process gives its lock back from a thread of its own.
            let opened = guarded("open", || Ok(config.open()))?;
            match opened {
                Err(sled::Error::Io(error)) if error.kind() == ErrorKind::Other && tries < LOCK_TRIES => {
                    tries += 1
                }
                opened => break guarded("open", || opened)?,
            }
            std::thread::sleep(LOCK_WAIT);
        };
        let marks = guarded("open", || db.open_tree(MARK))?;
        Ok(SledStore { db, marks, waiting: BTreeMap::new(), waiting_bytes: 0, waiting_mark: None })
    }

    /// Writes and syncs the waiting rows in key order, in bounded batches.
    fn write_rows(&self) -> Result<(), StoreError> {
        let (mut batch, mut rows, mut bytes) = (sled::Batch::default(), 0, 0);
        for (key, value) in &self.waiting {
            match value {
                Some(value) => batch.insert(key.as_slice(), value.as_slice()),
                None => batch.remove(key.as_slice()),
            }
            rows += 1;
            bytes += bytes_of(key, value.as_ref());
            if rows == BATCH_ROWS || bytes >= BATCH_BYTES {
                guarded("write", || self.db.apply_batch(std::mem::take(&mut batch)))?;
                (rows, bytes) = (0, 0);
            }
        }
        guarded("write", || self.db.apply_batch(batch))?;
        guarded("flush", || self.db.flush()).map(|_| ())
    }

    /// Writes what waits: first the rows, then, when they are durable, the mark.
    fn write_waiting(&mut self) -> Result<(), StoreError> {
        let Some(mark) = self.waiting_mark else { return Ok(()) };
        self.write_rows()?;
        guarded("mark", || self.marks.insert(MARK, codec::encode(&mark)))?;
        guarded("flush", || self.marks.flush())?;
        self.waiting.clear();
        (self.waiting_bytes, self.waiting_mark) = (0, None);
        Ok(())
    }
}

impl Store for SledStore {
    fn get(&self, full_key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.waiting.get(full_key) {
            Some(value) => Ok(value.clone()),
            None => Ok(guarded("read", || self.db.get(full_key))?.map(|value| value.to_vec())),
        }
    }

    fn next(&self, from: &[u8], end: &[u8]) -> Result<Option<Row>, StoreError> {
        if from >= end {
            return Ok(None);
        }
        let mut stored = self.db.range::<&[u8], _>((Bound::Included(from), Bound::Excluded(end)));
        let mut below = guarded("scan", || stored.next().transpose())?;
        let mut waiting =
            self.waiting.range::<[u8], _>((Bound::Included(from), Bound::Excluded(end))).peekable();
        loop {
            let wins = match (&below, waiting.peek()) {
                (_, None) => false,
                (None, Some(_)) => true,
                (Some((stored, _)), Some((key, _))) => key.as_slice() <= stored.as_ref(),
            };
            if !wins {
                return Ok(below.map(|(key, value)| (key.to_vec(), value.to_vec())));
            }
            let Some((key, value)) = waiting.next() else { return Ok(None) };
            if below.as_ref().is_some_and(|(stored, _)| stored.as_ref() == key.as_slice()) {
                below = guarded("scan", || stored.next().transpose())?;
            }
            if let Some(value) = value {
                return Ok(Some((key.clone(), value.clone())));
            }
        }
    }

    fn apply(&mut self, writes: &WriteSet, mark: Mark) -> Result<(), StoreError> {
        for (key, value) in writes.rows() {
            self.waiting_bytes += bytes_of(key, value.as_ref());
            self.waiting.insert(key.clone(), value.clone());
        }
        self.waiting_mark = Some(mark);
        let room = self.waiting.len() <= WAITING_ROWS_MAX && self.waiting_bytes <= WAITING_BYTES_MAX;
        if room { Ok(()) } else { self.write_waiting() }
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        self.write_waiting()
    }

    fn mark(&self) -> Result<Option<Mark>, StoreError> {
        if let Some(mark) = self.waiting_mark {
            return Ok(Some(mark));
        }
        let stored = guarded("read", || self.marks.get(MARK))?;
        let read = |bytes: sled::IVec| {
            codec::decode_own(&bytes).map_err(|error| StoreError::Damaged(format!("mark: {error}")))
        };
        stored.map(read).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::super::MemoryStore;
    use super::*;
    use proptest::prelude::*;
    use std::fs;
    use tenor_abi::id::Hash;

    fn rows(store: &dyn Store) -> Result<Vec<Row>, StoreError> {
        let (mut rows, mut from) = (vec![], vec![]);
        while let Some((key, value)) = store.next(&from, &[255])? {
            assert_eq!(store.get(&key)?, Some(value.clone()));
            from = [key.as_slice(), &[0]].concat();
            rows.push((key, value));
        }
        Ok(rows)
    }

    fn mark(height: u64) -> Mark {
        Mark { height, root: Hash([height as u8; 32]) }
    }

    /// What happens after a block.
    #[derive(Clone, Copy, PartialEq, Debug)]
    enum Then {
        GoOn,
        Flush,
        Reopen,
        /// The process ends with the rows written and the mark not.
        CrashBeforeMark,
        /// The process ends with everything since the last flush in memory.
        CrashBeforeRows,
    }

    fn then() -> impl Strategy<Value = Then> {
        use Then::*;
        prop::sample::select(vec![GoOn, Flush, Reopen, CrashBeforeMark, CrashBeforeRows])
    }

    fn block() -> impl Strategy<Value = WriteSet> {
        let key = prop::collection::vec(1u8..6, 1..3);
        prop::collection::btree_map(key, any::<Option<u8>>(), 0..10)
            .prop_map(|rows| WriteSet::new(rows.into_iter().map(|(k, v)| (k, v.map(|v| vec![v]))).collect()))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn sled_reads_like_memory_also_after_crashes(steps in prop::collection::vec((block(), then()), 1..8)) {
            let folder = tempfile::tempdir().unwrap();
            let (mut memory, mut disk) = (MemoryStore::default(), SledStore::open(folder.path()).unwrap());
            let blocks: Vec<WriteSet> = steps.iter().map(|(block, _)| block.clone()).collect();
            let mut durable = None;
            for (height, (block, then)) in (0u64..).zip(&steps) {
                memory.apply(block, mark(height)).unwrap();
                disk.apply(block, mark(height)).unwrap();
                prop_assert_eq!(rows(&disk).unwrap(), rows(&memory).unwrap());
                prop_assert!(rows(&memory).unwrap().iter().all(|(key, _)| memory.next(key, key).unwrap().is_none()));
                match then {
                    Then::GoOn => continue,
                    Then::Flush | Then::Reopen => {
                        disk.flush().unwrap();
                        durable = Some(height);
                    }
                    Then::CrashBeforeMark => disk.write_rows().unwrap(),
                    Then::CrashBeforeRows => {}
                }
                if *then == Then::Flush {
                    continue;
                }
                drop(disk);
                disk = SledStore::open(folder.path()).unwrap();
                prop_assert_eq!(disk.mark().unwrap(), durable.map(mark));
                // What came after the mark is done again, as from the log.
                for again in durable.map_or(0, |durable| durable + 1)..=height {
                    disk.apply(&blocks[again as usize], mark(again)).unwrap();
                }
                prop_assert_eq!(rows(&disk).unwrap(), rows(&memory).unwrap());
                prop_assert_eq!(disk.mark().unwrap(), Some(mark(height)));
            }
        }
    }

    fn filled(folder: &Path) -> Vec<Row> {
        let mut store = SledStore::open(folder).unwrap();
        let rows: Vec<_> = (1..=200u8).map(|key| (vec![key], Some(vec![key; 2_000]))).collect();
        store.apply(&WriteSet::new(rows.clone()), mark(0)).unwrap();
        store.flush().unwrap();
        rows.into_iter().map(|(key, value)| (key, value.unwrap())).collect()
    }

    #[test]
    fn a_store_that_was_flushed_holds_batches_of_any_size() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = SledStore::open(folder.path()).unwrap();
        let large = |key: u8| (vec![key], Some(vec![key; BATCH_BYTES]));
        let small = |key: u32| ([&[9], &key.to_be_bytes()[..]].concat(), Some(vec![1]));
        let rows_in: Vec<_> = (1..4).map(large).chain((0..2 * BATCH_ROWS as u32 + 1).map(small)).collect();
        store.apply(&WriteSet::new(rows_in.clone()), mark(0)).unwrap();
        store.flush().unwrap();
        assert!(store.waiting.is_empty());
        let stored: Vec<_> =
            rows(&store).unwrap().into_iter().map(|(key, value)| (key, Some(value))).collect();
        assert_eq!(stored, rows_in);
    }

    #[test]
    fn what_waits_is_bounded_in_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = SledStore::open(folder.path()).unwrap();
        let block = WriteSet::new(vec![(vec![1], Some(vec![7; WAITING_BYTES_MAX / 2]))]);
        store.apply(&block, mark(0)).unwrap();
        assert_eq!(store.waiting.len(), 1);
        store.apply(&block, mark(1)).unwrap();
        assert!(store.waiting.is_empty(), "it was written");
        assert_eq!(store.mark().unwrap(), Some(mark(1)));
    }

    #[test]
    fn a_damaged_folder_is_an_answer_and_no_panic() {
        let folder = tempfile::tempdir().unwrap();
        let expected = filled(folder.path());
        let read = || SledStore::open(folder.path()).and_then(|store| Ok((store.mark()?, rows(&store)?)));
        assert_eq!(read().unwrap(), (Some(mark(0)), expected.clone()));
        let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        let mut noticed = 0;
        for path in files.iter().filter(|path| path.is_file()) {
            let whole = fs::read(path).unwrap();
            for part in [whole.len() / 3, whole.len() / 2] {
                let mut wrong = whole.clone();
                wrong[part..].iter_mut().for_each(|byte| *byte ^= 0x55);
                fs::write(path, &wrong).unwrap();
                noticed += usize::from(!read().is_ok_and(|read| read == (Some(mark(0)), expected.clone())));
                fs::write(path, &whole).unwrap();
            }
        }
        assert!(noticed > 0, "no damage was done to anything that is read");
    }
}
