//! What an operator watches, in the OpenMetrics form and base units.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::time::Duration;
use tenor_runtime::state::StateMemory;

/// How a request ended.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub struct Answer {
    /// Method.
    pub method: &'static str,
    /// Status of the answer.
    pub status: u16,
}

/// The figures of a node.
#[derive(Debug)]
#[allow(missing_docs, reason = "each is described where it is registered")]
pub struct Metrics {
    registry: Registry,
    pub height: Gauge,
    pub block_time_seconds: Gauge,
    pub blocks: Counter,
    pub block_making: Histogram,
    pub items: Counter,
    pub rejected: Counter,
    pub pool_transactions: Gauge,
    pub pool_bytes: Gauge,
    pub pool_full: Counter,
    pub requests: Family<Answer, Counter>,
    pub request_duration: Histogram,
    pub connections: Gauge,
    pub followers: Gauge,
    pub state_checkpoint: Gauge,
    pub state_leaves: Gauge,
    pub state_cached_bytes: Gauge,
    pub state_spilled_bytes: Gauge,
    pub state_waits: Gauge,
    pub webhook_delivered: Counter,
    pub webhook_failed: Counter,
}

/// Upper ends of the classes of a duration, seconds.
const SECONDS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

impl Default for Metrics {
    fn default() -> Metrics {
        let mut metrics = Metrics {
            registry: Registry::with_prefix("tenor"),
            height: Gauge::default(),
            block_time_seconds: Gauge::default(),
            blocks: Counter::default(),
            block_making: Histogram::new(SECONDS),
            items: Counter::default(),
            rejected: Counter::default(),
            pool_transactions: Gauge::default(),
            pool_bytes: Gauge::default(),
            pool_full: Counter::default(),
            requests: Family::default(),
            request_duration: Histogram::new(SECONDS),
            connections: Gauge::default(),
            followers: Gauge::default(),
            state_checkpoint: Gauge::default(),
            state_leaves: Gauge::default(),
            state_cached_bytes: Gauge::default(),
            state_spilled_bytes: Gauge::default(),
            state_waits: Gauge::default(),
            webhook_delivered: Counter::default(),
            webhook_failed: Counter::default(),
        };
        metrics.register();
        metrics.register_state();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let seconds = || Unit::Seconds;
        let to = &mut self.registry;
        to.register("block_height", "Height of the newest block", self.height.clone());
        to.register_with_unit(
            "block_time",
            "Time of the newest block since 1970",
            seconds(),
            self.block_time_seconds.clone(),
        );
        to.register("blocks", "Blocks made since the start", self.blocks.clone());
        to.register_with_unit(
            "block_making",
            "Time that making a block took, from its first item to its signature",
            seconds(),
            self.block_making.clone(),
        );
        to.register("items", "Items of the blocks made since the start", self.items.clone());
        to.register("rejected", "Transactions that no block took", self.rejected.clone());
        to.register("pool_transactions", "Transactions that wait", self.pool_transactions.clone());
        to.register_with_unit("pool_size", "Transactions that wait", Unit::Bytes, self.pool_bytes.clone());
        to.register(
            "pool_full",
            "Transactions that were turned away because too many wait",
            self.pool_full.clone(),
        );
        to.register("http_requests", "Requests by how they ended", self.requests.clone());
        to.register_with_unit(
            "http_request_duration",
            "Time from a request's head to its answer's",
            seconds(),
            self.request_duration.clone(),
        );
        to.register("http_connections", "Connections that are open", self.connections.clone());
        to.register("event_followers", "Followers of events", self.followers.clone());
        let (delivered, failed) = (self.webhook_delivered.clone(), self.webhook_failed.clone());
        to.register("webhook_delivered", "Messages that receivers of webhooks took", delivered);
        to.register("webhook_failed", "Attempts at messages that were not taken", failed);
    }

    fn register_state(&mut self) {
        let (to, bytes) = (&mut self.registry, || Unit::Bytes);
        to.register(
            "state_checkpoint_height",
            "Height of the newest block whose state was begun to be written to disk since the start",
            self.state_checkpoint.clone(),
        );
        to.register("state_leaves", "Leaves of the state", self.state_leaves.clone());
        let (cached, spilled) = (self.state_cached_bytes.clone(), self.state_spilled_bytes.clone());
        to.register_with_unit("state_cached", "Pages of the state in memory", bytes(), cached);
        to.register_with_unit("state_spilled", "File of the pages that left memory", bytes(), spilled);
        to.register(
            "state_waits",
            "Blocks since the start that waited for the state on disk, because too much had changed in memory",
            self.state_waits.clone(),
        );
    }

    /// What the state takes.
    pub fn measure_state(&self, memory: &StateMemory) {
        self.state_leaves.set(memory.leaves as i64);
        self.state_cached_bytes.set((memory.trie.cached_bytes + memory.index.cached_bytes) as i64);
        self.state_spilled_bytes.set(memory.spilled_bytes as i64);
        self.state_waits.set(memory.waits as i64);
    }

    /// A request was answered.
    pub fn answered(&self, method: &'static str, status: u16, took: Duration) {
        self.requests.get_or_create(&Answer { method, status }).inc();
        self.request_duration.observe(took.as_secs_f64());
    }

    /// All figures as text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a text does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
