//! Requests that are hardly any: what cannot be read as one is told as a problem too, and nothing is read two ways.

use crate::abuse::{nothing_moved, problem, raw, request, status};
use crate::home::{Node, Wallet, sandbox};
use serde_json::json;

#[test]
fn what_is_no_request_is_told_as_a_problem() {
    let (_folder, data) = sandbox();
    let node = Node::sandbox(&data);
    let get = |line: &str, headers: &str| format!("{line}\r\nhost: x\r\n{headers}\r\n");
    let network = "GET /v1/network HTTP/1.1";
    let uri = |length: usize| format!("GET /{} HTTP/1.1", "a".repeat(length));
    let cases = [
        (get("GET /v1/network", ""), 400, "malformed"),
        (get("GET  /v1/network HTTP/1.1", ""), 400, "malformed"),
        (get("GET /v1/network HTTP/9.9", ""), 400, "malformed"),
        (get("GET v1/network HTTP/1.1", ""), 400, "malformed"),
        (get("G\0T /v1/network HTTP/1.1", ""), 400, "malformed"),
        (get("GET ftp://x/v1/network HTTP/1.1", ""), 400, "malformed"),
        ("SSH-2.0-OpenSSH_9\r\n".into(), 400, "malformed"),
        ("\u{16}\u{3}\u{1}\u{2}".into(), 400, "malformed"),
        (get(network, "x a: b\r\n"), 400, "malformed"),
        (get(network, "x-a : b\r\n"), 400, "malformed"),
        (get(network, ": b\r\n"), 400, "malformed"),
        (get(network, "x-a: b\r\n folded\r\n"), 400, "malformed"),
        (get(network, "x-a: \0\r\n"), 400, "malformed"),
        (get(network, "content-length: +2\r\n"), 400, "malformed"),
        (get(network, "content-length: 2, 2\r\n"), 400, "malformed"),
        (get(network, "transfer-encoding: xchunked\r\n"), 400, "malformed"),
        (get(network, "transfer-encoding: gzip, chunked\r\n"), 411, "length_needed"),
        // RFC 9112, 3.2: one host, no other number of them.
        (format!("{network}\r\n\r\n"), 400, "malformed"),
        (get(network, "host: y\r\n"), 400, "malformed"),
        (format!("{network}\r\nhost: a b\r\n\r\n"), 400, "malformed"),
        (format!("{network}\r\nhost: u:p@x\r\n\r\n"), 400, "malformed"),
        (format!("{network}\r\nhost: x:99999\r\n\r\n"), 400, "malformed"),
        (get(&uri(20_000), ""), 414, "uri_too_long"),
        (get(&uri(40_000), ""), 414, "uri_too_long"),
        (get(&uri(70_000), ""), 414, "uri_too_long"),
        (get(&uri(300_000), ""), 414, "uri_too_long"),
        (get(network, "content-length: 18446744073709551615\r\n"), 413, "too_large"),
        (get(network, "content-length: 18446744073709551616\r\n"), 400, "malformed"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), 400, "malformed"),
        (get(network, &"x: y\r\n".repeat(70)), 431, "head_too_large"),
        (get(network, &"x: y\r\n".repeat(5_000)), 431, "head_too_large"),
        (get(network, &format!("x: {}\r\n", "y".repeat(40_000))), 431, "head_too_large"),
        (get(network, &format!("x: {}\r\n", "y".repeat(300_000))), 431, "head_too_large"),
    ];
    nothing_moved(&node, || {
        for (bytes, expected, code) in cases {
            let answer = raw(&node, bytes.as_bytes());
            let shown: String = bytes.chars().take(80).collect();
            assert_eq!((status(&answer), answer.contains(code)), (expected, true), "{shown}: {answer}");
            problem(&node, &answer, (expected, code));
            assert!(answer.contains("x-content-type-options: nosniff\r\n"), "{answer}");
            assert!(answer.contains("connection: close\r\n"), "{answer}");
        }
        // What was well is answered before what was not, and nothing behind that is read.
        let sound = get(network, "");
        let answer = raw(&node, format!("{sound}nonsense\r\n\r\n{sound}").as_bytes());
        let heads = answer.match_indices("HTTP/1.1 ").map(|(at, _)| status(&answer[at..]));
        // A problem may speak of HTTP as well.
        let statuses: Vec<u16> = heads.filter(|status| *status > 0).collect();
        assert_eq!(statuses, [200, 400], "{answer}");
    });
}

