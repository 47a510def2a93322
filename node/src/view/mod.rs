//! What a chain holds, as people and documents read it: one copy for the command and for HTTP.

pub mod table;
pub mod words;
pub mod names;
pub mod reading;
pub mod render;
pub mod refusal;
pub mod said;
pub mod authority;
pub mod schedule;
pub mod find;
pub mod show;
pub mod party;
pub mod proposal;
pub mod receipt;
pub mod list;
pub mod entries;
pub mod statement;

use serde_json::Value as Json;
use std::fmt::Display;
use tenor_runtime::chain::Chain;

/// What is shown of something: a document for machines, a text for people.
#[derive(Clone, PartialEq, Debug)]
pub struct Shown {
    /// For machines.
    pub document: Json,
    /// For people.
    pub text: String,
}

/// There is no such thing, in words.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Missing(pub String);

impl Missing {
    /// Nothing under an id.
    pub fn of(id: &impl Display) -> Missing {
        Missing(format!("there is no {id}"))
    }
}

/// Why there is no block of a height.
pub fn no_block(chain: &Chain, height: u64) -> Missing {
    let (oldest, tip) = (chain.journal().oldest(), chain.tip().height);
    Missing(match height < oldest {
        true => format!("block {height} was let go: the log begins at block {oldest}"),
        false => format!("there is no block {height}; the newest is {tip}"),
    })
}

/// Whether there is a block of this height.
///
/// # Errors
/// [`Missing`] when it is not made yet.
pub fn check_made(chain: &Chain, height: u64) -> Result<(), Missing> {
    let tip = chain.tip().height;
    match height <= tip {
        true => Ok(()),
        false => Err(Missing(format!("block {height} is not made yet; the newest is {tip}"))),
    }
}
