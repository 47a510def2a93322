//! Configuration: one table of keys; a flag counts more than the environment, that more than the file, that more than
//! the default.

use crate::near;
use crate::stop::Stop;
use crate::webhook::Origins;
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;
use tenor_runtime::state::{CACHE_BYTES, CACHE_BYTES_MIN, HISTORY_BYTES, Room};

/// Name of the configuration file in a data folder.
pub const FILE: &str = "node.toml";
const MB: usize = 1024 * 1024;

/// One thing that can be set.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name in the file; `TENOR_` and capitals in the environment, `--` and dashes as a flag.
    pub name: &'static str,
    /// What it is where nobody says.
    pub default: &'static str,
    /// What it is for, with its unit.
    pub doc: &'static str,
}

impl Key {
    /// Its name in the environment.
    pub fn variable(&self) -> String {
        format!("TENOR_{}", self.name.to_uppercase())
    }

    /// Its name as a flag, without the dashes in front.
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }
}

const fn key(name: &'static str, default: &'static str, doc: &'static str) -> Key {
    Key { name, default, doc }
}

/// What the environment of a command may say besides, without `TENOR_`.
const OTHERS: [&str; 8] = ["CONFIG", "NODE", "TOKEN", "TOKEN_FILE", "CA", "CERT", "CERT_KEY", "ROUNDS"];

/// What is said of variables that mean nothing and are near to one that does.
pub fn misspelt(variables: impl Iterator<Item = String>) -> Vec<String> {
    let names: Vec<String> = KEYS.iter().map(|key| key.name.to_uppercase()).collect();
    let known = || names.iter().map(String::as_str).chain(OTHERS);
    let said = |variable: String| {
        let given = variable.strip_prefix("TENOR_")?;
        let meant = if known().any(|name| name == given) { None } else { near::nearest(given, known()) }?;
        Some(format!("`{variable}` in the environment says nothing; did you mean `TENOR_{meant}`?"))
    };
    variables.filter_map(said).collect()
}

/// Every key.
pub const KEYS: &[Key] = &[
    key("data", "./tenor-data", "Data folder."),
    key("listen", "127.0.0.1:8080", "Address of the HTTP API."),
    key("admin_listen", "127.0.0.1:8081", "Address of health and metrics; keep it where only operators are."),
    key("sandbox", "false", "Whether clock and faucet can be moved by request; needs a sandbox chain."),
    key(
        "demo",
        "false",
        "Whether the demo bank is made and its page served at /demo/; a sandbox with `access` open.",
    ),
    key(
        "tls_certificate",
        "",
        "File of the API's certificate with its chain (PEM); without it the API speaks no TLS.",
    ),
    key("tls_key", "", "File of the certificate's key (PEM)."),
    key("tls_clients", "", "File of certificates (PEM) under which clients' certificates count as tokens."),
    key("access", "token", "Who may ask: `token`, or `open` for anybody in a sandbox on a loopback address."),
    key("block_ms", "1000", "Milliseconds from a block to the next while there is something to do."),
    key("block_ms_min", "100", "The same when many transactions wait, or something is due."),
    key("block_full", "256", "Waiting transactions that count as many."),
    key("heartbeat_s", "60", "Seconds after which a block is made though there is nothing to do."),
    key("clock_wait_s", "10", "Seconds that a clock behind the newest block is waited for."),
    key("guard", "", "File of the signer's guard, outside the data folder; a sandbox needs none."),
    key("passphrases", "", "File with the passphrase of sealed keys, or a folder with a file for each key."),
    key("pool_transactions", "20000", "Most transactions that wait."),
    key("pool_mb", "64", "Most megabytes of transactions that wait."),
    key("pool_per_sender", "5000", "Most transactions of one party that wait."),
    key("connections", "4096", "Most connections at the same time."),
    key(
        "waiting_per_customer",
        "32",
        "Most requests of one customer that wait for their turn, whichever tokens are shown.",
    ),
    key("waiting_per_token", "1024", "The same with one token that is no customer's."),
    key("followers", "2048", "Most followers of events at the same time."),
    key("followers_per_customer", "64", "The same of one customer, whichever tokens are shown."),
    key("followers_per_token", "1024", "The same with one token that is no customer's."),
    key(
        "webhook_hosts",
        "",
        "Where webhooks may send: hosts (TLS), `host:port`, or `http://host:port`, with commas between.",
    ),
    key("webhook_ca", "", "File of certificates (PEM) that receivers of webhooks are trusted under."),
    key("webhooks", "64", "Most webhooks."),
    key("webhook_s", "10", "Seconds that a receiver has for an answer."),
    key(
        "webhook_retry_ms",
        "1000",
        "Milliseconds before the second attempt at a message; twice as many before each further one.",
    ),
    key("webhook_retry_h", "72", "Hours after which a webhook that takes nothing is suspended."),
    key("body_kb", "2304", "Largest body of a request, kilobytes."),
    key("head_s", "10", "Seconds in which the head of a request must have come."),
    key("request_s", "30", "Seconds in which a request must have come and be answered, waiting apart."),
    key("wait_s", "60", "Most seconds that `Prefer: wait` waits."),
    key("idle_s", "30", "Seconds that a client may take nothing of an answer before it is cut."),
    key("cache_mb", "", "Megabytes of memory for pages of the state."),
    key("history_mb", "", "Megabytes of memory for the states of the newest blocks."),
    key("log_format", "text", "Form of the log on standard error: `text` or `json`."),
    key("log_level", "info", "Least level of the log: `error`, `warn`, `info`, `debug`, `trace`."),
];

