//! Values of any type a spec can name: bytes to value and back, by the spec alone.
//!
//! A client shows and enters terms, arguments, events and answers with it; the host reads out of signed
//! terms which account, party or amount a rule names. The bytes are those that the contract's own types have.

use crate::calendar::BusinessDayConvention;
use crate::codec::{self, CodecError};
use crate::date::{Date, DayOfMonth, Timestamp, Weekday};
use crate::daycount::DayCount;
use crate::id::{AccountId, AgreementId, AssetId, CalendarId, Hash, PartyId};
use crate::money::{Currency, Money};
use crate::rate::Rate;
use crate::recurrence::Recurrence;
use crate::spec::{Basic, FieldDef, Spec, TypeDef, TypeNumber};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Most levels that types of a spec may nest.
pub const NESTING_MAX: u32 = 16;
/// Values that any bytes may be.
pub const VALUES_FREE: usize = 4_096;
/// Values besides that they may be for each byte.
pub const VALUES_PER_BYTE: usize = 4;

/// A value of some type of a spec.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// No value.
    Unit,
    /// True or false.
    Bool(bool),
    /// A whole number of 8 bits, which has bytes of its own.
    Byte(u8),
    /// A whole number of any larger unsigned width: their bytes are the same.
    Unsigned(u128),
    /// A whole number of any signed width.
    Signed(i128),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// An amount.
    Money(Money),
    /// A currency.
    Currency(Currency),
    /// A yearly rate.
    Rate(Rate),
    /// A date.
    Date(Date),
    /// A time.
    Timestamp(Timestamp),
    /// A day of the month.
    DayOfMonth(DayOfMonth),
    /// A weekday.
    Weekday(Weekday),
    /// A day count.
    DayCount(DayCount),
    /// A business-day convention.
    Convention(BusinessDayConvention),
    /// A party.
    Party(PartyId),
    /// An account.
    Account(AccountId),
    /// An asset.
    Asset(AssetId),
    /// An agreement.
    Agreement(AgreementId),
    /// A calendar.
    Calendar(CalendarId),
    /// A hash.
    Hash(Hash),
    /// A recurrence.
    Recurrence(Recurrence),
    /// A value that may be missing.
    Option(Option<Box<Value>>),
    /// Values in order.
    List(Vec<Value>),
    /// Values of named fields, in order.
    Record(Vec<Value>),
    /// A variant by its number.
    Enum(u32),
}

/// Why bytes or a value do not fit a type.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ValueError {
    /// The bytes are not a value of the type.
    #[error("{0}")]
    Codec(#[from] CodecError),
    /// The spec names a type that it does not define.
    #[error("the spec has no type {0}")]
    Type(TypeNumber),
    /// Types nest deeper than [`NESTING_MAX`].
    #[error("types nest deeper than {NESTING_MAX}")]
    Nesting,
    /// More fields than the record has.
    #[error("{given} values given, {known} known")]
    Fields {
        /// Values given.
        given: u16,
        /// Fields of the record.
        known: u16,
    },
    /// The bytes stand for more values than [`values_max`].
    #[error("more than {max} values, absent fields counted")]
    Values {
        /// How many may be.
        max: usize,
    },
    /// A field that must be there is missing.
    #[error("`{0}` is missing")]
    Missing(String),
    /// The value is of another type.
    #[error("a value of another type than {0}")]
    Mismatch(String),
}

/// Most values that bytes may be, absent fields counted: a record of nothing but absent fields is one byte.
pub const fn values_max(bytes: usize) -> usize {
    VALUES_FREE + bytes * VALUES_PER_BYTE
}

/// Reads the fields of a record: their count, then each; what is missing at the end reads as none.
///
/// # Errors
/// [`ValueError`]; also when the bytes are not the one form of the fields, or more values than [`values_max`].
pub fn decode_fields<'f>(
    spec: &Spec,
    fields: impl ExactSizeIterator<Item = (&'f str, TypeNumber)>,
    bytes: &[u8],
) -> Result<Vec<Value>, ValueError> {
    let mut rest = bytes;
    let values = Reading::bounded(spec, bytes).take_fields(fields, &mut rest, 0)?;
    if !rest.is_empty() || encode_fields(&values) != bytes {
        return Err(CodecError::NotCanonical.into());
    }
    Ok(values)
}

