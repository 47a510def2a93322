//! Instances that are kept between calls: whatever a call leaves behind, the next one begins clean, and ends
//! as it does on a fresh instance, at every setting of the engine.
//!
//! In builds with assertions the engine itself compares each kept instance with a fresh one.

use crate::desk::{Desk, GAS, module, words};
use proptest::prelude::*;
use tenor_abi::id::CodeHash;
use tenor_runtime::vm::{Bounds, Context, Engine, Guest, LIMITS, Reset, Settings, admit, instrument};

const CODE: CodeHash = CodeHash([1; 32]);

/// Every setting that must make no difference.
fn settings() -> Vec<Settings> {
    let standard = Settings::default();
    let mut all = vec![
        standard,
        Settings { kept_max: 0, ..standard },
        Settings { optimise: false, ..standard },
        Settings { copy_on_write: false, ..standard },
        Settings { pooled: false, ..standard },
    ];
    all.extend(
        [Reset::Pages, Reset::Whole, Reset::Never].map(|reset| Settings { reset: Some(reset), ..standard }),
    );
    all
}

/// Calls `f` once for each argument, on one engine of each setting; what each call came to, the same on all.
fn check(wasm: &[u8], arguments: &[Vec<u8>]) -> Vec<String> {
    admit(wasm).unwrap_or_else(|finding| panic!("{finding}"));
    let mut first: Option<Vec<String>> = None;
    for settings in settings() {
        let engine = Engine::with(settings).unwrap();
        engine.load(&CODE, wasm, Bounds::NEW).unwrap();
        let ended = |argument: &Vec<u8>| {
            let report = engine.call(&CODE, "f", Context::Action, argument, GAS, &mut Desk::default());
            format!("{} {}", report.as_ref().map_or(0, |report| report.gas_used), words(&report))
        };
        let ended: Vec<String> = arguments.iter().map(ended).collect();
        assert_eq!(*first.get_or_insert_with(|| ended.clone()), ended, "{settings:?}");
    }
    first.unwrap()
}

/// The argument stands at 0: what to do, and four numbers. What was left from before is answered.
const ALL_WRITES: &str = r#"
    (import "tenor_1" "arg_read" (func $arg_read (param i32 i32) (result i32)))
    (import "tenor_1" "ret" (func $ret (param i32 i32)))
    (memory (export "memory") 3) (data (i32.const 4000) "what stands here is put back") (data (i32.const 150000) "this too")
    (global $left (mut i32) (i32.const 7)) (global $wide (mut i64) (i64.const -9))
    (func (export "f") (result i32) (local $a i32) (local $b i32) (local $c i32)
      (drop (call $arg_read (i32.const 0) (i32.const 16)))
      (local.set $a (i32.load (i32.const 4))) (local.set $b (i32.load (i32.const 8))) (local.set $c (i32.load (i32.const 12)))
      (i32.store (i32.const 16) (global.get $left)) (i64.store (i32.const 20) (global.get $wide))
      (i32.store (i32.const 28) (i32.load (local.get $a)))
      (i64.store (i32.const 32) (i64.load (local.get $b)))
      (call $ret (i32.const 16) (i32.const 24))
      (global.set $left (local.get $a)) (global.set $wide (i64.extend_i32_u (local.get $b)))
      (i32.store8 offset=5 (local.get $a) (i32.const 7)) (i32.store16 offset=3 (local.get $b) (i32.const -1))
      (i32.store (local.get $b) (i32.const -1)) (i64.store8 (local.get $c) (i64.const 9)) (i64.store16 offset=4090 (local.get $a) (i64.const -1))
      (i64.store32 (local.get $b) (i64.const -1)) (i64.store (local.get $c) (i64.const -1))
      (memory.fill (local.get $a) (i32.const 9) (i32.and (local.get $c) (i32.const 0xffff)))
      (memory.copy (local.get $c) (local.get $a) (i32.and (local.get $b) (i32.const 0x1fff)))
      (if (i32.eq (i32.load8_u (i32.const 0)) (i32.const 1)) (then (drop (memory.grow (i32.const 1)))))
      (if (i32.eq (i32.load8_u (i32.const 0)) (i32.const 2)) (then unreachable))
      (i32.const 0))"#;

fn argument(what: u8, a: u32, b: u32, c: u32) -> Vec<u8> {
    [[what, 0, 0, 0], a.to_le_bytes(), b.to_le_bytes(), c.to_le_bytes()].concat()
}

