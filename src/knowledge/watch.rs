//! Hears of changes in the folders while the bot runs (inotify(7)).
//!
//! Invariant: this only says when to look. What cannot be watched (too many folders, a network share that
//! changes elsewhere) is found by the look that comes now and then.

use std::collections::{HashMap, HashSet};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;

/// What matters of a folder. Reading a file does not, or each look would cause the next one.
const CHANGES: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR);

/// Folders that are watched.
pub(super) struct Watch {
    queue: OwnedFd,
    /// The kernel's number of each.
    watched: HashMap<PathBuf, i32>,
}

impl Watch {
    /// Watches nothing yet.
    pub(super) fn new() -> io::Result<Self> {
        let queue = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        Ok(Self { queue, watched: HashMap::new() })
    }

    /// Watches these folders from now on, and no others; answers how many cannot be watched. A folder that was
    /// replaced by another of the same name is watched as that.
    pub(super) fn set(&mut self, folders: &[PathBuf]) -> usize {
        let (mut now, mut failed) = (HashMap::with_capacity(folders.len()), 0);
        for folder in folders {
            match inotify::add_watch(&self.queue, folder.as_path(), CHANGES) {
                Ok(number) => {
                    now.insert(folder.clone(), number);
                }
                // It went meanwhile.
                Err(Errno::NOENT | Errno::NOTDIR) => {}
                Err(_) => failed += 1,
            }
        }
        let used: HashSet<i32> = now.values().copied().collect();
        for (_, number) in self.watched.drain().filter(|(_, number)| !used.contains(number)) {
            // The kernel may have dropped it with its folder.
            let _ = inotify::remove_watch(&self.queue, number);
        }
        self.watched = now;
        failed
    }

    /// Whether something changed since this was last asked. Never waits.
    pub(super) fn has_changed(&self) -> io::Result<bool> {
        let mut buffer = [MaybeUninit::uninit(); 16 * 1024];
        let mut reader = Reader::new(&self.queue, &mut buffer);
        let mut matters = false;
        loop {
            match reader.next() {
                Ok(event) => {
                    let name = event.file_name().map(|name| name.to_bytes());
                    let is_hidden = name.is_some_and(|name| name.starts_with(b"."));
                    // A queue that was too full says so: then anything may have changed.
                    let is_end = event.events().contains(ReadFlags::IGNORED);
                    matters |= !is_hidden && !is_end;
                }
                Err(Errno::AGAIN) => return Ok(matters),
                Err(Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
    }
}

/// The folder above a source that is not there, so that its coming is seen.
pub(super) fn above(dir: &Path) -> Option<PathBuf> {
    dir.ancestors().skip(1).find(|folder| folder.is_dir()).map(Path::to_owned)
}
