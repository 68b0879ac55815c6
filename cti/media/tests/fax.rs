//! Fax machines on a line and on an RTP stream: a page sent over the engine, with the network's jitter and clocks that
//! differ. Both machines are spandsp, in processes of their own; time is the engine's.

#![allow(clippy::unwrap_used)] // helpers of tests, too

mod world;

use demarc_media::{BLOCK, Codec, RtpRemote};
use demarc_model::{Detect, FaxTone, Heard, LegId, MediaCommand, MediaEvent};
use std::{
    collections::{BTreeMap, VecDeque},
    io::{Read, Write},
    path::Path,
    process::{Child, Command, Stdio},
};
use world::{LINE, PEER, PHONE, World, packet};

/// The longest call, in blocks: four minutes.
const LONGEST: u64 = 4 * 60 * 50;
/// Rows of the page.
const ROWS: usize = 150;

/// A fax machine: a process that takes a block and gives a block.
struct Machine(Child);

impl Machine {
    fn start(action: &str, file: &Path, modem: &str, mode: &str) -> Machine {
        let child = Command::new(demarc_tests::place::fax_program())
            .args([action, file.to_str().unwrap(), modem, mode])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Machine(child)
    }

    /// 20 ms of its time: what it hears, and what it says; `None` once its call is over.
    fn step(&mut self, hears: &[u8; BLOCK]) -> Option<[u8; BLOCK]> {
        let mut says = [0; BLOCK];
        self.0.stdin.as_mut()?.write_all(hears).ok()?;
        self.0.stdout.as_mut()?.read_exact(&mut says).ok()?;
        Some(says)
    }

    /// How it went, by what the machine says.
    fn end(mut self) -> BTreeMap<String, i64> {
        drop(self.0.stdin.take());
        let output = self.0.wait_with_output().unwrap();
        serde_json::from_slice(&output.stderr).unwrap()
    }
}

/// The network between the engine and the far machine, and the clock of that machine.
#[derive(Clone, Copy)]
struct Network {
    /// Packets are late by 0 to so many ms, at random.
    jitter_ms: u64,
    /// Until the call is so old in ms, none is late.
    calm_ms: u64,
    /// The far machine's clock is so much faster than the line's.
    ppm: i64,
}

/// How a call went.
#[derive(Debug)]
struct Outcome {
    sent: BTreeMap<String, i64>,
    received: BTreeMap<String, i64>,
    /// Rows of the page that are not as they were sent; all, where there is no page.
    wrong_rows: usize,
    /// What was heard on which leg.
    tones: Vec<(LegId, FaxTone)>,
}

impl Outcome {
    fn whole(&self) -> bool {
        self.sent["code"] == 0 && self.received["code"] == 0 && self.wrong_rows == 0
    }
}

/// One call: the machine on the line and the one behind the network, one of which sends.
struct Call {
    world: World,
    line: Machine,
    phone: Machine,
    network: Network,
    switches: bool,
    tones: Vec<(LegId, FaxTone)>,
    /// Packets on their way to the engine: when they come, in ms.
    under_way: Vec<(u64, Vec<u8>)>,
    /// Blocks that wait to be heard behind the network.
    waiting: VecDeque<[u8; BLOCK]>,
    /// Blocks that the machine behind the network has said.
    said: u64,
    seed: u32,
}

/// What a machine hears where nothing comes.
const SILENCE: [u8; BLOCK] = [0xD5; BLOCK];

impl Call {
    fn new(line: Machine, phone: Machine, network: Network, switches: bool) -> Call {
        let mut world = World::joined(RtpRemote::new(PEER.parse().unwrap(), Codec::Pcma));
        for leg in [LINE, PHONE] {
            let what = Detect { fax: true, ..Detect::default() };
            world.core.command(MediaCommand::Detect { leg, what });
        }
        let (tones, under_way) = (Vec::new(), Vec::new());
        // As large a buffer as a gateway has that knows of the fax.
        let waiting = [SILENCE; 10].into();
        Call { world, line, phone, network, switches, tones, under_way, waiting, said: 0, seed: 1 }
    }

    /// 20 ms of the line; `false` when both machines are through.
    fn step(&mut self) -> bool {
        let heard = self.world.line.get().heard.pop();
        self.world.line.get().heard.clear();
        let said = self.line.step(&heard.flatten().unwrap_or(SILENCE));
        self.world.line.get().says.push_back(said.unwrap_or(SILENCE));
        let phone = self.phone_speaks();
        self.network_carries();
        self.world.step(true);
        for event in std::mem::take(&mut self.world.events) {
            if let MediaEvent::Heard { leg, what: Heard::Fax(tone) } = event {
                self.fax_heard(leg, tone);
            }
        }
        said.is_some() || phone
    }

    /// As call control does it.
    fn fax_heard(&mut self, leg: LegId, tone: FaxTone) {
        self.tones.push((leg, tone));
        if self.switches {
            for leg in [LINE, PHONE] {
                self.world.core.command(MediaCommand::Passthrough { leg });
            }
        }
    }

