//! Profiles: every unit of gas is somebody's, however a call ends.

use crate::desk::{Desk, GAS, module};
use tenor_abi::id::CodeHash;
use tenor_runtime::vm::{Bounds, Context, Engine, Guest, Profile};

fn profile(body: &str, gas: u64) -> (Profile, u64) {
    let (wasm, code) = (module(body), CodeHash([1; 32]));
    let run = |engine: &Engine| {
        engine.load(&code, &wasm, Bounds::NEW).unwrap();
        engine.call(&code, "f", Context::Action, b"12345", gas, &mut Desk::default()).unwrap()
    };
    let (plain, watching) = (Engine::new().unwrap(), Engine::profiling(vec![]).unwrap());
    let (expected, watched) = (run(&plain), run(&watching));
    assert_eq!(watched, expected, "being watched changes nothing: {body}");
    (watching.take_profile(), expected.gas_used)
}

/// Function names with their calls, in the order in which they were first met.
fn met(profile: &Profile) -> Vec<(&str, u64)> {
    profile.nodes()[1..].iter().map(|node| (node.name.as_str(), node.calls)).collect()
}

#[test]
fn gas_is_told_by_function_and_host_call() {
    let (found, gas) = profile(
        r#"(import "tenor_1" "storage_set" (func $set (param i32 i32 i32 i32))) (memory (export "memory") 1)
        (func $work (param i32) (result i32)
            (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (return (i32.const 7)))
        (func $twice (drop (call $work (i32.const 10))) (drop (call $work (i32.const 1000))))
        (func (export "f") (result i32)
            (call $twice) (call $set (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 8)) (i32.const 0))"#,
        GAS,
    );
    assert_eq!(found.gas_of(0), gas);
    assert_eq!(
        met(&found),
        [("call f", 1), ("(start)", 1), ("f", 1), ("twice", 1), ("work", 2), ("storage_set", 1)]
    );
    let set = found.nodes().iter().find(|node| node.name == "storage_set").unwrap();
    assert!(set.is_host && set.gas == 3_000 + 20 * 8 + 20 * 4, "{set:?}");
    let work = found.nodes().iter().find(|node| node.name == "work").unwrap();
    assert!(work.gas > 5_000, "{work:?}");
}

#[test]
fn every_ending_adds_up() {
    let bodies = [
        "(memory (export \"memory\") 1) (func (export \"f\") (result i32) unreachable)",
        "(memory (export \"memory\") 1) (func $g (unreachable)) (func (export \"f\") (result i32) (call $g) (i32.const 0))",
        "(memory (export \"memory\") 1) (func $f (export \"f\") (result i32) (call $f))",
        "(memory (export \"memory\") 1) (func (export \"f\") (result i32) (loop (br 0)) (i32.const 0))",
        "(memory (export \"memory\") 1) (func (export \"f\") (result i32) (drop (memory.grow (i32.const 9999))) (i32.const 0))",
        "(memory (export \"memory\") 1) (func $g (result i32) (block (br_if 1 (i32.const 3) (i32.const 1)) drop) (i32.const 4)) (func (export \"f\") (result i32) (drop (call $g)) (i32.const 0))",
    ];
    for body in bodies {
        let (found, gas) = profile(body, 300_000);
        assert_eq!(found.gas_of(0), gas, "{body}");
    }
}
