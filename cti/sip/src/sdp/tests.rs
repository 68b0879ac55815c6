//! Offers and answers, by literal descriptions.

use super::*;

fn answer(formats: &str, maps: &[&str]) -> Result<(String, Negotiated), SdpError> {
    let maps: String = maps.iter().map(|map| format!("a=rtpmap:{map}\r\n")).collect();
    let offer = format!(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP {formats}\r\n{maps}"
    );
    let ours = MediaDescription::new("192.0.2.9:5000".parse().unwrap());
    let (text, agreed) = Remote::parse(offer.as_bytes(), SrtpPolicy::Off)?
        .answer(&ours, &LocalOrigin { id: 1, version: 1 })?;
    Ok((String::from_utf8(text).unwrap(), agreed))
}

/// RFC 3264 6.1; payload types are the offerer's.
#[test]
fn other_codecs_than_g711_are_taken_where_the_offer_has_nothing_better() {
    let opus = "111 opus/48000/2";
    type Row<'a> = (&'a str, &'a [&'a str], Result<Codec, SdpError>, &'a str);
    let rows: [Row<'_>; 9] = [
        ("111 9 8", &[opus], Ok(Codec::Pcma), "8 PCMA/8000"),
        ("111 9 0", &[opus, "9 G722/8000"], Ok(Codec::Pcmu), "0 PCMU/8000"),
        ("111 9", &[opus], Ok(Codec::Opus(111)), "111 opus/48000/2"),
        ("9 111", &[opus, "9 G722/8000"], Ok(Codec::G722), "9 G722/8000"),
        ("100", &["100 L16/8000"], Ok(Codec::L16(100)), "100 L16/8000"),
        ("100", &["100 L16/8000/1"], Ok(Codec::L16(100)), "100 L16/8000"),
        ("100", &["100 L16/8000/2"], Err(SdpError::NoCodec), ""),
        ("100", &["100 L16/44100"], Err(SdpError::NoCodec), ""),
        ("18", &[], Err(SdpError::NoCodec), ""),
    ];
    for (formats, maps, codec, map) in rows {
        let got = answer(formats, maps);
        assert_eq!(got.as_ref().map(|(_, agreed)| agreed.codec).map_err(|e| *e), codec, "{formats} {maps:?}");
        if let Ok((text, agreed)) = got {
            let stream = format!("m=audio 5000 RTP/AVP {}\r\n", agreed.codec.payload_type());
            assert!(text.contains(&stream) && text.contains(&format!("a=rtpmap:{map}\r\n")), "{text}");
        }
    }
}

fn offered(profile: &str, lines: &str) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 {profile} 8\r\n{lines}"
    )
}

fn key(n: u8) -> String {
    let letters = String::from_utf8(vec![b'A' + n; 40]).unwrap();
    format!("inline:{letters}")
}

