//! An occurrence that is due: run its handler once, then decide what comes next.

use super::agreement::{self, Calling, Opened, operand};
use super::run::{Run, Trouble};
use super::{BlockContext, Ending, hook};
use crate::fault::{Fault, Stop};
use crate::schedule::{self, CURSOR_KIND, Halt, Missing, Place};
use crate::state::record::{AgreementRecord, ScheduleRecord, Waiting, key};
use crate::state::{Kind, Overlay};
use crate::vm::Context;
use tenor_abi::call::{Actor, Occurrence};
use tenor_abi::codec;
use tenor_abi::date::{Date, Timestamp};
use tenor_abi::event::EventBody;
use tenor_abi::id::{Hash, OccurrenceId};
use tenor_abi::refusal::Failure;
use tenor_abi::spec::{CallDef, CallKind, Missed, Retry};
use tenor_abi::value::Fields;
use tenor_wire::block::DueItem;
use tenor_wire::receipt::Fate;

/// Reads together what occurrences will surely ask for: agreement and schedule, then what the terms name, then where
/// logs go on.
///
/// # Errors
/// [`Fault`] of the store.
pub(super) fn ask_ahead(
    state: &Overlay<'_>,
    block: &BlockContext<'_>,
    items: &[DueItem],
) -> Result<(), Fault> {
    let own = |item: &DueItem| {
        let schedule = key::schedule(&item.agreement, item.kind);
        [Kind::Agreement.full_key(&item.agreement.0), Kind::Schedule.full_key(&schedule)]
    };
    state.ask_ahead(&items.iter().flat_map(own).collect::<Vec<_>>())?;
    let mut run = Run::of_chain(block, Hash::ZERO, 0);
    let (mut rows, mut counts) = (vec![], vec![]);
    for item in items {
        match Opened::load(state, &mut run, item.agreement) {
            Ok(opened) => {
                opened.rows(&mut rows)?;
                counts.extend(opened.logs());
            }
            Err(Trouble::Fault(fault)) => return Err(fault),
            // What is wrong with it is said when its turn comes.
            Err(_) => {}
        }
    }
    state.ask_ahead(&rows)?;
    let mut ends = Vec::with_capacity(counts.len());
    for row in counts {
        let count = state.get_row(&row)?.and_then(|count| codec::decode_own::<u32>(&count).ok());
        ends.push([row.as_slice(), &count.unwrap_or(0).to_be_bytes()].concat());
    }
    state.ask_ahead(&ends)
}

/// What stands in the schedule when its turn has come.
struct Standing {
    record: ScheduleRecord,
    date: Date,
    attempt_date: Date,
    due: Timestamp,
}

pub(super) fn run(
    state: &mut Overlay<'_>,
    block: &BlockContext<'_>,
    item: DueItem,
    id: OccurrenceId,
) -> Result<Option<Ending>, Fault> {
    let before = state.mark();
    let mut run = Run::of_chain(block, Hash(id.0), block.parameters.limits.due_gas);
    let ran = match item.kind {
        CURSOR_KIND => hook::read(state, &mut run, item),
        _ => attempt(state, &mut run, item),
    };
    if run.behind.is_some() && !matches!(ran, Err(Trouble::Fault(_))) {
        // It keeps its place and its attempt.
        state.roll_back(before);
        return Ok(None);
    }
    let (fate, code, data) = match ran {
        Ok(ending) => return Ok(Some(ending)),
        Err(Trouble::Fault(fault)) => return Err(fault),
        Err(Trouble::Refused { code, data }) => (Fate::Refused, code, data),
        Err(Trouble::Failed(failure)) => {
            if failure == Failure::OutOfGas {
                run.gas_left = 0;
            }
            (Fate::Failed, failure.code(), vec![])
        }
    };
    state.roll_back(before);
    run.forget();
    suspend(state, &mut run, &item, code)?;
    Ok(Some(ending(&mut run, fate, code, data)))
}

/// What failed, or was refused outside its handler, does not run again by itself: a schedule waits for the bank, and
/// who is told of bookings is told of nothing more until it is attached anew. The chain goes on.
fn suspend(state: &mut Overlay<'_>, run: &mut Run<'_>, item: &DueItem, code: u16) -> Result<(), Fault> {
    let (agreement, now) = (item.agreement, run.time());
    let ahead_ms = run.block.parameters.limits.due_ahead_ms;
    if item.kind == CURSOR_KIND {
        schedule::stop_cursor(state, agreement)?;
        schedule::go_on(state, item, None, now, ahead_ms)?;
    } else {
        let record: Option<AgreementRecord> = state.get(&agreement.0)?;
        let bank = record.ok_or_else(|| Fault::State(format!("{agreement} of {item:?} is missing")))?.bank;
        schedule::suspend(state, Place { agreement, bank, kind: item.kind, now, ahead_ms }, code).map_err(
            |stop| match stop {
                Stop::Fault(fault) => fault,
                Stop::Refused(refusal) => Fault::State(format!("{item:?} cannot be suspended: {refusal}")),
            },
        )?;
    }
    run.report(agreement, EventBody::ScheduleSuspended { kind: item.kind, number: item.number, code });
    Ok(())
}

