//! Cursors: agreements that read what was booked on accounts, in occurrences of their own.
//!
//! An agreement has one cursor over all accounts that it is a hook of, and at most one occurrence of it waits:
//! a second or more after the one before. It is no schedule of the contract, so it never counts as overdue.

use crate::fault::{Fault, Stop};
use crate::state::record::{AccountRecord, AgreementRecord, CursorRecord, DueRow, key};
use crate::state::{Kind, Overlay};
use tenor_abi::date::Timestamp;
use tenor_abi::id::{AccountId, AgreementId, Hash, PartyId};
use tenor_abi::refusal::Refusal;
use tenor_wire::block::DueItem;

/// What stands for the schedule's number in an occurrence of a cursor; a spec has far fewer schedules.
pub const CURSOR_KIND: u16 = u16::MAX;
/// Least milliseconds from one occurrence of a cursor to the next.
const REST_MS: u64 = 1_000;
/// Accounts that an agreement reads at most.
pub const CURSOR_ACCOUNTS_MAX: usize = 64;

/// What a cursor reads next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct News {
    /// The account.
    pub account: AccountId,
    /// Place of the first posting that was not read.
    pub from: u64,
    /// How many there are from there on.
    pub count: u64,
}

/// An agreement begins to read an account, from its next posting on.
///
/// # Errors
/// Refused when it reads the account already, or reads as many as there may be.
pub fn follow(state: &mut Overlay<'_>, agreement: AgreementId, account: AccountId) -> Result<(), Stop> {
    let mut cursor = of(state, &agreement)?.unwrap_or(CursorRecord {
        number: 0,
        last: None,
        due: None,
        stopped: false,
        accounts: vec![],
    });
    if cursor.accounts.iter().any(|(known, _)| *known == account) {
        return Err(Refusal::Exists { what: Hash(agreement.0) }.into());
    }
    if cursor.accounts.len() >= CURSOR_ACCOUNTS_MAX {
        let rule = format!("an agreement is told of at most {CURSOR_ACCOUNTS_MAX} accounts");
        return Err(Refusal::BadValue { rule }.into());
    }
    cursor.accounts.push((account, postings_of(state, &account)?));
    // Attached anew, an agreement that failed is told again.
    cursor.stopped = false;
    state.put(&agreement.0, &cursor);
    Ok(())
}

/// An agreement no longer reads an account.
///
/// # Errors
/// [`Fault`] of the store.
pub fn leave(state: &mut Overlay<'_>, agreement: AgreementId, account: AccountId) -> Result<(), Fault> {
    let Some(mut cursor) = of(state, &agreement)? else { return Ok(()) };
    cursor.accounts.retain(|(known, _)| *known != account);
    if cursor.accounts.is_empty() {
        unqueue(state, &agreement, &mut cursor)?;
    }
    state.put(&agreement.0, &cursor);
    Ok(())
}

/// Something was booked on an account that an agreement reads: its occurrence waits, unless one does.
///
/// # Errors
/// [`Fault`] of the store.
pub fn notice(
    state: &mut Overlay<'_>,
    agreement: AgreementId,
    now: Timestamp,
    ahead_ms: u64,
) -> Result<(), Fault> {
    let Some(mut cursor) = of(state, &agreement)? else { return Ok(()) };
    if cursor.due.is_none() && !cursor.stopped {
        queue(state, &agreement, &mut cursor, now, ahead_ms)?;
        state.put(&agreement.0, &cursor);
    }
    Ok(())
}

/// An agreement is told of nothing more: it has ended, or its hook failed.
///
/// # Errors
/// [`Fault`] of the store.
pub fn stop(state: &mut Overlay<'_>, agreement: AgreementId) -> Result<(), Fault> {
    let Some(mut cursor) = of(state, &agreement)? else { return Ok(()) };
    unqueue(state, &agreement, &mut cursor)?;
    cursor.stopped = true;
    state.put(&agreement.0, &cursor);
    Ok(())
}

