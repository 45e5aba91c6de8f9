//! The built-in pages (`examples/knowledge`) name only what exists.
//!
//! An offline bot quotes these pages to its users, so everything in backticks is held against the
//! real thing: commands and flags against clap, slash commands against their table, units and files
//! against what the package installs, keys, variables, paths and findings against their pages, which
//! other tests hold against the program. What cannot be checked is listed below, with its reason.

#[allow(dead_code, reason = "tests/tidy.rs needs the rest")]
mod source;

use std::collections::BTreeSet;

use clap::error::ErrorKind;
use source::{at, files, read, top};

const PAGES: &str = "examples/knowledge";

/// Words in backticks that name nothing of ours, and why they are there.
const OTHERS: &[(&str, &str)] = &[
    ("-", "standard output, as FILE"),
    ("-wal", "the end of a file's name, by SQLite"),
    ("/newbot", "a command of BotFather"),
    ("/usr/local/bin", "a folder of every Debian"),
    ("123…:…XYZ", "a masked token"),
    ("K7QM-2XWD", "a claim code"),
    ("KATANA_<SECTION>_<KEY>", "the form of all variables"),
    ("bot", "the end of every bot's username"),
    ("deleteWebhook", "a method of the Bot API"),
    ("df -h", "a command of every Debian"),
    ("journalctl --vacuum-size=200M", "a command of every systemd"),
    ("/var/lib/katana-bot/backups", "the default of backup.dir"),
    ("/etc/katana-bot/check-heartbeat.d", "the drop-ins of check-heartbeat.toml(5)"),
    ("check-heartbeat.d", "likewise"),
    ("debug", "a value of log.level"),
    ("info", "a value of log.level"),
    ("webhook", "a type of the checker's channels"),
    ("echo:", "what the provider echo answers with"),
    ("http://127.0.0.1:8080", "the default of web.listen"),
    ("http://127.0.0.1:8080/v1", "the address of llama.cpp"),
    ("target/release/katana-bot", "made by cargo build"),
];

/// What the pages may be held against, read once.
struct Real {
    configuration: String,
    http: String,
    runbook: String,
    operations: String,
    /// Units, package scripts and the list of installed files.
    installed: String,
}

impl Real {
    fn new() -> Self {
        let packaging = files(&["packaging/systemd", "packaging/debian"]);
        let mut installed = read("Cargo.toml");
        for file in packaging {
            installed.push_str(&file.text.replace("%i", "staging"));
        }
        Self {
            configuration: read("docs/configuration.md"),
            http: read("docs/http.md"),
            runbook: read("docs/runbook.md"),
            operations: read("docs/operations.md")
                + &read("docs/setup.md")
                + &read("docs/runbook.md"),
            installed,
        }
    }

    /// What is wrong with a piece of text in backticks.
    fn wrong(&self, span: &str) -> Option<String> {
        if OTHERS.iter().any(|(other, _)| *other == span) {
            return None;
        }
        let words: Vec<&str> = span.split(' ').collect();
        let words = words.strip_prefix(&["sudo"]).unwrap_or(&words);
        match words {
            ["katana-bot", ..] => parsed(katana::cli::command(), words),
            ["check-heartbeat", ..] => parsed(check_heartbeat::cli::command(), words),
            [flag] if flag.starts_with("--") => flag_exists(flag),
            ["systemctl", .., unit] => unit_exists(unit),
            ["journalctl", "-u", unit, ..] => unit_exists(unit),
            ["apt", verb, ..] => {
                let known = ["install", "remove", "purge"].contains(verb);
                (!known).then(|| "no such verb of apt".to_owned())
            }
            ["cargo", rest @ ..] => cargo(rest),
            [first, ..] if first.starts_with('/') => self.slash(first),
            _ => self.named(span),
        }
    }

    /// A slash command, a path of the HTTP endpoint, or an installed file or folder.
    fn slash(&self, path: &str) -> Option<String> {
        let word = path[1..].split('@').next().unwrap_or_default();
        let command = katana::commands::table().iter().any(|c| c.name == word);
        let endpoint = self.http.contains(&format!("| `GET {path}` |"));
        let state = path.strip_prefix("/var/lib/").map(|name| format!("StateDirectory={name}"));
        let installed = (path.starts_with("/etc/") || path.starts_with("/usr/share/"))
            && self.installed.contains(&path[1..])
            || state.is_some_and(|line| self.installed.lines().any(|l| l == line));
        let known = command || endpoint || installed;
        (!known).then(|| "no such command, path of the endpoint, or installed file".to_owned())
    }

