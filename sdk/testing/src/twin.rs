//! The native twin of a contract, as a second implementation of what runs contracts.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tenor_abi::host::{self, Context};
use tenor_abi::id::CodeHash;
use tenor_abi::refusal::Failure;
use tenor_runtime::fault::Fault;
use tenor_runtime::vm::{Bounds, CallOutcome, CallReport, Guest, HostError, HostRule, Session};
use tenor_sdk::native::{Contract, Host};

/// Runs native contracts in the place of the modules that were published: one for all, or by their specs.
#[derive(Debug)]
pub struct Twin {
    contracts: Vec<&'static Contract>,
    /// Which contract stands for which module.
    places: Mutex<BTreeMap<CodeHash, usize>>,
}

impl Twin {
    /// The twin of a contract: the `TWIN` of its crate.
    pub fn of(contract: &'static Contract) -> Twin {
        Twin::of_each(&[contract])
    }

    /// The twins of several contracts; a module's is the one with its spec.
    pub fn of_each(contracts: &[&'static Contract]) -> Twin {
        Twin { contracts: contracts.to_vec(), places: Mutex::default() }
    }

    fn places(&self) -> MutexGuard<'_, BTreeMap<CodeHash, usize>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guest for Twin {
    fn load(&self, code: &CodeHash, wasm: &[u8], _bounds: Bounds) -> Result<(), Fault> {
        let has_spec =
            |contract: &&Contract| wasm.windows(contract.section.len()).any(|part| part == contract.section);
        let place = match self.contracts.as_slice() {
            [_] => Some(0),
            many => many.iter().position(has_spec),
        };
        let place = place.ok_or_else(|| Fault::Engine(format!("{code} has no native twin")))?;
        self.places().insert(*code, place);
        Ok(())
    }

    fn is_loaded(&self, code: &CodeHash) -> bool {
        self.places().contains_key(code)
    }

    fn call(
        &self,
        code: &CodeHash,
        export: &str,
        context: Context,
        argument: &[u8],
        _gas: u64,
        session: &mut dyn Session,
    ) -> Result<CallReport, Fault> {
        let place = self.places().get(code).copied();
        let contract = place.and_then(|place| self.contracts.get(place));
        let contract = contract.ok_or_else(|| Fault::Engine(format!("{code} was not loaded")))?;
        let mut calling = Calling { context, argument, answer: vec![], refusal: None, session };
        let ran = catch_unwind(AssertUnwindSafe(|| contract.run(&mut calling, export)));
        let failed = |failure, text: &str| CallOutcome::Failed(failure, text.into());
        let outcome = match ran {
            Ok(Some(0)) => CallOutcome::Done { data: calling.answer },
            Ok(Some(1)) => match calling.refusal {
                Some((code, data)) => CallOutcome::Refused { code, data },
                None => failed(Failure::HostRule, "returned 1 without a refusal"),
            },
            Ok(_) => failed(Failure::HostRule, "no such call, or an answer that is none"),
            Err(payload) => match payload.downcast::<HostError>() {
                Ok(ended) => match *ended {
                    HostError::Refused { code, data } => CallOutcome::Refused { code, data },
                    HostError::Rule(_, text) => CallOutcome::Failed(Failure::HostRule, text),
                    HostError::Fault(text) => return Err(Fault::State(text)),
                },
                Err(_) => failed(Failure::Trapped, "the contract panicked"),
            },
        };
        Ok(CallReport { outcome, gas_used: 0 })
    }
}

/// One call. What ends it leaves the contract's code by unwinding, as wasm leaves it by a trap.
struct Calling<'c> {
    context: Context,
    argument: &'c [u8],
    answer: Vec<u8>,
    refusal: Option<(u16, Vec<u8>)>,
    session: &'c mut dyn Session,
}

