//! Modules that do one thing many times, for `tenor bench gas`.

use super::points::POINTS;
use crate::words;
use anyhow::Result;
use tenor_abi::host;
use tenor_abi::spec::SECTION;
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, CustomSection, DataSection, EntityType, ExportKind, ExportSection,
    Function, FunctionSection, ImportSection, Instruction as I, MemArg, MemArgTarget, MemorySection,
    MemoryType, Module, RefType, TableSection, TableType, TypeSection, ValType,
};

/// How often the thing stands in the loop.
const UNROLLED: usize = 32;
/// Locals of the function: an i32, an i64, the rounds left.
const NARROW: u32 = 0;
const WIDE: u32 = 1;
const ROUNDS: u32 = 2;

/// A thing to measure.
pub(super) struct Probe {
    /// Its name.
    pub(super) name: &'static str,
    /// Rounds of the loop.
    pub(super) rounds: i32,
    /// Pages of memory.
    pub(super) pages: u64,
    /// What is done before the loop.
    before: Vec<I<'static>>,
    /// What is done again and again, leaving nothing on the stack.
    code: Vec<I<'static>>,
    /// Host functions that are called, by their place.
    hosts: &'static [&'static str],
    /// Slots of a table with nothing in them.
    slots: u64,
    /// Data segments of one byte, one behind the other over the memory.
    segments: u64,
}

fn memory(align: u32) -> MemArg {
    MemArg { offset: 0, align, target: MemArgTarget::Memory(0), ordering: None }
}

fn probe(name: &'static str, code: Vec<I<'static>>) -> Probe {
    Probe { name, rounds: 4_000, pages: 1, before: vec![], code, hosts: &[], slots: 0, segments: 0 }
}

/// `local = local op constant`.
fn narrow(name: &'static str, operator: I<'static>) -> Probe {
    probe(name, vec![I::LocalGet(NARROW), I::I32Const(0x0123_4567), operator, I::LocalSet(NARROW)])
}

fn wide(name: &'static str, operator: I<'static>) -> Probe {
    probe(name, vec![I::LocalGet(WIDE), I::I64Const(0x0123_4567_89ab), operator, I::LocalSet(WIDE)])
}

/// Divides what changes by what the compiler does not know.
fn divide(name: &'static str, is_wide: bool, operator: I<'static>) -> Probe {
    let code = if is_wide {
        vec![I::I64Const(-7), I::LocalGet(WIDE), I::I64Const(3), I::I64Or, operator, I::LocalSet(WIDE)]
    } else {
        vec![I::I32Const(-7), I::LocalGet(NARROW), I::I32Const(3), I::I32Or, operator, I::LocalSet(NARROW)]
    };
    probe(name, code)
}

/// Loads that each wait for the one before, in a ring of one address in each line of 64 bytes, in an order that no prefetcher foresees.
fn ring(name: &'static str, pages: u64) -> Probe {
    let lines = (pages * (64 * 1024) - 1) as i32 & !63;
    let next = [
        I::LocalGet(NARROW),
        I::I32Const(1_664_525),
        I::I32Mul,
        I::I32Const(64 * 1_013_904_223_i32.rem_euclid(1 << 20)),
        I::I32Add,
        I::I32Const(lines),
        I::I32And,
    ];
    let mut before = vec![I::Loop(BlockType::Empty), I::LocalGet(NARROW)];
    before.extend(next);
    before.extend([I::LocalTee(ROUNDS), I::I32Store(memory(2)), I::LocalGet(ROUNDS), I::LocalTee(NARROW)]);
    before.extend([I::BrIf(0), I::End]);
    let mut code = vec![I::LocalGet(NARROW)];
    code.extend(std::iter::repeat_n(I::I32Load(memory(2)), 8));
    code.push(I::LocalSet(NARROW));
    Probe { pages, rounds: 1_500, before, ..probe(name, code) }
}

/// The ring that no cache holds.
const RING: &str = "i32.load in a ring of 16 MiB";

