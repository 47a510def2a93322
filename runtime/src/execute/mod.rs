//! Executing items: authorise, charge, run, settle.
//!
//! A transaction comes through the [`door`] or is rejected without a trace. What is admitted always leaves a
//! receipt: done, refused or failed; the latter two roll back everything but the receipt, the used key and
//! what the chain itself must remember (an ended proposal, a retry).

mod ending;
mod contract;
mod candidate;
pub mod door;
pub mod control;
mod run;
mod native;
mod money;
mod holding;
mod books;
mod publish;
mod setter;
mod key_limit;
mod agreement;
mod propose;
mod session;
mod nested;
mod due;
mod hook;
mod view;
mod check;

pub use candidate::{Candidate, check_ahead};
pub use check::{Checked, check_agreements, check_touched};
pub use contract::{Contract, Contracts, Module};
pub use door::{CheckedTransaction, Rejection};
pub use ending::{Ending, receipts};
pub use publish::{Judged, admit, judge};
pub use view::{ViewError, view};

use crate::fault::{Fault, Stop};
use crate::lanes::{Messages, root_of_pieces};
use crate::ledger::{Opening, open_account};
use crate::params::Parameters;
use crate::state::Overlay;
use crate::state::record::{IdempotencyRecord, KeyDayRecord, key};
use crate::vm::Guest;
use run::{Run, Trouble};
use std::collections::BTreeMap;
use tenor_abi::codec;
use tenor_abi::date::Timestamp;
use tenor_abi::id::{ChainId, Hash, OccurrenceId, PartyId};
use tenor_abi::refusal::{Failure, Refusal};
use tenor_abi::tag;
use tenor_wire::block::{DueItem, ExpiryItem, ValidatorSet};
use tenor_wire::crypto::hash;
use tenor_wire::op::Operation;
use tenor_wire::receipt::Fate;
use tenor_wire::tx::IdempotencyKey;

/// Occurrences whose ids are hashed side by side: what is hashed of them stays near the processor.
const IDS_TOGETHER: usize = 512;

/// The block in which items run.
#[derive(Clone, Copy)]
pub struct BlockContext<'a> {
    /// The chain of the block.
    pub chain: ChainId,
    /// The chain of the block before: another one where this block begins the chain again.
    pub before: ChainId,
    /// Header hash of the block before.
    pub parent: Hash,
    /// Who signs the block.
    pub validators: &'a ValidatorSet,
    /// Height of the block.
    pub height: u64,
    /// Block time.
    pub time: Timestamp,
    /// Parameters in force.
    pub parameters: &'a Parameters,
    /// Runs contracts.
    pub guest: &'a dyn Guest,
    /// Contracts that were read before.
    pub contracts: &'a Contracts,
    /// Whether it is made now, and not one that was made is followed: what is published in it must compile within
    /// [`crate::vm::Bounds::NEW`], or is left out.
    pub is_new: bool,
}

/// Runs a transaction that passed the door, at a place of the block. Its key is used; [`use_keys`] at the end of
/// the block brings the days' running hashes up to it.
///
/// # Errors
/// The outer one is a [`Fault`]: the replica is broken. The inner one: what it publishes is not compiled here, and it
/// has left nothing.
pub fn transaction(
    state: &mut Overlay<'_>,
    block: &BlockContext<'_>,
    checked: &CheckedTransaction,
    index: u32,
) -> Result<Result<Ending, Rejection>, Fault> {
    let mark = state.mark();
    let mut run = Run::of_transaction(block, checked);
    let ran = operation(state, &mut run, checked);
    if ran.is_err() {
        state.roll_back(mark);
    }
    let ran = match ran {
        Err(Trouble::Fault(Fault::Uncompiled(why))) if block.is_new => {
            return Ok(Err(Rejection::Uncompiled(why)));
        }
        ran => ran,
    };
    let ending = settle(run, ran, state)?;
    let used = checked.used(index);
    let row = IdempotencyRecord { operation: used.operation, height: block.height, index };
    state.set(&key::idempotency(&used.party, &used.key), row);
    state.keep();
    Ok(Ok(ending))
}

