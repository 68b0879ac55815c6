//! What a clear channel does, row by row as it was measured on the DAHDI 2.11 kernel.
#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

mod common;

use common::{Bench, Dev};
use dahdi_abi::{
    ChanConfig, Errno, Gains, NodePath, Ready, event, field, flush, iomux, law, policy, request, sig,
};
use demarc_model::{Alarm, SpanNo};

const FIRST: fn() -> SpanNo = || SpanNo::new(1).unwrap();

#[test]
fn open_specify_and_their_refusals() {
    let bench = Bench::new();
    let mut a = bench.channel(1);
    assert_eq!(bench.open(NodePath::Number(1)).err(), Some(Errno::BUSY), "second open");
    assert_eq!(bench.open(NodePath::Number(999)).err(), Some(Errno::NXIO));
    assert_eq!(bench.open(NodePath::Chan(2, 32)).err(), Some(Errno::NXIO));
    assert_eq!(a.get(request::CHANNO), Ok(1));
    let info = a.call(request::GET_BUFINFO, Default::default()).unwrap();
    assert_eq!((info.numbufs, info.bufsize, info.txbufpolicy), (2, 1024, policy::IMMEDIATE), "fresh");
    assert_eq!((info.readbufs, info.writebufs), (-1, -1));

    let mut any = bench.open(NodePath::Channel).unwrap();
    assert_eq!(any.get(request::CHANNO), Err(Errno::NOSYS), "no channel yet");
    assert_eq!(any.set(request::SPECIFY, 999), Err(Errno::INVAL), "unknown");
    assert_eq!(any.set(request::SPECIFY, 1), Err(Errno::BUSY));
    assert!(any.set(request::SPECIFY, 33).is_ok());
    assert_eq!(any.get(request::CHANNO), Ok(33));
    drop(any);
    assert_eq!(bench.open(NodePath::Chan(2, 2)).unwrap().get(request::CHANNO), Ok(33), "free after close");

    let none = ChanConfig { chan: 5, sigtype: sig::NONE, ..ChanConfig::default() };
    bench.ctl().call(request::CHANCONFIG, none).unwrap();
    assert_eq!(bench.open(NodePath::Number(5)).err(), Some(Errno::NXIO), "unconfigured");
    let mut any = bench.open(NodePath::Channel).unwrap();
    assert_eq!(any.set(request::SPECIFY, 5), Err(Errno::NXIO));
}

#[test]
fn buffer_sizes_have_limits() {
    let bench = Bench::new();
    let mut a = bench.channel(1);
    let rows = [
        (4, 15, Err(Errno::INVAL)),
        (4, 16, Ok((4, 16))),
        (100, 160, Ok((32, 160))),
        (1, 160, Ok((2, 160))),
        (32, 1025, Err(Errno::INVAL)),
        (32, 1024, Ok((32, 1024))),
        (2, 8193, Err(Errno::INVAL)),
    ];
    for (numbufs, bufsize, expected) in rows {
        let set = a.buffers(numbufs, bufsize, policy::IMMEDIATE);
        let got = set.map(|_| a.call(request::GET_BUFINFO, Default::default()).unwrap());
        assert_eq!(got.map(|info| (info.numbufs, info.bufsize)), expected, "{numbufs} x {bufsize}");
    }
    assert_eq!(a.set(request::SET_BLOCKSIZE, 15), Err(Errno::INVAL));
    assert!(a.set(request::SET_BLOCKSIZE, 160).is_ok());
    assert_eq!(a.get(request::GET_BLOCKSIZE), Ok(160));
}

#[test]
fn a_read_consumes_one_buffer() {
    let bench = Bench::new();
    let (mut a, _b) = bench.pair(4, policy::IMMEDIATE);
    assert_eq!(a.read(160), Err(Errno::AGAIN), "no data");
    assert_eq!(a.read(0), Err(Errno::INVAL));
    bench.pass(19);
    assert_eq!(a.read(160), Err(Errno::AGAIN), "a block takes 20 ms");
    bench.pass(1);
    assert_eq!(a.read(16384).map(|block| block.len()), Ok(160));
    bench.pass(20);
    assert_eq!(a.read(10).map(|block| block.len()), Ok(10));
    assert_eq!(a.read(160), Err(Errno::AGAIN), "a short read discards the rest");
}

