//! Agreements: opened, signed, invoked. The host checks versions, lifecycle and authority before wasm runs.

use super::contract::{self, Contract};
use super::run::{Run, Trouble};
use super::session::Frame;
use super::setter;
use crate::fault::{Fault, Stop};
use crate::ledger::{Opening, check_currency, open_account};
use crate::schedule;
use crate::state::record::{
    AccountRecord, AgreementOfRow, AgreementRecord, AssetRecord, ExposureRecord, GrantRecord, Holder, key,
};
use crate::state::{Kind, Overlay};
use crate::vm::{CallOutcome, Context};
use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::sync::Arc;
use tenor_abi::call::{Actor, Call, Occurrence};
use tenor_abi::codec;
use tenor_abi::date::{Date, Timestamp};
use tenor_abi::event::EventBody;
use tenor_abi::id::{AccountId, AgreementId, AssetId, PartyId};
use tenor_abi::limit::{AMOUNT_MAX, COUNTER_MAX};
use tenor_abi::refusal::Refusal;
use tenor_abi::role::Role;
use tenor_abi::spec::{Authority, CallDef, CallKind, FourEyes, Operand, Spec, StorageKind};
use tenor_abi::value::{self, Fields, Layout, Value};
use tenor_wire::op::{AccountChange, AccountKind, BooksChange, HookOf, InvokeOp, OpenOp, Operation, Seen};

/// Bytes of terms that are read at the price of the call: more than nearly any agreement has. Part of the protocol.
const TERMS_FREE_BYTES: usize = 1_024;

/// An agreement with its contract and its terms read.
pub(super) struct Opened {
    pub id: AgreementId,
    pub record: Arc<AgreementRecord>,
    pub contract: Arc<Contract>,
    /// Where its terms lie in their bytes, once one was asked for.
    terms: OnceCell<Layout>,
}

/// Who calls, when, and with what.
pub(super) struct Calling<'a> {
    pub def: &'a CallDef,
    pub context: Context,
    pub actor: Actor,
    pub time: Timestamp,
    pub date: Date,
    pub occurrence: Option<Occurrence>,
    pub arguments: &'a [u8],
}

impl Opened {
    /// The agreement of an id; the item came upon its contract.
    pub fn load(state: &Overlay<'_>, run: &mut Run<'_>, id: AgreementId) -> Result<Opened, Trouble> {
        let found = state.shared::<AgreementRecord>(&id.0)?;
        let (_, record) = found.ok_or(Refusal::UnknownAgreement { agreement: id })?;
        let contract = run.block.contracts.of_agreement(state, &record)?;
        run.come_upon(&contract);
        Ok(Opened { id, record, contract, terms: OnceCell::new() })
    }

    /// Whether the terms are longer than what every call reads at its own price.
    fn has_long_terms(&self) -> bool {
        self.record.terms.len() > TERMS_FREE_BYTES
    }

    /// Gas of a call for its terms, before any is read: a byte beyond [`TERMS_FREE_BYTES`] costs what it cost in the
    /// transaction that it came with, for it is read as then.
    pub fn terms_gas(&self, run: &Run<'_>) -> u64 {
        terms_gas(run, &self.record.terms)
    }

