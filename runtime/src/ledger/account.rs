//! Opening accounts and reading balances.

use crate::fault::Fault;
use crate::fault::Stop;
use crate::state::record::{AccountOfRow, AccountRecord, AssetRecord, Holder, from_bytes, key};
use crate::state::{Kind, Overlay};
use std::collections::BTreeMap;
use tenor_abi::entry::Balance;
use tenor_abi::id::{AccountId, AgreementId, AssetId, Hash};
use tenor_abi::money::Currency;
use tenor_abi::refusal::Refusal;
use tenor_wire::op::account_id;

/// Longest purpose code in characters.
pub const PURPOSE_LENGTH_MAX: usize = 16;

/// Opens an account.
///
/// # Errors
/// Refused when the purpose is no code, the asset is unknown, the account exists, or floor and ceiling cross.
pub fn open_account(
    state: &mut Overlay<'_>,
    owner: Holder,
    asset: AssetId,
    purpose: &str,
    floor: i128,
    ceiling: Option<i128>,
) -> Result<AccountId, Stop> {
    let is_code = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    if purpose.is_empty() || purpose.len() > PURPOSE_LENGTH_MAX || !purpose.bytes().all(is_code) {
        let rule = format!(
            "an account's purpose is 1 to {PURPOSE_LENGTH_MAX} of a-z, 0-9 and -, `{}` given",
            purpose.escape_debug()
        );
        return Err(Refusal::BadValue { rule }.into());
    }
    let limit = tenor_abi::limit::COUNTER_MAX as i128;
    if floor > 0 || floor < -limit || ceiling.is_some_and(|ceiling| ceiling < 0 || ceiling > limit) {
        let rule = "a floor is at most 0, a ceiling at least 0, both within 10^36".into();
        return Err(Refusal::BadValue { rule }.into());
    }
    let known: AssetRecord = state.get(&asset.0)?.ok_or(Refusal::UnknownAsset { asset })?;
    let id = account_id(owner.bytes(), &asset, purpose);
    if state.get::<AccountRecord>(&id.0)?.is_some() {
        return Err(Refusal::Exists { what: Hash(id.0) }.into());
    }
    let record = AccountRecord {
        owner,
        asset,
        purpose: purpose.into(),
        currency: Currency { code: known.code, scale: known.scale },
        debits_posted: 0,
        credits_posted: 0,
        debits_pending: 0,
        credits_pending: 0,
        floor,
        ceiling,
        frozen_in: false,
        frozen_out: false,
        closed: false,
        history_count: 0,
        history_root: Hash::ZERO,
    };
    state.put(&id.0, &record);
    state.put(&key::pair(owner.bytes(), &id.0), &AccountOfRow {});
    Ok(id)
}

/// What an account holds.
///
/// # Errors
/// Refused when there is no such account.
pub fn balance(state: &Overlay<'_>, account: &AccountId) -> Result<Balance, Stop> {
    let record: AccountRecord =
        state.get(&account.0)?.ok_or(Refusal::UnknownAccount { account: *account })?;
    Ok(Balance { posted: record.balance(), available: record.available() })
}

/// The sum of an agreement's books in an asset.
pub(super) fn books_total(
    state: &Overlay<'_>,
    agreement: &AgreementId,
    asset: &AssetId,
) -> Result<i128, Stop> {
    let mut total = 0;
    let mut from = Kind::AccountOf.full_key(&agreement.0);
    let end = {
        let mut end = from.clone();
        end.extend([0xff; 33]);
        end
    };
    while let Some((row, _)) = state.next_row(&from, &end)? {
        let account = &row[33..];
        let record: AccountRecord =
            state.get(account)?.ok_or_else(|| Fault::State(format!("book of {agreement} is missing")))?;
        if record.asset == *asset {
            total += record.balance();
        }
        from = row;
        from.push(0);
    }
    Ok(total)
}

/// One asset's line of the trial balance.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TrialRow {
    /// Posted debits of all accounts, minor units.
    pub debits: u128,
    /// Posted credits of all accounts, minor units.
    pub credits: u128,
}

/// Debits and credits of all accounts by asset; they must be equal.
///
/// # Errors
/// [`Fault`] of the store.
pub fn trial_balance(state: &Overlay<'_>) -> Result<BTreeMap<AssetId, TrialRow>, Fault> {
    sum_accounts(state, |_, record| Ok((record.debits_posted, record.credits_posted)))
}

/// Sums debits and credits of all accounts by asset, as the caller counts them.
pub(super) fn sum_accounts(
    state: &Overlay<'_>,
    counters: impl Fn(&AccountId, &AccountRecord) -> Result<(u128, u128), Fault>,
) -> Result<BTreeMap<AssetId, TrialRow>, Fault> {
    let mut rows: BTreeMap<AssetId, TrialRow> = BTreeMap::new();
    let mut from = vec![Kind::Account as u8];
    while let Some((full, bytes)) = state.next_row(&from, &[Kind::Account as u8 + 1])? {
        let record: AccountRecord = from_bytes(&full, &bytes)?;
        let account = full[1..].try_into().map(AccountId);
        let account = account.map_err(|_| Fault::State("an account's key has not 32 bytes".into()))?;
        let (debits, credits) = counters(&account, &record)?;
        let row = rows.entry(record.asset).or_default();
        row.debits += debits;
        row.credits += credits;
        from = full;
        from.push(0);
    }
    Ok(rows)
}
