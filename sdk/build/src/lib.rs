//! Builds a contract crate to wasm from a build script or a test
