//! The price table, version 6: gas of each class of operator and of what they do by size.
//!
//! Host functions are priced in the table of host functions.

use super::access::{self, Access};
use wasmparser::Operator;

/// Version of the table.
pub const VERSION: u16 = 6;
/// Gas of a page of memory that the system gives and takes back for each call: one that was grown, or one of many that a
/// module begins with. Touching it is what takes long.
pub const PAGE: u64 = 52_000;
/// Gas of a bulk operation, however little it moves: it leaves the module's code.
const BULK: u64 = 100;
/// Bytes that a bulk operation moves for one gas, as a shift.
pub const BULK_SHIFT: i64 = 2;
/// Gas of calling a module at all: a clean instance.
pub const INSTANCE: u64 = 2_000;
/// Gas of a page that a module begins with, of the first ones: clean for each call, whether or not it is touched.
pub const PAGE_AT_START: u64 = 2_000;
/// How many these are: they stay with the engine and are cleared by writing.
const PAGES_AT_START: u64 = 2;
/// Gas of loading a module, and of each of its bytes.
const MODULE: u64 = 200_000;
const MODULE_BYTE: u64 = 8;
/// Modules that an item calls without paying for loading them, and that it finds loaded when it comes back to them.
pub const ITEM_MODULES: usize = 8;
/// Bytes of modules that a block finds loaded when it comes back to them, and what each counts for besides its own. An
/// engine holds as many at least: compiled, a module takes up to six and a half times as much.
pub const MODULES_HELD: u64 = 16 * 1024 * 1024;
pub const MODULE_HELD: u64 = 16 * 1024;
/// Gas of each deleted row that looking for a storage key passes over, besides the bytes of the value that it had.
pub const PASSED: u64 = 500;
/// Gas of reading memory that lies in the nearest cache.
const LOAD: u64 = 6;
/// Gas of writing memory: where it is noted, that is code besides, and a load of what was just written across two lines waits.
const STORE: u64 = 4;
/// Bytes of data segments, and elements of element segments, that are put in place for one gas, as shifts.
const DATA_SHIFT: u64 = 4;
const ELEMENT_SHIFT: u64 = 1;

/// Gas of beginning a call of a module.
pub fn start(pages: u64, data_bytes: u64, elements: u64) -> u64 {
    let first = pages.min(PAGES_AT_START);
    let memory = PAGE_AT_START * first + PAGE * (pages - first);
    INSTANCE + memory + (data_bytes >> DATA_SHIFT) + (elements >> ELEMENT_SHIFT)
}

/// Gas of loading a module of so many bytes: of the room that a block has, for it depends on what else is in the block.
pub fn module(bytes: u32) -> u64 {
    MODULE + MODULE_BYTE * u64::from(bytes)
}

/// Gas that an item pays for each module beyond [`ITEM_MODULES`]: that of the largest, for it is paid before anything of
/// the module is read.
pub fn module_of_item() -> u64 {
    module(super::limit::LIMITS.bytes)
}

/// Gas of reading memory once, in a module that may come to have so many pages: where each load has to wait for the one
/// before it, it takes as long as the nearest cache or memory that holds so much is away.
pub fn load(pages: u64) -> u64 {
    LOAD + pages * 3 / 4
}

/// Whether an operator reads memory: its [`load`] is charged besides.
pub fn is_load(op: &Operator<'_>) -> bool {
    matches!(op, Operator::MemoryCopy { .. }) || access::of(op) == Some(Access::Load)
}

/// Gas of entering a function: its locals are set to zero.
pub fn entry(locals: u32) -> u64 {
    1 + u64::from(locals) / 8
}

/// Gas of one operator, without what reading memory costs.
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
        O::MemoryCopy { .. } | O::MemoryFill { .. } => BULK,
        _ => match access::of(op) {
            Some(Access::Load) => 0,
            Some(Access::Store { .. }) => STORE,
            None => 1,
        },
    }
}

/// The table as text, for its hash.
pub fn text() -> String {
    let host: Vec<String> =
        tenor_abi::host::TABLE.iter().map(|f| format!("{}={}+{}", f.name, f.gas, f.gas_per_byte)).collect();
    format!(
        "v{VERSION} nop=0 div32=6 div64=10 mul=2 call=6 indirect=10 br_table=3+n/16 grow=200+{PAGE}/page bulk={BULK}+n>>{BULK_SHIFT} load={LOAD}+pages*3/4 store={STORE} \
         other=1 locals=n/8 instance={INSTANCE}+{PAGE_AT_START}/page<{PAGES_AT_START}+{PAGE}/page+data>>{DATA_SHIFT}+elements>>{ELEMENT_SHIFT} passed={PASSED} module={MODULE}+{MODULE_BYTE}/byte>{ITEM_MODULES},{MODULES_HELD}/{MODULE_HELD} {}",
        host.join(" ")
    )
}
