//! Reads a document: text as it is, everything else in a process of its own.
//!
//! Invariants: a document that makes a parser break, hang or grow costs that document only, and has a
//! reason in words; the process knows no name, no environment and no secret, and gets the document as its
//! standard input; a file that changes meanwhile is not half the old and half the new.

mod child;
mod held;
mod unread;
mod watch;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;

pub use extract::{Document, Format, Limits};

pub use self::child::{EXIT_UNREADABLE, PDFTOTEXT, use_program};
pub use self::held::held;
pub use self::unread::{Unread, unbroken};
use crate::blocking;

/// What shows that a file was changed.
type Stamp = (u64, i64, i64, i64, i64);

fn stamp(file: &File) -> io::Result<Stamp> {
    let about = file.metadata()?;
    Ok((about.len(), about.mtime(), about.mtime_nsec(), about.ctime(), about.ctime_nsec()))
}

/// Reads a document from its beginning.
///
/// # Errors
/// When it cannot be read, with the reason in words.
pub async fn read(format: Format, mut file: File, limits: Limits) -> Result<Document, Unread> {
    let ends = || Unread::passing("the bot is about to end");
    let unread = |e: io::Error| Unread::passing(format!("it cannot be read: {e}"));
    let changed =
        || Unread::passing("it changed while it was read; it is read again when it is at rest");
    let looked = blocking::run(move || {
        file.seek(SeekFrom::Start(0))?;
        Ok((stamp(&file)?, file.try_clone()?, file))
    });
    let (before, again, file) = looked.await.ok_or_else(ends)?.map_err(unread)?;
    if before.0 > limits.file {
        let problem = extract::Problem::TooLarge { size: before.0, limit: limits.file };
        return Err(Unread::new(problem.to_string()));
    }
    let document = if format.is_simple() {
        let work = move || {
            let mut bytes = Vec::new();
            file.take(limits.file + 1).read_to_end(&mut bytes).map_err(unread)?;
            unbroken(|| extract::extract(format, &bytes, &limits))?
                .map_err(|e| Unread::new(e.to_string()))
        };
        blocking::run(work).await.unwrap_or_else(|| Err(ends()))
    } else {
        child::read(format, &file, &limits).await
    };
    // What went wrong with a file that is being written is not worth a word.
    let after = blocking::run(move || stamp(&again)).await.ok_or_else(ends)?.map_err(unread)?;
    if after == before { document } else { Err(changed()) }
}

/// Reads a page that comes with the program.
pub fn markdown(text: &str) -> Document {
    let limits = Limits::default();
    extract::extract(Format::Markdown, text.as_bytes(), &limits).unwrap_or_default()
}

#[cfg(test)]
#[path = "../../tests/unit/script.rs"]
mod script;

#[cfg(test)]
mod tests {
    use super::script::script;
    use super::*;

    #[test]
    fn what_breaks_on_a_document_has_a_reason() {
        assert_eq!(unbroken(|| 7).unwrap(), 7);
        let unread = unbroken(|| panic!("an odd text")).unwrap_err();
        assert!(unread.reason.contains("broke down") && !unread.is_passing, "{unread}");
    }

    #[tokio::test]
    async fn a_file_that_changes_meanwhile_is_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let page = dir.path().join("page.html");
        // The only test of this process that lets a program read.
        use_program(&script(dir.path(), "echo more >> /proc/self/fd/0\necho '{}'"));
        std::fs::write(&page, "<p>words").unwrap();
        let file = || File::open(&page).unwrap();
        let unread = read(Format::Html, file(), Limits::default()).await.unwrap_err();
        assert!(unread.reason.starts_with("it changed while it was read"), "{unread}");
        // From its beginning, wherever the file is.
        let mut used = file();
        used.read_to_end(&mut Vec::new()).unwrap();
        let document = read(Format::Text, used, Limits::default()).await.unwrap();
        assert_eq!(document.blocks, [extract::Block::Text("<p>wordsmore".into())]);
        let limits = Limits { file: 5, ..Limits::default() };
        let unread = read(Format::Pdf, file(), limits).await.unwrap_err();
        assert!(unread.reason.contains("at most"), "{unread}");
    }
}
