//! Operations that the chain does itself: parties, keys, roles, assets, accounts, calendars, grants.

use super::key_limit;
use super::run::{Run, Trouble, party as party_of};
use crate::ledger::{Opening, open_account};
use crate::state::Kind;
use crate::state::Overlay;
use crate::state::record::{
    AccountRecord, AgreementRecord, AssetRecord, CalendarRecord, GrantRecord, Holder, KeyRecord, PartyRecord,
    RoleRecord, key,
};
use tenor_abi::calendar::Calendar;
use tenor_abi::codec;
use tenor_abi::date::{Date, Timestamp};
use tenor_abi::id::{AccountId, Hash, PartyId};
use tenor_abi::limit::AMOUNT_MAX;
use tenor_abi::money::SCALE_MAX;
use tenor_abi::refusal::Refusal;
use tenor_abi::role::Role;
use tenor_wire::op::{
    AccountKind, AccountOp, AssetOp, CalendarOp, GrantOp, KeyChange, KeyDef, KeyLimit, KeyOp, PartyKind,
    PartyOp, RevokeOp, RoleOp, calendar_id,
};

type Ran = Result<Vec<u8>, Trouble>;

/// Keys that a party may have had, ended ones among them.
const KEYS_MAX: u16 = 64;

/// Makes a party. By operations staff of its home bank.
pub(super) fn party(state: &mut Overlay<'_>, run: &mut Run<'_>, op: &PartyOp) -> Ran {
    run.staff(state, &op.home, Role::Operations)?;
    insert_party(state, op)?;
    Ok(codec::encode(&op.party))
}

/// Writes a new party and its first key.
pub(super) fn insert_party(state: &mut Overlay<'_>, op: &PartyOp) -> Result<(), Trouble> {
    if state.get::<PartyRecord>(&op.party.0)?.is_some() {
        return Err(Refusal::Exists { what: Hash(op.party.0) }.into());
    }
    let home = PartyRecord { home: op.home, kind: op.kind, person: op.person, name: op.name };
    if op.kind == PartyKind::Bank && op.home != op.party {
        return Err(Refusal::BadValue { rule: "a bank is its own home bank".into() }.into());
    }
    state.put(&op.party.0, &home);
    insert_key(state, &op.party, 0, &op.key)
}

fn insert_key(state: &mut Overlay<'_>, party: &PartyId, number: u16, def: &KeyDef) -> Result<(), Trouble> {
    let row = key::key(party, number);
    if state.get::<KeyRecord>(&row)?.is_some() {
        return Err(Refusal::Exists { what: Hash(party.0) }.into());
    }
    if number >= KEYS_MAX {
        return Err(Refusal::BadValue {
            rule: format!("keys of a party are numbered 0 to {}", KEYS_MAX - 1),
        }
        .into());
    }
    def.public.verifier().map_err(|error| Refusal::BadValue { rule: format!("key: {error}") })?;
    if let Some(limits) = &def.limits {
        key_limit::check_form(limits)?;
    }
    let record = KeyRecord {
        public: def.public,
        role: def.role,
        expires_at: def.expires_at,
        limits: def.limits.clone(),
        revoked_at: None,
    };
    state.put(&row, &record);
    Ok(())
}

