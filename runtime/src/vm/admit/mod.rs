//! Admission: one pass over a module that decides, from its bytes alone, whether it may be published.
//!
//! Whatever is admitted compiles, can be instantiated and ends inside our own limits: what the engine would
//! stumble over later (a foreign import type, a segment outside the memory) is found here, because there it
//! would stop the replica.

mod body;
mod section;

use super::limit::LIMITS;
use tenor_abi::spec;
use wasmparser::{
    FuncType, FuncValidatorAllocations, KnownCustom, Name, Parser, Payload, ValType, ValidPayload, Validator,
    WasmFeatures,
};

/// Export names that the host adds; a contract may not have any that begins like this.
pub(super) const RESERVED: &str = "tenor:";
/// Name under which a module exports its memory.
pub(super) const MEMORY: &str = "memory";
/// Longest function name shown in a finding, in characters.
const NAME_SHOWN_MAX: usize = 120;

/// What is wrong with a module.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{text} (rule {rule}, offset {offset})")]
pub struct Finding {
    /// Name of the rule.
    pub rule: &'static str,
    /// Byte offset in the module.
    pub offset: u64,
    /// Index of the function, imported ones counted first, when it is about one.
    pub function: Option<u32>,
    /// What was counted, where the rule is a limit.
    pub value: Option<u64>,
    /// How much is allowed, where the rule is a limit.
    pub limit: Option<u64>,
    /// What was found, where, and what to change.
    pub text: String,
}

impl Finding {
    fn new(rule: &'static str, offset: u64, text: impl Into<String>) -> Finding {
        Finding { rule, offset, function: None, value: None, limit: None, text: text.into() }
    }

    fn in_function(mut self, index: u32) -> Finding {
        self.function = Some(index);
        self
    }
}

/// What admission learned of a module.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Admitted {
    /// Names of the exported calls: functions without parameters that return an `i32`.
    pub exports: Vec<String>,
    /// Content of the spec's custom section.
    pub spec: Vec<u8>,
}

/// The wasm that contracts may use: the first version with sign extension, bulk memory and mutable globals.
///
/// The encoding of reference types is let in because compilers write it; no type or operator of theirs is.
/// Floats are a feature that is missing here.
pub(super) fn features() -> WasmFeatures {
    WasmFeatures::MUTABLE_GLOBAL
        | WasmFeatures::SIGN_EXTENSION
        | WasmFeatures::BULK_MEMORY
        | WasmFeatures::REFERENCE_TYPES
        | WasmFeatures::GC_TYPES
}

/// Decides on a module.
///
/// # Errors
/// The first [`Finding`], which is the same on every replica.
pub fn admit(wasm: &[u8]) -> Result<Admitted, Finding> {
    judge(wasm).map_err(|finding| with_name(finding, wasm))
}

fn judge(wasm: &[u8]) -> Result<Admitted, Finding> {
    at_most("module bytes", wasm.len() as u64, LIMITS.bytes.into(), 0)?;
    let mut pass = Pass::default();
    let mut validator = Validator::new_with_features(features());
    let mut allocations = FuncValidatorAllocations::default();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.map_err(invalid)?;
        // Our own rules come first, because they say what to change; the validator knows all the others.
        pass.section(&payload)?;
        if let ValidPayload::Func(function, body) = validator.payload(&payload).map_err(invalid)? {
            pass.body(&body)?;
            let mut function = function.into_validator(std::mem::take(&mut allocations));
            function.validate(&body).map_err(invalid)?;
            allocations = function.into_allocations();
        }
    }
    if pass.admitted.spec.is_empty() {
        let text = format!("the custom section `{}` is missing; is this a contract?", spec::SECTION);
        return Err(Finding::new("spec", 0, text));
    }
    if !pass.memory_exported {
        return Err(Finding::new("memory", 0, format!("the module must export its memory as `{MEMORY}`")));
    }
    Ok(pass.admitted)
}

/// What the pass has seen so far.
#[derive(Default)]
struct Pass {
    admitted: Admitted,
    types: Vec<FuncType>,
    /// Type of each function, imported ones first.
    functions: Vec<u32>,
    bodies: u32,
    imports: u32,
    loops: u32,
    elements: u64,
    memory_pages: u64,
    table_size: u64,
    memory_exported: bool,
}

fn at_most(what: &str, given: u64, limit: u64, offset: u64) -> Result<(), Finding> {
    if given <= limit {
        return Ok(());
    }
    let text = format!("{what}: {given}, at most {limit} allowed");
    Err(Finding { value: Some(given), limit: Some(limit), ..Finding::new("limit", offset, text) })
}

fn invalid(error: wasmparser::Error) -> Finding {
    Finding::new("wasm", error.offset(), format!("not wasm that contracts may use: {}", error.message()))
}

/// Integers only: everything else has no price, or not one meaning on every machine.
fn value_type(ty: ValType, what: &str, offset: u64) -> Result<(), Finding> {
    match ty {
        ValType::I32 | ValType::I64 => Ok(()),
        ValType::F32 | ValType::F64 => {
            let text = format!("{what} of type {ty}: floats are not allowed; use `Rate` and `Money`");
            Err(Finding::new("float", offset, text))
        }
        ValType::V128 => {
            Err(Finding::new("simd", offset, format!("{what} of type {ty}: build without simd128")))
        }
        ValType::Ref(_) => {
            Err(Finding::new("reference", offset, format!("{what} of type {ty} is not allowed")))
        }
    }
}

/// Puts the function, and its name where the module holds one, in front of a finding.
fn with_name(mut finding: Finding, wasm: &[u8]) -> Finding {
    if let Some(index) = finding.function {
        let name = function_name(wasm, index).map_or(String::new(), |name| format!(" (`{name}`)"));
        finding.text = format!("function {index}{name}: {}", finding.text);
    }
    finding
}

fn function_name(wasm: &[u8], index: u32) -> Option<String> {
    for payload in Parser::new(0).parse_all(wasm) {
        let Payload::CustomSection(section) = payload.ok()? else { continue };
        let KnownCustom::Name(names) = section.as_known() else { continue };
        for name in names {
            let Name::Function(functions) = name.ok()? else { continue };
            for naming in functions {
                let naming = naming.ok()?;
                if naming.index == index {
                    return Some(naming.name.chars().take(NAME_SHOWN_MAX).collect());
                }
            }
        }
    }
    None
}
