//! Making blocks: one thread that owns the chain, takes from the inbox and shows what it made.

use crate::clock::Clock;
use crate::config::Config;
use crate::folder::Folder;
use crate::guard::Guard;
use crate::hub::Hub;
use crate::inbox::{Advance, AsksStill, Inbox};
use crate::metrics::Metrics;
use crate::pool::Outcome;
use crate::stop::Stop;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tenor_abi::date::Timestamp;
use tenor_abi::id::TxId;
use tenor_runtime::chain::{Chain, Replica};
use tenor_wire::block::{Block, Certificate, Item};
use tenor_wire::crypto::SecretKey;

/// Longest sleep, so that a clock that was set is noticed.
const NAP: Duration = Duration::from_secs(1);
/// Time between two checkpoints under load: what an opening has to redo stays within it.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(30);
/// So long after the newest block nothing seems to come, and the state on disk is brought up to it.
const IDLE_AFTER: Duration = Duration::from_secs(3);

/// Makes the blocks of a folder.
pub struct Producer {
    folder: Folder,
    key: SecretKey,
    guard: Option<Guard>,
    clock: Arc<Clock>,
    inbox: Arc<Inbox>,
    hub: Arc<Hub>,
    metrics: Arc<Metrics>,
    config: Config,
    checkpoint: Begun,
}

/// What to do next.
enum Next {
    Block,
    Advance(Advance),
    Checkpoint,
    Still(AsksStill),
    Stop,
}

/// The newest checkpoint.
struct Begun {
    /// When one was last asked for.
    at: Instant,
    /// Height of its block; 0 before the first one, as an opening may have redone blocks that are in none.
    height: u64,
}

/// Whether a block of a time may follow the newest one.
///
/// # Errors
/// [`Stop::Step`].
pub fn check_step(chain: &Chain, time: Timestamp) -> Result<(), Stop> {
    let tip = chain.tip().time;
    let step = chain.genesis().parameters.limits.time_step_ms_max;
    match step.filter(|step| time.0.saturating_sub(tip.0) > *step) {
        Some(step_ms) => Err(Stop::Step { now: time, tip, step_ms }),
        None => Ok(()),
    }
}

impl Producer {
    /// A producer over an open folder, whose chain has one signer.
    pub fn new(
        folder: Folder,
        (key, guard): (SecretKey, Option<Guard>),
        (clock, inbox, hub): (Arc<Clock>, Arc<Inbox>, Arc<Hub>),
        metrics: Arc<Metrics>,
        config: Config,
    ) -> Producer {
        let checkpoint = Begun { at: Instant::now(), height: 0 };
        Producer { folder, key, guard, clock, inbox, hub, metrics, config, checkpoint }
    }

    /// Makes blocks until the node stops; then everything is on the disk.
    ///
    /// # Errors
    /// [`Stop`]: the replica is broken, the guard says no, or the clock does.
    pub fn run(mut self) -> Result<(), Stop> {
        let ran = self.make_blocks();
        self.inbox.stop();
        self.inbox.content().pool.stop();
        ran?;
        Ok(self.folder.chain.flush()?)
    }

    fn make_blocks(&mut self) -> Result<(), Stop> {
        self.wait_for_clock()?;
        if let Some(guard) = &mut self.guard {
            let tip = self.folder.chain.tip();
            let newest = self.folder.chain.block(tip.height)?;
            // Written and not yet guarded when the process ended: it is remembered before it is signed.
            guard.catch_up(tip, newest.as_ref().and_then(Block::restart))?;
        }
        let key = &self.key;
        self.folder.chain.recertify(&|header| Certificate::solo(header, key))?;
        self.hub.show_again(&self.folder.chain)?;
        let mut last = Instant::now().checked_sub(self.config.block).unwrap_or_else(Instant::now);
        loop {
            match self.next(last)? {
                Next::Stop => return Ok(()),
                Next::Checkpoint => {
                    self.begin_checkpoint()?;
                    continue;
                }
                Next::Still(asks) => {
                    // Who asked may have gone.
                    let _ = asks.send(self.folder.chain.still());
                    continue;
                }
                Next::Block => {
                    let now = self.clock.now().max(Timestamp(self.folder.chain.tip().time.0 + 1));
                    self.block(now)?;
                }
                Next::Advance(advance) => self.advance(advance)?,
            }
            last = Instant::now();
        }
    }

    fn begin_checkpoint(&mut self) -> Result<(), Stop> {
        let chain = &mut self.folder.chain;
        self.checkpoint.at = Instant::now();
        // One that still goes on for earlier blocks is not waited for: this is asked again.
        if chain.checkpoint()? {
            self.checkpoint.height = chain.tip().height;
        }
        self.metrics.state_checkpoint.set(self.checkpoint.height as i64);
        self.metrics.measure_state(&chain.state_memory());
        tracing::debug!(height = self.checkpoint.height, "checkpoint");
        Ok(())
    }

