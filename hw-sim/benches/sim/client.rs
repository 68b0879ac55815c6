//! A busy span: sound both ways on every bearer channel, in blocks of 20 ms.

use dahdi_abi::{BufferInfo, DeviceNode, Devices, Errno, NodePath, event, policy, request};

/// Octets of a block.
pub const BLOCK: usize = 160;

/// A channel that is spoken into and heard.
pub struct Line {
    node: Box<dyn DeviceNode>,
    /// Blocks that came or went.
    pub moved: u64,
    /// Reads and writes that were refused.
    pub missed: u64,
    /// Changes of signalling bits that came.
    pub events: u64,
}

/// Opens the bearer channels of so many spans.
pub fn open_spans(devices: &dyn Devices, spans: u32) -> Vec<Line> {
    let bearers = (1..=31).filter(|place| *place != 16);
    let paths = (1..=spans).flat_map(|span| bearers.clone().map(move |place| NodePath::Chan(span, place)));
    paths.map(|path| Line::open(devices, &path)).collect()
}

impl Line {
    fn open(devices: &dyn Devices, path: &NodePath) -> Line {
        let mut node = devices.open(path).unwrap();
        let mut info = BufferInfo {
            numbufs: 8,
            bufsize: BLOCK as i32,
            txbufpolicy: policy::IMMEDIATE,
            ..BufferInfo::default()
        };
        dahdi_abi::call(&mut *node, request::SET_BUFINFO, &mut info).unwrap();
        // CAS channels carry sound without being asked to.
        let _ = dahdi_abi::call(&mut *node, request::AUDIOMODE, &mut 1);
        (0..3).for_each(|_| assert_eq!(node.write(&[0x55; BLOCK]), Ok(BLOCK)));
        Line { node, moved: 0, missed: 0, events: 0 }
    }

    /// Sends signalling bits A, B, C, D.
    pub fn send_bits(&mut self, mut bits: i32) {
        dahdi_abi::call(&mut *self.node, request::SETTXBITS, &mut bits).unwrap();
    }

    /// Takes the events that stop reads and writes.
    fn take_events(&mut self) {
        let mut told = event::BITSCHANGED;
        while told != event::NONE {
            dahdi_abi::call(&mut *self.node, request::GETEVENT, &mut told).unwrap();
            self.events += u64::from(told == event::BITSCHANGED);
        }
    }

    /// One block each way.
    pub fn tick(&mut self, block: &mut [u8; BLOCK]) {
        let read = self.undisturbed(|node| node.read(block));
        let written = self.undisturbed(|node| node.write(block));
        for result in [read, written] {
            match result {
                Ok(_) => self.moved += 1,
                Err(Errno::AGAIN) => self.missed += 1,
                Err(errno) => panic!("a channel failed: {errno}"),
            }
        }
    }

    /// A call, again while events refuse it: in real time one can come between any two calls.
    fn undisturbed(
        &mut self,
        mut call: impl FnMut(&mut dyn DeviceNode) -> Result<usize, Errno>,
    ) -> Result<usize, Errno> {
        loop {
            match call(&mut *self.node) {
                Err(Errno::LAST) => self.take_events(),
                result => return result,
            }
        }
    }
}
