//! Device files of the running kernel. The only `unsafe` of this crate is the `ioctl` call in here.

use dahdi_abi::{DeviceNode, Devices, EchoCanParam, Errno, NodePath, Ready, ToneDef, request};
use nix::{
    fcntl::{self, OFlag},
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::stat::Mode,
};
use std::{
    os::fd::{AsFd, AsRawFd, OwnedFd},
    path::PathBuf,
};

/// Device files in a directory: `/dev/dahdi`, or where `hw-sim` is mounted.
#[derive(Clone, Debug)]
pub struct KernelDevices {
    directory: PathBuf,
}

impl KernelDevices {
    /// The nodes in `directory`. Nothing is opened yet.
    pub fn new(directory: impl Into<PathBuf>) -> KernelDevices {
        KernelDevices { directory: directory.into() }
    }
}

impl Default for KernelDevices {
    /// `/dev/dahdi`.
    fn default() -> KernelDevices {
        KernelDevices::new("/dev/dahdi")
    }
}

impl Devices for KernelDevices {
    fn open(&self, path: &NodePath) -> Result<Box<dyn DeviceNode>, Errno> {
        let file = self.directory.join(path.to_string());
        let flags = OFlag::O_RDWR | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let descriptor = fcntl::open(&file, flags, Mode::empty()).map_err(errno)?;
        Ok(Box::new(KernelNode { descriptor }))
    }

    fn name(&self) -> String {
        self.directory.display().to_string()
    }
}

/// One open device file.
#[derive(Debug)]
pub struct KernelNode {
    descriptor: OwnedFd,
}

impl DeviceNode for KernelNode {
    /// Refuses requests that are none of DAHDI's (ENOTTY), and payloads that do not hold all that the kernel reads
    /// or writes (EINVAL): the kernel knows no length.
    fn ioctl(&mut self, request: u32, arg: &mut [u8]) -> Result<i32, Errno> {
        check_payload(request, arg)?;
        // SAFETY: the descriptor is open, and `check_payload` made sure that the request is a known one which reads
        // and writes nothing outside `arg`.
        let result = unsafe { libc::ioctl(self.descriptor.as_raw_fd(), request.into(), arg.as_mut_ptr()) };
        nix::errno::Errno::result(result).map_err(errno)
    }

    // The C library makes each of these two a point where a thread may be cancelled, which costs as much as a copy of the
    // block; they are called for every block of every channel.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Errno> {
        rustix::io::read(&self.descriptor, buffer).map_err(|error| Errno(error.raw_os_error()))
    }

    fn write(&mut self, data: &[u8]) -> Result<usize, Errno> {
        rustix::io::write(&self.descriptor, data).map_err(|error| Errno(error.raw_os_error()))
    }

    fn ready(&mut self) -> Result<Ready, Errno> {
        let all = PollFlags::POLLIN | PollFlags::POLLPRI | PollFlags::POLLOUT;
        let mut polled = [PollFd::new(self.descriptor.as_fd(), all)];
        poll(&mut polled, PollTimeout::ZERO).map_err(errno)?;
        let bits = polled[0].revents().unwrap_or(PollFlags::empty()).bits();
        Ok(Ready(bits as u16))
    }

    fn poll_fd(&mut self) -> Option<i32> {
        Some(self.descriptor.as_raw_fd())
    }
}

/// `nix` has no name for ELAST (500), so an unknown number is taken from `errno` itself.
fn errno(error: nix::errno::Errno) -> Errno {
    match error {
        nix::errno::Errno::UnknownErrno => Errno(nix::errno::Errno::last_raw()),
        known => Errno(known as i32),
    }
}

/// Whether `arg` holds all that the kernel touches for `request`.
fn check_payload(request: u32, arg: &[u8]) -> Result<(), Errno> {
    const LOADZONE: u32 = request::LOADZONE.number();
    const ECHOCANCEL_PARAMS: u32 = request::ECHOCANCEL_PARAMS.number();
    const INDIRECT: u32 = request::INDIRECT.number();
    const TRANSCODE_OP: u32 = request::TRANSCODE_OP.number();
    if request::name(request).is_none() {
        return Err(Errno::NOTTY);
    }
    let head = request::payload_size(request);
    let tail = match request {
        // Their payload is an address, which nobody can vouch for.
        INDIRECT | TRANSCODE_OP => return Err(Errno::INVAL),
        // `count` and `param_count` say how many entries follow.
        LOADZONE => entries(arg, 0)?.saturating_mul(size_of::<ToneDef>()),
        ECHOCANCEL_PARAMS => entries(arg, 4)?.saturating_mul(size_of::<EchoCanParam>()),
        _ => 0,
    };
    if arg.len() < head.saturating_add(tail) { Err(Errno::INVAL) } else { Ok(()) }
}

