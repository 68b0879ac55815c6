//! The transforms of SRTP: AES in counter mode with HMAC-SHA1 (RFC 3711, section 4), and AES-GCM (RFC 7714).

use super::{SrtpKey, SrtpSuite};
use aes::{
    Aes128, Aes256,
    cipher::{InnerIvInit, KeyInit, KeyIvInit, StreamCipher, StreamCipherCoreWrapper},
};
use aes_gcm::{
    AeadInPlace, Aes128Gcm, Aes256Gcm,
    aead::consts::{U12, U16},
};
use ctr::{Ctr128BE, CtrCore, flavors};
use hmac::{Hmac, Mac};
use sha1::Sha1;
use subtle::ConstantTimeEq;

/// Whose keys: the label of each is this and what is added for authentication and salt (RFC 3711, section 4.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Rtp = 0,
    Rtcp = 3,
}

/// Octets of the longest tag, that of AES-GCM.
pub(super) const MAX_TAG: usize = 16;

/// The parts of a packet that a tag is made over.
pub(super) struct Parts<'a> {
    /// Before what is encrypted.
    pub head: &'a [u8],
    /// What is encrypted.
    pub body: &'a mut [u8],
    /// Behind it: the roll-over counter of RTP, which is not sent; the index of RTCP, which is.
    pub tail: [u8; 4],
}

/// Session keys of one direction, for RTP or for RTCP.
pub(super) struct Cipher {
    mode: Mode,
    kind: Kind,
    /// Octets of the tag of each packet.
    pub tag: usize,
}

enum Mode {
    Counter { aes: Box<Aes128>, salt: [u8; 14], auth: Box<Hmac<Sha1>> },
    Gcm128 { aead: Box<Aes128Gcm>, salt: [u8; 12] },
    Gcm256 { aead: Box<Aes256Gcm>, salt: [u8; 12] },
}

impl Cipher {
    pub fn new(suite: SrtpSuite, key: &SrtpKey, kind: Kind) -> Cipher {
        let (label, key) = (kind as u8, key.octets(suite));
        let mode = match suite {
            SrtpSuite::AesCm128HmacSha1_80 | SrtpSuite::AesCm128HmacSha1_32 => {
                let auth = <Hmac<Sha1> as Mac>::new_from_slice(&derived::<20>(suite, key, label + 1));
                let Ok(auth) = auth else { unreachable!("HMAC takes keys of any length") };
                Mode::Counter {
                    aes: Box::new(Aes128::new(&derived(suite, key, label).into())),
                    salt: derived(suite, key, label + 2),
                    auth: Box::new(auth),
                }
            }
            SrtpSuite::AeadAes128Gcm => Mode::Gcm128 {
                aead: Box::new(Aes128Gcm::new(&derived::<16>(suite, key, label).into())),
                salt: derived(suite, key, label + 2),
            },
            SrtpSuite::AeadAes256Gcm => Mode::Gcm256 {
                aead: Box::new(Aes256Gcm::new(&derived::<32>(suite, key, label).into())),
                salt: derived(suite, key, label + 2),
            },
        };
        Cipher { mode, kind, tag: super::tag(suite, kind) }
    }

    /// Encrypts the body and gives the tag, of which the first [`Cipher::tag`] octets are sent.
    pub fn seal(&self, ssrc: [u8; 4], index: u64, parts: Parts<'_>) -> [u8; MAX_TAG] {
        match &self.mode {
            Mode::Counter { aes, salt, auth } => {
                counter(aes, salt, ssrc, index, parts.body);
                code(auth, parts.head, parts.body, parts.tail)
            }
            Mode::Gcm128 { aead, salt } => self.seal_gcm(&**aead, &nonce(salt, ssrc, index), parts),
            Mode::Gcm256 { aead, salt } => self.seal_gcm(&**aead, &nonce(salt, ssrc, index), parts),
        }
    }

    /// Decrypts the body if the tag is right.
    pub fn open(&self, ssrc: [u8; 4], index: u64, parts: Parts<'_>, tag: &[u8]) -> bool {
        match &self.mode {
            Mode::Counter { aes, salt, auth } => {
                let expected = code(auth, parts.head, parts.body, parts.tail);
                let right = bool::from(expected[..self.tag].ct_eq(tag));
                if right {
                    counter(aes, salt, ssrc, index, parts.body);
                }
                right
            }
            Mode::Gcm128 { aead, salt } => self.open_gcm(&**aead, &nonce(salt, ssrc, index), parts, tag),
            Mode::Gcm256 { aead, salt } => self.open_gcm(&**aead, &nonce(salt, ssrc, index), parts, tag),
        }
    }

