//! What a module may be. Every limit is here, and the whole is hashed into the chain's parameters.

use serde::Serialize;

/// The limits of a module. Counts unless the name says bytes, pages or slots.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct ModuleLimits {
    /// Version of this table and of the rules around it.
    pub version: u16,
    /// Bytes of the module.
    pub bytes: u32,
    /// Functions, imported ones included.
    pub functions: u32,
    /// Types.
    pub types: u32,
    /// Parameters of a function.
    pub params: u32,
    /// Results of a function.
    pub results: u32,
    /// Locals of a function, parameters included.
    pub locals: u32,
    /// Bytes of a function's body.
    pub body_bytes: u32,
    /// Loops of a function.
    pub loops: u32,
    /// Loops of the module.
    pub loops_all: u32,
    /// Blocks and ifs of a function.
    pub blocks: u32,
    /// Levels of nesting in a function.
    pub nesting: u32,
    /// Targets of a branch table.
    pub branches: u32,
    /// Calls in a function.
    pub calls: u32,
    /// Data segments.
    pub data_segments: u32,
    /// Element segments.
    pub element_segments: u32,
    /// Tables.
    pub tables: u32,
    /// Elements of the table, and of all element segments together.
    pub table: u32,
    /// Globals.
    pub globals: u32,
    /// Exports.
    pub exports: u32,
    /// Bytes of an export's name. A name of our own is made of each call's, and wasm has its limit.
    pub export_name_bytes: u32,
    /// Weight of a function for the compiler.
    pub weight: u32,
    /// Weight of the module's functions together.
    pub weight_all: u32,
    /// What they are weighed by.
    pub weights: Weights,
    /// Pages of memory, of 64 KiB each.
    pub memory_pages: u64,
    /// Value-stack slots that the open calls of one instance may take together.
    pub stack_slots: u32,
}

/// What the work of compiling a function is weighed by. Local machines compile in their own time, so these are rules
/// and not measurements; a unit is about a microsecond.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Weights {
    /// A branch, besides one for each local.
    pub branch: u32,
    /// What the square of the branches is divided by.
    pub branches_squared: u32,
    /// One of those back to loops times one, besides one for each local.
    pub back_base: u32,
    /// What this is divided by.
    pub back_squared: u32,
    /// The same of loops times locals.
    pub loop_locals_squared: u32,
    /// A call through the table.
    pub indirect: u32,
    /// What the square of these calls is divided by.
    pub indirect_squared: u32,
    /// Growing, copying or filling memory.
    pub bulk: u32,
    /// A call.
    pub call: u32,
    /// A load or a store.
    pub access: u32,
    /// Operators that weigh one.
    pub operators: u32,
}

/// The weights in force.
pub const WEIGHTS: Weights = Weights {
    branch: 32,
    branches_squared: 256,
    back_base: 64,
    back_squared: 128,
    loop_locals_squared: 128,
    indirect: 60,
    indirect_squared: 32,
    bulk: 60,
    call: 10,
    access: 8,
    operators: 4,
};

/// The limits in force.
pub const LIMITS: ModuleLimits = ModuleLimits {
    version: 2,
    bytes: 512 * 1024,
    functions: 5_000,
    types: 512,
    params: 16,
    results: 1,
    locals: 256,
    body_bytes: 64 * 1024,
    loops: 64,
    loops_all: 2_000,
    blocks: 512,
    nesting: 60,
    branches: 512,
    calls: 4_000,
    data_segments: 1_000,
    element_segments: 1_000,
    tables: 1,
    table: 10_000,
    globals: 100,
    exports: 200,
    export_name_bytes: 100,
    weight: 1_000_000,
    weight_all: 2_000_000,
    weights: WEIGHTS,
    memory_pages: tenor_abi::limit::MEMORY_PAGES_MAX,
    stack_slots: 16 * 1024,
};
