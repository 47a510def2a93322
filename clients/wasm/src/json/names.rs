//! Types of one field that have a text form of their own, by the names under which serde shows them.

use super::JsonError;
use tenor_abi::codec;
use tenor_abi::date::{Date, Timestamp};
use tenor_abi::id::{
    AccountId, AgreementId, AssetId, CalendarId, ChainId, CodeHash, Hash, HoldId, OccurrenceId, PartyId,
    ProposalId, TxId,
};

macro_rules! ids {
    ($($name:ident)*) => {
        /// The text of an id, by the name of its type and its bytes; none for another type.
        pub fn id_text(name: &str, bytes: &[u8]) -> Option<String> {
            match name {
                $(stringify!($name) => Some($name(bytes.try_into().ok()?).to_string()),)*
                _ => None,
            }
        }

        /// The bytes of an id's text, by the name of its type; none for another type.
        pub fn id_bytes(name: &str, text: &str) -> Option<Result<[u8; 32], JsonError>> {
            let error = |error: tenor_abi::id::IdError| JsonError(error.to_string());
            match name {
                $(stringify!($name) => Some(text.parse::<$name>().map(|id| id.0).map_err(error)),)*
                _ => None,
            }
        }

        #[cfg(test)]
        pub const PREFIXES: &[&str] = &[$(<$name as tenor_abi::id::Id>::PREFIX),*];
    };
}

ids! {
    PartyId AssetId AccountId AgreementId CodeHash TxId OccurrenceId HoldId ProposalId ChainId CalendarId Hash
}

/// The text of a value of one field, from its canonical bytes; none for a type without one.
pub fn text_of(name: &str, bytes: &[u8]) -> Option<String> {
    match name {
        "Date" => codec::decode_own::<Date>(bytes).ok().map(|date| date.to_string()),
        "Timestamp" => codec::decode_own::<Timestamp>(bytes).ok().map(|time| time.to_string()),
        _ => id_text(name, bytes),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_id_has_its_text() {
        assert_eq!(super::PREFIXES, tenor_abi::id::PREFIXES);
    }
}
