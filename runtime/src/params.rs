//! Parameters: everything that can change an outcome, in one value whose hash stands in every header.

use serde::{Deserialize, Serialize};
use tenor_abi::codec;
use tenor_abi::id::Hash;
use tenor_abi::spec::ABI_VERSION;
use tenor_abi::tag;
use tenor_wire::crypto::hash;
use tenor_wire::op::Operation;

/// Number of the protocol that this build speaks.
pub const PROTOCOL: u16 = 1;

/// Blocks whose states are at hand for reading and proving, where memory allows. Local to a replica.
pub const PROOF_WINDOW_BLOCKS: usize = 1_000;

/// Most milliseconds between a block and its parent outside a sandbox: 26 hours.
pub const TIME_STEP_MS_MAX: u64 = 26 * 60 * 60 * 1000;

/// Days for which headers, receipts and certificates are kept outside a sandbox: ten years. Local to a replica.
pub const RETAIN_DAYS_MIN: u32 = 3_653;

/// Limits of blocks, items and what they leave behind. Changing one changes the protocol.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Limits {
    /// Gas of a block.
    pub block_gas: u64,
    /// Items of a block.
    pub block_items: u32,
    /// Bytes of a block's items.
    pub block_bytes: u32,
    /// Most gas that a transaction may sign for.
    pub item_gas_max: u64,
    /// Gas limit of every occurrence, at most half of a block's.
    pub due_gas: u64,
    /// Gas of a transaction before it does anything.
    pub tx_gas_base: u64,
    /// Gas of a transaction's bytes, each.
    pub tx_gas_per_byte: u64,
    /// Events of an item.
    pub item_events: u32,
    /// Bytes of an item's events together.
    pub item_event_bytes: u32,
    /// Entries of an item.
    pub item_entries: u32,
    /// Keys of an agreement.
    pub keys_max: u32,
    /// Schedules of an agreement.
    pub schedules_max: u16,
    /// Days that an idempotency key is remembered.
    pub idempotency_days: u32,
    /// Days that a value date may lie ahead.
    pub value_date_ahead_days: u16,
    /// Days that a hold may last.
    pub hold_days_max: u16,
    /// Milliseconds between booking a change of terms that not all signed and its effect.
    pub terms_notice_ms: u64,
    /// Most milliseconds between a block and its parent; none in a sandbox.
    pub time_step_ms_max: Option<u64>,
    /// Least milliseconds between what creates an occurrence and its due time.
    pub due_ahead_ms: u64,
    /// Days that a proposal may wait.
    pub proposal_days_max: u16,
    /// Transfers of a batch.
    pub batch_transfers_max: u32,
    /// Gas of each posting of an operation of the chain's own beyond the first two.
    pub posting_gas: u64,
    /// Gas of the end of a hold.
    pub expiry_gas: u64,
    /// Gas of asking a hook, charged in full on top of the item's limit.
    pub hook_gas: u64,
    /// Hooks that an item may ask.
    pub item_hooks: u32,
    /// Gas that a block sets apart for hooks.
    pub block_hook_gas: u64,
    /// Agreements that may be at work at the same time, the one that was called first included.
    pub call_depth: u8,
}

impl Limits {
    /// The limits of a sandbox chain of this build.
    pub fn sandbox() -> Limits {
        Limits {
            block_gas: 4_000_000_000,
            block_items: 20_000,
            block_bytes: 8 * 1024 * 1024,
            item_gas_max: 1_000_000_000,
            due_gas: 50_000_000,
            tx_gas_base: 50_000,
            tx_gas_per_byte: 16,
            item_events: 1_000,
            item_event_bytes: 256 * 1024,
            item_entries: 1_000,
            keys_max: 10_000,
            schedules_max: 16,
            idempotency_days: 35,
            value_date_ahead_days: 366,
            hold_days_max: 60,
            terms_notice_ms: 25 * 60 * 60 * 1000,
            time_step_ms_max: None,
            due_ahead_ms: 1_000,
            proposal_days_max: 30,
            batch_transfers_max: 10_000,
            posting_gas: 5_000,
            expiry_gas: 20_000,
            hook_gas: 200_000,
            item_hooks: 32,
            block_hook_gas: 1_000_000_000,
            call_depth: 8,
        }
    }
}

/// Chain parameters.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Parameters {
    /// [`PROTOCOL`].
    pub protocol: u16,
    /// Version of what contracts and host share.
    pub abi: u16,
    /// Version of the rules that add gas and depth counting to a module.
    pub instrumenter: u16,
    /// Hash of the rules by which modules are admitted.
    pub admission: Hash,
    /// Hash of the price table.
    pub prices: Hash,
    /// Numbers of the operations that work, ascending.
    pub operations: Vec<u8>,
    /// Whether one key may do what needs two persons elsewhere, and time moves by command.
    pub sandbox: bool,
    /// Limits.
    pub limits: Limits,
}

impl Parameters {
    /// The parameters of a sandbox chain of this build.
    pub fn sandbox(admission: Hash, prices: Hash, instrumenter: u16) -> Parameters {
        Parameters {
            protocol: PROTOCOL,
            abi: ABI_VERSION,
            instrumenter,
            admission,
            prices,
            operations: vec![
                0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 25, 26, 30, 31, 32,
                33,
            ],
            sandbox: true,
            limits: Limits::sandbox(),
        }
    }

    /// The parameters of a bank's chain of this build: what needs two persons needs two, and a block follows its parent
    /// within [`TIME_STEP_MS_MAX`].
    pub fn bank(admission: Hash, prices: Hash, instrumenter: u16) -> Parameters {
        let sandbox = Parameters::sandbox(admission, prices, instrumenter);
        let limits = Limits { time_step_ms_max: Some(TIME_STEP_MS_MAX), ..sandbox.limits };
        Parameters { sandbox: false, limits, ..sandbox }
    }

    /// The hash in headers.
    pub fn hash(&self) -> Hash {
        hash(tag::PARAMETERS, &[&codec::encode(self)])
    }

    /// Whether an operation works on this chain.
    pub fn admits(&self, operation: &Operation) -> bool {
        self.operations.binary_search(&operation.number()).is_ok()
    }
}
