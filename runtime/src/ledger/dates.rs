//! Value dates: how far ahead, how far back, and on whose word.

use super::account::bank_of;
use super::effect::Effects;
use super::plan::Draft;
use crate::fault::Stop;
use crate::state::Overlay;
use crate::state::record::{AccountCodeRecord, AccountRecord, ClosedBooksRecord, key};
use std::collections::BTreeMap;
use tenor_abi::date::Date;
use tenor_abi::id::{AccountId, PartyId};
use tenor_abi::refusal::Refusal;
use tenor_abi::role::Role;
use tenor_wire::op::AccountKind;

/// Who says from which day an entry counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DatedBy {
    /// The chain: an occurrence that may be late. In a closed period it takes the first open day.
    Chain,
    /// The asker, from the business date on; at most so many days ahead.
    Asker {
        /// VALUE_DATE_AHEAD_DAYS.
        ahead_days: u16,
    },
    /// An agreement whose occurrence runs late, from its due date on; in a closed period it takes the first open day.
    Late {
        /// The due date.
        due: Date,
        /// VALUE_DATE_AHEAD_DAYS after it.
        ahead_days: u16,
    },
    /// The asker, also back from the business date: staff of these banks signed.
    Staff {
        /// VALUE_DATE_AHEAD_DAYS.
        ahead_days: u16,
        /// Banks whose operations signed, in two persons outside a sandbox.
        banks: Vec<PartyId>,
    },
}

/// The day whose period of a grant a draft counts in. What is dated ahead leaves the account now, so that a later
/// value date opens no further period; what is late counts where it was due, whatever was closed since.
pub(super) fn counted_on(draft: &Draft) -> Date {
    match draft.dated_by {
        DatedBy::Late { due, .. } => draft.value_date.min(due),
        _ => draft.value_date.min(draft.today),
    }
}

/// The day that a draft counts from.
pub(super) fn judge(state: &Overlay<'_>, draft: &Draft, effects: &Effects) -> Result<Date, Stop> {
    let (given, today) = (draft.value_date, draft.today);
    let (first, ahead_days) = match &draft.dated_by {
        DatedBy::Chain => return first_open(state, given, today, effects),
        DatedBy::Late { due, ahead_days } => (*due, *ahead_days),
        DatedBy::Asker { ahead_days } | DatedBy::Staff { ahead_days, .. } => (today, *ahead_days),
    };
    let latest = first.add_days(i32::from(ahead_days));
    if given > latest {
        return Err(Refusal::ValueDateAhead { given, latest }.into());
    }
    let banks = match &draft.dated_by {
        DatedBy::Staff { banks, .. } if given < first => banks,
        _ if given < first => return Err(Refusal::ValueDatePast { given, earliest: first }.into()),
        _ => return first_open(state, given, today, effects),
    };
    for (account, (bank, code)) in touched_banks(state, effects)? {
        if !banks.contains(&bank) {
            return Err(Refusal::RoleMissing { role: Role::Operations, bank }.into());
        }
        let window: Option<AccountCodeRecord> = state.get(&key::account_code(&bank, code))?;
        let earliest = today.add_days(-window.map_or(0, |code| i32::from(code.back_days)));
        if given < earliest {
            return Err(Refusal::BeforeWindow { account, given, earliest }.into());
        }
        if let Some(closed_until) = closed_until(state, &bank)?.filter(|until| given <= *until) {
            return Err(Refusal::PeriodClosed { bank, given, closed_until }.into());
        }
    }
    Ok(given)
}

/// The first day from a day on whose books every bank concerned still has open. Those of today and later are.
fn first_open(state: &Overlay<'_>, given: Date, today: Date, effects: &Effects) -> Result<Date, Stop> {
    if given >= today {
        return Ok(given);
    }
    let mut date = given;
    for (bank, _) in touched_banks(state, effects)?.into_values() {
        if let Some(until) = closed_until(state, &bank)? {
            date = date.max(until.add_days(1));
        }
    }
    Ok(date)
}

/// The last day whose books a bank has closed, if it ever closed any.
pub(super) fn closed_until(state: &Overlay<'_>, bank: &PartyId) -> Result<Option<Date>, Stop> {
    Ok(state.get::<ClosedBooksRecord>(&bank.0)?.map(|closed| closed.until))
}

fn touched_banks(
    state: &Overlay<'_>,
    effects: &Effects,
) -> Result<BTreeMap<AccountId, (PartyId, u16)>, Stop> {
    let mut banks = BTreeMap::new();
    for effect in effects.iter() {
        let shown = |before: &AccountRecord| (before.kind, before.owner, before.code);
        let (kind, owner, code) = state.account_at(effect.seen, &effect.account, shown)?;
        if kind != AccountKind::Control {
            banks.insert(effect.account, (bank_of(state, &owner)?, code));
        }
    }
    Ok(banks)
}
