//! The HTTP API: JSON in, transactions and readings out. What it says is described in `/openapi.json`.

mod problem;
mod head;
mod shapes;
mod strict;
mod caller;
mod reading;
mod operation;
mod people;
mod transactions;
mod accounts;
mod agreements;
mod catalogue;
mod blocks;
mod state;
mod events;
mod deliver;
mod sandbox;
mod force;
mod webhooks;
mod unsent;

pub use deliver::start_all as tell_webhooks;
pub use events::Followers;
pub use force::Forces;
pub use head::{is_told, refusal};
pub use problem::{CODES, Code};

use crate::access::Tokens;
use crate::clock::Clock;
use crate::config::Config;
use crate::hub::Hub;
use crate::inbox::Inbox;
use crate::kept::Kept;
use crate::metrics::Metrics;
use crate::turns::Turns;
use crate::view::Missing;
use crate::view::names::Names;
use crate::webhook::{Hooks, Sender};
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use caller::Asker;
use problem::Problem;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Instant;
use strict::{Asked, Nothing, Part};
use tokio::sync::watch;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi;
use utoipa::openapi::{ContentBuilder, Ref, ResponseBuilder};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What requests need.
pub struct Api {
    /// What readers see.
    pub hub: Arc<Hub>,
    /// Where transactions go.
    pub inbox: Arc<Inbox>,
    /// What time it is.
    pub clock: Arc<Clock>,
    /// The bank's names.
    pub names: Kept<Names>,
    /// Who may ask.
    pub tokens: Tokens,
    /// Figures.
    pub metrics: Arc<Metrics>,
    /// What the node was told.
    pub config: Config,
    /// Who works when.
    pub turns: Arc<Turns>,
    /// Places for followers.
    pub followers: Followers,
    /// Who is told by requests of the node's own.
    pub hooks: Arc<Hooks>,
    /// Sends those requests.
    pub sender: Sender,
    /// What a sandbox was told to answer.
    pub forces: Forces,
    /// Whether the node stops.
    pub stopping: watch::Sender<bool>,
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tenor node",
        description = "Retail-banking agreements on a ledger that anybody can check. Amounts are texts with their \
                       currency, never JSON numbers. Unknown and repeated fields are refused. What says no is an RFC \
                       9457 problem; `/problems` lists the kinds."
    ),
    components(schemas(shapes::ProblemDocument)),
    tags(
        (name = "transactions", description = "Prepared, signed by the client, handed in, told and proved"),
        (name = "accounts", description = "Balances, postings, statements"),
        (name = "agreements", description = "Terms, state, books, schedule, actions, views"),
        (name = "catalogue", description = "Contracts, assets, calendars, parties"),
        (name = "network", description = "The chain, its blocks, proofs"),
        (name = "events", description = "What happens, as it happens"),
        (name = "webhooks", description = "What happens, sent to the bank's own servers"),
        (name = "sandbox", description = "Clock, faucet, staff and new customers, in a sandbox alone")
    )
)]
struct Description;

fn described() -> (Router<Arc<Api>>, utoipa::openapi::OpenApi) {
    let (router, document) = OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(problems))
        .routes(routes!(one_problem))
        .routes(routes!(blocks::network))
        .routes(routes!(transactions::prepare))
        .routes(routes!(transactions::submit, transactions::by_key))
        .routes(routes!(transactions::get))
        .routes(routes!(transactions::proof))
        .routes(routes!(accounts::list))
        .routes(routes!(accounts::get))
        .routes(routes!(accounts::entries))
        .routes(routes!(accounts::statement))
        .routes(routes!(agreements::list))
        .routes(routes!(agreements::get))
        .routes(routes!(agreements::schedule))
        .routes(routes!(agreements::actions))
        .routes(routes!(agreements::view))
        .routes(routes!(catalogue::contracts))
        .routes(routes!(catalogue::contract))
        .routes(routes!(catalogue::spec))
        .routes(routes!(catalogue::published))
        .routes(routes!(catalogue::assets))
        .routes(routes!(catalogue::asset))
        .routes(routes!(catalogue::calendars))
        .routes(routes!(catalogue::calendar))
        .routes(routes!(catalogue::get_party))
        .routes(routes!(catalogue::get_proposal))
        .routes(routes!(catalogue::lists))
        .routes(routes!(blocks::list))
        .routes(routes!(blocks::get))
        .routes(routes!(state::block))
        .routes(routes!(state::checkpoint))
        .routes(routes!(state::genesis))
        .routes(routes!(state::rows))
        .routes(routes!(blocks::receipt))
        .routes(routes!(blocks::receipt_proof))
        .routes(routes!(blocks::proof))
        .routes(routes!(events::follow))
        .routes(routes!(webhooks::list, webhooks::make))
        .routes(routes!(webhooks::get, webhooks::end))
        .routes(routes!(webhooks::replay))
        .routes(routes!(webhooks::resume))
        .routes(routes!(sandbox::clock))
        .routes(routes!(sandbox::faucet))
        .routes(routes!(sandbox::act))
        .routes(routes!(sandbox::enrol))
        .routes(routes!(force::force, force::clear))
        .split_for_parts();
    (router, with_problems(document))
}

