//! Receipts: what became of an item, what it booked and what it reported.

use crate::crypto::hash;
use crate::merkle;
use alloc::vec::Vec;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smallvec::SmallVec;
use tenor_abi::codec;
use tenor_abi::date::{Date, Timestamp};
use tenor_abi::entry::{EntryId, Side};
use tenor_abi::event::Event;
use tenor_abi::id::{AccountId, AgreementId, AssetId, Hash, HoldId};
use tenor_abi::tag;

/// What became of an item that a block holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Fate {
    /// It took effect.
    Done,
    /// Authority, lifecycle, ledger or the contract said no; its effects are rolled back.
    Refused,
    /// It ran out of something or trapped; its effects are rolled back.
    Failed,
}

/// The hashed part of a receipt.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Receipt {
    /// Id of the transaction or of the occurrence's attempt.
    pub item: Hash,
    /// What became of it.
    pub fate: Fate,
    /// 0 when done; below 0x8000 the host's code, from there on the contract's.
    pub code: u16,
    /// Tagged hash of the data.
    pub data: Hash,
    /// Gas used.
    pub gas: u64,
    /// Root of the entries booked.
    pub entries: Hash,
    /// Root of the events.
    pub events: Hash,
}

/// One line of a booked entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BookedPosting {
    /// Where.
    pub account: AccountId,
    /// In what.
    pub asset: AssetId,
    /// Debit or credit.
    pub side: Side,
    /// Minor units.
    pub amount: u128,
}

/// Who asked for an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum EntrySource {
    /// A party's own operation.
    Party,
    /// An agreement, for a purpose of its contract's list.
    Agreement {
        /// Which.
        agreement: AgreementId,
        /// Number of the purpose.
        purpose: u16,
    },
}

impl EntrySource {
    /// The agreement that asked, where it was one.
    pub const fn agreement(&self) -> Option<&AgreementId> {
        match self {
            EntrySource::Party => None,
            EntrySource::Agreement { agreement, .. } => Some(agreement),
        }
    }
}

/// What an entry is. Append only.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Act {
    /// Its postings are booked.
    Post,
    /// Its postings take back postings of another entry.
    Correct(EntryId),
    /// Its postings are set aside, and nothing is booked.
    Hold {
        /// The hold.
        hold: HoldId,
        /// Last instant of a capture.
        expires_at: Timestamp,
    },
    /// Its postings are booked out of what a hold set aside.
    Capture {
        /// The hold.
        hold: HoldId,
        /// Whether what was left is released.
        last: bool,
    },
    /// Its postings are no longer set aside, and nothing is booked.
    Release {
        /// The hold.
        hold: HoldId,
    },
    /// As a release, by the hold's time being over.
    Expire {
        /// The hold.
        hold: HoldId,
    },
}

impl Act {
    /// Whether the postings change booked balances.
    pub const fn books(self) -> bool {
        matches!(self, Act::Post | Act::Correct(_) | Act::Capture { .. })
    }
}

/// The postings of an entry, in the order in which they were asked for. The two that most entries have lie in it.
pub type BookedPostings = SmallVec<[BookedPosting; 2]>;

fn in_order<S: Serializer>(postings: &[BookedPosting], to: S) -> Result<S::Ok, S::Error> {
    postings.serialize(to)
}

/// Their list, whose length is not believed before they are there.
fn postings<'de, D: Deserializer<'de>>(from: D) -> Result<BookedPostings, D::Error> {
    Vec::deserialize(from).map(BookedPostings::from)
}

/// A booked entry: an atomic set of postings, each asset balancing on its own.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Its name.
    pub id: EntryId,
    /// Who asked for it.
    pub source: EntrySource,
    /// Block time.
    pub booked_at: Timestamp,
    /// The day it counts from.
    pub value_date: Date,
    /// Its lines, in the order they were asked for.
    #[serde(serialize_with = "in_order", deserialize_with = "postings")]
    pub postings: BookedPostings,
    /// Salted commitment to a narrative.
    pub narrative: Option<Hash>,
    /// Salted commitment to an end-to-end reference.
    pub reference: Option<Hash>,
    /// What it is.
    pub act: Act,
    /// What control accounts mirror of it, ascending by account and side.
    pub linked: Vec<BookedPosting>,
}

/// What became of one transfer of a batch; its place in the list and the transaction name it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SubReceipt {
    /// Done or refused.
    pub fate: Fate,
    /// As in [`Receipt`].
    pub code: u16,
    /// What it was refused with.
    #[serde(with = "tenor_abi::codec::bytes")]
    pub data: Vec<u8>,
    /// Place of its entry among the item's.
    pub entry: Option<u32>,
}

/// The data of a batch's receipt.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BatchOutcome {
    /// Root over the transfers' outcomes.
    pub root: Hash,
    /// The outcomes in the order of the transfers.
    pub transfers: Vec<SubReceipt>,
}

/// A receipt with all that its hashes stand for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FullReceipt {
    /// The hashed part.
    pub receipt: Receipt,
    /// What the item returned or was refused with.
    #[serde(with = "tenor_abi::codec::bytes")]
    pub data: Vec<u8>,
    /// Entries booked.
    pub entries: Vec<Entry>,
    /// Events reported.
    pub events: Vec<Event>,
}

impl FullReceipt {
    /// A receipt over what it stands for.
    pub fn new(
        item: Hash,
        fate: Fate,
        code: u16,
        gas: u64,
        data: Vec<u8>,
        entries: Vec<Entry>,
        events: Vec<Event>,
    ) -> FullReceipt {
        let receipt = Receipt {
            item,
            fate,
            code,
            data: hash(tag::DATA, &[&data]),
            gas,
            entries: list_root(tag::ENTRIES, &entries),
            events: list_root(tag::EVENTS, &events),
        };
        FullReceipt { receipt, data, entries, events }
    }

    /// Whether the hashed part stands for the rest.
    pub fn is_whole(&self) -> bool {
        let r = &self.receipt;
        let again = FullReceipt::new(
            r.item,
            r.fate,
            r.code,
            r.gas,
            self.data.clone(),
            self.entries.clone(),
            self.events.clone(),
        );
        again.receipt == *r
    }
}

/// The root of a list of values in their canonical bytes.
pub fn list_root<T: Serialize>(tags: tag::TreeTags, values: &[T]) -> Hash {
    let leaves: Vec<Vec<u8>> = values.iter().map(codec::encode).collect();
    merkle::root(tags, leaves.iter().map(Vec::as_slice))
}
