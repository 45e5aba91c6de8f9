//! The log of incidents on disk: one file, replaced as a whole and synced, under a lock.
//!
//! There are two folders for it: the state directory, and one in memory for when the directory
//! cannot be used, as when the disk is full or gives no answer. A run takes the lock in the first
//! folder that works, reads the newest log of both, and writes to the first one that takes it. It
//! does not write again to a folder that has failed.
//!
//! Invariants: a kill leaves the old log or the new one; no link is followed to a file, and nothing
//! that belongs to another user is believed or changed; no call is waited for longer than `ANSWER`.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Error, ErrorKind, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use heartbeat::{Now, Outage};
use hygiene::{atomic, duration, ownership, quick};

use crate::cli::Args;
use crate::incident_log::IncidentLog;
use crate::outages;
use hygiene::time_limit::within;

/// How long a disk may take for one call.
const ANSWER: Duration = Duration::from_secs(4);
/// A lock held for longer belongs to a run that hangs in the kernel: runs end within 50 s.
const HANGS: Duration = Duration::from_secs(55);
/// How long a run that has the lock may take to note the time in it.
const NOTING: Duration = Duration::from_secs(1);
/// Largest log that is read, in bytes; a full one is far smaller.
const MAX_BYTES: u64 = 8 * 1024 * 1024;
const FILE: &str = "incidents.json";
const DAMAGED: &str = "incidents.damaged";
const OUTAGES: &str = "outages.json";
const LOCK: &str = "lock";

/// The folders of one checker, locked for this run. The default has none, and remembers nothing.
#[derive(Debug, Default)]
pub struct StateDir {
    folders: Vec<PathBuf>,
    usable: usize,        // the first folder that can be written to
    remarks: Vec<String>, // what people should know about the folders
    _lock: Option<File>,  // held until the run ends; the kernel releases it even after a kill
}

/// Where incidents are remembered: the state directory, and the folder in memory.
pub fn folders(args: &Args) -> Vec<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    // systemd.exec(5): several are separated by colons.
    let first = |dirs: PathBuf| dirs.to_str().and_then(|d| d.split(':').next()).map(PathBuf::from);
    let packaged = packaged(args);
    let own = args.state_dir.clone().or_else(|| variable("STATE_DIRECTORY").and_then(first));
    let home = || variable("HOME").map(|home| home.join(".local/state"));
    let is_ours = || {
        let own = ownership::own_uid();
        own == 0 || std::fs::metadata(&packaged).is_ok_and(|about| about.uid() == own)
    };
    let state = || variable("XDG_STATE_HOME").or_else(home).filter(|_| !is_ours());
    let name = match &args.instance {
        Some(name) => format!("check-heartbeat@{name}"),
        None => "check-heartbeat".to_owned(),
    };
    let own = own.or_else(|| Some(state()?.join(name)));
    let own = own.unwrap_or_else(|| packaged.clone());
    vec![own.clone(), in_memory(&own)]
}

/// Where the package's unit remembers incidents.
pub fn packaged(args: &Args) -> PathBuf {
    match &args.instance {
        Some(name) => format!("/var/lib/katana-check@{name}").into(),
        None => "/var/lib/katana-check".into(),
    }
}

/// The folder in memory that stands in for this one.
pub fn in_memory(folder: &Path) -> PathBuf {
    let odd = |c: char| !c.is_ascii_alphanumeric();
    let name = folder.to_string_lossy().replace(odd, "-");
    match ownership::own_uid() {
        0 => Path::new("/run/check-heartbeat").join(name),
        uid => PathBuf::from(format!("/dev/shm/check-heartbeat-{uid}{name}")),
    }
}

/// Whether anything is remembered in one of these folders.
pub fn exists(folders: &[PathBuf]) -> bool {
    folders.iter().map(|folder| folder.join(FILE)).any(|file| match quick::is_missing(&file) {
        Some(is_missing) => !is_missing,
        None => {
            if !heartbeat::in_memory(&file) && quick::is_remote(&file) {
                quick::waiting();
            }
            file.exists()
        }
    })
}

