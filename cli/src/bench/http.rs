//! Signed payments and readings through a node: this process is its clients, the node a process of its own.
//!
//! Everything is signed before the clock runs; it stops when no transaction waits any more. What was done is counted
//! afterwards in the node's log.

use super::signer::Signer;
use super::{Figure, Measured, Ratio, Scratch, memory_bytes, process_cpu, verify};
use crate::demo::cast::Cast;
use crate::folder::Folder;
use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tenor_abi::date::{DAY_MS, Timestamp};
use tenor_abi::id::{AccountId, ChainId};
use tenor_node::access::{self, Scope};
use tenor_runtime::chain::Replica;
use tenor_runtime::state::Room;
use tenor_wire::op::{Operation, Spend, TransferOp, account_id};
use tenor_wire::receipt::Fate;

/// Connections at the same time.
const CONNECTIONS: usize = 64;
/// Customers who pay each other.
const ACCOUNTS: usize = 5_000;
/// Overdraft of each account in cents.
const FLOOR: i128 = -1_000_000;
/// Share of the machine's verify ceiling that is offered for each second of measuring: so much that the last block, which
/// waits for its time with few transactions, counts for little.
const OFFERED: f64 = 1.0;
/// Payments of each connection whose way to a final receipt is timed.
const TIMED: usize = 20;
/// Customers who pay while others read.
const PAYERS: usize = 256;
/// Readings of balances.
const READINGS: usize = 100_000;
/// Pause of a client that was told to come again, and between looks at the pool.
const PAUSE: Duration = Duration::from_millis(2);

pub(super) fn measure(seconds: u64) -> Result<Measured> {
    let ceiling = verify::all_cores(seconds)?;
    let scratch = Scratch::new()?;
    let data = scratch.path().join("data");
    let (cast, signers) = (Cast::new(1), (0..ACCOUNTS).map(Signer::numbered).collect::<Result<Vec<_>>>()?);
    let mut genesis = cast.genesis();
    for signer in &signers {
        genesis.operations.extend([signer.enrolment(&cast), signer.account(&cast, "main", FLOOR)]);
    }
    Folder::create(&data, &genesis, &cast.keys(), &cast.names(), None)?;
    let token = access::make(&data, "bench", vec![Scope::Bank, Scope::Submit], None, None)?;
    let node = Node::run(&data)?;
    let network = node.ask("/v1/network", &token)?;
    let time: Timestamp = network["time"].as_str().context("no time")?.parse()?;
    let count = (ceiling * OFFERED * seconds as f64) as usize;
    let people = People { chain: genesis.chain_id(), time, accounts: accounts(&signers, &cast), signers };
    let paying = people.requests(0..count, &token, "");
    let timed = people.requests(count..count + TIMED * CONNECTIONS, &token, "Prefer: wait=30\r\n");
    let more = count + TIMED * CONNECTIONS;
    let paying_more = people.requests(more..more + count / 5, &token, "Prefer: wait=30\r\n");
    let readings = people.readings(&token);

    let (begun, client, server) = (Instant::now(), process_cpu(), node.cpu()?);
    node.send_all(&paying)?;
    node.wait_until_empty()?;
    let took = begun.elapsed().as_secs_f64();
    let (client, server) = ((process_cpu() - client).as_secs_f64(), node.cpu()? - server);
    let mut latencies = node.send_all(&timed)?;
    latencies.sort();
    let quantile = |share: usize| {
        latencies[(latencies.len() * share / 100).min(latencies.len() - 1)].as_secs_f64() * 1e3
    };
    let begun = Instant::now();
    node.send_all(&readings.iter().cycle().take(READINGS).cloned().collect::<Vec<_>>())?;
    let reading = READINGS as f64 / begun.elapsed().as_secs_f64();
    let (busy, paid) = node.read_while_paying(&readings, READINGS, &paying_more)?;
    let memory = node.memory_mb()?;
    node.stop()?;
    let done = count_done(&data)?;
    ensure!(
        done == count + timed.len() + paid.count,
        "{} were acknowledged, {done} are done in the log",
        count + timed.len() + paid.count
    );
    let rate = count as f64 / took;
    let figure = |name: &str, value: f64, unit| Figure { name: name.into(), value, unit };
    Ok(Measured {
        figures: vec![
            figure("payments_per_second", rate, "/s"),
            figure("verify_per_second_all_cores", ceiling, "/s"),
            figure("receipts_in_the_log", done as f64, "1"),
            figure("server_cpu_seconds", server, "s"),
            figure("client_cpu_seconds", client, "s"),
            figure("request_to_final_p50_ms", quantile(50), "ms"),
            figure("request_to_final_p99_ms", quantile(99), "ms"),
            figure("readings_per_second", reading, "/s"),
            figure("readings_per_second_while_paying", busy, "/s"),
            figure("payments_per_second_while_reading", paid.per_second(), "/s"),
            figure("server_memory_mb", memory, "MB"),
        ],
        ratios: vec![
            Ratio {
                name: "of_verify_ceiling",
                value: rate / ceiling,
                of: "payments_per_second",
                to: "verify_per_second_all_cores",
            },
            Ratio {
                name: "readings_kept_while_paying",
                value: busy / reading,
                of: "readings_per_second_while_paying",
                to: "readings_per_second",
            },
        ],
    })
}

