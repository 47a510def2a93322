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

async fn ready(State(api): State<Arc<Api>>) -> Response {
    let stopping = tokio::task::spawn_blocking({
        let api = Arc::clone(&api);
        move || api.inbox.is_stopping()
    });
    match stopping.await {
        Ok(false) => format!("ready at block {}\n", api.hub.tip().chain.tip().height).into_response(),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response(),
    }
}

async fn metrics(State(api): State<Arc<Api>>) -> Response {
    ([(header::CONTENT_TYPE, OPEN_METRICS)], api.metrics.text()).into_response()
}
