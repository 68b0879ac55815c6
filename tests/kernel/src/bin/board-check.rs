//! Demarc's board driver on the genuine kernel's spans 1 and 2, which a cable joins: discovery, frames, sound, refusals,
//! and the alarm of a peer that vanishes and returns.

use dahdi_abi::{Devices, DynamicSpan, NodePath, SpanInfo as RawSpan, call, field, request};
use demarc_board::{
    BLOCK, BearerChannel, BoardError, Control, DChannel, DInput, Event, KernelDevices, Received, Sent,
    Signalling, SpanInfo, discover,
};
use demarc_kernel_tests::Tap;
use demarc_model::{Alarm, ChannelNo, SpanNo};
use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let mut tap = Tap::default();
    tap.part("the driver and its spans are discovered", discovery);
    tap.part("D-channel: 200 frames in both directions", frames);
    tap.part("a bearer channel carries sound octet for octet", sound);
    tap.part("a channel that is open elsewhere is refused", busy);
    tap.part("channels of the wrong kind are refused", wrong_kind);
    tap.part("the peer vanishes: alarm; it returns: none", alarm);
    tap.end()
}

fn devices() -> KernelDevices {
    KernelDevices::default()
}

fn spans() -> Vec<SpanInfo> {
    discover(&devices()).expect("spans are discovered")
}

/// Both ends: the first and the second span.
fn ends() -> [SpanInfo; 2] {
    let [near, far, ..] = <[SpanInfo; 2]>::try_from(spans()).expect("two spans");
    [near, far]
}

fn discovery() -> String {
    let spans = spans();
    assert_eq!(spans.len(), 2, "{spans:#?}");
    for span in &spans {
        assert_eq!(span.channels.len(), 31, "{span:#?}");
        assert_eq!(span.alarm, Alarm::Ok, "{span:#?}");
        assert!(span.d_channel().is_some(), "{span:#?}");
    }
    let clear = spans[0].bearers().count();
    format!("{} spans of 31 channels, {clear} of them for calls", spans.len())
}

fn frames() -> String {
    let d_channel = |span: &SpanInfo| {
        let last = span.channels.iter().rfind(|info| info.signalling.is_d_channel());
        DChannel::open(&devices(), last.expect("a D-channel").channel).expect("it opens")
    };
    let [near, far] = &ends();
    let mut ends = [d_channel(near), d_channel(far)];
    // The first frame can be lost while HDLC finds its flags.
    for end in &mut ends {
        end.send(&[0; 4]).expect("it is sent");
    }
    pause(300);
    for end in &mut ends {
        while end.receive().expect("it receives").is_some() {}
    }
    let mut octets = 0;
    for number in 0..100_usize {
        for (from, to) in [(0, 1), (1, 0)] {
            let frame = pattern(number * 2 + from, 1 + number * 13 % 260);
            octets += frame.len();
            assert_eq!(ends[from].send(&frame).expect("it is sent"), Sent::Taken);
            assert_eq!(next_frame(&mut ends[to]), frame, "frame {number}");
        }
    }
    format!("200 frames, {octets} octets")
}

fn next_frame(end: &mut DChannel) -> Vec<u8> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        match end.receive().expect("it receives") {
            Some(DInput::Frame(frame)) => return frame,
            Some(DInput::Event(event)) => panic!("{event:?} instead of a frame"),
            None => pause(4),
        }
    }
    panic!("no frame within {PATIENCE:?}");
}

fn sound() -> String {
    const SECONDS: usize = 5;
    let [near, far] = &ends();
    let bearer = |span: &SpanInfo, place| {
        let info = span.channel_at(place).expect("the place is there");
        BearerChannel::open(&devices(), info.channel).expect("it opens")
    };
    let mut ends = [bearer(near, 1), bearer(far, 1)];
    let spoken = [pattern(1, SECONDS * 8000), pattern(2, SECONDS * 8000)];
    let (mut sent, mut heard) = ([0; 2], [Vec::new(), Vec::new()]);
    let began = Instant::now();
    while heard.iter().any(|all| all.len() < SECONDS * 8000 + 12_000) {
        assert!(began.elapsed() < PATIENCE + Duration::from_secs(SECONDS as u64), "the sound does not end");
        for side in 0..2 {
            let mut block = [0; BLOCK];
            while let Received::Block(size) = ends[side].read(&mut block).expect("it reads") {
                heard[side].extend_from_slice(&block[..size]);
                if let Some(next) = spoken[side].get(sent[side]..sent[side] + BLOCK) {
                    let ahead = sent[side] == 0;
                    sent[side] +=
                        usize::from(ends[side].write(next).expect("it writes") == Sent::Taken) * BLOCK;
                    // Four blocks stay queued, as the driver moves in bursts.
                    for _ in 0..if ahead { 3 } else { 0 } {
                        let next = &spoken[side][sent[side]..sent[side] + BLOCK];
                        assert_eq!(ends[side].write(next).expect("it writes"), Sent::Taken);
                        sent[side] += BLOCK;
                    }
                }
            }
        }
        pause(5);
    }
    for (side, other) in [(0, 1), (1, 0)] {
        let first = &spoken[other][..64];
        let start = heard[side].windows(64).position(|window| window == first).expect("it begins");
        let rest = &heard[side][start..];
        let same = rest.iter().zip(&spoken[other]).take_while(|(a, b)| a == b).count();
        assert_eq!(same, spoken[other].len(), "octets in order at end {side}");
    }
    let lost: u64 = ends.iter().map(|end| end.counters().read_overruns).sum();
    assert_eq!(lost, 0, "nothing was dropped");
    format!("{SECONDS} s in both directions, {} octets", 2 * SECONDS * 8000)
}

