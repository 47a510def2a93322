//! Where a function is charged and how large its frame is, found in one pass over its validated body.

use super::{InstrumentError, failed};
use crate::vm::price;
use wasmparser::{FuncValidator, FunctionBody, Operator as Op, ValidatorResources};

/// Slots that a call takes besides its locals, its operands and what the compiler keeps.
const FRAME_SLOTS: u32 = 8;
/// Operators of a function for one slot more.
///
/// The compiler may keep a value that it computed once and needs again (it merges equal expressions and moves
/// them out of loops), so a native frame grows with the number of operators and not only with locals and
/// operands. A slot stands for 64 bytes of native stack, so this is one spilled value of 8 bytes for each
/// operator, more than there can be.
const FRAME_OPERATORS_PER_SLOT: u32 = 8;

/// Where a function is charged, and how large its frame is.
pub(super) struct Plan {
    /// In the order of their places.
    pub(super) charges: Vec<Charge>,
    /// Slots of value stack.
    pub(super) frame: u32,
    /// Operators of the body, the last `end` included.
    pub(super) operators: u32,
}

/// What a basic block costs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Charge {
    /// Operators before it: charged after that many.
    pub(super) after: u32,
    /// Gas.
    pub(super) gas: u64,
    /// Whether to ask there if any gas is left.
    pub(super) ask: bool,
}

/// An open block, loop or if.
struct Label {
    is_loop: bool,
    is_if: bool,
    targeted: bool,
}

pub(super) fn plan(
    body: &FunctionBody<'_>,
    checked: &mut FuncValidator<ValidatorResources>,
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
    let mut block = Charge { after: 0, gas: price::entry(locals), ask: true };
    let (mut height, mut count) = (0, 0u32);
    let mut operators = body.get_operators_reader().map_err(failed)?;
    while !operators.eof() {
        let (operator, offset) = operators.read_with_offset().map_err(failed)?;
        checked.op(offset, &operator).map_err(failed)?;
        height = height.max(checked.operand_stack_height());
        block.gas += price::operator(&operator);
        count += 1;
        if ends_block(&operator, &mut labels)? {
            charges.push(block);
            block = Charge { after: count, gas: 0, ask: matches!(operator, Op::Loop { .. }) };
        }
    }
    operators.finish().map_err(failed)?;
    charges.push(block);
    charges.retain(|charge| charge.gas > 0 || charge.ask);
    let frame = FRAME_SLOTS + locals + height + count / FRAME_OPERATORS_PER_SLOT;
    Ok(Plan { charges, frame, operators: count })
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
