//! Session descriptions: offer and answer for telephone audio (RFC 3264, RFC 8866, RFC 4733).
use crate::{
    crypto::{self, Crypto, SrtpPolicy},
    rng::Rng,
};
use demarc_model::SrtpKeys;
use sdp_types::{Attribute, Connection, Media, MediaType, Origin, RtpMap, Session, Time, TransportProto};
use std::net::{IpAddr, SocketAddr};

/// A codec of telephone audio. Those without a static payload type (RFC 3551 table 4) have with them the one that the
/// offerer gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// G.711 mu-law, payload type 0.
    Pcmu,
    /// G.711 A-law, payload type 8.
    Pcma,
    /// G.722, payload type 9.
    G722,
    /// Opus (RFC 7587).
    Opus(u8),
    /// Linear, 16 bits, 8000 Hz.
    L16(u8),
}

impl Codec {
    /// The RTP payload type.
    pub const fn payload_type(self) -> u8 {
        match self {
            Codec::Pcmu => 0,
            Codec::Pcma => 8,
            Codec::G722 => 9,
            Codec::Opus(payload) | Codec::L16(payload) => payload,
        }
    }

    /// Name, clock rate and channels as in `a=rtpmap`: G.722 says 8000 (RFC 3551 4.5.2), Opus always two channels
    /// (RFC 7587 7).
    const fn encoding(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU/8000",
            Codec::Pcma => "PCMA/8000",
            Codec::G722 => "G722/8000",
            Codec::Opus(_) => "opus/48000/2",
            Codec::L16(_) => "L16/8000",
        }
    }

    /// What a line carries as it is.
    const fn is_g711(self) -> bool {
        matches!(self, Codec::Pcmu | Codec::Pcma)
    }

    /// Whether they are the same but for the payload type.
    fn is_like(self, other: Codec) -> bool {
        self.encoding() == other.encoding()
    }
}

/// Which way media flows, seen from the one who describes it (RFC 8866 6.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Both ways.
    #[default]
    SendRecv,
    /// It only sends: we are on hold, perhaps with music.
    SendOnly,
    /// It only receives.
    RecvOnly,
    /// Nothing flows.
    Inactive,
}

impl Direction {
    const fn word(self) -> &'static str {
        match self {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::RecvOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }

    /// Whether the describer sends.
    pub const fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }

    /// Whether the describer receives.
    pub const fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }

    const fn of(sends: bool, receives: bool) -> Direction {
        match (sends, receives) {
            (true, true) => Direction::SendRecv,
            (true, false) => Direction::SendOnly,
            (false, true) => Direction::RecvOnly,
            (false, false) => Direction::Inactive,
        }
    }
}

/// Where one side wants the reports about a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rtcp {
    /// It can take them on the stream's own port (`a=rtcp-mux`, RFC 5761).
    pub mux: bool,
    /// Where they go if not there: where `a=rtcp` says (RFC 3605), or the port above the stream's (RFC 3550 11).
    pub addr: SocketAddr,
}

/// One audio stream as one side describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaDescription {
    /// Where the describer wants its RTP. An unspecified address is the old way to say hold (RFC 2543).
    pub addr: SocketAddr,
    /// What it can do, the best first. Only what we know; empty when there is none.
    pub codecs: Vec<Codec>,
    /// The payload type it gives telephone-event at 8000 Hz, where it takes that.
    pub dtmf: Option<u8>,
    /// Milliseconds of sound a packet.
    pub ptime: u8,
    /// Which way.
    pub direction: Direction,
    /// What it can protect its packets with, the best first; empty when with nothing (RFC 4568).
    pub crypto: Vec<Crypto>,
    /// Nothing goes unprotected: the profile is `RTP/SAVP`.
    pub secure: bool,
    /// Where it wants its RTCP.
    pub rtcp: Rtcp,
}

