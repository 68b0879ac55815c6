//! The device files over FUSE: what an operation costs, and how many channels a core carries.

use crate::client::BLOCK;
use crate::own_cpu;
use crate::virtual_time::{LOOPED, SIZES, boards, sizes};
use dahdi_abi::{BufferInfo, MaintInfo, maint, request};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(20);
/// Ticks of a run.
const TURNS: u32 = 250;
/// Calls of each kind.
const CALLS: u32 = 20_000;

struct Served {
    child: Child,
    place: tempfile::TempDir,
}

pub fn table() {
    let Some(served) = Served::start(2) else {
        println!("Device files: not measured; mounting needs /dev/fuse and root (or `unshare -Urm`).");
        return;
    };
    // 64 spans have more channels than a process usually may open files.
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
    println!("Device files over FUSE: one operation");
    println!("{:>18} {:>10} {:>12} {:>12}", "operation", "µs", "CPU client", "CPU server");
    operations(&served);
    drop(served);
    println!("\nDevice files over FUSE: 50 reads and 50 writes a second on each channel, {} s", TURNS / 50);
    println!(
        "{:>8} {:>6} {:>10} {:>12} {:>12} {:>18} {:>14}",
        "client", "spans", "channels", "CPU client", "CPU server", "channels a core", "missed blocks"
    );
    for (name, client) in [("ticks", ticking as fn(&[File]) -> u64), ("epoll", polling)] {
        for spans in SIZES {
            carry(name, spans, client);
        }
    }
    println!("{LOOPED} 64 spans are those of two servers.");
    println!(
        "Channels a core: those whose client and server together take one core whole, by the blocks that were moved. Blocks\nare missed where the machine has no time left for them, or for its other programs.\n"
    );
}

impl Served {
    fn start(spans: u16) -> Option<Served> {
        let place = tempfile::tempdir().unwrap();
        let text = toml::to_string(&boards(spans)).unwrap();
        let (config, dir) = (place.path().join("boards.toml"), place.path().join("dahdi"));
        std::fs::write(&config, text).unwrap();
        std::fs::create_dir(&dir).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_hw-sim"))
            .args(["serve", "--mount"])
            .arg(&dir)
            .arg("--config")
            .arg(&config)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if !line.starts_with("ready") {
            child.wait().unwrap();
            return None;
        }
        let served = Served { child, place };
        if spans == 1 {
            let mut looped = MaintInfo { spanno: 1, command: maint::LOCALLOOP };
            ioctl(&served.node("ctl"), request::MAINT.number(), &mut looped);
        }
        Some(served)
    }

    fn node(&self, name: &str) -> File {
        let path = self.place.path().join("dahdi").join(name);
        OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(path).unwrap()
    }

    fn open(&self, name: &str) -> File {
        let file = self.node(name);
        let mut info = BufferInfo { numbufs: 8, bufsize: BLOCK as i32, ..BufferInfo::default() };
        ioctl(&file, request::SET_BUFINFO.number(), &mut info);
        file
    }

    fn bearers(&self, spans: u16) -> Vec<File> {
        let numbers = (0..u32::from(spans) * 31).filter(|index| index % 31 != 15);
        let open = |index: u32| {
            let file = self.open(&(index + 1).to_string());
            (0..3).for_each(|_| assert_eq!((&file).write(&[0x55; BLOCK]).unwrap(), BLOCK));
            file
        };
        numbers.map(open).collect()
    }

