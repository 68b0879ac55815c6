//! Once calls are up, nothing is allocated: counted for bridges of RTP streams and of channels to RTP, and for a conference.

#![allow(clippy::unwrap_used, unsafe_code)] // helpers of tests; and an allocator is unsafe by its trait

use demarc_dsp::Tone;
use demarc_media::{
    BLOCK, Channel, ChannelFault, ChannelRead, Codec, CodecTransform, Core, CoreConfig, MAX_STRETCH,
    ProgramBounds, PromptLibrary, Recorder, RtpRemote, Socket, SrtpKey, SrtpKeys, SrtpSocket, SrtpSuite,
    Transform, program,
};
use demarc_model::{AnsweringSpec, ChannelNo, Detect, Digit, LegId, MediaCommand, MediaEvent, MixRole, Time};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    io,
    net::{SocketAddr, UdpSocket},
    sync::Arc,
};

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: everything is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static TICKS: Cell<u64> = const { Cell::new(0) };
}

/// The time goes on by a block.
fn tick(core: &mut Core, now: Time) {
    TICKS.with(|ticks| ticks.set(ticks.get() + 1));
    core.tick(now);
}

/// A board's channel that says silence, a block a tick.
#[derive(Default)]
struct Quiet(u64);

impl Channel for Quiet {
    fn read(&mut self, block: &mut [u8; BLOCK]) -> Result<ChannelRead, ChannelFault> {
        let now = TICKS.with(Cell::get);
        block.fill(0xD5);
        let new = std::mem::replace(&mut self.0, now) != now;
        Ok(if new { ChannelRead::Block(BLOCK) } else { ChannelRead::Nothing })
    }

    fn write(&mut self, _block: &[u8; BLOCK]) -> Result<bool, ChannelFault> {
        Ok(true)
    }

    fn flush(&mut self) -> Result<(), ChannelFault> {
        Ok(())
    }

    fn read_overruns(&self) -> u64 {
        0
    }
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

struct Phone {
    socket: UdpSocket,
    place: usize,
    near: SocketAddr,
}

impl Phone {
    fn attach(core: &mut Core, leg: u64) -> Phone {
        let (socket, ours) = (socket(), socket());
        let near = ours.local_addr().unwrap();
        let remote = RtpRemote::new(socket.local_addr().unwrap(), Codec::Pcma);
        let place = core.attach_watched(Time::ZERO, LegId(leg), Box::new(ours), remote).unwrap();
        Phone { socket, place, near }
    }

    fn say(&self, core: &mut Core, now: Time, at: u64) {
        let mut packet = [0xD5; 12 + BLOCK];
        packet[..2].copy_from_slice(&[0x80, 8]);
        packet[2..4].copy_from_slice(&(at as u16).to_be_bytes());
        packet[4..8].copy_from_slice(&(at as u32 * 160).to_be_bytes());
        packet[8..12].copy_from_slice(&7_u32.to_be_bytes());
        self.socket.send_to(&packet, self.near).unwrap();
        core.readable(now, self.place);
    }