fn accounts(signers: &[Signer], cast: &Cast) -> Vec<AccountId> {
    signers.iter().map(|signer| account_id(&signer.party.0, &cast.eur, "main")).collect()
}

fn count_done(data: &Path) -> Result<usize> {
    let folder = Folder::open(data, Room::default())?;
    let mut done = 0;
    for height in 1..=folder.chain.tip().height {
        let block = folder.chain.block(height)?.context("a block is missing")?;
        done += block.receipts.iter().filter(|full| full.receipt.fate == Fate::Done).count();
    }
    Ok(done)
}

struct People {
    chain: ChainId,
    time: Timestamp,
    signers: Vec<Signer>,
    accounts: Vec<AccountId>,
}

impl People {
    /// Whole requests, ready to be sent.
    fn requests(&self, numbers: std::ops::Range<usize>, token: &str, more: &str) -> Vec<Vec<u8>> {
        let cores = super::cores();
        let share = numbers.len().div_ceil(cores).max(1);
        let request = |number: usize| {
            let (from, to) = (number % ACCOUNTS, (number + 1) % ACCOUNTS);
            let op = TransferOp {
                from: self.accounts[from],
                to: self.accounts[to],
                amount: 1,
                narrative: None,
                reference: None,
            };
            let spend = vec![Spend { account: self.accounts[from], amount: 1 }];
            // Signed for a time before the node's, which goes on meanwhile.
            let time = Timestamp(self.time.0.saturating_sub(DAY_MS / 2));
            let tx = self.signers[from].sign(self.chain, time, number as u64, spend, Operation::Transfer(op));
            let body = tx.to_bytes();
            let head = format!(
                "POST /v1/transactions HTTP/1.1\r\nHost: node\r\nAuthorization: Bearer {token}\r\n{more}\
                 Content-Type: application/octet-stream\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            [head.into_bytes(), body].concat()
        };
        let numbers: Vec<usize> = numbers.collect();
        thread::scope(|scope| {
            let parts: Vec<_> = numbers
                .chunks(share)
                .map(|part| {
                    scope.spawn(move || part.iter().map(|number| request(*number)).collect::<Vec<_>>())
                })
                .collect();
            parts.into_iter().flat_map(|part| part.join().unwrap_or_default()).collect()
        })
    }

    fn readings(&self, token: &str) -> Vec<Vec<u8>> {
        let one = |account: &AccountId| {
            format!(
                "GET /v1/accounts/{account} HTTP/1.1\r\nHost: node\r\nAuthorization: Bearer {token}\r\n\r\n"
            )
            .into_bytes()
        };
        self.accounts.iter().step_by(7).map(one).collect()
    }
}

/// Payments that were made beside something else.
struct Paid {
    count: usize,
    took: Duration,
}

impl Paid {
    fn per_second(&self) -> f64 {
        self.count as f64 / self.took.as_secs_f64()
    }
}

struct Node {
    child: Child,
    api: String,
    admin: String,
}

impl Drop for Node {
    fn drop(&mut self) {
        // It has ended already where all went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Node {
    fn run(data: &Path) -> Result<Node> {
        let mut command = Command::new(std::env::current_exe().context("finding this program")?);
        command.args([
            "node",
            "run",
            "--sandbox",
            "--json",
            "--listen=127.0.0.1:0",
            "--admin-listen=127.0.0.1:0",
        ]);
        command.arg("--data").arg(data).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().context("running a node")?;
        let out = child.stdout.take().context("a node says where it listens")?;
        let mut document = String::new();
        for line in BufReader::new(out).lines() {
            document += &line?;
            if document.ends_with('}') {
                break;
            }
        }
        let at: Value = serde_json::from_str(&document).context("a node says where it listens")?;
        let text = |name: &str| at[name].as_str().map(String::from).context("a node says where it listens");
        Ok(Node { api: text("listen")?, admin: text("admin_listen")?, child })
    }

    /// Sends requests over all connections, each connection one after the other; how long each took.
    fn send_all(&self, requests: &[Vec<u8>]) -> Result<Vec<Duration>> {
        let share = requests.len().div_ceil(CONNECTIONS).max(1);
        thread::scope(|scope| {
            let sending: Vec<_> = requests
                .chunks(share)
                .map(|part| scope.spawn(move || Connection::send(&self.api, part)))
                .collect();
            let mut took = vec![];
            for part in sending {
                took.extend(part.join().unwrap_or_else(|_| bail!("a client panicked"))?);
            }
            Ok(took)
        })
    }

    /// So many readings while customers pay, each waiting for the receipt before the next payment: readings a second,
    /// and the payments that were made meanwhile.
    fn read_while_paying(
        &self,
        readings: &[Vec<u8>],
        count: usize,
        paying: &[Vec<u8>],
    ) -> Result<(f64, Paid)> {
        let (over, share) = (AtomicBool::new(false), paying.len().div_ceil(PAYERS).max(1));
        let all: Vec<Vec<u8>> = readings.iter().cycle().take(count).cloned().collect();
        thread::scope(|scope| {
            let begun = Instant::now();
            let payers: Vec<_> = paying
                .chunks(share)
                .map(|part| {
                    let over = &over;
                    scope.spawn(move || -> Result<usize> {
                        let mut paid = 0;
                        let mut connection = Connection::open(&self.api)?;
                        for request in part.iter().take_while(|_| !over.load(Ordering::Relaxed)) {
                            connection.send_one(request)?;
                            paid += 1;
                        }
                        Ok(paid)
                    })
                })
                .collect();
            let read = self.send_all(&all);
            let took = begun.elapsed();
            over.store(true, Ordering::Relaxed);
            let mut paid = 0;
            for payer in payers {
                paid += payer.join().unwrap_or_else(|_| bail!("a client panicked"))?;
            }
            read?;
            let paid = Paid { count: paid, took: begun.elapsed() };
            Ok((count as f64 / took.as_secs_f64(), paid))
        })
    }

    fn ask(&self, path: &str, token: &str) -> Result<Value> {
        let mut answer = ureq::get(format!("http://{}{path}", self.api))
            .header("Authorization", format!("Bearer {token}"))
            .call()?;
        Ok(serde_json::from_slice(&answer.body_mut().read_to_vec()?)?)
    }

    fn wait_until_empty(&self) -> Result<()> {
        loop {
            let metrics =
                ureq::get(format!("http://{}/metrics", self.admin)).call()?.body_mut().read_to_string()?;
            if metrics.contains("\ntenor_pool_transactions 0\n") {
                return Ok(());
            }
            thread::sleep(PAUSE);
        }
    }

    /// Processor time of the node so far, seconds.
    fn cpu(&self) -> Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        // User and system time are the 14th and 15th field; behind the name they are the 12th and 13th.
        let ticks = |place: usize| fields.get(place).and_then(|ticks| ticks.parse::<u64>().ok());
        let ticks =
            ticks(11).zip(ticks(12)).map(|(user, system)| user + system).context("reading processor time")?;
        Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
    }

