//! Golden files of the instrumenter: a module in, the module with its counters out.
//!
//! A change of an `.expect.wat` is a new version of the instrumenter. `TENOR_GOLDEN=write` writes them.

use std::path::Path;
use tenor_runtime::vm::{LIMITS, instrument};

fn check(name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/instrument");
    let given = std::fs::read(folder.join(format!("{name}.wat"))).unwrap();
    let counted = instrument(&wat::parse_bytes(&given).unwrap(), &LIMITS).unwrap();
    let text = wasmprinter::print_bytes(&counted.wasm).unwrap();
    let golden = folder.join(format!("{name}.expect.wat"));
    if std::env::var_os("TENOR_GOLDEN").is_some_and(|value| value == "write") {
        std::fs::write(&golden, &text).unwrap();
    }
    let expected = std::fs::read_to_string(&golden).unwrap_or_default();
    assert!(text == expected, "{name}: now\n{text}");
}

#[test]
fn straight() {
    check("straight");
}

#[test]
fn ways_out() {
    check("ways_out");
}

#[test]
fn loops() {
    check("loops");
}

#[test]
fn calls() {
    check("calls");
}

#[test]
fn memory() {
    check("memory");
}

#[test]
fn imports() {
    check("imports");
}
