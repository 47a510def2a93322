//! An instance of a compiled module: how it starts, is called, and comes back to its beginning.
//!
//! A call starts from a clean instance, either one of its own or one that was kept and put back: its globals by
//! an injected function, its memory from the image. What cannot be put back (a trap left it anywhere, its memory
//! grew) is thrown away. That both are the same is compared in tests at every call and elsewhere now and then.

use super::compiler::{About, module_of};
use super::host::Ended;
use super::instrument::{CALL, GAS, GLOBAL, GROWTH, MEMORY, RESET, Reset, STACK, page_shift};
use super::profile::Recorder;
use crate::fault::Fault;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use tenor_abi::host::Context;
use wasmtime::{
    Extern, Global, Instance, InstancePre, Linker, Memory, Module, ModuleExport, Store, TypedFunc,
};

/// Calls of a kept instance after which it is compared with a fresh one; in tests after each.
const COMPARED_EVERY: u64 = if cfg!(debug_assertions) { 1 } else { 16_384 };
/// Bytes that a compiled module takes besides those of its artefact.
const BYTES: usize = 32 * 1024;
/// How far a store that begins in a page may reach into the next.
const REACH_BYTES: usize = 7;

pub(super) fn broken(error: impl std::fmt::Display) -> Fault {
    Fault::Engine(format!("{error:#}"))
}

/// One call: its argument, what it said, why it ended.
pub(super) struct Frame {
    pub(super) context: Context,
    pub(super) argument: Vec<u8>,
    pub(super) answer: Vec<u8>,
    /// What the latest call of another agreement came to.
    pub(super) called: Vec<u8>,
    pub(super) refusal: Option<(u16, Vec<u8>)>,
    /// Why the host ended it, and the gas that was left then.
    pub(super) ended: Option<(Ended, i64)>,
    pub(super) handles: Option<Handles>,
    /// Who records where the gas goes, in an engine that profiles.
    pub(super) recorder: Option<Recorder>,
    /// Pages that the host wrote to.
    pages: u64,
    page_shift: u32,
}

impl Frame {
    fn begin(&mut self, context: Context, argument: &[u8]) {
        self.context = context;
        self.argument.clear();
        self.argument.extend_from_slice(argument);
        self.answer = vec![];
        self.called = vec![];
        self.refusal = None;
        self.ended = None;
        self.pages = 0;
    }

    /// Notes that the host writes bytes from a place on.
    pub(super) fn note(&mut self, start: usize, length: usize) {
        if length > 0 {
            let (first, last) = (start >> self.page_shift, (start + length - 1) >> self.page_shift);
            self.pages |= (first..=last).fold(0, |bits, page| bits | 1 << (page & 63));
        }
    }
}

/// What the host touches of an instance.
#[derive(Clone, Copy)]
pub(super) struct Handles {
    pub(super) memory: Memory,
    pub(super) gas: Global,
    pub(super) stack: Global,
    pub(super) growth: Global,
}

/// A compiled module, and where in it everything is that a call needs.
pub(super) struct Loaded {
    pre: InstancePre<Frame>,
    module: Module,
    memory: ModuleExport,
    gas: ModuleExport,
    stack: ModuleExport,
    growth: ModuleExport,
    reset_globals: ModuleExport,
    /// Place of each call in `entries`.
    calls: BTreeMap<String, usize>,
    entries: Vec<ModuleExport>,
    globals: Vec<ModuleExport>,
    reset: Reset,
    /// Gas of beginning a call.
    pub(super) start_gas: u64,
    /// Bytes that it takes, more or less.
    pub(super) bytes: usize,
    /// Names of its functions, in an engine that profiles.
    pub(super) names: Arc<Vec<String>>,
    image: OnceLock<Image>,
}

/// The memory of a fresh instance, without the zeros at its end.
struct Image {
    bytes: Vec<u8>,
    size: usize,
}

