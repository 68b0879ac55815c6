use crate::SrtpPolicy;
use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// A transport protocol that carries SIP (RFC 3261 18).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// Datagrams; lost messages are sent again by the transactions.
    Udp,
    /// A stream, framed by Content-Length.
    Tcp,
}

impl Transport {
    /// The word of the Via header.
    pub const fn word(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
        }
    }
}

/// What an [`crate::Endpoint`] is to be.
#[derive(Clone)]
pub struct Config {
    /// The host part of our own addresses (From, To), such as `pbx.example.com` or an IP address.
    pub domain: String,
    /// The realm of our digest challenges (RFC 3261 22.1).
    pub realm: String,
    /// Further names that are ours in addresses of users (From), such as what telephones have for their registrar.
    pub names: Vec<String>,
    /// Where peers reach us over UDP; stands in Via and Contact, so it must not be `0.0.0.0`.
    pub udp: SocketAddr,
    /// Where peers reach us over TCP; `None` when TCP is not offered.
    pub tcp: Option<SocketAddr>,
    /// The trunks.
    pub trunks: Vec<Trunk>,
    /// The users (agents) who may register and call.
    pub users: Vec<User>,
    /// For User-Agent and Server.
    pub product: String,
    /// What tags, branches, Call-IDs, nonces and keys of SRTP are made from. Take it from the operating system's generator,
    /// or they can be guessed.
    pub secret: [u8; 32],
    /// How often an answered session asks its peer by OPTIONS whether it is still there; `None` never asks. A peer that
    /// does not answer, or knows no such dialog, ends the session with cause 27.
    pub keepalive: Option<Duration>,
    /// How long a call may ring, in either direction (RFC 3261 16.6 step 11: more than 3 minutes).
    pub ring_limit: Duration,
    /// Offer SHA-256 before MD5 in digest challenges (RFC 8760). Some telephones fail at a second challenge, so it is
    /// off by default.
    pub sha256: bool,
    /// How long a digest nonce is good; after it a client is told `stale=true` and tries again by itself.
    pub nonce_lifetime: Duration,
    /// The shortest registration taken; a shorter one gets 423 (RFC 3261 10.3 step 7).
    pub min_expires: Duration,
    /// The longest registration granted, and what one gets that asks for none.
    pub max_expires: Duration,
    /// How long a stream may stay without a whole message and without a call, a registration or a transaction that
    /// needs it; then it is closed.
    pub idle: Duration,
    /// What is bounded, and by how much.
    pub limits: Limits,
}

impl std::fmt::Debug for Config {
    /// The secret is in no log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config").field("domain", &self.domain).field("udp", &self.udp).finish_non_exhaustive()
    }
}

impl Config {
    /// Everything at its default but what has none.
    pub fn new(domain: &str, udp: SocketAddr, secret: [u8; 32]) -> Config {
        Config {
            domain: domain.into(),
            realm: domain.into(),
            names: Vec::new(),
            udp,
            tcp: None,
            trunks: Vec::new(),
            users: Vec::new(),
            product: "Demarc".into(),
            secret,
            keepalive: Some(Duration::from_secs(30)),
            ring_limit: Duration::from_secs(185),
            sha256: false,
            nonce_lifetime: Duration::from_secs(300),
            min_expires: Duration::from_secs(10),
            max_expires: Duration::from_secs(3600),
            idle: Duration::from_secs(180),
            limits: Limits::default(),
        }
    }

    pub(crate) fn user(&self, name: &str) -> Option<&User> {
        self.users.iter().find(|user| user.credentials.username == name)
    }
}

/// What is bounded. What happens at each bound stands with it.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Transactions at once; above it new requests get 503 with Retry-After.
    pub transactions: usize,
    /// Sessions at once; above it an INVITE gets 503, and an outgoing call ends with cause 42.
    pub sessions: usize,
    /// Contacts that one user may register; above it REGISTER gets 403.
    pub contacts: usize,
    /// Stream connections at once; above it the one that was not used for longest is closed, of those that no call and
    /// no telephone needs; the new one where all are needed.
    pub connections: usize,
    /// Octets of one message; above it 513, and a stream is closed.
    pub message: usize,
    /// Requests a second from one address that prove nothing of who sent them, for two seconds at once; above it they get
    /// 503 with Retry-After, unless they are of a trunk, a call or a registered telephone.
    pub unproven: u32,
    /// Nonces remembered for replay checks; above it the oldest is forgotten and its user is asked again.
    pub nonces: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            transactions: 20_000,
            sessions: 5_000,
            contacts: 4,
            connections: 1_000,
            message: 65_536,
            unproven: 100,
            nonces: 4_096,
        }
    }
}

