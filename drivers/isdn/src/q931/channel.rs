use alloc::{vec, vec::Vec};

/// Which channels an element names (4.5.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelChoice {
    /// No channel.
    None,
    /// Any channel.
    Any,
    /// B channels of an E1 by timeslot: bit n is timeslot n. From a number or a slot map.
    Timeslots(u32),
}

/// The channel identification information element (4.5.13) of a primary rate interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelId {
    /// No other channel will do.
    pub exclusive: bool,
    /// Which.
    pub choice: ChannelChoice,
    /// The element writes (or wrote) a slot map, not numbers.
    pub map: bool,
}

impl ChannelId {
    /// One timeslot, 1 to 31, by number.
    pub fn timeslot(slot: u8, exclusive: bool) -> ChannelId {
        ChannelId { exclusive, choice: ChannelChoice::Timeslots(1 << (slot & 31)), map: false }
    }

    /// The single timeslot that is named, if it is one.
    pub fn single(&self) -> Option<u8> {
        match self.choice {
            ChannelChoice::Timeslots(map) if map.count_ones() == 1 => Some(map.trailing_zeros() as u8),
            _ => None,
        }
    }

    /// All timeslots that are named.
    pub fn timeslots(&self) -> impl Iterator<Item = u8> + use<> {
        let map = if let ChannelChoice::Timeslots(map) = self.choice { map } else { 0 };
        (0..32).filter(move |slot| map >> slot & 1 == 1)
    }

    /// Reads the contents of an element; `None` when they make no sense on a primary rate interface.
    pub fn decode(contents: &[u8]) -> Option<ChannelId> {
        let (&first, mut rest) = contents.split_first()?;
        let exclusive = first & 0x08 != 0;
        if first & 0x20 == 0 || first & 0x04 != 0 {
            return None; // a basic interface, or the D channel
        }
        let choice = match first & 3 {
            0 => return Some(ChannelId { exclusive, choice: ChannelChoice::None, map: false }),
            3 => return Some(ChannelId { exclusive, choice: ChannelChoice::Any, map: false }),
            1 => first,
            _ => return None,
        };
        if choice & 0x40 != 0 {
            // Octets 3.1: the interface identifier, which ends with a set bit 8.
            let end = rest.iter().position(|octet| octet & 0x80 != 0)?;
            rest = &rest[end + 1..];
        }
        let (&kind, rest) = rest.split_first()?;
        if kind & 0x6f != 0x03 {
            return None; // another coding, or H channels
        }
        let map = kind & 0x10 != 0;
        let slots = if map { slot_map(rest)? } else { numbers(rest) };
        (slots != 0).then_some(ChannelId { exclusive, choice: ChannelChoice::Timeslots(slots), map })
    }

    /// The contents of the element.
    pub fn encode(&self) -> Vec<u8> {
        let first = 0xa0 | u8::from(self.exclusive) << 3;
        match self.choice {
            ChannelChoice::None => vec![first],
            ChannelChoice::Any => vec![first | 3],
            ChannelChoice::Timeslots(map) if self.map => {
                let mut out = vec![first | 1, 0x93];
                out.extend(map.to_be_bytes());
                out
            }
            ChannelChoice::Timeslots(_) => {
                let mut out = vec![first | 1, 0x83];
                out.extend(self.timeslots());
                if let Some(last) = out.last_mut() {
                    *last |= 0x80;
                }
                out
            }
        }
    }
}

fn slot_map(octets: &[u8]) -> Option<u32> {
    // Figure 4-19: the first octet holds timeslots 31 to 24; bit 1 of the last one is timeslot 0.
    let octets: [u8; 4] = octets.get(..4)?.try_into().ok()?;
    Some(u32::from_be_bytes(octets) & !1)
}

fn numbers(octets: &[u8]) -> u32 {
    let mut slots = 0;
    for octet in octets.iter().take(31) {
        let number = octet & 0x7f;
        if (1..32).contains(&number) {
            slots |= 1 << number;
        }
        if octet & 0x80 != 0 {
            break;
        }
    }
    slots
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_what_figure_4_18_says() {
        let rows: [(&[u8], ChannelId); 6] = [
            (&[0xa9, 0x83, 0x81], ChannelId::timeslot(1, true)),
            (&[0xa1, 0x83, 0x9f], ChannelId::timeslot(31, false)),
            (&[0xa3], ChannelId { exclusive: false, choice: ChannelChoice::Any, map: false }),
            (&[0xa0], ChannelId { exclusive: false, choice: ChannelChoice::None, map: false }),
            (
                &[0xa9, 0x93, 0x80, 0, 0, 2],
                ChannelId { exclusive: true, choice: ChannelChoice::Timeslots(1 << 31 | 2), map: true },
            ),
            (
                &[0xa9, 0x83, 0x01, 0x85],
                ChannelId { exclusive: true, choice: ChannelChoice::Timeslots(0x22), map: false },
            ),
        ];
        for (wire, id) in rows {
            assert_eq!(ChannelId::decode(wire), Some(id), "{wire:02x?}");
            assert_eq!(id.encode(), wire);
        }
        // With an interface identifier, octet 3.1.
        assert_eq!(ChannelId::decode(&[0xe9, 0x81, 0x83, 0x83]), Some(ChannelId::timeslot(3, true)));
        // A basic interface, the D channel, an H0 channel, no number, a short map.
        for wire in [&[0x89u8][..], &[0xac], &[0xa9, 0x86, 0x81], &[0xa9, 0x83], &[0xa9, 0x93, 0], &[]] {
            assert_eq!(ChannelId::decode(wire), None, "{wire:02x?}");
        }
    }
}
