//! Gas and stack depth, written into the wasm.
//!
//! Every basic block is charged when it is entered; a block ends at every call and branch. Whether gas is
//! left is asked at function entries and loop heads, and by the host before it works. Each function takes
//! its frame from a counter of value-stack slots and gives it back. What is charged depends on the bytes of
//! the module alone, so it is the same on every machine.
//!
//! The counters are globals behind the module's own. A module can name only globals that it has, so its code
//! cannot reach them; the host finds them under export names that no admitted module has. The same holds for
//! the functions behind the module's own: one for each import, one that puts every global back to what it was at the
//! beginning, and for each call one that does so, sets the gas, calls it and answers with the gas that is left and the
//! pages that were written to.
//!
//! Gas travels with a call of the host: what is left is one parameter more of each import, and one result more. The
//! function that stands for an import has the type that the module gave it, for tables and exports; code that names
//! the import itself calls it at once.

mod anchor;
mod emit;
mod plan;
mod store;

use super::admit::{RESERVED, features};
use super::limit::ModuleLimits;
use super::price;
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use wasm_encoder::reencode::{Error, Reencode, RoundtripReencoder};
use wasm_encoder::{
    CodeSection, ConstExpr, DataCountSection, DataSection, ElementSection, EntityType, ExportKind,
    ExportSection, Function, FunctionSection, GlobalSection, GlobalType, ImportSection, Instruction as I,
    MemorySection, MemoryType, Module, TableSection, TypeSection, ValType,
};
use wasmparser::{
    ElementItems, ExternalKind, FuncType, FuncValidatorAllocations, FunctionBody, Import, Operator as Op,
    Parser, Payload, TypeRef, ValType as Ty, ValidPayload, Validator,
};

pub(super) use store::page_shift;

/// Version of the rules in this file.
pub const INSTRUMENTER_VERSION: u16 = 3;
/// Export of the gas left, i64; below zero when it is used up.
pub(super) const GAS: &str = "tenor:gas";
/// Export of the stack slots left, i32; below zero when they are used up.
pub(super) const STACK: &str = "tenor:stack";
/// Export of what happened to the last growth of memory, i32: 0 nothing, or [`GROWTH_DENIED`], [`GROWTH_FAILED`].
pub(super) const GROWTH: &str = "tenor:growth";
/// Export of the memory; one of no pages where the module has none.
pub(super) const MEMORY: &str = "tenor:memory";
/// Export of the function that puts the globals back; it takes the gas. Only where all can be put back.
pub(super) const RESET: &str = "tenor:reset";
/// What stands before a call's name in the export that resets, takes the gas and calls.
pub(super) const CALL: &str = "tenor:call:";
/// What stands before the number of a mutable global in the export that shows it.
pub(super) const GLOBAL: &str = "tenor:global:";
/// Memory may not grow that far: the call ends `memory_limit`.
pub(super) const GROWTH_DENIED: i32 = 1;
/// This machine did not give memory that the call may have: a fault.
pub(super) const GROWTH_FAILED: i32 = 2;

/// Why a module cannot be instrumented: never, when it was admitted.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the module cannot be instrumented: {0}")]
pub struct InstrumentError(String);

pub(super) fn failed(error: impl std::fmt::Display) -> InstrumentError {
    InstrumentError(error.to_string())
}

fn val_type(ty: Ty) -> Result<ValType, InstrumentError> {
    RoundtripReencoder.val_type(ty).map_err(failed)
}

/// One of so many stores may stand in a loop for it to be worth noting the pages that they write to. Products have
/// one of twelve or fewer there, code that works on memory (a hash, a cipher) half of them.
const STORES_PER_LOOPED: u32 = 4;
/// Bytes of a page of wasm.
const MEMORY_PAGE_BYTES: u64 = 65_536;
/// Pages of 64 KiB that are put back whole rather than by what was written.
const WHOLE_PAGES_MAX: u64 = 2;

/// How an instance comes back to its beginning after a call, chosen from the module's bytes alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Reset {
    /// The pages that were written to are put back.
    Pages,
    /// All of the memory is put back: noting each store would cost more.
    Whole,
    /// It is not: each call gets an instance of its own.
    Never,
}