impl MediaDescription {
    /// What we can by default: A-law, mu-law, and where an offer has neither, G.722, Opus or L16; telephone-event 101,
    /// 20 ms, both ways.
    pub fn new(addr: SocketAddr) -> MediaDescription {
        MediaDescription {
            addr,
            codecs: vec![Codec::Pcma, Codec::Pcmu, Codec::G722, Codec::Opus(96), Codec::L16(97)],
            dtmf: Some(101),
            ptime: 20,
            direction: Direction::SendRecv,
            crypto: Vec::new(),
            secure: false,
            rtcp: Rtcp { mux: true, addr: above(addr) },
        }
    }

    /// Gives it keys that are in no other, where they are wanted.
    pub(crate) fn protect(&mut self, policy: SrtpPolicy, rng: &mut Rng) {
        self.crypto = if policy == SrtpPolicy::Off { Vec::new() } else { Crypto::fresh(rng) };
        self.secure = policy == SrtpPolicy::Required;
    }

    /// Gives it new keys but for the one in use: with that of a suite that was left, packets were protected already.
    pub(crate) fn renew_unused(&mut self, in_use: Option<SrtpKeys>, rng: &mut Rng) {
        let fresh = Crypto::fresh(rng);
        for crypto in &mut self.crypto {
            let used = in_use.is_some_and(|keys| keys.suite == crypto.suite);
            if let Some(fresh) = fresh.iter().find(|fresh| !used && fresh.suite == crypto.suite) {
                *crypto = *fresh;
            }
        }
    }

    const fn profile(&self) -> &'static str {
        if self.secure { "RTP/SAVP" } else { "RTP/AVP" }
    }

    /// Whether one side could take it: all may be protected, or need not.
    fn suits(&self, policy: SrtpPolicy) -> bool {
        match policy {
            SrtpPolicy::Off => !self.secure,
            SrtpPolicy::Optional => !self.secure || !self.crypto.is_empty(),
            SrtpPolicy::Required => !self.crypto.is_empty(),
        }
    }
}

/// What two sides agreed on, seen from us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// Where our RTP goes.
    pub remote: SocketAddr,
    /// The codec, both ways.
    pub codec: Codec,
    /// The payload type of telephone-event, both ways.
    pub dtmf: Option<u8>,
    /// Milliseconds of sound a packet that we send.
    pub ptime: u8,
    /// Whether we may send.
    pub send: bool,
    /// Whether the peer sends.
    pub receive: bool,
    /// With what packets are protected, where they are.
    pub srtp: Option<SrtpKeys>,
    /// Where our reports go; with `mux` in it, ours and theirs share the stream's ports.
    pub rtcp: Rtcp,
}

/// Why a session description is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// It does not parse: 400.
    #[error("the session description does not parse")]
    Syntax,
    /// There is no audio stream over RTP/AVP with an address in it: 488.
    #[error("no usable audio stream is described")]
    NoAudio,
    /// No codec is known to both sides: 488.
    #[error("no codec in common")]
    NoCodec,
    /// One side wants encryption, and there is none that both have: 488.
    #[error("no keys of SRTP in common")]
    NoKeys,
}

/// A session description that arrived: kept whole, because the answer must mirror its streams (RFC 3264 6).
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    session: Session,
    audio: usize,
    /// The one stream that we can use.
    pub media: MediaDescription,
}

impl Remote {
    /// Of several streams the first is taken that suits the policy: one offered encrypted may be offered plain as well.
    pub fn parse(body: &[u8], policy: SrtpPolicy) -> Result<Remote, SdpError> {
        let session = Session::parse(body).map_err(|_| SdpError::Syntax)?;
        let described = session.medias.iter().enumerate();
        let streams: Vec<_> =
            described.filter_map(|(at, m)| Some((at, describe(&session, m)?))).take(8).collect();
        let suits = streams.iter().position(|(_, media)| media.suits(policy));
        let found = streams.into_iter().nth(suits.unwrap_or(0));
        let (audio, media) = found.ok_or(SdpError::NoAudio)?;
        Ok(Remote { session, audio, media })
    }

