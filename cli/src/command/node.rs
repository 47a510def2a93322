//! `tenor node`: a node over a data folder.

use super::control::{Restart, SetClock};
use super::found::found;
use super::init::Init;
use crate::folder::{Folder, write_synced};
use crate::output::{Output, Table, say};
use anyhow::{Context, Result, bail};
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, Subcommand};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use tenor_abi::date::Timestamp;
use tenor_node::access::{self, Scope};
use tenor_node::config::{Config, FILE, KEYS, Settings, misspelt, template};
use tenor_node::guard::Guard;
use tenor_node::run;
use tenor_node::tls::{self, Peer};
use tenor_node::view::find::find_party;
use tenor_runtime::chain::peek_block;

/// `tenor node`.
#[derive(Debug, Subcommand)]
pub enum Node {
    /// Makes a data folder with a chain and a configuration file: a bank's own by its description, else a sandbox.
    Init(InitNode),
    /// Runs a node until SIGTERM.
    Run(Run),
    /// Asks the operator's listener of a running node how it is.
    Status(Status),
    /// Tokens: who may ask the API for what.
    #[command(subcommand)]
    Token(Token),
    /// Makes the signer's guard of a chain that nobody has signed for yet.
    Guard(MakeGuard),
    /// Begins again from the folder's newest block, as another chain: after a backup was brought back, or the guard is
    /// lost.
    Restart(Restart),
    /// Names the time after the chain stood still for longer than a block may follow its parent.
    Clock(SetClock),
}

/// `tenor node init`.
#[derive(Debug, Args)]
pub struct InitNode {
    /// Description of the bank; without it a sandbox is made.
    #[arg(long, requires = "guard")]
    bank: Option<PathBuf>,
    /// File of the signer's guard to make, outside the data folder and backups.
    #[arg(long, requires = "bank")]
    guard: Option<PathBuf>,
    #[command(flatten)]
    sandbox: Init,
}

impl InitNode {
    fn run(self, output: &mut Output<'_>) -> Result<()> {
        let data = self.sandbox.data().clone();
        data.remote.none("`tenor node init` makes a folder here, and `tenor node run` serves it")?;
        let (Some(bank), Some(guard)) = (self.bank, self.guard) else {
            self.sandbox.run(output)?;
            write_synced(&data.data.join(FILE), template().as_bytes())?;
            say(&format!("what it can be told stands in {}", data.data.join(FILE).display()));
            return Ok(());
        };
        let passphrases = data.passphrases.context(
            "`--passphrases` names a file with the passphrase that the bank's keys are sealed under, or a folder with a \
             file for each key",
        )?;
        found(&data.data, &bank, &guard, &passphrases, output)
    }
}

impl Node {
    /// Runs the command.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub fn run(self, output: &mut Output<'_>) -> Result<()> {
        match self {
            Node::Init(command) => command.run(output),
            Node::Run(command) => command.run(output),
            Node::Status(command) => command.run(output),
            Node::Token(command) => command.run(output),
            Node::Guard(command) => command.run(output),
            Node::Restart(command) => command.run(output),
            Node::Clock(command) => command.run(output),
        }
    }
}

/// What a node is told by flags, one for each key.
#[derive(Clone, Debug, Default)]
pub struct Told {
    flags: BTreeMap<String, String>,
    file: Option<PathBuf>,
}

impl Told {
    /// All values with where they come from.
    ///
    /// # Errors
    /// When a key is none, or the file cannot be read.
    pub fn settings(&self) -> Result<Settings> {
        // A variable that is no text is none of ours.
        for misspelt in misspelt(std::env::vars_os().filter_map(|(name, _)| name.into_string().ok())) {
            say(&format!("warning: {misspelt}"));
        }
        Ok(Settings::collect(&self.flags, |name| std::env::var(name).ok(), self.file.as_deref())?)
    }
}