impl Calling<'_> {
    fn ask<T>(&mut self, name: &str, work: impl FnOnce(&mut dyn Session) -> Result<T, HostError>) -> T {
        let allowed = host::by_name(name).is_some_and(|function| function.may(self.context));
        let done = if allowed {
            work(self.session)
        } else {
            Err(HostError::Rule(HostRule::Context, format!("`{name}` may not be called here")))
        };
        done.unwrap_or_else(|error| resume_unwind(Box::new(error)))
    }
}

impl Host for Calling<'_> {
    fn argument(&mut self) -> Vec<u8> {
        self.argument.to_vec()
    }
    fn answer(&mut self, bytes: &[u8]) {
        self.answer = bytes.to_vec();
    }
    fn refuse(&mut self, code: u16, data: &[u8]) {
        self.refusal = Some((code, data.to_vec()));
    }
    fn emit(&mut self, number: u16, data: &[u8]) {
        self.ask("emit", |s| s.emit(number, data));
    }
    fn storage_get(&mut self, key: &[u8]) -> Option<Vec<u8>> {
        self.ask("storage_get", |s| Ok(s.storage_get(key)?.map(<[u8]>::to_vec)))
    }
    fn storage_set(&mut self, key: &[u8], value: &[u8]) {
        self.ask("storage_set", |s| s.storage_set(key, value));
    }
    fn storage_remove(&mut self, key: &[u8]) -> bool {
        self.ask("storage_remove", |s| s.storage_remove(key))
    }
    fn storage_next(&mut self, from: &[u8], end: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        self.ask("storage_next", |s| s.storage_next(from, end, &mut |_| true))
    }
    fn post(&mut self, request: &[u8]) -> Option<u32> {
        self.ask("post", |s| s.post(request))
    }
    fn post_entry(&mut self, request: &[u8]) -> Vec<u8> {
        self.ask("post_entry", |s| s.post_entry(request))
    }
    fn hold(&mut self, request: &[u8]) -> Vec<u8> {
        self.ask("hold", |s| s.hold(request))
    }
    fn capture(&mut self, request: &[u8]) {
        self.ask("capture", |s| s.capture(request));
    }
    fn release(&mut self, hold: &[u8]) {
        self.ask("release", |s| s.release(hold));
    }
    fn statement(&mut self, request: &[u8], count: u16) -> Vec<u8> {
        self.ask("statement", |s| s.statement(request, u32::from(count)))
    }
    fn balance_on(&mut self, request: &[u8]) -> Vec<u8> {
        // As the engine does: what is too much to look through is refused first.
        self.ask("balance_on", |s| s.postings_since(request).and_then(|_| s.balance_on(request)))
    }
    fn try_post(&mut self, request: &[u8]) -> Option<Vec<u8>> {
        self.ask("try_post", |s| s.try_post(request))
    }
    fn collect_up_to(&mut self, request: &[u8]) -> Vec<u8> {
        self.ask("collect_up_to", |s| s.collect_up_to(request))
    }
    fn balance(&mut self, account: &[u8]) -> Vec<u8> {
        self.ask("balance", |s| s.balance(account))
    }
    fn call(&mut self, request: &[u8]) -> Vec<u8> {
        let context = self.context;
        self.ask("call", |s| s.call(request, context, u64::MAX).answer)
    }
    fn schedule_start(&mut self, request: &[u8]) {
        self.ask("schedule_start", |s| s.schedule_start(request));
    }
    fn schedule_hold(&mut self, kind: u16) {
        self.ask("schedule_hold", |s| s.schedule_hold(kind));
    }
    fn schedule_resume(&mut self, kind: u16) {
        self.ask("schedule_resume", |s| s.schedule_resume(kind));
    }
    fn schedule_end(&mut self, kind: u16) {
        self.ask("schedule_end", |s| s.schedule_end(kind));
    }
    fn next_due(&mut self, kind: u16) -> Option<Vec<u8>> {
        self.ask("next_due", |s| s.next_due(kind))
    }
    fn enter_state(&mut self, state: u16) {
        self.ask("enter_state", |s| s.enter_state(state));
    }
    fn business_day(&mut self, request: &[u8]) -> Vec<u8> {
        self.ask("business_day", |s| s.business_day(request))
    }
}
