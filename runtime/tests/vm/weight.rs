//! What compiling takes is bounded: the heaviest forms of each kind stand at their limit and compile, one more is refused
//! and told what to change.

use crate::desk::module;
use tenor_runtime::vm::{Bounds, Compiler, Finding, Inside, LIMITS, Settings, admit, instrument};

/// A module that has `HEAD` and the same function again and again.
struct Form {
    name: &'static str,
    /// The function with so many of what weighs.
    function: fn(u32) -> String,
    /// How many there are in each of the functions that fill the module.
    count: u32,
}

const HEAD: &str = r#"(memory (export "memory") 1) (table 10 funcref) (type $t (func))
    (func (export "f") (result i32) (i32.const 0))"#;

fn times(count: u32, text: &str) -> String {
    text.repeat(count as usize)
}

/// Each of some locals set from itself.
fn set(locals: u32) -> String {
    let of = |local| format!("(local.set {local} (i64.add (local.get {local}) (i64.const 1)))");
    (0..locals).map(of).collect()
}

fn locals(count: u32) -> String {
    format!("(local {})", times(count, "i64 "))
}

/// A loop that sets locals and branches back to its head so many times.
fn back(own: u32, count: u32) -> String {
    let branch = "(br_if 0 (i32.wrap_i64 (local.get 0)))";
    format!("(func {} (loop {} {}))", locals(own), set(own), times(count, branch))
}

/// Branches out of a block, each after a local was set, all of which are asked for behind it.
fn out(own: u32, count: u32) -> String {
    let branch = |n: u32| {
        let local = n % own;
        format!("(local.set {local} (i64.const {n})) (br_if 0 (i32.wrap_i64 (local.get {local})))")
    };
    let asked: String = (0..own).map(|local| format!("(drop (local.get {local}))")).collect();
    format!("(func {} (block {}) {asked})", locals(own), (0..count).map(branch).collect::<String>())
}

/// Loops in each other, with locals that the innermost sets.
fn nested(own: u32, count: u32) -> String {
    let ends = times(count, "(br_if 0 (i32.wrap_i64 (local.get 0))))");
    format!("(func {} {} {} {ends})", locals(own), times(count, "(loop "), set(own))
}

fn forms() -> Vec<Form> {
    vec![
        Form { name: "back, 250 locals", function: |n| back(250, n), count: 100 },
        Form { name: "back, 60 locals", function: |n| back(60, n), count: 100 },
        // As many as there are registers is the worst.
        Form { name: "back, 10 locals", function: |n| back(10, n), count: 500 },
        Form { name: "out, 200 locals", function: |n| out(200, n), count: 3_000 },
        Form { name: "out, 2 locals", function: |n| out(2, n), count: 5_000 },
        Form { name: "nested, 250 locals", function: |n| nested(250, n), count: 40 },
        Form { name: "nested, 16 locals", function: |n| nested(16, n), count: 60 },
        Form {
            name: "through the table",
            function: |n| format!("(func {})", times(n, "(call_indirect (type $t) (i32.const 0))")),
            count: 3_000,
        },
        Form { name: "calls", function: |n| format!("(func {})", times(n, "(drop (call 0))")), count: 3_900 },
        Form {
            name: "grows",
            function: |n| format!("(func (drop (i32.const 0) {}))", times(n, "(memory.grow)")),
            count: 5_000,
        },
        Form {
            name: "fills",
            function: |n| {
                format!("(func {})", times(n, "(memory.fill (i32.const 0) (i32.const 0) (i32.const 0))"))
            },
            count: 500,
        },
        Form {
            name: "loads",
            function: |n| format!("(func (drop (i32.const 0) {}))", times(n, "(i32.load)")),
            count: 20_000,
        },
    ]
}

/// A module of so many functions.
fn of(function: &str, count: u32) -> Vec<u8> {
    module(&format!("{HEAD} {}", times(count, function)))
}

fn refused(wasm: &[u8]) -> Option<Finding> {
    admit(wasm).err()
}

/// The module with as many functions of a form as are admitted, and what is said of one with more.
fn fullest(function: &str) -> (Vec<u8>, Finding) {
    let mut count = 4;
    loop {
        let wasm = of(function, count);
        let Some(more) = refused(&wasm) else {
            count *= 2;
            continue;
        };
        // Up to the function that is too much, or as many as have room. The first one is the head's.
        let room = u64::from(count) * u64::from(LIMITS.bytes) / wasm.len() as u64 - 1;
        let most = more.function.map_or(room as u32, |function| function - 1);
        assert!(most > 0, "{more}");
        return (of(function, most), more);
    }
}

#[test]
fn the_heaviest_that_is_admitted_compiles() {
    for Form { name, function, count } in forms() {
        let (fullest, more) = fullest(&function(count));
        assert!(matches!(more.rule, "weight" | "limit"), "{name}: {more}");
        let counted = instrument(&fullest, &LIMITS).unwrap();
        // How long each takes stands in docs/decisions/0052-what-compiling-takes-is-weighed.md.
        Inside.compile(&counted.wasm, &Settings::default(), Bounds::NEW).unwrap();
    }
}

#[test]
fn what_is_too_heavy_is_told_by_its_largest_part() {
    let said =
        |function: &str| refused(&of(function, 1)).map_or(String::new(), |finding| finding.to_string());
    for (function, most) in [
        (out(250, 5_000), "5002 branches over 250 locals"),
        (back(2, 4_000), "4000 branches back to loops over 2 locals, which weigh squared"),
        (
            format!("(func (drop (i32.const 0) {}))", times(32_000, "(memory.grow)")),
            "32000 branches over 0 locals, 32000 of them of growing, copying and filling memory; split the function",
        ),
    ] {
        let said = said(&function);
        assert!(said.contains(most), "{most}: {said}");
    }
    let all = refused(&of(&back(60, 500), 100)).unwrap();
    assert_eq!((all.rule, all.limit), ("weight", Some(LIMITS.weight_all.into())));
    assert!(all.text.contains("weight of the module for the compiler up to here"), "{}", all.text);
    assert!(all.function.is_some() && all.offset > 0);
}
