//! The network, blocks, receipts by place, and proofs.

use super::Api;
use super::problem::{self, Problem};
use super::reading::{At, Cursor, PageAsked, Reader, Reads, Wants, as_of, stamped};
use super::shapes;
use super::strict::{Asked, Nothing, Number, Part, number};
use super::transactions::{placed, prove, seen};
use crate::view::{Missing, Shown, check_made, no_block, receipt, show};
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Value as Document, json};
use std::sync::Arc;
use tenor_abi::id::{AccountId, AgreementId};
use tenor_runtime::state::Kind;
use tenor_wire::hexadecimal::unhex;

/// The chain that this node has, and what it takes. No token is needed.
#[utoipa::path(
    get, path = "/v1/network", tag = "network", responses((status = 200, description = "The network", body = shapes::Network)))]
pub async fn network(
    State(api): State<Arc<Api>>,
    Asked(_): Asked<Nothing>,
) -> Result<Json<Document>, Problem> {
    let tip = api.hub.tip();
    let chain = &tip.chain;
    let restarts = chain.restarts()?;
    let restarts: Vec<Document> = restarts
        .iter()
        .map(|(height, restart)| {
            json!({
                "height": height, "before": restart.before.to_string(), "parent": restart.parent.to_string(),
                "abandoned": restart.abandoned,
            })
        })
        .collect();
    let parameters = &chain.genesis().parameters;
    Ok(Json(json!({
        "chain": chain.id().to_string(), "protocol": parameters.protocol, "sandbox": api.config.sandbox,
        "parameters": parameters.hash().to_string(), "node": env!("CARGO_PKG_VERSION"),
        "limits": {
            "item_gas_max": parameters.limits.item_gas_max, "idempotency_days": parameters.limits.idempotency_days,
            "transaction_bytes": tenor_wire::tx::TRANSACTION_BYTES_MAX, "wait_s_max": api.config.wait_max.as_secs(),
        },
        "restarts": restarts, "time": api.clock.now().to_string(), "as_of": as_of(chain),
    })))
}

/// Blocks, the newest first: their headers.
#[utoipa::path(
    get, path = "/v1/blocks", tag = "network", params(PageAsked),
    responses((status = 200, description = "A page of headers", body = shapes::Blocks)))]
pub async fn list(reads: Reads, Asked(page): Asked<PageAsked>) -> Result<Json<Document>, Problem> {
    reads
        .json(move |reader| {
            let first = match &page.cursor {
                None => reader.chain().tip().height,
                Some(text) => number(text).ok_or_else(|| Cursor::wrong(text))?,
            };
            check_made(reader.chain(), first)?;
            let oldest = reader.chain().journal().oldest().min(first);
            let last = first.saturating_sub(page.rows()? as u64 - 1).max(oldest);
            let blocks =
                (last..=first).rev().map(|height| header(reader, height)).collect::<Result<Vec<_>, _>>()?;
            let next = (last > oldest).then(|| (last - 1).to_string());
            Ok(stamped(json!({ "blocks": blocks, "next": next }), reader.chain()))
        })
        .await
}

fn header(reader: &Reader, height: u64) -> Result<Document, Problem> {
    let none = || no_block(reader.chain(), height);
    let header = &reader.hub.block(&reader.tip, height)?.ok_or_else(none)?.header;
    Ok(json!({
        "height": height, "time": header.time.to_string(), "hash": header.hash().to_string(),
        "parent": header.parent.to_string(), "state_root": header.state.to_string(), "items": header.items_count,
    }))
}

/// A block: its header, and for the bank a page of what became of its items.
#[utoipa::path(
    get, path = "/v1/blocks/{height}", tag = "network", params(("height" = u64, Path, description = "Its height"), PageAsked),
    responses((status = 200, description = "The block", body = shapes::BlockTold)))]
pub async fn get(
    reads: Reads,
    wants: Wants,
    Part(Number(height)): Part<Number<u64>>,
    Asked(page): Asked<PageAsked>,
) -> Result<Response, Problem> {
    reads
        .of(move |reader| {
            let cursor = page.cursor.as_deref().unwrap_or("0");
            let first: usize = number(cursor).ok_or_else(|| Cursor::wrong(cursor))?;
            let end = first.saturating_add(page.rows()?);
            if !reader.caller.is_bank() {
                let document = header(reader, height)?;
                let text = document.to_string();
                return Ok(wants.answer(Shown { document, text }, reader.chain()));
            }
            let mut shown = show::block(reader.chain(), height, first..end)?;
            let next = shown.document["items"].as_u64().filter(|items| *items > end as u64);
            shown.document["next"] = next.map(|_| end.to_string()).into();
            Ok(wants.answer(shown, reader.chain()))
        })
        .await
}