/// The values of fields whose bytes were checked before and have been kept since: as [`decode_fields`], without
/// asking again whether they are the one form, and how many values they are.
///
/// # Errors
/// As [`decode_fields`].
pub fn decode_own_fields<'f>(
    spec: &Spec,
    fields: impl ExactSizeIterator<Item = (&'f str, TypeNumber)>,
    bytes: &[u8],
) -> Result<Vec<Value>, ValueError> {
    let mut rest = bytes;
    let values = Reading { spec, budget: Budget::of(usize::MAX) }.take_fields(fields, &mut rest, 0)?;
    if rest.is_empty() { Ok(values) } else { Err(CodecError::NotCanonical.into()) }
}

/// Whether bytes are what [`decode_fields`] takes, without making values: it takes no memory for them, and a step for
/// each that is there.
///
/// # Errors
/// As [`decode_fields`].
pub fn check_fields<'f>(
    spec: &Spec,
    fields: impl ExactSizeIterator<Item = (&'f str, TypeNumber)> + Clone,
    bytes: &[u8],
) -> Result<(), ValueError> {
    Walk::checking(spec, bytes).all(fields, bytes, |_, _| ()).map(|_| ())
}

/// Where the fields of a record lie in its bytes, and which accounts they name. However many values the bytes stand
/// for, it takes no memory for them.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Layout {
    /// Of each field that is given: its type, and where it lies.
    fields: Vec<(TypeNumber, Range<usize>)>,
    accounts: Vec<AccountId>,
}

impl Layout {
    /// Of bytes that are checked as by [`check_fields`].
    ///
    /// # Errors
    /// As [`decode_fields`].
    pub fn checked<'f>(
        spec: &Spec,
        fields: impl ExactSizeIterator<Item = (&'f str, TypeNumber)> + Clone,
        bytes: &[u8],
    ) -> Result<Layout, ValueError> {
        Layout::by(Walk { accounts: Some(Vec::new()), ..Walk::checking(spec, bytes) }, fields, bytes)
    }

    /// Of bytes that were checked before and have been kept since.
    ///
    /// # Errors
    /// As [`decode_own_fields`].
    pub fn own<'f>(
        spec: &Spec,
        fields: impl ExactSizeIterator<Item = (&'f str, TypeNumber)> + Clone,
        bytes: &[u8],
    ) -> Result<Layout, ValueError> {
        let budget = Budget::of(usize::MAX);
        let accounts = Some(Vec::new());
        Layout::by(Walk { accounts, budget, is_own: true, ..Walk::checking(spec, bytes) }, fields, bytes)
    }

    fn by<'f>(
        walk: Walk<'_>,
        given: impl ExactSizeIterator<Item = (&'f str, TypeNumber)> + Clone,
        bytes: &[u8],
    ) -> Result<Layout, ValueError> {
        let mut fields = Vec::with_capacity(given.len());
        let note = |ty, left: Range<usize>| {
            fields.push((ty, bytes.len() - left.start..bytes.len() - left.end));
        };
        let mut accounts = walk.all(given, bytes, note)?.unwrap_or_default();
        accounts.sort_unstable();
        accounts.dedup();
        Ok(Layout { fields, accounts })
    }

    /// Every account that the fields name, at whatever depth, ascending and each once.
    pub fn accounts(&self) -> &[AccountId] {
        &self.accounts
    }

    /// The fields themselves, in the bytes that this is the layout of.
    pub fn of<'b>(&'b self, bytes: &'b [u8]) -> Fields<'b> {
        Fields { given: &self.fields, bytes }
    }
}

/// The fields of a record in its bytes: one is made a value when it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'b> {
    given: &'b [(TypeNumber, Range<usize>)],
    bytes: &'b [u8],
}

impl<'b> Fields<'b> {
    /// A record without any.
    pub const NONE: Fields<'static> = Fields { given: &[], bytes: &[] };

    /// A field's value, if it is there and of a basic type.
    pub fn get(&self, number: u16) -> Option<Value> {
        let (ty, place) = self.given.get(usize::from(number))?;
        let mut bytes = self.bytes.get(place.clone())?;
        take_basic(Basic::of(*ty)?, &mut bytes).ok()
    }

