use super::{
    CauseElement, ChannelId, Element, ElementId, Elements, NumberElement, PartyNumber, Progress, RestartClass,
};
use alloc::{string::String, vec::Vec};

/// A call reference of a primary rate interface (4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallReference {
    /// 15 bits; 0 is the global call reference.
    pub value: u16,
    /// The flag: the message goes to the side that gave the reference.
    pub to_originator: bool,
}

impl CallReference {
    /// The global call reference of RESTART, as the sender of RESTART writes it.
    pub const GLOBAL: CallReference = CallReference { value: 0, to_originator: false };
}

macro_rules! message_types {
    ($($name:ident = $value:literal $text:literal;)*) => {
        /// Message types (table 4-2).
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub enum MessageType {
            $($name,)*
            /// One that is not in table 4-2.
            Unknown(u8),
        }

        impl MessageType {
            /// From its octet.
            pub fn from_octet(octet: u8) -> MessageType {
                match octet {
                    $($value => MessageType::$name,)*
                    other => MessageType::Unknown(other),
                }
            }

            /// Its octet.
            pub fn octet(self) -> u8 {
                match self {
                    $(MessageType::$name => $value,)*
                    MessageType::Unknown(octet) => octet,
                }
            }

            /// Its name in Q.931.
            pub fn name(self) -> &'static str {
                match self {
                    $(MessageType::$name => $text,)*
                    MessageType::Unknown(_) => "unknown message",
                }
            }
        }
    };
}

message_types! {
    Alerting = 0x01 "ALERTING";
    CallProceeding = 0x02 "CALL PROCEEDING";
    Progress = 0x03 "PROGRESS";
    Setup = 0x05 "SETUP";
    Connect = 0x07 "CONNECT";
    SetupAck = 0x0d "SETUP ACKNOWLEDGE";
    ConnectAck = 0x0f "CONNECT ACKNOWLEDGE";
    UserInformation = 0x20 "USER INFORMATION";
    SuspendReject = 0x21 "SUSPEND REJECT";
    ResumeReject = 0x22 "RESUME REJECT";
    Suspend = 0x25 "SUSPEND";
    Resume = 0x26 "RESUME";
    SuspendAck = 0x2d "SUSPEND ACKNOWLEDGE";
    ResumeAck = 0x2e "RESUME ACKNOWLEDGE";
    Disconnect = 0x45 "DISCONNECT";
    Restart = 0x46 "RESTART";
    Release = 0x4d "RELEASE";
    RestartAck = 0x4e "RESTART ACKNOWLEDGE";
    ReleaseComplete = 0x5a "RELEASE COMPLETE";
    Segment = 0x60 "SEGMENT";
    Facility = 0x62 "FACILITY";
    Notify = 0x6e "NOTIFY";
    StatusEnquiry = 0x75 "STATUS ENQUIRY";
    CongestionControl = 0x79 "CONGESTION CONTROL";
    Information = 0x7b "INFORMATION";
    Status = 0x7d "STATUS";
}

/// Why octets are no message to act on; all of these are ignored (5.8.1 to 5.8.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Another protocol.
    #[error("protocol discriminator {0:#04x} is not Q.931")]
    Protocol(u8),
    /// Too short to have a message type (5.8.2).
    #[error("message too short")]
    Short,
    /// The call reference is longer than two octets, or not well formed (5.8.3.1).
    #[error("invalid call reference")]
    CallReference,
    /// The dummy call reference, which basic calls do not use.
    #[error("dummy call reference")]
    DummyReference,
}

/// Progress indicators and element numbers that are kept of one message.
const LISTED: usize = 8;

