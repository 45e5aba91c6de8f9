//! `[knowledge]`: the documents that answers may quote, and where they lie.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hygiene::atomic::sibling;
use hygiene::time_limit::is_dir;

use crate::config::key::Part;
use crate::config::resolved::Resolved;
use crate::config::rule::{count, flag, optional_path, path, whole, word, words};
use crate::config::section::section;
use crate::config::source::Origin;
use crate::config::value::Value;
use crate::provider::{Kind, find};

/// The section of the tables.
const TABLE: &str = "knowledge.sources.NAME";

/// Names that sources have which are not tables.
const TAKEN: [&str; 2] = ["documents", "learned"];

section! {
    /// The section `[knowledge]`: the documents that answers may quote.
    pub struct Knowledge in "knowledge", checked by check {
        /// A folder of documents that answers may quote with their source. More folders are tables
        /// `[knowledge.sources.NAME]`. Without any, nothing is looked up, except that the provider `offline` then
        /// quotes its built-in pages about Katana.
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

        /// The file of the index over the documents; all of it can be made again from them. By default beside the
        /// state file, with `.index.db` in place of its ending.
        index_path: PathBuf = path()
            .example("/var/lib/katana-bot/katana.index.db")
            .when("To put it on a larger or faster disk. It must be a local disk, not a network share.")
            .restart("the index is open"),

        /// How often all folders are looked through, in seconds. Changes on a local disk are seen at once;
        /// this is for those that the kernel does not report, such as on a network share.
        rescan_s: u64 = whole(10..=86_400, 300)
            .when("For documents on a network share that other machines change.")
            .restart("the folders are being watched"),
    }
}

section! {
    /// The tables `[knowledge.sources.NAME]`: more folders of documents.
    pub struct KnowledgeSource in "knowledge.sources.NAME", checked by check_sources {
        /// The folder.
        dir: PathBuf = path().example("/srv/handbook").live(Part::Answers),

        /// Patterns of the documents that are meant, such as `guide/**` or `*.md`; without any, all that can be
        /// read but source code and settings. `*` and `?` stand for characters of a name, `**` for any folders.
        include: Vec<String> = words().example("guide/**").live(Part::Answers),

        /// Patterns of documents that are left out, in the same form.
        exclude: Vec<String> = words().example("drafts/**").live(Part::Answers),

        /// The address that people can read the documents at; citations then link there. The path follows it, or
        /// takes the place of `{path}` in it.
        base_url: String = word("").example("https://docs.example.com/handbook").live(Part::Answers),
    }
}

/// The tables by their names.
pub type KnowledgeSources = BTreeMap<String, KnowledgeSource>;

fn check(resolved: &mut Resolved<'_>) {
    const INDEX: &str = "knowledge.index_path";
    const ONLY: &str = "knowledge.only";
    if resolved.get::<Option<PathBuf>>(INDEX).is_none()
        && !resolved.problems.about(INDEX)
        && let Some(state) = resolved.get::<Option<PathBuf>>("store.path")
    {
        let path = sibling(&state.with_extension(""), ".index.db");
        let text = Value::Text(path.to_string_lossy().into_owned());
        resolved.set(INDEX, text, Origin::Derived("from store.path".to_owned()));
    }
    check_folder(resolved, "knowledge.dir");
    let has_folder = resolved.get::<Option<PathBuf>>("knowledge.dir").is_some()
        || !resolved.names(TABLE).is_empty();
    if resolved.get::<bool>(ONLY) && !has_folder {
        let message = "only documents are answered from, and no folder is named";
        let hint = "set knowledge.dir; until then there is what owners send with /learn";
        resolved.warn(ONLY, message, hint);
    }
}

fn check_folder(resolved: &mut Resolved<'_>, key: &str) {
    const HINT: &str = "name an existing folder that the bot's user may read";
    let Some(path) = resolved.get::<Option<PathBuf>>(key) else { return };
    match is_dir(&path) {
        Some(true) => return,
        Some(false) => {}
        // It may well be one: that is known when the mount is back.
        None => {
            let hint = "see whether `ls` in it hangs, too; a mount whose server is gone does that";
            return resolved.warn(key, "the folder does not answer", hint);
        }
    }
    let chosen: Vec<String> = resolved.get("answer.provider");
    let quotes = |name: &String| find(name).is_some_and(|p| matches!(p.kind, Kind::Documents));
    if chosen.iter().any(quotes) {
        let message = format!("{} ({})", what_is_there(&path), resolved.origin(key));
        resolved.problems.push(key, message, HINT);
    } else {
        resolved.warn(key, what_is_there(&path), HINT);
    }
}

/// What is wrong with a path that is not a folder.
fn what_is_there(path: &Path) -> &'static str {
    if path.exists() { "it is a file, not a folder" } else { "there is no such folder" }
}

fn check_sources(resolved: &mut Resolved<'_>) {
    for name in resolved.names(TABLE) {
        let key = |field: &str| format!("knowledge.sources.{name}.{field}");
        let dir = key("dir");
        if TAKEN.contains(&name.as_str()) {
            let hint = "give the table another name";
            resolved.problems.push(
                &dir,
                "this name is that of a source which is always there",
                hint,
            );
        }
        match resolved.is_meant(&dir) {
            true => check_folder(resolved, &dir),
            false => {
                let hint = "name the folder, or remove the table";
                resolved.problems.push(&dir, "the source has no folder", hint);
            }
        }
        let base_url: String = resolved.get(&key("base_url"));
        let is_web = ["https://", "http://"].iter().any(|scheme| base_url.starts_with(scheme));
        if !base_url.is_empty() && (!is_web || base_url.contains(char::is_whitespace)) {
            let hint =
                "write an address such as https://host/handbook or https://host/?page={path}";
            resolved.problems.push(key("base_url"), "it is not an address of the web", hint);
        }
    }
}
