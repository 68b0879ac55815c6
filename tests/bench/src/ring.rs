//! What comes out of an interface, in memory that the kernel writes and this process reads (`packet(7)`, `TPACKET_V3`): no
//! system call and no copy, so that hearing costs the generator next to nothing.
#![allow(unsafe_code)]

use crate::mmsg::set_option;
use nix::net::if_::if_nametoindex;
use std::{
    io,
    mem::{size_of, zeroed},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    ptr::null_mut,
    slice,
    sync::atomic::{AtomicU32, Ordering},
};

/// Octets of a block; each is handed over when it is full or [`RETIRE`] old.
const BLOCK: usize = 1 << 16;
/// Some 220 packets of sound each: a tenth of a second of 2,500 calls.
const BLOCKS: usize = 128;
/// Milliseconds.
const RETIRE: u32 = 2;
/// What the kernel is told that a frame takes: it only matters that it divides a block.
const FRAME: u32 = 512;

/// A packet socket of an interface.
///
/// # Errors
/// When the system gives none.
pub fn socket(interface: &str, protocol: i32) -> io::Result<OwnedFd> {
    let index = if_nametoindex(interface)?;
    // SAFETY: the address is all a sockaddr_ll and lives through the call, and the descriptor is nobody else's.
    unsafe {
        let fd = libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        let fd = OwnedFd::from_raw_fd(fd);
        let mut address: libc::sockaddr_ll = zeroed();
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = (protocol as u16).to_be();
        address.sll_ifindex = index as i32;
        let length = size_of::<libc::sockaddr_ll>() as u32;
        let bound = libc::bind(fd.as_raw_fd(), (&raw const address).cast(), length);
        if bound == 0 { Ok(fd) } else { Err(io::Error::last_os_error()) }
    }
}

/// The memory, and where its next block is.
pub struct Ring {
    memory: *mut u8,
    next: usize,
    _socket: OwnedFd,
}

impl Ring {
    /// Of the IPv4 packets that come out of this interface.
    ///
    /// # Errors
    /// When the system gives none.
    pub fn new(interface: &str) -> io::Result<Ring> {
        let socket = socket(interface, libc::ETH_P_IP)?;
        let set = |name, value: i32| set_option(&socket, libc::SOL_PACKET, name, &value);
        set(libc::PACKET_VERSION, libc::tpacket_versions::TPACKET_V3 as i32)?;
        set(libc::PACKET_IGNORE_OUTGOING, 1)?;
        let room = libc::tpacket_req3 {
            tp_block_size: BLOCK as u32,
            tp_block_nr: BLOCKS as u32,
            tp_frame_size: FRAME,
            tp_frame_nr: (BLOCK * BLOCKS) as u32 / FRAME,
            tp_retire_blk_tov: RETIRE,
            tp_sizeof_priv: 0,
            tp_feature_req_word: 0,
        };
        set_option(&socket, libc::SOL_PACKET, libc::PACKET_RX_RING, &room)?;
        let (access, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_POPULATE);
        // SAFETY: a new mapping of as much as the ring was just made of.
        let memory = unsafe { libc::mmap(null_mut(), BLOCK * BLOCKS, access, flags, socket.as_raw_fd(), 0) };
        if memory == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Ring { memory: memory.cast(), next: 0, _socket: socket })
    }

    /// Takes all frames that were handed over; each with the kernel's stamp, in nanoseconds of the real-time clock.
    pub fn take(&mut self, mut hear: impl FnMut(u64, &[u8])) {
        loop {
            // SAFETY: `next` is below BLOCKS: the block is within the mapping, and begins with an aligned descriptor.
            let (block, status) = unsafe {
                let block = self.memory.add(self.next * BLOCK);
                let descriptor = block.cast::<libc::tpacket_block_desc>();
                (block, AtomicU32::from_ptr(&raw mut (*descriptor).hdr.bh1.block_status))
            };
            if status.load(Ordering::Acquire) & libc::TP_STATUS_USER == 0 {
                return;
            }
            // SAFETY: the kernel has handed it over, and leaves it alone until it is given back.
            unsafe { frames(block, &mut hear) };
            status.store(libc::TP_STATUS_KERNEL, Ordering::Release);
            self.next = (self.next + 1) % BLOCKS;
        }
    }
}

/// The frames of a block.
///
/// # Safety
/// The block is one of a ring's that the kernel has handed over: what it says of its frames is so.
unsafe fn frames(block: *const u8, hear: &mut impl FnMut(u64, &[u8])) {
    // SAFETY: the places and lengths are the kernel's, and within the block.
    unsafe {
        let descriptor = (*block.cast::<libc::tpacket_block_desc>()).hdr.bh1;
        let mut slot = block.add(descriptor.offset_to_first_pkt as usize);
        for _ in 0..descriptor.num_pkts {
            let header = &*slot.cast::<libc::tpacket3_hdr>();
            let stamp = u64::from(header.tp_sec) * 1_000_000_000 + u64::from(header.tp_nsec);
            let frame = slot.add(usize::from(header.tp_mac));
            hear(stamp, slice::from_raw_parts(frame, header.tp_snaplen as usize));
            slot = slot.add(header.tp_next_offset as usize);
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the mapping that was made; nobody holds any of it, as frames are only lent.
        unsafe { libc::munmap(self.memory.cast(), BLOCK * BLOCKS) };
    }
}
