//! The state below an overlay: the store's rows, each leaf checked against the trie.

use crate::fault::Fault;
use crate::state::Base;
use crate::state::namespace::{Standing, kind_of, owner_of};
use crate::state::record::hex;
use crate::store::{Mark, Store, WriteSet};
use crate::trie::{Change, Trie};
use tenor_wire::trie::{Path, value_hash};

/// Store and trie of one replica, as of its newest block.
pub struct ChainBase {
    pub(super) store: Box<dyn Store>,
    pub(super) trie: Trie,
}

/// A row as the trie sees it.
pub(super) fn leaf(full_key: &[u8], value: Option<&[u8]>) -> Option<Change> {
    let standing = kind_of(full_key)?.standing();
    (standing == Standing::Leaf)
        .then(|| (Path::of(owner_of(full_key), full_key), value.map(|value| value_hash(full_key, value))))
}

impl ChainBase {
    /// The changes of a write set to the trie.
    pub(super) fn leaves(writes: &WriteSet) -> Vec<Change> {
        writes.rows().iter().filter_map(|(key, value)| leaf(key, value.as_deref())).collect()
    }

    pub(super) fn apply(&mut self, writes: &WriteSet, mark: Mark) -> Result<(), Fault> {
        self.store.apply(writes, mark).map_err(|error| Fault::Storage(error.to_string()))
    }

    fn check(&self, full_key: &[u8], value: Option<&[u8]>) -> Result<(), Fault> {
        let Some((path, expected)) = leaf(full_key, value) else { return Ok(()) };
        if self.trie.get(&path) == expected {
            return Ok(());
        }
        Err(Fault::State(format!("the store's row {} is not what the trie says", hex(full_key))))
    }
}

impl Base for ChainBase {
    fn get(&self, full_key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        let value = self.store.get(full_key).map_err(|error| Fault::Storage(error.to_string()))?;
        self.check(full_key, value.as_deref())?;
        Ok(value)
    }

    fn next(&self, from: &[u8], end: &[u8]) -> Result<Option<(Vec<u8>, Vec<u8>)>, Fault> {
        let found = self.store.next(from, end).map_err(|error| Fault::Storage(error.to_string()))?;
        if let Some((key, value)) = &found {
            self.check(key, Some(value))?;
        }
        Ok(found)
    }
}