    /// The answer to this offer: every stream in the order offered, all but ours with port 0 (RFC 3264 6).
    pub fn answer(
        &self,
        ours: &MediaDescription,
        origin: &LocalOrigin,
    ) -> Result<(Vec<u8>, Negotiated), SdpError> {
        let agreed = negotiate(&self.media, ours)?;
        let answered = MediaDescription {
            codecs: vec![agreed.codec],
            dtmf: agreed.dtmf,
            direction: Direction::of(agreed.send, agreed.receive),
            crypto: self.chosen(&agreed).into_iter().collect(),
            rtcp: Rtcp { mux: agreed.rtcp.mux, ..ours.rtcp },
            ..ours.clone()
        };
        let mut answer = origin.session(ours.addr.ip());
        answer.medias = self.streams(|offered| stream(&answered, &offered.proto));
        Ok((write(&answer), agreed))
    }

    /// A description's streams in the order of this one: `ours` in the place of the one that we can use.
    fn streams(&self, ours: impl Fn(&Media) -> Media) -> Vec<Media> {
        let place = |(at, offered)| if at == self.audio { ours(offered) } else { refused(offered) };
        self.session.medias.iter().enumerate().map(place).collect()
    }

    /// The one that we answer with: our key under the number that it was offered with (RFC 4568 5.1.2).
    fn chosen(&self, agreed: &Negotiated) -> Option<Crypto> {
        let keys = agreed.srtp?;
        let offered = self.media.crypto.iter().find(|offered| offered.suite == keys.suite)?;
        Some(Crypto { key: keys.ours, ..*offered })
    }
}

/// Who we are in `o=`: the id stays for a session, the version rises with every change (RFC 3264 8).
#[derive(Clone, Debug)]
pub(crate) struct LocalOrigin {
    pub id: u64,
    pub version: u64,
}

impl LocalOrigin {
    fn session(&self, ip: IpAddr) -> Session {
        let mut session = Session::new(Origin::with_ip_addr(self.id, self.version, ip), "-");
        session.origin.username = Some("-".into());
        session.set_connection(Connection::from_ip_addr(ip));
        session.add_time(Time::new(0, 0));
        session
    }

    /// Who we are in the next description.
    pub fn next(&self) -> LocalOrigin {
        LocalOrigin { id: self.id, version: self.version + 1 }
    }

    /// Our description: the answer to an offer with what is agreed by it, or an offer where there is none. `None` when
    /// nothing can be agreed.
    pub fn describe(
        &self,
        ours: &MediaDescription,
        offer: Option<&Remote>,
        before: Option<&Remote>,
    ) -> Option<(Vec<u8>, Option<Negotiated>)> {
        let Some(offer) = offer else { return Some((self.offer(ours, before), None)) };
        offer.answer(ours, self).ok().map(|(body, agreed)| (body, Some(agreed)))
    }

    /// Offers G.711 only, which every peer has: a line's octets pass as they are. Streams that the peer offered `before` stay
    /// in their places, ours with its profile (RFC 3264 8).
    pub fn offer(&self, ours: &MediaDescription, before: Option<&Remote>) -> Vec<u8> {
        let mut session = self.session(ours.addr.ip());
        let codecs = ours.codecs.iter().copied().filter(|codec| codec.is_g711()).collect();
        let ours = MediaDescription { codecs, ..ours.clone() };
        session.medias = match before {
            Some(before) => before.streams(|offered| stream(&ours, &offered.proto)),
            None => vec![stream(&ours, ours.profile())],
        };
        write(&session)
    }
}

fn write(session: &Session) -> Vec<u8> {
    let mut text = Vec::new();
    match session.write(&mut text) {
        Ok(()) => text,
        Err(_) => Vec::new(),
    }
}

