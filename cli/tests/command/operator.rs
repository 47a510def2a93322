//! The operator's way, command by command, as somebody would type it.

use crate::home::{complaint, done, folder, text};
use serde_json::{Value, json};
use std::path::Path;

fn sandbox() -> (tempfile::TempDir, std::path::PathBuf) {
    let (folder, data) = folder();
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
fn a_schedule_that_does_not_go_on_is_shown_beside_the_state() {
    let (_folder, data) = sandbox();
    for name in ["ada", "landlord"] {
        done(&data, &["key", "new", name]);
    }
    done(&data, &["deploy", "recurring"]);
    done(&data, &[&RENT[..], &["day=31"]].concat());
    let shown = || done(&data, &["show", "agreement", "rent"]);
    let first = shown()["schedules"][0].clone();
    assert_eq!((&first["schedule"], &first["next"]["date"]), (&"Collect".into(), &"2026-01-31".into()));
    done(&data, &["invoke", "rent", "pause", "--as", "ada"]);
    assert!(text(&data, &["show", "agreement", "rent"]).contains("Paused, opened"));
    let next = &shown()["schedules"][0]["next"];
    assert_eq!((&next["status"], next["since"].is_string()), (&"held".into(), true), "{next}");

    // The sandbox's calendar ends in 2099: where the next date cannot be told the host suspends what is active.
    let late = ["open", "standing-order", "--as", "ada", "--name=late", "payer=ada", "payee=landlord"];
    let terms = ["amount=1.00 EUR", "rhythm=monthly", "first=2099-12-15", "day=15", "calendar=TARGET"];
    done(&data, &[&late[..], &terms].concat());
    done(&data, &["advance", "--to", "2100-01-01"]);
    let shown = done(&data, &["show", "agreement", "late"]);
    let suspended = json!({ "status": "suspended", "code": 38, "why": "CalendarShort", "number": 1 });
    assert_eq!((&shown["state"], &shown["schedules"][0]["next"]), (&"Active".into(), &suspended));
    let said = text(&data, &["show", "agreement", "late"]);
    assert!(said.contains("Collect: suspended with CalendarShort (38)\n"), "{said}");
    let listed = done(&data, &["list", "schedules"]);
    assert!(listed.to_string().contains("suspended with CalendarShort (38)"), "{listed}");
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
    let shown = done(&data, &["show", "agreement", "house"]);
    assert_eq!(shown["state"], "Active");
    // Each step was a block: opened, accepted, proposed and refused, disbursed.
    let tip = shown["height"].as_u64().unwrap();
    for (back, state) in [(0, "Active"), (1, "Accepted"), (3, "Accepted"), (4, "Offered")] {
        let height = (tip - back).to_string();
        let then = done(&data, &["show", "agreement", "house", "--at", &height]);
        assert_eq!((then["state"].as_str(), then["height"].as_u64()), (Some(state), Some(tip - back)));
    }
    assert!(
        complaint(&data, 1, &["show", "agreement", "house", "--at", "1"])
            .contains("there is no agreement agr1")
    );
    assert_eq!(done(&data, &["query", "house", "schedule"])["answer"].as_array().unwrap().len(), 120);
}

#[test]
fn a_programme_in_an_asset_of_its_own() {
    let (_folder, data) = sandbox();
    for name in ["ada", "shop", "sponsor"] {
        done(&data, &["key", "new", name, "--fund", "50.00 EUR"]);
    }
    assert_eq!(done(&data, &["asset", "new", "PTS"])["decimals"], 0);
    assert!(complaint(&data, 1, &["asset", "new", "PTS"]).contains("there is an asset PTS already"));
    assert!(complaint(&data, 3, &["asset", "new", "GOLD", "--decimals", "99"]).contains("decimals"));
    let open = [
        "open",
        "loyalty",
        "--as",
        "sponsor",
        "--with",
        "officer",
        "--name",
        "club",
        "merchant=shop",
        "funding=sponsor",
        "funding_max=20.00 EUR",
        "points=PTS",
        "points_unit=PTS",
        "point_value=0.01 EUR",
    ];
    done(&data, &["deploy", "loyalty", "--exposure", "100 PTS"]);
    done(&data, &open);
    done(&data, &["invoke", "club", "join", "--as", "ada"]);
    let reference = format!("reference={}", tenor_cli::words::hash_text(b"basket"));
    let bought = ["member=ada", "amount=60.00 EUR", &reference];
    done(&data, &[&["invoke", "club", "purchase", "--as", "shop"][..], &bought].concat());
    done(&data, &["invoke", "club", "redeem", "--as", "ada", "points=60"]);
    assert_eq!(done(&data, &["show", "account", "shop"])["balance"], "50.60");
    assert_eq!(done(&data, &["verify"])["trial_balance"]["PTS"]["difference"], "0");

    // A product without a limit in the asset of its books is told how it gets one.
    let (_folder, data) = sandbox();
    for words in [&["key", "new", "shop"][..], &["key", "new", "sponsor"], &["asset", "new", "PTS"]] {
        done(&data, words);
    }
    done(&data, &["deploy", "loyalty"]);
    let said = complaint(&data, 3, &open);
    assert!(said.contains("no exposure limit in asset PTS"), "{said}");
    assert!(said.contains("tenor deploy PRODUCT --exposure '1000000 PTS'"), "{said}");
}

#[test]
fn a_product_lends_up_to_its_exposure_limit() {
    let (_folder, data) = sandbox();
    done(&data, &["key", "new", "ada"]);
    done(&data, &["deploy", "loan", "--exposure", "1500.00 EUR"]);
    let terms =
        ["borrower=ada", "principal=1000.00 EUR", "rate=5%", "instalments=10", "first_due=2026-02-01"];
    for name in ["car", "boat"] {
        let open = ["open", "loan", "--as", "officer", "--name", name, "collection_max=1000.00 EUR"];
        done(&data, &[&open[..], &terms].concat());
        done(&data, &["invoke", name, "accept", "--as", "ada"]);
    }
    done(&data, &["invoke", "car", "disburse", "--as", "officer"]);
    let said = complaint(&data, 3, &["invoke", "boat", "disburse", "--as", "officer"]);
    assert!(said.contains("exposure would be 2000.00 EUR, the bank allowed 1500.00 EUR"), "{said}");
    // What is repaid can be lent again.
    done(&data, &["invoke", "car", "repay", "--as", "ada", "amount=600.00 EUR", "--spend", "ada=600.00 EUR"]);
    done(&data, &["invoke", "boat", "disburse", "--as", "officer"]);
}

#[test]
fn a_contract_is_built_and_held_against_what_was_released() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let build = |folder: &Path| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tenor"));
        command.args(["build", "--json"]).arg(folder).output().unwrap()
    };
    let output = build(&root.join("contracts/recurring"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let built: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (built["name"].as_str(), built["released"].as_bool()),
        (Some("standing-order@1.0.0"), Some(true))
    );
    let wasm = std::fs::read(built["wasm"].as_str().unwrap()).unwrap();
    assert_eq!(built["wasm_bytes"].as_u64(), Some(wasm.len() as u64));
    assert!(
        wasm == tenor_cli::products::find("recurring").unwrap().wasm,
        "the command carries what it builds"
    );
    assert_eq!(built["calls"][0], "open");
    assert!(built["functions"].as_u64() > Some(20));
    let said = |folder: &Path| String::from_utf8(build(folder).stderr).unwrap();
    assert!(said(&root.join("sdk/abi")).contains("needs crate-type"), "{}", said(&root.join("sdk/abi")));
    assert!(said(&root.join("docs")).contains("holds no Cargo.toml"));
    assert!(said(&root.join("nowhere")).contains("there is no "));
}