#[test]
fn a_write_is_cut_and_refused_when_all_buffers_are_full() {
    let bench = Bench::new();
    let (mut a, _b) = bench.pair(8, policy::IMMEDIATE);
    assert_eq!(a.write(&[0; 400]), Ok(160));
    for _ in 1..8 {
        assert_eq!(a.write(&[0; 160]), Ok(160));
    }
    assert_eq!(a.write(&[0; 160]), Err(Errno::AGAIN), "exactly numbufs blocks");
    assert!(!a.0.ready().unwrap().contains(Ready::OUT));
    bench.pass(20);
    assert!(a.0.ready().unwrap().contains(Ready::OUT));
    assert_eq!(a.write(&[0; 160]), Ok(160));
    assert_eq!(a.write(&[0; 160]), Err(Errno::AGAIN));
    assert_eq!(a.write(&[]), Err(Errno::INVAL));
}

#[test]
fn the_policy_says_when_the_far_side_hears() {
    for (policy, blocks) in [(policy::IMMEDIATE, 1), (policy::WHEN_FULL, 8), (policy::HALF_FULL, 4)] {
        let bench = Bench::new();
        let (mut a, mut b) = bench.pair(8, policy);
        let mut heard = None;
        for count in 1..=8 {
            a.write(&[7; 160]).unwrap();
            bench.pass(2);
            b.call(request::FLUSH, flush::READ).unwrap();
            bench.pass(20);
            if heard.is_none() && b.read(160).unwrap().contains(&7) {
                heard = Some(count);
            }
        }
        assert_eq!(heard, Some(blocks), "policy {policy}");
    }
}

#[test]
fn an_overrun_keeps_the_oldest_blocks() {
    let bench = Bench::new();
    let (mut a, mut b) = bench.pair(8, policy::IMMEDIATE);
    for mark in 0..8 {
        a.write(&[mark; 160]).unwrap();
    }
    b.buffers(4, 160, policy::IMMEDIATE).unwrap();
    bench.pass(200);
    let marks: Vec<u8> = (0..4).map(|_| b.read(160).unwrap()[80]).collect();
    assert_eq!(marks, [0, 1, 2, 3]);
    assert_eq!(b.read(160), Err(Errno::AGAIN));
}

#[test]
fn idle_fill_is_ones_and_silence_in_audio_mode() {
    let bench = Bench::new();
    let (mut a, mut b) = bench.pair(8, policy::IMMEDIATE);
    bench.pass(20);
    assert_eq!(b.read(160), Ok(vec![0xff; 160]));
    a.set(request::AUDIOMODE, 1).unwrap();
    bench.pass(40);
    b.read(160).unwrap();
    assert_eq!(b.read(160), Ok(vec![0xd5; 160]));
    drop(a);
    bench.pass(40);
    b.read(160).unwrap();
    assert_eq!(b.read(160), Ok(vec![0xff; 160]), "a closed channel is clear");
}

#[test]
fn audio_crosses_octet_for_octet_one_millisecond_late() {
    let bench = Bench::new();
    let (mut a, mut b) = bench.pair(8, policy::IMMEDIATE);
    let spoken: Vec<u8> = (0..160).map(|n| n as u8).collect();
    a.write(&spoken).unwrap();
    bench.pass(40);
    let mut heard = b.read(160).unwrap();
    heard.extend(b.read(160).unwrap());
    assert_eq!(&heard[8..168], spoken);
    assert!(heard[..8].iter().chain(&heard[168..]).all(|octet| *octet == 0xff));
}

