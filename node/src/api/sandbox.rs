//! What only a sandbox has: a clock that can be moved, and money from nowhere.

use super::Api;
use super::caller::Caller;
use super::operation::{Asked as AskedOperation, Asking};
use super::problem::{self, Problem};
use super::reading::stamped;
use super::strict::Strict;
use crate::access::Scope;
use crate::keys::Keys;
use crate::pool::{Offered, Outcome};
use crate::view::Missing;
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value as Document, json};
use std::sync::Arc;
use tenor_abi::date::{DAY_MS, Date, Timestamp};
use tenor_abi::id::PartyId;
use tenor_wire::tx::{Authoriser, BODY_VERSION, Body, IdempotencyKey};
use utoipa::ToSchema;

/// Farthest that a clock is moved at once.
const AHEAD_MS_MAX: u64 = 3_660 * DAY_MS;
/// Gas of a payment from the faucet.
const GAS_LIMIT: u64 = 1_000_000;
/// Name of the bank's party and key, and of the account that money comes from.
const BANK: &str = "bank";
const FUNDING: &str = "funding";

fn only_here(api: &Api, caller: &Caller) -> Result<(), Problem> {
    match api.config.sandbox {
        true => caller.needs(Scope::Sandbox),
        false => Err(Missing("there is no such path outside a sandbox".into()).into()),
    }
}

/// Where the clock goes.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClockAsked {
    /// A day (its beginning) or an instant, not before the clock and at most ten years ahead.
    to: String,
}

/// Moves a sandbox's time ahead; everything that falls due until then runs, block after block.
#[utoipa::path(
    post, path = "/v1/sandbox/clock", tag = "sandbox", request_body = ClockAsked,
    responses((status = 200, description = "It is there", body = Object),
        (status = "4XX", description = "A problem", body = Object, content_type = "application/problem+json")))]
pub async fn clock(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Strict(asked): Strict<ClockAsked>,
) -> Result<Json<Document>, Problem> {
    only_here(&api, &caller)?;
    let day = asked.to.parse::<Date>().map(Date::midnight);
    let to = day.or_else(|_| asked.to.parse::<Timestamp>());
    let possible = "a day like 2026-01-31 or an instant like 2026-01-31T12:00:00Z";
    let to = to.map_err(|_| Problem::field("to", possible).given(&asked.to, possible))?;
    let now = api.clock.now();
    if to <= now || to.0 - now.0 > AHEAD_MS_MAX {
        let why = format!("it is {now}, and a clock is moved ahead, at most ten years");
        return Err(Problem::field("to", why).given(to, format!("after {now}")));
    }
    let moved = api.inbox.advance(to).await;
    let height =
        moved.map_err(|_| Problem::new(problem::STOPPING, "the clock was not moved all the way").after(5))?;
    let tip = api.hub.tip();
    Ok(Json(stamped(json!({ "time": to.to_string(), "height": height }), &tip.chain)))
}

/// Who gets money.
#[derive(Clone, Debug, Deserialize, ToSchema)]
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
    responses((status = 200, description = "It is there", body = Object),
        (status = "4XX", description = "A problem", body = Object, content_type = "application/problem+json")))]
pub async fn faucet(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Strict(asked): Strict<FaucetAsked>,
) -> Result<Json<Document>, Problem> {
    only_here(&api, &caller)?;
    let (names, keys) = (Arc::clone(&api.names), Keys::of(&api.config.data));
    let now = api.clock.now();
    let made = api.read(caller, move |reader| {
        let chain = reader.chain();
        let of = |known: &std::collections::BTreeMap<String, String>, name: &str| {
            known.get(name).cloned().ok_or_else(|| Missing(format!("this sandbox has no `{name}`")))
        };
        let party: PartyId = super::reading::id(&of(&names.parties, BANK)?)?;
        let from = of(&names.accounts, FUNDING)?;
        let asked = AskedOperation::Transfer { from, to: asked.account, amount: asked.amount };
        let (operation, spend_max) = Asking(reader).operation(&asked, GAS_LIMIT)?;
        let now = now.max(Timestamp(chain.tip().time.0 + 1));
        let mut choice = [0; 12];
        getrandom::fill(&mut choice).map_err(|error| Problem::new(problem::BROKEN, error))?;
        let body = Body {
            version: BODY_VERSION,
            chain: chain.id(),
            authorisers: vec![Authoriser { party, key: 0 }],
            key: IdempotencyKey::new((now.0 / DAY_MS) as u32, choice),
            valid_from: now,
            valid_until: Timestamp(now.0 + DAY_MS),
            gas_limit: GAS_LIMIT,
            spend_max,
            operation,
        };
        let tx = body.sign(&[&keys.get(BANK)?]);
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
        Ok(Outcome::Placed { height, index }) => {
            let tip = api.hub.tip();
            let document = json!({ "transaction": id.to_string(), "height": height, "index": index });
            Ok(Json(stamped(document, &tip.chain)))
        }
        Ok(Outcome::Rejected(rejection)) => Err(rejection.into()),
        Ok(Outcome::Stopped) | Err(_) => Err(Problem::new(problem::STOPPING, "send it again").after(5)),
    }
}
