//! Transactions: prepared, handed in, asked for, proved.

use super::Api;
use super::caller::Caller;
use super::force::{self, Answer};
use super::operation::{Asked as AskedOperation, Asking, SpendAsked};
use super::problem::{self, Problem};
use super::reading::{Patience, Reader, Reads, id, stamped};
use super::shapes;
use super::strict::{self, Asked, Nothing, Part, Raw};
use crate::access::Scope;
use crate::hub::{Hub, Tip};
use crate::places::Known;
use crate::pool::{Full, Offered, Outcome};
use crate::view::receipt::Sight;
use crate::view::refusal::HIDDEN;
use crate::view::said::said;
use crate::view::{Missing, receipt, refusal, render};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Document, json};
use std::sync::Arc;
use std::time::Duration;
use tenor_abi::date::{DAY_MS, Timestamp};
use tenor_abi::id::{PartyId, TxId};
use tenor_abi::refusal::Refusal;
use tenor_runtime::execute::Rejection;
use tenor_wire::block::{Block, Header, Item};
use tenor_wire::crypto::{SECP256K1, Signature};
use tenor_wire::hexadecimal::{hex, unhex};
use tenor_wire::op::{KeyNumber, Operation};
use tenor_wire::receipt::{Fate, FullReceipt};
use tenor_wire::tx::{
    Authoriser, BODY_VERSION, Body, FormError, IdempotencyKey, TRANSACTION_BYTES_MAX, Transaction,
};
use utoipa::{IntoParams, ToSchema};

/// Gas that a transaction is prepared with where nobody says.
const GAS_LIMIT: u64 = 200_000_000;
/// Seconds that a transaction is valid where nobody says.
const VALID_S: u64 = 3_600;
/// Seconds after which a full pool may have room.
const RETRY_S: u64 = 1;
/// What a customer is told of a transaction that others sign as well.
const NOT_TRIED: &str = "others sign it as well: what it does is told once it is done";
/// Says that the outcome is that of an earlier request.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Who signs.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignerAsked {
    /// The party.
    party: String,
    /// Number of its key.
    #[serde(default)]
    key: KeyNumber,
}

/// What is to be prepared.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PrepareAsked {
    /// Who signs, 1 to 8; the first one acts.
    signers: Vec<SignerAsked>,
    /// What to do.
    operation: AskedOperation,
    /// 32 hexadecimal digits: 4 bytes of the day since 1970, 12 of the client's choice. One is made where none is given;
    /// keep it for every retry.
    idempotency_key: Option<String>,
    /// The most that accounts of the signers may lose; where it is not given, what the operation itself pays.
    spend_max: Option<Vec<SpendAsked>>,
    /// Most gas that it may use.
    gas_limit: Option<u64>,
    /// Seconds that it is valid, at most a day.
    valid_for_s: Option<u64>,
}

/// Makes the bytes to sign, and says what would happen: nothing is kept of it.
#[utoipa::path(
    post, path = "/v1/transactions:prepare", tag = "transactions", request_body = PrepareAsked,
    responses((status = 200, description = "Bytes to sign, and what they would do", body = shapes::Prepared)))]
pub async fn prepare(State(api): State<Arc<Api>>, caller: Caller, raw: Raw) -> Result<Response, Problem> {
    let now = api.clock.now();
    // A batch is large as a request and as an answer: both are read and written where the turn counts.
    let made = api.read(caller, move |reader| Ok(prepared(reader, now, &raw.json()?)?.to_string()));
    let json = HeaderValue::from_static("application/json");
    Ok(([(header::CONTENT_TYPE, json)], made.await?).into_response())
}