#[test]
fn events_come_before_data_and_stop_reads_and_writes() {
    let bench = Bench::new();
    let (mut a, _b) = bench.pair(8, policy::IMMEDIATE);
    bench.pass(20);
    bench.simulator.with(|sim| sim.set_alarm(FIRST(), Alarm::Red));
    let all = Ready::IN.with(Ready::OUT).with(Ready::PRI);
    assert_eq!(a.0.ready(), Ok(all), "POLLPRI next to POLLIN and POLLOUT");
    assert_eq!(a.read(160), Err(Errno::LAST));
    assert_eq!(a.write(&[0; 160]), Err(Errno::LAST));
    assert_eq!(a.event(), event::ALARM);
    assert_eq!(a.event(), event::NONE, "GETEVENT never blocks");
    assert_eq!(a.read(160).map(|block| block.len()), Ok(160), "the data was kept");
    bench.pass(100);
    assert_eq!(a.read(160), Err(Errno::AGAIN), "no receive data in red alarm");
    assert_eq!(a.write(&[0; 160]), Ok(160), "writes are still taken");
    bench.simulator.with(|sim| sim.set_alarm(FIRST(), Alarm::Ok));
    assert_eq!(a.event(), event::NOALARM);
}

#[test]
fn sixty_three_events_are_kept() {
    let bench = Bench::new();
    let mut a = bench.channel(1);
    for turn in 0..70 {
        let alarm = if turn % 2 == 0 { Alarm::Red } else { Alarm::Ok };
        bench.simulator.with(|sim| sim.set_alarm(FIRST(), alarm));
    }
    assert_eq!((0..100).take_while(|_| a.event() != event::NONE).count(), 63);
}

#[test]
fn buffer_events_tell_each_transition_once() {
    let bench = Bench::new();
    let (mut a, _b) = bench.pair(2, policy::IMMEDIATE);
    bench.pass(200);
    assert_eq!(a.event(), event::NONE, "not asked for");
    a.call(request::FLUSH, flush::ALL).unwrap();
    a.set(request::BUFFER_EVENTS, 1).unwrap();
    bench.pass(200);
    assert_eq!((a.event(), a.event()), (event::READ_OVERRUN, event::NONE));
    a.write(&[0; 160]).unwrap();
    bench.pass(200);
    assert_eq!((a.event(), a.event()), (event::WRITE_UNDERRUN, event::NONE));
}

#[test]
fn iomux_tells_what_is_so() {
    let bench = Bench::new();
    let (mut a, _b) = bench.pair(2, policy::WHEN_FULL);
    assert_eq!(a.set(request::IOMUX, 0), Err(Errno::INVAL));
    assert_eq!(a.set(request::IOMUX, iomux::READ), Err(Errno::AGAIN), "would wait");
    assert_eq!(a.iomux(iomux::READ), Ok(0), "does not wait");
    assert_eq!(a.iomux(iomux::WRITE | iomux::SIGEVENT), Ok(iomux::WRITE));
    a.write(&[0; 160]).unwrap();
    bench.pass(100);
    assert_eq!(a.iomux(iomux::READ), Ok(iomux::READ));
    assert_eq!(a.iomux(iomux::WRITEEMPTY), Ok(0), "the policy held it until it was asked");
    bench.pass(20);
    assert_eq!(a.iomux(iomux::WRITEEMPTY), Ok(iomux::WRITEEMPTY));
    bench.simulator.with(|sim| sim.set_alarm(FIRST(), Alarm::Red));
    assert_eq!(a.iomux(iomux::SIGEVENT), Ok(iomux::SIGEVENT));
}

#[test]
fn flush_empties_what_it_names() {
    let bench = Bench::new();
    let (mut a, mut b) = bench.pair(4, policy::IMMEDIATE);
    bench.pass(30);
    for _ in 0..4 {
        a.write(&[1; 160]).unwrap();
    }
    a.call(request::FLUSH, flush::BOTH).unwrap();
    assert_eq!(a.read(160), Err(Errno::AGAIN));
    assert_eq!(a.iomux(iomux::WRITEEMPTY), Ok(iomux::WRITEEMPTY));
    bench.pass(20);
    assert_eq!(a.read(160).map(|block| block.len()), Ok(160), "blocks start anew");
    assert!((0..2).all(|_| !b.read(160).unwrap().contains(&1)), "nothing was transmitted");
}

