//! Blocking calls, signals, and requests that reach into the caller's memory.

use crate::client::{BLOCK, Served, errno, until_in_call};
use bytemuck::Zeroable;
use dahdi_abi::{Errno, IndirectData, Params, event, iomux, request};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use std::{
    process::{Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

#[test]
fn a_blocking_read_wakes_with_its_block() {
    let served = Served::start();
    let node = served.open("1", 0).expect("a channel");
    let start = Instant::now();
    node.set_buffers(4);
    for _ in 0..10 {
        assert_eq!(node.read(&mut [0; 4096]).expect("a block"), BLOCK, "one call reads one block");
    }
    assert!(start.elapsed() >= Duration::from_millis(150), "ten blocks are 200 ms of line");
}

#[test]
fn a_blocking_write_waits_for_room() {
    let served = Served::start();
    let node = served.channel(1, 4);
    let start = Instant::now();
    assert!(node.fill() >= 4, "four buffers");
    node.set_nonblocking(false);
    for _ in 0..10 {
        assert_eq!(node.write(&[0; BLOCK]).expect("room"), BLOCK);
    }
    assert!(start.elapsed() >= Duration::from_millis(150), "ten blocks are 200 ms of line");
}

#[test]
fn nonblocking_is_remembered_from_the_last_call() {
    let served = Served::start();
    let node = served.open("1", 0).expect("a channel");
    node.set_buffers(4);
    node.set_nonblocking(true);
    node.drain();
    assert_eq!(errno(node.read(&mut [0; BLOCK])), Some(libc::EAGAIN));
    node.set_nonblocking(false);
    assert_eq!(node.read(&mut [0; BLOCK]).expect("a block"), BLOCK);
}

#[test]
fn a_blocked_reader_holds_up_nobody() {
    let served = Served::start();
    // Nothing is sent on the D-channel: the read waits for ever.
    let node = served.open("16", 0).expect("the D-channel");
    node.set_buffers(8);
    let far = served.open("47", 0).expect("the far D-channel");
    let (send, receive) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            send.send(nix::unistd::gettid().as_raw()).expect("the test listens");
            node.read(&mut [0; 256])
        });
        until_in_call(std::process::id(), receive.recv().expect("a thread"), libc::SYS_read);
        // The same descriptor, another node of it, and other files.
        assert_eq!(node.write(b"\x00\x01\x7f\x00\x00").expect("a frame is taken"), 5);
        assert_eq!(node.get(request::CHANNO), 16);
        let ctl = served.open("ctl", 0).expect("ctl");
        let mut params = Params { channo: 3, ..Zeroable::zeroed() };
        ctl.ioctl(request::GET_PARAMS, &mut params).expect("a channel");
        assert_eq!(params.spanno, 1);
        let mut frame = [0; 64];
        assert_eq!(far.read(&mut frame).expect("the frame"), 5);
        assert_eq!(frame[..3], [0, 1, 0x7f], "the frame, then its checksum");
        far.write(b"\x02\x01\x7f\x00\x00").expect("an answer, which ends the read");
    });
}

extern "C" fn nothing(_: libc::c_int) {}

#[test]
fn a_signal_interrupts_a_blocked_read() {
    // No SA_RESTART: read(2) returns EINTR.
    let action = SigAction::new(SigHandler::Handler(nothing), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler does nothing, so it is safe in a signal.
    unsafe { sigaction(Signal::SIGUSR1, &action) }.expect("a handler");
    let served = Served::start();
    let node = served.open("16", 0).expect("the D-channel");
    let (send, receive) = mpsc::channel();
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            send.send((nix::unistd::gettid(), nix::sys::pthread::pthread_self())).expect("the test listens");
            errno(node.read(&mut [0; 256]))
        });
        let (tid, thread) = receive.recv().expect("a thread");
        until_in_call(std::process::id(), tid.as_raw(), libc::SYS_read);
        nix::sys::pthread::pthread_kill(thread, Signal::SIGUSR1).expect("it runs");
        assert_eq!(reader.join().expect("no panic"), Some(libc::EINTR));
    });
    // The file serves on.
    assert_eq!(node.get(request::CHANNO), 16);
}

