//! Real time: a client that ticks every 20 ms over all channels, with the clock of the simulator, on one core.

use crate::client::{BLOCK, open_spans};
use crate::own_cpu;
use crate::virtual_time::{self, LOOPED, join, sizes};
use hw_sim::{Description, Simulator, description::Signalling};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use std::time::{Duration, Instant};

/// How long each size is run.
const TURNS: u32 = 500;
const TICK: Duration = Duration::from_millis(20);

pub fn table(sizes: &[u16]) {
    println!(
        "Real time, in this process on one core: CAS channels with sound both ways every 20 ms and a change of bits a second, {} s",
        TURNS / 50
    );
    println!(
        "{:>8} {:>10} {:>10} {:>12} {:>16} {:>14} {:>12}",
        "spans", "channels", "CPU", "late ticks", "latest by", "missed blocks", "bit changes"
    );
    let everywhere = sched_getaffinity(Pid::from_raw(0)).unwrap();
    let mut one = CpuSet::new();
    let core = (0..CpuSet::count()).find(|core| everywhere.is_set(*core) == Ok(true)).unwrap();
    one.set(core).unwrap();
    sched_setaffinity(Pid::from_raw(0), &one).unwrap();
    for spans in sizes.iter().copied() {
        run(spans);
    }
    sched_setaffinity(Pid::from_raw(0), &everywhere).unwrap();
    println!("{LOOPED}");
    println!("A tick is late when its work is not done before the next one is due.\n");
}

/// E1 spans with CAS.
fn boards(spans: u16) -> Description {
    let mut boards = virtual_time::boards(spans);
    boards.spans.iter_mut().for_each(|span| span.signalling = Signalling::Cas);
    boards
}

fn run(spans: u16) {
    let systems: Vec<Simulator> =
        sizes(spans).map(|spans| Simulator::real_time(&boards(spans)).unwrap()).collect();
    systems.iter().for_each(|system| join(system, spans));
    let mut lines: Vec<_> = systems
        .iter()
        .zip(sizes(spans))
        .flat_map(|(system, spans)| open_spans(&*system.devices(), u32::from(spans)))
        .collect();
    let mut block = [0x55; BLOCK];
    let (before, start) = (own_cpu(), Instant::now());
    let (mut late, mut latest) = (0, Duration::ZERO);
    for turn in 1..=TURNS {
        // A block and a bit after the last one, so that the block is there.
        let due = start + TICK * turn + Duration::from_millis(2);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        for (index, line) in lines.iter_mut().enumerate() {
            line.tick(&mut block);
            // Each channel changes its bits once a second, not all at once.
            if (turn as usize + index).is_multiple_of(50) {
                line.send_bits(if (turn / 50).is_multiple_of(2) { 0b0101 } else { 0b1101 });
            }
        }
        let over = Instant::now().saturating_duration_since(due + TICK);
        late += u32::from(!over.is_zero());
        latest = latest.max(over);
    }
    let share = (own_cpu() - before).as_secs_f64() / start.elapsed().as_secs_f64();
    let missed: u64 = lines.iter().map(|line| line.missed).sum();
    let events: u64 = lines.iter().map(|line| line.events).sum();
    println!(
        "{spans:>8} {:>10} {:>9.1}% {late:>12} {:>13.1} ms {missed:>14} {events:>12}",
        spans * 31,
        share * 100.0,
        latest.as_secs_f64() * 1000.0
    );
}
