//! How calls end: every way out, by modules that mean harm.

use crate::desk::{Desk, GAS, call, module, words};
use std::fmt::Write;
use tenor_abi::host::{self, HostFunction};
use tenor_abi::id::CodeHash;
use tenor_runtime::vm::{Bounds, Context, Engine, Guest, admit};

const MEMORY: &str = r#"(memory (export "memory") 1)"#;

/// A module that imports the whole table, and whose `f` has this body.
fn with_host(code: &str) -> String {
    let mut text = String::new();
    for HostFunction { name, params, returns, .. } in host::TABLE {
        let params = "i32 ".repeat(params.len());
        let result = if *returns { "(result i32)" } else { "" };
        write!(text, "(import \"tenor_1\" \"{name}\" (func ${name} (param {params}) {result}))").unwrap();
    }
    format!("{text} {MEMORY} (func $f (export \"f\") (result i32) {code})")
}

/// The body of `f` ends as `wanted` begins; what reached the session is given back.
fn check_in(context: Context, code: &str, argument: &[u8], wanted: &str) -> Desk {
    let mut desk = Desk::default();
    let ended = words(&call(&with_host(code), context, argument, GAS, &mut desk));
    assert!(ended.starts_with(wanted), "`{ended}` instead of `{wanted}` for {code}");
    desk
}

fn check(code: &str, wanted: &str) {
    check_in(Context::Action, code, b"", wanted);
}

#[test]
fn an_answer_a_refusal_and_neither() {
    check("(i32.const 0)", "done ");
    check(
        r#"(i32.store (i32.const 8) (i32.const 0x6f6c6c61)) (call $ret (i32.const 8) (i32.const 4)) (i32.const 0)"#,
        "done allo",
    );
    check("(call $refuse (i32.const 0x8001) (i32.const 0) (i32.const 0)) (i32.const 1)", "refused 0x8001 ");
    check("(i32.const 1)", "failed host_rule: returned 1 without a refusal");
    check("(i32.const 2)", "failed host_rule: returned 2");
    check("(i32.const -1)", "failed host_rule: returned -1");
    check(
        "(call $refuse (i32.const 0x7fff) (i32.const 0) (i32.const 0)) (i32.const 1)",
        "failed host_rule: Value",
    );
    check(
        "(call $refuse (i32.const 0x10000) (i32.const 0) (i32.const 0)) (i32.const 1)",
        "failed host_rule: Value",
    );
    // A refusal that the export does not stand by is none.
    check("(call $refuse (i32.const 0x8001) (i32.const 0) (i32.const 0)) (i32.const 0)", "done ");
}

#[test]
fn running_out() {
    check("(loop (br 0)) (unreachable)", "failed out_of_gas");
    check("(loop (br_if 0 (i32.const 1))) (i32.const 0)", "failed out_of_gas");
    check("(call $f)", "failed stack_limit");
    check(
        "(loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 65536)) (br 0)) (unreachable)",
        "failed out_of_gas",
    );
    check("(loop (drop (call $arg_len)) (br 0)) (unreachable)", "failed out_of_gas");
}

#[test]
fn memory_grows_to_its_limit_and_no_page_further() {
    check("(i32.sub (memory.grow (i32.const 255)) (i32.const 1))", "done ");
    check("(memory.grow (i32.const 256))", "failed memory_limit");
    check("(memory.grow (i32.const -1))", "failed memory_limit");
    check("(loop (drop (memory.grow (i32.const 1))) (br 0)) (unreachable)", "failed memory_limit");
    let own = r#"(memory (export "memory") 1 2) (func (export "f") (result i32) (i32.sub (memory.grow (i32.const 1)) (memory.grow (i32.const 1))))"#;
    let ended = words(&call(own, Context::Action, b"", GAS, &mut Desk::default()));
    assert!(ended.starts_with("failed memory_limit"), "{ended}");
    // What was grown can be used.
    check(
        "(drop (memory.grow (i32.const 255))) (i32.store8 (i32.const 0xffffff) (i32.const 1)) (i32.const 0)",
        "done ",
    );
}