/// Whether the first of these folders is there, and ours.
pub fn is_made(folders: &[PathBuf]) -> bool {
    let is_ours = |folder: &PathBuf| ownership::check_folder(folder, &owners()).is_ok();
    folders.first().is_some_and(is_ours)
}

impl StateDir {
    /// Makes and locks the first folder that can be used; `None` when another run is at work, and an
    /// error when none can be used.
    pub fn open(folders: Vec<PathBuf>) -> Result<Option<Self>, String> {
        let mut remarks = Vec::new();
        for (usable, folder) in folders.iter().enumerate() {
            let path = folder.display();
            match in_time(folder, lock) {
                Ok(None) => return Ok(None),
                Ok(lock) => return Ok(Some(Self { folders, usable, remarks, _lock: lock })),
                Err(e) => remarks.push(format!("cannot use the state directory {path}: {e}")),
            }
        }
        Err(remarks.swap_remove(0))
    }

    /// The newest log, and whether it has to be saved even without a change: one in memory has to
    /// come home, or a reboot brings back what was before it. A damaged one is put aside.
    pub fn load(&mut self) -> (IncidentLog, bool) {
        let (mut newest, mut misplaced) = (IncidentLog::default(), false);
        for (index, folder) in self.folders.iter().enumerate() {
            match in_time(folder, read) {
                Ok(None) => {}
                Ok(Some(log)) => {
                    misplaced |= index > 0;
                    newest = if log.revision >= newest.revision { log } else { newest };
                }
                Err(error) => {
                    // A folder that gives no answer takes no log either.
                    let late = error.kind() == ErrorKind::TimedOut && self.usable == index;
                    self.usable += usize::from(late);
                    self.remarks.push(format!("cannot read {}/{FILE}: {error}", folder.display()));
                }
            }
        }
        (newest, misplaced)
    }

    /// Saves the log, so that a power cut cannot undo it. An empty log leaves no file. False when no
    /// folder takes it; without any folder nothing better can be done than to go on.
    pub fn save(&mut self, log: &mut IncidentLog) -> bool {
        log.revision += 1;
        let Ok(text) = serde_json::to_vec(log) else { return false };
        while let Some(folder) = self.folders.get(self.usable) {
            // Only in the first folder does a missing file mean the same as an empty log: in memory
            // it must hide what still lies in the first.
            let text = (self.usable > 0 || !log.is_empty()).then(|| text.clone());
            let Err(error) = in_time(folder, move |folder| write(folder, text.as_deref())) else {
                for older in &self.folders[self.usable + 1..] {
                    let _ = std::fs::remove_file(older.join(FILE));
                }
                return true;
            };
            self.remarks.push(format!("cannot write {}/{FILE}: {error}", folder.display()));
            self.usable += 1;
        }
        self.folders.is_empty()
    }

    /// The outages that were noted; what cannot be read is none.
    pub fn outages(&self) -> Vec<Outage> {
        let Some(folder) = self.folders.get(self.usable) else { return Vec::new() };
        in_time(folder, |folder| {
            let mut bytes = Vec::new();
            let file = open(&folder.join(OUTAGES), OpenOptions::new().read(true))?;
            file.take(MAX_BYTES).read_to_end(&mut bytes)?;
            Ok(serde_json::from_slice(&bytes)?)
        })
        .unwrap_or_default()
    }

    /// Since when there are checks, in Unix milliseconds.
    pub fn observed_since(&self, outages: &[Outage], now: &Now) -> i64 {
        outages::observed_since(self.folders.first().map(PathBuf::as_path), outages, now)
    }

