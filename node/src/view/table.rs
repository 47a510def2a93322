//! Tables of text.

use tenor_abi::text::visible;

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

    /// Adds a row; a cell is one line.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells.iter().map(|cell| visible(cell)).collect());
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
