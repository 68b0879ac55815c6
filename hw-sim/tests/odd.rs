//! Whatever programs ask and whatever is injected, in any order and with any numbers: nothing panics, and what programs are
//! told depends neither on who watches nor on the steps of the clock.
//!
//! `cargo test` runs some hundred seeds. `DEMARC_FUZZ_SECONDS=600 cargo test -p hw-sim --test odd` goes on for so long.
#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

use dahdi_abi::{NodePath, request};
use demarc_model::{Alarm, ChannelNo, SpanNo, Time};
use hw_sim::{Arg, Description, FileId, Sim, fault::Fault};
use std::time::{Duration, Instant};

/// Boards of every kind, cabled and with lines; channels 1 to 62, 63 to 110, 111 to 118, and some alone.
const BOARDS: &str = r#"
tone_zones = ["us", "uk"]
[[span]]
[[span]]
[[span]]
kind = "t1"
signalling = "em"
[[span]]
kind = "t1"
signalling = "cas"
[[span]]
kind = "analog"
fxs = 2
fxo = 2
detect = "card"
law = "alaw"
[[span]]
kind = "analog"
fxs = 2
fxo = 2
[[span]]
signalling = "cas"
[[span]]
signalling = "fxs"
[[span]]
signalling = "fxo"
[[cable]]
from = 1
to = 2
[[cable]]
from = 3
to = 4
[[cable]]
from = 8
to = 9
[[line]]
from = 111
to = 117
echo = { delay_ms = 100 }
noise = { level_dbm0 = -40, kind = "hoth" }
attenuation_db = 3
[[line]]
from = 112
to = 113
"#;

/// Channels that are used: some of each kind.
const CHANNELS: [u32; 20] =
    [1, 2, 16, 32, 33, 47, 63, 64, 87, 88, 111, 112, 113, 115, 117, 119, 150, 151, 181, 182];

const FAULTS: [&str; 20] = [
    "loss-of-signal span=1",
    "ais span=2",
    "rai span=7",
    "loss-of-frame span=3",
    "loss-of-multiframe span=7",
    "bit-errors span=1 rate=1e-3",
    "bit-errors channel=16 rate=1e-2",
    "crc-errors span=2 rate=0.1",
    "line-code-errors span=4 rate=1e-4",
    "slip span=1 change=lost every=0.01",
    "slip span=2 change=doubled",
    "drift span=1 ppm=1000",
    "drift span=2 ppm=-1000",
    "hdlc-aborts channel=16 rate=0.5",
    "fcs-errors span=2",
    "frames-lost channel=47 rate=0.5",
    "frames-doubled span=1",
    "stuck-bits channel=119 bits=1x0x",
    "ioctl-error request=SPANSTAT count=2",
    "read-stall span=1",
];

/// Numbers below a bound, from a seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    /// Numbers as they are asked for, and those at which something overflows.
    fn number(&mut self) -> i32 {
        match self.below(8) {
            0 => self.pick(&[i32::MIN, i32::MAX, -1, 0, 1, 255, 256, 0x7fff, 0x8000]),
            1 => self.below(1 << 32) as i32,
            2 => self.pick(&CHANNELS) as i32,
            3 => self.pick(&[16, 32, 64, 160, 1024, 8192]),
            _ => self.below(13) as i32,
        }
    }
}

/// One thing that is done.
#[derive(Debug)]
enum Act {
    Open(NodePath),
    Close(usize),
    Read(usize, usize),
    Write(usize, Vec<u8>),
    Ioctl(usize, u32, Vec<u8>),
    Nonblocking(usize, bool),
    Pass(u64),
    Inject(Fault),
    Clear,
    Alarm(SpanNo, Alarm),
    Board(SpanNo, bool),
    Cut(ChannelNo, bool),
}

fn act(dice: &mut Dice, faults: bool, now: Time) -> Act {
    let file = dice.below(24) as usize;
    let span = SpanNo::new(dice.below(9) as u16 + 1).unwrap();
    let kinds = if faults { 32 } else { 30 };
    match dice.below(kinds) {
        0..=3 => Act::Open(match dice.below(12) {
            0 => NodePath::Pseudo,
            1 => NodePath::Timer,
            2 => NodePath::Ctl,
            3 => NodePath::Channel,
            4 => NodePath::Chan(dice.below(10) as u32, dice.below(32) as u32),
            _ => NodePath::Number(dice.pick(&CHANNELS)),
        }),
        4 => Act::Close(file),
        5..=8 => Act::Read(file, dice.pick(&[0, 1, 7, 160, 1024, 16384])),
        9..=13 => {
            let size = dice.pick(&[0, 1, 2, 3, 160, 160, 160, 1024, 9000]);
            Act::Write(file, (0..size).map(|_| dice.below(256) as u8).collect())
        }
        14..=21 => {
            let (_, number) = dice.pick(request::TABLE);
            let mut payload: Vec<u8> =
                (0..request::payload_size(number)).map(|_| dice.below(256) as u8 & 0x7f).collect();
            for word in payload.chunks_exact_mut(4) {
                if dice.below(8) != 0 {
                    word.copy_from_slice(&dice.number().to_ne_bytes());
                }
            }
            Act::Ioctl(file, number, payload)
        }
        22 => Act::Nonblocking(file, dice.below(2) == 0),
        23 if dice.below(8) == 0 => Act::Board(span, dice.below(2) == 0),
        24 if dice.below(8) == 0 => {
            Act::Alarm(span, dice.pick(&[Alarm::Red, Alarm::Blue, Alarm::Ok, Alarm::Ok]))
        }
        25 if dice.below(4) == 0 => {
            Act::Cut(ChannelNo::new(111 + dice.below(10) as u16).unwrap(), dice.below(2) == 0)
        }
        30 => {
            let words = dice.pick(&FAULTS);
            let lasts = Duration::from_millis(dice.below(300));
            Act::Inject(
                Fault { seed: dice.below(9), ..Fault::from_words(words, now).unwrap() }.lasting(lasts),
            )
        }
        31 => Act::Clear,
        _ => Act::Pass(dice.pick(&[1, 1, 2, 5, 20, 20, 33, 200, 700])),
    }
}

