//! The ledger's invariants over the whole state, for a replica that checks itself.

use super::account::{bank_of, each_account};
use super::plan::Line;
use crate::fault::Fault;
use crate::state::record::{
    AccountRecord, AgreementRecord, ContractRecord, ExpiryRow, ExposureRecord, HistoryRecord, HoldOfRow,
    HoldRecord, Holder, from_bytes, key,
};
use crate::state::{Kind, Overlay};
use std::collections::BTreeMap;
use tenor_abi::entry::Side;
use tenor_abi::id::{AccountId, AgreementId, AssetId, HoldId, PartyId};
use tenor_wire::op::AccountKind;
use tenor_wire::receipt::Entry;

/// Checks the books of all accounts: every asset sums to zero, counters are what histories and open holds say,
/// control accounts are what they mirror, exposures are what agreements owe.
///
/// # Errors
/// [`Fault::Books`] naming the account, and the entry where one is known.
pub fn check(state: &Overlay<'_>) -> Result<(), Fault> {
    let pending = pending(state)?;
    let mut sums: BTreeMap<AssetId, i128> = BTreeMap::new();
    let mut mirrored: BTreeMap<AccountId, (u128, u128)> = BTreeMap::new();
    let mut controls: Vec<(AccountId, (u128, u128))> = vec![];
    let mut owed: BTreeMap<(AgreementId, AssetId), i128> = BTreeMap::new();
    each_account(state, |account, record| {
        check_account(state, account, record, pending.get(account).copied().unwrap_or_default())?;
        let counters = record.counters.posted();
        if let Some(control) = record.control {
            let sum = mirrored.entry(control).or_default();
            (sum.0, sum.1) = (sum.0 + counters.0, sum.1 + counters.1);
        }
        match record.kind {
            AccountKind::Control => controls.push((*account, counters)),
            _ => *sums.entry(record.asset).or_default() += record.balance(),
        }
        if let Holder::Agreement(agreement) = record.owner {
            *owed.entry((agreement, record.asset)).or_default() += record.unheld();
        }
        Ok(())
    })?;
    if let Some((asset, sum)) = sums.into_iter().find(|(_, sum)| *sum != 0) {
        return Err(Fault::Books(format!("{asset} sums to {sum}, not to zero")));
    }
    for (control, counters) in controls {
        // Accounts were put under it or taken from it with a balance of zero, so the balances agree.
        let (debits, credits) = mirrored.get(&control).copied().unwrap_or_default();
        let (below, own) = (credits as i128 - debits as i128, counters.1 as i128 - counters.0 as i128);
        if below != own {
            return Err(Fault::Books(format!("control account {control} says {own}, its accounts {below}")));
        }
    }
    check_exposures(state, &owed)
}

fn check_account(
    state: &Overlay<'_>,
    account: &AccountId,
    record: &AccountRecord,
    pending: (u128, u128),
) -> Result<(), Fault> {
    let last = match record.history_count.checked_sub(1) {
        Some(sequence) => state.get::<HistoryRecord>(&key::history(account, sequence))?,
        None => None,
    };
    let said = last.as_ref().map_or((0, 0), |row| (row.debits_posted, row.credits_posted));
    if said != record.counters.posted() {
        let entry = last.map_or("no entry".into(), |row| format!("entry {}", row.entry));
        let (debits, credits) = record.counters.posted();
        let text = format!("{account} counts {debits} and {credits}");
        return Err(Fault::Books(format!("{text}, its history after {entry} {} and {}", said.0, said.1)));
    }
    if record.counters.pending() != pending {
        let counted = record.counters.pending();
        return Err(Fault::Books(format!(
            "{account} has {counted:?} pending, its open holds say {pending:?}"
        )));
    }
    if record.closed && (record.balance() != 0 || pending != (0, 0)) {
        return Err(Fault::Books(format!("{account} is closed and holds {}", record.balance())));
    }
    Ok(())
}

/// What open holds say is pending on each account: debits, credits.
fn pending(state: &Overlay<'_>) -> Result<BTreeMap<AccountId, (u128, u128)>, Fault> {
    let mut sums: BTreeMap<AccountId, (u128, u128)> = BTreeMap::new();
    let mut from = Kind::Hold.full_key(&[]);
    while let Some((full, bytes)) = state.next_row(&from, &[Kind::Hold as u8 + 1])? {
        let record: HoldRecord = from_bytes(&full, &bytes)?;
        check_rows(state, &full, &record)?;
        let account = full.get(1..33).and_then(|account| account.try_into().ok()).map(AccountId);
        let account = account.ok_or_else(|| Fault::State("a hold's key has no account".into()))?;
        sums.entry(account).or_default().0 += record.left;
        sums.entry(record.to).or_default().1 += record.left;
        from = full;
        from.push(0);
    }
    Ok(sums)
}

