use hmac::{Hmac, Mac};
use sha2::Sha256;

/// Tags, branches, nonces and keys from one secret: HMAC-SHA256 of a counter, so that none tells of another.
#[derive(Clone)]
pub(crate) struct Rng {
    secret: [u8; 32],
    counter: u64,
}

impl std::fmt::Debug for Rng {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rng").field("counter", &self.counter).finish_non_exhaustive()
    }
}

impl Rng {
    pub fn new(secret: &[u8; 32]) -> Rng {
        Rng { secret: *secret, counter: 0 }
    }

    fn hash(&self, text: &[u8]) -> [u8; 32] {
        let mac = Hmac::<Sha256>::new_from_slice(&self.secret);
        let Ok(mut mac) = mac else { unreachable!("HMAC takes keys of any length") };
        mac.update(text);
        mac.finalize().into_bytes().into()
    }

    fn next(&mut self) -> [u8; 32] {
        self.counter += 1;
        self.hash(&self.counter.to_be_bytes())
    }

    /// Always the same token for the same text, for who keeps no state (RFC 3261 8.2.7).
    pub fn token_of(&self, text: &[u8]) -> String {
        format!("{:016x}", number(&self.hash(&[b"of ", text].concat())))
    }

    pub fn fill(&mut self, octets: &mut [u8]) {
        for part in octets.chunks_mut(32) {
            part.copy_from_slice(&self.next()[..part.len()]);
        }
    }

    pub fn number(&mut self) -> u64 {
        number(&self.next())
    }

    /// 64 bits as a token (RFC 3261 19.3 asks for 32).
    pub fn token(&mut self) -> String {
        format!("{:016x}", self.number())
    }
}

fn number(hash: &[u8; 32]) -> u64 {
    hash.iter().take(8).fold(0, |sum, octet| (sum << 8) | u64::from(*octet))
}
