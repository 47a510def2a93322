//! Everything that nobody should send: a predicted answer, a node that is well, nothing moved.

use crate::home::{Node, Wallet, sandbox};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};
use tenor_abi::codec;
use tenor_abi::id::{AccountId, AgreementId, ChainId, PartyId};
use tenor_wire::hexadecimal::hex;
use tenor_wire::tx::Transaction;

/// Half of the group's order is below this; s and order − s are the two forms of a signature.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xba,
    0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
];

/// Sends bytes as they are and reads what comes back until the connection ends.
pub fn raw(node: &Node, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(node.api.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    // A node that has heard enough may have hung up.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

pub fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

pub fn request(node: &Node, head: &str, body: &[u8]) -> String {
    let token = node.token("bank");
    let length = body.len();
    let head = format!(
        "{head}\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    raw(node, &[head.as_bytes(), body].concat())
}

/// The state before and after is one, and the node answers.
pub fn nothing_moved(node: &Node, act: impl FnOnce()) {
    let root = || {
        let network = node.get("/v1/network");
        assert!(node.is_ready());
        (node.balance("ada"), node.balance("bob"), network["chain"].clone())
    };
    let before = root();
    act();
    assert_eq!(root(), before);
}

#[test]
fn bodies_that_are_none_are_refused() {
    let (_folder, data) = sandbox();
    let node = Node::sandbox(&data);
    let (ada, bob) = (Wallet::of(&node, "ada"), Wallet::of(&node, "bob"));
    let sound = json!({
        "signers": [{ "party": ada.party.to_string() }],
        "operation": { "type": "transfer", "from": ada.account.to_string(), "to": bob.account.to_string(), "amount": "1.00 EUR" },
    });
    let prepare = "POST /v1/transactions:prepare HTTP/1.1\r\ncontent-type: application/json";
    assert_eq!(status(&request(&node, prepare, sound.to_string().as_bytes())), 200);
    let with = |change: fn(&mut Value)| {
        let mut body = sound.clone();
        change(&mut body);
        body.to_string()
    };
    let text = sound.to_string();
    let twice = text.replacen("\"amount\"", "\"amount\":\"2.00 EUR\",\"amount\"", 1);
    let twice_above = text.replacen("{", "{\"signers\":[],", 1);
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let cases: Vec<(String, u16, &str)> = vec![
        (String::new(), 400, "not_json"),
        ("{".into(), 400, "not_json"),
        ("\u{0}".into(), 400, "not_json"),
        ("null".into(), 400, "bad_field"),
        ("[]".into(), 400, "bad_field"),
        (twice, 400, "not_json"),
        (twice_above, 400, "not_json"),
        (deep, 400, "not_json"),
        (with(|body| body["more"] = json!(1)), 400, "bad_field"),
        (with(|body| body["operation"]["more"] = json!(1)), 400, "bad_field"),
        (with(|body| body["operation"]["type"] = json!("steal")), 400, "bad_field"),
        (with(|body| body["operation"]["amount"] = json!(1)), 400, "bad_field"),
        (with(|body| body["operation"]["amount"] = json!(1.5)), 400, "not_json"),
        (with(|body| body["operation"]["amount"] = json!("1.005 EUR")), 400, "bad_field"),
        (with(|body| body["operation"]["amount"] = json!("1.00")), 400, "bad_field"),
        (with(|body| body["operation"]["amount"] = json!("1.00 USD")), 400, "bad_field"),
        (with(|body| body["operation"]["amount"] = json!("-1.00 EUR")), 400, "bad_field"),
        (with(|body| body["operation"]["amount"] = json!("1e3 EUR")), 400, "bad_field"),
        (with(|body| body["operation"]["amount"] = json!("9".repeat(400) + " EUR")), 400, "bad_field"),
        (with(|body| body["operation"]["from"] = json!("../../etc/passwd")), 400, "bad_id"),
        (with(|body| body["operation"]["to"] = body["signers"][0]["party"].clone()), 400, "bad_id"),
        (with(|body| body["signers"] = json!([])), 400, "bad_field"),
        (with(|body| body["signers"][0]["key"] = json!(70_000)), 400, "bad_field"),
        (with(|body| body["signers"][0]["key"] = json!(-1)), 400, "bad_field"),
        (with(|body| body["gas_limit"] = json!("1")), 400, "bad_field"),
        (with(|body| body["valid_for_s"] = json!(u64::MAX)), 400, "bad_field"),
        (with(|body| body["idempotency_key"] = json!("00")), 400, "bad_field"),
        (with(|body| body["operation"] = json!({ "type": "bytes", "hex": "ff" })), 400, "bad_field"),
    ];
    nothing_moved(&node, || {
        for (body, expected, code) in cases {
            let answer = request(&node, prepare, body.as_bytes());
            let shown: String = body.chars().take(200).collect();
            assert!(
                status(&answer) == expected && answer.contains(&format!("\"code\":\"{code}\"")),
                "{shown}: {answer}"
            );
            assert!(answer.contains("content-type: application/problem+json"), "{answer}");
        }
        for media in ["text/plain", "application/xml", "multipart/form-data", ""] {
            let head = format!("POST /v1/transactions:prepare HTTP/1.1\r\ncontent-type: {media}");
            assert_eq!(status(&request(&node, &head, text.as_bytes())), 415, "{media}");
        }
        let huge = vec![b' '; 3 * 1024 * 1024];
        assert_eq!(status(&request(&node, prepare, &huge)), 413);
        // Without telling its length: nothing is read.
        let token = node.token("bank");
        let head = format!(
            "{prepare}\r\nhost: x\r\nauthorization: Bearer {token}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
        );
        let chunk = [format!("{:x}\r\n", huge.len()).as_bytes(), &huge, b"\r\n0\r\n\r\n"].concat();
        assert_eq!(status(&raw(&node, &[head.as_bytes(), &chunk].concat())), 411);
    });
}

#[test]
fn paths_methods_and_queries_that_are_none_are_refused() {
    let (_folder, data) = sandbox();
    let node = Node::sandbox(&data);
    let ada = Wallet::of(&node, "ada").account;
    let cases = [
        ("GET /v1/accounts/../../../etc/passwd HTTP/1.1", 404),
        ("GET /v1/accounts/%2e%2e%2f%2e%2e%2fetc%2fpasswd HTTP/1.1", 400),
        ("GET /v1/accounts/%00 HTTP/1.1", 400),
        ("GET /v1/accounts/%ff%fe HTTP/1.1", 400),
        ("GET /v1/accounts/%zz HTTP/1.1", 400),
        ("GET //v1/accounts HTTP/1.1", 404),
        ("GET /v1/accounts/ HTTP/1.1", 404),
        ("GET /V1/accounts HTTP/1.1", 404),
        ("GET /v1/accounts?limit=0 HTTP/1.1", 400),
        ("GET /v1/accounts?limit=201 HTTP/1.1", 400),
        ("GET /v1/accounts?limit=-1 HTTP/1.1", 400),
        ("GET /v1/accounts?limit=1&limit=2 HTTP/1.1", 400),
        ("GET /v1/accounts?limit=05 HTTP/1.1", 400),
        ("GET /v1/accounts?limit=%2B5 HTTP/1.1", 400),
        ("GET /v1/accounts/ada/statement?newest=05 HTTP/1.1", 400),
        ("GET /v1/agreements/rent/schedule?past=05 HTTP/1.1", 400),
        ("GET /v1/state?from=05&end=06&at=01 HTTP/1.1", 400),
        ("GET /v1/events?from=%2B1 HTTP/1.1", 400),
        ("GET /v1/accounts/ada?at=01 HTTP/1.1", 400),
        ("GET /v1/accounts/ada?at=2099-01-01 HTTP/1.1", 404),
        ("GET /v1/accounts/ada?at=2099-01-01T00:00:00Z HTTP/1.1", 404),
        ("GET /v1/transactions?party=ada&key=zz HTTP/1.1", 400),
        ("GET /v1/accounts?lmit=1 HTTP/1.1", 400),
        ("GET /v1/accounts?cursor=1 HTTP/1.1", 400),
        ("GET /v1/accounts?cursor=99999999.00 HTTP/1.1", 400),
        ("GET /v1/network?a=b HTTP/1.1", 400),
        ("GET /v1/blocks/18446744073709551616 HTTP/1.1", 400),
        ("GET /v1/blocks/18446744073709551615 HTTP/1.1", 404),
        ("GET /v1/blocks/-1 HTTP/1.1", 400),
        ("GET /v1/blocks/+1 HTTP/1.1", 400),
        ("GET /v1/blocks/01 HTTP/1.1", 400),
        ("GET /v1/blocks?cursor=18446744073709551615 HTTP/1.1", 404),
        ("GET /v1/receipts/1/4294967295 HTTP/1.1", 404),
        ("GET /v1/events?from=18446744073709551615 HTTP/1.1", 400),
        ("GET /v1/events?last_event_id=1.4294967295 HTTP/1.1", 400),
        ("GET /v1/proofs/key/zz HTTP/1.1", 400),
        ("GET /v1/proofs/thing/00 HTTP/1.1", 404),
        ("GET /v1/calendars/TARGET/99999 HTTP/1.1", 400),
        ("GET /v1/transactions/tx1qqqq HTTP/1.1", 400),
        ("DELETE /v1/accounts HTTP/1.1", 405),
        ("PUT /v1/transactions HTTP/1.1", 405),
        ("TRACE /v1/network HTTP/1.1", 405),
        ("OPTIONS /v1/accounts HTTP/1.1", 405),
        ("get /v1/network HTTP/1.1", 405),
        ("GET /v1/network HTTP/9.9", 400),
        ("GET HTTP/1.1", 400),
        ("nonsense", 400),
    ];
    nothing_moved(&node, || {
        for (head, expected) in cases {
            let answer = request(&node, head, b"");
            assert_eq!(status(&answer), expected, "{head}: {answer}");
        }
        // Today is taken, though it is not over.
        let time = node.get("/v1/network")["as_of"]["time"].as_str().unwrap()[..10].to_string();
        let today = node.get(&format!("/v1/accounts/{ada}?at={time}"));
        assert_eq!(today["balance"], node.get(&format!("/v1/accounts/{ada}"))["balance"]);
        let said = node.get_as("bank", "/v1/transactions?party=ada&key=zz").1;
        assert_eq!((&said["code"], &said["given"]), (&json!("bad_query"), &json!("zz")), "{said}");
        for at in ["-1", "99999999", "2026-13-01", "yesterday", "1970-01-01", "1.5", "%00"] {
            let answer = request(&node, &format!("GET /v1/accounts/{ada}?at={at} HTTP/1.1"), b"");
            assert!([400, 404].contains(&status(&answer)), "{at}: {answer}");
        }
    });
}

/// A problem that says what it must, and is explained.
#[track_caller]
pub fn problem(node: &Node, answer: &str, expected: (u16, &str)) {
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let document: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{answer}"));
    assert_eq!((status(answer), document["code"].as_str().unwrap()), expected, "{answer}");
    assert!(head.to_lowercase().contains("content-type: application/problem+json"), "{answer}");
    assert!(document["detail"].is_string() && document["retry"]["helps"].is_boolean(), "{answer}");
    let kind = node.get(document["type"].as_str().unwrap());
    assert_eq!(kind["status"], expected.0);
}

#[test]
fn what_goes_beside_a_request_is_not_guessed_at() {
    let (_folder, data) = sandbox();
    let node = Node::sandbox(&data);
    let (ada, bob) = (Wallet::of(&node, "ada"), Wallet::of(&node, "bob"));
    let tx = ada.pays(&bob.account, 100, 9).to_bytes();
    let submit = "POST /v1/transactions HTTP/1.1\r\ncontent-type: application/octet-stream";
    nothing_moved(&node, || {
        let with = |header: &str| request(&node, &format!("{submit}\r\n{header}"), &tx);
        problem(&node, &with("content-encoding: gzip"), (415, "media_type"));
        problem(&node, &with("content-encoding: gzip, identity"), (415, "media_type"));
        problem(&node, &with("idempotency-key: another"), (400, "bad_field"));
        problem(&node, &with("prefer: wait=soon"), (400, "bad_query"));
        problem(&node, &with("authorization: Bearer tenor_00"), (401, "unauthenticated"));
        // Both lengths: one answer, and what stands behind the shorter one is no request.
        let token = node.token("bank");
        let both = format!(
            "{submit}\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: 5\r\n\
             transfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /v1/network HTTP/1.1\r\nhost: x\r\n\r\n"
        );
        let answer = raw(&node, both.as_bytes());
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
        assert!([400, 411].contains(&status(&answer)), "{answer}");
        let get = |line: &str, header: &str| request(&node, &format!("GET {line} HTTP/1.1\r\n{header}"), b"");
        problem(&node, &get("/v1/events", "last-event-id: nonsense"), (400, "bad_query"));
        problem(&node, &get("/v1/events", "last-event-id: 1.2.3"), (400, "bad_query"));
        problem(&node, &get("/v1/network?access_token=tenor_00", "x-a: b"), (400, "bad_query"));
        problem(&node, &get("/v1/state?from=06&end=05", "x-a: b"), (400, "bad_query"));
        problem(&node, &get("/v1/state?from=05&end=06&limit=0", "x-a: b"), (400, "bad_query"));
        problem(&node, &get("/v1/accounts?limit=-1", "x-a: b"), (400, "bad_query"));
        problem(&node, &get("/nowhere", "x-a: b"), (404, "missing"));
        problem(&node, &get(&format!("/v1/accounts/{}", "a".repeat(9_000)), "x-a: b"), (400, "bad_id"));
        let past =
            get("/v1/network", "range: bytes=0-1\r\nif-none-match: *\r\nupgrade: websocket\r\nexpect: no");
        assert_eq!(status(&past), 200, "{past}");
        let wrong = request(&node, "PATCH /v1/accounts HTTP/1.1", b"");
        problem(&node, &wrong, (405, "method"));
        assert!(wrong.to_lowercase().contains("\r\nallow: get,head\r\n"), "{wrong}");
    });
}

#[test]
fn a_cursor_of_another_s_list_shows_nothing_of_it() {
    let (_folder, data) = sandbox();
    let node = Node::sandbox(&data);
    let height = node.get("/v1/network")["as_of"]["height"].as_u64().unwrap();
    for who in ["ada", "bob"] {
        let own = Wallet::of(&node, who).party;
        for behind in [[0; 64], [0xff; 64]] {
            let behind: String = hex(&behind);
            for list in ["accounts", "agreements"] {
                let (status, said) = node.get_as(who, &format!("/v1/{list}?cursor={height}.{behind}"));
                assert_eq!((status, said["code"].as_str()), (400, Some("bad_query")), "{said}");
            }
        }
        // One that is made of the caller's own rows is none either: a page gives it.
        let own: String = hex(&own.0);
        let (status, said) = node.get_as(who, &format!("/v1/accounts?cursor={height}.{own}"));
        assert_eq!((status, said["code"].as_str()), (400, Some("bad_query")), "{said}");
    }
    // A list that a page gave a cursor in takes it, and no other one.
    let next = |who: &str, path: &str| {
        let (status, page) = node.get_as(who, path);
        assert_eq!(status, 200, "{path}: {page}");
        page["next"].as_str().unwrap().to_string()
    };
    let ada = Wallet::of(&node, "ada").party;
    node.post("/v1/sandbox/faucet", &json!({ "account": "ada", "amount": "1.00 EUR" }));
    node.post("/v1/sandbox/faucet", &json!({ "account": "bob", "amount": "1.00 EUR" }));
    let lists = [
        ("bank", "/v1/accounts?limit=1".to_string()),
        ("ada", "/v1/accounts?limit=1".into()),
        ("bob", "/v1/accounts?limit=1".into()),
        ("bank", "/v1/agreements?limit=1".into()),
        ("bank", "/v1/accounts/ada/entries?limit=1".into()),
        ("bank", "/v1/accounts/bob/entries?limit=1".into()),
        ("bank", "/v1/accounts/ada/statement?newest=1".into()),
        ("bank", "/v1/accounts/bob/statement?newest=1".into()),
        ("bank", "/v1/accounts/ada/statement?newest=1&from=2025-01-01".into()),
    ];
    let cursors: Vec<String> = lists.iter().map(|(who, path)| next(who, path)).collect();
    for (at, (who, path)) in lists.iter().enumerate() {
        for (of, cursor) in cursors.iter().enumerate() {
            let (status, said) = node.get_as(who, &format!("{path}&cursor={cursor}"));
            assert_eq!(status, if of == at { 200 } else { 400 }, "{path} {cursor}: {said}");
        }
    }
    // The bank sees a customer's list as the customer does.
    assert_eq!(node.get_as("bank", &format!("/v1/accounts?party={ada}&cursor={}", cursors[1])).0, 200);
}

#[test]
fn heads_that_are_too_much_or_too_slow_are_cut() {
    let (_folder, data) = sandbox();
    let node = Node::run(&data, &["--sandbox", "--head-s=1", "--request-s=1", "--connections=40"]);
    nothing_moved(&node, || {
        let many = "x-a: b\r\n".repeat(200);
        assert_eq!(
            status(&raw(&node, format!("GET /v1/network HTTP/1.1\r\nhost: x\r\n{many}\r\n").as_bytes())),
            431
        );
        let long = "a".repeat(100_000);
        assert_eq!(
            status(&raw(
                &node,
                format!("GET /v1/network HTTP/1.1\r\nhost: x\r\nx-a: {long}\r\n\r\n").as_bytes()
            )),
            431
        );
        let long = format!("GET /{long} HTTP/1.1\r\nhost: x\r\n\r\n");
        assert!([414, 431].contains(&status(&raw(&node, long.as_bytes()))));
        // Two lengths, or a length that is none: nothing is guessed.
        for lengths in
            ["content-length: 5\r\ncontent-length: 6", "content-length: -1", "content-length: 5, 6"]
        {
            let head = format!("POST /v1/transactions HTTP/1.1\r\nhost: x\r\n{lengths}\r\n\r\nhello");
            assert_eq!(status(&raw(&node, head.as_bytes())), 400, "{lengths}");
        }
        // Heads and bodies that never end, more of them than there are places.
        let began = Instant::now();
        let token = node.token("bank");
        let address = node.api.trim_start_matches("http://");
        let slow: Vec<TcpStream> = (0..60).map(|number| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            let head = match number % 2 {
                0 => "GET /v1/network HTTP/1.1\r\nx-".to_string(),
                _ => format!("POST /v1/transactions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{{"),
            };
            stream.write_all(head.as_bytes()).unwrap();
            stream
        }).collect();
        for mut stream in slow {
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            let answer = String::from_utf8_lossy(&answer);
            // A head that was begun and a body that was begun are told alike.
            assert_eq!(status(&answer), 408, "{answer}");
            problem(&node, &answer, (408, "slow"));
        }
        assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
    });
}

#[test]
fn transactions_that_may_not_run_are_refused() {
    let (_folder, data) = sandbox();
    let node = Node::sandbox(&data);
    let (ada, bob) = (Wallet::of(&node, "ada"), Wallet::of(&node, "bob"));
    let sound = ada.pays(&bob.account, 100, 1);
    assert_eq!(node.submit(&sound).0, 201);
    let signed = |change: &dyn Fn(&mut tenor_wire::tx::Body)| {
        let mut body = ada.body(&bob.account, 100, 2);
        change(&mut body);
        body.sign(&[&ada.key])
    };
    let mut other_key = ada.body(&bob.account, 100, 2).sign(&[&bob.key]);
    let mut high = ada.pays(&bob.account, 100, 2);
    high.signatures[0].s = minus(&ORDER, &high.signatures[0].s);
    let mut none = ada.pays(&bob.account, 100, 2);
    none.signatures.clear();
    let mut algorithm = ada.pays(&bob.account, 100, 2);
    algorithm.signatures[0].algorithm = 1;
    let mut changed = ada.pays(&bob.account, 100, 2);
    changed.body.gas_limit += 1;
    let day = |days: i64| {
        move |body: &mut tenor_wire::tx::Body| {
            let day = (i64::from(body.key.day()) + days) as u32;
            body.key.0[..4].copy_from_slice(&day.to_be_bytes());
        }
    };
    let cases: Vec<(Transaction, u16, &str)> = vec![
        (signed(&|body| body.chain = ChainId([9; 32])), 422, "other_chain"),
        (std::mem::replace(&mut other_key, sound.clone()), 422, "signature"),
        (high, 422, "signature"),
        (algorithm, 422, "signature"),
        (changed, 422, "signature"),
        (none, 422, "bad_form"),
        (signed(&|body| body.authorisers[0].key = 7), 422, "unknown_key"),
        (signed(&|body| body.gas_limit = u64::MAX), 422, "gas_limit"),
        (signed(&|body| body.valid_until = body.valid_from), 422, "bad_form"),
        (
            signed(&|body| {
                body.valid_from.0 -= 1 << 40;
                body.valid_until.0 -= 1 << 40;
            }),
            422,
            "window",
        ),
        (signed(&day(-40)), 422, "key_day"),
        (signed(&day(2)), 422, "key_day"),
        (signed(&|body| body.version = 2), 400, "bad_transaction"),
        // The key of the payment that was made, for another one.
        (ada.pays(&bob.account, 101, 1), 409, "key_taken"),
        // Not covered by what was signed, and more than there is: these leave a receipt.
        (
            signed(&|body| {
                body.spend_max.clear();
                body.key.0[15] = 3;
            }),
            422,
            "refused",
        ),
        (ada.pays(&bob.account, 10_000_000, 4), 422, "refused"),
    ];
    nothing_moved(&node, || {
        for (tx, expected, code) in cases {
            let (status, problem) = node.submit(&tx);
            assert_eq!((status, problem["code"].as_str()), (expected, Some(code)), "{problem}");
        }
        let bytes = sound.to_bytes();
        let post = "POST /v1/transactions HTTP/1.1\r\ncontent-type: application/octet-stream";
        for cut in [0, 1, bytes.len() / 2, bytes.len() - 1] {
            assert_eq!(status(&request(&node, post, &bytes[..cut])), 400, "{cut}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(status(&request(&node, post, &longer)), 400);
        for byte in (0..bytes.len()).step_by(17) {
            let mut bytes = bytes.clone();
            bytes[byte] ^= 0x40;
            let answer = request(&node, post, &bytes);
            assert!((400..500).contains(&status(&answer)), "byte {byte}: {answer}");
        }
        // A replay of what was done is told so, in either form.
        assert_eq!(node.submit(&sound).0, 201);
        let signature = sound.signatures[0];
        let json = json!({
            "body": hex(&sound.body.signing_bytes()), "signatures": [hex(&[signature.r, signature.s].concat())],
        });
        assert_eq!(node.post_as("bank", "/v1/transactions", &json).0, 201);
    });
}

fn minus(a: &[u8; 32], b: &[u8; 32]) -> [u8; 32] {
    let (mut difference, mut borrow) = ([0; 32], 0);
    for at in (0..32).rev() {
        let value = i16::from(a[at]) - i16::from(b[at]) - borrow;
        borrow = i16::from(value < 0);
        difference[at] = (value + 256 * borrow) as u8;
    }
    difference
}

#[test]
fn what_cannot_be_used_is_named_with_what_is_possible() {
    let (_folder, data) = sandbox();
    let node = Node::sandbox(&data);
    let transfer = json!({ "type": "transfer", "from": "ada", "to": "bob", "amount": "1.00 EUR" });
    let prepare = |change: &dyn Fn(&mut Value)| {
        let mut body = json!({ "signers": [{ "party": "ada" }], "operation": transfer.clone() });
        change(&mut body);
        ("/v1/transactions:prepare", body)
    };
    let force = |body: Value| ("/v1/sandbox/force", body);
    let hold = json!({ "type": "hold", "lines": [], "expires_at": "soon" });
    let propose = json!({ "type": "propose", "expires_at": "soon", "operation": transfer.clone() });
    let bytes = |hex: &str| json!({ "type": "bytes", "hex": hex });
    let public: String = hex(&codec::encode(&Wallet::of(&node, "ada").key.public()));
    let key = json!({ "type": "add_key", "party": "ada", "number": 1,
        "key": { "public_key": public, "expires_at": "soon" } });
    let cases = [
        (prepare(&|body| body["idempotency_key"] = json!("00")), "idempotency_key", "00", "32 hexadecimal"),
        (prepare(&|body| body["signers"] = json!([])), "signers", "0 signers", "1 to 8"),
        (prepare(&|body| body["operation"] = bytes("zz")), "hex", "zz", "hexadecimal"),
        (prepare(&|body| body["operation"] = bytes("ff")), "hex", "ff", "hexadecimal"),
        (prepare(&|body| body["operation"] = hold.clone()), "expires_at", "soon", "an instant like"),
        (prepare(&|body| body["operation"] = propose.clone()), "expires_at", "soon", "an instant like"),
        (prepare(&|body| body["operation"] = key.clone()), "expires_at", "soon", "an instant like"),
        (force(json!({ "answer": "slow", "seconds": 61 })), "seconds", "61", "0..=60"),
        (force(json!({ "answer": "slow", "times": 0 })), "times", "0", "1..=1000"),
        (force(json!({ "answer": "slow", "reason": "Frozen" })), "reason", "slow", "refused"),
        (
            force(json!({ "answer": "refused", "reason": "Forzen" })),
            "reason",
            "Forzen",
            "the name of a refusal",
        ),
    ];
    for ((path, body), field, given, possible) in cases {
        let (status, said) = node.post_as("bank", path, &body);
        assert_eq!((status, &said["field"], &said["given"]), (400, &json!(field), &json!(given)), "{said}");
        assert!(said["possible"].as_str().unwrap().contains(possible), "{said}");
    }
    for side in ["past", "ahead"] {
        let (status, said) = node.get_as("bank", &format!("/v1/agreements/rent/schedule?{side}=401"));
        assert_eq!(
            (status, &said["given"], &said["possible"]),
            (400, &json!("401"), &json!("0..=400")),
            "{said}"
        );
    }
    // What is not there is not listed nor followed without end.
    let (party, account, agreement) = (PartyId([9; 32]), AccountId([9; 32]), AgreementId([9; 32]));
    for path in [
        format!("/v1/accounts?party={party}"),
        format!("/v1/agreements?party={party}"),
        format!("/v1/events?account={account}"),
        format!("/v1/events?agreement={agreement}"),
    ] {
        for who in ["bank", "ada"] {
            let (status, said) = node.get_as(who, &path);
            assert_eq!((status, &said["code"]), (404, &json!("missing")), "{who} {path}: {said}");
        }
    }
}
