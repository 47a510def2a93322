//! The `tenor` command.

use std::process::ExitCode;

/// What a block and a call allocate comes and goes in small pieces; the system's allocator took a third of the
/// time of a payment.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Milliseconds that memory which became free is kept for what comes next: a block gives back what the next one takes.
/// A node, which may be idle for long, gives it back sooner than a command that ends.
const KEPT_MS_OF_NODE: std::ffi::c_long = 1000;
const KEPT_MS: std::ffi::c_long = 60_000;
/// The number of the allocator's option that says so, `mi_option_purge_delay`.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

fn main() -> ExitCode {
    let is_node = std::env::args_os().any(|argument| argument == "node");
    let kept_ms = if is_node { KEPT_MS_OF_NODE } else { KEPT_MS };
    // SAFETY: it sets a number, unless the environment did, which threads read when they give memory back.
    #[allow(unsafe_code)]
    unsafe {
        libmimalloc_sys::mi_option_set_default(PURGE_DELAY, kept_ms);
    }
    if let Ok(program) = std::env::current_exe() {
        tenor_cli::compiler::compile_with(program);
    }
    let code = tenor_cli::run(std::env::args_os(), &mut std::io::stdout().lock());
    ExitCode::from(code)
}