/// Where a value comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// Nobody said.
    Default,
    /// The file.
    File(PathBuf),
    /// The environment.
    Environment,
    /// A flag.
    Flag,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => f.write_str("default"),
            Source::File(path) => write!(f, "file {}", path.display()),
            Source::Environment => f.write_str("environment"),
            Source::Flag => f.write_str("flag"),
        }
    }
}

/// Every key's value and where it comes from.
#[derive(Clone, Debug)]
pub struct Settings(BTreeMap<&'static str, (String, Source)>);

fn known(name: &str) -> Result<&'static Key, Stop> {
    let found = KEYS.iter().find(|key| key.name == name);
    found.ok_or_else(|| {
        Stop::Config(format!("there is no key `{name}`{}", near::hint(name, KEYS.iter().map(|key| key.name))))
    })
}

impl Settings {
    /// Values by flags, environment and file. The file is the one named, else `node.toml` in the data folder where there
    /// is one.
    ///
    /// # Errors
    /// [`Stop::Config`] for a key that there is not, naming the nearest, and a file that cannot be read.
    pub fn collect(
        flags: &BTreeMap<String, String>,
        environment: impl Fn(&str) -> Option<String>,
        file: Option<&Path>,
    ) -> Result<Settings, Stop> {
        let mut values: BTreeMap<_, _> =
            KEYS.iter().map(|key| (key.name, (key.default.to_string(), Source::Default))).collect();
        let mut over = BTreeMap::new();
        for key in KEYS {
            if let Some(value) = environment(&key.variable()) {
                over.insert(key.name, (value, Source::Environment));
            }
        }
        for (name, value) in flags {
            over.insert(known(name)?.name, (value.clone(), Source::Flag));
        }
        let data = over.get("data").map_or(KEYS[0].default, |(value, _)| value.as_str());
        let beside = Path::new(data).join(FILE);
        if let Some(path) = file.or(beside.exists().then_some(beside.as_path())) {
            values.extend(read(path)?);
        }
        values.extend(over);
        Ok(Settings(values))
    }

    /// Key, value and source of everything, in the order of the table.
    pub fn rows(&self) -> Vec<(&'static Key, &str, &Source)> {
        let row =
            |key: &'static Key| self.0.get(key.name).map(|(value, source)| (key, value.as_str(), source));
        KEYS.iter().filter_map(row).collect()
    }

    fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", |(value, _)| value.as_str())
    }

    fn is_default(&self, name: &str) -> bool {
        self.0.get(name).is_none_or(|(_, source)| *source == Source::Default)
    }

    fn wrong(&self, name: &str, expected: &str) -> Stop {
        let source = self.0.get(name).map_or(String::new(), |(_, source)| source.to_string());
        Stop::Config(format!("`{name}` is {expected}, `{}` given ({source})", self.text(name)))
    }

    fn value<T: FromStr>(&self, name: &str, expected: &str) -> Result<T, Stop> {
        self.text(name).parse().map_err(|_| self.wrong(name, expected))
    }

    fn count(&self, name: &str, least: u64, most: u64) -> Result<u64, Stop> {
        let expected = format!("a number {least}..={most}");
        let count: u64 = self.value(name, &expected)?;
        if (least..=most).contains(&count) { Ok(count) } else { Err(self.wrong(name, &expected)) }
    }

    fn megabytes(&self, name: &str, default: usize, least: usize) -> Result<usize, Stop> {
        match self.text(name) {
            "" => Ok(default),
            _ => Ok(self.count(name, (least / MB) as u64, 1 << 20)? as usize * MB),
        }
    }

    fn one_of<'a>(&'a self, name: &str, possible: &[&str]) -> Result<&'a str, Stop> {
        let given = self.text(name);
        if possible.contains(&given) {
            return Ok(given);
        }
        let near = near::hint(given, possible.iter().copied());
        Err(self.wrong(name, &format!("one of {}{near}", possible.join(", "))))
    }
}

fn read(path: &Path) -> Result<BTreeMap<&'static str, (String, Source)>, Stop> {
    let wrong = |why: &dyn fmt::Display| Stop::Config(format!("{}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
    let table: toml::Table =
        text.parse().map_err(|error: toml::de::Error| wrong(&error.to_string().trim()))?;
    let mut values = BTreeMap::new();
    for (name, value) in table {
        let key = known(&name).map_err(|stop| match stop {
            Stop::Config(why) => wrong(&why),
            other => other,
        })?;
        let value = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Boolean(truth) => truth.to_string(),
            other => {
                return Err(wrong(&format!(
                    "`{name}` is a text, a number or a truth, {} given",
                    other.type_str()
                )));
            }
        };
        values.insert(key.name, (value, Source::File(path.into())));
    }
    Ok(values)
}

/// A configuration file that says nothing but the defaults, each with what it is for.
pub fn template() -> String {
    let mut text = String::from(
        "# What a node is told. A flag counts more than the environment, that more than this file.\n",
    );
    for key in KEYS.iter().filter(|key| key.name != "data") {
        text += &format!("\n# {}\n# {} = \"{}\"\n", key.doc, key.name, key.default);
    }
    text
}

/// Who may ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Whoever shows a token.
    Token,
    /// Anybody, in a sandbox.
    Open,
}

/// What a node is told, checked.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the table of keys says what each is")]
pub struct Config {
    pub data: PathBuf,
    pub listen: SocketAddr,
    pub admin_listen: SocketAddr,
    pub sandbox: bool,
    pub demo: bool,
    pub tls: Option<(PathBuf, PathBuf)>,
    pub tls_clients: Option<PathBuf>,
    pub access: Access,
    pub block: Duration,
    pub block_min: Duration,
    pub block_full: usize,
    pub heartbeat: Duration,
    pub clock_wait: Duration,
    pub guard: Option<PathBuf>,
    pub passphrases: Option<PathBuf>,
    pub pool_transactions: usize,
    pub pool_bytes: usize,
    pub pool_per_sender: usize,
    pub connections: usize,
    pub waiting_per_customer: usize,
    pub waiting_per_token: usize,
    pub followers: usize,
    pub followers_per_customer: usize,
    pub followers_per_token: usize,
    pub webhook_hosts: Origins,
    pub webhook_ca: Option<PathBuf>,
    pub webhooks: usize,
    pub webhook_time: Duration,
    pub webhook_retry: Duration,
    pub webhook_retry_max: Duration,
    pub body_bytes: usize,
    pub head: Duration,
    pub request: Duration,
    pub wait_max: Duration,
    pub idle: Duration,
    pub room: Room,
    pub log_json: bool,
    pub log_level: String,
}

