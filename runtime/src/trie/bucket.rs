//! A bucket: a subtree of at most 32 leaves in one page.
//!
//! In memory and on disk it has one form: count u8, bits u32 of the leaves whose content is only hashed here,
//! paths of 48 bytes ascending, ends of the contents u16, contents; integers are little-endian. The hashes
//! inside are not stored. While a bucket is in memory they lie beside it: place `n` is leaf `n`'s, place
//! 32 + `n` that of the inner node that parts leaf `n` from leaf `n + 1`.

use crate::lanes::Messages;
use crate::prefetch::prefetch;
use crate::store::Page;
use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;
use tenor_abi::id::Hash;
use tenor_abi::tag;
use tenor_wire::crypto::plain_hash;
use tenor_wire::multiproof::Part;
use tenor_wire::trie::{PATH_BYTES, Path, Step, value_hash};

/// Most leaves of a bucket.
pub(super) const LEAVES_MAX: usize = 32;
/// Two neighbours become one when together they have no more leaves than this.
pub(super) const MERGE_AT: usize = 20;
/// Most bytes of content that lie in a bucket; of longer ones only the hash does.
pub const INLINE_BYTES_MAX: usize = 1024;

const HEAD: usize = 1 + 4;

/// What a leaf holds: the bytes whose hash is its value hash, or that hash alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Content<B> {
    /// The bytes.
    Inline(B),
    /// Their hash; they lie elsewhere, being longer than [`INLINE_BYTES_MAX`].
    Elsewhere(Hash),
}

/// The bytes of a leaf in the pieces in which they lie: those of a record are put together where they are stored.
#[derive(Clone, Copy, Debug)]
pub struct Pieces<'b> {
    /// Length of the full key (u16 little-endian), where it is not in front of the first piece already.
    length: Option<[u8; 2]>,
    pieces: [&'b [u8]; 2],
}

impl<'b> Pieces<'b> {
    fn whole(bytes: &'b [u8]) -> Pieces<'b> {
        Pieces { length: None, pieces: [bytes, &[]] }
    }

    fn len(&self) -> usize {
        self.length.map_or(0, |length| length.len()) + self.pieces[0].len() + self.pieces[1].len()
    }

    fn append(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.length.iter().flatten());
        self.pieces.iter().for_each(|piece| bytes.extend_from_slice(piece));
    }

    fn write(&self, mut to: &mut [u8]) {
        for piece in [self.length.as_ref().map_or(&[][..], |length| length), self.pieces[0], self.pieces[1]] {
            let (here, behind) = to.split_at_mut(piece.len());
            here.copy_from_slice(piece);
            to = behind;
        }
    }
}

/// Whether a record is too long to lie in a bucket with its key.
pub fn is_long(full_key: &[u8], record: &[u8]) -> bool {
    2 + full_key.len() + record.len() > INLINE_BYTES_MAX
}

impl<'b> Content<Pieces<'b>> {
    /// What the leaf of a record holds: length of the full key (u16 little-endian), the full key, the record.
    pub fn of(full_key: &'b [u8], record: &'b [u8]) -> Content<Pieces<'b>> {
        if is_long(full_key, record) {
            return Content::Elsewhere(value_hash(full_key, record));
        }
        let length = Some((full_key.len() as u16).to_le_bytes());
        Content::Inline(Pieces { length, pieces: [full_key, record] })
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Content::Inline(pieces) => pieces.len(),
            Content::Elsewhere(hash) => hash.0.len(),
        }
    }

    fn append(&self, bytes: &mut Vec<u8>) {
        match self {
            Content::Inline(pieces) => pieces.append(bytes),
            Content::Elsewhere(hash) => bytes.extend_from_slice(&hash.0),
        }
    }

    fn write(&self, to: &mut [u8]) {
        match self {
            Content::Inline(pieces) => pieces.write(to),
            Content::Elsewhere(hash) => to.copy_from_slice(&hash.0),
        }
    }
}

impl<'b> From<Content<&'b [u8]>> for Content<Pieces<'b>> {
    fn from(content: Content<&'b [u8]>) -> Content<Pieces<'b>> {
        match content {
            Content::Inline(bytes) => Content::Inline(Pieces::whole(bytes)),
            Content::Elsewhere(hash) => Content::Elsewhere(hash),
        }
    }
}

