//! Who may take money from an account, and how much.

use super::plan::Plan;
use crate::fault::Stop;
use crate::state::Overlay;
use crate::state::record::{AgreementRecord, GrantRecord, Holder, key};
use std::collections::BTreeMap;
use tenor_abi::date::Date;
use tenor_abi::id::{AccountId, AgreementId, PartyId};
use tenor_abi::refusal::Refusal;
use tenor_abi::spec::Period;
use tenor_wire::op::Spend;
use tenor_wire::receipt::EntrySource;

/// Most periods of a grant whose use is remembered; a value date before them is refused.
const PERIODS_KEPT: usize = 24;

/// Who signed an item, what they allowed, and what of it is used.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct Signed {
    /// The parties, ascending; none for an occurrence.
    pub parties: Vec<PartyId>,
    /// The most that each account of theirs may lose over the item.
    pub spend_max: Vec<Spend>,
    /// The agreement that the item calls itself, if it calls one.
    pub top: Option<AgreementId>,
    spent: BTreeMap<AccountId, u128>,
}

impl Signed {
    /// The authority of an item with signers.
    pub fn by(mut parties: Vec<PartyId>, spend_max: Vec<Spend>, top: Option<AgreementId>) -> Signed {
        parties.sort();
        Signed { parties, spend_max, top, spent: BTreeMap::new() }
    }

    /// Whether a party signed.
    pub fn has(&self, party: &PartyId) -> bool {
        self.parties.binary_search(party).is_ok()
    }

    /// Counts what a booked plan took.
    pub(super) fn count(&mut self, plan: &Plan) {
        for (account, amount) in &plan.spent {
            *self.spent.entry(*account).or_default() += amount;
        }
    }

    fn bound(&self, account: &AccountId) -> Option<u128> {
        self.spend_max.iter().find(|spend| spend.account == *account).map(|spend| spend.amount)
    }
}

/// An account is debited only by its owner's own operation, by the agreement that the owner called and listed
/// the account for, under a grant, or as the agreement's own book.
pub(super) fn check_debits(state: &Overlay<'_>, plan: &mut Plan, signed: &Signed) -> Result<(), Stop> {
    let agreement = match plan.draft.source {
        EntrySource::Party => None,
        EntrySource::Agreement { agreement, .. } => Some(agreement),
    };
    let debited: Vec<(AccountId, Holder, u128)> = plan
        .effects
        .iter()
        .filter_map(|(account, effect)| {
            let change = effect.after.balance() - effect.before.balance();
            (change < 0).then_some((*account, effect.before.owner, change.unsigned_abs()))
        })
        .collect();
    for (account, owner, amount) in debited {
        let owner = match owner {
            Holder::Agreement(book) if Some(book) == agreement => continue,
            Holder::Agreement(_) => return Err(Refusal::DebitNotAllowed { account }.into()),
            Holder::Party(party) => party,
        };
        let owner_signed = signed.has(&owner);
        if owner_signed {
            check_spend(plan, signed, account, amount)?;
        }
        let own_item = owner_signed && (agreement.is_none() || agreement == signed.top);
        if !own_item {
            let agreement = agreement.ok_or(Refusal::DebitNotAllowed { account })?;
            use_grant(state, plan, &agreement, account, amount)?;
        }
    }
    Ok(())
}

fn check_spend(plan: &mut Plan, signed: &Signed, account: AccountId, amount: u128) -> Result<(), Refusal> {
    let bound = signed.bound(&account).unwrap_or(0);
    let asked = signed.spent.get(&account).copied().unwrap_or(0) + amount;
    if asked > bound {
        return Err(Refusal::SpendMax { account, bound, asked });
    }
    plan.spent.push((account, amount));
    Ok(())
}

fn use_grant(
    state: &Overlay<'_>,
    plan: &mut Plan,
    agreement: &AgreementId,
    account: AccountId,
    amount: u128,
) -> Result<(), Stop> {
    let row = key::grant(&account, agreement);
    let none = || Refusal::DebitNotAllowed { account };
    let mut grant: GrantRecord = state.get(&row)?.ok_or_else(none)?;
    let record: AgreementRecord = state.get(&agreement.0)?.ok_or_else(none)?;
    let expired = grant.expires_at.is_some_and(|end| end < plan.draft.booked_at);
    if expired || record.code != grant.code {
        return Err(none().into());
    }
    let start = period_start(grant.period, plan.draft.value_date);
    let place = grant.used.partition_point(|(first, _)| *first < start);
    if grant.used.get(place).is_none_or(|(first, _)| *first != start) {
        if place == 0 && grant.used.len() == PERIODS_KEPT {
            return Err(none().into());
        }
        grant.used.insert(place, (start, 0));
    }
    let used = grant.used[place].1;
    if amount > grant.per_entry || used + amount > grant.per_period {
        let max = if amount > grant.per_entry { grant.per_entry } else { grant.per_period };
        return Err(Refusal::GrantExceeded { account, max, used, asked: amount }.into());
    }
    grant.used[place].1 += amount;
    if grant.used.len() > PERIODS_KEPT {
        grant.used.remove(0);
    }
    plan.grants.push((row, grant));
    Ok(())
}

/// The first day of the period that a day lies in.
pub fn period_start(period: Period, day: Date) -> Date {
    match period {
        Period::Day => day,
        Period::Week => day.add_days(-i32::from(day.weekday().days_from_monday())),
        Period::Month => day.add_days(1 - i32::from(day.day())),
        Period::Year => Date::of(day.year(), 1, 1),
        Period::Lifetime => Date::of(1970, 1, 1),
    }
}
