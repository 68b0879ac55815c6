//! The errors that axum answers by itself, such as those of a path or a query: made what all errors of the API are, a JSON
//! object `{"error": …}` that says what was asked, what is wrong, and what to do.

use super::command;
use axum::{body::to_bytes, extract::Request, http::StatusCode, middleware::Next, response::Response};

/// Octets of axum's own words, which are a line at most.
const MOST: usize = 4096;

pub(super) async fn in_json(request: Request, next: Next) -> Response {
    let asked = format!("{} {}", request.method(), request.uri());
    let response = next.run(request).await;
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) || command::is_json(response.headers()) {
        return response;
    }
    let words = to_bytes(response.into_body(), MOST).await.unwrap_or_default();
    let problem = problem(status, &String::from_utf8_lossy(&words));
    command::refused(status, &format!("{asked}: {problem}"))
}

fn problem(status: StatusCode, words: &str) -> String {
    match status {
        StatusCode::NOT_FOUND => "there is no such path; the README has a table of them".into(),
        StatusCode::METHOD_NOT_ALLOWED => {
            "this path takes another method; the header Allow tells which".into()
        }
        StatusCode::PAYLOAD_TOO_LARGE => "the body is too long; what a verb needs are a few members".into(),
        StatusCode::BAD_REQUEST => format!("{words}; correct that, and ask again"),
        _ => words.into(),
    }
}
