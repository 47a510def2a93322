//! Opening accounts and reading balances.

use crate::fault::Fault;
use crate::fault::Stop;
use crate::state::record::{
    AccountOfRow, AccountRecord, AgreementRecord, AssetRecord, Counters, Holder, HookSet, PURPOSE_LENGTH_MAX,
    PartyRecord, PurposeCode, from_bytes, key,
};
use crate::state::{Kind, Overlay};
use std::collections::BTreeMap;
use tenor_abi::entry::Balance;
use tenor_abi::id::{AccountId, AgreementId, AssetId, Hash, PartyId};
use tenor_abi::money::Currency;
use tenor_abi::refusal::Refusal;
use tenor_wire::op::{AccountKind, AccountOp, account_id};

/// What an account is opened with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Opening<'o> {
    /// Whose.
    pub owner: Holder,
    /// In what.
    pub asset: AssetId,
    /// For what.
    pub purpose: &'o str,
    /// Lowest balance.
    pub floor: i128,
    /// Highest balance.
    pub ceiling: Option<i128>,
    /// What it is to the ledger.
    pub kind: AccountKind,
}

impl<'o> Opening<'o> {
    /// An account that is opened as an operation asks for it.
    pub fn of(op: &'o AccountOp) -> Opening<'o> {
        let (owner, purpose) = (Holder::Party(op.owner), op.purpose.as_str());
        Opening { owner, asset: op.asset, purpose, floor: op.floor, ceiling: op.ceiling, kind: op.kind }
    }
}

/// Whether a text is a purpose or a general-ledger key.
pub(super) fn is_purpose(text: &str) -> bool {
    PurposeCode::of(text).is_some()
}

/// Floor and ceiling must be on their sides of zero.
pub(super) fn check_range(floor: i128, ceiling: Option<i128>) -> Result<(), Refusal> {
    let limit = tenor_abi::limit::COUNTER_MAX as i128;
    if floor > 0 || floor < -limit || ceiling.is_some_and(|ceiling| ceiling < 0 || ceiling > limit) {
        let rule = "a floor is at most 0, a ceiling at least 0, both within 10^36".into();
        return Err(Refusal::BadValue { rule });
    }
    Ok(())
}

/// The currency that an asker means must be an account's, with as many decimals.
///
/// # Errors
/// [`Refusal::WrongCurrency`], [`Refusal::WrongScale`].
pub fn check_currency(account: AccountId, needed: Currency, given: Currency) -> Result<(), Refusal> {
    if given.code != needed.code {
        return Err(Refusal::WrongCurrency { account, given: given.code, needed: needed.code });
    }
    if given.scale != needed.scale {
        return Err(Refusal::WrongScale { account, given: given.scale, needed: needed.scale });
    }
    Ok(())
}

/// Opens an account.
///
/// # Errors
/// Refused when the purpose is no code, the asset is unknown, the account exists, floor and ceiling cross, or
/// somebody else than the issuer would issue.
pub fn open_account(state: &mut Overlay<'_>, opening: Opening<'_>) -> Result<AccountId, Stop> {
    let Opening { owner, asset, purpose, floor, ceiling, kind } = opening;
    let bad_purpose = || Refusal::BadValue {
        rule: format!(
            "an account's purpose is 1 to {PURPOSE_LENGTH_MAX} of a-z, 0-9 and -, `{}` given",
            purpose.escape_debug()
        ),
    };
    let code_of_purpose = PurposeCode::of(purpose).ok_or_else(bad_purpose)?;
    check_range(floor, ceiling)?;
    let known: AssetRecord = state.get(&asset.0)?.ok_or(Refusal::UnknownAsset { asset })?;
    let id = account_id(owner.bytes(), &asset, purpose);
    if kind == AccountKind::Issuance && owner != Holder::Party(known.issuer) {
        return Err(Refusal::IssuerOnly { account: id, issuer: known.issuer }.into());
    }
    if state.get::<AccountRecord>(&id.0)?.is_some() {
        return Err(Refusal::Exists { what: Hash(id.0) }.into());
    }
    let record = AccountRecord {
        owner,
        asset,
        purpose: code_of_purpose,
        currency: Currency { code: known.code, scale: known.scale },
        kind,
        code: 0,
        control: None,
        counters: Counters::default(),
        floor,
        ceiling,
        holds_overdraft: false,
        frozen_in: None,
        frozen_out: None,
        closed: false,
        hooks: HookSet::default(),
        history_count: 0,
        history_root: Hash::ZERO,
    };
    state.put(&id.0, &record);
    state.put(&key::pair(owner.bytes(), &id.0), &AccountOfRow {});
    Ok(id)
}

/// The bank of an account's owner: a party's home bank, or the bank of an agreement's product.
///
/// # Errors
/// [`Fault::State`] when there is no such owner.
pub fn bank_of(state: &Overlay<'_>, owner: &Holder) -> Result<PartyId, Fault> {
    let bank = match owner {
        Holder::Party(party) => state.get::<PartyRecord>(&party.0)?.map(|party| party.home),
        Holder::Agreement(agreement) => {
            state.get::<AgreementRecord>(&agreement.0)?.map(|agreement| agreement.bank)
        }
    };
    bank.ok_or_else(|| Fault::State(format!("the owner {owner:?} of an account is missing")))
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

/// The sum of an agreement's books in an asset, less what holds set aside on them.
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
            total += record.unheld();
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

/// Debits and credits of all accounts by asset; they must be equal. Control accounts only mirror and do not count.
///
/// # Errors
/// [`Fault`] of the store.
pub fn trial_balance(state: &Overlay<'_>) -> Result<BTreeMap<AssetId, TrialRow>, Fault> {
    sum_accounts(state, |_, record| Ok(record.counters.posted()))
}

/// What of each asset was issued and not redeemed, minor units: what its issuance accounts are below zero.
///
/// # Errors
/// [`Fault`] of the store.
pub fn supply(state: &Overlay<'_>) -> Result<BTreeMap<AssetId, i128>, Fault> {
    let mut supply: BTreeMap<AssetId, i128> = BTreeMap::new();
    each_account(state, |_, record| {
        if record.kind == AccountKind::Issuance {
            *supply.entry(record.asset).or_default() -= record.balance();
        }
        Ok(())
    })?;
    Ok(supply)
}

/// Sums debits and credits of all accounts by asset, as the caller counts them.
pub(super) fn sum_accounts(
    state: &Overlay<'_>,
    counters: impl Fn(&AccountId, &AccountRecord) -> Result<(u128, u128), Fault>,
) -> Result<BTreeMap<AssetId, TrialRow>, Fault> {
    let mut rows: BTreeMap<AssetId, TrialRow> = BTreeMap::new();
    each_account(state, |account, record| {
        if record.kind == AccountKind::Control {
            return Ok(());
        }
        let (debits, credits) = counters(account, record)?;
        let row = rows.entry(record.asset).or_default();
        row.debits += debits;
        row.credits += credits;
        Ok(())
    })?;
    Ok(rows)
}

/// Shows every account in order of its id.
pub(super) fn each_account(
    state: &Overlay<'_>,
    mut visit: impl FnMut(&AccountId, &AccountRecord) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut from = vec![Kind::Account as u8];
    while let Some((full, bytes)) = state.next_row(&from, &[Kind::Account as u8 + 1])? {
        let record: AccountRecord = from_bytes(&full, &bytes)?;
        let account = full[1..].try_into().map(AccountId);
        let account = account.map_err(|_| Fault::State("an account's key has not 32 bytes".into()))?;
        visit(&account, &record)?;
        from = full;
        from.push(0);
    }
    Ok(())
}
