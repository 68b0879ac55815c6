//! The FUSE protocol as `linux/fuse.h` lays it out, version 7.38: only what the simulator serves.

use bytemuck::{Pod, Zeroable};

/// `FUSE_KERNEL_VERSION`.
pub const MAJOR: u32 = 7;
/// The minor version whose structures these are.
pub const MINOR: u32 = 38;
/// The oldest minor version that has everything used here (`max_pages`, 7.28).
pub const OLDEST_MINOR: u32 = 28;

/// Request numbers, `enum fuse_opcode`.
pub mod opcode {
    #![allow(missing_docs)]
    pub const LOOKUP: u32 = 1;
    pub const FORGET: u32 = 2;
    pub const GETATTR: u32 = 3;
    pub const SETATTR: u32 = 4;
    pub const READLINK: u32 = 5;
    pub const OPEN: u32 = 14;
    pub const READ: u32 = 15;
    pub const WRITE: u32 = 16;
    pub const STATFS: u32 = 17;
    pub const RELEASE: u32 = 18;
    pub const INIT: u32 = 26;
    pub const OPENDIR: u32 = 27;
    pub const READDIR: u32 = 28;
    pub const RELEASEDIR: u32 = 29;
    pub const INTERRUPT: u32 = 36;
    pub const DESTROY: u32 = 38;
    pub const IOCTL: u32 = 39;
    pub const POLL: u32 = 40;
    pub const BATCH_FORGET: u32 = 42;
}

/// `FUSE_BIG_WRITES`: a write may have more than a page.
pub const INIT_BIG_WRITES: u32 = 1 << 5;
/// `FUSE_MAX_PAGES`: `max_pages` of [`InitOut`] counts.
pub const INIT_MAX_PAGES: u32 = 1 << 22;
/// How a node is opened: `FOPEN_DIRECT_IO | FOPEN_STREAM | FOPEN_NOFLUSH | FOPEN_PARALLEL_DIRECT_WRITES`. Every call
/// reaches the simulator, there is no file position, and a blocked read does not hold up a writer.
pub const OPEN_AS_DEVICE: u32 = 1 | 1 << 4 | 1 << 5 | 1 << 6;
/// How a text is opened: `FOPEN_DIRECT_IO`. It is made anew for each read, and its size is not known.
pub const OPEN_AS_TEXT: u32 = 1;
/// `FUSE_POLL_SCHEDULE_NOTIFY`: the caller waits, tell it when something changes.
pub const POLL_SCHEDULE_NOTIFY: u32 = 1;
/// `FUSE_NOTIFY_POLL`, in place of the error of a message that answers no request.
pub const NOTIFY_POLL: i32 = 1;
/// `FATTR_MODE | FATTR_UID | FATTR_GID`: a change of rights.
pub const SETATTR_RIGHTS: u32 = 7;

/// `struct fuse_in_header`: before every request.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct InHeader {
    /// The whole request.
    pub len: u32,
    /// One of [`opcode`].
    pub opcode: u32,
    /// Names the request in its reply.
    pub unique: u64,
    /// The node, as given by a lookup.
    pub node: u64,
    /// The caller.
    pub uid: u32,
    /// The caller's group.
    pub gid: u32,
    /// The calling thread; 0 when it is in another process id namespace.
    pub pid: u32,
    /// Extensions, not asked for.
    pub extensions: u32,
}

/// `struct fuse_out_header`: before every reply.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct OutHeader {
    /// The whole reply.
    pub len: u32,
    /// A negative error number, or 0.
    pub error: i32,
    /// The request that is answered; 0 for a message of our own.
    pub unique: u64,
}

/// `struct fuse_init_in`. Older kernels send only the first four fields.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
#[allow(missing_docs)]
pub struct InitIn {
    pub major: u32,
    pub minor: u32,
    pub max_readahead: u32,
    pub flags: u32,
}

