//! Hooks at work: attached and detached, asked before an entry is booked, told of what was booked.

use super::agreement::{Called, Calling, Opened, call_within, check_seen, check_state};
use super::due::ending;
use super::native::owner_signed;
use super::run::{Run, Trouble};
use super::{Ending, books::bank_of_account};
use crate::fault::{Fault, Stop};
use crate::ledger::{self, Plan, Question};
use crate::schedule;
use crate::state::Overlay;
use crate::state::record::HookRecord;
use crate::vm::Context;
use tenor_abi::call::Actor;
use tenor_abi::codec;
use tenor_abi::entry::{BookedEntries, PlannedEntry};
use tenor_abi::event::EventBody;
use tenor_abi::id::{AccountId, AgreementId};
use tenor_abi::limit::STATEMENT_LINES_MAX;
use tenor_abi::refusal::Refusal;
use tenor_abi::role::Role;
use tenor_abi::spec::{CallDef, CallKind};
use tenor_wire::block::DueItem;
use tenor_wire::op::{HookMoment, HookOf, HookOp};
use tenor_wire::receipt::Fate;

/// Longest data of a hook's refusal that goes on to whoever asked for the entry, in bytes.
const REFUSAL_DATA_MAX: usize = 1024;
/// Gas of each posting that a hook is told of.
const TOLD_LINE_GAS: u64 = 500;

/// Attaches or detaches a hook. The owner's by the owner, the bank's by its operations staff; the hook's contract is
/// never asked.
pub(super) fn hook(state: &mut Overlay<'_>, run: &mut Run<'_>, op: &HookOp) -> Result<Vec<u8>, Trouble> {
    let HookOp { account, of, moment, .. } = *op;
    match of {
        HookOf::Owner => owner_signed(state, run, &account)?,
        HookOf::Bank => run.staff(state, &bank_of_account(state, &account)?, Role::Operations)?,
    }
    match &op.hook {
        Some(seen) => {
            let agreement = seen.agreement;
            let opened = Opened::load(state, run, agreement)?;
            check_seen(&opened.record, seen)?;
            let (spec, now) = (&opened.contract.spec, opened.record.state);
            if spec.is_terminal(now) {
                return Err(Refusal::WrongState { state: now, possible: vec![] }.into());
            }
            call_of(&opened, moment)?;
            ledger::attach(state, account, of, moment, HookRecord { agreement, attached_at: run.time() })?;
            if moment == HookMoment::After {
                schedule::follow(state, agreement, account)?;
            }
        }
        None => {
            let hook = ledger::detach(state, account, of, moment)?;
            if moment == HookMoment::After {
                schedule::leave(state, hook.agreement, account)?;
            }
        }
    }
    Ok(vec![])
}

fn call_of(opened: &Opened, moment: HookMoment) -> Result<&CallDef, Refusal> {
    let (kind, needed) = match moment {
        HookMoment::Before => (CallKind::BeforeEntry, "before_entry"),
        HookMoment::After => (CallKind::AfterEntries, "after_entries"),
    };
    let missing = || Refusal::NotAHook { agreement: opened.id, needed: needed.into() };
    opened.contract.spec.only(&kind).ok_or_else(missing)
}

/// Asks the hooks that must agree to a plan.
///
/// # Errors
/// Refused by the first hook that does not agree, or cannot judge.
pub(super) fn ask(state: &mut Overlay<'_>, run: &mut Run<'_>, plan: &Plan<'_>) -> Result<(), Stop> {
    for Question { hook, entry } in ledger::questions(state, plan, &run.signed)? {
        let limits = &run.block.parameters.limits;
        if run.hooks_asked >= limits.item_hooks {
            return Err(Refusal::HooksMax { limit: limits.item_hooks }.into());
        }
        run.hooks_asked += 1;
        run.hook_gas += limits.hook_gas;
        judge(state, run, hook, &entry)?;
    }
    Ok(())
}

