//! Configuration, spans, timers and pseudo channels.
#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

mod common;

use common::{Bench, Dev};
use dahdi_abi::{
    ChanConfig, ConfInfo, DialParams, Errno, LineConfig, MaintInfo, NodePath, Params, Ready, SpanInfo,
    SpanInfoV1, ToneDefHeader, alarm, config, event, field, law, maint, policy, request, sig, text,
};
use demarc_model::{Alarm, SpanNo};
use hw_sim::{Description, description::Signalling};

fn status(bench: &Bench, span: i32) -> SpanInfo {
    bench.ctl().call(request::SPANSTAT, SpanInfo { spanno: span, ..SpanInfo::default() }).unwrap()
}

fn alarms(bench: &Bench, span: i32) -> i32 {
    status(bench, span).alarms
}

#[test]
fn span_status_in_both_sizes() {
    let bench = Bench::new();
    let info = status(&bench, 2);
    assert_eq!((info.spanno, info.numchans, info.totalchans, info.totalspans), (2, 31, 31, 2));
    assert_eq!({ info.lineconfig }, config::CCS | config::HDB3 | config::CRC4);
    assert_eq!((text(&info.name), text(&info.spantype)), ("SIM/0/2", "E1"));
    let old = SpanInfoV1 { spanno: 1, ..SpanInfoV1::default() };
    let old = bench.ctl().call(request::SPANSTAT_V1, old).unwrap();
    assert_eq!((old.totalchans, text(&old.spantype), old.alarms), (31, "E1", alarm::NONE));
    let own = bench.channel(40).call(request::SPANSTAT, SpanInfo::default()).unwrap();
    assert_eq!({ own.spanno }, 2, "a channel names its own span with 0");
    assert_eq!(bench.ctl().call(request::SPANSTAT, SpanInfo::default()).err(), Some(Errno::INVAL));
    let third = SpanInfo { spanno: 3, ..SpanInfo::default() };
    assert_eq!(bench.ctl().call(request::SPANSTAT, third).err(), Some(Errno::INVAL));
}

#[test]
fn what_dahdi_cfg_does() {
    let mut description = Description::default();
    description.spans.iter_mut().for_each(|span| span.configured = false);
    let bench = Bench::of(&description);
    assert_eq!(alarms(&bench, 1), alarm::NOTOPEN);
    assert_eq!(bench.open(NodePath::Number(1)).err(), Some(Errno::NXIO));
    let mut ctl = bench.ctl();
    for span in 1..=2 {
        let lineconfig = config::CCS | config::HDB3 | config::CRC4;
        ctl.call(request::SPANCONFIG, LineConfig { span, lineconfig, ..LineConfig::default() }).unwrap();
    }
    for chan in 1..=62 {
        let sigtype = if chan == 16 || chan == 47 { sig::HDLCFCS } else { sig::CLEAR };
        let name = [0; 40];
        ctl.call(request::CHANCONFIG, ChanConfig { chan, name, sigtype, ..ChanConfig::default() }).unwrap();
    }
    ctl.call(request::LOADZONE, ToneDefHeader { zone: 8, ..ToneDefHeader::default() }).unwrap();
    ctl.set(request::DEFAULTZONE, 8).unwrap();
    ctl.set(request::STARTUP, 1).unwrap();
    assert_eq!(alarms(&bench, 1), alarm::RED, "the far end is not there yet");
    ctl.set(request::STARTUP, 2).unwrap();
    assert_eq!((alarms(&bench, 1), alarms(&bench, 2)), (alarm::NONE, alarm::NONE));
    assert_eq!({ status(&bench, 1).numchans }, 31);
    assert!(bench.channel(1).set(request::SETTONEZONE, -1).is_ok());
    ctl.set(request::FREEZONE, 8).unwrap();
    assert!(ctl.set(request::FREEZONE, 8).is_ok(), "a zone that is not loaded is no error");
    assert_eq!(ctl.set(request::DEFAULTZONE, 8), Err(Errno::INVAL));
    assert_eq!(ctl.set(request::STARTUP, 3), Err(Errno::NXIO));
    let esf = LineConfig { span: 1, lineconfig: config::ESF | config::B8ZS, ..LineConfig::default() };
    assert_eq!(ctl.call(request::SPANCONFIG, esf).err(), Some(Errno::INVAL), "a T1 line");
    let fxs = ChanConfig { chan: 1, sigtype: sig::FXSKS, ..ChanConfig::default() };
    assert_eq!(ctl.call(request::CHANCONFIG, fxs).err(), Some(Errno::INVAL), "an analog line");
}

