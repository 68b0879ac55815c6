//! The texts that tools read besides the device files: `/proc/dahdi`, and of `/sys` what tells of boards and their spans.

use super::Sim;
use super::Wires;
use super::proc::line_words;
use super::span::Span;
use crate::description::Card;
use demarc_model::{ChannelNo, SpanNo};
use std::collections::BTreeMap;

/// The buses from which on simulated cards are, digital ones and those with analog ports; real ones are rarely as far up.
const PCI_BUS: (usize, usize) = (0xf0, 0xf8);
/// Slots of a PCI bus.
const SLOTS: usize = 32;
/// Spans of a [`Card::Te4`].
const TE4_SPANS: usize = 4;

/// A text of our own: the [`Wires`] of each analog port, an object of JSON a line.
pub const LINES: &str = "proc/hw-sim/lines";

/// What stands on the wires of an analog port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PortWires {
    /// The port's channel.
    pub channel: ChannelNo,
    /// What can be measured.
    pub wires: Wires,
}

/// What is at a path that is no directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leaf {
    /// A text file.
    Text,
    /// A symbolic link, and where it leads.
    Link(String),
}

/// What stands in a text file.
enum Text {
    /// What [`Sim::proc_text`] says of a span.
    Span(SpanNo),
    /// What stands on the wires of the analog ports, as [`LINES`] says.
    Lines,
    /// This.
    Is(String),
    /// It is a link to there.
    At(String),
}

/// What a PCI card is known by: vendor, device, and the driver that serves it.
struct Pci {
    vendor: &'static str,
    device: &'static str,
    driver: &'static str,
}

/// A board: what the driver calls a device.
struct Board<'a> {
    /// Its first span's.
    first: &'a Span,
    spans: Vec<&'a Span>,
}

impl Sim {
    /// The paths of all text files and links below the mount, as they are now.
    pub fn text_paths(&self) -> BTreeMap<String, Leaf> {
        let leaf = |text| match text {
            Text::At(target) => Leaf::Link(target),
            Text::Span(_) | Text::Lines | Text::Is(_) => Leaf::Text,
        };
        self.texts().into_iter().map(|(path, text)| (path, leaf(text))).collect()
    }

    /// What stands in a text file; `None` when it is not there now.
    pub fn text(&self, path: &str) -> Option<String> {
        match self.texts().remove(path)? {
            Text::Span(span) => self.proc_text(span),
            Text::Lines => Some(self.lines()),
            Text::Is(text) => Some(text),
            Text::At(_) => None,
        }
    }

    fn texts(&self) -> BTreeMap<String, Text> {
        let mut texts = BTreeMap::from([(LINES.to_owned(), Text::Lines)]);
        let here = self.spans.iter().filter(|span| span.is_here());
        for span in here.filter_map(|span| SpanNo::new(u16::try_from(span.number).ok()?)) {
            texts.insert(format!("proc/dahdi/{span}"), Text::Span(span));
        }
        let master = self.spans.iter().find(|span| span.is_here()).map_or(0, |span| span.number);
        let mut put = |path: String, text| texts.insert(format!("sys/{path}"), text);
        let line = |text: &str| Text::Is(format!("{text}\n"));
        put("bus/dahdi_spans/drivers/generic_lowlevel/master_span".into(), line(&master.to_string()));
        for board in self.boards() {
            let device = format!("dahdi_devices/devices/{}", board.name());
            for (name, value) in board.attributes() {
                put(format!("bus/{device}/{name}"), line(&value));
            }
            for (span, at) in board.spans.iter().zip(1..) {
                let here = format!("{device}/span-{}", span.number);
                for (name, value) in self.span_attributes(span, at, master) {
                    put(format!("bus/{here}/{name}"), line(&value));
                }
                let link = format!("bus/dahdi_spans/devices/span-{}", span.number);
                put(link, Text::At(format!("../../{here}")));
            }
            let Some(pci) = board.pci() else { continue };
            let address = board.address();
            let card = format!("devices/pci0000:00/{address}");
            for (name, id) in pci.attributes() {
                put(format!("{card}/{name}"), line(id));
            }
            put(format!("bus/pci/devices/{address}"), Text::At(format!("../../../{card}")));
            put(format!("bus/pci/drivers/{}/{address}", pci.driver), Text::At(format!("../../../../{card}")));
        }
        texts
    }

