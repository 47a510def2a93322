//! A bank's own chain: its keys are sealed, two persons do what staff does, and nothing is signed twice, whatever
//! folder is brought back.

use crate::home::{Node, Wallet, command, copy, done, tenor};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tenor_abi::codec;
use tenor_abi::date::{DAY_MS, Timestamp};
use tenor_abi::id::{AccountId, Hash, PartyId};
use tenor_cli::folder::Folder;
use tenor_cli::keys::Keys;
use tenor_runtime::state::Room;
use tenor_wire::crypto::SecretKey;
use tenor_wire::hexadecimal::{hex, unhex};
use tenor_wire::op::{AccountKind, AccountOp, KeyDef, KeyRole, Operation, PartyKind, PartyOp, account_id};
use tenor_wire::proof::{Bundle, Checkpoint};
use tenor_wire::tx::Transaction;

pub const DESCRIPTION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/for/bank.toml");

/// Where things of a bank lie.
pub struct Bank {
    _folder: TempDir,
    pub data: PathBuf,
    guard: PathBuf,
    passphrases: PathBuf,
}

impl Bank {
    pub fn found(description: &Path) -> Bank {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let (data, guard, passphrases) = (at("data"), at("guard"), at("passphrases"));
        std::fs::write(&passphrases, "a passphrase of the bank\n").unwrap();
        let bank = Bank { data, guard, passphrases, _folder: folder };
        let words = ["node", "init", "--bank", description.to_str().unwrap()];
        done(&bank.data, &[&words[..], &bank.flags()].concat());
        done(
            &bank.data,
            &["node", "token", "new", "bank", "--scope=bank", "--scope=submit", "--out", &bank.token()],
        );
        bank
    }

    fn token(&self) -> String {
        self.data.join("bank.token").display().to_string()
    }

    fn flags(&self) -> [&str; 4] {
        ["--guard", self.guard.to_str().unwrap(), "--passphrases", self.passphrases.to_str().unwrap()]
    }

    /// A restart or a clock of the folder, and what came of it.
    fn control(&self, data: &Path, words: &[&str]) -> (u8, Value) {
        let rest = ["--json", "--data", data.to_str().unwrap()];
        let (code, out) = tenor(&[&["node"], words, &self.flags(), &rest].concat());
        (code, serde_json::from_str(&out).unwrap_or(Value::Null))
    }

    fn copied(&self, name: &str) -> PathBuf {
        let to = self.data.with_file_name(name);
        copy(&self.data, &to);
        to
    }

    pub fn key(&self, name: &str) -> SecretKey {
        Keys::of(&self.data).opened_by(Some(&self.passphrases)).get(name).unwrap()
    }

    /// Prepares an operation as a member of staff, signs and hands in what came back.
    #[track_caller]
    pub fn does(&self, node: &Node, who: &str, operation: &Value) -> Value {
        let asked = json!({ "signers": [{ "party": who }], "operation": operation });
        let prepared = node.post("/v1/transactions:prepare", &asked);
        let signature = self
            .key(who)
            .sign(&Hash(unhex(prepared["digest"].as_str().unwrap()).unwrap().try_into().unwrap()));
        let signed =
            json!({ "body": prepared["body"], "signatures": [hex(&[signature.r, signature.s].concat())] });
        node.post_as("bank", "/v1/transactions", &signed).1
    }

    /// The proposal of an operation, for a day.
    #[track_caller]
    pub fn proposed(&self, node: &Node, operation: &Value) -> String {
        let now: Timestamp = node.get("/v1/network")["time"].as_str().unwrap().parse().unwrap();
        let until = Timestamp(now.0 + DAY_MS).to_string();
        let proposed = self.does(
            node,
            "olga",
            &json!({ "type": "propose", "operation": operation, "expires_at": until }),
        );
        assert_eq!(proposed["fate"], "done", "{proposed}");
        proposed["made"].as_str().unwrap().into()
    }

    /// What one proposes and another approves.
    #[track_caller]
    pub fn together(&self, node: &Node, operation: Value) -> Value {
        let proposal = self.proposed(node, &operation);
        self.does(node, "piet", &json!({ "type": "approve", "proposal": proposal }))
    }
}

