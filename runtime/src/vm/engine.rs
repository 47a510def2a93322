//! The wasm engine: instrumented modules, compiled once, a fresh instance for each call.

use super::instrument::{GAS, MEMORY, STACK, instrument};
use super::limit::LIMITS;
use super::price;
use super::session::{CallOutcome, CallReport, Guest, HostError, HostRule, Session};
use crate::fault::Fault;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use tenor_abi::host::{self, Context, HostFunction};
use tenor_abi::id::CodeHash;
use tenor_abi::limit::{
    ANSWER_BYTES_MAX, EVENT_BYTES_MAX, REQUEST_BYTES_MAX, STORAGE_KEY_BYTES_MAX, STORAGE_VALUE_BYTES_MAX,
};
use tenor_abi::refusal::Failure;
use wasmtime::{
    Caller, Config, Global, InstanceAllocationStrategy, InstancePre, Linker, Memory, Module, OptLevel,
    PoolingAllocationConfig, Store, Trap, Val,
};

/// Bytes of native stack that wasm may use: our own depth limit comes first.
const NATIVE_STACK_BYTES: usize = 1024 * 1024;
/// Instances at the same time: one executes, some look.
const INSTANCES: u32 = 64;

scoped_tls_hkt::scoped_thread_local! {
    /// What the running call can reach. wasmtime's store holds nothing that borrows, so the session is lent
    /// to the thread for the time of the call.
    static mut SESSION: for<'a> &'a mut (dyn Session + 'a)
}

/// The wasm engine.
pub struct Engine {
    engine: wasmtime::Engine,
    linker: Linker<Frame>,
    loaded: Mutex<BTreeMap<CodeHash, Arc<InstancePre<Frame>>>>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Engine")
    }
}

/// One call: its argument, what it said, why it ended.
struct Frame {
    context: Context,
    argument: Vec<u8>,
    answer: Vec<u8>,
    refusal: Option<(u16, Vec<u8>)>,
    ended: Option<HostError>,
    handles: Option<Handles>,
}

#[derive(Clone, Copy)]
struct Handles {
    memory: Memory,
    gas: Global,
    stack: Global,
    full: Global,
}

/// The one configuration of wasmtime.
fn config() -> Config {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_core_instances(INSTANCES)
        .total_memories(INSTANCES)
        .total_tables(INSTANCES)
        .max_memory_size(LIMITS.memory_pages as usize * 65536)
        .table_elements(LIMITS.table as usize);
    let mut config = Config::new();
    config
        .cranelift_opt_level(OptLevel::Speed)
        .max_wasm_stack(NATIVE_STACK_BYTES)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .wasm_backtrace_max_frames(None);
    config
}

fn broken(error: impl std::fmt::Display) -> Fault {
    Fault::Engine(format!("{error:#}"))
}

impl Engine {
    /// An engine without modules.
    ///
    /// # Errors
    /// [`Fault::Engine`] when this machine cannot run wasm.
    pub fn new() -> Result<Engine, Fault> {
        let engine = wasmtime::Engine::new(&config()).map_err(broken)?;
        let mut linker = Linker::new(&engine);
        link(&mut linker).map_err(broken)?;
        Ok(Engine { engine, linker, loaded: Mutex::new(BTreeMap::new()) })
    }

    fn find(&self, code: &CodeHash) -> Result<Arc<InstancePre<Frame>>, Fault> {
        let loaded = self.loaded.lock().map_err(broken)?;
        loaded.get(code).cloned().ok_or_else(|| Fault::Engine(format!("{code} was not loaded")))
    }

    fn run(
        &self,
        pre: &InstancePre<Frame>,
        export: &str,
        frame: Frame,
        gas: u64,
    ) -> Result<CallReport, Fault> {
        let mut store = Store::new(&self.engine, frame);
        let instance = pre.instantiate(&mut store).map_err(broken)?;
        let global = |store: &mut Store<Frame>, name| {
            instance.get_global(store, name).ok_or_else(|| Fault::Engine(format!("no {name}")))
        };
        let memory =
            instance.get_memory(&mut store, "memory").ok_or_else(|| Fault::Engine("no memory".into()))?;
        let handles = Handles {
            memory,
            gas: global(&mut store, GAS)?,
            stack: global(&mut store, STACK)?,
            full: global(&mut store, MEMORY)?,
        };
        store.data_mut().handles = Some(handles);
        let limit = i64::try_from(gas).unwrap_or(i64::MAX);
        let start = limit - price::INSTANCE as i64;
        if start < 0 {
            return Ok(CallReport {
                outcome: CallOutcome::Failed(Failure::OutOfGas, "no gas for an instance".into()),
                gas_used: gas,
            });
        }
        handles.gas.set(&mut store, Val::I64(start)).map_err(broken)?;
        let Ok(function) = instance.get_typed_func::<(), i32>(&mut store, export) else {
            let text = format!("the module has no call `{export}`");
            return Ok(CallReport {
                outcome: CallOutcome::Failed(Failure::HostRule, text),
                gas_used: price::INSTANCE,
            });
        };
        let returned = function.call(&mut store, ());
        let left = handles.gas.get(&mut store).i64().unwrap_or(-1);
        let outcome = outcome(&mut store, handles, returned, left)?;
        let out_of_gas = matches!(outcome, CallOutcome::Failed(Failure::OutOfGas, _));
        let gas_used = if out_of_gas { gas } else { (limit - left).clamp(0, limit) as u64 };
        Ok(CallReport { outcome, gas_used })
    }
}

