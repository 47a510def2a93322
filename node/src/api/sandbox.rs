//! What only a sandbox has: a clock that can be moved, money from nowhere, staff that acts, customers made of a key.

use super::Api;
use super::caller::Caller;
use super::operation::{Asked as AskedOperation, Asking, currency, minor};
use super::people::public_key;
use super::problem::{self, Problem};
use super::reading::{Reader, id, stamped};
use super::shapes;
use super::strict::Strict;
use super::transactions::outcome;
use crate::access::{self, Scope};
use crate::keys::Keys;
use crate::pool::{Offered, Outcome};
use crate::view::Missing;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Document, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tenor_abi::codec;
use tenor_abi::date::{DAY_MS, Date, Timestamp};
use tenor_abi::id::{AssetId, Hash, PartyId, TxId};
use tenor_wire::hexadecimal::hex;
use tenor_wire::op::{AccountKind, AccountOp, KeyDef, KeyRole, Operation, PartyKind, PartyOp, account_id};
use tenor_wire::tx::{Authoriser, BODY_VERSION, Body, IdempotencyKey};
use utoipa::ToSchema;

/// Farthest that a clock is moved at once.
const AHEAD_MS_MAX: u64 = 3_660 * DAY_MS;
/// Gas of what a sandbox signs.
const GAS_LIMIT: u64 = 200_000_000;
/// Names of the bank's party and key, of who enrols customers, and of the account that money comes from.
const BANK: &str = "bank";
const OFFICER: &str = "officer";
const FUNDING: &str = "funding";
/// Currency of a new customer's account.
const CURRENCY: &str = "EUR";

/// Where the clock goes.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClockAsked {
    /// A day (its beginning) or an instant, not before the clock and at most ten years ahead.
    to: String,
}

/// Moves a sandbox's time ahead; everything that falls due until then runs, block after block.
#[utoipa::path(
    post, path = "/v1/sandbox/clock", tag = "sandbox", request_body = ClockAsked,
    responses((status = 200, description = "It is there", body = shapes::ClockMoved)))]
pub async fn clock(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Strict(asked): Strict<ClockAsked>,
) -> Result<Json<Document>, Problem> {
    caller.needs(Scope::Sandbox)?;
    let day = asked.to.parse::<Date>().map(Date::midnight);
    let to = day.or_else(|_| asked.to.parse::<Timestamp>());
    let possible = "a day like 2026-01-31 or an instant like 2026-01-31T12:00:00Z";
    let to = to.map_err(|_| Problem::field("to", possible).given(&asked.to, possible))?;
    let now = api.clock.now();
    if to <= now || to.0 - now.0 > AHEAD_MS_MAX {
        let why = format!("it is {now}, and a clock is moved ahead, at most ten years");
        return Err(Problem::field("to", why).given(asked.to, format!("after {now}")));
    }
    let moved = api.inbox.advance(to).await;
    let height =
        moved.map_err(|_| Problem::new(problem::STOPPING, "the clock was not moved all the way").after(5))?;
    let tip = api.hub.tip();
    Ok(Json(stamped(json!({ "time": to.to_string(), "height": height }), &tip.chain)))
}

/// Who gets money.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FaucetAsked {
    /// The account.
    account: String,
    /// Amount with its currency.
    amount: String,
}

/// Puts money into an account of a sandbox.
#[utoipa::path(
    post, path = "/v1/sandbox/faucet", tag = "sandbox", request_body = FaucetAsked,
    responses((status = 200, description = "It is there", body = shapes::FaucetRun)))]
pub async fn faucet(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Strict(asked): Strict<FaucetAsked>,
) -> Result<Response, Problem> {
    caller.needs(Scope::Sandbox)?;
    let from = name(&api.names.now().accounts, FUNDING)?;
    let asked = AskedOperation::Transfer { from, to: asked.account, amount: asked.amount };
    let (id, (height, index)) = signed(&api, BANK, What::Asked(asked)).await?;
    let told = outcome(&api, caller, height, index, false).await?;
    if told.status() != StatusCode::CREATED {
        return Ok(told);
    }
    let tip = api.hub.tip();
    let document = json!({ "transaction": id.to_string(), "height": height, "index": index });
    Ok(Json(stamped(document, &tip.chain)).into_response())
}

/// Who does what.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ActAsked {
    /// Name of a party whose key lies in the sandbox's folder, like `officer`.
    who: String,
    /// What to do.
    operation: AskedOperation,
}

/// Does something as somebody whose key a sandbox holds: what staff and counterparties do while a customer's app is
/// tried out.
#[utoipa::path(
    post, path = "/v1/sandbox/act", tag = "sandbox", request_body = ActAsked,
    responses((status = 201, description = "Done; the receipt", body = shapes::Receipt)))]
pub async fn act(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Strict(asked): Strict<ActAsked>,
) -> Result<Response, Problem> {
    caller.needs(Scope::Sandbox)?;
    let (_, (height, index)) = signed(&api, &asked.who, What::Asked(asked.operation)).await?;
    outcome(&api, caller, height, index, false).await
}

/// Who becomes a customer.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnrolAsked {
    /// Public key of the customer's device: 34 bytes in hexadecimal, algorithm, parity and x. Who has the secret key
    /// signs for the new party; nobody else can.
    public_key: String,
    /// What the new account begins with, like "2500.00 EUR".
    amount: String,
}

