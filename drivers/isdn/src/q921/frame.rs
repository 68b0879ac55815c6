use crate::{Side, q931};
use alloc::{format, string::String, vec::Vec};
use core::fmt::Write;

/// N201: the most octets an information field may have (5.9.3).
pub const N201: usize = 260;

/// The address field (3.3): which link, and whether the frame is a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// Service access point identifier, 0 for call control.
    pub sapi: u8,
    /// Terminal endpoint identifier, 0 on a point-to-point interface.
    pub tei: u8,
    /// The C/R bit as it is on the wire; its meaning depends on who sends (table 1).
    pub cr: bool,
}

/// A supervisory frame's function (table 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supervisory {
    /// Receive ready.
    Rr,
    /// Receive not ready.
    Rnr,
    /// Reject.
    Rej,
}

/// An unnumbered frame's function (table 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unnumbered {
    /// Set asynchronous balanced mode extended.
    Sabme,
    /// Disconnected mode.
    Dm,
    /// Unnumbered information.
    Ui,
    /// Disconnect.
    Disc,
    /// Unnumbered acknowledgement.
    Ua,
    /// Frame reject.
    Frmr,
    /// Exchange identification.
    Xid,
}

const UNNUMBERED: [(u8, Unnumbered, &str); 7] = [
    (0x6f, Unnumbered::Sabme, "SABME"),
    (0x0f, Unnumbered::Dm, "DM"),
    (0x03, Unnumbered::Ui, "UI"),
    (0x43, Unnumbered::Disc, "DISC"),
    (0x63, Unnumbered::Ua, "UA"),
    (0x87, Unnumbered::Frmr, "FRMR"),
    (0xaf, Unnumbered::Xid, "XID"),
];

const SUPERVISORY: [(u8, Supervisory, &str); 3] =
    [(0x01, Supervisory::Rr, "RR"), (0x05, Supervisory::Rnr, "RNR"), (0x09, Supervisory::Rej, "REJ")];

/// What a frame says, without its FCS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// Numbered information.
    Information {
        /// N(S), 0 to 127.
        ns: u8,
        /// N(R), 0 to 127.
        nr: u8,
        /// The poll bit.
        poll: bool,
        /// The information field.
        info: &'a [u8],
    },
    /// RR, RNR, REJ.
    Supervisory {
        /// Which.
        kind: Supervisory,
        /// N(R), 0 to 127.
        nr: u8,
        /// The poll or final bit.
        pf: bool,
    },
    /// SABME, DM, UI, DISC, UA, FRMR, XID.
    Unnumbered {
        /// Which.
        kind: Unnumbered,
        /// The poll or final bit.
        pf: bool,
        /// The information field; only UI, FRMR and XID have one.
        info: &'a [u8],
    },
}

/// Why octets are no frame. The letters are the error codes of table II.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not even an address and a control field, or an address that does not end after two octets: ignored (2.9).
    #[error("no valid Q.921 address")]
    Address,
    /// L: the control field is not defined.
    #[error("control field {0:#04x} is not defined")]
    Control(u8),
    /// M: an information field where none is allowed.
    #[error("an information field where none is allowed")]
    InformationNotPermitted,
    /// N: too short for its kind.
    #[error("frame of a wrong length")]
    Length,
    /// O: the information field is longer than N201.
    #[error("information field longer than 260 octets")]
    TooLong,
}

impl Address {
    /// The address that `sender` writes: on a command the network sets C/R, on a response the user does (table 1).
    pub fn new(sender: Side, command: bool) -> Address {
        Address { sapi: 0, tei: 0, cr: (sender == Side::Network) == command }
    }

    /// Whether the frame is a command when `sender` sent it.
    pub fn is_command(&self, sender: Side) -> bool {
        (sender == Side::Network) == self.cr
    }

    /// Reads the two octets of an address; the rest of the frame comes back with it.
    pub fn decode(octets: &[u8]) -> Result<(Address, &[u8]), DecodeError> {
        match octets {
            [first, second, rest @ ..] if first & 1 == 0 && second & 1 == 1 && !rest.is_empty() => {
                Ok((Address { sapi: first >> 2, tei: second >> 1, cr: first & 2 != 0 }, rest))
            }
            _ => Err(DecodeError::Address),
        }
    }
}

impl<'a> Frame<'a> {
    /// Reads what follows the address.
    pub fn decode(octets: &'a [u8]) -> Result<Frame<'a>, DecodeError> {
        let (&control, rest) = octets.split_first().ok_or(DecodeError::Length)?;
        match control & 3 {
            3 => Self::decode_unnumbered(control, rest),
            1 => Self::decode_supervisory(control, rest),
            _ => {
                let (&second, info) = rest.split_first().ok_or(DecodeError::Length)?;
                let frame =
                    Frame::Information { ns: control >> 1, nr: second >> 1, poll: second & 1 == 1, info };
                if info.len() > N201 { Err(DecodeError::TooLong) } else { Ok(frame) }
            }
        }
    }

    fn decode_supervisory(control: u8, rest: &[u8]) -> Result<Frame<'a>, DecodeError> {
        // Bits 5 to 8 are reserved: not examined (3.4.4 sets them to 0).
        let found = SUPERVISORY.iter().find(|(code, ..)| *code == control & 0x0f);
        let (_, kind, _) = *found.ok_or(DecodeError::Control(control))?;
        match rest {
            [second] => Ok(Frame::Supervisory { kind, nr: second >> 1, pf: second & 1 == 1 }),
            [] => Err(DecodeError::Length),
            _ => Err(DecodeError::InformationNotPermitted),
        }
    }

