//! Other people's things, on every route that there is: the list of routes is the description's own.

use crate::home::{Node, Wallet, sandbox};
use serde_json::{Value, json};
use tenor_node::api::openapi;
use tenor_wire::hexadecimal::hex;

/// Routes that show nothing of anybody.
const OF_NOBODY: [&str; 16] = [
    "/problems",
    "/problems/{code}",
    "/v1/network",
    "/v1/genesis",
    "/v1/accounts",
    "/v1/agreements",
    "/v1/contracts",
    "/v1/contracts/{code}",
    "/v1/contracts/{code}/spec",
    "/v1/contracts/{code}/published",
    "/v1/assets",
    "/v1/assets/{id}",
    "/v1/calendars",
    "/v1/calendars/{id}/{year}",
    "/v1/blocks",
    "/v1/events",
];
/// Routes whose answer to a customer is the header alone.
const OF_HEADERS: [&str; 2] = ["/v1/blocks/{height}", "/v1/blocks/{height}/checkpoint"];

#[test]
fn other_peoples_things_are_on_no_route() {
    let (_folder, data) = sandbox();
    let node = Node::sandbox(&data);
    let (ada, bob) = (Wallet::of(&node, "ada"), Wallet::of(&node, "bob"));
    let rent = node.get("/v1/agreements/rent")["agreement"].as_str().unwrap().to_string();
    // Something that Ada did and Bob has no part in: it was refused.
    let own = ada.pays(&ada.account, 1, 1);
    let (_, no) = node.submit(&own);
    let alone = &no["receipt"];
    let (height, index) = (alone["height"].to_string(), alone["index"].to_string());
    let tx = own.id().to_string();
    let (account, party) = (ada.account.to_string(), ada.party.to_string());
    let document = openapi();
    let mut asked = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        if OF_NOBODY.contains(&path.as_str()) || methods.get("get").is_none() {
            continue;
        }
        let id = match path.split('/').nth(2).unwrap() {
            "accounts" => &account,
            "agreements" => &rent,
            "parties" => &party,
            "transactions" => &tx,
            "proposals" => "prop1qqqq",
            _ => "x",
        };
        let kinds = if path.contains("{kind}") { vec!["account", "agreement", "key"] } else { vec![""] };
        for kind in kinds {
            let id = match kind {
                "account" => account.as_str(),
                "agreement" => rent.as_str(),
                "key" => "0500",
                _ => id,
            };
            let fill = [
                ("{id}", id),
                ("{kind}", kind),
                ("{height}", &height),
                ("{index}", &index),
                ("{what}", "accounts"),
            ];
            let mut path = fill.iter().fold(path.clone(), |path, (name, value)| path.replace(name, value));
            if path == "/v1/transactions" {
                path += &format!("?party={party}&key={}", hex(&own.body.key.0));
            }
            if path == "/v1/state" {
                let mine = |at: u8| hex(&[&[5][..], &ada.account.0, &[at]].concat());
                path += &format!("?from={}&end={}", mine(0), mine(255));
            }
            let (status, answer) = node.get_as("bob", &path);
            asked += 1;
            if OF_HEADERS.iter().any(|header| path.starts_with(&header.replace("{height}", &height)))
                && status == 200
            {
                assert!(
                    !answer.to_string().contains(&account) && answer.get("list").is_none(),
                    "{path}: {answer}"
                );
            } else if path.starts_with("/v1/state") {
                assert!(answer["rows"].as_array().is_none_or(Vec::is_empty), "{path}: {answer}");
            } else {
                assert!([400, 403, 404].contains(&status), "{path}: {status} {answer}");
            }
            // Whoever may see it sees it there.
            let public = kind == "key" || path.contains("webhooks") || path.contains("proposals");
            let bank_only = path.contains("/bytes") || path.contains("/lists/");
            if !public && !bank_only {
                assert_eq!(node.get_as("ada", &path).0, 200, "{path}");
            }
        }
    }
    assert!(asked > 20, "{asked} routes were asked");
    for list in ["accounts", "agreements"] {
        let (status, answer) = node.get_as("bob", &format!("/v1/{list}?party={party}"));
        assert_eq!((status, answer["code"].as_str()), (404, Some("missing")), "{answer}");
        assert_eq!(node.get_as("ada", &format!("/v1/{list}?party={party}")).0, 200);
    }
    for filter in [format!("account={account}"), format!("agreement={rent}")] {
        // The order pays Bob, who may do nothing with it.
        assert_eq!(node.get_as("bob", &format!("/v1/events?{filter}")).0, 404, "{filter}");
    }
    let views = node.post_as("bob", &format!("/v1/agreements/{rent}/views/history"), &json!({}));
    assert_eq!(views.0, 404, "{}", views.1);
    nothing_of_the_banks(&node, &bob);
}

/// What a customer's token does not allow, whatever is sent.
fn nothing_of_the_banks(node: &Node, bob: &Wallet) {
    let before = node.balance("bob");
    let account = bob.account.to_string();
    let cases: [(&str, Value); 8] = [
        ("/v1/sandbox/clock", json!({ "to": "2027-01-01" })),
        ("/v1/sandbox/faucet", json!({ "account": account, "amount": "1000.00 EUR" })),
        ("/v1/sandbox/act", json!({ "who": "officer", "operation": { "type": "approve", "proposal": "x" } })),
        ("/v1/sandbox/enrol", json!({ "public_key": "00", "amount": "1.00 EUR" })),
        ("/v1/sandbox/force", json!({ "answer": "lost" })),
        ("/v1/webhooks", json!({ "url": "https://hooks.example/" })),
        ("/v1/webhooks/wh_00/replay", json!({ "from": 0 })),
        ("/v1/webhooks/wh_00/resume", json!({})),
    ];
    for (path, body) in cases {
        let (status, answer) = node.post_as("bob", path, &body);
        assert_eq!((status, answer["code"].as_str()), (403, Some("not_allowed")), "{path}: {answer}");
    }
    assert_eq!(node.balance("bob"), before);
}
