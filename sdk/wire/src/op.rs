//! Operations: everything that a transaction can ask for. Append only; numbers are never reused.

use crate::crypto::{PublicKey, hash};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use serde::de::{EnumAccess, Error, VariantAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use tenor_abi::calendar::Calendar;
use tenor_abi::codec;
use tenor_abi::date::{Date, Timestamp};
use tenor_abi::entry::{EntryId, FreezeReason, Side};
use tenor_abi::id::{
    AccountId, AgreementId, AssetId, CalendarId, ChainId, CodeHash, Hash, HoldId, PartyId, ProposalId,
};
use tenor_abi::money::Code;
use tenor_abi::role::Role;
use tenor_abi::spec::{BookSide, Period};
use tenor_abi::tag;

/// The number of a key among its party's keys.
pub type KeyNumber = u16;

/// The most that an account of a signer may lose over the whole item: debits less credits, and holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Spend {
    /// The account.
    pub account: AccountId,
    /// Minor units.
    pub amount: u128,
}

/// What kind of party.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum PartyKind {
    /// A natural person.
    Person,
    /// A company or programme.
    Organisation,
    /// A bank on this chain.
    Bank,
}

/// Where a key lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum KeyRole {
    /// A customer's device.
    Device,
    /// A member of staff.
    Staff,
    /// A hardware module.
    Hsm,
}

/// The most that a key may move of an asset.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KeyLimit {
    /// The asset.
    pub asset: AssetId,
    /// In one transaction, minor units.
    pub per_payment: u128,
    /// On one business day of the party's home bank, minor units.
    pub per_day: u128,
}

/// A party's key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KeyDef {
    /// The public key.
    pub public: PublicKey,
    /// Where it lives.
    pub role: KeyRole,
    /// When it ends, if it does.
    pub expires_at: Option<Timestamp>,
    /// What it may move, ascending by asset, and nothing of other assets; everything where there are none.
    pub limits: Option<Vec<KeyLimit>>,
}

/// What an asset is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum AssetKind {
    /// Money.
    Money,
    /// Points of a programme.
    Points,
    /// Anything else that is counted.
    Token,
}

/// A purpose code: 1..=16 of `a-z 0-9 -`, never customer text.
pub type Purpose = String;

/// Makes a party with its first key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PartyOp {
    /// Opaque random id.
    pub party: PartyId,
    /// Bank that knows the party; a bank is its own.
    pub home: PartyId,
    /// Kind.
    pub kind: PartyKind,
    /// The home bank's keyed hash of the person: one person, one value.
    pub person: Hash,
    /// Salted commitment to the name.
    pub name: Hash,
    /// Key number 0.
    pub key: KeyDef,
}

/// What happens to a key. Append only.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum KeyChange {
    /// Enrols it.
    Add(KeyDef),
    /// Ends it for good.
    Revoke,
    /// Enrols it and ends every other key of the party for good.
    Recover(KeyDef),
}

/// Changes a party's keys.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KeyOp {
    /// Whose.
    pub party: PartyId,
    /// Which.
    pub number: KeyNumber,
    /// How.
    pub change: KeyChange,
}

/// Gives or takes a role.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RoleOp {
    /// At which bank.
    pub bank: PartyId,
    /// To or from whom.
    pub party: PartyId,
    /// Which.
    pub role: Role,
    /// Given or taken.
    pub granted: bool,
}

/// Makes an asset.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AssetOp {
    /// Who issues it; only the issuer's products may have books below zero in it.
    pub issuer: PartyId,
    /// Code.
    pub code: Code,
    /// Decimals of the minor unit, 0..=18; never changes.
    pub scale: u8,
    /// Kind.
    pub kind: AssetKind,
    /// Whether the issuer may freeze accounts in it.
    pub freezable: bool,
    /// Whether the issuer may debit accounts in it.
    pub clawback: bool,
}

impl AssetOp {
    /// The asset's id: the same code of another issuer is another asset.
    pub fn id(&self) -> AssetId {
        asset_id(&self.issuer, self.code)
    }
}

/// The id of an issuer's asset.
pub fn asset_id(issuer: &PartyId, code: Code) -> AssetId {
    AssetId(hash(tag::ASSET, &[&issuer.0, code.as_str().as_bytes()]).0)
}

