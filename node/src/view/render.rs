//! Receipts in words: whose they are, what they booked, what they reported.

use super::entries::act;
use super::table::Table;
use super::{reading, words};
use anyhow::{Context, Result};
use serde_json::{Value as Json, json};
use std::fmt::Display;
use tenor_abi::entry::Side;
use tenor_abi::event::{Event, EventBody};
use tenor_abi::id::AgreementId;
use tenor_abi::money::Decimal;
use tenor_abi::spec::Spec;
use tenor_abi::value;
use tenor_runtime::chain::Chain;
use tenor_runtime::schedule::CURSOR_KIND;
use tenor_runtime::state::record::{AccountRecord, Holder};
use tenor_wire::block::Item;
use tenor_wire::op::Operation;
use tenor_wire::receipt::{Entry, EntrySource};

/// Something that happened, with its values.
#[derive(Clone, PartialEq, Debug)]
pub struct Told {
    /// The agreement concerned.
    pub agreement: AgreementId,
    /// Name of the event.
    pub name: String,
    /// Names of the fields with their values, as people read them and as documents hold them.
    pub fields: Vec<(String, String, Json)>,
}

impl Told {
    /// `name field=value, …`.
    pub fn text(&self) -> String {
        let fields: Vec<String> =
            self.fields.iter().map(|(name, text, _)| format!("{name}={text}")).collect();
        format!("{} {}", self.name, fields.join(", ")).trim_end().to_string()
    }

    /// The event as a document.
    pub fn json(&self) -> Json {
        let fields: serde_json::Map<String, Json> =
            self.fields.iter().map(|(name, _, json)| (name.clone(), json.clone())).collect();
        json!({ "agreement": self.agreement.to_string(), "event": self.name, "fields": fields })
    }
}

/// What an operation is called where people read it.
pub fn operation(spec: Option<&Spec>, operation: &Operation) -> String {
    let name = operation.name().to_lowercase();
    let call = match operation {
        Operation::Invoke(op) | Operation::Sign(op) => {
            spec.and_then(|spec| spec.calls.get(usize::from(op.call)))
        }
        _ => None,
    };
    call.map_or(name.clone(), |call| format!("{name} {}", call.name))
}

/// The spec that an operation's refusals and arguments are told by, where a contract is concerned.
///
/// # Errors
/// When the chain cannot be read.
pub fn spec_of_operation(chain: &Chain, operation: &Operation) -> Result<Option<Spec>> {
    Ok(match operation {
        Operation::Open(op) => Some(reading::spec(chain, &op.code)?),
        Operation::Invoke(op) | Operation::Sign(op) => Some(reading::agreement(chain, &op.seen.agreement)?.1),
        Operation::Propose(op) => spec_of_operation(chain, &op.operation)?,
        _ => None,
    })
}

/// The spec that an item's receipt is told by.
///
/// # Errors
/// When the chain cannot be read.
pub fn spec_of(chain: &Chain, item: &Item) -> Result<Option<Spec>> {
    match item {
        Item::Due(due) => Ok(Some(reading::agreement(chain, &due.agreement)?.1)),
        // A receipt that says no may name an agreement or a contract that there is not.
        Item::Tx(tx) => Ok(spec_of_operation(chain, &tx.body.operation).ok().flatten()),
        Item::Expiry(_) => Ok(None),
    }
}