    /// The machine behind the network, at the pace of its own clock. `false` when it is through.
    fn phone_speaks(&mut self) -> bool {
        let now = i128::from(self.world.step);
        let by_now = (now * i128::from(1_000_000 + self.network.ppm) / 1_000_000) as u64;
        let mut speaks = true;
        while self.said <= by_now {
            let hears = self.waiting.pop_front().unwrap_or(SILENCE);
            let says = self.phone.step(&hears);
            speaks = says.is_some();
            let number = self.said as u32;
            let packet = packet(8, number as u16, number * BLOCK as u32, 9, &says.unwrap_or(SILENCE));
            let due = self.world.step * 20 + self.late();
            self.under_way.push((due, packet));
            self.said += 1;
        }
        speaks
    }

    fn network_carries(&mut self) {
        let now = self.world.step * 20;
        let (mut here, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.under_way).into_iter().partition(|(due, _)| *due <= now);
        self.under_way = later;
        here.sort_by_key(|(due, _)| *due);
        here.into_iter().for_each(|(_, packet)| self.world.net.arrives(packet));
        for (packet, _) in std::mem::take(&mut *self.world.net.sent.lock().unwrap()) {
            self.waiting.push_back(packet[12..].try_into().unwrap());
        }
    }

    fn late(&mut self) -> u64 {
        self.seed = self.seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let calm = self.world.step * 20 < self.network.calm_ms;
        if calm { 0 } else { u64::from(self.seed >> 8) % (self.network.jitter_ms + 1) }
    }
}

/// Who sends the page.
#[derive(Clone, Copy, PartialEq)]
enum Sender {
    Line,
    Phone,
}

fn pixels(file: &Path) -> Vec<u8> {
    let program = demarc_tests::place::fax_program();
    Command::new(program).arg("pixels").arg(file).output().unwrap().stdout
}

/// A whole fax call.
fn fax(sender: Sender, modem: &str, mode: &str, network: Network, switches: bool) -> Outcome {
    let directory = tempfile::tempdir().unwrap();
    let (page, copy) = (directory.path().join("page.tif"), directory.path().join("copy.tif"));
    let made = Command::new(demarc_tests::place::fax_program())
        .arg("page")
        .arg(&page)
        .arg(ROWS.to_string())
        .status();
    assert!(made.unwrap().success());
    let sends = Machine::start("send", &page, modem, mode);
    let receives = Machine::start("receive", &copy, modem, mode);
    let (line, phone) = if sender == Sender::Line { (sends, receives) } else { (receives, sends) };
    let mut call = Call::new(line, phone, network, switches);
    while call.step() && call.world.step < LONGEST {}
    let tones = call.tones;
    let (line, phone) = (call.line.end(), call.phone.end());
    let (sent, received) = if sender == Sender::Line { (line, phone) } else { (phone, line) };
    let (original, copied) = (pixels(&page), pixels(&copy));
    let rows = original.chunks(original.len() / ROWS);
    let mut copied = copied.chunks(original.len() / ROWS);
    let wrong_rows = rows.filter(|row| copied.next() != Some(*row)).count();
    Outcome { sent, received, wrong_rows, tones }
}

/// Late by up to 150 ms, and a clock that is off by as much as one may be.
const BAD: Network = Network { jitter_ms: 150, calm_ms: 0, ppm: 100 };
/// The same, but only once the machines have trained and the page is on its way, too late for the delay to follow.
const TURNS_BAD: Network = Network { calm_ms: 14_000, ..BAD };

#[test]
fn a_page_passes_by_every_modem_with_and_without_correction() {
    for (sender, modem, mode, rate, ecm) in [
        (Sender::Phone, "v17", "ecm", 14_400, 1),
        (Sender::Line, "v17", "plain", 14_400, 0),
        (Sender::Phone, "v29", "plain", 9600, 0),
        (Sender::Phone, "v27ter", "ecm", 4800, 1),
    ] {
        let call = fax(sender, modem, mode, BAD, true);
        println!("{modem} {mode}: {call:?}");
        assert!(call.whole(), "{modem} {mode}: {call:?}");
        let agreed = (call.received["rate"], call.received["ecm"]);
        assert_eq!(agreed, (rate, ecm), "{modem} {mode} trained at its full rate");
        let first = call.tones[0].1;
        assert!(matches!(first, FaxTone::Calling | FaxTone::Called), "{modem} {mode}: {:?}", call.tones);
    }
}

#[test]
fn without_the_switch_the_same_page_is_damaged() {
    // Without error correction: a machine that has it asks again for what was damaged, and may get it whole in the end.
    let [without, with] = [false, true].map(|switch| fax(Sender::Phone, "v17", "plain", TURNS_BAD, switch));
    assert!(!without.whole() && without.wrong_rows > 0, "{without:?}");
    assert!(with.whole(), "{with:?}");
}
