//! Streams of events: whose they are, and when they end.

use crate::home::{Node, Wallet, done, sandbox};
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// A stream, or the status with which there is none.
fn follow(node: &Node, who: &str) -> Result<BufReader<TcpStream>, u16> {
    let mut stream = TcpStream::connect(node.api.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let head =
        format!("GET /v1/events HTTP/1.1\r\nHost: node\r\nAuthorization: Bearer {}\r\n\r\n", node.token(who));
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = BufReader::new(stream);
    let mut line = String::new();
    answer.read_line(&mut line).unwrap();
    match line.split(' ').nth(1).unwrap().parse().unwrap() {
        200 => Ok(answer),
        status => Err(status),
    }
}

/// The id of the next message; none when the stream ends.
fn told(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let ids = stream.lines().map_while(Result::ok);
    ids.filter_map(|line| line.strip_prefix("id: ").map(String::from)).next()
}

fn following(node: &Node) -> usize {
    let metrics = node.metrics();
    metrics.lines().find_map(|line| line.strip_prefix("tenor_event_followers ")).unwrap().parse().unwrap()
}

#[test]
fn a_stream_ends_with_its_token() {
    let (_folder, data) = sandbox();
    let node = Node::sandbox(&data);
    let (ada, bob) = (Wallet::of(&node, "ada"), Wallet::of(&node, "bob"));
    let (mut of_ada, mut of_bank) = (follow(&node, "ada").unwrap(), follow(&node, "bank").unwrap());
    assert_eq!(node.submit(&ada.pays(&bob.account, 1, 1)).0, 201);
    assert_eq!(told(&mut of_ada), told(&mut of_bank));
    done(&data, &["node", "token", "end", "ada"]);
    // Another one of the same name is another one.
    done(
        &data,
        &["node", "token", "new", "ada", "--scope", "customer", "--scope", "submit", "--party", "ada"],
    );
    assert_eq!(node.submit(&ada.pays(&bob.account, 1, 2)).0, 201);
    assert!(told(&mut of_bank).is_some());
    assert_eq!(told(&mut of_ada), None);
}

#[test]
fn a_customer_takes_a_customer_s_places_and_gives_them_back_at_once() {
    let (_folder, data) = sandbox();
    let node = Node::run(
        &data,
        &["--sandbox", "--followers=4", "--followers-per-customer=2", "--followers-per-token=1"],
    );
    let of_ada = [follow(&node, "ada").unwrap(), follow(&node, "ada").unwrap()];
    assert_eq!(follow(&node, "ada").err(), Some(429));
    let of_bob = follow(&node, "bob").unwrap();
    let of_bank = follow(&node, "bank").unwrap();
    assert_eq!(follow(&node, "bank").err(), Some(429));
    assert_eq!(follow(&node, "bob").err(), Some(429));
    assert_eq!(following(&node), 4);
    // Hung up, and said to say no more: both have gone, long before anything is told.
    let began = Instant::now();
    drop((of_ada, of_bob));
    of_bank.get_ref().shutdown(Shutdown::Write).unwrap();
    while following(&node) > 0 {
        assert!(began.elapsed() < Duration::from_secs(5), "{} places are not free", following(&node));
        thread::yield_now();
    }
    assert!(follow(&node, "ada").is_ok());
}
