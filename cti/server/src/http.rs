//! The HTTP side: console page, API, health and metrics. It only reads what others published.

use crate::{
    metrics,
    status::{Status, TrunkState},
};
use axum::{
    Json, Router,
    extract::{Query, State},
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use demarc_media::EngineHandle;
use demarc_store::{Reader, RecordFilter};
use serde::Deserialize;
use serde_json::json;
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::net::TcpListener;

/// The console cannot be served.
#[derive(Debug, thiserror::Error)]
#[error(
    "HTTP {address}: cannot listen; another program may have the port (see `ss -lnp`): stop it, or write another one in [http] listen"
)]
pub struct HttpListenError {
    address: SocketAddr,
    source: std::io::Error,
}

/// Binds the listener.
///
/// # Errors
/// Names the address and the likely reason.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, HttpListenError> {
    TcpListener::bind(address).await.map_err(|source| HttpListenError { address, source })
}

#[derive(Clone)]
struct Shared {
    status: Status,
    media: EngineHandle,
    records: Arc<Mutex<Reader>>,
}

/// Serves until the task is dropped.
pub async fn serve(listener: TcpListener, status: Status, media: EngineHandle, records: Reader) {
    let shared = Shared { status, media, records: Arc::new(Mutex::new(records)) };
    let router = Router::new()
        .route("/", get(|| async { Html(include_str!("../web/index.html")) }))
        .route("/healthz", get(health))
        .route("/metrics", get(metrics_text))
        .route("/api/v1/state", get(state))
        .route("/api/v1/calls", get(calls))
        .route("/api/v1/agents", get(agents))
        .route("/api/v1/queues", get(queues))
        .route("/api/v1/spans", get(spans))
        .route("/api/v1/channels", get(channels))
        .route("/api/v1/trunks", get(trunks))
        .route("/api/v1/cdr", get(cdr))
        .with_state(shared);
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "the console has stopped");
    }
}

async fn health(State(shared): State<Shared>) -> Response {
    let down: Vec<_> = (shared.status.spans.iter())
        .filter(|span| !span.borrow().in_service())
        .map(|span| span.borrow().number)
        .collect();
    let journal_errors = shared.status.journal_errors();
    let healthy = down.is_empty() && journal_errors == 0;
    let body = json!({
        "status": if healthy { "ok" } else { "degraded" },
        "spans_down": down,
        "journal_errors": journal_errors,
    });
    let code = if healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(body)).into_response()
}

async fn metrics_text(State(shared): State<Shared>) -> Response {
    let media = media_counters(&shared.media).await;
    let text = metrics::render(&shared.status, media.as_ref());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// The media engine answers within a tick; one that does not is reported by its absence.
async fn media_counters(media: &EngineHandle) -> Option<demarc_media::Snapshot> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    media.request_stats(Box::new(move |snapshot| drop(sender.send(snapshot)))).ok()?;
    tokio::time::timeout(std::time::Duration::from_secs(1), receiver).await.ok()?.ok()
}

async fn state(State(shared): State<Shared>) -> Response {
    let calls = shared.status.calls();
    Json(json!({
        "calls": calls.calls,
        "queues": calls.queues,
        "agents": calls.agents,
        "spans": span_views(&shared.status),
        "channels": channel_views(&shared.status),
    }))
    .into_response()
}

async fn calls(State(shared): State<Shared>) -> Response {
    Json(&shared.status.calls().calls).into_response()
}

async fn agents(State(shared): State<Shared>) -> Response {
    Json(&shared.status.calls().agents).into_response()
}

async fn queues(State(shared): State<Shared>) -> Response {
    Json(&shared.status.calls().queues).into_response()
}

async fn spans(State(shared): State<Shared>) -> Response {
    Json(span_views(&shared.status)).into_response()
}

async fn channels(State(shared): State<Shared>) -> Response {
    Json(channel_views(&shared.status)).into_response()
}

async fn trunks(State(shared): State<Shared>) -> Response {
    let view = |(name, state): (&String, &TrunkState)| {
        let mut value = json!(state);
        value["name"] = name.as_str().into();
        value
    };
    Json(shared.status.trunks.borrow().iter().map(view).collect::<Vec<_>>()).into_response()
}

fn span_views(status: &Status) -> Vec<serde_json::Value> {
    let view = |span: &tokio::sync::watch::Receiver<crate::status::SpanView>| {
        let span = span.borrow();
        let mut value = json!(*span);
        value["channels"] = span.channels.len().into();
        value["free"] = span.free().into();
        value["in_service"] = span.in_service().into();
        value
    };
    status.spans.iter().map(view).collect()
}

fn channel_views(status: &Status) -> Vec<crate::status::ChannelView> {
    status.spans.iter().flat_map(|span| span.borrow().channels.clone()).collect()
}

#[derive(Deserialize)]
struct CdrQuery {
    #[serde(default = "hundred")]
    limit: usize,
    before: Option<u64>,
    #[serde(flatten)]
    filter: RecordFilter,
}

fn hundred() -> usize {
    100
}

/// The newest first; `before` a call's number gives the page after it.
async fn cdr(State(shared): State<Shared>, Query(query): Query<CdrQuery>) -> Response {
    let records = shared.records.clone();
    let found = tokio::task::spawn_blocking(move || {
        let records = records.lock().unwrap_or_else(PoisonError::into_inner);
        records.records(query.limit, query.before.map(demarc_model::CallId), &query.filter)
    });
    match found.await {
        Ok(Ok(records)) => Json(records).into_response(),
        Ok(Err(error)) => failure(&crate::error_chain(&error)),
        Err(error) => failure(&error.to_string()),
    }
}

fn failure(message: &str) -> Response {
    tracing::error!(message, "the call records cannot be read");
    (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({ "error": message }))).into_response()
}