    fn lines(&self) -> String {
        let numbers = self.by_number.keys().filter_map(|number| ChannelNo::new(u16::try_from(*number).ok()?));
        let ports = numbers.filter_map(|channel| Some(PortWires { channel, wires: self.wires(channel)? }));
        ports.filter_map(|port| serde_json::to_string(&port).ok()).map(|line| line + "\n").collect()
    }

    /// The boards that are in their slots. Four spans in a row that pretend to be on a four-span card share one.
    fn boards(&self) -> Vec<Board<'_>> {
        let mut boards: Vec<Board<'_>> = Vec::new();
        for span in self.spans.iter().filter(|span| span.is_here()) {
            let slot = (span.number - 1) / TE4_SPANS;
            let same = |board: &&mut Board<'_>| {
                let first = board.first;
                span.card == Some(Card::Te4)
                    && first.card == span.card
                    && (first.number - 1) / TE4_SPANS == slot
            };
            match boards.last_mut().filter(same) {
                Some(board) => board.spans.push(span),
                None => boards.push(Board { first: span, spans: vec![span] }),
            }
        }
        boards
    }

    /// The files of a span's directory, which is place `local` of its board.
    fn span_attributes(&self, span: &Span, local: usize, master: usize) -> [(&'static str, String); 13] {
        let first = self.channels.get(span.channels.start).map_or(0, |channel| channel.number);
        let sync = if span.sync > 0 { span.number } else { 0 };
        [
            ("name", span.name.clone()),
            ("desc", span.description()),
            ("spantype", span.type_word().into()),
            ("local_spanno", local.to_string()),
            ("alarms", format!("{:#x}", span.alarm_bits())),
            ("lbo", span.buildout.to_string()),
            ("syncsrc", sync.to_string()),
            ("is_digital", u8::from(span.is_digital()).to_string()),
            ("is_sync_master", u8::from(span.number == master).to_string()),
            ("basechan", first.to_string()),
            ("channels", span.channels.len().to_string()),
            ("lineconfig", line_words(span.lineconfig).join("/")),
            ("linecompat", line_words(span.line_choices()).join(" ")),
        ]
    }
}

impl Pci {
    /// The files of its directory.
    fn attributes(&self) -> [(&'static str, &'static str); 4] {
        [
            ("vendor", self.vendor),
            ("device", self.device),
            ("subsystem_vendor", self.vendor),
            ("subsystem_device", "0x0001"),
        ]
    }
}

impl Board<'_> {
    fn pci(&self) -> Option<Pci> {
        match self.first.card? {
            Card::Te4 => Some(Pci { vendor: "0xd161", device: "0x1420", driver: "wct4xxp" }),
            Card::Tdm24 => Some(Pci { vendor: "0xd161", device: "0x2400", driver: "wctdm24xxp" }),
        }
    }

    /// Its address on the PCI bus.
    fn address(&self) -> String {
        let (bus, slot) = slot_of(self.first);
        format!("0000:{bus:02x}:{slot:02x}.0")
    }

    fn name(&self) -> String {
        match self.pci() {
            Some(_) => format!("pci:{}", self.address()),
            None => format!("hw-sim:{}", self.first.number),
        }
    }

    /// The files of its directory.
    fn attributes(&self) -> [(&'static str, String); 7] {
        let types: Vec<String> =
            self.spans.iter().zip(1..).map(|(span, at)| format!("{at}:{}", span.type_word())).collect();
        // Cards of these kinds have no number of their own that a driver could read.
        let hardware_id = if self.pci().is_some() { String::new() } else { self.name() };
        [
            ("manufacturer", self.first.manufacturer().into()),
            ("type", self.first.device_type()),
            ("span_count", self.spans.len().to_string()),
            ("hardware_id", hardware_id),
            ("location", self.first.location()),
            ("dahdi_spantype", types.join("\n")),
            ("dahdi_registration_time", "0000000000.000000000".into()),
        ]
    }
}

/// The bus and the slot of the card that a span pretends to be on.
fn slot_of(span: &Span) -> (usize, usize) {
    let place = span.number - 1;
    let (bus, place) = match span.card {
        Some(Card::Te4) => (PCI_BUS.0, place - place % TE4_SPANS),
        _ => (PCI_BUS.1, place),
    };
    (bus + place / SLOTS, place % SLOTS)
}

impl Span {
    /// Where its board is.
    pub(super) fn location(&self) -> String {
        let (bus, slot) = slot_of(self);
        match self.card {
            Some(_) => format!("PCI Bus {bus:02} Slot {:02}", slot + 1),
            None => format!("Simulated slot {}", self.number),
        }
    }
}