/// `struct fuse_init_out`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
#[allow(missing_docs)]
pub struct InitOut {
    pub major: u32,
    pub minor: u32,
    pub max_readahead: u32,
    pub flags: u32,
    pub max_background: u16,
    pub congestion_threshold: u16,
    pub max_write: u32,
    pub time_gran: u32,
    pub max_pages: u16,
    pub map_alignment: u16,
    pub flags2: u32,
    pub unused: [u32; 7],
}

/// `struct fuse_attr`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
#[allow(missing_docs)]
pub struct Attr {
    pub ino: u64,
    pub size: u64,
    pub blocks: u64,
    pub times: [u64; 3],
    pub nanoseconds: [u32; 3],
    pub mode: u32,
    pub nlink: u32,
    pub uid: u32,
    pub gid: u32,
    pub rdev: u32,
    pub blksize: u32,
    pub flags: u32,
}

/// `struct fuse_entry_out`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
#[allow(missing_docs)]
pub struct EntryOut {
    pub node: u64,
    pub generation: u64,
    pub entry_valid: u64,
    pub attr_valid: u64,
    pub nanoseconds: [u32; 2],
    pub attr: Attr,
}

/// `struct fuse_attr_out`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
#[allow(missing_docs)]
pub struct AttrOut {
    pub attr_valid: u64,
    pub nanoseconds: u32,
    pub unused: u32,
    pub attr: Attr,
}

/// The start of `struct fuse_setattr_in`, which is 88 octets: the rest is not looked at.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
#[allow(missing_docs)]
pub struct SetattrIn {
    pub valid: u32,
    pub unused: u32,
}

/// `struct fuse_open_in`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
#[allow(missing_docs)]
pub struct OpenIn {
    pub flags: u32,
    pub open_flags: u32,
}

/// `struct fuse_open_out`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
#[allow(missing_docs)]
pub struct OpenOut {
    pub file: u64,
    pub open_flags: u32,
    pub unused: u32,
}

/// `struct fuse_release_in`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
#[allow(missing_docs)]
pub struct ReleaseIn {
    pub file: u64,
    pub flags: u32,
    pub release_flags: u32,
    pub lock_owner: u64,
}

/// `struct fuse_read_in` and `struct fuse_write_in`, which are alike.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
#[allow(missing_docs)]
pub struct TransferIn {
    pub file: u64,
    pub offset: u64,
    pub size: u32,
    pub transfer_flags: u32,
    pub lock_owner: u64,
    /// The open file's flags (`O_NONBLOCK`) at the time of the call.
    pub flags: u32,
    pub unused: u32,
}

/// `struct fuse_write_out`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
#[allow(missing_docs)]
pub struct WriteOut {
    pub size: u32,
    pub unused: u32,
}

/// `struct fuse_ioctl_in`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct IoctlIn {
    /// The open file.
    pub file: u64,
    /// Not used for a file that is no CUSE device.
    pub flags: u32,
    /// The request number.
    pub request: u32,
    /// The argument as the caller gave it: a number or an address in its memory.
    pub arg: u64,
    /// Octets that came with the request.
    pub in_size: u32,
    /// Octets that the reply may have.
    pub out_size: u32,
}

/// `struct fuse_ioctl_out`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct IoctlOut {
    /// What `ioctl` returns; a negative error number is one as well, and unlike the one of the header it is not
    /// interpreted on its way (`ENOSYS` there becomes `ENOTTY`).
    pub result: i32,
    /// Retrying is for CUSE only.
    pub retry: [u32; 3],
}

/// `struct fuse_poll_in`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct PollIn {
    /// The open file.
    pub file: u64,
    /// What the kernel knows the open file by in a notification.
    pub handle: u64,
    /// [`POLL_SCHEDULE_NOTIFY`].
    pub flags: u32,
    /// What is waited for.
    pub events: u32,
}

/// `struct fuse_poll_out`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
#[allow(missing_docs)]
pub struct PollOut {
    pub ready: u32,
    pub unused: u32,
}