#[test]
fn traps() {
    check("(unreachable)", "failed trapped");
    check("(i32.load (i32.const -1))", "failed trapped");
    check("(i32.load offset=4294967295 (i32.const -1))", "failed trapped");
    check("(i32.store (i32.const 65533) (i32.const 0)) (i32.const 0)", "failed trapped");
    check("(memory.copy (i32.const 0) (i32.const 65535) (i32.const 2)) (i32.const 0)", "failed trapped");
    check("(i32.div_u (i32.const 1) (i32.const 0))", "failed trapped");
    check("(i32.div_s (i32.const 0x80000000) (i32.const -1))", "failed trapped");
    let table = |code: &str| {
        let text = format!(
            "(type $t (func (result i32))) (table 2 funcref) {MEMORY} (elem (i32.const 0) $other) (func $other) (func (export \"f\") (result i32) {code})"
        );
        words(&call(&text, Context::Action, b"", GAS, &mut Desk::default()))
    };
    for place in ["0", "1", "2", "-1"] {
        let ended = table(&format!("(call_indirect (type $t) (i32.const {place}))"));
        assert!(ended.starts_with("failed trapped"), "{place}: {ended}");
    }
}

#[test]
fn pointers_outside_the_memory_break_a_rule_and_nothing_else() {
    for HostFunction { name, params, returns, .. } in host::TABLE.iter().filter(|f| !f.params.is_empty()) {
        for value in ["-1", "0x7fffffff", "0x80000000"] {
            let values = format!("(i32.const {value})").repeat(params.len());
            let drop = if *returns { "drop" } else { "" };
            let desk = check_in(
                Context::Action,
                &format!("(call ${name} {values}) {drop} (i32.const 0)"),
                b"argument",
                "failed host_rule",
            );
            assert_eq!(desk.reached, 0, "{name}");
        }
    }
    // The last byte is inside, the one behind it is not; nothing at the end is nothing.
    check("(call $ret (i32.const 65535) (i32.const 1)) (i32.const 0)", "done \0");
    check("(call $ret (i32.const 65535) (i32.const 2)) (i32.const 0)", "failed host_rule: Memory");
    check("(call $ret (i32.const 65536) (i32.const 0)) (i32.const 0)", "done ");
    check("(call $ret (i32.const 65537) (i32.const 0)) (i32.const 0)", "failed host_rule: Memory");
}

#[test]
fn what_writes_may_not_be_called_where_nothing_is_written() {
    for context in [Context::View, Context::Hook] {
        for HostFunction { name, params, returns, .. } in host::TABLE.iter().filter(|f| !f.may(context)) {
            let values = "(i32.const 32)".repeat(params.len());
            let drop = if *returns { "drop" } else { "" };
            let code = format!("(call ${name} {values}) {drop} (i32.const 0)");
            let desk = check_in(context, &code, b"", "failed host_rule: Context");
            assert_eq!((desk.reached, desk.rows.len(), desk.events.len()), (0, 0, 0), "{name}");
        }
    }
}

#[test]
fn bytes_have_limits() {
    let grown = "(drop (memory.grow (i32.const 20)))";
    let code = |call: &str| format!("{grown} {call} (i32.const 0)");
    check(&code("(call $ret (i32.const 0) (i32.const 65536))"), "done ");
    check(
        &code("(call $ret (i32.const 0) (i32.const 65537))"),
        "failed host_rule: Value: ret: 65537 bytes given, at most 65536",
    );
    check(&code("(call $emit (i32.const 1) (i32.const 0) (i32.const 4097))"), "failed host_rule: Value");
    check(&code("(call $emit (i32.const 65536) (i32.const 0) (i32.const 0))"), "failed host_rule: Value");
    check(
        &code("(call $storage_set (i32.const 0) (i32.const 257) (i32.const 0) (i32.const 0))"),
        "failed host_rule: Value",
    );
    check(
        &code("(call $storage_set (i32.const 0) (i32.const 256) (i32.const 0) (i32.const 16385))"),
        "failed host_rule: Value",
    );
    check(
        &code("(call $storage_set (i32.const 0) (i32.const 256) (i32.const 0) (i32.const 16384))"),
        "done ",
    );
    check(&code("(drop (call $post (i32.const 0) (i32.const 524289)))"), "failed host_rule: Value");
    check(
        &code("(drop (call $collect_up_to (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 18)))"),
        "failed host_rule: Value",
    );
    check(
        &code("(drop (call $collect_up_to (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 19)))"),
        "done ",
    );
}

#[test]
fn an_answer_that_does_not_fit_is_not_written() {
    let ask = |cap: u32| {
        format!(
            "(i32.store8 (i32.const 0) (i32.const 0x2d)) (drop (call $balance (i32.const 0) (i32.const 0) (i32.const 0) (i32.const {cap}))) (call $ret (i32.const 0) (i32.const 7)) (i32.const 0)"
        )
    };
    check(&ask(6), "done -\0\0\0\0\0\0");
    check(&ask(7), "done balance");
    check(
        "(i32.sub (call $balance (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)) (i32.const 7))",
        "done ",
    );
}

