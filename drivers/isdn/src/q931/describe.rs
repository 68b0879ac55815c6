use super::{ChannelChoice, ChannelId, Message, MessageType};
use alloc::{format, string::String};
use core::fmt::Write;

/// One line for a person about a message: its name, call reference, channel, numbers and cause.
pub fn describe(octets: &[u8]) -> String {
    let message = match Message::decode(octets) {
        Ok(message) => message,
        Err(error) => return format!("no Q.931 message ({error}), {} octets", octets.len()),
    };
    let mut line = String::from(message.kind.name());
    if let MessageType::Unknown(octet) = message.kind {
        let _ = write!(line, " {octet:#04x}");
    }
    let flag = if message.reference.to_originator { " (to originator)" } else { "" };
    let _ = write!(line, " ref {}{flag}", message.reference.value);
    let body = &message.body;
    if let Some(channel) = &body.channel {
        describe_channel(&mut line, channel);
    }
    if let Some(called) = &body.called {
        let _ = write!(line, " to {}", called.to_number());
    }
    if let Some(calling) = &body.calling {
        let _ = write!(
            line,
            " from {}{}",
            calling.to_number(),
            if calling.restricted { " (restricted)" } else { "" }
        );
    }
    if let Some(cause) = &body.cause {
        let _ = write!(line, " cause {}", cause.cause);
    }
    for progress in &body.progress {
        let _ = write!(line, " progress {}", progress.description);
    }
    if let Some(state) = body.call_state {
        let _ = write!(line, " state {state}");
    }
    if let Some(class) = body.restart {
        let _ = write!(line, " restart {class:?}");
    }
    if body.sending_complete {
        line.push_str(" complete");
    }
    line
}

fn describe_channel(line: &mut String, channel: &ChannelId) {
    let word = if channel.exclusive { "exclusive" } else { "preferred" };
    let _ = match channel.choice {
        ChannelChoice::None => write!(line, " no channel"),
        ChannelChoice::Any => write!(line, " any channel"),
        ChannelChoice::Timeslots(map) => match channel.single() {
            Some(slot) => write!(line, " channel {slot} {word}"),
            None => write!(line, " channels {map:#010x} {word}"),
        },
    };
}
