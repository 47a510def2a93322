//! Calls between agreements: another agreement at work within an item, on a savepoint of its own.

use super::agreement::{
    self, Called, Calling, Opened, account_of, bad_arguments, call_within, check_state, is_above,
};
use super::run::{Run, Trouble};
use crate::schedule;
use crate::state::Overlay;
use crate::state::record::{AccountRecord, AgreementRecord, Holder, Waiting};
use crate::vm::{CallEnd, Context, HostError};
use tenor_abi::call::Actor;
use tenor_abi::codec;
use tenor_abi::date::Timestamp;
use tenor_abi::id::AgreementId;
use tenor_abi::interface::{self, CallAnswer, CallRequest};
use tenor_abi::refusal::{Failure, Refusal};
use tenor_abi::spec::{Authority, CallDef, CallKind};
use tenor_abi::value::{self, Value};

/// Who calls.
#[derive(Clone, Copy)]
pub(super) struct Caller {
    pub agreement: AgreementId,
    /// Its own time: block time, or the due time of the occurrence that it handles.
    pub time: Timestamp,
    pub context: Context,
}

/// Calls an agreement within the gas that is forwarded. What the caller has written is seen there; what is written
/// there stays only when the call is done. The caller loses the gas that was used, whatever became of the call.
pub(super) fn call(
    state: &mut Overlay<'_>,
    run: &mut Run<'_>,
    caller: Caller,
    asked: &CallRequest,
    gas_left: u64,
) -> CallEnd {
    if asked.gas > gas_left {
        return CallEnd { gas_used: asked.gas, answer: Ok(vec![]) };
    }
    let (mark, saved) = (state.mark(), run.save());
    let called = enter(state, run, caller, asked);
    let (ended, gas_used) = match called {
        Ok(Called { ended, gas_used }) => (ended, gas_used),
        Err(trouble) => (Err(trouble), 0),
    };
    if ended.is_err() {
        state.roll_back(mark);
        run.take_back(saved);
    }
    let answer = match ended {
        Ok(data) => Ok(CallAnswer::Done(data)),
        Err(Trouble::Fault(fault)) => Err(HostError::Fault(fault.to_string())),
        Err(Trouble::Refused { code, data }) => match run.behind {
            // Whoever called would go on with what is not there yet: so the whole item ends.
            Some(_) => Err(HostError::Refused { code, data }),
            None => Ok(CallAnswer::Refused { code, data }),
        },
        Err(Trouble::Failed(failure)) => Ok(CallAnswer::Failed { code: failure.code() }),
    };
    CallEnd { gas_used, answer: answer.map(|answer| codec::encode(&answer)) }
}

fn enter(
    state: &mut Overlay<'_>,
    run: &mut Run<'_>,
    caller: Caller,
    asked: &CallRequest,
) -> Result<Called, Trouble> {
    let agreement = asked.agreement;
    let limit = run.block.parameters.limits.call_depth;
    if run.at_work.contains(&agreement) {
        return Err(Refusal::Reentered { agreement }.into());
    }
    if run.at_work.len() >= usize::from(limit) {
        return Err(Refusal::CallsTooDeep { limit }.into());
    }
    let out_of_gas = || Called { ended: Err(Trouble::Failed(Failure::OutOfGas)), gas_used: asked.gas };
    let Some((_, record)) = state.shared::<AgreementRecord>(&agreement.0)? else {
        return Err(Refusal::UnknownAgreement { agreement }.into());
    };
    let loading = run.loading_gas(&record.code);
    if loading > asked.gas {
        return Ok(out_of_gas());
    }
    let opened = Opened::load(state, run, agreement)?;
    let first = loading + opened.terms_gas(run);
    let Some(gas) = asked.gas.checked_sub(first) else { return Ok(out_of_gas()) };
    let (ended, gas_used) = match enter_paid(state, run, caller, asked, &opened, gas) {
        Ok(Called { ended, gas_used }) => (ended, gas_used),
        Err(trouble) => (Err(trouble), 0),
    };
    Ok(Called { ended, gas_used: first + gas_used })
}

