//! The journal catalog: every event with a message id has one text, the text agrees with the program
//! and the documentation, and systemd takes it.
//!
//! `KATANA_TEST_WRITE=1` writes the table of `docs/logging.md` and the findings' rules for Prometheus instead of
//! comparing them. What
//! `journalctl -x` really shows is in `tests/system`.

#![allow(clippy::disallowed_methods, reason = "tests may start and write what they want")]

#[allow(dead_code, reason = "tests/tidy.rs needs the rest")]
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use katana::observe::catalog::JournalEvent;
use katana::observe::finding::{Kind, Severity};
use source::{closing, read, sources, top, words};

const CATALOG: &str = "packaging/catalog/katana-bot.catalog";

/// Where the package puts `docs/*.md`.
const DOCS: &str = "file:///usr/share/doc/katana-bot/";

/// `journalctl -x` shows the text as it is, after a mark of three columns.
const WIDTH: usize = 77;

/// One text of the catalog.
struct Text {
    id: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Text {
    fn all(&self, header: &str) -> Vec<&str> {
        let headers = self.headers.iter().filter(|(name, _)| name == header);
        headers.map(|(_, value)| value.as_str()).collect()
    }

    fn subject(&self) -> &str {
        let all = self.all("Subject");
        assert_eq!(all.len(), 1, "subjects of {}", self.id);
        all[0]
    }

    /// The fields of the line that stand in the text.
    fn fields(&self) -> BTreeSet<String> {
        let whole = format!("{}\n{}", self.subject(), self.body);
        let is_field = |w: &&str| w.chars().all(|c| c.is_ascii_uppercase() || c == '_');
        let parts = whole.split('@').skip(1).filter(|w| !w.is_empty()).filter(is_field);
        parts.map(str::to_lowercase).collect()
    }
}

/// The texts, as they are written (<https://systemd.io/CATALOG/>).
fn texts() -> Vec<Text> {
    let catalog = read(CATALOG);
    catalog
        .split("\n-- ")
        .skip(1)
        .map(|block| {
            let (id, rest) = block.split_once('\n').expect("an id and a text");
            let (head, body) = rest.split_once("\n\n").expect("headers, a blank line, a text");
            let headers = head.lines().map(|line| {
                let (name, value) = line.split_once(": ").expect(line);
                (name.to_owned(), value.to_owned())
            });
            Text { id: id.to_owned(), headers: headers.collect(), body: body.to_owned() }
        })
        .collect()
}

/// Each entry with its text.
fn pairs() -> Vec<(JournalEvent, Text)> {
    let mut texts: BTreeMap<String, Text> =
        texts().into_iter().map(|text| (text.id.clone(), text)).collect();
    let pair = |entry: JournalEvent| {
        (
            entry,
            texts
                .remove(entry.id())
                .unwrap_or_else(|| panic!("{CATALOG}: no text for {}", entry.name())),
        )
    };
    JournalEvent::all().map(pair).collect()
}

/// Fails with all complaints at once.
fn none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "{CATALOG}:\n  {}\n", complaints.join("\n  "));
}

#[test]
fn every_entry_has_one_text() {
    let known: BTreeMap<&str, &str> = JournalEvent::all().map(|e| (e.id(), e.name())).collect();
    let mut seen = BTreeSet::new();
    let mut complaints = Vec::new();
    for text in texts() {
        if !known.contains_key(text.id.as_str()) {
            complaints.push(format!("{}: src/observe/catalog.rs does not know it", text.id));
        }
        if !seen.insert(text.id.clone()) {
            complaints.push(format!("{}: stands there twice", text.id));
        }
    }
    let missing = known.iter().filter(|(id, _)| !seen.contains(**id));
    complaints.extend(missing.map(|(id, name)| format!("{id} ({name}): no text")));
    none(complaints);
}

#[test]
fn every_entry_is_logged_with_the_fields_of_its_text() {
    let sources = sources(&["src"]);
    let mut complaints = Vec::new();
    for (entry, text) in pairs() {
        // All findings are logged by one line.
        let variant = if matches!(entry, JournalEvent::Opened(_)) {
            assert!(text.fields().is_empty(), "{}", entry.name());
            "Opened".to_owned()
        } else {
            format!("{entry:?}")
        };
        let mut calls = 0;
        for source in sources.iter().filter(|s| s.path != "src/observe/catalog.rs") {
            for at in words(&source.code, &format!("JournalEvent::{variant}")) {
                calls += 1;
                let begin = source.code[..at].rfind("tracing::").unwrap_or(0);
                let open = begin + source.code[begin..].find('(').unwrap_or(0);
                let call = &source.code[open..closing(&source.code, open).max(open)];
                for field in text.fields().iter().filter(|f| words(call, f).next().is_none()) {
                    let line = source.line_of(at) + 1;
                    complaints.push(format!("@{field}@: {}:{line} has none", source.path));
                }
            }
        }
        if calls == 0 {
            complaints.push(format!("JournalEvent::{variant} is never logged"));
        }
    }
    none(complaints);
}

