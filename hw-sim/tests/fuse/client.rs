//! A simulator as a process, and the device files it serves as a program sees them.

use bytemuck::Zeroable;
use dahdi_abi::{BufferInfo, Request, request};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Read, Write},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd},
        unix::{fs::OpenOptionsExt, process::ExitStatusExt},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

/// The program under test.
pub const HW_SIM: &str = env!("CARGO_BIN_EXE_hw-sim");
/// Longer than anything here takes on a busy machine; a test that waits as long has failed.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// Octets of a block, 20 ms.
pub const BLOCK: usize = 160;

/// A running `hw-sim serve`. Dropping it stops it in order.
pub struct Served {
    child: Child,
    dir: PathBuf,
    _place: tempfile::TempDir,
}

impl Served {
    /// Two E1 spans cabled to each other, ready for use.
    pub fn start() -> Served {
        Served::start_with(&[])
    }

    pub fn start_with(args: &[&str]) -> Served {
        let place = tempfile::tempdir().expect("a temporary directory");
        let dir = place.path().join("dahdi");
        std::fs::create_dir(&dir).expect("a mount point");
        let child = spawn(&dir, args);
        Served { child, dir, _place: place }
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Opens a device file.
    pub fn open(&self, name: &str, flags: i32) -> io::Result<Node> {
        let file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(self.dir.join(name))?;
        Ok(Node(file))
    }

    /// Opens a channel without blocking, with `count` buffers of a block.
    pub fn channel(&self, number: u32, count: i32) -> Node {
        let node = self.open(&number.to_string(), libc::O_NONBLOCK).expect("a channel");
        node.set_buffers(count);
        node
    }

    /// One command of `hw-sim` on this mount.
    pub fn command(&self, args: &[&str]) -> Output {
        let (name, rest) = args.split_first().expect("a command");
        Command::new(HW_SIM).arg(name).arg("--mount").arg(&self.dir).args(rest).output().expect("hw-sim runs")
    }

    pub fn alarm(&self, span: &str, alarm: &str) {
        let done = self.command(&["alarm", span, alarm]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// Kills it as `kill -9` does and starts another one on the same directory.
    pub fn kill_and_restart(&mut self) {
        self.child.kill().expect("it runs");
        let status = self.child.wait().expect("it ends");
        assert_eq!(status.signal(), Some(libc::SIGKILL));
        let stale = std::fs::read_dir(&self.dir).expect_err("the mount is dead");
        assert_eq!(stale.raw_os_error(), Some(libc::ENOTCONN));
        self.child = spawn(&self.dir, &[]);
    }

    /// Sends a signal and returns the exit status.
    pub fn stop(&mut self, signal: Signal) -> std::process::ExitStatus {
        kill(Pid::from_raw(self.child.id() as i32), signal).expect("it runs");
        self.wait()
    }

    pub fn wait(&mut self) -> std::process::ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "the simulator does not end");
            std::thread::yield_now();
        }
    }

    /// Processor time that it used so far.
    pub fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("it runs");
        let after = stat.rsplit(')').next().expect("a name in brackets");
        // proc(5): utime and stime are fields 14 and 15; `after` begins with field 3.
        let ticks: u64 =
            after.split_whitespace().skip(11).take(2).map(|t| t.parse::<u64>().expect("ticks")).sum();
        Duration::from_millis(ticks * 10)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM);
            let _ = self.child.wait();
        }
        // For a test that failed halfway.
        let _ = nix::mount::umount2(&self.dir, nix::mount::MntFlags::MNT_DETACH);
    }
}

fn spawn(dir: &Path, args: &[&str]) -> Child {
    let mut child = Command::new(HW_SIM)
        .args(["serve", "--mount"])
        .arg(dir)
        .args(args)
        .stdout(Stdio::piped())
        .spawn()
        .expect("hw-sim starts");
    let mut line = String::new();
    let out = child.stdout.take().expect("a pipe");
    BufReader::new(out).read_line(&mut line).expect("hw-sim prints");
    assert_eq!(
        line,
        format!("ready {}\n", dir.display()),
        "hw-sim serve did not become ready; see its message"
    );
    child
}

/// An open device file.
pub struct Node(pub File);

impl Node {
    pub fn ioctl<T: bytemuck::Pod>(&self, request: Request<T>, payload: &mut T) -> io::Result<i32> {
        // SAFETY: the request's number tells the size of T, and `payload` outlives the call.
        let result =
            unsafe { libc::ioctl(self.0.as_raw_fd(), request.number().into(), std::ptr::from_mut(payload)) };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
    }

    pub fn get(&self, request: Request<i32>) -> i32 {
        let mut value = 0;
        self.ioctl(request, &mut value).expect("the request is served");
        value
    }

    pub fn set(&self, request: Request<i32>, mut value: i32) -> io::Result<i32> {
        self.ioctl(request, &mut value)
    }

    pub fn set_buffers(&self, count: i32) {
        let mut info = BufferInfo { numbufs: count, bufsize: BLOCK as i32, ..Zeroable::zeroed() };
        self.ioctl(request::SET_BUFINFO, &mut info).expect("buffers");
    }

    pub fn set_nonblocking(&self, on: bool) {
        // SAFETY: F_SETFL takes an integer; the descriptor is open.
        let result =
            unsafe { libc::fcntl(self.0.as_raw_fd(), libc::F_SETFL, if on { libc::O_NONBLOCK } else { 0 }) };
        assert_eq!(result, 0, "F_SETFL");
    }

    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        (&self.0).read(buffer)
    }

    pub fn write(&self, data: &[u8]) -> io::Result<usize> {
        (&self.0).write(data)
    }

    /// Reads all that is there.
    pub fn drain(&self) -> Vec<u8> {
        let (mut all, mut block) = (Vec::new(), [0; BLOCK]);
        loop {
            match self.read(&mut block) {
                Ok(length) => all.extend(&block[..length]),
                Err(e) => {
                    assert_eq!(e.kind(), io::ErrorKind::WouldBlock, "read");
                    return all;
                }
            }
        }
    }

    /// Writes zeros until the queue is full; says how many blocks were taken.
    pub fn fill(&self) -> usize {
        (0..).find(|_| errno(self.write(&[0; BLOCK])) == Some(libc::EAGAIN)).expect("the queue ends")
    }
}

impl AsFd for Node {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Ends a program in order.
pub fn terminate(child: &mut Child) {
    kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM).expect("it runs");
}

pub fn errno<T>(result: io::Result<T>) -> Option<i32> {
    result.err().and_then(|e| e.raw_os_error())
}

/// Waits until a thread of a process is inside a system call (`/proc/PID/task/TID/syscall`).
pub fn until_in_call(pid: u32, tid: i32, call: i64) {
    let start = Instant::now();
    let wanted = format!("{call} ");
    while !std::fs::read_to_string(format!("/proc/{pid}/task/{tid}/syscall"))
        .is_ok_and(|s| s.starts_with(&wanted))
    {
        assert!(start.elapsed() < PATIENCE, "thread {tid} never waits in system call {call}");
        std::thread::yield_now();
    }
}
