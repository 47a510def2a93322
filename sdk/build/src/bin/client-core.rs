//! Builds the client core and puts it where its one argument says: `cargo run -p tenor-build --bin client-core -- FILE`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(to) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("where should the client core go? client-core FILE");
        return ExitCode::FAILURE;
    };
    match put(&to) {
        Ok(bytes) => {
            println!("{}: {bytes} bytes", to.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn put(to: &Path) -> Result<usize, String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../clients/wasm");
    let wasm = tenor_build::client_core(&source, &tenor_build::target_folder(&source))?;
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    std::fs::write(to, &wasm).map_err(|error| format!("{}: {error}", to.display()))?;
    Ok(wasm.len())
}