#[test]
fn what_is_typed_twice_is_done_once() {
    let (_folder, data) = sandbox();
    done(&data, &["key", "new", "ada"]);
    done(&data, &["key", "new", "landlord", "--fund", "0.00 EUR"]);
    done(&data, &["deploy", "recurring"]);
    let holds = |who: &str| done(&data, &["show", "account", who])["balance"].as_str().unwrap().to_string();
    let pay = ["transfer", "ada", "landlord", "5.00 EUR", "--once", "invoice-17"];
    let first = done(&data, &pay);
    assert_eq!(done(&data, &pay), first, "the same receipt");
    // Days later the chain still knows.
    done(&data, &["advance", "--to", "2026-01-20"]);
    assert_eq!(done(&data, &pay), first);
    assert_eq!(holds("landlord"), "5.00");
    let other = ["transfer", "ada", "landlord", "6.00 EUR", "--once", "invoice-17"];
    assert!(complaint(&data, 1, &other).contains("`invoice-17` was another act, in block "));
    done(&data, &["transfer", "ada", "landlord", "5.00 EUR", "--once", "invoice-18"]);
    assert_eq!(holds("landlord"), "10.00");
    // What was refused stays refused under its name, and can be tried under another.
    let much = ["transfer", "landlord", "ada", "11.00 EUR", "--once", "rest"];
    complaint(&data, 3, &much);
    done(&data, &["transfer", "ada", "landlord", "1.00 EUR"]);
    assert!(complaint(&data, 3, &much).contains("choose another name to try anew"));
    assert_eq!(holds("landlord"), "11.00");

    // A name stands for one agreement.
    let rent = RENT.map(|word| if word == "first=2026-01-10" { "first=2026-01-25" } else { word });
    let rent = [&rent[..], &["day=31"]].concat();
    let count = || done(&data, &["list", "agreements"])["list"].as_array().unwrap().len();
    assert!(complaint(&data, 3, &[&rent[..], &["count=10001"]].concat()).contains("10001 occurrences"));
    done(&data, &rent);
    assert!(complaint(&data, 1, &rent).contains("`rent` names agr1"));
    assert_eq!(count(), 1);
    // What a crash leaves between name and block: a name without an agreement.
    let names = data.join("names.json");
    let mut known: Value = serde_json::from_slice(&std::fs::read(&names).unwrap()).unwrap();
    let stray = tenor_abi::id::AgreementId([7; 32]).to_string();
    known["agreements"]["gym"] = stray.clone().into();
    std::fs::write(&names, known.to_string()).unwrap();
    let gym = rent.iter().map(|word| if *word == "--name=rent" { "--name=gym" } else { *word });
    let opened = done(&data, &gym.collect::<Vec<_>>());
    assert_ne!(opened["agreement"], stray);
    let pause = ["invoke", "gym", "pause", "--as", "ada", "--once", "holiday"];
    assert_eq!(done(&data, &pause)["state"], "Paused");
    assert_eq!(done(&data, &pause)["state"], "Paused", "told again, not refused");
    assert_eq!(count(), 2);
    let club = [&rent[..], &["--once", "club"]].concat();
    let club: Vec<&str> = club.into_iter().filter(|word| *word != "--name=rent").collect();
    assert_eq!(done(&data, &club), done(&data, &club), "without a name for it");
    assert_eq!(count(), 3);
}
