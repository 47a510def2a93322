//! What an operator looks at: statements, books, parties, proposals, receipts, and proofs that hold elsewhere.

use crate::home::{complaint, done, folder, tenor};
use serde_json::Value;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use tenor_wire::proof::StateBundle;

/// A sandbox with two customers; ada has 1000.00 EUR, bob nothing.
fn town() -> (tempfile::TempDir, PathBuf) {
    let (folder, data) = folder();
    done(&data, &["init"]);
    done(&data, &["key", "new", "ada"]);
    done(&data, &["key", "new", "bob", "--fund", "0.00 EUR"]);
    (folder, data)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_statement_and_the_books_agree() {
    let (_folder, data) = town();
    done(&data, &["transfer", "ada", "bob", "12.50 EUR"]);
    done(&data, &["transfer", "bob/main", "ada", "2.00 EUR", "--as", "bob"]);
    let statement = done(&data, &["statement", "bob"]);
    assert_eq!(statement["balance"], "10.50");
    let column = |name: &str| -> Vec<&str> {
        statement["lines"].as_array().unwrap().iter().map(|line| line[name].as_str().unwrap()).collect()
    };
    assert_eq!((column("amount"), column("balance")), (vec!["12.50", "-2.00"], vec!["12.50", "10.50"]));
    let newest = done(&data, &["statement", "bob", "--newest", "1"]);
    assert_eq!((newest["lines"].as_array().unwrap().len(), newest["lines_in_all"].as_u64()), (1, Some(2)));
    let books = done(&data, &["trial-balance"]);
    let euro = &books["trial_balance"]["EUR"];
    assert_eq!((euro["debits"].as_str(), euro["difference"].as_str()), (Some("1014.50"), Some("0.00")));
    let tip = books["height"].as_u64().unwrap();
    let before = (tip - 1).to_string();
    let then = done(&data, &["show", "account", "bob", "--at", &before]);
    assert_eq!(
        (then["balance"].as_str(), then["last_posting_height"].as_u64()),
        (Some("12.50"), Some(tip - 1))
    );
    let then = done(&data, &["trial-balance", "--at", &before]);
    let euro = &then["trial_balance"]["EUR"];
    assert_eq!((euro["debits"].as_str(), euro["difference"].as_str()), (Some("1012.50"), Some("0.00")));
    let after = complaint(&data, 1, &["show", "account", "bob", "--at", &(tip + 1).to_string()]);
    assert!(after.contains("is not made yet"), "{after}");
    assert!(complaint(&data, 1, &["statement", "bbo"]).contains("did you mean `bob`?"));
    assert!(complaint(&data, 1, &["statement", "bob/savings"]).contains("there is no acct1"));
}

#[test]
fn a_receipt_holds_where_only_the_genesis_document_is() {
    let (folder, data) = town();
    done(&data, &["transfer", "ada", "bob", "12.50 EUR"]);
    let height = done(&data, &["verify", "--quick"])["height"].as_u64().unwrap();
    let shown = done(&data, &["show", "receipt", &format!("{height}/0")]);
    assert_eq!((shown["fate"].as_str(), shown["text"].as_str()), (Some("done"), Some("done")));
    let amounts: Vec<&str> =
        shown["postings"].as_array().unwrap().iter().map(|p| p["amount"].as_str().unwrap()).collect();
    assert_eq!(amounts, ["12.50", "12.50"]);

    let (proof, lone) = (folder.path().join("transfer.proof"), folder.path().join("lone"));
    let height = height.to_string();
    let proved = done(&data, &["prove", &height, "0", "--out", text(&proof)]);
    std::fs::create_dir(&lone).unwrap();
    std::fs::copy(data.join("genesis"), lone.join("genesis")).unwrap();
    let held = tenor_cli::folder::Folder::open(&data, tenor_runtime::state::Room::default()).unwrap();
    let checked = done(&lone, &["check", text(&proof)]);
    assert_eq!(checked["receipt"]["item"], proved["item"]);
    assert_eq!(checked["height"].to_string(), height);
    // No lock is needed: the folder of the chain itself is in use now.
    assert_eq!(done(&data, &["check", text(&proof)]), checked);
    drop(held);

    let bytes = std::fs::read(&proof).unwrap();
    for at in (0..bytes.len()).step_by(7) {
        let mut wrong = bytes.clone();
        wrong[at] ^= 1;
        std::fs::write(folder.path().join("wrong.proof"), wrong).unwrap();
        assert_eq!(tenor(&lone, &["check", text(&folder.path().join("wrong.proof"))]).0, 1, "byte {at}");
    }
    let other = folder.path().join("other");
    done(&other, &["init"]);
    assert!(complaint(&other, 1, &["check", text(&proof)]).contains("the header is of chain1"));
    assert!(complaint(&data, 1, &["prove", &height, "0", "--out", text(&proof)]).contains("exists already"));
    let none = folder.path().join("none.proof");
    assert!(complaint(&data, 1, &["prove", &height, "9", "--out", text(&none)]).contains("has 1 items"));
    assert!(complaint(&data, 1, &["prove", "999", "0", "--out", text(&none)]).contains("there is no block"));
}

#[test]
fn what_state_held_after_any_block_holds_where_only_the_genesis_document_is() {
    let (folder, data) = town();
    let before = done(&data, &["verify", "--quick"])["height"].as_u64().unwrap();
    for _ in 0..3 {
        done(&data, &["transfer", "ada", "bob", "12.50 EUR"]);
    }
    let (lone, old) = (folder.path().join("lone"), before.to_string());
    std::fs::create_dir(&lone).unwrap();
    std::fs::copy(data.join("genesis"), lone.join("genesis")).unwrap();
    let prove = |name: &str, words: &[&str]| {
        let file = folder.path().join(format!("{name}.proof"));
        let proved = done(&data, &[&["prove", "--out", text(&file)], words].concat());
        let checked = done(&lone, &["check", text(&file)]);
        assert_eq!((&checked["height"], &checked["key"]), (&proved["height"], &proved["key"]));
        assert_eq!(proved["found"], checked["record"].is_string());
        checked
    };
    let (then, now) =
        (prove("then", &["--account", "bob", "--at", &old]), prove("now", &["--account", "bob"]));
    assert_eq!((then["height"].as_u64(), now["height"].as_u64()), (Some(before), Some(before + 3)));
    assert_ne!(then["record"], now["record"], "bob was paid meanwhile");
    // Made from the log: nothing of it is left, and the folder is as it was.
    assert!(!data.join("state.past").exists());
    // That something is not there is proved as well, and an account that was not there yet.
    assert!(prove("none", &["--key", &format!("05{}", "07".repeat(32))])["record"].is_null());
    assert!(prove("early", &["--account", "bob", "--at", "1"])["record"].is_null());
    // A proof of one height says nothing of another: its header has another root.
    let (mut early, late) = (
        StateBundle::from_bytes(&std::fs::read(folder.path().join("then.proof")).unwrap()).unwrap(),
        StateBundle::from_bytes(&std::fs::read(folder.path().join("now.proof")).unwrap()).unwrap(),
    );
    (early.header, early.link) = (late.header, late.link);
    let file = folder.path().join("mixed.proof");
    std::fs::write(&file, early.to_bytes()).unwrap();
    let said = complaint(&lone, 1, &["check", text(&file)]);
    assert!(said.contains(&format!("the state of block {} has something else there", before + 3)), "{said}");
    let bytes = std::fs::read(folder.path().join("then.proof")).unwrap();
    for at in (0..bytes.len()).step_by(11) {
        let mut wrong = bytes.clone();
        wrong[at] ^= 1;
        std::fs::write(&file, wrong).unwrap();
        assert_eq!(tenor(&lone, &["check", text(&file)]).0, 1, "byte {at}");
    }
    let none = folder.path().join("unmade");
    for (words, expected) in [
        (&["--account", "bob", "--at", "99"][..], "block 99 is not made yet; the newest is"),
        (&["--account", "bbo"], "did you mean `bob`?"),
        (&["--key", "5"], "a full key is bytes in hexadecimal, `5` given"),
    ] {
        let said = complaint(&data, 1, &[&["prove", "--out", text(&none)], words].concat());
        assert!(said.contains(expected), "{said}");
    }
    complaint(&data, 2, &["prove", "--out", text(&none)]);
    complaint(&data, 2, &["prove", "3", "0", "--at", "2", "--out", text(&none)]);
}

#[test]
fn a_proposal_shows_what_would_be_done_and_a_receipt_what_was() {
    let (_folder, data) = town();
    done(&data, &["deploy", "loan"]);
    let terms = ["borrower=bob", "principal=60000.00 EUR", "rate=4.25%", "instalments=120"];
    let rest = ["first_due=2026-02-01", "collection_max=2000.00 EUR"];
    done(&data, &[&["open", "loan", "--as", "officer", "--name", "house"][..], &terms, &rest].concat());
    done(&data, &["invoke", "house", "accept", "--as", "bob"]);
    let proposal = done(&data, &["invoke", "house", "disburse", "--as", "officer"])["proposal"].clone();
    let proposal = proposal.as_str().unwrap();
    let shown = done(&data, &["show", "proposal", proposal]);
    assert_eq!(shown["operation"], "invoke disburse");
    assert_eq!(shown["proposer"], done(&data, &["show", "party", "officer"])["party"]);
    done(&data, &["approve", proposal, "--as", "manager"]);
    assert!(complaint(&data, 1, &["show", "proposal", proposal]).contains("was approved"));

    let bob = done(&data, &["show", "party", "bob"]);
    assert_eq!(bob["accounts"][0]["balance"], "60000.00");
    assert_eq!(bob["agreements"][0]["state"], "Active");
    assert_eq!(bob["roles"], serde_json::json!([]));
    assert_eq!(done(&data, &["show", "party", "manager"])["roles"][0], "credit_manager");
    let height = done(&data, &["verify", "--quick"])["height"].to_string();
    let receipt = done(&data, &["show", "receipt", &format!("{height}/0")]);
    let events: Vec<&str> =
        receipt["reported"].as_array().unwrap().iter().map(|e| e["event"].as_str().unwrap()).collect();
    assert!(events.contains(&"state"), "{events:?}");
    assert!(receipt["postings"].as_array().unwrap().iter().any(|p| p["amount"] == "60000.00"));

    // The contract's own refusal, in its own words.
    let said = complaint(&data, 3, &["invoke", "house", "repay", "amount=0.00 EUR", "--as", "bob"]);
    let height = done(&data, &["verify", "--quick"])["height"].to_string();
    let receipt = done(&data, &["show", "receipt", &format!("{height}/0")]);
    let why = receipt["text"].as_str().unwrap();
    assert_eq!(receipt["fate"], "refused");
    assert!(said.contains(why), "{said} / {why}");
}

#[test]
fn a_name_that_is_taken_stays_whose_it_is() {
    let (_folder, data) = town();
    let before = done(&data, &["show", "account", "funding"])["account"].clone();
    assert!(complaint(&data, 1, &["key", "new", "funding"]).contains("names an account of the bank"));
    assert!(complaint(&data, 1, &["key", "new", "validator"]).contains("there is a key `validator` already"));
    assert_eq!(done(&data, &["show", "account", "funding"])["account"], before);
    assert_eq!(done(&data, &["key", "new", "eve"])["funded"], "1000.00 EUR");
}

#[test]
fn an_enrolment_that_was_cut_off_is_finished() {
    let (_folder, data) = town();
    let height = done(&data, &["verify", "--quick"])["height"].clone();
    // What a crash leaves between key and block: the key alone, or the key and its name.
    std::fs::copy(data.join("keys/ada.key"), data.join("keys/eve.key")).unwrap();
    let eve = done(&data, &["key", "new", "eve"]);
    assert_eq!(done(&data, &["show", "account", "eve"])["balance"], "1000.00");
    let names = data.join("names.json");
    let mut known: Value = serde_json::from_slice(&std::fs::read(&names).unwrap()).unwrap();
    let unknown = eve["party"].as_str().unwrap().to_string();
    assert_eq!(known["parties"]["eve"], unknown);
    let stray = "party1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq";
    known["parties"]["kim"] = party_of(7).into();
    std::fs::write(&names, known.to_string()).unwrap();
    std::fs::copy(data.join("keys/ada.key"), data.join("keys/kim.key")).unwrap();
    assert_eq!(done(&data, &["key", "new", "kim"])["party"], party_of(7));
    assert!(complaint(&data, 1, &["show", "party", stray]).contains("a character is wrong"));
    let now = done(&data, &["verify"])["height"].as_u64().unwrap();
    assert_eq!(now, height.as_u64().unwrap() + 2, "one block each");
}

fn party_of(byte: u8) -> String {
    tenor_abi::id::PartyId([byte; 32]).to_string()
}

#[test]
fn an_argument_that_names_nobody_gets_a_near_match() {
    let (_folder, data) = town();
    done(&data, &["deploy", "recurring"]);
    let open = |payee: &str| {
        let payee = format!("payee={payee}");
        let words =
            ["open", "standing-order", "--as", "ada", "payer=ada", "amount=1.00 EUR", "rhythm=monthly"];
        complaint(&data, 1, &[&words[..], &["first=2026-01-10", &payee]].concat())
    };
    let said = open("bbo");
    assert!(said.contains("account expected, `bbo` given; did you mean `bob`?"), "{said}");
    assert!(open(&party_of(7)).contains("an id beginning with `acct1` is needed"), "another kind");
}

#[test]
fn help_is_a_result() {
    let mut out = Vec::new();
    assert_eq!(tenor_cli::run(["tenor", "--help"].map(OsString::from), &mut out), 0);
    let help = String::from_utf8(out).unwrap();
    for command in ["statement", "trial-balance", "prove", "check", "verify"] {
        assert!(help.contains(command), "{command}");
    }
}

/// Somebody who reads no further, like `head`.
struct Closed;

impl std::io::Write for Closed {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::BrokenPipe.into())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn who_stops_reading_does_no_harm() {
    let (_folder, data) = town();
    let data = data.to_str().unwrap();
    for words in [vec!["tenor", "--help"], vec!["tenor", "list", "accounts", "--json", "--data", data]] {
        assert_eq!(tenor_cli::run(words.iter().map(OsString::from), &mut Closed), 0, "{words:?}");
    }
}

#[test]
fn a_measurement_is_one_document_whose_ratio_has_both_sides() {
    let mut out = Vec::new();
    let words = ["tenor", "bench", "verify", "--seconds", "1", "--json"].map(OsString::from);
    assert_eq!(tenor_cli::run(words, &mut out), 0);
    let document: Value = serde_json::from_slice(&out).unwrap();
    let figure = |name: &str| {
        let figures = document["figures"].as_array().unwrap();
        let figure = figures.iter().find(|figure| figure["name"] == name).unwrap();
        assert_eq!(figure["unit"], "/s");
        figure["value"].as_f64().unwrap()
    };
    assert!(figure("verify_per_second_one_core") > 0.0);
    let ratio = &document["ratios"][0];
    let sides = [&ratio["of"], &ratio["to"]].map(|side| figure(side.as_str().unwrap()));
    assert!((ratio["value"].as_f64().unwrap() - sides[0] / sides[1]).abs() < 1e-9);
}

#[test]
fn figures_have_one_of_the_known_units() {
    let mut out = Vec::new();
    let words = ["tenor", "bench", "invoke", "--seconds", "1", "--json"].map(OsString::from);
    assert_eq!(tenor_cli::run(words, &mut out), 0);
    let document: Value = serde_json::from_slice(&out).unwrap();
    for figure in document["figures"].as_array().unwrap() {
        let unit = figure["unit"].as_str().unwrap();
        assert!(["/s", "ms", "us", "ns", "bytes", "1"].contains(&unit), "{figure}");
    }
}
