//! One thing by its id: agreement, account, contract, block.

use super::names::Names;
use super::receipt::summary;
use super::table::Table;
use super::{Missing, Shown, check_made, no_block, reading, schedule, words};
use anyhow::{Context, Result};
use serde_json::json;
use std::ops::Range;
use tenor_abi::id::{AccountId, AgreementId, CodeHash};
use tenor_abi::money::Decimal;
use tenor_abi::spec::TermDef;
use tenor_abi::text::type_name;
use tenor_abi::value;
use tenor_runtime::chain::{Chain, Replica};
use tenor_runtime::ledger;
use tenor_runtime::state::record::{AccountOfRow, AccountRecord};
use tenor_wire::block::Item;
use tenor_wire::op::{AccountKind, HookMoment, HookOf};

/// An agreement: terms, state, what its schedules wait for, books.
///
/// # Errors
/// [`Missing`] when there is none.
pub fn agreement(chain: &Chain, id: AgreementId) -> Result<Shown> {
    let (record, spec) = reading::agreement(chain, &id)?;
    let mut terms = Table::new(&["term", "value"]);
    let mut documents = serde_json::Map::new();
    for (name, text, document) in words::told_fields(&spec, value::terms_of(&spec), &record.terms)? {
        terms.row(vec![name.clone(), text]);
        documents.insert(name, document);
    }
    let mut books = Table::new(&["book", "balance", "currency"]);
    let mut book_documents = vec![];
    for (key, _) in chain.records::<AccountOfRow>(&id.0)? {
        let id = AccountId(*key[32..].first_chunk().context("a row is too short")?);
        let book: Option<AccountRecord> = chain.record(&id.0)?;
        let book = book.context("a book is missing")?;
        let (name, balance) =
            (book.purpose.to_string(), Decimal(book.balance(), book.currency.scale).to_string());
        let currency = book.currency.code.to_string();
        book_documents.push(json!({
            "book": name, "account": id.to_string(), "balance": balance, "currency": currency,
        }));
        books.row(vec![name, balance, currency]);
    }
    let (mut schedules, mut schedule_documents) = (String::new(), vec![]);
    for (name, record) in schedule::schedules(chain, &id, &spec)? {
        let (next, text) = schedule::waiting(&spec, &record);
        schedules += &format!("{name}: {text}\n");
        schedule_documents.push(json!({ "schedule": name, "next": next }));
    }
    let state = spec.state_name(record.state);
    let document = json!({
        "agreement": id.to_string(), "contract": format!("{}@{}", spec.name, spec.version), "code": record.code.to_string(),
        "state": state, "opened_at": record.opened_at.to_string(), "opened_by": record.opened_by.to_string(),
        "height": chain.tip().height, "terms_version": record.terms_version, "terms": documents,
        "schedules": schedule_documents, "books": book_documents,
    });
    let text = format!(
        "{id}\n{}@{}, {state}, opened {}\n{schedules}\n{terms}\n{books}",
        spec.name,
        spec.version,
        record.opened_at.date()
    );
    Ok(Shown { document, text })
}

/// Postings that are shown with an account.
const NEWEST: u64 = 20;

/// An account: balance, limits, newest postings.
///
/// # Errors
/// [`Missing`] when there is none.
pub fn account(chain: &Chain, names: &Names, id: AccountId) -> Result<Shown> {
    let record: AccountRecord = chain.record(&id.0)?.ok_or_else(|| Missing::of(&id))?;
    let decimal = |minor: i128| Decimal(minor, record.currency.scale).to_string();
    let count = record.history_count;
    let lines = reading::lines(chain, &id, &record, count.saturating_sub(NEWEST)..count)?;
    let hooks = hooks(chain, &id, &record)?;
    let mut facts = account_facts(&record);
    for (place, agreement) in &hooks {
        facts += &format!("hook     {}: {agreement}\n", place.replace('_', ", "));
    }
    let document = account_document(chain, id, &record)?;
    let text = format!(
        "{id}\n{}, {} {} ({} available)\n{}\n{}",
        record.purpose,
        decimal(record.balance()),
        record.currency.code,
        decimal(record.available() as i128),
        facts,
        reading::statement_table(chain, names, &id, &lines, lines.len())?
    );
    Ok(Shown { document, text })
}

