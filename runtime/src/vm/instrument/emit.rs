//! A function with its charges and its frame written in.

use super::anchor::Anchor;
use super::plan::{Charge, Plan};
use super::store::{self, Noted};
use super::{Added, GROWTH_DENIED, GROWTH_FAILED, InstrumentError, failed};
use crate::vm::price;
use wasm_encoder::reencode::Reencode;
use wasm_encoder::{BlockType, Function, Instruction as I, ValType};
use wasmparser::{FuncType, FunctionBody, Operator as Op};

/// A function with its charges, its frame taken at the entry and given back at its one exit.
pub(super) fn emit(
    body: &FunctionBody<'_>,
    plan: &Plan,
    ty: &FuncType,
    added: Added,
) -> Result<Function, InstrumentError> {
    let mut again = added.functions;
    let mut locals = vec![];
    let mut own = ty.params().len() as u32;
    for group in body.get_locals_reader().map_err(failed)? {
        let (count, ty) = group.map_err(failed)?;
        own += count;
        locals.push((count, again.val_type(ty).map_err(failed)?));
    }
    let mut writer = Writer::new(locals, own, plan, added);
    writer.enter();
    let mut charges = plan.charges.iter().peekable();
    if let Some(entry) = charges.next_if(|charge| charge.after == 0) {
        writer.charge(entry);
    }
    let mut anchors = plan.anchors.iter().peekable();
    while let Some(anchor) = anchors.next_if(|anchor| anchor.after == 0) {
        writer.note_anchor(anchor);
    }
    let result = match ty.results() {
        [] => BlockType::Empty,
        [one] => BlockType::Result(again.val_type(*one).map_err(failed)?),
        _ => return Err(failed("several results")),
    };
    // The body becomes a block, so that every way out of it passes the place where the frame is given back.
    let is_wrapped = writer.has_end();
    if is_wrapped {
        writer.put(&[I::Block(result)]);
    }
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
            Op::Return if is_wrapped => writer.put(&[I::Br(depth)]),
            Op::End if count == plan.operators && is_wrapped => {
                writer.put(&[I::End]);
                writer.leave();
                writer.put(&[I::End]);
            }
            Op::MemoryGrow { .. } => writer.grow(&same),
            Op::MemoryCopy { .. } | Op::MemoryFill { .. } => writer.bulk(&same),
            Op::Call { function_index } if *function_index < added.functions.imported => {
                writer.call_host(*function_index)
            }
            Op::Call { .. } | Op::CallIndirect { .. } => writer.call(&same),
            _ => {
                if let Some(noted) = writer.noted.filter(|_| !plan.anchored.contains(&count)) {
                    writer.put(&store::before_store(&operator, noted));
                }
                writer.put(&[same]);
                while let Some(anchor) = anchors.next_if(|anchor| anchor.after == count) {
                    writer.note_anchor(anchor);
                }
            }
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
    /// The local that holds what stands in the gas global, so that a loop need not read it.
    gas: Option<u32>,
    /// Slots of the frame and the local that holds what is left below it.
    frame: Option<(u32, u32)>,
    noted: Option<Noted>,
}

impl Writer {
    fn new(mut locals: Vec<(u32, ValType)>, own: u32, plan: &Plan, added: Added) -> Writer {
        let mut next = own;
        let mut local = |ty| {
            locals.push((1, ty));
            next += 1;
            next - 1
        };
        let scratch = local(ValType::I32);
        let frame = plan.frame.map(|slots| (slots, local(ValType::I32)));
        let gas = plan.keeps_gas.then(|| local(ValType::I64));
        let noted = (added.pages.is_some() && plan.stores > 0).then(|| Noted {
            wide: local(ValType::I64),
            bits: local(ValType::I64),
            page: local(ValType::I64),
            narrow: local(ValType::I32),
            page_shift: added.page_shift,
        });
        Writer { function: Function::new(locals), added, scratch, gas, frame, noted }
    }