    /// A clock behind the newest block is waited for, then the node stops: no block is made before its parent.
    fn wait_for_clock(&self) -> Result<(), Stop> {
        let (tip, since) = (self.folder.chain.tip().time, Instant::now());
        let mut content = self.inbox.content();
        loop {
            let now = self.clock.now();
            if now >= tip || content.stopping {
                content.waits = None;
                return Ok(());
            }
            if since.elapsed() >= self.config.clock_wait {
                return Err(Stop::Clock { now, tip });
            }
            let behind = Duration::from_millis(tip.0 - now.0);
            content = self.inbox.wait(content, behind.min(self.config.clock_wait).min(NAP));
        }
    }

    /// Waits for something to do.
    fn next(&self, last: Instant) -> Result<Next, Stop> {
        let chain = &self.folder.chain;
        let (wake, tip, tip_height) = (chain.next_wake()?, chain.tip().time, chain.tip().height);
        let mut content = self.inbox.content();
        loop {
            if content.stopping {
                return Ok(Next::Stop);
            }
            if let Some(asks) = content.stills.pop() {
                return Ok(Next::Still(asks));
            }
            if let Some(advance) = content.advances.pop_front() {
                return Ok(Next::Advance(advance));
            }
            let now = self.clock.now();
            if tip.0.saturating_sub(now.0) > self.config.clock_wait.as_millis() as u64 {
                return Err(Stop::Clock { now, tip });
            }
            let is_due = wake.is_some_and(|wake| wake <= now);
            let pause = match content.pool.waiting() {
                waiting if waiting >= self.config.block_full || is_due => self.config.block_min,
                0 => self.config.heartbeat,
                _ => self.config.block,
            };
            let since = last.elapsed();
            let left = pause.saturating_sub(since);
            if left.is_zero() {
                return Ok(Next::Block);
            }
            let is_behind = self.checkpoint.height < tip_height;
            if is_behind && since.min(self.checkpoint.at.elapsed()) >= IDLE_AFTER {
                return Ok(Next::Checkpoint);
            }
            let until_wake = wake.filter(|_| !is_due).map(|wake| Duration::from_millis(wake.0 - now.0));
            content = self.inbox.wait(content, left.min(until_wake.unwrap_or(NAP)).min(NAP));
        }
    }

    /// Lives on through everything that falls due until an instant.
    fn advance(&mut self, advance: Advance) -> Result<(), Stop> {
        while let Some(wake) = self.folder.chain.next_wake()?.filter(|wake| *wake <= advance.to) {
            if self.inbox.is_stopping() {
                return Ok(());
            }
            self.block(wake.max(Timestamp(self.folder.chain.tip().time.0 + 1)))?;
        }
        if self.folder.chain.tip().time < advance.to {
            self.block(advance.to)?;
        }
        self.clock.set(self.folder.chain.tip().time);
        tracing::info!(time = %self.clock.now(), "the sandbox's time was moved");
        // Who asked may have gone.
        let _ = advance.done.send(self.folder.chain.tip().height);
        Ok(())
    }

    /// Makes, writes, guards, signs and shows the next block.
    fn block(&mut self, time: Timestamp) -> Result<(), Stop> {
        let chain = &mut self.folder.chain;
        check_step(chain, time)?;
        let limits = &chain.genesis().parameters.limits;
        let began = Instant::now();
        let (items, bytes) = (limits.block_items as usize, limits.block_bytes as usize);
        let candidates = self.inbox.content().pool.take(items, bytes);
        let asked = candidates.len();
        let built = chain.build(time, candidates)?;
        chain.persist(&built.header.hash())?;
        if let Some(guard) = &mut self.guard {
            guard.remember(&built.header)?;
        }
        let block = chain.commit(Certificate::solo(&built.header, &self.key))?;
        // The certificate is in the log with the next block; a reader of this one has it from memory.
        let height = block.header.height;
        let count = block.items.len();
        let placed: Vec<(TxId, u32)> = (0..)
            .zip(&block.items)
            .filter_map(|(index, item)| match item {
                Item::Tx(tx) => Some((tx.id(), index)),
                Item::Due(_) | Item::Expiry(_) => None,
            })
            .collect();
        let refused = block.receipts.iter().filter(|full| full.receipt.code != 0).count();
        self.hub.show(chain, block)?;
        let mut content = self.inbox.content();
        for (id, index) in placed {
            content.pool.resolve(&id, &Outcome::Placed { height, index });
        }
        for (id, rejection) in &built.rejected {
            content.pool.resolve(id, &Outcome::Rejected(rejection.clone()));
        }
        content.pool.give_back(built.postponed);
        self.inbox.measure(&content);
        drop(content);
        self.metrics.height.set(height as i64);
        self.metrics.block_time_seconds.set((time.0 / 1000) as i64);
        self.metrics.blocks.inc();
        self.metrics.items.inc_by(count as u64);
        self.metrics.rejected.inc_by(built.rejected.len() as u64);
        self.metrics.block_making.observe(began.elapsed().as_secs_f64());
        let (rejected, took_us) = (built.rejected.len(), began.elapsed().as_micros() as u64);
        tracing::debug!(height, items = count, asked, refused, rejected, took_us, "block");
        // Here and not between blocks: under load, and while a sandbox's time is moved, there is no pause.
        match self.checkpoint.at.elapsed() >= CHECKPOINT_EVERY {
            true => self.begin_checkpoint(),
            false => Ok(()),
        }
    }
}
