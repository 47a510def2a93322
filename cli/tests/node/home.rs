//! A sandbox on the disk, a node over it in a process of its own, and a wallet that signs.

use crate::described::hold;
use serde_json::{Value, json};
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tempfile::TempDir;
use tenor_abi::date::{DAY_MS, Timestamp};
use tenor_abi::id::{AccountId, ChainId, PartyId};
use tenor_cli::folder::Folder;
use tenor_cli::keys::Keys;
use tenor_wire::crypto::SecretKey;
use tenor_wire::hexadecimal::{hex, unhex};
use tenor_wire::op::{Operation, Spend, TransferOp};
use tenor_wire::tx::{Authoriser, BODY_VERSION, Body, IdempotencyKey, Transaction};

/// Exit code and result of a command.
pub fn tenor(words: &[&str]) -> (u8, String) {
    let mut out = Vec::new();
    let words = ["tenor"].iter().chain(words).map(OsString::from);
    let code = tenor_cli::run(words, &mut out);
    (code, String::from_utf8(out).unwrap())
}

#[track_caller]
pub fn done(data: &Path, words: &[&str]) -> Value {
    let data = data.to_str().unwrap();
    let (code, out) = tenor(&[words, &["--json", "--data", data]].concat());
    assert_eq!(code, 0, "{words:?}");
    serde_json::from_str(&out).unwrap()
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => fs::copy(entry.path(), target).map(drop).unwrap(),
        }
    }
}

/// A sandbox with Ada, who has 1,000.00, Bob, who has 500.00, and Ada's standing order to him.
pub fn sandbox() -> (TempDir, PathBuf) {
    static MADE: OnceLock<TempDir> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        done(&data, &["node", "init"]);
        done(&data, &["key", "new", "ada", "--fund", "1000.00 EUR"]);
        done(&data, &["key", "new", "bob", "--fund", "500.00 EUR"]);
        done(&data, &["deploy", "recurring"]);
        let rent = ["open", "standing-order", "--as", "ada", "--name=rent", "payer=ada", "payee=bob"];
        let terms = ["amount=100.00 EUR", "rhythm=monthly", "first=2026-01-10", "day=10"];
        done(&data, &[&rent[..], &terms].concat());
        for (name, scopes, party) in [
            ("bank", &["bank", "submit", "sandbox"][..], None),
            ("ada", &["customer", "submit"][..], Some("ada")),
            ("bob", &["customer", "submit"][..], Some("bob")),
        ] {
            let out = data.join(format!("{name}.token"));
            let mut words = vec!["node", "token", "new", name, "--out", out.to_str().unwrap()];
            scopes.iter().for_each(|scope| words.extend(["--scope", *scope]));
            words.extend(party.iter().flat_map(|party| ["--party", *party]));
            done(&data, &words);
        }
        folder
    });
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    copy(&made.path().join("data"), &data);
    (folder, data)
}

/// A node in a process of its own.
pub struct Node {
    pub child: Child,
    pub api: String,
    pub admin: String,
    pub data: PathBuf,
    agent: ureq::Agent,
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn command(data: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenor"));
    command.args(["node", "run", "--json", "--data"]).arg(data);
    if !words.iter().any(|word| word.starts_with("--listen")) {
        command.arg("--listen=127.0.0.1:0");
    }
    command.args(["--admin-listen=127.0.0.1:0", "--cache-mb=16", "--block-ms=50", "--block-ms-min=5"]);
    command.args(words);
    command
}

pub fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(60)));
    config.build().into()
}

impl Node {
    /// Runs a node and returns when it listens.
    pub fn run(data: &Path, words: &[&str]) -> Node {
        Node::of(command(data, words), data)
    }

    /// Runs a node by a command and returns when it listens.
    pub fn of(mut command: Command, data: &Path) -> Node {
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        Node::spawned(command, data)
    }

    /// The same, with its log as far as it has come.
    pub fn told(mut command: Command, data: &Path) -> (Node, Arc<Mutex<String>>) {
        let (mut log, log_end) = std::io::pipe().unwrap();
        command.stdout(Stdio::piped()).stderr(log_end);
        let node = Node::spawned(command, data);
        let said = Arc::new(Mutex::new(String::new()));
        let to = Arc::clone(&said);
        std::thread::spawn(move || {
            let mut bytes = [0; 4_096];
            while let Ok(count @ 1..) = log.read(&mut bytes) {
                *to.lock().unwrap() += &String::from_utf8_lossy(&bytes[..count]);
            }
        });
        (node, said)
    }

    fn spawned(mut command: Command, data: &Path) -> Node {
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut document = String::new();
        while !document.ends_with('}') {
            document += &lines.next().expect("the node says where it listens").unwrap();
        }
        let at: Value = serde_json::from_str(&document).unwrap();
        let url = |name: &str| format!("http://{}", at[name].as_str().unwrap());
        let (api, admin) = (url("listen"), url("admin_listen"));
        Node { child, api, admin, data: data.into(), agent: agent() }
    }

    pub fn sandbox(data: &Path) -> Node {
        Node::run(data, &["--sandbox"])
    }

    /// Stops it as an operator does, and gives its exit code.
    pub fn stop(mut self) -> Option<i32> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap().code()
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn token(&self, who: &str) -> String {
        fs::read_to_string(self.data.join(format!("{who}.token"))).unwrap()
    }

    pub fn get_as(&self, who: &str, path: &str) -> (u16, Value) {
        self.without_body(who, "get", path, self.agent.get(format!("{}{path}", self.api)))
    }

    pub fn delete_as(&self, who: &str, path: &str) -> (u16, Value) {
        self.without_body(who, "delete", path, self.agent.delete(format!("{}{path}", self.api)))
    }

