//! Device files of a simulator whose clock the test moves.
#![allow(dead_code)] // Each test file uses its part.

use bytemuck::Pod;
use dahdi_abi::{BufferInfo, DeviceNode, Devices, Errno, NodePath, Request, iomux, request};
use demarc_model::Time;
use hw_sim::{Description, Simulator};
use std::sync::Arc;

/// Two cabled spans on virtual time.
pub struct Bench {
    pub simulator: Simulator,
    pub devices: Arc<dyn Devices>,
}

/// An open file.
pub struct Dev(pub Box<dyn DeviceNode>);

impl Bench {
    pub fn new() -> Bench {
        Bench::of(&Description::default())
    }

    pub fn of(description: &Description) -> Bench {
        let simulator = Simulator::virtual_time(description).unwrap();
        let devices = simulator.devices();
        Bench { simulator, devices }
    }

    pub fn open(&self, path: NodePath) -> Result<Dev, Errno> {
        self.devices.open(&path).map(Dev)
    }

    /// A channel by its number, which must open.
    pub fn channel(&self, number: u32) -> Dev {
        self.open(NodePath::Number(number)).unwrap()
    }

    pub fn ctl(&self) -> Dev {
        self.open(NodePath::Ctl).unwrap()
    }

    /// Two channels that face each other over the cable, with blocks of 160 octets.
    pub fn pair(&self, buffers: i32, policy: i32) -> (Dev, Dev) {
        let (mut a, mut b) = (self.channel(1), self.channel(32));
        a.buffers(buffers, 160, policy).unwrap();
        b.buffers(buffers, 160, policy).unwrap();
        (a, b)
    }

    /// Lets milliseconds pass.
    pub fn pass(&self, ms: u64) {
        let to = self.simulator.with(|sim| sim.now()) + Time::from_millis(ms).0;
        self.simulator.advance(to);
    }

    pub fn ms(&self) -> u128 {
        self.simulator.with(|sim| sim.now()).0.as_millis()
    }
}

impl Dev {
    pub fn call<T: Pod>(&mut self, request: Request<T>, mut value: T) -> Result<T, Errno> {
        dahdi_abi::call(&mut *self.0, request, &mut value)?;
        Ok(value)
    }

    pub fn set(&mut self, request: Request<i32>, value: i32) -> Result<i32, Errno> {
        self.call(request, value)
    }

    pub fn get(&mut self, request: Request<i32>) -> Result<i32, Errno> {
        self.call(request, 0)
    }

    pub fn buffers(&mut self, numbufs: i32, bufsize: i32, txbufpolicy: i32) -> Result<BufferInfo, Errno> {
        let info = BufferInfo { numbufs, bufsize, txbufpolicy, ..BufferInfo::default() };
        self.call(request::SET_BUFINFO, info)
    }

    pub fn event(&mut self) -> i32 {
        self.get(request::GETEVENT).unwrap()
    }

    pub fn read(&mut self, size: usize) -> Result<Vec<u8>, Errno> {
        let mut buffer = vec![0; size];
        let got = self.0.read(&mut buffer)?;
        buffer.truncate(got);
        Ok(buffer)
    }

    pub fn write(&mut self, data: &[u8]) -> Result<usize, Errno> {
        self.0.write(data)
    }

    pub fn iomux(&mut self, mask: i32) -> Result<i32, Errno> {
        self.set(request::IOMUX, mask | iomux::NOWAIT)
    }
}
