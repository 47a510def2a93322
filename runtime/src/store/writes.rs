//! The write set of a block: what it changed, in key order, the same on every replica.

use super::Change;
use crate::lanes::root_of_pieces;
use tenor_abi::codec::CodecError;
use tenor_abi::id::Hash;

/// Most bytes of an encoded write set.
pub const WRITES_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Full keys with their new values; nothing means deleted. Ascending, each once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WriteSet {
    rows: Vec<Change>,
    bytes: Vec<u8>,
    root: Hash,
}

impl WriteSet {
    /// A write set of rows that ascend by key.
    ///
    /// # Panics
    /// When they do not ascend: whoever collects writes keeps them in order.
    pub fn new(rows: Vec<Change>) -> WriteSet {
        let encoded = WriteSet::encoded(&rows);
        WriteSet::of(rows, encoded)
    }

    /// The canonical bytes of rows that ascend by key, and the root over their pieces.
    ///
    /// # Panics
    /// As [`WriteSet::new`].
    pub(crate) fn encoded(rows: &[Change]) -> (Vec<u8>, Hash) {
        assert!(rows.is_sorted_by(|a, b| a.0 < b.0), "a write set ascends by key");
        let bytes = encode(rows);
        let root = root_of_pieces(&bytes);
        (bytes, root)
    }

    /// A write set of rows and what [`WriteSet::encoded`] made of them.
    pub(crate) fn of(rows: Vec<Change>, (bytes, root): (Vec<u8>, Hash)) -> WriteSet {
        WriteSet { rows, bytes, root }
    }

    /// The rows.
    pub fn rows(&self) -> &[Change] {
        &self.rows
    }

    /// The rows, taken out.
    pub fn into_rows(self) -> Vec<Change> {
        self.rows
    }

    /// Canonical bytes: the payload of a `writes` record.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The write set that stored bytes hold.
    ///
    /// # Errors
    /// [`CodecError`], also when the keys do not ascend.
    pub fn from_bytes(bytes: &[u8]) -> Result<WriteSet, CodecError> {
        WriteSet::of_payload(bytes.to_vec(), root_of_pieces(bytes))
    }

    /// As [`WriteSet::from_bytes`], where the root over the bytes' pieces is known.
    ///
    /// # Errors
    /// As [`WriteSet::from_bytes`].
    pub(crate) fn of_payload(bytes: Vec<u8>, root: Hash) -> Result<WriteSet, CodecError> {
        if bytes.len() > WRITES_BYTES_MAX {
            return Err(CodecError::TooLong { limit: WRITES_BYTES_MAX, given: bytes.len() });
        }
        let rows = decode(&bytes).ok_or(CodecError::Malformed)?;
        // Encoded again it must be the same: lengths have one form, and nothing follows.
        if encode(&rows) != bytes || !rows.is_sorted_by(|a, b| a.0 < b.0) {
            return Err(CodecError::NotCanonical);
        }
        Ok(WriteSet { rows, root, bytes })
    }

    /// The hash that the block record holds: the root over the bytes' pieces.
    pub fn hash(&self) -> Hash {
        self.root
    }
}

/// The canonical bytes of rows: what the codec makes of them, written by the slice and not by the byte.
fn encode(rows: &[Change]) -> Vec<u8> {
    let contents = |(key, value): &Change| key.len() + value.as_ref().map_or(0, Vec::len) + 12;
    let mut bytes = Vec::with_capacity(rows.iter().map(contents).sum::<usize>() + 5);
    let length = |bytes: &mut Vec<u8>, mut rest: usize| {
        while rest >= 0x80 {
            bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        bytes.push(rest as u8);
    };
    length(&mut bytes, rows.len());
    for (key, value) in rows {
        length(&mut bytes, key.len());
        bytes.extend_from_slice(key);
        bytes.push(u8::from(value.is_some()));
        if let Some(value) = value {
            length(&mut bytes, value.len());
            bytes.extend_from_slice(value);
        }
    }
    bytes
}

/// The rows of bytes; what follows them is left to the comparison.
fn decode(bytes: &[u8]) -> Option<Vec<Change>> {
    let mut rest = bytes;
    let count = length(&mut rest)?;
    // Each row has at least two bytes, so a count that lies reserves no memory to speak of.
    let mut rows = Vec::with_capacity(count.min(bytes.len() / 2));
    for _ in 0..count {
        let key = text(&mut rest)?;
        let (is_there, behind) = rest.split_first()?;
        rest = behind;
        let value = match is_there {
            0 => None,
            1 => Some(text(&mut rest)?),
            _ => return None,
        };
        rows.push((key, value));
    }
    Some(rows)
}

fn length(rest: &mut &[u8]) -> Option<usize> {
    let mut length = 0usize;
    for shift in (0..64).step_by(7) {
        let (byte, behind) = rest.split_first()?;
        *rest = behind;
        length |= usize::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(length);
        }
    }
    None
}

fn text(rest: &mut &[u8]) -> Option<Vec<u8>> {
    let length = length(rest)?;
    let (text, behind) = rest.split_at_checked(length)?;
    *rest = behind;
    Some(text.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
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
            prop_assert_eq!(WriteSet::from_bytes(&bytes).ok().map(WriteSet::into_rows), known);
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