    /// A field's bytes; of an absent one those that say so.
    pub fn bytes(&self, number: u16) -> &'b [u8] {
        let given = self.given.get(usize::from(number));
        given.and_then(|(_, place)| self.bytes.get(place.clone())).unwrap_or(&[0])
    }
}

/// The bytes of a record's fields: count, then each, trailing `None`s cut.
pub fn encode_fields(values: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    put_fields(values, &mut out);
    out
}

/// Reads one value of a type.
///
/// # Errors
/// [`ValueError`]; also when the bytes are not the one form of the value, or more values than [`values_max`].
pub fn decode(spec: &Spec, ty: TypeNumber, bytes: &[u8]) -> Result<Value, ValueError> {
    let mut rest = bytes;
    let value = Reading::bounded(spec, bytes).take(ty, &mut rest, 0)?;
    let mut again = Vec::new();
    put(&value, &mut again);
    if !rest.is_empty() || again != bytes {
        return Err(CodecError::NotCanonical.into());
    }
    Ok(value)
}

/// The bytes of one value.
pub fn encode(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    put(value, &mut out);
    out
}

/// Names and types of a list of fields, as [`decode_fields`] takes them.
pub fn fields_of(fields: &[FieldDef]) -> impl ExactSizeIterator<Item = (&str, TypeNumber)> + Clone {
    fields.iter().map(|field| (field.name.as_str(), field.ty))
}

/// Names and types of a spec's terms, as [`decode_fields`] takes them.
pub fn terms_of(spec: &Spec) -> impl ExactSizeIterator<Item = (&str, TypeNumber)> + Clone {
    spec.terms.iter().map(|term| (term.name.as_str(), term.ty))
}

fn take_one<T: DeserializeOwned>(bytes: &mut &[u8]) -> Result<T, ValueError> {
    let (value, rest) = codec::take(bytes)?;
    *bytes = rest;
    Ok(value)
}

fn take_basic(basic: Basic, bytes: &mut &[u8]) -> Result<Value, ValueError> {
    Ok(match basic {
        Basic::Unit => Value::Unit,
        Basic::Bool => Value::Bool(take_one(bytes)?),
        Basic::U8 => Value::Byte(take_one(bytes)?),
        Basic::U16 => Value::Unsigned(take_one::<u16>(bytes)?.into()),
        Basic::U32 => Value::Unsigned(take_one::<u32>(bytes)?.into()),
        Basic::U64 => Value::Unsigned(take_one::<u64>(bytes)?.into()),
        Basic::U128 => Value::Unsigned(take_one(bytes)?),
        Basic::I64 => Value::Signed(take_one::<i64>(bytes)?.into()),
        Basic::I128 => Value::Signed(take_one(bytes)?),
        Basic::Text => Value::Text(take_one(bytes)?),
        Basic::Bytes => Value::Bytes(take_one(bytes)?),
        Basic::Money => Value::Money(take_one(bytes)?),
        Basic::Currency => Value::Currency(take_one(bytes)?),
        Basic::Rate => Value::Rate(take_one(bytes)?),
        Basic::Date => Value::Date(take_one(bytes)?),
        Basic::Timestamp => Value::Timestamp(take_one(bytes)?),
        Basic::DayOfMonth => Value::DayOfMonth(take_one(bytes)?),
        Basic::Weekday => Value::Weekday(take_one(bytes)?),
        Basic::DayCount => Value::DayCount(take_one(bytes)?),
        Basic::Convention => Value::Convention(take_one(bytes)?),
        Basic::Party => Value::Party(take_one(bytes)?),
        Basic::Account => Value::Account(take_one(bytes)?),
        Basic::Asset => Value::Asset(take_one(bytes)?),
        Basic::Agreement => Value::Agreement(take_one(bytes)?),
        Basic::Calendar => Value::Calendar(take_one(bytes)?),
        Basic::Hash => Value::Hash(take_one(bytes)?),
        Basic::Recurrence => Value::Recurrence(take_one(bytes)?),
    })
}

/// Values that may still be.
struct Budget {
    max: usize,
    left: usize,
}

impl Budget {
    fn of(max: usize) -> Budget {
        Budget { max, left: max }
    }

    fn spend(&mut self, count: usize) -> Result<(), ValueError> {
        match self.left.checked_sub(count) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(ValueError::Values { max: self.max }),
        }
    }
}

/// Makes values of bytes.
struct Reading<'s> {
    spec: &'s Spec,
    budget: Budget,
}

