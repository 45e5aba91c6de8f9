//! Opens what lies in a folder, and nothing outside of it.
//!
//! Invariants: no link, and no concurrent change of the folder, makes a path lead out of it; only
//! regular files are opened for reading, and opening one never waits; [`Folder::walk`] comes to
//! each file and folder once, whatever links lead there.

use std::collections::{HashSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Dir, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// Links followed in one path, as the kernel has it.
const LINKS: usize = 40;
/// Tries while the folder changes so fast that the kernel cannot say where a path leads.
const TRIES: usize = 10;

/// A folder that is held open.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    root: OwnedFd,
    resolve: Resolve,
}

/// A folder that cannot be read.
#[derive(Debug)]
pub struct Unreadable {
    /// Which.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

/// What a walk comes to.
#[derive(Debug)]
pub enum Entry {
    /// A regular file, open for reading.
    File(File),
    /// A folder, the one that the walk begins with included; what is in it comes next.
    Folder,
}

/// How a path is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resolve {
    /// By openat2(2).
    Kernel,
    /// Part by part: kernels before 5.6 do not have the call, and some sandboxes forbid it.
    Parts,
}

/// What a path leads to.
enum Opened {
    File(File),
    Folder(OwnedFd),
    /// A pipe, a socket or a device.
    Special,
}

