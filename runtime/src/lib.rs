//! The deterministic machine: given a chain and a list of items it makes the next block, and nothing else.
//!
//! It reads no clock, opens no socket, holds no float and no unordered map.
#![deny(unsafe_code)]
#![warn(missing_docs)]

pub use tenor_abi as abi;
pub use tenor_wire as wire;

// The floors, bottom to top; a module looks only down.
pub mod fault;
pub mod params;
pub mod lanes;
mod prefetch;
pub mod log;
pub mod store;
pub mod trie;
pub mod index;
pub mod state;
pub mod snapshot;
pub mod ledger;
pub mod schedule;
pub mod vm;
pub mod execute;
pub mod chain;
