//! A trial: one export of a module, run alone in an empty world. For whoever studies a module; nothing on a chain.

use super::compiler::Bounds;
use super::engine::{Engine, report};
use super::instance::{Live, broken};
use super::session::{CallEnd, CallOutcome, CallReport, HostError, HostRule, Session};
use crate::fault::Fault;
use crate::store::Row;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tenor_abi::codec;
use tenor_abi::date::Date;
use tenor_abi::entry::{AccountRef, CaptureRequest, CollectRequest, EntryRequest, HoldRequest};
use tenor_abi::host::Context;
use tenor_abi::id::Hash;
use tenor_abi::interface::{CallAnswer, CallRequest};
use tenor_abi::limit::REQUEST_BYTES_MAX;
use tenor_abi::refusal::{Failure, Refusal};
use tenor_wire::crypto::plain_hash;
use wasmtime::Val;

/// Events that a trial may report.
const EVENTS_MAX: usize = 1_000;
/// Bytes of a trial's events together.
const EVENT_BYTES_MAX: usize = 256 * 1024;
/// Keys that a trial may store.
const KEYS_MAX: u32 = 10_000;

/// What a trial came to, the same on every machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trial {
    /// How it ended and what it cost.
    pub report: CallReport,
    /// SHA3-256 of the memory at its end.
    pub memory_sha3: Hash,
    /// Pages of 64 KiB at its end.
    pub pages: u64,
}

impl Trial {
    /// One word for how it ended.
    pub fn word(&self) -> &'static str {
        match &self.report.outcome {
            CallOutcome::Done { .. } => "done",
            CallOutcome::Refused { .. } => "refused",
            CallOutcome::Failed(Failure::OutOfGas, _) => "out_of_gas",
            CallOutcome::Failed(Failure::StackLimit, _) => "stack_limit",
            CallOutcome::Failed(Failure::MemoryLimit, _) => "memory_limit",
            CallOutcome::Failed(Failure::Trapped, _) => "trap",
            CallOutcome::Failed(..) => "host_rule",
        }
    }
}

impl Engine {
    /// Runs an export without arguments, of an admitted module, in an empty world.
    ///
    /// # Errors
    /// [`Fault`] when this machine cannot.
    pub fn try_alone(&self, wasm: &[u8], export: &str, gas: u64) -> Result<Trial, Fault> {
        let loaded = self.compile(wasm, Bounds::NEW)?;
        let open = self.rooms.open();
        let _open = open.ok_or_else(|| Fault::Engine("a module is not tried within a call".into()))?;
        let mut live = Live::start(&self.engine, &loaded)?;
        let failed = |failure, text: &str, gas_used| CallReport {
            outcome: CallOutcome::Failed(failure, text.into()),
            gas_used,
        };
        let function = loaded.function(export).filter(|ty| ty.params().len() == 0);
        let report = match (gas.checked_sub(loaded.start_gas), function) {
            (None, _) => failed(Failure::OutOfGas, "no gas for an instance", gas),
            (_, None) => failed(
                Failure::HostRule,
                "the module exports no such function without parameters",
                loaded.start_gas,
            ),
            (Some(start), Some(ty)) => {
                let start = i64::try_from(start).unwrap_or(i64::MAX);
                live.reset_globals(&loaded, start)?;
                live.begin(Context::Action);
                let mut results = vec![Val::I32(0); ty.results().len()];
                let mut world = World { is_bounded: true, ..World::default() };
                let run = || super::host::lend(&mut world, || live.call_any(export, &mut results));
                let returned = catch_unwind(AssertUnwindSafe(run))
                    .unwrap_or_else(|_| Err(broken("the host panicked")))?;
                // What a function outside our export types returns means nothing here; a refusal still does.
                let refused = live.has_refused() && matches!(results.as_slice(), [Val::I32(1)]);
                let left = live.gas_left();
                report(&mut live, returned.map(|()| (i32::from(refused), left, -1)), gas, loaded.start_gas)?
            }
        };
        let memory = live.handles.memory.data(&live.store);
        let pages = (memory.len() / PAGE_BYTES) as u64;
        Ok(Trial { report, memory_sha3: plain_hash(&[memory]), pages })
    }
}

/// Bytes of a page of memory.
const PAGE_BYTES: usize = 65_536;

/// A world in which there is nothing: storage and events begin empty, no account, schedule or calendar exists.
#[derive(Default, Debug)]
pub struct World {
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
    events: usize,
    event_bytes: usize,
    /// Whether all that happens in it is one item, which may only report so much.
    is_bounded: bool,
}

fn refused<T>(refusal: &Refusal) -> Result<T, HostError> {
    Err(HostError::Refused { code: refusal.code(), data: refusal.data() })
}

fn no_account<T>(account: AccountRef) -> Result<T, HostError> {
    match account {
        AccountRef::Account(account) => refused(&Refusal::UnknownAccount { account }),
        AccountRef::Book(book) => refused(&Refusal::UnknownBook { book }),
    }
}

fn no_schedule<T>() -> Result<T, HostError> {
    refused(&Refusal::BadSchedule { rule: "an empty world has no schedules".into() })
}

fn request<T: serde::Serialize + serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, HostError> {
    codec::decode(bytes, REQUEST_BYTES_MAX)
        .map_err(|error| HostError::Rule(HostRule::Value, format!("request: {error}")))
}