#[test]
fn a_killed_reader_dies_at_once_and_frees_the_channel() {
    let served = Served::start();
    let path = served.dir().join("16");
    let mut reader = Command::new("cat").arg(&path).stdout(Stdio::null()).spawn().expect("cat runs");
    until_in_call(reader.id(), reader.id() as i32, libc::SYS_read);
    let busy = served.open("16", libc::O_NONBLOCK);
    assert_eq!(errno(busy), Some(libc::EBUSY), "it has the channel");
    reader.kill().expect("it runs");
    let start = Instant::now();
    reader.wait().expect("it ends");
    assert!(start.elapsed() < Duration::from_secs(5), "SIGKILL waits for nothing");
    served.open("16", libc::O_NONBLOCK).expect("the channel is free again");
}

#[test]
fn close_then_open_is_never_busy() {
    let served = Served::start();
    for round in 0..500 {
        drop(served.open("5", libc::O_NONBLOCK).unwrap_or_else(|e| panic!("round {round}: {e}")));
    }
    let held = served.open("5", libc::O_NONBLOCK).expect("a channel");
    assert_eq!(
        errno(served.open("chan/001/005", libc::O_NONBLOCK)),
        Some(libc::EBUSY),
        "one channel, two names"
    );
    drop(held);
    served.open("chan/001/005", libc::O_NONBLOCK).expect("free again");
}

#[test]
fn iomux_waits_even_where_the_file_does_not_block() {
    let served = Served::start();
    let node = served.channel(1, 8);
    node.drain();
    let mut mask = iomux::READ;
    node.ioctl(request::IOMUX, &mut mask).expect("a block comes");
    assert_eq!(mask & iomux::READ, iomux::READ);
    assert_eq!(node.read(&mut [0; BLOCK]).expect("it is there"), BLOCK);

    let start = Instant::now();
    let queued = node.fill();
    let mut mask = iomux::WRITEEMPTY;
    node.ioctl(request::IOMUX, &mut mask).expect("all is transmitted");
    assert_eq!(mask & iomux::WRITEEMPTY, iomux::WRITEEMPTY);
    let least = Duration::from_millis(20 * (queued as u64 - 2));
    assert!(start.elapsed() >= least, "{queued} blocks were queued, {:?}", start.elapsed());

    node.drain();
    let mut mask = iomux::READ | iomux::NOWAIT;
    node.ioctl(request::IOMUX, &mut mask).expect("NOWAIT returns");
}

#[test]
fn an_event_stops_reads_and_writes_with_errno_500() {
    let served = Served::start();
    let node = served.channel(1, 8);
    served.alarm("1", "red");
    assert_eq!(errno(node.read(&mut [0; BLOCK])), Some(Errno::LAST.0));
    assert_eq!(errno(node.write(&[0; BLOCK])), Some(Errno::LAST.0));
    assert_eq!(node.get(request::GETEVENT), event::ALARM);
    while node.get(request::GETEVENT) != event::NONE {}
    assert_ne!(errno(node.write(&[0; BLOCK])), Some(Errno::LAST.0), "the events are drained");
}

#[test]
fn requests_that_do_not_carry_their_payload_reach_into_the_caller() {
    let served = Served::start();
    let ctl = served.open("ctl", 0).expect("ctl");
    let mut params = Params { channo: 33, ..Zeroable::zeroed() };
    ctl.ioctl(request::GET_PARAMS_V1, &mut params).expect("channo is read though the number says no");
    assert_eq!((params.channo, params.spanno, params.chanpos), (33, 2, 2));

    let mut inner = Params::zeroed();
    let mut indirect = IndirectData {
        chan: 9,
        op: request::GET_PARAMS.number() as i32,
        data: std::ptr::from_mut(&mut inner) as u64,
    };
    ctl.ioctl(request::INDIRECT, &mut indirect).expect("a request for a channel by its number");
    // SAFETY: the simulator wrote it behind the compiler's back; it is a plain integer of this function.
    assert_eq!(unsafe { std::ptr::read_volatile(&raw const inner.chanpos) }, 9);

    indirect.data = 16;
    assert_eq!(errno(ctl.ioctl(request::INDIRECT, &mut indirect)), Some(libc::EFAULT));
}

#[test]
fn specify_makes_the_node_a_channel() {
    let served = Served::start();
    let node = served.open("channel", libc::O_NONBLOCK).expect("channel");
    node.set(request::SPECIFY, 7).expect("a free channel");
    assert_eq!(node.get(request::CHANNO), 7);
    let second = served.open("channel", libc::O_NONBLOCK).expect("channel");
    assert_eq!(errno(second.set(request::SPECIFY, 7)), Some(libc::EBUSY));
    assert_eq!(errno(second.set(request::SPECIFY, 999)), Some(libc::EINVAL));
}
