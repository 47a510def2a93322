//! The state trie of a replica: buckets of leaves in pages, and above them all inner nodes in memory.
//!
//! Memory holds what lies above the buckets, a few bytes for each leaf, and as many buckets as it may. A
//! block's changes are made bucket by bucket, then each node on a changed path is hashed once, level by level
//! and many at a time. The root depends on what is in the trie and on nothing else: not on the order or the
//! grouping of what was done, nor on where buckets are cut.

mod bucket;
mod partial;
mod put;
mod undo;

pub use bucket::{Content, INLINE_BYTES_MAX, Pieces, is_long};
pub use partial::Partial;
pub use undo::{Run, Undo};

use crate::fault::Fault;
use crate::lanes::Messages;
use crate::store::{DirtyPage, Disk, Page, PageNumber, Pages, PagesMemory, Side, Table, push};
use bucket::{Asked, Bucket, LEAVES_MAX, MERGE_AT, push_node};
use put::{Cut, Put, is_behind, put_at};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::Arc;
use tenor_abi::id::Hash;
use tenor_wire::multiproof::{MultiProof, Part};
use tenor_wire::trie::{End, Path, StateProof, Step, value_hash};

/// What becomes of a path: what its leaf holds, or nothing.
pub type Change<'c> = (Path, Option<Content<Pieces<'c>>>);

/// What is said to be at a key: its owner, the full key, the record there if there is one.
pub type Kept<'k> = (&'k [u8], &'k [u8], Option<&'k [u8]>);

/// Owners and keys that are hashed side by side: their bytes stay near the processor.
const TOGETHER: usize = 512;
/// Ways from the top that are gone abreast.
const ABREAST: usize = 16;

/// The paths of full keys under their owners.
pub fn paths<'k>(keys: impl Iterator<Item = (&'k [u8], &'k [u8])>) -> Vec<Path> {
    let (mut messages, mut paths) = (Messages::default(), Vec::with_capacity(keys.size_hint().0));
    // Where in the messages the owner of each key stands: keys of one owner often follow one another.
    let (mut owners, mut last): (Vec<usize>, Option<&[u8]>) = (vec![], None);
    let mut hash = |messages: &mut Messages, owners: &mut Vec<usize>| {
        let hashes = messages.hashes();
        // Behind the owner, where it is new, comes the key.
        let mut next = 0;
        for owner in owners.drain(..) {
            next = next.max(owner + 1);
            paths.push(Path::of_hashes(&hashes[owner], &hashes[next]));
            next += 1;
        }
        messages.clear();
    };
    for (owner, full_key) in keys {
        if messages.len() >= TOGETHER {
            hash(&mut messages, &mut owners);
            last = None;
        }
        let known = owners.last().copied().filter(|_| last == Some(owner));
        owners.push(known.unwrap_or_else(|| {
            messages.push(&[owner]);
            messages.len() - 1
        }));
        messages.push(&[full_key]);
        last = Some(owner);
    }
    hash(&mut messages, &mut owners);
    paths
}

/// An inner node by its place, or a bucket by its number: the top bit tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Ref(u32);

const IS_BUCKET: u32 = 1 << 31;

/// What a [`Ref`] refers to.
enum Node {
    Inner(u32),
    Bucket(PageNumber),
}

impl Ref {
    fn inner(place: u32) -> Ref {
        assert!(place < IS_BUCKET, "two thousand million nodes");
        Ref(place)
    }

    fn bucket(number: PageNumber) -> Ref {
        assert!(number < IS_BUCKET, "two thousand million buckets");
        Ref(number | IS_BUCKET)
    }

    fn node(self) -> Node {
        if self.0 & IS_BUCKET == 0 { Node::Inner(self.0) } else { Node::Bucket(self.0 & !IS_BUCKET) }
    }
}

/// An inner node above the buckets.
#[derive(Clone, Copy, Debug)]
struct Inner {
    bit: u16,
    sides: [Ref; 2],
    /// The update that hashed it last.
    hashed_in: u32,
}

impl Inner {
    /// The side that a path takes.
    fn towards(&self, path: &Path) -> Ref {
        self.sides[usize::from(path.bit(self.bit))]
    }
}

