//! What there is on the chain: contracts, assets, calendars, parties, proposals, and lists for the bank.

use super::Api;
use super::caller::Caller;
use super::problem::{self, Problem};
use super::reading::{PAGE_MAX, PageAsked, Reader, Reads, Wants, id, stamped};
use super::shapes;
use super::strict::{Asked, Nothing, Number, Part};
use crate::view::find::find_contract;
use crate::view::list::{Listed, What, table};
use crate::view::{Missing, Shown, party, proposal, reading, show};
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Value as Document, json};
use std::sync::Arc;
use tenor_abi::date::Date;
use tenor_abi::id::{AssetId, CalendarId, CodeHash, PartyId, ProposalId};
use tenor_runtime::state::record::{
    AccountRecord, AgreementRecord, AssetRecord, CalendarRecord, CodeRecord, ContractRecord, HoldRecord,
    PartyRecord, ProposalRecord, ScheduleRecord,
};
use tenor_wire::op::Published;

fn short() -> Problem {
    Problem::new(problem::BROKEN, "a row is too short")
}

/// Published contracts.
#[utoipa::path(
    get, path = "/v1/contracts", tag = "catalogue", params(PageAsked),
    responses((status = 200, description = "A page of contracts", body = shapes::Contracts)))]
pub async fn contracts(reads: Reads, Asked(asked): Asked<PageAsked>) -> Result<Json<Document>, Problem> {
    reads
        .json(move |reader| {
            asked.page::<ContractRecord>(reader, &[], "contracts", |_, row, record| {
                let code = CodeHash(*row.first_chunk().ok_or_else(short)?);
                Ok(Some(json!({
                    "code": code.to_string(), "name": record.name, "version": record.version.to_string(),
                    "bank": record.bank.to_string(), "height": record.height,
                })))
            })
        })
        .await
}

fn code_of(reader: &Reader, asked: &str) -> Result<CodeHash, Problem> {
    match asked.starts_with("code1") {
        true => id(asked),
        false => Ok(find_contract(reader.chain(), asked)?),
    }
}

/// A contract: its terms and calls. It is named by its code, `name`, or `name@version`.
#[utoipa::path(
    get, path = "/v1/contracts/{code}", tag = "catalogue", params(("code" = String, Path, description = "Its code or name")),
    responses((status = 200, description = "The contract", body = shapes::Contract)))]
pub async fn contract(
    reads: Reads,
    wants: Wants,
    Part(asked): Part<String>,
    Asked(_): Asked<Nothing>,
) -> Result<Response, Problem> {
    reads
        .of(move |reader| {
            let shown = show::contract(reader.chain(), code_of(reader, &asked)?)?;
            Ok(wants.answer(shown, reader.chain()))
        })
        .await
}

/// A contract's spec in its canonical bytes, by which terms, arguments and events are encoded.
#[utoipa::path(
    get, path = "/v1/contracts/{code}/spec", tag = "catalogue",
    params(("code" = String, Path, description = "Its code or name")),
    responses((status = 200, description = "The spec", body = Vec<u8>, content_type = "application/octet-stream")))]
pub async fn spec(
    reads: Reads,
    Part(asked): Part<String>,
    Asked(_): Asked<Nothing>,
) -> Result<Response, Problem> {
    reads
        .bytes(move |reader| {
            let code = code_of(reader, &asked)?;
            Ok(tenor_abi::codec::encode(&reading::spec(reader.chain(), &code)?))
        })
        .await
}

/// A contract's module with the bank that published it, in their canonical bytes: all that its code is the hash of, and
/// what a client reads terms and arguments by without trusting the node.
#[utoipa::path(
    get, path = "/v1/contracts/{code}/published", tag = "catalogue",
    params(("code" = String, Path, description = "Its code or name")),
    responses((status = 200, description = "Bank and module", body = Vec<u8>, content_type = "application/octet-stream")))]
