//! The chain as it is kept: rows of the state, blocks and the genesis document in their canonical bytes. Whoever has
//! them can do with the chain what its folder allows but make blocks.

use super::Api;
use super::caller::Caller;
use super::problem::{self, Problem};
use super::reading::{Reader, Reads, stamped};
use super::shapes;
use super::strict::{Asked, Nothing, Number, Part, numbered};
use super::transactions::binary;
use crate::access::Scope;
use crate::view::{Missing, check_made};
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value as Document, json};
use std::sync::Arc;
use tenor_abi::codec;
use tenor_abi::id::{AccountId, AgreementId, PartyId};
use tenor_runtime::chain::{Chain, Genesis, Replica};
use tenor_runtime::fault::Fault;
use tenor_runtime::state::Kind;
use tenor_runtime::store::Row;
use tenor_wire::block::Block;
use tenor_wire::hexadecimal::{hex, unhex};
use tenor_wire::proof::Checkpoint;
use utoipa::IntoParams;

/// Most rows of an answer, and the bytes of their values after which there are no more.
const ROWS_MAX: usize = 1_000;
const ROW_BYTES_MAX: usize = 512 * 1024;
/// Most rows that an answer passes over because the caller may not see them.
const UNSEEN_MAX: usize = 5_000;
/// Most bytes of a key.
const KEY_BYTES_MAX: usize = 1_024;

/// Which rows.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct RowsAsked {
    /// The first full key, hexadecimal.
    from: String,
    /// The full key that the rows end before, hexadecimal.
    end: String,
    /// Most rows, at most 1,000.
    #[serde(default, deserialize_with = "numbered")]
    limit: Option<usize>,
    /// After the block of which height; the newest where it is not given.
    #[serde(default, deserialize_with = "numbered")]
    at: Option<u64>,
}

/// Rows of the state in the order of their full keys: a kind and what it is about (docs/FORMATS.md). A customer is
/// shown what is the customer's own, and what belongs to nobody.
#[utoipa::path(
    get, path = "/v1/state", tag = "network", params(RowsAsked),
    responses((status = 200, description = "Rows", body = shapes::StateRows)))]
pub async fn rows(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Asked(asked): Asked<RowsAsked>,
) -> Result<Json<Document>, Problem> {
    let found = api.read(caller, move |reader| {
        let limit = asked.limit.unwrap_or(ROWS_MAX);
        if limit == 0 || limit > ROWS_MAX {
            return Err(Problem::new(problem::BAD_QUERY, "`limit` cannot be used")
                .given(limit, format!("1..={ROWS_MAX}")));
        }
        let (from, end) = (key("from", &asked.from)?, key("end", &asked.end)?);
        if from >= end {
            return Err(
                Problem::new(problem::BAD_QUERY, "`from` comes before `end`").given(&asked.from, &asked.end)
            );
        }
        let standing = match asked.at {
            Some(height) => reader.at_height(height)?,
            None => reader.at(None)?,
        };
        let chain = standing.chain();
        let state = chain.state();
        let found = page(from, limit, |from| state.next_row(from, &end), |key| sees(reader, chain, key))?;
        let Page { rows, next } = found.ok_or_else(|| {
            Problem::new(problem::BAD_QUERY, "too many rows between `from` and `end` are not the caller's")
                .given(
                    format!("more than {UNSEEN_MAX}"),
                    "rows of one kind that begin with an id of your own",
                )
        })?;
        let rows: Vec<Document> =
            rows.iter().map(|(key, value)| json!({ "key": hex(key), "value": hex(value) })).collect();
        let next = next.map(|next| hex(&next));
        Ok(stamped(json!({ "rows": rows, "next": next }), chain))
    });
    found.await.map(Json)
}

/// Rows of an answer, and where the next one begins, unless these are the last.
#[derive(PartialEq, Eq, Debug)]
struct Page {
    rows: Vec<Row>,
    next: Option<Vec<u8>>,
}

/// Rows that may be seen from a key on; none when too many have to be passed over. Where the next answer begins never
/// tells of a row that may not be seen: it is behind the last one that was given.
fn page(
    mut from: Vec<u8>,
    limit: usize,
    row: impl Fn(&[u8]) -> Result<Option<Row>, Fault>,
    sees: impl Fn(&[u8]) -> Result<bool, Fault>,
) -> Result<Option<Page>, Fault> {
    let (mut rows, mut next, mut bytes, mut unseen) = (vec![], None, 0, 0);
    while rows.len() < limit && bytes < ROW_BYTES_MAX && unseen < UNSEEN_MAX {
        let Some((key, value)) = row(&from)? else { return Ok(Some(Page { rows, next: None })) };
        from = [key.as_slice(), &[0]].concat();
        if sees(&key)? {
            bytes += key.len() + value.len();
            rows.push((key, value));
            next = Some(from.clone());
        } else {
            unseen += 1;
        }
    }
    Ok(next.map(|next| Page { rows, next: Some(next) }))
}

fn key(name: &str, text: &str) -> Result<Vec<u8>, Problem> {
    let key = unhex(text).filter(|key| !key.is_empty() && key.len() <= KEY_BYTES_MAX);
    let wrong = || {
        let possible = format!("1..={KEY_BYTES_MAX} bytes in hexadecimal");
        Problem::new(problem::BAD_QUERY, format!("`{name}` is no full key")).given(text, possible)
    };
    key.ok_or_else(wrong)
}

