//! What calls cost: golden figures, the same in every build, and what must hold for all of them.

use crate::desk::{Desk, call};
use tenor_abi::refusal::Failure;
use tenor_runtime::vm::{CallOutcome, CallReport, Context};

/// Gas of a clean instance with one page of memory, in version 4 of the price table.
const INSTANCE: u64 = 4_000;

fn run(body: &str, gas: u64) -> CallReport {
    let text = format!(
        r#"(import "tenor_1" "arg_len" (func $arg_len (result i32))) (import "tenor_1" "ret" (func $ret (param i32 i32)))
        (memory (export "memory") 1) {body}"#
    );
    call(&text, Context::Action, b"", gas, &mut Desk::default()).unwrap()
}

/// The call costs `gas` besides its instance, every time, and with one less it ends for want of gas.
fn check(body: &str, gas: u64) {
    let all = INSTANCE + gas;
    let report = run(body, 1_000_000);
    assert_eq!(report.gas_used, all, "{body}: {:?}", report.outcome);
    assert_eq!(run(body, 1_000_000), report, "the second time");
    assert_eq!(run(body, all), report, "with exactly what it costs");
    let short = run(body, all - 1);
    assert_eq!(short.gas_used, all - 1, "all of the limit is charged");
    assert!(matches!(short.outcome, CallOutcome::Failed(Failure::OutOfGas, _)), "{:?}", short.outcome);
}

fn f(code: &str) -> String {
    format!("(func $f (export \"f\") (result i32) {code})")
}

#[test]
fn straight_code() {
    // Entry 1, constant 1.
    check(&f("(i32.const 0)"), 2);
    // A multiplication 2, a division 6, a wide one 10.
    check(&f("(drop (i32.mul (i32.const 3) (i32.const 4))) (i32.const 0)"), 6);
    check(&f("(drop (i32.div_u (i32.const 3) (i32.const 4))) (i32.const 0)"), 10);
    check(&f("(drop (i64.rem_s (i64.const 3) (i64.const 4))) (i32.const 0)"), 14);
    // Locals cost an eighth each.
    check(&f(&format!("{} (i32.const 0)", "(local i64)".repeat(16))), 4);
}

#[test]
fn branches_cost_the_way_that_is_taken() {
    let either = |condition| {
        f(&format!(
            "(if (i32.const {condition}) (then nop (drop (i32.const 1))) (else (drop (i64.div_u (i64.const 1) (i64.const 1))))) (i32.const 0)"
        ))
    };
    // Entry, constant, if, constant, and the constant behind.
    check(&either(1), 5);
    check(&either(0), 16);
    let way = |index| {
        f(&format!(
            "(block (block (br_table 0 1 (i32.const {index}))) (drop (i64.div_u (i64.const 1) (i64.const 1)))) (i32.const 0)"
        ))
    };
    check(&way(1), 6);
    check(&way(0), 18);
}

#[test]
fn loops_and_calls() {
    // Ten rounds of seven operators: get, constant, subtract, tee, branch, and entry and ends around them.
    check(
        &f(
            "(local i32) (local.set 0 (i32.const 10)) (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (i32.const 0)",
        ),
        54,
    );
    // A call costs 6 besides what is called.
    check(&format!("(func $g) {}", f("(call $g) (i32.const 0)")), 9);
    // A host call costs 6 and its own price; bytes are extra.
    check(&f("(call $arg_len)"), 67);
    check(&f("(call $ret (i32.const 0) (i32.const 100)) (i32.const 0)"), 210);
}

#[test]
fn work_by_size() {
    // 20 and a quarter of the bytes, and a load where it reads; 200 and 52,000 for a page.
    check(&f("(memory.fill (i32.const 0) (i32.const 0) (i32.const 8000)) (i32.const 0)"), 2_105);
    check(&f("(memory.copy (i32.const 0) (i32.const 8) (i32.const 80)) (i32.const 0)"), 131);
    check(&f("(i32.sub (memory.grow (i32.const 2)) (i32.const 1))"), 104_204);
}

#[test]
fn reading_costs_more_the_more_memory_there_may_be() {
    let reads = |memory: &str, code: &str| {
        let body = format!("(memory (export \"memory\") {memory}) {}", f(code));
        let report = call(&body, Context::Action, b"", 20_000_000, &mut Desk::default()).unwrap();
        let without = body.replace("(i32.load (i32.const 0))", "(i32.const 0)");
        report.gas_used
            - call(&without, Context::Action, b"", 20_000_000, &mut Desk::default()).unwrap().gas_used
    };
    let once = "(i32.load (i32.const 0))";
    let grows = "(drop (memory.grow (i32.const 0))) (i32.load (i32.const 0))";
    // 6 and three quarters of the pages: of those that there are where no more can be asked for, else of the most.
    assert_eq!(["1", "2 100", "16", "256"].map(|memory| reads(memory, once)), [6, 7, 18, 198]);
    assert_eq!(["1 4", "1 256", "1"].map(|memory| reads(memory, grows)), [9, 198, 198]);
    // Writing costs 4 wherever.
    check(&f("(i32.store8 (i32.const 0) (i32.const 1)) (i32.const 0)"), 8);
}

#[test]
fn the_memory_that_a_call_begins_with() {
    let begins = |pages: u32| {
        let body =
            format!("(memory (export \"memory\") {pages}) (func (export \"f\") (result i32) (i32.const 0))");
        let report = call(&body, Context::Action, b"", 20_000_000, &mut Desk::default()).unwrap();
        report.gas_used - 2
    };
    // 2,000 for an instance and for each of two pages, 52,000 for each of the others.
    assert_eq!([0, 1, 2, 3, 256].map(begins), [2_000, 4_000, 6_000, 58_000, 13_214_000]);
}

#[test]
fn what_fails_is_charged_for_what_it_did() {
    assert_eq!(run(&f("(unreachable)"), 1_000_000).gas_used, INSTANCE + 1);
    assert_eq!(
        run(&f("(drop (memory.grow (i32.const 999))) (i32.const 0)"), 1_000_000).gas_used,
        INSTANCE + 203
    );
    let deep = run(&f("(call $f)"), 1_000_000);
    assert_eq!(
        (deep.gas_used, matches!(deep.outcome, CallOutcome::Failed(Failure::StackLimit, _))),
        (INSTANCE + 12_740, true)
    );
    assert_eq!(run(&f("(i32.const 0)"), 10).gas_used, 10, "no gas for an instance");
}
