//! The book of incidents on disk.
//!
//! One file, replaced as a whole and synced, so that a run killed at any moment leaves the old book
//! or the new one. One run at a time holds the lock; another one knows that it is not alone. Where
//! the folder cannot be written, as when the disk is full, a second place in memory serves.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::book::Book;

/// Largest book that is read; a full one is far smaller.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

const FILE: &str = "incidents.json";
const TEMPORARY: &str = "incidents.json.tmp";
const DAMAGED: &str = "incidents.damaged";
const LOCK: &str = "lock";

/// The folder of one checker, locked for this run.
#[derive(Debug)]
pub struct Spool {
    /// Where the book lies, and where else it may: the first that works is used.
    places: Vec<PathBuf>,
    /// Held until the run ends; the kernel releases it even after a kill.
    _lock: File,
}

/// What came of opening the spool.
#[derive(Debug)]
pub enum Opened {
    /// This run has it.
    Ours(Spool),
    /// Another run has it.
    Busy,
}

/// Creates and locks the folder. `spare` is used where `folder` cannot be.
///
/// # Errors
/// Why neither can be used, in the words for the first.
pub fn open(folder: &Path, spare: Option<&Path>) -> Result<Opened, String> {
    let places: Vec<PathBuf> =
        [Some(folder), spare].into_iter().flatten().map(Into::into).collect();
    let mut problem = None;
    for place in &places {
        match lock(place) {
            Ok(Some(lock)) => return Ok(Opened::Ours(Spool { places, _lock: lock })),
            Ok(None) => return Ok(Opened::Busy),
            Err(error) => {
                let text = format!("cannot use the state directory {}: {error}", place.display());
                problem.get_or_insert(text);
            }
        }
    }
    Err(problem.unwrap_or_default())
}

/// Whether anything is remembered.
pub fn exists(folder: &Path, spare: Option<&Path>) -> bool {
    [Some(folder), spare].into_iter().flatten().any(|place| place.join(FILE).exists())
}

/// The lock file of a folder; `None` when somebody holds it.
fn lock(folder: &Path) -> io::Result<Option<File>> {
    private_folder(folder)?;
    let options = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).clone();
    let file = options.open(folder.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Makes the folder for us alone.
fn private_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    if is_ours(folder) { Ok(()) } else { Err(io::Error::other("it belongs to somebody else")) }
}

/// Whether what lies there can be believed. Where everybody may create folders, one of our name may
/// be a trap: a forged book, or a link.
fn is_ours(folder: &Path) -> bool {
    if !folder.starts_with("/dev/shm") {
        return true;
    }
    let found = std::fs::symlink_metadata(folder);
    found.is_ok_and(|found| found.is_dir() && Some(found.uid()) == own_uid())
}

/// The user that this process runs as.
pub fn own_uid() -> Option<u32> {
    std::fs::metadata("/proc/self").ok().map(|m| m.uid())
}

/// Where the book may lie instead: in memory, in a folder named after the first one.
pub fn spare_for(folder: &Path) -> Option<PathBuf> {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = folder.to_string_lossy().chars().map(plain).collect();
    match own_uid()? {
        0 => Some(Path::new("/run/check-heartbeat").join(name)),
        uid => Some(PathBuf::from(format!("/dev/shm/check-heartbeat-{uid}{name}"))),
    }
}

impl Spool {
    /// The book, and what was wrong with it. A damaged one is put aside.
    pub fn load(&self) -> (Book, Vec<String>) {
        let mut problems = Vec::new();
        let mut newest = Book::default();
        for place in self.places.iter().filter(|place| is_ours(place)) {
            match read(&place.join(FILE)) {
                Ok(Some(book)) if book.revision >= newest.revision => newest = book,
                Ok(_) => {}
                Err(error) => {
                    let aside = std::fs::rename(place.join(FILE), place.join(DAMAGED));
                    let fate = match aside {
                        Ok(()) => format!("it is now {DAMAGED}, and what it knew is lost"),
                        Err(_) => "it is left alone".to_owned(),
                    };
                    let path = place.join(FILE);
                    problems.push(format!("cannot read {}: {error}; {fate}", path.display()));
                }
            }
        }
        (newest, problems)
    }

    /// Saves the book: once this returns, a power cut cannot undo it. An empty book leaves no file.
    ///
    /// # Errors
    /// Why no place can be written, in the words for the first.
    pub fn save(&self, book: &mut Book) -> Result<(), String> {
        book.revision += 1;
        let mut problem = None;
        for (index, place) in self.places.iter().enumerate() {
            let saved = private_folder(place).and_then(|()| write(place, book, index == 0));
            match saved {
                Ok(()) => {
                    // What lies in the later places is older now.
                    for older in &self.places[index + 1..] {
                        let _ = std::fs::remove_file(older.join(FILE));
                    }
                    return Ok(());
                }
                Err(error) => {
                    let path = place.join(FILE);
                    problem.get_or_insert(format!("cannot write {}: {error}", path.display()));
                }
            }
        }
        Err(problem.unwrap_or_default())
    }
}

fn read(path: &Path) -> Result<Option<Book>, String> {
    let mut bytes = Vec::new();
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(|e| e.to_string())?,
    };
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("it is larger than {MAX_BYTES} bytes"));
    }
    serde_json::from_slice(&bytes).map(Some).map_err(|e| format!("it is damaged ({e})"))
}

