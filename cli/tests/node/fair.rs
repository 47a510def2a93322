//! One who asks for much: others are answered meanwhile, and nothing is done for who has gone.

use crate::abuse::{raw, status};
use crate::home::{Node, Wallet, sandbox};
use serde_json::json;
use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;

/// Requests of the flood, and how many of them may wait beside those at work.
const FLOOD: usize = 32;
const WAITING: usize = 12;
/// Lines of the batch that each asks about.
const LINES: usize = 1_000;

/// A request of Ada's that takes long to answer.
fn batch(node: &Node, who: &str) -> Vec<u8> {
    let (ada, bob) = (Wallet::of(node, "ada"), Wallet::of(node, "bob"));
    let line =
        json!({ "from": ada.account.to_string(), "to": bob.account.to_string(), "amount": "0.01 EUR" });
    let body = json!({
        "signers": [{ "party": ada.party.to_string() }],
        "operation": { "type": "batch", "transfers": vec![line; LINES] },
    });
    let (body, token) = (body.to_string(), node.token(who));
    let head = format!(
        "POST /v1/transactions:prepare HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    [head, body].concat().into_bytes()
}

fn connect(node: &Node) -> TcpStream {
    TcpStream::connect(node.api.trim_start_matches("http://")).unwrap()
}

/// Sends bytes, keeps the connection open and reads what comes back.
fn asked(node: &Node, bytes: &[u8]) -> String {
    let mut stream = connect(node);
    stream.write_all(bytes).unwrap();
    std::io::read_to_string(stream).unwrap()
}

#[test]
fn who_asks_for_much_is_told_so_and_others_are_answered_meanwhile() {
    let (_folder, data) = sandbox();
    let node = Node::run(&data, &["--sandbox", &format!("--waiting-per-customer={WAITING}")]);
    let request = batch(&node, "ada");
    let served = AtomicUsize::new(0);
    let (turned_away, first) = channel();
    let (others_at, busy) = thread::scope(|scope| {
        let flood: Vec<_> = (0..FLOOD)
            .map(|_| {
                let (node, request, served, turned_away) = (&node, &request, &served, turned_away.clone());
                scope.spawn(move || {
                    let answer = asked(node, request);
                    match status(&answer) {
                        200 => _ = served.fetch_add(1, Ordering::SeqCst),
                        _ => _ = turned_away.send(()),
                    }
                    answer
                })
            })
            .collect();
        first.recv().unwrap();
        assert_eq!(node.get_as("bob", "/v1/accounts/acct1").0, 400);
        assert_eq!(node.get_as("bob", "/v1/accounts").0, 200);
        let others_at = served.load(Ordering::SeqCst);
        let answers = flood.into_iter().map(|asking| asking.join().unwrap());
        (others_at, answers.filter(|answer| status(answer) != 200).collect::<Vec<_>>())
    });
    let served = served.into_inner();
    assert_eq!(served + busy.len(), FLOOD);
    assert!(others_at < served, "{others_at} of {served}");
    for answer in busy {
        assert!(status(&answer) == 429 && answer.contains("\"code\":\"busy\""), "{answer}");
        assert!(answer.to_lowercase().contains("\r\nretry-after: 1\r\n"), "{answer}");
    }
    // Behind the flood the customer is answered as before.
    assert_eq!(node.get_as("ada", "/v1/accounts").0, 200);
    assert_eq!(status(&raw(&node, &request)), 200, "who says no more and waits for nobody is answered");
}

#[test]
fn nothing_is_begun_for_who_has_gone() {
    let (_folder, data) = sandbox();
    let node = Node::sandbox(&data);
    let request = batch(&node, "ada");
    for _ in 0..FLOOD {
        connect(&node).write_all(&request).unwrap();
    }
    // The customer's own next request waits behind what was begun.
    assert_eq!(node.get_as("ada", "/v1/accounts").0, 200);
    let answered = |metrics: &str| {
        let line = metrics.lines().find(|line| {
            line.starts_with("tenor_http_requests_total{")
                && line.contains("method=\"POST\"")
                && line.contains("status=\"200\"")
        });
        line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap())
    };
    let answered = answered(&node.metrics());
    assert!(answered < FLOOD / 2, "{answered} of {FLOOD}");
}
