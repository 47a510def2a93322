//! The command as an operator types it, on folders of its own.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as the tests do")]

mod home;
mod operator;
mod money;
mod hook;
mod profile;
mod inspect;
mod check;
mod deploy;
mod compiler;
mod bad_input;
mod backup;
mod doctor;
mod retry;
mod crash;
mod demo;