#[test]
fn storage_goes_through() {
    let desk = check_in(
        Context::Action,
        r#"(i32.store8 (i32.const 0) (i32.const 0x61)) (i32.store8 (i32.const 1) (i32.const 0x7a))
        (call $storage_set (i32.const 0) (i32.const 1) (i32.const 1) (i32.const 1))
        (call $emit (i32.const 9) (i32.const 0) (i32.const 2))
        (drop (call $storage_next (i32.const 0) (i32.const 1) (i32.const 1) (i32.const 1) (i32.const 16) (i32.const 64)))
        (call $ret (i32.const 16) (i32.const 6))
        (i32.add (call $storage_get (i32.const 1) (i32.const 1) (i32.const 0) (i32.const 0)) (call $storage_remove (i32.const 0) (i32.const 1)))"#,
        b"",
        "done \u{1}\0\0\0az",
    );
    assert_eq!((desk.rows.len(), desk.events), (0, vec![(9, b"az".to_vec())]));
}

#[test]
fn rows_that_are_passed_over_are_paid_for() {
    let body = with_host(
        "(drop (call $storage_next (i32.const 0) (i32.const 1) (i32.const 1) (i32.const 1) (i32.const 16) (i32.const 64))) (i32.const 0)",
    );
    let used = |passed: &[usize], gas| {
        let mut desk = Desk { passed: passed.to_vec(), ..Desk::default() };
        let report = call(&body, Context::Action, b"", gas, &mut desk).unwrap();
        (words(&Ok(report.clone())), report.gas_used)
    };
    let (_, none) = used(&[], GAS);
    assert_eq!(used(&[0, 0, 100], GAS), ("done ".into(), none + 3 * 500 + 2 * 100));
    let gas = none + 499;
    assert_eq!(used(&[0], gas), ("failed out_of_gas: the gas limit is used up".into(), gas));
}

#[test]
fn the_session_ends_a_call() {
    // The argument is the request.
    let post =
        "(call $post (i32.const 0) (call $arg_read (i32.const 0) (i32.const 64))) (drop) (i32.const 0)";
    check_in(Context::Action, post, b"fine", "done ");
    check_in(Context::Action, post, b"refuse", "refused 0x11 why");
    check_in(Context::Action, post, b"rule", "failed host_rule: Value: no entry");
    check_in(Context::Action, post, b"fault", "fault: state is damaged: a page is gone");
    check_in(Context::Action, post, b"panic", "fault: the engine failed: the host panicked in `f`");
}

#[test]
fn an_engine_runs_on_after_a_panic_and_starts_every_call_clean() {
    let wasm = module(&with_host(
        r#"(drop (call $post (i32.const 0) (call $arg_read (i32.const 0) (i32.const 64))))
        (i32.store8 (i32.const 100) (i32.add (i32.const 0x41) (i32.load8_u (i32.const 100))))
        (call $ret (i32.const 100) (i32.const 1)) (i32.const 0)"#,
    ));
    admit(&wasm).unwrap();
    let (engine, code) = (Engine::new().unwrap(), CodeHash([1; 32]));
    engine.load(&code, &wasm, Bounds::NEW).unwrap();
    for (argument, wanted) in [
        ("fine", "done A"),
        ("panic", "fault"),
        ("fine", "done A"),
        ("refuse", "refused"),
        ("fine", "done A"),
    ] {
        let ended = engine.call(&code, "f", Context::Action, argument.as_bytes(), GAS, &mut Desk::default());
        assert!(words(&ended).starts_with(wanted), "{argument}: {}", words(&ended));
    }
}

#[test]
fn calls_that_are_none() {
    let wasm = module(&format!("{MEMORY} (func (export \"f\") (result i64) (i64.const 0))"));
    let (engine, code) = (Engine::new().unwrap(), CodeHash([1; 32]));
    engine.load(&code, &wasm, Bounds::NEW).unwrap();
    for export in ["f", "g", "memory", "tenor:gas"] {
        let ended = words(&engine.call(&code, export, Context::Action, b"", GAS, &mut Desk::default()));
        assert_eq!(ended, format!("failed host_rule: the module has no call `{export}`"));
    }
    let other = engine.call(&CodeHash([2; 32]), "f", Context::Action, b"", GAS, &mut Desk::default());
    assert!(words(&other).starts_with("fault"), "a module that was not loaded");
}
