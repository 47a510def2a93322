//! `tenor account`: accounts opened, their limits, freezing, closing.

use super::hook::{Hook, Place};
use super::{Data, act_of_staff, desk, find_account};
use crate::output::Output;
use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use tenor_abi::entry::FreezeReason;
use tenor_abi::id::{AssetId, PartyId};
use tenor_runtime::state::record::AccountRecord;
use tenor_wire::op::{AccountChange, AccountChangeOp, AccountKind, AccountOp, Operation, account_id};

/// `tenor account`.
#[derive(Debug, Subcommand)]
pub enum Account {
    /// Opens an account.
    Open(Open),
    /// Sets what an account may hold.
    Limits(Limits),
    /// Stops what comes in or goes out.
    Freeze(Freeze),
    /// Lets an account be used again.
    Unfreeze(Change),
    /// Closes an account for good; it must be empty.
    Close(Change),
    /// Puts an account under another account code.
    Code(Code),
    /// Names the control account that mirrors an account; the account must be empty.
    Control(Control),
    /// Attaches an agreement as a hook: it judges what happens to the account, or is told of it.
    Hook(Hook),
    /// Detaches a hook, without asking its contract.
    Unhook(Place),
}

/// What an account is to the ledger.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// Holds what its owner has or owes.
    Plain,
    /// The issuer's, out of which money is issued.
    Issuance,
    /// Mirrors other accounts, so that their total is a balance.
    Control,
}

/// Which account, and on whose word.
#[derive(Debug, Args)]
pub struct Change {
    /// Account: name, name/purpose, or id.
    account: String,
    /// Key of operations staff, or of the owner where it closes.
    #[arg(long = "as", default_value = "officer")]
    by: String,
    #[command(flatten)]
    data: Data,
}

/// `tenor account open`.
#[derive(Debug, Args)]
pub struct Open {
    /// Owner: name or id.
    owner: String,
    /// What it is for: 1 to 16 of a-z, 0-9 and -.
    purpose: String,
    /// Code of the asset.
    #[arg(long, default_value = "EUR")]
    asset: String,
    /// Lowest balance, like -100.00; below zero is for the issuer to allow.
    #[arg(long, default_value = "0", allow_hyphen_values = true)]
    floor: String,
    /// What it is to the ledger.
    #[arg(long, default_value = "plain")]
    kind: Kind,
    /// Key of operations staff.
    #[arg(long = "as", default_value = "officer")]
    by: String,
    #[command(flatten)]
    data: Data,
}

/// `tenor account limits`.
#[derive(Debug, Args)]
pub struct Limits {
    #[command(flatten)]
    change: Change,
    /// Lowest balance, like -100.00; as it is where it is not given.
    #[arg(long, allow_hyphen_values = true)]
    floor: Option<String>,
    /// Highest balance, or `none`; as it is where it is not given.
    #[arg(long, allow_hyphen_values = true)]
    ceiling: Option<String>,
    /// Whether holds may use what lies below zero; as it is where it is not given.
    #[arg(long, num_args = 0..=1, default_missing_value = "true")]
    holds_overdraft: Option<bool>,
}

/// `tenor account freeze`.
#[derive(Debug, Args)]
pub struct Freeze {
    #[command(flatten)]
    change: Change,
    /// Nothing comes in.
    #[arg(long = "in")]
    incoming: bool,
    /// Nothing goes out.
    #[arg(long = "out")]
    outgoing: bool,
    /// Why: order, sanctions, fraud, death, insolvency, request.
    #[arg(long)]
    reason: String,
}

/// `tenor account code`.
#[derive(Debug, Args)]
pub struct Code {
    #[command(flatten)]
    change: Change,
    /// The code; `tenor books code` says what it means.
    #[arg(long)]
    code: u16,
}

/// `tenor account control`.
#[derive(Debug, Args)]
pub struct Control {
    #[command(flatten)]
    change: Change,
    /// The control account; none where it is not given.
    #[arg(long)]
    control: Option<String>,
}