impl<'b> Content<&'b [u8]> {
    /// The full key and the record of content that lies here; none where it lies elsewhere.
    pub fn row(&self) -> Option<(&'b [u8], &'b [u8])> {
        let Content::Inline(bytes) = self else { return None };
        let (length, rest) = bytes.split_first_chunk::<2>()?;
        rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))
    }

    /// The record of content that lies here; none where it lies elsewhere.
    pub fn record(&self) -> Option<&'b [u8]> {
        self.row().map(|(_, record)| record)
    }
}

/// A leaf of a bucket.
pub(super) type Leaf<'b> = (Path, Content<Pieces<'b>>);

/// A key to prove: its place among those that were asked for, where it leads, and what is there.
pub(super) struct Asked<'r> {
    pub place: usize,
    pub path: Path,
    pub record: Option<&'r [u8]>,
}

/// The part that a leaf is to those who asked for what leads there.
pub(super) fn leaf_part(path: &Path, value: Hash, asked: &[Asked<'_>]) -> Part {
    match asked.iter().find(|asked| asked.path == *path) {
        Some(Asked { place, record: Some(record), .. }) => {
            Part::Found { key: *place as u32, record: record.to_vec() }
        }
        _ => Part::other(path, value),
    }
}

/// A bucket in memory.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    bytes: Arc<[u8]>,
    /// Bit at which each leaf parts from the next.
    bits: [u16; LEAVES_MAX],
    hashes: Box<[Hash; 2 * LEAVES_MAX]>,
    /// Leaves whose hash must be made anew.
    stale: u32,
    /// Whether every inner hash must be.
    stale_inner: bool,
}

