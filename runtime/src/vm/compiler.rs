//! Compiling: who makes machine code of an instrumented module, and how what was made is kept on disk.
//!
//! Compilers are large and a module's author may be hostile, so a node has a child process do it, with limits on
//! what it may take. What comes back is local: it is never sent, and never accepted from outside.

use super::engine::Settings;
use super::instance::broken;
use super::instrument::{INSTRUMENTER_VERSION, Reset};
use super::{admission_hash, prices_hash};
use crate::fault::Fault;
use crate::lanes::root_of_pieces;
use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder, OpenOptions};
use std::hash::{Hash as _, Hasher};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tenor_abi::codec;
use tenor_abi::id::CodeHash;
use tenor_wire::crypto::plain_hash;
use tenor_wire::hexadecimal::hex;

/// What a process that compiles one module may take. It is local and no rule: blocks say what is published.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Bounds {
    /// Processor seconds.
    pub cpu_seconds: u64,
    /// Bytes of memory.
    pub bytes: u64,
}

impl Bounds {
    /// For a module that no block holds yet: one that takes more is left out of the block.
    pub const NEW: Bounds = Bounds { cpu_seconds: 5, bytes: 512 << 20 };
    /// For one that a block holds: somebody has compiled it, so that only a machine that is broken takes so much.
    pub const PUBLISHED: Bounds =
        Bounds { cpu_seconds: 10 * Bounds::NEW.cpu_seconds, bytes: 4 * Bounds::NEW.bytes };
}

/// First bytes of a kept artefact.
const MAGIC: &[u8; 8] = b"tenorar2";

/// Why a module was not compiled. Admission lets nothing in that should come to this on any machine.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CompileError {
    /// More processor time than it may have, in seconds.
    #[error("compiling took more than {0} s of processor time")]
    Time(u64),
    /// More memory than it may have, or the process broke otherwise.
    #[error("the compiling process broke: {0}")]
    Broke(String),
    /// The compiler says no.
    #[error("the module does not compile: {0}")]
    Refused(String),
    /// The process could not be run.
    #[error("the compiler cannot be run: {0}")]
    Unavailable(String),
}

/// Makes machine code of instrumented modules.
pub trait Compiler: Send + Sync {
    /// The artefact of an instrumented module, for an engine of these settings, made within bounds.
    ///
    /// # Errors
    /// [`CompileError`].
    fn compile(&self, module: &[u8], settings: &Settings, bounds: Bounds) -> Result<Vec<u8>, CompileError>;
}

/// Compiles in this very process, without bounds: for tests, tools, and the child of the one that does not.
#[derive(Clone, Copy, Debug)]
pub struct Inside;

impl Compiler for Inside {
    fn compile(&self, module: &[u8], settings: &Settings, _bounds: Bounds) -> Result<Vec<u8>, CompileError> {
        let refused = |error: wasmtime::Error| CompileError::Refused(format!("{error:#}"));
        // Without the pool of instances, which needs more address space than a compiler is given.
        let engine = wasmtime::Engine::new(&super::engine::code_config(settings)).map_err(refused)?;
        engine.precompile_module(module).map_err(refused)
    }
}

/// What is known of a module besides its machine code, so that it is not read again when it is loaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct About {
    /// How its instances come back to their beginning.
    pub reset: Reset,
    /// Gas of beginning a call.
    pub start_gas: u64,
}

/// Artefacts on disk, in a folder that only its owner may look into: that of what one engine loads, named by the rules that
/// modules are instrumented by, and by the engine's version and settings.
#[derive(Clone, Debug)]
pub(super) struct Artefacts {
    folder: PathBuf,
}

impl Artefacts {
    /// The artefacts below a folder that this engine loads, in a folder that is made where it is missing. Those of engines of
    /// another version or other settings go.
    pub(super) fn at(
        folder: &Path,
        engine: &wasmtime::Engine,
        settings: &Settings,
    ) -> Result<Artefacts, Fault> {
        let mut made_for = Bytes::default();
        engine.precompile_compatibility_hash().hash(&mut made_for);
        let rules = codec::encode(&(INSTRUMENTER_VERSION, prices_hash(), admission_hash(), settings.reset));
        let own: String = hex(&plain_hash(&[MAGIC, &plain_hash(&[&rules]).0, &made_for.0]).0);
        remove_others(folder, &own);
        let folder = folder.join(own);
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(|error| Fault::Storage(format!("{}: {error}", folder.display())))?;
        Ok(Artefacts { folder })
    }

    /// Where the artefact of a module lies.
    pub(super) fn path(&self, code: &CodeHash) -> PathBuf {
        self.folder.join(hex(&code.0))
    }

    /// What is known of a module and its machine code, if the file is whole and nobody else may have written it.
    pub(super) fn read<T>(path: &Path, take: impl FnOnce(About, &[u8]) -> Option<T>) -> Option<T> {
        let about = fs::symlink_metadata(path).ok()?;
        let own = about.uid() == rustix::process::geteuid().as_raw();
        if !about.is_file() || !own || about.permissions().mode() & 0o077 != 0 {
            return None;
        }
        let bytes = fs::read(path).ok()?;
        let (sum, kept) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<32>()?;
        if root_of_pieces(kept).0 != *sum {
            return None;
        }
        let (about, artefact) = codec::take(kept).ok()?;
        take(about, artefact)
    }

    /// Keeps an artefact. It is a cache: what cannot be written is made again next time.
    pub(super) fn write(path: &Path, about: About, artefact: &[u8]) {
        let fresh = path.with_extension(format!("{}", std::process::id()));
        let write = || -> std::io::Result<()> {
            let kept = [&codec::encode(&about), artefact].concat();
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
            file.write_all(MAGIC)?;
            file.write_all(&root_of_pieces(&kept).0)?;
            file.write_all(&kept)?;
            fs::rename(&fresh, path)
        };
        if write().is_err() {
            let _ = fs::remove_file(&fresh);
        }
    }
}

/// Removes what has the name of artefacts and is not this engine's. What cannot be removed takes room, and nothing else.
fn remove_others(folder: &Path, own: &str) {
    for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        let name = entry.file_name();
        // Before there were folders each artefact lay here, and half of one under its name and a number.
        let name = name.to_string_lossy();
        let hash = name.split('.').next().unwrap_or_default();
        if hash.len() != own.len() || !hash.bytes().all(|digit| digit.is_ascii_hexdigit()) || name == own {
            continue;
        }
        let _ = match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            true => fs::remove_dir_all(entry.path()),
            false => fs::remove_file(entry.path()),
        };
    }
}

/// The bytes that are hashed into it.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Hasher for Bytes {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
    fn finish(&self) -> u64 {
        0
    }
}

/// A compiled module out of an artefact.
#[allow(unsafe_code)]
pub(super) fn module_of(engine: &wasmtime::Engine, artefact: &[u8]) -> Result<wasmtime::Module, Fault> {
    // SAFETY: the artefact comes from our own compiler, either now or out of a file that only this user may
    // write and whose checksum holds; wasmtime checks that it was made by this version with these settings.
    unsafe { wasmtime::Module::deserialize(engine, artefact) }.map_err(broken)
}
