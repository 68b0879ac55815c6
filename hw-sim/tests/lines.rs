//! Hook states over lines, row by row as they were measured on the DAHDI 2.11 kernel (kewl start over a looped span),
//! on channels of an E1 with CAS and on ports of analog cards.
#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

mod common;

use common::{Bench, Dev};
use dahdi_abi::{DialOperation, Errno, Params, RingCadence, dial, event, hook, request};
use hw_sim::Description;

/// Channel 1 rings channel 32: bits on a digital line.
const CAS: &str =
    "[[span]]\nsignalling = \"fxo\"\n[[span]]\nsignalling = \"fxs\"\n[[cable]]\nfrom = 1\nto = 2\n";
/// Channel 1 rings channel 32: FXS ports of one card wired to FXO ports of another.
const WIRES: &str = "[[span]]\nkind = \"analog\"\nfxs = 31\n[[span]]\nkind = \"analog\"\nfxo = 31\n\
    [[cable]]\nfrom = 1\nto = 2\n";

struct Line {
    bench: Bench,
    /// The end that rings (FXO signalling).
    exchange: Dev,
    /// The end that is rung (FXS signalling).
    station: Dev,
}

impl Line {
    /// Both ends open for so long that the ring debounce of the opening is over.
    fn of(description: &str) -> Line {
        let bench = Bench::of(&Description::from_toml(description).unwrap());
        let (exchange, station) = (bench.channel(1), bench.channel(32));
        let mut line = Line { bench, exchange, station };
        line.bench.pass(3000);
        assert_eq!(line.exchange.event(), event::NONE);
        assert_eq!(line.station.event(), event::NONE);
        line
    }

    /// The milliseconds from now on at which each end is told something, up to `ms`.
    fn events(&mut self, ms: u64) -> Vec<(u64, char, i32)> {
        let mut told = Vec::new();
        for at in 0..=ms {
            for (end, dev) in [('x', &mut self.exchange), ('s', &mut self.station)] {
                let events = std::iter::from_fn(|| Some(dev.event()).filter(|event| *event != event::NONE));
                told.extend(events.map(|event| (at, end, event)));
            }
            if at < ms {
                self.bench.pass(1);
            }
        }
        told
    }

    fn hook(dev: &mut Dev, operation: i32) -> Result<(), Errno> {
        dev.set(request::HOOK, operation).map(|_| ())
    }

    /// Up to a call: ring, answer, both off hook.
    fn talk(&mut self) {
        assert_eq!(Line::hook(&mut self.exchange, hook::RING), Err(Errno::INPROGRESS));
        self.bench.pass(500);
        Line::hook(&mut self.station, hook::OFFHOOK).unwrap();
        self.bench.pass(50);
        Line::hook(&mut self.exchange, hook::OFFHOOK).unwrap();
        self.bench.pass(700);
        self.events(0);
    }
}

fn both(check: impl Fn(Line)) {
    for description in [CAS, WIRES] {
        check(Line::of(description));
    }
}

#[test]
fn ringing_is_told_at_both_ends() {
    both(|mut line| {
        let ring = Line::hook(&mut line.exchange, hook::RING);
        assert_eq!(ring, Err(Errno::INPROGRESS), "although it has started");
        let told = line.events(9000);
        let expected = [
            (5, 's', event::RINGBEGIN),
            (2000, 'x', event::RINGEROFF),
            (2055, 's', event::RINGOFFHOOK),
            (6000, 'x', event::RINGERON),
            (6005, 's', event::RINGBEGIN),
            (8000, 'x', event::RINGEROFF),
            (8055, 's', event::RINGOFFHOOK),
        ];
        assert_eq!(told, expected);
    });
}

#[test]
fn an_answer_is_told_and_ringing_goes_on_until_the_exchange_goes_off_hook() {
    both(|mut line| {
        let _ = Line::hook(&mut line.exchange, hook::RING);
        line.events(500);
        Line::hook(&mut line.station, hook::OFFHOOK).unwrap();
        assert_eq!(line.events(100), [(5, 'x', event::RINGOFFHOOK)]);
        assert!(line.events(2000).contains(&(1400, 'x', event::RINGEROFF)), "the cadence goes on");
        Line::hook(&mut line.exchange, hook::OFFHOOK).unwrap();
        let told = line.events(8000);
        assert!(!told.iter().any(|(_, end, _)| *end == 'x'), "no ringer any more: {told:?}");
    });
}

#[test]
fn a_flash_takes_800_ms() {
    both(|mut line| {
        line.talk();
        assert_eq!(Line::hook(&mut line.station, hook::FLASH), Err(Errno::INPROGRESS));
        assert_eq!(Line::hook(&mut line.station, hook::FLASH), Err(Errno::BUSY), "one at a time");
        assert_eq!(line.events(2000), [(800, 's', event::HOOKCOMPLETE), (805, 'x', event::WINKFLASH)]);
    });
}

