//! Values written as texts: the defaults in a spec, and what people enter where no chain is needed to read it.

use crate::money::{Currency, Money, SCALE_MAX};
use crate::spec::{Basic, Spec, TermDef, TypeDef, TypeNumber};
use crate::value::Value;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

/// A text that is no value of a type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TextError {
    /// What the type is called.
    pub expected: String,
    /// What was given.
    pub given: String,
    /// What is wrong with it, where that says more.
    pub why: String,
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} expected, `{}` given", self.expected, self.given)?;
        if self.why.is_empty() { Ok(()) } else { write!(f, ": {}", self.why) }
    }
}

impl core::error::Error for TextError {}

/// Whether a character is none that is seen: it moves the cursor, ends a line, hides, or turns round how others are read.
pub fn is_hidden(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
        || character.is_control()
}

/// A text as one line in which everything is seen: what is not has its number.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match is_hidden(character) {
            true => shown.extend(character.escape_unicode()),
            false => shown.push(character),
        }
    }
    shown
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

/// The value that a text means as a type. An amount has the decimals that are written.
///
/// # Errors
/// [`TextError`]; also for what no text can mean: lists, records, recurrences, a currency without its decimals.
pub fn parse(spec: &Spec, ty: TypeNumber, text: &str) -> Result<Value, TextError> {
    if let Some(TypeDef::Option(of)) = spec.own_type(ty) {
        return Ok(Value::Option(Some(Box::new(parse(spec, *of, text)?))));
    }
    let read = match (Basic::of(ty), spec.own_type(ty)) {
        (Some(basic), _) => parse_basic(basic, text),
        (None, Some(TypeDef::Enum { variants, .. })) => {
            let place = variants.iter().position(|variant| variant.eq_ignore_ascii_case(text));
            place.map(|place| Value::Enum(place as u32)).ok_or_else(String::new)
        }
        _ => Err("it cannot be written as a text".into()),
    };
    read.map_err(|why| TextError { expected: type_name(spec, ty), given: text.into(), why })
}

/// What a term is when nobody says: its default, none for an option without one; nothing where it must be said.
pub fn default_of(spec: &Spec, term: &TermDef) -> Option<Value> {
    match (&term.default, spec.own_type(term.ty)) {
        (Some(text), _) => parse(spec, term.ty, text).ok(),
        (None, Some(TypeDef::Option(_))) => Some(Value::Option(None)),
        (None, _) => None,
    }
}

/// An amount with the decimals that are written: `12.50 EUR` has two.
///
/// # Errors
/// What is wrong with it.
pub fn money(text: &str) -> Result<Money, String> {
    let (amount, code) = amount_and_code(text)?;
    let scale = amount.split_once('.').map_or(0, |(_, part)| part.len());
    let scale = u8::try_from(scale).ok().filter(|scale| *scale <= SCALE_MAX);
    let scale = scale.ok_or_else(|| format!("at most {SCALE_MAX} decimals are possible"))?;
    let code = code.parse().map_err(told)?;
    Currency { code, scale }.parse(amount).map_err(told)
}

/// Number and currency code of an amount like `12.50 EUR`.
///
/// # Errors
/// When there is no code.
pub fn amount_and_code(text: &str) -> Result<(&str, &str), String> {
    let parts = text.trim().split_once(' ').map(|(amount, code)| (amount, code.trim()));
    parts.ok_or_else(|| format!("`{text}` has no currency; write 12.50 EUR"))
}

fn parse_basic(basic: Basic, text: &str) -> Result<Value, String> {
    match basic {
        Basic::Bool => plain(text).map(Value::Bool),
        Basic::U8 => plain(text).map(Value::Byte),
        Basic::U16 => plain::<u16>(text).map(|v| Value::Unsigned(v.into())),
        Basic::U32 => plain::<u32>(text).map(|v| Value::Unsigned(v.into())),
        Basic::U64 => plain::<u64>(text).map(|v| Value::Unsigned(v.into())),
        Basic::U128 => plain(text).map(Value::Unsigned),
        Basic::I64 => plain::<i64>(text).map(|v| Value::Signed(v.into())),
        Basic::I128 => plain(text).map(Value::Signed),
        Basic::Text => Ok(Value::Text(text.into())),
        Basic::Bytes => hex(text).map(Value::Bytes).ok_or_else(String::new),
        Basic::Money => money(text).map(Value::Money),
        Basic::Rate => read(text).map(Value::Rate),
        Basic::Date => read(text).map(Value::Date),
        Basic::Timestamp => read(text).map(Value::Timestamp),
        Basic::DayOfMonth => read(text).map(Value::DayOfMonth),
        Basic::Weekday => read(text).map(Value::Weekday),
        Basic::DayCount => read(text).map(Value::DayCount),
        Basic::Convention => read(text).map(Value::Convention),
        Basic::Party => read(text).map(Value::Party),
        Basic::Account => read(text).map(Value::Account),
        Basic::Asset => read(text).map(Value::Asset),
        Basic::Agreement => read(text).map(Value::Agreement),
        Basic::Calendar => read(text).map(Value::Calendar),
        Basic::Hash => read(text).map(Value::Hash),
        Basic::Currency => Err("its decimals are the asset's and not known here".into()),
        Basic::Unit | Basic::Recurrence => Err("it cannot be written as a text".into()),
    }
}