/// What a call ended with. Gas comes first: whatever a call says when its gas is used up, that is why it ends.
fn outcome(
    store: &mut Store<Frame>,
    handles: Handles,
    returned: wasmtime::Result<i32>,
    left: i64,
) -> Result<CallOutcome, Fault> {
    let failed = |failure, text: String| Ok(CallOutcome::Failed(failure, text));
    if left < 0 {
        return failed(Failure::OutOfGas, "the gas limit is used up".into());
    }
    match (store.data_mut().ended.take(), returned) {
        (Some(HostError::Refused { code, data }), _) => Ok(CallOutcome::Refused { code, data }),
        (Some(HostError::Rule(rule, text)), _) => failed(Failure::HostRule, format!("{rule:?}: {text}")),
        (Some(HostError::Fault(text)), _) => Err(Fault::State(text)),
        (None, Ok(0)) => Ok(CallOutcome::Done { data: std::mem::take(&mut store.data_mut().answer) }),
        (None, Ok(1)) => match store.data_mut().refusal.take() {
            Some((code, data)) => Ok(CallOutcome::Refused { code, data }),
            None => failed(Failure::HostRule, "returned 1 without a refusal".into()),
        },
        (None, Ok(other)) => failed(Failure::HostRule, format!("returned {other}; 0 is done, 1 refused")),
        (None, Err(error)) => {
            if handles.stack.get(&mut *store).i32().unwrap_or(0) < 0 {
                return failed(Failure::StackLimit, "calls nest too deep".into());
            }
            if handles.full.get(&mut *store).i32().unwrap_or(0) != 0 {
                return failed(
                    Failure::MemoryLimit,
                    format!("memory may grow to {} pages", LIMITS.memory_pages),
                );
            }
            match error.downcast_ref::<Trap>() {
                Some(Trap::StackOverflow) | None => Err(broken(error)),
                Some(trap) => failed(Failure::Trapped, trap.to_string()),
            }
        }
    }
}

impl Guest for Engine {
    fn load(&self, code: &CodeHash, wasm: &[u8]) -> Result<(), Fault> {
        if self.loaded.lock().map_err(broken)?.contains_key(code) {
            return Ok(());
        }
        let counted = instrument(wasm, LIMITS.stack_slots).map_err(broken)?;
        let module = Module::new(&self.engine, &counted).map_err(broken)?;
        let pre = self.linker.instantiate_pre(&module).map_err(broken)?;
        self.loaded.lock().map_err(broken)?.insert(*code, Arc::new(pre));
        Ok(())
    }

    fn call(
        &self,
        code: &CodeHash,
        export: &str,
        context: Context,
        argument: &[u8],
        gas: u64,
        session: &mut dyn Session,
    ) -> Result<CallReport, Fault> {
        let pre = self.find(code)?;
        let frame = Frame {
            context,
            argument: argument.to_vec(),
            answer: vec![],
            refusal: None,
            ended: None,
            handles: None,
        };
        let run = || SESSION.set(session, || self.run(&pre, export, frame, gas));
        // A panic of the host's own code in a call is this replica's fault, and must not take the process along.
        catch_unwind(AssertUnwindSafe(run))
            .unwrap_or_else(|_| Err(Fault::Engine(format!("the host panicked in `{export}`"))))
    }
}

/// A host function at work in a call.
struct Call<'c, 'f> {
    caller: &'c mut Caller<'f, Frame>,
    handles: Handles,
    function: &'static HostFunction,
}

type Hosted<T> = Result<T, HostError>;

