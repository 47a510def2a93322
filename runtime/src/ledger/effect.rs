//! What an entry does to its accounts.

use super::POSTINGS_MAX;
use super::plan::Line;
use crate::fault::{Fault, Stop};
use crate::state::record::{AccountRecord, Counters, Holder, HookSet};
use crate::state::{FEW, Few, Guess, Overlay, Seen};
use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;
use tenor_abi::entry::Side;
use tenor_abi::id::{AccountId, AssetId};
use tenor_abi::limit::COUNTER_MAX;
use tenor_abi::money::Currency;
use tenor_abi::refusal::Refusal;
use tenor_wire::op::AccountKind;

/// What an entry does to one account.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Effect {
    /// Where the account lies, and the edition that was judged.
    pub seen: Seen,
    /// Its balance and what is set aside on it, before.
    before: (i128, u128),
    /// What it will count.
    pub after: Counters,
    /// In what it is kept.
    pub asset: AssetId,
    pub currency: Currency,
    /// What it is to the ledger.
    pub kind: AccountKind,
    /// Which hooks it has.
    pub hooks: HookSet,
    /// The side of the draft's lines on it, which all have the same.
    pub side: Option<Side>,
    /// Whether its owner signed, so that what it loses counts against what was allowed.
    pub by_signer: bool,
}

impl Effect {
    fn none(seen: Seen, record: &AccountRecord) -> Effect {
        let before = (record.balance(), record.counters.debits_pending);
        let AccountRecord { counters: after, asset, currency, kind, hooks, .. } = *record;
        Effect { seen, before, after, asset, currency, kind, hooks, side: None, by_signer: false }
    }

    /// What leaves the account or is set aside on it, minor units.
    pub fn taken(&self) -> u128 {
        let (balance, held) = self.before;
        let posted = balance - self.after.balance();
        posted.max(0).unsigned_abs() + self.after.debits_pending.saturating_sub(held)
    }

    /// What its balance less what is set aside rises by, minor units.
    pub fn change_of_unheld(&self) -> i128 {
        let (balance, held) = self.before;
        self.after.unheld() - (balance - held as i128)
    }

    /// Whether what is pending could be booked without a counter passing its largest value.
    pub fn has_room_for_pending(&self) -> bool {
        let Counters { debits_posted, debits_pending, credits_posted, credits_pending } = self.after;
        debits_posted + debits_pending <= COUNTER_MAX && credits_posted + credits_pending <= COUNTER_MAX
    }
}

/// What there is among the accounts of an entry, so that rules about others are not looked for.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub(super) struct Among {
    /// Accounts that money comes out of.
    pub issuance: bool,
    /// Accounts that a control account mirrors.
    pub mirrored: bool,
    /// Books of agreements.
    pub books: bool,
}

impl Among {
    fn note(&mut self, record: &AccountRecord) {
        self.issuance |= record.kind == AccountKind::Issuance;
        self.mirrored |= record.control.is_some();
        self.books |= matches!(record.owner, Holder::Agreement(_));
    }
}

/// The effects of an entry on its accounts, in the order in which these were first touched.
#[derive(Clone)]
pub(super) struct Effects {
    list: Vec<(AccountId, Effect)>,
    /// What there is among the accounts.
    pub among: Among,
    /// Where the account of each line stands, unless there are so few lines that it is looked for again.
    of_lines: Option<Vec<u32>>,
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
    /// The effect on the account of the next line of a draft, which may lie where it was found.
    pub fn touch_line(
        &mut self,
        state: &Overlay<'_>,
        line: &Line,
        found: Option<Guess>,
    ) -> Result<&mut Effect, Stop> {
        let at = self.touched(state, &line.account, found)?;
        if let Some(of_lines) = &mut self.of_lines {
            of_lines.push(at as u32);
        }
        Ok(&mut self.list[at].1)
    }

    /// The effect on an account, which begins as none.
    pub fn touch(&mut self, state: &Overlay<'_>, account: &AccountId) -> Result<&mut Effect, Stop> {
        let at = self.touched(state, account, None)?;
        Ok(&mut self.list[at].1)
    }

