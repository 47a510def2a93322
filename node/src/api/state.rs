//! The chain as it is kept: rows of the state, blocks and the genesis document in their canonical bytes. Whoever has
//! them can do with the chain what its folder allows but make blocks.

use super::Api;
use super::caller::Caller;
use super::problem::{self, Problem};
use super::reading::{Reader, stamped};
use super::shapes;
use super::strict::{Asked, Nothing, Part};
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
use tenor_wire::block::Block;
use tenor_wire::hexadecimal::{hex, unhex};
use tenor_wire::proof::Checkpoint;
use utoipa::IntoParams;

/// Most rows of an answer, and the bytes of their values after which there are no more.
const ROWS_MAX: usize = 1_000;
const ROW_BYTES_MAX: usize = 512 * 1024;
/// Most rows that an answer looks at for those that may be seen.
const LOOKED_MAX: usize = 5_000;
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
    limit: Option<usize>,
    /// After the block of which height; the newest where it is not given.
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
        let (mut from, end) = (key("from", &asked.from)?, key("end", &asked.end)?);
        if from >= end {
            return Err(
                Problem::new(problem::BAD_QUERY, "`from` comes before `end`").given(&asked.from, &asked.end)
            );
        }
        let standing = match asked.at {
            Some(height) => reader.at_height(height)?,
            None => reader.at(None)?,
        };
        let (chain, mut rows, mut bytes, mut looked) = (standing.chain(), vec![], 0, 0);
        let state = chain.state();
        let next = loop {
            if rows.len() == limit || bytes >= ROW_BYTES_MAX || looked == LOOKED_MAX {
                break Some(hex(&from));
            }
            let Some((key, value)) = state.next_row(&from, &end)? else { break None };
            looked += 1;
            if sees(reader, chain, &key)? {
                bytes += key.len() + value.len();
                rows.push(json!({ "key": hex(&key), "value": hex(&value) }));
            }
            from = key;
            from.push(0);
        };
        Ok(stamped(json!({ "rows": rows, "next": next }), chain))
    });
    found.await.map(Json)
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
    Part(height): Part<u64>,
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
    State(api): State<Arc<Api>>,
    caller: Caller,
    Part(height): Part<u64>,
    Asked(_): Asked<Nothing>,
) -> Result<Response, Problem> {
    let found = api.read(caller, move |reader| {
        let header = stored(reader, height)?.header;
        let validators = reader.chain().genesis().validators.clone();
        Ok(codec::encode(&Checkpoint { header, validators }))
    });
    found.await.map(binary)
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
pub async fn genesis(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Asked(_): Asked<Nothing>,
) -> Result<Response, Problem> {
    let found = api.read(caller, move |reader| {
        let genesis = reader.chain().genesis();
        Ok(match reader.caller.is_bank() {
            true => genesis.to_bytes(),
            // It may name everybody whom the bank knew at the beginning.
            false => Genesis { operations: vec![], ..genesis.clone() }.to_bytes(),
        })
    });
    found.await.map(binary)
}