/// What waits to be read, of the account that was not served for longest; none when all is read.
///
/// # Errors
/// [`Fault`] of the store, or when the cursor does not wait for this occurrence.
pub fn news(state: &Overlay<'_>, item: &DueItem) -> Result<(Timestamp, Option<News>), Fault> {
    let cursor = of(state, &item.agreement)?.filter(|cursor| cursor.number == item.number);
    let due = cursor.as_ref().and_then(|cursor| cursor.due);
    let (Some(cursor), Some(due)) = (cursor, due) else {
        return Err(Fault::State(format!("no cursor waits for {item:?}")));
    };
    Ok((due, next_news(state, &cursor)?))
}

fn next_news(state: &Overlay<'_>, cursor: &CursorRecord) -> Result<Option<News>, Fault> {
    for (account, from) in &cursor.accounts {
        let count = postings_of(state, account)?.saturating_sub(*from);
        if count > 0 {
            return Ok(Some(News { account: *account, from: *from, count }));
        }
    }
    Ok(None)
}

/// An occurrence is over: so many postings of an account were read. What is left waits for the next one.
///
/// # Errors
/// [`Fault`] of the store.
pub fn go_on(
    state: &mut Overlay<'_>,
    item: &DueItem,
    read: Option<(AccountId, u64)>,
    now: Timestamp,
    ahead_ms: u64,
) -> Result<(), Fault> {
    let agreement = item.agreement;
    let Some(mut cursor) = of(state, &agreement)? else { return Ok(()) };
    unqueue(state, &agreement, &mut cursor)?;
    cursor.number += 1;
    if let Some((account, count)) = read
        && let Some(place) = cursor.accounts.iter().position(|(known, _)| *known == account)
    {
        let (_, from) = cursor.accounts.remove(place);
        cursor.accounts.push((account, from + count));
    }
    if !cursor.stopped && next_news(state, &cursor)?.is_some() {
        queue(state, &agreement, &mut cursor, now, ahead_ms)?;
    }
    state.put(&agreement.0, &cursor);
    Ok(())
}

fn of(state: &Overlay<'_>, agreement: &AgreementId) -> Result<Option<CursorRecord>, Fault> {
    state.get(&agreement.0)
}

fn postings_of(state: &Overlay<'_>, account: &AccountId) -> Result<u64, Fault> {
    Ok(state.get::<AccountRecord>(&account.0)?.map_or(0, |record| record.history_count))
}

/// The row of a cursor's occurrence in the due queue.
pub fn queue_row(bank: &PartyId, agreement: AgreementId, cursor: &CursorRecord) -> Option<Vec<u8>> {
    let item = DueItem { agreement, kind: CURSOR_KIND, number: cursor.number, attempt: 0 };
    cursor.due.map(|due| key::due(bank, due, &item))
}

fn queue(
    state: &mut Overlay<'_>,
    agreement: &AgreementId,
    cursor: &mut CursorRecord,
    now: Timestamp,
    ahead_ms: u64,
) -> Result<(), Fault> {
    let rested = cursor.last.map_or(0, |last| last.0 + REST_MS);
    cursor.due = Some(Timestamp(rested.max(now.0 + ahead_ms)));
    if let Some(row) = queue_row(&bank_of(state, agreement)?, *agreement, cursor) {
        state.put(&row, &DueRow {});
    }
    Ok(())
}

fn unqueue(state: &mut Overlay<'_>, agreement: &AgreementId, cursor: &mut CursorRecord) -> Result<(), Fault> {
    if let Some(row) = queue_row(&bank_of(state, agreement)?, *agreement, cursor) {
        state.delete(Kind::Due, &row);
    }
    cursor.last = cursor.due.take().or(cursor.last);
    Ok(())
}

fn bank_of(state: &Overlay<'_>, agreement: &AgreementId) -> Result<PartyId, Fault> {
    let record: Option<AgreementRecord> = state.get(&agreement.0)?;
    let missing = || Fault::State(format!("{agreement}, which reads accounts, is missing"));
    Ok(record.ok_or_else(missing)?.bank)
}
