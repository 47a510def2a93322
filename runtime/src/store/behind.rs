//! Write-behind: one thread takes checkpoints to the disk while blocks go on.

use super::disk::{Disk, WaitingRows};
use super::rows::{Together, pack};
use super::{DirtyPage, Mark, StoreError};
use crate::log::Position;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use tenor_abi::id::Hash;
use tenor_wire::crypto::plain_hash;

/// Everything that changed since the last checkpoint, as of one height.
pub struct Checkpoint {
    /// Its number; they rise by one.
    pub sequence: u32,
    /// Height of the newest block in it.
    pub height: u64,
    /// State root after that block.
    pub root: Hash,
    /// Where the log goes on behind it.
    pub log: Position,
    /// Changed pages.
    pub pages: Vec<DirtyPage>,
    /// Rows that lie in no page.
    pub rows: Arc<WaitingRows>,
    /// Which of them lie together.
    pub together: Together,
    /// Makes the bytes of what is above the pages; asked for on the writing thread.
    pub top: Box<dyn FnOnce() -> Vec<u8> + Send>,
}

impl Checkpoint {
    fn write(mut self, disk: &Disk) -> Result<(), StoreError> {
        let top = (self.top)();
        disk.write_parts(&mut self.pages, &pack(&self.rows, self.together), &top, self.sequence)?;
        let mark = Mark {
            sequence: self.sequence,
            height: self.height,
            root: self.root,
            top_bytes: top.len() as u64,
            top: plain_hash(&[&top]),
            log: self.log,
        };
        disk.write_mark(&mark)
    }
}

#[derive(Default)]
struct Progress {
    done: u32,
    failed: Option<StoreError>,
}

struct Shared {
    progress: Mutex<Progress>,
    moved: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_all(&self, disk: &Disk, from: Receiver<Box<Checkpoint>>) {
        for checkpoint in from {
            let sequence = checkpoint.sequence;
            // Whoever waits would wait for ever for a thread that is gone.
            let written = catch_unwind(AssertUnwindSafe(|| checkpoint.write(disk)));
            let written = written.unwrap_or_else(|_| Err(stopped()));
            let mut progress = self.lock();
            match written {
                Ok(()) => progress.done = sequence,
                Err(error) => progress.failed = Some(error),
            }
            self.moved.notify_all();
            if progress.failed.is_some() {
                return;
            }
        }
    }
}

/// The writing thread; it ends when this is dropped, after what it was given.
pub struct Behind {
    to: Option<SyncSender<Box<Checkpoint>>>,
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
    sent: u32,
}

impl Behind {
    /// Starts the thread over a disk.
    pub fn start(disk: Arc<Disk>) -> Behind {
        let sent = disk.stored();
        let progress = Mutex::new(Progress { done: sent, failed: None });
        let shared = Arc::new(Shared { progress, moved: Condvar::new() });
        let (to, from) = sync_channel(1);
        let thread = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.take_all(&disk, from)
        });
        Behind { to: Some(to), thread: Some(thread), shared, sent }
    }

    /// The number of the next checkpoint.
    pub fn next_sequence(&self) -> u32 {
        self.sent + 1
    }

    /// Whether nothing is being written.
    ///
    /// # Errors
    /// [`StoreError`] of a checkpoint that could not be written.
    pub fn is_idle(&self) -> Result<bool, StoreError> {
        let progress = self.shared.lock();
        match &progress.failed {
            Some(error) => Err(error.clone()),
            None => Ok(progress.done == self.sent),
        }
    }

    /// Hands a checkpoint over.
    ///
    /// # Errors
    /// As [`Behind::is_idle`].
    pub fn send(&mut self, checkpoint: Checkpoint) -> Result<(), StoreError> {
        let sequence = checkpoint.sequence;
        match self.to.as_ref().map(|to| to.send(Box::new(checkpoint))) {
            Some(Ok(())) => {
                self.sent = sequence;
                Ok(())
            }
            _ => Err(self.shared.lock().failed.clone().unwrap_or_else(stopped)),
        }
    }

    /// Returns when everything that was handed over is on the disk.
    ///
    /// # Errors
    /// As [`Behind::is_idle`].
    pub fn wait(&self) -> Result<(), StoreError> {
        let mut progress = self.shared.lock();
        loop {
            match &progress.failed {
                Some(error) => return Err(error.clone()),
                None if progress.done == self.sent => return Ok(()),
                None => {}
            }
            progress = self.shared.moved.wait(progress).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn stopped() -> StoreError {
    StoreError::Io("the thread that writes the state has stopped".into())
}

impl Drop for Behind {
    fn drop(&mut self) {
        self.to = None;
        if let Some(thread) = self.thread.take() {
            // A panic there was reported by whoever waited; there is nobody left to tell here.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writing_thread_that_gave_up_is_told_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let mut behind = Behind::start(Arc::new(Disk::open(folder.path()).unwrap()));
        let checkpoint = Checkpoint {
            sequence: behind.next_sequence(),
            height: 0,
            root: Hash::ZERO,
            log: Position::default(),
            pages: vec![],
            rows: Arc::default(),
            together: |_| None,
            top: Box::new(|| panic!("what stands above the pages cannot be written")),
        };
        behind.send(checkpoint).unwrap();
        let stopped = behind.wait().unwrap_err().to_string();
        assert!(stopped.contains("has stopped"), "{stopped}");
        assert!(behind.is_idle().is_err());
    }
}
