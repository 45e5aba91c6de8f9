//! Free space of a file system.

use std::io;
use std::path::Path;

/// How much a file system holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes that this process may still write.
    pub free: u64,
    /// Bytes in all, without what is reserved for root.
    pub total: u64,
}

/// The room of the file system that holds this file or folder.
///
/// # Errors
/// Those of statvfs(3).
pub fn room(path: &Path) -> io::Result<Room> {
    let stat = rustix::fs::statvfs(path)?;
    let used = stat.f_blocks.saturating_sub(stat.f_bfree);
    Ok(Room {
        free: stat.f_bavail.saturating_mul(stat.f_frsize),
        total: (used + stat.f_bavail).saturating_mul(stat.f_frsize),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_has_no_more_free_than_in_all() {
        let room = room(Path::new("/")).unwrap();
        assert!(room.total > 0 && room.free <= room.total, "{room:?}");
        assert!(super::room(Path::new("/no/such/folder")).is_err());
    }
}