/// A number or a truth: what the type is called says all there is to say.
fn plain<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| String::new())
}

/// What has rules of its own, with the rule that is broken.
fn read<T: FromStr<Err: fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(told)
}

fn told(error: impl fmt::Display) -> String {
    error.to_string()
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let even = text.len().is_multiple_of(2) && text.is_ascii();
    even.then(|| {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
    })?
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn spec() -> Spec {
        let choice =
            TypeDef::Enum { name: "Rhythm".into(), variants: ["Weekly".into(), "Monthly".into()].into() };
        Spec {
            abi: 0,
            name: String::new(),
            version: crate::spec::Version { major: 1, minor: 0, patch: 0 },
            doc: String::new(),
            types: [choice, TypeDef::Option(Basic::U8 as u16), TypeDef::List(Basic::U8 as u16)].into(),
            terms: Vec::new(),
            states: Vec::new(),
            schedules: Vec::new(),
            books: Vec::new(),
            storage: Vec::new(),
            calls: Vec::new(),
            errors: Vec::new(),
            events: Vec::new(),
            purposes: Vec::new(),
        }
    }

    #[test]
    fn a_text_is_a_value_or_says_what_was_expected() {
        let minor = |minor, scale| Value::Money(Money::new(minor, Currency::of("EUR", scale)));
        let cases = [
            (Basic::U8 as u16, "3", Ok(Value::Byte(3))),
            (Basic::U8 as u16, "256", Err("number 0..=255 expected, `256` given")),
            (Basic::Money as u16, "12.50 EUR", Ok(minor(1250, 2))),
            (Basic::Money as u16, "12 EUR", Ok(minor(12, 0))),
            (Basic::Money as u16, "-0.001 EUR", Ok(minor(-1, 3))),
            (
                Basic::Money as u16,
                "12",
                Err(
                    "amount with currency, like 12.50 EUR expected, `12` given: `12` has no currency; write 12.50 EUR",
                ),
            ),
            (
                Basic::Money as u16,
                "0.0000000000000000001 EUR",
                Err(
                    "amount with currency, like 12.50 EUR expected, `0.0000000000000000001 EUR` given: at most 18 decimals are possible",
                ),
            ),
            (Basic::Bytes as u16, "0aFF", Ok(Value::Bytes([10, 255].into()))),
            (Basic::Bytes as u16, "0", Err("bytes in hexadecimal expected, `0` given")),
            (Basic::Unit as u16, "", Err("nothing expected, `` given: it cannot be written as a text")),
            (64, "monthly", Ok(Value::Enum(1))),
            (64, "yearly", Err("one of Weekly, Monthly expected, `yearly` given")),
            (65, "7", Ok(Value::Option(Some(Box::new(Value::Byte(7)))))),
            (66, "7", Err("list of number 0..=255 expected, `7` given: it cannot be written as a text")),
            (99, "7", Err("an unknown type expected, `7` given: it cannot be written as a text")),
        ];
        for (ty, text, expected) in cases {
            let read = parse(&spec(), ty, text).map_err(|error| error.to_string());
            assert_eq!(read, expected.map_err(String::from), "{ty} {text}");
        }
    }

    #[test]
    fn everything_in_a_text_is_seen() {
        assert_eq!(visible("12.50 EUR für ada"), "12.50 EUR für ada");
        assert_eq!(visible("a\u{1b}]0;x\u{7}\nb\u{202e}c"), "a\\u{1b}]0;x\\u{7}\\u{a}b\\u{202e}c");
    }
}
