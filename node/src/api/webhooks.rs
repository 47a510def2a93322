//! Webhooks: registered, looked at, replayed, resumed, taken away.

use super::Api;
use super::caller::Caller;
use super::deliver;
use super::problem::{self, Problem};
use super::shapes;
use super::strict::{Asked, Nothing, Part, Strict};
use crate::access::Scope;
use crate::view::Missing;
use crate::webhook::{Hook, Record, Secret, Target};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Document, json};
use std::sync::Arc;
use tenor_abi::date::Timestamp;
use tenor_wire::hexadecimal::hex;
use utoipa::ToSchema;

/// Where to send what.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookAsked {
    /// Where messages are posted; its host is one that the operator allows.
    url: String,
    /// Only what touches this account.
    account: Option<String>,
    /// Only what concerns this agreement.
    agreement: Option<String>,
    /// From the first item of this height on; from the next block on where it is not given.
    from: Option<u64>,
}

/// From where to send again.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplayAsked {
    /// Height of the first block whose items are told again, each under the id that it had.
    from: u64,
}

fn may(caller: &Caller) -> Result<(), Problem> {
    caller.needs(Scope::Webhooks)?;
    caller.needs(Scope::Bank)
}

fn found(api: &Api, id: &str) -> Result<Arc<Hook>, Problem> {
    api.hooks.get(id).ok_or_else(|| Missing(format!("there is no webhook {id}")).into())
}

/// A hook without its secret, which was shown when it was made.
fn shown(api: &Api, hook: &Hook) -> Result<Document, Problem> {
    let record = hook.record();
    let is_allowed = deliver::is_allowed(api, &record)?;
    let Record {
        id,
        url,
        account,
        agreement,
        place: (height, index),
        failing_since_ms,
        suspended,
        token,
        ..
    } = record;
    // It stands still without being suspended: a token of that name lets it go on.
    let ended = || {
        let token = token.unwrap_or_default();
        format!(
            "its token `{token}` has ended, or allows `webhooks` and `bank` no more: make one of that name again"
        )
    };
    let suspended = suspended.or_else(|| (!is_allowed).then(ended));
    Ok(json!({
        "webhook": id, "url": url, "account": account, "agreement": agreement,
        "next": { "height": height, "index": index },
        "failing_since": failing_since_ms.map(|ms| Timestamp(ms).to_string()),
        "suspended": suspended, "attempts": hook.lately(),
    }))
}

/// Changes a hook durably, away from the threads that serve sockets, and lets who delivers know.
async fn changed(
    api: &Api,
    hook: &Arc<Hook>,
    change: impl FnOnce(&mut Record) + Send + 'static,
) -> Result<Document, Problem> {
    let writing = Arc::clone(hook);
    let written = tokio::task::spawn_blocking(move || writing.change(change)).await;
    written.map_err(|error| Problem::new(problem::BROKEN, error))??;
    hook.changed.notify_one();
    shown(api, hook)
}

/// Registers a webhook. The answer holds the secret that its messages are signed with (Standard Webhooks); it is shown
/// this once.
#[utoipa::path(
    post, path = "/v1/webhooks", tag = "webhooks", request_body = WebhookAsked,
    responses((status = 201, description = "It is there", body = shapes::Webhook)))]
pub async fn make(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Strict(asked): Strict<WebhookAsked>,
) -> Result<Response, Problem> {
    may(&caller)?;
    let possible = api.config.webhook_hosts.to_string();
    let wrong = |why: &str| Problem::field("url", why).given(&asked.url, &possible);
    let target: Target = asked.url.parse().map_err(|why: String| wrong(&why))?;
    if !api.config.webhook_hosts.has(&target.origin) {
        return Err(wrong("messages go to no such host"));
    }
    let token = caller.token().map(String::from);
    let url = asked.url.clone();
    let made = api.read(caller, move |reader| {
        let filter = super::events::Filter::of(reader, asked.account.as_deref(), asked.agreement.as_deref())?;
        let tip = reader.chain().tip();
        let from = asked.from.unwrap_or(tip.height + 1);
        if from > tip.height + 1 {
            let possible = format!("at most {}", tip.height + 1);
            return Err(Problem::field("from", "it is not there yet").given(from, possible));
        }
        Ok(Record {
            id: format!("wh_{}", hex(&super::sandbox::random::<16>()?)),
            url,
            account: filter.account.map(|id| id.to_string()),
            agreement: filter.agreement.map(|id| id.to_string()),
            token,
            secret: Secret::random()?,
            chain: tip.chain.to_string(),
            place: (from, 0),
            failing_since_ms: None,
            suspended: None,
        })
    });
    let (record, hooks) = (made.await?, Arc::clone(&api.hooks));
    let secret = record.secret.shown().to_string();
    let added = tokio::task::spawn_blocking(move || hooks.add(record)).await;
    let hook = added.map_err(|error| Problem::new(problem::BROKEN, error))??;
    let hook = hook
        .ok_or_else(|| Problem::new(problem::TOO_MANY_HOOKS, format!("{} are there", api.config.webhooks)))?;
    deliver::start(&api, Arc::clone(&hook));
    let mut document = shown(&api, &hook)?;
    document["secret"] = json!(secret);
    Ok((StatusCode::CREATED, Json(document)).into_response())
}

