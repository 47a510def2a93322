//! Which pages a function writes to, noted as it writes: 64 bits, one for each 64th of the memory that the module begins
//! with, in powers of two. An instance whose memory grows is not used again.
//!
//! A function collects its bits in a local and adds them to a global on its way out. One that traps does not
//! get there, but then its instance is not used again. A store of up to 8 bytes may reach 7 bytes into the next
//! page, which the host puts back with each page.

use super::anchor::Anchor;
use crate::vm::access::{self, Access};
use wasm_encoder::Instruction as I;
use wasmparser::Operator as Op;

/// Bytes of a page, as a shift, in a memory that begins with so many bytes.
pub(crate) fn page_shift(memory_bytes: u64) -> u32 {
    memory_bytes.div_ceil(64).next_power_of_two().trailing_zeros()
}

/// Locals of a function that notes its writes: a value of 64 bits, the bits, a page; and an i32. What a page is.
#[derive(Clone, Copy)]
pub(super) struct Noted {
    pub(super) wide: u32,
    pub(super) bits: u32,
    pub(super) page: u32,
    pub(super) narrow: u32,
    pub(super) page_shift: u32,
}

/// Whether an operator writes to memory.
pub(super) fn is_store(operator: &Op<'_>) -> bool {
    matches!(access::of(operator), Some(Access::Store { .. }))
        || matches!(operator, Op::MemoryCopy { .. } | Op::MemoryFill { .. })
}

/// What stands in front of a store, with address and value on the stack, and leaves them there.
pub(super) fn before_store(operator: &Op<'_>, noted: Noted) -> Vec<I<'static>> {
    let Some(Access::Store { is_wide, offset }) = access::of(operator) else { return vec![] };
    let Noted { wide, bits, page, narrow, page_shift } = noted;
    let (mut code, value) = if is_wide {
        (vec![I::LocalSet(wide), I::LocalTee(narrow), I::LocalGet(narrow), I::I64ExtendI32U], wide)
    } else {
        (
            vec![I::LocalSet(narrow), I::I64ExtendI32U, I::LocalTee(wide), I::I32WrapI64, I::LocalGet(wide)],
            narrow,
        )
    };
    if offset > 0 {
        code.extend([I::I64Const(offset as i64), I::I64Add]);
    }
    code.extend([I::I64Const(page_shift.into()), I::I64ShrU, I::LocalSet(page)]);
    code.extend([
        I::I64Const(1),
        I::LocalGet(page),
        I::I64Shl,
        I::LocalGet(bits),
        I::I64Or,
        I::LocalSet(bits),
    ]);
    code.push(I::LocalGet(value));
    code
}

/// What stands where an anchor has its value: the bits of the first and of the last page that is written to through it.
pub(super) fn at_anchor(anchor: &Anchor, noted: Noted) -> Vec<I<'static>> {
    let Noted { bits, page_shift, .. } = noted;
    let mut code = vec![];
    for offset in [anchor.low, anchor.high - 1] {
        code.extend([I::I64Const(1), I::LocalGet(anchor.local), I::I64ExtendI32U]);
        code.extend([
            I::I64Const(offset as i64),
            I::I64Add,
            I::I64Const(page_shift.into()),
            I::I64ShrU,
            I::I64Shl,
        ]);
        code.extend([I::LocalGet(bits), I::I64Or, I::LocalSet(bits)]);
    }
    code
}

/// What stands in front of `memory.copy` and `memory.fill`, with destination and second operand on the stack and
/// the length in a local, and leaves the two there: the bits from the first page to the last, or all.
pub(super) fn before_bulk(noted: Noted, length: u32) -> Vec<I<'static>> {
    let Noted { wide, bits, page, narrow, page_shift } = noted;
    let shift = I::I64Const(page_shift.into());
    vec![
        I::LocalSet(narrow),
        I::I64ExtendI32U,
        I::LocalTee(page),
        I::I32WrapI64,
        // The last page less the first.
        I::LocalGet(page),
        I::LocalGet(length),
        I::I64ExtendI32U,
        I::I64Add,
        I::LocalGet(length),
        I::I32Const(0),
        I::I32Ne,
        I::I64ExtendI32U,
        I::I64Sub,
        shift.clone(),
        I::I64ShrU,
        I::LocalGet(page),
        shift,
        I::I64ShrU,
        I::LocalTee(page),
        I::I64Sub,
        I::LocalSet(wide),
        I::I64Const(2),
        I::LocalGet(wide),
        I::I64Shl,
        I::I64Const(1),
        I::I64Sub,
        I::LocalGet(page),
        I::I64Rotl,
        I::I64Const(-1),
        I::LocalGet(wide),
        I::I64Const(63),
        I::I64LtU,
        I::Select,
        I::LocalGet(bits),
        I::I64Or,
        I::LocalSet(bits),
        I::LocalGet(narrow),
    ]
}
