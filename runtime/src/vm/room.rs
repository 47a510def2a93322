//! Room in the pool of instances.
//!
//! Whoever executes blocks and whoever reads have one pool. Who begins a call takes a room first, which has places for
//! as many calls as can be open in one another, and waits for it in the order of coming; nobody who waits has a place.
//! The pool has places for every room and for what is kept, so an instance that is to begin always has its place: how
//! much is read at the same time is no matter of a block.

use std::cell::Cell;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Rooms: more than there are readers in a node, so that whoever makes blocks does not wait for them.
pub(super) const ROOMS: usize = 32;
/// Calls that can be open in one another: more than agreements may call each other, and a hook.
pub(super) const OPEN_MAX: usize = 12;
/// Instances of a room: one of each open call, and the fresh one that a kept one is compared with.
pub(super) const PLACES: usize = OPEN_MAX + 1;

thread_local! {
    /// Calls that are open on this thread.
    static OPEN: Cell<usize> = const { Cell::new(0) };
}

/// The rooms of an engine.
pub(super) struct Rooms {
    line: Mutex<Line>,
    moved: Condvar,
}

/// Who has come, and who was let in.
struct Line {
    free: usize,
    came: u64,
    let_in: u64,
}

/// A call that is open; the outermost of a thread has its room until it ends.
pub(super) struct Open<'r>(&'r Rooms);

impl Default for Rooms {
    fn default() -> Rooms {
        Rooms { line: Mutex::new(Line { free: ROOMS, came: 0, let_in: 0 }), moved: Condvar::new() }
    }
}

impl Rooms {
    /// Opens a call, once there is room for it; none when too many are open in one another.
    pub fn open(&self) -> Option<Open<'_>> {
        let open = OPEN.get();
        if open >= OPEN_MAX {
            return None;
        }
        if open == 0 {
            let mut line = self.line();
            let place = line.came;
            line.came += 1;
            while line.free == 0 || line.let_in != place {
                line = self.moved.wait(line).unwrap_or_else(PoisonError::into_inner);
            }
            (line.free, line.let_in) = (line.free - 1, line.let_in + 1);
            // Whoever is next may go in too.
            self.call_in(&line);
        }
        OPEN.set(open + 1);
        Some(Open(self))
    }

    /// Nothing can panic while it is held, so what it holds is whole.
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes those who wait; to wake nobody would ask the system all the same.
    fn call_in(&self, line: &Line) {
        if line.came != line.let_in {
            self.moved.notify_all();
        }
    }

    /// How many wait.
    #[cfg(test)]
    pub fn waiting(&self) -> u64 {
        let line = self.line();
        line.came - line.let_in
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let open = OPEN.get() - 1;
        OPEN.set(open);
        if open == 0 {
            let mut line = self.0.line();
            line.free += 1;
            self.0.call_in(&line);
        }
    }
}
