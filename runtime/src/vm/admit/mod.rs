//! Admission: one pass over a module that decides, from its bytes alone, whether it may be published.
//!
//! Whatever is admitted compiles, can be instantiated and ends inside our own limits: what the engine would
//! stumble over later (a foreign import type, a segment outside the memory) is found here, because there it
//! would stop the replica. The pass goes on after a finding where what follows can still be read, so that
//! whoever wrote the module sees all that is wrong at once; the decision rests on the first.

mod body;
mod name;
mod section;
mod weight;

use super::limit::LIMITS;
use std::collections::BTreeSet;
use tenor_abi::refusal::Refusal;
use tenor_abi::spec;
use wasmparser::{
    FuncType, FuncValidatorAllocations, Parser, Payload, ValType, ValidPayload, Validator, WasmFeatures,
};

/// Export names that the host adds; a contract may not have any that begins like this.
pub(super) const RESERVED: &str = "tenor:";
/// Name under which a contract exports its memory.
const MEMORY: &str = "memory";
/// The rule that what the library cannot read or does not take for valid is broken by.
const WASM: &str = "wasm";
/// The first bytes of every module.
const MAGIC: &[u8] = b"\0asm";
/// Most findings that are told of one module.
pub const FINDINGS_MAX: usize = 100;

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
    /// Name of that function, where the module holds one.
    pub name: Option<String>,
    /// What was counted, where the rule is a limit.
    pub value: Option<u64>,
    /// How much is allowed, where the rule is a limit.
    pub limit: Option<u64>,
    /// What was found, where, and what to change.
    pub text: String,
}

impl Finding {
    /// Something wrong at an offset. The text may hold what a module says: it is shown escaped, and cut.
    pub fn new(rule: &'static str, offset: u64, text: impl Into<String>) -> Finding {
        let text = name::shown(&text.into(), name::TEXT_SHOWN_MAX);
        Finding { rule, offset, function: None, name: None, value: None, limit: None, text }
    }

    /// What a receipt says of it: the rule, and the place where the rule is ours. Words, and where the library that reads
    /// wasm stops, may be others in its next version, and receipts are the same on every replica.
    pub fn refusal(&self) -> Refusal {
        let offset = if self.rule == WASM { 0 } else { self.offset };
        Refusal::NotAdmitted { rule: self.rule.into(), offset }
    }

    fn in_function(mut self, index: u32) -> Finding {
        self.function = Some(index);
        self
    }
}

/// What a module is expected to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expected {
    /// A contract: it has a spec and exports its memory.
    Contract,
    /// Any module: nothing that makes it a contract is asked for.
    Module,
}

/// What admission learned of a module.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Admitted {
    /// Names of the exported calls: functions without parameters that return an `i32`.
    pub exports: Vec<String>,
    /// Names of the exported functions that are no calls, with the offset of the export.
    pub other_exports: Vec<(String, u64)>,
    /// Content of the spec's custom section.
    pub spec: Vec<u8>,
}

/// A module that was looked at.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Examined {
    /// What is wrong with it, in the order in which it was found; none when it is admitted.
    pub findings: Vec<Finding>,
    /// Functions that it has code for or imports.
    pub functions: u32,
    /// What it offers; complete only when nothing is wrong.
    pub admitted: Admitted,
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

/// Decides on the module of a contract.
///
/// # Errors
/// The first [`Finding`], which is the same on every replica.
pub fn admit(wasm: &[u8]) -> Result<Admitted, Finding> {
    let Examined { findings, admitted, .. } = examine(wasm, Expected::Contract);
    findings.into_iter().next().map_or(Ok(admitted), Err)
}

/// Looks at a whole module.
pub fn examine(wasm: &[u8], expected: Expected) -> Examined {
    let mut pass = Pass::default();
    match fits(wasm.len() as u64) {
        Ok(()) if pass.read(wasm) && expected == Expected::Contract => pass.ask_for_frame(),
        Ok(()) => {}
        Err(finding) => pass.find(finding),
    }
    name::put(&mut pass.findings, wasm);
    Examined { findings: pass.findings, functions: pass.functions.len() as u32, admitted: pass.admitted }
}

