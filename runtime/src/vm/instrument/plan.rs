//! Where a function is charged, how large its frame is and what it does, found in one pass over its validated
//! body.

use super::anchor::{Anchor, Anchors};
use super::{InstrumentError, failed};
use crate::vm::price;
use std::collections::BTreeSet;
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
/// A frame of at most this many slots is not counted in a function that calls none of the module: there is one
/// of them at a time, at the very end of the stack.
const LEAF_SLOTS: u32 = 256;
/// A function without calls and loops that costs at most this much does not ask whether gas is left: whoever
/// calls it in a loop asks.
const SMALL_LEAF_GAS: u64 = 64;

/// Where a function is charged, how large its frame is, and what it does.
pub(super) struct Plan {
    /// In the order of their places.
    pub(super) charges: Vec<Charge>,
    /// Slots of value stack; none where they need not be counted.
    pub(super) frame: Option<u32>,
    /// Whether it is worth keeping the gas that is left in a local: it loops, and calls nothing meanwhile.
    pub(super) keeps_gas: bool,
    /// Operators that write to memory.
    pub(super) stores: u32,
    /// Of those, the ones that stand in a loop.
    pub(super) stores_in_loops: u32,
    /// Locals through which it writes at several places, in the order in which they get their values.
    pub(super) anchors: Vec<Anchor>,
    /// Numbers, from 1, of the stores that need not be noted for it.
    pub(super) anchored: BTreeSet<u32>,
    /// Operators of the body, the last `end` included.
    pub(super) operators: u32,
    /// Whether it asks for more memory.
    pub(super) grows: bool,
}

impl Plan {
    /// Charges for loads, once it is known how much memory the module may come to have.
    pub(super) fn price_loads(&mut self, load: u64) {
        for charge in &mut self.charges {
            charge.gas += load * u64::from(charge.loads);
        }
    }
}

/// What a basic block costs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Charge {
    /// Operators before it: charged after that many.
    pub(super) after: u32,
    /// Gas; of all but its loads until [`Plan::price_loads`].
    pub(super) gas: u64,
    /// Operators that read memory.
    pub(super) loads: u32,
    /// Whether to ask there if any gas is left.
    pub(super) ask: bool,
}

/// An open block, loop or if.
struct Label {
    is_loop: bool,
    is_if: bool,
    targeted: bool,
}

/// What was seen of a body so far.
#[derive(Default)]
struct Seen {
    labels: Vec<Label>,
    loops: u32,
    loops_open: u32,
    calls_in_loops: u32,
    calls_own: u32,
    stores: u32,
    stores_in_loops: u32,
    grows: bool,
}

/// Plans a function; `imported` functions have the first numbers.
pub(super) fn plan(
    body: &FunctionBody<'_>,
    checked: &mut FuncValidator<ValidatorResources>,
    params: u32,
    imported: u32,
) -> Result<Plan, InstrumentError> {
    let mut reader = body.get_binary_reader();
    checked.read_locals(&mut reader).map_err(failed)?;
    let mut locals = params;
    for group in body.get_locals_reader().map_err(failed)? {
        locals = locals.saturating_add(group.map_err(failed)?.0);
    }
    let mut anchors = Anchors::default();
    let mut seen = Seen { labels: vec![Label::new(false, false)], ..Seen::default() };
    let mut charges = vec![];
    let mut block = Charge { after: 0, gas: price::entry(locals), loads: 0, ask: true };
    let (mut height, mut count) = (0, 0u32);
    let mut operators = body.get_operators_reader().map_err(failed)?;
    while !operators.eof() {
        let (operator, offset) = operators.read_with_offset().map_err(failed)?;
        let before = checked.operand_stack_height();
        checked.op(offset, &operator).map_err(failed)?;
        height = height.max(checked.operand_stack_height());
        block.gas += price::operator(&operator);
        block.loads += u32::from(price::is_load(&operator));
        count += 1;
        anchors.see(count, &operator, before, checked.operand_stack_height());
        seen.count(&operator, imported);
        if seen.ends_block(&operator)? {
            charges.push(block);
            block = Charge { after: count, gas: 0, loads: 0, ask: matches!(operator, Op::Loop { .. }) };
        }
    }
    operators.finish().map_err(failed)?;
    charges.push(block);
    let all: u64 = charges.iter().map(|charge| charge.gas + u64::from(charge.loads)).sum();
    let is_leaf = seen.calls_own == 0;
    if let Some(entry) = charges.first_mut().filter(|_| is_leaf && seen.loops == 0 && all <= SMALL_LEAF_GAS) {
        entry.ask = false;
    }
    charges.retain(|charge| charge.gas > 0 || charge.loads > 0 || charge.ask);
    let (anchors, anchored) = anchors.found(params);
    let frame = FRAME_SLOTS + locals + height + count / FRAME_OPERATORS_PER_SLOT;
    Ok(Plan {
        charges,
        frame: (!is_leaf || frame > LEAF_SLOTS).then_some(frame),
        keeps_gas: seen.loops > 0 && seen.calls_in_loops == 0,
        stores: seen.stores,
        stores_in_loops: seen.stores_in_loops,
        anchors,
        anchored,
        operators: count,
        grows: seen.grows,
    })
}

impl Label {
    fn new(is_loop: bool, is_if: bool) -> Label {
        Label { is_loop, is_if, targeted: false }
    }
}

impl Seen {
    fn count(&mut self, operator: &Op<'_>, imported: u32) {
        let in_loop = u32::from(self.loops_open > 0);
        if super::store::is_store(operator) {
            self.stores += 1;
            self.stores_in_loops += in_loop;
        }
        match operator {
            Op::Call { function_index } => {
                self.calls_own += u32::from(*function_index >= imported);
                self.calls_in_loops += in_loop;
            }
            Op::CallIndirect { .. } => {
                self.calls_own += 1;
                self.calls_in_loops += in_loop;
            }
            Op::Loop { .. } => {
                self.loops += 1;
                self.loops_open += 1;
            }
            Op::MemoryGrow { .. } => self.grows = true,
            _ => {}
        }
    }

    fn target(&mut self, depth: u32) -> Result<(), InstrumentError> {
        let place = self.labels.len().checked_sub(1 + depth as usize);
        let label = place.and_then(|place| self.labels.get_mut(place));
        label.ok_or_else(|| failed("a branch to nowhere"))?.targeted = true;
        Ok(())
    }

    /// Whether another basic block begins after an operator.
    fn ends_block(&mut self, operator: &Op<'_>) -> Result<bool, InstrumentError> {
        match operator {
            Op::Block { .. } => self.labels.push(Label::new(false, false)),
            Op::Loop { .. } => self.labels.push(Label::new(true, false)),
            Op::If { .. } => self.labels.push(Label::new(false, true)),
            Op::End => {
                let closed = self.labels.pop().ok_or_else(|| failed("an end without a beginning"))?;
                self.loops_open -= u32::from(closed.is_loop);
                return Ok(closed.is_if || (!closed.is_loop && closed.targeted));
            }
            Op::Br { relative_depth } | Op::BrIf { relative_depth } => self.target(*relative_depth)?,
            Op::BrTable { targets } => {
                for depth in targets.targets() {
                    self.target(depth.map_err(failed)?)?;
                }
                self.target(targets.default())?;
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
}
