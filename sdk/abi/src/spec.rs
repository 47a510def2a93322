//! The spec of a contract: what it is called with, by whom, when, and in which words it answers.
//!
//! It stands in the custom section [`SECTION`] of the wasm as magic, length and the canonical bytes of
//! [`Spec`]. The host authorises and schedules by it before any wasm runs; a client translates by it.
//! Numbers (of terms, states, schedules, books, fields, calls, errors, events) are places in these lists and
//! are frozen once released.

use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

use crate::codec::{self, CodecError};
use crate::role::Role;

/// Name of the custom section.
pub const SECTION: &str = "tenor_spec";
/// First bytes of the section.
pub const MAGIC: [u8; 8] = *b"TENORSP1";
/// Longest spec in bytes.
pub const SPEC_BYTES_MAX: usize = 64 * 1024;
/// Version of everything that contracts and their host share.
pub const ABI_VERSION: u16 = 1;

/// Name of the view by which a contract says whether its storage and its books fit each other: it has no arguments
/// and no answer, and refuses where they do not. A replica that examines itself asks it of every agreement.
pub const CHECK: &str = "check";

/// A type by its number: below [`TYPES_OWN`] one that everybody knows ([`Basic`]), from there on an index
/// into [`Spec::types`].
pub type TypeNumber = u16;

/// Where the numbers of a spec's own types begin.
pub const TYPES_OWN: TypeNumber = 64;

macro_rules! basics {
    ($($(#[$doc:meta])* $name:ident = $number:literal $text:literal;)*) => {
        /// The types that everybody knows, with their numbers. Append only.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u16)]
        pub enum Basic { $($(#[$doc])* $name = $number),* }

        impl Basic {
            /// Every basic type.
            pub const ALL: &'static [Basic] = &[$(Basic::$name),*];
            /// The basic type of a number.
            pub const fn of(number: TypeNumber) -> Option<Basic> {
                match number { $($number => Some(Basic::$name),)* _ => None }
            }
            /// What it is called in messages and on the command line.
            pub const fn name(self) -> &'static str {
                match self { $(Basic::$name => $text),* }
            }
        }
    };
}

basics! {
    /// No value.
    Unit = 0 "nothing";
    /// True or false.
    Bool = 1 "true or false";
    /// Whole number of 8 bits.
    U8 = 2 "number 0..=255";
    /// Whole number of 16 bits.
    U16 = 3 "number 0..=65535";
    /// Whole number of 32 bits.
    U32 = 4 "number 0..=4294967295";
    /// Whole number of 64 bits.
    U64 = 5 "number of 64 bits";
    /// Whole number of 128 bits.
    U128 = 6 "number of 128 bits";
    /// Signed whole number of 64 bits.
    I64 = 7 "signed number of 64 bits";
    /// Signed whole number of 128 bits.
    I128 = 8 "signed number of 128 bits";
    /// UTF-8 text.
    Text = 9 "text";
    /// Bytes.
    Bytes = 10 "bytes in hexadecimal";
    /// [`crate::money::Money`].
    Money = 11 "amount with currency, like 12.50 EUR";
    /// [`crate::money::Currency`].
    Currency = 12 "currency, like EUR";
    /// [`crate::rate::Rate`].
    Rate = 13 "yearly rate, like 4.25%";
    /// [`crate::date::Date`].
    Date = 14 "date, like 2026-01-31";
    /// [`crate::date::Timestamp`].
    Timestamp = 15 "time, like 2026-01-31T00:00:00Z";
    /// [`crate::date::DayOfMonth`].
    DayOfMonth = 16 "day of the month, 1..=31 or last";
    /// [`crate::date::Weekday`].
    Weekday = 17 "weekday, like monday";
    /// [`crate::daycount::DayCount`].
    DayCount = 18 "day count, like act/365f";
    /// [`crate::calendar::BusinessDayConvention`].
    Convention = 19 "business-day convention, like following";
    /// [`crate::id::PartyId`].
    Party = 20 "party";
    /// [`crate::id::AccountId`].
    Account = 21 "account";
    /// [`crate::id::AssetId`].
    Asset = 22 "asset";
    /// [`crate::id::AgreementId`].
    Agreement = 23 "agreement";
    /// [`crate::id::CalendarId`].
    Calendar = 24 "holiday calendar";
    /// [`crate::id::Hash`], a commitment or root.
    Hash = 25 "32 bytes";
    /// [`crate::recurrence::Recurrence`].
    Recurrence = 26 "recurrence";
}

/// A type that a spec defines.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum TypeDef {
    /// A value or none.
    Option(TypeNumber),
    /// Values in order.
    List(TypeNumber),
    /// Named fields; encoded as their count and then the fields, trailing `None`s cut.
    Record {
        /// The type's name.
        name: String,
        /// Its fields in order.
        fields: Vec<FieldDef>,
    },
    /// One of several plain variants; encoded as its number.
    Enum {
        /// The type's name.
        name: String,
        /// The variants in order of their numbers from 0.
        variants: Vec<String>,
    },
}

/// A named field.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FieldDef {
    /// Name.
    pub name: String,
    /// Type.
    pub ty: TypeNumber,
    /// What it is, for people.
    pub doc: String,
}

/// Who sets a term.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Setter {
    /// Set at opening, never changed.
    Fixed,
    /// Set by the customer.
    Customer,
    /// Set by the bank's product.
    Product,
}

/// A period over which a grant counts what was debited.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Period {
    /// One business day.
    Day,
    /// Monday to Sunday.
    Week,
    /// A calendar month.
    Month,
    /// A calendar year.
    Year,
    /// As long as the agreement lasts.
    Lifetime,
}

