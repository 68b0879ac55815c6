//! Device files through the system calls of any program. The only `unsafe` of this program is in here.

use bytemuck::Pod;
use dahdi_abi::{Errno, IndirectData, Request, request};
use std::{
    ffi::CString,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    os::unix::ffi::OsStrExt,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

/// An open device file. Dropping it closes it.
pub struct Node {
    descriptor: OwnedFd,
}

/// As the input or output of a child.
impl From<Node> for Stdio {
    fn from(node: Node) -> Stdio {
        node.descriptor.into()
    }
}

/// The answer of a system call.
pub type Answer<T> = Result<T, Errno>;

/// The result of a system call that tells its error in `errno`.
fn answer(result: i64) -> Answer<usize> {
    usize::try_from(result).map_err(|_| Errno(std::io::Error::last_os_error().raw_os_error().unwrap_or(0)))
}

impl Node {
    /// Opens a file for reading and writing; `flags` as of `open(2)`.
    pub fn open(path: &Path, flags: i32) -> Answer<Node> {
        let path = CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::INVAL)?;
        // SAFETY: the path is a C string that lives until the call returns.
        let descriptor = unsafe { libc::open(path.as_ptr(), libc::O_RDWR | libc::O_CLOEXEC | flags) };
        answer(descriptor.into())?;
        // SAFETY: the call has just opened it, and nobody else knows it.
        Ok(Node { descriptor: unsafe { OwnedFd::from_raw_fd(descriptor) } })
    }

    /// The file that this program was started with as its input.
    pub fn input() -> Node {
        // SAFETY: the descriptor is open from the start on, and nobody else here uses it.
        Node { descriptor: unsafe { OwnedFd::from_raw_fd(libc::STDIN_FILENO) } }
    }

    /// `read(2)`.
    pub fn read(&self, buffer: &mut [u8]) -> Answer<usize> {
        let to = buffer.as_mut_ptr().cast();
        // SAFETY: the buffer is ours and as long as we say.
        answer(unsafe { libc::read(self.descriptor.as_raw_fd(), to, buffer.len()) } as i64)
    }

    /// `write(2)`.
    pub fn write(&self, data: &[u8]) -> Answer<usize> {
        let from = data.as_ptr().cast();
        // SAFETY: the data is ours and as long as we say.
        answer(unsafe { libc::write(self.descriptor.as_raw_fd(), from, data.len()) } as i64)
    }

    /// `ioctl(2)` with the payload that belongs to the request.
    pub fn call<T: Pod>(&self, request: Request<T>, payload: &mut T) -> Answer<usize> {
        self.call_raw(request.number(), bytemuck::bytes_of_mut(payload))
    }

    /// [`Node::call`] for requests that carry one `int`.
    pub fn set(&self, request: Request<i32>, value: i32) -> Answer<usize> {
        self.call(request, &mut { value })
    }

    /// What a request that gives one `int` answers, `start` before it does.
    pub fn get(&self, request: Request<i32>) -> Answer<i32> {
        let mut value = 0;
        self.call(request, &mut value).map(|_| value)
    }

    /// `ioctl(2)` with any number. The payload lies at the start of a page of our own, so that a driver that takes it
    /// for more than it is reads and writes nothing else.
    pub fn call_raw(&self, number: u32, payload: &mut [u8]) -> Answer<usize> {
        let mut page = [0_u8; 4096];
        let size = payload.len().min(page.len());
        page[..size].copy_from_slice(&payload[..size]);
        // SAFETY: the page is ours and larger than any payload of a fixed size; those of no fixed size are not asked.
        let result = unsafe { libc::ioctl(self.descriptor.as_raw_fd(), number.into(), page.as_mut_ptr()) };
        let result = answer(result.into());
        payload.copy_from_slice(&page[..size]);
        result
    }

    /// `ioctl(2)` with an address that is nobody's.
    pub fn call_nowhere(&self, number: u32) -> Answer<usize> {
        // SAFETY: the kernel tests the address before it uses it.
        answer(unsafe { libc::ioctl(self.descriptor.as_raw_fd(), number.into(), 0) }.into())
    }

    /// `INDIRECT`: another request, for the channel of this number.
    pub fn indirect<T: Pod>(&self, chan: i32, op: Request<T>, payload: &mut T) -> Answer<usize> {
        let data = std::ptr::from_mut(payload) as u64;
        self.call(request::INDIRECT, &mut IndirectData { chan, op: op.number() as i32, data })
    }

    /// `poll(2)` for `what`, waiting so long; what is so.
    pub fn poll(&self, what: i16, wait: Duration) -> Answer<i16> {
        let mut polled = libc::pollfd { fd: self.descriptor.as_raw_fd(), events: what, revents: 0 };
        // SAFETY: one entry, and it is ours.
        answer(unsafe { libc::poll(&mut polled, 1, wait.as_millis() as i32) }.into())?;
        Ok(polled.revents)
    }

    /// Sets or clears `O_NONBLOCK`.
    pub fn set_blocking(&self, blocking: bool) {
        let flags = if blocking { 0 } else { libc::O_NONBLOCK };
        // SAFETY: a request without an address.
        unsafe { libc::fcntl(self.descriptor.as_raw_fd(), libc::F_SETFL, flags) };
    }

    /// Another descriptor of the same open file.
    pub fn duplicate(&self) -> Option<Node> {
        self.descriptor.try_clone().ok().map(|descriptor| Node { descriptor })
    }

    /// The oldest event, 0 when there is none.
    pub fn event(&self) -> Answer<i32> {
        self.get(request::GETEVENT)
    }

    /// The events so far.
    pub fn drain(&self) -> Vec<i32> {
        std::iter::from_fn(|| self.event().ok().filter(|event| *event != 0)).take(256).collect()
    }

    /// Waits for an event and gives it, with the time it took; `None` when there was none for so long.
    pub fn wait_event(&self, patience: Duration) -> Option<(i32, Duration)> {
        let began = Instant::now();
        while began.elapsed() < patience {
            self.poll(libc::POLLPRI, patience.saturating_sub(began.elapsed())).ok()?;
            match self.event().ok()? {
                0 => {}
                event => return Some((event, began.elapsed())),
            }
        }
        None
    }
}

/// Does something that gets a signal after so long, which ends a call that waits with `EINTR`.
pub fn with_signal<T>(after: Duration, act: impl FnOnce() -> T) -> T {
    alarm_after(after);
    let result = act();
    alarm_after(Duration::ZERO);
    result
}

/// A signal after so long; none, and none that was asked for, when it is zero.
fn alarm_after(wait: Duration) {
    extern "C" fn nothing(_: i32) {}
    let handler: extern "C" fn(i32) = nothing;
    let wait = libc::timeval { tv_sec: wait.as_secs() as i64, tv_usec: i64::from(wait.subsec_micros()) };
    let timer = libc::itimerval { it_interval: libc::timeval { tv_sec: 0, tv_usec: 0 }, it_value: wait };
    // SAFETY: a zeroed `sigaction` is a valid one (no flags, so no restart); the handler does nothing.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        libc::sigaction(libc::SIGALRM, &action, std::ptr::null_mut());
        libc::setitimer(libc::ITIMER_REAL, &timer, std::ptr::null_mut());
    }
}
