//! One pass over the sources: what changed is read, what is gone is removed.
//!
//! Invariants: a file that is as it was is not opened for reading, and its passages are not touched; what
//! cannot be seen at the moment (a source or a folder that cannot be read) is kept; each document changes in
//! one commit, so a pass that is broken off anywhere is gone on with by the next.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hygiene::line::count;

use super::folders::{Folders, silent};
use super::reading::{self, Content};
use super::scan::{Scan, Seen, stamp, why};
use super::source::{LEARNED, Source};
use crate::observe::clock::Clock;
use crate::store::{
    Index, KnownDocument, LeftOut, NewDocument, PassageId, Stamp, StoreError, StoreErrorKind,
};

/// A file that changed this shortly before it was read may change again at the same time, as file systems
/// count it.
const UNSURE_NS: i64 = 2_000_000_000;

/// Reading one document ends after this at the latest, also where the server of its mount went away after it was
/// hashed. What needs a process of its own has 60 s there.
const READING: Duration = Duration::from_secs(120);

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
    /// A source does not answer.
    pub is_stuck: bool,
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

/// Looks through the sources and brings the index up to date; adds to what was done before, also when it fails.
///
/// # Errors
/// When the index fails. Where it has no room for a document, the others are looked at first. What is wrong with
/// documents and sources is in the index and in the pass.
pub(super) async fn pass(
    index: &Index,
    of: (&Folders, &[Source]),
    clock: &Clock,
    waiting: Waiting<'_>,
    pass: &mut Pass,
) -> Result<(), StoreError> {
    let done = compared(index, of, clock, waiting, pass).await;
    // What was removed is gone with its vectors, whatever failed after that.
    let dropped = match pass.changed() {
        true => index.drop_unused_vectors().await.map(drop),
        false => Ok(()),
    };
    done.and(dropped)?;
    note(index, pass, clock).await?;
    waiting(None);
    Ok(())
}

async fn compared(
    index: &Index,
    (folders, sources): (&Folders, &[Source]),
    clock: &Clock,
    waiting: Waiting<'_>,
    pass: &mut Pass,
) -> Result<(), StoreError> {
    let known = index.documents().await?;
    let mut scan = folders.scan(sources).await;
    unmounted(&mut scan, sources, &known);
    pass.unreadable.extend(scan.unreadable.clone());
    pass.unreadable.append(&mut scan.unreadable_folders);
    pass.beyond += scan.beyond;
    pass.left_out.append(&mut scan.left_out);
    pass.folders.append(&mut scan.folders);
    let known = gone(index, &scan, known, pass).await?;
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
    if !changed.is_empty() && index.room(0).await.is_ok() {
        index.look_begins(now_ms).await?;
    }
    let reading = Reading { index, folders, sources, scan: &scan, clock };
    let mut full = Ok(());
    for (seen, before) in changed {
        // Not read for nothing.
        if let Err(e) = index.room(0).await {
            full = Err(e);
            break;
        }
        if let Err(e) = reading.take(seen, before, pass).await {
            full = if is_full(&e) { Err(e) } else { return Err(e) };
        }
    }
    for source in sources.iter().filter(|source| folders.is_stuck(source.dir())) {
        if !pass.unreadable.iter().any(|(name, _)| name == source.name()) {
            pass.unreadable.push((source.name().to_owned(), silent(source.dir())));
        }
        pass.is_stuck = true;
    }
    full
}

/// Whether the disk has no room for something: there may be some for something smaller.
pub(super) fn is_full(e: &StoreError) -> bool {
    e.kind() == StoreErrorKind::Full
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
    for source in sources.iter().filter(|source| scan.open.contains_key(source.name())) {
        let name = source.name();
        let mut of_it = known.iter().filter(|document| document.source == name).peekable();
        if of_it.peek().is_none() || scan.seen.iter().any(|seen| seen.source == name) {
            continue;
        }
        let device = scan.devices.get(name);
        if device.is_some_and(|device| of_it.all(|document| document.stamp.device != *device)) {
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
            Some(Seen { path, stamp, .. }) => {
                let (path, stamp) = (path.clone(), *stamp);
                index.renamed(document.id, path.clone(), stamp).await?;
                let document = KnownDocument { path, stamp, ..document };
                stays.insert(name(&document), document);
                pass.renamed += 1;
            }
            None => removed.push(document.id),
        }
    }
    if !removed.is_empty() {
        let removes = removed.len();
        pass.gone.extend(index.remove(removed).await?);
        pass.removed += removes;
    }
    Ok(stays)
}

