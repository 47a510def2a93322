//! A whole bank in memory for contract tests: the production runtime, real keys, a movable clock.
//!
//! ```no_run
//! use tenor_testing::Bank;
//! let mut bank = Bank::new();
//! let ada = bank.customer("ada", "100.00");
//! let shop = bank.customer("shop", "0.00");
//! bank.transfer(&ada, shop.account, "12.50").done();
//! assert_eq!(bank.balance(ada.account), "87.50");
//! ```
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod bank;
mod outcome;
mod people;
mod twin;

pub use bank::{Bank, EUR, money};
pub use outcome::Outcome;
pub use people::Person;
pub use tenor_abi as abi;
pub use tenor_runtime as runtime;
pub use tenor_wire as wire;
pub use twin::Twin;

use std::path::Path;
use std::sync::Arc;
use tenor_runtime::vm::{Engine, Guest};
use tenor_sdk::native::Contract;

/// Builds a contract crate to wasm; `crate_folder` is `env!("CARGO_MANIFEST_DIR")` in the contract's tests.
///
/// # Panics
/// When it does not build, with what the compiler said.
pub fn wasm(crate_folder: &str) -> Vec<u8> {
    let folder = Path::new(crate_folder);
    tenor_build::wasm(folder, &tenor_build::target_folder(folder)).unwrap_or_else(|error| panic!("{error}"))
}

/// The wasm engine.
///
/// # Panics
/// When this machine cannot run wasm.
pub fn engine() -> Arc<dyn Guest> {
    Arc::new(Engine::new().unwrap_or_else(|fault| panic!("{fault}")))
}

/// Runs a scenario on the wasm and on the native twin of a contract; both must give the same receipts (gas
/// apart) and the same state.
///
/// The scenario is given a bank and the published code.
///
/// # Panics
/// When the two differ, naming the first block in which they do.
pub fn both(wasm: &[u8], twin: &'static Contract, scenario: impl Fn(&mut Bank, tenor_abi::id::CodeHash)) {
    both_with(twin, |bank| bank.publish(wasm), scenario);
}

/// As [`both`], with a bank made ready in another way than by publishing with an exposure limit in euro.
///
/// # Panics
/// As [`both`].
pub fn both_with<T>(
    twin: &'static Contract,
    prepare: impl Fn(&mut Bank) -> T,
    scenario: impl Fn(&mut Bank, T),
) {
    both_of_each(&[twin], prepare, scenario);
}

/// As [`both_with`], for contracts that call each other.
///
/// # Panics
/// As [`both`].
pub fn both_of_each<T>(
    twins: &[&'static Contract],
    prepare: impl Fn(&mut Bank) -> T,
    scenario: impl Fn(&mut Bank, T),
) {
    let run = |guest: Arc<dyn Guest>| {
        let mut bank = Bank::on(guest);
        let ready = prepare(&mut bank);
        scenario(&mut bank, ready);
        bank
    };
    let (engine, native) = (run(engine()), run(Arc::new(Twin::of_each(twins))));
    for (place, (ours, theirs)) in engine.trace().iter().zip(native.trace()).enumerate() {
        assert_eq!(ours, &theirs, "wasm and native differ at item {place}");
    }
    assert_eq!(engine.trace().len(), native.trace().len(), "wasm and native ran different items");
    assert_eq!(engine.root(), native.root(), "wasm and native leave different state");
}