fn prepared(reader: &Reader, now: Timestamp, asked: &PrepareAsked) -> Result<Document, Problem> {
    let chain = reader.chain();
    let now = now.max(Timestamp(chain.tip().time.0 + 1));
    let body = body(reader, now, asked)?;
    // Whoever is named signs nothing here: what the keys of others may do is not tried for a customer.
    let is_own = body.authorisers.iter().all(|by| reader.caller.sees_party(&by.party));
    let rehearsed = is_own.then(|| chain.rehearse(now, body.clone())).transpose()?;
    let (id, bytes) = (body.id(), body.signing_bytes());
    let effects = match &rehearsed {
        Some(Ok(full)) => effects(reader, &body, full)?,
        Some(Err(rejection)) => {
            json!({ "outcome": "rejected", "problem": rejected(reader, rejection).document() })
        }
        None => json!({ "outcome": "unknown", "effects": [NOT_TRIED] }),
    };
    let mut document = json!({
        "transaction": id.to_string(), "body": hex(&bytes), "digest": hex(&id.0), "chain": body.chain.to_string(),
        // In the order in which their signatures stand.
        "signers": body.authorisers.iter().map(|by| json!({
            "party": by.party.to_string(), "key": by.key,
        })).collect::<Vec<_>>(),
        "idempotency_key": hex(&body.key.0), "valid_from": body.valid_from.to_string(),
        "valid_until": body.valid_until.to_string(),
        "gas": { "limit": body.gas_limit, "used": rehearsed.and_then(Result::ok).map(|full| full.receipt.gas) },
        "spend_max": body.spend_max.iter().map(|spend| json!({
            "account": spend.account.to_string(), "minor_units": spend.amount.to_string(),
        })).collect::<Vec<_>>(),
        // Gas is the bank's own; a customer pays no fee for it.
        "fee": null,
    });
    if let (Some(document), Some(effects)) = (document.as_object_mut(), effects.as_object()) {
        document.extend(effects.clone());
    }
    Ok(stamped(document, chain))
}

fn body(reader: &Reader, now: Timestamp, asked: &PrepareAsked) -> Result<Body, Problem> {
    let mut authorisers = vec![];
    for signer in &asked.signers {
        authorisers
            .push(Authoriser { party: reader.id::<PartyId>("party", &signer.party)?, key: signer.key });
    }
    if authorisers.is_empty() {
        return Err(Problem::field("signers", "none is named").given("0 signers", "1 to 8 signers"));
    }
    if let Some(others) = authorisers.get_mut(1..) {
        others.sort();
    }
    if !authorisers.iter().any(|by| reader.caller.sees_party(&by.party)) {
        return Err(Problem::new(problem::NOT_ALLOWED, "the token's own party must be among the signers"));
    }
    let gas_limit = asked.gas_limit.unwrap_or(GAS_LIMIT);
    let asking = Asking(reader);
    let (operation, own) = asking.operation(&asked.operation, gas_limit)?;
    let spend_max = asked.spend_max.as_ref().map_or(Ok(own), |given| asking.spends(given))?;
    let valid_s = asked.valid_for_s.unwrap_or(VALID_S);
    let valid_ms = valid_s.saturating_mul(1_000);
    if valid_ms == 0 || valid_ms > DAY_MS {
        return Err(Problem::field("valid_for_s", "1..=86400 is possible").given(valid_s, "1..=86400"));
    }
    Ok(Body {
        version: BODY_VERSION,
        chain: reader.chain().id(),
        authorisers,
        key: key(asked.idempotency_key.as_deref(), now)?,
        valid_from: now,
        valid_until: Timestamp(now.0 + valid_ms),
        gas_limit,
        spend_max,
        operation,
    })
}

fn key(given: Option<&str>, now: Timestamp) -> Result<IdempotencyKey, Problem> {
    let Some(text) = given else {
        let mut choice = [0; 12];
        getrandom::fill(&mut choice).map_err(|error| Problem::new(problem::BROKEN, error))?;
        return Ok(IdempotencyKey::new((now.0 / DAY_MS) as u32, choice));
    };
    let bytes = unhex(text).and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
    let possible = "32 hexadecimal digits";
    bytes
        .map(IdempotencyKey)
        .ok_or_else(|| Problem::field("idempotency_key", "it is no key").given(text, possible))
}

