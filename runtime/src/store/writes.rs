//! The write set of a block: what it changed, in key order, the same on every replica.

use super::Change;
use serde::{Deserialize, Serialize};
use tenor_abi::codec::{self, CodecError};
use tenor_abi::id::Hash;
use tenor_abi::tag;
use tenor_wire::crypto::hash;

/// Most bytes of an encoded write set.
pub const WRITES_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Full keys with their new values; nothing means deleted. Ascending, each once.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct WriteSet(Vec<Change>);

impl WriteSet {
    /// A write set of rows that ascend by key.
    ///
    /// # Panics
    /// When they do not ascend: whoever collects writes keeps them in order.
    pub fn new(rows: Vec<Change>) -> WriteSet {
        assert!(rows.is_sorted_by(|a, b| a.0 < b.0), "a write set ascends by key");
        WriteSet(rows)
    }

    /// The rows.
    pub fn rows(&self) -> &[Change] {
        &self.0
    }

    /// The rows, taken out.
    pub fn into_rows(self) -> Vec<Change> {
        self.0
    }

    /// Canonical bytes: the payload of a `writes` record.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// The write set that stored bytes hold.
    ///
    /// # Errors
    /// [`CodecError`], also when the keys do not ascend.
    pub fn from_bytes(bytes: &[u8]) -> Result<WriteSet, CodecError> {
        let writes: WriteSet = codec::decode(bytes, WRITES_BYTES_MAX)?;
        if writes.0.is_sorted_by(|a, b| a.0 < b.0) { Ok(writes) } else { Err(CodecError::NotCanonical) }
    }

    /// The hash that the block record holds.
    pub fn hash(&self) -> Hash {
        hash(tag::WRITES, &[&self.to_bytes()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_write_set_is_read_back_from_its_one_form(rows in prop::collection::btree_map(any::<Vec<u8>>(), any::<Option<Vec<u8>>>(), 0..8)) {
            let writes = WriteSet::new(rows.into_iter().collect());
            prop_assert_eq!(WriteSet::from_bytes(&writes.to_bytes()), Ok(writes));
        }
    }

    #[test]
    fn rows_that_do_not_ascend_are_no_write_set() {
        for keys in [[2u8, 1], [1, 1]] {
            let rows: Vec<Change> = keys.map(|key| (vec![key], None)).to_vec();
            assert_eq!(WriteSet::from_bytes(&codec::encode(&rows)), Err(CodecError::NotCanonical));
        }
    }

    #[test]
    fn bytes_and_hash_are_golden() {
        let writes = WriteSet::new(vec![(vec![5, 1], Some(vec![7])), (vec![5, 2], None)]);
        assert_eq!(writes.to_bytes(), [2, 2, 5, 1, 1, 1, 7, 2, 5, 2, 0]);
        assert_eq!(
            writes.hash().to_string(),
            "hash1zpyl3smk8fqtsculdmq02tuvs4zvk623xh524rmw7pzn5q45whfsaxrw8r"
        );
    }
}
