//! Modules that are admitted and end badly, or well where that was in doubt.

use crate::{Case, Class};
use std::fmt::Write;
use tenor_abi::host;
use tenor_runtime::vm::LIMITS;

fn ends(name: impl Into<String>, text: &str, word: &'static str) -> Case {
    let wasm =
        wat::parse_str(format!("(module {text})")).unwrap_or_else(|error| panic!("{error}\n{text:.400}"));
    Case { name: name.into(), wasm, class: Class::Ends(word) }
}

/// `f` with a body, beside a page of memory.
fn f(name: impl Into<String>, body: &str, word: &'static str) -> Case {
    ends(name, &format!("(memory 1) (func $f (export \"f\") (result i32) {body})"), word)
}

pub fn cases() -> Vec<Case> {
    let mut cases = vec![];
    cases.extend(loops());
    cases.extend(depths());
    cases.extend(traps());
    cases.extend(memory());
    cases.extend(tables());
    cases.extend(hosts());
    cases.extend(largest());
    cases
}

fn loops() -> Vec<Case> {
    vec![
        f("a loop", "(loop (br 0)) (i32.const 0)", "out_of_gas"),
        f("a loop that asks nothing", "(loop (br_if 0 (i32.const 1))) (i32.const 0)", "out_of_gas"),
        f(
            "a loop through a branch table",
            "(loop (br_table 0 0 0 (i32.const 9))) (i32.const 0)",
            "out_of_gas",
        ),
        f("two loops that wait for each other", "(loop (loop (br 1))) (i32.const 0)", "out_of_gas"),
        f("a loop with a call in it", "(loop (drop (call $f)) (br 0)) (i32.const 0)", "stack_limit"),
        f(
            "a loop of divisions",
            "(loop (drop (i64.rem_s (i64.const 7) (i64.const -3))) (br 0)) (i32.const 0)",
            "out_of_gas",
        ),
        f(
            "a loop of fills",
            "(loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 65536)) (br 0)) (i32.const 0)",
            "out_of_gas",
        ),
        f(
            "a loop of fills of nothing",
            "(loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 0)) (br 0)) (i32.const 0)",
            "out_of_gas",
        ),
        f(
            "a loop of growth by nothing",
            "(loop (drop (memory.grow (i32.const 0))) (br 0)) (i32.const 0)",
            "out_of_gas",
        ),
        f(
            "a loop over the memory",
            "(local i32) (loop (i32.store8 (i32.and (local.tee 0 (i32.add (local.get 0) (i32.const 4097))) (i32.const 0xffff)) (i32.const 1)) (br 0)) (i32.const 0)",
            "out_of_gas",
        ),
        ends(
            "a loop through a table",
            "(type $t (func)) (memory 1) (table 1 funcref) (elem (i32.const 0) $g) (func $g) (func (export \"f\") (loop (call_indirect (type $t) (i32.const 0)) (br 0)))",
            "out_of_gas",
        ),
        ends(
            "a tree of calls",
            &format!(
                "(memory 1) {} (func $g30) (func (export \"f\") (call $g0))",
                (0..30)
                    .map(|n| format!("(func $g{n} (call $g{next}) (call $g{next}))", next = n + 1))
                    .collect::<String>()
            ),
            "out_of_gas",
        ),
        f("much straight code", &format!("{} (i32.const 0)", "(drop (i32.const 1))".repeat(10_000)), "done"),
    ]
}

