//! What `/proc/dahdi` says of the spans, as the kernel's driver writes it.

use super::Sim;
use super::channel::Channel;
use super::span::Span;
use dahdi_abi::{alarm, config, sig, text};
use demarc_model::SpanNo;
use std::fmt::Write;

/// Line configuration by its bits, in their order.
const LINE: [(i32, &str); 7] = [
    (config::D4, "D4"),
    (config::ESF, "ESF"),
    (config::AMI, "AMI"),
    (config::B8ZS, "B8ZS"),
    (config::CCS, "CCS"),
    (config::HDB3, "HDB3"),
    (config::CRC4, "CRC4"),
];
const ALARMS: [(i32, &str); 6] = [
    (alarm::BLUE, "BLUE "),
    (alarm::YELLOW, "YELLOW "),
    (alarm::RED, "RED "),
    (alarm::LOOPBACK, "LOOP "),
    (alarm::RECOVER, "RECOVERING "),
    (alarm::NOTOPEN, "NOTOPEN "),
];
const SIGNALLING: [(i32, &str); 14] = [
    (sig::FXSLS, "FXSLS"),
    (sig::FXSKS, "FXSKS"),
    (sig::FXSGS, "FXSGS"),
    (sig::FXOLS, "FXOLS"),
    (sig::FXOKS, "FXOKS"),
    (sig::FXOGS, "FXOGS"),
    (sig::EM, "E&M"),
    (sig::EM_E1, "E&M-E1"),
    (sig::CLEAR, "Clear"),
    (sig::HDLCRAW, "HDLCRAW"),
    (sig::HDLCFCS, "HDLCFCS"),
    (sig::HARDHDLC, "Hardware-assisted HDLC"),
    (sig::MTP2, "MTP2"),
    (sig::CAS, "CAS"),
];

impl Sim {
    /// The text of `/proc/dahdi/SPAN`; `None` when there is no such span now.
    pub fn proc_text(&self, span: SpanNo) -> Option<String> {
        let index = usize::from(span.get()) - 1;
        let known = self.spans.get(index).filter(|span| span.is_here())?;
        let mut out = format!("Span {span}: {} \"{}\"", known.name, known.description());
        if self.spans.iter().position(Span::is_here) == Some(index) {
            out.push_str(" (MASTER)");
        }
        let line = line_words(known.lineconfig);
        if !line.is_empty() {
            out.push(' ');
            out.push_str(&line.join("/"));
        }
        out.push(' ');
        push_alarms(&mut out, known.alarm_bits());
        if known.sync > 0 {
            out.push_str("ClockSource ");
        }
        out.push_str("\n\n");
        for at in known.channels.clone() {
            self.push_channel(&mut out, &self.channels[at], at);
        }
        Some(out)
    }

    fn push_channel(&self, out: &mut String, channel: &Channel, at: usize) {
        // Writing to a string cannot fail.
        let _ = write!(out, "\t{:4} {} ", channel.number, channel.name);
        let word = SIGNALLING.iter().find(|(sig, _)| *sig == channel.sig).map(|(_, word)| *word);
        match word {
            Some(word) => out.push_str(word),
            None if self.capability(at) == sig::NONE => out.push_str("Reserved"),
            None => {}
        }
        if word.is_some() || self.capability(at) == sig::NONE {
            out.push(' ');
        }
        if channel.is_open() {
            out.push_str("(In use) ");
        }
        let port = channel.signal.as_ref().and_then(|signal| signal.port());
        let own = if port.is_some_and(|port| port.alarm) { alarm::RED } else { 0 };
        let span = channel.span.and_then(|span| self.spans.get(span)).map_or(0, Span::alarm_bits);
        push_alarms(out, own | span);
        if channel.echocan[0] != 0 {
            let _ = write!(out, "(EC: {} - INACTIVE) ", text(&channel.echocan).to_ascii_uppercase());
        }
        out.push('\n');
    }
}

/// The words of a line configuration.
pub(super) fn line_words(bits: i32) -> Vec<&'static str> {
    LINE.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, word)| *word).collect()
}

fn push_alarms(out: &mut String, bits: i32) {
    ALARMS.iter().filter(|(bit, _)| bits & bit != 0).for_each(|(_, word)| out.push_str(word));
}
