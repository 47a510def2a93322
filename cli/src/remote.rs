//! Commands over a network: what is shown comes from a node, what is signed is made and signed here.
//!
//! A node is never believed about what is signed: the body is built from the words that were typed, and only ids, the
//! decimals of an asset and the spec of a contract are asked for.

use crate::command::Refused;
use crate::folder::{Folder, Names};
use crate::keys::Keys;
use crate::output::Output;
use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tenor_abi::codec;
use tenor_abi::date::{DAY_MS, Timestamp};
use tenor_abi::id::{AccountId, AgreementId, ChainId, CodeHash, PartyId};
use tenor_abi::money::{Currency, Money};
use tenor_abi::spec::{SPEC_BYTES_MAX, Spec};
use tenor_abi::text::amount_and_code;
use tenor_wire::crypto::SecretKey;
use tenor_wire::op::{Operation, Seen, Spend};
use tenor_wire::tx::{Authoriser, BODY_VERSION, Body, IdempotencyKey};
use ureq::Agent;

/// Seconds that an outcome is waited for at a time.
const WAIT_S: u64 = 20;
/// How often the same transaction is handed in until its outcome is known.
const ATTEMPTS: u32 = 5;
/// Longest time of a request.
const REQUEST: Duration = Duration::from_secs(60);
/// Most bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;
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
    #[arg(long, env = "TENOR_TOKEN_FILE", requires = "node", hide_short_help = true)]
    token_file: Option<PathBuf>,
}

impl Remote {
    /// The node, where one is named.
    ///
    /// # Errors
    /// When the file with the token cannot be read.
    pub fn open(&self) -> Result<Option<Node>> {
        let Some(url) = &self.node else { return Ok(None) };
        let token = match &self.token_file {
            Some(path) => {
                Some(std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?)
            }
            None => std::env::var(TOKEN).ok(),
        };
        Ok(Some(Node::at(url, token.map(|token| token.trim().to_string()))))
    }
}

/// A node over the network.
pub struct Node {
    url: String,
    token: Option<String>,
    agent: Agent,
}

/// An account as a node shows it.
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Code of its currency.
    pub currency: String,
}

/// Who signs here.
pub struct Signer {
    party: PartyId,
    key: SecretKey,
}

/// A text as a part of a path.
pub fn part(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~@".contains(&byte);
    let byte = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(byte).collect()
}

impl Node {
    /// The node at a URL.
    pub fn at(url: &str, token: Option<String>) -> Node {
        let config =
            Agent::config_builder().http_status_as_error(false).timeout_global(Some(REQUEST)).build();
        Node { url: url.trim_end_matches('/').into(), token, agent: config.into() }
    }

    /// Prints what a path shows, as document or as text.
    ///
    /// # Errors
    /// When the node cannot be reached or says no.
    pub fn show(&self, path: &str, output: &mut Output<'_>) -> Result<()> {
        if output.is_json() {
            let mut document = self.document(path)?;
            if let Some(fields) = document.as_object_mut() {
                fields.remove("as_of");
            }
            return output.result(&document, "");
        }
        let text = self.get(path, "text/plain")?;
        output.result(&Value::Null, &String::from_utf8(text).context("the answer is no text")?)
    }

    /// The document at a path.
    ///
    /// # Errors
    /// As [`Node::show`].
    pub fn document(&self, path: &str) -> Result<Value> {
        Ok(serde_json::from_slice(&self.get(path, "application/json")?)?)
    }

    fn get(&self, path: &str, accept: &str) -> Result<Vec<u8>> {
        let mut request = self.agent.get(format!("{}{path}", self.url)).header("Accept", accept);
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let mut response = request.call().with_context(|| format!("asking {}", self.url))?;
        let status = response.status().as_u16();
        let bytes = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec()?;
        if status == 200 { Ok(bytes) } else { Err(problem(&bytes, status)) }
    }

    /// An account by name or id.
    ///
    /// # Errors
    /// As [`Node::show`].
    pub fn account(&self, asked: &str) -> Result<Account> {
        let document = self.document(&format!("/v1/accounts/{}", part(asked)))?;
        Ok(Account {
            id: field(&document, "account")?.parse()?,
            currency: field(&document, "currency")?.into(),
        })
    }

    /// An agreement as the node shows it, with the spec of its contract.
    ///
    /// # Errors
    /// As [`Node::show`].
    pub fn agreement(&self, asked: &str) -> Result<(Seen, Spec)> {
        let document = self.document(&format!("/v1/agreements/{}", part(asked)))?;
        let agreement: AgreementId = field(&document, "agreement")?.parse()?;
        let code: CodeHash = field(&document, "code")?.parse()?;
        let version = document["terms_version"].as_u64().and_then(|version| version.try_into().ok());
        let terms_version = version.context("the answer has no version of the terms")?;
        let spec = self.get(&format!("/v1/contracts/{code}/spec"), "application/octet-stream")?;
        Ok((Seen { agreement, code, terms_version }, codec::decode(&spec, SPEC_BYTES_MAX)?))
    }

    /// An amount like `12.50 EUR`, with the decimals that its asset has.
    ///
    /// # Errors
    /// When there is no such asset, or it has fewer decimals.
    pub fn money(&self, text: &str) -> Result<Money> {
        let (amount, code) = amount_and_code(text).map_err(anyhow::Error::msg)?;
        let scale = self.scale(code)?.with_context(|| format!("there is no asset {code} here"))?;
        Ok(Currency { code: code.parse()?, scale }.parse(amount)?)
    }

