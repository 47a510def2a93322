//! Calls per second of the engine: a transfer of points (argument, two reads, a check, two writes, an event),
//! each on a clean instance, over a state in memory; beside it the same work on the state without wasm, and an
//! empty call.
//!
//! `cargo run --release -p tenor-runtime --example calls`

use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tenor_abi::id::CodeHash;
use tenor_runtime::vm::{CallOutcome, Context, Engine, Guest, HostError, Session, admit};

/// Accounts that have points.
const ACCOUNTS: u64 = 10_000;
/// How long each figure is measured.
const ROUND: Duration = Duration::from_secs(1);
/// Rounds, of which the best counts: other work on the machine only slows one down.
const ROUNDS: u32 = 3;
const GAS: u64 = 1_000_000;

const POINTS: &str = r#"(module
  (@custom "tenor_spec" "points")
  (import "tenor_1" "arg_read" (func $arg_read (param i32 i32) (result i32)))
  (import "tenor_1" "storage_get" (func $get (param i32 i32 i32 i32) (result i32)))
  (import "tenor_1" "storage_set" (func $set (param i32 i32 i32 i32)))
  (import "tenor_1" "emit" (func $emit (param i32 i32 i32)))
  (import "tenor_1" "refuse" (func $refuse (param i32 i32 i32)))
  (memory (export "memory") 2)
  (func $no (param $code i32) (result i32)
    (call $refuse (local.get $code) (i32.const 0) (i32.const 0)) (i32.const 1))
  (func (export "nothing") (result i32) (i32.const 0))
  ;; The argument at 0: payer, payee of 32 bytes, points u64. Balances are u64 at 128 and 136.
  (func (export "transfer") (result i32) (local $points i64) (local $from i64) (local $to i64) (local $read i32)
    (if (i32.ne (call $arg_read (i32.const 0) (i32.const 128)) (i32.const 72)) (then (return (call $no (i32.const 0x8000)))))
    (local.set $points (i64.load (i32.const 64)))
    (if (i32.ne (call $get (i32.const 0) (i32.const 32) (i32.const 128) (i32.const 8)) (i32.const 8))
      (then (return (call $no (i32.const 0x8001)))))
    (local.set $from (i64.load (i32.const 128)))
    (if (i64.lt_u (local.get $from) (local.get $points)) (then (return (call $no (i32.const 0x8002)))))
    (local.set $read (call $get (i32.const 32) (i32.const 32) (i32.const 136) (i32.const 8)))
    (if (i32.and (i32.ne (local.get $read) (i32.const 8)) (i32.ne (local.get $read) (i32.const -1)))
      (then (return (call $no (i32.const 0x8003)))))
    (local.set $to (i64.add (i64.load (i32.const 136)) (local.get $points)))
    (if (i64.lt_u (local.get $to) (local.get $points)) (then (return (call $no (i32.const 0x8004)))))
    (i64.store (i32.const 128) (i64.sub (local.get $from) (local.get $points)))
    (i64.store (i32.const 136) (local.get $to))
    (call $set (i32.const 0) (i32.const 32) (i32.const 128) (i32.const 8))
    (call $set (i32.const 32) (i32.const 32) (i32.const 136) (i32.const 8))
    (call $emit (i32.const 1) (i32.const 0) (i32.const 72))
    (i32.const 0)))"#;

/// A state in memory that keeps rows and events.
struct Shelf {
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
    events: Vec<Vec<u8>>,
}

impl Shelf {
    fn new() -> Shelf {
        let rows =
            (0..ACCOUNTS).map(|number| (account(number).to_vec(), (1u64 << 60).to_le_bytes().to_vec()));
        Shelf { rows: rows.collect(), events: vec![] }
    }

    /// The transfer without a contract.
    fn transfer(&mut self, argument: &[u8]) {
        let points = u64::from_le_bytes(argument[64..].try_into().expect("72 bytes"));
        for (key, adds) in [(&argument[..32], false), (&argument[32..64], true)] {
            let row = self.storage_get(key).expect("in memory").expect("every account has points");
            let old = u64::from_le_bytes(row.as_slice().try_into().expect("8 bytes"));
            let new = if adds { old + points } else { old - points };
            self.storage_set(key, &new.to_le_bytes()).expect("in memory");
        }
        self.emit(1, argument).expect("in memory");
    }
}

type Answer<T> = Result<T, HostError>;

