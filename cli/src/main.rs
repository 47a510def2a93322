//! The `tenor` command.

use std::process::ExitCode;

/// What a block and a call allocate comes and goes in small pieces; the system's allocator took a third of the
/// time of a payment.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Milliseconds that memory which became free is kept for what comes next: a block gives back what the next one takes.
const KEPT_MS: std::ffi::c_long = 1000;
/// The number of the allocator's option that says so, `mi_option_purge_delay`.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

fn main() -> ExitCode {
    // SAFETY: it sets a number, unless the environment did, which threads read when they give memory back.
    #[allow(unsafe_code)]
    unsafe {
        libmimalloc_sys::mi_option_set_default(PURGE_DELAY, KEPT_MS);
    }
    if let Ok(program) = std::env::current_exe() {
        tenor_cli::compiler::compile_with(program);
    }
    let code = tenor_cli::run(std::env::args_os(), &mut std::io::stdout().lock());
    ExitCode::from(code)
}
