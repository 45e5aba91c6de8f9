//! Whose a file is, asked before it is touched: root works in folders where others may put what
//! they like.
//!
//! Invariant: [`open`] follows no link in the last part of a path, and never waits for the other
//! end of a pipe.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// Mode bits of a folder: everybody may write there, but replace only their own (inode(7)).
const OTHERS_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// The user this process works as.
pub fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Opens without following a link, and without waiting at a pipe. A new file has mode 0600.
///
/// # Errors
/// Those of open(2); `ELOOP` for a link.
pub fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    options.mode(0o600).custom_flags(flags.bits().cast_signed()).open(path)
}

/// What has the name `path`, links not followed; `None` when nothing has.
///
/// # Errors
/// Those of lstat(2).
pub fn at(path: &Path) -> io::Result<Option<Metadata>> {
    match std::fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}

/// Whether everyone on this machine can read or change the file at `path`, links followed.
pub fn is_open_to_all(path: &Path) -> bool {
    path.metadata().is_ok_and(|about| about.mode() & 0o006 != 0)
}

/// Where the runtime of a container puts its secrets. Their mode is that of the runtime, and only this
/// container sees them.
const CONTAINERS: &str = "/run/secrets";

/// Whether everyone on this machine can read the file of a secret, links followed.
pub fn is_open_secret(path: &Path) -> bool {
    !path.starts_with(CONTAINERS) && is_open_to_all(path)
}

/// Whether a file is what it seems: regular, with one name, and of one of these users.
///
/// # Errors
/// Why it is not, to follow the file's name and a colon.
pub fn check_file(about: &Metadata, owners: &[u32]) -> Result<(), &'static str> {
    let kind = about.file_type();
    if kind.is_symlink() {
        return Err("it is a symbolic link");
    }
    if !kind.is_file() {
        return Err("it is not a regular file");
    }
    if about.nlink() > 1 {
        return Err("it has a second name (a hard link)");
    }
    if !owners.contains(&about.uid()) {
        return Err("it belongs to another user");
    }
    Ok(())
}

/// Whether what lies in a folder can be believed: it, and the link that leads to it, belong to one
/// of these users, and no one else can replace what is there.
///
/// # Errors
/// Those of stat(2), or why it cannot be believed.
pub fn check_folder(folder: &Path, owners: &[u32]) -> io::Result<()> {
    for found in [std::fs::symlink_metadata(folder)?, std::fs::metadata(folder)?] {
        if !owners.contains(&found.uid()) {
            return Err(io::Error::other(format!("it belongs to user {}", found.uid())));
        }
        let mode = found.mode();
        if found.is_dir() && mode & OTHERS_WRITE != 0 && mode & STICKY == 0 {
            return Err(io::Error::other("everybody may write there (chmod o-w)"));
        }
    }
    Ok(())
}

/// The first link on the way to `path` that belongs neither to root nor to us: its owner can turn
/// it elsewhere.
pub fn foreign_link(path: &Path) -> Option<&Path> {
    let owners = [0, own_uid()];
    path.ancestors().find(|path| {
        std::fs::symlink_metadata(path)
            .is_ok_and(|at| at.is_symlink() && !owners.contains(&at.uid()))
    })
}

/// The owner of the folder of `path`, if that can be seen.
pub fn folder_owner(path: &Path) -> Option<u32> {
    std::fs::metadata(folder(path)).ok().map(|about| about.uid())
}

/// The folder that `path` names a file in.
pub fn folder(path: &Path) -> &Path {
    path.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// `path` with no link in its folder.
///
/// # Errors
/// When the folder does not exist, or `path` names no file.
pub fn in_real_folder(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    Ok(folder(path).canonicalize()?.join(name))
}

/// Whether the name `path` still leads to this open file.
///
/// # Errors
/// Those of stat(2).
pub fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let ours = file.metadata()?;
    Ok(at(path)?.is_some_and(|about| (about.dev(), about.ino()) == (ours.dev(), ours.ino())))
}

/// Gives an open file of ours to a user and a group, if they are named; a process that may not keeps
/// it.
///
/// # Errors
/// Those of fchown(2), apart from a lack of rights.
pub fn give(file: &File, owner: Option<(u32, u32)>) -> io::Result<()> {
    let Some(owner) = owner else { return Ok(()) };
    let about = file.metadata()?;
    if (about.uid(), about.gid()) == owner {
        return Ok(());
    }
    match fchown(file, Some(owner.0), Some(owner.1)) {
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_group_may_be_trusted_and_everyone_may_not() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (mode, open) in [(0o600, false), (0o640, false), (0o644, true), (0o602, true)] {
            file.as_file().set_permissions(std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(is_open_to_all(file.path()), open, "{mode:o}");
        }
        assert!(!is_open_to_all(Path::new("/nowhere")));
    }

    #[test]
    fn only_a_plain_file_of_ours_is_what_it_seems() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("file"), "text").unwrap();
        symlink("file", path("link")).unwrap();
        let check =
            |name: &str, owners: &[u32]| check_file(&at(&path(name)).unwrap().unwrap(), owners);
        assert_eq!(check("file", &[own_uid()]), Ok(()));
        assert_eq!(check("file", &[own_uid() + 1]), Err("it belongs to another user"));
        assert_eq!(check("link", &[own_uid()]), Err("it is a symbolic link"));
        assert_eq!(check(".", &[own_uid()]), Err("it is not a regular file"));
        std::fs::hard_link(path("file"), path("second")).unwrap();
        assert_eq!(check("file", &[own_uid()]), Err("it has a second name (a hard link)"));
        assert!(open(&path("link"), OpenOptions::new().read(true)).is_err());
        assert!(at(&path("nothing")).unwrap().is_none());
    }

    #[test]
    fn a_folder_that_others_can_change_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let owners = [own_uid()];
        for (bits, fine) in [(0o777, false), (0o1777, true), (0o775, true), (0o700, true)] {
            let mode = PermissionsExt::from_mode(bits);
            std::fs::set_permissions(folder.path(), mode).unwrap();
            assert_eq!(check_folder(folder.path(), &owners).is_ok(), fine, "{bits:o}");
        }
        let error = check_folder(folder.path(), &[own_uid() + 1]).unwrap_err().to_string();
        assert_eq!(error, format!("it belongs to user {}", own_uid()));
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let file = File::create(&path).unwrap();
        assert!(is_at(&file, &path).unwrap());
        std::fs::rename(&path, folder.path().join("moved")).unwrap();
        assert!(!is_at(&file, &path).unwrap());
        std::fs::write(&path, "another").unwrap();
        assert!(!is_at(&file, &path).unwrap());
    }
}
