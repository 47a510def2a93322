//! Judging an entry: every rule, no write.

use super::account::check_currency;
use super::authority::{self, Signed};
use super::dates::{self, DatedBy};
use super::effect::{Effect, Effects, found};
use super::{CONTROL_DEPTH_MAX, POSTINGS_MAX};
use crate::fault::{Fault, Stop};
use crate::state::record::{
    AccountRecord, AgreementRecord, CorrectionRecord, ExposureRecord, GrantRecord, HoldRecord, Holder, key,
};
use crate::state::{FEW, Few, Overlay};
use std::collections::BTreeMap;
use tenor_abi::date::{Date, Timestamp};
use tenor_abi::entry::{EntryId, Side};
use tenor_abi::id::{AccountId, AgreementId, AssetId, Hash, PartyId};
use tenor_abi::limit::{AMOUNT_MAX, COUNTER_MAX};
use tenor_abi::money::Currency;
use tenor_abi::refusal::Refusal;
use tenor_wire::op::AccountKind;
use tenor_wire::receipt::{Act, EntrySource};

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
    pub currency: Option<Currency>,
}

/// An entry that is asked for.
#[derive(Clone, PartialEq, Debug)]
pub struct Draft {
    /// Its name, once booked.
    pub id: EntryId,
    /// Who asks.
    pub source: EntrySource,
    /// What it is.
    pub act: Act,
    /// Block time.
    pub booked_at: Timestamp,
    /// The asker's business date; in a handler the due date.
    pub today: Date,
    /// The day it counts from.
    pub value_date: Date,
    /// Who says so.
    pub dated_by: DatedBy,
    /// Its lines.
    pub lines: Vec<Line>,
    /// Commitment to a narrative.
    pub narrative: Option<Hash>,
    /// Commitment to a reference.
    pub reference: Option<Hash>,
}

/// An entry that was judged and may be booked, as long as nothing else was written since.
#[derive(Clone, PartialEq, Debug)]
pub struct Plan<'d> {
    pub(super) draft: &'d Draft,
    /// The day that it counts from, which may be another one than what was asked for.
    pub(super) value_date: Date,
    pub(super) effects: Effects,
    /// What it changes besides the accounts of its lines; most entries change nothing.
    pub(super) beside: Option<Box<Beside>>,
}

/// What an entry changes besides the accounts of its lines.
#[derive(Clone, Default, PartialEq, Debug)]
pub(super) struct Beside {
    /// What control accounts mirror, ascending by account and side.
    pub linked: Vec<Line>,
    pub grants: Vec<(Vec<u8>, GrantRecord)>,
    pub exposures: Vec<(Vec<u8>, ExposureRecord)>,
    pub holds: Vec<(Vec<u8>, HoldRecord)>,
    pub corrections: Vec<(Vec<u8>, CorrectionRecord)>,
}

impl Beside {
    const NOTHING: &Beside =
        &Beside { linked: vec![], grants: vec![], exposures: vec![], holds: vec![], corrections: vec![] };
}