    fn memory_mb(&self) -> Result<f64> {
        Ok(memory_bytes(&self.child.id().to_string())? / (1024.0 * 1024.0))
    }

    fn stop(mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "the node ended with {status}");
        Ok(())
    }
}

struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    fn open(address: &str) -> Result<Connection> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream: BufReader::new(stream) })
    }

    fn send(address: &str, requests: &[Vec<u8>]) -> Result<Vec<Duration>> {
        let mut connection = Connection::open(address)?;
        let mut took = Vec::with_capacity(requests.len());
        for request in requests {
            let begun = Instant::now();
            connection.send_one(request)?;
            took.push(begun.elapsed());
        }
        Ok(took)
    }

    /// Sends a request until it is taken.
    fn send_one(&mut self, request: &[u8]) -> Result<()> {
        loop {
            self.stream.get_mut().write_all(request)?;
            match self.answer()? {
                (200..=202, _) => return Ok(()),
                (429, _) => thread::sleep(PAUSE),
                (status, body) => bail!("{status}: {}", String::from_utf8_lossy(&body)),
            }
        }
    }

    fn answer(&mut self) -> Result<(u16, Vec<u8>)> {
        let (mut line, mut status, mut length) = (String::new(), 0, 0);
        loop {
            line.clear();
            ensure!(self.stream.read_line(&mut line)? > 0, "the node hung up");
            let text = line.trim_end();
            if text.is_empty() {
                break;
            }
            if status == 0 {
                status = text.split(' ').nth(1).and_then(|code| code.parse().ok()).context("no status")?;
            } else if let Some(given) = text.strip_prefix("content-length: ") {
                length = given.parse()?;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok((status, body))
    }
}
