//! The book of incidents on disk.
//!
//! One file, replaced as a whole and synced, so that a run killed at any moment leaves the old book
//! or the new one. One run at a time holds the lock; another one knows that it is not alone. Where
//! the folder cannot be written, as when the disk is full, a second place in memory serves. It does
//! so too where the disk gives no answer, or holds up an earlier run that has the lock: no call into
//! a place is waited for longer than `PATIENCE`, and that place is left alone for the rest of the
//! run.

use std::cell::Cell;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::book::Book;
use crate::bound::within;
use crate::place::{self, FILE, LOCK, Locked, own_uid};

/// How long a disk may take for one call.
const PATIENCE: Duration = Duration::from_secs(4);

const NO_ANSWER: &str = "the disk gave no answer within 4 s";

/// The folder of one checker, locked for this run.
#[derive(Debug)]
pub struct Spool {
    /// Where the book lies, and where else it may: the first that works is used.
    places: Vec<Place>,
    /// What people should know about the places.
    remark: Option<String>,
    /// Whether a book was found in a later place.
    misplaced: Cell<bool>,
    /// Held until the run ends; the kernel releases it even after a kill.
    _lock: File,
}

#[derive(Debug)]
struct Place {
    folder: PathBuf,
    /// Whether it is left alone for the rest of this run.
    stuck: Cell<bool>,
}

impl Place {
    /// Changes something there; `None` when that takes too long, or did so before.
    fn ask<T: Send + 'static>(
        &self,
        work: impl Fn(&Path) -> T + Send + Sync + 'static,
    ) -> Option<T> {
        if self.stuck.get() { None } else { self.look(work) }
    }

    /// Reads something there, although a change may have got no answer: a disk that takes nothing
    /// any more often still knows what it has.
    fn look<T: Send + 'static>(
        &self,
        work: impl Fn(&Path) -> T + Send + Sync + 'static,
    ) -> Option<T> {
        let folder = self.folder.clone();
        let answer = within(PATIENCE, move || work(&folder));
        self.stuck.set(self.stuck.get() || answer.is_none());
        answer
    }
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
    let place = |folder: &Path| Place { folder: folder.into(), stuck: Cell::new(false) };
    let places: Vec<Place> = [Some(folder), spare].into_iter().flatten().map(place).collect();
    let (mut problem, misplaced): (Option<String>, _) = (None, Cell::new(false));
    for place in &places {
        let why = match place.ask(place::lock) {
            Some(Ok(Locked::Ours(lock))) => {
                let remark = problem.map(|problem| in_memory(&problem, &place.folder));
                return Ok(Opened::Ours(Spool { places, remark, misplaced, _lock: lock }));
            }
            Some(Ok(Locked::Held(holder))) if holder.hangs() => {
                // What it left half done is its own as long as it has the lock.
                place.stuck.set(true);
                let path = place.folder.join(LOCK);
                format!("a check has held {}{}: it hangs", path.display(), holder.words())
            }
            Some(Ok(Locked::Held(_))) => return Ok(Opened::Busy),
            Some(Err(error)) => error.to_string(),
            None => NO_ANSWER.to_owned(),
        };
        let folder = place.folder.display();
        problem.get_or_insert(format!("cannot use the state directory {folder}: {why}"));
    }
    Err(problem.unwrap_or_default())
}

fn in_memory(problem: &str, spare: &Path) -> String {
    let spare = spare.display();
    format!("{problem}; incidents are kept in {spare} meanwhile, which a reboot empties")
}

/// Whether anything is remembered.
pub fn exists(folder: &Path, spare: Option<&Path>) -> bool {
    [Some(folder), spare].into_iter().flatten().any(|place| place.join(FILE).exists())
}

/// Where the book may lie instead: in memory, in a folder named after the first one.
pub fn spare_for(folder: &Path) -> PathBuf {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = folder.to_string_lossy().chars().map(plain).collect();
    match own_uid() {
        0 => Path::new("/run/check-heartbeat").join(name),
        uid => PathBuf::from(format!("/dev/shm/check-heartbeat-{uid}{name}")),
    }
}

