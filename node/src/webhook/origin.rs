//! Where messages may go: to origins that the operator named, and nowhere else.

use hyper::Uri;
use std::fmt;
use std::str::FromStr;

/// Longest URL.
const URL_MAX: usize = 2_048;

/// A scheme, a host and a port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Origin {
    /// Whether TLS is spoken.
    pub tls: bool,
    /// Name or address, in small letters.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, usual) = if self.tls { ("https", 443) } else { ("http", 80) };
        match self.port == usual {
            true => write!(f, "{scheme}://{}", self.host),
            false => write!(f, "{scheme}://{}:{}", self.host, self.port),
        }
    }
}

impl Origin {
    fn of(uri: &Uri) -> Result<Origin, String> {
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err("it begins with https:// or http://".into()),
        };
        let authority = uri.authority().ok_or("it names no host")?;
        if authority.as_str().contains('@') {
            return Err("it names no user and no password".into());
        }
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Origin { tls, host: authority.host().to_ascii_lowercase(), port })
    }
}

impl FromStr for Origin {
    type Err = String;

    /// `host`, `host:port` for TLS, or a whole `http://host:port` or `https://host:port`.
    fn from_str(text: &str) -> Result<Origin, String> {
        let whole = if text.contains("://") { text.to_string() } else { format!("https://{text}") };
        let uri: Uri = whole.parse().map_err(|error| format!("{error}"))?;
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err("an origin has no path".into());
        }
        Origin::of(&uri)
    }
}

/// Where a hook's messages go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// The origin.
    pub origin: Origin,
    /// Path and query.
    pub path: String,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Target, String> {
        if text.len() > URL_MAX {
            return Err(format!("it has at most {URL_MAX} characters"));
        }
        let uri: Uri = text.parse().map_err(|error| format!("{error}"))?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Target { origin: Origin::of(&uri)?, path: path.into() })
    }
}

/// The origins that the operator named.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Origins(Vec<Origin>);

impl FromStr for Origins {
    type Err = String;

    /// Origins with commas between them.
    fn from_str(text: &str) -> Result<Origins, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(str::parse).collect::<Result<_, _>>().map(Origins)
    }
}

impl fmt::Display for Origins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none: the operator sets `webhook_hosts`");
        }
        let all: Vec<String> = self.0.iter().map(Origin::to_string).collect();
        f.write_str(&all.join(", "))
    }
}

impl Origins {
    /// Whether messages may go there.
    pub fn has(&self, origin: &Origin) -> bool {
        self.0.contains(origin)
    }

    /// Whether one of them speaks TLS.
    pub fn needs_tls(&self) -> bool {
        self.0.iter().any(|origin| origin.tls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_named_is_let_through() {
        let origins: Origins =
            "hooks.bank.example, http://127.0.0.1:9000,other.example:8443".parse().unwrap();
        let has = |url: &str| url.parse::<Target>().map(|target| origins.has(&target.origin));
        for url in [
            "https://hooks.bank.example/a?b=c",
            "https://HOOKS.bank.example:443",
            "http://127.0.0.1:9000/x",
            "https://other.example:8443/",
        ] {
            assert_eq!(has(url), Ok(true), "{url}");
        }
        for url in [
            "http://hooks.bank.example/",
            "https://hooks.bank.example:444/",
            "https://hooks.bank.example.evil.example/",
            "https://evil.example/hooks.bank.example",
            "http://127.0.0.1:9001/",
            "https://other.example/",
        ] {
            assert_eq!(has(url), Ok(false), "{url}");
        }
        for url in ["ftp://hooks.bank.example", "/x", "https://a:b@hooks.bank.example/", "", "https://"] {
            assert!(has(url).is_err(), "{url}");
        }
        assert!(format!("https://hooks.bank.example/{}", "x".repeat(3_000)).parse::<Target>().is_err());
        assert!("hooks.bank.example/path".parse::<Origins>().is_err());
        assert_eq!("".parse(), Ok(Origins::default()));
        assert!(origins.needs_tls() && !Origins::default().needs_tls());
        assert_eq!(
            origins.to_string(),
            "https://hooks.bank.example, http://127.0.0.1:9000, https://other.example:8443"
        );
    }
}
