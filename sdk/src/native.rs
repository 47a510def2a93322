//! The native twin: the same contract code, called by a test instead of through wasm.

pub use crate::host::Host;

scoped_tls_hkt::scoped_thread_local! {
    /// The host of the running call.
    static mut HOST: for<'a> &'a mut (dyn Host + 'a)
}

/// A contract as a test calls it.
#[derive(Clone, Copy, Debug)]
pub struct Contract {
    /// Content of the spec's custom section.
    pub section: &'static [u8],
    /// Runs an export with a fresh value; nothing when there is none of this name.
    pub call: fn(&str) -> Option<i32>,
}

impl Contract {
    /// Runs an export against a host.
    pub fn run(&self, host: &mut dyn Host, export: &str) -> Option<i32> {
        HOST.set(host, || (self.call)(export))
    }
}

/// The host of the running call.
///
/// # Panics
/// Outside a call: contract code runs only in one.
pub(crate) fn with<T>(work: impl FnOnce(&mut dyn Host) -> T) -> T {
    HOST.with(|host| work(host))
}
