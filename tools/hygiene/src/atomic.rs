//! A file that is written beside its final name and gets that name when it is whole.
//!
//! Invariants: nothing half written ever has the final name; one process at a time writes, which
//! the kernel's lock on the new file says; what a killed one left behind is removed by the next one;
//! a link in the place of the new file is never followed.

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::ownership;

/// What the new file is like.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Its mode, whatever the umask.
    pub mode: u32,
    /// User and group, where the process may give files away.
    pub owner: Option<(u32, u32)>,
    /// Whether it has to survive a power cut: waits for the disk.
    pub is_durable: bool,
}

/// The name of the new file while it is written.
pub fn beside(path: &Path) -> PathBuf {
    sibling(path, ".tmp")
}

/// `path` with `suffix` after its whole name.
pub fn sibling(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Replaces a file, or makes it; its folder must exist.
///
/// # Errors
/// Those of the file system; `WouldBlock` while another process writes. The old file is still there
/// then, as it was.
pub fn replace(path: &Path, bytes: &[u8], kind: Kind) -> io::Result<()> {
    replace_by(&beside(path), path, bytes, kind)
}

/// The same with another name for the new file, where people may have a file of the usual one.
///
/// # Errors
/// As [`replace`].
pub fn replace_by(new: &Path, path: &Path, bytes: &[u8], kind: Kind) -> io::Result<()> {
    let new = New::begin(new)?;
    ownership::give(new.file(), kind.owner)?;
    new.file().set_permissions(Permissions::from_mode(kind.mode))?;
    (&new.file).write_all(bytes)?;
    new.publish(path, kind.is_durable)
}

/// An empty file of mode 0600, locked; removed when dropped before it was published.
#[derive(Debug)]
pub struct New {
    path: PathBuf,
    file: File,
    is_published: bool,
}

impl New {
    /// Takes the name `path`, which only new files of this kind may have.
    ///
    /// # Errors
    /// Those of the file system; `WouldBlock` while another process has the name.
    pub fn begin(path: &Path) -> io::Result<Self> {
        // Others who want the name may come in between, but not forever.
        for _ in 0..100 {
            clear(path)?;
            let mut options = OpenOptions::new();
            let file = match ownership::open(path, options.create_new(true).read(true).write(true))
            {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
                opened => opened?,
            };
            lock(&file)?;
            // Another process may have cleared the name before the file was locked.
            if ownership::is_at(&file, path)? {
                return Ok(Self { path: path.to_owned(), file, is_published: false });
            }
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    /// The file, to be written to.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Its name until it is published.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file still has its name: in a folder of another user it may have been exchanged.
    ///
    /// # Errors
    /// Those of stat(2).
    pub fn is_in_place(&self) -> io::Result<bool> {
        ownership::is_at(&self.file, &self.path)
    }

    /// Gives it its name `to` in the same folder, replacing what has it. `is_durable`: returns when
    /// the file and its name are on disk.
    ///
    /// # Errors
    /// Those of the file system; then nothing has changed.
    pub fn publish(mut self, to: &Path, is_durable: bool) -> io::Result<()> {
        if is_durable {
            self.file.sync_all()?;
        }
        if !self.is_in_place()? {
            return Err(io::Error::other("another process replaced it in the meantime"));
        }
        std::fs::rename(&self.path, to)?;
        self.is_published = true;
        if is_durable { sync_folder(to) } else { Ok(()) }
    }
}

impl Drop for New {
    fn drop(&mut self) {
        if !self.is_published {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Removes what a killed process left under the name.
fn clear(path: &Path) -> io::Result<()> {
    let Some(about) = ownership::at(path)? else { return Ok(()) };
    if !about.is_file() {
        // A link or a pipe that was laid there; a folder is refused by the kernel.
        return remove(path);
    }
    let stale = match ownership::open(path, OpenOptions::new().read(true)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    lock(&stale)?;
    // Its owner may have renamed the file meanwhile: then the name is free, or has another file.
    if ownership::is_at(&stale, path)? { remove(path) } else { Ok(()) }
}

fn lock(file: &File) -> io::Result<()> {
    file.try_lock().map_err(|e| match e {
        TryLockError::WouldBlock => io::ErrorKind::WouldBlock.into(),
        TryLockError::Error(e) => e,
    })
}

/// Removes a file, if it is there.
///
/// # Errors
/// Those of unlink(2), apart from a file that is not there.
pub fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// Makes the names in the folder of `path` survive a power cut.
///
/// # Errors
/// Those of fsync(2).
pub fn sync_folder(path: &Path) -> io::Result<()> {
    match File::open(ownership::folder(path))?.sync_all() {
        // Some network and FAT file systems cannot do that.
        Err(e) if e.kind() == io::ErrorKind::InvalidInput => Ok(()),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: Kind = Kind { mode: 0o644, owner: None, is_durable: true };

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap().flatten();
        let mut names: Vec<_> =
            entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(beside(&path), "left by a writer that was killed").unwrap();
        for text in ["one", "another", ""] {
            replace(&path, text.as_bytes(), KIND).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!((mode & 0o777, names(folder.path())), (0o644, vec!["file".to_owned()]));
    }

    #[test]
    fn what_lies_in_the_place_of_the_new_file_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, victim) = (folder.path().join("file"), folder.path().join("victim"));
        std::fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, beside(&path)).unwrap();
        replace(&path, b"new", KIND).unwrap();
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
        std::fs::hard_link(&victim, beside(&path)).unwrap();
        replace(&path, b"new", KIND).unwrap();
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
        std::fs::create_dir(beside(&path)).unwrap();
        assert!(replace(&path, b"newer", KIND).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
    }

    #[test]
    fn a_failed_write_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::create_dir_all(path.join("full")).unwrap();
        assert!(replace(&path, b"text", KIND).is_err());
        assert_eq!(names(folder.path()), ["file"]);
        assert!(replace(&folder.path().join("no/such/folder"), b"text", KIND).is_err());
    }

    #[test]
    fn one_process_at_a_time_writes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let first = New::begin(&beside(&path)).unwrap();
        let refused = replace(&path, b"second", KIND).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        assert!(first.is_in_place().unwrap());
        first.file().write_all(b"first").unwrap();
        first.publish(&path, false).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "first");
        drop(New::begin(&beside(&path)).unwrap());
        assert_eq!(names(folder.path()), ["file"]);
    }
}
