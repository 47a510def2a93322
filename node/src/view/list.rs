//! Things of a kind.

use super::names::Names;
use super::table::Table;
use super::{Shown, reading};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tenor_abi::id::{AccountId, AgreementId, CodeHash, HoldId, PartyId, ProposalId};
use tenor_abi::money::Decimal;
use tenor_runtime::chain::Chain;
use tenor_runtime::state::record::{
    AccountRecord, AgreementRecord, ContractRecord, HoldRecord, PartyRecord, ProposalRecord, ScheduleRecord,
    Waiting,
};

/// What can be listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// Agreements with their states.
    Agreements,
    /// Accounts with their balances.
    Accounts,
    /// Published contracts.
    Contracts,
    /// Parties.
    Parties,
    /// Open proposals.
    Proposals,
    /// Schedules and when they next fall due.
    Schedules,
    /// Money set aside.
    Holds,
}

fn id<const LENGTH: usize>(key: &[u8]) -> Result<[u8; LENGTH]> {
    key.first_chunk().copied().context("a key is too short")
}

/// Columns and rows of a list.
type Rows = (Vec<&'static str>, Vec<Vec<String>>);

/// A list of things of a kind as of the newest block.
///
/// # Errors
/// When the chain cannot be read.
pub fn list(chain: &Chain, names: &Names, what: What) -> Result<Shown> {
    let (columns, rows) = match what {
        What::Agreements => agreements(chain, &names.agreements)?,
        What::Accounts => accounts(chain)?,
        What::Contracts => contracts(chain)?,
        What::Parties => parties(chain, &names.parties)?,
        What::Proposals => proposals(chain)?,
        What::Schedules => schedules(chain)?,
        What::Holds => holds(chain)?,
    };
    let mut table = Table::new(&columns);
    let mut documents = vec![];
    for row in rows {
        let fields: serde_json::Map<String, Value> =
            columns.iter().zip(&row).map(|(name, cell)| (name.to_string(), json!(cell))).collect();
        documents.push(Value::Object(fields));
        table.row(row);
    }
    let document = json!({ "height": chain.tip().height, "list": documents });
    Ok(Shown { document, text: table.to_string() })
}

fn name_of(names: &BTreeMap<String, String>, id: &str) -> String {
    names.iter().find(|(_, known)| *known == id).map(|(name, _)| name.clone()).unwrap_or_default()
}

fn agreements(chain: &Chain, names: &BTreeMap<String, String>) -> Result<Rows> {
    let mut rows = vec![];
    for (key, record) in chain.records::<AgreementRecord>(&[])? {
        let (agreement, spec) = (AgreementId(id(&key)?).to_string(), reading::spec(chain, &record.code)?);
        let name = name_of(names, &agreement);
        rows.push(vec![
            agreement,
            name,
            format!("{}@{}", spec.name, spec.version),
            spec.state_name(record.state).into(),
            record.opened_at.date().to_string(),
        ]);
    }
    Ok((vec!["agreement", "name", "contract", "state", "opened"], rows))
}

fn accounts(chain: &Chain) -> Result<Rows> {
    let mut rows = vec![];
    for (key, record) in chain.records::<AccountRecord>(&[])? {
        let balance = Decimal(record.balance(), record.currency.scale).to_string();
        rows.push(vec![
            AccountId(id(&key)?).to_string(),
            record.purpose.to_string(),
            balance,
            record.currency.code.to_string(),
        ]);
    }
    Ok((vec!["account", "purpose", "balance", "currency"], rows))
}

fn holds(chain: &Chain) -> Result<Rows> {
    let mut rows = vec![];
    for (key, record) in chain.records::<HoldRecord>(&[])? {
        let (account, hold) = (AccountId(id(&key)?), HoldId(id(&key[32..])?));
        let payer: AccountRecord = chain.record(&account.0)?.context("the account of a hold is missing")?;
        let amount = |minor: u128| Decimal(minor as i128, payer.currency.scale).to_string();
        rows.push(vec![
            hold.to_string(),
            account.to_string(),
            record.to.to_string(),
            amount(record.placed),
            amount(record.left),
            payer.currency.code.to_string(),
            record.expires_at.to_string(),
        ]);
    }
    Ok((vec!["hold", "from", "to", "placed", "left", "currency", "until"], rows))
}

fn contracts(chain: &Chain) -> Result<Rows> {
    let mut rows = vec![];
    for (key, record) in chain.records::<ContractRecord>(&[])? {
        rows.push(vec![
            format!("{}@{}", record.name, record.version),
            CodeHash(id(&key)?).to_string(),
            record.height.to_string(),
        ]);
    }
    Ok((vec!["contract", "code", "height"], rows))
}

fn parties(chain: &Chain, names: &BTreeMap<String, String>) -> Result<Rows> {
    let mut rows = vec![];
    for (key, record) in chain.records::<PartyRecord>(&[])? {
        let party = PartyId(id(&key)?).to_string();
        let name = name_of(names, &party);
        rows.push(vec![party, name, format!("{:?}", record.kind).to_lowercase()]);
    }
    Ok((vec!["party", "name", "kind"], rows))
}

fn proposals(chain: &Chain) -> Result<Rows> {
    let mut rows = vec![];
    for (key, record) in chain.records::<ProposalRecord>(&[])? {
        rows.push(vec![
            ProposalId(id(&key)?).to_string(),
            record.operation.name().to_lowercase(),
            record.proposer.to_string(),
            record.expires_at.to_string(),
        ]);
    }
    Ok((vec!["proposal", "operation", "proposer", "expires"], rows))
}

fn schedules(chain: &Chain) -> Result<Rows> {
    let mut rows = vec![];
    for (key, record) in chain.records::<ScheduleRecord>(&[])? {
        let agreement = AgreementId(id(&key)?);
        let kind = u16::from_be_bytes(id(&key[32..])?);
        let spec = reading::agreement(chain, &agreement)?.1;
        let waiting = match record.waiting {
            Waiting::Due { attempt_date, attempt, .. } => format!("due {attempt_date}, attempt {attempt}"),
            Waiting::Held { since } => format!("held since {}", since.date()),
            Waiting::Suspended { code } => format!("suspended with {code:#x}"),
            Waiting::Ended => "ended".into(),
        };
        let name = spec.schedules.get(usize::from(kind)).cloned().unwrap_or_default();
        rows.push(vec![agreement.to_string(), name, record.number().to_string(), waiting]);
    }
    Ok((vec!["agreement", "schedule", "next", "waiting"], rows))
}

impl What {
    /// Every kind with its name.
    pub const ALL: [(&'static str, What); 7] = [
        ("agreements", What::Agreements),
        ("accounts", What::Accounts),
        ("contracts", What::Contracts),
        ("parties", What::Parties),
        ("proposals", What::Proposals),
        ("schedules", What::Schedules),
        ("holds", What::Holds),
    ];
}
