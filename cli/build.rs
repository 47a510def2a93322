//! Builds the products to wasm, so that the command carries them, and the example that it measures.

use std::path::{Path, PathBuf};

fn main() {
    let here = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default());
    let root = here.parent().unwrap_or(Path::new(".."));
    // One folder for the modules of every profile: two levels above `build/tenor-cli-…/out` stands the
    // profile's, above that the target folder.
    let target = out.ancestors().nth(4).unwrap_or(&out).join("contracts");
    for source in [
        "sdk/abi/src",
        "sdk/src",
        "sdk/macros/src",
        "sdk/build/src",
        "contracts",
        "examples/points",
        "Cargo.lock",
    ] {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
    }
    match tenor_build::add_target() {
        Ok(true) => {
            println!("cargo::warning=the target {} was missing; rustup has added it", tenor_build::TARGET)
        }
        Ok(false) => {}
        Err(error) => return error.lines().for_each(|line| println!("cargo::error={line}")),
    }
    for folder in ["contracts/recurring", "contracts/loan", "contracts/loyalty", "examples/points"] {
        let name = folder.rsplit('/').next().unwrap_or(folder);
        match tenor_build::wasm(&root.join(folder), &target) {
            Ok(wasm) => {
                if let Err(error) = std::fs::write(out.join(format!("{name}.wasm")), wasm) {
                    println!("cargo::error={error}");
                }
            }
            Err(error) => error.lines().for_each(|line| println!("cargo::error={line}")),
        }
    }
}
