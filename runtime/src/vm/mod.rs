//! The engine: admits modules, counts their gas, runs them between clean instance and clean end.

mod limit;
mod price;
mod session;
mod admit;
mod instrument;
mod host;
mod engine;
#[cfg(test)]
mod engine_tests;

pub use admit::{Admitted, Finding, admit};
pub use engine::Engine;
pub use instrument::{INSTRUMENTER_VERSION, instrument};
pub use limit::{LIMITS, ModuleLimits};
pub use session::{CallOutcome, CallReport, Guest, HostError, HostRule, Session};
pub use tenor_abi::host::Context;

use tenor_abi::codec;
use tenor_abi::id::Hash;
use tenor_abi::tag;
use tenor_wire::crypto::hash;

/// The hash of the admission rules, as it stands in the parameters.
pub fn admission_hash() -> Hash {
    hash(tag::PARAMETERS, &[b"admission", &codec::encode(&LIMITS)])
}

/// The hash of the price table, as it stands in the parameters.
pub fn prices_hash() -> Hash {
    hash(tag::PARAMETERS, &[b"prices", price::text().as_bytes()])
}
