//! The wasm engine: instrumented modules, compiled once, a fresh instance for each call.

use super::admit::MEMORY;
use super::host::{self, Ended};
use super::instrument::{GAS, GROWTH, GROWTH_DENIED, STACK, instrument};
use super::limit::LIMITS;
use super::price;
use super::session::{CallOutcome, CallReport, Guest, HostError, Session};
use crate::fault::Fault;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard};
use tenor_abi::host::Context;
use tenor_abi::id::CodeHash;
use tenor_abi::refusal::Failure;
use wasmtime::{
    Config, Extern, Global, InstanceAllocationStrategy, InstancePre, Linker, Memory, Module, ModuleExport,
    OptLevel, PoolingAllocationConfig, Store, Trap, Val,
};

/// Bytes of native stack that wasm may use. A slot of [`LIMITS`]`.stack_slots` stands for 64 bytes of it, so
/// our own depth limit comes first; a thread that calls contracts needs this much and what the host needs.
pub(super) const NATIVE_STACK_BYTES: usize = 1024 * 1024;
/// Instances at the same time: one executes, some look.
const INSTANCES: u32 = 64;
/// Bytes at the start of an instance's memory that are cleared by writing instead of given back to the system.
const KEPT_BYTES: usize = 128 * 1024;
/// Compiled modules that are kept; the one that was used longest ago makes room.
const MODULES_MAX: usize = 1_024;

/// The wasm engine.
pub struct Engine {
    engine: wasmtime::Engine,
    linker: Linker<Frame>,
    cache: Mutex<Cache>,
}

/// Compiled modules by code hash, with the time of their last use on a clock of uses.
struct Cache {
    modules_max: usize,
    uses: u64,
    modules: BTreeMap<CodeHash, (u64, Arc<Loaded>)>,
}

/// A compiled module, and where in it everything is that a call needs.
struct Loaded {
    pre: InstancePre<Frame>,
    memory: ModuleExport,
    gas: ModuleExport,
    stack: ModuleExport,
    growth: ModuleExport,
    calls: BTreeMap<String, ModuleExport>,
}

/// One call: its argument, what it said, why it ended.
pub(super) struct Frame {
    pub(super) context: Context,
    pub(super) argument: Vec<u8>,
    pub(super) answer: Vec<u8>,
    pub(super) refusal: Option<(u16, Vec<u8>)>,
    pub(super) ended: Option<Ended>,
    pub(super) handles: Option<Handles>,
}

/// What the host touches of an instance, found once for each call.
#[derive(Clone, Copy)]
pub(super) struct Handles {
    pub(super) memory: Memory,
    pub(super) gas: Global,
    stack: Global,
    growth: Global,
}

/// The one configuration of wasmtime. It is local: whatever it says, an admitted module ends the same.
fn config(native_stack_bytes: usize) -> Config {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_core_instances(INSTANCES)
        .total_memories(INSTANCES)
        .total_tables(INSTANCES)
        .max_memory_size(LIMITS.memory_pages as usize * 65536)
        .table_elements(LIMITS.table as usize)
        .linear_memory_keep_resident(KEPT_BYTES)
        .table_keep_resident(KEPT_BYTES)
        .max_unused_warm_slots(INSTANCES);
    let mut config = Config::new();
    config
        .wasm_simd(false)
        .wasm_relaxed_simd(false)
        .wasm_multi_value(false)
        .wasm_multi_memory(false)
        .wasm_memory64(false)
        .wasm_tail_call(false)
        .wasm_extended_const(false)
        .cranelift_opt_level(OptLevel::Speed)
        .max_wasm_stack(native_stack_bytes)
        .memory_init_cow(true)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .generate_address_map(false)
        .wasm_backtrace_max_frames(None);
    config
}

fn broken(error: impl std::fmt::Display) -> Fault {
    Fault::Engine(format!("{error:#}"))
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Engine")
    }
}

impl Engine {
    /// An engine without modules.
    ///
    /// # Errors
    /// [`Fault::Engine`] when this machine cannot run wasm.
    pub fn new() -> Result<Engine, Fault> {
        Engine::with(NATIVE_STACK_BYTES, MODULES_MAX)
    }