#[test]
fn where_no_token_is_needed_no_other_name_leads_to_the_node() {
    let (_folder, data) = sandbox();
    let node = Node::run(&data, &["--sandbox", "--access=open"]);
    let ask = |host: &str| {
        raw(
            &node,
            format!("GET /v1/accounts HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").as_bytes(),
        )
    };
    for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:80", "[::1]:1"] {
        assert_eq!(status(&ask(host)), 200, "{host}");
    }
    for host in ["rebound.example", "localhost.example", "127.0.0.1.example", "10.0.0.1", ""] {
        let answer = ask(host);
        assert!(status(&answer) == 421 && answer.contains("\"code\":\"other_host\""), "{host}: {answer}");
    }
}

#[test]
fn forms_that_are_allowed_are_read_one_way() {
    let (_folder, data) = sandbox();
    let node = Node::sandbox(&data);
    let token = node.token("bank");
    let get = |line: &str, headers: &str| {
        raw(&node, format!("{line}\r\n{headers}connection: close\r\n\r\n").as_bytes())
    };
    for (line, headers) in [
        ("GET /v1/network HTTP/1.0", String::new()),
        ("GET /v1/network HTTP/1.1", "host:\r\n".into()),
        ("GET http://elsewhere.example/v1/network HTTP/1.1", "host: x:1\r\n".into()),
        ("GET /v1/accounts HTTP/1.1", format!("host: x\r\nauthorization: bearer {token}\r\n")),
    ] {
        let answer = get(line, &headers);
        assert_eq!(status(&answer), 200, "{line}: {answer}");
    }
    // A method in a header or in the query is none.
    let head = "GET /v1/accounts HTTP/1.1\r\nx-http-method-override: DELETE\r\nx-http-method: DELETE";
    assert_eq!(status(&request(&node, head, b"")), 200);
    let answer = request(&node, "GET /v1/accounts?_method=DELETE HTTP/1.1", b"");
    problem(&node, &answer, (400, "bad_query"));
}

#[test]
fn a_header_that_says_one_thing_says_it_once() {
    let (_folder, data) = sandbox();
    let node = Node::sandbox(&data);
    let (ada, bob) = (Wallet::of(&node, "ada"), Wallet::of(&node, "bob"));
    let tx = ada.pays(&bob.account, 100, 9).to_bytes();
    let json = "content-type: application/json";
    let cases = [
        (format!("{json}\r\ncontent-type: application/octet-stream"), 400, "malformed"),
        (format!("{json}\r\ncontent-encoding: identity\r\ncontent-encoding: gzip"), 400, "malformed"),
        (format!("{json}\r\nidempotency-key: a\r\nidempotency-key: b"), 400, "malformed"),
        (format!("{json}\r\nauthorization: Bearer tenor_00"), 401, "unauthenticated"),
        (format!("{json}; charset=utf-16"), 415, "media_type"),
        (format!("{json}; charset=utf-8; charset=utf-16"), 415, "media_type"),
        (format!("{json}, application/octet-stream"), 415, "media_type"),
        (format!("{json}\r\nprefer: WAIT=soon"), 400, "bad_query"),
        (format!("{json}\r\nprefer: wait=18446744073709551616"), 400, "bad_query"),
    ];
    nothing_moved(&node, || {
        // A body that ends before its length is none, and not too large.
        let token = node.token("bank");
        for length in ["100", "300"] {
            let head = format!(
                "POST /v1/transactions HTTP/1.1\r\nhost: x\r\n{json}\r\nauthorization: Bearer {token}\r\n\
                 content-length: {length}\r\nconnection: close\r\n\r\n{{}}"
            );
            problem(&node, &raw(&node, head.as_bytes()), (400, "malformed"));
        }
        for (headers, expected, code) in cases {
            let head = format!("POST /v1/transactions HTTP/1.1\r\n{headers}");
            problem(&node, &request(&node, &head, &tx), (expected, code));
        }
        for header in
            [format!("idempotency-key: {}", "a".repeat(20_000)), format!("prefer: {}", "a".repeat(20_000))]
        {
            let head = format!(
                "POST /v1/transactions HTTP/1.1\r\ncontent-type: application/octet-stream\r\n{header}"
            );
            let answer = request(&node, &head, &tx[1..]);
            assert!(status(&answer) == 400 && answer.len() < 2_000, "{answer}");
        }
        for last in ["+1.0", "01.0", "1.00", "1", "1.-1", &"1".repeat(20_000)] {
            let head = format!("GET /v1/events HTTP/1.1\r\nlast-event-id: {last}");
            problem(&node, &request(&node, &head, b""), (400, "bad_query"));
        }
        let twice = "GET /v1/events HTTP/1.1\r\nlast-event-id: 1.0\r\nlast-event-id: 1.1";
        problem(&node, &request(&node, twice, b""), (400, "malformed"));
    });
}

