//! Where documents lie, which of them are meant, and where people can read them.

use std::path::{Path, PathBuf};

use super::glob::Glob;

/// The name of the source that `knowledge.dir` is.
pub const MAIN_SOURCE: &str = "documents";

/// The name of the source that documents sent in chats are.
pub const LEARNED: &str = "learned";

/// A folder of documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    name: String,
    dir: PathBuf,
    include: Vec<Glob>,
    exclude: Vec<Glob>,
    base_url: Option<String>,
}

impl Source {
    /// All documents of a folder.
    pub fn new(name: impl Into<String>, dir: impl Into<PathBuf>) -> Self {
        let (include, exclude) = (Vec::new(), Vec::new());
        Self { name: name.into(), dir: dir.into(), include, exclude, base_url: None }
    }

    /// Only those that fit one of `include`, if there are any, and none of `exclude`.
    #[must_use]
    pub fn filtered(mut self, include: &[String], exclude: &[String]) -> Self {
        let globs = |patterns: &[String]| patterns.iter().map(|one| Glob::new(one)).collect();
        (self.include, self.exclude) = (globs(include), globs(exclude));
        self
    }

    /// The address that they can be read at.
    #[must_use]
    pub fn published_at(mut self, base_url: Option<String>) -> Self {
        self.base_url = base_url;
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether a file with this path below the folder is meant.
    pub fn takes(&self, path: &Path) -> bool {
        self.is_wanted(path) && super::reading::can_read(path, fits(&self.include, path))
    }

    /// Whether a file is left out although no filter says so: its ending is not that of a document.
    pub fn leaves_out(&self, path: &Path) -> bool {
        self.is_wanted(path) && !super::reading::can_read(path, fits(&self.include, path))
    }

    fn is_wanted(&self, path: &Path) -> bool {
        (self.include.is_empty() || fits(&self.include, path)) && !fits(&self.exclude, path)
    }

    /// Where people can read the document, at this place of it.
    pub fn link(&self, path: &str, anchor: Option<&str>, page: Option<u32>) -> Option<String> {
        let base = self.base_url.as_deref()?;
        let path = encoded(path);
        let mut link = match base.contains("{path}") {
            true => base.replace("{path}", &path),
            false => format!("{}/{path}", base.trim_end_matches('/')),
        };
        match (anchor, page) {
            _ if link.contains('#') => {}
            (Some(anchor), _) if !anchor.is_empty() => {
                link.push_str(&format!("#{}", encoded(anchor)))
            }
            (_, Some(page)) => link.push_str(&format!("#page={page}")),
            _ => {}
        }
        Some(link)
    }
}

fn fits(globs: &[Glob], path: &Path) -> bool {
    path.to_str().is_some_and(|path| globs.iter().any(|glob| glob.fits(path)))
}

/// A path as it stands in an address (RFC 3986: unreserved characters and slashes stay).
fn encoded(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_choose_and_links_lead_there() {
        let words = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        let source = Source::new("handbook", "/srv/handbook")
            .filtered(&words(&["guide/**", "*.txt"]), &words(&["draft-*"]))
            .published_at(Some("https://docs.example/".into()));
        for (path, is_taken) in [
            ("guide/a.md", true),
            ("guide/deep/b.md", true),
            ("other/a.md", false),
            ("other/notes.txt", true),
            ("guide/draft-a.md", false),
            ("guide/picture.png", false),
        ] {
            assert_eq!(source.takes(Path::new(path)), is_taken, "{path}");
            let is_left_out = path == "guide/picture.png";
            assert_eq!(source.leaves_out(Path::new(path)), is_left_out, "{path}");
        }
        let takes = |source: Source, path: &str| source.takes(Path::new(path));
        let any = || Source::new("any", "/srv/any");
        assert!(
            takes(any(), "a.md") && !takes(any(), "secrets.toml"),
            "code only where it is named"
        );
        assert!(takes(any().filtered(&["*.toml".into()], &[]), "secrets.toml"));
        let link = |path, anchor, page| source.link(path, anchor, page).unwrap();
        assert_eq!(
            link("a b/ü.md", Some("the-end"), None),
            "https://docs.example/a%20b/%C3%BC.md#the-end"
        );
        assert_eq!(link("a.pdf", None, Some(7)), "https://docs.example/a.pdf#page=7");
        let viewer = source.published_at(Some("https://wiki.example/?page={path}&v=1".into()));
        let wanted = "https://wiki.example/?page=a.md&v=1";
        assert_eq!(viewer.link("a.md", None, None).as_deref(), Some(wanted));
        assert_eq!(Source::new("plain", "/x").link("a.md", None, None), None);
    }
}