fn depths() -> Vec<Case> {
    let with_locals = |count: u32| {
        let locals = "(local i64)".repeat(count as usize);
        f(
            format!("deep, with {count} locals"),
            &format!("{locals} (drop (call $f)) (i32.const 0)"),
            "stack_limit",
        )
    };
    let mut cases: Vec<Case> = [0, 1, 7, 100, LIMITS.locals].map(with_locals).into();
    cases.extend([
        ends("two that call each other", "(memory 1) (func $g (call $f)) (func $f (export \"f\") (call $g))", "stack_limit"),
        ends("deep through a table", "(type $t (func)) (memory 1) (table 1 funcref) (elem (i32.const 0) $f) (func $f (export \"f\") (call_indirect (type $t) (i32.const 0)))", "stack_limit"),
        ends("deep with sixteen parameters", &format!("(memory 1) (func $g {} (call $g {})) (func (export \"f\") (call $g {}))", "(param i64)".repeat(16), (0..16).map(|n| format!("(local.get {n})")).collect::<String>(), "(i64.const 1)".repeat(16)), "stack_limit"),
        ends("deep with many operands", &format!("(memory 1) (func $g (result i64) {} (call $g) {}) (func (export \"f\") (drop (call $g)))", "(i64.load (i32.const 8))".repeat(500), "i64.add ".repeat(500)), "stack_limit"),
        ends("not so deep", "(memory 1) (func $g (param i32) (if (local.get 0) (then (call $g (i32.sub (local.get 0) (i32.const 1)))))) (func (export \"f\") (call $g (i32.const 500)))", "done"),
    ]);
    cases
}

fn traps() -> Vec<Case> {
    let mut cases = vec![
        f("unreachable", "unreachable", "trap"),
        f("32 bits by zero", "(i32.div_s (i32.const 1) (i32.const 0))", "trap"),
        f("32 bits by zero, rest", "(i32.rem_u (i32.const 1) (i32.const 0))", "trap"),
        f("64 bits by zero", "(i32.wrap_i64 (i64.div_u (i64.const 1) (i64.const 0)))", "trap"),
        f("64 bits by zero, rest", "(i32.wrap_i64 (i64.rem_s (i64.const 1) (i64.const 0)))", "trap"),
        f("too large a quotient", "(i32.div_s (i32.const 0x80000000) (i32.const -1))", "trap"),
        f(
            "too large a wide quotient",
            "(i32.wrap_i64 (i64.div_s (i64.const 0x8000000000000000) (i64.const -1)))",
            "trap",
        ),
        f("a rest that is none", "(i32.rem_s (i32.const 0x80000000) (i32.const -1))", "done"),
        f(
            "after a million operators",
            "(local i32) (local.set 0 (i32.const 100000)) (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) unreachable",
            "trap",
        ),
    ];
    for place in ["65536", "65533", "-1", "-4", "0x7fffffff"] {
        cases.push(f(format!("reads at {place}"), &format!("(i32.load (i32.const {place}))"), "trap"));
        cases.push(f(
            format!("writes at {place}"),
            &format!("(i32.store (i32.const {place}) (i32.const 1)) (i32.const 0)"),
            "trap",
        ));
    }
    for offset in ["65533", "4294967295"] {
        cases.push(f(
            format!("reads from {offset} on"),
            &format!("(i32.load offset={offset} (i32.const 0))"),
            "trap",
        ));
        cases.push(f(
            format!("writes from {offset} on"),
            &format!("(i64.store offset={offset} (i32.const -1) (i64.const 1)) (i32.const 0)"),
            "trap",
        ));
    }
    for (at, length) in [("65536", "1"), ("0", "65537"), ("-1", "2"), ("1", "-1")] {
        cases.push(f(
            format!("fills {length} from {at}"),
            &format!("(memory.fill (i32.const {at}) (i32.const 1) (i32.const {length})) (i32.const 0)"),
            if length == "-1" { "out_of_gas" } else { "trap" },
        ));
        cases.push(f(
            format!("copies {length} to {at}"),
            &format!("(memory.copy (i32.const {at}) (i32.const 0) (i32.const {length})) (i32.const 0)"),
            if length == "-1" { "out_of_gas" } else { "trap" },
        ));
    }
    cases
}

