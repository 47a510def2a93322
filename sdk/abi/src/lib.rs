//! What a contract and its host agree on.
//!
//! Plain data and pure functions: canonical bytes, ids, money, dates, calendars, recurrence, the calls
//! between host and guest, events, the spec of a contract and the one table of host functions. It knows
//! nobody else, allocates but needs no standard library, and holds no float, no clock and no hash map.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;
#[cfg(test)]
extern crate std;

// The floors, bottom to top; a module looks only down.
pub mod tag;
pub mod codec;
pub mod id;
pub mod limit;
pub mod money;
pub mod date;
pub mod calendar;
pub mod daycount;
pub mod rate;
pub mod recurrence;
pub mod period;
pub mod instalment;
pub mod role;
pub mod entry;
pub mod flow;
pub mod call;
pub mod event;
pub mod spec;
pub mod lock;
pub mod value;
pub mod text;
mod spec_check;
pub mod refusal;
pub mod interface;
pub mod host;