/// The bucket at the end of a path's way, and the bit that the node above it asks for.
#[derive(Clone, Copy)]
struct Reached {
    number: PageNumber,
    above: Option<u16>,
}

impl Reached {
    /// Whether a path goes the same way as one that is known to.
    fn is_for(&self, known: &Path, path: &Path) -> bool {
        is_behind(self.above, known, path)
    }
}

/// What lies above the buckets, as a checkpoint keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TrieTop {
    inner: Vec<(u16, [Ref; 2])>,
    buckets: Vec<(Hash, Side)>,
    top: Option<Ref>,
    leaves: u64,
}

/// A trie of contents by path.
#[derive(Debug)]
pub struct Trie {
    inner: Vec<Inner>,
    inner_hashes: Vec<Hash>,
    inner_free: Vec<u32>,
    buckets: Pages<Bucket>,
    top: Option<Ref>,
    leaves: u64,
    update: u32,
}

impl Trie {
    /// An empty trie; without a disk all of it stays in memory.
    pub fn new(disk: Option<Arc<Disk>>, memory_bytes_max: usize) -> Trie {
        Trie {
            inner: vec![],
            inner_hashes: vec![],
            inner_free: vec![],
            buckets: Pages::new(Table::Leaves, disk, memory_bytes_max),
            top: None,
            leaves: 0,
            update: 0,
        }
    }

    /// The trie of a checkpoint. No leaf is read; whoever opens compares the root.
    ///
    /// # Errors
    /// [`Fault::State`] when the nodes do not hang together.
    pub fn restore(top: TrieTop, disk: Option<Arc<Disk>>, memory_bytes_max: usize) -> Result<Trie, Fault> {
        let mut trie = Trie::new(disk, memory_bytes_max);
        trie.inner =
            top.inner.iter().map(|(bit, sides)| Inner { bit: *bit, sides: *sides, hashed_in: 0 }).collect();
        trie.inner_hashes = vec![Hash::ZERO; trie.inner.len()];
        (trie.top, trie.leaves) = (top.top, top.leaves);
        let (mut levels, mut at): (Vec<Vec<u32>>, Vec<Ref>) = (vec![], top.top.into_iter().collect());
        let (mut inner_used, mut bucket_used) =
            (vec![false; trie.inner.len()], vec![false; top.buckets.len()]);
        while !at.is_empty() {
            let mut level = vec![];
            for node in at {
                let seen = match node.node() {
                    Node::Inner(node) => {
                        level.push(node);
                        inner_used.get_mut(node as usize)
                    }
                    Node::Bucket(number) => bucket_used.get_mut(number as usize),
                };
                match seen {
                    Some(seen) if !*seen => *seen = true,
                    _ => return Err(Fault::State("the nodes above the buckets are no tree".into())),
                }
            }
            at = level.iter().flat_map(|node| trie.inner[*node as usize].sides).collect();
            levels.push(level);
        }
        trie.inner_free = (0..trie.inner.len() as u32).filter(|node| !inner_used[*node as usize]).collect();
        trie.buckets.restore(top.buckets, |number| bucket_used[number as usize]);
        trie.hash_levels(&levels);
        Ok(trie)
    }

    /// The root; [`Hash::ZERO`] when empty.
    pub fn root(&self) -> Hash {
        self.top.map_or(Hash::ZERO, |top| self.hash_of(top))
    }

    /// How many leaves it has.
    pub fn len(&self) -> u64 {
        self.leaves
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.leaves == 0
    }

    /// What the leaf at a path holds.
    ///
    /// # Errors
    /// [`Fault::State`] when what was read is not what the root says.
    pub fn get(&mut self, path: &Path) -> Result<Option<Content<&[u8]>>, Fault> {
        self.get_in(self.find(path), path)
    }

    /// As [`Trie::get`], of a path whose bucket is known.
    ///
    /// # Errors
    /// As [`Trie::get`].
    pub fn get_in(
        &mut self,
        number: Option<PageNumber>,
        path: &Path,
    ) -> Result<Option<Content<&[u8]>>, Fault> {
        let Some(number) = number else { return Ok(None) };
        let bucket = self.buckets.get(number)?;
        Ok(bucket.find(path).ok().map(|place| bucket.content(place)))
    }

