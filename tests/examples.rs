//! Every example runs.

#[path = "../examples/first_agreement.rs"]
mod first_agreement;
#[path = "../examples/receipt_offline.rs"]
mod receipt_offline;

#[test]
fn a_first_agreement() -> anyhow::Result<()> {
    first_agreement::main()
}

#[test]
fn a_receipt_offline() -> anyhow::Result<()> {
    receipt_offline::main()
}
