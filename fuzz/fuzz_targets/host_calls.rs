//! Host functions with any pointers and lengths: the call ends by a rule, never with a panic or a fault.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::fmt::Write;
use std::sync::OnceLock;
use tenor_abi::host::{MODULE, TABLE};
use tenor_runtime::vm::{Engine, Expected, examine};

static ENGINE: OnceLock<Engine> = OnceLock::new();

/// A module that makes calls of host functions, each named by a byte, with numbers of four bytes each; what is left
/// stands in its memory.
fn module(mut bytes: &[u8]) -> String {
    let (mut imports, mut body) = (String::new(), String::new());
    for function in TABLE {
        let params = " i32".repeat(function.params.len());
        let result = if function.returns { "(result i32)" } else { "" };
        let _ = writeln!(imports, "(import \"{MODULE}\" \"{0}\" (func ${0} (param{params}) {result}))", function.name);
    }
    for _ in 0..8 {
        let Some((first, rest)) = bytes.split_first() else { break };
        bytes = rest;
        let function = &TABLE[usize::from(*first) % TABLE.len()];
        for _ in function.params {
            let (four, rest) = bytes.split_at(bytes.len().min(4));
            let mut number = [0; 4];
            number[..four.len()].copy_from_slice(four);
            // Small numbers are the likelier ones to lie inside.
            let number = i32::from_le_bytes(number) >> (first >> 3);
            let _ = write!(body, "i32.const {number} ");
            bytes = rest;
        }
        let _ = writeln!(body, "call ${} {}", function.name, if function.returns { "drop" } else { "" });
    }
    let data: String = bytes.iter().take(4_096).map(|byte| format!("\\{byte:02x}")).collect();
    format!("(module {imports} (memory 1) (data (i32.const 0) \"{data}\") (func (export \"f\") {body}))")
}

fuzz_target!(|bytes: &[u8]| {
    let wasm = wat::parse_str(module(bytes)).expect("the text is a module");
    assert!(examine(&wasm, Expected::Module).findings.is_empty());
    let engine = ENGINE.get_or_init(|| Engine::new().expect("this machine runs wasm"));
    let run = || engine.try_alone(&wasm, "f", 10_000_000).expect("no call is a fault");
    assert_eq!(run(), run());
});