impl World {
    fn entry<T>(bytes: &[u8]) -> Result<T, HostError> {
        let asked: EntryRequest = request(bytes)?;
        match asked.postings.first() {
            Some(posting) => no_account(posting.account),
            None => refused(&Refusal::BadPostings { given: 0 }),
        }
    }
}

impl Session for World {
    fn emit(&mut self, _event: u16, data: &[u8]) -> Result<(), HostError> {
        self.events += 1;
        self.event_bytes += data.len();
        if self.is_bounded && (self.events > EVENTS_MAX || self.event_bytes > EVENT_BYTES_MAX) {
            return Err(HostError::Rule(HostRule::Events, "more events than an item may report".into()));
        }
        Ok(())
    }
    fn storage_get(&mut self, key: &[u8]) -> Result<Option<&[u8]>, HostError> {
        Ok(self.rows.get(key).map(Vec::as_slice))
    }
    fn storage_set(&mut self, key: &[u8], value: &[u8]) -> Result<(), HostError> {
        if self.rows.len() as u32 >= KEYS_MAX && !self.rows.contains_key(key) {
            return refused(&Refusal::KeysMax { limit: KEYS_MAX });
        }
        self.rows.insert(key.to_vec(), value.to_vec());
        Ok(())
    }
    fn storage_remove(&mut self, key: &[u8]) -> Result<bool, HostError> {
        Ok(self.rows.remove(key).is_some())
    }
    fn storage_next(
        &mut self,
        from: &[u8],
        end: &[u8],
        _: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Option<Row>, HostError> {
        let found = self.rows.range(from.to_vec()..).next().filter(|(key, _)| key.as_slice() < end);
        Ok(found.map(|(key, value)| (key.clone(), value.clone())))
    }
    fn post(&mut self, bytes: &[u8]) -> Result<Option<u32>, HostError> {
        World::entry(bytes)
    }
    fn try_post(&mut self, bytes: &[u8]) -> Result<Option<Vec<u8>>, HostError> {
        World::entry(bytes)
    }
    fn collect_up_to(&mut self, bytes: &[u8]) -> Result<Vec<u8>, HostError> {
        let asked: CollectRequest = request(bytes)?;
        no_account(asked.from)
    }
    fn balance(&mut self, bytes: &[u8]) -> Result<Vec<u8>, HostError> {
        no_account(request(bytes)?)
    }
    fn post_entry(&mut self, bytes: &[u8]) -> Result<Vec<u8>, HostError> {
        World::entry(bytes)
    }
    fn hold(&mut self, bytes: &[u8]) -> Result<Vec<u8>, HostError> {
        let asked: HoldRequest = request(bytes)?;
        match asked.lines.first() {
            Some(line) => no_account(line.from),
            None => refused(&Refusal::BadPostings { given: 0 }),
        }
    }
    fn capture(&mut self, bytes: &[u8]) -> Result<(), HostError> {
        let asked: CaptureRequest = request(bytes)?;
        refused(&Refusal::UnknownHold { hold: asked.hold })
    }
    fn release(&mut self, bytes: &[u8]) -> Result<(), HostError> {
        refused(&Refusal::UnknownHold { hold: request(bytes)? })
    }
    fn statement(&mut self, bytes: &[u8], _count: u32) -> Result<Vec<u8>, HostError> {
        let (account, _): (AccountRef, u64) = request(bytes)?;
        no_account(account)
    }
    fn postings_since(&mut self, bytes: &[u8]) -> Result<u64, HostError> {
        let (account, _): (AccountRef, Date) = request(bytes)?;
        no_account(account)
    }
    fn balance_on(&mut self, bytes: &[u8]) -> Result<Vec<u8>, HostError> {
        let (account, _): (AccountRef, Date) = request(bytes)?;
        no_account(account)
    }
    fn call(&mut self, bytes: &[u8], _context: Context, gas_left: u64) -> CallEnd {
        let asked: CallRequest = match request(bytes) {
            Ok(asked) => asked,
            Err(error) => return CallEnd { gas_used: 0, answer: Err(error) },
        };
        if asked.gas > gas_left {
            return CallEnd { gas_used: asked.gas, answer: Ok(vec![]) };
        }
        let said = Refusal::UnknownAgreement { agreement: asked.agreement };
        let answer = CallAnswer::Refused { code: said.code(), data: said.data() };
        CallEnd { gas_used: 0, answer: Ok(codec::encode(&answer)) }
    }
    fn schedule_start(&mut self, _request: &[u8]) -> Result<(), HostError> {
        no_schedule()
    }
    fn schedule_hold(&mut self, _kind: u16) -> Result<(), HostError> {
        no_schedule()
    }
    fn schedule_resume(&mut self, _kind: u16) -> Result<(), HostError> {
        no_schedule()
    }
    fn schedule_end(&mut self, _kind: u16) -> Result<(), HostError> {
        no_schedule()
    }
    fn next_due(&mut self, _kind: u16) -> Result<Option<Vec<u8>>, HostError> {
        Ok(None)
    }
    fn enter_state(&mut self, state: u16) -> Result<(), HostError> {
        Err(HostError::Rule(HostRule::State, format!("an empty world has no lifecycle state {state}")))
    }
    fn business_day(&mut self, _request: &[u8]) -> Result<Vec<u8>, HostError> {
        refused(&Refusal::BadValue { rule: "an empty world has no calendars".into() })
    }
}
