//! Accounts: balances now and then, postings, statements.

use super::problem::{self, Problem};
use super::reading::{At, Cursor, PageAsked, PageOfParty, Reader, Reads, Wants, rows_of, stamped};
use super::shapes;
use super::strict::{Asked, Part, numbered};
use crate::view::statement::{self, Asked as StatementAsked};
use crate::view::{Missing, Shown, show};
use axum::Json;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value as Document, json};
use tenor_abi::date::{Date, DateError};
use tenor_abi::entry::Side;
use tenor_abi::id::AccountId;
use tenor_abi::money::Decimal;
use tenor_runtime::chain::Chain;
use tenor_runtime::state::record::{AccountOfRow, AccountRecord, HistoryRecord, key};
use utoipa::IntoParams;

/// The account of a path that the caller may see.
pub fn seen(reader: &Reader, asked: &str) -> Result<(AccountId, AccountRecord), Problem> {
    let id: AccountId = reader.id("account", asked)?;
    let record: Option<AccountRecord> = reader.chain().record(&id.0)?;
    let sees = reader.caller.sees_account(reader.chain(), &id)?;
    Ok((id, record.filter(|_| sees).ok_or_else(|| Missing::of(&id))?))
}

/// Accounts: a customer's own, or all, or those of a party.
#[utoipa::path(
    get, path = "/v1/accounts", tag = "accounts", params(PageOfParty),
    responses((status = 200, description = "A page of accounts", body = shapes::Accounts)))]
pub async fn list(reads: Reads, Asked(asked): Asked<PageOfParty>) -> Result<Json<Document>, Problem> {
    reads
        .json(move |reader| match asked.party(reader)? {
            Some(party) => {
                asked.page().page::<AccountOfRow>(reader, &party.0, "accounts", |chain, row, _| {
                    let id = AccountId(owned(row)?);
                    let record: Option<AccountRecord> = chain.record(&id.0)?;
                    Ok(record.map(|record| show::account_document(chain, id, &record)).transpose()?)
                })
            }
            None => asked.page().page::<AccountRecord>(reader, &[], "accounts", |chain, row, record| {
                let id =
                    row.first_chunk().ok_or_else(|| Problem::new(problem::BROKEN, "a row is too short"))?;
                Ok(Some(show::account_document(chain, AccountId(*id), &record)?))
            }),
        })
        .await
}

/// The second id of a row that pairs an owner with what it owns.
pub fn owned(row: &[u8]) -> Result<[u8; 32], Problem> {
    let id = row.get(32..).and_then(|id| id.try_into().ok());
    id.ok_or_else(|| Problem::new(problem::BROKEN, "a row does not pair two ids"))
}

/// An account's balance and limits, now or as of an earlier block or day.
#[utoipa::path(
    get, path = "/v1/accounts/{id}", tag = "accounts", params(("id" = String, Path, description = "Its id"), At),
    responses((status = 200, description = "The account", body = shapes::AccountTold)))]
pub async fn get(
    reads: Reads,
    wants: Wants,
    Part(asked): Part<String>,
    Asked(at): Asked<At>,
) -> Result<Response, Problem> {
    reads
        .of(move |reader| {
            let (id, record) = seen(reader, &asked)?;
            let shown = match (at.at, wants.text()) {
                // Balances of any age follow from the account's history alone.
                (Some(at), _) => show::account_at(reader.chain(), id, reader.height(&at)?)?,
                (None, true) => show::account(reader.chain(), &reader.names, id)?,
                (None, false) => Shown {
                    document: show::account_document(reader.chain(), id, &record)?,
                    text: String::new(),
                },
            };
            Ok(wants.answer(shown, reader.chain()))
        })
        .await
}

/// Postings of an account, the newest first, each with the balance after it.
#[utoipa::path(
    get, path = "/v1/accounts/{id}/entries", tag = "accounts",
    params(("id" = String, Path, description = "The account's id"), PageAsked),
    responses((status = 200, description = "A page of postings", body = shapes::AccountEntries)))]
pub async fn entries(
    reads: Reads,
    Part(asked): Part<String>,
    Asked(page): Asked<PageAsked>,
) -> Result<Json<Document>, Problem> {
    reads.json(move |reader| {
        let (id, _) = seen(reader, &asked)?;
        let list = [b"entries", &id.0[..]].concat();
        let (standing, behind) = page.place(reader, &list)?;
        let (chain, limit) = (standing.chain(), page.rows()?);
        let record: AccountRecord = chain.record(&id.0)?.ok_or_else(|| Missing::of(&id))?;
        let mut left = match behind.as_slice() {
            [] => record.history_count,
            bytes => place(bytes, page.cursor.as_deref())?.min(record.history_count),
        };
        let decimal = |minor: i128| Decimal(minor, record.currency.scale).to_string();
        let mut rows = vec![];
        while left > 0 && rows.len() < limit {
            left -= 1;
            let row: Option<HistoryRecord> = chain.record(&key::history(&id, left))?;
            let row = row.ok_or_else(|| Problem::new(problem::BROKEN, "a posting is missing"))?;
            let amount = if row.side == Side::Debit { -(row.amount as i128) } else { row.amount as i128 };
            rows.push(json!({
                "sequence": left, "entry": row.entry.to_string(), "height": row.height,
                "booked_at": row.booked_at.to_string(), "value_date": row.value_date.to_string(),
                "amount": decimal(amount), "balance": decimal(row.credits_posted as i128 - row.debits_posted as i128),
                "currency": record.currency.code.to_string(),
            }));
        }
        let next = (left > 0).then(|| Cursor { height: chain.tip().height, behind: left.to_be_bytes().to_vec() }.text(&list));
        Ok(stamped(json!({ "account": id.to_string(), "entries": rows, "next": next }), chain))
    }).await
}

