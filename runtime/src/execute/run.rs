//! One item on its way: who signed, what gas is left, what it has booked and reported so far.

use super::{BlockContext, CheckedTransaction, Contract, Module, hook};
use crate::fault::{Fault, Stop};
use crate::ledger::{self, Draft, Plan, Signed};
use crate::state::Overlay;
use crate::state::record::{PartyRecord, RoleRecord, key};
use crate::vm::price;
use smallvec::SmallVec;
use std::collections::BTreeSet;
use std::sync::Arc;
use tenor_abi::date::{Date, Timestamp};
use tenor_abi::entry::EntryId;
use tenor_abi::event::{Event, EventBody};
use tenor_abi::id::{AgreementId, CodeHash, Hash, PartyId, ProposalId};
use tenor_abi::refusal::{Failure, Refusal};
use tenor_abi::role::Role;
use tenor_wire::op::KeyNumber;
use tenor_wire::receipt::Entry;

/// Why an item has no effect.
#[derive(Debug)]
pub(super) enum Trouble {
    /// A rule or the contract says no.
    Refused { code: u16, data: Vec<u8> },
    /// It ran out of something or trapped.
    Failed(Failure),
    /// The replica is broken.
    Fault(Fault),
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Trouble {
        Trouble::Refused { code: refusal.code(), data: refusal.data() }
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Trouble {
        Trouble::Fault(fault)
    }
}

impl From<Stop> for Trouble {
    fn from(stop: Stop) -> Trouble {
        match stop {
            Stop::Refused(refusal) => refusal.into(),
            Stop::Fault(fault) => fault.into(),
        }
    }
}

/// One item on its way.
pub(super) struct Run<'a> {
    pub block: &'a BlockContext<'a>,
    /// Transaction or occurrence.
    pub item: Hash,
    /// Who acts; nobody when the chain itself does.
    pub actor: Option<PartyId>,
    /// Number of the key that the actor signed with.
    pub actor_key: KeyNumber,
    /// Whose authority counts for the books.
    pub signed: Signed,
    /// Those of the keys behind it that are limited.
    pub limited: Vec<(PartyId, KeyNumber)>,
    /// Who approved, when a proposal is carried out.
    pub approver: Option<PartyId>,
    /// A proposal that ends with this item, whatever becomes of it.
    pub ended_proposal: Option<ProposalId>,
    pub gas_limit: u64,
    pub gas_left: u64,
    /// Gas of the hooks that were asked, on top of the limit.
    pub hook_gas: u64,
    /// How many were asked.
    pub hooks_asked: u32,
    /// An agreement with an occurrence that must run before it is called: the item ends.
    pub behind: Option<AgreementId>,
    /// The contracts that it came upon, in order; one of the latest [`price::ITEM_MODULES`] not again.
    pub called: SmallVec<[Arc<Module>; 1]>,
    /// The agreements at work, the innermost last; none of them can be entered again.
    pub at_work: Vec<AgreementId>,
    pub entries: Vec<Entry>,
    pub events: Vec<Event>,
    event_bytes: usize,
}

/// Where an item stood.
pub(super) struct Saved {
    entries: usize,
    events: usize,
    event_bytes: usize,
    signed: Signed,
}