/// Another SIP system that calls come from and go to.
#[derive(Clone, Debug)]
pub struct Trunk {
    /// Its name in the configuration.
    pub name: String,
    /// Where our requests to it go.
    pub peer: SocketAddr,
    /// Over which transport.
    pub transport: Transport,
    /// The host part of addresses at the peer; the peer's IP address where `None`.
    pub domain: Option<String>,
    /// From where its calls come in. The peer's own address always counts.
    pub sources: Vec<Network>,
    /// What we answer a digest challenge of the peer with.
    pub credentials: Option<Credentials>,
    /// Register with the peer, asking for this long a time; needs credentials where the peer asks for them.
    pub register: Option<Duration>,
    /// Whether sound is encrypted.
    pub srtp: SrtpPolicy,
}

impl Trunk {
    /// A trunk without registration or credentials, open to calls from its peer's address.
    pub fn new(name: &str, peer: SocketAddr, transport: Transport) -> Trunk {
        Trunk {
            name: name.into(),
            peer,
            transport,
            domain: None,
            sources: Vec::new(),
            credentials: None,
            register: None,
            srtp: SrtpPolicy::Off,
        }
    }

    pub(crate) fn admits(&self, source: IpAddr) -> bool {
        self.peer.ip() == source || self.sources.iter().any(|network| network.contains(source))
    }
}

/// A user name and its password.
#[derive(Clone)]
pub struct Credentials {
    /// The name, also the user part of our address at the peer.
    pub username: String,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Someone whose telephone registers with us.
#[derive(Clone, Debug)]
pub struct User {
    /// The name is the user part of the address and the digest user name.
    pub credentials: Credentials,
    /// Whether sound is encrypted.
    pub srtp: SrtpPolicy,
}

impl User {
    /// With nothing but a name and a password.
    pub fn new(name: &str, password: &str) -> User {
        let credentials = Credentials { username: name.into(), password: password.into() };
        User { credentials, srtp: SrtpPolicy::Off }
    }
}

/// A block of IP addresses, `192.0.2.0/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// `None` when the prefix is longer than the address.
    pub fn new(address: IpAddr, prefix: u8) -> Option<Network> {
        let bits = if address.is_ipv4() { 32 } else { 128 };
        (prefix <= bits).then_some(Network { address, prefix })
    }

    /// Whether `ip` is in the block. An IPv4 address mapped into IPv6 counts as IPv4.
    pub fn contains(&self, ip: IpAddr) -> bool {
        match (self.address.to_canonical(), ip.to_canonical()) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                same_prefix(a.to_bits().into(), b.to_bits().into(), 32, self.prefix)
            }
            (IpAddr::V6(a), IpAddr::V6(b)) => same_prefix(a.to_bits(), b.to_bits(), 128, self.prefix),
            _ => false,
        }
    }
}

fn same_prefix(a: u128, b: u128, bits: u8, prefix: u8) -> bool {
    let host = u32::from(bits.saturating_sub(prefix));
    a.checked_shr(host).unwrap_or(0) == b.checked_shr(host).unwrap_or(0)
}

/// `192.0.2.0/24`, `2001:db8::/32`, or one address alone.
impl std::str::FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Network, NetworkError> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let address: IpAddr = address.parse().map_err(|_| NetworkError)?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(all), |p| p.parse().map_err(|_| NetworkError))?;
        Network::new(address, prefix).ok_or(NetworkError)
    }
}

/// A text that is no block of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a network: write an address such as 192.0.2.7 or a block such as 192.0.2.0/24")]
pub struct NetworkError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_the_addresses_that_share_its_prefix() {
        let rows = [
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.6", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::/0", "2001:db9::1", true),
            ("192.0.2.0/24", "::ffff:192.0.2.1", true),
            ("0.0.0.0/0", "2001:db8::1", false),
        ];
        for (network, ip, held) in rows {
            let parsed: Network = network.parse().unwrap();
            assert_eq!(parsed.contains(ip.parse().unwrap()), held, "{network} and {ip}");
        }
        for bad in ["", "192.0.2.0/33", "host", "192.0.2.0/x", "::/129"] {
            assert_eq!(bad.parse::<Network>(), Err(NetworkError), "{bad}");
        }
    }
}
