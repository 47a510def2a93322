//! Canonical bytes: postcard, and nothing but the one form of each value.
//!
//! The format is postcard's, read and written here, because ids are most of what a record holds: their bytes are
//! copied at once, in a contract as on its host. Numbers may be padded and bytes may follow a value; at every
//! border (wire, file, what a contract hands over) a value is therefore decoded, encoded again and compared.

mod read;
mod write;

use alloc::vec::Vec;
use read::Reader;
use serde::{Serialize, de::DeserializeOwned};
use write::Writer;

/// The name by which a reader and a writer of this format know bytes that stand without a length. It is no name
/// that a type can have.
pub const RAW: &str = "= raw";

/// Why bytes are not a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CodecError {
    /// The bytes end early, or hold something the type does not allow.
    #[error("not a value of this type")]
    Malformed,
    /// The bytes mean a value, but not in its one form (padded number, bytes after the end).
    #[error("not in canonical form: the value has another encoding")]
    NotCanonical,
    /// More bytes than this border lets in.
    #[error("{given} bytes given, at most {limit} allowed")]
    TooLong {
        /// Bytes given.
        given: usize,
        /// Bytes allowed.
        limit: usize,
    },
}

/// Room that an encoding begins with: most records fit, and none grows byte by byte.
const ROOM_BYTES: usize = 128;

/// The canonical bytes of a value.
///
/// # Panics
/// Never for the types of this project: they have no length unknown in advance and no unsupported kind.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ROOM_BYTES);
    append(&mut bytes, value);
    bytes
}

/// Appends the canonical bytes of a value.
///
/// # Panics
/// As [`encode`].
pub fn append<T: Serialize + ?Sized>(bytes: &mut Vec<u8>, value: &T) {
    // Without the error's text: showing it would be the largest thing in a small contract.
    if value.serialize(&mut Writer::new(bytes)).is_err() {
        panic!("types with a codec always have a form")
    }
}

/// The value that `bytes` are the canonical form of; at most `limit` bytes.
///
/// # Errors
/// [`CodecError`]: too long, malformed, or not canonical.
pub fn decode<T: Serialize + DeserializeOwned>(bytes: &[u8], limit: usize) -> Result<T, CodecError> {
    if bytes.len() > limit {
        return Err(CodecError::TooLong { given: bytes.len(), limit });
    }
    let value = decode_own::<T>(bytes)?;
    if encode(&value) == bytes { Ok(value) } else { Err(CodecError::NotCanonical) }
}

/// The value of bytes that this side encoded itself and has kept under a checksum; no second encoding.
///
/// # Errors
/// [`CodecError::Malformed`], [`CodecError::NotCanonical`] for bytes after the value.
pub fn decode_own<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    match take(bytes)? {
        (value, []) => Ok(value),
        _ => Err(CodecError::NotCanonical),
    }
}

/// The value at the front of bytes, and what follows it.
///
/// # Errors
/// [`CodecError::Malformed`].
pub fn take<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, &[u8]), CodecError> {
    let mut reader = Reader { rest: bytes };
    let value = T::deserialize(&mut reader).map_err(|_| CodecError::Malformed)?;
    Ok((value, reader.rest))
}

/// For `#[serde(with = "tenor_abi::codec::raw")]` on a `[u8; N]`: its bytes are the same, copied at once instead of
/// one by one.
pub mod raw {
    use super::RAW;
    use core::fmt;
    use serde::de::{Error, SeqAccess, Visitor};
    use serde::{Deserializer, Serialize, Serializer};

