//! Who may take money from an account, and how much.

use super::effect::{Effect, Effects, Heard};
use super::plan::Draft;
use crate::fault::Stop;
use crate::state::Overlay;
use crate::state::record::{AccountRecord, AgreementRecord, AssetRecord, GrantRecord, Holder, key};
use smallvec::SmallVec;
use tenor_abi::date::{Date, Timestamp};
use tenor_abi::id::{AccountId, AgreementId, AssetId, PartyId};
use tenor_abi::refusal::Refusal;
use tenor_abi::spec::Period;
use tenor_wire::op::{AccountKind, Spend};

/// Most periods of a grant whose use is remembered; a value date before them is refused.
const PERIODS_KEPT: usize = 24;

/// Who signed an item, what they allowed, and what of it is used.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct Signed {
    /// The parties, ascending; none for an occurrence.
    parties: SmallVec<[PartyId; 1]>,
    /// The agreement that the item calls itself, if it calls one.
    pub top: Option<AgreementId>,
    /// Banks whose operations staff signed, in two persons outside a sandbox; asked for only where it counts.
    pub staff: Vec<PartyId>,
    /// What accounts of theirs may lose over the item.
    allowed: SmallVec<[Allowance; 1]>,
    /// What was promised by grants: all of a period.
    promised: Vec<(AccountId, u128)>,
}

/// What an account may lose over an item, minor units.
#[derive(Clone, PartialEq, Debug)]
struct Allowance {
    account: AccountId,
    amount: u128,
    spent: u128,
}

impl Signed {
    /// The authority of an item with signers, who allow each of some accounts to lose so much.
    pub fn by<'p>(
        parties: impl IntoIterator<Item = &'p PartyId>,
        spend_max: &[Spend],
        top: Option<AgreementId>,
    ) -> Signed {
        let mut signed = Signed { top, ..Signed::default() };
        signed.add(parties, spend_max);
        signed
    }

    /// Adds signers, who allow each of some accounts to lose so much.
    #[inline(always)]
    pub fn add<'p>(&mut self, parties: impl IntoIterator<Item = &'p PartyId>, spend_max: &[Spend]) {
        // One by one is quicker than collecting, where there mostly is one.
        parties.into_iter().for_each(|party| self.parties.push(*party));
        self.parties.sort();
        for Spend { account, amount } in spend_max {
            self.allowed.push(Allowance { account: *account, amount: *amount, spent: 0 });
        }
    }

    /// The parties, ascending; none for an occurrence.
    pub fn parties(&self) -> &[PartyId] {
        &self.parties
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
    pub fn taken(&self) -> impl Iterator<Item = (AccountId, u128)> {
        let spent = self.allowed.iter().map(|allowed| (allowed.account, allowed.spent));
        spent.filter(|(_, spent)| *spent > 0).chain(self.promised.iter().copied())
    }

    /// Counts what booked effects took of what signers allowed.
    pub(super) fn count(&mut self, effects: &Effects) {
        for effect in effects.iter().filter(|effect| effect.by_signer) {
            let allowed = self.allowed.iter_mut().find(|allowed| allowed.account == effect.account);
            allowed.expect("what a signer's account loses is allowed").spent += effect.taken();
        }
    }

    /// Whether the issuer of an asset signed, by itself or by its staff.
    fn has_issuer(&self, asset: &AssetRecord) -> bool {
        self.has(&asset.issuer) || self.staff.contains(&asset.issuer)
    }

    fn check_spend(&self, account: &AccountId, amount: u128) -> Result<(), Refusal> {
        let allowed = self.allowed.iter().find(|allowed| allowed.account == *account);
        let (bound, spent) = allowed.map_or((0, 0), |allowed| (allowed.amount, allowed.spent));
        let asked = spent + amount;
        if asked > bound { Err(Refusal::SpendMax { account: *account, bound, asked }) } else { Ok(()) }
    }
}

/// A debit that neither the owner nor the account allows by itself: a grant is needed, or the asset's issuer.
pub(super) struct AskedDebit {
    pub account: AccountId,
    asset: AssetId,
    amount: u128,
}

impl AskedDebit {
    pub(super) fn of(effect: &Effect, before: &AccountRecord) -> AskedDebit {
        AskedDebit { account: effect.account, asset: before.asset, amount: effect.taken() }
    }
}

