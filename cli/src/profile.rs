//! Profiles as people read them: a table of functions and host calls, and a flame graph.

use crate::output::Table;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;
use tenor_abi::text::visible;
use tenor_runtime::vm::Profile;

/// Pixels of the graph's width, and of a row's height.
const WIDTH: f64 = 1200.0;
const ROW: usize = 18;
/// Pixels of a character, more or less.
const CHARACTER: f64 = 7.0;
/// Rows of the table.
const ROWS_MAX: usize = 40;
/// Host functions that read what contracts have stored, and those that write it.
const READS: &[&str] = &["storage_get", "storage_next"];
const WRITES: &[&str] = &["storage_set", "storage_remove"];

/// Functions and host calls with their gas, the dearest first.
pub fn table(profile: &Profile) -> Table {
    let mut table = Table::new(&["gas", "share", "calls", "function"]);
    for (name, (calls, gas, is_host)) in sorted(profile).into_iter().take(ROWS_MAX) {
        let name = if is_host { format!("host: {name}") } else { name.into() };
        table.row(vec![gas.to_string(), share(gas, profile.gas_of(0)), calls.to_string(), name]);
    }
    table
}

/// The same as a document.
pub fn document(profile: &Profile) -> Value {
    let count = |names: &[&str]| -> u64 {
        let sums = profile.by_name();
        names.iter().filter_map(|name| sums.get(name)).map(|(calls, ..)| calls).sum()
    };
    let functions: Vec<Value> = sorted(profile)
        .into_iter()
        .map(|(name, (calls, gas, is_host))| json!({ "name": name, "host": is_host, "calls": calls, "gas": gas }))
        .collect();
    json!({
        "gas": profile.gas_of(0), "functions": functions, "state_reads": count(READS), "state_writes": count(WRITES),
    })
}

fn sorted(profile: &Profile) -> Vec<(&str, (u64, u64, bool))> {
    let mut all: Vec<_> = profile.by_name().into_iter().collect();
    all.sort_by_key(|(name, (_, gas, _))| (std::cmp::Reverse(*gas), *name));
    all
}

fn share(gas: u64, all: u64) -> String {
    let tenths = u128::from(gas) * 1_000 / u128::from(all.max(1));
    format!("{}.{} %", tenths / 10, tenths % 10)
}

/// Writes the flame graph: each box is a function where it was called from, as wide as its gas with all that it called.
///
/// # Errors
/// When the file cannot be written.
pub fn write_svg(profile: &Profile, title: &str, file: &Path) -> Result<()> {
    std::fs::write(file, svg(profile, title)).with_context(|| format!("writing {}", file.display()))
}

fn svg(profile: &Profile, title: &str) -> String {
    let mut boxes = String::new();
    let depth = draw(profile, 0, 0.0, 0, &mut boxes);
    let height = (depth + 3) * ROW;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" font-family=\"monospace\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n<text x=\"4\" y=\"14\">{}: {} gas</text>\n\
         {boxes}</svg>\n",
        escaped(title),
        profile.gas_of(0)
    )
}

/// Draws a node and what it called; returns how many rows that takes.
fn draw(profile: &Profile, place: usize, x: f64, depth: usize, out: &mut String) -> usize {
    let (node, gas, all) = (&profile.nodes()[place], profile.gas_of(place), profile.gas_of(0).max(1));
    let width = WIDTH * gas as f64 / all as f64;
    let name = escaped(&node.name);
    let y = (depth + 1) * ROW + 4;
    let _ = write!(
        out,
        "<g><title>{name}: {gas} gas, {}, {} of its own, {} calls</title><rect x=\"{x:.2}\" y=\"{y}\" width=\"{width:.2}\" \
         height=\"{}\" fill=\"{}\" stroke=\"#fff\"/>",
        share(gas, all),
        node.gas,
        node.calls,
        ROW - 1,
        colour(&node.name, node.is_host)
    );
    let room = (width / CHARACTER) as usize;
    if room > 2 {
        let shown: String = node.name.chars().take(room - 1).collect();
        let _ = write!(out, "<text x=\"{:.2}\" y=\"{}\">{}</text>", x + 3.0, y + 13, escaped(&shown));
    }
    out.push_str("</g>\n");
    let (mut at, mut rows) = (x, 1);
    for inner in &node.inner {
        rows = rows.max(1 + draw(profile, *inner, at, depth + 1, out));
        at += WIDTH * profile.gas_of(*inner) as f64 / all as f64;
    }
    rows
}

/// The host's are blue, a contract's warm, each name always the same.
fn colour(name: &str, is_host: bool) -> String {
    let sum = name.bytes().fold(7u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    let hue = if is_host { 200 + sum % 30 } else { sum % 50 };
    format!("hsl({hue},75%,{}%)", 62 + sum / 64 % 12)
}

fn escaped(text: &str) -> String {
    visible(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