impl Session for Shelf {
    fn emit(&mut self, _event: u16, data: &[u8]) -> Answer<()> {
        if self.events.len() == 4096 {
            self.events.clear();
        }
        self.events.push(data.to_vec());
        Ok(())
    }
    fn storage_get(&mut self, key: &[u8]) -> Answer<Option<Vec<u8>>> {
        Ok(self.rows.get(key).cloned())
    }
    fn storage_set(&mut self, key: &[u8], value: &[u8]) -> Answer<()> {
        self.rows.insert(key.to_vec(), value.to_vec());
        Ok(())
    }
    fn storage_remove(&mut self, key: &[u8]) -> Answer<bool> {
        Ok(self.rows.remove(key).is_some())
    }
    fn storage_next(&mut self, _from: &[u8], _end: &[u8]) -> Answer<Option<(Vec<u8>, Vec<u8>)>> {
        Ok(None)
    }
    fn post(&mut self, _request: &[u8]) -> Answer<Option<u32>> {
        Ok(Some(0))
    }
    fn try_post(&mut self, _request: &[u8]) -> Answer<Option<Vec<u8>>> {
        Ok(None)
    }
    fn collect_up_to(&mut self, _request: &[u8]) -> Answer<Vec<u8>> {
        Ok(vec![0])
    }
    fn balance(&mut self, _account: &[u8]) -> Answer<Vec<u8>> {
        Ok(vec![])
    }
    fn post_entry(&mut self, _request: &[u8]) -> Answer<Vec<u8>> {
        Ok(vec![])
    }
    fn hold(&mut self, _request: &[u8]) -> Answer<Vec<u8>> {
        Ok(vec![])
    }
    fn capture(&mut self, _request: &[u8]) -> Answer<()> {
        Ok(())
    }
    fn release(&mut self, _request: &[u8]) -> Answer<()> {
        Ok(())
    }
    fn statement(&mut self, _request: &[u8], _count: u32) -> Answer<Vec<u8>> {
        Ok(vec![])
    }
    fn postings_since(&mut self, _request: &[u8]) -> Answer<u64> {
        Ok(0)
    }
    fn balance_on(&mut self, _request: &[u8]) -> Answer<Vec<u8>> {
        Ok(vec![])
    }
    fn schedule_start(&mut self, _request: &[u8]) -> Answer<()> {
        Ok(())
    }
    fn schedule_hold(&mut self, _kind: u16) -> Answer<()> {
        Ok(())
    }
    fn schedule_resume(&mut self, _kind: u16) -> Answer<()> {
        Ok(())
    }
    fn schedule_end(&mut self, _kind: u16) -> Answer<()> {
        Ok(())
    }
    fn next_due(&mut self, _kind: u16) -> Answer<Option<Vec<u8>>> {
        Ok(None)
    }
    fn enter_state(&mut self, _state: u16) -> Answer<()> {
        Ok(())
    }
    fn business_day(&mut self, _request: &[u8]) -> Answer<Vec<u8>> {
        Ok(vec![])
    }
}

fn account(number: u64) -> [u8; 32] {
    let mut key = [0x5a; 32];
    key[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
    key[24..].copy_from_slice(&number.to_le_bytes());
    key
}

fn argument(number: u64) -> Vec<u8> {
    let mut argument = account(number.wrapping_mul(7919) % ACCOUNTS).to_vec();
    argument.extend(account((number.wrapping_mul(104_729) + 1) % ACCOUNTS));
    argument.extend((1 + number % 7).to_le_bytes());
    argument
}

/// The best round's nanoseconds for one `work`.
fn measure(name: &str, mut work: impl FnMut(u64)) {
    let mut number = 0;
    let best = (0..ROUNDS).map(|_| {
        let (start, first) = (Instant::now(), number);
        while start.elapsed() < ROUND {
            for _ in 0..100 {
                work(number);
                number += 1;
            }
        }
        start.elapsed().as_nanos() / u128::from(number - first)
    });
    let best = best.min().unwrap_or(0).max(1);
    println!("{name}: {best} ns, {} /s", 1_000_000_000 / best);
}

fn main() -> anyhow::Result<()> {
    let wasm = wat::parse_str(POINTS)?;
    admit(&wasm)?;
    let (engine, code) = (Engine::new()?, CodeHash([1; 32]));
    let start = Instant::now();
    engine.load(&code, &wasm)?;
    println!("load: {} us", start.elapsed().as_micros());
    let mut shelf = Shelf::new();
    let report = engine.call(&code, "transfer", Context::Action, &argument(1), GAS, &mut shelf)?;
    anyhow::ensure!(matches!(report.outcome, CallOutcome::Done { .. }), "{report:?}");
    println!("gas of a transfer: {}", report.gas_used);
    measure("state work alone", |number| shelf.transfer(&argument(number)));
    for call in ["nothing", "transfer"] {
        measure(call, |number| {
            let report = engine.call(&code, call, Context::Action, &argument(number), GAS, &mut shelf);
            assert!(matches!(report.map(|report| report.outcome), Ok(CallOutcome::Done { .. })));
        });
    }
    Ok(())
}