/// Makes signing the terms a grant on the account in this field.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DebitDef {
    /// Number of the term that holds the most, per entry and per period; a money.
    pub max: u16,
    /// The period.
    pub per: Period,
}

/// One term.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TermDef {
    /// Name.
    pub name: String,
    /// Type.
    pub ty: TypeNumber,
    /// Who sets it.
    pub setter: Setter,
    /// What it is when nobody says, as text of its type.
    pub default: Option<String>,
    /// For an account: signing grants debits on it.
    pub debit: Option<DebitDef>,
    /// What it is, for people.
    pub doc: String,
}

/// What kind of lifecycle state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum StateKind {
    /// Where an agreement begins; exactly one.
    Initial,
    /// On the way.
    Middle,
    /// The end: no action, no schedule.
    Terminal,
}

/// One lifecycle state.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StateDef {
    /// Name.
    pub name: String,
    /// Kind.
    pub kind: StateKind,
}

/// Which side of the bank's books an agreement's book stands on; turns the sign on paper only.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum BookSide {
    /// What the bank owns or is owed.
    Asset,
    /// What the bank owes.
    Liability,
    /// What it earned.
    Income,
    /// What it cost.
    Expense,
}

/// An agreement's own account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BookDef {
    /// Name; also the account's purpose code.
    pub name: String,
    /// Side.
    pub side: BookSide,
    /// General-ledger key.
    pub gl: String,
    /// Number of the term that says in which asset: an account, an asset.
    pub asset: u16,
    /// Whether it may go below zero; only for the issuer of the asset, within the product's exposure limit.
    pub negative: bool,
}

/// What a storage handle holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum StorageKind {
    /// One value.
    Item,
    /// Values by key.
    Map,
    /// Keys in order, without values.
    Index,
    /// Values by number, appended.
    Log,
}

/// One storage field.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StorageDef {
    /// Name.
    pub name: String,
    /// Kind.
    pub kind: StorageKind,
    /// Type of the key, [`Basic::Unit`] where there is none.
    pub key: TypeNumber,
    /// Type of the value.
    pub value: TypeNumber,
}

