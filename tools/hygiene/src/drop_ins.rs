//! Folders of small configuration files beside a main one: `katana-bot.d` beside `katana-bot.toml`.
//!
//! The files count in the order of their names, after the main file, and a later one wins. A file
//! counts if its name ends in `.toml` and does not begin with a dot. Packages and editors leave copies
//! there (`.dpkg-dist`, `~`), which must not; another name is probably a slip, and is reported. A link to
//! /dev/null does not count: as with systemd's own drop-ins, it says that there shall be none of this name.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The file that belongs to `katana-bot setup`: before it there is room for defaults of an organization,
/// after it for people's own.
pub const SETUP: &str = "50-setup.toml";

/// Ends of the names of copies that package managers and editors leave.
const COPIES: [&str; 8] = ["~", ".bak", ".orig", ".old", ".rej", ".swp", ".tmp", ".new-setup"];

/// What is in a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The files that count, in their order.
    pub files: Vec<PathBuf>,
    /// What does not count although its name does not look like that of a copy.
    pub ignored: Vec<PathBuf>,
}

/// The folder beside this file; `None` if the file's name does not end in `.toml`.
pub fn folder(main: &Path) -> Option<PathBuf> {
    main.extension().filter(|end| *end == "toml").map(|_| main.with_extension("d"))
}

/// Why one of those that are ignored does not count, and what to do about it.
pub fn why_ignored(path: &Path) -> (&'static str, &'static str) {
    match path.is_dir() {
        true => {
            ("this is a folder, and what is in it is ignored", "move its files out, or remove it")
        }
        false => ("the file is ignored: its name does not end in .toml", "rename it, or remove it"),
    }
}

/// Whether this is a link to /dev/null.
pub fn is_masked(path: &Path) -> bool {
    path.is_symlink() && path.canonicalize().is_ok_and(|target| target == Path::new("/dev/null"))
}

/// Lists a folder. One that does not exist is empty.
///
/// # Errors
/// Why it cannot be listed, to continue a sentence about the folder.
pub fn list(folder: &Path) -> Result<Found, String> {
    let why = |e: std::io::Error| format!("cannot be read: {}", e.kind());
    let entries = match std::fs::read_dir(folder) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Found::default()),
        entries => entries.map_err(why)?,
    };
    let mut found = Found::default();
    for entry in entries {
        let entry = entry.map_err(why)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') || is_masked(&entry.path()) {
            continue;
        }
        if name.ends_with(".toml") {
            found.files.push(entry.path());
        } else if !is_copy(&name) {
            found.ignored.push(entry.path());
        }
    }
    found.files.sort();
    found.ignored.sort();
    Ok(found)
}

fn is_copy(name: &str) -> bool {
    let known = COPIES.iter().any(|end| name.ends_with(end));
    known || [".dpkg-", ".ucf-", ".rpm"].iter().any(|part| name.contains(part)) || name == "README"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_decide_and_order() {
        let dir = tempfile::tempdir().unwrap();
        let folder = folder(&dir.path().join("katana-bot.toml")).unwrap();
        assert!(folder.ends_with("katana-bot.d"));
        assert_eq!(list(&folder), Ok(Found::default()));
        std::fs::create_dir(&folder).unwrap();
        for name in [
            "60-b.toml",
            "50-a.toml",
            ".50-hidden.toml",
            "50-a.toml~",
            "50-a.toml.dpkg-dist",
            "README",
            "70-c.conf",
        ] {
            std::fs::write(folder.join(name), "").unwrap();
        }
        let places = |names: &[&str]| names.iter().map(|name| folder.join(name)).collect();
        for name in ["55-masked.toml", "56-masked"] {
            std::os::unix::fs::symlink("/dev/null", folder.join(name)).unwrap();
        }
        let wanted =
            Found { files: places(&["50-a.toml", "60-b.toml"]), ignored: places(&["70-c.conf"]) };
        assert_eq!(list(&folder), Ok(wanted));
        std::fs::create_dir(folder.join("old")).unwrap();
        let ignored = list(&folder).unwrap().ignored;
        assert_eq!(ignored, [folder.join("70-c.conf"), folder.join("old")]);
        let why = ignored.iter().map(|path| why_ignored(path).0.contains("this is a folder"));
        assert_eq!(why.collect::<Vec<_>>(), [false, true]);
        assert_eq!(super::folder(Path::new("/etc/other.conf")), None);
        let why = list(&folder.join("README")).unwrap_err();
        assert!(why.contains("not a directory"), "{why}");
    }
}