#[test]
fn requests_that_a_clear_channel_refuses() {
    let bench = Bench::new();
    let mut a = bench.channel(1);
    let rows = [
        (request::HOOK, 1, Errno::INVAL),
        (request::SETTXBITS, 5, Errno::INVAL),
        (request::SETLINEAR, 1, Errno::INVAL),
        (request::CONFMUTE, 1, Errno::INVAL),
        (request::TONEDETECT, 1, Errno::NOTTY),
        (request::SETPOLARITY, 1, Errno::NOTTY),
        (request::SETLAW, 3, Errno::INVAL),
        (request::SETTONEZONE, 0, Errno(61)), // ENODATA: no zone is loaded
        (request::ECHOTRAIN, 100, Errno::INVAL),
        (request::STARTUP, 1, Errno::NOTTY),
    ];
    for (request, value, error) in rows {
        assert_eq!(a.set(request, value), Err(error), "{:?}", request::name(request.number()));
    }
    assert_eq!(a.call(request::SETGAINS, Gains::default()).err(), Some(Errno::INVAL));
    let mut d = bench.channel(16);
    assert_eq!(d.set(request::AUDIOMODE, 1), Err(Errno::INVAL), "a D-channel has no audio");
}

fn audio(dev: &mut Dev) -> &mut Dev {
    dev.set(request::AUDIOMODE, 1).unwrap();
    dev
}

#[test]
fn linear_mode_moves_sixteen_bit_samples() {
    let bench = Bench::new();
    let (mut a, mut b) = bench.pair(8, policy::IMMEDIATE);
    audio(&mut a).set(request::SETLINEAR, 1).unwrap();
    audio(&mut b);
    let samples: Vec<u8> = (0..160).flat_map(|_| 8031_i16.to_ne_bytes()).collect();
    assert_eq!(a.write(&samples), Ok(320));
    bench.pass(40);
    let octet = b.read(160).unwrap()[80];
    b.set(request::SETLINEAR, 1).unwrap();
    let block = b.read(16384).unwrap();
    assert_eq!(block.len(), 320);
    let heard = i16::from_ne_bytes([block[0], block[1]]);
    assert!((heard - 8031).abs() <= 256, "{heard} within half a step of A-law, octet {octet:#x}");
    audio(&mut a).set(request::SETLAW, law::MULAW).unwrap();
    assert_eq!(a.call(request::GET_PARAMS, Default::default()).unwrap().curlaw, law::MULAW);
}

#[test]
fn gains_are_applied_in_audio_mode() {
    let bench = Bench::new();
    let (mut a, mut b) = bench.pair(8, policy::IMMEDIATE);
    let turn = |by: u8| std::array::from_fn(|octet| (octet as u8).wrapping_add(by));
    audio(&mut a).call(request::SETGAINS, Gains { chan: 0, rxgain: turn(0), txgain: turn(1) }).unwrap();
    audio(&mut b).call(request::SETGAINS, Gains { chan: 0, rxgain: turn(2), txgain: turn(0) }).unwrap();
    assert_eq!(a.call(request::GETGAINS, Gains::default()).unwrap().txgain[5], 6);
    a.write(&[10; 160]).unwrap();
    bench.pass(20);
    assert_eq!(b.read(160).unwrap()[100], 13);
    a.set(request::AUDIOMODE, 0).unwrap();
    audio(&mut a);
    assert_eq!(a.call(request::GETGAINS, Gains::default()).unwrap().txgain[5], 5, "gone with the audio mode");
}

#[test]
fn get_params_tells_the_channel() {
    let bench = Bench::new();
    let params = bench.channel(33).call(request::GET_PARAMS, Default::default()).unwrap();
    assert_eq!((params.channo, params.spanno, params.chanpos), (33, 2, 2));
    assert_eq!((params.sigtype, params.curlaw), (sig::CLEAR, law::ALAW));
    assert_eq!(params.name, field("SIM/0/2/2"));
    let mut asked = dahdi_abi::Params { channo: 47, ..Default::default() };
    asked = bench.ctl().call(request::GET_PARAMS_V1, asked).unwrap();
    assert_eq!((asked.sigtype, asked.spanno), (sig::HDLCFCS, 2));
}
