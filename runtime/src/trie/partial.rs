//! A part of a trie: the ways to some paths, and one hash for everything that lies beside them.
//!
//! It is enough to change those paths, to make the root again and to prove what is there, without the rest of the
//! trie: so a fork of the state costs what is written on it, and a past state what has changed since. Where a path
//! leads into what is only a hash, [`Partial::missing`] says what to ask of the trie that it was taken from, and
//! [`Partial::graft`] takes the answer in.

use super::bucket::{Asked, leaf_part, push_node};
use super::{Kept, Trie};
use crate::fault::Fault;
use crate::lanes::Messages;
use std::vec::IntoIter;
use tenor_abi::id::Hash;
use tenor_abi::tag;
use tenor_wire::multiproof::{MultiProof, Part};
use tenor_wire::trie::{End, PATH_BYTES, Path, StateProof, Step, value_hash};

/// Place of a node.
type Place = u32;

#[derive(Clone, Debug)]
enum Node {
    /// A subtree of which only the hash is here.
    Pruned { hash: Hash, way: Way },
    /// A leaf, the hash of its value, and its own where it was made.
    Leaf { path: Path, value: Hash, hash: Option<Hash> },
    /// An inner node, and its hash where nothing below it changed.
    Branch { bit: u16, sides: [Place; 2], hash: Option<Hash> },
}

/// Where the leaves of a subtree lie: a path that begins as theirs do, up to the bit of the branch above it; none at
/// the top. Branches go away when leaves are removed, so a path may come to a subtree whose leaves begin otherwise.
#[derive(Clone, Copy, Debug)]
struct Way {
    path: Path,
    above: Option<u16>,
}

impl Way {
    /// The path by which the subtree is reached, in whatever trie it stands, for one that came to it here.
    fn to(&self, path: &Path) -> Path {
        let Some(above) = self.above else { return *path };
        let (whole, rest) = (usize::from((above + 1) / 8), (above + 1) % 8);
        let mut to = *path;
        to.0[..whole].copy_from_slice(&self.path.0[..whole]);
        if rest > 0 {
            let mask = u8::MAX << (8 - rest);
            to.0[whole] = self.path.0[whole] & mask | path.0[whole] & !mask;
        }
        to
    }
}

fn flipped(path: &Path, bit: u16) -> Path {
    let mut other = *path;
    other.0[usize::from(bit / 8)] ^= 1 << (7 - bit % 8);
    other
}

/// A part of a trie, to be changed and proved from.
#[derive(Clone, Debug)]
pub struct Partial {
    nodes: Vec<Node>,
    free: Vec<Place>,
    top: Option<Place>,
}

impl Trie {
    /// The part of the trie that paths lead through.
    ///
    /// # Errors
    /// As [`Trie::get`].
    pub fn partial(&mut self, paths: &[Path]) -> Result<Partial, Fault> {
        let asked = paths.iter().map(|path| Asked { place: 0, path: *path, record: None });
        let mut parts = vec![];
        if let Some(top) = self.top {
            self.parts_of(top, asked.collect(), &mut parts)?;
        }
        Ok(Partial::of(parts, paths.to_vec()))
    }
}

impl Partial {
    /// A trie of which the root alone is known.
    pub fn pruned(root: Hash) -> Partial {
        let parts = if root == Hash::ZERO { vec![] } else { vec![Part::Pruned(root)] };
        Partial::of(parts, vec![])
    }

    /// The parts of a trie in the order of a walk, none of them with a record, and the paths that they are for.
    fn of(parts: Vec<Part>, paths: Vec<Path>) -> Partial {
        let mut partial = Partial { nodes: Vec::with_capacity(parts.len()), free: vec![], top: None };
        let mut parts = parts.into_iter();
        if parts.len() > 0 {
            partial.top = Some(partial.read(&mut parts, paths).0);
        }
        partial
    }

    /// Reads the next subtree; its place and the path of a leaf in it where one is known.
    fn read(&mut self, parts: &mut IntoIter<Part>, paths: Vec<Path>) -> (Place, Option<Path>) {
        match parts.next().expect("the trie gave what it was asked for") {
            Part::Pruned(hash) => {
                let way = Way { path: Path([0; PATH_BYTES]), above: None };
                (self.add(Node::Pruned { hash, way }), None)
            }
            Part::Branch(bit) => {
                let (ones, zeros) = paths.into_iter().partition(|path| path.bit(bit));
                let (zero, one) = (self.read(parts, zeros), self.read(parts, ones));
                for ((side, own), (_, other)) in [(zero, one), (one, zero)] {
                    if let (None, Some(other), Node::Pruned { way, .. }) =
                        (own, other, &mut self.nodes[side as usize])
                    {
                        *way = Way { path: flipped(&other, bit), above: Some(bit) };
                    }
                }
                let sides = [zero.0, one.0];
                (self.add(Node::Branch { bit, sides, hash: None }), zero.1.or(one.1))
            }
            Part::Other { owner, key, value } => {
                let mut path = Path([0; PATH_BYTES]);
                path.0[..16].copy_from_slice(&owner);
                path.0[16..].copy_from_slice(&key.0);
                (self.add(Node::Leaf { path, value, hash: None }), Some(path))
            }
            Part::Found { .. } => unreachable!("nobody gave a record"),
        }
    }

