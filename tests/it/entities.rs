//! Rendering against Telegram's own parser, which runs offline as PyPI's tdjson: answers of all scripts
//! as models write them must arrive with the formatting that was meant.
//!
//! The parser is installed once into `katana-ci` below the user's cache directory. Where that is not
//! possible, the test says loudly that it was skipped.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use katana::model::text::Rich;
use katana::telegram::render;
use serde_json::{Value, json};

use crate::harness::skipped;
use crate::rendering::entity;

/// The version that is installed.
const TDJSON: &str = "tdjson==1.8.69";

/// Answers in `tests/corpus/answers.txt`: each after a line with `%%%%` and its name.
fn answers() -> Vec<(String, String)> {
    let corpus = include_str!("../corpus/answers.txt");
    let answers = corpus.split("%%%% ").skip(1).map(|answer| {
        let (name, text) = answer.split_once('\n').expect("a name and a text");
        (name.to_owned(), text.trim_end_matches('\n').to_owned())
    });
    answers.collect()
}

/// A rendered message as a line for `tests/corpus/compare.py`.
fn line(name: &str, message: &Rich, html: Option<&str>) -> String {
    let entities: Vec<Value> = message.entities.iter().map(entity).collect();
    let mut line = json!({ "name": name, "text": message.text, "entities": entities });
    if let Some(html) = html {
        line["html"] = json!(html);
    }
    format!("{line}\n")
}

#[test]
fn the_corpus_is_large_and_exercises_what_models_write() {
    let answers = answers();
    assert!(answers.len() >= 300, "{} answers", answers.len());
    let all: String = answers.iter().map(|(_, text)| text.as_str()).collect();
    for piece in
        ["**", "```markdown\n", "<ul>", "<details>", "<sup>", "：**", "」**", "|--", "> [!"]
    {
        assert!(all.contains(piece), "{piece}");
    }
    // Nothing that a person would have to read around is left of it.
    for (name, text) in &answers {
        let shown: String = render::markdown(text).into_iter().map(|m| m.text + "\n").collect();
        if name.contains(": bold") || name.contains("HTML of") {
            for left in ["**", "~~", "<b>", "</", "<br", "<li", "&amp;"] {
                assert!(!shown.contains(left), "{name}: {left} in {shown}");
            }
        }
        if name.contains("Markdown in Markdown") {
            let parts = render::markdown(text);
            let blocks = parts.iter().flat_map(|part| &part.entities).filter(|entity| {
                matches!(entity.kind, katana::model::text::EntityKind::Pre { .. })
            });
            assert_eq!(blocks.count(), 1, "{name}: {shown}");
        }
    }
}

#[test]
fn telegrams_own_parser_keeps_every_message_as_it_is() {
    let python = match python() {
        Ok(python) => python,
        Err(why) => {
            return skipped(&format!("entities against Telegram's parser: no tdjson: {why}"));
        }
    };
    let mut lines = String::new();
    for (name, text) in answers() {
        for message in render::markdown(&text) {
            let html = name.starts_with("Telegram's HTML").then_some(text.as_str());
            lines += &line(&name, &message, html);
        }
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/compare.py");
    let mut compare = Command::new(python)
        .args(["-B", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python starts");
    let mut stdin = compare.stdin.take().expect("a pipe");
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = compare.wait_with_output().expect("it ends");
    writer.join().expect("a thread").expect("all is read");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("messages compared"), "{said}");
}

/// The interpreter of an environment with tdjson, made when it is not there yet.
fn python() -> Result<PathBuf, String> {
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or(home);
    let cache = cache.ok_or("neither XDG_CACHE_HOME nor HOME is set")?.join("katana-ci");
    let place = cache.join(TDJSON.replace("==", "-"));
    let python = place.join("bin/python");
    if python.exists() {
        return Ok(python);
    }
    std::fs::create_dir_all(&cache).map_err(|error| error.to_string())?;
    // Made aside and moved, so that one that was broken off is never taken for whole.
    let aside = tempfile::tempdir_in(&cache).map_err(|error| error.to_string())?;
    let fresh = aside.path().join("venv");
    run(Command::new("python3").args(["-m", "venv"]).arg(&fresh))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", TDJSON];
    run(Command::new(fresh.join("bin/python")).args(pip))?;
    match std::fs::rename(&fresh, &place) {
        Err(error) if !Path::exists(&python) => Err(error.to_string()),
        // Another process was faster, which serves as well.
        _ => Ok(python),
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(said.trim().to_owned()) }
}
