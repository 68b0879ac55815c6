//! `/dev/fuse`: requests come out of it, replies and notifications go in.

use super::wire::{self, InitIn, InitOut, OutHeader, Request, opcode};
use bytemuck::{Pod, Zeroable, bytes_of};
use dahdi_abi::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::{
    fs::{File, OpenOptions},
    io::{self, IoSlice, Read, Write},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt},
    },
    path::Path,
};

/// The most octets of one write; a block of a channel has at most 32 KiB.
pub const MAX_WRITE: u32 = 1 << 16;
/// Room for the longest request: a write with its headers.
pub const BUFFER: usize = MAX_WRITE as usize + 4096;
/// How long the kernel may take to greet a new mount, in milliseconds.
const GREETING_MS: u16 = 5000;

/// One connection to the kernel's FUSE.
#[derive(Debug)]
pub struct Device {
    file: File,
}

impl Device {
    /// A connection without a mount yet.
    pub fn open(path: &Path) -> io::Result<Self> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path)
            .map(|file| Self { file })
    }

    /// Whether it is the kernel's device, which has a number of its own (`FUSE_MINOR` of linux/miscdevice.h).
    pub fn is_fuse(&self) -> bool {
        let is = |about: std::fs::Metadata| {
            about.file_type().is_char_device() && about.rdev() == libc::makedev(10, 229)
        };
        self.file.metadata().is_ok_and(is)
    }

    /// Waits for a request, which is then the first `Some(length)` octets of `buffer`. `None` when `stop` became
    /// readable or the file system is not mounted any more.
    pub fn receive(&self, stop: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            // The next request of whom the last answer woke is often there by now, without a poll.
            match (&self.file).read(buffer) {
                Ok(length) => return Ok(Some(length)),
                Err(e) => match e.raw_os_error() {
                    Some(libc::ENODEV | libc::ECONNABORTED) => return Ok(None),
                    Some(libc::EAGAIN) if self.is_stopped(stop)? => return Ok(None),
                    // ENOENT: the caller gave up before the request was read.
                    Some(libc::EINTR | libc::EAGAIN | libc::ENOENT) => {}
                    _ => return Err(e),
                },
            }
        }
    }

    /// Waits until there is a request, or until `stop` is readable: then `true`.
    fn is_stopped(&self, stop: BorrowedFd<'_>) -> io::Result<bool> {
        let mut fds =
            [PollFd::new(self.file.as_fd(), PollFlags::POLLIN), PollFd::new(stop, PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) => Ok(fds[1].any() == Some(true)),
            Err(nix::errno::Errno::EINTR) => Ok(false),
            Err(e) => Err(e.into()),
        }
    }

    /// Answers the kernel's greeting, which is the first thing it says.
    pub fn greet(&self) -> io::Result<()> {
        let mut fds = [PollFd::new(self.file.as_fd(), PollFlags::POLLIN)];
        if poll(&mut fds, PollTimeout::from(GREETING_MS))? == 0 {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let mut buffer = vec![0; BUFFER];
        let length = (&self.file).read(&mut buffer)?;
        let request = Request::parse(&buffer[..length]).filter(|r| r.header.opcode == opcode::INIT);
        let Some((request, init)) = request.and_then(|r| Some((r, r.read::<InitIn>()?))) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        if init.major != wire::MAJOR || init.minor < wire::OLDEST_MINOR {
            self.fail(request.header.unique, Errno(libc::EPROTO));
            return Err(io::ErrorKind::Unsupported.into());
        }
        self.reply_with(request.header.unique, &greeting(&init));
        Ok(())
    }

    /// Answers a request with a structure.
    pub fn reply_with<T: Pod>(&self, unique: u64, body: &T) {
        self.reply(unique, &[bytes_of(body)]);
    }

    /// Answers a request with octets. An answer that nobody waits for any more is lost, as it should be.
    pub fn reply(&self, unique: u64, body: &[&[u8]]) {
        self.send(0, unique, body);
    }

    /// Answers a request with an error.
    pub fn fail(&self, unique: u64, errno: Errno) {
        self.send(-errno.0, unique, &[]);
    }

    /// Wakes those who poll the file that the kernel knows by `handle`.
    pub fn notify_poll(&self, handle: u64) {
        self.send(wire::NOTIFY_POLL, 0, &[bytes_of(&handle)]);
    }

    fn send(&self, error: i32, unique: u64, body: &[&[u8]]) {
        let length = size_of::<OutHeader>() + body.iter().map(|part| part.len()).sum::<usize>();
        let header = OutHeader { len: length as u32, error, unique };
        let (first, second) =
            (body.first().copied().unwrap_or_default(), body.get(1).copied().unwrap_or_default());
        let parts = [IoSlice::new(bytes_of(&header)), IoSlice::new(first), IoSlice::new(second)];
        // The kernel takes a message whole or refuses it (the request was given up, or the mount is gone).
        let _ = (&self.file).write_vectored(&parts);
    }
}

impl AsFd for Device {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

fn greeting(init: &InitIn) -> InitOut {
    InitOut {
        major: wire::MAJOR,
        minor: wire::MINOR.min(init.minor),
        flags: (wire::INIT_BIG_WRITES | wire::INIT_MAX_PAGES) & init.flags,
        max_background: 64,
        congestion_threshold: 48,
        max_write: MAX_WRITE,
        time_gran: 1,
        max_pages: (MAX_WRITE / 4096) as u16,
        ..Zeroable::zeroed()
    }
}
