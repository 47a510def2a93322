//! The wasm engine: instrumented modules, compiled once, and their instances, kept between calls.

use super::compiler::{About, Artefacts, Bounds, Compiler, Inside};
use super::host;
use super::host::Ended;
use super::instance::{Frame, Live, Loaded, Returned, broken};
use super::instrument::{GROWTH_DENIED, Instrumented, Reset, instrument_as};
use super::limit::LIMITS;
use super::price;
use super::profile::{self, Profile, Recorder, code_of};
use super::room::{PLACES, ROOMS, Rooms};
use super::session::{CallOutcome, CallReport, Guest, HostError, Session};
use crate::fault::Fault;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use tenor_abi::host::Context;
use tenor_abi::id::CodeHash;
use tenor_abi::refusal::Failure;
use wasmtime::{Config, InstanceAllocationStrategy, Linker, OptLevel, PoolingAllocationConfig, Trap};

/// Bytes of native stack that wasm may use. A slot of [`LIMITS`]`.stack_slots` stands for 64 bytes of it, so
/// our own depth limit comes first; a thread that has less left gets a stack of its own for the call.
pub(super) const NATIVE_STACK_BYTES: usize = 1024 * 1024;
/// Bytes of native stack for the host's own work in a call, and for beginning the next one.
const HOST_STACK_BYTES: usize = 384 * 1024;
/// Bytes that a contract's memory may grow to.
const MEMORY_BYTES_MAX: u64 = LIMITS.memory_pages * 65_536;
/// Instances that are kept between calls; the one that was used longest ago makes room.
const KEPT_MAX: usize = 64;
/// Instances at the same time: those that are kept, and those of every room.
const INSTANCES: u32 = (KEPT_MAX + ROOMS * PLACES) as u32;
/// Places of the pool whose memory stays with the process while nothing is in them.
const WARM: u32 = KEPT_MAX as u32 + 64;
/// Bytes at the start of an instance's memory that are cleared by writing instead of given back to the system.
const RESIDENT_BYTES: usize = 128 * 1024;
/// Compiled modules that are loaded; the one that was used longest ago makes room.
const MODULES_MAX: usize = 1_024;
/// Bytes that they may take together, more or less: what a block counts as loaded is.
const MODULE_BYTES_MAX: usize = 256 * 1024 * 1024;
const _: () = assert!(MODULES_MAX as u64 * price::MODULE_HELD >= price::MODULES_HELD);
const _: () = assert!(MODULE_BYTES_MAX as u64 >= 13 * price::MODULES_HELD / 2);
/// Bytes of a module that begins with a few bytes of memory, of which most lie in between: it is put in place piece by
/// piece instead of from an image that would be far larger than the module.
const IMAGE_BYTES_SPARSE: u64 = 128 * 1024;

/// What of an engine is local: whatever it says, an admitted module ends the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// Compiled modules that are loaded at the same time.
    pub modules_max: usize,
    /// Bytes that they may take together.
    pub module_bytes_max: usize,
    /// Instances that are kept between calls, at most 64; with none every call gets a fresh one.
    pub kept_max: usize,
    /// Whether compiled code is optimised.
    pub optimise: bool,
    /// Whether fresh memory is mapped from the module instead of copied.
    pub copy_on_write: bool,
    /// How instances come back to their beginning, where it is not the module's own choice.
    pub reset: Option<Reset>,
    /// Whether address space for many instances is reserved at the start, so that one begins sooner. Without, a process
    /// whose address space is limited can run wasm.
    pub pooled: bool,
    /// Bytes of native stack for wasm; our own limit of depth comes before its end.
    pub native_stack_bytes: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            modules_max: MODULES_MAX,
            module_bytes_max: MODULE_BYTES_MAX,
            kept_max: KEPT_MAX,
            optimise: true,
            copy_on_write: true,
            reset: None,
            pooled: true,
            native_stack_bytes: NATIVE_STACK_BYTES,
        }
    }
}

/// The wasm engine.
pub struct Engine {
    pub(super) engine: wasmtime::Engine,
    linker: Linker<Frame>,
    settings: Settings,
    compiler: Arc<dyn Compiler>,
    artefacts: Option<Artefacts>,
    profiling: Option<Profiling>,
    cache: Mutex<Cache>,
    pub(super) rooms: Rooms,
}

/// What an engine that profiles has besides.
struct Profiling {
    recorder: Recorder,
    /// Builds with names, of modules that may have none.
    named: Vec<Vec<u8>>,
}

/// Compiled modules by code hash, and a clock of their uses.
#[derive(Default)]
struct Cache {
    uses: u64,
    modules: BTreeMap<CodeHash, Cached>,
    /// Bytes that they take.
    bytes: usize,
    /// How many of them keep an instance.
    kept: usize,
}