#[test]
fn a_sandbox_s_way_to_make_a_customer_says_what_a_bank_s_is_and_leaves_nothing() {
    let bank = Bank::found(Path::new(DESCRIPTION));
    let node = Node::run(&bank.data, &[]);
    let over = ["--node", &node.api, "--token-file", &bank.token(), "--passphrases", bank.flags()[3]]
        .map(String::from);
    // Of a sandbox's paths there is none, whatever is asked how.
    for path in ["clock", "faucet", "act", "enrol", "force"] {
        let path = format!("/v1/sandbox/{path}");
        assert_eq!(node.get_as("bank", &path).0, 404);
        assert_eq!(node.delete_as("bank", &path).0, 404);
        assert_eq!(node.post_as("bank", &path, &json!({})).0, 404);
    }
    let keys = Keys::of(&bank.data).names().unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tenor"));
    let said = command.args(["key", "new", "dora", "--data"]).arg(&bank.data).args(over).output().unwrap();
    let text = String::from_utf8(said.stderr).unwrap();
    assert!(said.status.code() == Some(1) && text.contains("tenor approve"), "{text}");
    assert_eq!(Keys::of(&bank.data).names().unwrap(), keys);
}

fn bytes(operation: &Operation) -> Value {
    json!({ "type": "bytes", "hex": hex(&codec::encode(operation)) })
}

