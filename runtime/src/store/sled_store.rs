//! The store on disk: sled, written behind the log in bounded batches.
//!
//! sled loses acknowledged writes at power loss and may refuse to open afterwards; both are harmless here,
//! because the log is ahead of it. Applied blocks are kept in memory until they are flushed together; the
//! mark is written after their rows, so that a crash in between is redone from the log, which changes
//! nothing that is there already.

use super::{Mark, Row, Store, StoreError, WriteSet};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use tenor_abi::codec;

/// Bytes of sled's page cache.
const CACHE_BYTES: u64 = 64 * 1024 * 1024;
/// Rows that may wait in memory before they are written.
const WAITING_ROWS_MAX: usize = 20_000;
/// Rows of one batch.
const BATCH_ROWS: usize = 2_000;
/// How often and how long opening waits for a lock that is being given back.
const LOCK_TRIES: u32 = 400;
const LOCK_WAIT: std::time::Duration = std::time::Duration::from_millis(5);
/// Key of the mark; record kinds begin at 1.
const MARK_KEY: &[u8] = &[0];

/// Rows in a sled tree.
pub struct SledStore {
    db: sled::Db,
    waiting: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    waiting_mark: Option<Mark>,
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
        Ok(Err(sled::Error::Io(error))) if error.kind() == std::io::ErrorKind::StorageFull => {
            Err(StoreError::Full(error.to_string()))
        }
        Ok(Err(sled::Error::Io(error))) => Err(StoreError::Io(format!("{what}: {error}"))),
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
                Err(sled::Error::Io(error))
                    if error.kind() == std::io::ErrorKind::Other && tries < LOCK_TRIES =>
                {
                    tries += 1
                }
                opened => break guarded("open", || opened)?,
            }
            std::thread::sleep(LOCK_WAIT);
        };
        Ok(SledStore { db, waiting: BTreeMap::new(), waiting_mark: None })
    }

    fn write_waiting(&mut self) -> Result<(), StoreError> {
        let rows: Vec<_> = std::mem::take(&mut self.waiting).into_iter().collect();
        for chunk in rows.chunks(BATCH_ROWS) {
            let mut batch = sled::Batch::default();
            for (key, value) in chunk {
                match value {
                    Some(value) => batch.insert(key.as_slice(), value.as_slice()),
                    None => batch.remove(key.as_slice()),
                }
            }
            guarded("write", || self.db.apply_batch(batch))?;
        }
        guarded("flush", || self.db.flush())?;
        if let Some(mark) = self.waiting_mark.take() {
            guarded("mark", || self.db.insert(MARK_KEY, codec::encode(&mark)))?;
            guarded("flush", || self.db.flush())?;
        }
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
        self.waiting.extend(writes.rows().iter().cloned());
        self.waiting_mark = Some(mark);
        if self.waiting.len() > WAITING_ROWS_MAX { self.write_waiting() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        self.write_waiting()
    }

    fn mark(&self) -> Result<Option<Mark>, StoreError> {
        if let Some(mark) = self.waiting_mark {
            return Ok(Some(mark));
        }
        let stored = guarded("read", || self.db.get(MARK_KEY))?;
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
    use tenor_abi::id::Hash;

    fn rows(store: &dyn Store) -> Vec<(Vec<u8>, Vec<u8>)> {
        let (mut rows, mut from) = (vec![], vec![1]);
        while let Some((key, value)) = store.next(&from, &[255]).unwrap() {
            from = [key.as_slice(), &[0]].concat();
            rows.push((key, value));
        }
        rows
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn sled_reads_like_memory_also_after_reopening(
            blocks in prop::collection::vec((prop::collection::btree_map(prop::collection::vec(1u8..6, 1..3), any::<Option<u8>>(), 0..10), any::<bool>()), 1..8),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let (mut memory, mut disk) = (MemoryStore::default(), SledStore::open(folder.path()).unwrap());
            for (height, (block, reopen)) in blocks.into_iter().enumerate() {
                let writes = WriteSet::new(block.into_iter().map(|(k, v)| (k, v.map(|v| vec![v]))).collect());
                let mark = Mark { height: height as u64, root: Hash([height as u8; 32]) };
                memory.apply(&writes, mark).unwrap();
                disk.apply(&writes, mark).unwrap();
                prop_assert_eq!(rows(&disk), rows(&memory));
                if reopen {
                    disk.flush().unwrap();
                    drop(disk);
                    disk = SledStore::open(folder.path()).unwrap();
                    prop_assert_eq!(disk.mark().unwrap(), Some(mark));
                    prop_assert_eq!(rows(&disk), rows(&memory));
                }
            }
        }
    }
}