    /// Reads whatever buckets these paths need, in one go; the bucket of each.
    ///
    /// # Errors
    /// As [`Trie::get`].
    pub fn load(&mut self, paths: &[Path]) -> Result<Vec<Option<PageNumber>>, Fault> {
        let reached = paths.chunks(ABREAST).flat_map(|some| self.reach_all(some));
        let numbers: Vec<Option<PageNumber>> =
            reached.map(|reached| reached.map(|reached| reached.number)).collect();
        self.buckets.begin_batch();
        self.buckets.load(&numbers.iter().flatten().copied().collect::<Vec<_>>())?;
        Ok(numbers)
    }

    /// The ways of changes that ascend by path; their buckets are read as in [`Trie::load`].
    fn ways(&mut self, changes: &[Change<'_>]) -> Result<Vec<Option<Reached>>, Fault> {
        let (mut ways, mut numbers) = (Vec::with_capacity(changes.len()), vec![]);
        // Paths that go one way follow one another.
        let mut last: Option<(&Path, Reached)> = None;
        for (path, _) in changes {
            let known = last.filter(|(known, reached)| reached.is_for(known, path));
            let reached = known.map(|(_, reached)| reached).or_else(|| {
                let reached = self.reach(path)?;
                numbers.push(reached.number);
                Some(reached)
            });
            last = reached.map(|reached| (path, reached));
            ways.push(reached);
        }
        self.buckets.begin_batch();
        self.buckets.load(&numbers)?;
        Ok(ways)
    }

    /// Asks memory for the buckets of paths that are looked for next, all of them before the first is waited for.
    pub fn prefetch(&self, numbers: &[Option<PageNumber>]) {
        numbers.iter().flatten().filter_map(|number| self.buckets.peek(*number)).for_each(Bucket::prefetch);
    }

    /// Sets or removes leaves and returns what undoes it.
    ///
    /// # Errors
    /// As [`Trie::get`]; the trie is not to be used any more then.
    ///
    /// # Panics
    /// When a path is given twice: what it then becomes would depend on their order.
    pub fn update(&mut self, mut changes: Vec<Change<'_>>) -> Result<Undo, Fault> {
        let ascend = |changes: &[Change<'_>]| changes.is_sorted_by(|a, b| a.0 < b.0);
        if !ascend(&changes) {
            changes.sort_unstable_by_key(|change| change.0);
            assert!(ascend(&changes), "an update changes each path once");
        }
        self.update += 1;
        let ways = self.ways(&changes)?;
        let (mut buckets, mut puts, mut left, mut next) = (vec![], vec![], vec![], 0);
        for alike in ways.chunk_by(|a, b| a.map(|a| a.number) == b.map(|b| b.number)) {
            let own = next..next + alike.len();
            next = own.end;
            let is_below = |reached: &Reached| {
                let bucket = self.buckets.peek(reached.number);
                bucket.is_some_and(|bucket| reached.is_for(&bucket.path(0), &changes[own.start].0))
            };
            match alike[0].filter(is_below) {
                Some(Reached { number, above }) => {
                    buckets.push(number);
                    puts.push((above, own));
                }
                // What leaves the way to a bucket further up can stand apart from what lies below.
                None => left.push(own),
            }
        }
        // Most changes set leaves of buckets that have room for them.
        let begin = |puts: &[(Option<u16>, Range<usize>)]| {
            let own = puts.first().map_or(0, |put| put.1.start)..puts.last().map_or(0, |put| put.1.end);
            Put::of(&changes[own])
        };
        let made = self.buckets.change_all(
            &buckets,
            |places| begin(&puts[places]),
            |place, bucket, put: &mut Put| {
                let (above, own) = &puts[place];
                put.make(bucket, *above, &changes, own.clone());
            },
        )?;
        let (mut undo, mut touched) = (Undo::default(), vec![]);
        for Put { undo: own, gained, cuts, left: behind } in made {
            self.leaves += gained as u64;
            cuts.into_iter().rev().for_each(|cut| self.add_cut(cut, &mut touched));
            left.extend(behind);
            undo.append(own);
        }
        for own in &left {
            let mut next = own.start;
            while next < own.end {
                let put = self.put(&changes[next..own.end], &mut touched, &mut undo)?;
                if put == 0 {
                    let (path, content) = &changes[next];
                    self.apply(path, *content, &mut touched, &mut undo)?;
                }
                next += put.max(1);
            }
        }
        if !left.is_empty() {
            undo.sort();
        }
        self.rehash_buckets(&mut touched)?;
        self.rehash(&changes);
        Ok(undo)
    }

    /// Takes back the newest update that was not taken back.
    ///
    /// # Errors
    /// As [`Trie::update`].
    pub fn undo(&mut self, undo: Undo) -> Result<(), Fault> {
        let changes = undo.leaves().map(|(path, before)| (path, before.map(Content::from))).collect();
        self.update(changes).map(|_| ())
    }

    /// The proof of what is at a key, given the record there if there is one; none when the trie says
    /// otherwise, for then the record is not to be believed.
    ///
    /// # Errors
    /// As [`Trie::get`].
    pub fn prove(
        &mut self,
        owner: &[u8],
        full_key: &[u8],
        record: Option<&[u8]>,
    ) -> Result<Option<StateProof>, Fault> {
        let path = Path::of(owner, full_key);
        let Some(number) = self.find(&path) else {
            return Ok(record.is_none().then_some(StateProof { steps: vec![], end: End::Nothing }));
        };
        let step = |node: &u32| {
            let Inner { bit, sides, .. } = self.inner[*node as usize];
            Step { bit, sibling: self.hash_of(sides[usize::from(!path.bit(bit))]) }
        };
        let mut steps: Vec<_> = self.ancestors(&path).iter().map(step).collect();
        let bucket = self.buckets.get(number)?;
        let (inside, place) = bucket.walk(&path);
        steps.extend(inside);
        let found = bucket.path(place);
        let value = bucket.value_hash(place);
        let end = match record {
            Some(record) if found == path && value == value_hash(full_key, record) => {
                End::Found(record.to_vec())
            }
            None if found != path => End::other(&found, value),
            _ => return Ok(None),
        };
        Ok(Some(StateProof { steps, end }))
    }

    /// The proof of what is at several keys; none when the
    /// trie says otherwise of one of them.
    ///
    /// # Errors
    /// As [`Trie::get`].
    pub fn prove_all(&mut self, keys: &[Kept<'_>]) -> Result<Option<MultiProof>, Fault> {
        let mut asked = Vec::with_capacity(keys.len());
        for (place, (owner, full_key, record)) in keys.iter().enumerate() {
            let path = Path::of(owner, full_key);
            let kept = match self.find(&path) {
                Some(number) => {
                    let bucket = self.buckets.get(number)?;
                    bucket.find(&path).ok().map(|place| bucket.value_hash(place))
                }
                None => None,
            };
            if kept != record.map(|record| value_hash(full_key, record)) {
                return Ok(None);
            }
            asked.push(Asked { place, path, record: *record });
        }
        let mut parts = vec![];
        if let Some(top) = self.top {
            self.parts_of(top, asked, &mut parts)?;
        }
        Ok(Some(MultiProof { parts }))
    }

    fn parts_of(&mut self, at: Ref, asked: Vec<Asked<'_>>, parts: &mut Vec<Part>) -> Result<(), Fault> {
        match at.node() {
            _ if asked.is_empty() => parts.push(Part::Pruned(self.hash_of(at))),
            Node::Bucket(number) => self.buckets.get(number)?.parts(asked, parts),
            Node::Inner(node) => {
                let Inner { bit, sides, .. } = self.inner[node as usize];
                let (ones, zeros) = asked.into_iter().partition(|asked| asked.path.bit(bit));
                parts.push(Part::Branch(bit));
                self.parts_of(sides[0], zeros, parts)?;
                self.parts_of(sides[1], ones, parts)?;
            }
        }
        Ok(())
    }

    /// Bytes of the buckets that changed since the last checkpoint.
    pub fn dirty_bytes(&self) -> usize {
        self.buckets.dirty_bytes()
    }

    /// As [`Pages::held_bytes`].
    pub fn held_bytes(&self) -> usize {
        self.buckets.held_bytes()
    }

    /// Takes what changed since the last checkpoint, and what lies above the buckets.
    pub fn checkpoint(&mut self, sequence: u32, into: &mut Vec<DirtyPage>) -> TrieTop {
        self.buckets.checkpoint(sequence, into);
        TrieTop {
            inner: self.inner.iter().map(|inner| (inner.bit, inner.sides)).collect(),
            buckets: self.buckets.known(),
            top: self.top,
            leaves: self.leaves,
        }
    }

    /// Reads every bucket against its hash.
    pub fn check_pages(&mut self) -> Vec<Fault> {
        self.buckets.check()
    }

    /// How much memory it takes.
    pub fn memory(&self) -> PagesMemory {
        let mut memory = self.buckets.memory();
        memory.known_bytes += self.inner.capacity() * size_of::<Inner>() + self.inner_hashes.capacity() * 32;
        memory
    }

    fn hash_of(&self, node: Ref) -> Hash {
        match node.node() {
            Node::Inner(node) => self.inner_hashes[node as usize],
            Node::Bucket(number) => self.buckets.hash(number),
        }
    }

    /// The only bucket that can hold a path.
    pub fn find(&self, path: &Path) -> Option<PageNumber> {
        self.reach(path).map(|reached| reached.number)
    }

    fn reach(&self, path: &Path) -> Option<Reached> {
        self.reach_all(std::slice::from_ref(path)).next().flatten()
    }

    /// The buckets at the ends of a few paths' ways, which are gone abreast: memory is waited for together.
    fn reach_all(&self, paths: &[Path]) -> impl Iterator<Item = Option<Reached>> + use<> {
        let mut walks = [(self.top, None); ABREAST];
        let mut is_over = false;
        while !is_over {
            is_over = true;
            for (path, (at, above)) in paths.iter().zip(&mut walks) {
                if let Some(Node::Inner(node)) = at.map(Ref::node) {
                    let inner = &self.inner[node as usize];
                    (*at, *above, is_over) = (Some(inner.towards(path)), Some(inner.bit), false);
                }
            }
        }
        walks.into_iter().take(paths.len()).map(|(at, above)| match at?.node() {
            Node::Bucket(number) => Some(Reached { number, above }),
            Node::Inner(_) => unreachable!("a walk ends in a bucket"),
        })
    }

    /// Puts as many of the changes at the front as set leaves of one bucket that has room for them, and says how many.
    fn put(
        &mut self,
        changes: &[Change<'_>],
        touched: &mut Vec<PageNumber>,
        undo: &mut Undo,
    ) -> Result<usize, Fault> {
        let Some((first, reached)) = changes.first().and_then(|(path, _)| Some((path, self.reach(path)?)))
        else {
            return Ok(0);
        };
        let own = changes.iter().take_while(|(path, _)| reached.is_for(first, path)).count();
        let bucket = self.buckets.change(reached.number)?;
        let before = bucket.len();
        let put = put_at(bucket, reached.above, &changes[..own], undo);
        self.leaves += (bucket.len() - before) as u64;
        self.buckets.changed(reached.number);
        if put > 0 {
            touched.push(reached.number);
        }
        Ok(put)
    }

    /// Changes one leaf that was not put.
    fn apply(
        &mut self,
        path: &Path,
        content: Option<Content<Pieces<'_>>>,
        touched: &mut Vec<PageNumber>,
        undo: &mut Undo,
    ) -> Result<(), Fault> {
        let Some(number) = self.find(path) else {
            undo.push(*path, None);
            if let Some(content) = content {
                let first = self.buckets.add(Bucket::of([(*path, content)].into_iter()));
                touched.push(first);
                self.top = Some(Ref::bucket(first));
                self.leaves += 1;
            }
            return Ok(());
        };
        let bucket = self.buckets.get(number)?;
        let place = bucket.find(path);
        undo.push(*path, place.ok().map(|place| bucket.content(place)));
        match (place, content) {
            (Ok(_), Some(_)) => unreachable!("what is there has room in its bucket"),
            (Err(place), Some(content)) => {
                self.leaves += 1;
                self.insert(number, place, path, content, touched)?;
            }
            (Ok(place), None) => {
                self.leaves -= 1;
                self.remove(number, place, path, touched)?;
            }
            (Err(_), None) => {}
        }
        Ok(())
    }

    fn insert(
        &mut self,
        number: PageNumber,
        place: usize,
        path: &Path,
        content: Content<Pieces<'_>>,
        touched: &mut Vec<PageNumber>,
    ) -> Result<(), Fault> {
        let bucket = self.buckets.get(number)?;
        let (count, first) = (bucket.len(), bucket.path(0));
        let parts_at = path.parts_at(&first).expect("a leaf that is not there differs");
        let above = self.ancestors(path).last().map(|parent| self.inner[*parent as usize].bit);
        if above.is_some_and(|bit| bit > parts_at) {
            // It leaves the way to this bucket further up, and begins a bucket of its own there.
            let new = self.buckets.add(Bucket::of([(*path, content)].into_iter()));
            touched.push(new);
            self.part_above(path, parts_at, Ref::bucket(new));
            return Ok(());
        }
        touched.push(number);
        if count < LEAVES_MAX {
            self.buckets.change(number)?.put(&[(*path, content)], &[Err(place)]);
            self.buckets.changed(number);
            return Ok(());
        }
        let bucket = self.buckets.change(number)?;
        let (bit, behind) = bucket.cut();
        let cut = Cut { path: bucket.path(0), bit, behind };
        self.buckets.changed(number);
        self.add_cut(cut, touched);
        let number = self.find(path).unwrap_or(number);
        let (Ok(place) | Err(place)) = self.buckets.get(number)?.find(path);
        self.insert(number, place, path, content, touched)
    }

    /// Adds the bucket that was cut off another one.
    fn add_cut(&mut self, Cut { path, bit, behind }: Cut, touched: &mut Vec<PageNumber>) {
        let before = Ref::bucket(self.find(&path).expect("what was cut is there"));
        let number = self.buckets.add(behind);
        touched.push(number);
        let node = self.add_inner(bit, [before, Ref::bucket(number)]);
        self.put_in_place_of(&path, before, Ref::inner(node));
    }

    fn remove(
        &mut self,
        number: PageNumber,
        place: usize,
        path: &Path,
        touched: &mut Vec<PageNumber>,
    ) -> Result<(), Fault> {
        let count = self.buckets.get(number)?.len();
        let parent = self.ancestors(path).last().copied();
        let sibling = parent.map(|parent| {
            let Inner { bit, sides, .. } = self.inner[parent as usize];
            sides[1 - usize::from(path.bit(bit))]
        });
        if count == 1 {
            self.buckets.remove(number)?;
            match (parent, sibling) {
                (Some(parent), Some(sibling)) => self.dissolve(path, parent, sibling),
                _ => self.top = None,
            }
            return Ok(());
        }
        if let (Some(parent), Some(Node::Bucket(other))) = (parent, sibling.map(Ref::node))
            && self.buckets.get(other)?.len() + count - 1 <= MERGE_AT
        {
            let (own, theirs) = (self.buckets.get(number)?.clone(), self.buckets.remove(other)?);
            let rest = own.leaves().enumerate().filter(|(at, _)| *at != place).map(|(_, leaf)| leaf);
            let mut leaves: Vec<_> = rest.chain(theirs.leaves()).collect();
            leaves.sort_unstable_by_key(|leaf| leaf.0);
            *self.buckets.change(number)? = Bucket::of(leaves.into_iter()).after(&own).after(&theirs);
            self.dissolve(path, parent, Ref::bucket(number));
        } else {
            self.buckets.change(number)?.remove(place);
        }
        self.buckets.changed(number);
        touched.push(number);
        Ok(())
    }

    /// The inner nodes on the way of a path, from the top.
    fn ancestors(&self, path: &Path) -> Vec<u32> {
        let (mut nodes, mut at) = (vec![], self.top);
        while let Some(Node::Inner(node)) = at.map(Ref::node) {
            nodes.push(node);
            at = Some(self.inner[node as usize].towards(path));
        }
        nodes
    }

    fn add_inner(&mut self, bit: u16, sides: [Ref; 2]) -> u32 {
        let inner = Inner { bit, sides, hashed_in: 0 };
        match self.inner_free.pop() {
            Some(free) => {
                self.inner[free as usize] = inner;
                free
            }
            None => {
                push(&mut self.inner, inner);
                push(&mut self.inner_hashes, Hash::ZERO);
                self.inner.len() as u32 - 1
            }
        }
    }

    /// Puts a node in above the first one on a path's way that parts later than a bit.
    fn part_above(&mut self, path: &Path, bit: u16, new: Ref) {
        let ancestors = self.ancestors(path);
        let below = ancestors.iter().position(|node| self.inner[*node as usize].bit > bit);
        let old = Ref::inner(ancestors[below.expect("the last one parts later")]);
        let sides = if path.bit(bit) { [old, new] } else { [new, old] };
        let node = self.add_inner(bit, sides);
        self.put_in_place_of(path, old, Ref::inner(node));
    }

    /// Takes away a node of which one side is left.
    fn dissolve(&mut self, path: &Path, node: u32, left: Ref) {
        self.put_in_place_of(path, Ref::inner(node), left);
        self.inner_free.push(node);
    }

    /// Puts a node in the place of another one on a path's way.
    fn put_in_place_of(&mut self, path: &Path, old: Ref, new: Ref) {
        let (mut parent, mut at) = (None, self.top);
        while let Some(Node::Inner(node)) = at.filter(|at| *at != old).map(Ref::node) {
            parent = Some(node);
            at = Some(self.inner[node as usize].towards(path));
        }
        match parent {
            None => self.top = Some(new),
            Some(parent) => {
                let inner = &mut self.inner[parent as usize];
                inner.sides[usize::from(path.bit(inner.bit))] = new;
            }
        }
    }

    /// Hashes the buckets that were touched.
    fn rehash_buckets(&mut self, touched: &mut Vec<PageNumber>) -> Result<(), Fault> {
        touched.sort_unstable();
        touched.dedup();
        touched.retain(|number| self.buckets.is_cached(*number));
        self.buckets.rehash(touched)?;
        touched.clear();
        Ok(())
    }

    /// Hashes what lies above the changed paths, from below.
    fn rehash(&mut self, changes: &[Change<'_>]) {
        let mut levels: Vec<Vec<u32>> = vec![];
        // Where a path goes the way of the one before it, nothing is new.
        let mut last: Option<(&Path, u16)> = None;
        for (path, _) in changes {
            if last.is_some_and(|(known, bit)| known.parts_at(path).is_none_or(|at| at > bit)) {
                continue;
            }
            let (mut at, mut depth) = (self.top, 0);
            while let Some(Node::Inner(node)) = at.map(Ref::node) {
                let inner = &mut self.inner[node as usize];
                if inner.hashed_in != self.update {
                    inner.hashed_in = self.update;
                    if levels.len() == depth {
                        levels.push(vec![]);
                    }
                    levels[depth].push(node);
                }
                at = Some(inner.towards(path));
                last = Some((path, inner.bit));
                depth += 1;
            }
        }
        self.hash_levels(&levels);
    }

    fn hash_levels(&mut self, levels: &[Vec<u32>]) {
        let mut messages = Messages::default();
        for level in levels.iter().rev() {
            messages.clear();
            for node in level {
                let Inner { bit, sides, .. } = self.inner[*node as usize];
                push_node(&mut messages, bit, &self.hash_of(sides[0]), &self.hash_of(sides[1]));
            }
            for (node, hash) in level.iter().zip(messages.hashes()) {
                self.inner_hashes[*node as usize] = hash;
            }
        }
    }
}

#[cfg(test)]
mod tests;
