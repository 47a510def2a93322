//! Builds a contract crate to wasm, from a build script, a test or the command.
//!
//! The inner cargo has a target folder and flags of its own: it never waits for the lock of the outer build,
//! and nothing of the outer build's flags leaks into a contract.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The target that contracts are built for.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// What changes a module's bytes besides its source: kept here, so that everybody builds the same.
const RUSTFLAGS: &str =
    "-Clink-arg=--strip-all -Ctarget-cpu=mvp -Ctarget-feature=+bulk-memory,+sign-ext,+mutable-globals";

/// Most pages of memory that a contract may have.
const PAGES_MAX: u32 = 256;

/// What differs between the modules that are built.
struct Settings {
    /// Bytes of the stack in linear memory.
    stack_bytes: u32,
    opt_level: &'static str,
    /// Pages of memory, of 64 KiB, that the module may come to have; any number where none is said.
    pages: Option<u32>,
}

/// Contracts: measured on the products, modules are smaller than "s" gives, for what is inlined falls away, and use less
/// gas. Little stack, so that a page of memory holds it. Little memory, for the less a module may have, the less gas reading it takes.
const CONTRACT: Settings = Settings { stack_bytes: 16 * 1024, opt_level: "2", pages: Some(4) };
/// The client core: its curve arithmetic keeps tables on the stack, and it travels to browsers.
const CLIENT: Settings = Settings { stack_bytes: 256 * 1024, opt_level: "\"z\"", pages: None };

/// Builds the contract crate in a folder and returns its wasm, as [`module`] does.
///
/// # Errors
/// As [`module`].
pub fn wasm(crate_folder: &Path, target: &Path) -> Result<Vec<u8>, String> {
    let path = module(crate_folder, target)?;
    std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Where the builds of a contract crate keep their files: one folder for all contracts of a workspace.
pub fn target_folder(crate_folder: &Path) -> PathBuf {
    let workspace = crate_folder.ancestors().find(|folder| folder.join("Cargo.lock").exists());
    workspace.unwrap_or(crate_folder).join("target/contracts")
}

/// Builds the contract crate in a folder and returns where its module lies.
///
/// `target` is the folder for the build's own files; it may be shared by several contracts.
///
/// # Errors
/// What cargo or rustup said, and the one command that helps.
pub fn module(crate_folder: &Path, target: &Path) -> Result<PathBuf, String> {
    build(crate_folder, target, &CONTRACT)
}

/// Builds the client core (`clients/wasm`) and returns its wasm.
///
/// # Errors
/// As [`module`].
pub fn client_core(crate_folder: &Path, target: &Path) -> Result<Vec<u8>, String> {
    let path = build(crate_folder, target, &CLIENT)?;
    std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))
}

fn build(crate_folder: &Path, target: &Path, settings: &Settings) -> Result<PathBuf, String> {
    add_target()?;
    let manifest = crate_folder.join("Cargo.toml");
    let pages = match (settings.pages, line_of(&manifest, "memory-pages = ")?) {
        (Some(_), Some(own)) => Some(pages_of(&manifest, &own)?),
        (pages, _) => pages,
    };
    let output = cargo(settings, pages)
        .arg("build")
        .args(["--lib", "--release", "--target", TARGET, "--manifest-path"])
        .arg(&manifest)
        .arg("--target-dir")
        .arg(target)
        .args(profile(settings))
        .output()
        .map_err(|error| format!("cargo cannot be run: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "building {} to wasm failed:\n{}",
            crate_folder.display(),
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    let path = artefact(crate_folder, target)?;
    if !path.exists() {
        return Err(format!(
            "{} makes no module: `[lib]` needs crate-type = [\"cdylib\", \"rlib\"]",
            manifest.display()
        ));
    }
    Ok(path)
}

/// Pages of memory as a manifest says them.
fn pages_of(manifest: &Path, text: &str) -> Result<u32, String> {
    let pages = text.parse().ok().filter(|pages| (1..=PAGES_MAX).contains(pages));
    pages.ok_or_else(|| {
        format!("{}: memory-pages is 1 to {PAGES_MAX} pages of 64 KiB, `{text}` given", manifest.display())
    })
}

fn cargo(settings: &Settings, pages: Option<u32>) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_") && text != "CARGO_HOME"
            || text.starts_with("RUSTC")
            || text == "RUSTFLAGS"
        {
            command.env_remove(&name);
        }
    }
    let stack = format!("-Clink-arg=-zstack-size={}", settings.stack_bytes);
    let memory =
        pages.map_or(String::new(), |pages| format!(" -Clink-arg=--max-memory={}", pages * 64 * 1024));
    command.env("RUSTFLAGS", format!("{stack}{memory} {RUSTFLAGS}{}", remapped()));
    command
}

