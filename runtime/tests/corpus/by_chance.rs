//! Modules that chance made: whole ones, and honest ones that were changed. Whatever they do, they do it always.

use crate::{Case, Class};
use wasm_smith::{Config, Module};

const WHOLE: u64 = 60;
const CHANGED: u64 = 60;

/// Bytes that follow from a number alone.
fn noise(mut seed: u64, count: usize) -> Vec<u8> {
    seed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 32) as u8
    };
    (0..count).map(|_| next()).collect()
}

pub fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = (0..WHOLE).map(whole).collect();
    cases.extend((0..CHANGED).filter_map(changed));
    cases
}

fn whole(seed: u64) -> Case {
    let bytes = noise(seed, 4_096);
    let config = Config {
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
        compact_imports_enabled: false,
        wide_arithmetic_enabled: false,
        extended_const_enabled: false,
        threads_enabled: false,
        saturating_float_to_int_enabled: false,
        bulk_memory_enabled: seed.is_multiple_of(2),
        max_imports: 0,
        min_funcs: 1,
        max_memories: 1,
        max_tables: 1,
        export_everything: true,
        max_memory32_bytes: 16 * 1024 * 1024,
        ..Config::default()
    };
    let module = Module::new(config, &mut arbitrary::Unstructured::new(&bytes)).unwrap();
    Case { name: format!("by chance, {seed}"), wasm: module.to_bytes(), class: Class::Any }
}

/// An honest module of which something was changed.
fn changed(seed: u64) -> Option<Case> {
    let honest = wat::parse_str(
        r#"(module (memory (export "memory") 1) (data (i32.const 8) "balance") (global $n (mut i64) (i64.const 3))
        (func $pay (param i64 i64) (result i64) (local i64)
          (local.set 2 (i64.const 0))
          (loop (local.set 2 (i64.add (local.get 2) (i64.rem_u (local.get 0) (i64.or (local.get 1) (i64.const 1)))))
            (local.set 0 (i64.sub (local.get 0) (i64.const 1))) (br_if 0 (i64.gt_s (local.get 0) (i64.const 0))))
          (i64.store (i32.const 64) (local.get 2)) (global.set $n (local.get 2)) (local.get 2))
        (func (export "f") (result i32) (i32.wrap_i64 (call $pay (i64.const 100) (global.get $n)))))"#,
    )
    .unwrap();
    let mut mutate = wasm_mutate::WasmMutate::default();
    mutate.seed(seed).preserve_semantics(seed.is_multiple_of(2)).fuel(1_000);
    let wasm = mutate.run(&honest).ok()?.next()?.ok()?;
    Some(Case { name: format!("changed, {seed}"), wasm, class: Class::Any })
}

/// The first exported function without parameters; any name where there is none.
pub fn some_export(wasm: &[u8]) -> String {
    let admitted = tenor_runtime::vm::examine(wasm, tenor_runtime::vm::Expected::Module).admitted;
    let others = admitted.other_exports.into_iter().map(|(name, _)| name);
    admitted.exports.into_iter().chain(others).next().unwrap_or_default()
}
