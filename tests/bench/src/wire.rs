//! A network of the measurement's own: the forwarder has one end of a virtual Ethernet wire, and the telephones are beyond the
//! other one, behind a router that is only an address. On the loopback the whole way up to the telephones' sockets would be
//! charged to the forwarder, and theirs to their own processor.

use nix::{
    errno::Errno,
    sched::{CloneFlags, setns, unshare},
    unistd::geteuid,
};
use std::{
    fs::{self, File},
    io,
    net::Ipv4Addr,
    process::Command,
};

/// The forwarder. Its address and the telephones' are of 127.0.0.0/8, as on the loopback: programs that watch what a machine
/// says to others, by BPF for instance, leave these alone.
pub const NEAR: Ipv4Addr = Ipv4Addr::new(127, 2, 0, 1);
/// Its end of the wire.
pub const NEAR_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
/// The router. No interface has this address, so that the kernel drops what was seen on the wire.
pub const ROUTER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];
/// The telephones' end of the wire.
pub const FAR: &str = "far";

/// How the wire is laid, by `ip`.
const STEPS: [&str; 6] = [
    "link add near address 02:00:00:00:00:01 type veth peer name far",
    "address add 127.2.0.1/16 dev near",
    "link set near up",
    "link set far up",
    "neighbour add 127.2.0.2 lladdr 02:00:00:00:00:02 dev near nud permanent",
    "route add 127.1.0.0/16 via 127.2.0.2 dev near",
];

/// Puts this process, which must have one thread, into a network with nothing but the wire in it, which is gone with the last
/// process there.
///
/// # Errors
/// Where that is not permitted, or there is no `ip`.
pub fn lay() -> io::Result<()> {
    let made = match unshare(CloneFlags::CLONE_NEWNET) {
        Err(Errno::EPERM) => enter_as_user(),
        made => made.map_err(io::Error::from),
    };
    made.map_err(|error| {
        let why = "the measurement needs a network of its own (run it as root, or permit user namespaces)";
        io::Error::new(error.kind(), format!("{why}: {error}"))
    })?;
    // Addresses of 127.0.0.0/8 may be beyond an interface, and nothing is looked up to see whether they are beyond this one.
    for (name, value) in [("route_localnet", "1"), ("rp_filter", "0")] {
        fs::write(format!("/proc/sys/net/ipv4/conf/all/{name}"), value)?;
        fs::write(format!("/proc/sys/net/ipv4/conf/default/{name}"), value)?;
    }
    STEPS.iter().try_for_each(|step| ip(step))
}

fn ip(step: &str) -> io::Result<()> {
    let output = Command::new("ip").args(step.split(' ')).output().map_err(|error| {
        io::Error::new(error.kind(), format!("cannot run ip (Debian's package iproute2): {error}"))
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("ip {step}: {}", said.trim())))
}

/// A user namespace in which this user is root, and with it the network.
fn enter_as_user() -> io::Result<()> {
    let user = geteuid();
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)?;
    fs::write("/proc/self/uid_map", format!("0 {user} 1"))?;
    // So that the forwarder, of the same user, may come in.
    Ok(nix::sys::prctl::set_dumpable(true)?)
}

/// Puts this process, which must have one thread, into the network of that one.
///
/// # Errors
/// Where that is gone.
pub fn enter(process: u32) -> io::Result<()> {
    let space = |name| File::open(format!("/proc/{process}/ns/{name}"));
    let network = space("net")?;
    match setns(&network, CloneFlags::CLONE_NEWNET) {
        Err(Errno::EPERM) => {
            setns(space("user")?, CloneFlags::CLONE_NEWUSER)?;
            Ok(setns(network, CloneFlags::CLONE_NEWNET)?)
        }
        entered => Ok(entered?),
    }
}