/// What a receipt says, in words and figures.
fn effects(reader: &Reader, body: &Body, full: &FullReceipt) -> Result<Document, Problem> {
    let chain = reader.chain();
    let spec = render::spec_of_operation(chain, &body.operation).ok().flatten();
    if full.receipt.fate != Fate::Done {
        let is_told = reader.caller.sees_why(chain, Some(&body.operation), full)?;
        let problem = no(reader, full, spec.as_ref(), is_told);
        return Ok(json!({ "outcome": fate(full), "problem": problem.document() }));
    }
    let (_, postings) = render::postings(chain, &full.entries)?;
    let mut words = vec![];
    // A grant or a hook that was done names the agreement's code, so who signs it knows the agreement.
    let is_known = matches!(body.operation, Operation::Grant(_) | Operation::Hook(_))
        || reader.caller.sees_subject(chain, &body.operation)?;
    if !is_money(&body.operation) && is_known {
        words.extend(said(chain, &body.operation)?.into_iter().map(|line| reader.names.named(line)));
    }
    for posting in &postings {
        let text = |name: &str| posting[name].as_str().unwrap_or_default().to_string();
        let way = way(&text("act"), text("side") == "debit");
        let purpose = Some(text("purpose")).filter(|purpose| !purpose.is_empty());
        let purpose = purpose.map_or(String::new(), |purpose| format!(" ({purpose})"));
        let line = format!("{} {way} {} {}{purpose}", text("account"), text("amount"), text("currency"));
        words.push(reader.names.named(line));
    }
    // An event of an agreement that this very transaction opens is told once it is there.
    words.extend(
        full.events.iter().filter_map(|event| render::event(chain, event).ok()).map(|told| told.text()),
    );
    if words.is_empty() {
        words.push(format!("{}: no money moves", render::operation(spec.as_ref(), &body.operation)));
    }
    Ok(json!({ "outcome": "done", "effects": words, "postings": postings }))
}

/// Whether what an operation does is what its entries say.
fn is_money(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::Transfer(_)
            | Operation::Batch(_)
            | Operation::Hold(_)
            | Operation::Capture(_)
            | Operation::Release(_)
            | Operation::Correct(_)
            | Operation::Entry(_)
    )
}

/// What a posting of an entry means for its account.
fn way(act: &str, is_debit: bool) -> &'static str {
    match (act, is_debit) {
        ("hold", true) => "sets aside",
        ("hold", false) => "may come to receive",
        ("release" | "expire", true) => "no longer sets aside",
        ("release" | "expire", false) => "will not receive",
        (_, true) => "pays",
        (_, false) => "receives",
    }
}

fn fate(full: &FullReceipt) -> String {
    format!("{:?}", full.receipt.fate).to_lowercase()
}

/// The problem that a receipt which says no is; whether it is told why.
fn no(reader: &Reader, full: &FullReceipt, spec: Option<&tenor_abi::spec::Spec>, is_told: bool) -> Problem {
    let code = if full.receipt.fate == Fate::Failed { problem::FAILED } else { problem::REFUSED };
    if !is_told {
        return Problem::new(code, HIDDEN).with("explanation", json!([HIDDEN]));
    }
    let why = refusal::explain(reader.chain(), &reader.names, full, spec);
    let mut problem =
        Problem::new(code, &why).with("explanation", json!([why])).with("receipt_code", full.receipt.code);
    if let Some(refusal) =
        Refusal::from_data(&full.data).filter(|refusal| refusal.code() == full.receipt.code)
    {
        problem = problem.with("rule", refusal.name()).with("iso20022", refusal.iso20022());
    }
    problem
}

fn rejected(reader: &Reader, rejection: &Rejection) -> Problem {
    let problem = Problem::from(rejection.clone());
    match rejection {
        Rejection::KeyTaken { height, index, .. } | Rejection::Done { height, index } => {
            problem.with("height", *height).with("index", *index)
        }
        Rejection::Window { .. } => problem.with("chain_time", reader.chain().tip().time.to_string()),
        _ => problem,
    }
}

/// A signed transaction: its bytes, or the body that was prepared with a signature of each signer.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmitAsked {
    /// The body that was prepared, hexadecimal.
    body: String,
    /// Of each signer in order: r and s, 128 hexadecimal digits.
    signatures: Vec<String>,
}