    fn touched(
        &mut self,
        state: &Overlay<'_>,
        account: &AccountId,
        guess: Option<Guess>,
    ) -> Result<usize, Stop> {
        if let Some(at) = self.place(account) {
            return Ok(at);
        }
        let Effects { list, among, .. } = self;
        let found = state.account(account, guess, |seen, record| {
            among.note(record);
            list.push((*account, Effect::none(seen, record)));
        })?;
        if found.is_none() {
            return Err(Refusal::UnknownAccount { account: *account }.into());
        }
        self.file();
        Ok(self.list.len() - 1)
    }

    /// Checks every account; of those that say no the one with the lowest id is heard.
    pub fn check(
        &mut self,
        mut rule: impl FnMut(&AccountId, &mut Effect) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let mut heard: Option<Box<(AccountId, Refusal)>> = None;
        for (account, effect) in &mut self.list {
            match rule(account, effect) {
                Ok(()) => {}
                Err(Stop::Fault(fault)) => return Err(fault.into()),
                Err(Stop::Refused(refusal)) => {
                    if heard.as_ref().is_none_or(|heard| *account < heard.0) {
                        heard = Some(Box::new((*account, refusal)));
                    }
                }
            }
        }
        heard.map_or(Ok(()), |heard| Err(heard.1.into()))
    }

    /// Opens every account for booking.
    ///
    /// # Errors
    /// [`Fault::Books`] where one is no longer what it was.
    pub fn open(&mut self, state: &mut Overlay<'_>) -> Result<(), Fault> {
        for (account, effect) in &mut self.list {
            let Some(seen) = state.open(effect.seen, account)? else {
                return Err(Fault::Books(format!("{account} changed between plan and booking")));
            };
            effect.seen = seen;
        }
        Ok(())
    }

    /// None, with room for those of so many lines.
    pub fn of_lines(lines: usize) -> Effects {
        let lines = lines.min(POSTINGS_MAX);
        let of_lines = (lines > FEW).then(|| Vec::with_capacity(lines));
        Effects { list: Vec::with_capacity(lines), among: Among::default(), of_lines, places: None }
    }

    /// The effect on the account of a line.
    pub fn at_line(&self, line: usize, account: &AccountId) -> Option<&Effect> {
        // In a short entry each line mostly has an account of its own.
        let guess = match &self.of_lines {
            None => Some(line),
            Some(of_lines) => of_lines.get(line).map(|at| *at as usize),
        };
        match guess.and_then(|at| self.list.get(at)) {
            Some((other, effect)) if other == account => Some(effect),
            _ => self.get(account),
        }
    }

    /// The effect on an account.
    pub fn get(&self, account: &AccountId) -> Option<&Effect> {
        self.place(account).map(|at| &self.list[at].1)
    }

    /// Every account and the effect on it.
    pub fn iter(&self) -> impl Iterator<Item = (&AccountId, &Effect)> {
        self.list.iter().map(|(account, effect)| (account, effect))
    }

    fn place(&self, account: &AccountId) -> Option<usize> {
        match &self.places {
            None => self.list.iter().position(|(other, _)| other == account),
            Some(places) => {
                let Places { table, hasher } = &**places;
                table.find(hasher.hash_one(account.0), |place| self.list[*place].0 == *account).copied()
            }
        }
    }

    /// Makes the last account found by its id, once there are more than a few.
    fn file(&mut self) {
        if self.list.len() <= FEW {
            return;
        }
        let Effects { list, places, .. } = self;
        let Places { table, hasher } = &mut **places.get_or_insert_default();
        let hash = |place: &usize| hasher.hash_one(list[*place].0.0);
        let first = table.len();
        if first == 0 {
            table.reserve(list.capacity(), hash);
        }
        (first..list.len()).for_each(|place| _ = table.insert_unique(hash(&place), place, hash));
    }
}

/// Where the accounts of the first few lines lie.
pub(super) fn found(state: &Overlay<'_>, lines: &[Line]) -> Few {
    state.find_few(lines.iter().map(|line| &line.account))
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
