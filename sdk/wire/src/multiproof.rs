//! One proof for many keys: the part of the state trie that all their walks pass, each hash in it once.
//!
//! The parts stand in the order of a walk from the root: a branch, then what is on its zero side, then what is
//! on its one side. Where no key that was asked for goes, one hash stands for all that is there.

use crate::trie::{KEY_BYTES_MAX, PATH_BYTES, Path, leaf_hash, leaf_hash_of, node_hash};
use alloc::vec;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};
use tenor_abi::id::Hash;

/// Most keys of one proof.
pub const KEYS_MAX: usize = 10_000;

/// A part of a trie, from the root down.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Part {
    /// Everything from here down, where no key leads.
    Pruned(Hash),
    /// An inner node: its zero side and then its one side follow.
    Branch(u16),
    /// The leaf of a key that was asked for, by its place among them, with its record.
    Found {
        /// Which key.
        key: u32,
        /// What is there.
        record: Vec<u8>,
    },
    /// The leaf of another key: those that lead here are not there.
    Other {
        /// Its path: 16 bytes of owner, 32 bytes of key hash.
        owner: [u8; 16],
        /// The rest of the path.
        key: Hash,
        /// Hash of its value.
        value: Hash,
    },
}

impl Part {
    /// The leaf of another key.
    pub fn other(path: &Path, value: Hash) -> Part {
        let (mut owner, mut key) = ([0; 16], Hash::ZERO);
        owner.copy_from_slice(&path.0[..16]);
        key.0.copy_from_slice(&path.0[16..]);
        Part::Other { owner, key, value }
    }
}

/// Shows what state holds at several keys.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct MultiProof {
    /// The parts; none for an empty trie.
    pub parts: Vec<Part>,
}

/// Why a proof for many keys shows nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MultiProofError {
    /// Too many keys, or one that no leaf has.
    #[error("at most {KEYS_MAX} keys of at most {KEY_BYTES_MAX} bytes can be asked for at once")]
    Keys,
    /// Bits do not rise strictly from the root down, or lie outside a path.
    #[error("the bits of the proof's branches do not rise strictly within 384")]
    Bits,
    /// A leaf where the keys that lead there do not lead, or a part where nothing was asked.
    #[error("the proof has a part that the keys do not lead to")]
    Elsewhere,
    /// Keys lead to a part that is only a hash, or parts are missing or left over.
    #[error("the proof does not show every key that was asked for")]
    Incomplete,
    /// The hashes lead to another root.
    #[error("the proof leads to another root")]
    Root,
}

/// A key to show: its place among those that were asked for, and where it leads.
struct Asked {
    place: usize,
    path: Path,
}

impl MultiProof {
    /// The records at keys (owner and full key) under a state root, each or none, in the order of the keys.
    ///
    /// # Errors
    /// [`MultiProofError`].
    pub fn verify<'p>(
        &'p self,
        root: &Hash,
        keys: &[(&[u8], &[u8])],
    ) -> Result<Vec<Option<&'p [u8]>>, MultiProofError> {
        if keys.len() > KEYS_MAX || keys.iter().any(|(_, full_key)| full_key.len() > KEY_BYTES_MAX) {
            return Err(MultiProofError::Keys);
        }
        let asked = |(place, (owner, full_key)): (usize, &(&[u8], &[u8]))| Asked {
            place,
            path: Path::of(owner, full_key),
        };
        let all: Vec<Asked> = keys.iter().enumerate().map(asked).collect();
        let mut shown = vec![None; keys.len()];
        let mut reading = Reading { parts: self.parts.iter(), way: vec![], keys, shown: &mut shown };
        let top = if self.parts.is_empty() { Hash::ZERO } else { reading.subtree(all)? };
        if reading.parts.next().is_some() {
            return Err(MultiProofError::Incomplete);
        }
        if top == *root { Ok(shown) } else { Err(MultiProofError::Root) }
    }
}

struct Reading<'p, 'r> {
    parts: core::slice::Iter<'p, Part>,
    /// The branches on the way from the root, and on which side of each it goes on.
    way: Vec<(u16, bool)>,
    keys: &'r [(&'r [u8], &'r [u8])],
    shown: &'r mut Vec<Option<&'p [u8]>>,
}

