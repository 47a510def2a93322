//! Rows that lie in no page: what only ever comes behind, and what is too long for a bucket.
//!
//! Each is covered by a hash that a leaf holds, so whoever reads one can tell that it is the right one; none
//! is found by walking where a missing one would matter.

use super::disk::{Disk, WaitingRows};
use super::{Row, StoreError};
use std::ops::Bound;
use std::sync::Arc;

/// Rows by key: those that wait, those on their way to the disk, those on it.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    disk: Option<Arc<Disk>>,
    waiting: WaitingRows,
    waiting_bytes: usize,
    underway: Arc<WaitingRows>,
}

impl Rows {
    /// No rows but those on the disk; without one all stay in memory.
    pub fn new(disk: Option<Arc<Disk>>) -> Rows {
        Rows { disk, ..Rows::default() }
    }

    /// The row at a key.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if let Some(value) = self.waiting.get(key).or_else(|| self.underway.get(key)) {
            return Ok(value.clone());
        }
        self.disk.as_ref().map_or(Ok(None), |disk| disk.row(key))
    }

    /// The first row at or after `from` and before `end`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn next(&self, from: &[u8], end: &[u8]) -> Result<Option<Row>, StoreError> {
        let mut from = from.to_vec();
        while from.as_slice() < end {
            let range = (Bound::Included(&from[..]), Bound::Excluded(end));
            let first = |rows: &WaitingRows| rows.range::<[u8], _>(range).next().map(|row| row.0.clone());
            let stored = self.disk.as_ref().map_or(Ok(None), |disk| disk.next_row(&from, end))?;
            let keys = [first(&self.waiting), first(&self.underway), stored.map(|row| row.0)];
            let Some(key) = keys.into_iter().flatten().min() else { return Ok(None) };
            if let Some(value) = self.get(&key)? {
                return Ok(Some((key, value)));
            }
            from = key;
            from.push(0);
        }
        Ok(None)
    }

    /// Writes a row, or deletes it.
    pub fn set(&mut self, key: &[u8], value: Option<&[u8]>) {
        self.waiting_bytes += key.len() + value.map_or(0, <[u8]>::len);
        let value = value.map(<[u8]>::to_vec);
        if value.is_none() && self.disk.is_none() {
            self.waiting.remove(key);
        } else {
            self.waiting.insert(key.to_vec(), value);
        }
    }

    /// Bytes that wait.
    pub fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// Takes what waits; the checkpoint before must be on the disk.
    pub fn checkpoint(&mut self) -> Arc<WaitingRows> {
        self.underway = Arc::new(std::mem::take(&mut self.waiting));
        self.waiting_bytes = 0;
        Arc::clone(&self.underway)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    type Block = BTreeMap<Vec<u8>, Option<u8>>;

    fn read(rows: &Rows) -> Vec<Row> {
        let (mut found, mut from) = (vec![], vec![]);
        while let Some((key, value)) = rows.next(&from, &[255]).unwrap() {
            assert_eq!(rows.get(&key).unwrap(), Some(value.clone()));
            from = [key.as_slice(), &[0]].concat();
            found.push((key, value));
        }
        found
    }

    fn block() -> impl Strategy<Value = Block> {
        prop::collection::btree_map(prop::collection::vec(1u8..6, 1..3), any::<Option<u8>>(), 0..10)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn rows_read_like_a_map_wherever_they_are(blocks in prop::collection::vec((block(), 0u8..3), 1..8)) {
            let folder = tempfile::tempdir().unwrap();
            let disk = Arc::new(Disk::open(folder.path()).unwrap());
            let (mut rows, mut model) = (Rows::new(Some(Arc::clone(&disk))), BTreeMap::new());
            for (sequence, (block, then)) in (1u32..).zip(&blocks) {
                for (key, value) in block {
                    rows.set(key, value.map(|value| [value]).as_ref().map(|value| &value[..]));
                    match value {
                        Some(value) => model.insert(key.clone(), vec![*value]),
                        None => model.remove(key),
                    };
                }
                if *then > 0 {
                    let taken = rows.checkpoint();
                    // Until it is written, what is underway is read from memory; after that it may be either.
                    prop_assert_eq!(read(&rows), model.clone().into_iter().collect::<Vec<_>>());
                    disk.write_parts(&mut [], &taken, &[], sequence).unwrap();
                }
                prop_assert_eq!(read(&rows), model.clone().into_iter().collect::<Vec<_>>());
                prop_assert_eq!(rows.next(&[3], &[3]).unwrap(), None);
            }
        }
    }
}
