//! The one place that prints: a result on standard output as text or JSON, progress on standard error.

use serde_json::Value;
use std::io::{IsTerminal, Write};

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
            writeln!(self.to, "{}", text.trim_end())?;
        }
        self.to.flush()?;
        Ok(())
    }
}

/// A table of text with aligned columns; numbers to the right.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with headings.
    pub fn new(headings: &[&str]) -> Table {
        Table { rows: vec![headings.iter().map(ToString::to_string).collect()] }
    }

    /// Whether there is nothing under its headings.
    pub fn is_empty(&self) -> bool {
        self.rows.len() <= 1
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }
}

/// A number, with or without a sign, decimals or a currency behind it; a date is none.
fn is_number(cell: &str) -> bool {
    let number = cell.strip_prefix('-').unwrap_or(cell).split(' ').next().unwrap_or_default();
    !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let right: Vec<bool> = (0..columns)
            .map(|c| {
                self.rows.len() > 1
                    && self.rows[1..]
                        .iter()
                        .filter_map(|row| row.get(c))
                        .all(|cell| cell.is_empty() || is_number(cell))
            })
            .collect();
        for (number, row) in self.rows.iter().enumerate() {
            let cells = row.iter().zip(&widths).zip(&right).map(|((cell, &width), &right)| match right {
                true => format!("{cell:>width$}"),
                false => format!("{cell:<width$}"),
            });
            writeln!(f, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
            if number == 0 {
                writeln!(
                    f,
                    "{}",
                    widths.iter().map(|&width| "-".repeat(width)).collect::<Vec<_>>().join("  ")
                )?;
            }
        }
        Ok(())
    }
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
    let _ = writeln!(std::io::stderr(), "{text}");
}
