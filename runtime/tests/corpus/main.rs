//! The hostile corpus: modules that mean harm, each with how it must end, twice the same and at every setting of
//! the engine. `TENOR_CORPUS=folder` writes the modules there, with a list of what is expected of each.
// A test that cannot set its world up has nothing better to do than to stop.
#![allow(clippy::unwrap_used)]

mod bare;
mod by_chance;
mod refused;
mod run;

use std::fmt::Write;
use tenor_runtime::vm::{Engine, Expected, Reset, Settings, Trial, examine};

/// Gas of each run.
const GAS: u64 = 16_000_000;

/// How a module ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Class {
    /// It is not admitted; the first rule that says so.
    Refused(&'static str),
    /// Its `f` ends with this word.
    Ends(&'static str),
    /// Chance made it: any end, as long as it is always the same.
    Any,
}

/// A module of the corpus.
pub struct Case {
    pub name: String,
    pub wasm: Vec<u8>,
    pub class: Class,
}

fn corpus() -> Vec<Case> {
    let mut cases = refused::cases();
    cases.extend(run::cases());
    cases.extend(by_chance::cases());
    cases
}

/// Settings that must make no difference.
fn engines() -> Vec<Engine> {
    let standard = Settings::default();
    [
        standard,
        Settings { optimise: false, reset: Some(Reset::Whole), ..standard },
        Settings { copy_on_write: false, reset: Some(Reset::Pages), ..standard },
        Settings { pooled: false, ..standard },
    ]
    .map(|settings| Engine::with(settings).unwrap())
    .into()
}

/// What becomes of a module: the rule, or the run's end, the same on all engines.
fn outcome(case: &Case, engines: &[Engine]) -> String {
    let judged = examine(&case.wasm, Expected::Module);
    assert_eq!(judged, examine(&case.wasm, Expected::Module), "{}: the second time", case.name);
    if let Some(finding) = judged.findings.first() {
        return format!("refused {}", finding.rule);
    }
    let export = if case.class == Class::Any { by_chance::some_export(&case.wasm) } else { "f".into() };
    let run = |engine: &Engine| {
        engine.try_alone(&case.wasm, &export, GAS).unwrap_or_else(|fault| panic!("{}: {fault}", case.name))
    };
    let first: Trial = run(&engines[0]);
    for (number, engine) in engines.iter().enumerate() {
        assert_eq!(run(engine), first, "{}: on engine {number}", case.name);
    }
    assert!(first.report.gas_used <= GAS, "{}", case.name);
    first.word().into()
}

#[test]
fn every_module_ends_as_predicted() {
    let (cases, engines) = (corpus(), engines());
    assert!(cases.len() >= 200, "{} modules", cases.len());
    let (mut wrong, mut ran) = (String::new(), 0);
    for case in &cases {
        let ended = outcome(case, &engines);
        ran += usize::from(!ended.starts_with("refused "));
        let predicted = match &case.class {
            Class::Refused(rule) => ended == format!("refused {rule}"),
            Class::Ends(word) => ended == *word,
            Class::Any => true,
        };
        if !predicted {
            writeln!(wrong, "{}: {ended} instead of {:?}", case.name, case.class).unwrap();
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    assert!(ran >= 200, "{ran} of {} modules ran", cases.len());
    if let Some(folder) = std::env::var_os("TENOR_CORPUS") {
        write(&cases, folder.as_ref());
    }
}

fn write(cases: &[Case], folder: &std::path::Path) {
    std::fs::create_dir_all(folder).unwrap();
    let mut list = String::new();
    for (number, Case { name, wasm, class }) in cases.iter().enumerate() {
        let file = format!("{number:03}.wasm");
        std::fs::write(folder.join(&file), wasm).unwrap();
        writeln!(list, "{file}\t{class:?}\t{name}").unwrap();
    }
    std::fs::write(folder.join("list.tsv"), list).unwrap();
}