/// Every operator class.
pub(super) fn operators() -> Vec<Probe> {
    vec![
        narrow("i32.add", I::I32Add),
        narrow("i32.mul", I::I32Mul),
        narrow("i32.rotl", I::I32Rotl),
        narrow("i32.shl", I::I32Shl),
        wide("i64.add", I::I64Add),
        wide("i64.mul", I::I64Mul),
        wide("i64.rotl", I::I64Rotl),
        divide("i32.div_u", false, I::I32DivU),
        divide("i32.div_s", false, I::I32DivS),
        divide("i32.rem_s", false, I::I32RemS),
        divide("i64.div_u", true, I::I64DivU),
        divide("i64.div_s", true, I::I64DivS),
        divide("i64.rem_u", true, I::I64RemU),
        divide("i64.rem_s", true, I::I64RemS),
        probe("i32.clz", vec![I::LocalGet(NARROW), I::I32Clz, I::LocalSet(NARROW)]),
        probe("i64.popcnt", vec![I::LocalGet(WIDE), I::I64Popcnt, I::LocalSet(WIDE)]),
        probe("i64.ctz", vec![I::LocalGet(WIDE), I::I64Ctz, I::LocalSet(WIDE)]),
        probe(
            "select",
            vec![I::LocalGet(WIDE), I::I64Const(5), I::LocalGet(NARROW), I::Select, I::LocalSet(WIDE)],
        ),
        probe(
            "i32.load",
            vec![
                I::LocalGet(NARROW),
                I::I32Const(0xff8),
                I::I32And,
                I::I32Load(memory(2)),
                I::LocalSet(NARROW),
            ],
        ),
        probe("i64.store", vec![I::I32Const(64), I::LocalGet(WIDE), I::I64Store(memory(3))]),
        probe(
            "i64.load across two lines, just written",
            vec![
                I::I32Const(4_093),
                I::LocalGet(WIDE),
                I::I64Store(memory(0)),
                I::I32Const(4_092),
                I::I64Load(memory(0)),
                I::LocalSet(WIDE),
            ],
        ),
        ring("i32.load in a ring of 64 KiB", 1),
        ring("i32.load in a ring of 256 KiB", 4),
        ring("i32.load in a ring of 1 MiB", 16),
        ring("i32.load in a ring of 4 MiB", 64),
        ring(RING, 256),
        probe("if", vec![I::LocalGet(NARROW), I::If(BlockType::Empty), I::End]),
        probe(
            "br_table",
            vec![
                I::Block(BlockType::Empty),
                I::Block(BlockType::Empty),
                I::LocalGet(NARROW),
                I::BrTable(vec![0u32, 1].into(), 1),
                I::End,
                I::End,
            ],
        ),
        probe("call", vec![I::Call(1)]),
        Probe {
            rounds: 1,
            pages: 16,
            ..probe(
                "memory.fill, 1 MiB",
                vec![I::I32Const(0), I::I32Const(1), I::I32Const(1 << 20), I::MemoryFill(0)],
            )
        },
        Probe {
            rounds: 200,
            ..probe(
                "memory.fill, 8 B",
                vec![I::I32Const(0), I::I32Const(1), I::I32Const(8), I::MemoryFill(0)],
            )
        },
        Probe {
            rounds: 200,
            ..probe(
                "memory.fill of nothing",
                vec![I::I32Const(0), I::I32Const(1), I::I32Const(0), I::MemoryFill(0)],
            )
        },
        Probe {
            rounds: 200,
            ..probe(
                "memory.copy of nothing",
                vec![
                    I::I32Const(0),
                    I::I32Const(0),
                    I::I32Const(0),
                    I::MemoryCopy { src_mem: 0, dst_mem: 0 },
                ],
            )
        },
        Probe {
            rounds: 1,
            pages: 16,
            ..probe(
                "memory.copy, 512 KiB",
                vec![
                    I::I32Const(0),
                    I::I32Const(1 << 19),
                    I::I32Const(1 << 19),
                    I::MemoryCopy { src_mem: 0, dst_mem: 0 },
                ],
            )
        },
        Probe { rounds: 1, ..probe("memory.grow", vec![I::I32Const(1), I::MemoryGrow(0), I::Drop]) },
        Probe {
            rounds: 0,
            pages: 256,
            before: vec![
                I::Loop(BlockType::Empty),
                I::LocalGet(NARROW),
                I::I64Const(-1),
                I::I64Store(memory(3)),
                I::LocalGet(NARROW),
                I::I32Const(4_096),
                I::I32Add,
                I::LocalTee(NARROW),
                I::I32Const(16 * 1024 * 1024),
                I::I32LtU,
                I::BrIf(0),
                I::End,
            ],
            ..probe("every page of 16 MiB", vec![])
        },
    ]
}

