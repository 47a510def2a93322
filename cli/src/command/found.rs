//! `tenor node init --bank FILE`: a bank's own chain, by a description of the bank.
//!
//! Outside a sandbox every act of staff needs two persons, so at least two with the role operations are there from the
//! beginning. Keys that the description does not name are made here, sealed under passphrases.

use super::init::fresh_key;
use super::random;
use crate::folder::{Folder, Names, write_synced};
use crate::keys::VALIDATOR;
use crate::output::Output;
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use tenor_abi::calendar::Calendar;
use tenor_abi::date::{Date, Timestamp};
use tenor_abi::id::{AssetId, Hash, PartyId};
use tenor_abi::money::{Code, Currency};
use tenor_abi::role::Role;
use tenor_node::config::{FILE, template};
use tenor_node::guard::Guard;
use tenor_runtime::chain::{GENESIS_VERSION, Genesis, LOG_FOLDER, peek_block};
use tenor_runtime::params::Parameters;
use tenor_runtime::state::record::ZoneRow;
use tenor_runtime::vm;
use tenor_wire::block::{Validator, ValidatorSet};
use tenor_wire::crypto::{PublicKey, SECP256K1};
use tenor_wire::hexadecimal::unhex;
use tenor_wire::op::{
    AccountKind, AccountOp, AssetKind, AssetOp, CalendarOp, KeyDef, KeyRole, Operation, PartyKind, PartyOp,
    RoleOp, account_id, calendar_id,
};

/// Persons with the role operations that a bank begins with, at least.
const OPERATIONS_MIN: usize = 2;
/// Years for which a named calendar is made.
const YEARS: [i32; 2] = [2000, 2099];

