//! List trees: the shape of RFC 6962 under our own tags, whole or grown leaf by leaf.

use crate::crypto::hash;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};
use tenor_abi::id::Hash;
use tenor_abi::tag::TreeTags;

fn leaf_hash(tags: TreeTags, leaf: &[u8]) -> Hash {
    hash(tags.leaf, &[leaf])
}

fn node_hash(tags: TreeTags, left: &Hash, right: &Hash) -> Hash {
    hash(tags.node, &[&left.0, &right.0])
}

/// The root of a list of leaves; [`Hash::ZERO`] for none.
///
/// Source: RFC 6962 section 2.1, with two tags instead of the bytes 0 and 1.
pub fn root<'l>(tags: TreeTags, leaves: impl Iterator<Item = &'l [u8]>) -> Hash {
    let mut tree = Mmr::default();
    leaves.for_each(|leaf| tree.push(tags, leaf));
    tree.root(tags)
}

/// A list tree that grows: the roots of its full subtrees, the largest first.
///
/// One peak stands for each bit of the count that is set. Its root is that of [`root`] over the same leaves.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "Parts")]
pub struct Mmr {
    count: u64,
    peaks: Vec<Hash>,
}

/// A list tree's bytes before its peaks were counted.
#[derive(Deserialize)]
struct Parts {
    count: u64,
    peaks: Vec<Hash>,
}

impl TryFrom<Parts> for Mmr {
    type Error = &'static str;
    fn try_from(Parts { count, peaks }: Parts) -> Result<Mmr, &'static str> {
        let whole = peaks.len() as u64 == u64::from(count.count_ones());
        if whole {
            Ok(Mmr { count, peaks })
        } else {
            Err("a list tree has one peak for each bit of its count")
        }
    }
}

impl Mmr {
    /// Leaves so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Adds a leaf.
    pub fn push(&mut self, tags: TreeTags, leaf: &[u8]) {
        let mut node = leaf_hash(tags, leaf);
        // Each trailing one of the count is a full subtree of the new one's size to its left.
        for _ in 0..self.count.trailing_ones() {
            let left = self.peaks.pop().expect("there is one peak for each bit of the count");
            node = node_hash(tags, &left, &node);
        }
        self.peaks.push(node);
        self.count += 1;
    }

    /// The root over all leaves so far.
    pub fn root(&self, tags: TreeTags) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(smallest) = peaks.next() else { return Hash::ZERO };
        peaks.fold(*smallest, |right, left| node_hash(tags, left, &right))
    }
}

/// Two hashes that become one node: left, right.
pub type Pair = (Hash, Hash);

/// Adds hashes of leaves to many trees, whose nodes are asked for many at a time.
///
/// `nodes` gives the hash of each pair, in order. Nodes of one level, over all trees, do not wait for one
/// another.
pub fn extend_all(trees: &mut [(Mmr, Vec<Hash>)], mut nodes: impl FnMut(&[Pair]) -> Vec<Hash>) {
    let mut rising: Vec<Rising> = trees.iter_mut().map(|(tree, leaves)| Rising::new(tree, leaves)).collect();
    let mut level = 0;
    while rising.iter().any(|tree| !tree.nodes.is_empty()) {
        let mut pairs = Vec::new();
        rising.iter_mut().for_each(|tree| tree.pair_up(level, &mut pairs));
        let mut made = nodes(&pairs).into_iter();
        rising.iter_mut().for_each(|tree| tree.nodes = made.by_ref().take(tree.pairs_count).collect());
        level += 1;
    }
    for ((tree, leaves), rising) in trees.iter_mut().zip(rising) {
        tree.count += leaves.len() as u64;
        tree.peaks = rising.untouched;
        tree.peaks.extend(rising.peaks.into_iter().rev());
    }
}