#[test]
fn a_span_that_stops_gives_the_far_end_an_alarm_after_a_second() {
    let bench = Bench::new();
    let mut a = bench.channel(1);
    bench.ctl().set(request::SHUTDOWN, 2).unwrap();
    assert_eq!(bench.open(NodePath::Number(33)).err(), Some(Errno::NXIO), "its channels are forgotten");
    bench.pass(999);
    assert_eq!((alarms(&bench, 1), a.event()), (alarm::NONE, event::NONE));
    bench.pass(1);
    assert_eq!((alarms(&bench, 1), a.event()), (alarm::RED, event::ALARM));
    bench.ctl().set(request::STARTUP, 2).unwrap();
    assert_eq!((alarms(&bench, 1), a.event()), (alarm::NONE, event::NOALARM));
}

#[test]
fn a_span_without_a_cable_is_red() {
    let bench = Bench::of(&Description { cables: Vec::new(), ..Description::default() });
    assert_eq!(alarms(&bench, 1), alarm::RED);
    let params = bench.channel(1).call(request::GET_PARAMS, Params::default()).unwrap();
    assert_eq!(params.chan_alarms, alarm::RED as u32);
}

#[test]
fn every_alarm_has_its_bit() {
    let bench = Bench::new();
    let rows = [
        (Alarm::Red, alarm::RED),
        (Alarm::Yellow, alarm::YELLOW),
        (Alarm::Blue, alarm::BLUE),
        (Alarm::Recovering, alarm::RECOVER),
        (Alarm::Loop, alarm::LOOPBACK),
        (Alarm::Ok, alarm::NONE),
    ];
    for (alarm, bit) in rows {
        bench.simulator.with(|sim| sim.set_alarm(SpanNo::new(2).unwrap(), alarm));
        assert_eq!((alarms(&bench, 2), alarms(&bench, 1)), (bit, 0), "{alarm}");
    }
}

#[test]
fn loopbacks_return_what_is_sent() {
    for (span, command, who) in [(1, maint::LOCALLOOP, "itself"), (2, maint::NETWORKLINELOOP, "the far end")]
    {
        let bench = Bench::new();
        let (mut a, _b) = bench.pair(4, policy::IMMEDIATE);
        bench.ctl().call(request::MAINT, MaintInfo { spanno: span, command }).unwrap();
        assert_eq!(alarms(&bench, span), alarm::LOOPBACK);
        a.event();
        a.write(&[9; 160]).unwrap();
        bench.pass(20);
        assert_eq!(a.read(160).unwrap()[80], 9, "looped by {who}");
        bench.ctl().call(request::MAINT, MaintInfo { spanno: span, command: maint::NONE }).unwrap();
        assert_eq!(alarms(&bench, span), alarm::NONE);
    }
    let bad = MaintInfo { spanno: 1, command: 99 };
    assert_eq!(Bench::new().ctl().call(request::MAINT, bad).err(), Some(Errno::NOSYS));
}

#[test]
fn signalling_bits_take_the_way_of_the_loop() {
    for (span, command) in [(1, maint::LOCALLOOP), (2, maint::NETWORKLINELOOP)] {
        let mut description = Description::default();
        description.spans.iter_mut().for_each(|span| span.signalling = Signalling::Cas);
        let bench = Bench::of(&description);
        let (mut near, mut far) = (bench.channel(1), bench.channel(32));
        far.set(request::SETTXBITS, 0b0110).unwrap();
        bench.ctl().call(request::MAINT, MaintInfo { spanno: span, command }).unwrap();
        near.set(request::SETTXBITS, 0b0101).unwrap();
        bench.pass(20);
        assert_eq!(near.get(request::GETRXBITS), Ok(0b0101), "its own come back: {command}");
        bench.ctl().call(request::MAINT, MaintInfo { spanno: span, command: maint::NONE }).unwrap();
        bench.pass(20);
        assert_eq!(near.get(request::GETRXBITS), Ok(0b0110), "the far end's again");
    }
}

#[test]
fn dial_lengths_are_samples_until_they_are_set() {
    let bench = Bench::new();
    let mut ctl = bench.ctl();
    let before = ctl.call(request::GET_DIALPARAMS, DialParams::default()).unwrap();
    assert_eq!((before.dtmf_tonelen, before.mfv1_tonelen, before.mfr2_tonelen), (800, 544, 800));
    let wanted = DialParams { dtmf_tonelen: 70, mfv1_tonelen: 5, ..DialParams::default() };
    ctl.call(request::SET_DIALPARAMS, wanted).unwrap();
    let after = ctl.call(request::GET_DIALPARAMS, DialParams::default()).unwrap();
    assert_eq!((after.dtmf_tonelen, after.mfv1_tonelen), (70, 544), "5 ms is too short to be taken");
}

