//! What a message costs: `cargo run --release -p demarc-sip --example cost`.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measurement reads the clock and prints"
)]
use demarc_model::Time;
use demarc_sip::{Config, Endpoint, MediaDescription, Output, Path, SessionEvent, Transport, Trunk};
use std::{net::SocketAddr, time::Instant};

fn main() {
    let (us, peer) = (SocketAddr::from(([192, 0, 2, 1], 5060)), SocketAddr::from(([192, 0, 2, 2], 5060)));
    let mut config = Config::new("192.0.2.1", us, [1; 32]);
    config.trunks.push(Trunk::new("peer", peer, Transport::Udp));
    let mut endpoint = Endpoint::new(Time::ZERO, config);
    let path = Path { transport: Transport::Udp, local: us, remote: peer };
    let body = "v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm=audio 6000 RTP/AVP 8 0 101\r\n\
        a=rtpmap:101 telephone-event/8000\r\n";
    let (calls, start) = (20_000_u64, Instant::now());
    for call in 0..calls {
        let now = Time::from_millis(call * 10);
        endpoint.handle_timeout(now);
        let message = |method: &str, cseq: u32, tag: &str, body: &str| {
            format!(
                "{method} sip:200@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bK{call}{method};rport\r\n\
                 Max-Forwards: 70\r\nFrom: <sip:100@192.0.2.2>;tag=f{call}\r\nTo: <sip:200@192.0.2.1>{tag}\r\n\
                 Call-ID: {call}@x\r\nCSeq: {cseq} {method}\r\nContact: <sip:100@192.0.2.2>\r\n\
                 Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
        };
        endpoint.handle_datagram(now, path, message("INVITE", 1, "", body).as_bytes());
        let mut tag = String::new();
        while let Some(output) = endpoint.poll_output() {
            match output {
                Output::Session(id, SessionEvent::Offered { .. }) => {
                    endpoint.ring(now, id);
                    endpoint.answer(now, id, MediaDescription::new(us));
                }
                Output::Datagram { data, .. } => {
                    let text = String::from_utf8_lossy(&data).into_owned();
                    let to = text.lines().find(|l| l.starts_with("To:")).unwrap_or_default();
                    tag = to.split_once(";tag").map(|(_, t)| format!(";tag{t}")).unwrap_or_default();
                }
                _ => {}
            }
        }
        endpoint.handle_datagram(now, path, message("ACK", 1, &tag, "").as_bytes());
        endpoint.handle_datagram(now, path, message("BYE", 2, &tag, "").as_bytes());
        while endpoint.poll_output().is_some() {}
    }
    let spent = start.elapsed();
    println!("{:.1} us a call (INVITE 180 200 ACK BYE 200)", spent.as_secs_f64() * 1e6 / calls as f64);
    println!(
        "{:.1} us a message in or out; {:?}",
        spent.as_secs_f64() * 1e6 / (calls * 6) as f64,
        endpoint.stats()
    );
}