/// The rows by which a hold is found.
fn check_rows(state: &Overlay<'_>, full_key: &[u8], record: &HoldRecord) -> Result<(), Fault> {
    let short = || Fault::State("a hold's key is too short".into());
    let account = full_key.get(1..).and_then(|key| key.first_chunk()).copied().map(AccountId);
    let hold = full_key.get(33..).and_then(|key| key.first_chunk()).copied().map(HoldId);
    let (account, hold) = account.zip(hold).ok_or_else(short)?;
    let of = state.get::<HoldOfRow>(&key::hold_of(&hold, &account))?;
    let queued = state.get::<ExpiryRow>(&key::expiry(record.expires_at, &hold))?;
    if of.is_some() && queued.is_some() {
        return Ok(());
    }
    Err(Fault::State(format!("a row of {hold} on {account} is missing")))
}

/// Checks what a block has touched, before it is done: counters against histories and pending debits against open
/// holds of each account that was written.
///
/// # Errors
/// [`Fault::Books`] naming the account.
pub fn check_block(state: &Overlay<'_>) -> Result<(), Fault> {
    let ids = state.written(Kind::Account, |full, _| full.get(1..).and_then(|id| id.first_chunk()).copied());
    for account in ids.into_iter().flatten().map(AccountId) {
        let Some(record) = state.get::<AccountRecord>(&account.0)? else { continue };
        let mut held = 0;
        let mut from = Kind::Hold.full_key(&account.0);
        let end = [from.as_slice(), &[0xff; 33]].concat();
        while let Some((full, bytes)) = state.next_row(&from, &end)? {
            held += from_bytes::<HoldRecord>(&full, &bytes)?.left;
            from = full;
            from.push(0);
        }
        check_account(state, &account, &record, (held, record.counters.credits_pending))?;
    }
    Ok(())
}

fn check_exposures(state: &Overlay<'_>, owed: &BTreeMap<(AgreementId, AssetId), i128>) -> Result<(), Fault> {
    let mut sums: BTreeMap<Vec<u8>, (PartyId, u128)> = BTreeMap::new();
    for ((agreement, asset), total) in owed {
        let Some(record) = state.get::<AgreementRecord>(&agreement.0)? else { continue };
        let Some(contract) = state.get::<ContractRecord>(&record.code.0)? else { continue };
        let bank = bank_of(state, &Holder::Agreement(*agreement))?;
        let row = key::exposure(&bank, asset, &contract.name);
        sums.entry(row).or_insert((bank, 0)).1 += (*total).min(0).unsigned_abs();
    }
    for (row, (bank, sum)) in sums {
        let Some(kept) = state.get::<ExposureRecord>(&row)? else { continue };
        if kept.used != sum {
            return Err(Fault::Books(format!(
                "an exposure of {bank} says {}, its agreements owe {sum}",
                kept.used
            )));
        }
    }
    Ok(())
}

/// Checks the accounts that an entry touched, against the record that it left: cheap enough for every entry.
///
/// # Errors
/// [`Fault::Books`] naming account and entry.
pub fn check_touched(state: &Overlay<'_>, entry: &Entry) -> Result<(), Fault> {
    let mut sums: BTreeMap<AssetId, i128> = BTreeMap::new();
    for posting in &entry.postings {
        let line = Line {
            account: posting.account,
            side: posting.side,
            minor: posting.amount as i128,
            currency: None,
        };
        *sums.entry(posting.asset).or_default() +=
            if line.side == Side::Debit { -line.minor } else { line.minor };
        let record: Option<AccountRecord> = state.get(&posting.account.0)?;
        let record = record
            .ok_or_else(|| Fault::Books(format!("{} of entry {} is missing", posting.account, entry.id)))?;
        let free = record.unheld();
        if entry.act.books()
            && free < record.floor
            && posting.side == Side::Debit
            && matches!(entry.act, tenor_wire::receipt::Act::Post | tenor_wire::receipt::Act::Correct(_))
        {
            return Err(Fault::Books(format!(
                "{} is below its floor after entry {}",
                posting.account, entry.id
            )));
        }
    }
    match sums.into_iter().find(|(_, sum)| *sum != 0) {
        Some((asset, sum)) => {
            Err(Fault::Books(format!("entry {} does not balance in {asset}: {sum}", entry.id)))
        }
        None => Ok(()),
    }
}
