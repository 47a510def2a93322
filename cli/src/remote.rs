//! A node over the network: its chain is read through [`Source`], what is signed is made and signed here.
//!
//! A node is never believed about what is signed: the body is built from the words that were typed, and only ids, the
//! decimals of an asset and the spec of a contract are read there.

use anyhow::{Context, Result, bail};
use clap::Args;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::CertifiedKey;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tenor_abi::codec;
use tenor_abi::date::Timestamp;
use tenor_node::folder::engine;
use tenor_node::tls::certificates;
use tenor_runtime::chain::{Chain, Genesis, Source};
use tenor_runtime::fault::Fault;
use tenor_runtime::state::Kind;
use tenor_runtime::store::Row;
use tenor_wire::block::{Block, Certificate};
use tenor_wire::hexadecimal::{hex, unhex};
use tenor_wire::proof::{BUNDLE_BYTES_MAX, Bundle, Checkpoint, StateBundle};
use tenor_wire::receipt::FullReceipt;
use tenor_wire::trie::StateProof;
use tenor_wire::tx::Transaction;
use ureq::Agent;
use ureq::tls::{Certificate as Trusted, ClientCert, PrivateKey, RootCerts, TlsConfig, TlsProvider};

/// Seconds that an outcome is waited for at a time.
const WAIT_S: u64 = 20;
/// How often the same transaction is handed in until its outcome is known.
const ATTEMPTS: u32 = 5;
/// Longest time of a request; moving a sandbox's time ahead by years takes a while.
const REQUEST: Duration = Duration::from_secs(600);
/// Most bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Environment variable with the token; in an argument everybody on the machine could read it.
const TOKEN: &str = "TENOR_TOKEN";

/// Where the chain is, if not in the data folder.
#[derive(Clone, Debug, Default, Args)]
pub struct Remote {
    /// URL of a node, like http://127.0.0.1:8080; keys and names still come from the data folder, the token from
    /// TENOR_TOKEN or a file.
    #[arg(long, env = "TENOR_NODE", hide_short_help = true)]
    node: Option<String>,
    /// File with the token.
    #[arg(long, env = "TENOR_TOKEN_FILE", hide_short_help = true)]
    token_file: Option<PathBuf>,
    /// File of certificates (PEM) that the node's is trusted under; the system's where none is named.
    #[arg(long, env = "TENOR_CA", hide_short_help = true)]
    ca: Option<PathBuf>,
    /// File of the certificate, with its chain (PEM), that the node knows who asks by; with --cert-key.
    #[arg(long, env = "TENOR_CERT", hide_short_help = true)]
    cert: Option<PathBuf>,
    /// File of the key of that certificate (PEM).
    #[arg(long, env = "TENOR_CERT_KEY", hide_short_help = true)]
    cert_key: Option<PathBuf>,
}

