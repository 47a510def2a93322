//! A contract test as a product team writes it: the loan through three years, on wasm and natively.

use anyhow::Result;
use tenor_abi::codec::encode;
use tenor_abi::date::Date;
use tenor_abi::id::CodeHash;
use tenor_cli::products;
use tenor_cli::words::{self, Arguments};
use tenor_testing::{Bank, Person};
use tenor_wire::op::{OpenOp, Operation};

/// Opens a loan for a borrower, who signs it, and has it paid out.
fn paid_out(bank: &mut Bank, code: CodeHash, borrower: &Person) -> Result<tenor_abi::id::AgreementId> {
    let spec = words::spec_of(products::find("loan").map_or(&[], |product| product.wasm))?;
    let terms = Arguments::of(&[
        ("borrower", borrower.account.to_string()),
        ("principal", "5000.00 EUR".into()),
        ("rate", "4.25%".into()),
        ("instalments", "36".into()),
        ("first_due", "2026-02-01".into()),
        ("collection_max", "500.00 EUR".into()),
    ]);
    let terms = words::terms(&spec, &terms, &|_| None)?;
    let officer = bank.officer.clone();
    let opened =
        bank.run(&officer, Operation::Open(OpenOp { code, terms, arguments: vec![0] }), vec![]).done();
    let loan = tenor_abi::codec::decode(&opened.data, 64)?;
    bank.invoke(borrower, loan, "accept", &[]).done();
    bank.invoke(&officer, loan, "disburse", &[]).done();
    Ok(loan)
}

pub fn main() -> Result<()> {
    let mut bank = Bank::new();
    let code = bank.publish(products::find("loan").map_or(&[], |product| product.wasm));
    let ada = bank.customer("ada", "1000.00");
    let loan = paid_out(&mut bank, code, &ada)?;

    // A year by itself: 365 days of interest and twelve instalments, each an occurrence run as wasm.
    bank.run_until(Date::of(2027, 1, 1));
    println!("after a year: {}, principal book {}", bank.state(loan), bank.book(loan, bank.eur, "principal"));

    // The books are checked after every block; here is what a test asserts besides.
    anyhow::ensure!(bank.state(loan) == "Active");
    let too_much = encode(&Some(tenor_testing::money("99999.00")));
    let refused = bank.invoke_spending(&ada, loan, "repay", &[too_much], vec![(ada.account, "99999.00")]);
    println!("repaying too much is refused with the contract's code {}", refused.contract_refusal());

    bank.run_until(Date::of(2029, 1, 1));
    println!("after three years: {}", bank.state(loan));
    anyhow::ensure!(bank.state(loan) == "Settled");
    Ok(())
}