fn fails(data: &Path, words: &[&str]) -> (Option<i32>, String) {
    let output = command(data, words).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A customer with 100.00, and what they sign with.
pub fn customer(bank: &Bank, node: &Node) -> Wallet {
    let names = Folder::names(&bank.data).unwrap();
    let key = SecretKey::from_bytes(&[42; 32]).unwrap();
    let (home, eur): (PartyId, _) =
        (names.parties["bank"].parse().unwrap(), names.assets["EUR"].parse().unwrap());
    let party = PartyId([7; 32]);
    let account: AccountId = account_id(&party.0, &eur, "main");
    let made = PartyOp {
        party,
        home,
        kind: PartyKind::Person,
        person: Hash([9; 32]),
        name: Hash([8; 32]),
        key: KeyDef { public: key.public(), role: KeyRole::Device, expires_at: None, limits: None },
    };
    let opened = AccountOp {
        owner: party,
        asset: eur,
        purpose: "main".into(),
        floor: 0,
        ceiling: None,
        kind: AccountKind::Plain,
    };
    // One person alone makes no customer.
    let alone = bank.does(node, "olga", &bytes(&Operation::Party(made.clone())));
    assert_eq!(alone["rule"], "FourEyes", "{alone}");
    for operation in [Operation::Party(made), Operation::Account(opened)] {
        let told = bank.together(node, bytes(&operation));
        assert_eq!(told["fate"], "done", "{told}");
    }
    let network = node.get("/v1/network");
    let now = network["time"].as_str().unwrap().parse().unwrap();
    let chain = network["chain"].as_str().unwrap().parse().unwrap();
    Wallet { chain, party, account, key, now }
}

fn proof(node: &Node, told: &Value) -> Bundle {
    let path = format!("/v1/receipts/{}/{}/proof", told["height"], told["index"]);
    Bundle::from_bytes(&node.bytes(&path)).unwrap()
}

fn checkpoint(data: &Path) -> Checkpoint {
    Folder::open(data, Room::default()).unwrap().chain.first_checkpoint().unwrap()
}

#[test]
fn a_bank_lives_on_its_own_chain_and_begins_again_from_a_backup() {
    let bank = Bank::found(Path::new(DESCRIPTION));
    // Every key is sealed, and opens under the passphrase alone.
    for name in Keys::of(&bank.data).names().unwrap() {
        let text = std::fs::read_to_string(bank.data.join(format!("keys/{name}.key"))).unwrap();
        assert!(text.contains("tenor_key") && !text.contains(&hex(&bank.key(&name).to_bytes())), "{name}");
    }
    let (code, said) = fails(&bank.data, &["--passphrases="]);
    assert!(code == Some(10) && said.contains("is sealed"), "{said}");
    let (code, said) = fails(&bank.data, &["--sandbox"]);
    assert!(code == Some(2) && said.contains("the chain in the folder is none"), "{said}");
    // No block is made past the guard.
    let data = bank.data.to_str().unwrap();
    let pays = ["transfer", "funding", "funding", "10.00 EUR", "--as=bank", "--data", data];
    let (code, _) = tenor(&[&pays[..], &bank.flags()[2..]].concat());
    assert_eq!(code, 1);

    // What the configuration names is enough.
    let node = Node::run(&bank.data, &[]);
    assert_eq!(node.get("/v1/network")["sandbox"], false);
    assert_eq!(node.post_as("bank", "/v1/sandbox/clock", &json!({ "to": "2099-01-01" })).0, 404);
    let ada = customer(&bank, &node);
    let names = Folder::names(&bank.data).unwrap();
    let main: AccountId = names.accounts["house"].parse().unwrap();
    let asked = json!({ "type": "transfer", "from": "funding", "to": ada.account.to_string(), "amount": "100.00 EUR" });
    let funded = bank.does(&node, "bank", &asked);
    assert_eq!(funded["fate"], "done", "{funded}");
    assert_eq!(node.stop(), Some(0));
    let old = bank.copied("old");

    let node = Node::run(&bank.data, &["--heartbeat-s=1"]);
    let lost: Transaction = ada.pays(&main, 1, 1);
    let (status, told) = node.submit(&lost);
    assert_eq!(status, 201, "{told}");
    let abandoned = told["height"].as_u64().unwrap();
    assert_eq!(node.stop(), Some(0));

    // The older copy may not sign, and is begun again by two persons who give up what was signed since.
    let (code, said) = fails(&old, &[]);
    assert!(code == Some(13) && said.contains("tenor node restart"), "{said}");
    let newest = Folder::open(&bank.data, Room::default()).unwrap().chain.tip().height;
    assert!(newest >= abandoned);
    let (least, given) = ((newest - 1).to_string(), newest.to_string());
    let both = ["restart", "--as=olga", "--with=piet", "--abandoned"];
    assert_eq!(bank.control(&old, &[&both[..], &[&least]].concat()).0, 1, "the guard signed more");
    assert_eq!(bank.control(&old, &["restart", "--as=olga", "--abandoned", &given]).0, 1, "one is not two");
    assert_eq!(
        bank.control(&old, &["restart", "--as=olga", "--with=quirin", "--abandoned", &given]).0,
        1,
        "not operations"
    );
    let before = checkpoint(&old);
    let (code, again) = bank.control(&old, &[&both[..], &[&given]].concat());
    assert_eq!(code, 0, "{again}");
    assert_ne!(again["chain"], again["before"]);
    let trusted: Checkpoint =
        codec::decode(&unhex(again["checkpoint"].as_str().unwrap()).unwrap(), 1 << 20).unwrap();

    // The folder that was given up may not sign any more; the other one lives on.
    let (code, said) = fails(&bank.data, &[]);
    assert!(code == Some(13) && said.contains("from before a restart"), "{said}");
    let node = Node::run(&old, &["--heartbeat-s=1"]);
    let network = node.get("/v1/network");
    assert_eq!((&network["chain"], &network["restarts"][0]["abandoned"]), (&again["chain"], &json!(newest)));
    let (status, said) = node.submit(&lost);
    assert_eq!((status, &said["code"]), (422, &json!("other_chain")), "{said}");
    let ada = Wallet { chain: network["chain"].as_str().unwrap().parse().unwrap(), ..ada };
    let (status, told) = node.submit(&ada.pays(&main, 1, 1));
    assert_eq!(status, 201, "{told}");
    assert_eq!(node.get(&format!("/v1/accounts/{}", ada.account))["balance"], "99.99");
    // Receipts of before and after are shown under the new beginning; those of after not under the old one.
    proof(&node, &told).verify(&trusted).unwrap();
    proof(&node, &funded).verify(&trusted).unwrap();
    assert!(proof(&node, &told).verify(&before).is_err());
    let shown = bank.data.with_file_name("shown.proof");
    std::fs::write(&shown, proof(&node, &told).to_bytes()).unwrap();
    assert_eq!(node.stop(), Some(0));
    // With the command, too: by the checkpoint that the restart printed, which the folder tells again.
    let begun = again["height"].to_string();
    assert_eq!(done(&old, &["checkpoint", "--at", &begun])["checkpoint"], again["checkpoint"]);
    let by = |checkpoint: &Checkpoint| {
        tenor(&["check", shown.to_str().unwrap(), "--checkpoint", &hex(&codec::encode(checkpoint))]).0
    };
    assert_eq!((by(&trusted), by(&before)), (0, 1));
    let flags = ["--passphrases", bank.passphrases.to_str().unwrap()];
    assert_eq!(done(&old, &[&["verify"], &flags[..]].concat())["trial_balance"]["EUR"]["difference"], "0.00");
    assert_eq!(done(&old, &["doctor"])["findings"], json!([]));
    // Not even the same copy is begun again as the same chain, nor below what was signed meanwhile.
    assert_eq!(bank.control(&bank.data, &["clock", "--as=olga", "--with=piet"]).0, 13);
    std::fs::remove_file(&bank.guard).unwrap();
    let (code, said) = fails(&old, &[]);
    assert!(code == Some(13) && said.contains("restart --lost"), "{said}");
    let (code, third) =
        bank.control(&old, &["restart", "--lost", "--as=piet", "--with=olga", "--abandoned=99"]);
    assert_eq!(code, 0);
    assert_ne!(third["chain"], again["chain"]);
    assert_eq!(Node::run(&old, &[]).stop(), Some(0));
    let backup = bank.data.with_file_name("backup");
    done(&old, &["backup", "create", backup.to_str().unwrap()]);
    let restored = bank.data.with_file_name("restored");
    done(&restored, &["backup", "restore", backup.to_str().unwrap()]);
    done(&restored, &[&["verify"], &flags[..]].concat());
}

#[test]
fn after_a_long_stop_two_persons_name_the_time() {
    let folder = tempfile::tempdir().unwrap();
    let description = folder.path().join("bank.toml");
    let text = std::fs::read_to_string(DESCRIPTION).unwrap();
    std::fs::write(&description, format!("start = \"2026-01-05\"\n{text}")).unwrap();
    let bank = Bank::found(&description);
    let (code, said) = fails(&bank.data, &["--heartbeat-s=1"]);
    assert!(code == Some(12) && said.contains("tenor node clock"), "{said}");
    assert_eq!(bank.control(&bank.data, &["clock", "--as=olga"]).0, 1);
    let (code, told) = bank.control(&bank.data, &["clock", "--as=olga", "--with=piet"]);
    assert_eq!((code, &told["height"]), (0, &json!(1)));
    let node = Node::run(&bank.data, &["--heartbeat-s=1"]);
    assert!(node.is_ready());
    assert_eq!(node.stop(), Some(0));
    let flags = ["--passphrases", bank.passphrases.to_str().unwrap()];
    done(&bank.data, &[&["verify"], &flags[..]].concat());
}

#[test]
fn a_description_that_is_wrong_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(DESCRIPTION).unwrap();
    let passphrases = folder.path().join("passphrases");
    std::fs::write(&passphrases, "a passphrase of the bank\n").unwrap();
    for wrong in [
        text.replace("\"operations\", \"loan_officer\"", "\"loan_officer\""),
        text.replace("roles = [\"compliance\"", "rolls = [\"compliance\""),
        text.replace("asset = \"EUR\"", "asset = \"USD\""),
        text.replace("offset_minutes = 60", "offset_minutes = 9000"),
        text.replace("\"TARGET\"", "\"MOON\""),
        text.replace("name = \"piet\"", "name = \"olga\""),
        text.replace("\"auditor\"]", "\"auditor\"]\nkey = \"02ff\""),
    ] {
        assert_ne!(wrong, text);
        let path = folder.path().join("bank.toml");
        std::fs::write(&path, wrong).unwrap();
        let data = folder.path().join("data");
        let words = ["node", "init", "--bank", path.to_str().unwrap(), "--data", data.to_str().unwrap()];
        let guard = folder.path().join("guard");
        let rest = ["--guard", guard.to_str().unwrap(), "--passphrases", passphrases.to_str().unwrap()];
        assert_eq!(tenor(&[&words[..], &rest].concat()).0, 1);
        assert!(!data.exists() && !guard.exists());
    }
}

