//! Compiling: who makes machine code of an instrumented module, and how what was made is kept on disk.
//!
//! Compilers are large and a module's author may be hostile, so a node has a child process do it, with limits on
//! what it may take. What comes back is local: it is never sent, and never accepted from outside.

use super::engine::Settings;
use super::instance::broken;
use crate::fault::Fault;
use std::fs::{self, DirBuilder, OpenOptions};
use std::hash::{Hash as _, Hasher};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tenor_wire::crypto::plain_hash;
use tenor_wire::hexadecimal::hex;

/// Processor seconds that compiling one module may take.
pub const COMPILE_CPU_SECONDS_MAX: u64 = 5;
/// Bytes of memory that a process compiling one module may have.
pub const COMPILE_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// First bytes of a kept artefact.
const MAGIC: &[u8; 8] = b"tenorart";

/// Why a module was not compiled. Admission lets nothing in that comes to this, so it is the replica's.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CompileError {
    /// More processor time than [`COMPILE_CPU_SECONDS_MAX`].
    #[error("compiling took more than {COMPILE_CPU_SECONDS_MAX} s of processor time")]
    Time,
    /// More memory than [`COMPILE_BYTES_MAX`], or the process broke otherwise.
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
    /// The artefact of an instrumented module, for an engine of these settings.
    ///
    /// # Errors
    /// [`CompileError`].
    fn compile(&self, module: &[u8], settings: &Settings) -> Result<Vec<u8>, CompileError>;
}

/// Compiles in this very process: for tests, tools, and the child of the one that does not.
#[derive(Clone, Copy, Debug)]
pub struct Inside;

impl Compiler for Inside {
    fn compile(&self, module: &[u8], settings: &Settings) -> Result<Vec<u8>, CompileError> {
        let refused = |error: wasmtime::Error| CompileError::Refused(format!("{error:#}"));
        // Without the pool of instances, which needs more address space than a compiler is given.
        let engine = wasmtime::Engine::new(&super::engine::code_config(settings)).map_err(refused)?;
        engine.precompile_module(module).map_err(refused)
    }
}

/// Artefacts on disk, in a folder that only its owner may look into.
#[derive(Clone, Debug)]
pub(super) struct Artefacts {
    folder: PathBuf,
}

impl Artefacts {
    /// The artefacts in a folder, made where it is missing.
    pub(super) fn at(folder: &Path) -> Result<Artefacts, Fault> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|error| Fault::Storage(format!("{}: {error}", folder.display())))?;
        Ok(Artefacts { folder: folder.to_path_buf() })
    }

    /// Where the artefact of a module lies: named by the module, the engine's version and settings.
    pub(super) fn path(&self, engine: &wasmtime::Engine, module: &[u8]) -> PathBuf {
        let mut made_for = Bytes::default();
        engine.precompile_compatibility_hash().hash(&mut made_for);
        let name = plain_hash(&[MAGIC, &plain_hash(&[module]).0, &made_for.0]);
        let name: String = hex(&name.0);
        self.folder.join(name)
    }

    /// The artefact in a file, if it is whole and nobody else may have written it.
    pub(super) fn read(path: &Path) -> Option<Vec<u8>> {
        let about = fs::symlink_metadata(path).ok()?;
        let own = about.uid() == rustix::process::geteuid().as_raw();
        if !about.is_file() || !own || about.permissions().mode() & 0o077 != 0 {
            return None;
        }
        let bytes = fs::read(path).ok()?;
        let (sum, artefact) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<32>()?;
        (plain_hash(&[artefact]).0 == *sum).then(|| artefact.to_vec())
    }

    /// Keeps an artefact. It is a cache: what cannot be written is made again next time.
    pub(super) fn write(path: &Path, artefact: &[u8]) {
        let fresh = path.with_extension(format!("{}", std::process::id()));
        let write = || -> std::io::Result<()> {
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
            file.write_all(MAGIC)?;
            file.write_all(&plain_hash(&[artefact]).0)?;
            file.write_all(artefact)?;
            fs::rename(&fresh, path)
        };
        if write().is_err() {
            let _ = fs::remove_file(&fresh);
        }
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
