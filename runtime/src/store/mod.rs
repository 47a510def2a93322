//! Where the state lies: pages and rows, in memory and on disk, derived from the block log and behind it.
//!
//! A store is never the only copy: whatever it lost is redone from the log's write sets, and nothing that it
//! gives is believed without its hash.

mod lock;
mod changes;
mod writes;
mod spill;
mod disk;
mod page;
mod rows;
mod behind;

pub use behind::{Behind, Checkpoint};
pub use changes::{ChangeRef, Changes};
pub use disk::{Disk, Side, Table, WaitingRows};
pub use lock::FolderLock;
#[cfg(test)]
pub(crate) use page::PageBytes;
pub(crate) use page::push;
pub use page::{DirtyPage, Page, PageNumber, Pages, PagesMemory};
pub use rows::{Rows, Together};
pub use writes::WriteSet;

use crate::fault::Fault;
use crate::log::Position;
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use tenor_abi::id::Hash;

/// How far the disk has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Mark {
    /// Number of the checkpoint.
    pub sequence: u32,
    /// Height of the newest block whose writes it holds.
    pub height: u64,
    /// State root after that block.
    pub root: Hash,
    /// Bytes of what lies above the pages.
    pub top_bytes: u64,
    /// Hash of it.
    pub top: Hash,
    /// Where the log goes on behind that block.
    pub log: Position,
}

/// Why a store cannot serve.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system or the database says no.
    #[error("the state store failed: {0}")]
    Io(String),
    /// The disk is full.
    #[error("the disk is full: {0}")]
    Full(String),
    /// The database cannot be opened or read.
    #[error("the state store is damaged: {0}")]
    Damaged(String),
    /// This user may not write in the folder.
    #[error(
        "the folder {folder} cannot be written by this user, and opening it writes there; work as its owner, or on a copy"
    )]
    ReadOnly {
        /// The folder.
        folder: String,
    },
    /// Another process has the folder.
    #[error("the folder {folder} is in use by process {pid}; stop it first")]
    InUse {
        /// The folder.
        folder: String,
        /// The process that holds it.
        pid: String,
    },
}

impl StoreError {
    fn of_io(place: &str, error: &std::io::Error) -> StoreError {
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                StoreError::Full(format!("{place}: {error}"))
            }
            _ => StoreError::Io(format!("{place}: {error}")),
        }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Fault {
        match error {
            // What is damaged is not believed again.
            StoreError::Damaged(_) => {
                Fault::State(format!("{error}; the next opening makes the state again from the log"))
            }
            _ => Fault::Storage(error.to_string()),
        }
    }
}

/// A row: full key and value.
pub type Row = (Vec<u8>, Vec<u8>);
/// A changed row: full key and new value, none where it is deleted.
pub type Change = (Vec<u8>, Option<Vec<u8>>);
