//! Judging an entry: every rule, no write.

use super::account::check_currency;
use super::authority::{self, AskedDebit, Signed};
use super::dates::{self, DatedBy};
use super::effect::{Effect, Effects, Heard};
use super::{CONTROL_DEPTH_MAX, POSTINGS_MAX};
use crate::fault::{Fault, Stop};
use crate::state::record::{
    AccountRecord, AgreementRecord, CorrectionRecord, ExposureRecord, GrantRecord, HoldRecord, Holder, key,
};
use crate::state::{AccountsView, FEW, Moment, Overlay, Traits};
use smallvec::SmallVec;
use std::collections::BTreeMap;
use tenor_abi::date::{Date, Timestamp};
use tenor_abi::entry::{EntryId, Side};
use tenor_abi::id::{AccountId, AgreementId, AssetId, Hash, PartyId};
use tenor_abi::limit::{AMOUNT_MAX, COUNTER_MAX};
use tenor_abi::money::Currency;
use tenor_abi::refusal::Refusal;
use tenor_wire::receipt::{Act, BookedPosting, EntrySource};

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

impl Line {
    /// Its posting, in an asset.
    pub(super) fn booked(&self, asset: AssetId) -> BookedPosting {
        BookedPosting { account: self.account, asset, side: self.side, amount: self.amount() }
    }

    /// Minor units, of a line that is in shape: there is at least one.
    #[inline(always)]
    pub(super) fn amount(&self) -> u128 {
        self.minor as u128
    }
}

/// Lines of a draft. The two that most drafts have lie in it.
pub type Lines = SmallVec<[Line; 2]>;

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
    pub lines: Lines,
    /// Commitment to a narrative.
    pub narrative: Option<Hash>,
    /// Commitment to a reference.
    pub reference: Option<Hash>,
}

/// An entry that was judged and may be booked, as long as nothing else was written since.
#[derive(Clone, PartialEq, Debug)]
pub struct Plan<'d> {
    pub(super) draft: &'d Draft,
    /// When it was made: it holds as long as nothing was written since.
    pub(super) made_at: Moment,
    /// The day that it counts from, which may be another one than what was asked for.
    pub(super) value_date: Date,
    pub(super) effects: Effects,
    /// Which effect is on the account of each line; nothing where every line has an account of its own.
    places: Vec<u32>,
    /// What it changes besides the accounts of its lines; most entries change nothing.
    pub(super) beside: Option<Box<Beside>>,
}

