//! Why the host says no: one list with numbers, the values concerned, a text and the ISO 20022 reason.
//!
//! A refusal is data in a receipt: its code and its canonical bytes are hashed, its text is not.

use crate::codec;
use crate::date::{Date, Timestamp};
use crate::entry::{EntryId, FreezeReason};
use crate::id::{AccountId, AgreementId, AssetId, CodeHash, Hash, HoldId, PartyId, ProposalId};
use crate::money::Code;
use crate::role::Role;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident $({ $($(#[$fdoc:meta])* $field:ident: $ty:ty),* $(,)? })? = $iso:literal $text:literal;)*) => {
        /// A refusal by the host. Append only: the code is the place plus one. The fields' names say what they
        /// hold; amounts are in minor units.
        #[allow(missing_docs)]
        #[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
        pub enum Refusal {
            $($(#[$doc])* #[error($text)] $name $({ $($(#[$fdoc])* $field: $ty),* })?),*
        }

        impl Refusal {
            /// Name of the refusal, stable like its code.
            pub fn name(&self) -> &'static str {
                match self { $(Refusal::$name { .. } => stringify!($name)),* }
            }
            /// The status reason code of ISO 20022 (external code set) that comes nearest.
            pub fn iso20022(&self) -> &'static str {
                match self { $(Refusal::$name { .. } => $iso),* }
            }
            /// The names of all refusals in order of their codes.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),*];
            /// Their reason codes of ISO 20022, in the same order.
            pub const ISO20022: &'static [&'static str] = &[$($iso),*];
        }
    };
}

refusals! {
    /// The agreement has other code or terms than the signer saw.
    Stale { terms_given: u32, terms_now: u32, code_now: CodeHash } = "AG01"
        "the agreement has changed since this was signed: terms version {terms_now} and {code_now} now, {terms_given} signed";
    /// Nobody of those who may do this has signed.
    NotAuthorised = "AG01" "none of the signers may do this";
    /// The role is missing.
    RoleMissing { role: Role, bank: PartyId } = "AG01" "the role {role} at {bank} is needed";
    /// Not possible in this lifecycle state.
    WrongState { state: u16, possible: Vec<u16> } = "AG03" "not possible in lifecycle state {state}; possible in {possible:?}";
    /// A second person must approve.
    FourEyes { role: Role } = "AG01" "a second person with the role {role} must approve this; propose it";
    /// Proposer, approver and beneficiary are one person.
    SamePerson = "AG01" "proposer, approvers and beneficiary must be different persons";
    /// No such party.
    UnknownParty { party: PartyId } = "BE05" "there is no {party}";
    /// No such account.
    UnknownAccount { account: AccountId } = "AC01" "there is no account {account}";
    /// No such asset.
    UnknownAsset { asset: AssetId } = "AM03" "there is no asset {asset}";
    /// No such contract.
    UnknownContract { code: CodeHash } = "AG03" "there is no contract {code}";
    /// No such agreement.
    UnknownAgreement { agreement: AgreementId } = "AG03" "there is no agreement {agreement}";
    /// No such call.
    UnknownCall { call: u16 } = "AG03" "the contract has no call {call} that can be made this way";
    /// No such proposal, or it has ended.
    UnknownProposal { proposal: ProposalId } = "AG03" "there is no open proposal {proposal}";
    /// The proposal's time is over.
    ProposalExpired { expired_at: Timestamp } = "AG03" "the proposal ended at {expired_at}";
    /// It is there already.
    Exists { what: Hash } = "AM05" "it exists already: {what}";
    /// The terms do not fit the spec.
    BadTerms { term: u16, rule: String } = "FF01" "term {term}: {rule}";
    /// The arguments do not fit the spec.
    BadArguments { rule: String } = "FF01" "the arguments do not fit: {rule}";
    /// The operation's own values break a rule.
    BadValue { rule: String } = "FF01" "{rule}";
    /// The module may not be published.
    NotAdmitted { rule: String, offset: u64 } = "FF01" "the module is not admitted: it breaks the rule `{rule}` (offset {offset}); `tenor check FILE` says how and what to change";
    /// Not enough money.
    InsufficientFunds { account: AccountId, available: u128, needed: u128 } = "AM04"
        "{account} has {available} available, {needed} needed (minor units)";
    /// More than the signer allowed.
    SpendMax { account: AccountId, bound: u128, asked: u128 } = "AM14"
        "{account}: the signer allowed {bound}, {asked} asked (minor units)";
    /// Nobody allowed this debit.
    DebitNotAllowed { account: AccountId } = "AG01" "{account} may not be debited: no grant, and its owner did not sign";
    /// More than a grant allows.
    GrantExceeded { account: AccountId, max: u128, used: u128, asked: u128 } = "AM14"
        "the grant on {account} allows {max} per period, {used} used, {asked} asked (minor units)";
    /// Incoming or outgoing postings are stopped.
    Frozen { account: AccountId, outgoing: bool, reason: FreezeReason } = "AC06"
        "{account} is frozen (outgoing: {outgoing}), reason: {reason}";
    /// The account is closed.
    Closed { account: AccountId } = "AC04" "{account} is closed";
    /// Above the ceiling.
    AboveCeiling { account: AccountId, ceiling: i128, would_be: i128 } = "AM02"
        "{account} may hold {ceiling}, it would hold {would_be} (minor units)";
    /// Another currency than the account's.
    WrongCurrency { account: AccountId, given: Code, needed: Code } = "AM03" "{account} holds {needed}, {given} given";
    /// Not above zero or not below the limit.
    BadAmount { minor: i128 } = "AM12" "an amount must be 1 to 10^30 minor units, {minor} given";
    /// Debits and credits of an asset differ.
    Unbalanced { asset: AssetId, debits: u128, credits: u128 } = "AM10"
        "{asset} does not balance: debits {debits}, credits {credits} (minor units)";
    /// Too few or too many postings.
    BadPostings { given: u32 } = "AM18" "an entry has 2 to 8190 postings, {given} given";
    /// One account on both sides.
    SameAccount { account: AccountId } = "AC01" "{account} stands on both sides";
    /// A counter would pass its largest value.
    CounterFull { account: AccountId } = "AM02" "a counter of {account} would pass 10^36";
    /// A product would have more on loan than the bank allowed.
    ExposureExceeded { asset: AssetId, limit: u128, would_be: u128 } = "AM14"
        "the product's exposure would be {would_be}, the bank allowed {limit} (minor units)";
    /// The contract names a book that its spec does not have.
    UnknownBook { book: u16 } = "AC01" "the contract has no book {book}";
    /// The contract may not look into or pay this account.
    AccountNotNamed { account: AccountId } = "AG01" "{account} is not named in the terms";
    /// A schedule rule is broken.
    BadSchedule { rule: String } = "FF01" "{rule}";
    /// The agreement has all the keys it may have.
    KeysMax { limit: u32 } = "AM02" "the agreement has {limit} keys, the most there may be";
    /// A calendar does not reach far enough or does not exist.
    CalendarShort { rule: String } = "DT01" "{rule}";
    /// Occurrences of the agreement must run first and do not fit.
    BehindSchedule { agreement: AgreementId } = "TM01" "{agreement} has occurrences that must run first";
    /// A term of the product has another value than its default, and nobody who may set it signed.
    NotYourTerm { term: String, role: Role, bank: PartyId } = "AG01"
        "the term `{term}` is the product's: leave it out, or have {bank} or a {role} there sign as well";
    /// An amount has other decimals than the account's asset.
    WrongScale { account: AccountId, given: u8, needed: u8 } = "AM03"
        "{account} counts {needed} decimals, {given} given";
    /// What an account holds or has set aside must be zero for this.
    NotEmpty { account: AccountId, balance: i128, pending: u128 } = "AC04"
        "{account} holds {balance} and has {pending} pending; both must be zero (minor units)";
    /// A control account is posted to by the ledger alone.
    ControlAccount { account: AccountId } = "AC01" "{account} is a control account: only linked postings reach it";
    /// Only the issuer of an asset issues and redeems it.
    IssuerOnly { account: AccountId, issuer: PartyId } = "AG01"
        "{account} issues and redeems: {issuer} must sign";
    /// The asset's terms of creation do not allow this.
    NotInAssetTerms { asset: AssetId, what: String } = "AG01" "the terms of {asset} at its creation allow no {what}";
    /// No such hold, or it ended and its time is over.
    UnknownHold { hold: HoldId } = "AG03" "there is no open hold {hold}";
    /// The hold was captured or released before.
    HoldResolved { hold: HoldId } = "AG03" "{hold} is resolved already";
    /// The hold's time is over.
    HoldExpired { hold: HoldId, expired_at: Timestamp } = "AG03" "{hold} expired at {expired_at}";
    /// More than is left of a hold.
    AboveHold { hold: HoldId, account: AccountId, left: u128, asked: u128 } = "AM14"
        "{hold} has {left} left on {account}, {asked} asked (minor units)";
    /// A hold ends after now and within the days that there are.
    BadExpiry { given: Timestamp, earliest: Timestamp, latest: Timestamp } = "DT01"
        "a hold may end from {earliest} to {latest}, {given} given";
    /// The value date lies before what the asker may choose.
    ValueDatePast { given: Date, earliest: Date } = "DT01"
        "a value date from {earliest} on is possible without staff of every bank concerned, {given} given";
    /// The value date lies too far ahead.
    ValueDateAhead { given: Date, latest: Date } = "DT01" "a value date until {latest} is possible, {given} given";
    /// The value date lies before the back window of an account's code.
    BeforeWindow { account: AccountId, given: Date, earliest: Date } = "DT01"
        "{account} takes value dates from {earliest} on, {given} given";
    /// The value date lies in a period whose books are closed.
    PeriodClosed { bank: PartyId, given: Date, closed_until: Date } = "DT01"
        "the books of {bank} are closed until {closed_until}, {given} given";
    /// The external key stands for another entry.
    EntryKeyTaken { entry: EntryId, field: String } = "AM05"
        "the external key stands for entry {entry}: {field} differ";
    /// The external key's day is too old or not yet.
    EntryKeyDay { given: u32, oldest: u32, latest: u32 } = "DT01"
        "the external key is of day {given}; days {oldest} to {latest} (since 1970) are accepted";
    /// The account's history has no such posting of the entry.
    UnknownPosting { account: AccountId, sequence: u64 } = "NOOR"
        "posting {sequence} of {account} is not one of the entry";
    /// Corrections together would exceed the exact reverse.
    AboveReverse { account: AccountId, sequence: u64, left: u128, asked: u128 } = "AM14"
        "of posting {sequence} of {account} {left} can be corrected, {asked} asked (minor units)";
    /// More transfers than a batch may have, or none.
    BadBatch { given: u32, limit: u32 } = "AM18" "a batch has 1 to {limit} transfers, {given} given";
    /// A value-dated question would have to look through too many postings.
    TooManyPostings { account: AccountId, limit: u64 } = "AM18"
        "{account} has more than {limit} postings in the days that count";
    /// A hook of the account refuses the entry, with a code of its contract.
    HookRefused { account: AccountId, hook: AgreementId, code: u16, data: Vec<u8> } = "AG01"
        "the hook {hook} of {account} refuses the entry with code {code}";
    /// A hook of the account could not judge the entry: it trapped, or ran out of something.
    HookFailed { account: AccountId, hook: AgreementId, code: u16 } = "AG01"
        "the hook {hook} of {account} could not judge the entry, failure {code}; who attached it can detach it";
    /// An item asks at most so many hooks.
    HooksMax { limit: u32 } = "AG01" "an item asks at most {limit} hooks";
    /// The account has no such hook.
    NoHook { account: AccountId } = "AG03" "{account} has no such hook";
    /// The agreement's contract has no call that a hook needs.
    NotAHook { agreement: AgreementId, needed: String } = "AG03" "the contract of {agreement} has no call `{needed}`";
    /// The agreement is at work already in this item.
    Reentered { agreement: AgreementId } = "AG03" "{agreement} is at work already in this item: it cannot be entered again";
    /// The contract has no call of the signature that was asked for.
    NoSuchCall { agreement: AgreementId, call: String } = "AG03"
        "the contract of {agreement} has no call `{call}` with these types that an agreement can make";
    /// Agreements call each other too deep.
    CallsTooDeep { limit: u8 } = "AG03" "at most {limit} agreements are at work at the same time";
    /// The key that signed may not move so much.
    KeyLimit { key: u16, asset: AssetId, allowed: u128, asked: u128 } = "AM14"
        "key {key} may move {allowed} more of {asset} now, {asked} asked";
    /// The key that signed may not make or end such a key.
    KeyBeyond { key: u16 } = "AG01" "key {key} makes and ends no key that may move more than itself";
}

impl Refusal {
    /// The number in receipts: 1 and up, below [`crate::spec::CODE_OWN`].
    pub fn code(&self) -> u16 {
        // The discriminant stands first in the canonical bytes, below 128 in one byte.
        u16::from(codec::encode(self)[0]) + 1
    }

    /// The canonical bytes: a receipt's data.
    pub fn data(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// The refusal that a receipt's data holds, if it holds one.
    pub fn from_data(data: &[u8]) -> Option<Refusal> {
        codec::decode(data, 4096).ok()
    }
}

/// What ends an item without an answer: it ran out of something, trapped, or broke a rule of the host.
/// The numbers are codes in receipts. Append only.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[repr(u16)]
pub enum Failure {
    /// The gas limit is used up.
    OutOfGas = 0x4000,
    /// Calls or values nest too deep.
    StackLimit = 0x4001,
    /// More memory than allowed.
    MemoryLimit = 0x4002,
    /// The contract stopped itself: panic, division by zero, out of bounds.
    Trapped = 0x4003,
    /// The contract broke a rule of the host.
    HostRule = 0x4004,
}

impl Failure {
    /// Every failure in order of its code.
    pub const ALL: [Failure; 5] =
        [Failure::OutOfGas, Failure::StackLimit, Failure::MemoryLimit, Failure::Trapped, Failure::HostRule];

    /// The number in receipts.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// Name, stable like the code.
    pub const fn name(self) -> &'static str {
        match self {
            Failure::OutOfGas => "out_of_gas",
            Failure::StackLimit => "stack_limit",
            Failure::MemoryLimit => "memory_limit",
            Failure::Trapped => "trapped",
            Failure::HostRule => "host_rule",
        }
    }

    /// The failure of a code.
    pub fn of(code: u16) -> Option<Failure> {
        Failure::ALL.into_iter().find(|failure| failure.code() == code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_places() {
        assert_eq!(Refusal::Stale { terms_given: 0, terms_now: 1, code_now: CodeHash([0; 32]) }.code(), 1);
        assert_eq!(Refusal::NotAuthorised.code(), 2);
        let last = Refusal::KeyBeyond { key: 1 };
        assert_eq!(last.code() as usize, Refusal::NAMES.len());
        assert!(Refusal::NAMES.len() < 128, "one byte of discriminant");
    }

    #[test]
    fn data_and_back() {
        let refusal = Refusal::InsufficientFunds { account: AccountId([1; 32]), available: 5, needed: 7 };
        assert_eq!(Refusal::from_data(&refusal.data()), Some(refusal));
    }
}