/// Whether the caller may see a row.
fn sees(reader: &Reader, chain: &Chain, full_key: &[u8]) -> Result<bool, Fault> {
    let caller = &reader.caller;
    if caller.is_bank() {
        return Ok(true);
    }
    let Some((kind, key)) = full_key.split_first() else { return Ok(false) };
    let kind = Kind::of(*kind);
    // A used idempotency key stands under its day, then its party.
    let owner = if kind == Some(Kind::Idempotency) { key.get(4..) } else { Some(key) };
    let Some(owner) = owner.and_then(<[u8]>::first_chunk) else { return Ok(kind == Some(Kind::KeyWindow)) };
    match kind {
        Some(Kind::Contract | Kind::Code | Kind::Asset | Kind::Calendar) => Ok(true),
        Some(Kind::Party | Kind::Key | Kind::Idempotency) => Ok(caller.sees_party(&PartyId(*owner))),
        Some(Kind::Account | Kind::History) => caller.sees_account(chain, &AccountId(*owner)),
        Some(Kind::Agreement | Kind::Schedule) => caller.sees_agreement(chain, &AgreementId(*owner)),
        _ => Ok(false),
    }
}

/// A block with its certificate in their canonical bytes. The bank's alone.
#[utoipa::path(
    get, path = "/v1/blocks/{height}/bytes", tag = "network",
    params(("height" = u64, Path, description = "Its height")),
    responses((status = 200, description = "The block, then its certificate where it has one", body = Vec<u8>, content_type = "application/octet-stream")))]
pub async fn block(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Part(Number(height)): Part<Number<u64>>,
    Asked(_): Asked<Nothing>,
) -> Result<Response, Problem> {
    caller.needs(Scope::Bank)?;
    let found = api.read(caller, move |reader| {
        let block = stored(reader, height)?;
        let certificate = reader.chain().certificate(&block.header, None)?;
        Ok(codec::encode(&(block, certificate)))
    });
    found.await.map(binary)
}

/// What a verifier may begin with who believes this node about a block: its header and who signs the blocks behind it,
/// in their canonical bytes.
#[utoipa::path(
    get, path = "/v1/blocks/{height}/checkpoint", tag = "network",
    params(("height" = u64, Path, description = "Its height")),
    responses((status = 200, description = "The checkpoint", body = Vec<u8>, content_type = "application/octet-stream")))]
pub async fn checkpoint(
    reads: Reads,
    Part(Number(height)): Part<Number<u64>>,
    Asked(_): Asked<Nothing>,
) -> Result<Response, Problem> {
    reads
        .bytes(move |reader| {
            let header = stored(reader, height)?.header;
            let validators = reader.chain().genesis().validators.clone();
            Ok(codec::encode(&Checkpoint { header, validators }))
        })
        .await
}

fn stored(reader: &Reader, height: u64) -> Result<Block, Problem> {
    check_made(reader.chain(), height)?;
    let block = reader.chain().block(height)?;
    Ok(block.ok_or_else(|| Missing(format!("block {height} is no longer in this node's log")))?)
}

/// The document that the chain began with, in its canonical bytes; a customer's is without its operations.
#[utoipa::path(
    get, path = "/v1/genesis", tag = "network",
    responses((status = 200, description = "The document", body = Vec<u8>, content_type = "application/octet-stream")))]
pub async fn genesis(reads: Reads, Asked(_): Asked<Nothing>) -> Result<Response, Problem> {
    reads
        .bytes(move |reader| {
            let genesis = reader.chain().genesis();
            Ok(match reader.caller.is_bank() {
                true => genesis.to_bytes(),
                // It may name everybody whom the bank knew at the beginning.
                false => Genesis { operations: vec![], ..genesis.clone() }.to_bytes(),
            })
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All pages over so many rows, of which every so many-th may be seen; none where one of them is refused.
    fn walked(count: u32, each: u32, limit: usize) -> Option<Vec<u32>> {
        let number = |key: &[u8]| u32::from_be_bytes(*key.first_chunk().unwrap());
        let row = |from: &[u8]| {
            let next = number(from) + u32::from(from.len() > 4);
            Ok((next < count).then(|| (next.to_be_bytes().to_vec(), vec![7])))
        };
        let sees = |key: &[u8]| Ok(number(key) % each == 0);
        let (mut seen, mut from) = (vec![], vec![0; 4]);
        loop {
            let Page { rows, next } = page(from, limit, row, sees).unwrap()?;
            seen.extend(rows.iter().map(|(key, _)| number(key)));
            let Some(next) = next else { return Some(seen) };
            assert!(sees(&next).unwrap(), "{} may not be seen", number(&next));
            from = next;
        }
    }

    #[test]
    fn every_row_that_may_be_seen_is_given_once_and_no_other_is_told_of() {
        for (count, each, limit) in
            [(0, 1, 9), (10, 1, 1), (3_000, 1, 1_000), (30_000, 7, 1_000), (20_000, 4_000, 9)]
        {
            let all: Vec<u32> = (0..count).filter(|number| number % each == 0).collect();
            assert_eq!(walked(count, each, limit), Some(all), "{count} {each} {limit}");
        }
        assert_eq!(walked(20_000, 6_000, 9), None);
    }
}