impl Folder {
    /// Opens a folder. Links in its own path are followed: it is the operator's choice.
    ///
    /// # Errors
    /// Those of open(2).
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(path, flags, Mode::empty())?;
        let resolve = match by_kernel(root.as_fd(), Path::new("."), OFlags::PATH) {
            Err(Errno::NOSYS | Errno::PERM) => Resolve::Parts,
            _ => Resolve::Kernel,
        };
        Ok(Self { path: path.to_owned(), root, resolve })
    }

    /// Opens a regular file by its path below the folder.
    ///
    /// # Errors
    /// Those of open(2), and `InvalidInput` for anything but a regular file. A path that leads
    /// outside is `CrossesDevices`.
    pub fn file(&self, path: &Path) -> io::Result<File> {
        match self.look(path)? {
            Opened::File(file) => Ok(file),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    /// Comes to each folder, and to each regular file whose path is `wanted`, in the order of names, links
    /// last. Names that begin with a dot are left out, but may be what a link leads to.
    ///
    /// `each` gets the path below the folder, and what is there or why it cannot be opened. `goes_on` hears of each
    /// name that is read, whatever it is.
    ///
    /// # Errors
    /// When the folder itself cannot be read; and what `each` returns.
    pub fn walk<E: From<Unreadable>>(
        &self,
        wanted: impl Fn(&Path) -> bool,
        mut each: impl FnMut(&Path, io::Result<Entry>) -> Result<(), E>,
        goes_on: impl Fn(),
    ) -> Result<(), E> {
        let mut seen = HashSet::new();
        // Links wait, so that what has a name of its own goes by that.
        let mut links = VecDeque::new();
        let mut next = vec![(PathBuf::from("."), FileType::Directory)];
        while let Some((path, kind)) = next.pop().or_else(|| links.pop_front()) {
            goes_on();
            let unreadable = |source| Unreadable { path: self.path.join(&path), source };
            match self.look(&path) {
                Ok(Opened::File(file)) if wanted(&path) => {
                    if seen.insert(identity(file.as_fd()).map_err(unreadable)?) {
                        each(&path, Ok(Entry::File(file)))?;
                    }
                }
                Ok(Opened::Folder(fd)) => {
                    if seen.insert(identity(fd.as_fd()).map_err(unreadable)?) {
                        let path = path.strip_prefix(".").unwrap_or(&path);
                        let inner = match entries(&fd, path, &goes_on) {
                            Ok(inner) => inner.into_iter(),
                            Err(e) if path.as_os_str().is_empty() => {
                                return Err(unreadable(e).into());
                            }
                            Err(e) => {
                                each(path, Err(e))?;
                                continue;
                            }
                        };
                        each(path, Ok(Entry::Folder))?;
                        let (inner_links, inner): (Vec<_>, Vec<_>) = inner
                            .filter(|(path, kind)| *kind != FileType::RegularFile || wanted(path))
                            .partition(|(_, kind)| *kind == FileType::Symlink);
                        links.extend(inner_links);
                        next.extend(inner.into_iter().rev());
                    }
                }
                Ok(_) => {}
                // It went meanwhile.
                Err(e) if kind != FileType::Symlink && e.kind() == io::ErrorKind::NotFound => {}
                Err(e) if path == Path::new(".") => return Err(unreadable(e).into()),
                Err(e) => each(&path, Err(e))?,
            }
        }
        Ok(())
    }

    /// What lies at a path. Looked at before it is opened, because opening a device can have an
    /// effect, and once more after it.
    fn look(&self, path: &Path) -> io::Result<Opened> {
        let kind = |fd: &OwnedFd| Ok(FileType::from_raw_mode(rustix::fs::fstat(fd)?.st_mode));
        let found: io::Result<_> = kind(&self.at(path, OFlags::PATH)?);
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let opened = match found? {
            FileType::RegularFile | FileType::Directory => self.at(path, flags)?,
            _ => return Ok(Opened::Special),
        };
        Ok(match kind(&opened)? {
            FileType::RegularFile => Opened::File(opened.into()),
            FileType::Directory => Opened::Folder(opened),
            _ => Opened::Special,
        })
    }

    fn at(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        match self.resolve {
            Resolve::Kernel => by_kernel(self.root.as_fd(), path, flags),
            Resolve::Parts => by_parts(self.root.as_fd(), path, flags),
        }
    }
}

fn by_kernel(root: BorrowedFd<'_>, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let open = || rustix::fs::openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve);
    let again = |opened: &Result<OwnedFd, Errno>| matches!(opened, Err(Errno::AGAIN | Errno::INTR));
    (1..TRIES).map(|_| open()).find(|opened| !again(opened)).unwrap_or_else(open)
}

/// The same without openat2(2): each part is opened in the folder before it without following a
/// link, and `..` goes back to the folder that was come from, so a folder that is moved meanwhile
/// leads nowhere else.
fn by_parts(root: BorrowedFd<'_>, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let mut folders: Vec<OwnedFd> = Vec::new();
    let mut left = parts(path)?;
    let mut links = 0;
    while let Some(part) = left.pop() {
        if part == ".." {
            folders.pop().ok_or(Errno::XDEV)?;
            continue;
        }
        let here = folders.last().map_or(root, AsFd::as_fd);
        let look = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let found = rustix::fs::openat(here, &part, look, Mode::empty())?;
        let kind = FileType::from_raw_mode(rustix::fs::fstat(&found)?.st_mode);
        if kind == FileType::Symlink {
            links += 1;
            if links > LINKS {
                return Err(Errno::LOOP);
            }
            let target = rustix::fs::readlinkat(&found, "", Vec::new())?.into_bytes();
            left.extend(parts(Path::new(OsStr::from_bytes(&target)))?);
        } else if left.is_empty() && kind != FileType::Directory {
            return rustix::fs::openat(here, &part, flags, Mode::empty());
        } else {
            folders.push(found);
        }
    }
    let here = folders.last().map_or(root, AsFd::as_fd);
    rustix::fs::openat(here, ".", flags, Mode::empty())
}

/// The parts of a path, the last one first.
fn parts(path: &Path) -> Result<Vec<OsString>, Errno> {
    let one = |part| match part {
        Component::Normal(name) => Ok(name.to_owned()),
        Component::ParentDir => Ok("..".into()),
        Component::CurDir => Ok(".".into()),
        Component::RootDir | Component::Prefix(_) => Err(Errno::XDEV),
    };
    path.components().rev().map(one).collect()
}

/// What lies in the folder at `path`, sorted; names that begin with a dot are left out.
fn entries(
    folder: &OwnedFd,
    path: &Path,
    goes_on: impl Fn(),
) -> io::Result<Vec<(PathBuf, FileType)>> {
    let mut all = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        goes_on();
        let name = entry.file_name().to_bytes();
        if !name.starts_with(b".") {
            all.push((path.join(OsStr::from_bytes(name)), entry.file_type()));
        }
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(all)
}

fn identity(fd: BorrowedFd<'_>) -> io::Result<(u64, u64)> {
    let about = rustix::fs::fstat(fd)?;
    Ok((about.st_dev, about.st_ino))
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::symlink;

    use super::*;

    /// A folder of which every kind of link leads somewhere; beside it lies a secret.
    fn world() -> tempfile::TempDir {
        let world = tempfile::tempdir().unwrap();
        let at = |name: &str| world.path().join(name);
        std::fs::create_dir_all(at("docs/sub/deep")).unwrap();
        std::fs::create_dir(at("docs/.hidden")).unwrap();
        for name in ["docs/a.md", "docs/sub/b.md", "docs/sub/deep/c.md", "docs/.hidden/d.md"] {
            std::fs::write(at(name), name).unwrap();
        }
        std::fs::write(at("docs/other.bin"), "docs/other.bin").unwrap();
        std::fs::write(at("secret.md"), "token").unwrap();
        let absolute = at("secret.md");
        for (name, target) in [
            ("docs/0-again.md", "sub/b.md"),
            ("docs/around.md", "sub/../sub/deep/../../other.bin"),
            ("docs/dangling.md", "nothing"),
            ("docs/environ.md", "/proc/self/environ"),
            ("docs/inside.md", ".hidden/d.md"),
            ("docs/loop.md", "loop.md"),
            ("docs/out.md", "../secret.md"),
            ("docs/outside.md", absolute.to_str().unwrap()),
            ("docs/sub/out.md", "deep/../../../secret.md"),
            ("docs/sub/up", ".."),
            ("docs/self", "."),
            ("docs/world", ".."),
        ] {
            symlink(target, at(name)).unwrap();
        }
        let made = std::process::Command::new("mkfifo").arg(at("docs/pipe.md")).status();
        assert!(made.is_ok_and(|status| status.success()), "mkfifo of coreutils is needed");
        symlink("pipe.md", at("docs/pipe-link.md")).unwrap();
        world
    }

    fn text(file: io::Result<File>) -> String {
        let mut text = String::new();
        match file.and_then(|mut file| file.read_to_string(&mut text)) {
            Ok(_) => text,
            Err(e) => format!("{:?}", Errno::from_io_error(&e).unwrap()),
        }
    }

    /// By the kernel, where it has the call, and part by part.
    fn both(world: &Path) -> [Folder; 2] {
        let open = || Folder::open(&world.join("docs")).unwrap();
        [open(), Folder { resolve: Resolve::Parts, ..open() }]
    }

    #[test]
    fn a_walk_stays_inside_and_comes_to_each_file_once() {
        let world = world();
        for folder in both(world.path()) {
            let (mut found, mut folders) = (Vec::new(), Vec::new());
            let is_document = |path: &Path| path.extension().is_some_and(|e| e == "md");
            let names = std::cell::Cell::new(0);
            let walked: Result<(), Unreadable> = folder.walk(
                is_document,
                |path, entry| {
                    let path = path.to_str().unwrap().to_owned();
                    match entry {
                        Ok(Entry::Folder) => folders.push(path),
                        Ok(Entry::File(file)) => found.push((path, text(Ok(file)))),
                        Err(e) => found.push((path, text(Err(e)))),
                    }
                    Ok(())
                },
                || names.set(names.get() + 1),
            );
            walked.unwrap();
            assert!(names.get() > found.len() + folders.len(), "files of other kinds count");
            assert_eq!(folders, ["", "sub", "sub/deep"]);
            let found: Vec<_> = found.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
            let xdev = format!("{:?}", Errno::XDEV);
            let (missing, endless) = (format!("{:?}", Errno::NOENT), format!("{:?}", Errno::LOOP));
            assert_eq!(
                found,
                [
                    ("a.md", "docs/a.md"),
                    ("sub/b.md", "docs/sub/b.md"),
                    ("sub/deep/c.md", "docs/sub/deep/c.md"),
                    ("around.md", "docs/other.bin"),
                    ("dangling.md", missing.as_str()),
                    ("environ.md", &xdev),
                    ("inside.md", "docs/.hidden/d.md"),
                    ("loop.md", &endless),
                    ("out.md", &xdev),
                    ("outside.md", &xdev),
                    ("world", &xdev),
                    ("sub/out.md", &xdev),
                ],
                "{:?}",
                folder.resolve
            );
        }
    }

    #[test]
    fn one_file_is_opened_by_the_same_rules() {
        let world = world();
        for folder in both(world.path()) {
            let open = |path: &str| folder.file(Path::new(path));
            assert_eq!(text(open("sub/./deep/../b.md")), "docs/sub/b.md");
            assert_eq!(text(open("sub/up/a.md")), "docs/a.md");
            for outside in ["../secret.md", "sub/../../secret.md", "/etc/passwd", "out.md"] {
                let error = open(outside).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::CrossesDevices, "{outside}");
            }
            for special in ["pipe.md", "pipe-link.md", "sub", "."] {
                let error = open(special).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{special}");
            }
            assert_eq!(open("a.md/b").unwrap_err().kind(), io::ErrorKind::NotADirectory);
        }
    }
}
