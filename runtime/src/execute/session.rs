//! What a contract can reach while it runs: its own storage, the ledger under the item's authority, its
//! schedules, its lifecycle. Every host function that touches state ends here.

use super::agreement::{Opened, book_asset};
use super::nested::{self, Caller};
use super::run::{Run, Trouble};
use crate::fault::Stop;
use crate::ledger::{self, Asked, Capture, DatedBy, Draft, HoldPart, Line, Lines};
use crate::schedule::{self, Place};
use crate::state::record::{AccountRecord, AgreementRecord, GrantRecord, Holder, Waiting, key};
use crate::state::{self, Kind, Overlay, joined};
use crate::vm::{CallEnd, Context, HostError, HostRule, Session};
use tenor_abi::codec;
use tenor_abi::date::{Date, Timestamp};
use tenor_abi::entry::{
    AccountRef, CaptureRequest, CollectRequest, EntryId, EntryRequest, HoldRequest, Mode, Posted, Posting,
    Shortfall, Side,
};
use tenor_abi::event::EventBody;
use tenor_abi::id::{AccountId, CalendarId, HoldId};
use tenor_abi::limit::VALUE_DATED_ROWS_MAX;
use tenor_abi::money::Money;
use tenor_abi::recurrence::Recurrence;
use tenor_abi::refusal::Refusal;
use tenor_abi::spec::{CallDef, CallKind, Missed};
use tenor_wire::op::{account_id, hold_id};
use tenor_wire::receipt::{Act, EntrySource};

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
    entered: Option<u16>,
    /// Where the key of its own that was asked for last lies.
    latest: Option<state::Place>,
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
        Frame { state, run, opened, def, time, date, entered: None, latest: None }
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
                let asset = book_asset(self.state, self.opened.terms()?, book.asset)?;
                Ok(account_id(&self.opened.id.0, &asset, &book.name))
            }
        }
    }

    /// Whether the contract may look into an account or credit it: its own book, named in the terms, granted,
    /// or of somebody who signed this very item.
    fn may_reach(&mut self, account: &AccountId) -> Result<bool, Stop> {
        let opened = self.opened;
        if opened.accounts()?.binary_search(account).is_ok() {
            return Ok(true);
        }
        let record: Option<AccountRecord> = self.state.get(&account.0)?;
        let owner = record.ok_or(Refusal::UnknownAccount { account: *account })?.owner;
        let own = match owner {
            Holder::Agreement(id) => id == opened.id,
            // What was signed counts for the agreement that the signer called, not for those that it calls.
            Holder::Party(party) => self.run.at_work.len() == 1 && self.run.has(&party),
        };
        Ok(own || self.state.get::<GrantRecord>(&key::grant(account, &opened.id))?.is_some())
    }

    /// Whether the contract may let money come to an account.
    fn check_payee(&mut self, account: &AccountId) -> Result<(), Stop> {
        if self.may_reach(account)? {
            return Ok(());
        }
        Err(Refusal::AccountNotNamed { account: *account }.into())
    }

    fn asked(&mut self, postings: &[Posting]) -> Result<Vec<Asked>, Stop> {
        postings
            .iter()
            .map(|posting| {
                let account = self.account(posting.account)?;
                if posting.side == Side::Credit {
                    self.check_payee(&account)?;
                }
                let Money { minor, currency } = posting.money;
                let line = Line { account, side: posting.side, minor, currency: Some(currency) };
                Ok(Asked { line, mode: posting.mode })
            })
            .collect()
    }

    /// A draft without lines by the agreement. In a handler the chain itself dates it to the due date.
    fn draft(&self, purpose: u16, value_date: Option<Date>) -> Result<Draft, Stop> {
        if usize::from(purpose) >= self.opened.contract.spec.purposes.len().max(1) {
            return Err(Refusal::BadValue { rule: format!("the spec has no entry purpose {purpose}") }.into());
        }
        let ahead_days = self.run.block.parameters.limits.value_date_ahead_days;
        let is_late = self.time != self.run.time();
        let today = match is_late {
            true => self.run.business_date(self.state, &self.opened.record.bank)?,
            false => self.date,
        };
        let dated_by = match value_date {
            None => DatedBy::Chain,
            Some(_) if is_late => DatedBy::Late { due: self.date, ahead_days },
            Some(_) => DatedBy::Asker { ahead_days },
        };
        Ok(Draft {
            id: self.run.next_entry(),
            source: EntrySource::Agreement { agreement: self.opened.id, purpose },
            act: Act::Post,
            booked_at: self.run.time(),
            today,
            value_date: value_date.unwrap_or(self.date),
            dated_by,
            lines: Lines::new(),
            narrative: None,
            reference: None,
        })
    }

    /// Books a request; nothing when its amounts come to nothing.
    fn book(&mut self, request: &EntryRequest) -> Result<Option<u32>, Stop> {
        let mut draft = self.draft(request.purpose, request.value_date)?;
        let asked = self.asked(&request.postings)?;
        let (id, now) = (&self.opened.id, self.run.time());
        draft.lines = ledger::settle(self.state, &asked, id, now, &self.run.signed)?;
        if draft.lines.is_empty() && !asked.is_empty() {
            return Ok(None);
        }
        (draft.narrative, draft.reference) = (request.narrative, request.reference);
        self.run.book(self.state, draft).map(Some)
    }

    /// Books a request, unless its external key says that it is booked.
    fn book_keyed(&mut self, request: &EntryRequest) -> Result<Posted, Stop> {
        let (id, now) = (self.opened.id, self.run.time());
        let days = self.run.block.parameters.limits.idempotency_days;
        if let Some(kept) = ledger::find_keyed(self.state, &id, request, now, days)? {
            return Ok(Posted { entry: kept.entry, new: false });
        }
        let place = self.book(request)?;
        let entry = place.map(|index| EntryId { item: self.run.item, index });
        ledger::keep_keyed(self.state, &id, request, entry)?;
        Ok(Posted { entry, new: true })
    }

    fn place_hold(&mut self, asked: &HoldRequest) -> Result<HoldId, Stop> {
        self.run.check_entries()?;
        let mut parts = Vec::with_capacity(asked.lines.len());
        for line in &asked.lines {
            let (from, to) = (self.account(line.from)?, self.account(line.to)?);
            self.check_payee(&to)?;
            let Money { minor, currency } = line.money;
            let own = Line { account: from, side: Side::Debit, minor, currency: Some(currency) };
            parts.push(HoldPart { from, to, line: own });
        }
        let id = hold_id(&self.run.item, self.run.entries.len() as u32);
        let mut draft = self.draft(asked.purpose, None)?;
        draft.act = Act::Hold { hold: id, expires_at: asked.expires_at };
        let days_max = self.run.block.parameters.limits.hold_days_max;
        let plan = ledger::plan_hold(self.state, &mut draft, &parts, days_max, &self.run.signed)?;
        self.run.book_plan(self.state, plan)?;
        Ok(id)
    }

    fn pay_hold(&mut self, asked: &CaptureRequest) -> Result<(), Stop> {
        self.run.check_entries()?;
        let mut draft = self.draft(asked.purpose, None)?;
        let capture = Capture { hold: asked.hold, parts: &asked.parts, last: asked.last };
        let plan = ledger::plan_capture(self.state, &mut draft, &capture, &self.run.signed)?;
        self.run.book_plan(self.state, plan).map(|_| ())
    }

    fn free_hold(&mut self, hold: HoldId) -> Result<(), Stop> {
        self.run.check_entries()?;
        let mut draft = self.draft(0, None)?;
        let plan = ledger::plan_release(self.state, &mut draft, hold, &self.run.signed)?;
        self.run.book_plan(self.state, plan).map(|_| ())
    }

    /// An account of a question, which the contract must be allowed to look into.
    fn seen(&mut self, account: AccountRef) -> Result<AccountId, Stop> {
        let account = self.account(account)?;
        self.check_payee(&account)?;
        Ok(account)
    }

    /// The place of a key of the agreement's own. What is written mostly was read right before.
    fn row(&mut self, own: &[u8]) -> Result<state::Place, HostError> {
        let latest = self.latest;
        let full = [&[Kind::Storage as u8], &self.opened.id.0[..], own];
        let place = joined(full, |full| self.state.place(full, latest)).map_err(fault)?;
        self.latest = Some(place);
        Ok(place)
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
        self.state.set(&id.0, record);
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
        match self.run.emit(self.opened.id, body) {
            Ok(()) => Ok(()),
            Err(Trouble::Fault(broken)) => Err(fault(broken)),
            Err(_) => Err(rule(HostRule::Events, "more events than an item may report".into())),
        }
    }

    fn storage_get(&mut self, own: &[u8]) -> Result<Option<&[u8]>, HostError> {
        let place = self.row(own)?;
        Ok(self.state.bytes_at(place))
    }

    fn storage_set(&mut self, own: &[u8], value: &[u8]) -> Result<(), HostError> {
        let place = self.row(own)?;
        let is_new = self.state.bytes_at(place).is_none();
        self.state.set_row_at(place, Some(value.to_vec()));
        if is_new { self.count_key(true) } else { Ok(()) }
    }

    fn storage_remove(&mut self, own: &[u8]) -> Result<bool, HostError> {
        let place = self.row(own)?;
        let is_there = self.state.bytes_at(place).is_some();
        if is_there {
            self.state.set_row_at(place, None);
            self.count_key(false)?;
        }
        Ok(is_there)
    }

    fn storage_next(
        &mut self,
        from: &[u8],
        end: &[u8],
        pay: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Option<(Vec<u8>, Vec<u8>)>, HostError> {
        let full = |own: &[u8]| key::storage(&self.opened.id, own);
        let found = self.state.next_row_paid(&full(from), &full(end), pay).map_err(fault)?;
        Ok(found.map(|(row, value)| (row[33..].to_vec(), value)))
    }

    fn post(&mut self, bytes: &[u8]) -> Result<Option<u32>, HostError> {
        let asked: EntryRequest = request(bytes)?;
        let posted = self.book_keyed(&asked).map_err(stop)?;
        Ok(posted.entry.map(|entry| entry.index))
    }

    fn post_entry(&mut self, bytes: &[u8]) -> Result<Vec<u8>, HostError> {
        let asked: EntryRequest = request(bytes)?;
        Ok(codec::encode(&self.book_keyed(&asked).map_err(stop)?))
    }

    fn hold(&mut self, bytes: &[u8]) -> Result<Vec<u8>, HostError> {
        let asked: HoldRequest = request(bytes)?;
        Ok(codec::encode(&self.place_hold(&asked).map_err(stop)?))
    }

    fn capture(&mut self, bytes: &[u8]) -> Result<(), HostError> {
        let asked: CaptureRequest = request(bytes)?;
        self.pay_hold(&asked).map_err(stop)
    }

    fn release(&mut self, bytes: &[u8]) -> Result<(), HostError> {
        let hold: HoldId = request(bytes)?;
        self.free_hold(hold).map_err(stop)
    }

    fn statement(&mut self, bytes: &[u8], count: u32) -> Result<Vec<u8>, HostError> {
        let (account, from): (AccountRef, u64) = request(bytes)?;
        let account = self.seen(account).map_err(stop)?;
        let lines = ledger::postings(self.state, &account, from, u64::from(count)).map_err(fault)?;
        Ok(codec::encode(&lines))
    }

    fn postings_since(&mut self, bytes: &[u8]) -> Result<u64, HostError> {
        let (account, date): (AccountRef, Date) = request(bytes)?;
        let account = self.seen(account).map_err(stop)?;
        let ahead_days = self.run.block.parameters.limits.value_date_ahead_days;
        let (first, count) = ledger::rows_since(self.state, &account, date, ahead_days).map_err(fault)?;
        if count - first > VALUE_DATED_ROWS_MAX {
            return Err(refused(Refusal::TooManyPostings { account, limit: VALUE_DATED_ROWS_MAX }));
        }
        Ok(count - first)
    }

    fn balance_on(&mut self, bytes: &[u8]) -> Result<Vec<u8>, HostError> {
        let (account, date): (AccountRef, Date) = request(bytes)?;
        let account = self.seen(account).map_err(stop)?;
        let ahead_days = self.run.block.parameters.limits.value_date_ahead_days;
        let balance = ledger::balance_on(self.state, &account, date, ahead_days).map_err(fault)?;
        Ok(codec::encode(&balance))
    }

    fn try_post(&mut self, bytes: &[u8]) -> Result<Option<Vec<u8>>, HostError> {
        let asked: EntryRequest = request(bytes)?;
        match self.book_keyed(&asked) {
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
        let (id, most, now) = (&self.opened.id, asked.money.minor, self.run.time());
        // What is there is told to nobody who may not take it.
        if most > 0 {
            ledger::check_may_debit(self.state, id, from, most, now, &self.run.signed).map_err(stop)?;
        }
        let available = ledger::balance(self.state, &from).map_err(stop)?.available;
        let minor = asked.money.minor.min(i128::try_from(available).unwrap_or(i128::MAX));
        if minor > 0 {
            let money = asked.money.with_minor(minor);
            let posting = |account, side| Posting { account, side, mode: Mode::Exact, money };
            let postings = vec![posting(asked.from, Side::Debit), posting(asked.to, Side::Credit)];
            let (purpose, narrative, reference) = (asked.purpose, None, None);
            let (value_date, key) = (None, None);
            self.book(&EntryRequest { postings, purpose, narrative, reference, value_date, key })
                .map_err(stop)?;
        }
        Ok(codec::encode(&minor.max(0).unsigned_abs()))
    }

    fn balance(&mut self, bytes: &[u8]) -> Result<Vec<u8>, HostError> {
        let account = self.seen(request(bytes)?).map_err(stop)?;
        Ok(codec::encode(&ledger::balance(self.state, &account).map_err(stop)?))
    }

    fn call(&mut self, bytes: &[u8], context: Context, gas_left: u64) -> CallEnd {
        let asked = match request(bytes) {
            Ok(asked) => asked,
            Err(error) => return CallEnd { gas_used: 0, answer: Err(error) },
        };
        let caller = Caller { agreement: self.opened.id, time: self.time, context };
        nested::call(self.state, self.run, caller, &asked, gas_left)
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
            .emit(self.opened.id, body)
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
