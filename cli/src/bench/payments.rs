//! Signed, durable transfers per second over many accounts, beside what the machine can verify.
//!
//! Signatures are checked on every core while the block before executes, as a node does; the clock runs from
//! the first key that is looked up until the state on disk has reached the newest block.

use super::signer::Signer;
use super::{Figure, Measured, Ratio, Scratch, cores, folder_bytes, thread_cpu, verify};
use crate::demo::cast::Cast;
use crate::folder::engine;
use crate::keys::VALIDATOR;
use anyhow::{Context, Result, ensure};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tenor_abi::date::Timestamp;
use tenor_abi::id::{AccountId, ChainId};
use tenor_runtime::chain::{Chain, LOG_FOLDER, STATE_FOLDER, Solo};
use tenor_runtime::execute::Candidate;
use tenor_runtime::state::Room;
use tenor_wire::crypto::PublicKey;
use tenor_wire::op::{Operation, Spend, TransferOp, account_id};
use tenor_wire::receipt::Fate;
use tenor_wire::tx::Transaction;

/// Transfers of a block.
const BLOCK: usize = 1_000;
/// Overdraft of each account in cents, so that nobody needs money to begin with.
const FLOOR: i128 = -1_000_000;
/// Blocks that are checked ahead of the one that executes.
const AHEAD_BLOCKS: usize = 4;
/// Seconds between checkpoints.
const CHECKPOINT_AFTER: Duration = Duration::from_secs(30);

pub(super) fn measure(seconds: u64, accounts: usize, room: Room) -> Result<Measured> {
    ensure!(accounts > 13, "at least 14 accounts pay each other");
    let ceiling = verify::all_cores(seconds)?;
    let scratch = Scratch::new()?;
    let cast = Cast::new(1);
    let signers = in_parts(accounts, Signer::numbered)?;
    let mut genesis = cast.genesis();
    for signer in &signers {
        genesis.operations.extend([signer.enrolment(&cast), signer.account(&cast, "main", FLOOR)]);
    }
    let mut bank = Bank {
        chain: Chain::create(scratch.path(), genesis, engine()?, room)?,
        solo: Solo::new(cast.key(VALIDATOR)),
        payers: signers
            .into_iter()
            .map(|signer| (account_id(&signer.party.0, &cast.eur, "main"), signer))
            .collect(),
    };
    let blocks = ((ceiling * seconds as f64) as usize).div_ceil(BLOCK);
    let signed = bank.sign(blocks * BLOCK)?;
    let count = signed.len() as f64;
    let (begun, spent) = (Instant::now(), thread_cpu());
    bank.pay(signed)?;
    let (at_tip, executing) = (begun.elapsed(), thread_cpu() - spent);
    bank.chain.flush()?;
    let rate = count / begun.elapsed().as_secs_f64();
    let [log_bytes, state_bytes] =
        [LOG_FOLDER, STATE_FOLDER].map(|name| folder_bytes(&scratch.path().join(name)));
    let (log_bytes, state_bytes) = (log_bytes? as f64, state_bytes? as f64);
    let name = if accounts == 1_000_000 { "of_verify_ceiling_1m" } else { "of_verify_ceiling" };
    Ok(Measured {
        figures: vec![
            Figure { name: "payments_per_second".into(), value: rate, unit: "/s" },
            Figure {
                name: "payments_per_second_at_tip".into(),
                value: count / at_tip.as_secs_f64(),
                unit: "/s",
            },
            Figure { name: "execute_us".into(), value: executing.as_secs_f64() * 1e6 / count, unit: "us" },
            Figure { name: "verify_per_second_all_cores".into(), value: ceiling, unit: "/s" },
            Figure { name: "accounts".into(), value: accounts as f64, unit: "1" },
            Figure { name: "log_bytes_per_payment".into(), value: log_bytes / count, unit: "bytes" },
            Figure {
                name: "disk_bytes_per_log_byte".into(),
                value: (log_bytes + state_bytes) / log_bytes,
                unit: "1",
            },
        ],
        ratios: vec![Ratio {
            name,
            value: rate / ceiling,
            of: "payments_per_second",
            to: "verify_per_second_all_cores",
        }],
    })
}

type Payer = (AccountId, Signer);

struct Bank {
    chain: Chain,
    solo: Solo,
    payers: Vec<Payer>,
}

impl Bank {
    /// Signed transfers of one cent; nobody pays twice before everybody has paid once.
    fn sign(&self, count: usize) -> Result<Vec<Transaction>> {
        let (chain, time) = (self.chain.id(), Timestamp(self.chain.tip().time.0 + 1));
        let payers = &self.payers;
        in_parts(count, |number| Ok(transfer(payers, chain, time, number)))
    }