/// Calls an agreement whose terms are paid for, within so much gas.
fn enter_paid(
    state: &mut Overlay<'_>,
    run: &mut Run<'_>,
    caller: Caller,
    asked: &CallRequest,
    opened: &Opened,
    gas: u64,
) -> Result<Called, Trouble> {
    let agreement = asked.agreement;
    let spec = &opened.contract.spec;
    let number = interface::find(spec, &asked.signature);
    let unknown = || Refusal::NoSuchCall { agreement, call: interface::name_of(&asked.signature).into() };
    let def = number.and_then(|number| opened.contract.call(number)).ok_or_else(unknown)?;
    let context = if def.kind == CallKind::View { Context::View } else { Context::Action };
    if context == Context::Action {
        if caller.context == Context::View {
            return Err(Trouble::Failed(Failure::HostRule));
        }
        check_state(spec, def, opened.record.state)?;
        authorise(state, caller.agreement, opened, def)?;
        check_on_time(state, run, opened, caller.time)?;
    }
    check_arguments(opened, def, &asked.arguments)?;
    let zone = schedule::zone(state, &opened.record.bank)?;
    let calling = Calling {
        def,
        context,
        actor: Actor::Agreement(caller.agreement),
        time: caller.time,
        date: schedule::business_date(&zone, caller.time),
        occurrence: None,
        arguments: &asked.arguments,
    };
    Ok(call_within(state, run, opened, calling, gas)?)
}

/// Whether an agreement may make a call: one that anyone may, one that owns the account, or is the agreement, that a
/// term names. What parties signed counts for nothing here.
fn authorise(
    state: &Overlay<'_>,
    caller: AgreementId,
    opened: &Opened,
    def: &CallDef,
) -> Result<(), Trouble> {
    for by in &def.by {
        let may = match *by {
            Authority::Anyone => true,
            Authority::Agreement(term) => {
                matches!(opened.terms()?.get(term), Some(Value::Agreement(named)) if named == caller)
            }
            Authority::Owner(term) => match account_of(opened.terms()?, term) {
                Some(account) => {
                    let owner = state.get::<AccountRecord>(&account.0)?.map(|record| record.owner);
                    owner == Some(Holder::Agreement(caller))
                }
                None => false,
            },
            Authority::Party(_) | Authority::Role(_) => false,
        };
        if may {
            return Ok(());
        }
    }
    Err(Refusal::NotAuthorised.into())
}

/// An agreement with an occurrence that was due before the caller's time is not called: it would not be where it
/// belongs.
fn check_on_time(
    state: &Overlay<'_>,
    run: &mut Run<'_>,
    opened: &Opened,
    time: Timestamp,
) -> Result<(), Trouble> {
    for kind in 0..opened.contract.spec.schedules.len() as u16 {
        let record = schedule::of(state, &opened.id, kind)?;
        let due = record.and_then(|record| match record.waiting {
            Waiting::Due { due, .. } => Some(due),
            _ => None,
        });
        if due.is_some_and(|due| due < time) {
            run.behind = Some(opened.id);
            return Err(Refusal::BehindSchedule { agreement: opened.id }.into());
        }
    }
    Ok(())
}

fn check_arguments(opened: &Opened, def: &CallDef, arguments: &[u8]) -> Result<(), Trouble> {
    let spec = &opened.contract.spec;
    let Some(rule) = &def.four_eyes else {
        let known = value::fields_of(&def.arguments);
        return Ok(value::check_fields(spec, known, arguments).map_err(bad_arguments)?);
    };
    let layout = agreement::check_arguments(spec, def, arguments)?;
    if is_above(rule, opened.terms()?, layout.of(arguments)) {
        return Err(Refusal::FourEyes { role: rule.role }.into());
    }
    Ok(())
}
