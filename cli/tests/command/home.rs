//! Commands on a folder: run inside the test, or as the real program where what it says on standard error counts.

use serde_json::Value;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder that is not there yet, and what it lies in.
pub fn folder() -> (tempfile::TempDir, PathBuf) {
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path().join("data");
    (scratch, data)
}

/// Exit code and standard output of any command line.
pub fn run(words: impl IntoIterator<Item = impl Into<OsString>>) -> (u8, String) {
    let words = std::iter::once("tenor".into()).chain(words.into_iter().map(Into::into));
    let mut out = Vec::new();
    let code = tenor_cli::run(words, &mut out);
    (code, String::from_utf8(out).unwrap())
}

/// Exit code and standard output of a command on a folder.
pub fn tenor(data: &Path, words: &[&str]) -> (u8, String) {
    let folder = [OsString::from("--data"), data.into()];
    run(words.iter().map(OsString::from).chain(folder))
}

/// What a command that must not fail prints for people.
#[track_caller]
pub fn text(data: &Path, words: &[&str]) -> String {
    let (code, out) = tenor(data, words);
    assert_eq!(code, 0, "{words:?}: {out}");
    out
}

/// What a command that must not fail prints for programs.
#[track_caller]
pub fn done(data: &Path, words: &[&str]) -> Value {
    serde_json::from_str(&text(data, &[words, &["--json"]].concat())).unwrap()
}

/// The real program on a folder.
pub fn program(data: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenor"));
    command.args(words).arg("--data").arg(data);
    command
}

/// What the real program says on standard error when it ends with this code and prints nothing.
#[track_caller]
pub fn complaint(data: &Path, expected: i32, words: &[&str]) -> String {
    let Output { status, stdout, stderr } = program(data, words).output().unwrap();
    let said = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(expected), "{words:?}: {said}");
    assert!(stdout.is_empty(), "standard output carries the result only");
    said
}

/// Copies a folder with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() { copy(&path, &to) } else { fs::copy(&path, &to).map(|_| ()).unwrap() }
    }
}