fn memory() -> Vec<Case> {
    let grow = |name: &str, pages: &str, word| {
        f(name, &format!("(drop (memory.grow (i32.const {pages}))) (i32.const 0)"), word)
    };
    vec![
        grow("grows by nothing", "0", "done"),
        grow("grows by ten", "10", "done"),
        grow("grows to the limit", "255", "done"),
        grow("grows above the limit", "256", "memory_limit"),
        grow("grows by 4 GiB", "65535", "memory_limit"),
        grow("grows by less than nothing", "-1", "memory_limit"),
        f("grows for ever", "(loop (drop (memory.grow (i32.const 1))) (br 0)) (i32.const 0)", "memory_limit"),
        f(
            "grows and writes behind",
            "(drop (memory.grow (i32.const 1))) (i32.store (i32.const 131068) (i32.const 1)) (i32.const 0)",
            "done",
        ),
        ends(
            "grows above its own maximum",
            "(memory 1 2) (func (export \"f\") (drop (memory.grow (i32.const 2))))",
            "memory_limit",
        ),
        ends(
            "all of the memory",
            "(memory 256) (func (export \"f\") (i32.store8 (i32.const 0xffffff) (i32.const 1)))",
            "done",
        ),
        ends("no memory", "(func (export \"f\"))", "done"),
        ends(
            "a memory of nothing",
            "(memory 0) (func (export \"f\") (i32.store8 (i32.const 0) (i32.const 1)))",
            "trap",
        ),
        ends("asks for the size", "(memory 3) (func (export \"f\") (result i32) (memory.size))", "done"),
    ]
}

fn tables() -> Vec<Case> {
    let head = "(type $t (func)) (type $u (func (param i64))) (memory 1)";
    let call = |name: &str, table: &str, place: &str, word| {
        ends(
            name,
            &format!(
                "{head} {table} (func $g) (func $h (param i64)) (func (export \"f\") (call_indirect (type $t) (i32.const {place})))"
            ),
            word,
        )
    };
    vec![
        call("through a table", "(table 2 funcref) (elem (i32.const 0) $g $h)", "0", "done"),
        call("of another type", "(table 2 funcref) (elem (i32.const 0) $g $h)", "1", "trap"),
        call("outside", "(table 2 funcref) (elem (i32.const 0) $g $h)", "2", "trap"),
        call("far outside", "(table 2 funcref) (elem (i32.const 0) $g $h)", "-1", "trap"),
        call("an empty place", "(table 9 funcref) (elem (i32.const 0) $g)", "5", "trap"),
        call("a table of nothing", "(table 0 funcref)", "0", "trap"),
        call(
            "segments over each other",
            "(table 2 funcref) (elem (i32.const 0) $h) (elem (i32.const 0) $g)",
            "0",
            "done",
        ),
        call(
            "the largest table",
            &format!("(table {} funcref) (elem (i32.const 0) $g)", LIMITS.table),
            "9999",
            "trap",
        ),
    ]
}

/// Imports of the whole table of host functions.
fn imports() -> String {
    let mut text = String::new();
    for function in host::TABLE {
        let (params, result) =
            ("i32 ".repeat(function.params.len()), if function.returns { "(result i32)" } else { "" });
        write!(
            text,
            "(import \"tenor_1\" \"{name}\" (func ${name} (param {params}) {result}))",
            name = function.name
        )
        .unwrap();
    }
    text
}

