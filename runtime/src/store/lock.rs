//! One process per folder: an advisory lock that names who holds it.

use super::StoreError;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Name of the lock's file in a data folder.
const FILE: &str = "lock";

/// A lock on a data folder; given back when dropped or when the process ends.
#[derive(Debug)]
pub struct FolderLock {
    file: File,
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // Closing the file would not do while a child that was just forked still has it open.
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

impl FolderLock {
    /// Locks a folder for this process.
    ///
    /// # Errors
    /// [`StoreError::InUse`] naming the process that has it, [`StoreError::ReadOnly`] where this user may not write.
    pub fn take(folder: &Path) -> Result<FolderLock, StoreError> {
        let io = |error: std::io::Error| match error.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                StoreError::ReadOnly { folder: folder.display().to_string() }
            }
            _ => StoreError::Io(format!("lock of {}: {error}", folder.display())),
        };
        let path = folder.join(FILE);
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(io)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let mut pid = String::new();
                file.read_to_string(&mut pid).map_err(io)?;
                let pid = if pid.is_empty() { "unknown".into() } else { pid };
                return Err(StoreError::InUse { folder: folder.display().to_string(), pid });
            }
            Err(error) => return Err(io(error.into())),
        }
        file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0))).map_err(io)?;
        write!(file, "{}", std::process::id()).map_err(io)?;
        Ok(FolderLock { file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_told_who_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let first = FolderLock::take(folder.path()).unwrap();
        let error = FolderLock::take(folder.path()).unwrap_err().to_string();
        assert!(error.contains(&format!("in use by process {}", std::process::id())), "{error}");
        drop(first);
        FolderLock::take(folder.path()).unwrap();
    }
}
