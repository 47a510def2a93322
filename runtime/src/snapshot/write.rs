//! Writing a snapshot: the state is walked once in key order, a chunk at a time, and nothing else is kept.

use super::{CHUNK_BYTES, Chunk, MANIFEST, Manifest, Snapshot, SnapshotError, file_name, io};
use crate::fault::Fault;
use crate::state::Past;
use crate::state::namespace::{Standing, kind_of};
use crate::store::{Changes, WriteSet};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use tenor_abi::tag;
use tenor_wire::block::Header;
use tenor_wire::crypto::plain_hash;

/// Behind every key.
const END: [u8; 1] = [u8::MAX];

impl Snapshot {
    /// Writes the state as of the block of a header into a new folder, while blocks go on; durable when this
    /// returns. `progress` is told how many leaves of how many are written.
    ///
    /// # Errors
    /// [`SnapshotError`] when the folder is there already, the disk says no, or the state is broken.
    pub fn create(
        folder: &Path,
        state: &Past,
        header: &Header,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<Snapshot, SnapshotError> {
        let is_of_it = (state.height(), state.root(), state.ancestry().root(tag::ANCESTRY))
            == (header.height, header.state, header.ancestry);
        if !is_of_it {
            let text = format!("the state is not that of block {}", header.height);
            return Err(Fault::State(text).into());
        }
        fs::create_dir(folder).map_err(io(folder))?;
        let (mut chunks, mut leaves, mut from) = (vec![], 0, vec![]);
        loop {
            let rows = state.scan(&from, &END, CHUNK_BYTES)?;
            let Some((last, _)) = rows.last() else { break };
            from = [last.as_slice(), &[0]].concat();
            let is_leaf = |key: &[u8]| kind_of(key).is_some_and(|kind| kind.standing() == Standing::Leaf);
            leaves += rows.iter().filter(|(key, _)| is_leaf(key)).count() as u64;
            let rows = rows.iter().map(|(key, value)| (key.as_slice(), Some(value.as_slice())));
            let rows = WriteSet::new(rows.collect::<Changes>());
            write_synced(&folder.join(file_name(chunks.len())), rows.bytes())?;
            chunks.push(Chunk { bytes: rows.bytes().len() as u64, hash: plain_hash(&[rows.bytes()]) });
            progress(leaves, state.leaves());
        }
        let manifest = Manifest { header: header.clone(), ancestry: state.ancestry().clone(), chunks };
        // The manifest is written when every chunk has its name on the disk.
        sync_folder(folder)?;
        write_synced(&folder.join(MANIFEST), &manifest.to_bytes())?;
        sync_folder(folder)?;
        Ok(Snapshot { folder: folder.into(), manifest })
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), SnapshotError> {
    let write = || -> std::io::Result<()> {
        let mut file = File::create_new(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(io(path))
}

fn sync_folder(folder: &Path) -> Result<(), SnapshotError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io(folder))
}
