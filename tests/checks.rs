//! A product's own check: asked of every agreement by a replica that examines itself.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as the tests do")]

mod modules;

use modules::{Module, call};
use tenor_abi::id::AgreementId;
use tenor_abi::spec::{Authority, Basic, CHECK, CallDef, CallKind};
use tenor_runtime::execute::Checked;
use tenor_runtime::fault::Fault;
use tenor_testing::Bank;

const HOLDS: &str = "i32.const 0";
/// Refuses as soon as there is something at the key of one zero byte.
const NOTHING_STORED: &str = "(if (result i32) (i32.lt_s (call $storage_get (i32.const 0) (i32.const 1) (i32.const 8) (i32.const 8)) (i32.const 0)) \
     (then (i32.const 0)) (else (call $refuse (i32.const 0x8000) (i32.const 0) (i32.const 0)) (i32.const 1)))";
const REFUSES: &str = "i32.const 0x8000 i32.const 0 i32.const 0 call $refuse i32.const 1";
const STORES: &str = "i32.const 0 i32.const 1 i32.const 0 i32.const 1 call $storage_set i32.const 0";
const SPINS: &str = "(loop $l (br $l)) i32.const 0";

/// A bank with an agreement whose check is so.
fn with_check(body: &str) -> (Bank, AgreementId) {
    let mut bank = Bank::new();
    let ada = bank.customer("ada", "10.00");
    let store = CallDef { by: vec![Authority::Anyone], ..call("store", CallKind::Action) };
    let module = Module::new("checked").call(store, STORES).call(call(CHECK, CallKind::View), body);
    let code = bank.publish(&module.build());
    let agreement = bank.opened(&ada, code, &0u8);
    (bank, agreement)
}

fn one_holds() -> Result<Checked, Fault> {
    Ok(Checked { hold: 1, broken: vec![] })
}

#[test]
fn what_says_nothing_is_not_asked_and_what_holds_is_counted() {
    let (mut bank, _) = with_check(HOLDS);
    assert_eq!(bank.chain().check_agreements(), one_holds());
    let ada = bank.customer("eve", "1.00");
    let code = bank.publish(&Module::new("silent").build());
    bank.opened(&ada, code, &0u8);
    assert_eq!(bank.chain().check_agreements(), one_holds());
}

#[test]
fn what_does_not_hold_is_named() {
    let (bank, agreement) = with_check(REFUSES);
    let said = |text: &str| Ok(Checked { hold: 0, broken: vec![(agreement, text.into())] });
    assert_eq!(bank.chain().check_agreements(), said("says: refusal 32768"));
    let (bank, agreement) = with_check(SPINS);
    let said = |text: &str| Ok(Checked { hold: 0, broken: vec![(agreement, text.into())] });
    let expected = said("gives no answer: the view failed: out_of_gas");
    assert_eq!(bank.chain().check_agreements(), expected);
}

#[test]
#[should_panic(expected = "says: refusal 32768")]
fn a_replica_that_is_built_to_find_mistakes_stops_at_the_block() {
    let (mut bank, agreement) = with_check(NOTHING_STORED);
    assert_eq!(bank.chain().check_agreements(), one_holds());
    let ada = bank.customer("eve", "1.00");
    bank.invoke(&ada, agreement, "store", &[]);
}

#[test]
fn a_check_that_asks_for_something_is_no_check() {
    let def = CallDef { returns: Basic::U64 as u16, ..call(CHECK, CallKind::View) };
    let spec = Module::new("asks").call(def, HOLDS).spec();
    let names: Vec<String> = spec.calls.iter().map(|call| call.name.clone()).collect();
    let error = spec.validate(&names).unwrap_err().to_string();
    assert_eq!(
        error,
        "call `check`: the view that checks a product has no arguments and no answer: it refuses"
    );
}