    /// What AES-GCM authenticates besides the body: the header, and of RTCP the index (RFC 7714, sections 8.2 and 9.2).
    fn with_associated<T>(&self, head: &[u8], tail: [u8; 4], then: impl FnOnce(&[u8]) -> T) -> T {
        match (self.kind, <[u8; 8]>::try_from(head)) {
            (Kind::Rtcp, Ok(head)) => {
                let mut data = [0; 12];
                data[..8].copy_from_slice(&head);
                data[8..].copy_from_slice(&tail);
                then(&data)
            }
            _ => then(head),
        }
    }

    fn seal_gcm<A: Gcm>(&self, aead: &A, nonce: &[u8; 12], parts: Parts<'_>) -> [u8; MAX_TAG] {
        let Parts { head, body, tail } = parts;
        let sealed =
            self.with_associated(head, tail, |data| aead.encrypt_in_place_detached(nonce.into(), data, body));
        match sealed {
            Ok(tag) => tag.into(),
            Err(_) => unreachable!("a datagram is shorter than AES-GCM's limit"),
        }
    }

    fn open_gcm<A: Gcm>(&self, aead: &A, nonce: &[u8; 12], parts: Parts<'_>, tag: &[u8]) -> bool {
        let Parts { head, body, tail } = parts;
        let Ok(tag) = <[u8; MAX_TAG]>::try_from(tag) else { return false };
        self.with_associated(head, tail, |data| {
            aead.decrypt_in_place_detached(nonce.into(), data, body, (&tag).into()).is_ok()
        })
    }
}

/// AES-GCM with the lengths of RFC 7714.
trait Gcm: AeadInPlace<NonceSize = U12, TagSize = U16> {}
impl<A: AeadInPlace<NonceSize = U12, TagSize = U16>> Gcm for A {}

/// Key stream of AES in counter mode (RFC 3711, section 4.1.1).
fn counter(aes: &Aes128, salt: &[u8; 14], ssrc: [u8; 4], index: u64, body: &mut [u8]) {
    let mut iv = [0; 16];
    iv[..14].copy_from_slice(salt);
    mix(&mut iv[4..14], ssrc, index);
    let core = CtrCore::<_, flavors::Ctr128BE>::inner_iv_init(aes.clone(), &iv.into());
    StreamCipherCoreWrapper::from_core(core).apply_keystream(body);
}

/// RFC 7714, sections 8.1 and 9.1.
fn nonce(salt: &[u8; 12], ssrc: [u8; 4], index: u64) -> [u8; 12] {
    let mut nonce = *salt;
    mix(&mut nonce[2..12], ssrc, index);
    nonce
}

/// The source and the 48 bits of the index, into the salt.
fn mix(salt: &mut [u8], ssrc: [u8; 4], index: u64) {
    let index = &index.to_be_bytes()[2..];
    salt.iter_mut().zip(ssrc.iter().chain(index)).for_each(|(salt, octet)| *salt ^= octet);
}

/// The tag of HMAC-SHA1 (RFC 3711, section 4.2), as much of it as is ever sent.
fn code(auth: &Hmac<Sha1>, head: &[u8], body: &[u8], tail: [u8; 4]) -> [u8; MAX_TAG] {
    let mut auth = auth.clone();
    auth.update(head);
    auth.update(body);
    auth.update(&tail);
    let whole = auth.finalize().into_bytes();
    std::array::from_fn(|at| whole[at])
}

