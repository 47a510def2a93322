//! The materialised state: rows by full key, derived from the block log and behind it.
//!
//! A store is never the only copy: whatever it lost is redone from the log's write sets, and every leaf it
//! gives is checked against the trie.

mod lock;
mod memory;
mod sled_store;
mod writes;

pub use lock::FolderLock;
pub use memory::MemoryStore;
pub use sled_store::SledStore;
pub use writes::WriteSet;

use serde::{Deserialize, Serialize};
use tenor_abi::id::Hash;

/// How far a store has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Mark {
    /// Height of the newest block whose writes it holds.
    pub height: u64,
    /// State root after that block.
    pub root: Hash,
}

/// Why a store cannot serve.
#[derive(Debug, thiserror::Error)]
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
    /// Another process has the folder.
    #[error("the folder {folder} is in use by process {pid}; stop it first")]
    InUse {
        /// The folder.
        folder: String,
        /// The process that holds it.
        pid: String,
    },
}

/// A row: full key and value.
pub type Row = (Vec<u8>, Vec<u8>);
/// A changed row: full key and new value, none where it is deleted.
pub type Change = (Vec<u8>, Option<Vec<u8>>);

/// Rows by full key.
pub trait Store: Send {
    /// The value at a key.
    ///
    /// # Errors
    /// [`StoreError`].
    fn get(&self, full_key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;
    /// The first row at or after `from` and before `end`; none when `end` is not above `from`.
    ///
    /// # Errors
    /// [`StoreError`].
    fn next(&self, from: &[u8], end: &[u8]) -> Result<Option<Row>, StoreError>;
    /// Takes a block's writes; the mark is durable no sooner than they are.
    ///
    /// # Errors
    /// [`StoreError`].
    fn apply(&mut self, writes: &WriteSet, mark: Mark) -> Result<(), StoreError>;
    /// Makes everything applied so far durable.
    ///
    /// # Errors
    /// [`StoreError`].
    fn flush(&mut self) -> Result<(), StoreError>;
    /// How far it has come; just after opening, how far it durably has.
    ///
    /// # Errors
    /// [`StoreError`].
    fn mark(&self) -> Result<Option<Mark>, StoreError>;
}
