//! Things of a kind.

use super::names::Names;
use super::table::Table;
use super::{Shown, reading, schedule};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tenor_abi::id::{AccountId, AgreementId, CodeHash, HoldId, PartyId, ProposalId};
use tenor_abi::money::Decimal;
use tenor_runtime::chain::Chain;
use tenor_runtime::state::Record;
use tenor_runtime::state::record::{
    AccountRecord, AgreementRecord, ContractRecord, HoldRecord, PartyRecord, ProposalRecord, ScheduleRecord,
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

/// What a list has a row of for each record of a kind.
pub trait Listed: Record {
    /// Names of the cells.
    const COLUMNS: &'static [&'static str];

    /// The cells of a record under its key.
    ///
    /// # Errors
    /// When the chain cannot be read.
    fn cells(&self, chain: &Chain, names: &Names, key: &[u8]) -> Result<Vec<String>>;

    /// The row of a record as a document.
    ///
    /// # Errors
    /// As [`Listed::cells`].
    fn row(&self, chain: &Chain, names: &Names, key: &[u8]) -> Result<Value> {
        let cells = self.cells(chain, names, key)?;
        let fields = Self::COLUMNS.iter().zip(cells).map(|(name, cell)| (name.to_string(), json!(cell)));
        Ok(Value::Object(fields.collect()))
    }
}

/// A list of things of a kind as of the newest block.
///
/// # Errors
/// When the chain cannot be read.
pub fn list(chain: &Chain, names: &Names, what: What) -> Result<Shown> {
    match what {
        What::Agreements => all::<AgreementRecord>(chain, names),
        What::Accounts => all::<AccountRecord>(chain, names),
        What::Contracts => all::<ContractRecord>(chain, names),
        What::Parties => all::<PartyRecord>(chain, names),
        What::Proposals => all::<ProposalRecord>(chain, names),
        What::Schedules => all::<ScheduleRecord>(chain, names),
        What::Holds => all::<HoldRecord>(chain, names),
    }
}

fn all<R: Listed>(chain: &Chain, names: &Names) -> Result<Shown> {
    let rows = chain.records::<R>(&[])?;
    let rows = rows.iter().map(|(key, record)| record.row(chain, names, key)).collect::<Result<Vec<_>>>()?;
    let text = table::<R>(&rows).to_string();
    Ok(Shown { document: json!({ "height": chain.tip().height, "list": rows }), text })
}

/// Rows as a table.
pub fn table<R: Listed>(rows: &[Value]) -> Table {
    let mut table = Table::new(R::COLUMNS);
    for row in rows {
        table.row(R::COLUMNS.iter().map(|name| row[name].as_str().unwrap_or_default().to_string()).collect());
    }
    table
}

fn name_of(names: &BTreeMap<String, String>, id: &str) -> String {
    names.iter().find(|(_, known)| *known == id).map(|(name, _)| name.clone()).unwrap_or_default()
}

impl Listed for AgreementRecord {
    const COLUMNS: &'static [&'static str] = &["agreement", "name", "contract", "state", "opened"];

    fn cells(&self, chain: &Chain, names: &Names, key: &[u8]) -> Result<Vec<String>> {
        let (agreement, spec) = (AgreementId(id(key)?).to_string(), reading::spec(chain, &self.code)?);
        let name = name_of(&names.agreements, &agreement);
        let (contract, state) = (format!("{}@{}", spec.name, spec.version), spec.state_name(self.state));
        Ok(vec![agreement, name, contract, state.into(), self.opened_at.date().to_string()])
    }
}

impl Listed for AccountRecord {
    const COLUMNS: &'static [&'static str] = &["account", "purpose", "balance", "currency"];

    fn cells(&self, _: &Chain, _: &Names, key: &[u8]) -> Result<Vec<String>> {
        let balance = Decimal(self.balance(), self.currency.scale).to_string();
        let account = AccountId(id(key)?).to_string();
        Ok(vec![account, self.purpose.to_string(), balance, self.currency.code.to_string()])
    }
}

impl Listed for HoldRecord {
    const COLUMNS: &'static [&'static str] = &["hold", "from", "to", "placed", "left", "currency", "until"];

    fn cells(&self, chain: &Chain, _: &Names, key: &[u8]) -> Result<Vec<String>> {
        let (account, hold) = (AccountId(id(key)?), HoldId(id(&key[32..])?));
        let payer: AccountRecord = chain.record(&account.0)?.context("the account of a hold is missing")?;
        let amount = |minor: u128| Decimal(minor as i128, payer.currency.scale).to_string();
        Ok(vec![
            hold.to_string(),
            account.to_string(),
            self.to.to_string(),
            amount(self.placed),
            amount(self.left),
            payer.currency.code.to_string(),
            self.expires_at.to_string(),
        ])
    }
}

impl Listed for ContractRecord {
    const COLUMNS: &'static [&'static str] = &["contract", "code", "height"];

    fn cells(&self, _: &Chain, _: &Names, key: &[u8]) -> Result<Vec<String>> {
        let code = CodeHash(id(key)?).to_string();
        Ok(vec![format!("{}@{}", self.name, self.version), code, self.height.to_string()])
    }
}

impl Listed for PartyRecord {
    const COLUMNS: &'static [&'static str] = &["party", "name", "kind"];

    fn cells(&self, _: &Chain, names: &Names, key: &[u8]) -> Result<Vec<String>> {
        let party = PartyId(id(key)?).to_string();
        let name = name_of(&names.parties, &party);
        Ok(vec![party, name, format!("{:?}", self.kind).to_lowercase()])
    }
}

impl Listed for ProposalRecord {
    const COLUMNS: &'static [&'static str] = &["proposal", "operation", "proposer", "expires"];

    fn cells(&self, _: &Chain, _: &Names, key: &[u8]) -> Result<Vec<String>> {
        let operation = self.operation.name().to_lowercase();
        let proposal = ProposalId(id(key)?).to_string();
        Ok(vec![proposal, operation, self.proposer.to_string(), self.expires_at.to_string()])
    }
}

impl Listed for ScheduleRecord {
    const COLUMNS: &'static [&'static str] = &["agreement", "schedule", "next", "waiting"];

    fn cells(&self, chain: &Chain, _: &Names, key: &[u8]) -> Result<Vec<String>> {
        let agreement = AgreementId(id(key)?);
        let spec = reading::agreement(chain, &agreement)?.1;
        let (name, (_, waiting)) = (schedule::name(&spec, key), schedule::waiting(&spec, self));
        Ok(vec![agreement.to_string(), name, self.number().to_string(), waiting])
    }
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
