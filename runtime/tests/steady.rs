//! Memory of the process: flat over many calls, and bounded over many contracts. Alone in its process, so that
//! nothing else is counted.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read its own memory has nothing better to do than to stop"
)]

use tenor_abi::id::CodeHash;
use tenor_runtime::vm::{Bounds, CallOutcome, Context, Engine, Guest, Settings, World};

const GAS: u64 = 10_000_000;
const MIB: usize = 1024 * 1024;

/// Bytes of memory that the process takes.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// A contract that writes to its memory; the number makes it another module.
fn module(number: u32) -> Vec<u8> {
    let text = format!(
        "(module (import \"tenor_1\" \"storage_set\" (func $set (param i32 i32 i32 i32))) (memory (export \"memory\") 2)
         (data (i32.const 8) \"{number:08}\")
         (func (export \"f\") (result i32) (local i32)
           (loop (i32.store (local.get 0) (local.get 0)) (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 4096))) (i32.const 131072))))
           (call $set (i32.const 8) (i32.const 4) (i32.const 16) (i32.const 64)) (i32.const 0)))"
    );
    wat::parse_str(text).unwrap()
}

fn code(number: u32) -> CodeHash {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    CodeHash(bytes)
}

fn call(engine: &Engine, number: u32) {
    let code = code(number);
    if !engine.is_loaded(&code) {
        engine.load(&code, &module(number), Bounds::NEW).unwrap();
    }
    let report = engine.call(&code, "f", Context::Action, b"x", GAS, &mut World::default()).unwrap();
    assert!(matches!(report.outcome, CallOutcome::Done { .. }), "{report:?}");
}

#[test]
fn memory_is_flat_over_calls_and_bounded_over_contracts() {
    let engine = Engine::with(Settings { modules_max: 32, kept_max: 8, ..Settings::default() }).unwrap();
    (0..2_000).for_each(|_| call(&engine, 0));
    let before = resident();
    (0..20_000).for_each(|_| call(&engine, 0));
    let after = resident();
    assert!(after < before + 4 * MIB, "one contract, many calls: {before} bytes before, {after} after");

    // Each of many contracts is called, again and again; 32 are kept compiled, 8 at the ready.
    (0..100).for_each(|number| call(&engine, number));
    let before = resident();
    (0..300).for_each(|number| call(&engine, number));
    let after = resident();
    assert!(after < before + 24 * MIB, "many contracts: {before} bytes before, {after} after");
}
