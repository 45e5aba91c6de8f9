//! Whose a file is, asked before it is touched: root backs up and restores in a folder where the
//! bot's user may put what it likes.
//!
//! Invariants: no link is followed under a name that this program made up; a file that is there
//! already is used only if it is regular, has no second name, and belongs to us, to the folder's
//! owner or to the state file's.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::paths::{folder, sibling};
use crate::store::failure::StoreError;

/// The user this process works as.
pub(super) fn me() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Opens without following a link, and without waiting at a pipe.
pub(super) fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    options.mode(0o600).custom_flags(flags.bits() as i32).open(path)
}

/// What has the name `path`, links not followed.
pub(super) fn there(path: &Path) -> io::Result<Option<Metadata>> {
    match std::fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}

/// Whether `about` describes a file at `path` that may be used. `state` is the state file, if its
/// owner may have written it, too.
pub(super) fn check(path: &Path, about: &Metadata, state: Option<&Path>) -> Result<(), StoreError> {
    let refuse = |why| Err(StoreError::obstacle(path, why));
    let kind = about.file_type();
    if kind.is_symlink() {
        return refuse("it is a symbolic link");
    }
    if !kind.is_file() {
        return refuse("it is not a regular file");
    }
    if about.nlink() > 1 {
        return refuse("it has a second name (a hard link)");
    }
    let uid = |path: &Path| std::fs::symlink_metadata(path).ok().map(|about| about.uid());
    let owners = [Some(me()), folder_owner(path), state.and_then(uid)];
    match owners.contains(&Some(about.uid())) {
        true => Ok(()),
        false => refuse("it belongs to another user"),
    }
}

/// Whether root would follow a link that another user can turn elsewhere.
pub(super) fn refuse_strange_link(path: &Path) -> Result<(), StoreError> {
    let strange = |path: &&Path| {
        std::fs::symlink_metadata(path).is_ok_and(|at| at.is_symlink() && at.uid() != 0)
    };
    match path.ancestors().find(strange) {
        Some(link) if me() == 0 => {
            Err(StoreError::obstacle(link, "it is a symbolic link of another user"))
        }
        _ => Ok(()),
    }
}

/// Whether root would obey a rollback journal that another user can write. SQLite makes none for this
/// file, whose log is a WAL, but it reads and removes one that is there.
pub(super) fn refuse_strange_journal(path: &Path) -> Result<(), StoreError> {
    let journal = sibling(path, "-journal");
    let is_there = !matches!(there(&journal), Ok(None));
    match me() == 0 && is_foreign(path) && is_there {
        true => {
            let why = "it is a rollback journal, which Katana never makes";
            Err(StoreError::obstacle(&journal, why))
        }
        false => Ok(()),
    }
}

/// Whether the folder of `path` is under the control of another user.
pub(super) fn is_foreign(path: &Path) -> bool {
    folder_owner(path) != Some(me())
}

fn folder_owner(path: &Path) -> Option<u32> {
    std::fs::metadata(folder(path)).ok().map(|about| about.uid())
}

/// `path` with no link in its folder.
pub(super) fn in_real_folder(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    Ok(folder(path).canonicalize()?.join(name))
}

/// Whether the name `path` still leads to this open file.
pub(super) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let ours = file.metadata()?;
    let same = |about: Metadata| (about.dev(), about.ino()) == (ours.dev(), ours.ino());
    Ok(there(path)?.is_some_and(same))
}

/// Gives an open file of ours to its owner; who is not root keeps it.
pub(super) fn give(file: &File, owner: Option<(u32, u32)>) -> io::Result<()> {
    let Some((user, group)) = owner else { return Ok(()) };
    let about = file.metadata()?;
    if (about.uid(), about.gid()) == (user, group) {
        return Ok(());
    }
    match fchown(file, Some(user), Some(group)) {
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        done => done,
    }
}
