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
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Most levels that types of a spec may nest.
pub const NESTING_MAX: u32 = 16;

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
    /// A field that must be there is missing.
    #[error("`{0}` is missing")]
    Missing(String),
    /// The value is of another type.
    #[error("a value of another type than {0}")]
    Mismatch(String),
}

/// Reads the fields of a record: their count, then each; what is missing at the end reads as none.
///
/// # Errors
/// [`ValueError`]; also when the bytes are not the one form of the fields.
pub fn decode_fields<'f>(
    spec: &Spec,
    fields: impl ExactSizeIterator<Item = (&'f str, TypeNumber)>,
    bytes: &[u8],
) -> Result<Vec<Value>, ValueError> {
    let types: Vec<(&str, TypeNumber)> = fields.collect();
    let mut rest = bytes;
    let values = take_fields(spec, &types, &mut rest, 0)?;
    if !rest.is_empty() || encode_fields(&values) != bytes {
        return Err(CodecError::NotCanonical.into());
    }
    Ok(values)
}

/// The values of fields whose bytes were checked before and have been kept since: as [`decode_fields`], without
/// asking again whether they are the one form.
///
/// # Errors
/// As [`decode_fields`].
pub fn decode_own_fields<'f>(
    spec: &Spec,
    fields: impl ExactSizeIterator<Item = (&'f str, TypeNumber)>,
    bytes: &[u8],
) -> Result<Vec<Value>, ValueError> {
    let types: Vec<(&str, TypeNumber)> = fields.collect();
    let mut rest = bytes;
    let values = take_fields(spec, &types, &mut rest, 0)?;
    if rest.is_empty() { Ok(values) } else { Err(CodecError::NotCanonical.into()) }
}

/// Whether bytes are what [`decode_fields`] takes, without making values where the fields are plain.
///
/// # Errors
/// As [`decode_fields`].
pub fn check_fields<'f>(
    spec: &Spec,
    fields: impl ExactSizeIterator<Item = (&'f str, TypeNumber)> + Clone,
    bytes: &[u8],
) -> Result<(), ValueError> {
    match are_plain_fields(fields.clone(), bytes) {
        Some(true) => Ok(()),
        _ => decode_fields(spec, fields, bytes).map(|_| ()),
    }
}

/// Whether bytes are all of the fields, each a plain number or id in its one form; none where there is another
/// kind of field.
fn are_plain_fields<'f>(
    fields: impl ExactSizeIterator<Item = (&'f str, TypeNumber)>,
    bytes: &[u8],
) -> Option<bool> {
    let count = u8::try_from(fields.len()).ok().filter(|count| *count < 0x80)?;
    let Some(mut rest) = bytes.strip_prefix(&[count]) else { return Some(false) };
    for (_, ty) in fields {
        let length = match Basic::of(ty)? {
            Basic::Party
            | Basic::Account
            | Basic::Asset
            | Basic::Agreement
            | Basic::Calendar
            | Basic::Hash => 32,
            Basic::U8 => 1,
            Basic::U16 => varint_length(rest, 3, 0x03)?,
            Basic::U32 => varint_length(rest, 5, 0x0f)?,
            Basic::U64 => varint_length(rest, 10, 0x01)?,
            Basic::U128 => varint_length(rest, 19, 0x03)?,
            _ => return None,
        };
        rest = rest.get(length..)?;
    }
    Some(rest.is_empty())
}

