//! The API: prepared, signed, handed in, told, proved, followed.

use crate::home::{Node, Wallet, done, sandbox, tenor};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};

/// Messages of a follower, without end.
struct Followed(Box<dyn BufRead>);

impl Followed {
    fn from(node: &Node, who: &str, query: &str) -> Followed {
        let request = crate::home::agent().get(format!("{}/v1/events{query}", node.api));
        let answer = request.header("Authorization", format!("Bearer {}", node.token(who))).call().unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        Followed(Box::new(BufReader::new(answer.into_body().into_reader())))
    }

    /// Id and data of the next message.
    fn next(&mut self) -> (String, Value) {
        let (mut id, mut data) = (String::new(), Value::Null);
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "the stream ended");
            match line.trim_end().split_once(": ") {
                Some(("id", text)) => id = text.into(),
                Some(("data", text)) => data = serde_json::from_str(text).unwrap(),
                _ if line == "\n" && !id.is_empty() => return (id, data),
                _ => {}
            }
        }
    }
}

fn transfer(node: &Node, amount: &str) -> Value {
    let (ada, bob) = (Wallet::of(node, "ada"), Wallet::of(node, "bob"));
    json!({
        "signers": [{ "party": ada.party.to_string() }],
        "operation": {
            "type": "transfer", "from": ada.account.to_string(), "to": bob.account.to_string(), "amount": amount,
        },
    })
}

#[test]
fn a_customer_prepares_signs_and_is_told_the_one_outcome() {
    let (folder, data) = sandbox();
    let node = Node::sandbox(&data);
    let ada = Wallet::of(&node, "ada");
    let (status, prepared) = node.post_as("ada", "/v1/transactions:prepare", &transfer(&node, "12.50 EUR"));
    assert_eq!(status, 200, "{prepared}");
    assert_eq!(prepared["outcome"], "done");
    assert!(prepared["effects"][0].as_str().unwrap().ends_with("pays 12.50 EUR"), "{prepared}");
    assert_eq!(node.balance("ada"), "1000.00");
    let signed = ada.sign(&prepared);
    let (status, told) = node.post_as("ada", "/v1/transactions", &signed);
    assert_eq!((status, &told["status"], &told["fate"]), (201, &json!("final"), &json!("done")), "{told}");
    assert_eq!(told["transaction"], prepared["transaction"]);
    assert_eq!(node.balance("ada"), "987.50");
    // Sent again: the same outcome, nothing more.
    let (status, again) = node.post_as("ada", "/v1/transactions", &signed);
    assert_eq!((status, &again["height"], &again["index"]), (201, &told["height"], &told["index"]));
    assert_eq!(node.balance("ada"), "987.50");
    let id = told["transaction"].as_str().unwrap();
    for path in [
        format!("/v1/transactions/{id}"),
        format!("/v1/transactions?party={}&key={}", ada.party, prepared["idempotency_key"].as_str().unwrap()),
        format!("/v1/receipts/{}/{}", told["height"], told["index"]),
    ] {
        assert_eq!(node.get(&path)["postings"], told["postings"], "{path}");
    }
    // The proof is checked with the genesis document alone.
    let proof = folder.path().join("receipt.proof");
    std::fs::write(&proof, node.bytes(&format!("/v1/transactions/{id}/proof"))).unwrap();
    let balance = folder.path().join("account.proof");
    std::fs::write(&balance, node.bytes(&format!("/v1/proofs/account/{}", ada.account))).unwrap();
    drop(node);
    for proof in [proof, balance] {
        let (code, said) = tenor(&["check", proof.to_str().unwrap(), "--data", data.to_str().unwrap()]);
        assert_eq!(code, 0, "{said}");
    }
}

