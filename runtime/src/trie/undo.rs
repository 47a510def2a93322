//! What takes an update back: the leaves that it changed, as they were.

use super::{Change, Content};
use std::ops::Range;
use tenor_wire::trie::Path;

/// Bytes of keys and rows that a block changes besides a leaf, more or less: they lie behind what undoes its leaves.
const BEHIND_BYTES: usize = 96;

/// A path and what was there, as a range of bytes that lie elsewhere.
pub type Before = (Path, Option<Content<Range<usize>>>);

/// The leaves that an update changed, as they were, ascending by path; their bytes lie one behind the other.
#[derive(Clone, Debug, Default)]
pub struct Undo {
    leaves: Vec<Before>,
    bytes: Vec<u8>,
}

impl Undo {
    /// Nothing yet, with room for what was at the leaves that change, which is mostly as long as what comes there, and for
    /// what is entered behind it once the block is committed.
    pub(super) fn of(changes: &[Change<'_>]) -> Undo {
        let bytes: usize = changes.iter().filter_map(|(_, content)| content.as_ref()).map(Content::len).sum();
        let bytes = bytes + changes.len() * BEHIND_BYTES;
        Undo { leaves: Vec::with_capacity(changes.len()), bytes: Vec::with_capacity(bytes) }
    }

    pub(super) fn push(&mut self, path: Path, before: Option<Content<&[u8]>>) {
        let before = before.map(|content| match content {
            Content::Inline(bytes) => {
                let start = self.bytes.len();
                self.bytes.extend_from_slice(bytes);
                Content::Inline(start..self.bytes.len())
            }
            Content::Elsewhere(hash) => Content::Elsewhere(hash),
        });
        self.leaves.push((path, before));
    }

    /// Adds what undoes changes behind its own.
    pub(super) fn append(&mut self, mut behind: Undo) {
        if self.leaves.is_empty() {
            *self = behind;
            return;
        }
        let shift = self.bytes.len();
        for (_, before) in &mut behind.leaves {
            if let Some(Content::Inline(range)) = before {
                *range = range.start + shift..range.end + shift;
            }
        }
        self.leaves.append(&mut behind.leaves);
        self.bytes.append(&mut behind.bytes);
    }

    /// Brings the leaves into the order of their paths.
    pub(super) fn sort(&mut self) {
        self.leaves.sort_by_key(|leaf| leaf.0);
    }

    /// What was at the leaf of a place, in the order of their paths.
    pub fn at(&self, place: usize) -> Option<Content<&[u8]>> {
        self.leaves[place].1.as_ref().map(|content| match content {
            Content::Inline(range) => Content::Inline(&self.bytes[range.clone()]),
            Content::Elsewhere(hash) => Content::Elsewhere(*hash),
        })
    }

    /// Every leaf that was changed, and what was there before.
    pub fn leaves(&self) -> impl Iterator<Item = (Path, Option<Content<&[u8]>>)> {
        (0..self.leaves.len()).map(|place| (self.leaves[place].0, self.at(place)))
    }

    /// What was at a path before: the outer one is none where the update did not change it.
    pub fn before(&self, path: &Path) -> Option<Option<Content<&[u8]>>> {
        let place = self.leaves.binary_search_by(|leaf| leaf.0.cmp(path)).ok()?;
        Some(self.at(place))
    }

    /// Of each leaf where what was there lies among the bytes that come with them.
    pub fn into_parts(self) -> (Vec<Before>, Vec<u8>) {
        (self.leaves, self.bytes)
    }
}
