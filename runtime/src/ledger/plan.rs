//! Judging an entry: every rule, no write.

use super::POSTINGS_MAX;
use super::authority::{self, Signed};
use crate::fault::Stop;
use crate::state::Overlay;
use crate::state::record::{AccountRecord, AgreementRecord, ExposureRecord, GrantRecord, Holder, key};
use std::collections::BTreeMap;
use tenor_abi::date::{Date, Timestamp};
use tenor_abi::entry::{EntryId, Side};
use tenor_abi::id::{AccountId, AgreementId, AssetId, Hash, PartyId};
use tenor_abi::limit::{AMOUNT_MAX, COUNTER_MAX};
use tenor_abi::money::Code;
use tenor_abi::refusal::Refusal;
use tenor_wire::receipt::EntrySource;

/// One line of a draft.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Line {
    /// Where.
    pub account: AccountId,
    /// Debit or credit.
    pub side: Side,
    /// Minor units.
    pub minor: i128,
    /// The currency that the asker means, checked against the account's; none where the asker named an asset.
    pub code: Option<Code>,
}

/// An entry that is asked for.
#[derive(Clone, PartialEq, Debug)]
pub struct Draft {
    /// Its name, once booked.
    pub id: EntryId,
    /// Who asks.
    pub source: EntrySource,
    /// Block time.
    pub booked_at: Timestamp,
    /// The day it counts from.
    pub value_date: Date,
    /// Its lines.
    pub lines: Vec<Line>,
    /// Commitment to a narrative.
    pub narrative: Option<Hash>,
    /// Commitment to a reference.
    pub reference: Option<Hash>,
}

/// What an entry does to one account.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Effect {
    pub before: AccountRecord,
    pub after: AccountRecord,
}

/// An entry that was judged and may be booked, as long as nothing else was written since.
#[derive(Clone, PartialEq, Debug)]
pub struct Plan {
    pub(super) draft: Draft,
    pub(super) effects: BTreeMap<AccountId, Effect>,
    pub(super) grants: Vec<(Vec<u8>, GrantRecord)>,
    pub(super) exposures: BTreeMap<Vec<u8>, ExposureRecord>,
    /// What the signers' accounts lose, to be counted against `spend_max`.
    pub(super) spent: Vec<(AccountId, u128)>,
}

/// Judges a draft.
///
/// # Errors
/// [`Stop::Refused`] with the first rule that is broken, in the order: shape, accounts, balance of each
/// asset, authority, limits, exposure.
pub fn plan(state: &Overlay<'_>, draft: Draft, signed: &Signed) -> Result<Plan, Stop> {
    check_shape(&draft)?;
    let effects = apply_lines(state, &draft)?;
    check_balance(&draft, &effects)?;
    let mut plan = Plan { draft, effects, grants: vec![], exposures: BTreeMap::new(), spent: vec![] };
    authority::check_debits(state, &mut plan, signed)?;
    plan.effects.iter().try_for_each(|(account, effect)| check_limits(account, effect))?;
    check_exposure(state, &mut plan)?;
    Ok(plan)
}

fn check_shape(draft: &Draft) -> Result<(), Refusal> {
    if draft.lines.len() < 2 || draft.lines.len() > POSTINGS_MAX {
        return Err(Refusal::BadPostings { given: draft.lines.len() as u32 });
    }
    match draft.lines.iter().find(|line| line.minor < 1 || line.minor.unsigned_abs() > AMOUNT_MAX) {
        Some(line) => Err(Refusal::BadAmount { minor: line.minor }),
        None => Ok(()),
    }
}

fn apply_lines(state: &Overlay<'_>, draft: &Draft) -> Result<BTreeMap<AccountId, Effect>, Stop> {
    let mut effects: BTreeMap<AccountId, Effect> = BTreeMap::new();
    let mut sides: BTreeMap<AccountId, Side> = BTreeMap::new();
    for line in &draft.lines {
        let account = line.account;
        if *sides.entry(account).or_insert(line.side) != line.side {
            return Err(Refusal::SameAccount { account }.into());
        }
        let effect = match effects.entry(account) {
            std::collections::btree_map::Entry::Occupied(found) => found.into_mut(),
            std::collections::btree_map::Entry::Vacant(place) => {
                let before: AccountRecord =
                    state.get(&account.0)?.ok_or(Refusal::UnknownAccount { account })?;
                place.insert(Effect { after: before.clone(), before })
            }
        };
        let needed = effect.before.currency.code;
        match line.code {
            Some(given) if given != needed => {
                return Err(Refusal::WrongCurrency { account, given, needed }.into());
            }
            _ => {}
        }
        let counter = match line.side {
            Side::Debit => &mut effect.after.debits_posted,
            Side::Credit => &mut effect.after.credits_posted,
        };
        *counter += line.minor.unsigned_abs();
        if *counter > COUNTER_MAX {
            return Err(Refusal::CounterFull { account }.into());
        }
    }
    Ok(effects)
}

