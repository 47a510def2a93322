//! Every example runs.

#[path = "../examples/contract_test.rs"]
mod contract_test;
#[path = "../examples/first_agreement.rs"]
mod first_agreement;
#[path = "../examples/receipt_offline.rs"]
mod receipt_offline;
#[path = "../examples/transaction_by_hand.rs"]
mod transaction_by_hand;
#[path = "../examples/year_of_a_loan.rs"]
mod year_of_a_loan;

#[test]
fn a_first_agreement() -> anyhow::Result<()> {
    first_agreement::main()
}

#[test]
fn a_receipt_offline() -> anyhow::Result<()> {
    receipt_offline::main()
}

#[test]
fn a_contract_test() -> anyhow::Result<()> {
    contract_test::main()
}

#[test]
fn a_transaction_by_hand() -> anyhow::Result<()> {
    transaction_by_hand::main()
}

#[test]
fn a_year_of_a_loan() -> anyhow::Result<()> {
    year_of_a_loan::main()
}
