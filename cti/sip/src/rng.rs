use sha2::{Digest, Sha256};

/// Tags, branches and nonces from one seed: SHA-256 over seed and counter, so that one value does not tell the next.
#[derive(Debug)]
pub(crate) struct Rng {
    seed: u64,
    counter: u64,
}

impl Rng {
    pub fn new(seed: u64) -> Rng {
        Rng { seed, counter: 0 }
    }

    pub fn number(&mut self) -> u64 {
        self.counter += 1;
        let mut hash = Sha256::new();
        hash.update(b"demarc-sip");
        hash.update(self.seed.to_be_bytes());
        hash.update(self.counter.to_be_bytes());
        hash.finalize().iter().take(8).fold(0, |sum, octet| (sum << 8) | u64::from(*octet))
    }

    /// 64 bits as a token (RFC 3261 19.3 asks for 32).
    pub fn token(&mut self) -> String {
        format!("{:016x}", self.number())
    }
}
