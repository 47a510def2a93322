//! Modules that are not admitted: what is no module, every operator that is not ours even where it is never
//! reached, every limit from one above.

use crate::{Case, Class};
use tenor_runtime::vm::LIMITS;

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}\n{}", &text[..text.len().min(400)]))
}

fn refused(name: impl Into<String>, wasm: Vec<u8>, rule: &'static str) -> Case {
    Case { name: name.into(), wasm, class: Class::Refused(rule) }
}

pub fn cases() -> Vec<Case> {
    let mut cases = no_modules();
    cases.extend(operators());
    cases.extend(limits());
    cases.extend(frames());
    cases
}

fn no_modules() -> Vec<Case> {
    let whole = wat("(module (import \"tenor_1\" \"arg_len\" (func (result i32))) (memory 1) (table 1 funcref) (global (mut i32) (i32.const 0))
        (func (export \"f\") (result i32) (i32.const 0)) (elem (i32.const 0) 0) (data (i32.const 0) \"x\"))");
    let mut cases = vec![
        refused("nothing", vec![], "wasm"),
        refused("a magic number alone", b"\0asm".to_vec(), "wasm"),
        refused("text", b"(module)".to_vec(), "wasm"),
        refused("another version", b"\0asm\x02\0\0\0".to_vec(), "wasm"),
        refused("a component", wat("(component)"), "wasm"),
        refused("zeros", vec![0; 1_000], "wasm"),
        refused("far too large", vec![0; 8 * 1024 * 1024], "limit"),
        refused("a section of 4 GiB", b"\0asm\x01\0\0\0\x01\xff\xff\xff\xff\x0f".to_vec(), "wasm"),
        refused("4 G types", b"\0asm\x01\0\0\0\x01\x05\xff\xff\xff\xff\x0f".to_vec(), "limit"),
        refused("4 G functions", b"\0asm\x01\0\0\0\x03\x05\xff\xff\xff\xff\x0f".to_vec(), "limit"),
        refused("4 G locals", b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x0a\x0a\x01\x08\x01\xff\xff\xff\xff\x0f\x7f\x0b".to_vec(), "limit"),
    ];
    for cut in (9..whole.len()).step_by(7) {
        let piece = whole[..cut].to_vec();
        // One that ends between two sections may be whole.
        if !tenor_runtime::vm::examine(&piece, tenor_runtime::vm::Expected::Module).findings.is_empty() {
            cases.push(refused(format!("cut at {cut}"), piece, "wasm"));
        }
    }
    cases
}

/// Operators in code that is never reached.
fn operators() -> Vec<Case> {
    let float_pairs =
        ["add", "sub", "mul", "div", "min", "max", "copysign", "eq", "ne", "lt", "gt", "le", "ge"];
    let float_ones = ["abs", "neg", "ceil", "floor", "trunc", "nearest", "sqrt"];
    let conversions = [
        "i32.trunc_f32_s",
        "i32.trunc_f64_u",
        "i64.trunc_f32_u",
        "i64.trunc_f64_s",
        "i32.reinterpret_f32",
        "i64.reinterpret_f64",
        "f32.convert_i32_s",
        "f64.convert_i64_u",
        "f32.demote_f64",
        "f64.promote_f32",
        "i32.trunc_sat_f32_s",
        "i64.trunc_sat_f64_u",
    ];
    let mut names: Vec<(String, &'static str)> = vec![];
    for ty in ["f32", "f64"] {
        names.extend(float_pairs.iter().chain(&float_ones).map(|name| (format!("{ty}.{name}"), "float")));
        names.extend([(format!("{ty}.load (i32.const 0)"), "float"), (format!("{ty}.const 1"), "float")]);
    }
    names.extend(conversions.map(|name| (name.to_string(), "float")));
    for name in [
        "i8x16.splat",
        "i32x4.add",
        "v128.const i64x2 0 0",
        "v128.not",
        "f64x2.mul",
        "i16x8.extract_lane_s 0",
    ] {
        names.push((name.into(), "simd"));
    }
    for name in ["i32.atomic.load", "i64.atomic.rmw.add", "memory.atomic.notify", "atomic.fence"] {
        names.push((name.into(), "threads"));
    }
    for name in ["ref.null func", "ref.null extern", "ref.is_null"] {
        names.push((name.into(), "reference"));
    }
    names.push(("table.size 0".into(), "reference"));
    for name in ["memory.init 0", "data.drop 0", "table.copy 0 0", "i64.add128", "i64.mul_wide_u"] {
        names.push((name.into(), "operator"));
    }
    let case = |(name, rule): (String, &'static str)| {
        let module = format!(
            "(module (memory 1) (table 1 funcref) (data \"x\") (func unreachable {name} unreachable))"
        );
        // The passive segment would be found too, but stands behind the code.
        refused(format!("{name}, never reached"), wat(&module), rule)
    };
    let mut cases: Vec<Case> = names.into_iter().map(case).collect();
    for (name, rule) in [
        ("(func (local f64))", "float"),
        ("(func (param f32))", "float"),
        ("(func (result f64) unreachable)", "float"),
        ("(global f32 (f32.const 0))", "float"),
        ("(func (block (result f32) unreachable) drop)", "float"),
        ("(func (local v128))", "simd"),
        ("(func (local funcref))", "reference"),
        ("(func return_call 0)", "tail_call"),
        ("(func (try_table))", "exceptions"),
        ("(tag)", "exceptions"),
        ("(memory i64 1)", "memory"),
        ("(memory 1) (memory 1)", "memory"),
        ("(memory 1 1 shared)", "threads"),
        ("(type (struct))", "reference"),
        ("(func (result i32 i32) unreachable)", "limit"),
        ("(func (i32.const 0) (block (param i32) drop))", "multi_value"),
        ("(func (block (result i32 i32) unreachable) drop drop)", "limit"),
    ] {
        cases.push(refused(name, wat(&format!("(module {name})")), rule));
    }
    cases
}

fn limits() -> Vec<Case> {
    let times = |count: u32, text: &str| text.repeat(count as usize);
    let func = |body: String| format!("(func {body})");
    let pieces = [
        ("functions", times(LIMITS.functions + 1, "(func)")),
        ("types", times(LIMITS.types + 1, "(type (func (param i32)))")),
        ("globals", times(LIMITS.globals + 1, "(global i32 (i32.const 0))")),
        (
            "data segments",
            format!("(memory 1) {}", times(LIMITS.data_segments + 1, "(data (i32.const 0) \"x\")")),
        ),
        (
            "element segments",
            format!(
                "(table 9 funcref) (func) {}",
                times(LIMITS.element_segments + 1, "(elem (i32.const 0) 0)")
            ),
        ),
        ("tables", "(table 1 funcref) (table 1 funcref)".into()),
        ("a huge table", format!("(table {} funcref)", LIMITS.table + 1)),
        ("the largest table", "(table 0xffffffff funcref)".into()),
        ("memory", format!("(memory {})", LIMITS.memory_pages + 1)),
        ("4 GiB of memory", "(memory 65536)".into()),
        ("parameters", func(times(LIMITS.params + 1, "(param i64)"))),
        ("locals", func(times(LIMITS.locals + 1, "(local i64)"))),
        ("loops", func(times(LIMITS.loops + 1, "(loop)"))),
        (
            "loops in loops",
            func(format!("{}{}", times(LIMITS.nesting + 1, "(loop "), times(LIMITS.nesting + 1, ")"))),
        ),
        (
            "loops of all functions",
            times(LIMITS.loops_all / LIMITS.loops + 1, &func(times(LIMITS.loops, "(loop)"))),
        ),
        ("blocks", func(times(LIMITS.blocks + 1, "(block)"))),
        ("ifs", func(times(LIMITS.blocks + 1, "(if (i32.const 0) (then))"))),
        (
            "nesting",
            func(format!("{}{}", times(LIMITS.nesting + 1, "(block "), times(LIMITS.nesting + 1, ")"))),
        ),
        ("deep nesting", func(format!("{}{}", times(5_000, "(block "), times(5_000, ")")))),
        ("calls", func(times(LIMITS.calls + 1, "(call 0) "))),
        ("a large body", func(times(LIMITS.body_bytes, "nop "))),
        (
            "a branch table",
            func(format!("(block (br_table {} (i32.const 0)))", times(LIMITS.branches + 2, "0 "))),
        ),
        ("a huge branch table", func(format!("(block (br_table {} (i32.const 0)))", times(40_000, "0 ")))),
        (
            "many branch tables",
            func(format!(
                "(block {})",
                times(40, &format!("(br_table {} (i32.const 0))", times(LIMITS.branches + 2, "0 ")))
            )),
        ),
        ("exports", {
            let exports: String =
                (0..=LIMITS.exports).map(|n| format!("(export \"e{n}\" (func 0))")).collect();
            format!("(func) {exports}")
        }),
        ("custom bytes", format!("(@custom \"x\" \"{}\")", times(LIMITS.bytes, "y"))),
        ("data bytes", format!("(memory 16) (data (i32.const 0) \"{}\")", times(LIMITS.bytes, "y"))),
    ];
    pieces
        .into_iter()
        .map(|(name, text)| refused(format!("too many: {name}"), wat(&format!("(module {text})")), "limit"))
        .collect()
}

fn frames() -> Vec<Case> {
    [
        ("a start function", "(func $s) (start $s)", "start"),
        ("a start function that loops", "(func $s (loop (br 0))) (start $s)", "start"),
        ("an import from elsewhere", "(import \"env\" \"abort\" (func))", "import"),
        ("an unknown function", "(import \"tenor_1\" \"clock\" (func (result i64)))", "import"),
        ("another version", "(import \"tenor_2\" \"arg_len\" (func (result i32)))", "import"),
        ("a wrong type", "(import \"tenor_1\" \"arg_len\" (func (result i64)))", "import"),
        ("an imported memory", "(import \"tenor_1\" \"memory\" (memory 1))", "import"),
        ("an imported table", "(import \"tenor_1\" \"t\" (table 1 funcref))", "import"),
        ("an imported global", "(import \"tenor_1\" \"g\" (global i32))", "import"),
        ("an export of ours", "(func (export \"tenor:gas\"))", "export"),
        ("a global behind its own", "(func (global.set 0 (i64.const 1)))", "wasm"),
        ("data outside", "(memory 1) (data (i32.const 65536) \"x\")", "segment"),
        ("data before the start", "(memory 1) (data (i32.const -1) \"x\")", "segment"),
        ("data without memory", "(data (i32.const 0) \"x\")", "segment"),
        ("elements outside", "(table 1 funcref) (func) (elem (i32.const 1) 0)", "segment"),
        (
            "a place that is no constant",
            "(memory 1) (global $g i32 (i32.const 0)) (data (global.get $g) \"x\")",
            "segment",
        ),
        ("passive data", "(memory 1) (data \"x\")", "data"),
        ("passive elements", "(func) (elem func 0)", "element"),
        ("declared elements", "(func) (elem declare func 0)", "element"),
        ("a table of host values", "(table 1 externref)", "reference"),
        ("two sections of one name", "(@custom \"x\" \"\") (@custom \"x\" \"\")", "custom_section"),
        ("two specs", "(@custom \"tenor_spec\" \"\") (@custom \"tenor_spec\" \"\")", "spec"),
        ("a type error", "(func (result i32) (i64.const 0))", "wasm"),
        ("an unknown function index", "(func (call 7))", "wasm"),
        ("an export that stands twice", "(func) (export \"f\" (func 0)) (export \"f\" (func 0))", "wasm"),
    ]
    .into_iter()
    .map(|(name, text, rule)| refused(name, wat_unchecked(text), rule))
    .collect()
}

fn wat_unchecked(text: &str) -> Vec<u8> {
    wat(&format!("(module {text})"))
}
