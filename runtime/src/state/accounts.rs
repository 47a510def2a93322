//! Accounts as records, each decoded once and counted where it lies.
//!
//! They lie beside the cells, one behind the other and found by their ids, so that whoever judges or books an entry
//! waits for memory once for each account. A cell says which of them is its value.

use super::record::{AccountRecord, Holder, HookSet};
use crate::prefetch::prefetch;
use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::{BuildHasher, Hasher};
use tenor_abi::entry::Side;
use tenor_abi::id::AccountId;
use tenor_wire::op::AccountKind;

/// Accounts that are asked for together, and up to which they are simply looked through.
pub const FEW: usize = 8;

/// Where an account lies. It is no longer believed when the overlay has begun anew since, or another record has taken an
/// account's place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen {
    pub(super) at: u32,
    pub(super) turn: u32,
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

/// What of an account concerns rules that pass most accounts by, a bit each.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Traits(u8);

impl Traits {
    /// Money comes out of it.
    pub const ISSUANCE: Traits = Traits(1);
    /// It mirrors others.
    pub const CONTROL: Traits = Traits(1 << 1);
    /// A control account mirrors it.
    pub const MIRRORED: Traits = Traits(1 << 2);
    /// It is a book of an agreement.
    pub const BOOK: Traits = Traits(1 << 3);
    /// It has hooks.
    pub const HOOKED: Traits = Traits(1 << 4);
    /// It is closed, frozen, or has a ceiling.
    pub const BOUND: Traits = Traits(1 << 5);

    fn of(record: &AccountRecord) -> Traits {
        let AccountRecord { closed, frozen_in, frozen_out, ceiling, .. } = record;
        let is_bound = *closed || frozen_in.is_some() || frozen_out.is_some() || ceiling.is_some();
        let all = [
            (record.kind == AccountKind::Issuance, Traits::ISSUANCE),
            (record.kind == AccountKind::Control, Traits::CONTROL),
            (record.control.is_some(), Traits::MIRRORED),
            (matches!(record.owner, Holder::Agreement(_)), Traits::BOOK),
            (record.hooks != HookSet::default(), Traits::HOOKED),
            (is_bound, Traits::BOUND),
        ];
        all.into_iter().filter(|(it_has, _)| *it_has).fold(Traits::default(), |sum, (_, one)| sum.union(one))
    }

    /// Whether it has one.
    #[inline(always)]
    pub fn has(self, one: Traits) -> bool {
        self.0 & one.0 != 0
    }

    /// Those that either has.
    #[inline(always)]
    #[must_use]
    pub fn union(self, others: Traits) -> Traits {
        Traits(self.0 | others.0)
    }
}

/// An account.
pub(super) struct Kept {
    pub record: AccountRecord,
    pub traits: Traits,
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
    soon: Soon,
    /// Buckets of `places` that were asked for, and the slots of `soon` that are theirs.
    asked: Vec<(usize, usize)>,
    /// Where the newest record of each account lies.
    places: HashTable<u32>,
    /// With a seed of its own, for ids are made outside; no outcome depends on it.
    hasher: DefaultHashBuilder,
}

/// Where accounts may lie that were asked for ahead. It is believed once the id there is the one that is meant.
struct Soon([u32; Soon::SLOTS]);

impl Soon {
    const SLOTS: usize = 64;

    fn slot(id: &AccountId) -> usize {
        usize::from(id.0[31]) % Soon::SLOTS
    }
}

impl Default for Soon {
    fn default() -> Soon {
        Soon([u32::MAX; Soon::SLOTS])
    }
}

impl Accounts {
    /// Makes room for so many more.
    pub fn reserve(&mut self, count: usize) {
        let Accounts { list, places, .. } = self;
        list.reserve(count);
        places.reserve(count, |at| spread(list[*at as usize].hash));
    }

    /// Where the account of an id lies, if its record is here.
    #[inline(always)]
    pub fn find(&self, id: &AccountId) -> Option<u32> {
        let at = self.soon.0[Soon::slot(id)];
        let is_meant = |kept: &Kept| kept.id == *id && kept.standing != Standing::Former;
        if self.list.get(at as usize).is_some_and(is_meant) { Some(at) } else { self.look_for(id) }
    }

    fn look_for(&self, id: &AccountId) -> Option<u32> {
        let at = *self.places.find(spread(self.hash(id)), |at| self.list[*at as usize].id == *id)?;
        (self.list[at as usize].standing != Standing::Former).then_some(at)
    }

    /// Asks memory for where the account of an id lies, and says whether its record is here.
    pub fn approach(&mut self, id: &AccountId) -> bool {
        // Which of those that begin alike it is cannot be told before they are here.
        let found = self.places.find_bucket_index(spread(self.hash(id)), |at| {
            prefetch(at);
            true
        });
        self.asked.extend(found.map(|bucket| (bucket, Soon::slot(id))));
        found.is_some()
    }

    /// Asks memory for the accounts that were approached.
    pub fn reach(&mut self) {
        for (bucket, slot) in self.asked.drain(..) {
            if let Some(at) = self.places.get_bucket(bucket) {
                self.soon.0[slot] = *at;
                prefetch(&self.list[*at as usize]);
            }
        }
    }

    /// Asks memory for an account.
    pub fn prefetch_at(&self, at: u32) {
        prefetch(&self.list[at as usize]);
    }

    /// Takes in an account as the base has it.
    pub fn read(&mut self, id: AccountId, cell: usize, record: AccountRecord) -> u32 {
        let (hash, cell) = (self.hash(&id), cell as u32);
        self.add(Kept { traits: Traits::of(&record), record, id, hash, cell, standing: Standing::Read })
    }

    /// Takes in a record that is to be written.
    pub fn write(&mut self, id: AccountId, cell: usize, record: AccountRecord) -> u32 {
        let (hash, cell) = (self.hash(&id), cell as u32);
        self.add(Kept { traits: Traits::of(&record), record, id, hash, cell, standing: Standing::Written })
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
