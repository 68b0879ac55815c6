//! The DAHDI character-device ABI (`dahdi/user.h` of DAHDI 2.11, 64-bit Linux): requests, structs, constants, and the
//! seam where the kernel stands.
//!
//! Names are those of the header without their prefix: `DAHDI_EVENT_ALARM` is [`event::ALARM`], `DAHDI_GET_PARAMS` is
//! [`request::GET_PARAMS`], `struct dahdi_params` is [`Params`]. `tests/header.rs` has a C compiler read the header and
//! compares every number, size and offset.
#![no_std]
#![forbid(unsafe_code)]

#[macro_use]
mod macros;

mod constants;
mod node;
mod radio;
pub mod request;
mod structs;
pub mod tone;
mod wctdm;

pub use constants::*;
pub use node::{DeviceNode, Devices, Errno, NodePath, Ready};
pub use radio::{RadioParam, RadioStat, SERIAL_BUFLEN, radpar, radstat};
pub use request::Request;
pub use structs::*;
pub use wctdm::{WctdmEchoCoefs, WctdmRegop, WctdmRegs, WctdmStats};

/// A struct of the header: its name in C, and its fields with their offsets, in order. Fields named `pad…` fill what a
/// C compiler leaves open and are not in the header.
pub trait Layout: bytemuck::Pod {
    /// What follows `struct` in C.
    const C_NAME: &'static str;
    /// Name and offset in octets of every field.
    const FIELDS: &'static [(&'static str, usize)];
}

/// `ioctl` with the payload that the request's type tells. `arg` is written by the kernel where the request reads.
/// Returns what the system call returns.
///
/// # Errors
/// What the node answers; see [`DeviceNode::ioctl`].
pub fn call<T: bytemuck::Pod>(
    node: &mut dyn DeviceNode,
    request: Request<T>,
    arg: &mut T,
) -> Result<i32, Errno> {
    node.ioctl(request.number(), bytemuck::bytes_of_mut(arg))
}

/// The octets of a struct, to be filled or sent on: `bytes(&mut params)`.
pub fn bytes<T: bytemuck::Pod>(value: &mut T) -> &mut [u8] {
    bytemuck::bytes_of_mut(value)
}

/// A C string in a fixed field, up to its first NUL; octets that are no UTF-8 end it as well.
pub fn text(field: &[u8]) -> &str {
    let end = field.iter().position(|octet| *octet == 0).unwrap_or(field.len());
    match core::str::from_utf8(&field[..end]) {
        Ok(text) => text,
        Err(error) => core::str::from_utf8(&field[..error.valid_up_to()]).unwrap_or_default(),
    }
}

/// A fixed field holding `text`, cut so that a NUL always ends it.
pub const fn field<const N: usize>(text: &str) -> [u8; N] {
    let (mut field, octets, mut at) = ([0; N], text.as_bytes(), 0);
    while at < octets.len() && at + 1 < N {
        field[at] = octets[at];
        at += 1;
    }
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_fields_keep_their_terminator() {
        assert_eq!(text(&field::<6>("E1")), "E1");
        assert_eq!(text(&field::<4>("HDB3/CCS")), "HDB");
        assert_eq!(text(b"full"), "full");
        assert_eq!(text(&[b'a', 0xff, b'b', 0]), "a");
        assert_eq!(field::<0>("x"), [0; 0]);
    }

    #[test]
    fn requests_have_distinct_numbers_and_names() {
        for (at, (name, number)) in request::TABLE.iter().enumerate() {
            let later = &request::TABLE[at + 1..];
            assert!(later.iter().all(|(n, v)| n != name && v != number), "{name} is there twice");
            assert_eq!(request::name(*number), Some(*name));
        }
        assert_eq!(request::name(0x5401), None, "TCGETS is none of ours");
    }
}
