//! Plain JSON of everything on the wire, made from the types themselves.
//!
//! Ids are their text, dates and times ISO 8601, bytes hexadecimal text. Whole numbers of 64 bits and more are
//! decimal text, because a JSON number loses what lies above 2^53; smaller ones are numbers. A variant without content
//! is its name, one with content an object of its name alone. Both directions are each other's inverse.

mod names;
mod read;
mod write;

pub use read::from_json;
pub use write::{quoted, to_json};

use std::fmt::Display;

/// Why JSON and a value do not fit.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct JsonError(pub String);

impl serde::ser::Error for JsonError {
    fn custom<T: Display>(text: T) -> JsonError {
        JsonError(text.to_string())
    }
}

impl serde::de::Error for JsonError {
    fn custom<T: Display>(text: T) -> JsonError {
        JsonError(text.to_string())
    }
}

pub use tenor_wire::hexadecimal::hex;

/// The bytes of lower-case hexadecimal text, the one form that bytes have here.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    tenor_wire::hexadecimal::unhex(text).filter(|bytes| hex(bytes) == text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenor_abi::date::{Date, Timestamp};
    use tenor_abi::id::{AccountId, Hash, HoldId};
    use tenor_wire::op::{CaptureOp, EntryOp, HookMoment, HookOf, HookOp, Operation, TransferOp};

    fn check(operation: Operation, json: &str) {
        assert_eq!(to_json(&operation).unwrap(), json);
        assert_eq!(from_json::<Operation>(json).unwrap(), operation);
    }

    #[test]
    fn there_and_back() {
        let (from, to) = (AccountId([1; 32]), AccountId([2; 32]));
        let amount = u128::MAX;
        check(
            Operation::Transfer(TransferOp {
                from,
                to,
                amount,
                narrative: Some(Hash([3; 32])),
                reference: None,
            }),
            &format!(
                r#"{{"Transfer":{{"from":"{from}","to":"{to}","amount":"{amount}","narrative":"{}","reference":null}}}}"#,
                Hash([3; 32])
            ),
        );
        let hold = HoldId([4; 32]);
        check(Operation::Release(hold), &format!(r#"{{"Release":"{hold}"}}"#));
        let (of, moment) = (HookOf::Owner, HookMoment::Before);
        check(
            Operation::Hook(HookOp { account: from, of, moment, hook: None }),
            &format!(r#"{{"Hook":{{"account":"{from}","of":"Owner","moment":"Before","hook":null}}}}"#),
        );
        check(
            Operation::Capture(CaptureOp { hold, parts: vec![(from, 7)], last: true }),
            &format!(r#"{{"Capture":{{"hold":"{hold}","parts":[["{from}","7"]],"last":true}}}}"#),
        );
        let value_date = Some(Date::of(2026, 2, 28));
        check(
            Operation::Entry(EntryOp { lines: vec![], value_date, narrative: None, reference: None }),
            r#"{"Entry":{"lines":[],"value_date":"2026-02-28","narrative":null,"reference":null}}"#,
        );
        let time = Timestamp(1_767_225_600_001);
        assert_eq!(to_json(&time).unwrap(), r#""2026-01-01T00:00:00.001Z""#);
        assert_eq!(from_json::<Timestamp>(r#""2026-01-01T00:00:00.001Z""#), Ok(time));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let text = |json: &str| from_json::<Operation>(json).unwrap_err().0;
        assert!(text("{").contains("EOF"));
        assert!(text(r#"{"Tansfer":{}}"#).contains("`Tansfer`"));
        assert!(text(r#"{"Transfer":{"form":1}}"#).contains("`form`"));
        assert!(text(r#"{"Transfer":{}}"#).contains("`from`"));
        let (from, to) = (AccountId([1; 32]), Hash([2; 32]));
        let transfer = |to: &str, amount: &str| {
            text(&format!(r#"{{"Transfer":{{"from":"{from}","to":"{to}","amount":{amount}}}}}"#))
        };
        assert!(transfer(&to.to_string(), r#""1""#).contains("`acct1`"));
        let to = from.to_string();
        assert!(transfer(&to, "1").contains("decimal text"));
        for wrong in ["\"\"", "\"01\"", "\"+1\"", "\"-1\"", "\"1.0\"", "\"1e3\"", "\" 1\""] {
            assert!(transfer(&to, wrong).contains("decimal text"), "{wrong}");
        }
    }

    #[test]
    fn bytes_as_text() {
        assert_eq!((hex(&[0, 0xab]), unhex("00ab")), ("00ab".into(), Some(vec![0, 0xab])));
        assert_eq!((unhex("0"), unhex("0G"), unhex("AB")), (None, None, None));
    }
}
