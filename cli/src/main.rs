//! The `tenor` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    let code = tenor_cli::run(std::env::args_os(), &mut std::io::stdout().lock());
    ExitCode::from(code)
}
