//! `tenor invoke --profile`: where the gas of a call goes, to the unit, beside the chain.

use crate::home::{done, tenor};

#[test]
fn a_profile_adds_up_to_what_the_call_was_charged() {
    let folder = tempfile::tempdir().unwrap();
    let (data, svg) = (folder.path().join("data"), folder.path().join("pause.svg"));
    done(&data, &["init"]);
    done(&data, &["key", "new", "ada", "--fund", "100.00 EUR"]);
    done(&data, &["key", "new", "shop", "--fund", "0.00 EUR"]);
    done(&data, &["deploy", "recurring"]);
    let terms = ["payer=ada", "payee=shop", "amount=5.00 EUR", "rhythm=weekly", "first=2030-01-07"];
    let open = [&["open", "standing-order", "--name", "rent", "--as", "ada"][..], &terms].concat();
    done(&data, &open);
    let pause = ["invoke", "rent", "pause", "--as", "ada", "--profile", svg.to_str().unwrap()];
    let told = done(&data, &pause);
    let (gas, profiled) = (told["gas"].as_u64().unwrap(), told["profile"]["gas"].as_u64().unwrap());
    // The rest is what a transaction costs before its contract runs: 50,000 and 16 for each of its bytes.
    assert!((50_000..60_000).contains(&(gas - profiled)) && (gas - profiled) % 16 == 0, "{gas} {profiled}");
    let functions = told["profile"]["functions"].as_array().unwrap();
    let sum: u64 = functions.iter().map(|function| function["gas"].as_u64().unwrap()).sum();
    assert_eq!(sum, profiled);
    assert!(functions.iter().any(|function| function["name"] == "schedule_hold" && function["host"] == true));
    let drawn = std::fs::read_to_string(&svg).unwrap();
    assert!(drawn.starts_with("<svg ") && drawn.contains("schedule_hold") && drawn.contains("call pause"));
    // The chain has the call once.
    assert_eq!(done(&data, &["show", "agreement", "rent"])["state"], "Paused");
    assert_eq!(tenor(&data, &pause).0, 3, "paused already");
}
