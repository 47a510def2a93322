//! The node as it is run: the real program, over TCP.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as the tests do")]

mod home;
mod described;
mod operator;
mod folder;
mod bank;
mod devices;
mod tls;
mod webhook;
mod force;
mod api;
mod rights;
mod abuse;
mod abuse_heads;
mod abuse_ids;
mod pages;
mod crowd;
mod fair;
mod followers;
mod streams;
mod remote;
mod browser;
mod page;