/// Makes a customer of a sandbox for a key: a party, its account with some money, and a token that reads what is the
/// party's own and hands in what it signs. The answer holds the checkpoint of the chain's beginning, which receipts are
/// verified against.
#[utoipa::path(
    post, path = "/v1/sandbox/enrol", tag = "sandbox", request_body = EnrolAsked,
    responses((status = 201, description = "The customer", body = shapes::Enrolled)))]
pub async fn enrol(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Strict(asked): Strict<EnrolAsked>,
) -> Result<Response, Problem> {
    caller.needs(Scope::Sandbox)?;
    let public = public_key(&asked.public_key)?;
    let home: PartyId = id(&name(&api.names.now().parties, BANK)?)?;
    let asset: AssetId = id(&name(&api.names.now().assets, CURRENCY)?)?;
    // What is wrong with the amount is told before anything is made.
    let amount = asked.amount.clone();
    let check =
        move |reader: &Reader| minor("amount", &amount, currency(reader, &asset)?, &format!("{asset} is"));
    api.read(Caller::bank(), check).await?;
    let party = PartyId(random()?);
    let account = account_id(&party.0, &asset, "main");
    let key = KeyDef { public, role: KeyRole::Device, expires_at: None, limits: None };
    let person =
        PartyOp { party, home, kind: PartyKind::Person, person: Hash(random()?), name: Hash(random()?), key };
    let opened = AccountOp {
        owner: party,
        asset,
        purpose: "main".into(),
        floor: 0,
        ceiling: None,
        kind: AccountKind::Plain,
    };
    let money = AskedOperation::Transfer {
        from: name(&api.names.now().accounts, FUNDING)?,
        to: account.to_string(),
        amount: asked.amount,
    };
    let steps = [
        (OFFICER, What::Operation(Operation::Party(person))),
        (OFFICER, What::Operation(Operation::Account(opened))),
        (BANK, What::Asked(money)),
    ];
    for (who, what) in steps {
        let (_, (height, index)) = signed(&api, who, what).await?;
        // What was refused says why; what is done is not told of.
        let told = outcome(&api, caller.clone(), height, index, false).await?;
        if told.status() != StatusCode::CREATED {
            return Ok(told);
        }
    }
    let data = api.config.data.clone();
    let made = api.read(Caller::bank(), move |reader| {
        let scopes = vec![Scope::Customer, Scope::Submit];
        let secret = access::make(&data, &party.to_string(), scopes, Some(party), None)?;
        let checkpoint = reader.chain().first_checkpoint()?;
        Ok(stamped(
            json!({
                "party": party.to_string(), "account": account.to_string(), "token": secret,
                "chain": reader.chain().id().to_string(), "checkpoint": hex(&codec::encode(&checkpoint)),
            }),
            reader.chain(),
        ))
    });
    Ok((StatusCode::CREATED, Json(made.await?)).into_response())
}

/// What somebody of the sandbox does.
enum What {
    Asked(AskedOperation),
    Operation(Operation),
}

fn name(known: &BTreeMap<String, String>, name: &str) -> Result<String, Problem> {
    known.get(name).cloned().ok_or_else(|| Missing(format!("this sandbox has no `{name}`")).into())
}

/// Random bytes.
pub fn random<const N: usize>() -> Result<[u8; N], Problem> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| Problem::new(problem::BROKEN, error))?;
    Ok(bytes)
}

/// Signs with a key of the sandbox's folder, hands in, and waits for the place in a block. What is named is found as the
/// bank finds it: whoever moves a sandbox acts as anybody in it.
async fn signed(api: &Arc<Api>, who: &str, what: What) -> Result<(TxId, (u64, u32)), Problem> {
    let party: PartyId = id(&name(&api.names.now().parties, who)?)?;
    let (keys, who, now) = (Keys::of(&api.config.data), who.to_string(), api.clock.now());
    let made = api.read(Caller::bank(), move |reader| {
        let chain = reader.chain();
        let (operation, spend_max) = match what {
            What::Asked(asked) => Asking(reader).operation(&asked, GAS_LIMIT)?,
            What::Operation(operation) => (operation, vec![]),
        };
        let now = now.max(Timestamp(chain.tip().time.0 + 1));
        let body = Body {
            version: BODY_VERSION,
            chain: chain.id(),
            authorisers: vec![Authoriser { party, key: 0 }],
            key: IdempotencyKey::new((now.0 / DAY_MS) as u32, random()?),
            valid_from: now,
            valid_until: Timestamp(now.0 + DAY_MS),
            gas_limit: GAS_LIMIT,
            spend_max,
            operation,
        };
        let tx = body.sign(&[&keys.get(&who)?]);
        Ok(chain.admit(now, tx)??)
    });
    let candidate = made.await?;
    let id = candidate.id();
    let waiter = match api.inbox.offer(candidate) {
        Some(Offered::Taken(waiter)) => waiter,
        Some(_) => return Err(Problem::new(problem::FULL, "too many transactions wait").after(1)),
        None => return Err(Problem::new(problem::STOPPING, "send it again").after(5)),
    };
    match waiter.await {
        Ok(Outcome::Placed { height, index }) => Ok((id, (height, index))),
        Ok(Outcome::Rejected(rejection)) => Err(rejection.into()),
        Ok(Outcome::Stopped) | Err(_) => Err(Problem::new(problem::STOPPING, "send it again").after(5)),
    }
}
