//! The documentation says what the program does.
//!
//! `KATANA_TEST_WRITE=1` writes the generated parts instead of comparing them.

#![allow(clippy::disallowed_methods, reason = "tests may start and write what they want")]

#[allow(dead_code, reason = "tests/tidy.rs needs the rest")]
mod source;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use heartbeat::Reason;
use katana::config::reference;
use katana::observe::finding::Kind;
use source::{File, Source, closing, files, read, sources};

/// Encloses the generated part of `docs/configuration.md`.
const BEGIN: &str = "<!-- keys: begin -->\n";
const END: &str = "<!-- keys: end -->";

/// Why `check-heartbeat` alerts although the daemon does not say that it fails.
const NO_HEARTBEAT: &[Reason] = &[
    Reason::Missing,
    Reason::Empty,
    Reason::Unreadable,
    Reason::Garbled,
    Reason::Stale,
    Reason::Future,
    Reason::PreviousBoot,
    Reason::StoppedLong,
    Reason::Ended,
    Reason::Unreachable,
];

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Compares a file with what it should be, or writes it.
fn expect(name: &str, wanted: &str) {
    if std::env::var_os("KATANA_TEST_WRITE").is_some() {
        std::fs::write(file(name), wanted).expect("the file can be written");
        return;
    }
    let found = std::fs::read_to_string(file(name)).expect(name);
    assert!(found == wanted, "{name} is out of date: KATANA_TEST_WRITE=1 cargo test --test docs");
}

#[test]
fn the_configuration_page_documents_every_key() {
    let name = "docs/configuration.md";
    let page = std::fs::read_to_string(file(name)).expect(name);
    let (before, rest) = page.split_once(BEGIN).expect("the mark at the beginning");
    let (_, after) = rest.split_once(END).expect("the mark at the end");
    expect(name, &format!("{before}{BEGIN}\n{}{END}{after}", reference::markdown()));
}

#[test]
fn the_operations_page_lists_every_key_that_needs_a_restart() {
    let (name, begin, end) =
        ("docs/operations.md", "<!-- restart: begin -->\n", "<!-- restart: end -->");
    let page = read(name);
    let (before, rest) = page.split_once(begin).expect("the mark at the beginning");
    let (_, after) = rest.split_once(end).expect("the mark at the end");
    let table = reference::restart_markdown();
    expect(name, &format!("{before}{begin}\n{table}\n{end}{after}"));
}

#[test]
fn the_packaged_configuration_lists_every_key() {
    expect("packaging/katana-bot.toml", &reference::template());
}

/// Fails with all complaints at once.
fn none(complaints: Vec<String>, rule: &str) {
    assert!(complaints.is_empty(), "{rule}:\n  {}\n", complaints.join("\n  "));
}

fn pages() -> Vec<File> {
    let all = files(&["README.md", "CHANGELOG.md", "docs"]);
    all.into_iter().filter(|f| f.path.ends_with(".md")).collect()
}

#[test]
fn every_chat_command_is_documented() {
    let page = read("docs/commands.md");
    let mut complaints = Vec::new();
    for command in katana::commands::table() {
        // In a table, a bar inside of code needs a backslash.
        let row = format!("| `{}` |", command.usage.replace('|', "\\|"));
        if !page.lines().any(|line| line.starts_with(&row)) {
            complaints.push(format!(
                "docs/commands.md: no row \"{row} …\" in the table of commands; it does: {}",
                command.help
            ));
        }
    }
    none(complaints, "chat commands");
}

