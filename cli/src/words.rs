//! Words to values and back: what people type and read, by the spec of a contract.

use crate::near;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::str::FromStr;
use tenor_abi::id::{AccountId, AgreementId, AssetId, CalendarId, Hash, IdError, PREFIXES, PartyId};
use tenor_abi::money::{Code, Currency};
use tenor_abi::spec::{Basic, CallDef, FieldDef, Spec, TypeDef, TypeNumber};
use tenor_abi::value::{self, Value};

/// What a name stands for, as the text of an id; nothing for a word that is no name.
pub type Lookup<'l> = dyn Fn(&str) -> Option<String> + 'l;

/// `name=value` pairs.
#[derive(Clone, Debug, Default)]
pub struct Arguments(BTreeMap<String, String>);

impl Arguments {
    /// Pairs as they are.
    pub fn of(pairs: &[(&str, String)]) -> Arguments {
        Arguments(pairs.iter().map(|(name, value)| (name.to_string(), value.clone())).collect())
    }

    /// Pairs as typed: `name=value`.
    ///
    /// # Errors
    /// When a word has no `=`, or a name stands twice.
    pub fn parse(words: &[String]) -> Result<Arguments> {
        let mut pairs = BTreeMap::new();
        for word in words {
            let (name, value) =
                word.split_once('=').with_context(|| format!("`{word}` given, `name=value` expected"))?;
            if pairs.insert(name.to_string(), value.to_string()).is_some() {
                bail!("`{name}` stands twice");
            }
        }
        Ok(Arguments(pairs))
    }

    fn check_known<'n>(&self, known: impl Iterator<Item = &'n str> + Clone) -> Result<()> {
        match self.0.keys().find(|name| !known.clone().any(|known| known == *name)) {
            Some(name) => bail!("there is no `{name}`{}", near::hint(name, known)),
            None => Ok(()),
        }
    }
}

/// The spec in a module.
///
/// # Errors
/// When the module is not admitted or its spec cannot be read.
pub fn spec_of(wasm: &[u8]) -> Result<Spec> {
    let admitted = tenor_runtime::vm::admit(wasm)?;
    Ok(Spec::from_section(&admitted.spec)?)
}

/// Terms in the encoding of a spec; what is not given takes its default.
///
/// # Errors
/// When a name is unknown, a value is of another kind, or one without a default is missing.
pub fn terms(spec: &Spec, given: &Arguments, lookup: &Lookup<'_>) -> Result<Vec<u8>> {
    given.check_known(spec.terms.iter().map(|term| term.name.as_str()))?;
    let values = spec.terms.iter().map(|term| {
        let text = given.0.get(&term.name).or(term.default.as_ref());
        field(spec, &term.name, term.ty, text.map(String::as_str), lookup)
    });
    Ok(value::encode_fields(&values.collect::<Result<Vec<_>>>()?))
}

/// Arguments of a call in the encoding of a spec.
///
/// # Errors
/// As [`terms`].
pub fn arguments(spec: &Spec, call: &CallDef, given: &Arguments, lookup: &Lookup<'_>) -> Result<Vec<u8>> {
    given.check_known(call.arguments.iter().map(|argument| argument.name.as_str()))?;
    let values = call.arguments.iter().map(|argument: &FieldDef| {
        field(spec, &argument.name, argument.ty, given.0.get(&argument.name).map(String::as_str), lookup)
    });
    Ok(value::encode_fields(&values.collect::<Result<Vec<_>>>()?))
}

fn field(spec: &Spec, name: &str, ty: TypeNumber, text: Option<&str>, lookup: &Lookup<'_>) -> Result<Value> {
    match (text, spec.own_type(ty)) {
        (None, Some(TypeDef::Option(_))) => Ok(Value::Option(None)),
        (None, _) => bail!("`{name}` is missing: {}", type_name(spec, ty)),
        (Some(text), _) => parse(spec, ty, text, lookup).with_context(|| format!("`{name}`")),
    }
}

/// What a type is called.
pub fn type_name(spec: &Spec, ty: TypeNumber) -> String {
    match (Basic::of(ty), spec.own_type(ty)) {
        (Some(basic), _) => basic.name().into(),
        (None, Some(TypeDef::Option(of))) => format!("{}, or nothing", type_name(spec, *of)),
        (None, Some(TypeDef::List(of))) => format!("list of {}", type_name(spec, *of)),
        (None, Some(TypeDef::Record { name, .. })) => name.clone(),
        (None, Some(TypeDef::Enum { variants, .. })) => format!("one of {}", variants.join(", ")),
        (None, None) => "an unknown type".into(),
    }
}

