//! One pass over the sources: what changed is read, what is gone is removed.
//!
//! Invariants: a file that is as it was is not opened for reading, and its passages are not touched; what
//! cannot be seen at the moment (a source or a folder that cannot be read) is kept; each document changes in
//! one commit, so a pass that is broken off anywhere is gone on with by the next.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hygiene::line::count;

use super::reading::{self, Content};
use super::scan::{Scan, Seen, stamp, why};
use super::source::{LEARNED, Source};
use crate::blocking;
use crate::observe::clock::Clock;
use crate::store::{Index, KnownDocument, LeftOut, NewDocument, PassageId, Stamp, StoreError};

/// A file that changed this shortly before it was read may change again at the same time, as file systems
/// count it.
const UNSURE_NS: i64 = 2_000_000_000;

/// What a pass did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pass {
    /// Documents that were read.
    pub read: usize,
    /// Documents that were as before.
    pub unchanged: usize,
    /// Documents that are gone.
    pub removed: usize,
    /// Documents that have another name.
    pub renamed: usize,
    /// Passages that are new, as far as their vectors go.
    pub added: usize,
    /// Passages that are gone.
    pub gone: Vec<PassageId>,
    /// Sources that cannot be read, each with the reason.
    pub unreadable: Vec<(String, String)>,
    /// Documents beyond the bound, which are left out.
    pub beyond: usize,
    /// Files that are left out because their endings are not those of documents: each ending, and how many.
    pub left_out: BTreeMap<String, u64>,
    /// Folders to be watched.
    pub folders: Vec<PathBuf>,
}

impl Pass {
    /// Whether the index is another one than before.
    pub fn changed(&self) -> bool {
        self.read > 0 || self.removed > 0 || self.renamed > 0
    }
}

impl fmt::Display for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { read, unchanged, removed, renamed, .. } = self;
        let read = count(*read as u64, "document");
        write!(f, "{read} read, {unchanged} unchanged, {removed} removed")?;
        if *renamed > 0 {
            write!(f, ", {renamed} renamed")?;
        }
        for (source, why) in &self.unreadable {
            write!(f, "; in the source {source}, {why}, so that is as before")?;
        }
        if self.beyond > 0 {
            write!(f, "; {} too many, which are left out", count(self.beyond as u64, "document"))?;
        }
        if !self.left_out.is_empty() {
            write!(f, "; left out: {}", files_by_ending(&self.left_out))?;
        }
        Ok(())
    }
}

/// Files by their endings, the most frequent first: `12 files (.pptx 8, .xls 4)`.
pub fn files_by_ending(files: &BTreeMap<String, u64>) -> String {
    const NAMED: usize = 10;
    let mut all: Vec<_> = files.iter().collect();
    all.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
    let mut named: Vec<String> =
        all.iter().take(NAMED).map(|(ending, n)| format!("{ending} {n}")).collect();
    let others: u64 = all.iter().skip(NAMED).map(|(_, n)| **n).sum();
    if others > 0 {
        named.push(format!("others {others}"));
    }
    format!("{} ({})", count(files.values().sum(), "file"), named.join(", "))
}

/// Reports what is on its way: since when the oldest change waits (Unix ms).
pub type Waiting<'a> = &'a (dyn Fn(Option<i64>) + Sync);