/// One hook judges an entry: in a run of its own, so that nobody's signature is behind it.
fn judge(
    state: &mut Overlay<'_>,
    run: &mut Run<'_>,
    hook: AgreementId,
    entry: &PlannedEntry,
) -> Result<(), Stop> {
    if run.at_work.contains(&hook) {
        return Err(Refusal::Reentered { agreement: hook }.into());
    }
    let mut own = Run::of_chain(run.block, run.item, run.block.parameters.limits.hook_gas);
    own.at_work.clone_from(&run.at_work);
    let account = entry.account;
    let opened = Opened::load(state, run, hook).map_err(|trouble| says_no(account, hook, trouble))?;
    let def = call_of(&opened, HookMoment::Before)?;
    // A hook is in force in the states that its call names; one whose agreement has ended in none.
    if check_state(&opened.contract.spec, def, opened.record.state).is_err() {
        return Ok(());
    }
    own.charge(opened.terms_gas(&own)).map_err(|trouble| says_no(account, hook, trouble))?;
    let calling = Calling {
        def,
        context: Context::Hook,
        actor: Actor::Schedule,
        time: run.time(),
        date: run.business_date(state, &opened.record.bank)?,
        occurrence: None,
        arguments: &codec::encode(entry),
    };
    let (mark, gas) = (state.mark(), own.gas_left);
    let Called { ended, .. } = call_within(state, &mut own, &opened, calling, gas)?;
    state.roll_back(mark);
    ended.map(|_| ()).map_err(|trouble| says_no(account, hook, trouble))
}

/// A hook that does not agree, or cannot judge.
fn says_no(account: AccountId, hook: AgreementId, trouble: Trouble) -> Stop {
    match trouble {
        Trouble::Refused { code, data } => {
            let data = if data.len() > REFUSAL_DATA_MAX { vec![] } else { data };
            Refusal::HookRefused { account, hook, code, data }.into()
        }
        Trouble::Failed(failure) => Refusal::HookFailed { account, hook, code: failure.code() }.into(),
        Trouble::Fault(fault) => fault.into(),
    }
}

/// Has the hooks told, in occurrences of their own, that something was booked on accounts.
pub(super) fn tell(state: &mut Overlay<'_>, run: &Run<'_>, accounts: &[AccountId]) -> Result<(), Fault> {
    for account in accounts {
        for agreement in ledger::told_after(state, account)? {
            schedule::notice(state, agreement, run.time(), run.block.parameters.limits.due_ahead_ms)?;
        }
    }
    Ok(())
}

/// An agreement reads on in an account that it is a hook of. What it refuses is read all the same.
pub(super) fn read(state: &mut Overlay<'_>, run: &mut Run<'_>, item: DueItem) -> Result<Ending, Trouble> {
    let opened = Opened::load(state, run, item.agreement)?;
    let (due, news) = schedule::news(state, &item)?;
    let (now, ahead_ms) = (run.time(), run.block.parameters.limits.due_ahead_ms);
    let def = call_of(&opened, HookMoment::After)?;
    let in_force = check_state(&opened.contract.spec, def, opened.record.state).is_ok();
    let Some(news) = news.filter(|_| in_force) else {
        schedule::go_on(state, &item, news.map(|news| (news.account, news.count)), now, ahead_ms)?;
        return Ok(ending(run, Fate::Done, 0, vec![]));
    };
    let count = news.count.min(STATEMENT_LINES_MAX as u64);
    let read = Some((news.account, count));
    run.charge(TOLD_LINE_GAS * count + opened.terms_gas(run))?;
    let lines = ledger::postings(state, &news.account, news.from, count)?;
    let zone = schedule::zone(state, &opened.record.bank)?;
    let calling = Calling {
        def,
        context: Context::Due,
        actor: Actor::Schedule,
        time: due,
        date: schedule::business_date(&zone, due),
        occurrence: None,
        arguments: &codec::encode(&BookedEntries { account: news.account, lines }),
    };
    let mark = state.mark();
    match super::agreement::call(state, run, &opened, calling) {
        Ok(data) => {
            schedule::go_on(state, &item, read, now, ahead_ms)?;
            Ok(ending(run, Fate::Done, 0, data))
        }
        Err(Trouble::Refused { code, data }) => {
            state.roll_back(mark);
            run.forget();
            let DueItem { kind, number, attempt, .. } = item;
            run.report(item.agreement, EventBody::AttemptRefused { kind, number, attempt, code });
            schedule::go_on(state, &item, read, now, ahead_ms)?;
            Ok(ending(run, Fate::Refused, code, data))
        }
        Err(trouble) => Err(trouble),
    }
}
