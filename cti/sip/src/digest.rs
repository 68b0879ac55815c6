//! Digest authentication as the server does it (RFC 7616, RFC 8760, RFC 3261 22).
use crate::{User, rng::Rng};
use demarc_model::Time;
use md5::Md5;
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, fmt::Write as _, time::Duration};
use subtle::ConstantTimeEq;

/// The hash of a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Md5,
    Sha256,
}

impl Algorithm {
    pub const fn word(self) -> &'static str {
        match self {
            Algorithm::Md5 => "MD5",
            Algorithm::Sha256 => "SHA-256",
        }
    }

    fn hash(self, text: &str) -> String {
        match self {
            Algorithm::Md5 => hex(&Md5::digest(text.as_bytes())),
            Algorithm::Sha256 => hex(&Sha256::digest(text.as_bytes())),
        }
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::with_capacity(octets.len() * 2), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}

/// The fields of an Authorization header (RFC 7616 3.4).
#[derive(Debug, Default)]
pub(crate) struct Authorization {
    pub username: String,
    realm: String,
    nonce: String,
    uri: String,
    response: String,
    algorithm: Option<String>,
    qop: Option<String>,
    nc: Option<String>,
    cnonce: Option<String>,
}

impl Authorization {
    /// `None` when the scheme is not Digest or a field is missing.
    pub fn parse(value: &[u8]) -> Option<Authorization> {
        let text = std::str::from_utf8(value).ok()?.trim();
        let (scheme, fields) = text.split_once(|c: char| c.is_ascii_whitespace())?;
        if !scheme.eq_ignore_ascii_case("Digest") {
            return None;
        }
        let mut auth = Authorization::default();
        for (name, value) in fields_of(fields) {
            match name.to_ascii_lowercase().as_str() {
                "username" => auth.username = value,
                "realm" => auth.realm = value,
                "nonce" => auth.nonce = value,
                "uri" => auth.uri = value,
                "response" => auth.response = value.to_ascii_lowercase(),
                "algorithm" => auth.algorithm = Some(value),
                "qop" => auth.qop = Some(value),
                "nc" => auth.nc = Some(value),
                "cnonce" => auth.cnonce = Some(value),
                _ => {}
            }
        }
        (!auth.username.is_empty() && !auth.nonce.is_empty() && !auth.response.is_empty()).then_some(auth)
    }

    /// What they were made for.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    fn algorithm(&self) -> Option<Algorithm> {
        match self.algorithm.as_deref() {
            None => Some(Algorithm::Md5),
            Some(word) if word.eq_ignore_ascii_case("MD5") => Some(Algorithm::Md5),
            Some(word) if word.eq_ignore_ascii_case("SHA-256") => Some(Algorithm::Sha256),
            Some(_) => None,
        }
    }

    /// What the response should be (RFC 7616 3.4.1); without qop as in RFC 2069.
    fn expected(&self, method: &str, password: &str) -> Option<String> {
        let hash = self.algorithm()?;
        let secret = hash.hash(&format!("{}:{}:{password}", self.username, self.realm));
        let request = hash.hash(&format!("{method}:{}", self.uri));
        Some(match self.qop.as_deref() {
            None => hash.hash(&format!("{secret}:{}:{request}", self.nonce)),
            Some(qop) if qop.eq_ignore_ascii_case("auth") => {
                let (nc, cnonce) = (self.nc.as_deref()?, self.cnonce.as_deref()?);
                hash.hash(&format!("{secret}:{}:{nc}:{cnonce}:{qop}:{request}", self.nonce))
            }
            Some(_) => return None,
        })
    }

    fn matches(&self, method: &str, password: &str) -> bool {
        let expected = self.expected(method, password);
        expected.is_some_and(|e| bool::from(e.as_bytes().ct_eq(self.response.as_bytes())))
    }
}

