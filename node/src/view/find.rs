//! Things by what people call them: a name that the bank gave, or an id.

use super::Missing;
use super::names::Names;
use crate::near;
use anyhow::{Context, Result};
use std::str::FromStr;
use tenor_abi::id::{AccountId, AgreementId, CodeHash, IdError, PartyId};
use tenor_runtime::chain::Chain;
use tenor_runtime::state::record::ContractRecord;

fn find<T: FromStr<Err = IdError>>(names: &Names, kind: &str, asked: &str) -> Result<T> {
    let id = names.lookup(&format!("{kind}:{asked}")).unwrap_or_else(|| asked.to_string());
    id.parse().map_err(|error| {
        let near = near::hint(asked, names.known(kind).into_iter());
        Missing(format!("there is no {kind} `{asked}`{near}: {error}")).into()
    })
}

/// The account of a name, a name and purpose, or an id.
///
/// # Errors
/// [`Missing`], with a near match.
pub fn find_account(names: &Names, asked: &str) -> Result<AccountId> {
    find(names, "account", asked)
}

/// The agreement of a name or an id.
///
/// # Errors
/// [`Missing`], with a near match.
pub fn find_agreement(names: &Names, asked: &str) -> Result<AgreementId> {
    find(names, "agreement", asked)
}

/// The party of a name or an id.
///
/// # Errors
/// [`Missing`], with a near match.
pub fn find_party(names: &Names, asked: &str) -> Result<PartyId> {
    find(names, "party", asked)
}

/// The code of a contract by name, name@version or code; the newest version where none is named.
///
/// # Errors
/// [`Missing`], with a near match.
pub fn find_contract(chain: &Chain, asked: &str) -> Result<CodeHash> {
    if let Ok(code) = asked.parse() {
        return Ok(code);
    }
    let mut all = vec![];
    for (code, record) in chain.records::<ContractRecord>(&[])? {
        let code = CodeHash(code.as_slice().try_into().context("a contract's key is its code")?);
        all.push((record.name.clone(), record.version, code));
    }
    all.sort();
    let found =
        all.iter().rev().find(|(name, version, _)| name == asked || format!("{name}@{version}") == asked);
    match found {
        Some((_, _, code)) => Ok(*code),
        None => {
            let known = all.iter().map(|(name, _, _)| name.as_str());
            Err(Missing(format!("there is no contract `{asked}`{}", near::hint(asked, known))).into())
        }
    }
}