#[test]
fn a_list_is_no_object_and_a_problem_is_short() {
    let (_folder, data) = sandbox();
    let node = Node::sandbox(&data);
    let (ada, bob) = (Wallet::of(&node, "ada"), Wallet::of(&node, "bob"));
    let (party, from, to) = (ada.party.to_string(), ada.account.to_string(), bob.account.to_string());
    let pays = json!({ "type": "transfer", "from": from, "to": to, "amount": "1.00 EUR" });
    let signers = json!([{ "party": party, "key": 0 }]);
    let line = json!([from, to, "1.00 EUR"]);
    let prepare = [
        json!([signers, pays]),
        json!([signers, pays, null, null, null, null]),
        json!({ "signers": [[party, 0]], "operation": pays }),
        json!({ "signers": signers, "operation": ["transfer", { "from": from, "to": to, "amount": "1.00 EUR" }] }),
        json!({ "signers": signers, "operation": ["transfer", from, to, "1.00 EUR"] }),
        json!({ "signers": signers, "operation": { "type": "batch", "transfers": [line] } }),
        json!({ "signers": signers, "operation": { "type": "hold", "lines": [line], "expires_at": "2026-02-01T00:00:00Z" } }),
        json!({ "signers": signers, "operation": pays, "spend_max": [[from, "1.00 EUR"]] }),
        json!({ "signers": signers, "operation": { "type": "propose", "operation": ["transfer", from, to, "1.00 EUR"],
            "expires_at": "2026-02-01T00:00:00Z" } }),
        json!({ "signers": signers, "operation": { "type": 0 } }),
        json!({ "signers": signers, "operation": { "transfer": pays } }),
    ];
    let others = [
        ("/v1/transactions", json!(["00", ["00"]])),
        ("/v1/agreements/rent/views/history", json!([{}])),
        ("/v1/sandbox/clock", json!(["2026-03-01"])),
        ("/v1/sandbox/faucet", json!(["ada", "1.00 EUR"])),
        ("/v1/sandbox/force", json!(["pending"])),
        ("/v1/sandbox/act", json!(["officer", pays])),
    ];
    nothing_moved(&node, || {
        let all = prepare.iter().map(|body| ("/v1/transactions:prepare", body));
        for (path, body) in all.chain(others.iter().map(|(path, body)| (*path, body))) {
            let (status, answer) = node.post_as("bank", path, body);
            assert_eq!((status, answer["code"].as_str()), (400, Some("bad_field")), "{body}: {answer}");
        }
        for body in ["null", "1", "true", "\"x\"", "[]"] {
            let paths = others.iter().map(|(path, _)| *path).chain(["/v1/transactions:prepare"]);
            for path in paths {
                let head = format!("POST {path} HTTP/1.1\r\ncontent-type: application/json");
                problem(&node, &request(&node, &head, body.as_bytes()), (400, "bad_field"));
            }
        }
        let long = "y".repeat(900_000);
        for body in
            [json!(long), json!({ &long: 1 }), json!({ "signers": [{ "party": long }], "operation": pays })]
        {
            let head = "POST /v1/transactions:prepare HTTP/1.1\r\ncontent-type: application/json";
            let answer = request(&node, head, body.to_string().as_bytes());
            assert!(status(&answer) == 400 && answer.len() < 4_000, "{} bytes", answer.len());
        }
    });
}
