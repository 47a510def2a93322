//! Gas and stack depth, written into the wasm.
//!
//! Every basic block is charged when it is entered; a block ends at every call and branch. Whether gas is
//! left is asked at function entries and loop heads, and by the host before it works. Each function takes
//! its frame from a counter of value-stack slots and gives it back. What is charged depends on the bytes of
//! the module alone, so it is the same on every machine.

use super::admit::{RESERVED, features};
use super::price;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, DataCountSection, DataSection, ElementSection, ExportKind,
    ExportSection, Function, FunctionSection, GlobalSection, GlobalType, ImportSection, Instruction as I,
    MemorySection, Module, TableSection, TypeSection, ValType,
};
use wasmparser::{
    FuncType, FuncValidatorAllocations, FunctionBody, Operator as Op, Parser, Payload, ValidPayload,
    Validator,
};

/// Version of the rules in this file.
pub const INSTRUMENTER_VERSION: u16 = 0;
/// Export of the gas left, i64; below zero when it is used up.
pub(super) const GAS: &str = "tenor:gas";
/// Export of the stack slots left, i32; below zero when they are used up.
pub(super) const STACK: &str = "tenor:stack";
/// Export of the flag that memory could not grow, i32.
pub(super) const MEMORY: &str = "tenor:memory";
/// Slots that a call takes besides its locals and its operands.
const FRAME: u32 = 8;

/// Why a module cannot be instrumented: never, when it was admitted.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the module cannot be instrumented: {0}")]
pub struct InstrumentError(String);

fn failed(error: impl std::fmt::Display) -> InstrumentError {
    InstrumentError(error.to_string())
}

/// The globals that are added behind the module's own.
#[derive(Clone, Copy)]
struct Added {
    gas: u32,
    stack: u32,
    memory: u32,
}

/// Where a function is charged, and how large its frame is.
struct Plan {
    /// Place of the operator after which to charge (-1: at the entry), gas, and whether to ask if any is left.
    charges: Vec<(i64, u64, bool)>,
    frame: u32,
    operators: i64,
}

/// The module with its counters.
///
/// # Errors
/// [`InstrumentError`] for a module that was not admitted.
pub fn instrument(wasm: &[u8], stack_slots: u32) -> Result<Vec<u8>, InstrumentError> {
    let mut parts = Parts::default();
    let mut validator = Validator::new_with_features(features());
    let mut allocations = FuncValidatorAllocations::default();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.map_err(failed)?;
        match validator.payload(&payload).map_err(failed)? {
            ValidPayload::Func(function, body) => {
                let ty = parts.next_type()?;
                let mut checked = function.into_validator(std::mem::take(&mut allocations));
                let plan = plan(&body, &mut checked, ty.params().len() as u32)?;
                allocations = checked.into_allocations();
                let function = emit(&body, &plan, &ty, parts.added())?;
                parts.code.function(&function);
            }
            _ => parts.section(payload)?,
        }
    }
    Ok(parts.finish(stack_slots))
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
}

impl Parts {
    fn next_type(&mut self) -> Result<FuncType, InstrumentError> {
        let number = self.function_types.get(self.bodies).copied().unwrap_or(u32::MAX);
        self.bodies += 1;
        self.signatures.get(number as usize).cloned().ok_or_else(|| failed("a function without a type"))
    }

