//! Forced failures: a sandbox answers the next transaction as an app's developer wants to see it answered.

use crate::home::{Node, Wallet, sandbox};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

#[track_caller]
fn force(node: &Node, what: Value) {
    let (status, said) = node.post_as("bank", "/v1/sandbox/force", &what);
    assert_eq!(status, 200, "{said}");
}

#[test]
fn the_next_transaction_is_answered_as_it_was_asked_for() {
    let (_folder, data) = sandbox();
    let node = Node::sandbox(&data);
    let (ada, bob) = (Wallet::of(&node, "ada"), Wallet::of(&node, "bob"));
    // Refused, with the reason that was asked for, as often as the same transaction is sent; the next one is done.
    force(&node, json!({ "answer": "refused", "reason": "Frozen", "party": "ada" }));
    let (status, told) = node.submit(&bob.pays(&ada.account, 1, 1));
    assert_eq!(status, 201, "another party's is not meant: {told}");
    for _ in 0..2 {
        let (status, told) = node.submit(&ada.pays(&bob.account, 1, 1));
        assert_eq!((status, &told["code"], &told["rule"]), (422, &json!("refused"), &json!("Frozen")));
        assert_eq!((&told["forced"], &told["iso20022"]), (&json!(true), &json!("AC06")));
    }
    assert_eq!(node.balance("ada"), "1000.01");
    assert_eq!(node.submit(&ada.pays(&bob.account, 1, 2)).0, 201);
    // Pending, though it is done meanwhile.
    force(&node, json!({ "answer": "pending" }));
    let paid = ada.pays(&bob.account, 1, 3);
    let (status, told) = node.submit(&paid);
    assert_eq!((status, &told["status"]), (202, &json!("pending")));
    assert_eq!(node.submit(&paid).0, 201);
    // Not answered: not handed in, or handed in all the same; either way the same again brings the one outcome.
    for (answer, choice) in [("unavailable", 4), ("lost", 5)] {
        let before = node.balance("bob");
        force(&node, json!({ "answer": answer, "times": 2 }));
        let paid = ada.pays(&bob.account, 1, choice);
        assert_eq!(node.submit(&paid).0, 503, "{answer}");
        let (status, _) = node.submit(&paid);
        assert!(status == 503 || answer == "lost" && status == 201, "{answer}: {status}");
        node.post_as("bank", "/v1/sandbox/force", &json!({ "answer": "pending" }));
        assert_eq!(node.delete_as("bank", "/v1/sandbox/force").0, 200);
        assert_eq!(node.submit(&paid).0, 201);
        assert_ne!(node.balance("bob"), before);
    }
    assert_eq!(node.balance("ada"), "999.97");
    // Answered later.
    force(&node, json!({ "answer": "slow", "seconds": 1 }));
    let began = Instant::now();
    assert_eq!(node.submit(&ada.pays(&bob.account, 1, 6)).0, 201);
    assert!(began.elapsed() >= Duration::from_secs(1));
    for wrong in [
        json!({ "answer": "refsued" }),
        json!({ "answer": "refused", "reason": "Forzen" }),
        json!({ "answer": "slow", "seconds": 61 }),
        json!({ "answer": "slow", "reason": "Frozen" }),
        json!({ "answer": "pending", "times": 0 }),
        json!({ "answer": "pending", "party": "nobody" }),
        json!({}),
    ] {
        let (status, said) = node.post_as("bank", "/v1/sandbox/force", &wrong);
        assert_eq!(status, 400, "{wrong}: {said}");
    }
    assert_eq!(node.post_as("ada", "/v1/sandbox/force", &json!({ "answer": "pending" })).0, 403);
    assert_eq!(node.stop(), Some(0));
    // Outside a sandbox nothing is forced.
    let node = Node::run(&data, &["--clock-wait-s=0", "--heartbeat-s=86400"]);
    assert_eq!(node.post_as("bank", "/v1/sandbox/force", &json!({ "answer": "pending" })).0, 404);
}