impl Config {
    /// The values that the node runs with.
    ///
    /// # Errors
    /// [`Stop::Config`] for a value that is none of the key, naming what was given and what is possible.
    pub fn of(settings: &Settings) -> Result<Config, Stop> {
        let address =
            |name| settings.value::<SocketAddr>(name, "an address with a port, like 127.0.0.1:8080");
        let seconds = |name, least, most| settings.count(name, least, most).map(Duration::from_secs);
        let millis = |name| settings.count(name, 1, 600_000).map(Duration::from_millis);
        let count = |name, most| settings.count(name, 1, most).map(|count| count as usize);
        let path = |name| Some(settings.text(name)).filter(|path| !path.is_empty()).map(PathBuf::from);
        let demo: bool = settings.value("demo", "true or false")?;
        // The demo's page asks without a token for what a bank's own server would ask; where nobody says, it may.
        let open_by_demo = demo && settings.is_default("access");
        let config = Config {
            data: PathBuf::from(settings.text("data")),
            listen: address("listen")?,
            admin_listen: address("admin_listen")?,
            sandbox: settings.value("sandbox", "true or false")?,
            demo,
            tls: path("tls_certificate").zip(path("tls_key")),
            tls_clients: path("tls_clients"),
            access: match settings.one_of("access", &["token", "open"])? {
                "open" => Access::Open,
                _ if open_by_demo => Access::Open,
                _ => Access::Token,
            },
            block: millis("block_ms")?,
            block_min: millis("block_ms_min")?,
            block_full: count("block_full", 1_000_000)?,
            heartbeat: seconds("heartbeat_s", 1, 86_400)?,
            clock_wait: seconds("clock_wait_s", 0, 86_400)?,
            guard: path("guard"),
            passphrases: path("passphrases"),
            pool_transactions: count("pool_transactions", 10_000_000)?,
            pool_bytes: count("pool_mb", 65_536)? * MB,
            pool_per_sender: count("pool_per_sender", 10_000_000)?,
            connections: count("connections", 1_000_000)?,
            waiting_per_customer: count("waiting_per_customer", 1_000_000)?,
            waiting_per_token: count("waiting_per_token", 1_000_000)?,
            followers: count("followers", 1_000_000)?,
            followers_per_customer: count("followers_per_customer", 1_000_000)?,
            followers_per_token: count("followers_per_token", 1_000_000)?,
            webhook_hosts: settings
                .value("webhook_hosts", "hosts like hooks.bank.example, with commas between")?,
            webhook_ca: path("webhook_ca"),
            webhooks: count("webhooks", 1_000)?,
            webhook_time: seconds("webhook_s", 1, 60)?,
            webhook_retry: millis("webhook_retry_ms")?,
            webhook_retry_max: settings
                .count("webhook_retry_h", 1, 720)
                .map(|h| Duration::from_secs(h * 3_600))?,
            body_bytes: count("body_kb", 65_536)? * 1024,
            head: seconds("head_s", 1, 600)?,
            request: seconds("request_s", 1, 600)?,
            wait_max: seconds("wait_s", 1, 600)?,
            idle: seconds("idle_s", 1, 600)?,
            room: Room {
                cache_bytes: settings.megabytes("cache_mb", CACHE_BYTES, CACHE_BYTES_MIN)?,
                history_bytes: settings.megabytes("history_mb", HISTORY_BYTES, 0)?,
            },
            log_json: settings.one_of("log_format", &["text", "json"])? == "json",
            log_level: settings.one_of("log_level", &["error", "warn", "info", "debug", "trace"])?.into(),
        };
        config.check()?;
        let given = |name| !settings.text(name).is_empty();
        if given("tls_certificate") != given("tls_key") || given("tls_clients") && config.tls.is_none() {
            return Err(Stop::Config(
                "`tls_certificate` and `tls_key` go together, and `tls_clients` with them".into(),
            ));
        }
        Ok(config)
    }