/// A bank, as its file describes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bank {
    /// Time of block 0; the moment of making it where none is given.
    start: Option<String>,
    /// The bank's own key, hexadecimal; made where none is given.
    key: Option<String>,
    /// The key that signs blocks, hexadecimal; made where none is given.
    validator_key: Option<String>,
    /// Minutes east of UTC.
    #[serde(default)]
    offset_minutes: i16,
    /// Minutes after local midnight at which the business date changes.
    #[serde(default)]
    cutoff_minutes: u16,
    /// Members of staff.
    staff: Vec<Staff>,
    /// Assets that the bank issues.
    assets: Vec<Asset>,
    /// Accounts of the bank itself.
    #[serde(default)]
    accounts: Vec<Account>,
    /// Calendars by name.
    #[serde(default)]
    calendars: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Staff {
    name: String,
    roles: Vec<String>,
    key: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asset {
    code: String,
    decimals: u8,
    #[serde(default)]
    kind: Kind,
    #[serde(default = "yes")]
    freezable: bool,
    #[serde(default)]
    clawback: bool,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    #[default]
    Money,
    Points,
    Token,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Account {
    /// What the account is known by here.
    name: String,
    asset: String,
    purpose: String,
    /// Whether money comes out of it into circulation.
    #[serde(default)]
    issuance: bool,
    /// Lowest balance, like "-1000000.00"; zero where none is given.
    floor: Option<String>,
}

fn yes() -> bool {
    true
}

/// The chain in the making.
struct Making {
    keys: Vec<(String, [u8; 32])>,
    names: Names,
    operations: Vec<Operation>,
}

impl Making {
    /// The public key that is given, or that of a key which is made.
    fn key(&mut self, name: &str, given: Option<&String>) -> Result<PublicKey> {
        match given {
            Some(text) => public(text)
                .with_context(|| format!("the key of `{name}`: 33 bytes in hexadecimal are needed")),
            None => {
                let (bytes, key) = fresh_key()?;
                self.keys.push((name.into(), bytes));
                Ok(key.public())
            }
        }
    }

    fn party(
        &mut self,
        name: &str,
        home: Option<PartyId>,
        kind: PartyKind,
        public: PublicKey,
    ) -> Result<PartyId> {
        let party = PartyId(random()?);
        let op = PartyOp {
            party,
            home: home.unwrap_or(party),
            kind,
            person: Hash(random()?),
            name: Hash(random()?),
            key: KeyDef { public, role: KeyRole::Staff, expires_at: None, limits: None },
        };
        self.operations.push(Operation::Party(op));
        if self.names.parties.insert(name.into(), party.to_string()).is_some() {
            bail!("two are called `{name}`");
        }
        Ok(party)
    }
}

fn public(text: &str) -> Option<PublicKey> {
    let bytes = unhex(text)?;
    let (parity, x) = bytes.split_first()?;
    let key = PublicKey { algorithm: SECP256K1, parity: *parity, x: x.try_into().ok()? };
    key.verifier().ok().map(|_| key)
}

/// Makes the folder of a bank's chain, its guard, and a configuration that names both.
///
/// # Errors
/// When the description is wrong, something is there already, or the disk says no.
pub(super) fn found(
    data: &Path,
    description: &Path,
    guard: &Path,
    passphrases: &Path,
    output: &mut Output<'_>,
) -> Result<()> {
    let text =
        std::fs::read_to_string(description).with_context(|| format!("reading {}", description.display()))?;
    let bank: Bank = toml::from_str(&text).with_context(|| format!("reading {}", description.display()))?;
    if guard.starts_with(data) {
        bail!("the guard lies outside the data folder, or a backup would bring it back");
    }
    if guard.exists() {
        bail!("{} exists already; a guard is of one chain", guard.display());
    }
    let (genesis, made) = genesis(&bank)?;
    Folder::create(data, &genesis, &made.keys, &made.names, Some(passphrases))?;
    let first = peek_block(&data.join(LOG_FOLDER), genesis.chain_id(), 0)?;
    Guard::create(guard, &first.context("the log has no genesis block")?.header)?;
    let path = |path: &Path| std::path::absolute(path).map(|path| path.display().to_string());
    let (guard, passphrases) = (path(guard)?, path(passphrases)?);
    let told = format!("{}\nguard = {guard:?}\npassphrases = {passphrases:?}\n", template());
    write_synced(&data.join(FILE), told.as_bytes())?;
    let keys: Vec<&str> = made.keys.iter().map(|(name, _)| name.as_str()).collect();
    let chain = genesis.chain_id().to_string();
    let text = format!(
        "a bank's chain in {}\nchain    {chain}\nkeys     {}\nguard    {guard}\n\
         keep the guard with the key `{VALIDATOR}`, outside backups; keys are sealed under the passphrases in {passphrases}",
        data.display(),
        keys.join(", "),
    );
    output.result(&json!({ "chain": chain, "keys": keys, "guard": guard }), &text)
}

fn genesis(bank: &Bank) -> Result<(Genesis, Making)> {
    let mut making = Making { keys: vec![], names: Names::default(), operations: vec![] };
    let validator = making.key(VALIDATOR, bank.validator_key.as_ref())?;
    let key = making.key("bank", bank.key.as_ref())?;
    let at = making.party("bank", None, PartyKind::Bank, key)?;
    staff(&mut making, at, &bank.staff)?;
    let assets = assets(&mut making, at, &bank.assets)?;
    for account in &bank.accounts {
        let known = || format!("the account `{}`: there is no asset {}", account.name, account.asset);
        let (asset, currency) = *assets.get(&account.asset).with_context(known)?;
        let floor = match &account.floor {
            Some(text) => {
                currency.parse(text).with_context(|| format!("the floor of `{}`", account.name))?.minor
            }
            None => 0,
        };
        making.operations.push(Operation::Account(AccountOp {
            owner: at,
            asset,
            purpose: account.purpose.clone(),
            floor,
            ceiling: None,
            kind: if account.issuance { AccountKind::Issuance } else { AccountKind::Plain },
        }));
        let id = account_id(&at.0, &asset, &account.purpose).to_string();
        if making.names.accounts.insert(account.name.clone(), id).is_some() {
            bail!("two accounts are called `{}`", account.name);
        }
    }
    for name in &bank.calendars {
        let [from, to] = YEARS;
        let calendar =
            Calendar::named(name, from, to).with_context(|| format!("no calendar {name} is known"))?;
        let code: Code = name.parse().with_context(|| format!("{name} is no code"))?;
        making.operations.push(Operation::Calendar(CalendarOp { publisher: at, code, calendar }));
        making.names.calendars.insert(name.clone(), calendar_id(&at, code).to_string());
    }
    if !(-720..=840).contains(&bank.offset_minutes) || bank.cutoff_minutes > 1439 {
        bail!("offset_minutes is -720 to 840, cutoff_minutes 0 to 1439");
    }
    let zone = ZoneRow {
        from: Timestamp(0),
        offset_minutes: bank.offset_minutes,
        cutoff_minutes: bank.cutoff_minutes,
    };
    let genesis = Genesis {
        version: GENESIS_VERSION,
        time: start(bank.start.as_deref())?,
        parameters: Parameters::bank(vm::admission_hash(), vm::prices_hash(), vm::INSTRUMENTER_VERSION),
        validators: ValidatorSet { validators: vec![Validator { bank: at, key: validator }], quorum: 1 },
        zones: vec![(at, zone)],
        operations: making.operations.clone(),
    };
    Ok((genesis, making))
}

fn staff(making: &mut Making, at: PartyId, members: &[Staff]) -> Result<()> {
    let mut operations = 0;
    for member in members {
        let key = making.key(&member.name, member.key.as_ref())?;
        let party = making.party(&member.name, Some(at), PartyKind::Person, key)?;
        for role in &member.roles {
            let role: Role = role.parse().with_context(|| format!("`{role}` of `{}`", member.name))?;
            operations += usize::from(role == Role::Operations);
            making.operations.push(Operation::Role(RoleOp { bank: at, party, role, granted: true }));
        }
    }
    if operations < OPERATIONS_MIN {
        bail!(
            "{operations} of the staff have the role operations, {OPERATIONS_MIN} are needed: what one does, \
             another approves"
        );
    }
    Ok(())
}

fn assets(
    making: &mut Making,
    at: PartyId,
    given: &[Asset],
) -> Result<BTreeMap<String, (AssetId, Currency)>> {
    let mut assets = BTreeMap::new();
    for asset in given {
        let code: Code = asset.code.parse().with_context(|| format!("the asset `{}`", asset.code))?;
        let kind = match asset.kind {
            Kind::Money => AssetKind::Money,
            Kind::Points => AssetKind::Points,
            Kind::Token => AssetKind::Token,
        };
        let (scale, freezable, clawback) = (asset.decimals, asset.freezable, asset.clawback);
        let op = AssetOp { issuer: at, code, scale, kind, freezable, clawback };
        making.names.assets.insert(asset.code.clone(), op.id().to_string());
        assets.insert(asset.code.clone(), (op.id(), Currency { code, scale }));
        making.operations.push(Operation::Asset(op));
    }
    Ok(assets)
}

fn start(given: Option<&str>) -> Result<Timestamp> {
    let Some(text) = given else {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock lies before 1970")?;
        return Ok(Timestamp(u64::try_from(now.as_millis())?));
    };
    if let Ok(date) = text.parse::<Date>() {
        return Ok(date.midnight());
    }
    text.parse().with_context(|| format!("`start` is a day or an instant, `{text}` given"))
}
