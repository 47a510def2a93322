//! What a client does with bytes: it reads and makes bodies and transactions, signs them, and verifies receipts, all
//! with the code of the chain itself. Nobody writes the formats a second time.
//!
//! Built to wasm the functions of [`core`] are exported one by one (see [`exports`]); whoever links this crate calls
//! them as they are. It knows no network, clock or randomness: what it needs of them the caller hands over.
#![warn(missing_docs)]

// The floors, bottom to top; a module looks only down.
pub mod json;
pub mod module;
pub mod core;
pub mod exports;
