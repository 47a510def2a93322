//! Reading a chain for people: statements, books, views.

use crate::output::Table;
use crate::words;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use tenor_abi::codec;
use tenor_abi::entry::Side;
use tenor_abi::id::{AccountId, AgreementId};
use tenor_abi::money::Decimal;
use tenor_abi::spec::{SPEC_BYTES_MAX, Spec, TypeDef, TypeNumber};
use tenor_abi::value::{self, Value};
use tenor_runtime::chain::Chain;
use tenor_runtime::state::record::{AccountRecord, AgreementRecord, ContractRecord, Holder};

/// One line of a statement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// Value date.
    pub value_date: String,
    /// Day it was booked.
    pub booked: String,
    /// Amount with its sign.
    pub amount: String,
    /// Balance after it.
    pub balance: String,
    /// Currency.
    pub currency: String,
    /// The entry.
    pub entry: String,
}

/// The statement of an account, oldest line first.
///
/// # Errors
/// When there is no such account.
pub fn statement(chain: &Chain, account: &AccountId) -> Result<Vec<Line>> {
    let record: AccountRecord =
        chain.record(&account.0)?.with_context(|| format!("there is no {account}"))?;
    let scale = record.currency.scale;
    let lines = chain.history(account)?.into_iter().map(|row| {
        let signed = match row.side {
            Side::Credit => row.amount as i128,
            Side::Debit => -(row.amount as i128),
        };
        Line {
            value_date: row.value_date.to_string(),
            booked: row.booked_at.date().to_string(),
            amount: Decimal(signed, scale).to_string(),
            balance: Decimal(row.credits_posted as i128 - row.debits_posted as i128, scale).to_string(),
            currency: record.currency.code.to_string(),
            entry: format!("{}/{}", row.entry.item, row.entry.index),
        }
    });
    Ok(lines.collect())
}

/// The newest lines of a statement.
pub fn statement_table(lines: &[Line], newest: usize) -> Table {
    let mut table = Table::new(&["value date", "booked", "amount", "balance", "currency"]);
    for line in &lines[lines.len().saturating_sub(newest)..] {
        let cells = [&line.value_date, &line.booked, &line.amount, &line.balance, &line.currency];
        table.row(cells.into_iter().cloned().collect());
    }
    table
}

/// The spec of a published contract.
///
/// # Errors
/// When there is none under this code.
pub fn spec(chain: &Chain, code: &tenor_abi::id::CodeHash) -> Result<Spec> {
    let record: ContractRecord =
        chain.record(&code.0)?.with_context(|| format!("there is no contract {code}"))?;
    Ok(codec::decode(&record.spec, SPEC_BYTES_MAX)?)
}

/// An agreement with its spec.
///
/// # Errors
/// When there is none.
pub fn agreement(chain: &Chain, id: &AgreementId) -> Result<(AgreementRecord, Spec)> {
    let record: AgreementRecord =
        chain.record(&id.0)?.with_context(|| format!("there is no agreement {id}"))?;
    let spec = spec(chain, &record.code)?;
    Ok((record, spec))
}

/// The answer of a view without arguments, with its spec and type.
///
/// # Errors
/// When the view has no answer.
pub fn ask(chain: &Chain, id: AgreementId, view: &str) -> Result<(Spec, TypeNumber, Value)> {
    let (_, spec) = agreement(chain, &id)?;
    let ty = spec.call(view).with_context(|| format!("there is no view `{view}`"))?.returns;
    let answer = chain.view(id, view, &[0])?;
    let value = value::decode(&spec, ty, &answer)?;
    Ok((spec, ty, value))
}

/// The fields of a record in a list, as people read them.
pub fn cells(spec: &Spec, list: TypeNumber, value: &Value) -> Vec<String> {
    let Some(TypeDef::List(of)) = spec.own_type(list) else { return vec![] };
    match (spec.own_type(*of), value) {
        (Some(TypeDef::Record { fields, .. }), Value::Record(values)) => {
            fields.iter().zip(values).map(|(field, value)| words::show(spec, field.ty, value)).collect()
        }
        _ => vec![words::show(spec, *of, value)],
    }
}

/// What the books of all agreements hold, by product and book.
///
/// # Errors
/// When the chain cannot be read.
pub fn books_table(chain: &Chain) -> Result<Table> {
    let mut sums: BTreeMap<(String, String, String), (u64, i128, u8)> = BTreeMap::new();
    let mut products: BTreeMap<AgreementId, String> = BTreeMap::new();
    for (_, account) in chain.records::<AccountRecord>(&[])? {
        let Holder::Agreement(id) = account.owner else { continue };
        let product = match products.get(&id) {
            Some(product) => product.clone(),
            None => products.entry(id).or_insert(agreement(chain, &id)?.1.name).clone(),
        };
        let key = (product, account.purpose.clone(), account.currency.code.to_string());
        let sum = sums.entry(key).or_insert((0, 0, account.currency.scale));
        (sum.0, sum.1) = (sum.0 + 1, sum.1 + account.balance());
    }
    let mut table = Table::new(&["product", "book", "agreements", "balance", "currency"]);
    for ((product, book, code), (count, balance, scale)) in sums {
        table.row(vec![product, book, count.to_string(), Decimal(balance, scale).to_string(), code]);
    }
    Ok(table)
}
