//! `poll` and `epoll`, level and edge.

use crate::client::{BLOCK, Node, PATIENCE, Served, errno};
use dahdi_abi::{event, request};
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout},
};
use std::{
    os::fd::AsFd,
    time::{Duration, Instant},
};

const ALL: EpollFlags =
    EpollFlags::EPOLLIN.union(EpollFlags::EPOLLOUT).union(EpollFlags::EPOLLPRI).union(EpollFlags::EPOLLET);

fn watch(node: &Node) -> Epoll {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).expect("epoll");
    epoll.add(node, EpollEvent::new(ALL, 0)).expect("the file can be polled");
    epoll
}

fn wait(epoll: &Epoll, patience: Duration) -> EpollFlags {
    let mut events = [EpollEvent::empty()];
    let timeout = EpollTimeout::try_from(patience).expect("a short time");
    match epoll.wait(&mut events, timeout).expect("epoll") {
        0 => EpollFlags::empty(),
        _ => events[0].events(),
    }
}

#[test]
fn poll_wakes_for_data_room_and_events() {
    let served = Served::start();
    let node = served.channel(1, 4);
    let wait_for = |flags| {
        let mut fds = [PollFd::new(node.as_fd(), flags)];
        let count = poll(&mut fds, PollTimeout::try_from(PATIENCE).expect("a short time")).expect("poll");
        assert_eq!(count, 1, "nothing came for {flags:?}");
        fds[0].revents().expect("known flags")
    };
    node.drain();
    assert!(wait_for(PollFlags::POLLIN).contains(PollFlags::POLLIN));
    node.read(&mut [0; BLOCK]).expect("a block");
    node.fill();
    assert!(wait_for(PollFlags::POLLOUT).contains(PollFlags::POLLOUT));
    node.write(&[0; BLOCK]).expect("room");
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| wait_for(PollFlags::POLLPRI));
        served.alarm("1", "red");
        assert!(waiter.join().expect("no panic").contains(PollFlags::POLLPRI));
    });
}

#[test]
fn every_edge_is_told_to_an_edge_triggered_poller() {
    let served = Served::start();
    // So many buffers that a busy machine loses none.
    let node = served.channel(1, 32);
    let epoll = watch(&node);
    node.drain();
    node.fill();
    let (mut read, mut written) = (0, 0);
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(1) {
        let flags = wait(&epoll, PATIENCE);
        assert!(!flags.is_empty(), "an edge was lost after {read} blocks read and {written} written");
        if flags.contains(EpollFlags::EPOLLIN) {
            read += node.drain().len() / BLOCK;
        }
        if flags.contains(EpollFlags::EPOLLOUT) {
            written += node.fill();
        }
    }
    let blocks = start.elapsed().as_millis() as usize / 20;
    assert!((blocks - 5..=blocks + 2).contains(&read), "{read} of {blocks} blocks read");
    assert!((blocks - 5..=blocks + 2).contains(&written), "{written} of {blocks} blocks written");
}

#[test]
fn what_is_not_new_is_no_edge() {
    let served = Served::start();
    // Nothing comes by itself on a D-channel.
    let node = served.open("16", libc::O_NONBLOCK).expect("the D-channel");
    let epoll = watch(&node);
    assert!(wait(&epoll, PATIENCE).contains(EpollFlags::EPOLLOUT), "there is room from the start");
    assert_eq!(wait(&epoll, Duration::from_millis(60)), EpollFlags::empty(), "the same room is told once");
}

#[test]
fn a_frame_is_an_edge_at_the_far_d_channel() {
    let served = Served::start();
    let near = served.open("16", libc::O_NONBLOCK).expect("the D-channel");
    let far = served.open("47", libc::O_NONBLOCK).expect("the far D-channel");
    let epoll = watch(&far);
    wait(&epoll, Duration::ZERO);
    for round in 0..20_u8 {
        near.write(&[0, 1, round, 0, 0]).expect("a frame is taken");
        while !wait(&epoll, PATIENCE).contains(EpollFlags::EPOLLIN) {}
        let mut frame = [0; 64];
        assert_eq!(far.read(&mut frame).expect("the frame"), 5, "round {round}");
        assert_eq!(frame[2], round);
        assert_eq!(errno(far.read(&mut frame)), Some(libc::EAGAIN));
    }
}

#[test]
fn an_alarm_is_a_pri_edge() {
    let served = Served::start();
    let node = served.open("16", libc::O_NONBLOCK).expect("the D-channel");
    let epoll = watch(&node);
    wait(&epoll, Duration::ZERO);
    for (word, expected) in [("red", event::ALARM), ("ok", event::NOALARM), ("blue", event::ALARM)] {
        served.alarm("1", word);
        let start = Instant::now();
        let mut events = Vec::new();
        while !events.contains(&expected) {
            assert!(start.elapsed() < PATIENCE, "no event after {word}");
            if wait(&epoll, PATIENCE).contains(EpollFlags::EPOLLPRI) {
                events.extend(
                    std::iter::repeat_with(|| node.get(request::GETEVENT)).take_while(|e| *e != event::NONE),
                );
            }
        }
    }
}

#[test]
fn the_timer_ticks_by_pri() {
    let served = Served::start();
    let timer = served.open("timer", 0).expect("timer");
    let start = Instant::now();
    timer.set(request::TIMERCONFIG, 160).expect("160 samples are 20 ms");
    for _ in 0..25 {
        let mut fds = [PollFd::new(timer.as_fd(), PollFlags::POLLPRI)];
        let timeout = PollTimeout::try_from(PATIENCE).expect("a short time");
        assert_eq!(poll(&mut fds, timeout).expect("poll"), 1, "the timer stands");
        assert_eq!(timer.get(request::GETEVENT), event::TIMER_EXPIRED);
        timer.set(request::TIMERACK, 1).expect("one expiry is taken");
    }
    assert!(start.elapsed() >= Duration::from_millis(480), "25 ticks are 500 ms: {:?}", start.elapsed());
}
