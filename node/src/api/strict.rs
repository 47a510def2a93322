//! Reading requests strictly: no name twice, no unknown field, no number that is not whole, no list where fields are
//! named, nothing slow or large.

use super::Api;
use super::problem::{self, Problem};
use axum::body::Bytes;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header;
use axum::http::request::Parts;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Levels that a body may nest.
const DEPTH_MAX: usize = 32;

struct Whole {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Whole {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Whole {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without numbers that are not whole")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Err(E::custom(format!(
            "the number {value} is not whole or too large; amounts are texts like \"12.50 EUR\""
        )))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = vec![];
        while let Some(value) = list.next_element_seed(self.inner()?)? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(name) = object.next_key::<String>()? {
            let value = object.next_value_seed(self.inner()?)?;
            if fields.insert(name.clone(), value).is_some() {
                return Err(A::Error::custom(format!("`{name}` stands twice")));
            }
        }
        Ok(fields.into())
    }
}

impl Whole {
    fn inner<E: Error>(&self) -> Result<Whole, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Whole { depth }),
            None => Err(E::custom(format!("it nests deeper than {DEPTH_MAX}"))),
        }
    }
}

/// The value of a body.
///
/// # Errors
/// [`problem::NOT_JSON`].
pub fn value(bytes: &[u8]) -> Result<Value, Problem> {
    let mut from = serde_json::Deserializer::from_slice(bytes);
    let value =
        Whole { depth: DEPTH_MAX }.deserialize(&mut from).and_then(|value| from.end().map(|()| value));
    value.map_err(|error| Problem::new(problem::NOT_JSON, error))
}

/// What a body says.
///
/// # Errors
/// [`problem::NOT_JSON`], [`problem::BAD_FIELD`].
pub fn read<T: DeserializeOwned + Serialize>(bytes: &[u8]) -> Result<T, Problem> {
    let said = value(bytes)?;
    if !said.is_object() {
        let possible = "an object is needed";
        return Err(Problem::field("/", possible).given(&said, possible));
    }
    let bad = |error: serde_json::Error| Problem::new(problem::BAD_FIELD, plain(&error.to_string(), ""));
    let read: T = T::deserialize(&said).map_err(bad)?;
    // What was read, written again, is what was said: serde would also take fields without their names, as a list.
    let again = serde_json::to_value(&read).map_err(bad)?;
    match unlike(&said, &again, "") {
        Some(place) => Err(Problem::field(&place, "an object is needed, a list was given")),
        None => Ok(read),
    }
}

/// What a reader says of what it expected, in the words of this API and without names of the code.
fn plain(said: &str, without: &str) -> String {
    let said = said.strip_prefix(without).unwrap_or(said).replace("variant identifier", "a name");
    let (mut words, mut text) = (said.split(' '), vec![]);
    while let Some(word) = words.next() {
        match word {
            "struct" | "enum" => {
                // The name of a type of ours, behind it.
                let name = words.next().unwrap_or_default();
                let end = name.find(|c: char| !c.is_alphanumeric() && c != ':').unwrap_or(name.len());
                text.push(format!("object{}", &name[end..]));
            }
            "internally" | "tagged" => {}
            "string" | "string," => text.push(word.replace("string", "text")),
            "sequence" | "sequence," => text.push(word.replace("sequence", "list")),
            "map" | "map," => text.push(word.replace("map", "object")),
            word => text.push(word.into()),
        }
    }
    text.join(" ")
}

/// The first place where one value has a list and the other one an object.
fn unlike(said: &Value, again: &Value, at: &str) -> Option<String> {
    match (said, again) {
        (Value::Array(_), Value::Object(_)) => Some(if at.is_empty() { "/".into() } else { at.into() }),
        (Value::Array(said), Value::Array(again)) => {
            let mut places = (0..).zip(said.iter().zip(again));
            places.find_map(|(place, (said, again))| unlike(said, again, &format!("{at}/{place}")))
        }
        (Value::Object(said), Value::Object(again)) => {
            said.iter().find_map(|(name, said)| unlike(said, again.get(name)?, &format!("{at}/{name}")))
        }
        _ => None,
    }
}

