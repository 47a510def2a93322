//! The state trie as a verifier sees it: paths, hashes, proofs of what is there and of what is not.
//!
//! A binary trie over paths of 384 bits, compressed: an inner node stands only where two leaves part, and
//! its hash names the bit at which they do. A verifier walks from the root by the bits of the path it asks
//! for; where the walk ends at the leaf of another path, the one asked for is not there.

use crate::crypto::{hash, plain_hash};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};
use tenor_abi::id::Hash;
use tenor_abi::tag;

/// Bytes of a path.
pub const PATH_BYTES: usize = 48;

/// Where a leaf lies: 16 bytes of its owner's hash, then 32 bytes of its full key's hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Path(pub [u8; PATH_BYTES]);

impl Path {
    /// The path of a full key under its owner.
    pub fn of(owner: &[u8], full_key: &[u8]) -> Path {
        Path::of_hashes(&plain_hash(&[owner]), &plain_hash(&[full_key]))
    }

    /// The path from the hashes of an owner and a full key.
    pub fn of_hashes(owner: &Hash, full_key: &Hash) -> Path {
        let mut path = [0; PATH_BYTES];
        path[..16].copy_from_slice(&owner.0[..16]);
        path[16..].copy_from_slice(&full_key.0);
        Path(path)
    }

    /// A bit, 0 being the most significant one of the first byte.
    pub fn bit(&self, index: u16) -> bool {
        let (byte, shift) = (usize::from(index / 8), 7 - index % 8);
        self.0.get(byte).is_some_and(|byte| byte >> shift & 1 == 1)
    }

    /// The first bit at which two paths part; none when they are equal.
    pub fn parts_at(&self, other: &Path) -> Option<u16> {
        let (own, others) = (self.0.as_chunks::<8>().0, other.0.as_chunks::<8>().0);
        let differ = |(a, b): (&[u8; 8], &[u8; 8])| u64::from_be_bytes(*a) ^ u64::from_be_bytes(*b);
        let mut words = (0u16..).zip(own.iter().zip(others).map(differ));
        words.find(|(_, word)| *word != 0).map(|(place, word)| place * 64 + word.leading_zeros() as u16)
    }
}

/// Kinds of records, the first byte of a full key, whose owner is named by the 32 bytes behind it: parties, keys,
/// roles, accounts, holds, grants, agreements, their storage and schedules, quotas, zones, exposures, account codes,
/// closed books, corrections.
const OWNED: [u8; 18] = [1, 2, 3, 5, 6, 7, 8, 9, 10, 14, 18, 20, 22, 23, 24, 26, 27, 29];

/// The owner under whom a full key lies: the party, account or agreement that it is of, else its kind.
pub fn owner_of(full_key: &[u8]) -> &[u8] {
    match full_key.split_first() {
        Some((kind, key)) if key.len() >= 32 && OWNED.contains(kind) => &key[..32],
        _ => &full_key[..1.min(full_key.len())],
    }
}

/// Longest full key in bytes; what makes keys keeps far below it.
pub const KEY_BYTES_MAX: usize = u16::MAX as usize;

/// The hash of a leaf's value: length of the full key (u16 little-endian), the full key, the record.
///
/// # Panics
/// When the key is longer than [`KEY_BYTES_MAX`].
pub fn value_hash(full_key: &[u8], record: &[u8]) -> Hash {
    let length = u16::try_from(full_key.len()).expect("a full key has at most KEY_BYTES_MAX bytes");
    plain_hash(&[&length.to_le_bytes(), full_key, record])
}

/// The hash of a leaf.
///
/// # Panics
/// As [`value_hash`].
pub fn leaf_hash(path: &Path, full_key: &[u8], record: &[u8]) -> Hash {
    leaf_hash_of(path, &value_hash(full_key, record))
}

/// The hash of a leaf whose value's hash is known.
pub fn leaf_hash_of(path: &Path, value: &Hash) -> Hash {
    hash(tag::TRIE_LEAF, &[&path.0, &value.0])
}

/// The hash of an inner node at which paths part by a bit.
pub fn node_hash(bit: u16, left: &Hash, right: &Hash) -> Hash {
    hash(tag::TRIE_NODE, &[&bit.to_be_bytes(), &left.0, &right.0])
}

/// One level on the way from the root: the bit that is asked and the hash of the other side.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Step {
    /// Bit at which the two sides part.
    pub bit: u16,
    /// Hash of the side not taken.
    pub sibling: Hash,
}

/// The leaf at which the walk ends.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum End {
    /// The trie is empty.
    Nothing,
    /// The leaf asked for, with its record.
    Found(Vec<u8>),
    /// The leaf of another path: the one asked for is not there.
    Other {
        /// Its path: 16 bytes of owner, 32 bytes of key hash.
        owner: [u8; 16],
        /// The rest of the path.
        key: Hash,
        /// Hash of its value.
        value: Hash,
    },
}

