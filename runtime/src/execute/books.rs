//! Operations on accounts and books that move no money.

use super::run::{Run, Trouble, party as party_of};
use crate::fault::Stop;
use crate::ledger::{self, bank_of};
use crate::state::Overlay;
use crate::state::record::{AccountRecord, AssetRecord, Holder};
use tenor_abi::id::{AccountId, PartyId};
use tenor_abi::refusal::Refusal;
use tenor_abi::role::Role;
use tenor_wire::op::{AccountChange, AccountChangeOp, BooksChange, BooksOp};

type Ran = Result<Vec<u8>, Trouble>;

/// Changes an account. Limits: operations staff of the owner's bank, with a floor below zero of the asset's issuer.
/// Freezing and freeing: operations and compliance of the owner's bank. Closing: the owner, or operations staff of
/// its bank. Account code and control account: operations staff of its bank.
pub(super) fn account_change(state: &mut Overlay<'_>, run: &mut Run<'_>, op: &AccountChangeOp) -> Ran {
    let account = op.account;
    let record: AccountRecord = state.get(&account.0)?.ok_or(Refusal::UnknownAccount { account })?;
    let bank = bank_of(state, &record.owner)?;
    match &op.change {
        AccountChange::Limits { floor, .. } if *floor < 0 => {
            let asset: Option<AssetRecord> = state.get(&record.asset.0)?;
            let issuer = asset.ok_or(Refusal::UnknownAsset { asset: record.asset })?.issuer;
            run.staff(state, &issuer, Role::Operations)?;
        }
        AccountChange::Freeze { .. } | AccountChange::Unfreeze => {
            run.two_roles(state, &bank, Role::Operations, Role::Compliance)?;
        }
        AccountChange::Close if matches!(record.owner, Holder::Party(owner) if run.has(&owner)) => {}
        _ => run.staff(state, &bank, Role::Operations)?,
    }
    let moves_book = matches!(op.change, AccountChange::Limits { .. } | AccountChange::Close);
    if moves_book && matches!(record.owner, Holder::Agreement(_)) {
        let rule =
            "the limits of an agreement's books follow from its contract, and they live as long as it does";
        return Err(Refusal::BadValue { rule: rule.into() }.into());
    }
    ledger::change_account(state, account, &op.change)?;
    Ok(vec![])
}

/// Changes a bank's books. Account codes and closing: operations staff; exposure limits: product managers.
pub(super) fn books(state: &mut Overlay<'_>, run: &mut Run<'_>, op: &BooksOp) -> Ran {
    let home = party_of(state, &op.bank)?.home;
    let role = match op.change {
        BooksChange::Exposure { .. } => Role::ProductManager,
        _ => Role::Operations,
    };
    run.staff(state, &op.bank, role)?;
    let today = run.business_date(state, &home)?;
    ledger::set_books(state, op.bank, &op.change, today)?;
    Ok(vec![])
}

/// The bank of an account's owner.
pub(super) fn bank_of_account(state: &Overlay<'_>, account: &AccountId) -> Result<PartyId, Stop> {
    let record: Option<AccountRecord> = state.get(&account.0)?;
    Ok(bank_of(state, &record.ok_or(Refusal::UnknownAccount { account: *account })?.owner)?)
}
