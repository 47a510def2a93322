//! Problems: every answer that says no, as RFC 9457 has it, with what was given, what is possible and whether trying
//! again helps.

use crate::view::Missing;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value as Document, json};
use std::fmt::Display;
use tenor_runtime::execute::Rejection;
use tenor_runtime::fault::Fault;
use tenor_wire::tx::FormError;

/// A kind of problem.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Code {
    /// Its name, stable.
    pub name: &'static str,
    /// Status of the answer.
    pub status: u16,
    /// In a few words.
    pub title: &'static str,
    /// What it means and what to do.
    pub doc: &'static str,
    /// Whether the same request may succeed later.
    pub retry: bool,
}

macro_rules! codes {
    ($($constant:ident $name:literal $status:literal $retry:literal $title:literal $doc:literal;)*) => {
        $(#[doc = $doc] pub const $constant: Code =
            Code { name: $name, status: $status, title: $title, doc: $doc, retry: $retry };)*
        /// Every kind of problem.
        pub const CODES: &[Code] = &[$($constant),*];
    };
}

codes! {
    MALFORMED "malformed" 400 false "The request is not HTTP as this node takes it"
        "The request line or a header is not as RFC 9112 has it, `Host` is missing, a header that says one thing stands twice, or the body is shorter than its `Content-Length`. The connection ends.";
    NOT_JSON "not_json" 400 false "The body is not JSON as this API takes it"
        "The body is not JSON, a name stands twice in an object, a number is not whole, or it nests too deep. Amounts are texts like \"12.50 EUR\", never numbers.";
    BAD_FIELD "bad_field" 400 false "A field cannot be used"
        "A field is missing, unknown, or of another kind than its name says. The detail names it and what was expected.";
    BAD_QUERY "bad_query" 400 false "The query cannot be used"
        "A parameter is unknown, stands twice, or is of another kind than its name says.";
    BAD_ID "bad_id" 400 false "That is no id"
        "Ids begin with their kind (acct1…, agr1…, party1…) and end with a checksum: a character is wrong or missing, or it is an id of another kind.";
    BAD_TRANSACTION "bad_transaction" 400 false "The bytes are no transaction"
        "The bytes are not the one form of a transaction. Encode the body that was prepared, unchanged, and add one signature for each signer.";
    UNAUTHENTICATED "unauthenticated" 401 false "Who are you?"
        "A token is needed: `Authorization: Bearer tenor_…`. It is unknown, has ended, or was not sent.";
    NOT_ALLOWED "not_allowed" 403 false "The token does not allow this"
        "The token is known, and what was asked is outside its scopes or not about its party.";
    MISSING "missing" 404 false "There is no such thing"
        "Nothing of this name, or nothing that this token may see.";
    METHOD "method" 405 false "Not with this method"
        "The path is there, the method is not. The header `Allow` says which are.";
    SLOW "slow" 408 true "The request came too slowly"
        "The whole request must come within the node's time. Nothing was done.";
    KEY_TAKEN "key_taken" 409 false "The idempotency key stands for another operation"
        "This party has used the key for something else. Nothing was done now. Use a new key for a new act; send the very same operation to be told its outcome.";
    GONE "gone" 410 false "That state is no longer at hand"
        "The node keeps the states of the newest blocks. Ask for a later height, begin a list anew, or use `tenor prove --at`, which makes older states again.";
    LENGTH "length_needed" 411 false "The body's length is not told"
        "A body comes with one `Content-Length`. In pieces (`Transfer-Encoding`) it is not taken, so that nobody before the node can take its end for another request.";
    TOO_LARGE "too_large" 413 false "The body is too large"
        "The node's limit is in the detail.";
    MEDIA_TYPE "media_type" 415 false "The body is of another kind"
        "JSON is sent as application/json, a signed transaction's bytes as application/octet-stream.";
    URI_TOO_LONG "uri_too_long" 414 false "Path and query are too long"
        "The node's limit is in `possible`. The connection ends.";
    HEAD_TOO_LARGE "head_too_large" 431 false "The headers are too many or too long"
        "The node's limit is in `possible`. The connection ends.";
    OTHER_HOST "other_host" 421 false "The node is not there under this name"
        "A node that asks for no token answers its own machine alone: `Host` is `localhost` or a loopback address. A name that a page elsewhere made lead here is refused. The connection ends.";
    OTHER_CHAIN "other_chain" 422 false "Signed for another chain"
        "The transaction names another chain than this node's. Ask `/v1/network` which this is, and prepare anew.";
    UNKNOWN_KEY "unknown_key" 422 false "A signer has no such key"
        "The party is not known here, or has no key of this number.";
    KEY_ENDED "key_ended" 422 false "A signer's key has ended"
        "The key was revoked or has expired. Sign with another one.";
    SIGNATURE "signature" 422 false "A signature does not hold"
        "It is of other bytes, by another key, or not in the one form that is allowed (s in the lower half of the order). Sign the digest that was prepared.";
    KEY_DAY "key_day" 422 false "The idempotency key's day is not accepted"
        "A key begins with the day it was made. Older days are forgotten and later ones than tomorrow are not there yet: make a new key.";
    WINDOW "window" 422 false "Outside its validity"
        "The transaction may run from one instant until another, and neither was that of the block. Prepare and sign anew, under the same idempotency key.";
    GAS_LIMIT "gas_limit" 422 false "More gas than a transaction may have"
        "Sign for less; `/v1/network` says how much there may be.";
    UNCOMPILED "uncompiled" 422 false "The module was not compiled"
        "It is within the limits of a module, but this node's compiler did not get through with it; nothing is published and the idempotency key is not used. Make its functions smaller.";
    NOT_ADMITTED "not_admitted" 422 false "The operation does not work on this chain"
        "The chain's parameters do not admit it.";
    BAD_FORM "bad_form" 422 false "The transaction breaks a rule of its form"
        "Signers, spending bounds or the validity window are not as they must be; the detail says which.";
    REFUSED "refused" 422 false "The chain refused it"
        "Authority, lifecycle, the ledger or the contract said no, and a receipt says so. Nothing moved, and the idempotency key is used up: a new attempt is a new key.";
    FAILED "failed" 422 false "The contract failed"
        "It ran out of something or trapped, and a receipt says so. Nothing moved, gas was charged, and the idempotency key is used up.";
    VIEW_REFUSED "view_refused" 422 false "The view has no answer"
        "The contract or the chain refused to answer; nothing is written by a view in any case.";
    FULL "full" 429 true "Too much waits"
        "The pool of transactions is full, or this party's share of it. Nothing was replaced. Send the same transaction again after the time in `Retry-After`.";
    BUSY "busy" 429 true "Too much is asked at once"
        "As many requests with this token, or for this customer, wait for their turn as may. Nothing was begun. Ask again after the time in `Retry-After`.";
    TOO_MANY "too_many" 429 true "Too many follow"
        "The node's number of followers is reached, or that of this token or customer: `possible` says which. A stream that was ended is free at once.";
    TOO_MANY_HOOKS "too_many_webhooks" 409 false "Too many webhooks"
        "As many webhooks are there as the operator allows (`webhooks`). Take one away first.";
    BROKEN "broken" 500 true "The node is at fault"
        "Something is wrong here, not with the request. The log says what. Whether a transaction was done is told by asking for it.";
    NOT_YET "not_yet" 503 true "The node is not that far yet"
        "The index of transactions by their ids is still made from the log. Ask again after the time in `Retry-After`, or by party and idempotency key.";
    STOPPING "stopping" 503 true "The node stops"
        "It takes nothing more. What has no outcome yet may be sent again as it is.";
}

