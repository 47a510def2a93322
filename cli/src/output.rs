//! The one place that prints: a result on standard output as text or JSON, progress on standard error.

use serde_json::Value;
use std::io::{IsTerminal, Write};
use tenor_abi::text::visible;
pub use tenor_node::view::table::Table;

/// Where a command's result goes, and in which form.
pub struct Output<'w> {
    to: &'w mut dyn Write,
    json: bool,
}

impl<'w> Output<'w> {
    /// Output to a writer; one JSON document instead of text where asked for.
    pub fn new(to: &'w mut dyn Write, json: bool) -> Output<'w> {
        Output { to, json }
    }

    /// The result: the document for machines, the text for people.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn result(&mut self, document: &Value, text: &str) -> anyhow::Result<()> {
        if self.json {
            writeln!(self.to, "{}", serde_json::to_string_pretty(document)?)?;
        } else {
            writeln!(self.to, "{}", seen(text.trim_end()))?;
        }
        self.to.flush()?;
        Ok(())
    }
}

/// Lines as a terminal may have them: whoever wrote a text that a contract or a customer chose moves no cursor with it,
/// and turns nothing round that stands beside it.
fn seen(text: &str) -> String {
    text.split('\n').map(visible).collect::<Vec<_>>().join("\n")
}

/// A line of progress on a terminal; nothing where nobody looks.
#[derive(Debug)]
pub struct Progress {
    shown: bool,
    last: u64,
}

impl Progress {
    /// Progress on standard error.
    pub fn new() -> Progress {
        Progress { shown: std::io::stderr().is_terminal(), last: u64::MAX }
    }

    /// Shows how far a step has come.
    pub fn at(&mut self, step: &str, done: u64, of: u64) {
        let percent = (done * 100).checked_div(of).unwrap_or(100);
        if self.shown && percent != self.last {
            let bar = "#".repeat((percent / 4) as usize);
            let _ = write!(std::io::stderr(), "\r{step:<24} [{bar:<25}] {percent:>3} %");
            self.last = percent;
        }
    }

    /// Clears the line.
    pub fn end(&mut self) {
        if self.shown && self.last != u64::MAX {
            let _ = write!(std::io::stderr(), "\r{:<60}\r", "");
        }
    }
}

impl Default for Progress {
    fn default() -> Progress {
        Progress::new()
    }
}

/// Says something that is no result: on standard error. Where that cannot be written, nobody listens.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", seen(text));
}
