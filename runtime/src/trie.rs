//! The state trie of a replica: all nodes in memory, hashed once per change of a block.
//!
//! It holds paths and leaf hashes, no values; those lie in the store and are checked against it. Its root
//! depends on what is in it and on nothing else.

use tenor_abi::id::Hash;
use tenor_wire::crypto::plain_hash;
use tenor_wire::trie::{End, Path, StateProof, Step, leaf_value, node_hash};

#[derive(Clone, Debug)]
enum Node {
    Leaf { path: Path, hash: Hash },
    Branch { bit: u16, hash: Hash, sides: Box<[Node; 2]> },
}

impl Node {
    fn hash(&self) -> &Hash {
        match self {
            Node::Leaf { hash, .. } | Node::Branch { hash, .. } => hash,
        }
    }
}

/// The leaves that an update changed, as they were.
#[derive(Debug)]
pub struct Undo(Vec<(Path, Option<Hash>)>);

/// A trie of leaf hashes by path.
#[derive(Clone, Debug, Default)]
pub struct Trie {
    top: Option<Node>,
    leaves: u64,
}

impl Trie {
    /// The root; [`Hash::ZERO`] when empty.
    pub fn root(&self) -> Hash {
        self.top.as_ref().map_or(Hash::ZERO, |top| *top.hash())
    }

    /// How many leaves it has.
    pub fn len(&self) -> u64 {
        self.leaves
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.leaves == 0
    }

    /// The hash of the leaf at a path.
    pub fn get(&self, path: &Path) -> Option<Hash> {
        match self.leaf_towards(path)? {
            (found, hash) if found == path => Some(*hash),
            _ => None,
        }
    }

    /// Sets or removes leaves and returns what undoes it.
    pub fn update(&mut self, changes: &[(Path, Option<Hash>)]) -> Undo {
        let mut sorted: Vec<(Path, Option<Hash>)> = changes.to_vec();
        sorted.sort_by_key(|(path, _)| *path);
        let before = sorted.iter().map(|(path, _)| (*path, self.get(path))).collect();
        self.apply(&sorted);
        Undo(before)
    }

    /// Takes back the newest update that was not taken back.
    pub fn undo(&mut self, undo: Undo) {
        self.apply(&undo.0);
    }

    /// The proof of what is at a key, given its record if there is one.
    pub fn prove(
        &self,
        owner: &[u8],
        full_key: &[u8],
        record: Option<&[u8]>,
        value_of: impl Fn(&Path) -> Option<Hash>,
    ) -> Option<StateProof> {
        let path = Path::of(owner, full_key);
        let mut steps = Vec::new();
        let Some(mut node) = self.top.as_ref() else { return Some(StateProof { steps, end: End::Nothing }) };
        while let Node::Branch { bit, sides, .. } = node {
            let side = usize::from(path.bit(*bit));
            steps.push(Step { bit: *bit, sibling: *sides[1 - side].hash() });
            node = &sides[side];
        }
        let Node::Leaf { path: found, .. } = node else { return None };
        let end = match record {
            Some(record) if *found == path => End::Found(record.to_vec()),
            None if *found != path => {
                let mut owner = [0; 16];
                owner.copy_from_slice(&found.0[..16]);
                let mut key = Hash::ZERO;
                key.0.copy_from_slice(&found.0[16..]);
                End::Other { owner, key, value: value_of(found)? }
            }
            _ => return None,
        };
        Some(StateProof { steps, end })
    }

    /// The leaf at which a walk by a path ends.
    fn leaf_towards(&self, path: &Path) -> Option<(&Path, &Hash)> {
        let mut node = self.top.as_ref()?;
        loop {
            match node {
                Node::Leaf { path, hash } => return Some((path, hash)),
                Node::Branch { bit, sides, .. } => node = &sides[usize::from(path.bit(*bit))],
            }
        }
    }

    fn apply(&mut self, sorted: &[(Path, Option<Hash>)]) {
        let before = self.leaves;
        let mut count = Count { added: 0, removed: 0 };
        self.top = merge(self.top.take(), sorted, &mut count);
        self.leaves = before + count.added - count.removed;
    }
}

/// The value hash that a proof of absence needs of the other leaf.
pub fn value_hash(full_key: &[u8], record: &[u8]) -> Hash {
    plain_hash(&[&leaf_value(full_key, record)])
}

struct Count {
    added: u64,
    removed: u64,
}

/// A subtree with sorted changes made to it; each node on a changed path is hashed once.
fn merge(node: Option<Node>, changes: &[(Path, Option<Hash>)], count: &mut Count) -> Option<Node> {
    let (Some(first), Some(last)) = (changes.first(), changes.last()) else { return node };
    let Some(node) = node else { return grow(changes, count) };
    let sample = match &node {
        Node::Leaf { path, .. } => *path,
        Node::Branch { .. } => *lowest(&node),
    };
    let bit = match &node {
        Node::Leaf { .. } => None,
        Node::Branch { bit, .. } => Some(*bit),
    };
    // The first bit at which any change leaves this subtree's common prefix, if that is above its own bit.
    let leaves_at = [first, last].iter().filter_map(|(path, _)| path.parts_at(&sample)).min();
    match (node, bit) {
        (Node::Leaf { path, .. }, _) if changes.len() == 1 && first.0 == path => match first.1 {
            Some(hash) => Some(Node::Leaf { path, hash }),
            None => {
                count.removed += 1;
                None
            }
        },
        (node, bit) => {
            let at = match (leaves_at, bit) {
                (Some(out), Some(own)) => out.min(own),
                (Some(out), None) => out,
                (None, Some(own)) => own,
                (None, None) => return Some(node),
            };
            let split = changes.partition_point(|(path, _)| !path.bit(at));
            let (zeros, ones) = changes.split_at(split);
            let (left, right) = match node {
                Node::Branch { bit, sides, .. } if bit == at => {
                    let [left, right] = *sides;
                    (Some(left), Some(right))
                }
                node if sample.bit(at) => (None, Some(node)),
                node => (Some(node), None),
            };
            join(at, merge(left, zeros, count), merge(right, ones, count))
        }
    }
}

