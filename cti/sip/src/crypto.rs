//! Keys of SRTP in session descriptions: `a=crypto` (SDES, RFC 4568).
use crate::rng::Rng;
use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use demarc_model::{SrtpKey, SrtpKeys, SrtpSuite};

/// Whether sound is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SrtpPolicy {
    /// Never: no keys are offered, and none are taken.
    #[default]
    Off,
    /// Where the peer can: keys are offered beside plain RTP (`RTP/AVP` with `a=crypto`), and taken.
    Optional,
    /// Always: `RTP/SAVP` is offered, and what comes without keys is refused with 488.
    Required,
}

/// With padding as it comes or not: some leave it out (RFC 4568 6.1 discards it).
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// In the order in which we offer them.
const SUITES: [SrtpSuite; 4] = [
    SrtpSuite::AesCm128HmacSha1_80,
    SrtpSuite::AesCm128HmacSha1_32,
    SrtpSuite::AeadAes128Gcm,
    SrtpSuite::AeadAes256Gcm,
];

/// Its name in SDP.
const fn word(suite: SrtpSuite) -> &'static str {
    match suite {
        SrtpSuite::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
        SrtpSuite::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
        SrtpSuite::AeadAes128Gcm => "AEAD_AES_128_GCM",
        SrtpSuite::AeadAes256Gcm => "AEAD_AES_256_GCM",
    }
}

/// One `a=crypto`: a suite, and the key of the one who describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crypto {
    /// Its number among those offered.
    pub tag: u32,
    /// How.
    pub suite: SrtpSuite,
    /// With what the describer sends.
    pub key: SrtpKey,
}

impl Crypto {
    /// One of each suite, with keys that are in no other.
    pub(crate) fn fresh(rng: &mut Rng) -> Vec<Crypto> {
        let mut key = |suite: SrtpSuite| {
            let mut octets = [0; SrtpKey::LENGTH];
            rng.fill(&mut octets);
            SrtpKey::new(&octets[..suite.key_length()])
        };
        (1..).zip(SUITES).map(|(tag, suite)| Crypto { tag, suite, key: key(suite) }).collect()
    }

    /// Reads the value of `a=crypto` (RFC 4568 9.1). `None` for a suite that we have not, and for what we cannot do: keys
    /// by name (MKI), parts left unprotected, forward error correction.
    pub(crate) fn parse(value: &str) -> Option<Crypto> {
        let mut words = value.split_ascii_whitespace();
        let tag = words.next().filter(|tag| tag.len() <= 9)?.parse().ok()?;
        let name = words.next()?;
        let suite = SUITES.into_iter().find(|suite| word(*suite).eq_ignore_ascii_case(name))?;
        let (method, parameters) = words.next()?.split_once(':')?;
        // An optional lifetime, which is longer than calls are, and then a key's name.
        let mut parameters = parameters.split('|');
        let key = BASE64.decode(parameters.next()?).ok().filter(|key| key.len() == suite.key_length())?;
        let named = parameters.any(|parameter| parameter.contains(':'));
        let harmless = |word: &str| word.starts_with("WSH=") || word.starts_with('-');
        let known = method.eq_ignore_ascii_case("inline") && !named && words.all(harmless);
        known.then(|| Crypto { tag, suite, key: SrtpKey::new(&key) })
    }

    /// The value of `a=crypto`.
    pub(crate) fn value(&self) -> String {
        format!("{} {} inline:{}", self.tag, word(self.suite), BASE64.encode(self.key.octets(self.suite)))
    }
}

/// The first of the peer's suites that we have a key for.
pub(crate) fn common(theirs: &[Crypto], ours: &[Crypto]) -> Option<SrtpKeys> {
    theirs.iter().find_map(|theirs| {
        let ours = ours.iter().find(|ours| ours.suite == theirs.suite)?;
        Some(SrtpKeys { suite: theirs.suite, ours: ours.key, theirs: theirs.key })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR";

    /// RFC 4568 5.1, 6.1 and 9.1.
    #[test]
    fn lines_are_read_where_all_they_ask_for_can_be_done() {
        let good = format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}");
        let crypto = Crypto::parse(&good).unwrap();
        assert_eq!((crypto.tag, crypto.suite), (1, SrtpSuite::AesCm128HmacSha1_80));
        assert_eq!(&crypto.key.octets(crypto.suite)[..4], b"=-n@");
        assert_eq!(crypto.value(), good);
        let rows = [
            (format!("{good}|2^20"), true),
            (format!("{good}|2^20 WSH=128 -x"), true),
            (format!("7 aes_cm_128_hmac_sha1_32 INLINE:{KEY}"), true),
            (format!("{good}|2^20|1:4"), false),
            (format!("{good}|1:4"), false),
            (format!("{good} UNENCRYPTED_SRTP"), false),
            (format!("{good} KDR=1"), false),
            (format!("{good};inline:{KEY}"), false),
            (format!("1 F8_128_HMAC_SHA1_80 inline:{KEY}"), false),
            (format!("1 AEAD_AES_128_GCM inline:{KEY}"), false),
            (format!("1 AES_CM_128_HMAC_SHA1_80 uri:{KEY}"), false),
            (format!("1234567890 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"), false),
            ("1 AES_CM_128_HMAC_SHA1_80 inline:!".into(), false),
            ("1 AES_CM_128_HMAC_SHA1_80".into(), false),
            (String::new(), false),
        ];
        for (value, taken) in rows {
            assert_eq!(Crypto::parse(&value).is_some(), taken, "{value}");
        }
    }

    #[test]
    fn what_is_made_is_read_again_and_shown_to_nobody() {
        let mut rng = Rng::new(&[7; 32]);
        let (first, second) = (Crypto::fresh(&mut rng), Crypto::fresh(&mut rng));
        assert_eq!(first.len(), SUITES.len());
        let mut keys: Vec<&[u8]> =
            first.iter().chain(&second).map(|c| &c.key.octets(c.suite)[..16]).collect();
        for crypto in &first {
            assert_eq!(Crypto::parse(&crypto.value()), Some(*crypto));
            assert!(
                !format!("{crypto:?}").contains(&format!("{:?}", crypto.key.octets(crypto.suite)[0])),
                "{crypto:?}"
            );
        }
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 2 * SUITES.len(), "each key is used once");
    }
}
