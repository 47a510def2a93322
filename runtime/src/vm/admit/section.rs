//! The rules of everything but function bodies: types, imports, tables, memory, globals, exports, segments.

use super::name::{NAME_SHOWN_MAX, shown};
use super::{Finding, MEMORY, Pass, RESERVED, at_most, invalid, value_type};
use crate::vm::limit::LIMITS;
use tenor_abi::host;
use tenor_abi::spec;
use wasmparser::{
    ConstExpr, CustomSectionReader, DataKind, DataSectionReader, ElementItems, ElementKind,
    ElementSectionReader, ExportSectionReader, ExternalKind, FuncType, GlobalSectionReader, Import,
    ImportSectionReader, MemorySectionReader, Operator, Payload, RefType, TableSectionReader, TypeRef,
    TypeSectionReader, ValType,
};

const PAGE_BYTES: u64 = 65536;

impl Pass {
    pub(super) fn section(&mut self, payload: &Payload<'_>) -> Result<(), Finding> {
        match payload {
            Payload::TypeSection(section) => self.types(section),
            Payload::ImportSection(section) => self.imports(section),
            Payload::FunctionSection(section) => {
                let count = u64::from(section.count()) + u64::from(self.imports);
                self.note(at_most("functions", count, LIMITS.functions.into(), section.range().start));
                for ty in section.clone() {
                    self.functions.push(ty.map_err(invalid)?);
                }
                Ok(())
            }
            Payload::TableSection(section) => self.tables(section),
            Payload::MemorySection(section) => self.memories(section),
            Payload::TagSection(section) => Err(Finding::new(
                "exceptions",
                section.range().start,
                "tags are not allowed: build with `panic = \"abort\"` and without exception-handling",
            )),
            Payload::GlobalSection(section) => self.globals(section),
            Payload::ExportSection(section) => self.exports(section),
            Payload::StartSection { range, .. } => Err(Finding::new(
                "start",
                range.start,
                "a start function is not allowed: work is done in calls",
            )),
            Payload::ElementSection(section) => self.elements(section),
            Payload::DataSection(section) => self.data(section),
            Payload::CustomSection(section) => self.custom(section),
            _ => Ok(()),
        }
    }

    fn custom(&mut self, section: &CustomSectionReader<'_>) -> Result<(), Finding> {
        let (name, at) = (section.name(), section.data_offset());
        if !self.custom.insert(name.into()) {
            if name == spec::SECTION {
                return Err(Finding::new("spec", at, "the spec stands twice"));
            }
            let text = format!("the custom section `{}` stands twice; keep one", shown(name, NAME_SHOWN_MAX));
            return Err(Finding::new("custom_section", at, text));
        }
        if name == spec::SECTION {
            self.admitted.spec = section.data().to_vec();
        }
        Ok(())
    }

    fn types(&mut self, section: &TypeSectionReader<'_>) -> Result<(), Finding> {
        let at = section.range().start;
        self.note(at_most("types", section.count().into(), LIMITS.types.into(), at));
        section.clone().into_iter().try_for_each(|group| group.map(drop).map_err(invalid))?;
        for ty in section.clone().into_iter_err_on_gc_types() {
            // What can be read and is no plain function's.
            let ty = ty.map_err(|error| {
                let text =
                    "a type that is no function's: build without garbage collection and stack switching";
                Finding::new("reference", error.offset(), text)
            })?;
            let (params, results) = (ty.params(), ty.results());
            self.note(at_most("parameters of a function", params.len() as u64, LIMITS.params.into(), at));
            self.note(at_most("results of a function", results.len() as u64, LIMITS.results.into(), at));
            params.iter().for_each(|param| self.note(value_type(*param, "a parameter", at)));
            results.iter().for_each(|result| self.note(value_type(*result, "a result", at)));
            self.types.push(ty);
        }
        Ok(())
    }

