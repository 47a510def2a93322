//! Compiled code on disk: used when it is whole and our own, made again in every other case.

use crate::desk::{Desk, GAS, module, words};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tenor_abi::id::CodeHash;
use tenor_runtime::vm::{Bounds, CompileError, Compiler, Context, Engine, Guest, Inside, Settings};

const CODE: CodeHash = CodeHash([1; 32]);

/// Counts what it compiles.
#[derive(Default)]
struct Counting(AtomicU32);

impl Compiler for Counting {
    fn compile(&self, module: &[u8], settings: &Settings, bounds: Bounds) -> Result<Vec<u8>, CompileError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Inside.compile(module, settings, bounds)
    }
}

/// Loads a module by an engine of its own and calls it; how many times it was compiled for that.
fn compiled(folder: &Path, settings: Settings) -> u32 {
    let counting = Arc::new(Counting::default());
    let engine =
        Engine::with(settings).unwrap().compiled_by(Arc::clone(&counting) as _).kept_in(folder).unwrap();
    let wasm = module(r#"(memory (export "memory") 1) (func (export "f") (result i32) (i32.const 0))"#);
    engine.load(&CODE, &wasm, Bounds::NEW).unwrap();
    let ended = words(&engine.call(&CODE, "f", Context::Action, b"", GAS, &mut Desk::default()));
    assert_eq!(ended, "done ");
    counting.0.load(Ordering::Relaxed)
}

fn inside(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// The artefacts of all engines that kept any below a folder.
fn kept(folder: &Path) -> Vec<PathBuf> {
    inside(folder).iter().filter(|path| path.is_dir()).flat_map(|engine| inside(engine)).collect()
}

#[test]
fn what_was_compiled_is_found_again_and_only_by_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("compiled");
    let standard = Settings::default();
    assert_eq!((compiled(&folder, standard), compiled(&folder, standard)), (1, 0));
    let [file] = kept(&folder).try_into().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(file.parent().unwrap()), mode(&file)), (0o700, 0o700, 0o600));
    // One that others may write to is not believed.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!((compiled(&folder, standard), compiled(&folder, standard)), (1, 0));
}

#[test]
fn what_nobody_loads_any_more_goes_and_nothing_else_does() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let standard = Settings::default();
    assert_eq!(compiled(folder, standard), 1);
    let [file] = kept(folder).try_into().unwrap();
    // As versions before had them, whole and half written.
    let old = "5a".repeat(32);
    fs::copy(&file, folder.join(&old)).unwrap();
    fs::copy(&file, folder.join(format!("{old}.4711"))).unwrap();
    fs::write(folder.join("notes"), "somebody's own").unwrap();
    fs::create_dir(folder.join("more")).unwrap();
    // Another engine of the same kind has them open at the same time.
    let engine = Engine::new().unwrap().kept_in(folder).unwrap();
    assert_eq!(compiled(folder, standard), 0);
    assert!(engine.is_ready(&CODE).unwrap());
    let own = file.parent().unwrap().to_path_buf();
    let mut left = vec![own.clone(), folder.join("more"), folder.join("notes")];
    left.sort();
    assert_eq!(inside(folder), left);
    // Another configuration has other artefacts, and those of before go.
    assert_eq!(compiled(folder, Settings { optimise: false, ..standard }), 1);
    assert!(!own.exists() && kept(folder).len() == 1 && inside(folder).len() == 3);
    // Who has loaded them goes on, and whoever comes makes them again.
    let ended = words(&engine.call(&CODE, "f", Context::Action, b"", GAS, &mut Desk::default()));
    assert_eq!((ended.as_str(), compiled(folder, standard)), ("done ", 1));
}

#[test]
fn what_was_compiled_is_loaded_without_its_module() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(compiled(folder.path(), Settings::default()), 1);
    let ready = |folder: &Path, code: CodeHash| {
        let engine = Engine::new().unwrap().kept_in(folder).unwrap();
        let is_ready = engine.is_ready(&code).unwrap();
        assert_eq!(engine.is_loaded(&code), is_ready);
        is_ready.then(|| words(&engine.call(&code, "f", Context::Action, b"", GAS, &mut Desk::default())))
    };
    assert_eq!(ready(folder.path(), CODE), Some("done ".into()));
    assert_eq!(ready(folder.path(), CodeHash([2; 32])), None);
    // What is damaged is not there.
    let [file] = kept(folder.path()).try_into().unwrap();
    let mut damaged = fs::read(&file).unwrap();
    damaged.iter_mut().last().into_iter().for_each(|byte| *byte ^= 1);
    fs::write(&file, damaged).unwrap();
    assert_eq!(ready(folder.path(), CODE), None);
}

/// A few bytes far from each other are no image of all that lies between.
#[test]
fn an_artefact_is_not_far_larger_than_its_module() {
    let bytes = |data: &str| {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::new().unwrap().kept_in(folder.path()).unwrap();
        let memory = r#"(memory (export "memory") 16) (func (export "f") (result i32) (i32.load8_u (i32.const 1048575)))"#;
        engine.load(&CODE, &module(&format!("{memory} {data}")), Bounds::NEW).unwrap();
        let [file] = kept(folder.path()).try_into().unwrap();
        fs::metadata(file).unwrap().len()
    };
    let (without, with) = (bytes(""), bytes(r#"(data (i32.const 0) "x") (data (i32.const 1048575) "\00")"#));
    assert!(with < without + 4_096, "{with} bytes with data, {without} without");
}

#[test]
fn a_damaged_artefact_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let standard = Settings::default();
    assert_eq!(compiled(folder.path(), standard), 1);
    let [file] = kept(folder.path()).try_into().unwrap();
    let whole = fs::read(&file).unwrap();
    let at = |place: usize| {
        let mut damaged = whole.clone();
        damaged[place] ^= 1;
        damaged
    };
    let cut = whole[..whole.len() / 2].to_vec();
    for damaged in [at(0), at(20), at(40), at(whole.len() - 1), cut, vec![]] {
        fs::write(&file, damaged).unwrap();
        assert_eq!(compiled(folder.path(), standard), 1);
        assert_eq!(fs::read(&file).unwrap().len(), whole.len());
    }
    // A link to somewhere else is not followed.
    fs::remove_file(&file).unwrap();
    let elsewhere = folder.path().join("elsewhere");
    fs::write(&elsewhere, &whole).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &file).unwrap();
    assert_eq!(compiled(folder.path(), standard), 1);
}