#[test]
fn texts_name_what_exists() {
    let keys = katana::config::keys();
    let keys: BTreeSet<&str> = keys.iter().map(katana::config::Key::path).collect();
    let sections: BTreeSet<&str> = keys.iter().filter_map(|k| k.split('.').next()).collect();
    let mut complaints = Vec::new();
    for (entry, text) in pairs() {
        let name = entry.name();
        if text.all("Defined-By") != ["katana-bot"] {
            complaints.push(format!("{name}: no \"Defined-By: katana-bot\""));
        }
        let links = text.all("Documentation");
        if links.is_empty() {
            complaints.push(format!("{name}: no documentation"));
        }
        complaints.extend(links.iter().filter_map(|l| Some(format!("{name}: {}", broken(l)?))));
        if let JournalEvent::Opened(kind) = entry {
            let page = format!("{DOCS}runbook.md#{}", kind.name());
            if !text.subject().ends_with(&format!(" ({})", kind.name())) || links != [page] {
                complaints.push(format!("{name}: neither its subject nor its link may hide it"));
            }
        }
        if let Some(long) = text.body.lines().find(|line| line.chars().count() > WIDTH) {
            complaints.push(format!("{name}: longer than {WIDTH} columns: {long}"));
        }
        for word in text.body.split(|c: char| !c.is_ascii_alphanumeric() && !"._".contains(c)) {
            let word = word.trim_end_matches('.');
            let section = word.split_once('.').map(|(section, _)| section);
            if section.is_some_and(|s| sections.contains(s)) && !keys.contains(word) {
                complaints.push(format!("{name}: there is no key {word}"));
            }
        }
    }
    none(complaints);
}

/// What is wrong with a link to the documentation.
fn broken(link: &str) -> Option<String> {
    if let Some(page) = link.strip_prefix("man:") {
        let path = format!("docs/man/{}", page.replace('(', ".").trim_end_matches(')'));
        return (!top().join(&path).is_file()).then(|| format!("there is no {path}"));
    }
    let Some(page) = link.strip_prefix(DOCS) else { return Some(format!("{link} leads nowhere")) };
    let (page, anchor) = page.split_once('#').unwrap_or((page, ""));
    if !top().join("docs").join(page).is_file() {
        return Some(format!("there is no docs/{page}"));
    }
    let text = read(&format!("docs/{page}"));
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let mut anchors =
        headings.map(|h| h.trim_start_matches('#').trim().to_lowercase().replace(' ', "-"));
    let there = anchor.is_empty() || anchors.any(|a| a == anchor);
    (!there).then(|| format!("docs/{page} has no heading #{anchor}"))
}

/// Compares a file with what it should be, or writes it.
fn expect(name: &str, wanted: &str) {
    if std::env::var_os("KATANA_TEST_WRITE").is_some() {
        std::fs::write(top().join(name), wanted).expect("the file can be written");
    }
    let write = "KATANA_TEST_WRITE=1 cargo test --test catalog";
    assert!(read(name) == wanted, "{name} is out of date: {write}");
}

#[test]
fn the_logging_page_lists_every_message_id() {
    let (name, begin, end) = ("docs/logging.md", "<!-- ids: begin -->\n", "<!-- ids: end -->");
    let page = read(name);
    let (before, rest) = page.split_once(begin).expect("the mark at the beginning");
    let (_, after) = rest.split_once(end).expect("the mark at the end");
    let mut table = "| event | `MESSAGE_ID` | what `-x` says first |\n|---|---|---|\n".to_owned();
    for (entry, text) in pairs() {
        let subject = text.subject().replace("@FINDING@", "(finding)");
        let subject = subject.trim_end_matches(&format!(" ({})", entry.name()));
        let name = match entry {
            JournalEvent::Opened(kind) => format!("[`{0}`](runbook.md#{0})", kind.name()),
            event => format!("`{}`", event.name()),
        };
        table.push_str(&format!("| {name} | `{}` | {subject} |\n", entry.id()));
    }
    expect(name, &format!("{before}{begin}\n{table}\n{end}{after}"));
    let known: BTreeSet<&str> = JournalEvent::all().map(JournalEvent::id).collect();
    let is_id = |w: &&str| w.len() == 32 && w.chars().all(|c| c.is_ascii_hexdigit());
    let stale = before.split(|c: char| !c.is_ascii_alphanumeric()).filter(is_id);
    let stale: Vec<_> = stale.filter(|id| !known.contains(id)).collect();
    assert!(stale.is_empty(), "{name} names ids that do not exist: {stale:?}");
}

