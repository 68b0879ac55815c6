//! What stands where the file says nothing.

use super::{Devices, Http, Rtp, Side, Sip};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
};
use toml::Spanned;

pub fn default_state() -> PathBuf {
    "/var/lib/demarc".into()
}
pub fn default_devices() -> PathBuf {
    "/dev/dahdi".into()
}
pub fn default_http() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))
}
pub fn default_sip_listen() -> Vec<Spanned<String>> {
    ["udp:0.0.0.0:5060", "tcp:0.0.0.0:5060"].map(unspanned).into()
}
pub fn default_realm() -> String {
    "demarc".into()
}
pub fn default_keepalive() -> u32 {
    30
}
pub fn default_rtp_address() -> IpAddr {
    Ipv4Addr::LOCALHOST.into()
}
pub fn default_rtp_ports() -> Spanned<String> {
    unspanned("20000-29999")
}
pub fn default_rtp_timeout() -> u32 {
    30
}
pub fn default_playout() -> u16 {
    60
}
pub fn default_retention_days() -> u32 {
    365
}
pub fn default_max_calls() -> usize {
    2000
}
pub fn default_side() -> Side {
    Side::User
}
pub fn default_voice() -> String {
    "en".into()
}
pub fn default_menu_timeout() -> u32 {
    5
}
pub fn default_menu_repeats() -> u32 {
    2
}
pub fn default_otherwise() -> Spanned<String> {
    unspanned("hangup:16")
}
pub fn default_ring() -> u32 {
    15
}
pub fn default_music() -> Spanned<String> {
    unspanned("music")
}
pub fn default_overflow_seconds() -> u32 {
    300
}
pub fn default_overflow() -> Spanned<String> {
    unspanned("hangup:19")
}
pub fn default_queue_length() -> usize {
    100
}
pub fn default_program_rate() -> Spanned<u32> {
    Spanned::new(0..0, 8000)
}
pub fn default_connect() -> Spanned<u32> {
    Spanned::new(0..0, 5)
}
pub fn default_program_buffer() -> Spanned<u32> {
    Spanned::new(0..0, 20)
}
pub fn default_max_parties() -> usize {
    demarc_call::ConferenceSpec::MAX_PARTIES
}
pub fn default_join_prompt() -> Spanned<String> {
    unspanned("joined")
}
pub fn default_leave_prompt() -> Spanned<String> {
    unspanned("left")
}
pub fn default_pin_prompt() -> Spanned<String> {
    unspanned("beep")
}
pub fn default_from() -> Spanned<String> {
    unspanned("any")
}
pub fn default_route_ring() -> u32 {
    60
}

fn unspanned(text: &str) -> Spanned<String> {
    Spanned::new(0..0, text.into())
}

impl Default for Devices {
    fn default() -> Self {
        Devices { path: default_devices() }
    }
}
impl Default for Http {
    fn default() -> Self {
        Http { listen: default_http() }
    }
}
impl Default for Sip {
    fn default() -> Self {
        Sip {
            listen: default_sip_listen(),
            address: None,
            keepalive_seconds: default_keepalive(),
            realm: default_realm(),
            names: Vec::new(),
        }
    }
}
impl Default for Rtp {
    fn default() -> Self {
        Rtp {
            address: default_rtp_address(),
            ports: default_rtp_ports(),
            shared: 0,
            timeout_seconds: default_rtp_timeout(),
            playout_ms: default_playout(),
        }
    }
}
