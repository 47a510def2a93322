//! Values of a contract's types in words: what people are shown, by a node and by a client that trusts none.

use crate::hexadecimal::hex;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use tenor_abi::spec::{Spec, TypeDef, TypeNumber};
use tenor_abi::text;
use tenor_abi::value::Value;

/// A value as people read it, in one line.
pub fn show(spec: &Spec, ty: TypeNumber, value: &Value) -> String {
    let list = |of: TypeNumber, values: &[Value]| {
        values.iter().map(|v| show(spec, of, v)).collect::<Vec<_>>().join(", ")
    };
    match (value, spec.own_type(ty)) {
        (Value::Option(None), _) => "none".into(),
        (Value::Option(Some(inner)), Some(TypeDef::Option(of))) => show(spec, *of, inner),
        (Value::List(values), Some(TypeDef::List(of))) => format!("[{}]", list(*of, values)),
        (Value::Record(values), Some(TypeDef::Record { fields, .. })) => {
            let shown = fields
                .iter()
                .zip(values)
                .map(|(field, value)| format!("{}={}", field.name, show(spec, field.ty, value)));
            format!("{{{}}}", shown.collect::<Vec<_>>().join(", "))
        }
        (Value::Enum(number), Some(TypeDef::Enum { variants, .. })) => {
            variants.get(*number as usize).cloned().unwrap_or_default()
        }
        _ => plain(value),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Unit => String::new(),
        Value::Bool(v) => v.to_string(),
        Value::Byte(v) => v.to_string(),
        Value::Unsigned(v) => v.to_string(),
        Value::Signed(v) => v.to_string(),
        Value::Text(v) => text::visible(v),
        Value::Bytes(v) => hex(v),
        Value::Money(v) => v.to_string(),
        Value::Currency(v) => v.code.to_string(),
        Value::Rate(v) => v.to_string(),
        Value::Date(v) => v.to_string(),
        Value::Timestamp(v) => v.to_string(),
        Value::DayOfMonth(v) => v.to_string(),
        Value::Weekday(v) => v.to_string(),
        Value::DayCount(v) => v.name().into(),
        Value::Convention(v) => v.to_string(),
        Value::Party(v) => v.to_string(),
        Value::Account(v) => v.to_string(),
        Value::Asset(v) => v.to_string(),
        Value::Agreement(v) => v.to_string(),
        Value::Calendar(v) => v.to_string(),
        Value::Hash(v) => v.to_string(),
        Value::Recurrence(v) => format!("{v:?}"),
        Value::Option(_) | Value::List(_) | Value::Record(_) | Value::Enum(_) => format!("{value:?}"),
    }
}