/// What an entry changes besides the accounts of its lines.
#[derive(Clone, Default, PartialEq, Debug)]
pub(super) struct Beside {
    /// What control accounts mirror, ascending by account and side.
    pub linked: Vec<BookedPosting>,
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
    #[inline(always)]
    pub(super) fn of(state: &Overlay<'_>, draft: &'d Draft) -> Plan<'d> {
        let lines = draft.lines.len().min(POSTINGS_MAX);
        Plan {
            draft,
            made_at: state.moment(),
            value_date: draft.value_date,
            effects: Effects::of_lines(lines),
            places: vec![],
            beside: None,
        }
    }

    /// Adds a line of a number: the effect on its account, which is not counted yet, and the account.
    #[inline(always)]
    pub(super) fn add<'p, 'a>(
        &'p mut self,
        accounts: &'a mut AccountsView<'_>,
        number: usize,
        line: &Line,
    ) -> Result<(&'p mut Effect, &'a AccountRecord), Stop> {
        let Some((seen, traits, record)) = accounts.find(&line.account)? else {
            return Err(Refusal::UnknownAccount { account: line.account }.into());
        };
        let place = self.effects.touch_found(&line.account, (seen, traits));
        if place != number || !self.places.is_empty() {
            note_place(&mut self.places, number, place);
        }
        Ok((self.effects.at_mut(place), record))
    }

    /// Every line, and the effect on its account.
    pub(super) fn lines(&self) -> impl ExactSizeIterator<Item = (&'d Line, &Effect)> {
        let place = |number| self.places.get(number).map_or(number, |place| *place as usize);
        let lines = self.draft.lines.iter().enumerate();
        lines.map(move |(number, line)| (line, self.effects.at(place(number))))
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

/// Notes the place of the effect on the account of a line, behind those of the lines before it.
#[cold]
fn note_place(places: &mut Vec<u32>, number: usize, place: usize) {
    places.extend(places.len() as u32..number as u32);
    places.push(place as u32);
}

/// Judges a draft whose lines are booked: a posting or a correction.
///
/// # Errors
/// [`Stop::Refused`] with the first rule that is broken, in the order: shape, accounts, balance of each
/// asset, value date, authority, limits, exposure.
pub fn plan<'d>(state: &Overlay<'_>, draft: &'d Draft, signed: &Signed) -> Result<Plan<'d>, Stop> {
    let mut plan = Plan::of(state, draft);
    begin(state, &mut plan)?;
    let counted_on = dates::counted_on(draft);
    plan.value_date = dates::judge(state, draft, &plan.effects)?;
    check_accounts(state, &mut plan, signed, counted_on)?;
    link(state, &mut plan)?;
    expose(state, &mut plan, true)?;
    Ok(plan)
}

/// Lines whose accounts were asked of memory before, mostly: those of the signed item that asks.
const ASKED_BEFORE: usize = 2;

/// Shape, accounts and balance: what holds for every entry.
pub(super) fn begin(state: &Overlay<'_>, plan: &mut Plan<'_>) -> Result<(), Stop> {
    check_shape(plan.draft)?;
    let draft = plan.draft;
    let is_hold = matches!(draft.act, Act::Hold { .. });
    let is_capture = matches!(draft.act, Act::Capture { .. });
    let mut accounts = state.accounts();
    let (mut debits, mut credits) = (0, 0);
    let (mut number, mut first, mut is_one_asset) = (0, None, true);
    for lines in draft.lines.chunks(FEW) {
        if lines.len() > ASKED_BEFORE {
            accounts.prefetch(lines.iter().map(|line| &line.account));
        }
        for line in lines {
            let (effect, record) = plan.add(&mut accounts, number, line)?;
            number += 1;
            check_line(record, effect, line)?;
            count(record, effect, line, is_hold, is_capture)?;
            is_one_asset &= *first.get_or_insert(record.asset) == record.asset;
            match line.side {
                Side::Debit => debits += line.amount(),
                Side::Credit => credits += line.amount(),
            }
        }
    }
    drop(accounts);
    if is_one_asset && debits == credits { Ok(()) } else { check_balance(state, plan) }
}

fn check_shape(draft: &Draft) -> Result<(), Refusal> {
    if draft.lines.len() < 2 || draft.lines.len() > POSTINGS_MAX {
        return Err(Refusal::BadPostings { given: draft.lines.len() as u32 });
    }
    match draft.lines.iter().find(|line| line.minor < 1 || line.amount() > AMOUNT_MAX) {
        Some(line) => Err(Refusal::BadAmount { minor: line.minor }),
        None => Ok(()),
    }
}

/// Whether an account may have a line: all of an entry's have the same side, and its currency.
fn check_line(record: &AccountRecord, effect: &mut Effect, line: &Line) -> Result<(), Refusal> {
    if *effect.side.get_or_insert(line.side) != line.side {
        return Err(Refusal::SameAccount { account: line.account });
    }
    if let Some(given) = line.currency {
        check_currency(line.account, record.currency, given)?;
    }
    if effect.traits.has(Traits::CONTROL) {
        return Err(Refusal::ControlAccount { account: line.account });
    }
    Ok(())
}

/// What a line does to its account: it is set aside, or posted.
fn count(
    record: &AccountRecord,
    effect: &mut Effect,
    line: &Line,
    is_hold: bool,
    is_capture: bool,
) -> Result<(), Refusal> {
    let (side, amount) = (line.side, line.amount());
    if is_hold {
        effect.pending += line.minor;
    } else {
        *effect.posted_mut(side) += amount;
    }
    // What is pending can be booked, too. A capture has its room already, and never fails on a counter.
    let pending = if is_capture { 0 } else { effect.pending_after(record, side) };
    if effect.posted_after(record, side) + pending > COUNTER_MAX {
        return Err(Refusal::CounterFull { account: line.account });
    }
    Ok(())
}

/// Every asset balances.
#[cold]
fn check_balance(state: &Overlay<'_>, plan: &Plan<'_>) -> Result<(), Stop> {
    let mut accounts = state.accounts();
    let mut sums: BTreeMap<AssetId, (u128, u128)> = BTreeMap::new();
    for (line, effect) in plan.lines() {
        let asset = accounts.at(effect.seen, &line.account)?.asset;
        let (debits, credits) = sums.entry(asset).or_default();
        match line.side {
            Side::Debit => *debits += line.amount(),
            Side::Credit => *credits += line.amount(),
        }
    }
    match sums.into_iter().find(|(_, (debits, credits))| debits != credits) {
        Some((asset, (debits, credits))) => Err(Refusal::Unbalanced { asset, debits, credits }.into()),
        None => Ok(()),
    }
}

/// What owners, grants and issuers allow to happen to the accounts, and then what the accounts do.
pub(super) fn check_accounts(
    state: &Overlay<'_>,
    plan: &mut Plan<'_>,
    signed: &Signed,
    counted_on: Date,
) -> Result<(), Stop> {
    let Plan { draft, effects, beside, .. } = plan;
    if effects.among.has(Traits::ISSUANCE) {
        authority::check_issuance(state, effects, signed)?;
    }
    let (mut debits, mut limits) = (Heard::default(), Heard::default());
    let mut asks: Vec<AskedDebit> = vec![];
    let mut accounts = state.accounts();
    let agreement = draft.source.agreement();
    for effect in effects.iter_mut() {
        let before = accounts.at(effect.seen, &effect.account)?;
        match authority::may_debit(before, effect, agreement, signed) {
            Ok(true) => {}
            Ok(false) => asks.push(AskedDebit::of(effect, before)),
            Err(refusal) => debits.note(effect.account, refusal),
        }
        if let Err(refusal) = within_limits(before, effect) {
            limits.note(effect.account, refusal);
        }
    }
    drop(accounts);
    for asked in asks {
        let said = authority::ask(state, draft, &asked, signed, counted_on);
        let said = said.map(|grant| beside.get_or_insert_default().grants.extend(grant));
        debits.note_stop(asked.account, said)?;
    }
    debits.end()?;
    Ok(limits.end()?)
}

/// What an account allows to happen to it.
#[inline(always)]
fn within_limits(before: &AccountRecord, effect: &Effect) -> Result<(), Refusal> {
    if effect.traits.has(Traits::BOUND) {
        within_bounds(before, effect)?;
    }
    let held = effect.pending_on(Side::Debit) > 0;
    if effect.change() < 0 || held {
        let floor = if held { before.hold_floor() } else { before.floor };
        if before.unheld() + effect.change_of_unheld() < floor {
            let available = if held { before.available_to_hold() } else { before.available() };
            let (account, needed) = (effect.account, effect.taken());
            return Err(Refusal::InsufficientFunds { account, available, needed });
        }
    }
    Ok(())
}

/// What an account allows that is closed, frozen, or has a ceiling. Nothing both comes in and goes out.
#[cold]
fn within_bounds(before: &AccountRecord, effect: &Effect) -> Result<(), Refusal> {
    let account = effect.account;
    if before.closed {
        return Err(Refusal::Closed { account });
    }
    let change = effect.change();
    if let Some(reason) = before.frozen_out
        && (change < 0 || effect.pending_on(Side::Debit) > 0)
    {
        return Err(Refusal::Frozen { account, outgoing: true, reason });
    }
    if change > 0 || effect.pending_on(Side::Credit) > 0 {
        if let Some(reason) = before.frozen_in {
            return Err(Refusal::Frozen { account, outgoing: false, reason });
        }
        if let Some(ceiling) = before.ceiling {
            // A capture never fails on a ceiling, so what holds will bring has its room already.
            let promised = effect.pending_after(before, Side::Credit);
            let would_be = before.balance() + change + promised as i128;
            if would_be > ceiling {
                return Err(Refusal::AboveCeiling { account, ceiling, would_be });
            }
        }
    }
    Ok(())
}

/// What control accounts mirror: every booked line, added up by account and side, up to the top.
pub(super) fn link(state: &Overlay<'_>, plan: &mut Plan<'_>) -> Result<(), Stop> {
    if !plan.effects.among.has(Traits::MIRRORED) {
        return Ok(());
    }
    let mut sums: BTreeMap<(AccountId, Side), u128> = BTreeMap::new();
    let mut accounts = state.accounts();
    for line in &plan.draft.lines {
        let mut above = touch_below(&mut accounts, &mut plan.effects, &line.account)?;
        let mut depth = 0;
        while let Some(control) = above {
            if depth == CONTROL_DEPTH_MAX {
                let rule = format!("at most {CONTROL_DEPTH_MAX} control accounts stand above one another");
                return Err(Refusal::BadValue { rule }.into());
            }
            *sums.entry((control, line.side)).or_default() += line.amount();
            above = touch_below(&mut accounts, &mut plan.effects, &control)?;
            depth += 1;
        }
    }
    for ((account, side), amount) in sums {
        let place = plan.effects.touch(&mut accounts, &account)?;
        let effect = plan.effects.at_mut(place);
        *effect.posted_mut(side) += amount;
        let record = accounts.at(effect.seen, &account)?;
        if effect.posted_after(record, side) > COUNTER_MAX {
            return Err(Refusal::CounterFull { account }.into());
        }
        plan.beside_mut().linked.push(BookedPosting { account, asset: record.asset, side, amount });
    }
    Ok(())
}

/// Begins the effect on an account, and says which control account mirrors it.
fn touch_below(
    accounts: &mut AccountsView<'_>,
    effects: &mut Effects,
    account: &AccountId,
) -> Result<Option<AccountId>, Stop> {
    let place = effects.touch(accounts, account)?;
    Ok(accounts.at(effects.at(place).seen, account)?.control)
}

/// The exposure of (bank, product, asset) is the sum over the product's agreements of what all books of the
/// agreement together are below zero, what holds set aside on them counted as paid. Captures, releases and
/// corrections move it and are not refused by it.
pub(super) fn expose(state: &Overlay<'_>, plan: &mut Plan<'_>, bounded: bool) -> Result<(), Stop> {
    let bounded = bounded && matches!(plan.draft.act, Act::Post | Act::Hold { .. });
    if !plan.effects.among.has(Traits::BOOK) {
        return Ok(());
    }
    let mut touched: BTreeMap<(AgreementId, AssetId), i128> = BTreeMap::new();
    for effect in plan.effects.iter() {
        let shown = |before: &AccountRecord| (before.owner, before.asset);
        let (owner, asset) = state.account_at(effect.seen, &effect.account, shown)?;
        if let Holder::Agreement(agreement) = owner {
            *touched.entry((agreement, asset)).or_default() += effect.change_of_unheld();
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
