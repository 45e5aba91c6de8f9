//! One folder that the book may lie in: made, locked, read and written.
//!
//! Invariants: no link is followed to a file, and nothing is believed or changed that belongs to
//! somebody else, because the folder may lie where everybody can write. Each call may hang for as
//! long as the disk does; [`crate::spool`] sees to that.

use std::fs::{DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use heartbeat::{Now, span};
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use crate::book::Book;
use crate::stamp::Stamp;

/// Largest book that is read; a full one is far smaller.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

pub(crate) const FILE: &str = "incidents.json";
pub(crate) const TEMPORARY: &str = "incidents.json.tmp";
pub(crate) const LOCK: &str = "lock";
const DAMAGED: &str = "incidents.damaged";

/// A lock held for so long is a run that hangs in the kernel: a run ends within 50 s.
const STUCK_MS: u64 = 55_000;

/// How long a run that has a lock may take to write its name into it, and between two looks.
const SIGNING: Duration = Duration::from_secs(1);
const LOOKS: Duration = Duration::from_millis(20);

/// The others that may write there, by the mode of a folder, and the bit that keeps them from
/// replacing what is not theirs (inode(7)).
const OTHERS_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// What came of locking.
#[derive(Debug)]
pub(crate) enum Locked {
    /// The lock is ours until the file is closed; the kernel does that even after a kill.
    Ours(File),
    /// Another run has it.
    Held(Holder),
}

/// The run that has a lock, as it wrote it down there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Holder {
    /// Its process; `None` when it could not write.
    pid: Option<u32>,
    since: Stamp,
}

impl Holder {
    fn held_ms(&self) -> u64 {
        self.since.elapsed_ms(&Stamp::from(&Now::read()))
    }

    /// Whether it has had the lock for longer than a run can take.
    pub(crate) fn hangs(&self) -> bool {
        self.held_ms() > STUCK_MS
    }

    /// Whether this is the name of an earlier run: the one that has the lock is about to write its
    /// own, or hangs while it does.
    fn is_gone(&self) -> bool {
        self.pid.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists())
    }

    /// ` for 12 min, pid 4711`, as far as it is known.
    pub(crate) fn words(&self) -> String {
        if self.is_gone() {
            return String::new();
        }
        let pid = self.pid.map(|pid| format!(", pid {pid}")).unwrap_or_default();
        format!(" for {}{pid}", span(self.held_ms()))
    }
}

/// The user that this process runs as.
pub fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Makes the folder, and takes its lock.
pub(crate) fn lock(folder: &Path) -> io::Result<Locked> {
    make(folder)?;
    let mut options = options();
    let file = options.read(true).write(true).create(true).mode(0o600).open(folder.join(LOCK))?;
    check_file(&file)?;
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => {
                sign(&file);
                return Ok(Locked::Ours(file));
            }
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) => {}
        }
        let holder = holder(&file)?;
        if !(holder.hangs() && holder.is_gone()) || begun.elapsed() > SIGNING {
            return Ok(Locked::Held(holder));
        }
        std::thread::sleep(LOOKS);
    }
}

/// Writes into the lock who has it. Where that fails, as on a full disk, the time of the file serves.
fn sign(mut file: &File) {
    let since = Stamp::from(&Now::read());
    let text = serde_json::to_vec(&Holder { pid: Some(std::process::id()), since });
    let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(&text?));
}

fn holder(mut file: &File) -> io::Result<Holder> {
    let mut text = String::new();
    file.rewind()?;
    // Half a text is no holder.
    let read = file.take(4096).read_to_string(&mut text).map_err(drop);
    if let Some(holder) = read.ok().and_then(|_| serde_json::from_str(&text).ok()) {
        return Ok(holder);
    }
    let time_ms = file.metadata()?.mtime().saturating_mul(1000);
    Ok(Holder { pid: None, since: Stamp { time_ms, boot_id: None, boot_ms: None } })
}

/// The book; `None` when there is none. A damaged one is put aside.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn read(folder: &Path) -> Result<Option<Book>, String> {
    if check_folder(folder).is_err() {
        return Ok(None);
    }
    let path = folder.join(FILE);
    parse(&path).map_err(|error| {
        let fate = match std::fs::rename(&path, folder.join(DAMAGED)) {
            Ok(()) => format!("it is now {DAMAGED}, and what it knew is lost"),
            Err(_) => "it is left alone".to_owned(),
        };
        format!("cannot read {}: {error}; {fate}", path.display())
    })
}

fn parse(path: &Path) -> Result<Option<Book>, String> {
    let file = match options().read(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(|e| e.to_string())?,
    };
    check_file(&file).map_err(|e| e.to_string())?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("it is larger than {MAX_BYTES} bytes"));
    }
    serde_json::from_slice(&bytes).map(Some).map_err(|e| format!("it is damaged ({e})"))
}

/// Replaces the book as a whole, or removes it. Once this returns, a power cut cannot undo it.
pub(crate) fn write(folder: &Path, book: Option<&[u8]>) -> io::Result<()> {
    make(folder)?;
    let (path, temporary) = (folder.join(FILE), folder.join(TEMPORARY));
    let Some(text) = book else {
        remove(&path)?;
        return File::open(folder)?.sync_all();
    };
    // Created anew, so that nothing that lies in its place is written to.
    remove(&temporary)?;
    let mut file = options().write(true).create_new(true).mode(0o600).open(&temporary)?;
    let written = file.write_all(text).and_then(|()| file.sync_all());
    if let Err(error) = written {
        let _ = std::fs::remove_file(&temporary);
        return Err(error);
    }
    std::fs::rename(&temporary, &path)?;
    File::open(folder)?.sync_all()
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Options that follow no link.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.custom_flags(i32::from_ne_bytes(OFlags::NOFOLLOW.bits().to_ne_bytes()));
    options
}

