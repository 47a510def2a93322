//! What leaves a node as bytes and can be checked without one.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub use tenor_abi as abi;

// The floors, bottom to top; a module looks only down.
pub mod hexadecimal;
pub mod crypto;
pub mod merkle;
pub mod trie;
pub mod multiproof;
pub mod shown;

pub mod op;
pub mod tx;
pub mod receipt;
pub mod block;
pub mod proof;
