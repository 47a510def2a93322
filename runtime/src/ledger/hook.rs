//! Hooks of accounts: who is asked before an entry is booked, and who is told afterwards.

use super::authority::Signed;
use super::effect::Effect;
use super::plan::Plan;
use crate::fault::{Fault, Stop};
use crate::state::record::{AccountRecord, GrantRecord, Holder, HookRecord, HookSet, key};
use crate::state::{Kind, Overlay, Traits};
use tenor_abi::entry::PlannedEntry;
use tenor_abi::id::{AccountId, AgreementId, Hash};
use tenor_abi::money::Money;
use tenor_abi::refusal::Refusal;
use tenor_wire::op::{AccountKind, HookMoment, HookOf};
use tenor_wire::receipt::{Act, EntrySource};

/// A hook that must agree before an entry is booked.
#[derive(Clone, PartialEq, Debug)]
pub struct Question {
    /// The agreement that is asked.
    pub hook: AgreementId,
    /// What it is shown.
    pub entry: PlannedEntry,
}

/// The hooks that must agree to a plan: ascending by account, the bank's before the owner's.
///
/// Only what is booked or set aside anew is asked about: captures, releases and corrections never are. An owner's
/// hook does not bind an agreement with a grant on the account that is not younger than the hook, nor what the
/// asset's issuer takes back without the owner.
///
/// # Errors
/// [`Fault`] of the store, or when a hook that the account names is missing.
pub fn questions(state: &Overlay<'_>, plan: &Plan<'_>, signed: &Signed) -> Result<Vec<Question>, Fault> {
    let mut questions = vec![];
    if !matches!(plan.draft.act, Act::Post | Act::Hold { .. }) {
        return Ok(questions);
    }
    for (effect, hooks) in with_hooks(state, plan, HookMoment::Before)? {
        for of in [HookOf::Bank, HookOf::Owner] {
            if !hooks.has(of, HookMoment::Before) {
                continue;
            }
            let hook = find(state, &effect.account, of, HookMoment::Before)?;
            if of == HookOf::Bank || binds(state, plan, signed, effect, &hook)? {
                questions.push(Question { hook: hook.agreement, entry: shown(state, plan, effect)? });
            }
        }
    }
    Ok(questions)
}

/// Whether an owner's hook binds a plan.
fn binds(
    state: &Overlay<'_>,
    plan: &Plan<'_>,
    signed: &Signed,
    effect: &Effect,
    hook: &HookRecord,
) -> Result<bool, Fault> {
    let account = &effect.account;
    match (plan.draft.source, state.account_at(effect.seen, account, |before| before.owner)?) {
        (EntrySource::Agreement { agreement, .. }, _) => {
            let grant: Option<GrantRecord> = state.get(&key::grant(account, &agreement))?;
            let earlier = |grant: GrantRecord| {
                let lasts = grant.expires_at.is_none_or(|end| end >= plan.draft.booked_at);
                lasts && grant.given_at <= hook.attached_at
            };
            Ok(!grant.is_some_and(earlier))
        }
        (EntrySource::Party, Holder::Party(owner)) => Ok(effect.taken() == 0 || signed.has(&owner)),
        (EntrySource::Party, Holder::Agreement(_)) => Ok(true),
    }
}

fn shown(state: &Overlay<'_>, plan: &Plan<'_>, effect: &Effect) -> Result<PlannedEntry, Fault> {
    let (draft, account) = (&plan.draft, &effect.account);
    let currency = state.account_at(effect.seen, account, |before| before.currency)?;
    let side = effect.side.ok_or_else(|| Fault::Books(format!("{account} has no posting in the plan")))?;
    let lines = draft.lines.iter().filter(|line| line.account == *account);
    Ok(PlannedEntry {
        account: *account,
        side,
        amounts: lines.map(|line| Money { minor: line.minor, currency }).collect(),
        sets_aside: matches!(draft.act, Act::Hold { .. }),
        value_date: plan.value_date,
        narrative: draft.narrative,
        reference: draft.reference,
    })
}