    /// The terms, gone over when they are asked for first.
    pub fn terms(&self) -> Result<Fields<'_>, Fault> {
        Ok(self.layout()?.of(&self.record.terms))
    }

    fn layout(&self) -> Result<&Layout, Fault> {
        if let Some(layout) = self.terms.get() {
            return Ok(layout);
        }
        // What was checked when it was signed and has lain in state since has its one form.
        let spec = &self.contract.spec;
        let layout = Layout::own(spec, value::terms_of(spec), &self.record.terms)
            .map_err(|error| Fault::State(format!("terms of {}: {error}", self.id)))?;
        Ok(self.terms.get_or_init(|| layout))
    }

    /// Full keys of rows that a call mostly asks for: the accounts that the terms name with the peaks of their
    /// histories, the grants on them, and storage fields that have one row to begin with. None of long terms, which
    /// nobody has paid for yet.
    pub fn rows(&self, rows: &mut Vec<Vec<u8>>) -> Result<(), Fault> {
        if self.has_long_terms() {
            return Ok(());
        }
        let (spec, terms) = (&self.contract.spec, self.terms()?);
        let debited: Vec<AccountId> = (0u16..)
            .zip(&spec.terms)
            .filter(|(_, term)| term.debit.is_some())
            .filter_map(|(number, _)| account_of(terms, number))
            .collect();
        // Rows of one account lie together, and are found together where they are asked for one behind the other.
        for account in self.accounts()? {
            rows.extend([Kind::Account, Kind::HistoryPeaks].map(|kind| kind.full_key(&account.0)));
            if debited.contains(account) {
                rows.push(Kind::Grant.full_key(&key::grant(account, &self.id)));
            }
        }
        for (number, field) in (0u16..).zip(&spec.storage) {
            if matches!(field.kind, StorageKind::Item | StorageKind::Log) {
                rows.push(key::storage(&self.id, &number.to_be_bytes()));
            }
        }
        Ok(())
    }

    /// Full keys of the rows that say how far its logs have come.
    pub fn logs(&self) -> impl Iterator<Item = Vec<u8>> {
        let logs = (0u16..).zip(&self.contract.spec.storage).filter(|(_, def)| def.kind == StorageKind::Log);
        logs.map(|(number, _)| key::storage(&self.id, &number.to_be_bytes()))
    }

    /// Every account that the terms name, ascending.
    pub fn accounts(&self) -> Result<&[AccountId], Fault> {
        Ok(self.layout()?.accounts())
    }
}

/// As [`Opened::terms_gas`], of an agreement that is being opened too.
fn terms_gas(run: &Run<'_>, terms: &[u8]) -> u64 {
    let beyond = terms.len().saturating_sub(TERMS_FREE_BYTES);
    run.block.parameters.limits.tx_gas_per_byte.saturating_mul(beyond as u64)
}

/// The account that a term is.
pub(super) fn account_of(terms: Fields<'_>, term: u16) -> Option<AccountId> {
    match terms.get(term) {
        Some(Value::Account(account)) => Some(account),
        _ => None,
    }
}

/// Opens an agreement: its books, the grants of who signed, its opening call.
pub(super) fn open(state: &mut Overlay<'_>, run: &mut Run<'_>, op: &OpenOp) -> Result<Vec<u8>, Trouble> {
    let contract = run.block.contracts.get(state, &op.code)?;
    run.come_upon(&contract);
    run.charge(terms_gas(run, &op.terms))?;
    let layout = Layout::checked(&contract.spec, value::terms_of(&contract.spec), &op.terms)
        .map_err(|error| Refusal::BadTerms { term: 0, rule: error.to_string() })?;
    let terms = layout.of(&op.terms);
    let number = contract.spec.calls.iter().position(|call| call.kind == CallKind::Open);
    let def =
        number.and_then(|at| contract.spec.calls.get(at)).ok_or(Refusal::UnknownCall { call: 0 })?.clone();
    authorise(state, run, contract.bank, &def, || Ok(terms))?;
    setter::check(state, run, &contract, terms)?;
    let arguments = check_arguments(&contract.spec, &def, &op.arguments)?;
    four_eyes(state, run, contract.bank, &def, terms, arguments.of(&op.arguments))?;
    let actor = run.actor.ok_or(Refusal::NotAuthorised)?;
    let id = OpenOp::agreement(&run.item);
    let record = AgreementRecord {
        code: op.code,
        bank: contract.bank,
        opened_by: actor,
        opened_at: run.time(),
        terms_version: 0,
        terms: op.terms.clone().into(),
        state: contract.spec.initial_state(),
        signers: vec![],
        keys: 0,
    };
    let mut opened = Opened { id, record: Arc::new(record), contract, terms: layout.into() };
    state.put(&id.0, &*opened.record);
    open_books(state, &opened)?;
    list_parties(state, run, &opened)?;
    sign_terms(state, run, &mut opened)?;
    run.report(id, EventBody::Opened);
    let date = run.business_date(state, &opened.record.bank)?;
    let calling = Calling {
        def: &def,
        context: Context::Open,
        actor: Actor::Party(actor),
        time: run.time(),
        date,
        occurrence: None,
        arguments: &op.arguments,
    };
    call(state, run, &opened, calling)?;
    Ok(codec::encode(&id))
}

