//! Webhooks: a receiver on the loopback address that takes messages, fails, hangs and hangs up, and a node that tells it
//! everything all the same, in order, over restarts, signed.

use crate::home::{Node, Wallet, done, sandbox};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long a message may take to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a receiver does with a message.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Does {
    Takes,
    Says(u16),
    Hangs,
    HangsUp,
}

/// A message as it came.
#[derive(Clone, Debug)]
struct Message {
    headers: BTreeMap<String, String>,
    body: String,
    did: Does,
}

impl Message {
    fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }

    fn data(&self) -> Value {
        serde_json::from_str::<Value>(&self.body).unwrap()["data"].clone()
    }

    fn place(&self) -> (u64, u64) {
        let data = self.data();
        (data["height"].as_u64().unwrap(), data["index"].as_u64().unwrap())
    }

    /// Checks the signature as a receiver does, by another implementation than the node's.
    fn is_signed_with(&self, secret: &str) -> bool {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(format!("{}.{}.{}", self.id(), self.headers["webhook-timestamp"], self.body).as_bytes());
        let given = self.headers["webhook-signature"].strip_prefix("v1,").unwrap();
        mac.verify_slice(&STANDARD.decode(given).unwrap()).is_ok()
    }
}

/// A receiver: what is not told to it otherwise it takes.
struct Place {
    url: String,
    does: Arc<Mutex<VecDeque<Does>>>,
    came: Receiver<Message>,
}

impl Place {
    fn open() -> Place {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let does: Arc<Mutex<VecDeque<Does>>> = Arc::default();
        let (to, came) = channel();
        let plan = Arc::clone(&does);
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                let (plan, to) = (Arc::clone(&plan), to.clone());
                // A receiver that hangs holds up its own connection alone.
                std::thread::spawn(move || receive(socket.unwrap(), &plan, &to));
            }
        });
        Place { url, does, came }
    }

    fn will(&self, does: &[Does]) {
        self.does.lock().unwrap().extend(does);
    }

    #[track_caller]
    fn next(&self) -> Message {
        self.came.recv_timeout(PATIENCE).expect("a message comes")
    }

    /// The next message that is taken.
    #[track_caller]
    fn taken(&self) -> Message {
        loop {
            let message = self.next();
            if message.did == Does::Takes {
                return message;
            }
        }
    }
}

fn receive(socket: TcpStream, plan: &Mutex<VecDeque<Does>>, to: &Sender<Message>) {
    let mut lines = BufReader::new(socket.try_clone().unwrap());
    let mut headers = BTreeMap::new();
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    if line.is_empty() {
        return;
    }
    assert!(line.starts_with("POST /told?by=tenor HTTP/1.1"), "{line}");
    loop {
        line.clear();
        lines.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_string());
    }
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    lines.read_exact(&mut body).unwrap();
    let did = plan.lock().unwrap().pop_front().unwrap_or(Does::Takes);
    // Whoever looks may have seen enough.
    let _ = to.send(Message { headers, body: String::from_utf8(body).unwrap(), did });
    let mut socket = socket;
    let status = match did {
        Does::Takes => 204,
        Does::Says(status) => status,
        Does::HangsUp => return,
        // Until the other side has had enough.
        Does::Hangs => return drop(lines.read(&mut [0])),
    };
    let location = if status == 302 { "Location: http://127.0.0.1:1/\r\n" } else { "" };
    let _ = write!(socket, "HTTP/1.1 {status} x\r\n{location}Content-Length: 0\r\n\r\n");
}

fn node(data: &Path, place: &Place, words: &[&str]) -> Node {
    let hosts = format!("--webhook-hosts=other.example:1, {}", place.url);
    let quick = ["--sandbox", "--webhook-retry-ms=5", "--webhook-s=1", "--webhook-ca", CERTIFICATES, &hosts];
    Node::run(data, &[&quick[..], words].concat())
}

/// No receiver with TLS is spoken to; that a host with TLS is allowed needs certificates to trust.
const CERTIFICATES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/node/tls/other.pem");

/// A token that may register webhooks.
fn hooker(data: &Path) {
    let out = data.join("hooker.token");
    let words = ["node", "token", "new", "hooker", "--scope=webhooks", "--scope=bank", "--out"];
    done(data, &[&words[..], &[out.to_str().unwrap()]].concat());
}

#[track_caller]
fn register(node: &Node, place: &Place, more: Value) -> (String, String) {
    let mut asked = json!({ "url": format!("{}/told?by=tenor", place.url) });
    asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let (status, made) = node.post_as("hooker", "/v1/webhooks", &asked);
    assert_eq!(status, 201, "{made}");
    let text = |name: &str| made[name].as_str().unwrap().to_string();
    (text("webhook"), text("secret"))
}

