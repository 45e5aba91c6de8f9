//! The packaged configuration names every key, and means what it says.

use std::collections::BTreeSet;

use check_heartbeat::config::{Config, DEFAULT_REMINDER};

fn packaged() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../packaging/check-heartbeat.toml");
    std::fs::read_to_string(path).unwrap()
}

/// The settings without the `# ` before them.
fn uncommented() -> String {
    let text = packaged();
    let settings = text.lines().filter_map(|line| line.strip_prefix("# "));
    let settings = settings.filter(|l| l.starts_with('[') || l.contains(" = "));
    settings.map(|line| format!("{line}\n")).collect()
}

#[test]
fn as_it_is_it_changes_nothing() {
    let config = Config::parse(&packaged());
    assert_eq!(config.problems, []);
    assert!(config.watches.is_empty() && config.channels.is_empty());
}

#[test]
fn uncommented_it_is_sound_and_shows_the_defaults() {
    let config = Config::parse(&uncommented());
    assert_eq!(config.problems, []);
    let default = Config::default();
    assert_eq!(config.reminder, DEFAULT_REMINDER);
    assert_eq!(config.mode, default.mode);
    assert_eq!(config.alert_on, default.alert_on);
    let [watch] = &config.watches[..] else { panic!("{:?}", config.watches) };
    assert_eq!((watch.failures_needed, watch.good_checks_needed), (1, 1));
    assert_eq!(config.watches[0].threshold.0.as_secs(), heartbeat::DEFAULT_THRESHOLD_S);
    let names: Vec<&str> = config.channels.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["telegram", "mail", "webhook", "page"]);
    assert!(config.channels.iter().all(|c| c.settings.is_some()));
}

#[test]
fn it_names_every_key() {
    let text = uncommented();
    let mut sections = text.split("[[channel]]\n");
    let (top, watch) = sections.next().unwrap().split_once("[[watch]]\n").unwrap();
    let keys = |text: &str| -> BTreeSet<String> {
        text.lines().filter_map(|l| Some(l.split_once(" = ")?.0.to_owned())).collect()
    };
    // The reader of a table names all of its keys when it meets one that it does not know.
    let known = |table: &str| {
        let odd = Config::parse(&format!("{table}unheard_of = 1\n"));
        let [problem] = &odd.problems[..] else { panic!("{:?}", odd.problems) };
        let words = problem.message.split('`').skip(1).step_by(2);
        let mut known: BTreeSet<String> = words.map(str::to_owned).collect();
        assert!(known.remove("unheard_of"), "{problem}");
        known
    };
    assert_eq!(keys(top), known(""));
    assert_eq!(keys(watch), known("[[watch]]\n"));
    for section in sections {
        let mut wanted = known(&format!("[[channel]]\n{section}"));
        // These are known only to be refused with a hint.
        wanted.retain(|key| key != "token" && key != "password");
        let mut named = keys(section);
        named.remove("type");
        assert_eq!(named, wanted, "{section}");
    }
}
