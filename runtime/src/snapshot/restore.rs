//! Reading a snapshot back: checking that it gives the header's state root, and making the state from it.

use super::{Snapshot, SnapshotError, file_name};
use crate::log::Position;
use crate::state::namespace::{Standing, kind_of, owner_of};
use crate::state::{Committed, Resume, State};
use crate::trie::{self, Content, Trie};
use tenor_abi::id::Hash;
use tenor_wire::trie::value_hash;

impl Snapshot {
    /// Reads every chunk, and builds the trie of its leaves; of each leaf the hash is kept in memory, not the
    /// value. `progress` is told how many chunks of how many.
    ///
    /// # Errors
    /// [`SnapshotError`]: the first thing that is not as the manifest or the header says.
    pub fn check(&self, mut progress: impl FnMut(u64, u64)) -> Result<(), SnapshotError> {
        let (mut trie, mut last) = (Trie::new(None, usize::MAX), vec![]);
        for number in 0..self.manifest.chunks.len() {
            let rows = self.rows(number)?;
            if rows.rows().iter().next().is_none_or(|(first, _)| *first <= last[..]) {
                let what = "it does not go on from the chunk before it";
                return Err(SnapshotError::Chunk { file: file_name(number), what });
            }
            let is_leaf = |key: &[u8]| kind_of(key).is_some_and(|kind| kind.standing() == Standing::Leaf);
            let leaves = || rows.rows().iter().filter(|(key, _)| is_leaf(key));
            let hashes = leaves().map(|(key, value)| value_hash(key, value.unwrap_or_default()));
            let paths = trie::paths(leaves().map(|(key, _)| (owner_of(key), key)));
            let contents = hashes.map(|hash| Some(Content::Elsewhere(hash)));
            trie.update(paths.into_iter().zip(contents).collect())?;
            last = rows.rows().iter().last().map(|(key, _)| key.to_vec()).unwrap_or_default();
            progress(number as u64 + 1, self.manifest.chunks.len() as u64);
        }
        self.compare(trie.root())
    }

    /// Fills an empty state; `log` is the place behind the snapshot's block. `progress` as in
    /// [`Snapshot::check`].
    ///
    /// # Errors
    /// As [`Snapshot::check`].
    pub fn restore(
        &self,
        into: &mut Committed,
        log: Option<Position>,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<(), SnapshotError> {
        let resume = Resume { log, ancestry: self.manifest.ancestry.clone() };
        let count = self.manifest.chunks.len();
        // The first keys are leaves and come last. Until then the root is another one than the header's, so a
        // mark that is made meanwhile is not believed when this is interrupted.
        for number in (0..count).rev() {
            let rows = self.rows(number)?;
            into.redo(rows.rows(), self.header().height, resume.clone())?;
            progress((count - number) as u64, count as u64);
        }
        self.compare(into.root())
    }

    fn compare(&self, given: Hash) -> Result<(), SnapshotError> {
        let header = self.header();
        match given == header.state {
            true => Ok(()),
            false => Err(SnapshotError::Root { height: header.height, given, expected: header.state }),
        }
    }
}