/// A party signs the terms, through the contract's signing call.
pub(super) fn sign(state: &mut Overlay<'_>, run: &mut Run<'_>, op: &InvokeOp) -> Result<Vec<u8>, Trouble> {
    act(state, run, op, CallKind::Sign, Context::Sign)
}

/// A party invokes an action.
pub(super) fn invoke(state: &mut Overlay<'_>, run: &mut Run<'_>, op: &InvokeOp) -> Result<Vec<u8>, Trouble> {
    act(state, run, op, CallKind::Action, Context::Action)
}

fn act(
    state: &mut Overlay<'_>,
    run: &mut Run<'_>,
    op: &InvokeOp,
    kind: CallKind,
    context: Context,
) -> Result<Vec<u8>, Trouble> {
    let mut opened = Opened::load(state, run, op.seen.agreement)?;
    check_seen(&opened.record, &op.seen)?;
    run.charge(opened.terms_gas(run))?;
    let contract = Arc::clone(&opened.contract);
    let def = contract
        .call(op.call)
        .filter(|def| def.kind == kind)
        .ok_or(Refusal::UnknownCall { call: op.call })?;
    check_state(&contract.spec, def, opened.record.state)?;
    authorise(state, run, contract.bank, def, || opened.terms())?;
    match def.four_eyes {
        None => {
            let known = value::fields_of(&def.arguments);
            value::check_fields(&contract.spec, known, &op.arguments).map_err(bad_arguments)?;
        }
        Some(_) => {
            let arguments = check_arguments(&contract.spec, def, &op.arguments)?;
            four_eyes(state, run, contract.bank, def, opened.terms()?, arguments.of(&op.arguments))?;
        }
    }
    run.signed.top = Some(opened.id);
    if context == Context::Sign {
        sign_terms(state, run, &mut opened)?;
    }
    let date = run.business_date(state, &opened.record.bank)?;
    let actor = run.actor.map_or(Actor::Schedule, Actor::Party);
    let arguments = op.arguments.as_slice();
    let calling = Calling { def, context, actor, time: run.time(), date, occurrence: None, arguments };
    call(state, run, &opened, calling)
}

/// Calls the contract with all the gas that is left of the item, then moves the lifecycle.
pub(super) fn call(
    state: &mut Overlay<'_>,
    run: &mut Run<'_>,
    opened: &Opened,
    calling: Calling<'_>,
) -> Result<Vec<u8>, Trouble> {
    let gas = run.gas_left;
    let called = call_within(state, run, opened, calling, gas)?;
    run.charge(called.gas_used)?;
    called.ended
}

/// What a call came to, and the gas that whoever made it loses.
pub(super) struct Called {
    pub ended: Result<Vec<u8>, Trouble>,
    pub gas_used: u64,
}

/// Calls the contract within so much gas, which is not the item's yet, then moves the lifecycle.
pub(super) fn call_within(
    state: &mut Overlay<'_>,
    run: &mut Run<'_>,
    opened: &Opened,
    calling: Calling<'_>,
    gas: u64,
) -> Result<Called, Fault> {
    let record = &opened.record;
    let told = Call {
        agreement: opened.id,
        bank: record.bank,
        actor: calling.actor,
        time: calling.time,
        date: calling.date,
        booked_at: run.time(),
        state: record.state,
        terms: &record.terms,
        occurrence: calling.occurrence,
        arguments: calling.arguments,
    };
    let mut bytes = vec![];
    told.append(&mut bytes);
    let guest = run.block.guest;
    let def = calling.def;
    run.at_work.push(opened.id);
    let (report, entered) = loop {
        let mut frame = Frame::new(state, run, opened, def, calling.time, calling.date);
        match guest.call(&record.code, &def.name, calling.context, &bytes, gas, &mut frame) {
            // Nothing of the call has begun: its module was never needed here, or others made it give room.
            Err(Fault::Unloaded) => contract::load(state, guest, &record.code)?,
            report => break (report?, frame.entered()),
        }
    };
    run.at_work.pop();
    let ended = match report.outcome {
        CallOutcome::Done { data } => match entered.or(def.to) {
            Some(to) => enter_state(state, run, opened.id, to).map(|()| data),
            None => Ok(data),
        },
        CallOutcome::Refused { code, data } => Err(Trouble::Refused { code, data }),
        CallOutcome::Failed(failure, _) => Err(Trouble::Failed(failure)),
    };
    Ok(Called { ended, gas_used: report.gas_used })
}