    struct Bytes<'b>(&'b [u8]);

    impl Serialize for Bytes<'_> {
        #[inline]
        fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            to.serialize_bytes(self.0)
        }
    }

    /// As an array does.
    ///
    /// # Errors
    /// Those of the serializer.
    #[inline]
    pub fn serialize<S: Serializer, const LENGTH: usize>(
        bytes: &[u8; LENGTH],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_newtype_struct(RAW, &Bytes(bytes))
    }

    /// As an array does.
    ///
    /// # Errors
    /// Those of the deserializer.
    #[inline]
    pub fn deserialize<'de, D: Deserializer<'de>, const LENGTH: usize>(
        from: D,
    ) -> Result<[u8; LENGTH], D::Error> {
        from.deserialize_tuple_struct(RAW, LENGTH, Array)
    }

    struct Array<const LENGTH: usize>;

    impl<'de, const LENGTH: usize> Visitor<'de> for Array<LENGTH> {
        type Value = [u8; LENGTH];

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("bytes")
        }

        #[inline]
        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<[u8; LENGTH], E> {
            bytes.try_into().map_err(|_| E::custom("another length"))
        }

        fn visit_seq<S: SeqAccess<'de>>(self, mut parts: S) -> Result<[u8; LENGTH], S::Error> {
            let mut bytes = [0; LENGTH];
            for byte in &mut bytes {
                *byte = parts.next_element()?.ok_or_else(|| S::Error::custom("another length"))?;
            }
            Ok(bytes)
        }
    }
}