/// Makes the folder for us alone.
fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    check_folder(folder)
}

/// Whether the folder can be believed: where everybody may write, a book may be forged, and a link
/// lead anywhere.
fn check_folder(folder: &Path) -> io::Result<()> {
    // The link itself, if it is one, and where it leads to.
    for found in [std::fs::symlink_metadata(folder)?, std::fs::metadata(folder)?] {
        if !is_ours(&found) {
            return Err(io::Error::other(format!(
                "it belongs to user {} (run the check as that user, or give it a --state-dir of its own)",
                found.uid()
            )));
        }
        let mode = found.mode();
        if found.is_dir() && mode & OTHERS_WRITE != 0 && mode & STICKY == 0 {
            return Err(io::Error::other("everybody may write there (chmod o-w)"));
        }
    }
    Ok(())
}

/// Whether an open file can be believed. One with a second name may be somebody else's victim.
fn check_file(file: &File) -> io::Result<()> {
    let found = file.metadata()?;
    match found.is_file() && is_ours(&found) && found.nlink() <= 1 {
        true => Ok(()),
        false => Err(io::Error::other("it is not a file of ours alone")),
    }
}

fn is_ours(found: &Metadata) -> bool {
    [0, own_uid()].contains(&found.uid())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    #[test]
    fn planted_links_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (state, victim) = (folder.path().join("state"), folder.path().join("victim"));
        std::fs::create_dir(&state).unwrap();
        std::fs::write(&victim, "precious").unwrap();
        for name in [LOCK, TEMPORARY, FILE] {
            symlink(&victim, state.join(name)).unwrap();
        }
        assert!(lock(&state).is_err());
        assert!(read(&state).is_err());
        write(&state, Some(b"{}")).unwrap();
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
        assert_eq!(read(&state), Ok(Some(Book::default())));
        // A second name of somebody's file is no better.
        std::fs::remove_file(state.join(LOCK)).unwrap();
        std::fs::hard_link(&victim, state.join(LOCK)).unwrap();
        assert!(lock(&state).is_err());
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
    }

    #[test]
    fn a_folder_that_others_can_change_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mode = |mode| {
            std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(mode)).unwrap();
        };
        for (bits, fine) in [(0o777, false), (0o1777, true), (0o775, true), (0o700, true)] {
            mode(bits);
            assert_eq!(lock(folder.path()).is_ok(), fine, "{bits:o}");
            assert_eq!(write(folder.path(), Some(b"{}")).is_ok(), fine, "{bits:o}");
        }
        mode(0o777);
        assert_eq!(read(folder.path()), Ok(None), "what lies there is not believed");
        let error = lock(folder.path()).unwrap_err().to_string();
        assert_eq!(error, "everybody may write there (chmod o-w)");
    }

    #[test]
    fn what_belongs_to_somebody_else_is_refused() {
        if own_uid() != 0 {
            // Not by a macro: the test harness would swallow it.
            let _ = std::io::Write::write_fmt(
                &mut std::io::stderr(),
                format_args!("SKIPPED: only the superuser can make a folder of somebody else\n"),
            );
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let (state, link) = (folder.path().join("state"), folder.path().join("link"));
        std::fs::create_dir(&state).unwrap();
        symlink(&state, &link).unwrap();
        assert!(lock(&link).is_ok(), "systemd lays links to state directories");
        std::os::unix::fs::lchown(&link, Some(12_345), None).unwrap();
        assert!(lock(&link).is_err(), "a planted link to a folder");
        chown(state.join(LOCK), Some(12_345), None).unwrap();
        assert!(lock(&state).is_err(), "somebody else's lock");
        chown(&state, Some(12_345), None).unwrap();
        let error = lock(&state).unwrap_err().to_string();
        assert!(error.starts_with("it belongs to user 12345 (run the check as "), "{error}");
    }

    #[test]
    fn a_lock_says_who_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let Locked::Ours(ours) = lock(folder.path()).unwrap() else { panic!("it is free") };
        let held = || match lock(folder.path()) {
            Ok(Locked::Held(holder)) => holder,
            other => panic!("{other:?}"),
        };
        assert_eq!(held().pid, Some(std::process::id()));
        assert!(!held().hangs());
        // A full disk: the time of the file has to do.
        ours.set_len(0).unwrap();
        assert!(held().pid.is_none() && !held().hangs());
        // The name of an earlier run stays when the disk dies while ours is written.
        let mut before = Stamp::from(&Now::read());
        (before.time_ms, before.boot_ms) = (before.time_ms - 60_000, Some(0));
        let earlier = Holder { pid: Some(u32::MAX), since: before };
        std::fs::write(folder.path().join(LOCK), serde_json::to_vec(&earlier).unwrap()).unwrap();
        assert!(held().hangs() && held().words().is_empty());
        // It is only late: its own name is looked for again.
        let late = std::thread::spawn({
            let path = folder.path().to_owned();
            move || lock(&path)
        });
        sign(&ours);
        match late.join().unwrap() {
            Ok(Locked::Held(holder)) => assert!(!holder.hangs(), "{holder:?}"),
            other => panic!("{other:?}"),
        }
    }
}
