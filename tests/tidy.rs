//! The house rules, checked: layers, homes of crates, sizes, words, and what lies where.
//!
//! The tables of `docs/architecture.md` are the rules: what is written there is what is checked.
//! Every complaint names a place and what to do about it.

#[path = "source/graph.rs"]
mod graph;
mod source;

use std::collections::{BTreeMap, BTreeSet};

use graph::Graph;
use source::{Source, at, closing, files, read, sources, words};

const RULES: &str = "docs/architecture.md";

/// Longest code of one file, tests apart: past that it has more than one purpose.
const CODE_LINES: usize = 400;

/// Longest file with its tests, which may hold long tables.
const ALL_LINES: usize = 500;

/// What may lie at the top. Dotfiles are free; `target` is Cargo's.
const TOP: &[&str] = &[
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "clippy.toml",
    "deny.toml",
    "docs",
    "examples",
    "packaging",
    "rustfmt.toml",
    "src",
    "target",
    "tests",
    "tools",
];

/// Fails with all complaints at once.
fn none(complaints: Vec<String>, rule: &str) {
    assert!(complaints.is_empty(), "{rule}:\n  {}\n", complaints.join("\n  "));
}

fn ours() -> Vec<Source> {
    sources(&["src"])
}

fn everything() -> Vec<Source> {
    sources(&["src", "tests", "tools", "examples"])
}

/// The rows of the table below a heading of the rules: the words in backticks, cell by cell.
fn table(heading: &str) -> Vec<Vec<Vec<String>>> {
    let page = read(RULES);
    let below = page.split_once(&format!("\n## {heading}\n"));
    let (_, below) = below.unwrap_or_else(|| panic!("{RULES} has no heading \"## {heading}\""));
    let section = below.split("\n## ").next().unwrap_or_default();
    let quoted = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    let rows = section.lines().filter(|l| l.starts_with('|') && l.contains('`'));
    let rows: Vec<Vec<Vec<String>>> =
        rows.map(|l| l.trim_matches('|').split('|').map(quoted).collect()).collect();
    assert!(!rows.is_empty(), "{RULES}: no table below \"## {heading}\"");
    rows
}

#[test]
fn each_layer_uses_only_what_it_may() {
    let mut may: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in table("Layers") {
        let uses: BTreeSet<_> = row[1].iter().cloned().collect();
        for module in &row[0] {
            may.insert(module.clone(), uses.clone());
        }
    }
    let mut complaints = Vec::new();
    for source in ours() {
        let module = source.module();
        let layer = module[0];
        let Some(may) = may.get(layer) else {
            complaints.push(format!(
                "{}: the layer {layer} has no row in {RULES}, \"Layers\"",
                source.path
            ));
            continue;
        };
        if may.contains("all") {
            continue;
        }
        for (byte, used) in uses(&source) {
            if source.tests_at(byte) || used == layer || may.contains(used) {
                continue;
            }
            let place = at(&source.path, source.line_of(byte));
            complaints.push(format!(
                "{place}: {layer} may not use {used}; pass a plain value in, move the code, or \
                 change the table in {RULES} and say why in docs/decisions"
            ));
        }
        let ups = "super::".repeat(module.len());
        for (byte, _) in source.code.match_indices(&ups).filter(|(b, _)| !source.tests_at(*b)) {
            let place = at(&source.path, source.line_of(byte));
            complaints.push(format!("{place}: leaves its layer by super::; write crate:: instead"));
        }
    }
    none(complaints, "layers");
}

#[test]
fn imports_go_one_way() {
    let circles = Graph::of(&ours()).circles();
    let complaints = circles.iter().map(|circle| {
        format!("{}: move what both need into a file of its own, or pass it in", circle.join(", "))
    });
    none(complaints.collect(), "circles");
}

/// Modules of ours that a file names after `crate::`, also in braces.
fn uses(source: &Source) -> Vec<(usize, &str)> {
    let code = source.code.as_str();
    let ident = |from: usize| {
        let rest = &code[from..];
        &rest[..rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())]
    };
    let mut found = Vec::new();
    for byte in words(code, "crate").filter(|b| code[b + 5..].starts_with("::")) {
        let after = byte + 7;
        if !code[after..].starts_with('{') {
            found.push((byte, ident(after)));
            continue;
        }
        let (mut depth, mut fresh) = (0, true);
        for (i, c) in code[after..=closing(code, after).min(code.len() - 1)].char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => fresh = true,
                c if depth == 1 && fresh && c.is_alphabetic() => {
                    found.push((after + i, ident(after + i)));
                    fresh = false;
                }
                _ => {}
            }
        }
    }
    found
}

