//! What lies in the folders, as the file system shows it: nothing is read yet.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hygiene::beneath::{Entry, Folder, Unreadable};

use rustix::io::Errno;

use super::source::Source;
use crate::store::Stamp;

/// Documents in all sources at most; what is beyond is counted.
const DOCUMENTS: usize = 1_000_000;

/// A document that lies there.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) source: String,
    pub(super) path: String,
    pub(super) stamp: Stamp,
    /// Why it cannot be opened.
    pub(super) problem: Option<String>,
}

/// Counts what was done, to show that it goes on.
#[derive(Debug, Default)]
pub(super) struct Work(AtomicU64);

impl Work {
    /// Something was done.
    pub(super) fn goes_on(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How much was done.
    pub(super) fn done(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What was found in all sources.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) seen: Vec<Seen>,
    /// The folders of the sources that could be opened, by name.
    pub(super) open: HashMap<String, Arc<Folder>>,
    /// Sources that cannot be read, each with the reason: what is known of them stays.
    pub(super) unreadable: Vec<(String, String)>,
    /// Folders within sources that cannot be read, likewise.
    pub(super) hidden: Vec<(String, PathBuf)>,
    /// The same, with the reason, where it is not a link that leads away.
    pub(super) unreadable_folders: Vec<(String, String)>,
    /// Every folder, to be watched.
    pub(super) folders: Vec<PathBuf>,
    /// Documents that are one too many.
    pub(super) beyond: usize,
    /// Documents of a source that are another's already: both names, and how many.
    pub(super) doubles: BTreeMap<(String, String), u64>,
    /// Files that are not documents, by their endings.
    pub(super) left_out: BTreeMap<String, u64>,
    /// The devices that the folders of the sources are on, by name.
    pub(super) devices: HashMap<String, u64>,
}

impl Scan {
    /// Looks through a source. Takes as long as its file system does.
    pub(super) fn of(source: &Source, work: &Work) -> Self {
        let mut scan = Self::default();
        if let Err(why) = scan.look(source, work) {
            scan.seen.clear();
            scan.unreadable.push((source.name().to_owned(), why));
        }
        scan
    }

    /// A source that cannot be read.
    pub(super) fn unreadable(source: &Source, why: String) -> Self {
        Self { unreadable: vec![(source.name().to_owned(), why)], ..Self::default() }
    }

    /// What was found in each source, in the order of the sources. A file that lies in two is the first one's.
    pub(super) fn joined(scans: Vec<Self>) -> Self {
        let mut all = Self::default();
        let mut owners: HashMap<(u64, u64), String> = HashMap::new();
        let is_alone = scans.len() < 2;
        for mut scan in scans {
            scan.seen.retain(|seen| {
                if is_alone || seen.problem.is_some() {
                    return true;
                }
                let owner = owners.entry((seen.stamp.device, seen.stamp.inode));
                let owner = owner.or_insert_with(|| seen.source.clone());
                if *owner == seen.source {
                    return true;
                }
                *all.doubles.entry((owner.clone(), seen.source.clone())).or_default() += 1;
                false
            });
            let room = DOCUMENTS.saturating_sub(all.seen.len());
            all.beyond += scan.beyond + scan.seen.len().saturating_sub(room);
            scan.seen.truncate(room);
            all.seen.append(&mut scan.seen);
            all.open.extend(scan.open);
            all.unreadable.append(&mut scan.unreadable);
            all.hidden.append(&mut scan.hidden);
            all.unreadable_folders.append(&mut scan.unreadable_folders);
            all.folders.append(&mut scan.folders);
            all.devices.extend(scan.devices);
            for (ending, files) in scan.left_out {
                *all.left_out.entry(ending).or_default() += files;
            }
        }
        all
    }

    fn look(&mut self, source: &Source, work: &Work) -> Result<(), String> {
        let named =
            |Unreadable { path, source }| format!("cannot read {}: {source}", path.display());
        let dir = source.dir();
        let folder = Folder::open(dir)
            .map_err(|source| named(Unreadable { path: dir.to_owned(), source }))?;
        let name = source.name();
        // The walk asks once about each file that is not wanted.
        let left_out: RefCell<BTreeMap<String, u64>> = RefCell::default();
        let is_wanted = |path: &Path| {
            if source.leaves_out(path) {
                *left_out.borrow_mut().entry(ending(path)).or_default() += 1;
            }
            source.takes(path)
        };
        let each = |path: &Path, entry| {
            self.add(source, path, entry);
            Ok(())
        };
        folder.walk(is_wanted, each, || work.goes_on()).map_err(named)?;
        for (ending, files) in left_out.into_inner() {
            *self.left_out.entry(ending).or_default() += files;
        }
        self.open.insert(name.to_owned(), Arc::new(folder));
        let device = std::fs::metadata(dir).ok().map(|about| (name.to_owned(), about.dev()));
        self.devices.extend(device);
        Ok(())
    }