impl Account {
    /// Runs the command.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub fn run(self, output: &mut Output<'_>) -> Result<()> {
        match self {
            Account::Open(command) => command.run(output),
            Account::Limits(command) => command.run(output),
            Account::Freeze(command) => command.run(output),
            Account::Unfreeze(change) => change.run(|_| Ok(AccountChange::Unfreeze), "in use again", output),
            Account::Close(change) => change.run(|_| Ok(AccountChange::Close), "closed", output),
            Account::Hook(command) => command.run(output),
            Account::Unhook(place) => place.detach(output),
            Account::Code(Code { change, code }) => {
                change.run(|_| Ok(AccountChange::Code(code)), "under its new code", output)
            }
            Account::Control(Control { change, control }) => change.run(
                |desk| {
                    let names = &desk.folder().names;
                    let control = control.map(|control| find_account(names, &control)).transpose()?;
                    Ok(AccountChange::Control(control))
                },
                "mirrored as said",
                output,
            ),
        }
    }
}

impl Change {
    fn run(
        self,
        change: impl FnOnce(&crate::desk::Desk) -> Result<AccountChange>,
        done: &str,
        output: &mut Output<'_>,
    ) -> Result<()> {
        let mut desk = desk(&self.data)?;
        let account = find_account(&desk.folder().names, &self.account)?;
        let change = change(&desk)?;
        let operation = Operation::AccountChange(AccountChangeOp { account, change });
        act_of_staff(&mut desk, &self.by, operation, &format!("{} is {done}", self.account), output)
    }
}

impl Open {
    fn run(self, output: &mut Output<'_>) -> Result<()> {
        let mut desk = desk(&self.data)?;
        let folder = desk.folder();
        let lookup = |kind: &str, name: &str| folder.names.lookup(&format!("{kind}:{name}"));
        let owner = lookup("party", &self.owner).unwrap_or_else(|| self.owner.clone());
        let owner: PartyId = owner.parse().with_context(|| format!("there is no party `{}`", self.owner))?;
        let asset = lookup("asset", &self.asset).unwrap_or_else(|| self.asset.clone());
        let asset: AssetId = asset.parse().with_context(|| format!("there is no asset `{}`", self.asset))?;
        let known: Option<tenor_runtime::state::record::AssetRecord> = folder.chain.record(&asset.0)?;
        let known = known.with_context(|| format!("there is no asset `{}`", self.asset))?;
        let currency = tenor_abi::money::Currency { code: known.code, scale: known.scale };
        let kind = match self.kind {
            Kind::Plain => AccountKind::Plain,
            Kind::Issuance => AccountKind::Issuance,
            Kind::Control => AccountKind::Control,
        };
        let floor = currency.parse(&self.floor)?.minor;
        let op = AccountOp { owner, asset, purpose: self.purpose.clone(), floor, ceiling: None, kind };
        let account = account_id(&owner.0, &asset, &self.purpose);
        let name = format!("{}/{}", self.owner, self.purpose);
        // The id follows from owner, asset and purpose, so the name is there before the chain hears of it.
        desk.folder_mut().name(|names| {
            names.accounts.insert(name.clone(), account.to_string());
            Ok(())
        })?;
        let done = format!("account  {account}\nname     {name}");
        act_of_staff(&mut desk, &self.by, Operation::Account(op), &done, output)
    }
}

impl Limits {
    fn run(self, output: &mut Output<'_>) -> Result<()> {
        let Limits { change, floor, ceiling, holds_overdraft } = self;
        let name = change.account.clone();
        let minor = |record: &AccountRecord, text: &str| anyhow::Ok(record.currency.parse(text)?.minor);
        change.run(
            |desk| {
                let account = find_account(&desk.folder().names, &name)?;
                let record: AccountRecord = desk
                    .folder()
                    .chain
                    .record(&account.0)?
                    .with_context(|| format!("there is no {account}"))?;
                let floor = floor.as_deref().map_or(Ok(record.floor), |text| minor(&record, text))?;
                let ceiling = match ceiling.as_deref() {
                    None => record.ceiling,
                    Some("none") => None,
                    Some(text) => Some(minor(&record, text)?),
                };
                let holds_overdraft = holds_overdraft.unwrap_or(record.holds_overdraft);
                Ok(AccountChange::Limits { floor, ceiling, holds_overdraft })
            },
            "limited as said; what was not named is as it was",
            output,
        )
    }
}

impl Freeze {
    fn run(self, output: &mut Output<'_>) -> Result<()> {
        let Freeze { change, incoming, outgoing, reason } = self;
        let Some(reason) = FreezeReason::ALL.into_iter().find(|known| known.name() == reason) else {
            let known: Vec<_> = FreezeReason::ALL.into_iter().map(FreezeReason::name).collect();
            bail!("`{reason}` is no reason; reasons are {}", known.join(", "));
        };
        change.run(|_| Ok(AccountChange::Freeze { incoming, outgoing, reason }), "frozen", output)
    }
}
