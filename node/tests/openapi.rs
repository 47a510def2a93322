//! The description of the API that is committed is the one that the code gives, and every path of it is served.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use serde_json::Value;
use std::path::Path;
use tenor_node::api::{CODES, openapi};

#[test]
fn the_committed_description_is_the_code_s() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let now = serde_json::to_string_pretty(&openapi()).unwrap() + "\n";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(kept, now, "{} is old; UPDATE_GOLDEN=1 writes it", path.display());
}

#[test]
fn every_operation_says_what_it_is_and_answers() {
    let document = openapi();
    assert_eq!(document["openapi"].as_str().unwrap().get(..3), Some("3.1"));
    let mut count = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            count += 1;
            let text = |name: &str| operation[name].as_str().unwrap_or_default().to_string();
            assert!(!text("operationId").is_empty(), "{method} {path}");
            assert!(!(text("summary") + &text("description")).is_empty(), "{method} {path}");
            assert!(operation["responses"].as_object().is_some_and(|r| !r.is_empty()), "{method} {path}");
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let in_path = parameter["in"] == "path";
                let name = parameter["name"].as_str().unwrap();
                assert_eq!(in_path, path.contains(&format!("{{{name}}}")), "{path}: {name}");
            }
        }
    }
    assert!(count >= 30, "{count} operations");
    assert_eq!(document["components"]["schemas"]["PrepareAsked"]["additionalProperties"], Value::Bool(false));
}

#[test]
fn kinds_of_problems_are_told_apart() {
    for (place, code) in CODES.iter().enumerate() {
        assert!((400..600).contains(&code.status) && code.doc.ends_with('.') && !code.title.ends_with('.'));
        assert!(CODES[..place].iter().all(|other| other.name != code.name), "{}", code.name);
        assert!(code.retry == [408, 429, 500, 503].contains(&code.status), "{}", code.name);
    }
}
