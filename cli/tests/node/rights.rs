//! Who may see and do what: a token's scopes, and whose an object is.

use crate::home::{Node, Wallet, agent, done, sandbox, submit};
use serde_json::{Value, json};
use tenor_abi::codec;
use tenor_abi::date::{DAY_MS, Timestamp};
use tenor_abi::entry::Side;
use tenor_abi::id::{AgreementId, CodeHash};
use tenor_abi::spec::Period;
use tenor_wire::hexadecimal::hex;
use tenor_wire::op::{EntryLineOp, EntryOp, GrantOp, InvokeOp, Operation, ProposeOp, Seen};
use tenor_wire::tx::Body;

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
        "body": hex(&tx.body.signing_bytes()),
        "signatures": [hex(&[signature.r, signature.s].concat())],
    });
    assert_eq!(node.post_as("bob", "/v1/transactions", &signed).0, 403);
    // Naming ada as a signer does not make bob her: what her keys may do is not tried for him.
    let (a, b) = (ada.party.to_string(), bob.party.to_string());
    let close = format!("1f{}03", hex(&ada.account.0));
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

#[test]
fn of_what_somebody_else_did_with_many_a_customer_sees_the_own_part() {
    let (_folder, data) = sandbox();
    done(&data, &["key", "new", "cleo"]);
    let node = Node::sandbox(&data);
    let (ada, bob, cleo) = (Wallet::of(&node, "ada"), Wallet::of(&node, "bob"), Wallet::of(&node, "cleo"));
    let to = |wallet: &Wallet, amount: &str| json!({ "from": ada.account.to_string(), "to": wallet.account.to_string(), "amount": amount });
    let batch = json!({ "type": "batch", "transfers": [to(&bob, "10.00 EUR"), to(&cleo, "77.00 EUR")] });
    let line = |wallet: &Wallet, side, amount| EntryLineOp { account: wallet.account, side, amount };
    let lines = vec![
        line(&ada, Side::Debit, 3_300),
        line(&bob, Side::Credit, 1_100),
        line(&cleo, Side::Credit, 2_200),
    ];
    let entry = Operation::Entry(EntryOp { lines, value_date: None, narrative: None, reference: None });
    let entry = Body { operation: entry, ..ada.body(&bob.account, 3_300, 7) }.sign(&[&ada.key]);
    let acts = node.post_as("bank", "/v1/sandbox/act", &json!({ "who": "ada", "operation": batch }));
    for ((status, told), bobs, all) in [(acts, 2, 4), (node.submit(&entry), 1, 3)] {
        assert_eq!(status, 201, "{told}");
        let place = format!("{}/{}", told["height"], told["index"]);
        let seen = |who: &str| {
            let told = node.get_as(who, &format!("/v1/receipts/{place}")).1;
            let again =
                node.get_as(who, &format!("/v1/transactions/{}", told["transaction"].as_str().unwrap())).1;
            assert_eq!(again["postings"], told["postings"]);
            let proof = node.get_as(who, &format!("/v1/receipts/{place}/proof")).0;
            (
                told["postings"].as_array().unwrap().len(),
                told["whole"].as_bool().unwrap(),
                proof,
                told.to_string(),
            )
        };
        let (postings, is_whole, proof, told) = seen("bob");
        assert_eq!((postings, is_whole, proof), (bobs, false, 403), "{told}");
        assert!(
            told.contains(&bob.account.to_string()) && !told.contains(&cleo.account.to_string()),
            "{told}"
        );
        for who in ["ada", "bank"] {
            let (postings, is_whole, proof, told) = seen(who);
            assert_eq!((postings, is_whole, proof), (all, true, 200), "{who}: {told}");
        }
    }
    // A payment is the payee's as well as the payer's.
    let (_, paid) = node.submit(&ada.pays(&bob.account, 100, 1));
    let told = node.get_as("bob", &format!("/v1/receipts/{}/{}", paid["height"], paid["index"])).1;
    assert_eq!((told["postings"].as_array().unwrap().len(), &told["whole"]), (2, &json!(true)), "{told}");
}

