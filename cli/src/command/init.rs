//! `tenor init`: a sandbox chain.

use super::{Data, random};
use crate::folder::{Folder, Names};
use crate::keys::VALIDATOR;
use crate::output::Output;
use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;
use tenor_abi::calendar::Calendar;
use tenor_abi::date::Date;
use tenor_abi::id::{Hash, PartyId};
use tenor_abi::money::Code;
use tenor_abi::role::Role;
use tenor_runtime::chain::{GENESIS_VERSION, Genesis};
use tenor_runtime::params::Parameters;
use tenor_runtime::vm;
use tenor_wire::block::{Validator, ValidatorSet};
use tenor_wire::crypto::SecretKey;
use tenor_wire::op::{
    AccountKind, AccountOp, AssetKind, AssetOp, CalendarOp, KeyDef, KeyRole, Operation, PartyKind, PartyOp,
    RoleOp, account_id, calendar_id,
};

/// Lowest balance of the account that money is put into circulation from, in cents.
const FUNDING_FLOOR: i128 = -(10i128.pow(15));

/// `tenor init`.
#[derive(Debug, Args)]
pub struct Init {
    #[command(flatten)]
    data: Data,
    /// First day of the sandbox.
    #[arg(long, default_value = "2026-01-01")]
    start: String,
}

/// A secret of the operating system's randomness, with its key.
pub(super) fn fresh_key() -> Result<([u8; 32], SecretKey)> {
    let bytes = random()?;
    let key = SecretKey::from_bytes(&bytes).context("the random bytes are no key; try again")?;
    Ok((bytes, key))
}

/// Makes a party with random id and commitments.
pub(super) fn party_op(home: Option<PartyId>, kind: PartyKind, key: &SecretKey) -> Result<PartyOp> {
    let party = PartyId(random()?);
    let key = KeyDef { public: key.public(), role: KeyRole::Device, expires_at: None, limits: None };
    Ok(PartyOp {
        party,
        home: home.unwrap_or(party),
        kind,
        person: Hash(random()?),
        name: Hash(random()?),
        key,
    })
}

impl Init {
    /// The folder that is made.
    pub(super) fn data(&self) -> &Data {
        &self.data
    }

    /// Makes the folder.
    ///
    /// # Errors
    /// When it is there already or the disk says no.
    pub fn run(self, output: &mut Output<'_>) -> Result<()> {
        self.data.remote.none("`tenor init` makes a folder here, and `tenor node run` serves it")?;
        let start: Date = self.start.parse()?;
        let mut keys = vec![];
        let mut key = |name: &str| -> Result<SecretKey> {
            let (bytes, key) = fresh_key()?;
            keys.push((name.to_string(), bytes));
            Ok(key)
        };
        let validator = key(VALIDATOR)?;
        let bank = party_op(None, PartyKind::Bank, &key("bank")?)?;
        let officer = party_op(Some(bank.party), PartyKind::Person, &key("officer")?)?;
        let manager = party_op(Some(bank.party), PartyKind::Person, &key("manager")?)?;
        let (at, target) = (bank.party, Code::of("TARGET"));
        let role = |party: &PartyOp, role| {
            Operation::Role(RoleOp { bank: at, party: party.party, role, granted: true })
        };
        let asset = AssetOp {
            issuer: at,
            code: Code::of("EUR"),
            scale: 2,
            kind: AssetKind::Money,
            freezable: true,
            clawback: false,
        };
        let eur = asset.id();
        let account = |purpose: &str, floor, kind| {
            Operation::Account(AccountOp {
                owner: at,
                asset: eur,
                purpose: purpose.into(),
                floor,
                ceiling: None,
                kind,
            })
        };
        let calendar = Calendar::named("TARGET", 2000, 2099).context("TARGET is a known calendar")?;
        let names = Names {
            parties: [("bank", &bank), ("officer", &officer), ("manager", &manager)]
                .map(|(n, p)| (n.to_string(), p.party.to_string()))
                .into(),
            accounts: [("bank", "main"), ("funding", "funding")]
                .map(|(n, p)| (n.to_string(), account_id(&at.0, &eur, p).to_string()))
                .into(),
            assets: [("EUR".to_string(), eur.to_string())].into(),
            calendars: [("TARGET".to_string(), calendar_id(&at, target).to_string())].into(),
            ..Names::default()
        };
        let genesis = Genesis {
            version: GENESIS_VERSION,
            time: start.midnight(),
            parameters: Parameters::sandbox(
                vm::admission_hash(),
                vm::prices_hash(),
                vm::INSTRUMENTER_VERSION,
            ),
            validators: ValidatorSet {
                validators: vec![Validator { bank: at, key: validator.public() }],
                quorum: 1,
            },
            zones: vec![],
            operations: vec![
                Operation::Party(bank),
                Operation::Party(officer.clone()),
                Operation::Party(manager.clone()),
                role(&officer, Role::LoanOfficer),
                role(&officer, Role::Operations),
                role(&officer, Role::ProductManager),
                role(&manager, Role::CreditManager),
                role(&manager, Role::Operations),
                Operation::Asset(asset),
                account("main", 0, AccountKind::Plain),
                account("funding", FUNDING_FLOOR, AccountKind::Issuance),
                Operation::Calendar(CalendarOp { publisher: at, code: target, calendar }),
            ],
        };
        Folder::create(&self.data.data, &genesis, &keys, &names, None)?;
        let chain = genesis.chain_id().to_string();
        let text = format!(
            "a sandbox chain in {}\nchain    {chain}\nkeys     bank, officer, manager\naccounts bank, funding\n\
             sandbox keys lie unencrypted in {}; use them for nothing else",
            self.data.data.display(),
            self.data.data.join("keys").display()
        );
        output.result(
            &json!({ "chain": chain, "keys": ["bank", "officer", "manager"], "start": start.to_string() }),
            &text,
        )
    }
}