/// A module with its counters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Instrumented {
    /// The module.
    pub wasm: Vec<u8>,
    /// How its instances come back to their beginning.
    pub reset: Reset,
    /// Gas of beginning a call, by what has to be put in place for it.
    pub start_gas: u64,
    /// How many functions are the module's own; those that were added stand behind them.
    pub functions: u32,
}

/// The globals that are added behind the module's own, and what the memory may grow to.
#[derive(Clone, Copy)]
struct Added {
    gas: u32,
    stack: u32,
    growth: u32,
    functions: Renumbered,
    /// Only where pages are noted.
    pages: Option<u32>,
    page_shift: u32,
    pages_max: u64,
}

/// Functions by their numbers in the instrumented module: an import, wherever it is not called at once, is the function
/// that stands for it behind the module's own.
#[derive(Clone, Copy)]
struct Renumbered {
    imported: u32,
    own: u32,
}

impl Reencode for Renumbered {
    type Error = Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, Error> {
        Ok(if function < self.imported { self.imported + self.own + function } else { function })
    }
}

/// The admitted module with its counters; custom sections are left out.
///
/// # Errors
/// [`InstrumentError`] for a module that was not admitted.
pub fn instrument(wasm: &[u8], limits: &ModuleLimits) -> Result<Instrumented, InstrumentError> {
    instrument_as(wasm, limits, None)
}

/// As [`instrument`], with a way to reset that is not the module's own choice.
///
/// # Errors
/// As [`instrument`].
pub fn instrument_as(
    wasm: &[u8],
    limits: &ModuleLimits,
    reset: Option<Reset>,
) -> Result<Instrumented, InstrumentError> {
    let mut parts = Parts { pages_max: limits.memory_pages, resettable: true, ..Parts::default() };
    let mut validator = Validator::new_with_features(features());
    let mut allocations = FuncValidatorAllocations::default();
    let mut planned = vec![];
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.map_err(failed)?;
        match validator.payload(&payload).map_err(failed)? {
            ValidPayload::Func(function, body) => {
                let ty = parts.next_type()?;
                let mut checked = function.into_validator(std::mem::take(&mut allocations));
                let plan = plan::plan(&body, &mut checked, ty.params().len() as u32, parts.imported())?;
                allocations = checked.into_allocations();
                planned.push((body, plan, ty));
            }
            _ => parts.section(payload)?,
        }
    }
    let reset = if parts.resettable { reset.unwrap_or(parts.choose(&planned)) } else { Reset::Never };
    let added = parts.added(reset);
    let grows = planned.iter().any(|(_, plan, _)| plan.grows);
    let load = price::load(if grows { parts.pages_max } else { parts.pages });
    planned.iter_mut().for_each(|(_, plan, _)| plan.price_loads(load));
    for (body, plan, ty) in &planned {
        parts.code.function(&emit::emit(body, plan, ty, added)?);
    }
    let start_gas = price::start(parts.pages, parts.data_bytes, parts.elements_count);
    let functions = planned.len() as u32;
    Ok(Instrumented { wasm: parts.finish(limits.stack_slots, added)?, reset, start_gas, functions })
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
    /// Type of each import as the module has it.
    import_types: Vec<u32>,
    globals_own: u32,
    /// Mutable globals with what they begin with.
    mutable: Vec<(u32, I<'static>)>,
    /// Exports that a call may name.
    calls: Vec<(String, u32)>,
    pages: u64,
    pages_max: u64,
    data_bytes: u64,
    elements_count: u64,
    resettable: bool,
}

impl Parts {
    fn imported(&self) -> u32 {
        self.import_types.len() as u32
    }

    fn renumbered(&self) -> Renumbered {
        Renumbered { imported: self.imported(), own: self.function_types.len() as u32 }
    }

    fn next_type(&mut self) -> Result<FuncType, InstrumentError> {
        let number = self.function_types.get(self.bodies).copied().unwrap_or(u32::MAX);
        self.bodies += 1;
        self.signature(number).cloned()
    }

    fn signature(&self, number: u32) -> Result<&FuncType, InstrumentError> {
        self.signatures.get(number as usize).ok_or_else(|| failed("a function without a type"))
    }