fn rule(rule: HostRule, text: impl Into<String>) -> HostError {
    HostError::Rule(rule, text.into())
}

impl Call<'_, '_> {
    /// Charges before anything is done.
    fn charge(&mut self, gas: u64) -> Hosted<()> {
        let left = self.handles.gas.get(&mut *self.caller).i64().unwrap_or(-1);
        let left = left.saturating_sub(i64::try_from(gas).unwrap_or(i64::MAX));
        self.handles
            .gas
            .set(&mut *self.caller, Val::I64(left))
            .map_err(|error| HostError::Fault(error.to_string()))?;
        if left < 0 { Err(rule(HostRule::Value, "out of gas")) } else { Ok(()) }
    }

    fn charge_bytes(&mut self, bytes: usize) -> Hosted<()> {
        self.charge(self.function.gas_per_byte * bytes as u64)
    }

    /// Bytes of the guest, at most `limit`.
    fn bytes(&mut self, ptr: i32, len: i32, limit: usize) -> Hosted<Vec<u8>> {
        let (start, len) = (ptr as u32 as usize, len as u32 as usize);
        if len > limit {
            return Err(rule(
                HostRule::Value,
                format!("{}: {len} bytes given, at most {limit} allowed", self.function.name),
            ));
        }
        self.charge_bytes(len)?;
        let memory = self.handles.memory.data(&*self.caller);
        let found = start.checked_add(len).and_then(|end| memory.get(start..end));
        found.map(<[u8]>::to_vec).ok_or_else(|| {
            rule(
                HostRule::Memory,
                format!("{}: {len} bytes at {start} lie outside the memory", self.function.name),
            )
        })
    }

    /// Writes into the guest when it fits; returns the full length.
    fn give(&mut self, out: i32, cap: i32, bytes: &[u8]) -> Hosted<i32> {
        let (start, cap) = (out as u32 as usize, cap as u32 as usize);
        if bytes.len() <= cap {
            self.charge_bytes(bytes.len())?;
            let memory = self.handles.memory.data_mut(&mut *self.caller);
            let place = start.checked_add(bytes.len()).and_then(|end| memory.get_mut(start..end));
            let outside =
                || rule(HostRule::Memory, format!("{} bytes at {start} lie outside the memory", bytes.len()));
            place.ok_or_else(outside)?.copy_from_slice(bytes);
        }
        Ok(bytes.len() as i32)
    }

    fn frame(&mut self) -> &mut Frame {
        self.caller.data_mut()
    }
}

fn number(value: i32) -> Hosted<u16> {
    u16::try_from(value)
        .map_err(|_| rule(HostRule::Value, format!("{value} is not a number from 0 to 65535")))
}

/// The session of the running call.
fn session<T>(work: impl FnOnce(&mut dyn Session) -> Hosted<T>) -> Hosted<T> {
    SESSION.with(|session| work(session))
}

/// Runs a host function: is it allowed here, is it paid for, what does it say.
fn enter<T>(
    caller: &mut Caller<'_, Frame>,
    name: &'static str,
    work: impl FnOnce(&mut Call<'_, '_>) -> Hosted<T>,
) -> wasmtime::Result<T> {
    let done = match (host::by_name(name), caller.data().handles) {
        (Some(function), Some(handles)) if function.may(caller.data().context) => {
            let mut call = Call { caller, handles, function };
            call.charge(function.gas).and_then(|()| work(&mut call))
        }
        (Some(_), Some(_)) => Err(rule(
            HostRule::Context,
            format!("`{name}` may not be called in a {:?}", caller.data().context),
        )),
        _ => Err(HostError::Fault(format!("`{name}` was called without an instance"))),
    };
    done.map_err(|error| {
        caller.data_mut().ended = Some(error);
        wasmtime::Error::msg("ended by the host")
    })
}

