//! The host functions at work: is it allowed here, is it paid for, where are its bytes, what does the session say.
//!
//! One method for each row of the table in `tenor_abi::host`; a row without a method does not compile.

use super::instance::Frame;
use super::price::PASSED;
use super::profile::WATCH;
use super::session::{HostError, HostRule, Session};
use std::ops::Range;
use tenor_abi::host::{self, HostFunction};
use tenor_abi::limit::{
    ANSWER_BYTES_MAX, EVENT_BYTES_MAX, REQUEST_BYTES_MAX, STATEMENT_LINES_MAX, STORAGE_KEY_BYTES_MAX,
    STORAGE_VALUE_BYTES_MAX,
};
use wasmtime::{Caller, Linker};

scoped_tls_hkt::scoped_thread_local! {
    /// What the running call can reach. wasmtime's store holds nothing that borrows, so the session is lent
    /// to the thread for the time of the call.
    static mut SESSION: for<'a> &'a mut (dyn Session + 'a)
}

/// Most bytes that what was collected takes: a u128 in canonical bytes.
const COLLECTED_BYTES_MAX: usize = 19;
/// Most bytes that the entry of a keyed request takes: an option of hash and u32, and a bool.
const POSTED_BYTES_MAX: usize = 39;
/// Bytes of a hold's id.
const HOLD_ID_BYTES: usize = 32;
/// Gas of each posting that a statement reads.
const STATEMENT_LINE_GAS: u64 = 500;
/// Gas of each posting that a value-dated balance looks through.
const VALUE_DATED_ROW_GAS: u64 = 100;

/// Why a host function did not return to the guest.
#[derive(Debug)]
pub(super) enum Ended {
    /// Its gas was not there. The counter says so too.
    OutOfGas,
    /// The session, or a rule of this file, ended the call.
    Host(HostError),
}

impl From<HostError> for Ended {
    fn from(error: HostError) -> Ended {
        Ended::Host(error)
    }
}

type Hosted<T> = Result<T, Ended>;

/// Runs `work` with the session lent to the host functions that it calls.
pub(super) fn lend<T>(session: &mut dyn Session, work: impl FnOnce() -> T) -> T {
    SESSION.set(session, work)
}

fn session<T>(work: impl FnOnce(&mut dyn Session) -> Result<T, HostError>) -> Hosted<T> {
    SESSION.with(|session| work(session)).map_err(Ended::Host)
}

fn rule<T>(rule: HostRule, text: String) -> Hosted<T> {
    Err(Ended::Host(HostError::Rule(rule, text)))
}

fn number(value: i32) -> Hosted<u16> {
    match u16::try_from(value) {
        Ok(number) => Ok(number),
        Err(_) => rule(HostRule::Value, format!("{value} is not a number from 0 to 65535")),
    }
}

/// What a host function answers, with the gas that is left behind it.
trait Answer {
    type WithGas;
    fn with(self, left: i64) -> Self::WithGas;
}

impl Answer for () {
    type WithGas = i64;
    fn with(self, left: i64) -> i64 {
        left
    }
}

impl Answer for i32 {
    type WithGas = (i32, i64);
    fn with(self, left: i64) -> (i32, i64) {
        (self, left)
    }
}

macro_rules! bind {
    ($($(#[$doc:meta])* $number:literal $name:ident($($param:ident: i32),*) -> $result:tt, $contexts:ident, $gas:literal, $per_byte:literal;)*) => {
        /// Binds every function of the table. The gas that is left comes behind its parameters.
        pub(super) fn link(linker: &mut Linker<Frame>) -> wasmtime::Result<()> {
            $(linker.func_wrap(
                host::MODULE,
                stringify!($name),
                |caller: Caller<'_, Frame>, $($param: i32,)* left: i64| -> wasmtime::Result<<$result as Answer>::WithGas> {
                    enter(caller, &host::TABLE[$number], left, |call| call.$name($($param),*))
                },
            )?;)*
            Ok(())
        }
    };
}
tenor_abi::host_functions!(bind);

/// Binds what a watched module says.
pub(super) fn link_watch(linker: &mut Linker<Frame>) -> wasmtime::Result<()> {
    linker.func_wrap(WATCH.0, WATCH.1, |mut caller: Caller<'_, Frame>, function: i32| {
        let Some(handles) = caller.data().handles else { return };
        let left = handles.gas.get(&mut caller).i64().unwrap_or(-1);
        if let Some(recorder) = &caller.data().recorder {
            recorder.at(function, left);
        }
    })?;
    Ok(())
}

/// Runs a host function: is it allowed here, is it paid for, what does it say.
fn enter<T: Answer>(
    mut caller: Caller<'_, Frame>,
    function: &'static HostFunction,
    left: i64,
    work: impl FnOnce(&mut Call<'_>) -> Hosted<T>,
) -> wasmtime::Result<T::WithGas> {
    let Some(memory) = caller.data().handles.as_ref().map(|handles| handles.memory) else {
        return Err(wasmtime::Error::msg("a host function was called without an instance"));
    };
    let (memory, frame) = memory.data_and_store_mut(&mut caller);
    if let Some(recorder) = &frame.recorder {
        recorder.enter_host(function.name, left);
    }
    let mut call = Call { memory, frame, function, left };
    let done = call.begin().and_then(|()| work(&mut call));
    let Call { frame, left, .. } = call;
    if let Some(recorder) = &frame.recorder {
        recorder.leave_host(left);
    }
    done.map(|answer| answer.with(left)).map_err(|ended| {
        frame.ended = Some((ended, left));
        wasmtime::Error::msg("ended by the host")
    })
}

/// A host function at work in a call.
struct Call<'c> {
    /// The guest's.
    memory: &'c mut [u8],
    frame: &'c mut Frame,
    function: &'static HostFunction,
    /// Gas left.
    left: i64,
}

impl Call<'_> {
    fn begin(&mut self) -> Hosted<()> {
        let context = self.frame.context;
        if !self.function.may(context) {
            let text = format!("`{}` may not be called in a {context:?}", self.function.name);
            return rule(HostRule::Context, text);
        }
        self.charge(self.function.gas)
    }

    /// Charges before anything is done.
    fn charge(&mut self, gas: u64) -> Hosted<()> {
        self.left = self.left.saturating_sub(i64::try_from(gas).unwrap_or(i64::MAX));
        if self.left < 0 { Err(Ended::OutOfGas) } else { Ok(()) }
    }

    fn charge_bytes(&mut self, bytes: usize) -> Hosted<()> {
        self.charge(self.function.gas_per_byte.saturating_mul(bytes as u64))
    }

    /// The place of at most `limit` bytes of the guest's memory, paid for.
    fn place(&mut self, ptr: i32, len: i32, limit: usize) -> Hosted<Range<usize>> {
        let len = len as u32 as usize;
        if len > limit {
            let text = format!("{}: {len} bytes given, at most {limit} allowed", self.function.name);
            return rule(HostRule::Value, text);
        }
        self.charge_bytes(len)?;
        self.inside(ptr, len)
    }

    fn inside(&self, ptr: i32, len: usize) -> Hosted<Range<usize>> {
        let start = ptr as u32 as usize;
        match start.checked_add(len) {
            Some(end) if end <= self.memory.len() => Ok(start..end),
            _ => rule(
                HostRule::Memory,
                format!("{}: {len} bytes at {start} lie outside the memory", self.function.name),
            ),
        }
    }

    /// Pays for bytes, writes them into the guest when they fit, and says how many there are.
    fn give(&mut self, out: i32, cap: i32, bytes: &[u8]) -> Hosted<i32> {
        self.charge_bytes(bytes.len())?;
        if bytes.len() <= cap as u32 as usize {
            let place = self.inside(out, bytes.len())?;
            self.frame.note(place.start, bytes.len());
            self.memory[place].copy_from_slice(bytes);
        }
        match i32::try_from(bytes.len()) {
            Ok(len) => Ok(len),
            Err(_) => Err(HostError::Fault(format!("{}: an answer of 2 GiB", self.function.name)).into()),
        }
    }

    fn arg_len(&mut self) -> Hosted<i32> {
        Ok(self.frame.argument.len() as i32)
    }

    fn arg_read(&mut self, out: i32, cap: i32) -> Hosted<i32> {
        let argument = std::mem::take(&mut self.frame.argument);
        let given = self.give(out, cap, &argument);
        self.frame.argument = argument;
        given
    }

    fn ret(&mut self, ptr: i32, len: i32) -> Hosted<()> {
        let place = self.place(ptr, len, ANSWER_BYTES_MAX)?;
        let answer = self.memory[place].to_vec();
        self.frame.answer = answer;
        Ok(())
    }

    fn refuse(&mut self, code: i32, ptr: i32, len: i32) -> Hosted<()> {
        let code = number(code)?;
        if code < tenor_abi::spec::CODE_OWN {
            let text =
                format!("refusal {code} is the host's; a contract's begin at {}", tenor_abi::spec::CODE_OWN);
            return rule(HostRule::Value, text);
        }
        let place = self.place(ptr, len, ANSWER_BYTES_MAX)?;
        let data = self.memory[place].to_vec();
        self.frame.refusal = Some((code, data));
        Ok(())
    }

    fn emit(&mut self, event: i32, ptr: i32, len: i32) -> Hosted<()> {
        let event = number(event)?;
        let place = self.place(ptr, len, EVENT_BYTES_MAX)?;
        session(|s| s.emit(event, &self.memory[place]))
    }

    fn storage_get(&mut self, key: i32, key_len: i32, out: i32, cap: i32) -> Hosted<i32> {
        let key = self.place(key, key_len, STORAGE_KEY_BYTES_MAX)?;
        SESSION.with(|session| match session.storage_get(&self.memory[key])? {
            Some(value) => self.give(out, cap, value),
            None => Ok(-1),
        })
    }

    fn storage_set(&mut self, key: i32, key_len: i32, ptr: i32, len: i32) -> Hosted<()> {
        let key = self.place(key, key_len, STORAGE_KEY_BYTES_MAX)?;
        let value = self.place(ptr, len, STORAGE_VALUE_BYTES_MAX)?;
        let memory = &*self.memory;
        session(|s| s.storage_set(&memory[key], &memory[value]))
    }

    fn storage_remove(&mut self, key: i32, key_len: i32) -> Hosted<i32> {
        let key = self.place(key, key_len, STORAGE_KEY_BYTES_MAX)?;
        session(|s| s.storage_remove(&self.memory[key])).map(i32::from)
    }

    fn storage_next(
        &mut self,
        from: i32,
        from_len: i32,
        end: i32,
        end_len: i32,
        out: i32,
        cap: i32,
    ) -> Hosted<i32> {
        let from = self.place(from, from_len, STORAGE_KEY_BYTES_MAX)?;
        let end = self.place(end, end_len, STORAGE_KEY_BYTES_MAX)?;
        let Call { memory, function, left, .. } = self;
        let mut pay = |bytes: usize| {
            let gas = PASSED.saturating_add(function.gas_per_byte.saturating_mul(bytes as u64));
            *left = left.saturating_sub(i64::try_from(gas).unwrap_or(i64::MAX));
            *left >= 0
        };
        let found = session(|s| s.storage_next(&memory[from], &memory[end], &mut pay))?;
        // What could not be paid for ends the call.
        self.charge(0)?;
        match found {
            Some((key, value)) => {
                let row = [&(key.len() as u32).to_le_bytes(), key.as_slice(), &value].concat();
                self.give(out, cap, &row)
            }
            None => Ok(-1),
        }
    }

    fn post(&mut self, ptr: i32, len: i32) -> Hosted<i32> {
        let request = self.place(ptr, len, REQUEST_BYTES_MAX)?;
        session(|s| s.post(&self.memory[request])).map(|index| index.map_or(-1, |index| index as i32))
    }

    fn try_post(&mut self, ptr: i32, len: i32, out: i32, cap: i32) -> Hosted<i32> {
        let request = self.place(ptr, len, REQUEST_BYTES_MAX)?;
        match session(|s| s.try_post(&self.memory[request]))? {
            Some(shortfall) => self.give(out, cap, &shortfall),
            None => Ok(0),
        }
    }

    fn collect_up_to(&mut self, ptr: i32, len: i32, out: i32, cap: i32) -> Hosted<i32> {
        self.check_room(cap, COLLECTED_BYTES_MAX)?;
        let request = self.place(ptr, len, REQUEST_BYTES_MAX)?;
        let taken = session(|s| s.collect_up_to(&self.memory[request]))?;
        self.give(out, cap, &taken)
    }

    fn balance(&mut self, ptr: i32, len: i32, out: i32, cap: i32) -> Hosted<i32> {
        let account = self.place(ptr, len, REQUEST_BYTES_MAX)?;
        let balance = session(|s| s.balance(&self.memory[account]))?;
        self.give(out, cap, &balance)
    }

    fn post_entry(&mut self, ptr: i32, len: i32, out: i32, cap: i32) -> Hosted<i32> {
        self.check_room(cap, POSTED_BYTES_MAX)?;
        let request = self.place(ptr, len, REQUEST_BYTES_MAX)?;
        let posted = session(|s| s.post_entry(&self.memory[request]))?;
        self.give(out, cap, &posted)
    }

    fn hold(&mut self, ptr: i32, len: i32, out: i32, cap: i32) -> Hosted<i32> {
        self.check_room(cap, HOLD_ID_BYTES)?;
        let request = self.place(ptr, len, REQUEST_BYTES_MAX)?;
        let hold = session(|s| s.hold(&self.memory[request]))?;
        self.give(out, cap, &hold)
    }

    fn capture(&mut self, ptr: i32, len: i32) -> Hosted<()> {
        let request = self.place(ptr, len, REQUEST_BYTES_MAX)?;
        session(|s| s.capture(&self.memory[request]))
    }

    fn release(&mut self, ptr: i32, len: i32) -> Hosted<()> {
        let request = self.place(ptr, len, REQUEST_BYTES_MAX)?;
        session(|s| s.release(&self.memory[request]))
    }

    fn statement(&mut self, ptr: i32, len: i32, count: i32, out: i32, cap: i32) -> Hosted<i32> {
        let count = u32::from(number(count)?);
        if count as usize > STATEMENT_LINES_MAX {
            let text = format!(
                "statement: {count} postings asked for, at most {STATEMENT_LINES_MAX} are read at once"
            );
            return rule(HostRule::Value, text);
        }
        self.charge(STATEMENT_LINE_GAS * u64::from(count))?;
        let request = self.place(ptr, len, REQUEST_BYTES_MAX)?;
        let lines = session(|s| s.statement(&self.memory[request], count))?;
        self.give(out, cap, &lines)
    }

    fn balance_on(&mut self, ptr: i32, len: i32, out: i32, cap: i32) -> Hosted<i32> {
        let request = self.place(ptr, len, REQUEST_BYTES_MAX)?;
        let postings = session(|s| s.postings_since(&self.memory[request.clone()]))?;
        self.charge(VALUE_DATED_ROW_GAS.saturating_mul(postings))?;
        let balance = session(|s| s.balance_on(&self.memory[request]))?;
        self.give(out, cap, &balance)
    }

    fn call(&mut self, ptr: i32, len: i32) -> Hosted<i32> {
        let request = self.place(ptr, len, REQUEST_BYTES_MAX)?;
        let (context, left) = (self.frame.context, u64::try_from(self.left).unwrap_or(0));
        let end = session(|s| Ok(s.call(&self.memory[request], context, left)))?;
        self.charge(end.gas_used)?;
        let answer = end.answer?;
        let length = answer.len() as i32;
        self.frame.called = answer;
        Ok(length)
    }

    fn call_answer(&mut self, out: i32, cap: i32) -> Hosted<i32> {
        let called = std::mem::take(&mut self.frame.called);
        let given = self.give(out, cap, &called);
        self.frame.called = called;
        given
    }

    /// What is done once must fit at once: asking again would do it again.
    fn check_room(&self, cap: i32, needed: usize) -> Hosted<()> {
        if (cap as u32 as usize) < needed {
            let text = format!("{}: room for {cap} bytes given, {needed} needed", self.function.name);
            return rule(HostRule::Value, text);
        }
        Ok(())
    }

    fn schedule_start(&mut self, ptr: i32, len: i32) -> Hosted<()> {
        let request = self.place(ptr, len, REQUEST_BYTES_MAX)?;
        session(|s| s.schedule_start(&self.memory[request]))
    }

    fn schedule_hold(&mut self, kind: i32) -> Hosted<()> {
        let kind = number(kind)?;
        session(|s| s.schedule_hold(kind))
    }

    fn schedule_resume(&mut self, kind: i32) -> Hosted<()> {
        let kind = number(kind)?;
        session(|s| s.schedule_resume(kind))
    }

    fn schedule_end(&mut self, kind: i32) -> Hosted<()> {
        let kind = number(kind)?;
        session(|s| s.schedule_end(kind))
    }

    fn next_due(&mut self, kind: i32, out: i32, cap: i32) -> Hosted<i32> {
        let kind = number(kind)?;
        match session(|s| s.next_due(kind))? {
            Some(date) => self.give(out, cap, &date),
            None => Ok(-1),
        }
    }

    fn enter_state(&mut self, state: i32) -> Hosted<()> {
        let state = number(state)?;
        session(|s| s.enter_state(state))
    }

    fn business_day(&mut self, ptr: i32, len: i32, out: i32, cap: i32) -> Hosted<i32> {
        let request = self.place(ptr, len, REQUEST_BYTES_MAX)?;
        let date = session(|s| s.business_day(&self.memory[request]))?;
        self.give(out, cap, &date)
    }
}