/// What both sides can do, in the order of the offer: the first codec offered that we have as well (RFC 3264 6.1), but
/// G.711 before others, so that nothing is transcoded without need.
pub fn negotiate(offer: &MediaDescription, ours: &MediaDescription) -> Result<Negotiated, SdpError> {
    let known = |codec: &&Codec| ours.codecs.iter().any(|our| our.is_like(**codec));
    let mut common = offer.codecs.iter().filter(known);
    let first = common.clone().find(|codec| codec.is_g711()).or_else(|| common.next());
    let codec = first.ok_or(SdpError::NoCodec)?;
    let srtp = crypto::common(&offer.crypto, &ours.crypto);
    if srtp.is_none() && (offer.secure || ours.secure) {
        return Err(SdpError::NoKeys);
    }
    let held = offer.addr.ip().is_unspecified();
    Ok(Negotiated {
        remote: offer.addr,
        codec: *codec,
        dtmf: offer.dtmf.filter(|_| ours.dtmf.is_some()),
        ptime: offer.ptime,
        send: offer.direction.receives() && ours.direction.sends() && !held,
        receive: offer.direction.sends() && ours.direction.receives(),
        srtp,
        rtcp: Rtcp { mux: offer.rtcp.mux && ours.rtcp.mux, ..offer.rtcp },
    })
}

fn stream(media: &MediaDescription, proto: &str) -> Media {
    let types = media.codecs.iter().map(|c| c.payload_type()).chain(media.dtmf);
    let formats: Vec<String> = types.map(|t| t.to_string()).collect();
    let mut out = Media::new(MediaType::Audio, media.addr.port(), TransportProto::RtpAvp, formats.join(" "));
    out.proto = proto.into();
    for codec in &media.codecs {
        let map = format!("{} {}", codec.payload_type(), codec.encoding());
        out.attributes.push(Attribute::with_value("rtpmap", map));
    }
    if let Some(dtmf) = media.dtmf {
        out.attributes.push(Attribute::with_value("rtpmap", format!("{dtmf} telephone-event/8000")));
        out.attributes.push(Attribute::with_value("fmtp", format!("{dtmf} 0-15")));
    }
    for crypto in &media.crypto {
        out.attributes.push(Attribute::with_value("crypto", crypto.value()));
    }
    out.attributes.push(Attribute::with_value("ptime", media.ptime));
    if media.rtcp.mux {
        out.attributes.push(Attribute::new("rtcp-mux"));
    }
    out.attributes.push(Attribute::new(media.direction.word()));
    out
}

fn refused(offered: &Media) -> Media {
    let mut out = Media::new(MediaType::Audio, 0, TransportProto::RtpAvp, &offered.fmt);
    out.media.clone_from(&offered.media);
    out.proto.clone_from(&offered.proto);
    out
}

/// `None` when the stream is not telephone audio, or was refused by port 0.
fn describe(session: &Session, media: &Media) -> Option<MediaDescription> {
    let secure = matches!(media.proto.as_str(), "RTP/SAVP" | "RTP/SAVPF");
    let plain = matches!(media.proto.as_str(), "RTP/AVP" | "RTP/AVPF");
    if media.media != "audio" || media.port == 0 || !(secure || plain) {
        return None;
    }
    let connection = media.connections.first().or(session.connection.as_ref())?;
    let ip: IpAddr = connection.connection_address.split('/').next()?.parse().ok()?;
    let mut described = MediaDescription {
        addr: SocketAddr::new(ip, media.port),
        codecs: Vec::new(),
        dtmf: None,
        ptime: ptime(media).unwrap_or(20),
        direction: direction(session, media),
        crypto: offered_keys(media),
        secure,
        rtcp: rtcp(media, SocketAddr::new(ip, media.port)),
    };
    for payload in media.fmt.split_whitespace().take(64).filter_map(|f| f.parse::<u8>().ok()) {
        match encoding(media, payload) {
            Some(Encoding::Codec(codec)) if !described.codecs.iter().any(|known| known.is_like(codec)) => {
                described.codecs.push(codec)
            }
            Some(Encoding::Dtmf) if described.dtmf.is_none() => described.dtmf = Some(payload),
            _ => {}
        }
    }
    Some(described)
}