impl Spool {
    /// What people should know about where the book lies; `None` while that is its own folder.
    pub fn remark(&self) -> Option<&str> {
        self.remark.as_deref()
    }

    /// The book, and what was wrong with it. A damaged one is put aside.
    pub fn load(&self) -> (Book, Vec<String>) {
        let mut problems = Vec::new();
        let mut newest = Book::default();
        for (index, place) in self.places.iter().enumerate() {
            match place.look(place::read) {
                Some(Ok(found)) => {
                    self.misplaced.set(self.misplaced.get() || index > 0 && found.is_some());
                    newest = found.filter(|b| b.revision >= newest.revision).unwrap_or(newest);
                }
                Some(Err(problem)) => problems.push(problem),
                None => {
                    let path = place.folder.join(FILE);
                    problems.push(format!("cannot read {}: {NO_ANSWER}", path.display()));
                }
            }
        }
        (newest, problems)
    }

    /// Whether a book was found in a later place, in memory. It is to be saved again even if nothing
    /// changed, so that it comes home and a reboot cannot bring back what was before it.
    pub fn is_misplaced(&self) -> bool {
        self.misplaced.get()
    }

    /// Saves the book: once this returns, a power cut cannot undo it. An empty book leaves no file.
    /// Returns what people should know when only a later place, in memory, could be written.
    ///
    /// # Errors
    /// Why no place can be written, in the words for the first.
    pub fn save(&self, book: &mut Book) -> Result<Option<String>, String> {
        book.revision += 1;
        let text = serde_json::to_vec(book).map_err(|e| format!("cannot write the book: {e}"))?;
        let mut problem = None;
        for (index, place) in self.places.iter().enumerate() {
            let known = place.stuck.get();
            // Only in the first place is no file as good as an empty book: in a later one it must
            // hide what still lies in the first.
            let text = (index > 0 || !book.is_empty()).then(|| text.clone());
            let error = match place.ask(move |folder| place::write(folder, text.as_deref())) {
                Some(Ok(())) => {
                    // What lies in the later places is older now.
                    for older in &self.places[index + 1..] {
                        let _ = std::fs::remove_file(older.folder.join(FILE));
                    }
                    return Ok(problem.map(|problem: String| in_memory(&problem, &place.folder)));
                }
                // It was said before.
                None if known => continue,
                None => NO_ANSWER.to_owned(),
                Some(Err(error)) => error.to_string(),
            };
            let path = place.folder.join(FILE);
            problem.get_or_insert(format!("cannot write {}: {error}", path.display()));
        }
        Err(problem.unwrap_or_else(|| "cannot write the book: no disk gives an answer".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::{Bad, Patience, Sign, Subject};
    use crate::notice::Level;
    use crate::place::TEMPORARY;
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
        let said = spool.save(&mut book).unwrap().expect("memory is not a disk");
        assert!(said.contains("first/incidents.json") && said.contains("reboot"), "{said}");
        assert!(spare.join(FILE).exists());
        assert_eq!(spool.load(), (book.clone(), vec![]));
        std::fs::remove_dir(first.join(TEMPORARY)).unwrap();
        spool.save(&mut book).unwrap();
        assert!(!spare.join(FILE).exists(), "the first place has it again");
        assert_eq!(spool.load(), (book, vec![]));
    }

    #[test]
    fn the_spare_place_is_never_used_in_silence() {
        let folder = tempfile::tempdir().unwrap();
        let (file, spare) = (folder.path().join("file"), folder.path().join("spare"));
        std::fs::write(&file, "").unwrap();
        let spool = ours(&file.join("state"), Some(&spare));
        let said = spool.remark().expect("memory is not a disk");
        assert!(said.starts_with("cannot use the state directory "), "{said}");
        assert!(said.contains("file/state") && said.contains("a reboot empties"), "{said}");
        assert_eq!(ours(&folder.path().join("good"), Some(&spare.join("2"))).remark(), None);
    }

    #[test]
    fn a_forged_spare_place_is_not_believed() {
        if own_uid() != 0 {
            // Not by a macro: the test harness would swallow it.
            let _ = std::io::Write::write_fmt(
                &mut std::io::stderr(),
                format_args!("SKIPPED: only the superuser can make a folder of somebody else\n"),
            );
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
