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
use crate::state::{AccountsView, FEW, Moment, Overlay};
use std::collections::BTreeMap;
use tenor_abi::date::{Date, Timestamp};
use tenor_abi::entry::{EntryId, Side};
use tenor_abi::id::{AccountId, AgreementId, AssetId, Hash, PartyId};
use tenor_abi::limit::{AMOUNT_MAX, COUNTER_MAX};
use tenor_abi::money::Currency;
use tenor_abi::refusal::Refusal;
use tenor_wire::op::AccountKind;
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
        BookedPosting { account: self.account, asset, side: self.side, amount: self.minor.unsigned_abs() }
    }
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
    /// When it was made: it holds as long as nothing was written since.
    pub(super) made_at: Moment,
    /// The day that it counts from, which may be another one than what was asked for.
    pub(super) value_date: Date,
    pub(super) effects: Effects,
    /// What is booked or set aside, line by line.
    pub(super) postings: Vec<BookedPosting>,
    /// Which effect is on the account of each posting; nothing where every posting has an account of its own.
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
            postings: Vec::with_capacity(lines),
            places: vec![],
            beside: None,
        }
    }

    /// Adds the posting of the draft's next line: the effect on its account, which is not counted yet, and the account. It
    /// may have been found before.
    #[inline(always)]
    pub(super) fn add<'p>(
        &'p mut self,
        accounts: &'p mut AccountsView<'_>,
        line: &Line,
        found: Option<u32>,
    ) -> Result<(&'p mut Effect, &'p AccountRecord), Stop> {
        let place = self.effects.touch(accounts, &line.account, found)?;
        let effect = self.effects.at_mut(place);
        let record = accounts.at(effect.seen, &line.account)?;
        let number = self.postings.len();
        if place != number || !self.places.is_empty() {
            note_place(&mut self.places, number, place);
        }
        self.postings.push(line.booked(record.asset));
        Ok((effect, record))
    }

    /// Every posting, and the effect on its account.
    pub(super) fn posted(&self) -> impl Iterator<Item = (&BookedPosting, &Effect)> {
        let place = |number| self.places.get(number).map_or(number, |place| *place as usize);
        self.postings
            .iter()
            .enumerate()
            .map(move |(number, posting)| (posting, self.effects.at(place(number))))
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

/// Notes the place of the effect on the account of a posting, behind those of the postings before it.
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

/// Shape, accounts and balance: what holds for every entry.
pub(super) fn begin(state: &Overlay<'_>, plan: &mut Plan<'_>) -> Result<(), Stop> {
    check_shape(plan.draft)?;
    let draft = plan.draft;
    let is_hold = matches!(draft.act, Act::Hold { .. });
    let is_capture = matches!(draft.act, Act::Capture { .. });
    let mut accounts = state.accounts();
    let mut sums = Sums::default();
    let (mut debits, mut credits) = (0, 0);
    let mut found = [None; FEW];
    for lines in draft.lines.chunks(FEW) {
        accounts.find_few(lines.iter().map(|line| &line.account), &mut found);
        for (line, found) in lines.iter().zip(&found) {
            let (effect, record) = plan.add(&mut accounts, line, *found)?;
            check_line(record, effect, line)?;
            count(record, effect, line, is_hold, is_capture)?;
            if sums.asset.as_ref() != Some(&record.asset) {
                (debits, credits) = sums.turn_to(&record.asset, (debits, credits));
            }
            match line.side {
                Side::Debit => debits += line.minor.unsigned_abs(),
                Side::Credit => credits += line.minor.unsigned_abs(),
            }
        }
    }
    if sums.others.is_none() && debits == credits { Ok(()) } else { Ok(sums.check((debits, credits))?) }
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

/// Whether an account may have a line: all of an entry's have the same side, and its currency.
fn check_line(record: &AccountRecord, effect: &mut Effect, line: &Line) -> Result<(), Refusal> {
    if *effect.side.get_or_insert(line.side) != line.side {
        return Err(Refusal::SameAccount { account: line.account });
    }
    if let Some(given) = line.currency {
        check_currency(line.account, record.currency, given)?;
    }
    if record.kind == AccountKind::Control {
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
    let (side, amount) = (line.side, line.minor.unsigned_abs());
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

/// Debits and credits of lines by asset, where there are several. Those of one asset mostly stand together, and are added
/// up beside it.
#[derive(Default)]
struct Sums {
    /// The asset that is added up.
    asset: Option<AssetId>,
    /// Of the assets before it.
    others: Option<BTreeMap<AssetId, (u128, u128)>>,
}

impl Sums {
    /// Turns from an asset, of which there was so much, to another one; what there was of that before.
    #[cold]
    fn turn_to(&mut self, asset: &AssetId, sum: (u128, u128)) -> (u128, u128) {
        let Some(last) = self.asset.replace(*asset) else { return (0, 0) };
        let others = self.others.get_or_insert_default();
        others.insert(last, sum);
        others.remove(asset).unwrap_or_default()
    }

    /// Every asset balances, with so much of the last one.
    #[cold]
    fn check(self, sum: (u128, u128)) -> Result<(), Refusal> {
        let mut all = self.others.unwrap_or_default();
        all.extend(self.asset.map(|last| (last, sum)));
        match all.into_iter().find(|(_, (debits, credits))| debits != credits) {
            Some((asset, (debits, credits))) => Err(Refusal::Unbalanced { asset, debits, credits }),
            None => Ok(()),
        }
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
    if effects.among.issuance > 0 {
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
    let account = || effect.account;
    let change = effect.change();
    let (held, promised) = (effect.pending_on(Side::Debit) > 0, effect.pending_on(Side::Credit) > 0);
    if before.closed {
        return Err(Refusal::Closed { account: account() });
    }
    if change < 0 || held {
        if let Some(reason) = before.frozen_out {
            return Err(Refusal::Frozen { account: account(), outgoing: true, reason });
        }
        let floor = if held { before.hold_floor() } else { before.floor };
        if before.unheld() + effect.change_of_unheld() < floor {
            let needed = effect.taken();
            let available = if held { before.available_to_hold() } else { before.available() };
            return Err(Refusal::InsufficientFunds { account: account(), available, needed });
        }
    }
    if change > 0 || promised {
        if let Some(reason) = before.frozen_in {
            return Err(Refusal::Frozen { account: account(), outgoing: false, reason });
        }
        if let Some(ceiling) = before.ceiling {
            // A capture never fails on a ceiling, so what holds will bring has its room already.
            let promised = effect.pending_after(before, Side::Credit);
            let would_be = before.balance() + change + promised as i128;
            if would_be > ceiling {
                return Err(Refusal::AboveCeiling { account: account(), ceiling, would_be });
            }
        }
    }
    Ok(())
}

/// What control accounts mirror: every booked line, added up by account and side, up to the top.
pub(super) fn link(state: &Overlay<'_>, plan: &mut Plan<'_>) -> Result<(), Stop> {
    if plan.effects.among.mirrored == 0 {
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
            *sums.entry((control, line.side)).or_default() += line.minor.unsigned_abs();
            above = touch_below(&mut accounts, &mut plan.effects, &control)?;
            depth += 1;
        }
    }
    for ((account, side), amount) in sums {
        let place = plan.effects.touch(&mut accounts, &account, None)?;
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
    let place = effects.touch(accounts, account, None)?;
    Ok(accounts.at(effects.at(place).seen, account)?.control)
}

/// The exposure of (bank, product, asset) is the sum over the product's agreements of what all books of the
/// agreement together are below zero, what holds set aside on them counted as paid. Captures, releases and
/// corrections move it and are not refused by it.
pub(super) fn expose(state: &Overlay<'_>, plan: &mut Plan<'_>, bounded: bool) -> Result<(), Stop> {
    let bounded = bounded && matches!(plan.draft.act, Act::Post | Act::Hold { .. });
    if plan.effects.among.books == 0 {
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
