//! What a product team writes a banking product with.
//!
//! A product is a struct of storage handles and an `impl` of calls, with attributes that say who may call
//! what, when and in which state; the host checks that before any of this code runs. The crate builds for
//! wasm, where the chain runs it, and natively, where a test runs the same code as a twin.
#![cfg_attr(target_family = "wasm", no_std)]
#![warn(missing_docs)]

extern crate alloc;
// The attributes name this crate by its own name, also inside it.
extern crate self as tenor_sdk;

pub mod spec;
pub mod contract;
pub mod host;
#[cfg(not(target_family = "wasm"))]
pub mod native;
#[cfg(target_family = "wasm")]
mod wasm;
pub mod storage;
pub mod context;
pub mod interface;

pub use tenor_abi as abi;
pub use tenor_macros::{
    actions, books, choice, contract, date, errors, events, interface, lifecycle, money, purposes, rate,
    record, schedules, terms,
};

#[doc(hidden)]
pub use serde;

/// What a contract's file begins with: `use tenor_sdk::prelude::*;`.
pub mod prelude {
    pub use crate::context::{Entry, hold_line};
    pub use crate::interface::NoAnswer;
    pub use crate::storage::{Index, Item, Log, Map};
    pub use crate::{
        actions, books, choice, contract, date, errors, events, interface, lifecycle, money, purposes, rate,
        record, schedules, terms,
    };
    pub use alloc::string::String;
    pub use alloc::vec::Vec;
    pub use tenor_abi::calendar::BusinessDayConvention;
    pub use tenor_abi::call::{Actor, Occurrence};
    pub use tenor_abi::date::{Date, DayOfMonth, Timestamp, Weekday};
    pub use tenor_abi::daycount::DayCount;
    pub use tenor_abi::entry::{
        Balance, BookedEntries, EntryKey, PlannedEntry, Posted, Shortfall, Side, StatementLine,
    };
    pub use tenor_abi::id::{
        AccountId as Account, AgreementId as Agreement, AssetId, CalendarId, Hash, HoldId, PartyId,
    };
    pub use tenor_abi::money::{Currency, Money};
    pub use tenor_abi::rate::Rate;
    pub use tenor_abi::recurrence::Recurrence;
}
