//! The inbox of the thread that makes blocks: the pool, what is asked of it, and whether it should stop.

use crate::metrics::Metrics;
use crate::pool::{Bounds, Offered, Pool};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tenor_abi::date::Timestamp;
use tenor_abi::id::TxId;
use tenor_runtime::chain::Still;
use tenor_runtime::execute::Candidate;
use tenor_runtime::fault::Fault;
use tokio::sync::oneshot;

/// Moves a sandbox's time ahead; everything that falls due runs.
#[derive(Debug)]
pub struct Advance {
    /// Until when.
    pub to: Timestamp,
    /// Is told the height that the chain has then.
    pub done: oneshot::Sender<u64>,
}

/// Who waits for the chain as it stands.
pub type AsksStill = oneshot::Sender<Result<Still, Fault>>;

/// What lies in the inbox.
pub struct Content {
    /// Transactions.
    pub pool: Pool,
    /// Where a sandbox's time should go.
    pub advances: VecDeque<Advance>,
    /// Who waits for the chain as it stands.
    pub stills: Vec<AsksStill>,
    /// Whether to stop.
    pub stopping: bool,
    /// Why no block is made yet; none where they are made.
    pub waits: Option<String>,
}

/// The inbox.
pub struct Inbox {
    content: Mutex<Content>,
    changed: Condvar,
    metrics: Arc<Metrics>,
}

impl Inbox {
    /// An empty inbox.
    pub fn new(bounds: Bounds, metrics: Arc<Metrics>) -> Inbox {
        let content = Content {
            pool: Pool::new(bounds),
            advances: VecDeque::new(),
            stills: vec![],
            stopping: false,
            waits: None,
        };
        Inbox { content: Mutex::new(content), changed: Condvar::new(), metrics }
    }

    /// Offers a transaction; nothing is taken once the node stops.
    pub fn offer(&self, candidate: Candidate) -> Option<Offered> {
        let mut content = self.content();
        if content.stopping {
            return None;
        }
        let offered = content.pool.offer(candidate);
        match offered {
            Offered::Taken(_) => {
                self.measure(&content);
                self.changed.notify_one();
            }
            Offered::Full(_) => {
                self.metrics.pool_full.inc();
            }
            Offered::Waits(..) | Offered::KeyTaken(_) => {}
        }
        Some(offered)
    }

    /// Whether a transaction has no outcome yet.
    pub fn holds(&self, id: &TxId) -> bool {
        self.content().pool.holds(id)
    }

    /// Moves a sandbox's time.
    pub fn advance(&self, to: Timestamp) -> oneshot::Receiver<u64> {
        let (done, height) = oneshot::channel();
        self.content().advances.push_back(Advance { to, done });
        self.changed.notify_one();
        height
    }

    /// Asks for the chain as it stands between two blocks.
    pub fn still(&self) -> oneshot::Receiver<Result<Still, Fault>> {
        let (asks, still) = oneshot::channel();
        let mut content = self.content();
        if !content.stopping {
            content.stills.push(asks);
            self.changed.notify_one();
        }
        still
    }

    /// Has the node stop behind the block in the making.
    pub fn stop(&self) {
        let mut content = self.content();
        content.stopping = true;
        // Who waits for what does not come any more is told so.
        content.stills.clear();
        self.changed.notify_one();
    }

    /// Whether the node stops.
    pub fn is_stopping(&self) -> bool {
        self.content().stopping
    }

    /// What lies here, for the thread that makes blocks.
    pub fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something changes, at most so long.
    pub fn wait<'i>(&'i self, content: MutexGuard<'i, Content>, most: Duration) -> MutexGuard<'i, Content> {
        self.changed.wait_timeout(content, most).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Shows how much waits.
    pub fn measure(&self, content: &Content) {
        let (transactions, bytes) = content.pool.held();
        self.metrics.pool_transactions.set(transactions as i64);
        self.metrics.pool_bytes.set(bytes as i64);
    }
}
