//! Reading requests strictly: no name twice, no unknown field, no number that is not whole, nothing slow or large.

use super::Api;
use super::problem::{self, Problem};
use axum::body::Bytes;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header;
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;
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
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_value(value(bytes)?).map_err(|error| Problem::new(problem::BAD_FIELD, error))
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
        let media = of(header::CONTENT_TYPE).unwrap_or_default();
        let media = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let most = api.config.body_bytes;
        let too_large = || Problem::new(problem::TOO_LARGE, format!("at most {most} bytes are taken"));
        let told: Option<usize> = of(header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
        if told.is_some_and(|length| length > most) {
            return Err(too_large());
        }
        let body = axum::body::to_bytes(body, most);
        match tokio::time::timeout(api.config.request, body).await {
            Ok(Ok(bytes)) => Ok(Raw { media, bytes }),
            Ok(Err(_)) => Err(too_large()),
            Err(_) => {
                let seconds = api.config.request.as_secs();
                Err(Problem::new(problem::SLOW, format!("the body did not come within {seconds} s")))
            }
        }
    }
}

/// A JSON body.
pub struct Strict<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<Api>> for Strict<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Strict<T>, Problem> {
        let raw = Raw::from_request(request, api).await?;
        if raw.media != "application/json" {
            let why = format!("application/json is needed, `{}` given", raw.media);
            return Err(Problem::new(problem::MEDIA_TYPE, why));
        }
        read(&raw.bytes).map(Strict)
    }
}

/// Parameters of a query; unknown ones and those that stand twice are refused.
pub struct Asked<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Arc<Api>> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Api>) -> Result<Asked<T>, Problem> {
        let query = Query::<T>::try_from_uri(&parts.uri);
        query
            .map(|Query(asked)| Asked(asked))
            .map_err(|error| Problem::new(problem::BAD_QUERY, error.body_text()))
    }
}

/// Parts of a path.
pub struct Part<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<Api>> for Part<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Part<T>, Problem> {
        let part = Path::<T>::from_request_parts(parts, api).await;
        part.map(|Path(part)| Part(part))
            .map_err(|error: PathRejection| Problem::new(problem::BAD_ID, error.body_text()))
    }
}

/// No parameter.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only whether it can be read counts")]
    struct Small {
        a: u8,
        b: Option<String>,
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