/// A compiled module, when it was last used, and the instance of it that is kept.
struct Cached {
    used: u64,
    loaded: Arc<Loaded>,
    kept: Option<Box<Live>>,
}

/// The one configuration of wasmtime. It is local: whatever it says, an admitted module ends the same.
pub(super) fn code_config(settings: &Settings) -> Config {
    let mut config = Config::new();
    config
        .wasm_simd(false)
        .wasm_relaxed_simd(false)
        .wasm_multi_memory(false)
        .wasm_memory64(false)
        .wasm_tail_call(false)
        .wasm_extended_const(false)
        .cranelift_opt_level(if settings.optimise { OptLevel::Speed } else { OptLevel::None })
        .max_wasm_stack(settings.native_stack_bytes)
        .memory_init_cow(settings.copy_on_write)
        .memory_guaranteed_dense_image_size(IMAGE_BYTES_SPARSE)
        .generate_address_map(false)
        .wasm_backtrace_max_frames(None);
    if !settings.pooled {
        // As much as a memory may grow to, and nothing behind it: places are compared with its size instead.
        config.memory_reservation(MEMORY_BYTES_MAX).memory_guard_size(0).memory_may_move(false);
    }
    config
}

/// The same, with the pool that instances come from, where there is one.
fn config(settings: &Settings) -> Config {
    if !settings.pooled {
        return code_config(settings);
    }
    let mut pool = PoolingAllocationConfig::default();
    pool.total_core_instances(INSTANCES)
        .total_memories(INSTANCES)
        .total_tables(INSTANCES)
        .max_memory_size(MEMORY_BYTES_MAX as usize)
        .table_elements(LIMITS.table as usize)
        .linear_memory_keep_resident(RESIDENT_BYTES)
        .table_keep_resident(RESIDENT_BYTES)
        .max_unused_warm_slots(WARM);
    let mut config = code_config(settings);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
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
        Engine::with(Settings::default())
    }

    /// An engine without modules, set otherwise.
    ///
    /// # Errors
    /// As [`Engine::new`].
    pub fn with(settings: Settings) -> Result<Engine, Fault> {
        let engine = wasmtime::Engine::new(&config(&settings)).map_err(broken)?;
        let mut linker = Linker::new(&engine);
        host::link(&mut linker).map_err(broken)?;
        Ok(Engine {
            engine,
            linker,
            settings,
            compiler: Arc::new(Inside),
            artefacts: None,
            profiling: None,
            cache: Mutex::default(),
            rooms: Rooms::default(),
        })
    }

    /// The engine with another compiler.
    pub fn compiled_by(mut self, compiler: Arc<dyn Compiler>) -> Engine {
        self.compiler = compiler;
        self
    }

    /// The engine with a folder in which it keeps what was compiled. What engines of another version or other settings kept
    /// there is removed: nobody loads it any more.
    ///
    /// # Errors
    /// [`Fault::Storage`] when there is no such folder and none can be made.
    pub fn kept_in(mut self, folder: &Path) -> Result<Engine, Fault> {
        self.artefacts = Some(Artefacts::at(folder, &self.engine, &self.settings)?);
        Ok(self)
    }

    /// An engine that records where gas goes. Functions are called by the module's own names, or by those of a build of
    /// the same code in `named`; where there are neither, by their exports and numbers.
    ///
    /// # Errors
    /// As [`Engine::new`].
    pub fn profiling(named: Vec<Vec<u8>>) -> Result<Engine, Fault> {
        let mut engine = Engine::with(Settings { kept_max: 0, ..Settings::default() })?;
        host::link_watch(&mut engine.linker).map_err(broken)?;
        engine.profiling = Some(Profiling { recorder: Recorder::default(), named });
        Ok(engine)
    }

    /// What was recorded since the last time; nothing in an engine that does not profile.
    pub fn take_profile(&self) -> Profile {
        self.profiling.as_ref().map_or_else(Profile::default, |profiling| profiling.recorder.take())
    }

    fn cache(&self) -> Result<MutexGuard<'_, Cache>, Fault> {
        self.cache.lock().map_err(broken)
    }

    /// A module compiled and ready to be instantiated.
    pub(super) fn compile(&self, wasm: &[u8], bounds: Bounds) -> Result<Loaded, Fault> {
        self.compiled(wasm, bounds, |_, _| ())
    }

    /// The same; `keep` is shown what was made.
    fn compiled(
        &self,
        wasm: &[u8],
        bounds: Bounds,
        keep: impl FnOnce(About, &[u8]),
    ) -> Result<Loaded, Fault> {
        let counted: Instrumented = instrument_as(wasm, &LIMITS, self.settings.reset).map_err(broken)?;
        let about = About { reset: counted.reset, start_gas: counted.start_gas };
        let watched = match &self.profiling {
            Some(_) => profile::watch(&counted.wasm, counted.functions)?,
            None => counted.wasm,
        };
        let artefact = self.compiler.compile(&watched, &self.settings, bounds);
        let artefact = artefact.map_err(|error| Fault::Uncompiled(error.to_string()))?;
        keep(about, &artefact);
        let mut loaded = Loaded::of(&self.engine, &self.linker, about, &artefact)?;
        if let Some(profiling) = &self.profiling {
            let named = profiling.named.iter().find(|named| code_of(named) == code_of(wasm));
            loaded.names = Arc::new(profile::names(named.map_or(wasm, Vec::as_slice)));
        }
        Ok(loaded)
    }

    /// Where the machine code of a module is kept, in an engine that keeps any.
    fn place(&self, code: &CodeHash) -> Option<PathBuf> {
        self.artefacts.as_ref().map(|artefacts| artefacts.path(code))
    }

    /// A clean instance: the kept one put back, or a fresh one.
    fn clean(&self, loaded: &Loaded, kept: Option<Box<Live>>) -> Result<Box<Live>, Fault> {
        let Some(mut live) = kept else { return Live::start(&self.engine, loaded).map(Box::new) };
        live.reset_memory(loaded)?;
        if live.is_to_compare() {
            live.compare(&self.engine, loaded)?;
        }
        Ok(live)
    }

    /// Runs a call; the instance too, where it may be kept.
    fn run(
        &self,
        loaded: &Loaded,
        kept: Option<Box<Live>>,
        export: &str,
        context: Context,
        argument: &[u8],
        gas: u64,
    ) -> Result<(CallReport, Option<Box<Live>>), Fault> {
        let failed =
            |failure, text, gas_used| CallReport { outcome: CallOutcome::Failed(failure, text), gas_used };
        let Some(start) = gas.checked_sub(loaded.start_gas) else {
            return Ok((failed(Failure::OutOfGas, "no gas for an instance".into(), gas), kept));
        };
        let Some(place) = loaded.call(export) else {
            let text = format!("the module has no call `{export}`");
            return Ok((failed(Failure::HostRule, text, loaded.start_gas), kept));
        };
        let start = i64::try_from(start).unwrap_or(i64::MAX);
        let mut live = self.clean(loaded, kept)?;
        let recorder = self.profiling.as_ref().map(|profiling| &profiling.recorder);
        live.store.data_mut().recorder = recorder.cloned();
        if let Some(recorder) = recorder {
            recorder.begin(&format!("call {export}"), &loaded.names, gas, loaded.start_gas);
        }
        let returned = live.call(loaded, place, context, argument, start)?;
        let may_be_kept = returned.is_ok() && self.settings.kept_max > 0 && live.may_be_kept(loaded);
        let report = report(&mut live, returned, gas, loaded.start_gas)?;
        if let Some(recorder) = recorder {
            recorder.end(report.gas_used);
        }
        Ok((report, may_be_kept.then_some(live)))
    }
}

