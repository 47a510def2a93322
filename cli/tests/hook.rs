//! Hooks at the command line: attached, shown, explained where they refuse, detached.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as the tests do")]

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

fn tenor(data: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tenor")).args(words).arg("--data").arg(data).output().unwrap()
}

#[track_caller]
fn done(data: &Path, words: &[&str]) -> Value {
    let output = tenor(data, &[words, &["--json"]].concat());
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What the chain's refusal says.
#[track_caller]
fn refused(data: &Path, words: &[&str]) -> String {
    let output = tenor(data, words);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{words:?}: {said}");
    said
}

#[test]
fn a_hook_is_attached_shown_explained_and_detached() {
    let folder = tempfile::tempdir().unwrap();
    let (data, module) = (folder.path().join("data"), folder.path().join("guard.wasm"));
    let guard = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/guard");
    std::fs::write(&module, tenor_build::wasm(&guard, &tenor_build::target_folder(&guard)).unwrap()).unwrap();
    done(&data, &["init"]);
    done(&data, &["key", "new", "ada", "--fund", "100.00 EUR"]);
    done(&data, &["key", "new", "shop", "--fund", "0.00 EUR"]);
    done(&data, &["deploy", module.to_str().unwrap()]);
    done(&data, &["open", "guard", "--name", "watch", "account=ada", "daily=10.00 EUR", "--as", "ada"]);

    let hook = ["account", "hook", "ada", "--agreement", "watch", "--as", "ada"];
    done(&data, &hook);
    done(&data, &[&hook[..], &["--after"]].concat());
    let shown = done(&data, &["show", "account", "ada"]);
    assert!(
        shown["hooks"]["owner_before"].is_string() && shown["hooks"]["owner_after"].is_string(),
        "{shown}"
    );
    let shown = String::from_utf8(tenor(&data, &["show", "account", "ada"]).stdout).unwrap();
    assert!(shown.contains("hook     owner, before: "), "{shown}");

    let said = refused(&data, &["transfer", "ada", "shop", "10.01 EUR"]);
    assert!(said.contains("the hook agreement watch of account ada refuses the entry"), "{said}");
    assert!(said.contains("(AboveDaily) daily 10.00 EUR, gone 0.00 EUR"), "{said}");
    assert!(said.contains("(HookRefused, ISO 20022 AG01)"), "{said}");
    done(&data, &["transfer", "ada", "shop", "10.00 EUR"]);

    // Who does not own the account is told so, and what is there or is not.
    assert!(refused(&data, &["account", "unhook", "ada", "--as", "shop"]).contains("NotAuthorised"));
    assert!(refused(&data, &hook).contains("Exists"));
    done(&data, &["account", "unhook", "ada", "--as", "ada"]);
    assert!(refused(&data, &["account", "unhook", "ada", "--as", "ada"]).contains("NoHook"));
    done(&data, &["transfer", "ada", "shop", "20.00 EUR"]);
    // Executed again, the chain with its hooks comes to the same root.
    done(&data, &["verify"]);
}
