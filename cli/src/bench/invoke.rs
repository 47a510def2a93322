//! Calls of a contract per second of their thread's CPU: the transfer of the example contract `points`.
//!
//! A call is all that a block does for a transaction that passed the door: authority and lifecycle by the spec,
//! the contract as metered wasm, every write journaled, the receipt made, the idempotency key used up. The door
//! and its signature checks come before the clock runs, and nothing goes to disk.

use super::signer::Signer;
use super::{Figure, Measured, thread_cpu};
use crate::demo::cast::Cast;
use crate::keys::VALIDATOR;
use crate::words;
use anyhow::{Context, Result, ensure};
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;
use tenor_abi::codec::{self, encode};
use tenor_abi::date::Timestamp;
use tenor_abi::id::{AgreementId, CodeHash};
use tenor_abi::spec::Spec;
use tenor_runtime::chain::{Chain, Solo};
use tenor_runtime::execute::{self, CheckedTransaction, door};
use tenor_runtime::vm::Engine;
use tenor_wire::op::{InvokeOp, OpenOp, Operation, PublishOp, Seen};
use tenor_wire::receipt::{Fate, FullReceipt};
use tenor_wire::tx::Transaction;

/// The example contract, as built with the command.
const POINTS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/points.wasm"));
/// Parties that pass points to each other.
const HOLDERS: usize = 1_000;
/// Points of each at the beginning.
const HELD: u64 = 1_000_000;
/// Calls of a block.
const BLOCK: usize = 10_000;

pub(super) fn measure(seconds: u64) -> Result<Measured> {
    let points = Points::issued()?;
    let block = points.block()?;
    let (mut spent, mut calls, mut gas) = (Duration::ZERO, 0, 0);
    // The same block again and again: each time its writes lie over the same state and are then dropped.
    while spent < Duration::from_secs(seconds.max(1)) {
        let (context, mut state) = (points.chain.context(points.time()), points.chain.state());
        let start = thread_cpu();
        let run = |(index, checked)| execute::transaction(&mut state, &context, checked, index as u32);
        let outcomes: Vec<_> = block.iter().enumerate().map(run).collect::<Result<_, _>>()?;
        let receipts = execute::receipts(outcomes);
        spent += thread_cpu() - start;
        calls += receipts.len();
        let done = |full: &FullReceipt| full.receipt.fate == Fate::Done && full.events.len() == 1;
        ensure!(receipts.iter().all(done), "a transfer was not done");
        gas = receipts[0].receipt.gas;
    }
    let each = spent.as_secs_f64() / calls as f64;
    Ok(Measured {
        figures: vec![
            Figure { name: "calls_per_second", value: 1.0 / each, unit: "/s" },
            Figure { name: "us_per_call", value: each * 1e6, unit: "us" },
            Figure { name: "gas_per_call", value: gas as f64, unit: "1" },
        ],
        ratios: vec![],
    })
}

/// A chain in memory with points that everybody holds some of.
struct Points {
    chain: Chain,
    solo: Solo,
    cast: Cast,
    holders: Vec<Signer>,
    spec: Spec,
    seen: Seen,
}

impl Points {
    fn issued() -> Result<Points> {
        let cast = Cast::new(1);
        let holders = (0..HOLDERS).map(Signer::numbered).collect::<Result<Vec<_>>>()?;
        let mut genesis = cast.genesis();
        genesis.operations.extend(holders.iter().map(|holder| holder.enrolment(&cast)));
        let chain = Chain::in_memory(genesis, Arc::new(Engine::new()?))?;
        let solo = Solo::new(cast.key(VALIDATOR));
        let seen = Seen { agreement: AgreementId([0; 32]), code: CodeHash([0; 32]), terms_version: 0 };
        let mut points = Points { chain, solo, cast, holders, spec: words::spec_of(POINTS)?, seen };
        points.open()?;
        points.issue()?;
        Ok(points)
    }

    fn open(&mut self) -> Result<()> {
        let bank = self.cast.party("bank");
        let publish = PublishOp { bank, wasm: POINTS.to_vec(), exposure: vec![] };
        let code = self.answer("officer", Operation::Publish(publish))?;
        let terms = encode(&(1u16, bank));
        let agreement =
            self.answer("bank", Operation::Open(OpenOp { code, terms, arguments: encode(&0u16) }))?;
        self.seen = Seen { agreement, code, terms_version: 0 };
        Ok(())
    }

    fn issue(&mut self) -> Result<()> {
        let bank = Signer::of(&self.cast, "bank");
        let issues = self.holders.iter().enumerate().map(|(number, holder)| {
            let call = self.call("issue", encode(&(2u16, holder.party, HELD)))?;
            Ok(bank.sign(self.chain.id(), self.time(), number as u64, vec![], call))
        });
        let issues = issues.collect::<Result<Vec<_>>>()?;
        self.produce(issues).map(|_| ())
    }

    /// A block of transfers that passed the door.
    fn block(&self) -> Result<Vec<CheckedTransaction>> {
        let (context, state) = (self.chain.context(self.time()), self.chain.state());
        let transfers = (0..BLOCK).map(|number| {
            let from = &self.holders[number % HOLDERS];
            // A step of 1 to 13 never comes back to who pays.
            let to = &self.holders[(number + 1 + number / HOLDERS % 13) % HOLDERS];
            let call = self.call("transfer", encode(&(3u16, from.party, to.party, 1 + number as u64 % 7)))?;
            let tx = from.sign(self.chain.id(), self.time(), number as u64, vec![], call);
            Ok(door::check(&state, &context, tx.into())??)
        });
        transfers.collect()
    }

    /// Time of the next block.
    fn time(&self) -> Timestamp {
        Timestamp(self.chain.tip().time.0 + 1)
    }

    fn call(&self, name: &str, arguments: Vec<u8>) -> Result<Operation> {
        let number = self.spec.calls.iter().position(|call| call.name == name);
        let call = number.with_context(|| format!("points have no call `{name}`"))? as u16;
        Ok(Operation::Invoke(InvokeOp { seen: self.seen, call, arguments }))
    }

    /// What one operation of somebody of the cast answers.
    fn answer<T: DeserializeOwned>(&mut self, name: &str, operation: Operation) -> Result<T> {
        let signer = Signer::of(&self.cast, name);
        let height = self.chain.tip().height;
        let tx = signer.sign(self.chain.id(), self.time(), u64::MAX - height, vec![], operation);
        let receipts = self.produce(vec![tx])?;
        let first = receipts.first().context("one transaction leaves one receipt")?;
        Ok(codec::decode_own(&first.data)?)
    }

    fn produce(&mut self, transactions: Vec<Transaction>) -> Result<Vec<FullReceipt>> {
        let (time, count) = (self.time(), transactions.len());
        let candidates = transactions.into_iter().map(Into::into).collect();
        let (_, block) = self.solo.produce(&mut self.chain, time, candidates)?;
        let done = block.receipts.iter().filter(|full| full.receipt.fate == Fate::Done).count();
        ensure!(done == count, "{done} of {count} transactions were done");
        Ok(block.receipts)
    }
}