fn attempt(state: &mut Overlay<'_>, run: &mut Run<'_>, item: DueItem) -> Result<Ending, Trouble> {
    let opened = Opened::load(state, run, item.agreement)?;
    let standing = standing(state, &item)?;
    let place = Place {
        agreement: item.agreement,
        bank: opened.record.bank,
        kind: item.kind,
        now: standing.due,
        ahead_ms: run.block.parameters.limits.due_ahead_ms,
    };
    let late = Place { now: run.time(), ..place };
    if schedule::move_from_holiday(state, late)? {
        run.report(item.agreement, EventBody::Moved { kind: item.kind, number: item.number });
        return Ok(ending(run, Fate::Done, 0, vec![]));
    }
    let contract = std::sync::Arc::clone(&opened.contract);
    let handler = contract.spec.handler(item.kind);
    let (Some(def), Some(CallKind::Due { retry, catch_up, .. })) = (handler, handler.map(|def| &def.kind))
    else {
        return Err(
            Fault::State(format!("schedule {} of {} has no handler", item.kind, item.agreement)).into()
        );
    };
    if let Some(missing) = passed_over(state, &late, &standing, &opened, def, *catch_up)? {
        run.report(
            item.agreement,
            EventBody::Missed { kind: item.kind, first: missing.first, count: missing.count },
        );
        let halt = schedule::finish(state, place, missing.count)?;
        tell(run, &item, halt);
        return Ok(ending(run, Fate::Done, 0, vec![]));
    }
    run.charge(opened.terms_gas(run))?;
    let retries = match retry {
        Some(retry) => operand(&retry.count, opened.terms()?, Fields::NONE).clamp(0, 255) as u8,
        None => 0,
    };
    handle(state, run, &opened, def, &item, &standing, place, retry.as_ref(), retries)
}

#[allow(clippy::too_many_arguments)]
fn handle(
    state: &mut Overlay<'_>,
    run: &mut Run<'_>,
    opened: &Opened,
    def: &CallDef,
    item: &DueItem,
    standing: &Standing,
    place: Place,
    retry: Option<&Retry>,
    retries: u8,
) -> Result<Ending, Trouble> {
    let nominal = standing.record.recurrence.nth(standing.record.place).unwrap_or(standing.date);
    // Retries are counted from the last time that the schedule was resumed.
    let round = item.attempt - standing.record.tried;
    let occurrence = Occurrence {
        kind: item.kind,
        number: item.number,
        nominal,
        date: standing.date,
        attempt: round,
        last_attempt: round >= retries,
    };
    let calling = Calling {
        def,
        context: Context::Due,
        actor: Actor::Schedule,
        time: standing.due,
        date: standing.attempt_date,
        occurrence: Some(occurrence),
        arguments: &[0],
    };
    let mark = state.mark();
    match agreement::call(state, run, opened, calling) {
        Ok(data) => {
            let halt = schedule::finish(state, place, 1)?;
            tell(run, item, halt);
            Ok(ending(run, Fate::Done, 0, data))
        }
        Err(Trouble::Refused { code, data }) => {
            state.roll_back(mark);
            run.forget();
            let (kind, number, attempt) = (item.kind, item.number, item.attempt);
            run.report(item.agreement, EventBody::AttemptRefused { kind, number, attempt, code });
            let halt = match retry {
                // After a late attempt the next one is spaced from its booking: an outage burns no retries.
                Some(retry) if round < retries && attempt < u8::MAX => {
                    schedule::retry(state, Place { now: run.time(), ..place }, retry.every)?
                }
                Some(retry) => {
                    schedule::give_up(state, place)?;
                    agreement::enter_state(state, run, item.agreement, retry.then)?;
                    None
                }
                None => schedule::finish(state, place, 1)?,
            };
            tell(run, item, halt);
            Ok(ending(run, Fate::Refused, code, data))
        }
        Err(trouble) => Err(trouble),
    }
}

/// Bank and customer are told of a schedule that was suspended because its next date cannot be told.
fn tell(run: &mut Run<'_>, item: &DueItem, halt: Option<Halt>) {
    if let Some(Halt { number, code }) = halt {
        run.report(item.agreement, EventBody::ScheduleSuspended { kind: item.kind, number, code });
    }
}

/// The occurrences that do not run: late ones by the catch-up rule, one that its state does not allow.
fn passed_over(
    state: &Overlay<'_>,
    late: &Place,
    standing: &Standing,
    opened: &Opened,
    def: &CallDef,
    catch_up: Missed,
) -> Result<Option<Missing>, Stop> {
    let first = standing.record.number();
    if agreement::check_state(&opened.contract.spec, def, opened.record.state).is_err() {
        return Ok(Some(Missing { first, count: 1 }));
    }
    let count = schedule::passed_over(state, late, &standing.record, catch_up)?;
    Ok((count > 0).then_some(Missing { first, count }))
}

pub(super) fn ending(run: &mut Run<'_>, fate: Fate, code: u16, data: Vec<u8>) -> Ending {
    let (entries, events) = (std::mem::take(&mut run.entries), std::mem::take(&mut run.events));
    let (item, hook_gas, called) = (run.item, run.hook_gas, std::mem::take(&mut run.called));
    Ending { item, fate, code, gas: run.gas_used() + hook_gas, hook_gas, called, data, entries, events }
}

/// The schedule must wait for exactly this attempt.
fn standing(state: &Overlay<'_>, item: &DueItem) -> Result<Standing, Fault> {
    let record = schedule::of(state, &item.agreement, item.kind)?;
    let record = record.ok_or_else(|| Fault::State(format!("no schedule for {item:?}")))?;
    match record.waiting {
        Waiting::Due { date, attempt_date, due, attempt, .. }
            if record.number() == item.number && attempt == item.attempt =>
        {
            Ok(Standing { record, date, attempt_date, due })
        }
        _ => Err(Fault::State(format!("the schedule does not wait for {item:?}"))),
    }
}
