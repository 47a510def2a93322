//! What blocks cost that are full of the worst calls, beside one that is full of typical calls, for each gas.
//!
//! A block is what a node makes of signed transactions: signatures checked on every core, calls run, leaves put
//! into the state, everything durable in the log. The typical one is full of transfers of points; each other one
//! does one thing as often as it can. Both take about the same gas.

use super::gas_module::of_blocks;
use super::points::{HOLDERS, Points};
use super::{Figure, Ratio, Scratch};
use crate::folder::engine;
use anyhow::{Context, Result, ensure};
use std::time::Instant;
use tenor_abi::id::CodeHash;
use tenor_runtime::chain::Chain;
use tenor_runtime::state::Room;

/// Gas of a block, about.
const GAS: u64 = 200_000_000;
/// Blocks of each kind, of which the best counts.
const ROUNDS: usize = 3;
/// Calls of one agreement, which has room for so many keys.
const CALLS: usize = 32;

/// Nanoseconds per gas of each kind of block, and the worst beside the typical one.
pub(super) fn measure() -> Result<(Vec<Figure>, Ratio)> {
    let scratch = Scratch::new()?;
    let points =
        Points::issued(|genesis| Ok(Chain::create(scratch.path(), genesis, engine()?, Room::default())?))?;
    let mut blocks = Blocks { next: HOLDERS, points };
    let typical = blocks.ns_per_gas(blocks.points.seen.code)?;
    let mut figures = vec![];
    let mut worst = 0.0_f64;
    for (patch, probe) in (1..).zip(of_blocks()) {
        let code = blocks.points.publish(probe.contract(patch)?)?;
        let value = blocks.ns_per_gas(code).with_context(|| probe.name.to_string())?;
        worst = worst.max(value);
        figures.push(figure(&format!("block of {}: ns_per_gas", probe.name), value));
    }
    let (of, to) = ("worst_block_ns_per_gas", "typical_block_ns_per_gas");
    figures.extend([figure(to, typical), figure(of, worst)]);
    Ok((figures, Ratio { name: "worst_over_typical_block", value: worst / typical, of, to }))
}

fn figure(name: &str, value: f64) -> Figure {
    Figure { name: name.into(), value, unit: "ns" }
}

struct Blocks {
    points: Points,
    /// Number of the next transfer: none is sent twice.
    next: usize,
}

impl Blocks {
    /// The best of several blocks of calls of one contract.
    fn ns_per_gas(&mut self, code: CodeHash) -> Result<f64> {
        let (_, gas) = self.block(code, 1)?;
        ensure!(gas > 0, "a call costs gas");
        let count = (GAS / gas).max(1) as usize;
        let mut best = f64::INFINITY;
        for _ in 0..ROUNDS {
            let (ns, gas) = self.block(code, count)?;
            best = best.min(ns / gas as f64);
        }
        Ok(best)
    }

    /// Nanoseconds of a block of so many calls, and its gas.
    fn block(&mut self, code: CodeHash, count: usize) -> Result<(f64, u64)> {
        let mut signed = Vec::with_capacity(count);
        let mut seen = self.points.seen;
        for place in 0..count {
            if place.is_multiple_of(CALLS) && code != self.points.seen.code {
                seen = self.points.open(code)?;
            }
            signed.push(self.points.transfer(seen, self.next)?);
            self.next += 1;
        }
        let begun = Instant::now();
        let receipts = self.points.produce(signed)?;
        let ns = begun.elapsed().as_secs_f64() * 1e9;
        Ok((ns, receipts.iter().map(|full| full.receipt.gas).sum()))
    }
}
