//! A busy driver for runs without a program: opens every channel and uses it as its signalling allows, all by a seed. Sound
//! goes both ways on all bearer channels, D-channels carry frames, CAS bits change, ports ring and are answered.

use crate::fault::Rng;
use crate::{Arg, FileId, Sim};
use bytemuck::{Pod, bytes_of, bytes_of_mut};
use dahdi_abi::{BufferInfo, Errno, NodePath, Params, Request, event, hook, policy, request, sig};
use std::time::Duration;

/// How often [`Traffic::tick`] is to be called: a block of sound.
pub const TICK: Duration = Duration::from_millis(20);
/// Octets of such a block.
const BLOCK: usize = 160;
/// Blocks that are queued before the first tick, and room for them.
const AHEAD: usize = 3;
const BUFFERS: i32 = 8;
/// One in so many ticks, a channel does something besides its sound: about every two seconds.
const ODDS: u64 = 100;
/// What a port does when it is its turn.
const HOOKS: [i32; 4] = [hook::OFFHOOK, hook::ONHOOK, hook::RING, hook::FLASH];
/// The longest frame of a D-channel that is sent, octets.
const MAX_FRAME: u64 = 260;

/// Every channel that could be opened, in use.
pub struct Traffic {
    rng: Rng,
    lines: Vec<Line>,
}

struct Line {
    file: FileId,
    sig: i32,
}

impl Traffic {
    /// Opens all channels that are configured. The same seed does the same.
    pub fn open(sim: &mut Sim, seed: u64) -> Traffic {
        let numbers = |node: &NodePath| matches!(node, NodePath::Number(_));
        let nodes: Vec<NodePath> = sim.nodes().into_iter().filter(numbers).collect();
        let lines = nodes.iter().filter_map(|node| Line::open(sim, node)).collect();
        Traffic { rng: Rng::new(seed, 0), lines }
    }

    /// How many channels are in use.
    pub fn channels(&self) -> usize {
        self.lines.len()
    }

    /// What happens in one [`TICK`].
    pub fn tick(&mut self, sim: &mut Sim) {
        for line in &self.lines {
            line.tick(sim, &mut self.rng);
        }
    }
}

impl Line {
    fn open(sim: &mut Sim, node: &NodePath) -> Option<Line> {
        let file = sim.open(node).ok()?;
        let mut params = Params::default();
        ask(sim, file, request::GET_PARAMS, &mut params).ok()?;
        let line = Line { file, sig: params.sigtype };
        if !line.is_d_channel() {
            let buffers = BufferInfo {
                numbufs: BUFFERS,
                bufsize: BLOCK as i32,
                txbufpolicy: policy::IMMEDIATE,
                ..BufferInfo::default()
            };
            ask(sim, file, request::SET_BUFINFO, &mut { buffers }).ok()?;
            for _ in 0..AHEAD {
                let _ = sim.write(file, &[0x55; BLOCK]);
            }
        }
        Some(line)
    }

    fn is_d_channel(&self) -> bool {
        [sig::HDLCFCS, sig::HARDHDLC, sig::HDLCRAW].contains(&self.sig)
    }

    fn tick(&self, sim: &mut Sim, rng: &mut Rng) {
        // Refusals are part of what happens: a span in alarm, a queue that is full.
        let mut told = event::BITSCHANGED;
        while told != event::NONE && ask(sim, self.file, request::GETEVENT, &mut told).is_ok() {}
        let mut block = [0; 2 * BLOCK];
        if self.is_d_channel() {
            while sim.read(self.file, &mut block).is_ok() {}
        } else {
            let _ = sim.read(self.file, &mut block[..BLOCK]);
            let _ = sim.write(self.file, &[rng.next() as u8; BLOCK]);
        }
        if rng.next().is_multiple_of(ODDS) {
            self.act(sim, rng);
        }
    }

    /// What its signalling can do.
    fn act(&self, sim: &mut Sim, rng: &mut Rng) {
        let any = rng.next();
        if self.is_d_channel() {
            // With the two octets where the driver puts its FCS.
            let frame: Vec<u8> = (0..any % MAX_FRAME + 4).map(|_| rng.next() as u8).collect();
            let _ = sim.write(self.file, &frame);
        } else if self.sig == sig::CAS {
            let _ = ask(sim, self.file, request::SETTXBITS, &mut { any as i32 & 0xf });
        } else if self.sig & sig::CLEAR == 0 {
            let _ = ask(sim, self.file, request::HOOK, &mut { HOOKS[any as usize % HOOKS.len()] });
        }
    }
}

fn ask<T: Pod>(sim: &mut Sim, file: FileId, request: Request<T>, payload: &mut T) -> Result<i32, Errno> {
    let mut octets = bytes_of(payload).to_vec();
    let result = sim.ioctl(file, request.number(), &mut Arg::new(&mut octets));
    bytes_of_mut(payload).copy_from_slice(&octets);
    result
}
