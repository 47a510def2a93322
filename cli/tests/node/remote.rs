//! The command over a network: the same output as on the folder itself, whatever is typed.

use crate::home::{Node, sandbox, tenor};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn over(node: &Node, data: &Path, words: &[&str]) -> (u8, String) {
    let token = data.join("bank.token");
    let more =
        ["--node", &node.api, "--token-file", token.to_str().unwrap(), "--data", data.to_str().unwrap()];
    tenor(&[words, &more].concat())
}

/// A text without what chance and clocks put into it: ids of what is made, and times.
fn plain(text: &str) -> String {
    let kinds = ["tx1", "hold1", "prop1", "proposal1", "party1", "acct1", "agr1", "due1", "asset1", "hash1"];
    let mut lines = vec![];
    for line in text.lines() {
        let mut words = vec![];
        for word in line.split(' ') {
            let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
            let id = kinds.iter().find(|kind| bare.starts_with(**kind) && bare.len() > 30);
            let time = bare.len() >= 19 && bare.get(10..11) == Some("T") && bare.get(4..5) == Some("-");
            match (id, time) {
                (Some(kind), _) => words.push(word.replace(bare, kind)),
                (None, true) => words.push(word.replace(bare, "time")),
                (None, false) => words.push(word.to_string()),
            }
        }
        // Columns are as wide as what stands in them.
        lines.push(words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" "));
    }
    lines.join("\n")
}

/// Two copies of one sandbox: what is typed is done on the one, and on the other through a node.
struct Both {
    _folders: [TempDir; 2],
    here: PathBuf,
    there: PathBuf,
    node: Node,
}

impl Both {
    fn new() -> Both {
        let ((one, here), (two, there)) = (sandbox(), sandbox());
        let node = Node::run(&there, &["--sandbox", "--heartbeat-s=86400"]);
        Both { _folders: [one, two], here, there, node }
    }

    /// What both printed, which was the same.
    #[track_caller]
    fn each(&self, words: [&[&str]; 2], code: u8) -> [String; 2] {
        let here = tenor(&[words[0], &["--data", self.here.to_str().unwrap()]].concat());
        let there = over(&self.node, &self.there, words[1]);
        assert_eq!(here.0, code, "{words:?}: {}", here.1);
        assert_eq!((there.0, plain(&there.1)), (here.0, plain(&here.1)), "{words:?}");
        [here.1, there.1]
    }

    #[track_caller]
    fn done(&self, words: &[&str]) -> [String; 2] {
        self.each([words; 2], 0)
    }

    /// The same with a word that each of them was told before in place of `*`.
    #[track_caller]
    fn with(&self, told: &[String; 2], words: &[&str]) -> [String; 2] {
        let of = |told: &str| -> Vec<String> { words.iter().map(|word| word.replace('*', told)).collect() };
        let (here, there) = (of(&told[0]), of(&told[1]));
        self.each([&texts(&here), &texts(&there)], 0)
    }
}