    fn scale(&self, code: &str) -> Result<Option<u8>> {
        let assets = self.document("/v1/assets?limit=200")?;
        let rows = assets["assets"].as_array().map(Vec::as_slice).unwrap_or_default();
        let found = rows.iter().find(|asset| asset["code"] == code);
        Ok(found.and_then(|asset| asset["scale"].as_u64()).and_then(|scale| scale.try_into().ok()))
    }

    /// What a word stands for, as [`crate::words::Lookup`] asks: a name of the data folder, else the node's.
    pub fn lookup(&self, data: &Path, asked: &str) -> Option<String> {
        if let Some(code) = asked.strip_prefix("decimals:") {
            return self.scale(code).ok()?.map(|scale| scale.to_string());
        }
        names(data).ok()?.lookup(asked)
    }

    /// `account=12.50 EUR` as what a signer allows.
    ///
    /// # Errors
    /// When a word is none, or there is no such account.
    pub fn spends(&self, words: &[String]) -> Result<Vec<Spend>> {
        let one = |word: &String| {
            let (account, amount) = word
                .split_once('=')
                .with_context(|| format!("`{word}` given, `account=12.50 EUR` expected"))?;
            let money = self.money(amount)?;
            let amount = u128::try_from(money.minor).with_context(|| format!("{money} is below zero"))?;
            Ok(Spend { account: self.account(account)?.id, amount })
        };
        words.iter().map(one).collect()
    }

    /// The key of a name in a data folder, and its party; the folder may be in use by the node.
    ///
    /// # Errors
    /// When there is no such key or party.
    pub fn signer(&self, data: &Path, name: &str) -> Result<Signer> {
        let names = names(data)?;
        let party = names.parties.get(name).with_context(|| format!("the key `{name}` is no party's"))?;
        Ok(Signer { party: party.parse()?, key: Keys::of(data).get(name)? })
    }

    /// Signs an operation and hands it in until its outcome is known; the same transaction each time, so that it is
    /// done once. Gives its receipt's figures.
    ///
    /// # Errors
    /// [`Refused`] with the reason, or when the node cannot be reached.
    pub fn submit(
        &self,
        signer: &Signer,
        operation: Operation,
        mut spend_max: Vec<Spend>,
        choice: [u8; 12],
    ) -> Result<Value> {
        let network = self.document("/v1/network")?;
        let (chain, now): (ChainId, Timestamp) =
            (field(&network, "chain")?.parse()?, field(&network, "time")?.parse()?);
        spend_max.sort();
        let body = Body {
            version: BODY_VERSION,
            chain,
            authorisers: vec![Authoriser { party: signer.party, key: 0 }],
            key: IdempotencyKey::new((now.0 / DAY_MS) as u32, choice),
            // The node's clock and its newest block may lie a little apart.
            valid_from: Timestamp(now.0.saturating_sub(DAY_MS / 2)),
            valid_until: Timestamp(now.0 + DAY_MS / 2),
            gas_limit: crate::desk::GAS_LIMIT,
            spend_max,
            operation,
        };
        let bytes = body.sign(&[&signer.key]).to_bytes();
        let mut last = None;
        for _ in 0..ATTEMPTS {
            match self.hand_in(&bytes) {
                Ok(Some(document)) => return Ok(summary(&document)),
                Ok(None) => {}
                Err(error) if is_last(&error) => return Err(error),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| anyhow::anyhow!("no block took it yet")))
            .context("its outcome is not known; type the same with --once to be told, or later")
    }

    /// The outcome, where there is one within the time that the node waits.
    fn hand_in(&self, bytes: &[u8]) -> Result<Option<Value>> {
        let mut request = self
            .agent
            .post(format!("{}/v1/transactions", self.url))
            .header("Content-Type", "application/octet-stream")
            .header("Prefer", format!("wait={WAIT_S}"));
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let mut response = request.send(bytes).with_context(|| format!("asking {}", self.url))?;
        let status = response.status().as_u16();
        let bytes = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec()?;
        match status {
            201 => Ok(Some(serde_json::from_slice(&bytes)?)),
            202 => Ok(None),
            _ => Err(problem(&bytes, status)),
        }
    }
}

/// What a node said no with.
#[derive(Debug, thiserror::Error)]
#[error("{detail}")]
struct Said {
    detail: String,
    retry: bool,
}

/// Whether trying again does not help.
fn is_last(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Said>().is_some_and(|said| !said.retry) || error.downcast_ref::<Refused>().is_some()
}

fn problem(bytes: &[u8], status: u16) -> anyhow::Error {
    let Ok(document) = serde_json::from_slice::<Value>(bytes) else {
        return anyhow::anyhow!("the node answered {status}");
    };
    let detail = document["detail"].as_str().unwrap_or("the node gave no reason").to_string();
    let retry = document["retry"]["helps"] == true;
    match document["code"].as_str() {
        Some("refused" | "failed") => Refused(detail).into(),
        _ => Said { detail, retry }.into(),
    }
}

fn field<'d>(document: &'d Value, name: &str) -> Result<&'d str> {
    document[name].as_str().with_context(|| format!("the answer has no `{name}`"))
}

/// The figures of a receipt as the command prints them.
fn summary(document: &Value) -> Value {
    let fields = ["item", "fate", "code", "gas", "entries", "events"];
    fields
        .iter()
        .map(|name| (name.to_string(), document[*name].clone()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn names(data: &Path) -> Result<Names> {
    if !Folder::exists(data) {
        bail!("{} has no names and keys; --data names the folder that has them", data.display());
    }
    Folder::names(data)
}
