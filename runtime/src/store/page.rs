//! Pages: numbered pieces of the state, of which a bounded number lie in memory.
//!
//! What is known of each page without reading it is its hash; a page that was read is believed only when it
//! has that hash. A page that leaves memory, changed or not, is spilled: reading it there again is a tenth of
//! what reading it from sled is, and a checkpoint takes it from there. Each number has two places on disk, and
//! a checkpoint writes the one that the last mark does not use, so that whatever a mark refers to is never
//! overwritten.

use super::disk::{Disk, Side, Table};
use super::spill::Place;
use crate::fault::Fault;
use crate::lanes::{cores, shares};
use crate::prefetch::prefetch;
use std::ops::Range;
use std::sync::Arc;
use std::thread;
use tenor_abi::id::Hash;

/// Number of a page within its table.
pub type PageNumber = u32;

/// Pages that are read, then hashed together.
const GROUP: usize = 64;
/// Pages that memory is asked for together.
const NEAR: usize = 256;
/// Fewer pages than this are not worth a thread.
const THREAD_MIN: usize = 4 * GROUP;

/// What lies in a page.
pub trait Page: Sized + Clone + Send + Sync {
    /// The page that stored bytes hold; none when they are not of its form.
    fn read(bytes: &[u8]) -> Option<Self>;
    /// The bytes to store.
    fn bytes(&self) -> Arc<[u8]>;
    /// What lies in memory beside the bytes, so that it need not be made again.
    fn beside(&self) -> Vec<u8>;
    /// The page of bytes and what lay beside them, both as they were given.
    fn restore(bytes: &[u8], beside: &[u8]) -> Option<Self>;
    /// About how many bytes of memory it takes.
    fn memory_bytes(&self) -> usize;
    /// Asks memory for what a change reads first.
    fn prefetch(&self) {}
    /// The hash of each, made anew where something changed.
    fn hash_all(pages: &mut [Self]) -> Vec<Hash>;
}

/// A changed page on its way to the disk.
#[derive(Clone, Debug)]
pub struct DirtyPage {
    pub(crate) table: Table,
    pub(crate) side: Side,
    pub(crate) number: PageNumber,
    pub(crate) bytes: PageBytes,
}

/// Where the bytes of a changed page are.
#[derive(Clone, Debug)]
pub(crate) enum PageBytes {
    /// Here.
    Here(Arc<[u8]>),
    /// Where they were spilled, and the page's hash.
    Spilled(Place, Hash),
}

/// Where a page is.
#[derive(Clone, Copy, Debug)]
enum At {
    /// On the disk alone.
    Disk,
    /// In a slot of the cache.
    Slot(u32),
    /// Spilled: `place`, and whether it changed since the last checkpoint.
    Spilled { first: u32, count: u16, dirty: bool },
}

#[derive(Clone, Copy, Debug)]
struct Meta {
    hash: Hash,
    at: At,
    side: Side,
}

const _: () = assert!(size_of::<Meta>() == 44, "it is kept for every page");

#[derive(Clone, Debug)]
struct Slot<P> {
    number: PageNumber,
    /// Taken out only while it is changed and hashed with others.
    page: Option<P>,
    memory_bytes: usize,
    dirty: bool,
    /// Used since the sweep came by.
    used: bool,
    /// The batch of reads or changes that used it last; it stays at least until that is over.
    batch: u32,
    /// The newest checkpoint that writes it.
    checkpoint: u32,
    /// Where it was spilled and is the same.
    spilled: Option<Place>,
}

/// How much memory pages take.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PagesMemory {
    /// Pages there are.
    pub pages: usize,
    /// Pages in memory.
    pub cached: usize,
    /// Their bytes.
    pub cached_bytes: usize,
    /// Bytes of what is always in memory.
    pub known_bytes: usize,
}

