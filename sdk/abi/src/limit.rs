//! Every limit that contracts and their host share, in one place. Changing one changes the protocol.

/// Largest amount of one posting, in minor units.
pub const AMOUNT_MAX: u128 = 10u128.pow(30);
/// Largest value of an account counter, in minor units.
pub const COUNTER_MAX: u128 = 10u128.pow(36);
/// Longest storage key of a contract, in bytes.
pub const STORAGE_KEY_BYTES_MAX: usize = 256;
/// Longest storage value of a contract, in bytes.
pub const STORAGE_VALUE_BYTES_MAX: usize = 16 * 1024;
/// Longest event of a contract, in bytes.
pub const EVENT_BYTES_MAX: usize = 4 * 1024;
/// Longest answer or refusal of a contract, in bytes.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Longest request to the ledger or the scheduler, in bytes.
pub const REQUEST_BYTES_MAX: usize = 512 * 1024;
/// Linear memory of a contract, in pages of 64 KiB.
pub const MEMORY_PAGES_MAX: u64 = 256;
/// Lines of a hold.
pub const HOLD_LINES_MAX: usize = 64;
/// Postings that a contract reads at once from an account's history.
pub const STATEMENT_LINES_MAX: usize = 100;
/// Postings of the latest days that a value-dated balance may look through.
pub const VALUE_DATED_ROWS_MAX: u64 = 100_000;
