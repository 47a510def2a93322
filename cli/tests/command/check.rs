//! `tenor check`: modules of every bad kind, each with the rule that says so, and runs in an empty world.

use crate::home::run;
use serde_json::Value;
use std::ffi::OsString;

/// Exit code and document of `tenor check` on bytes.
fn check(bytes: &[u8], words: &[&str]) -> (u8, Value) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("module.wasm");
    std::fs::write(&file, bytes).unwrap();
    let words = words.iter().map(OsString::from);
    let (code, out) = run(["check".into(), file.into(), "--json".into()].into_iter().chain(words));
    (code, serde_json::from_str(&out).unwrap_or(Value::Null))
}

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

/// Refused, by exactly these rules.
#[track_caller]
fn refused(bytes: &[u8], words: &[&str], rules: &[&str]) -> Value {
    let (code, document) = check(bytes, words);
    assert_eq!((code, &document["admitted"]), (3, &Value::Bool(false)), "{document}");
    let found: Vec<&str> =
        document["findings"].as_array().unwrap().iter().map(|f| f["rule"].as_str().unwrap()).collect();
    assert_eq!(found, rules, "{document}");
    document
}

/// Admitted bare, and `f` ends so, twice the same.
#[track_caller]
fn ends(text: &str, gas: &str, outcome: &str) -> Value {
    let run = || check(&wat(text), &["--bare", "--run", "f", "--gas", gas]);
    let (code, document) = run();
    assert_eq!((code, document["run"]["outcome"].as_str()), (0, Some(outcome)), "{document}");
    assert_eq!(run().1, document);
    document["run"].clone()
}

#[test]
fn what_is_no_module() {
    refused(b"", &[], &["wasm"]);
    refused(b"", &["--bare"], &["wasm"]);
    refused(b"(module)", &[], &["wasm"]);
    refused(&wat("(component)"), &["--bare"], &["wasm"]);
    let whole = wat("(module (memory 1) (func (export \"f\") (result i32) (i32.const 0)))");
    refused(&whole[..whole.len() - 1], &["--bare"], &["wasm"]);
    assert_eq!(check(&whole, &["--bare"]).0, 0);
    let large = refused(&vec![0; 100_000_000], &[], &["limit"]);
    assert_eq!((&large["size"], &large["findings"][0]["value"]), (&100_000_000.into(), &100_000_000.into()));
    let folder = tempfile::tempdir().unwrap();
    let hole = folder.path().join("hole.wasm");
    std::fs::File::create(&hole).unwrap().set_len(300 << 20).unwrap();
    let (code, said) = run(["check".into(), OsString::from(&hole)]);
    assert!(code == 3 && said.contains("module bytes: 314572800, at most 524288"), "{said}");
    assert_eq!(run(["check", "/dev/null"]).0, 1, "what is no regular file is not opened");
    assert_eq!(run(["check", "no such file"]).0, 1);
    assert_eq!(run(["check", "."]).0, 1);
}

#[test]
fn what_is_no_contract() {
    refused(&wat("(module)"), &[], &["spec", "memory"]);
    refused(
        &wat("(module (@custom \"tenor_spec\" \"lies\") (memory (export \"memory\") 1))"),
        &[],
        &["spec"],
    );
    let empty = wat("(module (@custom \"tenor_spec\" \"\") (memory (export \"memory\") 1))");
    let document = refused(&empty, &[], &["spec"]);
    let text = document["findings"][0]["text"].as_str().unwrap_or_default();
    assert!(text.contains("is damaged"), "it is there: {text}");
    let twice = "(@custom \"tenor_spec\" \"x\") (@custom \"tenor_spec\" \"y\")";
    refused(&wat(&format!("(module {twice} (memory (export \"memory\") 1))")), &[], &["spec"]);
    refused(&wat("(module (@custom \"x\" \"\") (@custom \"x\" \"\"))"), &["--bare"], &["custom_section"]);
    refused(&wat("(module (import \"tenor_2\" \"arg_len\" (func (result i32))))"), &["--bare"], &["import"]);
    refused(&wat("(module (memory 1) (data (i32.const 65536) \"x\"))"), &["--bare"], &["segment"]);
}