fn busy() -> String {
    let channel = ends()[0].channel_at(1).expect("place 1").channel;
    let _first = BearerChannel::open(&devices(), channel).expect("it opens");
    let second = BearerChannel::open(&devices(), channel).expect_err("it is open");
    assert!(matches!(second, BoardError::Busy { .. }), "{second:?}");
    let none = ChannelNo::new(1000).expect("a number");
    let unknown = BearerChannel::open(&devices(), none).expect_err("there is none");
    assert!(matches!(unknown, BoardError::Unknown { .. }), "{unknown:?}");
    format!("{second}")
}

fn wrong_kind() -> String {
    let [near, _] = &ends();
    let d = near.d_channel().expect("a D-channel");
    let as_bearer = BearerChannel::open(&devices(), d).expect_err("it carries frames");
    assert!(matches!(as_bearer, BoardError::WrongSignalling { .. }), "{as_bearer:?}");
    let clear = near.channels.iter().find(|info| info.signalling == Signalling::Clear).expect("one");
    let as_d = DChannel::open(&devices(), clear.channel).expect_err("it carries octets");
    assert!(matches!(as_d, BoardError::WrongSignalling { .. }), "{as_d:?}");
    format!("{as_d}")
}

/// The span at the other end of the cable is destroyed and made again.
fn alarm() -> String {
    let [near, _] = &ends();
    let (span, d) = (near.span, near.d_channel().expect("a D-channel"));
    let mut channel = DChannel::open(&devices(), d).expect("it opens");
    while channel.receive().expect("it receives").is_some() {}
    let mut ctl = devices().open(&NodePath::Ctl).expect("ctl opens");
    let mut peer =
        DynamicSpan { driver: field("loc"), addr: field("1:1"), numchans: 31, ..DynamicSpan::default() };
    let began = Instant::now();
    call(&mut *ctl, request::DYNAMIC_DESTROY, &mut peer).expect("the peer is destroyed");
    wait_for(&mut channel, Event::Alarm);
    let lost = began.elapsed();
    assert_eq!(status(span), Alarm::Red);
    let began = Instant::now();
    call(&mut *ctl, request::DYNAMIC_CREATE, &mut peer).expect("the peer is made again");
    wait_for(&mut channel, Event::NoAlarm);
    let back = began.elapsed();
    assert_eq!(status(span), Alarm::Ok);
    let mut raw = RawSpan { spanno: peer.spanno, ..RawSpan::default() };
    call(&mut *ctl, request::SPANSTAT, &mut raw).expect("the new span is there");
    format!("alarm after {:.1} s, none {:.1} s after the return", lost.as_secs_f32(), back.as_secs_f32())
}

fn status(span: SpanNo) -> Alarm {
    let mut control = Control::open(&devices()).expect("ctl opens");
    control.span(span).expect("the span is there").alarm
}

fn wait_for(channel: &mut DChannel, wanted: Event) {
    let began = Instant::now();
    loop {
        match channel.receive().expect("it receives") {
            Some(DInput::Event(event)) if event == wanted => return,
            Some(_) => {}
            None => pause(10),
        }
        assert!(began.elapsed() < PATIENCE, "no {wanted:?} within {PATIENCE:?}");
    }
}

/// Between two looks at channels that are asked without blocking: what they are waited for ends the wait, never this. Only
/// the 300 ms of [`frames`] are a time by themselves: a frame that may be lost cannot be waited for.
fn pause(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

/// Octets without a short period.
fn pattern(seed: usize, count: usize) -> Vec<u8> {
    let mut state = (seed as u32).wrapping_mul(2_654_435_761).wrapping_add(12345);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..count).map(|_| next()).collect()
}