    fn imports(&mut self, section: &ImportSectionReader<'_>) -> Result<(), Finding> {
        for import in section.clone().into_imports_with_offsets() {
            let (at, import) = import.map_err(invalid)?;
            let judged = self.import(&import, at);
            self.note(judged);
            // What is no function stands in none of the numbers of functions.
            if let TypeRef::Func(ty) = import.ty {
                self.imports += 1;
                self.functions.push(ty);
            }
        }
        at_most("functions", self.imports.into(), LIMITS.functions.into(), section.range().start)
    }

    fn import(&self, import: &Import<'_>, at: u64) -> Result<(), Finding> {
        let refused = |text: String| Err(Finding::new("import", at, text));
        let shown = |name| shown(name, NAME_SHOWN_MAX);
        let name = format!("`{}.{}`", shown(import.module), shown(import.name));
        let TypeRef::Func(ty) = import.ty else {
            return refused(format!("{name}: only functions of the host may be imported"));
        };
        let Some(function) = host::by_name(import.name).filter(|_| import.module == host::MODULE) else {
            return refused(format!("{name} is no function of the host; see `{}`", host::MODULE));
        };
        let wanted = host_type(function);
        if self.types.get(ty as usize) == Some(&wanted) {
            return Ok(());
        }
        refused(format!(
            "{name} has {} parameters of i32 and {} results of i32",
            wanted.params().len(),
            wanted.results().len()
        ))
    }

    fn tables(&mut self, section: &TableSectionReader<'_>) -> Result<(), Finding> {
        let at = section.range().start;
        self.note(at_most("tables", section.count().into(), LIMITS.tables.into(), at));
        for table in section.clone() {
            let table = table.map_err(invalid)?;
            self.note(at_most("elements of the table", table.ty.initial, LIMITS.table.into(), at));
            if table.ty.element_type != RefType::FUNCREF {
                let text = "a table may hold functions only: use one of funcref";
                return Err(Finding::new("reference", at, text));
            }
            if table.ty.table64 || table.ty.shared {
                let text = "a table of 64-bit places, or a shared one: use one plain table";
                return Err(Finding::new("table", at, text));
            }
            self.table_size = table.ty.initial;
        }
        Ok(())
    }

    fn memories(&mut self, section: &MemorySectionReader<'_>) -> Result<(), Finding> {
        let at = section.range().start;
        if section.count() > 1 {
            let text = format!("{} memories: use one 32-bit memory", section.count());
            return Err(Finding::new("memory", at, text));
        }
        for memory in section.clone() {
            let memory = memory.map_err(invalid)?;
            if memory.memory64 {
                return Err(Finding::new("memory", at, "a memory64: use one 32-bit memory"));
            }
            if memory.page_size_log2.is_some() {
                return Err(Finding::new("memory", at, "pages of their own size: use those of 64 KiB"));
            }
            if memory.shared {
                return Err(Finding::new(
                    "threads",
                    at,
                    "a shared memory: build without threads and atomics",
                ));
            }
            self.note(at_most("pages of memory at the start", memory.initial, LIMITS.memory_pages, at));
            self.memory_pages = memory.initial;
        }
        Ok(())
    }

    fn globals(&mut self, section: &GlobalSectionReader<'_>) -> Result<(), Finding> {
        let at = section.range().start;
        self.note(at_most("globals", section.count().into(), LIMITS.globals.into(), at));
        for global in section.clone() {
            self.note(value_type(global.map_err(invalid)?.ty.content_type, "a global", at));
        }
        Ok(())
    }

