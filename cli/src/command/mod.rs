//! The commands, a file each.

mod account;
mod advance;
mod approve;
mod asset;
mod backup;
mod batch;
mod books;
mod build;
mod check;
mod checkpoint;
mod config;
mod control;
mod correct;
mod db;
mod deploy;
mod doctor;
mod entries;
mod found;
mod hold;
mod hook;
mod init;
mod invoke;
mod key;
mod list;
mod node;
mod open;
mod prove;
mod query;
mod show;
mod statement;
mod transfer;
mod trial_balance;
mod verify;

use crate::desk::Desk;
use crate::folder::Folder;
use crate::once::Once;
use crate::output::{Output, say};
use crate::remote::Remote;
use crate::words;
use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand, value_parser};
use std::path::PathBuf;
use tenor_abi::date::Timestamp;
use tenor_abi::id::AccountId;
use tenor_abi::money::Money;
use tenor_abi::refusal::Refusal;
use tenor_abi::spec::Spec;
pub(crate) use tenor_node::view::find::find_account;
pub(crate) use tenor_node::view::receipt::summary as receipt_json;
use tenor_runtime::chain::Opened;
use tenor_runtime::state::record::AccountRecord;
use tenor_runtime::state::{CACHE_BYTES, CACHE_BYTES_MIN, HISTORY_BYTES, Room};
use tenor_wire::op::{ExposureLimit, Operation, Spend};
use tenor_wire::receipt::{Fate, FullReceipt};
use tenor_wire::tx::Transaction;

/// The data folder.
#[derive(Clone, Debug, Args)]
pub struct Data {
    /// Data folder.
    #[arg(long, default_value = "./tenor-data")]
    pub data: PathBuf,
    /// File with the passphrase of sealed keys, or a folder with a file for each key.
    #[arg(long, env = "TENOR_PASSPHRASES", hide_short_help = true)]
    pub passphrases: Option<PathBuf>,
    /// Memory for its state.
    #[command(flatten)]
    pub memory: Memory,
    /// Where the chain is, if not in it.
    #[command(flatten)]
    pub remote: Remote,
}

impl Data {
    /// Opens the folder, its sealed keys opened by the passphrases.
    ///
    /// # Errors
    /// As [`Folder::open`].
    pub fn open(&self) -> Result<Folder> {
        let folder = Folder::open(&self.data, self.memory.room())?;
        warn_of(&folder.opened);
        Ok(folder.keys_opened_by(self.passphrases.as_deref()))
    }
}

/// Says on standard error what opening a folder met.
fn warn_of(opened: &Opened) {
    if let Some(warning) = opened.warning() {
        say(&format!("warning: {warning}"));
    }
}

/// The memory that the state may take.
#[derive(Clone, Copy, Debug, Args)]
pub struct Memory {
    /// Megabytes of memory for pages of the state.
    #[arg(long, env = "TENOR_CACHE_MB", default_value_t = (CACHE_BYTES / MB) as u32, value_parser = value_parser!(u32).range((CACHE_BYTES_MIN / MB) as i64..), hide_short_help = true)]
    cache_mb: u32,
    /// Megabytes of memory for the states of the newest 1,000 blocks; with 0 none is kept.
    #[arg(long, env = "TENOR_HISTORY_MB", default_value_t = (HISTORY_BYTES / MB) as u32, hide_short_help = true)]
    history_mb: u32,
}

const MB: usize = 1024 * 1024;