/// The pages of one table.
#[derive(Debug)]
pub struct Pages<P> {
    table: Table,
    disk: Option<Arc<Disk>>,
    metas: Vec<Meta>,
    free: Vec<PageNumber>,
    slots: Vec<Slot<P>>,
    slots_free: Vec<u32>,
    memory_bytes: usize,
    memory_bytes_max: usize,
    hand: usize,
    batch: u32,
    /// The batch in which a sweep found nothing to put out.
    swept: u32,
    dirty: Vec<PageNumber>,
    dirty_bytes: usize,
    /// The batch in which a page could not be spilled.
    refused: u32,
    /// The newest checkpoint.
    checkpoint: u32,
}

impl<P: Page> Pages<P> {
    /// No pages; without a disk all of them stay in memory.
    pub fn new(table: Table, disk: Option<Arc<Disk>>, memory_bytes_max: usize) -> Pages<P> {
        Pages {
            table,
            disk,
            metas: vec![],
            free: vec![],
            slots: vec![],
            slots_free: vec![],
            memory_bytes: 0,
            memory_bytes_max,
            hand: 0,
            batch: 1,
            swept: 0,
            dirty: vec![],
            dirty_bytes: 0,
            refused: 0,
            checkpoint: 0,
        }
    }

    /// Pages as a checkpoint left them: hash and place of each number, and which numbers are in use.
    pub fn restore(&mut self, known: Vec<(Hash, Side)>, is_used: impl Fn(PageNumber) -> bool) {
        self.metas = known.into_iter().map(|(hash, side)| Meta { hash, at: At::Disk, side }).collect();
        self.free = (0..self.metas.len() as PageNumber).filter(|number| !is_used(*number)).collect();
    }

    /// Hash and place of every number, for a checkpoint.
    pub fn known(&self) -> Vec<(Hash, Side)> {
        self.metas.iter().map(|meta| (meta.hash, meta.side)).collect()
    }

    /// Begins a batch: pages used from here on stay until the next one. What the one before needed beyond the
    /// memory that there is goes.
    pub fn begin_batch(&mut self) {
        self.batch += 1;
        self.put_out();
    }

    /// The hash of a page.
    pub fn hash(&self, number: PageNumber) -> Hash {
        self.metas[number as usize].hash
    }

    /// A page, read if it is not in memory.
    ///
    /// # Errors
    /// [`Fault::State`] when what was read is not what its hash says.
    pub fn get(&mut self, number: PageNumber) -> Result<&P, Fault> {
        let slot = self.resident(number)?;
        Ok(self.page(slot))
    }

    /// A page that is in memory.
    pub fn peek(&self, number: PageNumber) -> Option<&P> {
        self.slot_of(number).and_then(|slot| self.slots[slot].page.as_ref())
    }

    /// A page that is to be changed; [`Pages::changed`] is told when that is done.
    ///
    /// # Errors
    /// As [`Pages::get`].
    pub fn change(&mut self, number: PageNumber) -> Result<&mut P, Fault> {
        let slot = self.resident(number)?;
        self.mark_dirty(slot);
        self.slots[slot].page.as_mut().ok_or_else(|| taken(number))
    }

    /// Measures a page anew after a change.
    pub fn changed(&mut self, number: PageNumber) {
        let Some(slot) = self.slot_of(number).map(|slot| &mut self.slots[slot]) else { return };
        let memory_bytes = slot.page.as_ref().map_or(0, P::memory_bytes);
        let before = std::mem::replace(&mut slot.memory_bytes, memory_bytes);
        self.memory_bytes = self.memory_bytes + memory_bytes - before;
    }

    /// Adds a page and returns its number.
    pub fn add(&mut self, page: P) -> PageNumber {
        let number = self.free.pop().unwrap_or_else(|| {
            push(&mut self.metas, Meta { hash: Hash::ZERO, at: At::Disk, side: Side::A });
            self.metas.len() as PageNumber - 1
        });
        let slot = self.place(number, page);
        self.mark_dirty(slot);
        number
    }