    fn exports(&mut self, section: &ExportSectionReader<'_>) -> Result<(), Finding> {
        let at = section.range().start;
        self.note(at_most("exports", section.count().into(), LIMITS.exports.into(), at));
        for export in section.clone() {
            let export = export.map_err(invalid)?;
            let bytes = export.name.len() as u64;
            self.note(at_most("bytes of an export's name", bytes, LIMITS.export_name_bytes.into(), at));
            if export.name.starts_with(RESERVED) {
                let text = format!(
                    "export `{}`: names that begin with `{RESERVED}` are the host's",
                    shown(export.name, NAME_SHOWN_MAX)
                );
                self.find(Finding::new("export", at, text));
            }
            match export.kind {
                ExternalKind::Memory => self.memory_exported |= export.name == MEMORY,
                ExternalKind::Func if self.is_call(export.index) => {
                    self.admitted.exports.push(export.name.into());
                }
                ExternalKind::Func => self.admitted.other_exports.push((export.name.into(), at)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether a function is the contract's own, without parameters, and returns an `i32`.
    fn is_call(&self, function: u32) -> bool {
        let ty = self.functions.get(function as usize).and_then(|ty| self.types.get(*ty as usize));
        let fits = |ty: &FuncType| ty.params().is_empty() && ty.results() == [ValType::I32];
        function >= self.imports && ty.is_some_and(fits)
    }

    fn elements(&mut self, section: &ElementSectionReader<'_>) -> Result<(), Finding> {
        let at = section.range().start;
        self.note(at_most("element segments", section.count().into(), LIMITS.element_segments.into(), at));
        for element in section.clone() {
            let element = element.map_err(invalid)?;
            let at = element.range.start;
            let ElementItems::Functions(functions) = element.items else {
                return Err(Finding::new(
                    "reference",
                    at,
                    "element segments may list functions only: write them as numbers of functions",
                ));
            };
            let ElementKind::Active { offset_expr, .. } = element.kind else {
                return Err(Finding::new(
                    "element",
                    at,
                    "passive and declared element segments are not allowed: give each its place in the table",
                ));
            };
            let count = u64::from(functions.count());
            self.elements += count;
            self.note(at_most("elements of all segments", self.elements, LIMITS.table.into(), at));
            let end = constant(&offset_expr, at)? + count;
            self.note(inside("element segment", end, self.table_size, at));
        }
        Ok(())
    }

    fn data(&mut self, section: &DataSectionReader<'_>) -> Result<(), Finding> {
        let at = section.range().start;
        self.note(at_most("data segments", section.count().into(), LIMITS.data_segments.into(), at));
        for data in section.clone() {
            let data = data.map_err(invalid)?;
            let at = data.range.start;
            let DataKind::Active { offset_expr, .. } = data.kind else {
                return Err(Finding::new(
                    "data",
                    at,
                    "passive data segments are not allowed: give each its place in memory",
                ));
            };
            let end = constant(&offset_expr, at)? + data.data.len() as u64;
            self.note(inside("data segment", end, self.memory_pages.saturating_mul(PAGE_BYTES), at));
        }
        Ok(())
    }
}

/// The type of a host function.
fn host_type(function: &host::HostFunction) -> FuncType {
    let params = function.params.iter().map(|_| ValType::I32);
    FuncType::new(params, function.returns.then_some(ValType::I32))
}

/// The place of a segment: a constant, so that it can be judged here and not when a call begins.
fn constant(expression: &ConstExpr<'_>, at: u64) -> Result<u64, Finding> {
    let mut operators = expression.get_operators_reader();
    match (operators.read().map_err(invalid)?, operators.read().map_err(invalid)?) {
        (Operator::I32Const { value }, Operator::End) => Ok(u64::from(value as u32)),
        _ => Err(Finding::new(
            "segment",
            at,
            "the place of a segment must be a constant of type i32: write `i32.const`",
        )),
    }
}

fn inside(what: &str, end: u64, size: u64, at: u64) -> Result<(), Finding> {
    if end <= size {
        return Ok(());
    }
    Err(Finding {
        value: Some(end),
        limit: Some(size),
        ..Finding::new(
            "segment",
            at,
            format!("{what} ends at {end}, outside its {size} of space: make that larger, or move it"),
        )
    })
}
