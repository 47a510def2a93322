//! What the demo shows at its end.

use super::PLOT;
use super::script::Lived;
use crate::desk::Desk;
use crate::output::Table;
use crate::reading;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::path::Path;
use tenor_abi::money::Decimal;
use tenor_abi::value::Value as Typed;
use tenor_runtime::chain::Chain;
use tenor_runtime::ledger;
use tenor_runtime::state::record::AssetRecord;

/// Asset code to debits, credits and their difference, as decimal numbers.
///
/// # Errors
/// When the store cannot be read.
pub fn trial_balance(chain: &Chain) -> Result<Value> {
    let mut rows = serde_json::Map::new();
    for (asset, row) in ledger::trial_balance(&chain.state())? {
        let record: AssetRecord = chain.record(&asset.0)?.context("an asset is missing")?;
        let decimal = |minor: i128| Decimal(minor, record.scale).to_string();
        let (debits, credits) = (row.debits as i128, row.credits as i128);
        rows.insert(
            record.code.to_string(),
            json!({ "debits": decimal(debits), "credits": decimal(credits), "difference": decimal(credits - debits) }),
        );
    }
    Ok(Value::Object(rows))
}

/// The report as text.
///
/// # Errors
/// When the chain cannot be read.
pub fn text(desk: &Desk, lived: &Lived, document: &Value, proof: &str, path: &Path) -> Result<String> {
    let chain = &desk.folder().chain;
    let mut out = String::new();
    out += &format!("A loan, as planned and as paid ({})\n{}\n", lived.loan, loan_table(chain, lived)?);
    let customer = desk.folder().names.accounts.get("customer-01").context("customer-01 has no account")?;
    let statement = reading::statement(chain, &customer.parse()?)?;
    out += &format!(
        "The newest lines of customer-01's statement ({} in all)\n{}\n",
        statement.len(),
        reading::statement_table(&statement, 12)
    );
    let points = chain.view(lived.programme, "outstanding", &[0])?;
    let points: u64 = tenor_abi::codec::decode(&points, 16)?;
    out += &format!("Points outstanding: {points}\n\nTrial balance of the bank\n{}\n", trial_table(document));
    out += &format!("Books by product\n{}\n", reading::books_table(chain)?);
    out += &format!("{proof}\nplot: {}\n\n", path.join(PLOT).display());
    let mut facts = Table::new(&["what", "figure"]);
    for name in
        ["blocks", "transactions", "occurrences", "agreements", "state_root", "replayed_root", "wall_ms"]
    {
        let value = &document[name];
        facts.row(vec![
            name.replace('_', " "),
            value.as_str().map_or_else(|| value.to_string(), String::from),
        ]);
    }
    out += &facts.to_string();
    Ok(out)
}

/// The trial balance of a document that holds one, as people read it.
pub fn trial_table(document: &Value) -> Table {
    let mut table = Table::new(&["asset", "debits", "credits", "difference"]);
    for (code, row) in document["trial_balance"].as_object().into_iter().flatten() {
        let cell = |name: &str| row[name].as_str().unwrap_or_default().to_string();
        table.row(vec![code.clone(), cell("debits"), cell("credits"), cell("difference")]);
    }
    table
}

/// Each instalment of the plan beside the payment that was made for it.
fn loan_table(chain: &Chain, lived: &Lived) -> Result<Table> {
    let rows = |view: &str| -> Result<Vec<Vec<String>>> {
        match reading::ask(chain, lived.loan, view)? {
            (spec, ty, Typed::List(values)) => {
                Ok(values.iter().map(|value| reading::cells(&spec, ty, value)).collect())
            }
            _ => Ok(vec![]),
        }
    };
    let (plan, paid) = (rows("schedule")?, rows("payments")?);
    let mut table = Table::new(&[
        "due",
        "instalment",
        "interest",
        "principal",
        "paid on",
        "amount",
        "interest",
        "principal",
    ]);
    for number in 0..plan.len().max(paid.len()).min(40) {
        let cell = |rows: &[Vec<String>], at: usize| {
            rows.get(number).and_then(|row| row.get(at)).cloned().unwrap_or_default()
        };
        table.row(vec![
            cell(&plan, 0),
            cell(&plan, 1),
            cell(&plan, 2),
            cell(&plan, 3),
            cell(&paid, 0),
            cell(&paid, 1),
            cell(&paid, 3),
            cell(&paid, 4),
        ]);
    }
    Ok(table)
}
