//! What accounts held after an earlier block, read from their history.
//!
//! Every posting stands in its account's history with the counters after it, so a balance of any height is one
//! search in it, however long ago it was. The history is covered by the root in the account's leaf of today.

use super::TrialRow;
use super::account::sum_accounts;
use crate::fault::Fault;
use crate::state::Overlay;
use crate::state::record::{AccountRecord, HistoryRecord, key};
use std::collections::BTreeMap;
use tenor_abi::id::{AccountId, AssetId};

/// The last posting of an account in a block of this height or below; none when there was none yet.
///
/// # Errors
/// [`Fault::State`] when a row of the history is missing.
pub fn posting_at(
    state: &Overlay<'_>,
    account: &AccountId,
    height: u64,
) -> Result<Option<HistoryRecord>, Fault> {
    count_at(state, account, height)?.checked_sub(1).map(|last| posting(state, account, last)).transpose()
}

/// A posting of an account by its place in the history.
pub(super) fn posting(
    state: &Overlay<'_>,
    account: &AccountId,
    sequence: u64,
) -> Result<HistoryRecord, Fault> {
    let missing = || Fault::State(format!("posting {sequence} of {account} is missing"));
    state.get(&key::history(account, sequence))?.ok_or_else(missing)
}

/// How many postings an account had after the block of a height.
pub(super) fn count_at(state: &Overlay<'_>, account: &AccountId, height: u64) -> Result<u64, Fault> {
    let count = state.get::<AccountRecord>(&account.0)?.map_or(0, |record| record.history_count);
    // The first posting above the height lies in `low..=high`.
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        if posting(state, account, middle)?.height <= height {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

/// Debits and credits of all accounts by asset after a block; they must be equal.
///
/// # Errors
/// [`Fault`] of the store.
pub fn trial_balance_at(state: &Overlay<'_>, height: u64) -> Result<BTreeMap<AssetId, TrialRow>, Fault> {
    sum_accounts(state, |account, _| {
        let posting = posting_at(state, account, height)?;
        Ok(posting.map_or((0, 0), |last| (last.debits_posted, last.credits_posted)))
    })
}
