//! What injected metering costs a function of a module: nanoseconds bare, and counted in each way of resetting.
//!
//! It stands outside the machine and measures it from there, so it may hold a clock and floats.
//!
//! `cargo run --release -p tenor-runtime --example metering -- kernels.wasm annuity 250000 4166666667`

use std::time::{Duration, Instant};
use tenor_runtime::vm::{LIMITS, Reset, instrument, instrument_as};
use wasmtime::{Config, Engine, Instance, Module, Store, Val};

/// How long each figure is measured.
const ROUND: Duration = Duration::from_millis(400);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, export, numbers @ ..] = arguments.as_slice() else {
        return Err("FILE EXPORT NUMBER…".into());
    };
    let numbers = numbers
        .iter()
        .map(|n| Ok(Val::I64(n.parse()?)))
        .collect::<Result<Vec<_>, Box<dyn std::error::Error>>>()?;
    let wasm = std::fs::read(file)?;
    let own = instrument(&wasm, &LIMITS)?.reset;
    let (bare, answer, _) = measure(&wasm, export, &numbers)?;
    println!("bare            {bare:>12.1} ns   its own way to reset: {own:?}");
    for reset in [Reset::Pages, Reset::Whole, Reset::Never] {
        let counted = instrument_as(&wasm, &LIMITS, Some(reset))?;
        let (each, same, gas) = measure(&counted.wasm, export, &numbers)?;
        assert_eq!(answer, same, "the counted module answers something else");
        println!(
            "{:<15} {each:>12.1} ns   {:>+6.1} %   {gas} gas",
            format!("{reset:?}"),
            (each / bare - 1.0) * 100.0
        );
    }
    Ok(())
}

/// Nanoseconds of a call, the best of five rounds; its answer, and its gas.
fn measure(
    wasm: &[u8],
    export: &str,
    numbers: &[Val],
) -> Result<(f64, Option<i64>, i64), Box<dyn std::error::Error>> {
    let engine = Engine::new(&Config::new())?;
    let module = Module::new(&engine, wasm)?;
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[])?;
    let function = instance.get_func(&mut store, export).ok_or("no such export")?;
    let gas = instance.get_global(&mut store, "tenor:gas");
    let most = i64::MAX / 2;
    let mut answer = vec![Val::I64(0); function.ty(&store).results().len()];
    let (mut best, mut used) = (f64::INFINITY, 0);
    for _ in 0..5 {
        let (start, mut calls) = (Instant::now(), 0u32);
        while start.elapsed() < ROUND {
            if let Some(gas) = gas {
                gas.set(&mut store, Val::I64(most))?;
            }
            function.call(&mut store, numbers, &mut answer)?;
            calls += 1;
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e9 / f64::from(calls));
        used = gas.and_then(|gas| gas.get(&mut store).i64()).map_or(0, |left| most - left);
    }
    Ok((best, answer.first().and_then(Val::i64), used))
}