    fn put(&mut self, instructions: &[I<'_>]) {
        for instruction in instructions {
            self.function.instruction(instruction);
        }
    }

    /// Whether something is done at the function's end.
    fn has_end(&self) -> bool {
        self.frame.is_some() || self.noted.is_some()
    }

    fn enter(&mut self) {
        if let Some((slots, below)) = self.frame {
            let stack = self.added.stack;
            self.put(&[I::GlobalGet(stack), I::I32Const(slots as i32), I::I32Sub]);
            self.put(&[I::LocalTee(below), I::GlobalSet(stack), I::LocalGet(below)]);
            self.put(&[I::I32Const(0), I::I32LtS, I::If(BlockType::Empty), I::Unreachable, I::End]);
        }
        self.read_gas();
    }

    fn leave(&mut self) {
        if let (Some(noted), Some(pages)) = (self.noted, self.added.pages) {
            self.put(&[I::GlobalGet(pages), I::LocalGet(noted.bits), I::I64Or, I::GlobalSet(pages)]);
        }
        if let Some((slots, below)) = self.frame {
            let stack = self.added.stack;
            self.put(&[I::LocalGet(below), I::I32Const(slots as i32), I::I32Add, I::GlobalSet(stack)]);
        }
    }

    /// Reads the gas that is left into its local.
    fn read_gas(&mut self) {
        if let Some(local) = self.gas {
            self.put(&[I::GlobalGet(self.added.gas), I::LocalSet(local)]);
        }
    }

    fn push_gas(&mut self) {
        let push = self.gas.map_or(I::GlobalGet(self.added.gas), I::LocalGet);
        self.put(&[push]);
    }

    /// Sets the gas that is left. The global always knows: a trap may come at any time.
    fn set_gas(&mut self) {
        if let Some(local) = self.gas {
            self.put(&[I::LocalTee(local)]);
        }
        self.put(&[I::GlobalSet(self.added.gas)]);
    }

    fn charge(&mut self, charge: &Charge) {
        if charge.gas > 0 {
            self.push_gas();
            self.put(&[I::I64Const(charge.gas as i64), I::I64Sub]);
            self.set_gas();
        }
        if charge.ask {
            self.stop_when_used_up();
        }
    }

    fn stop_when_used_up(&mut self) {
        self.push_gas();
        self.put(&[I::I64Const(0), I::I64LtS, I::If(BlockType::Empty), I::Unreachable, I::End]);
    }

    fn note_anchor(&mut self, anchor: &Anchor) {
        if let Some(noted) = self.noted {
            self.put(&store::at_anchor(anchor, noted));
        }
    }

    fn call_host(&mut self, function: u32) {
        self.push_gas();
        self.put(&[I::Call(function)]);
        self.set_gas();
    }

    fn call(&mut self, instruction: &I<'_>) {
        self.put(std::slice::from_ref(instruction));
        self.read_gas();
    }

    /// Charges what the scratch local says, times a factor, shifted right.
    fn charge_by_size(&mut self, factor: i64, shift: i64) {
        self.push_gas();
        self.put(&[I::LocalGet(self.scratch), I::I64ExtendI32U]);
        self.put(&[I::I64Const(factor), I::I64Mul, I::I64Const(shift), I::I64ShrU, I::I64Sub]);
        self.set_gas();
        self.stop_when_used_up();
    }

    /// `memory.copy` or `memory.fill`, with the length on top of the stack.
    fn bulk(&mut self, instruction: &I<'_>) {
        self.put(&[I::LocalSet(self.scratch)]);
        self.charge_by_size(1, price::BULK_SHIFT);
        if let Some(noted) = self.noted {
            let code = store::before_bulk(noted, self.scratch);
            self.put(&code);
        }
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
        self.charge_by_size(price::PAGE as i64, 0);
        self.put(&[I::LocalGet(scratch), instruction.clone(), I::LocalTee(scratch)]);
        self.put(&[I::I32Const(-1), I::I32Eq, I::If(BlockType::Empty)]);
        self.put(&end_with(GROWTH_FAILED));
        self.put(&[I::LocalGet(scratch)]);
    }
}
