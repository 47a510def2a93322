//! Canonical bytes: postcard, and nothing but the one form of each value.
//!
//! postcard accepts padded varints and bytes after the value. At every border (wire, file, what a contract
//! hands over) a value is therefore decoded, encoded again and compared.

use alloc::vec::Vec;
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

/// The canonical bytes of a value.
///
/// # Panics
/// Never for the types of this project: they have no length unknown in advance and no unsupported kind.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    postcard::to_allocvec(value).expect("types with a codec always encode into a growing buffer")
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

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn round_trip(a: u64, b: i128, c: String, d: Option<Vec<u8>>) {
            let value = (a, b, c, d);
            let bytes = encode(&value);
            prop_assert_eq!(decode::<(u64, i128, String, Option<Vec<u8>>)>(&bytes, 1 << 20), Ok(value));
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