    /// Notes outages that are over. Figures are not worth a remark: what cannot be written is not noted.
    pub fn note_outages(&self, ended: &[Outage], now: &Now) {
        let Some(folder) = self.folders.get(self.usable).filter(|_| !ended.is_empty()) else {
            return;
        };
        let Some(all) = outages::merged(&self.outages(), ended, now) else { return };
        let Ok(text) = serde_json::to_vec(&all) else { return };
        let kind = atomic::Kind { mode: 0o600, owner: None, is_durable: true };
        let _ = in_time(folder, move |folder| atomic::replace(&folder.join(OUTAGES), &text, kind));
    }

    /// What people should know about the folders.
    pub fn remarks(&self) -> Vec<String> {
        let memory = self.folders.get(self.usable).filter(|_| self.usable > 0);
        let memory = memory.map(|folder| {
            format!("incidents are kept in {} meanwhile; a reboot empties it", folder.display())
        });
        self.remarks.iter().cloned().chain(memory).collect()
    }
}

fn in_time<T: Send + 'static>(
    folder: &Path,
    work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let folder = folder.to_owned();
    let late = || Err(Error::new(ErrorKind::TimedOut, "the disk gave no answer within 4 s"));
    within(ANSWER, move || work(&folder)).unwrap_or_else(late)
}

/// Root, and the user of this run.
fn owners() -> [u32; 2] {
    [0, ownership::own_uid()]
}

/// Makes the folder for this user alone, and checks whose it is.
fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    ownership::check_folder(folder, &owners()).map_err(|error| {
        let hint = "run the check as its owner, or give it a --state-dir of its own";
        Error::other(format!("{error} ({hint})"))
    })
}

fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let file = ownership::open(path, options)?;
    ownership::check_file(&file.metadata()?, &owners()).map_err(Error::other)?;
    Ok(file)
}

/// Makes the folder and takes its lock; `None` when another run has it.
fn lock(folder: &Path) -> io::Result<Option<File>> {
    make(folder)?;
    let path = folder.join(LOCK);
    let file = open(&path, OpenOptions::new().read(true).write(true).create(true))?;
    let mut held = Duration::ZERO;
    for _ in 0..2 {
        match file.try_lock() {
            Ok(()) => {
                // Since when it is held, for other runs.
                let _ = file.set_modified(SystemTime::now());
                return Ok(Some(file));
            }
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) => {}
        }
        // Also where the clock was set back meanwhile.
        held = file.metadata()?.modified()?.elapsed().unwrap_or_else(|ahead| ahead.duration());
        if held < HANGS {
            return Ok(None);
        }
        // It may be the time of an earlier run.
        std::thread::sleep(NOTING);
    }
    let held = duration::in_words(u64::try_from(held.as_millis()).unwrap_or(u64::MAX));
    let message = format!("another check has held {} for {held}: it hangs", path.display());
    Err(Error::other(message))
}

/// The log; `None` when there is none, or none that can be believed. A damaged one is put aside.
fn read(folder: &Path) -> io::Result<Option<IncidentLog>> {
    if ownership::check_folder(folder, &owners()).is_err() {
        return Ok(None);
    }
    let (path, mut bytes) = (folder.join(FILE), Vec::new());
    match open(&path, OpenOptions::new().read(true)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file?.take(MAX_BYTES).read_to_end(&mut bytes)?,
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| {
        let moved = std::fs::rename(&path, folder.join(DAMAGED)).map(|()| DAMAGED);
        Error::other(format!("it is damaged ({error}), and is now {}", moved.unwrap_or(FILE)))
    })
}

/// Replaces the log as a whole, or removes it.
fn write(folder: &Path, log: Option<&[u8]>) -> io::Result<()> {
    make(folder)?;
    let path = folder.join(FILE);
    let kind = atomic::Kind { mode: 0o600, owner: None, is_durable: true };
    match log {
        Some(log) => atomic::replace(&path, log, kind),
        None => atomic::remove(&path).and_then(|()| atomic::sync_folder(&path)),
    }
}