impl Cache {
    fn find(&mut self, code: &CodeHash) -> Option<&mut Cached> {
        self.uses += 1;
        let found = self.modules.get_mut(code)?;
        found.used = self.uses;
        Some(found)
    }

    /// The module of a call, and the instance that it may begin with.
    fn take(&mut self, code: &CodeHash) -> Option<(Arc<Loaded>, Option<Box<Live>>)> {
        let found = self.find(code)?;
        let (loaded, kept) = (Arc::clone(&found.loaded), found.kept.take());
        self.kept -= usize::from(kept.is_some());
        Some((loaded, kept))
    }

    /// Adds a module; those that were used longest ago make room, until what is left is within bounds or is this one.
    fn add(&mut self, code: CodeHash, loaded: Loaded, settings: &Settings) {
        self.uses += 1;
        self.bytes += loaded.bytes;
        let cached = Cached { used: self.uses, loaded: Arc::new(loaded), kept: None };
        if let Some(before) = self.modules.insert(code, cached) {
            self.drop(&before);
        }
        while self.modules.len() > 1
            && (self.modules.len() > settings.modules_max || self.bytes > settings.module_bytes_max)
        {
            let oldest = self.modules.iter().min_by_key(|(_, cached)| cached.used).map(|(code, _)| *code);
            let Some(gone) = oldest.and_then(|code| self.modules.remove(&code)) else { break };
            self.drop(&gone);
        }
    }

    /// Counts one no more.
    fn drop(&mut self, gone: &Cached) {
        self.bytes -= gone.loaded.bytes;
        self.kept -= usize::from(gone.kept.is_some());
    }