    /// Takes a page away; its number may be used again.
    ///
    /// # Errors
    /// As [`Pages::get`].
    pub fn remove(&mut self, number: PageNumber) -> Result<P, Fault> {
        let slot = self.resident(number)?;
        let page = self.slots[slot].page.take().ok_or_else(|| taken(number))?;
        self.forget_spilled(slot);
        if std::mem::take(&mut self.slots[slot].dirty) {
            self.dirty_bytes = self.dirty_bytes.saturating_sub(self.slots[slot].memory_bytes);
        }
        self.vacate(slot, At::Disk);
        self.free.push(number);
        Ok(page)
    }

    /// Reads and checks in one go whatever of these is not in memory, and asks memory for the others.
    ///
    /// # Errors
    /// As [`Pages::get`].
    pub fn load(&mut self, numbers: &[PageNumber]) -> Result<(), Fault> {
        let mut missing = vec![];
        for some in numbers.chunks(NEAR) {
            self.prefetch(some);
            for number in some {
                match self.slot_of(*number) {
                    None => missing.push(*number),
                    Some(slot) => self.use_slot(slot),
                }
            }
        }
        missing.sort_unstable();
        missing.dedup();
        self.read(&missing)
    }

    /// Asks memory for those of these pages that are in it: they lie far apart, and all of them are asked for before the
    /// first is waited for.
    pub fn prefetch(&self, numbers: &[PageNumber]) {
        numbers.iter().for_each(|number| prefetch(&self.metas[*number as usize]));
        let slots =
            || numbers.iter().filter_map(|number| self.slot_of(*number)).map(|slot| &self.slots[slot]);
        slots().for_each(prefetch);
        slots().filter_map(|slot| slot.page.as_ref()).for_each(P::prefetch);
    }

    /// Reads every page that is not in memory against its hash, and says what is wrong with those that are not
    /// what it says.
    pub fn check(&mut self) -> Vec<Fault> {
        let mut is_free = vec![false; self.metas.len()];
        self.free.iter().for_each(|number| is_free[*number as usize] = true);
        let used = (0..self.metas.len() as PageNumber).filter(|number| !is_free[*number as usize]);
        let mut found = vec![];
        for number in used.collect::<Vec<_>>() {
            if (number as usize).is_multiple_of(GROUP) {
                self.begin_batch();
            }
            found.extend(self.load(&[number]).err());
        }
        found
    }

    /// Changes pages, each once, and makes their hashes anew: in shares, on every core where there are very many. A share
    /// `begin`s with the places of its numbers, and each change adds to what that made.
    ///
    /// # Errors
    /// As [`Pages::get`].
    pub fn change_all<T: Send>(
        &mut self,
        numbers: &[PageNumber],
        begin: impl Fn(Range<usize>) -> T + Sync,
        change: impl Fn(usize, &mut P, &mut T) + Sync,
    ) -> Result<Vec<T>, Fault> {
        for number in numbers {
            let slot = self.resident(*number)?;
            self.mark_dirty(slot);
        }
        let made = self.work_on(numbers, begin, change)?;
        numbers.iter().for_each(|number| self.changed(*number));
        Ok(made)
    }

    /// Makes the hashes of changed pages anew, on every core where there are very many.
    ///
    /// # Errors
    /// A [`Fault`] when one of them is not in memory, as every changed page is.
    pub fn rehash(&mut self, numbers: &[PageNumber]) -> Result<(), Fault> {
        self.work_on(numbers, |_| (), |_, _, ()| ()).map(drop)
    }

