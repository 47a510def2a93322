//! The `tenor` command.

use std::ffi::{c_int, c_long};
use std::process::ExitCode;

/// What a block and a call allocate comes and goes in small pieces; the system's allocator took a third of the
/// time of a payment.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What the allocator calls the milliseconds after which unused memory goes back to the system, and how many they are.
/// Blocks need as much again and again: after its own ten milliseconds the kernel would clear it anew for each.
const PURGE_DELAY: (c_int, c_long) = (15, 1_000);

#[allow(unsafe_code)]
mod allocator {
    use std::ffi::{c_int, c_long};

    unsafe extern "C" {
        fn mi_option_set_default(option: c_int, value: c_long);
    }

    /// Sets an option of the allocator that the environment leaves open, before there is another thread.
    pub(super) fn set((option, value): (c_int, c_long)) {
        // SAFETY: the function is the allocator's own and takes any number; nobody reads the option meanwhile.
        unsafe { mi_option_set_default(option, value) }
    }
}

fn main() -> ExitCode {
    allocator::set(PURGE_DELAY);
    if let Ok(program) = std::env::current_exe() {
        tenor_cli::compiler::compile_with(program);
    }
    let code = tenor_cli::run(std::env::args_os(), &mut std::io::stdout().lock());
    ExitCode::from(code)
}
