//! What log and store ask of the file system to change something: the few calls that a test makes fail, each in turn.

#[cfg(test)]
use failing::ask;
#[cfg(test)]
pub(crate) use failing::{count_calls, fail_at};
use std::fs::{self, File};
use std::io::{Result, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

pub(super) fn write(file: &mut File, bytes: &[u8]) -> Result<()> {
    if let Err(error) = ask() {
        // A disk that says no may have taken a part.
        file.write_all(&bytes[..bytes.len() / 2])?;
        return Err(error);
    }
    file.write_all(bytes)
}

pub(crate) fn write_at(file: &File, bytes: &[u8], offset: u64) -> Result<()> {
    ask()?;
    file.write_all_at(bytes, offset)
}

pub(super) fn sync_data(file: &File) -> Result<()> {
    ask()?;
    file.sync_data()
}

pub(super) fn sync(file: &File) -> Result<()> {
    ask()?;
    file.sync_all()
}

pub(super) fn rename(from: &Path, to: &Path) -> Result<()> {
    ask()?;
    fs::rename(from, to)
}

#[cfg(not(test))]
#[expect(clippy::unnecessary_wraps, reason = "in tests the disk can say no")]
fn ask() -> Result<()> {
    Ok(())
}

#[cfg(test)]
mod failing {
    use std::cell::Cell;
    use std::io::{Error, ErrorKind, Result};

    thread_local! {
        static CALLS: Cell<u32> = const { Cell::new(0) };
        static FAILS: Cell<Option<u32>> = const { Cell::new(None) };
    }

    pub(super) fn ask() -> Result<()> {
        let call = CALLS.replace(CALLS.get() + 1);
        match FAILS.get() == Some(call) {
            true => Err(Error::new(ErrorKind::StorageFull, "no space left on device")),
            false => Ok(()),
        }
    }

    /// Has one of this thread's calls from here on fail: the first is 0; none fails where nothing is given.
    pub(crate) fn fail_at(call: Option<u32>) {
        CALLS.set(0);
        FAILS.set(call);
    }

    /// Calls since then.
    pub(crate) fn count_calls() -> u32 {
        CALLS.get()
    }
}