fn transaction(raw: &Raw) -> Result<Transaction, Problem> {
    if raw.media == "application/octet-stream" {
        return Transaction::from_bytes(&raw.bytes).map_err(|error| Rejection::Form(error).into());
    }
    if raw.media != "application/json" {
        let why = format!("application/json or application/octet-stream is needed, `{}` given", raw.media);
        let possible = "application/json or application/octet-stream";
        return Err(Problem::new(problem::MEDIA_TYPE, why).given(&raw.media, possible));
    }
    let asked: SubmitAsked = strict::read(&raw.bytes)?;
    let no_hex = || Problem::field("body", "it is no hexadecimal").given(&asked.body, "hexadecimal digits");
    let bytes = unhex(&asked.body).ok_or_else(no_hex)?;
    let body = tenor_abi::codec::decode(&bytes, TRANSACTION_BYTES_MAX)
        .map_err(|error| Problem::from(Rejection::Form(FormError::Codec(error))))?;
    let signature = |text: &String| {
        let bytes = unhex(text).and_then(|bytes| <[u8; 64]>::try_from(bytes).ok());
        let bytes = bytes.ok_or_else(|| {
            Problem::field("signatures", "one is none").given(text, "128 hexadecimal digits each")
        })?;
        let (mut r, mut s) = ([0; 32], [0; 32]);
        r.copy_from_slice(&bytes[..32]);
        s.copy_from_slice(&bytes[32..]);
        Ok(Signature { algorithm: SECP256K1, r, s })
    };
    let signatures = asked.signatures.iter().map(signature).collect::<Result<_, Problem>>()?;
    Ok(Transaction { body, signatures })
}

/// Hands in a signed transaction. `Prefer: wait=N` waits up to N seconds for its outcome. The same operation under the
/// same idempotency key is done once, however often and in parallel it is sent, and always told the one outcome.
#[utoipa::path(
    post, path = "/v1/transactions", tag = "transactions",
    request_body(content((SubmitAsked = "application/json"), (Vec<u8> = "application/octet-stream"))),
    params(("Prefer" = Option<String>, Header, description = "`wait=N`: seconds to wait for the outcome")),
    responses((status = 201, description = "Done; the receipt", body = shapes::Receipt),
        (status = 202, description = "It waits for a block", body = shapes::Pending)))]
