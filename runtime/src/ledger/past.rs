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
    let Some(record) = state.get::<AccountRecord>(&account.0)? else { return Ok(None) };
    let posting = |sequence| {
        let missing = || Fault::State(format!("posting {sequence} of {account} is missing"));
        state.get::<HistoryRecord>(&key::history(account, sequence))?.ok_or_else(missing)
    };
    // The first posting above the height lies in `low..=high`.
    let (mut low, mut high) = (0, record.history_count);
    while low < high {
        let middle = low + (high - low) / 2;
        if posting(middle)?.height <= height {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low.checked_sub(1).map(posting).transpose()
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
