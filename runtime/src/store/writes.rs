//! The write set of a block: what it changed, in key order, the same on every replica.

use super::Changes;
use crate::lanes::root_of_pieces;
use std::sync::Arc;
use tenor_abi::codec::CodecError;
use tenor_abi::id::Hash;

/// Most bytes of an encoded write set.
pub const WRITES_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Full keys with their new values; nothing means deleted. Ascending, each once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WriteSet {
    rows: Arc<Changes>,
    root: Hash,
}

impl WriteSet {
    /// A write set of rows that ascend by key.
    ///
    /// # Panics
    /// When they do not ascend: whoever collects writes keeps them in order.
    pub fn new(rows: impl Into<Changes>) -> WriteSet {
        let rows = rows.into();
        let root = WriteSet::root_of(&rows);
        WriteSet::of(Arc::new(rows), root)
    }

    /// The root over the pieces of rows' bytes.
    ///
    /// # Panics
    /// As [`WriteSet::new`].
    pub(crate) fn root_of(rows: &Changes) -> Hash {
        assert!(ascend(rows), "a write set ascends by key");
        root_of_pieces(rows.bytes())
    }

    /// A write set of rows and what [`WriteSet::root_of`] made of them.
    pub(crate) fn of(rows: Arc<Changes>, root: Hash) -> WriteSet {
        WriteSet { rows, root }
    }

    /// The rows.
    pub fn rows(&self) -> &Changes {
        &self.rows
    }

    /// Canonical bytes: the payload of a `writes` record.
    pub fn bytes(&self) -> &[u8] {
        self.rows.bytes()
    }

    /// The write set that stored bytes hold.
    ///
    /// # Errors
    /// [`CodecError`], also when the keys do not ascend.
    pub fn from_bytes(bytes: &[u8]) -> Result<WriteSet, CodecError> {
        WriteSet::of_payload(bytes, root_of_pieces(bytes))
    }

    /// As [`WriteSet::from_bytes`], where the root over the bytes' pieces is known.
    ///
    /// # Errors
    /// As [`WriteSet::from_bytes`].
    pub(crate) fn of_payload(bytes: &[u8], root: Hash) -> Result<WriteSet, CodecError> {
        if bytes.len() > WRITES_BYTES_MAX {
            return Err(CodecError::TooLong { limit: WRITES_BYTES_MAX, given: bytes.len() });
        }
        let rows = Changes::from_bytes(bytes)?;
        if ascend(&rows) { Ok(WriteSet::of(Arc::new(rows), root)) } else { Err(CodecError::NotCanonical) }
    }

    /// The hash that the block record holds: the root over the bytes' pieces.
    pub fn hash(&self) -> Hash {
        self.root
    }
}

fn ascend(rows: &Changes) -> bool {
    rows.iter().is_sorted_by(|a, b| a.0 < b.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Change;
    use proptest::prelude::*;
    use tenor_abi::codec;

    proptest! {
        #[test]
        fn a_write_set_is_read_back_from_its_one_form(rows in prop::collection::btree_map(prop::collection::vec(any::<u8>(), 0..300), any::<Option<Vec<u8>>>(), 0..8)) {
            let rows: Vec<Change> = rows.into_iter().collect();
            let writes = WriteSet::new(rows.clone());
            prop_assert_eq!(writes.bytes(), codec::encode(&rows));
            prop_assert_eq!(WriteSet::from_bytes(writes.bytes()), Ok(writes.clone()));
        }
    }

    proptest! {
        #[test]
        fn bytes_are_read_as_the_codec_reads_them(bytes in prop::collection::vec(prop_oneof![3 => 0u8..4, 1 => any::<u8>()], 0..40)) {
            let known = codec::decode::<Vec<Change>>(&bytes, WRITES_BYTES_MAX).ok();
            let known = known.filter(|rows| rows.is_sorted_by(|a, b| a.0 < b.0));
            prop_assert_eq!(WriteSet::from_bytes(&bytes).ok().map(|writes| writes.rows().to_vec()), known);
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
        assert_eq!(writes.bytes(), [2, 2, 5, 1, 1, 1, 7, 2, 5, 2, 0]);
        assert_eq!(
            writes.hash().to_string(),
            "hash1zpyl3smk8fqtsculdmq02tuvs4zvk623xh524rmw7pzn5q45whfsaxrw8r"
        );
    }
}