    pub(super) fn with(native_stack_bytes: usize, modules_max: usize) -> Result<Engine, Fault> {
        let engine = wasmtime::Engine::new(&config(native_stack_bytes)).map_err(broken)?;
        let mut linker = Linker::new(&engine);
        host::link(&mut linker).map_err(broken)?;
        Ok(Engine {
            engine,
            linker,
            cache: Mutex::new(Cache { modules_max, uses: 0, modules: BTreeMap::new() }),
        })
    }

    fn cache(&self) -> Result<MutexGuard<'_, Cache>, Fault> {
        self.cache.lock().map_err(broken)
    }

    fn find(&self, code: &CodeHash) -> Result<Arc<Loaded>, Fault> {
        self.cache()?.find(code).ok_or_else(|| Fault::Engine(format!("{code} was not loaded")))
    }

    fn run(&self, loaded: &Loaded, export: &str, frame: Frame, gas: u64) -> Result<CallReport, Fault> {
        let failed = |failure, text, gas_used| {
            Ok(CallReport { outcome: CallOutcome::Failed(failure, text), gas_used })
        };
        let Some(start) = gas.checked_sub(price::INSTANCE) else {
            return failed(Failure::OutOfGas, "no gas for an instance".into(), gas);
        };
        let Some(call) = loaded.calls.get(export) else {
            return failed(Failure::HostRule, format!("the module has no call `{export}`"), price::INSTANCE);
        };
        let start = i64::try_from(start).unwrap_or(i64::MAX);
        let mut store = Store::new(&self.engine, frame);
        let instance = loaded.pre.instantiate(&mut store).map_err(broken)?;
        let handles = loaded.handles(&instance, &mut store)?;
        store.data_mut().handles = Some(handles);
        handles.gas.set(&mut store, Val::I64(start)).map_err(broken)?;
        let function = instance.get_module_export(&mut store, call).and_then(Extern::into_func);
        let function = function.ok_or_else(|| broken("a call is no function"))?;
        let function = function.typed::<(), i32>(&store).map_err(broken)?;
        let returned = function.call(&mut store, ());
        let left = handles.gas.get(&mut store).i64().unwrap_or(-1);
        let outcome = outcome(&mut store, handles, returned, left)?;
        let out_of_gas = matches!(outcome, CallOutcome::Failed(Failure::OutOfGas, _));
        let gas_used = if out_of_gas { gas } else { price::INSTANCE + start.abs_diff(left) };
        Ok(CallReport { outcome, gas_used })
    }
}

impl Cache {
    fn find(&mut self, code: &CodeHash) -> Option<Arc<Loaded>> {
        self.uses += 1;
        let (used, loaded) = self.modules.get_mut(code)?;
        *used = self.uses;
        Some(Arc::clone(loaded))
    }

    fn keep(&mut self, code: CodeHash, loaded: Loaded) {
        if self.modules.len() >= self.modules_max {
            let oldest = self.modules.iter().min_by_key(|(_, (used, _))| *used).map(|(code, _)| *code);
            oldest.and_then(|code| self.modules.remove(&code));
        }
        self.uses += 1;
        self.modules.insert(code, (self.uses, Arc::new(loaded)));
    }
}

impl Loaded {
    fn compile(engine: &wasmtime::Engine, linker: &Linker<Frame>, wasm: &[u8]) -> Result<Loaded, Fault> {
        let counted = instrument(wasm, &LIMITS).map_err(broken)?;
        let module = Module::new(engine, &counted).map_err(broken)?;
        let pre = linker.instantiate_pre(&module).map_err(broken)?;
        let export =
            |name: &str| module.get_export_index(name).ok_or_else(|| Fault::Engine(format!("no `{name}`")));
        let mut calls = BTreeMap::new();
        for exported in module.exports() {
            let ty = exported.ty();
            let is_call = ty
                .func()
                .is_some_and(|ty| ty.params().len() == 0 && ty.results().map(|ty| ty.is_i32()).eq([true]));
            if is_call {
                calls.insert(exported.name().to_owned(), export(exported.name())?);
            }
        }
        Ok(Loaded {
            memory: export(MEMORY)?,
            gas: export(GAS)?,
            stack: export(STACK)?,
            growth: export(GROWTH)?,
            calls,
            pre,
        })
    }

