//! A first agreement, from publishing a contract to the receipt of its first payment.

use anyhow::{Context, Result};
use tenor_abi::codec;
use tenor_abi::date::Date;
use tenor_cli::products;
use tenor_cli::words::{self, Arguments};
use tenor_testing::Bank;
use tenor_wire::op::{OpenOp, Operation};

pub fn main() -> Result<()> {
    // A bank in memory, on the production runtime, and two customers with keys and accounts.
    let mut bank = Bank::new();
    let ada = bank.customer("ada", "1000.00");
    let landlord = bank.customer("landlord", "0.00");

    // The bank publishes the standing order; the spec inside says what it is called with.
    let product = products::find("recurring").context("the command carries the standing order")?;
    let code = bank.publish(product.wasm);
    let spec = words::spec_of(product.wasm)?;

    // Ada's signature opens the agreement and allows it to debit her account, up to the amount each month.
    let terms = Arguments::of(&[
        ("payer", ada.account.to_string()),
        ("payee", landlord.account.to_string()),
        ("amount", "100.00 EUR".into()),
        ("rhythm", "Monthly".into()),
        ("first", "2026-01-10".into()),
        ("day", "31".into()),
    ]);
    let terms = words::terms(&spec, &terms, &|_| None)?;
    let opened = bank.run(&ada, Operation::Open(OpenOp { code, terms, arguments: vec![0] }), vec![]).done();
    let agreement = codec::decode(&opened.data, 64)?;

    // Time moves on; the chain pays by itself.
    bank.run_until(Date::of(2026, 2, 1));
    println!("{agreement} reported {:?}", bank.events(agreement));
    println!("the landlord holds {}", bank.balance(landlord.account));
    anyhow::ensure!(bank.balance(landlord.account) == "100.00");
    Ok(())
}
