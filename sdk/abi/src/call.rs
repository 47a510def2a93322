//! What a contract is told when it is called.

use crate::date::{Date, Timestamp};
use crate::id::{AgreementId, PartyId};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// The occasion of a call; decides which host functions there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Actor {
    /// A party that signed the transaction first.
    Party(PartyId),
    /// Another agreement.
    Agreement(AgreementId),
    /// The chain itself, when an occurrence is due.
    Schedule,
}

/// One run of a schedule.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Occurrence {
    /// Number of the schedule's kind in the spec.
    pub kind: u16,
    /// From 0, without gaps, never again.
    pub number: u32,
    /// The occurrence's own day, before it was moved to a business day.
    pub nominal: Date,
    /// The occurrence's day, after it was moved to a business day.
    pub date: Date,
    /// 0 for the first attempt.
    pub attempt: u8,
    /// Whether the retry policy ends with this attempt.
    pub last_attempt: bool,
}

/// Everything a call gets, as `arg_read` hands it over.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Call {
    /// The agreement called.
    pub agreement: AgreementId,
    /// Bank that published the contract.
    pub bank: PartyId,
    /// Who acts.
    pub actor: Actor,
    /// In an action block time, in a handler the occurrence's due time.
    pub time: Timestamp,
    /// Business date of the product's bank; in a handler the attempt's due date.
    pub date: Date,
    /// Block time.
    pub booked_at: Timestamp,
    /// Number of the lifecycle state.
    pub state: u16,
    /// Terms as signed, in the encoding of the spec.
    #[serde(with = "crate::codec::bytes")]
    pub terms: Vec<u8>,
    /// In a handler the occurrence.
    pub occurrence: Option<Occurrence>,
    /// Arguments, in the encoding of the spec.
    #[serde(with = "crate::codec::bytes")]
    pub arguments: Vec<u8>,
}
