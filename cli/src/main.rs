//! The `tenor` command.

use std::process::ExitCode;

/// What a block and a call allocate comes and goes in small pieces; the system's allocator took a third of the
/// time of a payment.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    if let Ok(program) = std::env::current_exe() {
        tenor_cli::compiler::compile_with(program);
    }
    let code = tenor_cli::run(std::env::args_os(), &mut std::io::stdout().lock());
    ExitCode::from(code)
}