/// A body as it came, with its media type.
pub struct Raw {
    /// Without parameters, in small letters.
    pub media: String,
    /// The bytes.
    pub bytes: Bytes,
}

impl FromRequest<Arc<Api>> for Raw {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Raw, Problem> {
        let (parts, body) = request.into_parts();
        if let Some(coding) =
            parts.headers.get(header::CONTENT_ENCODING).filter(|coding| *coding != "identity")
        {
            let coding = String::from_utf8_lossy(coding.as_bytes());
            let why = "a body is sent as it is, without `Content-Encoding`";
            return Err(Problem::new(problem::MEDIA_TYPE, why).given(coding, "identity"));
        }
        let of = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let mut media = of(header::CONTENT_TYPE).unwrap_or_default().split(';').map(str::trim);
        let (media, more) = (media.next().unwrap_or_default().to_ascii_lowercase(), media);
        let mut charsets =
            more.filter_map(|part| part.to_ascii_lowercase().strip_prefix("charset=").map(String::from));
        if let Some(charset) = charsets.find(|charset| charset.trim_matches('"') != "utf-8") {
            let why = "JSON is sent in UTF-8 (RFC 8259, 8.1)";
            return Err(Problem::new(problem::MEDIA_TYPE, why).given(charset, "utf-8"));
        }
        let most = api.config.body_bytes;
        let told: Option<u64> = of(header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
        if let Some(length) = told.filter(|length| *length > most as u64) {
            let why = format!("at most {most} bytes are taken");
            return Err(Problem::new(problem::TOO_LARGE, why).given(length, format!("at most {most}")));
        }
        let body = axum::body::to_bytes(body, most);
        match tokio::time::timeout(api.config.request, body).await {
            Ok(Ok(bytes)) => Ok(Raw { media, bytes }),
            // Its length was told and is not too much: the rest of it will not come.
            Ok(Err(_)) => Err(Problem::new(problem::MALFORMED, "the body ended before its `Content-Length`")),
            Err(_) => {
                let seconds = api.config.request.as_secs();
                Err(Problem::new(problem::SLOW, format!("the body did not come within {seconds} s")))
            }
        }
    }
}

impl Raw {
    /// What a JSON body says.
    ///
    /// # Errors
    /// [`problem::MEDIA_TYPE`], and as [`read`].
    pub fn json<T: DeserializeOwned + Serialize>(&self) -> Result<T, Problem> {
        if self.media != "application/json" {
            let why = format!("application/json is needed, `{}` given", self.media);
            return Err(Problem::new(problem::MEDIA_TYPE, why).given(&self.media, "application/json"));
        }
        read(&self.bytes)
    }
}

/// A JSON body.
pub struct Strict<T>(pub T);

impl<T: DeserializeOwned + Serialize> FromRequest<Arc<Api>> for Strict<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Strict<T>, Problem> {
        Raw::from_request(request, api).await?.json().map(Strict)
    }
}

/// Parameters of a query; unknown ones and those that stand twice are refused.
pub struct Asked<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Arc<Api>> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Api>) -> Result<Asked<T>, Problem> {
        let query = Query::<T>::try_from_uri(&parts.uri);
        query.map(|Query(asked)| Asked(asked)).map_err(|error| {
            let why = plain(&error.body_text(), "Failed to deserialize query string: ");
            let given = parts.uri.query().unwrap_or_default();
            Problem::new(problem::BAD_QUERY, why)
                .given(given, "the parameters that `/openapi.json` lists for this path")
        })
    }
}

/// Parts of a path.
pub struct Part<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<Api>> for Part<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Part<T>, Problem> {
        let part = Path::<T>::from_request_parts(parts, api).await;
        part.map(|Path(part)| Part(part)).map_err(|error: PathRejection| {
            let why = plain(&error.body_text(), "Invalid URL: ");
            Problem::new(problem::BAD_ID, why).given(parts.uri.path(), "a path as `/openapi.json` lists it")
        })
    }
}