impl<'d> Plan<'d> {
    /// Of a draft that is to be judged.
    pub(super) fn of(draft: &'d Draft) -> Plan<'d> {
        let effects = Effects::of_lines(draft.lines.len());
        Plan { draft, value_date: draft.value_date, effects, beside: None }
    }

    /// What it changes besides the accounts of its lines.
    pub(super) fn beside(&self) -> &Beside {
        self.beside.as_deref().unwrap_or(Beside::NOTHING)
    }

    /// The same, to be added to.
    pub(super) fn beside_mut(&mut self) -> &mut Beside {
        self.beside.get_or_insert_default()
    }
}

/// Judges a draft whose lines are booked: a posting or a correction.
///
/// # Errors
/// [`Stop::Refused`] with the first rule that is broken, in the order: shape, accounts, balance of each
/// asset, value date, authority, limits, exposure.
pub fn plan<'d>(state: &Overlay<'_>, draft: &'d Draft, signed: &Signed) -> Result<Plan<'d>, Stop> {
    let mut plan = Plan::of(draft);
    begin(state, &mut plan)?;
    let counted_on = dates::counted_on(draft);
    plan.value_date = dates::judge(state, draft, &plan.effects)?;
    authority::check_debits(state, &mut plan, signed, counted_on)?;
    check_limits(state, &mut plan)?;
    link(state, &mut plan)?;
    expose(state, &mut plan, true)?;
    Ok(plan)
}

/// Shape, accounts and balance: what holds for every entry.
pub(super) fn begin(state: &Overlay<'_>, plan: &mut Plan<'_>) -> Result<(), Stop> {
    // Memory is asked for what comes after the shape.
    let found = found(state, &plan.draft.lines);
    check_shape(plan.draft)?;
    apply_lines(state, plan.draft, found, &mut plan.effects)
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

/// What the lines do to the counters, to the pending ones where they are set aside, else to the posted ones; and that
/// they balance. It was looked for where the first accounts lie.
fn apply_lines(
    state: &Overlay<'_>,
    draft: &Draft,
    mut looked: Few,
    effects: &mut Effects,
) -> Result<(), Stop> {
    let is_hold = matches!(draft.act, Act::Hold { .. });
    let is_capture = matches!(draft.act, Act::Capture { .. });
    let mut sums = Sums::default();
    for (number, line) in draft.lines.iter().enumerate() {
        let account = line.account;
        if number > 0 && number.is_multiple_of(FEW) {
            looked = found(state, &draft.lines[number..]);
        }
        let effect = effects.touch_line(state, line, looked.get(number % FEW))?;
        if *effect.side.get_or_insert(line.side) != line.side {
            return Err(Refusal::SameAccount { account }.into());
        }
        if let Some(given) = line.currency {
            check_currency(account, effect.currency, given)?;
        }
        if effect.kind == AccountKind::Control {
            return Err(Refusal::ControlAccount { account }.into());
        }
        count(effect, account, line, is_hold)?;
        // What is pending has its room already: a capture never fails on a counter.
        if !is_capture && !effect.has_room_for_pending() {
            return Err(Refusal::CounterFull { account }.into());
        }
        sums.add(&effect.asset, line);
    }
    Ok(sums.check()?)
}

fn count(effect: &mut Effect, account: AccountId, line: &Line, is_hold: bool) -> Result<(), Refusal> {
    let counter =
        if is_hold { effect.after.pending_mut(line.side) } else { effect.after.posted_mut(line.side) };
    *counter += line.minor.unsigned_abs();
    if *counter > COUNTER_MAX { Err(Refusal::CounterFull { account }) } else { Ok(()) }
}

/// Debits and credits of lines by asset.
#[derive(Default)]
struct Sums {
    /// Of the asset that the last line had: lines of one asset mostly stand together.
    last: Option<(AssetId, (u128, u128))>,
    /// Of the assets before it, where there are several.
    others: Option<BTreeMap<AssetId, (u128, u128)>>,
}

impl Sums {
    fn add(&mut self, asset: &AssetId, line: &Line) {
        if self.last.as_ref().is_some_and(|(last, _)| last != asset) {
            let others = self.others.get_or_insert_default();
            let sum = others.remove(asset).unwrap_or_default();
            others.extend(self.last.replace((*asset, sum)));
        }
        let (_, (debits, credits)) = self.last.get_or_insert((*asset, (0, 0)));
        let sum = if line.side == Side::Debit { debits } else { credits };
        *sum += line.minor.unsigned_abs();
    }

    fn check(self) -> Result<(), Refusal> {
        let is_unbalanced = |(_, (debits, credits)): &(AssetId, (u128, u128))| debits != credits;
        let unbalanced = match self.others {
            None => self.last.filter(is_unbalanced),
            Some(mut all) => {
                all.extend(self.last);
                all.into_iter().find(is_unbalanced)
            }
        };
        match unbalanced {
            Some((asset, (debits, credits))) => Err(Refusal::Unbalanced { asset, debits, credits }),
            None => Ok(()),
        }
    }
}

/// What the accounts allow to happen to them.
pub(super) fn check_limits(state: &Overlay<'_>, plan: &mut Plan<'_>) -> Result<(), Stop> {
    plan.effects.check(|account, effect| {
        let within = |before: &AccountRecord| within_limits(*account, before, effect);
        Ok(state.account_at(effect.seen, account, within)??)
    })
}

fn within_limits(account: AccountId, before: &AccountRecord, effect: &Effect) -> Result<(), Refusal> {
    let after = &effect.after;
    let change = after.balance() - before.balance();
    let held = after.debits_pending > before.counters.debits_pending;
    let promised = after.credits_pending > before.counters.credits_pending;
    if before.closed {
        return Err(Refusal::Closed { account });
    }
    if change < 0 || held {
        if let Some(reason) = before.frozen_out {
            return Err(Refusal::Frozen { account, outgoing: true, reason });
        }
        let floor = if held { before.hold_floor() } else { before.floor };
        if after.unheld() < floor {
            let needed = effect.taken();
            let available = if held { before.available_to_hold() } else { before.available() };
            return Err(Refusal::InsufficientFunds { account, available, needed });
        }
    }
    if change > 0 || promised {
        if let Some(reason) = before.frozen_in {
            return Err(Refusal::Frozen { account, outgoing: false, reason });
        }
        // A capture never fails on a ceiling, so what holds will bring has its room already.
        let would_be = after.balance() + after.credits_pending as i128;
        if let Some(ceiling) = before.ceiling.filter(|ceiling| would_be > *ceiling) {
            return Err(Refusal::AboveCeiling { account, ceiling, would_be });
        }
    }
    Ok(())
}

/// What control accounts mirror: every booked line, added up by account and side, up to the top.
pub(super) fn link(state: &Overlay<'_>, plan: &mut Plan<'_>) -> Result<(), Stop> {
    if !plan.effects.among.mirrored {
        return Ok(());
    }
    let mut sums: BTreeMap<(AccountId, Side), u128> = BTreeMap::new();
    for line in &plan.draft.lines {
        let mut above = touch_below(state, &mut plan.effects, line.account)?;
        let mut depth = 0;
        while let Some(control) = above {
            if depth == CONTROL_DEPTH_MAX {
                let rule = format!("at most {CONTROL_DEPTH_MAX} control accounts stand above one another");
                return Err(Refusal::BadValue { rule }.into());
            }
            *sums.entry((control, line.side)).or_default() += line.minor.unsigned_abs();
            above = touch_below(state, &mut plan.effects, control)?;
            depth += 1;
        }
    }
    for ((account, side), amount) in sums {
        let line = Line { account, side, minor: amount as i128, currency: None };
        count(plan.effects.touch(state, &account)?, account, &line, false)?;
        plan.beside_mut().linked.push(line);
    }
    Ok(())
}

/// Begins the effect on an account, and says which control account mirrors it.
fn touch_below(
    state: &Overlay<'_>,
    effects: &mut Effects,
    account: AccountId,
) -> Result<Option<AccountId>, Stop> {
    let seen = effects.touch(state, &account)?.seen;
    Ok(state.account_at(seen, &account, |record| record.control)?)
}

/// The exposure of (bank, product, asset) is the sum over the product's agreements of what all books of the
/// agreement together are below zero, what holds set aside on them counted as paid. Captures, releases and
/// corrections move it and are not refused by it.
pub(super) fn expose(state: &Overlay<'_>, plan: &mut Plan<'_>, bounded: bool) -> Result<(), Stop> {
    let bounded = bounded && matches!(plan.draft.act, Act::Post | Act::Hold { .. });
    if !plan.effects.among.books {
        return Ok(());
    }
    let mut touched: BTreeMap<(AgreementId, AssetId), i128> = BTreeMap::new();
    for (account, effect) in plan.effects.iter() {
        if let Holder::Agreement(agreement) = state.account_at(effect.seen, account, |before| before.owner)? {
            *touched.entry((agreement, effect.asset)).or_default() += effect.change_of_unheld();
        }
    }
    for ((agreement, asset), change) in touched {
        if change == 0 {
            continue;
        }
        let Some((bank, product)) = product_of(state, &agreement)? else { continue };
        let row = key::exposure(&bank, &asset, &product);
        let planned = plan.beside().exposures.iter().position(|(other, _)| *other == row);
        let kept = match planned {
            Some(at) => Some(plan.beside().exposures[at].1.clone()),
            None => state.get::<ExposureRecord>(&row)?,
        };
        // A product without a limit in this asset has no book in it that may go below zero.
        let Some(mut exposure) = kept else { continue };
        let before = super::account::books_total(state, &agreement, &asset)?;
        let below = |total: i128| total.min(0).unsigned_abs();
        let (was, will) = (below(before), below(before + change));
        exposure.used = (exposure.used + will).checked_sub(was).ok_or_else(|| {
            Fault::Books(format!("the exposure of {product} is below what {agreement} owes"))
        })?;
        if bounded && will > was && exposure.used > exposure.limit {
            let (limit, would_be) = (exposure.limit, exposure.used);
            return Err(Refusal::ExposureExceeded { asset, limit, would_be }.into());
        }
        match planned {
            Some(at) => plan.beside_mut().exposures[at].1 = exposure,
            None => plan.beside_mut().exposures.push((row, exposure)),
        }
    }
    Ok(())
}

fn product_of(state: &Overlay<'_>, agreement: &AgreementId) -> Result<Option<(PartyId, String)>, Stop> {
    let Some(record) = state.get::<AgreementRecord>(&agreement.0)? else { return Ok(None) };
    let contract = state.get::<crate::state::record::ContractRecord>(&record.code.0)?;
    Ok(contract.map(|contract| (record.bank, contract.name)))
}