#[test]
fn a_refusal_is_told_before_and_after_it_is_signed() {
    let (_folder, data) = sandbox();
    let node = Node::sandbox(&data);
    let (status, prepared) = node.post_as("ada", "/v1/transactions:prepare", &transfer(&node, "5000.00 EUR"));
    assert_eq!((status, &prepared["outcome"]), (200, &json!("refused")), "{prepared}");
    let (rule, detail) = (&prepared["problem"]["rule"], prepared["problem"]["detail"].as_str().unwrap());
    assert_eq!((rule, &prepared["problem"]["iso20022"]), (&json!("InsufficientFunds"), &json!("AM04")));
    assert!(detail.contains("has 1000.00 EUR available, 5000.00 EUR needed"), "{detail}");
    let signed = Wallet::of(&node, "ada").sign(&prepared);
    for _ in 0..2 {
        let (status, told) = node.post_as("ada", "/v1/transactions", &signed);
        assert_eq!((status, &told["code"], &told["rule"]), (422, &json!("refused"), rule), "{told}");
        assert_eq!((&told["retry"]["helps"], &told["receipt"]["fate"]), (&json!(false), &json!("refused")));
    }
    let kind = node.get("/problems/refused");
    assert!(kind["explanation"].as_str().unwrap().contains("Nothing moved"));
    assert_eq!(node.balance("ada"), "1000.00");
}

#[test]
fn time_moves_by_request_and_what_falls_due_is_told_without_a_gap() {
    let (_folder, data) = sandbox();
    let node = Node::sandbox(&data);
    let agreement = node.get("/v1/agreements/rent")["agreement"].as_str().unwrap().to_string();
    let path = |rest: &str| format!("/v1/agreements/{agreement}{rest}");
    let schedule = node.get(&path("/schedule?ahead=3"));
    assert_eq!(schedule["schedules"][0]["next"]["date"], "2026-01-10", "{schedule}");
    let shown = node.get(&path(""));
    assert_eq!(shown["schedules"][0]["next"], schedule["schedules"][0]["next"], "{shown}");
    let days: Vec<_> =
        schedule["schedules"][0]["projected"].as_array().unwrap().iter().map(|o| o["date"].clone()).collect();
    assert_eq!(days, ["2026-02-10", "2026-03-10", "2026-04-10"]);
    let mut live = Followed::from(&node, "ada", &format!("?agreement={agreement}"));
    let at = node.get("/v1/network")["as_of"]["height"].as_u64().unwrap();
    let moved = node.post("/v1/sandbox/clock", &json!({ "to": "2026-03-15" }));
    assert!(moved["time"].as_str().unwrap().starts_with("2026-03-15"));
    let live: Vec<_> = (0..3).map(|_| live.next()).collect();
    assert!(live.iter().all(|(_, told)| told["postings"][0]["amount"] == "100.00"), "{live:?}");
    // Who follows from before hears the same, and who comes back goes on behind the last.
    let mut late = Followed::from(&node, "bank", &format!("?agreement={agreement}&from={}", at + 1));
    assert_eq!(
        (0..3).map(|_| late.next().0).collect::<Vec<_>>(),
        live.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>()
    );
    let mut back =
        Followed::from(&node, "bank", &format!("?agreement={agreement}&last_event_id={}", live[0].0));
    assert_eq!(back.next().0, live[1].0);
    assert_eq!(node.balance("ada"), "700.00");
    // As it was.
    for (at, balance) in [
        (at.to_string(), "1000.00"),
        ("2026-01-31".into(), "900.00"),
        ("2026-02-10T00:00:00Z".into(), "800.00"),
    ] {
        assert_eq!(node.get(&format!("/v1/accounts/ada?at={at}"))["balance"], balance, "{at}");
    }
    assert_eq!(node.get(&path(&format!("?at={at}")))["as_of"]["height"], at);
    let statement = node.get("/v1/accounts/ada/statement?from=2026-02-01&to=2026-02-28");
    assert_eq!((&statement["opening"], &statement["closing"]), (&json!("900.00"), &json!("800.00")));
    let view = node.post(&path("/views/next"), &json!({ "arguments": {} }));
    assert_eq!(view["answer"], "2026-04-10", "{view}");
}

