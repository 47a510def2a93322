//! Files of a data folder as a running node knows them: read again when they have changed.

use anyhow::Result;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a file says now. One that cannot be used any more changes nothing: what was read last goes on counting.
#[derive(Debug)]
pub struct Kept<T> {
    path: PathBuf,
    read: fn(&Path) -> Result<T>,
    last: Mutex<Last<T>>,
}

#[derive(Debug)]
struct Last<T> {
    version: Option<Version>,
    value: Arc<T>,
    /// Why the file as it is now cannot be used.
    wrong: Option<String>,
}

/// Which file was read: every change makes a new one and gives it the name, and the clock of a file system may stand
/// still between two of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Version {
    inode: u64,
    bytes: u64,
    /// When it was written or its mode was set.
    changed: (i64, i64),
}

impl Version {
    fn of(path: &Path) -> Option<Version> {
        let about = fs::metadata(path).ok()?;
        let changed = (about.ctime(), about.ctime_nsec());
        Some(Version { inode: about.ino(), bytes: about.len(), changed })
    }
}

impl<T> Kept<T> {
    /// What a file says, read in this way.
    ///
    /// # Errors
    /// What the reading says.
    pub fn open(path: PathBuf, read: fn(&Path) -> Result<T>) -> Result<Kept<T>> {
        // The version first: what is written in between is read again.
        let version = Version::of(&path);
        let value = Arc::new(read(&path)?);
        Ok(Kept { path, read, last: Mutex::new(Last { version, value, wrong: None }) })
    }

    /// What it says now, or said when it could be used last.
    pub fn now(&self) -> Arc<T> {
        Arc::clone(&self.fresh().value)
    }

    /// Why the file as it is now cannot be used; none where it can.
    pub fn wrong(&self) -> Option<String> {
        self.fresh().wrong.clone()
    }

    fn fresh(&self) -> MutexGuard<'_, Last<T>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let version = Version::of(&self.path);
        if version == last.version && last.wrong.is_none() {
            return last;
        }
        match (self.read)(&self.path) {
            Ok(value) => *last = Last { version, value: Arc::new(value), wrong: None },
            Err(error) => {
                let error = format!("{error:#}");
                if last.wrong.as_ref() != Some(&error) {
                    tracing::error!(error, "what was read before goes on counting");
                }
                last.wrong = Some(error);
            }
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::replace;

    #[test]
    fn what_was_read_last_counts_until_the_file_can_be_used_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("number");
        let read = |path: &Path| -> Result<u64> { Ok(fs::read_to_string(path)?.parse()?) };
        assert!(Kept::open(path.clone(), read).is_err());
        let write = |text: &str| replace(&path, text.as_bytes()).unwrap();
        write("1");
        let kept = Kept::open(path.clone(), read).unwrap();
        for (text, now, is_wrong) in
            [("2", 2, false), ("{", 2, true), ("3", 3, false), ("", 3, true), ("3", 3, false)]
        {
            write(text);
            assert_eq!((*kept.now(), kept.wrong().is_some()), (now, is_wrong), "{text}");
        }
    }
}
