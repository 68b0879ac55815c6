//! Channels of a board without the board: a pair of FIFOs each, in which every write is a block that every read takes
//! whole, with room for as many blocks as the driver has. So each block costs the engine a system call, as with a card,
//! and the clock of the lines runs in another process.
#![allow(unsafe_code)]

use dahdi_abi::{DeviceNode, Devices, Errno, NodePath, Params, Ready, event, request, sig};
use demarc_media::BLOCK;
use std::{
    ffi::CString,
    fs::{File, OpenOptions},
    io,
    os::{
        fd::AsRawFd,
        unix::{ffi::OsStrExt, fs::OpenOptionsExt},
    },
    path::{Path, PathBuf},
};

/// Blocks that each direction holds: what the driver is asked for.
const BLOCKS: i32 = 32;
/// A FIFO keeps each block in a page of its own.
const PAGE: i32 = 4096;

/// In place of a block: some were dropped, as nobody read the ones before them.
const OVERRUN: &[u8] = &[0];

/// One side of a channel.
pub struct Ends {
    incoming: File,
    outgoing: File,
    /// What was written last found no room.
    full: bool,
}

impl Ends {
    /// The side of the engine; makes the FIFOs where there are none.
    ///
    /// # Errors
    /// When the system gives none, or no more room.
    pub fn engine(directory: &Path, channel: usize) -> io::Result<Ends> {
        let [up, down] = Ends::names(directory, channel);
        make(&up)?;
        make(&down)?;
        Ok(Ends { incoming: open(&up)?, outgoing: open(&down)?, full: false })
    }

    /// The side of the line, when the engine has made its own.
    ///
    /// # Errors
    /// When it has not.
    pub fn line(directory: &Path, channel: usize) -> io::Result<Ends> {
        let [up, down] = Ends::names(directory, channel);
        Ok(Ends { incoming: open(&down)?, outgoing: open(&up)?, full: false })
    }

    fn names(directory: &Path, channel: usize) -> [PathBuf; 2] {
        ["up", "down"].map(|way| directory.join(format!("{channel}.{way}")))
    }

    /// A block; `false` when there is none.
    pub fn read(&mut self, block: &mut [u8]) -> bool {
        rustix::io::read(&self.incoming, block).is_ok_and(|length| length == BLOCK)
    }

    /// Gives a block to the other side, as the line's clock does: what finds no room is dropped, and the other side is
    /// told before the next one.
    pub fn write(&mut self, block: &[u8]) {
        self.full = self.full && rustix::io::write(&self.outgoing, OVERRUN).is_err();
        self.full = self.full || rustix::io::write(&self.outgoing, block).is_err();
    }
}

fn make(path: &Path) -> io::Result<()> {
    let name = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: the name ends with a NUL and lives through the call.
    if unsafe { libc::mkfifo(name.as_ptr(), 0o600) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Opened for both directions, so that neither side waits for the other one.
fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOATIME)
        .open(path)?;
    // SAFETY: neither request takes a pointer. O_DIRECT keeps writes apart (pipe(7)).
    let done = unsafe {
        libc::fcntl(file.as_raw_fd(), libc::F_SETPIPE_SZ, BLOCKS * PAGE) >= 0
            && libc::fcntl(
                file.as_raw_fd(),
                libc::F_SETFL,
                libc::O_NONBLOCK | libc::O_NOATIME | libc::O_DIRECT,
            ) == 0
    };
    if done { Ok(file) } else { Err(io::Error::last_os_error()) }
}

/// The channels as device files, opened in the order of their numbers here, whatever channel is asked for: there are
/// more than the driver has numbers for.
pub struct Lines {
    directory: PathBuf,
    next: std::sync::atomic::AtomicUsize,
}

impl Lines {
    /// The channels in this directory.
    pub fn new(directory: &Path) -> Lines {
        Lines { directory: directory.into(), next: 0.into() }
    }
}

impl Devices for Lines {
    fn open(&self, _path: &NodePath) -> Result<Box<dyn DeviceNode>, Errno> {
        let channel = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let ends = Ends::engine(&self.directory, channel);
        ends.map(|ends| Box::new(Node { ends, overrun: false }) as Box<dyn DeviceNode>)
            .map_err(|error| errno(&error))
    }

    fn name(&self) -> String {
        self.directory.display().to_string()
    }
}

struct Node {
    ends: Ends,
    /// An event waits.
    overrun: bool,
}

impl DeviceNode for Node {
    fn ioctl(&mut self, number: u32, arg: &mut [u8]) -> Result<i32, Errno> {
        if number == request::GET_PARAMS.number() {
            let mut params = Params { sigtype: sig::CLEAR, ..Params::default() };
            arg.copy_from_slice(dahdi_abi::bytes(&mut params));
        } else if number == request::FLUSH.number() {
            while rustix::io::read(&self.ends.incoming, &mut [0; BLOCK]).is_ok() {}
        } else if number == request::GETEVENT.number() {
            let overrun = std::mem::take(&mut self.overrun);
            let mut event = if overrun { event::READ_OVERRUN } else { event::NONE };
            arg.copy_from_slice(dahdi_abi::bytes(&mut event));
        }
        Ok(0)
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Errno> {
        let length =
            rustix::io::read(&self.ends.incoming, buffer).map_err(|error| Errno(error.raw_os_error()))?;
        self.overrun = length == OVERRUN.len();
        if self.overrun { Err(Errno::LAST) } else { Ok(length) }
    }

    fn write(&mut self, data: &[u8]) -> Result<usize, Errno> {
        rustix::io::write(&self.ends.outgoing, data).map_err(|error| Errno(error.raw_os_error()))
    }

    fn ready(&mut self) -> Result<Ready, Errno> {
        Ok(Ready::IN.with(Ready::OUT))
    }

    fn poll_fd(&mut self) -> Option<i32> {
        Some(self.ends.incoming.as_raw_fd())
    }
}

fn errno(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::IO, Errno)
}
