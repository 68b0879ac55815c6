//! The short texts of the file: targets, origins, listeners, ranges.

use super::Transport;
use demarc_model::Cause;
use std::net::SocketAddr;

/// Where a call can be sent, as it is written in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `menu:NAME`
    Menu(String),
    /// `queue:NAME`
    Queue(String),
    /// `agent:ID`
    Agent(String),
    /// `conference:NAME`
    Conference(String),
    /// `trunk:NAME` or `trunk:NAME:NUMBER`
    Trunk(String, Option<String>),
    /// `group:NAME` or `group:NAME:NUMBER`
    Group(String, Option<String>),
    /// `program:NAME`
    Program(String),
    /// `hangup:CAUSE`
    Hangup(Cause),
}

/// Which incoming legs a route is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// All.
    Any,
    /// Those of a group of spans.
    Group(String),
    /// Those of a trunk.
    Trunk(String),
    /// Those of agents' telephones.
    Agents,
}

/// A SIP listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Datagrams or a stream.
    pub transport: Transport,
    /// Where.
    pub address: SocketAddr,
}

/// Reads a range of ports such as `20000-29999`.
pub fn parse_ports(text: &str) -> Result<(u16, u16), String> {
    let wrong = || format!("\"{text}\" is no range of ports; write \"20000-29999\"");
    let (first, last) = text.split_once('-').ok_or_else(wrong)?;
    let (first, last) =
        (first.parse::<u16>().map_err(|_| wrong())?, last.parse::<u16>().map_err(|_| wrong())?);
    if first < 1024 || first >= last { Err(wrong()) } else { Ok((first, last)) }
}

/// Reads a listener such as `udp:0.0.0.0:5060`.
pub fn parse_listen(text: &str) -> Result<Listen, String> {
    let wrong =
        || format!("\"{text}\" is no SIP listener; write \"udp:0.0.0.0:5060\" or \"tcp:0.0.0.0:5060\"");
    let (transport, address) = text.split_once(':').ok_or_else(wrong)?;
    let transport = match transport {
        "udp" => Transport::Udp,
        "tcp" => Transport::Tcp,
        _ => return Err(wrong()),
    };
    Ok(Listen { transport, address: address.parse().map_err(|_| wrong())? })
}

/// Reads a target such as `queue:sales`.
pub fn parse_target(text: &str) -> Result<Target, String> {
    let wrong = || {
        format!(
            "\"{text}\" is no target; write menu:NAME, queue:NAME, agent:ID, conference:NAME, trunk:NAME[:NUMBER], group:NAME[:NUMBER], program:NAME or hangup:CAUSE"
        )
    };
    let (kind, rest) = text.split_once(':').ok_or_else(wrong)?;
    let (name, number) = match rest.split_once(':') {
        Some((name, number)) => (name, Some(number.to_owned())),
        None => (rest, None),
    };
    match (kind, number) {
        (_, _) if name.is_empty() => Err(wrong()),
        ("menu", None) => Ok(Target::Menu(name.into())),
        ("queue", None) => Ok(Target::Queue(name.into())),
        ("agent", None) => Ok(Target::Agent(name.into())),
        ("conference", None) => Ok(Target::Conference(name.into())),
        ("trunk", number) => Ok(Target::Trunk(name.into(), number)),
        ("group", number) => Ok(Target::Group(name.into(), number)),
        ("program", None) => Ok(Target::Program(name.into())),
        ("hangup", None) => match name.parse() {
            Ok(cause @ 1..=127) => Ok(Target::Hangup(Cause(cause))),
            _ => {
                Err(format!("\"{name}\" is no Q.850 cause; write a number from 1 to 127, such as hangup:16"))
            }
        },
        _ => Err(wrong()),
    }
}

/// Reads the origin of a route such as `group:pstn`.
pub fn parse_from(text: &str) -> Result<From, String> {
    match text.split_once(':') {
        None if text == "any" => Ok(From::Any),
        None if text == "agents" => Ok(From::Agents),
        Some(("group", name)) => Ok(From::Group(name.into())),
        Some(("trunk", name)) => Ok(From::Trunk(name.into())),
        _ => Err(format!("\"{text}\" is no origin; write group:NAME, trunk:NAME, agents or any")),
    }
}
