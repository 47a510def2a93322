//! Who may see and do what: a token's scopes, and whose an object is.

use crate::home::{Node, Wallet, agent, done, sandbox};
use serde_json::{Value, json};

#[test]
fn a_customer_sees_what_is_the_customers_own() {
    let (_folder, data) = sandbox();
    let node = Node::sandbox(&data);
    let (ada, bob) = (Wallet::of(&node, "ada"), Wallet::of(&node, "bob"));
    let rent = node.get("/v1/agreements/rent")["agreement"].as_str().unwrap().to_string();
    let (_, paid) = node.submit(&ada.pays(&bob.account, 100, 1));
    let place = format!("{}/{}", paid["height"], paid["index"]);
    let (_, funded) = node.get_as("bank", "/v1/receipts/1/2");
    assert_eq!(funded["fate"], "done");
    let status = |who: &str, path: &str| node.get_as(who, path).0;
    let cases = [
        (format!("/v1/accounts/{}", ada.account), 200, 404),
        (format!("/v1/accounts/{}/entries", ada.account), 200, 404),
        (format!("/v1/accounts/{}/statement", ada.account), 200, 404),
        (format!("/v1/proofs/account/{}", ada.account), 200, 404),
        (format!("/v1/agreements/{rent}"), 200, 404),
        (format!("/v1/agreements/{rent}/schedule"), 200, 404),
        (format!("/v1/parties/{}", ada.party), 200, 404),
        (format!("/v1/events?account={}&from=9999", ada.account), 400, 404),
        // Bob was paid by it.
        (format!("/v1/receipts/{place}"), 200, 200),
        (format!("/v1/transactions/{}", paid["transaction"].as_str().unwrap()), 200, 200),
        (format!("/v1/transactions?party={}&key=00000000000000000000000000000000", ada.party), 404, 404),
        // Ada's account was opened and funded by it.
        ("/v1/receipts/1/2".into(), 200, 404),
        ("/v1/receipts/1/2/proof".into(), 200, 404),
        // Names are the bank's.
        ("/v1/accounts/ada".into(), 400, 400),
        ("/v1/lists/accounts".into(), 403, 403),
        (format!("/v1/proofs/key/{}", "00".repeat(33)), 404, 404),
    ];
    for (path, to_ada, to_bob) in cases {
        assert_eq!((status("ada", &path), status("bob", &path)), (to_ada, to_bob), "{path}");
    }
    // What is not there and what may not be seen is the same to a customer.
    let hidden = node.get_as("bob", &format!("/v1/accounts/{}", ada.account)).1;
    assert_eq!(hidden["detail"], format!("there is no {}", ada.account));
    let mine = |who: &str| node.get_as(who, "/v1/accounts").1["accounts"].as_array().unwrap().clone();
    assert_eq!(mine("ada").len(), 1);
    assert_eq!(mine("ada")[0]["account"], ada.account.to_string());
    // A block's items are the bank's to see.
    let block = node.get_as("ada", "/v1/blocks/1").1;
    assert!(block["hash"].is_string() && block.get("list").is_none());
    // Nothing about others is prepared, and nobody else's transaction is handed in.
    let asked = json!({
        "signers": [{ "party": ada.party.to_string() }],
        "operation": { "type": "transfer", "from": ada.account.to_string(), "to": bob.account.to_string(), "amount": "1.00 EUR" },
    });
    assert_eq!(node.post_as("bob", "/v1/transactions:prepare", &asked).0, 403);
    let mine: Value = json!({
        "signers": [{ "party": bob.party.to_string() }],
        "operation": { "type": "transfer", "from": ada.account.to_string(), "to": bob.account.to_string(), "amount": "1.00 EUR" },
    });
    assert_eq!(node.post_as("bob", "/v1/transactions:prepare", &mine).0, 404);
    let tx = ada.pays(&bob.account, 100, 2);
    let signature = tx.signatures[0];
    let signed = json!({
        "body": tenor_wire::hexadecimal::hex(&tx.body.signing_bytes()),
        "signatures": [tenor_wire::hexadecimal::hex(&[signature.r, signature.s].concat())],
    });
    assert_eq!(node.post_as("bob", "/v1/transactions", &signed).0, 403);
    // Naming ada as a signer does not make bob her: what her keys may do is not tried for him.
    let (a, b) = (ada.party.to_string(), bob.party.to_string());
    let close = format!("1f{}03", tenor_wire::hexadecimal::hex(&ada.account.0));
    let hold = json!({
        "type": "hold", "expires_at": "2026-02-01T00:00:00Z",
        "lines": [{ "from": ada.account.to_string(), "to": bob.account.to_string(), "amount": "7.77 EUR" }],
    });
    let hold = json!({ "who": "ada", "operation": hold });
    let (status, held) = node.post_as("bank", "/v1/sandbox/act", &hold);
    assert_eq!((status, held["postings"][0]["act"].as_str()), (201, Some("hold")), "{held}");
    let release = json!({ "type": "release", "hold": held["made"] });
    for signers in [json!([{ "party": a }, { "party": b }]), json!([{ "party": b }, { "party": a }])] {
        for operation in [json!({ "type": "bytes", "hex": close }), release.clone()] {
            let asked = json!({ "signers": signers, "operation": operation });
            let (status, told) = node.post_as("bob", "/v1/transactions:prepare", &asked);
            assert_eq!((status, told["outcome"].as_str()), (200, Some("unknown")), "{told}");
            assert!(told["problem"].is_null() && told["postings"].is_null() && told["gas"]["used"].is_null());
        }
    }
    // Who receives may give it back.
    let alone = json!({ "signers": [{ "party": b }], "operation": release });
    let (_, told) = node.post_as("bob", "/v1/transactions:prepare", &alone);
    let effect = told["effects"][0].as_str();
    assert!(effect.is_some_and(|effect| effect.ends_with("no longer sets aside 7.77 EUR")), "{told}");
    assert_eq!(node.balance("ada"), "999.00");
}

