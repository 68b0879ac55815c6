//! Where a program is.

use super::Program;
use toml::Spanned;

/// How a program is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// By a WebSocket.
    WebSocket(WebSocketUrl),
    /// By Asterisk's AudioSocket protocol, at `HOST:PORT`.
    AudioSocket(String),
}

/// A `ws://` URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSocketUrl {
    /// As it was written.
    pub url: String,
    /// `HOST:PORT`.
    pub authority: String,
}

impl Program {
    /// How it is reached; or where the mistake is, and what to write instead.
    ///
    /// # Errors
    /// As said.
    pub fn endpoint(&self) -> Result<Endpoint, (&Spanned<String>, String)> {
        match (&self.url, &self.audiosocket) {
            (Some(url), None) => {
                parse_url(url.get_ref()).map(Endpoint::WebSocket).map_err(|problem| (url, problem))
            }
            (None, Some(address)) => match host_and_port(address.get_ref()) {
                true => Ok(Endpoint::AudioSocket(address.get_ref().clone())),
                false => Err((
                    address,
                    format!("\"{}\" is no place; write HOST:PORT, such as 127.0.0.1:9092", address.get_ref()),
                )),
            },
            (None, None) | (Some(_), Some(_)) => Err((
                &self.name,
                format!("program \"{}\" needs one of url and audiosocket", self.name.get_ref()),
            )),
        }
    }
}

fn parse_url(url: &str) -> Result<WebSocketUrl, String> {
    // A URL may have a password in it: it is not repeated.
    let wrong = || "that is no WebSocket; write ws://HOST:PORT/PATH".to_owned();
    if url.starts_with("wss://") {
        return Err("there is no TLS here; write ws:// to a proxy on this machine that has it".into());
    }
    let uri: axum::http::Uri = url.parse().map_err(|_| wrong())?;
    let authority = uri.authority().filter(|_| uri.scheme_str() == Some("ws")).ok_or_else(wrong)?;
    if authority.as_str().contains('@') {
        return Err("no password is sent; leave out what stands before the @".into());
    }
    let (host, rest) = (authority.host(), authority.as_str().strip_prefix(authority.host()));
    let port = match rest {
        None | Some("") => 80,
        Some(_) => authority.port_u16().filter(|port| *port > 0).ok_or_else(wrong)?,
    };
    Ok(WebSocketUrl { url: url.into(), authority: format!("{host}:{port}") })
}

fn host_and_port(text: &str) -> bool {
    let split = text.rsplit_once(':');
    split.is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0))
}

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use std::path::Path;

    fn error(program: &str) -> String {
        let text = format!("[[program]]\nname = \"bot\"\n{program}\n");
        Config::parse(Path::new("demarc.toml"), &text).map(drop).expect_err("is wrong").to_string()
    }

    #[test]
    fn each_mistake_in_a_program_names_its_line_and_the_remedy() {
        let rows = [
            ("", ":2:", "one of url and audiosocket"),
            ("url = \"ws://a:1/\"\naudiosocket = \"a:1\"", ":2:", "one of url and audiosocket"),
            ("url = \"http://a/\"", ":3:", "ws://HOST:PORT/PATH"),
            ("url = \"wss://a/\"", ":3:", "no TLS"),
            ("url = \"ws://me:secret@a/\"", ":3:", "no password"),
            ("url = \"ws://a:70000/\"", ":3:", "ws://HOST:PORT/PATH"),
            ("url = \"ws://a:/\"", ":3:", "ws://HOST:PORT/PATH"),
            ("url = \"ws://a:0/\"", ":3:", "ws://HOST:PORT/PATH"),
            ("audiosocket = \"9092\"", ":3:", "HOST:PORT"),
            ("audiosocket = \"a:70000\"", ":3:", "HOST:PORT"),
            ("audiosocket = \"a:1\"\nrate = 44100", ":4:", "8000 or 16000"),
            ("audiosocket = \"a:1\"\nconnect_seconds = 0", ":4:", "1 to 60"),
            ("audiosocket = \"a:1\"\nbuffer_seconds = 301", ":4:", "1 to 300"),
            ("audiosocket = \"a:1\"\nthen = \"program:cat\"", ":4:", "no program \"cat\""),
            ("audiosocket = \"a:1\"\nspeed = 1", ":4:", "unknown field `speed`"),
            ("audiosocket = \"a:1\"\n[[route]]\nnumber = \"1\"\nto = [\"program:dog\"]", ":6:", "bot"),
        ];
        for (program, line, remedy) in rows {
            let message = error(program);
            assert!(message.contains(line) && message.contains(remedy), "{program}: {message}");
        }
    }

    #[test]
    fn places_are_read() {
        let text = "[[program]]\nname = \"a\"\nurl = \"ws://[::1]:9/x?y=1\"\nthen = \"program:b\"\n\
                    [[program]]\nname = \"b\"\naudiosocket = \"localhost:9092\"\n";
        let config = Config::parse(Path::new("demarc.toml"), text).unwrap();
        let places: Vec<_> = config.programs.iter().map(|p| p.endpoint().unwrap()).collect();
        let super::Endpoint::WebSocket(url) = &places[0] else { panic!("{places:?}") };
        assert_eq!((url.authority.as_str(), url.url.as_str()), ("[::1]:9", "ws://[::1]:9/x?y=1"));
        assert_eq!(places[1], super::Endpoint::AudioSocket("localhost:9092".into()));
        assert_eq!(
            (*config.programs[0].rate.get_ref(), *config.programs[0].buffer_seconds.get_ref()),
            (8000, 20)
        );
    }
}