/// Key stream under the master key and `label` (RFC 3711, section 4.3.1, key derivation rate 0; for AES-GCM its salt is
/// filled up with zeros, RFC 7714, section 11).
pub(super) fn derived<const N: usize>(suite: SrtpSuite, key: &[u8], label: u8) -> [u8; N] {
    let (master, salt) = key.split_at(suite.cipher_key());
    let mut iv = [0; 16];
    iv[..salt.len()].copy_from_slice(salt);
    iv[7] ^= label;
    let mut out = [0; N];
    match (<[u8; 16]>::try_from(master), <[u8; 32]>::try_from(master)) {
        (Ok(master), _) => Ctr128BE::<Aes128>::new(&master.into(), &iv.into()).apply_keystream(&mut out),
        (_, Ok(master)) => Ctr128BE::<Aes256>::new(&master.into(), &iv.into()).apply_keystream(&mut out),
        _ => unreachable!("no suite has other keys"),
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{super::tests::hex, *};

    /// RFC 3711, appendix B.2.
    #[test]
    fn the_key_stream_is_that_of_the_rfc() {
        let key: [u8; 16] = hex("2B7E151628AED2A6ABF7158809CF4F3C").try_into().unwrap();
        let salt = hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD").try_into().unwrap();
        let mut stream = vec![0; 16 * 0xFF02];
        counter(&Aes128::new(&key.into()), &salt, [0; 4], 0, &mut stream);
        let rows = [
            (0, "E03EAD0935C95E80E166B16DD92B4EB4"),
            (1, "D23513162B02D0F72A43A2FE4A5F97AB"),
            (2, "41E95B3BB0A2E8DD477901E4FCA894C0"),
            (0xFEFF, "EC8CDF7398607CB0F2D21675EA9EA1E4"),
            (0xFF00, "362B7C3C6773516318A077D7FC5073AE"),
            (0xFF01, "6A2CC3787889374FBEB4C81B17BA6C44"),
        ];
        for (block, expected) in rows {
            assert_eq!(stream[block * 16..][..16], hex(expected), "block {block:x}");
        }
    }

    fn key(suite: SrtpSuite, label: u8) -> Vec<u8> {
        let master = SrtpKey::new(&hex("E1F97A0D3E018BE0D64FA32C06DE41390EC675AD498AFEEBB6960B3AABE6"));
        derived::<94>(suite, master.octets(suite), label).to_vec()
    }

    /// RFC 3711, appendix B.3.
    #[test]
    fn session_keys_are_those_of_the_rfc() {
        let rows = [
            (0, "C61E7A93744F39EE10734AFE3FF7A087"),
            (2, "30CBBC08863D8C85D49DB34A9AE1"),
            (
                1,
                "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA48F0A0ACF3C34E2359E6CDBCEE049646C43D9327AD175578EF722709863\
                 71C10C9A369AC2F94A8C5FBCDDDC256D6E919A48B610EF17C2041E474035766B68642C59BBFC2F34DB60DBDFB2",
            ),
        ];
        for (label, expected) in rows {
            let expected = hex(expected);
            let made = key(SrtpSuite::AesCm128HmacSha1_80, label);
            assert_eq!(made[..expected.len()], expected, "label {label}");
        }
    }

    /// RFC 7714, sections 16.1.1 and 17.1: a packet of RTP and one of RTCP.
    #[test]
    fn packets_of_aes_gcm_are_those_of_the_rfc() {
        let salt: [u8; 12] = hex("517569642070726f2071756f").try_into().unwrap();
        let rows = [
            (
                Kind::Rtp,
                0xf17b,
                "8040f17b8041f8d35501a0b2",
                "47616c6c696120657374206f6d6e69732064697669736120696e207061727465732074726573",
                "f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833\
                 899d7f27beb16a9152cf765ee4390cce",
            ),
            (
                Kind::Rtcp,
                0x5d4,
                "81c8000d4d617273",
                "4e5450314e545032525450200000042a0000e9304c756e61deadbeefdeadbeefdeadbeefdeadbeefdeadbeef",
                "63e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b4686303ded0bb9275b\
                 c84aa45896cf4d2fc5abf87245d9eade",
            ),
        ];
        for (kind, index, head, body, sealed) in rows {
            let key: [u8; 16] = std::array::from_fn(|at| at as u8);
            let mode = Mode::Gcm128 { aead: Box::new(Aes128Gcm::new(&key.into())), salt };
            let cipher = Cipher { mode, kind, tag: 16 };
            let (head, mut body, sealed) = (hex(head), hex(body), hex(sealed));
            let ssrc = head[head.len() - 4..].try_into().unwrap();
            let tail = (index as u32 | 1 << 31).to_be_bytes();
            let tag = cipher.seal(ssrc, index, Parts { head: &head, body: &mut body, tail });
            assert_eq!([&body[..], &tag].concat(), sealed, "{kind:?}");
            assert!(cipher.open(ssrc, index, Parts { head: &head, body: &mut body, tail }, &tag));
            assert!(!cipher.open(ssrc, index + 1, Parts { head: &head, body: &mut body, tail }, &tag));
        }
    }
}