/// What an account is to the ledger. Append only.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum AccountKind {
    /// Holds what its owner has or owes.
    #[default]
    Plain,
    /// The issuer's: what comes out of it is issued, what goes into it is redeemed; its balance is the supply, negative.
    Issuance,
    /// Mirrors every posting of the accounts that name it, so that their total is a balance; it counts for nothing.
    Control,
}

/// Opens an account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AccountOp {
    /// Whose.
    pub owner: PartyId,
    /// In what.
    pub asset: AssetId,
    /// For what.
    pub purpose: Purpose,
    /// Lowest balance; below zero is an overdraft and needs the asset's issuer.
    pub floor: i128,
    /// Highest balance, if there is one.
    pub ceiling: Option<i128>,
    /// What it is to the ledger.
    pub kind: AccountKind,
}

/// What happens to an account. Append only.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum AccountChange {
    /// Sets what it may hold; limits within which it does not lie today only block further use.
    Limits {
        /// Lowest balance, at most 0.
        floor: i128,
        /// Highest balance.
        ceiling: Option<i128>,
        /// Whether holds may use what lies below zero.
        holds_overdraft: bool,
    },
    /// Stops what comes in, what goes out, or both.
    Freeze {
        /// Nothing comes in.
        incoming: bool,
        /// Nothing goes out.
        outgoing: bool,
        /// Why.
        reason: FreezeReason,
    },
    /// Lets it be used again.
    Unfreeze,
    /// Closes it for good; it must be empty.
    Close,
    /// Puts it under another account code of its bank.
    Code(u16),
    /// Names the control account that mirrors it; it must be empty.
    Control(Option<AccountId>),
}

/// Changes an account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AccountChangeOp {
    /// Which.
    pub account: AccountId,
    /// How.
    pub change: AccountChange,
}

/// What a bank decides about its books. Append only.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum BooksChange {
    /// Says what an account code means; a code of an account that has none is 0.
    Code {
        /// The code.
        code: u16,
        /// General-ledger key, 1..=16 of `a-z 0-9 -`.
        gl: Purpose,
        /// Its side on paper.
        side: BookSide,
        /// Days before the business date that a value date may lie under a role of the bank.
        back_days: u16,
    },
    /// Closes the books up to and with a day before the business date; it only rises.
    Close {
        /// The last closed day.
        until: Date,
    },
    /// Changes what a product may have outstanding in an asset.
    Exposure {
        /// Name of the product.
        product: String,
        /// The asset and the most; the bank must be its issuer.
        limit: ExposureLimit,
    },
}

/// Changes a bank's books.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BooksOp {
    /// Whose.
    pub bank: PartyId,
    /// How.
    pub change: BooksChange,
}

/// The id of an account: owner is a party or an agreement.
pub fn account_id(owner: &[u8; 32], asset: &AssetId, purpose: &str) -> AccountId {
    AccountId(hash(tag::ACCOUNT, &[owner, &asset.0, purpose.as_bytes()]).0)
}

/// The most that a product may have outstanding in an asset.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ExposureLimit {
    /// The asset; the publishing bank must be its issuer.
    pub asset: AssetId,
    /// Minor units.
    pub limit: u128,
}

/// Publishes a contract as `name@version`, both from its spec.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PublishOp {
    /// By which bank.
    pub bank: PartyId,
    /// The module.
    #[serde(with = "tenor_abi::codec::bytes")]
    pub wasm: Vec<u8>,
    /// Ascending by asset.
    pub exposure: Vec<ExposureLimit>,
}

/// A module as a bank has published it: all that a code hash is of.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Published {
    /// By which bank.
    pub bank: PartyId,
    /// The module.
    #[serde(with = "tenor_abi::codec::bytes")]
    pub wasm: Vec<u8>,
}

impl Published {
    /// The identity of a module as published by a bank.
    pub fn code(bank: &PartyId, wasm: &[u8]) -> CodeHash {
        CodeHash(hash(tag::CODE, &[&bank.0, wasm]).0)
    }
}

/// Opens an agreement under a contract.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OpenOp {
    /// The contract.
    pub code: CodeHash,
    /// Terms in the encoding of its spec.
    #[serde(with = "tenor_abi::codec::bytes")]
    pub terms: Vec<u8>,
    /// Arguments of its opening call.
    #[serde(with = "tenor_abi::codec::bytes")]
    pub arguments: Vec<u8>,
}