impl Memory {
    /// As the state takes it.
    pub fn room(&self) -> Room {
        Room { cache_bytes: self.cache_mb as usize * MB, history_bytes: self.history_mb as usize * MB }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Lives through two years of a small bank, in a folder of its own.
    Demo(Demo),
    /// Makes a sandbox chain: a bank, two members of staff, the euro, an account to fund from.
    Init(init::Init),
    /// Keys and the parties they stand for.
    #[command(subcommand)]
    Key(key::Key),
    /// Assets that the bank issues.
    #[command(subcommand)]
    Asset(asset::Asset),
    /// Builds a contract to wasm and holds its numbers against what was released.
    Build(build::Build),
    /// Publishes a contract.
    Deploy(deploy::Deploy),
    /// Opens an agreement under a contract.
    Open(open::Open),
    /// Approves a proposal, which carries it out.
    Approve(approve::Approve),
    /// Invokes a call of an agreement; proposes it where a second person must approve.
    Invoke(invoke::Invoke),
    /// Moves money between accounts.
    Transfer(transfer::Transfer),
    /// Moves money many times under one signature, by a file of lines.
    Batch(batch::Batch),
    /// Money set aside: placed, paid out, given back.
    #[command(subcommand)]
    Hold(hold::Hold),
    /// Takes back an entry, or a part of it.
    Correct(correct::Correct),
    /// Accounts: opened, their limits, freezing, closing.
    #[command(subcommand)]
    Account(account::Account),
    /// The bank's books: account codes, closed periods, exposure limits.
    #[command(subcommand)]
    Books(books::Books),
    /// Asks a view of an agreement.
    Query(query::Query),
    /// Shows one thing by its id or name.
    Show(show::Show),
    /// Lists things of a kind.
    List(list::List),
    /// Moves a sandbox's time on; everything that falls due runs.
    Advance(advance::Advance),
    /// Shows every posting of an account with the balance after it.
    Statement(statement::Statement),
    /// Lists entries with their postings, the newest last.
    Entries(entries::Entries),
    /// Shows debits and credits of all accounts by asset.
    TrialBalance(trial_balance::TrialBalance),
    /// Executes the whole chain again and compares.
    Verify(verify::Verify),
    /// Writes the proof of a receipt, or of what state held after any block.
    Prove(prove::Prove),
    /// Checks whether a module would be admitted, or a proof, knowing the genesis document only.
    Check(check::Check),
    /// Shows what a client of a chain trusts to begin with
    Checkpoint(checkpoint::Checkpoint),
    /// Backups: made, checked, restored.
    #[command(subcommand)]
    Backup(backup::Backup),
    /// Reads everything that is stored and says what is wrong and what to do.
    Doctor(doctor::Doctor),
    /// What lies on the disk.
    #[command(subcommand)]
    Db(db::Db),
    /// Runs a node over a data folder: blocks by the clock, and an HTTP API.
    #[command(subcommand)]
    Node(node::Node),
    /// What a node would be told, and where each value comes from.
    Config(config::Show),
    /// Measures.
    Bench(crate::bench::Bench),
    /// Compiles one module for another process of this program.
    #[command(hide = true)]
    CompileModule,
}

/// `tenor demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// Data folder.
    #[arg(long, default_value = "./tenor-demo")]
    data: PathBuf,
    #[command(flatten)]
    memory: Memory,
    /// What everything in the demo is derived from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub fn run(self, output: &mut Output<'_>) -> Result<()> {
        match self {
            Command::Demo(demo) => crate::demo::run(&demo.data, demo.memory.room(), demo.seed, output),
            Command::Init(command) => command.run(output),
            Command::Key(command) => command.run(output),
            Command::Asset(command) => command.run(output),
            Command::Build(command) => command.run(output),
            Command::Deploy(command) => command.run(output),
            Command::Open(command) => command.run(output),
            Command::Approve(command) => command.run(output),
            Command::Invoke(command) => command.run(output),
            Command::Transfer(command) => command.run(output),
            Command::Batch(command) => command.run(output),
            Command::Hold(command) => command.run(output),
            Command::Correct(command) => command.run(output),
            Command::Account(command) => command.run(output),
            Command::Books(command) => command.run(output),
            Command::Entries(command) => command.run(output),
            Command::Query(command) => command.run(output),
            Command::Show(command) => command.run(output),
            Command::List(command) => command.run(output),
            Command::Advance(command) => command.run(output),
            Command::Statement(command) => command.run(output),
            Command::TrialBalance(command) => command.run(output),
            Command::Verify(command) => command.run(output),
            Command::Prove(command) => command.run(output),
            Command::Check(command) => command.run(output),
            Command::Checkpoint(command) => command.run(output),
            Command::Backup(command) => command.run(output),
            Command::Doctor(command) => command.run(output),
            Command::Db(command) => command.run(output),
            Command::Node(command) => command.run(output),
            Command::Config(command) => command.run(output),
            Command::Bench(command) => command.run(output),
            Command::CompileModule => crate::compiler::run_child(),
        }
    }
}

/// The chain said no, and there is a receipt that says so.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// Something is not as it should be; what, is in the result.
#[derive(Debug, thiserror::Error)]
#[error("{0} findings")]
pub struct Found(pub usize);

/// A desk over the folder or the node, at its newest block.
pub(crate) fn desk(data: &Data) -> Result<Desk> {
    match data.remote.open()? {
        None => Desk::at_tip(data.open()?),
        Some(node) => Desk::over(node, &data.data, data.passphrases.as_deref()),
    }
}

/// Random bytes of the operating system.
pub(crate) fn random<const LENGTH: usize>() -> Result<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow::anyhow!("the system gives no random bytes: {error}"))?;
    Ok(bytes)
}

/// Signs and runs an operation; a refusal is an error that explains itself.
pub(crate) fn submit(
    desk: &mut Desk,
    by: &str,
    operation: Operation,
    spend: Vec<Spend>,
    spec: Option<&Spec>,
) -> Result<FullReceipt> {
    let tx = desk.sign(by, operation, spend, random()?)?;
    submit_signed(desk, tx, spec)
}