/// Looks through the sources and brings the index up to date; adds to what was done before.
///
/// # Errors
/// When the index fails. What is wrong with documents and sources is in the index and in the pass.
pub(super) async fn pass(
    index: &Index,
    sources: &[Source],
    clock: &Clock,
    waiting: Waiting<'_>,
    mut pass: Pass,
) -> Result<Pass, StoreError> {
    let known = index.documents().await?;
    let looked = sources.to_vec();
    let Some(mut scan) = blocking::run(move || Scan::of(&looked)).await else {
        return Ok(pass);
    };
    unmounted(&mut scan, sources, &known);
    pass.unreadable.extend(scan.unreadable.clone());
    pass.unreadable.append(&mut scan.unreadable_folders);
    pass.beyond += scan.beyond;
    pass.left_out.append(&mut scan.left_out);
    pass.folders.append(&mut scan.folders);
    let known = gone(index, &scan, known, &mut pass).await?;
    let mut changed = Vec::new();
    for seen in std::mem::take(&mut scan.seen) {
        let before = known.get(&(seen.source.clone(), seen.path.clone()));
        match before.is_some_and(|before| is_as_before(&seen, before)) {
            true => pass.unchanged += 1,
            false => changed.push((seen, before)),
        }
    }
    let now_ms = clock.now_ms();
    let since = |(seen, before): &(Seen, Option<&KnownDocument>)| {
        before.map_or(now_ms, |_| (seen.stamp.changed_ns / 1_000_000).min(now_ms))
    };
    waiting(changed.iter().map(since).min());
    if !changed.is_empty() {
        index.look_begins(now_ms).await?;
    }
    for (seen, before) in changed {
        take(index, &scan, seen, before, clock, &mut pass).await?;
    }
    if pass.changed() {
        index.drop_unused_vectors().await?;
    }
    note(index, &pass, clock).await?;
    waiting(None);
    Ok(pass)
}

/// Notes that the look has ended and what it left out, if that is news.
async fn note(index: &Index, pass: &Pass, clock: &Clock) -> Result<(), StoreError> {
    let left_out = LeftOut {
        unreadable: pass.unreadable.clone(),
        files: pass.left_out.clone(),
        beyond: pass.beyond as u64,
    };
    match index.last_look().await? {
        Some(last) if last.ended_ms.is_some() && last.left_out == left_out => Ok(()),
        _ => index.look_ended(clock.now_ms(), left_out).await,
    }
}

fn is_as_before(seen: &Seen, before: &KnownDocument) -> bool {
    match &seen.problem {
        Some(_) => before.problem == seen.problem,
        None => before.stamp == seen.stamp && reading::is_current(&before.path, &before.read_by),
    }
}

/// A folder that is empty, and on another device than its documents were, is one where nothing is mounted.
fn unmounted(scan: &mut Scan, sources: &[Source], known: &[KnownDocument]) {
    use std::os::unix::fs::MetadataExt;
    for source in sources.iter().filter(|source| scan.open.contains_key(source.name())) {
        let name = source.name();
        let mut of_it = known.iter().filter(|document| document.source == name).peekable();
        if of_it.peek().is_none() || scan.seen.iter().any(|seen| seen.source == name) {
            continue;
        }
        let device = std::fs::metadata(source.dir()).map(|about| about.dev());
        if device.is_ok_and(|device| of_it.all(|document| document.stamp.device != device)) {
            let why = format!(
                "{} is empty; its documents were on another device",
                source.dir().display()
            );
            scan.unreadable.push((name.to_owned(), why));
        }
    }
}

/// Documents by source and path.
type Known = HashMap<(String, String), KnownDocument>;

/// Removes what is gone, in one commit, and follows what was renamed. Answers what stays.
async fn gone(
    index: &Index,
    scan: &Scan,
    known: Vec<KnownDocument>,
    pass: &mut Pass,
) -> Result<Known, StoreError> {
    let name = |document: &KnownDocument| (document.source.clone(), document.path.clone());
    let mut left: Known = known.into_iter().map(|document| (name(&document), document)).collect();
    let (mut stays, mut fresh) = (Known::new(), HashMap::new());
    for seen in &scan.seen {
        match left.remove_entry(&(seen.source.clone(), seen.path.clone())) {
            Some((name, document)) => {
                stays.insert(name, document);
            }
            None if seen.problem.is_none() => {
                fresh.insert(identity(seen.stamp), seen);
            }
            None => {}
        }
    }
    left.retain(|(source, path), _| source != LEARNED && !scan.is_out_of_sight(source, path));
    let mut removed = Vec::new();
    for document in left.into_values() {
        match fresh.remove(&identity(document.stamp)).filter(|seen| can_be(&document, seen)) {
            Some(Seen { source, path, stamp, .. }) => {
                let (source, path, stamp) = (source.clone(), path.clone(), *stamp);
                index.renamed(document.id, source.clone(), path.clone(), stamp).await?;
                let document = KnownDocument { source, path, stamp, ..document };
                stays.insert(name(&document), document);
                pass.renamed += 1;
            }
            None => removed.push(document.id),
        }
    }
    pass.removed = removed.len();
    if !removed.is_empty() {
        pass.gone = index.remove(removed).await?;
    }
    Ok(stays)
}

