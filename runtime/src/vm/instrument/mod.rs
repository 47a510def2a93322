//! Gas and stack depth, written into the wasm.
//!
//! Every basic block is charged when it is entered; a block ends at every call and branch. Whether gas is
//! left is asked at function entries and loop heads, and by the host before it works. Each function takes
//! its frame from a counter of value-stack slots and gives it back. What is charged depends on the bytes of
//! the module alone, so it is the same on every machine.
//!
//! The counters are globals behind the module's own. A module can name only globals that it has, so its code
//! cannot reach them; the host finds them under export names that no admitted module has.

mod emit;
mod plan;

use super::admit::{RESERVED, features};
use super::limit::ModuleLimits;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{
    CodeSection, ConstExpr, DataCountSection, DataSection, ElementSection, ExportKind, ExportSection,
    FunctionSection, GlobalSection, GlobalType, ImportSection, MemorySection, MemoryType, Module,
    TableSection, TypeSection, ValType,
};
use wasmparser::{FuncType, FuncValidatorAllocations, Parser, Payload, ValidPayload, Validator};

/// Version of the rules in this file.
pub const INSTRUMENTER_VERSION: u16 = 0;
/// Export of the gas left, i64; below zero when it is used up.
pub(super) const GAS: &str = "tenor:gas";
/// Export of the stack slots left, i32; below zero when they are used up.
pub(super) const STACK: &str = "tenor:stack";
/// Export of what happened to the last growth of memory, i32: 0 nothing, or [`GROWTH_DENIED`], [`GROWTH_FAILED`].
pub(super) const GROWTH: &str = "tenor:growth";
/// Memory may not grow that far: the call ends `memory_limit`.
pub(super) const GROWTH_DENIED: i32 = 1;
/// This machine did not give memory that the call may have: a fault.
pub(super) const GROWTH_FAILED: i32 = 2;

/// Why a module cannot be instrumented: never, when it was admitted.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the module cannot be instrumented: {0}")]
pub struct InstrumentError(String);

fn failed(error: impl std::fmt::Display) -> InstrumentError {
    InstrumentError(error.to_string())
}

/// The globals that are added behind the module's own, and what the memory may grow to.
#[derive(Clone, Copy)]
struct Added {
    gas: u32,
    stack: u32,
    growth: u32,
    pages_max: u64,
}

/// The admitted module with its counters; custom sections are left out.
///
/// # Errors
/// [`InstrumentError`] for a module that was not admitted.
pub fn instrument(wasm: &[u8], limits: &ModuleLimits) -> Result<Vec<u8>, InstrumentError> {
    let mut parts = Parts { pages_max: limits.memory_pages, ..Parts::default() };
    let mut validator = Validator::new_with_features(features());
    let mut allocations = FuncValidatorAllocations::default();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.map_err(failed)?;
        match validator.payload(&payload).map_err(failed)? {
            ValidPayload::Func(function, body) => {
                let ty = parts.next_type()?;
                let mut checked = function.into_validator(std::mem::take(&mut allocations));
                let plan = plan::plan(&body, &mut checked, ty.params().len() as u32)?;
                allocations = checked.into_allocations();
                let function = emit::emit(&body, &plan, &ty, parts.added())?;
                parts.code.function(&function);
            }
            _ => parts.section(payload)?,
        }
    }
    Ok(parts.finish(limits.stack_slots))
}

#[derive(Default)]
struct Parts {
    types: TypeSection,
    imports: ImportSection,
    functions: FunctionSection,
    tables: TableSection,
    memories: MemorySection,
    globals: GlobalSection,
    exports: ExportSection,
    elements: ElementSection,
    data_count: Option<u32>,
    code: CodeSection,
    data: DataSection,
    signatures: Vec<FuncType>,
    function_types: Vec<u32>,
    bodies: usize,
    globals_own: u32,
    pages_max: u64,
}

impl Parts {
    fn next_type(&mut self) -> Result<FuncType, InstrumentError> {
        let number = self.function_types.get(self.bodies).copied().unwrap_or(u32::MAX);
        self.bodies += 1;
        self.signatures.get(number as usize).cloned().ok_or_else(|| failed("a function without a type"))
    }

    fn added(&self) -> Added {
        Added {
            gas: self.globals_own,
            stack: self.globals_own + 1,
            growth: self.globals_own + 2,
            pages_max: self.pages_max,
        }
    }

    fn section(&mut self, payload: Payload<'_>) -> Result<(), InstrumentError> {
        let mut again = RoundtripReencoder;
        match payload {
            Payload::TypeSection(section) => {
                for ty in section.clone().into_iter_err_on_gc_types() {
                    self.signatures.push(ty.map_err(failed)?);
                }
                again.parse_type_section(&mut self.types, section).map_err(failed)
            }
            Payload::ImportSection(section) => {
                again.parse_import_section(&mut self.imports, section).map_err(failed)
            }
            Payload::FunctionSection(section) => {
                for ty in section.clone() {
                    self.function_types.push(ty.map_err(failed)?);
                }
                again.parse_function_section(&mut self.functions, section).map_err(failed)
            }
            Payload::TableSection(section) => {
                again.parse_table_section(&mut self.tables, section).map_err(failed)
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    let memory = memory.map_err(failed)?;
                    self.pages_max = memory.maximum.map_or(self.pages_max, |own| own.min(self.pages_max));
                    self.memories.memory(MemoryType {
                        minimum: memory.initial,
                        maximum: Some(self.pages_max),
                        memory64: false,
                        shared: false,
                        page_size_log2: None,
                    });
                }
                Ok(())
            }
            Payload::GlobalSection(section) => {
                self.globals_own = section.count();
                again.parse_global_section(&mut self.globals, section).map_err(failed)
            }
            Payload::ExportSection(section) => {
                for export in section.clone() {
                    if export.map_err(failed)?.name.starts_with(RESERVED) {
                        return Err(failed("a reserved export"));
                    }
                }
                again.parse_export_section(&mut self.exports, section).map_err(failed)
            }
            Payload::ElementSection(section) => {
                again.parse_element_section(&mut self.elements, section).map_err(failed)
            }
            Payload::DataCountSection { count, .. } => {
                self.data_count = Some(count);
                Ok(())
            }
            Payload::DataSection(section) => {
                again.parse_data_section(&mut self.data, section).map_err(failed)
            }
            _ => Ok(()),
        }
    }

    fn finish(mut self, stack_slots: u32) -> Vec<u8> {
        let added = self.added();
        let global = |val_type| GlobalType { val_type, mutable: true, shared: false };
        self.globals.global(global(ValType::I64), &ConstExpr::i64_const(0));
        self.globals.global(global(ValType::I32), &ConstExpr::i32_const(stack_slots as i32));
        self.globals.global(global(ValType::I32), &ConstExpr::i32_const(0));
        self.exports.export(GAS, ExportKind::Global, added.gas);
        self.exports.export(STACK, ExportKind::Global, added.stack);
        self.exports.export(GROWTH, ExportKind::Global, added.growth);
        let mut module = Module::new();
        module.section(&self.types).section(&self.imports).section(&self.functions);
        module.section(&self.tables).section(&self.memories).section(&self.globals);
        module.section(&self.exports).section(&self.elements);
        if let Some(count) = self.data_count {
            module.section(&DataCountSection { count });
        }
        module.section(&self.code).section(&self.data);
        module.finish()
    }
}