/// The accounts of a plan with a hook that is told of what is booked on them.
///
/// # Errors
/// [`Fault`] of the store.
pub fn accounts_that_tell(state: &Overlay<'_>, plan: &Plan<'_>) -> Result<Vec<AccountId>, Fault> {
    if !plan.draft.act.books() {
        return Ok(vec![]);
    }
    let told = with_hooks(state, plan, HookMoment::After)?;
    Ok(told.into_iter().map(|(effect, _)| effect.account).collect())
}

/// The accounts with a posting of the plan's own and a hook for a moment, ascending, and the hooks that they have.
fn with_hooks<'p>(
    state: &Overlay<'_>,
    plan: &'p Plan<'_>,
    moment: HookMoment,
) -> Result<Vec<(&'p Effect, HookSet)>, Fault> {
    let mut found = vec![];
    if !plan.effects.among.has(Traits::HOOKED) {
        return Ok(found);
    }
    for effect in plan.effects.iter().filter(|effect| effect.side.is_some()) {
        let hooks = state.account_at(effect.seen, &effect.account, |before| before.hooks)?;
        if hooks.has_any(moment) {
            found.push((effect, hooks));
        }
    }
    found.sort_unstable_by_key(|(effect, _)| effect.account);
    Ok(found)
}

/// A hook that an account's record names.
///
/// # Errors
/// [`Fault::State`] when it is missing.
pub fn find(
    state: &Overlay<'_>,
    account: &AccountId,
    of: HookOf,
    moment: HookMoment,
) -> Result<HookRecord, Fault> {
    let record: Option<HookRecord> = state.get(&key::hook(account, of, moment))?;
    record.ok_or_else(|| Fault::State(format!("a hook of {account} is missing")))
}

/// Attaches a hook; who may is judged before. Returns the account's record as it was.
///
/// # Errors
/// Refused when the account is closed or a control account, or has such a hook.
pub fn attach(
    state: &mut Overlay<'_>,
    account: AccountId,
    of: HookOf,
    moment: HookMoment,
    hook: HookRecord,
) -> Result<(), Stop> {
    let mut record: AccountRecord = state.get(&account.0)?.ok_or(Refusal::UnknownAccount { account })?;
    if record.closed {
        return Err(Refusal::Closed { account }.into());
    }
    if record.kind == AccountKind::Control {
        return Err(Refusal::ControlAccount { account }.into());
    }
    if record.hooks.has(of, moment) {
        let what = Hash(find(state, &account, of, moment)?.agreement.0);
        return Err(Refusal::Exists { what }.into());
    }
    record.hooks = record.hooks.with(of, moment, true);
    state.put(&account.0, &record);
    state.put(&key::hook(&account, of, moment), &hook);
    Ok(())
}

/// Detaches a hook and returns it; its contract is not asked.
///
/// # Errors
/// Refused when the account has no such hook.
pub fn detach(
    state: &mut Overlay<'_>,
    account: AccountId,
    of: HookOf,
    moment: HookMoment,
) -> Result<HookRecord, Stop> {
    let mut record: AccountRecord = state.get(&account.0)?.ok_or(Refusal::UnknownAccount { account })?;
    if !record.hooks.has(of, moment) {
        return Err(Refusal::NoHook { account }.into());
    }
    let hook = find(state, &account, of, moment)?;
    record.hooks = record.hooks.with(of, moment, false);
    state.put(&account.0, &record);
    state.delete(Kind::Hook, &key::hook(&account, of, moment));
    Ok(hook)
}

/// The hooks of an account that are told afterwards, each agreement once.
///
/// # Errors
/// [`Fault`] of the store.
pub fn told_after(state: &Overlay<'_>, account: &AccountId) -> Result<Vec<AgreementId>, Fault> {
    let Some(record) = state.get::<AccountRecord>(&account.0)? else { return Ok(vec![]) };
    let moment = HookMoment::After;
    let there = [HookOf::Bank, HookOf::Owner].into_iter().filter(|of| record.hooks.has(*of, moment));
    let mut agreements =
        there.map(|of| Ok(find(state, account, of, moment)?.agreement)).collect::<Result<Vec<_>, Fault>>()?;
    agreements.dedup();
    Ok(agreements)
}
