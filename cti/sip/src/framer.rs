//! Messages out of a stream (RFC 3261 18.3), in a bounded buffer.

/// What was found in a stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// A whole message.
    Message(Vec<u8>),
    /// A keep-alive that wants an answer (RFC 5626 3.5.1).
    Ping,
    /// The stream cannot be cut any more; these are the header fields of the message, where they are whole.
    Broken { head: Vec<u8>, status: u16, reason: &'static str },
}

#[derive(Debug)]
pub(crate) struct Framer {
    buffer: Vec<u8>,
    /// Where the search for the end of the head goes on, so that a slow peer does not cost a search an octet.
    searched: usize,
    limit: usize,
    broken: bool,
}

impl Framer {
    pub fn new(limit: usize) -> Framer {
        Framer { buffer: Vec::new(), searched: 0, limit, broken: false }
    }

    /// Takes octets in; the frames that they complete come by [`Framer::next`].
    pub fn push(&mut self, data: &[u8]) {
        if !self.broken {
            self.buffer.extend_from_slice(data);
        }
    }

    pub fn next(&mut self) -> Option<Frame> {
        if self.broken {
            return None;
        }
        if self.buffer.starts_with(b"\r\n\r\n") {
            self.buffer.drain(..4);
            return Some(Frame::Ping);
        }
        if self.buffer.starts_with(b"\r\n") {
            // Half a ping, or the single CRLF before a message: only more octets tell.
            if self.buffer.len() < 4 && self.buffer.get(2).is_none_or(|c| *c == b'\r') {
                return None;
            }
            self.buffer.drain(..2);
        }
        let Some(head) = self.head() else {
            return (self.buffer.len() > self.limit).then(|| self.fail(Vec::new(), 513, "message too large"));
        };
        let headers = self.buffer[..head].to_vec();
        let Some(body) = content_length(&headers) else {
            return Some(self.fail(headers, 400, "no content length"));
        };
        if head.saturating_add(body) > self.limit {
            return Some(self.fail(headers, 513, "message too large"));
        }
        if self.buffer.len() < head + body {
            return None;
        }
        self.searched = 0;
        Some(Frame::Message(self.buffer.drain(..head + body).collect()))
    }

    fn head(&mut self) -> Option<usize> {
        let from = self.searched.min(self.buffer.len());
        let found = self.buffer[from..].windows(4).position(|w| w == b"\r\n\r\n").map(|at| from + at + 4);
        self.searched = found.map_or(self.buffer.len().saturating_sub(3), |_| from);
        found
    }

    fn fail(&mut self, head: Vec<u8>, status: u16, reason: &'static str) -> Frame {
        self.broken = true;
        self.buffer = Vec::new();
        Frame::Broken { head, status, reason }
    }
}

/// `None` when it is missing, no number, or given twice: then nothing tells where the message ends.
fn content_length(head: &[u8]) -> Option<usize> {
    let mut lengths = head.split(|c| *c == b'\n').filter_map(|line| {
        let (name, value) = std::str::from_utf8(line).ok()?.split_once(':')?;
        let name = name.trim_end();
        (name.eq_ignore_ascii_case("content-length") || name.eq_ignore_ascii_case("l"))
            .then_some(value.trim())
    });
    let length = lengths.next()?;
    let plain = !length.is_empty() && length.bytes().all(|c| c.is_ascii_digit());
    (plain && lengths.next().is_none()).then(|| length.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(framer: &mut Framer, data: &[u8], step: usize) -> Vec<Frame> {
        let mut all = Vec::new();
        for chunk in data.chunks(step) {
            framer.push(chunk);
            all.extend(std::iter::from_fn(|| framer.next()));
        }
        all
    }

    #[test]
    fn a_stream_is_cut_the_same_however_it_arrives() {
        let one = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 4\r\n\r\nbody".to_vec();
        let two = b"SIP/2.0 200 OK\r\nl : 0\r\n\r\n".to_vec();
        let stream = [b"\r\n".as_slice(), &one, b"\r\n\r\n", &two, &one].concat();
        for step in 1..stream.len() {
            let expected = [
                Frame::Message(one.clone()),
                Frame::Ping,
                Frame::Message(two.clone()),
                Frame::Message(one.clone()),
            ];
            assert_eq!(frames(&mut Framer::new(1000), &stream, step), expected, "in steps of {step}");
        }
    }

    #[test]
    fn what_cannot_be_cut_ends_the_stream() {
        let rows: [(&[u8], u16); 5] = [
            (b"OPTIONS sip:a SIP/2.0\r\nVia: x\r\n\r\n", 400),
            (b"OPTIONS sip:a SIP/2.0\r\nContent-Length: -1\r\n\r\n", 400),
            (b"OPTIONS sip:a SIP/2.0\r\nl: 1\r\nl: 2\r\n\r\n", 400),
            (b"OPTIONS sip:a SIP/2.0\r\nl: 9999999999999999999999\r\n\r\n", 400),
            (b"OPTIONS sip:a SIP/2.0\r\nl: 1000\r\n\r\n", 513),
        ];
        for (data, expected) in rows {
            let mut framer = Framer::new(200);
            let found = frames(&mut framer, data, 7);
            assert!(matches!(found[..], [Frame::Broken { status, .. }] if status == expected), "{found:?}");
            framer.push(b"OPTIONS sip:a SIP/2.0\r\nl: 0\r\n\r\n");
            assert_eq!(framer.next(), None, "nothing after the break");
        }
        let mut framer = Framer::new(200);
        assert!(matches!(frames(&mut framer, &[b'x'; 300], 50)[..], [Frame::Broken { status: 513, .. }]));
        assert!(framer.buffer.is_empty());
    }
}
