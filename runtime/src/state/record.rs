//! The kernel's records: a version byte, then canonical bytes.

use super::namespace::Kind;
use crate::fault::Fault;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tenor_abi::calendar::Calendar;
use tenor_abi::codec;
use tenor_abi::date::{Date, Timestamp};
use tenor_abi::entry::{EntryId, EntryKey, FreezeReason, Side};
use tenor_abi::id::{AccountId, AgreementId, AssetId, ChainId, CodeHash, Hash, HoldId, PartyId};
use tenor_abi::money::{Code, Currency};
use tenor_abi::recurrence::Recurrence;
use tenor_abi::role::Role;
use tenor_abi::spec::{BookSide, Period, Version};
use tenor_wire::crypto::PublicKey;
use tenor_wire::hexadecimal::hex;
use tenor_wire::merkle::Mmr;
use tenor_wire::op::{
    AccountKind, AssetKind, HookMoment, HookOf, KeyLimit, KeyNumber, KeyRole, Operation, PartyKind, Purpose,
    Spend,
};
use tenor_wire::receipt::EntrySource;

/// Version of the records' form.
pub const RECORD_VERSION: u8 = 1;

/// Something stored under a kind.
pub trait Record: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// Its kind.
    const KIND: Kind;
}

/// Version byte and canonical bytes.
pub fn to_bytes<R: Record>(record: &R) -> Vec<u8> {
    codec::encode(&(RECORD_VERSION, record))
}

/// Appends version byte and canonical bytes.
pub(super) fn append<R: Record>(bytes: &mut Vec<u8>, record: &R) {
    codec::append(bytes, &(RECORD_VERSION, record));
}

/// The record of stored bytes.
///
/// # Errors
/// [`Fault::State`] naming the key.
pub fn from_bytes<R: Record>(full_key: &[u8], bytes: &[u8]) -> Result<R, Fault> {
    let damaged = || Fault::State(format!("{:?} record at {} cannot be read", R::KIND, hex(full_key)));
    let rest = bytes.strip_prefix(&[RECORD_VERSION]).ok_or_else(damaged)?;
    codec::decode_own(rest).map_err(|_| damaged())
}

/// Who owns an account.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Holder {
    /// A party.
    Party(PartyId),
    /// An agreement: the account is one of its books.
    Agreement(AgreementId),
}

impl Holder {
    /// The 32 bytes of the owner's id.
    pub fn bytes(&self) -> &[u8; 32] {
        match self {
            Holder::Party(id) => &id.0,
            Holder::Agreement(id) => &id.0,
        }
    }
}

/// What was booked on an account and is set aside on it, minor units.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Counters {
    /// Posted debits.
    pub debits_posted: u128,
    /// Posted credits.
    pub credits_posted: u128,
    /// Debits set aside by holds.
    pub debits_pending: u128,
    /// Credits that holds will bring; they count for nothing.
    pub credits_pending: u128,
}

impl Counters {
    /// Posted credits less posted debits.
    pub fn balance(&self) -> i128 {
        self.credits_posted as i128 - self.debits_posted as i128
    }

    /// Balance less pending debits.
    pub fn unheld(&self) -> i128 {
        self.balance() - self.debits_pending as i128
    }

    /// Posted debits and credits.
    pub fn posted(&self) -> (u128, u128) {
        (self.debits_posted, self.credits_posted)
    }

    /// Pending debits and credits.
    pub fn pending(&self) -> (u128, u128) {
        (self.debits_pending, self.credits_pending)
    }

    /// What was posted on a side.
    pub fn posted_mut(&mut self, side: Side) -> &mut u128 {
        match side {
            Side::Debit => &mut self.debits_posted,
            Side::Credit => &mut self.credits_posted,
        }
    }
}

/// A purpose code that passed its check: 1..=16 of `a-z 0-9 -`. It lies in its record, which is copied often.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PurposeCode {
    bytes: [u8; PURPOSE_LENGTH_MAX],
    length: u8,
}

/// The hooks that an account has, a bit each, so that an account without any costs no look-up.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct HookSet(u8);

impl HookSet {
    fn bit(of: HookOf, moment: HookMoment) -> u8 {
        1 << (of as u8 + 2 * moment as u8)
    }

    /// A bit for each.
    pub(super) fn bits(self) -> u8 {
        self.0
    }

    /// Whether there is one.
    pub fn has(self, of: HookOf, moment: HookMoment) -> bool {
        self.0 & HookSet::bit(of, moment) != 0
    }

    /// Whether there is one of a moment.
    pub fn has_any(self, moment: HookMoment) -> bool {
        self.has(HookOf::Owner, moment) || self.has(HookOf::Bank, moment)
    }