#[test]
fn conferences_are_numbered() {
    let bench = Bench::new();
    let mut a = bench.channel(1);
    let wanted = ConfInfo { chan: 0, confno: -1, confmode: 0x304 };
    assert_eq!(a.call(request::SETCONF, wanted).err(), Some(Errno::INVAL), "only in audio mode");
    a.set(request::AUDIOMODE, 1).unwrap();
    let set = a.call(request::SETCONF, wanted).unwrap();
    assert_eq!(set.confno, 1);
    let asked = ConfInfo { chan: 1, ..ConfInfo::default() };
    let got = bench.ctl().call(request::GETCONF_V1, asked).unwrap();
    assert_eq!(got, ConfInfo { chan: 1, confno: 1, confmode: 0x304 });
}

#[test]
fn the_version_is_told() {
    let version =
        Bench::new().ctl().call(request::GETVERSION, dahdi_abi::VersionInfo { ..Default::default() });
    assert!(text(&version.unwrap().version).starts_with("hw-sim "));
    assert_eq!(Bench::new().ctl().get(request::CHANNO), Err(Errno::NOTTY));
}

fn timer(bench: &Bench) -> Dev {
    bench.open(NodePath::Timer).unwrap()
}

#[test]
fn fifty_timer_periods_of_160_samples_are_one_second() {
    let bench = Bench::new();
    let mut timer = timer(&bench);
    timer.set(request::TIMERCONFIG, 160).unwrap();
    let mut expired = 0;
    for _ in 0..1000 {
        bench.pass(1);
        if timer.0.ready() == Ok(Ready::PRI) {
            assert_eq!(timer.event(), event::TIMER_EXPIRED);
            timer.set(request::TIMERACK, 1).unwrap();
            expired += 1;
            assert_eq!(bench.ms(), expired * 20);
        }
    }
    assert_eq!(expired, 50);
}

#[test]
fn expiries_add_up_until_they_are_acknowledged() {
    let bench = Bench::new();
    let mut timer = timer(&bench);
    timer.set(request::TIMERCONFIG, 8).unwrap();
    bench.pass(10);
    timer.set(request::TIMERACK, 9).unwrap();
    assert_eq!(timer.0.ready(), Ok(Ready::PRI), "one of ten is left");
    timer.set(request::TIMERACK, -1).unwrap();
    assert_eq!((timer.0.ready(), timer.event()), (Ok(Ready::default()), event::NONE));
    timer.call(request::TIMERPING, ()).unwrap();
    assert_eq!((timer.0.ready(), timer.event()), (Ok(Ready::PRI), event::TIMER_PING));
    timer.call(request::TIMERPONG, ()).unwrap();
    timer.set(request::TIMERCONFIG, 0).unwrap();
    bench.pass(100);
    assert_eq!(timer.0.ready(), Ok(Ready::default()));
    assert_eq!(timer.get(request::CHANNO), Err(Errno::NOTTY));
    assert_eq!(timer.read(10), Err(Errno::NOSYS));
}

#[test]
fn a_pseudo_channel_reads_at_the_pace_of_the_line() {
    let bench = Bench::new();
    let mut first = bench.open(NodePath::Pseudo).unwrap();
    let mut second = bench.open(NodePath::Pseudo).unwrap();
    assert_eq!((first.get(request::CHANNO), second.get(request::CHANNO)), (Ok(32768), Ok(32769)));
    first.set(request::SET_BLOCKSIZE, 8000).unwrap();
    bench.pass(999);
    assert_eq!(first.read(8192), Err(Errno::AGAIN));
    bench.pass(1);
    assert_eq!(first.read(8192).map(|block| block.len()), Ok(8000));
    let params = first.call(request::GET_PARAMS, Params::default()).unwrap();
    assert_eq!((params.spanno, params.name), (0, field("Pseudo/1")));
    assert_eq!(params.curlaw, law::MULAW);
    assert_eq!(first.set(request::AUDIOMODE, 1), Err(Errno::NOTTY));
    assert!(first.set(request::SETLINEAR, 1).is_ok(), "it is an audio channel");
}
