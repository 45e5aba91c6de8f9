//! The monitoring examples work with the real tools, and name only metrics that exist.
//!
//! `promtool` and `amtool` come with Debian's packages prometheus and prometheus-alertmanager. Where
//! they are missing, the tests that need them say so and pass.

#![allow(clippy::disallowed_methods, reason = "tests may start and write what they want")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use katana::observe::finding::Kind;
use serde_json::Value;

const FOLDER: &str = "packaging/monitoring";

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(file(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Runs a tool in a folder. `None`, said loudly, when it is not installed.
fn run(folder: &Path, tool: &str, arguments: &[&str], package: &str) -> Option<()> {
    let output = match Command::new(tool).args(arguments).current_dir(folder).output() {
        Ok(output) => output,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            // Not by a macro: the test harness would swallow it.
            let _ = std::io::Write::write_fmt(
                &mut std::io::stderr(),
                format_args!("SKIPPED: {tool} is not installed (apt install {package})\n"),
            );
            return None;
        }
        Err(e) => panic!("{tool}: {e}"),
    };
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{tool} {}:\n{said}", arguments.join(" "));
    Some(())
}

#[test]
fn prometheus_accepts_the_rules_and_they_do_what_their_tests_say() {
    let folder = file(FOLDER);
    run(&folder, "promtool", &["check", "rules", "katana.rules.yml"], "prometheus");
    run(&folder, "promtool", &["test", "rules", "katana.rules.test.yml"], "prometheus");
}

#[test]
fn prometheus_accepts_the_scrape_configuration() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path().display().to_string();
    let config = text("packaging/monitoring/prometheus.yml").replace("/etc/prometheus", &here);
    std::fs::write(folder.path().join("prometheus.yml"), config).expect("written");
    std::fs::write(folder.path().join("katana-admin-token"), "a-token").expect("written");
    let rules = file(FOLDER).join("katana.rules.yml");
    std::fs::copy(rules, folder.path().join("katana.rules.yml")).expect("copied");
    run(folder.path(), "promtool", &["check", "config", "prometheus.yml"], "prometheus");
}

#[test]
fn alertmanager_accepts_its_configuration() {
    let arguments = ["check-config", "alertmanager.yml"];
    run(&file(FOLDER), "amtool", &arguments, "prometheus-alertmanager");
    // Mail about an alert's end is off unless it is asked for.
    let config = text("packaging/monitoring/alertmanager.yml");
    let receivers = config.matches("_configs:").count();
    assert_eq!(config.matches("send_resolved: true").count(), receivers);
}

/// All expressions of the dashboard, with the names of their panels.
fn dashboard() -> Vec<(String, String)> {
    let dashboard: Value =
        serde_json::from_str(&text("packaging/monitoring/grafana-dashboard.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has an id of its own");
    let mut expressions = Vec::new();
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let title = panel["title"].as_str().expect("a title").to_owned();
        let targets = panel["targets"].as_array().expect("targets");
        assert!(!targets.is_empty(), "{title} shows nothing");
        for target in targets {
            let expression = target["expr"].as_str().expect("an expression");
            expressions.push((title.clone(), expression.to_owned()));
        }
    }
    expressions
}

#[test]
fn prometheus_understands_the_dashboard() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut rules = "groups:\n- name: dashboard\n  rules:\n".to_owned();
    for (n, (_, expression)) in dashboard().iter().enumerate() {
        // JSON is YAML; what Grafana puts in for its variables is text.
        let expression = Value::from(expression.replace("$job", "j").replace("$instance", "i"));
        rules.push_str(&format!("  - record: panel:{n}\n    expr: {expression}\n"));
    }
    std::fs::write(folder.path().join("dashboard.yml"), rules).expect("written");
    run(folder.path(), "promtool", &["check", "rules", "dashboard.yml"], "prometheus");
}