pub async fn published(
    reads: Reads,
    Part(asked): Part<String>,
    Asked(_): Asked<Nothing>,
) -> Result<Response, Problem> {
    reads
        .bytes(move |reader| {
            let (chain, code) = (reader.chain(), code_of(reader, &asked)?);
            let missing = || Missing(format!("there is no contract {code}"));
            let record: ContractRecord = chain.record(&code.0)?.ok_or_else(missing)?;
            let CodeRecord { wasm } = chain.record(&code.0)?.ok_or_else(missing)?;
            Ok(tenor_abi::codec::encode(&Published { bank: record.bank, wasm }))
        })
        .await
}

fn asset_document(id: AssetId, record: &AssetRecord) -> Document {
    json!({
        "asset": id.to_string(), "code": record.code.to_string(), "scale": record.scale,
        "issuer": record.issuer.to_string(), "kind": format!("{:?}", record.kind).to_lowercase(),
        "freezable": record.freezable, "clawback": record.clawback,
    })
}

/// Assets.
#[utoipa::path(
    get, path = "/v1/assets", tag = "catalogue", params(PageAsked),
    responses((status = 200, description = "A page of assets", body = shapes::Assets)))]
pub async fn assets(reads: Reads, Asked(asked): Asked<PageAsked>) -> Result<Json<Document>, Problem> {
    reads
        .json(move |reader| {
            asked.page::<AssetRecord>(reader, &[], "assets", |_, row, record| {
                Ok(Some(asset_document(AssetId(*row.first_chunk().ok_or_else(short)?), &record)))
            })
        })
        .await
}

/// An asset.
#[utoipa::path(
    get, path = "/v1/assets/{id}", tag = "catalogue", params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "The asset", body = shapes::Asset)))]
pub async fn asset(
    reads: Reads,
    Part(asked): Part<String>,
    Asked(_): Asked<Nothing>,
) -> Result<Json<Document>, Problem> {
    reads
        .json(move |reader| {
            let id: AssetId = reader.id("asset", &asked)?;
            let record: AssetRecord = reader.chain().record(&id.0)?.ok_or_else(|| Missing::of(&id))?;
            Ok(stamped(asset_document(id, &record), reader.chain()))
        })
        .await
}

/// Calendars.
#[utoipa::path(
    get, path = "/v1/calendars", tag = "catalogue", params(PageAsked),
    responses((status = 200, description = "A page of calendars", body = shapes::Calendars)))]
pub async fn calendars(reads: Reads, Asked(asked): Asked<PageAsked>) -> Result<Json<Document>, Problem> {
    reads
        .json(move |reader| {
            asked.page::<CalendarRecord>(reader, &[], "calendars", |_, row, record| {
                let id = CalendarId(*row.first_chunk().ok_or_else(short)?);
                let (publisher, code) = (record.publisher.to_string(), record.code.to_string());
                Ok(Some(json!({ "calendar": id.to_string(), "code": code, "publisher": publisher })))
            })
        })
        .await
}

/// A calendar: whether each day of a year is a business day, as the list of days that are none, weekends apart.
#[utoipa::path(
    get, path = "/v1/calendars/{id}/{year}", tag = "catalogue",
    params(("id" = String, Path, description = "Its id"), ("year" = i32, Path, description = "The year")),
    responses((status = 200, description = "The holidays", body = shapes::CalendarYear)))]
pub async fn calendar(
    reads: Reads,
    Part((asked, Number(year))): Part<(String, Number<i32>)>,
    Asked(_): Asked<Nothing>,
) -> Result<Json<Document>, Problem> {
    reads
        .json(move |reader| {
            let id: CalendarId = reader.id("calendar", &asked)?;
            let record: CalendarRecord = reader.chain().record(&id.0)?.ok_or_else(|| Missing::of(&id))?;
            let first = Date::new(year, 1, 1).map_err(|error| Problem::new(problem::BAD_ID, error))?;
            let mut closed = vec![];
            for day in (0..366).map(|days| first.add_days(days)).take_while(|day| day.year() == year) {
                let weekday = day.weekday().name();
                match record.calendar.is_business_day(day) {
                    Ok(true) => {}
                    Ok(false) => closed.push(json!({ "date": day.to_string(), "weekday": weekday })),
                    Err(error) => return Err(Missing(error.to_string()).into()),
                }
            }
            let code = record.code.to_string();
            Ok(stamped(
                json!({ "calendar": id.to_string(), "code": code, "year": year, "closed": closed }),
                reader.chain(),
            ))
        })
        .await
}

