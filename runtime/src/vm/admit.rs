//! Admission: one pass over a module that decides, from its bytes alone, whether it may be published.

use super::limit::{LIMITS, ModuleLimits};
use tenor_abi::host;
use tenor_abi::spec;
use wasmparser::{
    ExternalKind, FunctionBody, Operator, Parser, Payload, TypeRef, ValidPayload, Validator, WasmFeatures,
};

/// Export names that the host adds; a contract may not have any that begins like this.
pub(super) const RESERVED: &str = "tenor:";

/// What is wrong with a module.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{text} (offset {offset})")]
pub struct Finding {
    /// Name of the rule.
    pub rule: &'static str,
    /// Byte offset in the module.
    pub offset: u64,
    /// What was found, where, and what to change.
    pub text: String,
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
/// The encoding of reference types is let in because compilers write it; no operator of theirs is.
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
/// The first [`Finding`].
pub fn admit(wasm: &[u8]) -> Result<Admitted, Finding> {
    let mut pass = Pass { limits: &LIMITS, ..Pass::default() };
    pass.at_most("module bytes", wasm.len() as u64, LIMITS.bytes.into(), 0)?;
    let mut validator = Validator::new_with_features(features());
    let mut allocations = wasmparser::FuncValidatorAllocations::default();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.map_err(invalid)?;
        // Our own rules come first, because they say what to change; the validator knows all the others.
        pass.look(&payload)?;
        if let ValidPayload::Func(function, body) = validator.payload(&payload).map_err(invalid)? {
            pass.body(&body)?;
            let mut function = function.into_validator(std::mem::take(&mut allocations));
            function.validate(&body).map_err(invalid)?;
            allocations = function.into_allocations();
        }
    }
    if pass.admitted.spec.is_empty() {
        return Err(finding(
            "spec",
            0,
            format!("the custom section `{}` is missing; is this a contract?", spec::SECTION),
        ));
    }
    if !pass.memory_exported {
        return Err(finding("memory", 0, "the module must export its memory as `memory`".into()));
    }
    Ok(pass.admitted)
}

fn finding(rule: &'static str, offset: u64, text: String) -> Finding {
    Finding { rule, offset, text }
}

fn invalid(error: wasmparser::Error) -> Finding {
    finding("wasm", error.offset(), format!("not wasm that contracts may use: {}", error.message()))
}

#[derive(Default)]
struct Pass<'l> {
    limits: &'l ModuleLimits,
    admitted: Admitted,
    types: Vec<(usize, usize)>,
    functions: Vec<u32>,
    imports: u32,
    loops: u32,
    bodies: u32,
    memory_exported: bool,
}

impl Default for &ModuleLimits {
    fn default() -> Self {
        &LIMITS
    }
}