impl Remote {
    /// The node, where one is named.
    ///
    /// # Errors
    /// When the file with the token, or one with certificates, cannot be read.
    pub fn open(&self) -> Result<Option<Arc<Node>>> {
        let Some(url) = &self.node else { return Ok(None) };
        let token = match &self.token_file {
            Some(path) => {
                Some(std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?)
            }
            None => std::env::var(TOKEN).ok(),
        };
        let config = Agent::config_builder().http_status_as_error(false).timeout_global(Some(REQUEST));
        let config = match url.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://")) {
            true => config.tls_config(self.tls()?),
            false => config,
        };
        Ok(Some(Arc::new(Node {
            url: url.trim_end_matches('/').into(),
            token: token.map(|token| token.trim().to_string()),
            agent: config.build().into(),
        })))
    }

    fn tls(&self) -> Result<TlsConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let trusted = self.ca.clone().map_or_else(systems_authorities, Ok)?;
        let roots = certificates(&trusted)?;
        let roots = roots.iter().map(|root| Trusted::from_der(root).to_owned());
        let client = match (&self.cert, &self.cert_key) {
            (None, None) => None,
            (Some(cert), Some(key)) => {
                let reading = || format!("reading a key from {}", key.display());
                let bytes = std::fs::read(key).with_context(reading)?;
                let chain = certificates(cert)?;
                let der = PrivateKeyDer::from_pem_slice(&bytes).with_context(reading)?;
                CertifiedKey::from_der(chain.clone(), der, &provider).with_context(|| {
                    format!("{} and {} do not belong together", cert.display(), key.display())
                })?;
                let chain: Vec<_> = chain.iter().map(|shown| Trusted::from_der(shown).to_owned()).collect();
                let key = PrivateKey::from_pem(&bytes).with_context(reading)?;
                Some(ClientCert::new_with_certs(&chain, key))
            }
            _ => bail!("--cert and --cert-key go together"),
        };
        let config = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(RootCerts::Specific(Arc::new(roots.collect())));
        Ok(config.client_cert(client).unversioned_rustls_crypto_provider(provider).build())
    }

    /// Says so where a node is named and the command works on a folder alone.
    ///
    /// # Errors
    /// When a node is named.
    pub fn none(&self, instead: &str) -> Result<()> {
        match &self.node {
            None => Ok(()),
            Some(url) => bail!(
                "this is done on a data folder, not over a network, and {url} is named by --node or TENOR_NODE; {instead}"
            ),
        }
    }
}

/// Where systems keep the certificates of the authorities that they trust.
const AUTHORITIES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

fn systems_authorities() -> Result<PathBuf> {
    let found = AUTHORITIES.iter().map(PathBuf::from).find(|path| path.exists());
    found.context("this system names no authorities that it trusts; name a file of them with --ca")
}

/// A node over the network.
pub struct Node {
    url: String,
    token: Option<String>,
    agent: Agent,
}

/// What a node said no with.
#[derive(Debug, thiserror::Error)]
#[error("{detail}")]
struct Said {
    detail: String,
    retry: bool,
    /// The receipt that says so, by its place.
    place: Option<(u64, u32)>,
}

impl Node {
    /// Its chain as of the block of a height, or of the newest one.
    ///
    /// # Errors
    /// When the node cannot be reached, says no, or has no such block.
    pub fn chain(self: &Arc<Node>, height: Option<u64>) -> Result<Chain> {
        let height = match height {
            Some(height) => height,
            None => number(&self.document("/v1/network")?["as_of"]["height"], "height")?,
        };
        let genesis = Genesis::from_bytes(&self.bytes("/v1/genesis")?).context("the genesis document")?;
        let tip = self.checkpoint(height)?.header;
        let source = Standing { node: Arc::clone(self), height, seen: Mutex::default() };
        Ok(Chain::mirror(genesis, tip, Arc::new(source), engine()?))
    }

    /// What a verifier may begin with who believes this node about a block.
    ///
    /// # Errors
    /// As [`Node::chain`].
    pub fn checkpoint(&self, height: u64) -> Result<Checkpoint> {
        let bytes = self.bytes(&format!("/v1/blocks/{height}/checkpoint"))?;
        Ok(codec::decode(&bytes, BUNDLE_BYTES_MAX)?)
    }

    /// What time it has.
    ///
    /// # Errors
    /// As [`Node::chain`].
    pub fn time(&self) -> Result<Timestamp> {
        let network = self.document("/v1/network")?;
        Ok(network["time"].as_str().context("the answer has no `time`")?.parse()?)
    }

    /// The receipt at a place, with all that it says.
    ///
    /// # Errors
    /// As [`Node::chain`].
    pub fn receipt(&self, height: u64, index: u32) -> Result<FullReceipt> {
        Ok(Bundle::from_bytes(&self.bytes(&format!("/v1/receipts/{height}/{index}/proof"))?)?.receipt)
    }

    /// Moves a sandbox's time ahead.
    ///
    /// # Errors
    /// As [`Node::chain`].
    pub fn advance(&self, to: Timestamp) -> Result<()> {
        let body = json!({ "to": to.to_string() }).to_string();
        self.post("/v1/sandbox/clock", "application/json", body.as_bytes()).map(drop)
    }