    /// The set with one more or less.
    pub fn with(self, of: HookOf, moment: HookMoment, there: bool) -> HookSet {
        let bit = HookSet::bit(of, moment);
        HookSet(if there { self.0 | bit } else { self.0 & !bit })
    }
}

/// Longest purpose code in characters.
pub const PURPOSE_LENGTH_MAX: usize = 16;

impl PurposeCode {
    /// The code of a text; none when it is no purpose code.
    pub fn of(text: &str) -> Option<PurposeCode> {
        let is_code = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        if text.is_empty() || text.len() > PURPOSE_LENGTH_MAX || !text.bytes().all(is_code) {
            return None;
        }
        let mut bytes = [0; PURPOSE_LENGTH_MAX];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Some(PurposeCode { bytes, length: text.len() as u8 })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).expect("a purpose code is ASCII")
    }

    /// The text's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl std::fmt::Display for PurposeCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::fmt::Debug for PurposeCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

impl Serialize for PurposeCode {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for PurposeCode {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<PurposeCode, D::Error> {
        let text = <&str>::deserialize(from)?;
        PurposeCode::of(text).ok_or_else(|| serde::de::Error::custom("not a purpose code"))
    }
}

/// Terms of an agreement, which the versions of its record share: its keys are counted and its state changes often, and
/// what is kept of before must not take as much memory as the terms.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Terms(Arc<[u8]>);

impl From<Vec<u8>> for Terms {
    fn from(bytes: Vec<u8>) -> Terms {
        Terms(bytes.into())
    }
}

impl std::ops::Deref for Terms {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Serialize for Terms {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        codec::bytes::serialize(self, to)
    }
}

impl<'de> Deserialize<'de> for Terms {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Terms, D::Error> {
        codec::bytes::deserialize(from).map(Terms::from)
    }
}

macro_rules! records {
    ($($(#[$doc:meta])* $kind:ident => $name:ident { $($(#[$fdoc:meta])* $field:ident: $ty:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
        pub struct $name { $($(#[$fdoc])* pub $field: $ty,)* }
        impl Record for $name {
            const KIND: Kind = Kind::$kind;
        }
    )*};
}

records! {
    /// A party.
    Party => PartyRecord {
        /// Bank that knows the party.
        home: PartyId,
        /// Kind.
        kind: PartyKind,
        /// Commitment to the person.
        person: Hash,
        /// Commitment to the name.
        name: Hash,
    }
    /// A party's key.
    Key => KeyRecord {
        /// Public key.
        public: PublicKey,
        /// Where it lives.
        role: KeyRole,
        /// When it ends.
        expires_at: Option<Timestamp>,
        /// What it may move; everything where there are none.
        limits: Option<Vec<KeyLimit>>,
        /// When it was ended.
        revoked_at: Option<Timestamp>,
    }
    /// What a limited key has moved.
    KeySpent => KeySpentRecord {
        /// Business date of the party's home bank.
        day: Date,
        /// On it, minor units, ascending by asset.
        spent: Vec<(AssetId, u128)>,
    }
    /// A role is held.
    Role => RoleRecord {
        /// Since when.
        since: Timestamp,
    }
    /// An asset.
    Asset => AssetRecord {
        /// Who issues it.
        issuer: PartyId,
        /// Code.
        code: Code,
        /// Decimals.
        scale: u8,
        /// Kind.
        kind: AssetKind,
        /// Whether the issuer may freeze.
        freezable: bool,
        /// Whether the issuer may debit.
        clawback: bool,
    }
    /// An account.
    Account => AccountRecord {
        /// Whose.
        owner: Holder,
        /// In what.
        asset: AssetId,
        /// For what.
        purpose: PurposeCode,
        /// Code and decimals of the asset, which never change.
        currency: Currency,
        /// What it is to the ledger.
        kind: AccountKind,
        /// Account code of its bank.
        code: u16,
        /// The control account that mirrors it.
        control: Option<AccountId>,
        /// What was booked and set aside so far.
        counters: Counters,
        /// Lowest balance.
        floor: i128,
        /// Highest balance.
        ceiling: Option<i128>,
        /// Whether holds may use what lies below zero.
        holds_overdraft: bool,
        /// Nothing comes in, and why.
        frozen_in: Option<FreezeReason>,
        /// Nothing goes out, and why.
        frozen_out: Option<FreezeReason>,
        /// Closed for good.
        closed: bool,
        /// Which hooks it has.
        hooks: HookSet,
        /// Postings so far.
        history_count: u64,
        /// Root over them.
        history_root: Hash,
    }
    /// Money set aside on an account: a line of a hold. It stays until the hold's time is over.
    Hold => HoldRecord {
        /// Account that receives.
        to: AccountId,
        /// What was set aside, minor units.
        placed: u128,
        /// What of it is neither captured nor released, minor units.
        left: u128,
        /// Last instant of a capture.
        expires_at: Timestamp,
        /// Who placed it.
        source: EntrySource,
        /// The entry that says so.
        entry: EntryId,
    }
    /// What an account code of a bank means.
    AccountCode => AccountCodeRecord {
        /// General-ledger key.
        gl: Purpose,
        /// Its side on paper.
        side: BookSide,
        /// Days before the business date that a value date may lie under a role of the bank.
        back_days: u16,
    }
    /// How far a bank's books are closed.
    ClosedBooks => ClosedBooksRecord {
        /// The last closed day.
        until: Date,
    }
    /// What corrections took back of a posting.
    Correction => CorrectionRecord {
        /// Minor units of all corrections together.
        taken_back: u128,
    }
    /// The entry under an external key, and what it was asked with.
    EntryKey => EntryKeyRecord {
        /// The entry; none where there was nothing to book.
        entry: Option<EntryId>,
        /// Tagged hash of the postings as asked for.
        postings: Hash,
        /// Purpose.
        purpose: u16,
        /// Value date as asked for.
        value_date: Option<Date>,
        /// Narrative.
        narrative: Option<Hash>,
        /// Reference.
        reference: Option<Hash>,
    }
    /// What an agreement may debit an account by.
    Grant => GrantRecord {
        /// Code that it was given to; other code ends it.
        code: CodeHash,
        /// Block time at which it was given.
        given_at: Timestamp,
        /// Most per entry, minor units.
        per_entry: u128,
        /// Most per period, minor units.
        per_period: u128,
        /// The period.
        period: Period,
        /// When it ends.
        expires_at: Option<Timestamp>,
        /// What was used in the latest periods, by their first day, ascending.
        used: Vec<(Date, u128)>,
    }
    /// An agreement.
    Agreement => AgreementRecord {
        /// Its contract.
        code: CodeHash,
        /// Bank that published it.
        bank: PartyId,
        /// Who opened it.
        opened_by: PartyId,
        /// When.
        opened_at: Timestamp,
        /// Version of the terms, from 0.
        terms_version: u32,
        /// Terms in the encoding of the spec.
        terms: Terms,
        /// Lifecycle state.
        state: u16,
        /// Who signed the terms, ascending.
        signers: Vec<PartyId>,
        /// Storage keys in use.
        keys: u32,
    }
    /// A schedule of an agreement.
    Schedule => ScheduleRecord {
        /// When it falls due; the host owns it.
        recurrence: Recurrence,
        /// Number of the next occurrence within the recurrence, from 0.
        place: u32,
        /// What to add to `place` to get an occurrence's number: numbers never restart.
        base: u32,
        /// Attempts at the next occurrence before the schedule was last held or suspended: those that follow go
        /// on from there, so that no two have one number.
        tried: u8,
        /// Where the next occurrence stands.
        waiting: Waiting,
    }
    /// An action waiting for approval.
    Proposal => ProposalRecord {
        /// Who proposed it.
        proposer: PartyId,
        /// Number of the key that it was proposed with.
        key: KeyNumber,
        /// The proposer's person.
        person: Hash,
        /// What to do.
        operation: Operation,
        /// Gas limit of the doing.
        gas_limit: u64,
        /// `spend_max` of the doing.
        spend_max: Vec<Spend>,
        /// Last block time for an approval.
        expires_at: Timestamp,
    }
    /// A calendar.
    Calendar => CalendarRecord {
        /// Who publishes it.
        publisher: PartyId,
        /// Code.
        code: Code,
        /// Weekend and holidays.
        calendar: Calendar,
    }
    /// A published contract.
    Contract => ContractRecord {
        /// By which bank.
        bank: PartyId,
        /// Name.
        name: String,
        /// Version.
        version: Version,
        /// Spec in canonical bytes.
        #[serde(with = "codec::bytes")]
        spec: Vec<u8>,
        /// Block height of its publication.
        height: u64,
    }
    /// The bytes of a module.
    Code => CodeRecord {
        /// As deployed.
        #[serde(with = "codec::bytes")]
        wasm: Vec<u8>,
    }
    /// A bank's zone and cut-off over time.
    Zone => ZoneRecord {
        /// Ascending by instant; the first begins at zero.
        rows: Vec<ZoneRow>,
    }
    /// Idempotency keys of a day.
    KeyDay => KeyDayRecord {
        /// Running hash in executed order.
        running: Hash,
        /// How many.
        count: u64,
    }
    /// Which idempotency keys are accepted.
    KeyWindow => KeyWindowRecord {
        /// Oldest day that is accepted; it only rises.
        oldest_day: u32,
    }
    /// A product's exposure in an asset.
    Exposure => ExposureRecord {
        /// The most, minor units.
        limit: u128,
        /// What is outstanding, minor units.
        used: u128,
    }
    /// A hook of an account.
    Hook => HookRecord {
        /// The agreement that is called.
        agreement: AgreementId,
        /// Block time at which it was attached.
        attached_at: Timestamp,
    }
    /// How far an agreement has read the accounts that it is a hook of.
    Cursor => CursorRecord {
        /// Number of its next occurrence.
        number: u32,
        /// When its last one was due; none before the first.
        last: Option<Timestamp>,
        /// When the next one is due; none waits while there is nothing to read.
        due: Option<Timestamp>,
        /// Whether it failed or its agreement has ended: it is told of nothing more.
        stopped: bool,
        /// The accounts with the place of the next posting to read; who was served last stands last.
        accounts: Vec<(AccountId, u64)>,
    }
    /// The chain was begun again, as another one, at a height.
    Restart => RestartRecord {
        /// The chain before.
        before: ChainId,
        /// Header hash of the block that it went on from.
        parent: Hash,
        /// The highest block of the chain before that is given up.
        abandoned: u64,
    }
    /// What a used idempotency key stands for.
    Idempotency => IdempotencyRecord {
        /// Hash of the operation.
        operation: Hash,
        /// Block of the receipt.
        height: u64,
        /// Place in the block.
        index: u32,
    }
    /// One posting of an account, with the counters after it.
    History => HistoryRecord {
        /// The entry.
        entry: EntryId,
        /// Block that booked it.
        height: u64,
        /// Block time.
        booked_at: Timestamp,
        /// Value date.
        value_date: Date,
        /// Debit or credit.
        side: Side,
        /// Minor units.
        amount: u128,
        /// Posted debits after it.
        debits_posted: u128,
        /// Posted credits after it.
        credits_posted: u128,
    }
    /// Peaks of an account's history tree.
    HistoryPeaks => HistoryPeaksRecord {
        /// The tree so far.
        tree: Mmr,
    }
    /// A row that stands for itself.
    Due => DueRow {}
    /// The contract of a name.
    Name => NameRow {
        /// Its code.
        code: CodeHash,
    }
    /// A row that stands for itself.
    AccountOf => AccountOfRow {}
    /// A row that stands for itself.
    AgreementOf => AgreementOfRow {}
    /// A row that stands for itself.
    HoldOf => HoldOfRow {}
    /// A row that stands for itself.
    Expiry => ExpiryRow {}
}

impl Copy for AccountRecord {}

impl AccountRecord {
    /// Posted credits less posted debits.
    pub fn balance(&self) -> i128 {
        self.counters.balance()
    }

    /// Balance less pending debits.
    pub fn unheld(&self) -> i128 {
        self.counters.unheld()
    }

    /// What can be debited now: balance less pending debits, down to the floor; never below zero.
    pub fn available(&self) -> u128 {
        let free = self.unheld() - self.floor;
        u128::try_from(free).unwrap_or(0)
    }

    /// The lowest balance that a hold may leave: overdraft is used only where the account says so.
    pub fn hold_floor(&self) -> i128 {
        if self.holds_overdraft { self.floor } else { self.floor.max(0) }
    }

    /// What a hold can set aside now; never below zero.
    pub fn available_to_hold(&self) -> u128 {
        let free = self.unheld() - self.hold_floor();
        u128::try_from(free).unwrap_or(0)
    }
}

/// What all postings of an entry have in common: the entry, block height, block time and value date.
pub type PostingHead = (EntryId, u64, Timestamp, Date);

/// Where the next occurrence of a schedule stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Waiting {
    /// In the due queue.
    Due {
        /// Day of the occurrence, moved to a business day.
        date: Date,
        /// Day of this attempt.
        attempt_date: Date,
        /// Instant of this attempt.
        due: Timestamp,
        /// Number of the attempt over the life of the occurrence, from 0.
        attempt: u8,
        /// Whether it was moved because its day had become a holiday; that happens once.
        moved: bool,
    },
    /// Held by the contract, a pause or the end of retries, since an instant.
    Held {
        /// Since when.
        since: Timestamp,
    },
    /// A handler failed, or its next date cannot be told; waits for the bank.
    Suspended {
        /// Code of the failure or the refusal.
        code: u16,
    },
    /// No occurrence follows.
    Ended,
}

/// A bank's zone from an instant on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ZoneRow {
    /// From when.
    pub from: Timestamp,
    /// Minutes east of UTC, −720..=840.
    pub offset_minutes: i16,
    /// Minutes after local midnight at which the business date changes, 0..=1439.
    pub cutoff_minutes: u16,
}

/// Keys of records, in one place.
pub mod key {
    use super::*;

    fn join(parts: &[&[u8]]) -> Vec<u8> {
        parts.concat()
    }
    /// party, key number.
    pub fn key(party: &PartyId, number: u16) -> Vec<u8> {
        join(&[&party.0, &number.to_be_bytes()])
    }
    /// bank, party, role.
    pub fn role(bank: &PartyId, party: &PartyId, role: Role) -> Vec<u8> {
        join(&[&bank.0, &party.0, &[role as u8]])
    }
    /// account, agreement.
    pub fn grant(account: &AccountId, agreement: &AgreementId) -> Vec<u8> {
        join(&[&account.0, &agreement.0])
    }
    /// agreement, schedule.
    pub fn schedule(agreement: &AgreementId, kind: u16) -> Vec<u8> {
        join(&[&agreement.0, &kind.to_be_bytes()])
    }
    /// agreement, the contract's own key; with the kind in front, for such a value is no record.
    pub fn storage(agreement: &AgreementId, own: &[u8]) -> Vec<u8> {
        join(&[&[Kind::Storage as u8], &agreement.0, own])
    }
    /// bank, asset, product name.
    pub fn exposure(bank: &PartyId, asset: &AssetId, product: &str) -> Vec<u8> {
        join(&[&bank.0, &asset.0, product.as_bytes()])
    }
    /// day.
    pub fn day(day: u32) -> Vec<u8> {
        day.to_be_bytes().to_vec()
    }
    /// day, party, idempotency key.
    pub fn idempotency(party: &PartyId, key: &tenor_wire::tx::IdempotencyKey) -> [u8; 52] {
        let mut row = [0; 52];
        row[..4].copy_from_slice(&key.day().to_be_bytes());
        row[4..36].copy_from_slice(&party.0);
        row[36..].copy_from_slice(&key.0);
        row
    }
    /// account, whose hook, its moment.
    pub fn hook(account: &AccountId, of: HookOf, moment: HookMoment) -> Vec<u8> {
        join(&[&account.0, &[of as u8, moment as u8]])
    }
    /// account, hold.
    pub fn hold(account: &AccountId, hold: &HoldId) -> Vec<u8> {
        join(&[&account.0, &hold.0])
    }
    /// hold, account.
    pub fn hold_of(hold: &HoldId, account: &AccountId) -> Vec<u8> {
        join(&[&hold.0, &account.0])
    }
    /// end of the hold's time, hold: the order in which holds expire.
    pub fn expiry(expires_at: Timestamp, hold: &HoldId) -> Vec<u8> {
        join(&[&expires_at.0.to_be_bytes(), &hold.0])
    }
    /// bank, account code.
    pub fn account_code(bank: &PartyId, code: u16) -> Vec<u8> {
        join(&[&bank.0, &code.to_be_bytes()])
    }
    /// day, agreement, external key.
    pub fn entry_key(agreement: &AgreementId, key: &EntryKey) -> Vec<u8> {
        join(&[&key.day().to_be_bytes(), &agreement.0, &key.0])
    }
    /// account, sequence; also of what corrections took back.
    pub fn history(account: &AccountId, sequence: u64) -> Vec<u8> {
        join(&[&account.0, &sequence.to_be_bytes()])
    }
    /// bank, due time, agreement, schedule, number, attempt: the order in which occurrences run.
    pub fn due(bank: &PartyId, due: Timestamp, item: &tenor_wire::block::DueItem) -> Vec<u8> {
        join(&[
            &bank.0,
            &due.0.to_be_bytes(),
            &item.agreement.0,
            &item.kind.to_be_bytes(),
            &item.number.to_be_bytes(),
            &[item.attempt],
        ])
    }
    /// bank, name, version.
    pub fn name(bank: &PartyId, name: &str, version: &Version) -> Vec<u8> {
        let version =
            [version.major.to_be_bytes(), version.minor.to_be_bytes(), version.patch.to_be_bytes()].concat();
        join(&[&bank.0, name.as_bytes(), &[0], &version])
    }
    /// owner, account or agreement.
    pub fn pair(owner: &[u8; 32], owned: &[u8; 32]) -> Vec<u8> {
        join(&[owner, owned])
    }
}
