//! A guard on an account: how a contract is a hook. Before an entry it judges, afterwards it is told.
//!
//! The owner of an account opens it, then attaches it to the account. A hook before an entry is a view: it sees what
//! the entry does to the account and may refuse. What it needs to know of earlier entries it is told after they were
//! booked, and keeps.
#![cfg_attr(target_family = "wasm", no_std)]

use tenor_sdk::prelude::*;

/// What the owner signs.
#[terms]
pub struct Terms {
    /// The guarded account.
    #[fixed]
    pub account: Account,
    /// The most that may leave it on a day by single orders.
    #[fixed]
    pub daily: Money,
}

/// Where the guard stands.
#[lifecycle]
pub enum State {
    /// It watches.
    #[initial]
    Watching,
    /// It lets everything pass, but goes on counting.
    Resting,
    /// Over.
    #[terminal]
    Ended,
}

/// Why it says no.
#[errors]
pub enum Refusal {
    /// More would leave on the day than the owner allowed.
    AboveDaily {
        /// What the owner allowed.
        daily: Money,
        /// What left before, as far as the guard was told.
        gone: Money,
    },
}

/// A guard on an account.
#[contract(id = "guard", version = "1.0.0", terms = Terms, state = State, errors = Refusal)]
pub struct Guard {
    /// What left the account, minor units, by value date.
    gone: Map<Date, i128>,
}

#[actions]
impl Guard {
    /// The owner sets it up.
    #[on(open, by = owner(terms.account))]
    fn open(&mut self, _cx: &mut Cx) {}

    /// Judges what would leave the account.
    #[on(before_entry, in_state(Watching))]
    fn judge(&self, cx: &View, entry: PlannedEntry) -> Result<(), Refusal> {
        let (daily, gone) = (cx.terms().daily, self.gone_on(entry.value_date));
        if entry.side == Side::Debit && gone + entry.total_minor() > daily.minor {
            return Err(Refusal::AboveDaily { daily, gone: daily.with_minor(gone) });
        }
        Ok(())
    }

    /// Counts what has left the account.
    #[on(after_entries)]
    fn count(&mut self, _cx: &mut Cx, booked: BookedEntries) {
        for line in booked.lines.iter().filter(|line| line.side == Side::Debit) {
            let gone = self.gone_on(line.value_date) + line.amount as i128;
            self.gone.set(&line.value_date, &gone);
        }
    }

    /// The owner lets everything pass for a while.
    #[action(by = owner(terms.account), from(Watching), to = Resting)]
    fn rest(&mut self, _cx: &mut Cx) {}

    /// The owner wants it to watch again.
    #[action(by = owner(terms.account), from(Resting), to = Watching)]
    fn watch(&mut self, _cx: &mut Cx) {}

    /// The owner ends it.
    #[exit]
    #[action(by = owner(terms.account), from(Watching, Resting), to = Ended)]
    fn end(&mut self, _cx: &mut Cx) {}

    /// What left the account on a day, minor units, as far as the guard was told.
    #[view]
    fn left_on(&self, _cx: &View, day: Date) -> i128 {
        self.gone_on(day)
    }
}

impl Guard {
    fn gone_on(&self, day: Date) -> i128 {
        self.gone.get(&day).unwrap_or(0)
    }
}
