//! Modules that may not be published, each with the rule that says so. The numeric limits stand in `limits.rs`.

use crate::desk::module;
use tenor_runtime::vm::admit;

const MEMORY: &str = r#"(memory (export "memory") 1)"#;

/// The module is refused by `rule`, and the text holds `words`.
fn check(body: &str, rule: &str, words: &str) {
    check_bytes(&module(body), rule, words);
}

fn check_bytes(wasm: &[u8], rule: &str, words: &str) {
    let finding = admit(wasm).expect_err(words);
    assert_eq!(finding.rule, rule, "{finding}");
    assert!(finding.text.contains(words), "`{}` does not say `{words}`", finding.text);
    assert!(finding.offset <= wasm.len() as u64);
}

/// The same with a memory in front and `code` as the body of a function without parameters and results.
fn check_code(code: &str, rule: &str, words: &str) {
    check(&format!("{MEMORY} (func $culprit {code})"), rule, words);
}

#[test]
fn floats_anywhere() {
    check_code("(drop (f32.const 1))", "float", "function 0 (`culprit`): f32.const");
    check_code("(drop (f64.add (f64.const 1) (f64.const 2)))", "float", "f64.const");
    check_code("(local f64)", "float", "a local of type f64");
    check_code("(block (result f32) unreachable) drop", "float", "a block of type f32");
    check_code("(drop (i32.trunc_f32_s (unreachable)))", "float", "i32.trunc_f32_s");
    check_code("(drop (i32.trunc_sat_f64_u (unreachable)))", "float", "i32.trunc_sat_f64_u");
    check(&format!("{MEMORY} (func (param f32))"), "float", "a parameter of type f32");
    check(&format!("{MEMORY} (func (result f64) unreachable)"), "float", "a result of type f64");
    check(&format!("{MEMORY} (global f64 (f64.const 0))"), "float", "a global of type f64");
    check(&format!("(type (func (param f32))) {MEMORY}"), "float", "a parameter of type f32");
}

