//! What only the inside of the engine can show: that our depth limit comes before the native stack's end, at
//! the worst frames that are admitted, and that the cache is bounded.

use super::compiler::Bounds;
use super::engine::{Engine, NATIVE_STACK_BYTES, Settings};
use super::room::{OPEN_MAX, ROOMS};
use super::session::{CallEnd, CallOutcome, Guest, HostError, HostRule, Session};
use super::{Context, admit};
use crate::fault::Fault;
use crate::store::Row;
use std::fmt::Write;
use std::sync::{RwLock, mpsc};
use std::thread;
use tenor_abi::id::CodeHash;
use tenor_abi::refusal::Failure;

const GAS: u64 = 1_000_000_000;

/// A session that nothing may be asked of.
struct Nobody;

/// A session of which only other agreements may be called.
trait Calls {
    fn call(&mut self) -> CallEnd;
}

impl Calls for Nobody {
    fn call(&mut self) -> CallEnd {
        CallEnd { gas_used: 0, answer: Err(HostError::Rule(HostRule::Context, "call".into())) }
    }
}

macro_rules! calls_only {
    ($($name:ident($($param:ident: $ty:ty),*) -> $result:ty;)*) => {
        impl<C: Calls> Session for C {
            $(fn $name(&mut self, $($param: $ty),*) -> Result<$result, HostError> {
                $(let _ = $param;)*
                Err(HostError::Rule(HostRule::Context, stringify!($name).into()))
            })*
            fn call(&mut self, _: &[u8], _: Context, _: u64) -> CallEnd {
                Calls::call(self)
            }
        }
    };
}
calls_only! {
    emit(event: u16, data: &[u8]) -> ();
    storage_get(key: &[u8]) -> Option<&[u8]>;
    storage_set(key: &[u8], value: &[u8]) -> ();
    storage_remove(key: &[u8]) -> bool;
    storage_next(from: &[u8], end: &[u8], pay: &mut dyn FnMut(usize) -> bool) -> Option<Row>;
    post(request: &[u8]) -> Option<u32>;
    try_post(request: &[u8]) -> Option<Vec<u8>>;
    collect_up_to(request: &[u8]) -> Vec<u8>;
    balance(account: &[u8]) -> Vec<u8>;
    schedule_start(request: &[u8]) -> ();
    schedule_hold(kind: u16) -> ();
    schedule_resume(kind: u16) -> ();
    schedule_end(kind: u16) -> ();
    next_due(kind: u16) -> Option<Vec<u8>>;
    enter_state(state: u16) -> ();
    business_day(request: &[u8]) -> Vec<u8>;
    post_entry(request: &[u8]) -> Vec<u8>;
    hold(request: &[u8]) -> Vec<u8>;
    capture(request: &[u8]) -> ();
    release(request: &[u8]) -> ();
    statement(request: &[u8], count: u32) -> Vec<u8>;
    postings_since(request: &[u8]) -> u64;
    balance_on(request: &[u8]) -> Vec<u8>;
}

fn module(body: &str) -> Vec<u8> {
    let text = format!("(module (@custom \"tenor_spec\" \"spec\") {body})");
    let wasm = wat::parse_str(&text).unwrap_or_else(|error| panic!("{:.300}", error.to_string()));
    admit(&wasm).unwrap_or_else(|finding| panic!("{finding}"));
    wasm
}

fn call(engine: &Engine, wasm: &[u8]) -> Result<CallOutcome, Fault> {
    let code = CodeHash([1; 32]);
    engine.load(&code, wasm, Bounds::NEW)?;
    engine.call(&code, "f", Context::Action, b"", GAS, &mut Nobody).map(|report| report.outcome)
}

/// A module whose `$r` calls itself without end; `$r` takes an i64 and gives one.
fn recursion(code: &str) -> Vec<u8> {
    module(&format!(
        r#"(memory (export "memory") 1)
        (func $r (param i64) (result i64) (local i64) {code} (local.get 1))
        (func (export "f") (result i32) (i32.wrap_i64 (call $r (i64.const 7))))"#
    ))
}

