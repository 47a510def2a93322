//! Admission: any bytes are judged without a panic, twice the same; what is admitted is instrumented and compiled. Any
//! bytes hardly ever are a module, so that modules are made of them, too, and modules of which some bytes are others.
#![no_main]

use arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;
use tenor_runtime::vm::{Engine, Expected, examine};
use wasm_smith::{Config, Module};

static ENGINE: OnceLock<Engine> = OnceLock::new();

fn judge(bytes: &[u8]) {
    let judged = examine(bytes, Expected::Module);
    assert_eq!(judged, examine(bytes, Expected::Module));
    if judged.findings.is_empty() {
        let engine = ENGINE.get_or_init(|| Engine::new().expect("this machine runs wasm"));
        engine.try_alone(bytes, "f", 1_000_000).expect("what is admitted runs");
    }
}

fuzz_target!(|bytes: &[u8]| {
    judge(bytes);
    let mut source = Unstructured::new(bytes);
    let Ok(others) = source.arbitrary::<[(u16, u8); 4]>() else { return };
    let Ok(module) = Module::new(Config::default(), &mut source) else { return };
    let mut wasm = module.to_bytes();
    judge(&wasm);
    for (place, byte) in others {
        let place = usize::from(place) % wasm.len();
        wasm[place] = byte;
        judge(&wasm);
    }
});