/// For `#[serde(with = "tenor_abi::codec::bytes")]` on a `Vec<u8>`: its bytes are the same, copied at once
/// instead of one by one.
pub mod bytes {
    use alloc::vec::Vec;
    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serializer};

    /// As `Vec<u8>` does.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(bytes)
    }

    /// As `Vec<u8>` does.
    ///
    /// # Errors
    /// Those of the deserializer.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        from.deserialize_bytes(Bytes)
    }

    struct Bytes;

    impl Visitor<'_> for Bytes {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            f.write_str("bytes")
        }

        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            Ok(bytes.to_vec())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use alloc::vec;
    use proptest::prelude::*;

    type Everything = (u64, i128, String, Option<Vec<u32>>, bool, Choice);

    #[derive(Clone, PartialEq, Debug, Serialize, serde::Deserialize)]
    enum Choice {
        Nothing,
        Number(u16),
        Record { a: i64, b: Option<bool> },
    }

    /// A second encoder, written from FORMATS.md alone, that pads each number by so many bytes as it is told.
    struct Padding<'p> {
        bytes: Vec<u8>,
        pads: &'p mut dyn Iterator<Item = usize>,
    }

    impl Padding<'_> {
        fn number(&mut self, mut number: u128) {
            let pad = self.pads.next().unwrap_or(0);
            while number > 0x7f {
                self.bytes.push(number as u8 | 0x80);
                number >>= 7;
            }
            match pad {
                0 => self.bytes.push(number as u8),
                pad => {
                    self.bytes.push(number as u8 | 0x80);
                    self.bytes.extend(core::iter::repeat_n(0x80, pad - 1));
                    self.bytes.push(0);
                }
            }
        }

        fn signed(&mut self, number: i128) {
            self.number(((number << 1) ^ (number >> 127)) as u128);
        }

        fn everything(&mut self, (a, b, c, d, e, f): &Everything) {
            self.number(u128::from(*a));
            self.signed(*b);
            self.number(c.len() as u128);
            self.bytes.extend(c.bytes());
            self.bytes.push(u8::from(d.is_some()));
            if let Some(list) = d {
                self.number(list.len() as u128);
                list.iter().for_each(|number| self.number(u128::from(*number)));
            }
            self.bytes.push(u8::from(*e));
            match f {
                Choice::Nothing => self.number(0),
                Choice::Number(number) => {
                    self.number(1);
                    self.number(u128::from(*number));
                }
                Choice::Record { a, b } => {
                    self.number(2);
                    self.signed(i128::from(*a));
                    self.bytes.push(u8::from(b.is_some()));
                    self.bytes.extend(b.map(u8::from));
                }
            }
        }
    }

    fn everything() -> impl Strategy<Value = Everything> {
        let choice = prop_oneof![
            Just(Choice::Nothing),
            any::<u16>().prop_map(Choice::Number),
            any::<(i64, Option<bool>)>().prop_map(|(a, b)| Choice::Record { a, b }),
        ];
        (any::<u64>(), any::<i128>(), any::<String>(), any::<Option<Vec<u32>>>(), any::<bool>(), choice)
    }

    fn read(bytes: &[u8]) -> Result<Everything, CodecError> {
        decode(bytes, 1 << 20)
    }

    proptest! {
        #[test]
        fn a_value_has_one_form(value in everything(), pads in prop::collection::vec(0usize..3, 0..8)) {
            let bytes = encode(&value);
            prop_assert_eq!(read(&bytes), Ok(value.clone()));
            let mut plain = Padding { bytes: vec![], pads: &mut core::iter::empty() };
            plain.everything(&value);
            prop_assert_eq!(&plain.bytes, &bytes, "the format is what FORMATS.md says");
            let mut padded = Padding { bytes: vec![], pads: &mut pads.into_iter() };
            padded.everything(&value);
            if padded.bytes != bytes {
                prop_assert!(read(&padded.bytes).is_err(), "a padded number was taken");
            }
            for length in 0..bytes.len() {
                prop_assert!(read(&bytes[..length]).is_err(), "a value was read from a part of it");
            }
            let longer = [&bytes[..], &[0]].concat();
            prop_assert_eq!(read(&longer), Err(CodecError::NotCanonical));
        }

        #[test]
        fn a_changed_byte_is_another_value_or_none(value in everything(), at: prop::sample::Index, to: u8) {
            let mut bytes = encode(&value);
            let at = at.index(bytes.len());
            prop_assume!(bytes[at] != to);
            bytes[at] = to;
            if let Ok(other) = read(&bytes) {
                prop_assert_ne!(&other, &value);
                prop_assert_eq!(encode(&other), bytes);
            }
        }

        #[test]
        fn bytes_at_once_are_the_same_bytes(bytes: Vec<u8>, after: u32) {
            #[derive(Serialize, serde::Deserialize, PartialEq, Debug)]
            struct Record(#[serde(with = "super::bytes")] Vec<u8>, u32);
            let encoded = encode(&(&bytes, after));
            prop_assert_eq!(&encode(&Record(bytes.clone(), after)), &encoded);
            prop_assert_eq!(decode_own::<Record>(&encoded), Ok(Record(bytes, after)));
        }

        #[test]
        fn the_format_is_postcards(value in everything(), id: [u8; 32], short: [u8; 5], other: Vec<u8>) {
            #[derive(Serialize, serde::Deserialize, PartialEq, Debug)]
            struct Record(#[serde(with = "super::raw")] [u8; 32], u16, #[serde(with = "super::raw")] [u8; 5], Everything);
            let plain = (id, 7u16, short, value.clone());
            let bytes = postcard::to_allocvec(&plain).unwrap();
            let record = Record(id, 7, short, value);
            prop_assert_eq!(&encode(&plain), &bytes);
            prop_assert_eq!(&encode(&record), &bytes);
            prop_assert_eq!(decode_own::<Record>(&bytes), Ok(record));
            for length in [0, 31, 32, 33, 36] {
                prop_assert!(decode_own::<Record>(&bytes[..length]).is_err());
            }
            // What is no value to the one is none to the other.
            let ours = take::<Everything>(&other).ok();
            let theirs = postcard::take_from_bytes::<Everything>(&other).ok();
            prop_assert_eq!(ours, theirs);
            let ours = take::<(u16, u128, i16, i64)>(&other).ok();
            prop_assert_eq!(ours, postcard::take_from_bytes::<(u16, u128, i16, i64)>(&other).ok());
        }

        #[test]
        fn whatever_decodes_is_the_one_form(bytes: Vec<u8>) {
            if let Ok(value) = decode::<(u32, Vec<u8>, Option<i64>, bool)>(&bytes, 1 << 20) {
                prop_assert_eq!(encode(&value), bytes);
            }
        }
    }

    #[test]
    fn every_other_form_is_refused() {
        assert_eq!(decode::<u32>(&[1], 8), Ok(1));
        assert_eq!(decode::<u32>(&[0x81, 0x00], 8), Err(CodecError::NotCanonical), "padded number");
        assert_eq!(decode::<u32>(&[1, 0], 8), Err(CodecError::NotCanonical), "byte after the value");
        assert_eq!(decode::<u32>(&[0x80], 8), Err(CodecError::Malformed), "ends early");
        assert_eq!(decode::<bool>(&[2], 8), Err(CodecError::Malformed));
        assert_eq!(decode::<Vec<u8>>(&[0; 9], 8), Err(CodecError::TooLong { given: 9, limit: 8 }));
    }
}
