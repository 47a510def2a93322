//! Snapshots: the whole state at a height in a folder of its own, from which it can be made again without
//! executing and without the log before it.
//!
//! A snapshot is a manifest and chunks. A chunk is a write set from nothing: rows of all kinds in key order,
//! about a mebibyte of them. Two replicas at one height write the same bytes.

mod write;
mod restore;

use crate::fault::Fault;
use crate::store::WriteSet;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use tenor_abi::codec;
use tenor_abi::id::Hash;
use tenor_abi::tag;
use tenor_wire::block::Header;
use tenor_wire::crypto::plain_hash;
use tenor_wire::merkle::Mmr;

/// Version of the form.
pub const FORMAT: u32 = 1;
/// A chunk ends with the row that brings it to this many bytes.
pub const CHUNK_BYTES: usize = 1 << 20;

const MAGIC: [u8; 8] = *b"TENORSNP";
const MANIFEST: &str = "manifest";
const HEAD: usize = 8 + 4 + 32;
/// Most bytes of a manifest: a defence against a length that says nonsense.
const MANIFEST_BYTES_MAX: usize = 1 << 30;

/// Why a snapshot cannot be written, read or believed.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The file system failed.
    #[error("{path}: {error}")]
    Io {
        /// Of what.
        path: String,
        /// What it said.
        error: std::io::Error,
    },
    /// The folder has no manifest, which is written last.
    #[error("{0} holds no whole snapshot: it has no manifest")]
    Nothing(String),
    /// A newer build wrote it.
    #[error("the snapshot has format {given}, this build reads {FORMAT}; a newer build reads it")]
    Newer {
        /// Its format.
        given: u32,
    },
    /// The manifest is not what its own hash says.
    #[error("{0} is damaged: it is not what its hash says")]
    Manifest(String),
    /// A chunk is not there.
    #[error("chunk {file} is missing")]
    Missing {
        /// File name.
        file: String,
    },
    /// A chunk is not what the manifest says.
    #[error("chunk {file} is damaged: {what}")]
    Chunk {
        /// File name.
        file: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The rows give another state than the header says.
    #[error("the rows give the state root {given}, the header of block {height} says {expected}")]
    Root {
        /// Height of the snapshot.
        height: u64,
        /// Root of the rows.
        given: Hash,
        /// Root of the header.
        expected: Hash,
    },
    /// The state that is read or written is broken.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<SnapshotError> for Fault {
    fn from(error: SnapshotError) -> Fault {
        match error {
            SnapshotError::Fault(fault) => fault,
            SnapshotError::Io { .. } => Fault::Storage(error.to_string()),
            _ => Fault::State(error.to_string()),
        }
    }
}

/// A chunk as the manifest names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Chunk {
    /// Bytes of its file.
    pub bytes: u64,
    /// SHA3-256 of them.
    pub hash: Hash,
}

/// What a snapshot is of, and its chunks in key order. Chain, height and state root are the header's.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// Header of the newest block in it.
    pub header: Header,
    /// Hashes of all headers before that.
    pub ancestry: Mmr,
    /// The chunks.
    pub chunks: Vec<Chunk>,
}

impl Manifest {
    fn to_bytes(&self) -> Vec<u8> {
        let contents = codec::encode(self);
        let hash = plain_hash(&[&contents]);
        [&MAGIC[..], &FORMAT.to_le_bytes(), &hash.0, &contents].concat()
    }
}

/// A snapshot in a folder.
#[derive(Clone, Debug)]
pub struct Snapshot {
    folder: PathBuf,
    manifest: Manifest,
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> SnapshotError {
    let path = path.display().to_string();
    move |error| SnapshotError::Io { path, error }
}

fn file_name(chunk: usize) -> String {
    format!("{chunk:06}.rows")
}

impl Snapshot {
    /// Reads the manifest of a folder.
    ///
    /// # Errors
    /// [`SnapshotError`] when there is none, or none that this build can believe.
    pub fn open(folder: &Path) -> Result<Snapshot, SnapshotError> {
        let path = folder.join(MANIFEST);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(SnapshotError::Nothing(folder.display().to_string()));
            }
            read => read.map_err(io(&path))?,
        };
        let damaged = || SnapshotError::Manifest(path.display().to_string());
        let (head, contents) = bytes.split_at_checked(HEAD).ok_or_else(damaged)?;
        if head[..8] != MAGIC {
            return Err(damaged());
        }
        match u32::from_le_bytes([head[8], head[9], head[10], head[11]]) {
            FORMAT => {}
            given if given > FORMAT => return Err(SnapshotError::Newer { given }),
            _ => return Err(damaged()),
        }
        if plain_hash(&[contents]).0 != head[12..] {
            return Err(damaged());
        }
        let manifest: Manifest = codec::decode(contents, MANIFEST_BYTES_MAX).map_err(|_| damaged())?;
        let Manifest { header, ancestry, .. } = &manifest;
        if ancestry.count() != header.height || ancestry.root(tag::ANCESTRY) != header.ancestry {
            return Err(damaged());
        }
        Ok(Snapshot { folder: folder.into(), manifest })
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What it is of.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Header of the newest block in it.
    pub fn header(&self) -> &Header {
        &self.manifest.header
    }

    /// The rows of a chunk, checked against the manifest.
    fn rows(&self, number: usize) -> Result<WriteSet, SnapshotError> {
        let (file, path) = (file_name(number), self.folder.join(file_name(number)));
        let Chunk { bytes: length, hash } = self.manifest.chunks[number];
        let damaged = |what| SnapshotError::Chunk { file: file.clone(), what };
        match fs::metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(SnapshotError::Missing { file: file.clone() });
            }
            Err(error) => return Err(io(&path)(error)),
            Ok(seen) if seen.len() != length => return Err(damaged("it has another length than it had")),
            Ok(_) => {}
        }
        let bytes = fs::read(&path).map_err(io(&path))?;
        if plain_hash(&[&bytes]) != hash {
            return Err(damaged("it is not what its hash says"));
        }
        let rows = WriteSet::from_bytes(&bytes).map_err(|_| damaged("it does not hold rows in key order"))?;
        let deletes = rows.rows().iter().any(|(_, value)| value.is_none());
        if deletes { Err(damaged("it deletes a row")) } else { Ok(rows) }
    }
}

#[cfg(test)]
mod tests;
