//! Why a node ends by itself, each reason with an exit code of its own.

use tenor_abi::date::Timestamp;
use tenor_runtime::fault::Fault;

/// Why a node does not start, or stops.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// The configuration is wrong.
    #[error("configuration: {0}")]
    Config(String),
    /// The folder cannot be opened: it is not there, damaged, or another process has it.
    #[error("{0}")]
    Folder(String),
    /// An address cannot be listened on.
    #[error("cannot listen on {address} (`{key}`): {why}")]
    Address {
        /// Key of the configuration.
        key: &'static str,
        /// The address.
        address: String,
        /// What the system says.
        why: String,
    },
    /// The clock lies behind the newest block.
    #[error(
        "the clock says {now}, the newest block is of {tip}: set the clock right and start again; \
         no block is made before its parent"
    )]
    Clock {
        /// What the clock says.
        now: Timestamp,
        /// Time of the newest block.
        tip: Timestamp,
    },
    /// The clock lies too far ahead of the newest block.
    #[error(
        "the clock says {now}, the newest block is of {tip}: a block may follow at most {step_ms} ms after its \
         parent; set the clock right and start again, or, where the chain stood still for so long, name the time with \
         `tenor node clock`"
    )]
    Step {
        /// What the clock says.
        now: Timestamp,
        /// Time of the newest block.
        tip: Timestamp,
        /// Most milliseconds between the two.
        step_ms: u64,
    },
    /// The signer's guard does not fit the chain in the folder.
    #[error("signer's guard: {0}")]
    Guard(String),
    /// The replica is broken.
    #[error("{0}")]
    Fault(#[from] Fault),
    /// The system says no.
    #[error("{0}")]
    System(String),
}

impl Stop {
    /// The exit code of the process. 0 is a clean stop; 1 to 3 are the command's own.
    pub fn exit_code(&self) -> u8 {
        match self {
            Stop::Config(_) => 2,
            Stop::Folder(_) => 10,
            Stop::Address { .. } => 11,
            Stop::Clock { .. } | Stop::Step { .. } => 12,
            Stop::Guard(_) => 13,
            Stop::Fault(_) => 14,
            Stop::System(_) => 15,
        }
    }
}
