//! `GET /api/v1/calls/{id}/audio`: a call's sound as a WebSocket, for whoever listens: recognition, coaching. What is sent is
//! told in docs/programs.md.

use super::{Shared, command};
use crate::program::{Client, MAX_MESSAGE, Side};
use axum::{
    extract::{Path, Query, State, ws::WebSocketUpgrade},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use demarc_call::{CallCommand, StreamAction};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AudioQuery {
    #[serde(default = "eight_thousand")]
    rate: u32,
    #[serde(default = "both")]
    side: Side,
}

fn eight_thousand() -> u32 {
    8000
}

fn both() -> Side {
    Side::Both
}

/// Asks call control first, so that a call that is not there is refused in HTTP's own words.
pub(super) async fn audio(
    State(shared): State<Shared>,
    Path(call): Path<String>,
    Query(AudioQuery { rate, side }): Query<AudioQuery>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    // A page of another site can open a WebSocket to here: a browser lets it, and says in `Origin` whose it is.
    if !command::is_own_origin(&headers) {
        return command::refused(StatusCode::FORBIDDEN, "a page of another site may not hear calls");
    }
    if ![8000, 16_000].contains(&rate) {
        return command::refused(StatusCode::UNPROCESSABLE_ENTITY, "rate is 8000 or 16000");
    }
    let call = match command::call_id(&call) {
        Ok(call) => call,
        Err(refused) => return *refused,
    };
    let (program, give) = shared.clients.expect();
    let stream = CallCommand::Stream { action: StreamAction::Start, program: program.clone() };
    match command::obeyed(shared.inputs.command(call, stream).await) {
        Ok(_) => {
            shared.clients.forget_later(program);
            upgrade
                .max_message_size(MAX_MESSAGE)
                .write_buffer_size(0)
                .on_upgrade(move |socket| async move { drop(give.send(Client { socket, rate, side })) })
        }
        Err(refused) => {
            shared.clients.take(&program);
            *refused
        }
    }
}