    /// Takes pages out of their slots, works on a few of them at a time, hashes those while they are near the processor, and
    /// puts all back.
    fn work_on<T: Send>(
        &mut self,
        numbers: &[PageNumber],
        begin: impl Fn(Range<usize>) -> T + Sync,
        work: impl Fn(usize, &mut P, &mut T) + Sync,
    ) -> Result<Vec<T>, Fault> {
        let threads = if numbers.len() < 16 * THREAD_MIN { 1 } else { shares() };
        let each = numbers.len().div_ceil(threads).max(1);
        let mut pages = Vec::with_capacity(numbers.len());
        for number in numbers {
            let page = self.slot_of(*number).and_then(|slot| self.slots[slot].page.take());
            pages.push(page.ok_or_else(|| taken(*number))?);
        }
        let do_share = |first: usize, share: &mut [P]| {
            let (mut made, mut hashes) = (begin(first..first + share.len()), Vec::with_capacity(share.len()));
            share.iter().take(GROUP).for_each(P::prefetch);
            for at in (0..share.len()).step_by(GROUP) {
                share[at..].iter().skip(GROUP).take(GROUP).for_each(P::prefetch);
                let end = share.len().min(at + GROUP);
                let (group, at) = (&mut share[at..end], first + at);
                (at..).zip(&mut *group).for_each(|(place, page)| work(place, page, &mut made));
                hashes.extend(P::hash_all(group));
            }
            (made, hashes)
        };
        let done: Vec<(T, Vec<Hash>)> = thread::scope(|scope| {
            let do_share = &do_share;
            let mut shares = (0..).step_by(each).zip(pages.chunks_mut(each));
            let first = shares.next();
            let others: Vec<_> =
                shares.map(|(first, share)| scope.spawn(move || do_share(first, share))).collect();
            let own = first.map(|(first, share)| do_share(first, share));
            let others = others
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            own.into_iter().chain(others).collect()
        });
        let (made, hashes): (Vec<T>, Vec<Vec<Hash>>) = done.into_iter().unzip();
        for ((number, page), hash) in numbers.iter().zip(pages).zip(hashes.into_iter().flatten()) {
            self.metas[*number as usize].hash = hash;
            let slot = self.slot_of(*number).ok_or_else(|| taken(*number))?;
            self.slots[slot].page = Some(page);
        }
        Ok(made)
    }

