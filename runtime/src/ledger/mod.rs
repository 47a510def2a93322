//! The ledger: double entry over accounts with counters, floors, ceilings and history.
//!
//! [`plan`] judges a draft against state and changes nothing; [`commit`] books what was planned. A contract
//! can ask for entries; only this floor writes a balance.

mod account;
mod past;
mod authority;
mod book;
mod history;
mod plan;
#[cfg(test)]
mod tests;

pub use account::{TrialRow, balance, open_account, trial_balance};
pub use authority::{Signed, period_start};
pub use book::commit;
pub use history::settle_history;
pub use past::{posting_at, trial_balance_at};
pub use plan::{Draft, Line, Plan, plan};

/// Most postings of an entry.
pub const POSTINGS_MAX: usize = 8190;