/// An account's figures.
///
/// # Errors
/// When the chain cannot be read.
pub fn account_document(chain: &Chain, id: AccountId, record: &AccountRecord) -> Result<serde_json::Value> {
    let hooks: serde_json::Map<_, _> = hooks(chain, &id, record)?
        .into_iter()
        .map(|(place, agreement)| (place.into(), agreement.into()))
        .collect();
    let decimal = |minor: i128| Decimal(minor, record.currency.scale).to_string();
    Ok(json!({
        "account": id.to_string(), "purpose": record.purpose, "currency": record.currency.code.to_string(),
        "balance": decimal(record.balance()), "available": decimal(record.available() as i128), "floor": decimal(record.floor),
        "ceiling": record.ceiling.map(decimal), "held": decimal(record.counters.debits_pending as i128),
        "awaited": decimal(record.counters.credits_pending as i128), "kind": format!("{:?}", record.kind).to_lowercase(),
        "code": record.code, "control": record.control.map(|control| control.to_string()),
        "frozen_in": record.frozen_in.map(|reason| reason.name()),
        "frozen_out": record.frozen_out.map(|reason| reason.name()), "closed": record.closed,
        "postings": record.history_count, "history_root": record.history_root.to_string(),
        "hooks": hooks,
    }))
}

/// The hooks of an account: what each is, and the agreement.
///
/// # Errors
/// When the chain cannot be read.
pub fn hooks(
    chain: &Chain,
    account: &AccountId,
    record: &AccountRecord,
) -> Result<Vec<(&'static str, String)>> {
    let places = [
        ("bank_before", HookOf::Bank, HookMoment::Before),
        ("owner_before", HookOf::Owner, HookMoment::Before),
        ("bank_after", HookOf::Bank, HookMoment::After),
        ("owner_after", HookOf::Owner, HookMoment::After),
    ];
    let there = places.into_iter().filter(|(_, of, moment)| record.hooks.has(*of, *moment));
    let state = chain.state();
    there
        .map(|(name, of, moment)| {
            Ok((name, ledger::find_hook(&state, account, of, moment)?.agreement.to_string()))
        })
        .collect()
}

/// What is out of the ordinary about an account, a line each.
fn account_facts(record: &AccountRecord) -> String {
    let decimal = |minor: i128| format!("{} {}", Decimal(minor, record.currency.scale), record.currency.code);
    let mut facts = vec![];
    if record.floor != 0 {
        facts.push(format!("floor    {}", decimal(record.floor)));
    }
    if let Some(ceiling) = record.ceiling {
        facts.push(format!("ceiling  {}", decimal(ceiling)));
    }
    if record.counters.debits_pending + record.counters.credits_pending > 0 {
        let (held, awaited) =
            (record.counters.debits_pending as i128, record.counters.credits_pending as i128);
        facts.push(format!("held     {}, awaited {}", decimal(held), decimal(awaited)));
    }
    if record.kind != AccountKind::Plain {
        facts.push(format!("kind     {}", format!("{:?}", record.kind).to_lowercase()));
    }
    if record.code != 0 {
        facts.push(format!("code     {}", record.code));
    }
    if let Some(control) = record.control {
        facts.push(format!("mirrored by {control}"));
    }
    for (reason, what) in [(record.frozen_in, "in"), (record.frozen_out, "out")] {
        if let Some(reason) = reason {
            facts.push(format!("frozen {what}: {reason}"));
        }
    }
    if record.closed {
        facts.push("closed".into());
    }
    facts.iter().map(|fact| format!("{fact}\n")).collect()
}

