//! Real-time priority, and room for what comes to shared ports: used where they are permitted, and their absence told.

#![allow(clippy::unwrap_used, unsafe_code)] // helpers of tests; and there is no safe way to give up a capability

use demarc_media::{Engine, EngineConfig};
use std::{fs, net::UdpSocket};

/// `CAP_SYS_NICE` (capabilities(7)).
const SYS_NICE: u32 = 1 << 23;
/// `CAP_NET_ADMIN`.
const NET_ADMIN: u32 = 1 << 12;
/// `_LINUX_CAPABILITY_VERSION_3`.
const VERSION_3: u32 = 0x2008_0522;

/// What the engine says of its priority, and what the system says (`SCHED_FIFO` is policy 1, field 41 of stat).
fn priority(wanted: Option<u8>) -> (bool, bool) {
    let config = EngineConfig { real_time_priority: wanted, ..EngineConfig::default() };
    let (tell, told) = std::sync::mpsc::channel();
    let engine = Engine::spawn(config, Box::new(drop)).unwrap();
    engine
        .request_stats(Box::new(move |snapshot| {
            let stat = fs::read_to_string("/proc/thread-self/stat").unwrap();
            let policy = stat.rsplit(") ").next().unwrap().split(' ').nth(38).unwrap().to_owned();
            tell.send((snapshot.totals.real_time, policy == "1")).unwrap();
        }))
        .unwrap();
    let answer = told.recv().unwrap();
    engine.stop();
    answer
}

/// Gives up a capability of this thread, and of those it starts; and its limit of priorities.
fn give_up(capability: u32) {
    let limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    let mut header = [VERSION_3, 0];
    let mut sets = [[0_u32; 3]; 2]; // effective, permitted, inheritable; the lower and the upper 32 of each
    // SAFETY: the structures are laid out as in linux/capability.h and live through the calls.
    unsafe {
        assert_eq!(libc::setrlimit(libc::RLIMIT_RTPRIO, &raw const limit), 0);
        assert_eq!(libc::syscall(libc::SYS_capget, header.as_mut_ptr(), sets.as_mut_ptr()), 0);
        sets[0].iter_mut().for_each(|set| *set &= !capability);
        assert_eq!(libc::syscall(libc::SYS_capset, header.as_mut_ptr(), sets.as_mut_ptr()), 0);
    }
}

#[test]
fn the_engine_says_truly_whether_it_has_real_time_priority() {
    assert_eq!(priority(None), (false, false), "not asked for");
    let (said, is) = priority(Some(10));
    assert_eq!(said, is);
    std::thread::spawn(|| {
        give_up(SYS_NICE);
        assert_eq!(priority(Some(10)), (false, false), "not permitted");
    })
    .join()
    .unwrap();
}

/// Whether the engine says that a shared port has less room than it wants.
fn says_small() -> bool {
    let engine = Engine::spawn(EngineConfig::default(), Box::new(drop)).unwrap();
    engine.add_shared(UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap();
    let small = engine.stats().unwrap().totals.small_ports;
    engine.stop();
    small == 1
}

#[test]
fn the_engine_says_where_the_system_gives_a_shared_port_too_little_room() {
    let most: u64 = fs::read_to_string("/proc/sys/net/core/rmem_max").unwrap().trim().parse().unwrap();
    assert!(!says_small(), "the tests run as root");
    let small = std::thread::spawn(|| {
        give_up(NET_ADMIN);
        says_small()
    });
    assert_eq!(small.join().unwrap(), most < 16 << 20, "with net.core.rmem_max = {most}");
}