/// `name=value` and `name="value"` between commas; a comma inside quotes is none.
fn fields_of(text: &str) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    let mut rest = text;
    while let (Some((name, after)), true) = (rest.split_once('='), fields.len() < 32) {
        let after = after.trim_start();
        let (value, left) = match after.strip_prefix('"') {
            Some(quoted) => unquote(quoted),
            None => {
                let end = after.find(',').unwrap_or(after.len());
                (after[..end].trim().to_owned(), &after[end..])
            }
        };
        fields.push((name.trim().to_owned(), value));
        rest = left.trim_start().trim_start_matches(',').trim_start();
    }
    fields
}

fn unquote(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &text[at + 1..]),
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            _ => value.push(c),
        }
    }
    (value, "")
}

/// What became of a check.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is this user.
    User(String),
    /// The password is right but the nonce is old, or was used: ask again with `stale=true`.
    Stale,
    /// Unknown user or wrong password; which of both is not told.
    Wrong,
}

/// Makes nonces and checks answers. A nonce proves itself by its last part, so that only those which were answered
/// with a right password take room.
#[derive(Debug)]
pub(crate) struct Authenticator {
    realm: String,
    lifetime: Duration,
    secret: String,
    used: BTreeMap<String, u32>,
    capacity: usize,
    /// Nonces up to this one were forgotten and are not taken any more.
    forgotten: String,
}

impl Authenticator {
    pub fn new(realm: &str, lifetime: Duration, capacity: usize, rng: &mut Rng) -> Authenticator {
        let secret = format!("{}{}", rng.token(), rng.token());
        let forgotten = String::new();
        Authenticator { realm: realm.into(), lifetime, secret, used: BTreeMap::new(), capacity, forgotten }
    }

    /// The value of a WWW-Authenticate header.
    pub fn challenge(&self, now: Time, algorithm: Algorithm, stale: bool, rng: &mut Rng) -> String {
        let nonce = self.nonce(now, rng);
        let realm = self.realm.replace(['"', '\\', '\r', '\n'], "");
        let stale = if stale { ", stale=true" } else { "" };
        format!(
            "Digest realm=\"{realm}\", nonce=\"{nonce}\", algorithm={}, qop=\"auth\"{stale}",
            algorithm.word()
        )
    }

    fn nonce(&self, now: Time, rng: &mut Rng) -> String {
        let body = format!("{:012x}{}", now.0.as_millis() as u64, rng.token());
        let proof = self.proof(&body);
        body + &proof
    }

    fn proof(&self, body: &str) -> String {
        let mut proof = Algorithm::Sha256.hash(&format!("{}:{body}", self.secret));
        proof.truncate(32);
        proof
    }

    /// Checks an Authorization header of a request.
    pub fn check(&mut self, now: Time, auth: &Authorization, method: &str, users: &[User]) -> Verdict {
        let user = users.iter().map(|user| &user.credentials).find(|u| u.username == auth.username);
        // An unknown user costs the same work as a known one.
        let right = auth.matches(method, user.map_or("", |u| &u.password));
        let Some(user) = user.filter(|_| right && auth.realm == self.realm) else { return Verdict::Wrong };
        if self.fresh(now, auth) { Verdict::User(user.username.clone()) } else { Verdict::Stale }
    }

    fn fresh(&mut self, now: Time, auth: &Authorization) -> bool {
        let nonce = auth.nonce.as_str();
        let (Some(body), Some(proof)) = (nonce.get(..28), nonce.get(28..)) else { return false };
        let Some(made) = body.get(..12).and_then(|t| u64::from_str_radix(t, 16).ok()) else { return false };
        let genuine = bool::from(self.proof(body).as_bytes().ct_eq(proof.as_bytes()));
        if !genuine || now.since(Time::from_millis(made)) > self.lifetime || nonce <= self.forgotten.as_str()
        {
            return false;
        }
        // Without qop there is no count, so such a nonce is good once.
        let count = auth.nc.as_deref().map_or(Some(u32::MAX), |nc| u32::from_str_radix(nc, 16).ok());
        match (self.used.get(nonce), count) {
            (_, None) => false,
            (Some(last), Some(count)) if count <= *last => false,
            (_, Some(count)) => self.remember(nonce, count),
        }
    }

