//! Each limit of a module from both sides: at the limit it is admitted and runs, one above it is refused.

use crate::desk::{Desk, GAS, call, module, words};
use std::fmt::Write;
use tenor_runtime::vm::{Context, LIMITS, admit};

const HEAD: &str = r#"(memory (export "memory") 1) (func (export "f") (result i32) (i32.const 0))"#;

/// `make(n)` gives a module with n of something, of which `limit` are allowed.
fn check(limit: u32, make: impl Fn(u32) -> String) {
    let ended = words(&call(&make(limit), Context::Action, b"", GAS, &mut Desk::default()));
    assert_eq!(ended, "done ", "at {limit}");
    let finding = admit(&module(&make(limit + 1))).expect_err("one more");
    assert_eq!(finding.rule, "limit", "{finding}");
    assert_eq!((finding.value, finding.limit), (Some(u64::from(limit) + 1), Some(limit.into())), "{finding}");
}

fn times(count: u32, text: &str) -> String {
    text.repeat(count as usize)
}

#[test]
fn of_the_module() {
    check(LIMITS.functions, |n| format!("{HEAD} {}", times(n - 1, "(func)")));
    check(LIMITS.types, |n| format!("{} {HEAD}", times(n - 1, "(type (func (param i32)))")));
    check(LIMITS.globals, |n| format!("{HEAD} {}", times(n, "(global i32 (i32.const 0))")));
    check(LIMITS.data_segments, |n| format!("{HEAD} {}", times(n, "(data (i32.const 0) \"x\")")));
    check(LIMITS.tables, |n| format!("{HEAD} {}", times(n, "(table 1 funcref)")));
    check(LIMITS.table, |n| format!("{HEAD} (table {n} funcref)"));
    let table = format!("{HEAD} (table {} funcref)", LIMITS.table);
    check(LIMITS.table, |n| format!("{table} (elem (i32.const 0) {})", times(n, "0 ")));
    check(LIMITS.element_segments, |n| format!("{table} {}", times(n, "(elem (i32.const 0) 0)")));
    check(LIMITS.memory_pages as u32, |n| HEAD.replace(") 1)", &format!(") {n})")));
    check(LIMITS.exports, |n| {
        let mut exports = String::new();
        (2..n).for_each(|number| write!(exports, "(export \"e{number}\" (func 0))").unwrap());
        format!("{HEAD} {exports}")
    });
    check(LIMITS.loops_all, |n| {
        let full = times(n / LIMITS.loops, &format!("(func {})", times(LIMITS.loops, "(loop)")));
        format!("{HEAD} {full} (func {})", times(n % LIMITS.loops, "(loop)"))
    });
    let without = module(HEAD).len() as u32;
    check(LIMITS.bytes, |n| {
        // A custom section: its kind, its length in three bytes, the length of its name, its name.
        let filling = n - without - 1 - 3 - 1 - 1;
        format!("{HEAD} (@custom \"x\" \"{}\")", times(filling, "y"))
    });
}

#[test]
fn of_a_function() {
    let function = |what: &str| format!("{HEAD} (func {what})");
    check(LIMITS.params, |n| function(&times(n, "(param i64)")));
    check(LIMITS.locals, |n| function(&format!("(param i32) {}", times(n - 1, "(local i64)"))));
    check(LIMITS.loops, |n| function(&times(n, "(loop)")));
    check(LIMITS.blocks, |n| function(&times(n, "(block)")));
    check(LIMITS.nesting, |n| function(&format!("{}{}", times(n, "(block "), times(n, ")"))));
    check(LIMITS.calls, |n| function(&times(n, "(call 0) drop ")));
    check(LIMITS.branches, |n| {
        let targets = times(n + 1, "0 ");
        function(&format!("(block (br_table {targets} (i32.const 0)))"))
    });
    // The count of locals and the last `end` take a byte each.
    check(LIMITS.body_bytes, |n| function(&times(n - 2, "nop ")));
}