    /// Hands a transaction in until its outcome is known; the same bytes each time, so that it is done once. Gives its
    /// receipt, which may say no.
    ///
    /// # Errors
    /// When no block may hold it, or the node cannot be reached.
    pub fn submit(&self, tx: &Transaction) -> Result<FullReceipt> {
        let bytes = tx.to_bytes();
        let mut last = None;
        for _ in 0..ATTEMPTS {
            match self.post("/v1/transactions", "application/octet-stream", &bytes) {
                Ok((201, document)) => {
                    let (height, index) = place(&document).context("the answer has no place")?;
                    return self.receipt(height, index);
                }
                Ok(_) => {}
                Err(error) => match error.downcast_ref::<Said>() {
                    Some(Said { place: Some((height, index)), .. }) => return self.receipt(*height, *index),
                    Some(Said { retry: false, .. }) => return Err(error),
                    _ => last = Some(error),
                },
            }
        }
        Err(last.unwrap_or_else(|| anyhow::anyhow!("no block took it yet")))
            .context("its outcome is not known; type the same with --once to be told, or later")
    }

    fn post(&self, path: &str, media: &str, body: &[u8]) -> Result<(u16, Value)> {
        let mut request = self
            .agent
            .post(format!("{}{path}", self.url))
            .header("Content-Type", media)
            .header("Prefer", format!("wait={WAIT_S}"));
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let mut response = request.send(body).with_context(|| format!("asking {}", self.url))?;
        let status = response.status().as_u16();
        let bytes = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec()?;
        match status {
            200..300 => Ok((status, serde_json::from_slice(&bytes)?)),
            _ => Err(problem(&bytes, status)),
        }
    }

    fn document(&self, path: &str) -> Result<Value> {
        Ok(serde_json::from_slice(&self.bytes(path)?)?)
    }

    fn bytes(&self, path: &str) -> Result<Vec<u8>> {
        let mut request = self.agent.get(format!("{}{path}", self.url));
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let mut response = request.call().with_context(|| format!("asking {}", self.url))?;
        let status = response.status().as_u16();
        let bytes = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec()?;
        if status == 200 { Ok(bytes) } else { Err(problem(&bytes, status)) }
    }
}

fn problem(bytes: &[u8], status: u16) -> anyhow::Error {
    let Ok(document) = serde_json::from_slice::<Value>(bytes) else {
        return anyhow::anyhow!("the node answered {status}");
    };
    let detail = document["detail"].as_str().unwrap_or("the node gave no reason").to_string();
    Said { detail, retry: document["retry"]["helps"] == true, place: place(&document["receipt"]) }.into()
}

fn place(document: &Value) -> Option<(u64, u32)> {
    Some((document["height"].as_u64()?, document["index"].as_u64()?.try_into().ok()?))
}

fn number(value: &Value, name: &str) -> Result<u64> {
    value.as_u64().with_context(|| format!("the answer has no `{name}`"))
}

/// A node's chain after one block, which does not change: what was read is kept.
struct Standing {
    node: Arc<Node>,
    height: u64,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    rows: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// Rows that were read ahead, by the key that their range ends before.
    ahead: BTreeMap<Vec<u8>, Ahead>,
    block: Option<(Block, Option<Certificate>)>,
}

/// Every row from a key up to another one, or to the end of the range.
struct Ahead {
    from: Vec<u8>,
    rows: Vec<Row>,
    next: Option<Vec<u8>>,
}

impl Ahead {
    fn covers(&self, from: &[u8]) -> bool {
        self.from.as_slice() <= from && self.next.as_ref().is_none_or(|next| from < next.as_slice())
    }
}