#[test]
fn a_token_ends_at_once_and_is_never_shown_again() {
    let (_folder, data) = sandbox();
    let node = Node::sandbox(&data);
    let with = |header: Option<String>| {
        let request = agent().get(format!("{}/v1/accounts", node.api));
        let request = match header {
            Some(header) => request.header("Authorization", header),
            None => request,
        };
        request.call().unwrap().status().as_u16()
    };
    assert_eq!(with(Some(format!("Bearer {}", node.token("ada")))), 200);
    for wrong in [
        None,
        Some(String::new()),
        Some("Bearer ".into()),
        Some("Bearer tenor_00".into()),
        Some(node.token("ada")),
        Some(format!("Basic {}", node.token("ada"))),
    ] {
        assert_eq!(with(wrong.clone()), 401, "{wrong:?}");
    }
    let listed = done(&data, &["node", "token", "list"]);
    assert_eq!(listed["tokens"].as_array().unwrap().len(), 3);
    assert!(!listed.to_string().contains(&node.token("ada")));
    done(&data, &["node", "token", "end", "ada"]);
    assert_eq!(with(Some(format!("Bearer {}", node.token("ada")))), 401);
    let made = done(&data, &["node", "token", "new", "reader", "--scope", "bank"]);
    let secret = made["secret"].as_str().unwrap();
    assert_eq!(with(Some(format!("Bearer {secret}"))), 200);
    // It reads, and hands nothing in.
    let request = agent()
        .post(format!("{}/v1/transactions", node.api))
        .header("Authorization", format!("Bearer {secret}"));
    assert_eq!(request.send(&[0u8][..]).unwrap().status().as_u16(), 403);
}

#[test]
fn every_answer_is_secured_and_no_other_origin_is_let_in() {
    let (_folder, data) = sandbox();
    let node = Node::sandbox(&data);
    for path in ["/v1/network", "/v1/accounts", "/nowhere"] {
        let answer = agent()
            .get(format!("{}{path}", node.api))
            .header("Origin", "https://elsewhere.example")
            .call()
            .unwrap();
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_string());
        assert_eq!(header("x-content-type-options").as_deref(), Some("nosniff"), "{path}");
        assert_eq!(
            header("content-security-policy").as_deref(),
            Some("default-src 'none'; frame-ancestors 'none'")
        );
        assert_eq!(header("cache-control").as_deref(), Some("no-store"));
        assert_eq!(header("access-control-allow-origin"), None);
    }
}
