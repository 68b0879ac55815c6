//! Prometheus' text format (exposition format 0.0.4).

use crate::{
    histogram::Histogram,
    status::{ChannelState, Status},
};
use std::{
    fmt::{Display, Write},
    time::Duration,
};

struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn value(&mut self, name: &str, labels: &[(&str, &dyn Display)], value: impl Display) {
        let labels: Vec<_> =
            labels.iter().map(|(key, text)| format!("{key}=\"{}\"", escaped(text))).collect();
        let _ = match labels.is_empty() {
            true => writeln!(self.0, "{name} {value}"),
            false => writeln!(self.0, "{name}{{{}}} {value}", labels.join(",")),
        };
    }

    fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        self.family(name, "histogram", help);
        let mut count = 0;
        for (bound, so_far) in histogram.buckets() {
            self.value(&format!("{name}_bucket"), &[("le", &bound)], so_far);
            count = so_far;
        }
        self.value(&format!("{name}_sum"), &[], histogram.sum());
        self.value(&format!("{name}_count"), &[], count);
    }

    /// A gauge that has no value at times.
    fn optional(&mut self, name: &str, help: &str, value: Option<impl Display>) {
        self.family(name, "gauge", help);
        value.into_iter().for_each(|value| self.value(name, &[], value));
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.value(name, &[], value);
    }
}