impl Bucket {
    /// A bucket of leaves that ascend by path.
    pub fn of<'b>(leaves: impl Iterator<Item = Leaf<'b>> + Clone) -> Bucket {
        let bytes = encode(leaves);
        let mut bucket = Bucket {
            bytes: bytes.into(),
            bits: [0; LEAVES_MAX],
            hashes: Box::new([Hash::ZERO; 2 * LEAVES_MAX]),
            stale: 0,
            stale_inner: true,
        };
        bucket.stale = mask(0..bucket.len());
        bucket.part();
        bucket
    }

    /// The same, whose leaves have the hashes that they had in another bucket where they were as they are here.
    pub fn after(mut self, before: &Bucket) -> Bucket {
        for place in 0..self.len() {
            if let Ok(known) = before.find(&self.path(place))
                && before.stale >> known & 1 == 0
            {
                self.hashes[place] = before.hashes[known];
                self.stale &= !(1 << place);
            }
        }
        self
    }

    /// Leaves there are.
    pub fn len(&self) -> usize {
        self.bytes[0] as usize
    }

    /// The place of a path, or the one that it would have.
    pub fn find(&self, path: &Path) -> Result<usize, usize> {
        // Most paths differ in their first bytes, which are compared at once.
        let first = |path: &[u8]| path.first_chunk().map_or(0, |bytes| u128::from_be_bytes(*bytes));
        let (mut low, mut high, meant) = (0, self.len(), first(&path.0));
        while low < high {
            let middle = (low + high) / 2;
            let here = self.path_bytes(middle);
            match first(here).cmp(&meant).then_with(|| here.cmp(&path.0[..])) {
                Ordering::Equal => return Ok(middle),
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    pub fn path(&self, place: usize) -> Path {
        Path(self.path_bytes(place).try_into().expect("a bucket's paths are whole"))
    }

    pub fn content(&self, place: usize) -> Content<&[u8]> {
        let bytes = &self.bytes[self.range(place)];
        match self.is_elsewhere(place) {
            false => Content::Inline(bytes),
            true => Content::Elsewhere(hash_of(bytes)),
        }
    }

    pub fn leaves(&self) -> impl DoubleEndedIterator<Item = Leaf<'_>> + Clone {
        (0..self.len()).map(|place| self.leaf(place))
    }

    fn leaf(&self, place: usize) -> Leaf<'_> {
        (self.path(place), self.content(place).into())
    }

    /// Changes what leaves hold and adds leaves, ascending by path, at the places that were found for them; there must
    /// be room for all of them.
    pub fn put(&mut self, leaves: &[Leaf<'_>], places: &[Result<usize, usize>]) {
        if !self.put_in_place(leaves, places) {
            self.put_between(leaves, places);
        }
    }

    /// Where every leaf is there and its content is as long as it was: false where not.
    fn put_in_place(&mut self, leaves: &[Leaf<'_>], places: &[Result<usize, usize>]) -> bool {
        let fits = |(leaf, place): (&Leaf<'_>, &Result<usize, usize>)| {
            let is_elsewhere = matches!(leaf.1, Content::Elsewhere(_));
            place.is_ok_and(|place| {
                self.range(place).len() == leaf.1.len() && self.is_elsewhere(place) == is_elsewhere
            })
        };
        if !leaves.iter().zip(places).all(fits) {
            return false;
        }
        for ((_, content), place) in leaves.iter().zip(places) {
            let (Ok(place) | Err(place)) = *place;
            let range = self.range(place);
            content.write(&mut Arc::make_mut(&mut self.bytes)[range]);
            self.stale |= 1 << place;
        }
        true
    }

    /// Makes the bytes anew; the hashes of what stays move along.
    fn put_between(&mut self, leaves: &[Leaf<'_>], places: &[Result<usize, usize>]) {
        // What stays lies in runs between the leaves that are put, each of which is copied at once.
        let mut runs = Vec::with_capacity(leaves.len() + 1);
        let (mut next, mut contents) = (0, self.contents(0..self.len()).len());
        for (leaf, found) in leaves.iter().zip(places) {
            let (Ok(place) | Err(place)) = *found;
            runs.push((next..place, Some(leaf)));
            next = place + usize::from(found.is_ok());
            contents = contents + leaf.1.len() - self.contents(place..next).len();
        }
        runs.push((next..self.len(), None));
        let count = self.len() + places.iter().filter(|place| place.is_err()).count();
        let mut bytes = Vec::with_capacity(HEAD + count * (PATH_BYTES + 2) + contents);
        bytes.push(count as u8);
        bytes.extend([0; 4]);
        for (kept, leaf) in &runs {
            bytes.extend_from_slice(&self.bytes[path_range(kept.clone())]);
            bytes.extend(leaf.iter().flat_map(|(path, _)| path.0));
        }
        // Of each leaf that there will be, its place before.
        let (mut before, mut made) = ([None; LEAVES_MAX], 0);
        let (mut end, mut bits, mut stale) = (0, 0, 0);
        for ((kept, leaf), found) in runs.iter().zip(places.iter().map(Some).chain([None])) {
            let start = self.contents(kept.clone()).start;
            for place in kept.clone() {
                bytes.extend(((end + self.end(place) - start) as u16).to_le_bytes());
                bits |= u32::from(self.is_elsewhere(place)) << made;
                stale |= (self.stale >> place & 1) << made;
                before[made] = Some(place);
                made += 1;
            }
            end += self.contents(kept.clone()).len();
            if let Some((_, content)) = leaf {
                end += content.len();
                bytes.extend((end as u16).to_le_bytes());
                bits |= u32::from(matches!(content, Content::Elsewhere(_))) << made;
                stale |= 1 << made;
                before[made] = found.and_then(|found| found.ok());
                made += 1;
            }
        }
        for (kept, leaf) in &runs {
            let base = HEAD + self.len() * (PATH_BYTES + 2);
            let Range { start, end } = self.contents(kept.clone());
            bytes.extend_from_slice(&self.bytes[base + start..base + end]);
            leaf.iter().for_each(|(_, content)| content.append(&mut bytes));
        }
        bytes[1..HEAD].copy_from_slice(&bits.to_le_bytes());
        (self.bytes, self.stale) = (bytes.into(), stale);
        // No place is lower than it was, so that what lies behind is moved first.
        for place in (0..count).rev() {
            if let Some(before) = before[place] {
                self.hashes[place] = self.hashes[before];
            }
            // The node between two that were neighbours; any other one stands on a new leaf.
            match (before[place], before.get(place + 1).copied().flatten()) {
                (Some(own), Some(behind)) if behind == own + 1 => {
                    self.bits[place] = self.bits[own];
                    self.hashes[LEAVES_MAX + place] = self.hashes[LEAVES_MAX + own];
                }
                _ if place + 1 < count => self.bits[place] = self.parts_at(place),
                _ => {}
            }
        }
    }

    /// Cuts it where its leaves, at least two, part first: the bit that parts them, and those behind.
    pub fn cut(&mut self) -> (u16, Bucket) {
        let at = self.top(&(0..self.len()));
        let part = |places: Range<usize>| Bucket::of(places.map(|place| self.leaf(place))).after(self);
        let (bit, before, behind) = (self.bits[at], part(0..at + 1), part(at + 1..self.len()));
        *self = before;
        (bit, behind)
    }

    /// Takes a leaf away; another one must be left.
    pub fn remove(&mut self, place: usize) {
        let count = self.len();
        let left = self.leaves().enumerate().filter(|(at, _)| *at != place).map(|(_, leaf)| leaf);
        self.bytes = encode(left).into();
        self.hashes.copy_within(place + 1..count, place);
        self.stale = self.stale & mask(0..place) | self.stale >> 1 & !mask(0..place);
        self.stale_inner = true;
        self.part();
    }

    /// The walk by a path: the inner nodes on the way, from the top, each with the bit that is asked and the
    /// hash of the other side; and the leaf at which it ends. The hashes must be up to date.
    pub fn walk(&self, path: &Path) -> (Vec<Step>, usize) {
        let (mut leaves, mut steps) = (0..self.len(), vec![]);
        while leaves.len() > 1 {
            let at = self.top(&leaves);
            let (zeros, ones) = (leaves.start..at + 1, at + 1..leaves.end);
            let bit = self.bits[at];
            let (taken, other) = if path.bit(bit) { (ones, zeros) } else { (zeros, ones) };
            steps.push(Step { bit, sibling: self.hashes[self.node(&other)] });
            leaves = taken;
        }
        (steps, leaves.start)
    }

    /// Adds the parts of the bucket that keys lead to. The hashes must be up to date.
    pub fn parts(&self, asked: Vec<Asked<'_>>, parts: &mut Vec<Part>) {
        self.parts_of(0..self.len(), asked, parts);
    }

    fn parts_of(&self, leaves: Range<usize>, asked: Vec<Asked<'_>>, parts: &mut Vec<Part>) {
        if asked.is_empty() {
            parts.push(Part::Pruned(self.hashes[self.node(&leaves)]));
        } else if leaves.len() == 1 {
            parts.push(leaf_part(&self.path(leaves.start), self.value_hash(leaves.start), &asked));
        } else {
            let at = self.top(&leaves);
            let bit = self.bits[at];
            let (ones, zeros) = asked.into_iter().partition(|asked| asked.path.bit(bit));
            parts.push(Part::Branch(bit));
            self.parts_of(leaves.start..at + 1, zeros, parts);
            self.parts_of(at + 1..leaves.end, ones, parts);
        }
    }

    /// The hash of what a leaf holds.
    pub fn value_hash(&self, place: usize) -> Hash {
        match self.content(place) {
            Content::Inline(bytes) => plain_hash(&[bytes]),
            Content::Elsewhere(hash) => hash,
        }
    }

    fn path_bytes(&self, place: usize) -> &[u8] {
        &self.bytes[path_range(place..place + 1)]
    }

    fn is_elsewhere(&self, place: usize) -> bool {
        elsewhere(&self.bytes) >> place & 1 == 1
    }

    fn range(&self, place: usize) -> Range<usize> {
        let base = HEAD + self.len() * (PATH_BYTES + 2);
        let Range { start, end } = self.contents(place..place + 1);
        base + start..base + end
    }

    /// Where the contents of leaves that follow one another lie among all contents.
    fn contents(&self, places: Range<usize>) -> Range<usize> {
        let end = |place: usize| if place == 0 { 0 } else { self.end(place - 1) };
        end(places.start)..end(places.end)
    }

    /// Where the content of a leaf ends among all contents.
    fn end(&self, place: usize) -> usize {
        end(&self.bytes, place)
    }

    fn part(&mut self) {
        for place in 1..self.len() {
            self.bits[place - 1] = self.parts_at(place - 1);
        }
    }

    /// The bit at which a leaf parts from the next.
    fn parts_at(&self, place: usize) -> u16 {
        self.path(place).parts_at(&self.path(place + 1)).expect("paths in a bucket differ")
    }

    /// The node at the top of leaves (at least two): where the lowest bit parts them.
    fn top(&self, leaves: &Range<usize>) -> usize {
        let parted = leaves.start..leaves.end - 1;
        parted.min_by_key(|place| self.bits[*place]).expect("two leaves part somewhere")
    }

    /// The place of the hash of a run of leaves.
    fn node(&self, leaves: &Range<usize>) -> usize {
        if leaves.len() == 1 { leaves.start } else { LEAVES_MAX + self.top(leaves) }
    }

    /// Enters the inner hashes of leaves that must be made anew, each into the round in which what it stands
    /// on is ready; returns that round, 0 where nothing is to be done, and the place of the hash.
    fn plan(&self, leaves: Range<usize>, bucket: usize, rounds: &mut Vec<Vec<Job>>) -> (usize, u8) {
        let is_stale = self.stale & mask(leaves.clone()) != 0;
        if leaves.len() == 1 {
            return (usize::from(is_stale), leaves.start as u8);
        }
        let at = self.top(&leaves);
        let to = (LEAVES_MAX + at) as u8;
        if !is_stale && !self.stale_inner {
            return (0, to);
        }
        let (before, left) = self.plan(leaves.start..at + 1, bucket, rounds);
        let (after, right) = self.plan(at + 1..leaves.end, bucket, rounds);
        let round = before.max(after).max(1) + 1;
        while rounds.len() < round - 1 {
            rounds.push(vec![]);
        }
        rounds[round - 2].push(Job { bucket, bit: self.bits[at], to, left, right });
        (round, to)
    }
}

/// An inner hash to make.
struct Job {
    bucket: usize,
    bit: u16,
    to: u8,
    left: u8,
    right: u8,
}

impl Page for Bucket {
    fn read(bytes: &[u8]) -> Option<Bucket> {
        is_well_formed(bytes).then(|| {
            let count = bytes[0] as usize;
            let mut bucket = Bucket {
                bytes: bytes.into(),
                bits: [0; LEAVES_MAX],
                hashes: Box::new([Hash::ZERO; 2 * LEAVES_MAX]),
                stale: mask(0..count),
                stale_inner: true,
            };
            bucket.part();
            bucket
        })
    }

    fn bytes(&self) -> Arc<[u8]> {
        Arc::clone(&self.bytes)
    }

    fn beside(&self) -> Vec<u8> {
        let mut hashes = Vec::with_capacity(2 * LEAVES_MAX * 32);
        self.hashes.iter().for_each(|hash| hashes.extend_from_slice(&hash.0));
        hashes
    }

    fn restore(bytes: &[u8], beside: &[u8]) -> Option<Bucket> {
        let mut bucket = Bucket::read(bytes)?;
        let (hashes, _) = beside.as_chunks::<32>();
        bucket.hashes.iter_mut().zip(hashes).for_each(|(hash, kept)| hash.0 = *kept);
        (bucket.stale, bucket.stale_inner) = (0, false);
        Some(bucket)
    }

    fn memory_bytes(&self) -> usize {
        self.bytes.len() + 2 * LEAVES_MAX * 32 + size_of::<Bucket>()
    }

    /// Where paths are looked for, the contents' end, the hashes.
    fn prefetch(&self) {
        let quarter = self.len() / 4 * PATH_BYTES;
        let paths = [0, quarter, 2 * quarter, 3 * quarter].map(|place| self.bytes.get(HEAD + place));
        paths.into_iter().chain([self.bytes.last()]).flatten().for_each(prefetch);
        prefetch(&self.hashes[0]);
    }

    fn hash_all(buckets: &mut [Bucket]) -> Vec<Hash> {
        hash_leaves(buckets);
        let mut rounds = vec![];
        let mut tops = Vec::with_capacity(buckets.len());
        for (number, bucket) in buckets.iter_mut().enumerate() {
            tops.push(bucket.plan(0..bucket.len(), number, &mut rounds).1);
            (bucket.stale, bucket.stale_inner) = (0, false);
        }
        let mut messages = Messages::default();
        for jobs in rounds {
            messages.clear();
            for job in &jobs {
                let hashes = &buckets[job.bucket].hashes;
                let (left, right) = (&hashes[job.left as usize], &hashes[job.right as usize]);
                push_node(&mut messages, job.bit, left, right);
            }
            for (job, hash) in jobs.iter().zip(messages.hashes()) {
                buckets[job.bucket].hashes[job.to as usize] = hash;
            }
        }
        buckets.iter().zip(tops).map(|(bucket, top)| bucket.hashes[top as usize]).collect()
    }
}

/// Makes the stale leaf hashes anew: first of the contents, then of the leaves.
fn hash_leaves(buckets: &mut [Bucket]) {
    let mut stale = vec![];
    for (number, bucket) in buckets.iter().enumerate() {
        stale.extend((0..bucket.len()).filter(|at| bucket.stale >> at & 1 == 1).map(|at| (number, at)));
    }
    let mut messages = Messages::default();
    for (number, place) in &stale {
        if let Content::Inline(bytes) = buckets[*number].content(*place) {
            messages.push(&[bytes]);
        }
    }
    let mut values = messages.hashes().into_iter();
    messages.clear();
    for (number, place) in &stale {
        let bucket = &buckets[*number];
        let value = match bucket.content(*place) {
            Content::Inline(_) => values.next().expect("one hash for each message"),
            Content::Elsewhere(value) => value,
        };
        messages.push(&[&[tag::TRIE_LEAF.0], &bucket.path(*place).0, &value.0]);
    }
    for ((number, place), hash) in stale.iter().zip(messages.hashes()) {
        buckets[*number].hashes[*place] = hash;
    }
}

/// Adds what is hashed of an inner node.
pub(super) fn push_node(messages: &mut Messages, bit: u16, left: &Hash, right: &Hash) {
    messages.push(&[&[tag::TRIE_NODE.0], &bit.to_be_bytes(), &left.0, &right.0]);
}

fn path_range(places: Range<usize>) -> Range<usize> {
    HEAD + places.start * PATH_BYTES..HEAD + places.end * PATH_BYTES
}

fn mask(places: Range<usize>) -> u32 {
    (((1u64 << places.end) - 1) & !((1u64 << places.start) - 1)) as u32
}

fn hash_of(bytes: &[u8]) -> Hash {
    Hash(bytes.try_into().expect("32 bytes stand for content that lies elsewhere"))
}

fn elsewhere(bytes: &[u8]) -> u32 {
    u32::from_le_bytes([bytes[1], bytes[2], bytes[3], bytes[4]])
}

fn end(bytes: &[u8], place: usize) -> usize {
    let at = HEAD + bytes[0] as usize * PATH_BYTES + place * 2;
    u16::from_le_bytes([bytes[at], bytes[at + 1]]) as usize
}

/// Whether bytes are of a bucket's form; what the contents say is shown by the hash.
fn is_well_formed(bytes: &[u8]) -> bool {
    let Some(count) = bytes.first().map(|count| *count as usize) else { return false };
    let base = HEAD + count * (PATH_BYTES + 2);
    if count == 0 || count > LEAVES_MAX || bytes.len() < base {
        return false;
    }
    let path = |place: usize| &bytes[HEAD + place * PATH_BYTES..HEAD + (place + 1) * PATH_BYTES];
    let is_elsewhere = |place: usize| elsewhere(bytes) >> place & 1 == 1;
    let length =
        |place: usize| end(bytes, place).checked_sub(if place == 0 { 0 } else { end(bytes, place - 1) });
    let whole = |place: usize| match length(place) {
        Some(length) => !is_elsewhere(place) || length == 32,
        None => false,
    };
    (1..count).all(|place| path(place - 1) < path(place))
        && (0..count).all(whole)
        && u64::from(elsewhere(bytes)) >> count == 0
        && base + end(bytes, count - 1) == bytes.len()
}

fn encode<'b>(leaves: impl Iterator<Item = Leaf<'b>> + Clone) -> Vec<u8> {
    let (mut count, mut bits, mut contents) = (0, 0u32, 0);
    for (_, content) in leaves.clone() {
        bits |= u32::from(matches!(content, Content::Elsewhere(_))) << count;
        contents += content.len();
        count += 1;
    }
    let mut bytes = Vec::with_capacity(HEAD + count * (PATH_BYTES + 2) + contents);
    bytes.push(count as u8);
    bytes.extend(bits.to_le_bytes());
    leaves.clone().for_each(|(path, _)| bytes.extend_from_slice(&path.0));
    let mut end = 0;
    for (_, content) in leaves.clone() {
        end += content.len();
        bytes.extend_from_slice(&(end as u16).to_le_bytes());
    }
    leaves.for_each(|(_, content)| content.append(&mut bytes));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trie::tests::naive;
    use proptest::prelude::*;

    fn path(number: u8) -> Path {
        Path::of(&[number % 3], &[number])
    }

    type OwnContent = Content<Vec<u8>>;

    fn borrowed(content: &OwnContent) -> Content<Pieces<'_>> {
        match content {
            Content::Inline(bytes) => Content::Inline(Pieces::whole(bytes)),
            Content::Elsewhere(hash) => Content::Elsewhere(*hash),
        }
    }

    fn bytes(content: Content<Pieces<'_>>) -> (bool, Vec<u8>) {
        let mut bytes = vec![];
        content.append(&mut bytes);
        (matches!(content, Content::Elsewhere(_)), bytes)
    }

    fn value(content: &OwnContent) -> Hash {
        match content {
            Content::Inline(bytes) => tenor_wire::crypto::plain_hash(&[bytes]),
            Content::Elsewhere(hash) => *hash,
        }
    }

    fn content() -> impl Strategy<Value = OwnContent> {
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200).prop_map(Content::Inline),
            any::<[u8; 32]>().prop_map(|hash| Content::Elsewhere(Hash(hash))),
        ]
    }

    proptest! {
        #[test]
        fn a_bucket_is_a_small_trie(steps in prop::collection::vec((any::<u8>(), prop::option::of(content()), any::<bool>()), 1..80)) {
            let mut model = std::collections::BTreeMap::new();
            let mut bucket: Option<Bucket> = None;
            for (number, change, ask) in &steps {
                let (number, path) = (number % 40, path(number % 40));
                match (&mut bucket, change) {
                    (None, Some(content)) => {
                        bucket = Some(Bucket::of([(path, borrowed(content))].into_iter()));
                        model.insert(path, content.clone());
                    }
                    (None, None) => continue,
                    (Some(some), Some(content)) => if some.find(&path).is_ok() || some.len() < LEAVES_MAX {
                        let place = some.find(&path);
                        some.put(&[(path, borrowed(content))], &[place]);
                        model.insert(path, content.clone());
                    }
                    (Some(some), None) => if let Ok(place) = some.find(&path) && some.len() > 1 {
                        some.remove(place);
                        model.remove(&path);
                    },
                }
                let Some(bucket) = &mut bucket else { continue };
                prop_assert_eq!(bucket.len(), model.len(), "{}", number);
                if *ask {
                    let leaves: Vec<_> = model.iter().map(|(path, content)| (*path, value(content))).collect();
                    let hash = Bucket::hash_all(std::slice::from_mut(bucket))[0];
                    prop_assert_eq!(hash, naive(&leaves));
                    let mut read = Bucket::read(&bucket.bytes).unwrap();
                    prop_assert_eq!(Bucket::hash_all(std::slice::from_mut(&mut read))[0], hash);
                    for ((path, content), leaf) in bucket.leaves().zip(&model) {
                        prop_assert_eq!((path, bytes(content)), (*leaf.0, bytes(borrowed(leaf.1))));
                    }
                }
            }
        }

        #[test]
        fn bytes_that_are_no_bucket_are_not_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Some(bucket) = Bucket::read(&bytes) {
                prop_assert_eq!(encode(bucket.leaves()), bytes);
            }
        }
    }
}