/// A machine, its open files, and how it is used.
struct World {
    sim: Sim,
    files: Vec<FileId>,
    step: u64,
}

impl World {
    fn new(step: u64, watched: bool) -> World {
        let mut sim = Sim::new(&Description::from_toml(BOARDS).unwrap()).unwrap();
        if watched {
            sim.record_events();
        }
        World { sim, files: Vec::new(), step }
    }

    fn file(&self, at: usize) -> FileId {
        self.files.get(at).copied().unwrap_or(FileId(u64::MAX))
    }

    /// Does it, and tells what a program is told.
    fn act(&mut self, act: &Act) -> String {
        let sim = &mut self.sim;
        match act {
            Act::Open(path) => {
                let file = sim.open(path);
                self.files.extend(&file);
                format!("{file:?}")
            }
            Act::Close(at) if *at < self.files.len() => {
                sim.close(self.files.remove(*at));
                String::new()
            }
            Act::Close(_) => String::new(),
            Act::Read(at, size) => {
                let mut buffer = vec![0; *size];
                let read = self.files.get(*at).map(|file| sim.read(*file, &mut buffer));
                format!("{read:?} {buffer:?}")
            }
            Act::Write(at, data) => format!("{:?}", self.files.get(*at).map(|file| sim.write(*file, data))),
            Act::Ioctl(at, number, payload) => {
                let mut payload = payload.clone();
                let file = self.file(*at);
                let result = self.sim.ioctl(file, *number, &mut Arg::new(&mut payload));
                format!("{result:?} {payload:?}")
            }
            Act::Nonblocking(at, on) => {
                let file = self.file(*at);
                self.sim.set_nonblocking(file, *on);
                String::new()
            }
            Act::Pass(ms) => {
                let end = sim.now().0 + Duration::from_millis(*ms);
                while sim.now().0 < end {
                    sim.advance(Time(end.min(sim.now().0 + Duration::from_millis(self.step))));
                    // What the clock's thread asks must not change anything.
                    sim.next_edge();
                }
                let ready: Vec<_> = self.files.iter().map(|file| sim.ready(*file)).collect();
                format!("{:?} {ready:?}", sim.now())
            }
            Act::Inject(fault) => format!("{:?}", sim.inject(fault.clone())),
            Act::Clear => {
                sim.clear_faults();
                String::new()
            }
            Act::Alarm(span, alarm) => {
                sim.set_alarm(*span, *alarm);
                format!("{:?}", sim.alarm(*span))
            }
            Act::Board(span, true) => format!("{}", sim.remove_board(*span)),
            Act::Board(span, false) => format!("{}", sim.return_board(*span)),
            Act::Cut(channel, cut) => format!("{} {:?}", sim.cut_line(*channel, *cut), sim.wires(*channel)),
        }
    }
}

/// Runs seeds, as many as asked for and for as long as the environment asks.
fn seeds(count: u64, mut run: impl FnMut(u64)) {
    let seconds = std::env::var("DEMARC_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let end = Instant::now() + Duration::from_secs(seconds.unwrap_or(0));
    let mut seed = std::env::var("SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let last = seed + count;
    while seed < last || (seconds.is_some() && Instant::now() < end) {
        run(seed);
        seed += 1;
    }
}

/// Does the same to several machines, which must tell the same.
fn together(seed: u64, acts: u32, faults: bool, mut worlds: Vec<World>) {
    let mut dice = Dice(seed);
    let mut done = Vec::new();
    for _ in 0..acts {
        let act = act(&mut dice, faults, worlds[0].sim.now());
        let told: Vec<String> = worlds.iter_mut().map(|world| world.act(&act)).collect();
        done.push(format!("{:?} {act:?}", worlds[0].sim.now()));
        for other in &told[1..] {
            if *other != told[0] {
                let history: Vec<String> = done.iter().map(|d| d.chars().take(150).collect()).collect();
                panic!("seed {seed}: {}\n{}\n{other}", history.join("\n"), told[0]);
            }
        }
    }
}

#[test]
fn who_watches_and_the_steps_of_the_clock_make_no_difference() {
    seeds(25, |seed| {
        together(seed, 400, false, vec![World::new(1, false), World::new(1000, false), World::new(7, true)]);
    });
}

#[test]
fn the_steps_of_the_clock_make_no_difference_to_faults() {
    seeds(12, |seed| {
        together(seed, 400, true, vec![World::new(5, true), World::new(1000, false)]);
    });
}
