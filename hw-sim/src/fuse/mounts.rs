//! What is mounted where, from `/proc/self/mountinfo` (proc(5)).

use std::{
    ffi::OsString,
    fs, io,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
};

/// The kind of file system that a simulator's mount shows.
pub const KIND: &str = "fuse.hw-sim";
/// The most mounts that are cleared from one directory.
pub const MAX_STACKED: usize = 16;

/// What is mounted on top at a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Top {
    /// The device number, `major:minor`: no other mount has it at the same time.
    pub device: String,
    /// The kind of file system.
    pub kind: String,
}

/// `dir` without links, without asking anything of the directory itself: it may be a dead mount.
pub fn absolute(dir: &Path) -> io::Result<PathBuf> {
    if fs::symlink_metadata(dir).is_ok_and(|about| about.is_symlink()) {
        return dir.canonicalize();
    }
    match (dir.parent(), dir.file_name()) {
        (Some(parent), Some(name)) if parent.as_os_str().is_empty() => {
            Ok(Path::new(".").canonicalize()?.join(name))
        }
        (Some(parent), Some(name)) => Ok(parent.canonicalize()?.join(name)),
        _ => dir.canonicalize(),
    }
}

/// What is mounted at `dir` itself, without asking the file system.
pub fn top_at(dir: &Path) -> Option<Top> {
    let table = fs::read("/proc/self/mountinfo").ok()?;
    top_in(&table, dir)
}

fn top_in(table: &[u8], dir: &Path) -> Option<Top> {
    let text = |word: &[u8]| String::from_utf8_lossy(word).into_owned();
    let of_line = |line: &[u8]| {
        let mut words = line.split(|octet| *octet == b' ');
        let device = text(words.nth(2)?);
        let at = unescaped(words.nth(1)?);
        let kind = text(words.skip_while(|word| *word != b"-").nth(1)?);
        (at == dir).then_some(Top { device, kind })
    };
    table.split(|octet| *octet == b'\n').filter_map(of_line).next_back()
}

/// Space, tab, newline and backslash stand as `\` and three octal digits.
fn unescaped(word: &[u8]) -> PathBuf {
    let mut out = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((&first, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|_| first == b'\\');
        let octet = octal.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        out.push(octet.unwrap_or(first));
        rest = if octet.is_some() { &after[3..] } else { after };
    }
    PathBuf::from(OsString::from_vec(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mount_on_top_counts() {
        let table = b"36 35 98:0 / /mnt rw,noatime master:1 - ext3 /dev/root rw\n\
            40 36 0:50 / /mnt/a\\040b rw - tmpfs tmpfs rw\n\
            41 40 0:51 / /mnt/a\\040b rw,nosuid shared:7 - fuse.hw-sim hw-sim rw,user_id=0\n";
        let rows = [
            ("/mnt", Some(("98:0", "ext3"))),
            ("/mnt/a b", Some(("0:51", KIND))),
            ("/mnt/a", None),
            ("/", None),
        ];
        for (dir, kind) in rows {
            let top = top_in(table, Path::new(dir));
            assert_eq!(top.as_ref().map(|t| (t.device.as_str(), t.kind.as_str())), kind, "{dir}");
        }
    }

    #[test]
    fn a_relative_directory_is_found_without_looking_at_it() {
        let here = Path::new(".").canonicalize().expect("a working directory");
        assert_eq!(absolute(Path::new("missing")).expect("a parent"), here.join("missing"));
        assert_eq!(absolute(Path::new("./missing/")).expect("a parent"), here.join("missing"));
        assert!(absolute(Path::new("no/such/place")).is_err());
    }
}