    fn check(&self) -> Result<(), Stop> {
        if self.demo && !(self.sandbox && self.access == Access::Open) {
            return Err(Stop::Config("`demo` needs `sandbox`, and `access` to be `open`".into()));
        }
        if self.access == Access::Open && !(self.sandbox && self.listen.ip().is_loopback()) {
            let why = "`access` is `open`, which a sandbox on a loopback address alone may be: set `sandbox`, or make a \
                       token with `tenor node token new`";
            return Err(Stop::Config(why.into()));
        }
        if self.webhook_hosts.needs_tls() && self.webhook_ca.is_none() {
            return Err(Stop::Config(
                "`webhook_hosts` names a host with TLS, and `webhook_ca` no certificates to trust it under"
                    .into(),
            ));
        }
        if self.block_min > self.block {
            return Err(Stop::Config("`block_ms_min` is at most `block_ms`".into()));
        }
        if self.guard.as_ref().is_some_and(|guard| guard.starts_with(&self.data)) {
            return Err(Stop::Config(
                "`guard` lies outside the data folder, or a backup would bring it back".into(),
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(
        flags: &[(&str, &str)],
        environment: &[(&str, &str)],
        file: Option<&str>,
    ) -> Result<Settings, Stop> {
        let folder = tempfile::tempdir().unwrap();
        let path = file.map(|text| {
            let path = folder.path().join(FILE);
            std::fs::write(&path, text).unwrap();
            path
        });
        let flags = flags.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let environment = |name: &str| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string())
        };
        Settings::collect(&flags, environment, path.as_deref())
    }

    #[test]
    fn a_flag_beats_the_environment_beats_the_file_beats_the_default() {
        let file = Some("block_ms = 4\nheartbeat_s = 5\nlisten = \"127.0.0.1:1\"\n");
        let settings =
            collect(&[("block_ms", "2")], &[("TENOR_BLOCK_MS", "3"), ("TENOR_HEARTBEAT_S", "6")], file)
                .unwrap();
        let of = |name| settings.rows().into_iter().find(|(key, ..)| key.name == name).unwrap();
        assert_eq!((of("block_ms").1, of("block_ms").2), ("2", &Source::Flag));
        assert_eq!((of("heartbeat_s").1, of("heartbeat_s").2), ("6", &Source::Environment));
        assert_eq!(of("listen").1, "127.0.0.1:1");
        assert_eq!((of("wait_s").1, of("wait_s").2), ("60", &Source::Default));
    }

    #[test]
    fn a_variable_that_is_near_to_another_is_named() {
        let said = |name: &str| misspelt([name.to_string()].into_iter()).pop();
        let meant = "`TENOR_BLOK_MS` in the environment says nothing; did you mean `TENOR_BLOCK_MS`?";
        assert_eq!(said("TENOR_BLOK_MS").as_deref(), Some(meant));
        for name in ["TENOR_BLOCK_MS", "TENOR_TOKEN", "TENOR_SERVICE_HOST", "TENOR_PORT_8080_TCP", "BLOK_MS"]
        {
            assert_eq!(said(name), None, "{name}");
        }
    }

    #[test]
    fn what_is_wrong_says_what_is_possible() {
        let said = |flags: &[(&str, &str)], file| match collect(flags, &[], file).and_then(|s| Config::of(&s))
        {
            Ok(_) => "nothing".to_string(),
            Err(stop) => stop.to_string(),
        };
        let cases = [
            (said(&[("block_sm", "1")], None), "there is no key `block_sm`; did you mean `block_ms`?"),
            (said(&[], Some("listn = \"x\"")), "there is no key `listn`; did you mean `listen`?"),
            (said(&[("block_ms", "0")], None), "`block_ms` is a number 1..=600000, `0` given (flag)"),
            (said(&[("listen", "here")], None), "an address with a port"),
            (said(&[("access", "opne")], None), "did you mean `open`?"),
            (said(&[("access", "open")], None), "a sandbox on a loopback address alone"),
            (said(&[("demo", "true")], None), "`demo` needs `sandbox`"),
            (
                said(&[("demo", "true"), ("sandbox", "true"), ("access", "token")], None),
                "`access` to be `open`",
            ),
            (said(&[("guard", "./tenor-data/guard")], None), "outside the data folder"),
            (said(&[("tls_key", "key.pem")], None), "go together"),
            (said(&[("tls_clients", "ca.pem")], None), "go together"),
            (said(&[("webhook_hosts", "a.example/path")], None), "hosts like hooks.bank.example"),
            (said(&[("webhook_hosts", "a.example")], None), "no certificates to trust"),
            (said(&[], Some("block_ms = 1.5")), "a text, a number or a truth, float given"),
            (said(&[], Some("block_ms = ")), "node.toml"),
        ];
        for (said, expected) in cases {
            assert!(said.contains(expected), "{said} lacks {expected}");
        }
        assert_eq!(said(&[], Some(&template())), "nothing");
    }
}