/// The roots of many trees, whose nodes are asked for many at a time.
pub fn roots<'m>(
    trees: impl Iterator<Item = &'m Mmr>,
    mut nodes: impl FnMut(&[Pair]) -> Vec<Hash>,
) -> Vec<Hash> {
    let trees: Vec<&Mmr> = trees.collect();
    let mut roots: Vec<Hash> = trees.iter().map(|tree| *tree.peaks.last().unwrap_or(&Hash::ZERO)).collect();
    let highest = trees.iter().map(|tree| tree.peaks.len()).max().unwrap_or(0);
    for step in 2..=highest {
        let open = |tree: &Mmr| tree.peaks.len().checked_sub(step).map(|place| tree.peaks[place]);
        let joined: Vec<(usize, Pair)> =
            trees.iter().enumerate().filter_map(|(at, tree)| Some((at, (open(tree)?, roots[at])))).collect();
        let pairs: Vec<Pair> = joined.iter().map(|(_, pair)| *pair).collect();
        for ((at, _), made) in joined.iter().zip(nodes(&pairs)) {
            roots[*at] = made;
        }
    }
    roots
}

/// A tree while leaves are added, level by level.
struct Rising {
    /// Leaves before.
    count: u64,
    /// Old peaks that no new node has reached, the largest first.
    untouched: Vec<Hash>,
    /// New nodes of the level.
    nodes: Vec<Hash>,
    pairs_count: usize,
    /// New peaks, the lowest first.
    peaks: Vec<Hash>,
}

impl Rising {
    fn new(tree: &mut Mmr, leaves: &[Hash]) -> Rising {
        let untouched = core::mem::take(&mut tree.peaks);
        Rising { count: tree.count, untouched, nodes: leaves.to_vec(), pairs_count: 0, peaks: Vec::new() }
    }

    /// Pairs up the nodes of a level, an old peak of it in front; what is left over is a peak.
    fn pair_up(&mut self, level: u32, pairs: &mut Vec<Pair>) {
        self.pairs_count = 0;
        if self.nodes.is_empty() {
            return;
        }
        let old = if self.count >> level & 1 == 1 { self.untouched.pop() } else { None };
        let mut line = old.into_iter().chain(self.nodes.drain(..));
        while let Some(left) = line.next() {
            match line.next() {
                Some(right) => {
                    pairs.push((left, right));
                    self.pairs_count += 1;
                }
                None => self.peaks.push(left),
            }
        }
    }
}

/// Shows that a leaf stands at a place of a list whose length the verifier knows from elsewhere (a header has
/// it): a proof alone does not show the length.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ListProof {
    /// Place of the leaf.
    pub index: u64,
    /// Length of the list.
    pub count: u64,
    /// Hashes beside the way up, the lowest first.
    pub siblings: Vec<Hash>,
}

impl ListProof {
    /// The proof of a place, over the leaves' bytes; none when there is no such place.
    pub fn of(tags: TreeTags, leaves: &[&[u8]], index: u64) -> Option<ListProof> {
        let hashes: Vec<Hash> = leaves.iter().map(|leaf| leaf_hash(tags, leaf)).collect();
        let mut siblings = Vec::new();
        let place = usize::try_from(index).ok().filter(|place| *place < hashes.len())?;
        walk(tags, &hashes, place, &mut siblings);
        Some(ListProof { index, count: leaves.len() as u64, siblings })
    }

    /// Whether the leaf stands at this place of the list with this root.
    pub fn verify(&self, tags: TreeTags, leaf: &[u8], root: &Hash) -> bool {
        if self.index >= self.count {
            return false;
        }
        let mut node = leaf_hash(tags, leaf);
        let (mut place, mut last) = (self.index, self.count - 1);
        for sibling in &self.siblings {
            if last == 0 {
                return false;
            }
            if place & 1 == 1 || place == last {
                node = node_hash(tags, sibling, &node);
                // At the right edge, levels without a sibling are passed over.
                while place & 1 == 0 && place != 0 {
                    place >>= 1;
                    last >>= 1;
                }
            } else {
                node = node_hash(tags, &node, sibling);
            }
            place >>= 1;
            last >>= 1;
        }
        last == 0 && node == *root
    }
}

