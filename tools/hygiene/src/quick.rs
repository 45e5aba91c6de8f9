//! What the kernel has in memory already. Nothing here waits for a disk or a server, so a program that
//! must end in time needs no second thread for it; what is not in memory is left to such a thread.

use std::fs::{File, OpenOptions};
use std::io::IoSliceMut;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::OnceLock;

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::{Errno, ReadWriteFlags};

/// File systems whose server may be gone, by the beginning of their names in `/proc/self/mounts`.
const REMOTE: [&str; 10] =
    ["nfs", "cifs", "smb", "fuse", "9p", "ceph", "afs", "gluster", "lustre", "autofs"];

static BEFORE_WAITING: OnceLock<Box<dyn Fn() + Send + Sync>> = OnceLock::new();

/// Does this before the first call that may wait, where a caller of this crate says so by
/// [`waiting`]. Only the first hook counts.
pub fn before_waiting(hook: impl Fn() + Send + Sync + 'static) {
    // A second one is not an error.
    let _ = BEFORE_WAITING.set(Box::new(hook));
}

/// Says that what follows may wait.
pub fn waiting() {
    if let Some(hook) = BEFORE_WAITING.get() {
        hook();
    }
}

/// The whole content of a regular file, of at most `most` bytes; `None` if it is anything else, or not
/// in memory, or the kernel cannot say.
pub fn read(path: &Path, most: usize) -> Option<Vec<u8>> {
    let file = open(path)?;
    let mut bytes = vec![0; most.min(1024) + 1];
    let mut length = 0;
    loop {
        if length == bytes.len() {
            bytes.resize((length * 2).min(most + 1), 0);
        }
        let mut room = [IoSliceMut::new(&mut bytes[length..])];
        let read = rustix::io::preadv2(&file, &mut room, length as u64, ReadWriteFlags::NOWAIT);
        match read.ok()? {
            0 => break,
            more => length += more,
        }
        if length > most {
            return None;
        }
    }
    bytes.truncate(length);
    Some(bytes)
}

/// Whether there is nothing of this name; `None` where that is not in memory.
pub fn is_missing(path: &Path) -> Option<bool> {
    match look(path) {
        Ok(_) => Some(false),
        Err(Errno::NOENT) => Some(true),
        Err(_) => None,
    }
}

/// Whether the path lies on a file system whose server may be gone.
pub fn is_remote(path: &Path) -> bool {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mount = |line: &str| {
        let mut words = line.split(' ').skip(1);
        let (place, kind) = (words.next()?.to_owned(), words.next()?.to_owned());
        path.starts_with(&place).then_some((place.len(), kind))
    };
    let inner = mounts.lines().filter_map(mount).max_by_key(|(length, _)| *length);
    inner.is_some_and(|(_, kind)| REMOTE.iter().any(|name| kind.starts_with(name)))
}

/// The place itself, if the way there is in memory.
fn look(path: &Path) -> Result<std::os::fd::OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    rustix::fs::openat2(CWD, path, flags, Mode::empty(), ResolveFlags::CACHED)
}

/// Opens a regular file that is in memory. Its kind is known before it is opened: opening a device can
/// have an effect.
fn open(path: &Path) -> Option<File> {
    let place = look(path).ok()?;
    let kind = FileType::from_raw_mode(rustix::fs::fstat(&place).ok()?.st_mode);
    if kind != FileType::RegularFile {
        return None;
    }
    let same = format!("/proc/self/fd/{}", place.as_raw_fd());
    let nonblock = OFlags::NONBLOCK.bits().cast_signed();
    OpenOptions::new().read(true).custom_flags(nonblock).open(same).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_in_memory_is_read_whole_and_others_are_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for size in [0, 1, 8 * 1024, 100_000] {
            let content = vec![b'x'; size];
            std::fs::write(&path, &content).unwrap();
            // The kernel may not have it in memory, or be too old to say so.
            if let Some(read) = read(&path, 100_000) {
                assert_eq!(read, content);
            }
        }
        assert_eq!(read(&path, 99_999), None, "too large");
        assert_eq!(read(folder.path(), 10), None, "a folder");
        assert_eq!(read(Path::new("/dev/zero"), 10), None, "a device");
        assert_eq!(read(&folder.path().join("nothing"), 10), None);
        assert_ne!(is_missing(&path), Some(true));
        assert_ne!(is_missing(&folder.path().join("nothing")), Some(false));
        assert!(!is_remote(Path::new("/proc/self/mounts")));
    }
}