/// Moves an agreement's lifecycle.
pub(super) fn enter_state(
    state: &mut Overlay<'_>,
    run: &mut Run<'_>,
    id: AgreementId,
    to: u16,
) -> Result<(), Trouble> {
    let mut record: AgreementRecord = state.get(&id.0)?.ok_or(Refusal::UnknownAgreement { agreement: id })?;
    let from = std::mem::replace(&mut record.state, to);
    state.put(&id.0, &record);
    let contract = run.block.contracts.get(state, &record.code)?;
    if contract.spec.is_terminal(to) {
        end_schedules(state, run, id, &record, contract.spec.schedules.len())?;
    }
    if from == to { Ok(()) } else { run.emit(id, EventBody::State { from, to }) }
}

/// Nothing falls due after the end.
fn end_schedules(
    state: &mut Overlay<'_>,
    run: &Run<'_>,
    id: AgreementId,
    record: &AgreementRecord,
    count: usize,
) -> Result<(), Trouble> {
    for kind in 0..count as u16 {
        if schedule::of(state, &id, kind)?.is_some() {
            let ahead_ms = run.block.parameters.limits.due_ahead_ms;
            schedule::end(
                state,
                schedule::Place { agreement: id, bank: record.bank, kind, now: run.time(), ahead_ms },
            )?;
        }
    }
    Ok(schedule::stop_cursor(state, id)?)
}

/// What the signer saw must be what is there.
pub(super) fn check_seen(record: &AgreementRecord, seen: &Seen) -> Result<(), Refusal> {
    if record.code == seen.code && record.terms_version == seen.terms_version {
        return Ok(());
    }
    Err(Refusal::Stale {
        terms_given: seen.terms_version,
        terms_now: record.terms_version,
        code_now: record.code,
    })
}

/// The lifecycle state must be one that the call is possible in.
pub(super) fn check_state(spec: &Spec, def: &CallDef, state: u16) -> Result<(), Refusal> {
    let possible = if def.from.is_empty() { !spec.is_terminal(state) } else { def.from.contains(&state) };
    if possible { Ok(()) } else { Err(Refusal::WrongState { state, possible: def.from.clone() }) }
}

/// Checks arguments by the spec; where each of them lies.
pub(super) fn check_arguments(spec: &Spec, def: &CallDef, arguments: &[u8]) -> Result<Layout, Refusal> {
    Layout::checked(spec, value::fields_of(&def.arguments), arguments).map_err(bad_arguments)
}

pub(super) fn bad_arguments(error: value::ValueError) -> Refusal {
    Refusal::BadArguments { rule: error.to_string() }
}

fn authorise<'t>(
    state: &Overlay<'_>,
    run: &Run<'_>,
    bank: PartyId,
    def: &CallDef,
    terms: impl Fn() -> Result<Fields<'t>, Fault>,
) -> Result<(), Trouble> {
    for by in &def.by {
        let may = match *by {
            Authority::Anyone => true,
            Authority::Role(role) => run.has_role(state, &bank, role)?,
            Authority::Party(term) => {
                matches!(terms()?.get(term), Some(Value::Party(party)) if run.has(&party))
            }
            Authority::Owner(term) => match account_of(terms()?, term) {
                Some(account) => match state.get::<AccountRecord>(&account.0)?.map(|record| record.owner) {
                    Some(Holder::Party(owner)) => run.has(&owner),
                    _ => false,
                },
                None => false,
            },
            Authority::Agreement(_) => false,
        };
        if may {
            return Ok(());
        }
    }
    // One missing role is named; where there are several ways in, none is the missing one.
    match def.by.as_slice() {
        [Authority::Role(role)] => Err(Refusal::RoleMissing { role: *role, bank }.into()),
        _ => Err(Refusal::NotAuthorised.into()),
    }
}

