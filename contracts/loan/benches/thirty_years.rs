//! A loan of 30 years with daily interest, lived through: each day's interest and each instalment is an occurrence that
//! runs the contract, in a block with everything that a block has.
//!
//! `cargo bench -p loan` runs it as wasm and natively, in turn, and says how long each takes: the quickest and the
//! median of five runs.

use loan::{TWIN, Terms};
use std::sync::Arc;
use std::time::Instant;
use tenor_testing::abi::date::Date;
use tenor_testing::abi::daycount::DayCount;
use tenor_testing::abi::rate::Rate;
use tenor_testing::runtime::vm::Guest;
use tenor_testing::{Bank, Twin, engine, money, wasm};

const RUNS: usize = 5;

/// Milliseconds from the day of the loan until it is repaid, and how many blocks that are.
fn lived_through(guest: Arc<dyn Guest>, code: &[u8]) -> (f64, usize) {
    let mut bank = Bank::on(guest);
    let code = bank.publish(code);
    let (ada, officer) = (bank.customer("ada", "500000.00"), bank.officer.clone());
    let terms = Terms {
        borrower: ada.account,
        principal: money("40000.00"),
        rate: Rate::parse("4.25%").unwrap_or(Rate::ZERO),
        day_count: DayCount::Thirty360,
        instalments: 360,
        first_due: Date::of(2026, 2, 1),
        collection_max: money("5000.00"),
        grace_days: 5,
        late_fee: money("10.00"),
        four_eyes_above: money("50000.00"),
        calendar: None,
    };
    let loan = bank.opened(&officer, code, &terms);
    bank.invoke(&ada, loan, "accept", &[]).done();
    bank.invoke(&officer, loan, "disburse", &[]).done();
    let (before, start) = (bank.blocks().len(), Instant::now());
    bank.run_ahead_until(Date::of(2056, 1, 2));
    let ms = start.elapsed().as_secs_f64() * 1e3;
    assert_eq!(bank.state(loan), "Settled");
    (ms, bank.blocks().len() - before)
}

fn main() {
    let code = wasm(env!("CARGO_MANIFEST_DIR"));
    let (mut on_wasm, mut natively, mut blocks) = (vec![], vec![], 0);
    for _ in 0..RUNS {
        let (ms, made) = lived_through(engine(), &code);
        on_wasm.push(ms);
        blocks = made;
        natively.push(lived_through(Arc::new(Twin::of(&TWIN)), &code).0);
    }
    println!("a loan of 30 years, {blocks} blocks");
    for (how, times) in [("as wasm", &mut on_wasm), ("natively", &mut natively)] {
        times.sort_by(f64::total_cmp);
        println!("{how:<9} {:>5.0} ms, median {:.0} ms", times[0], times[RUNS / 2]);
    }
}
