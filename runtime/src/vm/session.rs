//! The border between an engine and the chain: what a call can do, and how it ends.

use super::compiler::Bounds;
use crate::fault::Fault;
use crate::store::Row;
use tenor_abi::host::Context;
use tenor_abi::id::CodeHash;
use tenor_abi::refusal::Failure;

/// Which rule of the host a contract broke.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HostRule {
    /// A value it handed over is none, or too long.
    Value,
    /// A pointer or length lies outside its memory.
    Memory,
    /// Too many events.
    Events,
    /// A lifecycle state that the call does not declare.
    State,
    /// A function that may not be called on this occasion.
    Context,
    /// An export returned what it may not.
    Return,
}

/// Why a host function does not return.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HostError {
    /// The call ends refused.
    Refused {
        /// Code.
        code: u16,
        /// Data.
        data: Vec<u8>,
    },
    /// The call ends failed: the contract broke a rule of the host. The text stands beside the receipt.
    Rule(HostRule, String),
    /// The replica is broken.
    Fault(String),
}

/// What a call of another agreement came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallEnd {
    /// Gas that it used, which the caller loses.
    pub gas_used: u64,
    /// The bytes of a [`tenor_abi::interface::CallAnswer`]; an error ends the caller too.
    pub answer: Result<Vec<u8>, HostError>,
}

/// What a call can reach, in bytes and numbers; a method for each host function that touches more than the
/// call itself.
#[allow(missing_docs)]
pub trait Session {
    fn emit(&mut self, event: u16, data: &[u8]) -> Result<(), HostError>;
    fn storage_get(&mut self, key: &[u8]) -> Result<Option<&[u8]>, HostError>;
    fn storage_set(&mut self, key: &[u8], value: &[u8]) -> Result<(), HostError>;
    fn storage_remove(&mut self, key: &[u8]) -> Result<bool, HostError>;
    /// Each row that was deleted in the block and is passed over is paid for, with the bytes of the value that it had
    /// before; where it is not, what is answered does not count.
    fn storage_next(
        &mut self,
        from: &[u8],
        end: &[u8],
        pay: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Option<Row>, HostError>;
    fn post(&mut self, request: &[u8]) -> Result<Option<u32>, HostError>;
    fn try_post(&mut self, request: &[u8]) -> Result<Option<Vec<u8>>, HostError>;
    fn collect_up_to(&mut self, request: &[u8]) -> Result<Vec<u8>, HostError>;
    fn balance(&mut self, account: &[u8]) -> Result<Vec<u8>, HostError>;
    fn post_entry(&mut self, request: &[u8]) -> Result<Vec<u8>, HostError>;
    fn hold(&mut self, request: &[u8]) -> Result<Vec<u8>, HostError>;
    fn capture(&mut self, request: &[u8]) -> Result<(), HostError>;
    fn release(&mut self, request: &[u8]) -> Result<(), HostError>;
    fn statement(&mut self, request: &[u8], count: u32) -> Result<Vec<u8>, HostError>;
    /// How many postings [`Session::balance_on`] looks through.
    fn postings_since(&mut self, request: &[u8]) -> Result<u64, HostError>;
    fn balance_on(&mut self, request: &[u8]) -> Result<Vec<u8>, HostError>;
    /// Calls another agreement within the gas that is left; more that is forwarded is reported as used and nothing
    /// is called.
    fn call(&mut self, request: &[u8], context: Context, gas_left: u64) -> CallEnd;
    fn schedule_start(&mut self, request: &[u8]) -> Result<(), HostError>;
    fn schedule_hold(&mut self, kind: u16) -> Result<(), HostError>;
    fn schedule_resume(&mut self, kind: u16) -> Result<(), HostError>;
    fn schedule_end(&mut self, kind: u16) -> Result<(), HostError>;
    fn next_due(&mut self, kind: u16) -> Result<Option<Vec<u8>>, HostError>;
    fn enter_state(&mut self, state: u16) -> Result<(), HostError>;
    fn business_day(&mut self, request: &[u8]) -> Result<Vec<u8>, HostError>;
}

/// How a call ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CallOutcome {
    /// It answered.
    Done {
        /// The answer.
        data: Vec<u8>,
    },
    /// It, or the host for it, said no.
    Refused {
        /// Code.
        code: u16,
        /// Data.
        data: Vec<u8>,
    },
    /// It ran out of something, trapped or broke a rule; the text stands beside the receipt.
    Failed(Failure, String),
}

/// How a call ended and what it cost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallReport {
    /// How it ended.
    pub outcome: CallOutcome,
    /// Gas used, at most the limit.
    pub gas_used: u64,
}

/// Something that runs contracts: the wasm engine, or a native twin in tests.
pub trait Guest: Send + Sync {
    /// Makes the module of a code hash callable, compiled within bounds. Loading it again changes nothing.
    ///
    /// # Errors
    /// [`Fault::Uncompiled`] when it cannot be compiled, any other when the replica is broken.
    fn load(&self, code: &CodeHash, wasm: &[u8], bounds: Bounds) -> Result<(), Fault>;

    /// Whether a module can be called without loading it: an engine holds a bounded number of them.
    fn is_loaded(&self, _code: &CodeHash) -> bool {
        true
    }

    /// Whether a module can be called now, after it was loaded from what was compiled of it before, if that is kept.
    ///
    /// # Errors
    /// [`Fault`] when the replica is broken.
    fn is_ready(&self, code: &CodeHash) -> Result<bool, Fault> {
        Ok(self.is_loaded(code))
    }

    /// Calls an export of a loaded module.
    ///
    /// # Errors
    /// [`Fault::Unloaded`] when it is not loaded, any other when the replica is broken.
    fn call(
        &self,
        code: &CodeHash,
        export: &str,
        context: Context,
        argument: &[u8],
        gas: u64,
        session: &mut dyn Session,
    ) -> Result<CallReport, Fault>;
}
