//! Which operators of a module read its memory and which write to it, told once for prices, weights and what is noted.

use wasmparser::Operator;

/// How an operator of one value uses memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Access {
    /// It reads.
    Load,
    /// It writes: whether an i64, and how far behind its address, in bytes.
    Store {
        /// Whether the value is an i64.
        is_wide: bool,
        /// Bytes behind the address.
        offset: u64,
    },
}

/// How an operator uses memory; none where it does not, or as many bytes as it is told (copying, filling).
pub(super) fn of(operator: &Operator<'_>) -> Option<Access> {
    use Operator as O;
    match operator {
        O::I32Load { .. }
        | O::I32Load8S { .. }
        | O::I32Load8U { .. }
        | O::I32Load16S { .. }
        | O::I32Load16U { .. }
        | O::I64Load { .. }
        | O::I64Load8S { .. }
        | O::I64Load8U { .. }
        | O::I64Load16S { .. }
        | O::I64Load16U { .. }
        | O::I64Load32S { .. }
        | O::I64Load32U { .. } => Some(Access::Load),
        O::I32Store { memarg } | O::I32Store8 { memarg } | O::I32Store16 { memarg } => {
            Some(Access::Store { is_wide: false, offset: memarg.offset })
        }
        O::I64Store { memarg }
        | O::I64Store8 { memarg }
        | O::I64Store16 { memarg }
        | O::I64Store32 { memarg } => Some(Access::Store { is_wide: true, offset: memarg.offset }),
        _ => None,
    }
}
