//! The operator's way, command by command, as somebody would type it.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as the tests do")]

use serde_json::Value;
use std::ffi::OsString;
use std::path::Path;

/// Exit code and result of a command on a folder.
fn tenor(data: &Path, words: &[&str]) -> (u8, String) {
    let mut arguments: Vec<OsString> = vec!["tenor".into()];
    arguments.extend(words.iter().map(OsString::from));
    arguments.extend(["--data".into(), data.into()]);
    let mut out = Vec::new();
    let code = tenor_cli::run(arguments, &mut out);
    (code, String::from_utf8(out).unwrap())
}

#[track_caller]
fn done(data: &Path, words: &[&str]) -> Value {
    let words: Vec<&str> = words.iter().copied().chain(["--json"]).collect();
    let (code, out) = tenor(data, &words);
    assert_eq!(code, 0, "{words:?}");
    serde_json::from_str(&out).unwrap()
}

/// What the real command says on standard error.
#[track_caller]
fn complaint(data: &Path, expected: i32, words: &[&str]) -> String {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_tenor"))
        .args(words)
        .arg("--data")
        .arg(data)
        .output()
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(expected),
        "{words:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.stdout.is_empty(), "standard output carries the result only");
    String::from_utf8(output.stderr).unwrap()
}

fn sandbox() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    done(&data, &["init"]);
    (folder, data)
}

const RENT: [&str; 10] = [
    "open",
    "standing-order",
    "--as",
    "ada",
    "--name=rent",
    "payer=ada",
    "payee=landlord",
    "amount=100.00 EUR",
    "rhythm=monthly",
    "first=2026-01-10",
];

#[test]
fn a_standing_order_from_key_to_verified_chain() {
    let (_folder, data) = sandbox();
    done(&data, &["key", "new", "ada"]);
    done(&data, &["key", "new", "landlord", "--fund", "0.00 EUR"]);
    let deployed = done(&data, &["deploy", "recurring"]);
    assert_eq!(deployed["name"], "standing-order@1.0.0");
    let opened = done(&data, &[&RENT[..], &["day=31"]].concat());
    assert_eq!(opened["state"], "Active");
    let advanced = done(&data, &["advance", "--to", "2026-04-01"]);
    assert_eq!((advanced["occurrences"].as_u64(), advanced["not_done"].as_u64()), (Some(3), Some(0)));
    let history = done(&data, &["query", "rent", "history"]);
    let paid: Vec<&str> =
        history["answer"].as_array().unwrap().iter().map(|row| row["paid"].as_str().unwrap()).collect();
    assert_eq!(paid, ["2026-01-31", "2026-02-28", "2026-03-31"]);
    assert_eq!(done(&data, &["show", "account", "landlord"])["balance"], "300.00");
    assert_eq!(done(&data, &["invoke", "rent", "pause", "--as", "ada"])["state"], "Paused");
    assert_eq!(done(&data, &["list", "agreements"])["list"][0]["state"], "Paused");
    let verified = done(&data, &["verify"]);
    assert_eq!(verified["trial_balance"]["EUR"]["difference"], "0.00");
    // Each command was a process life of its own: every block but the newest has its certificate in the log.
    assert_eq!(done(&data, &["verify"])["state_root"], verified["state_root"]);
}

#[test]
fn a_large_loan_takes_two_people() {
    let (_folder, data) = sandbox();
    done(&data, &["key", "new", "ada", "--fund", "0.00 EUR"]);
    done(&data, &["deploy", "loan"]);
    let terms = [
        "borrower=ada",
        "principal=60000.00 EUR",
        "rate=4.25%",
        "instalments=120",
        "first_due=2026-02-01",
        "collection_max=2000.00 EUR",
    ];
    done(&data, &[&["open", "loan", "--as", "officer", "--name", "house"][..], &terms].concat());
    done(&data, &["invoke", "house", "accept", "--as", "ada"]);
    let proposed = done(&data, &["invoke", "house", "disburse", "--as", "officer"]);
    let proposal = proposed["proposal"].as_str().unwrap().to_string();
    assert!(complaint(&data, 3, &["approve", &proposal, "--as", "ada"]).contains("the role credit_manager"));
    done(&data, &["approve", &proposal, "--as", "manager"]);
    assert_eq!(done(&data, &["show", "account", "ada"])["balance"], "60000.00");
    assert_eq!(done(&data, &["show", "agreement", "house"])["state"], "Active");
    assert_eq!(done(&data, &["query", "house", "schedule"])["answer"].as_array().unwrap().len(), 120);
}

