//! The memory of the program that made a call, for requests whose number does not carry their payload.

use dahdi_abi::Errno;
use nix::{
    sys::uio::{RemoteIoVec, process_vm_readv, process_vm_writev},
    unistd::Pid,
};
use std::io::{IoSlice, IoSliceMut};

/// The longest piece that is moved at once; the longest that the ABI has is a tone zone, under 20 KiB.
const MAX: usize = 1 << 16;

/// A calling thread's memory, reached as a debugger does (`process_vm_readv`).
#[derive(Clone, Copy, Debug)]
pub struct ProcessMemory {
    /// The thread, as FUSE names it: 0 when this process cannot see it.
    pub pid: u32,
}

impl ProcessMemory {
    fn process(self) -> Result<Pid, Errno> {
        match i32::try_from(self.pid) {
            Ok(pid) if pid > 0 => Ok(Pid::from_raw(pid)),
            _ => Err(Errno::FAULT),
        }
    }

    /// Reads `len` octets at `addr`, all or nothing.
    pub fn read(self, addr: u64, len: usize) -> Result<Vec<u8>, Errno> {
        let mut data = vec![0; if len > MAX { return Err(Errno::INVAL) } else { len }];
        let from = [place(addr, len)?];
        let moved = process_vm_readv(self.process()?, &mut [IoSliceMut::new(&mut data)], &from);
        whole(moved, len).map(|()| data)
    }

    /// Writes `data` at `addr`, all or nothing as far as it is told.
    pub fn write(self, addr: u64, data: &[u8]) -> Result<(), Errno> {
        if data.len() > MAX {
            return Err(Errno::INVAL);
        }
        let to = [place(addr, data.len())?];
        whole(process_vm_writev(self.process()?, &[IoSlice::new(data)], &to), data.len())
    }
}

fn place(addr: u64, len: usize) -> Result<RemoteIoVec, Errno> {
    Ok(RemoteIoVec { base: usize::try_from(addr).map_err(|_| Errno::FAULT)?, len })
}

fn whole(moved: nix::Result<usize>, len: usize) -> Result<(), Errno> {
    match moved {
        Ok(n) if n == len => Ok(()),
        Ok(_) => Err(Errno::FAULT),
        Err(e) => Err(Errno(e as i32)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_and_written_where_it_is() {
        let me = ProcessMemory { pid: std::process::id() };
        let mut place = *b"span";
        let addr = place.as_mut_ptr() as u64;
        assert_eq!(me.read(addr, 4).expect("our own memory"), b"span");
        me.write(addr, b"chan").expect("our own memory");
        assert_eq!(me.read(addr, 4).expect("our own memory"), b"chan");
    }

    #[test]
    fn a_bad_address_and_an_unseen_caller_fault() {
        let me = ProcessMemory { pid: std::process::id() };
        assert_eq!(me.read(0, 4), Err(Errno::FAULT));
        assert_eq!(me.read(0, MAX + 1), Err(Errno::INVAL));
        assert_eq!(ProcessMemory { pid: 0 }.write(0, b"x"), Err(Errno::FAULT));
    }
}
