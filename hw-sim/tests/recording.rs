//! Recordings: what passed over channels, and played back into a driver.
#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

mod common;

use common::Bench;
use dahdi_abi::{policy, request};
use demarc_model::{ChannelNo, Time};
use hw_sim::record::{self, Content, Reader, Record, Way};
use std::sync::{Arc, Mutex};

fn channel(number: u16) -> ChannelNo {
    ChannelNo::new(number).unwrap()
}

fn listen(bench: &Bench, channels: &[u16]) -> Arc<Mutex<Vec<Record>>> {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&heard);
    let channels: Vec<ChannelNo> = channels.iter().map(|n| channel(*n)).collect();
    bench.simulator.with(|sim| {
        sim.listen(
            &channels,
            Box::new(move |record| {
                sink.lock().unwrap().push(record.clone());
                true
            }),
        );
    });
    heard
}

fn sound(records: &[Record], number: u16, wanted: Way) -> Vec<u8> {
    let of_channel = records.iter().filter(|r| r.channel == channel(number) && r.way == wanted);
    of_channel
        .flat_map(|r| if let Content::Audio(octets) = &r.content { octets.clone() } else { vec![] })
        .collect()
}

#[test]
fn what_a_driver_heard_it_hears_again() {
    let bench = Bench::new();
    let records = listen(&bench, &[32, 47]);
    let (mut a, mut b) = bench.pair(8, policy::IMMEDIATE);
    let (mut d, mut e) = (bench.channel(16), bench.channel(47));
    let mut heard = Vec::new();
    for turn in 0..50_u8 {
        a.write(&[turn; 160]).unwrap();
        b.write(&[0x80 | turn; 160]).unwrap();
        d.write(&[2, 1, turn, 0, 0]).unwrap();
        bench.pass(20);
        heard.extend(b.read(160).unwrap());
        assert_eq!(e.read(64).unwrap()[..3], [2, 1, turn]);
    }
    let records = std::mem::take(&mut *records.lock().unwrap());
    assert_eq!(sound(&records, 32, Way::Received), heard);
    assert_eq!(sound(&records, 32, Way::Sent)[..160], [0x80; 160]);
    assert!(sound(&records, 1, Way::Received).is_empty(), "channel 1 was not chosen");

    // Through the file, into another simulator where nobody is at the far end, and into another channel.
    let mut file = Vec::new();
    record::write_header(&mut file).unwrap();
    records.iter().for_each(|r| record::write_record(&mut file, r, Time::ZERO).unwrap());
    let mut reader = Reader::new(file.as_slice()).unwrap();
    let read: Vec<Record> = std::iter::from_fn(|| reader.next_record().unwrap()).collect();
    assert_eq!(read, records);

    let bench = Bench::new();
    bench.pass(7);
    let mut again = bench.channel(3);
    again.buffers(8, 160, policy::IMMEDIATE).unwrap();
    let mut frames = bench.channel(47);
    let to = |recorded: ChannelNo| if recorded == channel(32) { Some(channel(3)) } else { Some(recorded) };
    let lasts = bench.simulator.with(|sim| sim.replay(read, to)).unwrap();
    assert_eq!(lasts.as_millis(), 1000);
    let mut replayed = Vec::new();
    for turn in 0..50 {
        bench.pass(20);
        replayed.extend(again.read(160).unwrap());
        assert_eq!(frames.read(64).unwrap()[..3], [2, 1, turn], "with its checksum made anew");
    }
    assert_eq!(replayed, heard);
    bench.pass(20);
    assert_eq!(again.read(160).unwrap(), [0xff; 160], "then the cable again");
}

#[test]
fn a_replay_needs_its_channels() {
    let bench = Bench::new();
    let one =
        Record { at: Time::ZERO, channel: channel(1), way: Way::Received, content: Content::Audio(vec![1]) };
    let refused = bench.simulator.with(|sim| sim.replay([one], |_| ChannelNo::new(900)));
    assert_eq!(refused, Err(dahdi_abi::Errno::NXIO));
}

#[test]
fn a_listener_that_has_enough_is_not_called_again() {
    let bench = Bench::new();
    let calls = Arc::new(Mutex::new(0));
    let count = Arc::clone(&calls);
    bench.simulator.with(|sim| {
        sim.listen(
            &[channel(1)],
            Box::new(move |_| {
                *count.lock().unwrap() += 1;
                false
            }),
        );
    });
    let _open = bench.channel(1);
    bench.pass(100);
    assert_eq!(*calls.lock().unwrap(), 1);
}

/// Two cabled CAS spans.
const CAS: &str =
    "[[span]]\nsignalling = \"cas\"\n[[span]]\nsignalling = \"cas\"\n[[cable]]\nfrom = 1\nto = 2\n";

#[test]
fn signalling_bits_are_recorded_and_replayed() {
    let description = hw_sim::Description::from_toml(CAS).unwrap();
    let bench = Bench::of(&description);
    let records = listen(&bench, &[32]);
    let (mut a, mut b) = (bench.channel(1), bench.channel(32));
    let mut heard = Vec::new();
    for bits in [0b0101, 0b1101, 0b0001] {
        a.set(request::SETTXBITS, bits).unwrap();
        bench.pass(100);
        assert_eq!(b.event(), dahdi_abi::event::BITSCHANGED);
        heard.push(b.get(request::GETRXBITS).unwrap());
    }
    assert_eq!(heard, [0b0101, 0b1101, 0b0001]);
    let records = std::mem::take(&mut *records.lock().unwrap());
    let told: Vec<u8> = records
        .iter()
        .filter(|record| record.way == Way::Received)
        .filter_map(|record| if let Content::Bits(bits) = record.content { Some(bits) } else { None })
        .collect();
    assert_eq!(told[1..], [0b0101, 0b1101, 0b0001], "after what they were at first");

    let bench = Bench::of(&description);
    let mut again = bench.channel(5);
    bench.simulator.with(|sim| sim.replay(records, |_| Some(channel(5)))).unwrap();
    let mut replayed = Vec::new();
    for _ in 0..300 {
        bench.pass(1);
        if again.event() == dahdi_abi::event::BITSCHANGED {
            replayed.push(again.get(request::GETRXBITS).unwrap());
        }
    }
    assert!(replayed.ends_with(&heard[..2]) || replayed.ends_with(&heard), "{replayed:?}");
}