impl<'s> Reading<'s> {
    fn bounded(spec: &'s Spec, bytes: &[u8]) -> Reading<'s> {
        Reading { spec, budget: Budget::of(values_max(bytes.len())) }
    }

    fn take_fields<'f>(
        &mut self,
        fields: impl ExactSizeIterator<Item = (&'f str, TypeNumber)>,
        bytes: &mut &[u8],
        depth: u32,
    ) -> Result<Vec<Value>, ValueError> {
        let given = given(fields.len(), bytes)?;
        self.budget.spend(fields.len() - usize::from(given))?;
        let mut values = Vec::with_capacity(fields.len());
        for (place, (name, ty)) in fields.enumerate() {
            if place < usize::from(given) {
                values.push(self.take(ty, bytes, depth)?);
            } else if is_option(self.spec, ty) {
                values.push(Value::Option(None));
            } else {
                return Err(ValueError::Missing(name.into()));
            }
        }
        Ok(values)
    }

    fn take(&mut self, ty: TypeNumber, bytes: &mut &[u8], depth: u32) -> Result<Value, ValueError> {
        if depth > NESTING_MAX {
            return Err(ValueError::Nesting);
        }
        self.budget.spend(1)?;
        match Basic::of(ty) {
            Some(basic) => take_basic(basic, bytes),
            None => self.take_own(ty, bytes, depth),
        }
    }

    fn take_own(&mut self, ty: TypeNumber, bytes: &mut &[u8], depth: u32) -> Result<Value, ValueError> {
        let spec = self.spec;
        Ok(match spec.own_type(ty).ok_or(ValueError::Type(ty))? {
            TypeDef::Option(of) => Value::Option(match take_one::<u8>(bytes)? {
                0 => None,
                1 => Some(Box::new(self.take(*of, bytes, depth + 1)?)),
                _ => return Err(CodecError::Malformed.into()),
            }),
            TypeDef::List(of) => {
                let count = list_count(bytes)?;
                Value::List((0..count).map(|_| self.take(*of, bytes, depth + 1)).collect::<Result<_, _>>()?)
            }
            TypeDef::Record { fields, .. } => {
                Value::Record(self.take_fields(fields_of(fields), bytes, depth + 1)?)
            }
            TypeDef::Enum { variants, .. } => Value::Enum(variant(variants.len(), bytes)?),
        })
    }
}

/// Goes over bytes as [`Reading`] does, and says the same of them.
struct Walk<'s> {
    spec: &'s Spec,
    budget: Budget,
    /// Fields that must be given, of each of the spec's own types that was met as a record.
    needed: Vec<Option<usize>>,
    /// A value once more, to compare.
    again: Vec<u8>,
    is_canonical: bool,
    /// Whether the bytes are known to be the one form.
    is_own: bool,
    /// Accounts that were met, where they are asked for.
    accounts: Option<Vec<AccountId>>,
}

