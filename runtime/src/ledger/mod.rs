//! The ledger: double entry over accounts with counters, floors, ceilings, holds and history.
//!
//! [`plan`] judges a draft against state and changes nothing; [`commit`] books what was planned. A contract
//! can ask for entries; only this floor writes a balance.

mod account;
mod change;
mod past;
mod statement;
mod authority;
mod effect;
mod dates;
mod book;
mod history;
mod plan;
mod amounts;
mod keyed;
mod hold;
mod correct;
mod hook;
mod check;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod test_world;
#[cfg(test)]
mod refusal_tests;
#[cfg(test)]
mod attack_tests;

pub use account::{Opening, TrialRow, balance, bank_of, check_currency, open_account, supply, trial_balance};
pub use amounts::{Asked, settle};
pub use authority::{Signed, check_may_debit, period_start};
pub use book::commit;
pub use change::{change_account, set_books};
pub use check::{check, check_block, check_touched};
pub use correct::{Correction, correction};
pub use dates::DatedBy;
pub use history::settle_history;
pub use hold::{
    Capture, HoldPart, due_holds, expire, hold_lines, next_expiry, plan_capture, plan_hold, plan_release,
    sweep_resolved,
};
pub use hook::{Question, accounts_that_tell, attach, detach, find as find_hook, questions, told_after};
pub use keyed::{KeyedEntry, find_keyed, keep_keyed};
pub use past::{posting_at, trial_balance_at};
pub use plan::{Draft, Line, Lines, Plan, plan};
pub use statement::{Statement, balance_on, postings, rows_since, statement};

/// Most postings of an entry.
pub const POSTINGS_MAX: usize = 8190;
/// Most control accounts above one another.
pub const CONTROL_DEPTH_MAX: usize = 4;
