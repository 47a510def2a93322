//! What `tenor bench ledger` measures, by criterion: entries, postings by the length of their entry, and bare transfers
//! between entries of a hash map. The clock is the processor time of the thread.
//!
//! `cargo bench -p tenor-cli --bench ledger`

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::time::Duration;
use tenor_cli::bench::ledger::{Books, LENGTHS};

// As the command has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
criterion_main!(benches);