/// The root of a range of leaf hashes; collects what stands beside the way from `place` up.
fn walk(tags: TreeTags, hashes: &[Hash], place: usize, siblings: &mut Vec<Hash>) -> Hash {
    if let [only] = hashes {
        return *only;
    }
    let (left, right) = hashes.split_at(largest_power_below(hashes.len()));
    let (near, far) = if place < left.len() {
        (walk(tags, left, place, siblings), subtree(tags, right))
    } else {
        (walk(tags, right, place - left.len(), siblings), subtree(tags, left))
    };
    siblings.push(far);
    if place < left.len() { node_hash(tags, &near, &far) } else { node_hash(tags, &far, &near) }
}

fn subtree(tags: TreeTags, hashes: &[Hash]) -> Hash {
    if let [only] = hashes {
        return *only;
    }
    let (left, right) = hashes.split_at(largest_power_below(hashes.len()));
    node_hash(tags, &subtree(tags, left), &subtree(tags, right))
}

/// The largest power of two below a count of at least two.
fn largest_power_below(count: usize) -> usize {
    1 << (usize::BITS - 1 - (count - 1).leading_zeros())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::plain_hash;
    use alloc::string::ToString;
    use proptest::prelude::*;
    use tenor_abi::codec::{self, CodecError};
    use tenor_abi::tag;

    fn naive(leaves: &[&[u8]]) -> Hash {
        match leaves {
            [] => Hash::ZERO,
            [leaf] => leaf_hash(tag::ITEMS, leaf),
            _ => {
                let (left, right) = leaves.split_at(largest_power_below(leaves.len()));
                node_hash(tag::ITEMS, &naive(left), &naive(right))
            }
        }
    }

    proptest! {
        #[test]
        fn trees_that_grow_together_are_those_that_grow_alone(counts in prop::collection::vec((0usize..40, 0usize..40), 0..6)) {
            let nodes = |pairs: &[Pair]| pairs.iter().map(|(left, right)| node_hash(tag::HISTORY, left, right)).collect();
            let leaf = |tree: usize, at: usize| [tree as u8, at as u8];
            let (mut alone, mut together) = (Vec::new(), Vec::new());
            for (place, (before, added)) in counts.into_iter().enumerate() {
                let mut tree = Mmr::default();
                (0..before).for_each(|at| tree.push(tag::HISTORY, &leaf(place, at)));
                let new = (before..before + added).map(|at| leaf_hash(tag::HISTORY, &leaf(place, at))).collect();
                together.push((tree.clone(), new));
                (before..before + added).for_each(|at| tree.push(tag::HISTORY, &leaf(place, at)));
                alone.push(tree);
            }
            extend_all(&mut together, nodes);
            let together: Vec<Mmr> = together.into_iter().map(|(tree, _)| tree).collect();
            prop_assert_eq!(&together, &alone);
            let expected: Vec<Hash> = alone.iter().map(|tree| tree.root(tag::HISTORY)).collect();
            prop_assert_eq!(roots(together.iter(), nodes), expected);
        }

        #[test]
        fn a_grown_tree_is_the_whole_one_and_every_place_is_proved(leaves in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..4), 0..70)) {
            // The place in front makes the leaves differ, so that a proof fits one place only.
            let leaves: Vec<Vec<u8>> = leaves.into_iter().enumerate().map(|(at, leaf)| [alloc::vec![at as u8], leaf].concat()).collect();
            let list: Vec<&[u8]> = leaves.iter().map(Vec::as_slice).collect();
            let whole = naive(&list);
            prop_assert_eq!(root(tag::ITEMS, list.iter().copied()), whole);
            for (index, leaf) in list.iter().enumerate() {
                let proof = ListProof::of(tag::ITEMS, &list, index as u64).unwrap();
                prop_assert!(proof.verify(tag::ITEMS, leaf, &whole));
                prop_assert!(!proof.verify(tag::ITEMS, b"other", &whole));
                prop_assert!(!proof.verify(tag::RECEIPTS, leaf, &whole));
                let beyond = ListProof { index: proof.count, ..proof.clone() };
                prop_assert!(!beyond.verify(tag::ITEMS, leaf, &whole));
                for other in 0..proof.count {
                    let moved = ListProof { index: other, ..proof.clone() };
                    prop_assert_eq!(moved.verify(tag::ITEMS, leaf, &whole), other == index as u64);
                }
            }
            prop_assert_eq!(ListProof::of(tag::ITEMS, &list, list.len() as u64), None);
        }

        #[test]
        fn a_changed_proof_shows_nothing(count in 1u64..40, index: prop::sample::Index, at: prop::sample::Index, mask in 1u8..) {
            let leaves: Vec<[u8; 8]> = (0..count).map(u64::to_le_bytes).collect();
            let list: Vec<&[u8]> = leaves.iter().map(<[u8; 8]>::as_slice).collect();
            let (place, whole) = (index.index(list.len()), naive(&list));
            let proof = ListProof::of(tag::ITEMS, &list, place as u64).unwrap();
            let mut bytes = codec::encode(&proof);
            let byte = at.index(bytes.len());
            bytes[byte] ^= mask;
            if let Ok(changed) = codec::decode::<ListProof>(&bytes, 1 << 12) {
                // The length is not shown by the proof, only used: whoever verifies compares it.
                let shows = changed.count == count && changed.verify(tag::ITEMS, list[place], &whole);
                prop_assert!(!shows, "byte {}", byte);
            }
        }

        #[test]
        fn a_tree_goes_on_after_its_bytes(before in 0u64..40, after in 0u64..40) {
            let mut tree = Mmr::default();
            (0..before).for_each(|leaf| tree.push(tag::HISTORY, &leaf.to_le_bytes()));
            let mut read: Mmr = codec::decode(&codec::encode(&tree), 1 << 12).unwrap();
            (before..before + after).for_each(|leaf| {
                tree.push(tag::HISTORY, &leaf.to_le_bytes());
                read.push(tag::HISTORY, &leaf.to_le_bytes());
            });
            prop_assert_eq!((read.count(), read.root(tag::HISTORY)), (before + after, tree.root(tag::HISTORY)));
        }
    }

    #[test]
    fn a_tree_with_a_peak_too_few_or_too_many_is_no_tree() {
        for (count, peaks) in [(0u64, 1), (3, 1), (4, 2), (u64::MAX, 63)] {
            let bytes = codec::encode(&(count, alloc::vec![Hash([1; 32]); peaks]));
            assert_eq!(codec::decode::<Mmr>(&bytes, 1 << 12), Err(CodecError::Malformed), "{count}, {peaks}");
        }
    }

    #[test]
    fn roots_and_bytes_are_golden() {
        let leaves: Vec<[u8; 8]> = (0..7u64).map(u64::to_le_bytes).collect();
        let list: Vec<&[u8]> = leaves.iter().map(<[u8; 8]>::as_slice).collect();
        let mut tree = Mmr::default();
        list.iter().for_each(|leaf| tree.push(tag::HISTORY, leaf));
        let proof = ListProof::of(tag::ITEMS, &list, 4).unwrap();
        let bytes = plain_hash(&[&codec::encode(&(tree, proof))]);
        assert_eq!(
            [root(tag::ITEMS, list.into_iter()), bytes].map(|hash| hash.to_string()),
            [
                "hash1lspuamejv3gcfkyd30vsqyy3qs465qz6h65zftx8x83pqtnkjqms6cmjnh",
                "hash1t0rcq9re36xpcre0nz5pvyfat3qphhhte3ed4s9chwy804cjsfsqqq58rf"
            ]
        );
    }
}
