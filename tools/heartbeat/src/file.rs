//! The file itself: replaced as a whole, read with bounds.
//!
//! A reader sees the old heartbeat or the new one, never a part. At most one temporary file exists, of
//! a fixed name, so that a writer killed in the middle leaves nothing that adds up.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use hygiene::atomic::{self, Kind};
use hygiene::quick;

use crate::{Heartbeat, MAX_BYTES};

/// `O_NONBLOCK` of open(2), which the standard library does not name: opening a pipe returns at once.
const O_NONBLOCK: i32 = if cfg!(any(target_arch = "mips", target_arch = "mips64")) {
    0o200
} else if cfg!(any(target_arch = "sparc", target_arch = "sparc64")) {
    0o40_000
} else {
    0o4_000
};

/// Folders in memory, empty after a boot: a file missing there need not be a bad sign yet.
const VOLATILE: [&str; 3] = ["/run", "/var/run", "/dev/shm"];

/// Why there is nothing to judge.
#[derive(Debug)]
pub enum ReadError {
    /// The file does not exist.
    Missing {
        /// Whether a boot empties the folder, as it does `/run`.
        volatile: bool,
    },
    /// It is a folder, a pipe or a device.
    NotAFile,
    /// It is larger than [`MAX_BYTES`].
    TooLarge,
    /// The kernel refuses.
    Refused(io::Error),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { .. } => f.write_str("does not exist"),
            Self::NotAFile => f.write_str("is not a regular file"),
            Self::TooLarge => write!(f, "is larger than {MAX_BYTES} bytes"),
            Self::Refused(error) => write!(f, "cannot be read: {error}"),
        }
    }
}

impl std::error::Error for ReadError {}

/// The name of the temporary file that [`write()`] uses, beside `path`.
pub fn temporary(path: &Path) -> PathBuf {
    atomic::beside(path)
}

/// Replaces the file as a whole by one that everybody can read (0644). It is not synced to disk:
/// after a power cut the heartbeat is of an earlier boot anyway.
///
/// # Errors
/// Those of the file system; `WouldBlock` while another process writes it.
pub fn write(path: &Path, heartbeat: &Heartbeat) -> io::Result<()> {
    let kind = Kind { mode: 0o644, owner: None, is_durable: false };
    atomic::replace(path, heartbeat.render().as_bytes(), kind)
}

/// Whether the file lies in memory: a boot empties its folder, and no disk can hold a reader up.
pub fn in_memory(path: &Path) -> bool {
    VOLATILE.iter().any(|folder| path.starts_with(folder))
}

/// The content of a heartbeat file, if the kernel has it in memory; never waits for a disk.
pub fn read_quick(path: &Path) -> Option<Vec<u8>> {
    quick::read(path, MAX_BYTES)
}

/// Reads a heartbeat file of any kind. Pipes and devices are refused before they are opened,
/// because opening a device can have an effect, and once more after it: another process may have
/// laid a pipe there in between, and opening must not wait for its writer.
pub fn read(path: &Path) -> Result<Vec<u8>, ReadError> {
    let refused = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => ReadError::Missing { volatile: in_memory(path) },
        _ => ReadError::Refused(error),
    };
    if !std::fs::metadata(path).map_err(refused)?.is_file() {
        return Err(ReadError::NotAFile);
    }
    let file = OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(path);
    let file = file.map_err(refused)?;
    if !file.metadata().map_err(refused)?.is_file() {
        return Err(ReadError::NotAFile);
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(refused)?;
    if bytes.len() > MAX_BYTES { Err(ReadError::TooLarge) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::format::tests::sample;

    #[test]
    fn a_beat_is_replaced_whole_and_readable_for_everybody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heartbeat");
        std::fs::write(temporary(&path), "left by a writer that was killed").unwrap();
        for sequence in 0..3 {
            let beat = Heartbeat { sequence, ..sample() };
            write(&path, &beat).unwrap();
            let text = String::from_utf8(read(&path).unwrap()).unwrap();
            assert_eq!(Heartbeat::parse(&text).unwrap(), beat);
        }
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn reasons_for_an_unreadable_file_are_distinguished() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heartbeat");
        assert!(matches!(read(&path), Err(ReadError::Missing { volatile: false })));
        let run = read(Path::new("/run/katana-no-such-folder/heartbeat"));
        assert!(matches!(run, Err(ReadError::Missing { volatile: true })));
        assert!(matches!(read(folder.path()), Err(ReadError::NotAFile)));
        assert!(matches!(read(Path::new("/dev/null")), Err(ReadError::NotAFile)));
        std::fs::write(&path, vec![b'x'; MAX_BYTES]).unwrap();
        assert_eq!(read(&path).unwrap().len(), MAX_BYTES);
        std::fs::write(&path, vec![b'x'; MAX_BYTES + 1]).unwrap();
        assert!(matches!(read(&path), Err(ReadError::TooLarge)));
    }

    #[test]
    fn a_pipe_that_takes_the_files_place_blocks_no_one() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        let path = place("heartbeat");
        std::fs::write(place("file"), "1795245873\n").unwrap();
        let made = std::process::Command::new("mkfifo").arg(place("pipe")).status();
        assert!(made.is_ok_and(|status| status.success()), "mkfifo of coreutils is needed");
        let show = |name: &str| {
            std::fs::hard_link(place(name), place("next")).unwrap();
            std::fs::rename(place("next"), &path).unwrap();
        };
        show("file");
        let (sender, done) = std::sync::mpsc::channel();
        let reader = path.clone();
        std::thread::spawn(move || {
            let seen: Vec<bool> = (0..30_000).map(|_| read(&reader).is_ok()).collect();
            let _ = sender.send(seen);
        });
        let begun = std::time::Instant::now();
        let seen = loop {
            show("pipe");
            show("file");
            match done.try_recv() {
                Ok(seen) => break seen,
                Err(_) => assert!(begun.elapsed().as_secs() < 60, "the reader waits for a writer"),
            }
        };
        assert!(seen.contains(&true) && seen.contains(&false), "both were seen");
    }
}