    /// Imports a function of the host, with the gas that is left behind its parameters and its results.
    fn import(&mut self, import: Import<'_>) -> Result<(), InstrumentError> {
        let TypeRef::Func(number) = import.ty else { return Err(failed("an import that is no function")) };
        let with_gas =
            |own: &[Ty]| own.iter().copied().chain([Ty::I64]).map(val_type).collect::<Result<Vec<_>, _>>();
        let signature = self.signature(number)?;
        let (params, results) = (with_gas(signature.params())?, with_gas(signature.results())?);
        self.imports.import(import.module, import.name, EntityType::Function(self.types.len()));
        self.types.ty().function(params, results);
        self.import_types.push(number);
        Ok(())
    }

    /// What noting a store costs its loop, against what putting back all of the memory costs a call.
    fn choose(&self, planned: &[(FunctionBody<'_>, plan::Plan, FuncType)]) -> Reset {
        let sum = |of: fn(&plan::Plan) -> u32| planned.iter().map(|(_, plan, _)| of(plan)).sum::<u32>();
        let (stores, looped) = (sum(|plan| plan.stores), sum(|plan| plan.stores_in_loops));
        match self.pages {
            0 => Reset::Whole,
            _ if looped * STORES_PER_LOOPED <= stores => Reset::Pages,
            1..=WHOLE_PAGES_MAX => Reset::Whole,
            _ => Reset::Never,
        }
    }

    fn added(&self, reset: Reset) -> Added {
        Added {
            gas: self.globals_own,
            stack: self.globals_own + 1,
            growth: self.globals_own + 2,
            functions: self.renumbered(),
            pages: (reset == Reset::Pages).then_some(self.globals_own + 3),
            page_shift: page_shift(self.pages * MEMORY_PAGE_BYTES),
            pages_max: self.pages_max,
        }
    }

    fn is_call(&self, function: u32) -> bool {
        let ty = function.checked_sub(self.imported()).and_then(|own| self.function_types.get(own as usize));
        let ty = ty.and_then(|ty| self.signatures.get(*ty as usize));
        ty.is_some_and(|ty| ty.params().is_empty() && ty.results() == [Ty::I32])
    }

    fn section(&mut self, payload: Payload<'_>) -> Result<(), InstrumentError> {
        let mut again = self.renumbered();
        match payload {
            Payload::TypeSection(section) => {
                for ty in section.clone().into_iter_err_on_gc_types() {
                    self.signatures.push(ty.map_err(failed)?);
                }
                again.parse_type_section(&mut self.types, section).map_err(failed)
            }
            Payload::ImportSection(section) => {
                section.into_imports().try_for_each(|import| self.import(import.map_err(failed)?))
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
                    self.pages = memory.initial;
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
                for (number, global) in section.clone().into_iter().enumerate() {
                    let global = global.map_err(failed)?;
                    if !global.ty.mutable {
                        continue;
                    }
                    match global.init_expr.get_operators_reader().read().map_err(failed)? {
                        Op::I32Const { value } => self.mutable.push((number as u32, I::I32Const(value))),
                        Op::I64Const { value } => self.mutable.push((number as u32, I::I64Const(value))),
                        _ => self.resettable = false,
                    }
                }
                again.parse_global_section(&mut self.globals, section).map_err(failed)
            }
            Payload::ExportSection(section) => {
                for export in section.clone() {
                    let export = export.map_err(failed)?;
                    if export.name.starts_with(RESERVED) {
                        return Err(failed("a reserved export"));
                    }
                    if export.kind == ExternalKind::Func && self.is_call(export.index) {
                        self.calls.push((export.name.into(), export.index));
                    }
                }
                again.parse_export_section(&mut self.exports, section).map_err(failed)
            }
            Payload::ElementSection(section) => {
                for element in section.clone() {
                    if let ElementItems::Functions(functions) = element.map_err(failed)?.items {
                        self.elements_count += u64::from(functions.count());
                    }
                }
                again.parse_element_section(&mut self.elements, section).map_err(failed)
            }
            Payload::DataCountSection { count, .. } => {
                self.data_count = Some(count);
                Ok(())
            }
            Payload::DataSection(section) => {
                for data in section.clone() {
                    self.data_bytes += data.map_err(failed)?.data.len() as u64;
                }
                again.parse_data_section(&mut self.data, section).map_err(failed)
            }
            _ => Ok(()),
        }
    }

    fn finish(mut self, stack_slots: u32, added: Added) -> Result<Vec<u8>, InstrumentError> {
        let global = |val_type| GlobalType { val_type, mutable: true, shared: false };
        for (number, _) in &self.mutable {
            self.exports.export(&format!("{GLOBAL}{number}"), ExportKind::Global, *number);
        }
        self.globals.global(global(ValType::I64), &ConstExpr::i64_const(0));
        self.globals.global(global(ValType::I32), &ConstExpr::i32_const(stack_slots as i32));
        self.globals.global(global(ValType::I32), &ConstExpr::i32_const(0));
        self.exports.export(GAS, ExportKind::Global, added.gas);
        self.exports.export(STACK, ExportKind::Global, added.stack);
        self.exports.export(GROWTH, ExportKind::Global, added.growth);
        if let Some(pages) = added.pages {
            self.globals.global(global(ValType::I64), &ConstExpr::i64_const(0));
            self.mutable.push((pages, I::I64Const(0)));
        }
        if self.memories.is_empty() {
            self.memories.memory(MemoryType {
                minimum: 0,
                maximum: Some(0),
                memory64: false,
                shared: false,
                page_size_log2: None,
            });
        }
        self.exports.export(MEMORY, ExportKind::Memory, 0);
        self.mutable.extend([
            (added.stack, I::I32Const(stack_slots as i32)),
            (added.growth, I::I32Const(0)),
            (added.gas, I::LocalGet(0)),
        ]);
        self.add_imports(added)?;
        self.add_calls(added);
        let mut module = Module::new();
        module.section(&self.types).section(&self.imports).section(&self.functions);
        module.section(&self.tables).section(&self.memories).section(&self.globals);
        module.section(&self.exports).section(&self.elements);
        if let Some(count) = self.data_count {
            module.section(&DataCountSection { count });
        }
        module.section(&self.code).section(&self.data);
        Ok(module.finish())
    }

    /// Adds the functions that stand for imports.
    fn add_imports(&mut self, added: Added) -> Result<(), InstrumentError> {
        for (function, number) in (0..).zip(self.import_types.clone()) {
            let params = self.signature(number)?.params().len() as u32;
            self.functions.function(number);
            let mut code = Function::new([]);
            for param in 0..params {
                code.instruction(&I::LocalGet(param));
            }
            code.instruction(&I::GlobalGet(added.gas)).instruction(&I::Call(function));
            code.instruction(&I::GlobalSet(added.gas)).instruction(&I::End);
            self.code.function(&code);
        }
        Ok(())
    }

    /// Adds the function that puts the globals back, and for each call the one that does so, calls, and adds to the answer
    /// the gas that is left and the pages that were written to, i64 with a bit for each 64th of the memory; all where
    /// they are not noted.
    fn add_calls(&mut self, added: Added) {
        let (reset_type, call_type) = (self.types.len(), self.types.len() + 1);
        self.types.ty().function([ValType::I64], []);
        self.types.ty().function([ValType::I64], [ValType::I32, ValType::I64, ValType::I64]);
        let reset = self.imported() + self.functions.len();
        self.functions.function(reset_type);
        self.exports.export(RESET, ExportKind::Func, reset);
        let mut code = Function::new([]);
        for (number, value) in &self.mutable {
            code.instruction(value).instruction(&I::GlobalSet(*number));
        }
        code.instruction(&I::End);
        self.code.function(&code);
        for (name, function) in &self.calls {
            let index = self.imported() + self.functions.len();
            self.functions.function(call_type);
            self.exports.export(&format!("{CALL}{name}"), ExportKind::Func, index);
            let mut code = Function::new([]);
            code.instruction(&I::LocalGet(0)).instruction(&I::Call(reset)).instruction(&I::Call(*function));
            code.instruction(&I::GlobalGet(added.gas));
            code.instruction(&added.pages.map_or(I::I64Const(-1), I::GlobalGet)).instruction(&I::End);
            self.code.function(&code);
        }
    }
}
