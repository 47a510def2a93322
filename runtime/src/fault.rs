//! A fault: this replica is broken and stops. Never an outcome of an item.

/// What is broken. Whoever meets one stops making blocks; nothing it says enters a receipt.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Fault {
    /// A stored record cannot be read, is missing, or differs from what its hash says.
    #[error("state is damaged: {0}")]
    State(String),
    /// The disk failed or is full.
    #[error("storage failed: {0}")]
    Storage(String),
    /// The block log is damaged.
    #[error("block log is damaged: {0}")]
    Log(String),
    /// The engine broke: a host panic, a native overflow.
    #[error("the engine failed: {0}")]
    Engine(String),
    /// A module was not compiled. While a block is made, its publication is left out of it.
    #[error("the module was not compiled: {0}")]
    Uncompiled(String),
    /// A module is called that was not loaded, or made room for others since: it is loaded again.
    #[error("the module is not loaded")]
    Unloaded,
    /// Executing a block again gave something else than the block says.
    #[error("block {height} is not what its items give: {what}")]
    Diverged {
        /// Height of the block.
        height: u64,
        /// What differs.
        what: String,
    },
    /// A past state was asked for that is no longer at hand; the replica itself is whole.
    #[error(
        "the state of block {height} is no longer at hand; the oldest that is, is that of block {oldest}"
    )]
    Gone {
        /// Height that was asked for.
        height: u64,
        /// Height of the oldest one.
        oldest: u64,
    },
    /// Whoever has the chain that is read does not answer, or says no.
    #[error("{0}")]
    Elsewhere(String),
    /// The books do not hold together.
    #[error("the books do not hold: {0}")]
    Books(String),
}

/// Why something did not happen below the door of an item: a rule, or a broken replica.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Stop {
    /// A rule says no: the item is refused.
    #[error(transparent)]
    Refused(#[from] tenor_abi::refusal::Refusal),
    /// The replica is broken: it stops.
    #[error(transparent)]
    Fault(#[from] Fault),
}