/// Webhooks, with how far each has been told and how its attempts of late ended.
#[utoipa::path(
    get, path = "/v1/webhooks", tag = "webhooks",
    responses((status = 200, description = "The webhooks", body = shapes::Webhooks)))]
pub async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Asked(_): Asked<Nothing>,
) -> Result<Json<Document>, Problem> {
    may(&caller)?;
    let all = api.hooks.all();
    let all = all.iter().map(|hook| shown(&api, hook)).collect::<Result<Vec<Document>, _>>()?;
    Ok(Json(json!({ "webhooks": all })))
}

/// A webhook.
#[utoipa::path(
    get, path = "/v1/webhooks/{webhook}", tag = "webhooks", params(("webhook" = String, Path)),
    responses((status = 200, description = "The webhook", body = shapes::Webhook)))]
pub async fn get(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Part(id): Part<String>,
    Asked(_): Asked<Nothing>,
) -> Result<Json<Document>, Problem> {
    may(&caller)?;
    shown(&api, &*found(&api, &id)?).map(Json)
}

/// Takes a webhook away; nothing more is sent.
#[utoipa::path(
    delete, path = "/v1/webhooks/{webhook}", tag = "webhooks", params(("webhook" = String, Path)),
    responses((status = 200, description = "It is gone", body = shapes::WebhookEnded)))]
pub async fn end(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Part(id): Part<String>,
    Asked(_): Asked<Nothing>,
) -> Result<Json<Document>, Problem> {
    may(&caller)?;
    found(&api, &id)?;
    let (hooks, ended) = (Arc::clone(&api.hooks), id.clone());
    let gone = tokio::task::spawn_blocking(move || hooks.end(&ended)).await;
    gone.map_err(|error| Problem::new(problem::BROKEN, error))??;
    Ok(Json(json!({ "ended": id })))
}

/// Sends again what was sent before, in order, from a height on; what comes later follows behind it.
#[utoipa::path(
    post, path = "/v1/webhooks/{webhook}/replay", tag = "webhooks", params(("webhook" = String, Path)),
    request_body = ReplayAsked,
    responses((status = 200, description = "The webhook", body = shapes::Webhook)))]
pub async fn replay(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Part(id): Part<String>,
    Strict(asked): Strict<ReplayAsked>,
) -> Result<Json<Document>, Problem> {
    may(&caller)?;
    let hook = found(&api, &id)?;
    let (next, _) = hook.record().place;
    if asked.from > next {
        let why = format!("block {next} was not told yet");
        return Err(Problem::field("from", why).given(asked.from, format!("at most {next}")));
    }
    let again = move |record: &mut Record| {
        record.place = record.place.min((asked.from, 0));
        record.failing_since_ms = None;
    };
    changed(&api, &hook, again).await.map(Json)
}

/// Goes on with a webhook that was suspended, where it stopped.
#[utoipa::path(
    post, path = "/v1/webhooks/{webhook}/resume", tag = "webhooks", params(("webhook" = String, Path)),
    responses((status = 200, description = "The webhook", body = shapes::Webhook)))]
pub async fn resume(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Part(id): Part<String>,
    Asked(_): Asked<Nothing>,
) -> Result<Json<Document>, Problem> {
    may(&caller)?;
    let hook = found(&api, &id)?;
    let go_on = |record: &mut Record| (record.suspended, record.failing_since_ms) = (None, None);
    changed(&api, &hook, go_on).await.map(Json)
}
