//! Amounts that depend on what is there: lines at most, and lines that balance.

use super::authority::{self, Signed};
use super::plan::{Line, Lines};
use crate::fault::Stop;
use crate::state::Overlay;
use crate::state::record::AccountRecord;
use std::collections::BTreeMap;
use tenor_abi::date::Timestamp;
use tenor_abi::entry::{Mode, Side};
use tenor_abi::flow::{self, SettleError, Term};
use tenor_abi::id::{AccountId, AgreementId, AssetId};
use tenor_abi::refusal::Refusal;

/// A line whose amount may depend on the others and on its account.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Asked {
    /// The line; of its amount the mode says how it is meant.
    pub line: Line,
    /// How.
    pub mode: Mode,
}

/// The lines with their amounts; those that come to nothing are left out. None at all: there is nothing to book.
///
/// # Errors
/// Refused when an account is unknown, the agreement may not debit one whose balance would count, an amount is none, or
/// what should balance cannot.
pub fn settle(
    state: &Overlay<'_>,
    asked: &[Asked],
    agreement: &AgreementId,
    now: Timestamp,
    signed: &Signed,
) -> Result<Lines, Stop> {
    if asked.iter().all(|asked| asked.mode == Mode::Exact) {
        return Ok(asked.iter().map(|asked| asked.line).collect());
    }
    let mut accounts: BTreeMap<AccountId, AccountRecord> = BTreeMap::new();
    for Asked { line: Line { account, .. }, .. } in asked {
        if !accounts.contains_key(account) {
            let record: Option<AccountRecord> = state.get(&account.0)?;
            accounts.insert(*account, record.ok_or(Refusal::UnknownAccount { account: *account })?);
        }
    }
    for Asked { line, mode } in asked {
        // Nothing is told of what is on an account to whoever may not debit it.
        if (*mode, line.side) == (Mode::AtMost, Side::Debit) {
            authority::check_may_debit(state, agreement, line.account, line.minor, now, signed)?;
        }
    }
    let term = |Asked { line, mode }: &Asked| {
        let asset = accounts[&line.account].asset;
        Term { account: line.account, asset, side: line.side, mode: *mode, minor: line.minor }
    };
    let terms: Vec<_> = asked.iter().map(term).collect();
    let room = |account: &AccountId, side: Side| {
        let record = &accounts[account];
        match side {
            Side::Debit => Some(record.available()),
            Side::Credit => record.ceiling.map(|ceiling| {
                let free = ceiling - record.balance() - record.counters.credits_pending as i128;
                free.max(0).unsigned_abs()
            }),
        }
    };
    let amounts = flow::settle(&terms, room).map_err(|error| match error {
        SettleError::Amount { minor } => Refusal::BadAmount { minor },
        SettleError::Unbalanced(asset) => unbalanced(&terms, asset),
    })?;
    let lines = asked.iter().zip(amounts).filter(|(asked, minor)| asked.mode == Mode::Exact || *minor > 0);
    Ok(lines.map(|(asked, minor)| Line { minor, ..asked.line }).collect())
}

/// What is asked for, which says nothing of what is there.
fn unbalanced(terms: &[Term<AccountId, AssetId>], asset: AssetId) -> Refusal {
    let sum = |side: Side| {
        let lines = terms.iter().filter(|term| term.asset == asset && term.side == side);
        lines.filter(|term| term.mode != Mode::Balancing).map(|term| term.minor.max(0).unsigned_abs()).sum()
    };
    Refusal::Unbalanced { asset, debits: sum(Side::Debit), credits: sum(Side::Credit) }
}