    fn remember(&mut self, nonce: &str, count: u32) -> bool {
        self.used.insert(nonce.into(), count);
        if self.used.len() > self.capacity
            && let Some((oldest, _)) = self.used.pop_first()
        {
            self.forgotten = oldest;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(method_fields: &str) -> Authorization {
        Authorization::parse(method_fields.as_bytes()).unwrap()
    }

    #[test]
    fn the_examples_of_the_rfcs_come_out() {
        let rfc2617 = header(concat!(
            "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", ",
            "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", uri=\"/dir/index.html\", qop=auth, nc=00000001, ",
            "cnonce=\"0a4f113b\", response=\"6629fae49393a05397450978507c4ef1\""
        ));
        assert!(rfc2617.matches("GET", "Circle Of Life"), "RFC 2617 3.5");
        assert!(!rfc2617.matches("GET", "Circle of Life") && !rfc2617.matches("PUT", "Circle Of Life"));
        let rfc7616 = "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", uri=\"/dir/index.html\", \
            nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", nc=00000001, qop=auth, \
            cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", algorithm=";
        let rows = [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ];
        for (word, response) in rows {
            let auth = header(&format!("{rfc7616}{word}, response=\"{response}\""));
            assert!(auth.matches("GET", "Circle of Life"), "RFC 7616 3.9.1, {word}");
            assert!(!auth.matches("GET", "circle of life"));
        }
    }

    fn answer(challenge: &str, password: &str, nc: u32) -> Authorization {
        let challenge = sipx_sip::auth::Challenge::parse(challenge.as_bytes(), false).unwrap();
        let credentials = sipx_sip::auth::Credentials::new("1001", password);
        header(&sipx_sip::auth::respond(&challenge, &credentials, "REGISTER", "sip:pbx", nc, "c"))
    }

    #[test]
    fn a_nonce_is_good_for_its_time_and_each_count_once() {
        let users = [User::new("1001", "secret")];
        for algorithm in [Algorithm::Md5, Algorithm::Sha256] {
            let mut rng = Rng::new(&[1; 32]);
            let mut server = Authenticator::new("pbx", Duration::from_secs(60), 2, &mut rng);
            let at = Time::from_millis;
            let challenge = server.challenge(at(0), algorithm, false, &mut rng);
            let mut check = |ms, auth: &Authorization| server.check(at(ms), auth, "REGISTER", &users);
            let known = || Verdict::User("1001".into());
            assert_eq!(check(0, &answer(&challenge, "wrong", 1)), Verdict::Wrong);
            assert_eq!(check(0, &answer(&challenge, "secret", 1)), known());
            assert_eq!(check(0, &answer(&challenge, "secret", 1)), Verdict::Stale, "replayed");
            assert_eq!(check(60_000, &answer(&challenge, "secret", 2)), known());
            assert_eq!(check(60_001, &answer(&challenge, "secret", 3)), Verdict::Stale, "too old");
            let forged = challenge.replace("nonce=\"0", "nonce=\"1");
            assert_eq!(check(1, &answer(&forged, "secret", 1)), Verdict::Stale, "not ours");
        }
    }

    #[test]
    fn a_forgotten_nonce_cannot_be_replayed() {
        let users = [User::new("1001", "secret")];
        let mut rng = Rng::new(&[1; 32]);
        let mut server = Authenticator::new("pbx", Duration::from_secs(60), 2, &mut rng);
        let challenges: Vec<String> = (0..3)
            .map(|ms| server.challenge(Time::from_millis(ms), Algorithm::Md5, false, &mut rng))
            .collect();
        for challenge in &challenges {
            let auth = answer(challenge, "secret", 1);
            assert_eq!(server.check(Time::ZERO, &auth, "REGISTER", &users), Verdict::User("1001".into()));
        }
        assert_eq!(server.used.len(), 2);
        let replayed = answer(&challenges[0], "secret", 1);
        assert_eq!(server.check(Time::ZERO, &replayed, "REGISTER", &users), Verdict::Stale);
    }
}