/// Where a number in a rule comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Operand {
    /// A term, by number.
    Term(u16),
    /// An argument of the call, by number.
    Argument(u16),
    /// This number.
    Constant(u64),
}

/// Who may make a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Authority {
    /// Any party.
    Anyone,
    /// The owner of the account in this term.
    Owner(u16),
    /// The party in this term.
    Party(u16),
    /// Somebody with this role at the product's bank.
    Role(Role),
    /// The agreement in this term.
    Agreement(u16),
}

/// A second person is needed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FourEyes {
    /// Role that the approver holds.
    pub role: Role,
    /// Only where this amount ...
    pub amount: Option<Operand>,
    /// ... is above this one.
    pub above: Option<Operand>,
}

/// How attempts at a refused occurrence are spaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Spacing {
    /// Calendar days.
    Days(u16),
    /// Business days of the schedule's calendar.
    BusinessDays(u16),
}

/// What happens when a handler refuses.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Retry {
    /// How many more attempts, 0..=255.
    pub count: Operand,
    /// How far apart.
    pub every: Spacing,
    /// State after the last one; the schedule is held then.
    pub then: u16,
}

/// What happens to occurrences whose day passed before they could run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Missed {
    /// Each runs, in order.
    Each,
    /// Only the latest runs.
    Latest,
    /// None runs.
    Skip,
}

/// What a call is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum CallKind {
    /// Runs when the agreement is opened.
    Open,
    /// Runs when a party signs the terms.
    Sign,
    /// A party invokes it.
    Action,
    /// An occurrence of a schedule.
    Due {
        /// Number of the schedule.
        schedule: u16,
        /// What a refusal leads to; none means the next occurrence is waited for.
        retry: Option<Retry>,
        /// After an outage.
        catch_up: Missed,
        /// After a pause.
        missed: Missed,
    },
    /// Reads only.
    View,
    /// Runs once when an agreement comes to new code.
    Upgrade,
    /// Judges an entry on an account that it is a hook of.
    BeforeEntry,
    /// Is told of postings on accounts that it is a hook of.
    AfterEntries,
}

/// One exported call.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CallDef {
    /// Name; also the wasm export.
    pub name: String,
    /// What it is.
    pub kind: CallKind,
    /// Who may, any one of these; empty where the chain itself calls.
    pub by: Vec<Authority>,
    /// States it is possible in; empty means every state that is not terminal.
    pub from: Vec<u16>,
    /// State afterwards.
    pub to: Option<u16>,
    /// States it may enter by itself.
    pub may_enter: Vec<u16>,
    /// Second person.
    pub four_eyes: Option<FourEyes>,
    /// A way out for the customer, open even when the product is halted.
    pub exit: bool,
    /// Arguments; encoded as their count and then the values, trailing `None`s cut.
    pub arguments: Vec<FieldDef>,
    /// Type of the answer.
    pub returns: TypeNumber,
    /// What it does, for people.
    pub doc: String,
}

/// A refusal or an event: a name, fields, a text.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MessageDef {
    /// Name.
    pub name: String,
    /// Fields; encoded as their count and then the values, trailing `None`s cut.
    pub fields: Vec<FieldDef>,
    /// What it says to people.
    pub doc: String,
}

/// A version of a contract.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Version {
    /// Changes what was promised.
    pub major: u16,
    /// Adds to it.
    pub minor: u16,
    /// Corrects it.
    pub patch: u16,
}

