//! State: what the chain knows after the last item, as typed records over canonical bytes.

pub mod namespace;
pub mod record;
mod overlay;
mod committed;

pub use committed::{CACHE_BYTES, Committed, Resume, StateMemory};
pub use namespace::Kind;
#[cfg(test)]
pub(crate) use overlay::Nothing;
pub use overlay::{Base, Mark, Overlay};
pub use record::Record;