impl OpenOp {
    /// The agreement that an item makes which opens one.
    pub fn agreement(item: &Hash) -> AgreementId {
        AgreementId(hash(tag::AGREEMENT, &[&item.0, &codec::encode(&0u32)]).0)
    }
}

/// What the signer saw of an agreement.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Seen {
    /// The agreement.
    pub agreement: AgreementId,
    /// Its code.
    pub code: CodeHash,
    /// Version of its terms.
    pub terms_version: u32,
}

/// Calls an action of an agreement, or its signing call.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct InvokeOp {
    /// Of which agreement.
    pub seen: Seen,
    /// Number of the call in the spec.
    pub call: u16,
    /// Arguments in the encoding of the spec.
    #[serde(with = "tenor_abi::codec::bytes")]
    pub arguments: Vec<u8>,
}

/// Moves one asset between two accounts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TransferOp {
    /// Account of the actor.
    pub from: AccountId,
    /// Any account in the same asset.
    pub to: AccountId,
    /// Minor units, 1..=10^30.
    pub amount: u128,
    /// Salted commitment to a narrative.
    pub narrative: Option<Hash>,
    /// Salted commitment to an end-to-end reference.
    pub reference: Option<Hash>,
}

/// Moves money many times under one signature, each transfer on its own: one that is refused leaves the others.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BatchOp {
    /// 1..=10,000 transfers, in their order.
    pub transfers: Vec<TransferOp>,
}

/// A line of a hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HoldLineOp {
    /// Account that will pay.
    pub from: AccountId,
    /// Account that will receive.
    pub to: AccountId,
    /// Minor units, 1..=10^30.
    pub amount: u128,
}

/// Sets money aside; all lines or none.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HoldOp {
    /// 1..=64 lines, each with another account that pays.
    pub lines: Vec<HoldLineOp>,
    /// Last instant at which it can be captured.
    pub expires_at: Timestamp,
    /// Salted commitment to a narrative.
    pub narrative: Option<Hash>,
    /// Salted commitment to an end-to-end reference.
    pub reference: Option<Hash>,
}

/// The id of a hold: the item that placed it and its place among the holds of that item.
pub fn hold_id(item: &Hash, place: u32) -> HoldId {
    HoldId(hash(tag::HOLD, &[&item.0, &tenor_abi::codec::encode(&place)]).0)
}

/// Pays out of a hold.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CaptureOp {
    /// The hold.
    pub hold: HoldId,
    /// How much of which account's line, minor units above zero; nothing named means all that is left.
    pub parts: Vec<(AccountId, u128)>,
    /// Whether what is left after it is released.
    pub last: bool,
}

/// A posting of an entry that is corrected, by its place in its account's history.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CorrectLineOp {
    /// The account.
    pub account: AccountId,
    /// Place of the posting in the account's history, from 0.
    pub sequence: u64,
    /// How much of it is taken back, minor units.
    pub amount: u128,
}

/// Corrects an entry: postings of it are taken back, in whole or in part.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CorrectOp {
    /// The entry.
    pub entry: EntryId,
    /// What is taken back.
    pub lines: Vec<CorrectLineOp>,
    /// The day it counts from; the business date where none is named.
    pub value_date: Option<Date>,
    /// Salted commitment to a narrative.
    pub narrative: Option<Hash>,
}

/// A line of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EntryLineOp {
    /// Where.
    pub account: AccountId,
    /// Debit or credit.
    pub side: Side,
    /// Minor units, 1..=10^30.
    pub amount: u128,
}

/// Books an entry over accounts of those who sign.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EntryOp {
    /// 2..=8,190 lines; each asset balances on its own.
    pub lines: Vec<EntryLineOp>,
    /// The day it counts from; the business date where none is named.
    pub value_date: Option<Date>,
    /// Salted commitment to a narrative.
    pub narrative: Option<Hash>,
    /// Salted commitment to an end-to-end reference.
    pub reference: Option<Hash>,
}

/// Proposes an operation that needs a second person.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ProposeOp {
    /// What to do once approved: any operation that proposes nothing itself.
    #[serde(deserialize_with = "read_proposed")]
    pub operation: Box<Operation>,
    /// Gas limit of the doing.
    pub gas_limit: u64,
    /// `spend_max` of the doing.
    pub spend_max: Vec<Spend>,
    /// Last block time that it may be approved at.
    pub expires_at: Timestamp,
}