impl Pass<'_> {
    fn at_most(&self, what: &'static str, given: u64, limit: u64, offset: u64) -> Result<(), Finding> {
        if given <= limit {
            Ok(())
        } else {
            Err(finding("limit", offset, format!("{what}: {given}, at most {limit} allowed")))
        }
    }

    fn look(&mut self, payload: &Payload<'_>) -> Result<(), Finding> {
        let limits = self.limits;
        match payload {
            Payload::TypeSection(section) => {
                self.at_most("types", section.count().into(), limits.types.into(), section.range().start)?;
                for ty in section.clone().into_iter_err_on_gc_types() {
                    let ty = ty.map_err(invalid)?;
                    let at = section.range().start;
                    self.at_most(
                        "parameters of a function",
                        ty.params().len() as u64,
                        limits.params.into(),
                        at,
                    )?;
                    self.at_most("results of a function", ty.results().len() as u64, 1, at)?;
                    self.types.push((ty.params().len(), ty.results().len()));
                }
            }
            Payload::ImportSection(section) => self.imports(section)?,
            Payload::FunctionSection(section) => {
                self.at_most(
                    "functions",
                    u64::from(section.count() + self.imports),
                    limits.functions.into(),
                    section.range().start,
                )?;
                for ty in section.clone() {
                    self.functions.push(ty.map_err(invalid)?);
                }
            }
            Payload::TableSection(section) => {
                self.at_most("tables", section.count().into(), 1, section.range().start)?;
                for table in section.clone() {
                    let table = table.map_err(invalid)?;
                    self.at_most(
                        "elements of the table",
                        table.ty.initial,
                        limits.table.into(),
                        section.range().start,
                    )?;
                }
            }
            Payload::MemorySection(section) => {
                for memory in section.clone() {
                    let memory = memory.map_err(invalid)?;
                    self.at_most(
                        "pages of memory at the start",
                        memory.initial,
                        limits.memory_pages,
                        section.range().start,
                    )?;
                }
            }
            Payload::GlobalSection(section) => {
                self.at_most(
                    "globals",
                    section.count().into(),
                    limits.globals.into(),
                    section.range().start,
                )?;
            }
            Payload::ExportSection(section) => self.exports(section)?,
            Payload::StartSection { range, .. } => {
                return Err(finding(
                    "start",
                    range.start,
                    "a start function is not allowed: work is done in calls".into(),
                ));
            }
            Payload::DataSection(section) => {
                self.at_most(
                    "data segments",
                    section.count().into(),
                    limits.data_segments.into(),
                    section.range().start,
                )?;
            }
            Payload::CustomSection(section) if section.name() == spec::SECTION => {
                if !self.admitted.spec.is_empty() {
                    return Err(finding("spec", section.data_offset(), "the spec stands twice".into()));
                }
                self.admitted.spec = section.data().to_vec();
            }
            _ => {}
        }
        Ok(())
    }

    fn imports(&mut self, section: &wasmparser::ImportSectionReader<'_>) -> Result<(), Finding> {
        for import in section.clone().into_imports_with_offsets() {
            let (at, import) = import.map_err(invalid)?;
            let unknown = |text: String| Err(finding("import", at, text));
            let TypeRef::Func(ty) = import.ty else {
                return unknown(format!(
                    "`{}.{}`: only functions of the host may be imported",
                    import.module, import.name
                ));
            };
            let known = host::by_name(import.name).filter(|_| import.module == host::MODULE);
            let Some(function) = known else {
                return unknown(format!(
                    "`{}.{}` is no function of the host; see `{}`",
                    import.module,
                    import.name,
                    host::MODULE
                ));
            };
            let wanted = (usize::from(function.params), usize::from(function.returns));
            if self.types.get(ty as usize) != Some(&wanted) {
                return unknown(format!(
                    "`{}` has {} parameters of i32 and {} results",
                    function.name, wanted.0, wanted.1
                ));
            }
            self.imports += 1;
        }
        Ok(())
    }

    fn exports(&mut self, section: &wasmparser::ExportSectionReader<'_>) -> Result<(), Finding> {
        self.at_most("exports", section.count().into(), self.limits.exports.into(), section.range().start)?;
        for export in section.clone() {
            let export = export.map_err(invalid)?;
            if export.name.starts_with(RESERVED) {
                let text = format!("`{}`: names that begin with `{RESERVED}` are the host's", export.name);
                return Err(finding("export", section.range().start, text));
            }
            match export.kind {
                ExternalKind::Memory => self.memory_exported |= export.name == "memory",
                ExternalKind::Func => {
                    let own = export
                        .index
                        .checked_sub(self.imports)
                        .and_then(|index| self.functions.get(index as usize));
                    let ty = own.and_then(|ty| self.types.get(*ty as usize));
                    if ty == Some(&(0, 1)) {
                        self.admitted.exports.push(export.name.into());
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn body(&mut self, body: &FunctionBody<'_>) -> Result<(), Finding> {
        let (limits, at, function) = (self.limits, body.range().start, self.bodies + self.imports);
        self.bodies += 1;
        self.at_most(
            "bytes of a function",
            body.range().end - body.range().start,
            limits.body_bytes.into(),
            at,
        )?;
        let params = self.functions.get(function.wrapping_sub(self.imports) as usize);
        let mut locals = params.and_then(|ty| self.types.get(*ty as usize)).map_or(0, |ty| ty.0 as u64);
        for group in body.get_locals_reader().map_err(invalid)? {
            locals += u64::from(group.map_err(invalid)?.0);
        }
        self.at_most("locals of a function", locals, limits.locals.into(), at)?;
        let (mut loops, mut blocks, mut calls, mut depth) = (0u32, 0u32, 0u32, 0u32);
        let mut operators = body.get_operators_reader().map_err(invalid)?;
        while !operators.eof() {
            let (operator, offset) = operators.read_with_offset().map_err(invalid)?;
            allowed(&operator, function, offset)?;
            match &operator {
                Operator::Loop { .. } => (loops, depth) = (loops + 1, depth + 1),
                Operator::Block { .. } | Operator::If { .. } => (blocks, depth) = (blocks + 1, depth + 1),
                Operator::End => depth = depth.saturating_sub(1),
                Operator::Call { .. } | Operator::CallIndirect { .. } => calls += 1,
                Operator::BrTable { targets } => self.at_most(
                    "targets of a branch table",
                    targets.len().into(),
                    limits.branches.into(),
                    offset,
                )?,
                _ => {}
            }
            self.at_most("levels of nesting", depth.into(), limits.nesting.into(), offset)?;
        }
        self.loops += loops;
        self.at_most("loops of a function", loops.into(), limits.loops.into(), at)?;
        self.at_most("loops of the module", self.loops.into(), limits.loops_all.into(), at)?;
        self.at_most("blocks of a function", blocks.into(), limits.blocks.into(), at)?;
        self.at_most("calls in a function", calls.into(), limits.calls.into(), at)
    }
}

/// Operators of integers, control and memory; everything else is named and refused.
fn allowed(operator: &Operator<'_>, function: u32, offset: u64) -> Result<(), Finding> {
    let debug = format!("{operator:?}");
    let name = debug.split([' ', '{']).next().unwrap_or_default().trim();
    let place = format!("{name} in function {function}");
    if name.contains("F32") || name.contains("F64") {
        return Err(finding(
            "float",
            offset,
            format!("{place}: floats are not allowed; use `Rate` and `Money`"),
        ));
    }
    let refused = matches!(
        operator,
        Operator::TableGet { .. }
            | Operator::TableSet { .. }
            | Operator::TableGrow { .. }
            | Operator::TableSize { .. }
            | Operator::TableFill { .. }
            | Operator::TableCopy { .. }
            | Operator::TableInit { .. }
            | Operator::ElemDrop { .. }
            | Operator::MemoryInit { .. }
            | Operator::DataDrop { .. }
            | Operator::RefNull { .. }
            | Operator::RefIsNull
            | Operator::RefFunc { .. }
            | Operator::TypedSelect { .. }
    );
    if refused { Err(finding("operator", offset, format!("{place} is not allowed"))) } else { Ok(()) }
}