fn hosts() -> Vec<Case> {
    let with = |name: String, body: &str, word| {
        ends(name, &format!("{} (memory 1) (func $f (export \"f\") (result i32) {body})", imports()), word)
    };
    let mut cases = vec![];
    for function in host::TABLE.iter().filter(|function| !function.params.is_empty()) {
        for value in ["-1", "0x7fffffff", "0x80000000"] {
            let values = format!("(i32.const {value})").repeat(function.params.len());
            let drop = if function.returns { "drop" } else { "" };
            let body = format!("(call ${} {values}) {drop} (i32.const 0)", function.name);
            cases.push(with(format!("{} with {value} everywhere", function.name), &body, "host_rule"));
        }
    }
    let flood = |count: &str, length: &str| {
        format!(
            "(local i32) (loop (call $emit (i32.const 1) (i32.const 0) (i32.const {length})) (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const {count})))) (i32.const 0)"
        )
    };
    cases.extend([
        with("a flood of events".into(), &flood("100000", "0"), "host_rule"),
        with("a thousand events".into(), &flood("1000", "0"), "done"),
        with("events without end".into(), "(loop (call $emit (i32.const 1) (i32.const 0) (i32.const 4096)) (br 0)) (i32.const 0)", "host_rule"),
        with("an event that is too long".into(), &flood("1", "4097"), "host_rule"),
        with("an event that has no number".into(), "(call $emit (i32.const 65536) (i32.const 0) (i32.const 0)) (i32.const 0)", "host_rule"),
        with("a key that is too long".into(), "(drop (call $storage_get (i32.const 0) (i32.const 257) (i32.const 0) (i32.const 0))) (i32.const 0)", "host_rule"),
        with("a value that is too long".into(), "(call $storage_set (i32.const 0) (i32.const 9) (i32.const 0) (i32.const 16385)) (i32.const 0)", "host_rule"),
        with("keys without end".into(), "(local i32) (loop (i32.store (i32.const 0) (local.tee 0 (i32.add (local.get 0) (i32.const 1)))) (call $storage_set (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 4)) (br 0)) (i32.const 0)", "out_of_gas"),
        with("looks for ever".into(), "(loop (drop (call $storage_next (i32.const 0) (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 64) (i32.const 64))) (br 0)) (i32.const 0)", "out_of_gas"),
        with("an answer that is too long".into(), "(call $ret (i32.const 0) (i32.const 65537)) (i32.const 0)", "host_rule"),
        with("a refusal of the host's".into(), "(call $refuse (i32.const 1) (i32.const 0) (i32.const 0)) (i32.const 1)", "host_rule"),
        with("a refusal".into(), "(call $refuse (i32.const 0x8000) (i32.const 0) (i32.const 0)) (i32.const 1)", "refused"),
        with("no entry".into(), "(drop (call $post (i32.const 0) (i32.const 0))) (i32.const 0)", "host_rule"),
        with("a lifecycle state that is not there".into(), "(call $enter_state (i32.const 3)) (i32.const 0)", "host_rule"),
        with("asks for its argument for ever".into(), "(loop (drop (call $arg_len)) (br 0)) (i32.const 0)", "out_of_gas"),
        // 35 zeros are a request: the agreement of zeros, no signature, no arguments, no gas.
        with("calls nobody for ever".into(), "(loop (drop (call $call (i32.const 0) (i32.const 35))) (drop (call $call_answer (i32.const 64) (i32.const 9))) (br 0)) (i32.const 0)", "out_of_gas"),
        with("calls nobody".into(), "(drop (call $call (i32.const 0) (i32.const 35))) (i32.const 0)", "done"),
        with("calls nobody with gas that is not there".into(), "(i64.store (i32.const 34) (i64.const 0x00ffffffffffffff)) (i32.store8 (i32.const 41) (i32.const 1)) (drop (call $call (i32.const 0) (i32.const 42))) (i32.const 0)", "out_of_gas"),
        with("calls with a request that is none".into(), "(drop (call $call (i32.const 0) (i32.const 34))) (i32.const 0)", "host_rule"),
        with("asks for an answer that nobody gave".into(), "(drop (call $call_answer (i32.const 0) (i32.const 9))) (i32.const 0)", "done"),
        with("writes the argument outside".into(), "(drop (call $arg_read (i32.const 65537) (i32.const 1))) (i32.const 0)", "host_rule"),
    ]);
    cases
}

/// What is just small enough is admitted and runs.
fn largest() -> Vec<Case> {
    let times = |count: u32, text: &str| text.repeat(count as usize);
    let beside =
        |name: &str, text: String| ends(name, &format!("(func (export \"f\")) (memory 1) {text}"), "done");
    vec![
        beside("the most functions", times(LIMITS.functions - 1, "(func)")),
        beside("the most loops in one", format!("(func {})", times(LIMITS.loops, "(loop)"))),
        beside(
            "the deepest nesting",
            format!("(func {}{})", times(LIMITS.nesting, "(loop "), times(LIMITS.nesting, ")")),
        ),
        beside(
            "the most loops",
            times(
                LIMITS.loops_all / LIMITS.loops,
                &format!("(func {})", times(LIMITS.loops, "(loop (br_if 0 (i32.const 0)))")),
            ),
        ),
        beside("the most locals", format!("(func {})", times(LIMITS.locals, "(local i64)"))),
        beside("the largest body", format!("(func {})", times(LIMITS.body_bytes - 2, "nop "))),
        beside(
            "the largest branch table",
            format!("(func (block (br_table {} (i32.const 0))))", times(LIMITS.branches + 1, "0 ")),
        ),
        beside("the most data", times(LIMITS.data_segments, "(data (i32.const 0) \"x\")")),
    ]
}