    fn add(&mut self, node: Node) -> Place {
        match self.free.pop() {
            Some(place) => {
                self.nodes[place as usize] = node;
                place
            }
            None => {
                self.nodes.push(node);
                self.nodes.len() as Place - 1
            }
        }
    }

    fn node(&self, place: Place) -> &Node {
        &self.nodes[place as usize]
    }

    /// The branches on a path's way, and where it ends: at a leaf or at what is only a hash.
    fn walk(&self, path: &Path) -> (Vec<Place>, Option<Place>) {
        let (mut above, mut at) = (vec![], self.top);
        while let Some(place) = at
            && let Node::Branch { bit, sides, .. } = self.node(place)
        {
            above.push(place);
            at = Some(sides[usize::from(path.bit(*bit))]);
        }
        (above, at)
    }

    /// What must be asked of the trie that this was taken from before these paths can be changed or proved.
    pub fn missing(&self, paths: &[Path]) -> Vec<Path> {
        let mut missing: Vec<Path> = paths.iter().filter_map(|path| self.lacks(path)).collect();
        missing.sort_unstable();
        missing.dedup();
        missing
    }

    fn lacks(&self, path: &Path) -> Option<Path> {
        match self.walk(path).1.map(|place| self.node(place)) {
            Some(Node::Pruned { way, .. }) => Some(way.to(path)),
            _ => None,
        }
    }

    /// Takes in what the trie said of the paths that were [`Partial::missing`] for these.
    pub fn graft(&mut self, mut fresh: Partial, paths: &[Path]) {
        fresh.rehash();
        for path in paths {
            let (_, Some(at)) = self.walk(path) else { continue };
            let Node::Pruned { hash, way } = self.node(at) else { continue };
            let (hash, asked) = (*hash, way.to(path));
            let (above, end) = fresh.walk(&asked);
            let found = above.into_iter().chain(end).find(|place| fresh.hash(*place) == Some(hash));
            if let Some(found) = found {
                let node = self.copied(&fresh, found);
                self.nodes[at as usize] = node;
            }
        }
    }

    /// A node of another part with everything below it, itself not yet at a place.
    fn copied(&mut self, from: &Partial, place: Place) -> Node {
        match from.node(place).clone() {
            Node::Branch { bit, sides, hash } => {
                let sides = sides.map(|side| {
                    let node = self.copied(from, side);
                    self.add(node)
                });
                Node::Branch { bit, sides, hash }
            }
            node => node,
        }
    }

    /// Sets what is hashed of leaves' values, or removes leaves, and returns what undoes it: to be given back here,
    /// after asking for what is then [`Partial::missing`].
    ///
    /// # Panics
    /// When a path leads into what is only a hash: whoever changes asks first.
    pub fn update(&mut self, changes: &[(Path, Option<Hash>)]) -> Vec<(Path, Option<Hash>)> {
        let undo: Vec<_> = changes.iter().map(|(path, _)| (*path, self.value(path))).collect();
        // What is removed may leave a hash alone on the way of what is set, so it goes last.
        for (path, value) in changes {
            if let Some(value) = value {
                self.set(path, *value);
            }
        }
        for ((path, value), (_, before)) in changes.iter().zip(&undo) {
            if value.is_none() && before.is_some() {
                self.remove(path);
            }
        }
        undo
    }

    /// What is hashed of the value of a leaf; none where it is not there.
    fn value(&self, path: &Path) -> Option<Hash> {
        match self.walk(path).1.map(|end| self.node(end)) {
            Some(Node::Leaf { path: found, value, .. }) => (found == path).then_some(*value),
            Some(Node::Pruned { .. }) => panic!("a path is changed that was not asked for"),
            Some(Node::Branch { .. }) | None => None,
        }
    }

    /// The way of a path that is about to change: what stands on it is hashed anew.
    fn stale_walk(&mut self, path: &Path) -> (Vec<Place>, Option<Place>) {
        let (above, end) = self.walk(path);
        for place in &above {
            if let Node::Branch { hash, .. } = &mut self.nodes[*place as usize] {
                *hash = None;
            }
        }
        (above, end)
    }

