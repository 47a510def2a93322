//! `tenor deploy` with every bad kind of module: what `tenor check` finds is said, and nothing is stored.

use crate::home::{complaint, done, folder, tenor};
use std::path::Path;

/// A module that begins like a contract, with what else is in it.
fn contract(rest: &str) -> Vec<u8> {
    let spec = tenor_cli::products::find("recurring").unwrap().wasm;
    let sections = wasmparser::Parser::new(0).parse_all(spec);
    let data = sections
        .filter_map(|section| match section.unwrap() {
            wasmparser::Payload::CustomSection(custom) if custom.name() == "tenor_spec" => {
                Some(custom.data().iter().map(|byte| format!("\\{byte:02x}")).collect::<String>())
            }
            _ => None,
        })
        .next()
        .unwrap();
    wat::parse_str(format!("(module {rest} (@custom \"tenor_spec\" \"{data}\"))")).unwrap()
}

#[test]
fn a_bad_module_is_refused_with_all_that_is_wrong_and_nothing_is_stored() {
    let (scratch, data) = folder();
    done(&data, &["init"]);
    let whole = tenor_cli::products::find("recurring").unwrap().wasm;
    let memory = "(memory (export \"memory\") 1)";
    let wat = |text: &str| wat::parse_str(text).unwrap();
    let modules: Vec<(&str, Vec<u8>, &str)> = vec![
        ("empty", vec![], "wasm"),
        ("text", b"(module)".into(), "wasm"),
        ("component", wat("(component)"), "wasm"),
        ("truncated", whole[..whole.len() / 2].into(), "wasm"),
        ("large", vec![0; 100_000_000], "limit"),
        ("no-spec", wat(&format!("(module {memory})")), "spec"),
        ("lying-spec", contract(memory), "spec"),
        ("wrong-type", contract(&format!("{memory} (func (export \"pause\") (param i32))")), "export"),
        (
            "two-sections",
            wat(&format!("(module {memory} (@custom \"x\" \"\") (@custom \"x\" \"\"))")),
            "custom_section",
        ),
        ("unknown-import", contract(&format!("(import \"tenor_9\" \"now\" (func)) {memory}")), "import"),
        ("no-memory", contract(""), "memory"),
        ("data-outside", contract(&format!("{memory} (data (i32.const 65536) \"x\")")), "segment"),
    ];
    let stored = |data: &Path| done(data, &["list", "contracts"]);
    let before = stored(&data);
    for (name, module, rule) in modules {
        let file = scratch.path().join(format!("{name}.wasm"));
        std::fs::write(&file, module).unwrap();
        let file = file.to_str().unwrap();
        let said = complaint(&data, 3, &["deploy", file]);
        assert!(said.contains(&format!("  {rule}")), "{name}: {said}");
        let (code, checked) = tenor(&data, &["check", file]);
        assert_eq!(code, 3, "{name}");
        let findings = |text: &str| {
            text.lines().filter(|line| line.starts_with("  ")).map(str::to_string).collect::<Vec<_>>()
        };
        assert_eq!(findings(&said), findings(&checked), "{name}");
        assert_eq!(stored(&data), before, "{name}");
    }
}
