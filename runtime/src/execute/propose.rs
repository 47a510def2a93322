//! Four eyes: a proposal stores everything that holds, whoever approves; the approval runs it once.

use super::run::{Run, Trouble, party};
use crate::ledger::Signed;
use crate::state::record::{AccountRecord, Holder, KeyRecord, ProposalRecord, key};
use crate::state::{Kind, Overlay};
use tenor_abi::codec;
use tenor_abi::entry::Side;
use tenor_abi::id::{Hash, PartyId, ProposalId};
use tenor_abi::refusal::Refusal;
use tenor_abi::tag;
use tenor_wire::crypto::hash;
use tenor_wire::op::{Operation, ProposeOp};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Stores a proposal; its id hashes all of it and the transaction.
pub(super) fn propose(
    state: &mut Overlay<'_>,
    run: &mut Run<'_>,
    op: &ProposeOp,
) -> Result<Vec<u8>, Trouble> {
    let limits = &run.block.parameters.limits;
    let is_of_its_own = matches!(
        *op.operation,
        Operation::Propose(_)
            | Operation::Approve(_)
            | Operation::Withdraw(_)
            | Operation::Restart(_)
            | Operation::Clock(_)
    );
    if is_of_its_own || !run.block.parameters.admits(&op.operation) {
        let rule = format!("{} cannot be proposed", op.operation.name());
        return Err(Refusal::BadValue { rule }.into());
    }
    let latest = run.time().0 + u64::from(limits.proposal_days_max) * DAY_MS;
    if op.expires_at <= run.time() || op.expires_at.0 > latest || op.gas_limit > limits.item_gas_max {
        let rule = format!(
            "a proposal ends after now and within {} days, and signs for at most {} gas",
            limits.proposal_days_max, limits.item_gas_max
        );
        return Err(Refusal::BadValue { rule }.into());
    }
    let proposer = run.actor.ok_or(Refusal::NotAuthorised)?;
    let record = ProposalRecord {
        proposer,
        key: run.actor_key,
        person: party(state, &proposer)?.person,
        operation: (*op.operation).clone(),
        gas_limit: op.gas_limit,
        spend_max: op.spend_max.clone(),
        expires_at: op.expires_at,
    };
    let id = ProposalId(hash(tag::PROPOSAL, &[&run.item.0, &codec::encode(&record)]).0);
    state.put(&id.0, &record);
    Ok(codec::encode(&id))
}

/// Approves a proposal and carries it out at once, with every check made anew; whatever becomes of it, it
/// has ended.
pub(super) fn approve(
    state: &mut Overlay<'_>,
    run: &mut Run<'_>,
    id: &ProposalId,
) -> Result<Vec<u8>, Trouble> {
    let record: ProposalRecord = state.get(&id.0)?.ok_or(Refusal::UnknownProposal { proposal: *id })?;
    let approver = run.actor.ok_or(Refusal::NotAuthorised)?;
    if party(state, &approver)?.person == record.person {
        return Err(Refusal::SamePerson.into());
    }
    if record.expires_at < run.time() {
        run.ended_proposal = Some(*id);
        return Err(Refusal::ProposalExpired { expired_at: record.expires_at }.into());
    }
    // Who may approve depends on what is proposed; until that check has passed, a stranger's approval leaves
    // the proposal as it was.
    let needed = super::agreement::approval_needed(state, run, &record.operation)?;
    if let Some((bank, role)) = needed
        && !super::run::holds_role(state, &bank, &approver, role)?
    {
        return Err(Refusal::RoleMissing { role, bank }.into());
    }
    let proposed_with: Option<KeyRecord> = state.get(&key::key(&record.proposer, record.key))?;
    let in_force =
        |key: &KeyRecord| key.revoked_at.is_none() && key.expires_at.is_none_or(|end| end >= run.time());
    // A key that was ended since carries nothing out.
    let Some(proposed_with) = proposed_with.filter(in_force) else {
        run.ended_proposal = Some(*id);
        return Err(Refusal::NotAuthorised.into());
    };
    run.ended_proposal = Some(*id);
    run.limited = proposed_with.limits.iter().map(|_| (record.proposer, record.key)).collect();
    (run.actor_key, run.approver) = (record.key, Some(approver));
    run.actor = Some(record.proposer);
    run.signed = Signed::by([&record.proposer], &record.spend_max, None);
    let spent = run.gas_used();
    run.gas_limit = (record.gas_limit + spent).max(run.gas_limit);
    run.gas_left = run.gas_limit - spent;
    let data = super::dispatch(state, run, &record.operation)?;
    check_beneficiary(state, run, [record.proposer, approver])?;
    Ok(data)
}

/// Withdraws a proposal. By the proposer.
pub(super) fn withdraw(
    state: &mut Overlay<'_>,
    run: &mut Run<'_>,
    id: &ProposalId,
) -> Result<Vec<u8>, Trouble> {
    let record: ProposalRecord = state.get(&id.0)?.ok_or(Refusal::UnknownProposal { proposal: *id })?;
    if !run.has(&record.proposer) {
        return Err(Refusal::NotAuthorised.into());
    }
    state.delete(Kind::Proposal, &id.0);
    Ok(vec![])
}

/// Neither proposer nor approver may be the person whose account is credited.
fn check_beneficiary(state: &Overlay<'_>, run: &Run<'_>, actors: [PartyId; 2]) -> Result<(), Trouble> {
    let persons: Vec<Hash> =
        actors.iter().map(|actor| party(state, actor).map(|p| p.person)).collect::<Result<_, _>>()?;
    let credited =
        run.entries.iter().flat_map(|entry| &entry.postings).filter(|posting| posting.side == Side::Credit);
    for posting in credited {
        let account: Option<AccountRecord> = state.get(&posting.account.0)?;
        if let Some(Holder::Party(owner)) = account.map(|account| account.owner)
            && persons.contains(&party(state, &owner)?.person)
        {
            return Err(Refusal::SamePerson.into());
        }
    }
    Ok(())
}
