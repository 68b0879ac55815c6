//! Keys of encrypted sound: agreed in SDP or by a handshake, used by the media engine.

/// How packets are protected (RFC 4568 6.2, RFC 7714 14.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SrtpSuite {
    /// `AES_CM_128_HMAC_SHA1_80`, which everyone has.
    AesCm128HmacSha1_80,
    /// `AES_CM_128_HMAC_SHA1_32`.
    AesCm128HmacSha1_32,
    /// `AEAD_AES_128_GCM`.
    AeadAes128Gcm,
    /// `AEAD_AES_256_GCM`.
    AeadAes256Gcm,
}

impl SrtpSuite {
    /// Octets of the master key.
    pub const fn cipher_key(self) -> usize {
        match self {
            SrtpSuite::AeadAes256Gcm => 32,
            _ => 16,
        }
    }

    /// Octets of the master key and the master salt behind it.
    pub const fn key_length(self) -> usize {
        self.cipher_key() + if self.is_gcm() { 12 } else { 14 }
    }

    /// Whether one cipher both hides and authenticates (RFC 7714).
    pub const fn is_gcm(self) -> bool {
        matches!(self, SrtpSuite::AeadAes128Gcm | SrtpSuite::AeadAes256Gcm)
    }
}

/// A master key and behind it a master salt, as `inline:` in SDP has them after base64.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SrtpKey([u8; SrtpKey::LENGTH]);

impl SrtpKey {
    /// Octets of the longest key with its salt.
    pub const LENGTH: usize = 44;

    /// Of these octets; those that the suite does not need are of no effect, those that are missing are zeros.
    pub fn new(octets: &[u8]) -> SrtpKey {
        let mut key = [0; SrtpKey::LENGTH];
        key.iter_mut().zip(octets).for_each(|(to, from)| *to = *from);
        SrtpKey(key)
    }

    /// As many as the suite needs.
    pub fn octets(&self, suite: SrtpSuite) -> &[u8] {
        &self.0[..suite.key_length()]
    }
}

impl core::fmt::Debug for SrtpKey {
    /// Keys are in no log.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("SrtpKey")
    }
}

/// What two sides agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SrtpKeys {
    /// How.
    pub suite: SrtpSuite,
    /// With what we send.
    pub ours: SrtpKey,
    /// With what the peer sends.
    pub theirs: SrtpKey,
}