pub async fn submit(
    State(api): State<Arc<Api>>,
    caller: Caller,
    headers: HeaderMap,
    raw: Raw,
) -> Result<Response, Problem> {
    caller.needs(Scope::Submit)?;
    let wait = wait_of(&headers, api.config.wait_max)?;
    let tx = transaction(&raw)?;
    same_key(&headers, &tx)?;
    let customer = caller.customer();
    if customer.is_some_and(|party| !tx.body.authorisers.iter().any(|by| by.party == party)) {
        return Err(Problem::new(problem::NOT_ALLOWED, "the token's own party must be among the signers"));
    }
    let id = tx.id();
    let (now, hub) = (api.clock.now(), Arc::clone(&api.hub));
    let body = api.config.sandbox.then(|| tx.body.clone());
    let admitting = api.work(&caller, Patience::Short, move || {
        let tip = hub.tip();
        let now = now.max(Timestamp(tip.chain.tip().time.0 + 1));
        let admitted = tip.chain.admit(now, tx)?;
        Ok::<_, Problem>(match admitted {
            // Its signatures hold. Done so long ago that the chain has dropped its key, it is still told of.
            Err(Rejection::KeyDay { .. } | Rejection::KeyEnded { .. })
                if let Some((height, index)) = found(&hub, &tip, &id)? =>
            {
                Err(Rejection::Done { height, index })
            }
            admitted => admitted,
        })
    });
    let candidate = match admitting.await? {
        Ok(candidate) => candidate,
        Err(Rejection::Done { height, index }) => return outcome(&api, caller, height, index, true).await,
        Err(rejection) => return Err(told(rejection)),
    };
    let forced = body.and_then(|body| api.forces.take(&body));
    match forced {
        Some(Answer::Refused(reason)) => return Err(force::refused(reason)),
        Some(Answer::Unavailable) => return Err(force::unavailable()),
        Some(Answer::Slow(pause)) => tokio::time::sleep(pause).await,
        Some(Answer::Pending | Answer::Lost) | None => {}
    }
    let offered = api
        .inbox
        .offer(candidate)
        .ok_or_else(|| Problem::new(problem::STOPPING, "send it again").after(5))?;
    let (id, waiter, replayed) = match offered {
        Offered::Taken(waiter) => (id, waiter, false),
        Offered::Waits(earlier, waiter) => (earlier, waiter, true),
        Offered::KeyTaken(earlier) => {
            let why = format!("the idempotency key stands for another operation, in {earlier}, which waits");
            return Err(Problem::new(problem::KEY_TAKEN, why).with("transaction", earlier.to_string()));
        }
        Offered::Full(full) => {
            let why = match full {
                Full::Transactions => "too many transactions wait",
                Full::Bytes => "too many bytes of transactions wait",
                Full::Sender => "too many transactions of this party wait",
            };
            return Err(Problem::new(problem::FULL, why).after(RETRY_S));
        }
    };
    let pending = || {
        let document = json!({ "transaction": id.to_string(), "status": "pending" });
        let location = HeaderValue::from_str(&format!("/v1/transactions/{id}"));
        let mut response = (StatusCode::ACCEPTED, Json(document)).into_response();
        response.headers_mut().extend(location.ok().map(|location| (header::LOCATION, location)));
        Ok(response)
    };
    if forced == Some(Answer::Lost) {
        return Err(force::unavailable());
    }
    if wait.is_zero() || forced == Some(Answer::Pending) {
        return pending();
    }
    match tokio::time::timeout(wait, waiter).await {
        Err(_) => pending(),
        Ok(Ok(Outcome::Placed { height, index })) => outcome(&api, caller, height, index, replayed).await,
        Ok(Ok(Outcome::Rejected(Rejection::Done { height, index }))) => {
            outcome(&api, caller, height, index, true).await
        }
        Ok(Ok(Outcome::Rejected(rejection))) => Err(told(rejection)),
        Ok(Ok(Outcome::Stopped) | Err(_)) => Err(Problem::new(problem::STOPPING, "send it again").after(5)),
    }
}

fn told(rejection: Rejection) -> Problem {
    let place = match rejection {
        Rejection::KeyTaken { height, index, .. } => Some((height, index)),
        _ => None,
    };
    let problem = Problem::from(rejection);
    match place {
        Some((height, index)) => problem.with("height", height).with("index", index),
        None => problem,
    }
}

/// The idempotency key is in what was signed; a header that says another one would be believed for nothing.
fn same_key(headers: &HeaderMap, tx: &Transaction) -> Result<(), Problem> {
    let signed: String = hex(&tx.body.key.0);
    let mut given =
        headers.get_all("idempotency-key").iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    match given.find(|given| !given.trim_matches('"').eq_ignore_ascii_case(&signed)) {
        None => Ok(()),
        Some(other) => {
            let why = "the key is the one in the transaction that was signed; the header may be left out";
            Err(Problem::field("Idempotency-Key", why).given(other, signed))
        }
    }
}

/// What a preference says of waiting; the case of its name does not matter (RFC 7240, 2).
fn wait_in(preference: &str) -> Option<&str> {
    let (name, value) = preference.split_once('=')?;
    name.trim().eq_ignore_ascii_case("wait").then_some(value)
}

/// Seconds of `Prefer: wait=N`; none where it is not asked.
fn wait_of(headers: &HeaderMap, most: Duration) -> Result<Duration, Problem> {
    let prefer = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let wait = prefer.flat_map(|value| value.split([',', ';'])).find_map(wait_in);
    let Some(seconds) = wait else { return Ok(Duration::ZERO) };
    let seconds: u64 = seconds.trim().parse().map_err(|_| {
        Problem::new(problem::BAD_QUERY, "`Prefer: wait=N` is a number of seconds")
            .given(seconds, "0, 1, 2, …")
    })?;
    Ok(Duration::from_secs(seconds).min(most))
}