/// Host functions that an empty world answers, with small and with large amounts of bytes.
pub(super) fn host_calls() -> Vec<Probe> {
    let call = |name, hosts: &'static [&'static str], rounds, arguments: &[i32]| {
        let returns =
            hosts.first().and_then(|host| host::by_name(host)).is_some_and(|function| function.returns);
        let mut code: Vec<I<'static>> = arguments.iter().map(|value| I::I32Const(*value)).collect();
        code.push(I::Call(0));
        if returns {
            code.push(I::Drop);
        }
        Probe { rounds, hosts, ..probe(name, code) }
    };
    vec![
        call("arg_len", &["arg_len"], 200, &[]),
        call("arg_read, 300 B", &["arg_read"], 100, &[0, 1_024]),
        call("ret, 1 B", &["ret"], 100, &[0, 1]),
        call("ret, 32 KiB", &["ret"], 5, &[0, 32_768]),
        call("emit, 1 B", &["emit"], 20, &[1, 0, 1]),
        call("emit, 4 KiB", &["emit"], 2, &[1, 0, 4_096]),
        call("storage_get, none", &["storage_get"], 50, &[0, 34, 1_024, 64]),
        call("storage_set, 16 B", &["storage_set"], 20, &[0, 34, 1_024, 16]),
        call("storage_set, 16 KiB", &["storage_set"], 1, &[0, 34, 1_024, 16_384]),
        call("storage_remove", &["storage_remove"], 20, &[0, 34]),
        call("storage_next", &["storage_next"], 20, &[0, 34, 64, 34, 1_024, 64]),
        call("next_due", &["next_due"], 50, &[0, 1_024, 64]),
    ]
}

/// What whole blocks are filled with: each thing as often as a call can do it for its gas.
pub(super) fn of_blocks() -> Vec<Probe> {
    /// Where a call's own bytes are put, and the numbers in a key that make it one that nobody used before.
    const CALL: i32 = 4_096;
    const OF_CALL: i32 = 8;
    const OF_ROUND: i32 = 16;
    let read_call = || {
        vec![
            // The last eight bytes of the call into the key: they differ from call to call.
            I::I32Const(OF_CALL),
            I::I32Const(CALL),
            I::I32Const(8_192),
            I::Call(0),
            I::I32Const(CALL - 8),
            I::I32Add,
            I::I64Load(memory(0)),
            I::I64Store(memory(0)),
        ]
    };
    let next_key = [
        I::I32Const(OF_ROUND),
        I::LocalGet(NARROW),
        I::I32Const(1),
        I::I32Add,
        I::LocalTee(NARROW),
        I::I32Store(memory(0)),
    ];
    let of_key = |name, hosts, rounds, arguments: &[i32], returns: bool| {
        let mut code = next_key.to_vec();
        code.extend(arguments.iter().map(|value| I::I32Const(*value)));
        code.push(I::Call(1));
        if returns {
            code.push(I::Drop);
        }
        Probe { rounds, before: read_call(), hosts, ..probe(name, code) }
    };
    let of_operators = operators().into_iter().filter(|probe| {
        ["every page of 16 MiB", "memory.fill, 1 MiB", RING, "i64.div_u", "i32.add"].contains(&probe.name)
    });
    let of_keys = [
        of_key("rows that are new", &["arg_read", "storage_set"], 8, &[0, 34, 1_024, 16], false),
        of_key("long rows that are new", &["arg_read", "storage_set"], 1, &[0, 34, 1_024, 16_384], false),
        of_key("rows that are not there", &["arg_read", "storage_get"], 32, &[0, 34, 1_024, 64], true),
        of_key("rows removed that are not there", &["arg_read", "storage_remove"], 8, &[0, 34], true),
        of_key("rows looked for", &["arg_read", "storage_next"], 8, &[0, 34, 64, 34, 1_024, 64], true),
    ];
    of_operators.chain(of_keys).collect()
}

