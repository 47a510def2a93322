//! What the attributes implement: the parts of a contract, each with its list for the spec.

use crate::spec::{Book, Message, State, Storage, Term};
use alloc::vec::Vec;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The terms of a contract (`#[terms]`).
pub trait Terms: Serialize + DeserializeOwned {
    /// For the spec.
    const TERMS: &'static [Term];
}

/// A lifecycle (`#[lifecycle]`).
pub trait Lifecycle: Copy {
    /// For the spec.
    const STATES: &'static [State];
    /// Place in the list.
    fn number(self) -> u16;
    /// The state at a place.
    fn of(number: u16) -> Option<Self>;
}

/// A list of plain names: schedules (`#[schedules]`) or purposes of entries (`#[purposes]`).
pub trait Names: Copy {
    /// For the spec.
    const NAMES: &'static [&'static str];
    /// Place in the list.
    fn number(self) -> u16;
}

/// The books of an agreement (`#[books]`).
pub trait Books: Copy {
    /// For the spec.
    const BOOKS: &'static [Book];
    /// Place in the list.
    fn number(self) -> u16;
}

/// Refusals (`#[errors]`) or events (`#[events]`).
pub trait Messages {
    /// For the spec.
    const MESSAGES: &'static [Message];
    /// Place in the list.
    fn number(&self) -> u16;
    /// The fields: their count, then each.
    fn data(&self) -> Vec<u8>;
}

/// A contract without schedules, books, refusals, events or purposes names `()` for them.
impl Names for () {
    const NAMES: &'static [&'static str] = &[];
    fn number(self) -> u16 {
        0
    }
}

impl Books for () {
    const BOOKS: &'static [Book] = &[];
    fn number(self) -> u16 {
        0
    }
}

impl Messages for () {
    const MESSAGES: &'static [Message] = &[];
    fn number(&self) -> u16 {
        0
    }
    fn data(&self) -> Vec<u8> {
        Vec::new()
    }
}

/// A contract (`#[contract]`).
pub trait Contract: Sized {
    /// Its terms.
    type Terms: Terms;
    /// Its lifecycle.
    type State: Lifecycle;
    /// Its schedules.
    type Schedules: Names;
    /// Its books.
    type Books: Books;
    /// What its entries are for.
    type Purposes: Names;
    /// Its refusals.
    type Errors: Messages;
    /// Its events.
    type Events: Messages;
    /// Its storage fields, for the spec.
    const STORAGE: &'static [Storage];
    /// Id.
    const ID: &'static str;
    /// Version.
    const VERSION: [u16; 3];
    /// What it is.
    const DOC: &'static str;
    /// Handles on its storage; no storage is read.
    fn handles() -> Self;
}