    fn decode_unnumbered(control: u8, info: &'a [u8]) -> Result<Frame<'a>, DecodeError> {
        let found = UNNUMBERED.iter().find(|(code, ..)| *code == control & !0x10);
        let (_, kind, _) = *found.ok_or(DecodeError::Control(control))?;
        let may_carry = matches!(kind, Unnumbered::Ui | Unnumbered::Frmr | Unnumbered::Xid);
        if !may_carry && !info.is_empty() {
            return Err(DecodeError::InformationNotPermitted);
        }
        if info.len() > N201 {
            return Err(DecodeError::TooLong);
        }
        Ok(Frame::Unnumbered { kind, pf: control & 0x10 != 0, info })
    }

    /// The whole frame without FCS.
    pub fn encode(&self, address: Address) -> Vec<u8> {
        let mut out = Vec::with_capacity(4);
        out.push(address.sapi << 2 | u8::from(address.cr) << 1);
        out.push(address.tei << 1 | 1);
        match *self {
            Frame::Information { ns, nr, poll, info } => {
                out.extend([ns << 1, nr << 1 | u8::from(poll)]);
                out.extend_from_slice(info);
            }
            Frame::Supervisory { kind, nr, pf } => {
                let code = SUPERVISORY.iter().find(|(_, k, _)| *k == kind).map_or(1, |row| row.0);
                out.extend([code, nr << 1 | u8::from(pf)]);
            }
            Frame::Unnumbered { kind, pf, info } => {
                let code = UNNUMBERED.iter().find(|(_, k, _)| *k == kind).map_or(3, |row| row.0);
                out.push(code | u8::from(pf) << 4);
                out.extend_from_slice(info);
            }
        }
        out
    }
}

/// One line for a person about a frame without FCS: its kind and numbers, and the message it carries.
pub fn describe(octets: &[u8]) -> String {
    let decoded = Address::decode(octets).and_then(|(a, rest)| Frame::decode(rest).map(|frame| (a, frame)));
    let (address, frame) = match decoded {
        Ok(found) => found,
        Err(error) => return format!("bad frame ({error}), {} octets", octets.len()),
    };
    let mut line = match frame {
        Frame::Information { ns, nr, poll, info } => {
            format!("I N(S)={ns} N(R)={nr} P={} {}", u8::from(poll), q931::describe(info))
        }
        Frame::Supervisory { kind, nr, pf } => {
            let name = SUPERVISORY.iter().find(|row| row.1 == kind).map_or("?", |row| row.2);
            format!("{name} N(R)={nr} P/F={}", u8::from(pf))
        }
        Frame::Unnumbered { kind, pf, info } => {
            let name = UNNUMBERED.iter().find(|row| row.1 == kind).map_or("?", |row| row.2);
            let mut text = format!("{name} P/F={}", u8::from(pf));
            if kind == Unnumbered::Ui {
                let _ = write!(text, " {}", q931::describe(info));
            }
            text
        }
    };
    if (address.sapi, address.tei) != (0, 0) {
        let _ = write!(line, " [SAPI {} TEI {}]", address.sapi, address.tei);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_what_table_5_says() {
        let rows: [(Side, bool, Frame<'_>, &[u8]); 8] = [
            (Side::User, true, unnumbered(Unnumbered::Sabme, true), &[0x00, 0x01, 0x7f]),
            (Side::Network, true, unnumbered(Unnumbered::Sabme, true), &[0x02, 0x01, 0x7f]),
            (Side::User, false, unnumbered(Unnumbered::Ua, true), &[0x02, 0x01, 0x73]),
            (Side::Network, false, unnumbered(Unnumbered::Ua, true), &[0x00, 0x01, 0x73]),
            (Side::Network, false, unnumbered(Unnumbered::Dm, false), &[0x00, 0x01, 0x0f]),
            (Side::User, true, unnumbered(Unnumbered::Disc, true), &[0x00, 0x01, 0x53]),
            (
                Side::User,
                true,
                Frame::Supervisory { kind: Supervisory::Rr, nr: 5, pf: true },
                &[0x00, 0x01, 0x01, 0x0b],
            ),
            (
                Side::Network,
                true,
                Frame::Information { ns: 127, nr: 1, poll: false, info: &[8] },
                &[0x02, 0x01, 0xfe, 0x02, 0x08],
            ),
        ];
        for (sender, command, frame, wire) in rows {
            assert_eq!(frame.encode(Address::new(sender, command)), wire);
            let (address, rest) = Address::decode(wire).unwrap();
            assert_eq!(address.is_command(sender), command);
            assert_eq!(Frame::decode(rest), Ok(frame));
        }
    }

    fn unnumbered(kind: Unnumbered, pf: bool) -> Frame<'static> {
        Frame::Unnumbered { kind, pf, info: &[] }
    }

    #[test]
    fn what_is_no_frame_is_told_apart() {
        assert_eq!(Address::decode(&[0x02, 0x00, 0x7f]).unwrap_err(), DecodeError::Address);
        assert_eq!(Address::decode(&[0x02, 0x01]).unwrap_err(), DecodeError::Address);
        assert_eq!(Frame::decode(&[0xff]), Err(DecodeError::Control(0xff)));
        assert_eq!(Frame::decode(&[0x7f, 1]), Err(DecodeError::InformationNotPermitted));
        assert_eq!(Frame::decode(&[0x01]), Err(DecodeError::Length));
        assert_eq!(Frame::decode(&[0; 263]), Err(DecodeError::TooLong));
        assert!(Frame::decode(&[0; 262]).is_ok());
    }
}
