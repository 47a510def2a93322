//! The page of host functions is what their table says. `UPDATE_GOLDEN=1` writes it.

// A test that cannot read its own files has nothing better to do than to stop.
#![allow(clippy::unwrap_used)]

use std::fmt::Write;
use std::path::Path;
use tenor_abi::host::{Context, MODULE, TABLE};

const HEAD: &str = "# Host functions

What a contract can ask of its host: the functions of the import module `{MODULE}`. This page is made from the table
in `sdk/abi/src/host.rs`, from which the host's linker and the guest's imports are made too; change the table, then
run `UPDATE_GOLDEN=1 cargo test --test host_page`.

All parameters and results are `i32`. A pointer and a length name bytes of the contract's own memory; they are checked
before anything is copied or allocated, and a place outside the memory ends the call as failed `host_rule`. Where a
function writes into the guest (`out`, `cap`), it does so only when everything fits, and always returns the full
length. Each call costs its gas and so much for every byte that goes in or out, besides the gas of the call
instruction; what is not there ends the call as failed `out_of_gas` before anything was done.

| number | function | open | sign | action | due | view | hook | upgrade | gas | per byte |
|---|---|---|---|---|---|---|---|---|---|---|
";

fn page() -> String {
    let mut page = HEAD.replace("{MODULE}", MODULE);
    for function in TABLE {
        write!(page, "| {} | `{}` |", function.number, function.name).unwrap();
        for context in Context::ALL {
            page += if function.may(*context) { " yes |" } else { " |" };
        }
        writeln!(page, " {} | {} |", function.gas, function.gas_per_byte).unwrap();
    }
    for function in TABLE {
        let result = if function.returns { " -> i32" } else { "" };
        let doc = function.doc.trim().replace("[`crate::", "[`");
        write!(page, "\n## `{}({}){result}`\n\n{doc}\n", function.name, function.params.join(", ")).unwrap();
    }
    page
}

#[test]
fn the_page_is_the_table() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/HOST.md");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&file, page()).unwrap();
    }
    let there = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(there == page(), "docs/HOST.md is not what the table says");
}
