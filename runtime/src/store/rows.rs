//! Rows that lie in no page: what only ever comes behind, and what is too long for a bucket.
//!
//! Each is covered by a hash that a leaf holds, so whoever reads one can tell that it is the right one; none
//! is found by walking where a missing one would matter. Rows that are read together are written together: a
//! checkpoint puts what it has of one account's history under one key, blindly, without reading what is there.

use super::disk::{Disk, WaitingRows};
use super::{Row, StoreError};
use std::ops::Bound;
use std::sync::Arc;

/// Bytes of rows that lie under one key.
const RUN_BYTES_MAX: usize = 16 * 1024;

/// Says which rows lie together on disk: the length of the prefix that their keys share, none for a row that lies
/// alone. Rows that lie together are never deleted and only come behind one another.
pub type Together = fn(&[u8]) -> Option<usize>;

/// Rows by key: those that wait, those on their way to the disk, those on it.
#[derive(Clone, Debug)]
pub struct Rows {
    disk: Option<Arc<Disk>>,
    together: Together,
    waiting: WaitingRows,
    waiting_bytes: usize,
    underway: Arc<WaitingRows>,
}

impl Rows {
    /// No rows but those on the disk; without one all stay in memory.
    pub fn new(disk: Option<Arc<Disk>>, together: Together) -> Rows {
        Rows {
            disk,
            together,
            waiting: WaitingRows::new(),
            waiting_bytes: 0,
            underway: Arc::new(WaitingRows::new()),
        }
    }

