//! Virtual time: how much of a line's time is simulated in a second of processor time.

use crate::client::{BLOCK, open_spans};
use crate::own_cpu;
use dahdi_abi::{MaintInfo, NodePath, maint, request};
use demarc_model::Time;
use hw_sim::{Description, Simulator, description::Span};
use std::time::Duration;

/// Blocks of 20 ms that one span pair is run for at the smallest size; larger ones share them.
const TURNS: u64 = 60_000;

pub fn table(sizes: &[u16]) {
    println!("Virtual time, in this process: 30 channels a span, sound both ways in blocks of 20 ms");
    println!(
        "{:>8} {:>10} {:>18} {:>22} {:>14}",
        "spans", "channels", "ns a block", "line-hours a CPU s", "24 h of a line"
    );
    for spans in sizes.iter().copied() {
        let (cpu, turns) = run(spans);
        let blocks = turns * u64::from(spans) * 30 * 2;
        // A line is a cable: two spans, and both of its ends are driven. One span in local loop is half of that.
        let lines = f64::from(spans) / 2.0;
        let hours = lines * turns as f64 * 0.02 / 3600.0 / cpu.as_secs_f64();
        println!(
            "{spans:>8} {:>10} {:>18.0} {hours:>22.2} {:>12.1} s",
            spans * 31,
            cpu.as_nanos() as f64 / blocks as f64,
            24.0 / hours
        );
    }
    println!("{LOOPED} It counts as half a line.");
    println!("Goal: 24 hours of one busy E1 (2 spans, both ends driven) in under 60 s.\n");
}

/// The processor time of so many spans, and how many blocks of 20 ms they ran.
fn run(spans: u16) -> (Duration, u64) {
    // DAHDI has 1024 channels: above 32 spans, two systems.
    let systems: Vec<Simulator> =
        sizes(spans).map(|spans| Simulator::virtual_time(&boards(spans)).unwrap()).collect();
    systems.iter().for_each(|system| join(system, spans));
    let mut lines: Vec<_> = systems
        .iter()
        .zip(sizes(spans))
        .map(|(system, spans)| open_spans(&*system.devices(), u32::from(spans)))
        .collect();
    let turns = TURNS * 2 / u64::from(spans);
    let mut block = [0x55; BLOCK];
    let before = own_cpu();
    for turn in 1..=turns {
        for (system, lines) in systems.iter().zip(&mut lines) {
            system.advance(Time::from_millis(turn * 20));
            lines.iter_mut().for_each(|line| line.tick(&mut block));
        }
    }
    let cpu = own_cpu() - before;
    assert!(lines.iter().flatten().all(|line| line.missed == 0), "a block was not there");
    (cpu, turns)
}

/// How many spans are measured, unless others are asked for.
pub const SIZES: [u16; 7] = [1, 2, 4, 8, 16, 32, 64];
/// What the first of them is.
pub const LOOPED: &str =
    "One span has no far end: it is in local loop (DAHDI_MAINT) and hears what it sends itself.";

/// E1 spans, cabled to each other where there are several.
pub fn boards(spans: u16) -> Description {
    match spans {
        1 => Description { spans: vec![Span::default()], cables: Vec::new(), ..Description::default() },
        _ => Description::pairs(spans / 2),
    }
}

/// Puts a span that is alone into local loop.
pub fn join(system: &Simulator, spans: u16) {
    if spans == 1 {
        let mut ctl = system.devices().open(&NodePath::Ctl).unwrap();
        let mut looped = MaintInfo { spanno: 1, command: maint::LOCALLOOP };
        dahdi_abi::call(&mut *ctl, request::MAINT, &mut looped).unwrap();
    }
}

/// How many spans each system has.
pub fn sizes(spans: u16) -> impl Iterator<Item = u16> {
    let systems = spans.div_ceil(32);
    std::iter::repeat_n(spans / systems, usize::from(systems))
}
