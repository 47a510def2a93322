//! A store in memory: for tests, simulation and replay.

use super::{Mark, Row, Store, StoreError, WriteSet};
use std::collections::BTreeMap;
use std::ops::Bound;

/// Rows in a map.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
    mark: Option<Mark>,
}

impl Store for MemoryStore {
    fn get(&self, full_key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.rows.get(full_key).cloned())
    }

    fn next(&self, from: &[u8], end: &[u8]) -> Result<Option<Row>, StoreError> {
        if from >= end {
            return Ok(None);
        }
        let mut range = self.rows.range::<[u8], _>((Bound::Included(from), Bound::Excluded(end)));
        Ok(range.next().map(|(key, value)| (key.clone(), value.clone())))
    }

    fn apply(&mut self, writes: &WriteSet, mark: Mark) -> Result<(), StoreError> {
        for (key, value) in writes.rows() {
            match value {
                Some(value) => self.rows.insert(key.clone(), value.clone()),
                None => self.rows.remove(key),
            };
        }
        self.mark = Some(mark);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn mark(&self) -> Result<Option<Mark>, StoreError> {
        Ok(self.mark)
    }
}
