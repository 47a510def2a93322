//! What a contract asks of the ledger, and what the ledger says to it.

use crate::date::{Date, Timestamp};
use crate::id::{AccountId, Hash, HoldId};
use crate::money::Money;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Which side of an account a posting stands on.
///
/// A balance is credits less debits, for every account.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Side {
    /// Lowers the balance.
    Debit,
    /// Raises the balance.
    Credit,
}

impl Side {
    /// The other side.
    pub const fn other(self) -> Side {
        match self {
            Side::Debit => Side::Credit,
            Side::Credit => Side::Debit,
        }
    }
}

/// An account as a contract names it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum AccountRef {
    /// The agreement's own book, by its number in the spec.
    Book(u16),
    /// Any account.
    Account(AccountId),
}

/// How the amount of a posting is meant. Append only.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Mode {
    /// The amount, or the entry is refused.
    Exact,
    /// As much of the amount as the account can give above its floor, or take below its ceiling; maybe nothing.
    AtMost,
    /// What balances the asset of the entry; the amount that is named with it counts for nothing.
    Balancing,
}

/// One line of an entry.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Posting {
    /// Where.
    pub account: AccountRef,
    /// Debit or credit.
    pub side: Side,
    /// How the amount is meant.
    pub mode: Mode,
    /// How much, above zero; the currency must be the account's.
    pub money: Money,
}

/// An external key of an entry, 16 bytes: the day of its making (big-endian days since 1970, UTC) and 12 bytes of
/// choice. One agreement books one entry under a key, as long as keys of that day are remembered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct EntryKey(#[serde(with = "crate::codec::raw")] pub [u8; 16]);

impl EntryKey {
    /// The key of a day and a choice.
    pub fn new(day: u32, choice: [u8; 12]) -> EntryKey {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&day.to_be_bytes());
        bytes[4..].copy_from_slice(&choice);
        EntryKey(bytes)
    }

    /// Days since 1970 on which it was made.
    pub fn day(&self) -> u32 {
        u32::from_be_bytes([self.0[0], self.0[1], self.0[2], self.0[3]])
    }
}

/// An entry that a contract asks to be booked: all postings or none.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct EntryRequest {
    /// 2..=8,190 postings; each asset balances on its own.
    pub postings: Vec<Posting>,
    /// What the entry is for: the number of an entry purpose in the contract's own list.
    pub purpose: u16,
    /// Salted commitment to a narrative that travels beside the block.
    pub narrative: Option<Hash>,
    /// Salted commitment to an end-to-end reference.
    pub reference: Option<Hash>,
    /// The day it counts from, where it is later than the call's date.
    pub value_date: Option<Date>,
    /// External key, unique in the agreement.
    pub key: Option<EntryKey>,
}

/// Names an entry: the item that booked it and its place among the item's entries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct EntryId {
    /// Transaction or occurrence.
    pub item: Hash,
    /// Place among the entries of that item, from 0.
    pub index: u32,
}

impl core::fmt::Display for EntryId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}/{}", self.item, self.index)
    }
}

/// The entry that stands for a request with an external key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Posted {
    /// The entry; none where there was nothing to book.
    pub entry: Option<EntryId>,
    /// Whether this request booked it; false when it stood there before.
    pub new: bool,
}

/// Why an account cannot give what an entry needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Shortfall {
    /// The account.
    pub account: AccountId,
    /// What can be debited now, in minor units.
    pub available: u128,
    /// What the entry needs, in minor units.
    pub needed: u128,
}

/// Asks for as much of `money` as the account can give, down to nothing.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct CollectRequest {
    /// Account that pays.
    pub from: AccountRef,
    /// Account that receives.
    pub to: AccountRef,
    /// The most to take, above zero.
    pub money: Money,
    /// As in [`EntryRequest`].
    pub purpose: u16,
}

