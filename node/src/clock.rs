//! The clock: the system's, or a sandbox's own, which goes on from the newest block and can be moved ahead.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use tenor_abi::date::Timestamp;

/// Says what time it is.
#[derive(Debug, Default)]
pub struct Clock {
    /// What a sandbox's time is ahead of the system's, milliseconds.
    ahead_ms: AtomicI64,
}

fn system_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Clock {
        Clock::default()
    }

    /// A clock that goes on from an instant.
    pub fn from(now: Timestamp) -> Clock {
        let clock = Clock::default();
        clock.set(now);
        clock
    }

    /// What time it is, UTC milliseconds.
    pub fn now(&self) -> Timestamp {
        Timestamp(u64::try_from(system_ms() + self.ahead_ms.load(Ordering::Relaxed)).unwrap_or(0))
    }

    /// Moves a sandbox's time; it goes on from there.
    pub fn set(&self, now: Timestamp) {
        let now = i64::try_from(now.0).unwrap_or(i64::MAX);
        self.ahead_ms.store(now - system_ms(), Ordering::Relaxed);
    }
}