fn texts(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

fn field(printed: &[String; 2], name: &str) -> [String; 2] {
    [0, 1].map(|side| {
        let document: Value = serde_json::from_str(&printed[side]).unwrap();
        document[name].as_str().unwrap().to_string()
    })
}

#[test]
fn what_is_shown_is_what_the_folder_shows() {
    let (_folder, data) = sandbox();
    let out = data.with_extension("proof");
    let out = out.to_str().unwrap();
    let shown: &[&[&str]] = &[
        &["show", "account", "ada"],
        &["show", "account", "ada", "--at", "1"],
        &["show", "agreement", "rent"],
        &["show", "agreement", "rent", "--at", "4"],
        &["show", "contract", "standing-order"],
        &["show", "block", "1"],
        &["show", "party", "ada"],
        &["show", "receipt", "1/2"],
        &["list", "accounts"],
        &["list", "agreements"],
        &["list", "contracts"],
        &["list", "schedules"],
        &["list", "parties"],
        &["list", "proposals"],
        &["list", "holds"],
        &["statement", "ada"],
        &["statement", "ada", "--from", "2026-01-01", "--to", "2026-12-31", "--at", "2"],
        &["statement", "ada", "--csv"],
        &["entries"],
        &["entries", "--account", "bob", "--newest", "1"],
        &["trial-balance"],
        &["trial-balance", "--at", "1"],
        &["query", "rent", "history"],
        &["checkpoint"],
        &["prove", "1", "2", "--out", out],
        &["prove", "--account", "ada", "--out", out],
        &["prove", "--agreement", "rent", "--at", "4", "--out", out],
        &["prove", "--key", "0101", "--out", out],
        // What is not there, and slips.
        &["show", "account", "eve"],
        &["show", "agreement", "rnet"],
        &["show", "block", "99"],
        &["show", "agreement", "rent", "--at", "99"],
        &["query", "rent", "hisotry"],
        &["prove", "99", "0", "--out", out],
    ];
    let written = || {
        let bytes = fs::read(out).ok();
        let _ = fs::remove_file(out);
        bytes
    };
    let local = |words: &[&str]| (tenor(&[words, &["--data", data.to_str().unwrap()]].concat()), written());
    let local: Vec<_> =
        shown.iter().map(|words| (local(words), local(&[*words, &["--json"]].concat()))).collect();
    // A node that makes no block meanwhile.
    let node = Node::run(&data, &["--sandbox", "--heartbeat-s=86400"]);
    let remote = |words: &[&str]| (over(&node, &data, words), written());
    for (words, (text, json)) in shown.iter().zip(local) {
        assert_eq!(remote(words), text, "{words:?}");
        assert_eq!(remote(&[*words, &["--json"]].concat()), json, "{words:?}");
    }
}

#[test]
fn what_is_done_over_a_network_prints_what_it_prints_on_the_folder() {
    let both = Both::new();
    both.done(&["key", "new", "eve", "--fund", "10.00 EUR"]);
    both.each([&["key", "new", "eve"]; 2], 1);
    both.done(&["asset", "new", "PTS"]);
    both.done(&["account", "open", "ada", "savings"]);
    both.done(&["account", "limits", "ada/savings", "--ceiling", "5000.00"]);
    both.done(&["account", "freeze", "bob", "--in", "--reason", "fraud"]);
    both.each([&["transfer", "ada", "bob", "1.00 EUR"]; 2], 3);
    both.done(&["account", "unfreeze", "bob"]);
    both.done(&["transfer", "ada", "bob", "12.50 EUR"]);
    both.each([&["transfer", "ada", "bob", "5000.00 EUR"]; 2], 3);
    both.each([&["transfer", "ada", "bbo", "5.00 EUR"]; 2], 1);
    both.each([&["transfer", "ada", "bob", "5.001 EUR"]; 2], 1);
    both.each([&["transfer", "bob", "ada", "5.00 EUR", "--as", "ada"]; 2], 3);
    for _ in 0..2 {
        both.done(&["transfer", "ada", "bob", "1.00 EUR", "--once", "gift"]);
    }
    both.each([&["transfer", "ada", "bob", "2.00 EUR", "--once", "gift"]; 2], 1);
    let lines = both.here.with_extension("lines");
    fs::write(&lines, "bob,1.00 EUR\n# a comment\nada/savings, 2.00 EUR\nbob,9000.00 EUR\n").unwrap();
    both.each([&["batch", "ada", lines.to_str().unwrap()]; 2], 3);
    let held = both.done(&["hold", "place", "ada", "bob", "20.00 EUR", "--json"]);
    let hold = field(&held, "hold");
    both.with(&hold, &["hold", "capture", "*", "5.00 EUR", "--as", "bob"]);
    both.with(&hold, &["hold", "release", "*", "--as", "bob"]);
    let paid = field(&both.done(&["transfer", "ada", "bob", "3.00 EUR", "--json"]), "item");
    both.with(&paid, &["correct", "*/0", "--as", "bob"]);
    both.done(&["invoke", "rent", "pause", "--as", "ada"]);
    both.each([&["invoke", "rent", "puase", "--as", "ada"]; 2], 1);
    both.each([&["invoke", "rent", "pause", "--as", "bob"]; 2], 3);
    both.done(&["books", "code", "7", "--gl", "deposits", "--side", "liability"]);
    both.done(&["account", "code", "ada", "--code", "7"]);
    both.done(&["deploy", "loan"]);
    let terms = ["borrower=ada", "principal=60000.00 EUR", "rate=4.25%", "instalments=120"];
    let more = ["first_due=2026-02-01", "collection_max=2000.00 EUR"];
    both.done(&[&["open", "loan", "--as", "officer", "--name", "house"][..], &terms, &more].concat());
    both.done(&["invoke", "house", "accept", "--as", "ada"]);
    let proposed =
        field(&both.done(&["invoke", "house", "disburse", "--as", "officer", "--json"]), "proposal");
    both.with(&proposed, &["show", "proposal", "*"]);
    both.with(&proposed, &["approve", "*", "--as", "manager"]);
    both.done(&["advance", "--to", "2026-02-15"]);
    both.each([&["advance", "--to", "2026-01-15"]; 2], 1);
    both.done(&["show", "account", "ada"]);
    // How many blocks opening redid, and at which clock a node makes one, are matters of a folder and of a node.
    let (code, text) = over(&both.node, &both.there, &["verify"]);
    let of = |text: &str| {
        text.lines().skip(1).filter(|line| !line.contains("redone")).map(plain).collect::<Vec<_>>()
    };
    let (_, here) = tenor(&["verify", "--data", both.here.to_str().unwrap()]);
    assert_eq!((code, of(&text)), (0, of(&here)));
}

#[test]
fn a_customer_s_token_pays_and_sees_nothing_of_others() {
    let (_folder, data) = sandbox();
    let node = Node::sandbox(&data);
    let token = data.join("ada.token");
    let more =
        ["--node", &node.api, "--token-file", token.to_str().unwrap(), "--data", data.to_str().unwrap()];
    let ada = |words: &[&str]| tenor(&[words, &more].concat());
    for _ in 0..2 {
        assert_eq!(ada(&["transfer", "ada", "bob", "5.00 EUR", "--once", "lunch"]).0, 0);
    }
    assert_eq!(ada(&["invoke", "rent", "pause", "--as", "ada"]).0, 0);
    assert_eq!(node.balance("ada"), "995.00");
    assert_eq!(ada(&["show", "account", "bob"]).0, 1);
    assert_eq!(ada(&["verify"]).0, 1);
    let (code, out) = ada(&["list", "accounts", "--json"]);
    let listed: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, listed["list"].as_array().unwrap().len()), (0, 1), "{out}");
}

#[test]
fn what_needs_the_folder_says_so_and_what_to_use() {
    let (_folder, data) = sandbox();
    let (there, to) = (data.to_str().unwrap(), data.with_extension("backup"));
    let to = to.to_str().unwrap();
    let commands: &[(&[&str], &str)] = &[
        (&["db", "stat"], "/metrics"),
        (&["db", "retain", "--blocks", "9999"], "/metrics"),
        (&["doctor"], "tenor verify --node"),
        (&["backup", "create", to], "socket"),
        (&["backup", "restore", to], "socket"),
        (&["init"], "tenor node run"),
        (&["node", "init"], "tenor node run"),
        (&["check", "a.proof"], "--genesis"),
    ];
    for (words, instead) in commands {
        let program = env!("CARGO_BIN_EXE_tenor");
        let mut command = std::process::Command::new(program);
        let said =
            command.args(*words).args(["--node", "http://127.0.0.1:9", "--data", there]).output().unwrap();
        let text = String::from_utf8(said.stderr).unwrap();
        assert_eq!(said.status.code(), Some(1), "{words:?}: {text}");
        assert!(text.contains("not over a network") && text.contains(instead), "{words:?}: {text}");
    }
}
