//! Words to values and back: what people type and read, by the spec of a contract.

use crate::near;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;
use tenor_abi::id::{AccountId, AgreementId, AssetId, CalendarId, Hash, IdError, PREFIXES, PartyId};
use tenor_abi::money::{Code, Currency, Money};
use tenor_abi::spec::{Basic, CallDef, FieldDef, Spec, TermDef, TypeDef, TypeNumber};
use tenor_abi::text::{self, type_name};
use tenor_abi::value::{self, Value, ValueError};
use tenor_runtime::execute;
use tenor_runtime::params::Limits;
use tenor_wire::hexadecimal::hex;
pub use tenor_wire::shown::show;

/// What a word stands for, asked as `kind:word`: the text of an id for the name of a party, account, asset,
/// agreement or calendar; for `decimals:EUR` the number of decimals that the asset of this code has. Nothing
/// for a word that is not known.
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
/// When the module would not be admitted.
pub fn spec_of(wasm: &[u8]) -> Result<Spec> {
    Ok(execute::admit(wasm, &Limits::sandbox())?)
}

/// Terms in the encoding of a spec; what is not given takes its default.
///
/// # Errors
/// When a name is unknown, a value is of another kind, or one without a default is missing.
pub fn terms(spec: &Spec, given: &Arguments, lookup: &Lookup<'_>) -> Result<Vec<u8>> {
    given.check_known(spec.terms.iter().map(|term| term.name.as_str()))?;
    let value = |term: &TermDef| match (given.0.get(&term.name), text::default_of(spec, term)) {
        (None, Some(default)) => Ok(default),
        (text, _) => field(spec, &term.name, term.ty, text.map(String::as_str), lookup),
    };
    Ok(value::encode_fields(&spec.terms.iter().map(value).collect::<Result<Vec<_>>>()?))
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

/// The value that a text means as a type.
///
/// # Errors
/// Naming what was expected and what was given.
pub fn parse(spec: &Spec, ty: TypeNumber, text: &str, lookup: &Lookup<'_>) -> Result<Value> {
    let expected = || format!("{} expected, `{text}` given", type_name(spec, ty));
    match (Basic::of(ty), spec.own_type(ty)) {
        (None, Some(TypeDef::Option(of))) => {
            Ok(Value::Option(Some(Box::new(parse(spec, *of, text, lookup)?))))
        }
        (None, Some(TypeDef::Enum { variants, .. })) => text::parse(spec, ty, text).map_err(|error| {
            anyhow::anyhow!("{error}{}", near::hint(text, variants.iter().map(String::as_str)))
        }),
        (Some(Basic::Money), _) => Ok(Value::Money(money(text, lookup).with_context(expected)?)),
        (Some(Basic::Currency), _) => {
            let found = currency(text, lookup).with_context(expected)?;
            let unknown = || format!("{}: there is no such asset", expected());
            Ok(Value::Currency(found.with_context(unknown)?))
        }
        (Some(Basic::Party), _) => Ok(Value::Party(id::<PartyId>(lookup, "party", text)?)),
        (Some(Basic::Account), _) => Ok(Value::Account(id::<AccountId>(lookup, "account", text)?)),
        (Some(Basic::Asset), _) => Ok(Value::Asset(id::<AssetId>(lookup, "asset", text)?)),
        (Some(Basic::Agreement), _) => Ok(Value::Agreement(id::<AgreementId>(lookup, "agreement", text)?)),
        (Some(Basic::Calendar), _) => Ok(Value::Calendar(id::<CalendarId>(lookup, "calendar", text)?)),
        _ => Ok(text::parse(spec, ty, text)?),
    }
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

/// A currency by its code, with the decimals that its asset has; nothing where there is no such asset.
fn currency(code: &str, lookup: &Lookup<'_>) -> Result<Option<Currency>> {
    let code: Code = code.parse()?;
    let decimals = lookup(&format!("decimals:{code}"));
    Ok(decimals.map(|scale| scale.parse()).transpose()?.map(|scale| Currency { code, scale }))
}

/// An amount like `12.50 EUR`. Where there is no such asset it has the decimals that are written; no account
/// holds it.
///
/// # Errors
/// When it is none: no currency, too many decimals, too large.
pub fn money(text: &str, lookup: &Lookup<'_>) -> Result<Money> {
    let (amount, code) = text::amount_and_code(text).map_err(anyhow::Error::msg)?;
    match currency(code, lookup)? {
        Some(currency) => Ok(currency.parse(amount)?),
        None => text::money(text).map_err(anyhow::Error::msg),
    }
}

/// The text of a hash that begins with these bytes.
pub fn hash_text(start: &[u8]) -> String {
    let mut bytes = [0; 32];
    bytes[..start.len().min(32)].copy_from_slice(&start[..start.len().min(32)]);
    Hash(bytes).to_string()
}

/// A field as it is shown: its name, what people read, and as JSON.
pub type Told = (String, String, serde_json::Value);

/// What bytes say by a spec, field by field. Where they stand for more values than are made of bytes, there is one field:
/// the bytes as they are.
///
/// # Errors
/// When the bytes are not the fields.
pub fn told_fields<'f>(
    spec: &Spec,
    fields: impl ExactSizeIterator<Item = (&'f str, TypeNumber)>,
    bytes: &[u8],
) -> Result<Vec<Told>, ValueError> {
    let fields: Vec<(&str, TypeNumber)> = fields.collect();
    match value::decode_fields(spec, fields.iter().copied(), bytes) {
        Ok(values) => {
            let told = |((name, ty), value): (&(&str, TypeNumber), &Value)| {
                ((*name).to_string(), show(spec, *ty, value), json(spec, *ty, value))
            };
            Ok(fields.iter().zip(&values).map(told).collect())
        }
        Err(error @ ValueError::Values { .. }) => {
            let (text, document) = as_bytes(bytes, &error);
            Ok(vec![("bytes".into(), text, document)])
        }
        Err(error) => Err(error),
    }
}

/// Bytes that are told as they are, for people and as JSON, and why.
pub fn as_bytes(bytes: &[u8], why: &impl Display) -> (String, serde_json::Value) {
    let (bytes, note) = (hex(bytes), why.to_string());
    (format!("{bytes} ({note})"), serde_json::json!({ "bytes": bytes, "note": note }))
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
        (Value::Text(text), _) => Json::from(text.as_str()),
        _ => Json::String(show(spec, ty, value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenor_abi::spec::{TYPES_OWN, Version};

    #[test]
    fn bytes_that_stand_for_too_many_values_are_shown_as_they_are() {
        let field = |ty: TypeNumber| FieldDef { name: "maybe".into(), ty, doc: String::new() };
        let spec = Spec {
            abi: 0,
            name: "many".into(),
            version: Version { major: 1, minor: 0, patch: 0 },
            doc: String::new(),
            types: vec![
                TypeDef::Option(Basic::U8 as u16),
                TypeDef::Record { name: "Row".into(), fields: vec![field(TYPES_OWN); 128] },
                TypeDef::List(TYPES_OWN + 1),
            ],
            terms: vec![],
            states: vec![],
            schedules: vec![],
            books: vec![],
            storage: vec![],
            calls: vec![],
            errors: vec![],
            events: vec![],
            purposes: vec![],
        };
        let fields = || [("rows", TYPES_OWN + 2)].into_iter();
        let rows = |count: u8| [&[1, count], &vec![0; usize::from(count)][..]].concat();
        let told = told_fields(&spec, fields(), &rows(3)).unwrap();
        assert_eq!((told.len(), told[0].0.as_str()), (1, "rows"));
        let told = told_fields(&spec, fields(), &rows(100)).unwrap();
        let (name, text, document) = &told[0];
        assert_eq!((told.len(), name.as_str()), (1, "bytes"));
        assert!(text.starts_with("016400") && text.ends_with("values, absent fields counted)"), "{text}");
        assert_eq!(document["bytes"], hex(&rows(100)));
        told_fields(&spec, fields(), &[1, 1, 9]).unwrap_err();
    }
}