impl<'s> Walk<'s> {
    fn checking(spec: &'s Spec, bytes: &[u8]) -> Walk<'s> {
        let budget = Budget::of(values_max(bytes.len()));
        Walk {
            spec,
            budget,
            needed: Vec::new(),
            again: Vec::new(),
            is_canonical: true,
            is_own: false,
            accounts: None,
        }
    }

    /// Goes over all of a record's bytes; `note` as in [`Walk::pass_fields`]. The accounts that were met.
    fn all<'f>(
        mut self,
        fields: impl ExactSizeIterator<Item = (&'f str, TypeNumber)> + Clone,
        bytes: &[u8],
        note: impl FnMut(TypeNumber, Range<usize>),
    ) -> Result<Option<Vec<AccountId>>, ValueError> {
        let mut rest = bytes;
        // What is known to be right lacks nothing.
        let needed = if self.is_own { 0 } else { needed(self.spec, fields.clone()) };
        self.pass_fields(fields, needed, &mut rest, 0, note)?;
        if !rest.is_empty() || !self.is_canonical {
            return Err(CodecError::NotCanonical.into());
        }
        Ok(self.accounts)
    }

    /// `note` is told of each given field how many bytes are left where it begins and where it ends.
    fn pass_fields<'f>(
        &mut self,
        fields: impl ExactSizeIterator<Item = (&'f str, TypeNumber)> + Clone,
        needed: usize,
        bytes: &mut &[u8],
        depth: u32,
        mut note: impl FnMut(TypeNumber, Range<usize>),
    ) -> Result<(), ValueError> {
        let known = fields.len();
        let given = usize::from(self.canonical(bytes, |bytes| given(known, bytes))?);
        self.budget.spend(fields.len() - given)?;
        let mut is_last_absent = false;
        for (_, ty) in fields.clone().take(given) {
            is_last_absent = bytes.first() == Some(&0) && is_option(self.spec, ty);
            let begin = bytes.len();
            self.pass(ty, bytes, depth)?;
            note(ty, begin..bytes.len());
        }
        // An absent field at the end is not written.
        self.is_canonical &= !is_last_absent;
        if given >= needed {
            return Ok(());
        }
        let missing = fields.skip(given).find(|(_, ty)| !is_option(self.spec, *ty));
        missing.map_or(Ok(()), |(name, _)| Err(ValueError::Missing(name.into())))
    }

    fn pass(&mut self, ty: TypeNumber, bytes: &mut &[u8], depth: u32) -> Result<(), ValueError> {
        if depth > NESTING_MAX {
            return Err(ValueError::Nesting);
        }
        self.budget.spend(1)?;
        let Some(basic) = Basic::of(ty) else { return self.pass_own(ty, bytes, depth) };
        if let (Basic::Account, Some(accounts), Some(id)) = (basic, &mut self.accounts, bytes.first_chunk()) {
            accounts.push(AccountId(*id));
        }
        if let Some(rest) = plain_length(basic, bytes).and_then(|length| bytes.get(length..)) {
            *bytes = rest;
            return Ok(());
        }
        match basic {
            Basic::Unit => Ok(()),
            Basic::Bool => self.pass_one::<bool>(bytes),
            Basic::U8 => self.pass_one::<u8>(bytes),
            Basic::U16 => self.pass_one::<u16>(bytes),
            Basic::U32 => self.pass_one::<u32>(bytes),
            Basic::U64 => self.pass_one::<u64>(bytes),
            Basic::U128 => self.pass_one::<u128>(bytes),
            Basic::I64 => self.pass_one::<i64>(bytes),
            Basic::I128 => self.pass_one::<i128>(bytes),
            Basic::Text => self.pass_one::<String>(bytes),
            Basic::Bytes => self.pass_one::<Vec<u8>>(bytes),
            Basic::Money => self.pass_one::<Money>(bytes),
            Basic::Currency => self.pass_one::<Currency>(bytes),
            Basic::Rate => self.pass_one::<Rate>(bytes),
            Basic::Date => self.pass_one::<Date>(bytes),
            Basic::Timestamp => self.pass_one::<Timestamp>(bytes),
            Basic::DayOfMonth => self.pass_one::<DayOfMonth>(bytes),
            Basic::Weekday => self.pass_one::<Weekday>(bytes),
            Basic::DayCount => self.pass_one::<DayCount>(bytes),
            Basic::Convention => self.pass_one::<BusinessDayConvention>(bytes),
            Basic::Party => self.pass_one::<PartyId>(bytes),
            Basic::Account => self.pass_one::<AccountId>(bytes),
            Basic::Asset => self.pass_one::<AssetId>(bytes),
            Basic::Agreement => self.pass_one::<AgreementId>(bytes),
            Basic::Calendar => self.pass_one::<CalendarId>(bytes),
            Basic::Hash => self.pass_one::<Hash>(bytes),
            Basic::Recurrence => self.pass_one::<Recurrence>(bytes),
        }
    }

    fn pass_own(&mut self, ty: TypeNumber, bytes: &mut &[u8], depth: u32) -> Result<(), ValueError> {
        let spec = self.spec;
        match spec.own_type(ty).ok_or(ValueError::Type(ty))? {
            TypeDef::Option(of) => match take_one::<u8>(bytes)? {
                0 => Ok(()),
                1 => self.pass(*of, bytes, depth + 1),
                _ => Err(CodecError::Malformed.into()),
            },
            TypeDef::List(of) => {
                let count = self.canonical(bytes, list_count)?;
                (0..count).try_for_each(|_| self.pass(*of, bytes, depth + 1))
            }
            TypeDef::Record { fields, .. } => {
                let needed = self.needed(ty, fields);
                self.pass_fields(fields_of(fields), needed, bytes, depth + 1, |_, _| ())
            }
            TypeDef::Enum { variants, .. } => {
                self.canonical(bytes, |bytes| variant(variants.len(), bytes)).map(|_| ())
            }
        }
    }

    /// A value that is its own form, read by the codec.
    fn pass_one<T: Serialize + DeserializeOwned>(&mut self, bytes: &mut &[u8]) -> Result<(), ValueError> {
        self.canonical(bytes, take_one::<T>).map(|_| ())
    }

    /// What is read, once it was noted whether its bytes are its one form.
    fn canonical<T: Serialize>(
        &mut self,
        bytes: &mut &[u8],
        read: impl FnOnce(&mut &[u8]) -> Result<T, ValueError>,
    ) -> Result<T, ValueError> {
        let before = *bytes;
        let value = read(bytes)?;
        if self.is_own {
            return Ok(value);
        }
        self.again.clear();
        codec::append(&mut self.again, &value);
        self.is_canonical &= self.again == before[..before.len() - bytes.len()];
        Ok(value)
    }

    /// How many fields of a record must be given, counted once.
    fn needed(&mut self, ty: TypeNumber, fields: &[FieldDef]) -> usize {
        let place = usize::from(ty);
        if self.needed.len() <= place {
            self.needed.resize(place + 1, None);
        }
        *self.needed[place].get_or_insert_with(|| needed(self.spec, fields_of(fields)))
    }
}

/// How many fields must be given: those up to the last that is no option.
fn needed<'f>(spec: &Spec, fields: impl Iterator<Item = (&'f str, TypeNumber)>) -> usize {
    let last = fields.enumerate().filter(|(_, (_, ty))| !is_option(spec, *ty)).last();
    last.map_or(0, |(place, _)| place + 1)
}