/// What the elements of a message say; the first of each kind counts (4.5.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// Bearer capability, its contents.
    pub bearer: Option<Vec<u8>>,
    /// Cause.
    pub cause: Option<CauseElement>,
    /// Call state, 6 bits.
    pub call_state: Option<u8>,
    /// Channel identification.
    pub channel: Option<ChannelId>,
    /// Progress indicators, at most 8.
    pub progress: Vec<Progress>,
    /// Display, as ASCII.
    pub display: Option<String>,
    /// Keypad facility.
    pub keypad: Option<String>,
    /// Signal (4.5.28), its value.
    pub signal: Option<u8>,
    /// Calling party number.
    pub calling: Option<PartyNumber>,
    /// Called party number.
    pub called: Option<PartyNumber>,
    /// Restart indicator.
    pub restart: Option<RestartClass>,
    /// The number is complete.
    pub sending_complete: bool,
    /// Elements that we know and whose contents make no sense (5.8.6.2, 5.8.7.2), at most 8. Not written.
    pub invalid: Vec<u8>,
    /// Elements that we do not know (5.8.7.1), at most 8. Not written.
    pub unknown: Vec<u8>,
}

/// A whole message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The call.
    pub reference: CallReference,
    /// Its type.
    pub kind: MessageType,
    /// Its elements.
    pub body: Body,
}

impl Message {
    /// Reads a message. Faults within elements do not fail it: they are listed in [`Body::invalid`].
    pub fn decode(octets: &[u8]) -> Result<Message, DecodeError> {
        let (&protocol, rest) = octets.split_first().ok_or(DecodeError::Short)?;
        if protocol != 8 {
            return Err(DecodeError::Protocol(protocol));
        }
        let (&length, rest) = rest.split_first().ok_or(DecodeError::Short)?;
        if length & 0xf0 != 0 || length > 2 {
            return Err(DecodeError::CallReference);
        }
        let (reference, rest) = rest.split_at_checked(usize::from(length)).ok_or(DecodeError::Short)?;
        let (&kind, rest) = rest.split_first().ok_or(DecodeError::Short)?;
        let (first, value) = match *reference {
            [one] => (one, u16::from(one & 0x7f)),
            [high, low] => (high, u16::from_be_bytes([high & 0x7f, low])),
            _ => return Err(DecodeError::DummyReference),
        };
        let reference = CallReference { value, to_originator: first & 0x80 != 0 };
        Ok(Message { reference, kind: MessageType::from_octet(kind), body: Body::decode(rest) })
    }

    /// The octets, with a call reference of two octets as on every primary rate interface (4.3).
    pub fn encode(&self) -> Vec<u8> {
        let [high, low] = (self.reference.value & 0x7fff).to_be_bytes();
        let flag = u8::from(self.reference.to_originator) << 7;
        let mut out = Vec::with_capacity(32);
        out.extend([8, 2, high | flag, low, self.kind.octet()]);
        self.body.encode(&mut out);
        out
    }
}

impl Body {
    fn decode(octets: &[u8]) -> Body {
        let mut body = Body::default();
        for element in Elements::new(octets) {
            match element {
                Ok(element) if element.codeset == 0 => body.take(element),
                Ok(_) => {} // 4.5.2: other codesets are for networks that agreed on them
                Err(_) => break,
            }
        }
        body
    }

    fn take(&mut self, element: Element<'_>) {
        let Element { id, contents, .. } = element;
        let valid = match id {
            ElementId::BEARER => first(&mut self.bearer, bearer(contents)),
            ElementId::CAUSE => first(&mut self.cause, CauseElement::decode(contents)),
            ElementId::CALL_STATE => first(&mut self.call_state, contents.first().map(|octet| octet & 0x3f)),
            ElementId::CHANNEL => first(&mut self.channel, ChannelId::decode(contents)),
            ElementId::PROGRESS => self.take_progress(contents),
            ElementId::DISPLAY => first(&mut self.display, Some(ascii(contents))),
            ElementId::KEYPAD => first(&mut self.keypad, Some(ascii(contents))),
            ElementId::SIGNAL => first(&mut self.signal, contents.first().copied()),
            ElementId::CALLING => first(&mut self.calling, PartyNumber::decode(contents)),
            // A called number has no octet 3a; a peer that writes one hides nothing.
            ElementId::CALLED => first(
                &mut self.called,
                PartyNumber::decode(contents).map(|number| PartyNumber { restricted: false, ..number }),
            ),
            ElementId::RESTART => first(&mut self.restart, RestartClass::decode(contents)),
            ElementId::SENDING_COMPLETE => {
                self.sending_complete = true;
                true
            }
            id if id & 0x80 != 0 || ElementId::IGNORED.contains(&id) => true,
            _ => {
                list(&mut self.unknown, id);
                true
            }
        };
        if !valid {
            list(&mut self.invalid, id);
        }
    }

