//! Control transactions: what stands first in a block and says what the chain itself could not know. A restart makes it
//! another chain from here on; a clock transaction names a time that lies further ahead than a block goes by itself.
//!
//! Nobody hands one in among others: a block is built around it, and it is done or there is no such block.

use super::door::{self, CheckedTransaction, Rejection};
use super::run::{Run, Trouble, holds_role};
use super::{BlockContext, Candidate};
use crate::fault::Fault;
use crate::state::Overlay;
use crate::state::record::{PartyRecord, RestartRecord};
use std::collections::BTreeSet;
use tenor_abi::date::Timestamp;
use tenor_abi::id::{ChainId, Hash};
use tenor_abi::role::Role;
use tenor_wire::op::Operation;

/// Persons who sign a control transaction outside a sandbox, at least.
const PERSONS: usize = 2;

/// What a control operation names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Named {
    /// The block that it goes on from.
    pub parent: Hash,
    /// Time of its own block.
    pub time: Timestamp,
    /// The chain of its own block.
    pub chain: ChainId,
}

/// What an operation names, on top of a chain; none when it is no control operation.
pub fn named(operation: &Operation, before: ChainId) -> Option<Named> {
    match operation {
        Operation::Restart(op) => Some(Named { parent: op.parent, time: op.time, chain: op.chain(&before) }),
        Operation::Clock(op) => Some(Named { parent: op.parent, time: op.time, chain: before }),
        _ => None,
    }
}

/// Lets a control transaction in as the first of a block, or says why not. It is signed for the chain before.
///
/// # Errors
/// The outer one is a [`Fault`], the inner one the [`Rejection`].
pub fn check(
    state: &Overlay<'_>,
    block: &BlockContext<'_>,
    candidate: Candidate,
) -> Result<Result<CheckedTransaction, Rejection>, Fault> {
    let tx = candidate.transaction();
    let rejected = |rule: String| Ok(Err(Rejection::Control(rule)));
    let Some(named) = named(&tx.body.operation, block.before) else {
        return rejected(format!("{} is no control transaction", tx.body.operation.name()));
    };
    if named.parent != block.parent {
        return rejected(format!("it goes on from {}, the newest block is {}", named.parent, block.parent));
    }
    if named.time != block.time {
        return rejected(format!("it is of {}, the block of {}", named.time, block.time));
    }
    if let Operation::Restart(op) = &tx.body.operation {
        let parent = block.height - 1;
        match op.abandoned.checked_add(1) {
            None => return rejected(format!("block {} is given up: no block is behind it", op.abandoned)),
            Some(next) if next < block.height => {
                let given = op.abandoned;
                return rejected(format!("block {given} is given up, the parent is block {parent}"));
            }
            Some(_) => {}
        }
    }
    let limits = &block.parameters.limits;
    let needed = limits.tx_gas_base + limits.tx_gas_per_byte * tx.to_bytes().len() as u64;
    if tx.body.gas_limit < needed {
        return rejected(format!("it needs {needed} gas, {} are signed for", tx.body.gas_limit));
    }
    if let Some(rule) = missing_authority(state, block, &candidate)? {
        return rejected(rule);
    }
    door::check_for(block.before, state, block, candidate)
}

/// Operations staff of the banks that sign the chain's blocks: of as many banks as a quorum has, and outside a sandbox
/// [`PERSONS`] different persons.
fn missing_authority(
    state: &Overlay<'_>,
    block: &BlockContext<'_>,
    candidate: &Candidate,
) -> Result<Option<String>, Fault> {
    let (mut banks, mut persons) = (BTreeSet::new(), BTreeSet::new());
    for signer in &candidate.transaction().body.authorisers {
        for validator in &block.validators.validators {
            if holds_role(state, &validator.bank, &signer.party, Role::Operations)?
                && let Some(party) = state.get::<PartyRecord>(&signer.party.0)?
            {
                banks.insert(validator.bank);
                persons.insert(party.person);
            }
        }
    }
    let quorum = usize::from(block.validators.quorum);
    let needed = if block.parameters.sandbox { quorum } else { quorum.max(PERSONS) };
    let enough = banks.len() >= quorum && persons.len() >= needed;
    Ok((!enough).then(|| {
        format!(
            "{needed} persons with the role operations at {quorum} of the chain's banks sign it; {} did, of {}",
            persons.len(),
            banks.len()
        )
    }))
}

/// Carries it out: a restart is written down, the rest was checked at the door.
pub(super) fn run(state: &mut Overlay<'_>, run: &Run<'_>, operation: &Operation) -> Result<Vec<u8>, Trouble> {
    if let Operation::Restart(op) = operation {
        let record = RestartRecord { before: run.block.before, parent: op.parent, abandoned: op.abandoned };
        state.put(&run.block.height.to_be_bytes(), &record);
    }
    Ok(vec![])
}
