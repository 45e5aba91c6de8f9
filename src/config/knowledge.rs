//! `[knowledge]`: the folder of pages that answers may quote.

use std::path::{Path, PathBuf};

use super::answer::Provider;
use super::key::{Key, Kind};
use super::settled::Settled;

/// The section `[knowledge]`.
#[derive(Clone, Debug)]
pub struct Knowledge {
    /// The folder; without it, nothing is looked up, or the built-in pages if offline.
    pub dir: Option<PathBuf>,
    /// Passages that go along with a question; 0 for none.
    pub passages: u32,
}

pub(super) const KEYS: &[Key] = &[
    Key::new("knowledge.dir", Kind::Path, "").example("/etc/katana-bot/knowledge").doc(
        "A folder of text and Markdown files which answers may quote with their source. Without it, nothing is looked up, except that the provider `offline` then quotes its built-in pages about Katana.",
        "To answer from your own documents.",
    ),
    Key::new("knowledge.passages", Kind::Whole(0, 20), "3").doc(
        "How many passages are looked up for a question.",
        "Raise it when answers miss what the documents say; each passage costs tokens.",
    ),
];

impl Knowledge {
    pub(super) fn read(settled: &mut Settled, chosen: Provider) -> Self {
        const DIR: &str = "knowledge.dir";
        const HINT: &str = "name an existing folder that the bot's user may read";
        let dir = settled.path(DIR);
        match (&dir, chosen) {
            (Some(path), _) if path.is_dir() => {}
            (Some(path), Provider::Offline) => {
                let message = format!("{} ({})", what_is_there(path), settled.origin(DIR));
                settled.problems.push(DIR, message, HINT);
            }
            (Some(path), _) => settled.warn(DIR, what_is_there(path), HINT),
            (None, _) => {}
        }
        Self { dir, passages: settled.count("knowledge.passages") }
    }
}

/// What is wrong with a path that is no folder.
fn what_is_there(path: &Path) -> &'static str {
    if path.exists() { "it is a file, not a folder" } else { "there is no such folder" }
}