    /// Processor time of the server so far, from the nanoseconds of its threads.
    fn cpu(&self) -> Duration {
        let tasks = Path::new("/proc").join(self.child.id().to_string()).join("task");
        let nanos = std::fs::read_dir(tasks).unwrap().filter_map(|task| {
            let text = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(nanos.sum())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

fn ioctl<T: bytemuck::Pod>(file: &File, number: u32, payload: &mut T) {
    // SAFETY: the request's number tells the size of T, and `payload` outlives the call.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), number.into(), std::ptr::from_mut(payload)) };
    assert!(result >= 0, "{}", io::Error::last_os_error());
}

/// Measures each kind of call, refused ones for reads and writes so that the line's pace does not count.
fn operations(served: &Served) {
    let node = served.open("1");
    let measure = |name: &str, call: &mut dyn FnMut()| {
        let (own, theirs, start) = (own_cpu(), served.cpu(), Instant::now());
        (0..CALLS).for_each(|_| call());
        let each = |total: Duration| total.as_secs_f64() * 1e6 / f64::from(CALLS);
        let (wall, own, theirs) = (each(start.elapsed()), each(own_cpu() - own), each(served.cpu() - theirs));
        println!("{name:>18} {wall:>10.1} {own:>9.1} µs {theirs:>9.1} µs");
    };
    let mut block = [0; BLOCK];
    measure("read", &mut || drop((&node).read(&mut block)));
    measure("write", &mut || drop((&node).write(&[0x55; BLOCK])));
    measure("ioctl", &mut || ioctl(&node, request::GETEVENT.number(), &mut 0_i32));
    let mut fds = [nix::poll::PollFd::new(node.as_fd(), nix::poll::PollFlags::POLLPRI)];
    measure("poll", &mut || assert!(nix::poll::poll(&mut fds, nix::poll::PollTimeout::ZERO).is_ok()));
}

/// Runs a client and prints its line.
fn carry(name: &str, spans: u16, client: fn(&[File]) -> u64) {
    let servers: Vec<_> = sizes(spans).map(|spans| (Served::start(spans).unwrap(), spans)).collect();
    let files: Vec<_> = servers.iter().flat_map(|(served, spans)| served.bearers(*spans)).collect();
    let cpu = || servers.iter().map(|(served, _)| served.cpu()).sum::<Duration>();
    let (own, theirs, start) = (own_cpu(), cpu(), Instant::now());
    let moved = client(&files);
    let wall = start.elapsed().as_secs_f64();
    let (own, theirs) = ((own_cpu() - own).as_secs_f64() / wall, (cpu() - theirs).as_secs_f64() / wall);
    println!(
        "{name:>8} {spans:>6} {:>10} {:>11.1}% {:>11.1}% {:>18.0} {:>14}",
        files.len(),
        own * 100.0,
        theirs * 100.0,
        moved as f64 / wall / 100.0 / (own + theirs),
        (files.len() as u64 * 2 * u64::from(TURNS)).saturating_sub(moved)
    );
}

/// Reads and writes all channels every 20 ms; tells how many calls moved a block. A client that falls behind ends with the
/// time, and has missed the rest.
fn ticking(files: &[File]) -> u64 {
    let (start, mut block, mut moved) = (Instant::now(), [0x55; BLOCK], 0);
    for turn in 1..=TURNS {
        let due = start + TICK * turn + Duration::from_millis(2);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        for mut file in files {
            if start.elapsed() > TICK * (TURNS + 1) {
                return moved;
            }
            moved += u64::from(file.read(&mut block).is_ok());
            moved += u64::from(file.write(&block).is_ok());
        }
    }
    moved
}

/// Reads what comes, when it comes, and answers each block with one.
fn polling(files: &[File]) -> u64 {
    let epoll = Epoll::new(EpollCreateFlags::empty()).unwrap();
    for (index, file) in files.iter().enumerate() {
        let event = EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, index as u64);
        epoll.add(file.as_fd(), event).unwrap();
    }
    let (start, mut block, mut moved) = (Instant::now(), [0x55; BLOCK], 0_u64);
    let mut events = vec![EpollEvent::empty(); files.len()];
    while start.elapsed() < TICK * TURNS {
        let count = epoll.wait(&mut events, EpollTimeout::from(100_u16)).unwrap();
        for event in &events[..count] {
            let mut file = &files[event.data() as usize];
            while file.read(&mut block).is_ok() {
                moved += 1 + u64::from(file.write(&block).is_ok());
            }
        }
    }
    moved
}
