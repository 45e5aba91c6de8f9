//! The configuration file: what may be written, and what each mistake costs.

use check_heartbeat::config::{Config, DEFAULT_REMINDER};
use check_heartbeat::incident::Mode;
use check_heartbeat::watch::AlertOn;

#[test]
fn an_empty_file_is_all_defaults() {
    let config = Config::parse("");
    assert!(config.problems.is_empty() && config.complete && config.watches_known);
    assert_eq!(config.reminder, DEFAULT_REMINDER);
    assert!(config.watches.is_empty() && config.channels.is_empty());
}

#[test]
fn everything_can_be_written() {
    let config = Config::parse(
        "host = \"h\"\nreminder = 0\nfailures_needed = 2\nalert_on = [\"failing\"]\n\
         mode = \"first\"\nping_url = \"https://ping.example/1\"\n\
         [[watch]]\n[[watch]]\nname = \"other\"\nfile = \"/run/other\"\nthreshold = \"5m\"\n\
         stopped_ok = true\ngood_checks_needed = 3\n\
         [[channel]]\ntype = \"command\"\nname = \"page\"\nprogram = \"/bin/true\"\n",
    );
    assert_eq!(config.problems, []);
    let [bot, other] = &config.watches[..] else { panic!("{:?}", config.watches) };
    assert_eq!((bot.name.as_str(), bot.threshold.0.as_secs()), ("katana-bot", 120));
    assert_eq!((bot.failures_needed, bot.good_checks_needed), (2, 1));
    assert_eq!((other.failures_needed, other.good_checks_needed), (2, 3));
    assert_eq!((other.threshold.0.as_secs(), other.stopped_ok), (300, true));
    assert_eq!(other.ping_url.as_deref(), Some("https://ping.example/1"));
    assert_eq!(config.channels[0].name, "page");
    assert!(config.channels[0].settings.is_some());
    assert_eq!((config.mode, config.alert_on), (Mode::First, vec![AlertOn::Failing]));
    assert_eq!((config.host.as_str(), config.reminder.as_secs()), ("h", 0));
}

#[test]
fn a_mistake_costs_its_key_only() {
    let config = Config::parse(
        "reminder = \"often\"\nmod = \"all\"\nfailures_needed = 0\nping_url = 7\n\
         [[watch]]\nfile = \"relative\"\nthreshold = -1\n\
         [[watch]]\nname = \"a\"\nfile = \"/run/a\"\n\
         [[channel]]\ntype = \"pigeon\"\n[[channel]]\ntype = \"command\"\nprogram = \"x\"\n",
    );
    let mut keys: Vec<&str> = config.problems.iter().map(|p| p.key.as_str()).collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            "channel[1]",
            "failures_needed",
            "mod",
            "ping_url",
            "reminder",
            "watch[1].file",
            "watch[1].threshold",
        ]
    );
    assert!(config.problems.iter().all(|p| !p.hint.is_empty()));
    assert_eq!((config.watches.len(), config.channels.len()), (2, 2));
    assert_eq!(config.watches[1].failures_needed, 1, "a mistake is not inherited");
    assert!(config.channels[0].settings.is_none() && config.channels[1].settings.is_some());
    assert!(config.complete);
}

#[test]
fn drop_ins_count_and_other_names_are_mistakes() {
    let dir = tempfile::tempdir().unwrap();
    let (main, folder) = (dir.path().join("main.toml"), dir.path().join("main.d"));
    let load = || Config::load(Some(&main));
    std::fs::write(&main, "host = \"h\"\nreminder = \"2h\"\n").unwrap();
    std::fs::create_dir(&folder).unwrap();
    let channel = "[[channel]]\ntype = \"command\"\nprogram = \"/bin/true\"\n";
    std::fs::write(folder.join("50-setup.toml"), format!("reminder = \"3h\"\n{channel}")).unwrap();
    std::fs::write(folder.join("60-mine.toml.dpkg-dist"), "[[").unwrap();
    let config = load();
    assert!(config.problems.is_empty() && config.complete, "{:?}", config.problems);
    assert_eq!((config.host.as_str(), config.reminder.as_secs()), ("h", 3 * 3600));
    assert_eq!(config.channels.len(), 1);
    // A channel in it would be missed only when it is needed.
    std::fs::write(folder.join("70-more.conf"), channel).unwrap();
    let said = load().problems.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert!(said.len() == 1 && said[0].contains("70-more.conf: the file is ignored"), "{said:?}");
    assert!(load().complete && load().channels.len() == 1);
    // What cannot be read costs itself.
    std::fs::write(folder.join("80-bad.toml"), "\n[[").unwrap();
    let config = load();
    let first = config.problems[0].to_string();
    assert!(first.contains("80-bad.toml: line 2 is not TOML"), "{first}");
    assert!(!config.complete && !config.watches_known && config.channels.len() == 1);
}

#[test]
fn no_message_quotes_a_value() {
    for text in [
        "host = \"hunter2\" \"x\"",
        "host = [\"hunter2\"]",
        "[[channel]]\ntype = \"telegram\"\nthread_id = \"hunter2\"",
        "[[channel]]\ntype = \"telegram\"\ntoken = \"hunter2\"\nname = 1",
        "[[channel]]\ntype = \"hunter2\"",
        "failures_needed = \"hunter2\"",
        "reminder = \"hunter2\"",
        "ping_url = \"hunter2\"",
        "alert_on = [\"hunter2\"]",
        "host = \"\"\"hunter2\n\"\"\"\nmode = \"hunter2\"",
        "channel = \"hunter2\"",
        "[[watch]]\nthreshold = \"hunter2\"\nstopped_ok = \"hunter2\"",
    ] {
        let config = Config::parse(text);
        let said: Vec<String> = config.problems.iter().map(ToString::to_string).collect();
        assert!(!said.is_empty() && !said.iter().any(|t| t.contains("hunter2")), "{said:?}");
    }
}

#[test]
fn nonsense_counts_as_unknown() {
    for text in ["[[", "channel = 3", "[[channel]]\nname = 1"] {
        let config = Config::parse(text);
        assert!(!config.complete && !config.problems.is_empty(), "{text}");
    }
    for (text, known) in [("[[", false), ("watch = 3", false), ("channel = 3", true)] {
        assert_eq!(Config::parse(text).watches_known, known, "{text}");
    }
}

#[test]
fn too_many_and_doubled_tables_are_named() {
    let many = Config::parse(&"[[watch]]\n".repeat(60));
    assert_eq!((many.watches.len(), many.problems.len()), (1, 50), "one name, and too many");
    let doubled = "[[channel]]\ntype = \"command\"\nprogram = \"x\"\n".repeat(2);
    assert_eq!(Config::parse(&doubled).problems[0].key, "channel[2].name");
}

#[test]
fn times_have_units() {
    use check_heartbeat::cli::time;
    use std::time::Duration;
    for (text, ms) in [
        ("120", 120_000),
        ("0", 0),
        ("300ms", 300),
        ("90s", 90_000),
        ("2m", 120_000),
        ("2 min", 120_000),
        (" 4h", 14_400_000),
        ("1d", 86_400_000),
    ] {
        assert_eq!(time(text), Ok(Duration::from_millis(ms)), "{text}");
    }
    for odd in ["", "-1", "m", "1.5", "2w", "1h30m", "99999999999999999999", "9999999999d"] {
        assert!(time(odd).is_err(), "{odd}");
    }
}