fn is_option(spec: &Spec, ty: TypeNumber) -> bool {
    matches!(spec.own_type(ty), Some(TypeDef::Option(_)))
}

/// How many fields of so many are given.
fn given(known: usize, bytes: &mut &[u8]) -> Result<u16, ValueError> {
    let given: u16 = take_one(bytes)?;
    if usize::from(given) > known {
        return Err(ValueError::Fields { given, known: known as u16 });
    }
    Ok(given)
}

fn list_count(bytes: &mut &[u8]) -> Result<u32, ValueError> {
    let count: u32 = take_one(bytes)?;
    // Every value but the empty one takes a byte, so a count above the bytes left is a lie.
    if count as usize > bytes.len() { Err(CodecError::Malformed.into()) } else { Ok(count) }
}

fn variant(known: usize, bytes: &mut &[u8]) -> Result<u32, ValueError> {
    let number: u32 = take_one(bytes)?;
    if number as usize >= known { Err(CodecError::Malformed.into()) } else { Ok(number) }
}

/// Bytes of a plain number or id at the front, in its one form; none where it is not there or another kind of value.
fn plain_length(basic: Basic, bytes: &[u8]) -> Option<usize> {
    match basic {
        Basic::Party | Basic::Account | Basic::Asset | Basic::Agreement | Basic::Calendar | Basic::Hash => {
            Some(32)
        }
        Basic::U8 => Some(1),
        Basic::U16 => varint_length(bytes, 3, 0x03),
        Basic::U32 => varint_length(bytes, 5, 0x0f),
        Basic::U64 => varint_length(bytes, 10, 0x01),
        Basic::U128 => varint_length(bytes, 19, 0x03),
        _ => None,
    }
}

/// Bytes of a number in its one form: at most so many, the last of them at most so much, and none for nothing.
fn varint_length(bytes: &[u8], longest: usize, most: u8) -> Option<usize> {
    let last = bytes.iter().take(longest).position(|byte| byte & 0x80 == 0)?;
    let top = bytes[last];
    let sound = (last == 0 || top != 0) && (last + 1 < longest || top <= most);
    sound.then_some(last + 1)
}

fn put_one<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    out.extend(codec::encode(value));
}

fn put_fields(values: &[Value], out: &mut Vec<u8>) {
    let count = values.iter().rposition(|value| *value != Value::Option(None)).map_or(0, |last| last + 1);
    put_one(&(count as u16), out);
    for value in &values[..count] {
        put(value, out);
    }
}

