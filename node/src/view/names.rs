//! Names that a bank has given to ids.

use super::words::Unnamed;
use crate::near;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tenor_abi::id::{AssetId, PartyId};
use tenor_wire::op::account_id;

/// Names that stand for ids at this bank; they belong to its vault and never enter the chain.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Names {
    /// Name of a key's party to the party's id.
    pub parties: BTreeMap<String, String>,
    /// Name of a key's party to its main account.
    pub accounts: BTreeMap<String, String>,
    /// Name to agreement id.
    pub agreements: BTreeMap<String, String>,
    /// Code to asset id.
    pub assets: BTreeMap<String, String>,
    /// Code to calendar id.
    pub calendars: BTreeMap<String, String>,
}

impl Names {
    /// The id that a name stands for, asked as `kind:name`: a party's name for the party or its main account,
    /// `name/purpose` for another of its euro accounts.
    pub fn lookup(&self, asked: &str) -> Option<String> {
        let (kind, name) = asked.split_once(':')?;
        match kind {
            "party" => self.parties.get(name).cloned(),
            "account" => self.accounts.get(name).cloned().or_else(|| self.account_for(name)),
            "agreement" => self.agreements.get(name).cloned(),
            "calendar" => self.calendars.get(name).cloned(),
            "asset" => self.assets.get(name).cloned(),
            _ => None,
        }
    }

    /// The account that `name/purpose` means: its id follows from owner, asset and purpose.
    fn account_for(&self, asked: &str) -> Option<String> {
        let (name, purpose) = asked.split_once('/')?;
        let owner: PartyId = self.parties.get(name)?.parse().ok()?;
        let asset: AssetId = self.assets.get("EUR")?.parse().ok()?;
        Some(account_id(&owner.0, &asset, purpose).to_string())
    }

    /// An error about words, with a near match where one of them names nothing.
    pub fn hint(&self, error: anyhow::Error) -> anyhow::Error {
        let near = error
            .downcast_ref::<Unnamed>()
            .map(|unnamed| near::hint(&unnamed.text, self.known(unnamed.kind).into_iter()));
        match near {
            Some(near) => anyhow::anyhow!("{error:#}{near}"),
            None => error,
        }
    }

    /// A text in which known ids are replaced by `kind name`.
    pub fn named(&self, text: String) -> String {
        let kinds = [
            ("party", &self.parties),
            ("account", &self.accounts),
            ("agreement", &self.agreements),
            ("asset", &self.assets),
            ("calendar", &self.calendars),
        ];
        let known =
            kinds.into_iter().flat_map(|(kind, names)| names.iter().map(move |(name, id)| (kind, name, id)));
        known.fold(text, |text, (kind, name, id)| text.replace(id.as_str(), &format!("{kind} {name}")))
    }

    /// The names that there are of a kind, as [`Names::lookup`] knows them.
    pub fn known(&self, kind: &str) -> Vec<&str> {
        let of = match kind {
            "party" => &self.parties,
            "account" => &self.accounts,
            "agreement" => &self.agreements,
            "calendar" => &self.calendars,
            "asset" => &self.assets,
            _ => return vec![],
        };
        of.keys().map(String::as_str).collect()
    }
}