/// `count` values that the compiler would rather keep over the recursion than make twice.
fn kept(count: u32, value: impl Fn(u32) -> String) -> Vec<u8> {
    let (mut before, mut after) = (String::new(), String::new());
    for number in 0..count {
        let value = value(number);
        write!(before, "(local.set 1 (i64.xor (local.get 1) {value}))").unwrap();
        write!(after, "(local.set 1 (i64.add (local.get 1) {value}))").unwrap();
    }
    recursion(&format!("{before} (local.set 1 (i64.xor (local.get 1) (call $r (local.get 0)))) {after}"))
}

/// The same value moved out of a loop in which the recursion happens.
fn hoisted(count: u32, value: impl Fn(u32) -> String) -> Vec<u8> {
    let mut inside = String::new();
    for number in 0..count {
        write!(inside, "(local.set 1 (i64.xor (local.get 1) {}))", value(number)).unwrap();
    }
    recursion(&format!(
        "(loop (local.set 1 (call $r (local.get 1))) {inside} (br_if 0 (i64.ne (local.get 1) (i64.const 9))))"
    ))
}

fn shapes() -> Vec<(&'static str, Vec<u8>)> {
    let mul = |number: u32| format!("(i64.mul (local.get 0) (i64.const {}))", 2 * number + 3);
    let pushed = |count: usize, what: &str, fold: &str| {
        format!("{} (call $r (local.get 0)) {}", what.repeat(count), fold.repeat(count))
    };
    let params = "(param i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64)";
    let gets: String = (0..16).map(|local| format!("(local.get {local})")).collect();
    let all_locals = |one: &dyn Fn(u32) -> String| (1..256).map(one).collect::<String>();
    vec![
        ("tiny", module(r#"(memory (export "memory") 1) (func $f (export "f") (result i32) (call $f))"#)),
        (
            "sixteen parameters",
            module(&format!(
                r#"(memory (export "memory") 1) (func $r {params} (result i64) {gets} (call $r) (i64.add (local.get 15)))
                (func (export "f") (result i32) {} (call $r) drop (i32.const 0))"#,
                "(i64.const 1)".repeat(16)
            )),
        ),
        (
            "through the table",
            module(&format!(
                r#"(type $t (func {params} (result i64))) (memory (export "memory") 1) (table 1 funcref) (elem (i32.const 0) $r)
                (func $r (type $t) {gets} (call_indirect (type $t) (i32.wrap_i64 (i64.shr_u (local.get 0) (i64.const 60)))) (i64.add (local.get 15)))
                (func (export "f") (result i32) {} (call $r) drop (i32.const 0))"#,
                "(i64.const 1)".repeat(16)
            )),
        ),
        ("operands", recursion(&format!("{} drop", pushed(3_000, "(i64.load (i32.const 8))", "i64.add ")))),
        (
            "parameters as operands",
            recursion(&format!("{} drop", pushed(9_000, "(local.get 0)", "i64.xor "))),
        ),
        (
            "all locals",
            module(&format!(
                r#"(memory (export "memory") 1) (func $r (param i64) (result i64) (local {}) {} (call $r (local.get 0)) {})
                (func (export "f") (result i32) (i32.wrap_i64 (call $r (i64.const 7))))"#,
                "i64 ".repeat(255),
                all_locals(&|local| format!("(local.set {local} (i64.load (i32.const {})))", 8 * local)),
                all_locals(&|local| format!("(i64.mul (local.get {local}))")),
            )),
        ),
        ("kept products", kept(2_500, mul)),
        ("kept products, few", kept(30, mul)),
        ("hoisted products", hoisted(4_500, mul)),
        (
            "kept squares",
            kept(1_000, |n| {
                "(i64.mul (local.get 0) ".repeat(n as usize % 9 + 1)
                    + &mul(n)
                    + &")".repeat(n as usize % 9 + 1)
            }),
        ),
        (
            "kept comparisons",
            kept(2_000, |n| {
                format!("(i64.extend_i32_u (i64.eqz (i64.mul (local.get 0) (i64.const {}))))", 2 * n + 3)
            }),
        ),
        (
            "kept counts",
            kept(2_000, |n| format!("(i64.popcnt (i64.rotl (local.get 0) (i64.const {})))", n % 64)),
        ),
        (
            "kept addresses",
            kept(1_800, |n| {
                format!("(i64.load (i32.mul (i32.wrap_i64 (local.get 0)) (i32.const {})))", 2 * n + 3)
            }),
        ),
        (
            "hoisted addresses",
            hoisted(3_000, |n| {
                format!("(i64.load (i32.mul (i32.wrap_i64 (local.get 0)) (i32.const {})))", 2 * n + 3)
            }),
        ),
        ("kept quotients", kept(1_800, |n| format!("(i64.div_u (local.get 0) (i64.const {}))", 2 * n + 3))),
        (
            "kept choices",
            kept(1_200, |n| {
                format!(
                    "(select (local.get 0) (i64.const {n}) (i32.wrap_i64 (i64.shr_u (local.get 0) (i64.const {}))))",
                    n % 64
                )
            }),
        ),
        (
            "memory",
            recursion(
                "(drop (memory.grow (i32.const 0))) (memory.copy (i32.const 0) (i32.const 8) (i32.wrap_i64 (local.get 0))) (local.set 1 (call $r (local.get 0)))",
            ),
        ),
    ]
}

#[test]
fn our_depth_limit_comes_before_the_end_of_the_native_stack() {
    // Half of the native stack must be enough: the other half is the margin for what no shape here thought of.
    let engine = || {
        Engine::with(Settings { native_stack_bytes: NATIVE_STACK_BYTES / 2, ..Settings::default() }).unwrap()
    };
    for (name, wasm) in shapes() {
        match call(&engine(), &wasm) {
            Ok(CallOutcome::Failed(Failure::StackLimit, _)) => {}
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn a_native_overflow_would_be_a_fault() {
    let small = Engine::with(Settings { native_stack_bytes: 16 * 1024, ..Settings::default() }).unwrap();
    let ended = call(&small, &shapes().swap_remove(0).1);
    assert!(matches!(&ended, Err(Fault::Engine(text)) if text.contains("call stack exhausted")), "{ended:?}");
}

#[test]
fn the_module_that_was_used_longest_ago_makes_room() {
    let engine = Engine::with(Settings { modules_max: 2, ..Settings::default() }).unwrap();
    let wasm = module(r#"(memory (export "memory") 1) (func (export "f") (result i32) (i32.const 0))"#);
    let codes = [1, 2, 3].map(|byte| CodeHash([byte; 32]));
    engine.load(&codes[0], &wasm, Bounds::NEW).unwrap();
    engine.load(&codes[1], &wasm, Bounds::NEW).unwrap();
    engine.call(&codes[0], "f", Context::Action, b"", GAS, &mut Nobody).unwrap();
    engine.load(&codes[2], &wasm, Bounds::NEW).unwrap();
    assert_eq!(codes.map(|code| engine.is_loaded(&code)), [true, false, true]);
}

#[test]
fn modules_take_so_many_bytes_together() {
    let wasm = module(r#"(memory (export "memory") 1) (func (export "f") (result i32) (i32.const 0))"#);
    let bytes = Engine::new().unwrap().compile(&wasm, Bounds::NEW).unwrap().bytes;
    let engine = Engine::with(Settings { module_bytes_max: 3 * bytes, ..Settings::default() }).unwrap();
    let codes = [1, 2, 3, 4, 5].map(|byte| CodeHash([byte; 32]));
    let is_loaded = || codes.map(|code| engine.is_loaded(&code));
    codes[..3].iter().for_each(|code| engine.load(code, &wasm, Bounds::NEW).unwrap());
    engine.call(&codes[0], "f", Context::Action, b"", GAS, &mut Nobody).unwrap();
    engine.load(&codes[3], &wasm, Bounds::NEW).unwrap();
    assert_eq!(is_loaded(), [true, false, true, true, false]);
    // One that is larger than all together stays alone, with its instance.
    let large = module(&format!(
        r#"(memory (export "memory") 8) (data (i32.const 0) "{}") (func (export "f") (result i32) (i32.const 0))"#,
        "x".repeat(4 * bytes)
    ));
    engine.load(&codes[4], &large, Bounds::NEW).unwrap();
    assert_eq!(is_loaded(), [false, false, false, false, true]);
    let gone = engine.call(&codes[0], "f", Context::Action, b"", GAS, &mut Nobody);
    assert_eq!(gone, Err(Fault::Unloaded));
    engine.call(&codes[4], "f", Context::Action, b"", GAS, &mut Nobody).unwrap();
}

/// A session whose contract calls the next module, and so on, down to the deepest, which says that it is there and waits
/// until it is let go.
struct Deep<'a> {
    engine: &'a Engine,
    /// Modules below.
    below: &'a [CodeHash],
    there: &'a mpsc::Sender<()>,
    go: &'a RwLock<()>,
}

impl Calls for Deep<'_> {
    fn call(&mut self) -> CallEnd {
        let Deep { engine, below, there, go } = *self;
        if below.is_empty() {
            there.send(()).unwrap();
            drop(go.read().unwrap());
        } else {
            nest(engine, below, there, go);
        }
        CallEnd { gas_used: 0, answer: Ok(vec![]) }
    }
}

fn nest(engine: &Engine, codes: &[CodeHash], there: &mpsc::Sender<()>, go: &RwLock<()>) -> CallOutcome {
    let mut session = Deep { engine, below: &codes[1..], there, go };
    engine.call(&codes[0], "f", Context::Action, b"", GAS, &mut session).unwrap().outcome
}

#[test]
fn a_call_begins_while_readers_have_all_their_instances() {
    let engine = Engine::new().unwrap();
    let wasm = module(
        r#"(import "tenor_1" "call" (func $call (param i32 i32) (result i32))) (memory (export "memory") 1)
        (func (export "f") (result i32) (drop (call $call (i32.const 0) (i32.const 0))) (i32.const 0))"#,
    );
    let code = |number: usize| CodeHash([number as u8; 32]);
    // As many as are kept, and others that are not.
    let codes: Vec<CodeHash> = (0..80 + OPEN_MAX).map(code).collect();
    codes.iter().for_each(|code| engine.load(code, &wasm, Bounds::NEW).unwrap());
    let (there, arrived) = mpsc::channel();
    let go = RwLock::new(());
    for code in &codes[..80] {
        assert!(matches!(nest(&engine, &[*code], &there, &go), CallOutcome::Done { .. }));
        arrived.recv().unwrap();
    }

    let done = |outcome| assert!(matches!(outcome, CallOutcome::Done { .. }), "{outcome:?}");
    let deepest = &codes[80..];
    thread::scope(|scope| {
        let stop = go.write().unwrap();
        let begin = || {
            let (engine, there, go) = (&engine, there.clone(), &go);
            scope.spawn(move || done(nest(engine, deepest, &there, go)));
        };
        (1..ROOMS).for_each(|_| begin());
        (1..ROOMS).for_each(|_| arrived.recv().unwrap());
        // Whoever makes a block has a room, for as many calls.
        begin();
        arrived.recv().unwrap();
        // One reader more waits for one of them to end.
        begin();
        while engine.rooms.waiting() == 0 {
            thread::yield_now();
        }
        drop(stop);
    });
    let too_deep: Vec<CodeHash> = (0..=OPEN_MAX).map(code).collect();
    done(nest(&engine, &too_deep, &there, &go));
    assert_eq!(arrived.try_iter().count(), 1, "the last one's calls were too deep, and it was not there");
}