/// Whether a module of so many bytes is not too large.
///
/// # Errors
/// The [`Finding`] that says so.
pub fn fits(bytes: u64) -> Result<(), Finding> {
    at_most("module bytes", bytes, LIMITS.bytes.into(), 0)
}

/// What the pass has seen so far.
#[derive(Default)]
struct Pass {
    findings: Vec<Finding>,
    admitted: Admitted,
    types: Vec<FuncType>,
    /// Type of each function, imported ones first.
    functions: Vec<u32>,
    custom: BTreeSet<String>,
    bodies: u32,
    imports: u32,
    loops: u32,
    /// Weight of the functions so far.
    weight: u64,
    elements: u64,
    memory_pages: u64,
    table_size: u64,
    memory_exported: bool,
}

impl Pass {
    /// Notes what was found.
    fn find(&mut self, finding: Finding) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        }
    }

    fn note(&mut self, checked: Result<(), Finding>) {
        if let Err(finding) = checked {
            self.find(finding);
        }
    }

    /// Reads a module as far as it can be read; whether that was to its end.
    fn read(&mut self, wasm: &[u8]) -> bool {
        if !wasm.starts_with(MAGIC) {
            let begins = &wasm[..wasm.len().min(MAGIC.len())];
            let text = format!(
                "no wasm module: one begins with the bytes {MAGIC:02x?}, this with {begins:02x?}; a contract is built by `tenor build`"
            );
            self.find(Finding::new(WASM, 0, text));
            return false;
        }
        let mut validator = Some(Validator::new_with_features(features()));
        let mut allocations = FuncValidatorAllocations::default();
        for payload in Parser::new(0).parse_all(wasm) {
            let payload = match payload {
                Ok(payload) => payload,
                Err(error) => {
                    self.find(invalid(error));
                    return false;
                }
            };
            if self.findings.len() >= FINDINGS_MAX {
                return false;
            }
            // Our own rules come first, because they say what to change; the validator knows all the others.
            let before = self.findings.len();
            let read = self.section(&payload);
            self.note(read);
            match validator.as_mut().map(|validator| validator.payload(&payload)) {
                Some(Ok(ValidPayload::Func(function, body))) => {
                    let index = self.body(&body);
                    let mut function = function.into_validator(std::mem::take(&mut allocations));
                    match function.validate(&body) {
                        Err(error) if before == self.findings.len() => {
                            self.find(invalid(error).in_function(index));
                        }
                        _ => {}
                    }
                    allocations = function.into_allocations();
                }
                Some(Ok(_)) => {}
                Some(Err(error)) if before == self.findings.len() => {
                    self.find(invalid(error));
                    return false;
                }
                // What we found is what the validator stumbles over. It cannot go on; our rules can.
                Some(Err(_)) => validator = None,
                None => {
                    if let Payload::CodeSectionEntry(body) = &payload {
                        self.body(body);
                    }
                }
            }
        }
        true
    }

    /// What makes a module a contract.
    fn ask_for_frame(&mut self) {
        if !self.custom.contains(spec::SECTION) {
            let text = format!("the custom section `{}` is missing; is this a contract?", spec::SECTION);
            self.find(Finding::new("spec", 0, text));
        }
        if !self.memory_exported {
            let text = format!("the module must export its memory as `{MEMORY}`");
            self.find(Finding::new("memory", 0, text));
        }
    }
}

fn at_most(what: &str, given: u64, limit: u64, offset: u64) -> Result<(), Finding> {
    if given <= limit {
        return Ok(());
    }
    let text = format!("{what}: {given}, at most {limit} allowed; use fewer");
    Err(Finding { value: Some(given), limit: Some(limit), ..Finding::new("limit", offset, text) })
}

fn invalid(error: wasmparser::Error) -> Finding {
    Finding::new(WASM, error.offset(), format!("not wasm that contracts may use: {}", error.message()))
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
        ValType::Ref(_) => Err(Finding::new(
            "reference",
            offset,
            format!("{what} of type {ty} is not allowed: use i32 or i64"),
        )),
    }
}