#[test]
fn every_finding_is_told_with_its_place() {
    let text = "(module (func $interest (param f64) (result f64) (f64.mul (local.get 0) (f64.const 2)))
        (func $s) (start $s) (func $deep (local v128) (i32.atomic.store (i32.const 0) (i32.const 1))) (memory 1 1))";
    let document =
        refused(&wat(text), &["--bare"], &["float", "float", "start", "float", "float", "simd", "threads"]);
    let at = |number: usize| &document["findings"][number];
    assert_eq!((at(3)["function"].as_u64(), at(3)["name"].as_str()), (Some(0), Some("interest")));
    let said = "function 0 (`interest`): f64.const: floats are not allowed; use `Rate` and `Money`";
    assert_eq!(at(3)["text"], said);
    assert!(at(3)["offset"].as_u64() < at(4)["offset"].as_u64());
    let many = format!("(module (func {}))", "(drop (f32.const 1))".repeat(5_000));
    assert_eq!(refused(&wat(&many), &["--bare"], &["float"; 100])["functions"], 1);
}

#[test]
fn a_run_ends_in_one_word() {
    let f = |code: &str| {
        format!("(module (memory (export \"memory\") 1) (func $f (export \"f\") (result i32) {code}))")
    };
    let done = ends(&f("(i32.store (i32.const 0) (i32.const 5)) (i32.const 42)"), "1000000", "done");
    assert_eq!((done["pages"].as_u64(), done["gas"].as_u64()), (Some(1), Some(4_008)));
    ends("(module (func (export \"f\")))", "1000000", "done");
    ends("(module (func (export \"f\") (result i64) (i64.const 1)))", "1000000", "done");
    let spin = ends(&f("(loop (br 0)) (i32.const 0)"), "1000000", "out_of_gas");
    assert_eq!(spin["gas"], 1_000_000);
    ends(&f("(call $f)"), "100000000", "stack_limit");
    ends(&f("(memory.grow (i32.const 300))"), "1000000", "memory_limit");
    ends(&f("unreachable"), "1000000", "trap");
    ends(&f("(i32.load (i32.const 65536))"), "1000000", "trap");
    ends(&f("(i32.div_u (i32.const 1) (i32.const 0))"), "1000000", "trap");
    ends("(module (func (export \"f\") (param i32)))", "1000000", "host_rule");
    ends("(module)", "1000000", "host_rule");
    let import = "(import \"tenor_1\" \"refuse\" (func $refuse (param i32 i32 i32)))";
    let refuse = "(call $refuse (i32.const 0x8001) (i32.const 0) (i32.const 0)) (i32.const 1)";
    let run = ends(&f(refuse).replace("(module", &format!("(module {import}")), "1000000", "refused");
    assert_eq!(run["code"], 0x8001);
    let outside = "(call $refuse (i32.const 0x8001) (i32.const 65536) (i32.const 1)) (i32.const 1)";
    ends(&f(outside).replace("(module", &format!("(module {import}")), "1000000", "host_rule");
}

#[test]
fn the_products_are_admitted() {
    for product in tenor_cli::products::ALL {
        let (code, document) = check(product.wasm, &[]);
        assert_eq!((code, &document["admitted"]), (0, &Value::Bool(true)), "{}: {document}", product.name);
    }
}

#[test]
fn half_a_gibibyte_of_address_space_is_enough() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("module.wasm");
    let text = "(module (memory 1) (func (export \"f\") (result i32) (drop (memory.grow (i32.const 200))) (i32.store (i32.const 13107200) (i32.const 7)) (i32.const 0)))";
    std::fs::write(&file, wat(text)).unwrap();
    let command = "ulimit -v 524288; exec \"$0\" check \"$1\" --bare --run f --json";
    let limited = std::process::Command::new("sh")
        .args(["-c", command, env!("CARGO_BIN_EXE_tenor")])
        .arg(&file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&limited.stderr);
    let document: Value = serde_json::from_slice(&limited.stdout).unwrap_or_else(|_| panic!("{said}"));
    assert_eq!(document, check(&wat(text), &["--bare", "--run", "f"]).1);
    assert_eq!((&document["run"]["outcome"], &document["run"]["pages"]), (&"done".into(), &201.into()));
}
