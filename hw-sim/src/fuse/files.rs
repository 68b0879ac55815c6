//! Open files and the calls that wait on them.

use super::{device::Device, memory::ProcessMemory, wire};
use crate::{Arg, CallerMemory, FileId, Sim};
use bytemuck::{Zeroable, bytes_of};
use dahdi_abi::{Errno, Ready};
use std::collections::BTreeMap;

/// The most open files; 1024 channels open twice and as many pseudo channels fit.
const MAX_FILES: usize = 4096;
/// The most calls that wait at once; a further one gets `ENOMEM`.
const MAX_WAITING: usize = 4096;
/// The most octets that one read gives.
const MAX_READ: usize = 1 << 16;
/// `POLLRDNORM`, which the driver reports with `POLLIN`.
const POLLRDNORM: u32 = 0x40;
/// `POLLWRNORM`, which the driver reports with `POLLOUT`.
const POLLWRNORM: u32 = 0x100;

/// What a program asks of an open file.
#[derive(Debug)]
pub enum Operation {
    /// `read` of at most so many octets.
    Read(usize),
    /// `write`.
    Write(Vec<u8>),
    /// `ioctl`.
    Ioctl {
        /// The request number.
        request: u32,
        /// The payload, as many octets as the number tells; the answer is put into it.
        data: Vec<u8>,
        /// How many octets of `data` the caller gets back.
        out_size: usize,
        /// The argument as it was given.
        address: u64,
        /// The caller.
        memory: ProcessMemory,
    },
}

/// A call that waits until its file says that something has become possible.
#[derive(Debug)]
struct Waiting {
    unique: u64,
    file: FileId,
    operation: Operation,
}

#[derive(Debug, Default)]
struct OpenFile {
    /// `O_NONBLOCK`, from the open and from every read and write since: `ioctl` and `poll` do not tell.
    nonblocking: bool,
    /// What to notify. Kept until the release: an edge-triggered poller does not ask again before the next edge.
    poll_handle: Option<u64>,
}

/// All open files of a mount.
#[derive(Debug)]
pub struct Files {
    open: BTreeMap<FileId, OpenFile>,
    /// In order of arrival: the first that came is the first served.
    waiting: Vec<Waiting>,
    scratch: Vec<u8>,
}

enum Step {
    Done(Result<i32, Errno>),
    Wait,
}

impl Files {
    /// No files yet.
    pub fn new() -> Self {
        Self { open: BTreeMap::new(), waiting: Vec::new(), scratch: vec![0; MAX_READ] }
    }

    /// Whether a further file may be opened.
    pub fn has_room(&self) -> bool {
        self.open.len() < MAX_FILES
    }

    /// A file was opened, with or without `O_NONBLOCK`.
    pub fn opened(&mut self, sim: &mut Sim, file: FileId, nonblocking: bool) {
        sim.set_nonblocking(file, nonblocking);
        self.open.insert(file, OpenFile { nonblocking, poll_handle: None });
    }

    /// The last descriptor of a file is gone.
    pub fn released(&mut self, sim: &mut Sim, file: FileId) {
        if self.open.remove(&file).is_some() {
            self.waiting.retain(|w| w.file != file);
            sim.close(file);
        }
    }

    /// Closes every file: the mount is gone.
    pub fn close_all(&mut self, sim: &mut Sim) {
        self.waiting.clear();
        while let Some((file, _)) = self.open.pop_first() {
            sim.close(file);
        }
    }

    /// Learns the flags that came with a read or write.
    pub fn set_nonblocking(&mut self, sim: &mut Sim, file: FileId, nonblocking: bool) {
        if let Some(open) = self.open.get_mut(&file).filter(|open| open.nonblocking != nonblocking) {
            open.nonblocking = nonblocking;
            sim.set_nonblocking(file, nonblocking);
        }
    }

    /// Does what is asked and answers, now or when it has become possible.
    pub fn call(
        &mut self,
        sim: &mut Sim,
        device: &Device,
        unique: u64,
        file: FileId,
        mut operation: Operation,
    ) {
        match self.attempt(sim, file, &mut operation) {
            Step::Done(result) => self.answer(device, unique, &operation, result),
            Step::Wait if self.waiting.len() >= MAX_WAITING => device.fail(unique, Errno(libc::ENOMEM)),
            Step::Wait => self.waiting.push(Waiting { unique, file, operation }),
        }
    }