#[test]
fn actions_are_those_of_the_state_and_of_who_asks() {
    let (_folder, data) = sandbox();
    let node = Node::sandbox(&data);
    let calls = |who: &str| {
        let (_, document) = node.get_as(
            who,
            &format!(
                "/v1/agreements/{}/actions",
                node.get("/v1/agreements/rent")["agreement"].as_str().unwrap()
            ),
        );
        document["actions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|a| a["call"].as_str().unwrap().to_string())
            .collect::<Vec<_>>()
    };
    assert!(calls("ada").contains(&"pause".to_string()) && !calls("ada").contains(&"resume".to_string()));
    // Who is only paid by it has no part in it.
    let id = node.get("/v1/agreements/rent")["agreement"].as_str().unwrap().to_string();
    assert_eq!(node.get_as("bob", &format!("/v1/agreements/{id}/actions")).0, 404);
    let (ada, rent) = (Wallet::of(&node, "ada"), node.get("/v1/agreements/rent"));
    let asked = json!({
        "signers": [{ "party": ada.party.to_string() }],
        "operation": { "type": "invoke", "agreement": rent["agreement"], "call": "pause" },
    });
    let (status, prepared) = node.post_as("ada", "/v1/transactions:prepare", &asked);
    assert_eq!((status, &prepared["outcome"]), (200, &json!("done")), "{prepared}");
    let (status, told) = node.post_as("ada", "/v1/transactions", &ada.sign(&prepared));
    assert_eq!(status, 201, "{told}");
    assert_eq!(node.get("/v1/agreements/rent")["state"], "Paused");
    assert!(calls("ada").contains(&"resume".to_string()) && !calls("ada").contains(&"pause".to_string()));
}

#[test]
fn an_agreement_is_opened_with_terms_as_json() {
    let (_folder, data) = sandbox();
    let node = Node::sandbox(&data);
    let (ada, bob) = (Wallet::of(&node, "ada"), Wallet::of(&node, "bob"));
    let terms = json!({
        "payer": ada.account.to_string(), "payee": bob.account.to_string(), "amount": "1.00 EUR",
        "rhythm": "monthly", "first": "2026-01-20", "day": 20,
    });
    let ask = |terms: &Value| {
        let operation = json!({ "type": "open", "contract": "standing-order", "terms": terms });
        let asked = json!({ "signers": [{ "party": ada.party.to_string() }], "operation": operation });
        node.post_as("ada", "/v1/transactions:prepare", &asked)
    };
    let (status, prepared) = ask(&terms);
    assert_eq!((status, &prepared["outcome"]), (200, &json!("done")), "{prepared}");
    let (status, told) = node.post_as("ada", "/v1/transactions", &ada.sign(&prepared));
    assert_eq!(status, 201, "{told}");
    assert_eq!(node.get_as("ada", "/v1/agreements").1["agreements"].as_array().unwrap().len(), 2);
    let wrong = |name: &str, value: Value, said: &str| {
        let mut terms = terms.clone();
        terms[name] = value;
        let (status, problem) = ask(&terms);
        assert!(status == 400 && problem["detail"].as_str().unwrap().contains(said), "{problem}");
    };
    wrong("amuont", json!("1.00 EUR"), "did you mean `amount`?");
    wrong("amount", json!(1), "amount with currency");
    wrong("amount", json!("1.001 EUR"), "decimals");
    wrong("day", json!("32"), "day");
    wrong("payee", json!("acct1qqqq"), "account expected");
}

#[test]
fn lists_come_in_pages_that_stay_on_their_block() {
    let (_folder, data) = sandbox();
    let node = Node::sandbox(&data);
    let (ada, bob) = (Wallet::of(&node, "ada"), Wallet::of(&node, "bob"));
    let first = node.get("/v1/accounts?limit=2");
    assert_eq!(first["accounts"].as_array().unwrap().len(), 2);
    assert_eq!(node.submit(&ada.pays(&bob.account, 100, 1)).0, 201);
    let mut seen: Vec<Value> = first["accounts"].as_array().unwrap().clone();
    let mut next = first["next"].clone();
    while let Some(cursor) = next.as_str() {
        let page = node.get(&format!("/v1/accounts?limit=2&cursor={cursor}"));
        assert_eq!(page["as_of"], first["as_of"]);
        seen.extend(page["accounts"].as_array().unwrap().clone());
        next = page["next"].clone();
    }
    assert_eq!(seen.len(), 4);
    let ada_then = seen.iter().find(|row| row["account"] == ada.account.to_string()).unwrap();
    assert_eq!(ada_then["balance"], "1000.00");
    let entries = node.get("/v1/accounts/ada/entries?limit=1");
    assert_eq!(
        (&entries["entries"][0]["amount"], &entries["entries"][0]["balance"]),
        (&json!("-1.00"), &json!("999.00"))
    );
    let more = node.get(&format!("/v1/accounts/ada/entries?cursor={}", entries["next"].as_str().unwrap()));
    assert_eq!(more["entries"][0]["amount"], "1000.00");
    let blocks = node.get("/v1/blocks?limit=2");
    assert_eq!(blocks["blocks"].as_array().unwrap().len(), 2);
    let whole = node.get("/v1/blocks/1");
    let (mut items, mut next) = (vec![], json!("0"));
    while let Some(cursor) = next.as_str() {
        let page = node.get(&format!("/v1/blocks/1?limit=1&cursor={cursor}"));
        assert_eq!(page["list"].as_array().unwrap().len(), 1);
        items.extend(page["list"].as_array().unwrap().clone());
        next = page["next"].clone();
    }
    assert!(items.len() > 1);
    assert_eq!((json!(items), &json!(null)), (whole["list"].clone(), &whole["next"]));
    assert_eq!(node.get_as("bank", "/v1/blocks/1?cursor=01").0, 400);
    assert_eq!(node.get_as("bank", "/v1/blocks/1?cursor=18446744073709551615").1["list"], json!([]));
    for path in [
        "/v1/contracts",
        "/v1/assets",
        "/v1/calendars",
        "/v1/lists/schedules",
        "/v1/parties/ada",
        "/problems",
        "/openapi.json",
    ] {
        node.get(path);
    }
    let calendar = node.get("/v1/calendars")["calendars"][0]["calendar"].as_str().unwrap().to_string();
    let closed = node.get(&format!("/v1/calendars/{calendar}/2026"))["closed"].as_array().unwrap().clone();
    assert!(closed.contains(&json!({ "date": "2026-12-25", "weekday": "friday" })), "{closed:?}");
}

#[test]
fn what_was_done_is_told_after_the_chain_has_dropped_its_key() {
    let (_folder, data) = sandbox();
    let node = Node::sandbox(&data);
    let (ada, bob) = (Wallet::of(&node, "ada"), Wallet::of(&node, "bob"));
    let paid = ada.pays(&bob.account, 100, 1);
    let (status, first) = node.submit(&paid);
    assert_eq!(status, 201, "{first}");
    let to = tenor_abi::date::Timestamp(ada.now.0 + 40 * tenor_abi::date::DAY_MS);
    node.post("/v1/sandbox/clock", &json!({ "to": to.to_string() }));
    let balance = node.balance("bob");
    let (status, again) = node.submit(&paid);
    assert_eq!(
        (status, &again["height"], &again["index"]),
        (201, &first["height"], &first["index"]),
        "{again}"
    );
    assert_eq!(node.submit(&ada.pays(&bob.account, 100, 2)).1["code"], "key_day");
    assert_eq!(node.balance("bob"), balance);
}

#[test]
fn the_faucet_gives_in_a_sandbox_alone() {
    let (_folder, data) = sandbox();
    let node = Node::sandbox(&data);
    let asked = json!({ "account": "ada", "amount": "5.00 EUR" });
    // With the one scope that it needs.
    let out = data.join("mover.token");
    done(&data, &["node", "token", "new", "mover", "--scope=sandbox", "--out", out.to_str().unwrap()]);
    let (status, told) = node.post_as("mover", "/v1/sandbox/faucet", &asked);
    assert_eq!(status, 200, "{told}");
    assert_eq!(node.get_as("mover", "/v1/accounts/ada").0, 403);
    assert_eq!(node.balance("ada"), "1005.00");
    assert_eq!(node.post_as("ada", "/v1/sandbox/faucet", &asked).0, 403);
    for amount in ["0.00 EUR", "9000000000000000000.00 EUR"] {
        let asked = json!({ "account": "ada", "amount": amount });
        let (status, problem) = node.post_as("bank", "/v1/sandbox/faucet", &asked);
        assert_eq!((status, problem["code"].as_str()), (422, Some("refused")), "{problem}");
    }
    assert_eq!(node.balance("ada"), "1005.00");
    assert_eq!(node.stop(), Some(0));
    assert_eq!(done(&data, &["show", "account", "ada"])["balance"], "1005.00");
    let node = Node::run(&data, &[]);
    assert_eq!(node.post_as("bank", "/v1/sandbox/faucet", &asked).0, 404);
}
