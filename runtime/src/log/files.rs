//! What log and store ask of the file system to change something: the few calls that a test makes fail, each in turn.

#[cfg(test)]
use failing::ask;
#[cfg(test)]
pub(crate) use failing::{fail_at, failed};
#[cfg(target_os = "linux")]
use rustix::fs::{Advice, fadvise};
use std::fs::{self, File};
use std::io::{ErrorKind, IoSlice, Result, Write};
#[cfg(target_os = "linux")]
use std::num::NonZero;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum By {
    /// The log: what it was told stands.
    Log,
    /// The store, for a page that could as well stay in memory.
    Spill,
}

/// Writes bytes that come in parts, without a copy of them.
pub(super) fn write(file: &mut File, parts: &[&[u8]]) -> Result<()> {
    if let Err(error) = ask(By::Log) {
        // A disk that says no may have taken a part.
        let bytes = parts.concat();
        file.write_all(&bytes[..bytes.len() / 2])?;
        return Err(error);
    }
    let mut slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
    let mut left = &mut slices[..];
    while left.iter().any(|slice| !slice.is_empty()) {
        match file.write_vectored(left) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut left, written),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

pub(crate) fn write_at(file: &File, bytes: &[u8], offset: u64) -> Result<()> {
    ask(By::Spill)?;
    file.write_all_at(bytes, offset)
}

pub(super) fn sync_data(file: &File) -> Result<()> {
    ask(By::Log)?;
    file.sync_data()
}

/// Tells the system that bytes of a file, which are durable, need not stay in memory; it may do as it likes.
pub(super) fn let_go(file: &File, bytes: Range<u64>) {
    #[cfg(target_os = "linux")]
    let _ = fadvise(file, bytes.start, NonZero::new(bytes.end - bytes.start), Advice::DontNeed);
    #[cfg(not(target_os = "linux"))]
    let _ = (file, bytes);
}

pub(super) fn sync(file: &File) -> Result<()> {
    ask(By::Log)?;
    file.sync_all()
}

pub(super) fn rename(from: &Path, to: &Path) -> Result<()> {
    ask(By::Log)?;
    fs::rename(from, to)
}

#[cfg(not(test))]
#[expect(clippy::unnecessary_wraps, reason = "in tests the disk can say no")]
fn ask(_: By) -> Result<()> {
    Ok(())
}

#[cfg(test)]
mod failing {
    use super::By;
    use std::cell::Cell;
    use std::io::{Error, ErrorKind, Result};

    thread_local! {
        static CALLS: Cell<u32> = const { Cell::new(0) };
        static FAILS: Cell<Option<u32>> = const { Cell::new(None) };
        static FAILED: Cell<Option<By>> = const { Cell::new(None) };
    }

    pub(super) fn ask(by: By) -> Result<()> {
        let call = CALLS.replace(CALLS.get() + 1);
        if FAILS.get() != Some(call) {
            return Ok(());
        }
        FAILED.set(Some(by));
        Err(Error::new(ErrorKind::StorageFull, "no space left on device"))
    }

    /// Has one of this thread's calls from here on fail: the first is 0; none fails where nothing is given.
    pub(crate) fn fail_at(call: Option<u32>) {
        CALLS.set(0);
        FAILS.set(call);
        FAILED.set(None);
    }

    /// Whose call failed since then.
    pub(crate) fn failed() -> Option<By> {
        FAILED.get()
    }
}