/// Binds every function of the table.
fn link(linker: &mut Linker<Frame>) -> wasmtime::Result<()> {
    macro_rules! bind {
        ($name:ident($call:ident $(, $param:ident)*) -> $result:ty $body:block) => {
            linker.func_wrap(host::MODULE, stringify!($name), |mut caller: Caller<'_, Frame> $(, $param: i32)*| -> wasmtime::Result<$result> {
                enter(&mut caller, stringify!($name), |$call: &mut Call<'_, '_>| -> Hosted<$result> { $body })
            })?;
        };
    }
    bind!(arg_len(call) -> i32 { Ok(call.frame().argument.len() as i32) });
    bind!(arg_read(call, out, cap) -> i32 {
        let argument = std::mem::take(&mut call.frame().argument);
        let given = call.give(out, cap, &argument);
        call.frame().argument = argument;
        given
    });
    bind!(ret(call, ptr, len) -> () {
        call.frame().answer = call.bytes(ptr, len, ANSWER_BYTES_MAX)?;
        Ok(())
    });
    bind!(refuse(call, code, ptr, len) -> () {
        let data = call.bytes(ptr, len, ANSWER_BYTES_MAX)?;
        let code = number(code)?;
        if code < tenor_abi::spec::CODE_OWN {
            return Err(rule(HostRule::Value, format!("refusal {code} is the host's; a contract's begin at 0x8000")));
        }
        call.frame().refusal = Some((code, data));
        Ok(())
    });
    bind!(emit(call, event, ptr, len) -> () {
        let (event, data) = (number(event)?, call.bytes(ptr, len, EVENT_BYTES_MAX)?);
        session(|s| s.emit(event, &data))
    });
    bind!(storage_get(call, key, key_len, out, cap) -> i32 {
        let key = call.bytes(key, key_len, STORAGE_KEY_BYTES_MAX)?;
        match session(|s| s.storage_get(&key))? {
            Some(value) => call.give(out, cap, &value),
            None => Ok(-1),
        }
    });
    bind!(storage_set(call, key, key_len, ptr, len) -> () {
        let key = call.bytes(key, key_len, STORAGE_KEY_BYTES_MAX)?;
        let value = call.bytes(ptr, len, STORAGE_VALUE_BYTES_MAX)?;
        session(|s| s.storage_set(&key, &value))
    });
    bind!(storage_remove(call, key, key_len) -> i32 {
        let key = call.bytes(key, key_len, STORAGE_KEY_BYTES_MAX)?;
        session(|s| s.storage_remove(&key)).map(i32::from)
    });
    bind!(storage_next(call, from, from_len, end, end_len, out, cap) -> i32 {
        let from = call.bytes(from, from_len, STORAGE_KEY_BYTES_MAX)?;
        let end = call.bytes(end, end_len, STORAGE_KEY_BYTES_MAX)?;
        match session(|s| s.storage_next(&from, &end))? {
            Some((key, value)) => call.give(out, cap, &[&(key.len() as u32).to_le_bytes(), key.as_slice(), &value].concat()),
            None => Ok(-1),
        }
    });
    bind!(post(call, ptr, len) -> i32 {
        let request = call.bytes(ptr, len, REQUEST_BYTES_MAX)?;
        session(|s| s.post(&request)).map(|index| index as i32)
    });
    bind!(try_post(call, ptr, len, out, cap) -> i32 {
        let request = call.bytes(ptr, len, REQUEST_BYTES_MAX)?;
        match session(|s| s.try_post(&request))? {
            Some(shortfall) => call.give(out, cap, &shortfall),
            None => Ok(0),
        }
    });
    bind!(collect_up_to(call, ptr, len, out, cap) -> i32 {
        let request = call.bytes(ptr, len, REQUEST_BYTES_MAX)?;
        let taken = session(|s| s.collect_up_to(&request))?;
        call.give(out, cap, &taken)
    });
    bind!(balance(call, ptr, len, out, cap) -> i32 {
        let account = call.bytes(ptr, len, REQUEST_BYTES_MAX)?;
        let balance = session(|s| s.balance(&account))?;
        call.give(out, cap, &balance)
    });
    bind!(schedule_start(call, ptr, len) -> () {
        let request = call.bytes(ptr, len, REQUEST_BYTES_MAX)?;
        session(|s| s.schedule_start(&request))
    });
    bind!(schedule_hold(_call, kind) -> () { let kind = number(kind)?; session(|s| s.schedule_hold(kind)) });
    bind!(schedule_resume(_call, kind) -> () { let kind = number(kind)?; session(|s| s.schedule_resume(kind)) });
    bind!(schedule_end(_call, kind) -> () { let kind = number(kind)?; session(|s| s.schedule_end(kind)) });
    bind!(next_due(call, kind, out, cap) -> i32 {
        let kind = number(kind)?;
        match session(|s| s.next_due(kind))? {
            Some(date) => call.give(out, cap, &date),
            None => Ok(-1),
        }
    });
    bind!(enter_state(_call, state) -> () { let state = number(state)?; session(|s| s.enter_state(state)) });
    bind!(business_day(call, ptr, len, out, cap) -> i32 {
        let request = call.bytes(ptr, len, REQUEST_BYTES_MAX)?;
        let date = session(|s| s.business_day(&request))?;
        call.give(out, cap, &date)
    });
    Ok(())
}