impl End {
    /// The end at the leaf of another path.
    pub fn other(path: &Path, value: Hash) -> End {
        let (mut owner, mut key) = ([0; 16], Hash::ZERO);
        owner.copy_from_slice(&path.0[..16]);
        key.0.copy_from_slice(&path.0[16..]);
        End::Other { owner, key, value }
    }
}

/// Shows what state holds at a key, or that it holds nothing there.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StateProof {
    /// From the root down; bits strictly rise.
    pub steps: Vec<Step>,
    /// Where they lead.
    pub end: End,
}

/// Why a state proof shows nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StateProofError {
    /// Bits do not rise, or lie outside a path.
    #[error("the bits of the proof's steps do not rise strictly within 384")]
    Bits,
    /// No leaf has so long a key.
    #[error("a key of {0} bytes was asked for, the longest has {KEY_BYTES_MAX}")]
    Key(usize),
    /// The other leaf is not where the walk by this key ends.
    #[error("the proof leads to a leaf that this key does not lead to")]
    Elsewhere,
    /// The hashes lead to another root.
    #[error("the proof leads to another root")]
    Root,
}

impl StateProof {
    /// The record at a key under a state root, or none.
    ///
    /// Node hashes hold their bit and cannot be taken for leaf hashes, so steps that lead up to the root are
    /// the ones that a walk by this path takes: a leaf at the path could not be passed by.
    ///
    /// # Errors
    /// [`StateProofError`].
    pub fn verify(
        &self,
        root: &Hash,
        owner: &[u8],
        full_key: &[u8],
    ) -> Result<Option<&[u8]>, StateProofError> {
        if full_key.len() > KEY_BYTES_MAX {
            return Err(StateProofError::Key(full_key.len()));
        }
        let path = Path::of(owner, full_key);
        let rising = self.steps.is_sorted_by(|a, b| a.bit < b.bit);
        if !rising || self.steps.last().is_some_and(|step| usize::from(step.bit) >= PATH_BYTES * 8) {
            return Err(StateProofError::Bits);
        }
        let (bottom, found) = match &self.end {
            End::Nothing if self.steps.is_empty() => (Hash::ZERO, None),
            End::Nothing => return Err(StateProofError::Elsewhere),
            End::Found(record) => (leaf_hash(&path, full_key, record), Some(record.as_slice())),
            End::Other { owner, key, value } => {
                let mut other = Path([0; PATH_BYTES]);
                other.0[..16].copy_from_slice(owner);
                other.0[16..].copy_from_slice(&key.0);
                let led_there = self.steps.iter().all(|step| other.bit(step.bit) == path.bit(step.bit));
                if other == path || !led_there {
                    return Err(StateProofError::Elsewhere);
                }
                (leaf_hash_of(&other, value), None)
            }
        };
        let top = self.steps.iter().rev().fold(bottom, |below, step| match path.bit(step.bit) {
            false => node_hash(step.bit, &below, &step.sibling),
            true => node_hash(step.bit, &step.sibling, &below),
        });
        if top == *root { Ok(found) } else { Err(StateProofError::Root) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{string::ToString, vec};
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use tenor_abi::codec;

    const OWNERS: u8 = 3;

    /// Rows of a small trie: path, key, record.
    type Rows = Vec<(Path, Vec<u8>, Vec<u8>)>;

    fn owner(key: &[u8]) -> [u8; 1] {
        [key[0] % OWNERS]
    }

    fn rows(model: &BTreeMap<Vec<u8>, Vec<u8>>) -> Rows {
        let mut rows: Rows =
            model.iter().map(|(k, v)| (Path::of(&owner(k), k), k.clone(), v.clone())).collect();
        rows.sort();
        rows
    }

    fn parted(rows: &Rows) -> Option<(u16, Rows, Rows)> {
        let bit = rows.first()?.0.parts_at(&rows.last()?.0)?;
        let (zeros, ones) = rows.iter().cloned().partition(|row| !row.0.bit(bit));
        Some((bit, zeros, ones))
    }

    /// The root by definition: leaves part at the first bit at which any two differ.
    fn root(rows: &Rows) -> Hash {
        match (parted(rows), rows.first()) {
            (Some((bit, zeros, ones)), _) => node_hash(bit, &root(&zeros), &root(&ones)),
            (None, Some((path, key, record))) => leaf_hash(path, key, record),
            (None, None) => Hash::ZERO,
        }
    }

    /// The proof by definition.
    fn prove(mut rows: Rows, key: &[u8]) -> StateProof {
        let (path, mut steps) = (Path::of(&owner(key), key), vec![]);
        while let Some((bit, zeros, ones)) = parted(&rows) {
            let (near, far) = if path.bit(bit) { (ones, zeros) } else { (zeros, ones) };
            steps.push(Step { bit, sibling: root(&far) });
            rows = near;
        }
        let end = match rows.first() {
            None => End::Nothing,
            Some((found, _, record)) if *found == path => End::Found(record.clone()),
            Some((found, key, record)) => End::other(found, value_hash(key, record)),
        };
        StateProof { steps, end }
    }

    fn key() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(0u8..6, 1..3)
    }

    fn model() -> impl Strategy<Value = BTreeMap<Vec<u8>, Vec<u8>>> {
        prop::collection::btree_map(key(), prop::collection::vec(any::<u8>(), 0..4), 0..12)
    }

    fn shown<'p>(
        proof: &'p StateProof,
        root: &Hash,
        key: &[u8],
    ) -> Result<Option<&'p [u8]>, StateProofError> {
        proof.verify(root, &owner(key), key)
    }

    proptest! {
        #[test]
        fn a_proof_shows_what_is_there_and_nothing_else(model in model(), asked in key(), other in key()) {
            let (rows, kept) = (rows(&model), model.get(&asked).map(Vec::as_slice));
            let top = root(&rows);
            let proof = prove(rows, &asked);
            prop_assert_eq!(shown(&proof, &top, &asked), Ok(kept));
            // For another key it shows the truth or nothing.
            if let Ok(record) = shown(&proof, &top, &other) {
                prop_assert_eq!(record, model.get(&other).map(Vec::as_slice));
            }
            prop_assert!(proof.verify(&top, &[OWNERS], &asked).is_err() || kept.is_none(), "under another owner");
        }

        #[test]
        fn a_changed_proof_never_shows_something_else(model in model(), asked in key(), at: prop::sample::Index, mask in 1u8..) {
            let rows = rows(&model);
            let top = root(&rows);
            let mut bytes = codec::encode(&prove(rows, &asked));
            let place = at.index(bytes.len());
            bytes[place] ^= mask;
            if let Ok(changed) = codec::decode::<StateProof>(&bytes, 1 << 16) {
                prop_assert!(shown(&changed, &top, &asked).is_err(), "byte {}", place);
            }
        }

        #[test]
        fn presence_and_absence_cannot_both_be_shown(model in model(), asked in key(), end in model()) {
            // The steps of a true proof under every end that the trie's own rows could give.
            let (all, foreign) = (rows(&model), rows(&end));
            let top = root(&all);
            let honest = prove(all.clone(), &asked);
            let truth = model.get(&asked).map(Vec::as_slice);
            let ends = all.iter().chain(&foreign).map(|(path, key, record)| End::other(path, value_hash(key, record)));
            let ends = ends.chain(end.values().map(|record| End::Found(record.clone()))).chain([End::Nothing]);
            for end in ends {
                for kept in 0..=honest.steps.len() {
                    let forged = StateProof { steps: honest.steps[..kept].to_vec(), end: end.clone() };
                    if let Ok(shown) = shown(&forged, &top, &asked) {
                        prop_assert_eq!(shown, truth);
                    }
                }
            }
        }
    }

    #[test]
    fn steps_must_rise_within_the_path() {
        let step = |bit| Step { bit, sibling: Hash([1; 32]) };
        for steps in [vec![step(3), step(3)], vec![step(4), step(3)], vec![step(384)]] {
            let proof = StateProof { steps, end: End::Found(vec![]) };
            assert_eq!(shown(&proof, &Hash::ZERO, &[1]), Err(StateProofError::Bits));
        }
        let key = vec![1; KEY_BYTES_MAX + 1];
        let proof = StateProof { steps: vec![], end: End::Nothing };
        assert_eq!(shown(&proof, &Hash::ZERO, &key), Err(StateProofError::Key(KEY_BYTES_MAX + 1)));
    }

    #[test]
    fn nothing_is_shown_by_nothing_but_the_empty_trie() {
        let empty = StateProof { steps: vec![], end: End::Nothing };
        assert_eq!(shown(&empty, &Hash::ZERO, &[1]), Ok(None));
        assert_eq!(shown(&empty, &Hash([1; 32]), &[1]), Err(StateProofError::Root));
        let below = StateProof { steps: vec![Step { bit: 0, sibling: Hash::ZERO }], end: End::Nothing };
        let root = node_hash(0, &Hash::ZERO, &Hash::ZERO);
        assert_eq!(shown(&below, &root, &[1]), Err(StateProofError::Elsewhere));
    }

    #[test]
    fn hashes_and_bytes_are_golden() {
        let model: BTreeMap<Vec<u8>, Vec<u8>> = (0..5).map(|k| (vec![k], vec![k; 3])).collect();
        let rows = rows(&model);
        let proofs =
            codec::encode(&(prove(rows.clone(), &[2]), prove(rows.clone(), &[5]), prove(vec![], &[5])));
        let golden = [root(&rows), leaf_hash(&rows[0].0, &rows[0].1, &rows[0].2), plain_hash(&[&proofs])];
        assert_eq!(
            golden.map(|hash| hash.to_string()),
            [
                "hash1mgclhpje89mgg7zsv7d63kc93xgapal6tl6jl5susqg8hd5vtvzsqfsl09",
                "hash10a24fdy5wc85n6za0snqs5hxe96lk62kg7zjgsa4gg0v4ep02rushz8gps",
                "hash1agk73hykz3t73qxugt3ppv7eed3vy9ruwxjqn4gucupxacuzprgq48p4gz"
            ]
        );
    }
}
