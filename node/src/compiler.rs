//! Compiling modules in a child process of this program, which may take only so much of the machine.
//!
//! A module's author may be hostile and a compiler is large: what goes wrong in it goes wrong in the child. The
//! program's path is set once, where the program begins; where it is not, modules are compiled in this process.

use anyhow::{Context, Result, anyhow};
use rustix::process::{Resource, Rlimit, setrlimit};
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use tenor_abi::codec;
use tenor_runtime::vm::{Bounds, CompileError, Compiler, Inside, Settings};

/// Name of the hidden command that the child runs.
pub const COMMAND: &str = "compile-module";
/// Children at the same time.
const CHILDREN_MAX: usize = 2;
/// Exit code of a child whose module does not compile.
const DOES_NOT_COMPILE: i32 = 3;
/// Most bytes of what a child is given: an instrumented module and settings.
const GIVEN_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Signal of a process that used up its processor time; the second is for one that would not hear the first.
const OUT_OF_TIME: [i32; 2] = [24, 9];

static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Has modules compiled by children that run this program.
pub fn compile_with(program: PathBuf) {
    let _ = PROGRAM.set(program);
}

/// The compiler of this process.
pub fn compiler() -> Arc<dyn Compiler> {
    match PROGRAM.get() {
        Some(program) => Arc::new(Children::of(program.clone())),
        None => Arc::new(Inside),
    }
}

/// Compiles in children, a few at the same time.
#[derive(Debug)]
pub struct Children {
    program: PathBuf,
    running: Mutex<usize>,
    ended: Condvar,
}

impl Children {
    /// Children that run a program.
    pub fn of(program: PathBuf) -> Children {
        Children { program, running: Mutex::new(0), ended: Condvar::new() }
    }

    fn run(&self, given: &[u8], bounds: Bounds) -> Result<Vec<u8>, CompileError> {
        let unavailable =
            |error: std::io::Error| CompileError::Unavailable(format!("{}: {error}", self.program.display()));
        let mut child = Command::new(&self.program)
            .arg(COMMAND)
            .env_clear()
            // The allocator would begin by reserving more address space than the child may have.
            .env("MIMALLOC_ARENA_RESERVE", "32MiB")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(unavailable)?;
        // The child reads everything before it writes anything. One that is gone already says why by its end.
        if let Some(mut to) = child.stdin.take() {
            let _ = to.write_all(given);
        }
        let output = child.wait_with_output().map_err(unavailable)?;
        match output.status.code() {
            Some(0) => Ok(output.stdout),
            Some(DOES_NOT_COMPILE) => Err(CompileError::Refused(words(&output.stderr))),
            _ => Err(broken(output.status, &output.stderr, bounds)),
        }
    }
}

fn words(said: &[u8]) -> String {
    // A hint for whoever works on this program is nothing to whoever published a module.
    let said = String::from_utf8_lossy(said);
    let lines = said.lines().filter(|line| !line.contains("RUST_BACKTRACE"));
    lines.collect::<Vec<_>>().join(" ").trim().chars().take(400).collect()
}

fn broken(status: ExitStatus, said: &[u8], bounds: Bounds) -> CompileError {
    match status.signal() {
        Some(signal) if OUT_OF_TIME.contains(&signal) => CompileError::Time(bounds.cpu_seconds),
        Some(signal) => CompileError::Broke(format!("signal {signal}; {}", words(said))),
        None => CompileError::Broke(format!("{status}; {}", words(said))),
    }
}

impl Compiler for Children {
    fn compile(&self, module: &[u8], settings: &Settings, bounds: Bounds) -> Result<Vec<u8>, CompileError> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        while *running >= CHILDREN_MAX {
            running = self.ended.wait(running).unwrap_or_else(PoisonError::into_inner);
        }
        *running += 1;
        drop(running);
        let how = codec::encode(&(settings, bounds));
        let given = [&(how.len() as u32).to_le_bytes(), how.as_slice(), module].concat();
        let compiled = self.run(&given, bounds);
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.ended.notify_one();
        compiled
    }
}

/// Lets this process take no more than this; never more than it was let before.
fn limit(bounds: Bounds) -> Result<()> {
    // Memory that is written to, not address space: the program's own code takes much of that.
    for (resource, most) in
        [(Resource::Data, bounds.bytes), (Resource::Cpu, bounds.cpu_seconds), (Resource::Core, 0)]
    {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}

/// The child: takes settings, bounds and a module, gives the artefact, inside its limits.
///
/// # Errors
/// When what it was given is not that. A module that does not compile ends the process.
pub fn run_child() -> Result<()> {
    limit(Bounds::PUBLISHED)?;
    let mut given = vec![];
    std::io::stdin().lock().take(GIVEN_BYTES_MAX).read_to_end(&mut given)?;
    let (length, rest) = given.split_first_chunk::<4>().context("no settings")?;
    let (how, module) = rest.split_at_checked(u32::from_le_bytes(*length) as usize).context("no module")?;
    let (settings, bounds): (Settings, Bounds) = codec::decode_own(how)?;
    limit(bounds)?;
    match Inside.compile(module, &settings, bounds) {
        Ok(artefact) => Ok(std::io::stdout().lock().write_all(&artefact)?),
        Err(error @ CompileError::Refused(_)) => {
            // The parent reads this; where it cannot be written, nobody listens.
            let _ = writeln!(std::io::stderr(), "{error}");
            std::process::exit(DOES_NOT_COMPILE)
        }
        Err(error) => Err(anyhow!(error)),
    }
}
