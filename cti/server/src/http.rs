//! The HTTP side: console page, API, health and metrics. It reads what others published; commands go to call control.

mod audio;
mod command;
mod errors;

use crate::{
    control::Inputs,
    metrics,
    program::{self, Clients},
    status::{Status, TrunkState},
};
use axum::{
    Json, Router,
    extract::{Query, Request, State},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
    serve::ListenerExt,
};
use demarc_call::LegView;
use demarc_media::EngineHandle;
use demarc_model::CallId;
use demarc_store::{Reader, RecordFilter};
use serde::Deserialize;
use serde_json::json;
use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::net::TcpListener;

/// Octets that the kernel holds for a client at most: one that hears a call and does not read is noticed soon.
const SEND_BUFFER: usize = 64 << 10;

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
    inputs: Inputs,
    clients: Clients,
    records: Arc<Mutex<Reader>>,
}

/// Serves until the task is dropped.
pub async fn serve(
    listener: TcpListener,
    status: Status,
    media: EngineHandle,
    inputs: Inputs,
    clients: Clients,
    records: Reader,
) {
    let shared = Shared { status, media, inputs, clients, records: Arc::new(Mutex::new(records)) };
    let listener = listener.tap_io(|stream| {
        if let Err(error) = program::bound(stream, SEND_BUFFER) {
            tracing::warn!(%error, "the buffer of a connection is as the kernel made it");
        }
    });
    if let Err(error) = axum::serve(listener, router(shared)).await {
        tracing::error!(%error, "the console has stopped");
    }
}

fn router(shared: Shared) -> Router {
    Router::new()
        .route("/", get(|| async { Html(include_str!("../web/index.html")) }))
        .route("/healthz", get(health))
        .route("/metrics", get(metrics_text))
        .route("/api/v1/state", get(state))
        .route("/api/v1/calls", get(calls))
        .route("/api/v1/calls/{id}/audio", get(audio::audio))
        .route("/api/v1/calls/{id}/{verb}", post(command::command))
        .route("/api/v1/agents", get(agents))
        .route("/api/v1/queues", get(queues))
        .route("/api/v1/conferences", get(conferences))
        .route("/api/v1/spans", get(spans))
        .route("/api/v1/channels", get(channels))
        .route("/api/v1/trunks", get(trunks))
        .route("/api/v1/streams", get(streams))
        .route("/api/v1/cdr", get(cdr))
        .layer(middleware::from_fn(errors::in_json))
        .layer(middleware::from_fn(command::only_from_here))
        .layer(middleware::from_fn(only_by_address))
        .with_state(shared)
}

/// A page of another site must not read the calls through a name of its own that it makes lead here (DNS rebinding). A
/// browser says in `Host` which name it was given: only addresses and `localhost` are nobody else's.
async fn only_by_address(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST);
    if host.is_none_or(|host| host.to_str().is_ok_and(is_address)) {
        return next.run(request).await;
    }
    let error = "ask by address, such as http://127.0.0.1:8080/: other names could be anybody's";
    (StatusCode::MISDIRECTED_REQUEST, Json(json!({ "error": error }))).into_response()
}

/// Whether a `Host` is an IP address or `localhost`, with a port or without.
fn is_address(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|c| c.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
}

async fn health(State(shared): State<Shared>) -> Response {
    let down: Vec<_> = (shared.status.spans.iter())
        .filter(|span| !span.borrow().in_service())
        .map(|span| span.borrow().number)
        .collect();
    let journal_errors = shared.status.journal_errors();
    let healthy = down.is_empty() && !shared.status.journal_behind();
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
        "conferences": calls.conferences,
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

async fn conferences(State(shared): State<Shared>) -> Response {
    Json(&shared.status.calls().conferences).into_response()
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

/// The RTP streams of the calls that are up, a row a leg.
async fn streams(State(shared): State<Shared>) -> Response {
    let Some(media) = media_counters(&shared.media).await else {
        return failure("the media engine does not answer");
    };
    let calls = shared.status.calls();
    let legs = calls.calls.iter().flat_map(|call| call.legs.iter().map(move |leg| (call.id, leg)));
    let row = |(call, leg): (CallId, &LegView)| {
        let at = media.quality.binary_search_by_key(&leg.id, |(id, _)| *id).ok()?;
        let mut row = json!(media.quality[at].1.report());
        (row["call"], row["leg"], row["agent"]) = (json!(call), json!(leg.id), json!(leg.agent));
        Some(row)
    };
    Json(legs.filter_map(row).collect::<Vec<_>>()).into_response()
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

/// The fields of [`RecordFilter`] stand here one by one: of a flattened struct a query string can give no numbers.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CdrQuery {
    #[serde(default = "hundred")]
    limit: usize,
    before: Option<u64>,
    since_ms: Option<i64>,
    until_ms: Option<i64>,
    from: Option<String>,
    to: Option<String>,
    queue: Option<String>,
    agent: Option<String>,
    disposition: Option<String>,
}

impl CdrQuery {
    fn filter(self) -> RecordFilter {
        let CdrQuery { since_ms, until_ms, from, to, queue, agent, disposition, .. } = self;
        RecordFilter { since_ms, until_ms, from, to, queue, agent, disposition }
    }
}

fn hundred() -> usize {
    100
}

/// The newest first; `before` a call's number gives the page after it.
async fn cdr(State(shared): State<Shared>, Query(query): Query<CdrQuery>) -> Response {
    let records = shared.records.clone();
    let (limit, before) = (query.limit, query.before.map(CallId));
    let filter = query.filter();
    let found = tokio::task::spawn_blocking(move || {
        let records = records.lock().unwrap_or_else(PoisonError::into_inner);
        records.records(limit, before, &filter)
    });
    match found.await {
        Ok(Ok(records)) => Json(records).into_response(),
        Ok(Err(error)) => failure(&crate::error_chain(&error)),
        Err(error) => failure(&error.to_string()),
    }
}

fn failure(message: &str) -> Response {
    tracing::error!(message, "the API cannot answer");
    (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({ "error": message }))).into_response()
}

#[cfg(test)]
mod tests;
