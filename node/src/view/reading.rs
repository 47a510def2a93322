//! Reading a chain for people: statements, books, views.

use super::names::Names;
use super::table::Table;
use super::{Missing, words};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;
use tenor_abi::codec;
use tenor_abi::entry::{EntryId, Side};
use tenor_abi::id::{AccountId, AgreementId};
use tenor_abi::money::Decimal;
use tenor_abi::spec::{BookDef, BookSide, SPEC_BYTES_MAX, Spec, TypeDef, TypeNumber};
use tenor_abi::value::{self, Value};
use tenor_runtime::chain::{Chain, Replica};
use tenor_runtime::state::record::{
    AccountRecord, AgreementRecord, ContractRecord, HistoryRecord, Holder, key,
};
use tenor_wire::receipt::EntrySource;

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
    pub entry: EntryId,
    /// Block that booked it.
    pub height: u64,
}

/// The statement of an account, oldest line first.
///
/// # Errors
/// When there is no such account.
pub fn statement(chain: &Chain, account: &AccountId) -> Result<Vec<Line>> {
    let record: AccountRecord = chain.record(&account.0)?.ok_or_else(|| Missing::of(account))?;
    Ok(chain.history(account)?.into_iter().map(|row| line(&record, row)).collect())
}

/// Some lines of the statement of an account, oldest first, by their places in it; no others are read.
///
/// # Errors
/// When one of them is missing.
pub fn lines(chain: &Chain, id: &AccountId, record: &AccountRecord, places: Range<u64>) -> Result<Vec<Line>> {
    let line = |place| {
        let row: Option<HistoryRecord> = chain.record(&key::history(id, place))?;
        Ok(line(record, row.context("a posting is missing")?))
    };
    places.map(line).collect()
}

fn line(record: &AccountRecord, row: HistoryRecord) -> Line {
    let scale = record.currency.scale;
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
        entry: row.entry,
        height: row.height,
    }
}

/// What a line of an account's statement is for: the agreement and its purpose, or who paid whom.
///
/// # Errors
/// When the chain cannot be read.
pub fn reason(chain: &Chain, names: &Names, account: &AccountId, line: &Line) -> Result<String> {
    let block = chain.block(line.height)?.with_context(|| format!("there is no block {}", line.height))?;
    let mut entries = block.receipts.iter().flat_map(|full| &full.entries);
    let entry = entries.find(|entry| entry.id == line.entry).context("the block lacks the entry")?;
    let name_of = |names: &BTreeMap<String, String>, id: String| {
        names.iter().find(|(_, known)| **known == id).map_or(id, |(name, _)| name.clone())
    };
    match entry.source {
        EntrySource::Agreement { agreement: id, purpose } => {
            let (_, spec) = agreement(chain, &id)?;
            let purpose = spec.purposes.get(usize::from(purpose)).cloned().unwrap_or_default();
            Ok(format!("{}: {purpose}", name_of(&names.agreements, id.to_string())))
        }
        EntrySource::Party => {
            let direction = if line.amount.starts_with('-') { "to" } else { "from" };
            let other = entry.postings.iter().map(|posting| posting.account).find(|other| other != account);
            let other = other.map(|other| name_of(&names.accounts, other.to_string())).unwrap_or_default();
            Ok(format!("transfer {direction} {other}"))
        }
    }
}

/// The newest lines of an account's statement.
///
/// # Errors
/// When the chain cannot be read.
pub fn statement_table(
    chain: &Chain,
    names: &Names,
    account: &AccountId,
    lines: &[Line],
    newest: usize,
) -> Result<Table> {
    let mut table = Table::new(&["value date", "booked", "amount", "balance", "currency", "for"]);
    for line in &lines[lines.len().saturating_sub(newest)..] {
        let cells = [&line.value_date, &line.booked, &line.amount, &line.balance, &line.currency];
        let reason = reason(chain, names, account, line)?;
        table.row(cells.into_iter().cloned().chain([reason]).collect());
    }
    Ok(table)
}

/// The spec of a published contract.
///
/// # Errors
/// When there is none under this code.
pub fn spec(chain: &Chain, code: &tenor_abi::id::CodeHash) -> Result<Spec> {
    let record: ContractRecord =
        chain.record(&code.0)?.ok_or_else(|| Missing(format!("there is no contract {code}")))?;
    Ok(codec::decode(&record.spec, SPEC_BYTES_MAX)?)
}

/// An agreement with its spec.
///
/// # Errors
/// When there is none.
pub fn agreement(chain: &Chain, id: &AgreementId) -> Result<(AgreementRecord, Spec)> {
    let record: AgreementRecord =
        chain.record(&id.0)?.ok_or_else(|| Missing(format!("there is no agreement {id}")))?;
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

/// What the books of all agreements hold, by product and book, with the sign that their side has on paper.
///
/// # Errors
/// When the chain cannot be read.
pub fn books_table(chain: &Chain) -> Result<Table> {
    /// A book of a product over all its agreements.
    struct Sum {
        book: BookDef,
        scale: u8,
        agreements: u64,
        balance: i128,
    }
    let mut sums: BTreeMap<(String, String, String), Sum> = BTreeMap::new();
    let mut specs: BTreeMap<AgreementId, Spec> = BTreeMap::new();
    for (_, account) in chain.records::<AccountRecord>(&[])? {
        let Holder::Agreement(id) = account.owner else { continue };
        let spec = match specs.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(agreement(chain, &id)?.1),
        };
        let book = spec.books.iter().find(|book| book.name == account.purpose.as_str());
        let book = book.with_context(|| format!("{} has no book {}", spec.name, account.purpose))?;
        let key = (spec.name.clone(), account.purpose.to_string(), account.currency.code.to_string());
        let scale = account.currency.scale;
        let sum =
            sums.entry(key).or_insert_with(|| Sum { book: book.clone(), scale, agreements: 0, balance: 0 });
        sum.agreements += 1;
        sum.balance += account.balance();
    }
    let mut table = Table::new(&["product", "book", "side", "gl", "agreements", "balance", "currency"]);
    for ((product, name, code), Sum { book, scale, agreements, balance }) in sums {
        let (side, on_paper) = match book.side {
            BookSide::Asset => ("asset", -balance),
            BookSide::Expense => ("expense", -balance),
            BookSide::Liability => ("liability", balance),
            BookSide::Income => ("income", balance),
        };
        let amount = Decimal(on_paper, scale).to_string();
        table.row(vec![product, name, side.into(), book.gl, agreements.to_string(), amount, code]);
    }
    Ok(table)
}
