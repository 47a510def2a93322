//! What the demo shows at its end.

use super::PLOT;
use super::script::Lived;
use crate::desk::Desk;
use crate::output::Table;
use crate::{reading, words};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use tenor_abi::id::AssetId;
use tenor_abi::money::Decimal;
use tenor_abi::value::Value as Typed;
use tenor_runtime::chain::Chain;
use tenor_runtime::ledger::{self, TrialRow};
use tenor_runtime::state::record::AssetRecord;

/// Asset code to debits, credits and their difference, as decimal numbers.
///
/// # Errors
/// When the store cannot be read.
pub fn trial_balance(chain: &Chain) -> Result<Value> {
    trial_document(chain, ledger::trial_balance(&chain.state())?)
}

/// Asset code to what was issued out of issuance accounts and not redeemed.
///
/// # Errors
/// When the store cannot be read.
pub fn issued(chain: &Chain) -> Result<Value> {
    let mut rows = serde_json::Map::new();
    for (asset, minor) in ledger::supply(&chain.state())? {
        let record: AssetRecord = chain.record(&asset.0)?.context("an asset is missing")?;
        rows.insert(record.code.to_string(), json!(Decimal(minor, record.scale).to_string()));
    }
    Ok(Value::Object(rows))
}

/// The trial balance after an earlier block.
///
/// # Errors
/// When the store cannot be read.
pub fn trial_balance_at(chain: &Chain, height: u64) -> Result<Value> {
    trial_document(chain, ledger::trial_balance_at(&chain.state(), height)?)
}

fn trial_document(chain: &Chain, balance: BTreeMap<AssetId, TrialRow>) -> Result<Value> {
    let mut rows = serde_json::Map::new();
    for (asset, row) in balance {
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
    let names = &desk.folder().names;
    out += &format!("A loan, as planned and as paid (loan-01)\n{}\n", loan_table(chain, lived)?);
    let customer = names.accounts.get("customer-01").context("customer-01 has no account")?.parse()?;
    let statement = reading::statement(chain, &customer)?;
    out += &format!(
        "The newest lines of customer-01's statement ({} in all)\n{}\n",
        statement.len(),
        reading::statement_table(chain, names, &customer, &statement, 12)?
    );
    let shown = |view: &str| -> Result<String> {
        let (spec, ty, answer) = reading::ask(chain, lived.programme, view)?;
        Ok(words::show(&spec, ty, &answer))
    };
    let (points, worth) = (shown("outstanding")?, shown("liability")?);
    out += &format!("Points outstanding: {points}, worth {worth}\n\n");
    out += &format!("Trial balance of the bank\n{}\n", trial_table(document));
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

/// Each instalment of the plan beside the first payment from its day on; other payments stand in rows of their own.
fn loan_table(chain: &Chain, lived: &Lived) -> Result<Table> {
    let rows = |view: &str| -> Result<Vec<Vec<String>>> {
        match reading::ask(chain, lived.loan, view)? {
            (spec, ty, Typed::List(values)) => {
                Ok(values.iter().map(|value| reading::cells(&spec, ty, value)).collect())
            }
            _ => Ok(vec![]),
        }
    };
    let mut table = Table::new(&[
        "due",
        "instalment",
        "interest",
        "principal",
        "paid on",
        "amount",
        "fees",
        "interest",
        "principal",
    ]);
    let none = vec![String::new(); 5];
    let mut row = |plan: &[String], paid: &[String]| table.row([&plan[..4], &paid[..5]].concat());
    let (plan, paid) = (rows("schedule")?, rows("payments")?);
    let mut paid = paid.iter().peekable();
    for (number, planned) in plan.iter().enumerate() {
        // Dates as text sort like dates.
        while let Some(early) = paid.next_if(|payment| payment[0] < planned[0]) {
            row(&none, early);
        }
        let next = plan.get(number + 1);
        let first = paid.next_if(|payment| next.is_none_or(|next| payment[0] < next[0]));
        row(planned, first.unwrap_or(&none));
    }
    paid.for_each(|payment| row(&none, payment));
    Ok(table)
}
