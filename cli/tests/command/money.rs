//! Money at the command line: held, paid out, batched, taken back, limited, frozen, and seen in statements.

use crate::home::{complaint, done, folder, tenor, text};
use std::path::PathBuf;

/// A sandbox with Ada, who has 100.00, and a shop.
fn sandbox() -> (tempfile::TempDir, PathBuf) {
    let (folder, data) = folder();
    done(&data, &["init"]);
    done(&data, &["key", "new", "ada", "--fund", "100.00 EUR"]);
    done(&data, &["key", "new", "shop", "--fund", "0.00 EUR"]);
    (folder, data)
}

#[test]
fn money_is_held_and_paid_out_in_parts() {
    let (_folder, data) = sandbox();
    let hold = done(&data, &["hold", "place", "ada", "shop", "60.00 EUR"]);
    let hold = hold["hold"].as_str().unwrap();
    let ada = done(&data, &["show", "account", "ada"]);
    assert_eq!(
        (&ada["balance"], &ada["available"], &ada["held"]),
        (&"100.00".into(), &"40.00".into(), &"60.00".into())
    );
    let (code, _) = tenor(&data, &["transfer", "ada", "shop", "40.01 EUR"]);
    assert_ne!(code, 0);
    for days in ["999999999999", "18446744073709551615", "213503982334", "61"] {
        let words = ["hold", "place", "ada", "shop", "1.00 EUR", "--days", days];
        assert!(matches!(tenor(&data, &words).0, 1 | 3), "{days}");
    }
    let capture = ["hold", "capture", hold, "15.00 EUR", "--as", "shop", "--once", "first part"];
    let captured = done(&data, &capture);
    // Typed again under its name, a part is not paid again.
    assert_eq!(done(&data, &capture)["item"], captured["item"]);
    let open = done(&data, &["list", "holds"]);
    assert_eq!(open["list"][0]["left"], "45.00");
    done(&data, &["hold", "release", hold, "--as", "shop"]);
    let shop = done(&data, &["show", "account", "shop"]);
    assert_eq!((&shop["balance"], &shop["awaited"]), (&"15.00".into(), &"0.00".into()));
    let acts: Vec<String> = done(&data, &["entries", "--account", "shop"])["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["act"].as_str().unwrap().into())
        .collect();
    assert_eq!(acts, ["hold", "capture", "release"]);
    let table = text(&data, &["entries", "--account", "shop"]);
    assert!(table.contains("15.00") && table.contains("EUR"), "{table}");
    done(&data, &["verify"]);
    assert_eq!(done(&data, &["doctor"])["findings"].as_array().map(Vec::len), Some(0));
}

#[test]
fn a_batch_pays_what_it_can_and_a_correction_takes_it_back() {
    let (folder, data) = sandbox();
    let file = folder.path().join("wages.csv");
    std::fs::write(&file, "# wages\nshop,30.00 EUR\nbank,80.00 EUR\nshop, 0.50 EUR\n").unwrap();
    let file = file.to_string_lossy().into_owned();
    let pay = || {
        let (code, text) = tenor(&data, &["batch", "ada", &file, "--once", "wages", "--json"]);
        assert_eq!(code, 3, "a line is refused");
        serde_json::from_str::<serde_json::Value>(&text).unwrap()
    };
    let batch = pay();
    assert_eq!((batch["done"].as_u64(), batch["refused"].as_u64()), (Some(2), Some(1)));
    assert_eq!(pay()["item"], batch["item"], "done once");
    assert_eq!(done(&data, &["show", "account", "ada"])["balance"], "69.50");
    let entry = format!("{}/0", batch["item"].as_str().unwrap());
    let (code, _) = tenor(&data, &["correct", &entry, "--as", "ada"]);
    assert_ne!(code, 0, "the shop gives back, so the shop signs");
    done(&data, &["correct", &entry, "--as", "shop"]);
    assert_eq!(done(&data, &["show", "account", "ada"])["balance"], "99.50");
    let (code, _) = tenor(&data, &["correct", &entry, "--as", "shop"]);
    assert_ne!(code, 0, "not twice");
}

#[test]
fn accounts_are_limited_frozen_closed_and_mirrored() {
    let (_folder, data) = sandbox();
    done(&data, &["account", "limits", "ada", "--floor", "-50.00", "--ceiling", "200.00"]);
    let shown = text(&data, &["show", "account", "ada"]);
    assert!(shown.contains("floor    -50.00 EUR") && shown.contains("ceiling  200.00 EUR"), "{shown}");
    for (named, floor, ceiling) in [
        (&["--ceiling", "300.00"][..], "-50.00", Some("300.00")),
        (&["--floor", "-20.00"], "-20.00", Some("300.00")),
        (&["--ceiling", "none", "--holds-overdraft"], "-20.00", None),
        (
            &["--floor", "-50.00", "--ceiling", "200.00", "--holds-overdraft", "false"],
            "-50.00",
            Some("200.00"),
        ),
    ] {
        done(&data, &[&["account", "limits", "ada"], named].concat());
        let shown = done(&data, &["show", "account", "ada"]);
        assert_eq!((shown["floor"].as_str(), shown["ceiling"].as_str()), (Some(floor), ceiling), "{named:?}");
    }
    done(&data, &["account", "freeze", "ada", "--out", "--reason", "fraud"]);
    let (code, _) = tenor(&data, &["transfer", "ada", "shop", "1.00 EUR"]);
    assert_ne!(code, 0);
    done(&data, &["account", "unfreeze", "ada"]);
    done(&data, &["account", "open", "bank", "giro-total", "--kind", "control"]);
    done(&data, &["account", "control", "shop", "--control", "bank/giro-total"]);
    done(&data, &["transfer", "ada", "shop", "110.00 EUR"]);
    assert_eq!(done(&data, &["show", "account", "bank/giro-total"])["balance"], "110.00");
    done(&data, &["books", "code", "7", "--gl", "2100", "--side", "liability", "--back-days", "30"]);
    done(&data, &["account", "code", "ada", "--code", "7"]);
    done(&data, &["transfer", "shop", "ada", "110.00 EUR"]);
    done(&data, &["account", "close", "shop", "--as", "shop"]);
    let (code, _) = tenor(&data, &["transfer", "ada", "shop", "1.00 EUR"]);
    assert_ne!(code, 0);
    let balance = done(&data, &["trial-balance"]);
    assert_eq!(
        (&balance["issued"]["EUR"], &balance["trial_balance"]["EUR"]["difference"]),
        (&"100.00".into(), &"0.00".into())
    );
    done(&data, &["verify"]);
    // What is not there yet is not what is newest.
    for words in
        [&["trial-balance", "--at", "999"][..], &["entries", "--at", "999"], &["entries", "--from", "999"]]
    {
        assert!(complaint(&data, 1, words).contains("is not made yet"), "{words:?}");
    }
    assert!(complaint(&data, 1, &["entries", "--from", "5", "--at", "2"]).contains("no block from 5 to 2"));
}

#[test]
fn a_key_of_another_chain_makes_no_block() {
    let (_folder, data) = sandbox();
    let (_other, others) = sandbox();
    std::fs::copy(others.join("keys/validator.key"), data.join("keys/validator.key")).unwrap();
    let told = complaint(&data, 1, &["transfer", "ada", "shop", "1.00 EUR"]);
    assert!(told.contains("not the one that signs this chain's blocks"), "{told}");
    assert_eq!(done(&data, &["show", "account", "ada"])["balance"], "100.00");
}

#[test]
fn a_statement_has_what_was_there_before_and_after() {
    let (_folder, data) = sandbox();
    done(&data, &["transfer", "ada", "shop", "10.00 EUR"]);
    let first = done(&data, &["statement", "ada", "--to", "2100-01-01"]);
    let height = first["height"].as_u64().unwrap().to_string();
    done(&data, &["advance", "--to", "2026-01-05"]);
    done(&data, &["transfer", "ada", "shop", "5.00 EUR"]);
    let booked = done(&data, &["statement", "ada"]);
    let day = |line: usize| booked["lines"][line]["value_date"].as_str().unwrap().to_string();
    let between = done(&data, &["statement", "ada", "--from", &day(2), "--to", &day(2)]);
    assert_eq!((&between["opening"], &between["closing"]), (&"90.00".into(), &"85.00".into()));
    assert_eq!(between["lines"].as_array().unwrap().len(), 1);
    let pinned = done(&data, &["statement", "ada", "--to", "2100-01-01", "--at", &height]);
    assert_eq!(pinned, first);
    let csv = text(&data, &["statement", "ada", "--csv"]);
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "value_date,booked,amount,balance,currency,entry");
    assert!(lines[3].contains(",-5.00,85.00,EUR,"), "{csv}");
}