impl Reading<'_, '_> {
    /// The hash of the next subtree, to which these keys lead. Bits rise, so it is entered at most 384 times
    /// within itself.
    fn subtree(&mut self, asked: Vec<Asked>) -> Result<Hash, MultiProofError> {
        let part = self.parts.next().ok_or(MultiProofError::Incomplete)?;
        match part {
            Part::Pruned(hash) if asked.is_empty() => Ok(*hash),
            Part::Pruned(_) => Err(MultiProofError::Incomplete),
            _ if asked.is_empty() => Err(MultiProofError::Elsewhere),
            Part::Branch(bit) => {
                let above = self.way.last().map(|(above, _)| *above);
                if above.is_some_and(|above| above >= *bit) || usize::from(*bit) >= PATH_BYTES * 8 {
                    return Err(MultiProofError::Bits);
                }
                let (ones, zeros) = asked.into_iter().partition(|asked| asked.path.bit(*bit));
                let mut side = |is_one, asked| {
                    self.way.push((*bit, is_one));
                    let hash = self.subtree(asked)?;
                    self.way.pop();
                    Ok(hash)
                };
                let (left, right) = (side(false, zeros)?, side(true, ones)?);
                Ok(node_hash(*bit, &left, &right))
            }
            Part::Found { key, record } => {
                let found = asked.iter().find(|asked| asked.place == *key as usize);
                let found = found.ok_or(MultiProofError::Elsewhere)?;
                // A key may be asked for twice.
                for same in asked.iter().filter(|asked| asked.path == found.path) {
                    self.shown[same.place] = Some(record.as_slice());
                }
                let (_, full_key) = self.keys[found.place];
                Ok(leaf_hash(&found.path, full_key, record))
            }
            Part::Other { owner, key, value } => {
                let mut other = Path([0; PATH_BYTES]);
                other.0[..16].copy_from_slice(owner);
                other.0[16..].copy_from_slice(&key.0);
                let led_here = self.way.iter().all(|(bit, is_one)| other.bit(*bit) == *is_one);
                if !led_here || asked.iter().any(|asked| asked.path == other) {
                    return Err(MultiProofError::Elsewhere);
                }
                Ok(leaf_hash_of(&other, value))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trie::value_hash;
    use alloc::string::ToString;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use tenor_abi::codec;

    type Model = BTreeMap<Vec<u8>, Vec<u8>>;
    type Rows = Vec<(Path, Vec<u8>, Vec<u8>)>;

    fn owner(key: &[u8]) -> [u8; 1] {
        [key[0] % 3]
    }

    fn rows(model: &Model) -> Rows {
        let row =
            |(key, record): (&Vec<u8>, &Vec<u8>)| (Path::of(&owner(key), key), key.clone(), record.clone());
        let mut rows: Rows = model.iter().map(row).collect();
        rows.sort();
        rows
    }

    fn root(rows: &[(Path, Vec<u8>, Vec<u8>)]) -> Hash {
        match rows {
            [] => Hash::ZERO,
            [(path, key, record)] => leaf_hash(path, key, record),
            [first, .., last] => {
                let bit = first.0.parts_at(&last.0).unwrap();
                let (zeros, ones) = rows.split_at(rows.partition_point(|row| !row.0.bit(bit)));
                node_hash(bit, &root(zeros), &root(ones))
            }
        }
    }

    /// The proof by definition.
    fn prove(rows: &[(Path, Vec<u8>, Vec<u8>)], asked: &[(usize, Path)], parts: &mut Vec<Part>) {
        match rows {
            [] => {}
            _ if asked.is_empty() => parts.push(Part::Pruned(root(rows))),
            [(path, key, record)] => parts.push(match asked.iter().find(|asked| asked.1 == *path) {
                Some((place, _)) => Part::Found { key: *place as u32, record: record.clone() },
                None => Part::other(path, value_hash(key, record)),
            }),
            [first, .., last] => {
                let bit = first.0.parts_at(&last.0).unwrap();
                let (zeros, ones) = rows.split_at(rows.partition_point(|row| !row.0.bit(bit)));
                let (right, left): (Vec<_>, Vec<_>) = asked.iter().partition(|asked| asked.1.bit(bit));
                parts.push(Part::Branch(bit));
                prove(zeros, &left, parts);
                prove(ones, &right, parts);
            }
        }
    }

    fn proof_of(rows: &Rows, keys: &[Vec<u8>]) -> MultiProof {
        let asked: Vec<_> = keys.iter().map(|key| Path::of(&owner(key), key)).enumerate().collect();
        let mut parts = vec![];
        prove(rows, &asked, &mut parts);
        MultiProof { parts }
    }

    fn shown<'p>(
        proof: &'p MultiProof,
        root: &Hash,
        keys: &[Vec<u8>],
    ) -> Result<Vec<Option<&'p [u8]>>, MultiProofError> {
        let owners: Vec<_> = keys.iter().map(|key| owner(key)).collect();
        let asked: Vec<_> = owners.iter().zip(keys).map(|(owner, key)| (&owner[..], &key[..])).collect();
        proof.verify(root, &asked)
    }

    fn key() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(0u8..6, 1..3)
    }

