//! Calls of a contract per second of their thread's CPU: the transfer of the example contract `points`.
//!
//! A call is all that a block does for a transaction that passed the door: authority and lifecycle by the spec,
//! the contract as metered wasm, every write journaled, the receipt made, the idempotency key used up. The door
//! and its signature checks come before the clock runs, and nothing goes to disk.

use super::points::{HELD, POINTS, Points};
use super::{Figure, Measured, memory_bytes, thread_cpu};
use crate::folder::engine;
use anyhow::{Result, ensure};
use std::time::Duration;
use tenor_abi::call::{Actor, Call};
use tenor_abi::codec::encode;
use tenor_abi::date::Date;
use tenor_abi::id::{CodeHash, PartyId};
use tenor_runtime::chain::Chain;
use tenor_runtime::execute::{self, Candidate, CheckedTransaction, door};
use tenor_runtime::state::Overlay;
use tenor_runtime::vm::{Bounds, CallOutcome, Context as Occasion, Engine, Guest, Settings, World};
use tenor_wire::receipt::Fate;

/// Calls of a block.
const BLOCK: usize = 10_000;
/// Transactions that a block makes room for at a time, and the rows for each.
const AHEAD: usize = 1024;
const ROWS: usize = 8;
/// Transactions that pass the door before the clock runs for them.
const FEW: usize = 32;
/// Gas of a call whose parts are measured.
const PART_GAS: u64 = 1_000_000;
/// Calls after which the clock is read, when a part is measured.
const PART_CALLS: u32 = 20_000;
/// A module whose `f` does nothing.
const EMPTY: &[u8] = b"\0asm\x01\0\0\0\x01\x05\x01\x60\0\x01\x7f\x03\x02\x01\0\x05\x03\x01\0\x01\x07\x0e\x02\x06memory\x02\0\x01f\0\0\x0a\x06\x01\x04\0\x41\0\x0b";
/// Under which the engine knows it.
const EMPTY_CODE: CodeHash = CodeHash([0; 32]);
/// Calls over which the memory of the process must not grow.
const MANY_CALLS: usize = 1_000_000;
/// Contracts of which each is called.
const MANY_CONTRACTS: u32 = 1_000;

pub(super) fn measure(seconds: u64) -> Result<Measured> {
    let points = Points::issued(|genesis| Ok(Chain::in_memory(genesis, engine()?)?))?;
    let block = points.block()?;
    let mut figures = points.calls(&block, seconds)?;
    figures.extend(points.parts()?);
    figures.extend(points.memory()?);
    Ok(Measured { figures, ratios: vec![] })
}

/// Microseconds of a piece of work, the best of three rounds.
fn each_us(mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        let start = thread_cpu();
        for _ in 0..PART_CALLS {
            work()?;
        }
        best = best.min((thread_cpu() - start).as_secs_f64() * 1e6 / f64::from(PART_CALLS));
    }
    Ok(best)
}

/// What this process takes in memory now.
fn memory(name: &str) -> Result<Figure> {
    Ok(Figure { name: name.into(), value: memory_bytes("self")?, unit: "bytes" })
}

impl Points {
    /// A block of transfers whose signatures were checked.
    fn block(&self) -> Result<Vec<Candidate>> {
        let transfers = (0..BLOCK).map(|number| Ok(self.transfer(self.seen, number)?.into()));
        let mut transfers = transfers.collect::<Result<Vec<Candidate>>>()?;
        execute::check_ahead(&self.chain.state(), &mut transfers)?;
        Ok(transfers)
    }

    /// Transactions that passed the door.
    fn let_in(&self, state: &Overlay<'_>, candidates: &[Candidate]) -> Result<Vec<CheckedTransaction>> {
        let context = self.chain.context(self.time());
        candidates.iter().map(|candidate| Ok(door::check(state, &context, candidate.clone())??)).collect()
    }