    fn add(&mut self, source: &Source, path: &Path, entry: io::Result<Entry>) {
        let name = source.name();
        let found = match entry {
            Ok(Entry::Folder) => {
                self.folders.push(source.dir().join(path));
                return;
            }
            Ok(Entry::File(file)) => file.metadata().map(|about| stamp(&about)),
            // A link that is not a document leads to a folder, or to nothing.
            Err(e) if !source.takes(path) => {
                self.hidden.push((name.to_owned(), path.to_owned()));
                if !is_link(&e) {
                    let path = source.dir().join(path);
                    let why = format!("cannot read {}: {e}", shortened(&path));
                    self.unreadable_folders.push((name.to_owned(), why));
                }
                return;
            }
            Err(e) => Err(e),
        };
        if self.seen.len() >= DOCUMENTS {
            self.beyond += 1;
            return;
        }
        let (stamp, problem) = match found {
            Ok(stamp) => (stamp, None),
            Err(e) => (Stamp::default(), Some(why(&e))),
        };
        let problem = problem.or_else(|| match path.to_str() {
            Some(_) => None,
            None => Some("its name is not valid UTF-8; rename it".to_owned()),
        });
        let path = path.to_string_lossy().into_owned();
        self.seen.push(Seen { source: name.to_owned(), path, stamp, problem });
    }

    /// Whether what is known of a document stays although it was not seen.
    pub(super) fn is_out_of_sight(&self, source: &str, path: &str) -> bool {
        self.unreadable.iter().any(|(name, _)| name == source)
            || self
                .hidden
                .iter()
                .any(|(name, folder)| name == source && Path::new(path).starts_with(folder))
    }
}

/// The ending of a name as people read it, `.pptx`.
pub(super) fn ending(path: &Path) -> String {
    const MOST: usize = 12;
    match path.extension().and_then(OsStr::to_str) {
        Some(end) if end.chars().count() <= MOST => format!(".{}", end.to_lowercase()),
        Some(_) => "long endings".to_owned(),
        None => "no ending".to_owned(),
    }
}

/// Whether this is the failure of a link that leads out of the folder, to nothing, or to itself.
fn is_link(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::CrossesDevices | io::ErrorKind::NotFound)
        || Errno::from_io_error(e) == Some(Errno::LOOP)
}

/// A path that people can read, however long it is.
fn shortened(path: &Path) -> String {
    const MOST: usize = 200;
    let shown = path.display().to_string();
    match shown.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &shown[..end]),
        None => shown,
    }
}

/// Why a document cannot be opened, with what to do about it.
pub(super) fn why(e: &io::Error) -> String {
    match e.kind() {
        io::ErrorKind::PermissionDenied => {
            "the bot's user may not read it; chmod o+r it".to_owned()
        }
        io::ErrorKind::CrossesDevices => {
            "it is a link that leads out of the folder; put the file itself there".to_owned()
        }
        io::ErrorKind::NotFound => "it is a link that leads to nothing; remove it".to_owned(),
        _ if Errno::from_io_error(e) == Some(Errno::LOOP) => {
            "it is a link that leads to itself; remove it".to_owned()
        }
        _ => format!("it cannot be opened: {e}"),
    }
}

/// What the file system says of a file.
pub(super) fn stamp(about: &Metadata) -> Stamp {
    let ns = |seconds: i64, ns: i64| seconds.saturating_mul(1_000_000_000).saturating_add(ns);
    Stamp {
        device: about.dev(),
        inode: about.ino(),
        size: about.size(),
        modified_ns: ns(about.mtime(), about.mtime_nsec()),
        changed_ns: ns(about.ctime(), about.ctime_nsec()),
    }
}

/// Documents that lie in two sources, as when one folder is inside of another: the source that has them, the other
/// one, and how many.
pub fn doubles(sources: &[Source]) -> Vec<(String, String, u64)> {
    let work = Work::default();
    let scans = sources.iter().map(|source| Scan::of(source, &work)).collect();
    let doubles = Scan::joined(scans).doubles;
    doubles.into_iter().map(|((owner, other), n)| (owner, other, n)).collect()
}

/// How many documents lie in a source, and what of them cannot be opened, each with the reason. Nothing is read.
///
/// # Errors
/// Why the folder cannot be read.
pub fn found_in(source: &Source) -> Result<(usize, Vec<(String, String)>), String> {
    let mut scan = Scan::default();
    scan.look(source, &Work::default())?;
    let all = scan.seen.len();
    let problem = |seen: Seen| seen.problem.map(|why| (seen.path, why));
    let odd: Vec<_> = scan.seen.into_iter().filter_map(problem).collect();
    Ok((all - odd.len(), odd))
}