fn until(node: &Node, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let began = std::time::Instant::now();
    loop {
        let (_, hook) = node.get_as("hooker", &format!("/v1/webhooks/{id}"));
        if is_so(&hook) {
            return hook;
        }
        assert!(began.elapsed() < PATIENCE, "{hook}");
        std::thread::yield_now();
    }
}

#[test]
fn a_receiver_that_fails_hangs_and_hangs_up_is_told_everything_once_it_takes_it() {
    let (_folder, data) = sandbox();
    hooker(&data);
    let place = Place::open();
    let first = node(&data, &place, &[]);
    let (ada, bob) = (Wallet::of(&first, "ada"), Wallet::of(&first, "bob"));
    let (id, secret) = register(&first, &place, json!({ "account": "ada" }));
    place.will(&[Does::Says(500), Does::Hangs, Does::HangsUp, Does::Says(302), Does::Says(404)]);
    let (_, paid) = first.submit(&ada.pays(&bob.account, 100, 1));
    let tries: Vec<Message> = (0..6).map(|_| place.next()).collect();
    let did: Vec<Does> = tries.iter().map(|message| message.did).collect();
    use Does::{Hangs, HangsUp, Says, Takes};
    assert_eq!(did, [Says(500), Hangs, HangsUp, Says(302), Says(404), Takes]);
    let last = tries.last().unwrap();
    // One message has one id and one body, and every attempt is signed.
    for message in &tries {
        assert_eq!((message.id(), &message.body), (last.id(), &last.body));
        assert!(message.is_signed_with(&secret));
        assert!(!message.is_signed_with("whsec_AAAA"));
    }
    assert_eq!(last.data()["transaction"], paid["transaction"]);
    assert_eq!(last.data()["fate"], "done");
    let hook = until(&first, &id, |hook| {
        hook["next"]["height"].as_u64() > Some(0) && hook["failing_since"].is_null()
    });
    let attempts = hook["attempts"].as_array().unwrap();
    assert_eq!(
        (attempts.len(), &attempts[0]["status"], &attempts[5]["status"]),
        (6, &json!(500), &json!(204))
    );
    assert!(attempts[1]["error"].as_str().unwrap().contains("no answer within"));
    // The secret is shown once.
    let (_, all) = first.get_as("hooker", "/v1/webhooks");
    assert!(!all.to_string().contains("whsec_") && !all.to_string().contains(&secret));
    // A standing order that is paid is told of as well, and a node that ends meanwhile goes on where it was.
    place.will(&[Does::Says(503); 3]);
    first.submit(&ada.pays(&bob.account, 1, 2));
    assert_eq!(place.next().did, Does::Says(503));
    assert_eq!(first.stop(), Some(0));
    place.does.lock().unwrap().clear();
    let mut second = node(&data, &place, &[]);
    let two = place.taken();
    assert_eq!(two.data()["fate"], "done");
    for choice in 3..23 {
        second.submit(&ada.pays(&bob.account, 1, choice));
        if choice == 10 {
            second.kill();
            second = node(&data, &place, &[]);
        }
    }
    // At least once, in order, nothing left out: a message that came twice has the id that it had.
    let mut places = vec![last.place(), two.place()];
    let mut ids = vec![two.id().to_string()];
    while places.len() < 22 {
        let message = place.taken();
        if ids.last().unwrap() == message.id() {
            continue;
        }
        ids.push(message.id().to_string());
        places.push(message.place());
    }
    assert!(places.is_sorted() && places.windows(2).all(|pair| pair[0] != pair[1]), "{places:?}");
    // Sent again from the beginning, each under its own id.
    let from = places[1].0;
    assert_eq!(
        second.post_as("hooker", &format!("/v1/webhooks/{id}/replay"), &json!({ "from": from })).0,
        200
    );
    let again: Vec<String> = (0..21).map(|_| place.taken().id().to_string()).collect();
    assert_eq!(again, ids);
    let (status, _) =
        second.post_as("hooker", &format!("/v1/webhooks/{id}/replay"), &json!({ "from": 1u64 << 40 }));
    assert_eq!(status, 400);
}