#[test]
fn systemd_takes_the_catalog() {
    if !Command::new("journalctl").arg("--version").output().is_ok_and(|o| o.status.success()) {
        // Not by a macro: the test harness would swallow it.
        let _ = std::io::Write::write_fmt(
            &mut std::io::stderr(),
            format_args!("SKIPPED: journalctl is not installed (apt install systemd)\n"),
        );
        return;
    }
    let root = tempfile::tempdir().expect("a folder");
    let folder = root.path().join("usr/lib/systemd/catalog");
    for path in [&folder, &root.path().join("var/lib/systemd/catalog")] {
        std::fs::create_dir_all(path).expect("a folder");
    }
    let journalctl = |what: &str| {
        let root = format!("--root={}", root.path().display());
        let output = Command::new("journalctl").arg(root).arg(what).output().expect("it runs");
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.success(), said(&output.stdout), said(&output.stderr))
    };
    let installed = folder.join("katana-bot.catalog");
    std::fs::copy(top().join(CATALOG), &installed).expect("copied");
    let (good, _, said) = journalctl("--update-catalog");
    assert!(good && said.is_empty(), "{said}");
    let (_, list, _) = journalctl("--list-catalog");
    for (entry, text) in pairs() {
        let row = format!("{} katana-bot: {}", entry.id(), text.subject());
        assert!(list.lines().any(|line| line == row), "{row} is not in:\n{list}");
    }
    let slip = read(CATALOG).replacen("-- ", "- ", 1);
    std::fs::write(installed, slip).expect("written");
    assert!(!journalctl("--update-catalog").0, "a slip goes unseen");
}

/// Findings that often follow from another one. Their alerts wait longer, so that the cause comes first and
/// Alertmanager can hold them back (`inhibit_rules` of the example).
const FOLLOW: &[Kind] = &[
    Kind::PollStalled,
    Kind::UpdatesStuck,
    Kind::BacklogFull,
    Kind::InboxOld,
    Kind::OutboxOld,
    Kind::QuestionsRefused,
    Kind::ProviderUnusable,
    Kind::CanaryFailing,
    Kind::ProviderSlow,
    Kind::ErrorRatio,
    Kind::ResponseSlow,
];

/// The counter whose label `class` says why.
fn reasons(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::PollFailing | Kind::PollStalled => Some("katana_poll_failures_total"),
        Kind::OutboxOld | Kind::DeliveryRefused => Some("katana_parts_refused_total"),
        Kind::ProviderFailing | Kind::QuestionsRefused | Kind::ErrorRatio => {
            Some("katana_question_failures_total")
        }
        _ => None,
    }
}

/// The rule for one finding and severity. A description is what `katana-bot status` says.
fn rule(kind: Kind, severity: Severity, subject: &str) -> String {
    let (name, facts) = (kind.name(), kind.facts());
    let (alert, notified, wait) = match severity {
        Severity::Failing => ("KatanaFailing", "critical", "30s"),
        Severity::Degraded => ("KatanaDegraded", "warning", "1m"),
    };
    let wait = if FOLLOW.contains(&kind) { "90s" } else { wait };
    let title = subject.strip_suffix(&format!(" ({name})")).expect("it names the finding");
    let class = reasons(kind).map_or_else(String::new, |counter| {
        format!(
            " {{{{ with printf \"topk(1, increase({counter}{{job='%s',instance='%s'}}[15m]) > 0)\" \
             $labels.job $labels.instance | query }}}}Most frequent error: {{{{ . | first | label \"class\" }}}}\
             {{{{ end }}}}"
        )
    });
    let impact = format!("Impact: {}. Do: {}.{class}", facts.impact, facts.first_step);
    // JSON's strings are YAML's.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let summary = format!(
        "{{{{ with $labels.environment }}}}{{{{ . }}}}: {{{{ end }}}}katana-bot on {{{{ $labels.instance }}}}: \
         {title} ({name})"
    );
    let url = format!(
        "{{{{ with $externalLabels.katana_docs }}}}{{{{ . }}}}{{{{ else }}}}file:///usr/share/doc/katana-bot\
         {{{{ end }}}}/runbook.md#{name}"
    );
    format!(
        "      - alert: {alert}
        expr: katana:finding:open{{finding=\"{name}\", severity=\"{}\"}} * on (job, instance) group_left \
         (environment) katana:instance:info
        for: {wait}
        keep_firing_for: 15s
        labels:
          finding: {name}
          severity: {notified}
        annotations:
          summary: {}
          description: {}
          runbook: /usr/share/doc/katana-bot/runbook.md#{name}
          runbook_url: {}
",
        severity.name(),
        quoted(&summary),
        quoted(impact.trim_end()),
        quoted(&url),
    )
}

#[test]
fn prometheus_says_what_status_and_the_journal_say() {
    const BEGIN: &str = "      # findings: begin\n";
    const END: &str = "      # findings: end\n";
    let name = "packaging/monitoring/katana.rules.yml";
    let page = read(name);
    let (before, rest) = page.split_once(BEGIN).expect("the mark at the beginning");
    let (_, after) = rest.split_once(END).expect("the mark at the end");
    let mut rules = String::new();
    for (entry, text) in pairs() {
        let JournalEvent::Opened(kind) = entry else { continue };
        for severity in kind.facts().severities {
            rules.push_str(&rule(kind, *severity, text.subject()));
        }
    }
    expect(name, &format!("{before}{BEGIN}{rules}{END}{after}"));
}
