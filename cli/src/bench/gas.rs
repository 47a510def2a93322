//! What a gas costs this machine: each operator and host call alone, in nanoseconds per gas.
//!
//! A block full of the worst calls must not take much longer than one full of typical ones, so the prices are set
//! by these figures. Instances are kept, as a busy contract's are, except where a fresh one is what is measured.

use super::gas_block;
use super::gas_module::{Probe, host_calls, operators};
use super::{Figure, Measured, Ratio, thread_cpu};
use anyhow::{Context, Result, ensure};
use std::time::Duration;
use tenor_abi::host::Context as Occasion;
use tenor_abi::id::CodeHash;
use tenor_runtime::vm::{Bounds, CallOutcome, Engine, Expected, Guest, LIMITS, Settings, World, examine};

const CODE: CodeHash = CodeHash([1; 32]);
const GAS: u64 = 1_000_000_000;
/// Bytes that are handed to each call.
const ARGUMENT_BYTES: usize = 300;
/// Measurements of each thing.
const ROUNDS: u32 = 5;

/// Nanoseconds per gas: the best round's, and by how much of it the worst was worse.
struct Cost {
    name: String,
    best: f64,
    spread: f64,
}

pub(super) fn measure(seconds: u64) -> Result<Measured> {
    // All of it together takes about as many times the seconds as another figure's.
    let each = Duration::from_millis(seconds.max(1) * 10);
    let mut figures = vec![];
    let of_operators = operators().iter().map(|probe| cost(probe, 64, each)).collect::<Result<Vec<_>>>()?;
    let of_host = host_calls().iter().map(|probe| cost(probe, 64, each)).collect::<Result<Vec<_>>>()?;
    let mut of_starts = vec![];
    let (slots, segments) = (u64::from(LIMITS.table), u64::from(LIMITS.data_segments));
    for (name, pages, slots, segments, kept_max) in [
        ("instance, kept", 1, 0, 0, 64),
        ("instance, fresh", 1, 0, 0, 0),
        ("instance of 16 MiB, fresh", 256, 0, 0, 0),
        ("instance with the longest table, kept", 1, slots, 0, 64),
        ("instance with the longest table, fresh", 1, slots, 0, 0),
        ("instance with the most data segments, kept", 1, 0, segments, 64),
        ("instance with the most data segments, fresh", 1, 0, segments, 0),
        ("instance of 16 MiB with the most data segments, kept", 256, 0, segments, 64),
        ("instance of 16 MiB with the most data segments, fresh", 256, 0, segments, 0),
    ] {
        of_starts.push(cost(&Probe::nothing(name, pages, slots, segments), kept_max, each)?);
    }
    let typical = median(&of_operators);
    let all: Vec<Cost> = of_operators.into_iter().chain(of_host).chain(of_starts).collect();
    let worst = all.iter().map(|cost| cost.best).fold(0.0, f64::max);
    for Cost { name, best, spread } in all {
        figures.push(Figure { name: format!("{name}: ns_per_gas"), value: best, unit: "ns" });
        figures.push(Figure { name: format!("{name}: spread"), value: spread, unit: "1" });
    }
    figures.push(Figure { name: "typical_ns_per_gas".into(), value: typical, unit: "ns" });
    figures.push(Figure { name: "worst_ns_per_gas".into(), value: worst, unit: "ns" });
    let (of, to) = ("worst_ns_per_gas", "typical_ns_per_gas");
    let (of_blocks, blocks) = gas_block::measure()?;
    figures.extend(of_blocks);
    Ok(Measured {
        figures,
        ratios: vec![Ratio { name: "worst_over_typical", value: worst / typical, of, to }, blocks],
    })
}

fn median(costs: &[Cost]) -> f64 {
    let mut all: Vec<f64> = costs.iter().map(|cost| cost.best).collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(0.0)
}

fn cost(probe: &Probe, kept_max: usize, each: Duration) -> Result<Cost> {
    let module = probe.module();
    let found = examine(&module, Expected::Module).findings;
    ensure!(found.is_empty(), "{}: {found:?}", probe.name);
    let engine = Engine::with(Settings { kept_max, ..Settings::default() })?;
    engine.load(&CODE, &module, Bounds::NEW)?;
    let argument = [7; ARGUMENT_BYTES];
    let mut world = World::default();
    let mut call = || -> Result<u64> {
        let report = engine.call(&CODE, "f", Occasion::Action, &argument, GAS, &mut world)?;
        ensure!(matches!(report.outcome, CallOutcome::Done { .. }), "{}: {:?}", probe.name, report.outcome);
        Ok(report.gas_used)
    };
    let gas = call().context("the first call")?;
    let mut rounds = vec![];
    for _ in 0..ROUNDS {
        let (start, mut calls) = (thread_cpu(), 0u32);
        while thread_cpu() - start < each {
            for _ in 0..4 {
                call()?;
            }
            calls += 4;
        }
        rounds.push((thread_cpu() - start).as_secs_f64() * 1e9 / f64::from(calls) / gas as f64);
    }
    let best = rounds.iter().copied().fold(f64::INFINITY, f64::min);
    let worst = rounds.iter().copied().fold(0.0, f64::max);
    Ok(Cost { name: probe.name.to_string(), best, spread: worst / best - 1.0 })
}
