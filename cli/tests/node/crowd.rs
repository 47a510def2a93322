//! Many at once, and a node that is killed under them: each act is done once, and what was acknowledged is there.

use crate::home::{Node, Wallet, agent, command, sandbox, submit};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

const CROWD: u64 = 1_000;
const THREADS: u64 = 50;

#[test]
fn a_thousand_that_hand_in_the_same_have_one_effect() {
    let (_folder, data) = sandbox();
    let node = Node::sandbox(&data);
    let (ada, bob) = (Wallet::of(&node, "ada"), Wallet::of(&node, "bob"));
    let (one, other) = (ada.pays(&bob.account, 100, 1), ada.pays(&bob.account, 200, 2));
    let twin = ada.pays(&bob.account, 300, 2);
    let counts: Mutex<BTreeMap<(u64, u16), u64>> = Mutex::default();
    let places: Mutex<BTreeMap<u64, Vec<Value>>> = Mutex::default();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (node, one, other, twin) = (&node, &one, &other, &twin);
            let (counts, places) = (&counts, &places);
            scope.spawn(move || {
                let (agent, token) = (agent(), node.token("bank"));
                for turn in 0..CROWD / THREADS {
                    for (kind, tx) in [(1, one), (2, if (thread + turn) % 2 == 0 { other } else { twin })] {
                        let (status, told) = submit(&agent, &node.api, &token, tx).unwrap();
                        *counts.lock().unwrap().entry((kind, status)).or_default() += 1;
                        if status == 201 {
                            places.lock().unwrap().entry(kind).or_default().push(told["transaction"].clone());
                        }
                    }
                }
            });
        }
    });
    let counts = counts.into_inner().unwrap();
    assert_eq!(counts.get(&(1, 201)), Some(&CROWD), "{counts:?}");
    let (done, taken) =
        (counts.get(&(2, 201)).copied().unwrap_or(0), counts.get(&(2, 409)).copied().unwrap_or(0));
    assert_eq!((done + taken, done > 0, taken > 0), (CROWD, true, true), "{counts:?}");
    for (kind, told) in places.into_inner().unwrap() {
        assert!(told.iter().all(|one| *one == told[0]), "{kind}");
    }
    let (paid_one, paid_other) = ("997.00", "996.00");
    assert!([paid_one, paid_other].contains(&node.balance("ada").as_str()), "{}", node.balance("ada"));
    assert_eq!(node.get("/v1/accounts/ada/entries")["entries"].as_array().unwrap().len(), 3);
}

/// Clients that stay connected, three times as many as the files that the node is begun with.
const CONNECTED: usize = 192;

#[test]
fn a_node_takes_as_many_files_as_the_system_lets_it_have() {
    let (_folder, data) = sandbox();
    // None of them is cut to make room for another.
    let given = command(&data, &["--sandbox", "--head-s=600"]);
    let mut low = Command::new("sh");
    low.args(["-c", "ulimit -S -n 64 && exec \"$0\" \"$@\""]).arg(given.get_program()).args(given.get_args());
    let node = Node::of(low, &data);
    let host = node.api.strip_prefix("http://").unwrap();
    let connected = (0..CONNECTED).map(|number| {
        let mut stream = TcpStream::connect(host).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        write!(stream, "GET /v1/network HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
        let mut answer = String::new();
        let read = BufReader::new(&stream).read_line(&mut answer);
        assert!(read.is_ok() && answer.starts_with("HTTP/1.1 200"), "connection {number}: {read:?} {answer}");
        stream
    });
    let connected: Vec<TcpStream> = connected.collect();
    assert_eq!(node.balance("ada"), "1000.00");
    drop(connected);
}

/// Kills under load; `TENOR_ROUNDS` asks for more.
const ROUNDS: u64 = 10;
/// Clients that pay and try again.
const CLIENTS: u64 = 8;
/// Acknowledged payments between kills.
const BETWEEN: u64 = 40;

#[test]
fn what_was_acknowledged_survives_every_kill_and_nothing_is_done_twice() {
    let rounds: u64 =
        std::env::var("TENOR_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS);
    let (_folder, data) = sandbox();
    // One port over all lives of the node, so that clients find it again.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let listen = format!("--listen=127.0.0.1:{port}");
    let start = || Node::run(&data, &["--sandbox", &listen]);
    let mut node = start();
    let ada = Wallet::of(&node, "ada");
    let bob = Wallet::of(&node, "bob").account;
    let (api, token) = (node.api.clone(), node.token("bank"));
    let (acknowledged, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let ids: Mutex<Vec<String>> = Mutex::default();
    let ada = Arc::new(ada);
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (ada, api, token) = (Arc::clone(&ada), &api, &token);
            let (acknowledged, stop, ids) = (&acknowledged, &stop, &ids);
            scope.spawn(move || {
                let agent = agent();
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let tx = ada.pays(&bob, 1, (client + 1) << 32 | number);
                    // The same bytes until there is an answer, whatever happens to the node.
                    let told = loop {
                        match submit(&agent, api, token, &tx) {
                            Ok((201, told)) => break told,
                            Ok((503 | 202, _)) | Err(_) => thread::yield_now(),
                            Ok((status, problem)) => panic!("{status}: {problem}"),
                        }
                    };
                    ids.lock().unwrap().push(told["transaction"].as_str().unwrap().to_string());
                    acknowledged.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for round in 1..=rounds {
            while acknowledged.load(Ordering::Relaxed) < round * BETWEEN {
                thread::yield_now();
            }
            node.kill();
            node = start();
        }
        stop.store(true, Ordering::Relaxed);
    });
    let ids = ids.into_inner().unwrap();
    let distinct: std::collections::BTreeSet<&String> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len());
    assert!(ids.len() as u64 >= rounds * BETWEEN);
    // Every acknowledged payment is there, and nothing else was paid.
    let moved = ids.len() as i64;
    let cents = |name: &str| node.balance(name).replace('.', "").parse::<i64>().unwrap();
    assert_eq!((cents("ada"), cents("bob")), (100_000 - moved, 50_000 + moved));
    for id in ids.iter().step_by(7) {
        assert_eq!(node.get(&format!("/v1/transactions/{id}"))["fate"], "done");
    }
    assert_eq!(node.stop(), Some(0));
    let replayed = crate::home::done(&data, &["verify"]);
    assert!(replayed.is_object());
}
