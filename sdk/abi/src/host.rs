//! The host functions: one table of what a contract can ask of its host.
//!
//! From it come the guest's imports, the host's linker, the matrix of what may be called when, the prices, and
//! the page `docs/HOST.md`. All parameters are `i32`. Where a function writes into the guest (`out`, `cap`), it does so only
//! when everything fits, and always returns the full length: the guest enlarges its buffer and asks again.

/// Name of the import module; its number is the version of this table.
pub const MODULE: &str = "tenor_1";

/// The occasion of a call.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Context {
    /// An agreement is opened.
    Open,
    /// A party signs the terms.
    Sign,
    /// A party invokes an action.
    Action,
    /// An occurrence is due.
    Due,
    /// A question is asked.
    View,
    /// An entry on an account is judged.
    Hook,
    /// The agreement comes to new code.
    Upgrade,
}

impl Context {
    /// Every occasion.
    pub const ALL: &'static [Context] = &[
        Context::Open,
        Context::Sign,
        Context::Action,
        Context::Due,
        Context::View,
        Context::Hook,
        Context::Upgrade,
    ];
}

/// Occasions on which nothing may be written.
const READS: u8 = 1 << Context::View as u8 | 1 << Context::Hook as u8;
/// Every occasion.
const ALL: u8 = 0x7f;
/// Occasions on which state may be written.
const WRITES: u8 = ALL & !READS;

/// Occasions on which other agreements may be called.
const CALLS: u8 = ALL & !(1 << Context::Hook as u8);

/// One host function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HostFunction {
    /// Number in this table.
    pub number: u16,
    /// Import name.
    pub name: &'static str,
    /// What it does.
    pub doc: &'static str,
    /// Names of its parameters, all `i32`.
    pub params: &'static [&'static str],
    /// Whether it returns an `i32`.
    pub returns: bool,
    /// Occasions, a bit each.
    pub contexts: u8,
    /// Gas of a call.
    pub gas: u64,
    /// Gas of each byte that goes in or out.
    pub gas_per_byte: u64,
}

impl HostFunction {
    /// Whether it may be called on an occasion.
    pub const fn may(&self, context: Context) -> bool {
        self.contexts >> context as u8 & 1 == 1
    }
}