#[test]
fn a_copy_of_a_sandbox_is_begun_again_by_one() {
    let (folder, data) = crate::home::sandbox();
    let copied = folder.path().join("copy");
    copy(&data, &copied);
    let tip = Folder::open(&copied, Room::default()).unwrap().chain.tip().clone();
    let height = tip.height.to_string();
    let words = ["node", "restart", "--as=ada", "--abandoned", &height, "--data", copied.to_str().unwrap()];
    assert_eq!(tenor(&words).0, 1, "a customer begins nothing again");
    let again = done(&copied, &["node", "restart", "--as=officer", "--abandoned", &height]);
    assert_eq!(again["before"], tip.chain.to_string());
    let (one, other) = (Node::sandbox(&data), Node::sandbox(&copied));
    let (here, there) = (Wallet::of(&one, "ada"), Wallet::of(&other, "ada"));
    let bob = Wallet::of(&one, "bob").account;
    assert_eq!(one.submit(&here.pays(&bob, 1, 1)).0, 201);
    assert_eq!(other.submit(&here.pays(&bob, 1, 1)).1["code"], "other_chain");
    assert_eq!(other.submit(&there.pays(&bob, 1, 1)).0, 201);
    assert_eq!(one.submit(&there.pays(&bob, 1, 2)).1["code"], "other_chain");
    // What lives on as another chain is proved, listed and followed as before.
    assert_eq!(
        other.get("/v1/accounts/ada/statement")["closing"],
        one.get("/v1/accounts/ada/statement")["closing"]
    );
    assert_eq!(other.get(&format!("/v1/accounts/ada?at={height}"))["balance"], "1000.00");
    assert_eq!((one.stop(), other.stop()), (Some(0), Some(0)));
    done(&copied, &["verify"]);
}