#[test]
fn why_somebody_elses_account_takes_nothing_is_theirs_to_know() {
    let (_folder, data) = sandbox();
    done(&data, &["account", "limits", "bob", "--ceiling", "600.00"]);
    done(&data, &["key", "new", "cleo"]);
    let node = Node::sandbox(&data);
    let (ada, bob, cleo) = (Wallet::of(&node, "ada"), Wallet::of(&node, "bob"), Wallet::of(&node, "cleo"));
    let asked = json!({
        "signers": [{ "party": ada.party.to_string() }],
        "operation": { "type": "transfer", "from": ada.account.to_string(), "to": bob.account.to_string(), "amount": "200.00 EUR" },
    });
    let prepared = |who: &str| node.post_as(who, "/v1/transactions:prepare", &asked).1;
    let hidden = |told: &Value| {
        let text = told.to_string();
        assert!(text.contains("why is theirs to know"), "{told}");
        for secret in [
            "AboveCeiling",
            "Frozen",
            "600",
            "700",
            "60000",
            "70000",
            "fraud",
            "AC06",
            "AM02",
            "receipt_code",
        ] {
            assert!(!text.contains(secret), "{secret}: {told}");
        }
    };
    let told = prepared("ada");
    assert_eq!(told["outcome"], "refused");
    hidden(&told["problem"]);
    assert_eq!(prepared("bank")["problem"]["rule"], "AboveCeiling");
    // What was signed and handed in is told no more of.
    let (status, told) =
        submit(&agent(), &node.api, &node.token("ada"), &ada.pays(&bob.account, 20_000, 1)).unwrap();
    assert_eq!(
        (status, &told["receipt"]["code"], &told["receipt"]["whole"]),
        (422, &Value::Null, &json!(false))
    );
    let place = format!("{}/{}", told["receipt"]["height"], told["receipt"]["index"]);
    assert_eq!(node.get_as("ada", &format!("/v1/receipts/{place}/proof")).0, 403);
    let told = told["receipt"]["text"].as_str().unwrap();
    assert!(told.contains("theirs to know"), "{told}");
    assert!(node.get(&format!("/v1/receipts/{place}"))["text"].as_str().unwrap().contains("AboveCeiling"));
    // Her own account's reasons are hers.
    let (_, told) =
        submit(&agent(), &node.api, &node.token("ada"), &ada.pays(&cleo.account, 1_000_000, 2)).unwrap();
    assert_eq!(told["rule"], "InsufficientFunds", "{told}");
    // Of an agreement that she does not see nothing is said, not even that it is there.
    let rent = node.get("/v1/agreements/rent")["agreement"].as_str().unwrap().to_string();
    let seen =
        |agreement| Seen { agreement: AgreementId(agreement), code: CodeHash([7; 32]), terms_version: 9 };
    let invoked =
        |agreement| Operation::Invoke(InvokeOp { seen: seen(agreement), call: 1, arguments: vec![] });
    let granted = |agreement| {
        let (account, seen) = (bob.account, seen(agreement));
        let (per_entry, per_period, period) = (100, 100, Period::Month);
        Operation::Grant(GrantOp { seen, account, per_entry, per_period, period, expires_at: None })
    };
    let proposed = |operation| {
        let (operation, expires_at) = (Box::new(operation), Timestamp(ada.now.0 + DAY_MS));
        Operation::Propose(ProposeOp { operation, gas_limit: 1_000_000, spend_max: vec![], expires_at })
    };
    let told = |op: &Operation| {
        let asked = json!({
            "signers": [{ "party": bob.party.to_string() }], "operation": { "type": "bytes", "hex": hex(&codec::encode(op)) },
        });
        let mut told = node.post_as("bob", "/v1/transactions:prepare", &asked).1;
        ["transaction", "body", "digest", "idempotency_key", "valid_from", "valid_until", "as_of", "gas"]
            .iter()
            .for_each(|own| told[*own] = Value::Null);
        told
    };
    let there = rent.parse::<AgreementId>().unwrap().0;
    let none = [9; 32];
    assert_eq!(told(&invoked(there)), told(&invoked(none)));
    assert_eq!(told(&granted(there)), told(&granted(none)));
    for of in [&invoked as &dyn Fn([u8; 32]) -> Operation, &granted] {
        let proposed = |agreement| told(&proposed(of(agreement)));
        assert_eq!(proposed(there), proposed(none));
        assert!(!proposed(there).to_string().contains("standing-order"));
    }
}