fn put(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Unit => {}
        Value::Bool(v) => put_one(v, out),
        Value::Byte(v) => out.push(*v),
        Value::Unsigned(v) => put_one(v, out),
        Value::Signed(v) => put_one(v, out),
        Value::Text(v) => put_one(v, out),
        Value::Bytes(v) => put_one(v, out),
        Value::Money(v) => put_one(v, out),
        Value::Currency(v) => put_one(v, out),
        Value::Rate(v) => put_one(v, out),
        Value::Date(v) => put_one(v, out),
        Value::Timestamp(v) => put_one(v, out),
        Value::DayOfMonth(v) => put_one(v, out),
        Value::Weekday(v) => put_one(v, out),
        Value::DayCount(v) => put_one(v, out),
        Value::Convention(v) => put_one(v, out),
        Value::Party(v) => put_one(v, out),
        Value::Account(v) => put_one(v, out),
        Value::Asset(v) => put_one(v, out),
        Value::Agreement(v) => put_one(v, out),
        Value::Calendar(v) => put_one(v, out),
        Value::Hash(v) => put_one(v, out),
        Value::Recurrence(v) => put_one(v, out),
        Value::Option(None) => out.push(0),
        Value::Option(Some(v)) => {
            out.push(1);
            put(v, out);
        }
        Value::List(values) => {
            put_one(&(values.len() as u32), out);
            values.iter().for_each(|v| put(v, out));
        }
        Value::Record(values) => put_fields(values, out),
        Value::Enum(number) => put_one(number, out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Plain fields, as the canonical bytes of each.
    fn field() -> impl Strategy<Value = (Basic, Vec<u8>)> {
        prop_oneof![
            any::<[u8; 32]>().prop_map(|id| (Basic::Account, id.to_vec())),
            any::<u8>().prop_map(|n| (Basic::U8, alloc::vec![n])),
            any::<u16>().prop_map(|n| (Basic::U16, codec::encode(&n))),
            any::<u32>().prop_map(|n| (Basic::U32, codec::encode(&n))),
            any::<u64>().prop_map(|n| (Basic::U64, codec::encode(&n))),
            any::<u128>().prop_map(|n| (Basic::U128, codec::encode(&n))),
            Just((Basic::U64, codec::encode(&u64::MAX))),
            Just((Basic::U128, codec::encode(&u128::MAX))),
        ]
    }

    /// A spec with types of every make, records of options among them.
    fn rich() -> Spec {
        let field = |ty: TypeNumber| FieldDef { name: "f".into(), doc: String::new(), ty };
        let record = |types: &[TypeNumber]| TypeDef::Record {
            name: "R".into(),
            fields: types.iter().map(|ty| field(*ty)).collect(),
        };
        let own = crate::spec::TYPES_OWN;
        let choice = TypeDef::Enum { name: "E".into(), variants: ["A".into(), "B".into()].into() };
        let types = [
            choice,
            TypeDef::Option(Basic::U8 as u16),
            record(&[own + 1; 40]),
            TypeDef::List(own + 2),
            record(&[Basic::U16 as u16, own + 1, own, own + 1]),
            TypeDef::Option(own + 4),
            TypeDef::List(own + 5),
            TypeDef::List(Basic::Text as u16),
            TypeDef::Option(Basic::Account as u16),
            record(&[Basic::U8 as u16, own + 8]),
            TypeDef::List(own + 9),
        ];
        Spec { types: types.into(), ..crate::text::tests::spec() }
    }

    /// Fields read one by one are those that were read together, and all accounts in them were met.
    fn lies_where_it_is_said(types: &[TypeNumber], values: &[Value], layout: &Layout, bytes: &[u8]) {
        let fields = layout.of(bytes);
        let mut accounts = Vec::new();
        for (number, (ty, value)) in (0u16..).zip(types.iter().zip(values)) {
            assert_eq!(fields.get(number), Basic::of(*ty).map(|_| value.clone()));
            assert_eq!(fields.bytes(number), encode(value));
            named(value, &mut accounts);
        }
        accounts.sort();
        accounts.dedup();
        assert_eq!(layout.accounts(), accounts);
        assert_eq!(fields.get(types.len() as u16), None);
    }

    fn named(value: &Value, accounts: &mut Vec<AccountId>) {
        match value {
            Value::Account(account) => accounts.push(*account),
            Value::Option(Some(inner)) => named(inner, accounts),
            Value::List(values) | Value::Record(values) => {
                values.iter().for_each(|inner| named(inner, accounts))
            }
            _ => {}
        }
    }

    fn own(place: u16) -> TypeNumber {
        crate::spec::TYPES_OWN + place
    }

    #[test]
    fn few_bytes_are_not_any_number_of_values() {
        let spec = rich();
        let fields = [("rows", own(3))];
        let rows = |count: usize| {
            let mut bytes = alloc::vec![1];
            codec::append(&mut bytes, &(count as u32));
            bytes.resize(bytes.len() + count, 0);
            bytes
        };
        // A few rows of absent fields are what they are.
        let few = rows(100);
        let values = decode_fields(&spec, fields.into_iter(), &few).unwrap();
        assert!(matches!(&values[..], [Value::List(rows)] if rows.len() == 100));
        check_fields(&spec, fields.into_iter(), &few).unwrap();
        let many = rows(50_000);
        let too_many = Err(ValueError::Values { max: VALUES_FREE + many.len() * VALUES_PER_BYTE });
        assert_eq!(check_fields(&spec, fields.into_iter(), &many), too_many);
        assert_eq!(decode_fields(&spec, fields.into_iter(), &many).map(|_| ()), too_many);
        assert_eq!(
            decode(&spec, own(3), &many[1..]).map(|_| ()),
            Err(ValueError::Values { max: VALUES_FREE + (many.len() - 1) * VALUES_PER_BYTE })
        );
        // What lies in state was checked when it came there.
        assert!(decode_own_fields(&spec, fields.into_iter(), &many).is_ok());
    }

    proptest! {
        #[test]
        fn bytes_are_checked_as_they_are_decoded(
            types in prop::collection::vec(prop_oneof![0u16..27, (0u16..11).prop_map(own)], 0..5),
            bytes in prop::collection::vec(prop_oneof![4 => 0u8..4, 1 => any::<u8>()], 0..60),
        ) {
            let fields = || types.iter().map(|ty| ("f", *ty));
            let bytes = [&[types.len() as u8], bytes.as_slice()].concat();
            let decoded = decode_fields(&rich(), fields(), &bytes);
            prop_assert_eq!(check_fields(&rich(), fields(), &bytes), decoded.clone().map(|_| ()));
            let layout = Layout::checked(&rich(), fields(), &bytes);
            prop_assert_eq!(layout.clone().map(|_| ()), decoded.clone().map(|_| ()));
            if let (Ok(values), Ok(layout)) = (decoded, layout) {
                prop_assert_eq!(Layout::own(&rich(), fields(), &bytes), Ok(layout.clone()));
                lies_where_it_is_said(&types, &values, &layout, &bytes);
            }
            // The front of it that is a value, in its one form.
            let mut rest = bytes.as_slice();
            if let Ok(values) = Reading::bounded(&rich(), &bytes).take_fields(fields(), &mut rest, 0) {
                let bytes = encode_fields(&values);
                prop_assert_eq!(check_fields(&rich(), fields(), &bytes), Ok(()));
                lies_where_it_is_said(&types, &values, &Layout::checked(&rich(), fields(), &bytes).unwrap(), &bytes);
            }
        }

        #[test]
        fn plain_fields_are_checked_as_they_are_decoded(
            fields in prop::collection::vec(field(), 0..6),
            changed in any::<Option<(prop::sample::Index, u8)>>(),
            cut in 0usize..3,
        ) {
            let types: Vec<(&str, TypeNumber)> = fields.iter().map(|(basic, _)| ("f", *basic as u16)).collect();
            let mut bytes = alloc::vec![fields.len() as u8];
            fields.iter().for_each(|(_, field)| bytes.extend(field));
            let spec = crate::text::tests::spec();
            prop_assert_eq!(check_fields(&spec, types.iter().copied(), &bytes), Ok(()));
            if let Some((place, value)) = changed {
                let place = place.index(bytes.len());
                bytes[place] = value;
            }
            bytes.truncate(bytes.len() - cut.min(bytes.len()));
            let decoded = decode_fields(&spec, types.iter().copied(), &bytes).map(|_| ());
            prop_assert_eq!(check_fields(&spec, types.iter().copied(), &bytes), decoded);
        }
    }
}