/// Hands the table to a macro: `callback! { number name(params) -> result, contexts, gas, per byte, doc; … }`.
#[macro_export]
macro_rules! host_functions {
    ($callback:ident) => {
        $callback! {
            /// Length of what `arg_read` gives.
            0 arg_len() -> i32, ALL, 60, 0;
            /// The call: the bytes of [`crate::call::Call`].
            1 arg_read(out: i32, cap: i32) -> i32, ALL, 100, 1;
            /// Sets the answer.
            2 ret(ptr: i32, len: i32) -> (), ALL, 100, 1;
            /// Sets the refusal; the export then returns 1.
            3 refuse(code: i32, ptr: i32, len: i32) -> (), ALL, 100, 1;
            /// Reports an event.
            4 emit(event: i32, ptr: i32, len: i32) -> (), WRITES, 500, 10;
            /// The value at a storage key, -1 when there is none.
            5 storage_get(key: i32, key_len: i32, out: i32, cap: i32) -> i32, ALL, 1_000, 2;
            /// Sets the value at a storage key.
            6 storage_set(key: i32, key_len: i32, ptr: i32, len: i32) -> (), WRITES, 3_000, 20;
            /// Removes a storage key: 1 when it was there.
            7 storage_remove(key: i32, key_len: i32) -> i32, WRITES, 3_000, 2;
            /// The first key and value from a key on, before an end: key length u32 little-endian, key, value;
            /// -1 when there is none. Each key on the way that was removed in the block costs 500 gas, and the gas of the
            /// bytes of the value that it had before the block.
            8 storage_next(from: i32, from_len: i32, end: i32, end_len: i32, out: i32, cap: i32) -> i32, ALL, 2_000, 2;
            /// Books an [`crate::entry::EntryRequest`] or ends the call with the ledger's refusal; the entry's
            /// place among the item's entries.
            9 post(ptr: i32, len: i32) -> i32, WRITES, 30_000, 20;
            /// Books an entry; 0, or the length of the [`crate::entry::Shortfall`] when money is missing.
            10 try_post(ptr: i32, len: i32, out: i32, cap: i32) -> i32, WRITES, 30_000, 20;
            /// Takes what is there, up to an amount ([`crate::entry::CollectRequest`]); what was taken, as u128.
            11 collect_up_to(ptr: i32, len: i32, out: i32, cap: i32) -> i32, WRITES, 30_000, 20;
            /// The [`crate::entry::Balance`] of an [`crate::entry::AccountRef`].
            12 balance(ptr: i32, len: i32, out: i32, cap: i32) -> i32, ALL, 2_000, 2;
            /// Starts a schedule: (kind u16, [`crate::recurrence::Recurrence`]).
            13 schedule_start(ptr: i32, len: i32) -> (), WRITES, 10_000, 20;
            /// Holds a schedule.
            14 schedule_hold(kind: i32) -> (), WRITES, 5_000, 0;
            /// Resumes a schedule.
            15 schedule_resume(kind: i32) -> (), WRITES, 10_000, 0;
            /// Ends a schedule.
            16 schedule_end(kind: i32) -> (), WRITES, 5_000, 0;
            /// The date of a schedule's next attempt, -1 when none waits.
            17 next_due(kind: i32, out: i32, cap: i32) -> i32, ALL, 1_000, 2;
            /// Enters a lifecycle state that the call declares.
            18 enter_state(state: i32) -> (), WRITES, 1_000, 0;
            /// A date moved to a business day: ([`crate::date::Date`], convention, calendar id) to a date.
            19 business_day(ptr: i32, len: i32, out: i32, cap: i32) -> i32, ALL, 2_000, 2;
            /// Books an [`crate::entry::EntryRequest`] or finds the one under its external key; a
            /// [`crate::entry::Posted`].
            20 post_entry(ptr: i32, len: i32, out: i32, cap: i32) -> i32, WRITES, 30_000, 20;
            /// Places a hold ([`crate::entry::HoldRequest`]); its id.
            21 hold(ptr: i32, len: i32, out: i32, cap: i32) -> i32, WRITES, 30_000, 20;
            /// Captures a hold ([`crate::entry::CaptureRequest`]) that this agreement placed.
            22 capture(ptr: i32, len: i32) -> (), WRITES, 30_000, 20;
            /// Releases what is left of a hold (its id) that this agreement placed.
            23 release(ptr: i32, len: i32) -> (), WRITES, 20_000, 20;
            /// Postings of an account from a place in its history on: ([`crate::entry::AccountRef`], sequence u64)
            /// to at most `count` [`crate::entry::StatementLine`]s, each 500 gas.
            24 statement(ptr: i32, len: i32, count: i32, out: i32, cap: i32) -> i32, ALL, 2_000, 2;
            /// What an account holds by value dates up to a day: ([`crate::entry::AccountRef`],
            /// [`crate::date::Date`]) to i128; 100 gas for each posting that is looked through.
            25 balance_on(ptr: i32, len: i32, out: i32, cap: i32) -> i32, ALL, 5_000, 2;
            /// Calls another agreement ([`crate::interface::CallRequest`]) with gas of this call's, of which what is
            /// not used comes back; terms beyond 1,024 bytes cost 16 a byte, each contract beyond the eighth of an item
            /// 4,394,304. The length of what `call_answer` gives. A view calls views only.
            26 call(ptr: i32, len: i32) -> i32, CALLS, 20_000, 10;
            /// What the latest `call` came to: a [`crate::interface::CallAnswer`].
            27 call_answer(out: i32, cap: i32) -> i32, CALLS, 100, 1;
        }
    };
}

macro_rules! table {
    ($($(#[doc = $doc:literal])* $number:literal $name:ident($($param:ident: i32),*) -> $result:tt, $contexts:ident, $gas:literal, $per_byte:literal;)*) => {
        /// Every host function in order of its number.
        pub const TABLE: &[HostFunction] = &[$(HostFunction {
            number: $number,
            name: stringify!($name),
            doc: concat!($($doc),*),
            params: &[$(stringify!($param)),*],
            returns: table!(@returns $result),
            contexts: $contexts,
            gas: $gas,
            gas_per_byte: $per_byte,
        }),*];
    };
    (@returns i32) => { true };
    (@returns ()) => { false };
}
host_functions!(table);

/// A host function by its import name.
pub fn by_name(name: &str) -> Option<&'static HostFunction> {
    TABLE.iter().find(|function| function.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_places_and_names_stand_once() {
        for (place, function) in TABLE.iter().enumerate() {
            assert_eq!(usize::from(function.number), place, "{}", function.name);
            assert_eq!(by_name(function.name), Some(function));
        }
    }

    #[test]
    fn a_view_lacks_what_writes() {
        let denied: alloc::vec::Vec<&str> =
            TABLE.iter().filter(|f| !f.may(Context::View)).map(|f| f.name).collect();
        assert_eq!(
            denied,
            [
                "emit",
                "storage_set",
                "storage_remove",
                "post",
                "try_post",
                "collect_up_to",
                "schedule_start",
                "schedule_hold",
                "schedule_resume",
                "schedule_end",
                "enter_state",
                "post_entry",
                "hold",
                "capture",
                "release"
            ]
        );
    }
}