fn escaped(text: &dyn Display) -> String {
    text.to_string().replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// All metrics of the daemon.
pub fn render(status: &Status, media: Option<&demarc_media::Snapshot>) -> String {
    let mut text = Text(String::new());
    calls(&mut text, status);
    spans(&mut text, status);
    sip(&mut text, status);
    ended_streams(&mut text, status);
    if let Some(snapshot) = media {
        engine(&mut text, snapshot);
        streams(&mut text, snapshot);
    }
    text.0
}

fn calls(text: &mut Text, status: &Status) {
    let calls = status.calls();
    text.single("demarc_calls", "gauge", "Calls up now.", calls.calls.len());
    text.family("demarc_queue_waiting", "gauge", "Callers waiting in a queue.");
    for queue in &calls.queues {
        text.value("demarc_queue_waiting", &[("queue", &queue.name)], queue.waiting);
    }
    text.family("demarc_agent_state", "gauge", "1 for the state that an agent is in.");
    for agent in &calls.agents {
        let state = serde_json::to_value(agent.state).unwrap_or_default();
        let state = state.as_str().unwrap_or("unknown");
        text.value("demarc_agent_state", &[("agent", &agent.id), ("state", &state)], 1);
    }
    let [complete, failed, lost_millis] = status.recordings();
    let help = "Recordings that are complete.";
    text.single("demarc_recordings_total", "counter", help, complete);
    let help = "Recordings that could not be written, or not without a gap.";
    text.single("demarc_recordings_failed_total", "counter", help, failed);
    let help = "Seconds missing from complete recordings, because the disk was slow or full.";
    text.single("demarc_recordings_lost_seconds_total", "counter", help, lost_millis as f64 / 1000.0);
    let errors = status.journal_errors();
    text.single("demarc_journal_errors_total", "counter", "Times the journal could not be written.", errors);
}

fn spans(text: &mut Text, status: &Status) {
    text.family("demarc_span_in_service", "gauge", "1 when a span can carry calls.");
    for span in &status.spans {
        let span = span.borrow();
        let labels: [(&str, &dyn Display); 2] = [("span", &span.number), ("alarm", &span.alarm)];
        text.value("demarc_span_in_service", &labels, u8::from(span.in_service()));
    }
    text.family("demarc_channels", "gauge", "Bearer channels of a span by state.");
    for span in &status.spans {
        let span = span.borrow();
        let states = [
            ("idle", ChannelState::Idle),
            ("busy", ChannelState::Busy),
            ("out_of_service", ChannelState::OutOfService),
        ];
        for (word, state) in states {
            let count = span.channels.iter().filter(|c| c.state == state).count();
            text.value("demarc_channels", &[("span", &span.number), ("state", &word)], count);
        }
    }
}

fn sip(text: &mut Text, status: &Status) {
    let sip = status.sip.borrow();
    text.single("demarc_sip_sessions", "gauge", "SIP sessions now.", sip.sessions);
    let help = "SIP sessions that are over, kept for what their peers may repeat.";
    text.single("demarc_sip_ended_sessions", "gauge", help, sip.ended_sessions);
    text.single("demarc_sip_transactions", "gauge", "SIP transactions now.", sip.transactions);
    text.single("demarc_sip_contacts", "gauge", "Registered contacts now.", sip.contacts);
    text.single("demarc_sip_connections", "gauge", "SIP stream connections now.", sip.connections);
    text.single("demarc_sip_received_total", "counter", "SIP messages received.", sip.received);
    text.single("demarc_sip_sent_total", "counter", "SIP messages sent.", sip.sent);
    text.family("demarc_sip_rejected_total", "counter", "SIP messages refused or dropped, by reason.");
    for (reason, count) in &sip.rejected {
        text.value("demarc_sip_rejected_total", &[("reason", reason)], count);
    }
}

fn ended_streams(text: &mut Text, status: &Status) {
    let streams = &status.streams;
    let help = "Opinion scores (G.107) of RTP streams that ended.";
    text.histogram("demarc_stream_mos", help, &streams.mos);
    let help = "Mean jitter of RTP streams that ended.";
    text.histogram("demarc_stream_jitter_seconds", help, &streams.jitter);
    let help = "The part of RTP streams that ended that never came.";
    text.histogram("demarc_stream_loss_ratio", help, &streams.loss);
    let help = "To the far ends of RTP streams that ended and back, as they reported.";
    text.histogram("demarc_stream_round_trip_seconds", help, &streams.round_trip);
}

/// Of the streams that are up; nothing is told of those that nothing has come from.
fn streams(text: &mut Text, snapshot: &demarc_media::Snapshot) {
    let qualities = || snapshot.quality.iter().map(|(_, quality)| quality).filter(|q| q.received > 0);
    let help = "RTP streams that packets have come from.";
    text.single("demarc_media_streams", "gauge", help, qualities().count());
    let lowest = qualities().map(|quality| quality.mos()).min_by(f32::total_cmp);
    let help = "The lowest opinion score (G.107) of the streams that are up.";
    text.optional("demarc_media_mos_lowest", help, lowest);
    let jitter = qualities().map(|quality| quality.jitter).max();
    let help = "The highest jitter of the streams that are up.";
    text.optional("demarc_media_jitter_highest_seconds", help, jitter.as_ref().map(Duration::as_secs_f64));
    let round_trip = qualities().filter_map(|quality| quality.round_trip).max();
    let help = "The longest way to a far end and back of the streams that are up.";
    let seconds = round_trip.as_ref().map(Duration::as_secs_f64);
    text.optional("demarc_media_round_trip_highest_seconds", help, seconds);
}

fn engine(text: &mut Text, snapshot: &demarc_media::Snapshot) {
    let totals = &snapshot.totals;
    text.single("demarc_media_legs", "gauge", "Legs with sound now.", snapshot.legs.len());
    text.single("demarc_media_programs", "gauge", "Programs that hear a call now.", totals.programs);
    text.single("demarc_media_ticks_total", "counter", "Ticks of the media engine.", totals.ticks);
    text.single("demarc_media_late_ticks_total", "counter", "Ticks more than 10 ms late.", totals.late_ticks);
    let worst = totals.worst_delay.as_secs_f64();
    text.single("demarc_media_worst_tick_delay_seconds", "gauge", "The latest that a tick has begun.", worst);
    let real_time = u8::from(totals.real_time);
    text.single("demarc_media_real_time", "gauge", "1 when the engine has real-time priority.", real_time);
    let help = "Shared ports for which net.core.rmem_max leaves too little room.";
    text.single("demarc_media_small_ports", "gauge", help, totals.small_ports);
    let help = "Packets at shared ports that belong to no leg, or could belong to several.";
    text.single("demarc_media_unrouted_total", "counter", help, totals.unrouted);
    for (name, value) in totals.legs.iter() {
        text.single(
            &format!("demarc_media_{name}_total"),
            "counter",
            "Sum over all legs since the start.",
            value,
        );
    }
}
