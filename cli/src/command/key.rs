//! `tenor key`: keys and the parties they stand for.

use super::init::{fresh_key, party_op};
use super::{Data, amount_on, desk, submit_all};
use crate::desk::Desk;
use crate::keys::VALIDATOR;
use crate::output::Output;
use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use serde_json::json;
use tenor_abi::id::{AccountId, AssetId, PartyId};
use tenor_runtime::state::record::PartyRecord;
use tenor_wire::op::{AccountKind, AccountOp, Operation, PartyKind, PartyOp, Spend, TransferOp, account_id};

/// Purpose of the account that a name stands for.
const PURPOSE: &str = "main";

/// `tenor key`.
#[derive(Debug, Subcommand)]
pub enum Key {
    /// Makes a key, enrols its party, opens its euro account and funds it: in a sandbox.
    New(New),
}

/// `tenor key new`.
#[derive(Debug, Args)]
pub struct New {
    /// Name of the key at this bank.
    name: String,
    #[command(flatten)]
    data: Data,
    /// What the account is funded with.
    #[arg(long, allow_hyphen_values = true, default_value = "1000.00 EUR")]
    fund: String,
}

impl Key {
    /// Runs the command.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub fn run(self, output: &mut Output<'_>) -> Result<()> {
        let Key::New(command) = self;
        command.run(output)
    }
}

impl New {
    fn run(self, output: &mut Output<'_>) -> Result<()> {
        let mut desk = desk(&self.data)?;
        if !desk.folder().chain.genesis().parameters.sandbox {
            bail!(
                "`key new` makes and funds a customer of a sandbox alone, and this chain is a bank's own; there the customer's \
                 device makes the key, and two of operations enrol it: one proposes the operation `party` with its public \
                 key (docs/API.md, Devices), another one approves it with `tenor approve`"
            );
        }
        let id = |kind: &str| {
            desk.folder().names.lookup(kind).with_context(|| format!("this folder has no {kind}"))
        };
        let (home, eur, funding): (PartyId, AssetId, AccountId) =
            (id("party:bank")?.parse()?, id("asset:EUR")?.parse()?, id("account:funding")?.parse()?);
        let fund = amount_on(desk.folder(), "funding", &funding, &self.fund)?;
        if fund.minor < 0 {
            bail!("an account is funded with nothing or more, {fund} given");
        }
        let op = self.party(&mut desk, home, &eur)?;
        let (party, account) = (op.party, account_id(&op.party.0, &eur, PURPOSE));
        let opening = AccountOp {
            owner: party,
            asset: eur,
            purpose: PURPOSE.into(),
            floor: 0,
            ceiling: None,
            kind: AccountKind::Plain,
        };
        let mut operations =
            vec![("officer", Operation::Party(op), vec![]), ("officer", Operation::Account(opening), vec![])];
        if fund.is_positive() {
            let amount = fund.minor.unsigned_abs();
            let op = TransferOp { from: funding, to: account, amount, narrative: None, reference: None };
            operations.push(("bank", Operation::Transfer(op), vec![Spend { account: funding, amount }]));
        }
        submit_all(&mut desk, operations)?;
        let document = json!({ "name": self.name, "party": party.to_string(), "account": account.to_string(), "funded": fund.to_string() });
        output.result(
            &document,
            &format!("key      {}\nparty    {party}\naccount  {account}\nfunded   {fund}", self.name),
        )
    }

    /// The party to enrol: a new one, or that of an earlier run which ended before its block was written.
    ///
    /// The key and the name are on disk before the chain hears of them, so no party is left without its key.
    fn party(&self, desk: &mut Desk, home: PartyId, eur: &AssetId) -> Result<PartyOp> {
        let folder = desk.folder_mut();
        let known: Option<PartyId> = folder.names.parties.get(&self.name).map(|id| id.parse()).transpose()?;
        let enrolled = match known {
            Some(party) => folder.chain.record::<PartyRecord>(&party.0)?.is_some(),
            None => false,
        };
        if enrolled || self.name == VALIDATOR {
            bail!("there is a key `{}` already; choose another name", self.name);
        }
        if known.is_none() && folder.names.accounts.contains_key(&self.name) {
            bail!("`{}` names an account of the bank; choose another name", self.name);
        }
        let key = if folder.keys.names()?.contains(&self.name) {
            folder.keys.get(&self.name)?
        } else {
            let (bytes, key) = fresh_key()?;
            folder.keys.add(&self.name, &bytes)?;
            key
        };
        let mut op = party_op(Some(home), PartyKind::Person, &key)?;
        op.party = known.unwrap_or(op.party);
        let account = account_id(&op.party.0, eur, PURPOSE).to_string();
        folder.name(|names| {
            let now = names.parties.insert(self.name.clone(), op.party.to_string());
            if now != known.map(|known| known.to_string()) {
                bail!("another command has just made a key `{}`; choose another name", self.name);
            }
            names.accounts.insert(self.name.clone(), account);
            Ok(())
        })?;
        Ok(op)
    }
}
