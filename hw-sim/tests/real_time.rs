//! The simulator on this machine's clock. Nothing here says how fast the machine is; it waits for conditions.
#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

mod common;

use common::Dev;
use dahdi_abi::{Ready, policy, request};
use demarc_model::{Alarm, SpanNo};
use hw_sim::{Description, Simulator};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::os::fd::BorrowedFd;
use std::time::Instant;

/// Waits for an edge; only a simulator that never tells one is stopped by the time limit.
fn wait(dev: &mut Dev) {
    let fd = dev.0.poll_fd().expect("a descriptor in real time");
    // SAFETY: the node that owns the descriptor is borrowed for as long as this is used.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    let limit = PollTimeout::try_from(30_000).unwrap();
    assert_eq!(poll(&mut [PollFd::new(fd, PollFlags::POLLIN)], limit), Ok(1), "no edge in 30 s");
    nix::unistd::read(fd, &mut [0; 8]).unwrap();
}

#[test]
fn audio_crosses_and_edges_wake() {
    let simulator = Simulator::real_time(&Description::default()).unwrap();
    let devices = simulator.devices();
    let open = |number| Dev(devices.open(&dahdi_abi::NodePath::Number(number)).unwrap());
    let (mut a, mut b) = (open(1), open(32));
    for dev in [&mut a, &mut b] {
        dev.buffers(32, 160, policy::IMMEDIATE).unwrap();
    }
    let started = Instant::now();
    let mut heard = Vec::new();
    a.write(&[1; 160]).unwrap();
    a.write(&[2; 160]).unwrap();
    while !heard.contains(&2) {
        wait(&mut b);
        while b.0.ready().unwrap().contains(Ready::IN) {
            heard.extend(b.read(160).unwrap());
        }
    }
    assert_eq!(heard.iter().filter(|octet| **octet == 1).count(), 160);
    assert!(started.elapsed().as_millis() >= 20, "a block cannot be whole before its time");
    simulator.with(|sim| sim.set_alarm(SpanNo::new(2).unwrap(), Alarm::Red));
    while !b.0.ready().unwrap().contains(Ready::PRI) {
        wait(&mut b);
    }
    assert_eq!(b.event(), dahdi_abi::event::ALARM);
    assert!(b.0.poll_fd().is_some());
    drop(b);
    assert!(open(32).get(request::CHANNO).is_ok(), "free after close");
}

#[test]
fn virtual_time_has_no_descriptors() {
    let bench = common::Bench::new();
    assert_eq!(bench.channel(1).0.poll_fd(), None);
}