    /// The row at a key.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if let Some(value) = self.waiting.get(key).or_else(|| self.underway.get(key)) {
            return Ok(value.clone());
        }
        let Some(disk) = &self.disk else { return Ok(None) };
        if (self.together)(key).is_none() {
            return disk.row(key);
        }
        // What lies before a key that is not there may be anything.
        let run = disk.row_before(key)?.filter(|run| (self.together)(&run.0).is_some());
        let rows = run.map(|run| self.unpack(run)).transpose()?.unwrap_or_default();
        Ok(rows.into_iter().find(|row| row.0 == key).map(|row| row.1))
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
            let stored = self.stored_from(&from, end)?;
            let keys = [first(&self.waiting), first(&self.underway), stored];
            let Some(key) = keys.into_iter().flatten().min() else { return Ok(None) };
            if let Some(value) = self.get(&key)? {
                return Ok(Some((key, value)));
            }
            from = key;
            from.push(0);
        }
        Ok(None)
    }

    /// The first key on the disk at or after `from` and before `end`.
    fn stored_from(&self, from: &[u8], end: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(disk) = &self.disk else { return Ok(None) };
        if let Some(run) = disk.row_before(from)?
            && (self.together)(&run.0).is_some()
        {
            let found = self.unpack(run)?.into_iter().map(|row| row.0).find(|key| key.as_slice() >= from);
            if found.is_some() {
                return Ok(found.filter(|key| key.as_slice() < end));
            }
        }
        Ok(disk.next_row(from, end)?.map(|row| row.0))
    }

    fn unpack(&self, (first, packed): Row) -> Result<Vec<Row>, StoreError> {
        let damaged = || StoreError::Damaged(format!("rows that lie together under {} bytes", packed.len()));
        let prefix = (self.together)(&first).and_then(|length| first.get(..length)).ok_or_else(damaged)?;
        let (mut rows, mut rest) = (vec![], &packed[..]);
        while !rest.is_empty() {
            let mut part = || {
                let (length, behind) = rest.split_first_chunk::<2>()?;
                let (part, behind) = behind.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
                rest = behind;
                Some(part)
            };
            let (suffix, value) = (part().ok_or_else(damaged)?, part().ok_or_else(damaged)?);
            rows.push(([prefix, suffix].concat(), value.to_vec()));
        }
        Ok(rows)
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

    /// What [`pack`] needs to know of the rows.
    pub fn together(&self) -> Together {
        self.together
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

/// Rows as they lie on the disk: those that lie together under the key of their first.
pub(super) fn pack(rows: &WaitingRows, together: Together) -> Vec<super::Change> {
    let mut packed: Vec<super::Change> = vec![];
    // The prefix of the run that the last one of them is.
    let mut open: Option<&[u8]> = None;
    for (key, value) in rows {
        let (Some(length), Some(value)) = (together(key), value) else {
            open = None;
            packed.push((key.clone(), value.clone()));
            continue;
        };
        let (prefix, suffix) = key.split_at(length.min(key.len()));
        let mut bytes = Vec::with_capacity(4 + suffix.len() + value.len());
        for part in [suffix, value] {
            bytes.extend((part.len() as u16).to_le_bytes());
            bytes.extend(part);
        }
        match packed.last_mut() {
            Some((_, Some(run))) if open == Some(prefix) && run.len() + bytes.len() <= RUN_BYTES_MAX => {
                run.extend(bytes);
            }
            _ => packed.push((key.clone(), Some(bytes))),
        }
        open = Some(prefix);
    }
    packed
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

    /// Keys that begin with 5 lie together by their first two bytes.
    fn together(key: &[u8]) -> Option<usize> {
        (key.first() == Some(&5) && key.len() >= 2).then_some(2)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn rows_read_like_a_map_wherever_they_are(blocks in prop::collection::vec((block(), 0u8..3), 1..8)) {
            let folder = tempfile::tempdir().unwrap();
            let disk = Arc::new(Disk::open(folder.path()).unwrap());
            let (mut rows, mut model) = (Rows::new(Some(Arc::clone(&disk)), |_| None), BTreeMap::new());
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
                    disk.write_parts(&mut [], &pack(&taken, rows.together()), &[], sequence).unwrap();
                }
                prop_assert_eq!(read(&rows), model.clone().into_iter().collect::<Vec<_>>());
                prop_assert_eq!(rows.next(&[3], &[3]).unwrap(), None);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn rows_that_lie_together_are_found_one_by_one(steps in prop::collection::vec((prop::collection::vec((0u8..3, 0usize..6_000), 0..12), any::<bool>()), 1..6)) {
            let folder = tempfile::tempdir().unwrap();
            let disk = Arc::new(Disk::open(folder.path()).unwrap());
            let (mut rows, mut model) = (Rows::new(Some(Arc::clone(&disk)), together), BTreeMap::new());
            rows.set(&[4], Some(&[1]));
            rows.set(&[6], Some(&[2]));
            model.extend([(vec![4u8], vec![1u8]), (vec![6], vec![2])]);
            let mut counts = [0u8; 3];
            for (sequence, (step, again)) in (1u32..).zip(&steps) {
                for (owner, length) in step {
                    let key = vec![5, *owner, counts[usize::from(*owner)]];
                    counts[usize::from(*owner)] += 1;
                    let value = vec![*owner; *length];
                    rows.set(&key, Some(&value));
                    model.insert(key, value);
                }
                let taken = rows.checkpoint();
                let packed = pack(&taken, together);
                prop_assert!(packed.len() <= taken.len());
                // What a stop in the middle wrote is written again, over the same keys.
                for _ in 0..=u8::from(*again) {
                    disk.write_parts(&mut [], &packed, &[], sequence).unwrap();
                }
                prop_assert_eq!(read(&rows), model.clone().into_iter().collect::<Vec<_>>());
            }
            let reopened = Rows::new(Some(disk), together);
            for key in [vec![5, 0, 255], vec![5, 2, 255], vec![5, 9, 0]] {
                prop_assert_eq!(reopened.get(&key).unwrap(), None, "it lies behind what is there");
            }
            prop_assert_eq!(read(&reopened), model.clone().into_iter().collect::<Vec<_>>());
            for from in model.keys() {
                let expected = model.iter().find(|(key, _)| *key >= from && key[..] < [5, 2][..]);
                let found = reopened.next(from, &[5, 2]).unwrap();
                prop_assert_eq!(found, expected.map(|(key, value)| (key.clone(), value.clone())));
            }
        }
    }
}
