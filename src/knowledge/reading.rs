//! One document: from a file to passages.
//!
//! Invariant: what was read is compared by its bytes, so that a file that was only touched costs nothing.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use extract::{Document, Format, Limits};
use sha2::{Digest, Sha256};

use super::{cut, reader};
use crate::blocking;
use crate::store::{Hash, NewDocument, NewPassage};

/// Grows with each change of how documents are read.
const VERSION: u32 = 2;

/// Passages of one document at most; the rest of it is left out and named.
const PASSAGES: usize = 10_000;

/// A text without headings is worth a remark from this many passages on.
const REMARKABLE: usize = 4;

/// Whether documents with such names are read. Code and settings may hold what was not written for everyone who
/// chats, so those are read only where the operator named them.
pub(super) fn can_read(path: &Path, is_named: bool) -> bool {
    Format::of(path).is_some_and(|format| is_named || !matches!(format, Format::Code))
}

/// What reads and cuts such documents now, and prepares their words.
fn reader(format: Format) -> String {
    let (cut, words) = (cut::VERSION, words::VERSION);
    format!("{} {VERSION}, cut {cut}, words {words}", format.name())
}

/// The same for a document of this name.
pub(super) fn reader_of(path: &str) -> String {
    Format::of(Path::new(path)).map(reader).unwrap_or_default()
}

/// Whether a document was read by what would read it now.
pub(super) fn is_current(path: &str, read_by: &str) -> bool {
    Format::of(Path::new(path)).is_some_and(|format| read_by == reader(format))
}

/// What is in a file.
pub(super) enum Content {
    /// The same as before.
    Same,
    /// Something new.
    New(Box<NewDocument>),
}

impl From<NewDocument> for Content {
    fn from(document: NewDocument) -> Self {
        Self::New(Box::new(document))
    }
}

/// Reads a file with this hash, unless it is what `known` was made of by the same version. `None`: the runtime ends.
pub(super) async fn read(
    path: &str,
    file: File,
    hash: Hash,
    known: Option<(Hash, String)>,
) -> Option<Content> {
    let Some(format) = Format::of(Path::new(path)) else {
        return Some(unreadable("its format is not known".to_owned()).into());
    };
    let mut read_by = reader(format);
    if known.is_some_and(|known| known == (hash, read_by.clone())) {
        return Some(Content::Same);
    }
    let mut document = match reader::read(format, file, Limits::default()).await {
        Ok(document) => blocking::run(move || prepared(&document)).await?,
        Err(unread) => {
            // Read by none, it is read again at the next look.
            if unread.is_passing {
                read_by.clear();
            }
            unreadable(unread.reason)
        }
    };
    (document.hash, document.read_by) = (hash, read_by);
    Some(document.into())
}

/// The hash of a file, or of its beginning where it is larger than is read. `part` hears of each part of it.
pub(super) fn hash(file: &mut File, part: impl Fn()) -> io::Result<Hash> {
    let mut hash = Sha256::new();
    let mut bytes = vec![0; 64 * 1024];
    let mut read = file.by_ref().take(Limits::default().file + 1);
    loop {
        match read.read(&mut bytes)? {
            0 => break,
            length => hash.update(&bytes[..length]),
        }
        part();
    }
    file.seek(SeekFrom::Start(0))?;
    Ok(hash.finalize().into())
}

/// A document that cannot be read.
pub(super) fn unreadable(problem: String) -> NewDocument {
    NewDocument { problem: Some(problem), ..NewDocument::default() }
}

/// A page that comes with the program.
pub(super) fn of_page(path: &str, text: &str) -> NewDocument {
    let read_by = reader(Format::Markdown);
    NewDocument { path: path.to_owned(), read_by, ..of(&reader::markdown(text)) }
}

/// A document in passages. Where preparing it breaks down, that costs this document only.
pub(super) fn prepared(document: &Document) -> NewDocument {
    reader::unbroken(|| of(document)).unwrap_or_else(|unread| unreadable(unread.reason))
}

fn of(document: &Document) -> NewDocument {
    let cut = cut::passages(document, PASSAGES);
    let count = cut.pieces.len();
    let mut remarks = document.remarks.clone();
    if cut.is_short {
        remarks.push(format!("it is too long: only its first {count} passages are used"));
    }
    if cut.headings == 0 && count >= REMARKABLE {
        remarks.push(format!("it has no headings, so it is cut by length into {count} passages"));
    }
    if cut.long_headings > 0 {
        let long = cut.long_headings;
        remarks.push(format!("{long} of its headings are too long and are read as text"));
    }
    let title = document.title.as_deref().or_else(|| document.first_heading());
    NewDocument {
        title: title.map(cut::shortened),
        passages: cut.pieces.into_iter().map(passage).collect(),
        remark: (!remarks.is_empty()).then(|| remarks.join("; ")),
        ..NewDocument::default()
    }
}

fn passage(piece: cut::Piece) -> NewPassage {
    let title = piece.title();
    let cut::Piece { anchor, page, text, .. } = piece;
    let mut hash = Sha256::new();
    for part in [title.as_str(), &text] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let language = words::Language::of(&text);
    let (title_words, text_words) = words::prepared(&title, &text, language);
    let language = language.map(|language| language.code().to_owned());
    let hash = hash.finalize().into();
    NewPassage { title, anchor, page, text, language, hash, title_words, text_words }
}