/// Names of metrics in an expression of PromQL: words of ours outside of selectors and groupings,
/// where labels stand.
fn metrics(expression: &str) -> BTreeSet<String> {
    let mut plain = String::new();
    let mut rest = expression;
    while let Some(open) = rest.find(['{', '(']) {
        let grouping = ["by", "without", "on", "ignoring", "group_left", "group_right"]
            .iter()
            .any(|word| rest[..open].trim_end().ends_with(word));
        let close = match (&rest[open..=open], grouping) {
            ("{", _) => rest[open..].find('}'),
            (_, true) => rest[open..].find(')'),
            _ => Some(0),
        };
        plain.push_str(&rest[..open]);
        plain.push(' ');
        rest = &rest[open + close.expect("it is closed") + 1..];
    }
    plain.push_str(rest);
    let words = plain.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
    let ours = ["katana_", "katana:", "gen_ai_", "process_"];
    words.filter(|w| ours.iter().any(|start| w.starts_with(start))).map(str::to_owned).collect()
}

/// Names that recording rules make.
fn recorded(rules: &str) -> BTreeSet<String> {
    let lines = rules.lines().filter_map(|line| line.trim().strip_prefix("- record: "));
    lines.map(str::to_owned).collect()
}

/// The metrics that `docs/metrics.md` lists: words in backticks.
fn documented() -> BTreeSet<String> {
    let page = text("docs/metrics.md");
    page.split('`').skip(1).step_by(2).map(|name| name.trim().to_owned()).collect()
}

#[test]
fn every_metric_that_is_used_exists() {
    let rules = text("packaging/monitoring/katana.rules.yml");
    let (known, recorded) = (documented(), recorded(&rules));
    assert!(!recorded.is_empty());
    let in_rules = rules.lines().filter_map(|line| line.trim().strip_prefix("expr: "));
    let used = in_rules.map(|expression| ("the rules".to_owned(), expression.to_owned()));
    let mut missing = BTreeSet::new();
    for (place, expression) in used.chain(dashboard()) {
        for name in metrics(&expression) {
            let family = ["_bucket", "_sum", "_count"].iter().find_map(|s| name.strip_suffix(s));
            let exists = |name: &str| known.contains(name) || recorded.contains(name);
            if !exists(&name) && !family.is_some_and(exists) {
                missing.insert(format!("{name} in {place}"));
            }
        }
    }
    assert!(missing.is_empty(), "not in docs/metrics.md: {missing:#?}");
}

#[test]
fn names_of_labels_are_not_taken_for_metrics() {
    let expression = "sum by (gen_ai_request_model) (rate(gen_ai_client_token_usage_sum{process_x=\"katana_y\"}[5m])) and on (katana_z) katana_ready";
    let found: Vec<_> = metrics(expression).into_iter().collect();
    assert_eq!(found, ["gen_ai_client_token_usage_sum", "katana_ready"]);
}

#[test]
fn every_alert_leads_to_its_page() {
    let rules = text("packaging/monitoring/katana.rules.yml");
    let mut links = 0;
    for line in rules.lines().filter_map(|line| line.trim().strip_prefix("runbook: ")) {
        links += 1;
        let (page, anchor) = line.trim_matches('"').split_once('#').expect("page#heading");
        // The name of a finding is the heading; tests/docs.rs sees to those.
        let anchors: Vec<&str> = match anchor {
            "{{ $labels.finding }}" => Kind::ALL.iter().map(|kind| kind.name()).collect(),
            anchor => vec![anchor],
        };
        // Where the package puts the pages.
        let page = page.strip_prefix("/usr/share/doc/katana-bot/").expect("an installed page");
        let page = text(&format!("docs/{page}"));
        let headings: BTreeSet<String> = page
            .lines()
            .filter(|line| line.starts_with('#'))
            .map(|line| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-"))
            .collect();
        for anchor in anchors {
            assert!(headings.contains(anchor), "{line}: there is no heading {anchor}");
        }
    }
    assert_eq!(links, rules.matches("- alert:").count(), "each alert has a page");
}