/// Allows an agreement to debit an account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GrantOp {
    /// Which agreement, as seen.
    pub seen: Seen,
    /// Which account.
    pub account: AccountId,
    /// Most per entry, minor units.
    pub per_entry: u128,
    /// Most per period, minor units.
    pub per_period: u128,
    /// The period.
    pub period: Period,
    /// When it ends, if it does.
    pub expires_at: Option<Timestamp>,
}

/// Takes back a grant.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RevokeOp {
    /// Of which agreement.
    pub agreement: AgreementId,
    /// On which account.
    pub account: AccountId,
}

/// Whose hook: of the account's owner or of the owner's bank.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum HookOf {
    /// The owner's.
    Owner,
    /// The bank's.
    Bank,
}

/// When a hook is called. Append only.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum HookMoment {
    /// Before an entry is booked or set aside: it may refuse.
    Before,
    /// Later, with what was booked.
    After,
}

/// Attaches a hook to an account, or detaches it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HookOp {
    /// Which account.
    pub account: AccountId,
    /// Whose hook.
    pub of: HookOf,
    /// When it is called.
    pub moment: HookMoment,
    /// The agreement, as seen; none detaches the one that is there.
    pub hook: Option<Seen>,
}

/// Publishes a holiday calendar or its next form.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CalendarOp {
    /// By whom.
    pub publisher: PartyId,
    /// Short code, 1..=12 of `A-Z 0-9`.
    pub code: Code,
    /// Weekend and holidays.
    pub calendar: Calendar,
}

/// The id of a publisher's calendar.
pub fn calendar_id(publisher: &PartyId, code: Code) -> CalendarId {
    CalendarId(hash(tag::CALENDAR, &[&publisher.0, code.as_str().as_bytes()]).0)
}

/// Goes on from an older block, or as a copy, under a chain id of its own: what was signed for the chain before, and
/// what is signed for this one, cannot be handed in at the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RestartOp {
    /// Hash of the header of the block that it goes on from.
    pub parent: Hash,
    /// Height of the highest block that is known to have been signed and is given up; the parent's own height where
    /// none above it is known.
    pub abandoned: u64,
    /// Time of the block that it stands in, however long after its parent.
    pub time: Timestamp,
    /// Random, so that two copies become two chains.
    pub nonce: Hash,
}

impl RestartOp {
    /// The chain that a chain becomes by it.
    pub fn chain(&self, before: &ChainId) -> ChainId {
        ChainId(hash(tag::RESTART, &[&before.0, &self.parent.0, &self.nonce.0]).0)
    }
}

/// Names the time of its block, which may follow its parent later than a block does by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ClockOp {
    /// Hash of the header of the block before.
    pub parent: Hash,
    /// Time of the block that it stands in.
    pub time: Timestamp,
}

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident $(($body:ty))? = $number:literal;)*) => {
        /// Everything that a transaction can ask for.
        ///
        /// Operations without a body have their number already and get their body when they begin to work;
        /// until then the chain admits none of them.
        #[derive(Clone, PartialEq, Debug, Serialize)]
        pub enum Operation { $($(#[$doc])* $name $(($body))?),* }

        impl<'de> Visitor<'de> for ReadOperation {
            type Value = Operation;

            fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str("an operation, and in a proposal none that proposes")
            }

            fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Operation, A::Error> {
                let (number, body) = data.variant::<u32>()?;
                match number {
                    PROPOSE if self.is_proposed => Err(A::Error::custom("a proposal proposes no proposal")),
                    $($number => operations!(@read body $name $(($body))?),)*
                    _ => Err(A::Error::custom("no operation has this number")),
                }
            }
        }

        impl Operation {
            /// The number in signed bytes.
            pub fn number(&self) -> u8 {
                match self { $(operations!(@pattern $name $(($body))?) => $number),* }
            }
            /// Names in order of their numbers.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),*];
            /// The name.
            pub fn name(&self) -> &'static str {
                Operation::NAMES[self.number() as usize]
            }
        }
    };
    (@pattern $name:ident ($body:ty)) => { Operation::$name(_) };
    (@pattern $name:ident) => { Operation::$name };
    (@read $from:ident $name:ident ($body:ty)) => { $from.newtype_variant::<$body>().map(Operation::$name) };
    (@read $from:ident $name:ident) => { $from.unit_variant().map(|()| Operation::$name) };
}

