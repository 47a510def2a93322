//! What a contract can reach while it runs: its own storage, the ledger under the item's authority, its
//! schedules, its lifecycle. Every host function that touches state ends here.

use super::agreement::{Opened, book_asset};
use super::run::{Run, Trouble};
use crate::fault::Stop;
use crate::ledger::{self, Draft, Line};
use crate::schedule::{self, Place};
use crate::state::Overlay;
use crate::state::record::{AccountRecord, AgreementRecord, GrantRecord, Holder, Waiting, key};
use crate::vm::{HostError, HostRule, Session};
use std::collections::BTreeSet;
use tenor_abi::codec;
use tenor_abi::date::{Date, Timestamp};
use tenor_abi::entry::{AccountRef, CollectRequest, EntryRequest, Posting, Shortfall, Side};
use tenor_abi::event::EventBody;
use tenor_abi::id::{AccountId, CalendarId};
use tenor_abi::money::Money;
use tenor_abi::recurrence::Recurrence;
use tenor_abi::refusal::Refusal;
use tenor_abi::spec::{CallDef, CallKind, Missed};
use tenor_wire::op::account_id;
use tenor_wire::receipt::EntrySource;

/// Most bytes of a request that a contract hands over.
const REQUEST_BYTES_MAX: usize = 512 * 1024;

/// One call of an agreement.
pub(super) struct Frame<'f, 'b, 'r> {
    state: &'f mut Overlay<'b>,
    run: &'f mut Run<'r>,
    opened: &'f Opened,
    def: &'f CallDef,
    time: Timestamp,
    date: Date,
    named: Option<BTreeSet<AccountId>>,
    entered: Option<u16>,
}

impl<'f, 'b, 'r> Frame<'f, 'b, 'r> {
    pub fn new(
        state: &'f mut Overlay<'b>,
        run: &'f mut Run<'r>,
        opened: &'f Opened,
        def: &'f CallDef,
        time: Timestamp,
        date: Date,
    ) -> Frame<'f, 'b, 'r> {
        Frame { state, run, opened, def, time, date, named: None, entered: None }
    }

    /// The lifecycle state that the contract asked for.
    pub fn entered(&self) -> Option<u16> {
        self.entered
    }

    fn place(&self, kind: u16) -> Place {
        let ahead_ms = self.run.block.parameters.limits.due_ahead_ms;
        Place { agreement: self.opened.id, bank: self.opened.record.bank, kind, now: self.time, ahead_ms }
    }

    fn check_kind(&self, kind: u16) -> Result<(), HostError> {
        let known = self.opened.contract.spec.schedules.len();
        if usize::from(kind) < known {
            Ok(())
        } else {
            Err(rule(HostRule::Value, format!("the spec has {known} schedules, {kind} named")))
        }
    }

    fn account(&self, account: AccountRef) -> Result<AccountId, Stop> {
        match account {
            AccountRef::Account(id) => Ok(id),
            AccountRef::Book(number) => {
                let books = &self.opened.contract.spec.books;
                let book = books.get(usize::from(number)).ok_or(Refusal::UnknownBook { book: number })?;
                let asset = book_asset(self.state, &self.opened.terms, book.asset)?;
                Ok(account_id(&self.opened.id.0, &asset, &book.name))
            }
        }
    }

    /// Whether the contract may look into an account or credit it: its own book, named in the terms, granted,
    /// or of somebody who signed this very item.
    fn may_reach(&mut self, account: &AccountId) -> Result<bool, Stop> {
        let opened = self.opened;
        if self.named.get_or_insert_with(|| opened.accounts()).contains(account) {
            return Ok(true);
        }
        let record: Option<AccountRecord> = self.state.get(&account.0)?;
        let owner = record.ok_or(Refusal::UnknownAccount { account: *account })?.owner;
        let own = match owner {
            Holder::Agreement(id) => id == opened.id,
            Holder::Party(party) => self.run.has(&party),
        };
        Ok(own || self.state.get::<GrantRecord>(&key::grant(account, &opened.id))?.is_some())
    }

    fn lines(&mut self, postings: &[Posting]) -> Result<Vec<Line>, Stop> {
        postings
            .iter()
            .map(|posting| {
                let account = self.account(posting.account)?;
                if posting.side == Side::Credit && !self.may_reach(&account)? {
                    return Err(Refusal::AccountNotNamed { account }.into());
                }
                let Money { minor, currency } = posting.money;
                Ok(Line { account, side: posting.side, minor, code: Some(currency.code) })
            })
            .collect()
    }

    fn book(&mut self, request: &EntryRequest) -> Result<u32, Stop> {
        if usize::from(request.purpose) >= self.opened.contract.spec.purposes.len().max(1) {
            return Err(Refusal::BadValue {
                rule: format!("the spec has no entry purpose {}", request.purpose),
            }
            .into());
        }
        let draft = Draft {
            id: self.run.next_entry(),
            source: EntrySource::Agreement { agreement: self.opened.id, purpose: request.purpose },
            booked_at: self.run.time(),
            value_date: self.date,
            lines: self.lines(&request.postings)?,
            narrative: request.narrative,
            reference: None,
        };
        self.run.book(self.state, draft)
    }

    fn count_key(&mut self, added: bool) -> Result<(), HostError> {
        let id = self.opened.id;
        let limit = self.run.block.parameters.limits.keys_max;
        let record: Option<AgreementRecord> = self.state.get(&id.0).map_err(fault)?;
        let mut record = record.ok_or_else(|| HostError::Fault(format!("{id} vanished while it ran")))?;
        if added && record.keys >= limit {
            return Err(refused(Refusal::KeysMax { limit }));
        }
        record.keys = if added { record.keys + 1 } else { record.keys.saturating_sub(1) };
        self.state.put(&id.0, &record);
        Ok(())
    }
}

