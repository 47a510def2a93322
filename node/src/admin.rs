//! The operator's listener: whether the node lives, whether it is ready, its figures.

use crate::api::Api;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::sync::Arc;

/// Media type of the OpenMetrics text form.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The routes of the operator's listener.
pub fn router(api: Arc<Api>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "lives\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(api)
}

/// Ready at a block, and what of the folder cannot be used though it goes on; or why not.
async fn ready(State(api): State<Arc<Api>>) -> Response {
    let looking = tokio::task::spawn_blocking(move || {
        if api.inbox.is_stopping() {
            return Err("stopping".to_string());
        }
        if let Some(why) = api.inbox.content().waits.clone() {
            return Err(why);
        }
        let tip = api.hub.tip();
        if let Some(damage) = tip.chain.state_damage() {
            return Err(format!("the state is damaged: {damage}"));
        }
        let wrong = [api.tokens.wrong(), api.names.wrong()].into_iter().flatten();
        let wrong: String =
            wrong.map(|why| format!("what was read before goes on counting: {why}\n")).collect();
        Ok(format!("ready at block {}\n{wrong}", tip.chain.tip().height))
    });
    let unready = |why| (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response();
    match looking.await {
        Ok(Ok(ready)) => ready.into_response(),
        Ok(Err(why)) => unready(why),
        Err(_) => unready("the log of the node says what is wrong".into()),
    }
}

async fn metrics(State(api): State<Arc<Api>>) -> Response {
    ([(header::CONTENT_TYPE, OPEN_METRICS)], api.metrics.text()).into_response()
}