impl FromArgMatches for Told {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Told, clap::Error> {
        let given = |name: &str| matches.get_one::<String>(name).cloned();
        let flags = KEYS.iter().filter_map(|key| Some((key.name.to_string(), given(key.name)?))).collect();
        Ok(Told { flags, file: matches.get_one::<PathBuf>("config").cloned() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Told::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Told {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new("config").long("config").value_name("FILE").env("TENOR_CONFIG");
        let file = file
            .help("Configuration file; node.toml in the data folder where there is one")
            .value_parser(clap::value_parser!(PathBuf));
        KEYS.iter().fold(command.arg(file), |command, key| {
            let flag = Arg::new(key.name).long(key.flag()).value_name("VALUE");
            // A truth may be said by the flag alone.
            let flag = match key.default {
                "false" => flag.num_args(0..=1).default_missing_value("true").require_equals(true),
                _ => flag,
            };
            command.arg(flag.help(key.doc))
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Told::augment_args(command)
    }
}

/// `tenor node run`.
#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    told: Told,
}

impl Run {
    fn run(self, output: &mut Output<'_>) -> Result<()> {
        let config = Config::of(&self.told.settings()?)?;
        run::log(&config)?;
        if config.demo {
            crate::demo::bank::prepare(&config.data, config.room)?;
        }
        let demo = config.demo;
        let mut shown = Ok(());
        let ran = run::run(config, |at| {
            let document = json!({ "listen": at.api.to_string(), "admin_listen": at.admin.to_string() });
            let page = if demo { format!("\ndemo bank http://{}/demo/", at.api) } else { String::new() };
            shown = output.result(
                &document,
                &format!("API       http://{}\noperator  http://{}{page}", at.api, at.admin),
            );
        });
        ran?;
        shown
    }
}

/// `tenor node status`.
#[derive(Debug, Args)]
pub struct Status {
    #[command(flatten)]
    told: Told,
}

impl Status {
    fn run(self, output: &mut Output<'_>) -> Result<()> {
        let config = Config::of(&self.told.settings()?)?;
        let url = format!("http://{}", config.admin_listen);
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let asked = |path: &str| -> Result<(u16, String)> {
            let mut answer = agent.get(format!("{url}{path}")).call().with_context(|| {
                format!("no node answers at {url}; is it running, and is `admin_listen` the same?")
            })?;
            Ok((answer.status().as_u16(), answer.body_mut().read_to_string()?))
        };
        let (status, ready) = asked("/readyz")?;
        let (_, metrics) = asked("/metrics")?;
        let mut figures = serde_json::Map::new();
        let mut table = Table::new(&["figure", "value"]);
        for line in metrics.lines().filter(|line| !line.starts_with('#') && !line.contains('{')) {
            if let Some((name, value)) = line.split_once(' ') {
                figures.insert(name.into(), json!(value));
                table.row(vec![name.into(), value.into()]);
            }
        }
        let document = json!({ "ready": status == 200, "says": ready.trim(), "figures": figures });
        output.result(&document, &format!("{}\n\n{table}", ready.trim()))?;
        if status == 200 { Ok(()) } else { bail!("the node is not ready") }
    }
}

/// `tenor node token`.
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Makes a token; its secret is shown this once.
    New(NewToken),
    /// Lists tokens.
    List(DataFolder),
    /// Ends a token at once.
    End(EndToken),
}

/// The data folder of a node, which may be running.
#[derive(Clone, Debug, Args)]
pub struct DataFolder {
    /// Data folder.
    #[arg(long, env = "TENOR_DATA", default_value = "./tenor-data")]
    data: PathBuf,
}

impl DataFolder {
    fn check(&self) -> Result<&Path> {
        if !Folder::exists(&self.data) {
            bail!("{} holds no chain; `tenor node init --data` makes one", self.data.display());
        }
        Ok(&self.data)
    }
}

/// `tenor node token new`.
#[derive(Debug, Args)]
pub struct NewToken {
    /// Name that you know it by.
    name: String,
    /// What it allows; may be given several times.
    #[arg(long, required = true, value_parser = ["customer", "bank", "submit", "sandbox", "webhooks"])]
    scope: Vec<String>,
    /// Whose objects it sees, for the scope `customer`: name or id.
    #[arg(long)]
    party: Option<String>,
    /// When it ends, like 2026-12-31T00:00:00Z.
    #[arg(long)]
    expires_at: Option<Timestamp>,
    /// File that the secret is written to instead, for its owner alone; it must not be there yet.
    #[arg(long)]
    out: Option<PathBuf>,
    /// File of a client's certificate (PEM) that stands for the token; then it has no secret.
    #[arg(long, conflicts_with = "out")]
    certificate: Option<PathBuf>,
    #[command(flatten)]
    data: DataFolder,
}

/// `tenor node token end`.
#[derive(Debug, Args)]
pub struct EndToken {
    /// Its name.
    name: String,
    #[command(flatten)]
    data: DataFolder,
}

fn scope(name: &String) -> Option<Scope> {
    Scope::ALL.iter().find(|(known, _)| known == name).map(|(_, scope)| *scope)
}

impl Token {
    fn run(self, output: &mut Output<'_>) -> Result<()> {
        match self {
            Token::New(command) => command.run(output),
            Token::List(data) => {
                let mut table = Table::new(&["token", "allows", "party"]);
                let mut documents = vec![];
                for token in access::list(data.check()?)? {
                    let allowed = Scope::ALL.iter().filter(|(_, scope)| token.scopes.contains(scope));
                    let allowed: Vec<&str> = allowed.map(|(name, _)| *name).collect();
                    table.row(vec![
                        token.name.clone(),
                        allowed.join(", "),
                        token.party.clone().unwrap_or_default(),
                    ]);
                    documents.push(json!({ "token": token.name, "scopes": allowed, "party": token.party, "certificate": token.certificate }));
                }
                output.result(&json!({ "tokens": documents }), &table.to_string())
            }
            Token::End(EndToken { name, data }) => {
                access::end(data.check()?, &name)?;
                output.result(&json!({ "ended": name }), &format!("`{name}` allows nothing any more"))
            }
        }
    }
}

impl NewToken {
    fn run(self, output: &mut Output<'_>) -> Result<()> {
        let data = self.data.check()?;
        let party = match &self.party {
            Some(asked) => Some(find_party(&Folder::names(data)?, asked)?),
            None => None,
        };
        let scopes = self.scope.iter().filter_map(scope).collect();
        if let Some(path) = &self.certificate {
            let chain = tls::certificates(path)?;
            let Peer(fingerprint) = chain.first().map(tls::fingerprint).context("it holds no certificate")?;
            access::make_for_certificate(data, &self.name, scopes, party, self.expires_at, &fingerprint)?;
            return output.result(
                &json!({ "token": self.name, "certificate": fingerprint }),
                &format!("the certificate {fingerprint} stands for `{}`", self.name),
            );
        }
        // The file first: a secret that cannot be written down is not made.
        let file = self.out.as_ref().map(|path| {
            let open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
            open.with_context(|| format!("writing {}", path.display()))
        });
        let file = file.transpose()?;
        let made = access::make(data, &self.name, scopes, party, self.expires_at);
        let (mut file, path) = match (file, &self.out) {
            (Some(file), Some(path)) => (file, path),
            _ => {
                let secret = made?;
                return output.result(&json!({ "token": self.name, "secret": secret }), &secret);
            }
        };
        let secret = made.inspect_err(|_| {
            // An empty file is of no use to anybody.
            let _ = std::fs::remove_file(path);
        })?;
        file.write_all(secret.as_bytes()).and_then(|()| file.sync_all()).context("writing the secret")?;
        let document = json!({ "token": self.name, "file": path.display().to_string() });
        output.result(&document, &format!("`{}` stands in {}", self.name, path.display()))
    }
}

/// `tenor node guard`.
#[derive(Debug, Args)]
pub struct MakeGuard {
    /// File to make, outside the data folder.
    file: PathBuf,
    #[command(flatten)]
    data: DataFolder,
}

impl MakeGuard {
    fn run(self, output: &mut Output<'_>) -> Result<()> {
        let (_lock, genesis) = Folder::lock(self.data.check()?)?;
        let log = self.data.data.join(tenor_runtime::chain::LOG_FOLDER);
        let first = peek_block(&log, genesis.chain_id(), 0)?.context("the log has no genesis block")?;
        if peek_block(&log, genesis.chain_id(), 1)?.is_some() {
            bail!("this chain has blocks that were signed; a guard is made before the first one");
        }
        Guard::create(&self.file, &first.header)?;
        let file = self.file.display().to_string();
        output.result(
            &json!({ "guard": file }),
            &format!("guard  {file}\nkeep it with the key, outside backups"),
        )
    }
}
