//! A party: its keys, roles, accounts and agreements.

use super::table::Table;
use super::{Missing, Shown, reading};
use anyhow::{Context, Result};
use serde_json::{Value as Json, json};
use tenor_abi::id::{AccountId, AgreementId, PartyId};
use tenor_abi::money::Decimal;
use tenor_abi::role::Role;
use tenor_runtime::chain::Chain;
use tenor_runtime::state::Record;
use tenor_runtime::state::record::{
    AccountOfRow, AccountRecord, AgreementOfRow, AssetRecord, KeyRecord, KeySpentRecord, PartyRecord,
    RoleRecord, key,
};

/// The second id of a row that pairs an owner with what it owns.
fn owned(row: &[u8]) -> Result<[u8; 32]> {
    row.get(32..).and_then(|id| id.try_into().ok()).context("a row does not pair two ids")
}

fn roles(chain: &Chain, bank: &PartyId, party: &PartyId) -> Result<Vec<&'static str>> {
    let mut held = vec![];
    for role in Role::ALL {
        if chain.record::<RoleRecord>(&key::role(bank, party, role))?.is_some() {
            held.push(role.name());
        }
    }
    Ok(held)
}

/// What a key may move, and what it has moved on the day that it last did, as a document and in words.
fn limits(chain: &Chain, row: &[u8], record: &KeyRecord) -> Result<(Json, String)> {
    let Some(limits) = &record.limits else { return Ok((Json::Null, "none".into())) };
    let spent: Option<KeySpentRecord> = chain.record(row)?;
    let (mut documents, mut texts) = (vec![], vec![]);
    for limit in limits {
        let asset: Option<AssetRecord> = chain.record(&limit.asset.0)?;
        let asset = asset.with_context(|| format!("{} is missing", limit.asset))?;
        let amount = |minor: u128| {
            let minor = i128::try_from(minor).unwrap_or(i128::MAX);
            format!("{} {}", Decimal(minor, asset.scale), asset.code)
        };
        let moved = spent.as_ref().map(|kept| {
            let sum = kept.spent.iter().find(|(other, _)| *other == limit.asset).map_or(0, |(_, sum)| *sum);
            json!({ "day": kept.day.to_string(), "amount": amount(sum) })
        });
        documents.push(json!({
            "asset": limit.asset.to_string(), "per_payment": amount(limit.per_payment),
            "per_day": amount(limit.per_day), "moved": moved,
        }));
        texts.push(format!("{} a payment, {} a day", amount(limit.per_payment), amount(limit.per_day)));
    }
    let text = if texts.is_empty() { "moves nothing".into() } else { texts.join("; ") };
    Ok((json!(documents), text))
}

/// At most so many rows of a kind that begin with a party's id, and whether there are more.
fn some<R: Record>(chain: &Chain, party: &PartyId, most: usize) -> Result<(Vec<Vec<u8>>, bool)> {
    let (mut from, end) =
        (R::KIND.full_key(&party.0), R::KIND.full_key(&[&party.0[..], &[0xff; 33]].concat()));
    let (state, mut rows) = (chain.state(), vec![]);
    while let Some((full, _)) = state.next_row(&from, &end)? {
        if rows.len() == most {
            return Ok((rows, true));
        }
        rows.push(full[1..].to_vec());
        from = [full.as_slice(), &[0]].concat();
    }
    Ok((rows, false))
}

/// A party: its keys, roles, accounts and agreements, of either at most so many.
///
/// # Errors
/// [`Missing`] when there is none.
pub fn party(chain: &Chain, id: PartyId, most: usize) -> Result<Shown> {
    let record: PartyRecord = chain.record(&id.0)?.ok_or_else(|| Missing::of(&id))?;
    let roles = roles(chain, &record.home, &id)?;
    let mut keys = Table::new(&["key", "where", "ends", "limits"]);
    let mut key_documents = vec![];
    for (row, record) in chain.records::<KeyRecord>(&id.0)? {
        let number = row.get(32..34).and_then(|n| n.try_into().ok()).map_or(0, u16::from_be_bytes);
        let place = format!("{:?}", record.role).to_lowercase();
        let ends = record.revoked_at.or(record.expires_at).map(|end| end.to_string());
        let (limits, text) = limits(chain, &row, &record)?;
        key_documents.push(json!({ "key": number, "where": place, "ends": ends, "limits": limits }));
        keys.row(vec![number.to_string(), place, ends.unwrap_or_else(|| "never".into()), text]);
    }
    let mut accounts = Table::new(&["account", "purpose", "balance", "currency"]);
    let mut account_documents = vec![];
    let (rows, more_accounts) = some::<AccountOfRow>(chain, &id, most)?;
    for row in rows {
        let account = AccountId(owned(&row)?);
        let record: AccountRecord =
            chain.record(&account.0)?.with_context(|| format!("{account} is missing"))?;
        let balance = Decimal(record.balance(), record.currency.scale).to_string();
        let code = record.currency.code.to_string();
        account_documents.push(json!({
            "account": account.to_string(), "purpose": record.purpose, "balance": balance, "currency": code,
        }));
        accounts.row(vec![account.to_string(), record.purpose.to_string(), balance, code]);
    }
    let mut agreements = Table::new(&["agreement", "contract", "state"]);
    let mut agreement_documents = vec![];
    let (rows, more_agreements) = some::<AgreementOfRow>(chain, &id, most)?;
    for row in rows {
        let agreement = AgreementId(owned(&row)?);
        let (record, spec) = reading::agreement(chain, &agreement)?;
        let (contract, state) = (format!("{}@{}", spec.name, spec.version), spec.state_name(record.state));
        agreement_documents.push(json!({
            "agreement": agreement.to_string(), "contract": contract, "state": state,
        }));
        agreements.row(vec![agreement.to_string(), contract, state.to_string()]);
    }
    let kind = format!("{:?}", record.kind).to_lowercase();
    let document = json!({
        "party": id.to_string(), "kind": kind, "home": record.home.to_string(), "roles": roles,
        "keys": key_documents, "accounts": account_documents, "agreements": agreement_documents,
        "more": more_accounts || more_agreements,
    });
    let held = if roles.is_empty() { "no role".to_string() } else { roles.join(", ") };
    let mut text = format!("{id}\n{kind} of {}, {held}\n\n{keys}", record.home);
    for (table, rows) in [(&accounts, account_documents.len()), (&agreements, agreement_documents.len())] {
        if rows > 0 {
            text += &format!("\n{table}");
        }
    }
    Ok(Shown { document, text })
}
