use super::*;
use crate::{clock::Clock, control::Input};
use demarc_call::{Control, Plan};
use demarc_media::{Engine, EngineConfig};
use demarc_store::Store;
use futures_util::StreamExt;
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{mpsc, watch},
};

/// The API without a call; what is asked of call control waits in the queue.
struct Served {
    address: SocketAddr,
    asked: mpsc::Receiver<Input>,
    _state: tempfile::TempDir,
}

async fn served() -> Served {
    let state = tempfile::tempdir().unwrap();
    let path = state.path().join("demarc.db");
    drop(Store::open(&path).unwrap());
    let (inputs, asked) = Inputs::channel();
    let (_, sip) = watch::channel(demarc_sip::Stats::default());
    let (_, trunks) = watch::channel(BTreeMap::new());
    let calls = Control::new(Plan::default(), CallId(1)).snapshot(Clock::start().now());
    let shared = Shared {
        status: Status::new(Vec::new(), sip, trunks, calls),
        media: Engine::spawn(EngineConfig::default(), Box::new(drop)).unwrap(),
        inputs,
        clients: Clients::default(),
        records: Arc::new(Mutex::new(Reader::open(&path).unwrap())),
    };
    let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router(shared)).await });
    Served { address, asked, _state: state }
}

/// Status, head and body of the answer to a request; `more` are further lines of its head, then its body.
async fn ask(address: SocketAddr, request: &str, more: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let text = format!("{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{more}\r\n");
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_ascii_lowercase(), body.into())
}

#[tokio::test]
async fn every_error_is_one_json_object_that_says_what_is_wrong_and_what_to_do() {
    const JSON: &str = "Content-Type: application/json\r\n";
    let served = served().await;
    for (request, more, status, words) in [
        (
            "GET /api/v1/cdr?limit=many",
            "",
            400,
            &["GET /api/v1/cdr?limit=many", "limit", "digit", "correct"][..],
        ),
        ("GET /api/v1/cdr?since=1000", "", 400, &["unknown field `since`", "since_ms"]),
        ("GET /api/v1/nothing", "", 404, &["/api/v1/nothing", "no such path", "README"]),
        ("PUT /api/v1/calls/7/hangup", JSON, 405, &["PUT /api/v1/calls/7/hangup", "Allow"]),
        ("POST /api/v1/calls/seven/hangup", JSON, 400, &["\"seven\"", "/api/v1/calls"]),
        ("POST /api/v1/calls/%FF/hangup", JSON, 400, &["/api/v1/calls/%FF/hangup", "UTF-8", "correct"]),
        ("POST /api/v1/calls/7/explode", JSON, 422, &["explode", "hangup"]),
        ("GET /api/v1/calls/7/audio", "", 400, &["/api/v1/calls/7/audio", "upgrade", "correct"]),
        ("GET /api/v1/calls/7/audio?side=left", "", 400, &["`left`", "caller"]),
    ] {
        let (told, head, body) = ask(served.address, request, more).await;
        assert_eq!(told, status, "{request}: {body}");
        assert!(head.contains("content-type: application/json"), "{request}: {head}");
        assert_eq!(head.contains("allow: post"), status == 405, "{request}: {head}");
        let answer: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(answer.as_object().unwrap().len(), 1, "{request}: {body}");
        let error = answer["error"].as_str().unwrap();
        assert!(words.iter().all(|word| error.contains(word)), "{request}: {error}");
    }
    let long = format!("{JSON}Content-Length: {}\r\n\r\n{}", 3 << 20, "x".repeat(3 << 20));
    let (status, _, body) = ask(served.address, "POST /api/v1/calls/7/hangup", &long).await;
    assert!(status == 413 && body.contains("\"error\"") && body.contains("too long"), "{status}: {body}");
}

/// Its leg may be refused on its way, as by a queue that is full.
#[tokio::test]
async fn a_client_whose_leg_does_not_come_for_it_is_let_go() {
    let mut served = served().await;
    tokio::spawn(async move {
        while let Some(Input::Command { answer, .. }) = served.asked.recv().await {
            answer.send(Ok(None)).unwrap();
        }
    });
    let stream = TcpStream::connect(served.address).await.unwrap();
    let url = format!("ws://{}/api/v1/calls/7/audio", served.address);
    let (mut client, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
    let end = async { while let Some(Ok(_)) = client.next().await {} };
    tokio::time::timeout(Duration::from_secs(30), end).await.expect("its connection is closed");
}

#[test]
fn only_addresses_and_localhost_are_nobody_elses_names() {
    for ours in ["127.0.0.1", "127.0.0.1:8080", "[::1]", "[::1]:8080", "localhost:8080", "LocalHost"] {
        assert!(is_address(ours), "{ours}");
    }
    for foreign in ["", "evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil:1"] {
        assert!(!is_address(foreign), "{foreign}");
    }
}

#[test]
fn records_are_asked_for_by_time_and_by_word_and_a_misspelt_word_is_refused() {
    let read = |text: &str| Query::<CdrQuery>::try_from_uri(&format!("/api/v1/cdr?{text}").parse().unwrap());
    let Query(query) = read("limit=5&before=9&since_ms=1000&until_ms=2000&queue=sales").unwrap();
    assert_eq!((query.limit, query.before), (5, Some(9)));
    let expected = RecordFilter {
        since_ms: Some(1000),
        until_ms: Some(2000),
        queue: Some("sales".into()),
        ..RecordFilter::default()
    };
    assert_eq!(query.filter(), expected);
    assert!(read("since=1000").is_err());
}

#[tokio::test]
async fn a_page_that_came_by_a_foreign_name_gets_nothing() {
    let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let address = listener.local_addr().unwrap();
    let router =
        Router::new().route("/", get(|| async { "calls" })).layer(middleware::from_fn(only_by_address));
    tokio::spawn(async move { axum::serve(listener, router).await });
    for (host, status) in [("127.0.0.1:8080", "200"), ("evil.example:8080", "421")] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer.split(' ').nth(1), Some(status), "{host}");
        assert_eq!(answer.contains("calls"), status == "200", "{host}");
    }
}
