//! A year of a loan, lived through on a fork of live state: what was planned against what happens.

use anyhow::{Context, Result, ensure};
use tenor_abi::codec;
use tenor_abi::date::Date;
use tenor_abi::id::AgreementId;
use tenor_abi::money::Money;
use tenor_cli::products;
use tenor_cli::words::{self, Arguments};
use tenor_testing::{Bank, Person};
use tenor_wire::op::{OpenOp, Operation};

/// What the loan's views answer, field by field after their count: an instalment as planned (due, amount,
/// interest, principal, balance) and a payment as made (date, amount, fees, interest, principal).
type Row = (u16, Date, Money, Money, Money, Money);

/// The live bank, in April: Ada's loan has run since January.
fn live() -> Result<(Bank, Person, AgreementId)> {
    let mut bank = Bank::new();
    let product = products::find("loan").context("the command carries the loan")?;
    let code = bank.publish(product.wasm);
    let (ada, officer) = (bank.customer("ada", "50.00"), bank.officer.clone());
    let terms = Arguments::of(&[
        ("borrower", ada.account.to_string()),
        ("principal", "1200.00 EUR".into()),
        ("rate", "6%".into()),
        ("instalments", "12".into()),
        ("first_due", "2026-02-01".into()),
        ("collection_max", "200.00 EUR".into()),
    ]);
    let terms = words::terms(&words::spec_of(product.wasm)?, &terms, &|_| None)?;
    let opened =
        bank.run(&officer, Operation::Open(OpenOp { code, terms, arguments: vec![0] }), vec![]).done();
    let loan = codec::decode(&opened.data, 64)?;
    bank.invoke(&ada, loan, "accept", &[]).done();
    bank.invoke(&officer, loan, "disburse", &[]).done();
    bank.run_until(Date::of(2026, 4, 2));
    Ok((bank, ada, loan))
}

/// Prints the plan and, beside each instalment, what was paid from its day until the next.
fn show(bank: &Bank, loan: AgreementId) {
    let plan: Vec<Row> = bank.view(loan, "schedule");
    let payments: Vec<Row> = bank.view(loan, "payments");
    println!("{:<10} {:>14} {:>12}   paid", "due", "planned", "left");
    for (place, (_, due, amount, _, _, left)) in plan.iter().enumerate() {
        let next = plan.get(place + 1).map_or(Date::MAX, |row| row.1);
        let paid = payments.iter().filter(|paid| (*due..next).contains(&paid.1));
        let paid: Vec<String> = paid.map(|(_, date, amount, ..)| format!("{amount} on {date}")).collect();
        println!("{due} {amount:>14} {left:>12}   {}", paid.join(", "));
    }
    println!("{} {}; {}\n", bank.today(), bank.state(loan), bank.events(loan).join(" "));
}

pub fn main() -> Result<()> {
    let (bank, ada, loan) = live()?;
    let year = Date::of(2027, 1, 2);

    let mut as_planned = bank.fork();
    as_planned.run_until(year);
    show(&as_planned, loan);
    ensure!(as_planned.state(loan) == "Settled");

    // What if Ada had nothing left in June, and her wages came in August?
    let mut short = bank.fork();
    let shop = short.customer("shop", "900.00");
    short.run_until(Date::of(2026, 5, 20));
    let all = short.balance(ada.account);
    short.transfer(&ada, shop.account, &all).done();
    short.run_until(Date::of(2026, 8, 10));
    short.transfer(&shop, ada.account, "1200.00").done();
    short.run_until(year);
    show(&short, loan);

    // Nothing of it happened at the bank.
    ensure!(bank.today() == Date::of(2026, 4, 2) && bank.view::<Vec<Row>>(loan, "payments").len() == 3);
    Ok(())
}
