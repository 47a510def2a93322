//! Changes of an account that move no money, and what a bank decides about its books.

use super::account::{check_range, is_purpose};
use super::dates::closed_until;
use super::{CONTROL_DEPTH_MAX, bank_of};
use crate::fault::Stop;
use crate::state::Overlay;
use crate::state::record::{
    AccountCodeRecord, AccountRecord, AssetRecord, ClosedBooksRecord, ExposureRecord, key,
};
use tenor_abi::date::Date;
use tenor_abi::id::{AccountId, PartyId};
use tenor_abi::refusal::Refusal;
use tenor_wire::op::{AccountChange, AccountKind, BooksChange};

/// Changes an account; who may is judged before.
///
/// # Errors
/// Refused when the account is closed, is not empty where it must be, or the change breaks a rule of its own.
pub fn change_account(
    state: &mut Overlay<'_>,
    account: AccountId,
    change: &AccountChange,
) -> Result<(), Stop> {
    let mut record: AccountRecord = state.get(&account.0)?.ok_or(Refusal::UnknownAccount { account })?;
    if record.closed {
        return Err(Refusal::Closed { account }.into());
    }
    match *change {
        // Limits within which the account does not lie today only block further use.
        AccountChange::Limits { floor, ceiling, holds_overdraft } => {
            check_range(floor, ceiling)?;
            (record.floor, record.ceiling, record.holds_overdraft) = (floor, ceiling, holds_overdraft);
        }
        AccountChange::Freeze { incoming, outgoing, reason } => {
            let asset: Option<AssetRecord> = state.get(&record.asset.0)?;
            if !asset.is_some_and(|asset| asset.freezable) {
                return Err(Refusal::NotInAssetTerms { asset: record.asset, what: "freeze".into() }.into());
            }
            if !incoming && !outgoing {
                return Err(
                    Refusal::BadValue { rule: "a freeze stops what comes in or goes out".into() }.into()
                );
            }
            record.frozen_in = incoming.then_some(reason).or(record.frozen_in);
            record.frozen_out = outgoing.then_some(reason).or(record.frozen_out);
        }
        AccountChange::Unfreeze => (record.frozen_in, record.frozen_out) = (None, None),
        AccountChange::Close => {
            check_empty(account, &record)?;
            if record.kind == AccountKind::Control {
                return Err(Refusal::ControlAccount { account }.into());
            }
            record.closed = true;
        }
        AccountChange::Code(code) => {
            let bank = bank_of(state, &record.owner)?;
            if code != 0 && state.get::<AccountCodeRecord>(&key::account_code(&bank, code))?.is_none() {
                return Err(Refusal::BadValue { rule: format!("{bank} has no account code {code}") }.into());
            }
            record.code = code;
        }
        AccountChange::Control(control) => {
            check_empty(account, &record)?;
            if let Some(control) = control {
                check_control(state, account, &record, control)?;
            }
            record.control = control;
        }
    }
    state.put(&account.0, &record);
    Ok(())
}

fn check_empty(account: AccountId, record: &AccountRecord) -> Result<(), Refusal> {
    let (balance, pending) =
        (record.balance(), record.counters.debits_pending + record.counters.credits_pending);
    if balance == 0 && pending == 0 { Ok(()) } else { Err(Refusal::NotEmpty { account, balance, pending }) }
}

/// A control account is the same bank's, counts the same asset, and is not mirrored by what it mirrors.
fn check_control(
    state: &Overlay<'_>,
    account: AccountId,
    record: &AccountRecord,
    control: AccountId,
) -> Result<(), Stop> {
    let mut above = Some(control);
    for _ in 0..CONTROL_DEPTH_MAX {
        let Some(id) = above else { return Ok(()) };
        let known: AccountRecord = state.get(&id.0)?.ok_or(Refusal::UnknownAccount { account: id })?;
        let same_bank = bank_of(state, &known.owner)? == bank_of(state, &record.owner)?;
        let fits = known.kind == AccountKind::Control && known.asset == record.asset && same_bank;
        if !fits || id == account {
            let rule = "a control account is of kind control, of the same bank and asset, and not mirrored by itself";
            return Err(Refusal::BadValue { rule: rule.into() }.into());
        }
        above = known.control;
    }
    let rule = format!("at most {CONTROL_DEPTH_MAX} control accounts stand above one another");
    if above.is_none() { Ok(()) } else { Err(Refusal::BadValue { rule }.into()) }
}

/// Changes a bank's books on a business date; who may is judged before.
///
/// # Errors
/// Refused when a general-ledger key is none, a period would open again or is not over, or the bank does not
/// issue the asset.
pub fn set_books(
    state: &mut Overlay<'_>,
    bank: PartyId,
    change: &BooksChange,
    today: Date,
) -> Result<(), Stop> {
    match change {
        BooksChange::Code { code, gl, side, back_days } => {
            if !is_purpose(gl) {
                let rule = format!(
                    "a general-ledger key is 1 to 16 of a-z, 0-9 and -, `{}` given",
                    gl.escape_debug()
                );
                return Err(Refusal::BadValue { rule }.into());
            }
            let record = AccountCodeRecord { gl: gl.clone(), side: *side, back_days: *back_days };
            state.put(&key::account_code(&bank, *code), &record);
        }
        BooksChange::Close { until } => {
            let before = closed_until(state, &bank)?;
            if *until >= today || before.is_some_and(|before| *until <= before) {
                let after = before.map_or(String::new(), |before| format!("after {before} and "));
                let rule = format!("books close on a day {after}before {today}, {until} given");
                return Err(Refusal::BadValue { rule }.into());
            }
            state.put(&bank.0, &ClosedBooksRecord { until: *until });
        }
        BooksChange::Exposure { product, limit } => {
            let asset = limit.asset;
            let known: AssetRecord = state.get(&asset.0)?.ok_or(Refusal::UnknownAsset { asset })?;
            if known.issuer != bank {
                let rule = format!("only the issuer of {asset} lets a product owe it");
                return Err(Refusal::BadValue { rule }.into());
            }
            let row = key::exposure(&bank, &asset, product);
            let used = state.get::<ExposureRecord>(&row)?.map_or(0, |before| before.used);
            state.put(&row, &ExposureRecord { limit: limit.limit, used });
        }
    }
    Ok(())
}