/// An account is debited only by its owner's own operation, by the agreement that the owner called and listed
/// the account for, under a grant, as the agreement's own book, or by the issuer where the asset's terms allow
/// clawback. What is set aside counts like a debit. Whether it may be; where not, it must be asked about ([`ask`]).
#[inline(always)]
pub(super) fn may_debit(
    before: &AccountRecord,
    effect: &mut Effect,
    agreement: Option<&AgreementId>,
    signed: &Signed,
) -> Result<bool, Refusal> {
    let amount = effect.taken();
    if amount == 0 {
        return Ok(true);
    }
    let owner = match &before.owner {
        Holder::Agreement(book) if Some(book) == agreement => return Ok(true),
        Holder::Agreement(_) => return Err(Refusal::DebitNotAllowed { account: effect.account }),
        Holder::Party(party) => party,
    };
    effect.by_signer = signed.has(owner);
    if effect.by_signer {
        signed.check_spend(&effect.account, amount)?;
        return Ok(agreement.is_none() || agreement == signed.top.as_ref());
    }
    Ok(false)
}

/// Asks about a debit: an agreement's grant, as it is after its use in the period of `counted_on`; without an agreement
/// whether the issuer may take it back.
pub(super) fn ask(
    state: &Overlay<'_>,
    draft: &Draft,
    asked: &AskedDebit,
    signed: &Signed,
    counted_on: Date,
) -> Result<Option<(Vec<u8>, GrantRecord)>, Stop> {
    let AskedDebit { account, asset, amount } = *asked;
    match draft.source.agreement() {
        Some(agreement) => use_grant(state, draft, agreement, (account, amount), counted_on).map(Some),
        None => check_clawback(state, account, &asset, signed).map(|()| None),
    }
}

/// Money comes into being and ends only where the issuer signs.
pub(super) fn check_issuance(state: &Overlay<'_>, effects: &Effects, signed: &Signed) -> Result<(), Stop> {
    let mut heard = Heard::default();
    for Effect { account, seen, .. } in effects.iter() {
        let (kind, asset) = state.account_at(*seen, account, |before| (before.kind, before.asset))?;
        if kind == AccountKind::Issuance {
            heard.note_stop(*account, check_issuer(state, account, asset, signed))?;
        }
    }
    Ok(heard.end()?)
}

/// An agreement may debit an account at all: it is its own book, its owner signed and listed it, or there is a grant.
/// How much is judged with the entry ([`may_debit`]).
///
/// # Errors
/// Refused as the entry would be.
pub fn check_may_debit(
    state: &Overlay<'_>,
    agreement: &AgreementId,
    account: AccountId,
    minor: i128,
    now: Timestamp,
    signed: &Signed,
) -> Result<(), Stop> {
    let record: Option<AccountRecord> = state.get(&account.0)?;
    let owner = match record.ok_or(Refusal::UnknownAccount { account })?.owner {
        Holder::Agreement(book) if book == *agreement => return Ok(()),
        Holder::Agreement(_) => return Err(Refusal::DebitNotAllowed { account }.into()),
        Holder::Party(party) => party,
    };
    if signed.has(&owner) {
        if !signed.allowed.iter().any(|allowed| allowed.account == account && allowed.amount > 0) {
            let asked = minor.max(0).unsigned_abs();
            return Err(Refusal::SpendMax { account, bound: 0, asked }.into());
        }
        if signed.top == Some(*agreement) {
            return Ok(());
        }
    }
    granted(state, agreement, account, now).map(|_| ())
}

fn check_issuer(
    state: &Overlay<'_>,
    account: &AccountId,
    asset: AssetId,
    signed: &Signed,
) -> Result<(), Stop> {
    let record: AssetRecord = state.get(&asset.0)?.ok_or(Refusal::UnknownAsset { asset })?;
    if signed.has_issuer(&record) {
        return Ok(());
    }
    Err(Refusal::IssuerOnly { account: *account, issuer: record.issuer }.into())
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

/// The grant under which an agreement may debit an account.
fn granted(
    state: &Overlay<'_>,
    agreement: &AgreementId,
    account: AccountId,
    now: Timestamp,
) -> Result<(Vec<u8>, GrantRecord), Stop> {
    let row = key::grant(&account, agreement);
    let none = || Refusal::DebitNotAllowed { account };
    let grant: GrantRecord = state.get(&row)?.ok_or_else(none)?;
    let record: AgreementRecord = state.get(&agreement.0)?.ok_or_else(none)?;
    let expired = grant.expires_at.is_some_and(|end| end < now);
    if expired || record.code != grant.code {
        return Err(none().into());
    }
    Ok((row, grant))
}

/// A grant after an agreement used it.
fn use_grant(
    state: &Overlay<'_>,
    draft: &Draft,
    agreement: &AgreementId,
    (account, amount): (AccountId, u128),
    counted_on: Date,
) -> Result<(Vec<u8>, GrantRecord), Stop> {
    let none = || Refusal::DebitNotAllowed { account };
    let (row, mut grant) = granted(state, agreement, account, draft.booked_at)?;
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
    Ok((row, grant))
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
