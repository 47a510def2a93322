//! Value dates: how far ahead, how far back, and on whose word.

use super::account::bank_of;
use super::effect::Effects;
use super::plan::Draft;
use crate::fault::Stop;
use crate::state::Overlay;
use crate::state::record::{AccountCodeRecord, ClosedBooksRecord, key};
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
    /// The asker, also back from the business date: staff of these banks signed.
    Staff {
        /// VALUE_DATE_AHEAD_DAYS.
        ahead_days: u16,
        /// Banks whose operations signed, in two persons outside a sandbox.
        banks: Vec<PartyId>,
    },
}

/// The day that a draft counts from.
pub(super) fn judge(state: &Overlay<'_>, draft: &Draft, effects: &Effects) -> Result<Date, Stop> {
    let (given, today) = (draft.value_date, draft.today);
    let ahead_days = match &draft.dated_by {
        DatedBy::Chain if given >= today => return Ok(given),
        DatedBy::Chain => return first_open(state, given, effects),
        DatedBy::Asker { ahead_days } | DatedBy::Staff { ahead_days, .. } => *ahead_days,
    };
    let latest = today.add_days(i32::from(ahead_days));
    if given > latest {
        return Err(Refusal::ValueDateAhead { given, latest }.into());
    }
    if given >= today {
        return Ok(given);
    }
    let DatedBy::Staff { banks, .. } = &draft.dated_by else {
        return Err(Refusal::ValueDatePast { given, earliest: today }.into());
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

/// The first day from a day on whose books every bank concerned still has open.
fn first_open(state: &Overlay<'_>, given: Date, effects: &Effects) -> Result<Date, Stop> {
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
    for (account, effect) in effects.iter() {
        if effect.before.kind != AccountKind::Control {
            banks.insert(*account, (bank_of(state, &effect.before.owner)?, effect.before.code));
        }
    }
    Ok(banks)
}