/// What an account holds, as a contract sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Balance {
    /// Posted credits less posted debits, in minor units.
    pub posted: i128,
    /// What can be debited now: never below zero.
    pub available: u128,
}

/// Asks for money to be set aside on an account, for a payee who is fixed now.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct HoldLine {
    /// Account that will pay.
    pub from: AccountRef,
    /// Account that will receive.
    pub to: AccountRef,
    /// How much, above zero.
    pub money: Money,
}

/// Asks for a hold: its lines are placed together and resolved together.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct HoldRequest {
    /// 1..=[`crate::limit::HOLD_LINES_MAX`] lines, each with another account that pays.
    pub lines: Vec<HoldLine>,
    /// Last instant at which it can be captured; at most HOLD_DAYS_MAX after now.
    pub expires_at: Timestamp,
    /// As in [`EntryRequest`].
    pub purpose: u16,
}

/// Asks for money of a hold to be paid to its payee.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct CaptureRequest {
    /// The hold.
    pub hold: HoldId,
    /// How much of which account's line, minor units above zero; nothing named means all that is left.
    pub parts: Vec<(AccountId, u128)>,
    /// Whether what is left after it is released.
    pub last: bool,
    /// As in [`EntryRequest`].
    pub purpose: u16,
}

/// One posting of an account, as a statement shows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StatementLine {
    /// Its place in the account's history, from 0.
    pub sequence: u64,
    /// The entry.
    pub entry: EntryId,
    /// Block time of its booking.
    pub booked_at: Timestamp,
    /// The day it counts from.
    pub value_date: Date,
    /// Debit or credit.
    pub side: Side,
    /// Minor units.
    pub amount: u128,
    /// Booked balance after it, minor units.
    pub balance: i128,
}

/// An entry that is about to be booked or set aside, as a hook sees it: what stands on the hook's account alone.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PlannedEntry {
    /// The account.
    pub account: AccountId,
    /// The side of all its postings there: an entry never has an account on both.
    pub side: Side,
    /// Its postings there.
    pub amounts: Vec<Money>,
    /// Whether the amounts are set aside by a hold, not booked.
    pub sets_aside: bool,
    /// The day it counts from.
    pub value_date: Date,
    /// Commitment to a narrative.
    pub narrative: Option<Hash>,
    /// Commitment to a reference.
    pub reference: Option<Hash>,
}

impl PlannedEntry {
    /// The sum of the postings, minor units.
    pub fn total_minor(&self) -> i128 {
        // Counters are at most 10^36, so their sum has room.
        self.amounts.iter().map(|money| money.minor).sum()
    }
}

/// Postings that came to an account since its hook last looked.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct BookedEntries {
    /// The account.
    pub account: AccountId,
    /// 1..=[`crate::limit::STATEMENT_LINES_MAX`] postings, the oldest first.
    pub lines: Vec<StatementLine>,
}

/// Why an account is frozen. Append only.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum FreezeReason {
    /// A court or authority ordered it.
    Order,
    /// A sanctions list names the owner.
    Sanctions,
    /// Fraud is suspected.
    Fraud,
    /// The owner has died.
    Death,
    /// The owner is insolvent.
    Insolvency,
    /// The owner asked for it.
    Request,
}

impl FreezeReason {
    /// Every reason in order of its number.
    pub const ALL: [FreezeReason; 6] = [
        FreezeReason::Order,
        FreezeReason::Sanctions,
        FreezeReason::Fraud,
        FreezeReason::Death,
        FreezeReason::Insolvency,
        FreezeReason::Request,
    ];

    /// The name that operators write.
    pub const fn name(self) -> &'static str {
        match self {
            FreezeReason::Order => "order",
            FreezeReason::Sanctions => "sanctions",
            FreezeReason::Fraud => "fraud",
            FreezeReason::Death => "death",
            FreezeReason::Insolvency => "insolvency",
            FreezeReason::Request => "request",
        }
    }
}

impl core::fmt::Display for FreezeReason {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.name())
    }
}