    fn model() -> impl Strategy<Value = Model> {
        prop::collection::btree_map(key(), prop::collection::vec(any::<u8>(), 0..4), 0..16)
    }

    proptest! {
        #[test]
        fn a_proof_shows_all_that_was_asked_for_and_nothing_else(model in model(), asked in prop::collection::vec(key(), 0..8), others in prop::collection::vec(key(), 0..8)) {
            let rows = rows(&model);
            let (top, proof) = (root(&rows), proof_of(&rows, &asked));
            let truth = |keys: &[Vec<u8>]| keys.iter().map(|key| model.get(key).map(Vec::as_slice)).collect::<Vec<_>>();
            let expected = truth(&asked);
            prop_assert_eq!(shown(&proof, &top, &asked), Ok(expected));
            if let Ok(found) = shown(&proof, &top, &others) {
                prop_assert_eq!(found, truth(&others));
            }
            prop_assert!(shown(&proof, &Hash([1; 32]), &asked).is_err());
        }

        #[test]
        fn a_changed_proof_never_shows_something_else(model in model(), asked in prop::collection::vec(key(), 1..6), at: prop::sample::Index, mask in 1u8..) {
            let rows = rows(&model);
            let top = root(&rows);
            let mut bytes = codec::encode(&proof_of(&rows, &asked));
            let place = at.index(bytes.len());
            bytes[place] ^= mask;
            if let Ok(changed) = codec::decode::<MultiProof>(&bytes, 1 << 16) {
                let truth: Vec<_> = asked.iter().map(|key| model.get(key).map(Vec::as_slice)).collect();
                // A record may be said to be of the other one of two equal keys; that shows the same.
                if let Ok(found) = shown(&changed, &top, &asked) {
                    prop_assert_eq!(found, truth, "byte {}", place);
                }
            }
        }
    }

    #[test]
    fn parts_that_are_missing_left_over_or_out_of_order_show_nothing() {
        let model: Model = (0..6).map(|key| (vec![key], vec![key; 3])).collect();
        let rows = rows(&model);
        let (top, asked) = (root(&rows), [vec![2], vec![5], vec![9]]);
        let proof = proof_of(&rows, &asked);
        let with = |change: &dyn Fn(&mut Vec<Part>)| {
            let mut changed = proof.clone();
            change(&mut changed.parts);
            shown(&changed, &top, &asked).map(|_| ())
        };
        assert_eq!(with(&|_| {}), Ok(()));
        assert_eq!(with(&|parts| drop(parts.pop())), Err(MultiProofError::Incomplete));
        assert_eq!(with(&|parts| parts.push(Part::Pruned(Hash::ZERO))), Err(MultiProofError::Incomplete));
        assert_eq!(with(&|parts| *parts = vec![Part::Pruned(top)]), Err(MultiProofError::Incomplete));
        assert_eq!(with(&|parts| parts[0] = Part::Branch(384)), Err(MultiProofError::Bits));
        assert_eq!(with(&|parts| parts.insert(1, parts[0].clone())), Err(MultiProofError::Bits));
        let long = vec![0; KEY_BYTES_MAX + 1];
        assert_eq!(proof.verify(&top, &[(&[0], &long)]), Err(MultiProofError::Keys));
        assert_eq!(MultiProof::default().verify(&Hash::ZERO, &[(&[0], &[1])]), Ok(vec![None]));
    }

    #[test]
    fn bytes_are_golden() {
        let model: Model = (0..5).map(|key| (vec![key], vec![key; 3])).collect();
        let proof = proof_of(&rows(&model), &[vec![2], vec![4], vec![5]]);
        let hash = crate::crypto::plain_hash(&[&codec::encode(&proof)]);
        assert_eq!(hash.to_string(), "hash1vqvszsjxrsrpyglhheh4guaq2mhrm8vq9nus0v58yt2lstfypcxsw6dmt5");
    }
}
