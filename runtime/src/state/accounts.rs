//! Accounts as records, each decoded once and counted where it lies.
//!
//! They lie beside the cells, one behind the other and found by their ids, so that whoever judges or books an entry
//! waits for memory once for each account. A cell says which of them is its value.

use super::record::AccountRecord;
use crate::prefetch::prefetch;
use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::{BuildHasher, Hasher};
use tenor_abi::entry::Side;
use tenor_abi::id::AccountId;

/// Accounts that are looked for together, and up to which they are simply looked through.
pub const FEW: usize = 8;

/// Where an account lies. It is no longer believed when the overlay has begun anew since.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen {
    pub(super) at: u32,
    pub(super) generation: u32,
}

/// What a record is to its account.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Another one has taken its place, or none.
    Former,
    /// It is what the base has.
    Read,
    /// It is what is written.
    Written,
}

/// An account.
pub(super) struct Kept {
    pub record: AccountRecord,
    id: AccountId,
    /// Of the id.
    hash: u32,
    /// Place of its cell.
    pub cell: u32,
    standing: Standing,
}

/// The accounts of an overlay.
#[derive(Default)]
pub(super) struct Accounts {
    list: Vec<Kept>,
    /// Where the newest record of each account lies.
    places: HashTable<u32>,
    /// With a seed of its own, for ids are made outside; no outcome depends on it.
    hasher: DefaultHashBuilder,
}

impl Accounts {
    /// Where the account of an id lies, if its record is here.
    pub fn find(&self, id: &AccountId) -> Option<u32> {
        self.find_hashed(self.hash(id), id)
    }

    /// Where the accounts of the first few ids lie, if their records are here. Memory is asked for all of them before the
    /// first is waited for.
    #[inline(always)]
    pub fn find_few<'i>(
        &self,
        ids: impl Iterator<Item = &'i AccountId> + Clone,
        found: &mut [Option<u32>; FEW],
    ) {
        let mut hashes = [0; FEW];
        hashes.iter_mut().zip(ids.clone()).for_each(|(hash, id)| *hash = self.hash(id));
        for ((found, hash), id) in found.iter_mut().zip(&hashes).zip(ids) {
            *found = self.find_hashed(*hash, id);
            if let Some(at) = *found {
                self.prefetch_at(at);
            }
        }
    }

    #[inline(always)]
    fn find_hashed(&self, hash: u32, id: &AccountId) -> Option<u32> {
        let at = *self.places.find(spread(hash), |at| self.list[*at as usize].id == *id)?;
        (self.list[at as usize].standing != Standing::Former).then_some(at)
    }

    /// Asks memory for the account of an id, and says whether its record is here.
    pub fn prefetch(&self, id: &AccountId) -> bool {
        // Which of those that begin alike it is cannot be told before they are here.
        let found = self.places.find(spread(self.hash(id)), |_| true);
        found.inspect(|at| self.prefetch_at(**at)).is_some()
    }

    /// Asks memory for an account.
    pub fn prefetch_at(&self, at: u32) {
        prefetch(&self.list[at as usize]);
    }

    /// Takes in an account as the base has it.
    pub fn read(&mut self, id: AccountId, cell: usize, record: AccountRecord) -> u32 {
        let (hash, cell) = (self.hash(&id), cell as u32);
        self.add(Kept { record, id, hash, cell, standing: Standing::Read })
    }

    /// Takes in a record that is to be written.
    pub fn write(&mut self, id: AccountId, cell: usize, record: AccountRecord) -> u32 {
        let (hash, cell) = (self.hash(&id), cell as u32);
        self.add(Kept { record, id, hash, cell, standing: Standing::Written })
    }

    fn add(&mut self, kept: Kept) -> u32 {
        let at = self.list.len() as u32;
        self.list.push(kept);
        self.show(at);
        at
    }

    /// Makes a record the one that is found.
    fn show(&mut self, at: u32) {
        let Accounts { list, places, .. } = self;
        let Kept { id, hash, .. } = &list[at as usize];
        match places.find_mut(spread(*hash), |other| list[*other as usize].id == *id) {
            Some(other) => *other = at,
            None => _ = places.insert_unique(spread(*hash), at, |at| spread(list[*at as usize].hash)),
        }
    }

    /// A record is no longer what its cell has.
    pub fn leave(&mut self, at: u32) {
        self.list[at as usize].standing = Standing::Former;
    }

    /// A record that was written is what its cell has again.
    pub fn come_back(&mut self, at: u32) {
        self.list[at as usize].standing = Standing::Written;
        self.show(at);
    }

    /// Begins to book on an account; whether it was only read so far.
    #[inline(always)]
    pub fn open(&mut self, at: u32) -> bool {
        let standing = &mut self.list[at as usize].standing;
        let was_read = *standing == Standing::Read;
        if was_read {
            *standing = Standing::Written;
        }
        was_read
    }

    /// An account is only read again, after all that was counted on it was taken back.
    pub fn close(&mut self, at: u32) {
        self.list[at as usize].standing = Standing::Read;
    }

    /// The account that lies somewhere.
    pub fn at(&self, at: u32) -> &Kept {
        &self.list[at as usize]
    }

    /// An account that is booked on, to be changed where it lies.
    ///
    /// # Panics
    /// When it is not booked on.
    #[inline(always)]
    pub fn change(&mut self, at: u32) -> &mut Kept {
        let kept = &mut self.list[at as usize];
        assert!(kept.standing == Standing::Written, "an account that is changed is booked on");
        kept
    }

    /// Takes a posting back.
    pub fn take_back(&mut self, at: u32, (side, amount): (Side, u128)) {
        let AccountRecord { counters, history_count, .. } = &mut self.list[at as usize].record;
        *counters.posted_mut(side) -= amount;
        *history_count -= 1;
    }

    fn hash(&self, id: &AccountId) -> u32 {
        let mut hasher = self.hasher.build_hasher();
        let (words, _) = id.0.as_chunks::<8>();
        words.iter().for_each(|word| hasher.write_u64(u64::from_le_bytes(*word)));
        hasher.finish() as u32
    }
}

/// What the table goes by.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

impl Kept {
    pub fn is_written(&self) -> bool {
        self.standing == Standing::Written
    }

    pub fn id(&self) -> &AccountId {
        &self.id
    }
}