/// The number of [`Operation::Propose`].
const PROPOSE: u32 = 14;

/// Reads an operation. Read without a bound, a mebibyte of proposals in proposals would use up the reader's stack.
struct ReadOperation {
    is_proposed: bool,
}

impl<'de> Deserialize<'de> for Operation {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Operation, D::Error> {
        from.deserialize_enum("Operation", Operation::NAMES, ReadOperation { is_proposed: false })
    }
}

fn read_proposed<'de, D: Deserializer<'de>>(from: D) -> Result<Box<Operation>, D::Error> {
    from.deserialize_enum("Operation", Operation::NAMES, ReadOperation { is_proposed: true }).map(Box::new)
}

operations! {
    /// Makes a party.
    Party(PartyOp) = 0;
    /// Changes keys.
    Key(KeyOp) = 1;
    /// Gives or takes a role.
    Role(RoleOp) = 2;
    /// Makes an asset.
    Asset(AssetOp) = 3;
    /// Opens an account.
    Account(AccountOp) = 4;
    /// Publishes a contract.
    Publish(PublishOp) = 5;
    /// Opens an agreement.
    Open(OpenOp) = 6;
    /// Signs an agreement's terms.
    Sign(InvokeOp) = 7;
    /// Invokes an action.
    Invoke(InvokeOp) = 8;
    /// Moves money.
    Transfer(TransferOp) = 9;
    /// Many transfers under one signature.
    Batch(BatchOp) = 10;
    /// Sets money aside.
    Hold(HoldOp) = 11;
    /// Takes money that was set aside.
    Capture(CaptureOp) = 12;
    /// Gives back money that was set aside.
    Release(HoldId) = 13;
    /// Proposes an operation.
    Propose(ProposeOp) = 14;
    /// Approves a proposal.
    Approve(ProposalId) = 15;
    /// Withdraws a proposal.
    Withdraw(ProposalId) = 16;
    /// Allows debits.
    Grant(GrantOp) = 17;
    /// Takes back a grant.
    Revoke(RevokeOp) = 18;
    /// Attaches or detaches a hook.
    Hook(HookOp) = 19;
    /// Publishes a calendar.
    Calendar(CalendarOp) = 20;
    /// Changes chain parameters.
    Parameters = 21;
    /// Brings agreements to new code.
    Upgrade = 22;
    /// Stops a product or version.
    Halt = 23;
    /// A validator has compiled a module.
    Compiled = 24;
    /// Goes on from an older block or as a copy.
    Restart(RestartOp) = 25;
    /// Names the block's time after a long stop.
    Clock(ClockOp) = 26;
    /// Changes a bank's zone and cut-off.
    Zone = 27;
    /// Publishes a rate table.
    Rates = 28;
    /// Changes quotas.
    Quota = 29;
    /// Corrects an entry.
    Correct(CorrectOp) = 30;
    /// Changes an account.
    AccountChange(AccountChangeOp) = 31;
    /// Changes a bank's books.
    Books(BooksOp) = 32;
    /// Books an entry.
    Entry(EntryOp) = 33;
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use tenor_abi::codec::{self, CodecError};

    #[test]
    fn a_proposal_proposes_anything_but_a_proposal() {
        let proposing = |operation| {
            let (spend_max, expires_at) = (vec![], Timestamp(1));
            Operation::Propose(ProposeOp {
                operation: Box::new(operation),
                gas_limit: 1,
                spend_max,
                expires_at,
            })
        };
        let once = proposing(Operation::Release(HoldId([1; 32])));
        assert_eq!(codec::decode(&codec::encode(&once), 100), Ok(once.clone()));
        let twice = codec::encode(&proposing(once));
        assert_eq!(codec::decode::<Operation>(&twice, 100), Err(CodecError::Malformed));
        // What would otherwise use up the stack of whoever reads it.
        let many = vec![PROPOSE as u8; 1 << 20];
        assert_eq!(codec::decode::<Operation>(&many, many.len()), Err(CodecError::Malformed));
    }

    #[test]
    fn an_unknown_number_is_no_operation() {
        let none = Operation::NAMES.len() as u8;
        assert_eq!(codec::decode::<Operation>(&[none], 1), Err(CodecError::Malformed));
    }
}
