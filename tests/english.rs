//! The project's English is the usual one: this refuses the dialect that it once had.
//!
//! A newcomer searches with the words that everyone uses, and a reader in trouble should not have to
//! decode a sentence. Each word here was in use once; the reason says what to write instead. Names count too:
//! `_` ends a word.

#[allow(dead_code, reason = "tests/tidy.rs needs the rest")]
mod source;

use source::{at, files, read};

/// What is read. Code too: comments, error texts and names of variables are read by people.
const TREES: &[&str] = &[
    "CHANGELOG.md",
    "Cargo.toml",
    "README.md",
    "docs",
    "examples",
    "packaging",
    "src",
    "tests",
    "tools",
];

/// This file, which has to name what it refuses.
const ITSELF: &str = "tests/english.rs";

/// Words that are refused wherever they stand, and what to write instead.
const WORDS: &[(&str, &str)] = &[
    ("anew", "again, or name the act: restarts, recreates, rewrites"),
    ("gently", "gracefully, as in graceful shutdown"),
    ("mend", "fix"),
    ("mends", "fixes"),
    ("mended", "fixed"),
    ("mending", "fixing"),
    ("nobody", "no one, or name the thing that is missing: no owner, no client"),
    ("somebody", "someone, or name the role: a user, an owner, another program"),
    ("tells", "reports, shows, says or alerts; distinguishes, for telling apart"),
    ("whoever", "anyone who, or name the role: the user, the caller, the client"),
    ("whomever", "anyone whom, or name the role"),
];

/// Phrases that are refused, unless `BEFORE` or `AFTER` make them ordinary.
const PHRASES: &[(&str, &str)] = &[
    ("are no", "are not valid, are not"),
    ("are told", "use the active voice: who reports what to whom"),
    ("be told", "use the active voice: who reports what to whom"),
    ("became of", "the outcome"),
    ("becomes of", "the outcome"),
    ("been told", "use the active voice: who reports what to whom"),
    ("being told", "use the active voice: who reports what to whom"),
    ("came of", "the outcome"),
    ("come of", "the outcome"),
    ("comes of", "the outcome"),
    ("is no", "is not a valid, is not a"),
    ("is told", "use the active voice: who reports what to whom"),
    ("was no", "was not a valid, was not a"),
    ("was told", "use the active voice: who reports what to whom"),
    ("were no", "were not valid, were not"),
    ("were told", "use the active voice: who reports what to whom"),
];

/// "There is no file" and "is no longer" are what anyone would write.
const BEFORE: &[&str] = &["there"];
const AFTER: &[&str] = &["longer", "more", "one"];

/// Places where a refused word is right: the path, the word, and why.
const ALLOWED: &[(&str, &str, &str)] =
    &[("tests/system/checks/first.py", "nobody", "the name of a user of every Unix")];

/// The words of a line in small letters. `_` ends a word, so that names are read as well.
fn split(line: &str) -> Vec<String> {
    let words = line.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

/// What is wrong with a line, given the one after it: phrases do not end with a line.
fn wrong(line: &str, next: &str) -> Vec<(String, &'static str)> {
    let mut words = split(line);
    let here = words.len();
    words.extend(split(next).into_iter().take(2));
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    let mut found = Vec::new();
    for at in 0..here {
        if let Some((_, instead)) = WORDS.iter().find(|(bad, _)| *bad == word(at)) {
            found.push((word(at).to_owned(), *instead));
        }
        let pair = format!("{} {}", word(at), word(at + 1));
        if let Some((_, instead)) = PHRASES.iter().find(|(bad, _)| *bad == pair) {
            let ordinary = pair.ends_with(" no")
                && (at > 0 && BEFORE.contains(&word(at - 1)) || AFTER.contains(&word(at + 2)));
            if !ordinary {
                found.push((pair, *instead));
            }
        }
    }
    found
}

#[test]
fn the_english_is_the_usual_one() {
    let mut complaints = Vec::new();
    for file in files(TREES).into_iter().filter(|file| file.path != ITSELF) {
        let lines: Vec<&str> = file.text.lines().collect();
        for (n, line) in lines.iter().enumerate() {
            for (bad, instead) in wrong(line, lines.get(n + 1).unwrap_or(&"")) {
                let allowed =
                    ALLOWED.iter().any(|(path, word, _)| *path == file.path && *word == bad);
                if !allowed {
                    complaints.push(format!("{}: \"{bad}\": write {instead}", at(&file.path, n)));
                }
            }
        }
    }
    assert!(complaints.is_empty(), "words:\n  {}\n", complaints.join("\n  "));
}

#[test]
fn every_exception_is_needed() {
    for (path, word, reason) in ALLOWED {
        let found = |line| wrong(line, "");
        let used = read(path).lines().any(|line| found(line).iter().any(|(bad, _)| bad == word));
        assert!(
            used && !reason.is_empty(),
            "{path} does not say \"{word}\"; take it out of ALLOWED"
        );
    }
}

#[test]
fn what_is_refused_and_what_is_not() {
    for (line, next) in [
        ("systemd starts it anew.", ""),
        ("/// Whoever asks", ""),
        ("the name is", "/// no label"),
        ("Telegram is told", ""),
        ("what became of it", ""),
        ("names are no numbers", ""),
        ("fn nobody_is_nameless()", ""),
        ("an_outage_is_told_once", ""),
        ("const DRIFT_IS_NO_JUMP", ""),
    ] {
        assert!(!wrong(line, next).is_empty(), "{line} {next}");
    }
    for line in [
        "there is no such file",
        "There are no people",
        "it is no longer there",
        "is nothing",
        "fn it_is_no_longer_there()",
        "a remedy, amend, render",
        "what it is to be: no one",
    ] {
        assert_eq!(wrong(line, ""), [], "{line}");
    }
}
