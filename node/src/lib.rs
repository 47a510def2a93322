//! The node: what stands between the deterministic machine and the world.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

// The floors, bottom to top; a module looks only down.
pub mod near;
pub mod view;
mod seal;
pub mod keys;
pub mod compiler;
pub mod modes;
mod kept;
pub mod folder;
pub mod backup;
pub mod stop;
pub mod webhook;
pub mod config;
pub mod clock;
pub mod guard;
pub mod metrics;
pub mod pool;
pub mod turns;
mod places;
pub mod hub;
pub mod inbox;
pub mod socket;
pub mod producer;
pub mod access;
pub mod tls;
mod hangup;
mod demo;
pub mod api;
mod told;
pub mod serve;
pub mod admin;
pub mod run;
