//! One mount's requests and their answers.

use super::{
    control::{self, Recording, Replay},
    device::Device,
    files::{Files, Operation},
    memory::ProcessMemory,
    texts::{self, Texts},
    tree::{Node, Tree},
    wire::{self, Request, opcode},
};
use crate::{FileId, Sim, Simulator};
use bytemuck::Zeroable;
use dahdi_abi::{Errno, Ready};
use std::collections::BTreeMap;
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

/// How long the kernel may keep names and attributes, in seconds: they never change.
const VALID: u64 = 3600;
/// The first number of an open control file; the machine's files have lower ones.
const CONTROL_FILES: u64 = 1 << 63;
/// What a text counts as when it is open; the machine's files have lower numbers.
const TEXT_FILE: u64 = CONTROL_FILES - 1;
/// How many control files can be open.
const MAX_CONTROLS: usize = 256;
/// How many recordings are made at once, each with what waits for its reader; a further one gets `EAGAIN`.
const MAX_RECORDINGS: usize = 16;
/// How many recordings are read at once; a further one gets `EAGAIN`.
const MAX_REPLAYS: usize = 8;
/// A size of device files that no write extends: an extending write would wait for a blocked read.
const FILE_SIZE: u64 = 1 << 20;
const DIRECTORY_MODE: u32 = 0o040_755;
const TEXT_MODE: u32 = 0o100_444;
const LINK_MODE: u32 = 0o120_777;
const FILE_MODE: u32 = 0o100_660;
/// `mknod`, `mkdir`, `unlink`, `rmdir`, `rename`, `link`, `symlink`, `create`, `rename2`: names are not changed here.
const NAME_CHANGES: [u32; 9] = [8, 9, 10, 11, 12, 13, 6, 35, 45];

/// What answers the requests of one mount.
#[derive(Debug)]
pub struct Server {
    device: Device,
    tree: Tree,
    owner: (u32, u32),
    /// Always locked while the machine is held, never the other way round.
    files: Mutex<Files>,
    /// The same.
    controls: Mutex<Controls>,
    texts: Mutex<Texts>,
    /// Recordings that are being read.
    replays: AtomicUsize,
}

/// The open control files, and what each one records.
#[derive(Debug, Default)]
struct Controls {
    opened: u64,
    open: BTreeMap<u64, Option<Recording>>,
}

impl Server {
    /// Files belong to `owner` (user and group).
    pub fn new(device: Device, tree: Tree, owner: (u32, u32)) -> Self {
        Self {
            device,
            tree,
            owner,
            files: Mutex::new(Files::new()),
            controls: Mutex::default(),
            texts: Mutex::default(),
            replays: AtomicUsize::new(0),
        }
    }

    /// The connection.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Something has become possible on `files`.
    pub fn edges(&self, sim: &mut Sim, files: &[FileId]) {
        self.files().edges(sim, &self.device, files);
    }

    /// Closes all files: nobody is there any more.
    pub fn close_all(&self, simulator: &Simulator) {
        simulator.with(|sim| self.files().close_all(sim));
    }

