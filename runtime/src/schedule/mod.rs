//! Schedules: recurrence as chain state, each occurrence in the due queue once, never lost.
//!
//! The host owns the recurrence. A handler that is refused or fails does not touch it: what comes next is
//! decided here, from the record and the outcome.

mod clock;
mod queue;
mod turn;
mod cursor;
#[cfg(test)]
mod tests;

pub use clock::{business_date, business_date_of, business_day_start, calendar, zone};
pub use cursor::{
    CURSOR_ACCOUNTS_MAX, CURSOR_KIND, News, follow, go_on, leave, news, notice, queue_row,
    stop as stop_cursor,
};
pub use queue::{Head, Queues, heads, next_wake};
pub use turn::{
    Halt, Missing, Place, end, finish, give_up, hold, move_from_holiday, of, passed_over, resume, retry,
    start, suspend,
};