#[test]
fn a_hook_ends_with_its_receiver_its_token_or_itself() {
    let (_folder, data) = sandbox();
    hooker(&data);
    let place = Place::open();
    let running = node(&data, &place, &["--webhooks=2"]);
    let (ada, bob) = (Wallet::of(&running, "ada"), Wallet::of(&running, "bob"));
    let (id, _) = register(&running, &place, json!({}));
    // A receiver that is gone for good is not asked again until somebody says so.
    place.will(&[Does::Says(410)]);
    running.submit(&ada.pays(&bob.account, 1, 1));
    until(&running, &id, |hook| hook["suspended"].as_str().is_some_and(|why| why.contains("410")));
    running.submit(&ada.pays(&bob.account, 1, 2));
    assert_eq!(place.next().did, Does::Says(410));
    assert_eq!(running.post_as("hooker", &format!("/v1/webhooks/{id}/resume"), &Value::Null).0, 200);
    let told = [place.taken(), place.taken()];
    assert!(told[0].place() < told[1].place());
    // As many as the operator says.
    let (other, _) = register(&running, &place, json!({ "account": "bob", "from": 0 }));
    let asked = json!({ "url": format!("{}/told?by=tenor", place.url) });
    let (status, said) = running.post_as("hooker", "/v1/webhooks", &asked);
    assert_eq!((status, &said["code"]), (409, &json!("too_many_webhooks")), "{said}");
    assert!(place.taken().place() < told[0].place(), "what was before is told where it is asked for");
    // Taken away: nothing more comes.
    let delete = |id: &str| running.delete_as("hooker", &format!("/v1/webhooks/{id}"));
    assert_eq!(delete(&other), (200, json!({ "ended": other })));
    assert_eq!(delete(&other).0, 404);
    assert_eq!(running.get_as("hooker", &format!("/v1/webhooks/{other}")).0, 404);
    // A token that was ended has nothing sent to its hook any more, also after a start.
    until(&running, &id, |hook| hook["failing_since"].is_null());
    done(&data, &["node", "token", "end", "hooker"]);
    let out = data.join("onlooker.token");
    let onlooker = ["node", "token", "new", "onlooker", "--scope=webhooks", "--scope=bank", "--out"];
    done(&data, &[&onlooker[..], &[out.to_str().unwrap()]].concat());
    let (_, hook) = running.get_as("onlooker", &format!("/v1/webhooks/{id}"));
    assert!(hook["suspended"].as_str().unwrap().contains("its token `hooker` has ended"), "{hook}");
    while place.came.try_recv().is_ok() {}
    running.submit(&ada.pays(&bob.account, 1, 3));
    assert_eq!(running.stop(), Some(0));
    let running = node(&data, &place, &[]);
    running.submit(&ada.pays(&bob.account, 1, 4));
    assert!(place.came.try_recv().is_err());
    // Made again under its name, it goes on where it was.
    std::fs::remove_file(data.join("hooker.token")).unwrap();
    assert_eq!(running.stop(), Some(0));
    hooker(&data);
    let _running = node(&data, &place, &[]);
    let (three, four) = (place.taken(), place.taken());
    assert!(told[1].place() < three.place() && three.place() < four.place());
}

#[test]
fn who_may_register_and_where_to() {
    let (_folder, data) = sandbox();
    hooker(&data);
    let place = Place::open();
    let node = node(&data, &place, &[]);
    let asked = |url: &str| json!({ "url": url });
    let good = format!("{}/x", place.url);
    for who in ["ada", "bank"] {
        assert_eq!(node.post_as(who, "/v1/webhooks", &asked(&good)).0, 403, "{who}");
        assert_eq!(node.get_as(who, "/v1/webhooks").0, 403, "{who}");
    }
    for url in [
        "http://127.0.0.1:1/",
        "http://localhost/",
        "https://other.example/",
        "http://other.example:1/",
        "https://169.254.169.254/latest",
        "file:///etc/passwd",
        "https://user:word@other.example:1/",
        "",
    ] {
        let (status, said) = node.post_as("hooker", "/v1/webhooks", &asked(url));
        assert_eq!((status, &said["code"]), (400, &json!("bad_field")), "{url}: {said}");
        assert!(said["possible"].as_str().unwrap().contains("https://other.example:1"));
    }
    for wrong in [
        json!({ "url": good, "account": "nobody" }),
        json!({ "url": good, "from": 1u64 << 40 }),
        json!({ "url": good, "secret": "whsec_AAAA" }),
        json!({}),
    ] {
        let (status, said) = node.post_as("hooker", "/v1/webhooks", &wrong);
        assert!(status == 400 || status == 404, "{wrong}: {said}");
    }
    assert_eq!(node.get_as("hooker", "/v1/webhooks").1, json!({ "webhooks": [] }));
}
