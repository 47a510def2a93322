//! Instrumentation: a module that is admitted behaves as the bare one, where neither is stopped by a limit.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;
use tenor_runtime::vm::{CallOutcome, Engine, Expected, examine};
use tenor_wire::crypto::plain_hash;
use wasm_smith::{Config, Module};
use wasmtime::{Extern, Linker, Store, Trap, Val};

const GAS: u64 = 10_000_000;

struct Engines {
    ours: Engine,
    bare: wasmtime::Engine,
}

static ENGINES: OnceLock<Engines> = OnceLock::new();

fn engines() -> &'static Engines {
    ENGINES.get_or_init(|| {
        let mut config = wasmtime::Config::new();
        config.consume_fuel(true);
        let bare = wasmtime::Engine::new(&config).expect("this machine runs wasm");
        Engines { ours: Engine::new().expect("this machine runs wasm"), bare }
    })
}

fn config() -> Config {
    Config {
        allow_floats: false,
        allow_start_export: false,
        simd_enabled: false,
        relaxed_simd_enabled: false,
        reference_types_enabled: false,
        multi_value_enabled: false,
        tail_call_enabled: false,
        exceptions_enabled: false,
        memory64_enabled: false,
        gc_enabled: false,
        threads_enabled: false,
        saturating_float_to_int_enabled: false,
        max_imports: 0,
        min_funcs: 1,
        max_memories: 1,
        max_tables: 1,
        export_everything: true,
        max_memory32_bytes: 16 * 1024 * 1024,
        ..Config::default()
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(module) = Module::new(config(), &mut arbitrary::Unstructured::new(bytes)) else { return };
    let wasm = module.to_bytes();
    if !examine(&wasm, Expected::Module).findings.is_empty() {
        return;
    }
    let Engines { ours, bare } = engines();
    let compiled = wasmtime::Module::new(bare, &wasm).expect("what is admitted is valid");
    let names: Vec<String> = compiled
        .exports()
        .filter(|export| export.ty().func().is_some_and(|ty| ty.params().len() == 0))
        .map(|export| export.name().to_string())
        .collect();
    for name in names {
        let counted = ours.try_alone(&wasm, &name, GAS).expect("what is admitted runs");
        let done = match (&counted.report.outcome, counted.word()) {
            (CallOutcome::Done { .. }, _) => true,
            (_, "trap") => false,
            _ => continue,
        };
        let mut store = Store::new(bare, ());
        store.set_fuel(20 * GAS).expect("fuel is on");
        let instance = Linker::new(bare).instantiate(&mut store, &compiled).expect("segments lie inside");
        let function = instance.get_func(&mut store, &name).expect("it is exported");
        let mut results = vec![Val::I32(0); function.ty(&store).results().len()];
        let bare_done = match function.call(&mut store, &[], &mut results) {
            Ok(()) => true,
            Err(error) => match error.downcast_ref::<Trap>() {
                Some(Trap::OutOfFuel | Trap::StackOverflow) | None => continue,
                Some(_) => false,
            },
        };
        assert_eq!(bare_done, done, "{name}");
        let exports: Vec<Extern> = instance.exports(&mut store).map(wasmtime::Export::into_extern).collect();
        if let Some(memory) = exports.into_iter().find_map(Extern::into_memory) {
            assert_eq!(plain_hash(&[memory.data(&store)]), counted.memory_sha3, "{name}");
        }
    }
});