/// Changes keys. A key is enrolled by the party together with operations staff of its home bank, in a sandbox by the
/// party alone; it is ended by the party alone; staff in two persons does either without the party, and alone begins
/// anew with one key. A limited key makes and ends none that may do more than itself.
pub(super) fn key(state: &mut Overlay<'_>, run: &mut Run<'_>, op: &KeyOp) -> Ran {
    let home = party_of(state, &op.party)?.home;
    let by_party = run.has(&op.party);
    match &op.change {
        KeyChange::Add(def) => {
            if !by_party {
                run.staff(state, &home, Role::Operations)?;
            } else if !run.block.parameters.sandbox && !run.has_role(state, &home, Role::Operations)? {
                return Err(Refusal::RoleMissing { role: Role::Operations, bank: home }.into());
            }
            check_beyond(state, run, &op.party, def.limits.as_deref())?;
            insert_key(state, &op.party, op.number, def)?;
        }
        KeyChange::Revoke => {
            if !by_party {
                run.staff(state, &home, Role::Operations)?;
            }
            let row = key::key(&op.party, op.number);
            let unknown = || Refusal::BadValue { rule: format!("{} has no key {}", op.party, op.number) };
            let mut record: KeyRecord = state.get(&row)?.ok_or_else(unknown)?;
            check_beyond(state, run, &op.party, record.limits.as_deref())?;
            record.revoked_at.get_or_insert(run.time());
            state.put(&row, &record);
        }
        KeyChange::Recover(def) => {
            run.staff(state, &home, Role::Operations)?;
            for number in (0..KEYS_MAX).filter(|number| *number != op.number) {
                let row = key::key(&op.party, number);
                let Some(mut record) = state.get::<KeyRecord>(&row)? else { continue };
                record.revoked_at.get_or_insert(run.time());
                state.put(&row, &record);
            }
            insert_key(state, &op.party, op.number, def)?;
        }
    }
    Ok(vec![])
}

/// A limited key of the party's own makes and ends no key that may move more than itself.
fn check_beyond(
    state: &Overlay<'_>,
    run: &Run<'_>,
    party: &PartyId,
    limits: Option<&[KeyLimit]>,
) -> Result<(), Trouble> {
    for (_, number) in run.limited.iter().filter(|(signer, _)| signer == party) {
        let own: Option<KeyRecord> = state.get(&key::key(party, *number))?;
        let own = own.and_then(|own| own.limits);
        if !key_limit::is_within(limits, own.as_deref()) {
            return Err(Refusal::KeyBeyond { key: *number }.into());
        }
    }
    Ok(())
}

/// Gives or takes a role. By operations staff of the bank.
pub(super) fn role(state: &mut Overlay<'_>, run: &mut Run<'_>, op: &RoleOp) -> Ran {
    run.staff(state, &op.bank, Role::Operations)?;
    party_of(state, &op.party)?;
    set_role(state, op, run.time());
    Ok(vec![])
}

/// Writes a role as given or taken.
pub(super) fn set_role(state: &mut Overlay<'_>, op: &RoleOp, since: Timestamp) {
    let row = key::role(&op.bank, &op.party, op.role);
    if op.granted { state.put(&row, &RoleRecord { since }) } else { state.delete(Kind::Role, &row) }
}

/// Makes an asset. By the issuer itself, or by operations staff there.
pub(super) fn asset(state: &mut Overlay<'_>, run: &mut Run<'_>, op: &AssetOp) -> Ran {
    let issuer = party_of(state, &op.issuer)?;
    if !run.has(&op.issuer) {
        run.staff(state, &issuer.home, Role::Operations)?;
    }
    insert_asset(state, op)?;
    Ok(codec::encode(&op.id()))
}

/// Writes a new asset.
pub(super) fn insert_asset(state: &mut Overlay<'_>, op: &AssetOp) -> Result<(), Trouble> {
    let id = op.id();
    if op.scale > SCALE_MAX {
        let rule = format!("an asset has at most {SCALE_MAX} decimals, {} given", op.scale);
        return Err(Refusal::BadValue { rule }.into());
    }
    if state.get::<AssetRecord>(&id.0)?.is_some() {
        return Err(Refusal::Exists { what: Hash(id.0) }.into());
    }
    let record = AssetRecord {
        issuer: op.issuer,
        code: op.code,
        scale: op.scale,
        kind: op.kind,
        freezable: op.freezable,
        clawback: op.clawback,
    };
    state.put(&id.0, &record);
    Ok(())
}

/// Opens an account. By the owner or operations staff of its home bank; a floor below zero is the issuer's to
/// give, a control account the home bank's.
pub(super) fn account(state: &mut Overlay<'_>, run: &mut Run<'_>, op: &AccountOp) -> Ran {
    let owner = party_of(state, &op.owner)?;
    if op.floor < 0 {
        let asset: AssetRecord = state.get(&op.asset.0)?.ok_or(Refusal::UnknownAsset { asset: op.asset })?;
        run.staff(state, &asset.issuer, Role::Operations)?;
    }
    if op.kind == AccountKind::Control || op.floor >= 0 && !run.has(&op.owner) {
        run.staff(state, &owner.home, Role::Operations)?;
    }
    let id = open_account(state, Opening::of(op))?;
    Ok(codec::encode(&id))
}

