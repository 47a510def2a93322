//! Signature checks per second, on one core and on all.

use super::{Figure, Measured, Ratio};
use anyhow::{Context, Result};
use std::time::{Duration, Instant};
use tenor_abi::tag;
use tenor_wire::crypto::{SecretKey, Signature, Verifier, hash};

/// Signatures that are checked in turn.
const SAMPLES: u32 = 256;

type Sample = (Verifier, tenor_abi::id::Hash, Signature);

fn samples() -> Result<Vec<Sample>> {
    let sample = |number: u32| {
        let key =
            SecretKey::from_bytes(&hash(tag::SEED, &[&number.to_le_bytes()]).0).context("a hash is a key")?;
        let digest = hash(tag::TRANSACTION, &[&number.to_le_bytes()]);
        Ok((key.public().verifier()?, digest, key.sign(&digest)))
    };
    (0..SAMPLES).map(sample).collect()
}

/// Checks per second of one thread.
fn rate(samples: &[Sample], time: Duration) -> f64 {
    let (start, mut done) = (Instant::now(), 0u64);
    while start.elapsed() < time {
        for (verifier, digest, signature) in samples {
            assert!(verifier.verify(digest, signature).is_ok(), "the samples are signed");
            done += 1;
        }
    }
    done as f64 / start.elapsed().as_secs_f64()
}

/// Checks per second of all cores together.
pub(super) fn all_cores(seconds: u64) -> Result<f64> {
    let (samples, time) = (samples()?, Duration::from_secs(seconds));
    let cores = super::cores();
    Ok(std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(|| rate(&samples, time))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or(0.0)).sum()
    }))
}

pub(super) fn measure(seconds: u64) -> Result<Measured> {
    let one = rate(&samples()?, Duration::from_secs(seconds));
    let all = all_cores(seconds)?;
    let figure = |name: &str, value| Figure { name: name.into(), value, unit: "/s" };
    Ok(Measured {
        figures: vec![figure("verify_per_second_one_core", one), figure("verify_per_second_all_cores", all)],
        ratios: vec![Ratio {
            name: "scaling",
            value: all / one,
            of: "verify_per_second_all_cores",
            to: "verify_per_second_one_core",
        }],
    })
}
