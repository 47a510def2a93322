//! What is reported of an item besides its entries.

use crate::id::AgreementId;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Something that happened, in the words of a contract or of the chain.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Event {
    /// The agreement concerned.
    pub agreement: AgreementId,
    /// Whose words.
    pub body: EventBody,
}

/// An event's words. Append only.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum EventBody {
    /// The contract's own event: its number and its fields in the encoding of the spec.
    Contract {
        /// Number in the spec.
        number: u16,
        /// Fields.
        #[serde(with = "crate::codec::bytes")]
        data: Vec<u8>,
    },
    /// The agreement was opened.
    Opened,
    /// A party signed the terms.
    Signed,
    /// The lifecycle moved.
    State {
        /// State before.
        from: u16,
        /// State after.
        to: u16,
    },
    /// An attempt at an occurrence was refused.
    AttemptRefused {
        /// Kind of the schedule.
        kind: u16,
        /// Number of the occurrence.
        number: u32,
        /// Attempt, from 0.
        attempt: u8,
        /// Code of the refusal.
        code: u16,
    },
    /// Occurrences were passed over.
    Missed {
        /// Kind of the schedule.
        kind: u16,
        /// First number passed over.
        first: u32,
        /// How many.
        count: u32,
    },
    /// A handler failed, or its next date cannot be told; its schedule waits for the bank.
    ScheduleSuspended {
        /// Kind of the schedule.
        kind: u16,
        /// Number of the occurrence.
        number: u32,
        /// Code of the failure or the refusal.
        code: u16,
    },
    /// An occurrence's day had become a holiday and was moved.
    Moved {
        /// Kind of the schedule.
        kind: u16,
        /// Number of the occurrence.
        number: u32,
    },
}