    /// Answers one request, at once or later.
    pub fn handle(self: &Arc<Self>, simulator: &Arc<Simulator>, request: &Request<'_>) {
        let unique = request.header.unique;
        let answered = match request.header.opcode {
            opcode::FORGET | opcode::BATCH_FORGET | opcode::DESTROY => Ok(()),
            opcode::LOOKUP => self.lookup(simulator, request),
            opcode::GETATTR | opcode::SETATTR => self.attributes(simulator, request),
            opcode::READLINK => self.read_link(simulator, request),
            opcode::OPENDIR => self.open_directory(simulator, request),
            opcode::READDIR => self.read_directory(simulator, request),
            opcode::OPEN => self.open(simulator, request),
            opcode::READ => self.read(simulator, request),
            opcode::WRITE => self.write(simulator, request),
            opcode::IOCTL => self.ioctl(simulator, request),
            opcode::POLL => self.poll(simulator, request),
            opcode::RELEASE => self.release(simulator, request),
            opcode::INTERRUPT => self.interrupt(simulator, request),
            opcode::STATFS => {
                let statfs =
                    wire::StatfsOut { bsize: 4096, namelen: 255, frsize: 4096, ..Zeroable::zeroed() };
                self.device.reply_with(unique, &statfs);
                Ok(())
            }
            opcode::RELEASEDIR => {
                self.device.reply(unique, &[]);
                Ok(())
            }
            change if NAME_CHANGES.contains(&change) => Err(Errno(libc::EPERM)),
            _ => Err(Errno::NOSYS),
        };
        if let Err(errno) = answered {
            self.device.fail(unique, errno);
        }
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn controls(&self) -> MutexGuard<'_, Controls> {
        self.controls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open_control(&self) -> Result<FileId, Errno> {
        let mut controls = self.controls();
        if controls.open.len() >= MAX_CONTROLS {
            return Err(Errno(libc::ENFILE));
        }
        let file = CONTROL_FILES + controls.opened;
        controls.opened += 1;
        controls.open.insert(file, None);
        Ok(FileId(file))
    }

    fn attr(&self, id: u64, node: &Node) -> wire::Attr {
        let (mode, size) = match node {
            Node::Directory => (DIRECTORY_MODE, 0),
            Node::Text => (TEXT_MODE, FILE_SIZE),
            Node::Link(target) => (LINK_MODE, target.len() as u64),
            Node::Control | Node::Device(_) => (FILE_MODE, FILE_SIZE),
        };
        let (uid, gid) = self.owner;
        wire::Attr { ino: id, size, mode, nlink: 1, uid, gid, blksize: 4096, ..Zeroable::zeroed() }
    }

    fn texts(&self) -> MutexGuard<'_, Texts> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a request is about, where that is there now.
    fn node(&self, simulator: &Simulator, request: &Request<'_>) -> Result<Node, Errno> {
        self.node_of(simulator, request.header.node).ok_or(Errno::NOENT)
    }

    fn node_of(&self, simulator: &Simulator, id: u64) -> Option<Node> {
        if !Texts::has(id) {
            return self.tree.node(id);
        }
        let path = self.texts().path(id)?.to_owned();
        texts::node(&simulator.with(|sim| sim.text_paths()), &path)
    }

    /// Whether a device file is there now: those of a board that was removed are not.
    fn is_here(simulator: &Simulator, node: &Node) -> bool {
        match node {
            Node::Directory | Node::Control | Node::Text | Node::Link(_) => true,
            Node::Device(path) => simulator.with(|sim| sim.has_node(path)),
        }
    }

    /// The number of a name in a directory.
    fn number(&self, simulator: &Simulator, parent: u64, name: &[u8]) -> Option<u64> {
        if let Some(id) = self.tree.lookup(parent, name) {
            return Some(id);
        }
        let path = self.texts().below(parent, name)?;
        texts::node(&simulator.with(|sim| sim.text_paths()), &path)?;
        Some(self.texts().number(&path))
    }

    /// What a directory lists: numbers and names.
    fn entries(&self, simulator: &Simulator, id: u64) -> Vec<(u64, String)> {
        if !Texts::has(id) {
            return self.tree.entries(id);
        }
        let Some(path) = self.texts().path(id).map(str::to_owned) else { return Vec::new() };
        let names = texts::entries(&simulator.with(|sim| sim.text_paths()), &path);
        let mut numbers = self.texts();
        names.into_iter().map(|name| (numbers.number(&format!("{path}/{name}")), name)).collect()
    }

    fn lookup(&self, simulator: &Simulator, request: &Request<'_>) -> Result<(), Errno> {
        let parent = request.header.node;
        let id = self.number(simulator, parent, request.name()).ok_or(Errno::NOENT)?;
        let node =
            self.node_of(simulator, id).filter(|node| Self::is_here(simulator, node)).ok_or(Errno::NOENT)?;
        let attr = self.attr(id, &node);
        // Boards come and go, and the nodes of their channels with them.
        let stays = !Texts::has(id) && matches!(node, Node::Directory | Node::Control);
        let entry_valid = if stays { VALID } else { 0 };
        let entry = wire::EntryOut { node: id, entry_valid, attr_valid: VALID, attr, ..Zeroable::zeroed() };
        self.device.reply_with(request.header.unique, &entry);
        Ok(())
    }

    fn attributes(&self, simulator: &Simulator, request: &Request<'_>) -> Result<(), Errno> {
        let id = request.header.node;
        if request.header.opcode == opcode::SETATTR
            && parsed::<wire::SetattrIn>(request)?.valid & wire::SETATTR_RIGHTS != 0
        {
            return Err(Errno(libc::EPERM));
        }
        let attr = self.attr(id, &self.node(simulator, request)?);
        let out = wire::AttrOut { attr_valid: VALID, attr, ..Zeroable::zeroed() };
        self.device.reply_with(request.header.unique, &out);
        Ok(())
    }

    fn read_link(&self, simulator: &Simulator, request: &Request<'_>) -> Result<(), Errno> {
        let Node::Link(target) = self.node(simulator, request)? else { return Err(Errno::INVAL) };
        self.device.reply(request.header.unique, &[target.as_bytes()]);
        Ok(())
    }

    fn open_directory(&self, simulator: &Simulator, request: &Request<'_>) -> Result<(), Errno> {
        self.node(simulator, request)?;
        self.device.reply_with(request.header.unique, &wire::OpenOut::zeroed());
        Ok(())
    }

    fn read_directory(&self, simulator: &Simulator, request: &Request<'_>) -> Result<(), Errno> {
        let ask: wire::TransferIn = parsed(request)?;
        let room = (ask.size as usize).min(super::device::BUFFER);
        let skip = usize::try_from(ask.offset).map_err(|_| Errno::INVAL)?;
        let mut out = Vec::new();
        let entries = self.entries(simulator, request.header.node);
        for (at, (id, name)) in entries.into_iter().enumerate().skip(skip) {
            let node = self.node_of(simulator, id).filter(|node| Self::is_here(simulator, node));
            let Some(node) = node else { continue };
            // What `readdir` calls a type is the upper bits of the mode.
            let kind = self.attr(id, &node).mode >> 12;
            let entry = wire::Dirent { ino: id, next: at as u64 + 1, name_len: name.len() as u32, kind };
            if !wire::push_dirent(&mut out, room, entry, &name) {
                break;
            }
        }
        self.device.reply(request.header.unique, &[&out]);
        Ok(())
    }

    fn open(&self, simulator: &Simulator, request: &Request<'_>) -> Result<(), Errno> {
        let ask: wire::OpenIn = parsed(request)?;
        let file = match self.node(simulator, request)? {
            Node::Text => {
                let out = wire::OpenOut { file: TEXT_FILE, open_flags: wire::OPEN_AS_TEXT, unused: 0 };
                self.device.reply_with(request.header.unique, &out);
                return Ok(());
            }
            Node::Directory => return Err(Errno(libc::EISDIR)),
            Node::Link(_) => return Err(Errno(libc::ELOOP)),
            Node::Control => self.open_control()?,
            Node::Device(path) => simulator.with(|sim| {
                let mut files = self.files();
                if !files.has_room() {
                    return Err(Errno(libc::ENFILE));
                }
                // After one ENOSYS the kernel would open everything by itself.
                let file = sim.open(&path).map_err(|e| if e == Errno::NOSYS { Errno::NODEV } else { e })?;
                files.opened(sim, file, nonblocking(ask.flags));
                Ok(file)
            })?,
        };
        let out = wire::OpenOut { file: file.0, open_flags: wire::OPEN_AS_DEVICE, unused: 0 };
        self.device.reply_with(request.header.unique, &out);
        Ok(())
    }

    fn read(&self, simulator: &Simulator, request: &Request<'_>) -> Result<(), Errno> {
        let ask: wire::TransferIn = parsed(request)?;
        if Texts::has(request.header.node) {
            let path = self.texts().path(request.header.node).ok_or(Errno::NODEV)?.to_owned();
            let text = simulator.with(|sim| sim.text(&path)).ok_or(Errno::NODEV)?;
            let rest = usize::try_from(ask.offset).ok().and_then(|at| text.as_bytes().get(at..));
            let rest = rest.unwrap_or_default();
            self.device.reply(request.header.unique, &[&rest[..rest.len().min(ask.size as usize)]]);
            return Ok(());
        }
        if ask.file >= CONTROL_FILES {
            let recording = self.controls().open.get(&ask.file).cloned().flatten().ok_or(Errno::INVAL)?;
            self.device.reply(request.header.unique, &[&recording.read(ask.size as usize)?]);
            return Ok(());
        }
        self.call(simulator, request, ask.file, Some(ask.flags), Operation::Read(ask.size as usize));
        Ok(())
    }

    fn write(self: &Arc<Self>, simulator: &Arc<Simulator>, request: &Request<'_>) -> Result<(), Errno> {
        let (ask, payload) = request.read_with_payload::<wire::TransferIn>().ok_or(Errno::INVAL)?;
        let data = payload.get(..ask.size as usize).ok_or(Errno::INVAL)?;
        if ask.file >= CONTROL_FILES {
            if data.len() > control::MAX_COMMAND {
                return Err(Errno(libc::E2BIG));
            }
            if let Some(replay) = std::str::from_utf8(data).ok().and_then(Replay::asked) {
                return self.replay(simulator, replay, request.header.unique, ask.size);
            }
            self.command(simulator, ask.file, data)?;
            self.device.reply_with(request.header.unique, &wire::WriteOut { size: ask.size, unused: 0 });
        } else {
            self.call(simulator, request, ask.file, Some(ask.flags), Operation::Write(data.to_vec()));
        }
        Ok(())
    }

    /// Does what is written to a control file.
    fn command(&self, simulator: &Simulator, file: u64, text: &[u8]) -> Result<(), Errno> {
        simulator.with(|sim| {
            let mut controls = self.controls();
            let others =
                controls.open.iter().filter(|(other, made)| **other != file && made.is_some()).count();
            let recording = control::command(sim, text)?;
            match (recording, controls.open.get_mut(&file)) {
                (Some(recording), Some(_)) if others >= MAX_RECORDINGS => {
                    recording.end(sim);
                    Err(Errno::AGAIN)
                }
                (Some(recording), Some(made)) => {
                    if let Some(before) = made.replace(recording) {
                        before.end(sim);
                    }
                    Ok(())
                }
                _ => Ok(()),
            }
        })
    }

    /// Reads a recording on a thread of its own, which answers when it plays: neither the machine nor its files wait for
    /// a disk, and a file of this very mount does no harm.
    fn replay(
        self: &Arc<Self>,
        simulator: &Arc<Simulator>,
        replay: Replay,
        unique: u64,
        size: u32,
    ) -> Result<(), Errno> {
        if self.replays.fetch_add(1, Ordering::Relaxed) >= MAX_REPLAYS {
            self.replays.fetch_sub(1, Ordering::Relaxed);
            return Err(Errno::AGAIN);
        }
        let (server, simulator) = (Arc::clone(self), Arc::clone(simulator));
        let read = move || {
            match replay.read().and_then(|replay| simulator.with(|sim| replay.play(sim))) {
                Ok(()) => server.device.reply_with(unique, &wire::WriteOut { size, unused: 0 }),
                Err(errno) => server.device.fail(unique, errno),
            }
            server.replays.fetch_sub(1, Ordering::Relaxed);
        };
        let thread = std::thread::Builder::new().name("sim-replay".into()).spawn(read);
        thread.map(drop).map_err(|_| {
            self.replays.fetch_sub(1, Ordering::Relaxed);
            Errno::AGAIN
        })
    }

    fn ioctl(&self, simulator: &Simulator, request: &Request<'_>) -> Result<(), Errno> {
        let (ask, payload) = request.read_with_payload::<wire::IoctlIn>().ok_or(Errno::INVAL)?;
        if ask.file >= CONTROL_FILES {
            return Err(Errno::NOTTY);
        }
        let input = payload.get(..ask.in_size as usize).ok_or(Errno::INVAL)?;
        // _IOC_SIZE: 14 bits above the code and the number.
        let size = (ask.request >> 16) as usize & 0x3fff;
        let mut data = input.to_vec();
        data.resize(size.max(input.len()), 0);
        let operation = Operation::Ioctl {
            request: ask.request,
            data,
            out_size: ask.out_size as usize,
            address: ask.arg,
            memory: ProcessMemory { pid: request.header.pid },
        };
        self.call(simulator, request, ask.file, None, operation);
        Ok(())
    }

    fn call(
        &self,
        sim: &Simulator,
        request: &Request<'_>,
        file: u64,
        flags: Option<u32>,
        operation: Operation,
    ) {
        sim.operate(FileId(file), |sim| {
            let mut files = self.files();
            if let Some(flags) = flags {
                files.set_nonblocking(sim, FileId(file), nonblocking(flags));
            }
            files.call(sim, &self.device, request.header.unique, FileId(file), operation);
        });
    }

    fn poll(&self, simulator: &Simulator, request: &Request<'_>) -> Result<(), Errno> {
        let ask: wire::PollIn = parsed(request)?;
        let handle = (ask.flags & wire::POLL_SCHEDULE_NOTIFY != 0).then_some(ask.handle);
        let ready = match ask.file {
            file if file >= CONTROL_FILES => u32::from(Ready::OUT.0),
            file => simulator.operate(FileId(file), |sim| self.files().poll(sim, FileId(file), handle)),
        };
        self.device.reply_with(request.header.unique, &wire::PollOut { ready, unused: 0 });
        Ok(())
    }

    fn release(&self, simulator: &Simulator, request: &Request<'_>) -> Result<(), Errno> {
        let ask: wire::ReleaseIn = parsed(request)?;
        if ask.file >= CONTROL_FILES {
            // What it recorded ends with it.
            let made = self.controls().open.remove(&ask.file).flatten();
            if let Some(recording) = made {
                simulator.with(|sim| recording.end(sim));
            }
        } else {
            simulator.with(|sim| self.files().released(sim, FileId(ask.file)));
        }
        self.device.reply(request.header.unique, &[]);
        Ok(())
    }

    /// No answer of its own: the call that it names is answered. There is one reader of requests, so that call was
    /// taken before.
    fn interrupt(&self, simulator: &Simulator, request: &Request<'_>) -> Result<(), Errno> {
        if let Some(unique) = request.read::<u64>() {
            simulator.with(|sim| self.files().interrupt(sim, &self.device, unique));
        }
        Ok(())
    }
}

fn parsed<T: bytemuck::Pod>(request: &Request<'_>) -> Result<T, Errno> {
    request.read().ok_or(Errno::INVAL)
}

fn nonblocking(flags: u32) -> bool {
    flags & libc::O_NONBLOCK as u32 != 0
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::Description;
    use std::path::Path;

    /// The default boards on virtual time, served on a file that stands for /dev/fuse.
    pub fn default_boards(device: &str) -> (Arc<Simulator>, Arc<Server>) {
        let simulator = Simulator::virtual_time(&Description::default()).expect("the default boards");
        let device = Device::open(Path::new(device)).expect("a device file");
        let server = Server::new(device, Tree::new(&simulator.with(|sim| sim.nodes())), (0, 0));
        (Arc::new(simulator), Arc::new(server))
    }

    /// The kernel never sends these; a front that trusts lengths would panic or read past them.
    #[test]
    fn requests_of_any_length_and_content_are_survived() {
        let (simulator, server) = default_boards("/dev/null");
        for opcode in (0..64).filter(|o| *o != opcode::INIT) {
            for (octet, node) in [(0_u8, 2_u64), (0xff, 0), (0xff, u64::MAX), (1, 1)] {
                for length in [0, 1, 7, 8, 16, 24, 32, 40, 41, 88, 4096] {
                    let header = wire::InHeader { len: 40 + length, opcode, node, ..Zeroable::zeroed() };
                    let body = vec![octet; length as usize];
                    server.handle(&simulator, &Request { header, body: &body });
                }
            }
        }
        server.close_all(&simulator);
        simulator.devices().open(&dahdi_abi::NodePath::Number(1)).expect("the machine is whole");
    }

    /// Or who asks for recordings again and again, of a channel where nothing happens, would slow the boards down.
    #[test]
    fn a_recording_ends_with_its_file_and_with_the_next_one() {
        let (simulator, server) = default_boards("/dev/null");
        let file = server.open_control().expect("room").0;
        let asks = |opcode, body: &[u8]| {
            server.handle(
                &simulator,
                &Request { header: wire::InHeader { opcode, ..Zeroable::zeroed() }, body },
            );
        };
        let transfer = |size| wire::TransferIn { file, size, ..Zeroable::zeroed() };
        for text in [&b"record 1"[..], b"record 2"] {
            asks(opcode::WRITE, &[bytemuck::bytes_of(&transfer(text.len() as u32)), text].concat());
            assert!(!simulator.with(|sim| sim.is_unwatched()));
        }
        asks(opcode::RELEASE, bytemuck::bytes_of(&wire::ReleaseIn { file, ..Zeroable::zeroed() }));
        assert!(simulator.with(|sim| sim.is_unwatched()), "nobody listens any more");
    }
}
