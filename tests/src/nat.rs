//! A network behind a NAT: a router that masquerades (nftables), and a private network with one host in it, each in a network
//! namespace of its own.

use crate::process::Process;
use std::{
    net::Ipv4Addr,
    path::Path,
    process::{Command, Stdio},
};

/// The router and the host. They end with the value, and the cables go with them.
pub struct Nat {
    router: Process,
    host: Process,
    /// Our end of the cable to the router: what the private network reaches us at.
    pub ours: Ipv4Addr,
    /// The router's address outside, from which all of the private network comes.
    pub outside: Ipv4Addr,
    /// The host's own address, which nobody outside can reach.
    pub private: Ipv4Addr,
}

impl Nat {
    /// Builds it. `number` tells networks of one machine apart.
    ///
    /// # Panics
    /// Without the right to make network namespaces; `make test` has it.
    pub fn build(number: u8, logs: &Path) -> Self {
        let hold = |name: &str| {
            let mut command = Command::new("unshare");
            command.args(["--net", "--", "sh", "-c", "ip link set lo up; echo up; exec cat"]);
            let mut process = Process::start(&format!("nat-{name}"), &mut command, logs);
            process.wait_line("up");
            process
        };
        let (router, host) = (hold("router"), hold("host"));
        let (outer, inner) = (format!("demarc-nat{number}"), format!("demarc-in{number}"));
        let [ours, outside, gateway, private] = [
            Ipv4Addr::new(198, 18, number, 1), // RFC 2544: for tests of networks
            Ipv4Addr::new(198, 18, number, 2),
            Ipv4Addr::new(192, 168, number, 1),
            Ipv4Addr::new(192, 168, number, 2),
        ];
        let (in_router, in_host) = (enter(&router), enter(&host));
        let (router_pid, host_pid) = (router.id(), host.id());
        for command in [
            format!("ip link add {outer} type veth peer name wan netns {router_pid}"),
            format!("ip addr add {ours}/24 dev {outer}"),
            format!("ip link set {outer} up"),
            format!("{in_router} ip addr add {outside}/24 dev wan"),
            format!("{in_router} ip link set wan up"),
            format!("{in_router} ip link add {inner} type veth peer name eth0 netns {host_pid}"),
            format!("{in_router} ip addr add {gateway}/24 dev {inner}"),
            format!("{in_router} ip link set {inner} up"),
            format!("{in_host} ip addr add {private}/24 dev eth0"),
            format!("{in_host} ip link set eth0 up"),
            format!("{in_host} ip route add default via {gateway}"),
            format!("{in_router} sysctl -q -w net.ipv4.ip_forward=1"),
            format!("{in_router} nft add table ip nat"),
            format!("{in_router} nft add chain ip nat out {{ type nat hook postrouting priority 100 ; }}"),
            // Other ports than the host chose, as with many hosts behind it.
            format!(
                "{in_router} nft add rule ip nat out oifname wan meta l4proto udp masquerade to :30000-39999 random"
            ),
        ] {
            run(&command);
        }
        Self { router, host, ours, outside, private }
    }

    /// From now on every tenth packet of sound is lost on its way in, and every twentieth on its way out. Sound is what is
    /// as long as 20 ms of G.711.
    pub fn lose_sound(&self) {
        let router = enter(&self.router);
        run(&format!("{router} nft add chain ip nat lose {{ type filter hook forward priority 0 ; }}"));
        for (way, of) in [("iifname", 10), ("oifname", 20)] {
            let which = format!("{way} wan meta length 200 numgen inc mod {of} 3");
            run(&format!("{router} nft add rule ip nat lose {which} counter drop"));
        }
    }

    /// How many packets were lost so: on their way in, and out.
    ///
    /// # Panics
    /// When nothing was to be lost.
    pub fn lost(&self) -> [u64; 2] {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.router.id()));
        let output = command.args(["--", "nft", "list", "chain", "ip", "nat", "lose"]).output();
        let text = String::from_utf8(output.expect("nft runs").stdout).expect("nft speaks ASCII");
        let counts = text.split("packets ").skip(1).map(|rest| rest.split(' ').next()?.parse().ok());
        let counts: Option<Vec<u64>> = counts.collect();
        counts.and_then(|counts| counts.try_into().ok()).unwrap_or_else(|| panic!("two counters: {text}"))
    }

    /// A command that is to run on the host.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.host.id())).arg("--").arg(program);
        command
    }
}

fn enter(process: &Process) -> String {
    format!("nsenter --net=/proc/{}/ns/net --", process.id())
}

fn run(line: &str) {
    let mut words = line.split(' ');
    let program = words.next().expect("a command has a first word");
    let output = Command::new(program).args(words).stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{line}: {error}; `make test` installs it"));
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}