/// A party: keys, roles, the first of its accounts and agreements; all of them are in `/v1/accounts?party=` and
/// `/v1/agreements?party=`.
#[utoipa::path(
    get, path = "/v1/parties/{id}", tag = "catalogue", params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "The party", body = shapes::Party)))]
pub async fn get_party(
    reads: Reads,
    wants: Wants,
    Part(asked): Part<String>,
    Asked(_): Asked<Nothing>,
) -> Result<Response, Problem> {
    reads
        .of(move |reader| {
            let id: PartyId = reader.id("party", &asked)?;
            if !reader.caller.sees_party(&id) {
                return Err(Missing::of(&id).into());
            }
            Ok(wants.answer(party::party(reader.chain(), id, PAGE_MAX)?, reader.chain()))
        })
        .await
}

/// An open proposal, with everything that it would do. The bank sees all, a customer what the customer proposed.
#[utoipa::path(
    get, path = "/v1/proposals/{id}", tag = "catalogue", params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "The proposal", body = shapes::Proposal)))]
pub async fn get_proposal(
    reads: Reads,
    wants: Wants,
    Part(asked): Part<String>,
    Asked(_): Asked<Nothing>,
) -> Result<Response, Problem> {
    reads
        .of(move |reader| {
            let id: ProposalId = id(&asked)?;
            if !reader.caller.sees_proposal(reader.chain(), &id)? {
                return Err(Missing(format!(
                    "there is no open {id}; it was approved, withdrawn or never made"
                ))
                .into());
            }
            Ok(wants.answer(proposal::proposal(reader.chain(), &reader.names, id)?, reader.chain()))
        })
        .await
}

/// A page of a list as the command shows it: agreements, accounts, contracts, parties, proposals, schedules, holds. The
/// bank's alone.
#[utoipa::path(
    get, path = "/v1/lists/{what}", tag = "catalogue", params(("what" = String, Path, description = "Of what"), PageAsked),
    responses((status = 200, description = "A page of the list", body = shapes::ListShown)))]
pub async fn lists(
    State(api): State<Arc<Api>>,
    caller: Caller,
    wants: Wants,
    Part(asked): Part<String>,
    Asked(page): Asked<PageAsked>,
) -> Result<Response, Problem> {
    caller.needs(crate::access::Scope::Bank)?;
    let found = api.read(caller, move |reader| {
        let what = What::ALL.iter().find(|(name, _)| *name == asked).map(|(_, what)| *what);
        let near = || crate::near::hint(&asked, What::ALL.iter().map(|(name, _)| *name));
        let what = what.ok_or_else(|| Missing(format!("there is no list of `{asked}`{}", near())))?;
        let shown = match what {
            What::Agreements => listed::<AgreementRecord>(reader, &page),
            What::Accounts => listed::<AccountRecord>(reader, &page),
            What::Contracts => listed::<ContractRecord>(reader, &page),
            What::Parties => listed::<PartyRecord>(reader, &page),
            What::Proposals => listed::<ProposalRecord>(reader, &page),
            What::Schedules => listed::<ScheduleRecord>(reader, &page),
            What::Holds => listed::<HoldRecord>(reader, &page),
        }?;
        Ok(wants.made(shown))
    });
    found.await
}

fn listed<R: Listed>(reader: &Reader, page: &PageAsked) -> Result<Shown, Problem> {
    let mut document = page.page::<R>(reader, &[], "list", |chain, key, record| {
        Ok(Some(record.row(chain, &reader.names, key)?))
    })?;
    document["height"] = document["as_of"]["height"].clone();
    let text = table::<R>(document["list"].as_array().map_or(&[], Vec::as_slice)).to_string();
    Ok(Shown { document, text })
}