    fn added(&self) -> Added {
        Added { gas: self.globals_own, stack: self.globals_own + 1, memory: self.globals_own + 2 }
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
                again.parse_memory_section(&mut self.memories, section).map_err(failed)
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
        self.exports.export(MEMORY, ExportKind::Global, added.memory);
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

/// An open block, loop or if.
struct Label {
    is_loop: bool,
    is_if: bool,
    targeted: bool,
}

fn plan(
    body: &FunctionBody<'_>,
    checked: &mut wasmparser::FuncValidator<wasmparser::ValidatorResources>,
    params: u32,
) -> Result<Plan, InstrumentError> {
    let mut reader = body.get_binary_reader();
    checked.read_locals(&mut reader).map_err(failed)?;
    let mut locals = params;
    for group in body.get_locals_reader().map_err(failed)? {
        locals = locals.saturating_add(group.map_err(failed)?.0);
    }
    let mut labels = vec![Label { is_loop: false, is_if: false, targeted: false }];
    let mut charges = vec![];
    let (mut at, mut gas, mut ask) = (-1i64, 1 + u64::from(locals) / 8, true);
    let (mut height, mut place) = (0, 0i64);
    let mut operators = body.get_operators_reader().map_err(failed)?;
    while !operators.eof() {
        let (operator, offset) = operators.read_with_offset().map_err(failed)?;
        checked.op(offset, &operator).map_err(failed)?;
        height = height.max(checked.operand_stack_height());
        gas += price::operator(&operator);
        if ends_block(&operator, &mut labels)? {
            charges.push((at, gas, ask));
            (at, gas, ask) = (place, 0, matches!(operator, Op::Loop { .. }));
        }
        place += 1;
    }
    operators.finish().map_err(failed)?;
    charges.push((at, gas, ask));
    charges.retain(|(_, gas, ask)| *gas > 0 || *ask);
    Ok(Plan { charges, frame: FRAME + locals + height, operators: place })
}

/// Whether another basic block begins after an operator.
fn ends_block(operator: &Op<'_>, labels: &mut Vec<Label>) -> Result<bool, InstrumentError> {
    let target = |depth: u32, labels: &mut Vec<Label>| {
        let place = labels.len().checked_sub(1 + depth as usize);
        place
            .and_then(|place| labels.get_mut(place))
            .map(|label| label.targeted = true)
            .ok_or_else(|| failed("a branch to nowhere"))
    };
    let label = |is_loop, is_if| Label { is_loop, is_if, targeted: false };
    match operator {
        Op::Block { .. } => labels.push(label(false, false)),
        Op::Loop { .. } => labels.push(label(true, false)),
        Op::If { .. } => labels.push(label(false, true)),
        Op::End => {
            let closed = labels.pop().ok_or_else(|| failed("an end without a beginning"))?;
            return Ok(closed.is_if || (!closed.is_loop && closed.targeted));
        }
        Op::Br { relative_depth } | Op::BrIf { relative_depth } => target(*relative_depth, labels)?,
        Op::BrTable { targets } => {
            for depth in targets.targets() {
                target(depth.map_err(failed)?, labels)?;
            }
            target(targets.default(), labels)?;
        }
        _ => {}
    }
    Ok(matches!(
        operator,
        Op::Loop { .. }
            | Op::If { .. }
            | Op::Else
            | Op::Br { .. }
            | Op::BrIf { .. }
            | Op::BrTable { .. }
            | Op::Return
            | Op::Unreachable
            | Op::Call { .. }
            | Op::CallIndirect { .. }
    ))
}

/// A function with its charges, its frame taken at the entry and given back at its one exit.
fn emit(
    body: &FunctionBody<'_>,
    plan: &Plan,
    ty: &FuncType,
    added: Added,
) -> Result<Function, InstrumentError> {
    let mut again = RoundtripReencoder;
    let mut locals = vec![];
    let mut count = ty.params().len() as u32;
    for group in body.get_locals_reader().map_err(failed)? {
        let (number, ty) = group.map_err(failed)?;
        count += number;
        locals.push((number, again.val_type(ty).map_err(failed)?));
    }
    locals.push((1, ValType::I32));
    let scratch = count;
    let mut function = Function::new(locals);
    let frame = plan.frame as i32;
    for instruction in [I::GlobalGet(added.stack), I::I32Const(frame), I::I32Sub, I::GlobalSet(added.stack)] {
        function.instruction(&instruction);
    }
    for instruction in [
        I::GlobalGet(added.stack),
        I::I32Const(0),
        I::I32LtS,
        I::If(BlockType::Empty),
        I::Unreachable,
        I::End,
    ] {
        function.instruction(&instruction);
    }
    let mut charges = plan.charges.iter().peekable();
    if let Some((_, gas, ask)) = charges.next_if(|(at, _, _)| *at < 0) {
        charge(&mut function, added, *gas, *ask);
    }
    let result = match ty.results() {
        [] => BlockType::Empty,
        [one] => BlockType::Result(again.val_type(*one).map_err(failed)?),
        _ => return Err(failed("several results")),
    };
    function.instruction(&I::Block(result));
    let mut operators = body.get_operators_reader().map_err(failed)?;
    let (mut depth, mut place) = (0u32, 0i64);
    while !operators.eof() {
        let operator = operators.read().map_err(failed)?;
        match &operator {
            Op::Block { .. } | Op::Loop { .. } | Op::If { .. } => depth += 1,
            Op::End => depth = depth.wrapping_sub(1),
            _ => {}
        }
        match &operator {
            Op::Return => {
                function.instruction(&I::Br(depth));
            }
            Op::End if place + 1 == plan.operators => {
                let give_back = [
                    I::End,
                    I::GlobalGet(added.stack),
                    I::I32Const(frame),
                    I::I32Add,
                    I::GlobalSet(added.stack),
                    I::End,
                ];
                give_back.iter().for_each(|instruction| {
                    function.instruction(instruction);
                });
            }
            Op::MemoryGrow { .. } | Op::MemoryCopy { .. } | Op::MemoryFill { .. } => {
                let instruction = again.instruction(operator.clone()).map_err(failed)?;
                by_size(&mut function, added, scratch, &operator, &instruction);
            }
            _ => {
                function.instruction(&again.instruction(operator.clone()).map_err(failed)?);
            }
        }
        while let Some((_, gas, ask)) = charges.next_if(|(at, _, _)| *at == place) {
            if place + 1 < plan.operators {
                charge(&mut function, added, *gas, *ask);
            }
        }
        place += 1;
    }
    Ok(function)
}

fn charge(function: &mut Function, added: Added, gas: u64, ask: bool) {
    if gas > 0 {
        for instruction in
            [I::GlobalGet(added.gas), I::I64Const(gas as i64), I::I64Sub, I::GlobalSet(added.gas)]
        {
            function.instruction(&instruction);
        }
    }
    if ask {
        stop_when_used_up(function, added);
    }
}

fn stop_when_used_up(function: &mut Function, added: Added) {
    for instruction in
        [I::GlobalGet(added.gas), I::I64Const(0), I::I64LtS, I::If(BlockType::Empty), I::Unreachable, I::End]
    {
        function.instruction(&instruction);
    }
}

/// Charges an operator by the size on top of the stack, then runs it. Memory that cannot grow ends the call.
fn by_size(function: &mut Function, added: Added, scratch: u32, operator: &Op<'_>, instruction: &I<'_>) {
    let grows = matches!(operator, Op::MemoryGrow { .. });
    let (factor, shift) = if grows { (price::PAGE, 0) } else { (1, price::BULK_SHIFT) };
    let before = [
        I::LocalSet(scratch),
        I::GlobalGet(added.gas),
        I::LocalGet(scratch),
        I::I64ExtendI32U,
        I::I64Const(factor),
        I::I64Mul,
        I::I64Const(shift),
        I::I64ShrU,
        I::I64Sub,
        I::GlobalSet(added.gas),
    ];
    before.iter().for_each(|instruction| {
        function.instruction(instruction);
    });
    stop_when_used_up(function, added);
    function.instruction(&I::LocalGet(scratch));
    function.instruction(instruction);
    if grows {
        let after = [
            I::LocalTee(scratch),
            I::I32Const(-1),
            I::I32Eq,
            I::If(BlockType::Empty),
            I::I32Const(1),
            I::GlobalSet(added.memory),
            I::Unreachable,
            I::End,
            I::LocalGet(scratch),
        ];
        after.iter().for_each(|instruction| {
            function.instruction(instruction);
        });
    }
}
