//! Holds: money set aside for a payee, captured in parts, released, or ended by their time.
//!
//! A hold is judged when it is placed, like the debit that it prepares. A capture therefore never fails on a
//! floor, a ceiling, a limit or a freeze. Each step is an entry of its own; the record of a line stays until the
//! hold's time is over, so that a second resolution is told that it came late.

use super::authority::Signed;
use super::dates;
use super::effect::Effects;
use super::plan::{self, Draft, Line, Plan, check_accounts};
use crate::fault::{Fault, Stop};
use crate::state::record::{ExpiryRow, HoldOfRow, HoldRecord, Holder, key};
use crate::state::{Kind, Overlay};
use tenor_abi::date::{DAY_MS, Timestamp};
use tenor_abi::entry::Side;
use tenor_abi::id::{AccountId, HoldId};
use tenor_abi::limit::HOLD_LINES_MAX;
use tenor_abi::refusal::Refusal;
use tenor_wire::receipt::{Act, EntrySource};

/// A line of a hold that is asked for.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct HoldPart {
    /// Account that will pay.
    pub from: AccountId,
    /// Account that will receive.
    pub to: AccountId,
    /// Minor units.
    pub line: Line,
}

/// What is asked of a hold.
#[derive(Clone, PartialEq, Debug)]
pub struct Capture<'c> {
    /// The hold.
    pub hold: HoldId,
    /// How much of which account's line; nothing named means all that is left.
    pub parts: &'c [(AccountId, u128)],
    /// Whether what is left after it is released.
    pub last: bool,
}

/// Judges a hold; `draft` has its lines filled in here.
///
/// # Errors
/// Refused as the debit that it prepares would be, or when it would last too long.
pub fn plan_hold<'d>(
    state: &Overlay<'_>,
    draft: &'d mut Draft,
    parts: &[HoldPart],
    days_max: u16,
    signed: &Signed,
) -> Result<Plan<'d>, Stop> {
    let Act::Hold { hold, expires_at } = draft.act else {
        return Err(Fault::Books("a hold is planned as something else".into()).into());
    };
    check_expiry(draft, expires_at, days_max)?;
    if parts.is_empty() || parts.len() > HOLD_LINES_MAX {
        let rule = format!("a hold has 1 to {HOLD_LINES_MAX} lines, {} given", parts.len());
        return Err(Refusal::BadValue { rule }.into());
    }
    let sides = |part: &HoldPart| {
        let line = |account, side| Line { account, side, ..part.line };
        [line(part.from, Side::Debit), line(part.to, Side::Credit)]
    };
    draft.lines = parts.iter().flat_map(sides).collect();
    let (id, source) = (draft.id, draft.source);
    let mut plan = Plan::of(state, draft);
    plan::begin(state, &mut plan)?;
    let counted_on = dates::counted_on(plan.draft);
    check_accounts(state, &mut plan, signed, counted_on)?;
    for part in parts {
        let placed = part.line.minor.unsigned_abs();
        let record = HoldRecord { to: part.to, placed, left: placed, expires_at, source, entry: id };
        let row = key::hold(&part.from, &hold);
        if plan.beside().holds.iter().any(|(other, _)| *other == row) {
            let rule = format!("{} pays in two lines of one hold", part.from);
            return Err(Refusal::BadValue { rule }.into());
        }
        plan.beside_mut().holds.push((row, record));
    }
    plan::expose(state, &mut plan, true)?;
    Ok(plan)
}

fn check_expiry(draft: &Draft, given: Timestamp, days_max: u16) -> Result<(), Refusal> {
    let earliest = Timestamp(draft.booked_at.0 + 1);
    let latest = Timestamp(draft.booked_at.0 + u64::from(days_max) * DAY_MS);
    if given < earliest || given > latest {
        return Err(Refusal::BadExpiry { given, earliest, latest });
    }
    Ok(())
}

/// Writes the rows by which a hold that was booked is found.
pub(super) fn index(state: &mut Overlay<'_>, hold: &HoldId, lines: &[Line], expires_at: Timestamp) {
    for line in lines.iter().filter(|line| line.side == Side::Debit) {
        state.put(&key::hold_of(hold, &line.account), &HoldOfRow {});
    }
    state.put(&key::expiry(expires_at, hold), &ExpiryRow {});
}

