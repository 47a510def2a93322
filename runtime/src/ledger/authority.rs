//! Who may take money from an account, and how much.

use super::plan::Plan;
use crate::fault::Stop;
use crate::state::Overlay;
use crate::state::record::{AccountRecord, AgreementRecord, AssetRecord, GrantRecord, Holder, key};
use tenor_abi::date::Date;
use tenor_abi::id::{AccountId, AgreementId, AssetId, PartyId};
use tenor_abi::refusal::Refusal;
use tenor_abi::spec::Period;
use tenor_wire::op::{AccountKind, Spend};
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
    /// Banks whose operations staff signed, in two persons outside a sandbox; asked for only where it counts.
    pub staff: Vec<PartyId>,
    /// At most one for each account of `spend_max`.
    spent: Vec<(AccountId, u128)>,
    /// What was promised by grants: all of a period.
    promised: Vec<(AccountId, u128)>,
}

impl Signed {
    /// The authority of an item with signers.
    pub fn by(mut parties: Vec<PartyId>, spend_max: Vec<Spend>, top: Option<AgreementId>) -> Signed {
        parties.sort();
        Signed { parties, spend_max, top, staff: vec![], spent: vec![], promised: vec![] }
    }

    /// Whether a party signed.
    pub fn has(&self, party: &PartyId) -> bool {
        self.parties.binary_search(party).is_ok()
    }

    /// Counts what an agreement may take by itself from now on.
    pub fn promise(&mut self, account: AccountId, amount: u128) {
        self.promised.push((account, amount));
    }

    /// What was spent and promised so far, account by account; one may stand several times.
    pub fn taken(&self) -> impl Iterator<Item = &(AccountId, u128)> {
        self.spent.iter().chain(&self.promised)
    }

    /// Counts what a booked plan took.
    pub(super) fn count(&mut self, plan: &Plan) {
        for (account, amount) in &plan.spent {
            match self.spent.iter_mut().find(|(other, _)| other == account) {
                Some((_, sum)) => *sum += amount,
                None => self.spent.push((*account, *amount)),
            }
        }
    }

    /// Whether the issuer of an asset signed, by itself or by its staff.
    fn has_issuer(&self, asset: &AssetRecord) -> bool {
        self.has(&asset.issuer) || self.staff.contains(&asset.issuer)
    }

    fn spent(&self, account: &AccountId) -> u128 {
        self.spent.iter().find(|(other, _)| other == account).map_or(0, |(_, sum)| *sum)
    }

    fn bound(&self, account: &AccountId) -> Option<u128> {
        self.spend_max.iter().find(|spend| spend.account == *account).map(|spend| spend.amount)
    }
}

/// An account is debited only by its owner's own operation, by the agreement that the owner called and listed
/// the account for, under a grant, as the agreement's own book, or by the issuer where the asset's terms allow
/// clawback. What is set aside counts like a debit; a grant is used in the period of `counted_on`. Money comes into
/// being and ends only where the issuer signs.
pub(super) fn check_debits(
    state: &Overlay<'_>,
    plan: &mut Plan,
    signed: &Signed,
    counted_on: Date,
) -> Result<(), Stop> {
    let agreement = match plan.draft.source {
        EntrySource::Party => None,
        EntrySource::Agreement { agreement, .. } => Some(agreement),
    };
    let mut issuing = vec![];
    let mut debited: Vec<(AccountId, Holder, AssetId, u128)> = Vec::with_capacity(1);
    for (account, effect) in plan.effects.iter() {
        if effect.before.kind == AccountKind::Issuance {
            issuing.push((account, &effect.before));
        }
        let taken = effect.taken();
        if taken > 0 {
            debited.push((*account, effect.before.owner, effect.before.asset, taken));
        }
    }
    // Of several accounts that say no the one with the lowest id is heard.
    issuing.sort_unstable_by_key(|(account, _)| **account);
    debited.sort_unstable_by_key(|(account, ..)| *account);
    issuing.into_iter().try_for_each(|(account, before)| check_issuer(state, account, before, signed))?;
    for (account, owner, asset, amount) in debited {
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
            match agreement {
                Some(agreement) => use_grant(state, plan, &agreement, (account, amount), counted_on)?,
                None => check_clawback(state, account, &asset, signed)?,
            }
        }
    }
    Ok(())
}

fn check_issuer(
    state: &Overlay<'_>,
    account: &AccountId,
    record: &AccountRecord,
    signed: &Signed,
) -> Result<(), Stop> {
    let asset: AssetRecord =
        state.get(&record.asset.0)?.ok_or(Refusal::UnknownAsset { asset: record.asset })?;
    if signed.has_issuer(&asset) {
        return Ok(());
    }
    Err(Refusal::IssuerOnly { account: *account, issuer: asset.issuer }.into())
}

/// A debit by the issuer, without the owner.
fn check_clawback(
    state: &Overlay<'_>,
    account: AccountId,
    asset: &AssetId,
    signed: &Signed,
) -> Result<(), Stop> {
    let record: AssetRecord = state.get(&asset.0)?.ok_or(Refusal::UnknownAsset { asset: *asset })?;
    if !signed.has_issuer(&record) {
        return Err(Refusal::DebitNotAllowed { account }.into());
    }
    if !record.clawback {
        return Err(Refusal::NotInAssetTerms { asset: *asset, what: "clawback".into() }.into());
    }
    Ok(())
}

fn check_spend(plan: &mut Plan, signed: &Signed, account: AccountId, amount: u128) -> Result<(), Refusal> {
    let bound = signed.bound(&account).unwrap_or(0);
    let asked = signed.spent(&account) + amount;
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
    (account, amount): (AccountId, u128),
    counted_on: Date,
) -> Result<(), Stop> {
    let row = key::grant(&account, agreement);
    let none = || Refusal::DebitNotAllowed { account };
    let mut grant: GrantRecord = state.get(&row)?.ok_or_else(none)?;
    let record: AgreementRecord = state.get(&agreement.0)?.ok_or_else(none)?;
    let expired = grant.expires_at.is_some_and(|end| end < plan.draft.booked_at);
    if expired || record.code != grant.code {
        return Err(none().into());
    }
    let start = period_start(grant.period, counted_on);
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
