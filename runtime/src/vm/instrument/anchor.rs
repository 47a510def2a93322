//! Anchors: locals that keep one value, through which a function writes at several fixed offsets.
//!
//! A frame of the contract's own stack, a record that is filled: what lies between the lowest and the highest offset is
//! noted once, where the local gets its value, instead of at each store. Noting what is not written in the end only
//! puts back a little more.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use wasmparser::Operator as Op;

/// The widest span of an anchor: no page is smaller, so it lies in two pages at most.
const SPAN_BYTES_MAX: u64 = 1024;

/// Anchors of a function, those with the most stores: each is noted when the function is entered, whether its stores are
/// reached or not, so that work must not grow with the number of locals.
const ANCHORS_MAX: usize = 4;

/// A local and what is written through it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Anchor {
    /// It has its value after that many operators; a parameter at the beginning.
    pub(super) after: u32,
    pub(super) local: u32,
    /// The lowest offset.
    pub(super) low: u64,
    /// The offset behind the highest byte.
    pub(super) high: u64,
}

/// A store through a local.
struct Through {
    operator: u32,
    local: u32,
    low: u64,
    high: u64,
}

/// What was seen of a body so far.
#[derive(Default)]
pub(super) struct Anchors {
    /// Where each operand comes from, when that is a local.
    operands: Vec<Option<u32>>,
    /// How often each local is set.
    set: BTreeMap<u32, u32>,
    /// Where a local is set before the first branch or call.
    set_early: BTreeMap<u32, u32>,
    is_late: bool,
    stores: Vec<Through>,
}

/// Offset and bytes of a store.
pub(super) fn store(operator: &Op<'_>) -> Option<(u64, u64)> {
    match operator {
        Op::I32Store8 { memarg } | Op::I64Store8 { memarg } => Some((memarg.offset, 1)),
        Op::I32Store16 { memarg } | Op::I64Store16 { memarg } => Some((memarg.offset, 2)),
        Op::I32Store { memarg } | Op::I64Store32 { memarg } => Some((memarg.offset, 4)),
        Op::I64Store { memarg } => Some((memarg.offset, 8)),
        _ => None,
    }
}

/// Whether an operator takes operands and leaves one, and does nothing else to the operands below.
fn is_plain(operator: &Op<'_>) -> bool {
    !matches!(
        operator,
        Op::Block { .. }
            | Op::Loop { .. }
            | Op::If { .. }
            | Op::Else
            | Op::End
            | Op::Br { .. }
            | Op::BrIf { .. }
            | Op::BrTable { .. }
            | Op::Return
            | Op::Unreachable
            | Op::Call { .. }
            | Op::CallIndirect { .. }
            | Op::Nop
            | Op::MemoryCopy { .. }
            | Op::MemoryFill { .. }
            | Op::MemoryInit { .. }
            | Op::DataDrop { .. }
            | Op::TableSet { .. }
            | Op::TableCopy { .. }
            | Op::TableInit { .. }
            | Op::TableFill { .. }
            | Op::ElemDrop { .. }
    )
}

impl Anchors {
    /// Sees the operator of a number, from 1, and the heights of the operand stack before and after it.
    pub(super) fn see(&mut self, number: u32, operator: &Op<'_>, before: u32, after: u32) {
        let (before, after) = (before as usize, after as usize);
        if !is_plain(operator) {
            self.operands.clear();
            self.is_late |= !matches!(operator, Op::Nop);
        }
        self.operands.resize(before, None);
        let address = before.checked_sub(2).and_then(|place| self.operands.get(place).copied().flatten());
        if let (Some((offset, bytes)), Some(local)) = (store(operator), address) {
            self.stores.push(Through { operator: number, local, low: offset, high: offset + bytes });
        }
        if let Op::LocalSet { local_index } | Op::LocalTee { local_index } = operator {
            // What was taken from it before is another value.
            self.operands
                .iter_mut()
                .filter(|from| **from == Some(*local_index))
                .for_each(|from| *from = None);
            *self.set.entry(*local_index).or_default() += 1;
            if !self.is_late {
                self.set_early.insert(*local_index, number);
            }
        }
        let leaves_one = store(operator).is_none()
            && !matches!(operator, Op::LocalSet { .. } | Op::GlobalSet { .. } | Op::Drop);
        self.operands.truncate(after.saturating_sub(usize::from(leaves_one)).min(before));
        if let Op::LocalGet { local_index } = operator {
            self.operands.push(Some(*local_index));
        }
        self.operands.resize(after, None);
    }

    /// The anchors in the order of their places, and the stores that they stand for.
    pub(super) fn found(self, params: u32) -> (Vec<Anchor>, BTreeSet<u32>) {
        let Anchors { set, set_early, stores, .. } = self;
        let known_after = |local: u32| match set.get(&local) {
            None if local < params => Some(0),
            Some(1) if local >= params => set_early.get(&local).copied(),
            _ => None,
        };
        let mut by_local: BTreeMap<u32, Vec<&Through>> = BTreeMap::new();
        for store in &stores {
            if known_after(store.local).is_some_and(|after| store.operator > after) {
                by_local.entry(store.local).or_default().push(store);
            }
        }
        let mut found: Vec<(Anchor, Vec<&Through>)> = vec![];
        for (local, stores) in by_local {
            let low = stores.iter().map(|store| store.low).min().unwrap_or(0);
            let high = stores.iter().map(|store| store.high).max().unwrap_or(0);
            if let Some(after) =
                known_after(local).filter(|_| stores.len() > 1 && high - low <= SPAN_BYTES_MAX)
            {
                found.push((Anchor { after, local, low, high }, stores));
            }
        }
        found.sort_by_key(|(_, stores)| Reverse(stores.len()));
        found.truncate(ANCHORS_MAX);
        found.sort_by_key(|(anchor, _)| anchor.after);
        let covered =
            found.iter().flat_map(|(_, stores)| stores.iter().map(|store| store.operator)).collect();
        (found.iter().map(|(anchor, _)| *anchor).collect(), covered)
    }
}