    fn hear(&self) -> usize {
        let mut data = [0; 1500];
        std::iter::from_fn(|| self.socket.recv(&mut data).ok()).count()
    }
}

#[test]
fn a_call_that_is_up_allocates_nothing() {
    let mut core = Core::new(CoreConfig { seed: 7, ..CoreConfig::default() }, Arc::new(PromptLibrary::new()));
    let [a, b, c] = [1, 2, 3].map(|leg| Phone::attach(&mut core, leg));
    let channel = ChannelNo::new(1).unwrap();
    core.add_channel(channel, Box::new(Quiet::default()));
    core.attach_channel(Time::ZERO, LegId(4), channel);
    core.command(MediaCommand::Join { a: LegId(1), b: LegId(2) });
    core.command(MediaCommand::Join { a: LegId(3), b: LegId(4) });
    let what =
        Detect { fax: true, speech: true, quiet_ms: Some(500), answering: Some(AnsweringSpec::default()) };
    for leg in [LegId(3), LegId(4)] {
        core.command(MediaCommand::Detect { leg, what });
    }
    let mut told = 0;
    let mut heard = [0; 3];
    let mut before = 0;
    for at in 0..2050 {
        let now = Time::from_millis(at * 20);
        if at == 50 {
            before = COUNT.with(Cell::get);
            heard = [0; 3];
        }
        for (phone, heard) in [&a, &b, &c].into_iter().zip(&mut heard) {
            phone.say(&mut core, now, at);
            *heard += phone.hear();
        }
        tick(&mut core, now);
        told += std::iter::from_fn(|| core.poll_event()).count();
    }
    heard.iter_mut().zip([&a, &b, &c]).for_each(|(heard, phone)| *heard += phone.hear());
    assert_eq!(COUNT.with(Cell::get) - before, 0, "allocations in 2000 blocks of 2 calls");
    assert_eq!(told, 4, "both legs are quiet, and nobody speaks where somebody answered");
    assert!(heard.iter().all(|heard| (1999..=2002).contains(heard)), "{heard:?}");
    assert_eq!(core.snapshot().totals.legs.lost, 0);
}

#[test]
fn a_conference_of_a_hundred_allocates_nothing() {
    let mut core = Core::new(CoreConfig { seed: 7, ..CoreConfig::default() }, Arc::new(PromptLibrary::new()));
    let phones: Vec<Phone> = (1..=50).map(|leg| Phone::attach(&mut core, leg)).collect();
    for number in 1..=50 {
        let channel = ChannelNo::new(number).unwrap();
        core.add_channel(channel, Box::new(Quiet::default()));
        core.attach_channel(Time::ZERO, LegId(100 + u64::from(number)), channel);
    }
    let roles = [MixRole::Listener, MixRole::Whisper { to: LegId(3) }];
    for leg in (1..=50).chain(101..=150).map(LegId) {
        let role = roles.get(leg.0 as usize % 50).copied().unwrap_or(MixRole::Party);
        core.command(MediaCommand::Confer { leg, conference: 1, role });
    }
    let mut before = 0;
    for at in 0..250 {
        let now = Time::from_millis(at * 20);
        if at == 50 {
            before = COUNT.with(Cell::get);
        }
        phones.iter().for_each(|phone| phone.say(&mut core, now, at));
        tick(&mut core, now);
        assert!(phones.iter().all(|phone| phone.hear() == 1 || at == 0), "everybody hears at {at}");
    }
    assert_eq!(COUNT.with(Cell::get) - before, 0, "allocations in 200 blocks of 100 parties");
    assert_eq!(core.snapshot().totals.refused_commands, 0);
}

/// Programs that keep up and one that never takes what it hears; rings that are empty, full and cleared.
#[test]
fn a_program_at_a_call_allocates_nothing_in_the_engine() {
    let mut core = Core::new(CoreConfig { seed: 7, ..CoreConfig::default() }, Arc::new(PromptLibrary::new()));
    let [a, b] = [1, 2].map(|leg| Phone::attach(&mut core, leg));
    let bounds = ProgramBounds { heard: 50, said: 50 };
    let [mut bot, mut listener, stuck] = [11, 13, 15].map(|leg| {
        let (end, sound) = program(bounds);
        core.attach_program(LegId(leg), end);
        sound
    });
    core.command(MediaCommand::Join { a: LegId(1), b: LegId(11) });
    core.command(MediaCommand::Listen { leg: LegId(1), program: LegId(13) });
    core.command(MediaCommand::Join { a: LegId(2), b: LegId(15) });
    let mut before = 0;
    let mut heard = 0;
    let (mut one, mut both) = ([0; BLOCK], [0; 2 * BLOCK]);
    for at in 0..2050 {
        let now = Time::from_millis(at * 20);
        if at == 50 {
            before = COUNT.with(Cell::get);
        }
        [&a, &b].into_iter().for_each(|phone| phone.say(&mut core, now, at));
        heard += a.hear();
        tick(&mut core, now);
        while bot.take(&mut one) {
            bot.say(&one);
        }
        while listener.take_both(&mut both) {}
        if at % 500 == 499 {
            bot.say(&[0x2A; 40 * BLOCK]);
            bot.clear();
        }
    }
    assert_eq!(COUNT.with(Cell::get) - before, 0, "allocations in 2000 blocks of 2 calls");
    assert!((2040..=2060).contains(&heard), "{heard}");
    assert_eq!((bot.dropped(), listener.dropped()), (0, 0));
    assert_eq!(stuck.dropped(), (2050 - 100) * BLOCK as u64, "its ring holds 50 blocks of two sides");
}

/// Stands where the socket of a telephone would, so that a packet can be encrypted as one.
#[derive(Default)]
struct Wire(Vec<u8>);

impl Socket for Wire {
    fn receive(&mut self, _buffer: &mut [u8]) -> io::Result<Option<(usize, SocketAddr)>> {
        Ok(None)
    }

    fn send(&mut self, data: &[u8], _to: SocketAddr) -> io::Result<()> {
        self.0 = data.to_vec();
        Ok(())
    }
}

/// What one telephone speaks.
struct Speech {
    codec: Codec,
    srtp: Option<(SrtpSuite, SrtpSocket<Wire>)>,
    coded: CodecTransform,
    tone: Tone,
}

impl Speech {
    fn new(codec: Codec, suite: Option<SrtpSuite>) -> Speech {
        let key = SrtpKey::new(&[7; SrtpKey::LENGTH]);
        let srtp = suite.map(|suite| {
            let keys = SrtpKeys { suite, ours: key, theirs: key };
            (suite, SrtpSocket::new(Wire::default(), Some(&keys)))
        });
        let tone = Tone::dtmf(Digit::new('5').unwrap(), -9, -9);
        Speech { codec, srtp, coded: CodecTransform::new(codec).unwrap(), tone }
    }

