//! stand-in
#![allow(missing_docs)]
use serde::{Deserialize, Serialize};
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum DayCount {
    Act360,
}