/// The 32-bit count at `at`; a negative one counts as very large, so that it is refused.
fn entries(arg: &[u8], at: usize) -> Result<usize, Errno> {
    let octets = arg.get(at..at + 4).and_then(|octets| octets.try_into().ok()).ok_or(Errno::INVAL)?;
    Ok(u32::from_ne_bytes(octets) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dahdi_abi::{ToneDefHeader, bytes};
    use std::fs;

    /// A regular file serves for `read`, `write`, `poll` and errnos; a board answers in the system tests.
    fn file(content: &[u8]) -> (tempfile::TempDir, KernelDevices) {
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(directory.path().join("ctl"), content).expect("a file");
        let devices = KernelDevices::new(directory.path());
        (directory, devices)
    }

    #[test]
    fn opens_reads_writes_and_polls() {
        let (directory, devices) = file(b"abc");
        let mut node = devices.open(&NodePath::Ctl).expect("it is there");
        let mut buffer = [0; 2];
        assert_eq!(node.read(&mut buffer), Ok(2));
        assert_eq!(&buffer, b"ab");
        assert_eq!(node.write(b"xyz"), Ok(3));
        assert_eq!(fs::read(directory.path().join("ctl")).expect("a file"), b"abxyz");
        assert!(node.ready().expect("poll").contains(Ready::IN.with(Ready::OUT)));
        assert!(node.poll_fd().is_some());
        assert_eq!(devices.open(&NodePath::Number(3)).err(), Some(Errno::NOENT));
        assert_eq!(devices.open(&NodePath::Chan(1, 2)).err(), Some(Errno::NOENT));
    }

    #[test]
    fn a_file_that_is_no_board_answers_enotty() {
        let (_directory, devices) = file(b"");
        let mut node = devices.open(&NodePath::Ctl).expect("it is there");
        assert_eq!(node.ioctl(request::CHANNO.number(), &mut [0; 4]), Err(Errno::NOTTY));
    }

    #[test]
    fn payloads_that_the_kernel_would_overrun_are_refused() {
        const TCGETS: u32 = 0x5401; // A terminal's request, in the same group as the transcoder's.
        assert_eq!(check_payload(TCGETS, &[0; 64]), Err(Errno::NOTTY));
        assert_eq!(check_payload(request::CHANNO.number(), &[0; 3]), Err(Errno::INVAL));
        assert_eq!(check_payload(request::CHANNO.number(), &[0; 4]), Ok(()));
        assert_eq!(check_payload(request::SPANSTAT.number(), &[0; 313]), Err(Errno::INVAL));
        assert_eq!(check_payload(request::INDIRECT.number(), &[0; 16]), Err(Errno::INVAL));
        for (count, length, expected) in
            [(0, 112, Ok(())), (1, 156, Ok(())), (1, 155, Err(Errno::INVAL)), (-1, 512, Err(Errno::INVAL))]
        {
            let mut payload = vec![0; length];
            payload[..112].copy_from_slice(bytes(&mut ToneDefHeader { count, ..Default::default() }));
            assert_eq!(check_payload(request::LOADZONE.number(), &payload), expected, "{count} tones");
        }
        assert_eq!(
            check_payload(request::ECHOCANCEL_PARAMS.number(), &[128, 0, 0, 0, 1, 0, 0, 0]),
            Err(Errno::INVAL)
        );
    }

    #[test]
    fn numbers_without_a_name_are_kept() {
        nix::errno::Errno::set_raw(500);
        assert_eq!(errno(nix::errno::Errno::from_raw(500)), Errno::LAST);
        assert_eq!(errno(nix::errno::Errno::EAGAIN), Errno::AGAIN);
    }
}
