//! `POST /api/v1/calls/{id}/{verb}`: what an operator or a program asks of a call. The body is a JSON object with what
//! the verb needs; the answer is `{"call": …}`, the call as it is then, or `{"error": …}`.

use super::Shared;
use crate::control::{Answer, NoAnswer};
use axum::{
    Json,
    body::Bytes,
    extract::{Path, Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use demarc_call::{CallCommand, CallView, CommandError, StreamAction};
use demarc_model::CallId;
use serde_json::{Value, json};

/// A page of another site can make a browser send a POST, but neither with this type of content nor without saying in
/// `Origin` where it comes from.
pub(super) async fn only_from_here(request: Request, next: Next) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    let headers = request.headers();
    if !is_own_origin(headers) {
        return refused(StatusCode::FORBIDDEN, "a page of another site may not command calls");
    }
    if !is_json(headers) {
        return refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "send JSON, as Content-Type: application/json");
    }
    next.run(request).await
}

/// Programs send no `Origin`; a browser sends the page's, which is ours when it is the host that was asked.
pub(super) fn is_own_origin(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let site = origin.to_str().ok().and_then(|origin| origin.strip_prefix("http://"));
    site.is_some() && site == host
}

pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

pub(super) async fn command(
    State(shared): State<Shared>,
    Path((call, verb)): Path<(String, String)>,
    body: Bytes,
) -> Response {
    let call = match call_id(&call) {
        Ok(call) => call,
        Err(refused) => return *refused,
    };
    let command = match parse(&verb, &body) {
        Ok(command) => command,
        Err(problem) => return refused(StatusCode::UNPROCESSABLE_ENTITY, &problem),
    };
    match obeyed(shared.inputs.command(call, command).await) {
        Ok(call) => Json(json!({ "call": call })).into_response(),
        Err(refused) => *refused,
    }
}

/// The call that a path names, or why it names none.
pub(super) fn call_id(text: &str) -> Result<CallId, Box<Response>> {
    let wrong = format!("{text:?} is no number of a call; take one from /api/v1/calls, such as 7");
    text.parse().map(CallId).map_err(|_| Box::new(refused(StatusCode::BAD_REQUEST, &wrong)))
}

/// The call after a command; or why it was not obeyed, as a response.
pub(super) fn obeyed(answer: Result<Answer, NoAnswer>) -> Result<Option<CallView>, Box<Response>> {
    let (status, error) = match answer {
        Ok(Ok(call)) => return Ok(call),
        Ok(Err(error)) => (status(&error), error.to_string()),
        Err(error @ NoAnswer::Busy) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
        Err(error @ NoAnswer::Late) => (StatusCode::GATEWAY_TIMEOUT, error.to_string()),
    };
    Err(Box::new(refused(status, &error)))
}

/// The verb of the path is one more member of the body; an empty body is an empty object.
fn parse(verb: &str, body: &[u8]) -> Result<CallCommand, String> {
    let body = if body.is_empty() { b"{}" } else { body };
    let mut value: Value = serde_json::from_slice(body).map_err(|error| format!("the body: {error}"))?;
    let members = value.as_object_mut().ok_or("the body: a JSON object is expected")?;
    if members.insert("verb".into(), verb.into()).is_some() {
        return Err("the body: the verb stands in the path".into());
    }
    let command = serde_json::from_value(value).map_err(|error| format!("{verb}: {error}"))?;
    match &command {
        // Such names are those of clients that have connected by themselves.
        CallCommand::Stream { action: StreamAction::Start, program } if program.contains(':') => {
            Err(format!("stream: {program:?} is no program of the configuration"))
        }
        _ => Ok(command),
    }
}

fn status(error: &CommandError) -> StatusCode {
    match error {
        CommandError::NoCall(_) => StatusCode::NOT_FOUND,
        CommandError::NotNow { .. } => StatusCode::CONFLICT,
        CommandError::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

pub(super) fn refused(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use demarc_call::RecordAction;
    use demarc_model::Cause;

    #[test]
    fn the_verb_of_the_path_and_the_body_make_the_command() {
        let mask = CallCommand::Record { action: RecordAction::Mask };
        assert_eq!(parse("record", br#"{"action":"mask"}"#), Ok(mask));
        assert_eq!(parse("hangup", b""), Ok(CallCommand::Hangup { cause: Cause::NORMAL_CLEARING }));
        assert_eq!(parse("hangup", br#"{"cause":21}"#), Ok(CallCommand::Hangup { cause: Cause(21) }));
        for (verb, body, told) in [
            ("explode", "{}", "explode: unknown variant"),
            ("record", "{}", "record: missing field `action`"),
            ("hangup", r#"{"cause":16,"colour":1}"#, "unknown field `colour`"),
            ("stream", r#"{"action":"start","program":"api:1"}"#, "\"api:1\" is no program"),
            ("hangup", "[]", "a JSON object is expected"),
            ("hangup", "{", "the body: EOF"),
            ("record", r#"{"verb":"hangup"}"#, "stands in the path"),
        ] {
            let error = parse(verb, body.as_bytes()).unwrap_err();
            assert!(error.contains(told), "{verb} {body}: {error}");
        }
    }

    #[test]
    fn only_our_own_pages_and_programs_are_obeyed() {
        for (origin, own) in [
            (None, true),
            (Some("http://127.0.0.1:8080"), true),
            (Some("http://127.0.0.1:8081"), false),
            (Some("http://evil.example"), false),
            (Some("https://127.0.0.1:8080"), false),
            (Some("null"), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, "127.0.0.1:8080".parse().unwrap());
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            assert_eq!(is_own_origin(&headers), own, "{origin:?}");
        }
        for (kind, json) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("text/plain", false),
            ("application/x-www-form-urlencoded", false),
        ] {
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, kind.parse().unwrap())]);
            assert_eq!(is_json(&headers), json, "{kind}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }
}