fn fault(fault: crate::fault::Fault) -> HostError {
    HostError::Fault(fault.to_string())
}

fn refused(refusal: Refusal) -> HostError {
    HostError::Refused { code: refusal.code(), data: refusal.data() }
}

fn rule(rule: HostRule, text: String) -> HostError {
    HostError::Rule(rule, text)
}

fn stop(stop: Stop) -> HostError {
    match stop {
        Stop::Refused(refusal) => refused(refusal),
        Stop::Fault(broken) => fault(broken),
    }
}

fn request<T: serde::Serialize + serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, HostError> {
    codec::decode(bytes, REQUEST_BYTES_MAX)
        .map_err(|error| rule(HostRule::Value, format!("request: {error}")))
}

impl Session for Frame<'_, '_, '_> {
    fn emit(&mut self, event: u16, data: &[u8]) -> Result<(), HostError> {
        let body = EventBody::Contract { number: event, data: data.to_vec() };
        match self.run.report(self.opened.id, body) {
            Ok(()) => Ok(()),
            Err(Trouble::Fault(broken)) => Err(fault(broken)),
            Err(_) => Err(rule(HostRule::Events, "more events than an item may report".into())),
        }
    }

    fn storage_get(&mut self, own: &[u8]) -> Result<Option<Vec<u8>>, HostError> {
        self.state.get_row(&key::storage(&self.opened.id, own)).map_err(fault)
    }

    fn storage_set(&mut self, own: &[u8], value: &[u8]) -> Result<(), HostError> {
        let full = key::storage(&self.opened.id, own);
        if !self.state.has_row(&full).map_err(fault)? {
            self.count_key(true)?;
        }
        self.state.set_row(full, Some(value.to_vec()));
        Ok(())
    }

    fn storage_remove(&mut self, own: &[u8]) -> Result<bool, HostError> {
        let full = key::storage(&self.opened.id, own);
        let there = self.state.has_row(&full).map_err(fault)?;
        if there {
            self.count_key(false)?;
            self.state.set_row(full, None);
        }
        Ok(there)
    }

    fn storage_next(&mut self, from: &[u8], end: &[u8]) -> Result<Option<(Vec<u8>, Vec<u8>)>, HostError> {
        let full = |own: &[u8]| key::storage(&self.opened.id, own);
        let found = self.state.next_row(&full(from), &full(end)).map_err(fault)?;
        Ok(found.map(|(row, value)| (row[33..].to_vec(), value)))
    }

    fn post(&mut self, bytes: &[u8]) -> Result<u32, HostError> {
        let asked: EntryRequest = request(bytes)?;
        self.book(&asked).map_err(stop)
    }

    fn try_post(&mut self, bytes: &[u8]) -> Result<Option<Vec<u8>>, HostError> {
        let asked: EntryRequest = request(bytes)?;
        match self.book(&asked) {
            Ok(_) => Ok(None),
            Err(Stop::Refused(Refusal::InsufficientFunds { account, available, needed })) => {
                Ok(Some(codec::encode(&Shortfall { account, available, needed })))
            }
            Err(Stop::Refused(Refusal::GrantExceeded { account, max, used, asked })) => {
                Ok(Some(codec::encode(&Shortfall {
                    account,
                    available: max.saturating_sub(used),
                    needed: asked,
                })))
            }
            Err(other) => Err(stop(other)),
        }
    }

    fn collect_up_to(&mut self, bytes: &[u8]) -> Result<Vec<u8>, HostError> {
        let asked: CollectRequest = request(bytes)?;
        let from = self.account(asked.from).map_err(stop)?;
        let available = ledger::balance(self.state, &from).map_err(stop)?.available;
        let minor = asked.money.minor.min(i128::try_from(available).unwrap_or(i128::MAX));
        if minor > 0 {
            let money = asked.money.with_minor(minor);
            let posting = |account, side| Posting { account, side, money };
            let postings = vec![posting(asked.from, Side::Debit), posting(asked.to, Side::Credit)];
            self.book(&EntryRequest { postings, purpose: asked.purpose, narrative: None }).map_err(stop)?;
        }
        Ok(codec::encode(&minor.max(0).unsigned_abs()))
    }

    fn balance(&mut self, bytes: &[u8]) -> Result<Vec<u8>, HostError> {
        let account = self.account(request(bytes)?).map_err(stop)?;
        if !self.may_reach(&account).map_err(stop)? {
            return Err(refused(Refusal::AccountNotNamed { account }));
        }
        Ok(codec::encode(&ledger::balance(self.state, &account).map_err(stop)?))
    }

    fn schedule_start(&mut self, bytes: &[u8]) -> Result<(), HostError> {
        let (kind, recurrence): (u16, Recurrence) = request(bytes)?;
        self.check_kind(kind)?;
        let place = self.place(kind);
        schedule::start(self.state, place, recurrence).map_err(stop)
    }

    fn schedule_hold(&mut self, kind: u16) -> Result<(), HostError> {
        let place = self.place(kind);
        schedule::hold(self.state, place).map_err(stop)
    }

    fn schedule_resume(&mut self, kind: u16) -> Result<(), HostError> {
        self.check_kind(kind)?;
        let missed = match self.opened.contract.spec.handler(kind).map(|def| &def.kind) {
            Some(CallKind::Due { missed, .. }) => *missed,
            _ => Missed::Each,
        };
        let place = self.place(kind);
        let Some(passed) = schedule::resume(self.state, place, missed).map_err(stop)? else { return Ok(()) };
        let body = EventBody::Missed { kind, first: passed.first, count: passed.count };
        self.run
            .report(self.opened.id, body)
            .map_err(|_| rule(HostRule::Events, "more events than an item may report".into()))
    }

    fn schedule_end(&mut self, kind: u16) -> Result<(), HostError> {
        let place = self.place(kind);
        schedule::end(self.state, place).map_err(stop)
    }

    fn next_due(&mut self, kind: u16) -> Result<Option<Vec<u8>>, HostError> {
        let record = schedule::of(self.state, &self.opened.id, kind).map_err(fault)?;
        Ok(record.and_then(|record| match record.waiting {
            Waiting::Due { attempt_date, .. } => Some(codec::encode(&attempt_date)),
            _ => None,
        }))
    }

    fn enter_state(&mut self, state: u16) -> Result<(), HostError> {
        if !self.def.may_enter.contains(&state) {
            let name = self.opened.contract.spec.state_name(state);
            return Err(rule(
                HostRule::State,
                format!("`{}` does not declare that it may enter {name}", self.def.name),
            ));
        }
        self.entered = Some(state);
        Ok(())
    }

    fn business_day(&mut self, bytes: &[u8]) -> Result<Vec<u8>, HostError> {
        let (date, convention, id): (Date, tenor_abi::calendar::BusinessDayConvention, CalendarId) =
            request(bytes)?;
        let calendar = schedule::calendar(self.state, &id).map_err(stop)?;
        let adjusted = calendar.adjust(date, convention);
        let adjusted =
            adjusted.map_err(|error| refused(Refusal::CalendarShort { rule: error.to_string() }))?;
        Ok(codec::encode(&adjusted))
    }
}