#[test]
fn the_exchange_hangs_up_with_a_drop_of_battery() {
    both(|mut line| {
        line.talk();
        Line::hook(&mut line.exchange, hook::ONHOOK).unwrap();
        let told = line.events(400);
        assert_eq!(told, [(5, 's', event::ONHOOK)]);
        assert_eq!(
            Line::hook(&mut line.exchange, hook::OFFHOOK),
            Err(Errno::BUSY),
            "while battery is dropped"
        );
        assert_eq!(line.events(200), [(100, 'x', event::HOOKCOMPLETE)]);
    });
}

#[test]
fn a_station_that_hangs_up_or_closes_is_told_after_1250_ms() {
    both(|mut line| {
        line.talk();
        Line::hook(&mut line.station, hook::ONHOOK).unwrap();
        assert_eq!(line.events(2000), [(1255, 'x', event::ONHOOK)]);
    });
    both(|mut line| {
        line.talk();
        line.station = line.bench.channel(33);
        assert_eq!(line.events(2000), [(1255, 'x', event::ONHOOK)]);
    });
}

#[test]
fn a_ring_soon_after_a_hang_up_begins_unheard() {
    both(|mut line| {
        line.talk();
        Line::hook(&mut line.station, hook::ONHOOK).unwrap();
        line.events(1300);
        Line::hook(&mut line.exchange, hook::ONHOOK).unwrap();
        line.bench.pass(10);
        line.events(0);
        let _ = Line::hook(&mut line.exchange, hook::RING);
        let told = line.events(2100);
        assert!(!told.contains(&(5, 's', event::RINGBEGIN)), "within 2 s: {told:?}");
        assert!(told.contains(&(2055, 's', event::RINGOFFHOOK)), "{told:?}");
    });
}

#[test]
fn a_pulsed_digit_is_counted() {
    both(|mut line| {
        line.talk();
        let mut dialstr = [0; 256];
        dialstr[..3].copy_from_slice(b"P37");
        let wanted = DialOperation { op: dial::REPLACE, dialstr };
        line.station.call(request::DIAL, wanted).unwrap();
        assert_eq!(line.station.get(request::DIALING), Ok(1));
        let told = line.events(4000);
        let first = 50 + 5;
        let expected = [
            (first, 'x', event::PULSE_START),
            (first + 200 + 250, 'x', event::PULSEDIGIT | i32::from(b'3')),
            (300 + 750 + first, 'x', event::PULSE_START),
            (300 + 750 + first + 600 + 250, 'x', event::PULSEDIGIT | i32::from(b'7')),
            (300 + 750 + 700 + 750, 's', event::DIALCOMPLETE),
        ];
        assert_eq!(told, expected);
        assert_eq!(line.station.get(request::DIALING), Ok(0));
    });
}

#[test]
fn a_cadence_rings_in_its_steps_and_comes_back_where_it_says() {
    both(|mut line| {
        let mut ringcadence = [0; 16];
        ringcadence[..4].copy_from_slice(&[300, 200, -700, 1000]);
        line.exchange.call(request::SETCADENCE, RingCadence { ringcadence }).unwrap();
        let _ = Line::hook(&mut line.exchange, hook::RING);
        let ringer: Vec<(u64, i32)> = line
            .events(4500)
            .into_iter()
            .filter(|(_, end, _)| *end == 'x')
            .map(|(at, _, e)| (at, e))
            .collect();
        let (on, off) = (event::RINGERON, event::RINGEROFF);
        assert_eq!(ringer, [(300, off), (500, on), (1200, off), (2200, on), (2900, off), (3900, on)]);
    });
}

#[test]
fn at_rest_each_end_knows_the_other() {
    let bench = Bench::of(&Description::from_toml(CAS).unwrap());
    for (number, received) in [(1, 0), (32, 1)] {
        let asked = Params { channo: number, ..Params::default() };
        let params = bench.ctl().call(request::GET_PARAMS, asked).unwrap();
        let states = (params.rxisoffhook, params.rxhooksig, params.txhooksig);
        assert_eq!(states, (0, received, 0), "channel {number}: on hook, battery");
    }
}

#[test]
fn ringing_needs_a_tone_zone_and_a_line_on_hook() {
    for description in [CAS, WIRES] {
        let bench = Bench::of(&Description::from_toml(&format!("tone_zones = []\n{description}")).unwrap());
        let mut exchange = bench.channel(1);
        assert_eq!(Line::hook(&mut exchange, hook::RING), Err(Errno(61)), "ENODATA");
        Line::hook(&mut exchange, hook::OFFHOOK).unwrap();
        assert_eq!(Line::hook(&mut exchange, 99), Err(Errno::INVAL));
    }
    both(|mut line| {
        line.talk();
        assert_eq!(Line::hook(&mut line.exchange, hook::RING), Err(Errno::BUSY));
        assert_eq!(line.exchange.set(request::SETTXBITS, 5), Err(Errno::INVAL));
    });
}
