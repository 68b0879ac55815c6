//! The 49 torture messages of RFC 4475, by their names there. Included by path where they are sent.

#[path = "rfc4475/invalid.rs"]
mod invalid;
#[path = "rfc4475/other.rs"]
mod other;
#[path = "rfc4475/valid.rs"]
mod valid;

/// What a user agent makes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// A call that may be taken: it is judged as any call, never as a bad message.
    Offered,
    /// Answered with one of these statuses.
    Answered(&'static [u16]),
    /// Answered with an error, or dropped.
    Refused,
    /// Not answered: a response.
    Silence,
    /// Taken or refused: the RFC leaves it open.
    Lenient,
}

/// A torture message.
#[derive(Clone, Copy, Debug)]
pub struct Message {
    /// Its name in the RFC.
    pub name: &'static str,
    /// The clause that explains it.
    pub clause: &'static str,
    /// What is to come of it.
    pub expect: Expect,
    /// The message with plain line ends, `{word*3}` for a word three times and `{signature}` for octets that are no
    /// text; [`Message::octets`] gives what goes over the wire.
    pub text: &'static str,
}

impl Message {
    /// The octets of the message: lines end with CRLF.
    pub fn octets(&self) -> Vec<u8> {
        let text = self.text.replace('\n', "\r\n");
        let mut pieces = text.split('{');
        let mut octets = pieces.next().unwrap_or_default().as_bytes().to_vec();
        for piece in pieces {
            let (mark, rest) = piece.split_once('}').unwrap_or((piece, ""));
            let repeated = mark.split_once('*').and_then(|(word, count)| Some((word, count.parse().ok()?)));
            match (mark, repeated) {
                ("signature", _) => octets.extend(signature()),
                (_, Some((word, count))) => octets.extend(word.repeat(count).into_bytes()),
                _ => {
                    octets.push(b'{');
                    octets.extend_from_slice(piece.as_bytes());
                    continue;
                }
            }
            octets.extend_from_slice(rest.as_bytes());
        }
        octets
    }
}

fn signature() -> impl Iterator<Item = u8> {
    let digit = |digit: &u8| char::from(*digit).to_digit(16).unwrap_or_default() as u8;
    valid::SIGNATURE.as_bytes().chunks(2).map(move |pair| pair.iter().fold(0, |sum, c| sum * 16 + digit(c)))
}

/// All of them, in the order of the RFC.
pub fn messages() -> impl Iterator<Item = &'static Message> {
    [valid::MESSAGES, invalid::MESSAGES, other::MESSAGES].into_iter().flatten()
}