    fn without_body(
        &self,
        who: &str,
        method: &str,
        path: &str,
        request: ureq::RequestBuilder<ureq::typestate::WithoutBody>,
    ) -> (u16, Value) {
        let mut response =
            request.header("Authorization", format!("Bearer {}", self.token(who))).call().unwrap();
        let bytes = response.body_mut().read_to_vec().unwrap();
        let text = || String::from_utf8_lossy(&bytes).into_owned();
        let answer = serde_json::from_slice(&bytes).unwrap_or_else(|_| Value::String(text()));
        let status = response.status().as_u16();
        hold(method, path, status, &answer);
        (status, answer)
    }

    /// What the bank reads.
    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        let (status, document) = self.get_as("bank", path);
        assert_eq!(status, 200, "{path}: {document}");
        document
    }

    pub fn bytes(&self, path: &str) -> Vec<u8> {
        let request = self.agent.get(format!("{}{path}", self.api));
        let mut response =
            request.header("Authorization", format!("Bearer {}", self.token("bank"))).call().unwrap();
        assert_eq!(response.status().as_u16(), 200, "{path}");
        response.body_mut().read_to_vec().unwrap()
    }

    pub fn post_as(&self, who: &str, path: &str, body: &Value) -> (u16, Value) {
        let request =
            self.agent.post(format!("{}{path}", self.api)).header("Content-Type", "application/json");
        let request = request.header("Authorization", format!("Bearer {}", self.token(who)));
        let mut response = request.header("Prefer", "wait=30").send(body.to_string()).unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        let answer = serde_json::from_str(&text).unwrap_or(Value::String(text));
        let status = response.status().as_u16();
        hold("post", path, status, &answer);
        (status, answer)
    }

    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Value {
        let (status, document) = self.post_as("bank", path, body);
        assert!(status < 300, "{path}: {document}");
        document
    }

    pub fn submit(&self, tx: &Transaction) -> (u16, Value) {
        submit(&self.agent, &self.api, &self.token("bank"), tx).unwrap()
    }

    pub fn metrics(&self) -> String {
        self.agent.get(format!("{}/metrics", self.admin)).call().unwrap().body_mut().read_to_string().unwrap()
    }

    pub fn is_ready(&self) -> bool {
        self.agent
            .get(format!("{}/readyz", self.admin))
            .call()
            .is_ok_and(|answer| answer.status().as_u16() == 200)
    }

    /// What an account holds.
    #[track_caller]
    pub fn balance(&self, name: &str) -> String {
        self.get(&format!("/v1/accounts/{name}"))["balance"].as_str().unwrap().to_string()
    }
}

/// Hands a transaction in and waits for its outcome.
pub fn submit(
    agent: &ureq::Agent,
    api: &str,
    token: &str,
    tx: &Transaction,
) -> Result<(u16, Value), ureq::Error> {
    let request =
        agent.post(format!("{api}/v1/transactions")).header("Content-Type", "application/octet-stream");
    let request = request.header("Authorization", format!("Bearer {token}")).header("Prefer", "wait=30");
    let mut response = request.send(&tx.to_bytes()[..])?;
    let text = response.body_mut().read_to_string()?;
    Ok((response.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::String(text))))
}

/// A party's key, and what it pays from.
pub struct Wallet {
    pub chain: ChainId,
    pub party: PartyId,
    pub account: AccountId,
    pub key: SecretKey,
    pub now: Timestamp,
}

impl Wallet {
    /// The wallet of a name, with the node's chain and time.
    pub fn of(node: &Node, name: &str) -> Wallet {
        let network = node.get("/v1/network");
        let names = Folder::names(&node.data).unwrap();
        Wallet {
            chain: network["chain"].as_str().unwrap().parse().unwrap(),
            party: names.parties[name].parse().unwrap(),
            account: names.accounts[name].parse().unwrap(),
            key: Keys::of(&node.data).get(name).unwrap(),
            now: network["time"].as_str().unwrap().parse().unwrap(),
        }
    }

    pub fn body(&self, to: &AccountId, amount: u128, choice: u64) -> Body {
        let op = TransferOp { from: self.account, to: *to, amount, narrative: None, reference: None };
        let mut twelve = [0; 12];
        twelve[4..].copy_from_slice(&choice.to_be_bytes());
        Body {
            version: BODY_VERSION,
            chain: self.chain,
            authorisers: vec![Authoriser { party: self.party, key: 0 }],
            key: IdempotencyKey::new((self.now.0 / DAY_MS) as u32, twelve),
            valid_from: Timestamp(self.now.0 - DAY_MS / 2),
            valid_until: Timestamp(self.now.0 + DAY_MS / 2),
            gas_limit: 1_000_000,
            spend_max: vec![Spend { account: self.account, amount }],
            operation: Operation::Transfer(op),
        }
    }

    /// A signed payment in cents.
    pub fn pays(&self, to: &AccountId, amount: u128, choice: u64) -> Transaction {
        self.body(to, amount, choice).sign(&[&self.key])
    }

    /// Signs what was prepared, after reading it.
    pub fn sign(&self, prepared: &Value) -> Value {
        let bytes = unhex(prepared["body"].as_str().unwrap()).unwrap();
        let body: Body = tenor_abi::codec::decode(&bytes, 1 << 20).unwrap();
        assert_eq!(hex(&body.id().0), prepared["digest"].as_str().unwrap());
        let signature = self.key.sign(&tenor_abi::id::Hash(body.id().0));
        json!({ "body": prepared["body"], "signatures": [hex(&[signature.r, signature.s].concat())] })
    }
}