    /// Numbers of the pages that changed since the last checkpoint.
    pub fn dirty(&self) -> Vec<PageNumber> {
        let is_dirty = |number: &&PageNumber| match self.metas[**number as usize].at {
            At::Disk => false,
            At::Slot(slot) => self.slots[slot as usize].dirty,
            At::Spilled { dirty, .. } => dirty,
        };
        let mut numbers: Vec<_> = self.dirty.iter().filter(is_dirty).copied().collect();
        // A number that was given back and used again was entered twice.
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// Whether a page lies in memory.
    pub fn is_cached(&self, number: PageNumber) -> bool {
        self.slot_of(number).is_some()
    }

    /// Bytes of the pages that changed since the last checkpoint.
    pub fn dirty_bytes(&self) -> usize {
        self.dirty_bytes
    }

    /// Bytes that stay in memory until a checkpoint holds them: those of changed pages that cannot be spilled.
    pub fn held_bytes(&self) -> usize {
        if self.refused == self.batch { self.dirty_bytes } else { 0 }
    }

    /// Takes what changed since the last checkpoint.
    pub fn checkpoint(&mut self, sequence: u32, into: &mut Vec<DirtyPage>) {
        for number in self.dirty() {
            let Meta { hash, at, side } = &mut self.metas[number as usize];
            let bytes = match at {
                At::Disk => continue,
                At::Slot(slot) => {
                    let slot = &mut self.slots[*slot as usize];
                    let Some(page) = &slot.page else { continue };
                    (slot.dirty, slot.checkpoint) = (false, sequence);
                    PageBytes::Here(page.bytes())
                }
                At::Spilled { first, count, dirty } => {
                    *dirty = false;
                    PageBytes::Spilled(Place { first: *first, count: *count }, *hash)
                }
            };
            *side = side.other();
            into.push(DirtyPage { table: self.table, side: *side, number, bytes });
        }
        self.dirty.clear();
        self.dirty_bytes = 0;
        self.checkpoint = sequence;
    }

    /// How much memory it takes.
    pub fn memory(&self) -> PagesMemory {
        PagesMemory {
            pages: self.metas.len() - self.free.len(),
            cached: self.slots.len() - self.slots_free.len(),
            cached_bytes: self.memory_bytes,
            known_bytes: self.metas.capacity() * size_of::<Meta>(),
        }
    }

    fn page(&self, slot: usize) -> &P {
        self.slots[slot].page.as_ref().expect("a page is out of its slot only while it is worked on")
    }

    fn resident(&mut self, number: PageNumber) -> Result<usize, Fault> {
        if !self.is_cached(number) {
            self.read(&[number])?;
        }
        let slot = self.slot_of(number).ok_or_else(|| taken(number))?;
        self.use_slot(slot);
        Ok(slot)
    }

    fn slot_of(&self, number: PageNumber) -> Option<usize> {
        match self.metas[number as usize].at {
            At::Slot(slot) => Some(slot as usize),
            At::Disk | At::Spilled { .. } => None,
        }
    }

    fn use_slot(&mut self, slot: usize) {
        (self.slots[slot].used, self.slots[slot].batch) = (true, self.batch);
    }

    fn mark_dirty(&mut self, slot: usize) {
        self.forget_spilled(slot);
        let slot = &mut self.slots[slot];
        if !std::mem::replace(&mut slot.dirty, true) {
            self.dirty.push(slot.number);
            self.dirty_bytes += slot.memory_bytes;
        }
    }

    /// Reads pages, on every core where there are many, and puts them into memory.
    fn read(&mut self, numbers: &[PageNumber]) -> Result<(), Fault> {
        let threads = if numbers.len() < THREAD_MIN { 1 } else { cores() };
        // In rounds, so that what was read and is not yet placed stays small.
        for round in numbers.chunks(threads * THREAD_MIN) {
            let this = &*self;
            let parts: Vec<Result<Vec<P>, Fault>> = thread::scope(|scope| {
                let mut shares = round.chunks(round.len().div_ceil(threads));
                let first = shares.next().unwrap_or_default();
                let others: Vec<_> =
                    shares.map(|share| scope.spawn(move || this.read_share(share))).collect();
                let own = this.read_share(first);
                let gave_up = |_| Err(Fault::State("a thread that reads pages gave up".into()));
                std::iter::once(own)
                    .chain(others.into_iter().map(|thread| thread.join().unwrap_or_else(gave_up)))
                    .collect()
            });
            let mut left = round.iter();
            for part in parts {
                for (page, number) in part?.into_iter().zip(left.by_ref()) {
                    self.place(*number, page);
                }
            }
        }
        Ok(())
    }

    /// Reads pages and checks each against its hash.
    fn read_share(&self, numbers: &[PageNumber]) -> Result<Vec<P>, Fault> {
        let Some(disk) = &self.disk else {
            return Err(Fault::State(format!("page {numbers:?} is nowhere")));
        };
        let mut all = Vec::with_capacity(numbers.len());
        for group in numbers.chunks(GROUP) {
            let mut pages = Vec::with_capacity(group.len());
            for number in group {
                let Meta { hash, at, side } = self.metas[*number as usize];
                let page = match at {
                    At::Spilled { first, count, .. } => {
                        disk.spill().page(Place { first, count }, &hash, P::restore)?
                    }
                    _ => disk.page(self.table, side, *number, P::read)?,
                };
                pages.push(page.flatten().ok_or_else(|| self.damaged(disk, *number))?);
            }
            let hashes = P::hash_all(&mut pages);
            let wrong = |(number, hash): &(&PageNumber, Hash)| *hash != self.metas[**number as usize].hash;
            if let Some((number, _)) = group.iter().zip(hashes).find(wrong) {
                return Err(self.damaged(disk, *number));
            }
            all.extend(pages);
        }
        Ok(all)
    }

    /// What is damaged is not believed again: without a mark the next opening makes the state from the log. What
    /// was spilled is gone with the process.
    fn damaged(&self, disk: &Disk, number: PageNumber) -> Fault {
        let what = format!("page {number} of the {} is not what its hash says", self.table.name());
        Fault::State(match self.metas[number as usize].at {
            At::Spilled { .. } => disk.note_damage(format!(
                "{what}; it was damaged where it was spilled, and the next start has it again"
            )),
            _ => disk.distrust(&what),
        })
    }

    fn place(&mut self, number: PageNumber, page: P) -> usize {
        let memory_bytes = page.memory_bytes();
        self.memory_bytes += memory_bytes;
        self.put_out();
        let (spilled, dirty) = match self.metas[number as usize].at {
            At::Spilled { first, count, dirty } => (Some(Place { first, count }), dirty),
            _ => (None, false),
        };
        let new = Slot {
            number,
            page: Some(page),
            memory_bytes,
            dirty,
            used: true,
            batch: self.batch,
            checkpoint: self.checkpoint,
            spilled,
        };
        let slot = match self.slots_free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = new;
                slot as usize
            }
            None => {
                self.slots.push(new);
                self.slots.len() - 1
            }
        };
        self.metas[number as usize].at = At::Slot(slot as u32);
        slot
    }

    fn vacate(&mut self, slot: usize, at: At) {
        let old = &mut self.slots[slot];
        old.page = None;
        self.memory_bytes -= std::mem::take(&mut old.memory_bytes);
        self.metas[old.number as usize].at = at;
        self.slots_free.push(slot as u32);
    }

    /// What was spilled of a page is not what it is any more.
    fn forget_spilled(&mut self, slot: usize) {
        if let (Some(place), Some(disk)) = (self.slots[slot].spilled.take(), &self.disk) {
            disk.spill().give_back(place, self.checkpoint);
        }
    }

    /// Puts pages out of memory until those that are left fit, or none of them can go.
    fn put_out(&mut self) {
        while self.memory_bytes > self.memory_bytes_max && self.put_one_out() {}
    }

    /// Puts a page out of memory that was not used lately; false when there is none that can go.
    fn put_one_out(&mut self) -> bool {
        if self.disk.is_none() || self.swept == self.batch || self.slots.is_empty() {
            return false;
        }
        for _ in 0..2 * self.slots.len() {
            self.hand = (self.hand + 1) % self.slots.len();
            let slot = &mut self.slots[self.hand];
            let stays = slot.page.is_none() || slot.batch == self.batch || std::mem::take(&mut slot.used);
            if !stays && let Some(at) = self.spill(self.hand) {
                self.vacate(self.hand, at);
                return true;
            }
        }
        self.swept = self.batch;
        false
    }

    /// Where the page of a slot is when it leaves memory; nowhere when it must stay. A disk that is full keeps
    /// in memory what changed.
    fn spill(&mut self, slot: usize) -> Option<At> {
        let disk = self.disk.as_ref()?;
        let Slot { number, page, dirty, checkpoint, spilled, .. } = &mut self.slots[slot];
        let stored = disk.stored();
        if spilled.is_none() && self.refused != self.batch {
            let page = page.as_mut()?;
            if *dirty {
                // What is read again is compared with the hash, which may not have been made yet.
                self.metas[*number as usize].hash = *P::hash_all(std::slice::from_mut(page)).first()?;
            }
            let hash = &self.metas[*number as usize].hash;
            *spilled = disk.spill().put(hash, &page.bytes(), &page.beside(), stored).ok();
        }
        if let Some(Place { first, count }) = *spilled {
            return Some(At::Spilled { first, count, dirty: *dirty });
        }
        self.refused = self.batch;
        (!*dirty && *checkpoint <= stored).then_some(At::Disk)
    }
}

/// Adds to a list that grows by an eighth when it is full: what is known of every page should not take twice
/// the memory that it needs.
pub(crate) fn push<T>(list: &mut Vec<T>, item: T) {
    if list.len() == list.capacity() {
        list.reserve_exact(list.len() / 8 + 64);
    }
    list.push(item);
}

fn taken(number: PageNumber) -> Fault {
    Fault::State(format!("page {number} is not in memory while it is changed"))
}