#[test]
fn every_finding_has_its_page_in_the_runbook() {
    let page = read("docs/runbook.md");
    let told: BTreeSet<&str> = page.lines().filter_map(|l| l.strip_prefix("## ")).collect();
    let sources = sources(&["src"]);
    let mut known = BTreeSet::new();
    let mut complaints = Vec::new();
    for source in &sources {
        for (byte, mark) in source.text.match_indices("finding = \"") {
            let rest = &source.text[byte + mark.len()..];
            let name = rest.split('"').next().unwrap_or_default();
            known.insert(name);
            if !told.contains(name) && !source.tests_at(byte) {
                let place = source::at(&source.path, source.line_of(byte));
                complaints.push(format!("{place}: {name} has no heading in docs/runbook.md"));
            }
        }
    }
    // What the supervisor finds, and what the checker says when there is no good heartbeat.
    let judged = Kind::ALL.iter().map(|kind| kind.name());
    for name in judged.chain(NO_HEARTBEAT.iter().map(|reason| reason.word())) {
        known.insert(name);
        if !told.contains(name) {
            complaints.push(format!("docs/runbook.md: {name} has no heading"));
        }
    }
    let stale = told.difference(&known);
    complaints.extend(stale.map(|name| {
        format!("docs/runbook.md: \"## {name}\" is not a finding; remove or rename it")
    }));
    none(complaints, "findings");
}

#[test]
fn every_field_of_the_log_is_documented() {
    let page = read("docs/logging.md");
    let mut complaints = Vec::new();
    for source in sources(&["src"]) {
        for (byte, field) in fields(&source) {
            let shown = format!("| `{field}` | `{}` |", field.to_uppercase());
            if !page.contains(&shown) {
                let place = source::at(&source.path, source.line_of(byte));
                complaints.push(format!("{place}: no row \"{shown}\" in docs/logging.md"));
            }
        }
    }
    none(complaints, "fields of the log");
}

/// Names of fields in `tracing` events outside of tests, with their places.
fn fields(source: &Source) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for level in ["error", "warn", "info", "debug", "trace"] {
        for (byte, mark) in source.code.match_indices(&format!("tracing::{level}!(")) {
            let open = byte + mark.len() - 1;
            let inside = &source.code[open + 1..closing(&source.code, open)];
            for argument in arguments(inside) {
                let argument = argument.trim();
                if argument.starts_with('"') {
                    break;
                }
                let name = argument.split('=').next().unwrap_or_default();
                let name = name.trim().trim_start_matches(['%', '?']);
                if !source.tests_at(byte) && !name.is_empty() {
                    found.push((byte, name.to_owned()));
                }
            }
        }
    }
    found
}

/// Splits at commas outside of brackets.
fn arguments(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut from) = (Vec::new(), 0, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[from..]);
    parts
}

#[test]
fn links_lead_somewhere() {
    let mut complaints = Vec::new();
    for page in pages() {
        for (n, line) in page.text.lines().enumerate() {
            let links = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
            for link in links.filter(|l| !l.contains("://") && !l.starts_with("mailto:")) {
                if let Err(why) = follow(&page.path, link) {
                    complaints.push(format!("{}: {link}: {why}", source::at(&page.path, n)));
                }
            }
        }
    }
    none(complaints, "links");
}

#[test]
fn files_that_the_design_names_exist() {
    let ours: Vec<String> = files(&["src", "tests", "tools", "packaging", "examples", "docs"])
        .into_iter()
        .map(|file| format!("/{}", file.path))
        .collect();
    let mut complaints = Vec::new();
    for page in files(&["docs/architecture.md", "docs/extending.md", "docs/decisions"]) {
        for (n, line) in page.text.lines().enumerate() {
            for name in line.split('`').skip(1).step_by(2).filter(|name| is_path(name)) {
                // `provider/http.rs` and `http.rs` are `src/provider/http.rs`; `web/` is a folder.
                let folder = format!("/{}/", name.trim_end_matches('/'));
                let found = file(name).exists()
                    || ours.iter().any(|o| o.contains(&folder) || o.ends_with(&format!("/{name}")));
                if !found {
                    complaints.push(format!("{}: no file {name}", source::at(&page.path, n)));
                }
            }
        }
    }
    none(complaints, "files named in the design");
}

