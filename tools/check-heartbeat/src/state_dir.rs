//! The log of incidents on disk: one file, replaced as a whole and synced, under a lock.
//!
//! There are two folders for it: the state directory, and a folder in memory for when that cannot
//! be used, as when the disk is full or gives no answer. A run takes the lock in the first folder
//! that works, reads the newest log of both, and writes to the first one that takes it. A folder
//! that failed once is not written to again in the same run.
//!
//! Invariants: a kill leaves the old log or the new one; no link is followed to a file, and nothing
//! is believed or changed that belongs to another user, because others may be able to write there;
//! no call into a folder is waited for longer than [`ANSWER`].

use std::fs::{DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Error, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use heartbeat::span;
use rustix::fs::OFlags;

use crate::cli::Args;
use crate::incident_log::IncidentLog;
use crate::time_limit::within;

/// How long a disk may take for one call.
const ANSWER: Duration = Duration::from_secs(4);

/// A lock that is held for so long belongs to a run that hangs in the kernel: runs end within 50 s.
const HANGS: Duration = Duration::from_secs(55);

/// How long a run that has the lock may take to note the time in it.
const NOTING: Duration = Duration::from_secs(1);

/// Largest log that is read, in bytes; a full one is far smaller.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

const FILE: &str = "incidents.json";
const TEMPORARY: &str = "incidents.json.tmp";
const DAMAGED: &str = "incidents.damaged";
const LOCK: &str = "lock";

/// Others may write to a folder of this mode; the second bit keeps them from replacing what is not
/// theirs (inode(7)).
const OTHERS_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// The folders of one checker, locked for this run.
#[derive(Debug)]
pub struct StateDir {
    folders: Vec<PathBuf>,
    /// The first folder that can be written to.
    usable: usize,
    /// Why the state directory itself is not used.
    remark: Option<String>,
    /// Whether a log was found in memory.
    misplaced: bool,
    /// Held until the run ends; the kernel releases it even after a kill.
    _lock: File,
}

/// Where incidents are remembered: the state directory, and the folder in memory.
pub fn folders(args: &Args) -> Vec<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    // systemd.exec(5): several are separated by colons.
    let first = |dirs: PathBuf| dirs.to_str().and_then(|d| d.split(':').next()).map(PathBuf::from);
    let home = || variable("HOME").map(|home| home.join(".local/state"));
    let own = args.state_dir.clone().or_else(|| variable("STATE_DIRECTORY").and_then(first));
    let own = own.or_else(|| match own_uid() {
        0 => None,
        _ => Some(variable("XDG_STATE_HOME").or_else(home)?.join("check-heartbeat")),
    });
    let own = own.unwrap_or_else(|| "/var/lib/katana-check".into());
    let memory = in_memory(&own);
    vec![own, memory]
}

/// The folder in memory that stands in for this one.
pub fn in_memory(folder: &Path) -> PathBuf {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = folder.to_string_lossy().chars().map(plain).collect();
    match own_uid() {
        0 => Path::new("/run/check-heartbeat").join(name),
        uid => PathBuf::from(format!("/dev/shm/check-heartbeat-{uid}{name}")),
    }
}

/// Whether anything is remembered in one of these folders.
pub fn exists(folders: &[PathBuf]) -> bool {
    folders.iter().any(|folder| folder.join(FILE).exists())
}

impl StateDir {
    /// Makes and locks the first folder that can be used; `None` when another run is at work.
    ///
    /// # Errors
    /// Why none can be used, in the words for the first.
    pub fn open(folders: Vec<PathBuf>) -> Result<Option<Self>, String> {
        let mut problem = None;
        for (usable, folder) in folders.iter().enumerate() {
            match in_time(folder, lock) {
                Ok(Some(lock)) => {
                    let remark = problem.map(|problem| kept_in_memory(problem, folder));
                    return Ok(Some(Self { folders, usable, remark, misplaced: false, _lock: lock }));
                }
                Ok(None) => return Ok(None),
                Err(error) => {
                    let folder = folder.display();
                    problem.get_or_insert(format!("cannot use the state directory {folder}: {error}"));
                }
            }
        }
        Err(problem.unwrap_or_default())
    }

    /// Why the state directory itself is not used.
    pub fn remark(&self) -> Option<&str> {
        self.remark.as_deref()
    }

    /// The newest log, and what was wrong with others. A damaged one is put aside.
    pub fn load(&mut self) -> (IncidentLog, Vec<String>) {
        let (mut newest, mut problems) = (IncidentLog::default(), Vec::new());
        for (index, folder) in self.folders.iter().enumerate() {
            match in_time(folder, read) {
                Ok(None) => {}
                Ok(Some(log)) => {
                    self.misplaced |= index > 0;
                    newest = if log.revision >= newest.revision { log } else { newest };
                }
                Err(error) => {
                    // One that cannot be read in time takes no new log either.
                    if error.kind() == ErrorKind::TimedOut && self.usable == index {
                        self.usable += 1;
                    }
                    problems.push(format!("cannot read {}: {error}", folder.join(FILE).display()));
                }
            }
        }
        (newest, problems)
    }

    /// Whether a log was found in memory: it is to be saved again even if nothing changed, so that
    /// a reboot cannot bring back what was before it.
    pub fn is_misplaced(&self) -> bool {
        self.misplaced
    }

