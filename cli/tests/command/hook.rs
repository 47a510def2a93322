//! Hooks at the command line: attached, shown, explained where they refuse, detached.

use crate::home::{complaint, done, text};
use std::path::Path;

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
    let shown = text(&data, &["show", "account", "ada"]);
    assert!(shown.contains("hook     owner, before: "), "{shown}");

    let said = complaint(&data, 3, &["transfer", "ada", "shop", "10.01 EUR"]);
    assert!(said.contains("the hook agreement watch of account ada refuses the entry"), "{said}");
    assert!(said.contains("(AboveDaily) daily 10.00 EUR, gone 0.00 EUR"), "{said}");
    assert!(said.contains("(HookRefused, ISO 20022 AG01)"), "{said}");
    done(&data, &["transfer", "ada", "shop", "10.00 EUR"]);

    // Who does not own the account is told so, and what is there or is not.
    assert!(complaint(&data, 3, &["account", "unhook", "ada", "--as", "shop"]).contains("NotAuthorised"));
    assert!(complaint(&data, 3, &hook).contains("Exists"));
    done(&data, &["account", "unhook", "ada", "--as", "ada"]);
    assert!(complaint(&data, 3, &["account", "unhook", "ada", "--as", "ada"]).contains("NoHook"));
    done(&data, &["transfer", "ada", "shop", "20.00 EUR"]);
    // Executed again, the chain with its hooks comes to the same root.
    done(&data, &["verify"]);
}
