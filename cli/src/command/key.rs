//! `tenor key`: keys and the parties they stand for.

use super::init::{fresh_key, party_op};
use super::{Data, desk, submit};
use crate::output::Output;
use crate::words;
use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use serde_json::json;
use tenor_abi::id::{AccountId, AssetId, PartyId};
use tenor_wire::op::{AccountOp, Operation, PartyKind, Spend, TransferOp, account_id};

/// `tenor key`.
#[derive(Debug, Subcommand)]
pub enum Key {
    /// Makes a key, enrols its party, opens its euro account and funds it.
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
    #[arg(long, default_value = "1000.00 EUR")]
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
        let fund = words::money(&self.fund)?;
        if fund.minor < 0 {
            bail!("an account is funded with nothing or more, {fund} given");
        }
        let mut desk = desk(&self.data)?;
        let id = |kind: &str| {
            desk.folder().names.lookup(kind).with_context(|| format!("this folder has no {kind}"))
        };
        let (home, eur, funding): (PartyId, AssetId, AccountId) =
            (id("party:bank")?.parse()?, id("asset:EUR")?.parse()?, id("account:funding")?.parse()?);
        let (bytes, key) = fresh_key()?;
        let op = party_op(Some(home), PartyKind::Person, &key)?;
        desk.folder().keys.add(&self.name, &bytes)?;
        let (party, account) = (op.party, account_id(&op.party.0, &eur, "main"));
        let names = &mut desk.folder_mut().names;
        names.parties.insert(self.name.clone(), party.to_string());
        names.accounts.insert(self.name.clone(), account.to_string());
        desk.folder().save_names()?;
        submit(&mut desk, "officer", Operation::Party(op), vec![], None)?;
        let op = AccountOp { owner: party, asset: eur, purpose: "main".into(), floor: 0, ceiling: None };
        submit(&mut desk, "officer", Operation::Account(op), vec![], None)?;
        if fund.is_positive() {
            let amount = fund.minor.unsigned_abs();
            let op = TransferOp { from: funding, to: account, amount, narrative: None, reference: None };
            submit(
                &mut desk,
                "bank",
                Operation::Transfer(op),
                vec![Spend { account: funding, amount }],
                None,
            )?;
        }
        let document = json!({ "name": self.name, "party": party.to_string(), "account": account.to_string(), "funded": fund.to_string() });
        output.result(
            &document,
            &format!("key      {}\nparty    {party}\naccount  {account}\nfunded   {fund}", self.name),
        )
    }
}