impl Loaded {
    /// A module out of an artefact.
    pub(super) fn of(
        engine: &wasmtime::Engine,
        linker: &Linker<Frame>,
        about: About,
        artefact: &[u8],
    ) -> Result<Loaded, Fault> {
        let module = module_of(engine, artefact)?;
        let pre = linker.instantiate_pre(&module).map_err(broken)?;
        let export =
            |name: &str| module.get_export_index(name).ok_or_else(|| Fault::Engine(format!("no `{name}`")));
        let (mut calls, mut entries, mut globals) = (BTreeMap::new(), vec![], vec![]);
        for exported in module.exports() {
            if let Some(name) = exported.name().strip_prefix(CALL) {
                calls.insert(name.to_owned(), entries.len());
                entries.push(export(exported.name())?);
            } else if exported.name().starts_with(GLOBAL) {
                globals.push(export(exported.name())?);
            }
        }
        Ok(Loaded {
            memory: export(MEMORY)?,
            gas: export(GAS)?,
            stack: export(STACK)?,
            growth: export(GROWTH)?,
            reset_globals: export(RESET)?,
            calls,
            entries,
            globals,
            reset: about.reset,
            start_gas: about.start_gas,
            bytes: BYTES + artefact.len(),
            names: Arc::default(),
            image: OnceLock::new(),
            pre,
            module,
        })
    }

    pub(super) fn call(&self, export: &str) -> Option<usize> {
        self.calls.get(export).copied()
    }

    /// The type of an exported function, by whatever name the module gave it.
    pub(super) fn function(&self, export: &str) -> Option<wasmtime::FuncType> {
        self.module.get_export(export).and_then(|ty| ty.func().cloned())
    }
}

/// What a call returns, the gas that is left then, and the pages that it wrote to.
pub(super) type Returned = (i32, i64, i64);

/// An instance that is there.
pub(super) struct Live {
    pub(super) store: Store<Frame>,
    instance: Instance,
    pub(super) handles: Handles,
    entries: Vec<Option<TypedFunc<i64, Returned>>>,
    calls: u64,
    /// Pages that the latest call wrote to.
    written: u64,
}

impl Live {
    /// A fresh instance.
    pub(super) fn start(engine: &wasmtime::Engine, loaded: &Loaded) -> Result<Live, Fault> {
        let frame = Frame {
            context: Context::View,
            argument: vec![],
            answer: vec![],
            called: vec![],
            refusal: None,
            ended: None,
            handles: None,
            recorder: None,
            pages: 0,
            page_shift: 0,
        };
        let mut store = Store::new(engine, frame);
        let instance = loaded.pre.instantiate(&mut store).map_err(broken)?;
        let mut get = |export| {
            instance.get_module_export(&mut store, export).ok_or_else(|| broken("an export is missing"))
        };
        let global = |export: Extern| export.into_global().ok_or_else(|| broken("a counter is no global"));
        let handles = Handles {
            memory: get(&loaded.memory)?.into_memory().ok_or_else(|| broken("the memory is none"))?,
            gas: global(get(&loaded.gas)?)?,
            stack: global(get(&loaded.stack)?)?,
            growth: global(get(&loaded.growth)?)?,
        };
        store.data_mut().handles = Some(handles);
        store.data_mut().page_shift = page_shift(handles.memory.data_size(&store) as u64);
        if loaded.reset != Reset::Never {
            loaded.image.get_or_init(|| Image::of(handles.memory.data(&store)));
        }
        Ok(Live { store, instance, handles, entries: vec![None; loaded.entries.len()], calls: 0, written: 0 })
    }

    /// Calls an export with gas, from clean globals on.
    pub(super) fn call(
        &mut self,
        loaded: &Loaded,
        place: usize,
        context: Context,
        argument: &[u8],
        gas: i64,
    ) -> Result<wasmtime::Result<Returned>, Fault> {
        self.calls += 1;
        self.store.data_mut().begin(context, argument);
        if self.entries[place].is_none() {
            let function = self.instance.get_module_export(&mut self.store, &loaded.entries[place]);
            let function =
                function.and_then(Extern::into_func).ok_or_else(|| broken("a call is no function"))?;
            self.entries[place] = Some(function.typed(&self.store).map_err(broken)?);
        }
        let Some(function) = &self.entries[place] else { return Err(broken("a call is not there")) };
        let returned = function.call(&mut self.store, gas);
        if let Ok((_, _, pages)) = returned {
            self.written = pages as u64 | self.store.data().pages;
        }
        Ok(returned)
    }

    /// Begins a call without an argument.
    pub(super) fn begin(&mut self, context: Context) {
        self.store.data_mut().begin(context, &[]);
    }