/// The value that a text means as a type.
///
/// # Errors
/// Naming what was expected and what was given.
pub fn parse(spec: &Spec, ty: TypeNumber, text: &str, lookup: &Lookup<'_>) -> Result<Value> {
    let expected = || format!("{} expected, `{text}` given", type_name(spec, ty));
    if let Some(own) = spec.own_type(ty) {
        return match own {
            TypeDef::Option(of) => Ok(Value::Option(Some(Box::new(parse(spec, *of, text, lookup)?)))),
            TypeDef::Enum { variants, .. } => {
                let place = variants.iter().position(|variant| variant.eq_ignore_ascii_case(text));
                let hint =
                    || format!("{}{}", expected(), near::hint(text, variants.iter().map(String::as_str)));
                Ok(Value::Enum(place.with_context(hint)? as u32))
            }
            _ => bail!("a {} cannot be typed as an argument", type_name(spec, ty)),
        };
    }
    let basic = Basic::of(ty).with_context(expected)?;
    Ok(match basic {
        Basic::Unit => bail!("nothing is expected here"),
        Basic::Bool => Value::Bool(number(text, expected)?),
        Basic::U8 => Value::Byte(number(text, expected)?),
        Basic::U16 => Value::Unsigned(number::<u16, _>(text, expected)?.into()),
        Basic::U32 => Value::Unsigned(number::<u32, _>(text, expected)?.into()),
        Basic::U64 => Value::Unsigned(number::<u64, _>(text, expected)?.into()),
        Basic::U128 => Value::Unsigned(number(text, expected)?),
        Basic::I64 => Value::Signed(number::<i64, _>(text, expected)?.into()),
        Basic::I128 => Value::Signed(number(text, expected)?),
        Basic::Text => Value::Text(text.into()),
        Basic::Bytes => Value::Bytes(hex(text).with_context(expected)?),
        Basic::Money => Value::Money(money(text).with_context(expected)?),
        Basic::Currency => Value::Currency(currency(text).with_context(expected)?),
        Basic::Rate => Value::Rate(number(text, expected)?),
        Basic::Date => Value::Date(text.parse().with_context(expected)?),
        Basic::Timestamp => Value::Timestamp(text.parse().with_context(expected)?),
        Basic::DayOfMonth => Value::DayOfMonth(text.parse().with_context(expected)?),
        Basic::Weekday => Value::Weekday(number(text, expected)?),
        Basic::DayCount => Value::DayCount(number(text, expected)?),
        Basic::Convention => Value::Convention(number(text, expected)?),
        Basic::Party => Value::Party(id::<PartyId>(lookup, "party", text)?),
        Basic::Account => Value::Account(id::<AccountId>(lookup, "account", text)?),
        Basic::Asset => Value::Asset(id::<AssetId>(lookup, "asset", text)?),
        Basic::Agreement => Value::Agreement(id::<AgreementId>(lookup, "agreement", text)?),
        Basic::Calendar => Value::Calendar(id::<CalendarId>(lookup, "calendar", text)?),
        Basic::Hash => Value::Hash(text.parse::<Hash>().with_context(expected)?),
        Basic::Recurrence => bail!("a recurrence cannot be typed as an argument"),
    })
}

/// A word that names nothing of the kind that was expected; whoever knows the names can add a near one.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{kind} expected, `{text}` given")]
pub struct Unnamed {
    /// `party`, `account`, `asset`, `agreement` or `calendar`.
    pub kind: &'static str,
    /// The word.
    pub text: String,
}

/// The id that a name of a kind stands for, or that the text is.
fn id<T: FromStr<Err = IdError>>(lookup: &Lookup<'_>, kind: &'static str, text: &str) -> Result<T> {
    let known = lookup(&format!("{kind}:{text}"));
    known.as_deref().unwrap_or(text).parse().map_err(|error| {
        let unnamed = Unnamed { kind, text: text.into() };
        // A text that begins like an id was meant as one: what is wrong with it helps more than a name.
        if PREFIXES.iter().any(|prefix| text.starts_with(&format!("{prefix}1"))) {
            anyhow::Error::new(error).context(unnamed.to_string())
        } else {
            unnamed.into()
        }
    })
}

fn number<T: FromStr, M: Fn() -> String>(text: &str, expected: M) -> Result<T> {
    text.parse().ok().with_context(expected)
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let even = text.len().is_multiple_of(2) && text.is_ascii();
    even.then(|| {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
    })?
}

/// Currencies that the command knows the decimals of besides those with two.
fn currency(text: &str) -> Result<Currency> {
    let code: Code = text.parse()?;
    let scale = match text {
        "JPY" | "KRW" | "PTS" => 0,
        "BHD" | "KWD" | "TND" => 3,
        _ => 2,
    };
    Ok(Currency { code, scale })
}

/// An amount like `12.50 EUR`.
///
/// # Errors
/// When it is none: no currency, too many decimals, too large.
pub fn money(text: &str) -> Result<tenor_abi::money::Money> {
    let (amount, code) =
        text.trim().split_once(' ').with_context(|| format!("`{text}` has no currency; write 12.50 EUR"))?;
    Ok(currency(code.trim())?.parse(amount)?)
}

/// The text of a hash that begins with these bytes.
pub fn hash_text(start: &[u8]) -> String {
    let mut bytes = [0; 32];
    bytes[..start.len().min(32)].copy_from_slice(&start[..start.len().min(32)]);
    Hash(bytes).to_string()
}

/// A value as people read it.
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
        Value::Text(v) => v.clone(),
        Value::Bytes(v) => v.iter().map(|b| format!("{b:02x}")).collect(),
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

/// A value as JSON: amounts and large numbers as texts, never as JSON numbers.
pub fn json(spec: &Spec, ty: TypeNumber, value: &Value) -> serde_json::Value {
    use serde_json::Value as Json;
    match (value, spec.own_type(ty)) {
        (Value::Option(None), _) => Json::Null,
        (Value::Option(Some(inner)), Some(TypeDef::Option(of))) => json(spec, *of, inner),
        (Value::List(values), Some(TypeDef::List(of))) => {
            values.iter().map(|value| json(spec, *of, value)).collect()
        }
        (Value::Record(values), Some(TypeDef::Record { fields, .. })) => Json::Object(
            fields
                .iter()
                .zip(values)
                .map(|(field, value)| (field.name.clone(), json(spec, field.ty, value)))
                .collect(),
        ),
        (Value::Bool(truth), _) => Json::Bool(*truth),
        (Value::Byte(number), _) => Json::from(*number),
        _ => Json::String(show(spec, ty, value)),
    }
}