/// Most characters that a problem repeats of what was given.
const REPEATED_MAX: usize = 500;

/// The beginning of a text: a problem is never about as long as what it is about.
fn short(text: impl Display) -> String {
    let text = text.to_string();
    match text.char_indices().nth(REPEATED_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// A problem, on its way to whoever asked.
#[derive(Clone, PartialEq, Debug)]
pub struct Problem {
    code: Code,
    detail: String,
    more: serde_json::Map<String, Document>,
    retry_after_s: Option<u64>,
}

impl Problem {
    /// A problem of a kind; the detail says what was wrong with this request.
    pub fn new(code: Code, detail: impl Display) -> Problem {
        Problem { code, detail: short(detail), more: serde_json::Map::new(), retry_after_s: None }
    }

    /// With a member more.
    pub fn with(mut self, name: &str, value: impl Into<Document>) -> Problem {
        self.more.insert(name.into(), value.into());
        self
    }

    /// With what was given and what is possible.
    pub fn given(self, given: impl Display, possible: impl Display) -> Problem {
        self.with("given", short(given)).with("possible", possible.to_string())
    }

    /// With the seconds after which trying again may help.
    pub fn after(mut self, seconds: u64) -> Problem {
        self.retry_after_s = Some(seconds);
        self
    }

    /// A field of a body.
    pub fn field(name: &str, why: impl Display) -> Problem {
        Problem::new(BAD_FIELD, format!("`{name}`: {why}")).with("field", name)
    }

    /// The document.
    pub fn document(&self) -> Document {
        let mut document = json!({
            "type": format!("/problems/{}", self.code.name), "title": self.code.title,
            "status": self.code.status, "code": self.code.name, "detail": self.detail,
            "retry": { "helps": self.code.retry, "after_s": self.retry_after_s },
        });
        if let Some(members) = document.as_object_mut() {
            members.extend(self.more.clone());
        }
        document
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.code.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self.document())).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.code == UNAUTHENTICATED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<Missing> for Problem {
    fn from(missing: Missing) -> Problem {
        Problem::new(MISSING, missing)
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Problem {
        match fault {
            Fault::Gone { .. } => Problem::new(GONE, fault),
            fault => {
                tracing::error!(%fault, "a request met a fault");
                Problem::new(BROKEN, "the log of the node says what is wrong")
            }
        }
    }
}

impl From<anyhow::Error> for Problem {
    fn from(error: anyhow::Error) -> Problem {
        match error.downcast::<Missing>() {
            Ok(missing) => missing.into(),
            Err(error) => match error.downcast::<Fault>() {
                Ok(fault) => fault.into(),
                Err(error) => Fault::State(format!("{error:#}")).into(),
            },
        }
    }
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Problem {
        let code = match &rejection {
            Rejection::Form(FormError::Codec(_) | FormError::Version(_)) => BAD_TRANSACTION,
            Rejection::Form(FormError::Chain { .. }) => OTHER_CHAIN,
            Rejection::Form(_) => BAD_FORM,
            Rejection::OperationNotAdmitted(_) | Rejection::Control(_) => NOT_ADMITTED,
            Rejection::UnknownKey { .. } => UNKNOWN_KEY,
            Rejection::KeyEnded { .. } => KEY_ENDED,
            Rejection::Signature { .. } => SIGNATURE,
            Rejection::Done { .. } | Rejection::KeyTaken { .. } => KEY_TAKEN,
            Rejection::KeyDay { .. } => KEY_DAY,
            Rejection::Window { .. } => WINDOW,
            Rejection::GasLimit { .. } => GAS_LIMIT,
            Rejection::Uncompiled(_) => UNCOMPILED,
        };
        Problem::new(code, rejection)
    }
}
