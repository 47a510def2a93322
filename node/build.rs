//! Builds the client core to wasm, so that the node serves it with the demo's page.

use std::path::{Path, PathBuf};

fn main() {
    let here = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default());
    let root = here.parent().unwrap_or(Path::new(".."));
    // The folder that the products are built in as well: above `build/tenor-node-…/out` stand the profile's and the
    // target folder.
    let target = out.ancestors().nth(4).unwrap_or(&out).join("contracts");
    for source in ["sdk/abi/src", "sdk/wire/src", "sdk/build/src", "clients/wasm/src", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
    }
    match tenor_build::add_target() {
        Ok(true) => {
            println!("cargo::warning=the target {} was missing; rustup has added it", tenor_build::TARGET)
        }
        Ok(false) => {}
        Err(error) => return error.lines().for_each(|line| println!("cargo::error={line}")),
    }
    match tenor_build::client_core(&root.join("clients/wasm"), &target) {
        Ok(wasm) => {
            if let Err(error) = std::fs::write(out.join("core.wasm"), wasm) {
                println!("cargo::error={error}");
            }
        }
        Err(error) => error.lines().for_each(|line| println!("cargo::error={line}")),
    }
}
