//! What an entry does to its accounts.

use crate::fault::{Fault, Stop};
use crate::state::record::AccountRecord;
use crate::state::{AccountsView, Booking, FEW, Seen, Traits};
use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;
use tenor_abi::entry::Side;
use tenor_abi::id::AccountId;
use tenor_abi::refusal::Refusal;

/// What an entry does to one account.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Effect {
    /// Which.
    pub account: AccountId,
    /// Where it lies.
    pub seen: Seen,
    /// Which rules concern it.
    pub traits: Traits,
    /// Debits and credits that are posted on it, minor units.
    pub posted: (u128, u128),
    /// The side of the lines on it, which all have the same; none of a control account.
    pub side: Option<Side>,
    /// By what rises what is pending on that side.
    pub pending: i128,
    /// Whether its owner signed, so that what it loses counts against what was allowed.
    pub by_signer: bool,
}

impl Effect {
    #[inline(always)]
    fn none(account: AccountId, (seen, traits): (Seen, Traits)) -> Effect {
        Effect { account, seen, traits, posted: (0, 0), side: None, pending: 0, by_signer: false }
    }

    /// What is posted on a side of it.
    pub fn posted_mut(&mut self, side: Side) -> &mut u128 {
        match side {
            Side::Debit => &mut self.posted.0,
            Side::Credit => &mut self.posted.1,
        }
    }

    /// What the account will have posted on a side.
    pub fn posted_after(&self, before: &AccountRecord, side: Side) -> u128 {
        match side {
            Side::Debit => before.counters.debits_posted + self.posted.0,
            Side::Credit => before.counters.credits_posted + self.posted.1,
        }
    }

    /// By what rises what is pending on a side of it.
    pub fn pending_on(&self, side: Side) -> i128 {
        if self.side == Some(side) { self.pending } else { 0 }
    }

    /// What the account will have pending on a side; nothing where that would be less.
    pub fn pending_after(&self, before: &AccountRecord, side: Side) -> u128 {
        let (debits, credits) = before.counters.pending();
        let pending = if side == Side::Debit { debits } else { credits };
        pending.saturating_add_signed(self.pending_on(side))
    }

    /// What its balance rises by, minor units.
    pub fn change(&self) -> i128 {
        self.posted.1 as i128 - self.posted.0 as i128
    }

    /// What its balance less what is set aside rises by, minor units.
    pub fn change_of_unheld(&self) -> i128 {
        self.change() - self.pending_on(Side::Debit)
    }

    /// What leaves the account or is set aside on it, minor units.
    pub fn taken(&self) -> u128 {
        let held = self.pending_on(Side::Debit).max(0).unsigned_abs();
        self.posted.0.saturating_sub(self.posted.1) + held
    }
}

/// The effects of an entry on its accounts, in the order in which these were first touched.
#[derive(Clone)]
pub(super) struct Effects {
    list: Vec<Effect>,
    /// The traits that there are among the accounts.
    pub among: Traits,
    /// Where in the list an account stands, once there are more than a few.
    places: Option<Box<Places>>,
}

#[derive(Clone, Default)]
struct Places {
    table: HashTable<usize>,
    /// With a seed of its own, for accounts are named from outside; no outcome depends on it.
    hasher: DefaultHashBuilder,
}

impl Effects {
    /// None, with room for those of so many lines.
    #[inline(always)]
    pub fn of_lines(lines: usize) -> Effects {
        Effects { list: Vec::with_capacity(lines), among: Traits::default(), places: None }
    }

    /// Where in the list the effect on an account stands, which begins as none.
    pub fn touch(&mut self, accounts: &mut AccountsView<'_>, account: &AccountId) -> Result<usize, Stop> {
        match accounts.find(account)? {
            Some((seen, traits, _)) => Ok(self.touch_found(account, (seen, traits))),
            None => Err(Refusal::UnknownAccount { account: *account }.into()),
        }
    }

    /// As [`Effects::touch`], of an account that was found.
    #[inline(always)]
    pub fn touch_found(&mut self, account: &AccountId, found: (Seen, Traits)) -> usize {
        if let Some(place) = self.place_of(found.0, account) {
            return place;
        }
        self.among = self.among.union(found.1);
        self.list.push(Effect::none(*account, found));
        if self.list.len() > FEW {
            self.file();
        }
        self.list.len() - 1
    }

    /// The effect at a place of the list.
    pub fn at(&self, place: usize) -> &Effect {
        &self.list[place]
    }

    /// As [`Effects::at`], to be changed.
    pub fn at_mut(&mut self, place: usize) -> &mut Effect {
        &mut self.list[place]
    }

    /// Every effect.
    pub fn iter(&self) -> impl Iterator<Item = &Effect> {
        self.list.iter()
    }

    /// Every effect, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Effect> {
        self.list.iter_mut()
    }

    /// Opens every account for booking.
    ///
    /// # Errors
    /// [`Fault`] of the store.
    pub fn open(&mut self, booking: &mut Booking<'_>) -> Result<(), Fault> {
        for Effect { account, seen, .. } in &mut self.list {
            *seen = booking.open(*seen, account)?;
        }
        Ok(())
    }

    /// Where in the list the effect on an account stands.
    pub fn place(&self, account: &AccountId) -> Option<usize> {
        match &self.places {
            None => self.list.iter().position(|effect| effect.account == *account),
            Some(places) => {
                let Places { table, hasher } = &**places;
                table.find(hasher.hash_one(account.0), |place| self.list[*place].account == *account).copied()
            }
        }
    }

    /// As [`Effects::place`], of an account that lies somewhere.
    #[inline(always)]
    fn place_of(&self, seen: Seen, account: &AccountId) -> Option<usize> {
        if self.places.is_some() {
            return self.place(account);
        }
        // It may have been seen before the overlay began anew.
        let is_same = |effect: &Effect| effect.seen == seen || effect.account == *account;
        self.list.iter().position(is_same)
    }

    /// Makes the last account found by its id, once there are more than a few.
    #[cold]
    fn file(&mut self) {
        let Effects { list, places, .. } = self;
        let Places { table, hasher } = &mut **places.get_or_insert_default();
        let hash = |place: &usize| hasher.hash_one(list[*place].account.0);
        let first = table.len();
        if first == 0 {
            table.reserve(list.capacity(), hash);
        }
        (first..list.len()).for_each(|place| _ = table.insert_unique(hash(&place), place, hash));
    }
}

/// Of accounts that say no the one with the lowest id is heard.
#[derive(Default)]
pub(super) struct Heard(Option<Box<(AccountId, Refusal)>>);

impl Heard {
    /// Takes down what an account says.
    pub fn note(&mut self, account: AccountId, refusal: Refusal) {
        if self.0.as_ref().is_none_or(|heard| account < heard.0) {
            self.0 = Some(Box::new((account, refusal)));
        }
    }

    /// As [`Heard::note`], where the store may have failed instead.
    pub fn note_stop(&mut self, account: AccountId, said: Result<(), Stop>) -> Result<(), Fault> {
        match said {
            Ok(()) => Ok(()),
            Err(Stop::Fault(fault)) => Err(fault),
            Err(Stop::Refused(refusal)) => {
                self.note(account, refusal);
                Ok(())
            }
        }
    }

    /// Ends the hearing.
    ///
    /// # Errors
    /// What the account with the lowest id said, if one said no.
    pub fn end(self) -> Result<(), Refusal> {
        self.0.map_or(Ok(()), |heard| Err(heard.1))
    }
}

impl PartialEq for Effects {
    fn eq(&self, other: &Effects) -> bool {
        self.list == other.list
    }
}

impl std::fmt::Debug for Effects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