/// Only in the first place is no file as good as an empty book: in a later one it must hide what
/// still lies in the first.
fn write(folder: &Path, book: &Book, first: bool) -> io::Result<()> {
    let (path, temporary) = (folder.join(FILE), folder.join(TEMPORARY));
    if first && book.is_empty() {
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => return File::open(folder)?.sync_all(),
        }
    }
    let text = serde_json::to_vec(book)?;
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    let written = file.write_all(&text).and_then(|()| file.sync_all());
    if let Err(error) = written {
        let _ = std::fs::remove_file(&temporary);
        return Err(error);
    }
    std::fs::rename(&temporary, &path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::{Bad, Patience, Sign, Subject};
    use crate::notice::Level;
    use crate::stamp::Stamp;

    fn book() -> Book {
        let mut book = Book::default();
        let subject = Subject { watch: "bot".to_owned(), finding: None };
        let bad = Bad {
            level: Level::Critical,
            summary: "gone".to_owned(),
            details: vec!["File: x".to_owned()],
            environment: None,
        };
        let now = Stamp { time_ms: 5, boot_id: Some("b".to_owned()), boot_ms: Some(7) };
        let patience = Patience { failures: 1, goods: 1 };
        book.observe(&subject, Sign::Bad(bad), &now, patience);
        book.going_on.clear();
        book
    }

    fn ours(folder: &Path, spare: Option<&Path>) -> Spool {
        match open(folder, spare) {
            Ok(Opened::Ours(spool)) => spool,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_book_survives_and_an_empty_one_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut book = book();
        ours(folder.path(), None).save(&mut book).unwrap();
        let spool = ours(folder.path(), None);
        assert_eq!(spool.load(), (book.clone(), vec![]));
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &std::fs::metadata(folder.path().join(FILE)).unwrap().permissions(),
        );
        assert_eq!(mode & 0o777, 0o600);
        spool.save(&mut Book::default()).unwrap();
        assert!(!folder.path().join(FILE).exists() && !folder.path().join(TEMPORARY).exists());
        assert_eq!(spool.load(), (Book::default(), vec![]));
    }

    #[test]
    fn what_a_killed_writer_left_is_no_book() {
        let folder = tempfile::tempdir().unwrap();
        let mut book = book();
        let spool = ours(folder.path(), None);
        spool.save(&mut book).unwrap();
        std::fs::write(folder.path().join(TEMPORARY), "{\"revision\": 9").unwrap();
        assert_eq!(spool.load(), (book.clone(), vec![]));
        spool.save(&mut book).unwrap();
        assert_eq!(spool.load(), (book, vec![]));
    }

    #[test]
    fn one_run_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = ours(folder.path(), None);
        assert!(matches!(open(folder.path(), None), Ok(Opened::Busy)));
        drop(first);
        ours(folder.path(), None);
    }

    #[test]
    fn the_newer_of_two_places_counts() {
        let folder = tempfile::tempdir().unwrap();
        let (first, spare) = (folder.path().join("first"), folder.path().join("spare"));
        let mut book = book();
        let spool = ours(&first, Some(&spare));
        spool.save(&mut book).unwrap();
        // The first place is full: here a folder stands where the temporary file should.
        std::fs::create_dir(first.join(TEMPORARY)).unwrap();
        let mut empty = Book::default();
        empty.revision = book.revision;
        spool.save(&mut empty).unwrap();
        assert_eq!(
            spool.load().0,
            Book::default(),
            "an empty book in the first place needs no room"
        );
        std::fs::remove_dir(first.join(TEMPORARY)).unwrap();
        spool.save(&mut book).unwrap();
        std::fs::create_dir(first.join(TEMPORARY)).unwrap();
        book.dropped.insert("mail".to_owned(), 3);
        spool.save(&mut book).unwrap();
        assert!(spare.join(FILE).exists());
        assert_eq!(spool.load(), (book.clone(), vec![]));
        std::fs::remove_dir(first.join(TEMPORARY)).unwrap();
        spool.save(&mut book).unwrap();
        assert!(!spare.join(FILE).exists(), "the first place has it again");
        assert_eq!(spool.load(), (book, vec![]));
    }

    #[test]
    fn a_forged_spare_place_is_not_believed() {
        if own_uid() != Some(0) {
            eprintln!("SKIPPED: only the superuser can make a folder of somebody else");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let forged = tempfile::tempdir_in("/dev/shm").unwrap();
        let mut book = Book::default();
        book.revision = 1_000;
        book.dropped.insert("mail".to_owned(), 7);
        let text = serde_json::to_vec(&book).unwrap();
        std::fs::write(forged.path().join(FILE), text).unwrap();
        let spool = ours(folder.path(), Some(forged.path()));
        assert_eq!(spool.load().0.revision, 1_000, "our own is believed");
        std::os::unix::fs::chown(forged.path(), Some(12_345), None).unwrap();
        assert_eq!(spool.load(), (Book::default(), vec![]));
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(open(&file, Some(forged.path())).is_err());
    }

    #[test]
    fn damage_is_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), "nonsense").unwrap();
        let spool = ours(folder.path(), None);
        let (book, problems) = spool.load();
        assert!(book.is_empty());
        assert!(problems[0].contains("damaged"), "{problems:?}");
        assert_eq!(spool.load().1, Vec::<String>::new());
    }

    #[test]
    fn nowhere_to_write_is_an_error_with_the_first_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = open(&file.join("state"), None).unwrap_err();
        assert!(error.starts_with("cannot use the state directory "), "{error}");
        assert!(error.contains("file/state"), "{error}");
    }
}