#[test]
fn proposals_after_the_first_version() {
    check_code("(drop (v128.const i64x2 0 0))", "simd", "v128.const");
    check_code("(local v128)", "simd", "a local of type v128");
    check_code("(drop (i8x16.splat (i32.const 0)))", "simd", "i8x16.splat");
    check_code("(drop (i32.atomic.load (i32.const 0)))", "threads", "i32.atomic.load");
    check_code("(atomic.fence)", "threads", "atomic.fence");
    check_code(
        "(drop (i32.atomic.rmw8.add_u (i32.const 0) (i32.const 0)))",
        "threads",
        "i32.atomic.rmw8.add_u",
    );
    check(r#"(memory (export "memory") 1 1 shared)"#, "threads", "without threads");
    check(r#"(memory (export "memory") 1 (pagesize 1))"#, "memory", "use those of 64 KiB");
    check(&format!("(table i64 1 funcref) {MEMORY}"), "table", "use one plain table");
    check_code("(return_call 0)", "tail_call", "return_call");
    check(
        &format!(
            "(type $t (func)) (table 1 funcref) {MEMORY} (func (return_call_indirect (type $t) (i32.const 0)))"
        ),
        "tail_call",
        "return_call_indirect",
    );
    check(&format!("{MEMORY} (tag)"), "exceptions", "panic");
    check_code("(try_table)", "exceptions", "try_table");
    check_code("(throw_ref (unreachable))", "exceptions", "throw_ref");
    check(r#"(memory (export "memory") i64 1)"#, "memory", "memory64: use one 32-bit memory");
    check(&format!("{MEMORY} (memory 1)"), "memory", "2 memories: use one");
    check(&format!("(type (struct)) {MEMORY}"), "reference", "without garbage collection");
    check_code("(local externref)", "reference", "a local of type externref");
    check(&format!("{MEMORY} (func (param anyref))"), "reference", "a parameter of type anyref");
    check_code("(drop (ref.null func))", "reference", "ref.null");
    check_code("(drop (ref.func 0))", "reference", "ref.func");
    check_code(
        "(drop (select (result i32) (i32.const 0) (i32.const 0) (i32.const 0)))",
        "reference",
        "typed_select",
    );
    check(&format!("{MEMORY} (func (result i32 i32) unreachable)"), "limit", "results of a function: 2");
    check_code("(drop (i32.const 0) (block (param i32)))", "multi_value", "parameters or several results");
    check_code("(drop (i64.add128 (unreachable)))", "operator", "i64.add128");
}

#[test]
fn what_the_engine_would_stumble_over() {
    check(&format!("{MEMORY} (data (i32.const 65536) \"x\")"), "segment", "ends at 65537, outside its 65536");
    check(&format!("{MEMORY} (data (i32.const -1) \"x\")"), "segment", "ends at 4294967296");
    check(
        &format!("(table 1 funcref) {MEMORY} (func) (elem (i32.const 1) 0)"),
        "segment",
        "ends at 2, outside its 1",
    );
    check(&format!("{MEMORY} (data \"passive\")"), "data", "passive");
    check(&format!("{MEMORY} (func) (elem func 0)"), "element", "passive");
    check(&format!("{MEMORY} (func) (elem declare func 0)"), "element", "declared");
    check(
        &format!("(table 1 funcref) {MEMORY} (func) (elem (i32.const 0) funcref (ref.func 0))"),
        "reference",
        "list functions only",
    );
    check(&format!("(table 1 externref) {MEMORY}"), "reference", "functions only");
    check(
        &format!("{MEMORY} (global $g i32 (i32.const 0)) (data (global.get $g) \"x\")"),
        "segment",
        "must be a constant",
    );
    check_code("(memory.init 0 (i32.const 0) (i32.const 0) (i32.const 0))", "operator", "memory.init");
    check(&format!("(table 1 funcref) {MEMORY} (func (drop (table.size 0)))"), "reference", "table.size");
    check(
        &format!("(table 1 funcref) {MEMORY} (func (table.copy (i32.const 0) (i32.const 0) (i32.const 0)))"),
        "operator",
        "table.copy",
    );
}

#[test]
fn imports() {
    let import = |import: &str| format!("{import} {MEMORY}");
    check(
        &import(r#"(import "env" "arg_len" (func (result i32)))"#),
        "import",
        "`env.arg_len` is no function of the host",
    );
    check(
        &import(r#"(import "tenor_1" "clock" (func (result i32)))"#),
        "import",
        "`tenor_1.clock` is no function",
    );
    check(&import(r#"(import "tenor_1" "arg_len" (func))"#), "import", "0 parameters of i32 and 1 results");
    check(
        &import(r#"(import "tenor_1" "arg_len" (func (result i64)))"#),
        "import",
        "0 parameters of i32 and 1 results",
    );
    check(
        &import(r#"(import "tenor_1" "ret" (func (param i32 i64)))"#),
        "import",
        "2 parameters of i32 and 0 results",
    );
    check(r#"(import "tenor_1" "memory" (memory 1))"#, "import", "only functions");
    check(&import(r#"(import "tenor_1" "t" (table 1 funcref))"#), "import", "only functions");
    check(&import(r#"(import "tenor_1" "g" (global i32))"#), "import", "only functions");
}

#[test]
fn the_counters_are_out_of_reach() {
    check(&format!(r#"{MEMORY} (func (export "tenor:gas"))"#), "export", "names that begin with `tenor:`");
    check_code("(global.set 0 (i64.const 1))", "wasm", "global");
    let own = "(global (mut i64) (i64.const 0))";
    check(&format!("{MEMORY} {own} (func (global.set 1 (i64.const 1)))"), "wasm", "global");
}

#[test]
fn frame_of_a_contract() {
    check(&format!("{MEMORY} (func $s) (start $s)"), "start", "work is done in calls");
    check("(memory 1)", "memory", "must export its memory");
    check(r#"(func (export "memory"))"#, "memory", "must export its memory");
    let plain = |text: &str| wat::parse_str(text).unwrap();
    check_bytes(&plain(r#"(module (memory (export "memory") 1))"#), "spec", "is this a contract?");
    let twice =
        r#"(module (@custom "tenor_spec" "x") (@custom "tenor_spec" "y") (memory (export "memory") 1))"#;
    check_bytes(&plain(twice), "spec", "stands twice");
    check_bytes(&plain("(component)"), "wasm", "component");
    check_bytes(b"", "wasm", "one begins with");
    check_bytes(b"\0asm", "wasm", "end-of-file");
    check_bytes(b"#!/bin/sh", "wasm", "one begins with");
}

#[test]
fn every_cut_of_a_module_is_refused() {
    let whole = module(&format!(
        r#"{MEMORY} (func (export "f") (result i32) (i32.const 0)) (data (i32.const 0) "x")"#
    ));
    assert_eq!(admit(&whole).unwrap().exports, ["f"]);
    let cuts = (0..whole.len()).filter(|cut| admit(&whole[..*cut]).is_ok()).count();
    assert!(cuts <= 1, "a module that ends between two sections may be whole, {cuts} cuts are");
}

#[test]
fn calls_are_functions_without_parameters_that_return_an_i32() {
    let admitted = admit(&module(
        r#"(import "tenor_1" "arg_len" (func $imported (result i32)))
        (memory (export "memory") 1)
        (export "imported" (func $imported))
        (func (export "call") (result i32) (i32.const 0))
        (func (export "wide") (result i64) (i64.const 0))
        (func (export "asks") (param i32) (result i32) (i32.const 0))
        (func (export "silent"))"#,
    ));
    let admitted = admitted.unwrap();
    assert_eq!((admitted.exports, admitted.spec), (vec!["call".to_owned()], b"spec".to_vec()));
}

#[test]
fn what_a_module_says_is_shown_escaped_and_cut() {
    let evil = "\\1b[31mRED\\07\\0aadmitted: x";
    let twice =
        |name: &str| format!(r#"{MEMORY} (func) (export "{name}" (func 0)) (export "{name}" (func 0))"#);
    let long = "y".repeat(99_000);
    for name in [evil, &long] {
        let finding = admit(&module(&twice(name))).expect_err("twice");
        assert!(!finding.text.chars().any(char::is_control) && finding.text.len() < 1_000, "{finding}");
    }
    check(&twice(evil), "wasm", "\\u{1b}[31mRED");
    check(&twice(&long), "limit", "bytes of an export's name: 99000, at most 100 allowed");
}
