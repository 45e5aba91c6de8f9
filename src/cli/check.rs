//! `katana-bot check-config`: the configuration, and whether the disk matches it.
//!
//! Invariant: anything that would keep the daemon from starting is a problem; anything that only
//! this user cannot do is a warning, because the daemon may run as another user.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use hygiene::line::count;

use super::sources::{self, examined};
use super::style::{is_colourful, say, say_json};
use super::{endpoint, exit, memory};
use crate::config::{Config, Examined, Problem, Problems, Sources, print_warnings};
use crate::knowledge::{MAIN_SOURCE, Source, doubles, found_in};
use crate::logging;

const AS_USER: &str = "give it to the user that the bot runs as; if you are not that user, run \
the check as that user";

/// Runs the command.
pub(super) fn check_config(file: Option<PathBuf>, json: bool, without_secrets: bool) -> ExitCode {
    let sources = sources::sources(file);
    let examined = examined(&sources);
    let memory = memory_of_unit(&examined.loaded.config, &sources);
    let loaded = examined.loaded.clone();
    let (mut problems, mut warnings) = everything(examined);
    warnings.extend(memory);
    if without_secrets {
        sources::without_secrets(&mut problems, &loaded, |_| false);
        warnings.retain(|p| loaded.credentials().all(|(secret, _)| secret.path() != p.key));
    }
    if json {
        say_json(&serde_json::json!({
            "ok": problems.is_empty(), "problems": rows(&problems), "warnings": rows(&warnings)
        }));
    } else {
        print(&problems, &warnings);
    }
    if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(exit::CONFIG) }
}

/// Whether the unit's limit on memory fits; systemd is asked where it runs.
fn memory_of_unit(config: &Config, sources: &Sources) -> Option<Problem> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let unit = endpoint::unit(sources.file());
    let warning = runtime.block_on(memory::warning(config, &unit));
    runtime.shutdown_background();
    warning
}

/// Problems and warnings, including those on disk.
pub(super) fn everything(examined: Examined) -> (Vec<Problem>, Vec<Problem>) {
    let (config, mut problems) = (examined.loaded.config, examined.problems.0);
    let mut warnings = examined.loaded.warnings;
    let sound = |key: &str| {
        let silent = |list: &[Problem]| list.iter().all(|p| p.key != key);
        silent(&problems) && silent(&warnings)
    };
    let store = sound("store.path");
    let sources = crate::app::sources(&config);
    let sources: Vec<_> = sources.iter().map(|source| (key(source), source)).collect();
    let sources: Vec<_> = sources.into_iter().filter(|(key, _)| sound(key)).collect();
    if store {
        state_file(&config.store.path, &mut problems, &mut warnings);
    }
    for (key, source) in &sources {
        documents(key, source, &mut problems, &mut warnings);
    }
    overlaps(&sources, &mut warnings);
    (problems, warnings)
}

/// The key that names the folder of a source.
pub(super) fn key(source: &Source) -> String {
    match source.name() {
        MAIN_SOURCE => "knowledge.dir".to_owned(),
        name => format!("knowledge.sources.{name}.dir"),
    }
}

/// Whether the state file is one, or can become one.
fn state_file(path: &Path, problems: &mut Vec<Problem>, warnings: &mut Vec<Problem>) {
    const KEY: &str = "store.path";
    if path.is_dir() {
        let hint = "name a file in it, such as katana.db";
        problems.push(Problem::new(KEY, "this is a folder, not a file", hint));
        return;
    }
    if let Ok(real) = path.canonicalize()
        && hygiene::ownership::open(&real, OpenOptions::new().read(true).write(true)).is_err()
    {
        warnings.push(Problem::new(KEY, "you cannot read and write the state file", AS_USER));
        return;
    }
    // The daemon creates folders that are missing; the nearest one that is there decides.
    let Some(folder) = path.ancestors().skip(1).find(|folder| folder.exists()) else { return };
    if !folder.is_dir() {
        let hint = "name a file in a folder";
        problems.push(Problem::new(KEY, "a parent of this path is a file, not a folder", hint));
    } else if let Err(e) = try_writing(folder) {
        let message = format!("you cannot write to the folder: {}", e.kind());
        warnings.push(Problem::new(KEY, message, AS_USER));
    }
}

/// Creates a file and removes it: permissions alone are not enough (read-only or full file
/// systems).
fn try_writing(folder: &Path) -> std::io::Result<()> {
    let name = folder.join(format!(".katana-check-{}", std::process::id()));
    hygiene::atomic::New::begin(&name).map(drop)
}

/// Whether a folder of documents can be read, and what of it cannot. Nothing in it is read yet.
fn documents(key: &str, source: &Source, problems: &mut Vec<Problem>, warnings: &mut Vec<Problem>) {
    // The configuration has warned of one that does not answer; opening it would never end.
    if hygiene::time_limit::is_dir(source.dir()).is_none() {
        return;
    }
    match found_in(source) {
        Err(why) => problems.push(Problem::new(key, why, AS_USER)),
        Ok((0, odd)) if odd.is_empty() => {
            let hint = "put .md, .txt or other documents into it";
            warnings.push(Problem::new(key, "the folder has no usable document", hint));
        }
        Ok((_, odd)) => {
            for (path, why) in odd {
                let hint = "it is left out until then";
                warnings.push(Problem::new(key, format!("{path}: {why}"), hint));
            }
        }
    }
}

/// Whether documents lie in two sources: each is read once, for the first.
fn overlaps(sources: &[(String, &Source)], warnings: &mut Vec<Problem>) {
    let answers = |source: &Source| hygiene::time_limit::is_dir(source.dir()) == Some(true);
    let all: Vec<Source> =
        sources.iter().map(|(_, source)| (*source).clone()).filter(answers).collect();
    let key = |name: &str| sources.iter().find(|(_, one)| one.name() == name).map(|(key, _)| key);
    for (owner, other, n) in if all.len() > 1 { doubles(&all) } else { Vec::new() } {
        let (Some(owner), Some(key)) = (key(&owner), key(&other)) else { continue };
        let what = format!(
            "it shares {} with {owner}; each is read once, for {owner}",
            count(n, "document")
        );
        let hint = "leave them out with include or exclude of one of the two, or remove a source";
        warnings.push(Problem::new(key, what, hint));
    }
}

/// Problems as JSON shows them.
pub(super) fn rows(list: &[Problem]) -> Vec<BTreeMap<&'static str, String>> {
    let row = |p: &Problem| {
        BTreeMap::from([
            ("key", p.key.clone()),
            ("message", p.message.clone()),
            ("hint", p.hint.clone()),
        ])
    };
    list.iter().map(row).collect()
}

fn print(problems: &[Problem], warnings: &[Problem]) {
    let colour = is_colourful(&std::io::stderr());
    // A unit runs it before each reload; its journal takes the level from here (sd-daemon(3)).
    let in_journal = logging::is_in_journal();
    if in_journal && !problems.is_empty() {
        let problems = Problems(problems.to_vec());
        eprintln!("<3>the configuration is refused: {}", problems.in_one_line());
    }
    if !warnings.is_empty() {
        eprint!("Warnings:\n{}", print_warnings(warnings, colour));
    }
    if problems.is_empty() {
        say("The configuration is valid.\n");
        return;
    }
    if !warnings.is_empty() {
        eprintln!("Problems:");
    }
    let count = problems.len();
    eprint!("{}", Problems(problems.to_vec()).print(colour));
    eprintln!("{count} problem{}.", if count == 1 { "" } else { "s" });
}