    /// Runs the transfers, block by block, and returns when the last one is durable in the log.
    fn pay(&mut self, signed: Vec<Transaction>) -> Result<()> {
        let ahead = Ahead::new(self.candidates(signed)?);
        thread::scope(|scope| {
            // As many as there are cores: while this thread waits for a sync, each of them has work.
            for _ in 0..cores() {
                scope.spawn(|| ahead.check_all());
            }
            let mut checkpoint = Instant::now();
            for number in 0..ahead.len() {
                let candidates = ahead.wait(number);
                let time = Timestamp(self.chain.tip().time.0 + 1);
                let (built, block) = self.solo.produce(&mut self.chain, time, candidates)?;
                ensure!(built.rejected.is_empty() && built.postponed.is_empty(), "a payment was not taken");
                let done = block.receipts.iter().all(|full| full.receipt.fate == Fate::Done);
                ensure!(done, "a payment was not done");
                if checkpoint.elapsed() >= CHECKPOINT_AFTER {
                    self.chain.checkpoint()?;
                    checkpoint = Instant::now();
                }
            }
            anyhow::Ok(())
        })
    }

    fn candidates(&self, signed: Vec<Transaction>) -> Result<Vec<Vec<Unchecked>>> {
        let state = self.chain.state();
        let mut blocks = Vec::with_capacity(signed.len() / BLOCK);
        for tx in signed {
            let candidate = Candidate::from(tx);
            let keys = candidate.keys(&state)?.context("every payer has a key")?;
            if blocks.last().is_none_or(|block: &Vec<_>| block.len() == BLOCK) {
                blocks.push(Vec::with_capacity(BLOCK));
            }
            blocks.last_mut().context("there is a block")?.push((candidate, keys));
        }
        Ok(blocks)
    }
}

fn transfer(payers: &[Payer], chain: ChainId, time: Timestamp, number: usize) -> Transaction {
    let (place, round) = (number % payers.len(), number / payers.len());
    // A step of 1 to 13 never comes back to the payer.
    let (from, signer) = &payers[place];
    let (to, _) = &payers[(place + 1 + round % 13) % payers.len()];
    let op = TransferOp { from: *from, to: *to, amount: 1, narrative: None, reference: None };
    let spend = vec![Spend { account: *from, amount: 1 }];
    signer.sign(chain, time, number as u64, spend, Operation::Transfer(op))
}

/// A transaction and the keys that state holds for its signers.
type Unchecked = (Candidate, Vec<PublicKey>);

/// Blocks whose signatures are checked ahead of their turn.
struct Ahead {
    unchecked: Vec<Mutex<Option<Vec<Unchecked>>>>,
    places: Mutex<Places>,
    /// A block was checked, or was taken.
    moved: Condvar,
}

struct Places {
    /// The block that is checked next.
    next: usize,
    /// The block that is waited for.
    wanted: usize,
    checked: Vec<Option<Vec<Candidate>>>,
}

impl Ahead {
    fn new(blocks: Vec<Vec<Unchecked>>) -> Ahead {
        let checked = blocks.iter().map(|_| None).collect();
        Ahead {
            unchecked: blocks.into_iter().map(|block| Mutex::new(Some(block))).collect(),
            places: Mutex::new(Places { next: 0, wanted: 0, checked }),
            moved: Condvar::new(),
        }
    }

    fn len(&self) -> usize {
        self.unchecked.len()
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks blocks until there are none left, a few ahead of the one that is waited for: who executes
    /// needs a core too.
    fn check_all(&self) {
        loop {
            let waits =
                |places: &mut Places| places.next < self.len() && places.next >= places.wanted + AHEAD_BLOCKS;
            let mut places =
                self.moved.wait_while(self.places(), waits).unwrap_or_else(PoisonError::into_inner);
            if places.next == self.len() {
                return;
            }
            places.next += 1;
            let number = places.next - 1;
            drop(places);
            self.check(number);
        }
    }

    fn check(&self, number: usize) {
        let block = self.unchecked[number].lock().unwrap_or_else(PoisonError::into_inner).take();
        let check = |(mut candidate, keys): Unchecked| {
            candidate.check_under(keys);
            candidate
        };
        let done = block.into_iter().flatten().map(check).collect();
        self.places().checked[number] = Some(done);
        self.moved.notify_all();
    }

    /// A checked block.
    fn wait(&self, number: usize) -> Vec<Candidate> {
        let mut places = self.places();
        places.wanted = number;
        self.moved.notify_all();
        let waits = |places: &mut Places| places.checked[number].is_none();
        let mut places = self.moved.wait_while(places, waits).unwrap_or_else(PoisonError::into_inner);
        places.checked[number].take().unwrap_or_default()
    }
}

/// Makes things on every core, in order.
pub(super) fn in_parts<T: Send>(count: usize, make: impl Fn(usize) -> Result<T> + Sync) -> Result<Vec<T>> {
    let share = count.div_ceil(cores()).max(1);
    thread::scope(|scope| {
        let parts: Vec<_> = (0..count)
            .step_by(share)
            .map(|from| {
                let make = &make;
                scope.spawn(move || (from..count.min(from + share)).map(make).collect::<Result<Vec<T>>>())
            })
            .collect();
        let mut all = Vec::with_capacity(count);
        for part in parts {
            let made = part.join().map_err(|_| anyhow::anyhow!("a thread of the benchmark gave up"))?;
            all.extend(made?);
        }
        Ok(all)
    })
}