    fn set(&mut self, path: &Path, value: Hash) {
        let (above, end) = self.stale_walk(path);
        let Some(end) = end else {
            self.top = Some(self.add(Node::Leaf { path: *path, value, hash: None }));
            return;
        };
        let Node::Leaf { path: other, value: old, hash } = &mut self.nodes[end as usize] else { return };
        match other.parts_at(path) {
            None => (*old, *hash) = (value, None),
            Some(bit) => self.insert(path, value, bit, &above, end),
        }
    }

    fn insert(&mut self, path: &Path, value: Hash, parts_at: u16, above: &[Place], end: Place) {
        let is_below =
            |place: &Place| matches!(self.node(*place), Node::Branch { bit, .. } if *bit > parts_at);
        let depth = above.iter().position(is_below).unwrap_or(above.len());
        let old = above.get(depth).copied().unwrap_or(end);
        let leaf = self.add(Node::Leaf { path: *path, value, hash: None });
        let sides = if path.bit(parts_at) { [old, leaf] } else { [leaf, old] };
        let branch = self.add(Node::Branch { bit: parts_at, sides, hash: None });
        self.put(path, depth.checked_sub(1).map(|depth| above[depth]), branch);
    }

    fn remove(&mut self, path: &Path) {
        let (above, end) = self.stale_walk(path);
        self.free.extend(end);
        let Some((parent, above)) = above.split_last() else {
            self.top = None;
            return;
        };
        let Node::Branch { bit, sides, .. } = self.node(*parent) else { return };
        let sibling = sides[usize::from(!path.bit(*bit))];
        self.free.push(*parent);
        self.put(path, above.last().copied(), sibling);
    }

    /// Puts a node on a path's side under a branch, or at the top.
    fn put(&mut self, path: &Path, parent: Option<Place>, node: Place) {
        match parent.map(|parent| &mut self.nodes[parent as usize]) {
            Some(Node::Branch { bit, sides, .. }) => sides[usize::from(path.bit(*bit))] = node,
            _ => self.top = Some(node),
        }
    }

    /// The root.
    pub fn root(&mut self) -> Hash {
        self.rehash();
        self.top.and_then(|top| self.hash(top)).unwrap_or(Hash::ZERO)
    }

    /// The hash of a node; none where it must be made anew.
    fn hash(&self, place: Place) -> Option<Hash> {
        match self.node(place) {
            Node::Pruned { hash, .. } => Some(*hash),
            Node::Leaf { hash, .. } | Node::Branch { hash, .. } => *hash,
        }
    }

    /// Makes the hashes that are missing, leaves first, then branches from below.
    fn rehash(&mut self) {
        let (mut levels, mut leaves): (Vec<Vec<Place>>, Vec<Place>) = (vec![], vec![]);
        let mut at: Vec<Place> = self.top.into_iter().collect();
        while !at.is_empty() {
            let mut level = vec![];
            for place in at {
                match self.node(place) {
                    Node::Leaf { hash: None, .. } => leaves.push(place),
                    Node::Branch { hash: None, .. } => level.push(place),
                    _ => {}
                }
            }
            let below = level.iter().filter_map(|place| match self.node(*place) {
                Node::Branch { sides, .. } => Some(*sides),
                _ => None,
            });
            at = below.flatten().collect();
            levels.push(level);
        }
        let mut messages = Messages::default();
        for place in &leaves {
            if let Node::Leaf { path, value, .. } = self.node(*place) {
                messages.push(&[&[tag::TRIE_LEAF.0], &path.0, &value.0]);
            }
        }
        self.take_hashes(&leaves, &messages);
        for level in levels.iter().rev() {
            messages.clear();
            for place in level {
                if let Node::Branch { bit, sides, .. } = self.node(*place) {
                    let [left, right] =
                        sides.map(|side| self.hash(side).expect("what lies below was hashed first"));
                    push_node(&mut messages, *bit, &left, &right);
                }
            }
            self.take_hashes(level, &messages);
        }
    }

    fn take_hashes(&mut self, places: &[Place], messages: &Messages) {
        for (place, made) in places.iter().zip(messages.hashes()) {
            if let Node::Leaf { hash, .. } | Node::Branch { hash, .. } = &mut self.nodes[*place as usize] {
                *hash = Some(made);
            }
        }
    }

