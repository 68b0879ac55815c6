//! Who sends without having proven who he is: nothing is kept for him, and he is heard only so often.
use demarc_model::Time;
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

/// Sources that are counted at once; with a further one those that may speak again are forgotten, or else the first.
const SOURCES: usize = 4096;

/// How often each source has asked without proof: a bucket that fills by one with each request and drains with time.
#[derive(Debug)]
pub(crate) struct Strangers {
    each: Duration,
    depth: u32,
    /// When the bucket of a source is empty.
    empty_at: BTreeMap<IpAddr, Time>,
}

impl Strangers {
    pub fn new(per_second: u32) -> Strangers {
        let per_second = per_second.max(1);
        Strangers {
            each: Duration::from_secs(1) / per_second,
            depth: 2 * per_second,
            empty_at: BTreeMap::new(),
        }
    }

    /// Whether a source has asked too often.
    pub fn is_too_many(&self, now: Time, source: IpAddr) -> bool {
        let full = now + self.each * (self.depth - 1);
        self.empty_at.get(&network(source)).is_some_and(|empty_at| *empty_at > full)
    }

    /// A source asked without proof.
    pub fn note(&mut self, now: Time, source: IpAddr) {
        let source = network(source);
        if self.empty_at.len() >= SOURCES && !self.empty_at.contains_key(&source) {
            self.empty_at.retain(|_, empty_at| *empty_at > now);
            if self.empty_at.len() >= SOURCES {
                self.empty_at.pop_first();
            }
        }
        let empty_at = self.empty_at.entry(source).or_insert(now);
        *empty_at = (*empty_at).max(now) + self.each;
    }
}

/// Whoever has one address of IPv6 has the whole /64 of it (RFC 4291 2.5.1).
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_may_ask_in_bursts_and_so_often_a_second() {
        let mut strangers = Strangers::new(10);
        let ip = |text: &str| text.parse().unwrap();
        let (one, other) = (ip("2001:db8::1"), ip("2001:db8::ffff:2"));
        let mut asks = |ms, source| {
            let now = Time::from_millis(ms);
            let taken = !strangers.is_too_many(now, source);
            if taken {
                strangers.note(now, source);
            }
            taken
        };
        let burst = (0..30).filter(|_| asks(1000, one)).count();
        assert_eq!(burst, 20, "two seconds' worth at once");
        assert!(!asks(1000, other), "the same /64");
        assert!(asks(1000, ip("192.0.2.1")), "others are heard");
        let then = (1..=100).filter(|n| asks(1000 + n * 50, one)).count();
        assert!((49..=51).contains(&then), "{then} in five seconds");
        (0..10_000_u32).for_each(|n| strangers.note(Time::from_millis(9000), IpAddr::V4(n.into())));
        assert!(strangers.empty_at.len() <= SOURCES);
    }
}