    /// Calls any exported function without parameters, from the globals on that stand there.
    pub(super) fn call_any(
        &mut self,
        export: &str,
        results: &mut [wasmtime::Val],
    ) -> Result<wasmtime::Result<()>, Fault> {
        let function =
            self.instance.get_func(&mut self.store, export).ok_or_else(|| broken("no such function"))?;
        Ok(function.call(&mut self.store, &[], results))
    }

    /// What the counter of gas says.
    pub(super) fn gas_left(&mut self) -> i64 {
        self.handles.gas.get(&mut self.store).i64().unwrap_or(-1)
    }

    /// Whether the contract said that it refuses.
    pub(super) fn has_refused(&self) -> bool {
        self.store.data().refusal.is_some()
    }

    /// Puts the globals of an instance back and sets its gas.
    pub(super) fn reset_globals(&mut self, loaded: &Loaded, gas: i64) -> Result<(), Fault> {
        let function = self.instance.get_module_export(&mut self.store, &loaded.reset_globals);
        let function = function.and_then(Extern::into_func).ok_or_else(|| broken("no function resets"))?;
        function
            .typed::<i64, ()>(&self.store)
            .and_then(|reset| reset.call(&mut self.store, gas))
            .map_err(broken)
    }

    /// Whether an instance that returned can be put back.
    pub(super) fn may_be_kept(&self, loaded: &Loaded) -> bool {
        loaded.image.get().is_some_and(|image| self.handles.memory.data_size(&self.store) == image.size)
    }

    /// Puts the memory back; the globals come back with the next call.
    pub(super) fn reset_memory(&mut self, loaded: &Loaded) -> Result<(), Fault> {
        let image = loaded.image.get().ok_or_else(|| broken("an instance without an image was kept"))?;
        let memory = self.handles.memory.data_mut(&mut self.store);
        match loaded.reset {
            Reset::Pages => image.put_pages_back(memory, self.written),
            _ => image.put_back(memory, 0, image.size),
        }
        Ok(())
    }

    /// Whether it is time to compare this instance.
    pub(super) fn is_to_compare(&self) -> bool {
        self.calls.is_multiple_of(COMPARED_EVERY)
    }

    /// Compares an instance whose memory was put back with a fresh one.
    pub(super) fn compare(&mut self, engine: &wasmtime::Engine, loaded: &Loaded) -> Result<(), Fault> {
        let mut fresh = Live::start(engine, loaded)?;
        if self.handles.memory.data(&self.store) != fresh.handles.memory.data(&fresh.store) {
            return Err(broken("the memory of a kept instance differs from a fresh one"));
        }
        self.reset_globals(loaded, 0)?;
        fresh.reset_globals(loaded, 0)?;
        if self.globals(loaded) != fresh.globals(loaded) {
            return Err(broken("the globals of a kept instance differ from a fresh one"));
        }
        Ok(())
    }

    fn globals(&mut self, loaded: &Loaded) -> Vec<Option<i64>> {
        let mut value = |export| {
            let global = self.instance.get_module_export(&mut self.store, export)?.into_global()?;
            let value = global.get(&mut self.store);
            value.i64().or(value.i32().map(i64::from))
        };
        loaded.globals.iter().map(&mut value).collect()
    }
}

impl Image {
    fn of(memory: &[u8]) -> Image {
        let length = memory.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        Image { bytes: memory[..length].to_vec(), size: memory.len() }
    }

    /// Puts back what lies from `start` to before `end`.
    fn put_back(&self, memory: &mut [u8], start: usize, end: usize) {
        let kept = self.bytes.len().clamp(start, end);
        if kept > start {
            memory[start..kept].copy_from_slice(&self.bytes[start..kept]);
        }
        memory[kept..end].fill(0);
    }

    /// Puts back the pages whose bits are set, each with what a store into it may have reached behind it.
    fn put_pages_back(&self, memory: &mut [u8], mut bits: u64) {
        let shift = page_shift(self.size as u64);
        while bits != 0 {
            let start = ((bits.trailing_zeros() as usize) << shift).min(self.size);
            bits &= bits - 1;
            self.put_back(memory, start, (start + (1 << shift) + REACH_BYTES).min(self.size));
        }
    }
}