/// Runs a signed transaction; a refusal is an error that explains itself.
pub(crate) fn submit_signed(desk: &mut Desk, tx: Transaction, spec: Option<&Spec>) -> Result<FullReceipt> {
    let receipt = desk.submit(vec![tx])?.pop().context("no receipt")?;
    match receipt.receipt.fate {
        Fate::Done => Ok(receipt),
        _ => Err(Refused(desk.explain(&receipt, spec)).into()),
    }
}

/// As [`submit_signed`], unless it was done before under the name that the act has.
pub(crate) fn submit_once(
    desk: &mut Desk,
    once: &Once,
    tx: Transaction,
    spec: Option<&Spec>,
) -> Result<FullReceipt> {
    match once.earlier(desk, &tx, spec)? {
        Some(receipt) => Ok(receipt),
        None => submit_signed(desk, tx, spec),
    }
}

/// Runs an act of the bank's staff, or proposes it where a second person must approve; says so.
pub(crate) fn act_of_staff(
    desk: &mut Desk,
    by: &str,
    operation: Operation,
    done: &str,
    output: &mut Output<'_>,
) -> Result<()> {
    let tx = desk.sign(by, operation.clone(), vec![], random()?)?;
    // Whether a second person is needed is the host's to say; asking costs nothing.
    let trial = desk.folder().chain.prepare(Timestamp(desk.time().0 + 1), tx.clone())??;
    if trial.receipt.fate == Fate::Refused
        && matches!(Refusal::from_data(&trial.data), Some(Refusal::FourEyes { .. }))
    {
        return invoke::propose(desk, by, operation, vec![], None, output);
    }
    let receipt = submit_signed(desk, tx, None)?;
    output.result(&receipt_json(&receipt), &format!("{done}\n{}", receipt.receipt.item))
}

/// Signs operations and runs them in one block, so that a crash leaves all of them or none.
pub(crate) fn submit_all(desk: &mut Desk, operations: Vec<(&str, Operation, Vec<Spend>)>) -> Result<()> {
    let mut transactions = vec![];
    for (by, operation, spend) in operations {
        transactions.push(desk.sign(by, operation, spend, random()?)?);
    }
    match desk.submit(transactions)?.iter().find(|full| full.receipt.fate != Fate::Done) {
        Some(receipt) => Err(Refused(desk.explain(receipt, None)).into()),
        None => Ok(()),
    }
}

/// An amount above zero in the currency of an account, and its minor units.
pub(crate) fn payment_on(
    folder: &Folder,
    shown: &str,
    account: &AccountId,
    text: &str,
) -> Result<(Money, u128)> {
    let money = amount_on(folder, shown, account, text)?;
    if !money.is_positive() {
        bail!("an amount above zero is needed, {money} given");
    }
    Ok((money, money.minor.unsigned_abs()))
}

/// What a product may have outstanding, of a text like "5000.00 EUR".
pub(crate) fn exposure_limit(folder: &Folder, text: &str) -> Result<ExposureLimit> {
    let money = words::money(text, &|word| folder.lookup(word))?;
    if money.minor < 0 {
        bail!("a limit is not negative, {money} given");
    }
    let code = money.currency.code.to_string();
    let asset = folder.names.assets.get(&code).with_context(|| format!("there is no asset {code} here"))?;
    Ok(ExposureLimit { asset: asset.parse()?, limit: money.minor.unsigned_abs() })
}

/// An amount in the currency of an account.
pub(crate) fn amount_on(folder: &Folder, shown: &str, account: &AccountId, text: &str) -> Result<Money> {
    let money = words::money(text, &|word| folder.lookup(word))?;
    let record: AccountRecord =
        folder.chain.record(&account.0)?.with_context(|| format!("there is no {account}"))?;
    if record.currency != money.currency {
        bail!("{shown} holds {}, {money} given", record.currency.code);
    }
    Ok(money)
}

/// An account's name with an amount, as what a signer allows.
pub(crate) fn spends(desk: &Desk, words_given: &[String]) -> Result<Vec<Spend>> {
    let one = |word: &String| -> Result<Spend> {
        let (account, amount) =
            word.split_once('=').with_context(|| format!("`{word}` given, `account=12.50 EUR` expected"))?;
        let (shown, account) = (account, find_account(&desk.folder().names, account)?);
        let money = amount_on(desk.folder(), shown, &account, amount)?;
        if money.minor < 0 {
            bail!("an amount to spend is not negative, {money} given");
        }
        Ok(Spend { account, amount: money.minor.unsigned_abs() })
    };
    words_given.iter().map(one).collect()
}
