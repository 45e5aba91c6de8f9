//! Whose a file is, asked before it is touched: root backs up and restores in a folder where the
//! bot's user may put what it likes.
//!
//! Invariants: no link is followed under a name that this program made up; a file that is there
//! already is used only if it is regular, has no second name, and belongs to us, to the folder's
//! owner or to the state file's.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use hygiene::atomic::sibling;
use hygiene::ownership::{at, check_file, folder_owner, foreign_link, own_uid};

use crate::store::failure::StoreError;

/// Whether `about` describes a file at `path` that may be used. `state` is the state file, if its
/// owner may have written it, too.
pub(super) fn check(path: &Path, about: &Metadata, state: Option<&Path>) -> Result<(), StoreError> {
    let uid = |path: &Path| std::fs::symlink_metadata(path).ok().map(|about| about.uid());
    let owners = [Some(own_uid()), folder_owner(path), state.and_then(uid)];
    let owners: Vec<u32> = owners.into_iter().flatten().collect();
    check_file(about, &owners).map_err(|why| StoreError::obstacle(path, why))
}

/// Whether root would follow a link that another user can turn elsewhere.
pub(super) fn refuse_strange_link(path: &Path) -> Result<(), StoreError> {
    match foreign_link(path) {
        Some(link) if own_uid() == 0 => {
            Err(StoreError::obstacle(link, "it is a symbolic link of another user"))
        }
        _ => Ok(()),
    }
}

/// Whether root would obey a rollback journal that another user can write. SQLite makes none for this
/// file, whose log is a WAL, but it reads and removes one that is there.
pub(super) fn refuse_strange_journal(path: &Path) -> Result<(), StoreError> {
    let journal = sibling(path, "-journal");
    let is_there = !matches!(at(&journal), Ok(None));
    match own_uid() == 0 && is_foreign(path) && is_there {
        true => {
            let why = "it is a rollback journal, which Katana never makes";
            Err(StoreError::obstacle(&journal, why))
        }
        false => Ok(()),
    }
}

/// Whether the folder of `path` is under the control of another user.
pub(super) fn is_foreign(path: &Path) -> bool {
    folder_owner(path) != Some(own_uid())
}
