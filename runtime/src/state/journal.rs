//! What takes writes back, the last first.

use super::cells::{Cells, Now};

/// A write, and where. What was there before lies beside it, so that most of a block's, which are postings, are small.
#[derive(Clone, Copy)]
enum Write {
    /// Something else was put into a cell.
    Cell(u32),
    /// An account was opened that was only read before.
    Opened(u32),
    /// A posting was added to an account.
    Posted(u32),
    /// What is pending on an account was set.
    Pending(u32),
}

/// Writes that can be taken back.
#[derive(Default)]
pub(super) struct Journal {
    /// Each with its number, which no other write has.
    writes: Vec<(Write, u64)>,
    /// How many there ever were.
    count: u64,
    /// The last one that is not taken back any more.
    kept: u64,
    /// What cells held before they were written.
    cells: Vec<Now>,
    /// What was pending on accounts before it was set.
    pending: Vec<(u128, u128)>,
}

impl Journal {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.writes.len()
    }

    /// The number of the last write that stands: all before it stand as they did when it was made.
    pub fn last(&self) -> u64 {
        self.writes.last().map_or(self.kept, |(_, number)| *number)
    }

    #[inline(always)]
    fn push(&mut self, write: Write) {
        self.count += 1;
        self.writes.push((write, self.count));
    }

    /// Makes room for so many more.
    pub fn reserve(&mut self, writes: usize) {
        self.writes.reserve(writes);
    }

    /// A cell was written, which held something before.
    pub fn cell(&mut self, place: usize, before: Now) {
        self.push(Write::Cell(place as u32));
        self.cells.push(before);
    }

    /// An account was opened.
    #[inline(always)]
    pub fn opened(&mut self, at: u32) {
        self.push(Write::Opened(at));
    }

    /// A posting was added to an account.
    #[inline(always)]
    pub fn posted(&mut self, at: u32) {
        self.push(Write::Posted(at));
    }

    /// What is pending on an account was set, which was something else before.
    pub fn pending(&mut self, at: u32, before: (u128, u128)) {
        self.push(Write::Pending(at));
        self.pending.push(before);
    }

    /// Takes the last one back.
    ///
    /// # Panics
    /// When there is none.
    pub fn take_back(&mut self, cells: &mut Cells) {
        let missing = "what was there before lies here until it is put back";
        match self.writes.pop().expect(missing).0 {
            Write::Cell(place) => cells.put_back(place as usize, self.cells.pop().expect(missing)),
            Write::Opened(at) => cells.close(at),
            Write::Posted(at) => cells.take_posting_back(at),
            Write::Pending(at) => _ = cells.set_pending(at, self.pending.pop().expect(missing)),
        }
    }

    /// What was written so far is not taken back.
    #[inline(always)]
    pub fn clear(&mut self) {
        self.kept = self.last();
        self.writes.clear();
        self.cells.clear();
        self.pending.clear();
    }
}