/// Panics name the file they stand in: where this machine keeps the sources of dependencies must not show in
/// a contract's bytes, or no two machines would build the same.
fn remapped() -> String {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home =
        home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo"))).unwrap_or_default();
    let registries = std::fs::read_dir(home.join("registry/src")).into_iter().flatten().flatten();
    registries.map(|folder| format!(" --remap-path-prefix={}=registry", folder.path().display())).collect()
}

/// A module's profile, whatever the outer one is.
fn profile(settings: &Settings) -> Vec<String> {
    let level = format!("profile.release.opt-level={}", settings.opt_level);
    let settings = [
        level.as_str(),
        "profile.release.lto=true",
        "profile.release.codegen-units=1",
        "profile.release.panic=\"abort\"",
        "profile.release.overflow-checks=true",
        "profile.release.debug=false",
        "profile.release.strip=\"symbols\"",
    ];
    settings.iter().flat_map(|setting| ["--config".to_string(), (*setting).to_string()]).collect()
}

/// What stands behind a word at the beginning of a line of a manifest.
fn line_of(manifest: &Path, word: &str) -> Result<Option<String>, String> {
    let text =
        std::fs::read_to_string(manifest).map_err(|error| format!("{}: {error}", manifest.display()))?;
    Ok(text.lines().find_map(|line| line.strip_prefix(word)).map(|rest| rest.trim().to_string()))
}

/// Where cargo puts the module: the crate's name with underscores.
fn artefact(crate_folder: &Path, target: &Path) -> Result<PathBuf, String> {
    let manifest = crate_folder.join("Cargo.toml");
    let name = line_of(&manifest, "name = ")?;
    let name = name.as_deref().and_then(|name| name.strip_prefix('"')?.strip_suffix('"'));
    let name = name.ok_or_else(|| format!("{} names no package", manifest.display()))?;
    Ok(target.join(TARGET).join("release").join(format!("{}.wasm", name.replace('-', "_"))))
}

/// Adds the wasm target where it is missing; whether it was.
///
/// # Errors
/// The one command that helps, where there is no rustup or it cannot.
pub fn add_target() -> Result<bool, String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let found = Command::new(rustc).args(["--print", "target-libdir", "--target", TARGET]).output();
    let there =
        |output: &std::process::Output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).exists();
    if found.as_ref().is_ok_and(there) {
        return Ok(false);
    }
    let added = Command::new("rustup").args(["target", "add", TARGET]).output();
    let reason = match added {
        Ok(output) if output.status.success() => return Ok(true),
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_string(),
        Err(error) => format!("rustup cannot be run: {error}"),
    };
    Err(format!(
        "{reason}\nthe target {TARGET} is missing and could not be added; run: rustup target add {TARGET}"
    ))
}

#[cfg(test)]
mod tests {
    use super::{line_of, pages_of};

    #[test]
    fn a_manifest_says_how_much_memory_there_may_be() {
        let folder = std::env::temp_dir().join(format!("tenor-build-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let manifest = folder.join("Cargo.toml");
        std::fs::write(&manifest, "[package]\nname = \"a\"\n[package.metadata.tenor]\nmemory-pages = 32\n")
            .unwrap();
        let said = line_of(&manifest, "memory-pages = ").unwrap();
        assert_eq!(pages_of(&manifest, &said.unwrap()), Ok(32));
        assert_eq!(line_of(&manifest, "version = "), Ok(None));
        for wrong in ["0", "257", "-1", "1.5", "many"] {
            let why = pages_of(&manifest, wrong).unwrap_err();
            assert!(
                why.ends_with(&format!("memory-pages is 1 to 256 pages of 64 KiB, `{wrong}` given")),
                "{why}"
            );
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