/// What became of a transaction: 201 with its receipt, or 422 with the reason.
pub async fn outcome(
    api: &Arc<Api>,
    caller: Caller,
    height: u64,
    index: u32,
    replayed: bool,
) -> Result<Response, Problem> {
    // Whoever hands in may be told the outcome, whether or not they may read anything else.
    let hub = Arc::clone(&api.hub);
    let patience = if replayed { Patience::Short } else { Patience::Endless };
    let asker = caller.clone();
    let names = api.names_for(&caller);
    let reading = api.work(&asker, patience, move || {
        let reader = Reader { tip: hub.tip(), hub, names, caller };
        let (block, name) = (block_of(&reader, height)?, format!("receipt {height}/{index}"));
        let (item, full) = in_block(&block, index, &name)?;
        let sight = reader.caller.sight(reader.chain(), item, full)?;
        let sight = sight.unwrap_or_else(|| Sight::whole(item, full));
        let document = told_of(&reader, &block.header, index, &sight)?;
        if sight.full.receipt.fate == Fate::Done {
            return Ok((StatusCode::CREATED, Json(document)).into_response());
        }
        let spec = render::spec_of(reader.chain(), sight.item)?;
        Err(no(&reader, &sight.full, spec.as_ref(), sight.why).with("receipt", document))
    });
    let mut response = reading.await.into_response();
    if replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

fn block_of(reader: &Reader, height: u64) -> Result<Arc<Block>, Problem> {
    let block = reader.hub.block(&reader.tip, height)?;
    Ok(block.ok_or_else(|| Missing(format!("there is no block {height}")))?)
}

fn in_block<'b>(block: &'b Block, index: u32, name: &str) -> Result<(&'b Item, &'b FullReceipt), Problem> {
    let found = block.items.get(index as usize).zip(block.receipts.get(index as usize));
    Ok(found.ok_or_else(|| Missing(format!("there is no {name}")))?)
}

/// What the caller may see of a receipt of a block.
pub fn seen<'b>(reader: &Reader, block: &'b Block, index: u32, name: &str) -> Result<Sight<'b>, Problem> {
    let (item, full) = in_block(block, index, name)?;
    let sight = reader.caller.sight(reader.chain(), item, full)?;
    Ok(sight.ok_or_else(|| Missing(format!("there is no {name}")))?)
}

/// The document of a receipt at a place, as far as the caller may see it; `name` is what it was asked by.
pub fn placed(reader: &Reader, height: u64, index: u32, name: &str) -> Result<Document, Problem> {
    let block = reader.hub.block(&reader.tip, height)?;
    let block = block.ok_or_else(|| Missing(format!("there is no {name}")))?;
    let sight = seen(reader, &block, index, name)?;
    told_of(reader, &block.header, index, &sight)
}

fn told_of(reader: &Reader, header: &Header, index: u32, sight: &Sight<'_>) -> Result<Document, Problem> {
    let mut document = receipt::seen(reader.chain(), &reader.names, header.time, sight)?.document;
    if let Item::Tx(tx) = sight.item {
        document["transaction"] = json!(tx.id().to_string());
    }
    document["status"] = json!("final");
    document["height"] = json!(header.height);
    document["index"] = json!(index);
    document["whole"] = json!(sight.is_whole);
    Ok(stamped(document, reader.chain()))
}

/// Where the receipt of a transaction stands.
fn found(hub: &Hub, tip: &Tip, id: &TxId) -> Result<Option<(u64, u32)>, Problem> {
    let (height, index) = match hub.place_of(id)? {
        Known::At(place) => place,
        Known::Nowhere => return Ok(None),
        Known::NotYet => return Err(Problem::new(problem::NOT_YET, "the log is still read").after(RETRY_S)),
    };
    // The index is made of the log, and may have met another one than this.
    let block = hub.block(tip, height)?;
    let item = block.as_ref().and_then(|block| block.items.get(index as usize));
    Ok(matches!(item, Some(Item::Tx(tx)) if tx.id() == *id).then_some((height, index)))
}

