//! The shape of the house: floors, and what may not stand on them.

// A test that cannot read its own files has nothing better to do than to stop.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The code of a file: no comments, nothing behind its unit tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The same without what stands between quotation marks on a line.
fn unquoted(path: &Path) -> String {
    let line = |line: &str| line.split('"').step_by(2).collect::<Vec<_>>().join("\"\"");
    code(path).lines().map(line).collect::<Vec<_>>().join("\n")
}

/// The modules of a crate in the order in which its `lib.rs` lists them.
fn floors(source: &Path) -> Vec<String> {
    let lib = code(&source.join("lib.rs"));
    let name = |line: &str| {
        line.trim().trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';').map(String::from)
    };
    lib.lines().filter_map(name).collect()
}

fn check_floors(source: &str) {
    let source = root().join(source);
    let floors = floors(&source);
    assert!(floors.len() > 3, "{} lists no floors", source.display());
    for path in sources(&source) {
        let inside = path.strip_prefix(&source).unwrap();
        let module = inside
            .components()
            .next()
            .unwrap()
            .as_os_str()
            .to_string_lossy()
            .trim_end_matches(".rs")
            .to_string();
        let Some(here) = floors.iter().position(|floor| *floor == module) else { continue };
        for (above, floor) in floors.iter().enumerate().skip(here + 1) {
            let used = code(&path).contains(&format!("crate::{floor}::"));
            assert!(!used, "{} (floor {here}) looks up to `{floor}` (floor {above})", path.display());
        }
    }
}

#[test]
fn a_module_looks_only_down() {
    for source in ["sdk/abi/src", "sdk/wire/src", "runtime/src", "node/src"] {
        check_floors(source);
    }
}

#[test]
fn nothing_below_the_node_reads_a_clock_a_float_or_an_unordered_map() {
    for folder in [
        "sdk/abi/src",
        "sdk/wire/src",
        "sdk/src",
        "runtime/src",
        "contracts",
        "examples/points",
        "examples/escrow",
        "examples/drawer",
    ] {
        for path in sources(&root().join(folder)) {
            if path.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "benches") {
                continue;
            }
            let code = unquoted(&path);
            // A serializer has a method for each type of serde, also for those that it refuses.
            let refuses_floats = path.ends_with("sdk/abi/src/codec/write.rs");
            for word in ["f32", "f64", "HashMap", "HashSet", "SystemTime", "Instant::now", "std::net"] {
                let found = code
                    .split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':')
                    .any(|token| token == word);
                let is_refusal = refuses_floats && matches!(word, "f32" | "f64");
                assert!(!found || is_refusal, "{} uses {word}", path.display());
            }
        }
    }
}

#[test]
fn only_the_node_knows_sockets_and_tokio() {
    for folder in [
        "sdk/abi",
        "sdk/wire",
        "sdk/macros",
        "sdk",
        "sdk/build",
        "sdk/testing",
        "runtime",
        "cli",
        "contracts/loan",
    ] {
        let manifest = fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
        let dependencies = manifest.split("[dependencies]").nth(1).unwrap_or_default();
        for name in ["tokio", "axum", "hyper", "utoipa"] {
            let is_named = dependencies.lines().any(|line| line.starts_with(name));
            assert!(!is_named, "{folder} depends on {name}");
        }
    }
}

#[test]
fn a_contract_stands_alone() {
    for folder in [
        "contracts/recurring",
        "contracts/loan",
        "contracts/loyalty",
        "examples/points",
        "examples/escrow",
        "examples/drawer",
    ] {
        let manifest = fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
        let dependencies =
            manifest.split("[dependencies]").nth(1).unwrap().split("[dev-dependencies]").next().unwrap();
        let named: Vec<&str> =
            dependencies.lines().filter(|line| line.contains('=') || line.contains(".workspace")).collect();
        assert_eq!(named, ["tenor-sdk.workspace = true"], "{folder}");
        let is_product = folder.starts_with("contracts");
        assert_eq!(root().join(folder).join("TERMS.md").exists(), is_product, "{folder}: a page of terms");
    }
}

#[test]
fn cargo_run_at_the_root_runs_the_command() {
    let told = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let default: Vec<_> = packages.iter().filter_map(|package| package["default_run"].as_str()).collect();
    assert_eq!(default, ["tenor"], "several binaries, and nothing says which one `cargo run` means");
}