/// Runs an occurrence that is due, at the head of its bank's queue. None when it is passed over in this block, because
/// an agreement that it calls has one that must run first; then it has left nothing.
///
/// # Errors
/// [`Fault`]: the replica is broken.
pub fn occurrence(
    state: &mut Overlay<'_>,
    block: &BlockContext<'_>,
    item: DueItem,
    id: OccurrenceId,
) -> Result<Option<Ending>, Fault> {
    let ending = due::run(state, block, item, id)?;
    state.keep();
    Ok(ending)
}

/// The ids of occurrences, in order, hashed side by side.
pub fn occurrence_ids(items: &[DueItem]) -> Vec<OccurrenceId> {
    let (mut messages, mut ids) = (Messages::default(), Vec::with_capacity(items.len()));
    for some in items.chunks(IDS_TOGETHER) {
        messages.clear();
        some.iter().for_each(|item| messages.push(&[&[tag::OCCURRENCE.0], &codec::encode(item)]));
        ids.extend(messages.hashes().into_iter().map(|hash| OccurrenceId(hash.0)));
    }
    ids
}

/// Reads together what occurrences will surely ask for.
///
/// # Errors
/// [`Fault`] of the store.
pub fn ask_ahead(state: &Overlay<'_>, block: &BlockContext<'_>, items: &[DueItem]) -> Result<(), Fault> {
    due::ask_ahead(state, block, items)
}

/// Ends a hold whose time is over.
///
/// # Errors
/// [`Fault`]: the replica is broken.
pub fn expiry(state: &mut Overlay<'_>, block: &BlockContext<'_>, item: ExpiryItem) -> Result<Ending, Fault> {
    let mut run = Run::of_chain(block, Hash(item.id().0), block.parameters.limits.expiry_gas);
    let ran = holding::expire(state, &mut run, &item);
    if !matches!(ran, Ok(_) | Err(Trouble::Fault(_))) {
        return Err(Fault::State(format!("{} cannot be ended", item.hold)));
    }
    settle(run, ran, state)
}

fn operation(
    state: &mut Overlay<'_>,
    run: &mut Run<'_>,
    checked: &CheckedTransaction,
) -> Result<Vec<u8>, Trouble> {
    let limits = &run.block.parameters.limits;
    run.charge(limits.tx_gas_base + limits.tx_gas_per_byte * checked.bytes().len() as u64)?;
    let data = dispatch(state, run, &checked.transaction().body.operation)?;
    key_limit::count(state, run)?;
    Ok(data)
}

/// Runs an operation; also that of an approved proposal.
fn dispatch(state: &mut Overlay<'_>, run: &mut Run<'_>, operation: &Operation) -> Result<Vec<u8>, Trouble> {
    match operation {
        Operation::Party(op) => native::party(state, run, op),
        Operation::Key(op) => native::key(state, run, op),
        Operation::Role(op) => native::role(state, run, op),
        Operation::Asset(op) => native::asset(state, run, op),
        Operation::Account(op) => native::account(state, run, op),
        Operation::Calendar(op) => native::calendar(state, run, op),
        Operation::Transfer(op) => money::transfer(state, run, op),
        Operation::Batch(op) => money::batch(state, run, op),
        Operation::Entry(op) => money::entry(state, run, op),
        Operation::Correct(op) => money::correct(state, run, op),
        Operation::Hold(op) => holding::hold(state, run, op),
        Operation::Capture(op) => holding::capture(state, run, op),
        Operation::Release(hold) => holding::release(state, run, hold),
        Operation::AccountChange(op) => books::account_change(state, run, op),
        Operation::Books(op) => books::books(state, run, op),
        Operation::Hook(op) => hook::hook(state, run, op),
        Operation::Grant(op) => native::grant(state, run, op),
        Operation::Revoke(op) => native::revoke(state, run, op),
        Operation::Publish(op) => publish::publish(state, run, op),
        Operation::Open(op) => agreement::open(state, run, op),
        Operation::Sign(op) => agreement::sign(state, run, op),
        Operation::Invoke(op) => agreement::invoke(state, run, op),
        Operation::Propose(op) => propose::propose(state, run, op),
        Operation::Approve(id) => propose::approve(state, run, id),
        Operation::Withdraw(id) => propose::withdraw(state, run, id),
        Operation::Restart(_) | Operation::Clock(_) => control::run(state, run, operation),
        other => Err(Fault::Engine(format!("{} passed the door but does not work", other.name())).into()),
    }
}

