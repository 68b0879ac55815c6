//! What can be seen of and done to the lines of channels from outside: wires, cuts, stuck bits.

use super::signal::{self, Wires};
use super::{File, FileId, Place, Sim};
use dahdi_abi::NodePath;
use demarc_model::ChannelNo;

impl Sim {
    fn index_of(&self, channel: ChannelNo) -> Option<usize> {
        self.by_number.get(&u32::from(channel.get())).copied()
    }

    /// Tells whether a file is `O_NONBLOCK`: hook operations then do not wait, and tell their end by `HOOKCOMPLETE`. Files
    /// are, until this says otherwise.
    pub fn set_nonblocking(&mut self, file: FileId, nonblocking: bool) {
        let Some(File::Channel(Place::Span(index))) = self.files.get(file) else { return };
        if let Some(open) = self.channels.get_mut(*index).and_then(|channel| channel.open.as_mut()) {
            open.nonblocking = nonblocking;
        }
    }

    /// A blocking caller was interrupted: what it waited for goes on without it.
    pub fn interrupt(&mut self, file: FileId) {
        let Some(File::Channel(Place::Span(index))) = self.files.get(file) else { return };
        if let Some(open) = self.channels.get_mut(*index).and_then(|channel| channel.open.as_mut()) {
            open.waits = None;
        }
    }

    /// Whether a node is there: those of a board that was removed are not.
    pub fn has_node(&self, path: &NodePath) -> bool {
        match path {
            NodePath::Ctl | NodePath::Timer | NodePath::Pseudo | NodePath::Channel => true,
            NodePath::Number(number) => self.by_number.contains_key(number),
            NodePath::Chan(span, place) => self.index_at(*span, *place).is_some(),
        }
    }

    /// What stands on the wires of an analog port; `None` when the channel is no analog port.
    pub fn wires(&self, channel: ChannelNo) -> Option<Wires> {
        let own = &self.channels[self.index_of(channel)?];
        let port = own.signal.as_ref()?.port()?;
        let far = own.peer.map(|peer| &self.channels[peer]).filter(|far| !own.cut && !far.cut);
        let level = far.and_then(|far| far.signal.as_ref()).map_or(0, |signal| signal.tx);
        let tx = own.signal.as_ref()?.tx;
        Some(if port.is_fxs { signal::wires(tx, level) } else { signal::wires(level, tx) })
    }

    /// The bits that a channel transmits and receives, of CAS or robbed; `None` when it has none.
    pub fn bits(&self, channel: ChannelNo) -> Option<(u8, u8)> {
        let signal = self.channels[self.index_of(channel)?].signal.as_ref()?;
        signal.port().is_none().then_some((signal.tx, signal.heard))
    }

    /// Cuts the line of an analog port, or mends it. `false` when there is no such port.
    pub fn cut_line(&mut self, channel: ChannelNo, cut: bool) -> bool {
        let Some(index) = self.index_of(channel).filter(|_| self.wires(channel).is_some()) else {
            return false;
        };
        self.catch_up(index);
        self.channels[index].cut = cut;
        true
    }

    /// Lets the received bits of a channel be stuck at these, or be free again. `false` when it has none.
    pub fn stick_bits(&mut self, channel: ChannelNo, bits: Option<u8>) -> bool {
        let Some(index) = self.index_of(channel) else { return false };
        self.catch_up(index);
        let signal = self.channels[index].signal.as_mut();
        let Some(signal) = signal.filter(|signal| signal.port().is_none()) else { return false };
        signal.stuck = bits.map(|bits| bits & 0x0f);
        true
    }
}
