//! What a request's head must be before anything else of it is looked at, and what is answered where none could be read.

use super::HEADERS;
use super::problem::{self, Code, Problem};
use super::strict::number;
use crate::config::{Access, Config};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HOST, TRANSFER_ENCODING};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderName, StatusCode, Version};
use std::net::IpAddr;

/// Most bytes of a request's path and query.
const URI_BYTES_MAX: usize = 16 * 1024;
/// Most bytes of a request's headers.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// Most headers of a request.
const HEADERS_MAX: usize = 64;
/// Headers that say one thing: two of them would be read one way here and another way before the node.
const ONCE: [HeaderName; 5] = [
    HOST,
    CONTENT_TYPE,
    CONTENT_ENCODING,
    HeaderName::from_static("last-event-id"),
    HeaderName::from_static("idempotency-key"),
];

/// Whether a head can be used.
///
/// # Errors
/// [`problem::URI_TOO_LONG`], [`problem::HEAD_TOO_LARGE`], [`problem::MALFORMED`], [`problem::OTHER_HOST`],
/// [`problem::LENGTH`].
pub fn check(head: &Parts, config: &Config) -> Result<(), Problem> {
    let uri = head.uri.path_and_query().map_or(0, |path| path.as_str().len());
    if uri > URI_BYTES_MAX {
        let why = "path and query are too long";
        return Err(Problem::new(problem::URI_TOO_LONG, why).given(bytes(uri), at_most(URI_BYTES_MAX)));
    }
    let headers = &head.headers;
    let length = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if length > HEAD_BYTES_MAX {
        let why = "the headers are too long";
        return Err(Problem::new(problem::HEAD_TOO_LARGE, why).given(bytes(length), at_most(HEAD_BYTES_MAX)));
    }
    if headers.len() > HEADERS_MAX {
        let (given, possible) = (headers.len(), format!("at most {HEADERS_MAX}"));
        return Err(
            Problem::new(problem::HEAD_TOO_LARGE, "there are too many headers").given(given, possible)
        );
    }
    let malformed = |why: &str| Problem::new(problem::MALFORMED, why);
    if let Some(name) = ONCE.iter().find(|name| headers.get_all(*name).iter().nth(1).is_some()) {
        return Err(malformed(&format!("the header `{name}` stands twice")));
    }
    // RFC 9112, 3.2: exactly one, and a host.
    let host = headers.get(HOST).map(|host| host.to_str().unwrap_or("\0"));
    match host {
        None if head.version == Version::HTTP_11 => return Err(malformed("the header `Host` is needed")),
        Some(host) if !host.is_empty() && named(host).is_none() => {
            return Err(
                malformed("the header `Host` names no host").given(host.escape_debug(), "host or host:port")
            );
        }
        Some(host) if config.access == Access::Open && !is_here(host, config) => {
            let why = "without tokens a node is there for its own machine alone, whatever a name leads to";
            return Err(
                Problem::new(problem::OTHER_HOST, why).given(host.escape_debug(), "localhost or 127.0.0.1")
            );
        }
        _ => {}
    }
    if let Some(scheme) = head.uri.scheme_str().filter(|scheme| !["http", "https"].contains(scheme)) {
        return Err(malformed("the request is for another protocol").given(scheme, "http or https"));
    }
    match headers.contains_key(TRANSFER_ENCODING) {
        true => Err(Problem::new(problem::LENGTH, "send the body with its length")),
        false => Ok(()),
    }
}

/// The host that a header names, without its port; none where it is no host (RFC 9112, 3.2: nobody logs in there).
fn named(host: &str) -> Option<String> {
    let authority: Authority = host.parse().ok()?;
    let port = host.strip_prefix(authority.host())?;
    let is_number = |port: &str| port.is_empty() || number::<u16>(port).is_some();
    let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_number);
    (is_port && !authority.host().is_empty())
        .then(|| authority.host().trim_matches(['[', ']']).to_ascii_lowercase())
}

/// Whether a header names the machine itself: a page from elsewhere whose name was made to lead here says that name.
fn is_here(host: &str, config: &Config) -> bool {
    let Some(host) = named(host) else { return false };
    let address: Option<IpAddr> = host.parse().ok();
    host == "localhost"
        || address.is_some_and(|address| address.is_loopback() || address == config.listen.ip())
}