/// What an account held after the block of a height.
///
/// # Errors
/// [`Missing`] when there is no such account, or no such block yet.
pub fn account_at(chain: &Chain, id: AccountId, height: u64) -> Result<Shown> {
    let record: AccountRecord = chain.record(&id.0)?.ok_or_else(|| Missing::of(&id))?;
    check_made(chain, height)?;
    let posting = ledger::posting_at(&chain.state(), &id, height)?;
    let minor = posting.as_ref().map_or(0, |last| last.credits_posted as i128 - last.debits_posted as i128);
    let balance = Decimal(minor, record.currency.scale).to_string();
    let last = posting.map(|last| (last.height, last.value_date));
    let document = json!({
        "account": id.to_string(), "currency": record.currency.code.to_string(), "height": height,
        "balance": balance, "last_posting_height": last.map(|last| last.0),
    });
    let since = last.map_or_else(
        || "nothing was booked yet".into(),
        |(block, date)| format!("last booked in block {block}, value date {date}"),
    );
    let text = format!("{id}\nafter block {height}: {balance} {}; {since}", record.currency.code);
    Ok(Shown { document, text })
}

/// A contract: its calls, who may make them, and with what.
///
/// # Errors
/// [`Missing`] when there is none.
pub fn contract(chain: &Chain, code: CodeHash) -> Result<Shown> {
    let spec = reading::spec(chain, &code)?;
    let setter = |term: &TermDef| format!("{:?}", term.setter).to_lowercase();
    let mut terms = Table::new(&["term", "type", "set by", "default", "what"]);
    for term in &spec.terms {
        terms.row(vec![
            term.name.clone(),
            type_name(&spec, term.ty),
            setter(term),
            term.default.clone().unwrap_or_default(),
            term.doc.clone(),
        ]);
    }
    let mut calls = Table::new(&["call", "arguments", "what"]);
    for call in &spec.calls {
        let arguments =
            call.arguments.iter().map(|argument| argument.name.as_str()).collect::<Vec<_>>().join(", ");
        calls.row(vec![call.name.clone(), arguments, call.doc.clone()]);
    }
    let document = json!({
        "code": code.to_string(), "name": spec.name, "version": spec.version.to_string(), "doc": spec.doc,
        "terms": spec.terms.iter().map(|term| json!({ "name": term.name, "type": type_name(&spec, term.ty), "set_by": setter(term), "default": term.default, "doc": term.doc })).collect::<Vec<_>>(),
        "calls": spec.calls.iter().map(|call| json!({ "name": call.name, "doc": call.doc })).collect::<Vec<_>>(),
    });
    let text = format!("{}@{}: {}\n{code}\n\n{terms}\n{calls}", spec.name, spec.version, spec.doc);
    Ok(Shown { document, text })
}

/// A block and what became of its items, or of those at some of its places.
///
/// # Errors
/// [`Missing`] when there is none.
pub fn block(chain: &Chain, height: u64, places: Range<usize>) -> Result<Shown> {
    let block = chain.block(height)?.ok_or_else(|| no_block(chain, height))?;
    let mut items = Table::new(&["index", "item", "what", "fate", "gas"]);
    let mut list = vec![];
    let all = block.items.iter().zip(&block.receipts).enumerate();
    for (index, (item, full)) in all.skip(places.start).take(places.len()) {
        list.push(summary(full));
        let what = match item {
            Item::Due(due) => format!("occurrence {}.{}", due.kind, due.number),
            Item::Tx(tx) => tx.body.operation.name().to_lowercase(),
            Item::Expiry(_) => "end of a hold".into(),
        };
        let fate = format!("{:?}", full.receipt.fate).to_lowercase();
        items.row(vec![
            index.to_string(),
            full.receipt.item.to_string(),
            what,
            fate,
            full.receipt.gas.to_string(),
        ]);
    }
    let header = &block.header;
    let document = json!({
        "height": height, "time": header.time.to_string(), "hash": header.hash().to_string(), "parent": header.parent.to_string(),
        "state_root": header.state.to_string(), "items": block.items.len(), "list": list,
    });
    let text = format!(
        "block {height} at {}\nhash   {}\nstate  {}\n\n{items}",
        header.time,
        header.hash(),
        header.state
    );
    Ok(Shown { document, text })
}