/// Whether a piece of code in a page is the name of a file or folder of ours, not a route of the
/// endpoint, a file of the system, or a place to fill in such as `src/provider/NAME.rs`.
fn is_path(code: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_./-".contains(c);
    let ours = code.contains('/') || [".rs", ".py", ".toml"].iter().any(|end| code.ends_with(end));
    ours && !code.starts_with('/') && code.chars().all(plain)
}

fn follow(from: &str, link: &str) -> Result<(), &'static str> {
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let folder = Path::new(from).parent().unwrap_or(Path::new(""));
    let target = if path.is_empty() { file(from) } else { file("").join(folder).join(path) };
    if !target.exists() {
        return Err("there is no such file");
    }
    if anchor.is_empty() {
        return Ok(());
    }
    let text = std::fs::read_to_string(target).map_err(|_| "the file cannot be read")?;
    let headings = text.lines().filter(|l| l.starts_with('#'));
    let found = headings.map(|l| slug(l.trim_start_matches('#').trim())).any(|s| s == anchor);
    if found { Ok(()) } else { Err("there is no such heading") }
}

/// A heading's anchor, as code hosts write it.
fn slug(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The subcommands that `--help` lists.
fn subcommands(of: &[&str]) -> Vec<String> {
    let mut help = Command::new(env!("CARGO_BIN_EXE_katana-bot"));
    let output = help.args(of).arg("--help").output().expect("katana-bot runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let list = text.lines().skip_while(|l| *l != "Commands:").skip(1);
    let rows = list.take_while(|l| l.starts_with("  "));
    let names = rows.filter_map(|l| l.split_whitespace().next()).filter(|name| *name != "help");
    let names: Vec<_> = names.map(str::to_owned).collect();
    assert!(!names.is_empty(), "no commands in {text}");
    names
}

#[test]
fn every_subcommand_is_documented() {
    let page = read("docs/commands.md");
    let all = subcommands(&[]).into_iter();
    let of_users = subcommands(&["users"]).into_iter().map(|name| format!("users {name}"));
    let missing = all.chain(of_users).filter(|name| !page.contains(&format!("`katana-bot {name}")));
    let complaints = missing.map(|name| format!("docs/commands.md: no row for katana-bot {name}"));
    none(complaints.collect(), "subcommands");
}

#[test]
fn every_exit_code_is_documented() {
    use katana::cli::exit::*;
    let page = read("docs/operations.md");
    let codes = [USAGE, UNREADABLE, UNAVAILABLE, SOFTWARE, TEMPFAIL, CONFIG];
    let missing = codes.iter().filter(|code| !page.contains(&format!("| {code} |")));
    none(missing.map(|c| format!("docs/operations.md: no row for {c}")).collect(), "exit codes");
}

#[test]
fn every_dependency_has_its_reason() {
    let page = read("docs/decisions/0001-dependencies.md");
    let manifests: Vec<File> = files(&["Cargo.toml", "tools"])
        .into_iter()
        .filter(|f| f.path.ends_with("Cargo.toml"))
        .collect();
    assert!(manifests.len() > 1, "the crates in tools have manifests of their own");
    let rows: BTreeSet<&str> =
        page.lines().filter_map(|l| l.strip_prefix("| `")?.split('`').next()).collect();
    let mut known = BTreeSet::new();
    let mut complaints = Vec::new();
    for File { path, text } in manifests {
        let manifest: toml::Table = text.parse().expect("a manifest is TOML");
        for table in ["dependencies", "dev-dependencies"] {
            let crates = manifest.get(table).and_then(toml::Value::as_table);
            for name in crates.into_iter().flat_map(toml::Table::keys) {
                if !rows.contains(name.as_str()) {
                    complaints.push(format!(
                        "{path}: {name} has no row in docs/decisions/0001-dependencies.md"
                    ));
                }
                known.insert(name.clone());
            }
        }
    }
    let gone = rows.iter().filter(|row| !known.contains(**row));
    complaints.extend(gone.map(|row| {
        format!("docs/decisions/0001-dependencies.md: {row} is in no Cargo.toml; remove its row")
    }));
    none(complaints, "dependencies");
}

#[test]
fn tests_that_the_threat_model_names_exist() {
    let (path, mut names, mut complaints) = ("docs/threat-model.md", 0, Vec::new());
    let code: String =
        files(&["src", "tests", "tools"]).into_iter().map(|file| file.text).collect();
    let rows = read(path);
    let rows = rows.lines().filter(|line| line.starts_with("| ") && line.matches('|').count() == 3);
    // The last cell; the first may hold commands.
    for row in rows {
        let tests = row.trim_end_matches(" |").rsplit(" | ").next().unwrap_or_default();
        for name in tests.split('`').skip(1).step_by(2) {
            names += 1;
            if !["fn", "def"].iter().any(|word| code.contains(&format!("{word} {name}("))) {
                complaints.push(format!("{path}: there is no test {name}"));
            }
        }
    }
    assert!(names > 50, "{names} names of tests were found");
    none(complaints, "the threat model");
}

#[test]
fn the_readme_begins_with_its_two_commands() {
    let readme = read("README.md");
    let block = readme.split("```").nth(1).unwrap_or_default();
    let commands: Vec<&str> = block.lines().skip(1).filter(|l| !l.is_empty()).collect();
    let wanted = ["cargo run --example demo", "cargo test --workspace"];
    assert_eq!(commands, wanted, "README.md: the first block holds the two commands alone");
}

/// Who looks for a bot decides by the first screen, and reads no more than this.
#[test]
fn the_readme_is_short() {
    let words = read("README.md").split_whitespace().count();
    assert!(words < 900, "README.md: {words} words; move what is not for newcomers into docs");
}

/// What is right below the title, before anything has to be scrolled or run.
#[test]
fn the_first_screen_of_the_readme_says_what_it_is_and_for_whom() {
    let readme = read("README.md");
    let (first, _) = readme.split_once("\n## ").expect("a section");
    for part in [
        "docs/pictures/demo-",
        "| Status |",
        "| Runs on |",
        "| Licence |",
        "| Help |",
        "| Vulnerabilities |",
        "**Use it if**",
        "**Use something else if**",
    ] {
        assert!(first.contains(part), "README.md: {part} is not on the first screen");
    }
}

#[test]
fn all_pages_are_in_the_index() {
    let index = read("docs/index.md");
    let pages = files(&["docs"])
        .into_iter()
        .filter_map(|f| f.path.strip_prefix("docs/").map(str::to_owned));
    let pages =
        pages.filter(|name| name.ends_with(".md") && !name.contains('/') && name != "index.md");
    let missing = pages.filter(|name| !index.contains(&format!("({name})")));
    none(missing.map(|name| format!("docs/index.md: {name} is missing")).collect(), "pages");
}

/// A file with this between its marks of the project's addresses.
fn with_addresses(name: &str, text: &str) -> String {
    let (begin, end) = ("<!-- project: begin -->\n", "<!-- project: end -->");
    let page = read(name);
    let (before, rest) = page.split_once(begin).expect("the mark at the beginning");
    let (_, after) = rest.split_once(end).expect("the mark at the end");
    format!("{before}{begin}{text}{end}{after}")
}

/// A file with the one line that begins so replaced.
fn with_line(text: &str, begin: &str, line: &str) -> String {
    let old = text.lines().filter(|line| line.starts_with(begin)).collect::<Vec<_>>();
    assert_eq!(old.len(), 1, "{begin}");
    text.replace(old[0], line)
}

/// The project's home, its mailboxes and where people get help stand in one file. So a publisher changes one.
#[test]
fn the_addresses_of_the_project_are_those_of_one_file() {
    let project: toml::Table = read("packaging/project.toml").parse().expect("TOML");
    let of = |key: &str| project[key].as_str().expect(key).to_owned();
    let (home, help, bugs, security) = (of("home"), of("help"), of("bugs"), of("security"));
    let (version, minor) = (env!("CARGO_PKG_VERSION"), env!("CARGO_PKG_RUST_VERSION"));
    let rows = [
        ("Status", format!("{version}, in development; updates migrate the state by themselves")),
        (
            "Runs on",
            format!(
                "Debian 12 and 13 (package), [containers](docs/deploy/README.md), any Linux with Rust {minor}"
            ),
        ),
        ("Licence", "Apache-2.0 or MIT".to_owned()),
        ("Help", format!("[discussions]({help}), [bugs]({bugs})")),
        (
            "Vulnerabilities",
            format!("privately to <{security}>: [how](docs/security.md#report-a-vulnerability)"),
        ),
    ];
    let rows = rows.map(|(name, value)| format!("| {name} | {value} |\n")).concat();
    expect("README.md", &with_addresses("README.md", &format!("\n| | |\n|---|---|\n{rows}\n")));
    let words = format!(
        "\nWrite to <{security}>, not to the [public tracker]({bugs}). Say which version it is \
         (`katana-bot --version`), what an attacker needs, and what they gain. \
         Leave tokens, keys and other people's messages out.\n\n"
    );
    expect("docs/security.md", &with_addresses("docs/security.md", &words));
    let cargo = read("Cargo.toml");
    let cargo = with_line(&cargo, "homepage = ", &format!("homepage = \"{home}\""));
    let maintainer = format!("maintainer = \"{}\"", of("maintainer"));
    expect("Cargo.toml", &with_line(&cargo, "maintainer = ", &maintainer));
    let copyright =
        with_line(&read("packaging/debian/copyright"), "Source: ", &format!("Source: {home}"));
    expect("packaging/debian/copyright", &copyright);
    for (name, wanted) in
        [("docs/man/katana-bot.8", &bugs), ("docs/man/check-heartbeat.8", &security)]
    {
        assert!(read(name).contains(wanted), "{name}: KATANA_TEST_WRITE=1 cargo test --test man");
    }
    let newest = read("packaging/debian/changelog");
    let signed = newest.lines().find(|line| line.starts_with(" -- ")).expect("a signature");
    assert!(signed.contains(&of("maintainer")), "packaging/debian/changelog: {signed}");
    // Whatever else names one, such as the label of an image, names one of these.
    let known = [home, help, bugs, security, of("maintainer")];
    let labels = [
        "org.opencontainers.image.url",
        "org.opencontainers.image.source",
        "org.opencontainers.image.documentation",
        "org.opencontainers.image.authors",
    ];
    for file in files(&["packaging", ".ci", "docs", "examples"]) {
        for line in file.text.lines().filter(|line| labels.iter().any(|label| line.contains(label)))
        {
            assert!(
                known.iter().any(|address| line.contains(address.as_str())),
                "{}: {line}",
                file.path
            );
        }
    }
}

/// On call, the same questions have their answers at the same places, and a symptom leads to its entry.
#[test]
fn every_entry_of_the_runbook_says_impact_cause_and_fix_and_is_found_by_symptom() {
    let page = read("docs/runbook.md");
    let (_, index) = page.split_once("# By symptom\n").expect("the index");
    let (index, _) = index.split_once("\n# ").expect("its end");
    let mut complaints = Vec::new();
    for entry in page.split("\n## ").skip(1) {
        let name = entry.lines().next().unwrap_or_default();
        let entry = entry.split("\n# ").next().unwrap_or_default();
        let labels: Vec<&str> = ["**Impact:**", "**Cause:**", "**Fix:**"].into();
        let places: Vec<Option<usize>> = labels.iter().map(|label| entry.find(label)).collect();
        if !places.is_sorted() || places[0].is_none() {
            complaints.push(format!("{name}: it has not {}, in this order", labels.join(", ")));
        }
        if !index.contains(&format!("(#{name})")) {
            complaints.push(format!("{name}: no symptom leads to it"));
        }
    }
    none(complaints, "docs/runbook.md");
}
