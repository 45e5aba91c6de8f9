//! Files that someone else may have written: heartbeat, backup, configurations.

use std::time::Duration;

use heartbeat::{Heartbeat, Now, State, judge};
use katana::config::{Config, Sources, print_warnings};
use katana::model::failure::chain;
use katana::model::ids::BotId;
use katana::observe::clock::Clock;
use katana::store::{Store, file};

use super::{Inputs, assert_showable};

#[test]
fn any_heartbeat_is_judged_in_one_short_line() {
    const WORDS: &[&str] = &[
        "format: ",
        "boot_id: ",
        "boot_ms: ",
        "awake_ms: ",
        "pid: ",
        "verdict: ok\n",
        "verdict: ",
        "finding: ",
        "degraded",
        "failing",
        "age: ",
        "environment: ",
        "2026-11-21T07:24:33.120Z",
    ];
    let now = Now {
        time_ms: 1_795_245_900_000,
        boot_id: Some("5b1c5d7e-6c0e-4d9b-b6a8-6a3d0a6a8f10".to_owned()),
        boot_ms: Some(8_150_000),
        awake_ms: Some(8_150_000),
    };
    let (mut inputs, mut good) = (Inputs::of("heartbeat", WORDS), 0);
    while let Some(input) = inputs.next() {
        let judgement = judge(Ok(&input), &now, Duration::from_secs(120));
        assert_showable(&judgement.text, 2000);
        assert!(!judgement.text.contains('\n'), "{judgement:?}");
        good += usize::from(judgement.state == State::Ok);
        if let Ok(beat) = Heartbeat::parse(&input.text()) {
            let written = beat.render();
            let read = Heartbeat::parse(&written).expect("what is written can be read");
            assert_eq!(read.render(), written);
        }
    }
    assert!(good > 0, "no heartbeat was good");
}

/// A folder in memory if there is one: the disk is not what is tested.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder")
}

#[tokio::test(flavor = "multi_thread")]
async fn any_backup_is_accepted_or_refused_with_a_reason() {
    let dir = folder();
    let (state, copy) = (dir.path().join("katana.db"), dir.path().join("copy.db"));
    let store = Store::open(&state, BotId(4242), Clock::system()).expect("a state file");
    store.close().await;
    file::backup(&state, &copy, false).expect("a backup");
    let whole = std::fs::read(&copy).expect("the backup");
    const WORDS: &[&str] = &[
        "SQLite format 3\0",
        "CREATE TABLE inbox",
        "CREATE TRIGGER t AFTER INSERT ON inbox BEGIN SELECT 1; END",
        "CREATE VIEW",
        "sqlite_master",
        "katana",
    ];
    let (mut inputs, mut accepted) = (Inputs::from("backup", WORDS, vec![whole]), 0);
    while let Some(input) = inputs.next() {
        std::fs::write(&copy, &*input).expect("written");
        match file::examine(&copy) {
            Ok(contents) => {
                accepted += 1;
                assert!(contents.bytes <= input.len() as u64, "{contents:?}");
            }
            Err(error) => {
                assert_showable(&chain(&error), 2000);
                assert!(!error.hint().is_empty(), "{error:?}");
            }
        }
        let left = std::fs::read(&copy).expect("the backup");
        assert!(left == *input, "a look changes nothing");
    }
    assert!(accepted > 0, "not even the backup itself was accepted");
}

const TOML: &[&str] = &[
    "[",
    "]",
    "[[",
    "]]",
    "[telegram]\n",
    "[answer]\n",
    "[openai]\n",
    "[web]\n",
    "[watch]\n",
    "[[channel]]\n",
    "[[watch]]\n",
    "= ",
    "= \"\"\n",
    "\"\"\"",
    "'''",
    "0x",
    "1979-05-27T07:32:00Z",
    "[1, 2]",
    "{ a = 1 }",
    "token = ",
    "api_key = ",
    "timeout = ",
    "type = \"smtp\"\n",
    "\"\\u202e\" = 1\n",
    "\"\\u001b[31m\" = 1\n",
];

/// The token, as a careless person would write it into the file.
const TOKEN: &str = "123456789:AAbbCCddEEffGGhhIIjjKKllMMnnOOppXYZ";

#[test]
fn any_configuration_of_the_bot_is_read_or_refused_without_its_secrets() {
    let dir = folder();
    let path = dir.path().join("katana-bot.toml");
    let env = [("TELEGRAM_TOKEN", TOKEN), ("HOME", "/home/k"), ("AI_PROVIDER", "echo")];
    let (mut inputs, mut good) = (Inputs::of("configuration", TOML), 0);
    while let Some(input) = inputs.next() {
        std::fs::write(&path, &*input).expect("written");
        let sources = Sources { files: vec![path.clone()], ..Sources::from_env(env) };
        let found = Config::examine(&sources);
        let (problems, warnings) = (found.problems.0.len(), &found.loaded.warnings);
        good += usize::from(problems == 0);
        let said = found.problems.print(false) + &print_warnings(warnings, false);
        assert_showable(&said, 1000 * (problems + warnings.len()));
        assert!(!said.contains(&TOKEN[12..]), "{said}");
        assert_showable(&found.loaded.print(false), 64 * 1024 + 8 * input.len());
    }
    assert!(good > 0, "no configuration was good");
}

#[test]
fn any_configuration_of_the_checker_is_read_or_refused_in_short_lines() {
    let (mut inputs, mut good) = (Inputs::of("checker_configuration", TOML), 0);
    while let Some(input) = inputs.next() {
        let config = check_heartbeat::config::Config::parse(&input.text());
        good += usize::from(config.problems.is_empty());
        for problem in &config.problems {
            assert_showable(&problem.to_string(), 1000);
        }
    }
    assert!(good > 0, "no configuration was good");
}