#[test]
fn thinking_only_reads() {
    let store = read("src/store/writes.rs");
    let writes = store.split("\n    fn ").skip(1);
    let writes: Vec<String> =
        writes.filter_map(|rest| Some(format!("store.{}(", rest.split('(').next()?))).collect();
    assert!(writes.contains(&"store.finish(".to_owned()), "the verbs that write: {writes:?}");
    let mut complaints = Vec::new();
    for source in sources(&["src/commands", "src/answer"]) {
        for (n, line) in source.lines() {
            if let Some(verb) = writes.iter().find(|verb| line.contains(verb.as_str())) {
                complaints.push(format!(
                    "{}: {verb}…) writes; return a model::effect::Effect instead",
                    at(&source.path, n)
                ));
            }
        }
    }
    none(complaints, "thinking");
}

#[test]
fn each_crate_stays_at_home() {
    let sources = ours();
    let mut complaints = Vec::new();
    for row in table("Crates and their homes") {
        for name in &row[0] {
            let word = name.replace('-', "_");
            for source in sources.iter().filter(|s| !s.is_test()) {
                let path = source.path.strip_prefix("src/").unwrap_or(&source.path);
                if row[1].iter().any(|home| {
                    path == home || home.ends_with('/') && path.starts_with(home.as_str())
                }) {
                    continue;
                }
                for byte in words(&source.code, &word).filter(|b| !source.tests_at(*b)) {
                    let used = source.code[byte + word.len()..].starts_with("::")
                        || source.code[..byte].ends_with("use ");
                    if used {
                        let place = at(&source.path, source.line_of(byte));
                        complaints.push(format!(
                            "{place}: {name} lives in {}; call that",
                            row[1].join(", ")
                        ));
                    }
                }
            }
        }
    }
    none(complaints, "external crates");
}

#[test]
fn requests_are_typed_as_the_rules_name_them() {
    let sources = ours();
    let mut complaints = Vec::new();
    for row in table("Typed requests") {
        let path = format!("src/{}", row[0][0]);
        let source = sources.iter().find(|s| s.path == path).expect("the file is there");
        let named = |word: &str| words(&source.code, word).any(|b| !source.tests_at(b));
        complaints.extend(
            row[1]
                .iter()
                .filter(|word| !named(word))
                .map(|word| format!("{path} does not use {word}; {RULES} says so")),
        );
        let used = source.code.split(|c: char| !c.is_alphanumeric() && c != '_');
        let params = used.filter(|word| word.len() > "Params".len() && word.ends_with("Params"));
        complaints.extend(
            params
                .filter(|word| !row[1].iter().any(|named| named == word))
                .map(|word| format!("{path} uses {word}; name it in {RULES}")),
        );
    }
    // Types of our own that can be written are how parameters would be typed by hand.
    for source in sources.iter().filter(|s| s.path.starts_with("src/telegram/")) {
        let by_hand = |line: &str| {
            line.contains("json!") || line.contains("derive(") && line.contains("Serialize")
        };
        complaints.extend(
            source.lines().filter(|(_, line)| by_hand(line)).map(|(n, _)| {
                format!("{}: parameters are frankenstein's types", at(&source.path, n))
            }),
        );
    }
    none(complaints, "typed requests");
}

#[test]
fn each_crate_is_used() {
    let manifest = read("Cargo.toml");
    let section = |name: &str| {
        let rest = manifest.split_once(&format!("\n[{name}]\n")).map_or("", |(_, rest)| rest);
        let lines = rest.lines().take_while(|l| !l.starts_with('['));
        let names = lines.filter_map(|l| Some(l.split_once('=')?.0.trim()));
        names.map(str::to_owned).collect::<Vec<_>>()
    };
    let (ours, all) = (ours(), sources(&["src", "tests", "examples"]));
    let mut complaints = Vec::new();
    for (names, sources) in [(section("dependencies"), &ours), (section("dev-dependencies"), &all)]
    {
        for name in names {
            let path = format!("{}::", name.replace('-', "_"));
            if !sources.iter().any(|s| s.code.contains(&path)) {
                complaints.push(format!("Cargo.toml: {name} is never named in code; remove it"));
            }
        }
    }
    none(complaints, "unused crates");
}

#[test]
fn each_file_says_what_it_is_for() {
    let silent = everything().into_iter().filter(|s| !s.text.starts_with("//! "));
    none(
        silent.map(|s| format!("{}:1: begin with `//! ` and one sentence", s.path)).collect(),
        "file openings",
    );
}

/// Fields of an event that hold a cause.
const CAUSES: &[&str] = &["error", "reason", "task"];

#[test]
fn warnings_and_errors_are_sentences_with_their_cause() {
    let mut complaints = Vec::new();
    for source in ours() {
        for level in ["tracing::warn!", "tracing::error!", "tracing::$level!"] {
            for (start, _) in source.code.match_indices(level) {
                let open = start + level.len();
                if source.tests_at(start) {
                    continue;
                }
                let event = &source.text[open..closing(&source.code, open)];
                let has = |cause: &&&str| {
                    let fields = event.split([',', '(']).map(|field| field.trim());
                    fields.clone().any(|field| field == **cause)
                        || event.contains(&format!("{cause} ="))
                };
                let cause = CAUSES.iter().find(has);
                // `journalctl -p warning` shows the message, and none of the fields.
                if let Some(cause) = cause.filter(|_| !event.contains('{')) {
                    complaints.push(format!(
                        "{}: the message does not say the field {cause}: write \"…: {{{cause}}}\"",
                        at(&source.path, source.line_of(start))
                    ));
                }
            }
        }
    }
    none(complaints, "events without their cause");
}