/// Bytes of a number in its one form: at most so many, the last of them at most so much, and none for nothing.
fn varint_length(bytes: &[u8], longest: usize, most: u8) -> Option<usize> {
    let last = bytes.iter().take(longest).position(|byte| byte & 0x80 == 0)?;
    let top = bytes[last];
    let sound = (last == 0 || top != 0) && (last + 1 < longest || top <= most);
    sound.then_some(last + 1)
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
/// [`ValueError`]; also when the bytes are not the one form of the value.
pub fn decode(spec: &Spec, ty: TypeNumber, bytes: &[u8]) -> Result<Value, ValueError> {
    let mut rest = bytes;
    let value = take(spec, ty, &mut rest, 0)?;
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
pub fn terms_of(spec: &Spec) -> impl ExactSizeIterator<Item = (&str, TypeNumber)> {
    spec.terms.iter().map(|term| (term.name.as_str(), term.ty))
}

fn take_one<T: DeserializeOwned>(bytes: &mut &[u8]) -> Result<T, ValueError> {
    let (value, rest) = codec::take(bytes)?;
    *bytes = rest;
    Ok(value)
}

fn take_fields(
    spec: &Spec,
    fields: &[(&str, TypeNumber)],
    bytes: &mut &[u8],
    depth: u32,
) -> Result<Vec<Value>, ValueError> {
    let given: u16 = take_one(bytes)?;
    if usize::from(given) > fields.len() {
        return Err(ValueError::Fields { given, known: fields.len() as u16 });
    }
    let mut values = Vec::with_capacity(fields.len());
    for (place, (name, ty)) in fields.iter().enumerate() {
        if place < usize::from(given) {
            values.push(take(spec, *ty, bytes, depth)?);
        } else if matches!(spec.own_type(*ty), Some(TypeDef::Option(_))) {
            values.push(Value::Option(None));
        } else {
            return Err(ValueError::Missing((*name).into()));
        }
    }
    Ok(values)
}

fn take(spec: &Spec, ty: TypeNumber, bytes: &mut &[u8], depth: u32) -> Result<Value, ValueError> {
    if depth > NESTING_MAX {
        return Err(ValueError::Nesting);
    }
    let Some(basic) = Basic::of(ty) else { return take_own(spec, ty, bytes, depth) };
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

fn take_own(spec: &Spec, ty: TypeNumber, bytes: &mut &[u8], depth: u32) -> Result<Value, ValueError> {
    Ok(match spec.own_type(ty).ok_or(ValueError::Type(ty))? {
        TypeDef::Option(of) => Value::Option(match take_one::<u8>(bytes)? {
            0 => None,
            1 => Some(Box::new(take(spec, *of, bytes, depth + 1)?)),
            _ => return Err(CodecError::Malformed.into()),
        }),
        TypeDef::List(of) => {
            let count: u32 = take_one(bytes)?;
            // Every value but the empty one takes a byte, so a count above the bytes left is a lie.
            if count as usize > bytes.len() {
                return Err(CodecError::Malformed.into());
            }
            Value::List((0..count).map(|_| take(spec, *of, bytes, depth + 1)).collect::<Result<_, _>>()?)
        }
        TypeDef::Record { fields, .. } => {
            let types: Vec<_> = fields_of(fields).collect();
            Value::Record(take_fields(spec, &types, bytes, depth + 1)?)
        }
        TypeDef::Enum { variants, .. } => {
            let number: u32 = take_one(bytes)?;
            if number as usize >= variants.len() {
                return Err(CodecError::Malformed.into());
            }
            Value::Enum(number)
        }
    })
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

    proptest! {
        #[test]
        fn plain_fields_are_checked_as_they_are_decoded(
            fields in prop::collection::vec(field(), 0..6),
            changed in any::<Option<(prop::sample::Index, u8)>>(),
            cut in 0usize..3,
        ) {
            let types: Vec<(&str, TypeNumber)> = fields.iter().map(|(basic, _)| ("f", *basic as u16)).collect();
            let mut bytes = alloc::vec![fields.len() as u8];
            fields.iter().for_each(|(_, field)| bytes.extend(field));
            prop_assert_eq!(are_plain_fields(types.iter().copied(), &bytes), Some(true));
            if let Some((place, value)) = changed {
                let place = place.index(bytes.len());
                bytes[place] = value;
            }
            bytes.truncate(bytes.len() - cut.min(bytes.len()));
            let spec = crate::text::tests::spec();
            let decoded = decode_fields(&spec, types.iter().copied(), &bytes);
            prop_assert_eq!(are_plain_fields(types.iter().copied(), &bytes) == Some(true), decoded.is_ok());
            prop_assert_eq!(check_fields(&spec, types.iter().copied(), &bytes).is_ok(), decoded.is_ok());
        }
    }
}