    fn remote(&self, address: SocketAddr) -> RtpRemote {
        let key = SrtpKey::new(&[7; SrtpKey::LENGTH]);
        let srtp = self.srtp.as_ref().map(|(suite, _)| SrtpKeys { suite: *suite, ours: key, theirs: key });
        RtpRemote { srtp, ..RtpRemote::new(address, self.codec) }
    }

    /// A packet of a second of tone in two, so that there are digits, and that codecs have work.
    fn packet(&mut self, at: u64) -> Vec<u8> {
        let mut block = [0xD5; BLOCK];
        if at % 100 < 50 {
            self.tone.fill_alaw(&mut block);
        }
        let mut payload = [0; MAX_STRETCH];
        let length = self.coded.encode(&block, &mut payload);
        let mut packet = vec![0x80, self.codec.payload_type()];
        packet.extend((at as u16).to_be_bytes());
        packet.extend((at as u32 * self.codec.ticks()).to_be_bytes());
        packet.extend(7_u32.to_be_bytes());
        packet.extend(&payload[..length]);
        let Some((_, srtp)) = &mut self.srtp else { return packet };
        srtp.send(&packet, SocketAddr::from(([127, 0, 0, 1], 9))).unwrap();
        srtp.inner().0.clone()
    }
}

/// Runs a telephone's call with a line and one with a telephone that speaks A-law, one packet in fifty lost and one
/// overtaken; gives what was allocated in 500 blocks, and how many digits were heard.
fn allocated(speech: &mut Speech, recorder: Option<Recorder>) -> (u64, u64) {
    let mut core = Core::new(CoreConfig { seed: 7, ..CoreConfig::default() }, Arc::new(PromptLibrary::new()));
    let records = recorder.is_some();
    recorder.into_iter().for_each(|recorder| core.set_recorder(recorder));
    let ends = [1, 2].map(|leg| {
        let (ours, theirs) = (socket(), socket());
        let (near, far) = (ours.local_addr().unwrap(), theirs.local_addr().unwrap());
        (core.attach_watched(Time::ZERO, LegId(leg), Box::new(ours), speech.remote(far)), near, theirs)
    });
    let plain = Phone::attach(&mut core, 3);
    let channel = ChannelNo::new(1).unwrap();
    core.add_channel(channel, Box::new(Quiet::default()));
    core.attach_channel(Time::ZERO, LegId(4), channel);
    for (a, b) in [(1, 3), (2, 4)].map(|(a, b)| (LegId(a), LegId(b))) {
        core.command(MediaCommand::Join { a, b });
        if records {
            core.command(MediaCommand::Record { leg: a, file: format!("{a}.wav") });
        }
    }
    let (mut count, mut digits, mut late) = (0, 0, None);
    for at in 0..600 {
        let now = Time::from_millis(at * 20);
        let packet = speech.packet(at);
        let sent = match at % 50 {
            20 => [None, None],
            30 => [late.replace(packet), None],
            _ => [Some(packet), late.take()],
        };
        let before = COUNT.with(Cell::get);
        for packet in sent.iter().flatten() {
            for (place, near, phone) in &ends {
                phone.send_to(packet, near).unwrap();
                core.readable(now, place.unwrap());
            }
        }
        plain.say(&mut core, now, at);
        tick(&mut core, now);
        while let Some(event) = core.poll_event() {
            digits += u64::from(matches!(event, MediaEvent::Digit { .. }));
        }
        count += if at < 100 { 0 } else { COUNT.with(Cell::get) - before };
        plain.hear();
    }
    let stats = core.snapshot().totals.legs;
    assert!(stats.packets_in > 1700 && stats.lost > 0 && stats.malformed == 0, "{stats:?}");
    core.close();
    (count, digits)
}

#[test]
fn neither_encryption_nor_codecs_nor_detection_nor_recordings_allocate() {
    let directory = std::env::temp_dir().join(format!("demarc-steady-{}", std::process::id()));
    let suites = [SrtpSuite::AesCm128HmacSha1_80, SrtpSuite::AeadAes128Gcm, SrtpSuite::AeadAes256Gcm];
    let plain = [Codec::Pcma, Codec::Pcmu, Codec::G722, Codec::Opus(111), Codec::L16(96)];
    let rows = plain.map(|codec| (codec, None)).into_iter();
    for (codec, suite) in rows.chain(suites.map(|suite| (Codec::Pcmu, Some(suite)))) {
        for records in [false, true] {
            let recorder = records.then(|| Recorder::start(&directory).unwrap());
            let (count, digits) = allocated(&mut Speech::new(codec, suite), recorder);
            assert_eq!(count, 0, "{codec:?}, {suite:?}, recorded: {records}");
            assert!(digits >= 10, "{digits} digits, {codec:?}, {suite:?}");
        }
    }
    std::fs::remove_dir_all(directory).unwrap();
}
