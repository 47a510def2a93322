//! Admission: any bytes are judged without a panic, twice the same; what is admitted is instrumented and compiled.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;
use tenor_runtime::vm::{Engine, Expected, examine};

static ENGINE: OnceLock<Engine> = OnceLock::new();

fuzz_target!(|bytes: &[u8]| {
    let judged = examine(bytes, Expected::Module);
    assert_eq!(judged, examine(bytes, Expected::Module));
    if judged.findings.is_empty() {
        let engine = ENGINE.get_or_init(|| Engine::new().expect("this machine runs wasm"));
        engine.try_alone(bytes, "f", 1_000_000).expect("what is admitted runs");
    }
});