#[test]
fn what_is_wrong_is_said_with_what_would_be_right() {
    let (_folder, data) = sandbox();
    done(&data, &["key", "new", "ada"]);
    done(&data, &["key", "new", "landlord", "--fund", "0.00 EUR"]);
    done(&data, &["deploy", "recurring"]);
    let says = |expected: i32, words: &[&str], text: &str| {
        let said = complaint(&data, expected, words);
        assert!(said.contains(text), "{words:?} said: {said}");
    };
    says(1, &["init"], "exists already");
    says(1, &["key", "new", "ada"], "there is a key `ada` already");
    says(1, &["key", "new", "../eve"], "is no name for a key");
    says(1, &["transfer", "ada", "landlrd", "1.00 EUR"], "did you mean `landlord`?");
    says(1, &["transfer", "ada", "landlord", "1.00 EUR", "--as", "adda"], "did you mean `ada`?");
    says(1, &["transfer", "ada", "landlord", "1.005 EUR"], "has 3 decimals, EUR has 2");
    says(1, &["transfer", "ada", "landlord", "0.00 EUR"], "above zero");
    says(1, &["transfer", "ada", "landlord", "-1.00 EUR"], "above zero");
    says(1, &["transfer", "ada", "landlord", "1.00 USD"], "ada holds EUR");
    says(1, &["transfer", "ada", "landlord", "999999999999999999999999999999999.00 EUR"], "largest amount");
    says(3, &["transfer", "ada", "landlord", "1000.01 EUR"], "InsufficientFunds, ISO 20022 AM04");
    says(3, &["transfer", "ada", "landlord", "1.00 EUR", "--as", "landlord"], "may not be debited");
    says(1, &["deploy", "lone"], "did you mean `loan`?");
    says(3, &["deploy", "loan", "--as", "ada"], "product_manager");
    says(3, &["deploy", "recurring"], "exists already");
    says(1, &["open", "standing-ordr", "--as", "ada"], "did you mean `standing-order`?");
    says(1, &[&RENT[..], &["dya=31"]].concat(), "did you mean `day`?");
    says(1, &["open", "standing-order", "--as", "ada", "payer=ada"], "`payee` is missing");
    says(1, &[&RENT[..9], &["first=2026-02-30"]].concat(), "2026-02 has 28 days");
    says(3, &[&RENT[..], &["day=31", "until=2026-01-11"]].concat(), "before its first day");
    says(3, &[&RENT[..], &["day=31", "count=10001"]].concat(), "10001 occurrences given");
    says(1, &["show", "block", "999"], "there is no block 999");
    says(1, &["advance", "--to", "2025-01-01"], "time does not go back");
    says(2, &["open"], "required");
}

#[test]
fn a_folder_in_use_is_named_with_its_holder() {
    let (_folder, data) = sandbox();
    let held = tenor_cli::folder::Folder::open(&data).unwrap();
    assert!(
        complaint(&data, 1, &["list", "accounts"])
            .contains(&format!("in use by process {}", std::process::id()))
    );
    drop(held);
    done(&data, &["list", "accounts"]);
}

#[test]
fn damage_is_named_or_healed() {
    let (_folder, data) = sandbox();
    done(&data, &["key", "new", "ada"]);
    let root = done(&data, &["verify"])["state_root"].clone();
    std::fs::remove_dir_all(data.join("state")).unwrap();
    let verified = done(&data, &["verify"]);
    assert_eq!(verified["state_root"], root, "the state is made again from the log");
    let log = data.join("log/00000000000000000000.log");
    let mut bytes = std::fs::read(&log).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&log, bytes).unwrap();
    assert!(complaint(&data, 1, &["verify"]).contains("is damaged at offset"));
    assert!(complaint(&data.join("none"), 1, &["verify"]).contains("holds no chain"));
}