    /// A signal came for a call. One that does not wait is answered already, or was never here.
    pub fn interrupt(&mut self, sim: &mut Sim, device: &Device, unique: u64) {
        if let Some(at) = self.waiting.iter().position(|w| w.unique == unique) {
            sim.interrupt(self.waiting.remove(at).file);
            device.fail(unique, Errno::INTR);
        }
    }

    /// What `poll` says; `handle` is to be notified of edges from now on.
    pub fn poll(&mut self, sim: &Sim, file: FileId, handle: Option<u64>) -> u32 {
        let Some(open) = self.open.get_mut(&file) else { return u32::from(Ready::ERR.0) };
        open.poll_handle = handle.or(open.poll_handle);
        poll_bits(sim.ready(file))
    }

    /// Something has become possible on `files`: what waits there is tried again, and their pollers are told.
    pub fn edges(&mut self, sim: &mut Sim, device: &Device, files: &[FileId]) {
        let (tried, kept) =
            std::mem::take(&mut self.waiting).into_iter().partition(|w| files.contains(&w.file));
        self.waiting = kept;
        let tried: Vec<Waiting> = tried;
        for waiting in tried {
            self.call(sim, device, waiting.unique, waiting.file, waiting.operation);
        }
        for handle in files.iter().filter_map(|file| self.open.get(file)?.poll_handle) {
            device.notify_poll(handle);
        }
    }

    fn attempt(&mut self, sim: &mut Sim, file: FileId, operation: &mut Operation) -> Step {
        let Some(open) = self.open.get(&file) else { return Step::Done(Err(Errno::BADF)) };
        // The kernel waits in an ioctl whether or not the file blocks (IOMUX has a flag of its own for that).
        let (result, waits) = match operation {
            Operation::Read(size) => {
                let room = (*size).min(MAX_READ);
                (sim.read(file, &mut self.scratch[..room]).map(|n| n as i32), !open.nonblocking)
            }
            Operation::Write(data) => (sim.write(file, data).map(|n| n as i32), !open.nonblocking),
            Operation::Ioctl { request, data, address, memory, .. } => {
                let mut arg = Arg { data, address: *address, memory: Some(memory) };
                (sim.ioctl(file, *request, &mut arg), true)
            }
        };
        if result == Err(Errno::AGAIN) && waits { Step::Wait } else { Step::Done(result) }
    }

    fn answer(&self, device: &Device, unique: u64, operation: &Operation, result: Result<i32, Errno>) {
        match (operation, result) {
            (Operation::Ioctl { data, out_size, .. }, result) => {
                let code = result.unwrap_or_else(|e| -e.0);
                let out = if code < 0 { &[][..] } else { data.get(..*out_size).unwrap_or_default() };
                let head = wire::IoctlOut { result: code, ..Zeroable::zeroed() };
                device.reply(unique, &[bytes_of(&head), out]);
            }
            (_, Err(errno)) => device.fail(unique, errno),
            (Operation::Read(_), Ok(count)) => device.reply(unique, &[&self.scratch[..count as usize]]),
            (Operation::Write(_), Ok(count)) => {
                device.reply_with(unique, &wire::WriteOut { size: count as u32, unused: 0 });
            }
        }
    }
}

impl CallerMemory for ProcessMemory {
    fn read(&mut self, address: u64, len: usize) -> Result<Vec<u8>, Errno> {
        ProcessMemory::read(*self, address, len)
    }

    fn write(&mut self, address: u64, data: &[u8]) -> Result<(), Errno> {
        ProcessMemory::write(*self, address, data)
    }
}

fn poll_bits(ready: Ready) -> u32 {
    let mut bits = u32::from(ready.0);
    if ready.contains(Ready::IN) {
        bits |= POLLRDNORM;
    }
    if ready.contains(Ready::OUT) {
        bits |= POLLWRNORM;
    }
    bits
}