impl core::fmt::Display for Version {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// The spec of a contract.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Spec {
    /// [`ABI_VERSION`] that the contract was built for.
    pub abi: u16,
    /// Name, 1..=32 of `a-z 0-9 -`.
    pub name: String,
    /// Version.
    pub version: Version,
    /// What it is, for people.
    pub doc: String,
    /// Types of its own, by number from [`TYPES_OWN`].
    pub types: Vec<TypeDef>,
    /// Terms.
    pub terms: Vec<TermDef>,
    /// Lifecycle.
    pub states: Vec<StateDef>,
    /// Schedules.
    pub schedules: Vec<String>,
    /// Books.
    pub books: Vec<BookDef>,
    /// Storage fields.
    pub storage: Vec<StorageDef>,
    /// Calls.
    pub calls: Vec<CallDef>,
    /// Refusals; the code in a receipt is [`CODE_OWN`] + place.
    pub errors: Vec<MessageDef>,
    /// Events.
    pub events: Vec<MessageDef>,
    /// What its entries are for.
    pub purposes: Vec<String>,
}

/// Where a contract's own refusal codes begin; below are the host's.
pub const CODE_OWN: u16 = 0x8000;

/// Why a module's spec cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SpecError {
    /// The section does not begin with the magic or its length is wrong.
    #[error("the section `tenor_spec` is damaged: magic or length is wrong")]
    Frame,
    /// The bytes are not a spec.
    #[error("the section `tenor_spec` does not hold a spec: {0}")]
    Codec(#[from] CodecError),
    /// The spec contradicts itself or a rule.
    #[error("{place}: {rule}")]
    Rule {
        /// Where in the spec.
        place: String,
        /// Which rule.
        rule: String,
    },
}

impl Spec {
    /// The spec in the content of a module's custom section: magic, length u32 little-endian, bytes.
    ///
    /// # Errors
    /// [`SpecError::Frame`], [`SpecError::Codec`].
    pub fn from_section(section: &[u8]) -> Result<Spec, SpecError> {
        let rest = section.strip_prefix(&MAGIC).ok_or(SpecError::Frame)?;
        let (length, bytes) = rest.split_first_chunk::<4>().ok_or(SpecError::Frame)?;
        if u32::from_le_bytes(*length) as usize != bytes.len() {
            return Err(SpecError::Frame);
        }
        Ok(codec::decode(bytes, SPEC_BYTES_MAX)?)
    }

    /// The content of the custom section that holds this spec.
    pub fn to_section(&self) -> Vec<u8> {
        let bytes = codec::encode(self);
        let mut section = MAGIC.to_vec();
        section.extend((bytes.len() as u32).to_le_bytes());
        section.extend(bytes);
        section
    }

    /// A call by its name.
    pub fn call(&self, name: &str) -> Option<&CallDef> {
        self.calls.iter().find(|call| call.name == name)
    }

    /// The call that runs an occurrence of a schedule.
    pub fn handler(&self, schedule: u16) -> Option<&CallDef> {
        self.calls.iter().find(|call| matches!(call.kind, CallKind::Due { schedule: s, .. } if s == schedule))
    }

    /// The call that runs when an agreement is opened.
    pub fn opening(&self) -> Option<&CallDef> {
        self.calls.iter().find(|call| call.kind == CallKind::Open)
    }

    /// The call of a kind of which a spec has at most one.
    pub fn only(&self, kind: &CallKind) -> Option<&CallDef> {
        self.calls.iter().find(|call| call.kind == *kind)
    }

    /// The number of the state that an agreement begins in.
    pub fn initial_state(&self) -> u16 {
        self.states.iter().position(|s| s.kind == StateKind::Initial).unwrap_or(0) as u16
    }

    /// Whether a state is an end.
    pub fn is_terminal(&self, state: u16) -> bool {
        self.states.get(state as usize).is_some_and(|s| s.kind == StateKind::Terminal)
    }

    /// A state's name.
    pub fn state_name(&self, state: u16) -> &str {
        self.states.get(state as usize).map_or("?", |s| s.name.as_str())
    }

    /// A definition of one of the spec's own types.
    pub fn own_type(&self, number: TypeNumber) -> Option<&TypeDef> {
        self.types.get(number.checked_sub(TYPES_OWN)? as usize)
    }
}
