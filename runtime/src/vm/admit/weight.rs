//! What compiling a function takes, weighed from its operators before anything is compiled.
//!
//! A compiler's work does not follow the size of the code. At every place where ways meet it decides for each local
//! which value it has; the branches back to loops, and what loops carry from turn to turn, it compares with each other.
//! So branches weigh with the locals that they carry, and some of the counts weigh squared. A unit is about as
//! much as a microsecond of a processor, the worst known form of each count taken.

use crate::vm::access;
use crate::vm::limit::{LIMITS, WEIGHTS};
use wasmparser::Operator;

/// What is counted of a function for its weight.
#[derive(Default)]
pub(super) struct Work {
    /// Whether each open label is a loop's.
    labels: Vec<bool>,
    operators: u64,
    /// Ways to places where ways meet, the ones that are added for the gas of loops and of bulk operators included.
    branches: u64,
    /// Of those, the ones back to a loop.
    back: u64,
    loops: u64,
    accesses: u64,
    calls: u64,
    /// Calls through the table.
    indirect: u64,
    /// Operators that become calls of the engine with checks around: growing, copying, filling.
    bulk: u64,
}

impl Work {
    pub(super) fn see(&mut self, operator: &Operator<'_>) {
        use Operator as O;
        self.operators += 1;
        match operator {
            O::Loop { .. } => {
                self.labels.push(true);
                (self.loops, self.branches) = (self.loops + 1, self.branches + 3);
            }
            O::Block { .. } | O::If { .. } => {
                self.labels.push(false);
                self.branches += 2;
            }
            O::End => drop(self.labels.pop()),
            O::Br { relative_depth } | O::BrIf { relative_depth } => self.branch(*relative_depth),
            O::BrTable { targets } => {
                targets.targets().flatten().for_each(|depth| self.branch(depth));
                self.branch(targets.default());
            }
            O::Return => self.branches += 1,
            O::Call { .. } => self.calls += 1,
            O::CallIndirect { .. } => (self.indirect, self.branches) = (self.indirect + 1, self.branches + 1),
            O::MemoryGrow { .. } | O::MemoryCopy { .. } | O::MemoryFill { .. } => {
                (self.bulk, self.branches) = (self.bulk + 1, self.branches + 1);
            }
            _ if access::of(operator).is_some() => self.accesses += 1,
            _ => {}
        }
    }

    fn branch(&mut self, depth: u32) {
        self.branches += 1;
        let place = self.labels.len().checked_sub(1 + depth as usize);
        self.back += u64::from(place.and_then(|place| self.labels.get(place)).is_some_and(|label| *label));
    }

    /// The weight, and what most of it comes from.
    pub(super) fn weigh(&self, locals: u64) -> (u64, String) {
        let w = WEIGHTS;
        let Work { operators, branches, back, loops, accesses, calls, indirect, bulk, .. } = *self;
        // With more locals it is refused for them.
        let locals = locals.min(LIMITS.locals.into());
        let squared = |count: u64, divisor: u32| count.saturating_mul(count) / u64::from(divisor);
        let of_bulk = match bulk {
            0 => String::new(),
            bulk => format!(", {bulk} of them of growing, copying and filling memory"),
        };
        let carried = (branches + 1).saturating_mul(u64::from(w.branch) + locals);
        let parts = [
            (
                carried.saturating_add(squared(branches, w.branches_squared)),
                format!("{branches} branches over {locals} locals{of_bulk}"),
            ),
            (
                squared(back, w.back_squared).saturating_mul(u64::from(w.back_base) + locals),
                format!("{back} branches back to loops over {locals} locals, which weigh squared"),
            ),
            (
                squared(loops.saturating_mul(locals), w.loop_locals_squared),
                format!("{loops} loops with {locals} locals, which weigh squared"),
            ),
            (
                (indirect.saturating_mul(w.indirect.into()))
                    .saturating_add(squared(indirect, w.indirect_squared)),
                format!("{indirect} calls through the table"),
            ),
            (bulk.saturating_mul(w.bulk.into()), format!("{bulk} times growing, copying and filling memory")),
            (calls.saturating_mul(w.call.into()), format!("{calls} calls")),
            (accesses.saturating_mul(w.access.into()), format!("{accesses} loads and stores")),
            (operators / u64::from(w.operators), format!("{operators} operators")),
        ];
        let weight = parts.iter().fold(0u64, |sum, (weight, _)| sum.saturating_add(*weight));
        let most = parts.into_iter().max_by_key(|(weight, _)| *weight).map(|(_, of)| of);
        (weight, most.unwrap_or_default())
    }
}
