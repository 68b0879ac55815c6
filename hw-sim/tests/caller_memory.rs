//! Requests whose number does not say all that they carry, as a program in another process makes them: only what the
//! number says is at hand, the rest is in the caller's memory.
#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

use dahdi_abi::{ConfInfo, Errno, IndirectData, NodePath, Params, ToneDefHeader, bytes, request, sig};
use hw_sim::{Arg, CallerMemory, Description, FileId, Sim};

/// Where the caller's memory begins.
const BASE: u64 = 0x1000;

/// The memory of a caller.
struct Memory(Vec<u8>);

impl Memory {
    fn range(&self, address: u64, len: usize) -> Result<std::ops::Range<usize>, Errno> {
        let start = address.checked_sub(BASE).ok_or(Errno::FAULT)? as usize;
        if start + len > self.0.len() { Err(Errno::FAULT) } else { Ok(start..start + len) }
    }
}

impl CallerMemory for Memory {
    fn read(&mut self, address: u64, len: usize) -> Result<Vec<u8>, Errno> {
        Ok(self.0[self.range(address, len)?].to_vec())
    }

    fn write(&mut self, address: u64, data: &[u8]) -> Result<(), Errno> {
        let range = self.range(address, data.len())?;
        self.0[range].copy_from_slice(data);
        Ok(())
    }
}

/// Makes a request as the FUSE front does: `data` holds what the number says that the program gives, else zeros.
fn call(sim: &mut Sim, file: FileId, number: u32, memory: &mut Memory) -> Result<(i32, Vec<u8>), Errno> {
    let mut data = vec![0; request::payload_size(number)];
    if request::takes(number) {
        let size = data.len();
        data.copy_from_slice(&memory.0[..size]);
    }
    let mut arg = Arg { data: &mut data, address: BASE, memory: Some(memory) };
    let result = sim.ioctl(file, number, &mut arg)?;
    Ok((result, data))
}

fn bench() -> (Sim, FileId) {
    let mut sim = Sim::new(&Description::default()).unwrap();
    let ctl = sim.open(&NodePath::Ctl).unwrap();
    (sim, ctl)
}

#[test]
fn the_channel_of_an_old_get_params_is_fetched() {
    let (mut sim, ctl) = bench();
    let mut memory = Memory(bytes(&mut Params { channo: 47, ..Params::default() }).to_vec());
    let (_, reply) = call(&mut sim, ctl, request::GET_PARAMS_V1.number(), &mut memory).unwrap();
    let params: Params = bytemuck::pod_read_unaligned(&reply);
    assert_eq!((params.channo, params.sigtype), (47, sig::HDLCFCS));
    let mut nothing = Memory(Vec::new());
    assert_eq!(call(&mut sim, ctl, request::GET_PARAMS_V1.number(), &mut nothing), Err(Errno::FAULT));
}

#[test]
fn the_answer_of_an_old_setconf_is_stored() {
    let (mut sim, ctl) = bench();
    let channel = sim.open(&NodePath::Number(1)).unwrap();
    sim.ioctl(channel, request::AUDIOMODE.number(), &mut Arg::new(bytes(&mut 1_i32))).unwrap();
    let mut wanted = ConfInfo { chan: 1, confno: -1, confmode: 4 };
    let mut memory = Memory(bytes(&mut wanted).to_vec());
    call(&mut sim, ctl, request::SETCONF_V1.number(), &mut memory).unwrap();
    let set: ConfInfo = bytemuck::pod_read_unaligned(&memory.0);
    assert_eq!(set.confno, 1);
}

#[test]
fn the_tones_of_a_zone_must_be_readable() {
    let (mut sim, ctl) = bench();
    let mut zone = ToneDefHeader { count: 2, zone: 3, ..ToneDefHeader::default() };
    let header = bytes(&mut zone).to_vec();
    let mut cut = Memory([&header[..], &[0; 44]].concat());
    assert_eq!(call(&mut sim, ctl, request::LOADZONE.number(), &mut cut), Err(Errno::FAULT));
    let mut whole = Memory([&header[..], &[0; 88]].concat());
    assert!(call(&mut sim, ctl, request::LOADZONE.number(), &mut whole).is_ok());
}

#[test]
fn indirect_reaches_a_channel_both_ways() {
    let (mut sim, ctl) = bench();
    sim.open(&NodePath::Number(5)).unwrap();
    let ask = |op: u32, chan: i32| IndirectData { chan, op: op as i32, data: BASE + 16 };
    let memory =
        |mut ind: IndirectData, value: i32| Memory([&*bytes(&mut ind), &value.to_ne_bytes()].concat());
    let number = request::INDIRECT.number();

    let mut channo = memory(ask(request::CHANNO.number(), 5), 0);
    call(&mut sim, ctl, number, &mut channo).unwrap();
    assert_eq!(channo.0[16..], 5_i32.to_ne_bytes());
    let mut block = memory(ask(request::SET_BLOCKSIZE.number(), 5), 160);
    call(&mut sim, ctl, number, &mut block).unwrap();
    let mut block = memory(ask(request::GET_BLOCKSIZE.number(), 5), 0);
    call(&mut sim, ctl, number, &mut block).unwrap();
    assert_eq!(block.0[16..], 160_i32.to_ne_bytes());
    let mut unknown = memory(ask(request::CHANNO.number(), 99), 0);
    assert_eq!(call(&mut sim, ctl, number, &mut unknown), Err(Errno::INVAL));
}