    fn take_progress(&mut self, contents: &[u8]) -> bool {
        match Progress::decode(contents) {
            Some(progress) if self.progress.len() < LISTED => self.progress.push(progress),
            Some(_) => {}
            None => return false,
        }
        true
    }

    fn encode(&self, out: &mut Vec<u8>) {
        if self.sending_complete {
            out.push(ElementId::SENDING_COMPLETE);
        }
        put(out, ElementId::BEARER, self.bearer.as_deref());
        put(out, ElementId::CAUSE, self.cause.map(|cause| cause.encode()));
        put(out, ElementId::CALL_STATE, self.call_state.map(|state| [state & 0x3f]));
        put(out, ElementId::CHANNEL, self.channel.map(|channel| channel.encode()));
        for progress in &self.progress {
            put(out, ElementId::PROGRESS, Some(progress.encode()));
        }
        put(out, ElementId::DISPLAY, self.display.as_deref());
        put(out, ElementId::KEYPAD, self.keypad.as_deref());
        put(out, ElementId::SIGNAL, self.signal.map(|signal| [signal]));
        put(out, ElementId::CALLING, self.calling.as_ref().map(|n| n.encode(NumberElement::Calling)));
        put(out, ElementId::CALLED, self.called.as_ref().map(|n| n.encode(NumberElement::Called)));
        put(out, ElementId::RESTART, self.restart.map(|class| [class.encode()]));
    }

    /// The first unknown element that must be understood: its identifier has bits 8 to 5 clear (4.5.1).
    pub fn not_comprehended(&self) -> Option<u8> {
        self.unknown.iter().copied().find(|id| id & 0xf0 == 0)
    }

    /// Whether tones or announcements can be heard in the channel (4.5.23; "not end-to-end ISDN" implies them).
    pub fn has_in_band(&self) -> bool {
        self.progress.iter().any(|progress| matches!(progress.description, 1 | super::IN_BAND))
    }
}

/// Keeps the first of repeated elements; false when its contents make no sense.
fn first<T>(slot: &mut Option<T>, value: Option<T>) -> bool {
    let valid = value.is_some();
    if slot.is_none() {
        *slot = value;
    }
    valid
}

fn list(ids: &mut Vec<u8>, id: u8) {
    if ids.len() < LISTED {
        ids.push(id);
    }
}

fn bearer(contents: &[u8]) -> Option<Vec<u8>> {
    // Octets 3 and 4 are always there; the coding standard is the ITU's (4.5.5).
    (contents.len() >= 2 && contents[0] & 0x60 == 0).then(|| contents.to_vec())
}

fn ascii(contents: &[u8]) -> String {
    contents
        .iter()
        .map(|octet| char::from(octet & 0x7f))
        .filter(|c| *c == ' ' || c.is_ascii_graphic())
        .collect()
}

fn put(out: &mut Vec<u8>, id: u8, contents: Option<impl AsRef<[u8]>>) {
    if let Some(contents) = contents {
        let contents = contents.as_ref();
        let length = contents.len().min(255);
        out.extend([id, length as u8]);
        out.extend_from_slice(&contents[..length]);
    }
}