    fn handles(&self, instance: &wasmtime::Instance, store: &mut Store<Frame>) -> Result<Handles, Fault> {
        let mut get = |export| {
            instance.get_module_export(&mut *store, export).ok_or_else(|| broken("an export is missing"))
        };
        let global = |export: Extern| export.into_global().ok_or_else(|| broken("a counter is no global"));
        Ok(Handles {
            memory: get(&self.memory)?.into_memory().ok_or_else(|| broken("the memory is none"))?,
            gas: global(get(&self.gas)?)?,
            stack: global(get(&self.stack)?)?,
            growth: global(get(&self.growth)?)?,
        })
    }
}

/// What a call ended with. A fault comes first; then gas: whatever a call says when its gas is used up, that is
/// why it ends.
fn outcome(
    store: &mut Store<Frame>,
    handles: Handles,
    returned: wasmtime::Result<i32>,
    left: i64,
) -> Result<CallOutcome, Fault> {
    let failed = |failure, text: &str| Ok(CallOutcome::Failed(failure, text.into()));
    let ended = store.data_mut().ended.take();
    if let Some(Ended::Host(HostError::Fault(text))) = ended {
        return Err(Fault::State(text));
    }
    if left < 0 {
        return failed(Failure::OutOfGas, "the gas limit is used up");
    }
    match (ended, returned) {
        (Some(Ended::Host(HostError::Refused { code, data })), _) => Ok(CallOutcome::Refused { code, data }),
        (Some(Ended::Host(HostError::Rule(rule, text))), _) => {
            failed(Failure::HostRule, &format!("{rule:?}: {text}"))
        }
        (Some(ended), _) => Err(broken(format!("{ended:?} with {left} gas left"))),
        (None, Ok(0)) => Ok(CallOutcome::Done { data: std::mem::take(&mut store.data_mut().answer) }),
        (None, Ok(1)) => match store.data_mut().refusal.take() {
            Some((code, data)) => Ok(CallOutcome::Refused { code, data }),
            None => failed(Failure::HostRule, "returned 1 without a refusal"),
        },
        (None, Ok(other)) => failed(Failure::HostRule, &format!("returned {other}; 0 is done, 1 refused")),
        (None, Err(error)) => {
            if handles.stack.get(&mut *store).i32().unwrap_or(0) < 0 {
                return failed(Failure::StackLimit, "calls nest too deep");
            }
            match handles.growth.get(&mut *store).i32() {
                Some(0) => trapped(&error),
                Some(GROWTH_DENIED) => failed(
                    Failure::MemoryLimit,
                    "memory may not grow that far: the limit, or the module's own maximum, is reached",
                ),
                _ => Err(broken("this machine has no memory left for the call")),
            }
        }
    }
}

/// A trap that the guest's own code is the cause of; any other is this replica's.
fn trapped(error: &wasmtime::Error) -> Result<CallOutcome, Fault> {
    match error.downcast_ref::<Trap>() {
        Some(
            trap @ (Trap::UnreachableCodeReached
            | Trap::MemoryOutOfBounds
            | Trap::TableOutOfBounds
            | Trap::IndirectCallToNull
            | Trap::BadSignature
            | Trap::IntegerOverflow
            | Trap::IntegerDivisionByZero),
        ) => Ok(CallOutcome::Failed(Failure::Trapped, trap.to_string())),
        _ => Err(broken(error)),
    }
}

impl Guest for Engine {
    fn load(&self, code: &CodeHash, wasm: &[u8]) -> Result<(), Fault> {
        if self.is_loaded(code) {
            return Ok(());
        }
        // Compiled outside the lock: who runs other modules does not wait.
        let loaded = Loaded::compile(&self.engine, &self.linker, wasm)?;
        self.cache()?.keep(*code, loaded);
        Ok(())
    }

    fn is_loaded(&self, code: &CodeHash) -> bool {
        self.cache().is_ok_and(|mut cache| cache.find(code).is_some())
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
        let loaded = self.find(code)?;
        let frame = Frame {
            context,
            argument: argument.to_vec(),
            answer: vec![],
            refusal: None,
            ended: None,
            handles: None,
        };
        let run = || host::lend(session, || self.run(&loaded, export, frame, gas));
        // A panic of the host's own code in a call is this replica's fault, and must not take the process along.
        catch_unwind(AssertUnwindSafe(run))
            .unwrap_or_else(|_| Err(Fault::Engine(format!("the host panicked in `{export}`"))))
    }
}