    /// Keeps an instance after a call; where one is kept that another call left meanwhile, or the module was loaded
    /// anew, this one goes.
    fn keep(&mut self, code: &CodeHash, loaded: &Arc<Loaded>, live: Box<Live>, kept_max: usize) {
        let is_its_place =
            |cached: &&mut Cached| cached.kept.is_none() && Arc::ptr_eq(&cached.loaded, loaded);
        let Some(cached) = self.modules.get_mut(code).filter(is_its_place) else { return };
        cached.kept = Some(live);
        self.kept += 1;
        if self.kept > kept_max {
            let kept = self.modules.values_mut().filter(|cached| cached.kept.is_some());
            kept.min_by_key(|cached| cached.used).and_then(|oldest| oldest.kept.take());
            self.kept -= 1;
        }
    }
}

/// How a call ended and what it cost.
pub(super) fn report(
    live: &mut Live,
    returned: wasmtime::Result<Returned>,
    gas: u64,
    start_gas: u64,
) -> Result<CallReport, Fault> {
    let start = i64::try_from(gas.saturating_sub(start_gas)).unwrap_or(i64::MAX);
    let (ended, left) = match (live.store.data_mut().ended.take(), &returned) {
        (Some((ended, left)), _) => (Some(ended), left),
        (None, Ok((_, left, _))) => (None, *left),
        (None, Err(_)) => (None, live.gas_left()),
    };
    let outcome = outcome(live, ended, returned.map(|(said, ..)| said), left)?;
    let out_of_gas = matches!(outcome, CallOutcome::Failed(Failure::OutOfGas, _));
    let gas_used = if out_of_gas { gas } else { start_gas + start.abs_diff(left) };
    Ok(CallReport { outcome, gas_used })
}

/// What a call ended with. A fault comes first; then gas: whatever a call says when its gas is used up, that is
/// why it ends.
fn outcome(
    live: &mut Live,
    ended: Option<Ended>,
    returned: wasmtime::Result<i32>,
    left: i64,
) -> Result<CallOutcome, Fault> {
    let failed = |failure, text: &str| Ok(CallOutcome::Failed(failure, text.into()));
    let (store, handles) = (&mut live.store, live.handles);
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
    fn load(&self, code: &CodeHash, wasm: &[u8], bounds: Bounds) -> Result<(), Fault> {
        if self.is_ready(code)? {
            return Ok(());
        }
        // Compiled outside the lock: who runs other modules does not wait.
        let loaded = self.compiled(wasm, bounds, |about, artefact| {
            if let Some(place) = self.place(code) {
                Artefacts::write(&place, about, artefact);
            }
        })?;
        self.cache()?.add(*code, loaded, &self.settings);
        Ok(())
    }

    fn is_loaded(&self, code: &CodeHash) -> bool {
        self.cache().is_ok_and(|mut cache| cache.find(code).is_some())
    }

    fn is_ready(&self, code: &CodeHash) -> Result<bool, Fault> {
        if self.is_loaded(code) {
            return Ok(true);
        }
        let Some(place) = self.place(code) else { return Ok(false) };
        // What does not load is damaged in a way of its own: it is made again, like what is missing.
        let loaded = Artefacts::read(&place, |about, artefact| {
            Loaded::of(&self.engine, &self.linker, about, artefact).ok()
        });
        let Some(loaded) = loaded else { return Ok(false) };
        self.cache()?.add(*code, loaded, &self.settings);
        Ok(true)
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
        let Some(_open) = self.rooms.open() else {
            let text = "calls of agreements are open in one another too deep".into();
            let outcome = CallOutcome::Failed(Failure::StackLimit, text);
            return Ok(CallReport { outcome, gas_used: 0 });
        };
        let taken = self.cache()?.take(code);
        let (loaded, kept) = taken.ok_or(Fault::Unloaded)?;
        // Agreements call each other: each call has the whole of its stack, whoever's thread this is.
        let room = self.settings.native_stack_bytes + HOST_STACK_BYTES;
        let run = || {
            stacker::maybe_grow(room, room + HOST_STACK_BYTES, || {
                host::lend(session, || self.run(&loaded, kept, export, context, argument, gas))
            })
        };
        // A panic of the host's own code in a call is this replica's fault, and must not take the process along.
        let ran = catch_unwind(AssertUnwindSafe(run))
            .unwrap_or_else(|_| Err(Fault::Engine(format!("the host panicked in `{export}`"))));
        let (report, live) = ran?;
        if let Some(live) = live {
            self.cache()?.keep(code, &loaded, live, self.settings.kept_max.min(KEPT_MAX));
        }
        Ok(report)
    }
}
