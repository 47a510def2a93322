//! Canonical bytes: postcard, and nothing but the one form of each value.
//!
//! postcard accepts padded varints and bytes after the value. At every border (wire, file, what a contract
//! hands over) a value is therefore decoded, encoded again and compared.

use alloc::vec::Vec;
use postcard::ser_flavors::Flavor;
use serde::{Serialize, de::DeserializeOwned};

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

/// Bytes in the making.
struct Growing(Vec<u8>);

impl Flavor for Growing {
    type Output = Vec<u8>;

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<Vec<u8>> {
        Ok(self.0)
    }
}

/// The canonical bytes of a value.
///
/// # Panics
/// Never for the types of this project: they have no length unknown in advance and no unsupported kind.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    // Without the error's text: showing it would be the largest thing in a small contract.
    let Ok(bytes) = postcard::serialize_with_flavor(value, Growing(Vec::with_capacity(ROOM_BYTES))) else {
        panic!("types with a codec always encode into a growing buffer")
    };
    bytes
}

/// Appends the canonical bytes of a value.
///
/// # Panics
/// As [`encode`].
pub fn append<T: Serialize + ?Sized>(bytes: &mut Vec<u8>, value: &T) {
    match postcard::serialize_with_flavor(value, Growing(core::mem::take(bytes))) {
        Ok(grown) => *bytes = grown,
        Err(_) => panic!("types with a codec always encode into a growing buffer"),
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
    match postcard::take_from_bytes::<T>(bytes) {
        Ok((value, [])) => Ok(value),
        Ok(_) => Err(CodecError::NotCanonical),
        Err(_) => Err(CodecError::Malformed),
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