/// What stays the same when a file gets another name.
fn identity(stamp: Stamp) -> Stamp {
    Stamp { changed_ns: 0, ..stamp }
}

/// Whether a file with another name can be this document: surely unchanged, and read in the same way.
fn can_be(document: &KnownDocument, seen: &Seen) -> bool {
    let end = |path: &str| Path::new(path).extension().map(|end| end.to_ascii_lowercase());
    document.stamp.changed_ns != 0
        && document.problem.is_none()
        && end(&document.path) == end(&seen.path)
        && reading::is_current(&document.path, &document.read_by)
}

/// Reads one document and stores what is in it now.
async fn take(
    index: &Index,
    scan: &Scan,
    seen: Seen,
    before: Option<&KnownDocument>,
    clock: &Clock,
    pass: &mut Pass,
) -> Result<(), StoreError> {
    let Some((stamp, content)) = content(scan, &seen, before, clock).await else { return Ok(()) };
    let mut document = match (content, before) {
        (Content::Same, Some(before)) => {
            pass.unchanged += 1;
            return index.touch(before.id, stamp).await;
        }
        (Content::Same, None) => return Ok(()),
        (Content::New(document), _) => *document,
    };
    (document.source, document.path) = (seen.source, seen.path);
    (document.stamp, document.indexed_ms) = (stamp, clock.now_ms());
    log(&document, before);
    let put = index.put(document).await?;
    pass.read += 1;
    pass.added += put.added.len();
    pass.gone.extend(put.removed);
    Ok(())
}

/// Says once what is wrong with a document, and what is worth knowing of it.
fn log(document: &NewDocument, before: Option<&KnownDocument>) {
    let NewDocument { source, path, problem, remark, .. } = document;
    if problem.is_some() && before.is_none_or(|before| before.problem != *problem) {
        let why = problem.as_deref().unwrap_or_default();
        tracing::warn!(source, path, reason = why, "cannot use the document {path}: {why}");
    }
    if remark.is_some() && before.is_none_or(|before| before.remark != *remark) {
        let remark = remark.as_deref().unwrap_or_default();
        tracing::warn!(source, path, reason = remark, "look at the document {path}: {remark}");
    }
}

/// What is in a document, and what the file system said before it was read. `None`: it has gone meanwhile, or
/// the runtime ends.
async fn content(
    scan: &Scan,
    seen: &Seen,
    before: Option<&KnownDocument>,
    clock: &Clock,
) -> Option<(Stamp, Content)> {
    if let Some(problem) = &seen.problem {
        return Some((seen.stamp, Content::New(Box::new(reading::unreadable(problem.clone())))));
    }
    let folder = Arc::clone(scan.open.get(&seen.source)?);
    let path = seen.path.clone();
    let opened = blocking::run(move || {
        let file = folder.file(Path::new(&path))?;
        let stamp = stamp(&file.metadata()?);
        Ok::<(File, Stamp), io::Error>((file, stamp))
    });
    let (file, mut stamp) = match opened.await? {
        Ok(opened) => opened,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return None,
        Err(e) => return Some((seen.stamp, Content::New(Box::new(reading::unreadable(why(&e)))))),
    };
    if clock.now_ms().saturating_mul(1_000_000) - stamp.changed_ns < UNSURE_NS {
        stamp.changed_ns = 0;
    }
    let known = before.map(|before| (before.hash, before.read_by.clone()));
    let again = file.try_clone().ok()?;
    let content = reading::read(&seen.path, file, known).await?;
    // One that is being written is read at the next look.
    let is_at_rest = again.metadata().is_ok_and(|about| {
        self::stamp(&about) == Stamp { changed_ns: self::stamp(&about).changed_ns, ..stamp }
    });
    is_at_rest.then_some((stamp, content))
}

#[cfg(test)]
#[path = "../../tests/unit/sync.rs"]
mod tests;
