//! What `tenor bench ledger` measures, by criterion: entries, postings by the length of their entry, and bare transfers
//! between entries of a hash map. The clock is the processor time of the thread.
//!
//! `cargo bench -p tenor-cli --bench ledger`

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use std::time::Duration;
use tenor_cli::bench::ledger::{Books, LENGTHS};

// As the command has it, which keeps memory that became free for the next block.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
const KEPT_MS: std::ffi::c_long = 60_000;
/// The number of the allocator's option that says so, `mi_option_purge_delay`.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

fn ledger(criterion: &mut Criterion) {
    let books = Books::opened().unwrap_or_else(|error| panic!("{error:#}"));
    let right = |time: anyhow::Result<Duration>| time.unwrap_or_else(|error| panic!("{error:#}"));
    let mut group = criterion.benchmark_group("ledger");
    group.throughput(Throughput::Elements(1)).sample_size(10).measurement_time(Duration::from_secs(10));
    group.bench_function("entry", |bench| bench.iter_custom(|count| right(books.time_of_entries(count))));
    group.bench_function("bare transfer", |bench| {
        bench.iter_custom(|count| right(books.time_of_transfers(count)));
    });
    for length in LENGTHS {
        group.bench_function(BenchmarkId::new("posting of an entry of", length), |bench| {
            bench.iter_custom(|count| right(books.time_of_postings(length, count)));
        });
    }
    group.finish();
}

criterion_group!(benches, ledger);

fn main() {
    // SAFETY: it sets a number, unless the environment did, which threads read when they give memory back.
    #[allow(unsafe_code)]
    unsafe {
        libmimalloc_sys::mi_option_set_default(PURGE_DELAY, KEPT_MS);
    }
    benches();
    Criterion::default().configure_from_args().final_summary();
}