/// An event in the words of its contract, or of the chain.
///
/// # Errors
/// When the chain cannot be read.
pub fn event(chain: &Chain, event: &Event) -> Result<Told> {
    let (_, spec) = reading::agreement(chain, &event.agreement)?;
    let schedule = |kind: u16| {
        let named = spec.schedules.get(usize::from(kind)).cloned();
        let name = match kind {
            CURSOR_KIND => "after entries".to_string(),
            _ => named.unwrap_or_else(|| kind.to_string()),
        };
        ("schedule".to_string(), name.clone(), json!(name))
    };
    let number = |name: &str, value: u64| (name.to_string(), value.to_string(), json!(value));
    let state =
        |name: &str, at: u16| (name.to_string(), spec.state_name(at).to_string(), json!(spec.state_name(at)));
    let (name, fields) = match &event.body {
        EventBody::Contract { number, data } => {
            // A contract may report what its spec does not know.
            let raw = |why: &dyn Display| {
                let (text, document) = words::as_bytes(data, &why);
                vec![("bytes".to_string(), text, document)]
            };
            match spec.events.get(usize::from(*number)) {
                Some(def) => {
                    let told = words::told_fields(&spec, value::fields_of(&def.fields), data);
                    (def.name.clone(), told.unwrap_or_else(|error| raw(&error)))
                }
                None => {
                    let why = format!("{} has no event {number}", spec.name);
                    (format!("event_{number}"), raw(&why))
                }
            }
        }
        EventBody::Opened => ("opened".into(), vec![]),
        EventBody::Signed => ("signed".into(), vec![]),
        EventBody::State { from, to } => ("state".into(), vec![state("from", *from), state("to", *to)]),
        EventBody::AttemptRefused { kind, number: of, attempt, code } => (
            "attempt_refused".into(),
            vec![
                schedule(*kind),
                number("number", (*of).into()),
                number("attempt", (*attempt).into()),
                number("code", (*code).into()),
            ],
        ),
        EventBody::Missed { kind, first, count } => (
            "missed".into(),
            vec![schedule(*kind), number("first", (*first).into()), number("count", (*count).into())],
        ),
        EventBody::ScheduleSuspended { kind, number: of, code } => (
            "schedule_suspended".into(),
            vec![schedule(*kind), number("number", (*of).into()), number("code", (*code).into())],
        ),
        EventBody::Moved { kind, number: of } => {
            ("moved".into(), vec![schedule(*kind), number("number", (*of).into())])
        }
    };
    Ok(Told { agreement: event.agreement, name, fields })
}

/// The postings of entries, with amounts in their currencies.
///
/// # Errors
/// When an account is missing.
pub fn postings(chain: &Chain, entries: &[Entry]) -> Result<(Table, Vec<Json>)> {
    let mut table = Table::new(&["entry", "act", "purpose", "account", "of", "debit", "credit", "currency"]);
    let mut documents = vec![];
    for entry in entries {
        let purpose = match entry.source {
            EntrySource::Party => String::new(),
            EntrySource::Agreement { agreement, purpose } => {
                let (_, spec) = reading::agreement(chain, &agreement)?;
                spec.purposes.get(usize::from(purpose)).cloned().unwrap_or_default()
            }
        };
        for posting in &entry.postings {
            let account: AccountRecord = chain
                .record(&posting.account.0)?
                .with_context(|| format!("{} is missing", posting.account))?;
            let minor = i128::try_from(posting.amount).context("an amount is at most 10^30")?;
            let amount = Decimal(minor, account.currency.scale).to_string();
            let (debit, credit, side) = match posting.side {
                Side::Debit => (amount.clone(), String::new(), "debit"),
                Side::Credit => (String::new(), amount.clone(), "credit"),
            };
            let of = match account.owner {
                Holder::Party(_) => account.purpose.to_string(),
                Holder::Agreement(_) => format!("book {}", account.purpose),
            };
            let code = account.currency.code.to_string();
            documents.push(json!({
                "entry": entry.id.index, "act": act(&entry.act), "purpose": purpose, "account": posting.account.to_string(),
                "side": side, "amount": amount, "currency": code, "value_date": entry.value_date.to_string(),
            }));
            let number = entry.id.index.to_string();
            let act = act(&entry.act).to_string();
            table.row(vec![
                number,
                act,
                purpose.clone(),
                posting.account.to_string(),
                of,
                debit,
                credit,
                code,
            ]);
        }
    }
    Ok((table, documents))
}
