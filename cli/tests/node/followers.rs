//! A thousand who follow events at the same time: each is told each item once, in order, and the node stays small.

use crate::home::{Node, Wallet, sandbox};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

const FOLLOWERS: usize = 1_000;
/// Each has as many followers to look after.
const THREADS: usize = 8;
const PAYMENTS: u64 = 100;
/// Followers that hang up half-way and come back with the last id that they were told.
const COMING_BACK: usize = 100;
/// Most that the node takes of memory, MB.
const MEMORY_MB_MAX: u64 = 200;
const PATIENCE: Duration = Duration::from_secs(120);

struct Follower {
    stream: TcpStream,
    /// What came and is no whole line yet.
    rest: String,
    ids: Vec<String>,
    comes_back: bool,
}

impl Follower {
    fn connect(node: &Node, token: &str, last: Option<&str>) -> TcpStream {
        let mut stream = TcpStream::connect(node.api.trim_start_matches("http://")).unwrap();
        let last = last.map_or(String::new(), |id| format!("Last-Event-ID: {id}\r\n"));
        let head =
            format!("GET /v1/events HTTP/1.1\r\nHost: node\r\nAuthorization: Bearer {token}\r\n{last}\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        stream.set_nonblocking(true).unwrap();
        stream
    }

    /// Comes back with the last id that was told.
    fn again(&mut self, node: &Node, token: &str) {
        self.rest.clear();
        self.stream = Follower::connect(node, token, self.ids.last().map(String::as_str));
    }

    /// Takes what is there; whether it was told to come again, as all places were taken.
    fn read(&mut self) -> bool {
        let mut bytes = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) if self.rest.starts_with("HTTP/1.1 429") => return true,
                Ok(0) => panic!("the node hung up behind {:?}: {}", self.ids.last(), self.rest),
                Ok(count) => self.rest += std::str::from_utf8(&bytes[..count]).unwrap(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        while let Some(end) = self.rest.find('\n').filter(|_| !self.rest.starts_with("HTTP/1.1 429")) {
            let line: String = self.rest.drain(..=end).collect();
            if let Some(id) = line.trim_end().strip_prefix("id: ") {
                self.ids.push(id.into());
            }
        }
        false
    }
}

/// Looks after followers until each was told so many items.
fn follow(node: &Node, token: &str, mut followers: Vec<Follower>) -> Vec<Vec<String>> {
    let began = Instant::now();
    let all = PAYMENTS as usize;
    while followers.iter().any(|follower| follower.ids.len() < all) {
        assert!(began.elapsed() < PATIENCE, "some are not told everything");
        let mut ready: Vec<PollFd<'_>> =
            followers.iter().map(|follower| PollFd::new(&follower.stream, PollFlags::IN)).collect();
        poll(&mut ready, Some(&rustix::time::Timespec { tv_sec: 1, tv_nsec: 0 })).unwrap();
        let ready: Vec<bool> = ready.iter().map(|fd| !fd.revents().is_empty()).collect();
        for (follower, _) in followers.iter_mut().zip(ready).filter(|(_, ready)| *ready) {
            // The node may see the hang-up before only after this.
            if follower.read() {
                follower.again(node, token);
            }
            if follower.comes_back && follower.ids.len() >= all / 2 {
                follower.comes_back = false;
                follower.again(node, token);
            }
        }
    }
    // Whatever would come too often has its time to come.
    followers.into_iter().map(|follower| follower.ids).collect()
}

fn memory_mb(node: &Node) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() / 1024
}

fn following(node: &Node) -> usize {
    let metrics = node.metrics();
    let line = metrics.lines().find_map(|line| line.strip_prefix("tenor_event_followers "));
    line.unwrap().parse().unwrap()
}

#[test]
fn a_thousand_followers_are_told_each_item_once() {
    // A socket is a file, and some systems give a process fewer than there are followers unless it asks.
    let limits = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limits.maximum, ..limits }).unwrap();
    let (_folder, data) = sandbox();
    let node = Node::sandbox(&data);
    let (ada, bob) = (Wallet::of(&node, "ada"), Wallet::of(&node, "bob"));
    let token = node.token("bank");
    let mut followers: Vec<Follower> = (0..FOLLOWERS)
        .map(|number| Follower {
            stream: Follower::connect(&node, &token, None),
            rest: String::new(),
            ids: vec![],
            comes_back: number < COMING_BACK,
        })
        .collect();
    while following(&node) < FOLLOWERS {
        thread::yield_now();
    }
    let told: Vec<Vec<String>> = thread::scope(|scope| {
        let mut parts = vec![];
        while !followers.is_empty() {
            let part = followers.split_off(followers.len().saturating_sub(FOLLOWERS.div_ceil(THREADS)));
            let (node, token) = (&node, &token);
            parts.push(scope.spawn(move || follow(node, token, part)));
        }
        for choice in 1..=PAYMENTS {
            assert_eq!(node.submit(&ada.pays(&bob.account, 1, choice)).0, 201);
        }
        parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
    });
    let memory = memory_mb(&node);
    assert_eq!(told.len(), FOLLOWERS);
    let distinct: BTreeSet<&String> = told[0].iter().collect();
    assert_eq!(distinct.len(), PAYMENTS as usize);
    assert!(told.iter().all(|ids| *ids == told[0]), "all are told the same in the same order");
    assert!(memory <= MEMORY_MB_MAX, "{memory} MB");
    eprintln!("{FOLLOWERS} followers: {memory} MB");
    assert_eq!(node.stop(), Some(0));
}
