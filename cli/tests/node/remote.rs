//! The command over a network: the same output as on the folder itself.

use crate::home::{Node, sandbox, tenor};
use std::path::Path;

fn over(node: &Node, data: &Path, words: &[&str]) -> (u8, String) {
    let token = data.join("bank.token");
    let more =
        ["--node", &node.api, "--token-file", token.to_str().unwrap(), "--data", data.to_str().unwrap()];
    tenor(&[words, &more].concat())
}

#[test]
fn what_is_shown_is_what_the_folder_shows() {
    let (_folder, data) = sandbox();
    let shown: &[&[&str]] = &[
        &["show", "account", "ada"],
        &["show", "account", "ada", "--at", "1"],
        &["show", "agreement", "rent"],
        &["show", "contract", "standing-order"],
        &["show", "block", "1"],
        &["show", "party", "ada"],
        &["list", "accounts"],
        &["list", "agreements"],
        &["list", "schedules"],
        &["list", "parties"],
        &["statement", "ada"],
        &["statement", "ada", "--from", "2026-01-01", "--to", "2026-12-31", "--at", "2"],
    ];
    let local = |words: &[&str]| tenor(&[words, &["--data", data.to_str().unwrap()]].concat());
    let local: Vec<_> =
        shown.iter().map(|words| (local(words), local(&[*words, &["--json"]].concat()))).collect();
    // A node that makes no block meanwhile.
    let node = Node::run(&data, &["--sandbox", "--heartbeat-s=86400"]);
    for (words, (text, json)) in shown.iter().zip(local) {
        assert_eq!(over(&node, &data, words), text, "{words:?}");
        assert_eq!(over(&node, &data, &[*words, &["--json"]].concat()), json, "{words:?}");
    }
    let (code, out) = over(&node, &data, &["show", "receipt", "1/2"]);
    assert!(code == 0 && out.contains("done"), "{out}");
}

#[test]
fn acts_are_made_and_signed_here() {
    let (_folder, data) = sandbox();
    let node = Node::sandbox(&data);
    let (code, out) = over(&node, &data, &["transfer", "ada", "bob", "12.50 EUR"]);
    assert!(code == 0 && out.starts_with("paid 12.50 EUR\n"), "{out}");
    for _ in 0..2 {
        let (code, _) = over(&node, &data, &["transfer", "ada", "bob", "1.00 EUR", "--once", "gift"]);
        assert_eq!(code, 0);
    }
    assert_eq!(node.balance("ada"), "986.50");
    // The chain's no, a slip, somebody else's account.
    assert_eq!(over(&node, &data, &["transfer", "ada", "bob", "5000.00 EUR"]).0, 3);
    assert_eq!(over(&node, &data, &["transfer", "ada", "bbo", "5.00 EUR"]).0, 1);
    assert_eq!(over(&node, &data, &["transfer", "bob", "ada", "5.00 EUR", "--as", "ada"]).0, 3);
    let (code, out) = over(&node, &data, &["invoke", "rent", "pause", "--as", "ada"]);
    assert!(code == 0 && out.contains("state  Paused"), "{out}");
    assert_eq!(over(&node, &data, &["invoke", "rent", "puase", "--as", "ada"]).0, 1);
    assert_eq!(node.balance("ada"), "986.50");
}