fn place_of(reader: &Reader, asked: &str) -> Result<(u64, u32), Problem> {
    let id: TxId = id(asked)?;
    let place = found(&reader.hub, &reader.tip, &id)?;
    let (height, index) = place.ok_or_else(|| Missing(format!("there is no {id}")))?;
    seen(reader, &*block_of(reader, height)?, index, asked)?;
    Ok((height, index))
}

/// What became of a transaction, however long ago.
#[utoipa::path(
    get, path = "/v1/transactions/{id}", tag = "transactions", params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "Its receipt, or that it waits", body = shapes::TransactionTold)))]
pub async fn get(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Part(asked): Part<String>,
    Asked(_): Asked<Nothing>,
) -> Result<Json<Document>, Problem> {
    let waits = asked.parse().is_ok_and(|id| api.inbox.holds(&id)) && caller.is_bank();
    let found = api.read(caller, {
        let asked = asked.clone();
        move |reader| {
            place_of(reader, &asked).and_then(|(height, index)| placed(reader, height, index, &asked))
        }
    });
    match found.await {
        Err(_) if waits => Ok(Json(json!({ "transaction": asked, "status": "pending" }))),
        found => found.map(Json),
    }
}

/// By what a transaction is found.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ByKey {
    /// The party that acted.
    party: String,
    /// Its idempotency key, 32 hexadecimal digits.
    key: String,
}

/// What became of what a party did under an idempotency key, for as many days as the chain keeps keys.
#[utoipa::path(
    get, path = "/v1/transactions", tag = "transactions", params(ByKey),
    responses((status = 200, description = "Its receipt", body = shapes::Receipt)))]
pub async fn by_key(reads: Reads, Asked(asked): Asked<ByKey>) -> Result<Json<Document>, Problem> {
    reads
        .json(move |reader| {
            let party: PartyId = reader.id("party", &asked.party)?;
            let key = unhex(&asked.key).and_then(|bytes| bytes.try_into().ok()).map(IdempotencyKey);
            let key = key.ok_or_else(|| {
                Problem::new(problem::BAD_QUERY, "`key` cannot be used")
                    .given(&asked.key, "32 hexadecimal digits")
            })?;
            let missing = || Problem::from(Missing(format!("{party} has used no such key")));
            if !reader.caller.sees_party(&party) {
                return Err(missing());
            }
            let (height, index) = reader.chain().outcome_of(&party, &key)?.ok_or_else(missing)?;
            placed(reader, height, index, &format!("receipt {height}/{index}"))
        })
        .await
}

/// The offline proof of a transaction's receipt, in the bytes that `tenor check` takes.
#[utoipa::path(
    get, path = "/v1/transactions/{id}/proof", tag = "transactions",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "The bundle", body = Vec<u8>, content_type = "application/octet-stream")))]
pub async fn proof(
    reads: Reads,
    Part(asked): Part<String>,
    Asked(_): Asked<Nothing>,
) -> Result<Response, Problem> {
    reads
        .bytes(move |reader| {
            let (height, index) = place_of(reader, &asked)?;
            prove(reader, height, index, &asked)
        })
        .await
}

/// The bundle of a receipt: item and receipt as they are, so it is made for who may see all of both.
pub fn prove(reader: &Reader, height: u64, index: u32, name: &str) -> Result<Vec<u8>, Problem> {
    if !seen(reader, &*block_of(reader, height)?, index, name)?.is_whole {
        let why = "a proof of this receipt would show what belongs to others; prove your account instead: /v1/proofs/account/{id}";
        return Err(Problem::new(problem::NOT_ALLOWED, why));
    }
    let bundle = reader.chain().prove_receipt(height, index, None)?;
    Ok(bundle.ok_or_else(|| Missing(format!("block {height} has no certificate yet")))?.to_bytes())
}

/// Bytes as an answer.
pub fn binary(bytes: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))], bytes).into_response()
}