/// What stays the same when a file gets another name.
fn identity(stamp: Stamp) -> Stamp {
    Stamp { changed_ns: 0, ..stamp }
}

/// Whether a file with another name can be this document: surely unchanged, and read in the same way. In another source it
/// cannot: copies of vectors know theirs.
fn can_be(document: &KnownDocument, seen: &Seen) -> bool {
    let end = |path: &str| Path::new(path).extension().map(|end| end.to_ascii_lowercase());
    document.source == seen.source
        && document.stamp.changed_ns != 0
        && document.problem.is_none()
        && end(&document.path) == end(&seen.path)
        && reading::is_current(&document.path, &document.read_by)
}

/// What documents are read with.
struct Reading<'p> {
    index: &'p Index,
    folders: &'p Folders,
    sources: &'p [Source],
    scan: &'p Scan,
    clock: &'p Clock,
}

impl Reading<'_> {
    /// Reads one document and stores what is in it now.
    async fn take(
        &self,
        seen: Seen,
        before: Option<&KnownDocument>,
        pass: &mut Pass,
    ) -> Result<(), StoreError> {
        let Some((stamp, content)) = self.content(&seen, before).await else { return Ok(()) };
        let mut document = match (content, before) {
            (Content::Same, Some(before)) => {
                pass.unchanged += 1;
                return self.index.touch(before.id, stamp).await;
            }
            (Content::Same, None) => return Ok(()),
            (Content::New(document), _) => *document,
        };
        (document.source, document.path) = (seen.source, seen.path);
        (document.stamp, document.indexed_ms) = (stamp, self.clock.now_ms());
        log(&document, before);
        let put = self.index.put(document).await?;
        pass.read += 1;
        pass.added += put.added.len();
        pass.gone.extend(put.removed);
        Ok(())
    }

    /// What is in a document, and what the file system said before it was read. `None`: it has gone meanwhile, its
    /// folder does not answer, or the runtime ends.
    async fn content(
        &self,
        seen: &Seen,
        before: Option<&KnownDocument>,
    ) -> Option<(Stamp, Content)> {
        let unreadable = |why: String| Some((seen.stamp, reading::unreadable(why).into()));
        if let Some(problem) = &seen.problem {
            return unreadable(problem.clone());
        }
        let dir = self.sources.iter().find(|source| source.name() == seen.source)?.dir();
        let folder = Arc::clone(self.scan.open.get(&seen.source)?);
        let path = seen.path.clone();
        let opened = self.folders.within(dir, move |work| {
            let mut file = folder.file(Path::new(&path)).map_err(Some)?;
            let stamp = stamp(&file.metadata().map_err(Some)?);
            let hash = reading::hash(&mut file, || work.goes_on());
            Ok::<_, Option<io::Error>>((file.try_clone().map_err(|_| None)?, file, stamp, hash))
        });
        let (again, file, mut stamp, hash) = match opened.await? {
            Ok(opened) => opened,
            Err(Some(e)) if e.kind() != io::ErrorKind::NotFound => return unreadable(why(&e)),
            Err(_) => return None,
        };
        if self.clock.now_ms().saturating_mul(1_000_000) - stamp.changed_ns < UNSURE_NS {
            stamp.changed_ns = 0;
        }
        let known = before.map(|before| (before.hash, before.read_by.clone()));
        let content = match hash {
            Ok(hash) => {
                let read = reading::read(&seen.path, file, hash, known);
                let Ok(content) = tokio::time::timeout(READING, read).await else {
                    let (source, path) = (&seen.source, &seen.path);
                    tracing::warn!(source, path, "a document is not read for now: {}", silent(dir));
                    return None;
                };
                content?
            }
            Err(e) => reading::unreadable(format!("it cannot be read: {e}")).into(),
        };
        // One that is being written is read at the next look.
        let about = self.folders.within(dir, move |_| again.metadata()).await?.ok()?;
        let now = self::stamp(&about);
        (now == Stamp { changed_ns: now.changed_ns, ..stamp }).then_some((stamp, content))
    }
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

#[cfg(test)]
#[path = "../../tests/unit/sync.rs"]
mod tests;
