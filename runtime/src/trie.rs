//! The state trie of a replica: all nodes in memory, hashed once per change of a block.
//!
//! It holds paths and hashes of values, no values; those lie in the store and are checked against it. Its
//! root depends on what is in it and on nothing else: not on the order or the grouping of what was done.

use tenor_abi::id::Hash;
use tenor_wire::trie::{End, Path, StateProof, Step, leaf_hash_of, node_hash, value_hash};

/// What becomes of a path: the hash of its leaf's value, or nothing.
pub type Change = (Path, Option<Hash>);

/// A subtree. A leaf's own hash is made when it is asked for: that is rarer than holding it would pay for.
#[derive(Clone, Debug)]
enum Node {
    Leaf { path: Path, value: Hash },
    Branch { bit: u16, hash: Hash, sides: Box<[Node; 2]> },
}

impl Node {
    fn hash(&self) -> Hash {
        match self {
            Node::Leaf { path, value } => leaf_hash_of(path, value),
            Node::Branch { hash, .. } => *hash,
        }
    }

    /// The leaf at which a walk by a path ends.
    fn towards(&self, path: &Path) -> (&Path, &Hash) {
        let mut node = self;
        loop {
            match node {
                Node::Leaf { path, value } => return (path, value),
                Node::Branch { bit, sides, .. } => node = &sides[usize::from(path.bit(*bit))],
            }
        }
    }
}

/// The leaves that an update changed, as they were.
#[derive(Debug)]
pub struct Undo(Vec<Change>);

/// A trie of value hashes by path.
#[derive(Clone, Debug, Default)]
pub struct Trie {
    top: Option<Node>,
    leaves: u64,
}

impl Trie {
    /// The root; [`Hash::ZERO`] when empty.
    pub fn root(&self) -> Hash {
        self.top.as_ref().map_or(Hash::ZERO, Node::hash)
    }

    /// How many leaves it has.
    pub fn len(&self) -> u64 {
        self.leaves
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.leaves == 0
    }

    /// The hash of the value at a path.
    pub fn get(&self, path: &Path) -> Option<Hash> {
        match self.top.as_ref()?.towards(path) {
            (found, value) if found == path => Some(*value),
            _ => None,
        }
    }

    /// Sets or removes leaves and returns what undoes it.
    ///
    /// # Panics
    /// When a path is given twice: what it then becomes would depend on their order.
    pub fn update(&mut self, changes: &[Change]) -> Undo {
        let mut sorted = changes.to_vec();
        sorted.sort_unstable_by_key(|change| change.0);
        assert!(sorted.is_sorted_by(|a, b| a.0 < b.0), "an update changes each path once");
        let before = sorted.iter().map(|(path, _)| (*path, self.get(path))).collect();
        self.apply(&sorted);
        Undo(before)
    }

    /// Takes back the newest update that was not taken back.
    pub fn undo(&mut self, undo: Undo) {
        self.apply(&undo.0);
    }

    /// The proof of what is at a key, given the record there if there is one; none when the trie says
    /// otherwise, for then the record is not to be believed.
    pub fn prove(&self, owner: &[u8], full_key: &[u8], record: Option<&[u8]>) -> Option<StateProof> {
        let path = Path::of(owner, full_key);
        if self.get(&path) != record.map(|record| value_hash(full_key, record)) {
            return None;
        }
        let mut steps = Vec::new();
        let Some(mut node) = self.top.as_ref() else { return Some(StateProof { steps, end: End::Nothing }) };
        loop {
            match node {
                Node::Branch { bit, sides, .. } => {
                    let side = usize::from(path.bit(*bit));
                    steps.push(Step { bit: *bit, sibling: sides[1 - side].hash() });
                    node = &sides[side];
                }
                Node::Leaf { path: found, value } => {
                    let end = record
                        .map_or_else(|| End::other(found, *value), |record| End::Found(record.to_vec()));
                    return Some(StateProof { steps, end });
                }
            }
        }
    }

    fn apply(&mut self, sorted: &[Change]) {
        self.top = side(self.top.take(), None, sorted, &mut self.leaves);
    }
}

/// What becomes of one side of a node, or of the whole; `sample` as for [`merge`], where it is known.
fn side(node: Option<Node>, sample: Option<&Path>, changes: &[Change], leaves: &mut u64) -> Option<Node> {
    let Some((first, _)) = changes.first() else { return node };
    let Some(node) = node else { return grow(changes, leaves) };
    let sample = sample.map_or_else(|| *node.towards(first).0, |sample| *sample);
    merge(node, &sample, changes, leaves)
}

