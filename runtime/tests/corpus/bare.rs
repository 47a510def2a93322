//! The instrumented module against the bare one: where both come to an end of their own, they leave the same memory.

use crate::{Case, Class, GAS, by_chance, run};
use tenor_abi::id::Hash;
use tenor_runtime::vm::{CallOutcome, Engine, Expected, examine};
use tenor_wire::crypto::plain_hash;
use wasmtime::{Config, Extern, Linker, Module, Store, Trap, Val};

/// How a bare module ended, and its memory; nothing when it was stopped from outside.
fn bare(engine: &wasmtime::Engine, wasm: &[u8], export: &str) -> Option<(bool, Option<Hash>)> {
    let module = Module::new(engine, wasm).ok()?;
    let mut store = Store::new(engine, ());
    store.set_fuel(20 * GAS).ok()?;
    let instance = Linker::new(engine).instantiate(&mut store, &module).ok()?;
    let function = instance.get_func(&mut store, export)?;
    let ty = function.ty(&store);
    if ty.params().len() > 0 {
        return None;
    }
    let mut results = vec![Val::I32(0); ty.results().len()];
    let done = match function.call(&mut store, &[], &mut results) {
        Ok(()) => true,
        Err(error) => match error.downcast_ref::<Trap>() {
            Some(Trap::OutOfFuel | Trap::StackOverflow) | None => return None,
            Some(_) => false,
        },
    };
    let exports: Vec<Extern> = instance.exports(&mut store).map(wasmtime::Export::into_extern).collect();
    let memory = exports.into_iter().find_map(Extern::into_memory);
    Some((done, memory.map(|memory| plain_hash(&[memory.data(&store)]))))
}

#[test]
fn counting_changes_no_result() {
    let mut config = Config::new();
    config.consume_fuel(true);
    let (plain, ours) = (wasmtime::Engine::new(&config).unwrap(), Engine::new().unwrap());
    let mut compared = 0;
    for Case { name, wasm, class } in by_chance::cases().into_iter().chain(run::cases()) {
        if !examine(&wasm, Expected::Module).findings.is_empty() {
            continue;
        }
        let export = if class == Class::Any { by_chance::some_export(&wasm) } else { "f".into() };
        let counted = ours.try_alone(&wasm, &export, GAS).unwrap();
        let done = match (&counted.report.outcome, counted.word()) {
            (CallOutcome::Done { .. }, _) => true,
            (_, "trap") => false,
            // Ended by a limit of ours, or by the host: the bare module has neither.
            _ => continue,
        };
        let Some((bare_done, memory)) = bare(&plain, &wasm, &export) else { continue };
        assert_eq!(bare_done, done, "{name}");
        if let Some(memory) = memory {
            assert_eq!(memory, counted.memory_sha3, "{name}");
        }
        compared += 1;
    }
    assert!(compared >= 80, "{compared} modules were compared");
}