impl Probe {
    /// Nothing but the start of a call.
    pub(super) fn nothing(name: &'static str, pages: u64, slots: u64, segments: u64) -> Probe {
        Probe { rounds: 0, pages, slots, segments, ..probe(name, vec![]) }
    }

    /// The module, whose `f` does the thing.
    pub(super) fn module(&self) -> Vec<u8> {
        self.built(&["f"], &[]).finish()
    }

    /// A contract with the spec of points, whose transfer does the thing; a version for each contract.
    pub(super) fn contract(&self, patch: u16) -> Result<Vec<u8>> {
        let mut spec = words::spec_of(POINTS)?;
        spec.version.patch += patch;
        let others: Vec<&str> =
            spec.calls.iter().map(|call| call.name.as_str()).filter(|name| *name != "transfer").collect();
        let mut module = self.built(&["transfer"], &others);
        let section = CustomSection { name: SECTION.into(), data: spec.to_section().into() };
        module.section(&section);
        Ok(module.finish())
    }

    /// A module of exports that do the thing and of others that do nothing.
    fn built(&self, does: &[&str], nothing: &[&str]) -> Module {
        let (mut types, mut imports, mut functions) =
            (TypeSection::new(), ImportSection::new(), FunctionSection::new());
        types.ty().function([], [ValType::I32]);
        types.ty().function([], []);
        for function in self.hosts.iter().filter_map(|host| host::by_name(host)) {
            let results = function.returns.then_some(ValType::I32);
            imports.import(host::MODULE, function.name, EntityType::Function(types.len()));
            types.ty().function(function.params.iter().map(|_| ValType::I32), results);
        }
        functions.function(0).function(1).function(0);
        let mut memories = MemorySection::new();
        memories.memory(MemoryType {
            minimum: self.pages,
            maximum: None,
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
        let mut exports = ExportSection::new();
        let own = imports.len();
        exports.export("memory", ExportKind::Memory, 0);
        for (names, function) in [(does, own), (nothing, own + 2)] {
            for name in names {
                exports.export(name, ExportKind::Func, function);
            }
        }
        let mut code = CodeSection::new();
        code.function(&self.function());
        code.function(Function::new([]).instruction(&I::End));
        code.function(Function::new([]).instruction(&I::I32Const(0)).instruction(&I::End));
        let mut tables = TableSection::new();
        tables.table(TableType {
            element_type: RefType::FUNCREF,
            table64: false,
            minimum: self.slots,
            maximum: Some(self.slots),
            shared: false,
        });
        let mut data = DataSection::new();
        for segment in 0..self.segments {
            let place = segment * (self.pages * 64 * 1024) / self.segments;
            data.active(0, &ConstExpr::i32_const(place as i32), [1]);
        }
        let mut module = Module::new();
        module.section(&types);
        if own > 0 {
            module.section(&imports);
        }
        module.section(&functions);
        if self.slots > 0 {
            module.section(&tables);
        }
        module.section(&memories).section(&exports).section(&code).section(&data);
        module
    }

    fn function(&self) -> Function {
        let mut function = Function::new([(1, ValType::I32), (1, ValType::I64), (1, ValType::I32)]);
        let mut put = |code: &[I<'static>]| {
            code.iter().for_each(|instruction| {
                function.instruction(instruction);
            });
        };
        put(&self.before);
        if self.rounds > 0 {
            put(&[I::I64Const(0x1111), I::LocalSet(WIDE), I::I32Const(9), I::LocalSet(NARROW)]);
            put(&[I::I32Const(self.rounds), I::LocalSet(ROUNDS), I::Loop(BlockType::Empty)]);
            let times = if self.rounds == 1 { 1 } else { UNROLLED };
            (0..times).for_each(|_| put(&self.code));
            put(&[I::LocalGet(ROUNDS), I::I32Const(1), I::I32Sub, I::LocalTee(ROUNDS), I::BrIf(0), I::End]);
        }
        // What was computed is used, so that none of it falls away.
        put(&[
            I::LocalGet(WIDE),
            I::I32WrapI64,
            I::LocalGet(NARROW),
            I::I32Xor,
            I::I32Const(0),
            I::I32And,
            I::End,
        ]);
        function
    }
}