fn grow(changes: &[(Path, Option<Hash>)], count: &mut Count) -> Option<Node> {
    let mut kept = changes.iter().filter_map(|(path, hash)| hash.map(|hash| (*path, hash)));
    let (path, hash) = kept.next()?;
    count.added += 1;
    let rest: Vec<(Path, Option<Hash>)> = kept.map(|(path, hash)| (path, Some(hash))).collect();
    merge(Some(Node::Leaf { path, hash }), &rest, count)
}

fn join(bit: u16, left: Option<Node>, right: Option<Node>) -> Option<Node> {
    match (left, right) {
        (Some(left), Some(right)) => {
            let hash = node_hash(bit, left.hash(), right.hash());
            Some(Node::Branch { bit, hash, sides: Box::new([left, right]) })
        }
        (only, None) | (None, only) => only,
    }
}

fn lowest(node: &Node) -> &Path {
    match node {
        Node::Leaf { path, .. } => path,
        Node::Branch { sides, .. } => lowest(&sides[0]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use tenor_wire::trie::leaf_hash;

    /// The root by definition: split by the first bit at which any two paths part.
    fn naive(leaves: &[(Path, Hash)]) -> Hash {
        match leaves {
            [] => Hash::ZERO,
            [(_, hash)] => *hash,
            [first, .., last] => {
                let bit = first.0.parts_at(&last.0).unwrap();
                let split = leaves.partition_point(|(path, _)| !path.bit(bit));
                node_hash(bit, &naive(&leaves[..split]), &naive(&leaves[split..]))
            }
        }
    }

    fn leaf(key: u8, value: u8) -> (Path, Hash) {
        let path = Path::of(&[key % 3], &[key]);
        (path, leaf_hash(&path, &[key], &[value]))
    }

    proptest! {
        #[test]
        fn the_trie_is_a_map_with_a_root(batches in prop::collection::vec(prop::collection::btree_map(0u8..40, any::<Option<u8>>(), 0..20), 0..12)) {
            let (mut trie, mut model) = (Trie::default(), BTreeMap::new());
            for batch in &batches {
                let before = (trie.root(), trie.len());
                let changes: Vec<_> = batch.iter().map(|(k, v)| (leaf(*k, 0).0, v.map(|v| leaf(*k, v).1))).collect();
                let undo = trie.update(&changes);
                let after = trie.root();
                trie.undo(undo);
                prop_assert_eq!((trie.root(), trie.len()), before);
                let _ = trie.update(&changes);
                prop_assert_eq!(trie.root(), after);
                for (key, value) in batch {
                    match value {
                        Some(value) => model.insert(*key, *value),
                        None => model.remove(key),
                    };
                }
                let mut leaves: Vec<_> = model.iter().map(|(k, v)| leaf(*k, *v)).collect();
                leaves.sort();
                prop_assert_eq!(trie.root(), naive(&leaves));
                prop_assert_eq!(trie.len(), model.len() as u64);
                let paths: BTreeMap<Path, u8> = model.keys().map(|k| (leaf(*k, 0).0, *k)).collect();
                for key in 0u8..40 {
                    let record = model.get(&key).map(|v| vec![*v]);
                    let value_of = |path: &Path| paths.get(path).map(|k| value_hash(&[*k], &[model[k]]));
                    let proof = trie.prove(&[key % 3], &[key], record.as_deref(), value_of).unwrap();
                    prop_assert_eq!(proof.verify(&trie.root(), &[key % 3], &[key]).unwrap(), record.as_deref());
                    prop_assert!(proof.verify(&Hash([1; 32]), &[key % 3], &[key]).is_err());
                    prop_assert!(proof.verify(&trie.root(), &[key % 3], &[key, 0]).is_err() || record.is_none());
                }
            }
        }
    }

    #[test]
    fn every_changed_byte_of_a_proof_is_noticed() {
        let mut trie = Trie::default();
        let changes: Vec<_> = (0..50).map(|k| leaf(k, k)).map(|(path, hash)| (path, Some(hash))).collect();
        let _ = trie.update(&changes);
        let proof = trie.prove(&[7 % 3], &[7], Some(&[7]), |_| None).unwrap();
        let bytes = tenor_abi::codec::encode(&proof);
        for at in 0..bytes.len() {
            for flip in [1, 0x80] {
                let mut wrong = bytes.clone();
                wrong[at] ^= flip;
                let read = tenor_abi::codec::decode::<StateProof>(&wrong, 1 << 16);
                let shown = read.as_ref().ok().and_then(|p| p.verify(&trie.root(), &[7 % 3], &[7]).ok());
                assert_eq!(shown, None, "byte {at}");
            }
        }
    }
}
