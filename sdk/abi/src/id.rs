//! Ids: 32 opaque bytes, a type per kind, and a text form whose prefix and checksum catch a typing error.

use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

/// Why a text is not an id of the kind asked for.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum IdError {
    /// The text is an id of another kind.
    #[error("an id beginning with `{expected}1` is needed, this one begins with `{given}1`")]
    Kind {
        /// Prefix of the kind that was asked for.
        expected: &'static str,
        /// Prefix that the text has.
        given: String,
    },
    /// The checksum does not hold, or a character is not allowed.
    #[error("`{0}` is not an id: a character is wrong or missing")]
    Text(String),
}

/// An id of some kind: 32 bytes with a text prefix.
pub trait Id: Copy {
    /// The kind's prefix in text.
    const PREFIX: &'static str;
    /// The bytes.
    fn bytes(&self) -> &[u8; 32];
}

fn to_text(prefix: &str, bytes: &[u8; 32]) -> String {
    let hrp = bech32::Hrp::parse(prefix).expect("prefixes are short lower-case letters");
    bech32::encode::<bech32::Bech32m>(hrp, bytes).expect("32 bytes fit")
}

fn from_text(prefix: &'static str, text: &str) -> Result<[u8; 32], IdError> {
    let wrong = || IdError::Text(text.chars().take(80).collect());
    let checked =
        bech32::primitives::decode::CheckedHrpstring::new::<bech32::Bech32m>(text).map_err(|_| wrong())?;
    let given = checked.hrp().to_string();
    if given != prefix {
        return Err(IdError::Kind { expected: prefix, given });
    }
    let mut bytes = [0; 32];
    let mut read = checked.byte_iter();
    for byte in &mut bytes {
        *byte = read.next().ok_or_else(wrong)?;
    }
    if read.next().is_some() { Err(wrong()) } else { Ok(bytes) }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(#[serde(with = "crate::codec::raw")] pub [u8; 32]);

        impl Id for $name {
            const PREFIX: &'static str = $prefix;
            fn bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&to_text($prefix, &self.0))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                from_text($prefix, text).map(Self)
            }
        }
    )*
    /// The text prefixes of all kinds.
    pub const PREFIXES: &[&str] = &[$($prefix),*];
    };
}

ids! {
    /// A person or organisation.
    PartyId "party";
    /// What is counted: money of one issuer, points, a token.
    AssetId "asset";
    /// An account of one owner in one asset.
    AccountId "acct";
    /// A contract signed by parties, with terms and state.
    AgreementId "agr";
    /// Deployed wasm.
    CodeHash "code";
    /// A transaction.
    TxId "tx";
    /// One attempt at one occurrence of a schedule.
    OccurrenceId "occ";
    /// Money set aside.
    HoldId "hold";
    /// An action waiting for approval.
    ProposalId "prop";
    /// A chain.
    ChainId "chain";
    /// A holiday calendar.
    CalendarId "cal";
    /// A plain SHA3-256 value: a root, a header hash, a commitment.
    Hash "hash";
}

impl Hash {
    /// The root of an empty list and of an empty trie.
    pub const ZERO: Hash = Hash([0; 32]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        let id = AccountId([7; 32]);
        let text = id.to_string();
        assert!(text.starts_with("acct1"), "{text}");
        assert_eq!(text.parse(), Ok(id));
    }

    #[test]
    fn another_kind_is_named() {
        let text = PartyId([7; 32]).to_string();
        let error = text.parse::<AccountId>().unwrap_err();
        assert_eq!(error, IdError::Kind { expected: "acct", given: "party".into() });
    }

    #[test]
    fn one_wrong_character_is_caught() {
        let text = AccountId([7; 32]).to_string();
        for at in 5..text.len() {
            let mut wrong = text.clone().into_bytes();
            wrong[at] = if wrong[at] == b'q' { b'p' } else { b'q' };
            assert!(String::from_utf8(wrong).unwrap().parse::<AccountId>().is_err());
        }
    }
}