impl<'a> Run<'a> {
    pub fn of_transaction(block: &'a BlockContext<'a>, checked: &CheckedTransaction) -> Run<'a> {
        let body = &checked.transaction().body;
        let parties = body.authorisers.iter().map(|authoriser| &authoriser.party);
        let actor = Some(body.actor());
        let mut run = Run::new(block, Hash(checked.id().0), actor, Signed::default(), body.gas_limit);
        run.signed.add(parties, &body.spend_max);
        run.actor_key = body.authorisers.first().map_or(0, |actor| actor.key);
        if checked.is_limited() {
            run.limited = body.authorisers.iter().map(|by| (by.party, by.key)).collect();
        }
        run
    }

    pub fn of_chain(block: &'a BlockContext<'a>, item: Hash, gas_limit: u64) -> Run<'a> {
        Run::new(block, item, None, Signed::default(), gas_limit)
    }

    fn new(
        block: &'a BlockContext<'a>,
        item: Hash,
        actor: Option<PartyId>,
        signed: Signed,
        gas_limit: u64,
    ) -> Run<'a> {
        Run {
            block,
            item,
            actor,
            actor_key: 0,
            signed,
            limited: vec![],
            approver: None,
            ended_proposal: None,
            gas_limit,
            gas_left: gas_limit,
            hook_gas: 0,
            hooks_asked: 0,
            behind: None,
            called: SmallVec::new(),
            at_work: vec![],
            entries: vec![],
            events: vec![],
            event_bytes: 0,
        }
    }

    pub fn gas_used(&self) -> u64 {
        self.gas_limit - self.gas_left
    }

    pub fn charge(&mut self, gas: u64) -> Result<(), Trouble> {
        match self.gas_left.checked_sub(gas) {
            Some(left) => {
                self.gas_left = left;
                Ok(())
            }
            None => {
                self.gas_left = 0;
                Err(Trouble::Failed(Failure::OutOfGas))
            }
        }
    }

    /// Whether a contract is one of the latest that the item came upon.
    fn is_recent(&self, code: &CodeHash) -> bool {
        self.called.iter().rev().take(price::ITEM_MODULES).any(|called| called.code == *code)
    }

    /// Notes that the item came upon a contract, whose module it may call.
    pub fn come_upon(&mut self, contract: &Contract) {
        if !self.is_recent(&contract.module.code) {
            self.called.push(Arc::clone(&contract.module));
        }
    }

    /// What an agreement pays besides for calling one of a contract: loading it, where it is one of too many.
    pub fn loading_gas(&self, code: &CodeHash) -> u64 {
        let is_free = self.called.len() < price::ITEM_MODULES || self.is_recent(code);
        if is_free { 0 } else { price::module_of_item() }
    }

    /// What a call within this item may have to be taken back to.
    pub fn save(&self) -> Saved {
        let (entries, events) = (self.entries.len(), self.events.len());
        Saved { entries, events, event_bytes: self.event_bytes, signed: self.signed.clone() }
    }

    /// What was booked, reported and spent since never happened; gas is gone all the same.
    pub fn take_back(&mut self, saved: Saved) {
        self.entries.truncate(saved.entries);
        self.events.truncate(saved.events);
        (self.event_bytes, self.signed) = (saved.event_bytes, saved.signed);
    }

    /// Books an entry of this item.
    pub fn book(&mut self, state: &mut Overlay<'_>, draft: Draft) -> Result<u32, Stop> {
        self.check_entries()?;
        let plan = ledger::plan(state, &draft, &self.signed)?;
        self.book_plan(state, plan)
    }

    /// An item has room for another entry.
    pub fn check_entries(&self) -> Result<(), Refusal> {
        let limit = self.block.parameters.limits.item_entries;
        if self.entries.len() < limit as usize {
            return Ok(());
        }
        Err(Refusal::BadValue { rule: format!("an item books at most {limit} entries") })
    }

    /// Books what was planned, once its accounts' hooks agree, and has those told that are told afterwards.
    pub fn book_plan(&mut self, state: &mut Overlay<'_>, plan: Plan<'_>) -> Result<u32, Stop> {
        hook::ask(state, self, &plan)?;
        let tell = ledger::accounts_that_tell(state, &plan)?;
        if self.entries.is_empty() {
            // Most items have no more.
            self.entries.reserve_exact(1);
        }
        ledger::commit(state, plan, &mut self.signed, self.block.height, &mut self.entries)?;
        if cfg!(debug_assertions)
            && let Some(entry) = self.entries.last()
        {
            ledger::check_touched(state, entry)?;
        }
        hook::tell(state, self, &tell)?;
        Ok(self.entries.len() as u32 - 1)
    }

    /// An act that takes two roles: one with the first signs, and outside a sandbox another person with the second
    /// approves. In a sandbox one of the two is enough.
    pub fn two_roles(
        &self,
        state: &Overlay<'_>,
        bank: &PartyId,
        first: Role,
        second: Role,
    ) -> Result<(), Stop> {
        if self.block.parameters.sandbox && self.has_role(state, bank, second)? {
            return Ok(());
        }
        if !self.has_role(state, bank, first)? {
            return Err(Refusal::RoleMissing { role: first, bank: *bank }.into());
        }
        if self.block.parameters.sandbox { Ok(()) } else { self.second_person(state, bank, second) }
    }

    /// Remembers which banks' operations staff signed, where that counts: a clawback, an issue, a value date back.
    pub fn note_staff(&mut self, state: &Overlay<'_>, banks: BTreeSet<PartyId>) -> Result<(), Fault> {
        for bank in banks {
            match self.staff(state, &bank, Role::Operations) {
                Ok(()) => self.signed.staff.push(bank),
                Err(Stop::Refused(_)) => {}
                Err(Stop::Fault(fault)) => return Err(fault),
            }
        }
        Ok(())
    }

    /// The name of the next entry.
    pub fn next_entry(&self) -> EntryId {
        EntryId { item: self.item, index: self.entries.len() as u32 }
    }

    /// What was booked and reported so far never happened.
    pub fn forget(&mut self) {
        self.entries.clear();
        self.events.clear();
        self.event_bytes = 0;
    }

    /// Reports what a contract brings about, within what an item may report.
    pub fn emit(&mut self, agreement: AgreementId, body: EventBody) -> Result<(), Trouble> {
        let limits = &self.block.parameters.limits;
        let own = if let EventBody::Contract { data, .. } = &body { data.len() } else { 0 };
        let event_bytes = self.event_bytes + own;
        if self.events.len() >= limits.item_events as usize || event_bytes > limits.item_event_bytes as usize
        {
            return Err(Trouble::Failed(Failure::HostRule));
        }
        self.event_bytes = event_bytes;
        self.report(agreement, body);
        Ok(())
    }

    /// Reports what the runtime does by itself, however much a contract has reported.
    pub fn report(&mut self, agreement: AgreementId, body: EventBody) {
        if self.events.is_empty() {
            // Most items report one.
            self.events.reserve_exact(1);
        }
        self.events.push(Event { agreement, body });
    }

    /// Whether a party signed by whose own authority the item runs. An approver's is not among it: no account of
    /// theirs is debited by what they approve.
    pub fn has(&self, party: &PartyId) -> bool {
        self.signed.has(party)
    }

    /// Whether somebody whose own authority counts holds a role at a bank.
    pub fn has_role(&self, state: &Overlay<'_>, bank: &PartyId, role: Role) -> Result<bool, Fault> {
        for party in self.signed.parties() {
            if holds_role(state, bank, party, role)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// An act of a bank's administration: one with the role signs, and outside a sandbox a second approves.
    pub fn staff(&self, state: &Overlay<'_>, bank: &PartyId, role: Role) -> Result<(), Stop> {
        if !self.has_role(state, bank, role)? {
            return Err(Refusal::RoleMissing { role, bank: *bank }.into());
        }
        if self.block.parameters.sandbox { Ok(()) } else { self.second_person(state, bank, role) }
    }

    /// A second person with a role must have approved.
    pub fn second_person(&self, state: &Overlay<'_>, bank: &PartyId, role: Role) -> Result<(), Stop> {
        let approver = self.approver.ok_or(Refusal::FourEyes { role })?;
        if holds_role(state, bank, &approver, role)? {
            Ok(())
        } else {
            Err(Refusal::RoleMissing { role, bank: *bank }.into())
        }
    }

    /// The business date of a bank at block time.
    pub fn business_date(&self, state: &Overlay<'_>, bank: &PartyId) -> Result<Date, Fault> {
        crate::schedule::business_date_of(state, bank, self.time())
    }

    pub fn time(&self) -> Timestamp {
        self.block.time
    }
}

pub(super) fn holds_role(
    state: &Overlay<'_>,
    bank: &PartyId,
    party: &PartyId,
    role: Role,
) -> Result<bool, Fault> {
    Ok(state.get::<RoleRecord>(&key::role(bank, party, role))?.is_some())
}

pub(super) fn party(state: &Overlay<'_>, party: &PartyId) -> Result<PartyRecord, Stop> {
    Ok(state.get(&party.0)?.ok_or(Refusal::UnknownParty { party: *party })?)
}
