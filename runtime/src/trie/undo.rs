//! What takes an update back: the leaves that it changed, as they were.

use super::{Change, Content};
use std::mem::take;
use std::ops::Range;
use tenor_wire::trie::Path;

/// A path and what was there, as a range of bytes that lie elsewhere.
pub type Before = (Path, Option<Content<Range<usize>>>);

/// Leaves that were changed one after the other, as they were, and their bytes, one behind the other.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// Ascending by path.
    pub leaves: Vec<Before>,
    /// Where what was there lies.
    pub bytes: Vec<u8>,
}

impl Run {
    fn at(&self, place: usize) -> Option<Content<&[u8]>> {
        self.leaves[place].1.as_ref().map(|content| match content {
            Content::Inline(range) => Content::Inline(&self.bytes[range.clone()]),
            Content::Elsewhere(hash) => Content::Elsewhere(*hash),
        })
    }

    fn push(&mut self, path: Path, before: Option<Content<&[u8]>>) {
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
}

/// The leaves that an update changed, as they were, ascending by path: in the runs in which its shares changed them.
#[derive(Clone, Debug, Default)]
pub struct Undo {
    runs: Vec<Run>,
}

impl Undo {
    /// Nothing yet, with room for what was at the leaves that change, which is mostly as long as what comes there.
    pub(super) fn of(changes: &[Change<'_>]) -> Undo {
        let bytes: usize = changes.iter().filter_map(|(_, content)| content.as_ref()).map(Content::len).sum();
        let run = Run { leaves: Vec::with_capacity(changes.len()), bytes: Vec::with_capacity(bytes) };
        Undo { runs: vec![run] }
    }

    pub(super) fn push(&mut self, path: Path, before: Option<Content<&[u8]>>) {
        match self.runs.last_mut() {
            Some(run) => run.push(path, before),
            None => {
                self.runs.push(Run::default());
                self.push(path, before);
            }
        }
    }

    /// Adds what undoes changes behind its own.
    pub(super) fn append(&mut self, behind: Undo) {
        self.runs.extend(behind.runs.into_iter().filter(|run| !run.leaves.is_empty()));
    }

    /// Brings the leaves into the order of their paths, in one run.
    pub(super) fn sort(&mut self) {
        let runs = take(&mut self.runs);
        let mut places: Vec<(usize, usize)> = runs
            .iter()
            .enumerate()
            .flat_map(|(at, run)| (0..run.leaves.len()).map(move |place| (at, place)))
            .collect();
        places.sort_by_key(|(at, place)| runs[*at].leaves[*place].0);
        places.into_iter().for_each(|(at, place)| self.push(runs[at].leaves[place].0, runs[at].at(place)));
    }

    /// Every leaf that was changed, and what was there before.
    pub fn leaves(&self) -> impl Iterator<Item = (Path, Option<Content<&[u8]>>)> {
        self.runs
            .iter()
            .flat_map(|run| (0..run.leaves.len()).map(|place| (run.leaves[place].0, run.at(place))))
    }

    /// What was at a path before: the outer one is none where the update did not change it.
    pub fn before(&self, path: &Path) -> Option<Option<Content<&[u8]>>> {
        // Behind the first run of which it is not the last.
        let at = self.runs.partition_point(|run| run.leaves.last().is_none_or(|last| last.0 < *path));
        let run = self.runs.get(at)?;
        let place = run.leaves.binary_search_by(|leaf| leaf.0.cmp(path)).ok()?;
        Some(run.at(place))
    }

    /// The leaves in their runs.
    pub fn into_runs(self) -> Vec<Run> {
        self.runs
    }
}