    /// A key, a variable, a credential, a provider, a finding, a unit, a subcommand or a file.
    fn named(&self, span: &str) -> Option<String> {
        let key = span.split(" = ").next().unwrap_or_default();
        let quoted = |page: &str, name: &str| page.contains(&format!("`{name}`"));
        let variable = span.split('=').next().unwrap_or_default();
        let heading = |page: &str, text: &str| page.lines().any(|line| line == text);
        let exists = heading(&self.configuration, &format!("#### `{key}`"))
            || heading(&self.configuration, &format!("#### `bot.{key}`"))
            || heading(&self.configuration, &format!("### `{span}`"))
            || heading(&self.runbook, &format!("## {span}"))
            || quoted(&self.configuration, variable)
            || quoted(&self.operations, span)
            || span.ends_with('=') && self.installed.contains(&format!("\n{span}"))
            || span.starts_with("katana-bot") && unit_exists(span).is_none()
            || katana::cli::command().find_subcommand(span).is_some()
            || top().join(span).exists()
            || top().join("docs").join(span).exists();
        (!exists).then(|| {
            "nothing of this name; correct it, or list it in OTHERS with the reason".to_owned()
        })
    }
}

/// Lets clap read a command line; words in capitals stand for values, and may be left out.
fn parsed(command: clap::Command, words: &[&str]) -> Option<String> {
    let error = command.try_get_matches_from(words).err()?;
    let incomplete = [
        ErrorKind::MissingRequiredArgument,
        ErrorKind::MissingSubcommand,
        ErrorKind::DisplayVersion,
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
    ];
    (!incomplete.contains(&error.kind())).then(|| error.to_string().replace('\n', " "))
}

fn flag_exists(flag: &str) -> Option<String> {
    fn has(command: &clap::Command, name: &str) -> bool {
        command.get_arguments().any(|a| a.get_long() == Some(name))
            || command.get_subcommands().any(|c| has(c, name))
    }
    let name = flag.trim_start_matches("--");
    let known = has(&katana::cli::command(), name) || has(&check_heartbeat::cli::command(), name);
    (!known).then(|| "neither program has such a flag".to_owned())
}

/// `name`, `name.kind` and `name@instance` are files of `packaging/systemd`.
fn unit_exists(unit: &str) -> Option<String> {
    let (name, kind) = unit.rsplit_once('.').unwrap_or((unit, "service"));
    let name = name.split_once('@').map_or(name.to_owned(), |(name, _)| format!("{name}@"));
    let path = format!("packaging/systemd/{name}.{kind}");
    (!top().join(&path).exists()).then(|| format!("there is no {path}"))
}

fn cargo(words: &[&str]) -> Option<String> {
    let example = words.iter().skip_while(|word| **word != "--example").nth(1);
    let known = ["build", "run"].contains(&words[0])
        && example.is_none_or(|name| top().join(format!("examples/{name}.rs")).exists());
    (!known).then(|| "no such command of cargo, or no such example".to_owned())
}

/// What stands in backticks, with its place.
fn spans() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for page in files(&[PAGES]) {
        for (n, line) in page.text.lines().enumerate() {
            let spans = line.split('`').skip(1).step_by(2);
            found.extend(spans.map(|span| (at(&page.path, n), span.to_owned())));
        }
    }
    found
}

#[test]
fn everything_that_the_pages_name_exists() {
    let (real, spans) = (Real::new(), spans());
    assert!(spans.len() > 200, "the pages are read: {}", spans.len());
    let wrong = spans
        .iter()
        .filter_map(|(place, span)| Some(format!("{place}: `{span}`: {}", real.wrong(span)?)));
    let wrong: Vec<_> = wrong.collect();
    assert!(wrong.is_empty(), "built-in pages:\n  {}\n", wrong.join("\n  "));
}

#[test]
fn what_does_not_exist_is_noticed() {
    let real = Real::new();
    for span in [
        "katana-bot bakcup FILE",
        "katana-bot backup --verify FILE",
        "check-heartbeat --test-alarm",
        "--non-existent",
        "systemctl reload katana",
        "katana-bot-checker.timer",
        "/forgets",
        "/healthy",
        "/etc/katana/katana-bot.toml",
        "/usr/share/katana/monitoring",
        "/var/lib/katana",
        "docs/runbooks.md",
        "store.paths",
        "KATANA_STORE_PATHS",
        "config_reject",
        "sqlite3 katana.db .backup",
        "ath",
    ] {
        assert!(real.wrong(span).is_some(), "{span} passes");
    }
}

#[test]
fn every_exception_is_needed() {
    let used: BTreeSet<String> = spans().into_iter().map(|(_, span)| span).collect();
    let idle = OTHERS.iter().filter(|(other, _)| !used.contains(*other));
    let idle: Vec<_> = idle.map(|(other, _)| other).collect();
    assert!(idle.is_empty(), "no page names these; take them out of OTHERS: {idle:?}");
}

#[test]
fn the_pages_name_every_subcommand() {
    let page = read(&format!("{PAGES}/katana.md"));
    let command = katana::cli::command();
    // Hidden ones are for units, not for people.
    for command in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        let name = format!("`{}`", command.get_name());
        assert!(page.contains(&name), "{PAGES}/katana.md does not name {name}");
    }
}