#[test]
fn files_are_short() {
    let mut complaints = Vec::new();
    for source in everything() {
        let (code, all) = (source.lines().count(), source.text.lines().count());
        if code > CODE_LINES {
            complaints.push(format!(
                "{}: {code} lines of code, at most {CODE_LINES}; split it by purpose",
                source.path
            ));
        } else if all > ALL_LINES {
            complaints.push(format!(
                "{}: {all} lines, at most {ALL_LINES}; move tests into a file of their own",
                source.path
            ));
        }
    }
    none(complaints, "lengths");
}

#[test]
fn nothing_is_left_undone() {
    let marks = ["TODO", "FIXME", concat!("X", "XX")];
    let mut complaints = Vec::new();
    for file in files(&[
        "src",
        "tests",
        "tools",
        "examples",
        "docs",
        "packaging",
        "README.md",
        "CHANGELOG.md",
    ]) {
        if file.path == "tests/tidy.rs" {
            continue;
        }
        for (n, line) in file.text.lines().enumerate() {
            if let Some(mark) = marks.iter().find(|mark| words(line, mark).next().is_some()) {
                complaints.push(format!(
                    "{}: {mark}; do it now, or describe it in an issue",
                    at(&file.path, n)
                ));
            }
        }
    }
    none(complaints, "unfinished work");
}

#[test]
fn production_code_does_not_know_tests() {
    let mut complaints = Vec::new();
    for source in sources(&["src", "tools"]) {
        for (n, line) in source.lines() {
            if line.contains("cfg!(test)") || line.contains("cfg(not(test))") {
                complaints.push(format!(
                    "{}: code that knows tests; pass the difference in",
                    at(&source.path, n)
                ));
            }
        }
    }
    none(complaints, "production code");
}

#[test]
fn every_invariant_has_its_test() {
    let sources = sources(&["src", "tests"]);
    let exists = |name: &str| {
        sources.iter().any(|s| words(&s.code, name).any(|b| s.code[..b].ends_with("fn ")))
    };
    let mut complaints = Vec::new();
    for row in table("Invariants") {
        for name in row[0].iter().filter(|name| !exists(name)) {
            complaints.push(format!(
                "{RULES}: {name}: no test of that name; write it, or correct the table"
            ));
        }
    }
    none(complaints, "invariants");
}

#[test]
fn every_test_file_is_run() {
    // Cargo does not look for them by itself here, because tests/bench would be taken for one.
    let manifest = read("Cargo.toml");
    let entries = std::fs::read_dir(source::top().join("tests")).expect("tests can be read");
    let names = entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned());
    let alone = names.filter(|name| name.ends_with(".rs"));
    let silent = alone.filter(|name| !manifest.contains(&format!("path = \"tests/{name}\"")));
    let remedy = |name| format!("tests/{name}: name it in Cargo.toml as a [[test]]");
    none(silent.map(remedy).collect(), "test files");
}

#[test]
fn the_top_is_uncluttered() {
    let entries = std::fs::read_dir(source::top()).expect("the top can be read").flatten();
    let names = entries.map(|e| e.file_name().to_string_lossy().into_owned());
    let odd = names.filter(|n| !n.starts_with('.') && !TOP.contains(&n.as_str()));
    none(
        odd.map(|n| format!("{n}: move it into docs, tools, packaging, examples or tests"))
            .collect(),
        "top level",
    );
}

#[test]
fn nothing_names_the_machine_it_was_written_on() {
    // In pieces, so that this file does not hold them itself.
    let foreign = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/Us", "ers/"),
        concat!(".inte", "rnal/"),
    ];
    let mut complaints = Vec::new();
    let folders = [
        "src",
        "tests",
        "tools",
        "examples",
        "docs",
        "packaging",
        ".ci",
        "Cargo.toml",
        "deny.toml",
        "README.md",
        "CHANGELOG.md",
    ];
    for file in files(&folders) {
        for (n, line) in file.text.lines().enumerate() {
            if let Some(word) = foreign.iter().find(|word| line.contains(**word)) {
                complaints.push(format!(
                    "{}: {word} means nothing elsewhere; use a relative path",
                    at(&file.path, n)
                ));
            }
        }
    }
    let lock = read("Cargo.lock");
    let sources = lock.lines().enumerate().filter(|(_, l)| l.starts_with("source = "));
    for (n, line) in sources
        .filter(|(_, l)| !l.contains("registry+https://github.com/rust-lang/crates.io-index"))
    {
        complaints
            .push(format!("{}: {line}; crates come from crates.io only", at("Cargo.lock", n)));
    }
    none(complaints, "foreign places");
}
