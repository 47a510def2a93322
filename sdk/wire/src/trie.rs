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
        let mut path = [0; PATH_BYTES];
        path[..16].copy_from_slice(&plain_hash(&[owner]).0[..16]);
        path[16..].copy_from_slice(&plain_hash(&[full_key]).0);
        Path(path)
    }

    /// A bit, 0 being the most significant one of the first byte.
    pub fn bit(&self, index: u16) -> bool {
        let (byte, shift) = (usize::from(index / 8), 7 - index % 8);
        self.0.get(byte).is_some_and(|byte| byte >> shift & 1 == 1)
    }

    /// The first bit at which two paths part; none when they are equal.
    pub fn parts_at(&self, other: &Path) -> Option<u16> {
        let byte = self.0.iter().zip(&other.0).position(|(a, b)| a != b)?;
        let bit = (self.0[byte] ^ other.0[byte]).leading_zeros();
        Some(byte as u16 * 8 + bit as u16)
    }
}

/// What is hashed as a leaf's value: length of the full key (u16 little-endian), the full key, the record.
pub fn leaf_value(full_key: &[u8], record: &[u8]) -> Vec<u8> {
    [&(full_key.len() as u16).to_le_bytes(), full_key, record].concat()
}

/// The hash of a leaf.
pub fn leaf_hash(path: &Path, full_key: &[u8], record: &[u8]) -> Hash {
    let value = plain_hash(&[&(full_key.len() as u16).to_le_bytes(), full_key, record]);
    leaf_hash_of(path, &value)
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
    /// # Errors
    /// [`StateProofError`].
    pub fn verify(
        &self,
        root: &Hash,
        owner: &[u8],
        full_key: &[u8],
    ) -> Result<Option<&[u8]>, StateProofError> {
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