/// Publishes a calendar or its next form. By the publisher itself, or by operations staff there; changes
/// touch only days after tomorrow.
pub(super) fn calendar(state: &mut Overlay<'_>, run: &mut Run<'_>, op: &CalendarOp) -> Ran {
    let publisher = party_of(state, &op.publisher)?;
    if !run.has(&op.publisher) {
        run.staff(state, &publisher.home, Role::Operations)?;
    }
    let id = calendar_id(&op.publisher, op.code);
    op.calendar.validate().map_err(|error| Refusal::BadValue { rule: format!("calendar: {error}") })?;
    if let Some(old) = state.get::<CalendarRecord>(&id.0)? {
        let tomorrow = run.business_date(state, &publisher.home)?.add_days(1);
        if let Some(day) = first_change(&old.calendar, &op.calendar, tomorrow) {
            let rule =
                format!("a calendar changes only after tomorrow, {tomorrow}; it would change on {day}");
            return Err(Refusal::BadValue { rule }.into());
        }
    }
    insert_calendar(state, op);
    Ok(codec::encode(&id))
}

/// The first day up to another that a calendar tells and the next one tells otherwise, or no longer. What it did not
/// tell yet may be told late: whatever waits for it is suspended.
fn first_change(old: &Calendar, next: &Calendar, until: Date) -> Option<Date> {
    let mut day = Date::of(old.first_year.clamp(1, 9999), 1, 1);
    while day <= until {
        if let Ok(is_open) = old.is_business_day(day)
            && next.is_business_day(day).ok() != Some(is_open)
        {
            return Some(day);
        }
        day = day.checked_add_days(1)?;
    }
    None
}

/// Writes a calendar.
pub(super) fn insert_calendar(state: &mut Overlay<'_>, op: &CalendarOp) {
    let record = CalendarRecord { publisher: op.publisher, code: op.code, calendar: op.calendar.clone() };
    state.put(&calendar_id(&op.publisher, op.code).0, &record);
}

/// Allows an agreement to debit an account. By its owner.
pub(super) fn grant(state: &mut Overlay<'_>, run: &mut Run<'_>, op: &GrantOp) -> Ran {
    owner_signed(state, run, &op.account)?;
    let agreement = op.seen.agreement;
    let record: AgreementRecord = state.get(&agreement.0)?.ok_or(Refusal::UnknownAgreement { agreement })?;
    super::agreement::check_seen(&record, &op.seen)?;
    if op.per_entry < 1 || op.per_period < op.per_entry || op.per_period > AMOUNT_MAX {
        let rule =
            "a grant's maximum per entry is at least 1, per period at least that, at most 10^30".into();
        return Err(Refusal::BadValue { rule }.into());
    }
    let record = GrantRecord {
        code: op.seen.code,
        given_at: run.time(),
        per_entry: op.per_entry,
        per_period: op.per_period,
        period: op.period,
        expires_at: op.expires_at,
        used: vec![],
    };
    run.signed.promise(op.account, op.per_period);
    state.put(&key::grant(&op.account, &agreement), &record);
    Ok(vec![])
}

/// Takes back a grant. By the owner of the account.
pub(super) fn revoke(state: &mut Overlay<'_>, run: &mut Run<'_>, op: &RevokeOp) -> Ran {
    owner_signed(state, run, &op.account)?;
    let row = key::grant(&op.account, &op.agreement);
    if state.get::<GrantRecord>(&row)?.is_none() {
        return Err(Refusal::DebitNotAllowed { account: op.account }.into());
    }
    state.delete(Kind::Grant, &row);
    Ok(vec![])
}

pub(super) fn owner_signed(state: &Overlay<'_>, run: &Run<'_>, account: &AccountId) -> Result<(), Trouble> {
    let record: AccountRecord =
        state.get(&account.0)?.ok_or(Refusal::UnknownAccount { account: *account })?;
    match record.owner {
        Holder::Party(owner) if run.has(&owner) => Ok(()),
        _ => Err(Refusal::NotAuthorised.into()),
    }
}