/// RFC 4568 5.1: what becomes of an offer by what we want.
#[test]
fn encryption_is_agreed_by_what_both_sides_want() {
    use SrtpPolicy::{Off, Optional, Required};
    let (one, two) = (key(1), key(2));
    let lines = format!(
        "a=crypto:3 F8_128_HMAC_SHA1_80 {two}\r\na=crypto:4 AES_CM_128_HMAC_SHA1_32 {one}\r\na=crypto:5 AES_CM_128_HMAC_SHA1_80 {two}\r\n"
    );
    let unknown = format!("a=crypto:3 F8_128_HMAC_SHA1_80 {two}\r\n");
    let plain = |lines| offered("RTP/AVP", lines);
    let secure = |lines| offered("RTP/SAVP", lines);
    let both = secure(&lines) + "m=audio 4002 RTP/AVP 8\r\n";
    let rows = [
        ("plain", plain(""), [Ok(false), Ok(false), Err(SdpError::NoKeys)]),
        ("plain with keys", plain(&lines), [Ok(false), Ok(true), Ok(true)]),
        ("secure", secure(&lines), [Err(SdpError::NoKeys), Ok(true), Ok(true)]),
        ("secure, unknown", secure(&unknown), [Err(SdpError::NoKeys); 3]),
        ("both", both.clone(), [Ok(false), Ok(true), Ok(true)]),
    ];
    for (what, offer, expected) in rows {
        for (policy, expected) in [Off, Optional, Required].into_iter().zip(expected) {
            let mut ours = MediaDescription::new("192.0.2.9:5000".parse().unwrap());
            ours.protect(policy, &mut Rng::new(&[1; 32]));
            let remote = Remote::parse(offer.as_bytes(), policy).unwrap();
            let got = remote.answer(&ours, &LocalOrigin { id: 1, version: 1 });
            let encrypted = got.as_ref().map(|(_, agreed)| agreed.srtp.is_some()).map_err(|e| *e);
            assert_eq!(encrypted, expected, "{what}, {policy:?}");
            let Ok((text, agreed)) = got else { continue };
            let text = String::from_utf8(text).unwrap();
            assert_eq!(text.matches("a=crypto").count(), usize::from(encrypted == Ok(true)), "{text}");
            let taken = if text.contains("m=audio 0 RTP/SAVP") { 4002 } else { 4000 };
            assert_eq!(agreed.remote.port(), taken, "{text}");
            if let Some(keys) = agreed.srtp {
                let line = ours.crypto.iter().find(|c| c.suite == keys.suite).unwrap().value();
                let (_, key) = line.split_once("inline:").unwrap();
                let line = format!("a=crypto:4 AES_CM_128_HMAC_SHA1_32 inline:{key}\r\n");
                assert!(text.contains(&line), "our key, the offer's number: {text}");
                assert_eq!(
                    Crypto::parse(&format!("4 AES_CM_128_HMAC_SHA1_32 {one}")).unwrap().key,
                    keys.theirs
                );
            }
        }
    }
}

#[test]
fn we_offer_keys_by_what_we_want() {
    for (policy, profile, keys) in [
        (SrtpPolicy::Off, "RTP/AVP", 0),
        (SrtpPolicy::Optional, "RTP/AVP", 4),
        (SrtpPolicy::Required, "RTP/SAVP", 4),
    ] {
        let mut ours = MediaDescription::new("192.0.2.9:5000".parse().unwrap());
        ours.protect(policy, &mut Rng::new(&[1; 32]));
        let offer = String::from_utf8(LocalOrigin { id: 1, version: 1 }.offer(&ours, None)).unwrap();
        assert!(offer.contains(&format!("m=audio 5000 {profile} 8 0 101\r\n")), "{offer}");
        assert_eq!(offer.matches("a=crypto:").count(), keys, "{offer}");
    }
}

/// RFC 5761 5.1.1: multiplexing is answered only where it was offered; RFC 3605: where reports go if not.
#[test]
fn reports_share_the_port_where_both_want_that_and_go_where_they_were_told_to_otherwise() {
    let rows = [
        ("", false, "192.0.2.1:4001"),
        ("a=rtcp-mux\r\n", true, "192.0.2.1:4001"),
        ("a=rtcp:4711\r\n", false, "192.0.2.1:4711"),
        ("a=rtcp:4711 IN IP4 192.0.2.7\r\na=rtcp-mux\r\n", true, "192.0.2.7:4711"),
        ("a=rtcp:nonsense\r\n", false, "192.0.2.1:4001"),
        ("a=rtcp:4711 IN IP4 nowhere\r\n", false, "192.0.2.1:4001"),
    ];
    for (lines, mux, addr) in rows {
        let offer = offered("RTP/AVP", lines);
        let ours = MediaDescription::new("192.0.2.9:5000".parse().unwrap());
        let remote = Remote::parse(offer.as_bytes(), SrtpPolicy::Off).unwrap();
        let (text, agreed) = remote.answer(&ours, &LocalOrigin { id: 1, version: 1 }).unwrap();
        assert_eq!(agreed.rtcp, Rtcp { mux, addr: addr.parse().unwrap() }, "{lines}");
        assert_eq!(String::from_utf8(text).unwrap().contains("a=rtcp-mux\r\n"), mux, "{lines}");
    }
}

#[test]
fn we_offer_g711_only() {
    let ours = MediaDescription::new("192.0.2.9:5000".parse().unwrap());
    let offer = String::from_utf8(LocalOrigin { id: 1, version: 1 }.offer(&ours, None)).unwrap();
    assert!(offer.contains("m=audio 5000 RTP/AVP 8 0 101\r\n"), "{offer}");
    assert!(offer.contains("a=rtcp-mux\r\n"), "{offer}");
}