/// Turns what a run came to into an ending; a fault goes on up.
fn settle(run: Run<'_>, ran: Result<Vec<u8>, Trouble>, state: &mut Overlay<'_>) -> Result<Ending, Fault> {
    if let Some(proposal) = run.ended_proposal {
        state.delete(crate::state::Kind::Proposal, &proposal.0);
    }
    let (item, hook_gas) = (run.item, run.hook_gas);
    let gas = run.gas_used() + hook_gas;
    let (fate, code, gas, data, entries, events) = match ran {
        Ok(data) => (Fate::Done, 0, gas, data, run.entries, run.events),
        Err(Trouble::Refused { code, data }) => (Fate::Refused, code, gas, data, vec![], vec![]),
        Err(Trouble::Failed(failure)) => {
            let gas = if failure == Failure::OutOfGas { run.gas_limit + hook_gas } else { gas };
            (Fate::Failed, failure.code(), gas, vec![], vec![], vec![])
        }
        Err(Trouble::Fault(fault)) => return Err(fault),
    };
    Ok(Ending { item, fate, code, gas, hook_gas, called: run.called, data, entries, events })
}

/// An idempotency key that a transaction used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UsedKey {
    /// Whose.
    pub party: PartyId,
    /// The key.
    pub key: IdempotencyKey,
    /// Hash of the operation that it stands for.
    pub operation: Hash,
    /// Place of the transaction in the block.
    pub index: u32,
}

/// Brings the running hashes of key days, which the state root covers, up to the keys that a block used.
///
/// # Errors
/// [`Fault`] of the store.
pub fn use_keys(state: &mut Overlay<'_>, height: u64, used: &[UsedKey]) -> Result<(), Fault> {
    let mut days: BTreeMap<u32, (u64, Vec<u8>)> = BTreeMap::new();
    for UsedKey { party, key, operation, index } in used {
        let (count, bytes) = days.entry(key.day()).or_default();
        *count += 1;
        let parts: [&[u8]; 4] = [&party.0, &key.0, &operation.0, &index.to_le_bytes()];
        parts.iter().for_each(|part| bytes.extend_from_slice(part));
    }
    for (day, (count, bytes)) in days {
        let before = state.get(&key::day(day))?.unwrap_or(KeyDayRecord { running: Hash::ZERO, count: 0 });
        let parts: [&[u8]; 3] = [&before.running.0, &height.to_le_bytes(), &root_of_pieces(&bytes).0];
        let record = KeyDayRecord { running: hash(tag::KEY_DAY, &parts), count: before.count + count };
        state.set(&key::day(day), record);
    }
    Ok(())
}

/// Writes one operation of a genesis document, which needs nobody's authority.
///
/// # Errors
/// Refused when it breaks a rule or is of a kind that a genesis cannot hold.
pub fn apply_genesis(state: &mut Overlay<'_>, operation: &Operation, time: Timestamp) -> Result<(), Stop> {
    let done = match operation {
        Operation::Party(op) => native::insert_party(state, op),
        Operation::Asset(op) => native::insert_asset(state, op),
        Operation::Role(op) => {
            native::set_role(state, op, time);
            Ok(())
        }
        Operation::Account(op) => {
            open_account(state, Opening::of(op))?;
            Ok(())
        }
        Operation::Calendar(op) => {
            native::insert_calendar(state, op);
            Ok(())
        }
        other => Err(Refusal::BadValue { rule: format!("a genesis cannot hold {}", other.name()) }.into()),
    };
    done.map_err(|trouble| match trouble {
        Trouble::Fault(fault) => fault.into(),
        Trouble::Refused { data, .. } => match Refusal::from_data(&data) {
            Some(refusal) => refusal.into(),
            None => Fault::State("a genesis operation was refused without a reason".into()).into(),
        },
        Trouble::Failed(failure) => {
            Fault::State(format!("a genesis operation failed: {}", failure.name())).into()
        }
    })
}