    /// Saves the log: once this returns, a power cut cannot undo it. An empty log leaves no file.
    /// Returns a remark when only the folder in memory could be written.
    ///
    /// # Errors
    /// Why no folder can be written, in the words for the first.
    pub fn save(&mut self, log: &mut IncidentLog) -> Result<Option<String>, String> {
        log.revision += 1;
        let text = serde_json::to_vec(log).map_err(|e| format!("cannot write the log: {e}"))?;
        let mut problem = None;
        while let Some(folder) = self.folders.get(self.usable) {
            // Only in the first folder is no file as good as an empty log: in memory it must hide
            // what still lies in the first.
            let text = (self.usable > 0 || !log.is_empty()).then(|| text.clone());
            match in_time(folder, move |folder| write(folder, text.as_deref())) {
                Ok(()) => {
                    for older in &self.folders[self.usable + 1..] {
                        let _ = std::fs::remove_file(older.join(FILE));
                    }
                    return Ok(problem.map(|problem| kept_in_memory(problem, folder)));
                }
                Err(error) => {
                    let path = folder.join(FILE);
                    problem.get_or_insert(format!("cannot write {}: {error}", path.display()));
                    self.usable += 1;
                }
            }
        }
        Err(problem.unwrap_or_else(|| "no folder takes the log of incidents".to_owned()))
    }
}

fn kept_in_memory(problem: String, folder: &Path) -> String {
    let folder = folder.display();
    format!("{problem}; incidents are kept in {folder} meanwhile, which a reboot empties")
}

fn in_time<T: Send + 'static>(
    folder: &Path,
    work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let folder = folder.to_owned();
    let late = || Err(Error::new(ErrorKind::TimedOut, "the disk gave no answer within 4 s"));
    within(ANSWER, move || work(&folder)).unwrap_or_else(late)
}

/// Makes the folder and takes its lock; `None` when another run has it.
fn lock(folder: &Path) -> io::Result<Option<File>> {
    make(folder)?;
    let mut options = options();
    let file = options.read(true).write(true).create(true).mode(0o600).open(folder.join(LOCK))?;
    check_file(&file)?;
    for last in [false, true] {
        match file.try_lock() {
            Ok(()) => {
                // When the run began, for those that find the lock taken.
                let _ = file.set_modified(SystemTime::now());
                return Ok(Some(file));
            }
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) => {}
        }
        // Also where the clock was set back meanwhile.
        let held = file.metadata()?.modified()?.elapsed().unwrap_or_else(|ahead| ahead.duration());
        if held < HANGS {
            return Ok(None);
        }
        if last {
            let held = span(u64::try_from(held.as_millis()).unwrap_or(u64::MAX));
            let path = folder.join(LOCK);
            let message = format!("another check has held {} for {held}: it hangs", path.display());
            return Err(Error::other(message));
        }
        // It may be the time of an earlier run.
        std::thread::sleep(NOTING);
    }
    Ok(None)
}

/// The log; `None` when there is none, or none that can be believed. A damaged one is put aside.
fn read(folder: &Path) -> io::Result<Option<IncidentLog>> {
    if check_folder(folder).is_err() {
        return Ok(None);
    }
    let path = folder.join(FILE);
    let mut bytes = Vec::new();
    match options().read(true).open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
        Ok(file) => {
            check_file(&file)?;
            file.take(MAX_BYTES).read_to_end(&mut bytes)?;
        }
    }
    serde_json::from_slice(&bytes).map(Some).map_err(|error| {
        let fate = match std::fs::rename(&path, folder.join(DAMAGED)) {
            Ok(()) => format!("it is now {DAMAGED}, and what it knew is lost"),
            Err(_) => "it is left alone".to_owned(),
        };
        Error::other(format!("it is damaged ({error}); {fate}"))
    })
}

/// Replaces the log as a whole, or removes it.
fn write(folder: &Path, log: Option<&[u8]>) -> io::Result<()> {
    make(folder)?;
    let (path, temporary) = (folder.join(FILE), folder.join(TEMPORARY));
    let Some(text) = log else {
        remove(&path)?;
        return File::open(folder)?.sync_all();
    };
    // Created again, so that nothing that lies in its place is written to.
    remove(&temporary)?;
    let mut file = options().write(true).create_new(true).mode(0o600).open(&temporary)?;
    if let Err(error) = file.write_all(text).and_then(|()| file.sync_all()) {
        let _ = std::fs::remove_file(&temporary);
        return Err(error);
    }
    std::fs::rename(&temporary, &path)?;
    File::open(folder)?.sync_all()
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Options that follow no link.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.custom_flags(i32::from_ne_bytes(OFlags::NOFOLLOW.bits().to_ne_bytes()));
    options
}

/// Makes the folder for this user alone.
fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    check_folder(folder)
}

/// Whether the folder can be believed: where everyone may write, a log may be forged, and a link
/// lead anywhere.
fn check_folder(folder: &Path) -> io::Result<()> {
    // The link itself, if it is one, and where it leads to.
    for found in [std::fs::symlink_metadata(folder)?, std::fs::metadata(folder)?] {
        if !is_ours(&found) {
            return Err(Error::other(format!(
                "it belongs to user {} (run the check as that user, or give it a --state-dir of its own)",
                found.uid()
            )));
        }
        let mode = found.mode();
        if found.is_dir() && mode & OTHERS_WRITE != 0 && mode & STICKY == 0 {
            return Err(Error::other("everyone may write there (chmod o-w)"));
        }
    }
    Ok(())
}

/// Whether an open file can be believed. One with a second name may belong to a trap.
fn check_file(file: &File) -> io::Result<()> {
    let found = file.metadata()?;
    match found.is_file() && is_ours(&found) && found.nlink() <= 1 {
        true => Ok(()),
        false => Err(Error::other("it is not a file of this user alone")),
    }
}

fn is_ours(found: &Metadata) -> bool {
    [0, own_uid()].contains(&found.uid())
}

fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}