fn offered_keys(media: &Media) -> Vec<Crypto> {
    let lines = media.attributes.iter().filter(|attribute| attribute.attribute == "crypto").take(16);
    lines.filter_map(|line| Crypto::parse(line.value.as_deref()?)).collect()
}

enum Encoding {
    Codec(Codec),
    Dtmf,
}

/// G.711 only by its static payload types: a dynamic number for it would need one number a direction.
fn encoding(media: &Media, payload: u8) -> Option<Encoding> {
    let map = media.attributes_typed::<RtpMap>().filter_map(Result::ok).find(|m| m.payload_type == payload);
    match (payload, map) {
        (0, None) => Some(Encoding::Codec(Codec::Pcmu)),
        (8, None) => Some(Encoding::Codec(Codec::Pcma)),
        (9, None) => Some(Encoding::Codec(Codec::G722)),
        (96..=127, Some(map))
            if map.clock_rate == 48_000 && map.encoding_name.eq_ignore_ascii_case("opus") =>
        {
            Some(Encoding::Codec(Codec::Opus(payload)))
        }
        (_, Some(map)) if map.clock_rate != 8000 => None,
        (0, Some(map)) if map.encoding_name.eq_ignore_ascii_case("PCMU") => {
            Some(Encoding::Codec(Codec::Pcmu))
        }
        (8, Some(map)) if map.encoding_name.eq_ignore_ascii_case("PCMA") => {
            Some(Encoding::Codec(Codec::Pcma))
        }
        (9, Some(map)) if map.encoding_name.eq_ignore_ascii_case("G722") => {
            Some(Encoding::Codec(Codec::G722))
        }
        (96..=127, Some(map)) if map.encoding_name.eq_ignore_ascii_case("L16") && is_mono(&map) => {
            Some(Encoding::Codec(Codec::L16(payload)))
        }
        (96..=127, Some(map)) if map.encoding_name.eq_ignore_ascii_case("telephone-event") => {
            Some(Encoding::Dtmf)
        }
        _ => None,
    }
}

fn is_mono(map: &RtpMap) -> bool {
    map.encoding_params.as_deref().is_none_or(|channels| channels == "1")
}

fn ptime(media: &Media) -> Option<u8> {
    let ms: u8 = media.get_first_attribute_value("ptime")??.trim().parse().ok()?;
    (10..=100).contains(&ms).then_some(ms)
}

/// RFC 3605 2.1: the port, and the address where it is another one.
fn rtcp(media: &Media, rtp: SocketAddr) -> Rtcp {
    let told = media.get_first_attribute_value("rtcp").flatten().and_then(|value| {
        let mut words = value.split_whitespace();
        let port = words.next()?.parse().ok().filter(|port| *port != 0)?;
        let ip = words.nth(2).map_or(Some(rtp.ip()), |ip| ip.parse().ok())?;
        Some(SocketAddr::new(ip, port))
    });
    Rtcp { mux: media.has_attribute("rtcp-mux"), addr: told.unwrap_or_else(|| above(rtp)) }
}

fn above(mut rtp: SocketAddr) -> SocketAddr {
    rtp.set_port(rtp.port().saturating_add(1));
    rtp
}

fn direction(session: &Session, media: &Media) -> Direction {
    const WORDS: [Direction; 4] =
        [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive];
    let at_media = WORDS.into_iter().find(|d| media.has_attribute(d.word()));
    at_media.or_else(|| WORDS.into_iter().find(|d| session.has_attribute(d.word()))).unwrap_or_default()
}

#[cfg(test)]
mod tests;
