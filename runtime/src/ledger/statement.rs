//! Statements and balances by value date, read from an account's history.
//!
//! A value date lies at most VALUE_DATE_AHEAD_DAYS after the business date of its booking, so what counts from a
//! later day than the one asked for was booked less than that before it: only the newest postings are looked through.

use super::past::{count_at, posting};
use crate::fault::Fault;
use crate::state::Overlay;
use crate::state::record::{AccountRecord, HistoryRecord};
use tenor_abi::date::Date;
use tenor_abi::entry::{Side, StatementLine};
use tenor_abi::id::AccountId;

/// Days that a business date may lie beside the UTC day of its instant.
const ZONE_DAYS: i32 = 2;

/// A statement by value date.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Statement {
    /// Balance of all that counts from before the first day, minor units.
    pub opening: i128,
    /// What counts from a day within, by value date and then in the order of booking.
    pub lines: Vec<StatementLine>,
    /// Balance of all that counts up to and with the last day, minor units.
    pub closing: i128,
}

fn signed(row: &HistoryRecord) -> i128 {
    match row.side {
        Side::Debit => -(row.amount as i128),
        Side::Credit => row.amount as i128,
    }
}

/// Place of the first posting that may count from after a day, and how many there are in all.
///
/// # Errors
/// [`Fault::State`] when a row of the history is missing.
pub fn rows_since(
    state: &Overlay<'_>,
    account: &AccountId,
    date: Date,
    ahead_days: u16,
) -> Result<(u64, u64), Fault> {
    let count = state.get::<AccountRecord>(&account.0)?.map_or(0, |record| record.history_count);
    let earliest = date.checked_add_days(-(i32::from(ahead_days) + ZONE_DAYS)).unwrap_or(Date::MIN);
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        if posting(state, account, middle)?.booked_at.date() < earliest {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok((low, count))
}

/// What an account holds by value dates up to and with a day, minor units.
///
/// # Errors
/// As [`rows_since`].
pub fn balance_on(
    state: &Overlay<'_>,
    account: &AccountId,
    date: Date,
    ahead_days: u16,
) -> Result<i128, Fault> {
    let (first, count) = rows_since(state, account, date, ahead_days)?;
    let mut balance = balance_before(state, account, first)?;
    for sequence in first..count {
        let row = posting(state, account, sequence)?;
        if row.value_date <= date {
            balance += signed(&row);
        }
    }
    Ok(balance)
}

/// What was booked before a posting of an account.
fn balance_before(state: &Overlay<'_>, account: &AccountId, sequence: u64) -> Result<i128, Fault> {
    let before = sequence.checked_sub(1).map(|before| posting(state, account, before)).transpose()?;
    Ok(before.map_or(0, |row| balance_after(&row)))
}

fn balance_after(row: &HistoryRecord) -> i128 {
    row.credits_posted as i128 - row.debits_posted as i128
}

/// A statement from a day to a day, of what was booked in blocks up to a height: pages of one statement that name
/// the same height agree. Read is only what can count from the first day on.
///
/// # Errors
/// As [`rows_since`].
pub fn statement(
    state: &Overlay<'_>,
    account: &AccountId,
    from: Date,
    to: Date,
    height: u64,
    ahead_days: u16,
) -> Result<Statement, Fault> {
    let count = count_at(state, account, height)?;
    let first = rows_since(state, account, from, ahead_days)?.0.min(count);
    let opening = balance_before(state, account, first)?;
    let mut shown = Statement { opening, lines: vec![], closing: opening };
    for sequence in first..count {
        let row = posting(state, account, sequence)?;
        match row.value_date {
            date if date < from => shown.opening += signed(&row),
            date if date <= to => shown.lines.push(line(sequence, &row)),
            _ => {}
        }
    }
    shown.lines.sort_by_key(|line| (line.value_date, line.sequence));
    shown.closing = shown.opening;
    for line in &mut shown.lines {
        shown.closing += match line.side {
            Side::Debit => -(line.amount as i128),
            Side::Credit => line.amount as i128,
        };
        line.balance = shown.closing;
    }
    Ok(shown)
}

/// Postings of an account from a place in its history on, at most so many; balances are booked ones.
///
/// # Errors
/// As [`rows_since`].
pub fn postings(
    state: &Overlay<'_>,
    account: &AccountId,
    from: u64,
    count_max: u64,
) -> Result<Vec<StatementLine>, Fault> {
    let count = state.get::<AccountRecord>(&account.0)?.map_or(0, |record| record.history_count);
    let places = from..count.min(from.saturating_add(count_max));
    places.map(|sequence| Ok(line(sequence, &posting(state, account, sequence)?))).collect()
}

fn line(sequence: u64, row: &HistoryRecord) -> StatementLine {
    StatementLine {
        sequence,
        entry: row.entry,
        booked_at: row.booked_at,
        value_date: row.value_date,
        side: row.side,
        amount: row.amount,
        balance: balance_after(row),
    }
}