/// A subtree with sorted changes made to it; each node on a changed path is hashed once.
///
/// `sample` is the path of any of its leaves: up to the bit at which the subtree parts they all agree.
fn merge(node: Node, sample: &Path, changes: &[Change], leaves: &mut u64) -> Option<Node> {
    let (Some((first, value)), Some((last, _))) = (changes.first(), changes.last()) else {
        return Some(node);
    };
    // What lies between two paths agrees with them as far as they agree with each other, so the first to
    // leave the subtree is at one of the ends.
    let out = [first, last].into_iter().filter_map(|path| path.parts_at(sample)).min();
    let at = match (&node, out) {
        (Node::Branch { bit, .. }, out) => out.map_or(*bit, |out| out.min(*bit)),
        (Node::Leaf { .. }, Some(out)) => out,
        (Node::Leaf { .. }, None) => return replace(*first, *value, leaves),
    };
    let (zeros, ones) = split(changes, at);
    let (left, right) = match node {
        Node::Branch { bit, sides, .. } if bit == at => {
            let [left, right] = *sides;
            (Some(left), Some(right))
        }
        whole if sample.bit(at) => (None, Some(whole)),
        whole => (Some(whole), None),
    };
    let (of_left, of_right) = if sample.bit(at) { (None, Some(sample)) } else { (Some(sample), None) };
    join(at, side(left, of_left, zeros, leaves), side(right, of_right, ones, leaves))
}

/// What becomes of a leaf that is itself changed.
fn replace(path: Path, value: Option<Hash>, leaves: &mut u64) -> Option<Node> {
    if value.is_none() {
        *leaves -= 1;
    }
    value.map(|value| Node::Leaf { path, value })
}

/// The subtree of sorted changes where there was nothing; removing what is not there changes nothing.
fn grow(changes: &[Change], leaves: &mut u64) -> Option<Node> {
    let first = changes.iter().position(|(_, value)| value.is_some())?;
    let last = changes.iter().rposition(|(_, value)| value.is_some())?;
    let (path, value) = changes[first];
    match path.parts_at(&changes[last].0) {
        Some(bit) => {
            let (zeros, ones) = split(&changes[first..=last], bit);
            join(bit, grow(zeros, leaves), grow(ones, leaves))
        }
        None => {
            *leaves += 1;
            value.map(|value| Node::Leaf { path, value })
        }
    }
}

/// Sorted changes that agree above a bit, parted by it.
fn split(changes: &[Change], bit: u16) -> (&[Change], &[Change]) {
    changes.split_at(changes.partition_point(|(path, _)| !path.bit(bit)))
}

fn join(bit: u16, left: Option<Node>, right: Option<Node>) -> Option<Node> {
    match (left, right) {
        (Some(left), Some(right)) => {
            let hash = node_hash(bit, &left.hash(), &right.hash());
            Some(Node::Branch { bit, hash, sides: Box::new([left, right]) })
        }
        (only, None) | (None, only) => only,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// The root by definition: split by the first bit at which any two paths part.
    fn naive(leaves: &[(Path, Hash)]) -> Hash {
        match leaves {
            [] => Hash::ZERO,
            [(path, value)] => leaf_hash_of(path, value),
            [first, .., last] => {
                let bit = first.0.parts_at(&last.0).unwrap();
                let split = leaves.partition_point(|(path, _)| !path.bit(bit));
                node_hash(bit, &naive(&leaves[..split]), &naive(&leaves[split..]))
            }
        }
    }

    fn leaf(key: u8, value: u8) -> (Path, Hash) {
        let path = Path::of(&[key % 3], &[key]);
        (path, value_hash(&[key], &[value]))
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
                for key in 0u8..40 {
                    let record = model.get(&key).map(|v| vec![*v]);
                    let proof = trie.prove(&[key % 3], &[key], record.as_deref()).unwrap();
                    prop_assert_eq!(proof.verify(&trie.root(), &[key % 3], &[key]).unwrap(), record.as_deref());
                    prop_assert!(proof.verify(&Hash([1; 32]), &[key % 3], &[key]).is_err());
                    prop_assert!(proof.verify(&trie.root(), &[key % 3], &[key, 0]).is_err() || record.is_none());
                }
            }
        }
    }

    #[test]
    fn a_record_that_the_trie_does_not_know_is_not_proved() {
        let mut trie = Trie::default();
        let (path, value) = leaf(7, 7);
        let _ = trie.update(&[(path, Some(value))]);
        assert_eq!(trie.prove(&[7 % 3], &[7], Some(&[8])), None, "another record");
        assert_eq!(trie.prove(&[7 % 3], &[7], None), None, "said to be missing");
        assert_eq!(trie.prove(&[8 % 3], &[8], Some(&[8])), None, "said to be there");
    }

    #[test]
    #[should_panic(expected = "changes each path once")]
    fn a_path_is_changed_once_in_an_update() {
        let (path, value) = leaf(7, 7);
        let _ = Trie::default().update(&[(path, Some(value)), (path, None)]);
    }

    #[test]
    fn every_changed_byte_of_a_proof_is_noticed() {
        let mut trie = Trie::default();
        let changes: Vec<_> = (0..50).map(|k| leaf(k, k)).map(|(path, hash)| (path, Some(hash))).collect();
        let _ = trie.update(&changes);
        let proof = trie.prove(&[7 % 3], &[7], Some(&[7])).unwrap();
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