/// The same description, with the problems that any request may meet where its own says nothing of them.
fn with_problems(mut document: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    let problem = |why: &str| {
        let schema = Ref::from_schema_name("ProblemDocument");
        let content = ContentBuilder::new().schema(Some(schema)).build();
        ResponseBuilder::new().description(why).content("application/problem+json", content).build()
    };
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.post, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            let responses = &mut operation.responses.responses;
            for (status, why) in [("4XX", "A problem"), ("5XX", "The node is at fault, or stops")] {
                responses.entry(status.into()).or_insert_with(|| problem(why).into());
            }
        }
    }
    document
}

/// The OpenAPI document.
pub fn openapi() -> Value {
    let (_, document) = described();
    serde_json::to_value(document).unwrap_or_default()
}

/// The routes of the API.
pub fn router(api: Arc<Api>) -> Router {
    let (routes, document) = described();
    let document = serde_json::to_value(document).unwrap_or_default();
    let page = if api.config.demo { crate::demo::router() } else { Router::new() };
    routes
        .merge(page)
        .route("/openapi.json", get(move |_: Asked<Nothing>| async move { Json(document) }))
        .fallback(|| async { nowhere() })
        .method_not_allowed_fallback(|| async {
            Problem::new(problem::METHOD, "the header `Allow` says which are")
        })
        .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| {
            Problem::new(problem::BROKEN, "the log of the node says what is wrong").into_response()
        }))
        .layer(middleware::from_fn_with_state(Arc::clone(&api), around))
        .with_state(api)
}

fn kind(code: &Code) -> Value {
    json!({
        "code": code.name, "type": format!("/problems/{}", code.name), "status": code.status, "title": code.title,
        "explanation": code.doc, "retry_helps": code.retry,
    })
}

/// Every kind of problem. No token is needed.
#[utoipa::path(
    get, path = "/problems", tag = "network", responses((status = 200, description = "The kinds", body = shapes::ProblemKinds)))]
async fn problems(_: Asked<Nothing>) -> Json<Value> {
    Json(json!({ "problems": CODES.iter().map(kind).collect::<Vec<_>>() }))
}

/// A kind of problem: what it means and what to do. No token is needed.
#[utoipa::path(
    get, path = "/problems/{code}", tag = "network", params(("code" = String, Path, description = "Its code")),
    responses((status = 200, description = "The kind", body = shapes::ProblemKind)))]
async fn one_problem(Part(asked): Part<String>, _: Asked<Nothing>) -> Result<Json<Value>, Problem> {
    let found = CODES.iter().find(|code| code.name == asked);
    let near = || crate::near::hint(&asked, CODES.iter().map(|code| code.name));
    let found =
        found.ok_or_else(|| Problem::from(Missing(format!("there is no problem `{asked}`{}", near()))))?;
    Ok(Json(kind(found)))
}

/// Headers that go with every answer: nothing is sniffed, framed, cached or sent on.
const HEADERS: [(HeaderName, &str); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
];

/// What begins every path that is in a sandbox alone.
const SANDBOX: &str = "/v1/sandbox/";

fn nowhere() -> Problem {
    Missing(
        "there is no such path; `/openapi.json` lists them, those of a sandbox are in a sandbox alone".into(),
    )
    .into()
}

/// Counts a request and secures its answer.
async fn around(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = match request.method().as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "HEAD" => "HEAD",
        "DELETE" => "DELETE",
        _ => "other",
    };
    let (mut head, body) = request.into_parts();
    let asker = Asker::default();
    head.extensions.insert(asker.clone());
    let mut response = match head::check(&head, &api.config) {
        Ok(()) if !api.config.sandbox && head.uri.path().starts_with(SANDBOX) => nowhere().into_response(),
        Ok(()) => next.run(Request::from_parts(head, body)).await,
        Err(problem) => {
            // Whoever stands between client and node may have seen another end of it.
            let mut response = problem.into_response();
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            response
        }
    };
    let headers = response.headers_mut();
    let tls = api.config.tls.is_some().then_some((header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"));
    for (name, value) in HEADERS.into_iter().chain(tls) {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    api.metrics.answered(method, response.status().as_u16(), began.elapsed());
    unsent::counted(response, &api.turns, &asker)
}