impl Standing {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rows(&self, from: &[u8], end: &[u8]) -> Result<Ahead> {
        let (from_hex, end_hex): (String, String) = (hex(from), hex(end));
        let path = format!("/v1/state?from={from_hex}&end={end_hex}&at={}", self.height);
        let document = self.node.document(&path)?;
        let bytes = |value: &Value| value.as_str().and_then(unhex).context("the answer is no row");
        let rows = document["rows"].as_array().context("the answer has no `rows`")?;
        let rows = rows.iter().map(|row| Ok((bytes(&row["key"])?, bytes(&row["value"])?)));
        let next = &document["next"];
        Ok(Ahead {
            from: from.to_vec(),
            rows: rows.collect::<Result<_>>()?,
            next: if next.is_null() { None } else { Some(bytes(next)?) },
        })
    }

    fn block<T>(&self, height: u64, take: impl Fn(&(Block, Option<Certificate>)) -> T) -> Result<T, Fault> {
        let mut seen = self.seen();
        if let Some(kept) = seen.block.as_ref().filter(|(block, _)| block.header.height == height) {
            return Ok(take(kept));
        }
        let read = || -> Result<(Block, Option<Certificate>)> {
            let bytes = self.node.bytes(&format!("/v1/blocks/{height}/bytes"))?;
            Ok(codec::decode(&bytes, bytes.len())?)
        };
        let read = read().map_err(elsewhere)?;
        let taken = take(&read);
        seen.block = Some(read);
        Ok(taken)
    }
}

fn elsewhere(error: anyhow::Error) -> Fault {
    Fault::Elsewhere(format!("{error:#}"))
}

impl Source for Standing {
    fn get(&self, full_key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        let mut seen = self.seen();
        if let Some(known) = seen.rows.get(full_key) {
            return Ok(known.clone());
        }
        let page = self.rows(full_key, &[full_key, &[0]].concat()).map_err(elsewhere)?;
        let value = page.rows.into_iter().next().map(|(_, value)| value);
        seen.rows.insert(full_key.to_vec(), value.clone());
        Ok(value)
    }

    fn next(&self, from: &[u8], end: &[u8]) -> Result<Option<Row>, Fault> {
        let (mut from, mut seen) = (from.to_vec(), self.seen());
        while from.as_slice() < end {
            if seen.ahead.get(end).is_none_or(|ahead| !ahead.covers(&from)) {
                let ahead = self.rows(&from, end).map_err(elsewhere)?;
                seen.ahead.insert(end.to_vec(), ahead);
            }
            let Some(ahead) = seen.ahead.get(end) else { break };
            let place = ahead.rows.partition_point(|(key, _)| *key < from);
            match (ahead.rows.get(place), &ahead.next) {
                (Some(row), _) => return Ok(Some(row.clone())),
                (None, Some(next)) => from = next.clone(),
                (None, None) => break,
            }
        }
        Ok(None)
    }

    fn prove(&self, full_key: &[u8]) -> Result<Option<StateProof>, Fault> {
        // An account's and an agreement's own proofs are there for whoever may see them.
        let named = match full_key.split_first() {
            Some((kind, id)) if *kind == Kind::Account as u8 => account(id),
            Some((kind, id)) if *kind == Kind::Agreement as u8 => agreement(id),
            _ => None,
        };
        let named = named.unwrap_or_else(|| {
            let key: String = hex(full_key);
            format!("key/{key}")
        });
        let read = || -> Result<StateProof> {
            let bytes = self.node.bytes(&format!("/v1/proofs/{named}?at={}", self.height))?;
            Ok(StateBundle::from_bytes(&bytes)?.proof)
        };
        read().map(Some).map_err(elsewhere)
    }

    fn block(&self, height: u64) -> Result<Option<Block>, Fault> {
        if height > self.height {
            return Ok(None);
        }
        self.block(height, |(block, _)| Some(block.clone()))
    }

    fn certificate(&self, height: u64) -> Result<Option<Certificate>, Fault> {
        self.block(height, |(_, certificate)| certificate.clone())
    }
}

fn account(id: &[u8]) -> Option<String> {
    Some(format!("account/{}", tenor_abi::id::AccountId(id.try_into().ok()?)))
}

fn agreement(id: &[u8]) -> Option<String> {
    Some(format!("agreement/{}", tenor_abi::id::AgreementId(id.try_into().ok()?)))
}
