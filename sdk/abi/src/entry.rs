//! What a contract asks of the ledger, and what the ledger says to it.

use crate::id::{AccountId, Hash};
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

/// An account as a contract names it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum AccountRef {
    /// The agreement's own book, by its number in the spec.
    Book(u16),
    /// Any account.
    Account(AccountId),
}

/// One line of an entry.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Posting {
    /// Where.
    pub account: AccountRef,
    /// Debit or credit.
    pub side: Side,
    /// How much, above zero; the currency must be the account's.
    pub money: Money,
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
}

/// Names an entry: the item that booked it and its place among the item's entries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct EntryId {
    /// Transaction or occurrence.
    pub item: Hash,
    /// Place among the entries of that item, from 0.
    pub index: u32,
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