/// `struct fuse_kstatfs`, 80 octets, of which only the block sizes and the longest name are not 0.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
#[allow(missing_docs)]
pub struct StatfsOut {
    pub counts: [u64; 5],
    pub bsize: u32,
    pub namelen: u32,
    pub frsize: u32,
    pub unused: [u32; 7],
}

/// `struct fuse_dirent`; the name follows, filled up to 8 octets.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
#[allow(missing_docs)]
pub struct Dirent {
    pub ino: u64,
    pub next: u64,
    pub name_len: u32,
    pub kind: u32,
}

const _: () = {
    assert!(size_of::<InHeader>() == 40 && size_of::<OutHeader>() == 16);
    assert!(size_of::<InitOut>() == 64 && size_of::<Attr>() == 88);
    assert!(size_of::<EntryOut>() == 128 && size_of::<AttrOut>() == 104);
    assert!(size_of::<TransferIn>() == 40 && size_of::<IoctlIn>() == 32 && size_of::<PollIn>() == 24);
    assert!(size_of::<StatfsOut>() == 80 && size_of::<Dirent>() == 24);
};

/// One request: its header and what follows it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The header.
    pub header: InHeader,
    /// All after the header.
    pub body: &'a [u8],
}

impl<'a> Request<'a> {
    /// `None` when the octets are no whole request.
    pub fn parse(octets: &'a [u8]) -> Option<Self> {
        let header: InHeader = front(octets)?;
        let body = octets.get(size_of::<InHeader>()..usize::try_from(header.len).ok()?)?;
        Some(Self { header, body })
    }

    /// The request's own structure. `None` when the request is too short for it.
    pub fn read<T: Pod>(&self) -> Option<T> {
        front(self.body)
    }

    /// The structure and what follows it.
    pub fn read_with_payload<T: Pod>(&self) -> Option<(T, &'a [u8])> {
        Some((front(self.body)?, self.body.get(size_of::<T>()..)?))
    }

    /// The name that the body is or begins with (octets up to a NUL).
    pub fn name(&self) -> &'a [u8] {
        self.body.split(|octet| *octet == 0).next().unwrap_or_default()
    }
}

fn front<T: Pod>(octets: &[u8]) -> Option<T> {
    octets.get(..size_of::<T>()).map(bytemuck::pod_read_unaligned)
}

/// Appends one directory entry; `false` when it does not fit into `room` octets any more.
pub fn push_dirent(out: &mut Vec<u8>, room: usize, entry: Dirent, name: &str) -> bool {
    let end = (out.len() + size_of::<Dirent>() + name.len()).next_multiple_of(8);
    if end > room {
        return false;
    }
    out.extend_from_slice(bytemuck::bytes_of(&entry));
    out.extend_from_slice(name.as_bytes());
    out.resize(end, 0);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_request_is_no_request() {
        let mut octets =
            bytemuck::bytes_of(&InHeader { len: 48, opcode: opcode::INTERRUPT, ..Zeroable::zeroed() })
                .to_vec();
        octets.extend(7u64.to_ne_bytes());
        assert_eq!(Request::parse(&octets).and_then(|r| r.read::<u64>()), Some(7));
        assert!(Request::parse(&octets[..47]).is_none(), "the length says 48");
        assert!(Request::parse(&octets).is_some_and(|r| r.read::<TransferIn>().is_none()));
    }

    #[test]
    fn directory_entries_are_filled_up_to_eight_octets() {
        let mut out = Vec::new();
        assert!(push_dirent(&mut out, 64, Zeroable::zeroed(), "ctl"));
        assert_eq!(out.len(), 32);
        assert!(push_dirent(&mut out, 64, Zeroable::zeroed(), "12345678"));
        assert_eq!(out.len(), 64);
        assert!(!push_dirent(&mut out, 64, Zeroable::zeroed(), "x"), "no room");
    }
}
