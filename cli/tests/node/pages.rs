//! What is long comes in pages of a bounded size, all of one block; and names that many give at once are all kept.

use crate::home::{Node, Wallet, done, sandbox, tenor};
use serde_json::Value;
use std::path::Path;
use std::thread;
use tenor_cli::folder::Folder;

/// All rows of a list, page by page, whose pages are joined as `join` says.
fn walked(node: &Node, path: &str, name: &str, limit: &str) -> Vec<Vec<Value>> {
    let (mut pages, mut cursor) = (vec![], String::new());
    loop {
        let sign = if path.contains('?') { '&' } else { '?' };
        let page = node.get(&format!("{path}{sign}{limit}{cursor}"));
        pages.push(page[name].as_array().unwrap().clone());
        let Some(next) = page["next"].as_str() else { return pages };
        cursor = format!("&cursor={next}");
    }
}

#[test]
fn a_statement_comes_in_pages_of_one_block() {
    let (_folder, data) = sandbox();
    let node = Node::sandbox(&data);
    let (ada, bob) = (Wallet::of(&node, "ada"), Wallet::of(&node, "bob"));
    for choice in 1..=7 {
        assert_eq!(node.submit(&ada.pays(&bob.account, u128::from(choice), choice)).0, 201);
    }
    for query in ["", "?from=2026-01-01", "?at=2026-01-01"] {
        let path = format!("/v1/accounts/ada/statement{query}");
        let whole = node.get(&path);
        let lines = whole["lines"].as_array().unwrap();
        assert_eq!(
            (whole["lines_in_all"].as_u64(), lines.len(), &whole["next"]),
            (Some(8), 8, &Value::Null),
            "{query}"
        );
        let mut pages = walked(&node, &path, "lines", "newest=3");
        assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 2], "{query}");
        pages.reverse();
        assert_eq!(&pages.concat(), lines, "{query}");
    }
    // The page that follows stays where the first one was.
    let first = node.get("/v1/accounts/ada/statement?newest=3");
    node.submit(&ada.pays(&bob.account, 99, 99));
    let cursor = first["next"].as_str().unwrap();
    let second = node.get(&format!("/v1/accounts/ada/statement?newest=3&cursor={cursor}"));
    assert_eq!((&second["as_of"], &second["lines_in_all"]), (&first["as_of"], &first["lines_in_all"]));
    for wrong in
        ["newest=0", "newest=201", "newest=-1", "cursor=1", "cursor=1.00", "from=2026-02-01&to=2026-01-01"]
    {
        let (status, problem) = node.get_as("bank", &format!("/v1/accounts/ada/statement?{wrong}"));
        assert_eq!((status, problem["code"].as_str()), (400, Some("bad_query")), "{wrong}: {problem}");
    }
}

#[test]
fn a_list_comes_in_pages() {
    let (_folder, data) = sandbox();
    let node = Node::sandbox(&data);
    for what in ["accounts", "parties", "schedules"] {
        let path = format!("/v1/lists/{what}");
        let whole = walked(&node, &path, "list", "limit=200").concat();
        let pages = walked(&node, &path, "list", "limit=1");
        assert!(pages.iter().all(|page| page.len() <= 1), "{what}");
        assert_eq!(pages.concat(), whole, "{what}");
        assert_eq!(node.get_as("bank", &format!("{path}?limit=201")).0, 400);
    }
    let ada = node.get("/v1/accounts?party=ada");
    assert_eq!(ada["accounts"].as_array().unwrap().len(), 1);
    let rent = node.get("/v1/agreements?party=ada");
    assert_eq!(rent["agreements"].as_array().unwrap().len(), 1);
    assert_eq!(node.get("/v1/parties/ada")["more"], false);
}

/// What a node is asked about a transaction that is long done is told by the next process as by this one.
#[test]
fn what_became_of_a_transaction_outlives_the_process() {
    let (_folder, data) = sandbox();
    let mut node = Node::sandbox(&data);
    let (ada, bob) = (Wallet::of(&node, "ada"), Wallet::of(&node, "bob"));
    let (paid, refused) = (ada.pays(&bob.account, 100, 1), ada.pays(&bob.account, 10_000_000, 2));
    let (status, receipt) = node.submit(&paid);
    assert_eq!(status, 201, "{receipt}");
    let (status, no) = node.submit(&refused);
    assert_eq!((status, no["code"].as_str()), (422, Some("refused")), "{no}");
    let asked = |node: &Node| {
        [&paid, &refused].map(|tx| {
            let path = format!("/v1/transactions/{}", tx.id());
            let mut told = node.get_as("ada", &path);
            // The index of ids may still be read.
            while told.0 == 503 {
                thread::yield_now();
                told = node.get_as("ada", &path);
            }
            let place = format!("/v1/receipts/{}/{}", told.1["height"], told.1["index"]);
            let at = node.get_as("ada", &place);
            [&mut told.1.clone(), &mut at.1.clone()].map(|document| {
                document["as_of"] = Value::Null;
                document.clone()
            })
        })
    };
    let before = asked(&node);
    assert_eq!(before[0][0]["fate"], "done");
    assert_eq!(before[1][0]["fate"], "refused");
    assert!(before[1][0]["text"].as_str().unwrap().contains("100000.00"), "{}", before[1][0]);
    node.kill();
    let node = Node::sandbox(&data);
    assert_eq!(asked(&node), before);
    assert_eq!(node.stop(), Some(0));
    let node = Node::sandbox(&data);
    // Blocks and months later it is the same.
    node.post("/v1/sandbox/clock", &serde_json::json!({ "to": "2026-06-01" }));
    assert_eq!(asked(&node), before);
    // Handed in once more it is told again, and not done again.
    let (status, again) = node.submit(&paid);
    assert_eq!(
        (status, &again["height"], &again["index"]),
        (201, &before[0][0]["height"], &before[0][0]["index"])
    );
    let proof = node.bytes(&format!("/v1/transactions/{}/proof", paid.id()));
    let file = data.join("paid.proof");
    std::fs::write(&file, proof).unwrap();
    assert_eq!(node.stop(), Some(0));
    done(&data, &["check", file.to_str().unwrap()]);
}

fn enrol(node: &Node, data: &Path, name: &str) -> u8 {
    let (token, data) = (data.join("bank.token"), data.to_str().unwrap());
    let words =
        ["key", "new", name, "--node", &node.api, "--token-file", token.to_str().unwrap(), "--data", data];
    tenor(&words).0
}

#[test]
fn names_that_are_given_at_once_are_all_kept() {
    let (_folder, data) = sandbox();
    let node = Node::sandbox(&data);
    let names: Vec<String> = (0..8).map(|number| format!("customer-{number}")).collect();
    thread::scope(|threads| {
        let made: Vec<_> = names.iter().map(|name| threads.spawn(|| enrol(&node, &data, name))).collect();
        assert!(made.into_iter().all(|made| made.join().unwrap() == 0));
    });
    let kept = Folder::names(&data).unwrap();
    for name in &names {
        assert!(kept.parties.contains_key(name) && kept.accounts.contains_key(name), "{name}: {kept:?}");
    }
    // One name given twice at once is one key and one party.
    let codes = thread::scope(|threads| {
        let made: Vec<_> = (0..4).map(|_| threads.spawn(|| enrol(&node, &data, "one"))).collect();
        made.into_iter().map(|made| made.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(codes.iter().filter(|code| **code == 0).count(), 1, "{codes:?}");
}
