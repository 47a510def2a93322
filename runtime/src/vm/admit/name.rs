//! Names in findings: of functions, from the module's own name section, and of operators, as in the text format.

use super::Finding;
use std::collections::BTreeMap;
use wasmparser::{KnownCustom, Name, Operator, Parser, Payload};

/// Longest name shown in a finding, in characters.
pub(super) const NAME_SHOWN_MAX: usize = 120;
/// Longest text of a finding, in characters before what is escaped.
pub(super) const TEXT_SHOWN_MAX: usize = 500;

/// What a module says, as it may be shown: of at most so many characters, and nothing that a terminal would obey.
pub(super) fn shown(text: &str, count_max: usize) -> String {
    let mut shown = String::new();
    for c in text.chars().take(count_max) {
        match c {
            // Quotes, and what is escaped already.
            '\'' | '"' | '\\' => shown.push(c),
            _ => shown.extend(c.escape_debug()),
        }
    }
    if text.chars().nth(count_max).is_some() {
        shown.push('…');
    }
    shown
}

/// Puts the function, and its name where the module holds one, in front of each finding that is about one.
pub(super) fn put(findings: &mut [Finding], wasm: &[u8]) {
    let mut names: BTreeMap<u32, Option<String>> =
        findings.iter().filter_map(|finding| finding.function).map(|index| (index, None)).collect();
    if !names.is_empty() {
        look_up(&mut names, wasm);
    }
    for finding in findings {
        let Some(index) = finding.function else { continue };
        finding.name = names.get(&index).cloned().flatten();
        let name = finding.name.as_ref().map_or(String::new(), |name| format!(" (`{name}`)"));
        finding.text = format!("function {index}{name}: {}", finding.text);
    }
}

/// Finds names as far as the module can be read.
fn look_up(names: &mut BTreeMap<u32, Option<String>>, wasm: &[u8]) -> Option<()> {
    for payload in Parser::new(0).parse_all(wasm) {
        let Payload::CustomSection(section) = payload.ok()? else { continue };
        let KnownCustom::Name(subsections) = section.as_known() else { continue };
        for subsection in subsections {
            let Name::Function(functions) = subsection.ok()? else { continue };
            for naming in functions {
                let naming = naming.ok()?;
                if let Some(name) = names.get_mut(&naming.index) {
                    *name = Some(shown(naming.name, NAME_SHOWN_MAX));
                }
            }
        }
    }
    Some(())
}

/// What an operator is called in the text format: `I32TruncF64S` is `i32.trunc_f64_s`, `I32AtomicRmw8AddU` is
/// `i32.atomic.rmw8.add_u`.
pub(super) fn of_operator(operator: &Operator<'_>) -> String {
    let name = plain_name(operator).replace("atomic_", "atomic.");
    if name.contains(".rmw") { name.replacen('_', ".", 1) } else { name }
}

fn plain_name(operator: &Operator<'_>) -> String {
    const SPACES: &[&str] = &[
        "I32", "I64", "F32", "F64", "V128", "I8x16", "I16x8", "I32x4", "I64x2", "F32x4", "F64x2", "Memory",
        "Table", "Local", "Global", "Ref", "Data", "Elem", "Struct", "Array", "I31", "Any", "Extern",
    ];
    let debug = format!("{operator:?}");
    let name = debug.split([' ', '{', '(']).next().unwrap_or_default();
    let split = SPACES.iter().filter_map(|space| Some((space, name.strip_prefix(space)?)));
    let split = split.filter(|(_, rest)| rest.starts_with(|c: char| c.is_ascii_uppercase()));
    match split.max_by_key(|(space, _)| space.len()) {
        Some((space, rest)) => format!("{}.{}", space.to_lowercase(), with_underscores(rest)),
        None => with_underscores(name),
    }
}

fn with_underscores(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}
