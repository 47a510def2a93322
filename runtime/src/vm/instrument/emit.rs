//! A function with its charges and its frame written in.

use super::plan::{Charge, Plan};
use super::{Added, GROWTH_DENIED, GROWTH_FAILED, InstrumentError, failed};
use crate::vm::price;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{BlockType, Function, Instruction as I, ValType};
use wasmparser::{FuncType, FunctionBody, Operator as Op};

/// A function with its charges, its frame taken at the entry and given back at its one exit.
pub(super) fn emit(
    body: &FunctionBody<'_>,
    plan: &Plan,
    ty: &FuncType,
    added: Added,
) -> Result<Function, InstrumentError> {
    let mut again = RoundtripReencoder;
    let mut locals = vec![];
    let mut scratch = ty.params().len() as u32;
    for group in body.get_locals_reader().map_err(failed)? {
        let (count, ty) = group.map_err(failed)?;
        scratch += count;
        locals.push((count, again.val_type(ty).map_err(failed)?));
    }
    locals.push((1, ValType::I32));
    let mut writer = Writer { function: Function::new(locals), added, scratch };
    writer.take_frame(plan.frame);
    let mut charges = plan.charges.iter().peekable();
    if let Some(entry) = charges.next_if(|charge| charge.after == 0) {
        writer.charge(entry);
    }
    let result = match ty.results() {
        [] => BlockType::Empty,
        [one] => BlockType::Result(again.val_type(*one).map_err(failed)?),
        _ => return Err(failed("several results")),
    };
    // The body becomes a block, so that every way out of it passes the place where the frame is given back.
    writer.put(&[I::Block(result)]);
    let mut operators = body.get_operators_reader().map_err(failed)?;
    let (mut depth, mut count) = (0u32, 0u32);
    while !operators.eof() {
        let operator = operators.read().map_err(failed)?;
        let same = again.instruction(operator.clone()).map_err(failed)?;
        count += 1;
        match &operator {
            Op::Block { .. } | Op::Loop { .. } | Op::If { .. } => depth += 1,
            Op::End => depth = depth.wrapping_sub(1),
            _ => {}
        }
        match &operator {
            Op::Return => writer.put(&[I::Br(depth)]),
            Op::End if count == plan.operators => {
                writer.put(&[I::End]);
                writer.give_frame_back(plan.frame);
                writer.put(&[I::End]);
            }
            Op::MemoryGrow { .. } => writer.grow(&same),
            Op::MemoryCopy { .. } | Op::MemoryFill { .. } => writer.bulk(&same),
            _ => writer.put(&[same]),
        }
        while let Some(charge) = charges.next_if(|charge| charge.after == count) {
            if count < plan.operators {
                writer.charge(charge);
            }
        }
    }
    Ok(writer.function)
}

/// Writes a function's instructions.
struct Writer {
    function: Function,
    added: Added,
    /// A local of type i32 of our own.
    scratch: u32,
}

impl Writer {
    fn put(&mut self, instructions: &[I<'_>]) {
        for instruction in instructions {
            self.function.instruction(instruction);
        }
    }

    fn take_frame(&mut self, slots: u32) {
        let stack = self.added.stack;
        self.put(&[I::GlobalGet(stack), I::I32Const(slots as i32), I::I32Sub, I::GlobalSet(stack)]);
        self.put(&[I::GlobalGet(stack), I::I32Const(0), I::I32LtS]);
        self.put(&[I::If(BlockType::Empty), I::Unreachable, I::End]);
    }

    fn give_frame_back(&mut self, slots: u32) {
        let stack = self.added.stack;
        self.put(&[I::GlobalGet(stack), I::I32Const(slots as i32), I::I32Add, I::GlobalSet(stack)]);
    }

    fn charge(&mut self, charge: &Charge) {
        let gas = self.added.gas;
        if charge.gas > 0 {
            self.put(&[I::GlobalGet(gas), I::I64Const(charge.gas as i64), I::I64Sub, I::GlobalSet(gas)]);
        }
        if charge.ask {
            self.stop_when_used_up();
        }
    }

    fn stop_when_used_up(&mut self) {
        self.put(&[I::GlobalGet(self.added.gas), I::I64Const(0), I::I64LtS]);
        self.put(&[I::If(BlockType::Empty), I::Unreachable, I::End]);
    }

    /// Charges what the scratch local says, times a factor, shifted right.
    fn charge_by_size(&mut self, factor: i64, shift: i64) {
        let gas = self.added.gas;
        self.put(&[I::GlobalGet(gas), I::LocalGet(self.scratch), I::I64ExtendI32U]);
        self.put(&[I::I64Const(factor), I::I64Mul, I::I64Const(shift), I::I64ShrU]);
        self.put(&[I::I64Sub, I::GlobalSet(gas)]);
        self.stop_when_used_up();
    }

    /// `memory.copy` or `memory.fill`, with the length on top of the stack.
    fn bulk(&mut self, instruction: &I<'_>) {
        self.put(&[I::LocalSet(self.scratch)]);
        self.charge_by_size(1, price::BULK_SHIFT);
        self.put(&[I::LocalGet(self.scratch), instruction.clone()]);
    }

    /// `memory.grow`, with the pages on top of the stack. It never returns -1: a contract that could see how
    /// much memory a machine has left would end differently on two of them.
    fn grow(&mut self, instruction: &I<'_>) {
        let (scratch, growth) = (self.scratch, self.added.growth);
        let end_with = |reason| [I::I32Const(reason), I::GlobalSet(growth), I::Unreachable, I::End];
        self.put(&[I::LocalSet(scratch)]);
        self.put(&[I::MemorySize(0), I::I64ExtendI32U, I::LocalGet(scratch), I::I64ExtendI32U, I::I64Add]);
        self.put(&[I::I64Const(self.added.pages_max as i64), I::I64GtU, I::If(BlockType::Empty)]);
        self.put(&end_with(GROWTH_DENIED));
        self.charge_by_size(price::PAGE, 0);
        self.put(&[I::LocalGet(scratch), instruction.clone(), I::LocalTee(scratch)]);
        self.put(&[I::I32Const(-1), I::I32Eq, I::If(BlockType::Empty)]);
        self.put(&end_with(GROWTH_FAILED));
        self.put(&[I::LocalGet(scratch)]);
    }
}