/// Judges a capture: who asks, what is left, and whether its time is not over.
///
/// # Errors
/// Refused when the hold is unknown, resolved or expired, another placed it, or more is asked than is left.
pub fn plan_capture<'d>(
    state: &Overlay<'_>,
    draft: &'d mut Draft,
    asked: &Capture<'_>,
    signed: &Signed,
) -> Result<Plan<'d>, Stop> {
    let mut lines = open_lines(state, &asked.hold, draft, signed)?;
    let hold = asked.hold;
    let mut taken: Vec<u128> = lines.iter().map(|_| 0).collect();
    if asked.parts.is_empty() {
        taken = lines.iter().map(|(_, record)| record.left).collect();
    }
    for (account, amount) in asked.parts {
        let place = lines.iter().position(|(from, _)| from == account);
        let place = place.ok_or(Refusal::AboveHold { hold, account: *account, left: 0, asked: *amount })?;
        let (left, asked) = (lines[place].1.left, taken[place].saturating_add(*amount));
        if *amount == 0 {
            return Err(Refusal::BadAmount { minor: 0 }.into());
        }
        if asked > left {
            return Err(Refusal::AboveHold { hold, account: *account, left, asked }.into());
        }
        taken[place] = asked;
    }
    draft.act = Act::Capture { hold, last: asked.last };
    let paid = lines.iter().zip(&taken).filter(|(_, taken)| **taken > 0);
    draft.lines = paid.flat_map(|((from, record), taken)| sides(*from, record.to, *taken)).collect();
    let mut plan = Plan::of(state, draft);
    plan::begin(state, &mut plan)?;
    for ((_, record), taken) in lines.iter_mut().zip(&taken) {
        record.left -= taken;
    }
    for ((from, record), taken) in lines.iter_mut().zip(taken) {
        let released = if asked.last { std::mem::take(&mut record.left) } else { 0 };
        free(state, &mut plan.effects, *from, record.to, taken + released)?;
    }
    plan.beside_mut().holds =
        lines.into_iter().map(|(from, record)| (key::hold(&from, &hold), record)).collect();
    plan::link(state, &mut plan)?;
    plan::expose(state, &mut plan, false)?;
    Ok(plan)
}

/// Judges a release of all that is left.
///
/// # Errors
/// Refused when the hold is unknown, resolved or expired, or another placed it.
pub fn plan_release<'d>(
    state: &Overlay<'_>,
    draft: &'d mut Draft,
    hold: HoldId,
    signed: &Signed,
) -> Result<Plan<'d>, Stop> {
    let lines = open_lines(state, &hold, draft, signed)?;
    draft.act = Act::Release { hold };
    freeing(state, draft, hold, lines)
}

/// The end of a hold whose time is over: the plan that releases what is left.
///
/// # Errors
/// [`Fault`] when the hold is not there.
pub fn expire<'d>(state: &Overlay<'_>, draft: &'d mut Draft, hold: HoldId) -> Result<Plan<'d>, Stop> {
    let lines = hold_lines(state, &hold)?;
    let Some((_, first)) = lines.first() else {
        return Err(Fault::State(format!("{hold} is queued to expire and is not there")).into());
    };
    draft.source = first.source;
    draft.act = Act::Expire { hold };
    freeing(state, draft, hold, lines)
}

fn freeing<'d>(
    state: &Overlay<'_>,
    draft: &'d mut Draft,
    hold: HoldId,
    mut lines: Vec<(AccountId, HoldRecord)>,
) -> Result<Plan<'d>, Stop> {
    let open = lines.iter().filter(|(_, record)| record.left > 0);
    draft.lines = open.flat_map(|(from, record)| sides(*from, record.to, record.left)).collect();
    let draft = &*draft;
    let mut plan = Plan::of(state, draft);
    for (number, line) in draft.lines.iter().enumerate() {
        plan.add(&mut state.accounts(), number, line)?;
    }
    for (from, record) in &mut lines {
        let left = std::mem::take(&mut record.left);
        free(state, &mut plan.effects, *from, record.to, left)?;
    }
    plan.beside_mut().holds =
        lines.into_iter().map(|(from, record)| (key::hold(&from, &hold), record)).collect();
    plan::expose(state, &mut plan, false)?;
    Ok(plan)
}

fn sides(from: AccountId, to: AccountId, amount: u128) -> [Line; 2] {
    let line = |account, side| Line { account, side, minor: amount as i128, currency: None };
    [line(from, Side::Debit), line(to, Side::Credit)]
}

/// Takes an amount from what is pending between two accounts.
fn free(
    state: &Overlay<'_>,
    effects: &mut Effects,
    from: AccountId,
    to: AccountId,
    amount: u128,
) -> Result<(), Stop> {
    let broken = || Fault::Books(format!("less is pending between {from} and {to} than their holds say"));
    let mut accounts = state.accounts();
    for (account, side) in [(from, Side::Debit), (to, Side::Credit)] {
        let place = effects.touch(&mut accounts, &account)?;
        let effect = effects.at_mut(place);
        // A hold was placed with one side of each account, as every entry.
        if *effect.side.get_or_insert(side) != side {
            return Err(broken().into());
        }
        effect.pending -= amount as i128;
        let (debits, credits) = accounts.at(effect.seen, &account)?.counters.pending();
        let before = if side == Side::Debit { debits } else { credits };
        before.checked_add_signed(effect.pending).ok_or_else(broken)?;
    }
    Ok(())
}

