//! What an entry does to its accounts.

use crate::fault::Stop;
use crate::state::record::AccountRecord;
use crate::state::{Overlay, Place};
use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;
use std::sync::Arc;
use tenor_abi::entry::Side;
use tenor_abi::id::AccountId;
use tenor_abi::limit::COUNTER_MAX;
use tenor_abi::refusal::Refusal;

/// What an entry does to one account.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Effect {
    /// Where its record lies.
    pub place: Place,
    pub before: Arc<AccountRecord>,
    pub after: Arc<AccountRecord>,
    /// The side of the draft's lines on it, which all have the same.
    pub side: Option<Side>,
}

impl Effect {
    /// What leaves the account or is set aside on it, minor units.
    pub fn taken(&self) -> u128 {
        let posted = self.before.balance() - self.after.balance();
        posted.max(0).unsigned_abs() + self.after.debits_pending.saturating_sub(self.before.debits_pending)
    }

    /// Whether what is pending could be booked without a counter passing its largest value.
    pub fn has_room_for_pending(&self) -> bool {
        let AccountRecord { debits_posted, debits_pending, credits_posted, credits_pending, .. } =
            &*self.after;
        debits_posted + debits_pending <= COUNTER_MAX && credits_posted + credits_pending <= COUNTER_MAX
    }

    /// What the account becomes, to be changed.
    pub fn after_mut(&mut self) -> &mut AccountRecord {
        Arc::make_mut(&mut self.after)
    }
}

/// Accounts up to which they are simply looked through.
const FEW: usize = 8;

/// The effects of an entry, in the order in which their accounts were first touched.
#[derive(Clone, Default)]
pub(super) struct Effects {
    list: Vec<(AccountId, Effect)>,
    /// Where the account of each line stands.
    of_lines: Vec<u32>,
    /// Where in the list an account stands, once there are more than a few.
    places: HashTable<usize>,
    /// With a seed of its own, for accounts are named from outside; no outcome depends on it.
    hasher: DefaultHashBuilder,
}

impl Effects {
    /// Room for so many accounts.
    pub fn with_capacity(accounts: usize) -> Effects {
        let (list, of_lines) = (Vec::with_capacity(accounts), Vec::with_capacity(accounts));
        Effects { list, of_lines, ..Effects::default() }
    }

    /// The effect on the account of the next line of a draft.
    pub fn touch_line(&mut self, state: &Overlay<'_>, account: AccountId) -> Result<&mut Effect, Stop> {
        let at = match self.place(&account) {
            Some(at) => at,
            None => self.insert(state, account)?,
        };
        self.of_lines.push(at as u32);
        Ok(&mut self.list[at].1)
    }

    /// Where the account of a line stands, which is looked for where the line was not touched as one.
    pub fn place_of_line(&self, line: usize, account: &AccountId) -> Option<usize> {
        match self.of_lines.get(line) {
            Some(at) => Some(*at as usize).filter(|at| self.list[*at].0 == *account),
            None => self.place(account),
        }
    }

    /// The effect at a place.
    pub fn at(&self, place: usize) -> &Effect {
        &self.list[place].1
    }

    /// Where an account stands, in the order of [`Effects::iter`].
    pub fn place(&self, account: &AccountId) -> Option<usize> {
        if self.list.len() <= FEW {
            return self.list.iter().position(|(other, _)| other == account);
        }
        let hash = self.hasher.hash_one(account.0);
        self.places.find(hash, |place| self.list[*place].0 == *account).copied()
    }

    /// The effect on an account, which begins as none.
    pub fn touch(&mut self, state: &Overlay<'_>, account: AccountId) -> Result<&mut Effect, Stop> {
        let at = match self.place(&account) {
            Some(at) => at,
            None => self.insert(state, account)?,
        };
        Ok(&mut self.list[at].1)
    }

    fn insert(&mut self, state: &Overlay<'_>, account: AccountId) -> Result<usize, Stop> {
        let found = state.shared::<AccountRecord>(&account.0)?;
        let (place, before) = found.ok_or(Refusal::UnknownAccount { account })?;
        let after = Arc::new(AccountRecord::clone(&before));
        self.list.push((account, Effect { place, before, after, side: None }));
        let Effects { list, places, hasher, .. } = self;
        let hash = |place: &usize| hasher.hash_one(list[*place].0.0);
        let last = list.len() - 1;
        if last == FEW {
            places.reserve(list.capacity(), hash);
            (0..last).for_each(|place| _ = places.insert_unique(hash(&place), place, hash));
        }
        if last >= FEW {
            places.insert_unique(hash(&last), last, hash);
        }
        Ok(last)
    }

    /// How many accounts there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Every account and what the entry does to it.
    pub fn iter(&self) -> impl Iterator<Item = (&AccountId, &Effect)> {
        self.list.iter().map(|(account, effect)| (account, effect))
    }

    /// Every effect.
    pub fn values(&self) -> impl Iterator<Item = &Effect> {
        self.list.iter().map(|(_, effect)| effect)
    }

    /// Checks every account; of those that say no the one with the lowest id is heard.
    pub fn check(&self, rule: impl Fn(&AccountId, &Effect) -> Result<(), Refusal>) -> Result<(), Refusal> {
        let failed =
            self.iter().filter_map(|(account, effect)| Some((account, rule(account, effect).err()?)));
        failed.min_by_key(|(account, _)| **account).map_or(Ok(()), |(_, refusal)| Err(refusal))
    }
}

impl std::ops::Index<&AccountId> for Effects {
    type Output = Effect;

    fn index(&self, account: &AccountId) -> &Effect {
        let place = self.place(account).expect("an account of a line was touched");
        &self.list[place].1
    }
}

impl IntoIterator for Effects {
    type Item = (AccountId, Effect);
    type IntoIter = std::vec::IntoIter<(AccountId, Effect)>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

impl PartialEq for Effects {
    fn eq(&self, other: &Effects) -> bool {
        self.list == other.list
    }
}

impl std::fmt::Debug for Effects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
