//! Once calls are up, nothing is allocated: counted for bridges of RTP streams and of channels to RTP, and for a conference.

#![allow(clippy::unwrap_used, unsafe_code)] // helpers of tests; and an allocator is unsafe by its trait

use demarc_media::{
    BLOCK, Channel, ChannelFault, ChannelRead, Codec, Core, CoreConfig, ProgramBounds, PromptLibrary,
    RtpRemote, program,
};
use demarc_model::{ChannelNo, LegId, MediaCommand, MixRole, Time};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    net::UdpSocket,
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

/// A board's channel that says silence, one block each time it is asked twice.
#[derive(Default)]
struct Quiet(bool);

impl Channel for Quiet {
    fn read(&mut self, block: &mut [u8; BLOCK]) -> Result<ChannelRead, ChannelFault> {
        self.0 = !self.0;
        block.fill(0xD5);
        Ok(if self.0 { ChannelRead::Block(BLOCK) } else { ChannelRead::Nothing })
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
    near: std::net::SocketAddr,
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
        core.tick(now);
    }
    heard.iter_mut().zip([&a, &b, &c]).for_each(|(heard, phone)| *heard += phone.hear());
    assert_eq!(COUNT.with(Cell::get) - before, 0, "allocations in 2000 blocks of 2 calls");
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
        core.tick(now);
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
        core.tick(now);
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