fn check_balance(draft: &Draft, effects: &BTreeMap<AccountId, Effect>) -> Result<(), Refusal> {
    let mut sums: BTreeMap<AssetId, (u128, u128)> = BTreeMap::new();
    for line in &draft.lines {
        let sum = sums.entry(effects[&line.account].before.asset).or_default();
        match line.side {
            Side::Debit => sum.0 += line.minor.unsigned_abs(),
            Side::Credit => sum.1 += line.minor.unsigned_abs(),
        }
    }
    match sums.into_iter().find(|(_, (debits, credits))| debits != credits) {
        Some((asset, (debits, credits))) => Err(Refusal::Unbalanced { asset, debits, credits }),
        None => Ok(()),
    }
}

fn check_limits(account: &AccountId, effect: &Effect) -> Result<(), Refusal> {
    let (account, before, after) = (*account, &effect.before, &effect.after);
    let change = after.balance() - before.balance();
    if before.closed {
        return Err(Refusal::Closed { account });
    }
    if change < 0 {
        if before.frozen_out {
            return Err(Refusal::Frozen { account, outgoing: true });
        }
        if after.balance() - (after.debits_pending as i128) < after.floor {
            let needed = change.unsigned_abs();
            return Err(Refusal::InsufficientFunds { account, available: before.available(), needed });
        }
    }
    if change > 0 {
        if before.frozen_in {
            return Err(Refusal::Frozen { account, outgoing: false });
        }
        if let Some(ceiling) = after.ceiling.filter(|ceiling| after.balance() > *ceiling) {
            return Err(Refusal::AboveCeiling { account, ceiling, would_be: after.balance() });
        }
    }
    Ok(())
}

/// The exposure of (bank, product, asset) is the sum over the product's agreements of what all books of the
/// agreement together are below zero.
fn check_exposure(state: &Overlay<'_>, plan: &mut Plan) -> Result<(), Stop> {
    let mut touched: BTreeMap<(AgreementId, AssetId), i128> = BTreeMap::new();
    for effect in plan.effects.values() {
        if let Holder::Agreement(agreement) = effect.before.owner {
            *touched.entry((agreement, effect.before.asset)).or_default() +=
                effect.after.balance() - effect.before.balance();
        }
    }
    for ((agreement, asset), change) in touched {
        if change == 0 {
            continue;
        }
        let Some((bank, product)) = product_of(state, &agreement)? else { continue };
        let row = key::exposure(&bank, &asset, &product);
        let kept = match plan.exposures.get(&row) {
            Some(planned) => Some(planned.clone()),
            None => state.get::<ExposureRecord>(&row)?,
        };
        // A product without a limit in this asset has no book in it that may go below zero.
        let Some(mut exposure) = kept else { continue };
        let before = super::account::books_total(state, &agreement, &asset)?;
        let below = |total: i128| total.min(0).unsigned_abs();
        let (was, will) = (below(before), below(before + change));
        exposure.used = exposure.used + will - was;
        if will > was && exposure.used > exposure.limit {
            let (limit, would_be) = (exposure.limit, exposure.used);
            return Err(Refusal::ExposureExceeded { asset, limit, would_be }.into());
        }
        plan.exposures.insert(row, exposure);
    }
    Ok(())
}

fn product_of(state: &Overlay<'_>, agreement: &AgreementId) -> Result<Option<(PartyId, String)>, Stop> {
    let Some(record) = state.get::<AgreementRecord>(&agreement.0)? else { return Ok(None) };
    let contract = state.get::<crate::state::record::ContractRecord>(&record.code.0)?;
    Ok(contract.map(|contract| (record.bank, contract.name)))
}
