//! The operating system's part: clocks, the priority of the thread, and options of sockets.

use nix::{
    sys::{
        socket::{
            getsockopt, setsockopt,
            sockopt::{RcvBuf, RcvBufForce},
        },
        time::TimeSpec,
    },
    time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep},
};
use std::{
    os::fd::{AsFd, AsRawFd},
    time::Duration,
};

/// The monotonic clock. It does not fail on Linux (clock_gettime(2) knows no error for it).
pub(crate) fn monotonic() -> Duration {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Duration::ZERO, Duration::from)
}

/// The real-time clock, since 1970; for what the kernel stamps by it.
pub(crate) fn real_time_clock() -> Duration {
    clock_gettime(ClockId::CLOCK_REALTIME).map_or(Duration::ZERO, Duration::from)
}

/// Sleeps to an absolute time, so that the length of the work between two sleeps does not add up.
pub(crate) fn sleep_until(due: Duration) {
    let due = TimeSpec::from_duration(due);
    while clock_nanosleep(ClockId::CLOCK_MONOTONIC, ClockNanosleepFlags::TIMER_ABSTIME, &due).is_err() {
        if monotonic() >= Duration::from(due) {
            return;
        }
    }
}

/// Asks for `SCHED_FIFO` for the calling thread; `false` when it is not allowed.
#[allow(unsafe_code)]
pub(crate) fn real_time(priority: u8) -> bool {
    let param = libc::sched_param { sched_priority: i32::from(priority) };
    // SAFETY: pid 0 is the calling thread, and the structure lives through the call, which only reads it.
    unsafe {
        libc::sched_setscheduler(0, libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, &raw const param) == 0
    }
}

/// Asks for a larger receive buffer; whether it is as large. The system's limit (`net.core.rmem_max`) holds for who may not go
/// beyond it (`CAP_NET_ADMIN`).
pub(crate) fn receive_buffer(socket: &impl AsFd, octets: usize) -> bool {
    let done = setsockopt(socket, RcvBufForce, &octets).or_else(|_| setsockopt(socket, RcvBuf, &octets));
    // The kernel tells twice of what it was asked for (socket(7): SO_RCVBUF).
    done.is_ok() && getsockopt(socket, RcvBuf).is_ok_and(|got| got >= 2 * octets)
}

/// Has the kernel tell when each datagram came, or no longer (socket(7): `SO_TIMESTAMPNS`).
pub(crate) fn stamp(socket: &impl AsRawFd, on: bool) {
    set_option(socket, (libc::SOL_SOCKET, libc::SO_TIMESTAMPNS), on.into());
}

/// What is sent is never cut in pieces (ip(7): `IP_PMTUDISC_DO`), so that the kernel needs no number for each packet that
/// could be: that is dear on a socket that sends to many.
pub(crate) fn never_cut(socket: &impl AsRawFd) {
    set_option(socket, (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER), libc::IP_PMTUDISC_DO);
}

#[allow(unsafe_code)]
fn set_option(socket: &impl AsRawFd, (level, option): (i32, i32), value: i32) {
    let (value, length) = (&raw const value, size_of::<i32>() as u32);
    // SAFETY: the value lives through the call, which only reads it, and is as long as it is said to be.
    unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, value.cast(), length) };
}

/// Undoes a datagram socket's `connect`.
#[allow(unsafe_code)]
pub(crate) fn disconnect(socket: &impl AsRawFd) -> bool {
    let nobody = libc::sockaddr { sa_family: libc::AF_UNSPEC as u16, sa_data: [0; 14] };
    let length = size_of::<libc::sockaddr>() as u32;
    // SAFETY: the address lives through the call, which only reads it, and is as long as it is said to be.
    unsafe { libc::connect(socket.as_raw_fd(), &raw const nobody, length) == 0 }
}
