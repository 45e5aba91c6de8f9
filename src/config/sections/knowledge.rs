//! `[knowledge]`: the folder of pages that answers may quote.

use std::path::{Path, PathBuf};

use hygiene::time_limit::is_dir;

use crate::config::key::Part;
use crate::config::resolved::Resolved;
use crate::config::rule::{count, flag, optional_path};
use crate::config::section::section;
use crate::provider::{Kind, find};

section! {
    /// The section `[knowledge]`: the folder of pages that answers may quote.
    pub struct Knowledge in "knowledge", checked by check {
        /// A folder of text and Markdown files that answers may quote with their source. Without
        /// it, nothing is looked up, except that the provider `offline` then quotes its built-in
        /// pages about Katana.
        dir: Option<PathBuf> = optional_path()
            .example("/etc/katana-bot/knowledge").when("To answer from your own documents.")
            .live(Part::Answers),

        /// How many passages are looked up for a question.
        passages: u32 = count(0..=20, 3)
            .when("Raise it when answers miss what the documents say; each passage costs tokens.")
            .live(Part::Answers),

        /// Whether the model may answer from the documents alone. Where nothing is found in them, the bot says so
        /// and no model is asked. Needs documents: without any, it has no effect.
        only: bool = flag(false)
            .when("For a help desk that must not improvise.")
            .live(Part::Answers),
    }
}

fn check(resolved: &mut Resolved<'_>) {
    const DIR: &str = "knowledge.dir";
    const HINT: &str = "name an existing folder that the bot's user may read";
    let Some(path) = resolved.get::<Option<PathBuf>>(DIR) else { return };
    match is_dir(&path) {
        Some(true) => return,
        Some(false) => {}
        // It may well be one: that is known when the mount is back.
        None => {
            let hint = "see whether `ls` in it hangs, too; a mount whose server is gone does that";
            return resolved.warn(DIR, "the folder does not answer", hint);
        }
    }
    let chosen: Vec<String> = resolved.get("answer.provider");
    let quotes = |name: &String| find(name).is_some_and(|p| matches!(p.kind, Kind::Documents));
    if chosen.iter().any(quotes) {
        let message = format!("{} ({})", what_is_there(&path), resolved.origin(DIR));
        resolved.problems.push(DIR, message, HINT);
    } else {
        resolved.warn(DIR, what_is_there(&path), HINT);
    }
}

/// What is wrong with a path that is not a folder.
fn what_is_there(path: &Path) -> &'static str {
    if path.exists() { "it is a file, not a folder" } else { "there is no such folder" }
}
