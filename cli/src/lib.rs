//! The `tenor` command as a library: [`run`] takes arguments and a place for the result.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod bench;
pub mod command;
pub mod demo;
pub mod desk;
pub mod once;
pub mod output;
pub mod products;
pub mod profile;
pub mod remote;

pub use tenor_node::view::{reading, refusal, render, words};
pub use tenor_node::{compiler, folder, keys, near};

use clap::Parser;
use command::Command;
use output::{Output, say};
use rustix::fs::Mode;
use rustix::process::umask;
use std::ffi::OsString;
use std::io::{ErrorKind, Write};

/// What went well.
pub const DONE: u8 = 0;
/// What did not.
pub const FAILED: u8 = 1;
/// What was not understood.
pub const USAGE: u8 = 2;
/// What the chain refused.
pub const REFUSED: u8 = 3;
/// What was examined and is not as it should be.
pub const FOUND: u8 = 3;

/// Automated retail-banking agreements on a ledger that anybody can check.
#[derive(Debug, Parser)]
#[command(name = "tenor", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Prints one JSON document instead of text.
    #[arg(long, global = true)]
    json: bool,
}

/// Runs the command and returns its exit code. The result goes to `out`, everything else to standard error.
pub fn run(arguments: impl IntoIterator<Item = OsString>, out: &mut dyn Write) -> u8 {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            if error.use_stderr() {
                let _ = error.print();
                return USAGE;
            }
            // Help and version are what was asked for: a result.
            return match write!(out, "{}", error.render()) {
                Err(error) if error.kind() != ErrorKind::BrokenPipe => FAILED,
                _ => DONE,
            };
        }
    };
    // What is in a data folder, a backup or a file of keys is its owner's alone; what a build makes is no such thing.
    if !matches!(arguments.command, Command::Build(_)) {
        umask(Mode::RWXG | Mode::RWXO);
    }
    let mut output = Output::new(out, arguments.json);
    match arguments.command.run(&mut output) {
        Ok(()) => DONE,
        Err(error) if error.downcast_ref::<command::Found>().is_some() => FOUND,
        // The result is there, and whoever reads it has seen enough of it.
        Err(error) if is_broken_pipe(&error) => DONE,
        Err(error) => {
            say(&format!("error: {error:#}"));
            match error.downcast_ref::<tenor_node::stop::Stop>() {
                Some(stop) => stop.exit_code(),
                None if error.downcast_ref::<command::Refused>().is_some() => REFUSED,
                None => FAILED,
            }
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}