fn four_eyes(
    state: &Overlay<'_>,
    run: &Run<'_>,
    bank: PartyId,
    def: &CallDef,
    terms: Fields<'_>,
    arguments: Fields<'_>,
) -> Result<(), Trouble> {
    match &def.four_eyes {
        Some(rule) if is_above(rule, terms, arguments) => Ok(run.second_person(state, &bank, rule.role)?),
        _ => Ok(()),
    }
}

/// Whether a four-eyes rule applies; one without amounts always does.
pub(super) fn is_above(rule: &FourEyes, terms: Fields<'_>, arguments: Fields<'_>) -> bool {
    match (&rule.amount, &rule.above) {
        (Some(amount), Some(above)) => {
            let money = |operand| match value_of(operand, terms, arguments) {
                Some(Value::Money(money)) => Some(money.currency),
                _ => None,
            };
            // What cannot be compared is for two to judge.
            let is_other = money(amount).zip(money(above)).is_some_and(|(amount, above)| amount != above);
            is_other || operand(amount, terms, arguments) > operand(above, terms, arguments)
        }
        _ => true,
    }
}

fn value_of(operand: &Operand, terms: Fields<'_>, arguments: Fields<'_>) -> Option<Value> {
    match operand {
        Operand::Constant(_) => None,
        Operand::Term(number) => terms.get(*number),
        Operand::Argument(number) => arguments.get(*number),
    }
}

/// The number that an operand names, in minor units where it is money.
pub(super) fn operand(operand: &Operand, terms: Fields<'_>, arguments: Fields<'_>) -> i128 {
    if let Operand::Constant(number) = operand {
        return i128::from(*number);
    }
    match value_of(operand, terms, arguments) {
        Some(Value::Money(money)) => money.minor,
        Some(Value::Byte(number)) => i128::from(number),
        Some(Value::Unsigned(number)) => i128::try_from(number).unwrap_or(i128::MAX),
        Some(Value::Signed(number)) => number,
        _ => 0,
    }
}

/// Which role at which bank must approve an operation, where that is known before it runs.
pub(super) fn approval_needed(
    state: &Overlay<'_>,
    run: &mut Run<'_>,
    operation: &Operation,
) -> Result<Option<(PartyId, Role)>, Trouble> {
    Ok(match operation {
        Operation::Invoke(op) | Operation::Sign(op) => {
            let opened = Opened::load(state, run, op.seen.agreement)?;
            let rule = opened.contract.call(op.call).and_then(|def| def.four_eyes.as_ref());
            rule.map(|rule| (opened.record.bank, rule.role))
        }
        Operation::Publish(op) => Some((op.bank, Role::ProductManager)),
        Operation::Role(op) => Some((op.bank, Role::Operations)),
        Operation::Key(op) => Some((super::run::party(state, &op.party)?.home, Role::Operations)),
        Operation::Party(op) => Some((op.home, Role::Operations)),
        Operation::AccountChange(op) => match op.change {
            AccountChange::Freeze { .. } | AccountChange::Unfreeze => {
                let bank = super::books::bank_of_account(state, &op.account)?;
                Some((bank, Role::Compliance))
            }
            _ => None,
        },
        Operation::Hook(op) => match op.of {
            HookOf::Bank => Some((super::books::bank_of_account(state, &op.account)?, Role::Operations)),
            HookOf::Owner => None,
        },
        Operation::Books(op) => match op.change {
            BooksChange::Exposure { .. } => Some((op.bank, Role::ProductManager)),
            _ => Some((op.bank, Role::Operations)),
        },
        _ => None,
    })
}

