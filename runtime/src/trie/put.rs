//! Changes that set leaves, made bucket by bucket: a full bucket is cut where it is changed.

use super::Change;
use super::bucket::{Bucket, LEAVES_MAX};
use super::undo::Undo;
use std::ops::Range;
use tenor_wire::trie::Path;

/// What changes of buckets came to: what undoes those that were made, the leaves that there are more, what was cut off full
/// buckets, each behind what was cut off its two halves, and where those changes lie that could not be made in their bucket alone.
pub(super) struct Put {
    pub undo: Undo,
    pub gained: usize,
    pub cuts: Vec<Cut>,
    pub left: Vec<Range<usize>>,
}

/// What was cut off a full bucket: the leaves behind a bit. A path leads to the bucket that it was.
pub(super) struct Cut {
    pub path: Path,
    pub bit: u16,
    pub behind: Bucket,
}

impl Put {
    pub fn of(changes: &[Change<'_>]) -> Put {
        Put { undo: Undo::of(changes), gained: 0, cuts: vec![], left: vec![] }
    }

    /// Makes the changes at places, all of which lead to a bucket, as far as they set leaves; a full bucket is cut.
    /// `above` is the bit that the node above it asks for.
    pub fn make(
        &mut self,
        bucket: &mut Bucket,
        above: Option<u16>,
        changes: &[Change<'_>],
        own: Range<usize>,
    ) {
        let before = bucket.len();
        let next = own.start + put_at(bucket, above, &changes[own.clone()], &mut self.undo);
        self.gained += bucket.len() - before;
        let rest = next..own.end;
        let Some((path, content)) = changes[rest.clone()].first() else { return };
        if content.is_none() || !is_behind(above, &bucket.path(0), path) {
            self.left.push(rest);
            return;
        }
        let (bit, mut behind) = bucket.cut();
        let lowest = behind.path(0);
        let is_before = |(path, _): &Change<'_>| *path < lowest && !is_behind(Some(bit), &lowest, path);
        let middle = rest.start + changes[rest.clone()].partition_point(is_before);
        self.make(bucket, Some(bit), changes, rest.start..middle);
        self.make(&mut behind, Some(bit), changes, middle..rest.end);
        self.cuts.push(Cut { path: bucket.path(0), bit, behind });
    }
}

/// Puts as many of the changes at the front as set leaves for which a bucket has room, and says how many; all of them lead
/// to it, and `above` is the bit that the node above it asks for.
pub(super) fn put_at(
    bucket: &mut Bucket,
    above: Option<u16>,
    changes: &[Change<'_>],
    undo: &mut Undo,
) -> usize {
    let (own, mut count) = (bucket.path(0), bucket.len());
    let (mut leaves, mut places) = (Vec::with_capacity(changes.len()), Vec::with_capacity(changes.len()));
    for (path, content) in changes {
        let (Some(content), place) = (content, bucket.find(path)) else { break };
        if place.is_err() {
            // A new leaf may leave the way to this bucket further up.
            if count == LEAVES_MAX || !is_behind(above, &own, path) {
                break;
            }
            count += 1;
        }
        undo.push(*path, place.ok().map(|place| bucket.content(place)));
        leaves.push((*path, *content));
        places.push(place);
    }
    if !leaves.is_empty() {
        bucket.put(&leaves, &places);
    }
    leaves.len()
}

/// Whether a path goes the same way as one that is known to, as far as the bit that was asked for last.
pub(super) fn is_behind(above: Option<u16>, known: &Path, path: &Path) -> bool {
    above.is_none_or(|above| known.parts_at(path).is_none_or(|at| at > above))
}
