//! Lines on which nothing is due are left behind until something is. Nobody may notice: a machine of which every tick is
//! watched, and one that nobody watches, answer alike.
#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

use bytemuck::{Pod, bytes_of, bytes_of_mut};
use dahdi_abi::{BufferInfo, DialOperation, Errno, NodePath, Request, dial, flush, hook, request, tone};
use demarc_model::{Alarm, SpanNo, Time};
use hw_sim::{Arg, Description, FileId, Sim};
use std::fmt::Debug;

/// A digital pair of each signalling, a T1 pair, and a card with its own exchange.
const BOARDS: &str = "tone_zones = [\"us\"]\n[[span]]\n[[span]]\n[[cable]]\nfrom = 1\nto = 2\n\
    [[span]]\nsignalling = \"cas\"\n[[span]]\nsignalling = \"cas\"\n[[cable]]\nfrom = 3\nto = 4\n\
    [[span]]\nkind = \"t1\"\nsignalling = \"fxo\"\n[[span]]\nkind = \"t1\"\nsignalling = \"fxs\"\n\
    [[cable]]\nfrom = 5\nto = 6\n[[span]]\nkind = \"analog\"\nfxs = 4\nfxo = 4\n\
    [[line]]\nfrom = 173\nto = 177\n[[line]]\nfrom = 174\nto = 178\n";
/// The channels that are used: some of each kind, both ends, and a lonely port.
const USED: [u32; 20] =
    [1, 2, 16, 32, 33, 47, 63, 64, 94, 95, 125, 126, 149, 150, 173, 174, 175, 177, 178, 3];
const STEPS: u32 = 1500;

/// Two machines that are told the same.
struct Twins {
    sims: [Sim; 2],
    files: Vec<Option<FileId>>,
    random: u64,
    now: u64,
}

impl Twins {
    fn new(seed: u64) -> Twins {
        let description = Description::from_toml(BOARDS).unwrap();
        let mut sims = [(); 2].map(|()| Sim::new(&description).unwrap());
        // An event log wants to know of everything, in order.
        sims[0].record_events();
        Twins { sims, files: vec![None; USED.len()], random: seed, now: 0 }
    }

    fn any(&mut self, of: u64) -> u64 {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % of
    }

    #[track_caller]
    fn both<T: PartialEq + Debug>(&mut self, what: &str, mut act: impl FnMut(&mut Sim) -> T) -> T {
        let [watched, unwatched] = &mut self.sims;
        let (one, other) = (act(watched), act(unwatched));
        assert_eq!(one, other, "{what} at {} ms", self.now);
        one
    }

    fn ask<T: Pod + PartialEq + Debug>(&mut self, file: FileId, request: Request<T>, payload: T) {
        let _: (Result<i32, Errno>, Vec<u8>) = self.both("a request", |sim| {
            let mut payload = payload;
            let result = sim.ioctl(file, request.number(), &mut Arg::new(bytes_of_mut(&mut payload)));
            (result, bytes_of(&payload).to_vec())
        });
    }

    /// One of the things that a program does.
    fn act(&mut self, at: usize) {
        let Some(file) = self.files[at] else {
            self.files[at] = self.both("open", |sim| sim.open(&NodePath::Number(USED[at]))).ok();
            return;
        };
        let (size, octet, some) = (self.any(400) as usize + 1, self.any(256) as u8, self.any(16) as i32);
        match self.any(24) {
            0..8 => {
                self.both("read", |sim| {
                    let mut block = [0; 512];
                    sim.read(file, &mut block[..size]).map(|size| block[..size].to_vec())
                })
                .ok();
            }
            8..15 => drop(self.both("write", |sim| sim.write(file, &vec![octet; size]))),
            15 | 16 => self.ask(file, request::GETEVENT, 0),
            17 => self.ask(file, request::SETTXBITS, some),
            18 => self.ask(
                file,
                request::HOOK,
                [hook::ONHOOK, hook::OFFHOOK, hook::RING, hook::FLASH][size % 4],
            ),
            19 => self.ask(file, request::SENDTONE, [tone::STOP, tone::DIALTONE, tone::BUSY][size % 3]),
            20 => self.ask(file, request::FLUSH, [flush::READ, flush::WRITE, flush::ALL][size % 3]),
            21 => self.dial_or_shape(file, size),
            22 => self.ask(file, request::BUFFER_EVENTS, some & 1),
            _ if some == 0 => {
                self.both("close", |sim| sim.close(file));
                self.files[at] = None;
            }
            _ => drop(self.both("ready", |sim| sim.ready(file))),
        }
    }

    fn dial_or_shape(&mut self, file: FileId, size: usize) {
        if size.is_multiple_of(2) {
            let info = BufferInfo {
                txbufpolicy: size as i32 % 3,
                numbufs: 2 + size as i32 % 9,
                bufsize: 16 + size as i32,
                ..BufferInfo::default()
            };
            return self.ask(file, request::SET_BUFINFO, info);
        }
        let mut digits = DialOperation { op: dial::REPLACE, ..DialOperation::default() };
        digits.dialstr[..3].copy_from_slice(b"T12");
        self.ask(file, request::DIAL, digits);
    }

    fn go_on(&mut self) {
        self.now += match self.any(10) {
            0 => 300 + self.any(900),
            1..4 => 1,
            _ => self.any(40),
        };
        let to = Time::from_millis(self.now);
        self.both("the clock", |sim| {
            sim.advance(to);
            sim.take_edges()
        });
        if self.any(200) == 0 {
            let alarm = [Alarm::Ok, Alarm::Red, Alarm::Yellow, Alarm::Blue][self.any(4) as usize];
            self.both("an alarm", |sim| sim.set_alarm(SpanNo::new(3).unwrap(), alarm));
        }
    }
}

#[test]
fn a_line_that_is_left_behind_is_as_it_would_be() {
    for seed in 0..4 {
        let mut twins = Twins::new(seed);
        for _ in 0..STEPS {
            for _ in 0..twins.any(6) {
                let at = twins.any(USED.len() as u64) as usize;
                twins.act(at);
            }
            twins.go_on();
        }
        assert!(twins.now > 60_000, "a minute was run: {} ms", twins.now);
    }
}