/// The receipt at a place of a block.
#[utoipa::path(
    get, path = "/v1/receipts/{height}/{index}", tag = "network",
    params(("height" = u64, Path, description = "Height of the block"), ("index" = u32, Path, description = "Place in it")),
    responses((status = 200, description = "The receipt", body = shapes::Receipt)))]
pub async fn receipt(
    reads: Reads,
    wants: Wants,
    Part((Number(height), Number(index))): Part<(Number<u64>, Number<u32>)>,
    Asked(_): Asked<Nothing>,
) -> Result<Response, Problem> {
    reads
        .of(move |reader| {
            let name = format!("receipt {height}/{index}");
            let document = placed(reader, height, index, &name)?;
            let mut shown = Shown { document, text: String::new() };
            if wants.text() {
                let block = reader.hub.block(&reader.tip, height)?.ok_or_else(|| Missing::of(&name))?;
                let sight = seen(reader, &block, index, &name)?;
                shown = receipt::seen(reader.chain(), &reader.names, block.header.time, &sight)?;
            }
            Ok(wants.answer(shown, reader.chain()))
        })
        .await
}

/// The offline proof of a receipt, in the bytes that `tenor check` takes.
#[utoipa::path(
    get, path = "/v1/receipts/{height}/{index}/proof", tag = "network",
    params(("height" = u64, Path, description = "Height of the block"), ("index" = u32, Path, description = "Place in it")),
    responses((status = 200, description = "The bundle", body = Vec<u8>, content_type = "application/octet-stream")))]
pub async fn receipt_proof(
    reads: Reads,
    Part((Number(height), Number(index))): Part<(Number<u64>, Number<u32>)>,
    Asked(_): Asked<Nothing>,
) -> Result<Response, Problem> {
    reads.bytes(move |reader| prove(reader, height, index, &format!("receipt {height}/{index}"))).await
}

/// The offline proof of what state held: of an account, an agreement, or any full key (`key`, hexadecimal; the bank's
/// alone), also that nothing was there.
#[utoipa::path(
    get, path = "/v1/proofs/{kind}/{id}", tag = "network",
    params(("kind" = String, Path, description = "`account`, `agreement` or `key`"),
        ("id" = String, Path, description = "Its id, or the full key"), At),
    responses((status = 200, description = "The bundle", body = Vec<u8>, content_type = "application/octet-stream")))]
pub async fn proof(
    reads: Reads,
    Part((kind, asked)): Part<(String, String)>,
    Asked(at): Asked<At>,
) -> Result<Response, Problem> {
    reads
        .bytes(move |reader| {
            let full_key = full_key(reader, &kind, &asked)?;
            let standing = reader.at(at.at.as_deref())?;
            let chain = standing.chain();
            let bundle = chain.prove_offline(&full_key, None)?;
            let none = || Missing(format!("block {} has no certificate yet", chain.tip().height));
            Ok(bundle.ok_or_else(none)?.to_bytes())
        })
        .await
}

fn full_key(reader: &Reader, kind: &str, asked: &str) -> Result<Vec<u8>, Problem> {
    let chain = reader.chain();
    match kind {
        "account" => {
            let id: AccountId = reader.id("account", asked)?;
            match reader.caller.sees_account(chain, &id)? {
                true => Ok(Kind::Account.full_key(&id.0)),
                false => Err(Missing::of(&id).into()),
            }
        }
        "agreement" => {
            let id: AgreementId = reader.id("agreement", asked)?;
            match reader.caller.sees_agreement(chain, &id)? {
                true => Ok(Kind::Agreement.full_key(&id.0)),
                false => Err(Missing::of(&id).into()),
            }
        }
        "key" if reader.caller.is_bank() => {
            let key = unhex(asked).filter(|key| !key.is_empty() && key.len() <= 1024);
            key.ok_or_else(|| {
                let why = "a full key is bytes in hexadecimal";
                Problem::new(problem::BAD_ID, why).given(asked, "1 to 1024 bytes in hexadecimal")
            })
        }
        other => {
            let near = crate::near::hint(other, ["account", "agreement", "key"].into_iter());
            Err(Missing(format!("there is no proof of a `{other}`{near}")).into())
        }
    }
}
