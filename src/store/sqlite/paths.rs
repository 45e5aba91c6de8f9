//! Names beside the state file.

use std::path::{Path, PathBuf};

/// `path` with `suffix` after its whole name.
pub(super) fn sibling(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
