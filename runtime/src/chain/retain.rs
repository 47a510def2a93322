//! Retention: what of the log may go once a snapshot above it was read back.

use super::open::{LOG_FOLDER, SNAPSHOT_FOLDER, Stored, Told, block, snapshots};
use crate::fault::Fault;
use crate::log::{LetGo, Log, delete_below, strip_below};
use crate::params::{Limits, RETAIN_DAYS_MIN};
use crate::snapshot::Snapshot;
use crate::state::State;
use std::path::Path;
use tenor_abi::date::{DAY_MS, Timestamp};

/// For how many days what is kept; none keeps it for ever.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Retention {
    /// Write sets of blocks. Without them older states can no longer be made from the log.
    pub writes_days: Option<u32>,
    /// Blocks: headers, items, receipts and certificates.
    pub blocks_days: Option<u32>,
}

/// Why a retention is not carried out.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RetentionError {
    /// A term that is too short.
    #[error("{what} are kept for at least {days_min} days, {given} given")]
    TooShort {
        /// Of what.
        what: &'static str,
        /// Days given.
        given: u32,
        /// The least.
        days_min: u32,
    },
    /// The folder is broken.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// What was let go, and the snapshot that stands above it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retained {
    /// Height of the snapshot.
    pub snapshot: u64,
    /// Segments that have no write sets any more.
    pub writes: LetGo,
    /// Segments that are gone.
    pub blocks: LetGo,
}

impl Retention {
    /// Whether its terms are long enough: no idempotency key that is still accepted is forgotten, and outside a
    /// sandbox receipts are kept ten years.
    ///
    /// # Errors
    /// [`RetentionError::TooShort`].
    pub fn check(&self, limits: &Limits, sandbox: bool) -> Result<(), RetentionError> {
        let writes_min = limits.idempotency_days;
        let blocks_min = if sandbox { writes_min } else { RETAIN_DAYS_MIN };
        let terms = [("write sets", self.writes_days, writes_min), ("blocks", self.blocks_days, blocks_min)];
        for (what, given, days_min) in terms {
            if let Some(given) = given.filter(|given| *given < days_min) {
                return Err(RetentionError::TooShort { what, given, days_min });
            }
        }
        Ok(())
    }
}

impl Stored {
    /// Lets go of what is older than a retention says, below a snapshot that is read back first; one of the newest
    /// block is made where the folder has none that is good. The log is closed by this.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn retain(
        mut self,
        folder: &Path,
        retention: Retention,
        progress: Told<'_>,
    ) -> Result<Retained, Fault> {
        let height = self.good_snapshot(folder, progress)?;
        // The next opening goes on from the state's mark, which is not to lie in what goes.
        self.base.flush()?;
        let log = folder.join(LOG_FOLDER);
        let bounds = [retention.writes_days, retention.blocks_days]
            .map(|days| days.map_or(Ok(0), |days| self.first_within(&log, days)));
        let [writes, blocks] = bounds;
        let (writes, blocks) = (writes?.min(height), blocks?.min(height));
        let chain = self.journal.chain();
        drop(self);
        let blocks = delete_below(&log, blocks)?;
        Ok(Retained { snapshot: height, writes: strip_below(&log, chain, writes)?, blocks })
    }

    /// Height of the newest snapshot that is whole and of this chain.
    fn good_snapshot(&self, folder: &Path, progress: Told<'_>) -> Result<u64, Fault> {
        for path in snapshots(folder)? {
            let Ok(snapshot) = Snapshot::open(&path) else { continue };
            let height = snapshot.header().height;
            let is_ours =
                height <= self.tip.height && block(&self.journal, height)?.header == *snapshot.header();
            if is_ours && snapshot.check(&mut *progress).is_ok() {
                return Ok(height);
            }
        }
        let (all, height) = (folder.join(SNAPSHOT_FOLDER), self.tip.height);
        let (to, making) = (all.join(height.to_string()), all.join("making"));
        let failed = |error: std::io::Error| Fault::Storage(error.to_string());
        std::fs::create_dir_all(&all).map_err(failed)?;
        for left in [&making, &to] {
            super::open::remove(left)?;
        }
        self.still()?.snapshot(&making, &mut *progress)?.check(progress)?;
        std::fs::rename(&making, &to).map_err(failed)?;
        std::fs::File::open(&all).and_then(|folder| folder.sync_all()).map_err(failed)?;
        Ok(height)
    }

    /// First height of the first segment that has a block of the last so many days.
    fn first_within(&self, log: &Path, days: u32) -> Result<u64, Fault> {
        let since = Timestamp(self.tip.time.0.saturating_sub(u64::from(days) * DAY_MS));
        let mut first = 0;
        for height in Log::firsts(log)? {
            if block(&self.journal, height)?.header.time > since {
                break;
            }
            first = height;
        }
        Ok(first)
    }
}