/// The lines of a hold that the asker may resolve now.
fn open_lines(
    state: &Overlay<'_>,
    hold: &HoldId,
    draft: &Draft,
    signed: &Signed,
) -> Result<Vec<(AccountId, HoldRecord)>, Stop> {
    let lines = hold_lines(state, hold)?;
    let Some((_, first)) = lines.first() else { return Err(Refusal::UnknownHold { hold: *hold }.into()) };
    match (first.source, draft.source) {
        // What an agreement placed is that agreement's to resolve.
        (EntrySource::Agreement { agreement: placed, .. }, EntrySource::Agreement { agreement, .. })
            if placed == agreement => {}
        // What a party placed is its payees' to resolve.
        (EntrySource::Party, EntrySource::Party) => {
            for (_, record) in &lines {
                check_payee(state, &record.to, signed)?;
            }
        }
        _ => return Err(Refusal::NotAuthorised.into()),
    }
    let expired_at = first.expires_at;
    if lines.iter().all(|(_, record)| record.left == 0) {
        return Err(Refusal::HoldResolved { hold: *hold }.into());
    }
    if draft.booked_at > expired_at {
        return Err(Refusal::HoldExpired { hold: *hold, expired_at }.into());
    }
    Ok(lines)
}

fn check_payee(state: &Overlay<'_>, payee: &AccountId, signed: &Signed) -> Result<(), Stop> {
    let record = state.get::<crate::state::record::AccountRecord>(&payee.0)?;
    match record.ok_or(Refusal::UnknownAccount { account: *payee })?.owner {
        Holder::Party(owner) if signed.has(&owner) => Ok(()),
        _ => Err(Refusal::NotAuthorised.into()),
    }
}

/// The lines of a hold, ascending by the account that pays; none when it is unknown.
///
/// # Errors
/// [`Fault::State`] when a line is missing.
pub fn hold_lines(state: &Overlay<'_>, hold: &HoldId) -> Result<Vec<(AccountId, HoldRecord)>, Fault> {
    let mut from = Kind::HoldOf.full_key(&hold.0);
    let end = [from.as_slice(), &[0xff; 33]].concat();
    let mut lines = vec![];
    while let Some((row, _)) = state.next_row(&from, &end)? {
        let account = row[33..].try_into().map(AccountId);
        let account = account.map_err(|_| Fault::State(format!("a row of {hold} has no account")))?;
        let record: Option<HoldRecord> = state.get(&key::hold(&account, hold))?;
        let missing = || Fault::State(format!("the line of {hold} on {account} is missing"));
        lines.push((account, record.ok_or_else(missing)?));
        from = row;
        from.push(0);
    }
    Ok(lines)
}

/// Holds whose time was over before an instant and of which something is left, the earliest first, at most so
/// many.
///
/// # Errors
/// [`Fault`] of the store.
pub fn due_holds(state: &Overlay<'_>, now: Timestamp, count_max: usize) -> Result<Vec<HoldId>, Fault> {
    Ok(queued(state, now, count_max)?.into_iter().map(|(_, hold)| hold).collect())
}

/// The instant at which the next hold ends, if there is one.
///
/// # Errors
/// [`Fault`] of the store.
pub fn next_expiry(state: &Overlay<'_>) -> Result<Option<Timestamp>, Fault> {
    let first = queued(state, Timestamp(u64::MAX), 1)?.first().map(|(end, _)| Timestamp(end.0 + 1));
    Ok(first)
}

/// Forgets holds whose time is over and of which nothing is left, at most so many rows as the queue shows first.
///
/// # Errors
/// [`Fault`] of the store.
pub fn sweep_resolved(state: &mut Overlay<'_>, now: Timestamp, count_max: usize) -> Result<(), Fault> {
    for (end, hold) in queued(state, now, count_max)? {
        let lines = hold_lines(state, &hold)?;
        if lines.iter().all(|(_, record)| record.left == 0) {
            remove(state, end, &hold, lines.iter().map(|(account, _)| *account));
        }
    }
    Ok(())
}

/// Removes every row of a hold that has ended.
pub(super) fn forget(state: &mut Overlay<'_>, hold: &HoldId, lines: &[(Vec<u8>, HoldRecord)]) {
    let Some((_, first)) = lines.first() else { return };
    let accounts = lines.iter().filter_map(|(row, _)| Some(AccountId(*row.first_chunk()?)));
    remove(state, first.expires_at, hold, accounts);
}

fn remove(state: &mut Overlay<'_>, end: Timestamp, hold: &HoldId, accounts: impl Iterator<Item = AccountId>) {
    for account in accounts {
        state.delete(Kind::Hold, &key::hold(&account, hold));
        state.delete(Kind::HoldOf, &key::hold_of(hold, &account));
    }
    state.delete(Kind::Expiry, &key::expiry(end, hold));
}

/// The queue of ends before an instant.
fn queued(state: &Overlay<'_>, now: Timestamp, count_max: usize) -> Result<Vec<(Timestamp, HoldId)>, Fault> {
    let mut from = Kind::Expiry.full_key(&[]);
    let end = Kind::Expiry.full_key(&now.0.to_be_bytes());
    let mut found = vec![];
    while found.len() < count_max {
        let Some((row, _)) = state.next_row(&from, &end)? else { break };
        let parse = || {
            let (time, hold) = row.get(1..)?.split_first_chunk::<8>()?;
            Some((Timestamp(u64::from_be_bytes(*time)), HoldId(hold.try_into().ok()?)))
        };
        found.push(parse().ok_or_else(|| Fault::State("a row of the holds' queue cannot be read".into()))?);
        from = row;
        from.push(0);
    }
    Ok(found)
}
