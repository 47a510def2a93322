//! The engine: admits modules, counts their gas, runs them between clean instance and clean end.

mod limit;
mod access;
pub(crate) mod price;
mod session;
mod admit;
mod instrument;
mod host;
mod profile;
mod instance;
mod compiler;
mod room;
mod engine;
mod trial;
#[cfg(test)]
mod engine_tests;

pub use admit::{Admitted, Examined, Expected, FINDINGS_MAX, Finding, admit, examine, fits};
pub use compiler::{Bounds, CompileError, Compiler, Inside};
pub use engine::{Engine, Settings};
pub use instrument::{INSTRUMENTER_VERSION, Instrumented, Reset, instrument, instrument_as};
pub use limit::{LIMITS, ModuleLimits};
pub use profile::{Node, Profile, code_of};
pub use session::{CallEnd, CallOutcome, CallReport, Guest, HostError, HostRule, Session};
pub use tenor_abi::host::Context;
pub use trial::{Trial, World};

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

/// What gas is: the version of the instrumenter, that of the price table, and the start of its hash.
pub fn gas_model() -> String {
    let [a, b, c, d, ..] = prices_hash().0;
    format!("{INSTRUMENTER_VERSION}.{}.{:08x}", price::VERSION, u32::from_be_bytes([a, b, c, d]))
}
