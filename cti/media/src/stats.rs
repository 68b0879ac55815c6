//! Counters: per leg while it is up, and totals since the engine started.

use crate::quality::Quality;
use demarc_model::LegId;
use std::time::Duration;

macro_rules! leg_stats {
    ($($(#[$doc:meta])* $field:ident,)*) => {
        /// What passed through one leg, and what did not.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct LegStats {
            $($(#[$doc])* pub $field: u64,)*
        }

        impl LegStats {
            /// Adds the counters of another leg to these.
            pub fn add(&mut self, other: &LegStats) {
                $(self.$field += other.$field;)*
            }

            /// Each counter by its name, for metrics.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($field), self.$field),)*].into_iter()
            }
        }
    };
}

leg_stats! {
    /// RTP packets sent.
    packets_out,
    /// RTP packets taken in: valid and from the right source.
    packets_in,
    /// Payload octets sent by RTP.
    octets_out,
    /// Payload octets taken in by RTP.
    octets_in,
    /// Sound packets that never came, or came too late to be played.
    lost,
    /// Times that one packet or several in a row were lost.
    loss_runs,
    /// Packets that came after their place in the stream was played.
    late,
    /// Packets that overtook others and were put in order.
    reordered,
    /// Packets that came twice.
    duplicated,
    /// Packets that are no RTP version 2 or are cut short.
    malformed,
    /// Packets from another address, or of another source (SSRC) than the one of the stream.
    foreign,
    /// Packets of a payload type that was not agreed.
    unknown_payload,
    /// Reports (RTCP) sent.
    reports_out,
    /// Reports taken in.
    reports_in,
    /// Reports that are malformed or from another address.
    reports_refused,
    /// Packets the socket did not take.
    send_failures,
    /// Blocks read from the channel.
    blocks_read,
    /// Blocks written to the channel.
    blocks_written,
    /// Times the channel's transmit side ran dry in the middle of a stream.
    underruns,
    /// Blocks dropped because more sound waited than the bound of the playout buffer.
    overruns,
    /// Lost packets that something was put in for on a channel.
    concealed,
    /// Silent blocks left out because the far end's clock runs ahead of the line's, or because less delay is enough.
    left_out,
    /// Silent blocks put in because the far end's clock runs behind the line's.
    put_in,
    /// Errors and events met while reading or writing the channel.
    channel_errors,
    /// Digits reported.
    digits,
}

/// What happened to the engine as a whole since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// The sums over all legs, ended ones included.
    pub legs: LegStats,
    /// Ticks run.
    pub ticks: u64,
    /// Ticks that began more than 10 ms after their time.
    pub late_ticks: u64,
    /// The latest that a tick has begun.
    pub worst_delay: Duration,
    /// Packets at shared ports that belong to no leg, or could belong to several.
    pub unrouted: u64,
    /// Shared ports for which the system gives less room than a second of sound needs, so that packets may be lost before they
    /// are read.
    pub small_ports: usize,
    /// Commands that named a leg, channel or prompt that is not there.
    pub refused_commands: u64,
    /// Whether the thread runs with real-time priority (`SCHED_FIFO`).
    pub real_time: bool,
    /// Channels in the pool, attached ones included.
    pub channels: usize,
    /// Programs attached now.
    pub programs: usize,
}

/// A copy of all counters at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// The engine as a whole.
    pub totals: Totals,
    /// The legs attached at that moment, by number.
    pub legs: Vec<(LegId, LegStats)>,
    /// Those of them that are RTP streams, and how they are.
    pub quality: Vec<(LegId, Quality)>,
}