    /// As [`Trie::prove`].
    ///
    /// # Panics
    /// As [`Partial::update`].
    pub fn prove(&mut self, owner: &[u8], full_key: &[u8], record: Option<&[u8]>) -> Option<StateProof> {
        self.rehash();
        let path = Path::of(owner, full_key);
        let (above, end) = self.walk(&path);
        let Some(end) = end else {
            return record.is_none().then_some(StateProof { steps: vec![], end: End::Nothing });
        };
        let step = |place: &Place| match self.node(*place) {
            Node::Branch { bit, sides, .. } => {
                let sibling = self.hash(sides[usize::from(!path.bit(*bit))]);
                Some(Step { bit: *bit, sibling: sibling.expect("all was hashed") })
            }
            _ => None,
        };
        let steps = above.iter().filter_map(step).collect();
        let Node::Leaf { path: found, value, .. } = self.node(end) else {
            panic!("a path is proved that was not asked for")
        };
        let end = match record {
            Some(record) if *found == path && *value == value_hash(full_key, record) => {
                End::Found(record.to_vec())
            }
            None if *found != path => End::other(found, *value),
            _ => return None,
        };
        Some(StateProof { steps, end })
    }

    /// As [`Trie::prove_all`].
    ///
    /// # Panics
    /// As [`Partial::update`].
    pub fn prove_all(&mut self, keys: &[Kept<'_>]) -> Option<MultiProof> {
        self.rehash();
        let mut asked = Vec::with_capacity(keys.len());
        for (place, (owner, full_key, record)) in keys.iter().enumerate() {
            let path = Path::of(owner, full_key);
            let kept = match self.walk(&path).1.map(|end| self.node(end)) {
                Some(Node::Leaf { path: found, value, .. }) if *found == path => Some(*value),
                _ => None,
            };
            if kept != record.map(|record| value_hash(full_key, record)) {
                return None;
            }
            asked.push(Asked { place, path, record: *record });
        }
        let mut parts = vec![];
        if let Some(top) = self.top {
            self.parts(top, asked, &mut parts);
        }
        Some(MultiProof { parts })
    }

    fn parts(&self, at: Place, asked: Vec<Asked<'_>>, parts: &mut Vec<Part>) {
        match self.node(at) {
            _ if asked.is_empty() => parts.push(Part::Pruned(self.hash(at).expect("all was hashed"))),
            Node::Branch { bit, sides, .. } => {
                let (ones, zeros) = asked.into_iter().partition(|asked| asked.path.bit(*bit));
                parts.push(Part::Branch(*bit));
                self.parts(sides[0], zeros, parts);
                self.parts(sides[1], ones, parts);
            }
            Node::Leaf { path, value, .. } => parts.push(leaf_part(path, *value, &asked)),
            Node::Pruned { .. } => panic!("a path is proved that was not asked for"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{batches, changes, check_multiproof_of, check_proof_of, root_of, take_in};
    use super::*;
    use crate::trie::tests::borrowed;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Changes a part as a fork does: asks for what is missing, takes it in, writes.
    fn write(
        partial: &mut Partial,
        trie: &mut Trie,
        changes: &[(Path, Option<Hash>)],
    ) -> Vec<(Path, Option<Hash>)> {
        let paths: Vec<Path> = changes.iter().map(|change| change.0).collect();
        let mut fresh = trie.partial(&partial.missing(&paths)).unwrap();
        assert_eq!(fresh.root(), trie.root());
        partial.graft(fresh, &paths);
        assert_eq!(partial.missing(&paths), [], "all that was asked for is there");
        partial.update(changes)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn a_part_of_a_trie_becomes_what_the_trie_would(begun in batches(), batches in batches()) {
            let (mut trie, mut model) = (Trie::new(None, 0), BTreeMap::new());
            for batch in &begun {
                let _ = trie.update(borrowed(&changes(batch))).unwrap();
                take_in(&mut model, batch);
            }
            let mut partial = Partial::pruned(trie.root());
            for batch in batches.iter().rev() {
                let before = partial.root();
                let changes: Vec<_> =
                    changes(batch).iter().map(|change| (change.as_ref().0, change.value())).collect();
                let undo = write(&mut partial, &mut trie, &changes);
                let _ = write(&mut partial, &mut trie, &undo);
                prop_assert_eq!(partial.root(), before, "written and taken back");
                let _ = write(&mut partial, &mut trie, &changes);
                take_in(&mut model, batch);
                let root = partial.root();
                prop_assert_eq!(root, root_of(&model));
                for key in batch.keys().step_by(7) {
                    check_proof_of(&root, &model, *key, |owner, key, record| partial.prove(owner, key, record));
                }
                let keys: Vec<_> = batch.keys().step_by(3).copied().collect();
                check_multiproof_of(&root, &model, &keys, |kept| partial.prove_all(kept));
            }
        }
    }
}
