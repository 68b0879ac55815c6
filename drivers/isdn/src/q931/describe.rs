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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_an_operator_asks() {
        let rows: [(&[u8], &str); 4] = [
            (
                b"\x08\x02\x00\x01\x05\xa1\x04\x03\x80\x90\xa3\x18\x03\xa1\x83\x9f\x6c\x06\x01\xa05551\x70\x05\x812001",
                "SETUP ref 1 channel 31 preferred to 2001 from 5551 (restricted) complete",
            ),
            (
                b"\x08\x02\x80\x07\x45\x08\x02\x82\x91\x1e\x02\x82\x88",
                "DISCONNECT ref 7 (to originator) cause 17 (user busy) progress 8",
            ),
            (b"\x08\x02\x00\x00\x46\x79\x01\x87", "RESTART ref 0 restart AllInterfaces"),
            (b"\x41\x02", "no Q.931 message (protocol discriminator 0x41 is not Q.931), 2 octets"),
        ];
        for (octets, line) in rows {
            assert_eq!(describe(octets), line);
        }
    }
}
