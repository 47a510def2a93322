//! The price table, version 1: gas of each class of operator and of what they do by size.
//!
//! Host functions are priced in the table of host functions.

use wasmparser::Operator;

/// Version of the table.
pub const VERSION: u16 = 1;
/// Gas of a page of grown memory.
pub const PAGE: i64 = 4096;
/// Bytes that a bulk operation moves for one gas, as a shift.
pub const BULK_SHIFT: i64 = 3;
/// Gas of calling a module at all: a clean instance.
pub const INSTANCE: u64 = 2_000;
/// Gas of a page of memory that a module begins with: clean for each call, whether or not it is touched.
pub const PAGE_AT_START: u64 = 2_000;
/// Bytes of data segments, and elements of element segments, that are put in place for one gas, as shifts.
const DATA_SHIFT: u64 = 4;
const ELEMENT_SHIFT: u64 = 1;

/// Gas of beginning a call of a module.
pub fn start(pages: u64, data_bytes: u64, elements: u64) -> u64 {
    INSTANCE + PAGE_AT_START * pages + (data_bytes >> DATA_SHIFT) + (elements >> ELEMENT_SHIFT)
}

/// Gas of entering a function: its locals are set to zero.
pub fn entry(locals: u32) -> u64 {
    1 + u64::from(locals) / 8
}

/// Gas of one operator.
pub fn operator(op: &Operator<'_>) -> u64 {
    use Operator as O;
    match op {
        O::Nop | O::Block { .. } | O::Loop { .. } | O::End | O::Else | O::Unreachable | O::Drop => 0,
        O::I32DivS | O::I32DivU | O::I32RemS | O::I32RemU => 6,
        O::I64DivS | O::I64DivU | O::I64RemS | O::I64RemU => 10,
        O::I32Mul | O::I64Mul => 2,
        O::Call { .. } => 6,
        O::CallIndirect { .. } => 10,
        O::BrTable { targets } => 3 + u64::from(targets.len()) / 16,
        O::MemoryGrow { .. } => 200,
        O::MemoryCopy { .. } | O::MemoryFill { .. } => 20,
        _ => 1,
    }
}

/// The table as text, for its hash.
pub fn text() -> String {
    let host: Vec<String> =
        tenor_abi::host::TABLE.iter().map(|f| format!("{}={}+{}", f.name, f.gas, f.gas_per_byte)).collect();
    format!(
        "v{VERSION} nop=0 div32=6 div64=10 mul=2 call=6 indirect=10 br_table=3+n/16 grow=200+{PAGE}/page bulk=20+n>>{BULK_SHIFT} \
         other=1 locals=n/8 instance={INSTANCE}+{PAGE_AT_START}/page+data>>{DATA_SHIFT}+elements>>{ELEMENT_SHIFT} {}",
        host.join(" ")
    )
}