fn bytes(count: usize) -> String {
    format!("{count} bytes")
}

fn at_most(count: usize) -> String {
    format!("at most {count} bytes")
}

/// Whether there is more to say of a status of hyper's own.
pub fn is_told(status: u16) -> bool {
    unread(status, &[]).is_some()
}

/// Whether bytes end in the middle of a request's first line that is longer than may be.
fn is_long_line(head: &[u8]) -> bool {
    head.iter().take(URI_BYTES_MAX).all(|byte| *byte != b'\n') && head.len() > URI_BYTES_MAX
}

/// Whether bytes begin a request: what hyper refuses behind a whole head it has taken from them.
fn is_head(head: &[u8]) -> bool {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    line.trim_ascii_end().ends_with(b"HTTP/1.1") || line.trim_ascii_end().ends_with(b"HTTP/1.0")
}

/// The problem of a request that could not be read, of which a status is known and what of it was not taken.
fn unread(status: u16, head: &[u8]) -> Option<(Code, &'static str)> {
    Some(match status {
        400 if head.starts_with(b"PRI * HTTP/2") => (problem::MALFORMED, "HTTP/2 is not spoken here"),
        400 => (problem::MALFORMED, "the request is not HTTP/1.1 as RFC 9112 has it"),
        408 => (problem::SLOW, "the request's head did not come within the node's time"),
        414 => (problem::URI_TOO_LONG, "path and query are too long"),
        431 if is_long_line(head) => (problem::URI_TOO_LONG, "path and query are too long"),
        431 if !is_head(head) => (problem::TOO_LARGE, "no body of that `Content-Length` is taken"),
        431 => (problem::HEAD_TOO_LARGE, "there are too many headers, or they are too long"),
        _ => return None,
    })
}

/// A whole answer, as bytes, to what could not be read as a request; the connection ends behind it. None where there is
/// no more to say than the status.
pub fn refusal(status: u16, head: &[u8]) -> Option<Vec<u8>> {
    let (code, detail) = unread(status, head)?;
    let status = code.status;
    let problem = Problem::new(code, detail).with("possible", possible(code));
    let body = problem.document().to_string();
    let reason = StatusCode::from_u16(status).ok()?.canonical_reason().unwrap_or_default();
    let secured: String = HEADERS.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!(
        "HTTP/1.1 {status} {reason}\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\n\
         connection: close\r\n{secured}\r\n",
        body.len()
    );
    Some([head, body].concat().into_bytes())
}

fn possible(code: Code) -> String {
    match code {
        problem::URI_TOO_LONG => at_most(URI_BYTES_MAX),
        problem::HEAD_TOO_LARGE => {
            format!("at most {HEADERS_MAX} headers of {HEAD_BYTES_MAX} bytes together")
        }
        problem::SLOW => "the whole head at once".into(),
        problem::TOO_LARGE => "what the node's limit allows".into(),
        _ => "a method, a path, `HTTP/1.1`, and headers without control characters".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_host_with_a_port_or_without() {
        for (text, host) in [
            ("node", "node"),
            ("NODE.bank.example:8080", "node.bank.example"),
            ("127.0.0.1:1", "127.0.0.1"),
            ("[::1]:65535", "::1"),
            ("x:", "x"),
        ] {
            assert_eq!(named(text).as_deref(), Some(host), "{text}");
        }
        for wrong in ["u:p@node", "node:99999", "node:-1", "node:+1", "a b", "node/x", "::1", ":80"] {
            assert_eq!(named(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_as_a_problem() {
        let (line, path) = (b"GET / HTTP/1.1\r\nx: y", [b'/'; 70_000]);
        for (hypers, head, status) in [
            (400, &b"nonsense"[..], 400),
            (400, b"PRI * HTTP/2.0\r\n", 400),
            (408, line, 408),
            (414, b"", 414),
            (431, line, 431),
            (431, &path, 414),
            (431, b"", 413),
        ] {
            let answer = String::from_utf8(refusal(hypers, head).unwrap()).unwrap();
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
            assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{head}");
            let document: serde_json::Value = serde_json::from_str(body).unwrap();
            assert_eq!(document["status"], status);
        }
        assert_eq!(refusal(200, b""), None);
    }
}