/// A number of a path or a query in its one form: digits, without a sign and without zeros before them.
pub struct Number<N>(pub N);

/// The number of a text in its one form.
pub fn number<N: FromStr + ToString>(text: &str) -> Option<N> {
    text.parse().ok().filter(|number: &N| number.to_string() == text)
}

impl<'de, N: FromStr + ToString> Deserialize<'de> for Number<N> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Number<N>, D::Error> {
        let text = String::deserialize(from)?;
        let wrong = || D::Error::custom(format!("`{text}` is no number as 0, 1, 2 are, or too large"));
        number(&text).map(Number).ok_or_else(wrong)
    }
}

/// A number of a query, in the form that one of a path has.
///
/// # Errors
/// When it has another one.
pub fn numbered<'de, N: FromStr + ToString, D: Deserializer<'de>>(from: D) -> Result<Option<N>, D::Error> {
    Number::deserialize(from).map(|Number(number)| Some(number))
}

/// No parameter.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize, Serialize)]
    #[serde(deny_unknown_fields)]
    struct Small {
        a: u8,
        b: Option<String>,
    }

    #[derive(Debug, Deserialize, Serialize)]
    #[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
    enum Tagged {
        One { of: Vec<Small> },
    }

    #[test]
    fn fields_have_their_names_at_every_depth() {
        let said =
            |text: &str| read::<Tagged>(text.as_bytes()).map(|_| ()).map_err(|problem| problem.document());
        assert_eq!(said(r#"{"type":"one","of":[{"a":1}]}"#), Ok(()));
        for (text, place) in [
            (r#"["one",[{"a":1}]]"#, "/"),
            (r#"{"type":"one","of":[{"a":1},[1,null]]}"#, "/of/1"),
            ("null", "/"),
            ("[]", "/"),
        ] {
            let problem = said(text).unwrap_err();
            assert_eq!(
                (problem["code"].as_str(), problem["field"].as_str()),
                (Some("bad_field"), Some(place)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_names_of_the_code() {
        let said = |text: &str| match read::<Tagged>(text.as_bytes()) {
            Ok(_) => "nothing".into(),
            Err(problem) => problem.document()["detail"].as_str().unwrap().to_string(),
        };
        for text in [
            r#"{"type":"one","of":[null]}"#,
            r#"{"type":"one","of":[{"a":1,"b":2}]}"#,
            r#"{"type":"one","of":{}}"#,
        ] {
            let said = said(text);
            let codes = ["struct", "Small", "Tagged", "enum", "string", "sequence", "map"];
            assert!(said.contains("expected") && codes.iter().all(|word| !said.contains(word)), "{said}");
        }
    }

    #[test]
    fn a_number_has_one_form() {
        assert_eq!(number::<u64>("18446744073709551615"), Some(u64::MAX));
        for wrong in ["", "+1", "01", "-0", "1.0", "1e3", " 1", "18446744073709551616"] {
            assert_eq!(number::<u64>(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_not_said_once_and_whole_is_not_taken() {
        let said = |text: &str| match read::<Small>(text.as_bytes()) {
            Ok(small) => format!("{small:?}"),
            Err(problem) => problem.document()["detail"].as_str().unwrap().to_string(),
        };
        let deep = "[".repeat(DEPTH_MAX + 2);
        let cases = [
            (r#"{"a":1}"#, "Small { a: 1, b: None }"),
            (r#"{"a":1,"a":1}"#, "`a` stands twice"),
            (r#"{"a":1.0}"#, "not whole"),
            (r#"{"a":1e2}"#, "not whole"),
            (r#"{"a":99999999999999999999}"#, "too large"),
            (r#"{"a":1,"c":2}"#, "unknown field `c`"),
            (r#"{"a":1} x"#, "trailing characters"),
            (r#"{"a":256}"#, "invalid value"),
            (r#"{}"#, "missing field `a`"),
            ("", "EOF"),
            ("\u{feff}{}", "expected value"),
            (deep.as_str(), "nests deeper"),
        ];
        for (text, expected) in cases {
            assert!(said(text).contains(expected), "{text}: {}", said(text));
        }
    }
}