    /// Whole calls: everything that a block does for them, their receipts and the day's running hash included.
    fn calls(&self, block: &[Candidate], seconds: u64) -> Result<Vec<Figure>> {
        let (mut spent, mut closing, mut calls, mut gas) = (Duration::ZERO, Duration::ZERO, 0, 0);
        // The same block again and again: each time its writes lie over the same state and are then dropped.
        while spent < Duration::from_secs(seconds.max(1)) {
            let (context, mut state) = (self.chain.context(self.time()), self.chain.state());
            let mut outcomes = Vec::with_capacity(block.len());
            let mut used = Vec::with_capacity(block.len());
            for some in block.chunks(AHEAD) {
                // As a block does: room for some at a time, and each comes through the door shortly before it runs.
                state.reserve(ROWS * some.len());
                for few in some.chunks(FEW) {
                    let checked = self.let_in(&state, few)?;
                    let start = thread_cpu();
                    for checked in &checked {
                        let index = used.len() as u32;
                        outcomes.push(execute::transaction(&mut state, &context, checked, index)??);
                        used.push(checked.used(index));
                    }
                    spent += thread_cpu() - start;
                }
            }
            let ran = thread_cpu();
            execute::use_keys(&mut state, context.height, &used)?;
            let receipts = execute::receipts(outcomes);
            let end = thread_cpu() - ran;
            spent += end;
            closing += end;
            calls += block.len();
            for full in &receipts {
                ensure!(full.receipt.fate == Fate::Done && full.events.len() == 1, "a transfer was not done");
                gas = full.receipt.gas;
            }
        }
        let each = |time: Duration| time.as_secs_f64() * 1e6 / calls as f64;
        Ok(vec![
            Figure { name: "calls_per_second".into(), value: 1e6 / each(spent), unit: "/s" },
            Figure { name: "us_per_call".into(), value: each(spent), unit: "us" },
            Figure { name: "us_of_it_receipts_and_keys".into(), value: each(closing), unit: "us" },
            Figure { name: "gas_per_call".into(), value: gas as f64, unit: "1" },
        ])
    }

    /// What a call's parts take alone: the engine without the chain around it, on a kept instance and on a fresh
    /// one, with an empty call and with the transfer.
    fn parts(&self) -> Result<Vec<Figure>> {
        let mut figures = vec![];
        for (kept_max, empty_name, transfer_name) in
            [(64, "us_empty_call_kept", "us_transfer_kept"), (0, "us_empty_call_fresh", "us_transfer_fresh")]
        {
            let engine = Engine::with(Settings { kept_max, ..Settings::default() })?;
            engine.load(&self.seen.code, POINTS, Bounds::NEW)?;
            engine.load(&EMPTY_CODE, EMPTY, Bounds::NEW)?;
            let mut world = World::default();
            let mut call = |code: &CodeHash, name: &str, argument: &[u8]| -> Result<()> {
                let report = engine.call(code, name, Occasion::Action, argument, PART_GAS, &mut world)?;
                ensure!(matches!(report.outcome, CallOutcome::Done { .. }), "{:?}", report.outcome);
                Ok(())
            };
            let (bank, from, to) = (self.cast.party("bank"), self.holders[0].party, self.holders[1].party);
            call(&self.seen.code, "issue", &self.argument(bank, &encode(&(2u16, from, HELD))))?;
            let transfer = self.argument(from, &encode(&(3u16, from, to, 1u64)));
            figures.push(Figure {
                name: empty_name.into(),
                value: each_us(|| call(&EMPTY_CODE, "f", &transfer))?,
                unit: "us",
            });
            let value = each_us(|| call(&self.seen.code, "transfer", &transfer))?;
            figures.push(Figure { name: transfer_name.into(), value, unit: "us" });
        }
        Ok(figures)
    }

    /// What the process takes in memory around very many calls of one contract, and with very many contracts.
    fn memory(&self) -> Result<Vec<Figure>> {
        let engine = Engine::new()?;
        engine.load(&self.seen.code, POINTS, Bounds::NEW)?;
        let mut world = World::default();
        let (bank, holder) = (self.cast.party("bank"), self.holders[0].party);
        let issue = self.argument(bank, &encode(&(2u16, holder, 1u64)));
        let mut call = |code: &CodeHash, name: &str, argument: &[u8]| -> Result<()> {
            let report = engine.call(code, name, Occasion::Action, argument, PART_GAS, &mut world)?;
            ensure!(matches!(report.outcome, CallOutcome::Done { .. }), "{:?}", report.outcome);
            Ok(())
        };
        call(&self.seen.code, "issue", &issue)?;
        let mut figures = vec![memory("rss_before_calls")?];
        for _ in 0..MANY_CALLS {
            call(&self.seen.code, "issue", &issue)?;
        }
        figures.push(memory("rss_after_1000000_calls")?);
        for number in 1..=MANY_CONTRACTS {
            let mut code = EMPTY_CODE;
            code.0[..4].copy_from_slice(&number.to_le_bytes());
            engine.load(&code, EMPTY, Bounds::NEW)?;
            call(&code, "f", &[])?;
        }
        figures.push(memory("rss_with_1000_contracts")?);
        Ok(figures)
    }

    /// What the host hands to a call by somebody.
    fn argument(&self, actor: PartyId, arguments: &[u8]) -> Vec<u8> {
        let bank = self.cast.party("bank");
        let mut bytes = vec![];
        let call = Call {
            agreement: self.seen.agreement,
            bank,
            actor: Actor::Party(actor),
            time: self.time(),
            date: Date::from_days(20_000),
            booked_at: self.time(),
            state: 0,
            terms: &encode(&(1u16, bank)),
            occurrence: None,
            arguments,
        };
        call.append(&mut bytes);
        bytes
    }
}