/// The posting that a cursor names.
fn place(behind: &[u8], cursor: Option<&str>) -> Result<u64, Problem> {
    let place = behind.try_into().map(u64::from_be_bytes);
    place.map_err(|_| Cursor::wrong(cursor.unwrap_or_default()))
}

/// Most postings that a request looks through for a statement by value date.
const LOOKED_THROUGH_MAX: u64 = 10_000;

/// What a statement is about.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct StatementQuery {
    /// First day, by value date.
    #[param(format = Date)]
    from: Option<String>,
    /// Last day, by value date.
    #[param(format = Date)]
    to: Option<String>,
    /// Only what was booked by then: a height, a day or an instant.
    at: Option<String>,
    /// So many of the newest lines, 1 to 200; 50 where nobody says.
    #[serde(default, deserialize_with = "numbered")]
    #[param(minimum = 1, maximum = 200)]
    newest: Option<usize>,
    /// Where the page goes on: what one before gave as `next`, of the same statement.
    cursor: Option<String>,
}

fn day(given: Option<&str>) -> Result<Option<Date>, Problem> {
    let wrong = |text, error| Problem::new(problem::BAD_QUERY, error).given(text, "a day like 2026-01-31");
    given.map(|text| text.parse().map_err(|error: DateError| wrong(text, error))).transpose()
}

/// A page of a statement, the newest lines first, each page's oldest line first: as booked, or by value date with the
/// balance before and after, where days or a block are named.
#[utoipa::path(
    get, path = "/v1/accounts/{id}/statement", tag = "accounts",
    params(("id" = String, Path, description = "The account's id"), StatementQuery),
    responses((status = 200, description = "The statement", body = shapes::StatementTold)))]
pub async fn statement(
    reads: Reads,
    wants: Wants,
    Part(asked): Part<String>,
    Asked(query): Asked<StatementQuery>,
) -> Result<Response, Problem> {
    reads
        .of(move |reader| {
            let (id, _) = seen(reader, &asked)?;
            let newest = rows_of("newest", query.newest)?;
            let lines = format!("{:?}", (&query.from, &query.to, &query.at));
            let list = [b"statement", &id.0[..], lines.as_bytes()].concat();
            let cursor = query.cursor.as_deref().map(|text| Cursor::read(text, &list)).transpose()?;
            let end =
                cursor.as_ref().map(|cursor| place(&cursor.behind, query.cursor.as_deref())).transpose()?;
            let (from, to) = (day(query.from.as_deref())?, day(query.to.as_deref())?);
            let height = cursor.map_or_else(|| reader.chain().tip().height, |cursor| cursor.height);
            let standing = reader.at_height(height)?;
            let chain = standing.chain();
            let at = query.at.as_deref().map(|at| reader.height(at)).transpose()?;
            let (mut shown, next) = if from.is_none() && to.is_none() && at.is_none() {
                statement::booked_page(chain, &reader.names, id, (end, newest as u64))?
            } else {
                by_value_date(
                    chain,
                    id,
                    StatementAsked { from, to, at, newest: Some(newest), end: end.map(|end| end as usize) },
                )?
            };
            let next = next.map(|next| Cursor { height, behind: next.to_be_bytes().to_vec() }.text(&list));
            shown.document["next"] = json!(next);
            Ok(wants.answer(shown, chain))
        })
        .await
}

fn by_value_date(
    chain: &Chain,
    id: AccountId,
    asked: StatementAsked,
) -> Result<(Shown, Option<u64>), Problem> {
    let (first, last) =
        (asked.from.unwrap_or(Date::MIN), asked.to.unwrap_or_else(|| chain.tip().time.date()));
    if first > last {
        return Err(Problem::new(
            problem::BAD_QUERY,
            format!("a statement from {first} to {last} has no day"),
        ));
    }
    let looked = statement::looked_through(chain, id, first, asked.at.unwrap_or(chain.tip().height))?;
    if looked > LOOKED_THROUGH_MAX {
        let why =
            "too many postings lie between; name a later `from` or an earlier `at`, or ask for `entries`";
        return Err(
            Problem::new(problem::BAD_QUERY, why).given(looked, format!("at most {LOOKED_THROUGH_MAX}"))
        );
    }
    let shown = statement::by_value_date(chain, id, asked)?.0;
    let in_all = shown.document["lines_in_all"].as_u64().unwrap_or_default();
    let end = asked.end.map_or(in_all, |end| in_all.min(end as u64));
    let next = end.saturating_sub(asked.newest.unwrap_or(usize::MAX) as u64);
    Ok((shown, (next > 0).then_some(next)))
}