/// Writes through a parameter and through locals that are set early, late, or twice; the argument names the places.
const THROUGH_LOCALS: &str = r#"
    (import "tenor_1" "arg_read" (func $arg_read (param i32 i32) (result i32)))
    (import "tenor_1" "ret" (func $ret (param i32 i32)))
    (memory (export "memory") 1) (data (i32.const 2000) "what stands here is put back") (data (i32.const 60000) "this too")
    (func $fill (param $to i32) (local $frame i32) (local $late i32) (local $twice i32)
      (i64.store offset=7 (local.get $frame) (i64.const 1)) (i32.store offset=500 (local.get $frame) (i32.const 1))
      (local.get $frame)
      (local.set $frame (i32.sub (local.get $to) (i32.const 700)))
      (i32.store (i32.const 2))
      (i32.store offset=1000 (local.get $to) (i32.const -1)) (i64.store8 offset=40 (local.get $to) (i64.const -1))
      (i64.store offset=1016 (local.get $frame) (i64.const -1)) (i32.store (local.get $frame) (i32.const -1))
      (local.set $twice (i32.add (local.get $to) (i32.const 1500))) (i64.store16 (local.get $twice) (i64.const 3))
      (i32.store offset=3 (local.get $late) (i32.const 5)) (i32.store offset=900 (local.get $late) (i32.const 5))
      (if (i32.and (local.get $to) (i32.const 1)) (then (local.set $late (local.get $to)) (local.set $twice (i32.const 9000))))
      (i64.store offset=64 (local.get $late) (i64.const -1)) (i64.store offset=2000 (local.get $late) (i64.const -1))
      (i64.store offset=8 (local.get $twice) (i64.const 4)))
    (func (export "f") (result i32) (local $a i32) (local $b i32)
      (drop (call $arg_read (i32.const 30000) (i32.const 16)))
      (local.set $a (i32.load (i32.const 30004))) (local.set $b (i32.load (i32.const 30008)))
      (call $ret (local.get $a) (i32.const 3000))
      (call $fill (local.get $a)) (call $fill (local.get $b))
      (i32.const 0))"#;

#[test]
fn a_call_leaves_nothing_to_the_next() {
    let wasm = module(ALL_WRITES);
    let same = argument(0, 4_000, 150_000, 70_000);
    let ended = check(&wasm, &[same.clone(), argument(0, 4_096, 4_095, 195_000), same.clone()]);
    assert_eq!(ended[0], ended[2]);
    // A trap and grown memory leave an instance that is not used again.
    let ended = check(&wasm, &[same.clone(), argument(2, 1, 2, 3), same.clone(), argument(1, 9, 9, 9), same]);
    assert!(ended[1].contains("trapped"), "{}", ended[1]);
    assert!(ended[0] == ended[2] && ended[2] == ended[4]);
}

#[test]
fn how_it_is_reset_is_chosen_from_the_bytes() {
    let reset = |text: &str| instrument(&module(text), &LIMITS).unwrap().reset;
    assert_eq!(reset(ALL_WRITES), Reset::Pages);
    let stores = "(i32.store (i32.const 0) (i32.const 1))".repeat(500);
    let heavy = |pages| format!("(memory (export \"memory\") {pages}) (func (loop {stores}))");
    assert_eq!([1, 2, 3].map(|pages| reset(&heavy(pages))), [Reset::Whole, Reset::Whole, Reset::Never]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn no_write_is_missed(places in prop::collection::vec((0u8..4, 0u32..200_000, 0u32..200_000, 0u32..200_000), 4)) {
        let arguments: Vec<Vec<u8>> = places.into_iter().map(|(what, a, b, c)| argument(what, a, b, c)).collect();
        check(&module(ALL_WRITES), &arguments);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn what_is_written_through_locals_is_put_back(places in prop::collection::vec((700u32..61_000, 700u32..61_000), 2..5)) {
        let arguments: Vec<Vec<u8>> = places.iter().map(|(a, b)| argument(0, *a, *b, 0)).collect();
        let (forth, back) = (arguments.clone(), arguments.iter().rev().cloned().collect::<Vec<_>>());
        let ended = check(&module(THROUGH_LOCALS), &[forth, back].concat());
        prop_assert!(ended.iter().eq(ended.iter().rev()), "{:?}", ended);
    }
}