/// Opens the agreement's books, in the assets that its terms name.
fn open_books(state: &mut Overlay<'_>, opened: &Opened) -> Result<(), Trouble> {
    for book in &opened.contract.spec.books {
        let asset = book_asset(state, opened.terms()?, book.asset)?;
        if book.negative {
            let record: AssetRecord = state.get(&asset.0)?.ok_or(Refusal::UnknownAsset { asset })?;
            let limit = key::exposure(&opened.record.bank, &asset, &opened.contract.spec.name);
            if record.issuer != opened.record.bank || state.get::<ExposureRecord>(&limit)?.is_none() {
                return Err(Refusal::ExposureExceeded { asset, limit: 0, would_be: 1 }.into());
            }
        }
        let floor = if book.negative { -(COUNTER_MAX as i128) } else { 0 };
        let (owner, purpose, kind) = (Holder::Agreement(opened.id), book.name.as_str(), AccountKind::Plain);
        open_account(state, Opening { owner, asset, purpose, floor, ceiling: None, kind })?;
    }
    Ok(())
}

/// The asset of a book: that of the account in a term, or the asset in it.
pub(super) fn book_asset(state: &Overlay<'_>, terms: Fields<'_>, term: u16) -> Result<AssetId, Stop> {
    match terms.get(term) {
        Some(Value::Asset(asset)) => Ok(asset),
        Some(Value::Account(account)) => {
            let record: Option<AccountRecord> = state.get(&account.0)?;
            Ok(record.ok_or(Refusal::UnknownAccount { account })?.asset)
        }
        _ => Err(Refusal::BadTerms { term, rule: "a book's asset is an account or an asset".into() }.into()),
    }
}

/// Lists the agreement under everybody whom its terms or signatures concern.
fn list_parties(state: &mut Overlay<'_>, run: &Run<'_>, opened: &Opened) -> Result<(), Trouble> {
    let mut parties: BTreeSet<PartyId> = run.signed.parties().iter().copied().collect();
    parties.insert(opened.record.bank);
    for account in opened.accounts()? {
        let record: AccountRecord =
            state.get(&account.0)?.ok_or(Refusal::UnknownAccount { account: *account })?;
        if let Holder::Party(owner) = record.owner {
            parties.insert(owner);
        }
    }
    let terms = opened.terms()?;
    parties.extend((0..opened.contract.spec.terms.len() as u16).filter_map(|term| match terms.get(term) {
        Some(Value::Party(party)) => Some(party),
        _ => None,
    }));
    for party in parties {
        state.put(&key::pair(&party.0, &opened.id.0), &AgreementOfRow {});
    }
    Ok(())
}

/// Records who signed, and writes the grants that their signature gives.
fn sign_terms(state: &mut Overlay<'_>, run: &mut Run<'_>, opened: &mut Opened) -> Result<(), Trouble> {
    let signing = run.signed.parties().to_vec();
    for party in &signing {
        if let Err(place) = opened.record.signers.binary_search(party) {
            Arc::make_mut(&mut opened.record).signers.insert(place, *party);
        }
    }
    state.put(&opened.id.0, &*opened.record);
    let terms = opened.terms()?;
    for (number, term) in (0u16..).zip(&opened.contract.spec.terms) {
        let Some(debit) = &term.debit else { continue };
        let Some(account) = account_of(terms, number) else { continue };
        let record: AccountRecord = state.get(&account.0)?.ok_or(Refusal::UnknownAccount { account })?;
        if !matches!(record.owner, Holder::Party(owner) if signing.contains(&owner)) {
            continue;
        }
        let max = operand(&Operand::Term(debit.max), terms, Fields::NONE);
        if max < 1 || max.unsigned_abs() > AMOUNT_MAX {
            let rule = "the most that may be debited must be 1 to 10^30 minor units".into();
            return Err(Refusal::BadTerms { term: debit.max, rule }.into());
        }
        if let Some(Value::Money(money)) = terms.get(debit.max) {
            check_currency(account, record.currency, money.currency)?;
        }
        let grant = GrantRecord {
            code: opened.record.code,
            given_at: run.time(),
            per_entry: max.unsigned_abs(),
            per_period: max.unsigned_abs(),
            period: debit.per,
            expires_at: None,
            used: vec![],
        };
        run.signed.promise(account, grant.per_period);
        state.put(&key::grant(&account, &opened.id), &grant);
    }
    run.report(opened.id, EventBody::Signed);
    Ok(())
}
